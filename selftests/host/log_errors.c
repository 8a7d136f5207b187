// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * The store and errors of the disk: what a sync that failed was of is written again, or no
 * flush succeeds any more.  The page cache is one that forgets what it could not write, as
 * the kernel's does: what is certain is what a later sync of the same write said.  And a disk
 * that is slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <hft/log.h>
#include <hft/log_read.h>

#include "log_set_clock.h"
#include "log_trouble.h"

#define BLOCK		4096u
#define BLOCKS		4096u
#define FILES		1024u

enum { CLEAN, DIRTY, LOST };

HFT_LOG_EVENT(log_kept, "test", "kept", HFT_LOG_INFO, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_plain, "test", "plain", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, number))

/* A file as the page cache has it */
static struct cached {
	ino_t ino;
	uint8_t blocks[BLOCKS];
} cached[FILES];
static unsigned int nr_cached;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* Files whose path has @failing in it: so many calls of them fail; all is forgotten for good */
static const char *_Atomic failing = "";
static atomic_int failing_syncs, failing_writes;
static atomic_bool forgets;
static atomic_uint pause_us;		/* of each write of a stream */

ssize_t __real_pwrite(int fd, const void *from, size_t bytes, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *from, size_t bytes, off_t offset);
int __wrap_fsync(int fd);

static struct cached *find_cached(int fd)
{
	struct stat stat;
	unsigned int i;

	assert_int_equal(fstat(fd, &stat), 0);
	for (i = 0; i < nr_cached; i++)
		if (cached[i].ino == stat.st_ino)
			break;
	assert_true(i < FILES);
	nr_cached += i == nr_cached;
	if (cached[i].ino != stat.st_ino || !stat.st_size)
		memset(cached[i].blocks, CLEAN, BLOCKS);
	cached[i].ino = stat.st_ino;
	return &cached[i];
}

static bool fails(int fd, atomic_int *left)
{
	char name[64], path[256] = "";

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (readlink(name, path, sizeof(path) - 1) < 0 || !strstr(path, failing) || !*left)
		return false;
	--*left;
	errno = EIO;
	return true;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t bytes, off_t offset)
{
	struct cached *file;
	ssize_t done = -1;

	if (pause_us && bytes >= BLOCK)
		usleep(pause_us);
	pthread_mutex_lock(&cache_lock);
	if (!fails(fd, &failing_writes)) {
		file = find_cached(fd);
		done = __real_pwrite(fd, from, bytes, offset);
		assert_true((uint64_t)offset + bytes <= (uint64_t)BLOCK * BLOCKS);
		if (done > 0)
			memset(file->blocks + offset / BLOCK, DIRTY,
			       ((size_t)offset % BLOCK + (size_t)done + BLOCK - 1) / BLOCK);
	}
	pthread_mutex_unlock(&cache_lock);
	return done;
}

/* The page is what was there before. */
static void forget(int fd, unsigned int block)
{
	static const uint8_t before[BLOCK];
	char name[64];
	int other;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	other = open(name, O_WRONLY);
	assert_true(other >= 0);
	assert_int_equal(__real_pwrite(other, before, BLOCK, (off_t)block * BLOCK), BLOCK);
	close(other);
}

int __wrap_fsync(int fd)
{
	struct cached *file;
	unsigned int i;
	bool bad;

	pthread_mutex_lock(&cache_lock);
	bad = fails(fd, &failing_syncs);
	file = find_cached(fd);
	for (i = 0; i < BLOCKS; i++) {
		if (file->blocks[i] != DIRTY)
			continue;
		file->blocks[i] = bad ? LOST : CLEAN;
		if (bad && forgets)
			forget(fd, i);
	}
	pthread_mutex_unlock(&cache_lock);
	errno = EIO;
	return bad ? -1 : 0;
}

static void fail_calls(const char *what, int syncs, int writes)
{
	failing = what;
	failing_syncs = syncs;
	failing_writes = writes;
}

static void check_file(int chunk_fd, const char *name)
{
	int fd = openat(chunk_fd, name, O_RDONLY);
	bool dirty, lost;

	assert_true(fd >= 0);
	pthread_mutex_lock(&cache_lock);
	dirty = memchr(find_cached(fd)->blocks, DIRTY, BLOCKS);
	lost = memchr(find_cached(fd)->blocks, LOST, BLOCKS);
	pthread_mutex_unlock(&cache_lock);
	assert_false(dirty || lost);
	close(fd);
}

