/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes to make feeds of, for the tests of the decoder and of its framings. */
#ifndef FEED_BYTES_H
#define FEED_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <hft/feed.h>

/* An Add Order as it came over the wire: AMZU, 300 shares at 24.27 to buy. */
static const unsigned char add_order[36] = {
	'A', 0x02, 0x0c, 0, 0, 0x1f, 0x1a, 0xce, 0xd0, 0x21, 0x27, 0, 0, 0, 0, 0, 0x17, 0xab, 0xa5,
	'B', 0, 0, 1, 0x2c, 'A', 'M', 'Z', 'U', ' ', ' ', ' ', ' ', 0, 3, 0xb4, 0x0c
};

struct bytes {
	unsigned char data[8192];
	size_t size;
};

static inline void put(struct bytes *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof(b->data));
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static inline void put_be(struct bytes *b, uint64_t value, unsigned int size)
{
	while (size--) {
		unsigned char byte = (unsigned char)(value >> (8 * size));

		put(b, &byte, 1);
	}
}

static inline unsigned int count_messages(const struct hft_packet *packet)
{
	const void *message;
	size_t offset = 0, size;
	unsigned int count = 0;

	while ((message = hft_packet_message(packet, &offset, &size))) {
		assert_int_equal(hft_itch_check(message, size), size);
		count++;
	}
	return count;
}

#endif /* FEED_BYTES_H */
