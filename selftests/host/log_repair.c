// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * What a crash leaves is told from what someone did, and repaired; and a repair is restarted
 * wherever it was killed, or the disk was full.  HFT_TEST_SCALE: how many are torn.
 */
#include <errno.h>
#include <ftw.h>
#include <sys/wait.h>

#include "../include/scale.h"
#include "log_tamper.h"

#define TORN		100
#define LOGS		4		/* that are repaired, */
#define TORN_OF_LOG	10		/* so often each */

/* The calls that a repair depends on (see the Makefile): one of them does not come off. */
static struct {
	enum { NO_TROUBLE, KILLED, FULL } kind;
	unsigned int at;		/* which, from 1 */
	unsigned int calls;
} trouble;

/* A new index was made, and the folder that it is in not synced. */
static bool is_index_loose;

/* There is no descriptor for the next who opens them. */
static bool is_sites_shut;

int __real_openat(int dir, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *path, int flags);
int __real_faccessat(int dir, const char *path, int mode, int flags);
int __wrap_openat(int dir, const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __wrap_fsync(int fd);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_faccessat(int dir, const char *path, int mode, int flags);

static bool is_now(void)
{
	return trouble.kind && ++trouble.calls == trouble.at;
}

static int strike(void)
{
	if (trouble.kind == KILLED)
		_exit(9);
	errno = ENOSPC;
	return -1;
}

int __wrap_openat(int dir, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (flags & O_CREAT && is_now())
		return strike();
	if (is_sites_shut && !strcmp(path, "hft/sites")) {
		is_sites_shut = false;
		errno = EMFILE;
		return -1;
	}
	is_index_loose |= flags & O_CREAT && !strcmp(path, "hft/.new-index");
	return __real_openat(dir, path, flags, mode);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (!is_now())
		return __real_write(fd, bytes, size);
	if (__real_write(fd, bytes, size / 2) < 0)
		abort();
	return strike();
}

static bool is_folder_hft(int fd)
{
	char link[32], path[256];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path));
	return length > 4 && !memcmp(path + length - 4, "/hft", 4);
}

int __wrap_fsync(int fd)
{
	is_index_loose &= !is_folder_hft(fd);
	return is_now() ? strike() : __real_fsync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
	return is_now() ? strike() : __real_ftruncate(fd, size);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (is_index_loose && !strcmp(to, "hft/.repaired"))
		fail_msg("the seal of a repair is there, and its index may be lost");
	return is_now() ? strike() : __real_renameat(from_dir, from, to_dir, to);
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	return is_now() ? strike() : __real_unlinkat(dir, path, flags);
}

int __wrap_faccessat(int dir, const char *path, int mode, int flags)
{
	return is_now() ? strike() : __real_faccessat(dir, path, mode, flags);
}

/* A stream of an unsealed chunk is broken from a packet on, in the ways that disks have. */
static void tear(struct make_file *file, unsigned int from, uint64_t *random)
{
	size_t at = file->packets[from].offset, size = file->packets[from].bytes, i;
	size_t end = random_below(random, 2) ? file->size : at + size;

	switch (random_below(random, 4)) {
	case 0:				/* not written, or not whole */
		i = at + random_u64(random) % size;
		resize(file, i, file->size - i, NULL, 0);
		break;
	case 1:				/* a hole, with what is behind written or not */
		memset(file->bytes + at, 0, end - at);
		break;
	case 2:				/* a sector of another time */
		for (i = at; i < at + 512; i++)
			file->bytes[i] = (uint8_t)random_u64(random);
		break;
	default:			/* some sectors of it not written */
		at += random_u64(random) % (size / 512) * 512;
		memset(file->bytes + at, 0, 512);
		file->bytes[at] = 1;
	}
}

/* What is synced of what is left: that which the last whole packet says. */
static void test_torn(void **state)
{
	const struct make_opts opts = { .seed = 77, .key = &own_key, .open_chunks = 1 };
	struct hft_log_verify_result result;
	struct make_log whole, log;
	struct make_file *file;
	struct wanted wanted;
	unsigned int i, from, nr = (unsigned int)hft_test_scaled(TORN);
	uint64_t random;
	char name[32];

	(void)state;
	make_log(&whole, &opts);
	write_log(&whole);
	for (i = 0; i < nr; i++) {
		random = i;
		make_copy(&log, &whole);
		memset(&wanted, 0, sizeof(wanted));
		snprintf(name, sizeof(name), "stream-%u", i % MAKE_STREAMS);
		file = find_file(&log, MAKE_CHUNKS, name);
		from = file->nr / 2 + random_below(&random, file->nr - file->nr / 2);
		tear(file, from, &random);
		want(&wanted, file, HFT_LOG_TORN, HFT_LOG_NO_PACKET);
		wanted.or_kind = HFT_LOG_UNSEALED;
		wanted.file = NULL;
		make_change(log_dir, &whole, &log);
		verify(&wanted, &result);
		if (!wanted.is_seen || result.tampered || !result.torn)
			fail_msg("%u: torn from %u of %u, but:\n%s", i, from, file->nr,
				 wanted.text);
		make_change(log_dir, &log, &whole);
		make_free(&log);
	}
	make_remove(log_dir);
	make_free(&whole);
}

