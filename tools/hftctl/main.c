// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl: look at hft.ko and at what uses it. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "hftctl.h"

#define SCALE	1000		/* of detect */

struct args {
	pid_t pid;
	const char *operand;		/* what follows the command; NULL: nothing */
	struct analyze_args analyze;
	double scale;			/* 0: none said */
};

static int run_query(const struct args *args, json_t **value)
{
	(void)args;
	return query_read(value);
}

static int run_sinks(const struct args *args, json_t **value)
{
	(void)args;
	return sinks_read(value);
}

static int run_rings(const struct args *args, json_t **value)
{
	(void)args;
	return rings_read(value);
}

static int run_rules(const struct args *args, json_t **value)
{
	return rules_read(args->pid, value);
}

/* A positive status is of wrong usage. */
static int run_cancel(const struct args *args, json_t **value)
{
	uint64_t task;

	*value = NULL;
	if (!parse_number(args->operand, 0, 1, UINT64_MAX, &task))
		return wrong_usage("cancel needs the id of a task, a number above 0");
	return cancel_task(args->pid, task);
}

static int run_analyze(const struct args *args, json_t **value)
{
	if (args->analyze.policy < 0)
		return wrong_usage("analyze needs --policy edf, rm, dm or fp");
	return analyze_file(args->operand, &args->analyze, value);
}

static int run_detect(const struct args *args, json_t **value)
{
	*value = NULL;
	return detect_file(args->operand, args->scale ? args->scale : SCALE);
}

static const struct command {
	const char *name;
	int (*run)(const struct args *args, json_t **value);
	const char *operand;		/* NULL: takes none */
	bool takes_pid;
	bool needs_pid;
	bool only_json;
	bool analyzes;
	bool detects;
} commands[] = {
	{ .name = "query", .run = run_query },
	{ .name = "rings", .run = run_rings },
	{ .name = "sinks", .run = run_sinks },
	{ .name = "rules", .run = run_rules, .takes_pid = true, .needs_pid = true },
	{ .name = "cancel", .run = run_cancel, .takes_pid = true, .needs_pid = true,
	  .operand = "cancel needs the id of a task, a number above 0" },
	{ .name = "analyze", .run = run_analyze, .operand = "analyze needs a file",
	  .only_json = true, .analyzes = true },
	{ .name = "detect", .run = run_detect, .operand = "detect needs a file",
	  .detects = true },
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl [--json] COMMAND\n"
	      "Look at the hft kernel module and at what uses it, or at what could.\n"
	      "\n"
	      "  query               what the module offers: features and limits (leads in ns)\n"
	      "  stats               counters of the module since it was loaded, and histograms of\n"
	      "                      what tasks took, of all or of a process: see hftctl stats --help\n"
	      "  top                 such histograms, of what came since the last look: see there\n"
	      "  log DIR             the rings of a process's log, and which of its calls are wanted:\n"
	      "                      see hftctl log --help\n"
	      "  rings               the rings of all processes, one a line (leads in ns)\n"
	      "  sinks               the devices that can be given tasks, one a line\n"
	      "  rules --pid PID     what the rules of a process's rings do about anomalies, one a line\n"
	      "  cancel --pid PID ID take back a queued task of a process by its id\n"
	      "  analyze --policy POLICY FILE\n"
	      "                      are these tasks schedulable on one CPU? Prints JSON: the\n"
	      "                      verdict, each task's response time in ns, in the order of\n"
	      "                      the file (null: none is known), the utilisation, and the\n"
	      "                      first deadline missed when all are released at 0\n"
	      "  replay DIR          do again, on a simulated machine, what HFT_RECORD=DIR has\n"
	      "                      recorded, and compare each dispatch: see hftctl replay --help\n"
	      "  detect FILE         an anomaly detector's verdict on each row \"timestamp,value\" of\n"
	      "                      a file of durations, in the order of time: prints CSV\n"
	      "  graph analyze FILE  the critical path of a task graph, and how it would run: see\n"
	      "                      hftctl graph --help\n"
	      "  graph compare FILE...\n"
	      "                      what the order by the critical path gains: see there\n"
	      "  topology            the CPUs, what they share, and which are isolated: see\n"
	      "                      hftctl place --help\n"
	      "  place               the CPU that each worker would get, and why: see there\n"
	      "\n"
	      "For analyze, FILE has a line \"wcet,period,deadline\" for each task, in ns from\n"
	      "1 on; '#' begins a comment; - is standard input. Exit status 0 is not a verdict.\n"
	      "\n"
	      "  -j, --json          print JSON instead of text\n"
	      "  -p, --pid PID       the process; needs the right to ptrace it\n"
	      "  -P, --policy POLICY analyze: edf, rm (by period), dm (by deadline), or fp (as\n"
	      "                      listed, the highest priority first)\n"
	      "  -b, --breakdown     analyze: also by what the wcets can be scaled, and the\n"
	      "                      utilisation then, before the first deadline is missed\n"
	      "      --max-steps N   analyze: give up after that many terms of a sum (10^9, some\n"
	      "                      ns each)\n"
	      "  -s, --scale N       detect: of a value 1/N is told apart (1000)\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "For detect, a timestamp is a number, or a date and time of UTC (2026-01-02\n"
	      "03:04:05.678), and a value a number from 0 on; a first line that is neither is a\n"
	      "header. Printed are the two, a score (how far above the median the value is; more\n"
	      "than 1 is a spike, and 0 until 256 are known) and a kind: none, spike, shift (values\n"
	      "are at another level now), drift (slowly), stall (nothing came for long; the score\n"
	      "is of that time), or burst (values come faster).\n"
	      "\n"
	      "The state of a rule is armed or in-force, or of a dry run armed-dry-run or would-act;\n"
	      "anomaly is the last that it has counted, anomalies how many; limited is how often its\n"
	      "interval has kept it from acting, withheld how often it could change nothing; value\n"
	      "is what it has set (a lead in ns, levels, a level), or set back; since_ago_ns is how\n"
	      "long it has been in force, last_ago_ns how long ago it acted or was undone.\n"
	      "\n"
	      "Exit status: 0, 1 when the command failed, 2 for wrong usage.\n",
	      out);
}

