/* SPDX-License-Identifier: GPL-2.0-only */
/* One thread: refusals, order, cancellation, clocks, waiting. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_CALLS_H
#define SELFTESTS_LIBHFT_CONFORMANCE_CALLS_H

#include "conformance.h"

/* Refusals */

enum field {
	FIELD_LEVEL,
	FIELD_LEVEL_NOT_TAKEN,
	FIELD_CLOCK,
	FIELD_RELEASE,
	FIELD_DEADLINE,
	FIELD_DEADLINE_EARLY,
	FIELD_RING,
	FIELD_RING_NONE,
	FIELD_FLAGS,
	FIELD_PERIOD,
	FIELD_WCET,
	FIELDS
};

static int spoil(struct hft_task *task, enum field field)
{
	switch (field) {
	case FIELD_LEVEL:
		task->level = HFT_LEVELS;
		return -EINVAL;
	case FIELD_LEVEL_NOT_TAKEN:
		task->level = HFT_LEVEL_IDLE;
		return -EINVAL;
	case FIELD_CLOCK:
		task->clock = HFT_CLOCKS;
		return -EINVAL;
	case FIELD_RELEASE:
		task->release = HFT_TIME_MAX + 1;
		return -EINVAL;
	case FIELD_DEADLINE:
		task->deadline = HFT_TIME_MAX + 1;
		return -EINVAL;
	case FIELD_DEADLINE_EARLY:
		task->deadline = task->release - 1;
		return -EINVAL;
	case FIELD_RING:
		task->ring = UINT32_MAX;
		return -ENOENT;
	case FIELD_RING_NONE:
		task->ring = 63;
		return -ENOENT;
	case FIELD_FLAGS:
		task->flags = 1U << 31;
		return -EINVAL;
	case FIELD_PERIOD:
		task->period = HFT_TIME_MAX + 1;
		return -EINVAL;
	default:
		task->wcet = HFT_TIME_MAX + 1;
		return -EINVAL;
	}
}

static void case_refusals_of_tasks(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .level_mask = 1U << HFT_LEVEL_NORMAL);
	struct hft_ring *ring;
	struct hft_task tasks[3];
	int64_t results[3];
	int i, err;

	if (!EQUAL(0, hft_ring_open(t->h, &opts, &ring)))
		return;
	for (i = 0; i < FIELDS; i++) {
		tasks[0] = tasks[1] = tasks[2] = make_task(ring, 1, 1000);
		err = spoil(&tasks[1], (enum field)i);
		EQUAL(err, hft_submit(t->h, &tasks[1], NULL));
		EQUAL(2, hft_submit_batch(t->h, tasks, 3, results));
		CHECK(results[0] > 0 && results[2] > 0);
		EQUAL(err, results[1]);
		take(t, ring, 1);
		take(t, ring, 1);
	}
	expect_empty(t, ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(ring);
}

static void case_refusals_of_rings(struct test *t)
{
	static const struct {
		struct hft_ring_opts opts;
		int err;
	} rows[] = {
		{ { .entries = 3 }, -EINVAL },
		{ { .entries = 1U << 20 }, -EINVAL },
		{ { .entries = 4, .window = 5 }, -EINVAL },
		{ { .level_mask = 1U << HFT_LEVELS }, -EINVAL },
		{ { .policy = 1000 }, -EINVAL },
		{ { .flags = 1U << 31 }, -EINVAL },
		{ { .lead_ns = NSEC_PER_SEC }, -EINVAL },
		{ { .cpu = 100000 }, -EINVAL },
		{ { .flags = HFT_RING_MONITOR, .policy = HFT_POLICY_EDF }, -EINVAL },
		{ { .flags = HFT_RING_MONITOR, .lead_ns = 1 }, -EINVAL },
		{ { .flags = HFT_RING_MONITOR, .level_mask = 1 }, -EINVAL },
	};
	struct hft_ring_opts opts;
	struct hft_ring *ring;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		opts = rows[i].opts;
		opts.sz = sizeof(opts);
		if (!EQUAL(rows[i].err, hft_ring_open(t->h, &opts, &ring)))
			printf("# row %zu\n", i);
	}
}

