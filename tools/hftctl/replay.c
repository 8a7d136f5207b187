// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl replay */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <hft/hft.h>
#include <hft/replay.h>

#include "hftctl.h"

struct replay_args {
	const char *dir;
	struct hft_replay_opts opts;
	bool events;			/* tell each, not only how many */
	bool json;
};

static const struct option options[] = {
	{ "handle", required_argument, NULL, 'n' },
	{ "events", no_argument, NULL, 'e' },
	{ "late", required_argument, NULL, 'l' },
	{ "max-steps", required_argument, NULL, 'm' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl replay [OPTION]... DIR\n"
	      "Do what was recorded of a handle again, on a simulated machine, which is told the\n"
	      "same at the same times and has to choose the same task whenever one was dispatched.\n"
	      "DIR is the log that HFT_RECORD=DIR has named; after kill -9, hft-log recover first.\n"
	      "\n"
	      "  -n, --handle N      the Nth handle that the log has (1)\n"
	      "  -e, --events        each dispatch, with its time and that of its task, ns\n"
	      "  -l, --late NS       so late may a timer have been (10000000)\n"
	      "  -m, --max-steps N   of the simulation, some 100 ns each (100000000)\n"
	      "  -j, --json          JSON\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "late is how many others should have been first, and were late; latest_ns by how much\n"
	      "at most.  complete is 0 if the handle was not closed: what it did until then is\n"
	      "replayed.\n"
	      "\n"
	      "Exit status: 0 if all is the same; 1 if not, or the log can not be replayed, and the\n"
	      "reason is printed, with the first dispatch that differs; 2 for wrong usage.\n", out);
}

static void add_event(uint32_t ring, const struct hft_event *recorded,
		      const struct hft_event *replayed, void *arg)
{
	json_array_append_new(arg, json_pack(
		"{s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:i}",
		"time_ns", (json_int_t)recorded->published,
		"ring", (int)ring,
		"event", (json_int_t)replayed->sequence,
		"task", (json_int_t)recorded->task,
		"cookie", (json_int_t)recorded->cookie,
		"release_ns", (json_int_t)replayed->release,
		"deadline_ns", (json_int_t)replayed->deadline,
		"level", (int)replayed->level,
		"result", (int)replayed->result));
}

static json_t *summary(const struct hft_replay_result *result)
{
	return json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:I}",
			 "backend", result->backend,
			 "handles", (int)result->handles,
			 "complete", (int)result->complete,
			 "records", (json_int_t)result->records,
			 "events", (json_int_t)result->events,
			 "late", (json_int_t)result->late,
			 "latest_ns", (json_int_t)result->latest_ns);
}

static int run(struct replay_args *args)
{
	struct hft_replay_result result;
	json_t *events = NULL;
	int err, ret;

	if (args->events) {
		events = json_array();
		args->opts.fn = add_event;
		args->opts.arg = events;
	}
	err = hft_replay(args->dir, &args->opts, &result);
	if (err) {
		fail_hft(err, "replay");
		json_decref(events);
		return 1;
	}
	if (!events)
		events = summary(&result);
	ret = print(events, args->json);
	json_decref(events);
	return ret;
}

static int read_option(struct replay_args *args, int c)
{
	uint64_t number;

	switch (c) {
	case 'n':
		if (!parse_number(optarg, 0, 1, UINT32_MAX, &number))
			return wrong_usage("--handle takes a number from 1 on");
		args->opts.handle = (uint32_t)number;
		return 0;
	case 'e':
		args->events = true;
		return 0;
	case 'l':
		return parse_number(optarg, 0, 1, UINT64_MAX, &args->opts.late_ns) ? 0 :
		       wrong_usage("--late takes a time in ns");
	case 'm':
		return parse_number(optarg, 0, 1, UINT64_MAX, &args->opts.max_steps) ? 0 :
		       wrong_usage("--max-steps takes a number from 1 on");
	case 'j':
		args->json = true;
		return 0;
	default:
		usage(stderr);
		return 2;
	}
}

int replay_main(int argc, char **argv)
{
	struct replay_args args = { .opts.sz = sizeof(args.opts) };
	int c, bad;

	tool_help = "hftctl replay --help";
	while ((c = getopt_long(argc, argv, "n:el:m:jh", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		bad = read_option(&args, c);
		if (bad)
			return bad;
	}
	if (optind >= argc || strcmp(argv[optind], "replay"))
		return wrong_usage("no such command");
	if (optind + 2 != argc)
		return wrong_usage(optind + 1 == argc ? "replay needs the folder of a log" :
				   "too many arguments");
	args.dir = argv[optind + 1];
	return run(&args);
}
