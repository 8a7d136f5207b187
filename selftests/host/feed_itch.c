// SPDX-License-Identifier: GPL-2.0-only
/* The ITCH 5.0 decoder and its framings, against real data and against hostile bytes. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <hft/feed.h>

#include "random.h"

#define MUTATIONS	20000

/* An Add Order as it came over the wire: AMZU, 300 shares at 24.27 to buy. */
static const unsigned char add_order[36] = {
	'A', 0x02, 0x0c, 0, 0, 0x1f, 0x1a, 0xce, 0xd0, 0x21, 0x27, 0, 0, 0, 0, 0, 0x17, 0xab, 0xa5,
	'B', 0, 0, 1, 0x2c, 'A', 'M', 'Z', 'U', ' ', ' ', ' ', ' ', 0, 3, 0xb4, 0x0c
};

struct bytes {
	unsigned char data[8192];
	size_t size;
};

static void put(struct bytes *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof(b->data));
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void put_be(struct bytes *b, uint64_t value, unsigned int size)
{
	while (size--) {
		unsigned char byte = (unsigned char)(value >> (8 * size));

		put(b, &byte, 1);
	}
}

/* In the byte order of a capture. */
static void put_native(struct bytes *b, uint32_t value, unsigned int size, bool swapped)
{
	unsigned int i;

	if (swapped) {
		put_be(b, value, size);
		return;
	}
	for (i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)(value >> (8 * i));

		put(b, &byte, 1);
	}
}

static void put_mold(struct bytes *b, uint64_t sequence, unsigned int count)
{
	unsigned int i;

	put(b, "SESSION001", 10);
	put_be(b, sequence, 8);
	put_be(b, count, 2);
	for (i = 0; i < count; i++) {
		put_be(b, sizeof(add_order), 2);
		put(b, add_order, sizeof(add_order));
	}
}

enum frame { FRAME_IPV4, FRAME_IPV6, FRAME_VLAN, FRAME_FRAGMENT, FRAME_TCP };

static void put_frame(struct bytes *b, enum frame frame, const struct bytes *payload)
{
	static const unsigned char macs[12];
	static const unsigned char addresses[32];
	size_t udp = payload->size + 8;

	put(b, macs, sizeof(macs));
	if (frame == FRAME_VLAN)
		put_be(b, 0x81000064, 4);
	if (frame == FRAME_IPV6) {
		put_be(b, 0x86dd, 2);
		put_be(b, 0x60000000, 4);
		put_be(b, udp, 2);
		put_be(b, 17 << 8 | 64, 2);
		put(b, addresses, 32);
	} else {
		put_be(b, 0x0800, 2);
		put_be(b, 0x4500, 2);
		put_be(b, udp + 20, 2);
		put_be(b, 0, 2);
		put_be(b, frame == FRAME_FRAGMENT ? 0x2000 : 0x4000, 2);
		put_be(b, 64 << 8 | (frame == FRAME_TCP ? 6 : 17), 2);
		put_be(b, 0, 2);
		put(b, addresses, 8);
	}
	put_be(b, 26477, 2);
	put_be(b, 26477, 2);
	put_be(b, udp, 2);
	put_be(b, 0, 2);
	put(b, payload->data, payload->size);
}

