/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the log's reader: a store that is filled at random, and what is read of it. */
#ifndef HFT_HOST_LOG_READER_H
#define HFT_HOST_LOG_READER_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/log_read.h>

#include "../include/remove_tree.h"
#include "log_records.h"

#define LONG_NS		(600 * 1000000000ull)
#define STREAMS		3
#define FREQ		3000000000ull
#define ORIGIN_S	1700000000

static char top[] = "/tmp/hft-log-read-XXXXXX";
static char dir[64];

struct load {
	struct hft_log_store *store;
	struct record_source sources[STREAMS];
};

/* What a reader told beside records. */
struct told {
	unsigned int kinds[HFT_LOG_NOTICE_LOST + 1];
	uint64_t lost;
	char text[160];			/* the last but of losses */
};

static inline void open_store(struct load *load, const char *name, uint32_t flags,
			      uint64_t chunk_bytes)
{
	const struct hft_log_store_origin origin = {
		.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, (uint8_t)*name },
		.pid = 42, .host = "host", .program = "program",
		.clock = { "tsc", FREQ, ORIGIN_S, 123456, -5 },
	};
	struct hft_log_store_opts opts = {
		.sz = sizeof(opts), .flags = flags | HFT_LOG_STORE_BUFFERED,
		.packet_bytes = 16 << 10, .chunk_bytes = chunk_bytes,
	};
	size_t i;

	memset(load, 0, sizeof(*load));
	snprintf(dir, sizeof(dir), "%s/%s", top, name);
	assert_int_equal(hft_log_store_open(&load->store, dir, &origin, &opts), 0);
	for (i = 0; i < sizeof(record_sites) / sizeof(record_sites[0]); i++)
		assert_int_equal(hft_log_store_site_add(load->store, &record_sites[i]), 0);
	for (i = 0; i < STREAMS; i++) {
		const struct hft_log_store_stream stream = {
			i + 1, 100 + (uint32_t)i, 1, i ? "other" : "first", "audit", true, 0, 0, NULL
		};

		assert_int_equal(hft_log_store_stream_add(load->store, &stream), 0);
		load->sources[i].random = 88172645463325252ull + i;
		load->sources[i].stamp = 1000000;
	}
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline void append(struct load *load, int i, uint32_t records, uint64_t lost)
{
	static uint8_t buffer[1 << 20];
	size_t bytes, at;
	int64_t took;

	bytes = records_make(&load->sources[i], buffer, sizeof(buffer), records);
	for (at = 0; at < bytes; at += took > 0 ? (size_t)took : 0) {
		took = hft_log_store_append(load->store, (uint64_t)i + 1, buffer + at, bytes - at,
					    lost);
		assert_true(took >= 0 || took == -EAGAIN);
		hft_log_store_poll(load->store, now_ns());
	}
}

static inline void append_many(struct load *load, uint32_t times)
{
	while (times--)
		append(load, (int)(record_random(&load->sources[0]) % STREAMS),
		       1 + (uint32_t)(record_random(&load->sources[1]) % 300), 0);
}

static inline uint64_t made(const struct load *load)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < STREAMS; i++)
		sum += load->sources[i].sequence;
	return sum;
}

static inline void take_notice(void *context, const struct hft_log_notice *notice)
{
	struct told *told = context;

	assert_true(notice->kind <= HFT_LOG_NOTICE_LOST);
	told->kinds[notice->kind]++;
	told->lost += notice->lost;
	if (notice->kind != HFT_LOG_NOTICE_LOST)
		snprintf(told->text, sizeof(told->text), "%s", notice->text);
}

static inline unsigned int wrong(const struct told *told)
{
	return told->kinds[HFT_LOG_NOTICE_DAMAGED] + told->kinds[HFT_LOG_NOTICE_TORN] +
	       told->kinds[HFT_LOG_NOTICE_UNREADABLE] + told->kinds[HFT_LOG_NOTICE_UNKNOWN];
}

/* A file of the log at @dir, all of it */
static inline uint8_t *slurp(const char *file, size_t *size)
{
	char path[160];
	struct stat stat_;
	uint8_t *bytes;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat_), 0);
	*size = (size_t)stat_.st_size;
	bytes = malloc(*size + 1);
	assert_int_equal(read(fd, bytes, *size), *size);
	close(fd);
	return bytes;
}

static inline void put(const char *file, const void *bytes, size_t size)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static inline void drop(const char *file)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	assert_int_equal(unlink(path), 0);
}

/* Offset of packet @n of a stream's file */
static inline size_t packet_at(const uint8_t *bytes, unsigned int n)
{
	size_t at = 0;

	while (n--)
		at += ((const struct hft_log_packet *)(bytes + at))->packet_bits / 8;
	return at;
}

static inline uint64_t records_of(const uint8_t *bytes, unsigned int n)
{
	size_t end = packet_at(bytes, n + 1);

	return ((const struct hft_log_seal *)(bytes + end - sizeof(struct hft_log_seal)))->records;
}

static inline struct hft_log_reader *open_reader(struct hft_log_reader_opts *opts,
						 struct told *told, const char *path)
{
	struct hft_log_reader *reader;

	memset(told, 0, sizeof(*told));
	opts->sz = sizeof(*opts);
	opts->notice = take_notice;
	opts->context = told;
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, opts), 0);
	return reader;
}

/* Stamps are of the source; times exact. */
static inline void check_view(const struct hft_log_view *view)
{
	unsigned __int128 ticks = view->stamp + 123456;

	assert_int_equal(view->time, ORIGIN_S * 1000000000ull +
			 (uint64_t)(ticks * 1000000000 / FREQ));
	assert_in_range(view->monotonic + 5 - (uint64_t)((unsigned __int128)view->stamp *
							 1000000000 / FREQ), 0, 1);
	assert_string_equal(view->stream->log->program, "program");
	assert_int_equal(view->stream->tid, 99 + view->stream->id);
	assert_string_equal(view->stream->thread, view->stream->id == 1 ? "first" : "other");
	if (view->site->id == SITE_NUMBERS)
		assert_int_equal((uint32_t)view->values[0].u, view->sequence);
}

/* Read all that is there now; each stream's sequence goes on at @next. */
static inline uint64_t read_on(struct hft_log_reader *reader, uint32_t next[STREAMS],
			       uint64_t *last)
{
	const struct hft_log_view *view;
	uint64_t count = 0;
	int ret;

	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (view->site->id < HFT_LOG_SITE_FIRST)
			continue;
		check_view(view);
		assert_true(view->time >= *last);
		*last = view->time;
		assert_int_equal(view->sequence, next[view->stream->id - 1]);
		next[view->stream->id - 1]++;
		count++;
	}
	assert_int_equal(ret, 0);
	return count;
}

static inline uint64_t count_stream(const char *path, struct told *told)
{
	struct hft_log_reader_opts opts = { .flags = 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t count = 0;

	reader = open_reader(&opts, told, path);
	while (hft_log_reader_next(reader, &view) > 0)
		count++;
	hft_log_reader_close(reader);
	return count;
}

static inline int set_up(void **unused)
{
	(void)unused;
	return mkdtemp(top) ? 0 : -1;
}

static inline int tear_down(void **unused)
{
	(void)unused;
	return remove_tree(top);
}

#endif /* HFT_HOST_LOG_READER_H */
