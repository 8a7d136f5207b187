// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * The path of a task: from its release queue to its ring's ready queue when its
 * timer fires, then, best task first and up to the window, to the ring.  What does
 * not fit stays ready, and the worker pulls it.
 */
#include "sched.h"
#include "trace.h"

/**
 * hft_release_init() - make an empty release queue, offline and without memory
 * @queue: queue
 */
void hft_release_init(struct hft_release_queue *queue)
{
	int clock;

	*queue = (struct hft_release_queue){};
	for (clock = 0; clock < HFT_CLOCKS; clock++)
		queue->timers[clock].armed = U64_MAX;
	queue->watch.armed = U64_MAX;
	hft_sched_begin(queue);
	queue->cap = hft_admission_cap(HFT_ADMISSION_CAP_PPM);
}

/* @slot is not plain in the ring that it is for. */
void hft_ready_mark(const struct hft_ready_queue *ready, struct hft_slot *slot)
{
	if (ready->reports || ready->metrics || ready->hand)
		hft_job_track(slot);
	else if (!(slot->flags & HFT_SLOT_TRACKED))
		slot->flags |= HFT_SLOT_HOOKED;
}

/* When @slot's timer is due, on its clock. */
static inline u64 hft_slot_fire(const struct hft_slot *slot, u64 lead)
{
	return slot->release > lead ? slot->release - lead : 0;
}

static inline void __hft_release_add(struct hft_ready_queue *ready, struct hft_slot *slot,
				     u64 lead)
{
	struct hft_release_queue *queue = ready->release;
	struct hft_release_timer *timer = &queue->timers[slot->clock];
	u64 fire = hft_slot_fire(slot, lead);

	slot->item.seq = queue->sequence++;
	hft_heap_push(&timer->heap, &slot->item, fire);
	WRITE_ONCE(slot->state, HFT_SLOT_WAITING);
	ready->waiting++;
	if (fire < timer->armed)
		queue->rearm = true;
}

/* A hard task is not to wait for one that a rule has brought to the ring before it. */
static u64 hft_slot_lead(const struct hft_ready_queue *ready, const struct hft_slot *slot)
{
	u64 most = ready->detect ? ready->detect->lead_most : 0;

	return most > ready->lead && hft_slot_is_hard(slot) ? most : ready->lead;
}

/* Let @slot wait for its release. */
void hft_release_add(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	__hft_release_add(ready, slot, hft_slot_lead(ready, slot));
}

/* Have @slot, which waits for its release, fire by the lead that it has now. */
void hft_release_update(struct hft_slot *slot)
{
	struct hft_release_queue *queue = slot->ready->release;
	struct hft_release_timer *timer = &queue->timers[slot->clock];
	u64 fire = hft_slot_fire(slot, hft_slot_lead(slot->ready, slot));

	hft_heap_update(&timer->heap, &slot->item, fire);
	if (fire < timer->armed)
		queue->rearm = true;
}

/**
 * hft_sched_insert() - queue a task until its release
 * @queue: of the ring's CPU
 * @ready: of the ring that the task is for
 * @slot: the task
 *
 * Due or not, it goes to the release queue, where the order of what is due is
 * made.  One that fires no earlier than its timer is armed for is the timer's
 * business; an earlier one sets @queue->rearm: expire what is due and arm again
 * before unlocking.
 *
 * Return: 0, -ENOENT if the ring is dead, -ENODEV if its CPU is offline, -EINVAL
 * if it does not take the task's level, %HFT_SCHED_AWAY, or as hft_rule_admit() or
 * hft_job_insert().
 */
int hft_sched_insert(struct hft_release_queue *queue, struct hft_ready_queue *ready,
		     struct hft_slot *slot)
{
	if (unlikely(!queue->online))
		return ready->away && !ready->dead ? HFT_SCHED_AWAY : -ENODEV;
	if (unlikely(!(ready->plain_levels & BIT(slot->level)))) {
		if (ready->dead)
			return -ENOENT;
		if (ready->away && hft_rule_send(ready, slot))
			return HFT_SCHED_AWAY;
		if (ready->gone)
			return -ENODEV;
		if (!(ready->level_mask & BIT(slot->level)))
			return -EINVAL;
		if (ready->detect && ready->detect->steers) {
			int err = hft_rule_admit(ready, slot);

			if (err)
				return err;
		}
		hft_ready_mark(ready, slot);
	}
	if (unlikely(slot->flags & HFT_SLOT_TRACKED))
		return hft_job_insert(ready, slot);

