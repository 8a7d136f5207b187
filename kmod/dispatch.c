// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a release to an event: the timer moves due tasks to their rings' ready
 * heaps, then each ring that got some is filled from its heap, best task first,
 * up to its window.  What does not fit stays in the heap, and the worker pulls it.
 */
#include <linux/rcupdate.h>

#include "hft.h"
#include "slot.h"
#include "trace.h"

/* A task is released: let it compete for its ring. */
void hft_dispatch_ready(struct hft_ring *ring, struct hft_slot *slot)
{
	struct hft_queue *queue = ring->queue;
	u64 deadline = 0;

	/* Deadlines of several clocks share a heap: compare them on one. */
	if (slot->deadline)
		deadline = hft_clock_to_monotonic(slot->clock, slot->deadline);

	hft_heap_push(&ring->ready, &slot->item,
		      hft_policy_key(ring->policy, slot->level, slot->item.seq, deadline));
	WRITE_ONCE(slot->state, HFT_SLOT_READY);

	if (!ring->touched++) {
		ring->next_touched = queue->touched;
		queue->touched = ring;
	}
}

/* Events that may be written.  None if the consumer's head makes no sense. */
static u32 hft_ring_room(struct hft_ring *ring)
{
	/* Pairs with the worker's release: it is done with what is written over. */
	u32 in_flight = ring->tail - smp_load_acquire(&ring->consumer->head);

	if (unlikely(in_flight > ring->mask + 1)) {
		ring->counters.bad_head++;
		return 0;
	}
	return in_flight < ring->window ? ring->window - in_flight : 0;
}

static __always_inline struct hft_event *hft_ring_next(struct hft_ring *ring, u64 published)
{
	struct hft_event *event = &ring->events[ring->tail++ & ring->mask];

	event->irq_entry = hft_queue_now(ring->queue);
	event->published = published;
	event->sequence = ring->sequence++;
	return event;
}

static void hft_ring_write(struct hft_ring *ring, struct hft_slot *slot, u64 published)
{
	struct hft_event *event = hft_ring_next(ring, published);
	bool ended = slot->item.seq < ring->queue->offline_sequence;

	event->cookie = slot->cookie;
	event->task = hft_slot_id(ring->context, slot);
	event->release = hft_clock_to_monotonic(slot->clock, slot->release);
	event->deadline = slot->deadline ? hft_clock_to_monotonic(slot->clock, slot->deadline) : 0;
	event->result = ended ? -ENODEV : 0;
	event->type = HFT_EVENT_TASK;
	event->clock = slot->clock;
	event->level = slot->level;

	trace_dispatch(ring, event);
	ring->counters.dispatched++;
	ring->counters.ended += ended;
	hft_slot_free(ring->context, slot);
}

/* Show what was written, and wake who sleeps for it. */
static void hft_ring_publish(struct hft_ring *ring)
{
	/* Pairs with the worker's acquire: the events before the tail. */
	smp_store_release(&ring->producer->tail, ring->tail);

	/* The tail before looking for sleepers, who look at the tail after announcing it. */
	smp_mb();
	if (rcuwait_active(&ring->waiter))
		ring->counters.wakeups += rcuwait_wake_up(&ring->waiter);
	/* After the barrier above; poll_wait() adds before the pollers look. */
	if (READ_ONCE(ring->consumer->need_wakeup) && waitqueue_active(&ring->pollers))
		irq_work_queue(&ring->work);
}

static void hft_ring_set_more(struct hft_ring *ring, bool more)
{
	u32 flags = ring->producer->flags & ~HFT_RING_MORE;

	WRITE_ONCE(ring->producer->flags, flags | (more ? HFT_RING_MORE : 0));
}

/* Write up to @room ready tasks to their ring.  Returns how many there were. */
static u32 hft_ring_write_ready(struct hft_ring *ring, u32 room)
{
	u64 published;
	u32 n;

	if (!room || hft_heap_empty(&ring->ready))
		return 0;

	hft_queue_now(ring->queue);
	published = ktime_get_ns();
	for (n = 0; n < room && !hft_heap_empty(&ring->ready); n++) {
		struct hft_heap_item *item = hft_heap_pop(&ring->ready);

		hft_ring_write(ring, container_of(item, struct hft_slot, item), published);
	}
	hft_ring_publish(ring);
	return n;
}

/**
 * hft_dispatch_fill() - write ready tasks to their ring
 * @ring: its queue is locked
 * @budget: most tasks to write, at least 1
 *
 * Those that are left are announced by HFT_RING_MORE.
 *
 * Return: how much of the budget is left.
 */
