// SPDX-License-Identifier: LGPL-2.1-or-later
/* A stream's file is compressed, packet by packet, and each is looked at whether it is the same. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include <hft/log_format.h>

#include "../options.h"
#include "../write_all.h"
#include "pack.h"

struct pack {
	int from;
	int to;
	ZSTD_CCtx *zstd;
	struct hft_log_planes *planes;
	uint8_t *packet, *again, *planed, *packed;
	size_t room;			/* of @packet */
	uint64_t bytes;			/* read */
	uint64_t written;
	uint32_t *table;
	uint32_t nr;
	uint32_t table_room;
};

static void free_buffers(struct pack *pack)
{
	free(pack->packet);
	free(pack->again);
	free(pack->planed);
	free(pack->packed);
	pack->packet = NULL;
	pack->again = NULL;
	pack->planed = NULL;
	pack->packed = NULL;
	pack->room = 0;
}

static int make_room(struct pack *pack, size_t bytes)
{
	if (bytes <= pack->room)
		return 0;
	free_buffers(pack);
	pack->packet = malloc(bytes);
	pack->again = malloc(bytes);
	pack->planed = malloc(hft_log_planes_room(bytes));
	pack->packed = malloc(ZSTD_compressBound(hft_log_planes_room(bytes)));
	if (!pack->packet || !pack->again || !pack->planed || !pack->packed)
		return hft_fail(ENOMEM, "packing a log");
	pack->room = bytes;
	return 0;
}

/* Returns how much there was. */
static ssize_t read_all(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t got = 0;
	ssize_t more;

	while (got < bytes) {
		more = pread(fd, (uint8_t *)to + got, bytes - got, (off_t)(offset + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return hft_fail(errno, "reading a stream");
		if (!more)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

static int write_all(struct pack *pack, const void *from, size_t bytes)
{
	int err = hft_write_all(pack->to, from, bytes);

	if (err)
		return hft_fail(-err, "writing a packed stream");
	pack->written += bytes;
	return 0;
}

/* Returns its bytes; 0: that was the last; or an error. */
static int64_t read_packet(struct pack *pack)
{
	struct hft_log_packet head;
	ssize_t got = read_all(pack->from, &head, sizeof(head), pack->bytes);
	uint64_t bytes;
	int err;

	if (got <= 0)
		return got;
	bytes = head.packet_bits / 8;
	if (got < (ssize_t)sizeof(head) || head.magic != HFT_LOG_PACKET_MAGIC ||
	    bytes > HFT_LOG_PACKET_MOST || bytes < HFT_LOG_PACKET_ALIGN ||
	    bytes % HFT_LOG_PACKET_ALIGN)
		return hft_fail(EBADMSG, "no packet at %llu", (unsigned long long)pack->bytes);
	err = make_room(pack, bytes);
	if (err)
		return err;
	got = read_all(pack->from, pack->packet, bytes, pack->bytes);
	if (got < 0)
		return got;
	if ((uint64_t)got < bytes)
		return hft_fail(EBADMSG, "a torn packet at %llu", (unsigned long long)pack->bytes);
	return (int64_t)bytes;
}

static int add_entry(struct pack *pack, uint32_t packed, uint32_t bytes)
{
	uint32_t room = pack->table_room ? 2 * pack->table_room : 256;
	uint32_t *more;

	if (pack->nr == pack->table_room) {
		more = realloc(pack->table, 2 * room * sizeof(*more));
		if (!more)
			return hft_fail(ENOMEM, "packing a log");
		pack->table = more;
		pack->table_room = room;
	}
	pack->table[2 * pack->nr] = packed;
	pack->table[2 * pack->nr + 1] = bytes;
	pack->nr++;
	return 0;
}

static int pack_packet(struct pack *pack, size_t bytes)
{
	int64_t planed = hft_log_planes_put(pack->planes, pack->packet, bytes, pack->planed);
	size_t packed;
	int err;

	if (planed < 0)
		return (int)planed;
	err = hft_log_planes_get(pack->planes, pack->planed, (size_t)planed, pack->again, bytes);
	if (err || memcmp(pack->packet, pack->again, bytes))
		return hft_fail(EILSEQ, "a packet is not the same when it was packed");
	packed = ZSTD_compress2(pack->zstd, pack->packed,
				ZSTD_compressBound(hft_log_planes_room(pack->room)),
				pack->planed, (size_t)planed);
	if (ZSTD_isError(packed))
		return hft_fail(EIO, "zstd: %s", ZSTD_getErrorName(packed));
	err = write_all(pack, pack->packed, packed);
	return err ? err : add_entry(pack, (uint32_t)packed, (uint32_t)bytes);
}

static int write_table(struct pack *pack)
{
	const uint32_t head[2] = { HFT_LOG_PACK_TABLE, 8 * (pack->nr + 1) };
	const uint32_t foot[2] = { pack->nr, HFT_LOG_PACK_MAGIC };
	int err = write_all(pack, head, sizeof(head));

	if (!err)
		err = write_all(pack, pack->table, 8 * (size_t)pack->nr);
	return err ? err : write_all(pack, foot, sizeof(foot));
}

static int pack_all(struct pack *pack, const _Atomic(bool) *stop)
{
	int64_t bytes;
	int err = 0;

	while ((bytes = read_packet(pack)) > 0 && !err) {
		if (*stop)
			return hft_fail(EINTR, "packing a log");
		err = pack_packet(pack, (size_t)bytes);
		pack->bytes += (uint64_t)bytes;
	}
	if (bytes < 0)
		return (int)bytes;
	return err ? err : write_table(pack);
}

int hft_log_pack_file(int from, int to, int level, const _Atomic(bool) *stop,
		      uint64_t *bytes, uint64_t *packed)
{
	struct pack pack = { .from = from, .to = to };
	int err = hft_log_planes_open(&pack.planes);

	pack.zstd = ZSTD_createCCtx();
	if (!err && !pack.zstd)
		err = hft_fail(ENOMEM, "packing a log");
	if (!err && (ZSTD_isError(ZSTD_CCtx_setParameter(pack.zstd, ZSTD_c_compressionLevel,
							 level)) ||
		     ZSTD_isError(ZSTD_CCtx_setParameter(pack.zstd, ZSTD_c_checksumFlag, 1))))
		err = hft_fail(EINVAL, "zstd level %d", level);
	if (!err)
		err = pack_all(&pack, stop);
	ZSTD_freeCCtx(pack.zstd);
	hft_log_planes_close(pack.planes);
	free_buffers(&pack);
	free(pack.table);
	*bytes = pack.bytes;
	*packed = pack.written;
	return err;
}
