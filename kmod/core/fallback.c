// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * Tasks of a ring that go to its fallback ring, on another CPU: those that are submitted
 * from then on, and, when the CPU goes offline, those that wait, are ready or blocked.
 *
 * Two queues' locks are never held together.  A task is taken out of the one (it is
 * moving: nobody else touches it, but hft_slot.next of a blocked one), then put into the
 * other; who looks for it meanwhile looks again.  The backend lets nothing interrupt it
 * in between.  What the other ring does not take is put back, and ends there.
 *
 * A task with a job in flight stays until that is consumed: its jobs never overlap, and
 * what is tracked in a ring is under the lock of that.  One that is released meanwhile
 * goes to the ring that has the job before.
 *
 * The order of submission is kept: the other queue keeps as many places as there were
 * given away here since the first task that moves.
 */
#include "sched.h"
#include "trace.h"

/* Places for what is submitted until all is sent to the other ring. */
#define HFT_FALLBACK_SPARE	65536

/**
 * hft_ready_redirect() - send new tasks to the fallback ring, or no more
 * @ready: the ring's
 * @why: HFT_AWAY_* bit
 * @on: do so; it ends when no bit is set any more
 *
 * Under the lock of the ring's queue.  Costs a task of another ring nothing.
 */
void hft_ready_redirect(struct hft_ready_queue *ready, u32 why, bool on)
{
	WRITE_ONCE(ready->away, on ? ready->away | why : ready->away & ~why);
	hft_ready_hook(ready);
}

/**
 * hft_fallback_keep() - queue a task in the ring that a rule sends it away from
 * @ready: the ring's, whose queue is locked
 * @slot: the task
 *
 * Return: as hft_sched_insert().
 */
int hft_fallback_keep(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	u32 away = ready->away;
	int err;

	WRITE_ONCE(ready->away, 0);
	err = hft_sched_insert(ready->release, ready, slot);
	WRITE_ONCE(ready->away, away);
	return err;
}

/**
 * hft_fallback_first() - the place of the first of a ring's tasks
 * @ready: the ring's, whose queue is locked
 * @first: the first that is known; U64_MAX: none
 * @from: of the tasks of the ring's pool, look at that one
 * @to: and those before this one
 *
 * Tasks that come later have later places: so this may be done in several holds.
 *
 * Return: the smaller of @first and theirs.
 */
u64 hft_fallback_first(const struct hft_ready_queue *ready, u64 first, u32 from, u32 to)
{
	const struct hft_slot *slot;

	for (; from < to; from++) {
		slot = &ready->pool->slots[from];
		if (READ_ONCE(slot->ready) == ready && slot->item.seq < first)
			first = slot->item.seq;
	}
	return first;
}

/**
 * hft_fallback_reserve() - keep places for the tasks of another queue
 * @queue: that they will go to, locked
 * @order: @from, and @nr as it is now; the rest is filled in
 */
void hft_fallback_reserve(struct hft_release_queue *queue, struct hft_fallback_order *order)
{
	order->to = queue;
	order->nr += HFT_FALLBACK_SPARE;
	order->first = queue->sequence;
	queue->sequence += order->nr;
}

/**
 * hft_fallback_begin() - from here on a ring's tasks go to another
 * @ready: the ring's, whose queue is locked
 * @order: what was reserved for them
 *
 * Return: whether that was enough; if not, reserve again.
 */
bool hft_fallback_begin(struct hft_ready_queue *ready, const struct hft_fallback_order *order)
{
	if (ready->release->sequence - order->from > order->nr)
		return false;
	ready->order = *order;
	hft_ready_redirect(ready, HFT_AWAY_OFFLINE, true);
	return true;
}

/* Those that wait for @slot find it elsewhere: all is as with tasks of other queues. */
static void hft_fallback_set_remote(struct hft_slot *slot)
{
	struct hft_slots *pool = slot->ready->pool;
	u32 link = slot->item.link;

	if (slot->flags & HFT_SLOT_AFTER)
		slot->flags |= HFT_SLOT_REMOTE;
	while (link) {
		struct hft_slot *successor = &pool->slots[link - 1];
		/* As in hft_chain_release(): if it is here, its flags are under this lock. */
		u8 state = smp_load_acquire(&successor->state);
		const struct hft_ready_queue *ready = READ_ONCE(successor->ready);

		if (ready && ready->release == slot->ready->release && state == HFT_SLOT_BLOCKED)
			successor->flags |= HFT_SLOT_REMOTE;
		link = successor->next;
	}
}

