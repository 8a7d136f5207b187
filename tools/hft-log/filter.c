// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <common/left.h>
#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"

#define NS_PER_S	1000000000ull
#define TOLD_MAX	100u

static void tell(struct filter *filter, const struct hft_log_notice *notice)
{
	progress_clear(&filter->progress);
	if (filter->told++ < TOLD_MAX)
		fail(0, "%s: at %" PRIu64 ": %s", notice->path, notice->offset, notice->text);
	else if (filter->told == TOLD_MAX + 1)
		fail(0, "there is more of this, which is not told");
}

static void take_notice(void *context, const struct hft_log_notice *notice)
{
	struct filter *filter = context;

	if (notice->kind == HFT_LOG_NOTICE_LOST) {
		if (filter->loss)
			filter->loss(filter->loss_context, notice);
		return;
	}
	if (notice->kind == HFT_LOG_NOTICE_TORN)
		filter->torn = true;
	else
		filter->damaged = true;
	tell(filter, notice);
}

static void take_progress(void *context, const struct hft_log_reader_progress *progress)
{
	struct filter *filter = context;

	progress_show(&filter->progress, progress->bytes, progress->total);
}

void filter_begin(struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->opts.sz = sizeof(filter->opts);
	filter->opts.notice = take_notice;
	filter->opts.progress = take_progress;
	filter->opts.context = filter;
}

void filter_end(struct filter *filter)
{
	hft_log_where_free(filter->opts.where);
	free(filter->tasks);
	free(filter->symbols);
	free(filter->symbol_text);
}

/* The rest of a second, behind the point. */
static bool parse_fraction(const char **at, uint64_t *ns)
{
	uint64_t unit = NS_PER_S / 10;

	*ns = 0;
	if (**at != '.')
		return true;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		*ns += unit * (uint64_t)(**at - '0');
	return (*at)[-1] != '.';
}

/* 2026-11-22, 2026-11-22T03:15, with seconds, with a fraction, with a Z at the end */
static bool parse_date(const char *text, uint64_t *time)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	struct tm tm = { 0 };
	const char *at = NULL;
	uint64_t ns;
	size_t i;

	for (i = 0; !at && i < sizeof(formats) / sizeof(formats[0]); i++) {
		memset(&tm, 0, sizeof(tm));
		at = strptime(text, formats[i], &tm);
	}
	if (!at || !parse_fraction(&at, &ns) || strcmp(at + (*at == 'Z'), ""))
		return false;
	if (tm.tm_year < 70)
		return false;
	*time = (uint64_t)timegm(&tm) * NS_PER_S + ns;
	return true;
}

static int set_time(const char *option, const char *text, uint64_t *time)
{
	if (parse_date(text, time) || parse_number(text, 10, 0, UINT64_MAX, time))
		return 0;
	return wrong_usage("%s %s is no time", option, text);
}

static int set_level(struct filter *filter, const char *name)
{
	int level = hft_log_level_parse(name);

	if (level < 0)
		return wrong_usage("no level is called %s", name);
	filter->opts.levels = (2ull << level) - 1;
	return 0;
}

/* Calls @take with each part of a list with commas. */
static int for_each(char *list, int (*take)(struct filter *filter, const char *part),
		    struct filter *filter)
{
	char *part, *rest = trim_list(list);
	int ret = 0;

	while (!ret && (part = strsep(&rest, ",")))
		ret = take(filter, part);
	return ret;
}

static int add_class(struct filter *filter, const char *text)
{
	uint64_t number;

	if (!parse_number(text, 10, 0, 63, &number))
		return wrong_usage("--class %s is no number from 0 to 63", text);
	filter->opts.classes |= 1ull << number;
	return 0;
}

static int no_memory(void)
{
	fail(ENOMEM, "options");
	return STATUS_USAGE;
}

static int add_task(struct filter *filter, const char *text)
{
	uint64_t number, *tasks;

	if (!parse_number(text, 0, 0, UINT64_MAX, &number))
		return wrong_usage("--task %s is no number", text);
	tasks = reallocarray(filter->tasks, filter->opts.nr_tasks + 1, sizeof(*tasks));
	if (!tasks)
		return no_memory();
	filter->tasks = tasks;
	tasks[filter->opts.nr_tasks++] = number;
	filter->opts.tasks = tasks;
	return 0;
}

static int add_symbol(struct filter *filter, const char *text)
{
	const char **symbols = reallocarray(filter->symbols, filter->opts.nr_symbols + 1,
					    sizeof(*symbols));

	if (!symbols)
		return no_memory();
	filter->symbols = symbols;
	symbols[filter->opts.nr_symbols++] = text;
	filter->opts.symbols = symbols;
	return 0;
}

static int set_list(struct filter *filter, const char *text,
		    int (*take)(struct filter *filter, const char *part), bool keep)
{
	char *copy = strdup(text);
	int ret;

	if (!copy)
		return no_memory();
	ret = for_each(copy, take, filter);
	if (!keep) {
		free(copy);
		return ret;
	}
	free(filter->symbol_text);
	filter->symbol_text = copy;
	return ret;
}

static int set_symbols(struct filter *filter, const char *text)
{
	filter->opts.nr_symbols = 0;	/* the last --symbol counts */
	return set_list(filter, text, add_symbol, true);
}

static int set_where(struct filter *filter, const char *text)
{
	struct hft_log_where_error error = { 0, "no memory" };

	hft_log_where_free(filter->opts.where);
	filter->opts.where = NULL;
	if (!hft_log_where_parse(&filter->opts.where, text, &error))
		return 0;
	fprintf(stderr, "  %s\n  %*s\n", text, (int)error.position + 1, "^");
	return wrong_usage("--where: at %zu: %s", error.position + 1, error.text);
}

int filter_option(struct filter *filter, int option, char *argument)
{
	switch (option) {
	case FILTER_FROM:
		return set_time("--from", argument, &filter->opts.from);
	case FILTER_TO:
		return set_time("--to", argument, &filter->opts.to);
	case FILTER_LEVEL:
		return set_level(filter, argument);
	case FILTER_SUBSYSTEM:
		filter->opts.subsystems = trim_list(argument);
		return 0;
	case FILTER_CLASS:
		return set_list(filter, argument, add_class, false);
	case FILTER_TASK:
		return set_list(filter, argument, add_task, false);
	case FILTER_SYMBOL:
		return set_symbols(filter, argument);
	case FILTER_WHERE:
		return set_where(filter, argument);
	default:	/* getopt has told */
		fprintf(stderr, "hft-log: see %s\n", tool_help);
		return STATUS_USAGE;
	}
}

int filter_open(struct filter *filter, struct hft_log_reader **reader, char *const *paths,
		int nr_paths)
{
	int err, i;

	if (nr_paths < 1)
		return wrong_usage("which log?");
	if (filter->opts.to && filter->opts.from >= filter->opts.to)
		return wrong_usage("--from is not before --to");
	err = hft_log_reader_open(reader, (const char *const *)paths, (unsigned int)nr_paths,
				  &filter->opts);
	if (err)
		fail_hft(err, NULL);
	for (i = 0; i < nr_paths; i++)
		filter->torn |= tell_left(paths[i]);
	return err ? STATUS_USAGE : 0;
}

int filter_status(struct filter *filter, int ret)
{
	progress_clear(&filter->progress);
	if (ret < 0) {
		fail_hft(ret, NULL);
		return STATUS_USAGE;
	}
	if (filter->damaged)
		return STATUS_DAMAGED;
	return filter->torn ? STATUS_TORN : STATUS_OK;
}
