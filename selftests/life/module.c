// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module can not go while anything of it is in use, and when it goes nothing is left.
 */
#include <glob.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define CYCLES	100

FIXTURE(module) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(module)
{
	if (!hft_test_module_loaded())
		ASSERT_EQ(0, hft_test_module_load());
	self->context = hft_test_context(16);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(module)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
	if (!hft_test_module_loaded())
		hft_test_module_load();
}

TEST_F(module, stays_while_in_use)
{
	/* All, the context alone, a ring alone, a mapping alone. */
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	hft_test_ring_close(&self->ring);
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());

	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
	close(self->context);
	self->context = -1;
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	munmap(self->ring.consumer, HFT_TEST_PAGE);
	self->ring.consumer = NULL;
	close(self->ring.fd);
	self->ring.fd = -1;
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	ASSERT_EQ(HFT_RING_DEAD, hft_test_flags(&self->ring));

	hft_test_ring_unmap(&self->ring);
	ASSERT_EQ(0, hft_test_module_unload());
	ASSERT_FALSE(hft_test_module_loaded());
	ASSERT_EQ(-1, access(HFT_TEST_DEVICE, F_OK));
	ASSERT_EQ(-1, access("/sys/class/misc/hft", F_OK));
	ASSERT_EQ(-1, access("/sys/kernel/tracing/events/hft", F_OK));
}

/* A timer is armed for a task that was cancelled, or whose ring has gone. */
TEST_F(module, goes_with_an_armed_timer)
{
	struct hft_task task = hft_test_task(0, 0, hft_test_now() + 50 * NSEC_PER_MSEC);
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, &id));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	ASSERT_EQ(0, hft_test_module_unload());
	hft_test_sleep(100 * NSEC_PER_MSEC);
	ASSERT_EQ(0, hft_test_module_load());
}

/* A figure of /proc/meminfo, kB. */
static long meminfo(const char *name)
{
	char text[8192];
	const char *found;

	if (hft_test_read_file("/proc/meminfo", text, sizeof(text)))
		return -1;
	found = strstr(text, name);
	return found ? atol(found + strlen(name)) : -1;
}

/* kB free on the lists that each CPU has of pages; MemAvailable is without them. */
static long cpu_lists(void)
{
	char line[256];
	long pages = 0, n;
	FILE *file = fopen("/proc/zoneinfo", "r");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " count: %ld", &n) == 1)
			pages += n;
	}
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long available_memory(void)
{
	return meminfo("MemAvailable:") + cpu_lists();
}

/* KASAN keeps freed objects for a while, until their cache is shrunk. */
static void settle(void)
{
	glob_t caches;
	size_t i;

	hft_test_write_file("/proc/sys/vm/drop_caches", "3");
	hft_test_sleep(300 * NSEC_PER_MSEC);
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++)
		hft_test_write_file(caches.gl_pathv[i], "1");
	globfree(&caches);
}

/* Load, use each part on two of the CPUs, unload. */
static int cycle(int number)
{
	struct hft_test_ring ring;
	int context, i, err;

	err = hft_test_module_load();
	if (err)
		return err;
	context = hft_test_context(1000);
	if (context < 0)
		return context;
	for (i = 0; i < 2 && !err; i++) {
		struct hft_task task;

		err = hft_test_ring_add(context, (number + i) % hft_test_cpus(), 128, 16,
					HFT_POLICY_EDF, &ring);
		if (err)
			break;
		task = hft_test_task(ring.add.ring, 0, 0);
		err = hft_test_submit(context, &task, NULL);
		task.release = hft_test_now() + 500000;
		if (!err)
			err = hft_test_submit(context, &task, NULL);
		hft_test_ring_close(&ring);
	}
	close(context);
	return err ? err : hft_test_module_unload();
}

TEST_F(module, cycles_leave_nothing_behind)
{
	int cycles = hft_test_scaled(hft_test_slow_kernel() ? CYCLES / 4 : CYCLES), i;
	long available, slab, percpu, vmalloc;

	hft_test_ring_close(&self->ring);
	close(self->context);
	self->context = -1;
	ASSERT_EQ(0, hft_test_module_unload());
	/* What the kernel caches for modules is there after some. */
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, cycle(i));
	settle();
	available = available_memory();
	slab = meminfo("SUnreclaim:");
	percpu = meminfo("Percpu:");
	vmalloc = meminfo("VmallocUsed:");
	ASSERT_LT(0, available);

	for (i = 0; i < cycles; i++)
		ASSERT_EQ(0, cycle(i)) {
			TH_LOG("cycle %d", i);
		}
	settle();
	available -= available_memory();
	slab = meminfo("SUnreclaim:") - slab;
	percpu = meminfo("Percpu:") - percpu;
	vmalloc = meminfo("VmallocUsed:") - vmalloc;
	TH_LOG("%d cycles: %ld kB less available, %ld kB more slab, %ld kB per CPU, %ld kB vmalloc",
	       cycles, available, slab, percpu, vmalloc);
	/* The least that there is to leak is a page a cycle. */
	EXPECT_GT(8192 + 4 * cycles, available);
	EXPECT_GT(1024 + 2 * cycles, slab);
	EXPECT_GT(64 + cycles / 2, percpu);
	EXPECT_GT(64 + cycles / 2, vmalloc);
}

TEST_HARNESS_MAIN
