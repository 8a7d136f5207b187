// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* What others do to a handle is replayed: halts of all handles; and halts by its own rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hft/rule.h>

#include "engine/replay.h"
#include "record_folder.h"

#define USEC		1000
#define NEVER		UINT64_MAX

static void open_recorded(const char *path, struct hft **h)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=2");

	load_remove(path);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(h, &opts), 0);
	unsetenv("HFT_RECORD");
}

static void submit(struct hft *h, const struct hft_ring *ring, uint64_t cookie, uint8_t level,
		   uint32_t flags)
{
	const struct hft_task task = {
		.cookie = cookie, .release = hft_now(), .level = level, .flags = flags,
		.ring = hft_ring_number(ring),
	};

	assert_int_equal(hft_submit(h, &task, NULL), 0);
}

/* Returns the cookie of the event that is next, or NEVER. */
static uint64_t take(struct hft_ring *ring)
{
	uint64_t cookie = NEVER;

	hft_spin_until(hft_now() + USEC);
	if (hft_wait(ring, hft_now()) > 0) {
		cookie = hft_ring_peek(ring)->cookie;
		hft_ring_advance(ring);
	}
	return cookie;
}

enum { FIRST, BEST, REDUCED, LAST };

/* The best task waits for the end of a halt, or is cancelled by it. */
static void record_halt(const char *path, enum hft_halt_mode mode)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 8, .policy = HFT_POLICY_FP);
	struct hft_ring *ring;
	struct hft *h;

	open_recorded(path, &h);
	assert_int_equal(hft_ring_open(h, &opts, &ring), 0);
	submit(h, ring, FIRST, HFT_LEVEL_NORMAL, 0);
	hft_spin_until(hft_now() + 10 * USEC);
	assert_int_equal(take(ring), FIRST);
	hft_spin_until(hft_now() + USEC);
	assert_int_equal(hft_halt(h, HFT_HALT_ALL, 0, NULL), 0);
	submit(h, ring, BEST, HFT_LEVEL_HIGH, 0);
	hft_spin_until(hft_now() + 10 * USEC);
	assert_int_equal(hft_halt(h, mode, 0, NULL), 0);
	hft_spin_until(hft_now() + 10 * USEC);
	submit(h, ring, REDUCED, HFT_LEVEL_LOW, HFT_TASK_REDUCE);
	assert_int_equal(take(ring), mode == HFT_HALT_REDUCE ? REDUCED : NEVER);
	hft_spin_until(hft_now() + 10 * USEC);
	assert_int_equal(hft_resume(h, 0), 0);
	submit(h, ring, LAST, HFT_LEVEL_LOW, 0);
	if (mode == HFT_HALT_REDUCE)
		assert_int_equal(take(ring), BEST);
	else
		assert_int_equal(take(ring), REDUCED);
	assert_int_equal(take(ring), LAST);
	hft_ring_close(ring);
	hft_close(h);
}

/* The halts of a record were others', as looks from @before ns before on have seen. */
static void make_holds(struct hft_recording *recording, uint64_t before)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct hft_record *record = &recording->records[i];
		uint64_t mode = record->words[2];

		if (record->kind != HFT_RECORD_HALT)
			continue;
		record->kind = HFT_RECORD_HOLD;
		record->words[0] -= mode ? before : 0;
		record->words[1] += before;
		record->words[2] = 0;
		record->words[3] = mode < HFT_HALT_ALL ? mode : HFT_HALT_ALL;
	}
}

/* They are not in the record at all. */
static void drop_holds(struct hft_recording *recording)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		if (recording->records[i].kind == HFT_RECORD_HOLD)
			recording->records[i].words[3] = HFT_HALT_NONE;
	}
}

static int replay(const struct hft_recording *recording, struct hft_replay_result *result)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);

	return hft_replay_recording(recording, &opts, result, NULL);
}

/*
 * A halt of all handles that somebody else asked for: of a task that it has stopped or
 * cancelled nobody says that it goes before those that were dispatched.
 */
static void test_halts(void **state)
{
	static const enum hft_halt_mode modes[] = { HFT_HALT_REDUCE, HFT_HALT_CANCEL };
	static const uint64_t before[] = { 0, 3 * USEC };
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	unsigned int m, b;

	(void)state;
	for (m = 0; m < 2; m++) {
		record_halt(path_of("halt"), modes[m]);
		for (b = 0; b < 2; b++) {
			assert_int_equal(hft_recording_read(path_of("halt"), 1, &recording), 0);
			assert_int_equal(replay(&recording, &result), 0);
			make_holds(&recording, before[b]);
			if (replay(&recording, &result))
				fail_msg("mode %d: %s", modes[m], hft_strerror(EPROTO));
			assert_int_equal(result.events, m ? 3 : 4);
			assert_int_equal(result.late, 0);
			drop_holds(&recording);
			assert_int_equal(replay(&recording, &result), -EPROTO);
			assert_non_null(strstr(hft_strerror(EPROTO), "goes before it"));
			hft_recording_free(&recording);
		}
	}
}

