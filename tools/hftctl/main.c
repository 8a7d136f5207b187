// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl: look at hft.ko and at what uses it. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hftctl.h"

struct args {
	pid_t pid;
	uint64_t task;
};

static int run_query(const struct args *args, json_t **value)
{
	(void)args;
	return query_read(value);
}

static int run_stats(const struct args *args, json_t **value)
{
	return args->pid ? stats_read_process(args->pid, value) : stats_read_module(value);
}

static int run_rings(const struct args *args, json_t **value)
{
	(void)args;
	return rings_read(value);
}

static int run_cancel(const struct args *args, json_t **value)
{
	*value = NULL;
	return cancel_task(args->pid, args->task);
}

static const struct command {
	const char *name;
	int (*run)(const struct args *args, json_t **value);
	bool takes_pid;
	bool needs_pid;
	bool needs_task;
} commands[] = {
	{ "query", run_query, false, false, false },
	{ "stats", run_stats, true, false, false },
	{ "rings", run_rings, false, false, false },
	{ "cancel", run_cancel, true, true, true },
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl [--json] COMMAND\n"
	      "Look at the hft kernel module and at what uses it.\n"
	      "\n"
	      "  query               what the module offers: features and limits (leads in ns)\n"
	      "  stats               counters of the module since it was loaded\n"
	      "  stats --pid PID     counters of each context that a process has open\n"
	      "  rings               the rings of all processes, one a line (leads in ns)\n"
	      "  cancel --pid PID ID take back a queued task of a process by its id\n"
	      "\n"
	      "  -j, --json          print JSON instead of text\n"
	      "  -p, --pid PID       the process; needs the right to ptrace it\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0, 1 when the command failed, 2 for wrong usage.\n",
	      out);
}

int fail(int err, const char *format, ...)
{
	va_list args;

	fputs("hftctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	return -err;
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

static int column_width(const char *key)
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

static int print(json_t *value, bool json)
{
	if (json) {
		json_dumpf(value, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (json_is_array(value)) {
		print_table(value);
	} else {
		print_object(value);
	}
	if (fflush(stdout) || ferror(stdout)) {
		fail(errno, "standard output");
		return 1;
	}
	return 0;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-' && *number && *number <= most;
}

static int wrong_usage(const char *what)
{
	fprintf(stderr, "hftctl: %s: see --help\n", what);
	return 2;
}

static int run(const struct command *command, const struct args *args, bool json)
{
	json_t *value;
	int ret;

	if (args->pid && !command->takes_pid)
		return wrong_usage("this command takes no --pid");
	if (!args->pid && command->needs_pid)
		return wrong_usage("this command needs --pid");
	if (command->run(args, &value) < 0)
		return 1;
	if (!value)
		return 0;
	ret = print(value, json);
	json_decref(value);
	return ret;
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* @text: what is behind the command, or NULL. */
static bool parse_task(const char *text, const struct command *command, struct args *args)
{
	if (!command->needs_task)
		return !text;
	return text && parse_number(text, UINT64_MAX, &args->task);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct args args = { 0 };
	bool json = false;
	const struct command *command;
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "jp:h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'p':
			if (!parse_number(optarg, INT32_MAX, &number))
				return wrong_usage("--pid takes the number of a process");
			args.pid = (pid_t)number;
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
	command = find_command(argv[optind]);
	if (!command)
		return wrong_usage("no such command");
	if (!parse_task(argv[optind + 1], command, &args))
		return wrong_usage(command->needs_task ? "cancel needs the id of a task, a number above 0" :
							 "too many arguments");
	return run(command, &args, json);
}