	WRITE_ONCE(slot->ready, ready);
	ready->counters.submitted++;
	trace_submit(slot);
	__hft_release_add(ready, slot, ready->lead);
	return 0;
}

/**
 * hft_sched_cancel() - take a task back that is not dispatched
 * @slot: the task, which is given back
 *
 * A periodic one has no more jobs; the job that is in flight, if there is one,
 * keeps the slot until it is consumed.  In a ring that is dead nothing is.
 *
 * Return: 0, %HFT_CHAIN_REMOTE, or -ENOENT: the task has been dispatched.
 */
int hft_sched_cancel(struct hft_slot *slot)
{
	struct hft_ready_queue *ready = slot->ready;
	bool remote = false;

	switch (slot->state) {
	case HFT_SLOT_WAITING:
		hft_heap_remove(&ready->release->timers[slot->clock].heap, &slot->item);
		ready->waiting--;
		break;
	case HFT_SLOT_READY:
		hft_heap_remove(&ready->heap, &slot->item);
		break;
	case HFT_SLOT_HELD:
	case HFT_SLOT_LEAVING:
		ready->nr_held--;
		break;
	case HFT_SLOT_LEFT:
		hft_fallback_unlink(slot);
		break;
	case HFT_SLOT_MOVING:
		return -ENOENT;
	case HFT_SLOT_BLOCKED:
		ready->nr_blocked--;
		remote = slot->flags & HFT_SLOT_REMOTE;
		if (slot->flags & HFT_SLOT_AFTER && !remote)
			hft_chain_remove(slot);
		break;
	default:
		if (!ready->dead)
			return -ENOENT;
	}
	trace_cancel(slot);
	ready->counters.cancelled++;
	if (likely(!(slot->flags & HFT_SLOT_TRACKED)) || hft_job_cancel(slot)) {
		if (unlikely(remote))
			/* From here on it may be freed elsewhere: pairs with chain.c's acquires. */
			smp_store_release(&slot->ready, NULL);
		else
			hft_slot_free(ready->pool, slot);
	}
	return remote ? HFT_CHAIN_REMOTE : 0;
}

/* A task is released: from here on its times are on the clock that all share. */
static inline void hft_slot_release(struct hft_slot *slot)
{
	slot->ready->waiting--;
	if (unlikely(slot->clock != HFT_CLOCK_MONOTONIC))
		hft_slot_translate(slot);
}

/* Of a released task, as hft_policy_key() has it. */
u64 hft_slot_window(const struct hft_slot *slot)
{
	const struct hft_ready_queue *ready = slot->ready;

	if (likely(!(slot->flags & HFT_SLOT_MORE)))
		return slot->deadline ? slot->deadline - slot->release : 0;
	if (ready->policy == HFT_POLICY_FAIR)
		return hft_fair_place(&ready->classes[hft_slot_class(slot)], slot->release);
	return hft_admission_window(slot->relative, slot->period);
}

static u64 hft_slot_key(const struct hft_slot *slot)
{
	return hft_policy_key(slot->ready->policy, slot->level, slot->item.seq, slot->deadline,
			      hft_slot_window(slot), slot->flags & HFT_SLOT_MORE ? slot->wcet : 0);
}

/* Let a released task compete for its ring. */
void hft_ready_add(struct hft_slot *slot)
{
	struct hft_ready_queue *ready = slot->ready;
	struct hft_release_queue *queue = ready->release;

	hft_heap_push(&ready->heap, &slot->item, hft_slot_key(slot));
	WRITE_ONCE(slot->state, HFT_SLOT_READY);
	if (unlikely(slot->flags & HFT_SLOT_TRACKED))
		hft_job_ready(slot);

	if (!ready->touched++) {
		ready->next_touched = queue->touched;
		queue->touched = ready;
	}
}

/* Change the place of a ready task to what it is now. */
void hft_ready_update(struct hft_slot *slot)
{
	hft_heap_update(&slot->ready->heap, &slot->item, hft_slot_key(slot));
}

