/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a log is kept: how its chunks are written, when they are on the disk for certain,
 * how long they stay, and what happens when the disk is full, slow or broken.
 *
 * What the disk does not take waits in memory and then in the rings, and is written when
 * there is room again; a record is not lost by the store.
 */
#ifndef HFT_LOG_STORE_H
#define HFT_LOG_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <hft/log_format.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When the packets of a stream are made certain to survive a loss of power. */
enum hft_log_sync {
	HFT_LOG_SYNC_DEFAULT,	/* audit streams: each packet; others: at an interval */
	HFT_LOG_SYNC_NONE,	/* with the end of the chunk */
	HFT_LOG_SYNC_INTERVAL,
	HFT_LOG_SYNC_PACKET,	/* each as soon as it is written */
};

/* How packets are written. */
enum hft_log_store_flags {
	HFT_LOG_STORE_BUFFERED = 1 << 0,	/* by the page cache, not past it */
	HFT_LOG_STORE_NO_URING = 1 << 1,	/* by pwrite(2): the drainer waits for the disk */
	HFT_LOG_STORE_NO_PACK = 1 << 2,		/* closed chunks are not compressed */
	HFT_LOG_STORE_PACK_ALL = 1 << 3,	/* all are when the log is closed, which waits */
};

/**
 * enum hft_log_store_event - what the store tells of
 * @HFT_LOG_STORE_TROUBLE: the disk does not take what is written; @err says why, ETIMEDOUT:
 *	it is slow, see &hft_log_store_opts.slow_ns
 * @HFT_LOG_STORE_WELL: it does again
 * @HFT_LOG_STORE_GONE: files of a chunk that is written were removed; the next goes on
 * @HFT_LOG_STORE_UNSEALED: a chunk could not be sealed
 * @HFT_LOG_STORE_UNPACKED: a chunk could not be compressed and stays as it is
 * @HFT_LOG_STORE_KEPT: a chunk that was to be removed could not be
 * @HFT_LOG_STORE_RING: a ring that a process has left can not be read to its end: see
 *	hft_log_recover()
 * @HFT_LOG_STORE_LOST: a sync failed, and what it was of can not be read any more to be
 *	written again
 * @HFT_LOG_STORE_CPUS: threads of the log have no CPU but those that are isolated, or that
 *	threads of the program are bound to: see &hft_log_opts.cpus
 * @HFT_LOG_STORE_CONTROL: the log's control file was damaged or removed, and is restored; or it
 *	can not be, and @err says why: then the rings are not found if the process is killed
 * @HFT_LOG_STORE_EVENTS: how many there are
 */
enum hft_log_store_event {
	HFT_LOG_STORE_TROUBLE,
	HFT_LOG_STORE_WELL,
	HFT_LOG_STORE_GONE,
	HFT_LOG_STORE_UNSEALED,
	HFT_LOG_STORE_UNPACKED,
	HFT_LOG_STORE_KEPT,
	HFT_LOG_STORE_RING,
	HFT_LOG_STORE_LOST,
	HFT_LOG_STORE_CPUS,
	HFT_LOG_STORE_CONTROL,
	HFT_LOG_STORE_EVENTS
};

/**
 * typedef hft_log_store_fn - hears what happens to a store
 * @arg: as given
 * @event: what
 * @err: why: an errno, or 0
 * @text: the same for people
 *
 * Called by the threads of the store, by several at once: it does not call the log, and
 * returns soon.  If it ends the program, by exit(), the log is not closed: see
 * hft_log_recover().
 */
typedef void (*hft_log_store_fn)(void *arg, enum hft_log_store_event event, int err,
				 const char *text);

