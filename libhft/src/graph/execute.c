// SPDX-License-Identifier: LGPL-2.1-or-later
/* Running the nodes of a graph. */
#include <errno.h>
#include <hft/hft.h>

#include "../pool/call.h"
#include "run.h"

#define NONE		UINT32_MAX

/* When @node must have ended for all that is behind it to end in time. */
static uint64_t deadline_of(const struct hft_run *run, const struct hft_graph_node *node)
{
	uint64_t rank = hft_node_rank(node), cost = hft_node_cost(node);
	/* While a cost is being changed it may be above the rank. */
	uint64_t behind = rank > cost ? rank - cost : 0;

	return run->opts.deadline > behind ? run->opts.deadline - behind : 1;
}

static void fail(struct hft_run *run, uint32_t node, int err)
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
	uint64_t start = run->measured ? hft_now() : 0, end;
	int ret = 0;

	if (run->opts.deadline)
		call.deadline = deadline_of(run, node);
	if (node->fn)
		ret = node->fn(node->arg, &call);
	if (run->measured || call.deadline) {
		end = hft_now();
		if (run->measured)
			hft_graph_measured(run->graph, number, end - start);
		if (call.deadline && end > call.deadline)
			add(&run->late);
	}
	if (ret < 0)
		fail(run, number, ret);
	return ret;
}

/* Returns what it does, or -ECANCELED: it is skipped. */
static int try_node(struct hft_run *run, uint32_t number, bool followed)
{
	if (!followed || is_over(run)) {
		add(&run->skipped);
		return -ECANCELED;
	}
	add(&run->executed);
	return call_node(run, number);
}

static bool is_followed(const struct hft_graph_edge *edge, int ret)
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

static void reset_waits(struct hft_run *run)
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

	reset_waits(run);
	for (n = 0; n < graph->nr_nodes; n++) {
		uint32_t node = graph->order[n];
		uint64_t waits = atomic_load_explicit(&run->waits[node], memory_order_relaxed);
		int ret = try_node(run, node, waits >= HFT_RUN_FOLLOWED);

		for (i = graph->nodes[node].first_out; i < graph->nodes[node + 1].first_out; i++) {
			_Atomic uint64_t *to = &run->waits[graph->edges[i].to];

			if (!is_followed(&graph->edges[i], ret))
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
			fail(run, call.node, err);
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
	} else if (run->measured || run->opts.deadline || run->opts.token) {
		for (n = 0; n < graph->nr_nodes; n++)
			try_node(run, graph->order[n], true);
	} else {
		n = run_plain(run);
		atomic_store_explicit(&run->executed, n, memory_order_relaxed);
		atomic_store_explicit(&run->skipped, graph->nr_nodes - n, memory_order_relaxed);
	}
}

static int64_t helper(void *args)
{
	struct hft_run *run = *(struct hft_run **)args;

	hft_run_help(run);
	hft_run_put(run);
	return 0;
}

/* Have a worker help, from @level on.  Returns 0, or an error: the others do it all. */
static int ask_for_help(struct hft_run *run, uint32_t level)
{
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + level, .group = &run->graph->helpers);
	int err;

	add(&run->refs);
	err = hft_spawn_opts(run->graph->pool, helper, &run, sizeof(run), &opts, NULL);
	if (err)
		hft_run_put(run);
	return err;
}

static void push(struct hft_run *run, uint32_t node)
{
	struct hft_heap_item *item = &run->items[node];
	uint64_t key = 0;

	if (run->opts.order == HFT_ORDER_RANK)
		key = ~hft_node_rank(&run->graph->nodes[node]);
	item->seq = run->seq++;
	hft_heap_push(&run->ready, item, key);
}

static uint32_t pop(struct hft_run *run)
{
	struct hft_heap_item *item;

	hft_lock(&run->lock);
	item = hft_heap_pop(&run->ready);
	hft_unlock(&run->lock);
	return item ? (uint32_t)(item - run->items) : NONE;
}

static uint32_t level_of(const struct hft_run *run)
{
	return run->opts.level ? run->opts.level - 1 : HFT_LEVEL_NORMAL;
}

/* A node of the critical path is one level above the others. */
static uint32_t level_of_node(const struct hft_run *run, uint32_t node)
{
	uint32_t level = level_of(run);

	if (level < HFT_LEVEL_REALTIME && run->opts.order == HFT_ORDER_RANK &&
	    hft_node_is_critical(&run->graph->nodes[node]))
		level++;
	return level;
}

