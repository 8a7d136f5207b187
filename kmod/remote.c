// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chained tasks that wait for one of another CPU: each is under its own queue's lock, and
 * two queues' locks are never held together.  Interrupts are off throughout, which holds
 * off the freeing of both rings.
 */
#include <linux/cpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "hft.h"

static int hft_remote_try_join(struct hft_slots *pool, struct hft_slot *slot)
{
	struct hft_ready_queue *of = hft_chain_of(pool, slot->base);
	struct hft_queue *queue;
	int err;

	if (!of)
		return -ENOENT;
	queue = hft_ring_of(of)->queue;
	raw_spin_lock(&queue->lock);
	err = hft_chain_join(of, slot);
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	return err;
}

static int hft_remote_try_refuse(struct hft_ring *ring, struct hft_slot *slot, int err)
{
	struct hft_ready_queue *ready = READ_ONCE(slot->ready) ?: &ring->ready;
	struct hft_queue *queue = hft_ring_of(ready)->queue;

	raw_spin_lock(&queue->lock);
	err = hft_chain_refuse(ready->pool, ready, slot, err);
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	return err;
}

/**
 * hft_remote_join() - after %HFT_CHAIN_REMOTE of hft_sched_insert()
 * @ring: of the task
 * @slot: the task, which is freed if it is refused
 *
 * With interrupts off since hft_sched_insert().
 *
 * Return: 0 or an error of %HFT_IOC_SUBMIT.
 */
int hft_remote_join(struct hft_ring *ring, struct hft_slot *slot)
{
	int err, ret;

	lockdep_assert_irqs_disabled();

	/* Again while the one moves to a fallback ring, or the other: soon they are there. */
	do {
		err = hft_remote_try_join(ring->ready.pool, slot);
	} while (err == -EAGAIN);
	if (!err)
		return 0;
	do {
		ret = hft_remote_try_refuse(ring, slot, err);
	} while (ret == -EAGAIN);
	return ret;
}

/**
 * hft_remote_fetch() - after %HFT_CHAIN_REMOTE of hft_sched_cancel()
 * @context: the task's
 * @slot: the task
 * @after: hft_chain_after() it, before
 */
void hft_remote_fetch(struct hft_context *context, struct hft_slot *slot, u64 after)
{
	struct hft_ready_queue *of;
	unsigned long irq_flags;

	local_irq_save(irq_flags);
	of = hft_chain_of(&context->pool, after);
	if (of) {
		struct hft_queue *queue = hft_ring_of(of)->queue;

		raw_spin_lock(&queue->lock);
		hft_chain_fetch(of, after, slot);
		raw_spin_unlock(&queue->lock);
	}
	local_irq_restore(irq_flags);
}

/* hft_remote_queue() was called on a CPU that dies: one at a time does. */
static bool hft_remote_dying;

/*
 * A CPU that dies runs once what is queued (smpcfd_dying_cpu()).  What was queued meanwhile
 * is run here, or it would not be before the CPU is back.
 */
static void hft_remote_run_dying(void)
{
	static bool running;

	if (running)
		return;
	running = true;
	while (hft_remote_dying) {
		hft_remote_dying = false;
		irq_work_run();
	}
	running = false;
}

/* At the end of an irq_work: those that were queued while the CPU dies are run, too. */
void hft_remote_died(void)
{
	if (unlikely(cpu_is_offline(smp_processor_id())))
		hft_remote_run_dying();
}

/*
 * Hard interrupt, on any CPU: a batch, then others have their turn.  It ends: a task comes
 * home once a submission.
 */
void hft_remote_receive(struct irq_work *work)
{
	struct hft_ring *ring = container_of(work, struct hft_ring, inbound);
	struct hft_queue *queue = ring->queue;
	bool more;

	raw_spin_lock(&queue->lock);
	/* What is left in a dead ring is for hft_remote_end(). */
	more = hft_chain_receive(&ring->ready, HFT_BATCH) && !ring->ready.dead;
	hft_queue_commit(queue);
	raw_spin_unlock(&queue->lock);
	more |= hft_fallback_receive(ring);
	if (more)
		hft_remote_kick(&ring->ready);
	hft_remote_died();
}

/**
 * hft_remote_end() - wait for what a ring has to receive
 * @ring: dead since before an RCU grace period: nobody sends to it any more
 *
 * An irq_work may run on two CPUs at a time, and irq_work_sync() waits for the last one
 * alone; but none is queued again, and an RCU grace period waits for interrupts.
 */
void hft_remote_end(struct hft_ring *ring)
{
	struct hft_queue *queue = ring->queue;
	bool more = true;

	if (!READ_ONCE(ring->kicked))
		return;
	while (more) {
		raw_spin_lock_irq(&queue->lock);
		more = hft_chain_receive(&ring->ready, HFT_BATCH);
		hft_queue_commit(queue);
		raw_spin_unlock_irq(&queue->lock);
		cond_resched();
	}
	irq_work_sync(&ring->inbound);
	synchronize_rcu();
}

/* Interrupts are off.  Who is called calls hft_remote_died(). */
void hft_remote_queue(struct irq_work *work)
{
	if (unlikely(cpu_is_offline(smp_processor_id())))
		hft_remote_dying = true;
	irq_work_queue(work);
}

/*
 * Under another queue's lock.  On this CPU, when interrupts are on again: that of the
 * ring may be offline.
 */
void hft_remote_kick(struct hft_ready_queue *ready)
{
	WRITE_ONCE(hft_ring_of(ready)->kicked, true);
	hft_remote_queue(&hft_ring_of(ready)->inbound);
}
