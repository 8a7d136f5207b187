// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The reader: every record of a log once, in the order of time, whatever is asked for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <hft/hft.h>
#include <hft/log_read.h>

#include "log_ctf.h"
#include "log_reader.h"

#if defined(__SANITIZE_ADDRESS__)
#define SMALL_MEMORY	false
#else
#define SMALL_MEMORY	true
#endif

static void check_all(const struct load *load)
{
	struct hft_log_reader_progress progress = { .sz = sizeof(progress) };
	struct hft_log_reader_opts opts = { .flags = 0 };
	uint32_t next[STREAMS] = { 0 };
	struct hft_log_reader *reader;
	uint64_t last = 0;
	struct told told;

	reader = open_reader(&opts, &told, dir);
	assert_int_equal(read_on(reader, next, &last), made(load));
	assert_int_equal(hft_log_reader_progress(reader, &progress), 0);
	assert_int_equal(progress.bytes, progress.total);
	assert_int_equal(progress.skipped, 0);
	hft_log_reader_close(reader);
	assert_int_equal(wrong(&told), 0);
}

/* What babeltrace2 counts in the chunks, which are not compressed. */
static int64_t babeltrace_all(void)
{
	int64_t sum = 0, count;
	char path[128];
	int i;

	for (i = 1; ; i++) {
		snprintf(path, sizeof(path), "%s/chunk-%08d", dir, i);
		if (access(path, F_OK))
			return sum;
		count = babeltrace_count(path);
		if (count < 0)
			return count;
		sum += count;
	}
}

