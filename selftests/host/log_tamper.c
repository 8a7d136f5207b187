// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * A log is changed in a thousand ways, each of which is found and named; as it was written it
 * is never blamed; and what a crash leaves is told from what someone did.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hft/hft.h>
#include <hft/log_verify.h>

#include "log_make.h"

#define EDITS	1000

static char root_dir[] = "/dev/shm/hft-log-tamper-XXXXXX";
static char log_dir[80], public_pem[80], private_pem[80];
static struct hft_log_key own_key, other_key;

/* What should be found */
struct wanted {
	enum hft_log_finding_kind kind;
	enum hft_log_finding_kind or_kind;
	unsigned int chunk;
	const char *file;		/* NULL: any */
	uint64_t packet;		/* HFT_LOG_NO_PACKET: any */
	bool is_torn;			/* a crash looks the same */
	bool may_be_whole;		/* the same text in other letters */
	bool is_seen;
	char text[4096];
};

static void hear(void *arg, const struct hft_log_finding *finding)
{
	struct wanted *wanted = arg;
	size_t length = strlen(wanted->text);

	snprintf(wanted->text + length, sizeof(wanted->text) - length,
		 "  %s (%d): chunk %u %s packet %lld+%u at %llu: %s\n",
		 hft_log_finding_name(finding->kind), finding->verdict,
		 (unsigned int)finding->chunk, finding->file, (long long)finding->packet,
		 (unsigned int)finding->packets, (unsigned long long)finding->offset,
		 finding->text);
	if ((finding->kind != wanted->kind && finding->kind != wanted->or_kind) ||
	    finding->chunk != wanted->chunk ||
	    (wanted->file && strcmp(finding->file, wanted->file)))
		return;
	if (wanted->packet != HFT_LOG_NO_PACKET &&
	    (finding->packet > wanted->packet ||
	     finding->packet + finding->packets <= wanted->packet))
		return;
	wanted->is_seen = true;
}

static void verify(struct wanted *wanted, struct hft_log_verify_result *result)
{
	const char *const keys[] = { public_pem };
	const struct hft_log_verify_opts opts = { .sz = sizeof(opts), .nr_keys = 1, .keys = keys };
	int err;

	result->sz = sizeof(*result);
	*wanted->text = '\0';
	err = hft_log_verify(log_dir, &opts, hear, wanted, result);
	if (err)
		fail_msg("%s", hft_strerror(err));
}

static void make_key(struct hft_log_key *key)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	FILE *f = fopen(private_pem, "w");

	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	f = fopen(public_pem, "w");
	assert_int_equal(PEM_write_PUBKEY(f, pkey), 1);
	fclose(f);
	EVP_PKEY_free(pkey);
	assert_int_equal(hft_log_key_open(key, private_pem), 0);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root_dir));
	snprintf(log_dir, sizeof(log_dir), "%s/log", root_dir);
	snprintf(public_pem, sizeof(public_pem), "%s/public.pem", root_dir);
	snprintf(private_pem, sizeof(private_pem), "%s/private.pem", root_dir);
	make_key(&other_key);
	make_key(&own_key);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hft_log_key_close(&own_key);
	hft_log_key_close(&other_key);
	make_remove(root_dir);
	return 0;
}

static void write_log(const struct make_log *log)
{
	mkdir(log_dir, 0755);
	make_write(log, log_dir);
}

static const char *name_of(const struct make_file *file)
{
	return strchr(file->path, '/') + 1;
}

static struct make_file *any_stream(struct make_log *log, uint64_t *random)
{
	struct make_file *file;

	do
		file = &log->files[random_below(random, log->nr)];
	while (!file->nr);
	return file;
}

static struct make_file *find_file(struct make_log *log, unsigned int chunk, const char *name)
{
	unsigned int i;

	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk == chunk && !strcmp(name_of(&log->files[i]), name))
			return &log->files[i];
	}
	abort();
}

