// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* The store: what is appended is in chunks that every reader of CTF reads, all of it, once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "log_ctf.h"
#include "log_load.h"

#define STEP_NS		1000000ull

static bool has_seal(const char *chunk)
{
	char path[768];

	snprintf(path, sizeof(path), "%s/hft/seal", chunk);
	return !access(path, F_OK);
}

/* What was compressed is put beside it as it was. */
static void unpack_stream(const char *chunk, const char *name)
{
	static uint8_t buffer[100000];
	struct hft_log_packed *packed;
	char path[768];
	uint64_t at = 0;
	int64_t got;
	int from, to;

	snprintf(path, sizeof(path), "%s/%s", chunk, name);
	from = open(path, O_RDONLY);
	assert_true(from >= 0);
	assert_int_equal(hft_log_packed_open(&packed, from), 0);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '.') = '\0';
	to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(to >= 0);
	while ((got = hft_log_packed_read(packed, at, buffer, sizeof(buffer))) > 0) {
		assert_int_equal(write(to, buffer, (size_t)got), got);
		at += (uint64_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, hft_log_packed_size(packed));
	hft_log_packed_close(packed);
	close(to);
	close(from);
}

static void unpack_chunk(const char *chunk, uint64_t *packed_streams)
{
	struct dirent *entry;
	DIR *folder = opendir(chunk);

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		if (strstr(entry->d_name, ".zst")) {
			unpack_stream(chunk, entry->d_name);
			++*packed_streams;
			rewinddir(folder);
		}
	closedir(folder);
}

/* Every chunk is sealed but perhaps the last.  Answers the events that babeltrace2 reads. */
static int64_t read_all(uint32_t *chunks, uint64_t *packed)
{
	struct dirent **names;
	int n = scandir(dir, &names, only_chunks, alphasort), i;
	int64_t events = 0, got;
	char path[512];

	*chunks = (uint32_t)n;
	*packed = 0;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		assert_true(has_seal(path));
		unpack_chunk(path, packed);
		got = have_babeltrace() ? babeltrace_count(path) : 0;
		assert_true(got >= 0);
		events += got;
		free(names[i]);
	}
	free(names);
	return events;
}

static void check_counts(struct load *load, const struct hft_log_store_state *state)
{
	uint64_t made = all_made(load), packed;
	uint32_t chunks;
	int64_t events = read_all(&chunks, &packed);

	assert_int_equal(state->records, made);
	if (have_babeltrace())
		assert_int_equal(events, made);
}

static void check_load(struct hft_log_store_opts *opts, const char *name)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };
	struct load load;

	new_folder(name);
	open_store(&load, opts);
	append_random(&load, 40, 3000);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
	check_written(&load, false);
	append_random(&load, 40, 3000);
	assert_int_equal(hft_log_store_flush(load.store, true, LONG_NS), 0);
	check_written(&load, true);
	append_random(&load, 1, 10);
	assert_int_equal(hft_log_store_flush(load.store, false, LONG_NS), 0);
	assert_int_equal(hft_log_store_state(load.store, &state), 0);
	assert_int_equal(state.err, 0);
	assert_int_equal(state.waiting_bytes, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
	check_counts(&load, &state);
	check_chain(false);
}

static void test_uring(void **unused)
{
	struct hft_log_store_opts opts = { .flags = 0 };

	(void)unused;
	check_load(&opts, "uring");
}

static void test_rotation(void **unused)
{
	struct hft_log_store_opts opts = {
		.flags = HFT_LOG_STORE_PACK_ALL,
		.packet_bytes = 16 << 10,
		.chunk_bytes = 1 << 20,
	};
	uint32_t chunks;
	uint64_t packed;

	(void)unused;
	check_load(&opts, "rotation");
	read_all(&chunks, &packed);
	assert_true(chunks > 3);
}

static void test_pwrite(void **unused)
{
	struct hft_log_store_opts opts = {
		.flags = HFT_LOG_STORE_NO_URING | HFT_LOG_STORE_BUFFERED | HFT_LOG_STORE_NO_PACK,
		.sync = HFT_LOG_SYNC_PACKET,
		.packet_bytes = 64 << 10,
		.buffers = 4,
	};

	(void)unused;
	check_load(&opts, "pwrite");
}