/* Take @slot out of the heap that it is in.  Returns whether it was one that can move. */
static bool hft_fallback_remove(struct hft_slot *slot)
{
	struct hft_ready_queue *ready = slot->ready;

	switch (slot->state) {
	case HFT_SLOT_WAITING:
		hft_heap_remove(&ready->release->timers[slot->clock].heap, &slot->item);
		ready->waiting--;
		return true;
	case HFT_SLOT_READY:
		hft_heap_remove(&ready->heap, &slot->item);
		return true;
	case HFT_SLOT_BLOCKED:
		ready->nr_blocked--;
		return true;
	case HFT_SLOT_LEFT:
		hft_fallback_unlink(slot);
		return true;
	default:
		return false;
	}
}

/**
 * hft_fallback_take() - take a task out of its queue, for another
 * @slot: the task, whose queue is locked, of a ring that is away
 * @moving: what hft_fallback_put() is told of it
 *
 * Return: whether it moves now: hft_fallback_put() it, soon.  If not it stays, or leaves
 * when the job that is in flight is consumed.
 */
bool hft_fallback_take(struct hft_slot *slot, struct hft_moving *moving)
{
	moving->seq = slot->item.seq;
	moving->state = slot->state;
	moving->flags = slot->flags;
	if (slot->ready->dead || !hft_fallback_remove(slot))
		return false;
	if (slot->flags & HFT_SLOT_IN_FLIGHT) {
		WRITE_ONCE(slot->state, HFT_SLOT_LEAVING);
		slot->ready->nr_held++;
		hft_job_pull(slot->ready);
		return false;
	}
	if (slot->flags & HFT_SLOT_TRACKED) {
		hft_watch_stop(slot);
		hft_fallback_set_remote(slot);
	}
	if (slot->flags & HFT_SLOT_ADMITTED)
		hft_job_discharge(slot);
	WRITE_ONCE(slot->state, HFT_SLOT_MOVING);
	return true;
}

/**
 * hft_fallback_next() - a task whose job was consumed, and which is to go
 * @ready: of the ring that it leaves, whose queue is locked
 *
 * Return: the task, for hft_fallback_take(), or NULL.
 */
struct hft_slot *hft_fallback_next(const struct hft_ready_queue *ready)
{
	return ready->left ? &ready->pool->slots[ready->left - 1] : NULL;
}

/* Does a ring take @slot?  Returns 0 or why it does not; if it does, the task is admitted. */
static int hft_fallback_admit(struct hft_ready_queue *ready, struct hft_slot *slot)
{
	if (ready->dead || ready->away || !ready->release->online)
		return -ENODEV;
	if (!(ready->level_mask & BIT(slot->level)))
		return -EINVAL;
	if (hft_slot_is_hard(slot) && hft_ready_is_soft(ready, slot->level))
		return -EBUSY;
	if (!(slot->flags & HFT_SLOT_MORE))
		return 0;
	if (slot->flags & HFT_TASK_BUDGET && !ready->reports)
		return -EINVAL;
	return hft_job_admit(ready, slot);
}

/* Let a released task compete for its new ring, watched as it was. */
static void hft_fallback_ready(struct hft_slot *slot, const struct hft_moving *moving)
{
	hft_ready_add(slot);
	slot->flags |= moving->flags & HFT_SLOT_OUTCOME;
	/* The miss was told. */
	if (slot->flags & HFT_SLOT_WATCHED && !(moving->flags & HFT_SLOT_WATCH_DEADLINE))
		hft_watch_stop(slot);
}

/* It waits, by @seq in the order of its queue. */
static void hft_fallback_wait(struct hft_slot *slot, u64 seq)
{
	struct hft_release_queue *queue = slot->ready->release;
	u64 next = queue->sequence;

	queue->sequence = seq;
	hft_release_add(slot->ready, slot);
	queue->sequence = next;
}

