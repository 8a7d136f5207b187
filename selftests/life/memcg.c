// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of tasks and rings is charged to the cgroup of who sets them up.
 */
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define ROOT	"/sys/fs/cgroup"
#define GROUP	ROOT "/hft-test"
#define MIB	(1 << 20)

static bool has_memory_controller(void)
{
	char text[256];

	if (hft_test_read_file(ROOT "/cgroup.controllers", text, sizeof(text)))
		return false;
	if (!strstr(text, "memory"))
		return false;
	return !hft_test_write_file(ROOT "/cgroup.subtree_control", "+memory");
}

static long charged(void)
{
	char text[32];

	if (hft_test_read_file(GROUP "/memory.current", text, sizeof(text)))
		return -1;
	return atol(text);
}

TEST(charged_to_the_caller)
{
	struct hft_query query = {};
	struct hft_test_ring ring;
	long before, with_tasks, with_ring, after;
	int context, i;

	if (!has_memory_controller())
		SKIP(return, "no cgroup v2 with a memory controller in " ROOT);
	if (mkdir(GROUP, 0755))
		ASSERT_EQ(EEXIST, errno);
	ASSERT_EQ(0, hft_test_write_file(GROUP "/cgroup.procs", "0"));

	context = hft_test_open();
	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_QUERY, &query));
	before = charged();
	ASSERT_LE(0, before);
	ASSERT_EQ(0, hft_test_setup(context, query.max_tasks));
	with_tasks = charged();
	ASSERT_EQ(0, hft_test_ring_add(context, 0, query.max_entries, 1, HFT_POLICY_FIFO, &ring));
	with_ring = charged();
	hft_test_ring_close(&ring);
	close(context);
	/* Uncharged in batches, and after a grace period. */
	for (i = 0; i < 50; i++) {
		after = charged();
		if (after < before + MIB)
			break;
		hft_test_sleep(100 * NSEC_PER_MSEC);
	}
	TH_LOG("%u tasks: %ld kB, a ring of %u: %ld kB, after: %ld kB", query.max_tasks,
	       (with_tasks - before) / 1024, query.max_entries, (with_ring - with_tasks) / 1024,
	       (after - before) / 1024);
	/*
	 * A task takes a cache line at the very least, an event is 64 bytes; some pages may have
	 * been charged in advance.
	 */
	EXPECT_LE(query.max_tasks * 64L - MIB / 2, with_tasks - before);
	EXPECT_LE(query.max_entries * 64L - MIB / 2, with_ring - with_tasks);
	EXPECT_GT(before + MIB, after);

	ASSERT_EQ(0, hft_test_write_file(ROOT "/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
