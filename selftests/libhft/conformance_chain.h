/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that are released by the end of others. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_CHAIN_H
#define SELFTESTS_LIBHFT_CONFORMANCE_CHAIN_H

#include "conformance.h"

static struct hft_task make_after(const struct hft_ring *ring, uint64_t cookie, uint64_t after)
{
	struct hft_task task = make_task(ring, cookie, DUE);

	task.flags = HFT_TASK_TRACK;
	task.after = after;
	return task;
}

static uint64_t submit_after(struct test *t, struct hft_ring *ring, uint64_t cookie,
			     uint64_t after)
{
	struct hft_task task = make_after(ring, cookie, after);

	return submit(t, &task);
}

static void take_result(struct test *t, struct hft_ring *ring, uint64_t cookie, int result)
{
	struct hft_event event = take(t, ring, cookie);

	EQUAL(result, event.result);
}

static void case_chain(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 4, HFT_POLICY_FIFO);
	uint64_t first = submit_after(t, ring, 1, 0);
	uint64_t second = submit_after(t, ring, 2, first);
	uint64_t third = submit_after(t, ring, 3, second);

	EQUAL(HFT_STATE_RUNNING, state_of(t, first).state);
	EQUAL(HFT_STATE_BLOCKED, state_of(t, second).state);
	EQUAL(HFT_STATE_BLOCKED, state_of(t, third).state);
	EQUAL(1, stats_of(t, hft_ring_number(ring)).in_flight);

	/* The worker is told to pull when it has advanced. */
	take_result(t, ring, 1, 0);
	CHECK(!hft_ring_peek(ring));
	CHECK(hft_ring_arm(ring));
	EQUAL(1, hft_wait(ring, 0));
	EQUAL(HFT_STATE_BLOCKED, state_of(t, third).state);
	take_result(t, ring, 2, 0);
	take_result(t, ring, 3, 0);
	expect_empty(t, ring);
	CHECK(!hft_ring_arm(ring));
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(ring);
}

