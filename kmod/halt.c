// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kill switch.
 *
 * What is halted is a word in the context and one for all contexts; each ring has
 * the stricter of the two, written under its queue's lock, which every dispatch
 * holds.  So when the last lock was let go nothing dispatches any more, without
 * waiting for any CPU.  Halting takes no sleeping lock of a context: whoever holds
 * that may be waiting for memory.
 *
 * A ring that is added meanwhile is published first and looks at the words then; a
 * halt writes its word first and looks for rings then.
 */
#include <linux/capability.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "hft.h"
#include "trace.h"

static u32 hft_halt_global;	/* &enum hft_halt_mode */

static enum hft_halt_mode hft_halt_of(const struct hft_context *context)
{
	return max(READ_ONCE(context->halt), READ_ONCE(hft_halt_global));
}

static u32 hft_halt_rank(const struct hft_context *context)
{
	return hft_sched_rank(hft_halt_of(context), hft_context_rule_halt(context));
}

/**
 * hft_ring_halt() - hold a ring to what its context and all are halted to
 * @ring: ring
 *
 * Never loosens.
 *
 * Return: how many released tasks it stops.
 */
u64 hft_ring_halt(struct hft_ring *ring)
{
	struct hft_queue *queue = ring->queue;
	unsigned long irq_flags;
	u64 stopped = 0;
	u32 rank;

	raw_spin_lock_irqsave(&queue->lock, irq_flags);
	rank = hft_halt_rank(ring->context);
	if (rank > ring->ready.halt_rank)
		hft_sched_hold(&ring->ready, rank);
	if (rank)
		stopped = ring->ready.heap.nr;
	raw_spin_unlock_irqrestore(&queue->lock, irq_flags);
	return stopped;
}

/* Is a ring held to more than its context and all are by now?  Under its queue's lock. */
bool hft_ring_may_resume(const struct hft_ring *ring)
{
	lockdep_assert_held(&ring->queue->lock);

	return hft_halt_rank(ring->context) < ring->ready.halt_rank;
}

/* The keys of tasks that were halted say nothing else: make them again, bit by bit. */
static void hft_ring_rekey(struct hft_ring *ring)
{
	struct hft_slots *pool = &ring->context->pool;
	struct hft_queue *queue = ring->queue;
	u32 i;

	for (i = 0; i < pool->nr; ) {
		u32 end = min(i + HFT_BATCH, pool->nr);

		raw_spin_lock_irq(&queue->lock);
		for (; i < end; i++) {
			struct hft_slot *slot = &pool->slots[i];

			if (hft_fallback_is_here(&ring->ready, slot) &&
			    slot->state == HFT_SLOT_READY)
				hft_ready_update(slot);
		}
		raw_spin_unlock_irq(&queue->lock);
		cond_resched();
	}
}

/* Hold a ring for hft_ring_rekey(). */
static void hft_ring_hold(struct hft_ring *ring)
{
	raw_spin_lock_irq(&ring->queue->lock);
	hft_sched_halt(&ring->ready, HFT_HALT_ALL);
	raw_spin_unlock_irq(&ring->queue->lock);
}

/* Let a ring have what its context and all allow by now, in the order of its new keys. */
static void hft_ring_let_go(struct hft_ring *ring)
{
	hft_ring_rekey(ring);

	raw_spin_lock_irq(&ring->queue->lock);
	hft_sched_hold(&ring->ready, hft_halt_rank(ring->context));
	hft_dispatch_fill(ring);
	hft_queue_commit(ring->queue);
	raw_spin_unlock_irq(&ring->queue->lock);
}

/* Of what its context and all allow by now.  The ring does not go away. */
static void hft_ring_resume(struct hft_ring *ring)
{
	if (hft_halt_rank(ring->context) >= READ_ONCE(ring->ready.halt_rank))
		return;
	hft_ring_hold(ring);
	hft_ring_let_go(ring);
}

/**
 * hft_ring_set_policy() - change the order of a ring's tasks
 * @ring: under its context's mutex
 * @policy: in range
 *
 * Return: 0 or an error of hft_sched_set_policy().
 */
int hft_ring_set_policy(struct hft_ring *ring, u32 policy)
{
	int err;

	/* Against a halt of all contexts, or the end of one. */
	mutex_lock(&ring->queue->mutex);
	hft_ring_hold(ring);
	raw_spin_lock_irq(&ring->queue->lock);
	err = hft_sched_set_policy(&ring->ready, policy);
	raw_spin_unlock_irq(&ring->queue->lock);
	hft_ring_let_go(ring);
	mutex_unlock(&ring->queue->mutex);
	return err;
}

