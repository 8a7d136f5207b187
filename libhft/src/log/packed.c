// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading of compressed streams: what is in the file is not trusted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <hft/log_store.h>

#include "../api.h"
#include "../options.h"
#include "pack.h"

#define NO_FRAME	UINT32_MAX
#define FIRST_READ	(256u << 10)

/* @at: of each packet, and the end; @packed_at: of each frame, and the end */
struct hft_log_packed {
	int fd;
	uint32_t nr;
	uint64_t *at;
	uint64_t *packed_at;
	ZSTD_DCtx *zstd;
	struct hft_log_planes *planes;
	uint32_t current;		/* the packet that is in @packet */
	uint8_t *packet, *planed, *packed;
	size_t packet_room, packed_room;
};

static int read_exactly(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t got = 0;
	ssize_t more;

	while (got < bytes) {
		more = pread(fd, (uint8_t *)to + got, bytes - got, (off_t)(offset + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return hft_fail(errno, "reading a packed stream");
		if (!more)
			return hft_fail(EBADMSG, "a packed stream is cut off");
		got += (size_t)more;
	}
	return 0;
}

static int damaged(const char *what)
{
	return hft_fail(EBADMSG, "a packed stream: %s", what);
}

static int read_foot(struct hft_log_packed *packed, uint64_t *table_at)
{
	uint32_t foot[2], head[2];
	struct stat stat;
	uint64_t bytes;
	int err;

	if (fstat(packed->fd, &stat))
		return hft_fail(errno, "a packed stream");
	if (stat.st_size < 16)
		return damaged("it has no table");
	err = read_exactly(packed->fd, foot, sizeof(foot), (uint64_t)stat.st_size - 8);
	if (err)
		return err;
	bytes = 8ull * foot[0] + 16;
	if (foot[1] != HFT_LOG_PACK_MAGIC || bytes > (uint64_t)stat.st_size)
		return damaged("it has no table");
	*table_at = (uint64_t)stat.st_size - bytes;
	err = read_exactly(packed->fd, head, sizeof(head), *table_at);
	if (err)
		return err;
	if (head[0] != HFT_LOG_PACK_TABLE || head[1] != bytes - 8)
		return damaged("its table is not of its length");
	packed->nr = foot[0];
	return 0;
}

static int sum_table(struct hft_log_packed *packed, const uint32_t *table, uint64_t table_at)
{
	uint32_t i;

	for (i = 0; i < packed->nr; i++) {
		if (!table[2 * i] || table[2 * i + 1] < HFT_LOG_PACKET_ALIGN ||
		    table[2 * i + 1] > HFT_LOG_PACKET_MOST)
			return damaged("a length in its table");
		packed->packed_at[i + 1] = packed->packed_at[i] + table[2 * i];
		packed->at[i + 1] = packed->at[i] + table[2 * i + 1];
	}
	return packed->packed_at[packed->nr] == table_at ? 0 :
		damaged("its table is not of its frames");
}

static int read_table(struct hft_log_packed *packed)
{
	uint64_t table_at = 0;
	uint32_t *table;
	int err = read_foot(packed, &table_at);

	if (err)
		return err;
	table = malloc(8 * (size_t)packed->nr + 8);
	packed->at = calloc((size_t)packed->nr + 1, sizeof(*packed->at));
	packed->packed_at = calloc((size_t)packed->nr + 1, sizeof(*packed->packed_at));
	if (!table || !packed->at || !packed->packed_at)
		err = hft_fail(ENOMEM, "a packed stream");
	if (!err)
		err = read_exactly(packed->fd, table, 8 * (size_t)packed->nr, table_at + 8);
	if (!err)
		err = sum_table(packed, table, table_at);
	free(table);
	return err;
}

static int make_room(struct hft_log_packed *packed, size_t bytes, size_t frame)
{
	if (bytes > packed->packet_room) {
		free(packed->packet);
		free(packed->planed);
		packed->packet_room = 0;
		packed->packet = malloc(bytes);
		packed->planed = malloc(hft_log_planes_room(bytes));
		if (!packed->packet || !packed->planed)
			return hft_fail(ENOMEM, "a packed stream");
		packed->packet_room = bytes;
	}
	if (frame > packed->packed_room) {
		free(packed->packed);
		packed->packed_room = 0;
		packed->packed = malloc(frame);
		if (!packed->packed)
			return hft_fail(ENOMEM, "a packed stream");
		packed->packed_room = frame;
	}
	return 0;
}

/* What of the file is where packets are read to; frames are looked for in it. */
struct window {
	uint64_t at;
	size_t bytes;
};

static int move_window(struct hft_log_packed *packed, struct window *window, uint64_t at,
		       size_t bytes)
{
	int err = make_room(packed, 0, bytes);

	if (!err)
		err = read_exactly(packed->fd, packed->packed, bytes, at);
	window->at = at;
	window->bytes = bytes;
	return err;
}

/* Bytes of the frame at @at; 0: it is longer than @bytes, -EBADMSG: it is none. */
static int64_t whole_frame(const uint8_t *at, size_t bytes)
{
	uint32_t magic;
	size_t frame;

	if (bytes < sizeof(magic))
		return 0;
	memcpy(&magic, at, sizeof(magic));
	if (magic != ZSTD_MAGICNUMBER)
		return damaged("no frame");
	frame = ZSTD_findFrameCompressedSize(at, bytes);
	if (!ZSTD_isError(frame))
		return (int64_t)frame;
	return ZSTD_getErrorCode(frame) == ZSTD_error_srcSize_wrong ? 0 : damaged("no whole frame");
}

/* Bytes of the frame at @at, which is in the window then; -EBADMSG: there is no whole one. */
static int64_t frame_bytes(struct hft_log_packed *packed, struct window *window, uint64_t at,
			   uint64_t size)
{
	const size_t most = ZSTD_compressBound(hft_log_planes_room(HFT_LOG_PACKET_MOST));
	size_t room = FIRST_READ, skipped;
	int64_t bytes;
	int err;

	for (;; room *= 2) {
		skipped = (size_t)(at - window->at);
		bytes = 0;
		if (skipped < window->bytes)
			bytes = whole_frame(packed->packed + skipped, window->bytes - skipped);
		if (bytes)
			return bytes;
		if (window->at + window->bytes == size || (!skipped && window->bytes > most))
			return damaged("no whole frame");
		if (room > size - at)
			room = (size_t)(size - at);
		err = move_window(packed, window, at, room);
		if (err)
			return err;
	}
}

/* Of the packet in a frame, as its first bytes say; what is damaged has one, too. */
static uint32_t frame_packet(struct hft_log_packed *packed, const uint8_t *at, size_t frame)
{
	struct hft_log_pack_head head = { .bytes = 0 };
	ZSTD_inBuffer in = { at, frame, 0 };
	ZSTD_outBuffer out = { &head, sizeof(head), 0 };
	size_t before = frame + 1, ret = 1;

	ZSTD_DCtx_reset(packed->zstd, ZSTD_reset_session_only);
	while (ret && !ZSTD_isError(ret) && out.pos < out.size && in.pos != before) {
		before = in.pos;
		ret = ZSTD_decompressStream(packed->zstd, &out, &in);
	}
	ZSTD_DCtx_reset(packed->zstd, ZSTD_reset_session_only);
	if (out.pos < out.size || head.bytes < HFT_LOG_PACKET_ALIGN ||
	    head.bytes > HFT_LOG_PACKET_MOST)
		return HFT_LOG_PACKET_ALIGN;
	return head.bytes;
}

static int add_frame(struct hft_log_packed *packed, uint32_t *room, uint64_t frame,
		     uint64_t bytes)
{
	uint64_t *at, *packed_at;

	if (packed->nr == *room) {
		*room = *room ? 2 * *room : 64;
		at = reallocarray(packed->at, *room + 1u, sizeof(*at));
		packed->at = at ? at : packed->at;
		packed_at = reallocarray(packed->packed_at, *room + 1u, sizeof(*packed_at));
		packed->packed_at = packed_at ? packed_at : packed->packed_at;
		if (!at || !packed_at)
			return hft_fail(ENOMEM, "a packed stream");
		if (!packed->nr)
			at[0] = packed_at[0] = 0;
	}
	packed->at[packed->nr + 1] = packed->at[packed->nr] + bytes;
	packed->packed_at[packed->nr + 1] = packed->packed_at[packed->nr] + frame;
	packed->nr++;
	return 0;
}

/* The table as the frames have it that stand one behind the other from the file's begin on */
static int find_frames(struct hft_log_packed *packed)
{
	struct window window = { 0 };
	struct stat stat;
	int64_t frame = 0;
	uint32_t room = 0;
	uint64_t at = 0;
	int err = 0;

	if (fstat(packed->fd, &stat))
		return hft_fail(errno, "a packed stream");
	for (; !err && packed->nr < UINT32_MAX / 2; at += (uint64_t)frame) {
		frame = frame_bytes(packed, &window, at, (uint64_t)stat.st_size);
		if (frame <= 0)
			break;
		err = add_frame(packed, &room, (uint64_t)frame,
				frame_packet(packed, packed->packed + (at - window.at),
					     (size_t)frame));
	}
	if (!err && frame < 0 && (frame != -EBADMSG || !packed->nr))
		err = (int)frame;
	return err;
}

static int open_packed(struct hft_log_packed **out, int fd,
		       int (*read)(struct hft_log_packed *packed))
{
	struct hft_log_packed *packed = calloc(1, sizeof(*packed));
	int err;

	if (!packed)
		return hft_fail(ENOMEM, "a packed stream");
	packed->fd = fd;
	packed->current = NO_FRAME;
	packed->zstd = ZSTD_createDCtx();
	err = packed->zstd ? hft_log_planes_open(&packed->planes) :
		hft_fail(ENOMEM, "a packed stream");
	if (!err)
		err = read(packed);
	if (err) {
		hft_log_packed_close(packed);
		return err;
	}
	*out = packed;
	return 0;
}

/**
 * hft_log_packed_open() - read a compressed stream of a log
 * @out: answered
 * @fd: of a file stream-N.zst; it stays the caller's and open meanwhile
 *
 * Any thread.
 *
 * Return: 0; -EBADMSG: it is none, or damaged; -ENOMEM; or what the file system says.
 */
HFT_API int hft_log_packed_open(struct hft_log_packed **out, int fd)
{
	return open_packed(out, fd, read_table);
}

int hft_log_packed_salvage(struct hft_log_packed **out, int fd)
{
	return open_packed(out, fd, find_frames);
}

void hft_log_packed_move(struct hft_log_packed *packed, int fd)
{
	packed->fd = fd;
}

/**
 * hft_log_packed_close() - end reading
 * @packed: of hft_log_packed_open(), or NULL
 *
 * Any thread, which is the only one to use @packed.
 */
HFT_API void hft_log_packed_close(struct hft_log_packed *packed)
{
	if (!packed)
		return;
	ZSTD_freeDCtx(packed->zstd);
	hft_log_planes_close(packed->planes);
	free(packed->at);
	free(packed->packed_at);
	free(packed->packet);
	free(packed->planed);
	free(packed->packed);
	free(packed);
}

/**
 * hft_log_packed_size() - how long the stream is uncompressed
 * @packed: of hft_log_packed_open()
 *
 * Any thread; does not block or enter the kernel.
 *
 * Return: bytes.
 */
HFT_API uint64_t hft_log_packed_size(const struct hft_log_packed *packed)
{
	return packed->at[packed->nr];
}

/* A packet, whole, to where the next read finds it */
static int unpack(struct hft_log_packed *packed, uint32_t n)
{
	size_t bytes = (size_t)(packed->at[n + 1] - packed->at[n]);
	size_t frame = (size_t)(packed->packed_at[n + 1] - packed->packed_at[n]), planed;
	int err;

	if (packed->current == n)
		return 0;
	packed->current = NO_FRAME;
	if (frame > ZSTD_compressBound(hft_log_planes_room(bytes)))
		return damaged("a frame is too long");
	err = make_room(packed, bytes, frame);
	if (!err)
		err = read_exactly(packed->fd, packed->packed, frame, packed->packed_at[n]);
	if (err)
		return err;
	planed = ZSTD_decompressDCtx(packed->zstd, packed->planed, hft_log_planes_room(bytes),
				     packed->packed, frame);
	if (ZSTD_isError(planed))
		return damaged(ZSTD_getErrorName(planed));
	err = hft_log_planes_get(packed->planes, packed->planed, planed, packed->packet, bytes);
	if (!err)
		packed->current = n;
	return err;
}

static uint32_t find(const struct hft_log_packed *packed, uint64_t offset)
{
	uint32_t low = 0, high = packed->nr, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (packed->at[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Where the packet behind the one at @offset begins, or the end */
uint64_t hft_log_packed_next(const struct hft_log_packed *packed, uint64_t offset)
{
	return packed->nr ? packed->at[find(packed, offset) + 1] : 0;
}

/**
 * hft_log_packed_read() - read of what a compressed stream was
 * @packed: of hft_log_packed_open()
 * @offset: in the uncompressed stream, bytes
 * @to: where to
 * @bytes: at most
 *
 * It is cheap within a packet and from one to the next.
 *
 * One thread at a time for each @packed.
 *
 * Return: how many bytes were read, which are less only at the end; -EBADMSG: the file is
 * damaged; -ENOMEM; or what the file system says.
 */
HFT_API int64_t hft_log_packed_read(struct hft_log_packed *packed, uint64_t offset, void *to,
				    size_t bytes)
{
	size_t got = 0, part;
	uint64_t here;
	uint32_t n;
	int err;

	while (got < bytes && offset + got < hft_log_packed_size(packed)) {
		n = find(packed, offset + got);
		err = unpack(packed, n);
		if (err)
			return err;
		here = offset + got - packed->at[n];
		part = (size_t)(packed->at[n + 1] - packed->at[n] - here);
		part = part < bytes - got ? part : bytes - got;
		memcpy((uint8_t *)to + got, packed->packet + here, part);
		got += part;
	}
	return (int64_t)got;
}