/* A task is released: it competes, unless its job before is not finished. */
static void hft_release(struct hft_slot *slot, u64 now)
{
	if (unlikely(slot->flags & HFT_SLOT_IN_FLIGHT) && hft_job_overrun(slot, now))
		return;
	hft_ready_add(slot);
}

/* A task that waits is due now, whatever its release. */
void hft_sched_expire_now(struct hft_slot *slot)
{
	hft_heap_remove(&slot->ready->release->timers[slot->clock].heap, &slot->item);
	hft_slot_release(slot);
	hft_release(slot, HFT_TIME_MAX);
}

static struct hft_slot *hft_release_pop(struct hft_release_queue *queue, enum hft_clock clock,
					u64 now)
{
	struct hft_heap *heap = &queue->timers[clock].heap;
	struct hft_slot *slot;

	if (hft_heap_min_key(heap) > now)
		return NULL;
	slot = container_of(hft_heap_pop(heap), struct hft_slot, item);
	hft_slot_release(slot);
	return slot;
}

/**
 * hft_sched_expire() - move what is due to the ready queues
 * @queue: the release queue
 * @clock: of which timer
 * @now: on that clock; %HFT_TIME_MAX: everything is due
 * @budget: at most so many tasks
 *
 * Return: how many there were.
 */
unsigned int hft_sched_expire(struct hft_release_queue *queue, enum hft_clock clock, u64 now,
			      unsigned int budget)
{
	struct hft_slot *slot;
	unsigned int n;

	for (n = 0; n < budget && (slot = hft_release_pop(queue, clock, now)); n++)
		hft_release(slot, now);
	return n;
}

/* Events that may be written.  None if the consumer's head makes no sense. */
static u32 hft_ready_room(struct hft_ready_queue *ready)
{
	/* Pairs with the consumer's release: it is done with what is written over. */
	u32 head = smp_load_acquire(&ready->consumer->head);
	u32 in_flight = lower_32_bits(ready->sequence) - head;

	if (unlikely(in_flight > ready->mask + 1)) {
		ready->counters.bad_head++;
		return 0;
	}
	if (unlikely(ready->nr_tracked))
		hft_job_retire(ready, in_flight);
	return in_flight < ready->window ? ready->window - in_flight : 0;
}

/**
 * hft_sched_pop_alone() - take the first task that is due, if it needs no heap
 * @queue: the release queue
 * @clock: of which timer
 * @now: on that clock
 *
 * None other is due, none is ready before it, its ring has room and none in it whose end
 * others may wait for: the common case, which has nothing to compare.  Else the task is
 * ready now, and hft_sched_expire() is for the others.
 *
 * Return: the task, for hft_ready_write(), or NULL.
 */
struct hft_slot *hft_sched_pop_alone(struct hft_release_queue *queue, enum hft_clock clock,
				     u64 now)
{
	struct hft_slot *slot = hft_release_pop(queue, clock, now);

	if (!slot)
		return NULL;
	if (hft_release_next(queue, clock) > now && !(slot->flags & HFT_SLOT_TRACKED) &&
	    !(slot->ready->halt | slot->ready->nr_tracked) && hft_ready_room(slot->ready) &&
	    hft_heap_empty(&slot->ready->heap))
		return slot;
	hft_release(slot, now);
	return NULL;
}

static __always_inline struct hft_event *hft_ready_next(struct hft_ready_queue *ready, u64 entry,
							u64 published)
{
	u64 sequence = ready->sequence++;
	struct hft_event *event = &ready->events[sequence & ready->mask];

	event->irq_entry = entry;
	event->published = published;
	event->sequence = sequence;
	return event;
}

/**
 * hft_ready_write() - write a task to its ring and give its slot back
 * @ready: the ring's, with room
 * @slot: a released task in no heap
 * @entry: CLOCK_MONOTONIC when the dispatch began
 * @published: CLOCK_MONOTONIC now
 *
 * The consumer sees it after hft_ready_publish().
 */
