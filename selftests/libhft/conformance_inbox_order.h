/* SPDX-License-Identifier: GPL-2.0-only */
/* The inbox and the policies. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_INBOX_ORDER_H
#define SELFTESTS_LIBHFT_CONFORMANCE_INBOX_ORDER_H

#include "conformance_inbox.h"

/* As check_order(): what lies between two calls is nothing beside a second. */
static void submit_mixed_now(struct test *t, struct hft_ring *ring, size_t from, size_t to)
{
	for (; from < to; from++) {
		struct hft_task task = mixed[from];

		task.deadline *= NSEC_PER_SEC;
		task.period *= NSEC_PER_SEC;
		task.wcet *= NSEC_PER_SEC;
		/* They are held apart from the others. */
		task.flags = from % 3 ? 0 : HFT_TASK_REDUCE;
		EQUAL(0, hft_submit_now(ring, &task));
	}
}

static void take_order(struct test *t, struct hft_ring *ring, const struct order *order)
{
	size_t i;

	EQUAL(MIXED, hft_wait(ring, 0));
	for (i = 0; i < MIXED; i++)
		take(t, ring, (uint64_t)order->cookies[i]);
	expect_empty(t, ring);
}

static void case_inbox_order(struct test *t)
{
	size_t i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct hft_ring *ring = open_ring(t, 4, 1, orders[i].policy);

		submit_mixed_now(t, ring, 0, MIXED);
		take_order(t, ring, &orders[i]);
		hft_ring_close(ring);
	}
}

/* Whatever the policy was when tasks were submitted, and when the worker took them over. */
static void case_inbox_policy(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 4, 1, HFT_POLICY_FIFO);
	size_t nr = sizeof(orders) / sizeof(orders[0]), i;

	for (i = 0; i < nr * nr; i++) {
		EQUAL(0, hft_ring_set_policy(ring, orders[i / nr].policy));
		submit_mixed_now(t, ring, 0, MIXED / 2);
		EQUAL(MIXED / 2, hft_wait(ring, 0));
		submit_mixed_now(t, ring, MIXED / 2, MIXED);
		EQUAL(0, hft_ring_set_policy(ring, orders[i % nr].policy));
		take_order(t, ring, &orders[i % nr]);
	}
	hft_ring_close(ring);
}

/*
 * An event of the ring tells its level, release and deadline, so that by RM its window is
 * up to its deadline, and by LLF its laxity without its WCET.
 */
static void case_inbox_and_ring_by_policy(struct test *t)
{
	static const struct {
		uint32_t policy;
		struct hft_task event, task;	/* times in s, from now on */
		bool task_first;
	} rows[] = {
		{ HFT_POLICY_EDF, { .deadline = 50 }, { .deadline = 40 }, true },
		{ HFT_POLICY_EDF, { .deadline = 50 }, { .deadline = 60 }, false },
		{ HFT_POLICY_EDF, { .deadline = 50 }, { 0 }, false },
		{ HFT_POLICY_RM, { .period = 1 }, { .period = 10 }, true },
		{ HFT_POLICY_RM, { .deadline = 5, .period = 1 }, { .period = 4 }, true },
		{ HFT_POLICY_RM, { .deadline = 5, .period = 1 }, { .period = 6 }, false },
		{ HFT_POLICY_RM, { .deadline = 5 }, { .deadline = 4, .period = 6 }, true },
		{ HFT_POLICY_LLF, { .deadline = 50, .wcet = 49 }, { .deadline = 40 }, true },
		{ HFT_POLICY_LLF, { .deadline = 50 }, { .deadline = 60, .wcet = 20 }, true },
		{ HFT_POLICY_LLF, { .deadline = 50 }, { .deadline = 60, .wcet = 5 }, false },
		{ HFT_POLICY_FIFO, { .deadline = 50 }, { .deadline = 40 }, false },
		{ HFT_POLICY_FP, { .level = HFT_LEVEL_LOW }, { .level = HFT_LEVEL_HIGH }, true },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hft_ring *ring = open_ring(t, 4, 1, rows[i].policy);
		struct hft_task event = rows[i].event, task = rows[i].task;

		event.ring = hft_ring_number(ring);
		event.release = now(t);
		event.cookie = 1;
		event.deadline = event.deadline ? event.release + event.deadline * NSEC_PER_SEC : 0;
		event.period *= NSEC_PER_SEC;
		event.wcet *= NSEC_PER_SEC;
		submit(t, &event);
		EQUAL(1, hft_wait(ring, HFT_WAIT_FOREVER));
		let_time_pass();
		task.cookie = 2;
		task.deadline *= NSEC_PER_SEC;
		task.period *= NSEC_PER_SEC;
		task.wcet *= NSEC_PER_SEC;
		EQUAL(0, hft_submit_now(ring, &task));
		take(t, ring, rows[i].task_first ? 2 : 1);
		take(t, ring, rows[i].task_first ? 1 : 2);
		expect_empty(t, ring);
		hft_ring_close(ring);
	}
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_INBOX_ORDER_H */
