// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * A log is changed in a thousand ways, each of which is found and named; as it was written it
 * is never blamed.
 */
#include <errno.h>

#include "log_tamper.h"

#define EDITS	1000

static struct make_file *any_stream(struct make_log *log, uint64_t *random)
{
	struct make_file *file;

	do
		file = &log->files[random_below(random, log->nr)];
	while (!file->nr);
	return file;
}

static uint64_t packet_at(const struct make_file *file, size_t offset)
{
	unsigned int i = 0;

	while (i + 1 < file->nr && offset >= file->packets[i + 1].offset)
		i++;
	return i;
}

/* A file of any kind: what is said of it when its bytes are others */
static void want_changed(struct wanted *wanted, const struct make_file *file, size_t offset)
{
	if (file->nr)
		want(wanted, file, HFT_LOG_CHANGED, packet_at(file, offset));
	else if (!strcmp(name_of(file), "hft/seal"))
		want(wanted, file, HFT_LOG_SEAL_CHANGED, HFT_LOG_NO_PACKET);
	else
		want(wanted, file, HFT_LOG_FILE_CHANGED, HFT_LOG_NO_PACKET);
}

static bool is_same_json(const uint8_t *a, size_t size_a, const uint8_t *b, size_t size_b)
{
	json_t *one = json_loadb((const char *)a, size_a, JSON_REJECT_DUPLICATES, NULL);
	json_t *other = json_loadb((const char *)b, size_b, JSON_REJECT_DUPLICATES, NULL);
	bool is_same = one && json_equal(one, other);

	json_decref(one);
	json_decref(other);
	return is_same;
}

/* In the signature and the key, that is what is wrong; between words it is nothing. */
static void want_seal(struct wanted *wanted, const struct make_file *file, const uint8_t *was,
		      size_t size)
{
	wanted->may_be_whole = is_same_json(was, size, file->bytes, file->size);
	wanted->or_kind = HFT_LOG_SIGNATURE;
}

static void edit_bits(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = &log->files[random_below(random, log->nr)];
	size_t at = random_u64(random) % file->size;
	uint8_t was[65536];
	bool is_seal = !strcmp(name_of(file), "hft/seal");

	if (is_seal)
		memcpy(was, file->bytes, file->size);
	file->bytes[at] ^= (uint8_t)(1 << random_below(random, 8));
	want_changed(wanted, file, at);
	if (is_seal)
		want_seal(wanted, file, was, file->size);
}

static void edit_bytes(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	size_t at = random_u64(random) % file->size, i;
	size_t packet = packet_at(file, at);
	size_t end = file->packets[packet].offset + file->packets[packet].bytes;
	size_t nr = 1 + random_below(random, 200);

	file->bytes[at]++;
	for (i = at + 1; i < at + nr && i < end; i++)
		file->bytes[i] = (uint8_t)random_u64(random);
	want_changed(wanted, file, at);
}

static void edit_drop(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int packet = random_below(random, file->nr);

	resize(file, file->packets[packet].offset, file->packets[packet].bytes, NULL, 0);
	want(wanted, file, HFT_LOG_DROPPED, packet);
	wanted->or_kind = packet + 1 == file->nr ? HFT_LOG_TRUNCATED : HFT_LOG_DROPPED;
}

/* One of the two is in place: the first that is not may be either. */
static void edit_swap(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int one = random_below(random, file->nr - 1);
	const struct make_packet *a = &file->packets[one], *b = a + 1;
	uint8_t both[32768];

	memcpy(both, file->bytes + b->offset, b->bytes);
	memcpy(both + b->bytes, file->bytes + a->offset, a->bytes);
	memcpy(file->bytes + a->offset, both, a->bytes + b->bytes);
	want(wanted, file, HFT_LOG_REORDERED, HFT_LOG_NO_PACKET);
}

