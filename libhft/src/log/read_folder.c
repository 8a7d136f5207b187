// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The folders that a reader was given: which chunks and streams are there.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "read.h"

/* "PREFIX" and a decimal number and "SUFFIX": the number, or -1. */
static int64_t hft_number_in(const char *name, const char *prefix, const char *suffix)
{
	size_t length = strlen(prefix);
	const char *digits = name + length;
	int64_t number = 0;

	if (strncmp(name, prefix, length) || *digits < '0' || *digits > '9')
		return -1;
	for (; *digits >= '0' && *digits <= '9'; digits++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *digits - '0', &number))
			return -1;
	return strcmp(digits, suffix) ? -1 : number;
}

static int64_t hft_stream_number(const char *name)
{
	int64_t number = hft_number_in(name, "stream-", "");

	return number >= 0 ? number : hft_number_in(name, "stream-", ".zst");
}

static int64_t hft_chunk_number(const char *name)
{
	int64_t number = hft_number_in(name, "chunk-", "");

	return number <= UINT32_MAX ? number : -1;
}

static int hft_add_chunk(struct hft_read_folder *folder, char *path, uint32_t number)
{
	struct hft_read_chunk **chunks, *chunk;

	if (!path)
		return -ENOMEM;
	chunk = calloc(1, sizeof(*chunk));
	chunks = reallocarray(folder->chunks, folder->nr_chunks + 1, sizeof(*chunks));
	if (chunks)
		folder->chunks = chunks;
	if (!chunk || !chunks) {
		free(chunk);
		free(path);
		return -ENOMEM;
	}
	chunk->path = path;
	chunk->number = number;
	chunks[folder->nr_chunks++] = chunk;
	return 0;
}

static int hft_compare_chunks(const void *a, const void *b)
{
	const struct hft_read_chunk *x = *(struct hft_read_chunk *const *)a;
	const struct hft_read_chunk *y = *(struct hft_read_chunk *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The number of the newest chunk that is there, or -1 */
static int64_t hft_newest_chunk(DIR *dir)
{
	int64_t newest = -1, number;
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		number = hft_chunk_number(entry->d_name);
		if (number > newest)
			newest = number;
	}
	return newest;
}

static int hft_add_newer(struct hft_read_folder *folder, DIR *dir, int64_t known, int64_t newest)
{
	struct dirent *entry;
	int64_t number;
	char *path;
	int err = 0;

	while (!err && (entry = readdir(dir))) {
		number = hft_chunk_number(entry->d_name);
		if (number <= known || number > newest)
			continue;
		if (asprintf(&path, "%s/%s", folder->path, entry->d_name) < 0)
			path = NULL;
		err = hft_add_chunk(folder, path, (uint32_t)number);
	}
	return err;
}

/*
 * Chunks that are newer than those that are known.  A folder that grows while it is read may
 * show a chunk and not the one before, so it is read twice: what is older than the newest that
 * was seen is there by then.
 */
static int hft_scan_chunks(struct hft_read_folder *folder)
{
	uint32_t known = folder->nr_chunks;
	int64_t last = known ? (int64_t)folder->chunks[known - 1]->number : -1, newest;
	int err = 0;
	DIR *dir;

	dir = opendir(folder->path);
	if (!dir)
		return hft_fail(errno, "%s", folder->path);
	newest = hft_newest_chunk(dir);
	if (newest > last) {
		rewinddir(dir);
		err = hft_add_newer(folder, dir, last, newest);
	}
	closedir(dir);
	if (folder->nr_chunks > known)
		qsort(folder->chunks + known, folder->nr_chunks - known,
		      sizeof(folder->chunks[0]), hft_compare_chunks);
	return err;
}

static bool hft_knows_stream(const struct hft_log_reader *reader,
			     const struct hft_read_folder *folder, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < reader->nr_inputs; i++)
		if (reader->inputs[i]->folder == folder && reader->inputs[i]->id == id)
			return true;
	return false;
}

static int hft_meet_stream(struct hft_log_reader *reader, struct hft_read_folder *folder,
			   uint32_t chunk, int64_t id)
{
	if (id < 0 || hft_knows_stream(reader, folder, (uint64_t)id))
		return 0;
	return hft_read_input_add(reader, folder, (uint64_t)id, chunk) ? 0 : -ENOMEM;
}

static void hft_add_size(struct hft_log_reader *reader, DIR *dir, const char *name)
{
	struct stat stat;

	if (hft_stream_number(name) >= 0 && !fstatat(dirfd(dir), name, &stat, 0))
		reader->progress.total += (uint64_t)stat.st_size;
}

