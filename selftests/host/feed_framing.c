// SPDX-License-Identifier: GPL-2.0-only
/* What ITCH 5.0 comes in: captures, packets, plain files, CSV of arrivals, and hostile bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "feed_bytes.h"
#include "random.h"

#define MUTATIONS	20000

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

/* What "tcpdump -i any" writes, and one whose frames only look like Ethernet's. */
#define LINK_ETHERNET	1
#define LINK_SLL2	276
#define LINK_OTHER	147

static void put_frame(struct bytes *b, unsigned int link, enum frame frame,
		      const struct bytes *payload)
{
	static const unsigned char macs[12];
	static const unsigned char addresses[32];
	size_t udp = payload->size + 8;

	if (link == LINK_SLL2) {
		put_be(b, 0x0800, 2);
		put(b, addresses, 18);
	} else {
		put(b, macs, sizeof(macs));
	}
	if (frame == FRAME_VLAN)
		put_be(b, 0x81000064, 4);
	if (frame == FRAME_IPV6) {
		put_be(b, 0x86dd, 2);
		put_be(b, 0x60000000, 4);
		put_be(b, udp, 2);
		put_be(b, 17 << 8 | 64, 2);
		put(b, addresses, 32);
	} else {
		if (link != LINK_SLL2)
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

static void put_pcap_of(struct bytes *b, bool ns, bool swapped, unsigned int link,
			enum frame frame)
{
	struct bytes mold = { .size = 0 }, packet = { .size = 0 };

	put_native(b, ns ? 0xa1b23c4d : 0xa1b2c3d4, 4, swapped);
	put_native(b, 2, 2, swapped);
	put_native(b, 4, 2, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, 0, 4, swapped);
	put_native(b, 65535, 4, swapped);
	put_native(b, link, 4, swapped);

	put_mold(&mold, 77, 3);
	put_frame(&packet, link, frame, &mold);
	put_native(b, 1700000000, 4, swapped);
	put_native(b, 123456, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put_native(b, (uint32_t)packet.size, 4, swapped);
	put(b, packet.data, packet.size);
}

static void put_pcap(struct bytes *b, bool ns, bool swapped, enum frame frame)
{
	put_pcap_of(b, ns, swapped, LINK_ETHERNET, frame);
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
	put_frame(&packet, LINK_ETHERNET, FRAME_IPV4, &mold);
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

static void test_links(void **state)
{
	static const struct { unsigned int link; int packets; } links[] = {
		{ LINK_SLL2, 1 }, { LINK_OTHER, 0 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bytes b = { .size = 0 };
		struct hft_packet packet;
		struct hft_feed *feed;

		put_pcap_of(&b, true, false, links[i].link, FRAME_IPV4);
		assert_int_equal(open_bytes(&feed, &b), 0);
		assert_int_equal(hft_feed_next(feed, &packet), links[i].packets);
		assert_int_equal(hft_feed_skipped(feed), !links[i].packets);
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

/* Gzip whose end is missing, where a message or a line has just ended. */
static void test_a_cut_gzip_says_so(void **state)
{
	static const char line[] = "seq,a_ns,b_ns\n1,2,3\n";
	unsigned char message[2 + sizeof(add_order)] = { 0, sizeof(add_order) };
	struct hft_packet packet;
	struct hft_feed *feed;
	char path[32];
	int csv;

	(void)state;
	memcpy(message + 2, add_order, sizeof(add_order));
	for (csv = 0; csv < 2; csv++) {
		int fd = memfd_create("feed", 0);
		gzFile file = gzdopen(dup(fd), "wb");
		off_t size;

		assert_non_null(file);
		assert_true(gzwrite(file, csv ? (const void *)line : message,
				    csv ? sizeof(line) - 1 : sizeof(message)) > 0);
		assert_int_equal(gzflush(file, Z_SYNC_FLUSH), Z_OK);
		size = lseek(fd, 0, SEEK_END);
		assert_int_equal(gzclose(file), Z_OK);
		assert_int_equal(ftruncate(fd, size), 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		assert_int_equal(hft_feed_open(&feed, path), 0);
		assert_int_equal(hft_feed_next(feed, &packet), 1);
		assert_int_equal(hft_feed_next(feed, &packet), -ENODATA);
		hft_feed_close(feed);
		close(fd);
	}
}

static void test_other_files_are_refused(void **state)
{
	struct bytes b = { .size = 0 };
	struct hft_feed *feed;

	(void)state;
	assert_int_equal(open_bytes(&feed, &b), -EBADMSG);
	put(&b, "root:x:0:0", 10);
	assert_int_equal(open_bytes(&feed, &b), -EBADMSG);
	b.size = 0;
	put(&b, "#!/bin/sh\necho hello\n", 21);
	assert_int_equal(open_bytes(&feed, &b), -EBADMSG);
	assert_int_equal(hft_feed_open(&feed, "/nonexistent"), -ENOENT);
	assert_int_equal(hft_feed_open(&feed, "/"), -EISDIR);
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
		cmocka_unit_test(test_pcap_in_both_orders_and_resolutions),
		cmocka_unit_test(test_what_is_not_the_feed_is_skipped_and_counted),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_wrong_prefixes_are_stepped_over),
		cmocka_unit_test(test_no_prefix_makes_sense),
		cmocka_unit_test(test_bare_mold),
		cmocka_unit_test(test_a_cut_file_says_so),
		cmocka_unit_test(test_a_cut_gzip_says_so),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_arrivals),
		cmocka_unit_test(test_mutated_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
