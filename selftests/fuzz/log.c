// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <hft/hft.h>
#include <hft/log_read.h>
#include <hft/log_verify.h>

#include "../host/log_records.h"
#include "fuzz.h"

#define LONG_NS		(600 * 1000000000ull)
#define RECORDS		20
#define STREAM		7

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, hft_strerror(err));
	exit(2);
}

static void add_sites(struct hft_log_store *store)
{
	size_t i;

	for (i = 0; i < sizeof(record_sites) / sizeof(record_sites[0]); i++)
		must(hft_log_store_site_add(store, &record_sites[i]), "a site");
}

/* The same each time. */
void fuzz_write_log(const char *dir, uint32_t flags)
{
	const struct hft_log_store_origin origin = {
		.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
		.pid = 42,
		.host = "host",
		.program = "program",
		.clock = { "tsc", 3000000000ull, 1700000000, 123456, -5 },
	};
	const struct hft_log_store_stream stream = {
		.id = STREAM, .tid = 100, .cpu = 1, .thread = "thread", .policy = "audit",
		.audit = true,
	};
	struct hft_log_store_opts opts = {
		.sz = sizeof(opts),
		.flags = flags,
	};
	struct record_source source = { .random = 1, .stamp = 1000 };
	static uint8_t records[RECORDS * 256];
	struct hft_log_store *store;
	size_t bytes = records_make(&source, records, sizeof(records), RECORDS);

	must(hft_log_store_open(&store, dir, &origin, &opts), "the store");
	add_sites(store);
	must(hft_log_store_stream_add(store, &stream), "a stream");
	if (hft_log_store_append(store, STREAM, records, bytes, 0) != (int64_t)bytes)
		must(-EIO, "records");
	must(hft_log_store_close(store, LONG_NS), "the store's end");
}

const char *fuzz_log(void)
{
	static char dir[64];

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/log", fuzz_folder());
		fuzz_write_log(dir, HFT_LOG_STORE_BUFFERED | HFT_LOG_STORE_NO_URING |
			       HFT_LOG_STORE_NO_PACK);
	}
	return dir;
}

/* What is returned has to be as long as it is said to be, whatever the room. */
static void check_text(const struct hft_log_view *view, char *text, size_t size,
		       size_t (*make)(const struct hft_log_view *, char *, size_t))
{
	size_t length = make(view, text, size);

	if (size && strlen(text) >= size)
		abort();
	if (length < size && strlen(text) > length)
		abort();
}

static size_t make_line(const struct hft_log_view *view, char *text, size_t size)
{
	return hft_log_view_line(view, HFT_LOG_VIEW_HOST, text, size);
}

static size_t make_csv(const struct hft_log_view *view, char *text, size_t size)
{
	static const char *const fields[] = { "task", "symbol", "text" };

	return hft_log_view_csv(view, fields, 3, text, size);
}

static void check_view(const struct hft_log_view *view)
{
	static char text[1 << 14];
	size_t sizes[] = { 1, 40, 160, sizeof(text) }, i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_text(view, text, sizes[i], hft_log_view_message);
		check_text(view, text, sizes[i], make_line);
		check_text(view, text, sizes[i], hft_log_view_json);
		check_text(view, text, sizes[i], make_csv);
	}
	hft_log_view_message(view, NULL, 0);
}

static void take_notice(void *context, const struct hft_log_notice *notice)
{
	(void)context;
	if (!notice->text || !notice->path)
		abort();
}

static void read_with(struct hft_log_reader_opts *opts)
{
	const char *path = fuzz_log();
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int turns = 2;

	opts->sz = sizeof(*opts);
	opts->notice = take_notice;
	if (hft_log_reader_open(&reader, &path, 1, opts))
		return;
	do {
		while (hft_log_reader_next(reader, &view) > 0)
			check_view(view);
	} while (--turns && opts->flags && !hft_log_reader_refresh(reader));
	hft_log_reader_close(reader);
}

void fuzz_read_log(void)
{
	static const uint64_t tasks[] = { 5, 7 };
	static const char *const symbols[] = { "IBM", "A" };
	struct hft_log_reader_opts all = { .flags = HFT_LOG_READ_FOLLOW };
	struct hft_log_reader_opts some = {
		.from = 1, .to = UINT64_MAX, .levels = 0x3f, .classes = 0xf, .tasks = tasks,
		.nr_tasks = 2, .symbols = symbols, .nr_symbols = 2, .subsystems = "t*,?",
	};
	struct hft_log_reader_opts where = { .from = 1 };

	read_with(&all);
	read_with(&some);
	if (!hft_log_where_parse(&where.where, "price > 1 || text ~ \"*t*\" || @level > 2 || a",
				 NULL))
		read_with(&where);
	hft_log_where_free(where.where);
}

static void take_finding(void *arg, const struct hft_log_finding *finding)
{
	(void)arg;
	if (!finding->text)
		abort();
}

void fuzz_verify_log(void)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };

	hft_log_verify(fuzz_log(), NULL, take_finding, NULL, &result);
}
