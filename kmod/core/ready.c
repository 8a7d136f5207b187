// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/* The ready queue of a ring: how it is made, changed and ended, and what is told of it. */
#include "sched.h"

/**
 * hft_ready_init() - what a ready queue takes from the request for its ring
 * @ready: of zeroes
 * @add: the request, in range
 */
void hft_ready_init(struct hft_ready_queue *ready, const struct hft_ring_add *add)
{
	ready->mask = add->entries - 1;
	ready->window = add->window;
	ready->level_mask = add->level_mask;
	ready->plain_levels = add->flags & HFT_RING_REPORT ? 0 : add->level_mask;
	ready->policy = add->policy;
	ready->quantum = add->quantum ? add->quantum : HFT_FAIR_QUANTUM;
	ready->lead = add->lead;
	ready->lead_base = add->lead;
	ready->boost_reach = -1;
	ready->spare_reach = -1;
}

/**
 * hft_ready_hook() - find out which tasks are plain
 * @ready: of which what more is done with tasks has changed
 *
 * A task that is submitted from then on and is not plain has %HFT_SLOT_HOOKED, or is tracked.
 */
void hft_ready_hook(struct hft_ready_queue *ready)
{
	bool plain = !(ready->dead || ready->away || ready->reports || ready->meter ||
		       ready->detect || ready->metrics || ready->hand);

	ready->plain_levels = plain ? ready->level_mask : 0;
}

/**
 * hft_ready_set_meter() - have tasks measured by another meter
 * @ready: the ring's
 * @meter: its new one, or NULL
 *
 * Return: the one before, or NULL.
 */
struct hft_meter *hft_ready_set_meter(struct hft_ready_queue *ready, struct hft_meter *meter)
{
	struct hft_meter *old = ready->meter;

	ready->meter = meter;
	hft_ready_hook(ready);
	return old;
}

/**
 * hft_ready_kill() - take no more tasks, and say so
 * @ready: the ring's
 *
 * Return: whether there are tasks of the ring, for hft_sched_cancel().
 */
bool hft_ready_kill(struct hft_ready_queue *ready)
{
	struct hft_ring_producer *producer = ready->producer;
	bool queued = ready->waiting || ready->heap.nr || ready->nr_tracked || ready->nr_blocked ||
		      ready->nr_sunk || ready->left;

	ready->dead = true;
	hft_ready_hook(ready);
	/* Nothing is written any more: what would be tracked from here on outlives its slot. */
	ready->nr_tracked = 0;
	ready->window = 0;
	WRITE_ONCE(producer->flags, producer->flags | HFT_RING_DEAD);
	return queued;
}

/**
 * hft_sched_set_policy() - change the order of a ring
 * @ready: the ring's, halted by %HFT_HALT_ALL
 * @policy: in range
 *
 * Make the keys of all ready tasks by hft_ready_update() after.
 *
 * Return: 0, -EINVAL the ring has no reports, -EBUSY the tasks that are admitted to its
 * CPU are too many for rate-monotonic priorities.
 */
int hft_sched_set_policy(struct hft_ready_queue *ready, u32 policy)
{
	const struct hft_admission_demand none = {};

	if (policy == HFT_POLICY_FAIR && !ready->classes)
		return -EINVAL;
	if (policy == HFT_POLICY_RM && !hft_admission_fits_rm(&ready->release->admission, &none,
							      ready->release->cap))
		return -EBUSY;
	ready->policy = policy;
	return 0;
}

/**
 * hft_ready_stats() - add what a ring has counted and holds
 * @ready: the ring's
 * @stats: the sum
 */
void hft_ready_stats(const struct hft_ready_queue *ready, struct hft_stats *stats)
{
	const struct hft_counters *counters = &ready->counters;
	struct hft_metrics_total metrics = { stats->metrics, stats->metrics_valid };
	int in_flight = hft_ready_in_flight(ready);

	if (ready->metrics) {
		hft_metrics_merge(&metrics, &ready->metrics->total);
		stats->metrics = metrics.sum;
		stats->metrics_valid = metrics.valid;
	}
	stats->submitted += counters->submitted;
	stats->dispatched += counters->dispatched;
	stats->cancelled += counters->cancelled;
	stats->ended += counters->ended;
	stats->wakeups += counters->wakeups;
	stats->full += counters->full;
	stats->bad_head += counters->bad_head;
	stats->overruns += counters->overruns;
	stats->deadline_misses += counters->deadline_misses;
	stats->waiting += ready->waiting + ready->nr_blocked;
	stats->ready += ready->heap.nr;
	stats->in_flight += ready->nr_sunk + (in_flight > 0 ? (u64)in_flight : 0);
}

static void hft_class_tell(const struct hft_class *class, struct hft_class_info *info, u64 now)
{
	info->runs = class->wcet.runs;
	info->failed = class->failed;
	info->over_budget = class->over_budget;
	info->busy = class->busy;
	info->max = hft_wcet_max(&class->wcet);
	info->p999 = hft_wcet_above(&class->wcet, 1000);
	info->step = hft_fair_step(class, now);
}

/**
 * hft_ready_class_info() - tell what is known of a class of a ring's tasks
 * @ready: the ring's
 * @info: all but what was asked is filled in
 * @now: CLOCK_MONOTONIC
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int hft_ready_class_info(struct hft_ready_queue *ready, struct hft_class_info *info, u64 now)
{
	const struct hft_metrics_total *metrics;

	if (!ready->classes && !ready->metrics)
		return -EOPNOTSUPP;
	*info = (struct hft_class_info){ .ring = info->ring, .task_class = info->task_class };
	hft_job_look(ready);
	if (ready->classes)
		hft_class_tell(&ready->classes[info->task_class], info, now);
	if (ready->metrics) {
		metrics = &ready->metrics->classes[info->task_class];
		info->metrics = metrics->sum;
		info->metrics_valid = metrics->valid;
	}
	return 0;
}
