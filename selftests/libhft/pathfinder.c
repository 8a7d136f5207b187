// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mars Pathfinder, 1997, by real threads: workers of the backend soft on one CPU.  The bus
 * has a deadline, weather holds the mutex that it wants at the lowest priority, and
 * communication, in between, works for longer than that deadline.  The mutex is one of the
 * C library, or a resource.  host/sim_load.c has the same in simulated time, and
 * host/resource_sim.c by tasks of a pool.
 *
 * Weather releases the other two while it holds the mutex: that there is an inversion is
 * not left to time.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/resource.h>

#include "kselftest_harness.h"

#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL

#define GIVE_UP		(20 * NSEC_PER_SEC)
#define DUE		1ULL		/* a release that has passed */

/* A machine under load stands still for some 10 ms: that decides nothing. */
#define DEADLINE	(2 * NSEC_PER_SEC)
#define COMMUNICATION_NS (5 * NSEC_PER_SEC / 2)
#define WEATHER_NS	(20 * NSEC_PER_MSEC)
#define BUS_NS		(5 * NSEC_PER_MSEC)

enum { BUS, COMMUNICATION, WEATHER, PARTS };

/* What the bus and weather have one at a time. */
enum lock {
	MUTEX_PLAIN,
	MUTEX_INHERITS,
	RESOURCE_PLAIN,
	RESOURCE_INHERITS,
};

/* All of them real-time: when RT throttling stops one, it stops all. */
static const uint8_t levels[PARTS] = {
	[BUS] = HFT_LEVEL_CRITICAL,
	[COMMUNICATION] = HFT_LEVEL_HIGH,
	[WEATHER] = HFT_LEVEL_NORMAL,
};

struct part {
	struct mission *mission;
	struct hft_ring *ring;
	struct hft_worker *worker;
	int policy;
	int priority;
	atomic_bool begun;
	atomic_bool ended;
};

struct mission {
	struct hft *h;
	struct hft_ring *monitor;
	struct part parts[PARTS];
	pthread_mutex_t mutex;
	struct hft_resource *resource;	/* in place of that, or NULL */
	uint64_t deadline;
	int err;			/* of what weather did */
	bool blocked;			/* the bus wanted the mutex, and weather had it */
	bool overtaken;			/* communication was done before the bus had the mutex */
	bool in_order;			/* the bus was done before communication began */
	uint64_t bus_end;
};

static uint64_t clock_now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t kernel_now(void)
{
	return clock_now(CLOCK_MONOTONIC);
}

