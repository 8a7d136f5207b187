// SPDX-License-Identifier: GPL-2.0-only
/*
 * The n-th allocation of the executor fails, for each n until none does: what was asked for
 * is -ENOMEM or done all the same, nothing is lost, and what was there works on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/resource.h>
#include <hft/strand.h>

#include "no_memory.h"

#define MSEC		1000000ULL
#define PATIENCE	(hft_now() + 100000 * MSEC)

/* More than a deque, a chunk of a slab and the queue have room for. */
#define TASKS		1200
#define NODES		300
#define ATTEMPTS	2000

/* What was there before, and is to work on. */
static struct hft_pool *before;
static struct hft *soft;

static void note(int *first, int err)
{
	if (err && !*first)
		*first = err;
}

static int open_pool(struct hft_pool **pool)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED);

	return hft_pool_open(pool, &opts);
}

struct work {
	struct hft_group *group;
	atomic_int *ran;
	atomic_int *spawned;
	int children;
};

static int64_t count_run(void *args)
{
	atomic_fetch_add(((struct work *)args)->ran, 1);
	return 0;
}

static int64_t spawn_children(void *args)
{
	const struct work *work = args;
	int i;

	for (i = 0; i < work->children; i++) {
		if (!hft_group_spawn(work->group, count_run, work, sizeof(*work)))
			atomic_fetch_add(work->spawned, 1);
	}
	return count_run(args);
}

/* Each spawn that says that it has been done has. */
static int use_pool(struct hft_pool *pool)
{
	atomic_int ran = 0, spawned = 0;
	struct hft_token token = {};
	struct hft_memory memory = {};
	struct hft_group group;
	struct work work = { &group, &ran, &spawned, TASKS };
	HFT_OPTS(hft_spawn_opts, opts, .group = &group, .token = &token, .expires = PATIENCE);
	char big[200] = {};
	struct hft_handle handle;
	int64_t result = -1;
	int i, err, first = 0;

	hft_group_init(&group, pool);
	for (i = 0; i < TASKS; i++) {
		err = hft_group_spawn(&group, i ? count_run : spawn_children, &work, sizeof(work));
		note(&first, err);
		spawned += !err;
	}
	for (i = 0; i < TASKS; i++) {
		opts.deadline = i % 2 ? PATIENCE : 0;
		opts.memory = i % 3 ? NULL : &memory;
		opts.level = (uint32_t)i % (1 + HFT_LEVELS);
		opts.worker = i % 7 ? 0 : 1;
		if (opts.worker)
			opts.memory = NULL;
		err = hft_spawn_opts(pool, count_run, &work, sizeof(work), &opts, NULL);
		note(&first, err);
		spawned += !err;
	}
	memcpy(big, &work, sizeof(work));
	err = hft_spawn_opts(pool, count_run, big, sizeof(big), NULL, &handle);
	note(&first, err);
	if (!err) {
		spawned++;
		assert_int_equal(hft_join(&handle, PATIENCE, &result), 0);
		assert_int_equal(result, 0);
	}
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(ran, spawned);
	return first;
}

static int try_pool(void)
{
	struct hft_pool *pool = NULL;
	int err = open_pool(&pool), worker;

	if (err) {
		assert_null(pool);
		return err;
	}
	err = use_pool(pool);
	worker = hft_pool_add_worker(pool, 0);
	if (worker >= 0)
		assert_int_equal(hft_pool_remove_worker(pool, (uint32_t)worker), 0);
	else
		note(&err, worker);
	note(&err, use_pool(pool));
	hft_pool_close(pool);
	return err;
}

/* With tasks that have a release. */
static int try_releases(void)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED, .hft = soft);
	atomic_int ran = 0, spawned = 0;
	struct hft_pool *pool = NULL;
	struct hft_group group;
	struct work work = { &group, &ran, &spawned, 0 };
	int i, err, first = hft_pool_open(&pool, &opts);

	if (first) {
		assert_null(pool);
		return first;
	}
	hft_group_init(&group, pool);
	for (i = 0; i < TASKS; i++) {
		HFT_OPTS(hft_spawn_opts, spawn, .group = &group, .release = hft_now());

		spawn.worker = (uint32_t)i % 3;
		err = hft_spawn_opts(pool, count_run, &work, sizeof(work), &spawn, NULL);
		note(&first, err);
		spawned += !err;
	}
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(ran, spawned);
	hft_pool_close(pool);
	return first;
}

