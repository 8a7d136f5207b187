// SPDX-License-Identifier: GPL-2.0-only
/* Files of market data: ITCH, MoldUDP64, captures, arrivals; and a packet of a network. */
#include <hft/feed.h>

#include "fuzz.h"

static uint64_t read_messages(const struct hft_packet *packet)
{
	size_t offset = 0, size;
	const void *message;
	uint64_t sum = 0;

	while ((message = hft_packet_message(packet, &offset, &size)))
		sum += size + hft_itch_timestamp(message);
	return sum;
}

static volatile uint64_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hft_packet packet = { .arrival = 0 };
	struct hft_feed *feed;

	if (!hft_mold_parse(&packet, data, size))
		sink += read_messages(&packet);
	if (hft_feed_open(&feed, fuzz_file("feed", data, size)))
		return 0;
	while (hft_feed_next(feed, &packet) > 0)
		if (packet.messages)
			sink += read_messages(&packet);
	hft_feed_close(feed);
	return 0;
}