static void case_refusals_of_handles(struct test *t)
{
	HFT_OPTS(hft_opts, opts, .backend = t->backend, .tasks = UINT32_MAX);
	struct hft_stats stats;
	struct hft *h;

	EQUAL(-EINVAL, hft_open(&h, &opts));
	opts.tasks = 1;
	opts.flags = 1U << 31;
	EQUAL(-EINVAL, hft_open(&h, &opts));
	EQUAL(-ENOENT, hft_stats(t->h, 63, &stats));
	EQUAL(-ENOENT, hft_stats(t->h, 64, &stats));
	EQUAL(-ENOENT, hft_cancel(t->h, 0));
	EQUAL(-ENOENT, hft_cancel(t->h, UINT64_MAX));
	EQUAL(-ENOENT, hft_cancel(t->h, 1ULL << 32 | TASKS));
}

static void case_numbers_of_rings(struct test *t)
{
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR);
	HFT_OPTS(hft_ring_opts, opts, .entries = 1);
	struct hft_ring *rings[64] = { NULL };
	struct hft_task task;
	uint32_t i;

	EQUAL(0, hft_ring_number(t->ring));
	EQUAL(0, hft_ring_open(t->h, &monitor, &rings[1]));
	EQUAL(-ENOSPC, hft_ring_open(t->h, &monitor, &rings[2]));
	task = make_task(rings[1], 1, DUE);
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	for (i = 2; i < 64; i++) {
		EQUAL(0, hft_ring_open(t->h, &opts, &rings[i]));
		EQUAL(i, hft_ring_number(rings[i]));
	}
	EQUAL(-ENOSPC, hft_ring_open(t->h, &opts, &rings[0]));
	hft_ring_close(rings[17]);
	hft_ring_close(rings[5]);
	EQUAL(0, hft_ring_open(t->h, &opts, &rings[5]));
	EQUAL(5, hft_ring_number(rings[5]));
	task.ring = 17;
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	rings[17] = NULL;
	for (i = 1; i < 64; i++)
		hft_ring_close(rings[i]);
}

/* Order */

static void case_events_say_it_all(struct test *t)
{
	struct hft_task task = make_task(t->ring, 42, DUE);
	struct hft_event event;
	uint64_t id, before = now(t);

	task.deadline = before + NSEC_PER_SEC;
	task.release = before - 1;
	task.level = HFT_LEVEL_HIGH;
	id = submit(t, &task);
	event = take(t, t->ring, 42);
	EQUAL(id, event.task);
	EQUAL(task.release, event.release);
	EQUAL(task.deadline, event.deadline);
	CHECK(event.irq_entry >= before);
	CHECK(event.published >= event.irq_entry);
	EQUAL(1, event.sequence);
	EQUAL(0, event.result);
	EQUAL(HFT_EVENT_TASK, event.type);
	EQUAL(HFT_CLOCK_MONOTONIC, event.clock);
	EQUAL(HFT_LEVEL_HIGH, event.level);
	expect_empty(t, t->ring);
}

struct order {
	uint32_t policy;
	const char *cookies;		/* as they come out of window 1 */
};

/* Submitted as one batch, all due.  Ties keep the order of submission. */
static const struct hft_task mixed[] = {
	{ .cookie = 'a', .level = HFT_LEVEL_NORMAL, .deadline = 9000 },
	{ .cookie = 'b', .level = HFT_LEVEL_NORMAL, .deadline = 5000, .period = 700 },
	{ .cookie = 'c', .level = HFT_LEVEL_CRITICAL },
	{ .cookie = 'd', .level = HFT_LEVEL_NORMAL, .deadline = 5000 },
	{ .cookie = 'e', .level = HFT_LEVEL_NORMAL },
	{ .cookie = 'f', .level = HFT_LEVEL_CRITICAL, .deadline = 8000, .wcet = 7000 },
	{ .cookie = 'g', .level = HFT_LEVEL_NORMAL, .deadline = 9000, .wcet = 6000 },
	{ .cookie = 'h', .level = HFT_LEVEL_NORMAL, .period = 700 },
	{ .cookie = 'i', .level = HFT_LEVEL_IDLE, .deadline = 2000 },
	{ .cookie = 'j', .level = HFT_LEVEL_CRITICAL, .deadline = 7000 },
	{ .cookie = 'k', .level = HFT_LEVEL_NORMAL, .deadline = 5000 },
	{ .cookie = 'l', .level = HFT_LEVEL_NORMAL },
};