/* Of the calling thread's own time; the others' is not in it. */
static void execute(uint64_t ns)
{
	uint64_t end = clock_now(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static int try_lock(struct mission *mission)
{
	return mission->resource ? hft_resource_try(mission->resource) :
				   pthread_mutex_trylock(&mission->mutex);
}

static void lock(struct mission *mission)
{
	if (!mission->resource)
		pthread_mutex_lock(&mission->mutex);
	else if (hft_resource_acquire(mission->resource))
		abort();
}

static void unlock(struct mission *mission)
{
	if (!mission->resource)
		pthread_mutex_unlock(&mission->mutex);
	else if (hft_resource_release(mission->resource))
		abort();
}

static void run_bus(struct mission *mission)
{
	execute(BUS_NS);
	if (!try_lock(mission)) {
		unlock(mission);
		return;
	}
	mission->blocked = true;
	lock(mission);
	mission->overtaken = atomic_load(&mission->parts[COMMUNICATION].ended);
	execute(BUS_NS);
	unlock(mission);
	mission->in_order = !atomic_load(&mission->parts[COMMUNICATION].begun);
	mission->bus_end = kernel_now();
}

static void run_communication(void)
{
	uint64_t end = kernel_now() + COMMUNICATION_NS;

	while (kernel_now() < end)
		;
}

static int release(struct mission *mission, unsigned int part, uint64_t deadline)
{
	struct hft_task task = {
		.cookie = part,
		.release = DUE,
		.deadline = deadline,
		.ring = hft_ring_number(mission->parts[part].ring),
		.level = levels[part],
		.flags = deadline ? HFT_TASK_WATCH : 0,
	};

	return hft_submit(mission->h, &task, NULL);
}

static void run_weather(struct mission *mission)
{
	int err;

	lock(mission);
	mission->deadline = kernel_now() + DEADLINE;
	err = release(mission, BUS, mission->deadline);
	mission->err = err ?: release(mission, COMMUNICATION, 0);
	execute(WEATHER_NS);
	unlock(mission);
}

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct part *part = arg;
	struct mission *mission = part->mission;
	struct sched_param param;

	(void)start;
	sched_getparam(0, &param);
	part->policy = sched_getscheduler(0);
	part->priority = param.sched_priority;
	if (mission->resource)
		hft_resource_thread(levels[event->cookie], HFT_RESOURCE_SCHED);
	atomic_store(&part->begun, true);
	if (event->cookie == BUS)
		run_bus(mission);
	else if (event->cookie == COMMUNICATION)
		run_communication();
	else
		run_weather(mission);
	atomic_store(&part->ended, true);
}

/* Workers of soft do without a priority where they have no right to it, and say nothing. */
static int may_be_real_time(void)
{
	struct hft_level_sched sched;
	struct sched_param param = {}, none = {};

	/* The highest: of soft's own thread. */
	hft_level_sched(HFT_LEVEL_REALTIME, &sched);
	param.sched_priority = sched.priority;
	if (sched_setscheduler(0, sched.policy, &param))
		return -errno;
	return sched_setscheduler(0, SCHED_OTHER, &none) ? -errno : 0;
}

static int make_lock(struct mission *mission, enum lock kind)
{
	HFT_OPTS(hft_resource_opts, opts, .name = "bus");
	pthread_mutexattr_t attr;
	int err;

	if (kind == RESOURCE_PLAIN)
		opts.flags = HFT_RESOURCE_NO_LENDING;
	if (kind == RESOURCE_PLAIN || kind == RESOURCE_INHERITS)
		return hft_resource_open(&mission->resource, &opts);
	pthread_mutexattr_init(&attr);
	err = -pthread_mutexattr_setprotocol(&attr, kind == MUTEX_INHERITS ? PTHREAD_PRIO_INHERIT :
									  PTHREAD_PRIO_NONE);
	err = err ?: -pthread_mutex_init(&mission->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return err;
}

static void free_lock(struct mission *mission)
{
	if (mission->resource)
		hft_resource_close(mission->resource);
	else
		pthread_mutex_destroy(&mission->mutex);
}

static int start(struct mission *mission, uint32_t cpu, enum lock kind)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = 64);
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR);
	unsigned int i;
	int err;

	err = make_lock(mission, kind);
	err = err ?: hft_open(&mission->h, &opts);
	err = err ?: hft_ring_open(mission->h, &monitor, &mission->monitor);
	for (i = 0; !err && i < PARTS; i++) {
		struct part *part = &mission->parts[i];
		HFT_OPTS(hft_ring_opts, ring, .cpu = cpu, .level_mask = 1U << levels[i]);
		HFT_OPTS(hft_worker_opts, worker, .fn = body, .arg = part,
			 .flags = HFT_WORKER_NO_LOCK);

		part->mission = mission;
		err = hft_ring_open(mission->h, &ring, &part->ring);
		err = err ?: hft_worker_start(part->ring, &worker, &part->worker);
	}
	return err;
}

static void stop(struct mission *mission)
{
	unsigned int i;

	if (!mission->h)
		return;
	for (i = 0; i < PARTS; i++) {
		hft_worker_stop(mission->parts[i].worker);
		hft_ring_close(mission->parts[i].ring);
	}
	hft_ring_close(mission->monitor);
	hft_close(mission->h);
	free_lock(mission);
}

static bool await_end(struct mission *mission)
{
	uint64_t end = kernel_now() + GIVE_UP;
	unsigned int i = 0;

	while (i < PARTS && kernel_now() < end) {
		if (atomic_load(&mission->parts[i].ended))
			i++;
		else
			usleep(10000);
	}
	return i == PARTS;
}

/* In a test's own body: after a SKIP() in the set-up it would run all the same. */
#define NEEDS_REAL_TIME(self) do {							\
	if ((self)->err)								\
		SKIP(return, "no real-time priority (CAP_SYS_NICE, RLIMIT_RTPRIO): %s",	\
		     strerror(-(self)->err));						\
} while (0)