/* Returns its width. */
static int print_value(const json_t *value, int width)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		return printf("%-*s", width, json_string_value(value));
	if (json_is_integer(value))
		return printf("%*lld", width, (long long)json_integer_value(value));
	if (json_is_null(value))
		return printf("%*s", width, "-");
	if (json_is_boolean(value))
		return printf("%*s", width, json_is_true(value) ? "yes" : "no");
	json_array_foreach((json_t *)value, i, item)
		printf("%s%s", i ? " " : "", json_string_value(item));
	return 0;
}

static void print_object(json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		printf("%-12s ", key);
		print_value(value, 0);
		putchar('\n');
	}
}

int column_width(const char *key)
{
	int width = (int)strlen(key);

	return width < 8 ? 8 : width;
}

static void print_table(json_t *array)
{
	const char *key;
	json_t *row, *value;
	size_t i;

	json_array_foreach(array, i, row) {
		if (!i) {
			json_object_foreach(row, key, value)
				printf(json_is_string(value) ? "%-*s " : "%*s ",
				       json_is_string(value) ? 16 : column_width(key), key);
			putchar('\n');
		}
		json_object_foreach(row, key, value) {
			print_value(value, json_is_string(value) ? 16 : column_width(key));
			putchar(' ');
		}
		putchar('\n');
	}
}

int print_end(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	fail(errno, "standard output");
	return 1;
}

int print(json_t *value, bool json)
{
	if (json) {
		json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
		putchar('\n');
	} else if (json_is_array(value)) {
		print_table(value);
	} else {
		print_object(value);
	}
	return print_end();
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static bool has_analyze_options(const struct analyze_args *args)
{
	return args->policy >= 0 || args->breakdown || args->max_steps;
}

static int run(const struct command *command, const struct args *args, bool json)
{
	json_t *value;
	int ret;

	if (args->pid && !command->takes_pid)
		return wrong_usage("this command takes no --pid");
	if (!args->pid && command->needs_pid)
		return wrong_usage("this command needs --pid");
	if (has_analyze_options(&args->analyze) && !command->analyzes)
		return wrong_usage("--policy, --breakdown and --max-steps are for analyze");
	if (args->scale && !command->detects)
		return wrong_usage("--scale is for detect");
	if (json && command->detects)
		return wrong_usage("detect prints CSV");
	if (!args->operand && command->operand)
		return wrong_usage("%s", command->operand);
	if (args->operand && !command->operand)
		return wrong_usage("too many arguments");
	ret = command->run(args, &value);
	if (ret)
		return ret < 0 ? 1 : ret;
	if (!value)
		return 0;
	ret = print(value, json || command->only_json);
	json_decref(value);
	return ret;
}

/* Returns 0, or the status to exit with. */
static int parse_analyze_option(int c, const char *text, struct analyze_args *args)
{
	switch (c) {
	case 'P':
		args->policy = analyze_policy(text);
		return args->policy < 0 ? wrong_usage("--policy is edf, rm, dm or fp") : 0;
	case 'b':
		args->breakdown = true;
		return 0;
	default:
		return parse_number(text, 0, 1, UINT64_MAX, &args->max_steps) ? 0 :
		       wrong_usage("--max-steps takes a number greater than zero");
	}
}

/* They have options of their own, which may be before the command. */
static const struct own_command {
	const char *name;
	int (*main)(int argc, char **argv);
} own_commands[] = {
	{ "stats", stats_main },
	{ "top", stats_main },
	{ "graph", graph_main },
	{ "topology", place_main },
	{ "place", place_main },
	{ "replay", replay_main },
	{ "log", log_main },
};

/* NULL: it is none of them. */
static const struct own_command *find_own_command(int argc, char **argv)
{
	size_t k;
	int i;

	for (i = 1; i < argc && !find_command(argv[i]); i++) {
		for (k = 0; k < sizeof(own_commands) / sizeof(own_commands[0]); k++)
			if (!strcmp(argv[i], own_commands[k].name))
				return &own_commands[k];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "policy", required_argument, NULL, 'P' },
		{ "breakdown", no_argument, NULL, 'b' },
		{ "max-steps", required_argument, NULL, 'm' },
		{ "scale", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const struct own_command *own = find_own_command(argc, argv);
	struct args args = { .analyze.policy = -1 };
	const struct command *command;
	bool json = false;
	uint64_t number;
	int c, ret;

	if (own)
		return own->main(argc, argv);
	while ((c = getopt_long(argc, argv, "jp:P:bs:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'p':
			if (!parse_number(optarg, 0, 1, INT32_MAX, &number))
				return wrong_usage("--pid takes the number of a process");
			args.pid = (pid_t)number;
			break;
		case 'P':
		case 'b':
		case 'm':
			ret = parse_analyze_option(c, optarg, &args.analyze);
			if (ret)
				return ret;
			break;
		case 's':
			if (!parse_real(optarg, 1e-9, 1e9, &args.scale))
				return wrong_usage("--scale takes a number from 1e-9 to 1e9");
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc)
		return wrong_usage("which command?");
	if (optind + 2 < argc)
		return wrong_usage("too many arguments");
	if (optind + 1 < argc)
		args.operand = argv[optind + 1];
	command = find_command(argv[optind]);
	return command ? run(command, &args, json) : wrong_usage("no such command");
}
