// SPDX-License-Identifier: GPL-2.0-only
/* Running task graphs: each node once, after what it needs, whoever runs it. */
#include "graph_shape.h"

#define TICKS		8

#ifdef __SANITIZE_THREAD__
#define GRAPHS		40
#else
#define GRAPHS		200
#endif

static void each_node_once(bool with_pool, bool branches)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_graph *graph;
	uint64_t random = 1;
	struct shape shape;
	uint32_t n, i;

	for (n = 0; n < GRAPHS; n++) {
		make_shape(&shape, &random, branches);
		graph = make_graph(&shape, with_pool);
		for (i = 0; i < TICKS; i++) {
			struct tick tick = {};
			HFT_OPTS(hft_run_opts, opts, .tick = &tick);

			assert_int_equal(hft_graph_run(graph, &opts, &result), 0);
			check_tick(&shape, &tick, &result);
		}
		hft_graph_close(graph);
	}
}

static void alone(void **state)
{
	(void)state;
	each_node_once(false, false);
}

static void alone_with_branches(void **state)
{
	(void)state;
	each_node_once(false, true);
}

static void with_workers(void **state)
{
	(void)state;
	each_node_once(true, false);
}

static void with_workers_and_branches(void **state)
{
	(void)state;
	each_node_once(true, true);
}

static void several_in_flight(void **state)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_run *run[TICKS];
	struct hft_graph *graph;
	uint64_t random = 7;
	struct shape shape;
	uint32_t n, i;

	(void)state;
	for (n = 0; n < GRAPHS / 4; n++) {
		struct tick tick[TICKS] = {};

		make_shape(&shape, &random, n % 2);
		graph = make_graph(&shape, true);
		for (i = 0; i < TICKS; i++) {
			HFT_OPTS(hft_run_opts, opts, .tick = &tick[i], .level = 1 + i % HFT_LEVELS);

			assert_int_equal(hft_graph_start(graph, &opts, &run[i]), 0);
		}
		for (i = 0; i < TICKS; i++) {
			assert_int_equal(hft_run_wait(run[i], soon(), &result), 0);
			check_tick(&shape, &tick[i], &result);
		}
		hft_graph_close(graph);
	}
}

/* A worker for the path, memory, deadlines: each node once, though that worker comes and goes. */
static void with_all_of_it(void **state)
{
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = WORKERS, .flags = HFT_POOL_UNPINNED,
		 .reserved = 1);
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_run *run[TICKS];
	struct hft_graph *graph;
	uint64_t random = 9;
	struct shape shape;
	uint32_t n, i;

	(void)state;
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	reserved = WORKERS;
	books[0].miss_ns = 100 * DEAR;
	books[1].miss_ns = DEAR / 2;
	for (n = 0; n < GRAPHS / 4; n++) {
		struct tick tick[TICKS] = {};

		make_shape(&shape, &random, n % 2);
		graph = make_graph(&shape, true);
		for (i = 0; i < TICKS; i++) {
			HFT_OPTS(hft_run_opts, opts, .tick = &tick[i], .level = 1 + i % HFT_LEVELS);

			if (i % 3)
				opts.deadline = hft_now() + i * MSEC;
			opts.split = i % HFT_SPLITS;
			assert_int_equal(hft_graph_start(graph, &opts, &run[i]), 0);
		}
		if (n % 4 == 1)
			assert_int_equal(hft_pool_remove_worker(pool, WORKERS - 1), 0);
		if (n % 4 == 3)
			assert_int_equal(hft_pool_add_worker(pool, 0), WORKERS - 1);
		for (i = 0; i < TICKS; i++) {
			assert_int_equal(hft_run_wait(run[i], soon(), &result), 0);
			check_tick(&shape, &tick[i], &result);
		}
		hft_graph_close(graph);
	}
	reserved = 0;
	hft_pool_close(pool);
}

/* Of short nodes, which the caller would run alone: they are begun by a worker all the same. */
static void started_and_left_alone(void **state)
{
	HFT_OPTS(hft_graph_opts, opts, .pool = pool);
	struct shape shape = { .nr = 1, .node[0] = { .shape = &shape } };
	struct tick tick = {};
	HFT_OPTS(hft_run_opts, run_opts, .tick = &tick);
	HFT_OPTS(hft_node_opts, node, .fn = run_node, .arg = &shape.node[0]);
	struct hft_graph *graph;
	struct hft_run *run;

	(void)state;
	shape.branch[0][0] = -1;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	assert_int_equal(hft_graph_add_node(graph, &node), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_start(graph, &run_opts, &run), 0);
	while (!atomic_load(&tick.runs[0]))
		usleep(100);
	while (hft_run_wait(run, 0, NULL) == -ETIMEDOUT)
		usleep(100);
	hft_graph_close(graph);
}

static int keep_deadline(void *arg, const struct hft_node_call *call)
{
	((uint64_t *)arg)[call->node] = call->deadline;
	return 0;
}

