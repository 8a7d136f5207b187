// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file of a stream by a window that moves over it.  It is read, not mapped: a file that is
 * cut off meanwhile is shorter, and does not kill who reads it.
 *
 * A log may have more streams than a process may have descriptors: of the last ones to be opened
 * each is closed behind a read, and opened again, under its new name if it was compressed then.
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

static int hft_try_open(struct hft_read_file *file)
{
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
			O_NOFOLLOW);
	return file->fd < 0 ? -errno : 0;
}

/* Without it the bytes of @file->fd are not those of the stream: they are not to be read. */
static int hft_open_packed(struct hft_read_file *file)
{
	int err = hft_log_packed_open(&file->packed, file->fd);

	file->salvaged = err == -EBADMSG;
	if (file->salvaged)
		err = hft_log_packed_salvage(&file->packed, file->fd);
	if (!err) {
		file->size = hft_log_packed_size(file->packed);
		return 0;
	}
	close(file->fd);
	file->fd = -1;
	return err;
}

/* In the place of @path, which is not there; that stays if there is none. */
static int hft_try_packed(struct hft_read_file *file)
{
	char *plain = file->path;
	int err;

	if (asprintf(&file->path, "%s.zst", plain) < 0) {
		file->path = plain;
		return -ENOMEM;
	}
	err = hft_try_open(file);
	if (err) {
		free(file->path);
		file->path = plain;
		return err;
	}
	free(plain);
	file->is_packed = true;
	return 0;
}

/* What was read of it before is at the same offsets in its packets. */
static int hft_open_now(struct hft_read_file *file)
{
	int err;

	if (file->fd >= 0)
		return 0;
	err = hft_try_open(file);
	if (err == -ENOENT && !file->is_packed)
		err = hft_try_packed(file);
	if (err || !file->is_packed)
		return err;
	if (!file->packed)
		return hft_open_packed(file);
	hft_log_packed_move(file->packed, file->fd);
	return 0;
}

static void hft_let_go(struct hft_read_file *file)
{
	if (file->kept || file->fd < 0)
		return;
	if (*file->nr_kept < HFT_READ_OPEN) {
		file->kept = true;
		++*file->nr_kept;
		return;
	}
	close(file->fd);
	file->fd = -1;
}

/* How long it is now, and read again; what is no file of bytes is none to read. */
int hft_read_file_resize(struct hft_read_file *file)
{
	int err = hft_open_now(file);
	struct stat stat;

	file->length = 0;
	if (err)
		return err;
	if (fstat(file->fd, &stat))
		err = -errno;
	else if (!S_ISREG(stat.st_mode))
		err = -EINVAL;
	hft_let_go(file);
	if (err)
		return err;
	file->disk_size = (uint64_t)stat.st_size;
	if (!file->packed)
		file->size = file->disk_size;
	return 0;
}

/* -ENOENT: the chunk has no such stream.  To be closed, also after an error. */
int hft_read_file_open(struct hft_read_file *file, const char *chunk, uint64_t stream)
{
	file->length = 0;
	file->is_packed = false;
	file->salvaged = false;
	if (asprintf(&file->path, "%s/stream-%" PRIu64, chunk, stream) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	return hft_read_file_resize(file);
}

void hft_read_file_close(struct hft_read_file *file)
{
	hft_log_packed_close(file->packed);
	file->packed = NULL;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	*file->nr_kept -= file->kept;
	file->kept = false;
	free(file->path);
	file->path = NULL;
	free(file->window);
	file->window = NULL;
	file->room = 0;
	file->length = 0;
}

static int64_t hft_fill(struct hft_read_file *file, uint64_t offset, void *to, size_t size)
{
	int64_t got = hft_open_now(file);

	if (got)
		return got;
	if (file->packed)
		got = hft_log_packed_read(file->packed, offset, to, size);
	else
		got = pread(file->fd, to, size, (off_t)offset);
	if (got < 0 && !file->packed)
		got = -errno;
	hft_let_go(file);
	return got;
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
