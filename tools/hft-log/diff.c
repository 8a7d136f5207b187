// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log diff: where do two logs part? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"

#define CONTEXT		3
#define CONTEXT_MAX	1000

struct side {
	struct filter filter;
	struct hft_log_reader *reader;
	const struct hft_log_view *view;	/* NULL: no more */
	uint64_t first_time;
	int ret;
};

struct diff {
	struct side sides[2];
	char *names;				/* of --fields or --ignore */
	bool only;				/* those of @names, not those that are not */
	bool times;
	bool source;
	bool any_thread;
	uint64_t context;
	char **lines;				/* those before, a ring */
	uint64_t records;			/* that were the same */
};

enum {
	DIFF_FIELDS = FILTER_END,
	DIFF_IGNORE,
	DIFF_TIME,
	DIFF_CONTEXT,
	DIFF_SOURCE,
	DIFF_ANY_THREAD,
};

static const struct option options[] = {
	FILTER_OPTIONS,
	{ "fields", required_argument, NULL, DIFF_FIELDS },
	{ "ignore", required_argument, NULL, DIFF_IGNORE },
	{ "ignore-time", no_argument, NULL, 'i' },
	{ "time", no_argument, NULL, DIFF_TIME },
	{ "source", no_argument, NULL, DIFF_SOURCE },
	{ "any-thread", no_argument, NULL, DIFF_ANY_THREAD },
	{ "context", required_argument, NULL, DIFF_CONTEXT },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log diff [OPTION]... LOG LOG\n"
	      "Find the first record of two runs that is not the same: another call site, level,\n"
	      "name of the thread, or value of a field.\n"
	      "\n"
	      "  --fields NAMES      compare these fields only\n"
	      "  --ignore NAMES      compare all fields but these\n"
	      "  --ignore-time       do not compare when records were logged, nor fields that are\n"
	      "                      times of CLOCK_MONOTONIC: the default\n"
	      "  --time              compare times, from the first record on, and such fields\n"
	      "  --source            compare files and lines of call sites, too\n"
	      "  --any-thread        do not compare names of threads\n"
	      "  --context N         show so many records before and behind (default 3)\n"
	      FILTER_HELP
	      "\n"
	      "Records are compared in the order of time, so threads that race differ from run to\n"
	      "run: compare one of them with --where '@thread == \"NAME\"'.  Pointers are not compared,\n"
	      "nor, without --subsystem, what logs say of themselves: their clocks, and losses (hft).\n"
	      "\n"
	      "Exit status: 0 if they are the same, 1 if not, 2 for wrong usage or a log that can\n"
	      "not be read, 3 if they are as far as one of them can be read.\n", stdout);
}

static int take_option(struct diff *diff, int option)
{
	switch (option) {
	case DIFF_FIELDS:
	case DIFF_IGNORE:
		diff->names = trim_list(optarg);
		diff->only = option == DIFF_FIELDS;
		return 0;
	case 'i':
		diff->times = false;
		return 0;
	case DIFF_TIME:
		diff->times = true;
		return 0;
	case DIFF_SOURCE:
		diff->source = true;
		return 0;
	case DIFF_ANY_THREAD:
		diff->any_thread = true;
		return 0;
	case DIFF_CONTEXT:
		if (parse_number(optarg, 10, 0, CONTEXT_MAX, &diff->context))
			return 0;
		return wrong_usage("--context %s is no number from 0 to %d", optarg, CONTEXT_MAX);
	case 'h':
		usage();
		return -1;
	default:
		return filter_option(&diff->sides[0].filter, option, optarg) ? STATUS_USAGE :
		       filter_option(&diff->sides[1].filter, option, optarg);
	}
}

static bool is_named(const char *names, const char *name)
{
	size_t length = strlen(name), part;

	for (; names; names = names[part] ? names + part + 1 : NULL) {
		part = strcspn(names, ",");
		if (part == length && !memcmp(names, name, length))
			return true;
	}
	return false;
}

static bool is_compared(const struct diff *diff, const struct hft_log_view_field *field)
{
	if (diff->names && is_named(diff->names, field->name) != diff->only)
		return false;
	if (field->type == HFT_LOG_POINTER)
		return false;
	return diff->times || field->type != HFT_LOG_STAMP;
}

static bool is_text(uint8_t type)
{
	return type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL;
}

/* A double is the same if its bits are. */
static bool same_value(uint8_t type, const union hft_log_view_value *a,
		       const union hft_log_view_value *b)
{
	return is_text(type) ? !strcmp(a->s, b->s) : a->u == b->u;
}

static bool same_site(const struct diff *diff, const struct hft_log_view_site *a,
		      const struct hft_log_view_site *b)
{
	uint32_t i;

	if (a->level != b->level || a->nr_fields != b->nr_fields ||
	    strcmp(a->subsystem, b->subsystem) || strcmp(a->name, b->name) ||
	    strcmp(a->format, b->format))
		return false;
	if (diff->source && (a->line != b->line || strcmp(a->file, b->file)))
		return false;
	for (i = 0; i < a->nr_fields; i++)
		if (a->fields[i].type != b->fields[i].type ||
		    strcmp(a->fields[i].name, b->fields[i].name))
			return false;
	return true;
}

static uint64_t time_of(const struct side *side)
{
	return side->view->time - side->first_time;
}

