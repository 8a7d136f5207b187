// SPDX-License-Identifier: LGPL-2.1-or-later
/* What may not be on the disk, written once more.  See again.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "again.h"

int hft_log_again_open(struct hft_log_again *again)
{
	memset(again, 0, sizeof(*again));
	again->source.fd = -1;
	return hft_log_digest_open(&again->digest);
}

void hft_log_again_close(struct hft_log_again *again)
{
	hft_log_digest_close(&again->digest);
	free(again->buffer);
	again->buffer = NULL;
}

static int write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
	const uint8_t *from = bytes;
	ssize_t done;

	while (size) {
		done = pwrite(fd, from, size, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return hft_fail(done ? errno : EIO, "writing a part of a log again");
		from += done;
		size -= (size_t)done;
		offset += (size_t)done;
	}
	return 0;
}

static int make_room(struct hft_log_again *again, size_t bytes)
{
	uint8_t *more;

	if (bytes <= again->room)
		return 0;
	more = realloc(again->buffer, bytes);
	if (!more)
		return hft_fail(ENOMEM, "a packet to be written again");
	again->buffer = more;
	again->room = bytes;
	return 0;
}

static int sync_and_close(int fd, const char *file, int err)
{
	if (!err && fsync(fd))
		err = hft_fail(errno, "synchronising %s", file);
	close(fd);
	return err;
}

static int open_file(int chunk_fd, const char *file, int flags)
{
	int fd = openat(chunk_fd, file, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? hft_fail(errno, "opening %s to write it again", file) : fd;
}

int hft_log_again_begin(struct hft_log_again *again, int chunk_fd, const char *file)
{
	again->source.fd = open_file(chunk_fd, file, O_RDWR);
	return again->source.fd < 0 ? again->source.fd : 0;
}

int hft_log_again_packet(struct hft_log_again *again, uint64_t offset, uint64_t bytes,
			 const uint8_t hash[HFT_LOG_HASH_BYTES])
{
	uint8_t now[HFT_LOG_HASH_BYTES];
	int err = make_room(again, bytes);
	int64_t got;

	if (err)
		return err;
	got = hft_log_source_read(&again->source, offset, again->buffer, bytes);
	if (got < 0)
		return hft_fail((int)-got, "reading a packet to write it again");
	err = hft_log_packet_hash(&again->digest, again->buffer, bytes, now);
	if (err)
		return err;
	if ((uint64_t)got != bytes || memcmp(now, hash, sizeof(now)))
		return hft_fail(EBADMSG, "a packet is not what was written");
	return write_at(again->source.fd, again->buffer, bytes, offset);
}

int hft_log_again_end(struct hft_log_again *again, const char *file, int err)
{
	err = sync_and_close(again->source.fd, file, err);
	again->source.fd = -1;
	return err;
}

int hft_log_again_text(int chunk_fd, const char *file, const char *text, size_t bytes)
{
	int fd = open_file(chunk_fd, file, O_WRONLY);

	return fd < 0 ? fd : sync_and_close(fd, file, write_at(fd, text, bytes, 0));
}