#define MIXED	(sizeof(mixed) / sizeof(mixed[0]))

static const struct order orders[] = {
	{ HFT_POLICY_FIFO, "cfjabdeghkli" },
	{ HFT_POLICY_FP, "cfjabdeghkli" },
	{ HFT_POLICY_EDF, "jfcbdkagehli" },
	{ HFT_POLICY_RM, "jfcbhdkageli" },
	{ HFT_POLICY_LLF, "fjcgbdkaehli" },
};

static void check_order(struct test *t, const struct order *order)
{
	struct hft_ring *ring = open_ring(t, 16, 1, order->policy);
	struct hft_task tasks[MIXED];
	int64_t results[MIXED];
	size_t i;

	for (i = 0; i < MIXED; i++) {
		tasks[i] = mixed[i];
		tasks[i].release = 1000;
		tasks[i].ring = hft_ring_number(ring);
	}
	EQUAL(MIXED, hft_submit_batch(t->h, tasks, MIXED, results));
	for (i = 0; i < MIXED; i++) {
		struct hft_event event = take(t, ring, (uint64_t)order->cookies[i]);

		EQUAL(i, event.sequence);
	}
	expect_empty(t, ring);
	hft_ring_close(ring);
}

static void case_order_of_policies(struct test *t)
{
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		check_order(t, &orders[i]);
}

/* One by one, with room: the order they were submitted in, whatever the policy. */
static void case_order_with_room(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 16, 16, HFT_POLICY_EDF);
	struct hft_task task;
	uint64_t i;

	for (i = 0; i < 8; i++) {
		task = make_task(ring, i, DUE);
		task.deadline = 1000 - i;
		submit(t, &task);
	}
	for (i = 0; i < 8; i++)
		take(t, ring, i);
	hft_ring_close(ring);
}

/* The order of releases is what counts, not that of submissions. */
static void case_order_of_releases(struct test *t)
{
	/* Where both of two are late, their order is that of the policy. */
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_EDF);
	uint64_t start = now(t) + 20 * NSEC_PER_MSEC, i;
	struct hft_event event;
	struct hft_task task;

	for (i = 0; i < 8; i++) {
		task = make_task(ring, i, start + (i * 5 % 8) * NSEC_PER_MSEC);
		task.deadline = task.release;
		submit(t, &task);
	}
	for (i = 0; i < 8; i++) {
		event = take(t, ring, i * 5 % 8);
		EQUAL(start + i * NSEC_PER_MSEC, event.release);
		CHECK(event.irq_entry >= event.release);
	}
	hft_ring_close(ring);
}

static void case_window(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 2, HFT_POLICY_FIFO);
	struct hft_stats stats;
	uint64_t i;

	for (i = 0; i < 5; i++)
		submit_at(t, ring, i, DUE);
	EQUAL(2, hft_wait(ring, 0));
	stats = stats_of(t, hft_ring_number(ring));
	EQUAL(2, stats.in_flight);
	EQUAL(3, stats.ready);
	EQUAL(2, stats.dispatched);
	CHECK(stats.full);
	CHECK(hft_ring_arm(ring));

	/* What waits for room is pulled by a wait that finds no event. */
	take(t, ring, 0);
	take(t, ring, 1);
	CHECK(!hft_ring_peek(ring));
	CHECK(hft_ring_arm(ring));
	EQUAL(2, hft_wait(ring, 0));
	for (i = 2; i < 5; i++)
		take(t, ring, i);
	expect_empty(t, ring);
	EQUAL(5, stats_of(t, hft_ring_number(ring)).dispatched);
	hft_ring_close(ring);
}

/* More than a ring and a dispatch can take at a time: nothing is lost. */
static void case_full_ring(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_FIFO);
	struct hft_task tasks[TASKS];
	int64_t results[TASKS];
	uint64_t i;

	for (i = 0; i < TASKS; i++)
		tasks[i] = make_task(ring, i, DUE);
	EQUAL(TASKS, hft_submit_batch(t->h, tasks, TASKS, results));
	for (i = 0; i < TASKS; i++)
		take(t, ring, i);
	expect_empty(t, ring);
	hft_ring_close(ring);
}

