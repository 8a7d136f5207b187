// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Opening pools: how many workers, on which CPUs, and how far these are from each other. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "pool/internal.h"

/* Two packages, of each a node, two caches, four cores and eight CPUs. */
#define MACHINE		"pack:2 [numa] l3:2 core:2 pu:2"

static void distances_are_those_of_the_machine(void **state)
{
	static const struct {
		uint32_t from;
		uint32_t to;
		enum hft_distance distance;
	} pairs[] = {
		{ 0, 0, HFT_DISTANCE_CORE },
		{ 0, 1, HFT_DISTANCE_CORE },
		{ 1, 2, HFT_DISTANCE_CACHE },
		{ 3, 0, HFT_DISTANCE_CACHE },
		{ 3, 4, HFT_DISTANCE_NODE },
		{ 7, 0, HFT_DISTANCE_NODE },
		{ 7, 8, HFT_DISTANCE_REMOTE },
		{ 15, 0, HFT_DISTANCE_REMOTE },
		{ 14, 15, HFT_DISTANCE_CORE },
		{ 0, 16, HFT_DISTANCE_REMOTE },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(hft_topology_distance(NULL, pairs[i].from, pairs[i].to),
				 pairs[i].distance);
		assert_int_equal(hft_topology_distance(NULL, pairs[i].to, pairs[i].from),
				 pairs[i].distance);
	}
}

static int64_t cpu(void *args)
{
	(void)args;
	return sched_getcpu();
}

static int64_t cpu_of(struct hft_pool *pool, uint32_t worker)
{
	HFT_OPTS(hft_spawn_opts, opts, .worker = 1 + worker);
	struct hft_handle handle;
	int64_t result;

	assert_int_equal(hft_spawn_opts(pool, cpu, NULL, 0, &opts, &handle), 0);
	assert_int_equal(hft_join(&handle, UINT64_MAX, &result), 0);
	return result;
}

/* One for each CPU, on it. */
static void workers_are_where_the_caller_may_be(void **state)
{
	HFT_OPTS(hft_pool_stats, stats);
	struct hft_pool *pool;
	uint32_t worker;
	cpu_set_t cpus;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	assert_int_equal(hft_pool_open(&pool, NULL), 0);
	assert_int_equal(hft_pool_workers(pool), CPU_COUNT(&cpus));
	for (worker = 0; worker < hft_pool_workers(pool); worker++) {
		assert_int_equal(hft_pool_stats(pool, worker, &stats), 0);
		assert_true(CPU_ISSET(stats.cpu, &cpus));
		CPU_CLR(stats.cpu, &cpus);
		assert_int_equal(cpu_of(pool, worker), stats.cpu);
	}
	hft_pool_close(pool);
}

static void workers_are_on_the_cpus_that_are_named(void **state)
{
	uint32_t cpus[3], first = 0;
	HFT_OPTS(hft_pool_opts, opts, .workers = 3, .cpus = cpus);
	struct hft_pool *pool;
	cpu_set_t mine;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(mine), &mine), 0);
	while (!CPU_ISSET(first, &mine))
		first++;
	cpus[0] = cpus[1] = cpus[2] = first;
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	assert_int_equal(cpu_of(pool, 2), first);
	assert_int_equal(hft_pool_distance(pool, 0, 2), HFT_DISTANCE_CORE);
	assert_int_equal(hft_pool_add_worker(pool, CPU_SETSIZE), -EINVAL);
	hft_pool_close(pool);

	cpus[1] = CPU_SETSIZE - 1;
	if (!CPU_ISSET(cpus[1], &mine))
		assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	opts.workers = 0;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	opts.workers = HFT_POOL_WORKERS_MAX + 1;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
	opts.workers = 3;
	opts.flags = 1U << 31;
	assert_int_equal(hft_pool_open(&pool, &opts), -EINVAL);
}

/* On a machine, where they cost little. */
static void workers_are_so_many_at_most(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=300");
	HFT_OPTS(hft_pool_opts, pool_opts);
	struct hft_pool *pool;
	struct hft *h;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), 0);
	pool_opts.hft = h;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	assert_int_equal(hft_pool_workers(pool), HFT_POOL_WORKERS_MAX);
	assert_int_equal(hft_pool_add_worker(pool, 0), -ENOSPC);
	assert_int_equal(hft_pool_add_worker(pool, 300), -EINVAL);
	assert_int_equal(hft_pool_remove_worker(pool, 17), 0);
	assert_int_equal(hft_pool_remove_worker(pool, 17), -ENOENT);
	assert_int_equal(hft_pool_add_worker(pool, 299), 17);
	hft_pool_close(pool);
	hft_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances_are_those_of_the_machine),
		cmocka_unit_test(workers_are_where_the_caller_may_be),
		cmocka_unit_test(workers_are_on_the_cpus_that_are_named),
		cmocka_unit_test(workers_are_so_many_at_most),
	};

	/* What the library is told instead of the machine that this runs on. */
	setenv("HWLOC_SYNTHETIC", MACHINE, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
