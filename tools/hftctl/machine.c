// SPDX-License-Identifier: LGPL-2.1-or-later
/* The executor itself, in the time of a simulated machine. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "machine.h"

static int take_time(void *arg, const struct hft_node_call *call)
{
	const struct machine *machine = arg;

	if (machine->costs[call->node])
		hft_spin_until(hft_now() + machine->costs[call->node]);
	return 0;
}

int machine_open(struct machine *machine, const struct stg *stg, uint32_t workers, uint64_t seed,
		 const struct hft_graph_opts *opts, const uint64_t *costs)
{
	char device[64];
	HFT_OPTS(hft_opts, handle, .backend = "sim", .device = device);
	HFT_OPTS(hft_pool_opts, pool, .workers = workers);
	struct hft_graph_opts graph = *opts;
	int err;

	*machine = (struct machine){ .costs = costs };
	snprintf(device, sizeof(device), "cpus=%u,seed=%" PRIu64, workers, seed);
	err = hft_open(&machine->h, &handle);
	if (err)
		return err;
	pool.hft = machine->h;
	err = hft_pool_open(&machine->pool, &pool);
	if (!err) {
		graph.pool = machine->pool;
		err = stg_copy(stg, &graph, take_time, machine, &machine->graph);
	}
	if (err)
		machine_close(machine);
	return err;
}

void machine_close(struct machine *machine)
{
	hft_graph_close(machine->graph);
	hft_pool_close(machine->pool);
	hft_close(machine->h);
	*machine = (struct machine){};
}

struct tick {
	struct machine *machine;
	uint32_t order;
	struct hft_run_result *result;
};

/* As a task: so the caller is one of the workers. */
static int64_t run_tick(void *args)
{
	const struct tick *tick = args;
	HFT_OPTS(hft_run_opts, opts, .order = tick->order);

	return hft_graph_run(tick->machine->graph, &opts, tick->result);
}

int machine_run(struct machine *machine, uint32_t order, uint64_t *ns)
{
	struct hft_run_result result = { .sz = sizeof(result) };
	struct tick tick = { .machine = machine, .order = order, .result = &result };
	struct hft_group group;
	int err;

	hft_group_init(&group, machine->pool);
	err = hft_group_spawn(&group, run_tick, &tick, sizeof(tick));
	if (!err)
		err = hft_group_wait(&group, UINT64_MAX);
	*ns = result.end_ns - result.start_ns;
	return err;
}
