// SPDX-License-Identifier: LGPL-2.1-or-later
/* Ranks, and what follows from them. */
#include <errno.h>

#include "internal.h"

/* The rank of @node; @next: out: the first node behind it by which that is so long. */
static uint64_t rank_of(const struct hft_graph *graph, uint32_t node, uint32_t *next)
{
	const struct hft_graph_node *nodes = graph->nodes;
	uint64_t most = 0, way;
	uint32_t i;

	*next = HFT_NODE_NONE;
	for (i = nodes[node].first_out; i < nodes[node + 1].first_out; i++) {
		const struct hft_graph_edge *edge = &graph->edges[i];

		way = hft_edge_cost(graph, edge) + hft_node_rank(&nodes[edge->to]);
		if (way > most || *next == HFT_NODE_NONE) {
			most = way;
			*next = edge->to;
		}
	}
	return hft_node_cost(&nodes[node]) + most;
}

static void set_rank(struct hft_graph *graph, uint32_t node, uint64_t rank)
{
	atomic_store_explicit(&graph->nodes[node].rank, rank, memory_order_relaxed);
}

/* The rank of each node. */
void hft_graph_rank_all(struct hft_graph *graph)
{
	uint64_t work = 0;
	uint32_t i;

	for (i = graph->nr_nodes; i--;) {
		uint32_t node = graph->order[i];

		set_rank(graph, node, rank_of(graph, node, &graph->nodes[node].next));
		work += hft_node_cost(&graph->nodes[i]);
	}
	atomic_store_explicit(&graph->work, work, memory_order_relaxed);
	graph->timed = false;
}

static void mark(struct hft_graph *graph, uint32_t node)
{
	uint32_t position = graph->nodes[node].position;

	graph->marked[position / 64] |= 1ULL << position % 64;
	if (position / 64 > graph->last_marked)
		graph->last_marked = position / 64;
}

/* Compute a rank again; if it is another, so may be those of what is before it. */
static void refresh(struct hft_graph *graph, uint32_t node)
{
	struct hft_graph_node *nodes = graph->nodes;
	uint32_t i, next;
	uint64_t rank = rank_of(graph, node, &next);

	if (next != nodes[node].next) {
		nodes[node].next = next;
		graph->path.moved |= hft_node_is_critical(&nodes[node]);
	}
	if (rank == hft_node_rank(&nodes[node]))
		return;
	set_rank(graph, node, rank);
	hft_path_rank(graph, node);
	for (i = nodes[node].first_in; i < nodes[node + 1].first_in; i++)
		mark(graph, graph->edges[graph->in[i]].from);
}

/*
 * What is marked is computed from the last position to the first: so each but once, after
 * all that it depends on.
 */
static void refresh_marked(struct hft_graph *graph, uint32_t node, enum hft_graph_cause cause)
{
	uint32_t word = graph->last_marked;

	for (;; word--) {
		while (graph->marked[word]) {
			uint32_t bit = 63 - (uint32_t)__builtin_clzll(graph->marked[word]);

			graph->marked[word] &= ~(1ULL << bit);
			refresh(graph, graph->order[64 * word + bit]);
		}
		if (!word)
			break;
	}
	graph->last_marked = 0;
	graph->timed = false;
	hft_path_follow(graph, cause, node);
}

/* The cost of @node, or of an edge from it, has changed. */
static void refresh_from(struct hft_graph *graph, uint32_t node, enum hft_graph_cause cause)
{
	mark(graph, node);
	refresh_marked(graph, node, cause);
}

/* Have ranks be by what was learned, all in one go; the lock is held. */
void hft_graph_settle(struct hft_graph *graph)
{
	if (!graph->learned)
		return;
	graph->learned = false;
	graph->learned_most = 0;
	refresh_marked(graph, graph->learned_node, HFT_CAUSE_LEARNED);
}

static int check_sealed(const struct hft_graph *graph, uint32_t node)
{
	if (!graph->sealed)
		return hft_fail(EBUSY, "the graph is not sealed");
	if (node >= graph->nr_nodes)
		return hft_fail(ENOENT, "node %u of %u", node, graph->nr_nodes);
	return 0;
}

/* The lock is held.  Returns whether it is another. */
static bool set_cost(struct hft_graph *graph, uint32_t node, uint64_t cost)
{
	uint64_t old = hft_node_cost(&graph->nodes[node]);

	if (cost == old)
		return false;
	atomic_store_explicit(&graph->nodes[node].cost, cost, memory_order_relaxed);
	if (graph->sealed)
		atomic_fetch_add_explicit(&graph->work, cost - old, memory_order_relaxed);
	return graph->sealed;
}

/**
 * hft_graph_set_cost() - say how long a node runs
 * @graph: sealed or not
 * @node: its number
 * @cost_ns: at most %HFT_GRAPH_COST_MAX
 *
 * Who runs the graph meanwhile is not stopped; the next run goes by it.
 *
 * Return: 0, -ENOENT there is no such node, -EINVAL.
 */
HFT_API int hft_graph_set_cost(struct hft_graph *graph, uint32_t node, uint64_t cost_ns)
{
	if (node >= graph->nr_nodes)
		return hft_fail(ENOENT, "node %u of %u", node, graph->nr_nodes);
	if (cost_ns > HFT_GRAPH_COST_MAX)
		return hft_fail(EINVAL, "a cost of %llu ns", (unsigned long long)cost_ns);
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	if (set_cost(graph, node, cost_ns))
		refresh_from(graph, node, HFT_CAUSE_COST);
	pthread_mutex_unlock(&graph->lock);
	return 0;
}

/*
 * Move a percentile by a part of the mean, up as often as not (F. R. Tierney, "A
 * space-efficient recursive procedure for estimating a quantile of an unknown
 * distribution", SIAM Journal on Scientific and Statistical Computing 4 (4), 1983).
 */
