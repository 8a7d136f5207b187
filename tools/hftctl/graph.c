// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl graph: what the critical path of a task graph is, and how it would run. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include "graph.h"
#include "hftctl.h"
#include "stg.h"

#define WORKERS_MOST	1024

struct args {
	const char *path;
	uint32_t workers;		/* 0: 2, 4, 8 and 16 */
	const char *gantt;
	bool json;
};

static const uint32_t counts[] = { 2, 4, 8, 16 };

static void usage(FILE *out)
{
	fputs("Usage: hftctl graph analyze [OPTION]... FILE\n"
	      "Read a task graph, and tell its critical path and how it would run.\n"
	      "\n"
	      "FILE is of the Standard Task Graph Set; - is standard input.  Its times count as\n"
	      "ns.  For each node: its time, its rank (the longest way from its start to the end\n"
	      "of the graph), its earliest start and its slack.  For each number of workers: when\n"
	      "the last node ends if the ready node of the highest rank goes first (rank), the\n"
	      "one that was ready first (submission), and if each is placed where it ends first\n"
	      "(heft); and a time that none can beat (bound).\n"
	      "\n"
	      "  -w, --workers N     of so many workers (2, 4, 8 and 16)\n"
	      "  -g, --gantt FILE.png\n"
	      "                      draw the schedule by rank, by gnuplot; needs --workers\n"
	      "  -j, --json          print JSON instead of text\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0, 1 when the command failed, 2 for wrong usage.\n",
	      out);
}

static int wrong_usage(const char *what)
{
	fprintf(stderr, "hftctl: graph: %s: see hftctl graph --help\n", what);
	return 2;
}

static int library_error(const struct args *args, int err)
{
	fprintf(stderr, "hftctl: %s: %s\n", args->path, hft_strerror(err));
	return err;
}

static json_t *node_name(const struct hft_graph *graph, uint32_t node)
{
	const char *name = hft_graph_name(graph, node);

	return name ? json_string(name) : json_integer(node);
}

/* Returns the work of all nodes. */
static uint64_t add_nodes(struct hft_graph *graph, json_t *value)
{
	json_t *array = json_array();
	uint64_t work = 0;
	uint32_t i;

	for (i = 0; i < hft_graph_nodes(graph); i++) {
		struct hft_node_info info = { .sz = sizeof(info) };

		hft_graph_node_info(graph, i, &info);
		work += info.cost_ns;
		json_array_append_new(array,
				      json_pack("{s:o, s:I, s:I, s:I, s:I}",
						"node", node_name(graph, i),
						"cost_ns", (json_int_t)info.cost_ns,
						"rank_ns", (json_int_t)info.rank_ns,
						"earliest_ns", (json_int_t)info.earliest_ns,
						"slack_ns", (json_int_t)info.slack_ns));
	}
	json_object_set_new(value, "node", array);
	return work;
}

static int add_path(struct hft_graph *graph, json_t *value)
{
	int i, nr = hft_graph_path(graph, NULL, 0);
	uint32_t *path = calloc((size_t)nr, sizeof(*path));
	json_t *array = json_array();

	if (!path)
		return -ENOMEM;
	hft_graph_path(graph, path, (uint32_t)nr);
	for (i = 0; i < nr; i++)
		json_array_append_new(array, node_name(graph, path[i]));
	json_object_set_new(value, "path", array);
	free(path);
	return 0;
}

/* The path, and the work shared evenly. */
static uint64_t bound(struct hft_graph *graph, uint64_t work, uint32_t workers)
{
	uint64_t length = hft_graph_length(graph), share = (work + workers - 1) / workers;

	return length > share ? length : share;
}

static int add_schedule(struct hft_graph *graph, uint64_t work, uint32_t workers,
			struct hft_node_slot *slots, json_t *array)
{
	HFT_OPTS(hft_schedule_opts, rank, .workers = workers, .order = HFT_ORDER_RANK);
	HFT_OPTS(hft_schedule_opts, submission, .workers = workers, .order = HFT_ORDER_SUBMISSION);
	uint64_t by_rank, by_submission, by_place;
	int err;

	err = hft_graph_schedule(graph, &submission, slots, &by_submission);
	if (!err)
		err = hft_graph_place(graph, &rank, slots, &by_place);
	if (!err)
		err = hft_graph_schedule(graph, &rank, slots, &by_rank);
	if (err)
		return err;
	json_array_append_new(array, json_pack("{s:I, s:I, s:I, s:I, s:I}",
					       "workers", (json_int_t)workers,
					       "rank_ns", (json_int_t)by_rank,
					       "submission_ns", (json_int_t)by_submission,
					       "heft_ns", (json_int_t)by_place,
					       "bound_ns",
					       (json_int_t)bound(graph, work, workers)));
	return 0;
}

