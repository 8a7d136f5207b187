// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Tasks that may not run anywhere: which worker they go to, and which ring. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "engine/internal.h"

/* Two nodes of two cores. */
#define MACHINE		"pack:2 [numa] core:2 pu:1"
#define WORKERS		4

static struct hft_topology *machine;
static struct hft *h;
static struct hft_pool *pool;

/* A machine of which worker n is on CPU n. */
static int open_pool(void **state)
{
	static const uint32_t cpus[WORKERS] = { 0, 1, 2, 3 };
	HFT_OPTS(hft_topology_opts, machine_opts, .synthetic = MACHINE);
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=4");
	HFT_OPTS(hft_place_opts, place, .policy = HFT_PLACE_LIST, .cpus = cpus, .nr_cpus = WORKERS);
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = WORKERS, .place = &place);

	(void)state;
	assert_int_equal(hft_topology_open(&machine, &machine_opts), 0);
	assert_int_equal(hft_open(&h, &opts), 0);
	place.topology = machine;
	pool_opts.hft = h;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	return 0;
}

static int close_pool(void **state)
{
	(void)state;
	hft_pool_close(pool);
	hft_close(h);
	hft_topology_close(machine);
	return 0;
}

static int64_t where(void *args)
{
	hft_spin_until(hft_now() + *(uint64_t *)args);
	return hft_pool_worker();
}

/* Where a task runs that takes so long. */
static int64_t run(const struct hft_spawn_opts *opts, uint64_t ns)
{
	struct hft_handle handle;
	int64_t result;

	assert_int_equal(hft_spawn_opts(pool, where, &ns, sizeof(ns), opts, &handle), 0);
	assert_int_equal(hft_join(&handle, UINT64_MAX, &result), 0);
	return result;
}

/* Bit n: tasks at the same time have run on worker n. */
static uint32_t run_many(struct hft_spawn_opts *opts, int nr)
{
	struct hft_handle handles[64];
	uint64_t ns = 10000;
	uint32_t ran = 0;
	int64_t result;
	int i;

	for (i = 0; i < nr; i++)
		assert_int_equal(hft_spawn_opts(pool, where, &ns, sizeof(ns), opts,
						&handles[i]), 0);
	for (i = 0; i < nr; i++) {
		assert_int_equal(hft_join(&handles[i], UINT64_MAX, &result), 0);
		assert_in_range(result, 0, WORKERS - 1);
		ran |= 1U << result;
	}
	return ran;
}

static void a_task_stays_on_its_cpus(void **state)
{
	static const uint32_t cpus[] = { 3, 1 };
	HFT_OPTS(hft_affinity, affinity, .cpus = cpus, .nr_cpus = 2);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);

	(void)state;
	assert_int_equal(run_many(&opts, 64), 1U << 1 | 1U << 3);
	opts.deadline = 1;
	assert_int_equal(run_many(&opts, 64), 1U << 1 | 1U << 3);
	affinity.nr_cpus = 1;
	assert_int_equal(run_many(&opts, 20), 1U << 3);
	opts.release = opts.deadline = hft_now() + 1000000;
	assert_int_equal(run_many(&opts, 5), 1U << 3);
}

static void a_task_stays_on_its_node(void **state)
{
	HFT_OPTS(hft_affinity, affinity);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	static const uint32_t cpus[] = { 0, 2 };

	(void)state;
	for (affinity.node = 1; affinity.node <= 2; affinity.node++)
		assert_int_equal(run_many(&opts, 64), 3U << (2 * affinity.node - 2));
	affinity.node = 2;
	affinity.cpus = cpus;
	affinity.nr_cpus = 2;
	assert_int_equal(run_many(&opts, 20), 1U << 2);
}

/* To who has less to do. */
static void it_goes_where_there_is_less(void **state)
{
	HFT_OPTS(hft_affinity, affinity, .node = 1);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	HFT_OPTS(hft_spawn_opts, load, .worker = 1 + 0, .cost_ns = 1000000);
	uint64_t ns = 1000000;
	struct hft_handle handle;
	int64_t result;
	int i;

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, sizeof(ns), &load, &handle), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(run(&opts, 10), 1);
	assert_int_equal(hft_join(&handle, UINT64_MAX, &result), 0);
	assert_int_equal(result, 0);
}

