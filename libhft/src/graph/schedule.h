/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two ways to make a schedule share. */
#ifndef HFT_GRAPH_SCHEDULE_H
#define HFT_GRAPH_SCHEDULE_H

#include "internal.h"

/**
 * struct hft_schedule - a schedule in the making
 * @graph: of which
 * @opts: how
 * @slots: where the nodes are
 */
struct hft_schedule {
	struct hft_graph *graph;
	struct hft_schedule_opts opts;
	struct hft_node_slot *slots;
};

static inline uint64_t hft_schedule_cost(const struct hft_schedule *s, uint32_t node,
					 uint32_t worker)
{
	if (s->opts.costs_ns)
		return s->opts.costs_ns[(size_t)node * s->opts.workers + worker];
	return hft_node_cost(&s->graph->nodes[node]);
}

static inline uint64_t hft_schedule_hop(const struct hft_schedule *s,
					const struct hft_graph_edge *edge, uint32_t from,
					uint32_t to)
{
	uint64_t weight = hft_edge_weight(edge);

	if (!s->opts.hop_percent)
		return from == to ? 0 : weight;
	return weight * s->opts.hop_percent[(size_t)from * s->opts.workers + to] / 100;
}

/* schedule.c */
uint64_t hft_schedule_arrival(const struct hft_schedule *s, uint32_t node, uint32_t worker);
int hft_schedule_make(struct hft_graph *graph, const struct hft_schedule_opts *user_opts,
		      struct hft_node_slot *slots, uint64_t *makespan_ns,
		      int (*make)(struct hft_schedule *s));

#endif /* HFT_GRAPH_SCHEDULE_H */