void hft_ready_write(struct hft_ready_queue *ready, struct hft_slot *slot, u64 entry,
		     u64 published)
{
	struct hft_event *event = hft_ready_next(ready, entry, published);
	bool ended = slot->item.seq < ready->release->ended;

	event->cookie = slot->cookie;
	event->task = hft_slot_id(ready->pool, slot);
	event->release = slot->release;
	event->deadline = slot->deadline;
	event->result = ended ? -ENODEV : 0;
	event->type = HFT_EVENT_TASK;
	event->clock = slot->clock;
	event->level = slot->level;

	ready->counters.dispatched++;
	if (unlikely(slot->flags & (HFT_SLOT_TRACKED | HFT_SLOT_HOOKED)))
		hft_job_write(slot, event);
	else
		hft_slot_free(ready->pool, slot);
	ready->counters.ended += event->result < 0;
	trace_dispatch(ready, event);
}

/*
 * The best task that may be written now, in no heap any more.  Halted tasks are moved
 * behind all others as they come up: their keys are made again by hft_sched_halt().
 */
static __always_inline struct hft_slot *hft_ready_pop(struct hft_ready_queue *ready)
{
	struct hft_slot *slot;

	if (likely(!ready->halt))
		return container_of(hft_heap_pop(&ready->heap), struct hft_slot, item);
	while (hft_heap_min_key(&ready->heap) < HFT_POLICY_HALTED) {
		slot = container_of(hft_heap_min(&ready->heap), struct hft_slot, item);
		if (slot->flags & ready->halt_keep)
			return container_of(hft_heap_pop(&ready->heap), struct hft_slot, item);
		hft_heap_update(&ready->heap, &slot->item, HFT_POLICY_HALTED | slot->item.seq);
	}
	return NULL;
}

/* Whether there are tasks that only want room. */
static bool hft_ready_pending(const struct hft_ready_queue *ready)
{
	if (likely(!ready->halt))
		return !hft_heap_empty(&ready->heap);
	return ready->halt == HFT_HALT_REDUCE &&
	       hft_heap_min_key(&ready->heap) < HFT_POLICY_HALTED;
}

/* Say whether the consumer is to pull when it has advanced. */
void hft_ready_set_more(struct hft_ready_queue *ready)
{
	bool more = hft_ready_pending(ready) || ready->nr_held;
	u32 flags = ready->producer->flags & ~HFT_RING_MORE;

	WRITE_ONCE(ready->producer->flags, flags | (more ? HFT_RING_MORE : 0));
}

/* Write up to @room ready tasks.  Returns how many there were. */
static u32 hft_ready_write_best(struct hft_ready_queue *ready, u32 room, u64 entry, u64 published)
{
	struct hft_slot *slot;
	u32 n = 0;

	while (n < room && hft_ready_pending(ready) && (slot = hft_ready_pop(ready))) {
		hft_ready_write(ready, slot, entry, published);
		n++;
	}
	if (n)
		hft_ready_publish(ready);
	return n;
}

/**
 * hft_ready_take() - for hft_sink_fill(): take the best task that may be written now
 * @ready: the ring's
 *
 * Return: the task, in no heap any more, or NULL.
 */
struct hft_slot *hft_ready_take(struct hft_ready_queue *ready)
{
	return hft_ready_pending(ready) ? hft_ready_pop(ready) : NULL;
}

/* The task of hft_ready_take() is not written now. */
void hft_ready_give_back(struct hft_slot *slot)
{
	hft_heap_push(&slot->ready->heap, &slot->item, hft_slot_key(slot));
}

/* As hft_ready_room(), and no more than can be tracked. */
u32 hft_ready_room_tracked(struct hft_ready_queue *ready)
{
	u32 room = hft_ready_room(ready);
	/* After what that has retired. */
	u32 limit = HFT_MAX_TRACKED - ready->nr_tracked;

	return room < limit ? room : limit;
}

