// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The reader of a log that is being written: no record is left out, whatever is late. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <hft/hft.h>
#include <hft/log_read.h>

#include "log_reader.h"

/* A log is read while it is written, from chunk to chunk. */
static void test_follow(void **unused)
{
	struct hft_log_reader_opts opts = { .flags = HFT_LOG_READ_FOLLOW };
	uint32_t next[STREAMS] = { 0 };
	struct hft_log_reader *reader;
	uint64_t count = 0, last, end = now_ns() + LONG_NS / 10;
	struct told told;
	struct load load;
	int turn;

	(void)unused;
	open_store(&load, "follow", 0, 128 << 10);
	reader = open_reader(&opts, &told, dir);
	for (turn = 0; turn < 100; turn++) {
		append_many(&load, 3);
		assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
		/* A chunk is left when it is sealed, which takes the store a while. */
		while (count < made(&load)) {
			assert_true(now_ns() < end);
			assert_int_equal(hft_log_reader_refresh(reader), 0);
			last = 0;
			count += read_on(reader, next, &last);
			hft_log_store_poll(load.store, now_ns());
			sched_yield();
		}
	}
	assert_int_equal(count, made(&load));
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(hft_log_reader_refresh(reader), 0);
	assert_int_equal(read_on(reader, next, &last), 0);
	hft_log_reader_close(reader);
	assert_int_equal(wrong(&told), 0);
}

/* Chunks of few packets, sealed and compressed behind the reader, by another process. */
static void write_many(uint64_t *records)
{
	struct load load;

	open_store(&load, "rotation", 0, 64 << 10);
	append_many(&load, 150);
	if (hft_log_store_close(load.store, LONG_NS))
		_exit(1);
	*records = made(&load);
	_exit(0);
}

static void test_rotation(void **unused)
{
	struct hft_log_reader_opts opts = { .flags = HFT_LOG_READ_FOLLOW };
	uint32_t next[STREAMS] = { 0 };
	uint64_t count = 0, last, *records;
	struct hft_log_reader *reader;
	struct told told;
	pid_t child, ended;
	int status;

	(void)unused;
	records = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(records != MAP_FAILED);
	snprintf(dir, sizeof(dir), "%s/rotation", top);
	assert_int_equal(mkdir(dir, 0750), 0);
	reader = open_reader(&opts, &told, dir);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		write_many(records);
	do {
		ended = waitpid(child, &status, WNOHANG);
		assert_int_equal(hft_log_reader_refresh(reader), 0);
		last = 0;
		count += read_on(reader, next, &last);
	} while (!ended);
	assert_int_equal(ended, child);
	assert_int_equal(status, 0);
	assert_int_equal(count, *records);
	assert_int_equal(wrong(&told), 0);
	hft_log_reader_close(reader);
	munmap(records, 4096);
}

/* All chunks are open, or sealed again. */
static void set_seals(bool sealed)
{
	char seal[128], away[128];
	int i;

	for (i = 1; ; i++) {
		snprintf(seal, sizeof(seal), "%s/chunk-%08d/hft/seal", dir, i);
		snprintf(away, sizeof(away), "%s/chunk-%08d/hft/.seal", dir, i);
		if (rename(sealed ? away : seal, sealed ? seal : away))
			break;
	}
	assert_true(i > 1);
}

/* What follows reads up to the place, and all when it is written and the chunk sealed. */
static void check_late(const char *file, const uint8_t *bytes, size_t size, uint64_t before,
		       uint64_t all)
{
	struct hft_log_reader_opts opts = { .flags = HFT_LOG_READ_FOLLOW };
	struct hft_log_reader *reader;
	uint32_t next[STREAMS] = { 0 };
	uint64_t last = 0, count;
	struct told told;

	set_seals(false);
	reader = open_reader(&opts, &told, dir);
	count = read_on(reader, next, &last);
	assert_int_equal(count, before);
	assert_int_equal(hft_log_reader_refresh(reader), 0);
	assert_int_equal(read_on(reader, next, &last), 0);
	put(file, bytes, size);
	set_seals(true);
	assert_int_equal(hft_log_reader_refresh(reader), 0);
	last = 0;
	count += read_on(reader, next, &last);
	assert_int_equal(count, all);
	assert_int_equal(wrong(&told), 0);
	hft_log_reader_close(reader);
}

/* Writes end in any order: a packet may be there before the one that it stands behind. */
static void test_late_packet(void **unused)
{
	const char *file = "chunk-00000001/stream-1";
	uint8_t *bytes, *late;
	struct load load;
	size_t size, from, to, at;
	uint64_t before;

	(void)unused;
	open_store(&load, "late", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp(file, &size);
	before = records_of(bytes, 0) + records_of(bytes, 1);
	from = packet_at(bytes, 2);
	to = packet_at(bytes, 3);
	late = malloc(size);
	/* Nothing of it, its head alone, all but its seal. */
	for (at = from; at < to; at += at == from ? 4096 : to - at > 4096 ? to - at - 4096 : 4096) {
		memcpy(late, bytes, size);
		memset(late + at, 0, to - at);
		put(file, late, size);
		check_late(file, bytes, size, before, 3000);
	}
	free(late);
	free(bytes);
}

/* Two more chunks may be begun before the last packets of one are written. */
static void test_late_chunk(void **unused)
{
	const char *file = "chunk-00000001/stream-1";
	struct load load;
	uint8_t *bytes;
	size_t size;

	(void)unused;
	open_store(&load, "behind", HFT_LOG_STORE_NO_PACK, 64 << 10);
	append(&load, 0, 10000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp(file, &size);
	put(file, bytes, packet_at(bytes, 1));
	check_late(file, bytes, size, records_of(bytes, 0), 10000);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_late_packet),
		cmocka_unit_test(test_late_chunk),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
