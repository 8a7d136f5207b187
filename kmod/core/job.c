// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * Tracked tasks: their jobs from dispatch to consumption, the next release of the
 * periodic ones, and their deadlines.
 *
 * The consumer's head alone tells what is finished.  It is read where a ring is
 * looked at anyway, so a task may count as in flight for some time after its end;
 * whatever depends on it looks first.
 */
#include "sched.h"
#include "trace.h"

/**
 * hft_job_init() - fill in what a plain task has not
 * @slot: allocated, with its release and deadline
 * @flags: HFT_TASK_* bits
 * @period: ns
 * @wcet: ns
 */
void hft_job_init(struct hft_slot *slot, u32 flags, u64 period, u64 wcet)
{
	slot->flags = flags | HFT_SLOT_MORE | (flags ? HFT_SLOT_TRACKED : 0);
	slot->item.link = 0;
	hft_heap_item_init(&slot->watch);
	slot->relative = slot->deadline ? slot->deadline - slot->release : 0;
	slot->period = period;
	slot->wcet = wcet;
	slot->base = slot->release;
	slot->jobs = 0;
	slot->missed = 0;
	slot->skipped = 0;
	slot->late = 0;
}

/**
 * hft_job_track() - have a task tracked that did not ask for it
 * @slot: to be queued
 */
void hft_job_track(struct hft_slot *slot)
{
	if (!(slot->flags & HFT_SLOT_MORE))
		hft_job_init(slot, slot->flags, 0, 0);
	slot->flags |= HFT_SLOT_TRACKED;
}

bool hft_job_fits(const struct hft_ready_queue *ready,
		  const struct hft_admission_demand *demand)
{
	const struct hft_release_queue *queue = ready->release;

	if (ready->policy == HFT_POLICY_RM)
		return hft_admission_fits_rm(&queue->admission, demand, queue->cap);
	return hft_admission_fits_edf(&queue->admission, demand, queue->cap);
}

struct hft_admission_demand hft_job_demand(const struct hft_slot *slot)
{
	return hft_admission_demand(slot->wcet, slot->relative, slot->period);
}

/* Count a task that comes again and again, if there is room.  Returns 0 or -EBUSY. */
int hft_job_admit(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	struct hft_admission_demand demand = hft_job_demand(slot);

	if (!(slot->flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC)))
		return 0;
	if (!demand.density || slot->flags & HFT_TASK_NO_ADMIT)
		return 0;
	if (!hft_job_fits(ready, &demand))
		return -EBUSY;
	hft_admission_add(&ready->release->admission, &demand);
	slot->flags |= HFT_SLOT_ADMITTED;
	return 0;
}

/* Where the job of @slot is that is not in flight. */
static enum hft_task_state hft_job_waits(const struct hft_slot *slot)
{
	switch (slot->state) {
	case HFT_SLOT_LEAVING:
	case HFT_SLOT_LEFT:
		return slot->flags & HFT_TASK_SPORADIC ? HFT_STATE_BLOCKED : HFT_STATE_PENDING;
	case HFT_SLOT_WAITING:
		return HFT_STATE_PENDING;
	case HFT_SLOT_BLOCKED:
		return HFT_STATE_BLOCKED;
	case HFT_SLOT_SUNK:
	case HFT_SLOT_DISPATCHED:
		return HFT_STATE_DISPATCHED;
	default:
		return HFT_STATE_READY;
	}
}

/* Let the next job of @slot wait for its release, or for what releases it. */
static void hft_job_await(struct hft_slot *slot)
{
	if (unlikely(slot->ready->away & HFT_AWAY_OFFLINE) && slot->flags & HFT_SLOT_IN_FLIGHT) {
		WRITE_ONCE(slot->state, HFT_SLOT_LEAVING);
		slot->ready->nr_held++;
	} else if (slot->flags & (HFT_TASK_SPORADIC | HFT_SLOT_AFTER)) {
		WRITE_ONCE(slot->state, HFT_SLOT_BLOCKED);
		slot->ready->nr_blocked++;
	} else {
		hft_release_add(slot->ready, slot);
	}
	trace_task_state(slot, slot->jobs, 0, hft_job_waits(slot));
}

/**
 * hft_job_insert() - as hft_sched_insert(), of a tracked task that its ring takes
 * @ready: of the ring
 * @slot: the task
 *
 * Return: 0, or -EBUSY if its CPU can not take it or it is hard and rules may bring others
 * to its level, -EINVAL if its budget can not be
 * watched, or as hft_chain_add().
 */