static void edit_move(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int from = random_below(random, file->nr - 2);
	const struct make_packet *packet = &file->packets[from];
	uint8_t bytes[16384];

	memcpy(bytes, file->bytes + packet->offset, packet->bytes);
	resize(file, file->size, 0, bytes, packet->bytes);
	resize(file, packet->offset, packet->bytes, NULL, 0);
	want(wanted, file, HFT_LOG_REORDERED, from);
}

static void edit_duplicate(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int from = random_below(random, file->nr);
	unsigned int to = random_below(random, file->nr);
	const struct make_packet *packet = &file->packets[from];
	uint8_t bytes[16384];

	memcpy(bytes, file->bytes + packet->offset, packet->bytes);
	resize(file, file->packets[to].offset, 0, bytes, packet->bytes);
	want(wanted, file, HFT_LOG_ADDED, from);
}

static void edit_truncate(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	size_t size = random_u64(random) % file->size;

	resize(file, size, file->size - size, NULL, 0);
	want(wanted, file, HFT_LOG_TRUNCATED, packet_at(file, size));
}

static void edit_insert(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int to = random_below(random, file->nr + 1);
	size_t at = to < file->nr ? file->packets[to].offset : file->size;
	uint8_t bytes[8192];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random_u64(random);
	resize(file, at, 0, bytes, random_below(random, 4) ? 4096 : 8192);
	want(wanted, file, HFT_LOG_ADDED, HFT_LOG_NO_PACKET);
}

/* By one who knows how a packet is hashed */
static void edit_rehash(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = any_stream(log, random);
	unsigned int at = random_below(random, file->nr);
	uint8_t *packet = file->bytes + file->packets[at].offset;
	struct hft_log_digest digest;

	packet[sizeof(struct hft_log_packet) + sizeof(struct hft_log_record) + 3] ^= 16;
	assert_int_equal(hft_log_digest_open(&digest), 0);
	assert_int_equal(hft_log_packet_hash(&digest, packet, file->packets[at].bytes,
					     packet + file->packets[at].bytes -
					     HFT_LOG_HASH_BYTES), 0);
	hft_log_digest_close(&digest);
	want(wanted, file, HFT_LOG_CHANGED, at);
}

static uint64_t seed_of_log;

/*
 * By one who makes everything anew: from a chunk on all chains, roots and seals fit each
 * other, but he has no key, or another one, or keeps the signatures that are there.
 */
static void edit_forge(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS), way = random_below(random, 3);
	const struct make_opts opts = {
		.seed = seed_of_log, .key = &own_key, .changed_chunk = chunk,
		.changed_stream = random_below(random, MAKE_STREAMS),
		.changed_key = way ? &other_key : NULL,
	};

	make_free(log);
	make_log(log, &opts);
	want(wanted, find_file(log, chunk, "hft/seal"), way ? HFT_LOG_KEY : HFT_LOG_SIGNATURE,
	     HFT_LOG_NO_PACKET);
}

/* A chunk becomes that of another log, which is gone then. */
static void take_chunk(struct make_log *log, unsigned int chunk, struct make_log *other)
{
	unsigned int i;

	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk != chunk)
			continue;
		log->files[i].size = 0;
		make_text(&log->files[i], other->files[i].bytes, other->files[i].size);
	}
	make_free(other);
}

/* A stream and the seal of its chunk, made anew: but the chunk behind knows the old one. */
static void edit_forge_one(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS - 1);
	const struct make_opts opts = {
		.seed = seed_of_log, .key = &own_key, .changed_chunk = chunk,
		.changed_stream = random_below(random, MAKE_STREAMS), .changed_key = &own_key,
	};
	struct make_log forged;

	make_log(&forged, &opts);
	take_chunk(log, chunk, &forged);
	want(wanted, find_file(log, chunk, "hft/seal"), HFT_LOG_SEAL_CHANGED, HFT_LOG_NO_PACKET);
}

