/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A folder of a test and a log in it.  It is in memory: each thread that logs has a file, for
 * which a disk takes milliseconds.
 */
#ifndef HOST_LOG_FOLDER_H
#define HOST_LOG_FOLDER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include "../include/remove_tree.h"

#define WAIT_NS		60000000000ull

static char dir[64];

static inline int make_folder(void **state)
{
	(void)state;
	strcpy(dir, "/dev/shm/hft-test-log-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
	(void)state;
	return remove_tree(dir);
}

/* With rings that are as small as may be, where @opts says nothing else. */
static inline struct hft_log *open_with(struct hft_log_opts *opts)
{
	struct hft_log *log;
	int err;

	if (!opts->ring_bytes)
		opts->ring_bytes = 64 << 10;
	if (!opts->audit_bytes)
		opts->audit_bytes = 64 << 10;
	err = hft_log_open(&log, dir, opts);
	if (err)
		fail_msg("open: %s", hft_strerror(err));
	return log;
}

/* Its plain rings lose nothing either. */
static inline struct hft_log *open_lossless(void)
{
	HFT_OPTS(hft_log_opts, opts, .policy = HFT_LOG_BLOCK, .block_ns = UINT64_MAX);

	return open_with(&opts);
}

static inline void add_lost(void *lost, const struct hft_log_notice *it)
{
	*(uint64_t *)lost += it->lost;
	if (it->kind != HFT_LOG_NOTICE_LOST)
		fail_msg("%s at %llu: %s", it->path, (unsigned long long)it->offset, it->text);
}

/*
 * Of what is in files now.  @lost: answered, of how many there are none, and nothing else is
 * to be told; NULL: whatever is.
 */
static inline uint64_t count_records(const char *subsystems, uint64_t *lost)
{
	HFT_OPTS(hft_log_reader_opts, opts, .notice = lost ? add_lost : NULL, .context = lost,
		 .subsystems = subsystems, .flags = HFT_LOG_READ_FOLLOW);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	const char *path = dir;
	uint64_t sum = 0;
	int ret;

	if (lost)
		*lost = 0;
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		sum++;
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return sum;
}

/* What the log says of itself: its levels, its disk, its clocks. */
static inline struct hft_log_reader *read_own_records(void)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "hft");
	struct hft_log_reader *reader;
	const char *path = dir;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	return reader;
}

#endif /* HOST_LOG_FOLDER_H */
