// SPDX-License-Identifier: GPL-2.0-only
/*
 * The layout of the ABI as this program was compiled, and each command through the kernel's
 * entry for 32-bit callers.
 */
#include "kselftest_harness.h"
#include "hft_test.h"
#include "layout.h"

/*
 * The 32-bit entry to ioctl(), taken by a 64-bit program: it goes through compat_ioctl with
 * an address that must be below 4 GiB.
 */
#define I386_OPEN	5
#define I386_IOCTL	54

static long i386_call(long number, long a, long b, long c)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret)
		     : "a" (number), "b" (a), "c" (b), "d" (c)
		     : "r8", "r9", "r10", "r11", "memory", "cc");
	return (int)ret;
}

struct low {
	struct hft_query query;
	struct hft_setup setup;
	struct hft_ring_add add;
	struct hft_submit submit;
	struct hft_submit_batch batch;
	struct hft_task tasks[4];
	int64_t results[4];
	int64_t id;
	struct hft_cancel cancel;
	struct hft_wait wait;
	struct hft_stats stats;
	struct hft_clock_pair pair;
	char path[16];
};

static void on_fault(int signal)
{
	(void)signal;
	_exit(1);
}

/* A kernel without 32-bit entry kills the caller. */
static bool i386_works(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, on_fault);
		/* -EBADF from an ioctl of no file. */
		_exit(i386_call(I386_IOCTL, -1, 0, 0) != -EBADF);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

TEST(every_command_from_32_bit)
{
	struct hft_test_ring ring = {};
	struct hft_event event;
	struct low *low;
	int context, i;

	if (!i386_works())
		SKIP(return, "this kernel has no 32-bit system calls (CONFIG_IA32_EMULATION)");
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, low);
	strcpy(low->path, HFT_TEST_DEVICE);
	context = i386_call(I386_OPEN, (long)low->path, O_RDWR, 0);
	ASSERT_LE(0, context);

	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_QUERY, (long)&low->query));
	ASSERT_EQ(HFT_LEVELS, low->query.levels);
	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_CLOCK, (long)&low->pair));
	ASSERT_LT(0, low->pair.monotonic);
	low->setup.tasks = 16;
	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_SETUP, (long)&low->setup));
	low->add = hft_test_ring_default();
	ring.fd = i386_call(I386_IOCTL, context, HFT_IOC_RING_ADD, (long)&low->add);
	ASSERT_LT(0, ring.fd);
	ring.add = low->add;
	ASSERT_EQ(0, hft_test_ring_map(&ring));

	low->submit.task = hft_test_task(0, 7, hft_test_now() + 1000 * NSEC_PER_SEC);
	low->submit.result = (uintptr_t)&low->id;
	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_SUBMIT, (long)&low->submit));
	ASSERT_LT(0, low->id);
	low->cancel.task = low->id;
	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_CANCEL, (long)&low->cancel));

	for (i = 0; i < 4; i++)
		low->tasks[i] = hft_test_task(0, i, 0);
	low->batch = (struct hft_submit_batch) {
		.tasks = (uintptr_t)low->tasks, .results = (uintptr_t)low->results,
		.nr = 4, .task_size = sizeof(low->tasks[0]),
	};
	ASSERT_EQ(4, i386_call(I386_IOCTL, context, HFT_IOC_SUBMIT_BATCH, (long)&low->batch));
	ASSERT_EQ(4, i386_call(I386_IOCTL, ring.fd, HFT_IOC_WAIT, (long)&low->wait));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(hft_test_next(&ring, &event));
		ASSERT_EQ(i, (int)event.cookie);
	}
	low->stats.ring = HFT_STATS_CONTEXT;
	ASSERT_EQ(0, i386_call(I386_IOCTL, context, HFT_IOC_STATS, (long)&low->stats));
	ASSERT_EQ(5, low->stats.submitted);
	ASSERT_EQ(4, low->stats.dispatched);
	ASSERT_EQ(1, low->stats.cancelled);
	ASSERT_EQ(16, low->stats.tasks_free);
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
