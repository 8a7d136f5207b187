// SPDX-License-Identifier: LGPL-2.1-or-later
/* Building a graph. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include "../mutex.h"
#include "internal.h"

#define NODES_DEFAULT	65536
#define GROW_FROM	64
#define CHANGES_DEFAULT	256
#define CHANGES_MAX	(1U << 20)
#define HOP_DEFAULT	1000		/* ns: to a worker that looks for tasks, and back */

static int check_reserved(const struct hft_graph_opts *opts)
{
	HFT_OPTS(hft_pool_stats, stats);

	if (!opts->reserved)
		return 0;
	if (!opts->pool)
		return hft_fail(EINVAL, "a reserved worker of no pool");
	if (hft_pool_stats(opts->pool, opts->reserved - 1, &stats))
		return hft_fail(EINVAL, "there is no worker %u", opts->reserved - 1);
	return 0;
}

/**
 * hft_graph_open() - make an empty graph
 * @out: the graph
 * @user_opts: options or NULL
 *
 * Return: 0, -EINVAL more nodes than %HFT_GRAPH_NODES_MAX, or 2^20 changes, or an option
 * is out of range, -E2BIG the options are of a newer library, -ENOMEM.
 */
HFT_API int hft_graph_open(struct hft_graph **out, const struct hft_graph_opts *user_opts)
{
	struct hft_graph_opts opts;
	struct hft_graph *graph;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.nodes > HFT_GRAPH_NODES_MAX)
		return hft_fail(EINVAL, "%u nodes: at most %u", opts.nodes, HFT_GRAPH_NODES_MAX);
	if (opts.changes > CHANGES_MAX)
		return hft_fail(EINVAL, "%u changes: at most %u", opts.changes, CHANGES_MAX);
	err = check_reserved(&opts);
	if (err)
		return err;
	graph = calloc(1, sizeof(*graph));
	if (!graph)
		return hft_fail(ENOMEM, "a graph");
	graph->max_nodes = opts.nodes ? opts.nodes : NODES_DEFAULT;
	graph->pool = opts.pool;
	hft_group_init(&graph->helpers, opts.pool);
	graph->reserved = opts.reserved;
	graph->hop = opts.hop_ns ? opts.hop_ns : HOP_DEFAULT;
	graph->learns = !opts.fixed_costs;
	err = hft_hops_set(graph, opts.hop_percent);
	if (err) {
		free(graph);
		return err;
	}
	graph->path.max = opts.changes ? opts.changes : CHANGES_DEFAULT;
	err = hft_mutex_init(&graph->lock);
	if (err) {
		free(graph);
		return hft_fail(-err, "the lock of a graph");
	}
	*out = graph;
	return 0;
}

/**
 * hft_graph_close() - free a graph
 * @graph: the graph, which nobody uses, or NULL; all its runs were waited for
 */
HFT_API void hft_graph_close(struct hft_graph *graph)
{
	uint32_t i;

	if (!graph)
		return;
	hft_graph_free_runs(graph);
	for (i = 0; i < graph->nr_nodes; i++)
		free(graph->nodes[i].name);
	free(graph->nodes);
	free(graph->edges);
	free(graph->in);
	free(graph->order);
	free(graph->marked);
	hft_path_free(graph);
	pthread_mutex_destroy(&graph->lock);
	free(graph);
}

/* Make room for one more behind @nr, and a last one.  Returns 0 or -ENOMEM. */
static int grow(void *array, uint32_t nr, size_t size)
{
	void *old = *(void **)array;
	void *more;

	if (old && (nr < GROW_FROM || nr & (nr - 1)))
		return 0;
	more = realloc(old, (nr < GROW_FROM ? GROW_FROM + 1 : 2 * (size_t)nr + 1) * size);
	if (!more)
		return hft_fail(ENOMEM, "memory of the graph");
	*(void **)array = more;
	return 0;
}

static int check_cost(const char *what, uint64_t ns)
{
	if (ns > HFT_GRAPH_COST_MAX)
		return hft_fail(EINVAL, "%s of more than %llu ns", what,
				(unsigned long long)HFT_GRAPH_COST_MAX);
	return 0;
}

/**
 * hft_graph_add_node() - add a node to a graph
 * @graph: not sealed
 * @user_opts: options or NULL
 *
 * Return: its number, from 0 on, -EBUSY the graph is sealed, -ENOSPC it has its most
 * nodes, -EINVAL the cost is above %HFT_GRAPH_COST_MAX, -ENOMEM.
 */
HFT_API int hft_graph_add_node(struct hft_graph *graph, const struct hft_node_opts *user_opts)
{
	struct hft_node_opts opts;
	struct hft_graph_node *node;
	char *name = NULL;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!err)
		err = check_cost("a node", opts.cost_ns);
	if (err)
		return err;
	if (graph->sealed)
		return hft_fail(EBUSY, "a node of a sealed graph");
	if (graph->nr_nodes == graph->max_nodes)
		return hft_fail(ENOSPC, "more than %u nodes", graph->max_nodes);
	err = grow(&graph->nodes, graph->nr_nodes, sizeof(*node));
	if (err)
		return err;
	if (opts.name) {
		name = strdup(opts.name);
		if (!name)
			return hft_fail(ENOMEM, "the name of a node");
	}
	node = &graph->nodes[graph->nr_nodes];
	*node = (struct hft_graph_node){
		.name = name,
		.cost = opts.cost_ns,
		.fn = opts.fn,
		.arg = opts.arg,
		.memory = opts.memory,
	};
	graph->memories |= !!opts.memory;
	return (int)graph->nr_nodes++;
}

