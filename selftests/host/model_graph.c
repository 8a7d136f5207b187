// SPDX-License-Identifier: GPL-2.0-only
/* flavours: model */
/* Runs of graphs in many interleavings: each node once, after those before it. */
#include <string.h>

#include <hft/graph.h>
#include <hft/hft.h>

#include "futex.h"
#include "model/cases.h"

#define NODES		6

static struct hft_pool *pool;
static struct hft_graph *graph;

/* Not atomic: a node that does not see what those before it did is a data race. */
static unsigned int ran[2][NODES];

static _Atomic uint32_t all_ran;
static struct hft_memory book;

struct tick {
	unsigned int run;
};

static const unsigned int edges[][2] = {
	{ 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 4 }, { 2, 4 }, { 3, 5 }, { 4, 5 },
};

#define EDGES (sizeof(edges) / sizeof(edges[0]))

static int node(void *arg, const struct hft_node_call *call)
{
	const struct tick *tick = call->tick;
	unsigned int i;

	(void)arg;
	for (i = 0; i < EDGES; i++) {
		if (edges[i][1] == call->node)
			model_check(ran[tick->run][edges[i][0]] == 1);
	}
	ran[tick->run][call->node]++;
	if (call->node == NODES - 1) {
		atomic_store(&all_ran, 1);
		hft_futex_wake(&all_ran, 1);
	}
	return 0;
}

/* With @reserved one of them is, for the critical path, and some nodes have memory. */
static void begin_with(uint32_t workers, bool reserved)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED,
		 .reserved = reserved);
	HFT_OPTS(hft_graph_opts, graph_opts, .hop_ns = 1, .nodes = NODES,
		 .reserved = reserved ? workers : 0);
	HFT_OPTS(hft_node_opts, node_opts, .fn = node, .cost_ns = 10000);
	unsigned int i;

	memset(ran, 0, sizeof(ran));
	atomic_store(&all_ran, 0);
	book = (struct hft_memory){ .last = 1, .miss_ns = 15000 };
	model_check(!hft_pool_open(&pool, &opts));
	graph_opts.pool = pool;
	model_check(!hft_graph_open(&graph, &graph_opts));
	for (i = 0; i < NODES; i++) {
		node_opts.memory = reserved && i % 2 ? &book : NULL;
		model_check(hft_graph_add_node(graph, &node_opts) == (int)i);
	}
	for (i = 0; i < EDGES; i++)
		model_check(!hft_graph_add_edge(graph, edges[i][0], edges[i][1], 10));
	model_check(!hft_graph_seal(graph));
}

static void begin(uint32_t workers)
{
	begin_with(workers, false);
}

static void check_run(unsigned int run)
{
	unsigned int i;

	for (i = 0; i < NODES; i++)
		model_check(ran[run][i] == 1);
}

static void finish(void)
{
	hft_graph_close(graph);
	hft_pool_close(pool);
}

static void run_one(void)
{
	struct tick tick = { 0 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);

	begin(2);
	model_check(!hft_graph_run(graph, &opts, NULL));
	check_run(0);
	finish();
}

static void *run_another(void *arg)
{
	static struct tick tick = { 1 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);

	model_check(!hft_graph_run(graph, &opts, NULL));
	check_run(1);
	return arg;
}

/* At the same time. */
static void run_two(void)
{
	struct tick tick = { 0 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);

	begin(1);
	model_start(run_another, NULL);
	model_check(!hft_graph_run(graph, &opts, NULL));
	check_run(0);
	model_join();
	finish();
}

static void run_start(void)
{
	struct tick tick = { 0 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick);
	struct hft_run *run;

	begin(2);
	model_check(!hft_graph_start(graph, &opts, &run));
	model_check(!hft_run_wait(run, UINT64_MAX, NULL));
	check_run(0);
	finish();
}

static void *change_costs(void *arg)
{
	model_check(!hft_graph_set_cost(graph, 3, 90000));
	model_check(!hft_graph_set_weight(graph, 1, 4, 50000));
	return arg;
}

static void run_costs_change(void)
{
	struct tick tick = { 0 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick, .deadline = 1000000000000ULL);

	begin(1);
	model_start(change_costs, NULL);
	model_check(!hft_graph_run(graph, &opts, NULL));
	check_run(0);
	model_join();
	finish();
}

/* Who waits runs no node: those who were asked run all, and nobody is asked in vain. */
static void run_unattended(uint64_t deadline)
{
	struct tick tick = { 0 };
	HFT_OPTS(hft_run_opts, opts, .tick = &tick, .deadline = deadline);
	struct hft_run *run;

	model_check(!hft_graph_start(graph, &opts, &run));
	while (!atomic_load(&all_ran))
		hft_futex_wait(&all_ran, 0, UINT64_MAX);
	model_check(!hft_run_wait(run, UINT64_MAX, NULL));
	check_run(0);
}

static void run_guarded(void)
{
	begin_with(3, true);
	run_unattended(0);
	finish();
}

static void run_guarded_deadline(void)
{
	begin_with(2, true);
	run_unattended(1000000000000ULL);
	finish();
}

static void *remove_guard(void *arg)
{
	model_check(!hft_pool_remove_worker(pool, 1));
	return arg;
}

static void run_guard_leaves(void)
{
	begin_with(2, true);
	model_start(remove_guard, NULL);
	run_unattended(0);
	model_join();
	finish();
}

RANDOM(one, 3000);
RANDOM(two, 3000);
RANDOM(start, 3000);
RANDOM(costs_change, 3000);
RANDOM(guarded, 3000);
RANDOM(guarded_deadline, 3000);
RANDOM(guard_leaves, 5000);

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOLDS(one_random),
		HOLDS(two_random),
		HOLDS(start_random),
		HOLDS(costs_change_random),
		HOLDS(guarded_random),
		HOLDS(guarded_deadline_random),
		HOLDS(guard_leaves_random),
		FINDS(TORN, release_next, one_random),
		FINDS(TORN, end_node, one_random),
		FINDS(RELAXED, release_next, one_random),
		FINDS(RELAXED, end_node, start_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
