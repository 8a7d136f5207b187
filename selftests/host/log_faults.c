// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * The store and a disk that is full, small or gone: it says so, loses nothing that it has
 * taken, and goes on when it can.  And what it does with chunks of before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "log/seal.h"
#include "log_set_clock.h"
#include "log_trouble.h"

#define ROOM	(6 << 20)

/* What is refused with @err is taken again when @mend was called, and nothing is missing. */
static void check_recovery(int err, struct hft_log_store_opts *opts, void (*mend)(void))
{
	struct hft_log_store_state state = { .sz = sizeof(state) };
	static uint8_t buffer[1 << 18];
	atomic_int said = 0;
	struct load load;
	size_t left = 0;
	uint64_t count;

	forget_heard();
	opts->notify = hear;
	opts->notify_arg = &said;
	opts->eventfd = eventfd(0, EFD_NONBLOCK);
	opts->flags |= HFT_LOG_STORE_NO_PACK;
	opts->packet_bytes = 64 << 10;
	opts->buffers = 8;
	open_store(&load, opts);
	assert_int_equal(append_until_refused(&load, 2, buffer, sizeof(buffer), &left), err);
	assert_int_equal(said, err);
	assert_true(heard[HFT_LOG_STORE_TROUBLE] > 0);
	assert_int_equal(read(opts->eventfd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(hft_log_store_state(load.store, &state), 0);
	assert_int_equal(state.err, err);
	assert_true(state.errors > 0);
	assert_true(state.waiting_bytes > 0);
	assert_int_equal(hft_log_store_flush(load.store, false, 10000000), -err);
	assert_true(hft_log_store_written(load.store, stream_id(2)) < load.bytes[2]);

	mend();
	append_all(&load, 2, buffer, left);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	assert_int_equal(hft_log_store_state(load.store, &state), 0);
	assert_int_equal(state.err, 0);
	assert_int_equal(state.records, all_made(&load));
	assert_true(heard[HFT_LOG_STORE_WELL] > 0);
	check_written(&load, true);
	check_all_there(&load);
	close(opts->eventfd);
}

static const struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };

static void lift_limit(void)
{
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &no_limit), 0);
}

static void test_file_size(void **unused)
{
	const struct rlimit limit = { ROOM, RLIM_INFINITY };
	struct hft_log_store_opts opts = { .flags = 0 };

	(void)unused;
	new_folder("fsize");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	check_recovery(EFBIG, &opts, lift_limit);
}

/* Somebody makes room. */
static void make_larger(void)
{
	assert_int_equal(mount(NULL, top, "tmpfs", MS_REMOUNT, "size=256m"), 0);
}

static int full_disk(uint32_t flags)
{
	struct hft_log_store_opts opts = { .flags = flags };

	if (unshare(CLONE_NEWNS | (getuid() ? CLONE_NEWUSER : 0)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", top, "tmpfs", 0, "size=6m"))
		return 77;
	new_folder("full");
	check_recovery(ENOSPC, &opts, make_larger);
	return 0;
}

/* In a process of its own, whose file systems are its own. */
static void check_full_disk(uint32_t flags)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(full_disk(flags));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_full_disk(void **unused)
{
	(void)unused;
	check_full_disk(0);
}

static void test_full_disk_pwrite(void **unused)
{
	(void)unused;
	check_full_disk(HFT_LOG_STORE_NO_URING);
}

static void remove_log(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* What was said to be written went with the files; all that comes then is in new ones. */
static void test_folder_removed(void **unused)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK, .notify = hear };
	atomic_int said = 0;
	struct load load;
	uint64_t before;
	int64_t events;

	(void)unused;
	forget_heard();
	opts.notify_arg = &said;
	new_folder("removed");
	open_store(&load, &opts);
	append_random(&load, 10, 2000);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
	before = all_made(&load);
	remove_log();
	append_random(&load, 10, 2000);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
	assert_true(heard[HFT_LOG_STORE_GONE] > 0);
	check_written(&load, false);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(count_chunks(&events), 1);
	if (have_babeltrace())
		assert_int_equal(events, all_made(&load) - before);
}

/* A log that can not be closed in time says so, and so does one that another writes. */
static void test_close_and_busy(void **unused)
{
	const struct rlimit limit = { 8192, RLIM_INFINITY };
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK };
	struct hft_log_store_state state = { .sz = sizeof(state) };
	uint64_t end = now_ns() + LONG_NS / 10;
	struct hft_log_store *other;
	struct load load;

	(void)unused;
	new_folder("busy");
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_open(&other, dir, &origin, &opts), -EBUSY);
	append_random(&load, 2, 2000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (state.err != EFBIG) {
		append_random(&load, 1, 100);	/* where all of those were written before */
		hft_log_store_flush(load.store, false, 10000000);
		assert_int_equal(hft_log_store_state(load.store, &state), 0);
		assert_true(now_ns() < end);
	}
	assert_int_equal(hft_log_store_close(load.store, 10000000), -EFBIG);
	lift_limit();
	check_chain(true);
	/* What was left without a seal gets one, which says that it was late. */
	open_store(&load, &opts);
	append_random(&load, 2, 2000);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
}

