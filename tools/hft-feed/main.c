// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-feed: generate, show and summarise files of market data. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <common/tool.h>

#include "hft-feed.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "dump", cmd_dump },
	{ "stat", cmd_stat },
	{ "generate", cmd_generate },
};

static void usage(FILE *to)
{
	fputs("Usage: hft-feed dump [--limit MESSAGES] FILE\n"
	      "       hft-feed stat [--json] [--limit PACKETS] FILE\n"
	      "       hft-feed generate [OPTION]... -o FILE\n"
	      "\n"
	      "dump      prints one JSON object a message: the fields by their names in\n"
	      "          Nasdaq's specification, prices as decimal strings; session, sequence\n"
	      "          and arrival (ns) where the file has them\n"
	      "stat      prints what is in a file: packets, messages of each type, its span,\n"
	      "          the most packets within 1, 10, 100 and 1000 ms\n"
	      "          --limit ends both after so many, from the beginning\n"
	      "generate  writes a burst of market data; see hft-feed generate --help\n"
	      "\n"
	      "FILE is ITCH 5.0, plain, in MoldUDP64 packets, or these in a pcap or pcapng file,\n"
	      "or a CSV of arrivals (columns seq, a_ns, b_ns); each may be gzipped.\n"
	      "\n"
	      "Exit status: 0, 1 if the file can not be read to its end or the output not written, 2 for wrong usage.\n",
	      to);
}

bool parse_limit(const char *text, uint64_t *limit)
{
	if (parse_number(text, 10, 0, UINT64_MAX, limit))
		return true;
	wrong_usage("--limit %s is not a number", text);
	return false;
}

struct hft_feed *open_feed(const char *path)
{
	struct hft_feed *feed;
	int err = hft_feed_open(&feed, path);

	if (!err)
		return feed;
	if (err == -EBADMSG)
		fail(0, "%s: neither ITCH 5.0, nor a capture, nor a CSV of arrivals", path);
	else
		fail(-err, "%s", path);
	return NULL;
}

int close_feed(struct hft_feed *feed, const char *path, int ret)
{
	uint64_t odd = hft_feed_odd_lengths(feed), skipped = hft_feed_skipped(feed);

	hft_feed_close(feed);
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		fail(errno ? errno : EIO, "standard output");
		return 1;
	}
	if (odd)
		fail(0, "%s: the length before %" PRIu64 " messages is not their type's: stepped by the type's",
		     path, odd);
	if (skipped)
		fail(0, "%s: %" PRIu64 " packets are not MoldUDP64: skipped", path, skipped);
	if (!ret)
		return 0;
	fail(0, "%s: %s", path, ret == -EBADMSG ? "bytes that are no message" :
	     ret == -ENODATA ? "the file is cut off" : strerror(-ret));
	return 1;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		argv[1] = argv[0];	/* getopt's messages begin with it */
		return commands[i].run(argc - 1, argv + 1);
	}
	return wrong_usage("no command %s", argv[1]);
}