static void case_chain_refusals(struct test *t)
{
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC, first, plain, periodic;
	struct hft_task task = make_after(t->ring, 1, 0);
	int i;

	plain = submit_at(t, t->ring, 2, later);
	task.release = later;
	first = submit(t, &task);
	task.flags = HFT_TASK_PERIODIC;
	task.period = NSEC_PER_SEC;
	periodic = submit(t, &task);

	task = make_after(t->ring, 3, plain);
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	task.after = periodic;
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	task.after = first;
	task.flags = HFT_TASK_PERIODIC;
	task.period = NSEC_PER_SEC;
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	task.flags = 0;
	task.after = 1;
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	task.after = UINT64_MAX;
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	task.after = first + (1ULL << 32);
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));

	for (i = 0; i < 4; i++)
		submit_after(t, t->ring, 4, first);
	task.after = first;
	EQUAL(-EMLINK, hft_submit(t->h, &task, NULL));
	EQUAL(TASKS - 7, stats_of(t, HFT_STATS_CONTEXT).tasks_free);

	EQUAL(0, hft_cancel(t->h, first));
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	for (i = 0; i < 4; i++)
		take_result(t, t->ring, 4, -ECANCELED);
	EQUAL(0, hft_cancel(t->h, plain));
	EQUAL(0, hft_cancel(t->h, periodic));
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* What does not run takes all with it that was to follow. */
static void case_chain_is_cut(struct test *t)
{
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC, first, second;
	struct hft_task task = make_after(t->ring, 1, 0);

	task.release = later;
	first = submit(t, &task);
	second = submit_after(t, t->ring, 2, first);
	submit_after(t, t->ring, 3, second);
	EQUAL(0, hft_cancel(t->h, first));
	take_result(t, t->ring, 2, -ECANCELED);
	take_result(t, t->ring, 3, -ECANCELED);
	expect_empty(t, t->ring);

	/* One that waits itself. */
	first = submit(t, &task);
	second = submit_after(t, t->ring, 2, first);
	submit_after(t, t->ring, 3, second);
	EQUAL(0, hft_cancel(t->h, second));
	take_result(t, t->ring, 3, -ECANCELED);
	EQUAL(HFT_STATE_PENDING, state_of(t, first).state);
	EQUAL(0, hft_cancel(t->h, first));
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* Each of several may be taken out, and the others are released in their order. */
static void case_chain_of_several(struct test *t)
{
	uint64_t first, ids[4];
	int out, i;

	for (out = 0; out < 4; out++) {
		first = submit_after(t, t->ring, 9, 0);
		for (i = 0; i < 4; i++)
			ids[i] = submit_after(t, t->ring, (uint64_t)i, first);
		EQUAL(0, hft_cancel(t->h, ids[out]));
		take(t, t->ring, 9);
		for (i = 0; i < 4; i++) {
			if (i != out)
				take_result(t, t->ring, (uint64_t)i, 0);
		}
		expect_empty(t, t->ring);
	}
	/* The last one taken out: nothing is to be pulled any more. */
	first = submit_after(t, t->ring, 9, 0);
	ids[0] = submit_after(t, t->ring, 0, first);
	EQUAL(0, hft_cancel(t->h, ids[0]));
	take(t, t->ring, 9);
	expect_empty(t, t->ring);
	CHECK(!hft_ring_arm(t->ring));
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* No earlier than its own release; of another ring, by the policy of that. */
static void case_chain_to_another_ring(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 1, HFT_POLICY_EDF);
	uint64_t release = now(t) + 20 * NSEC_PER_MSEC;
	uint64_t first = submit_after(t, t->ring, 1, 0);
	struct hft_task task = make_after(ring, 2, first);
	struct hft_event event;

	task.release = release;
	task.deadline = release + NSEC_PER_SEC;
	submit(t, &task);
	take(t, t->ring, 1);
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
	event = take(t, ring, 2);
	EQUAL(release, event.release);
	EQUAL(task.deadline, event.deadline);
	CHECK(event.irq_entry >= release);

	/* The ring of what it waits for is closed. */
	first = submit_after(t, ring, 3, 0);
	submit_after(t, t->ring, 4, first);
	submit_after(t, ring, 5, first);
	hft_ring_close(ring);
	take_result(t, t->ring, 4, -ECANCELED);
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

static void case_chain_after_failure(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 4, HFT_POLICY_FIFO, 0);
	uint64_t first = submit_after(t, ring, 1, 0);

	submit_after(t, ring, 2, first);
	run(t, ring, 1, 0, -EIO);
	take_result(t, ring, 2, -ECANCELED);
	first = submit_after(t, ring, 1, 0);
	submit_after(t, ring, 2, first);
	run(t, ring, 1, 0, 0);
	take_result(t, ring, 2, 0);
	expect_empty(t, ring);
	hft_ring_close(ring);
}

static void case_chain_and_halt(struct test *t)
{
	uint64_t first = submit_after(t, t->ring, 1, 0);

	submit_after(t, t->ring, 2, first);
	EQUAL(0, hft_halt(t->h, HFT_HALT_CANCEL, 0, NULL));
	EQUAL(0, hft_resume(t->h, 0));
	take(t, t->ring, 1);
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

/* A ring on another CPU than that of t->ring, or NULL on a machine that has but one. */
static struct hft_ring *open_remote(struct test *t, uint32_t entries, uint32_t window)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = 1, .entries = entries, .window = window);
	struct hft_ring *ring = NULL;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		puts("# one CPU: nothing to hop to");
		return NULL;
	}
	if (!EQUAL(0, hft_ring_open(t->h, &opts, &ring)))
		exit(1);
	return ring;
}

