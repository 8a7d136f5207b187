// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Schedules of a graph, computed: by a list, as workers that take the best node there is
 * come to one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

#define WORKERS_MAX	1024
#define NEVER		UINT64_MAX
#define IDLE		UINT32_MAX

/**
 * struct list_node - a node of a list schedule
 * @item: place in the heap of those that could run
 * @waits: nodes that it waits for
 */
struct list_node {
	struct hft_heap_item item;
	uint32_t waits;
};

/**
 * struct list - a list schedule in the making
 * @s: it
 * @nodes: the graph's
 * @ready: those that could run
 * @running: node that each worker is at, or IDLE
 * @seq: nodes that could run so far
 */
struct list {
	struct hft_schedule *s;
	struct list_node *nodes;
	struct hft_heap ready;
	uint32_t *running;
	uint64_t seq;
};

/* When all that @node needs, which has its slots, is at @worker. */
uint64_t hft_schedule_arrival(const struct hft_schedule *s, uint32_t node, uint32_t worker)
{
	const struct hft_graph_node *nodes = s->graph->nodes;
	uint64_t last = 0, at;
	uint32_t i;

	for (i = nodes[node].first_in; i < nodes[node + 1].first_in; i++) {
		const struct hft_graph_edge *edge = &s->graph->edges[s->graph->in[i]];
		const struct hft_node_slot *from = &s->slots[edge->from];

		at = from->end_ns + hft_schedule_hop(s, edge, from->worker, worker);
		if (at > last)
			last = at;
	}
	return last;
}

static void add_ready(struct list *list, uint32_t node)
{
	struct hft_heap_item *item = &list->nodes[node].item;
	uint64_t key = 0;

	if (list->s->opts.order == HFT_ORDER_RANK)
		key = ~hft_node_rank(&list->s->graph->nodes[node]);
	item->seq = list->seq++;
	hft_heap_push(&list->ready, item, key);
}

static void run_on(struct list *list, uint32_t node, uint32_t worker, uint64_t now)
{
	uint64_t start = hft_schedule_arrival(list->s, node, worker);

	if (start < now)
		start = now;
	list->s->slots[node] = (struct hft_node_slot){
		.start_ns = start,
		.end_ns = start + hft_schedule_cost(list->s, node, worker),
		.worker = worker,
	};
	list->running[worker] = node;
}

/* Let those go that waited for @node alone. */
static void finish(struct list *list, uint32_t node)
{
	const struct hft_graph *graph = list->s->graph;
	uint32_t i, to;

	for (i = graph->nodes[node].first_out; i < graph->nodes[node + 1].first_out; i++) {
		to = graph->edges[i].to;
		if (!--list->nodes[to].waits)
			add_ready(list, to);
	}
}

/* Of the workers at nothing the one where @node starts first, or IDLE. */
static uint32_t find_idle(const struct list *list, uint32_t node)
{
	uint64_t first = NEVER, at;
	uint32_t worker, best = IDLE;

	for (worker = 0; worker < list->s->opts.workers; worker++) {
		if (list->running[worker] != IDLE)
			continue;
		at = hft_schedule_arrival(list->s, node, worker);
		if (at < first) {
			first = at;
			best = worker;
		}
	}
	return best;
}

/* Nodes that end at the same time all do before the next begins.  Returns that time. */
static uint64_t finish_first(struct list *list)
{
	const struct hft_node_slot *slots = list->s->slots;
	uint32_t worker, node;
	uint64_t now = NEVER;

	for (worker = 0; worker < list->s->opts.workers; worker++) {
		node = list->running[worker];
		if (node != IDLE && slots[node].end_ns < now)
			now = slots[node].end_ns;
	}
	for (worker = 0; worker < list->s->opts.workers; worker++) {
		node = list->running[worker];
		if (node == IDLE || slots[node].end_ns != now)
			continue;
		list->running[worker] = IDLE;
		finish(list, node);
	}
	return now;
}

static void run_list(struct list *list)
{
	uint64_t now;

	for (now = 0; now != NEVER; now = finish_first(list)) {
		while (!hft_heap_empty(&list->ready)) {
			struct list_node *best = (struct list_node *)hft_heap_min(&list->ready);
			uint32_t node = (uint32_t)(best - list->nodes);
			uint32_t worker = find_idle(list, node);

			if (worker == IDLE)
				break;
			hft_heap_pop(&list->ready);
			run_on(list, node, worker, now);
		}
	}
}

