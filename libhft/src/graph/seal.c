// SPDX-License-Identifier: LGPL-2.1-or-later
/* Finding the edges of a node, and an order in which none comes before what it needs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define NONE		UINT32_MAX

static int compare_edges(const void *a, const void *b)
{
	const struct hft_graph_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

static int find_duplicate(const struct hft_graph *graph)
{
	uint32_t i;

	for (i = 1; i < graph->nr_edges; i++) {
		const struct hft_graph_edge *edge = &graph->edges[i];

		if (edge->from == edge[-1].from && edge->to == edge[-1].to)
			return hft_fail(EEXIST, "the edge from node %u to %u is there twice",
					edge->from, edge->to);
	}
	return 0;
}

/* Fill in where the edges of each node begin; the one behind the last node ends them. */
static void count_edges(struct hft_graph *graph)
{
	struct hft_graph_node *nodes = graph->nodes;
	uint32_t i, out = 0, in = 0, next_out, next_in;

	nodes[graph->nr_nodes] = (struct hft_graph_node){};
	for (i = 0; i < graph->nr_nodes; i++)
		nodes[i].first_out = nodes[i].first_in = 0;
	for (i = 0; i < graph->nr_edges; i++) {
		nodes[graph->edges[i].from].first_out++;
		nodes[graph->edges[i].to].first_in++;
	}
	for (i = 0; i <= graph->nr_nodes; i++) {
		next_out = out + nodes[i].first_out;
		next_in = in + nodes[i].first_in;
		nodes[i].first_out = out;
		nodes[i].first_in = in;
		out = next_out;
		in = next_in;
	}
}

/* By counting: an edge goes in behind those that lead to the same node before it. */
static void index_in(struct hft_graph *graph)
{
	struct hft_graph_node *nodes = graph->nodes;
	uint32_t i;

	for (i = 0; i < graph->nr_edges; i++)
		graph->in[nodes[graph->edges[i].to].first_in++] = i;
	for (i = graph->nr_nodes; i; i--)
		nodes[i].first_in = nodes[i - 1].first_in;
	nodes[0].first_in = 0;
}

/**
 * hft_graph_index() - find the edges by their nodes
 * @graph: the graph
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int hft_graph_index(struct hft_graph *graph)
{
	int err;

	free(graph->in);
	graph->in = calloc(graph->nr_edges + 1, sizeof(*graph->in));
	if (!graph->in)
		return hft_fail(ENOMEM, "the edges of the graph");
	if (graph->nr_edges)
		qsort(graph->edges, graph->nr_edges, sizeof(*graph->edges), compare_edges);
	err = find_duplicate(graph);
	if (err)
		return err;
	count_edges(graph);
	index_in(graph);
	return 0;
}

static const char *name_of(const struct hft_graph *graph, uint32_t node, char *number, size_t size)
{
	if (graph->nodes[node].name)
		return graph->nodes[node].name;
	snprintf(number, size, "%u", node);
	return number;
}

/* One that @node depends on, and that is in no order. */
static uint32_t before(const struct hft_graph *graph, uint32_t node)
{
	const struct hft_graph_node *nodes = graph->nodes;
	uint32_t i;

	for (i = nodes[node].first_in; i < nodes[node + 1].first_in; i++) {
		uint32_t from = graph->edges[graph->in[i]].from;

		if (nodes[from].position == NONE)
			return from;
	}
	return NONE;
}

/*
 * Each node that is in no order depends on another: going back from one as many times
 * as there are nodes ends in a circle.  Returns the lowest node of that.
 */
static uint32_t find_loop(const struct hft_graph *graph)
{
	uint32_t node, at, low, i;

	for (node = 0; graph->nodes[node].position != NONE; node++)
		;
	for (i = 0; i < graph->nr_nodes; i++)
		node = before(graph, node);
	low = node;
	for (at = before(graph, node); at != node; at = before(graph, at))
		low = at < low ? at : low;
	return low;
}

static int fail_loop(const struct hft_graph *graph)
{
	uint32_t node = find_loop(graph), at = node;
	char text[160] = "", number[16];
	size_t length = 0;

	do {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s <- ",
					   name_of(graph, at, number, sizeof(number)));
		at = before(graph, at);
	} while (at != node && length < sizeof(text) - 32);
	return hft_fail(ELOOP, "the edges lead round: %s%s", text,
			at == node ? name_of(graph, node, number, sizeof(number)) : "...");
}

/**
 * hft_graph_sort() - find a topological order
 * @graph: with its edges indexed
 *
 * A. B. Kahn, "Topological sorting of large networks", CACM 5 (11), 1962.
 *
 * Return: 0, -ELOOP or -ENOMEM.
 */
int hft_graph_sort(struct hft_graph *graph)
{
	struct hft_graph_node *nodes = graph->nodes;
	uint32_t *waits = calloc(graph->nr_nodes, sizeof(*waits));
	uint32_t head = 0, tail = 0, i;

	free(graph->order);
	free(graph->marked);
	graph->order = calloc(graph->nr_nodes, sizeof(*graph->order));
	graph->marked = calloc(graph->nr_nodes / 64 + 1, sizeof(*graph->marked));
	if (!waits || !graph->order || !graph->marked) {
		free(waits);
		return hft_fail(ENOMEM, "the order of the graph");
	}
	for (i = 0; i < graph->nr_nodes; i++) {
		nodes[i].position = NONE;
		waits[i] = nodes[i + 1].first_in - nodes[i].first_in;
		if (!waits[i])
			graph->order[tail++] = i;
	}
	while (head < tail) {
		uint32_t node = graph->order[head];

		nodes[node].position = head++;
		for (i = nodes[node].first_out; i < nodes[node + 1].first_out; i++) {
			if (!--waits[graph->edges[i].to])
				graph->order[tail++] = graph->edges[i].to;
		}
	}
	free(waits);
	return tail < graph->nr_nodes ? fail_loop(graph) : 0;
}
