// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The chunks of a log and their seals.  See verify.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../api.h"
#include "../options.h"
#include "left.h"
#include "verify.h"

#define HASH	HFT_LOG_HASH_BYTES

/**
 * hft_log_finding_name() - a word for a kind of finding
 * @kind: which
 *
 * Return: such as "changed"; "unknown" if it is none.  Any thread.
 */
HFT_API const char *hft_log_finding_name(enum hft_log_finding_kind kind)
{
	static const char *const names[HFT_LOG_FINDINGS] = {
		[HFT_LOG_CHANGED] = "changed",
		[HFT_LOG_DROPPED] = "dropped",
		[HFT_LOG_REORDERED] = "reordered",
		[HFT_LOG_TRUNCATED] = "truncated",
		[HFT_LOG_ADDED] = "added",
		[HFT_LOG_FILE_CHANGED] = "file changed",
		[HFT_LOG_FILE_MISSING] = "file missing",
		[HFT_LOG_SEAL_MISSING] = "seal missing",
		[HFT_LOG_SEAL_CHANGED] = "seal changed",
		[HFT_LOG_SIGNATURE] = "signature",
		[HFT_LOG_KEY] = "key",
		[HFT_LOG_CHUNK_MISSING] = "chunk missing",
		[HFT_LOG_CHUNK_FOREIGN] = "chunk foreign",
		[HFT_LOG_ROOT] = "root",
		[HFT_LOG_UNREADABLE] = "unreadable",
		[HFT_LOG_TORN] = "torn",
		[HFT_LOG_UNSEALED] = "unsealed",
		[HFT_LOG_REPAIRED] = "repaired",
		[HFT_LOG_RINGS] = "rings",
	};

	return (unsigned int)kind < HFT_LOG_FINDINGS ? names[kind] : "unknown";
}

void hft_log_find(struct hft_log_verifier *verifier, enum hft_log_finding_kind kind,
		  enum hft_log_verdict verdict, const struct hft_log_place *place,
		  const char *format, ...)
{
	static const struct hft_log_place nowhere = { .packet = HFT_LOG_NO_PACKET };
	struct hft_log_finding finding = { .kind = kind, .verdict = verdict };
	bool has_clock = verifier->has_clock;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	verifier->result.tampered += verdict == HFT_LOG_IS_TAMPERED;
	verifier->result.torn += verdict == HFT_LOG_IS_TORN;
	if (!verifier->fn)
		return;
	place = place ?: &nowhere;
	finding.chunk = verifier->chunk ? verifier->chunk->number : 0;
	finding.file = verifier->file;
	finding.packet = place->packet;
	finding.packets = place->packets;
	finding.offset = place->offset;
	if (has_clock && place->begin)
		finding.begin_ns = hft_read_time(&verifier->clock, place->begin);
	if (has_clock && place->end)
		finding.end_ns = hft_read_time(&verifier->clock, place->end);
	finding.text = text;
	verifier->fn(verifier->arg, &finding);
}

void hft_log_verify_progress(struct hft_log_verifier *verifier, uint64_t bytes)
{
	verifier->result.bytes += bytes;
	if (verifier->opts.progress)
		verifier->opts.progress(verifier->opts.arg, verifier->result.bytes,
					verifier->all_bytes);
}

static int hft_log_read_key(struct hft_log_verifier *verifier)
{
	size_t i, nr = verifier->opts.nr_keys;
	int err = 0;

	if (!nr)
		return 0;
	if (nr > 1024 || !verifier->opts.keys)
		return hft_fail(EINVAL, "%zu keys", nr);
	verifier->keys = calloc(nr, HFT_LOG_KEY_BYTES);
	if (!verifier->keys)
		return hft_fail(ENOMEM, "keys");
	for (i = 0; i < nr && !err; i++)
		err = hft_log_key_read(verifier->opts.keys[i], verifier->keys[i]);
	return err;
}

