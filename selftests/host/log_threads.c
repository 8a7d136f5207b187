// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * A log and threads that come, go and are amid their calls while it is flushed or closed.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "threads"
#include <hft/log.h>

#include "log_folder.h"

#define FLUSHES		20
#define COMERS		2
#define COMINGS		100
#define CLOSES		6
#define LOGGERS		4
#define LOAD_US		2000
#define MANY		1000
#define LOOK_US		20000

HFT_LOG_EVENT(log_mine, "mine", "number", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))
HFT_LOG_EVENT(log_plain, "close", "plain", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))
HFT_LOG_EVENT(log_audited, "close", "audited", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_handled, "close", "handled", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))
HFT_LOG_EVENT(log_other, "other", "number", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))

/* Nothing is written before its time but by a flush. */
static struct hft_log *open_log(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flush_ns = WAIT_NS, .packet_bytes = 16 << 10,
		 .flags = HFT_LOG_STORE_NO_PACK, .sync = HFT_LOG_SYNC_NONE);
	HFT_OPTS(hft_log_opts, opts, .policy = HFT_LOG_BLOCK, .block_ns = UINT64_MAX,
		 .idle_ns = 1000000, .store = &store);

	return open_with(&opts);
}

static uint64_t lost;

static _Atomic uint64_t others;

static void *log_once(void *unused)
{
	(void)unused;
	if (!log_other(0))
		atomic_fetch_add(&others, 1);
	return NULL;
}

/* Threads that live for one call. */
static void *come_and_go(void *unused)
{
	pthread_t thread;
	unsigned int i;

	(void)unused;
	for (i = 0; i < COMINGS; i++) {
		if (!pthread_create(&thread, NULL, log_once, NULL))
			pthread_join(thread, NULL);
	}
	return NULL;
}

