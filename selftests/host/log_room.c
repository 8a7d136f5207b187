// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Rings of a log's threads: made ahead, refused for want of memory, given up when spoiled. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/log.h>

#include "log/journal.h"
#include "log_folder.h"
#include "log_ring.h"

#define FAILURES_MOST	100
#define TRIES_MOST	10000
#define LOOK_US		1000

HFT_LOG_EVENT(log_audited, "room", "audited", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_plain, "room", "plain", HFT_LOG_NOTICE, HFT_LOG_PLAIN, (u64, number))

/* Of the calls below this thread's fails that has it come down to 0. */
static _Thread_local long until_failure;

static bool fails(int err)
{
	if (!until_failure || --until_failure)
		return false;
	errno = err;
	return true;
}

void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return fails(ENOMEM) ? MAP_FAILED : __real_mmap(at, size, prot, flags, fd, offset);
}

int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice)
{
	return fails(ENOMEM) ? -1 : __real_madvise(at, size, advice);
}

/* A handler comes then. */
static _Thread_local bool interrupts;

int __real_posix_fallocate(int fd, off_t offset, off_t size);
int __wrap_posix_fallocate(int fd, off_t offset, off_t size);
int __wrap_posix_fallocate(int fd, off_t offset, off_t size)
{
	if (interrupts)
		raise(SIGUSR1);
	return fails(ENOSPC) ? ENOSPC : __real_posix_fallocate(fd, offset, size);
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
	return fails(ENOLCK) ? -1 : __real_flock(fd, operation);
}

static unsigned int count_rings(struct hft_log *log)
{
	HFT_OPTS(hft_log_stats, stats);

	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(hft_log_stats(log, &stats), 0);
	return (unsigned int)stats.rings;
}

/* Those of rings: others are opened by the drainer meanwhile. */
static unsigned int count_files(void)
{
	char name[32], path[256];
	unsigned int nr = 0;
	ssize_t length;
	int fd;

	for (fd = 0; fd < 1024; fd++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		length = readlink(name, path, sizeof(path) - 1);
		path[length > 0 ? length : 0] = '\0';
		nr += !!strstr(path, "/ring-");
	}
	return nr;
}

static void *begin_ahead(void *arg)
{
	struct hft_log *log = arg;
	HFT_OPTS(hft_log_stats, stats);

	if (hft_log_thread(log, NULL) || hft_log_thread(log, NULL) ||
	    hft_log_flush(log, 0, WAIT_NS) || hft_log_stats(log, &stats) ||
	    stats.rings != HFT_LOG_LANES)
		return arg;
	return log_audited(0) || log_plain(0) ? arg : NULL;
}

/* A thread has its rings before its first call, once, and while the log is open. */
static void test_ahead(void **state)
{
	struct hft_log *log = open_lossless();
	pthread_t thread;
	void *failed;

	(void)state;
	assert_int_equal(hft_log_thread(NULL, NULL), -EINVAL);
	assert_int_equal(pthread_create(&thread, NULL, begin_ahead, log), 0);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(hft_log_thread(log, NULL), -ENOTCONN);
	assert_int_equal(count_records("room", NULL), 2);
}

static int look_at_ring(void *arg, const struct hft_log_ring_info *ring)
{
	struct hft_log_ring_info *rings = arg;

	assert_in_range(ring->lane, 0, HFT_LOG_LANES - 1);
	rings[ring->lane] = *ring;
	return 0;
}

static void check_rings(uint32_t policy, uint64_t plain_bytes, uint64_t audit_bytes)
{
	struct hft_log_ring_info rings[HFT_LOG_LANES] = {};

	assert_int_equal(hft_log_rings(dir, look_at_ring, rings), 0);
	assert_int_equal(rings[HFT_LOG_PLAIN].policy, policy);
	assert_int_equal(rings[HFT_LOG_PLAIN].bytes, plain_bytes);
	assert_int_equal(rings[HFT_LOG_AUDIT].policy, HFT_LOG_BLOCK);
	assert_int_equal(rings[HFT_LOG_AUDIT].bytes, audit_bytes);
}

