/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_STG_H
#define HFTCTL_STG_H

#include <hft/graph.h>

struct stg_edge {
	uint32_t from;
	uint32_t to;
};

/**
 * struct stg - a graph that was read
 * @graph: it, sealed, without a pool
 * @edges: its edges
 * @nr_edges: how many
 * @room: how many there is room for
 */
struct stg {
	struct hft_graph *graph;
	struct stg_edge *edges;
	uint32_t nr_edges;
	uint32_t room;
};

/*
 * Read a graph in the format of the Standard Task Graph Set (T. Tobita and H. Kasahara,
 * "A standard task graph set for fair evaluation of multiprocessor scheduling
 * algorithms", Journal of Scheduling 5 (5), 2002): how many tasks there are without the
 * first and the last, and a line for each: its number, its time, how many it comes after
 * and which.  "-" is standard input.  Returns 0, or -errno after it has printed the reason.
 */
int stg_read(const char *path, struct stg *stg);
void stg_free(struct stg *stg);

/* The same again, with @opts, of nodes that do @fn with @arg.  Returns 0 or -errno. */
int stg_copy(const struct stg *stg, const struct hft_graph_opts *opts, hft_node_fn fn, void *arg,
	     struct hft_graph **graph);

#endif /* HFTCTL_STG_H */
