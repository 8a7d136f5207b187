// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl replay */
#include <errno.h>
#include <inttypes.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>
#include <hft/replay.h>

#include "hftctl.h"

struct replay_args {
	const char *dir;
	struct hft_replay_opts opts;
	struct hft_what_if change;
	bool events;			/* tell each, not only how many */
	bool json;
};

static const struct option options[] = {
	{ "handle", required_argument, NULL, 'n' },
	{ "events", no_argument, NULL, 'e' },
	{ "late", required_argument, NULL, 'l' },
	{ "max-steps", required_argument, NULL, 'm' },
	{ "output", required_argument, NULL, 'o' },
	{ "policy", required_argument, NULL, 'P' },
	{ "lead", required_argument, NULL, 'L' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "wcet", required_argument, NULL, 'w' },
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
	      "  -e, --events        each dispatch, with its time and that of its task, ns, and each\n"
	      "                      task of hft_submit_now() that its worker has taken\n"
	      "  -l, --late NS       so late may a timer have been (10000000)\n"
	      "  -m, --max-steps N   of the simulation, some 100 ns each (100000000)\n"
	      "  -o, --output LOG    write what was decided to a new log, so that this finds none\n"
	      "                      that differs: hft-log diff --subsystem decision --any-thread\n"
	      "                      DIR LOG (of several handles, with --where 'handle == NAME')\n"
	      "  -j, --json          JSON\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "What if?  With one of these the machine goes its own way, once as it was recorded\n"
	      "(before) and once so (after); each ring has one worker, tasks take as long as they\n"
	      "did, and a worker that sleeps begins as long after the interrupt as it did, by its\n"
	      "report (HFT_RING_REPORT; without one that is part of what the task takes):\n"
	      "\n"
	      "  -P, --policy NAME   of all rings: fifo, edf, fp, rm, llf, fair\n"
	      "  -L, --lead NS       of all rings: interrupts come so much sooner; up to 1000000\n"
	      "  -c, --cpus N        a ring of CPU n is on CPU n modulo N\n"
	      "  -w, --wcet SCALE    tasks take so many times as long, 0 to 1000\n"
	      "\n"
	      "Printed are, of each ring and class of tasks: jobs that were released, ended, missed\n"
	      "their deadlines, were dropped; tasks that were refused; and percentiles, ns, of the\n"
	      "response (from the release to the end) and the start (from the release to that).\n"
	      "Where before has other misses than the record, standard error has both numbers.\n"
	      "\n"
	      "late is how many others should have been first, and were late; latest_ns by how much\n"
	      "at most.  complete is 0 if the handle was not closed: what it did until then is\n"
	      "replayed.\n"
	      "\n"
	      "Exit status: 0 if all is the same; 1 if not, or the log can not be replayed, and the\n"
	      "reason is printed, with the first dispatch that differs and, if another task goes\n"
	      "before it, what the two compete with; 2 for wrong usage.\n", out);
}

/* Numbers of 64 bits, which those of Jansson are too small for: a cookie may be any. */
enum { TIME, RING, EVENT, TASK, COOKIE, RELEASE, DEADLINE, LEVEL, RESULT, COLUMNS };

static const char *const columns[COLUMNS] = {
	[TIME] = "time_ns", [RING] = "ring", [EVENT] = "event", [TASK] = "task",
	[COOKIE] = "cookie", [RELEASE] = "release_ns", [DEADLINE] = "deadline_ns",
	[LEVEL] = "level", [RESULT] = "result",
};

struct event_row {
	uint64_t values[COLUMNS];
};

struct events {
	struct event_row *rows;
	size_t nr;
	bool failed;
};

static void add_event(uint32_t ring, const struct hft_event *recorded,
		      const struct hft_event *replayed, void *arg)
{
	struct events *events = arg;
	struct event_row *more = events->rows;

	if (!(events->nr & (events->nr - 1)))
		more = reallocarray(more, events->nr ? 2 * events->nr : 1, sizeof(*more));
	events->failed |= !more;
	if (events->failed)
		return;
	events->rows = more;
	more[events->nr++] = (struct event_row){ {
		[TIME] = recorded->published, [RING] = ring, [EVENT] = replayed->sequence,
		[TASK] = recorded->task, [COOKIE] = recorded->cookie,
		[RELEASE] = replayed->release, [DEADLINE] = replayed->deadline,
		[LEVEL] = (uint64_t)replayed->level, [RESULT] = (uint64_t)replayed->result,
	} };
}

