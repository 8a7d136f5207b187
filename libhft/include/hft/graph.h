/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Task graphs: work whose parts depend on each other, ordered by its critical path.
 *
 * A graph is built once, of nodes and edges, and sealed.  Each node has a cost, how long
 * it runs, and each edge a weight, what it costs to hand a result to another worker.
 * From these come
 *
 *   the rank of a node: the longest way from its start to the end of the graph.  The
 *	upward rank of H. Topcuoglu, S. Hariri and M.-Y. Wu, "Performance-Effective and
 *	Low-Complexity Task Scheduling for Heterogeneous Computing", IEEE TPDS 13 (3),
 *	2002, section 4.1
 *   the critical path: a longest way, from a node of the highest rank on; its length
 *	is that rank
 *   the slack of a node: how much later than at the earliest it may start without the
 *	graph ending later
 *
 * Costs and weights may change at any time: ranks follow, of the ancestors of what was
 * changed and of no others.
 *
 * Threads: a graph is built and sealed by one thread at a time; then all calls but
 * hft_graph_close() may be made from any.
 *
 * Errors: as in hft/hft.h, with a reason from hft_strerror().
 */
#ifndef HFT_GRAPH_H
#define HFT_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_graph;

#define HFT_GRAPH_NODES_MAX	(1U << 20)
#define HFT_GRAPH_EDGES_MAX	(1U << 24)
#define HFT_GRAPH_COST_MAX	(1ULL << 40)	/* ns: of a node, and of an edge */

struct hft_graph_opts {
	size_t sz;
	uint32_t nodes;			/* 65536: most nodes */
	struct hft_pool *pool;		/* whose workers run it, with who runs it; NULL: */
					/* none do */
	uint64_t hop_ns;		/* 1000: what it costs to have another worker run a */
					/* node: shorter ones go to none */
	bool fixed_costs;		/* they are not learned from the runs */
	uint32_t changes;		/* 256: of the critical path that are kept, at most 2^20 */
	uint32_t hop_percent[HFT_DISTANCES];	/* 100: what it costs to hand a result to a */
						/* worker so far away, of the edge's weight; */
						/* at most 1000 */
	uint32_t reserved;		/* 1 + the worker of the pool that runs nodes of the */
					/* critical path alone, when others have others to run; */
					/* 0: none */
};

int hft_graph_open(struct hft_graph **graph, const struct hft_graph_opts *opts);
void hft_graph_close(struct hft_graph *graph);

/**
 * struct hft_node_call - what a node is told of its run
 * @tick: hft_run_opts.tick
 * @node: its number
 * @deadline: CLOCK_MONOTONIC of its end, as hft_run_opts.split says; 0: there is none
 */
struct hft_node_call {
	void *tick;
	uint32_t node;
	uint64_t deadline;
};

/*
 * What a node does; @arg is hft_node_opts.arg.  Returns 0, or more: of its edges with a
 * branch only those of that one are followed; or a negative errno: the run fails, and
 * nodes that have not begun do not.  -ETIMEDOUT counts as -ETIME.
 */
typedef int (*hft_node_fn)(void *arg, const struct hft_node_call *call);

struct hft_node_opts {
	size_t sz;
	const char *name;		/* which is copied; NULL: its number */
	uint64_t cost_ns;
	hft_node_fn fn;			/* NULL: it does nothing */
	void *arg;
	struct hft_memory *memory;	/* that it touches: it goes to the worker that did so */
					/* last, unless what waits there costs more than the */
					/* miss; NULL: none */
};

int hft_graph_add_node(struct hft_graph *graph, const struct hft_node_opts *opts);
int hft_graph_add_edge(struct hft_graph *graph, uint32_t from, uint32_t to, uint64_t weight_ns);
int hft_graph_add_branch(struct hft_graph *graph, uint32_t from, uint32_t to, uint64_t weight_ns,
			 uint32_t branch);
int hft_graph_seal(struct hft_graph *graph);

/**
 * enum hft_graph_order - which of the nodes that could run goes first
 * @HFT_ORDER_RANK: the one of the highest rank
 * @HFT_ORDER_SUBMISSION: the one that could run first, of those the one that was added
 *	first
 * @HFT_ORDERS: how many there are
 */
enum hft_graph_order {
	HFT_ORDER_RANK,
	HFT_ORDER_SUBMISSION,
	HFT_ORDERS
};

/**
 * enum hft_run_split - what deadlines the nodes of a run have
 * @HFT_SPLIT_SHARED: of the longest way through a node, from the start of the run to its
 *	deadline, as much as is done when the node ends: so each has its share of the
 *	slack, in proportion to its cost
 * @HFT_SPLIT_LATEST: the run's, less the longest way behind the node: who comes first may
 *	use all of the slack up
 * @HFT_SPLITS: how many there are
 */
enum hft_run_split {
	HFT_SPLIT_SHARED,
	HFT_SPLIT_LATEST,
	HFT_SPLITS
};

