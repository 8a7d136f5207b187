/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of the log's store: streams that are filled at random, in a folder of the test. */
#ifndef HFT_HOST_LOG_LOAD_H
#define HFT_HOST_LOG_LOAD_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/log_verify.h>

#include "log_records.h"

#define LONG_NS		(600 * 1000000000ull)
#define STREAMS		3

static char top[] = "/tmp/hft-log-store-XXXXXX";
static char dir[64];

static const struct hft_log_store_origin origin = {
	.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.pid = 42,
	.program = "a \"program\"",
	.clock = { "tsc", 3000000000ull, 1700000000, 123456, -5 },
};

struct load {
	struct hft_log_store *store;
	struct record_source sources[STREAMS];
	uint64_t bytes[STREAMS];
};

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline void new_folder(const char *name)
{
	snprintf(dir, sizeof(dir), "%s/%s", top, name);
}

static inline void open_store(struct load *load, struct hft_log_store_opts *opts)
{
	const struct hft_log_store_stream streams[STREAMS] = {
		{ 0, 0, -1, "log", "drop", false, 0, 0, NULL },
		{ 7, 100, 1, "fast \"1\"", "overwrite", false, 0, 0, NULL },
		{ 8, 100, 1, "fast", "audit", true, 0, 0, NULL },
	};
	size_t i;

	memset(load, 0, sizeof(*load));
	opts->sz = sizeof(*opts);
	assert_int_equal(hft_log_store_open(&load->store, dir, &origin, opts), 0);
	for (i = 0; i < sizeof(record_sites) / sizeof(record_sites[0]); i++)
		assert_int_equal(hft_log_store_site_add(load->store, &record_sites[i]), 0);
	for (i = 0; i < STREAMS; i++) {
		assert_int_equal(hft_log_store_stream_add(load->store, &streams[i]), 0);
		load->sources[i].random = 88172645463325252ull + i;
		load->sources[i].stamp = 1000000;
	}
}

static inline uint64_t stream_id(int i)
{
	return i ? 6 + (uint64_t)i : 0;
}

/* All of it, however long that takes. */
static inline void append_all(struct load *load, int i, const uint8_t *from, size_t bytes)
{
	uint64_t id = stream_id(i);
	int64_t took;
	size_t at = 0;

	while (at < bytes) {
		took = hft_log_store_append(load->store, id, from + at, bytes - at, 0);
		assert_true(took != -EBADMSG && took != -EMSGSIZE && took != -ENOENT);
		at += took > 0 ? (size_t)took : 0;
		hft_log_store_poll(load->store, now_ns());
	}
	load->bytes[i] += bytes;
}

static inline void append_random(struct load *load, uint32_t times, uint32_t most)
{
	static uint8_t buffer[1 << 20];
	size_t bytes;
	int i;

	while (times--) {
		i = (int)(record_random(&load->sources[0]) % STREAMS);
		bytes = records_make(&load->sources[i], buffer, sizeof(buffer),
				     1 + (uint32_t)(record_random(&load->sources[i]) % most));
		append_all(load, i, buffer, bytes);
	}
}

static inline uint64_t all_made(const struct load *load)
{
	uint64_t made = 0;
	int i, site;

	for (i = 0; i < STREAMS; i++)
		for (site = 0; site < SITES_END; site++)
			made += load->sources[i].made[site];
	return made;
}

static inline void check_written(struct load *load, bool synced)
{
	int i;

	for (i = 0; i < STREAMS; i++) {
		assert_int_equal(hft_log_store_written(load->store, stream_id(i)), load->bytes[i]);
		if (synced)
			assert_int_equal(hft_log_store_synced(load->store, stream_id(i)),
					 load->bytes[i]);
	}
}

static inline void print_finding(void *arg, const struct hft_log_finding *finding)
{
	(void)arg;
	if (finding->verdict != HFT_LOG_WHOLE)
		fprintf(stderr, "%s\n", finding->text);
}

/* Nothing was changed; @torn: a crash may have left something. */
static inline void check_chain(bool torn)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };

	assert_int_equal(hft_log_verify(dir, NULL, print_finding, NULL, &result), 0);
	assert_int_equal(result.tampered, 0);
	assert_true(torn || !result.torn);
}

static inline int only_chunks(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "chunk-", 6);
}

static inline int make_folder(void **unused)
{
	(void)unused;
	return mkdtemp(top) ? 0 : -1;
}

/* HFT_KEEP: what it is called from now on */
static inline int remove_folder(void **unused)
{
	const char *keep = getenv("HFT_KEEP");
	char command[64];

	(void)unused;
	if (keep)
		return rename(top, keep);
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

#endif /* HFT_HOST_LOG_LOAD_H */
