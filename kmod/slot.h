/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots of tasks, on the hot path: a lock-free stack of free ones (R. K. Treiber,
 * "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986).  Its head
 * carries a tag that every pop counts up, so that a head seen before some pops
 * and pushes is not taken for the one after them.
 */
#ifndef HFT_SLOT_H
#define HFT_SLOT_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/nospec.h>

#include "hft.h"

#define HFT_GENERATION_MASK	GENMASK(30, 0)	/* ids are positive as __s64 */

static inline struct hft_slot *hft_slots(struct hft_context *context)
{
	/* Pairs with the release in hft_slots_alloc(). */
	return smp_load_acquire(&context->slots);
}

/**
 * hft_slot_alloc() - take a free slot
 * @context: to take it from
 *
 * Lock-free; any context of execution.
 *
 * Return: a slot that is the caller's alone until it is queued, -EINVAL if the
 * context is not set up, -EDQUOT if no slot is free.
 */
static inline struct hft_slot *hft_slot_alloc(struct hft_context *context)
{
	struct hft_slot *slots = hft_slots(context);
	struct hft_slot *slot;
	s64 head, next;

	if (unlikely(!slots))
		return ERR_PTR(-EINVAL);

	head = atomic64_read(&context->free);
	do {
		u32 index = lower_32_bits(head);

		if (unlikely(!index))
			return ERR_PTR(-EDQUOT);
		slot = &slots[index - 1];
		next = ((head >> 32) + 1) << 32 | READ_ONCE(slot->next);
	} while (!atomic64_try_cmpxchg_acquire(&context->free, &head, next));

	WRITE_ONCE(slot->state, HFT_SLOT_TAKEN);
	return slot;
}

/**
 * hft_slot_free() - give a slot back; its id is stale from here on
 * @context: that it was taken from
 * @slot: under the lock of its queue, or its submitter's if it was never queued
 */
static inline void hft_slot_free(struct hft_context *context, struct hft_slot *slot)
{
	u32 index = slot - context->slots + 1;
	u32 generation = (slot->generation + 1) & HFT_GENERATION_MASK;
	s64 head, first;

	WRITE_ONCE(slot->generation, generation ?: 1);
	WRITE_ONCE(slot->ring, NULL);
	WRITE_ONCE(slot->state, HFT_SLOT_FREE);

	head = atomic64_read(&context->free);
	do {
		WRITE_ONCE(slot->next, lower_32_bits(head));
		first = (head & GENMASK_ULL(63, 32)) | index;
	} while (!atomic64_try_cmpxchg_release(&context->free, &head, first));
}

static inline u64 hft_slot_id(const struct hft_context *context, const struct hft_slot *slot)
{
	return (u64)slot->generation << 32 | (slot - context->slots);
}

/* The slot may stop to be @id's at any time until its queue's lock is held. */
static inline struct hft_slot *hft_slot_find(struct hft_context *context, u64 id)
{
	struct hft_slot *slots = hft_slots(context);
	u32 index = lower_32_bits(id);

	if (!slots || index >= context->tasks)
		return NULL;
	index = array_index_nospec(index, context->tasks);
	if (READ_ONCE(slots[index].generation) != upper_32_bits(id))
		return NULL;
	return &slots[index];
}

#endif /* HFT_SLOT_H */
