/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_GRAPH_H
#define HFTCTL_GRAPH_H

#include <hft/graph.h>

/* hftctl graph ...: @argv[0] is "graph".  Returns the status to exit with. */
int graph_main(int argc, char **argv);

/* Draw a schedule, by gnuplot.  Returns 0, or -errno after it has printed the reason. */
int gantt_plot(const char *picture, const char *title, const struct hft_graph *graph,
	       const struct hft_node_slot *slots, uint32_t workers);

#endif /* HFTCTL_GRAPH_H */
