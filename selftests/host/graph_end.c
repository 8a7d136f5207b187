// SPDX-License-Identifier: GPL-2.0-only
/* What ends the run of a task graph before its last node, and what is no run. */
#include "graph_shape.h"

static void a_failure_ends_it(void **state)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_graph *graph;
	struct shape shape;
	int with_pool;

	(void)state;
	make_line(&shape, 10);
	shape.node[4].result = -EPROTO;
	for (with_pool = 0; with_pool < 2; with_pool++) {
		struct tick tick = {};
		HFT_OPTS(hft_run_opts, opts, .tick = &tick);

		graph = make_graph(&shape, with_pool);
		assert_int_equal(hft_graph_run(graph, &opts, &result), -EPROTO);
		assert_int_equal(result.executed, 5);
		assert_int_equal(result.skipped, 5);
		assert_int_equal(result.failed, 1 + 4);
		assert_int_equal(tick.runs[5], 0);
		hft_graph_close(graph);
	}
}

static int exit_thread(void *arg, const struct hft_node_call *call)
{
	(void)arg;
	(void)call;
	pthread_exit(NULL);
}

/* The run has failed, and ends. */
static void a_node_that_ends_its_thread(void **state)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	HFT_OPTS(hft_graph_opts, opts, .pool = pool);
	HFT_OPTS(hft_node_opts, node, .fn = exit_thread);
	struct hft_graph *graph;
	struct hft_run *run;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	assert_int_equal(hft_graph_add_node(graph, &node), 0);
	assert_int_equal(hft_graph_add_node(graph, &node), 1);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_start(graph, NULL, &run), 0);
	/* Not by this thread, which would be ended. */
	while (hft_run_wait(run, 0, &result) == -ETIMEDOUT)
		usleep(100);
	assert_int_equal(result.executed, 1);
	assert_int_equal(result.skipped, 1);
	assert_int_equal(result.failed, 1);
	hft_graph_close(graph);
}

/* On the worker that is there for the path, with others that it has let go. */
static void a_node_that_ends_the_reserved_thread(void **state)
{
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = WORKERS, .flags = HFT_POOL_UNPINNED,
		 .reserved = 1);
	struct hft_run_result result = { .sz = sizeof(result) };
	HFT_OPTS(hft_node_opts, path, .cost_ns = 2 * DEAR, .fn = exit_thread);
	HFT_OPTS(hft_node_opts, other, .cost_ns = DEAR);
	HFT_OPTS(hft_graph_opts, opts, .reserved = WORKERS, .fixed_costs = true);
	struct hft_graph *graph;
	struct hft_run *run;
	uint32_t i, k;

	(void)state;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	opts.pool = pool;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(hft_graph_add_node(graph, i ? &other : &path), i);
	for (i = 4; i < 8; i++)
		assert_int_equal(hft_graph_add_edge(graph, 0, i, 0), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	for (k = 0; k < 20; k++) {
		assert_int_equal(hft_graph_start(graph, NULL, &run), 0);
		while (hft_run_wait(run, 0, &result) == -ETIMEDOUT)
			usleep(100);
		assert_int_equal(result.executed + result.skipped, 8);
		assert_int_equal(result.failed, 1);
	}
	hft_graph_close(graph);
	hft_pool_close(pool);
}

/* Whoever waits would take that for a run that goes on. */
static void a_node_that_has_timed_out(void **state)
{
	struct hft_graph *graph;
	struct shape shape;
	struct tick tick = {};
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);

	(void)state;
	make_line(&shape, 2);
	shape.node[0].result = -ETIMEDOUT;
	graph = make_graph(&shape, true);
	assert_int_equal(hft_graph_run(graph, &opts, NULL), -ETIME);
	hft_graph_close(graph);
}

static int cancel(void *arg, const struct hft_node_call *call)
{
	(void)call;
	hft_token_cancel(arg);
	return 0;
}

static void a_token_ends_it(void **state)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_token token = {};
	HFT_OPTS(hft_run_opts, opts, .token = &token);
	HFT_OPTS(hft_node_opts, node, .fn = cancel, .arg = &token);
	struct hft_graph *graph;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	assert_int_equal(hft_graph_add_node(graph, &node), 0);
	assert_int_equal(hft_graph_add_node(graph, &node), 1);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_run(graph, &opts, &result), -ECANCELED);
	assert_int_equal(result.executed, 1);
	assert_int_equal(result.failed, 0);
	hft_graph_close(graph);
}

static void bad_runs(void **state)
{
	struct hft_run_result unsized = {};
	HFT_OPTS(hft_run_opts, level, .level = 1 + HFT_LEVELS);
	HFT_OPTS(hft_run_opts, order, .order = HFT_ORDERS);
	HFT_OPTS(hft_run_opts, split, .split = HFT_SPLITS);
	HFT_OPTS(hft_graph_opts, no_pool, .reserved = 1);
	struct hft_graph *graph;
	struct hft_run *run;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &no_pool), -EINVAL);
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	assert_int_equal(hft_graph_add_node(graph, NULL), 0);
	assert_int_equal(hft_graph_add_node(graph, NULL), 1);
	assert_int_equal(hft_graph_run(graph, NULL, NULL), -EBUSY);
	assert_int_equal(hft_graph_add_branch(graph, 0, 1, 0, 0), -EINVAL);
	assert_int_equal(hft_graph_add_branch(graph, 0, 1, 0, 65536), -EINVAL);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_run(graph, &level, NULL), -EINVAL);
	assert_int_equal(hft_graph_run(graph, &order, NULL), -EINVAL);
	assert_int_equal(hft_graph_run(graph, &split, NULL), -EINVAL);
	assert_int_equal(hft_graph_start(graph, NULL, &run), -EINVAL);
	assert_int_equal(hft_graph_run(graph, NULL, &unsized), -EINVAL);
	assert_int_equal(hft_graph_run(graph, NULL, NULL), 0);
	hft_graph_close(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pool(a_failure_ends_it),
		with_pool(a_node_that_ends_its_thread),
		cmocka_unit_test(a_node_that_ends_the_reserved_thread),
		with_pool(a_node_that_has_timed_out),
		cmocka_unit_test(a_token_ends_it),
		cmocka_unit_test(bad_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