static void check_chunk(const char *name)
{
	struct dirent *entry;
	char path[512];
	DIR *folder;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	folder = opendir(path);
	assert_non_null(folder);
	while ((entry = readdir(folder)))
		if (!strncmp(entry->d_name, "stream-", 7))
			check_file(dirfd(folder), entry->d_name);
	check_file(dirfd(folder), "metadata");
	check_file(dirfd(folder), "hft/sites");
	closedir(folder);
}

/* All that is in the log is certain.  Returns how many chunks there are. */
static int check_certain(void)
{
	struct dirent **names;
	int n = scandir(dir, &names, only_chunks, alphasort), i;

	for (i = 0; i < n; i++) {
		check_chunk(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return n;
}

static struct hft_log_store_opts options(atomic_int *said)
{
	forget_heard();
	*said = 0;
	forgets = false;
	nr_cached = 0;
	fail_calls("", 0, 0);
	return (struct hft_log_store_opts){
		.flags = HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_NO_URING, .notify = hear,
		.notify_arg = said, .packet_bytes = 16 << 10, .buffers = 8,
		.sync = HFT_LOG_SYNC_PACKET,
	};
}

/* A sync of one of @files fails, in the middle: all of it is certain when a flush says so. */
static void check_one_failure(const char *name, const char *files,
			      struct hft_log_store_opts *opts)
{
	struct load load;

	new_folder(name);
	open_store(&load, opts);
	append_random(&load, 20, 1000);
	fail_calls(files, 1, 0);
	append_random(&load, 20, 1000);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	assert_int_equal(failing_syncs, 0);
	check_certain();
	check_written(&load, true);
	assert_true(heard[HFT_LOG_STORE_TROUBLE] > 0);
	assert_true(heard[HFT_LOG_STORE_WELL] > 0);
	append_random(&load, 20, 1000);
	check_all_there(&load);
	check_certain();
}

static void test_sync_of_stream(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);

	(void)unused;
	check_one_failure("stream", "/stream-", &opts);
}

static void test_sync_of_metadata(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);

	(void)unused;
	opts.chunk_bytes = 256 << 10;
	check_one_failure("metadata", "/metadata", &opts);
}

/* That is tried again by itself: no stream has anything to be synchronised. */
static void test_sync_of_metadata_alone(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;

	(void)unused;
	opts.sync = HFT_LOG_SYNC_NONE;
	opts.audit_sync = HFT_LOG_SYNC_NONE;
	new_folder("alone");
	open_store(&load, &opts);
	append_random(&load, 20, 1000);
	fail_calls("/metadata", INT32_MAX, 0);
	assert_int_equal(hft_log_store_flush(load.store, true, 10000000), -EIO);
	fail_calls("", 0, 0);
	append_random(&load, 5, 1000);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS / 10), 0);
	check_written(&load, false);
	check_all_there(&load);
}

/* Only the keeper synchronises: what it was told once it must not forget. */
static void test_sync_of_closed_chunk(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);

	(void)unused;
	opts.sync = HFT_LOG_SYNC_NONE;
	opts.audit_sync = HFT_LOG_SYNC_NONE;
	opts.chunk_bytes = 256 << 10;
	check_one_failure("closed", "chunk-00000002/stream-", &opts);
	assert_true(heard[HFT_LOG_STORE_UNSEALED] > 0);
}

/* No sync succeeds: nothing is said to be certain, and what was not taken stays where it is. */
static void test_no_sync(void **unused)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };
	static uint8_t buffer[1 << 18];
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;
	int64_t events;
	size_t left = 0;

	(void)unused;
	new_folder("none");
	open_store(&load, &opts);
	fail_calls("/stream-", INT32_MAX, 0);
	assert_int_equal(append_until_refused(&load, 2, buffer, sizeof(buffer), &left), EIO);
	assert_int_equal(said, EIO);
	assert_int_equal(hft_log_store_flush(load.store, true, 10000000), -EIO);
	assert_int_equal(hft_log_store_synced(load.store, stream_id(2)), 0);
	assert_int_equal(hft_log_store_state(load.store, &state), 0);
	assert_int_equal(state.err, EIO);
	assert_int_equal(state.synced_packets, 0);
	assert_int_equal(heard[HFT_LOG_STORE_WELL], 0);
	assert_in_range(count_chunks(&events), 1, 2);

	fail_calls("", 0, 0);
	append_all(&load, 2, buffer, left);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	assert_true(heard[HFT_LOG_STORE_WELL] > 0);
	check_certain();
	check_written(&load, true);
	check_all_there(&load);
}