static void *use_from_thread(void *arg)
{
	int *err = arg;

	*err = use_pool(before);
	return NULL;
}

/* A thread that has never spawned. */
static int try_thread(void)
{
	pthread_t thread;
	int err = 0;

	if (pthread_create(&thread, NULL, use_from_thread, &err))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return err;
}

static int run_node(void *arg, const struct hft_node_call *call)
{
	(void)call;
	atomic_fetch_add((atomic_int *)arg, 1);
	return 0;
}

static int make_graph(struct hft_graph *graph, atomic_int *ran, struct hft_memory *book)
{
	HFT_OPTS(hft_node_opts, opts, .fn = run_node, .arg = ran, .cost_ns = 5000);
	char name[16];
	int i, err = 0;

	for (i = 0; i < NODES && err >= 0; i++) {
		snprintf(name, sizeof(name), "node %d", i);
		opts.name = i % 2 ? name : NULL;
		opts.memory = i % 3 ? NULL : book;
		err = hft_graph_add_node(graph, &opts);
		if (err > 0)
			err = hft_graph_add_edge(graph, (uint32_t)(i - 1) / 2, (uint32_t)i, 100);
	}
	return err < 0 ? err : hft_graph_seal(graph);
}

static int use_graph(struct hft_graph *graph, atomic_int *ran)
{
	HFT_OPTS(hft_schedule_opts, opts, .workers = 3);
	HFT_OPTS(hft_run_result, result);
	struct hft_node_slot *slots = calloc(NODES, sizeof(*slots));
	HFT_OPTS(hft_run_opts, urgent, .deadline = PATIENCE);
	struct hft_run *run = NULL;
	uint64_t makespan;
	int err, first = slots ? 0 : -ENOMEM;

	if (slots) {
		note(&first, hft_graph_schedule(graph, &opts, slots, &makespan));
		note(&first, hft_graph_place(graph, &opts, slots, &makespan));
	}
	free(slots);
	*ran = 0;
	err = hft_graph_run(graph, NULL, &result);
	note(&first, err);
	if (!err)
		assert_int_equal(*ran, NODES);
	*ran = 0;
	err = hft_graph_start(graph, &urgent, &run);
	note(&first, err);
	if (err) {
		assert_int_equal(*ran, 0);
		return first;
	}
	/* Without helping: that somebody runs it is not this thread's to see to. */
	while ((err = hft_run_wait(run, 0, &result)) == -ETIMEDOUT)
		usleep(20);
	assert_int_equal(err, 0);
	assert_int_equal(*ran, NODES);
	return first;
}

static int try_graph(void)
{
	HFT_OPTS(hft_graph_opts, opts, .pool = before, .reserved = 1);
	struct hft_memory book = { .miss_ns = 100000 };
	struct hft_graph *graph = NULL;
	atomic_int ran = 0;
	int err = hft_graph_open(&graph, &opts);

	if (err)
		return err;
	err = make_graph(graph, &ran, &book);
	if (!err) {
		err = use_graph(graph, &ran);
		note(&err, use_graph(graph, &ran));
	}
	hft_graph_close(graph);
	return err;
}

