// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * Mars Pathfinder, 1997 (HFT_TEST_DATA: sched/deadlock_and_inversion.json), by tasks of a
 * pool with one worker, in simulated time: weather has the bus before its turn has come,
 * and the bus' own task, which has a deadline, waits for it.  libhft/pathfinder.c has the
 * same by real threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/resource.h>

#define MSEC		1000000ULL
#define CYCLE		(125 * MSEC)
#define CYCLES		20

/* Of a cycle: what is released when, and how long it takes. */
static const struct part {
	const char *name;
	uint64_t release;
	uint64_t takes;
	uint64_t deadline;		/* 0: none */
	uint32_t times;
	enum hft_level level;
	bool bus;			/* it needs that */
} parts[] = {
	{ "communication", 0, 30 * MSEC, 0, 3, HFT_LEVEL_NORMAL, false },
	{ "weather", 5 * MSEC, 5 * MSEC, 0, 1, HFT_LEVEL_LOW, true },
	{ "distribution", 10 * MSEC, 20 * MSEC, 100 * MSEC, 1, HFT_LEVEL_HIGH, true },
};

#define PARTS		(sizeof(parts) / sizeof(parts[0]))

struct mission {
	struct hft *h;
	struct hft_pool *pool;
	struct hft_resource *bus;
	struct hft_group group;
	uint64_t begin;
	uint64_t latest[PARTS];		/* end, from the begin of the cycle */
};

struct job {
	struct mission *mission;
	uint32_t part;
	uint64_t cycle;
};

static int64_t work(void *args)
{
	const struct job *job = args;
	struct mission *mission = job->mission;
	uint64_t *latest = &mission->latest[job->part], end;

	hft_spin_until(hft_now() + parts[job->part].takes);
	end = hft_now() - job->cycle;
	if (end > *latest)
		*latest = end;
	return 0;
}

static void release(struct mission *mission, uint32_t part, uint64_t cycle)
{
	const struct hft_required required = { .resource = mission->bus };
	struct job job = { mission, part, cycle };
	HFT_OPTS(hft_spawn_opts, opts, .group = &mission->group, .level = 1 + parts[part].level,
		 .release = cycle + parts[part].release);

	if (parts[part].deadline)
		opts.deadline = cycle + parts[part].deadline;
	if (parts[part].bus) {
		opts.resources = &required;
		opts.nr_resources = 1;
	}
	assert_int_equal(hft_spawn_opts(mission->pool, work, &job, sizeof(job), &opts, NULL), 0);
}

/* Returns how many were late. */
static uint64_t fly(uint32_t flags, struct mission *mission)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "seed=1,cpus=1");
	HFT_OPTS(hft_pool_opts, pool, .workers = 1, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_resource_opts, bus, .name = "bus", .flags = flags);
	struct hft_pool_stats stats = { .sz = sizeof(stats) };
	uint32_t i, part, n;

	*mission = (struct mission){};
	assert_int_equal(hft_resource_open(&mission->bus, &bus), 0);
	assert_int_equal(hft_open(&mission->h, &opts), 0);
	pool.hft = mission->h;
	assert_int_equal(hft_pool_open(&mission->pool, &pool), 0);
	hft_group_init(&mission->group, mission->pool);
	mission->begin = hft_now() + CYCLE;
	for (i = 0; i < CYCLES; i++) {
		for (part = 0; part < PARTS; part++) {
			for (n = 0; n < parts[part].times; n++)
				release(mission, part, mission->begin + i * CYCLE);
		}
	}
	assert_int_equal(hft_group_wait(&mission->group, UINT64_MAX), 0);
	assert_int_equal(hft_pool_stats(mission->pool, HFT_POOL_ALL, &stats), 0);
	hft_pool_close(mission->pool);
	hft_close(mission->h);
	assert_int_equal(hft_resource_close(mission->bus), 0);
	for (part = 0; part < PARTS; part++)
		print_message("%s: done %.1f ms after the begin of its cycle at the latest\n",
			      parts[part].name, (double)mission->latest[part] / MSEC);
	return stats.late;
}

static void it_misses_without_inheritance(void **state)
{
	struct mission mission;

	(void)state;
	assert_int_equal(fly(HFT_RESOURCE_NO_LENDING, &mission), CYCLES);
}

/* Weather is the next to run, whatever is of a level in between. */
static void it_misses_nothing_with_inheritance(void **state)
{
	struct mission mission, again;

	(void)state;
	assert_int_equal(fly(0, &mission), 0);
	assert_true(mission.latest[2] <= 56 * MSEC);
	/* The same each time. */
	assert_int_equal(fly(0, &again), 0);
	assert_memory_equal(again.latest, mission.latest, sizeof(again.latest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_misses_without_inheritance),
		cmocka_unit_test(it_misses_nothing_with_inheritance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
