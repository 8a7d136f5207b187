// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory of tasks that wait and of nodes that do not run: what the process has more of
 * afterwards, by the kernel's count, over how many there are.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "executor.h"

#define TASKS		1000000
#define NODES		65000
#define EDGES		2		/* of a node */
#define MORE_EDGES	4

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1) {
		perror("executor: /proc/self/statm");
		exit(1);
	}
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

struct waits {
	struct hft_pool *pool;
	double *bytes;
	bool with_level;
};

/* The only worker is here: none of them begins. */
static int64_t spawn_all(void *args)
{
	struct waits *waits = args;
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + HFT_LEVEL_HIGH);
	double before = resident_bytes();
	unsigned int i;

	for (i = 0; i < TASKS; i++) {
		if (waits->with_level)
			executor_check(hft_spawn_opts(waits->pool, nothing, NULL, 0, &opts, NULL));
		else
			executor_check(hft_spawn(waits->pool, nothing, NULL, 0));
	}
	*waits->bytes = (resident_bytes() - before) / TASKS;
	return 0;
}

static double task_bytes(bool with_level)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 1);
	double bytes = 0;
	struct waits waits = { .bytes = &bytes, .with_level = with_level };
	struct hft_group group;

	executor_check(hft_pool_open(&waits.pool, &opts));
	hft_group_init(&group, waits.pool);
	executor_check(hft_group_spawn(&group, spawn_all, &waits, sizeof(waits)));
	executor_check(hft_group_wait(&group, UINT64_MAX));
	hft_pool_close(waits.pool);
	return bytes;
}

/* As a tree, but each node has @edges to it.  Sealed, and run once: with what a run needs. */
static double node_bytes(uint32_t edges)
{
	double before = resident_bytes(), bytes;
	struct hft_graph *graph;
	uint32_t i, k;

	executor_check(hft_graph_open(&graph, NULL));
	for (i = 0; i < NODES; i++)
		executor_check(hft_graph_add_node(graph, NULL));
	for (i = 1; i < NODES; i++) {
		for (k = 0; k < edges && k <= i / 2; k++)
			executor_check(hft_graph_add_edge(graph, i / 2 - k, i, 0));
	}
	executor_check(hft_graph_seal(graph));
	executor_check(hft_graph_run(graph, NULL, NULL));
	malloc_trim(0);
	bytes = (resident_bytes() - before) / NODES;
	hft_graph_close(graph);
	return bytes;
}

void executor_memory(void)
{
	double plain, with_level, node, more;

	malloc_trim(0);
	more = node_bytes(MORE_EDGES);
	malloc_trim(0);
	node = node_bytes(EDGES);
	malloc_trim(0);
	plain = task_bytes(false);
	malloc_trim(0);
	with_level = task_bytes(true);
	printf("figure pool_task_bytes %.1f\n", plain);
	printf("note pool_task_bytes: spawned by a worker, with its place in the deque; with options %.1f\n",
	       with_level);
	printf("figure graph_node_bytes %.1f\n", node);
	printf("note graph_node_bytes: with %d edges and its part of a run; each other edge %.1f\n", EDGES,
	       (more - node) / (MORE_EDGES - EDGES));
}
