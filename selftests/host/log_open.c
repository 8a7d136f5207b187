// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * A log from its calls to its files: threads, forks, what is asked of it twice.
 *
 *	log_open serve DIR	log to DIR until standard input ends, for hftctl_log.sh
 *	log_open hold DIR RINGS [KEY]	the same, and all but the first record stays in rings, in
 *				the folder RINGS, for log_recover.sh
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#define HFT_LOG_SUBSYSTEM "open"
#include <hft/log.h>

#include "log_folder.h"

#define RECORDS		5000
#define THREADS		4

HFT_LOG_EVENT(event_number, "open", "number", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, thread),
	      (u64, number))
HFT_LOG_EVENT(event_detail, "detail", "number", HFT_LOG_DEBUG, HFT_LOG_PLAIN, (u64, number))

static void notice(void *context, const struct hft_log_notice *it)
{
	(void)context;
	fail_msg("%s at %llu: %s", it->path, (unsigned long long)it->offset, it->text);
}

/* How many records of an event there are in files; its last argument goes from 0 up. */
static uint64_t count_numbers(const char *subsystem, const char *name, unsigned int threads)
{
	HFT_OPTS(hft_log_reader_opts, opts, .notice = notice, .subsystems = subsystem,
		 .flags = HFT_LOG_READ_FOLLOW);
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t next[THREADS] = {}, sum = 0, thread;
	int ret;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (strcmp(view->site->name, name))
			continue;
		thread = threads > 1 ? view->values[0].u : 0;
		assert_true(thread < THREADS);
		assert_int_equal(view->values[view->site->nr_fields - 1].u, next[thread]++);
		sum++;
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return sum;
}

static void *log_numbers(void *arg)
{
	uint64_t thread = (uintptr_t)arg, number;

	for (number = 0; number < RECORDS; number++) {
		if (event_number(thread, number))
			return arg ? arg : (void *)1;
	}
	return NULL;
}

/* Their rings are given back when they have ended and all is in files. */
static void test_threads(void **state)
{
	HFT_OPTS(hft_log_stats, stats);
	struct hft_log *log = open_lossless();
	pthread_t threads[THREADS];
	uintptr_t i;
	void *failed;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_numbers, (void *)i), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(count_numbers("open", "number", THREADS), THREADS * RECORDS);
	do {
		usleep(1000);
		assert_int_equal(hft_log_stats(log, &stats), 0);
	} while (stats.rings);
	assert_int_equal(stats.lost, 0);
	assert_int_equal(hft_log_flush(log, HFT_LOG_FLUSH_SYNC, WAIT_NS), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_numbers("open", "number", THREADS), THREADS * RECORDS);
}

static int count_ring(void *arg, const struct hft_log_ring_info *ring)
{
	unsigned int *count = arg;

	assert_int_equal(ring->lane, HFT_LOG_AUDIT);
	assert_int_equal(ring->records, 3);
	assert_int_equal(ring->tid, gettid());
	(*count)++;
	return 0;
}

static int find_site(void *arg, const struct hft_log_site_info *site)
{
	unsigned int *count = arg;

	if (!site->name || strcmp(site->name, "number"))
		return 0;
	assert_int_equal(site->enabled, !strcmp(site->subsystem, "open"));
	assert_int_equal(site->lane, site->enabled ? HFT_LOG_AUDIT : HFT_LOG_PLAIN);
	(*count)++;
	return 0;
}

static void test_look(void **state)
{
	HFT_OPTS(hft_log_info, info);
	struct hft_log *log = open_lossless();
	unsigned int rings = 0, sites = 0, i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(event_number(0, i), 0);
	assert_int_equal(hft_log_rings(dir, count_ring, &rings), 0);
	assert_int_equal(rings, 1);
	assert_int_equal(hft_log_sites(dir, find_site, &sites), 0);
	assert_int_equal(sites, 2);
	assert_int_equal(hft_log_look(dir, &info), 0);
	assert_int_equal(info.open, 1);
	assert_int_equal(info.pid, getpid());
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(access(info.ring_dir, F_OK), -1);
	assert_int_equal(hft_log_look(dir, &info), 0);
	assert_int_equal(info.open, 0);
	assert_int_equal(hft_log_look("/nowhere", &info), -ENOENT);
}

