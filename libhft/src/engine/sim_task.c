// SPDX-License-Identifier: LGPL-2.1-or-later
/* A simulated machine: what is done to tasks and rings after their submission. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meter.h"
#include "sim.h"

static int modify_task(struct hft_sim *sim, const struct hft_modify *modify)
{
	struct hft_slot *slot = hft_sim_find(sim, modify->task);
	struct hft_sim_job *job;
	struct hft_sim_cpu *cpu;
	int err;

	if (!hft_modify_valid(modify))
		return -EINVAL;
	if (!slot)
		return -ENOENT;
	cpu = hft_sim_ring_of(slot->ready)->cpu;
	err = hft_job_modify(slot, modify);
	job = sim->job_of[slot - sim->pool.slots];
	if (!err && job) {
		if (hft_heap_contains(&job->watch))
			hft_heap_remove(&sim->watch, &job->watch);
		job->event.deadline = slot->deadline;
		job->event.level = slot->level;
		if (slot->deadline)
			hft_heap_push(&sim->watch, &job->watch, slot->deadline);
	}
	hft_sim_commit(cpu);
	return err;
}

static int arrive(struct hft_sim *sim, const struct hft_arrival *arrival)
{
	struct hft_slot *slot = hft_sim_find(sim, arrival->task);
	struct hft_sim_cpu *cpu;
	int err;

	if (!hft_arrival_valid(arrival))
		return -EINVAL;
	if (!slot)
		return -ENOENT;
	cpu = hft_sim_ring_of(slot->ready)->cpu;
	err = hft_job_arrive(slot, arrival->release, hft_sim_clock(cpu, slot->clock));
	hft_sim_commit(cpu);
	return err;
}

static int inform(struct hft_sim *sim, struct hft_task_info *info)
{
	struct hft_slot *slot = hft_sim_find(sim, info->task);
	struct hft_sim_cpu *cpu;
	int err;

	if (info->reserved)
		return -EINVAL;
	if (!slot)
		return hft_slot_ended(&sim->pool, info);
	cpu = hft_sim_ring_of(slot->ready)->cpu;
	err = hft_job_info(slot, info);
	hft_sim_commit(cpu);
	return err ? hft_slot_ended(&sim->pool, info) : 0;
}

/* Take the ring's tasks back.  Returns how many there were. */
u64 hft_sim_cancel_tasks(struct hft_sim_ring *ring)
{
	struct hft_sim *sim = ring->sim;
	u64 cancelled = 0;
	u32 i;

	for (i = 0; i < sim->pool.nr; i++) {
		struct hft_slot *slot = &sim->pool.slots[i];

		if (slot->ready == &ring->ready)
			cancelled += !hft_sim_cancel_task(sim, hft_slot_id(&sim->pool, slot));
	}
	return cancelled;
}

static u32 rank_of(const struct hft_sim_ring *ring)
{
	u32 rank = hft_sim_halt_rank(ring->sim), held = hft_sched_rank(ring->held, HFT_HALT_NONE);

	return held > rank ? held : rank;
}

static u64 halt_ring(struct hft_sim_ring *ring)
{
	u32 rank = rank_of(ring);

	if (rank > ring->ready.halt_rank)
		hft_sched_hold(&ring->ready, rank);
	return rank ? ring->ready.heap.nr : 0;
}

/* But for those that a replay has set aside, ready and in no heap. */
static void rekey(struct hft_sim_ring *ring)
{
	struct hft_sim *sim = ring->sim;
	u32 i;

	for (i = 0; i < sim->pool.nr; i++) {
		struct hft_slot *slot = &sim->pool.slots[i];

		if (slot->ready == &ring->ready && slot->state == HFT_SLOT_READY &&
		    hft_heap_contains(&slot->item))
			hft_ready_update(slot);
	}
}

/* Let a ring have what is allowed by now. */
static void resume_ring(struct hft_sim_ring *ring)
{
	u32 rank = rank_of(ring);

	if (rank >= ring->ready.halt_rank)
		return;
	hft_sched_halt(&ring->ready, HFT_HALT_ALL);
	rekey(ring);
	hft_sched_hold(&ring->ready, rank);
	hft_sim_fill(ring);
}

/* What rules hold the machine to has changed. */
void hft_sim_hold_rings(struct hft_sim *sim)
{
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!sim->rings[i])
			continue;
		halt_ring(sim->rings[i]);
		resume_ring(sim->rings[i]);
	}
}

/* As a halt of all handles, or what ends that, does. */
void hft_sim_hold_ring(struct hft_sim_ring *ring, enum hft_halt_mode mode)
{
	ring->held = mode;
	halt_ring(ring);
	resume_ring(ring);
}

static int halt_rings(struct hft_sim *sim, struct hft_halt *halt)
{
	u32 i;

	if (!hft_halt_valid(halt))
		return -EINVAL;
	if (halt->flags & HFT_HALT_GLOBAL)
		return -EPERM;
	halt->stopped = 0;
	halt->rings = 0;
	sim->halt = halt->mode < HFT_HALT_ALL ? halt->mode : HFT_HALT_ALL;
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!sim->rings[i])
			continue;
		halt->stopped += halt_ring(sim->rings[i]);
		halt->rings++;
	}
	if (halt->mode == HFT_HALT_CANCEL)
		halt->stopped = 0;
	for (i = 0; i < HFT_MAX_RINGS && halt->mode != HFT_HALT_ALL; i++) {
		if (!sim->rings[i])
			continue;
		if (halt->mode == HFT_HALT_CANCEL)
			halt->stopped += hft_sim_cancel_tasks(sim->rings[i]);
		else
			resume_ring(sim->rings[i]);
	}
	return 0;
}