/* The same of packets that a later one says were on the disk is no crash. */
static void test_not_torn(void **state)
{
	const struct make_opts opts = { .seed = 78, .key = &own_key, .open_chunks = 1 };
	struct hft_log_verify_result result;
	struct make_log whole, log;
	struct make_file *file;
	struct wanted wanted;
	unsigned int i, at, nr = (unsigned int)hft_test_scaled(TORN);
	uint64_t random;
	size_t byte;

	(void)state;
	make_log(&whole, &opts);
	write_log(&whole);
	for (i = 0; i < nr; i++) {
		random = i;
		make_copy(&log, &whole);
		memset(&wanted, 0, sizeof(wanted));
		file = find_file(&log, MAKE_CHUNKS, "stream-1");
		at = random_below(&random, (uint32_t)file->packets[file->nr - 1].synced);
		byte = random_u64(&random) % file->packets[at].bytes;
		want(&wanted, file, HFT_LOG_CHANGED, at);
		if (i % 3)
			file->bytes[file->packets[at].offset + byte] ^= 4;
		else
			resize(file, file->packets[at].offset, file->packets[at].bytes, NULL, 0);
		wanted.or_kind = i % 3 ? HFT_LOG_CHANGED : HFT_LOG_DROPPED;
		make_change(log_dir, &whole, &log);
		verify(&wanted, &result);
		if (!wanted.is_seen || !result.tampered)
			fail_msg("%u: changed at %u of %u, but:\n%s", i, at, file->nr, wanted.text);
		make_change(log_dir, &log, &whole);
		make_free(&log);
	}
	make_remove(log_dir);
	make_free(&whole);
}

static int hide(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)where;
	return type == FTW_F ? chmod(path, 0600) : 0;
}

/* A repair lets nobody read what it could not read before; a seal is as the log makes it. */
static int check_hidden(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type == FTW_F && st->st_mode & 0777 & ~(strstr(path, "/seal") ? 0640u : 0600u))
		fail_msg("%s has mode %o", path, st->st_mode);
	return 0;
}

/* A torn log is repaired: it is whole then, says so, and has each packet that was whole. */
static void test_repair(void **state)
{
	struct make_opts opts = { .seed = 79, .key = &own_key };
	struct hft_log_repair_opts repair = { .sz = sizeof(repair), .key = private_pem };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result, before;
	struct make_log whole, log;
	unsigned int i, j, each = (unsigned int)hft_test_scaled(TORN_OF_LOG);
	struct wanted wanted;
	uint64_t random;

	(void)state;
	for (i = 0; i < LOGS * each; i++) {
		random = i;
		opts.seed = i / each;
		opts.open_chunks = 1 + i / each % 2;
		if (i % each == 0)
			make_log(&whole, &opts);
		make_copy(&log, &whole);
		memset(&wanted, 0, sizeof(wanted));
		for (j = 0; j < log.nr; j++) {
			struct make_file *file = &log.files[j];

			if (file->chunk + opts.open_chunks > MAKE_CHUNKS && file->nr)
				tear(file, file->nr / 2 + random_below(&random, file->nr / 2),
				     &random);
			else if (file->chunk == MAKE_CHUNKS && !file->nr && i % 2)
				resize(file, file->size - 5, 5, NULL, 0);
		}
		write_log(&log);
		assert_int_equal(nftw(log_dir, hide, 8, FTW_PHYS), 0);
		verify(&wanted, &before);
		assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), 0);
		assert_int_equal(repaired.chunks, opts.open_chunks);
		assert_int_equal(nftw(log_dir, check_hidden, 8, FTW_PHYS), 0);
		verify(&wanted, &result);
		if (result.tampered || result.torn || result.packets != before.packets ||
		    result.records != before.records || result.sealed != MAKE_CHUNKS ||
		    !strstr(wanted.text, "repaired"))
			fail_msg("%u: repaired, but %u packets are %u:\n%s", i,
				 (unsigned int)before.packets, (unsigned int)result.packets,
				 wanted.text);
		assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), 0);
		assert_int_equal(repaired.chunks, 0);
		make_remove(log_dir);
		make_free(&log);
		if (i % each == each - 1)
			make_free(&whole);
	}
}

