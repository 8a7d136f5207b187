// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which chunks a log has, and what their seals say.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "verify.h"

#define MOST_TEXT	(256u << 20)

/* "chunk-00000001": numbers are written in one way, and 0 is none. */
static uint64_t hft_log_chunk_number(const char *name)
{
	uint64_t number;
	char text[48];

	if (sscanf(name, "chunk-%" SCNu64, &number) != 1)
		return 0;
	snprintf(text, sizeof(text), "chunk-%08" PRIu64, number);
	return strcmp(name, text) ? 0 : number;
}

/* The folder of a chunk, or -errno */
int hft_log_chunk_open(int dir_fd, uint64_t number)
{
	char name[48];
	int fd;

	snprintf(name, sizeof(name), "chunk-%08" PRIu64, number);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? hft_fail(errno, "open %s", name) : fd;
}

static int hft_log_chunks_add(struct hft_log_chunks *chunks, uint64_t number)
{
	if (chunks->nr == chunks->room) {
		size_t room = chunks->room ? 2 * chunks->room : 64;
		void *chunk = realloc(chunks->chunk, room * sizeof(*chunks->chunk));

		if (!chunk)
			return hft_fail(ENOMEM, "%zu chunks", room);
		chunks->chunk = chunk;
		chunks->room = room;
	}
	memset(&chunks->chunk[chunks->nr], 0, sizeof(*chunks->chunk));
	chunks->chunk[chunks->nr++].number = number;
	return 0;
}

static int hft_log_by_number(const void *a, const void *b)
{
	const struct hft_log_chunk *one = a, *other = b;

	return (one->number > other->number) - (one->number < other->number);
}

static int hft_log_chunks_list(struct hft_log_chunks *chunks, int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!dir) {
		err = hft_fail(errno, "open the folder of the log");
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		uint64_t number = hft_log_chunk_number(entry->d_name);

		if (number)
			err = hft_log_chunks_add(chunks, number);
	}
	closedir(dir);
	if (chunks->nr)
		qsort(chunks->chunk, chunks->nr, sizeof(*chunks->chunk), hft_log_by_number);
	return err;
}

uint64_t hft_log_number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void hft_log_chunk_take(struct hft_log_chunks *chunks, struct hft_log_chunk *chunk,
			       const struct hft_log_sealing *seal)
{
	const json_t *file;
	size_t i;

	chunk->sealed_number = hft_log_number(seal->json, "chunk");
	chunk->is_final = json_is_true(json_object_get(seal->json, "final"));
	chunk->is_repaired = json_object_get(seal->json, "repaired");
	snprintf(chunk->uuid, sizeof(chunk->uuid), "%s",
		 json_string_value(json_object_get(seal->json, "uuid")));
	memcpy(chunk->root, seal->root, sizeof(chunk->root));
	hft_log_seal_previous(seal, chunk->previous);
	chunk->is_signed = hft_log_seal_check_signature(seal, chunk->key);
	if (chunk->number > chunks->last_sealed)
		chunks->last_sealed = chunk->number;
	if (hft_log_number(seal->json, "first") > chunks->first)
		chunks->first = hft_log_number(seal->json, "first");
	json_array_foreach(json_object_get(seal->json, "files"), i, file)
		chunks->bytes += hft_log_number(file, "bytes");
}

