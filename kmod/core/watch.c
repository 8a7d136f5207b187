// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * What a timer watches of tracked tasks: the deadline of a released job, wherever it
 * is, and the budget of one that runs.
 *
 * A job has one place in the heap, by what comes first.  The start of a run is not
 * told but found in its report: a budget is looked at when it is over at the
 * earliest, and again by the start that is found then.
 */
#include "sched.h"
#include "trace.h"

/* A budget is not looked at again before that, ns. */
#define HFT_WATCH_PAUSE		10000

/* Look at @slot @when, and have its flags say what for. */
void hft_watch_set(struct hft_slot *slot, u64 when)
{
	struct hft_release_queue *queue = slot->ready->release;

	if (slot->flags & HFT_SLOT_WATCHED) {
		hft_heap_update(&queue->watch.heap, &slot->watch, when);
	} else {
		slot->watch.seq = slot->item.seq;
		hft_heap_push(&queue->watch.heap, &slot->watch, when);
	}
	if (when < queue->watch.armed)
		queue->rearm = true;
}

/**
 * hft_watch_deadline() - watch the deadline of a job that is released
 * @slot: the task
 */
void hft_watch_deadline(struct hft_slot *slot)
{
	if (!slot->deadline)
		return;
	hft_watch_set(slot, slot->deadline);
	slot->flags |= HFT_SLOT_WATCH_DEADLINE;
}

/**
 * hft_watch_budget() - watch the execution time of a job
 * @slot: the task
 * @event: of the job, which is written
 */
void hft_watch_budget(struct hft_slot *slot, const struct hft_event *event)
{
	u64 when = event->published + slot->wcet;

	if (slot->flags & HFT_SLOT_WATCH_DEADLINE && event->deadline < when)
		when = event->deadline;
	hft_watch_set(slot, when);
	slot->flags |= HFT_SLOT_WATCH_BUDGET;
}

/**
 * hft_watch_stop() - the job has ended
 * @slot: the task
 */
void hft_watch_stop(struct hft_slot *slot)
{
	if (slot->flags & HFT_SLOT_WATCHED)
		hft_heap_remove(&slot->ready->release->watch.heap, &slot->watch);
	slot->flags &= ~HFT_SLOT_WATCHED;
}

/* When the budget of a job in flight is over, or is to be looked at again. */
static u64 hft_watch_over(const struct hft_slot *slot, u64 now)
{
	const struct hft_event *event = hft_job_event(slot);
	const struct hft_ready_queue *ready = slot->ready;
	u64 start = READ_ONCE(ready->reports[slot->watch.link & ready->mask].start);
	u64 pause = slot->wcet > HFT_WATCH_PAUSE ? slot->wcet : HFT_WATCH_PAUSE;

	if (start < event->published || start > now)
		return now + pause;
	if (start + slot->wcet <= now)
		return now;
	return start + slot->wcet < now + HFT_WATCH_PAUSE ? now + HFT_WATCH_PAUSE :
							    start + slot->wcet;
}

static void hft_watch_notice(struct hft_notice *notice, const struct hft_slot *slot, u32 type)
{
	const struct hft_event *event = hft_job_event(slot);

	notice->pool = slot->ready->pool;
	notice->flags = type == HFT_EVENT_MISS ? slot->flags : 0;
	notice->event.cookie = slot->cookie;
	notice->event.task = hft_slot_id(slot->ready->pool, slot);
	notice->event.release = event ? event->release : slot->release;
	notice->event.deadline = event ? event->deadline : slot->deadline;
	notice->event.result = hft_job_state(slot);
	notice->event.type = type;
	notice->event.clock = 0;
	notice->event.level = slot->level;
}

/* What has come of a job whose time has come.  Returns its &enum hft_event_type or 0. */
static u32 hft_watch_look(struct hft_slot *slot, u64 now)
{
	const struct hft_event *event = hft_job_event(slot);
	u64 deadline = event ? event->deadline : slot->deadline;
	u64 over = U64_MAX;
	u32 type = 0;

	if (slot->flags & HFT_SLOT_WATCH_BUDGET)
		over = hft_watch_over(slot, now);
	if (slot->flags & HFT_SLOT_WATCH_DEADLINE && deadline <= now)
		type = HFT_EVENT_MISS;
	else if (over <= now)
		type = HFT_EVENT_BUDGET;

	if (type == HFT_EVENT_MISS || !(slot->flags & HFT_SLOT_WATCH_DEADLINE))
		deadline = U64_MAX;
	if (type == HFT_EVENT_BUDGET)
		over = U64_MAX;
	if (deadline == U64_MAX && over == U64_MAX)
		hft_watch_stop(slot);
	else
		hft_watch_set(slot, deadline < over ? deadline : over);
	if (type == HFT_EVENT_MISS)
		slot->flags &= ~HFT_SLOT_WATCH_DEADLINE;
	if (type == HFT_EVENT_BUDGET)
		slot->flags &= ~HFT_SLOT_WATCH_BUDGET;
	return type;
}

/* Has the consumer advanced over the job?  By a head that makes sense or not. */
static bool hft_watch_is_over(const struct hft_slot *slot)
{
	u32 head = READ_ONCE(slot->ready->consumer->head);

	return slot->flags & HFT_SLOT_IN_FLIGHT && (s32)(head - slot->watch.link) > 0;
}

/**
 * hft_watch_late() - find deadlines that have passed and budgets that are over
 * @queue: the release queue
 * @now: CLOCK_MONOTONIC
 * @notices: room for what is to be told
 * @max: how many
 *
 * Return: how many there are.  With @max there may be more.
 */
unsigned int hft_watch_late(struct hft_release_queue *queue, u64 now, struct hft_notice *notices,
			    unsigned int max)
{
	struct hft_heap *heap = &queue->watch.heap;
	unsigned int n = 0, budget = HFT_BATCH;
	struct hft_slot *slot;
	u32 type;

	while (n < max && budget-- && hft_heap_min_key(heap) <= now) {
		if (unlikely(hft_heap_min(heap) == &queue->look)) {
			hft_heap_pop(heap);
			hft_detect_look(queue, now);
			continue;
		}
		slot = container_of(hft_heap_min(heap), struct hft_slot, watch);
		if (hft_watch_is_over(slot)) {
			hft_job_look(slot->ready);
			/* It was finished: another's turn. */
			if (hft_heap_min(heap) != &slot->watch)
				continue;
			/* It was, and that is for another hold to notice. */
			if (hft_job_consumed(slot)) {
				hft_watch_stop(slot);
				continue;
			}
		}
		type = hft_watch_look(slot, now);
		if (type == HFT_EVENT_MISS) {
			slot->late++;
			hft_slot_set_outcome(slot, HFT_STATE_DEADLINE_MISSED);
			slot->ready->counters.deadline_misses++;
		}
		if (type)
			hft_watch_notice(&notices[n++], slot, type);
	}
	return n;
}
