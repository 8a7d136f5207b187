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
#include "machine.h"

#define WORKERS_MOST	1024

struct args {
	const char *path;
	uint32_t workers;		/* 0: 2, 4, 8 and 16 */
	const char *gantt;
	bool run;
	bool json;
};

static const uint32_t counts[] = { 2, 4, 8, 16 };

static void usage(FILE *out)
{
	fputs("Usage: hftctl graph analyze [OPTION]... FILE\n"
	      "       hftctl graph compare [OPTION]... FILE...\n"
	      "Read task graphs; tell the critical path of one and how it would run, or what the\n"
	      "order by the critical path gains over that of submission.\n"
	      "\n"
	      "A FILE is of the Standard Task Graph Set; - is standard input.\n"
	      "\n"
	      "analyze: the file's times count as ns.  For each node: its time, its rank (the\n"
	      "longest way from its start to the end of the graph), its earliest start and its\n"
	      "slack.  For each number of workers: when the last node ends if the ready node of\n"
	      "the highest rank goes first (rank), the one that was ready first (submission), and\n"
	      "if each is placed where it ends first (heft); a time that none can beat (bound);\n"
	      "and what the executor takes on a simulated machine (run).\n"
	      "\n"
	      "  -w, --workers N     of so many workers (2, 4, 8 and 16)\n"
	      "  -r, --run           also run it; at most 256 workers\n"
	      "  -g, --gantt FILE.png\n"
	      "                      draw the schedule by rank, by gnuplot; needs --workers\n"
	      "\n"
	      "compare: the executor runs each graph in many ticks on a simulated machine, by rank\n"
	      "and by submission, and learns what the nodes take, which drifts.  A node's cost in\n"
	      "the first tick is of an exponential distribution whose mean is the file's time in\n"
	      "us; to the last it has risen, or fallen, by the factor of the drift.  Printed are\n"
	      "means over the ticks: from start to end by each order, a bound (the critical path,\n"
	      "or the work shared evenly, by the true costs), what the order by rank gains over\n"
	      "that of submission, the most that the bound allows, and whether that is 20 %: the\n"
	      "average gain is over those rows.\n"
	      "\n"
	      "  -w, --workers N     of so many workers, at most 256 (2, 4 and 8)\n"
	      "  -t, --ticks N       runs of each graph, 1 to 100000 (100)\n"
	      "  -s, --seed N        of the costs and of the machine (1)\n"
	      "  -n, --rounds N      with so many seeds, one after the other, 1 to 1000 (1)\n"
	      "  -d, --drift FACTOR  1 to 1000 (5)\n"
	      "\n"
	      "  -j, --json          print JSON instead of text\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0, 1 when the command failed, 2 for wrong usage.\n",
	      out);
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

/* By the executor itself, on a simulated machine. */
static int run_schedule(const struct stg *stg, uint32_t workers, uint64_t *ns)
{
	HFT_OPTS(hft_graph_opts, opts, .nodes = hft_graph_nodes(stg->graph), .hop_ns = 1,
		 .fixed_costs = true);
	uint64_t *costs = calloc(opts.nodes, sizeof(*costs));
	struct hft_node_info info = { .sz = sizeof(info) };
	struct machine machine;
	uint32_t i;
	int err;

	if (!costs)
		return -ENOMEM;
	for (i = 0; i < opts.nodes; i++) {
		hft_graph_node_info(stg->graph, i, &info);
		costs[i] = info.cost_ns;
	}
	err = machine_open(&machine, stg, workers, 1, &opts, costs);
	if (!err) {
		err = machine_run(&machine, HFT_ORDER_RANK, ns);
		machine_close(&machine);
	}
	free(costs);
	return err;
}

static int add_schedule(const struct stg *stg, const struct args *args, uint64_t work,
			uint32_t workers, struct hft_node_slot *slots, json_t *array)
{
	struct hft_graph *graph = stg->graph;
	HFT_OPTS(hft_schedule_opts, rank, .workers = workers, .order = HFT_ORDER_RANK);
	HFT_OPTS(hft_schedule_opts, submission, .workers = workers, .order = HFT_ORDER_SUBMISSION);
	uint64_t by_rank, by_submission, by_place, by_run;
	json_t *row;
	int err;

	err = hft_graph_schedule(graph, &submission, slots, &by_submission);
	if (!err)
		err = hft_graph_place(graph, &rank, slots, &by_place);
	if (!err)
		err = hft_graph_schedule(graph, &rank, slots, &by_rank);
	if (err)
		return err;
	row = json_pack("{s:I, s:I, s:I, s:I, s:I}", "workers", (json_int_t)workers,
			"rank_ns", (json_int_t)by_rank,
			"submission_ns", (json_int_t)by_submission, "heft_ns", (json_int_t)by_place,
			"bound_ns", (json_int_t)bound(graph, work, workers));
	json_array_append_new(array, row);
	if (!args->run)
		return 0;
	err = run_schedule(stg, workers, &by_run);
	if (!err)
		json_object_set_new(row, "run_ns", json_integer((json_int_t)by_run));
	return err;
}

/* The last schedule by rank is in @slots then. */
static int add_schedules(const struct stg *stg, const struct args *args, uint64_t work,
			 struct hft_node_slot *slots, json_t *value)
{
	json_t *array = json_array();
	size_t i;
	int err = 0;

	json_object_set_new(value, "schedule", array);
	if (args->workers)
		return add_schedule(stg, args, work, args->workers, slots, array);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]) && !err; i++)
		err = add_schedule(stg, args, work, counts[i], slots, array);
	return err;
}

