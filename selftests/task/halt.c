// SPDX-License-Identifier: GPL-2.0-only
/* The kill switch: when it returns, nothing that it does not allow is dispatched. */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	1024
#define MS	NSEC_PER_MSEC

FIXTURE(halt) {
	int context;
	struct hft_test_ring rings[4];
};

FIXTURE_SETUP(halt)
{
	int i;

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, hft_test_ring_add(self->context, i % hft_test_cpus(), 1024, 1024,
					       HFT_POLICY_FIFO, &self->rings[i]));
}

FIXTURE_TEARDOWN(halt)
{
	int i;

	for (i = 0; i < 4; i++)
		hft_test_ring_close(&self->rings[i]);
	close(self->context);
}

static int halt(int context, uint32_t mode, uint32_t flags, struct hft_halt *answer)
{
	struct hft_halt request = { .mode = mode, .flags = flags };
	int err = hft_test_ioctl(context, HFT_IOC_HALT, &request);

	if (answer)
		*answer = request;
	return err;
}

static uint64_t tails(const struct hft_test_ring *rings)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 4; i++)
		sum += hft_test_tail(&rings[i]);
	return sum;
}

/* Tasks of a trial, 20 us from one to the next */
#define TRIAL_TASKS	8
#define TRIAL_NS	(TRIAL_TASKS * 20000)

/* Nothing is lost by it. */
static int take_all(struct hft_test_ring *rings)
{
	struct hft_event event;
	int i, n, err;

	for (i = 0; i < 4; i++) {
		for (n = i; n < TRIAL_TASKS; n += 4) {
			err = hft_test_take(&rings[i], &event, 10 * NSEC_PER_SEC);
			if (err)
				return err;
			if ((int)event.cookie != n)
				return -EPROTO;
		}
	}
	return 0;
}

/* Tasks that come due all the time on all CPUs, and a halt in the middle of it. */
TEST_F(halt, nothing_after_it_returned)
{
	int trials = hft_test_scaled(hft_test_slow_kernel() ? 500 : 10000), trial, n;
	struct hft_task tasks[TRIAL_TASKS];
	int64_t results[TRIAL_TASKS];
	uint64_t random = 1, at_halt;
	struct hft_halt answer;

	for (trial = 0; trial < trials; trial++) {
		uint64_t now = hft_test_now();

		for (n = 0; n < TRIAL_TASKS; n++)
			tasks[n] = hft_test_task(n % 4, n, now + n * 20000);
		ASSERT_EQ(TRIAL_TASKS, hft_test_submit_batch(self->context, tasks, results,
							     TRIAL_TASKS));
		hft_test_sleep(hft_test_random(&random) % TRIAL_NS);
		ASSERT_EQ(0, halt(self->context, HFT_HALT_ALL, 0, &answer));
		at_halt = tails(self->rings);
		EXPECT_EQ(4, answer.rings);
		hft_test_sleep(TRIAL_NS);
		ASSERT_EQ(at_halt, tails(self->rings));
		ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, 0, NULL));
		ASSERT_EQ(0, take_all(self->rings));
	}
}

/* Those that reduce the risk go on, in their order; later the others, in theirs. */
TEST_F(halt, reduce_only)
{
	uint64_t now = hft_test_now();
	struct hft_halt answer;
	struct hft_event event;
	int i;

	ASSERT_EQ(0, halt(self->context, HFT_HALT_REDUCE, 0, NULL));
	for (i = 0; i < 20; i++) {
		struct hft_task task = hft_test_task(0, i, now + i % 2 * MS);

		task.flags = i % 5 ? 0 : HFT_TASK_REDUCE;
		task.level = i % 3 ? HFT_LEVEL_NORMAL : HFT_LEVEL_HIGH;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, hft_test_take(&self->rings[0], &event, NSEC_PER_SEC));
		EXPECT_EQ(0, event.cookie % 5);
	}
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->rings[0], 5 * MS));
	EXPECT_EQ(0, hft_test_flags(&self->rings[0]) & HFT_RING_MORE);

	ASSERT_EQ(0, halt(self->context, HFT_HALT_ALL, 0, &answer));
	EXPECT_EQ(16, answer.stopped);
	ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, 0, NULL));
	for (i = 0; i < 16; i++) {
		uint8_t last = i ? event.level : HFT_LEVEL_HIGH;

		ASSERT_EQ(0, hft_test_take(&self->rings[0], &event, NSEC_PER_SEC));
		EXPECT_GE(last, event.level);
		EXPECT_NE(0, event.cookie % 5);
	}
	EXPECT_EQ(0, hft_test_pending(&self->rings[0]));
}

TEST_F(halt, cancel_all)
{
	uint64_t now = hft_test_now();
	struct hft_halt answer;
	struct hft_stats stats;
	int i;

	for (i = 0; i < 400; i++) {
		struct hft_task task = hft_test_task(i % 4, i, now + 1000 * NSEC_PER_SEC);

		if (i % 8 == 0)
			task.flags = HFT_TASK_TRACK;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
	ASSERT_EQ(0, halt(self->context, HFT_HALT_CANCEL, 0, &answer));
	EXPECT_EQ(400, answer.stopped);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(TASKS, stats.tasks_free);
	EXPECT_EQ(400, stats.cancelled);
	ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, 0, NULL));
	EXPECT_EQ(0, tails(self->rings));
}

/* Another context's halt is none of ours; one of all is, and for rings to come. */
TEST_F(halt, global)
{
	struct hft_task task = hft_test_task(0, 1, 0);
	int other = hft_test_context(4);
	struct hft_test_ring ring;
	struct hft_event event;

	ASSERT_LT(0, other);
	ASSERT_EQ(0, halt(other, HFT_HALT_ALL, 0, NULL));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_TRUE(hft_test_next(&self->rings[0], &event));

	ASSERT_EQ(0, halt(other, HFT_HALT_ALL, HFT_HALT_GLOBAL, NULL));
	ASSERT_EQ(0, hft_test_ring_add(other, 0, 4, 4, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_submit(other, &task, NULL));
	EXPECT_FALSE(hft_test_next(&self->rings[0], &event));
	/* As strict as the stricter of both. */
	ASSERT_EQ(0, halt(other, HFT_HALT_NONE, 0, NULL));
	EXPECT_EQ(0, hft_test_pending(&ring));
	close(other);
	ASSERT_EQ(0, halt(self->context, HFT_HALT_NONE, HFT_HALT_GLOBAL, NULL));
	EXPECT_TRUE(hft_test_next(&self->rings[0], &event));
	hft_test_ring_close(&ring);
}

TEST_F(halt, refusals)
{
	struct hft_halt request = { .mode = HFT_HALT_CANCEL + 1 };
	int status;
	pid_t pid;

	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_HALT, &request));
	request = (struct hft_halt){ .flags = 2 };
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_HALT, &request));
	request = (struct hft_halt){ .reserved = 1 };
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_HALT, &request));

	pid = fork();
	if (!pid) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(-halt(self->context, HFT_HALT_ALL, HFT_HALT_GLOBAL, NULL));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