static void hft_halt_context(struct hft_context *context, struct hft_halt *halt)
{
	int i;

	rcu_read_lock();
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		struct hft_ring *ring = rcu_dereference(context->rings[i]);

		if (!ring)
			continue;
		halt->stopped += hft_ring_halt(ring);
		halt->rings++;
	}
	rcu_read_unlock();
}

/**
 * hft_halt_missed() - halt the context of a task that has missed its deadline
 * @context: the context, which lives on; no queue is locked
 * @halt: its mode, and zeroes; its out fields are filled in
 *
 * In a hard interrupt too.  Never loosens.
 *
 * Return: whether it was not halted before.
 */
bool hft_halt_missed(struct hft_context *context, struct hft_halt *halt)
{
	/* Ordered, as the word of hft_halt() is by its barrier. */
	if (cmpxchg(&context->halt, HFT_HALT_NONE, halt->mode) != HFT_HALT_NONE)
		return false;
	hft_halt_context(context, halt);
	trace_halt(halt);
	return true;
}

/* Hold all rings of a context to what its words say by now; in a hard interrupt, too. */
void hft_halt_tighten(struct hft_context *context)
{
	struct hft_halt halt = {};

	hft_halt_context(context, &halt);
}

static void hft_halt_everywhere(struct hft_halt *halt)
{
	struct hft_ring *ring;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		mutex_lock(&queue->mutex);
		list_for_each_entry(ring, &queue->rings, link) {
			halt->stopped += hft_ring_halt(ring);
			halt->rings++;
		}
		mutex_unlock(&queue->mutex);
	}
}

/* What may sleep is done when nothing dispatches any more. */
static void hft_halt_follow(struct hft_ring *ring, struct hft_halt *halt)
{
	if (halt->mode == HFT_HALT_CANCEL)
		halt->stopped += hft_ring_cancel_tasks(ring);
	else
		hft_ring_resume(ring);
}

static void hft_halt_follow_context(struct hft_context *context, struct hft_halt *halt)
{
	struct hft_ring *ring;
	int i;

	mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		ring = hft_context_ring(context, i);
		if (ring)
			hft_halt_follow(ring, halt);
	}
	mutex_unlock(&context->mutex);
}

/* Let all rings of a context have what its words allow by now. */
void hft_halt_resume(struct hft_context *context)
{
	struct hft_halt halt = {};

	hft_halt_follow_context(context, &halt);
}

static void hft_halt_follow_everywhere(struct hft_halt *halt)
{
	struct hft_ring *ring;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		mutex_lock(&queue->mutex);
		list_for_each_entry(ring, &queue->rings, link)
			hft_halt_follow(ring, halt);
		mutex_unlock(&queue->mutex);
	}
}

/**
 * hft_halt() - HFT_IOC_HALT
 * @context: whose file it is
 * @halt: the request; its out fields are filled in
 *
 * Return: 0, -EINVAL or -EPERM.
 */
int hft_halt(struct hft_context *context, struct hft_halt *halt)
{
	bool global = halt->flags & HFT_HALT_GLOBAL;
	u32 mode = min_t(u32, halt->mode, HFT_HALT_ALL);
	bool follow = halt->mode != HFT_HALT_ALL;

	if (!hft_halt_valid(halt))
		return -EINVAL;
	if (global && !capable(CAP_SYS_ADMIN))
		return -EPERM;

	halt->stopped = 0;
	halt->rings = 0;
	WRITE_ONCE(*(global ? &hft_halt_global : &context->halt), mode);
	/* The word before looking for rings: pairs with that in hft_context_add_ring(). */
	smp_mb();
	if (global)
		hft_halt_everywhere(halt);
	else
		hft_halt_context(context, halt);
	if (halt->mode == HFT_HALT_CANCEL)
		halt->stopped = 0;

	trace_halt(halt);
	if (global)
		pr_notice("hft: all contexts halted to mode %u by %s[%d]: %u rings\n", halt->mode,
			  current->comm, task_pid_nr(current), halt->rings);

	if (follow && global)
		hft_halt_follow_everywhere(halt);
	else if (follow)
		hft_halt_follow_context(context, halt);
	return 0;
}
