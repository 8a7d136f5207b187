// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pool beside oneTBB, in turns: what a spawn costs, how many empty tasks a second,
 * fork and join, and a small graph.  Then what has no peer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/strand.h>

#include "../../../libhft/src/random.h"
#include "executor.h"
#include "quantile.h"

#define ROUNDS		15
#define SPAWNS		4096		/* at a time: what fits in a cache */
#define TASKS		200000
#define GRAPHS		5000		/* of a round */
#define NODES		10000
#define CHANGES		2000
#define POSTS		4096
#define KEYS		1000

struct samples {
	double spawn_worker[ROUNDS];
	double spawn_outside[ROUNDS];
	double rate[ROUNDS];
	double fib[ROUNDS];
	double graph[ROUNDS * GRAPHS];
};

static void check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "executor: %s\n", hft_strerror(err));
	exit(1);
}

static void measure(const struct executor_side *side, void *it, struct samples *samples,
		    unsigned int round)
{
	double spawn, total;

	side->spawn_worker(it, SPAWNS, &spawn, &total);
	samples->spawn_worker[round] = spawn / SPAWNS;
	samples->spawn_outside[round] = side->spawn_outside(it, SPAWNS) / SPAWNS;
	side->spawn_worker(it, TASKS, &spawn, &total);
	samples->rate[round] = TASKS * 1e9 / total;
	samples->fib[round] = side->fib(it);
	side->graph(it, GRAPHS, &samples->graph[round * GRAPHS]);
}

static void print(const struct executor_side *side, struct samples *samples, const char *kind)
{
	const char *end = strcmp(kind, "peer") ? "" : side->name;
	const char *blank = *end ? " " : "";

	printf("%s spawn_worker_ns %.1f%s%s\n", kind, median(samples->spawn_worker, ROUNDS), blank,
	       end);
	printf("%s spawn_outside_ns %.1f%s%s\n", kind, median(samples->spawn_outside, ROUNDS), blank,
	       end);
	printf("%s pool_tasks_per_s %.0f%s%s\n", kind, median(samples->rate, ROUNDS), blank, end);
	printf("%s dag10_p50_ns %.0f%s%s\n", kind,
	       quantile(samples->graph, ROUNDS * GRAPHS, 0.5), blank, end);
	printf("%s dag10_p99_ns %.0f%s%s\n", kind,
	       quantile(samples->graph, ROUNDS * GRAPHS, 0.99), blank, end);
}

/* Side by side, and each round first warms what it uses. */
static void compare_sides(void)
{
	static struct samples hft, tbb;
	static double ratio[ROUNDS];
	void *own = executor_hft.create(), *peer;
	unsigned int i;

	peer = executor_tbb.create ? executor_tbb.create() : NULL;
	if (!own)
		check(-1);
	measure(&executor_hft, own, &hft, 0);
	for (i = 0; i < ROUNDS; i++) {
		measure(&executor_hft, own, &hft, i);
		if (!peer)
			continue;
		measure(&executor_tbb, peer, &tbb, i);
		ratio[i] = tbb.fib[i] / hft.fib[i];
	}
	print(&executor_hft, &hft, "figure");
	executor_hft.destroy(own);
	if (!peer) {
		puts("skip fib27_ratio there is no oneTBB to set it against (libtbb-dev)");
		return;
	}
	print(&executor_tbb, &tbb, "peer");
	printf("figure fib27_ratio %.2f\n", median(ratio, ROUNDS));
	printf("note fib27_ratio: %.1f ns a spawn, oneTBB %.1f ns\n",
	       median(hft.fib, ROUNDS) / EXECUTOR_FIB_SPAWNS,
	       median(tbb.fib, ROUNDS) / EXECUTOR_FIB_SPAWNS);
	executor_tbb.destroy(peer);
}

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
	unsigned int i;

	hft_group_init(&group, one->pool);
	for (i = 0; i < SPAWNS; i++)
		check(hft_group_spawn(&group, nothing, NULL, 0));
	check(hft_group_wait(&group, UINT64_MAX));
	*one->ns = (double)(hft_now() - start) / SPAWNS;
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
		check(hft_post_opts(one->strands, i % KEYS, nothing, NULL, 0, &opts));
	check(hft_group_wait(&group, UINT64_MAX));
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
		check(hft_group_spawn(&group, fn, one, sizeof(*one)));
		check(hft_group_wait(&group, UINT64_MAX));
	}
	return median(ns, ROUNDS);
}

static void time_one_worker(void)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 1);
	HFT_OPTS(hft_strands_opts, strands_opts);
	struct one one = {};

	check(hft_pool_open(&one.pool, &opts));
	strands_opts.pool = one.pool;
	check(hft_strands_open(&one.strands, &strands_opts));
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

	check(hft_graph_open(&graph, NULL));
	for (i = 0; i < NODES; i++) {
		HFT_OPTS(hft_node_opts, opts, .cost_ns = 100 + random_below(random, 10000));

		check(hft_graph_add_node(graph, &opts));
	}
	for (i = 0; i + 300 < NODES; i++) {
		for (k = 0; k < 3; k++) {
			span = 1 + 3 * random_below(random, 100) + k;
			check(hft_graph_add_edge(graph, i, i + span, random_below(random, 100)));
		}
	}
	check(hft_graph_seal(graph));
	return graph;
}

static void time_ranks(void)
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
		check(hft_graph_set_cost(graph, node, cost));
		us[i] = (double)(hft_now() - start) / 1000;
		sum += us[i];
	}
	printf("figure rank_update_us %.1f\n", sum / CHANGES);
	printf("note rank_update_us: the mean; p50 %.1f, p99 %.1f us; 3 edges a node\n",
	       quantile(us, CHANGES, 0.5), quantile(us, CHANGES, 0.99));
	hft_graph_close(graph);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		printf("Usage: %s\nTime the pool, graphs and strands, beside %s.\n", argv[0],
		       executor_tbb.name);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		puts("note executor: on one CPU two workers take turns");
	compare_sides();
	time_one_worker();
	time_ranks();
	return 0;
}
