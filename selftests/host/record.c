// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Records and their replay: the same dispatches, and files that are torn or hostile. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <zlib.h>

#include <cmocka.h>

#include "../libhft/record_load.h"
#include "engine/record.h"

#define LOADS	10

static char folder[] = "/tmp/hft-record-XXXXXX";
static unsigned int handles;
static unsigned char *bytes;
static size_t nr_bytes;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Where the next handle of this process is recorded. */
static const char *next_file(void)
{
	static char path[128];

	if (++handles == 1)
		snprintf(path, sizeof(path), "%s/record", folder);
	else
		snprintf(path, sizeof(path), "%s/record.%u", folder, handles);
	return path;
}

static void check_backend(const char *backend)
{
	uint64_t seed;

	for (seed = 1; seed <= LOADS; seed++) {
		int64_t events = load_record(backend, path_of("record"), seed, 600);
		const char *path = next_file();

		assert_true(load_replays(path, events));
		unlink(path);
	}
}

static void test_soft(void **state)
{
	(void)state;
	check_backend("soft");
}

/* What is simulated is replayed with nobody late. */
static void test_sim(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	struct hft_replay_result result;
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= LOADS; seed++) {
		int64_t events = load_record("sim", path_of("record"), seed, 600);
		const char *path = next_file();

		assert_int_equal(hft_replay(path, &opts, &result), 0);
		assert_true(result.events >= (uint64_t)events);
		assert_string_equal(result.backend, "sim");
		assert_int_equal(result.latest_ns, 0);
		unlink(path);
	}
}

static void read_sample(void)
{
	int64_t events = load_record("sim", path_of("record"), 1, 250);
	FILE *file = fopen(next_file(), "r");

	assert_true(events > 0 && file);
	bytes = malloc(1 << 20);
	nr_bytes = fread(bytes, 1, 1 << 20, file);
	fclose(file);
}

static int replay_bytes(const unsigned char *from, size_t size)
{
	HFT_OPTS(hft_replay_opts, opts, .max_steps = 100000);
	const char *path = path_of("bytes");
	FILE *file = fopen(path, "w");

	fwrite(from, 1, size, file);
	fclose(file);
	return hft_replay(path, &opts, NULL);
}

static void test_torn(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(replay_bytes(bytes, nr_bytes), 0);
	for (size = 0; size < nr_bytes; size += size < 400 ? 1 : 97) {
		assert_int_equal(replay_bytes(bytes, size), -EBADMSG);
		assert_non_null(strstr(hft_strerror(EBADMSG), "at offset"));
	}
}

static void test_foreign(void **state)
{
	unsigned char *copy = malloc(nr_bytes + 1);
	size_t i;

	(void)state;
	for (i = 0; i < nr_bytes; i += i < 400 ? 1 : 53) {
		memcpy(copy, bytes, nr_bytes);
		copy[i] ^= 0x10;
		assert_int_equal(replay_bytes(copy, nr_bytes), -EBADMSG);
	}
	memcpy(copy, bytes, nr_bytes);
	copy[nr_bytes] = 0;
	assert_int_equal(replay_bytes(copy, nr_bytes + 1), -EBADMSG);
	assert_int_equal(hft_replay("/nonexistent", NULL, NULL), -ENOENT);
	assert_int_equal(hft_replay(folder, NULL, NULL), -EISDIR);
	free(copy);
}

/* Make the checksums right, so that nothing but what the words say is left to be wrong. */
static void seal(unsigned char *copy, size_t size)
{
	size_t at = HFT_RECORD_HEAD_BYTES;

	while (at + HFT_RECORD_FRAME_BYTES <= size) {
		size_t length = 4 + 8 * (size_t)(copy[at + 4] | copy[at + 5] << 8);
		uint32_t sum;

		if (at + 4 + length > size)
			return;
		sum = (uint32_t)crc32(0, copy + at + 4, (uInt)length);
		memcpy(copy + at, &sum, sizeof(sum));
		at += 4 + length;
	}
}

static void test_hostile(void **state)
{
	unsigned char *copy = malloc(nr_bytes);
	uint64_t random = 1;
	int trial, i, ret;

	(void)state;
	for (trial = 0; trial < 1500; trial++) {
		memcpy(copy, bytes, nr_bytes);
		for (i = 0; i <= trial % 8; i++) {
			size_t at = HFT_RECORD_HEAD_BYTES +
				    random_below(&random, (uint32_t)nr_bytes - HFT_RECORD_HEAD_BYTES);

			copy[at] = random_below(&random, 3) ? (unsigned char)random_u64(&random) :
				   0xff;
		}
		seal(copy, nr_bytes);
		ret = replay_bytes(copy, nr_bytes);
		assert_true(ret <= 0);
	}
	free(copy);
}

/* The order of two events is another. */
static void test_difference(void **state)
{
	unsigned char *copy = malloc(nr_bytes);
	size_t at = HFT_RECORD_HEAD_BYTES, length;
	bool found = false;

	(void)state;
	memcpy(copy, bytes, nr_bytes);
	for (; at < nr_bytes && !found; at += length) {
		length = HFT_RECORD_FRAME_BYTES + 8 * (size_t)copy[at + 4];
		found = copy[at + 6] == HFT_RECORD_EVENT;
		if (found)
			copy[at + HFT_RECORD_FRAME_BYTES + 7 * 8] ^= 1;	/* its sequence */
	}
	assert_true(found);
	seal(copy, nr_bytes);
	assert_int_equal(replay_bytes(copy, nr_bytes), -EPROTO);
	free(copy);
}

static void count_warning(void *arg, const char *text)
{
	*(int *)arg += !!strstr(text, "HFT_RECORD");
}

/* A file that can not be written costs the record, and is told. */
static void test_full(void **state)
{
	int warnings = 0;
	HFT_OPTS(hft_opts, opts, .backend = "sim", .warn = count_warning, .warn_arg = &warnings);
	struct hft *h;

	(void)state;
	setenv("HFT_RECORD", "/nonexistent/record", 1);
	assert_int_equal(hft_open(&h, &opts), -ENOENT);
	unlink(path_of("full"));
	handles++;
	/* Numbered, as all after the first are. */
	assert_int_equal(symlink("/dev/full", next_file()), 0);
	setenv("HFT_RECORD", path_of("record"), 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	hft_close(h);
	assert_int_equal(warnings, 1);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	free(bytes);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void test_sample(void **state)
{
	(void)state;
	read_sample();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_soft),
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
