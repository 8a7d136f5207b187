// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The files of a chunk, against its seal if it has one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "verify.h"

#define HASH		HFT_LOG_HASH_BYTES
#define MOST_SITES	65536		/* bytes of the first line of hft/sites */

/* "stream-3" and "stream-3.zst" are of the third; numbers are written in one way. */
bool hft_log_stream_number(const char *file, uint64_t *stream)
{
	char plain[32], packed[40];

	if (sscanf(file, "stream-%" SCNu64, stream) != 1)
		return false;
	snprintf(plain, sizeof(plain), "stream-%" PRIu64, *stream);
	snprintf(packed, sizeof(packed), "%s.zst", plain);
	return !strcmp(file, plain) || !strcmp(file, packed);
}

static void hft_log_find_file(struct hft_log_verifier *verifier, const char *file,
			      enum hft_log_finding_kind kind, const char *text)
{
	verifier->file = file;
	hft_log_find(verifier, kind, HFT_LOG_IS_TAMPERED, NULL, "%s", text);
	verifier->file = "";
}

/*
 * By retention, which is at it, or was when its process died, or has been since the chunks
 * were listed.
 */
static bool hft_log_is_removed(const struct hft_log_verifier *verifier)
{
	struct hft_log_chunks now;
	bool is_removed;

	if (verifier->chunk->number < verifier->chunks.first)
		return true;
	is_removed = !hft_log_chunks_read(&now, verifier->dir_fd) &&
		verifier->chunk->number < now.first;
	hft_log_chunks_free(&now);
	return is_removed;
}

/* That is what a file is, which can not be read: -ENOMEM alone is no finding. */
static int hft_log_find_unread(struct hft_log_verifier *verifier, const char *file, int err)
{
	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
		return err;
	if (err == -ENOENT && hft_log_is_removed(verifier))
		return 0;
	if (err == -ENOENT)
		hft_log_find_file(verifier, file, HFT_LOG_FILE_MISSING, "the file is not there");
	else if (err == -EBADMSG)
		hft_log_find_file(verifier, file, HFT_LOG_CHANGED, hft_strerror(err));
	else
		hft_log_find_file(verifier, file, HFT_LOG_UNREADABLE, hft_strerror(err));
	return 0;
}

/* Where a file is that the seal names, and how much of it counts */
static const char *hft_log_place_of(const struct hft_log_verifier *verifier, const char *file,
				    const json_t *sealed, char name[256], uint64_t *most)
{
	*most = UINT64_MAX;
	if (!verifier->chunk->is_pending)
		return file;
	*most = hft_log_number(sealed, "bytes");
	return hft_log_has_new(verifier->chunk_fd, file, name) ? name : file;
}

/* @sealed: what the seal says of it; NULL: nothing.  -ENOENT, if it is not there, is not told. */
static int hft_log_try_stream(struct hft_log_verifier *verifier, const char *file,
			      const json_t *sealed)
{
	struct hft_log_source source;
	uint64_t stream, most;
	char name[256];
	int err;

	if (!hft_log_stream_number(file, &stream)) {
		hft_log_find_file(verifier, file, HFT_LOG_SEAL_CHANGED, "this is no stream's name");
		return 0;
	}
	err = hft_log_source_open(&source, verifier->chunk_fd,
				  hft_log_place_of(verifier, file, sealed, name, &most));
	if (err)
		return err == -ENOENT ? err : hft_log_find_unread(verifier, file, err);
	if (source.bytes > most)
		source.bytes = most;
	verifier->file = file;
	hft_log_packets_begin(&verifier->packets, &source, stream);
	err = sealed ? hft_log_verify_sealed(verifier, &source, sealed) :
		       hft_log_verify_open(verifier);
	verifier->file = "";
	hft_log_source_close(&source);
	return err;
}

/*
 * A stream may be compressed at any moment: its other file is put in place before this one
 * goes, and stays.
 */
static int hft_log_verify_stream(struct hft_log_verifier *verifier, const char *file,
				 const json_t *sealed)
{
	char packed[512];
	bool is_twice;
	int err;

	snprintf(packed, sizeof(packed), "%s.zst", file);
	is_twice = sealed && !faccessat(verifier->chunk_fd, packed, F_OK, AT_SYMLINK_NOFOLLOW);
	err = hft_log_try_stream(verifier, file, sealed);
	if (err ? err != -ENOENT : !is_twice)
		return err;
	err = hft_log_try_stream(verifier, packed, sealed);
	return err == -ENOENT ? hft_log_find_unread(verifier, file, err) : err;
}

