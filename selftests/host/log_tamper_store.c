// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * Logs as the store writes and compresses them: whole when nobody touched them, also when old
 * chunks were removed by the limits, or a writer died; and what is changed in a compressed file
 * is found, unless it says the same still.
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <cmocka.h>
#include <hft/hft.h>
#include <hft/log_verify.h>

#include "log/pack.h"
#include "log_make.h"
#include "log_records.h"

#define STREAM	3
#define EDITS	200
#define MOST_TURNS	6000		/* of 10 ms */

static char top[] = "/dev/shm/hft-log-packed-XXXXXX";
static char dir[64];

static const struct hft_log_store_origin origin = {
	.uuid = { 9, 8, 7 }, .pid = 42, .program = "test",
	.clock = { "tsc", 1000000000ull, 1700000000, 0, 0 },
};

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(dir, sizeof(dir), "%s/log", top);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	make_remove(top);
	return 0;
}

static void wait_a_little(struct hft_log_store *store)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	hft_log_store_poll(store, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	nanosleep(&pause, NULL);
}

static void append(struct hft_log_store *store, const uint8_t *records, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		int64_t took = hft_log_store_append(store, STREAM, records + at, bytes - at, 0);

		assert_true(took >= 0 || took == -EAGAIN);
		at += took > 0 ? (size_t)took : 0;
		wait_a_little(store);
	}
}

/* Appends so much, in a way that chunks are closed on the way. */
static struct hft_log_store *write_log(struct hft_log_store_opts *opts, size_t bytes)
{
	const struct hft_log_store_stream stream = {
		.id = STREAM, .tid = 7, .cpu = 1, .thread = "thread", .policy = "audit",
		.audit = true,
	};
	struct record_source source = { .random = 4711, .stamp = 1000000 };
	static uint8_t records[16384];
	struct hft_log_store *store;
	size_t i, got, at;

	opts->sz = sizeof(*opts);
	opts->packet_bytes = 16384;
	opts->chunk_bytes = 128 << 10;
	assert_int_equal(hft_log_store_open(&store, dir, &origin, opts), 0);
	for (i = 0; i < sizeof(record_sites) / sizeof(record_sites[0]); i++)
		assert_int_equal(hft_log_store_site_add(store, &record_sites[i]), 0);
	assert_int_equal(hft_log_store_stream_add(store, &stream), 0);
	for (at = 0; at < bytes; at += got) {
		got = records_make(&source, records, sizeof(records), UINT32_MAX);
		append(store, records, got);
	}
	return store;
}

static void hear(void *arg, const struct hft_log_finding *finding)
{
	char *text = arg;
	size_t length = strlen(text);

	snprintf(text + length, 2000 - length, "%s: chunk %u %s packet %lld: %s\n",
		 hft_log_finding_name(finding->kind), (unsigned int)finding->chunk, finding->file,
		 (long long)finding->packet, finding->text);
}

static void verify(struct hft_log_verify_result *result, char text[2000])
{
	int err;

	*text = '\0';
	memset(result, 0, sizeof(*result));
	result->sz = sizeof(*result);
	err = hft_log_verify(dir, NULL, hear, text, result);
	if (err)
		fail_msg("%s", hft_strerror(err));
}

static void is_whole(uint64_t first)
{
	struct hft_log_verify_result result;
	char text[2000];

	verify(&result, text);
	if (result.tampered || result.torn || result.first_chunk < first || !result.records)
		fail_msg("from %u on:\n%s", (unsigned int)result.first_chunk, text);
}

static void test_whole(void **state)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_PACK_ALL };

	(void)state;
	assert_int_equal(hft_log_store_close(write_log(&opts, 600000), 60000000000), 0);
	is_whole(1);
	/* Another process goes on. */
	assert_int_equal(hft_log_store_close(write_log(&opts, 300000), 60000000000), 0);
	is_whole(1);
	opts.flags = HFT_LOG_STORE_NO_PACK;
	opts.keep_chunks = 3;
	assert_int_equal(hft_log_store_close(write_log(&opts, 600000), 60000000000), 0);
	is_whole(2);
	make_remove(dir);
}

/* While it is written, and when the writer is killed, there is no tampering. */
static void test_written(void **state)
{
	struct hft_log_store_opts opts = { .keep_chunks = 4 };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	char text[2000];
	pid_t child = fork();
	int status, turn;

	(void)state;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			hft_log_store_close(write_log(&opts, 400000), 60000000000);
	}
	for (turn = 0; turn < MOST_TURNS; turn++) {
		usleep(10000);
		if (!hft_log_verify(dir, NULL, NULL, NULL, &result) && result.chunks >= 4)
			break;
	}
	assert_true(turn < MOST_TURNS);
	for (status = 0; status < 30; status++) {
		verify(&result, text);
		if (result.tampered)
			fail_msg("%s", text);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	verify(&result, text);
	if (result.tampered)
		fail_msg("%s", text);
	assert_int_equal(hft_log_repair(dir, NULL, &repaired), 0);
	is_whole(1);
	make_remove(dir);
}