static void begin_list(struct list *list, void *heap)
{
	const struct hft_graph *graph = list->s->graph;
	uint32_t i;

	memset(list->running, 0xff, list->s->opts.workers * sizeof(*list->running));
	hft_heap_init(&list->ready, heap, graph->nr_nodes);
	for (i = 0; i < graph->nr_nodes; i++) {
		list->nodes[i].waits = graph->nodes[i + 1].first_in - graph->nodes[i].first_in;
		if (!list->nodes[i].waits)
			add_ready(list, i);
	}
}

static int make_list(struct hft_schedule *s)
{
	uint32_t nr = s->graph->nr_nodes;
	struct list list = {
		.s = s,
		.nodes = calloc(nr, sizeof(*list.nodes)),
		.running = calloc(s->opts.workers, sizeof(*list.running)),
	};
	void *heap = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(nr));
	int err = 0;

	if (list.nodes && list.running && heap) {
		begin_list(&list, heap);
		run_list(&list);
	} else {
		err = hft_fail(ENOMEM, "a schedule");
	}
	free(heap);
	free(list.running);
	free(list.nodes);
	return err;
}

/* With others the time would overflow. */
static int check_costs(const struct hft_graph *graph, const struct hft_schedule_opts *opts)
{
	size_t i, nr = opts->costs_ns ? (size_t)graph->nr_nodes * opts->workers : 0;

	for (i = 0; i < nr; i++) {
		if (opts->costs_ns[i] > HFT_GRAPH_COST_MAX)
			return hft_fail(EINVAL, "a cost of %llu ns",
					(unsigned long long)opts->costs_ns[i]);
	}
	nr = opts->hop_percent ? (size_t)opts->workers * opts->workers : 0;
	for (i = 0; i < nr; i++) {
		if (opts->hop_percent[i] > HFT_HOP_PERCENT_MAX)
			return hft_fail(EINVAL, "hops of %u percent: at most %u",
					opts->hop_percent[i], HFT_HOP_PERCENT_MAX);
	}
	return 0;
}

static int check(const struct hft_graph *graph, const struct hft_schedule_opts *opts)
{
	if (!graph->sealed)
		return hft_fail(EBUSY, "the graph is not sealed");
	if (!opts->workers || opts->workers > WORKERS_MAX)
		return hft_fail(EINVAL, "%u workers: 1 to %u", opts->workers, WORKERS_MAX);
	if (opts->order >= HFT_ORDERS)
		return hft_fail(EINVAL, "there is no order %u", opts->order);
	return check_costs(graph, opts);
}

static uint64_t last_end(const struct hft_schedule *s)
{
	uint64_t last = 0;
	uint32_t i;

	for (i = 0; i < s->graph->nr_nodes; i++) {
		if (s->slots[i].end_ns > last)
			last = s->slots[i].end_ns;
	}
	return last;
}

/* As hft_graph_schedule(), by @make. */
int hft_schedule_make(struct hft_graph *graph, const struct hft_schedule_opts *user_opts,
		      struct hft_node_slot *slots, uint64_t *makespan_ns,
		      int (*make)(struct hft_schedule *s))
{
	struct hft_schedule s = { .graph = graph, .slots = slots };
	int err;

	err = hft_read_opts(&s.opts, sizeof(s.opts), user_opts);
	if (!err)
		err = check(graph, &s.opts);
	if (err)
		return err;
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	err = make(&s);
	pthread_mutex_unlock(&graph->lock);
	if (!err && makespan_ns)
		*makespan_ns = last_end(&s);
	return err;
}

/**
 * hft_graph_schedule() - how a graph would run on workers that are never idle in vain
 * @graph: sealed
 * @opts: workers and order
 * @slots: out: one for each node
 * @makespan_ns: out: when the last ends; or NULL
 *
 * List scheduling (R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM
 * Journal on Applied Mathematics 17 (2), 1969): whenever a worker is at nothing, the best
 * node that could run goes to one where it starts first.
 *
 * Return: 0, -EBUSY the graph is not sealed, -EINVAL an option is out of range, -ENOMEM.
 */
HFT_API int hft_graph_schedule(struct hft_graph *graph, const struct hft_schedule_opts *opts,
			       struct hft_node_slot *slots, uint64_t *makespan_ns)
{
	return hft_schedule_make(graph, opts, slots, makespan_ns, make_list);
}
