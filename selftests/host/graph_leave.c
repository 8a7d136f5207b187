// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Runs of a graph whose reserved worker leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include <hft/graph.h>
#include <hft/hft.h>

#define MSEC		1000000ULL
#define PATIENCE	(20000 * MSEC)
#define DEAR		1000000		/* ns: worth another worker */

static void wait_for_post(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static int add_node(struct hft_graph *graph, uint64_t cost, hft_node_fn fn, void *arg)
{
	HFT_OPTS(hft_node_opts, opts, .cost_ns = cost, .fn = fn, .arg = arg);
	int node = hft_graph_add_node(graph, &opts);

	assert_true(node >= 0);
	return node;
}

/* A pool of a worker and of a reserved one, which leaves. */
struct leaving {
	struct hft_pool *pool;
	sem_t path_began;
	sem_t busy;
	sem_t about_to_leave;
	_Atomic bool done;
};

static int wait_for_path(void *arg, const struct hft_node_call *call)
{
	struct leaving *leaving = arg;

	(void)call;
	wait_for_post(&leaving->path_began);
	return 0;
}

/* Of a higher level: what the reserved worker does before the next node. */
static int64_t keep_until_it_leaves(void *args)
{
	struct leaving *leaving = *(struct leaving **)args;

	sem_post(&leaving->busy);
	wait_for_post(&leaving->about_to_leave);
	usleep(20000);
	return 0;
}

static uint64_t executed(struct hft_pool *pool, uint32_t worker)
{
	HFT_OPTS(hft_pool_stats, stats);

	assert_int_equal(hft_pool_stats(pool, worker, &stats), 0);
	return stats.executed;
}

/* The other worker has nothing to do any more when it ends. */
static int make_way(void *arg, const struct hft_node_call *call)
{
	struct leaving *leaving = arg;
	HFT_OPTS(hft_spawn_opts, opts, .worker = 2, .level = 1 + HFT_LEVEL_REALTIME);

	(void)call;
	sem_post(&leaving->path_began);
	while (!executed(leaving->pool, 0))
		usleep(1000);
	return hft_spawn_opts(leaving->pool, keep_until_it_leaves, &leaving, sizeof(leaving),
			      &opts, NULL);
}

static int finish(void *arg, const struct hft_node_call *call)
{
	struct leaving *leaving = arg;

	(void)call;
	atomic_store(&leaving->done, true);
	return 0;
}

static void *leave(void *arg)
{
	struct leaving *leaving = arg;

	sem_post(&leaving->about_to_leave);
	return hft_pool_remove_worker(leaving->pool, 1) ? NULL : leaving;
}

static struct hft_graph *open_leaving(struct leaving *leaving)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 2, .reserved = 1, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_graph_opts, opts, .reserved = 2, .fixed_costs = true);
	struct hft_graph *graph;

	assert_int_equal(hft_pool_open(&leaving->pool, &pool), 0);
	opts.pool = leaving->pool;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	add_node(graph, DEAR, NULL, NULL);
	add_node(graph, DEAR, wait_for_path, leaving);
	add_node(graph, 2 * DEAR, make_way, leaving);
	add_node(graph, 2 * DEAR, finish, leaving);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), 0);
	assert_int_equal(hft_graph_add_edge(graph, 0, 2, 0), 0);
	assert_int_equal(hft_graph_add_edge(graph, 2, 3, 0), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	sem_init(&leaving->path_began, 0, 0);
	sem_init(&leaving->busy, 0, 0);
	sem_init(&leaving->about_to_leave, 0, 0);
	return graph;
}

/* It has made way for another task, and is gone before it comes again. */
static void the_reserved_worker_leaves(void **state)
{
	struct leaving leaving = {};
	struct hft_graph *graph = open_leaving(&leaving);
	uint64_t end = hft_now() + PATIENCE;
	struct hft_run *run;
	pthread_t thread;
	void *ok;

	(void)state;
	assert_int_equal(hft_graph_start(graph, NULL, &run), 0);
	wait_for_post(&leaving.busy);
	assert_int_equal(pthread_create(&thread, NULL, leave, &leaving), 0);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	/* Who waits helps: not before that was done without. */
	while (!atomic_load(&leaving.done) && hft_now() < end)
		usleep(1000);
	assert_true(atomic_load(&leaving.done));
	assert_int_equal(hft_run_wait(run, UINT64_MAX, NULL), 0);
	hft_graph_close(graph);
	hft_pool_close(leaving.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reserved_worker_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
