// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A schedule of a graph that places each node, by its rank, where it ends first, also
 * between nodes that have their place: HEFT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

#define END		UINT32_MAX

/**
 * struct places - a schedule by places in the making
 * @s: it
 * @first: node of each worker that starts first, or END
 * @next: of each node the next on its worker, or END
 */
struct places {
	struct hft_schedule *s;
	uint32_t *first;
	uint32_t *next;
};

/**
 * struct gap - where a node could go
 * @start: ns
 * @worker: there
 * @after: node that it comes after, or END: it is the first
 */
struct gap {
	uint64_t start;
	uint32_t worker;
	uint32_t after;
};

/* Where @node could start first on @worker. */
static struct gap find_gap(const struct places *places, uint32_t node, uint32_t worker)
{
	struct gap gap = { .worker = worker, .after = END };
	uint64_t cost = hft_schedule_cost(places->s, node, worker);
	uint32_t next;

	gap.start = hft_schedule_arrival(places->s, node, worker);
	for (next = places->first[worker]; next != END; next = places->next[next]) {
		const struct hft_node_slot *slot = &places->s->slots[next];

		if (gap.start + cost <= slot->start_ns)
			break;
		if (slot->end_ns > gap.start)
			gap.start = slot->end_ns;
		gap.after = next;
	}
	return gap;
}

static struct gap find_best(const struct places *places, uint32_t node)
{
	struct gap gap, best = {};
	uint64_t end, first = UINT64_MAX;
	uint32_t worker;

	for (worker = 0; worker < places->s->opts.workers; worker++) {
		gap = find_gap(places, node, worker);
		end = gap.start + hft_schedule_cost(places->s, node, worker);
		if (end < first) {
			first = end;
			best = gap;
		}
	}
	return best;
}

static void put(struct places *places, uint32_t node)
{
	struct gap gap = find_best(places, node);
	uint32_t *link = gap.after == END ? &places->first[gap.worker] : &places->next[gap.after];

	places->s->slots[node] = (struct hft_node_slot){
		.start_ns = gap.start,
		.end_ns = gap.start + hft_schedule_cost(places->s, node, gap.worker),
		.worker = gap.worker,
	};
	places->next[node] = *link;
	*link = node;
}

static int compare_ranks(const void *a, const void *b, void *arg)
{
	const struct hft_graph *graph = arg;
	const struct hft_graph_node *x = &graph->nodes[*(const uint32_t *)a];
	const struct hft_graph_node *y = &graph->nodes[*(const uint32_t *)b];
	uint64_t rank_x = hft_node_rank(x), rank_y = hft_node_rank(y);

	if (rank_x != rank_y)
		return rank_x > rank_y ? -1 : 1;
	return x->position < y->position ? -1 : 1;
}

/* A rank is no lower than that of what comes after: so what a node needs has its place. */
static int place_all(struct hft_schedule *s)
{
	uint32_t i, nr = s->graph->nr_nodes;
	uint32_t *order = calloc(nr, sizeof(*order));
	struct places places = {
		.s = s,
		.first = calloc(s->opts.workers, sizeof(*places.first)),
		.next = calloc(nr, sizeof(*places.next)),
	};
	int err = 0;

	if (order && places.first && places.next) {
		memset(places.first, 0xff, s->opts.workers * sizeof(*places.first));
		memcpy(order, s->graph->order, nr * sizeof(*order));
		qsort_r(order, nr, sizeof(*order), compare_ranks, s->graph);
		for (i = 0; i < nr; i++)
			put(&places, order[i]);
	} else {
		err = hft_fail(ENOMEM, "a schedule");
	}
	free(places.next);
	free(places.first);
	free(order);
	return err;
}

/**
 * hft_graph_place() - where each node of a graph would best run
 * @graph: sealed
 * @opts: workers; its order is by rank
 * @slots: out: one for each node
 * @makespan_ns: out: when the last ends; or NULL
 *
 * HEFT (Topcuoglu et al., 2002, section 4.2): the nodes by their rank, each where it ends
 * first, also before what has its place already.
 *
 * Return: 0, -EBUSY the graph is not sealed, -EINVAL an option is out of range, -ENOMEM.
 */
HFT_API int hft_graph_place(struct hft_graph *graph, const struct hft_schedule_opts *opts,
			    struct hft_node_slot *slots, uint64_t *makespan_ns)
{
	return hft_schedule_make(graph, opts, slots, makespan_ns, place_all);
}
