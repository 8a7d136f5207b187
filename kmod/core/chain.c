// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * Chained tasks: released when the one before has ended.
 *
 * The one before has the place of its first successor in its item's link, and they
 * have each other in hft_slot.next, which a slot that is not free does not need.  A
 * blocked task has the id that it waits for in hft_slot.base.  All are of one queue:
 * whoever finds the end of the one releases the others under the same lock.
 */
#include "sched.h"

static struct hft_slot *hft_chain_at(struct hft_pool *pool, u32 link)
{
	return link ? &pool->slots[link - 1] : NULL;
}

static u32 hft_chain_link(const struct hft_pool *pool, const struct hft_slot *slot)
{
	return slot - pool->slots + 1;
}

/* Where the place of the last successor is, or NULL if there are as many as can be. */
static u32 *hft_chain_tail(struct hft_pool *pool, struct hft_slot *before)
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

/* The task that @slot is to run after, in @ready's queue, or an error. */
static struct hft_slot *hft_chain_before(struct hft_ready_queue *ready, const struct hft_slot *slot)
{
	struct hft_slot *before = hft_slot_find(ready->pool, slot->base);
	struct hft_ready_queue *of = before ? READ_ONCE(before->ready) : NULL;

	if (!of)
		return ERR_PTR(-ENOENT);
	/* Until here it may be another queue's, whose lock is another. */
	if (of->release != ready->release)
		return ERR_PTR(-EXDEV);
	hft_job_look(of);
	if (hft_slot_find(ready->pool, slot->base) != before || before->ready != of)
		return ERR_PTR(-ENOENT);
	if (!(before->flags & HFT_SLOT_TRACKED) ||
	    before->flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC))
		return ERR_PTR(-EINVAL);
	return before;
}

/**
 * hft_chain_add() - let a task wait for the end of another
 * @ready: of its ring
 * @slot: the task, about to be blocked
 *
 * Return: 0, or an error of %HFT_IOC_SUBMIT.
 */
int hft_chain_add(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	struct hft_slot *before = hft_chain_before(ready, slot);
	bool first;
	u32 *link;

	if (IS_ERR(before))
		return PTR_ERR(before);
	first = !before->item.link;
	link = hft_chain_tail(ready->pool, before);
	if (!link)
		return -EMLINK;
	slot->next = 0;
	*link = hft_chain_link(ready->pool, slot);
	if (first && before->flags & HFT_SLOT_IN_FLIGHT)
		before->ready->nr_held++;
	return 0;
}

/**
 * hft_chain_await() - have the end of what a task waits for noticed
 * @slot: the task, blocked; it may be released by this
 */
void hft_chain_await(struct hft_slot *slot)
{
	struct hft_slot *before = hft_slot_find(slot->ready->pool, slot->base);

	if (before->flags & HFT_SLOT_IN_FLIGHT)
		hft_job_pull(before->ready);
}

/**
 * hft_chain_remove() - a task waits no more: it is cancelled
 * @slot: the task, blocked
 */
void hft_chain_remove(struct hft_slot *slot)
{
	struct hft_pool *pool = slot->ready->pool;
	struct hft_slot *before = hft_slot_find(pool, slot->base);
	u32 *link = &before->item.link;

	while (hft_chain_at(pool, *link) != slot)
		link = &pool->slots[*link - 1].next;
	*link = slot->next;
	slot->flags &= ~HFT_SLOT_AFTER;
	if (!before->item.link && before->flags & HFT_SLOT_IN_FLIGHT)
		before->ready->nr_held--;
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

/**
 * hft_chain_release() - a task has ended: release those that wait for it
 * @slot: the task
 * @failed: it did not run, or not well: they end with -ECANCELED
 */
void hft_chain_release(struct hft_slot *slot, bool failed)
{
	struct hft_pool *pool = slot->ready->pool;
	struct hft_slot *next = hft_chain_at(pool, slot->item.link);

	slot->item.link = 0;
	while (next) {
		struct hft_slot *successor = next;
		struct hft_ready_queue *ready = successor->ready;

		next = hft_chain_at(pool, successor->next);
		successor->flags &= ~HFT_SLOT_AFTER;
		/* It is about to be cancelled, too. */
		if (ready->dead)
			continue;
		ready->nr_blocked--;
		if (failed || !ready->release->online)
			hft_chain_abort(successor);
		else
			hft_release_add(ready, successor);
	}
}
