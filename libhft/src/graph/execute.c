// SPDX-License-Identifier: LGPL-2.1-or-later
/* Running the nodes of a graph. */
#include <errno.h>
#include <hft/hft.h>

#include "../log/sched.h"
#include "run.h"

/* What is behind a node; while a cost is being changed it may be above the rank. */
static uint64_t behind(const struct hft_graph_node *node)
{
	uint64_t rank = hft_node_rank(node), cost = hft_node_cost(node);

	return rank > cost ? rank - cost : 0;
}

/* When @node must have ended for all that is behind it to end in time. */
static uint64_t latest_end(const struct hft_run *run, const struct hft_graph_node *node)
{
	uint64_t end = run->opts.deadline, rest = behind(node);

	return end > rest ? end - rest : 1;
}

/**
 * hft_run_deadline() - the deadline of a node
 * @run: of which
 * @number: which
 *
 * By equal flexibility (EQF; B. Kao and H. Garcia-Molina, "Deadline Assignment in a
 * Distributed Soft Real-Time System", IEEE TPDS 8 (12), 1997), from the start of the run
 * on and along the longest way through the node; or the latest (ED there).
 *
 * Return: CLOCK_MONOTONIC, or 0: there is none.
 */
uint64_t hft_run_deadline(const struct hft_run *run, uint32_t number)
{
	const struct hft_graph_node *node = &run->graph->nodes[number];
	uint64_t earliest, rank, cost, through, done, time;

	if (!run->opts.deadline)
		return 0;
	/* Each once: a cost may change, and no more is done than there is. */
	earliest = hft_node_earliest(node);
	rank = hft_node_rank(node);
	cost = hft_node_cost(node);
	through = earliest + rank;
	if (run->opts.split != HFT_SPLIT_SHARED || !through || run->opts.deadline <= run->start)
		return latest_end(run, node);
	done = earliest + (cost < rank ? cost : rank);
	time = run->opts.deadline - run->start;
	return run->start + (uint64_t)((unsigned __int128)time * done / through);
}

void hft_run_fail(struct hft_run *run, uint32_t node, int err)
{
	int none = 0;

	/* To who waits that would say that the run goes on. */
	if (err == -ETIMEDOUT)
		err = -ETIME;
	if (atomic_compare_exchange_strong(&run->error, &none, err))
		atomic_store_explicit(&run->failed, node + 1, memory_order_relaxed);
}

/* Why nothing is begun any more, or 0. */
static int is_over(struct hft_run *run)
{
	int none = 0;

	if (run->opts.token && hft_token_is_cancelled(run->opts.token))
		atomic_compare_exchange_strong(&run->error, &none, -ECANCELED);
	return atomic_load_explicit(&run->error, memory_order_relaxed);
}

static void add(_Atomic uint32_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Run a node, with all that is asked for.  Returns what it does. */
static int call_node(struct hft_run *run, uint32_t number)
{
	const struct hft_graph_node *node = &run->graph->nodes[number];
	struct hft_node_call call = { .tick = run->opts.tick, .node = number };
	bool logged = hft_log_sched_wants(HFT_SCHED_GRAPH_NODE);
	uint64_t start = run->measured || logged ? hft_now() : 0, end;
	int ret = 0;

	call.deadline = hft_run_deadline(run, number);
	if (node->fn)
		ret = node->fn(node->arg, &call);
	if (run->measured || call.deadline || logged) {
		end = hft_now();
		if (run->measured)
			hft_graph_measured(run->graph, number, end - start);
		if (call.deadline && end > latest_end(run, node))
			add(&run->late);
		if (logged)
			hft_log_sched_node(run->graph, number, call.tick, ret, start, end);
	}
	if (ret < 0)
		hft_run_fail(run, number, ret);
	return ret;
}

/* Returns what it does, or -ECANCELED: it is skipped. */
int hft_run_try(struct hft_run *run, uint32_t number, bool followed)
{
	if (!followed || is_over(run)) {
		add(&run->skipped);
		return -ECANCELED;
	}
	add(&run->executed);
	return call_node(run, number);
}

bool hft_run_follows(const struct hft_graph_edge *edge, int ret)
{
	uint32_t branch = hft_edge_branch(edge);

	return ret >= 0 && (!branch || branch == (unsigned int)ret);
}

/* Nodes without edges to them are followed, so to say. */
static uint64_t waits_of(const struct hft_graph *graph, uint32_t node)
{
	uint32_t nr = graph->nodes[node + 1].first_in - graph->nodes[node].first_in;

	return nr ? nr : HFT_RUN_FOLLOWED;
}

void hft_run_reset_waits(struct hft_run *run)
{
	uint32_t i;

	for (i = 0; i < run->graph->nr_nodes; i++)
		atomic_store_explicit(&run->waits[i], waits_of(run->graph, i),
				      memory_order_relaxed);
}

/* With branches: one after the other, and whether it is followed is known by then. */
static void run_branches(struct hft_run *run)
{
	const struct hft_graph *graph = run->graph;
	uint32_t n, i;

	hft_run_reset_waits(run);
	for (n = 0; n < graph->nr_nodes; n++) {
		uint32_t node = graph->order[n];
		uint64_t waits = atomic_load_explicit(&run->waits[node], memory_order_relaxed);
		int ret = hft_run_try(run, node, waits >= HFT_RUN_FOLLOWED);

		for (i = graph->nodes[node].first_out; i < graph->nodes[node + 1].first_out; i++) {
			_Atomic uint64_t *to = &run->waits[graph->edges[i].to];

			if (!hft_run_follows(&graph->edges[i], ret))
				continue;
			waits = atomic_load_explicit(to, memory_order_relaxed);
			atomic_store_explicit(to, waits + HFT_RUN_FOLLOWED, memory_order_relaxed);
		}
	}
}

/* Nothing but the nodes' functions.  Returns how many were run. */
static uint32_t run_plain(struct hft_run *run)
{
	const struct hft_graph *graph = run->graph;
	struct hft_node_call call = { .tick = run->opts.tick };
	uint32_t n;
	int err;

	for (n = 0; n < graph->nr_nodes; n++) {
		const struct hft_graph_node *node = &graph->nodes[graph->order[n]];

		if (!node->fn)
			continue;
		call.node = graph->order[n];
		err = node->fn(node->arg, &call);
		if (__builtin_expect(err < 0, 0)) {
			hft_run_fail(run, call.node, err);
			return n + 1;
		}
	}
	return n;
}

/**
 * hft_run_alone() - run all nodes in the calling thread
 * @run: of zeroes but for graph, opts and measured, and waits if there are branches
 */
void hft_run_alone(struct hft_run *run)
{
	const struct hft_graph *graph = run->graph;
	uint32_t n;

	if (graph->branches) {
		run_branches(run);
	} else if (run->measured || run->opts.deadline || run->opts.token ||
		   hft_log_sched_wants(HFT_SCHED_GRAPH_NODE)) {
		for (n = 0; n < graph->nr_nodes; n++)
			hft_run_try(run, graph->order[n], true);
	} else {
		n = run_plain(run);
		atomic_store_explicit(&run->executed, n, memory_order_relaxed);
		atomic_store_explicit(&run->skipped, graph->nr_nodes - n, memory_order_relaxed);
	}
}
