// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open a context, set it up and add a ring, with the first, the second, ... allocation or copy
 * failing, until a call meets no failure.  The quotas are set to what one success needs: what a
 * failure has kept of them makes the next call fail.
 */
#include "kselftest_harness.h"
#include "fault.h"

#define PARAMETERS	"/sys/module/hft/parameters/"
#define TASKS		1000
#define DESCRIPTORS	64

FIXTURE(commands) {
	int fault;
};

FIXTURE_SETUP(commands)
{
	self->fault = fault_open();
	if (self->fault < 0)
		SKIP(return, FAULT_NONE);
	if (!hft_test_module_loaded())
		ASSERT_EQ(0, hft_test_module_load());
	ASSERT_EQ(0, fault_configure(false));
}

FIXTURE_TEARDOWN(commands)
{
	close(self->fault);
}

/* The limits of the module, down to one context and one ring. */
static int limit(void)
{
	int err = hft_test_write_file(PARAMETERS "user_tasks", "1000");

	return err ? err : hft_test_write_file(PARAMETERS "user_rings", "1");
}

/* A CPU's heaps stay from their first use on: meet their faults too, few as they can be. */
static int reload(void)
{
	int err = hft_test_module_unload();

	if (!err)
		err = hft_test_module_load_as("late_ns=0 queue_tasks=1000");
	return err ? err : limit();
}

static int count_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < DESCRIPTORS; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static bool is_fault(int err)
{
	return err == -ENOMEM || err == -EFAULT;
}

TEST_F(commands, open_the_device)
{
	int nth, context = 0, descriptors = count_descriptors();
	bool met = true;

	if (self->fault < 0)
		return;
	for (nth = 1; met; nth++) {
		ASSERT_GT(FAULT_MOST, nth);
		ASSERT_EQ(0, fault_arm(self->fault, nth));
		context = hft_test_open();
		met = fault_disarm(self->fault);
		ASSERT_TRUE(context > 0 || is_fault(context));
		if (context > 0)
			close(context);
		ASSERT_EQ(descriptors, count_descriptors());
	}
	TH_LOG("%d faults met", nth - 2);
	ASSERT_LT(0, context);
	ASSERT_LT(3, nth);
}

TEST_F(commands, set_it_up)
{
	int nth, err = 0, failures = 0;
	bool met = true;

	if (self->fault < 0)
		return;
	ASSERT_EQ(0, limit());
	for (nth = 1; met; nth++) {
		int context = hft_test_open();

		ASSERT_LT(0, context);
		ASSERT_GT(FAULT_MOST, nth);
		ASSERT_EQ(0, fault_arm(self->fault, nth));
		err = hft_test_setup(context, TASKS);
		met = fault_disarm(self->fault);
		if (err) {
			ASSERT_TRUE(is_fault(err));
			failures++;
			/* It is as if it had not been called. */
			ASSERT_EQ(0, hft_test_setup(context, TASKS));
		}
		ASSERT_EQ(-EALREADY, hft_test_setup(context, TASKS));
		close(context);
	}
	TH_LOG("%d faults met, %d of them made it fail", nth - 2, failures);
	ASSERT_EQ(0, err);
	ASSERT_LT(0, failures);
}

static int add_ring(int context)
{
	struct hft_ring_add add = hft_test_ring_default();

	return hft_test_ioctl(context, HFT_IOC_RING_ADD, &add);
}

TEST_F(commands, ring_add)
{
	int nth, ring = -1, failures = 0;
	bool met = true;

	if (self->fault < 0)
		return;
	for (nth = 1; met; nth++) {
		int context, descriptors;

		ASSERT_EQ(0, reload());
		context = hft_test_context(TASKS);
		ASSERT_LT(0, context);
		descriptors = count_descriptors();
		ASSERT_GT(FAULT_MOST, nth);
		ASSERT_EQ(0, fault_arm(self->fault, nth));
		ring = add_ring(context);
		met = fault_disarm(self->fault);
		if (ring < 0) {
			int again;

			ASSERT_TRUE(is_fault(ring)) {
				TH_LOG("fault %d: %d", nth, ring);
			}
			failures++;
			ASSERT_EQ(descriptors, count_descriptors());
			again = add_ring(context);
			ASSERT_LT(0, again);
			close(again);
		} else {
			close(ring);
		}
		close(context);
	}
	TH_LOG("%d faults met, %d of them made it fail", nth - 2, failures);
	ASSERT_LT(0, ring);
	ASSERT_LT(5, failures);
}

TEST_F(commands, first_task_of_a_clock)
{
	struct hft_task task = hft_test_task(0, 0, 0);
	int nth, err = 0, failures = 0;
	bool met = true;

	if (self->fault < 0)
		return;
	task.clock = HFT_CLOCK_TAI;
	for (nth = 1; met; nth++) {
		struct hft_test_ring ring;
		struct hft_event event;
		int context;

		ASSERT_EQ(0, reload());
		context = hft_test_context(TASKS);
		ASSERT_LT(0, context);
		ASSERT_EQ(0, hft_test_ring_add(context, 0, 1, 1, HFT_POLICY_FIFO, &ring));
		ASSERT_GT(FAULT_MOST, nth);
		ASSERT_EQ(0, fault_arm(self->fault, nth));
		err = hft_test_submit(context, &task, NULL);
		met = fault_disarm(self->fault);
		if (err) {
			ASSERT_TRUE(is_fault(err));
			failures++;
			ASSERT_EQ(0, hft_test_pending(&ring));
			ASSERT_EQ(0, hft_test_submit(context, &task, NULL));
		}
		ASSERT_TRUE(hft_test_next(&ring, &event));
		ASSERT_EQ(HFT_CLOCK_TAI, event.clock);
		hft_test_ring_close(&ring);
		close(context);
	}
	TH_LOG("%d faults met, %d of them made it fail", nth - 2, failures);
	ASSERT_EQ(0, err);
	ASSERT_LT(2, failures);
}

TEST_HARNESS_MAIN
