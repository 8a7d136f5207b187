/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What a backend is asked for, checked.  A descriptor may be in memory that user
 * space is writing: what is read of it is checked, and not read again.
 */
#ifndef HFT_CORE_TASK_H
#define HFT_CORE_TASK_H

#include <linux/hft.h>

#include "sched.h"
#include "slot.h"
#include "types.h"

#define HFT_MAX_RINGS		64
#define HFT_MAX_ENTRIES		65536
#define HFT_MAX_BATCH		4096

/* Tasks of a batch that are queued at a time. */
#define HFT_CHUNK		32

static inline bool hft_times_valid(u64 release, u64 deadline)
{
	if (release > HFT_TIME_MAX || deadline > HFT_TIME_MAX)
		return false;
	return !deadline || deadline >= release;
}

#define HFT_TASK_FLAGS	(HFT_TASK_TRACK | HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP |		\
			 HFT_TASK_COALESCE | HFT_TASK_WATCH | HFT_TASK_DROP |		\
			 HFT_TASK_REDUCE | HFT_TASK_NO_ADMIT | HFT_TASK_SIGNAL |		\
			 HFT_TASK_HALT | HFT_TASK_SPORADIC | HFT_TASK_BUDGET)

static inline bool hft_task_flags_valid(u32 flags, u64 deadline, u64 period)
{
	const u32 overrun = HFT_TASK_CATCH_UP | HFT_TASK_COALESCE;
	const u32 recurring = HFT_TASK_PERIODIC | HFT_TASK_SPORADIC;
	const u32 missed = HFT_TASK_DROP | HFT_TASK_SIGNAL | HFT_TASK_HALT;

	if (flags & ~HFT_TASK_FLAGS)
		return false;
	if (flags & recurring ? period < HFT_PERIOD_MIN : flags & HFT_TASK_NO_ADMIT)
		return false;
	if ((flags & recurring) == recurring || (flags & overrun) == overrun)
		return false;
	if (flags & overrun && !(flags & HFT_TASK_PERIODIC))
		return false;
	if (flags & HFT_TASK_WATCH)
		return deadline;
	return !(flags & missed);
}

/* What only some tasks have: not in the descriptors of most. */
static inline int hft_task_prepare_more(struct hft_slots *pool, struct hft_slot *slot,
					const struct hft_task *task)
{
	u64 period = READ_ONCE(task->period);
	u64 wcet = READ_ONCE(task->wcet);
	u64 after = READ_ONCE(task->after);
	u32 flags = READ_ONCE(task->flags);
	u8 class = READ_ONCE(task->task_class);

	if (READ_ONCE(task->reserved1) | READ_ONCE(task->reserved2))
		return -EINVAL;
	if (after && flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC))
		return -EINVAL;
	if (class >= HFT_CLASSES || (flags & HFT_TASK_BUDGET && !wcet))
		return -EINVAL;
	if (period > HFT_TIME_MAX || wcet > HFT_TIME_MAX)
		return -EINVAL;
	if (!hft_task_flags_valid(flags, slot->deadline, period))
		return -EINVAL;
	/* From its next job on that would be none. */
	if (flags & HFT_TASK_WATCH && flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC) &&
	    slot->deadline == slot->release)
		return -EINVAL;
	if (flags & HFT_TASK_NO_ADMIT && !pool->privileged)
		return -EPERM;

	hft_job_init(slot, flags, period, wcet);
	slot->flags |= (u32)class << HFT_SLOT_CLASS_SHIFT;
	if (after) {
		slot->flags |= HFT_SLOT_TRACKED | HFT_SLOT_AFTER;
		slot->base = after;
	}
	return 0;
}

/* Are there heaps for tasks of @clock? */
static inline bool hft_slots_has_clock(const struct hft_slots *pool, u8 clock)
{
	/* Pairs with the backend's release: the heaps were made before. */
	return !(smp_load_acquire(&pool->unused_clocks) & BIT(clock));
}

/**
 * hft_task_prepare() - turn a descriptor into a slot that is ready to be queued
 * @pool: to take the slot from
 * @task: the descriptor
 *
 * Return: the slot, or an error of %HFT_IOC_SUBMIT as ERR_PTR(), or -EAGAIN: the backend
 * has to make heaps for the task's clock before.
 */
static __always_inline struct hft_slot *hft_task_prepare(struct hft_slots *pool,
							 const struct hft_task *task)
{
	u64 release = READ_ONCE(task->release);
	u64 deadline = READ_ONCE(task->deadline);
	u32 ring = READ_ONCE(task->ring);
	u8 clock = READ_ONCE(task->clock);
	u8 level = READ_ONCE(task->level);
	struct hft_slot *slot;
	int err;

	if (unlikely(level >= HFT_LEVELS))
		return ERR_PTR(-EINVAL);
	if (unlikely(clock != HFT_CLOCK_MONOTONIC)) {
		if (clock >= HFT_CLOCKS)
			return ERR_PTR(-EINVAL);
		if (!hft_slots_has_clock(pool, clock))
			return ERR_PTR(-EAGAIN);
	}
	if (unlikely(!hft_times_valid(release, deadline)))
		return ERR_PTR(-EINVAL);
	if (unlikely(ring >= HFT_MAX_RINGS))
		return ERR_PTR(-ENOENT);

	slot = hft_slot_alloc(pool);
	if (unlikely(!slot))
		return ERR_PTR(hft_slots_array(pool) ? -EDQUOT : -EINVAL);

	slot->cookie = READ_ONCE(task->cookie);
	slot->release = release;
	slot->deadline = deadline;
	slot->flags = 0;
	WRITE_ONCE(slot->ring_number, array_index_nospec(ring, HFT_MAX_RINGS));
	slot->clock = clock;
	slot->level = level;
	if (likely(!(READ_ONCE(task->flags) | READ_ONCE(task->task_class) |
		     READ_ONCE(task->reserved1) | READ_ONCE(task->reserved2) |
		     READ_ONCE(task->period) |
		     READ_ONCE(task->wcet) | READ_ONCE(task->after))))
		return slot;

	err = hft_task_prepare_more(pool, slot, task);
	if (!err)
		return slot;
	hft_slot_free(pool, slot);
	return ERR_PTR(err);
}

