// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chains that hop from CPU to CPU while their tasks are cancelled, rings are closed and a
 * CPU goes and comes: each task ends once, and none is lost.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS		512
#define MOST_RINGS	8
#define MOST		200000		/* tasks of a test */
#define PATIENCE	(60 * NSEC_PER_SEC)

struct consumer {
	struct hft_test_ring ring;
	pthread_t thread;
};

static struct {
	int context;
	int nr_rings;
	struct consumer consumers[MOST_RINGS];
	atomic_int victim;		/* number of a ring that comes and goes, or -1 */
	atomic_bool calm;		/* no more rings and CPUs that come and go */
	atomic_bool stop;
	_Atomic unsigned char ended[MOST];	/* events and cancellations of each task */
	bool doomed[MOST];		/* its ring may be closed */
} all;

static void *consume(void *arg)
{
	struct hft_test_ring *ring = &((struct consumer *)arg)->ring;
	struct hft_event event;

	while (!all.stop) {
		/* A pull, too: what is consumed is noticed by that. */
		hft_test_wait(ring, NSEC_PER_MSEC);
		while (hft_test_next(ring, &event))
			all.ended[event.cookie]++;
	}
	return NULL;
}

/* A ring without a consumer, on the second CPU: what is in it ends when it is closed. */
static void *open_and_close(void *arg)
{
	struct hft_test_ring ring;
	int *err = arg;

	while (!all.calm) {
		*err = hft_test_ring_add(all.context, 1, 8, 8, HFT_POLICY_EDF, &ring);
		if (*err)
			break;
		all.victim = (int)ring.add.ring;
		hft_test_sleep(2 * NSEC_PER_MSEC);
		all.victim = -1;
		hft_test_ring_close(&ring);
	}
	return NULL;
}

static void *go_and_come(void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", *(int *)arg);
	while (!all.calm) {
		hft_test_write_file(path, "0");
		hft_test_sleep(5 * NSEC_PER_MSEC);
		hft_test_write_file(path, "1");
		hft_test_sleep(5 * NSEC_PER_MSEC);
	}
	return NULL;
}

/* Submit a task after one that may have ended.  Returns its id, 0 or an error. */
static int64_t submit_after(uint64_t *random, uint64_t cookie, int64_t after)
{
	uint64_t draw = hft_test_random(random);
	int victim = all.victim;
	struct hft_task task;
	int64_t id = 0;
	int err;

	all.doomed[cookie] = victim >= 0 && !(draw % 16);
	task = hft_test_task(all.doomed[cookie] ? (uint32_t)victim :
			     (draw >> 8) % (unsigned int)all.nr_rings, cookie, 0);
	task.flags = HFT_TASK_TRACK;
	task.after = (uint64_t)after;
	if (!(draw >> 16 & 3)) {
		task.release = hft_test_now() + (draw >> 32) % NSEC_PER_MSEC;
		task.deadline = task.release + NSEC_PER_MSEC;
		task.flags |= HFT_TASK_WATCH;
	}
	err = hft_test_submit(all.context, &task, &id);
	return err ? err : id;
}

/*
 * Chains with branches, cancelled here and there.  Returns how many tasks were taken, or an
 * error that none of it explains.
 */
static int submit_chains(int nr)
{
	uint64_t random = 88172645463325252ULL;
	int64_t id, chain = 0, last = 0;
	int cookie = 0, tries = 0;

	while (cookie < nr && tries++ < 100 * nr) {
		id = submit_after(&random, (uint64_t)cookie, hft_test_random(&random) % 4 ?
				  last : chain);
		if (id == -EDQUOT)
			sched_yield();
		else if (id < 0 && id != -ENOENT && id != -EMLINK && id != -ENODEV)
			return (int)id;
		if (id <= 0 || !(hft_test_random(&random) % 16))
			chain = 0;
		last = id > 0 ? id : 0;
		if (id <= 0)
			continue;
		if (!chain)
			chain = id;
		if (!(hft_test_random(&random) % 4) && !hft_test_cancel(all.context, (uint64_t)id))
			all.ended[cookie]++;
		cookie++;
	}
	return cookie;
}

/* Until all tasks have ended.  Returns how many have not. */
static int await_end(void)
{
	uint64_t end = hft_test_now() + PATIENCE;
	struct hft_stats stats;

	do {
		hft_test_sleep(NSEC_PER_MSEC);
		hft_test_stats(all.context, HFT_STATS_CONTEXT, &stats);
	} while (stats.tasks_free != TASKS && hft_test_now() < end);
	return TASKS - (int)stats.tasks_free;
}

FIXTURE(chain) {
	int last_cpu;
};

FIXTURE_VARIANT(chain) {
	bool closing;
	bool hotplug;
};

FIXTURE_VARIANT_ADD(chain, cancelled) {
};

FIXTURE_VARIANT_ADD(chain, rings_are_closed) {
	.closing = true,
};

FIXTURE_VARIANT_ADD(chain, cpu_goes) {
	.closing = true,
	.hotplug = true,
};

FIXTURE_SETUP(chain)
{
	int i;

	self->last_cpu = hft_test_cpus() - 1;
	all.victim = -1;
	all.context = hft_test_context(TASKS);
	ASSERT_LT(0, all.context);
	all.nr_rings = self->last_cpu < MOST_RINGS ? self->last_cpu + 1 : MOST_RINGS;
	for (i = 0; i < all.nr_rings; i++) {
		struct consumer *consumer = &all.consumers[i];

		ASSERT_EQ(0, hft_test_ring_add(all.context, (uint32_t)i, 16, 1U << i % 4,
					       HFT_POLICY_FIFO, &consumer->ring));
		ASSERT_EQ(i, (int)consumer->ring.add.ring);
		ASSERT_EQ(0, pthread_create(&consumer->thread, NULL, consume, consumer));
	}
}

FIXTURE_TEARDOWN(chain)
{
	int i;

	for (i = 0; i < all.nr_rings; i++)
		hft_test_ring_close(&all.consumers[i].ring);
	close(all.context);
}

TEST_F_TIMEOUT(chain, each_task_ends_once, 300)
{
	int nr = (int)hft_test_scaled(hft_test_slow_kernel() ? 500 : 10000), taken, left, i;
	pthread_t closer, plugger;
	int err = 0;

	if (!self->last_cpu)
		SKIP(return, "one CPU: nothing to hop to");
	nr = nr < MOST ? nr : MOST;
	if (variant->closing)
		ASSERT_EQ(0, pthread_create(&closer, NULL, open_and_close, &err));
	if (variant->hotplug)
		ASSERT_EQ(0, pthread_create(&plugger, NULL, go_and_come, &self->last_cpu));
	taken = submit_chains(nr);
	all.calm = true;
	if (variant->closing)
		pthread_join(closer, NULL);
	if (variant->hotplug)
		pthread_join(plugger, NULL);
	left = await_end();
	all.stop = true;
	for (i = 0; i < all.nr_rings; i++)
		pthread_join(all.consumers[i].thread, NULL);

	EXPECT_EQ(0, err);
	EXPECT_EQ(0, left);
	ASSERT_EQ(nr, taken);
	for (i = 0; i < nr; i++) {
		if (!all.doomed[i])
			ASSERT_EQ(1, all.ended[i]) TH_LOG("task %d of %d", i, nr);
		ASSERT_GE(1, all.ended[i]);
	}
}

TEST_HARNESS_MAIN