static void test_twice(void **state)
{
	struct hft_log *log = open_lossless(), *other;
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(hft_log_open(&other, "/tmp/hft-log-other", NULL), -EBUSY);
	assert_int_equal(access("/tmp/hft-log-other", F_OK), -1);
	pid = fork();
	if (!pid) {
		/* Another process does not get it. */
		_exit(hft_log_open(&other, dir, NULL) != -EBUSY);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(event_number(0, 0), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(event_number(0, 1), -ENOTCONN);
	assert_int_equal(hft_log_close(NULL), 0);
	/* It goes on. */
	log = open_lossless();
	assert_int_equal(event_number(0, 1), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_numbers("open", "number", 1), 2);
}

static void test_fork(void **state)
{
	struct hft_log *log = open_lossless();
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(event_number(0, 0), 0);
	pid = fork();
	if (!pid)
		_exit(event_number(0, 1) != -ENOTCONN || hft_log_flush(log, 0, 0) != -EINVAL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(event_number(0, 1), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_numbers("open", "number", 1), 2);
}

/* A program that ends without closing it. */
static void test_exit(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		open_lossless();
		log_numbers(NULL);
		exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_numbers("open", "number", 1), RECORDS);
	assert_int_equal(hft_log_recover(dir, NULL), 0);
}

static int64_t number_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;

	return hft_log_view_find(view, name, &type)->i;
}

/* How many records of clocks there are; each has this bound. */
static unsigned int count_clocks(int64_t bound)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "hft", .flags = HFT_LOG_READ_FOLLOW);
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	unsigned int clocks = 0;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0) {
		if (strcmp(view->site->name, "clock"))
			continue;
		assert_int_equal(number_of(view, "bound_ns"), bound);
		clocks++;
	}
	hft_log_reader_close(reader);
	return clocks;
}

static void test_clocks(void **state)
{
	HFT_OPTS(hft_log_opts, opts, .clock_interval_ns = 100000000, .clock_bound_ns = 7000);
	struct hft_log *log = open_with(&opts);
	unsigned int tries = 0;

	(void)state;
	while (count_clocks(7000) < 4 && tries++ < 1000) {
		usleep(20000);
		assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	}
	assert_true(tries < 1000);
	assert_int_equal(hft_log_close(log), 0);
}

static void test_options(void **state)
{
	HFT_OPTS(hft_log_opts, opts);
	char fifo[sizeof(dir) + 8];
	struct hft_log *log;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	opts.policy = HFT_LOG_POLICIES;
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.policy = 0;
	opts.flags = 1;
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.flags = 0;
	opts.ring_bytes = 1ull << 40;
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.ring_bytes = 0;
	opts.clock_interval_ns = 99999999;
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.clock_interval_ns = 10000000001;
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.clock_interval_ns = 0;
	opts.ptp = "/dev/null";
	assert_int_equal(hft_log_open(&log, dir, &opts), -ENOTTY);
	opts.ptp = fifo;
	alarm(60);
	assert_int_equal(hft_log_open(&log, dir, &opts), -ENOTTY);
	alarm(0);
	opts.ptp = NULL;
	opts.cpus = "none";
	assert_int_equal(hft_log_open(&log, dir, &opts), -EINVAL);
	opts.cpus = NULL;
	opts.ring_dir = "/proc";
	assert_true(hft_log_open(&log, dir, &opts) < 0);
	opts.ring_dir = NULL;
	assert_int_equal(hft_log_open(&log, "/proc/none/log", &opts), -ENOENT);
	assert_int_equal(hft_log_open(&log, "", &opts), -EINVAL);
	assert_int_equal(hft_log_recover("/nowhere", NULL), -ENOENT);
	assert_int_equal(event_number(0, 0), -ENOTCONN);
}

