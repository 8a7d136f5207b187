// SPDX-License-Identifier: LGPL-2.1-or-later
/* What one worker does, and what a change of a cost takes: without a peer. */
#include <stdio.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/strand.h>

#include "../../../libhft/src/random.h"
#include "executor.h"
#include "quantile.h"

#define ROUNDS		15
#define BATCH		256		/* at a time, as in executor.c */
#define BATCHES		200		/* of a round */
#define NODES		10000
#define CHANGES		2000
#define POSTS		4096
#define KEYS		1000

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

struct one {
	struct hft_pool *pool;
	struct hft_strands *strands;
	double *ns;
};

/* One after the other: each is the newest, and is run by who waits for it. */
static int64_t spawn_and_run(void *args)
{
	struct one *one = args;
	struct hft_group group;
	uint64_t start = hft_now();
	unsigned int i, k;

	hft_group_init(&group, one->pool);
	for (k = 0; k < BATCHES; k++) {
		for (i = 0; i < BATCH; i++)
			executor_check(hft_group_spawn(&group, nothing, NULL, 0));
		executor_check(hft_group_wait(&group, UINT64_MAX));
	}
	*one->ns = (double)(hft_now() - start) / (BATCH * BATCHES);
	return 0;
}

static int64_t post_and_run(void *args)
{
	struct one *one = args;
	struct hft_group group;
	HFT_OPTS(hft_post_opts, opts, .group = &group);
	uint64_t start = hft_now();
	unsigned int i;

	hft_group_init(&group, one->pool);
	for (i = 0; i < POSTS; i++)
		executor_check(hft_post_opts(one->strands, i % KEYS, nothing, NULL, 0, &opts));
	executor_check(hft_group_wait(&group, UINT64_MAX));
	*one->ns = (double)(hft_now() - start) / POSTS;
	return 0;
}

static double time_one(struct one *one, hft_spawn_fn fn)
{
	double ns[ROUNDS];
	struct hft_group group;
	unsigned int i;

	hft_group_init(&group, one->pool);
	for (i = 0; i < ROUNDS; i++) {
		one->ns = &ns[i];
		executor_check(hft_group_spawn(&group, fn, one, sizeof(*one)));
		executor_check(hft_group_wait(&group, UINT64_MAX));
	}
	return median(ns, ROUNDS);
}

void executor_one_worker(void)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 1);
	HFT_OPTS(hft_strands_opts, strands_opts);
	struct one one = {};

	executor_check(hft_pool_open(&one.pool, &opts));
	strands_opts.pool = one.pool;
	executor_check(hft_strands_open(&one.strands, &strands_opts));
	printf("figure spawn_run_ns %.1f\n", time_one(&one, spawn_and_run));
	printf("figure strand_ns %.1f\n", time_one(&one, post_and_run));
	printf("note strand_ns: to post, dispatch, run and end a task, of %d keys in turn\n", KEYS);
	hft_strands_close(one.strands);
	hft_pool_close(one.pool);
}

/* Each node leads to three of the next three hundred. */
static struct hft_graph *make_wide_graph(uint64_t *random)
{
	struct hft_graph *graph;
	uint32_t i, k, span;

	executor_check(hft_graph_open(&graph, NULL));
	for (i = 0; i < NODES; i++) {
		HFT_OPTS(hft_node_opts, opts, .cost_ns = 100 + random_below(random, 10000));

		executor_check(hft_graph_add_node(graph, &opts));
	}
	for (i = 0; i + 300 < NODES; i++) {
		for (k = 0; k < 3; k++) {
			span = 1 + 3 * random_below(random, 100) + k;
			executor_check(hft_graph_add_edge(graph, i, i + span,
							  random_below(random, 100)));
		}
	}
	executor_check(hft_graph_seal(graph));
	return graph;
}

void executor_ranks(void)
{
	static double us[CHANGES];
	uint64_t random = 1, start;
	struct hft_graph *graph = make_wide_graph(&random);
	double sum = 0;
	unsigned int i;

	for (i = 0; i < CHANGES; i++) {
		uint32_t node = random_below(&random, NODES);
		uint64_t cost = 100 + random_below(&random, 10000);

		start = hft_now();
		executor_check(hft_graph_set_cost(graph, node, cost));
		us[i] = (double)(hft_now() - start) / 1000;
		sum += us[i];
	}
	printf("figure rank_update_us %.1f\n", sum / CHANGES);
	printf("note rank_update_us: the mean; p50 %.1f, p99 %.1f us; 3 edges a node\n",
	       quantile(us, CHANGES, 0.5), quantile(us, CHANGES, 0.99));
	hft_graph_close(graph);
}