#define LEARNED		400
#define USUAL_NS	(5 * USEC)
#define SPIKE_NS	(400 * USEC)
#define HOLD_NS		(1000 * USEC)

static void run_one(struct hft *h, struct hft_ring *ring, uint64_t ns)
{
	submit(h, ring, FIRST, HFT_LEVEL_NORMAL, 0);
	assert_true(hft_wait(ring, hft_now()) > 0);
	hft_ring_begin(ring, hft_ring_peek(ring), hft_now());
	hft_spin_until(hft_now() + ns);
	hft_ring_advance(ring);
	hft_wait(ring, hft_now());
}

/* Two tasks wait until a rule lets go of the machine: the better one is dispatched first. */
static void record_rule(const char *path)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 8, .window = 1, .policy = HFT_POLICY_FP,
		 .flags = HFT_RING_REPORT);
	const struct hft_rule rule = {
		.action = HFT_ACTION_REDUCE, .kinds = 1 << HFT_KIND_RUN, .classes = 1, .count = 1,
		.anomalies = 1 << HFT_ANOMALY_SPIKE, .hold = HOLD_NS, .leave = HOLD_NS,
	};
	struct hft_ring *ring;
	struct hft *h;
	int i;

	open_recorded(path, &h);
	assert_int_equal(hft_ring_open(h, &opts, &ring), 0);
	assert_int_equal(hft_rule_set(ring, &rule), 0);
	for (i = 0; i < LEARNED; i++)
		run_one(h, ring, USUAL_NS);
	run_one(h, ring, SPIKE_NS);
	submit(h, ring, LAST, HFT_LEVEL_LOW, 0);
	submit(h, ring, BEST, HFT_LEVEL_HIGH, 0);
	assert_int_equal(take(ring), NEVER);
	hft_spin_until(hft_now() + 2 * HOLD_NS);
	assert_int_equal(take(ring), BEST);
	assert_int_equal(take(ring), LAST);
	hft_ring_close(ring);
	hft_close(h);
}

/* The other task was first, and a moment before: the better one was not there yet. */
static void swap_last(struct hft_recording *recording)
{
	uint64_t *events[2], other;
	size_t i = recording->nr;
	int n, word;

	for (n = 0; n < 2; n++) {
		while (recording->records[--i].kind != HFT_RECORD_DISPATCH)
			;
		events[n] = recording->records[i].words;
	}
	for (word = 2; word < 12; word++) {
		if (word == 6 || word == 7)		/* of the event, not of the task */
			continue;
		other = events[0][word];
		events[0][word] = events[1][word];
		events[1][word] = other;
	}
	events[1][0] -= USEC;
}

/*
 * A task was dispatched just before its rule lets go here, and a better one that it holds, too, is
 * set aside meanwhile: that is not looked for among those that are ready.
 */
static void test_rule(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = HOLD_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;

	(void)state;
	record_rule(path_of("rule"));
	assert_int_equal(hft_recording_read(path_of("rule"), 1, &recording), 0);
	assert_int_equal(replay(&recording, &result), 0);
	swap_last(&recording);
	assert_int_equal(hft_replay_recording(&recording, &opts, &result, NULL), 0);
	assert_int_equal(result.events, LEARNED + 3);
	assert_true(result.late > 0);
	hft_recording_free(&recording);
}

/*
 * The last task comes after the first, of which the scheduler of the record had not looked
 * whether it is consumed, and this one has.
 */
static void test_after_end(void **state)
{
	HFT_OPTS(hft_ring_opts, opts, .entries = 8);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	uint64_t *first = NULL, *last = NULL;
	struct hft_ring *ring;
	struct hft *h;
	size_t i;

	(void)state;
	open_recorded(path_of("after"), &h);
	assert_int_equal(hft_ring_open(h, &opts, &ring), 0);
	for (i = FIRST; i <= LAST; i++) {
		submit(h, ring, i, HFT_LEVEL_NORMAL, 0);
		assert_int_equal(take(ring), i);
	}
	hft_ring_close(ring);
	hft_close(h);

	assert_int_equal(hft_recording_read(path_of("after"), 1, &recording), 0);
	for (i = 0; i < recording.nr; i++) {
		if (recording.records[i].kind != HFT_RECORD_SUBMIT)
			continue;
		last = recording.records[i].words;
		first = first ? first : last;
	}
	assert_true(first && last != first);
	last[14] = first[2];
	assert_int_equal(replay(&recording, &result), 0);
	assert_int_equal(result.events, LAST + 1);
	assert_int_equal(result.late, 1);
	hft_recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_halts),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_after_end),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