static int add_edge(struct hft_graph *graph, const struct hft_graph_edge *edge)
{
	int err;

	if (graph->sealed)
		return hft_fail(EBUSY, "an edge of a sealed graph");
	if (edge->from >= graph->nr_nodes || edge->to >= graph->nr_nodes)
		return hft_fail(ENOENT, "an edge from node %u to %u of %u", edge->from, edge->to,
				graph->nr_nodes);
	if (edge->from == edge->to)
		return hft_fail(ELOOP, "an edge from node %u to itself", edge->from);
	if (graph->nr_edges == HFT_GRAPH_EDGES_MAX)
		return hft_fail(ENOSPC, "more than %u edges", HFT_GRAPH_EDGES_MAX);
	err = grow(&graph->edges, graph->nr_edges, sizeof(*edge));
	if (!err)
		graph->edges[graph->nr_edges++] = *edge;
	return err;
}

/**
 * hft_graph_add_edge() - have a node run after another
 * @graph: not sealed
 * @from: number of a node
 * @to: of the one that runs after it
 * @weight_ns: what it costs if another worker does
 *
 * An edge that is there already is found when the graph is sealed.
 *
 * Return: 0, -EBUSY the graph is sealed, -ENOENT there is no such node, -ELOOP both are
 * the same, -ENOSPC it has %HFT_GRAPH_EDGES_MAX edges, -EINVAL the weight is above
 * %HFT_GRAPH_COST_MAX, -ENOMEM.
 */
HFT_API int hft_graph_add_edge(struct hft_graph *graph, uint32_t from, uint32_t to,
			       uint64_t weight_ns)
{
	int err = check_cost("an edge", weight_ns);

	return err ? err : add_edge(graph, &(struct hft_graph_edge){
		.from = from,
		.to = to,
		.label = hft_edge_label(weight_ns, 0),
	});
}

/**
 * hft_graph_add_branch() - have a node run after another, if that says so
 * @graph: not sealed
 * @from: number of a node
 * @to: of the one that may run after it
 * @weight_ns: what it costs if another worker does
 * @branch: what @from returns for the edge to be followed, 1 to 65535
 *
 * A node to which no edge was followed is skipped, and so are its own.
 *
 * Return: as hft_graph_add_edge(), or -EINVAL: the branch is out of range.
 */
HFT_API int hft_graph_add_branch(struct hft_graph *graph, uint32_t from, uint32_t to,
				 uint64_t weight_ns, uint32_t branch)
{
	int err = check_cost("an edge", weight_ns);

	if (!err && (!branch || branch > HFT_EDGE_BRANCH_MAX))
		err = hft_fail(EINVAL, "branch %u: 1 to %u", branch, HFT_EDGE_BRANCH_MAX);
	if (!err)
		err = add_edge(graph, &(struct hft_graph_edge){
			.from = from,
			.to = to,
			.label = hft_edge_label(weight_ns, branch),
		});
	if (!err)
		graph->branches = true;
	return err;
}

/**
 * hft_graph_seal() - finish building a graph
 * @graph: with at least one node
 *
 * Return: 0, -EBUSY it is sealed, -EINVAL it has no nodes, -EEXIST an edge is there
 * twice, -ELOOP its edges lead round in a circle, which hft_strerror() names, -ENOMEM.
 * After an error it is not sealed.
 */
HFT_API int hft_graph_seal(struct hft_graph *graph)
{
	int err;

	if (graph->sealed)
		return hft_fail(EBUSY, "the graph is sealed");
	if (!graph->nr_nodes)
		return hft_fail(EINVAL, "a graph without nodes");
	hft_hops_mean(graph);
	err = hft_graph_index(graph);
	if (!err)
		err = hft_graph_sort(graph);
	if (!err)
		err = hft_path_make(graph);
	if (err)
		return err;
	graph->sealed = true;
	return 0;
}

/**
 * hft_graph_nodes() - how many nodes a graph has
 * @graph: the graph
 */
HFT_API uint32_t hft_graph_nodes(const struct hft_graph *graph)
{
	return graph->nr_nodes;
}

/**
 * hft_graph_edges() - how many edges a graph has
 * @graph: the graph
 */
HFT_API uint32_t hft_graph_edges(const struct hft_graph *graph)
{
	return graph->nr_edges;
}

/**
 * hft_graph_name() - what a node is called
 * @graph: the graph
 * @node: its number
 *
 * Return: its name, or NULL if it has none or there is no such node.
 */
HFT_API const char *hft_graph_name(const struct hft_graph *graph, uint32_t node)
{
	return node < graph->nr_nodes ? graph->nodes[node].name : NULL;
}
