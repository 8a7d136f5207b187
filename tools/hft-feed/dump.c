// SPDX-License-Identifier: LGPL-2.1-or-later
/* One JSON object a message, on a line of its own. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <common/tool.h>

#include "hft-feed.h"

/* Alpha fields are padded with spaces; a byte that is no ASCII is escaped. */
static void print_alpha(const unsigned char *bytes, unsigned int length)
{
	unsigned int i;

	while (length && bytes[length - 1] == ' ')
		length--;
	putchar('"');
	for (i = 0; i < length; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			printf("\\%c", bytes[i]);
		else if (bytes[i] < 0x20 || bytes[i] > 0x7e)
			printf("\\u%04x", bytes[i]);
		else
			putchar(bytes[i]);
	}
	putchar('"');
}

static void print_price(uint64_t price, unsigned int decimals)
{
	uint64_t unit = decimals == 8 ? 100000000 : 10000;

	printf("\"%" PRIu64 ".%0*" PRIu64 "\"", price / unit, (int)decimals, price % unit);
}

static void print_field(const void *message, const struct hft_itch_field *field)
{
	printf("\"%s\":", field->name);
	switch (field->kind) {
	case HFT_ITCH_ALPHA:
		print_alpha((const unsigned char *)message + field->offset, field->length);
		break;
	case HFT_ITCH_PRICE4:
		print_price(hft_itch_integer(message, field), 4);
		break;
	case HFT_ITCH_PRICE8:
		print_price(hft_itch_integer(message, field), 8);
		break;
	default:
		printf("%" PRIu64, hft_itch_integer(message, field));
	}
}

static void print_message(const struct hft_packet *packet, unsigned int index,
			  enum hft_feed_kind kind, const void *message)
{
	const struct hft_itch_type *type = hft_itch_type(hft_itch_message_type(message));
	unsigned int i;

	putchar('{');
	if (kind == HFT_FEED_PCAP)
		printf("\"arrival_ns\":%" PRIu64 ",", packet->arrival);
	if (kind == HFT_FEED_PCAP || kind == HFT_FEED_MOLD) {
		printf("\"session\":");
		print_alpha((const unsigned char *)packet->session, sizeof(packet->session) - 1);
		printf(",\"sequence\":%" PRIu64 ",", packet->sequence + index);
	}
	for (i = 0; i < type->nr_fields; i++) {
		if (i)
			putchar(',');
		print_field(message, &type->fields[i]);
	}
	puts("}");
}

static void print_arrival(const struct hft_packet *packet)
{
	printf("{\"sequence\":%" PRIu64 ",\"arrival_ns\":%" PRIu64 "}\n", packet->sequence,
	       packet->arrival);
}

int cmd_dump(int argc, char **argv)
{
	static const struct option options[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	uint64_t limit = UINT64_MAX;
	struct hft_packet packet;
	struct hft_feed *feed;
	int c, ret;

	while ((c = getopt_long(argc, argv, "l:h", options, NULL)) != -1) {
		if (c == 'h') {
			puts("Usage: hft-feed dump [--limit MESSAGES] FILE");
			return 0;
		}
		if (c != 'l' || !parse_limit(optarg, &limit))
			return 2;
	}
	if (optind != argc - 1)
		return wrong_usage("dump takes one file");

	feed = open_feed(argv[optind]);
	if (!feed)
		return 1;
	while (limit && (ret = hft_feed_next(feed, &packet)) > 0) {
		const void *message;
		size_t offset = 0, size;
		unsigned int i;

		if (hft_feed_kind(feed) == HFT_FEED_ARRIVALS) {
			print_arrival(&packet);
			limit--;
		}
		for (i = 0; limit && (message = hft_packet_message(&packet, &offset, &size)); i++) {
			print_message(&packet, i, hft_feed_kind(feed), message);
			limit--;
		}
	}
	return close_feed(feed, argv[optind], limit ? ret : 0);
}
