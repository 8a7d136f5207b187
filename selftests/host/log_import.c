// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Logs of what others have recorded: read as they were given, losses told, bad input refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_import.h>
#include <hft/log_read.h>
#include <hft/log_verify.h>

#include "log_folder.h"

#define RECORDS		1000
#define LOST		7
#define STEP		100

static char folder[128];

static struct hft_log_site event = {
	.name = "a:b", .fields = "number,text,task,", .types = "ust", .subsystem = "kernel",
	.file = "events/a/b", .level = HFT_LOG_DEBUG,
};

/* What a reader told beside records. */
struct told {
	uint64_t lost;
	unsigned int others;
};

static void take_notice(void *context, const struct hft_log_notice *notice)
{
	struct told *told = context;

	if (notice->kind == HFT_LOG_NOTICE_LOST)
		told->lost += notice->lost;
	else
		told->others++;
}

static struct hft_log_import *open_import(const char *name)
{
	struct hft_log_import_opts opts = { .sz = sizeof(opts), .program = "others" };
	struct hft_log_import *import;
	uint64_t i;

	snprintf(folder, sizeof(folder), "%s/%s", dir, name);
	assert_int_equal(hft_log_import_open(&import, folder, &opts), 0);
	event.id = 0;
	assert_int_equal(hft_log_import_site(import, &event), 0);
	for (i = 1; i <= 2; i++) {
		const struct hft_log_import_stream stream = {
			.sz = sizeof(stream), .id = i, .thread = i == 1 ? "one" : "two",
			.cpu = (int32_t)i - 1,
		};

		assert_int_equal(hft_log_import_stream(import, &stream), 0);
	}
	return import;
}

/* Until the log takes it. */
static void give(struct hft_log_import *import, uint64_t stream, uint64_t number, uint64_t stamp)
{
	uint64_t arguments[3] = { number, 0, 2 * number };
	int err;

	memcpy(&arguments[1], "text", 5);
	do {
		err = hft_log_import_write(import, stream, &event, stamp, arguments,
					   sizeof(arguments));
		hft_log_import_poll(import);
	} while (err == -EAGAIN);
	assert_int_equal(err, 0);
}

/* Two streams by turns; before the record in the middle of the first, some were lost. */
static uint64_t fill(struct hft_log_import *import)
{
	uint64_t first = hft_log_import_is_tsc(import) ? __builtin_ia32_rdtsc() :
							 hft_log_monotonic();
	uint64_t i, at = first;

	for (i = 0; i < RECORDS; i++, at += STEP) {
		if (i == RECORDS / 2)
			assert_int_equal(hft_log_import_lost(import, 1, LOST, at - STEP, at), 0);
		give(import, 1 + i % 2, i, at);
	}
	return first;
}

static void check_loss(const struct hft_log_view *view, uint64_t first)
{
	uint64_t at = first + RECORDS / 2 * STEP;

	assert_int_equal(view->stream->id, 1);
	assert_int_equal(view->stamp, at);
	assert_int_equal(view->values[0].u, LOST);
	assert_int_equal(view->values[1].u, at - STEP);
	assert_int_equal(view->values[2].u, at);
}

static void check_record(const struct hft_log_view *view, uint64_t i, uint64_t first)
{
	uint32_t lost = i % 2 == 0 && i >= RECORDS / 2 ? LOST : 0;

	assert_string_equal(view->stream->thread, i % 2 ? "two" : "one");
	assert_int_equal(view->stream->cpu, i % 2);
	assert_int_equal(view->stamp, first + i * STEP);
	assert_int_equal(view->sequence, i / 2 + lost);
	assert_string_equal(view->site->name, "a:b");
	assert_int_equal(view->site->level, HFT_LOG_DEBUG);
	assert_int_equal(view->values[0].u, i);
	assert_string_equal(view->values[1].s, "text");
	assert_int_equal(view->values[2].u, 2 * i);
	assert_int_equal(view->site->fields[2].type, HFT_LOG_TASK);
	assert_string_equal(view->stream->log->program, "others");
}

static void test_records(void **state)
{
	struct hft_log_import *import = open_import("records");
	uint64_t first = fill(import), i = 0, losses = 0;
	const char *const path = folder;
	struct told told = {};
	const struct hft_log_reader_opts opts = {
		.sz = sizeof(opts), .notice = take_notice, .context = &told,
	};
	const struct hft_log_view *view;
	struct hft_log_reader *reader;

	(void)state;
	assert_int_equal(hft_log_import_close(import), 0);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0) {
		if (view->stream->id && !strcmp(view->site->name, "lost")) {
			check_loss(view, first);
			losses++;
		} else if (view->stream->id) {
			check_record(view, i++, first);
		}
	}
	hft_log_reader_close(reader);
	assert_int_equal(i, RECORDS);
	assert_int_equal(losses, 1);
	assert_int_equal(told.lost, LOST);
	assert_int_equal(told.others, 0);
}

