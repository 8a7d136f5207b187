// SPDX-License-Identifier: GPL-2.0-only
/*
 * The moment of dispatch: a timer fires, or a task is due as it is submitted; the
 * core writes the rings, and who sleeps for them is woken.
 */
#include <linux/rcupdate.h>

#include "hft.h"
#include "trace.h"

/* After the tail was published. */
static void hft_ring_wake(struct hft_ring *ring)
{
	/* The tail before looking for sleepers, who look at the tail after announcing it. */
	smp_mb();
	if (rcuwait_active(&ring->waiter))
		ring->ready.counters.wakeups += rcuwait_wake_up(&ring->waiter);
	/* After the barrier above; poll_wait() adds before the pollers look. */
	if (READ_ONCE(ring->ready.consumer->need_wakeup) && waitqueue_active(&ring->pollers))
		irq_work_queue(&ring->work);
}

static void hft_ring_fill(struct hft_ring *ring, u64 entry, u64 published)
{
	if (hft_ready_fill(&ring->ready, HFT_BATCH, entry, published))
		hft_ring_wake(ring);
}

/* Fill a ring's window from its ready tasks; its queue is locked. */
void hft_dispatch_fill(struct hft_ring *ring)
{
	u64 entry = hft_queue_now(ring->queue);

	hft_ring_fill(ring, entry, ktime_get_ns());
}

/* As if it were @published. */
void hft_dispatch_fill_at(struct hft_ring *ring, u64 published)
{
	hft_ring_fill(ring, hft_queue_now(ring->queue), published);
}

/*
 * When events that are written now are published.  A sink gets its tasks before they have
 * one, and need not wait until the clock is read again.
 */
static u64 hft_dispatch_published(const struct hft_ready_queue *ready, u64 entry)
{
	return ready->hand && !ready->done ? entry : ktime_get_ns();
}

/* Fill the rings that got tasks under this hold of the lock. */
void hft_dispatch_touched(struct hft_queue *queue)
{
	struct hft_ready_queue *ready;
	u32 spare = HFT_BATCH;

	while ((ready = hft_sched_touched(&queue->release))) {
		u64 entry = hft_queue_now(queue);

		if (hft_ready_fill_touched(ready, &spare, entry,
					   hft_dispatch_published(ready, entry)))
			hft_ring_wake(hft_ring_of(ready));
	}
}

static __always_inline void __hft_dispatch_due(struct hft_queue *queue, enum hft_clock clock,
					       u64 now)
{
	struct hft_slot *slot = hft_sched_pop_alone(&queue->release, clock, now);
	struct hft_ready_queue *ready;

	lockdep_assert_held(&queue->lock);

	if (!slot) {
		hft_sched_expire(&queue->release, clock, now, HFT_BATCH);
		hft_dispatch_touched(queue);
		hft_sched_begin(&queue->release);
		return;
	}
	/* Alone, it has had no end of another noticed. */
	ready = slot->ready;
	hft_ready_write(ready, slot, hft_queue_now(queue), ktime_get_ns());
	hft_ready_publish(ready);
	hft_ring_wake(hft_ring_of(ready));
}

/**
 * hft_dispatch_due() - dispatch what is due on a clock
 * @queue: locked
 * @clock: the clock
 * @now: the time on it
 *
 * A bounded number of tasks: what is left is for the timer.
 */
void hft_dispatch_due(struct hft_queue *queue, enum hft_clock clock, u64 now)
{
	__hft_dispatch_due(queue, clock, now);
}

/* Did @timer fire in time? */
static __always_inline void hft_timer_check(struct hft_timer *timer, u64 now)
{
	u64 late = now - ktime_to_ns(hrtimer_get_expires(&timer->hrtimer));

	/* 0 wraps around, and so is never reached. */
	if (unlikely(late > READ_ONCE(hft_late_ns) - 1))
		hft_clock_late(timer->queue, timer->clock, late);
}

/* Hard interrupt, on the queue's CPU. */
enum hrtimer_restart hft_dispatch_timer(struct hrtimer *hrtimer)
{
	struct hft_timer *timer = container_of(hrtimer, struct hft_timer, hrtimer);
	struct hft_queue *queue = timer->queue;
	u64 entry = ktime_get_ns();
	u64 now, next;

	raw_spin_lock(&queue->lock);
	queue->now = entry;
	queue->interrupts++;
	now = hft_queue_clock(queue, timer->clock);
	__hft_dispatch_due(queue, timer->clock, now);

