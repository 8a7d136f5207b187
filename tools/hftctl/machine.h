/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFTCTL_MACHINE_H
#define HFTCTL_MACHINE_H

#include <hft/hft.h>

#include "stg.h"

#define MACHINE_WORKERS_MOST	HFT_POOL_WORKERS_MAX

/**
 * struct machine - a graph on a pool of a simulated machine
 * @h: the machine
 * @pool: of it
 * @graph: whose nodes run on that
 * @costs: what each takes, ns
 */
struct machine {
	struct hft *h;
	struct hft_pool *pool;
	struct hft_graph *graph;
	const uint64_t *costs;
};

/*
 * Make a machine of so many workers with a copy of a graph; the nodes take what @costs
 * says at the time.  @opts: of the graph; its pool is set.  Returns 0 or -errno.
 */
int machine_open(struct machine *machine, const struct stg *stg, uint32_t workers, uint64_t seed,
		 const struct hft_graph_opts *opts, const uint64_t *costs);
void machine_close(struct machine *machine);

/*
 * Run the graph once, by the workers alone; @order: enum hft_graph_order.  @ns: out: from
 * its start to its end.  Returns 0 or -errno.
 */
int machine_run(struct machine *machine, uint32_t order, uint64_t *ns);

#endif /* HFTCTL_MACHINE_H */