static uint64_t follow_p99(uint64_t p99, uint64_t mean, uint64_t ns)
{
	uint64_t step = mean / 8 + 100;

	if (ns > p99)
		return p99 + step - step / 100;
	return p99 > step / 100 ? p99 - step / 100 : 0;
}

/* The lock is held. */
static void learn(struct hft_graph *graph, uint32_t node, uint64_t cost, uint64_t off)
{
	if (!set_cost(graph, node, cost))
		return;
	mark(graph, node);
	if (!graph->learned || off > graph->learned_most) {
		graph->learned_node = node;
		graph->learned_most = off;
	}
	graph->learned = true;
}

/**
 * hft_graph_measured() - take into account how long a node ran
 * @graph: sealed
 * @node: its number
 * @ns: so long
 *
 * Its cost is the mean, but does not follow each little change of it.  Ranks follow with
 * those of the other nodes of the run, when it is over.  While another thread is at the
 * graph's costs it does nothing: there will be other runs.
 */
void hft_graph_measured(struct hft_graph *graph, uint32_t node, uint64_t ns)
{
	struct hft_graph_node *n = &graph->nodes[node];
	uint64_t cost = hft_node_cost(n), off;

	if (ns > HFT_GRAPH_COST_MAX)
		ns = HFT_GRAPH_COST_MAX;
	if (pthread_mutex_trylock(&graph->lock))
		return;
	if (n->measured++) {
		n->mean = n->mean - n->mean / 8 + ns / 8;
		n->p99 = follow_p99(n->p99, n->mean, ns);
	} else {
		n->mean = n->p99 = ns;
	}
	off = n->mean > cost ? n->mean - cost : cost - n->mean;
	if (off > cost / 8)
		learn(graph, node, n->mean, off);
	pthread_mutex_unlock(&graph->lock);
}

/* The edges of a node are in the order of where they lead to. */
static struct hft_graph_edge *find_edge(struct hft_graph *graph, uint32_t from, uint32_t to)
{
	uint32_t low = graph->nodes[from].first_out, high = graph->nodes[from + 1].first_out;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (graph->edges[middle].to < to)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == graph->nodes[from + 1].first_out || graph->edges[low].to != to)
		return NULL;
	return &graph->edges[low];
}

/**
 * hft_graph_set_weight() - say what an edge costs between workers
 * @graph: sealed
 * @from: number of its node
 * @to: of the one that it leads to
 * @weight_ns: at most %HFT_GRAPH_COST_MAX
 *
 * As hft_graph_set_cost().
 *
 * Return: 0, -EBUSY the graph is not sealed, -ENOENT there is no such edge, -EINVAL.
 */
HFT_API int hft_graph_set_weight(struct hft_graph *graph, uint32_t from, uint32_t to,
				 uint64_t weight_ns)
{
	struct hft_graph_edge *edge;
	int err = check_sealed(graph, from);

	if (err)
		return err;
	if (weight_ns > HFT_GRAPH_COST_MAX)
		return hft_fail(EINVAL, "a weight of %llu ns", (unsigned long long)weight_ns);
	edge = find_edge(graph, from, to);
	if (!edge)
		return hft_fail(ENOENT, "an edge from node %u to %u", from, to);
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	if (hft_edge_weight(edge) != weight_ns) {
		atomic_store_explicit(&edge->label,
				      hft_edge_label(weight_ns, hft_edge_branch(edge)),
				      memory_order_relaxed);
		refresh_from(graph, from, HFT_CAUSE_WEIGHT);
	}
	pthread_mutex_unlock(&graph->lock);
	return 0;
}

/* When each node can start at the earliest; the lock is held. */
void hft_graph_time(struct hft_graph *graph)
{
	struct hft_graph_node *nodes = graph->nodes;
	uint32_t i, n;

	hft_graph_settle(graph);
	if (graph->timed)
		return;
	for (n = 0; n < graph->nr_nodes; n++) {
		struct hft_graph_node *node = &nodes[graph->order[n]];
		uint64_t earliest = 0;

		for (i = node->first_in; i < node[1].first_in; i++) {
			const struct hft_graph_edge *edge = &graph->edges[graph->in[i]];
			const struct hft_graph_node *from = &nodes[edge->from];
			uint64_t end = hft_node_earliest(from) + hft_node_cost(from) +
				       hft_edge_cost(graph, edge);

			if (end > earliest)
				earliest = end;
		}
		atomic_store_explicit(&node->earliest, earliest, memory_order_relaxed);
	}
	graph->timed = true;
}

/**
 * hft_graph_node_info() - what is known of a node
 * @graph: sealed
 * @node: its number
 * @user: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Return: 0, -EBUSY the graph is not sealed, -ENOENT there is no such node, -EINVAL sz is
 * none.
 */
HFT_API int hft_graph_node_info(struct hft_graph *graph, uint32_t node, struct hft_node_info *user)
{
	struct hft_node_info info = {};
	const struct hft_graph_node *n = &graph->nodes[node];
	int err = check_sealed(graph, node);

	if (!err)
		err = hft_check_answer(user);
	if (err)
		return err;
	pthread_mutex_lock(&graph->lock);
	hft_graph_time(graph);
	info.cost_ns = hft_node_cost(n);
	info.rank_ns = hft_node_rank(n);
	info.earliest_ns = hft_node_earliest(n);
	info.slack_ns = graph->path.length - info.earliest_ns - info.rank_ns;
	info.mean_ns = n->mean;
	info.p99_ns = n->p99;
	info.measured = n->measured;
	pthread_mutex_unlock(&graph->lock);
	hft_answer(user, &info, sizeof(info));
	return 0;
}