/**
 * struct hft_log_store_opts - how a log is kept; zero is the default of each
 * @sz: of the struct
 * @flags: &enum hft_log_store_flags
 * @sync: &enum hft_log_sync, of the streams that may lose records
 * @audit_sync: the same, of those that may not
 * @packet_bytes: of a packet at most; a multiple of %HFT_LOG_PACKET_ALIGN; default 1 MiB.  One
 *	has a quarter of what its ring has, as that gives up room by whole packets
 * @buffers: packets in memory; default 32, the least is 4
 * @flush_ns: a record is in a file after so long at the latest; default 20 ms
 * @sync_ns: interval of %HFT_LOG_SYNC_INTERVAL; default 1 s
 * @chunk_bytes: a chunk of this size is closed; default 1 GiB
 * @chunk_ns: a chunk of this age is closed; default 1 h
 * @keep_bytes: the oldest chunks are removed when all have more; 0: no limit
 * @keep_ns: chunks that were closed longer ago are removed; 0: no limit
 * @keep_chunks: the oldest are removed when there are more; 0: no limit
 * @audit_keep_ns: chunks with audit records are not removed before; 0: as the others
 * @pack_level: of zstd, 1 to 19; default 3
 * @eventfd: is written to with each event; 0: none
 * @notify: hears of each event; NULL: it is a line on standard error, up to four in a second,
 *	unless there is @eventfd
 * @notify_arg: for @notify
 * @key_file: an Ed25519 key in PEM, which signs the seals; NULL: nobody does, and a log whose
 *	seals are signed is not gone on with: -EKEYREJECTED
 * @slow_ns: a write that is not done after so long is told of; default 1 s
 */
struct hft_log_store_opts {
	size_t sz;
	uint32_t flags;
	uint32_t sync;
	uint32_t audit_sync;
	uint32_t packet_bytes;
	uint32_t buffers;
	uint32_t keep_chunks;
	uint64_t flush_ns;
	uint64_t sync_ns;
	uint64_t chunk_bytes;
	uint64_t chunk_ns;
	uint64_t keep_bytes;
	uint64_t keep_ns;
	uint64_t audit_keep_ns;
	uint32_t pack_level;
	int32_t eventfd;
	hft_log_store_fn notify;
	void *notify_arg;
	const char *key_file;
	uint64_t slow_ns;
};

/**
 * struct hft_log_trouble - what the disk of a log does not do
 * @err: what it answers now: an errno, ETIMEDOUT: it is slow, or 0
 * @reserved: 0
 * @since: when this began, or the last one that is over: CLOCK_REALTIME, ns; 0: there was none
 * @until: when that was over; 0: it is not
 * @times: how often something has begun
 * @errors: writes that failed
 * @waiting_bytes: of packets that wait for the disk
 * @text: what it was, for people
 */
struct hft_log_trouble {
	int32_t err;
	uint32_t reserved;
	uint64_t since;
	uint64_t until;
	uint64_t times;
	uint64_t errors;
	uint64_t waiting_bytes;
	char text[136];
};

/**
 * struct hft_log_store_state - how a store is doing
 * @sz: of the struct
 * @err: what the disk answers now: an errno, or 0
 * @direct: past the page cache: by O_DIRECT
 * @uring: by io_uring
 * @chunk: number of the open chunk; 0: there is none yet
 * @chunks: closed by this store
 * @packets: written
 * @records: written
 * @bytes: written
 * @waiting_bytes: of packets that wait for the disk
 * @synced_packets: certain to survive a loss of power
 * @errors: writes that failed
 * @packed_bytes: of compressed streams, before
 * @packed_to_bytes: after
 * @removed_chunks: by the limits
 */
struct hft_log_store_state {
	size_t sz;
	int32_t err;
	uint32_t direct;
	uint32_t uring;
	uint32_t chunk;
	uint64_t chunks;
	uint64_t packets;
	uint64_t records;
	uint64_t bytes;
	uint64_t waiting_bytes;
	uint64_t synced_packets;
	uint64_t errors;
	uint64_t packed_bytes;
	uint64_t packed_to_bytes;
	uint64_t removed_chunks;
};

/* Does a Bloom filter of the index have this one?  No is certain, yes is likely. */
int hft_log_bloom_task(const uint64_t *filter, uint64_t task);
int hft_log_bloom_symbol(const uint64_t *filter, const char *symbol, size_t bytes);

struct hft_log_packed;

int hft_log_packed_open(struct hft_log_packed **packed, int fd);
int64_t hft_log_packed_read(struct hft_log_packed *packed, uint64_t offset, void *to,
			    size_t bytes);
uint64_t hft_log_packed_size(const struct hft_log_packed *packed);
void hft_log_packed_close(struct hft_log_packed *packed);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_STORE_H */