/* There and back, twice; each hop has the worker of the one before pull. */
static void case_chain_hops(struct test *t)
{
	struct hft_ring *rings[2] = { t->ring, open_remote(t, 4, 1) };
	uint64_t ids[5] = { 0 };
	int i;

	if (!rings[1])
		return;
	for (i = 1; i < 5; i++)
		ids[i] = submit_after(t, rings[i % 2], (uint64_t)i, ids[i - 1]);
	for (i = 2; i < 5; i++)
		EQUAL(HFT_STATE_BLOCKED, state_of(t, ids[i]).state);
	EQUAL(hft_ring_number(rings[1]), state_of(t, ids[3]).ring);
	EQUAL(3, stats_of(t, HFT_STATS_CONTEXT).waiting);
	EQUAL(1, stats_of(t, hft_ring_number(rings[1])).waiting);
	EQUAL(2, stats_of(t, hft_ring_number(t->ring)).waiting);

	for (i = 1; i < 5; i++) {
		take_result(t, rings[i % 2], (uint64_t)i, 0);
		CHECK(!hft_ring_peek(rings[0]));
		EQUAL(-ETIMEDOUT, hft_wait(rings[i % 2], 0));
	}
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	EQUAL(0, stats_of(t, HFT_STATS_CONTEXT).waiting);
	hft_ring_close(rings[1]);
}

/* Many at a time keep the order of those that they waited for. */
static void case_chain_hops_in_order(struct test *t)
{
	struct hft_ring *remote = open_remote(t, 64, 64);
	uint64_t first[12], i;

	if (!remote)
		return;
	for (i = 0; i < 12; i++)
		first[i] = submit_after(t, t->ring, i, 0);
	for (i = 0; i < 48; i++)
		submit_after(t, remote, i, first[i / 4]);
	for (i = 0; i < 12; i++)
		take(t, t->ring, i);
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
	for (i = 0; i < 48; i++)
		take_result(t, remote, i, 0);
	expect_empty(t, remote);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(remote);
}

static void case_chain_hops_refused(struct test *t)
{
	struct hft_ring *remote = open_remote(t, 4, 4);
	uint64_t later = now(t) + 1000 * NSEC_PER_SEC, first, plain;
	struct hft_task task = make_after(t->ring, 1, 0);
	struct hft_stats before, after;
	int i;

	if (!remote)
		return;
	plain = submit_at(t, t->ring, 2, later);
	task.release = later;
	first = submit(t, &task);
	for (i = 0; i < 4; i++)
		submit_after(t, remote, (uint64_t)i, first);

	before = stats_of(t, hft_ring_number(remote));
	task = make_after(remote, 9, plain);
	EQUAL(-EINVAL, hft_submit(t->h, &task, NULL));
	task.after = first;
	EQUAL(-EMLINK, hft_submit(t->h, &task, NULL));
	task.after = first + (1ULL << 32);
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	after = stats_of(t, hft_ring_number(remote));
	EQUAL(before.submitted, after.submitted);
	EQUAL(before.cancelled, after.cancelled);
	EQUAL(before.waiting, after.waiting);
	EQUAL(TASKS - 6, stats_of(t, HFT_STATS_CONTEXT).tasks_free);

	/* The first is consumed, and nobody has looked since. */
	EQUAL(0, hft_cancel(t->h, plain));
	EQUAL(0, hft_cancel(t->h, first));
	for (i = 0; i < 4; i++)
		take_result(t, remote, (uint64_t)i, -ECANCELED);
	first = submit_after(t, t->ring, 3, 0);
	take(t, t->ring, 3);
	task.after = first;
	EQUAL(-ENOENT, hft_submit(t->h, &task, NULL));
	expect_empty(t, remote);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(remote);
}

