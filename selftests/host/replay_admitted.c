// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * What was admitted when it was recorded is admitted when it is replayed, after others have ended
 * and with another period.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "record_folder.h"

#define MSEC		1000000ULL
#define WCET		(100 * NSEC_PER_USEC)
#define LATER		1000		/* ms */

struct recorded {
	struct hft *h;
	struct hft_ring *ring;
	uint64_t events;
};

static void begin(struct recorded *recorded)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim");
	HFT_OPTS(hft_ring_opts, ring, .entries = 8, .policy = HFT_POLICY_RM,
		 .flags = HFT_RING_REPORT);

	recorded->events = 0;
	load_remove(path_of("admitted"));
	setenv("HFT_RECORD", path_of("admitted"), 1);
	assert_int_equal(hft_open(&recorded->h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(recorded->h, &ring, &recorded->ring), 0);
}

/* The same is decided, at the same times. */
static void end_and_replay(struct recorded *recorded)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	HFT_OPTS(hft_replay_result, result);
	int err;

	hft_ring_close(recorded->ring);
	hft_close(recorded->h);
	err = hft_replay(path_of("admitted"), &opts, &result);
	if (err)
		fail_msg("%s", hft_strerror(-err));
	assert_int_equal(result.events, recorded->events);
	assert_int_equal(result.late, 0);
}

static void take(struct recorded *recorded, uint64_t release)
{
	assert_int_equal(hft_wait(recorded->ring, release), 1);
	assert_int_equal(hft_ring_peek(recorded->ring)->release, release);
	hft_ring_advance(recorded->ring);
	recorded->events++;
}

static struct hft_task periodic(const struct recorded *recorded, uint64_t release)
{
	return (struct hft_task){
		.ring = hft_ring_number(recorded->ring), .level = HFT_LEVEL_NORMAL,
		.flags = HFT_TASK_PERIODIC, .period = MSEC, .wcet = WCET, .release = release,
	};
}

static void test_modified(void **state)
{
	struct recorded recorded;
	struct hft_modify modify = { .fields = HFT_MODIFY_PERIOD, .period = 3 * MSEC };
	struct hft_task task;
	uint64_t id, first, i;

	(void)state;
	begin(&recorded);
	first = hft_now() + MSEC;
	task = periodic(&recorded, first);
	assert_int_equal(hft_submit(recorded.h, &task, &id), 0);
	modify.task = id;
	assert_int_equal(hft_modify(recorded.h, &modify), 0);
	for (i = 0; i < 4; i++)
		take(&recorded, first + i * modify.period);
	end_and_replay(&recorded);
}

/* That a task has ended is looked for when another is to come after one of its ring. */
static void test_ended(void **state)
{
	struct recorded recorded;
	struct hft_task task, last, pair[2];
	uint64_t id, last_id;
	int64_t results[2];

	(void)state;
	begin(&recorded);
	task = periodic(&recorded, hft_now() + MSEC);
	last = (struct hft_task){
		.ring = task.ring, .level = task.level, .flags = HFT_TASK_TRACK,
		.release = hft_now() + LATER * MSEC,
	};
	assert_int_equal(hft_submit(recorded.h, &task, &id), 0);
	assert_int_equal(hft_submit(recorded.h, &last, &last_id), 0);
	take(&recorded, task.release);
	assert_int_equal(hft_cancel(recorded.h, id), 0);
	pair[0] = last;
	pair[0].after = last_id;
	pair[1] = periodic(&recorded, hft_now() + MSEC);
	pair[1].wcet /= 2;
	assert_int_equal(hft_submit_batch(recorded.h, pair, 2, results), 2);
	take(&recorded, pair[1].release);
	end_and_replay(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modified),
		cmocka_unit_test(test_ended),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