static void fill_chunks(struct hft_log_store_opts *opts, uint32_t nr, struct load *load)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };

	opts->packet_bytes = 16 << 10;
	opts->chunk_bytes = 256 << 10;
	open_store(load, opts);
	do {
		append_random(load, 1, 2000);
		assert_int_equal(hft_log_store_flush(load->store, true, LONG_NS), 0);
		assert_int_equal(hft_log_store_state(load->store, &state), 0);
	} while (state.chunks < nr);
}

static uint32_t oldest(int64_t *chunks)
{
	struct dirent **names;
	int n = scandir(dir, &names, only_chunks, alphasort), i;
	uint32_t number = n ? (uint32_t)atoi(names[0]->d_name + 6) : 0;

	for (i = 0; i < n; i++)
		free(names[i]);
	free(names);
	*chunks = n;
	return number;
}

static void test_keep_chunks(void **unused)
{
	struct hft_log_store_opts opts = { .keep_chunks = 3, .flags = HFT_LOG_STORE_NO_PACK };
	struct hft_log_store_state state = { .sz = sizeof(state) };
	struct load load;
	int64_t chunks;

	(void)unused;
	new_folder("keep");
	fill_chunks(&opts, 8, &load);
	assert_int_equal(hft_log_store_state(load.store, &state), 0);
	assert_int_equal(oldest(&chunks), state.removed_chunks + 1);
	assert_int_equal(state.chunks - state.removed_chunks, 3);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(oldest(&chunks) > 5);
	assert_int_equal(chunks, 3);
	check_chain(false);
}

static void test_keep_bytes(void **unused)
{
	struct hft_log_store_opts opts = { .keep_bytes = 1 << 20, .flags = HFT_LOG_STORE_NO_PACK };
	struct load load;
	int64_t chunks;

	(void)unused;
	new_folder("bytes");
	fill_chunks(&opts, 12, &load);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(oldest(&chunks) > 1);
	assert_in_range(chunks, 1, 4);
}

static void test_keep_audit(void **unused)
{
	struct hft_log_store_opts opts = {
		.keep_chunks = 1, .audit_keep_ns = LONG_NS, .flags = HFT_LOG_STORE_NO_PACK,
	};
	struct load load;
	int64_t chunks;

	(void)unused;
	new_folder("audit");
	fill_chunks(&opts, 4, &load);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(oldest(&chunks), 1);
	assert_true(chunks >= 4);
	/* When they are old enough, they go as all do. */
	opts.audit_keep_ns = 1;
	fill_chunks(&opts, 1, &load);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(oldest(&chunks) > 4);
	assert_int_equal(chunks, 1);
}

static void read_seal(uint32_t number, struct hft_log_sealing *seal)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/chunk-%08u", dir, number);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(hft_log_seal_read(seal, fd), 0);
	close(fd);
}

/* A log that is opened again goes on where it was: number and chain. */
static void test_again(void **unused)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK };
	struct hft_log_sealing first, second;
	uint8_t previous[HFT_LOG_HASH_BYTES];
	struct load load;

	(void)unused;
	new_folder("again");
	open_store(&load, &opts);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	open_store(&load, &opts);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
	read_seal(1, &first);
	read_seal(2, &second);
	hft_log_seal_previous(&second, previous);
	assert_memory_equal(first.root, previous, sizeof(previous));
	hft_log_seal_close(&first);
	hft_log_seal_close(&second);
}

static void append_once(struct load *load, int i, uint32_t records)
{
	static uint8_t buffer[1 << 18];
	size_t bytes = records_make(&load->sources[i], buffer, sizeof(buffer), records);

	assert_int_equal(hft_log_store_append(load->store, stream_id(i), buffer, bytes, 0), bytes);
	load->bytes[i] += bytes;
}

/* A packet that is closed with its chunk is written behind one that was begun later. */
static void test_chunk_between(void **unused)
{
	struct hft_log_store_opts opts = {
		.flags = HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_NO_URING,
		.packet_bytes = 16 << 10, .buffers = 64, .chunk_bytes = 32 << 10,
	};
	struct load load;
	int64_t chunks, events;

	(void)unused;
	new_folder("between");
	open_store(&load, &opts);
	append_once(&load, 2, 10);
	append_once(&load, 1, 2000);		/* closes the chunk */
	append_once(&load, 2, 2000);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	check_written(&load, true);
	check_all_there(&load);
	chunks = count_chunks(&events);
	assert_true(chunks > 1);
}

static int count_sealed(void)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };

	assert_int_equal(hft_log_verify(dir, NULL, NULL, NULL, &result), 0);
	assert_true(result.tampered > 0);
	return (int)result.sealed;
}