static int hft_log_verify_hash(struct hft_log_verifier *verifier, const char *file,
			       const json_t *sealed)
{
	struct hft_log_source source;
	uint8_t hash[HASH], said[HASH];
	uint64_t bytes, most;
	char name[256];
	int err;

	err = hft_log_source_open(&source, verifier->chunk_fd,
				  hft_log_place_of(verifier, file, sealed, name, &most));
	if (err)
		return hft_log_find_unread(verifier, file, err);
	err = hft_log_hash_fd(source.fd, most, &bytes, hash);
	hft_log_source_close(&source);
	if (err)
		return hft_log_find_unread(verifier, file, err);
	hft_log_verify_progress(verifier, bytes);
	hft_log_hex_read(json_string_value(json_object_get(sealed, "sha256")), said, HASH);
	if (memcmp(hash, said, HASH))
		hft_log_find_file(verifier, file, HFT_LOG_FILE_CHANGED,
				  "the file is not the one that was sealed");
	return 0;
}

static int hft_log_verify_file(struct hft_log_verifier *verifier, const json_t *sealed)
{
	const char *name = json_string_value(json_object_get(sealed, "name"));

	return json_object_get(sealed, "sha256") ? hft_log_verify_hash(verifier, name, sealed) :
						   hft_log_verify_stream(verifier, name, sealed);
}

static bool hft_log_is_sealed(const json_t *files, const char *file)
{
	const json_t *sealed;
	size_t i;

	json_array_foreach((json_t *)files, i, sealed) {
		const char *name = json_string_value(json_object_get(sealed, "name"));
		size_t length = strlen(name);

		if (!strcmp(file, name))
			return true;
		if (!json_object_get(sealed, "sha256") && !strncmp(file, name, length) &&
		    !strcmp(file + length, ".zst"))
			return true;
	}
	return false;
}

typedef int (*hft_log_file_fn)(struct hft_log_verifier *verifier, const char *file,
			       const json_t *files);

/* Each file of a folder but hidden ones, which no one reads */
static int hft_log_each_file(struct hft_log_verifier *verifier, const char *folder,
			     hft_log_file_fn fn, const json_t *files)
{
	int fd = openat(verifier->chunk_fd, folder,
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool is_chunk = !strcmp(folder, ".");
	struct dirent *entry;
	char file[512];
	int err = 0;

	if (!dir) {
		err = hft_log_find_unread(verifier, is_chunk ? "" : folder,
					  hft_fail(errno, "open the folder %s", folder));
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || (is_chunk && !strcmp(entry->d_name, "hft")))
			continue;
		snprintf(file, sizeof(file), "%s%s", is_chunk ? "" : "hft/", entry->d_name);
		err = fn(verifier, file, files);
	}
	closedir(dir);
	return err;
}

static int hft_log_check_added(struct hft_log_verifier *verifier, const char *file,
			       const json_t *files)
{
	if (strcmp(file, "hft/seal") && !hft_log_is_sealed(files, file))
		hft_log_find_file(verifier, file, HFT_LOG_ADDED,
				  "the seal does not have this file");
	return 0;
}

static void hft_log_tell_before(struct hft_log_verifier *verifier, const json_t *cut)
{
	const char *name = json_string_value(json_object_get(cut, "name"));
	const char *kind = json_string_value(json_object_get(cut, "kind"));
	const struct hft_log_place place = {
		.packet = hft_log_number(cut, "packet"),
		.packets = hft_log_number(cut, "packets"),
		.offset = hft_log_number(cut, "offset"),
	};

	verifier->file = name ? name : "";
	hft_log_find(verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
		     "found when the chunk was repaired: %s", kind ? kind : "changed");
	verifier->file = "";
}

/* A repair does not make good what was tampered with before. */
static void hft_log_tell_repair(struct hft_log_verifier *verifier, const json_t *json)
{
	const json_t *cuts = json_object_get(json, "repaired"), *cut;
	uint64_t bytes = 0;
	size_t i;

	if (!cuts)
		return;
	json_array_foreach((json_t *)cuts, i, cut) {
		bytes += hft_log_number(cut, "cut_bytes");
		if (json_is_true(json_object_get(cut, "tampered")))
			hft_log_tell_before(verifier, cut);
	}
	hft_log_find(verifier, HFT_LOG_REPAIRED, HFT_LOG_WHOLE, NULL,
		     "the chunk was sealed by a repair, which cut %" PRIu64 " bytes", bytes);
}

static int hft_log_verify_by_seal(struct hft_log_verifier *verifier)
{
	struct hft_log_sealing seal;
	const json_t *files, *file;
	bool is_pending = verifier->chunk->is_pending;
	int err = is_pending ? hft_log_seal_read_pending(&seal, verifier->chunk_fd) :
			       hft_log_seal_read(&seal, verifier->chunk_fd);
	size_t i;

	if (err)
		return hft_log_find_unread(verifier, "hft/seal", err);
	if (is_pending)
		hft_log_find(verifier, HFT_LOG_UNSEALED, HFT_LOG_IS_TORN, NULL,
			     "its repair has not ended: repair the log again");
	hft_log_tell_repair(verifier, seal.json);
	files = json_object_get(seal.json, "files");
	json_array_foreach((json_t *)files, i, file) {
		if (!err)
			err = hft_log_verify_file(verifier, file);
	}
	if (!err)
		err = hft_log_each_file(verifier, ".", hft_log_check_added, files);
	if (!err)
		err = hft_log_each_file(verifier, "hft", hft_log_check_added, files);
	hft_log_seal_close(&seal);
	return err;
}

