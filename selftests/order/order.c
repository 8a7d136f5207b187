// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of the tasks of a ring.  The ring is kept full until all of them are released,
 * so that the whole order is the policy's and no timing is in it.
 */
#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	300

FIXTURE(order) {
	int context;
	struct hft_test_ring ring;
	uint64_t random;
	struct hft_task tasks[TASKS];
	int expected[TASKS];
};

FIXTURE_VARIANT(order) {
	uint32_t policy;
	uint32_t window;
	bool levels;		/* random levels, else all the same */
	bool deadlines;		/* random deadlines with many ties, some tasks without */
	bool clocks;		/* on random clocks */
	bool parameters;	/* random periods and WCETs, some tasks without */
};

FIXTURE_VARIANT_ADD(order, fifo_window_1) {
	.policy = HFT_POLICY_FIFO, .window = 1,
};

FIXTURE_VARIANT_ADD(order, fifo_ignores_deadlines) {
	.policy = HFT_POLICY_FIFO, .window = 1, .deadlines = true,
};

FIXTURE_VARIANT_ADD(order, fifo_levels_window_8) {
	.policy = HFT_POLICY_FIFO, .window = 8, .levels = true,
};

FIXTURE_VARIANT_ADD(order, edf_ties_only) {
	.policy = HFT_POLICY_EDF, .window = 1,
};

FIXTURE_VARIANT_ADD(order, edf_window_1) {
	.policy = HFT_POLICY_EDF, .window = 1, .deadlines = true,
};

FIXTURE_VARIANT_ADD(order, edf_levels_window_1) {
	.policy = HFT_POLICY_EDF, .window = 1, .deadlines = true, .levels = true,
};

FIXTURE_VARIANT_ADD(order, edf_levels_window_16) {
	.policy = HFT_POLICY_EDF, .window = 16, .deadlines = true, .levels = true,
};

FIXTURE_VARIANT_ADD(order, edf_clocks_levels_window_1) {
	.policy = HFT_POLICY_EDF, .window = 1, .deadlines = true, .levels = true, .clocks = true,
};

FIXTURE_VARIANT_ADD(order, fp_ignores_all_but_levels) {
	.policy = HFT_POLICY_FP, .window = 1, .deadlines = true, .levels = true, .parameters = true,
};

FIXTURE_VARIANT_ADD(order, rm_periods) {
	.policy = HFT_POLICY_RM, .window = 1, .parameters = true,
};

FIXTURE_VARIANT_ADD(order, rm_of_plain_tasks) {
	.policy = HFT_POLICY_RM, .window = 1, .deadlines = true,
};

FIXTURE_VARIANT_ADD(order, rm_deadlines_levels_window_8) {
	.policy = HFT_POLICY_RM, .window = 8, .deadlines = true, .levels = true, .parameters = true,
};

FIXTURE_VARIANT_ADD(order, llf_window_1) {
	.policy = HFT_POLICY_LLF, .window = 1, .deadlines = true, .parameters = true,
};

FIXTURE_VARIANT_ADD(order, llf_clocks_levels_window_16) {
	.policy = HFT_POLICY_LLF, .window = 16, .deadlines = true, .levels = true, .clocks = true,
	.parameters = true,
};

FIXTURE_SETUP(order)
{
	self->random = 0x68667431;
	self->context = hft_test_context(TASKS + 64);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, variant->window, variant->policy,
				       &self->ring));
}

