/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store: takes whole records of streams, writes packets of them to chunks.
 *
 * One thread at a time calls it, the drainer: nothing here is locked but
 * hft_log_store_state().  Nothing waits for the disk but hft_log_store_flush() and
 * hft_log_store_close(), and, without io_uring, hft_log_store_append().
 *
 * What is taken is in this process's memory until hft_log_store_written() says that it is
 * in a file: a ring keeps it until then, and so it survives the process.
 */
#ifndef HFT_LOG_STORE_INTERNAL_H
#define HFT_LOG_STORE_INTERNAL_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hft/log_store.h>

struct hft_log_store;

/* store_thread.c: the calling thread is the drainer, or one of the store's: it waits for none */
extern __thread bool hft_store_is_thread;

/**
 * struct hft_log_store_clock - what stamps are of
 * @name: "tsc" or "monotonic"
 * @freq: Hz
 * @offset_s: seconds since 1970 when the stamp was 0, UTC; see CTF, clock
 * @offset: to that: cycles, less than @freq
 * @monotonic_at_0: CLOCK_MONOTONIC, ns, when the stamp was 0
 */
struct hft_log_store_clock {
	char name[16];
	uint64_t freq;
	int64_t offset_s;
	uint64_t offset;
	int64_t monotonic_at_0;
};

/**
 * struct hft_log_store_origin - whose log it is
 * @uuid: of the log
 * @pid: of the process whose records they are
 * @host: its machine; NULL: this one
 * @program: its name; NULL: of this one
 * @boot: of which boot of the machine its stamps are; "": of none, they are no machine's
 * @clock: at the beginning
 */
struct hft_log_store_origin {
	uint8_t uuid[16];
	uint32_t pid;
	const char *host;
	const char *program;
	char boot[40];
	struct hft_log_store_clock clock;
};

/**
 * struct hft_log_store_source - the stream of another log that a stream has the records of
 * @uuid: of that log, in hex
 * @host: its machine
 * @program: whose records they are
 * @pid: of its process
 * @stream: its number in that log
 */
struct hft_log_store_source {
	const char *uuid;
	const char *host;
	const char *program;
	uint32_t pid;
	uint64_t stream;
};

/**
 * struct hft_log_store_stream - a ring
 * @id: its number; a file is named by it
 * @tid: of its thread; 0: of none
 * @cpu: that it is bound to; -1: none
 * @thread: its name
 * @policy: for people and readers: see log_policy_name()
 * @audit: no record of it may be lost: it is synchronised and kept as one of these
 * @ring_bytes: that it gives its room back to, by whole packets; 0: there is none
 * @sync: &enum hft_log_sync; 0: the store's for its kind
 * @source: where its records are from; NULL: they are this log's
 */
struct hft_log_store_stream {
	uint64_t id;
	uint32_t tid;
	int32_t cpu;
	const char *thread;
	const char *policy;
	bool audit;
	uint64_t ring_bytes;
	uint32_t sync;
	const struct hft_log_store_source *source;
};

/*
 * level.c: what a ring that is full does: "audit", whatever the policy, or that of a plain ring:
 * "drop", "overwrite" or "block"; "?": there is no such policy.
 */
const char *log_policy_name(uint32_t lane, uint32_t policy);

/**
 * typedef hft_log_store_begin_fn - a chunk has begun
 * @arg: as given
 * @store: that it is of
 * @chunk: its number
 * @clock: that its stamps are of
 *
 * Adds what each chunk has to have, by hft_log_store_put() alone.
 *
 * Return: whether that was taken: else it is asked again, before the chunk is closed.
 */
typedef bool (*hft_log_store_begin_fn)(void *arg, struct hft_log_store *store, uint32_t chunk,
				       const struct hft_log_store_clock *clock);

struct hft_log_store_field {
	const char *name;
	enum hft_log_type type;
};

/**
 * struct hft_log_store_site - a call site; it is copied
 * @id: in its records
 * @level: &enum hft_log_level: 0, error, to 5, trace
 * @line: in @file
 * @nr_fields: how many
 * @name: of a typed event, or NULL
 * @subsystem: of the program
 * @format: as of printf(), or NULL
 * @file: of the source
 * @fields: arguments in their order
 * @lane: &enum hft_log_lane; 0 where it is not known
 */
struct hft_log_store_site {
	uint16_t id;
	uint8_t level;
	uint32_t line;
	uint32_t nr_fields;
	const char *name;
	const char *subsystem;
	const char *format;
	const char *file;
	const struct hft_log_store_field *fields;
	uint8_t lane;
};

/**
 * hft_log_store_open() - begin to write to the folder of a log
 * @store: answered
 * @dir: the folder; it is made if there is none, and has one writer at a time
 * @origin: what the log is of
 * @opts: as the user gave them, or NULL
 *
 * Goes on behind the chunks that are there.  Those of a writer that died without sealing
 * them are repaired and sealed as such first.  Threads of the store run on the CPUs of the
 * caller.
 *
 * Return: 0; -EBUSY: another process writes there; -EINVAL, -E2BIG: bad options; -ENOMEM;
 * or what the file system says.
 */