static bool hft_log_is_trusted(const struct hft_log_verifier *verifier, const uint8_t *key)
{
	size_t i;

	for (i = 0; i < verifier->opts.nr_keys; i++) {
		if (!memcmp(verifier->keys[i], key, HFT_LOG_KEY_BYTES))
			return true;
	}
	return false;
}

/* Of a chunk whose seal is whole */
static void hft_log_check_signature(struct hft_log_verifier *verifier)
{
	const struct hft_log_chunk *chunk = verifier->chunk;
	bool has_keys = verifier->opts.nr_keys, is_other;
	char key[72] = "";

	verifier->file = "hft/seal";
	if (chunk->is_signed > 0)
		hft_log_hex_print(chunk->key, HFT_LOG_KEY_BYTES, key);
	is_other = *verifier->result.key && strcmp(key, verifier->result.key);
	if (chunk->is_signed < 0)
		hft_log_find(verifier, HFT_LOG_SIGNATURE, HFT_LOG_IS_TAMPERED, NULL,
			     "the signature is wrong");
	else if (!chunk->is_signed && (has_keys || is_other))
		hft_log_find(verifier, HFT_LOG_SIGNATURE, HFT_LOG_IS_TAMPERED, NULL,
			     "the seal is not signed");
	else if (chunk->is_signed && has_keys && !hft_log_is_trusted(verifier, chunk->key))
		hft_log_find(verifier, HFT_LOG_KEY, HFT_LOG_IS_TAMPERED, NULL,
			     "signed with the key %s, which is not trusted", key);
	else if (chunk->is_signed && !has_keys && is_other)
		hft_log_find(verifier, HFT_LOG_KEY, HFT_LOG_IS_TAMPERED, NULL,
			     "signed with another key than the chunks before: %s", key);
	verifier->result.signed_chunks += chunk->is_signed > 0;
	if (*key)
		strcpy(verifier->result.key, key);
	verifier->file = "";
}

static void hft_log_find_missing(struct hft_log_verifier *verifier, uint64_t from, uint64_t to)
{
	const struct hft_log_chunk chunk = { .number = from };

	verifier->chunk = &chunk;
	if (from == to)
		hft_log_find(verifier, HFT_LOG_CHUNK_MISSING, HFT_LOG_IS_TAMPERED, NULL,
			     "the chunk is not there");
	else
		hft_log_find(verifier, HFT_LOG_CHUNK_MISSING, HFT_LOG_IS_TAMPERED, NULL,
			     "the chunks from this to %" PRIu64 " are not there", to);
	verifier->chunk = NULL;
}

