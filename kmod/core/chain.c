// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * Chained tasks: released when the one before has ended.
 *
 * The one before has the place of its first successor in its item's link, and they
 * have each other in hft_slot.next, which a slot that is not free does not need.  A
 * blocked task has the id that it waits for in hft_slot.base.
 *
 * A task is always at home in the queue of its own ring, and the list of its successors
 * is under the lock of that queue.  Of a successor that is at home elsewhere, a remote
 * one, nothing but hft_slot.next belongs to the list that it is in.  Whoever finds the
 * end of the one before sends it home, by a stack of its ring (Treiber's, as in slot.h:
 * it is only taken as a whole, and so needs no tag), where it is released under the lock
 * of its own queue.  Cancelled meanwhile, it has no ready queue any more, and is freed by
 * whoever has its place: the canceller who fetches it, or the end of the one before.
 */
#include "sched.h"
#include "trace.h"

/* Of the place of a task that comes home: what it has waited for did not run well. */
#define HFT_CHAIN_FAILED	BIT(31)

static struct hft_slot *hft_chain_at(struct hft_slots *pool, u32 link)
{
	link &= ~HFT_CHAIN_FAILED;
	return link ? &pool->slots[link - 1] : NULL;
}

static u32 hft_chain_link(const struct hft_slots *pool, const struct hft_slot *slot)
{
	return slot - pool->slots + 1;
}

/* Where the place of the last successor is, or NULL if there are as many as can be. */
static u32 *hft_chain_tail(struct hft_slots *pool, struct hft_slot *before)
{
	u32 *link = &before->item.link;
	int i;

	for (i = 0; i < HFT_MAX_SUCCESSORS; i++) {
		if (!*link)
			return link;
		link = &pool->slots[*link - 1].next;
	}
	return NULL;
}

/* Let @slot wait for a task, if that is still there.  The lock is @of's, which has it. */
static int hft_chain_append(struct hft_slots *pool, struct hft_ready_queue *of,
			    struct hft_slot *slot)
{
	struct hft_slot *before = hft_slot_find(pool, slot->base);
	u32 *link;

	/* Unless it was another task's when that was looked at. */
	if (before && hft_fallback_has_moved(of, before))
		return hft_slot_find(pool, slot->base) == before ? -EAGAIN : -ENOENT;
	/* Before @of is looked at, which may have been closed. */
	if (!before || READ_ONCE(before->ready) != of)
		return -ENOENT;
	hft_job_look(of);
	if (hft_slot_find(pool, slot->base) != before || before->ready != of)
		return -ENOENT;
	if (!(before->flags & HFT_SLOT_TRACKED) ||
	    before->flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC))
		return -EINVAL;
	link = hft_chain_tail(pool, before);
	if (!link)
		return -EMLINK;
	if (!before->item.link && before->flags & HFT_SLOT_IN_FLIGHT)
		of->nr_held++;
	WRITE_ONCE(slot->next, 0);
	*link = hft_chain_link(pool, slot);
	return 0;
}

/**
 * hft_chain_add() - let a task wait for the end of another
 * @ready: of its ring
 * @slot: the task, about to be blocked
 *
 * Return: 0, %HFT_CHAIN_REMOTE, or an error of %HFT_IOC_SUBMIT.
 */
int hft_chain_add(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	struct hft_ready_queue *of = hft_chain_of(ready->pool, slot->base);

	if (!of)
		return -ENOENT;
	if (READ_ONCE(of->release) == ready->release) {
		int err = hft_chain_append(ready->pool, of, slot);

		if (err != -EAGAIN)
			return err;
	}
	slot->flags |= HFT_SLOT_REMOTE;
	return HFT_CHAIN_REMOTE;
}

/**
 * hft_chain_await() - have the end of what a task waits for noticed
 * @pool: its pool
 * @id: of what it waits for, whose queue is locked
 */
void hft_chain_await(struct hft_slots *pool, u64 id)
{
	struct hft_slot *before = hft_slot_find(pool, id);

	if (before && before->flags & HFT_SLOT_IN_FLIGHT)
		hft_job_pull(before->ready);
}