int hft_job_insert(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	bool after = slot->flags & HFT_SLOT_AFTER;
	int err;

	if (slot->flags & HFT_TASK_BUDGET && !ready->reports)
		return -EINVAL;
	if (hft_slot_is_hard(slot) && hft_ready_is_soft(ready, slot->level))
		return -EBUSY;
	if (hft_job_admit(ready, slot))
		return -EBUSY;
	err = after ? hft_chain_add(ready, slot) : 0;
	if (err < 0)
		return err;

	WRITE_ONCE(slot->ready, ready);
	ready->counters.submitted++;
	trace_submit(slot);
	hft_job_await(slot);
	if (after && !err)
		hft_chain_await(ready->pool, slot->base);
	return err;
}

/* The task has ended, here at least. */
void hft_job_discharge(struct hft_slot *slot)
{
	struct hft_admission_demand demand = hft_job_demand(slot);

	if (slot->flags & HFT_SLOT_ADMITTED)
		hft_admission_remove(&slot->ready->release->admission, &demand);
	slot->flags &= ~HFT_SLOT_ADMITTED;
}

/* Where @slot is, for its owner. */
enum hft_task_state hft_job_state(const struct hft_slot *slot)
{
	const struct hft_ready_queue *ready = slot->ready;
	u32 head;

	if (slot->flags & HFT_SLOT_IN_FLIGHT) {
		head = READ_ONCE(ready->consumer->head);
		return slot->watch.link == head ? HFT_STATE_RUNNING : HFT_STATE_DISPATCHED;
	}
	return hft_job_waits(slot);
}

/* The release @n periods on.  A time beyond what a clock can show is never. */
void hft_job_advance(struct hft_slot *slot, u64 n)
{
	if (n > (HFT_TIME_MAX - slot->base) / slot->period) {
		slot->flags |= HFT_SLOT_ENDED;
		return;
	}
	slot->base += n * slot->period;
	slot->release = slot->base;
	slot->deadline = slot->relative ? slot->base + slot->relative : 0;
}

static void hft_job_skip(struct hft_slot *slot, u64 n)
{
	slot->missed += n;
	slot->skipped += n;
	slot->ready->counters.overruns += n;
}

/*
 * Wait for the next release or arrival, or for the end of the job in flight if there is
 * none.
 */
static void hft_job_next(struct hft_slot *slot, u64 n)
{
	hft_job_advance(slot, n);
	if (slot->flags & HFT_SLOT_ENDED)
		WRITE_ONCE(slot->state, HFT_SLOT_DISPATCHED);
	else
		hft_job_await(slot);
}

/* Take a run into account as its worker has reported it, if it has.  Returns how it ended. */
static enum hft_task_state hft_job_account(const struct hft_slot *slot)
{
	const struct hft_ready_queue *ready = slot->ready;
	const struct hft_event *event = hft_job_event(slot);
	const struct hft_report *report = &ready->reports[slot->watch.link & ready->mask];
	struct hft_class *class = &ready->classes[hft_slot_class(slot)];
	u64 start = READ_ONCE(report->start);
	u64 end = READ_ONCE(report->end);
	s32 result = READ_ONCE(report->result);

	if (event->result < 0 || start < event->published || end < start)
		return HFT_STATE_COMPLETED;
	if (ready->learner)
		hft_ready_learn(slot->ready, event, READ_ONCE(report->woke));
	class->busy += end - start;
	class->failed += result < 0;
	class->over_budget += slot->wcet && end - start > slot->wcet;
	hft_wcet_record(&class->wcet, end - start);
	hft_fair_use(class, ready->quantum, start, end - start);
	if (unlikely(ready->meter || ready->detect))
		hft_ready_completed(slot->ready, hft_slot_class(slot), event, start, end);
	return result < 0 ? HFT_STATE_FAILED : HFT_STATE_COMPLETED;
}

static void hft_job_end(struct hft_slot *slot, bool failed)
{
	if (slot->item.link) {
		slot->ready->nr_held--;
		hft_chain_release(slot, failed);
	}
	hft_job_discharge(slot);
	hft_slot_free(slot->ready->pool, slot);
}

