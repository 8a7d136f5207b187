/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the log's store: call sites, and records of them. */
#ifndef HFT_HOST_LOG_RECORDS_H
#define HFT_HOST_LOG_RECORDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/store.h"

enum { SITE_NUMBERS = HFT_LOG_SITE_FIRST, SITE_TEXT, SITE_ORDER, SITE_EMPTY, SITES_END };

static const struct hft_log_store_field numbers_fields[] = {
	{ "a", HFT_LOG_U64 }, { "event", HFT_LOG_I64 }, { "x y", HFT_LOG_DOUBLE },
	{ "a", HFT_LOG_POINTER }, { "when", HFT_LOG_STAMP },
};
static const struct hft_log_store_field text_fields[] = {
	{ "text", HFT_LOG_STRING }, { "n", HFT_LOG_U64 }, { "more", HFT_LOG_STRING },
};
static const struct hft_log_store_field order_fields[] = {
	{ "task", HFT_LOG_TASK }, { "class", HFT_LOG_CLASS }, { "symbol", HFT_LOG_SYMBOL },
	{ "price", HFT_LOG_DOUBLE },
};

static const struct hft_log_store_site record_sites[] = {
	{ SITE_NUMBERS, 3, 10, 5, NULL, "test", "a \"quoted\\\" %lu\n%ld %f %p \x01 \xc3\xa9 %lu",
	  "a b.c", numbers_fields, 0 },
	{ SITE_TEXT, 0, 11, 3, NULL, "test", "%s %lu %s", "a.c", text_fields, 0 },
	{ SITE_ORDER, 5, 12, 4, "order", "trade", NULL, "b.c", order_fields, 0 },
	{ SITE_EMPTY, 1, 13, 0, NULL, "test", "nothing", "b.c", NULL, 0 },
};

/* @made: by site; @sequence, @stamp: of the next record */
struct record_source {
	uint64_t made[SITES_END];
	uint64_t random;
	uint64_t stamp;
	uint32_t sequence;
};

static inline uint64_t record_random(struct record_source *source)
{
	source->random ^= source->random << 13;
	source->random ^= source->random >> 7;
	source->random ^= source->random << 17;
	return source->random;
}

static inline const char *record_symbol(uint64_t n)
{
	static const char *const symbols[] = { "", "A", "IBM", "ABCDEFGH", "a longer symbol" };

	return symbols[n % 5];
}

static inline size_t record_put_text(uint8_t *to, size_t at, const char *text)
{
	return (size_t)((uint8_t *)stpcpy((char *)to + at, text) + 1 - to);
}

static inline size_t record_put(uint8_t *to, size_t at, uint64_t number)
{
	while (at % 8)
		to[at++] = 0;
	memcpy(to + at, &number, sizeof(number));
	return at + 8;
}

static inline uint64_t record_bits(double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

static inline size_t record_arguments(struct record_source *source, uint16_t id, uint8_t *to)
{
	uint64_t n = record_random(source);
	char text[64];
	size_t at = sizeof(struct hft_log_record);

	switch (id) {
	case SITE_NUMBERS:
		at = record_put(to, at, source->sequence);
		at = record_put(to, at, n);
		at = record_put(to, at, record_bits((double)(n % 10000) * 0.01));
		at = record_put(to, at, n);
		return record_put(to, at, source->stamp);
	case SITE_TEXT:
		snprintf(text, sizeof(text), "%.*s", (int)(n % 40),
			 "forty letters of a text that is cut off .");
		at = record_put_text(to, at, text);
		at = record_put(to, at, n);
		return record_put_text(to, at, "\xc3\xa9");
	case SITE_ORDER:
		at = record_put(to, at, n % 100);
		at = record_put(to, at, n % 8);
		at = record_put_text(to, at, record_symbol(n >> 8));
		return record_put(to, at, record_bits((double)(n % 1000) * 0.25));
	default:
		return at;
	}
}

/* A record of a site at @to, which has room for 256 bytes.  Returns its bytes. */
static inline size_t record_make(struct record_source *source, uint8_t *to)
{
	uint16_t id = (uint16_t)(SITE_NUMBERS + record_random(source) % (SITES_END - SITE_NUMBERS));
	struct hft_log_record *head = (void *)to;
	size_t bytes = record_arguments(source, id, to);

	while (bytes % 8)
		to[bytes++] = 0;
	*head = (struct hft_log_record){
		.id = id,
		.words = (uint16_t)(bytes / 8),
		.sequence = source->sequence++,
		.stamp = source->stamp,
	};
	source->stamp += 1 + record_random(source) % 1000;
	source->made[id]++;
	return bytes;
}

/* Records of at most @room bytes.  Returns their bytes. */
static inline size_t records_make(struct record_source *source, uint8_t *to, size_t room,
				  uint32_t most)
{
	size_t at = 0;

	while (most-- && room - at >= 256)
		at += record_make(source, to + at);
	return at;
}

#endif /* HFT_HOST_LOG_RECORDS_H */
