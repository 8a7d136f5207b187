// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Logs of one machine, each of which has measured its clock by itself, in one order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <hft/log_read.h>

#include "log/store.h"
#include "log_folder.h"
#include "log_set_clock.h"

#define NS_PER_S	1000000000ull
#define RECORDS		100
#define STEP_NS		1000
#define OFF_NS		20000
#define MOVED_NS	1000000

static char dirs[2][128];

struct log {
	struct hft_log_store *store;
	struct hft_log_store_origin origin;
	uint32_t sequence;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Stamps are CLOCK_MONOTONIC, and the time of day is that and @offset. */
static void open_log(struct log *log, int number, const char *boot, uint64_t offset)
{
	const struct hft_log_store_site site = {
		.id = HFT_LOG_SITE_FIRST, .name = "n", .subsystem = "n", .file = "n",
	};
	const struct hft_log_store_stream stream = { .id = 1, .cpu = -1, .policy = "drop" };

	memset(log, 0, sizeof(*log));
	log->origin = (struct hft_log_store_origin){
		.uuid = { (uint8_t)number }, .host = "host", .program = "program",
		.clock = { .name = "monotonic", .freq = NS_PER_S, .offset = offset },
	};
	snprintf(log->origin.boot, sizeof(log->origin.boot), "%s", boot);
	assert_int_equal(hft_log_store_open(&log->store, dirs[number], &log->origin, NULL), 0);
	assert_int_equal(hft_log_store_site_add(log->store, &site), 0);
	assert_int_equal(hft_log_store_stream_add(log->store, &stream), 0);
}

static void give(struct log *log, uint64_t stamp)
{
	struct hft_log_record record = {
		.id = HFT_LOG_SITE_FIRST, .words = 2, .sequence = log->sequence++, .stamp = stamp,
	};

	assert_int_equal(hft_log_store_append(log->store, 1, &record, sizeof(record), 0),
			 sizeof(record));
}

static void close_logs(struct log logs[2])
{
	assert_int_equal(hft_log_store_close(logs[0].store, 10 * NS_PER_S), 0);
	assert_int_equal(hft_log_store_close(logs[1].store, 10 * NS_PER_S), 0);
}

static struct hft_log_reader *read_logs(void)
{
	const char *const paths[] = { dirs[0], dirs[1] };
	struct hft_log_reader *reader;

	assert_int_equal(hft_log_reader_open(&reader, paths, 2, NULL), 0);
	return reader;
}

static void new_folders(const char *name)
{
	snprintf(dirs[0], sizeof(dirs[0]), "%s/%s-0", dir, name);
	snprintf(dirs[1], sizeof(dirs[1]), "%s/%s-1", dir, name);
}

/* Both by turns; the second log takes its clock for 20 us more. */
static uint64_t make_logs(const char *name, const char *boot)
{
	struct log logs[2];
	uint64_t first, i;

	new_folders(name);
	open_log(&logs[0], 0, "a", 0);
	open_log(&logs[1], 1, boot, OFF_NS);
	first = now_ns();
	for (i = 0; i < RECORDS; i++)
		give(&logs[i % 2], first + i * STEP_NS);
	close_logs(logs);
	return first;
}

static void test_one_boot(void **state)
{
	uint64_t first = make_logs("one", "a"), i = 0;
	struct hft_log_reader *reader = read_logs();
	const struct hft_log_view *view;

	(void)state;
	for (; hft_log_reader_next(reader, &view) > 0; i++) {
		assert_string_equal(view->stream->log->path, dirs[i % 2]);
		assert_int_equal(view->stamp, first + i * STEP_NS);
		assert_int_equal(view->time, view->stamp);
		assert_int_equal(view->monotonic, view->stamp);
	}
	assert_int_equal(i, RECORDS);
	hft_log_reader_close(reader);
}

/* Of another machine, or another boot, stamps mean nothing to each other. */
static void test_two_boots(void **state)
{
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	unsigned int i = 0, off;

	(void)state;
	make_logs("two", "b");
	reader = read_logs();
	for (; hft_log_reader_next(reader, &view) > 0; i++) {
		off = strcmp(view->stream->log->path, dirs[0]) ? OFF_NS : 0;
		assert_int_equal(view->time, view->stamp + off);
	}
	assert_int_equal(i, RECORDS);
	hft_log_reader_close(reader);
}

/* Where one log has found its clock to be off, records of both go by what it has found. */
static void test_measured_anew(void **state)
{
	struct log logs[2];
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	uint64_t first, i, offset = 0;
	unsigned int moved = 0;

	(void)state;
	new_folders("anew");
	open_log(&logs[0], 0, "a", 0);
	open_log(&logs[1], 1, "a", 0);
	first = now_ns();
	for (i = 0; i < 10; i++)
		give(&logs[i % 2], first + i);
	logs[0].origin.clock.offset = MOVED_NS;
	set_clock(logs[0].store, &logs[0].origin.clock);
	for (i = 0; i < 10; i++)
		give(&logs[i % 2], now_ns() + MOVED_NS);
	close_logs(logs);
	reader = read_logs();
	for (i = 0; hft_log_reader_next(reader, &view) > 0; i++) {
		assert_true(view->time - view->stamp >= offset);
		offset = view->time - view->stamp;
		assert_int_equal(view->time - view->monotonic, offset);
		moved += offset == MOVED_NS;
	}
	assert_int_equal(i, 20);
	assert_int_equal(moved, 10);
	assert_int_equal(offset, MOVED_NS);
	hft_log_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_boot),
		cmocka_unit_test(test_two_boots),
		cmocka_unit_test(test_measured_anew),
	};

	return cmocka_run_group_tests_name("log_boot", tests, make_folder, remove_folder);
}
