// SPDX-License-Identifier: GPL-2.0-only
/*
 * The slots of a context's tasks: allocated once, handed out from a lock-free
 * stack (R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM
 * RJ 5118, 1986).  Its head carries a tag that every pop counts up, so that a
 * head seen before some pops and pushes is not taken for the one after them.
 */
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "hft.h"

#define HFT_GENERATION_MASK	GENMASK(30, 0)	/* ids are positive as __s64 */

static u64 hft_free_head(u64 old, u32 next)
{
	return ((old >> 32) + 1) << 32 | next;
}

int hft_slots_alloc(struct hft_context *context, u32 tasks)
{
	struct hft_slot *slots;
	u32 i;
	int err;

	err = hft_user_charge(context->user, HFT_CHARGE_TASKS, tasks);
	if (err)
		return err;

	slots = kvcalloc(tasks, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots) {
		hft_user_uncharge(context->user, HFT_CHARGE_TASKS, tasks);
		return -ENOMEM;
	}

	for (i = 0; i < tasks; i++) {
		slots[i].generation = 1;
		slots[i].next = i + 1 < tasks ? i + 2 : 0;
	}

	context->tasks = tasks;
	atomic64_set(&context->free, 1);
	/* Pairs with the acquire in hft_slots(): whoever sees the slots sees all of it. */
	smp_store_release(&context->slots, slots);
	return 0;
}

void hft_slots_free(struct hft_context *context)
{
	if (!context->slots)
		return;
	hft_user_uncharge(context->user, HFT_CHARGE_TASKS, context->tasks);
	kvfree(context->slots);
}

static struct hft_slot *hft_slots(struct hft_context *context)
{
	/* Pairs with the release in hft_slots_alloc(). */
	return smp_load_acquire(&context->slots);
}

/* A snapshot: slots come and go meanwhile. */
u32 hft_slots_count_free(struct hft_context *context)
{
	struct hft_slot *slots = hft_slots(context);
	u32 i, count = 0;

	if (!slots)
		return 0;
	for (i = 0; i < context->tasks; i++) {
		count += READ_ONCE(slots[i].state) == HFT_SLOT_FREE;
		if (!(i & 4095))
			cond_resched();
	}
	return count;
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
struct hft_slot *hft_slot_alloc(struct hft_context *context)
{
	struct hft_slot *slots = hft_slots(context);
	struct hft_slot *slot;
	s64 head;

	if (!slots)
		return ERR_PTR(-EINVAL);

	head = atomic64_read(&context->free);
	do {
		u32 index = lower_32_bits(head);

		if (!index)
			return ERR_PTR(-EDQUOT);
		slot = &slots[index - 1];
	} while (!atomic64_try_cmpxchg_acquire(&context->free, &head,
					       hft_free_head(head, READ_ONCE(slot->next))));

	WRITE_ONCE(slot->state, HFT_SLOT_TAKEN);
	return slot;
}

/**
 * hft_slot_free() - give a slot back; its id is stale from here on
 * @context: that it was taken from
 * @slot: under the lock of its queue, or its submitter's if it was never queued
 */
void hft_slot_free(struct hft_context *context, struct hft_slot *slot)
{
	u32 index = slot - context->slots + 1;
	u32 generation = (slot->generation + 1) & HFT_GENERATION_MASK;
	s64 head;

	WRITE_ONCE(slot->generation, generation ?: 1);
	WRITE_ONCE(slot->ring, NULL);
	WRITE_ONCE(slot->state, HFT_SLOT_FREE);

	head = atomic64_read(&context->free);
	do {
		WRITE_ONCE(slot->next, lower_32_bits(head));
	} while (!atomic64_try_cmpxchg_release(&context->free, &head,
					       (head & GENMASK_ULL(63, 32)) | index));
}

u64 hft_slot_id(const struct hft_context *context, const struct hft_slot *slot)
{
	return (u64)slot->generation << 32 | (slot - context->slots);
}

/* The slot may stop to be @id's at any time until its queue's lock is held. */
struct hft_slot *hft_slot_find(struct hft_context *context, u64 id)
{
	struct hft_slot *slots = hft_slots(context);
	u32 index = lower_32_bits(id);

	if (!slots || index >= context->tasks)
		return NULL;
	if (READ_ONCE(slots[index].generation) != upper_32_bits(id))
		return NULL;
	return &slots[index];
}
