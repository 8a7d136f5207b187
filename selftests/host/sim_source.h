/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests on a simulated machine: something that submits a task every period. */
#ifndef HFT_HOST_SIM_SOURCE_H
#define HFT_HOST_SIM_SOURCE_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <hft/sim.h>

/*
 * @task: the first; the others are released every @period after it
 * @deadline: after the release; 0: none
 * @left: how many are still to come
 * @refused: how many found no room
 */
struct sim_source {
	struct hft_task task;
	uint64_t period;
	uint64_t deadline;
	uint64_t left;
	uint64_t refused;
};

static inline void sim_source_fired(struct hft_sim *sim, uint64_t now, void *arg)
{
	struct sim_source *source = arg;

	source->task.release = now;
	source->task.deadline = source->deadline ? now + source->deadline : 0;
	if (hft_sim_submit(sim, &source->task, NULL) == -EDQUOT)
		source->refused++;
	if (--source->left)
		hft_sim_call_at(sim, now + source->period, sim_source_fired, source);
}

static inline int sim_source_start(struct hft_sim *sim, struct sim_source *source)
{
	return hft_sim_call_at(sim, source->task.release, sim_source_fired, source);
}

#endif /* HFT_HOST_SIM_SOURCE_H */
