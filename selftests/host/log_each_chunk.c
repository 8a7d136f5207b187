// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Each chunk shows what its clock was worth, however quickly it was filled. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "chunk"
#include <hft/log.h>

#include "log_folder.h"

#define RECORDS		150000ul
#define CHUNK_BYTES	(1 << 20)

/* @last: the reason of the last one */
struct clocks {
	unsigned int records;
	char last[16];
};

static struct clocks count_clocks(unsigned int chunk)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "hft");
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct clocks clocks = {};
	char folder[96];
	const char *path = folder;
	int ret;

	snprintf(folder, sizeof(folder), "%s/chunk-%08u", dir, chunk);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (view->site->id != HFT_LOG_ID_CLOCK)
			continue;
		clocks.records++;
		snprintf(clocks.last, sizeof(clocks.last), "%s", view->values[0].s);
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return clocks;
}

static bool has_file(unsigned int chunk, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/chunk-%08u/%s", dir, chunk, name);
	return !access(path, F_OK);
}

static bool has_chunk(unsigned int chunk)
{
	return has_file(chunk, "");
}

static struct hft_log *open_chunks(uint32_t flags)
{
	HFT_OPTS(hft_log_store_opts, store, .chunk_bytes = CHUNK_BYTES, .flags = flags);
	HFT_OPTS(hft_log_opts, opts, .store = &store, .audit_bytes = 16 << 20,
		 .block_ns = UINT64_MAX);

	return open_with(&opts);
}

static void log_records(void)
{
	unsigned long i;

	for (i = 0; i < RECORDS; i++)
		assert_int_equal(hft_log_audit(HFT_LOG_INFO, "a=%lu b=%lu", i, i), 0);
}

static unsigned int check_chunks(unsigned int chunk)
{
	unsigned int nr = 0;

	for (; has_chunk(chunk); chunk++, nr++)
		assert_true(count_clocks(chunk).records);
	return nr;
}

static void check_closed(uint32_t flags)
{
	struct hft_log *log = open_chunks(flags);

	log_records();
	assert_int_equal(hft_log_close(log), 0);
	assert_true(check_chunks(1) >= RECORDS * 32 / CHUNK_BYTES / 2);
	assert_int_equal(count_records("chunk", NULL), RECORDS);
}

static void test_closed(void **state)
{
	(void)state;
	check_closed(HFT_LOG_STORE_NO_PACK);
}

static void test_packed(void **state)
{
	(void)state;
	check_closed(HFT_LOG_STORE_PACK_ALL);
}

static void test_no_uring(void **state)
{
	(void)state;
	check_closed(HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_NO_URING);
}

static void test_recovered(void **state)
{
	HFT_OPTS(hft_log_store_opts, store, .chunk_bytes = CHUNK_BYTES);
	unsigned int before = 1;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		open_chunks(HFT_LOG_STORE_NO_PACK);
		log_records();
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* One that was being written has it in no file yet, perhaps. */
	for (; has_chunk(before); before++)
		assert_true(!has_file(before, "hft/seal") || count_clocks(before).records);
	assert_int_equal(hft_log_recover(dir, &store), 0);
	assert_int_equal(count_records("chunk", NULL), RECORDS);
	if (has_chunk(before))
		assert_string_equal(count_clocks(before).last, "recovery");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_closed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_packed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_no_uring, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_recovered, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
