// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading of compressed streams: what is in the file is not trusted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <hft/log_store.h>

#include "../api.h"
#include "../options.h"
#include "pack.h"

#define NO_FRAME	UINT32_MAX

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
		err = read_table(packed);
	if (err) {
		hft_log_packed_close(packed);
		return err;
	}
	*out = packed;
	return 0;
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
