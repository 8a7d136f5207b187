// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The packets of a file that nothing is known of: what is whole, and what lies between.
 *
 * Packets begin at multiples of HFT_LOG_PACKET_ALIGN.  Behind what is damaged, the next
 * place is looked for at which there is a packet with its own hash.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "verify.h"

#define HASH		HFT_LOG_HASH_BYTES
#define LEAST		(sizeof(struct hft_log_packet) + sizeof(struct hft_log_seal))
#define FIRST_READ	65536u

static bool hft_log_has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);

	return length > end && !strcmp(name + length - end, suffix);
}

/* @file: the name as it is in the folder.  -EBADMSG: it is compressed, and damaged. */
int hft_log_source_open(struct hft_log_source *source, int chunk_fd, const char *file)
{
	struct stat st;
	int err;

	memset(source, 0, sizeof(*source));
	source->fd = openat(chunk_fd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (source->fd < 0)
		return hft_fail(errno, "open %s", file);
	if (fstat(source->fd, &st))
		err = hft_fail(errno, "stat %s", file);
	else if (!S_ISREG(st.st_mode))
		err = hft_fail(EBADMSG, "%s is no file", file);
	else if (hft_log_has_suffix(file, ".zst"))
		err = hft_log_packed_open(&source->packed, source->fd);
	else
		err = 0;
	if (err) {
		close(source->fd);
		source->fd = -1;
		return err;
	}
	source->bytes = source->packed ? hft_log_packed_size(source->packed) :
					 (uint64_t)st.st_size;
	return 0;
}

void hft_log_source_close(struct hft_log_source *source)
{
	if (source->packed)
		hft_log_packed_close(source->packed);
	if (source->fd >= 0)
		close(source->fd);
	source->packed = NULL;
	source->fd = -1;
}

/* All of @bytes, or less at the end of the file. */
int64_t hft_log_source_read(struct hft_log_source *source, uint64_t offset, void *to,
			    size_t bytes)
{
	size_t done = 0;

	if (source->packed)
		return hft_log_packed_read(source->packed, offset, to, bytes);
	while (done < bytes) {
		ssize_t got = pread(source->fd, (uint8_t *)to + done, bytes - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (int64_t)done;
}

int hft_log_packets_open(struct hft_log_packets *packets)
{
	memset(packets, 0, sizeof(*packets));
	packets->buffer = malloc(FIRST_READ);
	packets->room = FIRST_READ;
	if (!packets->buffer)
		return hft_fail(ENOMEM, "a packet");
	return hft_log_digest_open(&packets->digest);
}

void hft_log_packets_close(struct hft_log_packets *packets)
{
	hft_log_digest_close(&packets->digest);
	free(packets->buffer);
	packets->buffer = NULL;
}

void hft_log_packets_begin(struct hft_log_packets *packets, struct hft_log_source *source,
			   uint64_t stream)
{
	packets->source = source;
	packets->stream = stream;
	packets->offset = 0;
	packets->has_next = false;
	packets->budget = 4 * source->bytes + (16ull << 20);
}

/* Bytes of the packet that may begin in the buffer; 0: none does. */
static uint64_t hft_log_head_bytes(const struct hft_log_packets *packets, uint64_t room)
{
	const struct hft_log_packet *head = (const void *)packets->buffer;
	uint64_t bytes = head->packet_bits / 8;

	if (head->magic != HFT_LOG_PACKET_MAGIC || head->stream_class ||
	    head->stream != packets->stream || head->packet_bits % (8 * HFT_LOG_PACKET_ALIGN))
		return 0;
	if (bytes < LEAST || bytes > HFT_LOG_PACKET_MOST || bytes > room)
		return 0;
	if (head->content_bits % 8 || head->content_bits < 8 * sizeof(*head) ||
	    head->content_bits / 8 > bytes - sizeof(struct hft_log_seal))
		return 0;
	return bytes;
}

static void hft_log_piece_read(struct hft_log_piece *piece, const uint8_t *packet)
{
	const struct hft_log_packet *head = (const void *)packet;
	const struct hft_log_seal *seal = (const void *)(packet + piece->bytes - sizeof(*seal));

	piece->number = head->number;
	piece->begin = head->begin;
	piece->end = head->end;
	piece->lost = head->lost;
	piece->records = seal->records;
	piece->synced = seal->synced;
	memcpy(piece->uuid, head->uuid, sizeof(piece->uuid));
	memcpy(piece->chain, seal->chain, HASH);
}

static int hft_log_packets_grow(struct hft_log_packets *packets, size_t bytes)
{
	uint8_t *buffer;

	if (bytes <= packets->room)
		return 0;
	buffer = realloc(packets->buffer, bytes);
	if (!buffer)
		return hft_fail(ENOMEM, "a packet of %zu bytes", bytes);
	packets->buffer = buffer;
	packets->room = bytes;
	return 0;
}

/* The whole packet is in the buffer: is it what its hash says?  1: it is */
static int hft_log_packets_check(struct hft_log_packets *packets, struct hft_log_piece *piece)
{
	const struct hft_log_seal *seal =
		(const void *)(packets->buffer + piece->bytes - sizeof(*seal));
	int err;

	if (seal->magic != HFT_LOG_SEAL_MAGIC || seal->reserved)
		return 0;
	err = hft_log_packet_hash(&packets->digest, packets->buffer, piece->bytes, piece->hash);
	if (err)
		return err;
	if (memcmp(piece->hash, seal->hash, HASH)) {
		packets->budget -= packets->budget < piece->bytes ? packets->budget : piece->bytes;
		return 0;
	}
	piece->is_whole = true;
	hft_log_piece_read(piece, packets->buffer);
	return 1;
}

/* Is there a packet at @offset?  1, 0 or -errno; @got: how many bytes are in the buffer */
static int hft_log_packets_at(struct hft_log_packets *packets, uint64_t offset,
			      struct hft_log_piece *piece, int64_t *got)
{
	struct hft_log_source *source = packets->source;
	int64_t more;
	int err;

	memset(piece, 0, sizeof(*piece));
	piece->offset = offset;
	*got = hft_log_source_read(source, offset, packets->buffer, HFT_LOG_PACKET_ALIGN);
	if (*got < (int64_t)LEAST)
		return 0;
	piece->bytes = hft_log_head_bytes(packets, source->bytes - offset);
	if (!piece->bytes || !packets->budget)
		return 0;
	err = hft_log_packets_grow(packets, piece->bytes);
	if (err)
		return err;
	more = hft_log_source_read(source, offset + HFT_LOG_PACKET_ALIGN,
				   packets->buffer + HFT_LOG_PACKET_ALIGN,
				   piece->bytes - HFT_LOG_PACKET_ALIGN);
	if (more != (int64_t)piece->bytes - (int64_t)HFT_LOG_PACKET_ALIGN)
		return 0;
	return hft_log_packets_check(packets, piece);
}

static bool hft_log_is_zero(const uint8_t *bytes, int64_t nr)
{
	return nr > 0 && !*bytes && !memcmp(bytes, bytes + 1, (size_t)nr - 1);
}

/*
 * Bytes up to the next packet are a piece.  The packet is remembered, for it is gone from
 * the buffer with the next call only.
 */
int hft_log_packets_next(struct hft_log_packets *packets, struct hft_log_piece *piece)
{
	uint64_t size = packets->source->bytes, from = packets->offset;
	bool is_zero = true;
	int64_t got;
	int ret;

	if (packets->has_next) {
		*piece = packets->next;
		packets->has_next = false;
		packets->offset = piece->offset + piece->bytes;
		return 1;
	}
	if (from >= size)
		return 0;
	while (packets->offset < size) {
		ret = hft_log_packets_at(packets, packets->offset, piece, &got);
		if (ret < 0)
			return ret;
		if (ret)
			break;
		/* A file that can not be read there is not zero. */
		is_zero = is_zero && hft_log_is_zero(packets->buffer, got);
		packets->offset += HFT_LOG_PACKET_ALIGN;
	}
	if (packets->offset > from) {
		packets->has_next = packets->offset < size;
		packets->next = *piece;
		memset(piece, 0, sizeof(*piece));
		piece->offset = from;
		piece->bytes = (packets->has_next ? packets->offset : size) - from;
		piece->is_zero = is_zero;
		return 1;
	}
	packets->offset += piece->bytes;
	return 1;
}