static void print_number(int column, uint64_t value, int width)
{
	if (column == RESULT)
		printf("%*" PRId64, width, (int64_t)value);
	else
		printf("%*" PRIu64, width, value);
}

/* As print() does an array of objects. */
static void print_json(const struct events *events)
{
	size_t i;
	int c;

	putchar('[');
	for (i = 0; i < events->nr; i++) {
		fputs(i ? ",\n  {" : "\n  {", stdout);
		for (c = 0; c < COLUMNS; c++) {
			printf("%s\n    \"%s\": ", c ? "," : "", columns[c]);
			print_number(c, events->rows[i].values[c], 0);
		}
		fputs("\n  }", stdout);
	}
	puts(events->nr ? "\n]" : "]");
}

static void print_rows(const struct events *events)
{
	size_t i;
	int c;

	for (c = 0; events->nr && c < COLUMNS; c++)
		printf("%*s%s", column_width(columns[c]), columns[c], c + 1 < COLUMNS ? " " : " \n");
	for (i = 0; i < events->nr; i++) {
		for (c = 0; c < COLUMNS; c++) {
			print_number(c, events->rows[i].values[c], column_width(columns[c]));
			fputs(c + 1 < COLUMNS ? " " : " \n", stdout);
		}
	}
}

static int print_events(const struct events *events, bool json)
{
	if (events->failed)
		return fail(ENOMEM, "events") ? 1 : 0;
	if (json)
		print_json(events);
	else
		print_rows(events);
	return print_end();
}

static json_t *summary(const struct hft_replay_result *result)
{
	return json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I}",
			 "backend", result->backend,
			 "handles", (int)result->handles,
			 "complete", (int)result->complete,
			 "records", (json_int_t)result->records,
			 "events", (json_int_t)result->events,
			 "immediate", (json_int_t)result->immediate,
			 "late", (json_int_t)result->late,
			 "latest_ns", (json_int_t)result->latest_ns);
}

static const char *const names[HFT_POLICIES] = {
	[HFT_POLICY_FIFO] = "fifo", [HFT_POLICY_EDF] = "edf", [HFT_POLICY_FP] = "fp",
	[HFT_POLICY_RM] = "rm", [HFT_POLICY_LLF] = "llf", [HFT_POLICY_FAIR] = "fair",
};

static void tell_rival(const char *what, const struct hft_replay_rival *rival)
{
	fprintf(stderr, "hftctl: %s: task 0x%llx, cookie %llu, level %u, key 0x%llx, release %llu, deadline %llu, laxity %lld ns, submitted %llu, ready for %llu ns\n",
		what, (unsigned long long)rival->task, (unsigned long long)rival->cookie,
		rival->level, (unsigned long long)rival->key,
		(unsigned long long)rival->release, (unsigned long long)rival->deadline,
		(long long)rival->laxity_ns, (unsigned long long)rival->submitted,
		(unsigned long long)rival->known_ns);
}

static void tell_difference(const struct hft_replay_result *result)
{
	const struct hft_replay_difference *difference = &result->difference;

	fprintf(stderr, "hftctl: %llu dispatches before that are the same\n",
		(unsigned long long)result->events);
	if (!difference->better.task)
		return;
	fprintf(stderr, "hftctl: the policy of ring %u is %s: the least key goes first, then who was submitted first\n",
		difference->ring, names[difference->policy]);
	tell_rival("recorded", &difference->went);
	tell_rival("replayed", &difference->better);
}

static int parse_policy(const char *name)
{
	int policy;

	for (policy = 0; policy < HFT_POLICIES; policy++) {
		if (!strcmp(name, names[policy]))
			return policy;
	}
	return -1;
}

static void add_figure(json_t *rows, const struct hft_what_if_row *row, const char *figure,
		       uint64_t before, uint64_t after)
{
	json_array_append_new(rows, json_pack("{s:i, s:i, s:s, s:I, s:I, s:I}",
					      "ring", (int)row->ring,
					      "class", (int)row->task_class,
					      "figure", figure,
					      "before", (json_int_t)before,
					      "after", (json_int_t)after,
					      "change", (json_int_t)(after - before)));
}