int hft_log_store_open(struct hft_log_store **store, const char *dir,
		       const struct hft_log_store_origin *origin,
		       const struct hft_log_store_opts *opts);

/* Is it described so that hft_log_store_site_add() takes it?  0 or -EINVAL. */
int hft_store_site_check(const struct hft_log_store_site *site);

/* Return: 0, -EEXIST, -EINVAL or -ENOMEM. */
int hft_log_store_site_add(struct hft_log_store *store, const struct hft_log_store_site *site);
int hft_log_store_stream_add(struct hft_log_store *store,
			     const struct hft_log_store_stream *stream);

/**
 * hft_log_store_append() - take records of a stream
 * @store: where
 * @id: of the stream
 * @records: whole ones, which it reads once and copies
 * @bytes: of them
 * @lost: records of the stream that were lost up to the last of these, in all
 *
 * Return: how many bytes of whole records it took: less than @bytes when its buffers are
 * full.  None was taken: -EAGAIN: not yet, the disk is slow; -ENOSPC, -EIO and others: the
 * disk is in trouble, and so it says until it is not; -EBADMSG: @records are no records of
 * sites that were added, -ENOENT: no such stream.
 */
int64_t hft_log_store_append(struct hft_log_store *store, uint64_t id, const void *records,
			     size_t bytes, uint64_t lost);

/* Who is asked for what each chunk has to have. */
void hft_log_store_each_chunk(struct hft_log_store *store, hft_log_store_begin_fn fn, void *arg);

/*
 * For that one: as hft_log_store_append(), but no packet is closed: 0 or -EAGAIN where there is
 * no room in one.
 */
int64_t hft_log_store_put(struct hft_log_store *store, uint64_t id, const void *records,
			  size_t bytes);

/* On those CPUs the store's threads run. */
void hft_log_store_run_on(struct hft_log_store *store, const cpu_set_t *cpus);

/* Bytes of records that a packet has room for: what is longer is refused. */
uint64_t hft_log_store_packet_room(const struct hft_log_store *store);

/* Bytes of records of a stream that are in files, all before them too; and on the disk. */
uint64_t hft_log_store_written(struct hft_log_store *store, uint64_t id);
uint64_t hft_log_store_synced(struct hft_log_store *store, uint64_t id);

/* The newest chunk. */
uint32_t hft_log_store_chunk(const struct hft_log_store *store);

/* Is all on the disk that was closed up to this chunk, and all of streams that were forgotten? */
bool hft_log_store_forgotten_synced(struct hft_log_store *store, uint32_t chunk);

/* No more of it comes: what it has is written soon. */
int hft_log_store_stream_end(struct hft_log_store *store, uint64_t id);

/* It has ended and is written: nothing is asked of it any more.  -EBUSY: not yet, -ENOENT. */
int hft_log_store_stream_forget(struct hft_log_store *store, uint64_t id);

/*
 * Stamps are of another clock, or of the same at another rate, from the next record on.
 * -EAGAIN: not yet.
 */
int hft_log_store_clock(struct hft_log_store *store, const struct hft_log_store_clock *clock);

/**
 * hft_log_store_poll() - do what is due: finish writes, flush, synchronise, rotate, retry
 * @store: where
 * @now: CLOCK_MONOTONIC, ns
 *
 * Return: when it wants to be called again at the latest, ns of CLOCK_MONOTONIC.
 */
uint64_t hft_log_store_poll(struct hft_log_store *store, uint64_t now);

/**
 * hft_log_store_flush() - wait until what was taken is written
 * @store: where
 * @sync: and survives a loss of power
 * @timeout_ns: at most; a disk in trouble is waited for, too
 *
 * Return: 0; -ETIMEDOUT; -ENOSPC, -EIO, ...: the disk is in trouble and the time is over;
 * with @sync -EIO at once, and for ever, when records that were written are lost.
 */
int hft_log_store_flush(struct hft_log_store *store, bool sync, uint64_t timeout_ns);

/* Any thread. */
void hft_log_store_trouble(struct hft_log_store *store, struct hft_log_trouble *trouble);

/* Any thread.  Return: 0 or -EINVAL. */
int hft_log_store_state(struct hft_log_store *store, struct hft_log_store_state *state);

/**
 * hft_log_store_close() - write all, seal the last chunk, wait for the threads
 * @store: is gone afterwards, whatever is returned
 * @timeout_ns: for a disk that takes nothing
 *
 * Return: 0, or as hft_log_store_flush() with a sync: records that it had taken and that are
 * not in files are only in the rings.
 */
int hft_log_store_close(struct hft_log_store *store, uint64_t timeout_ns);

#endif /* HFT_LOG_STORE_INTERNAL_H */