struct content {
	uint8_t *bytes;
	size_t size;
};

static struct content read_bytes(const char *path)
{
	struct content content = { 0 };
	FILE *f = fopen(path, "r");
	struct stat st;

	assert_non_null(f);
	fstat(fileno(f), &st);
	content.bytes = malloc((size_t)st.st_size + 64);
	content.size = fread(content.bytes, 1, (size_t)st.st_size, f);
	fclose(f);
	return content;
}

static void write_bytes(const char *path, const struct content *content)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(content->bytes, 1, content->size, f), content->size);
	fclose(f);
}

/* What it says, uncompressed; nothing if it can not be read */
static struct content unpack(const char *path)
{
	struct hft_log_packed *packed;
	struct content content = { 0 };
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	if (!hft_log_packed_open(&packed, fd)) {
		content.size = hft_log_packed_size(packed);
		content.bytes = malloc(content.size + 1);
		if (hft_log_packed_read(packed, 0, content.bytes, content.size) !=
		    (int64_t)content.size)
			content.size = 0;
		hft_log_packed_close(packed);
	}
	close(fd);
	return content;
}

static void edit(struct content *content, uint64_t *random)
{
	size_t at = random_u64(random) % content->size;

	switch (random_below(random, 4)) {
	case 0:
		content->size = at;
		break;
	case 1:
		memmove(content->bytes + at + 16, content->bytes + at, content->size - at);
		content->size += 16;
		break;
	default:
		content->bytes[at] ^= (uint8_t)(1 << random_below(random, 8));
	}
}

static void test_packed(void **state)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_PACK_ALL };
	struct hft_log_verify_result result;
	unsigned int i, found = 0;
	char pattern[128], text[2000];
	uint64_t random = 5;
	glob_t files;

	(void)state;
	assert_int_equal(hft_log_store_close(write_log(&opts, 500000), 60000000000), 0);
	snprintf(pattern, sizeof(pattern), "%s/chunk-*/stream-*.zst", dir);
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 3);
	for (i = 0; i < EDITS; i++) {
		const char *path = files.gl_pathv[i % files.gl_pathc];
		struct content was = read_bytes(path), is = read_bytes(path), before, after;

		before = unpack(path);
		edit(&is, &random);
		write_bytes(path, &is);
		after = unpack(path);
		verify(&result, text);
		if (result.tampered)
			found++;
		else if (before.size != after.size ||
			 memcmp(before.bytes, after.bytes, before.size))
			fail_msg("edit %u of %s is not found:\n%s", i, path, text);
		if (result.tampered && !strstr(text, strrchr(path, '/') + 1))
			fail_msg("edit %u of %s is not named:\n%s", i, path, text);
		write_bytes(path, &was);
		free(was.bytes);
		free(is.bytes);
		free(before.bytes);
		free(after.bytes);
	}
	print_message("%u of %u edits are found, the others change nothing\n", found, EDITS);
	assert_true(found > EDITS / 2);
	globfree(&files);
	is_whole(1);
	make_remove(dir);
}

static char vanishes[128];		/* a stream that is compressed when it is to be opened */

int __real_openat(int fd, const char *name, int flags, mode_t mode);
int __wrap_openat(int fd, const char *name, int flags, mode_t mode);

/* As the packer does it: the compressed file is there before the other goes. */
int __wrap_openat(int fd, const char *name, int flags, mode_t mode)
{
	char hidden[160], packed[160];

	if (*vanishes && !strcmp(name, strrchr(vanishes, '/') + 1)) {
		snprintf(hidden, sizeof(hidden), "%s/.packed", dir);
		snprintf(packed, sizeof(packed), "%s.zst", vanishes);
		assert_int_equal(rename(hidden, packed), 0);
		assert_int_equal(unlink(vanishes), 0);
		*vanishes = '\0';
	}
	return __real_openat(fd, name, flags, mode);
}

static void compress_when_opened(void)
{
	const atomic_bool never = false;
	uint64_t bytes, to_bytes;
	char hidden[160];
	int from, to;

	snprintf(hidden, sizeof(hidden), "%s/.packed", dir);
	from = open(vanishes, O_RDONLY);
	to = open(hidden, O_WRONLY | O_CREAT, 0644);
	assert_true(from >= 0 && to >= 0);
	assert_int_equal(hft_log_pack_file(from, to, 1, &never, &bytes, &to_bytes), 0);
	close(from);
	close(to);
}

/* Between being looked at and being opened, too */
static void test_compressed_meanwhile(void **state)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_NO_PACK };

	(void)state;
	assert_int_equal(hft_log_store_close(write_log(&opts, 60000), 60000000000), 0);
	snprintf(vanishes, sizeof(vanishes), "%s/chunk-00000001/stream-3", dir);
	compress_when_opened();
	is_whole(1);
	assert_int_equal(*vanishes, '\0');
	make_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_compressed_meanwhile),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