/* What was logged before a flush is in files after it, while others make their rings. */
static void test_flush(void **state)
{
	struct hft_log *log = open_log();
	pthread_t threads[COMERS];
	uint64_t number, i;

	(void)state;
	atomic_store(&others, 0);
	for (i = 0; i < COMERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (number = 0; number < FLUSHES; number++) {
		assert_int_equal(log_mine(number), 0);
		assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
		assert_int_equal(count_records("mine", &lost), number + 1);
	}
	for (i = 0; i < COMERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("mine", &lost), FLUSHES);
	assert_int_equal(count_records("other", &lost), atomic_load(&others));
}

static unsigned int count_files(void)
{
	unsigned int count = 0;
	DIR *folder = opendir("/proc/self/fd");

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* All rings are given back. */
static struct hft_log_stats run_threads(struct hft_log *log, unsigned int nr)
{
	HFT_OPTS(hft_log_stats, stats);
	pthread_t thread;

	while (nr--) {
		assert_int_equal(pthread_create(&thread, NULL, log_once, NULL), 0);
		pthread_join(thread, NULL);
	}
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	do {
		usleep(1000);
		assert_int_equal(hft_log_stats(log, &stats), 0);
	} while (stats.rings);
	return stats;
}

/* No open files are left of threads that were short. */
static void test_many(void **state)
{
	struct hft_log *log = open_log();
	struct hft_log_stats stats;
	unsigned int files;

	(void)state;
	atomic_store(&others, 0);
	run_threads(log, MANY / 2);
	files = count_files();
	stats = run_threads(log, MANY / 2);
	assert_true(count_files() < files + 16);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(atomic_load(&others), MANY);
	assert_int_equal(stats.bytes, MANY * (sizeof(struct hft_log_record) + sizeof(uint64_t)));
	assert_int_equal(stats.lost, 0);
}

static _Thread_local volatile sig_atomic_t handled;
static _Atomic uint64_t refused;
static struct hft_log *opened;

static void handle(int signal)
{
	int err = log_handled(0);

	(void)signal;
	if (!err)
		handled = handled + 1;
	else if (err == -EBUSY)
		atomic_fetch_add(&refused, 1);
}

static void take_alarms(bool take)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(take ? SIG_UNBLOCK : SIG_BLOCK, &alarms, NULL);
}

/* Until the log is closed.  Returns how many calls have answered 0. */
static void *log_many(void *number)
{
	const uintptr_t audit = (uintptr_t)number % 2;
	uintptr_t done = 0;
	int err;

	if (hft_log_thread(opened, NULL))
		return NULL;
	take_alarms(true);
	while (!(err = audit ? log_audited(done) : log_plain(done)))
		done++;
	take_alarms(false);
	if (err != -ENOTCONN)
		fail_msg("call %zu: %d", (size_t)done, err);
	return (void *)(done + (uintptr_t)handled);
}

/* More threads than CPUs: some are amid a call, and do not run, when it is closed. */
static uint64_t close_under_load(bool signals)
{
	struct hft_log *log = open_log();
	pthread_t threads[LOGGERS];
	uint64_t answered = 0;
	uintptr_t i;
	void *done;

	opened = log;
	assert_int_equal(hft_log_thread(log, NULL), 0);
	handled = 0;
	for (i = 0; i < LOGGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
	take_alarms(signals);
	usleep(LOAD_US);
	assert_int_equal(hft_log_close(log), 0);
	take_alarms(false);
	for (i = 0; i < LOGGERS; i++) {
		pthread_join(threads[i], &done);
		answered += (uintptr_t)done;
	}
	return answered + (uint64_t)handled;
}

/* What calls have answered 0 for is in files, also when it is closed meanwhile. */
static void test_close(void **state)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = {};
	const struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	uint64_t answered = 0;
	int round;

	(void)state;
	take_alarms(false);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (round = 0; round < CLOSES; round++)
		answered += close_under_load(round % 2);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(count_records("close", &lost), answered);
	assert_int_equal(lost, atomic_load(&refused));
}

#define TEXT	"%s %s %s %s %s %s %s %s %s %s %s %s %s %s %s %s"

/* A record that no packet has room for is refused by its call: the drainer could not pass it. */
static void test_long(void **state)
{
	char text[HFT_LOG_TEXT_MAX + 1], *t = text;
	struct hft_log *log = open_log();

	(void)state;
	memset(text, 'x', HFT_LOG_TEXT_MAX);
	text[HFT_LOG_TEXT_MAX] = '\0';
	assert_int_equal(hft_log(HFT_LOG_NOTICE, TEXT, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t,
				 t), -EMSGSIZE);
	assert_int_equal(log_other(1), 0);
	assert_int_equal(hft_log(HFT_LOG_NOTICE, "%s %s %s %s %s %s %s %s %s %s %s %s %s %s %s",
				 t, t, t, t, t, t, t, t, t, t, t, t, t, t, t), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("threads,other", &lost), 2);
}

/* A thread that has the ring of a log that was closed is given one of the next. */
static void test_next_log(void **state)
{
	struct hft_log *log = open_log();
	struct hft_log_stats stats = { .sz = sizeof(stats) };

	(void)state;
	assert_int_equal(log_other(1), 0);
	assert_int_equal(hft_log_close(log), 0);
	log = open_log();
	assert_int_equal(hft_log_thread(log, NULL), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(hft_log_stats(log, &stats), 0);
	assert_int_equal(stats.rings, HFT_LOG_LANES);
	assert_int_equal(hft_log_close(log), 0);
}

static sem_t logged;

/* A handler was refused in it; it ends when its ring has been closed. */
static void *end_while_closing(void *unused)
{
	struct hft_log_ring *ring;

	(void)unused;
	log_once(NULL);
	ring = hft_log_self[HFT_LOG_PLAIN];
	__atomic_store_n(&ring->refused, 1, __ATOMIC_RELAXED);
	sem_post(&logged);
	while (!__atomic_load_n(&ring->closed, __ATOMIC_RELAXED))
		usleep(100);
	return NULL;
}

/* Its call in the slow path keeps the log from being closed until that thread has ended. */
static void *delay_closing(void *unused)
{
	struct hft_log_ring *ring;
	pthread_t thread;

	(void)unused;
	log_once(NULL);
	ring = hft_log_self[HFT_LOG_PLAIN];
	__atomic_store_n(&ring->busy, 1, __ATOMIC_SEQ_CST);
	if (pthread_create(&thread, NULL, end_while_closing, NULL))
		sem_post(&logged);
	else
		pthread_join(thread, NULL);
	usleep(LOOK_US);
	__atomic_store_n(&ring->busy, 0, __ATOMIC_RELEASE);
	return NULL;
}

/* What a thread that ends meanwhile was refused is told. */
static void test_end_while_closing(void **state)
{
	struct hft_log *log = open_log();
	pthread_t thread;

	(void)state;
	assert_int_equal(sem_init(&logged, 0, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, delay_closing, NULL), 0);
	while (sem_wait(&logged))
		;
	assert_int_equal(hft_log_close(log), 0);
	pthread_join(thread, NULL);
	assert_int_equal(count_records("other", &lost), 2);
	assert_int_equal(lost, 1);
	sem_destroy(&logged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flush, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_many, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_close, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_long, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_next_log, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_end_while_closing, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