/* What is not sealed: so much to read, about. */
static uint64_t hft_log_folder_bytes(int chunk_fd)
{
	int fd = openat(chunk_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		if (!fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	}
	closedir(dir);
	return bytes;
}

/*
 * A repaired chunk has another root than it would have had, which the chunk behind it goes
 * on from if that was there already.
 */
const uint8_t *hft_log_chunk_root(const struct hft_log_chunk *chunk)
{
	return chunk->err || (chunk->is_repaired && !chunk->is_final) ? NULL : chunk->root;
}

/* The seal of a repair that has not ended; anything else of that name is nothing. */
static void hft_log_chunk_read_pending(struct hft_log_chunks *chunks, struct hft_log_chunk *chunk,
				       int chunk_fd)
{
	uint8_t key[HFT_LOG_KEY_BYTES];
	struct hft_log_sealing seal;

	if (hft_log_seal_read_pending(&seal, chunk_fd))
		return;
	if (json_object_get(seal.json, "repaired") &&
	    hft_log_number(seal.json, "chunk") == chunk->number &&
	    hft_log_seal_check_signature(&seal, key) >= 0) {
		hft_log_chunk_take(chunks, chunk, &seal);
		chunk->is_pending = true;
		chunk->err = 0;
	}
	hft_log_seal_close(&seal);
}

int hft_log_chunk_read(struct hft_log_chunks *chunks, struct hft_log_chunk *chunk, int dir_fd)
{
	struct hft_log_sealing seal;
	int fd = hft_log_chunk_open(dir_fd, chunk->number);

	chunk->is_pending = false;
	chunk->err = fd < 0 ? fd : hft_log_seal_read(&seal, fd);
	if (!chunk->err) {
		hft_log_chunk_take(chunks, chunk, &seal);
		hft_log_seal_close(&seal);
	} else {
		snprintf(chunk->text, sizeof(chunk->text), "%s", hft_strerror(chunk->err));
		if (fd >= 0 && chunk->err == -ENOENT)
			hft_log_chunk_read_pending(chunks, chunk, fd);
		if (fd >= 0 && chunk->err)
			chunks->bytes += hft_log_folder_bytes(fd);
	}
	if (fd >= 0)
		close(fd);
	return chunk->err == -ENOMEM ? chunk->err : 0;
}

int hft_log_chunks_read(struct hft_log_chunks *chunks, int dir_fd)
{
	size_t i;
	int err;

	memset(chunks, 0, sizeof(*chunks));
	chunks->first = 1;
	err = hft_log_chunks_list(chunks, dir_fd);
	/* The newest first: of a log that is written to, the older ones are sealed then, too. */
	for (i = chunks->nr; i && !err; i--)
		err = hft_log_chunk_read(chunks, &chunks->chunk[i - 1], dir_fd);
	return err;
}

void hft_log_chunks_free(struct hft_log_chunks *chunks)
{
	free(chunks->chunk);
	chunks->chunk = NULL;
	chunks->nr = 0;
}

char *hft_log_slurp(int dir_fd, const char *file, size_t *size, int *err)
{
	int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	char *text = NULL;
	struct stat st;

	*err = 0;
	if (fd < 0 || fstat(fd, &st)) {
		*err = hft_fail(errno, "open %s", file);
	} else if (!S_ISREG(st.st_mode)) {
		*err = hft_fail(EBADMSG, "%s is no file", file);
	} else if (st.st_size > MOST_TEXT) {
		*err = hft_fail(EFBIG, "%s", file);
	} else {
		text = malloc((size_t)st.st_size + 1);
		*size = (size_t)st.st_size;
		if (!text)
			*err = hft_fail(ENOMEM, "%s", file);
		else if (pread(fd, text, *size, 0) != st.st_size)
			*err = hft_fail(EIO, "read %s", file);
		else
			text[*size] = '\0';
	}
	if (fd >= 0)
		close(fd);
	if (!*err)
		return text;
	free(text);
	return NULL;
}

/* Their first line; NULL: it can not be read, for @err, or is torn, for which that is 0 */
static json_t *hft_log_sites_head(int dir_fd, const char *sites, int *err)
{
	json_error_t error;
	json_t *json;
	size_t size;
	char *bytes;

	bytes = hft_log_slurp(dir_fd, sites, &size, err);
	if (!bytes)
		return NULL;
	json = json_loads(bytes, JSON_DISABLE_EOF_CHECK, &error);
	if (!json && json_error_code(&error) == json_error_out_of_memory)
		*err = hft_fail(ENOMEM, "%s", sites);
	free(bytes);
	return json;
}

void hft_log_sites_uuid(int dir_fd, const char *sites, char text[40])
{
	int err;
	json_t *json = hft_log_sites_head(dir_fd, sites, &err);
	uint8_t uuid[16];
	const char *said;

	said = json_string_value(json_object_get(json_object_get(json, "log"), "uuid"));
	if (said && hft_log_uuid_read(said, uuid))
		hft_log_uuid_print(uuid, text);
	json_decref(json);
}

/*
 * Before there is a seal, that it was to be signed is in the sites.  Where they were not begun,
 * or their first line is torn, nothing was; what can not be read may say so.
 */
static int hft_log_sites_has_key(int chunk_fd)
{
	int err;
	json_t *json = hft_log_sites_head(chunk_fd, "hft/sites", &err);
	bool has_key = json_object_get(json_object_get(json, "log"), "key");

	json_decref(json);
	return err && err != -ENOENT ? err : has_key;
}

/* The newest seal tells, and what has none yet. */
int hft_log_chunks_want_key(const struct hft_log_chunks *chunks, int dir_fd)
{
	int wants = 0, fd;
	size_t i;

	for (i = chunks->nr; i && !wants && chunks->chunk[i - 1].err; i--) {
		fd = hft_log_chunk_open(dir_fd, chunks->chunk[i - 1].number);
		if (fd < 0)
			return fd;
		wants = hft_log_sites_has_key(fd);
		close(fd);
	}
	return wants ? wants : i && chunks->chunk[i - 1].is_signed;
}
