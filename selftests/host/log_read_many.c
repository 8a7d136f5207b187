// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The reader and a log of many streams in many chunks: what it opens, and how often. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <hft/log.h>
#include <hft/log_import.h>

#include "log/pack.h"
#include "log_folder.h"

#define STREAMS		300u
#define ROUNDS		10u
#define TURNS		5u		/* a stream is in each round of its own */
#define CHUNK_BYTES	(200u << 10)
#define FAILURES	3u
#define STAMPS		1000u		/* between two records: their times differ */

static struct hft_log_site site = {
	.name = "number", .fields = "n,", .types = "u", .subsystem = "many", .file = __FILE__,
	.line = __LINE__, .level = HFT_LOG_INFO,
};

static unsigned int sites_opened;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);

int __wrap_open(const char *path, int flags, mode_t mode)
{
	sites_opened += !!strstr(path, "/hft/sites");
	return __real_open(path, flags, mode);
}

static unsigned int failures;

int __real_hft_log_packed_open(struct hft_log_packed **out, int fd);
int __wrap_hft_log_packed_open(struct hft_log_packed **out, int fd);

int __wrap_hft_log_packed_open(struct hft_log_packed **out, int fd)
{
	if (!failures)
		return __real_hft_log_packed_open(out, fd);
	failures--;
	return -ENOMEM;
}

static void add_streams(struct hft_log_import *import)
{
	char name[16];
	uint64_t id;

	for (id = 1; id <= STREAMS; id++) {
		const struct hft_log_import_stream stream = {
			.sz = sizeof(stream), .id = id, .thread = name, .cpu = -1,
		};

		snprintf(name, sizeof(name), "t%u", (unsigned int)id);
		assert_int_equal(hft_log_import_stream(import, &stream), 0);
	}
	site.id = 0;
	assert_int_equal(hft_log_import_site(import, &site), 0);
}

static void write_one(struct hft_log_import *import, uint64_t stream, uint64_t stamp, uint64_t n)
{
	int err;

	while ((err = hft_log_import_write(import, stream, &site, stamp, &n, sizeof(n)))) {
		assert_int_equal(err, -EAGAIN);
		hft_log_import_poll(import);
	}
}

/* In each round each stream writes, or one of @turns; returns how many records there are. */
static uint64_t make_log(uint32_t flags, unsigned int rounds, unsigned int turns,
			 uint64_t chunk_bytes)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = flags | HFT_LOG_STORE_BUFFERED,
		 .sync = HFT_LOG_SYNC_NONE, .audit_sync = HFT_LOG_SYNC_NONE,
		 .packet_bytes = 16 << 10, .buffers = 2 * STREAMS, .flush_ns = 1,
		 .chunk_bytes = chunk_bytes);
	HFT_OPTS(hft_log_import_opts, opts, .store = &store);
	struct hft_log_import *import;
	uint64_t stamp, nr = 0, id;
	unsigned int round;

	assert_int_equal(hft_log_import_open(&import, dir, &opts), 0);
	add_streams(import);
	stamp = hft_log_stamp((uint32_t)hft_log_import_is_tsc(import));
	for (round = 0; round < rounds; round++) {
		for (id = 1 + round % turns; id <= STREAMS; id += turns, stamp += STAMPS)
			write_one(import, id, stamp, nr++);
		hft_log_import_poll(import);
	}
	assert_int_equal(hft_log_import_close(import), 0);
	return nr;
}

/* Nothing but that there is no memory. */
static void check_notice(void *unused, const struct hft_log_notice *it)
{
	(void)unused;
	if (it->kind != HFT_LOG_NOTICE_UNREADABLE || strcmp(it->text, strerror(ENOMEM)))
		fail_msg("%s at %llu: %s", it->path, (unsigned long long)it->offset, it->text);
}

/* With a filter packets are read one by one. */
static struct hft_log_reader *read_log(uint32_t flags)
{
	HFT_OPTS(hft_log_reader_opts, opts, .from = 1, .subsystems = "many",
		 .notice = check_notice, .flags = flags);
	struct hft_log_reader *reader;
	const char *path = dir;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	return reader;
}

static unsigned int count_chunks(void)
{
	char path[sizeof(dir) + 32];
	unsigned int nr = 0;

	do
		snprintf(path, sizeof(path), "%s/chunk-%08u", dir, ++nr);
	while (!access(path, F_OK));
	return nr - 1;
}

