// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* What if something had been other than it was recorded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <core/lead.h>

#include "record_folder.h"

#define ROUNDS		20
#define LONG_NS		(1000 * NSEC_PER_USEC)
#define SHORT_NS	(500 * NSEC_PER_USEC)

/*
 * Two tasks at a time: the first is long, the other short and soon due.  On two rings both begin
 * at once, as if each had a worker.
 */
static void run_round(struct hft *h, struct hft_ring *rings[2], uint64_t slack)
{
	uint64_t release = hft_now() + LONG_NS;
	struct hft_task tasks[2] = {
		{ .release = release, .deadline = release + LONG_NS + slack, .task_class = 1,
		  .ring = hft_ring_number(rings[0]), .level = HFT_LEVEL_NORMAL },
		{ .release = release, .deadline = release + LONG_NS, .task_class = 2,
		  .ring = hft_ring_number(rings[1]), .level = HFT_LEVEL_NORMAL },
	};
	bool apart = rings[0] != rings[1];
	const struct hft_event *event;
	int64_t results[2];
	uint64_t start;
	int i, n;

	assert_int_equal(hft_submit_batch(h, tasks, 2, results), 2);
	for (i = 0; i < 2; i++) {
		n = apart ? !i : i;
		assert_true(hft_wait(rings[n], release + 100 * LONG_NS) > 0);
		event = hft_ring_peek(rings[n]);
		start = apart ? release : hft_now();
		hft_ring_begin(rings[n], event, start);
		hft_spin_until(start + (n ? SHORT_NS : LONG_NS));
		hft_ring_advance(rings[n]);
	}
}

/* @slack: that the long tasks have */
static void record_rounds(const char *path, uint32_t nr_rings, uint64_t slack)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=2");
	struct hft_ring *rings[2];
	struct hft *h;
	uint32_t i;

	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	for (i = 0; i < nr_rings; i++) {
		HFT_OPTS(hft_ring_opts, ring, .policy = HFT_POLICY_FIFO, .entries = 8, .cpu = i,
			 .flags = HFT_RING_REPORT);

		assert_int_equal(hft_ring_open(h, &ring, &rings[i]), 0);
	}
	if (nr_rings == 1)
		rings[1] = rings[0];
	for (i = 0; i < ROUNDS; i++)
		run_round(h, rings, slack);
	hft_spin_until(hft_now() + LONG_NS);	/* what takes longer otherwise ends, too */
	for (i = 0; i < nr_rings; i++)
		hft_ring_close(rings[i]);
	hft_close(h);
}

/* By class */
static void keep_row(const struct hft_what_if_row *row, void *arg)
{
	struct hft_what_if_row *rows = arg;

	assert_true(row->task_class == 1 || row->task_class == 2);
	rows[row->task_class] = *row;
}

/* What a histogram says is not below, and by 0.78 % at most above. */
static void expect_ns(uint64_t ns, uint64_t wanted)
{
	assert_in_range(ns, wanted, wanted + wanted / 128 + 1);
}

/* Misses of the short tasks: all of them with FIFO, with EDF none. */
static void test_what_if(void **state)
{
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_POLICY, .policy = HFT_POLICY_EDF);
	struct hft_what_if_row rows[3] = { 0 };
	const char *path = path_of("what_if");

	(void)state;
	record_rounds(path, 1, LONG_NS);
	assert_int_equal(hft_replay(path, NULL, NULL), 0);
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), 0);
	assert_int_equal(rows[2].before.missed, ROUNDS);
	assert_int_equal(rows[2].after.missed, 0);
	assert_int_equal(rows[1].before.missed + rows[1].after.missed, 0);
	assert_int_equal(rows[1].after.jobs, ROUNDS);
	assert_int_equal(rows[2].after.ended, ROUNDS);
	expect_ns(rows[2].before.response.p50_ns, LONG_NS + SHORT_NS);
	expect_ns(rows[2].after.response.p50_ns, SHORT_NS);
	expect_ns(rows[2].before.start.p50_ns, LONG_NS);
	expect_ns(rows[1].before.response.p50_ns, LONG_NS);
	expect_ns(rows[1].after.response.p50_ns, LONG_NS + SHORT_NS);
	change.fields = HFT_WHAT_IF_COST;
	change.cost_ppm = 500000;
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), 0);
	assert_int_equal(rows[2].before.missed, ROUNDS);
	assert_int_equal(rows[2].after.missed, 0);
	expect_ns(rows[2].after.response.p50_ns, (LONG_NS + SHORT_NS) / 2);
	load_remove(path);
}

