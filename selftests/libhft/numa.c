// SPDX-License-Identifier: GPL-2.0-only
/* Memory on the nodes of a machine that has two: as the kernel tells of it. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mempolicy.h>
#include <hft/book.h>
#include <hft/hft.h>
#include <hft/memory.h>

#include "kselftest_harness.h"

#define MIB	(1UL << 20)

static const uint32_t nodes[] = { 0, 1 };

static bool has_two_nodes(void)
{
	return !access("/sys/devices/system/node/node1", F_OK);
}

/* The first CPU of a node. */
static uint32_t cpu_of(uint32_t node)
{
	uint32_t cpu = 0;

	while (hft_cpu_node(cpu) >= 0 && (uint32_t)hft_cpu_node(cpu) != node)
		cpu++;
	return cpu;
}

static void move_to(uint32_t cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		exit(1);
}

FIXTURE(numa) {
	struct hft_region region;
	struct hft_region_report report;
};

FIXTURE_SETUP(numa)
{
	if (!has_two_nodes())
		SKIP(return, "the machine has one node");
	self->region.sz = sizeof(self->region);
	self->report.sz = sizeof(self->report);
}

FIXTURE_TEARDOWN(numa)
{
	hft_free_on(&self->region);
}

/* From a CPU of the other one, which is where it would go by itself. */
TEST_F(numa, memory_is_on_the_node_that_is_asked_for)
{
	static const uint32_t flags[] = { 0, HFT_ALLOC_STRICT, HFT_ALLOC_NO_HUGE };
	HFT_OPTS(hft_alloc_opts, opts);
	size_t i;

	for (i = 0; i < 6; i++) {
		move_to(cpu_of(nodes[!(i % 2)]));
		opts.node = 1 + nodes[i % 2];
		opts.flags = flags[i / 2];
		ASSERT_EQ(0, hft_alloc_on(&self->region, 5 * MIB, &opts));
		EXPECT_TRUE(self->region.has & HFT_REGION_BOUND);
		EXPECT_TRUE(self->region.has & HFT_REGION_LOCKED);
		ASSERT_EQ(0, hft_region_check(&self->region, &self->report));
		EXPECT_EQ(self->report.pages, self->report.on_node);
		EXPECT_EQ(5 * MIB, self->report.locked_bytes);
		if (opts.flags & HFT_ALLOC_NO_HUGE)
			EXPECT_EQ(0, self->report.huge_bytes);
		TH_LOG("%s", self->report.text);
		hft_free_on(&self->region);
	}
}

TEST_F(numa, memory_is_where_a_cpu_is)
{
	HFT_OPTS(hft_alloc_opts, opts);
	int i;

	for (i = 0; i < 4; i++) {
		move_to(cpu_of(nodes[i / 2]));
		opts.cpu = i % 2 ? 1 + cpu_of(nodes[!(i / 2)]) : 0;
		ASSERT_EQ(0, hft_alloc_on(&self->region, MIB, &opts));
		EXPECT_EQ(nodes[i % 2 ? !(i / 2) : i / 2], self->region.node);
		ASSERT_EQ(0, hft_region_check(&self->region, &self->report));
		EXPECT_EQ(self->report.pages, self->report.on_node);
		hft_free_on(&self->region);
	}
}

/* The check says where it is, not where it was put. */
TEST_F(numa, pages_that_have_moved_are_seen)
{
	HFT_OPTS(hft_alloc_opts, opts, .node = 1 + 0,
		 .flags = HFT_ALLOC_NO_LOCK | HFT_ALLOC_NO_HUGE);
	unsigned long mask = 1UL << 1;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	ASSERT_EQ(0, hft_alloc_on(&self->region, 64 * page, &opts));
	ASSERT_EQ(0, syscall(SYS_mbind, self->region.memory, 24 * page, MPOL_BIND, &mask, 65,
			     MPOL_MF_MOVE | MPOL_MF_STRICT));
	ASSERT_EQ(0, hft_region_check(&self->region, &self->report));
	EXPECT_EQ(40, self->report.on_node);
	EXPECT_EQ(24, self->report.elsewhere);
	EXPECT_NE(NULL, strstr(self->report.text, "40 of 64 pages on node 0"));
}

TEST_F(numa, huge_pages_of_the_pool_are_taken)
{
	HFT_OPTS(hft_alloc_opts, opts, .node = 1 + 1);
	FILE *pool = fopen("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages",
			   "w");

	if (!pool)
		SKIP(return, "no huge pages");
	fputs("4", pool);
	fclose(pool);
	ASSERT_EQ(0, hft_alloc_on(&self->region, 8 * MIB, &opts));
	if (!(self->region.has & HFT_REGION_HUGETLB))
		SKIP(return, "the kernel has no 8 MiB in one piece");
	ASSERT_EQ(0, hft_region_check(&self->region, &self->report));
	EXPECT_EQ(self->report.pages, self->report.on_node);
	EXPECT_EQ(8 * MIB, self->report.huge_bytes);
	hft_free_on(&self->region);

	/* One more than there are: by other pages, and why is told. */
	ASSERT_EQ(0, hft_alloc_on(&self->region, 10 * MIB, &opts));
	EXPECT_NE(0, self->region.hugetlb_error);
	ASSERT_EQ(0, hft_region_check(&self->region, &self->report));
	EXPECT_EQ(self->report.pages, self->report.on_node);
	EXPECT_NE(NULL, strstr(self->report.text, "huge pages of the pool: "));
	pool = fopen("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "w");
	ASSERT_NE(NULL, pool);
	fputs("0", pool);
	fclose(pool);
}

TEST_F(numa, a_book_is_on_its_node)
{
	HFT_OPTS(hft_book_opts, opts, .orders = 4096, .instruments = 100);
	struct hft_book *book;
	int i;

	for (i = 0; i < 4; i++) {
		move_to(cpu_of(nodes[i / 2]));
		opts.node = i % 2 ? 1 + nodes[!(i / 2)] : 0;
		ASSERT_EQ(0, hft_book_open(&book, &opts));
		ASSERT_EQ(0, hft_book_memory(book, &self->report));
		EXPECT_EQ(self->report.pages, self->report.on_node);
		TH_LOG("%s", self->report.text);
		hft_book_close(book);
	}
}

/* Of the node that the kernel names for @page; negative: why it does not. */
static int node_of(void *page)
{
	int status = -EFAULT;

	return syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0) ? -errno : status;
}

TEST_F(numa, soft_rings_are_on_their_cpu_s_node)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts);
	struct hft_task task = { .cookie = 1 };
	const struct hft_event *event;
	struct hft_ring *ring;
	struct hft *h;
	int i;

	ASSERT_EQ(0, hft_open(&h, &opts));
	for (i = 0; i < 2; i++) {
		move_to(cpu_of(nodes[!i]));
		ring_opts.cpu = cpu_of(nodes[i]);
		ASSERT_EQ(0, hft_ring_open(h, &ring_opts, &ring));
		task.ring = hft_ring_number(ring);
		ASSERT_EQ(0, hft_submit(h, &task, NULL));
		ASSERT_LT(0, hft_wait(ring, UINT64_MAX));
		event = hft_ring_peek(ring);
		ASSERT_NE(NULL, event);
		EXPECT_EQ(nodes[i], node_of((void *)event));
		hft_ring_advance(ring);
		hft_ring_close(ring);
	}
	hft_close(h);
}

TEST_HARNESS_MAIN
