// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Which CPU has a task is replayed, where rules send tasks away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hft/rule.h>

#include "replay_machine.h"

#define USUAL		400
#define USUAL_NS	(5 * USEC)
#define SPIKE_NS	(400 * USEC)
#define LEAVE_NS	(10 * SPIKE_NS)

static void run_one(struct machine *m, struct hft_ring *from, uint64_t ns)
{
	const struct hft_event *event;

	machine_send(m, m->home, m->cookie++, HFT_LEVEL_NORMAL, hft_now());
	assert_true(hft_wait(from, hft_now()) > 0);
	event = hft_ring_peek(from);
	assert_int_equal(event->level, from == m->home ? HFT_LEVEL_NORMAL : HFT_LEVEL_LOW);
	hft_ring_begin(from, event, hft_now());
	hft_spin_until(hft_now() + ns);
	hft_ring_advance(from);
	/* What is consumed is looked at. */
	hft_wait(from, hft_now());
}

/* A rule sends tasks to the spare CPU for a time, of which the notices are read. */
static void record_spare(const char *path)
{
	const struct hft_rule rule = {
		.action = HFT_ACTION_SPARE, .level = HFT_LEVEL_LOW, .classes = 1, .count = 1,
		.anomalies = 1 << HFT_ANOMALY_SPIKE, .kinds = 1 << HFT_KIND_RUN,
		.hold = LEAVE_NS, .leave = LEAVE_NS,
	};
	struct machine m = { 0 };
	uint32_t i;

	machine_open(&m, path, true);
	assert_int_equal(hft_rule_set(m.alone, &rule), -ENODEV);
	assert_int_equal(hft_rule_set(m.home, &rule), 0);
	for (i = 0; i < USUAL; i++)
		run_one(&m, m.home, USUAL_NS);
	run_one(&m, m.home, SPIKE_NS);
	for (i = 0; i < 10; i++)
		run_one(&m, m.spare, USUAL_NS);
	hft_spin_until(hft_now() + LEAVE_NS);
	hft_wait(m.home, hft_now());
	for (i = 0; i < 10; i++)
		run_one(&m, m.home, USUAL_NS);
	for (i = 0; hft_ring_peek(m.monitor); i++)
		hft_ring_advance(m.monitor);
	assert_true(i > 1);
	machine_close(&m);
}

/* The record behind that of the worker being done with the task that took long. */
static size_t behind_spike(const struct hft_recording *recording)
{
	uint32_t advances = 0;
	size_t i;

	for (i = 0; i < recording->nr && advances <= USUAL; i++)
		advances += recording->records[i].kind == HFT_RECORD_ADVANCE;
	return i;
}

/* What the worker reported came to be known a moment after the rule had told of it. */
static void test_spare_later(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	size_t i;

	(void)state;
	record_spare(path_of("later"));
	assert_int_equal(hft_recording_read(path_of("later"), 1, &recording), 0);
	i = behind_spike(&recording);
	recording.records[i - 1].words[1] += USEC;
	while (recording.records[i].kind != HFT_RECORD_LOOK)
		i++;
	recording.records[i].words[0] += USEC;
	if (hft_replay_recording(&recording, &opts, &result, NULL))
		fail_msg("%s", hft_strerror(EPROTO));
	assert_int_equal(result.events, USUAL + 21);
	assert_true(result.late > 0);
	hft_recording_free(&recording);
}

/* A rule that acts somewhat later than it did has tasks where they were. */
static void test_spare(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = SPIKE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	uint64_t *words, acted;
	size_t i;

	(void)state;
	record_spare(path_of("spare"));
	expect_same(path_of("spare"), &result);
	assert_int_equal(result.events, USUAL + 21);
	assert_int_equal(result.late, 0);
	assert_int_equal(hft_recording_read(path_of("spare"), 1, &recording), 0);
	i = behind_spike(&recording);
	/* The next was submitted before the worker was done with the one that took long. */
	acted = recording.records[i - 1].words[1];
	while (recording.records[i].kind != HFT_RECORD_SUBMIT)
		i++;
	words = recording.records[i].words;
	assert_true(words[0] >= acted);
	words[0] = acted - USEC;
	if (hft_replay_recording(&recording, &opts, &result, NULL))
		fail_msg("%s", hft_strerror(EPROTO));
	assert_int_equal(result.events, USUAL + 21);
	assert_true(result.late > 0);
	hft_recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spare),
		cmocka_unit_test(test_spare_later),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
