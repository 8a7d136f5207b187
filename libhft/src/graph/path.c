// SPDX-License-Identifier: LGPL-2.1-or-later
/* The critical path, and the log of its changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include "internal.h"

static uint64_t key_of(const struct hft_graph *graph, uint32_t node)
{
	return ~hft_node_rank(&graph->nodes[node]);
}

/* How many nodes have no edges to them: these are the first of the order. */
static uint32_t count_starts(const struct hft_graph *graph)
{
	uint32_t nr = 0, node;

	for (; nr < graph->nr_nodes; nr++) {
		node = graph->order[nr];
		if (graph->nodes[node].first_in != graph->nodes[node + 1].first_in)
			break;
	}
	return nr;
}

/* A node has another rank. */
void hft_path_rank(struct hft_graph *graph, uint32_t node)
{
	struct hft_graph_path *path = &graph->path;
	uint32_t position = graph->nodes[node].position;

	if (position < path->starts.nr)
		hft_heap_update(&path->starts, &path->items[position], key_of(graph, node));
}

/* None of the others has a higher rank than those that nothing comes before. */
static uint32_t start_of(const struct hft_graph *graph)
{
	return graph->order[hft_heap_min(&graph->path.starts) - graph->path.items];
}

static void set_critical(struct hft_graph *graph, uint32_t node, bool critical)
{
	atomic_store_explicit(&graph->nodes[node].critical, critical, memory_order_relaxed);
}

/* Go the longest way, to a node without a next.  Returns where it is another, or its end. */
static uint32_t walk(struct hft_graph *graph)
{
	struct hft_graph_path *path = &graph->path;
	uint32_t node = start_of(graph), nr = 0, i, same;

	while (nr < path->nr && path->nodes[nr] == node) {
		node = graph->nodes[node].next;
		nr++;
	}
	same = nr;
	for (i = nr; i < path->nr; i++)
		set_critical(graph, path->nodes[i], false);
	for (; node != HFT_NODE_NONE; node = graph->nodes[node].next) {
		set_critical(graph, node, true);
		path->nodes[nr++] = node;
	}
	path->nr = nr;
	return same;
}

static uint64_t length_of(const struct hft_graph *graph)
{
	return hft_node_rank(&graph->nodes[start_of(graph)]);
}

/**
 * hft_path_follow() - ranks have changed: so may have the critical path
 * @graph: sealed; the lock is held
 * @cause: &enum hft_graph_cause
 * @node: by which
 *
 * Costs as much as the path is long only if it leads by other nodes than it did.
 */
void hft_path_follow(struct hft_graph *graph, uint32_t cause, uint32_t node)
{
	struct hft_graph_path *path = &graph->path;
	uint64_t length = length_of(graph);
	struct hft_graph_change change = {
		.old_length_ns = path->length,
		.new_length_ns = length,
		.cause = cause,
		.node = node,
		.differs = HFT_CHANGE_NOWHERE,
	};
	uint32_t same;

	if (path->moved || start_of(graph) != path->nodes[0]) {
		path->moved = false;
		same = walk(graph);
		if (same < path->nr)
			change.differs = path->nodes[same];
	}
	if (change.differs == HFT_CHANGE_NOWHERE && length == path->length)
		return;
	path->length = length;
	change.seq = ++path->changes;
	change.when_ns = hft_now();
	change.nodes = path->nr;
	path->log[(change.seq - 1) % path->max] = change;
}

static int path_alloc(struct hft_graph_path *path, uint32_t nr_nodes, uint32_t nr_starts)
{
	void *heap = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(nr_starts));

	if (!heap)
		return -ENOMEM;
	hft_heap_init(&path->starts, heap, nr_starts);
	path->items = calloc(nr_starts, sizeof(*path->items));
	path->nodes = calloc(nr_nodes, sizeof(*path->nodes));
	path->log = calloc(path->max, sizeof(*path->log));
	return path->items && path->nodes && path->log ? 0 : -ENOMEM;
}