/* From record @n to @end, which are in order. */
static void read_on(struct hft_log_reader *reader, uint64_t n, uint64_t end)
{
	const struct hft_log_view *view;

	for (; n < end; n++) {
		assert_int_equal(hft_log_reader_next(reader, &view), 1);
		assert_int_equal(view->values[0].u, n);
	}
}

static void read_rest(struct hft_log_reader *reader, uint64_t n, uint64_t end)
{
	const struct hft_log_view *view;

	read_on(reader, n, end);
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	hft_log_reader_close(reader);
}

/* A chunk is not read for streams that it has not. */
static void test_sparse(void **state)
{
	uint64_t nr = make_log(HFT_LOG_STORE_NO_PACK, ROUNDS, TURNS, CHUNK_BYTES);
	unsigned int chunks = count_chunks();

	(void)state;
	assert_true(chunks > TURNS);
	sites_opened = 0;
	read_rest(read_log(0), 0, nr);
	assert_in_range(sites_opened, chunks, 4 * chunks);
}

/* Files of fewer than @nr streams may be open; returns how many could before. */
static rlim_t limit_files(rlim_t nr)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = nr;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void read_with_few(uint32_t flags)
{
	uint64_t nr = make_log(flags, 2, 1, CHUNK_BYTES);
	rlim_t most = limit_files(STREAMS);

	read_rest(read_log(0), 0, nr);
	limit_files(most);
}

static void test_descriptors(void **state)
{
	(void)state;
	read_with_few(HFT_LOG_STORE_NO_PACK);
}

static void test_descriptors_packed(void **state)
{
	(void)state;
	read_with_few(HFT_LOG_STORE_PACK_ALL);
}

static void pack_stream(const char *path)
{
	char packed[sizeof(dir) + 64];
	int from = open(path, O_RDONLY), to;
	_Atomic bool stop = false;
	uint64_t before, after;

	if (from < 0)
		return;
	snprintf(packed, sizeof(packed), "%s.zst", path);
	to = open(packed, O_WRONLY | O_CREAT | O_EXCL, 0640);
	assert_true(to >= 0);
	assert_int_equal(hft_log_pack_file(from, to, 1, &stop, &before, &after), 0);
	assert_int_equal(unlink(path), 0);
	close(from);
	close(to);
}

static void pack_all(void)
{
	char path[sizeof(dir) + 48];
	unsigned int chunk, id;

	for (chunk = count_chunks(); chunk; chunk--) {
		for (id = 0; id <= STREAMS; id++) {
			snprintf(path, sizeof(path), "%s/chunk-%08u/stream-%u", dir, chunk, id);
			pack_stream(path);
		}
	}
}

/* Files that are open, or not at the moment, are compressed while they are read. */
static void test_packed_meanwhile(void **state)
{
	uint64_t nr = make_log(HFT_LOG_STORE_NO_PACK, 2, 1, CHUNK_BYTES);
	struct hft_log_reader *reader = read_log(0);

	(void)state;
	read_on(reader, 0, nr / 2);
	pack_all();
	read_rest(reader, nr / 2, nr);
}

/* The same without memory for that: what is compressed is not read as if it were not. */
static void test_packed_without_memory(void **state)
{
	uint64_t nr = make_log(HFT_LOG_STORE_NO_PACK, ROUNDS, 1, UINT32_MAX), n = nr / 2;
	struct hft_log_reader *reader = read_log(HFT_LOG_READ_FOLLOW);
	const struct hft_log_view *view;
	unsigned int refreshed = 0;
	int ret;

	(void)state;
	read_on(reader, 0, n);
	pack_all();
	failures = FAILURES;
	while (n < nr && refreshed < 2 * FAILURES) {
		ret = hft_log_reader_next(reader, &view);
		n += ret > 0;
		if (!ret) {
			ret = hft_log_reader_refresh(reader);
			refreshed++;
		}
		assert_true(ret >= 0 || ret == -ENOMEM);
	}
	assert_int_equal(failures, 0);
	assert_int_equal(n, nr);
	hft_log_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sparse, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_descriptors, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_descriptors_packed, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_packed_meanwhile, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_packed_without_memory, make_folder,
						remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