/* A deadline was missed.  Returns whether that halts, and how many tasks. */
bool hft_sim_halt_missed(struct hft_sim *sim, u64 *stopped)
{
	struct hft_halt halt = { .mode = HFT_HALT_REDUCE };

	if (sim->halt || halt_rings(sim, &halt))
		return false;
	*stopped = halt.stopped;
	return true;
}

static int set_ring(struct hft_sim *sim, const struct hft_ring_set *set)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, set->ring);
	int err;

	if (!hft_ring_set_valid(set))
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	if (ring == sim->monitor)
		return -EINVAL;
	err = hft_sched_set_policy(&ring->ready, set->policy);
	rekey(ring);
	hft_sim_fill(ring);
	return err;
}

static int read_class(struct hft_sim *sim, struct hft_class_info *info)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, info->ring);
	int err;

	if (!hft_class_info_valid(info))
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	err = hft_ready_class_info(&ring->ready, info, sim->now);
	hft_sim_commit(ring->cpu);
	return err;
}

static int do_lead(struct hft_sim *sim, struct hft_lead_info *info)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, info->ring);
	struct hft_lead learned;
	int err;

	if (!hft_lead_info_valid(info))
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	if (ring == sim->monitor)
		return -EINVAL;
	err = hft_ready_lead_info(&ring->ready, info, &learned);
	if (!err && info->nr_rows)
		info->nr_rows = hft_lead_rows(&learned, (void *)(uintptr_t)info->rows,
					      info->nr_rows);
	return err;
}

static int set_meter(struct hft_sim *sim, const struct hft_meter_set *set)
{
	struct hft_sim_ring *ring = hft_sim_ring_at(sim, set->ring);
	struct hft_meter *meter;
	int err;

	if (!hft_meter_set_valid(set))
		return -EINVAL;
	if (!ring)
		return -ENOENT;
	if (ring == sim->monitor)
		return -EINVAL;
	err = hft_meter_new(&ring->ready, set, sim->now, &meter);
	if (err)
		return err;
	hft_job_look(&ring->ready);
	free(hft_ready_set_meter(&ring->ready, meter));
	hft_sim_commit(ring->cpu);
	return 0;
}

static int read_hist(struct hft_sim *sim, struct hft_hist_read *read)
{
	struct hft_hist_info *info = &read->info;
	bool all = info->ring == HFT_STATS_CONTEXT;
	int err = all ? 0 : -ENOENT;
	u32 i;

	if (!hft_hist_info_valid(info))
		return -EINVAL;
	if (info->flags & HFT_HIST_GLOBAL)
		return -EPERM;
	hft_hist_info_begin(info);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		struct hft_sim_ring *ring = sim->rings[i];

		if (!ring || (!all && info->ring != i))
			continue;
		hft_job_look(&ring->ready);
		hft_sim_commit(ring->cpu);
		hft_meter_merge(read->hist, info, ring->ready.meter);
		err = 0;
	}
	hft_hist_info_end(info, read->hist);
	return err;
}

static int read_stats(struct hft_sim *sim, struct hft_stats *stats)
{
	bool all = stats->ring == HFT_STATS_CONTEXT;
	int err = all ? 0 : -ENOENT;
	u32 i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		if (!sim->rings[i] || (!all && stats->ring != i))
			continue;
		hft_ready_stats(&sim->rings[i]->ready, stats);
		err = 0;
	}
	stats->tasks = sim->pool.nr;
	for (i = 0; i < sim->pool.nr; i++)
		stats->tasks_free += sim->pool.slots[i].state == HFT_SLOT_FREE;
	return err;
}

/* As hft_backend.command */
int hft_sim_command(struct hft_sim *sim, unsigned int op, void *arg)
{
	switch (op) {
	case HFT_IOC_CANCEL:
		return hft_sim_cancel_task(sim, ((struct hft_cancel *)arg)->task);
	case HFT_IOC_MODIFY:
		return modify_task(sim, arg);
	case HFT_IOC_RELEASE:
		return arrive(sim, arg);
	case HFT_IOC_TASK:
		return inform(sim, arg);
	case HFT_IOC_HALT:
		return halt_rings(sim, arg);
	case HFT_IOC_STATS:
		return read_stats(sim, arg);
	case HFT_IOC_RING_SET:
		return set_ring(sim, arg);
	case HFT_IOC_SINK:
		return -ENOENT;
	case HFT_IOC_CLASS:
		return read_class(sim, arg);
	case HFT_IOC_LEAD:
		return do_lead(sim, arg);
	case HFT_IOC_METER:
		return set_meter(sim, arg);
	case HFT_IOC_HIST:
		return read_hist(sim, arg);
	case HFT_IOC_RULE:
		return hft_sim_set_rule(sim, arg);
	case HFT_IOC_RULE_INFO:
		return hft_sim_rule_info(sim, arg);
	case HFT_OP_SIGNAL:
		return 0;	/* it is recorded */
	default:
		return -ENOTTY;
	}
}

/* Take no more tasks, drop those that are queued and those in the ring. */
void hft_sim_ring_kill(struct hft_sim_ring *ring)
{
	if (ring->ready.dead)
		return;
	hft_ready_kill(&ring->ready);
	hft_sim_cancel_tasks(ring);
	hft_sim_drop_jobs(ring);
	hft_sim_unschedule(ring->sim, &ring->wake);
}
