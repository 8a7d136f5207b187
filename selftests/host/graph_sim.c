// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan */
/* Running task graphs on a simulated machine: what runs when is exact. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>

#define US	1000ULL
#define NODES	16

/**
 * struct done - what a run has done
 * @order: nodes as they began
 * @nr: how many have
 * @start: of each, ns from that of the machine
 * @end: likewise
 * @worker: of each
 * @deadline: that each was told
 */
struct done {
	uint32_t order[NODES];
	uint32_t nr;
	uint64_t start[NODES];
	uint64_t end[NODES];
	int worker[NODES];
	uint64_t deadline[NODES];
};

struct machine {
	struct hft *h;
	struct hft_pool *pool;
	struct hft_graph *graph;
	uint64_t start;
};

static void open_machine(struct machine *m, const struct hft_pool_opts *pool_opts,
			 const struct hft_graph_opts *graph_opts)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=8,seed=1");
	struct hft_pool_opts pool = *pool_opts;
	struct hft_graph_opts graph = *graph_opts;

	assert_int_equal(hft_open(&m->h, &opts), 0);
	pool.hft = m->h;
	assert_int_equal(hft_pool_open(&m->pool, &pool), 0);
	graph.pool = m->pool;
	graph.hop_ns = 1;
	assert_int_equal(hft_graph_open(&m->graph, &graph), 0);
	m->start = hft_now();
}

static void close_machine(struct machine *m)
{
	hft_graph_close(m->graph);
	hft_pool_close(m->pool);
	hft_close(m->h);
}

/* A node that takes as long as @arg says, ns. */
static int take(void *arg, const struct hft_node_call *call)
{
	struct done *done = call->tick;

	done->order[done->nr++] = call->node;
	done->start[call->node] = hft_now();
	done->worker[call->node] = hft_pool_worker();
	done->deadline[call->node] = call->deadline;
	hft_spin_until(hft_now() + (uintptr_t)arg);
	done->end[call->node] = hft_now();
	return 0;
}

static uint32_t add(struct machine *m, uint64_t ns)
{
	HFT_OPTS(hft_node_opts, opts, .cost_ns = ns, .fn = take, .arg = (void *)(uintptr_t)ns);
	int node = hft_graph_add_node(m->graph, &opts);

	assert_in_range(node, 0, NODES - 1);
	return (uint32_t)node;
}

static void edge(struct machine *m, uint32_t from, uint32_t to)
{
	assert_int_equal(hft_graph_add_edge(m->graph, from, to, 0), 0);
}

struct run {
	struct hft_graph *graph;
	const struct hft_run_opts *opts;
	struct hft_run_result *result;
};

static int64_t run_graph(void *args)
{
	const struct run *run = args;

	return hft_graph_run(run->graph, run->opts, run->result);
}

/* By the workers alone: one of them is the caller.  Returns how long it took. */
static uint64_t run(struct machine *m, struct done *done, const struct hft_run_opts *user_opts)
{
	struct hft_run_opts opts = user_opts ? *user_opts : (struct hft_run_opts){
		.sz = sizeof(opts),
	};
	struct hft_run_result result = { .sz = sizeof(result) };
	struct run args = { .graph = m->graph, .opts = &opts, .result = &result };
	struct hft_group group;

	*done = (struct done){};
	opts.tick = done;
	hft_group_init(&group, m->pool);
	assert_int_equal(hft_group_spawn(&group, run_graph, &args, sizeof(args)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(result.executed, hft_graph_nodes(m->graph));
	return result.end_ns - result.start_ns;
}

/* One worker: the order is all there is. */
static void by_rank_or_by_submission(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 1);
	HFT_OPTS(hft_graph_opts, graph);
	HFT_OPTS(hft_run_opts, submission, .order = HFT_ORDER_SUBMISSION);
	static const uint32_t by_rank[] = { 2, 4, 1, 0, 3 }, by_submission[] = { 0, 1, 2, 3, 4 };
	struct machine m;
	struct done done;

	(void)state;
	open_machine(&m, &pool, &graph);
	add(&m, 1 * US);
	add(&m, 5 * US);
	add(&m, 2 * US);
	add(&m, 1 * US);
	add(&m, 9 * US);
	edge(&m, 0, 3);
	edge(&m, 2, 4);
	assert_int_equal(hft_graph_seal(m.graph), 0);
	assert_int_equal(run(&m, &done, NULL), 18 * US);
	assert_memory_equal(done.order, by_rank, sizeof(by_rank));
	assert_int_equal(run(&m, &done, &submission), 18 * US);
	assert_memory_equal(done.order, by_submission, sizeof(by_submission));
	close_machine(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_rank_or_by_submission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