/* Only what was sealed is compressed. */
static int hft_log_look_for_packed(struct hft_log_verifier *verifier, const char *file,
				   const json_t *files)
{
	uint64_t stream;

	(void)files;
	if (hft_log_stream_number(file, &stream) && strstr(file, ".zst"))
		verifier->was_sealed = true;
	return 0;
}

static int hft_log_verify_unsealed(struct hft_log_verifier *verifier, const char *file,
				   const json_t *files)
{
	uint64_t stream;
	int err;

	(void)files;
	if (hft_log_stream_number(file, &stream) && !strstr(file, ".zst"))
		return hft_log_verify_stream(verifier, file, NULL);
	if (hft_log_stream_number(file, &stream)) {
		err = hft_log_try_stream(verifier, file, NULL);
		return err == -ENOENT ? hft_log_find_unread(verifier, file, err) : err;
	}
	if (strcmp(file, "metadata"))
		hft_log_find_file(verifier, file, HFT_LOG_ADDED, "the log writes no such file");
	return 0;
}

/* -EAGAIN: it was sealed, and compressed even, since it was looked for its seal. */
static int hft_log_verify_by_chain(struct hft_log_verifier *verifier)
{
	const struct hft_log_chunk *chunk = verifier->chunk;
	int err;

	if (chunk->err == -ENOENT && hft_log_is_removed(verifier))
		return 0;
	err = hft_log_each_file(verifier, ".", hft_log_look_for_packed, NULL);
	if (err)
		return err;
	if (chunk->err == -ENOENT && verifier->was_sealed &&
	    !faccessat(verifier->chunk_fd, "hft/seal", F_OK, AT_SYMLINK_NOFOLLOW))
		return -EAGAIN;
	if (chunk->err != -ENOENT)
		hft_log_find_file(verifier, "hft/seal", chunk->err == -EBADMSG ?
				  HFT_LOG_SEAL_CHANGED : HFT_LOG_UNREADABLE, chunk->text);
	else if (verifier->was_sealed)
		hft_log_find_file(verifier, "hft/seal", HFT_LOG_SEAL_MISSING,
				  "the chunk has no seal, and had one");
	else
		hft_log_find(verifier, HFT_LOG_UNSEALED, HFT_LOG_IS_TORN, NULL,
			     "no seal yet: it is being written, or was by a process that died");
	return hft_log_each_file(verifier, ".", hft_log_verify_unsealed, NULL);
}

static void hft_log_set_clock(struct hft_log_verifier *verifier, const char *line)
{
	json_t *json = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *clock = json_object_get(json_object_get(json, "log"), "clock");
	json_int_t freq = json_integer_value(json_object_get(clock, "freq"));

	verifier->has_clock = freq > 0 && !hft_read_clock_set(&verifier->clock, (uint64_t)freq,
		json_integer_value(json_object_get(clock, "offset_s")),
		json_integer_value(json_object_get(clock, "offset")),
		json_integer_value(json_object_get(clock, "monotonic_at_0")));
	json_decref(json);
}

/* Without it, findings have no times. */
static void hft_log_read_clock(struct hft_log_verifier *verifier)
{
	struct hft_log_source source;
	char *line;
	int64_t got;

	verifier->has_clock = false;
	if (hft_log_source_open(&source, verifier->chunk_fd, "hft/sites"))
		return;
	line = malloc(MOST_SITES);
	got = line ? hft_log_source_read(&source, 0, line, MOST_SITES - 1) : -1;
	if (got > 0) {
		line[got] = '\0';
		line[strcspn(line, "\n")] = '\0';
		hft_log_set_clock(verifier, line);
	}
	free(line);
	hft_log_source_close(&source);
}

int hft_log_verify_chunk(struct hft_log_verifier *verifier)
{
	int err;

	verifier->chunk_fd = hft_log_chunk_open(verifier->dir_fd, verifier->chunk->number);
	if (verifier->chunk_fd < 0)
		return hft_log_find_unread(verifier, "", verifier->chunk_fd);
	hft_log_read_clock(verifier);
	err = verifier->chunk->err ? hft_log_verify_by_chain(verifier) :
				     hft_log_verify_by_seal(verifier);
	close(verifier->chunk_fd);
	return err;
}
