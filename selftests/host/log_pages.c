// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan */
/* What hft-log's threads print is what one prints, in its order, and so is what they fail with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "common/tool.c"
#include "hft-log/pages.c"
#include "hft-log/print.c"

#include "log/read.h"

#include <cmocka.h>

#define RECORDS	8000u

static const struct hft_log_view_field fields[] = {
	{ "symbol", HFT_LOG_SYMBOL }, { "n", HFT_LOG_U64 }, { "note", HFT_LOG_STRING },
};

static const struct hft_read_site site = {
	.view = {
		.subsystem = "feed", .name = "order", .format = "", .file = "a.c",
		.fields = fields, .nr_fields = 3,
	},
	.title = " INFO   feed    ", .title_length = 13,
};

static const struct hft_log_view_log of = { .host = "h", .program = "p" };

static const struct hft_read_stream stream = {
	.view = { .log = &of, .thread = "t", .cpu = -1 },
	.title = "t[7]            ", .title_length = 5,
};

/* A record as a reader has it: nothing of it stays but the call site and the stream. */
static int add_record(struct print *print, uint32_t number, size_t length)
{
	char symbol[16], *note = calloc(1, length + 1);
	union hft_log_view_value values[3] = {
		{ .s = symbol }, { .u = number }, { .s = note },
	};
	struct hft_log_view view = {
		.time = number, .site = &site.view, .stream = &stream.view, .values = values,
		.sequence = number,
	};
	int err;

	memset(note, 'a' + (int)(number % 26), length);
	view.bytes = (uint32_t)(length + 1 + 8 + (size_t)sprintf(symbol, "S%u", number % 100) + 1);
	err = print_view(print, &view);
	memset(symbol, 0, sizeof(symbol));
	memset(note, 0, length);
	free(note);
	return err;
}

/* Records of all lengths, one in 2000 of more than a page; returns how it ended. */
static int print_records(int fd, unsigned int threads, enum print_format format)
{
	struct print print;
	uint32_t i;
	int err;

	print_begin(&print, fd);
	print.format = format;
	err = print_threads(&print, threads);
	if (!err)
		err = print_head(&print);
	for (i = 0; !err && i < RECORDS; i++)
		err = add_record(&print, i, i % 2000 == 1999 ? 2 * PAGE_BYTES : i % 97);
	if (!err)
		err = print_flush(&print);
	print_end(&print);
	return err;
}

static char *map(int fd, size_t *size)
{
	char *bytes;

	*size = (size_t)lseek(fd, 0, SEEK_END);
	bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	return bytes;
}

static void check_same(int one, int other)
{
	size_t size, other_size;
	char *bytes = map(one, &size), *other_bytes = map(other, &other_size);

	assert_true(size > RECORDS);
	assert_int_equal(other_size, size);
	assert_memory_equal(other_bytes, bytes, size);
	munmap(bytes, size);
	munmap(other_bytes, size);
}

static int make_file(unsigned int threads, enum print_format format)
{
	int fd = memfd_create("rows", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(print_records(fd, threads, format), 0);
	return fd;
}

static void test_same(void **unused)
{
	static const enum print_format formats[] = { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
	unsigned int threads;
	int i, one, other;

	(void)unused;
	for (i = 0; i < 3; i++) {
		one = make_file(1, formats[i]);
		for (threads = 2; threads <= 8; threads *= 2) {
			other = make_file(threads, formats[i]);
			check_same(one, other);
			close(other);
		}
		close(one);
	}
}

static void test_full(void **unused)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(print_records(fd, 1, FORMAT_JSON), -ENOSPC);
	assert_int_equal(print_records(fd, 2, FORMAT_JSON), -ENOSPC);
	assert_int_equal(print_records(fd, 4, FORMAT_JSON), -ENOSPC);
	close(fd);
}

/* What reads takes some of it and ends. */
static void *read_some(void *context)
{
	char bytes[4096];
	int *fd = context;
	int i;

	for (i = 0; i < 100 && read(*fd, bytes, sizeof(bytes)) > 0; i++)
		;
	close(*fd);
	return NULL;
}

static void test_closed(void **unused)
{
	pthread_t reader;
	int ends[2];

	(void)unused;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_some, &ends[0]), 0);
	assert_int_equal(print_records(ends[1], 3, FORMAT_CSV), -EPIPE);
	pthread_join(reader, NULL);
	close(ends[1]);
}

/* What is not flushed need not be written, and is freed. */
static void test_given_up(void **unused)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct print print;
	uint32_t i;

	(void)unused;
	print_begin(&print, fd);
	print.format = FORMAT_CSV;
	assert_int_equal(print_threads(&print, 4), 0);
	for (i = 0; i < RECORDS; i++)
		assert_int_equal(add_record(&print, i, 50), 0);
	print_end(&print);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests_name("host/log_pages", tests, NULL, NULL);
}
