// SPDX-License-Identifier: GPL-2.0-only
/*
 * Levels and the priorities of workers: on one CPU a task of a higher level preempts one
 * of a lower by its own worker, and not the other way round.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <hft/hft.h>

#include "kselftest_harness.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define GIVE_UP		(20 * NSEC_PER_SEC)

static uint64_t kernel_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static bool await(const atomic_int *value, int wanted)
{
	uint64_t end = kernel_now() + GIVE_UP;

	while (atomic_load(value) != wanted && kernel_now() < end)
		sched_yield();
	return atomic_load(value) == wanted;
}

/* Without giving the CPU away. */
static bool spin(const atomic_int *value, int wanted)
{
	uint64_t end = kernel_now() + GIVE_UP;

	while (atomic_load(value) != wanted && kernel_now() < end)
		;
	return atomic_load(value) == wanted;
}

struct side {
	struct hft_ring *ring;
	struct hft_worker *worker;
	const atomic_int *until;	/* the body spins until this is @wanted */
	int wanted;
	atomic_int begun;
	atomic_int ended;		/* 1: as it should, 2: it gave up */
	atomic_int policy;
	atomic_int priority;
	const atomic_int *other;	/* what it is when the body ends */
	int other_at_end;
};

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct side *side = arg;
	struct sched_param param;
	bool came = true;

	(void)event;
	(void)start;
	sched_getparam(0, &param);
	atomic_store(&side->policy, sched_getscheduler(0));
	atomic_store(&side->priority, param.sched_priority);
	atomic_store(&side->begun, 1);
	if (side->until)
		came = spin(side->until, side->wanted);
	if (side->other)
		side->other_at_end = atomic_load(side->other);
	atomic_store(&side->ended, came ? 1 : 2);
}

FIXTURE(levels) {
	struct hft *h;
	uint32_t cpu;
};

/* The harness runs a test even after a SKIP() here: then there is no handle. */
FIXTURE_SETUP(levels)
{
	cpu_set_t others;
	uint32_t cpu;

	self->cpu = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	if (!self->cpu)
		SKIP(return, "needs two CPUs");
	/* The test itself stays off the workers' CPU. */
	CPU_ZERO(&others);
	for (cpu = 0; cpu < self->cpu; cpu++)
		CPU_SET(cpu, &others);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(others), &others));
	ASSERT_EQ(0, hft_open(&self->h, NULL));
}

FIXTURE_TEARDOWN(levels)
{
	hft_close(self->h);
}

static int start(struct hft *h, uint32_t cpu, uint32_t level, uint32_t flags, struct side *side)
{
	HFT_OPTS(hft_ring_opts, ring, .cpu = cpu, .level_mask = 1U << level);
	HFT_OPTS(hft_worker_opts, worker, .fn = body, .arg = side, .flags = flags);
	int err = hft_ring_open(h, &ring, &side->ring);

	return err ?: hft_worker_start(side->ring, &worker, &side->worker);
}

static int submit(struct hft *h, const struct side *side, uint32_t level)
{
	struct hft_task task = {
		.ring = hft_ring_number(side->ring),
		.level = (uint8_t)level,
		.release = hft_now() + 20 * NSEC_PER_MSEC,
	};

	return hft_submit(h, &task, NULL);
}

static void stop(struct side *side)
{
	hft_worker_stop(side->worker);
	hft_ring_close(side->ring);
}

TEST_F(levels, worker_has_its_level)
{
	static const struct hft_level_sched table[HFT_LEVELS] = {
		{ SCHED_IDLE, 0 }, { SCHED_BATCH, 0 }, { SCHED_OTHER, 0 }, { SCHED_FIFO, 20 },
		{ SCHED_FIFO, 60 }, { SCHED_FIFO, 80 }, { SCHED_FIFO, 90 },
	};
	struct hft_level_sched sched;
	uint32_t level;

	if (!self->h)
		return;
	for (level = 0; level < HFT_LEVELS; level++) {
		struct side side = {};

		ASSERT_EQ(0, hft_level_sched(level, &sched));
		EXPECT_EQ(table[level].policy, sched.policy);
		EXPECT_EQ(table[level].priority, sched.priority);
		ASSERT_EQ(0, start(self->h, self->cpu, level, 0, &side));
		ASSERT_EQ(0, submit(self->h, &side, level));
		ASSERT_TRUE(await(&side.ended, 1));
		EXPECT_EQ(sched.policy, atomic_load(&side.policy));
		EXPECT_EQ(sched.priority, atomic_load(&side.priority));
		stop(&side);
	}
	EXPECT_EQ(-EINVAL, hft_level_sched(HFT_LEVELS, &sched));
	EXPECT_EQ(-EINVAL, hft_level_sched(~0U, &sched));
}

