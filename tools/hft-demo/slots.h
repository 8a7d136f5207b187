/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets that have been submitted and are not yet done. */
#ifndef HFT_DEMO_SLOTS_H
#define HFT_DEMO_SLOTS_H

#include "hft-demo.h"

#define SLOTS		8192		/* most packets that wait at a time */

struct slot {
	uint64_t number;		/* of the packet: the cookie of its tasks */
	uint64_t release;
	unsigned char *bytes;
	size_t room;
	struct hft_packet packet;	/* its messages are at @bytes */
	uint32_t rings;			/* bit n: it is a task of ring n */
	atomic_uint done;		/* likewise: which it was */
	atomic_uint left;		/* tasks that are not done */
};

struct slots {
	struct slot slot[SLOTS];
};

static inline struct slot *slot_of(struct slots *slots, uint64_t number)
{
	return &slots->slot[number % SLOTS];
}

static inline bool slot_is_free(struct slot *slot)
{
	return !atomic_load_explicit(&slot->left, memory_order_acquire);
}

/* Keep a copy of @packet.  Returns 0 or -ENOMEM. */
int slot_fill(struct slot *slot, uint64_t number, const struct hft_packet *packet,
	      unsigned int rings);
void slots_free(struct slots *slots);

/* The ring that an instrument belongs to. */
static inline unsigned int ring_of(const void *message, unsigned int rings)
{
	return hft_itch_locate(message) % rings;
}

#endif /* HFT_DEMO_SLOTS_H */
