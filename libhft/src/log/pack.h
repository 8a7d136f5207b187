/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A compressed stream, stream-N.zst: a zstd frame for each packet, then a skippable frame
 * that says how long they are:
 *
 *	zstd frame	struct hft_log_pack_head, then the packet, as it is or in planes; it has
 *			zstd's checksum
 *	...
 *	u32		0x184d2a5e
 *	u32		bytes that follow: 8 * (frames + 1)
 *	u32[2]		of each frame: its bytes, those of its packet
 *	u32[2]		frames, %HFT_LOG_PACK_MAGIC
 *
 * In planes: the packet's head and seal, then, of all records in their order, the low
 * bytes of their ids, the high bytes, and so on for each byte of ids, words, sequences
 * (less the one before and 1) and stamps (less the one before).  Then, of the records of
 * each call site in the order of its first, the first word of each behind the head: a byte,
 * enum hft_log_pack_word, and eight planes; then the second words of those that have one.
 * Fields of one kind stand together so, and their equal bytes, which zstd looks for.
 */
#ifndef HFT_LOG_PACK_H
#define HFT_LOG_PACK_H

#include <stddef.h>
#include <stdint.h>

#define HFT_LOG_PACK_MAGIC	0x6b617068u
#define HFT_LOG_PACK_TABLE	0x184d2a5eu
#define HFT_LOG_PACKET_MOST	(64u << 20)

enum hft_log_pack_kind { HFT_LOG_PACK_PLAIN, HFT_LOG_PACK_PLANES };
enum hft_log_pack_word { HFT_LOG_PACK_WORDS, HFT_LOG_PACK_DIFFERENCES };

struct hft_log_pack_head {
	uint32_t kind;
	uint32_t bytes;
	uint32_t records;
	uint32_t reserved;
};

struct hft_log_planes;		/* memory to work in, for one thread at a time */

int hft_log_planes_open(struct hft_log_planes **planes);
void hft_log_planes_close(struct hft_log_planes *planes);

/* Room for a packet of @bytes, however it is packed */
size_t hft_log_planes_room(size_t bytes);

/* Returns the bytes put to @to, which has hft_log_planes_room(), or -ENOMEM. */
int64_t hft_log_planes_put(struct hft_log_planes *planes, const void *packet, size_t bytes,
			   uint8_t *to);

/* Returns 0, -EBADMSG: @from is no packet of @bytes, or -ENOMEM. */
int hft_log_planes_get(struct hft_log_planes *planes, const uint8_t *from, size_t from_bytes,
		       void *packet, size_t bytes);

/*
 * Compress a stream's file to the file that is open as @to.  @stop: looked at before each
 * packet.  Answers the bytes of both.  Returns 0, -EINTR: stopped, -EBADMSG: it is no
 * stream, or what the file system says.
 */
int hft_log_pack_file(int from, int to, int level, const _Atomic(_Bool) *stop,
		      uint64_t *bytes, uint64_t *packed);

struct hft_log_packed;

/*
 * As hft_log_packed_open(), of a file whose table is damaged or cut off: what frames there are
 * from its begin on, without a word of those that are not.
 */
int hft_log_packed_salvage(struct hft_log_packed **out, int fd);

/* The same file, which is open as @fd now. */
void hft_log_packed_move(struct hft_log_packed *packed, int fd);
uint64_t hft_log_packed_next(const struct hft_log_packed *packed, uint64_t offset);

#endif /* HFT_LOG_PACK_H */