/**
 * struct released - nodes that one node has let go
 * @nr: that cost more than to have another worker run them
 * @level: of the highest of these
 */
struct released {
	uint32_t nr;
	uint32_t level;
};

/* The lock is held. */
static void release(struct hft_run *run, uint32_t node, struct released *released)
{
	uint32_t level;

	push(run, node);
	if (hft_node_cost(&run->graph->nodes[node]) < run->graph->hop)
		return;
	level = level_of_node(run, node);
	if (level > released->level)
		released->level = level;
	released->nr++;
}

/* For all but the one that the caller runs. */
static void share(struct hft_run *run, const struct released *released)
{
	uint32_t i;

	for (i = 1; i < released->nr; i++)
		ask_for_help(run, released->level);
}

/* @node has ended: release those that waited for it alone, whether they run or not. */
static void release_next(struct hft_run *run, uint32_t node, int ret)
{
	const struct hft_graph *graph = run->graph;
	struct released released = {};
	bool locked = false;
	uint32_t i;

	for (i = graph->nodes[node].first_out; i < graph->nodes[node + 1].first_out; i++) {
		const struct hft_graph_edge *edge = &graph->edges[i];
		uint64_t change = is_followed(edge, ret) ? HFT_RUN_FOLLOWED - 1 : -1ULL;
		uint64_t waits;

		/* What the node has done, before what comes after it begins. */
		waits = atomic_fetch_add_explicit(&run->waits[edge->to], change,
						  memory_order_acq_rel) + change;
		if (HFT_RUN_WAITS(waits))
			continue;
		if (!locked)
			hft_lock(&run->lock);
		locked = true;
		release(run, edge->to, &released);
	}
	if (locked)
		hft_unlock(&run->lock);
	share(run, &released);
}

/* The last node to end ends the run. */
static void end_node(struct hft_run *run, uint32_t node, int ret)
{
	release_next(run, node, ret);
	if (atomic_fetch_sub_explicit(&run->left, 1, memory_order_acq_rel) == 1)
		hft_run_end(run);
}

/**
 * struct node_call - a node that is run
 * @call: it
 * @run: of which
 * @node: which
 */
struct node_call {
	struct hft_call call;
	struct hft_run *run;
	uint32_t node;
};

/* It has ended its thread, which is no helper any more, and so keeps the run for ever. */
static void abandon_node(struct hft_call *call)
{
	struct node_call *of = (struct node_call *)call;

	fail(of->run, of->node, -EOWNERDEAD);
	end_node(of->run, of->node, -EOWNERDEAD);
	hft_run_ask(of->run);
}

/* Have a worker help; without one, who waits tries again, or helps. */
void hft_run_ask(struct hft_run *run)
{
	if (ask_for_help(run, level_of(run)))
		atomic_store_explicit(&run->unattended, true, memory_order_relaxed);
}

static void run_node(struct hft_run *run, uint32_t node)
{
	uint64_t waits = atomic_load_explicit(&run->waits[node], memory_order_relaxed);
	struct node_call call = { .call.abandon = abandon_node, .run = run, .node = node };
	int ret;

	hft_call_begin(&call.call);
	ret = try_node(run, node, waits >= HFT_RUN_FOLLOWED);
	hft_call_end(&call.call);
	end_node(run, node, ret);
}

/* Run the best node until there is none that could run. */
void hft_run_help(struct hft_run *run)
{
	uint32_t node;

	while ((node = pop(run)) != NONE)
		run_node(run, node);
}

/*
 * Make ready what waits for nothing, and ask for help with it, all if nobody else helps:
 * returns an error if nobody comes then, and no node has begun.
 */
int hft_run_begin(struct hft_run *run, bool caller_helps)
{
	const struct hft_graph *graph = run->graph;
	struct released released = {};
	uint32_t i;
	int err;

	reset_waits(run);
	hft_lock(&run->lock);
	for (i = 0; i < graph->nr_nodes; i++) {
		if (graph->nodes[i].first_in == graph->nodes[i + 1].first_in)
			release(run, i, &released);
	}
	hft_unlock(&run->lock);
	if (!caller_helps) {
		err = ask_for_help(run, released.nr ? released.level : level_of(run));
		if (err) {
			while (pop(run) != NONE)
				;
			return err;
		}
	}
	share(run, &released);
	return 0;
}
