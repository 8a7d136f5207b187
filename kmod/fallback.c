// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fallback rings: core/fallback.c, with the locks of both queues taken in turns, and
 * interrupts off from the one to the other, so that who waits for a task that moves
 * waits for one task alone.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "hft.h"

/**
 * hft_ring_fallback() - the ring that has tasks which another has not
 * @ring: the other
 *
 * With interrupts off, which holds off its freeing.  A fallback ring was there before,
 * so there is no circle of rings; one behind the first may be on the same CPU again, and
 * is none.
 *
 * Return: the ring, or NULL.
 */
struct hft_ring *hft_ring_fallback(struct hft_ring *ring)
{
	const struct hft_queue *queue = ring->queue;

	lockdep_assert_irqs_disabled();

	do {
		ring = READ_ONCE(ring->fallback);
	} while (ring && (READ_ONCE(ring->ready.away) || ring->queue == queue));
	return ring;
}

/*
 * Likewise for what a rule sends there: the ring that the rule was told of alone has no hard
 * task that would wait for it.
 */
static struct hft_ring *hft_ring_spare(struct hft_ring *ring)
{
	struct hft_ring *to = READ_ONCE(ring->fallback);

	if (!to || READ_ONCE(to->ready.away) || !READ_ONCE(to->queue->release.online))
		return NULL;
	return to;
}

/**
 * hft_fallback_redirect() - after %HFT_SCHED_AWAY of hft_sched_insert()
 * @ring: which sends the task away
 * @slot: the task, prepared
 *
 * Under the lock of the ring's queue.  What a rule sends away the ring takes itself for as long
 * as there is no spare.
 *
 * Return: %HFT_SCHED_AWAY: it is for another ring, -ENODEV: there is none; or as
 * hft_sched_insert(), into this one.
 */
int hft_fallback_redirect(struct hft_ring *ring, struct hft_slot *slot)
{
	bool rule = READ_ONCE(ring->ready.away) == HFT_AWAY_RULE;
	struct hft_ring *to = rule ? hft_ring_spare(ring) : hft_ring_fallback(ring);

	if (!to)
		return rule ? hft_fallback_keep(&ring->ready, slot) : -ENODEV;
	hft_rule_lower(&ring->ready, slot);
	WRITE_ONCE(slot->ring_number, to->ready.number);
	return HFT_SCHED_AWAY;
}

static int hft_fallback_put_locked(struct hft_ring *to, struct hft_slot *slot,
				   const struct hft_moving *moving)
{
	struct hft_queue *queue = to->queue;
	int err;

	raw_spin_lock(&queue->lock);
	err = hft_fallback_put(&to->ready, slot, moving, hft_queue_clock(queue, slot->clock));
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	return err;
}

/* The other ring does not take it, or there is none. */
static void hft_fallback_return_locked(struct hft_ring *ring, struct hft_slot *slot,
				       const struct hft_moving *moving)
{
	struct hft_queue *queue = ring->queue;
	u64 after = hft_chain_after(slot);
	int ret;

	raw_spin_lock(&queue->lock);
	ret = hft_fallback_return(slot, moving, hft_queue_clock(queue, slot->clock));
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	if (ret == HFT_CHAIN_REMOTE)
		hft_remote_fetch(ring->context, slot, after);
}

/* Move @slot, if it is @ring's and can be moved.  With interrupts off. */
static void hft_fallback_move(struct hft_ring *ring, struct hft_slot *slot)
{
	struct hft_queue *queue = ring->queue;
	struct hft_moving moving;
	struct hft_ring *to;
	bool moves;

	raw_spin_lock(&queue->lock);
	moves = hft_fallback_is_here(&ring->ready, slot) && hft_fallback_take(slot, &moving);
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	if (!moves)
		return;

	/* The CPU may have come back since it has left. */
	to = READ_ONCE(ring->ready.away) & HFT_AWAY_OFFLINE ? hft_ring_fallback(ring) : NULL;
	if (!to || hft_fallback_put_locked(to, slot, &moving))
		hft_fallback_return_locked(ring, slot, &moving);
}

/* The place of the ring's first task; U64_MAX: there is none. */
static u64 hft_fallback_find_first(struct hft_ring *ring)
{
	u32 i, nr = ring->context->pool.nr;
	u64 first = U64_MAX;

	for (i = 0; i < nr; i += HFT_BATCH) {
		raw_spin_lock_irq(&ring->queue->lock);
		first = hft_fallback_first(&ring->ready, first, i, min(i + HFT_BATCH, nr));
		raw_spin_unlock_irq(&ring->queue->lock);
		cond_resched();
	}
	return first;
}