/* A stream's own policy counts, where it has one. */
static void test_sync_of_stream(void **unused)
{
	const struct hft_log_store_stream certain = {
		.id = 9, .cpu = -1, .thread = "certain", .policy = "drop",
		.sync = HFT_LOG_SYNC_PACKET,
	};
	const struct hft_log_store_stream odd = { .id = 10, .sync = HFT_LOG_SYNC_PACKET + 1 };
	struct hft_log_store_opts opts = {
		.sync = HFT_LOG_SYNC_NONE, .audit_sync = HFT_LOG_SYNC_NONE, .flush_ns = 1000000,
	};
	uint64_t end = now_ns() + LONG_NS;
	static uint8_t buffer[4096];
	struct load load;
	int64_t bytes;

	(void)unused;
	new_folder("sync");
	open_store(&load, &opts);
	assert_int_equal(hft_log_store_stream_add(load.store, &odd), -EINVAL);
	assert_int_equal(hft_log_store_stream_add(load.store, &certain), 0);
	bytes = (int64_t)records_make(&load.sources[2], buffer, sizeof(buffer), 10);
	append_all(&load, 2, buffer, (size_t)bytes);
	assert_int_equal(hft_log_store_append(load.store, certain.id, buffer, (size_t)bytes, 0),
			 bytes);
	do {
		hft_log_store_poll(load.store, now_ns());
	} while (hft_log_store_synced(load.store, certain.id) < (uint64_t)bytes && now_ns() < end);
	assert_int_equal(hft_log_store_synced(load.store, certain.id), bytes);
	assert_int_equal(hft_log_store_synced(load.store, stream_id(2)), 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
}

static uint32_t chunk_of(const struct load *load)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };

	assert_int_equal(hft_log_store_state(load->store, &state), 0);
	return state.chunk;
}

/* Ten records that go to the disk at @now, which is no matter of the time that this takes. */
static void append_at(struct load *load, int i, uint64_t now)
{
	static uint8_t buffer[4096];
	size_t bytes = records_make(&load->sources[i], buffer, sizeof(buffer), 10);
	uint64_t end = now_ns() + LONG_NS;

	hft_log_store_poll(load->store, now - STEP_NS);
	assert_int_equal(hft_log_store_append(load->store, stream_id(i), buffer, bytes, 0), bytes);
	load->bytes[i] += bytes;
	do {
		hft_log_store_poll(load->store, now);
	} while (hft_log_store_written(load->store, stream_id(i)) < load->bytes[i] &&
		 now_ns() < end);
	assert_int_equal(hft_log_store_written(load->store, stream_id(i)), load->bytes[i]);
}

/* A chunk is closed at its age, and not before; one with nothing in it never is. */
static void test_age(void **unused)
{
	struct hft_log_store_opts opts = { .chunk_ns = 1000 * STEP_NS, .flush_ns = STEP_NS };
	uint64_t begin = now_ns() - 9000 * STEP_NS, end = now_ns() + LONG_NS, packed;
	uint32_t chunks;
	struct load load;

	(void)unused;
	new_folder("age");
	open_store(&load, &opts);
	append_at(&load, 0, begin);
	assert_int_equal(chunk_of(&load), 1);
	append_at(&load, 1, begin + 999 * STEP_NS);
	hft_log_store_poll(load.store, begin + opts.chunk_ns - 1);
	assert_int_equal(chunk_of(&load), 1);
	while (chunk_of(&load) == 1 && now_ns() < end)
		hft_log_store_poll(load.store, begin + opts.chunk_ns);
	assert_int_equal(chunk_of(&load), 2);
	hft_log_store_poll(load.store, begin + 3 * opts.chunk_ns);
	assert_int_equal(chunk_of(&load), 2);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
	read_all(&chunks, &packed);
	assert_int_equal(chunks, 2);
}

static void check_interval(uint32_t flags)
{
	struct hft_log_store_opts opts = {
		.flags = flags, .sync = HFT_LOG_SYNC_INTERVAL, .sync_ns = 1000 * STEP_NS,
		.flush_ns = STEP_NS,
	};
	uint64_t now = now_ns() - 9000 * STEP_NS, end = now_ns() + LONG_NS, synced = 0;
	struct load load;
	int turn, i;

	new_folder(flags ? "interval-pwrite" : "interval-uring");
	open_store(&load, &opts);
	for (turn = 0; turn < 2; turn++, now += 2 * opts.sync_ns) {
		append_at(&load, 0, now);
		for (i = 0; i < 10; i++)
			hft_log_store_poll(load.store, now + opts.sync_ns - 1);
		assert_int_equal(hft_log_store_synced(load.store, stream_id(0)), synced);
		do {
			hft_log_store_poll(load.store, now + opts.sync_ns);
			synced = hft_log_store_synced(load.store, stream_id(0));
		} while (synced < load.bytes[0] && now_ns() < end);
		assert_int_equal(synced, load.bytes[0]);
	}
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	check_chain(false);
}

/* What is written is synchronised so long after it was, not before and not only at the end. */
static void test_sync_interval(void **unused)
{
	(void)unused;
	check_interval(0);
	check_interval(HFT_LOG_STORE_NO_URING | HFT_LOG_STORE_BUFFERED);
}

static int check_mode(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if ((st->st_mode & 0777) != (type == FTW_F ? 0640 : 0750))
		fail_msg("%s has mode %o", path, st->st_mode);
	return 0;
}

/* What strangers may not read of one file they may not of another. */
static void test_modes(void **unused)
{
	struct hft_log_store_opts opts = { .flags = HFT_LOG_STORE_PACK_ALL };
	mode_t mask = umask(0);
	struct load load;

	(void)unused;
	new_folder("modes");
	open_store(&load, &opts);
	append_random(&load, 3, 10);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	umask(mask);
	assert_int_equal(nftw(dir, check_mode, 8, FTW_PHYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uring),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_pwrite),
		cmocka_unit_test(test_sync_of_stream),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_sync_interval),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_babeltrace),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
