// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/* Changes of tasks that are not dispatched. */
#include "sched.h"

/* What a task's times and level are to be, those that stay with those that change. */
struct hft_job_change {
	u64 release;
	u64 deadline;
	u64 period;
	u8 level;
};

/* It waits for its release, or for what releases it, in the fallback ring. */
static bool hft_job_leaves(const struct hft_slot *slot)
{
	return slot->state == HFT_SLOT_LEAVING || slot->state == HFT_SLOT_LEFT;
}

/* The task's times are on its own clock. */
static bool hft_job_unreleased(const struct hft_slot *slot)
{
	return slot->state == HFT_SLOT_WAITING || slot->state == HFT_SLOT_BLOCKED ||
	       hft_job_leaves(slot);
}

static bool hft_job_blocked(const struct hft_slot *slot)
{
	return slot->state == HFT_SLOT_BLOCKED ||
	       (hft_job_leaves(slot) && slot->flags & HFT_TASK_SPORADIC);
}

/* The times of a released task are on CLOCK_MONOTONIC, and its release has been. */
static struct hft_job_change hft_job_change(const struct hft_slot *slot,
					    const struct hft_modify *modify)
{
	struct hft_job_change to = { slot->release, slot->deadline, 0, slot->level };
	bool waiting = hft_job_unreleased(slot);

	if (slot->flags & HFT_SLOT_MORE)
		to.period = slot->period;
	if (modify->fields & HFT_MODIFY_RELEASE && waiting)
		to.release = modify->release;
	if (modify->fields & HFT_MODIFY_DEADLINE)
		to.deadline = modify->deadline;
	if (modify->fields & HFT_MODIFY_DEADLINE && modify->deadline && !waiting)
		to.deadline = hft_release_to_monotonic(slot->ready->release, slot->clock,
						       modify->deadline);
	if (modify->fields & HFT_MODIFY_PERIOD)
		to.period = modify->period;
	if (modify->fields & HFT_MODIFY_LEVEL)
		to.level = modify->level;
	return to;
}

/* Admit the task as it is to be, or keep it as it is. */
static int hft_job_readmit(struct hft_slot *slot, const struct hft_job_change *to)
{
	struct hft_admission_demand from = hft_job_demand(slot), demand;
	struct hft_admission *admission = &slot->ready->release->admission;
	bool fits;

	if (!(slot->flags & HFT_SLOT_ADMITTED))
		return 0;
	demand = hft_admission_demand(slot->wcet, to->deadline ? to->deadline - to->release : 0,
				      to->period);
	hft_admission_remove(admission, &from);
	fits = hft_job_fits(slot->ready, &demand);
	hft_admission_add(admission, fits ? &demand : &from);
	return fits ? 0 : -EBUSY;
}

static void hft_job_set(struct hft_slot *slot, const struct hft_job_change *to)
{
	u64 period = slot->period;

	slot->release = to->release;
	slot->deadline = to->deadline;
	slot->level = to->level;
	if (!(slot->flags & HFT_SLOT_MORE))
		return;
	slot->period = to->period;
	slot->relative = to->deadline ? to->deadline - to->release : 0;
	if (hft_job_unreleased(slot) && !(slot->flags & HFT_SLOT_AFTER))
		slot->base = to->release;
	if (!hft_job_blocked(slot) || !slot->jobs)
		return;
	/* From its last job on. */
	slot->base += to->period - period;
	hft_job_advance(slot, 0);
}

/**
 * hft_job_modify() - change a task that is not dispatched
 * @slot: the task
 * @modify: what to change; each field for itself is in range
 *
 * Return: 0, -ENOENT it has been dispatched, -EINVAL, -EBUSY it is not admitted so.
 */
int hft_job_modify(struct hft_slot *slot, const struct hft_modify *modify)
{
	struct hft_job_change to = hft_job_change(slot, modify);
	struct hft_ready_queue *ready = slot->ready;

	if (slot->state == HFT_SLOT_DISPATCHED || slot->state == HFT_SLOT_SUNK)
		return -ENOENT;
	if (to.deadline && to.deadline < to.release)
		return -EINVAL;
	if (modify->fields & HFT_MODIFY_PERIOD &&
	    !(slot->flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC)))
		return -EINVAL;
	if (modify->fields & HFT_MODIFY_RELEASE && slot->flags & HFT_TASK_SPORADIC)
		return -EINVAL;
	if (!(ready->level_mask & BIT(to.level)))
		return -EINVAL;
	if (hft_slot_is_hard(slot) && hft_ready_is_soft(ready, to.level))
		return -EBUSY;
	if (hft_job_readmit(slot, &to))
		return -EBUSY;

	switch (slot->state) {
	case HFT_SLOT_WAITING:
		hft_heap_remove(&ready->release->timers[slot->clock].heap, &slot->item);
		ready->waiting--;
		hft_job_set(slot, &to);
		hft_release_add(ready, slot);
		break;
	case HFT_SLOT_READY:
		hft_job_set(slot, &to);
		hft_ready_update(slot);
		if (slot->flags & HFT_SLOT_WATCHED) {
			hft_watch_stop(slot);
			hft_watch_deadline(slot);
		}
		break;
	default:
		hft_job_set(slot, &to);
	}
	return 0;
}
