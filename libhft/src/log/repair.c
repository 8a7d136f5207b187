// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is left of a log that was torn by a crash.  See repair.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../api.h"
#include "../gettime.h"
#include "../options.h"
#include "left.h"
#include "locked.h"
#include "remove.h"
#include "repair.h"
#include "wait_lock.h"

#define HASH	HFT_LOG_HASH_BYTES

static int hft_log_by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the chunk's streams, to be freed */
static int hft_log_list_streams(int chunk_fd, char ***names, size_t *nr)
{
	int fd = openat(chunk_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t stream;
	int err = 0;

	*names = NULL;
	*nr = 0;
	if (!dir) {
		err = hft_fail(errno, "open the folder of the chunk");
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		char **more;

		if (!hft_log_stream_number(entry->d_name, &stream))
			continue;
		if (strstr(entry->d_name, ".zst")) {
			err = hft_fail(EBADMSG,
				       "%s is compressed: its chunk had a seal, and has none",
				       entry->d_name);
			break;
		}
		more = realloc(*names, (*nr + 1) * sizeof(**names));
		if (more)
			*names = more;
		if (!more || !((*names)[*nr] = strdup(entry->d_name)))
			err = hft_fail(ENOMEM, "names of streams");
		else
			++*nr;
	}
	closedir(dir);
	if (*nr)
		qsort(*names, *nr, sizeof(**names), hft_log_by_name);
	return err;
}

static int hft_log_repair_streams(struct hft_log_repairer *repairer)
{
	size_t i, nr;
	char **names;
	int err;

	err = hft_log_list_streams(repairer->chunk_fd, &names, &nr);
	for (i = 0; i < nr; i++) {
		if (!err)
			err = hft_log_repair_stream(repairer, names[i]);
		free(names[i]);
	}
	free(names);
	return err;
}

/* The uuid is that of the packets, of the chunk before, or what the chunk says of itself. */
static int hft_log_repair_head(struct hft_log_repairer *repairer)
{
	if (!*repairer->uuid)
		hft_log_repair_uuid(repairer);
	if (!*repairer->uuid)
		return 0;
	if (json_object_set_new(repairer->seal.json, "uuid", json_string(repairer->uuid)))
		return hft_fail(ENOMEM, "a seal");
	return 0;
}

static int hft_log_repair_files(struct hft_log_repairer *repairer, const struct hft_log_key *key)
{
	int err;

	repairer->cuts = json_array();
	if (!repairer->cuts)
		return hft_fail(ENOMEM, "what was cut");
	err = hft_log_repair_streams(repairer);
	if (!err)
		err = hft_log_repair_texts(repairer);
	if (!err)
		err = hft_log_repair_index(repairer);
	if (!err)
		err = hft_log_repair_head(repairer);
	if (err) {
		json_decref(repairer->cuts);
		return err;
	}
	err = hft_log_seal_repaired(&repairer->seal, repairer->cuts);
	if (!err)
		err = hft_log_seal_end(&repairer->seal, key);
	return err ? err : hft_log_seal_write_pending(&repairer->seal, repairer->chunk_fd);
}

static int hft_log_repair_begin(struct hft_log_repairer *repairer,
				const struct hft_log_seal_opts *opts,
				const struct hft_log_key *key)
{
	int err;

	repairer->nr_kept = 0;
	repairer->has_uuid = false;
	if (mkdirat(repairer->chunk_fd, "hft", 0750) && errno != EEXIST)
		return hft_fail(errno, "make the folder hft");
	err = hft_log_seal_begin(&repairer->seal, opts);
	if (err)
		return err;
	err = hft_log_repair_files(repairer, key);
	hft_log_seal_close(&repairer->seal);
	return err;
}

static int hft_log_repair_chunk(struct hft_log_repairer *repairer,
				const struct hft_log_chunk *chunk,
				const struct hft_log_seal_opts *opts,
				const struct hft_log_key *key)
{
	int err;

	repairer->chunk_fd = hft_log_chunk_open(repairer->dir_fd, chunk->number);
	if (repairer->chunk_fd < 0)
		return repairer->chunk_fd;
	err = chunk->is_pending ? 0 : hft_log_repair_begin(repairer, opts, key);
	if (!err)
		err = hft_log_repair_end(repairer);
	close(repairer->chunk_fd);
	return err;
}

/* A damaged seal is nothing to repair, nor is a chunk ahead of one that is sealed. */
static bool hft_log_had_seal(const struct hft_log_chunks *chunks,
			     const struct hft_log_chunk *chunk)
{
	return chunk->err && (chunk->err != -ENOENT || chunk->number < chunks->last_sealed);
}

static bool hft_log_is_left(const struct hft_log_chunks *chunks, const struct hft_log_chunk *chunk)
{
	return chunk->err && !hft_log_had_seal(chunks, chunk);
}

/* A seal without a signature, behind some that have one, is tampering to hft_log_verify(). */
static int hft_log_repair_check_key(const struct hft_log_chunks *chunks, int dir_fd)
{
	bool any = false;
	int wants;
	size_t i;

	for (i = 0; i < chunks->nr; i++)
		any |= hft_log_is_left(chunks, &chunks->chunk[i]);
	wants = any ? hft_log_chunks_want_key(chunks, dir_fd) : 0;
	return wants > 0 ? hft_log_fail_key() : wants;
}

static int hft_log_repair_chunks(struct hft_log_repairer *repairer,
				 const struct hft_log_chunks *chunks, const struct hft_log_key *key)
{
	struct hft_log_seal_opts opts = { .first = chunks->first };
	uint8_t previous[HASH] = { 0 };
	static const uint8_t zeroes[HASH];
	int err = 0;
	size_t i;

	repairer->verifier.previous = chunks->chunk[0].number == 1 ? zeroes : NULL;
	for (i = 0; i < chunks->nr && !err; i++) {
		const struct hft_log_chunk *chunk = &chunks->chunk[i];

		opts.chunk = chunk->number;
		opts.closed = hft_gettime(CLOCK_REALTIME);
		opts.final = i + 1 == chunks->nr;
		if (hft_log_had_seal(chunks, chunk) && !(repairer->how & HFT_LOG_REPAIR_REST))
			return hft_fail(EBADMSG, "chunk %" PRIu64 ": its seal is missing or "
					"damaged, which no repair mends", chunk->number);
		if (!chunk->err) {
			hft_log_uuid_read(chunk->uuid, opts.uuid);
			strcpy(repairer->uuid, chunk->uuid);
			memcpy(previous, chunk->root, HASH);
		}
		if (chunk->is_pending || hft_log_is_left(chunks, chunk)) {
			err = hft_log_repair_chunk(repairer, chunk, &opts, key);
			memcpy(previous, repairer->seal.root, HASH);
		}
		repairer->verifier.previous = hft_log_chunk_root(chunk);
		opts.previous = previous;
	}
	return err;
}

int hft_log_repair_folder(int dir_fd, const struct hft_log_key *key, uint32_t how,
			  struct hft_log_repair_result *result)
{
	struct hft_log_repairer repairer = { .dir_fd = dir_fd, .how = how };
	struct hft_log_chunks chunks;
	int err;

	err = hft_log_chunks_read(&chunks, dir_fd);
	if (!err && !chunks.nr)
		err = hft_fail(ENOENT, "there is no chunk of a log");
	if (!err && !key)
		err = hft_log_repair_check_key(&chunks, dir_fd);
	if (!err)
		err = hft_log_packets_open(&repairer.verifier.packets);
	if (!err)
		err = hft_log_repair_chunks(&repairer, &chunks, key);
	hft_log_packets_close(&repairer.verifier.packets);
	hft_log_chunks_free(&chunks);
	free(repairer.kept);
	*result = repairer.result;
	return err;
}

static int hft_log_copy_to(int dir_fd, int fd, const struct hft_log_key *key,
			   struct hft_log_repair_result *result)
{
	struct hft_log_chunks chunks;
	int err;

	err = hft_log_chunks_read(&chunks, dir_fd);
	if (!err)
		err = hft_log_copy_chunks(dir_fd, &chunks, fd);
	hft_log_chunks_free(&chunks);
	return err ? err : hft_log_repair_folder(fd, key, 0, result);
}

/* The folder is ours: mkdir() has made it.  One that is not whole does not stay in the way. */
static int hft_log_repair_copy(int dir_fd, const char *output, const struct hft_log_key *key,
			       struct hft_log_repair_result *result)
{
	int fd, err;

	if (mkdir(output, 0750))
		return hft_fail(errno, "make the folder %s", output);
	fd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? hft_fail(errno, "open the folder %s", output) :
		       hft_log_copy_to(dir_fd, fd, key, result);
	if (fd >= 0)
		close(fd);
	if (err)
		hft_log_remove_folder(output);
	return err;
}

static int hft_log_repair_locked(int dir_fd, const struct hft_log_repair_opts *opts,
				 struct hft_log_repair_result *result)
{
	struct hft_log_key key = { 0 };
	int err = opts->key ? hft_log_key_open(&key, opts->key) : 0;

	if (err)
		return err;
	err = opts->output ?
		hft_log_repair_copy(dir_fd, opts->output, opts->key ? &key : NULL, result) :
		hft_log_repair_folder(dir_fd, opts->key ? &key : NULL, HFT_LOG_REPAIR_IN_PLACE,
				      result);
	hft_log_key_close(&key);
	return err;
}

/**
 * hft_log_repair() - keep and seal what a crash has left of a log
 * @dir: folder of the log, that no one writes to
 * @user_opts: how, or NULL
 * @user_result: what was done; its sz is set
 *
 * Chunks behind the last that is sealed keep each packet that is whole, and what is no
 * packet is cut out of their streams.  They are sealed then, and the seal says what was cut
 * and what was found: hft_log_verify() tells of it.  In place, what is cut is kept in files
 * whose name begins with ".cut-", in the folder of the chunk.
 *
 * A log whose process has left rings is not repaired: it would be whole, and without what these
 * have.  They are not recovered by this: a copy of a log would take them from the log that they
 * are of.
 *
 * Return: 0, also if there was nothing to repair; -EBUSY: the log is being written, for another
 * second, too, as a process that was killed may keep it locked a moment longer; -EUCLEAN:
 * its process has left rings: see hft_log_recover(); -ENXIO: the same, and they are not here;
 * -EBADMSG: a seal is missing or damaged that was there: see hft_log_verify(); -EKEYREJECTED:
 * the seals of the log are signed, and there is no @user_opts->key; where there is none, and
 * whether they are can not be read, why it can not: nothing was changed; -EEXIST:
 * @user_opts->output is there, else it is removed when the repair fails; -ENOENT, -EINVAL,
 * -ENOMEM, and what the file system says.
 * Any thread; blocks for the disk.  A repair that failed or was killed may be done again: the
 * bytes of a chunk stay as they were until all of the repaired one is on the disk.
 */
HFT_API int hft_log_repair(const char *dir, const struct hft_log_repair_opts *user_opts,
			   struct hft_log_repair_result *user_result)
{
	struct hft_log_repair_result result = { 0 };
	struct hft_log_repair_opts opts;
	int err, fd;

	err = hft_check_answer(user_result);
	if (!err)
		err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	err = log_left_check(dir);
	if (err)
		return err;
	fd = log_wait_open(dir);
	if (fd < 0)
		return hft_fail(-fd, fd == -EBUSY ? "%s is being written" : "open the log %s", dir);
	err = hft_log_repair_locked(fd, &opts, &result);
	log_locked_close(fd);
	if (!err)
		hft_answer(user_result, &result, sizeof(result));
	return err;
}
