// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-demo: a burst of market data, dispatched by hft. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hft-demo.h"

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: hft-demo [OPTION]... --feed FILE\n"
		"Start a task for each packet of FILE when the packet arrived, seen from now, and\n"
		"report how exactly. The task decodes its messages and updates the top of the book\n"
		"of each instrument.\n"
		"\n"
		"      --feed FILE       ITCH 5.0 (plain, in MoldUDP64 packets, or these in a pcap or\n"
		"                        pcapng file) or a CSV of arrivals (columns seq, a_ns, b_ns);\n"
		"                        each may be gzipped. Without stamps of a capture the\n"
		"                        messages' own timestamps are their arrivals.\n"
		"      --speed X         play X times as fast (default 1)\n"
		"      --deadline-us US  a task should have ended US us after its release\n"
		"                        (default 50)\n"
		"      --rings N         rings, 1 to %d, each with a worker; an instrument belongs to\n"
		"                        one of them, by its Stock Locate (default: one on each CPU\n"
		"                        but the first)\n"
		"      --policy NAME     of tasks that are due together: fifo or edf (default edf)\n"
		"      --lead NS|auto    wake a worker that long before a release (default auto:\n"
		"                        as long as it takes here)\n"
		"      --limit N         only the first N packets\n"
		"      --json FILE       write the report as JSON, too\n"
		"      --log DIR         log what becomes of each task, for hft-log\n"
		"      --instrument NAME what makes the figures; \"icount\" in such a VM\n"
		"                        (default \"clock of this machine\")\n"
		"  -q, --quiet           no progress and no warnings on stderr\n"
		"  -h, --help            this text\n"
		"\n"
		"It needs hft.ko, and CAP_SYS_NICE or RLIMIT_RTPRIO for the workers' priority.\n"
		"Exit status: 0, 1 if the file could not be played or a task was lost, duplicated or\n"
		"early, 2 for wrong usage.\n", MAX_RINGS);
}

static bool parse_policy(const char *text, uint32_t *policy)
{
	*policy = !strcmp(text, "edf") ? HFT_POLICY_EDF : HFT_POLICY_FIFO;
	return *policy == HFT_POLICY_EDF || !strcmp(text, "fifo");
}

static bool parse_lead(const char *text, uint64_t *lead_ns)
{
	*lead_ns = HFT_LEAD_AUTO;
	return !strcmp(text, "auto") || parse_number(text, 10, 0, NSEC_PER_SEC, lead_ns);
}

enum {
	OPT_FEED = 256,
	OPT_SPEED,
	OPT_DEADLINE,
	OPT_RINGS,
	OPT_POLICY,
	OPT_LEAD,
	OPT_LIMIT,
	OPT_JSON,
	OPT_LOG,
	OPT_INSTRUMENT,
};

static const struct option options[] = {
	{ "feed", required_argument, NULL, OPT_FEED },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "deadline-us", required_argument, NULL, OPT_DEADLINE },
	{ "rings", required_argument, NULL, OPT_RINGS },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "lead", required_argument, NULL, OPT_LEAD },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "instrument", required_argument, NULL, OPT_INSTRUMENT },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static bool parse_option(int c, const char *text, struct config *config)
{
	uint64_t number;

	switch (c) {
	case OPT_FEED:
		config->feed = text;
		return true;
	case OPT_SPEED:
		return parse_real(text, 1e-6, 1e9, &config->speed);
	case OPT_DEADLINE:
		if (!parse_number(text, 10, 0, 1000000000, &number))
			return false;
		config->deadline_ns = number * NSEC_PER_USEC;
		return true;
	case OPT_RINGS:
		if (!parse_number(text, 10, 1, MAX_RINGS, &number))
			return false;
		config->rings = (unsigned int)number;
		return true;
	case OPT_POLICY:
		return parse_policy(text, &config->policy);
	case OPT_LEAD:
		return parse_lead(text, &config->lead_ns);
	case OPT_LIMIT:
		return parse_number(text, 10, 1, UINT64_MAX, &config->limit);
	case OPT_JSON:
		config->json = text;
		return true;
	case OPT_LOG:
		config->log = text;
		return true;
	case OPT_INSTRUMENT:
		config->instrument = text;
		return true;
	default:
		config->quiet = true;
		return true;
	}
}

/* Returns 0, or 2 after it said what is wrong. */
static int parse_arguments(int argc, char **argv, struct config *config)
{
	int c;

	while ((c = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c == '?')
			return 2;
		if (!parse_option(c, optarg, config))
			return wrong_usage("%s is out of range", optarg);
	}
	if (optind < argc)
		return wrong_usage("%s: unexpected", argv[optind]);
	if (!config->feed) {
		fail(0, "no --feed: hft-feed generate -o FILE makes one");
		return 2;
	}
	return 0;
}

static int verdict(const struct outcome *outcome)
{
	static struct tally sum;

	add_up(outcome, &sum);
	return count_lost(&sum) || sum.duplicated || sum.early;
}

int main(int argc, char **argv)
{
	struct config config = {
		.instrument = "clock of this machine",
		.speed = 1,
		.deadline_ns = 50 * NSEC_PER_USEC,
		.lead_ns = HFT_LEAD_AUTO,
		.policy = HFT_POLICY_EDF,
	};
	static struct outcome outcome;
	unsigned int i;
	int ret;

	ret = parse_arguments(argc, argv, &config);
	if (ret)
		return ret;
	ret = play(&config, &outcome) < 0;
	if (!ret)
		ret = report_text(&config, &outcome) < 0;
	if (!ret && config.json)
		ret = report_json(&config, &outcome) < 0;
	if (!ret)
		ret = verdict(&outcome);
	for (i = 0; i < outcome.rings; i++)
		free(outcome.tally[i]);
	return ret;
}