static void a_task_follows_its_region(void **state)
{
	struct hft_region region = { .sz = sizeof(region), .node = 1 };
	HFT_OPTS(hft_affinity, affinity, .region = &region);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	static const uint32_t cpus[] = { 0, 1 };

	(void)state;
	assert_int_equal(run_many(&opts, 64), 3U << 2);
	region.node = 0;
	assert_int_equal(run_many(&opts, 64), 3U << 0);
	/* Nobody is there, or nobody knows where that is: anywhere. */
	region.node = 7;
	assert_int_equal(run_many(&opts, 64), 15);
	region.node = HFT_NONE;
	assert_int_equal(run_many(&opts, 64), 15);
	/* Where it may not go it does not. */
	region.node = 1;
	affinity.cpus = cpus;
	affinity.nr_cpus = 2;
	assert_int_equal(run_many(&opts, 64), 3);
}

static void what_it_touched_decides_where_it_may(void **state)
{
	struct hft_memory memory = { .last = 1 + 1, .miss_ns = 1000 };
	HFT_OPTS(hft_affinity, affinity, .node = 1);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity, .memory = &memory);
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(run(&opts, 10), 1);
	memory.last = 1 + 3;
	assert_in_range(run(&opts, 10), 0, 1);
	assert_in_range(memory.last, 1, 2);
}

static void there_may_be_nobody(void **state)
{
	static const uint32_t cpus[] = { 7 };
	HFT_OPTS(hft_affinity, affinity, .cpus = cpus, .nr_cpus = 1);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	struct hft_handle handle;
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -ENODEV);
	affinity.cpus = NULL;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -EINVAL);
	affinity.nr_cpus = 0;
	affinity.node = 9;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -ENODEV);
	affinity.sz = 4;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -EINVAL);
	/* Its own worker decides. */
	affinity.sz = sizeof(affinity);
	opts.worker = 1 + 2;
	assert_int_equal(run(&opts, 0), 2);
}

/* One of its two workers leaves: what comes then goes to the other; then there is none. */
static void workers_leave(void **state)
{
	HFT_OPTS(hft_affinity, affinity, .node = 2);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	struct hft_region region = { .sz = sizeof(region), .node = 1 };
	struct hft_handle handle;
	uint64_t ns = 0;

	(void)state;
	assert_int_equal(hft_pool_remove_worker(pool, 2), 0);
	assert_int_equal(run_many(&opts, 30), 1U << 3);
	assert_int_equal(hft_pool_remove_worker(pool, 3), 0);
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -ENODEV);
	affinity.node = 0;
	affinity.region = &region;
	assert_int_equal(run_many(&opts, 30), 3);
	assert_int_equal(hft_pool_add_worker(pool, 3), 2);
	assert_int_equal(run_many(&opts, 30), 1U << 2);
	assert_int_equal(hft_pool_add_worker(pool, 2), 3);
	assert_int_equal(run_many(&opts, 30), 3U << 2);
}

static const struct hft_backend *real_backend;
static uint32_t offline;	/* bit n: CPU n is */

/* As the module does with rings of a CPU that is offline. */
static int submit_online(struct hft *handle, const struct hft_task *task, uint64_t *id)
{
	const struct hft_ring *ring;

	for (ring = handle->rings; ring; ring = ring->next) {
		if (ring->number == task->ring && offline >> ring->cpu & 1)
			return -ENODEV;
	}
	return real_backend->submit(handle, task, id);
}

/* Tasks with a release are the handle's, whose rings do not take them all. */
static void cpus_are_offline(void **state)
{
	HFT_OPTS(hft_affinity, affinity, .node = 2);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity,
		 .release = hft_sim_now(hft_sim_of(h)) + 1000000);
	struct hft_region region = { .sz = sizeof(region), .node = 1 };
	struct hft_backend backend = *h->backend;
	struct hft_handle handle;
	uint64_t ns = 0;
	int i;

	(void)state;
	real_backend = h->backend;
	backend.submit = submit_online;
	h->backend = &backend;
	offline = 1U << 2;
	for (i = 0; i < 4; i++)
		assert_int_equal(run(&opts, 0), 3);
	offline = 3U << 2;
	assert_int_equal(hft_spawn_opts(pool, where, &ns, 8, &opts, &handle), -ENODEV);
	affinity.node = 0;
	affinity.region = &region;
	assert_in_range(run(&opts, 0), 0, 1);
	h->backend = real_backend;
}