/* The body of NORMAL ends only when CRITICAL has run, on the same CPU. */
TEST_F(levels, higher_preempts_lower)
{
	struct side high = {}, low = { .until = &high.ended, .wanted = 1 };

	if (!self->h)
		return;
	ASSERT_EQ(0, start(self->h, self->cpu, HFT_LEVEL_NORMAL, 0, &low));
	ASSERT_EQ(0, start(self->h, self->cpu, HFT_LEVEL_CRITICAL, 0, &high));
	ASSERT_EQ(0, submit(self->h, &low, HFT_LEVEL_NORMAL));
	ASSERT_TRUE(await(&low.begun, 1));
	EXPECT_EQ(0, atomic_load(&high.begun));
	ASSERT_EQ(0, submit(self->h, &high, HFT_LEVEL_CRITICAL));
	ASSERT_TRUE(await(&low.ended, 1));
	EXPECT_EQ(1, atomic_load(&high.ended));
	stop(&low);
	stop(&high);
}

/* CRITICAL spins until NORMAL's task is in its ring, and longer: that waits. */
TEST_F(levels, lower_waits_for_higher)
{
	atomic_int go = 0;
	struct side low = {}, high = { .until = &go, .wanted = 1, .other = &low.begun };
	uint64_t end = kernel_now() + GIVE_UP;
	struct hft_stats stats;

	if (!self->h)
		return;
	ASSERT_EQ(0, start(self->h, self->cpu, HFT_LEVEL_NORMAL, 0, &low));
	ASSERT_EQ(0, start(self->h, self->cpu, HFT_LEVEL_CRITICAL, 0, &high));
	ASSERT_EQ(0, submit(self->h, &high, HFT_LEVEL_CRITICAL));
	ASSERT_TRUE(await(&high.begun, 1));
	ASSERT_EQ(0, submit(self->h, &low, HFT_LEVEL_NORMAL));
	do
		hft_stats(self->h, hft_ring_number(low.ring), &stats);
	while (!stats.in_flight && kernel_now() < end);
	EXPECT_EQ(1, stats.in_flight);
	usleep(50000);
	atomic_store(&go, 1);
	ASSERT_TRUE(await(&high.ended, 1));
	EXPECT_EQ(0, high.other_at_end);
	ASSERT_TRUE(await(&low.ended, 1));
	stop(&low);
	stop(&high);
}

/* Without the right to a priority a worker says so, or does without if it is told to. */
TEST_F(levels, without_the_right)
{
	const struct rlimit none = { 0, 0 };
	int status = -1;
	pid_t child;

	if (!self->h)
		return;
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		struct side side = {};
		struct hft *h;
		int err;

		if (setrlimit(RLIMIT_RTPRIO, &none) || setrlimit(RLIMIT_MEMLOCK, &none) ||
		    chmod("/dev/hft", 0666) || setuid(1000) || hft_open(&h, NULL))
			_exit(1);
		err = start(h, self->cpu, HFT_LEVEL_CRITICAL, 0, &side);
		if (err != -EPERM && err != -ENOMEM)
			_exit(2);
		hft_ring_close(side.ring);
		if (start(h, self->cpu, HFT_LEVEL_CRITICAL, HFT_WORKER_MAY, &side))
			_exit(3);
		if (submit(h, &side, HFT_LEVEL_CRITICAL) || !await(&side.ended, 1))
			_exit(4);
		if (atomic_load(&side.policy) != SCHED_OTHER)
			_exit(5);
		stop(&side);
		hft_close(h);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
