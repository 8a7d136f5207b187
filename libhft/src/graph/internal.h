/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the graph share.
 *
 * A sealed graph never changes but for its costs, weights and what follows from them,
 * which are written under its lock.  Ranks are read without it, by who runs the graph: a
 * run that sees some of them before a change and some after it is in a worse order, and
 * as correct.
 */
#ifndef HFT_GRAPH_INTERNAL_H
#define HFT_GRAPH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <hft/graph.h>

#include "core/heap.h"
#include "../api.h"
#include "../options.h"

/**
 * struct hft_graph_edge - an edge
 * @from: node
 * @to: node
 * @label: its weight, ns, above the branch that it is of, or 0: one word, since who runs
 *	the graph looks at the branch while the weight changes
 */
struct hft_graph_edge {
	uint32_t from;
	uint32_t to;
	_Atomic uint64_t label;
};

#define HFT_EDGE_BRANCH_BITS	16
#define HFT_EDGE_BRANCH_MAX	((1U << HFT_EDGE_BRANCH_BITS) - 1)

/**
 * struct hft_graph_node - a node
 * @fn: what it does, or NULL
 * @arg: for that
 * @cost: ns
 * @rank: ns
 * @earliest: ns; as of hft_graph.timed
 * @mean: of the runs that were measured, decayed, ns
 * @p99: likewise
 * @name: or NULL
 * @memory: that it touches, or NULL
 * @measured: how many were
 * @position: in the topological order
 * @first_out: of its edges in hft_graph.edges, from there to the next node's
 * @first_in: of those to it in hft_graph.in
 * @next: the first of those behind it that a longest way goes by, or %HFT_NODE_NONE
 * @critical: is on the critical path
 */
struct hft_graph_node {
	hft_node_fn fn;
	void *arg;
	_Atomic uint64_t cost;
	_Atomic uint64_t rank;
	_Atomic uint64_t earliest;
	uint64_t mean;
	uint64_t p99;
	char *name;
	struct hft_memory *memory;
	uint32_t measured;
	uint32_t position;
	uint32_t first_out;
	uint32_t first_in;
	uint32_t next;
	_Atomic bool critical;
};

#define HFT_NODE_NONE		UINT32_MAX

/**
 * struct hft_graph_path - the critical path, and what has become of it
 * @starts: nodes without edges to them, by rank: the first of these are the first of the
 *	order, too
 * @items: theirs
 * @nodes: of the path
 * @nr: how many
 * @length: ns
 * @moved: one of its nodes has another next one
 * @log: the last changes, by their number modulo @max
 * @max: how many there is room for
 * @changes: how many there were
 */
struct hft_graph_path {
	struct hft_heap starts;
	struct hft_heap_item *items;
	uint32_t *nodes;
	uint32_t nr;
	uint64_t length;
	bool moved;
	struct hft_graph_change *log;
	uint32_t max;
	uint64_t changes;
};

/**
 * struct hft_graph - a graph
 * @lock: of what can change when it is sealed
 * @nodes: one more than there are, when it is sealed
 * @edges: by from and to, when it is sealed
 * @in: numbers of edges by where they lead to
 * @order: nodes, each behind those that it depends on
 * @marked: a bit for each position in @order whose rank is to be computed
 * @last_marked: none of the words of @marked behind it has a bit
 * @path: the critical one
 * @learned: costs of nodes that are marked, and whose ranks are not yet by them
 * @learned_node: the one of these whose cost has changed most
 * @learned_most: by that, ns
 * @timed: hft_graph_node.earliest is right
 * @branches: there are edges that are not always followed
 * @learns: costs from the runs
 * @memories: there are nodes that have one
 * @pool: or NULL
 * @reserved: 1 + the worker that is there for the critical path, or 0
 * @hop: what it costs to have another worker run a node, ns
 * @hop_percent: what it costs to hand a result to one, of an edge's weight, by distance
 * @mean_hop: likewise, of all pairs of workers
 * @work: the sum of all costs
 * @runs: that were begun
 * @idle: memory of runs that is not used
 * @all: and all of it
 * @helpers: tasks of runs
 */
struct hft_graph {
	pthread_mutex_t lock;
	struct hft_graph_node *nodes;
	uint32_t nr_nodes;
	uint32_t max_nodes;
	struct hft_graph_edge *edges;
	uint32_t nr_edges;
	uint32_t *in;
	uint32_t *order;
	uint64_t *marked;
	uint32_t last_marked;
	struct hft_graph_path path;
	bool learned;
	uint32_t learned_node;
	uint64_t learned_most;
	bool sealed;
	bool timed;
	bool branches;
	bool learns;
	bool memories;
	struct hft_pool *pool;
	uint32_t reserved;
	uint64_t hop;
	uint32_t hop_percent[HFT_DISTANCES];
	uint32_t mean_hop;
	_Atomic uint64_t work;
	_Atomic uint64_t runs;
	struct hft_run *idle;
	struct hft_run *all;
	struct hft_group helpers;
};

static inline uint64_t hft_node_rank(const struct hft_graph_node *node)
{
	return atomic_load_explicit(&node->rank, memory_order_relaxed);
}

static inline uint64_t hft_node_earliest(const struct hft_graph_node *node)
{
	return atomic_load_explicit(&node->earliest, memory_order_relaxed);
}

static inline uint64_t hft_node_cost(const struct hft_graph_node *node)
{
	return atomic_load_explicit(&node->cost, memory_order_relaxed);
}

static inline uint64_t hft_edge_label(uint64_t weight, uint32_t branch)
{
	return weight << HFT_EDGE_BRANCH_BITS | branch;
}

static inline uint64_t hft_edge_weight(const struct hft_graph_edge *edge)
{
	return atomic_load_explicit(&edge->label, memory_order_relaxed) >> HFT_EDGE_BRANCH_BITS;
}

/* What an edge costs as long as nobody knows what runs where. */
static inline uint64_t hft_edge_cost(const struct hft_graph *graph,
				     const struct hft_graph_edge *edge)
{
	return hft_edge_weight(edge) * graph->mean_hop / 100;
}

static inline uint32_t hft_edge_branch(const struct hft_graph_edge *edge)
{
	return atomic_load_explicit(&edge->label, memory_order_relaxed) & HFT_EDGE_BRANCH_MAX;
}

static inline bool hft_node_is_critical(const struct hft_graph_node *node)
{
	return atomic_load_explicit(&node->critical, memory_order_relaxed);
}

/* hops.c */
#define HFT_HOP_PERCENT_MAX	1000U		/* of an edge's weight: no rank overflows */

int hft_hops_set(struct hft_graph *graph, const uint32_t *percent);
void hft_hops_mean(struct hft_graph *graph);

/* seal.c */
int hft_graph_index(struct hft_graph *graph);
int hft_graph_sort(struct hft_graph *graph);

/* rank.c */
void hft_graph_rank_all(struct hft_graph *graph);
void hft_graph_settle(struct hft_graph *graph);
void hft_graph_time(struct hft_graph *graph);
void hft_graph_measured(struct hft_graph *graph, uint32_t node, uint64_t ns);

/* path.c */
int hft_path_make(struct hft_graph *graph);
void hft_path_free(struct hft_graph *graph);
void hft_path_rank(struct hft_graph *graph, uint32_t node);
void hft_path_follow(struct hft_graph *graph, uint32_t cause, uint32_t node);

/* run.c */
void hft_graph_free_runs(struct hft_graph *graph);

#endif /* HFT_GRAPH_INTERNAL_H */