/* What was changed since would be a finding; and it goes on behind what is there. */
static void test_verify(void **state)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct hft_log_import *import = open_import("verify");

		fill(import);
		assert_int_equal(hft_log_import_close(import), 0);
	}
	assert_int_equal(hft_log_verify(folder, NULL, NULL, NULL, &result), 0);
	assert_int_equal(result.sealed, 2);
	assert_int_equal(result.lost, 2 * LOST);
}

static struct hft_log_reader *open_reader(const char *const *paths, unsigned int nr,
					  const char *subsystems, uint64_t from, uint64_t to)
{
	const struct hft_log_reader_opts opts = {
		.sz = sizeof(opts), .subsystems = subsystems, .from = from, .to = to,
	};
	struct hft_log_reader *reader;

	assert_int_equal(hft_log_reader_open(&reader, paths, nr, &opts), 0);
	return reader;
}

static void merge_to(const char *to, const char *const *paths, unsigned int nr)
{
	const struct hft_log_store_opts opts = { .sz = sizeof(opts) };
	struct hft_log_reader *reader = open_reader(paths, nr, NULL, 0, 0);

	assert_int_equal(hft_log_merge(reader, to, &opts, NULL), 0);
	hft_log_reader_close(reader);
}

static void same_source(const struct hft_log_view *one, const struct hft_log_view *other)
{
	const struct hft_log_view_stream *a = one->stream, *b = other->stream;

	assert_string_equal(a->log->uuid, b->log->uuid);
	assert_string_equal(a->log->host, b->log->host);
	assert_string_equal(a->log->program, b->log->program);
	assert_int_equal(a->log->pid, b->log->pid);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->tid, b->tid);
	assert_int_equal(a->cpu, b->cpu);
	assert_string_equal(a->thread, b->thread);
	assert_string_equal(a->policy, b->policy);
	assert_int_equal(one->sequence, other->sequence);
	assert_false(a->log->merged);
	assert_true(b->log->merged);
}

/* The merged log's stamps are its times, and so are those of a loss. */
static void same_values(const struct hft_log_view *one, const struct hft_log_view *other)
{
	uint32_t i, own = HFT_LOG_SITE_FIRST;

	assert_int_equal(one->time, other->time);
	assert_int_equal(other->stamp, other->time);
	assert_string_equal(one->site->subsystem, other->site->subsystem);
	assert_string_equal(one->site->name, other->site->name);
	assert_int_equal(one->site->id < own ? one->site->id : own,
			 other->site->id < own ? other->site->id : own);
	assert_int_equal(one->site->nr_fields, other->site->nr_fields);
	if (one->site->id == HFT_LOG_ID_LOST) {
		assert_int_equal(other->values[0].u, LOST);
		assert_true(other->values[1].u < other->time);
		assert_true(other->values[1].u + 10 * STEP > other->time);
		assert_int_equal(other->values[2].u, other->time);
		return;
	}
	for (i = 0; i < one->site->nr_fields; i++) {
		if (one->site->fields[i].type == HFT_LOG_STRING)
			assert_string_equal(one->values[i].s, other->values[i].s);
		else
			assert_int_equal(one->values[i].u, other->values[i].u);
	}
}

/* How many records both have; all of them have to be the same. */
static unsigned int compare(const char *const *paths, unsigned int nr, const char *merged)
{
	struct hft_log_reader *one = open_reader(paths, nr, NULL, 0, 0);
	struct hft_log_reader *other = open_reader(&merged, 1, NULL, 0, 0);
	const struct hft_log_view *a, *b;
	unsigned int count = 0;

	while (hft_log_reader_next(one, &a) > 0) {
		assert_int_equal(hft_log_reader_next(other, &b), 1);
		same_source(a, b);
		same_values(a, b);
		count++;
	}
	assert_int_equal(hft_log_reader_next(other, &b), 0);
	hft_log_reader_close(one);
	hft_log_reader_close(other);
	return count;
}

static void fill_log(char *path, const char *name)
{
	struct hft_log_import *import = open_import(name);

	fill(import);
	assert_int_equal(hft_log_import_close(import), 0);
	strcpy(path, folder);
}

/* Who recorded what, and the clock's evidence, is as it was, however often it is merged. */
static void test_merged(void **state)
{
	char one[128], two[128], merged[128], again[128];
	const char *const paths[] = { one, two }, *const path = merged;

	(void)state;
	fill_log(one, "one");
	fill_log(two, "two");
	snprintf(merged, sizeof(merged), "%s/merged", dir);
	snprintf(again, sizeof(again), "%s/again", dir);
	merge_to(merged, paths, 2);
	assert_true(compare(paths, 2, merged) >= 2 * (RECORDS + 2));
	merge_to(again, &path, 1);
	assert_true(compare(paths, 2, again) >= 2 * (RECORDS + 2));
}