/* What is not the same, NULL: nothing is. */
static const char *difference(const struct diff *diff)
{
	const struct side *a = &diff->sides[0], *b = &diff->sides[1];
	const struct hft_log_view_site *site;
	uint32_t i;

	if (!a->view || !b->view)
		return a->view == b->view ? NULL : "the end";
	site = a->view->site;
	if (!same_site(diff, site, b->view->site))
		return "the call site";
	if (!diff->any_thread && strcmp(a->view->stream->thread, b->view->stream->thread))
		return "the thread";
	if (diff->times && time_of(a) != time_of(b))
		return "the time";
	for (i = 0; i < site->nr_fields; i++)
		if (is_compared(diff, &site->fields[i]) &&
		    !same_value(site->fields[i].type, &a->view->values[i], &b->view->values[i]))
			return site->fields[i].name;
	return NULL;
}

/* Clocks are not the same in any two runs. */
static bool is_left_out(const struct side *side)
{
	return !side->filter.opts.subsystems && !strcmp(side->view->site->subsystem, "hft");
}

static void next(struct side *side)
{
	do {
		side->ret = hft_log_reader_next(side->reader, &side->view);
	} while (side->ret > 0 && is_left_out(side));
	if (side->ret <= 0)
		side->view = NULL;
}

/* NULL: no memory, which was told. */
static char *line_of(const struct hft_log_view *view)
{
	size_t size = 256, length;
	char *line = NULL, *more;

	for (;; size = length + 1) {
		more = realloc(line, size);
		if (!more) {
			free(line);
			fail(ENOMEM, "a record");
			return NULL;
		}
		line = more;
		length = hft_log_view_line(view, 0, line, size);
		if (length < size)
			return line;
	}
}

static int keep(struct diff *diff)
{
	char **line;

	if (!diff->context)
		return 0;
	line = &diff->lines[diff->records % diff->context];
	free(*line);
	*line = line_of(diff->sides[0].view);
	return *line ? 0 : -ENOMEM;
}

static void print_kept(const struct diff *diff)
{
	uint64_t i = diff->records > diff->context ? diff->records - diff->context : 0;

	for (; i < diff->records; i++)
		printf("  %s\n", diff->lines[i % diff->context]);
}

static int print_side(struct diff *diff, struct side *side, char mark)
{
	uint64_t i;
	char *line;

	if (!side->view)
		printf("%c (the end)\n", mark);
	for (i = 0; i <= diff->context && side->view; i++) {
		line = line_of(side->view);
		if (!line)
			return -ENOMEM;
		printf("%c %s\n", mark, line);
		free(line);
		next(side);
	}
	return 0;
}

static int print_difference(struct diff *diff, const char *what)
{
	int err;

	printf("%" PRIu64 " records are the same; then they differ: %s\n", diff->records, what);
	print_kept(diff);
	err = print_side(diff, &diff->sides[0], '<');
	if (!err)
		err = print_side(diff, &diff->sides[1], '>');
	return err ? STATUS_USAGE : STATUS_DAMAGED;
}

/* The status of what was read of both. */
static int status_of(struct diff *diff)
{
	int a = filter_status(&diff->sides[0].filter, diff->sides[0].ret);
	int b = filter_status(&diff->sides[1].filter, diff->sides[1].ret);

	if (a == STATUS_USAGE || b == STATUS_USAGE)
		return STATUS_USAGE;
	return a || b ? STATUS_TORN : STATUS_OK;
}

/* It has no more records, but had: what the other one has may be the same. */
static bool is_cut_off(const struct side *side)
{
	return !side->view && (side->filter.torn || side->filter.damaged);
}

static int compare(struct diff *diff)
{
	const char *what;
	int i;

	for (i = 0; i < 2; i++) {
		next(&diff->sides[i]);
		diff->sides[i].first_time = diff->sides[i].view ? diff->sides[i].view->time : 0;
	}
	while (!(what = difference(diff)) && diff->sides[0].view) {
		if (keep(diff))
			return STATUS_USAGE;
		diff->records++;
		next(&diff->sides[0]);
		next(&diff->sides[1]);
	}
	if (what && diff->sides[0].ret >= 0 && diff->sides[1].ret >= 0 &&
	    !is_cut_off(&diff->sides[0]) && !is_cut_off(&diff->sides[1]))
		return print_difference(diff, what);
	i = status_of(diff);
	if (i != STATUS_USAGE)
		printf("%" PRIu64 " records are the same\n", diff->records);
	return i;
}

static int open_sides(struct diff *diff, char **paths)
{
	int i, status = 0;

	for (i = 0; i < 2 && !status; i++)
		status = filter_open(&diff->sides[i].filter, &diff->sides[i].reader, paths + i, 1);
	return status;
}

static int run(int argc, char **argv, struct diff *diff)
{
	int option, status = 0;

	while (!status && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		status = take_option(diff, option);
	if (status)
		return status;
	if (argc - optind != 2)
		return wrong_usage("diff takes two logs");
	diff->lines = calloc(diff->context + 1, sizeof(*diff->lines));
	if (!diff->lines) {
		fail(ENOMEM, "context");
		return STATUS_USAGE;
	}
	status = open_sides(diff, argv + optind);
	if (!status)
		status = compare(diff);
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		fail(errno ? errno : EIO, "standard output");
		return STATUS_USAGE;
	}
	return status;
}

int cmd_diff(int argc, char **argv)
{
	struct diff diff = { .context = CONTEXT };
	uint64_t line;
	int i, status;

	tool_help = "hft-log diff --help";
	for (i = 0; i < 2; i++)
		filter_begin(&diff.sides[i].filter);
	status = run(argc, argv, &diff);
	for (i = 0; i < 2; i++) {
		hft_log_reader_close(diff.sides[i].reader);
		filter_end(&diff.sides[i].filter);
	}
	for (line = 0; diff.lines && line < diff.context; line++)
		free(diff.lines[line]);
	free(diff.lines);
	return status < 0 ? STATUS_OK : status;
}