/* Of the calling thread. */
static void check_calls(uint32_t sync, uint32_t audit_sync, uint64_t block_ns)
{
	const struct hft_log_ring *plain = hft_log_self[HFT_LOG_PLAIN];
	const struct hft_log_ring *audit = hft_log_self[HFT_LOG_AUDIT];

	assert_int_equal(plain->sync, sync);
	assert_int_equal(audit->sync, audit_sync);
	assert_int_equal(plain->block_ns, block_ns);
	assert_int_equal(audit->block_ns, block_ns);
}

/* A thread may have other rings than its log's others, and says so before it has any. */
static void test_own(void **state)
{
	HFT_OPTS(hft_log_thread_opts, opts, .policy = HFT_LOG_POLICIES);
	struct hft_log *log = open_lossless();

	(void)state;
	assert_int_equal(hft_log_thread(log, &opts), -EINVAL);
	opts.policy = HFT_LOG_OVERWRITE;
	opts.reserved = 1;
	assert_int_equal(hft_log_thread(log, &opts), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "reserved"));
	opts.reserved = 0;
	opts.sync = HFT_LOG_SYNC_PACKET;
	opts.block_ns = 12345;
	opts.audit_sync = HFT_LOG_SYNC_PACKET + 1;
	assert_int_equal(hft_log_thread(log, &opts), -EINVAL);
	opts.audit_sync = HFT_LOG_SYNC_NONE;
	opts.audit_bytes = 1ull << 40;
	assert_int_equal(hft_log_thread(log, &opts), -EINVAL);
	opts.audit_bytes = 100000;
	assert_int_equal(count_rings(log), 0);
	assert_int_equal(hft_log_thread(log, &opts), 0);
	check_rings(HFT_LOG_OVERWRITE, 64 << 10, 128 << 10);
	check_calls(HFT_LOG_SYNC_PACKET, HFT_LOG_SYNC_NONE, 12345);
	assert_int_equal(hft_log_thread(log, &opts), -EEXIST);
	assert_int_equal(hft_log_thread(log, NULL), 0);
	assert_int_equal(log_audited(0), 0);
	assert_int_equal(log_plain(0), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("room", NULL), 2);

	log = open_lossless();
	assert_int_equal(hft_log_thread(log, NULL), 0);
	check_rings(HFT_LOG_BLOCK, 64 << 10, 64 << 10);
	check_calls(HFT_LOG_SYNC_DEFAULT, HFT_LOG_SYNC_DEFAULT, UINT64_MAX);
	assert_int_equal(hft_log_close(log), 0);
}

static volatile sig_atomic_t handled;

static void log_in_handler(int signal)
{
	(void)signal;
	handled = log_plain(0);
}

/* Those that have ended are let go by and by. */
static void await_rings(struct hft_log *log, unsigned int nr)
{
	unsigned int tries = 0;

	while (count_rings(log) != nr && tries++ < TRIES_MOST)
		usleep(LOOK_US);
	assert_true(tries < TRIES_MOST);
}

/*
 * Each of what rings take may fail: the thread has none then, nothing is left but what a handler
 * has logged meanwhile, and it may ask again.
 */
static void test_no_memory(void **state)
{
	const struct sigaction action = { .sa_handler = log_in_handler };
	HFT_OPTS(hft_log_thread_opts, opts, .audit_bytes = 128 << 10);
	struct hft_log *log = open_lossless();
	unsigned int logged = 0;
	long n, left;
	int err = -1;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	interrupts = true;
	for (n = 1; err && n < FAILURES_MOST; n++) {
		handled = -EBUSY;
		until_failure = n;
		err = hft_log_thread(log, &opts);
		left = until_failure;
		until_failure = 0;
		logged += !handled;
		if (!left)
			assert_true(err == -ENOMEM || err == -ENOSPC);
		if (err)
			assert_true(!hft_log_self[HFT_LOG_PLAIN] && !hft_log_self[HFT_LOG_AUDIT]);
		assert_int_equal(count_files(), 0);
	}
	interrupts = false;
	assert_int_equal(err, 0);
	assert_true(n > 2 * HFT_LOG_LANES && logged > 1);
	await_rings(log, HFT_LOG_LANES);
	check_rings(HFT_LOG_BLOCK, 64 << 10, 128 << 10);
	assert_int_equal(log_audited(0), 0);
	assert_int_equal(log_plain(0), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("room", NULL), logged + 2);
}