/* Of the end what all behind a node costs, along the longest way. */
static void deadlines_are_shared_out(void **state)
{
	uint64_t deadline[3], end = hft_now() + PATIENCE;
	HFT_OPTS(hft_graph_opts, opts, .fixed_costs = true);
	HFT_OPTS(hft_run_opts, run_opts, .deadline = end, .split = HFT_SPLIT_LATEST);
	struct hft_run_result result = { .sz = sizeof(result) };
	struct hft_graph *graph;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	for (i = 0; i < 3; i++) {
		HFT_OPTS(hft_node_opts, node, .cost_ns = 1000 * (i + 1), .fn = keep_deadline,
			 .arg = deadline);

		assert_int_equal(hft_graph_add_node(graph, &node), i);
	}
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 50), 0);
	assert_int_equal(hft_graph_add_edge(graph, 0, 2, 50), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_run(graph, &run_opts, &result), 0);
	assert_int_equal(deadline[0], end - 3050);
	assert_int_equal(deadline[1], end);
	assert_int_equal(deadline[2], end);
	assert_int_equal(result.late, 0);
	run_opts.deadline = 1;
	assert_int_equal(hft_graph_run(graph, &run_opts, &result), 0);
	assert_int_equal(result.late, 3);
	hft_graph_close(graph);
}

/* The path goes where the time goes, and what is short is no longer shared. */
static void costs_are_learned(void **state)
{
	struct hft_node_info info = { .sz = sizeof(info) };
	struct hft_graph *graph;
	uint32_t i, path[3];
	struct shape shape = { .nr = 4 };

	(void)state;
	memset(shape.branch, 0xff, sizeof(shape.branch));
	for (i = 0; i < 4; i++)
		shape.node[i] = (struct node){ .shape = &shape, .number = i };
	shape.branch[0][1] = shape.branch[0][2] = shape.branch[1][3] = shape.branch[2][3] = 0;
	shape.node[2].spin = 200000;
	graph = make_graph(&shape, true);
	hft_graph_path(graph, path, 3);
	assert_int_equal(path[1], 1);
	for (i = 0; i < 300; i++) {
		struct tick tick = {};
		HFT_OPTS(hft_run_opts, opts, .tick = &tick);

		assert_int_equal(hft_graph_run(graph, &opts, NULL), 0);
	}
	hft_graph_path(graph, path, 3);
	assert_int_equal(path[1], 2);
	assert_int_equal(hft_graph_node_info(graph, 2, &info), 0);
	assert_true(info.measured >= 8 && info.measured <= 300);
	assert_true(info.mean_ns >= 150000 && info.cost_ns >= 150000);
	assert_true(info.p99_ns >= info.mean_ns / 2);
	hft_graph_close(graph);
}

static int64_t run_from_task(void *args)
{
	struct hft_graph *graph = *(struct hft_graph **)args;
	struct tick tick = {};
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);

	return hft_graph_run(graph, &opts, NULL);
}

/* On one worker: it may not wait for itself. */
static void from_a_task(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 1, .flags = HFT_POOL_UNPINNED);
	struct hft_graph *graph;
	struct hft_group group;
	uint64_t random = 11;
	struct shape shape;
	int i;

	(void)state;
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	make_shape(&shape, &random, false);
	graph = make_graph(&shape, true);
	hft_group_init(&group, pool);
	for (i = 0; i < 20; i++)
		assert_int_equal(hft_group_spawn(&group, run_from_task, &graph, sizeof(graph)), 0);
	assert_int_equal(hft_group_wait(&group, soon()), 0);
	hft_graph_close(graph);
	hft_pool_close(pool);
}

static int count(void *arg, const struct hft_node_call *call)
{
	uint32_t *runs = arg;

	assert_int_equal(call->deadline, 0);
	return call->node == 2 && ++*runs == 3 ? -ERANGE : 0;
}

/* Nobody measures, waits or helps: a source, five nodes of which one fails once, a sink. */
static void with_nothing_but_functions(void **state)
{
	HFT_OPTS(hft_graph_opts, opts, .fixed_costs = true);
	struct hft_run_result result = { .sz = sizeof(result) };
	uint32_t i, runs = 0;
	struct hft_graph *graph;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	for (i = 0; i < 7; i++) {
		HFT_OPTS(hft_node_opts, node, .fn = i % 6 ? count : NULL, .arg = &runs);

		assert_int_equal(hft_graph_add_node(graph, &node), i);
	}
	for (i = 1; i < 6; i++) {
		assert_int_equal(hft_graph_add_edge(graph, 0, i, 0), 0);
		assert_int_equal(hft_graph_add_edge(graph, i, 6, 0), 0);
	}
	assert_int_equal(hft_graph_seal(graph), 0);
	for (i = 1; i <= 5; i++) {
		assert_int_equal(hft_graph_run(graph, NULL, &result), i == 3 ? -ERANGE : 0);
		assert_int_equal(result.failed, i == 3 ? 3 : 0);
		assert_int_equal(result.executed + result.skipped, 7);
		assert_int_equal(result.skipped > 0, i == 3);
	}
	assert_int_equal(runs, 5);
	hft_graph_close(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone),
		cmocka_unit_test(alone_with_branches),
		cmocka_unit_test(with_nothing_but_functions),
		with_pool(with_workers),
		with_pool(with_workers_and_branches),
		with_pool(several_in_flight),
		cmocka_unit_test(with_all_of_it),
		with_pool(started_and_left_alone),
		cmocka_unit_test(deadlines_are_shared_out),
		with_pool(costs_are_learned),
		cmocka_unit_test(from_a_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