/* Sites of an object that is unloaded, and loaded again. */
static void test_objects(void **state)
{
	static const char types[] = { HFT_LOG_U64, 0 };
	struct hft_log_site site = {
		.name = "object", .fields = "number,", .types = types, .subsystem = "object",
		.file = "object.c", .line = 1, .level = HFT_LOG_INFO,
	};
	struct hft_log *log = open_lossless();
	uint64_t number = 0;
	uint16_t id;

	(void)state;
	hft_log_object_add(&site, &site, &site + 1);
	id = site.id;
	assert_true(id >= HFT_LOG_SITE_FIRST);
	assert_int_equal(hft_log_write(&site, HFT_LOG_AUDIT, 0, &number, sizeof(number)), 0);
	/* Destructors that come later may log. */
	hft_log_object_remove(&site);
	number++;
	assert_int_equal(hft_log_write(&site, HFT_LOG_AUDIT, 0, &number, sizeof(number)), 0);
	site.id = 0;
	hft_log_object_add(&site, &site, &site + 1);
	hft_log_object_add(&site, &site, &site + 1);
	assert_int_equal(site.id, id);
	number++;
	assert_int_equal(hft_log_write(&site, HFT_LOG_AUDIT, 0, &number, sizeof(number)), 0);
	hft_log_object_remove(&site);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_numbers("object", "object", 1), 3);
}

/* A place that says what none does logs nothing, and others do as before. */
static void test_bad_sites(void **state)
{
	static const char types[] = { HFT_LOG_U64, 0 };
	const struct hft_log_site good = {
		.name = "bad", .fields = "number,", .types = types, .subsystem = "bad",
		.file = "bad.c", .line = 1, .level = HFT_LOG_ERROR, .enabled = 1,
	};
	struct hft_log_site sites[] = { good, good, good, good };
	struct hft_log *log = open_lossless();
	const uint64_t number = 0;
	size_t i;

	(void)state;
	sites[0].level = HFT_LOG_LEVELS;
	sites[1].types = "?";
	sites[2].subsystem = NULL;
	sites[3].types = NULL;
	hft_log_object_add(sites, sites, sites + 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(sites[i].id, 0);
		assert_int_equal(sites[i].enabled, 0);
		assert_int_equal(hft_log_write(&sites[i], HFT_LOG_AUDIT, 0, &number,
					       sizeof(number)), -EINVAL);
	}
	assert_int_equal(event_number(0, 0), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(count_numbers("open", "number", 1), 1);
	assert_int_equal(hft_log_close(log), 0);
}

static int serve(const char *path)
{
	struct hft_log *log;
	char c;

	if (hft_log_open(&log, path, NULL) || event_number(0, 0) || event_detail(1))
		return 1;
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1)
		event_detail(2);
	hft_log(HFT_LOG_INFO, "standard input has ended");
	return hft_log_close(log) ? 1 : 0;
}

static int hold(const char *path, const char *rings, const char *key)
{
	HFT_OPTS(hft_log_store_opts, store, .flush_ns = 3600 * 1000000000ull, .key_file = key);
	HFT_OPTS(hft_log_opts, opts, .ring_dir = rings, .store = &store);
	struct hft_log *log;
	uint64_t number;

	if (hft_log_open(&log, path, &opts) || hft_log_thread(log, NULL) || event_number(0, 0) ||
	    hft_log_flush(log, 0, WAIT_NS))
		return 1;
	for (number = 0; number < 1000; number++) {
		if (event_number(number, 1))
			return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &number, 1) == 1)
		;
	return hft_log_close(log) ? 1 : 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_threads, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_look, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_twice, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_fork, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_exit, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_clocks, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_options, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_objects, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_bad_sites, make_folder, remove_folder),
	};

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc >= 4 && !strcmp(argv[1], "hold"))
		return hold(argv[2], argv[3], argv[4]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