/* What is read of a ring that overwrites is copied: without room for that it stays there. */
static void test_no_copy(void **state)
{
	struct test_ring it;
	const void *records;

	(void)state;
	test_ring_open(&it, HFT_LOG_OVERWRITE, HFT_LOG_PLAIN, 64 << 10, 0);
	assert_int_equal(log_plain(0), 0);
	until_failure = 1;
	assert_int_equal(log_queue_read(it.queue, &records), -ENOMEM);
	assert_int_equal(until_failure, 0);
	assert_true(log_queue_read(it.queue, &records) > 0);
	test_ring_close(&it);
}

/* A handler that comes while its thread makes a ring has none; the thread's call is done. */
static void test_inside(void **state)
{
	const struct sigaction action = { .sa_handler = log_in_handler };
	struct hft_log *log = open_lossless();

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	interrupts = true;
	assert_int_equal(log_audited(0), 0);
	interrupts = false;
	assert_int_equal(handled, -EBUSY);
	raise(SIGUSR1);
	assert_int_equal(handled, 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("room", NULL), 2);
}

/* A level that can not be written alone is not, and the call says so. */
static void test_no_lock(void **state)
{
	struct hft_log *log = open_lossless();
	long n, left;
	int err = -1;

	(void)state;
	for (n = 1; err && n < FAILURES_MOST; n++) {
		until_failure = n;
		err = hft_log_set_level(log, "room", HFT_LOG_ERROR);
		left = until_failure;
		until_failure = 0;
		if (!left)
			assert_true(err == -ENOMEM || err == -ENOLCK);
		assert_int_equal(log_plain(0), 0);
	}
	assert_int_equal(err, 0);
	assert_true(n > 2);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_records("room", NULL), n - 2);
}

/* Something has written to a ring: what was in files stays there, and the thread goes on. */
static void test_spoiled(void **state)
{
	struct hft_log *log = open_lossless();
	struct hft_log_ring *ring;

	(void)state;
	assert_int_equal(log_audited(0), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	ring = hft_log_self[HFT_LOG_AUDIT];
	assert_non_null(ring);
	/* More than there is room for. */
	ring->reserved += ring->bytes / 8 + 1;
	__atomic_store_n(&ring->head, ring->reserved, __ATOMIC_RELEASE);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(log_audited(1), 0);
	assert_ptr_not_equal(hft_log_self[HFT_LOG_AUDIT], ring);
	assert_int_equal(log_plain(0), 0);
	assert_int_equal(hft_log_flush(log, 0, WAIT_NS), 0);
	assert_int_equal(hft_log_close(log), -EBADMSG);
	assert_int_equal(count_records("room", NULL), 3);
	/* It is kept as a file of the log, and the rings' folder is gone. */
	assert_int_equal(hft_log_recover(dir, NULL), 0);
	assert_int_equal(count_records("room", NULL), 3);
}

static int count_site(void *count, const struct hft_log_store_site *site)
{
	assert_string_equal(site->name, "second");
	++*(int *)count;
	return 0;
}

/* A site that there was room for half of is none, and the next one is whole. */
static void test_half_site(void **state)
{
	struct hft_log_store_site site = {
		.id = HFT_LOG_SITE_FIRST, .level = HFT_LOG_INFO, .name = "first",
		.subsystem = "room", .format = "", .file = __FILE__,
	};
	struct rlimit before, limit;
	int dir_fd, fd, count = 0;

	(void)state;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(dir_fd >= 0);
	fd = openat(dir_fd, LOG_JOURNAL, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(log_journal_add(fd, &site), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	site.name = "second";
	assert_int_equal(log_journal_add(fd, &site), 0);
	assert_int_equal(log_journal_read(dir_fd, count_site, &count), 0);
	assert_int_equal(count, 1);
	close(fd);
	close(dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_memory, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_no_lock, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_ahead, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_own, make_folder, remove_folder),
		cmocka_unit_test(test_no_copy),
		cmocka_unit_test_setup_teardown(test_inside, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_spoiled, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_half_site, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