/* The key of an event in the ring, of the first that is tracked if any is. */
static u64 hft_event_key(const struct hft_ready_queue *ready, const struct hft_event *event)
{
	u32 first = ready->first_tracked % HFT_MAX_TRACKED;
	const struct hft_tracked *tracked = ready->nr_tracked ? &ready->tracked[first] : NULL;
	u64 window = event->deadline ? event->deadline - event->release : 0, wcet = 0;
	const struct hft_slot *slot;

	if (tracked && tracked->sequence == lower_32_bits(event->sequence)) {
		slot = &ready->pool->slots[tracked->index];
		wcet = slot->wcet;
		if (ready->policy == HFT_POLICY_FAIR)
			window = hft_fair_place(&ready->classes[hft_slot_class(slot)],
						event->release);
		else
			window = hft_admission_window(slot->relative, slot->period);
	}
	/* Within a level the order of submission is no reason to interrupt. */
	return hft_policy_key(ready->policy, event->level, 0, event->deadline, window, wcet);
}

/* There is no room for what is ready: is that better than what runs? */
static void hft_ready_preempt(struct hft_ready_queue *ready)
{
	u32 head = READ_ONCE(ready->consumer->head);
	u32 in_flight = lower_32_bits(ready->sequence) - head;
	const struct hft_event *event = &ready->events[head & ready->mask];

	if (!in_flight || in_flight > ready->mask + 1)
		return;
	if (hft_heap_min_key(&ready->heap) < hft_event_key(ready, event))
		WRITE_ONCE(ready->producer->preempt, event->sequence + 1);
}

/**
 * hft_ready_fill() - write ready tasks to their ring
 * @ready: the ring's
 * @budget: most tasks to write, at least 1
 * @entry: CLOCK_MONOTONIC when the dispatch began
 * @published: CLOCK_MONOTONIC now
 *
 * Those that are left are announced by %HFT_RING_MORE.
 *
 * Return: how many were written.
 */
u32 hft_ready_fill(struct hft_ready_queue *ready, u32 budget, u64 entry, u64 published)
{
	u32 room, n = 0;

	if (unlikely(ready->hand))
		return hft_sink_fill(ready, budget, entry, published);
	room = hft_ready_room_tracked(ready);
	do {
		u32 left = budget - n;

		n += hft_ready_write_best(ready, room < left ? room : left, entry, published);
		hft_ready_set_more(ready);
		if (likely(!hft_ready_pending(ready) && !ready->nr_held))
			return n;

		/* MORE before the head: a consumer that missed the one has moved the other. */
		smp_mb();
		room = hft_ready_room_tracked(ready);
	} while (room && n < budget && hft_ready_pending(ready));
	if (!room && hft_ready_pending(ready)) {
		ready->counters.full++;
		hft_ready_preempt(ready);
	}
	return n;
}

/**
 * hft_ready_fill_touched() - write ready tasks after hft_sched_touched()
 * @ready: what that returned
 * @spare: %HFT_BATCH for the first of a hold of the lock
 * @entry: CLOCK_MONOTONIC when the dispatch began
 * @published: CLOCK_MONOTONIC now
 *
 * Each ring is good for as many as it got, so none starves and its sleeper wakes;
 * of what waited before, the rings share @spare: were that each one's, a user with
 * many could make room in all of them and have one interrupt write it all.
 *
 * Return: how many were written.
 */
u32 hft_ready_fill_touched(struct hft_ready_queue *ready, u32 *spare, u64 entry, u64 published)
{
	u32 budget = ready->touched + *spare;
	u32 n = hft_ready_fill(ready, budget, entry, published);

	ready->touched = 0;
	if (budget - n < *spare)
		*spare = budget - n;
	return n;
}

/**
 * hft_ready_notice() - write to a monitor ring
 * @ready: the monitor ring's
 * @notice: all but the times of the dispatch and the sequence
 * @now: CLOCK_MONOTONIC when it was found out
 *
 * Return: the entry, published @now or when the caller says, for hft_ready_publish(); or
 * NULL when there is no room: the loss is counted.
 */
struct hft_event *hft_ready_notice(struct hft_ready_queue *ready, const struct hft_event *notice,
				   u64 now)
{
	struct hft_event *event;

	if (!hft_ready_room(ready)) {
		WRITE_ONCE(ready->producer->dropped, ready->producer->dropped + 1);
		return NULL;
	}
	event = hft_ready_next(ready, now, now);
	event->cookie = notice->cookie;
	event->task = notice->task;
	event->release = notice->release;
	event->deadline = notice->deadline;
	event->result = notice->result;
	event->type = notice->type;
	event->clock = notice->clock;
	event->level = notice->level;
	return event;
}
