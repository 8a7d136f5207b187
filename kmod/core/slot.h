/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Slots of tasks, on the hot path: a lock-free stack of free ones (R. K. Treiber,
 * "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986).  Its head
 * carries a tag that every pop counts up, so that a head seen before some pops
 * and pushes is not taken for the one after them.
 */
#ifndef HFT_CORE_SLOT_H
#define HFT_CORE_SLOT_H

#include <linux/hft.h>

#include "heap.h"
#include "types.h"

#define HFT_GENERATION_MASK	GENMASK(30, 0)	/* ids are positive as __s64 */

struct hft_ready_queue;

enum hft_slot_state {
	HFT_SLOT_FREE,
	HFT_SLOT_TAKEN,		/* allocated, not queued: its submitter's alone */
	HFT_SLOT_WAITING,	/* in a release queue */
	HFT_SLOT_READY,		/* in the ready queue of its ring */
	HFT_SLOT_HELD,		/* released, and its job before is in flight */
	HFT_SLOT_DISPATCHED,	/* its last job is in flight */
	HFT_SLOT_BLOCKED,	/* waits for what releases it; a job may be in flight */
	HFT_SLOT_SUNK,		/* its ring's sink has it, or its event wants room */
	HFT_SLOT_LEAVING,	/* goes to the fallback ring when its job in flight is consumed */
	HFT_SLOT_LEFT,		/* that is so: in hft_ready_queue.left */
	HFT_SLOT_MOVING,	/* between two queues: the mover's alone, soon in one of them */
};

/* hft_slot.flags, above those of the descriptor */
#define HFT_SLOT_CLASS_SHIFT	16		/* 4 bits */
#define HFT_SLOT_MORE		BIT(31)	/* the second line is valid */
#define HFT_SLOT_TRACKED	BIT(30)	/* is not freed before its event is consumed */
#define HFT_SLOT_IN_FLIGHT	BIT(29)	/* a job of it is in its ring */
#define HFT_SLOT_ENDED		BIT(28)	/* has no more jobs */
#define HFT_SLOT_WATCH_DEADLINE	BIT(27)	/* is in the heap of what is watched */
#define HFT_SLOT_ADMITTED	BIT(26)	/* counts in the admission of its CPU */
#define HFT_SLOT_RUNNING	BIT(25)	/* that its job in flight is the next was traced */
#define HFT_SLOT_HOOKED		BIT(25)	/* of one not tracked: more is done at its dispatch */
#define HFT_SLOT_AFTER		BIT(24)	/* waits for the end of another task */
#define HFT_SLOT_ABORTED	BIT(15)	/* ends with -ECANCELED */
#define HFT_SLOT_WATCH_BUDGET	BIT(14)	/* likewise */
#define HFT_SLOT_REMOTE		BIT(13)	/* with AFTER: that is another queue's task */
#define HFT_SLOT_WATCHED	(HFT_SLOT_WATCH_DEADLINE | HFT_SLOT_WATCH_BUDGET)

/* Of hft_slot.flags: what has become of its last job, &enum hft_task_state, or 0. */
#define HFT_SLOT_OUTCOME_SHIFT	20
#define HFT_SLOT_OUTCOME	GENMASK(23, 20)

/**
 * struct hft_slot - a task of a pool
 * @item: place in a heap; its link, of a tracked task, is that of its first successor
 * @cookie: from the descriptor, as are the next ones
 * @release: when to start, on @clock; from then on CLOCK_MONOTONIC
 * @deadline: when to be finished, on @clock, or 0; likewise
 * @ready: of the ring it is queued for; protected, as is @state, by the lock of
 *	the release queue from insertion to removal; NULL: see chain.c
 * @generation: upper half of the id; counts up when the slot is freed
 * @next: index + 1 of the next free slot, or of the next successor of the same task
 * @flags: from the descriptor, and HFT_SLOT_*; of a free slot its last task's
 * @ring_number: from the descriptor
 * @clock: from the descriptor
 * @level: from the descriptor
 * @state: &enum hft_slot_state
 * @watch: place in the heap of what is watched; its link is the lower half of the
 *	sequence of the event of the job that is in flight
 * @relative: deadline - release, ns; 0: none
 * @period: from the descriptor
 * @wcet: from the descriptor
 * @base: release of the present job, on @clock; if blocked, the earliest of the next,
 *	or with %HFT_SLOT_AFTER the id of the task that it waits for
 * @jobs: jobs that were dispatched
 * @missed: releases without a job of their own
 * @skipped: those since the last job
 * @late: deadlines that were missed
 *
 * The first line is all that a plain task needs: the second is valid with
 * %HFT_SLOT_MORE alone.
 */
struct hft_slot {
	struct hft_heap_item item;
	u64 cookie;
	u64 release;
	u64 deadline;
	struct hft_ready_queue *ready;
	u32 generation;
	u32 next;
	u32 flags;
	u8 ring_number;
	u8 clock;
	u8 level;
	u8 state;

	struct hft_heap_item watch ____cacheline_aligned;
	u64 relative;
	u64 period;
	u64 wcet;
	u64 base;
	u32 jobs;
	u32 missed;
	u32 skipped;
	u32 late;
} ____cacheline_aligned;

/**
 * struct hft_slots - the tasks of a context
 * @slots: them; NULL before hft_slots_init()
 * @nr: how many
 * @privileged: may have tasks with %HFT_TASK_NO_ADMIT
 * @unused_clocks: BIT()s of clocks for which the backend makes heaps with the first task
 * @free: tag << 32 | index + 1 of the first free one
 */
struct hft_slots {
	struct hft_slot *slots;
	u32 nr;
	bool privileged;
	u8 unused_clocks;
	atomic64_t free ____cacheline_aligned;
};

/**
 * hft_slots_init() - fill a pool with free slots
 * @pool: pool without slots
 * @slots: zeroed memory for @nr of them
 * @nr: at least one
 */
static inline void hft_slots_init(struct hft_slots *pool, struct hft_slot *slots, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		slots[i].generation = 1;
		slots[i].next = i + 1 < nr ? i + 2 : 0;
	}
	pool->nr = nr;
	atomic64_set(&pool->free, 1);
	/* Pairs with the acquire in hft_slots_array(): whoever sees the slots sees all of it. */
	smp_store_release(&pool->slots, slots);
}