static void case_quota(struct test *t)
{
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC;
	struct hft_task tasks[TASKS + 8];
	int64_t results[TASKS + 8];
	int i;

	for (i = 0; i < TASKS + 8; i++)
		tasks[i] = make_task(t->ring, (uint64_t)i, later);
	tasks[7].level = HFT_LEVELS;
	EQUAL(TASKS, hft_submit_batch(t->h, tasks, TASKS + 8, results));
	EQUAL(-EINVAL, results[7]);
	EQUAL(-EDQUOT, results[TASKS + 7]);
	EQUAL(-EDQUOT, hft_submit(t->h, &tasks[0], NULL));
	EQUAL(0, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).waiting);

	EQUAL(0, hft_cancel(t->h, (uint64_t)results[0]));
	submit_at(t, t->ring, 1, DUE);
	/* Its event is in the ring, and its slot free again. */
	submit_at(t, t->ring, 2, DUE);
	take(t, t->ring, 1);
	take(t, t->ring, 2);
}

static void case_empty_batch(struct test *t)
{
	EQUAL(0, hft_submit_batch(t->h, NULL, 0, NULL));
}

/* Cancellation */

static void case_cancel_at_each_stage(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 1, 1, HFT_POLICY_FIFO);
	uint64_t dispatched = submit_at(t, ring, 1, DUE);
	uint64_t ready = submit_at(t, ring, 2, DUE);
	uint64_t waiting = submit_at(t, ring, 3, hft_now() + 1000 * NSEC_PER_SEC);
	struct hft_stats stats;

	EQUAL(-ENOENT, hft_cancel(t->h, dispatched));
	EQUAL(0, hft_cancel(t->h, ready));
	EQUAL(-ENOENT, hft_cancel(t->h, ready));
	EQUAL(0, hft_cancel(t->h, waiting));
	EQUAL(-ENOENT, hft_cancel(t->h, waiting));
	take(t, ring, 1);
	expect_empty(t, ring);
	EQUAL(-ENOENT, hft_cancel(t->h, dispatched));

	stats = stats_of(t, hft_ring_number(ring));
	EQUAL(3, stats.submitted);
	EQUAL(1, stats.dispatched);
	EQUAL(2, stats.cancelled);
	EQUAL(0, stats.waiting + stats.ready + stats.in_flight);
	EQUAL(TASKS, stats.tasks_free);
	hft_ring_close(ring);
}

/* The slots are used again, under other ids. */
static void case_stale_ids(struct test *t)
{
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC;
	uint64_t old[TASKS], new[TASKS];
	int i, j;

	for (i = 0; i < TASKS; i++)
		old[i] = submit_at(t, t->ring, 1, later);
	for (i = 0; i < TASKS; i++)
		EQUAL(0, hft_cancel(t->h, old[i]));
	for (i = 0; i < TASKS; i++)
		new[i] = submit_at(t, t->ring, 2, later);
	for (i = 0; i < TASKS; i++) {
		EQUAL(-ENOENT, hft_cancel(t->h, old[i]));
		for (j = 0; j < TASKS; j++)
			CHECK(old[i] != new[j]);
	}
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).waiting);
	for (i = 0; i < TASKS; i++)
		EQUAL(0, hft_cancel(t->h, new[i]));
}

/* The earliest of some is taken back: the others come all the same. */
static void case_cancel_the_earliest(struct test *t)
{
	uint64_t start = now(t) + 300 * NSEC_PER_MSEC;
	uint64_t first = submit_at(t, t->ring, 1, start);

	submit_at(t, t->ring, 2, start + 10 * NSEC_PER_MSEC);
	EQUAL(0, hft_cancel(t->h, first));
	EQUAL(start + 10 * NSEC_PER_MSEC, take(t, t->ring, 2).release);
	expect_empty(t, t->ring);
}

static void case_closed_ring_drops(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 1, 1, HFT_POLICY_FIFO);
	struct hft_task task = make_task(ring, 1, DUE);
	uint64_t waiting;

	submit(t, &task);
	submit(t, &task);
	waiting = submit_at(t, ring, 3, now(t) + 1000 * NSEC_PER_SEC);
	EQUAL(TASKS - 2, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	EQUAL(-ENOENT, hft_cancel(t->h, waiting));
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
}