/**
 * hft_task_refused() - what a task that is not admitted would bring its CPU to
 * @task: the descriptor; by now it may be another, and its sender is told of that one
 * @density: what is admitted there
 *
 * Return: parts per million.
 */
static inline u64 hft_task_refused(const struct hft_task *task, u64 density)
{
	u64 release = READ_ONCE(task->release), deadline = READ_ONCE(task->deadline);
	struct hft_admission_demand demand;

	demand = hft_admission_demand(READ_ONCE(task->wcet),
				      deadline > release ? deadline - release : 0,
				      READ_ONCE(task->period));
	return hft_admission_to_ppm(density + demand.density);
}

/* Each field for itself. */
static inline bool hft_modify_valid(const struct hft_modify *modify)
{
	const u32 fields = HFT_MODIFY_RELEASE | HFT_MODIFY_DEADLINE | HFT_MODIFY_PERIOD |
			   HFT_MODIFY_LEVEL;

	if (modify->reserved || !modify->fields || modify->fields & ~fields)
		return false;
	if (modify->level >= HFT_LEVELS)
		return false;
	if (modify->fields & HFT_MODIFY_PERIOD && modify->period < HFT_PERIOD_MIN)
		return false;
	return modify->release <= HFT_TIME_MAX && modify->deadline <= HFT_TIME_MAX &&
	       modify->period <= HFT_TIME_MAX;
}

static inline bool hft_arrival_valid(const struct hft_arrival *arrival)
{
	return arrival->release <= HFT_TIME_MAX && !arrival->reserved;
}

/**
 * hft_halt_valid() - is each field of a request to halt in range?
 * @halt: the request
 */
static inline bool hft_halt_valid(const struct hft_halt *halt)
{
	return halt->mode <= HFT_HALT_CANCEL && !(halt->flags & ~HFT_HALT_GLOBAL) &&
	       !halt->reserved;
}

/**
 * hft_ring_add_valid() - are the fields of a request for a ring in range?
 * @add: the request; its CPU is the backend's to judge
 */
static inline bool hft_ring_add_valid(const struct hft_ring_add *add)
{
	const u32 flags = HFT_RING_MONITOR | HFT_RING_REPORT | HFT_RING_METRICS |
			  HFT_RING_FALLBACK | HFT_RING_SINK | HFT_RING_LEAD;

	if (add->flags & ~flags || add->reserved)
		return false;
	if (add->flags & HFT_RING_SINK ? add->flags & ~HFT_RING_SINK : add->sink)
		return false;
	if (add->flags & HFT_RING_FALLBACK ? add->fallback >= HFT_MAX_RINGS : add->fallback)
		return false;
	if (add->flags & HFT_RING_LEAD && !(add->flags & HFT_RING_REPORT))
		return false;
	if (add->quantum && !(add->flags & HFT_RING_REPORT))
		return false;
	if (add->consumer_size || add->ring || add->events_off || add->pages_off || add->pages_size)
		return false;
	if (add->metrics_off)
		return false;
	if (!add->entries || add->entries & (add->entries - 1) || add->entries > HFT_MAX_ENTRIES)
		return false;
	if (!add->window || add->window > add->entries)
		return false;
	if (add->flags & HFT_RING_MONITOR)
		return !(add->level_mask | add->policy | add->lead) &&
		       add->flags == HFT_RING_MONITOR;
	if (!add->level_mask || add->level_mask & ~HFT_LEVEL_MASK_ALL)
		return false;
	if (add->policy == HFT_POLICY_FAIR && !(add->flags & HFT_RING_REPORT))
		return false;
	return add->policy < HFT_POLICIES && add->lead <= HFT_MAX_LEAD;
}

static inline bool hft_ring_set_valid(const struct hft_ring_set *set)
{
	return set->policy < HFT_POLICIES && !set->reserved;
}

static inline bool hft_lead_info_valid(const struct hft_lead_info *info)
{
	const u32 fields = HFT_LEAD_LEAD | HFT_LEAD_BUDGET;

	if (info->reserved || info->fields & ~fields || info->nr_rows > HFT_LEAD_ROWS)
		return false;
	if (info->fields & HFT_LEAD_LEAD && info->lead > HFT_MAX_LEAD)
		return false;
	return !(info->fields & HFT_LEAD_BUDGET) ||
	       (info->budget_ppm && info->budget_ppm <= HFT_LEAD_PPM);
}

static inline bool hft_class_info_valid(const struct hft_class_info *info)
{
	return info->task_class < HFT_CLASSES && !info->reserved;
}

static inline bool hft_pmu_valid(const struct hft_pmu *pmu)
{
	u32 i;

	if (pmu->flags == (HFT_PMU_READ | HFT_PMU_GLOBAL))
		return true;
	if (pmu->flags == HFT_PMU_READ)
		return !pmu->index;
	if (pmu->flags || pmu->index || pmu->nr > HFT_METRICS)
		return false;
	for (i = pmu->nr; i < HFT_METRICS; i++) {
		if (pmu->type[i] || pmu->config[i])
			return false;
	}
	return true;
}

#endif /* HFT_CORE_TASK_H */