/* The next may have been begun since the folder was read. */
static bool hft_log_has_end(const struct hft_log_verifier *verifier)
{
	const struct hft_log_chunks *chunks = &verifier->chunks;
	const struct hft_log_chunk *last = &chunks->chunk[chunks->nr - 1];
	int fd;

	if (last->err || last->is_final)
		return true;
	fd = hft_log_chunk_open(verifier->dir_fd, last->number + 1);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Retention says what it removes before it does. */
static void hft_log_check_numbers(struct hft_log_verifier *verifier)
{
	const struct hft_log_chunks *chunks = &verifier->chunks;
	uint64_t next = chunks->first;
	size_t i;

	verifier->has_clock = false;
	for (i = 0; i < chunks->nr; i++) {
		uint64_t number = chunks->chunk[i].number;

		if (number < chunks->first)
			continue;
		if (number > next)
			hft_log_find_missing(verifier, next, number - 1);
		next = number + 1;
	}
	if (!hft_log_has_end(verifier))
		hft_log_find_missing(verifier, next, next);
}

/* The uuid of most chunks (Boyer and Moore's majority vote) */
static const char *hft_log_uuid_of_most(const struct hft_log_chunks *chunks)
{
	const char *uuid = "";
	size_t i, votes = 0;

	for (i = 0; i < chunks->nr; i++) {
		if (chunks->chunk[i].err)
			continue;
		if (!votes)
			uuid = chunks->chunk[i].uuid;
		if (strcmp(uuid, chunks->chunk[i].uuid))
			votes--;
		else
			votes++;
	}
	return uuid;
}

/* Of a log without any seal */
static void hft_log_unsealed_uuid(struct hft_log_verifier *verifier)
{
	char sites[64];

	snprintf(sites, sizeof(sites), "chunk-%08" PRIu64 "/hft/sites",
		 verifier->chunks.chunk[0].number);
	hft_log_sites_uuid(verifier->dir_fd, sites, verifier->result.uuid);
}

static void hft_log_find_seal(struct hft_log_verifier *verifier,
			      const struct hft_log_chunk *chunk, enum hft_log_finding_kind kind,
			      const char *text)
{
	verifier->chunk = chunk;
	verifier->file = kind == HFT_LOG_CHUNK_FOREIGN ? "" : "hft/seal";
	hft_log_find(verifier, kind, HFT_LOG_IS_TAMPERED, NULL, "%s", text);
	verifier->file = "";
}

/* The number that it has and the chunk that it follows */
static void hft_log_check_place(struct hft_log_verifier *verifier,
				const struct hft_log_chunk *before,
				const struct hft_log_chunk *chunk)
{
	const char *uuid = verifier->result.uuid;

	if (chunk->sealed_number != chunk->number) {
		hft_log_find_seal(verifier, chunk, HFT_LOG_CHUNK_FOREIGN,
				  "this is another chunk, by its seal");
		return;
	}
	if (strcmp(chunk->uuid, uuid) && (!before || memcmp(before->root, chunk->previous, HASH))) {
		hft_log_find_seal(verifier, chunk, HFT_LOG_CHUNK_FOREIGN,
				  "the chunk is of another log");
		return;
	}
	if (!before || before->err || before->number != chunk->number - 1 ||
	    !memcmp(before->root, chunk->previous, HASH))
		return;
	if (strcmp(before->uuid, uuid) || before->sealed_number != before->number)
		return;			/* that was said of the one before */
	hft_log_find_seal(verifier, before, HFT_LOG_SEAL_CHANGED,
			  "the seal is not the one that the next chunk goes on from");
}

static int hft_log_verify_one(struct hft_log_verifier *verifier, size_t i)
{
	struct hft_log_chunks *chunks = &verifier->chunks;
	struct hft_log_chunk *chunk = &chunks->chunk[i];
	const struct hft_log_chunk *before = i ? chunk - 1 : NULL;
	bool is_next = before && before->number == chunk->number - 1;
	static const uint8_t zeroes[HASH];
	int err;

	/* It may have been closed since. */
	if (chunk->err == -ENOENT && hft_log_chunk_read(chunks, chunk, verifier->dir_fd))
		return -ENOMEM;
	verifier->has_clock = false;
	verifier->file = "";
	verifier->chunk = chunk;
	verifier->was_sealed = chunk->number < chunks->last_sealed || chunk->err != -ENOENT;
	verifier->previous = is_next ? hft_log_chunk_root(before) : NULL;
	if (chunk->number == 1)
		verifier->previous = zeroes;
	if (!chunk->err) {
		hft_log_check_place(verifier, before, chunk);
		verifier->chunk = chunk;
		hft_log_check_signature(verifier);
		verifier->result.sealed += !chunk->is_pending;
		hft_log_hex_print(chunk->root, HASH, verifier->result.root);
	}
	err = hft_log_verify_chunk(verifier);
	if (err == -EAGAIN)
		return hft_log_verify_one(verifier, i);
	verifier->result.chunks++;
	return err;
}

static int hft_log_check_root(struct hft_log_verifier *verifier)
{
	uint8_t root[HASH];
	size_t i;

	if (!verifier->opts.root)
		return 0;
	if (!hft_log_hex_read(verifier->opts.root, root, HASH))
		return hft_fail(EINVAL, "the root is not %d hexadecimal digits", 2 * HASH);
	for (i = 0; i < verifier->chunks.nr; i++) {
		if (!verifier->chunks.chunk[i].err &&
		    !memcmp(root, verifier->chunks.chunk[i].root, HASH))
			return 0;
	}
	verifier->chunk = NULL;
	hft_log_find(verifier, HFT_LOG_ROOT, HFT_LOG_IS_TAMPERED, NULL,
		     "no chunk has the root that is asked for");
	return 0;
}

static int hft_log_verify_all(struct hft_log_verifier *verifier)
{
	size_t i;
	int err;

	err = hft_log_chunks_read(&verifier->chunks, verifier->dir_fd);
	if (err)
		return err;
	if (!verifier->chunks.nr)
		return hft_fail(ENOENT, "there is no chunk of a log");
	verifier->all_bytes = verifier->chunks.bytes;
	verifier->result.first_chunk = verifier->chunks.chunk[0].number;
	strcpy(verifier->result.uuid, hft_log_uuid_of_most(&verifier->chunks));
	if (!*verifier->result.uuid)
		hft_log_unsealed_uuid(verifier);
	err = hft_log_check_root(verifier);
	if (err)
		return err;
	hft_log_check_numbers(verifier);
	for (i = 0; i < verifier->chunks.nr; i++) {
		err = hft_log_verify_one(verifier, i);
		if (err)
			return err;
	}
	return 0;
}

/* What is missing at the end of the log can not be told from its files. */
static void hft_log_check_rings(struct hft_log_verifier *verifier, const char *dir)
{
	struct hft_log_info info = { .sz = sizeof(info) };
	char text[512];

	verifier->chunk = NULL;
	verifier->has_clock = false;
	verifier->file = "";
	if (!hft_log_look(dir, &info) && log_left_text(dir, &info, text, sizeof(text)))
		hft_log_find(verifier, HFT_LOG_RINGS, HFT_LOG_IS_TORN, NULL, "%s", text);
}

static int hft_log_verifier_open(struct hft_log_verifier *verifier, const char *dir)
{
	int err;

	verifier->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (verifier->dir_fd < 0)
		return hft_fail(errno, "open the log %s", dir);
	err = hft_log_packets_open(&verifier->packets);
	return err ? err : hft_log_read_key(verifier);
}

static void hft_log_verifier_close(struct hft_log_verifier *verifier)
{
	hft_log_packets_close(&verifier->packets);
	hft_log_chunks_free(&verifier->chunks);
	free(verifier->keys);
	if (verifier->dir_fd >= 0)
		close(verifier->dir_fd);
}

/**
 * hft_log_verify() - was a log changed since it was written?
 * @dir: folder of the log
 * @user_opts: how, or NULL
 * @fn: called for each finding; or NULL
 * @arg: for @fn
 * @user_result: what was seen; its sz is set
 *
 * Reads all of the log once, and has a packet at a time in memory, with some 50 bytes for
 * each packet of one stream.  The log may be written to meanwhile.  What is wrong with the
 * log is a finding and no error: it is whole if there are no findings that are tampered or
 * torn.
 *
 * Hashes are SHA-256 (FIPS 180-4), trees those of RFC 6962, section 2.1, signatures Ed25519
 * (RFC 8032).
 *
 * Return: 0: all was read; -ENOENT: there is no such log; -EINVAL: bad options or no key in
 * a file; -ENOMEM; -EMFILE, -ENFILE.  Any thread; blocks for the disk.
 */
HFT_API int hft_log_verify(const char *dir, const struct hft_log_verify_opts *user_opts,
			   hft_log_finding_fn fn, void *arg,
			   struct hft_log_verify_result *user_result)
{
	struct hft_log_verifier verifier = { .fn = fn, .arg = arg, .dir_fd = -1, .file = "" };
	int err;

	err = hft_check_answer(user_result);
	if (!err)
		err = hft_read_opts(&verifier.opts, sizeof(verifier.opts), user_opts);
	if (err)
		return err;
	err = hft_log_verifier_open(&verifier, dir);
	if (!err)
		err = hft_log_verify_all(&verifier);
	if (!err)
		hft_log_check_rings(&verifier, dir);
	if (!err)
		hft_answer(user_result, &verifier.result, sizeof(verifier.result));
	hft_log_verifier_close(&verifier);
	return err;
}