static void edit_remove(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	struct make_file *file = &log->files[random_below(random, log->nr)];
	static char name[64];

	want(wanted, file, HFT_LOG_FILE_MISSING, HFT_LOG_NO_PACKET);
	strcpy(name, name_of(file));
	wanted->file = name;
	if (!strcmp(name, "hft/seal")) {
		wanted->kind = HFT_LOG_SEAL_MISSING;
		wanted->or_kind = HFT_LOG_SEAL_MISSING;
	}
	/* Without its seal the last chunk is one that was not closed. */
	if (!strcmp(name, "hft/seal") && file->chunk == MAKE_CHUNKS) {
		wanted->or_kind = HFT_LOG_UNSEALED;
		wanted->file = NULL;
		wanted->is_torn = true;
	}
	*file->path = '\0';
}

static void edit_remove_chunk(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS), i;

	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk == chunk)
			*log->files[i].path = '\0';
	}
	*wanted = (struct wanted){ .kind = HFT_LOG_CHUNK_MISSING, .or_kind = HFT_LOG_CHUNK_MISSING,
				   .chunk = chunk, .packet = HFT_LOG_NO_PACKET };
}

static void edit_foreign_chunk(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	const struct make_opts opts = { .seed = seed_of_log + 1, .key = &own_key };
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS);
	struct make_log other;

	make_log(&other, &opts);
	take_chunk(log, chunk, &other);
	*wanted = (struct wanted){ .kind = HFT_LOG_CHUNK_FOREIGN, .or_kind = HFT_LOG_CHUNK_FOREIGN,
				   .chunk = chunk, .packet = HFT_LOG_NO_PACKET };
}

static void edit_swap_chunks(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int one = 1 + random_below(random, MAKE_CHUNKS), i, j, other;
	struct make_log copy;

	other = 1 + (one + random_below(random, MAKE_CHUNKS - 1)) % MAKE_CHUNKS;
	make_copy(&copy, log);
	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk != one && log->files[i].chunk != other)
			continue;
		for (j = 0; j < copy.nr; j++) {
			if (copy.files[j].chunk == one + other - log->files[i].chunk &&
			    !strcmp(name_of(&copy.files[j]), name_of(&log->files[i])))
				break;
		}
		log->files[i].size = 0;
		make_text(&log->files[i], copy.files[j].bytes, copy.files[j].size);
	}
	make_free(&copy);
	*wanted = (struct wanted){ .kind = HFT_LOG_CHUNK_FOREIGN, .or_kind = HFT_LOG_CHUNK_FOREIGN,
				   .chunk = one, .packet = HFT_LOG_NO_PACKET };
}

static void edit_text(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	static const char *const names[] = { "metadata", "hft/sites", "hft/index", "hft/seal" };
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS);
	struct make_file *file = find_file(log, chunk, names[random_below(random, 4)]);
	size_t at = random_u64(random) % file->size;
	size_t was = random_below(random, 20);
	uint8_t bytes[20], before[65536];
	bool is_seal = !strcmp(name_of(file), "hft/seal");
	size_t is = was ? random_below(random, 20) : 1, i, size = file->size;

	if (at + was > file->size)
		was = file->size - at;
	for (i = 0; i < is; i++)
		bytes[i] = (uint8_t)('a' + random_below(random, 26));
	memcpy(before, file->bytes, size);
	resize(file, at, was, bytes, is);
	want_changed(wanted, file, at);
	if (size == file->size && !memcmp(before, file->bytes, size))
		wanted->may_be_whole = true;
	if (is_seal)
		want_seal(wanted, file, before, size);
}

static void edit_add_file(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	static const char *const names[] = { "stream-99", "hft/more", "metadata.old" };
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS);
	struct make_file *from = find_file(log, chunk, "stream-1"), *file;

	file = make_add(log, chunk, names[random_below(random, 3)]);
	make_text(file, from->bytes, from->size);
	want(wanted, file, HFT_LOG_ADDED, HFT_LOG_NO_PACKET);
}

