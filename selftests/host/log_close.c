// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* A log is closed while threads use it, and has trouble that its program can not bear. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "log_numbers.h"

#define THREADS		4
#define ROUNDS		5

static void *flush_often(void *flushes)
{
	while (!hft_log_flush(the_log, 0, UINT64_MAX))
		atomic_fetch_add((atomic_uint *)flushes, 1);
	return NULL;
}

/* Threads that wait for a flush have their answer. */
static void test_close_flush(void **state)
{
	pthread_t threads[THREADS];
	atomic_uint flushes;
	unsigned int round;
	size_t i;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		open_log();
		atomic_init(&flushes, 0);
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, flush_often, &flushes),
					 0);
		while (atomic_load(&flushes) < THREADS)
			sched_yield();
		assert_int_equal(hft_log_close(the_log), 0);
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
}

static void *close_it(void *closed)
{
	int err = hft_log_close(the_log);

	if (!err)
		atomic_fetch_add((atomic_uint *)closed, 1);
	/* By whomever: it is. */
	return (void *)(intptr_t)((err && err != -EINVAL) || event_number(0) != -ENOTCONN);
}

static void test_close_twice(void **state)
{
	pthread_t threads[THREADS];
	atomic_uint closed;
	unsigned int round;
	void *wrong;
	size_t i;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		open_log();
		atomic_init(&closed, 0);
		for (i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, close_it, &closed), 0);
		for (i = 0; i < THREADS; i++) {
			assert_int_equal(pthread_join(threads[i], &wrong), 0);
			assert_null(wrong);
		}
		assert_int_equal(closed, 1);
		assert_int_equal(hft_log_recover(dir, NULL), 0);
	}
}

static void *log_until_closed(void *arg)
{
	uint64_t number = 0;

	while (!event_number(number))
		number++;
	*(uint64_t *)arg = number;
	return NULL;
}

/* A thread that waits for room in a full ring goes on; what it was answered 0 for is there. */
static void test_close_full(void **state)
{
	HFT_OPTS(hft_log_opts, opts, .audit_bytes = 64 << 10, .block_ns = UINT64_MAX);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t number, next = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(hft_log_open(&the_log, dir, &opts), 0);
	assert_int_equal(pthread_create(&thread, NULL, log_until_closed, &number), 0);
	usleep(20000);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	reader = read_log("numbers");
	while (hft_log_reader_next(reader, &view) > 0)
		assert_int_equal(view->values[0].u, next++);
	hft_log_reader_close(reader);
	assert_int_equal(next, number);
}

/* The disk is full, and that is the end of the program. */
static void give_up(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	(void)arg;
	(void)text;
	if (event == HFT_LOG_STORE_TROUBLE)
		exit(err);
}

/* Neither is answered by the thread that would have to do it. */
static void ask(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	(void)arg;
	(void)err;
	(void)text;
	if (event == HFT_LOG_STORE_TROUBLE)
		_exit(hft_log_flush(the_log, 0, 0) != -EDEADLK ||
		      hft_log_close(the_log) != -EDEADLK);
}

static void run_until_trouble(hft_log_store_fn notify)
{
	const struct rlimit limit = { 4096, 4096 };
	HFT_OPTS(hft_log_store_opts, store, .notify = notify, .flags = HFT_LOG_STORE_BUFFERED);
	HFT_OPTS(hft_log_opts, opts, .store = &store);

	if (hft_log_open(&the_log, dir, &opts))
		_exit(1);
	signal(SIGXFSZ, SIG_IGN);
	if (log_numbers() || setrlimit(RLIMIT_FSIZE, &limit) || log_numbers())
		_exit(2);
	sleep(PATIENCE_S);
	_exit(3);
}

static void check_trouble(hft_log_store_fn notify, int code)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		run_until_trouble(notify);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
}

/* A thread of the log that ends the program does not wait for itself. */
static void test_exit_in_notice(void **state)
{
	(void)state;
	check_trouble(give_up, EFBIG);
}

static void test_ask_in_notice(void **state)
{
	(void)state;
	check_trouble(ask, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close_flush, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_close_twice, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_close_full, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_exit_in_notice, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_ask_in_notice, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
