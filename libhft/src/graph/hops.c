// SPDX-License-Identifier: LGPL-2.1-or-later
/* What it costs to hand a result to another worker: by how far that one is. */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Percent of an edge's weight. */
#define ALL		100U

static uint32_t percent_at(const struct hft_graph *graph, int distance)
{
	uint32_t percent = distance < 0 ? 0 : graph->hop_percent[distance];

	return percent ? percent : ALL;
}

static uint32_t hop(const struct hft_graph *graph, uint32_t from, uint32_t to)
{
	if (from == to)
		return 0;
	return percent_at(graph, graph->pool ? hft_pool_distance(graph->pool, from, to) : -1);
}

int hft_hops_set(struct hft_graph *graph, const uint32_t *percent)
{
	uint32_t i;

	for (i = 0; i < HFT_DISTANCES; i++) {
		if (percent[i] > HFT_HOP_PERCENT_MAX)
			return hft_fail(EINVAL, "hops of %u percent: at most %u", percent[i],
					HFT_HOP_PERCENT_MAX);
	}
	memcpy(graph->hop_percent, percent, sizeof(graph->hop_percent));
	return 0;
}

/*
 * The mean of all pairs of workers: so ranks are those of HEFT, which do not know yet what
 * runs where.
 */
void hft_hops_mean(struct hft_graph *graph)
{
	uint32_t from, to, nr = graph->pool ? hft_pool_workers(graph->pool) : 0;
	uint64_t sum = 0;

	graph->mean_hop = ALL;
	if (nr < 2)
		return;
	for (from = 0; from < nr; from++) {
		for (to = 0; to < nr; to++)
			sum += hop(graph, from, to);
	}
	graph->mean_hop = (uint32_t)(sum / ((uint64_t)nr * (nr - 1)));
}

/**
 * hft_graph_hops() - what it costs to hand results from worker to worker
 * @graph: the graph
 * @workers: how many; to those that its pool does not have it is the weight
 * @percent: out: of an edge's weight, from worker a to b at a * @workers + b, for
 *	hft_schedule_opts.hop_percent
 */
HFT_API void hft_graph_hops(struct hft_graph *graph, uint32_t workers, uint32_t *percent)
{
	uint32_t from, to;

	for (from = 0; from < workers; from++) {
		for (to = 0; to < workers; to++)
			percent[(size_t)from * workers + to] = hop(graph, from, to);
	}
}
