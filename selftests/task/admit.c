// SPDX-License-Identifier: GPL-2.0-only
/* Admission of periodic tasks to a CPU: who fits, until when, and what one is told who does not. */
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64
#define MS	NSEC_PER_MSEC

FIXTURE(admit) {
	int context;
	struct hft_test_ring edf;
	struct hft_test_ring rm;	/* on another CPU */
	uint64_t far;
};

FIXTURE_SETUP(admit)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_EDF, &self->edf));
	ASSERT_EQ(0, hft_test_ring_add(self->context, 1, 16, 16, HFT_POLICY_RM, &self->rm));
	self->far = hft_test_now() + 1000 * NSEC_PER_SEC;
}

FIXTURE_TEARDOWN(admit)
{
	hft_test_ring_close(&self->edf);
	hft_test_ring_close(&self->rm);
	close(self->context);
}

static int submit(int context, uint32_t ring, uint64_t release, uint64_t wcet, uint64_t period,
		  int64_t *id)
{
	struct hft_task task = hft_test_task(ring, 0, release);

	task.flags = HFT_TASK_PERIODIC;
	task.wcet = wcet;
	task.period = period;
	return hft_test_submit(context, &task, id);
}

TEST_F(admit, edf_up_to_the_cap)
{
	int64_t id[9], result;
	int i;

	/* Nine tenths, and a twentieth less the rounding. */
	for (i = 0; i < 9; i++)
		ASSERT_EQ(0, submit(self->context, 0, self->far, MS, 10 * MS, &id[i]));
	ASSERT_EQ(-EBUSY, submit(self->context, 0, self->far, MS, 10 * MS, &result));
	EXPECT_LE(1000000, result);
	EXPECT_GE(1000020, result);
	ASSERT_EQ(0, submit(self->context, 0, self->far, 49 * MS, 1000 * MS, NULL));
	ASSERT_EQ(-EBUSY, submit(self->context, 0, self->far, 2 * MS, 1000 * MS, NULL));
	/* Another CPU is another matter, and so is a task that declares nothing. */
	ASSERT_EQ(0, submit(self->context, 1, self->far, MS, 10 * MS, NULL));
	ASSERT_EQ(0, submit(self->context, 0, self->far, 0, 10 * MS, NULL));

	ASSERT_EQ(0, hft_test_cancel(self->context, id[4]));
	ASSERT_EQ(0, submit(self->context, 0, self->far, MS, 10 * MS, NULL));
	ASSERT_EQ(-EBUSY, submit(self->context, 0, self->far, MS, 10 * MS, NULL));
}

/* A deadline before the period counts as the period. */
TEST_F(admit, density)
{
	struct hft_task task = hft_test_task(0, 0, self->far);

	task.flags = HFT_TASK_PERIODIC;
	task.wcet = MS;
	task.period = 100 * MS;
	task.deadline = self->far + 2 * MS;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &task, NULL));
	task.wcet = 3 * MS;
	ASSERT_EQ(-EBUSY, hft_test_submit(self->context, &task, NULL));
	task.flags |= HFT_TASK_NO_ADMIT;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
}

/* Two of a half are too much for rate-monotonic priorities, two of 0.41 are not. */
TEST_F(admit, rm_by_the_hyperbolic_bound)
{
	int64_t id;

	ASSERT_EQ(0, submit(self->context, 1, self->far, 41 * MS, 100 * MS, NULL));
	ASSERT_EQ(0, submit(self->context, 1, self->far, 41 * MS, 100 * MS, &id));
	ASSERT_EQ(-EBUSY, submit(self->context, 1, self->far, 2 * MS, 100 * MS, NULL));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	ASSERT_EQ(-EBUSY, submit(self->context, 1, self->far, 43 * MS, 100 * MS, NULL));
	ASSERT_EQ(0, submit(self->context, 1, self->far, 41 * MS, 100 * MS, NULL));
}

TEST_F(admit, a_job_in_flight_counts)
{
	struct hft_event event;
	int64_t id;

	ASSERT_EQ(0, submit(self->context, 0, hft_test_now(), 90 * MS, 100 * MS, &id));
	ASSERT_EQ(1, hft_test_wait(&self->edf, NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	EXPECT_EQ(-EBUSY, submit(self->context, 0, self->far, 90 * MS, 100 * MS, NULL));
	ASSERT_TRUE(hft_test_next(&self->edf, &event));
	EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&self->edf, 0));
	EXPECT_EQ(0, submit(self->context, 0, self->far, 90 * MS, 100 * MS, NULL));
}

TEST_F(admit, modified_period)
{
	struct hft_modify change = { .fields = HFT_MODIFY_PERIOD };
	int64_t id;

	ASSERT_EQ(0, submit(self->context, 0, self->far, 40 * MS, 100 * MS, NULL));
	ASSERT_EQ(0, submit(self->context, 0, self->far, 40 * MS, 100 * MS, &id));
	change.task = id;
	change.period = 50 * MS;
	EXPECT_EQ(-EBUSY, hft_test_ioctl(self->context, HFT_IOC_MODIFY, &change));
	EXPECT_EQ(-EBUSY, submit(self->context, 0, self->far, 20 * MS, 100 * MS, NULL));
	change.period = 80 * MS;
	EXPECT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_MODIFY, &change));
	EXPECT_EQ(-EBUSY, submit(self->context, 0, self->far, 10 * MS, 100 * MS, NULL));
	change.period = 400 * MS;
	EXPECT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_MODIFY, &change));
	EXPECT_EQ(0, submit(self->context, 0, self->far, 44 * MS, 100 * MS, NULL));
}

/* Whatever becomes of a context, nothing of it is left. */
TEST_F(admit, end_of_a_context)
{
	int64_t id;
	int i;

	for (i = 0; i < 50; i++) {
		int context = hft_test_context(4);
		struct hft_test_ring ring;

		ASSERT_LT(0, context);
		ASSERT_EQ(0, hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_EDF, &ring));
		ASSERT_EQ(0, submit(context, 0, i % 2 ? self->far : 0, 90 * MS, 100 * MS, &id));
		ASSERT_EQ(-EBUSY, submit(self->context, 0, self->far, 90 * MS, 100 * MS, NULL));
		if (i % 3 == 0)
			ASSERT_EQ(0, hft_test_cancel(context, id));
		if (i % 5)
			close(context);
		hft_test_ring_close(&ring);
		if (i % 5 == 0)
			close(context);
	}
	ASSERT_EQ(0, submit(self->context, 0, self->far, 90 * MS, 100 * MS, NULL));
}

TEST_F(admit, privilege)
{
	struct hft_task task = hft_test_task(0, 0, self->far);
	struct hft_test_ring ring;
	int context, fds = hft_test_open();
	int status;
	pid_t pid;

	ASSERT_LT(0, fds);
	task.flags = HFT_TASK_PERIODIC | HFT_TASK_NO_ADMIT;
	task.period = MS;
	pid = fork();
	if (!pid) {
		context = fds;
		if (setresuid(1000, 1000, 1000) || hft_test_setup(context, 4) ||
		    hft_test_ring_add(context, 0, 4, 4, HFT_POLICY_EDF, &ring))
			_exit(1);
		_exit(-hft_test_submit(context, &task, NULL));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
	close(fds);
	EXPECT_EQ(0, hft_test_submit(self->context, &task, NULL));
}

TEST_HARNESS_MAIN