/* On a CPU each they are in time; on one, one of the two is not, whichever is first. */
static void test_what_if_cpus(void **state)
{
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_CPUS, .cpus = 1);
	struct hft_what_if_row rows[3] = { 0 };
	const char *path = path_of("cpus");

	(void)state;
	record_rounds(path, 2, SHORT_NS / 2);
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), 0);
	assert_int_equal(rows[1].before.missed + rows[2].before.missed, 0);
	assert_int_equal(rows[1].after.missed + rows[2].after.missed, ROUNDS);
	expect_ns(rows[1].before.response.p50_ns, LONG_NS);
	expect_ns(rows[2].before.response.p50_ns, SHORT_NS);
	expect_ns(rows[rows[2].after.missed ? 2 : 1].after.response.p50_ns, LONG_NS + SHORT_NS);
	change.cpus = 0;
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), -EINVAL);
	change.fields = 1 << 10;
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), -EINVAL);
	change.fields = HFT_WHAT_IF_POLICY;
	change.policy = HFT_POLICIES;
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), -EINVAL);
	load_remove(path);
}

#define WAKE_NS		(200 * NSEC_PER_USEC)

/* A worker that takes long to wake, and misses all deadlines for that. */
static void record_wake_ups(const char *path)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1");
	HFT_OPTS(hft_ring_opts, ring_opts, .policy = HFT_POLICY_FIFO, .entries = 8,
		 .flags = HFT_RING_REPORT);
	struct hft_ring *ring;
	int64_t result;
	struct hft *h;
	int i;

	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t release = hft_now() + LONG_NS;
		struct hft_task task = {
			.release = release, .deadline = release + SHORT_NS + WAKE_NS / 2,
			.task_class = 1, .level = HFT_LEVEL_NORMAL,
		};

		assert_int_equal(hft_submit_batch(h, &task, 1, &result), 1);
		assert_true(hft_wait(ring, release + 100 * LONG_NS) > 0);
		hft_spin_until(release + WAKE_NS);
		hft_ring_begin(ring, hft_ring_peek(ring), hft_now());
		hft_spin_until(hft_now() + SHORT_NS);
		hft_ring_advance(ring);
	}
	hft_ring_close(ring);
	hft_close(h);
}

/* The interrupt is earlier by the lead, and the worker wakes meanwhile. */
static void test_what_if_lead(void **state)
{
	static const uint64_t leads[] = {
		0, WAKE_NS / 4, WAKE_NS / 2, WAKE_NS, HFT_MAX_LEAD,
	};
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_LEAD);
	struct hft_what_if_row rows[3];
	const char *path = path_of("lead");
	uint64_t start;
	size_t i;

	(void)state;
	record_wake_ups(path);
	for (i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		memset(rows, 0, sizeof(rows));
		change.lead_ns = leads[i];
		start = leads[i] < WAKE_NS ? WAKE_NS - leads[i] : 0;
		assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), 0);
		assert_int_equal(rows[1].recorded_missed, ROUNDS);
		assert_int_equal(rows[1].before.missed, ROUNDS);
		expect_ns(rows[1].before.start.p50_ns, WAKE_NS);
		expect_ns(rows[1].after.start.p50_ns, start);
		assert_int_equal(rows[1].after.missed, start > WAKE_NS / 2 ? ROUNDS : 0);
		expect_ns(rows[1].after.response.p50_ns, start + SHORT_NS);
	}
	change.lead_ns = HFT_MAX_LEAD + 1;
	assert_int_equal(hft_replay_what_if(path, NULL, &change, keep_row, rows), -EINVAL);
	assert_non_null(strstr(hft_strerror(EINVAL), "up to"));
	load_remove(path);
}

static void count_row(const struct hft_what_if_row *row, void *arg)
{
	uint64_t *counts = arg;

	assert_true(row->before.ended <= row->before.jobs);
	assert_true(row->after.ended <= row->after.jobs);
	assert_true(row->after.response.count == row->after.ended);
	counts[0] += row->before.ended;
	counts[1] += row->after.ended;
}

/* Whatever goes another way, tasks are counted: none is more than once. */
static void test_what_if_load(void **state)
{
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_POLICY | HFT_WHAT_IF_LEAD,
		 .policy = HFT_POLICY_LLF, .lead_ns = 2000);
	uint64_t counts[2] = { 0 };

	(void)state;
	assert_true(load_record("soft", path_of("load"), 5, 600) > 0);
	assert_int_equal(hft_replay_what_if(path_of("load"), NULL, &change, count_row, counts), 0);
	assert_true(counts[0] > 50 && counts[1] > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_if),
		cmocka_unit_test(test_what_if_cpus),
		cmocka_unit_test(test_what_if_lead),
		cmocka_unit_test(test_what_if_load),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