/* Clocks */

static uint64_t offset_of(clockid_t id)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	clock_gettime(id, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * NSEC_PER_SEC +
	       (uint64_t)(to.tv_nsec - from.tv_nsec);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Each clock has a timer: a machine that stands still for longer brings them into disorder. */
#define CLOCKS_APART	(200 * NSEC_PER_MSEC)

static void case_clocks(struct test *t)
{
	static const clockid_t ids[HFT_CLOCKS] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_TAI };
	struct hft_ring *ring = open_ring(t, 8, 8, HFT_POLICY_EDF);
	uint64_t start = hft_now() + 20 * NSEC_PER_MSEC;
	struct hft_task task;
	struct hft_event event;
	uint32_t i;

	for (i = 0; i < HFT_CLOCKS; i++) {
		uint64_t release = start + (2 - i) * CLOCKS_APART;

		task = make_task(ring, i, release + offset_of(ids[i]));
		task.deadline = task.release + 5;
		task.clock = (uint8_t)i;
		submit(t, &task);
	}
	for (i = HFT_CLOCKS; i-- > 0; ) {
		event = take(t, ring, i);
		EQUAL(i, event.clock);
		CHECK(distance(event.release, start + (2 - i) * CLOCKS_APART) <
		      CLOCKS_APART / 2);
		EQUAL(event.release + 5, event.deadline);
		CHECK(event.published + 100 >= event.release);
	}
	/* Before this boot */
	task = make_task(ring, 7, 1000);
	task.clock = HFT_CLOCK_REALTIME;
	task.deadline = 2000;
	submit(t, &task);
	event = take(t, ring, 7);
	EQUAL(1, event.release);
	EQUAL(1, event.deadline);
	hft_ring_close(ring);
}

static void case_lead(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .lead_ns = NSEC_PER_MSEC);
	uint64_t start = now(t) + 20 * NSEC_PER_MSEC;
	struct hft_event event;
	struct hft_ring *ring;

	EQUAL(0, hft_ring_open(t->h, &opts, &ring));
	EQUAL(NSEC_PER_MSEC, hft_ring_lead(ring));
	submit_at(t, ring, 1, start);
	event = take(t, ring, 1);
	EQUAL(start, event.release);
	CHECK(event.irq_entry >= start - NSEC_PER_MSEC);
	hft_ring_close(ring);
}

/* Waiting */

static void case_wait(struct test *t)
{
	uint64_t timeout = hft_now() + 3 * NSEC_PER_MSEC;

	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 1));
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, timeout));
	CHECK(hft_now() >= timeout);
	submit_at(t, t->ring, 1, DUE);
	submit_at(t, t->ring, 2, DUE);
	EQUAL(2, hft_wait(t->ring, 0));
	EQUAL(2, hft_wait(t->ring, HFT_WAIT_FOREVER));
	take(t, t->ring, 1);
	EQUAL(1, hft_wait(t->ring, 0));
	take(t, t->ring, 2);
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
}

static void case_stop(struct test *t)
{
	hft_ring_stop(t->ring);
	EQUAL(-ECANCELED, hft_wait(t->ring, HFT_WAIT_FOREVER));
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
	submit_at(t, t->ring, 1, DUE);
	hft_ring_stop(t->ring);
	EQUAL(1, hft_wait(t->ring, HFT_WAIT_FOREVER));
	take(t, t->ring, 1);
	EQUAL(-ECANCELED, hft_wait(t->ring, HFT_WAIT_FOREVER));
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
}

/* What was dispatched is there, and nothing else comes. */
static void case_closed_handle(struct test *t)
{
	submit_at(t, t->ring, 1, DUE);
	submit_at(t, t->ring, 2, hft_now() + 1000 * NSEC_PER_SEC);
	hft_close(t->h);
	t->h = NULL;
	take(t, t->ring, 1);
	EQUAL(-ESHUTDOWN, hft_wait(t->ring, HFT_WAIT_FOREVER));
	EQUAL(-ESHUTDOWN, hft_wait(t->ring, 0));
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_CALLS_H */
