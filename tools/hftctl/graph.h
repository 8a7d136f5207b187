/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_GRAPH_H
#define HFTCTL_GRAPH_H

#include <stdbool.h>
#include <hft/graph.h>

struct compare_args {
	uint32_t workers;		/* 0: 2, 4 and 8 */
	uint32_t ticks;
	uint64_t seed;
	uint32_t rounds;
	double drift;
	bool json;
};

/* Returns 0, or -errno after it has printed the reason. */
int compare_files(const struct compare_args *args, char *const *paths, int nr);

/* Draw a schedule, by gnuplot.  Returns 0, or -errno after it has printed the reason. */
int gantt_plot(const char *picture, const char *title, const struct hft_graph *graph,
	       const struct hft_node_slot *slots, uint32_t workers);

#endif /* HFTCTL_GRAPH_H */
