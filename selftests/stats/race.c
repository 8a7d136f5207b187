// SPDX-License-Identifier: GPL-2.0-only
/* Histograms are switched, read and closed while tasks are dispatched; and by kill -9. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS		64
#define BUCKETS		3584
#define ROUNDS		hft_test_scaled(20)
#define READERS		2

struct race {
	int context;
	atomic_bool stop;
	atomic_uint wrong;
};

static int meter(int context, uint32_t ring, uint32_t flags)
{
	struct hft_meter_set set = { .ring = ring, .flags = flags, .classes = 3 };

	return hft_test_ioctl(context, HFT_IOC_METER, &set);
}

/* What is read is of one piece: its count is that of its buckets. */
static bool is_whole(int context, uint32_t ring, uint32_t flags, uint32_t kind)
{
	static __thread uint64_t bucket[BUCKETS];
	struct hft_hist_info info = {
		.ring = ring, .flags = flags, .task_class = HFT_CLASS_ALL, .kind = kind,
		.buckets = (uintptr_t)bucket, .nr_buckets = BUCKETS,
	};
	uint64_t sum = 0;
	int i, err;

	err = hft_test_ioctl(context, HFT_IOC_HIST, &info);
	if (err)
		return err == -ENOENT;		/* the ring is closed just now */
	for (i = 0; i < BUCKETS; i++)
		sum += bucket[i];
	return sum == info.count && (info.count || !info.max);
}

static void *read_again(void *arg)
{
	struct race *race = arg;
	uint32_t kind;

	do {
		for (kind = 0; kind < HFT_KINDS; kind++) {
			race->wrong += !is_whole(race->context, 0, 0, kind);
			race->wrong += !is_whole(race->context, 0, HFT_HIST_GLOBAL, kind);
			race->wrong += !is_whole(race->context, HFT_STATS_CONTEXT, 0, kind);
		}
	} while (!atomic_load(&race->stop));
	return NULL;
}

static void *switch_again(void *arg)
{
	struct race *race = arg;
	int i, err;

	for (i = 0; !atomic_load(&race->stop); i++) {
		err = meter(race->context, 0, i % 3 ? HFT_METER_HIST : 0);
		race->wrong += err && err != -ENOENT;
	}
	return NULL;
}

/* Submit and run some tasks, with reports.  Returns how many ran. */
static int run_some(int context, struct hft_test_ring *ring, int nr)
{
	struct hft_report *reports = (void *)((char *)ring->consumer + HFT_TEST_PAGE);
	struct hft_event event;
	int i, ran = 0;

	for (i = 0; i < nr; i++) {
		struct hft_task task = hft_test_task(0, i, hft_test_now());
		uint32_t at = ring->consumer->head & (ring->add.entries - 1);

		task.task_class = i % 4;
		if (hft_test_submit(context, &task, NULL) ||
		    hft_test_wait(ring, 60 * NSEC_PER_SEC) != 1)
			break;
		event = ring->events[at];
		reports[at] = (struct hft_report) {
			.start = event.published, .end = event.published + 100,
		};
		hft_test_advance(ring, 1);
		ran++;
	}
	return ran;
}

static int make_ring(int context, struct hft_test_ring *ring)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.flags = HFT_RING_REPORT;
	return hft_test_ring_make(context, &add, ring);
}

TEST(read_and_switched_while_written)
{
	struct race race = { .context = hft_test_context(TASKS) };
	pthread_t readers[READERS], switcher;
	struct hft_test_ring ring;
	struct hft_stats stats;
	unsigned int i;

	ASSERT_LT(0, race.context);
	ASSERT_EQ(0, make_ring(race.context, &ring));
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, read_again, &race));
	ASSERT_EQ(0, pthread_create(&switcher, NULL, switch_again, &race));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(50, run_some(race.context, &ring, 50));
		/* The same number is another ring's then. */
		hft_test_ring_close(&ring);
		ASSERT_EQ(0, make_ring(race.context, &ring));
	}
	atomic_store(&race.stop, true);
	for (i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	pthread_join(switcher, NULL);
	EXPECT_EQ(0, race.wrong);
	ASSERT_EQ(0, hft_test_stats(race.context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(TASKS, stats.tasks_free);
	hft_test_ring_close(&ring);
	close(race.context);
}

static uint64_t global_count(int context)
{
	struct hft_hist_info info = { .flags = HFT_HIST_GLOBAL, .task_class = HFT_CLASS_ALL };

	return hft_test_ioctl(context, HFT_IOC_HIST, &info) ? 0 : info.count;
}

/* Of a process that is killed nothing is left but what it has counted. */
TEST(killed)
{
	int context = hft_test_open(), ready[2], status;
	uint64_t before = global_count(context);
	struct hft_test_ring ring;
	char byte;
	pid_t pid;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int own = hft_test_context(TASKS);

		if (own < 0 || make_ring(own, &ring) || meter(own, 0, HFT_METER_HIST) ||
		    run_some(own, &ring, 40) != 40)
			_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	/* Classes 0 and 1 of four. */
	EXPECT_EQ(before + 20, global_count(context));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(before + 20, global_count(context));
	close(ready[0]);
	close(context);
	EXPECT_EQ(0, hft_test_await_unused());
}

/* One of a few megabytes: the quota is given back each time. */
TEST(memory_is_given_back)
{
	int context = hft_test_context(TASKS);
	struct hft_meter_set all = { .flags = HFT_METER_HIST };
	struct hft_test_ring ring;
	int i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, make_ring(context, &ring));
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_METER, &all));
	hft_test_ring_close(&ring);
	for (i = 0; i < 150; i++) {
		ASSERT_EQ(0, make_ring(context, &ring));
		ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_METER, &all));
		hft_test_ring_close(&ring);
	}
	close(context);
}

TEST_HARNESS_MAIN
