// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the administrator has switched io_uring off, every command works by ioctl.
 */
#include <liburing.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define SYSCTL	"/proc/sys/kernel/io_uring_disabled"

FIXTURE(disabled) {
	char saved[16];
};

FIXTURE_SETUP(disabled)
{
	if (access(SYSCTL, F_OK))
		SKIP(return, "this kernel has no sysctl kernel.io_uring_disabled");
	ASSERT_EQ(0, hft_test_read_file(SYSCTL, self->saved, sizeof(self->saved)));
	ASSERT_EQ(0, hft_test_write_file(SYSCTL, "2"));
}

FIXTURE_TEARDOWN(disabled)
{
	if (*self->saved)
		hft_test_write_file(SYSCTL, self->saved);
}

TEST_F(disabled, every_command_has_a_twin)
{
	struct hft_task tasks[3];
	struct hft_test_ring ring;
	struct hft_event event;
	struct io_uring uring;
	int64_t results[3], id;
	int context, i;

	if (access(SYSCTL, F_OK))
		return;
	ASSERT_EQ(-EPERM, io_uring_queue_init(8, &uring, IORING_SETUP_SQE128));

	context = hft_test_context(8);
	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 8, 8, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < 3; i++)
		tasks[i] = hft_test_task(0, i, hft_test_now() + 10 * NSEC_PER_MSEC);
	ASSERT_EQ(0, hft_test_submit(context, &tasks[0], &id));
	ASSERT_EQ(0, hft_test_cancel(context, id));
	ASSERT_EQ(3, hft_test_submit_batch(context, tasks, results, 3));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, hft_test_take(&ring, &event, 10 * NSEC_PER_SEC));
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
