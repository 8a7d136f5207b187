/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Market data: Nasdaq TotalView-ITCH 5.0, plain or in MoldUDP64, from files.
 *
 * The decoder copies nothing and allocates nothing: a message is a pointer to its
 * bytes, a field is a place in a table.  Integers are big-endian, prices have four
 * or eight implied decimals, timestamps are nanoseconds since midnight.
 *
 * A &struct hft_feed is for one thread at a time; the decoder for any.
 */
#ifndef HFT_FEED_H
#define HFT_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum hft_itch_kind {
	HFT_ITCH_INTEGER,
	HFT_ITCH_ALPHA,			/* left-justified, padded with spaces */
	HFT_ITCH_PRICE4,
	HFT_ITCH_PRICE8,
	HFT_ITCH_TIMESTAMP,		/* 48 bits */
};

struct hft_itch_field {
	const char *name;		/* as in the specification */
	uint8_t offset;
	uint8_t length;
	uint8_t kind;			/* enum hft_itch_kind */
};

struct hft_itch_type {
	const char *name;		/* as in the specification; NULL: no such type */
	const struct hft_itch_field *fields;
	uint8_t nr_fields;
	uint8_t length;			/* of the message, with its type */
};

const struct hft_itch_type *hft_itch_type(uint8_t type);
int hft_itch_check(const void *message, size_t size);
uint64_t hft_itch_integer(const void *message, const struct hft_itch_field *field);

static inline uint64_t hft_be(const void *bytes, unsigned int size)
{
	const unsigned char *b = (const unsigned char *)bytes;
	uint64_t value = 0;

	while (size--)
		value = value << 8 | *b++;
	return value;
}

/* What every message begins with. */
static inline uint8_t hft_itch_message_type(const void *message)
{
	return *(const uint8_t *)message;
}

static inline uint16_t hft_itch_locate(const void *message)
{
	return (uint16_t)hft_be((const char *)message + 1, 2);
}

static inline uint64_t hft_itch_timestamp(const void *message)
{
	return hft_be((const char *)message + 5, 6);
}

#define HFT_ITCH_MAX_LENGTH	50

enum hft_feed_kind {
	HFT_FEED_ITCH,			/* length-prefixed messages, one a packet */
	HFT_FEED_PCAP,			/* MoldUDP64 packets in a pcap or pcapng file */
	HFT_FEED_ARRIVALS,		/* CSV: arrival times, no messages */
	HFT_FEED_MOLD,			/* MoldUDP64 packets, one behind the other */
};

/**
 * struct hft_packet - what arrives at a time
 * @arrival: ns; of a capture since the epoch, of a CSV since its base; of other
 *	files, which have none, the first message's own timestamp, since midnight
 * @messages: bytes of its messages, each behind a length of two bytes; NULL for
 *	an arrival; valid until the next call on the feed
 * @size: of @messages
 * @count: how many messages there are
 * @sequence: of the first message; 0 where there is no framing
 * @session: MoldUDP64 session, NUL-terminated; empty where there is no framing
 */
struct hft_packet {
	uint64_t arrival;
	const unsigned char *messages;
	size_t size;
	unsigned int count;
	uint64_t sequence;
	char session[11];
};

struct hft_feed;

int hft_feed_open(struct hft_feed **feed, const char *path);
void hft_feed_close(struct hft_feed *feed);
int hft_feed_next(struct hft_feed *feed, struct hft_packet *packet);
enum hft_feed_kind hft_feed_kind(const struct hft_feed *feed);
uint64_t hft_feed_odd_lengths(const struct hft_feed *feed);
uint64_t hft_feed_skipped(const struct hft_feed *feed);

const void *hft_packet_message(const struct hft_packet *packet, size_t *offset, size_t *size);

/* MoldUDP64: ten bytes session, eight sequence, two count. */
#define HFT_MOLD_HEADER		20
#define HFT_MOLD_END		0xffff

int hft_mold_parse(struct hft_packet *packet, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* HFT_FEED_H */
