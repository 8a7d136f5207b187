// SPDX-License-Identifier: GPL-2.0-only
/* The ITCH 5.0 decoder, against real data and against what another dissector reads in it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "feed_bytes.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_fill_their_message),
		cmocka_unit_test(test_check_wants_the_whole_message),
		cmocka_unit_test(test_real_file_has_its_counts),
		cmocka_unit_test(test_fields_as_an_independent_dissector_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