/* The job of @slot that is in flight is consumed. */
static void hft_job_done(struct hft_slot *slot)
{
	enum hft_task_state outcome = HFT_STATE_COMPLETED;
	bool failed = hft_job_event(slot)->result < 0;

	if (slot->ready->reports)
		outcome = hft_job_account(slot);
	hft_watch_stop(slot);
	slot->flags &= ~(HFT_SLOT_IN_FLIGHT | HFT_SLOT_RUNNING);
	if (!(slot->flags & HFT_SLOT_OUTCOME))
		hft_slot_set_outcome(slot, outcome);
	trace_task_state(slot, slot->jobs - 1, HFT_STATE_RUNNING, hft_slot_outcome(slot->flags));
	if (slot->state == HFT_SLOT_HELD) {
		slot->ready->nr_held--;
		/* It is released: the ring that has had the job before has this one, too. */
		if (slot->ready->away & HFT_AWAY_OFFLINE && !(slot->flags & HFT_SLOT_ENDED))
			slot->item.seq = slot->ready->release->sequence++;
		hft_ready_add(slot);
	} else if (slot->state == HFT_SLOT_LEAVING) {
		slot->ready->nr_held--;
		hft_fallback_left(slot);
	} else if (slot->state == HFT_SLOT_DISPATCHED) {
		hft_job_end(slot, failed || outcome == HFT_STATE_FAILED);
	}
}

/* The event at @head is the next that the consumer is done with. */
static void hft_job_trace_running(struct hft_ready_queue *ready, u32 head)
{
	const struct hft_tracked *tracked;
	struct hft_slot *slot;

	if (!trace_task_state_enabled() || !ready->nr_tracked)
		return;
	tracked = &ready->tracked[ready->first_tracked % HFT_MAX_TRACKED];
	slot = &ready->pool->slots[tracked->index];
	if (tracked->sequence != head || slot->flags & HFT_SLOT_RUNNING)
		return;
	slot->flags |= HFT_SLOT_RUNNING;
	trace_task_state(slot, slot->jobs - 1, HFT_STATE_DISPATCHED, HFT_STATE_RUNNING);
}

/**
 * hft_job_retire() - notice what the consumer has advanced over
 * @ready: the ring's
 * @in_flight: events that it has not
 *
 * No more than hft_release_queue.retire_left: see hft_job_consumed().
 */
void hft_job_retire(struct hft_ready_queue *ready, u32 in_flight)
{
	struct hft_release_queue *queue = ready->release;
	u32 consumed = lower_32_bits(ready->sequence) - in_flight;
	struct hft_metrics_span span = {};

	while (ready->nr_tracked && queue->retire_left) {
		u32 first = ready->first_tracked % HFT_MAX_TRACKED;
		const struct hft_tracked *tracked = &ready->tracked[first];
		struct hft_slot *slot = &ready->pool->slots[tracked->index];

		if ((s32)(consumed - tracked->sequence) <= 0)
			break;
		if (unlikely(ready->metrics))
			hft_metrics_span_add(&span, tracked->sequence, hft_slot_class(slot));
		queue->retire_left--;
		ready->first_tracked++;
		ready->nr_tracked--;
		hft_job_done(slot);
	}
	if (unlikely(span.events))
		hft_metrics_end(ready, &span);
	hft_job_trace_running(ready, consumed);
}

/**
 * hft_job_look() - notice what has been consumed
 * @ready: the ring's
 */
void hft_job_look(struct hft_ready_queue *ready)
{
	int in_flight = hft_ready_in_flight(ready);

	if (in_flight >= 0)
		hft_job_retire(ready, in_flight);
}

/**
 * hft_job_consumed() - after hft_job_look(): has the job of a task ended nevertheless?
 * @slot: the task, with a job in flight
 *
 * Return: whether another hold of the lock is to notice that.
 */
bool hft_job_consumed(const struct hft_slot *slot)
{
	const struct hft_ready_queue *ready = slot->ready;
	int in_flight = hft_ready_in_flight(ready);

	return in_flight >= 0 &&
	       (s32)(lower_32_bits(ready->sequence) - in_flight - slot->watch.link) > 0;
}

/**
 * hft_job_pull() - have the consumer pull when it has advanced
 * @ready: the ring's, with a task that goes on then
 */
void hft_job_pull(struct hft_ready_queue *ready)
{
	hft_ready_set_more(ready);
	/* MORE before the head: a consumer that missed the one has moved the other. */
	smp_mb();
	hft_job_look(ready);
}