/* Who removes or damages a seal does not keep the log from being written, nor get a new seal. */
static void test_seal_gone(void **unused)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK };
	struct load load;
	char path[128];
	int i;

	(void)unused;
	new_folder("seal");
	for (i = 0; i < 4; i++) {
		open_store(&load, &opts);
		append_random(&load, 3, 100);
		assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	}
	for (i = 2; i <= 4; i += 2) {
		snprintf(path, sizeof(path), "%s/chunk-%08d/hft/seal", dir, i);
		assert_int_equal(unlink(path), 0);
	}
	open_store(&load, &opts);		/* the last was torn by a crash, it seems */
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(count_sealed(), 4);
	snprintf(path, sizeof(path), "%s/chunk-%08d/hft/seal", dir, 5);
	assert_int_equal(truncate(path, 100), 0);
	open_store(&load, &opts);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_int_equal(count_sealed(), 4);
}

/* A process that died before its first packet was written: its chunk is of the log, too. */
static void test_empty_chunk(void **unused)
{
	struct hft_log_store_opts opts = {
		.flags = HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_NO_URING,
	};
	char command[128];
	struct load load;
	pid_t child;
	int status;

	(void)unused;
	new_folder("empty");
	child = fork();
	if (!child) {
		open_store(&load, &opts);
		append_random(&load, 3, 100);
		_exit(hft_log_store_flush(load.store, false, LONG_NS) ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	snprintf(command, sizeof(command), "rm %s/chunk-00000001/stream-*", dir);
	assert_int_equal(system(command), 0);
	open_store(&load, &opts);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
}

static bool has_text(const char *name, const char *text)
{
	char command[256];

	snprintf(command, sizeof(command), "grep -q '%s' %s/%s", text, dir, name);
	return !system(command);
}

static void test_clock(void **unused)
{
	const struct hft_log_store_clock clock = { "monotonic", 1000000000, 1600000000, 5, 0 };
	const struct hft_log_store_clock bad = { "tsc", 5, 0, 5, 0 };
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK };
	struct load load;
	int64_t events;

	(void)unused;
	new_folder("clock");
	open_store(&load, &opts);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_clock(load.store, &bad), -EINVAL);
	set_clock(load.store, &clock);
	append_random(&load, 3, 100);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	assert_true(has_text("chunk-00000001/metadata", "offset_s = 1700000000"));
	assert_true(has_text("chunk-00000002/metadata", "offset_s = 1600000000"));
	assert_true(has_text("chunk-00000002/hft/sites", "\"name\":\"monotonic\""));
	assert_int_equal(count_chunks(&events), 2);
	if (have_babeltrace())
		assert_int_equal(events, all_made(&load));
}

static void test_bad_records(void **unused)
{
	struct hft_log_store_opts opts = { .packet_bytes = 16 << 10 };
	struct hft_log_store_site site = record_sites[0];
	struct hft_log_record head = { .id = SITES_END, .words = 2 };
	static uint8_t large[32 << 10];
	struct load load;

	(void)unused;
	new_folder("bad");
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_append(load.store, 0, &head, sizeof(head), 0), -EBADMSG);
	head.id = SITE_EMPTY;
	head.words = 1;
	assert_int_equal(hft_log_store_append(load.store, 0, &head, sizeof(head), 0), -EBADMSG);
	head.words = sizeof(large) / 8;
	memcpy(large, &head, sizeof(head));
	assert_int_equal(hft_log_store_append(load.store, 0, large, sizeof(large), 0), -EMSGSIZE);
	/* Half a record is for the next time. */
	assert_int_equal(hft_log_store_append(load.store, 0, large, 4096, 0), -EAGAIN);
	assert_int_equal(hft_log_store_append(load.store, 1234, large, 4096, 0), -ENOENT);
	assert_int_equal(hft_log_store_site_add(load.store, &site), -EEXIST);
	site.id = 999;
	site.level = 6;
	assert_int_equal(hft_log_store_site_add(load.store, &site), -EINVAL);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	opts.packet_bytes = 5000;
	assert_int_equal(hft_log_store_open(&load.store, dir, &origin, &opts), -EINVAL);
	opts.packet_bytes = 0;
	opts.buffers = 3;
	assert_int_equal(hft_log_store_open(&load.store, dir, &origin, &opts), -EINVAL);
	opts.buffers = 0;
	opts.key_file = "/nonexistent";
	assert_int_equal(hft_log_store_open(&load.store, dir, &origin, &opts), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_size),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_full_disk_pwrite),
		cmocka_unit_test(test_folder_removed),
		cmocka_unit_test(test_close_and_busy),
		cmocka_unit_test(test_keep_chunks),
		cmocka_unit_test(test_keep_bytes),
		cmocka_unit_test(test_keep_audit),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_chunk_between),
		cmocka_unit_test(test_seal_gone),
		cmocka_unit_test(test_empty_chunk),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_babeltrace),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
