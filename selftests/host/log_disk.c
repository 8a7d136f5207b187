// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * A disk that takes nothing, or is slow, as it is told: on standard error, to who asks in the
 * process and from outside, and in the log itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "disk"
#include <hft/log.h>

#include "log_folder.h"

#define TRIES	20000		/* ms */
#define LIMIT	(64 << 10)	/* bytes of a file */

static char said[4096];
static int real_stderr, said_fd;

/* What comes on standard error from here on is for @said. */
static void listen_to_stderr(void)
{
	real_stderr = dup(STDERR_FILENO);
	said_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(real_stderr >= 0 && said_fd >= 0);
	assert_int_equal(dup2(said_fd, STDERR_FILENO), STDERR_FILENO);
}

static void stop_listening(void)
{
	ssize_t size;

	assert_int_equal(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
	size = pread(said_fd, said, sizeof(said) - 1, 0);
	assert_true(size >= 0);
	said[size] = '\0';
	close(said_fd);
	close(real_stderr);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void log_some(void)
{
	unsigned long i;

	for (i = 0; i < 10000; i++)
		assert_int_equal(hft_log_audit(HFT_LOG_INFO, "number=%lu", i), 0);
}

static struct hft_log_trouble wait_trouble(struct hft_log *log, int err)
{
	HFT_OPTS(hft_log_stats, stats);
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		assert_int_equal(hft_log_stats(log, &stats), 0);
		if (stats.trouble.times && stats.trouble.err == err)
			return stats.trouble;
		usleep(1000);
	}
	fail_msg("there is no %s", strerror(err));
	return stats.trouble;
}

/* The drainer writes it down a turn later. */
static struct hft_log_trouble wait_info(int err)
{
	HFT_OPTS(hft_log_info, info);
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		assert_int_equal(hft_log_look(dir, &info), 0);
		if (info.trouble.times && info.trouble.err == err)
			return info.trouble;
		usleep(1000);
	}
	fail_msg("nobody finds %s", strerror(err));
	return info.trouble;
}

static unsigned int count_told(const char *what, uint64_t err)
{
	struct hft_log_reader *reader = read_own_records();
	const struct hft_log_view *view;
	unsigned int nr = 0;
	int ret;

	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		nr += view->site->id == HFT_LOG_ID_STORE && view->values[1].u == err &&
		      !strcmp(view->values[0].s, what);
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return nr;
}

static void check_full(uint32_t flags)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK | flags);
	HFT_OPTS(hft_log_opts, opts, .store = &store, .audit_bytes = 4 << 20);
	struct hft_log_trouble trouble;
	struct hft_log *log;

	listen_to_stderr();
	log = open_with(&opts);
	assert_int_equal(hft_log_thread(log, NULL), 0);
	limit_files(LIMIT);
	log_some();
	trouble = wait_trouble(log, EFBIG);
	assert_true(trouble.since && !trouble.until);
	assert_true(trouble.errors && trouble.waiting_bytes);
	assert_non_null(strstr(trouble.text, strerror(EFBIG)));
	assert_string_equal(wait_info(EFBIG).text, trouble.text);
	limit_files(RLIM_INFINITY);
	trouble = wait_trouble(log, 0);
	assert_true(trouble.until >= trouble.since);
	wait_info(0);
	assert_int_equal(hft_log_close(log), 0);
	stop_listening();
	assert_non_null(strstr(said, strerror(EFBIG)));
	assert_non_null(strstr(said, "is written again"));
	assert_int_equal(count_told("begins", EFBIG), 1);
	assert_int_equal(count_told("is over", 0), 1);
	assert_int_equal(count_records("disk", NULL), 10000);
}

static void test_full(void **state)
{
	(void)state;
	check_full(0);
}

static void test_full_no_uring(void **state)
{
	(void)state;
	check_full(HFT_LOG_STORE_NO_URING);
}

/* Of a disk that does what it should. */
static void test_quiet(void **state)
{
	struct hft_log *log;

	(void)state;
	listen_to_stderr();
	log = open_with(&(struct hft_log_opts){ .sz = sizeof(struct hft_log_opts) });
	log_some();
	assert_int_equal(hft_log_close(log), 0);
	stop_listening();
	assert_string_equal(said, "");
	assert_int_equal(count_told("begins", EFBIG), 0);
}

/* One that has to have done in a nanosecond what is asked of it. */
static void check_slow(uint32_t flags)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK | flags, .slow_ns = 1);
	HFT_OPTS(hft_log_opts, opts, .store = &store, .audit_bytes = 4 << 20);
	HFT_OPTS(hft_log_stats, stats);
	struct hft_log *log;
	unsigned int i;

	listen_to_stderr();
	log = open_with(&opts);
	stats.trouble.times = 0;
	for (i = 0; !stats.trouble.times && i < TRIES / 10; i++) {
		log_some();
		assert_int_equal(hft_log_flush(log, HFT_LOG_FLUSH_SYNC, WAIT_NS), 0);
		assert_int_equal(hft_log_stats(log, &stats), 0);
	}
	assert_true(stats.trouble.times);
	assert_int_equal(stats.trouble.errors, 0);
	assert_int_equal(hft_log_close(log), 0);
	stop_listening();
	assert_non_null(strstr(said, strerror(ETIMEDOUT)));
	assert_true(count_told("begins", ETIMEDOUT) + count_told("begins", 0));
}

static void test_slow(void **state)
{
	(void)state;
	check_slow(0);
}

static void test_slow_no_uring(void **state)
{
	(void)state;
	check_slow(HFT_LOG_STORE_NO_URING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_full_no_uring, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_quiet, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_slow, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_slow_no_uring, make_folder, remove_folder),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