FIXTURE_TEARDOWN(order)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static const clockid_t clock_ids[HFT_CLOCKS] = {
	[HFT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
	[HFT_CLOCK_REALTIME] = CLOCK_REALTIME,
	[HFT_CLOCK_TAI] = CLOCK_TAI,
};

/*
 * Deadlines are steps of 10 s from BASE, and 1 s apart from clock to clock: there are many
 * ties on a clock, and between two clocks a difference that reading them can not blur.
 */
#define BASE	(1000 * NSEC_PER_SEC)
#define STEP	(10 * NSEC_PER_SEC)

/* The smallest goes first within a level; what is equal keeps its order. */
static uint64_t rank_of(uint32_t policy, const struct hft_task *task, const uint64_t *now)
{
	uint64_t window = task->deadline ? task->deadline - task->release : UINT64_MAX;

	switch (policy) {
	case HFT_POLICY_EDF:
		return task->deadline ? task->deadline - now[task->clock] : UINT64_MAX;
	case HFT_POLICY_LLF:
		return task->deadline ? task->deadline - now[task->clock] - task->wcet : UINT64_MAX;
	case HFT_POLICY_RM:
		return task->period && task->period < window ? task->period : window;
	default:
		return 0;
	}
}

/* Whether @a goes before @b, which was submitted later. */
static bool goes_first(const struct hft_task *a, uint64_t rank_a, const struct hft_task *b,
		       uint64_t rank_b)
{
	if (a->level != b->level)
		return a->level > b->level;
	return rank_a <= rank_b;
}

/* Insertion sort, stable: what the documentation says, in the plainest way. */
static void sort(uint32_t policy, const struct hft_task *tasks, const uint64_t *now, int *order)
{
	uint64_t rank[TASKS];
	int i, j;

	for (i = 0; i < TASKS; i++) {
		rank[i] = rank_of(policy, &tasks[i], now);
		for (j = i; j > 0; j--) {
			int before = order[j - 1];

			if (goes_first(&tasks[before], rank[before], &tasks[i], rank[i]))
				break;
			order[j] = before;
		}
		order[j] = i;
	}
}

static uint64_t pick(uint64_t *random, uint64_t n)
{
	return hft_test_random(random) % n;
}

/* Fill the ring, so that what comes later is ready all at a time. */
static int fill(int context, struct hft_test_ring *ring, uint32_t window)
{
	uint32_t i;
	int err;

	for (i = 0; i < window; i++) {
		struct hft_task task = hft_test_task(ring->add.ring, TASKS + i, 0);

		err = hft_test_submit(context, &task, NULL);
		if (err)
			return err;
	}
	return hft_test_pending(ring) == window ? 0 : -EPROTO;
}

TEST_F(order, of_ready_tasks_is_the_policys)
{
	uint64_t now[HFT_CLOCKS];
	struct hft_event event;
	uint32_t seen = 0;
	int i;

	for (i = 0; i < HFT_CLOCKS; i++)
		now[i] = hft_test_now_on(clock_ids[i]);
	ASSERT_EQ(0, fill(self->context, &self->ring, variant->window));

	for (i = 0; i < TASKS; i++) {
		struct hft_task *task = &self->tasks[i];

		*task = hft_test_task(self->ring.add.ring, i, 0);
		if (variant->levels)
			task->level = pick(&self->random, HFT_LEVELS);
		if (variant->clocks)
			task->clock = pick(&self->random, HFT_CLOCKS);
		/* Some are due at once, some by the timer. */
		task->release = now[task->clock] + pick(&self->random, 3) * 20 * NSEC_PER_MSEC;
		if (variant->deadlines && pick(&self->random, 10))
			task->deadline = now[task->clock] + BASE + pick(&self->random, 30) * STEP +
					 task->clock * NSEC_PER_SEC;
		if (variant->parameters && pick(&self->random, 10))
			task->period = (1 + pick(&self->random, 30)) * STEP;
		if (variant->parameters && pick(&self->random, 10))
			task->wcet = pick(&self->random, 20) * STEP;
		ASSERT_EQ(0, hft_test_submit(self->context, task, NULL));
	}
	ASSERT_EQ(0, hft_test_await_ready(self->context, self->ring.add.ring, TASKS));
	ASSERT_EQ(HFT_RING_MORE, hft_test_flags(&self->ring));
	sort(variant->policy, self->tasks, now, self->expected);

	while (seen < variant->window + TASKS) {
		int events = hft_test_wait(&self->ring, 10 * NSEC_PER_SEC);
		int n;

		ASSERT_LT(0, events);
		ASSERT_GE(variant->window, events);
		n = 1 + pick(&self->random, events);
		for (; n > 0; n--, seen++) {
			int expected = seen < variant->window ? (int)(TASKS + seen) :
				       self->expected[seen - variant->window];

			ASSERT_TRUE(hft_test_next(&self->ring, &event));
			ASSERT_EQ(seen, event.sequence);
			ASSERT_EQ(0, event.result);
			ASSERT_EQ(HFT_EVENT_TASK, event.type);
			ASSERT_EQ(expected, (int)event.cookie) {
				TH_LOG("place %u", seen);
			}
		}
	}
	ASSERT_EQ(0, hft_test_flags(&self->ring) & HFT_RING_MORE);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
}

/*
 * With the same time from release to deadline for all, EDF's order is that of the releases,
 * in whatever order the tasks come and however late the timer and the worker are.
 */
TEST(edf_with_equal_slack_is_release_order)
{
	int context = hft_test_context(TASKS);
	uint64_t base, random = 0x68667432, last = 0;
	struct hft_test_ring ring;
	struct hft_event event;
	int i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 64, 1, HFT_POLICY_EDF, &ring));
	base = hft_test_now() + 200 * NSEC_PER_MSEC;
	for (i = 0; i < TASKS; i++) {
		uint64_t release = base + pick(&random, 50 * NSEC_PER_MSEC);
		struct hft_task task = hft_test_task(0, i, release);

		task.deadline = task.release + NSEC_PER_SEC;
		ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
	}
	for (i = 0; i < TASKS; i++) {
		ASSERT_EQ(0, hft_test_take(&ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_LE(last, event.release);
		ASSERT_EQ(event.release + NSEC_PER_SEC, event.deadline);
		last = event.release;
	}
	hft_test_ring_close(&ring);
	close(context);
}

/* A wall clock's deadline may be before this boot: that is early, and not none. */
TEST(deadline_before_this_boot_is_the_earliest)
{
	static const uint64_t expected[] = { 0, 2, 1, 3 };
	int context = hft_test_context(8), i;
	struct hft_task tasks[4];
	struct hft_test_ring ring;
	struct hft_event event;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_EDF, &ring));
	for (i = 0; i < 4; i++)
		tasks[i] = hft_test_task(0, i, 0);
	tasks[1].deadline = 1000;
	tasks[2].deadline = 2;
	tasks[2].clock = HFT_CLOCK_REALTIME;
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, hft_test_submit(context, &tasks[i], NULL));

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, hft_test_take(&ring, &event, NSEC_PER_SEC));
		ASSERT_EQ(expected[i], event.cookie);
		ASSERT_EQ(!tasks[event.cookie].deadline, !event.deadline);
	}
	hft_test_ring_close(&ring);
	close(context);
}