/* Have @slot go on when its job in flight is consumed. */
static void hft_job_hold(struct hft_slot *slot)
{
	WRITE_ONCE(slot->state, HFT_SLOT_HELD);
	slot->ready->nr_held++;
	hft_job_pull(slot->ready);
}

/**
 * hft_job_late() - a job comes to wait after its release, which it had no part in
 * @slot: the task, periodic, with no job in flight
 * @now: on its clock
 */
void hft_job_late(struct hft_slot *slot, u64 now)
{
	u64 passed = now > slot->base ? (now - slot->base) / slot->period : 0;

	if (now <= slot->base || slot->flags & (HFT_TASK_CATCH_UP | HFT_TASK_SPORADIC))
		return;
	if (!(slot->flags & HFT_TASK_COALESCE))
		passed++;
	hft_job_skip(slot, passed);
	hft_job_advance(slot, passed);
}

/**
 * hft_job_overrun() - a task is released while a job of it is in flight
 * @slot: the task
 * @now: on its clock
 *
 * Return: whether that is so, and the release was taken care of.
 */
bool hft_job_overrun(struct hft_slot *slot, u64 now)
{
	u64 passed;

	/* Held, it is not waited for by hft_job_done(). */
	WRITE_ONCE(slot->state, HFT_SLOT_TAKEN);
	hft_job_look(slot->ready);
	if (!(slot->flags & HFT_SLOT_IN_FLIGHT))
		return false;

	/* When its CPU goes offline, all is due and nothing has passed. */
	if (now == HFT_TIME_MAX) {
		slot->flags |= HFT_SLOT_ENDED;
		hft_job_hold(slot);
		return true;
	}
	passed = now > slot->base ? (now - slot->base) / slot->period : 0;
	if (slot->flags & (HFT_TASK_CATCH_UP | HFT_TASK_SPORADIC) || hft_job_consumed(slot)) {
		hft_job_hold(slot);
	} else if (slot->flags & HFT_TASK_COALESCE) {
		hft_job_skip(slot, passed);
		hft_job_advance(slot, passed);
		hft_slot_translate(slot);
		hft_job_hold(slot);
	} else {
		hft_job_skip(slot, passed + 1);
		hft_job_next(slot, passed + 1);
		if (slot->state == HFT_SLOT_LEAVING)
			hft_job_pull(slot->ready);
	}
	return true;
}

/* A job of a tracked task is written, but for the result in its @event. */
static void hft_job_dispatch(struct hft_slot *slot, struct hft_event *event)
{
	struct hft_ready_queue *ready = slot->ready;

	if (unlikely(ready->metrics) && !ready->nr_tracked)
		hft_metrics_begin(ready->metrics);
	ready->tracked[(ready->first_tracked + ready->nr_tracked++) % HFT_MAX_TRACKED] =
		(struct hft_tracked){
			.sequence = lower_32_bits(event->sequence),
			.index = slot - ready->pool->slots,
		};
	slot->watch.link = lower_32_bits(event->sequence);
	slot->flags |= HFT_SLOT_IN_FLIGHT;
	if (slot->item.link)
		ready->nr_held++;
	trace_task_state(slot, slot->jobs, HFT_STATE_READY, HFT_STATE_DISPATCHED);
	slot->jobs++;
	hft_job_trace_running(ready, READ_ONCE(ready->consumer->head));

	if (slot->flags & HFT_SLOT_ABORTED) {
		event->result = -ECANCELED;
		slot->flags |= HFT_SLOT_ENDED;
		hft_slot_set_outcome(slot, HFT_STATE_CANCELLED);
	} else if (event->result) {
		slot->flags |= HFT_SLOT_ENDED;
		hft_slot_set_outcome(slot, HFT_STATE_FAILED);
	} else if ((slot->flags & HFT_TASK_DROP) && event->deadline &&
		   event->published > event->deadline) {
		event->result = -ETIME;		/* whether the watch has seen it yet or not */
		hft_slot_set_outcome(slot, HFT_STATE_DEADLINE_MISSED);
	} else {
		event->result = slot->skipped < S32_MAX ? slot->skipped : S32_MAX;
	}
	slot->skipped = 0;
	if (slot->flags & HFT_TASK_BUDGET && event->result >= 0)
		hft_watch_budget(slot, event);

	if ((slot->flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC)) &&
	    !(slot->flags & HFT_SLOT_ENDED))
		hft_job_next(slot, 1);
	else
		WRITE_ONCE(slot->state, HFT_SLOT_DISPATCHED);
}