/**
 * hft_chain_join() - after %HFT_CHAIN_REMOTE: let the task wait
 * @of: hft_chain_of() what it waits for, whose queue is locked
 * @slot: the task
 *
 * Return: 0, -EAGAIN what it waits for is moved to another ring: again, or else
 * hft_chain_refuse() it under its own lock.
 */
int hft_chain_join(struct hft_ready_queue *of, struct hft_slot *slot)
{
	u64 id = slot->base;
	int err;

	/* Its canceller has looked for it in vain: so this is seen. */
	if (!smp_load_acquire(&slot->ready))
		return -ECANCELED;
	err = hft_chain_append(of->pool, of, slot);
	/* From here on it may be gone. */
	if (!err)
		hft_chain_await(of->pool, id);
	return err;
}

/**
 * hft_chain_refuse() - free a task that could not hft_chain_join()
 * @pool: its pool
 * @ready: of its ring, which may be another by now; its queue is locked
 * @slot: the task
 * @err: why
 *
 * Return: @err, or 0: it had been cancelled before, or -EAGAIN: it has moved to another
 * ring.
 */
int hft_chain_refuse(struct hft_slots *pool, struct hft_ready_queue *ready, struct hft_slot *slot,
		     int err)
{
	if (hft_fallback_has_moved(ready, slot))
		return -EAGAIN;
	/* Pairs with the release in hft_sched_cancel(). */
	if (smp_load_acquire(&slot->ready) != ready) {
		hft_slot_free(pool, slot);
		return 0;
	}
	ready->nr_blocked--;
	ready->counters.submitted--;
	hft_job_cancel(slot);
	/* Its submitter never has its id: nothing is known of it. */
	slot->flags &= ~HFT_SLOT_OUTCOME;
	hft_slot_free(pool, slot);
	return err;
}

/* Take a task out of the list that it is in.  Returns whether it was. */
static bool hft_chain_unlink(struct hft_slots *pool, struct hft_slot *before, struct hft_slot *slot)
{
	u32 *link = &before->item.link;

	while (*link && hft_chain_at(pool, *link) != slot)
		link = &pool->slots[*link - 1].next;
	if (!*link)
		return false;
	*link = slot->next;
	if (!before->item.link && before->flags & HFT_SLOT_IN_FLIGHT)
		before->ready->nr_held--;
	return true;
}

/**
 * hft_chain_remove() - a task waits no more: it is cancelled
 * @slot: the task, blocked, and not remote
 */
void hft_chain_remove(struct hft_slot *slot)
{
	struct hft_slots *pool = slot->ready->pool;

	hft_chain_unlink(pool, hft_slot_find(pool, slot->base), slot);
	slot->flags &= ~HFT_SLOT_AFTER;
}

/**
 * hft_chain_fetch() - free a remote task that was cancelled, where it waits
 * @of: hft_chain_of() what it waited for, whose queue is locked
 * @id: of that
 * @slot: the task
 *
 * If it is on its way home it is freed there, by hft_chain_receive().
 */
void hft_chain_fetch(struct hft_ready_queue *of, u64 id, struct hft_slot *slot)
{
	struct hft_slot *before = hft_slot_find(of->pool, id);

	if (!before || hft_fallback_has_moved(of, before) || before->ready != of ||
	    !(before->flags & HFT_SLOT_TRACKED))
		return;
	/* With a ready queue it is another task by now.  Pairs with hft_sched_cancel(). */
	if (!smp_load_acquire(&slot->ready) && hft_chain_unlink(of->pool, before, slot))
		hft_slot_free(of->pool, slot);
}

/* It does not run: its event says so. */
static void hft_chain_abort(struct hft_slot *slot)
{
	slot->flags |= HFT_SLOT_ABORTED;
	slot->flags &= ~HFT_TASK_WATCH;
	slot->item.seq = slot->ready->release->sequence++;
	if (slot->clock != HFT_CLOCK_MONOTONIC)
		hft_slot_translate(slot);
	hft_ready_add(slot);
}