/* Cancelled while it waits, with one that is to follow it; and the one before it. */
static void case_chain_hops_cancelled(struct test *t)
{
	struct hft_ring *remote = open_remote(t, 8, 8);
	uint64_t first, second, third;
	struct hft_modify change = { .fields = HFT_MODIFY_LEVEL, .level = HFT_LEVEL_HIGH };
	struct hft_event event;

	if (!remote)
		return;
	first = submit_after(t, t->ring, 1, 0);
	second = submit_after(t, remote, 2, first);
	third = submit_after(t, t->ring, 3, second);
	submit_after(t, remote, 4, first);
	EQUAL(0, hft_cancel(t->h, second));
	EQUAL(-ENOENT, hft_cancel(t->h, second));
	EQUAL(HFT_STATE_CANCELLED, state_of(t, second).state);
	EQUAL(TASKS - 3, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	EQUAL(1, stats_of(t, hft_ring_number(remote)).cancelled);
	take(t, t->ring, 1);
	take_result(t, t->ring, 3, -ECANCELED);
	expect_empty(t, t->ring);
	take_result(t, remote, 4, 0);
	expect_empty(t, remote);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);

	/* Changed while it waits; cancelled from the front. */
	first = submit_after(t, t->ring, 1, 0);
	second = submit_after(t, remote, 2, first);
	change.task = second;
	EQUAL(0, hft_modify(t->h, &change));
	take(t, t->ring, 1);
	EQUAL(-ETIMEDOUT, hft_wait(t->ring, 0));
	event = take(t, remote, 2);
	EQUAL(HFT_LEVEL_HIGH, event.level);
	change.task = third;
	EQUAL(-ENOENT, hft_modify(t->h, &change));
	hft_ring_close(remote);
}

static void case_chain_hops_fail(struct test *t)
{
	struct hft_ring *reporting = open_reporting(t, 4, HFT_POLICY_FIFO, 0);
	struct hft_ring *remote = open_remote(t, 4, 4);
	uint64_t first;

	if (remote) {
		first = submit_after(t, reporting, 1, 0);
		first = submit_after(t, remote, 2, first);
		submit_after(t, reporting, 3, first);
		run(t, reporting, 1, 0, -EIO);
		EQUAL(-ETIMEDOUT, hft_wait(reporting, 0));
		take_result(t, remote, 2, -ECANCELED);
		EQUAL(-ETIMEDOUT, hft_wait(remote, 0));
		take_result(t, reporting, 3, -ECANCELED);
		expect_empty(t, reporting);
		EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
		hft_ring_close(remote);
	}
	hft_ring_close(reporting);
}

/* The ring of either end is closed. */
static void case_chain_hops_and_closed_rings(struct test *t)
{
	struct hft_ring *remote = open_remote(t, 8, 8);
	uint64_t first, second;

	if (!remote)
		return;
	first = submit_after(t, t->ring, 1, 0);
	second = submit_after(t, remote, 2, first);
	submit_after(t, t->ring, 3, second);
	submit_after(t, remote, 4, first);
	hft_ring_close(remote);
	take_result(t, t->ring, 1, 0);
	take_result(t, t->ring, 3, -ECANCELED);
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);

	remote = open_remote(t, 8, 8);
	first = submit_after(t, remote, 1, 0);
	submit_after(t, t->ring, 2, first);
	submit_after(t, remote, 3, first);
	submit_after(t, t->ring, 4, first);
	hft_ring_close(remote);
	take_result(t, t->ring, 2, -ECANCELED);
	take_result(t, t->ring, 4, -ECANCELED);
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
}

static void case_chain_hops_and_halt(struct test *t)
{
	struct hft_ring *remote = open_remote(t, 8, 8);
	uint64_t first, second;

	if (!remote)
		return;
	first = submit_after(t, t->ring, 1, 0);
	second = submit_after(t, remote, 2, first);
	submit_after(t, t->ring, 3, second);
	EQUAL(0, hft_halt(t->h, HFT_HALT_ALL, 0, NULL));
	take(t, t->ring, 1);
	expect_empty(t, t->ring);
	expect_empty(t, remote);
	EQUAL(0, hft_resume(t->h, 0));
	take_result(t, remote, 2, 0);
	EQUAL(-ETIMEDOUT, hft_wait(remote, 0));
	take_result(t, t->ring, 3, 0);

	first = submit_after(t, remote, 1, 0);
	second = submit_after(t, t->ring, 2, first);
	submit_after(t, remote, 3, second);
	submit_after(t, remote, 4, first);
	EQUAL(0, hft_halt(t->h, HFT_HALT_CANCEL, 0, NULL));
	EQUAL(0, hft_resume(t->h, 0));
	take(t, remote, 1);
	expect_empty(t, remote);
	expect_empty(t, t->ring);
	EQUAL(TASKS, stats_of(t, HFT_STATS_CONTEXT).tasks_free);
	hft_ring_close(remote);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_CHAIN_H */