static void add_row(const struct hft_what_if_row *row, void *arg)
{
	const struct hft_what_if_side *a = &row->before, *b = &row->after;

	if (a->missed != row->recorded_missed)
		fprintf(stderr, "hftctl: ring %u, class %u: %" PRIu64 " deadlines were missed when it was recorded, %" PRIu64 " in the model\n",
			row->ring, row->task_class, row->recorded_missed, a->missed);
	add_figure(arg, row, "jobs", a->jobs, b->jobs);
	add_figure(arg, row, "ended", a->ended, b->ended);
	add_figure(arg, row, "missed", a->missed, b->missed);
	add_figure(arg, row, "dropped", a->dropped, b->dropped);
	add_figure(arg, row, "refused", a->refused, b->refused);
	add_figure(arg, row, "response_p50_ns", a->response.p50_ns, b->response.p50_ns);
	add_figure(arg, row, "response_p99_ns", a->response.p99_ns, b->response.p99_ns);
	add_figure(arg, row, "response_p999_ns", a->response.p999_ns, b->response.p999_ns);
	add_figure(arg, row, "start_p50_ns", a->start.p50_ns, b->start.p50_ns);
	add_figure(arg, row, "start_p99_ns", a->start.p99_ns, b->start.p99_ns);
	add_figure(arg, row, "start_p999_ns", a->start.p999_ns, b->start.p999_ns);
}

static int run_what_if(const struct replay_args *args)
{
	json_t *rows = json_array();
	int err, ret;

	err = hft_replay_what_if(args->dir, &args->opts, &args->change, add_row, rows);
	if (err)
		fail_hft(err, "replay");
	ret = err ? 1 : print(rows, args->json);
	json_decref(rows);
	return ret;
}

static int run(struct replay_args *args)
{
	HFT_OPTS(hft_replay_result, result);
	struct events events = { .nr = 0 };
	json_t *sums;
	int err, ret = 1;

	if (args->events) {
		args->opts.fn = add_event;
		args->opts.arg = &events;
	}
	err = hft_replay(args->dir, &args->opts, &result);
	if (err) {
		fail_hft(err, "replay");
		if (err == -EPROTO)
			tell_difference(&result);
	} else if (args->events) {
		ret = print_events(&events, args->json);
	} else {
		sums = summary(&result);
		ret = print(sums, args->json);
		json_decref(sums);
	}
	free(events.rows);
	return ret;
}

static int read_change(struct hft_what_if *change, int c)
{
	uint64_t number;
	double scale;
	int policy;

	switch (c) {
	case 'P':
		policy = parse_policy(optarg);
		if (policy < 0)
			return wrong_usage("--policy takes fifo, edf, fp, rm, llf or fair");
		change->policy = (uint32_t)policy;
		change->fields |= HFT_WHAT_IF_POLICY;
		return 0;
	case 'L':
		change->fields |= HFT_WHAT_IF_LEAD;
		return parse_number(optarg, 0, 0, HFT_LEAD_LEARNED - 1, &change->lead_ns) ? 0 :
		       wrong_usage("--lead takes a time in ns");
	case 'c':
		if (!parse_number(optarg, 0, 1, UINT32_MAX, &number))
			return wrong_usage("--cpus takes a number from 1 on");
		change->cpus = (uint32_t)number;
		change->fields |= HFT_WHAT_IF_CPUS;
		return 0;
	default:
		if (!parse_real(optarg, 0, 1000, &scale))
			return wrong_usage("--wcet takes a number from 0 to 1000");
		change->cost_ppm = (uint64_t)(scale * 1e6 + 0.5);
		change->fields |= HFT_WHAT_IF_COST;
		return 0;
	}
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
	case 'o':
		args->opts.output = optarg;
		return 0;
	case 'P':
	case 'L':
	case 'c':
	case 'w':
		return read_change(&args->change, c);
	default:
		usage(stderr);
		return 2;
	}
}

int replay_main(int argc, char **argv)
{
	struct replay_args args = {
		.opts.sz = sizeof(args.opts),
		.change.sz = sizeof(args.change),
	};
	int c, bad;

	tool_help = "hftctl replay --help";
	while ((c = getopt_long(argc, argv, "n:el:m:o:P:L:c:w:jh", options, NULL)) != -1) {
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
	if (!args.change.fields)
		return run(&args);
	if (args.events || args.opts.output)
		return wrong_usage("--events and --output are of a replay as it was");
	return run_what_if(&args);
}