/* Where it can not be read that a log without a seal is to be signed, it may be. */
static void test_sites_shut(void **state)
{
	const struct make_opts opts = { .seed = 83, .open_chunks = MAKE_CHUNKS };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct make_log log;

	(void)state;
	make_log(&log, &opts);
	write_log(&log);
	is_sites_shut = true;
	assert_int_equal(hft_log_repair(log_dir, NULL, &repaired), -EMFILE);
	assert_false(is_sites_shut);
	assert_int_equal(hft_log_repair(log_dir, NULL, &repaired), 0);
	assert_int_equal(repaired.chunks, MAKE_CHUNKS);
	make_remove(log_dir);
	make_free(&log);
}

/* What was tampered with is not made good by a repair, and a copy leaves the log alone. */
static void test_repair_tampered(void **state)
{
	const struct make_opts opts = { .seed = 80, .key = &own_key, .open_chunks = 1 };
	struct hft_log_repair_opts repair = { .sz = sizeof(repair), .key = private_pem };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	char output[96], was[80];
	struct make_log log;
	struct make_file *file;

	(void)state;
	make_log(&log, &opts);
	file = find_file(&log, MAKE_CHUNKS, "stream-2");
	resize(file, file->packets[1].offset, file->packets[1].bytes, NULL, 0);
	write_log(&log);
	snprintf(output, sizeof(output), "%s/fixed", root_dir);
	repair.output = output;
	assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), 0);
	assert_int_equal(repaired.chunks, 1);
	assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), -EEXIST);
	assert_int_equal(hft_log_repair(log_dir, NULL, NULL), -EINVAL);
	assert_int_equal(hft_log_verify(log_dir, NULL, NULL, NULL, NULL), -EINVAL);
	want(&wanted, file, HFT_LOG_DROPPED, 1);
	verify(&wanted, &result);
	assert_true(wanted.is_seen && result.tampered);
	assert_true(strstr(wanted.text, "unsealed"));

	strcpy(was, log_dir);
	strcpy(log_dir, output);
	memset(&wanted, 0, sizeof(wanted));
	want(&wanted, file, HFT_LOG_CHANGED, 1);
	verify(&wanted, &result);
	assert_true(wanted.is_seen && result.tampered);
	assert_true(strstr(wanted.text, "found when the chunk was repaired: dropped"));
	strcpy(log_dir, was);
	make_remove(output);
	make_remove(log_dir);
	make_free(&log);
}

/* Only what was sealed is compressed: a chunk that has such a stream and no seal had one. */
static void test_seal_removed(void **state)
{
	const struct make_opts opts = { .seed = 85, .key = &own_key, .open_chunks = 1 };
	struct hft_log_repair_opts repair = { .sz = sizeof(repair), .key = private_pem };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	struct make_log log;
	struct make_file *file;

	(void)state;
	make_log(&log, &opts);
	file = find_file(&log, MAKE_CHUNKS, "stream-0");
	strcat(file->path, ".zst");
	write_log(&log);
	assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), -EBADMSG);
	verify(&wanted, &result);
	assert_true(strstr(wanted.text, "the chunk has no seal, and had one"));
	make_remove(log_dir);
	make_free(&log);
}

/* Of the last two chunks: packets move, ends are cut off, room is given back. */
static void make_torn(struct make_log *log)
{
	const struct make_opts opts = { .seed = 82, .key = &own_key, .open_chunks = 2 };
	static const char *const texts[] = { "metadata", "hft/sites", "hft/index" };
	static const uint8_t zeroes[8192];
	unsigned int chunk, i;

	make_log(log, &opts);
	for (chunk = MAKE_CHUNKS - 1; chunk <= MAKE_CHUNKS; chunk++) {
		struct make_file *moved = find_file(log, chunk, "stream-0");
		struct make_file *ended = find_file(log, chunk, "stream-1");
		struct make_file *filled = find_file(log, chunk, "stream-2");

		memset(moved->bytes + moved->packets[moved->nr - 2].offset + 512, 7, 512);
		resize(ended, ended->size - 100, 100, NULL, 0);
		resize(filled, filled->size, 0, zeroes, sizeof(zeroes));
	}
	for (i = 0; i < 3; i++) {
		struct make_file *text = find_file(log, MAKE_CHUNKS, texts[i]);

		resize(text, text->size - 5, 5, NULL, 0);
	}
}