/* 0 and how many records, or what the reader says instead. */
static int read_all(const char *one, const char *other, uint64_t *records)
{
	const struct hft_log_reader_opts opts = { .sz = sizeof(opts) };
	const char *const paths[] = { one, other };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret;

	*records = 0;
	ret = hft_log_reader_open(&reader, paths, 2, &opts);
	if (ret)
		return ret;
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		++*records;
	hft_log_reader_close(reader);
	return ret;
}

/* The events of one log of a time, to a log. */
static void merge_part(const char *to, const char *log, uint64_t from, uint64_t end)
{
	struct hft_log_reader *reader = open_reader(&log, 1, "kernel", from, end);

	assert_int_equal(hft_log_merge(reader, to, NULL, NULL), 0);
	hft_log_reader_close(reader);
}

/* When the event of @number is, and how many there are in all. */
static uint64_t time_of(const char *log, uint64_t number, uint64_t *records)
{
	struct hft_log_reader *reader = open_reader(&log, 1, "kernel", 0, 0);
	const struct hft_log_view *view;
	uint64_t time = 0;

	for (*records = 0; hft_log_reader_next(reader, &view) > 0; ++*records)
		if (*records == number)
			time = view->time;
	hft_log_reader_close(reader);
	return time;
}

static void test_twice(void **state)
{
	char log[128], chunk[160], early[128], late[128];
	uint64_t middle, all, records;

	(void)state;
	fill_log(log, "twice");
	snprintf(chunk, sizeof(chunk), "%s/chunk-00000001", log);
	snprintf(early, sizeof(early), "%s/early", dir);
	snprintf(late, sizeof(late), "%s/late", dir);
	middle = time_of(log, RECORDS / 3, &all);
	merge_part(early, log, 0, middle);
	merge_part(late, log, middle, 0);
	assert_int_equal(read_all(early, late, &records), 0);
	assert_int_equal(records, all);
	assert_int_equal(read_all(late, early, &records), 0);
	assert_int_equal(read_all(log, log, &records), -EEXIST);
	assert_non_null(strstr(hft_strerror(EEXIST), "begin with the same"));
	assert_int_equal(records, 0);
	assert_int_equal(read_all(log, chunk, &records), -EEXIST);
	assert_int_equal(read_all(chunk, early, &records), -EEXIST);
	assert_int_equal(read_all(log, late, &records), -EEXIST);
	assert_non_null(strstr(hft_strerror(EEXIST), "both have record"));
	assert_in_range(records, RECORDS / 3, RECORDS / 3 + 10);
}

static void test_refused(void **state)
{
	struct hft_log_import_opts opts = { .sz = sizeof(opts), .flags = 1 };
	struct hft_log_import_stream stream = { .sz = sizeof(stream), .thread = "x" };
	struct hft_log_site site = { .subsystem = "x", .file = "x", .types = "" };
	struct hft_log_import *import;
	uint64_t number = 0;

	(void)state;
	assert_int_equal(hft_log_import_open(&import, dir, &opts), -EINVAL);
	assert_int_equal(hft_log_import_open(&import, "", NULL), -EINVAL);
	assert_int_equal(hft_log_import_open(&import, "/proc/none/log", NULL), -ENOENT);
	import = open_import("refused");
	assert_int_equal(hft_log_import_stream(import, &stream), -EINVAL);
	stream.id = 1;
	assert_int_equal(hft_log_import_stream(import, &stream), -EEXIST);
	assert_int_equal(hft_log_import_site(import, &event), -EINVAL);
	assert_int_equal(hft_log_import_site(import, &site), -EINVAL);
	assert_int_equal(hft_log_import_write(import, 3, &event, 1, &number, 8), -ENOENT);
	assert_non_null(strstr(hft_strerror(ENOENT), "stream 3"));
	site.id = 77;
	assert_int_equal(hft_log_import_write(import, 1, &site, 1, &number, 8), -EBADMSG);
	assert_int_equal(hft_log_import_write(import, 1, &event, 1, &number, HFT_LOG_RECORD_MAX),
			 -EMSGSIZE);
	assert_non_null(strstr(hft_strerror(EMSGSIZE), "record"));
	assert_int_equal(hft_log_import_lost(import, 3, 1, 1, 1), -ENOENT);
	assert_int_equal(hft_log_import_lost(import, 1, 0, 1, 1), -EINVAL);
	assert_non_null(strstr(hft_strerror(EINVAL), "loss"));
	give(import, 1, 0, 1);
	assert_int_equal(hft_log_import_close(import), 0);
	assert_int_equal(hft_log_import_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("log_import", tests, make_folder, remove_folder);
}