/* A chunk that was removed meanwhile has no streams; one that can not be read is told of. */
static int hft_scan_streams(struct hft_log_reader *reader, struct hft_read_folder *folder,
			    uint32_t chunk)
{
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	if (folder->one_stream)
		return hft_meet_stream(reader, folder, chunk, (int64_t)folder->stream);
	dir = opendir(folder->chunks[chunk]->path);
	if (!dir && errno == ENOMEM)
		return -ENOMEM;
	if (!dir && errno != ENOENT)
		hft_read_notice(reader, HFT_LOG_NOTICE_UNREADABLE, folder->chunks[chunk]->path, 0,
				NULL, strerror(errno));
	while (dir && !err && (entry = readdir(dir))) {
		hft_add_size(reader, dir, entry->d_name);
		err = hft_meet_stream(reader, folder, chunk, hft_stream_number(entry->d_name));
	}
	if (dir)
		closedir(dir);
	return err;
}

/* Look for chunks and streams that are new. */
int hft_read_folder_scan(struct hft_log_reader *reader, struct hft_read_folder *folder)
{
	uint32_t chunk = folder->nr_chunks ? folder->nr_chunks - 1 : 0;
	int err = 0;

	if (!folder->is_chunk)
		err = hft_scan_chunks(folder);
	for (; !err && chunk < folder->nr_chunks; chunk++)
		err = hft_scan_streams(reader, folder, chunk);
	return err;
}

/* The chunk that a stream's file is in. */
static int hft_open_file(struct hft_read_folder *folder)
{
	char *slash = strrchr(folder->path, '/');
	int64_t stream = hft_stream_number(slash ? slash + 1 : folder->path);
	char *parent;

	if (stream < 0)
		return hft_fail(EBADMSG, "%s is neither a log, nor a chunk, nor a stream",
				folder->path);
	parent = slash ? strndup(folder->path, (size_t)(slash - folder->path)) : strdup(".");
	folder->one_stream = true;
	folder->stream = (uint64_t)stream;
	folder->is_chunk = true;
	return hft_add_chunk(folder, parent, 0);
}

static bool hft_has_file(const char *path, const char *name)
{
	bool has;
	char *file;

	if (asprintf(&file, "%s/%s", path, name) < 0)
		return false;
	has = !access(file, F_OK);
	free(file);
	return has;
}

static bool hft_is_chunk(const char *path)
{
	return hft_has_file(path, "hft/sites") || hft_has_file(path, "metadata");
}

static int hft_open_kind(struct hft_read_folder *folder)
{
	struct stat stat_;

	if (stat(folder->path, &stat_))
		return hft_fail(errno, "%s", folder->path);
	if (!S_ISDIR(stat_.st_mode))
		return hft_open_file(folder);
	folder->is_chunk = hft_is_chunk(folder->path);
	return folder->is_chunk ? hft_add_chunk(folder, strdup(folder->path), 0) : 0;
}

int hft_read_folder_open(struct hft_log_reader *reader, struct hft_read_folder *folder,
			 const char *path)
{
	size_t length = strlen(path);
	int err;

	while (length > 1 && path[length - 1] == '/')
		length--;
	folder->path = strndup(path, length);
	if (!folder->path)
		return -ENOMEM;
	err = hft_open_kind(folder);
	if (!err)
		err = hft_read_folder_scan(reader, folder);
	if (!err && !folder->nr_chunks && !(reader->opts.flags & HFT_LOG_READ_FOLLOW))
		err = hft_fail(ENOENT, "%s has no chunk of a log", folder->path);
	return err;
}

/* Keep what is known of @chunk, and of those that this was called for last. */
void hft_read_folder_hold(struct hft_read_folder *folder, struct hft_read_chunk *chunk)
{
	struct hft_read_chunk **held = folder->held;
	unsigned int i = 0;

	while (i < HFT_READ_HELD - 1 && held[i] && held[i] != chunk)
		i++;
	if (held[i] != chunk) {
		chunk->users++;
		if (held[i])
			hft_read_chunk_put(held[i]);
	}
	memmove(held + 1, held, i * sizeof(*held));
	held[0] = chunk;
}

void hft_read_folder_let_go(struct hft_read_folder *folder)
{
	unsigned int i;

	for (i = 0; i < HFT_READ_HELD; i++) {
		if (folder->held[i])
			hft_read_chunk_put(folder->held[i]);
		folder->held[i] = NULL;
	}
}

void hft_read_folder_close(struct hft_read_folder *folder)
{
	uint32_t i;

	hft_read_folder_let_go(folder);
	for (i = 0; i < folder->nr_chunks; i++) {
		free(folder->chunks[i]->path);
		free(folder->chunks[i]);
	}
	free(folder->chunks);
	free(folder->path);
}
