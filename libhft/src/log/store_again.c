// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a chunk has, written once more after a sync of it failed.  The kernel tells an error of
 * writing once, and takes the pages for clean then: the next sync succeeds and means nothing.
 * So what the file has now is read, compared with its hash, as it may be what was there before,
 * and written, which makes the pages dirty.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "store_internal.h"
#include "verify.h"

struct again {
	struct hft_log_source source;
	struct hft_log_digest digest;
	uint8_t *buffer;
	size_t room;
	bool lost;
};

static int write_at(int fd, const uint8_t *from, size_t bytes, uint64_t offset)
{
	ssize_t done;

	while (bytes) {
		done = pwrite(fd, from, bytes, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return hft_fail(done ? errno : EIO, "writing a packet again");
		from += done;
		bytes -= (size_t)done;
		offset += (size_t)done;
	}
	return 0;
}

static int make_room(struct again *again, size_t bytes)
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

static int packet_again(struct again *again, const struct hft_log_index *index,
			const uint8_t hash[HFT_LOG_HASH_BYTES])
{
	uint8_t now[HFT_LOG_HASH_BYTES];
	int err = make_room(again, index->bytes);
	int64_t got;

	if (err)
		return err;
	got = hft_log_source_read(&again->source, index->offset, again->buffer, index->bytes);
	if (got < 0)
		return hft_fail((int)-got, "reading a packet to write it again");
	err = hft_log_packet_hash(&again->digest, again->buffer, index->bytes, now);
	if (err)
		return err;
	if ((uint64_t)got == index->bytes && !memcmp(now, hash, sizeof(now)))
		return write_at(again->source.fd, again->buffer, index->bytes, index->offset);
	again->lost = true;
	return 0;
}

/* The index has the packets of a stream in their order. */
static int packets_again(struct again *again, const struct log_file *file,
			 const struct log_text *text)
{
	const struct hft_log_index *index = (const void *)text->at;
	size_t nr = text->bytes / sizeof(*index), i;
	uint64_t packet = 0;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		if (index[i].stream != file->stream->is.id)
			continue;
		if (packet >= file->synced)
			err = packet_again(again, &index[i], file->chain.hashes[packet]);
		packet++;
	}
	return err;
}

static int sync_fd(int fd, const char *name)
{
	return fsync(fd) ? hft_fail(errno, "synchronising %s", name) : 0;
}

/* By a descriptor of its own: this one reads, too, and is not O_DIRECT. */
static int file_again(struct again *again, const struct log_chunk *chunk,
		      const struct log_file *file)
{
	int err;

	again->source.fd = openat(chunk->fd, file->name, O_RDWR | O_CLOEXEC);
	if (again->source.fd < 0)
		return hft_fail(errno, "opening %s to write it again", file->name);
	err = packets_again(again, file, &chunk->texts[LOG_INDEX]);
	if (!err)
		err = sync_fd(again->source.fd, file->name);
	close(again->source.fd);
	return err;
}

static int texts_again(struct log_chunk *chunk)
{
	int i, err;

	for (i = 0; i < LOG_TEXTS; i++)
		chunk->texts[i].written = 0;
	err = hft_store_chunk_write_texts(chunk);
	for (i = 0; i < LOG_TEXTS && !err; i++)
		err = sync_fd(chunk->texts[i].fd, "a log's metadata");
	return err;
}

/*
 * Of a chunk that is closed and all written.  Returns 0: all of it is on the disk; -EBADMSG:
 * all but packets that can not be read any more as they were; or an error: not yet.
 */
int hft_store_chunk_again(struct log_chunk *chunk)
{
	struct again again = {};
	struct log_file *file;
	int err = hft_log_digest_open(&again.digest);

	if (err)
		return err;
	for (file = chunk->files; file && !err; file = file->next)
		err = file_again(&again, chunk, file);
	if (!err)
		err = texts_again(chunk);
	hft_log_digest_close(&again.digest);
	free(again.buffer);
	if (!err && again.lost)
		err = hft_fail(EBADMSG, "packets are not what was written");
	return err;
}