static atomic_bool done;

static void *come_and_go(void *arg)
{
	struct hft_pool *real = arg;

	while (!atomic_load(&done)) {
		assert_int_equal(hft_pool_remove_worker(real, 1), 0);
		assert_int_equal(hft_pool_add_worker(real, 0), 1);
	}
	return NULL;
}

/* In threads: each task ends, on a worker of its CPU or with -ENODEV. */
static void workers_come_and_go(void **state)
{
	static const uint32_t cpus[2] = { 0, 0 };
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2, .cpus = cpus);
	HFT_OPTS(hft_affinity, affinity, .cpus = cpus, .nr_cpus = 1);
	HFT_OPTS(hft_spawn_opts, opts, .affinity = &affinity);
	struct hft_handle handles[100];
	struct hft_pool *real;
	uint64_t ns = 0;
	pthread_t thread;
	int64_t result;
	int i, j;

	(void)state;
	if (hft_pool_open(&real, &pool_opts))
		skip();		/* CPU 0 is not ours */
	atomic_store(&done, false);
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, real), 0);
	for (i = 0; i < 50; i++) {
		for (j = 0; j < 100; j++)
			assert_int_equal(hft_spawn_opts(real, where, &ns, 8, &opts,
							&handles[j]), 0);
		for (j = 0; j < 100; j++) {
			assert_int_equal(hft_join(&handles[j], UINT64_MAX, &result), 0);
			assert_true(result == 0 || result == 1 || result == -ENODEV);
		}
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	hft_pool_close(real);
}

static void a_ring_is_chosen(void **state)
{
	static const uint32_t one[] = { 1 }, none[] = { 99 };
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_affinity, affinity, .cpus = one, .nr_cpus = 1);
	HFT_OPTS(hft_ring_opts, ring_opts);
	struct hft_ring *rings[3];
	struct hft *soft;

	(void)state;
	assert_int_equal(hft_open(&soft, &opts), 0);
	assert_int_equal(hft_route(soft, NULL, HFT_LEVEL_NORMAL), -ENODEV);
	ring_opts.level_mask = 1U << HFT_LEVEL_HIGH;
	assert_int_equal(hft_ring_open(soft, &ring_opts, &rings[0]), 0);
	assert_int_equal(hft_route(soft, NULL, HFT_LEVEL_NORMAL), -ENODEV);
	assert_int_equal(hft_route(soft, NULL, HFT_LEVEL_HIGH), hft_ring_number(rings[0]));
	ring_opts.level_mask = 0;
	assert_int_equal(hft_ring_open(soft, &ring_opts, &rings[1]), 0);
	assert_int_equal(hft_route(soft, NULL, HFT_LEVEL_NORMAL), hft_ring_number(rings[1]));
	assert_int_equal(hft_route(soft, &affinity, HFT_LEVEL_NORMAL), -ENODEV);
	ring_opts.cpu = 1;
	if (!hft_ring_open(soft, &ring_opts, &rings[2])) {
		assert_int_equal(hft_route(soft, &affinity, HFT_LEVEL_NORMAL),
				 hft_ring_number(rings[2]));
		hft_ring_close(rings[2]);
	}
	affinity.cpus = none;
	assert_int_equal(hft_route(soft, &affinity, HFT_LEVEL_NORMAL), -ENODEV);
	assert_int_equal(hft_route(soft, NULL, HFT_LEVELS), -EINVAL);
	affinity.nr_cpus = 0;
	assert_int_equal(hft_route(soft, &affinity, HFT_LEVEL_NORMAL), -EINVAL);
	hft_ring_close(rings[0]);
	hft_ring_close(rings[1]);
	hft_close(soft);
}

#define ON_MACHINE(test)	cmocka_unit_test_setup_teardown(test, open_pool, close_pool)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MACHINE(a_task_stays_on_its_cpus),
		ON_MACHINE(a_task_stays_on_its_node),
		ON_MACHINE(it_goes_where_there_is_less),
		ON_MACHINE(a_task_follows_its_region),
		ON_MACHINE(what_it_touched_decides_where_it_may),
		ON_MACHINE(there_may_be_nobody),
		ON_MACHINE(workers_leave),
		ON_MACHINE(cpus_are_offline),
		cmocka_unit_test(workers_come_and_go),
		cmocka_unit_test(a_ring_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