/* The last schedule by rank is in @slots then. */
static int add_schedules(struct hft_graph *graph, const struct args *args, uint64_t work,
			 struct hft_node_slot *slots, json_t *value)
{
	json_t *array = json_array();
	size_t i;
	int err = 0;

	json_object_set_new(value, "schedule", array);
	if (args->workers)
		return add_schedule(graph, work, args->workers, slots, array);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]) && !err; i++)
		err = add_schedule(graph, work, counts[i], slots, array);
	return err;
}

static int describe(struct hft_graph *graph, const struct args *args, struct hft_node_slot *slots,
		    json_t *value)
{
	uint64_t work;
	int err;

	json_object_set_new(value, "nodes", json_integer(hft_graph_nodes(graph)));
	json_object_set_new(value, "edges", json_integer(hft_graph_edges(graph)));
	json_object_set_new(value, "length_ns", json_integer((json_int_t)hft_graph_length(graph)));
	err = add_path(graph, value);
	if (err)
		return fail(-err, "%s", args->path);
	work = add_nodes(graph, value);
	json_object_set_new(value, "work_ns", json_integer((json_int_t)work));
	err = add_schedules(graph, args, work, slots, value);
	return err ? library_error(args, err) : 0;
}

static int draw(const struct hft_graph *graph, const struct args *args,
		const struct hft_node_slot *slots)
{
	char title[256];

	snprintf(title, sizeof(title), "%s by rank on %u workers", args->path, args->workers);
	return gantt_plot(args->gantt, title, graph, slots, args->workers);
}

static int analyze(const struct args *args, json_t *value)
{
	struct hft_graph *graph = NULL;
	struct hft_node_slot *slots;
	int err;

	err = stg_read(args->path, &graph);
	if (err)
		return err;
	slots = calloc(hft_graph_nodes(graph), sizeof(*slots));
	if (slots)
		err = describe(graph, args, slots, value);
	else
		err = fail(ENOMEM, "%s", args->path);
	if (!err && args->gantt)
		err = draw(graph, args, slots);
	free(slots);
	hft_graph_close(graph);
	return err;
}

static void print_number(const json_t *value, const char *key, int width)
{
	const json_t *number = json_object_get(value, key);

	if (json_is_string(number))
		printf("%*s", width, json_string_value(number));
	else
		printf("%*" JSON_INTEGER_FORMAT, width, json_integer_value(number));
}

static void print_table(json_t *array, const char *const *keys)
{
	const char *const *key;
	json_t *row;
	size_t i;

	putchar('\n');
	for (key = keys; *key; key++)
		printf("%14s", *key);
	putchar('\n');
	json_array_foreach(array, i, row) {
		for (key = keys; *key; key++)
			print_number(row, *key, 14);
		putchar('\n');
	}
}

static void print_text(json_t *value)
{
	static const char *const heads[] = { "nodes", "edges", "work_ns", "length_ns" };
	static const char *const nodes[] = { "node", "cost_ns", "rank_ns", "earliest_ns",
					     "slack_ns", NULL };
	static const char *const schedules[] = { "workers", "rank_ns", "submission_ns", "heft_ns",
						 "bound_ns", NULL };
	json_t *item;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		printf("%-10s ", heads[i]);
		print_number(value, heads[i], 0);
		putchar('\n');
	}
	printf("%-10s", "path");
	json_array_foreach(json_object_get(value, "path"), i, item) {
		if (json_is_string(item))
			printf(" %s", json_string_value(item));
		else
			printf(" %" JSON_INTEGER_FORMAT, json_integer_value(item));
	}
	putchar('\n');
	print_table(json_object_get(value, "node"), nodes);
	print_table(json_object_get(value, "schedule"), schedules);
}

static int run(const struct args *args)
{
	json_t *value = json_object();
	int err = analyze(args, value);

	if (!err && args->json) {
		json_dumpf(value, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!err) {
		print_text(value);
	}
	json_decref(value);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = fail(errno, "standard output");
	return err ? 1 : 0;
}

int graph_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "workers", required_argument, NULL, 'w' },
		{ "gantt", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct args args = {};
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "w:g:jh", options, NULL)) != -1) {
		switch (c) {
		case 'w':
			if (!parse_number(optarg, 10, 1, WORKERS_MOST, &number))
				return wrong_usage("--workers takes a number from 1 to 1024");
			args.workers = (uint32_t)number;
			break;
		case 'g':
			args.gantt = optarg;
			break;
		case 'j':
			args.json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc || strcmp(argv[optind], "analyze"))
		return wrong_usage("which command? There is analyze");
	if (optind + 2 != argc)
		return wrong_usage("analyze takes one file");
	if (args.gantt && !args.workers)
		return wrong_usage("--gantt needs --workers");
	args.path = argv[optind + 1];
	return run(&args);
}