static void edit_swap_streams(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS);
	struct make_file *one = find_file(log, chunk, "stream-0");
	struct make_file *other = find_file(log, chunk, "stream-1");
	uint8_t *bytes = one->bytes;
	size_t size = one->size;

	one->bytes = other->bytes;
	one->size = other->size;
	other->bytes = bytes;
	other->size = size;
	want(wanted, one, HFT_LOG_CHANGED, 0);
	wanted->or_kind = HFT_LOG_TRUNCATED;
}

static void (*const edits[])(struct make_log *log, struct wanted *wanted, uint64_t *random) = {
	edit_bits, edit_bits, edit_bits, edit_bytes, edit_drop, edit_swap, edit_move,
	edit_duplicate, edit_truncate, edit_insert, edit_rehash, edit_forge, edit_forge_one,
	edit_remove, edit_remove_chunk, edit_foreign_chunk, edit_swap_chunks, edit_text,
	edit_add_file, edit_swap_streams,
};

static void test_untouched(void **state)
{
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	struct make_log log;
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		const struct make_opts opts = { .seed = i, .key = &own_key };

		make_log(&log, &opts);
		write_log(&log);
		verify(&wanted, &result);
		if (*wanted.text)
			fail_msg("seed %u:\n%s", i, wanted.text);
		assert_true(!result.tampered && !result.torn);
		assert_true(result.chunks == MAKE_CHUNKS && result.sealed == MAKE_CHUNKS);
		assert_true(result.signed_chunks == MAKE_CHUNKS && result.first_chunk == 1);
		make_remove(log_dir);
		make_free(&log);
	}
}

static void test_edit(const struct make_log *whole, unsigned int number)
{
	unsigned int nr = sizeof(edits) / sizeof(edits[0]);
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	uint64_t random = number;
	struct make_log log;

	make_copy(&log, whole);
	edits[number % nr](&log, &wanted, &random);
	make_change(log_dir, whole, &log);
	verify(&wanted, &result);
	if (!wanted.is_seen && !(wanted.may_be_whole && !*wanted.text))
		fail_msg("edit %u (%u): no %s of chunk %u %s packet %lld, but:\n%s", number,
			 number % nr, hft_log_finding_name(wanted.kind), wanted.chunk,
			 wanted.file ?: "", (long long)wanted.packet, wanted.text);
	if (!wanted.may_be_whole && !wanted.is_torn && !result.tampered)
		fail_msg("edit %u is not tampering:\n%s", number, wanted.text);
	if (wanted.is_torn && !result.torn)
		fail_msg("edit %u is not seen:\n%s", number, wanted.text);
	make_change(log_dir, &log, whole);
	make_free(&log);
}

static void test_edits(void **state)
{
	struct make_opts opts = { .key = &own_key };
	struct make_log whole;
	unsigned int i;

	(void)state;
	for (i = 0; i < EDITS; i++) {
		if (i % 100 == 0) {
			seed_of_log = i;
			opts.seed = seed_of_log;
			make_log(&whole, &opts);
			write_log(&whole);
		}
		test_edit(&whole, i);
		if (i % 100 == 99) {
			make_remove(log_dir);
			make_free(&whole);
		}
	}
}

/* Seals that fit each other, one of them with a uuid that is not that of its packets */
static void test_uuid(void **state)
{
	static const uint8_t uuids[][16] = { { 0 }, { 1, 2, 3, 4 } };
	struct make_opts opts = { .seed = 83, .key = &own_key, .changed_stream = MAKE_STREAMS,
				  .changed_key = &own_key };
	struct hft_log_verify_result result;
	struct wanted wanted;
	struct make_log log;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2 * MAKE_CHUNKS; i++) {
		opts.changed_chunk = 1 + i / 2;
		opts.changed_uuid = uuids[i % 2];
		make_log(&log, &opts);
		write_log(&log);
		want(&wanted, find_file(&log, opts.changed_chunk, "stream-0"),
		     HFT_LOG_CHUNK_FOREIGN, HFT_LOG_NO_PACKET);
		verify(&wanted, &result);
		if (!wanted.is_seen || !result.tampered)
			fail_msg("chunk %u:\n%s", opts.changed_chunk, wanted.text);
		wanted.is_seen = false;
		make_remove(log_dir);
		make_free(&log);
	}
}