static void put_pcap(struct bytes *b, bool ns, bool swapped, enum frame frame)
{
	struct bytes mold = { .size = 0 }, packet = { .size = 0 };

	put_native(b, ns ? 0xa1b23c4d : 0xa1b2c3d4, 4, swapped);
	put_native(b, 2, 2, swapped);
	put_native(b, 4, 2, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, 65535, 4, swapped);
	put_native(b, 1, 4, swapped);

	put_mold(&mold, 77, 3);
	put_frame(&packet, frame, &mold);
	put_native(b, 1700000000, 4, swapped);
	put_native(b, 123456, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put(b, packet.data, packet.size);
}

static void put_pcapng(struct bytes *b, bool swapped)
{
	const uint64_t stamp = 1700000000123456789;
	struct bytes mold = { .size = 0 }, packet = { .size = 0 };
	uint32_t length;

	put_native(b, 0x0a0d0d0a, 4, swapped);
	put_native(b, 28, 4, swapped);
	put_native(b, 0x1a2b3c4d, 4, swapped);
	put_native(b, 1, 2, swapped);
	put_native(b, 0, 2, swapped);
	put_native(b, 0xffffffff, 4, swapped);
	put_native(b, 0xffffffff, 4, swapped);
	put_native(b, 28, 4, swapped);

	/* An interface with nanoseconds (if_tsresol 9). */
	put_native(b, 1, 4, swapped);
	put_native(b, 32, 4, swapped);
	put_native(b, 1, 2, swapped);
	put_native(b, 0, 2, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, 9, 2, swapped);
	put_native(b, 1, 2, swapped);
	put(b, "\x09\0\0\0", 4);
	put_native(b, 0, 4, swapped);
	put_native(b, 32, 4, swapped);

	put_mold(&mold, 77, 2);
	put_frame(&packet, FRAME_IPV4, &mold);
	length = (uint32_t)(packet.size + 3) / 4 * 4;
	put_native(b, 6, 4, swapped);
	put_native(b, 32 + length, 4, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, stamp >> 32, 4, swapped);
	put_native(b, (uint32_t)stamp, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put(b, packet.data, packet.size);
	put(b, "\0\0\0", length - packet.size);
	put_native(b, 32 + length, 4, swapped);
}

/* A feed of bytes in memory. */
static int open_bytes(struct hft_feed **feed, const struct bytes *b)
{
	int fd = memfd_create("feed", 0);
	char path[32];
	int err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b->data, b->size), b->size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = hft_feed_open(feed, path);
	close(fd);
	return err;
}

static char *data_path(const char *name)
{
	const char *folder = getenv("HFT_TEST_DATA");
	char *path;

	if (!folder || asprintf(&path, "%s/%s", folder, name) < 0)
		return NULL;
	if (!access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

static unsigned int count_messages(const struct hft_packet *packet)
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

static void test_fields_fill_their_message(void **state)
{
	unsigned int i, type, types = 0;

	(void)state;
	for (type = 0; type < 256; type++) {
		const struct hft_itch_type *t = hft_itch_type((uint8_t)type);
		unsigned int end = 0;

		if (!t)
			continue;
		types++;
		assert_true(t->length <= HFT_ITCH_MAX_LENGTH);
		for (i = 0; i < t->nr_fields; i++) {
			assert_int_equal(t->fields[i].offset, end);
			end += t->fields[i].length;
		}
		assert_int_equal(end, t->length);
	}
	assert_int_equal(types, 23);
}

static void test_check_wants_the_whole_message(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(hft_itch_check(add_order, sizeof(add_order)), 36);
	for (size = 0; size < sizeof(add_order); size++)
		assert_int_equal(hft_itch_check(add_order, size), -ENODATA);
	assert_int_equal(hft_itch_check("?", 1), -EBADMSG);
	assert_int_equal(hft_itch_locate(add_order), 524);
	assert_int_equal(hft_itch_timestamp(add_order), 34199999357223);
}

static void test_real_file_has_its_counts(void **state)
{
	static const struct { char type; unsigned int count; } expected[] = {
		{ 'S', 6 }, { 'R', 3 }, { 'H', 3 }, { 'A', 4997 }, { 'F', 3 }, { 'E', 198 },
		{ 'D', 1745 }, { 'P', 5000 }, { 'U', 12 }, { 'X', 45 },
	};
	unsigned int counts[256] = { 0 }, total = 0;
	char *path = data_path("feed/ritch_ex20101224_itch50.gz");
	struct hft_packet packet;
	struct hft_feed *feed;
	size_t i;
	int ret;

	(void)state;
	if (!path)
		skip();
	assert_int_equal(hft_feed_open(&feed, path), 0);
	while ((ret = hft_feed_next(feed, &packet)) > 0) {
		assert_int_equal(count_messages(&packet), 1);
		counts[packet.messages[2]]++;
		total++;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(total, 12012);
	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(counts[(unsigned char)expected[i].type], expected[i].count);
	/* Every length prefix of this file is 0. */
	assert_int_equal(hft_feed_odd_lengths(feed), 12012);
	hft_feed_close(feed);
	free(path);
}

/* "Buy/Sell Indicator" and "buysellindicator" are the same. */
static bool same_name(const char *ours, const char *theirs)
{
	for (; *ours; ours++) {
		if (!isalnum((unsigned char)*ours))
			continue;
		if (tolower((unsigned char)*ours) != *theirs++)
			return false;
	}
	return !*theirs;
}

static uint64_t parse_decimal(const char *text, unsigned int decimals)
{
	uint64_t value = 0;
	bool point = false;

	for (; *text; text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		value = value * 10 + (uint64_t)(*text - '0');
		decimals -= point;
	}
	while (decimals--)
		value *= 10;
	return value;
}

static void check_field(const unsigned char *message, const struct hft_itch_field *field,
			const char *expected)
{
	char text[16] = "";

	switch (field->kind) {
	case HFT_ITCH_ALPHA:
		memcpy(text, message + field->offset, field->length);
		text[strcspn(text, " ")] = '\0';
		if (strcmp(expected, " "))
			assert_string_equal(text, expected);
		else
			assert_string_equal(text, "");
		break;
	case HFT_ITCH_PRICE4:
		assert_int_equal(hft_itch_integer(message, field), parse_decimal(expected, 4));
		break;
	case HFT_ITCH_PRICE8:
		assert_int_equal(hft_itch_integer(message, field), parse_decimal(expected, 8));
		break;
	default:
		assert_int_equal(hft_itch_integer(message, field), strtoull(expected, NULL, 10));
	}
}

static unsigned int check_message(const unsigned char *message, json_t *decoded)
{
	const struct hft_itch_type *type = hft_itch_type(message[0]);
	unsigned int i, checked = 0;
	const char *name;
	json_t *value;

	assert_non_null(type);
	json_object_foreach(decoded, name, value) {
		for (i = 0; i < type->nr_fields && !same_name(type->fields[i].name, name); i++)
			;
		if (i == type->nr_fields)
			fail_msg("no field %s in %s", name, type->name);
		check_field(message, &type->fields[i], json_string_value(value));
		checked++;
	}
	return checked;
}

static void put_hex(struct bytes *b, const char *hex)
{
	unsigned int byte;

	put_be(b, strlen(hex) / 2, 2);
	for (; *hex; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		put_be(b, byte, 1);
	}
}

static void check_packet(json_t *reference)
{
	json_t *mold = json_object_get(reference, "mold64");
	json_t *messages = json_object_get(reference, "messages");
	struct bytes b = { .size = 0 };
	struct hft_packet packet = { 0 };
	const void *message;
	size_t i, offset = 0, size;
	json_t *entry;

	put(&b, json_string_value(json_object_get(mold, "session")), 10);
	put_be(&b, (uint64_t)json_integer_value(json_object_get(mold, "sequence")), 8);
	put_be(&b, (uint64_t)json_integer_value(json_object_get(mold, "count")), 2);
	json_array_foreach(messages, i, entry)
		put_hex(&b, json_string_value(json_object_get(entry, "hex")));

	assert_int_equal(hft_mold_parse(&packet, b.data, b.size), 0);
	assert_string_equal(packet.session,
			    json_string_value(json_object_get(mold, "session")));
	assert_int_equal(packet.sequence,
			 json_integer_value(json_object_get(mold, "sequence")));
	assert_int_equal(packet.count, json_array_size(messages));
	json_array_foreach(messages, i, entry) {
		message = hft_packet_message(&packet, &offset, &size);
		assert_non_null(message);
		assert_true(check_message(message, json_object_get(entry, "decoded")) >= 5);
	}
	assert_null(hft_packet_message(&packet, &offset, &size));
}

static void test_fields_as_an_independent_dissector_reads_them(void **state)
{
	char *path = data_path("feed/itch50_moldudp64.json");
	json_t *root, *packets, *packet;
	size_t i;

	(void)state;
	if (!path)
		skip();
	root = json_load_file(path, 0, NULL);
	assert_non_null(root);
	packets = json_object_get(root, "packets");
	assert_true(json_array_size(packets) >= 10);
	json_array_foreach(packets, i, packet)
		check_packet(packet);
	json_decref(root);
	free(path);
}

static void test_pcap_in_both_orders_and_resolutions(void **state)
{
	unsigned int variant;

	(void)state;
	for (variant = 0; variant < 12; variant++) {
		bool ns = variant & 1, swapped = variant & 2;
		enum frame frame = variant / 4;
		struct bytes b = { .size = 0 };
		struct hft_packet packet;
		struct hft_feed *feed;

		put_pcap(&b, ns, swapped, frame);
		assert_int_equal(open_bytes(&feed, &b), 0);
		assert_int_equal(hft_feed_kind(feed), HFT_FEED_PCAP);
		assert_int_equal(hft_feed_next(feed, &packet), 1);
		assert_int_equal(packet.arrival,
				 1700000000000000000 + 123456 * (ns ? 1 : 1000));
		assert_int_equal(packet.sequence, 77);
		assert_string_equal(packet.session, "SESSION001");
		assert_int_equal(count_messages(&packet), 3);
		assert_int_equal(hft_feed_next(feed, &packet), 0);
		hft_feed_close(feed);
	}
}

static void test_what_is_not_the_feed_is_skipped_and_counted(void **state)
{
	enum frame frame;

	(void)state;
	for (frame = FRAME_FRAGMENT; frame <= FRAME_TCP; frame++) {
		struct bytes b = { .size = 0 };
		struct hft_packet packet;
		struct hft_feed *feed;

		put_pcap(&b, true, false, frame);
		assert_int_equal(open_bytes(&feed, &b), 0);
		assert_int_equal(hft_feed_next(feed, &packet), 0);
		assert_int_equal(hft_feed_skipped(feed), 1);
		hft_feed_close(feed);
	}
}

static void test_pcapng(void **state)
{
	int swapped;

	(void)state;
	for (swapped = 0; swapped < 2; swapped++) {
		struct bytes b = { .size = 0 };
		struct hft_packet packet;
		struct hft_feed *feed;

		put_pcapng(&b, swapped);
		assert_int_equal(open_bytes(&feed, &b), 0);
		assert_int_equal(hft_feed_next(feed, &packet), 1);
		assert_int_equal(packet.arrival, 1700000000123456789);
		assert_int_equal(count_messages(&packet), 2);
		assert_int_equal(hft_feed_next(feed, &packet), 0);
		hft_feed_close(feed);
	}
}

static void test_wrong_prefixes_are_stepped_over(void **state)
{
	static const unsigned int prefixes[] = { 36, 0, 35, 255 };
	struct bytes b = { .size = 0 };
	struct hft_packet packet;
	struct hft_feed *feed;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		put_be(&b, prefixes[i], 2);
		put(&b, add_order, sizeof(add_order));
	}
	assert_int_equal(open_bytes(&feed, &b), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(hft_feed_next(feed, &packet), 1);
		assert_int_equal(count_messages(&packet), 1);
	}
	assert_int_equal(hft_feed_next(feed, &packet), 0);
	assert_int_equal(hft_feed_odd_lengths(feed), 3);
	hft_feed_close(feed);
}

/* As little-endian lengths are: nothing but the steps tells what it is. */
static void test_no_prefix_makes_sense(void **state)
{
	struct bytes b = { .size = 0 };
	struct hft_packet packet;
	struct hft_feed *feed;
	unsigned int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		put_be(&b, sizeof(add_order) << 8, 2);
		put(&b, add_order, sizeof(add_order));
	}
	assert_int_equal(open_bytes(&feed, &b), 0);
	assert_int_equal(hft_feed_kind(feed), HFT_FEED_ITCH);
	for (i = 0; i < 40; i++)
		assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(hft_feed_next(feed, &packet), 0);
	assert_int_equal(hft_feed_odd_lengths(feed), 40);
	hft_feed_close(feed);
}

/* A heartbeat first: it has no message by which the file could be told. */
static void test_bare_mold(void **state)
{
	struct bytes b = { .size = 0 };
	struct hft_packet packet;
	struct hft_feed *feed;

	(void)state;
	put_mold(&b, 77, 0);
	put_mold(&b, 77, 3);
	put(&b, "SESSION001", 10);
	put_be(&b, 80, 8);
	put_be(&b, HFT_MOLD_END, 2);
	put_be(&b, 0, 8);
	assert_int_equal(open_bytes(&feed, &b), 0);
	assert_int_equal(hft_feed_kind(feed), HFT_FEED_MOLD);
	assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(count_messages(&packet), 0);
	assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(count_messages(&packet), 3);
	assert_int_equal(packet.sequence, 77);
	assert_string_equal(packet.session, "SESSION001");
	assert_int_equal(packet.arrival, hft_itch_timestamp(add_order));
	assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(packet.count, 0);
	assert_int_equal(packet.arrival, hft_itch_timestamp(add_order));
	assert_int_equal(hft_feed_next(feed, &packet), -ENODATA);
	hft_feed_close(feed);
}

static void test_a_cut_file_says_so(void **state)
{
	struct bytes b = { .size = 0 };
	struct hft_packet packet;
	struct hft_feed *feed;

	(void)state;
	put_be(&b, sizeof(add_order), 2);
	put(&b, add_order, sizeof(add_order) - 1);
	assert_int_equal(open_bytes(&feed, &b), 0);
	assert_int_equal(hft_feed_next(feed, &packet), -ENODATA);
	hft_feed_close(feed);
}

static void test_other_files_are_refused(void **state)
{
	struct bytes b = { .size = 0 };
	struct hft_feed *feed;

	(void)state;
	assert_int_equal(open_bytes(&feed, &b), -EBADMSG);
	put(&b, "root:x:0:0", 10);
	assert_int_equal(open_bytes(&feed, &b), -EBADMSG);
	assert_int_equal(hft_feed_open(&feed, "/nonexistent"), -ENOENT);
}

static void test_arrivals(void **state)
{
	static const char text[] = "# comment\nseq,a_ns,b_ns,sent_ns\n5,1252,0,-3\n6,10,20,1\n";
	struct bytes b = { .size = 0 };
	struct hft_packet packet;
	struct hft_feed *feed;

	(void)state;
	put(&b, text, sizeof(text) - 1);
	put(&b, "7,x,1\n", 6);
	assert_int_equal(open_bytes(&feed, &b), 0);
	assert_int_equal(hft_feed_kind(feed), HFT_FEED_ARRIVALS);
	assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(packet.sequence, 5);
	assert_int_equal(packet.arrival, 0);
	assert_int_equal(count_messages(&packet), 0);
	assert_int_equal(hft_feed_next(feed, &packet), 1);
	assert_int_equal(packet.arrival, 10);
	assert_int_equal(hft_feed_next(feed, &packet), -EBADMSG);
	hft_feed_close(feed);
}

/* Any bytes end in a packet, an end or an error, and in no report of a sanitizer. */
static void test_mutated_bytes(void **state)
{
	uint64_t seed = 1;
	int i;

	(void)state;
	for (i = 0; i < MUTATIONS; i++) {
		struct bytes b = { .size = 0 };
		struct hft_packet packet;
		struct hft_feed *feed;
		unsigned int n;

		if (i % 4 == 0)
			put_pcap(&b, i & 4, i & 8, (enum frame)(i % 5));
		else if (i % 4 == 1)
			put_pcapng(&b, i & 4);
		else if (i % 4 == 2)
			put_mold(&b, 77, 4);
		else
			for (n = 0; n < 4; n++) {
				put_be(&b, sizeof(add_order), 2);
				put(&b, add_order, sizeof(add_order));
			}
		for (n = 1 + random_below(&seed, 4); n; n--)
			b.data[random_below(&seed, (uint32_t)b.size)] =
				(unsigned char)random_u64(&seed);
		if (i % 7 == 0)
			b.size = random_below(&seed, (uint32_t)b.size);

		if (open_bytes(&feed, &b))
			continue;
		while (hft_feed_next(feed, &packet) > 0)
			assert_int_equal(count_messages(&packet), packet.count);
		hft_feed_close(feed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_fill_their_message),
		cmocka_unit_test(test_check_wants_the_whole_message),
		cmocka_unit_test(test_real_file_has_its_counts),
		cmocka_unit_test(test_fields_as_an_independent_dissector_reads_them),
		cmocka_unit_test(test_pcap_in_both_orders_and_resolutions),
		cmocka_unit_test(test_what_is_not_the_feed_is_skipped_and_counted),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_wrong_prefixes_are_stepped_over),
		cmocka_unit_test(test_no_prefix_makes_sense),
		cmocka_unit_test(test_bare_mold),
		cmocka_unit_test(test_a_cut_file_says_so),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_arrivals),
		cmocka_unit_test(test_mutated_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