static int describe(const struct stg *stg, const struct args *args, struct hft_node_slot *slots,
		    json_t *value)
{
	struct hft_graph *graph = stg->graph;
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
	err = add_schedules(stg, args, work, slots, value);
	return err ? fail_hft(err, args->path) : 0;
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
	struct hft_node_slot *slots;
	struct stg stg;
	int err;

	err = stg_read(args->path, &stg);
	if (err)
		return err;
	slots = calloc(hft_graph_nodes(stg.graph), sizeof(*slots));
	if (slots)
		err = describe(&stg, args, slots, value);
	else
		err = fail(ENOMEM, "%s", args->path);
	if (!err && args->gantt)
		err = draw(stg.graph, args, slots);
	free(slots);
	stg_free(&stg);
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

static void print_text(const struct args *args, json_t *value)
{
	static const char *const heads[] = { "nodes", "edges", "work_ns", "length_ns" };
	static const char *const nodes[] = { "node", "cost_ns", "rank_ns", "earliest_ns",
					     "slack_ns", NULL };
	static const char *const schedules[] = { "workers", "rank_ns", "submission_ns", "heft_ns",
						 "bound_ns", NULL };
	static const char *const runs[] = { "workers", "rank_ns", "submission_ns", "heft_ns",
					    "bound_ns", "run_ns", NULL };
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
	print_table(json_object_get(value, "schedule"), args->run ? runs : schedules);
}

static int run(const struct args *args)
{
	json_t *value = json_object();
	int err = analyze(args, value);

	if (!err && args->json) {
		json_dumpf(value, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!err) {
		print_text(args, value);
	}
	json_decref(value);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = fail(errno, "standard output");
	return err ? 1 : 0;
}

/* Of analyze and compare; what is not of the command is wrong. */
struct words {
	struct args analyze;
	struct compare_args compare;
	bool is_analyze;		/* an option of that alone was there */
	bool is_compare;
};

/* Returns 0, or 2 for wrong usage. */
static int read_number(const char *text, uint64_t least, uint64_t most, uint64_t *number,
		       const char *reason)
{
	return parse_number(text, 10, least, most, number) ? 0 : wrong_usage("%s", reason);
}

/* Returns 0, 1 the usage was printed, or 2 for wrong usage. */
static int read_option(struct words *words, int c)
{
	uint64_t number = 0;
	int bad = 0;

	switch (c) {
	case 'w':
		bad = read_number(optarg, 1, WORKERS_MOST, &number,
				  "--workers takes a number from 1 to 1024");
		words->analyze.workers = words->compare.workers = (uint32_t)number;
		return bad;
	case 'g':
		words->analyze.gantt = optarg;
		words->is_analyze = true;
		return 0;
	case 'r':
		words->analyze.run = words->is_analyze = true;
		return 0;
	case 'j':
		words->analyze.json = words->compare.json = true;
		return 0;
	case 't':
		bad = read_number(optarg, 1, 100000, &number,
				  "--ticks takes a number from 1 to 100000");
		words->compare.ticks = (uint32_t)number;
		break;
	case 's':
		bad = read_number(optarg, 0, UINT32_MAX, &words->compare.seed,
				  "--seed takes a number of 32 bits");
		break;
	case 'n':
		bad = read_number(optarg, 1, 1000, &number,
				  "--rounds takes a number from 1 to 1000");
		words->compare.rounds = (uint32_t)number;
		break;
	case 'd':
		if (!parse_real(optarg, 1, 1000, &words->compare.drift))
			bad = wrong_usage("--drift takes a factor from 1 to 1000");
		break;
	case 'h':
		usage(stdout);
		return 1;
	default:
		usage(stderr);
		return 2;
	}
	words->is_compare = true;
	return bad;
}

static int check_analyze(const struct words *words, int files)
{
	const struct args *args = &words->analyze;

	if (words->is_compare)
		return wrong_usage("an option of compare");
	if (files != 1)
		return wrong_usage("analyze takes one file");
	if (args->gantt && !args->workers)
		return wrong_usage("--gantt needs --workers");
	if (args->run && args->workers > MACHINE_WORKERS_MOST)
		return wrong_usage("--run takes at most 256 workers");
	return 0;
}

static int check_compare(const struct words *words, int files)
{
	if (words->is_analyze)
		return wrong_usage("an option of analyze");
	if (!files)
		return wrong_usage("compare takes one file or more");
	if (words->compare.workers > MACHINE_WORKERS_MOST)
		return wrong_usage("compare takes at most 256 workers");
	return 0;
}

int graph_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "workers", required_argument, NULL, 'w' },
		{ "gantt", required_argument, NULL, 'g' },
		{ "run", no_argument, NULL, 'r' },
		{ "ticks", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'n' },
		{ "drift", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct words words = {
		.compare = { .ticks = 100, .seed = 1, .rounds = 1, .drift = 5 },
	};
	int c, bad;

	tool_help = "hftctl graph --help";
	while ((c = getopt_long(argc, argv, "w:g:rt:s:n:d:jh", options, NULL)) != -1) {
		bad = read_option(&words, c);
		if (bad)
			return bad == 1 ? 0 : bad;
	}
	optind++;	/* behind "graph" */
	if (optind < argc && !strcmp(argv[optind], "analyze")) {
		bad = check_analyze(&words, argc - optind - 1);
		words.analyze.path = argv[optind + 1];
		return bad ? bad : run(&words.analyze);
	}
	if (optind < argc && !strcmp(argv[optind], "compare")) {
		bad = check_compare(&words, argc - optind - 1);
		if (bad)
			return bad;
		return compare_files(&words.compare, argv + optind + 1, argc - optind - 1) ? 1 : 0;
	}
	return wrong_usage("which command? There are analyze and compare");
}
