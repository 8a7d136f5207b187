/* SPDX-License-Identifier: GPL-2.0-only */
/* Task graphs of any shape, whose nodes say when they run, and a pool for them. */
#ifndef GRAPH_SHAPE_H
#define GRAPH_SHAPE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/graph.h>
#include <hft/hft.h>

#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define NODES		80
#define WORKERS		3
#define DEAR		1000000		/* ns: worth another worker */

/* What a run of a graph of these tests has done. */
struct tick {
	_Atomic uint32_t runs[NODES];
	_Atomic bool wrong;
};

struct node {
	struct shape *shape;
	uint32_t number;
	int result;
	uint32_t spin;
};

struct shape {
	uint32_t nr;
	struct node node[NODES];
	int branch[NODES][NODES];	/* -1: there is no edge */
};

static struct hft_pool *pool;

/* Of the graphs to come. */
static uint32_t reserved;
static struct hft_memory books[2];

static inline int set_up(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = WORKERS, .flags = HFT_POOL_UNPINNED);

	(void)state;
	return hft_pool_open(&pool, &opts);
}

static inline int tear_down(void **state)
{
	(void)state;
	hft_pool_close(pool);
	return 0;
}

static inline uint64_t soon(void)
{
	return hft_now() + PATIENCE;
}

static inline bool is_followed(const struct shape *shape, const struct tick *tick, uint32_t from,
			uint32_t to)
{
	int branch = shape->branch[from][to];

	return branch >= 0 && atomic_load(&tick->runs[from]) && shape->node[from].result >= 0 &&
	       (!branch || branch == shape->node[from].result);
}

static inline int run_node(void *arg, const struct hft_node_call *call)
{
	const struct node *node = arg;
	const struct shape *shape = node->shape;
	struct tick *tick = call->tick;
	uint64_t until;
	uint32_t i, before = 0, followed = 0;

	for (i = 0; i < shape->nr; i++) {
		before += shape->branch[i][node->number] >= 0;
		followed += is_followed(shape, tick, i, node->number);
	}
	if (call->node != node->number || (before && !followed))
		atomic_store(&tick->wrong, true);
	for (until = hft_now() + node->spin; node->spin && hft_now() < until;)
		;
	atomic_fetch_add(&tick->runs[node->number], 1);
	return node->result;
}

static inline struct hft_graph *make_graph(struct shape *shape, bool with_pool)
{
	HFT_OPTS(hft_graph_opts, opts, .pool = with_pool ? pool : NULL, .reserved = reserved);
	struct hft_graph *graph;
	uint32_t i, j;

	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	for (i = 0; i < shape->nr; i++) {
		HFT_OPTS(hft_node_opts, node, .cost_ns = with_pool ? DEAR : 1, .fn = run_node,
			 .arg = &shape->node[i]);

		if (reserved && i % 3 < 2)
			node.memory = &books[i % 3];
		assert_int_equal(hft_graph_add_node(graph, &node), i);
	}
	for (i = 0; i < shape->nr; i++) {
		for (j = 0; j < shape->nr; j++) {
			if (!shape->branch[i][j])
				assert_int_equal(hft_graph_add_edge(graph, i, j, 0), 0);
			else if (shape->branch[i][j] > 0)
				assert_int_equal(hft_graph_add_branch(graph, i, j, 0,
						 (uint32_t)shape->branch[i][j]), 0);
		}
	}
	assert_int_equal(hft_graph_seal(graph), 0);
	return graph;
}

static inline void make_shape(struct shape *shape, uint64_t *random, bool branches)
{
	uint32_t i, j, density = 1 + random_below(random, 20);

	shape->nr = 2 + random_below(random, NODES - 2);
	memset(shape->branch, 0xff, sizeof(shape->branch));
	for (i = 0; i < shape->nr; i++) {
		shape->node[i] = (struct node){ .shape = shape, .number = i };
		if (branches)
			shape->node[i].result = (int)random_below(random, 3);
		for (j = i + 1; j < shape->nr; j++) {
			if (random_below(random, 100) < density)
				shape->branch[i][j] = branches ? (int)random_below(random, 4) : 0;
		}
	}
}

/* Which nodes would run: in their order, which is a topological one here. */
static inline uint32_t expect(const struct shape *shape, bool *runs)
{
	uint32_t i, j, nr = 0;

	for (j = 0; j < shape->nr; j++) {
		bool before = false;

		runs[j] = false;
		for (i = 0; i < j; i++) {
			int branch = shape->branch[i][j];

			before |= branch >= 0;
			runs[j] |= runs[i] && branch >= 0 &&
				   (!branch || branch == shape->node[i].result);
		}
		runs[j] |= !before;
		nr += runs[j];
	}
	return nr;
}

static inline void check_tick(const struct shape *shape, const struct tick *tick,
		       const struct hft_run_result *result)
{
	bool runs[NODES];
	uint32_t i, nr = expect(shape, runs);

	assert_false(tick->wrong);
	for (i = 0; i < shape->nr; i++)
		assert_int_equal(tick->runs[i], runs[i]);
	assert_int_equal(result->executed, nr);
	assert_int_equal(result->skipped, shape->nr - nr);
	assert_int_equal(result->failed, 0);
	assert_true(result->end_ns >= result->start_ns && result->start_ns);
}

/* A line of nodes. */
static inline void make_line(struct shape *shape, uint32_t nr)
{
	uint32_t i;

	shape->nr = nr;
	memset(shape->branch, 0xff, sizeof(shape->branch));
	for (i = 0; i < nr; i++) {
		shape->node[i] = (struct node){ .shape = shape, .number = i };
		if (i)
			shape->branch[i - 1][i] = 0;
	}
}

#define with_pool(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif /* GRAPH_SHAPE_H */
