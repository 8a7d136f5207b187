/* SPDX-License-Identifier: GPL-2.0-only */
/* A log of this process in a folder of its own, and what is read of it. */
#ifndef LOG_HERE_H
#define LOG_HERE_H

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include "tree.h"

static char dir[PATH_MAX];
static struct hft_log *the_log;

static inline int begin(void **state)
{
	(void)state;
	tree_make(dir, NULL, 0);
	return hft_log_open(&the_log, dir, NULL);
}

/* The log is whole: there is nothing to be told beside records. */
static inline void no_notice(void *context, const struct hft_log_notice *notice)
{
	(void)context;
	fail_msg("%s: %s", notice->path, notice->text ? notice->text : "lost records");
}

static inline struct hft_log_reader *read_log(const char *subsystems)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = subsystems, .notice = no_notice);
	const char *paths[] = { dir };
	struct hft_log_reader *reader;

	assert_int_equal(hft_log_reader_open(&reader, paths, 1, &opts), 0);
	return reader;
}

static inline struct hft_log_reader *reopen(const char *subsystems)
{
	assert_int_equal(hft_log_close(the_log), 0);
	return read_log(subsystems);
}

#endif /* LOG_HERE_H */
