// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file of a stream by a window that moves over it.  It is read, not mapped: a file that is
 * cut off meanwhile is shorter, and does not kill who reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack.h"
#include "read.h"

static int hft_try_open(struct hft_read_file *file, const char *chunk, uint64_t stream,
			const char *suffix)
{
	if (asprintf(&file->path, "%s/stream-%" PRIu64 "%s", chunk, stream, suffix) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
			O_NOFOLLOW);
	if (file->fd >= 0)
		return 0;
	free(file->path);
	file->path = NULL;
	return -errno;
}

/* How long it is now, and read again; what is no file of bytes is none to read. */
int hft_read_file_resize(struct hft_read_file *file)
{
	struct stat stat;

	file->length = 0;
	if (fstat(file->fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode))
		return -EINVAL;
	file->disk_size = (uint64_t)stat.st_size;
	if (!file->packed)
		file->size = file->disk_size;
	return 0;
}

static int hft_open_packed(struct hft_read_file *file)
{
	int err = hft_log_packed_open(&file->packed, file->fd);

	file->salvaged = err == -EBADMSG;
	return file->salvaged ? hft_log_packed_salvage(&file->packed, file->fd) : err;
}

/* -ENOENT: the chunk has no such stream. */
int hft_read_file_open(struct hft_read_file *file, const char *chunk, uint64_t stream)
{
	int err = hft_try_open(file, chunk, stream, "");

	file->length = 0;
	file->salvaged = false;
	if (err == -ENOENT) {
		err = hft_try_open(file, chunk, stream, ".zst");
		if (!err)
			err = hft_open_packed(file);
		if (!err)
			file->size = hft_log_packed_size(file->packed);
	}
	if (!err)
		err = hft_read_file_resize(file);
	return err;
}

void hft_read_file_close(struct hft_read_file *file)
{
	hft_log_packed_close(file->packed);
	file->packed = NULL;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	free(file->path);
	file->path = NULL;
	free(file->window);
	file->window = NULL;
	file->room = 0;
	file->length = 0;
}

static int64_t hft_fill(struct hft_read_file *file, uint64_t offset, void *to, size_t size)
{
	int64_t got;

	if (file->packed)
		return hft_log_packed_read(file->packed, offset, to, size);
	got = pread(file->fd, to, size, (off_t)offset);
	return got < 0 ? -errno : got;
}

static bool hft_is_in_window(const struct hft_read_file *file, uint64_t offset, size_t size)
{
	return offset >= file->at && offset - file->at <= file->length &&
	       file->length - (offset - file->at) >= size;
}

/* @size bytes at @offset; the window stays where it is.  1, 0: the file ends before, or -errno */
int hft_read_file_peek(struct hft_read_file *file, uint64_t offset, void *to, size_t size)
{
	int64_t got;

	if (hft_is_in_window(file, offset, size)) {
		memcpy(to, file->window + (offset - file->at), size);
		return 1;
	}
	got = hft_fill(file, offset, to, size);
	return got < 0 ? (int)got : got == (int64_t)size;
}

/*
 * @size bytes at @offset; NULL: @err is 0 when the file ends before.  If they are not there
 * yet, as many as @ahead are read.
 */
const void *hft_read_file_bytes(struct hft_read_file *file, uint64_t offset, size_t size,
				size_t ahead, int *err)
{
	/* A compressed file has the packet that it unpacked at hand. */
	size_t want = ahead > size && !file->packed ? ahead : size;
	int64_t got;
	void *window;

	*err = 0;
	if (hft_is_in_window(file, offset, size))
		return file->window + (offset - file->at);
	if (offset > file->size || file->size - offset < size)
		return NULL;
	if (want > file->size - offset)
		want = (size_t)(file->size - offset);
	if (want > file->room) {
		window = realloc(file->window, want);
		if (!window) {
			*err = -ENOMEM;
			return NULL;
		}
		file->window = window;
		file->room = want;
	}
	file->length = 0;
	got = hft_fill(file, offset, file->window, want);
	if (got < 0) {
		*err = (int)got;
		return NULL;
	}
	file->at = offset;
	file->length = (size_t)got;
	return file->length >= size ? file->window : NULL;
}