FIXTURE(pathfinder) {
	struct mission mission;
	uint32_t cpu;
	int err;			/* of asking for real-time priority */
};

FIXTURE_SETUP(pathfinder)
{
	cpu_set_t others;
	uint32_t cpu;

	self->err = may_be_real_time();
	self->cpu = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	if (!self->cpu)
		return;
	/* The test itself stays off the workers' CPU. */
	CPU_ZERO(&others);
	for (cpu = 0; cpu < self->cpu; cpu++)
		CPU_SET(cpu, &others);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(others), &others));
}

FIXTURE_TEARDOWN(pathfinder)
{
	stop(&self->mission);
}

/* What is so with any lock. */
static void fly(struct __test_metadata *_metadata, struct mission *mission, uint32_t cpu,
		enum lock kind)
{
	struct hft_level_sched sched;
	int err = start(mission, cpu, kind);
	uint64_t response;
	unsigned int i;

	ASSERT_EQ(0, err) {
		TH_LOG("%s", hft_strerror(err));
	}
	ASSERT_EQ(0, release(mission, WEATHER, 0));
	ASSERT_TRUE(await_end(mission));
	ASSERT_EQ(0, mission->err);
	ASSERT_TRUE(mission->blocked);
	for (i = 0; i < PARTS; i++) {
		ASSERT_EQ(0, hft_level_sched(levels[i], &sched));
		EXPECT_EQ(sched.policy, mission->parts[i].policy);
		EXPECT_EQ(sched.priority, mission->parts[i].priority);
	}
	response = mission->bus_end - (mission->deadline - DEADLINE);
	TH_LOG("the bus was done %llu ms after its release, its deadline was at %llu ms",
	       (unsigned long long)response / NSEC_PER_MSEC, DEADLINE / NSEC_PER_MSEC);
}

static uint64_t misses(struct mission *mission)
{
	struct hft_stats stats = {};

	hft_stats(mission->h, hft_ring_number(mission->parts[BUS].ring), &stats);
	return stats.deadline_misses;
}

static void expect_miss(struct __test_metadata *_metadata, struct mission *mission)
{
	const struct hft_event *event;

	EXPECT_TRUE(mission->overtaken);
	EXPECT_GT(mission->bus_end, mission->deadline);
	EXPECT_EQ(1, misses(mission));
	ASSERT_LT(0, hft_wait(mission->monitor, kernel_now() + GIVE_UP));
	event = hft_ring_peek(mission->monitor);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(HFT_EVENT_MISS, event->type);
	EXPECT_EQ(BUS, event->cookie);
	/* It was told when it happened, while communication was at work. */
	EXPECT_LT(event->published, mission->bus_end);
	hft_ring_advance(mission->monitor);
}

static void expect_none(struct __test_metadata *_metadata, struct mission *mission)
{
	EXPECT_TRUE(mission->in_order);
	EXPECT_LE(mission->bus_end, mission->deadline);
	EXPECT_EQ(0, misses(mission));
	EXPECT_EQ(NULL, hft_ring_peek(mission->monitor));
}

TEST_F(pathfinder, misses_without_inheritance)
{
	NEEDS_REAL_TIME(self);
	fly(_metadata, &self->mission, self->cpu, MUTEX_PLAIN);
	expect_miss(_metadata, &self->mission);
}

TEST_F(pathfinder, meets_with_inheritance)
{
	NEEDS_REAL_TIME(self);
	fly(_metadata, &self->mission, self->cpu, MUTEX_INHERITS);
	expect_none(_metadata, &self->mission);
}

TEST_F(pathfinder, misses_with_a_resource_that_lends_nothing)
{
	NEEDS_REAL_TIME(self);
	fly(_metadata, &self->mission, self->cpu, RESOURCE_PLAIN);
	expect_miss(_metadata, &self->mission);
}

TEST_F(pathfinder, meets_with_a_resource)
{
	NEEDS_REAL_TIME(self);
	fly(_metadata, &self->mission, self->cpu, RESOURCE_INHERITS);
	expect_none(_metadata, &self->mission);
}

TEST_HARNESS_MAIN
