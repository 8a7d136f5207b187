/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A market that makes sense: ITCH messages about orders that live, never cross and
 * are executed best price first, oldest first.
 */
#ifndef HFT_FEED_MARKET_H
#define HFT_FEED_MARKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What fits into an Ethernet frame behind the headers of IPv4, UDP and MoldUDP64. */
#define BATCH_BYTES	(1500 - 20 - 8 - 20)

/* Messages, each behind its length, as MoldUDP64 wants them. */
struct batch {
	unsigned char bytes[BATCH_BYTES];
	size_t size;
	unsigned int count;
};

struct market;

#define MAX_INSTRUMENTS	1000

/* Returns NULL when there is no memory. */
struct market *market_open(uint64_t seed, unsigned int instruments);
void market_close(struct market *market);

/* Packets that the opening takes. */
unsigned int market_opening_packets(const struct market *market);

/* Fill the next packet of the day; @time in ns since midnight. */
void market_open_day(struct market *market, uint64_t time, struct batch *batch);
void market_trade(struct market *market, uint64_t time, struct batch *batch);
void market_end_day(struct market *market, uint64_t time, struct batch *batch);

#endif /* HFT_FEED_MARKET_H */
