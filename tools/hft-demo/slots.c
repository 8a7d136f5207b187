// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slots.h"

/* Where its instruments live; a packet without messages goes where its number says. */
static uint32_t rings_of(const struct hft_packet *packet, uint64_t number, unsigned int rings)
{
	const void *message;
	size_t offset = 0, size;
	uint32_t mask = 0;

	while ((message = hft_packet_message(packet, &offset, &size)))
		mask |= 1U << ring_of(message, rings);
	return mask ? mask : 1U << number % rings;
}

int slot_fill(struct slot *slot, uint64_t number, const struct hft_packet *packet,
	      unsigned int rings)
{
	unsigned char *bytes;

	if (packet->size > slot->room) {
		bytes = realloc(slot->bytes, packet->size);
		if (!bytes)
			return -ENOMEM;
		slot->bytes = bytes;
		slot->room = packet->size;
	}
	if (packet->size)
		memcpy(slot->bytes, packet->messages, packet->size);
	slot->number = number;
	slot->packet = *packet;
	slot->packet.messages = slot->bytes;
	slot->rings = rings_of(packet, number, rings);
	atomic_store_explicit(&slot->done, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->left, (unsigned int)__builtin_popcount(slot->rings),
			      memory_order_relaxed);
	return 0;
}

void slots_free(struct slots *slots)
{
	unsigned int i;

	for (i = 0; slots && i < SLOTS; i++)
		free(slots->slot[i].bytes);
	free(slots);
}