static void test_all(void **unused)
{
	struct load load;

	(void)unused;
	open_store(&load, "all", HFT_LOG_STORE_NO_PACK, 256 << 10);
	append_many(&load, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_all(&load);
	if (have_babeltrace())
		assert_int_equal(babeltrace_all(), made(&load));
}

static void test_packed(void **unused)
{
	char path[128];
	struct load load;

	(void)unused;
	open_store(&load, "packed", HFT_LOG_STORE_PACK_ALL, 256 << 10);
	append_many(&load, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	snprintf(path, sizeof(path), "%s/chunk-00000001/stream-1.zst", dir);
	assert_int_equal(access(path, F_OK), 0);
	check_all(&load);
}

/* A filter, and whether a record is as it asks by a way that can not be wrong. */
struct asked {
	struct hft_log_reader_opts opts;
	uint64_t tasks[3];
	const char *symbols[2];
};

static bool field_is(const struct hft_log_view *view, uint8_t type, const struct asked *asked)
{
	const union hft_log_view_value *value;
	uint32_t i, j;

	for (i = 0; i < view->site->nr_fields; i++) {
		value = &view->values[i];
		if (view->site->fields[i].type != type)
			continue;
		if (type == HFT_LOG_CLASS && asked->opts.classes >> value->u & 1)
			return true;
		for (j = 0; type == HFT_LOG_TASK && j < asked->opts.nr_tasks; j++)
			if (asked->tasks[j] == value->u)
				return true;
		for (j = 0; type == HFT_LOG_SYMBOL && j < asked->opts.nr_symbols; j++)
			if (!strcmp(asked->symbols[j], value->s))
				return true;
	}
	return false;
}

static bool is_asked(const struct hft_log_view *view, const struct asked *asked)
{
	const struct hft_log_reader_opts *opts = &asked->opts;

	return view->time >= opts->from && (!opts->to || view->time < opts->to) &&
	       (!opts->levels || opts->levels >> view->site->level & 1) &&
	       (!opts->classes || field_is(view, HFT_LOG_CLASS, asked)) &&
	       (!opts->nr_tasks || field_is(view, HFT_LOG_TASK, asked)) &&
	       (!opts->nr_symbols || field_is(view, HFT_LOG_SYMBOL, asked)) &&
	       (!opts->subsystems || !strcmp(view->site->subsystem, "trade"));
}

static void draw_asked(struct asked *asked, struct record_source *random, uint64_t first,
		       uint64_t last)
{
	uint64_t bits = record_random(random), span = last - first;

	memset(asked, 0, sizeof(*asked));
	if (bits & 1)
		asked->opts.from = first + record_random(random) % span;
	if (bits & 2)
		asked->opts.to = first + record_random(random) % span;
	if (bits & 4)
		asked->opts.levels = record_random(random) % 64;
	if (bits & 8)
		asked->opts.classes = record_random(random) % 256;
	if ((bits & 0x30) == 0x30) {
		asked->opts.nr_tasks = 1 + (uint32_t)(record_random(random) % 3);
		asked->tasks[0] = record_random(random) % 100;
		asked->tasks[1] = record_random(random) % 100;
		asked->tasks[2] = 12345;	/* none's */
	}
	if ((bits & 0xc0) == 0xc0) {
		asked->opts.nr_symbols = 1 + (uint32_t)(record_random(random) % 2);
		asked->symbols[0] = record_symbol(record_random(random));
		asked->symbols[1] = "none";
	}
	if ((bits & 0x300) == 0x300)
		asked->opts.subsystems = "x,t?a*";
	asked->opts.tasks = asked->tasks;
	asked->opts.symbols = asked->symbols;
}

static uint64_t sum_up(struct asked *asked, const struct asked *wanted, uint64_t *sum)
{
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	uint64_t count = 0;
	struct told told;

	*sum = 0;
	reader = open_reader(&asked->opts, &told, dir);
	while (hft_log_reader_next(reader, &view) > 0) {
		if (wanted && !is_asked(view, wanted))
			continue;
		*sum = *sum * 31 + view->sequence + view->stream->id;
		count++;
	}
	hft_log_reader_close(reader);
	return count;
}

/* Pushed down or not, the same records in the same order. */
static void test_filters(void **unused)
{
	struct record_source random = { .random = 4711 };
	uint64_t last, count, sum, expected, skipped = 0;
	struct asked asked, all;
	struct load load;
	int turn;

	(void)unused;
	open_store(&load, "filters", 0, 512 << 10);
	append_many(&load, 60);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	last = ORIGIN_S * 1000000000ull + load.sources[0].stamp / 3;
	for (turn = 0; turn < 60; turn++) {
		memset(&all, 0, sizeof(all));
		draw_asked(&asked, &random, ORIGIN_S * 1000000000ull, last);
		expected = sum_up(&all, &asked, &sum);
		assert_int_equal(sum_up(&asked, NULL, &count), expected);
		assert_int_equal(count, sum);
		skipped += expected > 0;
	}
	assert_true(skipped > 5);	/* not all of them ask for nothing */
}

/* The index spares most of the packets when a short time is asked for. */
static void test_index(void **unused)
{
	struct hft_log_reader_progress progress = { .sz = sizeof(progress) };
	struct hft_log_reader_opts opts = { .to = ORIGIN_S * 1000000000ull + 395000 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct told told;
	struct load load;

	(void)unused;
	open_store(&load, "index", 0, 512 << 10);
	append_many(&load, 60);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	reader = open_reader(&opts, &told, dir);
	while (hft_log_reader_next(reader, &view) > 0)
		;
	assert_int_equal(hft_log_reader_progress(reader, &progress), 0);
	assert_true(progress.packets && progress.skipped > 3 * progress.packets);
	hft_log_reader_close(reader);
}

static const char *first_row(char *text, size_t size, int kind)
{
	static const char *const fields[] = { "symbol", "price", "text" };
	struct hft_log_reader_opts opts = { .subsystems = kind & 4 ? "trade" : "test" };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct told told;

	reader = open_reader(&opts, &told, dir);
	do
		assert_int_equal(hft_log_reader_next(reader, &view), 1);
	while (!(kind & 4) && view->site->id != SITE_NUMBERS);
	switch (kind & 3) {
	case 0:
		hft_log_view_line(view, 0, text, size);
		break;
	case 1:
		hft_log_view_json(view, text, size);
		break;
	case 2:
		hft_log_view_csv(view, fields, 3, text, size);
		break;
	default:
		hft_log_view_line(view, HFT_LOG_VIEW_HOST | HFT_LOG_VIEW_MONOTONIC, text, size);
	}
	hft_log_reader_close(reader);
	return text;
}

static void test_rows(void **unused)
{
	static const char *const golden[] = {
#include "log_read_golden.h"
	};
	struct load load;
	char text[2048];
	int kind;

	(void)unused;
	open_store(&load, "rows", 0, 0);
	append(&load, 0, 100, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	for (kind = 0; kind < 8; kind++)
		assert_string_equal(first_row(text, sizeof(text), kind), golden[kind]);
}

static void test_refused(void **unused)
{
	const char *none = "/nowhere/log", *folder = top, *self = "/proc/self/exe";
	struct hft_log_reader_opts opts = { .sz = sizeof(opts), .flags = 8 };
	struct hft_log_reader *reader;

	(void)unused;
	assert_int_equal(hft_log_reader_open(&reader, &none, 0, NULL), -EINVAL);
	assert_int_equal(hft_log_reader_open(&reader, &none, 1, NULL), -ENOENT);
	assert_int_equal(hft_log_reader_open(&reader, &self, 1, NULL), -EBADMSG);
	assert_int_equal(hft_log_reader_open(&reader, &folder, 1, NULL), -ENOENT);
	assert_int_equal(hft_log_reader_open(&reader, &folder, 1, &opts), -EINVAL);
}

static int read_in_little_memory(void)
{
	struct rlimit limit = { 0, 0 };
	struct hft_log_reader_opts opts = { .sz = sizeof(opts) };
	const struct hft_log_view *view;
	const char *path = dir;
	struct hft_log_reader *reader;
	unsigned long pages = 0;
	uint64_t count = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm || fscanf(statm, "%lu", &pages) != 1)
		return 1;
	fclose(statm);
	limit.rlim_cur = limit.rlim_max = pages * 4096 + (8 << 20);
	if (setrlimit(RLIMIT_AS, &limit) || hft_log_reader_open(&reader, &path, 1, &opts))
		return 2;
	while (hft_log_reader_next(reader, &view) > 0)
		count++;
	hft_log_reader_close(reader);
	return count == 300000 ? 0 : 3;
}

/* 15 MB of records, with 8 MiB to take. */
static void test_memory(void **unused)
{
	struct load load;
	int i, status;
	pid_t child;

	(void)unused;
	if (!SMALL_MEMORY)
		skip();
	open_store(&load, "memory", HFT_LOG_STORE_NO_PACK, 0);
	for (i = 0; i < 100; i++)
		append(&load, i % STREAMS, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		_exit(read_in_little_memory());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static uint64_t sum_of(const char *const *paths, unsigned int nr, uint64_t *sum)
{
	struct hft_log_reader_opts opts = { .sz = sizeof(opts), .subsystems = "test,trade" };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t count = 0, last = 0;
	char text[512];
	size_t i;

	*sum = 0;
	assert_int_equal(hft_log_reader_open(&reader, paths, nr, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0) {
		assert_true(view->time >= last);
		last = view->time;
		/* Two logs have the same times, so the sum is without order. */
		for (i = 0; i < hft_log_view_message(view, text, sizeof(text)); i++)
			*sum += (unsigned char)text[i] * (view->time + i);
		count++;
	}
	hft_log_reader_close(reader);
	return count;
}

/* Two logs to one: the same records, in one order of time, which babeltrace2 reads, too. */
static void test_merge(void **unused)
{
	struct hft_log_reader_opts opts = { .sz = sizeof(opts), .subsystems = "test,trade" };
	struct hft_log_store_opts store = { .sz = sizeof(store), .flags = HFT_LOG_STORE_NO_PACK };
	char first[64], second[64], *paths[] = { first, second };
	const char *merged = dir;
	struct hft_log_reader *reader;
	uint64_t records, sum, merged_sum, count;
	struct load load;
	int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		open_store(&load, i ? "second" : "first", 0, 512 << 10);
		append_many(&load, 20);
		assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
		strcpy(paths[i], dir);
	}
	snprintf(dir, sizeof(dir), "%s/merged", top);
	assert_int_equal(hft_log_reader_open(&reader, (const char *const *)paths, 2, &opts), 0);
	assert_int_equal(hft_log_merge(reader, top, &store, &records), -EEXIST);
	assert_int_equal(hft_log_merge(reader, dir, &store, &records), 0);
	hft_log_reader_close(reader);
	count = sum_of((const char *const *)paths, 2, &sum);
	assert_int_equal(count, 2 * made(&load));
	assert_int_equal(records, count);
	assert_int_equal(sum_of(&merged, 1, &merged_sum), count);
	assert_int_equal(merged_sum, sum);
	if (have_babeltrace())
		assert_int_equal(babeltrace_all(), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_babeltrace),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