/* In the place of a file: what is no file, or one elsewhere that would be read as it */
static void put_other(const char *path, unsigned int kind)
{
	char elsewhere[300];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root_dir);
	if (kind == 0) {
		make_remove(elsewhere);
		assert_int_equal(rename(path, elsewhere), 0);
		assert_int_equal(symlink(elsewhere, path), 0);
		return;
	}
	assert_int_equal(remove(path), 0);
	assert_int_equal(kind == 1 ? mkfifo(path, 0600) : mkdir(path, 0700), 0);
}

static void test_no_file(void **state)
{
	static const char *const names[] = { "stream-0", "metadata", "hft/sites", "hft/index",
					     "hft/seal" };
	const struct make_opts opts = { .seed = 84, .key = &own_key };
	struct hft_log_verify_result result;
	struct wanted wanted = { 0 };
	struct make_log log;
	char path[256];
	unsigned int i;

	(void)state;
	make_log(&log, &opts);
	alarm(120);			/* no one ever writes to the FIFO */
	for (i = 0; i < 15; i++) {
		write_log(&log);
		snprintf(path, sizeof(path), "%s/chunk-00000002/%s", log_dir, names[i / 3]);
		put_other(path, i % 3);
		verify(&wanted, &result);
		if (!result.tampered || !strstr(wanted.text, names[i / 3]))
			fail_msg("%s (%u):\n%s", path, i % 3, wanted.text);
		make_remove(log_dir);
	}
	write_log(&log);
	snprintf(path, sizeof(path), "%s/chunk-00000002/hft", log_dir);
	put_other(path, 0);
	verify(&wanted, &result);
	assert_true(result.tampered);
	alarm(0);
	make_remove(log_dir);
	make_free(&log);
}

static void test_usage(void **state)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	struct hft_log_verify_opts opts = { .sz = sizeof(opts), .root = "12" };
	const struct make_opts make = { .seed = 81 };
	const char *const keys[] = { "/nonexistent" };
	struct make_log log;

	(void)state;
	assert_int_equal(hft_log_verify("/nonexistent", NULL, NULL, NULL, &result), -ENOENT);
	mkdir(log_dir, 0755);
	assert_int_equal(hft_log_verify(log_dir, NULL, NULL, NULL, &result), -ENOENT);
	make_log(&log, &make);
	write_log(&log);
	assert_int_equal(hft_log_verify(log_dir, &opts, NULL, NULL, &result), -EINVAL);
	opts.root = NULL;
	opts.nr_keys = 1;
	opts.keys = keys;
	assert_int_equal(hft_log_verify(log_dir, &opts, NULL, NULL, &result), -ENOENT);
	assert_int_equal(hft_log_verify(log_dir, NULL, NULL, NULL, &result), 0);
	assert_true(!result.tampered && !result.signed_chunks && !*result.key);

	/* Who has kept a root */
	opts.nr_keys = 0;
	opts.root = result.root;
	assert_int_equal(hft_log_verify(log_dir, &opts, NULL, NULL, &result), 0);
	assert_int_equal(result.tampered, 0);
	opts.root = "0000000000000000000000000000000000000000000000000000000000000000";
	assert_int_equal(hft_log_verify(log_dir, &opts, NULL, NULL, &result), 0);
	assert_int_equal(result.tampered, 1);
	make_remove(log_dir);
	make_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_uuid),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
