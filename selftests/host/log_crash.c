// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * A process that logs is killed at a random moment: each record whose call had returned is in
 * the log after recovery, once, and the chain of hashes is whole.
 *
 * HFT_TEST_SCALE=25 kills 500 times.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>
#define HFT_LOG_SUBSYSTEM "crash"
#include <hft/log.h>
#include <hft/log_read.h>
#include <hft/log_verify.h>

#include "../include/scale.h"
#include "random.h"
#include "tree.h"

#define KILLS		20
#define MOST_KILLS	500
#define THREADS		2
#define LONGEST_NS	60000000u	/* between the first record and the end */
#define ROUNDS_PER_DIR	5
#define MOST_CALLS	4000000		/* of a thread: it ends there */

HFT_LOG_EVENT(event_count, "crash", "count", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, thread),
	      (u64, number), (string, text))

/**
 * struct page - what the process says of itself while it lives
 * @begun: all threads log
 * @pid: the log's
 * @counts: calls of each thread that have returned
 */
struct page {
	atomic_uint begun;
	struct {
		_Atomic uint64_t calls;
		char pad[56];
	} counts[THREADS];
};

static struct page *page;
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

static const char *text_of(uint64_t number)
{
	return number % 4 ? "" : alphabet + number / 4 % 26;
}

static void *log_counts(void *arg)
{
	uint64_t thread = (uintptr_t)arg, number;

	for (number = 0; number < MOST_CALLS - 2; number++) {
		if (event_count(thread, number, text_of(number)))
			_exit(3);
		atomic_store_explicit(&page->counts[thread].calls, number + 1,
				      memory_order_release);
		if (!number)
			atomic_fetch_add(&page->begun, 1);
		/* Another site, of a ring that may lose. */
		hft_log(HFT_LOG_INFO, "number=%lu", number);
	}
	return NULL;
}

static void run_victim(const char *dir)
{
	HFT_OPTS(hft_log_store_opts, store, .packet_bytes = 16 << 10, .chunk_bytes = 1 << 20,
		 .flush_ns = 2000000, .audit_sync = HFT_LOG_SYNC_NONE);
	HFT_OPTS(hft_log_opts, opts, .ring_bytes = 64 << 10, .audit_bytes = 128 << 10,
		 .policy = HFT_LOG_OVERWRITE, .block_ns = UINT64_MAX, .store = &store);
	struct hft_log *log;
	pthread_t thread;
	uintptr_t i;

	if (hft_log_open(&log, dir, &opts)) {
		fprintf(stderr, "open: %s\n", hft_strerror(errno));
		_exit(2);
	}
	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&thread, NULL, log_counts, (void *)i))
			_exit(4);
	}
	for (;;)
		pause();
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_nsec = (long)ns };

	nanosleep(&ts, NULL);
}

static void kill_one(const char *dir, uint64_t *random)
{
	int status;
	pid_t pid;

	memset(page, 0, sizeof(*page));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_victim(dir);
	while (atomic_load(&page->begun) < THREADS) {
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		sleep_ns(100000);
	}
	assert_int_equal(hft_log_recover(dir, NULL), -EBUSY);
	sleep_ns(random_below(random, LONGEST_NS));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void notice(void *context, const struct hft_log_notice *it)
{
	(void)context;
	if (it->kind != HFT_LOG_NOTICE_LOST)
		fail_msg("%s at %llu: %s", it->path, (unsigned long long)it->offset, it->text);
}

/* Of the last process that has written there: it has the highest number. */
static void check_records(const char *dir)
{
	HFT_OPTS(hft_log_reader_opts, opts, .notice = notice, .subsystems = "crash");
	static unsigned char seen[THREADS][MOST_CALLS];
	uint64_t thread, number, missing;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint32_t process = 0;
	int ret;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(hft_log_reader_open(&reader, &dir, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (strcmp(view->site->name, "count"))
			continue;
		if (view->stream->log->number > process) {
			process = view->stream->log->number;
			memset(seen, 0, sizeof(seen));
		}
		assert_int_equal(view->stream->log->number, process);
		thread = view->values[0].u;
		number = view->values[1].u;
		assert_true(thread < THREADS && number < MOST_CALLS);
		assert_int_equal(view->sequence, number);
		assert_string_equal(view->values[2].s, text_of(number));
		assert_int_equal(seen[thread][number]++, 0);
	}
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	for (thread = 0; thread < THREADS; thread++) {
		missing = 0;
		for (number = 0; number < page->counts[thread].calls; number++)
			missing += !seen[thread][number];
		assert_int_equal(missing, 0);
		/* One that was amid a call may be there, too. */
		assert_false(seen[thread][number + 1]);
	}
}

static void tell_finding(void *context, const struct hft_log_finding *finding)
{
	(void)context;
	if (finding->verdict != HFT_LOG_WHOLE)
		print_error("%s: %s\n", hft_log_finding_name(finding->kind), finding->text);
}

static void check_chain(const char *dir)
{
	HFT_OPTS(hft_log_verify_opts, opts);
	HFT_OPTS(hft_log_verify_result, result);

	assert_int_equal(hft_log_verify(dir, &opts, tell_finding, NULL, &result), 0);
	assert_int_equal(result.tampered, 0);
	assert_int_equal(result.torn, 0);
}

static void test_kill(void **state)
{
	uint64_t random = 1, calls = 0, i, kills = hft_test_scaled(KILLS);
	char dir[PATH_MAX];
	size_t thread;

	(void)state;
	kills = kills < MOST_KILLS ? kills : MOST_KILLS;
	for (i = 0; i < kills; i++) {
		if (i % ROUNDS_PER_DIR == 0)
			tree_make(dir, NULL, 0);
		kill_one(dir, &random);
		assert_int_equal(hft_log_recover(dir, NULL), 0);
		assert_int_equal(hft_log_recover(dir, NULL), 0);
		check_records(dir);
		check_chain(dir);
		for (thread = 0; thread < THREADS; thread++)
			calls += page->counts[thread].calls;
		if (i % ROUNDS_PER_DIR == ROUNDS_PER_DIR - 1 || i == kills - 1)
			tree_remove(dir);
	}
	print_message("%llu kills, %llu calls that had returned\n", (unsigned long long)kills,
		      (unsigned long long)calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill),
	};

	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