/* Have tasks go to another ring from here on.  Returns whether there is one. */
static bool hft_fallback_begin_locked(struct hft_ring *ring)
{
	struct hft_fallback_order order = { .from = hft_fallback_find_first(ring) };
	struct hft_queue *queue = ring->queue;
	struct hft_ring *to;
	bool begun = false;

	while (!begun) {
		local_irq_disable();
		raw_spin_lock(&queue->lock);
		if (order.from > queue->release.sequence)
			order.from = queue->release.sequence;
		order.nr = queue->release.sequence - order.from;
		raw_spin_unlock(&queue->lock);

		to = hft_ring_fallback(ring);
		if (to) {
			raw_spin_lock(&to->queue->lock);
			hft_fallback_reserve(&to->queue->release, &order);
			raw_spin_unlock(&to->queue->lock);

			raw_spin_lock(&queue->lock);
			begun = hft_fallback_begin(&ring->ready, &order);
			raw_spin_unlock(&queue->lock);
		}
		local_irq_enable();
		if (!to)
			return false;
	}
	return true;
}

/* There is none by now: tasks that come find out whether there is one by then. */
static void hft_fallback_begin_alone(struct hft_ring *ring)
{
	struct hft_fallback_order order = {};

	raw_spin_lock_irq(&ring->queue->lock);
	order.from = ring->queue->release.sequence;
	hft_fallback_begin(&ring->ready, &order);
	raw_spin_unlock_irq(&ring->queue->lock);
}

/**
 * hft_fallback_offline() - the CPU of a ring goes offline: move its tasks
 * @ring: whose queue's mutex is held
 *
 * One pass: nothing comes to the ring any more.  What is left of it by then ends.
 */
void hft_fallback_offline(struct hft_ring *ring)
{
	struct hft_slots *pool = &ring->context->pool;
	u32 i;

	if (!READ_ONCE(ring->fallback))
		return;
	if (!hft_fallback_begin_locked(ring)) {
		hft_fallback_begin_alone(ring);
		return;
	}
	for (i = 0; i < pool->nr; i++) {
		if (READ_ONCE(pool->slots[i].ready) == &ring->ready) {
			local_irq_disable();
			hft_fallback_move(ring, &pool->slots[i]);
			local_irq_enable();
		}
		if (!(i % HFT_BATCH))
			cond_resched();
	}
}

/**
 * hft_fallback_online() - the CPU of a ring is back
 * @ring: whose queue's mutex is held
 */
void hft_fallback_online(struct hft_ring *ring)
{
	raw_spin_lock_irq(&ring->queue->lock);
	hft_ready_redirect(&ring->ready, HFT_AWAY_OFFLINE, false);
	raw_spin_unlock_irq(&ring->queue->lock);
}

/**
 * hft_fallback_receive() - move the tasks whose jobs were consumed
 * @ring: that they leave
 *
 * In a hard interrupt: a batch.
 *
 * Return: whether there may be more.
 */
bool hft_fallback_receive(struct hft_ring *ring)
{
	struct hft_slot *slot = NULL;
	int budget = HFT_BATCH;

	while (budget-- && READ_ONCE(ring->ready.left)) {
		raw_spin_lock(&ring->queue->lock);
		slot = hft_fallback_next(&ring->ready);
		raw_spin_unlock(&ring->queue->lock);
		if (slot)
			hft_fallback_move(ring, slot);
	}
	return READ_ONCE(ring->ready.left) && !READ_ONCE(ring->ready.dead);
}

/**
 * hft_fallback_bind() - give a new ring the fallback ring that was asked for
 * @ring: the new one, under its context's mutex
 * @add: the request
 *
 * Return: 0 or -ENOENT.
 */
int hft_fallback_bind(struct hft_ring *ring, const struct hft_ring_add *add)
{
	struct hft_ring *to;

	if (!(add->flags & HFT_RING_FALLBACK))
		return 0;
	to = hft_context_ring(ring->context, add->fallback);
	if (!to || to->ready.dead || to->flags & HFT_RING_MONITOR || to->queue == ring->queue)
		return -ENOENT;
	ring->fallback = to;
	return 0;
}

/**
 * hft_fallback_forget() - a ring is no other's fallback any more
 * @ring: under its context's mutex, freed no sooner than an RCU grace period later
 */
void hft_fallback_forget(struct hft_ring *ring)
{
	struct hft_ring *other;
	int i;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		other = hft_context_ring(ring->context, i);
		if (other && other->fallback == ring)
			WRITE_ONCE(other->fallback, NULL);
	}
}