static int try_strands(void)
{
	HFT_OPTS(hft_strands_opts, opts, .keys = 64);
	HFT_OPTS(hft_post_opts, post);
	atomic_int ran = 0, spawned = 0;
	struct work work = { NULL, &ran, &spawned, 0 };
	struct hft_strands *strands;
	struct hft_group group;
	struct hft_pool *pool;
	int i, err, first = open_pool(&pool);

	if (first)
		return first;
	opts.pool = pool;
	first = hft_strands_open(&strands, &opts);
	if (first) {
		hft_pool_close(pool);
		return first;
	}
	hft_group_init(&group, pool);
	post.group = &group;
	for (i = 0; i < TASKS; i++) {
		post.level = (uint32_t)i % (1 + HFT_LEVELS);
		err = hft_post_opts(strands, (uint64_t)i % 100, count_run, &work, sizeof(work),
				    &post);
		note(&first, err);
		spawned += !err;
	}
	assert_int_equal(hft_group_wait(&group, PATIENCE), 0);
	assert_int_equal(ran, spawned);
	assert_int_equal(hft_strands_keys(strands), 0);
	hft_strands_close(strands);
	hft_pool_close(pool);
	return first;
}

static void *use_resource(void *arg)
{
	struct hft_resource *resource = arg;
	int i, err = 0;

	for (i = 0; i < 3 && !err; i++) {
		err = hft_resource_acquire(resource);
		if (err)
			break;
		usleep(100);
		assert_int_equal(hft_resource_release(resource), 0);
		err = hft_resource_timed_share(resource, PATIENCE);
		if (!err)
			assert_int_equal(hft_resource_release(resource), 0);
	}
	return (void *)(intptr_t)err;
}

/* Of two threads that have never had one. */
static int try_resources(void)
{
	HFT_OPTS(hft_resource_opts, opts, .name = "a book");
	struct hft_resource *resource;
	pthread_t threads[2];
	bool started[2];
	void *result;
	int i, err = hft_resource_open(&resource, &opts);

	if (err)
		return err;
	for (i = 0; i < 2; i++) {
		started[i] = !pthread_create(&threads[i], NULL, use_resource, resource);
		note(&err, started[i] ? 0 : -EAGAIN);
	}
	for (i = 0; i < 2; i++) {
		if (!started[i])
			continue;
		pthread_join(threads[i], &result);
		note(&err, (int)(intptr_t)result);
	}
	assert_int_equal(hft_resource_close(resource), 0);
	return err;
}

static int set_up(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");

	(void)state;
	return open_pool(&before) || hft_open(&soft, &opts);
}

static int tear_down(void **state)
{
	(void)state;
	hft_pool_close(before);
	hft_close(soft);
	return 0;
}

static void each_allocation_fails_once(int (*scenario)(void))
{
	bool has_own_pool = scenario == try_pool || scenario == try_strands ||
			    scenario == try_releases;
	long n, held, failed = 0;
	int err;

	/* What the library keeps for the next time. */
	assert_int_equal(use_pool(before), 0);
	assert_int_equal(scenario(), 0);
	for (n = 1; n <= ATTEMPTS; n++) {
		bool fired;

		held = atomic_load(&live);
		fired = attempt(scenario, n, &err);
		if (err && err != -ENOMEM && err != -EAGAIN)
			fail_msg("the %ld. allocation failed: %s", n, hft_strerror(err));
		failed += !!err;
		/* The pool from before may have more than it had. */
		if (has_own_pool && atomic_load(&live) > held)
			fail_msg("the %ld. allocation failed: %ld are left", n,
				 atomic_load(&live) - held);
		assert_int_equal(use_pool(before), 0);
		if (!fired)
			break;
	}
	assert_int_equal(err, 0);
	print_message("%ld allocations, %ld of which were told of\n", n - 1, failed);
}

static void of_pools(void **state)
{
	(void)state;
	each_allocation_fails_once(try_pool);
}

static void of_releases(void **state)
{
	(void)state;
	each_allocation_fails_once(try_releases);
}

static void of_threads_that_spawn(void **state)
{
	(void)state;
	each_allocation_fails_once(try_thread);
}

static void of_graphs(void **state)
{
	(void)state;
	each_allocation_fails_once(try_graph);
}

static void of_strands(void **state)
{
	(void)state;
	each_allocation_fails_once(try_strands);
}

static void of_resources(void **state)
{
	(void)state;
	each_allocation_fails_once(try_resources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_pools, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_releases, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_threads_that_spawn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_graphs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_strands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_resources, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