	hft_timer_check(timer, now);
	next = hft_release_next(&queue->release, timer->clock);
	if (next != U64_MAX)
		hrtimer_set_expires(hrtimer, ns_to_ktime(max(next, now + HFT_MIN_GAP)));
	queue->release.timers[timer->clock].armed = next;
	/* Of another clock, or of a deadline: this one is armed. */
	if (unlikely(queue->release.rearm))
		hft_queue_arm(queue);
	queue->now = 0;
	raw_spin_unlock(&queue->lock);

	return next == U64_MAX ? HRTIMER_NORESTART : HRTIMER_RESTART;
}

/* A deadline that has passed halts its context.  Returns whether it was not halted before. */
static noinline bool hft_dispatch_halt(struct hft_context *context, u64 *stopped)
{
	struct hft_halt halt = { .mode = HFT_HALT_REDUCE };
	bool halted = hft_halt_missed(context, &halt);

	*stopped = halt.stopped;
	return halted;
}

static void hft_dispatch_late(struct hft_notice *notice, u64 now)
{
	struct hft_context *context = container_of(notice->pool, struct hft_context, pool);
	struct hft_event *event = &notice->event;
	bool halted = false;
	u64 stopped;

	if (unlikely(notice->flags & HFT_TASK_HALT))
		halted = hft_dispatch_halt(context, &stopped);
	trace_miss(notice, now);
	hft_dispatch_notice(context, event, now);
	if (unlikely(halted)) {
		event->cookie = stopped;
		event->result = HFT_HALT_REDUCE;
		event->type = HFT_EVENT_HALT;
		hft_dispatch_notice(context, event, now);
	}
	if (unlikely(notice->flags & HFT_TASK_SIGNAL))
		hft_context_signal(context);
}

/*
 * The monitor rings are on any CPU, and two queues' locks are never held together: so
 * the notices were taken first.  Their contexts live until interrupts are enabled.
 */
static void hft_dispatch_notices(struct hft_queue *queue, unsigned int nr, u64 now)
	__must_hold(&queue->lock)
{
	unsigned int i;

	queue->now = 0;
	raw_spin_unlock(&queue->lock);
	for (i = 0; i < nr; i++)
		hft_dispatch_late(&queue->notices[i], now);
	raw_spin_lock(&queue->lock);
	queue->now = now;
}

/*
 * Hard interrupt, on the queue's CPU: a deadline has passed, or a budget is over.  That is
 * told before anything else is done.
 */
enum hrtimer_restart hft_watch_timer(struct hrtimer *hrtimer)
{
	struct hft_timer *timer = container_of(hrtimer, struct hft_timer, hrtimer);
	struct hft_queue *queue = timer->queue;
	u64 now = ktime_get_ns();
	unsigned int nr;
	u64 next;

	raw_spin_lock(&queue->lock);
	queue->now = now;
	queue->interrupts++;
	nr = hft_watch_late(&queue->release, now, queue->notices, HFT_NOTICES);
	if (nr)
		hft_dispatch_notices(queue, nr, now);
	hft_timer_check(timer, now);
	next = hft_heap_min_key(&queue->release.watch.heap);
	if (next != U64_MAX)
		hrtimer_set_expires(hrtimer, ns_to_ktime(max(next, now + HFT_MIN_GAP)));
	queue->release.watch.armed = next;
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	return next == U64_MAX ? HRTIMER_NORESTART : HRTIMER_RESTART;
}

/**
 * hft_dispatch_notice() - write a notice to a context's monitor ring
 * @context: the context
 * @notice: all but the times of the dispatch and the sequence
 * @now: CLOCK_MONOTONIC when it was found out
 *
 * Without a monitor ring it does nothing; with a full one it counts the loss.
 */
void hft_dispatch_notice(struct hft_context *context, const struct hft_event *notice, u64 now)
{
	struct hft_event *event;
	struct hft_ring *ring;
	unsigned long irq_flags;

	/* Which holds off the ring's freeing. */
	local_irq_save(irq_flags);
	ring = rcu_dereference_sched(context->monitor);
	if (!ring)
		goto out;

	raw_spin_lock(&ring->queue->lock);
	event = hft_ready_notice(&ring->ready, notice, now);
	if (event) {
		event->published = ktime_get_ns();
		hft_ready_publish(&ring->ready);
		hft_ring_wake(ring);
	}
	raw_spin_unlock(&ring->queue->lock);
out:
	local_irq_restore(irq_flags);
}
