// SPDX-License-Identifier: LGPL-2.1-or-later
/* The small files of a chunk, which only grow: what the disk did not take is tried again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "store_internal.h"

int hft_store_text_open(struct log_text *text, int dir_fd, const char *name)
{
	text->fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	return text->fd < 0 ? hft_fail(errno, "making %s", name) : 0;
}

int hft_store_text_add(struct log_text *text, const void *bytes, size_t size)
{
	size_t room = text->room ? text->room : 4096;
	char *more;

	while (room - text->bytes < size)
		room *= 2;
	if (room != text->room) {
		more = realloc(text->at, room);
		if (!more)
			return hft_fail(ENOMEM, "text of a log");
		text->at = more;
		text->room = room;
	}
	memcpy(text->at + text->bytes, bytes, size);
	text->bytes += size;
	return 0;
}

/* All of it is in the file afterwards, or an error. */
int hft_store_text_write(struct log_text *text)
{
	ssize_t done;

	while (text->written < text->bytes) {
		done = pwrite(text->fd, text->at + text->written, text->bytes - text->written,
			      (off_t)text->written);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return hft_fail(done ? errno : EIO, "writing a log's metadata");
		text->written += (size_t)done;
	}
	return 0;
}

void hft_store_text_close(struct log_text *text)
{
	if (text->fd >= 0)
		close(text->fd);
	free(text->at);
	text->fd = -1;
	text->at = NULL;
}