static void resize(struct make_file *file, size_t at, size_t was, const uint8_t *bytes, size_t is)
{
	size_t behind = file->size - at - was;
	uint8_t *room = malloc(file->size - was + is + 1);

	memcpy(room, file->bytes, at);
	if (is)
		memcpy(room + at, bytes, is);
	memcpy(room + at + is, file->bytes + at + was, behind);
	free(file->bytes);
	file->bytes = room;
	file->size = at + is + behind;
}

static void want(struct wanted *wanted, const struct make_file *file,
		 enum hft_log_finding_kind kind, uint64_t packet)
{
	wanted->kind = kind;
	wanted->or_kind = kind;
	wanted->chunk = file->chunk;
	wanted->file = name_of(file);
	wanted->packet = packet;
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

/* A stream and the seal of its chunk, made anew: but the chunk behind knows the old one. */
static void edit_forge_one(struct make_log *log, struct wanted *wanted, uint64_t *random)
{
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS - 1), i;
	const struct make_opts opts = {
		.seed = seed_of_log, .key = &own_key, .changed_chunk = chunk,
		.changed_stream = random_below(random, MAKE_STREAMS), .changed_key = &own_key,
	};
	struct make_log forged;

	make_log(&forged, &opts);
	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk != chunk)
			continue;
		log->files[i].size = 0;
		make_text(&log->files[i], forged.files[i].bytes, forged.files[i].size);
	}
	make_free(&forged);
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
	unsigned int chunk = 1 + random_below(random, MAKE_CHUNKS), i;
	struct make_log other;

	make_log(&other, &opts);
	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk != chunk)
			continue;
		log->files[i].size = 0;
		make_text(&log->files[i], other.files[i].bytes, other.files[i].size);
	}
	make_free(&other);
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
	unsigned int i, from;
	uint64_t random;
	char name[32];

	(void)state;
	make_log(&whole, &opts);
	write_log(&whole);
	for (i = 0; i < 300; i++) {
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
			fail_msg("%u: torn from %u of %u, but:\n%s", i, from, file->nr, wanted.text);
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
	unsigned int i, at;
	uint64_t random;
	size_t byte;

	(void)state;
	make_log(&whole, &opts);
	write_log(&whole);
	for (i = 0; i < 300; i++) {
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

/* A torn log is repaired: it is whole then, says so, and has each packet that was whole. */
static void test_repair(void **state)
{
	struct make_opts opts = { .seed = 79, .key = &own_key };
	struct hft_log_repair_opts repair = { .sz = sizeof(repair), .key = private_pem };
	struct hft_log_repair_result repaired = { .sz = sizeof(repaired) };
	struct hft_log_verify_result result, before;
	struct make_log whole, log;
	struct wanted wanted;
	unsigned int i, j;
	uint64_t random;

	(void)state;
	for (i = 0; i < 80; i++) {
		random = i;
		opts.seed = i / 20;
		opts.open_chunks = 1 + i / 20 % 2;
		if (i % 20 == 0)
			make_log(&whole, &opts);
		make_copy(&log, &whole);
		memset(&wanted, 0, sizeof(wanted));
		for (j = 0; j < log.nr; j++) {
			struct make_file *file = &log.files[j];

			if (file->chunk + opts.open_chunks > MAKE_CHUNKS && file->nr)
				tear(file, file->nr / 2 + random_below(&random, file->nr / 2), &random);
			else if (file->chunk == MAKE_CHUNKS && !file->nr && i % 2)
				resize(file, file->size - 5, 5, NULL, 0);
		}
		write_log(&log);
		verify(&wanted, &before);
		assert_int_equal(hft_log_repair(log_dir, &repair, &repaired), 0);
		assert_int_equal(repaired.chunks, opts.open_chunks);
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
		if (i % 20 == 19)
			make_free(&whole);
	}
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
	result.root[3] ^= 1;
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
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_not_torn),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_repair_tampered),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