/* What was to be written is not there any more: nobody may say that it is. */
static void test_lost(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	uint64_t synced;
	struct load load;

	(void)unused;
	new_folder("lost");
	open_store(&load, &opts);
	append_random(&load, 10, 1000);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	synced = load.bytes[2];
	forgets = true;
	fail_calls("/stream-8", 1, 0);
	while (failing_syncs)
		append_random(&load, 1, 1000);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), -EIO);
	assert_int_equal(heard[HFT_LOG_STORE_LOST], 1);
	assert_true(hft_log_store_synced(load.store, stream_id(2)) >= synced);
	assert_true(hft_log_store_synced(load.store, stream_id(2)) < load.bytes[2]);
	/* It goes on, and does not forget. */
	append_random(&load, 10, 1000);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), -EIO);
	assert_true(hft_log_store_synced(load.store, stream_id(2)) < load.bytes[2]);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), -EIO);
	assert_int_equal(hft_log_verify(dir, NULL, NULL, NULL, &result), 0);
	assert_true(result.tampered > 0);
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
}

/* Writes fail, audit records wait, and then all is there. */
static void test_no_write(void **unused)
{
	static uint8_t buffer[1 << 18];
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;
	size_t left = 0;

	(void)unused;
	new_folder("write");
	open_store(&load, &opts);
	append_random(&load, 10, 1000);
	fail_calls("/stream-", 0, INT32_MAX);
	assert_int_equal(append_until_refused(&load, 2, buffer, sizeof(buffer), &left), EIO);
	assert_int_equal(hft_log_store_flush(load.store, true, 10000000), -EIO);
	fail_calls("", 0, 0);
	append_all(&load, 2, buffer, left);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	check_certain();
	check_written(&load, true);
	check_all_there(&load);
}

static bool is_sealed(uint32_t chunk)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/chunk-%08u/hft/seal", dir, chunk);
	return !access(path, F_OK);
}

/* A chunk that is not all written when its files are removed: the next one has the rest. */
static void test_closing_removed(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	char command[128];
	uint64_t before;
	struct load load;
	int64_t events;

	(void)unused;
	new_folder("closing");
	open_store(&load, &opts);
	append_random(&load, 10, 100);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	before = all_made(&load);
	fail_calls("chunk-00000001/stream-", 0, INT32_MAX);
	append_random(&load, 1, 100);
	set_clock(load.store, &origin.clock);
	snprintf(command, sizeof(command), "rm -r %s/chunk-00000001", dir);
	assert_int_equal(system(command), 0);
	fail_calls("", 0, 0);
	append_random(&load, 10, 100);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	assert_true(heard[HFT_LOG_STORE_GONE] > 0);
	check_certain();
	check_written(&load, true);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(count_chunks(&events), 1);
	assert_true(is_sealed(2));
	if (have_babeltrace())
		assert_int_equal(events, all_made(&load) - before);
}

