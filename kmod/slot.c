// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots of tasks: a context's come with its set-up and go with it.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "hft.h"

int hft_slots_alloc(struct hft_context *context, u32 tasks)
{
	struct hft_slot *slots;
	int err;

	err = hft_user_charge(context->user, HFT_CHARGE_TASKS, tasks);
	if (err)
		return err;

	slots = kvcalloc(tasks, sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots) {
		hft_user_uncharge(context->user, HFT_CHARGE_TASKS, tasks);
		return -ENOMEM;
	}

	context->pool.privileged = capable(CAP_SYS_NICE);
	context->pool.unused_clocks = BIT(HFT_CLOCK_REALTIME) | BIT(HFT_CLOCK_TAI);
	hft_slots_init(&context->pool, slots, tasks);
	return 0;
}

void hft_slots_free(struct hft_context *context)
{
	if (!context->pool.slots)
		return;
	hft_user_uncharge(context->user, HFT_CHARGE_TASKS, context->pool.nr);
	kvfree(context->pool.slots);
}

/* A snapshot: slots come and go meanwhile. */
u32 hft_slots_count_free(struct hft_context *context)
{
	struct hft_slot *slots = hft_slots_array(&context->pool);
	u32 i, count = 0;

	if (!slots)
		return 0;
	for (i = 0; i < context->pool.nr; i++) {
		count += READ_ONCE(slots[i].state) == HFT_SLOT_FREE;
		if (!(i & 4095))
			cond_resched();
	}
	return count;
}
