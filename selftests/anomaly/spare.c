// SPDX-License-Identifier: GPL-2.0-only
/* Rules that need something of other rings, or of the CPU: a spare ring, a budget. */
#include "ruled.h"

#define SOME	8

/* By one command, which takes the lock of a queue once for those that stay there. */
static int submit_some(int context, const struct hft_task *task)
{
	struct hft_task tasks[SOME];
	struct hft_submit_batch batch = {
		.tasks = (uintptr_t)tasks, .nr = SOME, .task_size = sizeof(*task),
	};
	int64_t results[SOME];
	int i, ret;

	batch.results = (uintptr_t)results;
	for (i = 0; i < SOME; i++) {
		tasks[i] = *task;
		tasks[i].cookie = i;
	}
	ret = hft_test_ioctl(context, HFT_IOC_SUBMIT_BATCH, &batch);
	return ret == SOME ? 0 : ret < 0 ? ret : -EIO;
}

static int take_some(struct hft_test_ring *ring, uint32_t level)
{
	struct hft_event event;
	int i, err;

	for (i = 0; i < SOME; i++) {
		err = hft_test_take(ring, &event, 10 * NSEC_PER_SEC);
		if (err)
			return err;
		if (event.cookie != (uint64_t)i || event.level != level || event.result)
			return -EILSEQ;
	}
	return 0;
}

/* New tasks go to the spare CPU, but hard ones stay, and there are none below those there. */
TEST_F(rule, spare)
{
	const char *online = "/sys/devices/system/cpu/cpu1/online";
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_task task, hard;
	struct hft_event event;
	struct hft_rule rule;
	struct ruled spare, here;
	int i;

	if (hft_test_cpus() < 2)
		SKIP(return, "there is no other CPU");
	ASSERT_EQ(0, make_ruled(self->context, 1, &spare));
	add.entries = ENTRIES;
	add.window = ENTRIES;
	add.flags = HFT_RING_REPORT | HFT_RING_FALLBACK;
	add.fallback = spare.ring.add.ring;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &here.ring));
	here.reports = (void *)((char *)here.ring.consumer + HFT_TEST_PAGE);

	rule = make_rule(&self->ruled, 0, HFT_ACTION_SPARE);
	ASSERT_EQ(-ENODEV, set_rule(self->context, &rule));
	rule = make_rule(&here, 0, HFT_ACTION_SPARE);
	rule.level = HFT_LEVEL_LOW;
	rule.flags = HFT_RULE_LATCH;
	hard = make_task(&spare);
	hard.release = hft_test_now() + 100 * NSEC_PER_SEC;
	hard.deadline = hard.release + 1;
	hard.flags = HFT_TASK_WATCH;
	hard.level = HFT_LEVEL_LOW;
	ASSERT_EQ(0, hft_test_submit(self->context, &hard, (int64_t *)&hard.cookie));
	ASSERT_EQ(-EBUSY, set_rule(self->context, &rule));
	ASSERT_EQ(0, hft_test_cancel(self->context, hard.cookie));
	ASSERT_EQ(0, set_rule(self->context, &rule));
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &hard, NULL));
	hard.level = HFT_LEVEL_NORMAL;
	ASSERT_EQ(0, hft_test_submit(self->context, &hard, (int64_t *)&hard.cookie));

	ASSERT_EQ(0, learn(self->context, &here));
	ASSERT_EQ(0, run_task(self->context, &here, SPIKE_NS, USUAL_NS));
	ASSERT_EQ(1, (int)rule_info(self->context, &rule).in_force);
	task = make_task(&here);
	task.cookie = 77;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&spare.ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(77, (int)event.cookie);
	ASSERT_EQ(HFT_LEVEL_LOW, event.level);
	task.flags = HFT_TASK_WATCH;
	task.deadline = hft_test_now() + 100 * NSEC_PER_SEC;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&here.ring, &event, 10 * NSEC_PER_SEC));
	ASSERT_EQ(77, (int)event.cookie);
	ASSERT_EQ(0, hft_test_cancel(self->context, hard.cookie));
	/* When the spare ring's CPU is gone, or that ring, it takes them itself, as they are. */
	task.flags = 0;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, hft_test_write_file(online, "0"));
		ASSERT_EQ(0, submit_some(self->context, &task));
		ASSERT_EQ(0, take_some(&here.ring, HFT_LEVEL_NORMAL));
		ASSERT_EQ(0, hft_test_write_file(online, "1"));
		/* And when it is back that has them again. */
		ASSERT_EQ(0, submit_some(self->context, &task));
		ASSERT_EQ(0, take_some(&spare.ring, HFT_LEVEL_LOW));
		ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&here.ring, 0));
	}
	ASSERT_EQ(1, (int)rule_info(self->context, &rule).applied);
	hft_test_ring_close(&spare.ring);
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&here.ring, &event, 10 * NSEC_PER_SEC));
	hft_test_ring_close(&here.ring);
}

/* What a rule may cost is admitted in the place of what the one before it may. */
TEST_F(rule, a_budget_is_counted_once)
{
	struct hft_rule rule = make_rule(&self->ruled, 0, HFT_ACTION_LEAD);
	struct hft_rule other;
	uint32_t i;

	rule.budget_ppm = 600000;
	rule.amount = 1000;
	rule.most = 100000;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, set_rule(self->context, &rule));
	other = rule;
	other.number = 1;
	EXPECT_EQ(-EBUSY, set_rule(self->context, &other));
	rule.budget_ppm = 700000;
	ASSERT_EQ(0, set_rule(self->context, &rule));
	rule.budget_ppm = 1000000;
	EXPECT_EQ(-EBUSY, set_rule(self->context, &rule));
	/* That is as it was: there is room for 200000, and for as much again there is not. */
	other.budget_ppm = 200000;
	EXPECT_EQ(0, set_rule(self->context, &other));
	other.number = 2;
	EXPECT_EQ(-EBUSY, set_rule(self->context, &other));
	rule.action = HFT_ACTION_NONE;
	EXPECT_EQ(0, set_rule(self->context, &rule));
	EXPECT_EQ(0, set_rule(self->context, &other));
}

TEST_HARNESS_MAIN
