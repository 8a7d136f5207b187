// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * The n-th allocation of a log that is opened, written to and closed, recovered, or read, fails,
 * for some n: that is said, or done all the same, and what was answered 0 is in the log.
 *
 * HFT_TEST_SCALE=1000 leaves none out.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "memory"
#include <hft/log.h>

#include "../include/scale.h"
#include "log_here.h"
#include "no_memory.h"

#define MOST		1000
#define PATIENCE_S	120

HFT_LOG_EVENT(event_number, "memory", "number", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))

HFT_LOG_EVENT(event_text, "memory", "text", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number),
	      (string, text))

static uint64_t numbers;

static int open_log(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = 64 << 10, .audit_bytes = 64 << 10,
		 .store = &store);

	return hft_log_open(&the_log, dir, &opts);
}

static int try_log(void)
{
	int err = open_log(), close_err;

	if (err)
		return err;
	err = event_number(numbers);
	numbers += !err;
	close_err = hft_log_close(the_log);
	return err ? err : close_err;
}

/* Of a process that was killed */
static int try_recover(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		atomic_store(&until_failure, 0);
		if (open_log() || event_number(numbers))
			_exit(1);
		raise(SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return -ECHILD;
	numbers++;
	return hft_log_recover(dir, NULL);
}

static void check_numbers(void)
{
	struct hft_log_reader *reader = read_log("memory");
	const struct hft_log_view *view;
	uint64_t next = 0;

	while (hft_log_reader_next(reader, &view) > 0)
		assert_int_equal(view->values[0].u, next++);
	assert_int_equal(next, numbers);
	hft_log_reader_close(reader);
}

/* Some of them, about @usual at the usual scale */
static void each_allocation_fails_once(int (*scenario)(void), unsigned int usual)
{
	long most = (long)hft_test_scaled(usual), n, last, failed = 0, tried = 0;
	int err;

	numbers = 0;
	tree_make(dir, NULL, 0);
	assert_int_equal(scenario(), 0);
	atomic_store(&until_failure, MOST);
	assert_int_equal(scenario(), 0);
	last = MOST - atomic_exchange(&until_failure, 0);
	assert_in_range(last, 1, MOST - 1);
	for (n = 1; n <= last; n += last > most ? last / most : 1, tried++) {
		alarm(PATIENCE_S);
		attempt(scenario, n, &err);
		if (err && err != -ENOMEM && err != -EAGAIN && err != -EBUSY)
			fail_msg("the %ld. allocation failed: %s", n, hft_strerror(err));
		failed += !!err;
		/* The next finds what this has left. */
		if (try_log())
			fail_msg("after the %ld. allocation had failed", n);
	}
	alarm(0);
	check_numbers();
	tree_remove(dir);
	print_message("%ld of %ld allocations, %ld of which were told of\n", tried, last, failed);
}

static void of_opening(void **state)
{
	(void)state;
	each_allocation_fails_once(try_log, 20);
}

static void of_recovering(void **state)
{
	(void)state;
	each_allocation_fails_once(try_recover, 5);
}

/* Who reads goes on after -ENOMEM; nothing is passed by.  Returns what was answered at first. */
static int try_read(void)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "memory", .notice = no_notice);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	const char *paths[] = { dir };
	uint64_t next[2] = { 0 };
	int err, ret;

	err = hft_log_reader_open(&reader, paths, 1, &opts);
	if (err)
		return err;
	while ((ret = hft_log_reader_next(reader, &view))) {
		if (ret < 0 && !err)
			err = ret;
		else if (ret < 0)
			break;
		else
			assert_int_equal(view->values[0].u, next[view->site->nr_fields - 1]++);
	}
	assert_int_equal(next[0], numbers);
	assert_int_equal(next[1], numbers);
	hft_log_reader_close(reader);
	return err;
}

static void of_reading(void **state)
{
	long n, told = 0;
	int err;

	(void)state;
	tree_make(dir, NULL, 0);
	/* Two processes, each of which has two rings, as far as the log knows */
	for (numbers = 0; numbers < 10; numbers++) {
		if (numbers % 5 == 0)
			assert_int_equal(open_log(), 0);
		assert_int_equal(event_number(numbers), 0);
		assert_int_equal(event_text(numbers, "a text that is not short"), 0);
		if (numbers % 5 == 4)
			assert_int_equal(hft_log_close(the_log), 0);
	}
	for (n = 1; attempt(try_read, n, &err); n++) {
		if (err && err != -ENOMEM)
			fail_msg("the %ld. allocation failed: %s", n, hft_strerror(err));
		told += !!err;
	}
	assert_in_range(told, 1, n - 1);
	tree_remove(dir);
	print_message("%ld allocations, %ld of which were told of\n", n - 1, told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_opening),
		cmocka_unit_test(of_recovering),
		cmocka_unit_test(of_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
