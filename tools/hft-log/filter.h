/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the commands that read logs have in common: the options that say which records are
 * asked for, what the reader tells beside them, and how far it is.
 */
#ifndef HFT_LOG_FILTER_H
#define HFT_LOG_FILTER_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include <hft/log_read.h>

#include "progress.h"

#define FILTER_OPTIONS \
	{ "from", required_argument, NULL, FILTER_FROM }, \
	{ "to", required_argument, NULL, FILTER_TO }, \
	{ "level", required_argument, NULL, FILTER_LEVEL }, \
	{ "subsystem", required_argument, NULL, FILTER_SUBSYSTEM }, \
	{ "class", required_argument, NULL, FILTER_CLASS }, \
	{ "task", required_argument, NULL, FILTER_TASK }, \
	{ "symbol", required_argument, NULL, FILTER_SYMBOL }, \
	{ "where", required_argument, NULL, FILTER_WHERE }

#define FILTER_HELP \
	"  --from TIME         nothing before: 2026-11-22T03:15:01.5Z, UTC, or ns since 1970\n" \
	"  --to TIME           nothing at this time or later\n" \
	"  --level LEVEL       error, warn, notice, info, debug or trace: this and graver ones\n" \
	"  --subsystem NAMES   patterns with * and ?, separated by commas\n" \
	"  --class CLASSES     records of tasks of these classes: 0, 2\n" \
	"  --task IDS          records of these tasks\n" \
	"  --symbol SYMBOLS    records of these instruments\n" \
	"  --where EXPRESSION  records that are so: price > 100 && symbol == \"ABC\"\n" \
	"                      || && ! ( ) == != < <= > >= and ~ for patterns, over fields,\n" \
	"                      numbers, texts, and @time, @level, @thread, @tid, ...\n"

enum {
	FILTER_FROM = 0x100,
	FILTER_TO,
	FILTER_LEVEL,
	FILTER_SUBSYSTEM,
	FILTER_CLASS,
	FILTER_TASK,
	FILTER_SYMBOL,
	FILTER_WHERE,
	FILTER_END,			/* a command's own options may begin here */
};

struct filter {
	struct hft_log_reader_opts opts;
	uint64_t *tasks;
	const char **symbols;
	char *symbol_text;
	/* Hears of losses. */
	void (*loss)(void *context, const struct hft_log_notice *notice);
	void *loss_context;
	/* What else the reader told of. */
	bool damaged;
	bool torn;
	unsigned int told;
	struct progress progress;
};

void filter_begin(struct filter *filter);
void filter_end(struct filter *filter);

/* 0, or the exit status of wrong usage, which was told. */
int filter_option(struct filter *filter, int option, char *argument);

/* 0, or the exit status of what was told. */
int filter_open(struct filter *filter, struct hft_log_reader **reader, char *const *paths,
		int nr_paths);

/* What the exit status is, of a reader that was read to its end with @ret. */
int filter_status(struct filter *filter, int ret);

#endif /* HFT_LOG_FILTER_H */
