// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * The lead of a ring: what it was opened with, what was learned, what a rule asks for.
 *
 * A task is queued by its release less the lead of that moment, and keeps that place
 * when the lead changes: a change is by as much as wake-ups have changed, and to move
 * every task of a ring for it would take the lock for as long as there are tasks.
 */
#include "sched.h"
#include "trace.h"

static void hft_lead_apply(struct hft_ready_queue *ready)
{
	u64 lead = ready->lead_base, floor = ready->lead_floor;

	if (floor && ready->learner)
		floor = hft_lead_within(ready->learner, floor);
	if (lead < floor)
		lead = floor;
	if (lead == ready->lead)
		return;
	trace_lead(ready, lead);
	ready->lead = lead;
	WRITE_ONCE(ready->producer->lead, lead);
}

/**
 * hft_ready_set_lead() - let tasks be queued with another lead from here on
 * @ready: the ring's
 * @lead: ns, at most %HFT_MAX_LEAD
 */
void hft_ready_set_lead(struct hft_ready_queue *ready, u64 lead)
{
	ready->lead_base = lead;
	hft_lead_apply(ready);
}

/**
 * hft_ready_raise_lead() - let a ring's lead be no shorter for a while
 * @ready: the ring's
 * @floor: than this, ns; 0: it may be again
 *
 * Of a ring that learns its lead, no longer than its budget allows by then; what is
 * learned meanwhile counts when it is longer.
 *
 * Return: the lead that the ring has now.
 */
u64 hft_ready_raise_lead(struct hft_ready_queue *ready, u64 floor)
{
	ready->lead_floor = floor < HFT_MAX_LEAD ? floor : HFT_MAX_LEAD;
	hft_lead_apply(ready);
	return ready->lead;
}

/* By how much later than @event was due its timer fired, as far as that can be told. */
static u64 hft_lead_interrupt(const struct hft_ready_queue *ready, const struct hft_event *event)
{
	u64 due = event->release > ready->lead ? event->release - ready->lead : 0;

	if (ready->learner->own_timer || event->irq_entry <= due ||
	    event->irq_entry >= event->release)
		return 0;
	return event->irq_entry - due;
}

/**
 * hft_ready_learn() - learn from a task that has run
 * @ready: the ring's, with a learner
 * @event: of the task
 * @woke: of its report
 *
 * A task that was submitted within the lead looks like one whose timer was late.  No
 * lead would help it: so that counts for no more than the wake-up.
 */
void hft_ready_learn(struct hft_ready_queue *ready, const struct hft_event *event, u32 woke)
{
	struct hft_lead *learner = ready->learner;
	u64 late, lead;

	hft_lead_dispatch(learner, event->published);
	if (woke) {
		late = hft_lead_interrupt(ready, event);
		hft_lead_wakeup(learner, woke + (late < woke ? late : woke));
	}
	lead = hft_lead_look(learner, ready->lead_base, event->published);
	if (lead == ready->lead_base)
		return;
	ready->counters.lead_changes++;
	hft_ready_set_lead(ready, lead);
}

/**
 * hft_ready_lead_info() - %HFT_IOC_LEAD but for the rows
 * @ready: the ring's
 * @info: valid; the rest is filled in
 * @learned: takes a copy of what is known, for hft_lead_rows(), if there is room for rows
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int hft_ready_lead_info(struct hft_ready_queue *ready, struct hft_lead_info *info,
			struct hft_lead *learned)
{
	struct hft_lead *learner = ready->learner;
	struct hft_lead_row row = {};

	if (!learner && (info->fields & HFT_LEAD_BUDGET || info->nr_rows))
		return -EOPNOTSUPP;
	if (info->fields & HFT_LEAD_BUDGET)
		learner->budget_ppm = info->budget_ppm;
	if (info->fields & HFT_LEAD_LEAD)
		hft_ready_set_lead(ready, info->lead);
	if (learner) {
		hft_lead_at(learner, ready->lead, &row);
		if (info->nr_rows)
			*learned = *learner;
	}
	info->lead = ready->lead;
	info->budget_ppm = learner ? learner->budget_ppm : 0;
	info->late_ppm = row.late_ppm;
	info->cpu_ppm = row.cpu_ppm;
	info->wakeups = learner ? learner->wakeups : 0;
	info->changes = learner ? learner->changes : 0;
	return 0;
}