/* What @slot waited for has ended.  Its queue is locked. */
static void hft_chain_unblock(struct hft_slot *slot, bool failed)
{
	struct hft_ready_queue *ready = slot->ready;

	slot->flags &= ~(HFT_SLOT_AFTER | HFT_SLOT_REMOTE);
	/* It is about to be cancelled, too. */
	if (ready->dead)
		return;
	ready->nr_blocked--;
	if (failed || !ready->release->online)
		hft_chain_abort(slot);
	else
		hft_release_add(ready, slot);
}

/* Send a task home to @ready. */
static void hft_chain_send(struct hft_ready_queue *ready, struct hft_slot *slot, bool failed)
{
	s64 link = hft_chain_link(ready->pool, slot) | (failed ? HFT_CHAIN_FAILED : 0);
	s64 head = atomic64_read(&ready->inbound);

	do
		WRITE_ONCE(slot->next, lower_32_bits(head));
	while (!atomic64_try_cmpxchg_release(&ready->inbound, &head, link));
	/* Sent before what it waited for is freed: pairs with that in hft_chain_of(). */
	smp_mb();
	ready->release->kick(ready);
}

/**
 * hft_chain_release() - a task has ended: release those that wait for it
 * @slot: the task
 * @failed: it did not run, or not well: they end with -ECANCELED
 */
void hft_chain_release(struct hft_slot *slot, bool failed)
{
	struct hft_slots *pool = slot->ready->pool;
	struct hft_slot *next = hft_chain_at(pool, slot->item.link);

	slot->item.link = 0;
	while (next) {
		struct hft_slot *successor = next;
		/*
		 * Pairs with those in fallback.c: the state before the queue.  If it is here
		 * and does not move, it stays, by the lock.
		 */
		u8 state = smp_load_acquire(&successor->state);
		/* Pairs with the release in hft_sched_cancel(). */
		struct hft_ready_queue *ready = smp_load_acquire(&successor->ready);

		next = hft_chain_at(pool, successor->next);
		if (!ready)
			hft_slot_free(pool, successor);
		else if (ready->release == slot->ready->release && state != HFT_SLOT_MOVING)
			hft_chain_unblock(successor, failed);
		else
			hft_chain_send(ready, successor, failed);
	}
}

/* Take all that was sent, the last first. */
static u32 hft_chain_take(struct hft_ready_queue *ready)
{
	s64 head = atomic64_read(&ready->inbound);

	while (head && !atomic64_try_cmpxchg_acquire(&ready->inbound, &head, 0))
		;
	return lower_32_bits(head);
}

/* Turn what was taken round, as far as it goes.  Returns what is left of @budget. */
static unsigned int hft_chain_reverse(struct hft_ready_queue *ready, unsigned int budget)
{
	for (; ready->taken && budget; budget--) {
		u32 link = ready->taken;
		struct hft_slot *slot = hft_chain_at(ready->pool, link);

		ready->taken = slot->next;
		WRITE_ONCE(slot->next, ready->received);
		ready->received = link;
	}
	return budget;
}

/**
 * hft_chain_receive() - release the tasks that have come home
 * @ready: of their ring
 * @budget: at most so many are looked at
 *
 * In the order in which they were sent.
 *
 * Return: whether there may be more.
 */
bool hft_chain_receive(struct hft_ready_queue *ready, unsigned int budget)
{
	struct hft_slot *slot;
	u32 link;

	if (!ready->taken && !ready->received)
		ready->taken = hft_chain_take(ready);
	/* None of them is released before all are turned round: by then nothing is left. */
	for (budget = hft_chain_reverse(ready, budget); ready->received && budget; budget--) {
		link = ready->received;
		slot = hft_chain_at(ready->pool, link);
		ready->received = slot->next;
		/* It moves, or lives elsewhere by now: sent on, or here again until it does. */
		if (unlikely(hft_fallback_has_moved(ready, slot)))
			hft_chain_send(slot->ready, slot, link & HFT_CHAIN_FAILED);
		else if (slot->ready)
			hft_chain_unblock(slot, link & HFT_CHAIN_FAILED);
		else
			hft_slot_free(ready->pool, slot);
	}
	return ready->taken || ready->received || atomic64_read(&ready->inbound);
}