struct hft_run_opts {
	size_t sz;
	void *tick;			/* for the nodes */
	uint64_t deadline;		/* CLOCK_MONOTONIC of the end; 0: none */
	struct hft_token *token;	/* cancelled: nodes that have not begun do not */
	uint32_t level;			/* 1 + enum hft_level of its nodes; 0: NORMAL; one above */
					/* for those of the critical path */
	uint32_t order;			/* enum hft_graph_order; by submission no node is above */
					/* the others */
	uint32_t split;			/* enum hft_run_split, of the deadline */
};

struct hft_run_result {
	size_t sz;
	uint64_t start_ns;		/* CLOCK_MONOTONIC */
	uint64_t end_ns;
	uint32_t executed;		/* nodes */
	uint32_t skipped;		/* by branches, or after a failure */
	uint32_t late;			/* ended too late for the run to end in time, if all */
					/* behind them runs as long as expected */
	uint32_t failed;		/* 1 + the node that the run failed by; 0: none */
};

struct hft_run;

int hft_graph_run(struct hft_graph *graph, const struct hft_run_opts *opts,
		  struct hft_run_result *result);
int hft_graph_start(struct hft_graph *graph, const struct hft_run_opts *opts, struct hft_run **run);
int hft_run_wait(struct hft_run *run, uint64_t timeout, struct hft_run_result *result);

int hft_graph_set_cost(struct hft_graph *graph, uint32_t node, uint64_t cost_ns);
int hft_graph_set_weight(struct hft_graph *graph, uint32_t from, uint32_t to, uint64_t weight_ns);

void hft_graph_hops(struct hft_graph *graph, uint32_t workers, uint32_t *percent);
uint32_t hft_graph_nodes(const struct hft_graph *graph);
uint32_t hft_graph_edges(const struct hft_graph *graph);
const char *hft_graph_name(const struct hft_graph *graph, uint32_t node);

struct hft_node_info {
	size_t sz;
	uint64_t cost_ns;
	uint64_t rank_ns;
	uint64_t earliest_ns;		/* start, from that of the graph */
	uint64_t slack_ns;
	uint64_t mean_ns;		/* of the runs that were measured, decayed */
	uint64_t p99_ns;
	uint64_t measured;		/* how many */
};

int hft_graph_node_info(struct hft_graph *graph, uint32_t node, struct hft_node_info *info);
uint64_t hft_graph_length(struct hft_graph *graph);
int hft_graph_path(struct hft_graph *graph, uint32_t *nodes, uint32_t max);

/**
 * enum hft_graph_cause - what has changed the critical path
 * @HFT_CAUSE_COST: hft_graph_set_cost()
 * @HFT_CAUSE_WEIGHT: hft_graph_set_weight()
 * @HFT_CAUSE_LEARNED: a cost was learned from a run
 * @HFT_CAUSES: how many there are
 */
enum hft_graph_cause {
	HFT_CAUSE_COST,
	HFT_CAUSE_WEIGHT,
	HFT_CAUSE_LEARNED,
	HFT_CAUSES
};

#define HFT_CHANGE_NOWHERE	(~0U)	/* it leads by the nodes that it did */

/**
 * struct hft_graph_change - a change of the critical path
 * @seq: its number, from 1 on
 * @when_ns: CLOCK_MONOTONIC
 * @old_length_ns: what its length was
 * @new_length_ns: and is
 * @cause: &enum hft_graph_cause
 * @node: whose cost, or an edge from which, has changed; of those of which a run has
 *	learned the one whose cost has changed most
 * @nodes: that the path has now
 * @differs: the first of them that is another, or %HFT_CHANGE_NOWHERE
 */
struct hft_graph_change {
	uint64_t seq;
	uint64_t when_ns;
	uint64_t old_length_ns;
	uint64_t new_length_ns;
	uint32_t cause;
	uint32_t node;
	uint32_t nodes;
	uint32_t differs;
};

int hft_graph_changes(struct hft_graph *graph, uint64_t since, struct hft_graph_change *changes,
		      uint32_t max, uint64_t *lost);

/**
 * struct hft_node_slot - when and where a node runs in a schedule
 * @start_ns: from the start of the graph
 * @end_ns: likewise
 * @worker: below hft_schedule_opts.workers
 */
struct hft_node_slot {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t worker;
};

struct hft_schedule_opts {
	size_t sz;
	uint32_t workers;		/* 1 to 1024 */
	uint32_t order;			/* enum hft_graph_order */
	const uint64_t *costs_ns;	/* of node n on worker w at n * workers + w, at most */
					/* HFT_GRAPH_COST_MAX; NULL: the nodes' costs on each */
	const uint32_t *hop_percent;	/* of an edge's weight from worker a to b at */
					/* a * workers + b, at most 1000; NULL: 100 to any other */
};

int hft_graph_schedule(struct hft_graph *graph, const struct hft_schedule_opts *opts,
		       struct hft_node_slot *slots, uint64_t *makespan_ns);
int hft_graph_place(struct hft_graph *graph, const struct hft_schedule_opts *opts,
		    struct hft_node_slot *slots, uint64_t *makespan_ns);

#ifdef __cplusplus
}
#endif

#endif /* HFT_GRAPH_H */