/**
 * hft_job_write() - a task is written that is tracked or hooked
 * @slot: the task; its slot is given back unless it is tracked
 * @event: its event, all but the result of a job
 *
 * Whatever else is done at a dispatch is done here.
 */
void hft_job_write(struct hft_slot *slot, struct hft_event *event)
{
	struct hft_ready_queue *ready = slot->ready;
	u32 class = hft_slot_class(slot);

	if (slot->flags & HFT_SLOT_TRACKED)
		hft_job_dispatch(slot, event);
	else
		hft_slot_free(ready->pool, slot);
	if (ready->meter || ready->detect)
		hft_ready_dispatched(ready, class, event);
}

/**
 * hft_job_arrive() - a sporadic task arrives
 * @slot: the task
 * @release: when it is to be released, on its clock
 * @now: on that clock
 *
 * Return: 0, -EINVAL it is not sporadic or that would be too late, -ENOENT it has
 * ended, -EBUSY it has arrived already, -ENODEV its CPU is offline.
 */
int hft_job_arrive(struct hft_slot *slot, u64 release, u64 now)
{
	struct hft_ready_queue *ready = slot->ready;

	if (!(slot->flags & HFT_TASK_SPORADIC))
		return -EINVAL;
	if (slot->state == HFT_SLOT_DISPATCHED || ready->dead)
		return -ENOENT;
	if (slot->state == HFT_SLOT_LEAVING || slot->state == HFT_SLOT_LEFT)
		return -ENODEV;
	if (slot->state != HFT_SLOT_BLOCKED)
		return -EBUSY;
	if (!ready->release->online)
		return -ENODEV;

	if (release < now)
		release = now;
	if (release < slot->base)
		release = slot->base;
	if (release > HFT_TIME_MAX - slot->relative)
		return -EINVAL;
	slot->base = release;
	hft_job_advance(slot, 0);
	ready->nr_blocked--;
	hft_release_add(ready, slot);
	trace_task_state(slot, slot->jobs, HFT_STATE_BLOCKED, HFT_STATE_PENDING);
	return 0;
}

/**
 * hft_job_ready() - a job of a tracked task is released and competes
 * @slot: the task
 */
void hft_job_ready(struct hft_slot *slot)
{
	slot->flags &= ~HFT_SLOT_OUTCOME;
	trace_task_state(slot, slot->jobs, HFT_STATE_PENDING, HFT_STATE_READY);
	if (slot->flags & HFT_TASK_WATCH)
		hft_watch_deadline(slot);
}

/**
 * hft_job_cancel() - end a tracked task that is in no heap but the watch
 * @slot: the task
 *
 * Return: whether its slot is free now: no job of it is in flight.
 */
bool hft_job_cancel(struct hft_slot *slot)
{
	hft_slot_set_outcome(slot, HFT_STATE_CANCELLED);
	trace_task_state(slot, slot->jobs, hft_job_waits(slot), HFT_STATE_CANCELLED);
	if ((slot->flags & HFT_SLOT_IN_FLIGHT) && !slot->ready->dead) {
		slot->flags |= HFT_SLOT_ENDED;
		WRITE_ONCE(slot->state, HFT_SLOT_DISPATCHED);
		return false;
	}
	if (slot->item.link)
		hft_chain_release(slot, true);
	hft_watch_stop(slot);
	hft_job_discharge(slot);
	return true;
}

/**
 * hft_job_info() - tell where a task is
 * @slot: the task
 * @info: task and reserved stay as they are
 *
 * Return: 0, or -ENOENT: it has just ended.
 */
int hft_job_info(const struct hft_slot *slot, struct hft_task_info *info)
{
	const struct hft_ready_queue *ready = slot->ready;
	bool tracked = slot->flags & HFT_SLOT_TRACKED;

	if (tracked)
		hft_job_look(slot->ready);
	if (slot->ready != ready)
		return -ENOENT;
	info->state = hft_job_state(slot);
	info->ring = ready->number;
	info->release = slot->release;
	info->jobs = tracked ? slot->jobs : 0;
	info->missed = tracked ? slot->missed : 0;
	info->deadlines_missed = tracked ? slot->late : 0;
	return 0;
}