void hft_path_free(struct hft_graph *graph)
{
	struct hft_graph_path *path = &graph->path;

	if (path->starts.node)
		free(path->starts.node - HFT_HEAP_PAD);
	free(path->items);
	free(path->nodes);
	free(path->log);
	*path = (struct hft_graph_path){ .max = path->max };
}

/**
 * hft_path_make() - find the ranks and the critical path of a graph
 * @graph: sorted
 *
 * Return: 0 or -ENOMEM.
 */
int hft_path_make(struct hft_graph *graph)
{
	struct hft_graph_path *path = &graph->path;
	uint32_t i, nr = count_starts(graph);

	hft_path_free(graph);
	if (path_alloc(path, graph->nr_nodes, nr)) {
		hft_path_free(graph);
		return hft_fail(ENOMEM, "the path of the graph");
	}
	hft_graph_rank_all(graph);
	for (i = 0; i < nr; i++) {
		path->items[i].seq = i;
		hft_heap_push(&path->starts, &path->items[i], key_of(graph, graph->order[i]));
	}
	walk(graph);
	path->length = length_of(graph);
	return 0;
}

/**
 * hft_graph_length() - how long the critical path is
 * @graph: sealed; else 0
 *
 * Return: ns.
 */
HFT_API uint64_t hft_graph_length(struct hft_graph *graph)
{
	uint64_t length;

	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	length = graph->path.length;
	pthread_mutex_unlock(&graph->lock);
	return length;
}

/**
 * hft_graph_path() - the critical path
 * @graph: sealed
 * @nodes: room for the numbers of its nodes, or NULL
 * @max: how many there is room for
 *
 * Return: how many nodes it has, of which @max at most are in @nodes, or -EBUSY: the
 * graph is not sealed.
 */
HFT_API int hft_graph_path(struct hft_graph *graph, uint32_t *nodes, uint32_t max)
{
	uint32_t nr;

	if (!graph->sealed)
		return hft_fail(EBUSY, "the graph is not sealed");
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	nr = graph->path.nr;
	if (nodes)
		memcpy(nodes, graph->path.nodes, (nr < max ? nr : max) * sizeof(*nodes));
	pthread_mutex_unlock(&graph->lock);
	return (int)nr;
}

/* The number of the first change after @since that is still there. */
static uint64_t first_after(const struct hft_graph_path *path, uint64_t since)
{
	uint64_t oldest = path->changes > path->max ? path->changes - path->max : 0;

	if (since > path->changes)
		since = path->changes;
	return (since > oldest ? since : oldest) + 1;
}

/**
 * hft_graph_changes() - how the critical path has changed
 * @graph: sealed
 * @since: the number of a change: those after it, the oldest first; 0: all
 * @changes: out
 * @max: how many there is room for
 * @lost: out: how many after @since were overwritten by newer ones before; or NULL
 *
 * Each change by hft_graph_set_cost(), hft_graph_set_weight() or by learning, since the
 * graph was sealed, of the nodes of the path or of its length.  The last
 * hft_graph_opts.changes of them are kept.
 *
 * Return: how many are in @changes, or -EBUSY: the graph is not sealed.
 */
HFT_API int hft_graph_changes(struct hft_graph *graph, uint64_t since,
			      struct hft_graph_change *changes, uint32_t max, uint64_t *lost)
{
	const struct hft_graph_path *path = &graph->path;
	uint64_t seq, first;
	uint32_t nr = 0;

	if (!graph->sealed)
		return hft_fail(EBUSY, "the graph is not sealed");
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	first = first_after(path, since);
	for (seq = first; seq <= path->changes && nr < max; seq++)
		changes[nr++] = path->log[(seq - 1) % path->max];
	pthread_mutex_unlock(&graph->lock);
	if (lost)
		*lost = first > since ? first - since - 1 : 0;
	return (int)nr;
}