/* A level that comes late overtakes what is ready, and nothing that is in the ring. */
TEST(late_urgent_task_overtakes_ready_ones)
{
	int context = hft_test_context(8), i;
	static const uint64_t expected[] = { 0, 9, 1, 2 };
	struct hft_test_ring ring;
	struct hft_event event;
	struct hft_task task;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < 3; i++) {
		task = hft_test_task(0, i, 0);
		ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
	}
	task = hft_test_task(0, 9, 0);
	task.level = HFT_LEVEL_REALTIME;
	ASSERT_EQ(0, hft_test_submit(context, &task, NULL));

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, hft_test_take(&ring, &event, NSEC_PER_SEC));
		ASSERT_EQ(expected[i], event.cookie);
	}
	hft_test_ring_close(&ring);
	close(context);
}

/* The rings of a CPU do not wait for each other. */
TEST(full_ring_does_not_hold_up_its_neighbour)
{
	int context = hft_test_context(64), i;
	struct hft_test_ring full, free;
	struct hft_event event;
	struct hft_task task;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_FIFO, &full));
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 16, 16, HFT_POLICY_FIFO, &free));
	for (i = 0; i < 10; i++) {
		task = hft_test_task(full.add.ring, i, 0);
		ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		task = hft_test_task(free.add.ring, i, hft_test_now() + NSEC_PER_MSEC);
		ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
	}
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, hft_test_take(&free, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
	}
	ASSERT_EQ(1, hft_test_pending(&full));
	hft_test_ring_close(&full);
	hft_test_ring_close(&free);
	close(context);
}

/*
 * Tasks that come from another CPU while the timer is at those of a burst, more than it takes
 * at a time: they are due as they come, and must not overtake the burst.
 */
TEST(burst_is_not_overtaken)
{
	int cpus = hft_test_cpus(), rounds = hft_test_scaled(30), round, i;
	int context = hft_test_context(2 * TASKS);
	struct hft_test_ring ring;
	struct hft_event event;
	struct hft_task task;
	uint64_t release;

	if (cpus < 2)
		SKIP(return, "it takes two CPUs");
	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, hft_test_ring_add(context, 1, 1024, 1024, HFT_POLICY_FIFO, &ring));
	for (round = 0; round < rounds; round++) {
		release = hft_test_now() + 20 * NSEC_PER_MSEC;
		for (i = 0; i < TASKS; i++) {
			task = hft_test_task(0, i, release);
			ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		}
		while (hft_test_now() < release)
			;
		for (; i < 2 * TASKS; i++) {
			task = hft_test_task(0, i, hft_test_now());
			ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		}
		for (i = 0; i < 2 * TASKS; i++) {
			ASSERT_EQ(0, hft_test_take(&ring, &event, 10 * NSEC_PER_SEC));
			ASSERT_EQ(i, (int)event.cookie) {
				TH_LOG("round %d", round);
			}
		}
	}
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