/* A chunk that has lost a file is given up, which is no reason not to open the log again. */
static void test_file_removed(void **unused)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;
	char path[128];

	(void)unused;
	new_folder("file");
	open_store(&load, &opts);
	append_random(&load, 10, 100);
	set_clock(load.store, &origin.clock);
	append_random(&load, 10, 100);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	snprintf(path, sizeof(path), "%s/chunk-00000002/stream-8", dir);
	assert_int_equal(unlink(path), 0);
	set_clock(load.store, &origin.clock);
	append_random(&load, 10, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_false(is_sealed(2));
	assert_true(is_sealed(3));
	open_store(&load, &opts);
	append_random(&load, 10, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_false(is_sealed(2));
	assert_int_equal(hft_log_verify(dir, NULL, NULL, NULL, &result), 0);
	assert_int_equal(result.sealed, 3);
	assert_true(result.tampered > 0);
}

/* Chunk 1 can not be sealed in time: then chunk 2 is not, either, and both are repaired. */
static void test_given_up(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;
	uint32_t chunk;

	(void)unused;
	new_folder("up");
	opts.sync = HFT_LOG_SYNC_NONE;
	opts.audit_sync = HFT_LOG_SYNC_NONE;
	open_store(&load, &opts);
	fail_calls("chunk-00000001/", INT32_MAX, 0);
	for (chunk = 1; chunk <= 2; chunk++) {
		append_random(&load, 10, 10);
		set_clock(load.store, &origin.clock);
	}
	assert_int_not_equal(hft_log_store_close(load.store, 10000000), 0);
	assert_false(is_sealed(1) || is_sealed(2));
	fail_calls("", 0, 0);
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(is_sealed(1) && is_sealed(2));
	check_chain(true);
}

static void check_repaired(const char *name, bool was_well)
{
	atomic_int said;
	struct hft_log_store_opts opts = options(&said);
	struct load load;

	new_folder(name);
	open_store(&load, &opts);
	if (was_well) {
		append_random(&load, 20, 1000);
		assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	}
	fail_calls("chunk-00000001/", INT32_MAX, 0);
	append_random(&load, 1, 100);
	assert_int_not_equal(hft_log_store_close(load.store, 10000000), 0);
	assert_false(is_sealed(1));
	fail_calls("chunk-00000001/", 1, 0);
	assert_int_equal(hft_log_store_open(&load.store, dir, &origin, &opts), -EIO);
	assert_false(is_sealed(1));
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(is_sealed(1));
	check_certain();
	check_chain(true);
}

/* Who repairs a chunk has not heard that the disk did not take it. */
static void test_repaired(void **unused)
{
	(void)unused;
	check_repaired("repaired", true);
	check_repaired("none-certain", false);
}

/* All of @log that can be, and how many of its calls were refused so. */
static uint64_t log_until(int (*log)(uint64_t), int refusal, uint64_t *taken)
{
	uint64_t refused = 0;
	int err;

	do {
		err = log(*taken);
		assert_true(!err || err == refusal);
		*taken += !err;
		refused += !!err;
	} while (refused < 3);
	return refused;
}

static int log_one_kept(uint64_t number)
{
	return log_kept(number);
}

static int log_one_plain(uint64_t number)
{
	return log_plain(number);
}

static uint64_t count_read(void)
{
	struct hft_log_reader_opts opts = { .sz = sizeof(opts), .subsystems = "test" };
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t nr = 0;
	int ret;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		nr++;
	assert_int_equal(ret, 0);
	hft_log_reader_close(reader);
	return nr;
}

/* Callers of an audit ring wait as long as they may, those of a plain one do not. */
static void test_slow(void **unused)
{
	atomic_int said;
	struct hft_log_store_opts store = options(&said);
	struct hft_log_opts opts = {
		.sz = sizeof(opts), .ring_bytes = 64 << 10, .audit_bytes = 64 << 10,
		.block_ns = 5000000, .store = &store,
	};
	struct hft_log_stats stats = { .sz = sizeof(stats) };
	uint64_t kept = 0, plain = 0, timeouts, dropped, begin;
	struct hft_log *log;

	(void)unused;
	new_folder("slow");
	store.sz = sizeof(store);
	assert_int_equal(hft_log_open(&log, dir, &opts), 0);
	pause_us = 40000;
	begin = now_ns();
	timeouts = log_until(log_one_kept, -ETIMEDOUT, &kept);
	assert_true(now_ns() - begin >= timeouts * opts.block_ns);
	dropped = log_until(log_one_plain, -ENOBUFS, &plain);
	pause_us = 0;
	assert_int_equal(hft_log_flush(log, HFT_LOG_FLUSH_SYNC, LONG_NS), 0);
	assert_int_equal(hft_log_stats(log, &stats), 0);
	assert_int_equal(stats.timeouts, timeouts);
	assert_int_equal(stats.lost, timeouts + dropped);
	assert_int_equal(heard[HFT_LOG_STORE_TROUBLE], 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(count_read(), kept + plain);
	check_chain(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync_of_stream),
		cmocka_unit_test(test_sync_of_metadata),
		cmocka_unit_test(test_sync_of_metadata_alone),
		cmocka_unit_test(test_sync_of_closed_chunk),
		cmocka_unit_test(test_no_sync),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_no_write),
		cmocka_unit_test(test_closing_removed),
		cmocka_unit_test(test_file_removed),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_repaired),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_babeltrace),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