static inline struct hft_slot *hft_slots_array(struct hft_slots *pool)
{
	/* Pairs with the release in hft_slots_init(). */
	return smp_load_acquire(&pool->slots);
}

/**
 * hft_slot_alloc() - take a free slot
 * @pool: to take it from
 *
 * Lock-free; any context of execution.
 *
 * Return: a slot that is the caller's alone until it is queued, or NULL if none
 * is free.
 */
static inline struct hft_slot *hft_slot_alloc(struct hft_slots *pool)
{
	struct hft_slot *slots = hft_slots_array(pool);
	struct hft_slot *slot;
	s64 head, next;

	if (unlikely(!slots))
		return NULL;

	head = atomic64_read(&pool->free);
	do {
		u32 index = lower_32_bits(head);

		if (unlikely(!index))
			return NULL;
		slot = &slots[index - 1];
		next = ((head >> 32) + 1) << 32 | READ_ONCE(slot->next);
	} while (!atomic64_try_cmpxchg_acquire(&pool->free, &head, next));

	WRITE_ONCE(slot->state, HFT_SLOT_TAKEN);
	return slot;
}

static inline u32 hft_generation_next(u32 generation)
{
	return ((generation + 1) & HFT_GENERATION_MASK) ?: 1;
}

static inline void hft_slot_set_outcome(struct hft_slot *slot, enum hft_task_state outcome)
{
	slot->flags = (slot->flags & ~HFT_SLOT_OUTCOME) | (u32)outcome << HFT_SLOT_OUTCOME_SHIFT;
}

static inline enum hft_task_state hft_slot_outcome(u32 flags)
{
	return (flags & HFT_SLOT_OUTCOME) >> HFT_SLOT_OUTCOME_SHIFT;
}

/**
 * hft_slot_free() - give a slot back; its id is stale from here on
 * @pool: that it was taken from
 * @slot: under the lock of its release queue, or its submitter's if it was never queued
 */
static inline void hft_slot_free(struct hft_slots *pool, struct hft_slot *slot)
{
	u32 index = slot - pool->slots + 1;
	s64 head, first;

	WRITE_ONCE(slot->generation, hft_generation_next(slot->generation));
	WRITE_ONCE(slot->ready, NULL);
	/* Pairs with the barriers in hft_slot_ended(). */
	smp_store_release(&slot->state, HFT_SLOT_FREE);

	head = atomic64_read(&pool->free);
	do {
		WRITE_ONCE(slot->next, lower_32_bits(head));
		first = (head & GENMASK_ULL(63, 32)) | index;
	} while (!atomic64_try_cmpxchg_release(&pool->free, &head, first));
}

static inline u32 hft_slot_class(const struct hft_slot *slot)
{
	return slot->flags >> HFT_SLOT_CLASS_SHIFT & (HFT_CLASSES - 1);
}

static inline u64 hft_slot_id(const struct hft_slots *pool, const struct hft_slot *slot)
{
	return (u64)slot->generation << 32 | (slot - pool->slots);
}

/* The slot may stop to be @id's at any time until its release queue's lock is held. */
static inline struct hft_slot *hft_slot_find(struct hft_slots *pool, u64 id)
{
	struct hft_slot *slots = hft_slots_array(pool);
	u32 index = lower_32_bits(id);

	if (!slots || index >= pool->nr)
		return NULL;
	index = array_index_nospec(index, pool->nr);
	if (READ_ONCE(slots[index].generation) != upper_32_bits(id))
		return NULL;
	return &slots[index];
}

/**
 * hft_slot_ended() - what has become of a tracked task
 * @pool: its pool
 * @info: task is its id; the rest but reserved is filled in
 *
 * Without a lock, and while nobody has taken the slot again.
 *
 * Return: 0, or -ENOENT: nothing is known.
 */
static inline int hft_slot_ended(struct hft_slots *pool, struct hft_task_info *info)
{
	struct hft_slot *slot = hft_slots_array(pool);
	u32 index = lower_32_bits(info->task);
	u32 flags;

	if (!slot || index >= pool->nr)
		return -ENOENT;
	slot += array_index_nospec(index, pool->nr);
	flags = READ_ONCE(slot->flags);
	if (!(flags & HFT_SLOT_OUTCOME))
		return -ENOENT;
	info->state = hft_slot_outcome(flags);
	info->ring = READ_ONCE(slot->ring_number);
	info->release = READ_ONCE(slot->release);
	info->jobs = READ_ONCE(slot->jobs);
	info->missed = READ_ONCE(slot->missed);
	info->deadlines_missed = READ_ONCE(slot->late);
	/* All that before it is found to be free: pairs with hft_slot_free(). */
	smp_mb();
	if (READ_ONCE(slot->state) != HFT_SLOT_FREE)
		return -ENOENT;
	/* Free before whose it was: that is written before it is free. */
	smp_mb();
	if (READ_ONCE(slot->generation) != hft_generation_next(upper_32_bits(info->task)))
		return -ENOENT;
	return 0;
}

#endif /* HFT_CORE_SLOT_H */