static void hft_fallback_place(struct hft_ready_queue *ready, struct hft_slot *slot,
			       const struct hft_moving *moving, u64 seq)
{
	slot->item.seq = seq;
	WRITE_ONCE(slot->ring_number, ready->number);
	WRITE_ONCE(slot->ready, ready);
	/* Before the state: pairs with the acquire in hft_fallback_is_here(). */
	smp_mb();
	if (moving->state == HFT_SLOT_READY) {
		hft_fallback_ready(slot, moving);
	} else if (moving->state == HFT_SLOT_BLOCKED ||
		   (moving->state == HFT_SLOT_LEFT && slot->flags & HFT_TASK_SPORADIC)) {
		ready->nr_blocked++;
		WRITE_ONCE(slot->state, HFT_SLOT_BLOCKED);
	} else {
		hft_fallback_wait(slot, seq);
	}
}

/* The place of @slot, of another queue, in that of @ready. */
static u64 hft_fallback_seq(struct hft_ready_queue *ready, const struct hft_slot *slot, u64 seq)
{
	const struct hft_fallback_order *order = &slot->ready->order;

	if (order->to == ready->release && seq - order->from < order->nr)
		return order->first + (seq - order->from);
	return ready->release->sequence++;
}

/**
 * hft_fallback_put() - put a task into another queue than it was in
 * @ready: of the other ring, whose queue is locked
 * @slot: the task, moving
 * @moving: how it was
 * @now: on its clock
 *
 * Return: 0, or why that does not take it: hft_fallback_return() it.
 */
int hft_fallback_put(struct hft_ready_queue *ready, struct hft_slot *slot,
		     const struct hft_moving *moving, u64 now)
{
	int err = hft_fallback_admit(ready, slot);
	u64 seq;

	if (err)
		return err;
	seq = hft_fallback_seq(ready, slot, moving->seq);
	if (!(slot->flags & HFT_SLOT_TRACKED))
		slot->flags &= ~HFT_SLOT_HOOKED;
	if (!(ready->plain_levels & BIT(slot->level)))
		hft_ready_mark(ready, slot);
	if (moving->state == HFT_SLOT_LEFT && slot->flags & HFT_TASK_PERIODIC)
		hft_job_late(slot, now);
	hft_fallback_place(ready, slot, moving, seq);
	return 0;
}

/**
 * hft_fallback_return() - put a task back that the other ring does not take
 * @slot: the task, moving; its own queue is locked
 * @moving: how it was
 * @now: on its clock
 *
 * If its CPU is offline it is due: its event says so.
 *
 * Return: 0, or as hft_sched_cancel(), if the ring was closed meanwhile.
 */
int hft_fallback_return(struct hft_slot *slot, const struct hft_moving *moving, u64 now)
{
	struct hft_ready_queue *ready = slot->ready;
	struct hft_admission_demand demand;

	if (moving->flags & HFT_SLOT_ADMITTED) {
		demand = hft_job_demand(slot);
		hft_admission_add(&ready->release->admission, &demand);
		slot->flags |= HFT_SLOT_ADMITTED;
	}
	if (moving->state == HFT_SLOT_LEFT && slot->flags & HFT_TASK_PERIODIC) {
		if (!ready->release->online && !ready->dead) {
			if (slot->clock != HFT_CLOCK_MONOTONIC)
				hft_slot_translate(slot);
			slot->item.seq = 0;	/* before hft_release_queue.ended */
			hft_ready_add(slot);
			return 0;
		}
		hft_job_late(slot, now);
	}
	hft_fallback_place(ready, slot, moving, moving->seq);
	return ready->dead ? hft_sched_cancel(slot) : 0;
}

/**
 * hft_fallback_left() - the job that a task has stayed for is consumed
 * @slot: the task, whose queue is locked
 */
void hft_fallback_left(struct hft_slot *slot)
{
	struct hft_ready_queue *ready = slot->ready;

	WRITE_ONCE(slot->next, ready->left);
	ready->left = slot - ready->pool->slots + 1;
	WRITE_ONCE(slot->state, HFT_SLOT_LEFT);
	ready->release->kick(ready);
}

/* Take @slot, which has left, out of the list. */
void hft_fallback_unlink(struct hft_slot *slot)
{
	struct hft_ready_queue *ready = slot->ready;
	u32 *link = &ready->left;

	while (&ready->pool->slots[*link - 1] != slot)
		link = &ready->pool->slots[*link - 1].next;
	*link = slot->next;
}
