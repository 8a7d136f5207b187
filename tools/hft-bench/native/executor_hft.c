// SPDX-License-Identifier: LGPL-2.1-or-later
/* The pool and a task graph: two workers, of which the caller is none. */
#include <stdlib.h>
#include <unistd.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "executor.h"

#define WORKERS		2
#define SPIN_NS		200000

struct own {
	struct hft_pool *pool;
	struct hft_pool *outside;	/* one worker, on the last CPU */
	struct hft_graph *graph;
};

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

static int no_node(void *arg, const struct hft_node_call *call)
{
	(void)arg;
	(void)call;
	return 0;
}

static void make_graph(struct own *own)
{
	HFT_OPTS(hft_graph_opts, opts, .pool = own->pool);
	HFT_OPTS(hft_node_opts, node, .fn = no_node);
	uint32_t i;

	executor_check(hft_graph_open(&own->graph, &opts));
	for (i = 0; i < 10; i++)
		executor_check(hft_graph_add_node(own->graph, &node));
	for (i = 1; i < 9; i++) {
		executor_check(hft_graph_add_edge(own->graph, 0, i, 0));
		executor_check(hft_graph_add_edge(own->graph, i, 9, 0));
	}
	executor_check(hft_graph_seal(own->graph));
}

static void *create(void)
{
	const uint32_t last = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	HFT_OPTS(hft_pool_opts, opts, .workers = WORKERS, .spin_ns = SPIN_NS);
	HFT_OPTS(hft_pool_opts, one, .workers = 1, .cpus = &last, .spin_ns = SPIN_NS);
	struct own *own = calloc(1, sizeof(*own));

	if (!own)
		return NULL;
	executor_check(hft_pool_open(&own->pool, &opts));
	executor_check(hft_pool_open(&own->outside, &one));
	make_graph(own);
	return own;
}

static void destroy(void *side)
{
	struct own *own = side;

	hft_graph_close(own->graph);
	hft_pool_close(own->outside);
	hft_pool_close(own->pool);
	free(own);
}

struct many {
	struct hft_pool *pool;
	unsigned int nr;
	double *spawn_ns;
	double *total_ns;
};

static int64_t spawn_many(void *args)
{
	struct many *many = args;
	struct hft_group group;
	uint64_t start = hft_now();
	unsigned int i;

	hft_group_init(&group, many->pool);
	for (i = 0; i < many->nr; i++)
		executor_check(hft_group_spawn(&group, nothing, NULL, 0));
	*many->spawn_ns = (double)(hft_now() - start);
	executor_check(hft_group_wait(&group, UINT64_MAX));
	*many->total_ns = (double)(hft_now() - start);
	return 0;
}

static void spawn_worker(void *side, unsigned int nr, double *spawn_ns, double *total_ns)
{
	struct own *own = side;
	struct many many = { own->pool, nr, spawn_ns, total_ns };
	struct hft_group group;

	hft_group_init(&group, own->pool);
	executor_check(hft_group_spawn(&group, spawn_many, &many, sizeof(many)));
	executor_check(hft_group_wait(&group, UINT64_MAX));
}

static double spawn_outside(void *side, unsigned int nr)
{
	struct own *own = side;
	uint64_t start, spawned;
	struct hft_group group;
	unsigned int i;

	hft_group_init(&group, own->outside);
	start = hft_now();
	for (i = 0; i < nr; i++)
		executor_check(hft_group_spawn(&group, nothing, NULL, 0));
	spawned = hft_now() - start;
	executor_check(hft_group_wait(&group, UINT64_MAX));
	return (double)spawned;
}

struct fib {
	struct hft_pool *pool;
	uint64_t n;
	uint64_t *result;
};

static int64_t fib_task(void *args)
{
	struct fib *own = args;
	uint64_t a, b;
	struct fib x = { own->pool, own->n - 1, &a }, y = { own->pool, own->n - 2, &b };
	struct hft_group group;

	if (own->n < 2) {
		*own->result = own->n;
		return 0;
	}
	hft_group_init(&group, own->pool);
	executor_check(hft_group_spawn(&group, fib_task, &x, sizeof(x)));
	fib_task(&y);
	executor_check(hft_group_wait(&group, UINT64_MAX));
	*own->result = a + b;
	return 0;
}

static double fib(void *side)
{
	struct own *own = side;
	uint64_t result, start = hft_now();
	struct fib args = { own->pool, EXECUTOR_FIB, &result };
	struct hft_group group;

	hft_group_init(&group, own->pool);
	executor_check(hft_group_spawn(&group, fib_task, &args, sizeof(args)));
	executor_check(hft_group_wait(&group, UINT64_MAX));
	return (double)(hft_now() - start);
}

static void graph(void *side, unsigned int nr, double *ns)
{
	struct own *own = side;
	uint64_t start;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		start = hft_now();
		executor_check(hft_graph_run(own->graph, NULL, NULL));
		ns[i] = (double)(hft_now() - start);
	}
}

const struct executor_side executor_hft = {
	"hft", create, destroy, spawn_worker, spawn_outside, fib, graph,
};