u32 hft_dispatch_fill(struct hft_ring *ring, u32 budget)
{
	u32 room;

	lockdep_assert_held(&ring->queue->lock);

	room = hft_ring_room(ring);
	do {
		budget -= hft_ring_write_ready(ring, min(room, budget));
		hft_ring_set_more(ring, !hft_heap_empty(&ring->ready));
		if (hft_heap_empty(&ring->ready))
			return budget;

		/* MORE before the head: a worker that missed the one has moved the other. */
		smp_mb();
		room = hft_ring_room(ring);
	} while (room && budget);
	ring->counters.full += !room;
	return budget;
}

/*
 * Fill the rings that got tasks under this hold of the lock.  Each is good for as
 * many as it got, so none starves and its sleeper wakes; of what waited before, the
 * rings share HFT_BATCH: were that each one's, a user with many could make room in
 * all of them and have one interrupt write it all.
 */
void hft_dispatch_touched(struct hft_queue *queue)
{
	u32 spare = HFT_BATCH;
	struct hft_ring *ring;

	lockdep_assert_held(&queue->lock);

	while ((ring = queue->touched)) {
		queue->touched = ring->next_touched;
		spare = min(spare, hft_dispatch_fill(ring, ring->touched + spare));
		ring->touched = 0;
	}
}

static struct hft_slot *hft_timer_pop_due(struct hft_timer *timer, u64 now)
{
	struct hft_slot *slot;

	if (hft_heap_min_key(&timer->heap) > now)
		return NULL;
	slot = container_of(hft_heap_pop(&timer->heap), struct hft_slot, item);
	slot->ring->waiting_tasks--;
	return slot;
}

/* A task that is due alone, with none before it and room in its ring, needs no heap. */
static bool hft_dispatch_alone(struct hft_slot *slot)
{
	struct hft_ring *ring = slot->ring;

	if (!hft_heap_empty(&ring->ready) || !hft_ring_room(ring))
		return false;
	hft_ring_write(ring, slot, ktime_get_ns());
	hft_ring_publish(ring);
	return true;
}

static void hft_dispatch_due(struct hft_timer *timer, u64 now)
{
	struct hft_slot *slot = hft_timer_pop_due(timer, now);
	int n;

	if (!slot)
		return;
	if (hft_heap_min_key(&timer->heap) > now && hft_dispatch_alone(slot))
		return;

	for (n = 1; slot; n++) {
		hft_dispatch_ready(slot->ring, slot);
		slot = n < HFT_BATCH ? hft_timer_pop_due(timer, now) : NULL;
	}
	hft_dispatch_touched(timer->queue);
}

/* Hard interrupt, on the queue's CPU. */
enum hrtimer_restart hft_dispatch_timer(struct hrtimer *hrtimer)
{
	struct hft_timer *timer = container_of(hrtimer, struct hft_timer, hrtimer);
	struct hft_queue *queue = timer->queue;
	u64 entry = ktime_get_ns();
	u64 now = hft_clock_from_monotonic(timer->clock, entry);
	u64 next;

	raw_spin_lock(&queue->lock);
	queue->now = entry;
	queue->interrupts++;
	hft_dispatch_due(timer, now);

	next = hft_heap_min_key(&timer->heap);
	if (next != U64_MAX)
		hrtimer_set_expires(hrtimer, ns_to_ktime(max(next, now + HFT_MIN_GAP)));
	timer->armed = next;
	queue->now = 0;
	raw_spin_unlock(&queue->lock);

	return next == U64_MAX ? HRTIMER_NORESTART : HRTIMER_RESTART;
}

/**
 * hft_dispatch_notice() - write a notice to a context's monitor ring
 * @context: the context
 * @type: what happened
 * @cookie: number of the ring it happened to
 * @count: of its tasks
 *
 * Without a monitor ring it does nothing; with a full one it counts the loss.
 */
void hft_dispatch_notice(struct hft_context *context, enum hft_event_type type, u64 cookie,
			 u64 count)
{
	struct hft_ring *ring;
	unsigned long irq_flags;

	rcu_read_lock();
	ring = rcu_dereference(context->monitor);
	if (!ring)
		goto out;

	raw_spin_lock_irqsave(&ring->queue->lock, irq_flags);
	if (hft_ring_room(ring)) {
		u64 now = hft_queue_now(ring->queue);
		struct hft_event *event = hft_ring_next(ring, now);

		event->cookie = cookie;
		event->task = count;
		event->release = now;
		event->deadline = 0;
		event->result = 0;
		event->type = type;
		event->clock = HFT_CLOCK_MONOTONIC;
		event->level = 0;
		hft_ring_publish(ring);
	} else {
		WRITE_ONCE(ring->producer->dropped, ring->producer->dropped + 1);
	}
	ring->queue->now = 0;
	raw_spin_unlock_irqrestore(&ring->queue->lock, irq_flags);
out:
	rcu_read_unlock();
}
