// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is in a file, and how bursty it is. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "hft-feed.h"

static const struct {
	const char *name;
	uint64_t ns;
} windows[] = {
	{ "1ms", 1000000 },
	{ "10ms", 10000000 },
	{ "100ms", 100000000 },
	{ "1s", 1000000000 },
};

#define WINDOWS		(sizeof(windows) / sizeof(windows[0]))

struct stat {
	uint64_t *arrivals;
	size_t packets, room;
	uint64_t messages;
	uint64_t types[256];
	uint64_t peaks[WINDOWS];
};

static int add_packet(struct stat *stat, const struct hft_packet *packet)
{
	const void *message;
	size_t offset = 0, size;

	if (stat->packets == stat->room) {
		size_t room = stat->room ? 2 * stat->room : 4096;
		uint64_t *arrivals = reallocarray(stat->arrivals, room, sizeof(*arrivals));

		if (!arrivals)
			return -1;
		stat->arrivals = arrivals;
		stat->room = room;
	}
	stat->arrivals[stat->packets++] = packet->arrival;
	while ((message = hft_packet_message(packet, &offset, &size))) {
		stat->messages++;
		stat->types[hft_itch_message_type(message)]++;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Most arrivals within a window, wherever it begins. */
static uint64_t peak(const struct stat *stat, uint64_t window)
{
	size_t first = 0, last;
	uint64_t most = 0;

	for (last = 0; last < stat->packets; last++) {
		while (stat->arrivals[last] - stat->arrivals[first] >= window)
			first++;
		if (last - first + 1 > most)
			most = last - first + 1;
	}
	return most;
}

static void find_peaks(struct stat *stat)
{
	size_t i;

	qsort(stat->arrivals, stat->packets, sizeof(*stat->arrivals), compare);
	for (i = 0; i < WINDOWS; i++)
		stat->peaks[i] = peak(stat, windows[i].ns);
}

static uint64_t span(const struct stat *stat)
{
	return stat->packets ? stat->arrivals[stat->packets - 1] - stat->arrivals[0] : 0;
}

static void print_text(const struct stat *stat)
{
	unsigned int type;
	size_t i;

	printf("packets   %zu\n", stat->packets);
	printf("messages  %" PRIu64 "\n", stat->messages);
	printf("span      %" PRIu64 " ns\n", span(stat));
	for (i = 0; i < WINDOWS; i++)
		printf("peak      %" PRIu64 " packets in %s\n", stat->peaks[i], windows[i].name);
	for (type = 0; type < 256; type++) {
		if (stat->types[type])
			printf("type %c    %-10" PRIu64 " %s\n", type, stat->types[type],
			       hft_itch_type((uint8_t)type)->name);
	}
}

static void print_json(const struct stat *stat)
{
	const char *comma = "";
	unsigned int type;
	size_t i;

	printf("{\"packets\":%zu,\"messages\":%" PRIu64 ",\"span_ns\":%" PRIu64 ",\"peak_packets\":{",
	       stat->packets, stat->messages, span(stat));
	for (i = 0; i < WINDOWS; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", windows[i].name, stat->peaks[i]);
	printf("},\"per_type\":{");
	for (type = 0; type < 256; type++) {
		if (!stat->types[type])
			continue;
		printf("%s\"%c\":%" PRIu64, comma, type, stat->types[type]);
		comma = ",";
	}
	puts("}}");
}

int cmd_stat(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct stat stat = { 0 };
	struct hft_packet packet;
	struct hft_feed *feed;
	uint64_t limit = UINT64_MAX;
	bool json = false;
	int c, ret = 0;

	while ((c = getopt_long(argc, argv, "jl:h", options, NULL)) != -1) {
		if (c == 'h') {
			puts("Usage: hft-feed stat [--json] [--limit PACKETS] FILE");
			return 0;
		}
		if (c == 'j')
			json = true;
		else if (c != 'l' || !parse_limit(optarg, &limit))
			return 2;
	}
	if (optind != argc - 1)
		return wrong_usage("stat takes one file");

	feed = open_feed(argv[optind]);
	if (!feed)
		return 1;
	while (stat.packets < limit && (ret = hft_feed_next(feed, &packet)) > 0) {
		if (add_packet(&stat, &packet)) {
			fail(ENOMEM, "%s", argv[optind]);
			hft_feed_close(feed);
			free(stat.arrivals);
			return 1;
		}
	}
	find_peaks(&stat);
	if (json)
		print_json(&stat);
	else
		print_text(&stat);
	free(stat.arrivals);
	return close_feed(feed, argv[optind], ret > 0 ? 0 : ret);
}