/* What is known of a log that was repaired */
struct outcome {
	struct hft_log_repair_result repair;
	struct hft_log_verify_result verify;
	char text[4096];
	struct stat cut;
};

static void finish(struct outcome *outcome)
{
	const struct hft_log_repair_opts opts = { .sz = sizeof(opts), .key = private_pem };
	struct wanted wanted = { 0 };
	char path[128];
	int err;

	memset(outcome, 0, sizeof(*outcome));
	outcome->repair.sz = sizeof(outcome->repair);
	err = hft_log_repair(log_dir, &opts, &outcome->repair);
	if (err)
		fail_msg("call %u: %s", trouble.at, hft_strerror(err));
	verify(&wanted, &outcome->verify);
	strcpy(outcome->text, wanted.text);
	snprintf(path, sizeof(path), "%s/chunk-%08u/.cut-stream-0", log_dir, MAKE_CHUNKS);
	assert_int_equal(stat(path, &outcome->cut), 0);
}

/* The repair of a copy, which leaves the log as it is, is the same. */
static void check_copy(const char *text)
{
	struct hft_log_repair_opts opts = { .sz = sizeof(opts), .key = private_pem };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	char output[96], was[80];
	int err;

	snprintf(output, sizeof(output), "%s/copy", root_dir);
	opts.output = output;
	err = hft_log_repair(log_dir, &opts, &repaired);
	if (err)
		fail_msg("call %u: %s", trouble.at, hft_strerror(err));
	strcpy(was, log_dir);
	strcpy(log_dir, output);
	verify(&wanted, &result);
	if (strcmp(text, wanted.text))
		fail_msg("call %u, the copy:\n%s and not:\n%s", trouble.at, wanted.text, text);
	make_remove(output);
	strcpy(log_dir, was);
}

/* In a process of its own: false, if it came to its end. */
static bool is_killed(void)
{
	const struct hft_log_repair_opts opts = { .sz = sizeof(opts), .key = private_pem };
	struct hft_log_repair_result result = { .sz = sizeof(result) };
	pid_t child = fork();
	int status;

	if (!child) {
		trouble.kind = KILLED;
		_exit(hft_log_repair(log_dir, &opts, &result) ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
	return WEXITSTATUS(status) == 9;
}

static bool is_full(void)
{
	const struct hft_log_repair_opts opts = { .sz = sizeof(opts), .key = private_pem };
	struct hft_log_repair_result result = { .sz = sizeof(result) };
	int err;

	trouble.kind = FULL;
	trouble.calls = 0;
	err = hft_log_repair(log_dir, &opts, &result);
	trouble.kind = NO_TROUBLE;
	assert_true(!err || (err == -ENOSPC && trouble.calls >= trouble.at));
	return trouble.calls >= trouble.at;
}

static void interrupt(bool (*is_interrupted)(void))
{
	struct outcome wanted, outcome;
	struct hft_log_verify_result between;
	struct wanted found = { 0 };
	bool again = true;
	struct make_log log;

	make_torn(&log);
	write_log(&log);
	finish(&wanted);
	make_remove(log_dir);
	assert_true(wanted.repair.chunks == 2 && wanted.repair.cut_bytes);
	assert_false(wanted.verify.tampered);
	for (trouble.at = 1; again; trouble.at++) {
		write_log(&log);
		again = is_interrupted();
		verify(&found, &between);
		if (between.tampered)
			fail_msg("call %u:\n%s", trouble.at, found.text);
		check_copy(wanted.text);
		finish(&outcome);
		if (strcmp(wanted.text, outcome.text))
			fail_msg("call %u:\n%s and not:\n%s", trouble.at, outcome.text,
				 wanted.text);
		assert_int_equal(outcome.verify.packets, wanted.verify.packets);
		assert_int_equal(outcome.verify.records, wanted.verify.records);
		assert_int_equal(outcome.cut.st_size, wanted.cut.st_size);
		make_remove(log_dir);
	}
	print_message("%u calls\n", trouble.at - 2);
	assert_true(trouble.at > 40);
	make_free(&log);
}

static void test_killed(void **state)
{
	(void)state;
	interrupt(is_killed);
}

static void test_full(void **state)
{
	(void)state;
	interrupt(is_full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_not_torn),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_sites_shut),
		cmocka_unit_test(test_repair_tampered),
		cmocka_unit_test(test_seal_removed),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
