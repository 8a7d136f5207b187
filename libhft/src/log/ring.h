/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rings of the log, and who reads them: the drainer of the process, or after its end
 * hft_log_recover().  See hft/log_ring.h for what happens between the two sides.
 */
#ifndef HFT_LOG_RING_INTERNAL_H
#define HFT_LOG_RING_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hft/log.h>

#define LOG_RING_LEAST		(64ull << 10)
#define LOG_RING_MOST		(1ull << 30)
#define LOG_LOST_WORDS		5u

/* A loss record, whole */
struct log_loss {
	struct hft_log_record head;
	uint64_t lost;
	uint64_t first;
	uint64_t last;
};

_Static_assert(sizeof(struct log_loss) == 8 * LOG_LOST_WORDS, "as long as it says");

/**
 * struct log_queue - a ring that is mapped
 * @next: of the same log
 * @ring: its first page
 * @bytes: of its room: what the file says is not trusted later on
 * @users: its thread and its log, where there are such
 * @name: of its file
 * @stream: number in the log
 * @policy: &enum hft_log_policy
 * @sync: &enum hft_log_sync
 * @audit: its lane
 * @ended: the store knows that nothing more comes
 * @broken: there is no record where one should be: it is not read any more
 * @position: so far it was read
 * @number: the next record has this one
 * @stamp: of the last record that was read, of a ring that overwrites
 * @lost: records that a loss record was read, or made, of
 * @gap: records that were overwritten, and of which a loss record is still to be made
 * @gap_end: stamp of the first record behind them
 * @loss: what the writer could not tell at its end
 * @telling: it was read
 * @copy: of records of a ring that overwrites
 * @copied: bytes in it
 * @given: bytes of records that the store has taken
 * @level_given: this many of them were ...
 * @level_position: ... before this position
 * @flush_to: up to this position it has to be in files
 * @flush_given: @given when the store had all of that; UINT64_MAX: it has not yet
 * @counted_lost: of what the ring says that it has lost, this is in the log's sum
 * @counted_timeouts: likewise
 */
struct log_queue {
	struct log_queue *next;
	struct hft_log_ring *ring;
	uint64_t bytes;
	atomic_uint users;
	char name[32];
	uint64_t stream;
	uint32_t policy;
	uint32_t sync;
	bool audit;
	bool ended;
	bool broken;
	uint64_t position;
	uint32_t number;
	uint64_t stamp;
	uint64_t lost;
	uint64_t gap;
	uint64_t gap_end;
	struct log_loss loss;
	bool telling;
	char *copy;
	size_t copied;
	uint64_t given;
	uint64_t level_given;
	uint64_t level_position;
	uint64_t flush_to;
	uint64_t flush_given;
	uint64_t counted_lost;
	uint64_t counted_timeouts;
};

/**
 * struct log_ring_spec - a ring that is to be made for the calling thread
 * @dir_fd: the folder of its file
 * @stream: its number in the log
 * @uuid: of the log
 * @lane: &enum hft_log_lane
 * @policy: &enum hft_log_policy
 * @bytes: of its room, a power of two
 * @sync: &enum hft_log_sync
 * @packet_bytes: of records that a packet has room for
 * @block_ns: how long calls wait
 * @tsc: stamps are of the TSC
 */
struct log_ring_spec {
	int dir_fd;
	uint64_t stream;
	const uint8_t *uuid;
	uint32_t lane;
	uint32_t policy;
	uint32_t sync;
	uint64_t bytes;
	uint64_t packet_bytes;
	uint64_t block_ns;
	bool tsc;
};

/* ring.c: errors as hft_fail() has them */
int log_queue_make(struct log_queue **queue, const struct log_ring_spec *spec);
int log_queue_map(struct log_queue **queue, int dir_fd, const char *name);
void log_queue_put(struct log_queue *queue);

/*
 * look.c: how it is now.  1; 0: it is no ring, or has gone meanwhile; or -errno.  @pid: answered;
 * of its process, NULL: not asked for
 */
int log_ring_look(int dir_fd, const char *name, struct hft_log_ring_info *info, uint32_t *pid);

/* Is the file that of a ring which nobody has got? */
bool log_ring_is_unborn(int dir_fd, const char *name);

/*
 * ring_room.c: no more calls.  After log_ring_close() one that had looked at the limit may
 * still reserve: log_ring_poison(), a barrier in all threads, and if log_ring_seal() says so,
 * none does any more.  Then, log_ring_is_quiet(): those that were under way are over.
 */
void log_ring_close(struct hft_log_ring *ring);
void log_ring_poison(struct hft_log_ring *ring);
bool log_ring_seal(struct hft_log_ring *ring);
bool log_ring_is_quiet(const struct hft_log_ring *ring);
void log_ring_finish(struct hft_log_ring *ring);

/* The same, of a process that was killed; @stamp: of its last record, 0: none is known. */
void log_ring_recover(struct hft_log_ring *ring, uint64_t stamp);

/* @nr records of this thread have no place: the next call that finds no room tells of them. */
void log_ring_refuse(struct hft_log_ring *ring, uint64_t nr);

/* The thread has ended. */
void log_ring_end(struct hft_log_ring *ring);

#define LOG_RING_SEALED		2u	/* &hft_log_ring.closed */

/* Of the next record: sealing has taken one. */
static inline uint32_t log_ring_number(const struct hft_log_ring *ring)
{
	uint64_t reserved = __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);

	return (uint32_t)(reserved >> 32) -
	       (__atomic_load_n(&ring->closed, __ATOMIC_RELAXED) == LOG_RING_SEALED);
}

/*
 * ring_read.c: whole records that were not taken yet, until the next call for this queue;
 * how many bytes.  -EBADMSG: there are no records where some should be, as only a process
 * leaves it that wrote where it should not have.
 */
int64_t log_queue_read(struct log_queue *queue, const void **records);

/* Of this stream until the end of @records, which log_queue_read() has answered. */
uint64_t log_queue_lost(const struct log_queue *queue, const void *records, size_t bytes);

/* The first @bytes of them are with the store. */
void log_queue_take(struct log_queue *queue, size_t bytes);

/* The first @bytes of all that it took are in files: room for the writer. */
void log_queue_free(struct log_queue *queue, uint64_t bytes);
bool log_queue_is_empty(const struct log_queue *queue);

/* Position of the end of what is complete. */
uint64_t log_queue_head(const struct log_queue *queue);

/* Of a process that has ended: the stamp of what is read first, if there is something. */
bool log_queue_first_stamp(const struct log_queue *queue, uint64_t *stamp);

/*
 * The same: it is read from the first record on that is not in files and was not overwritten,
 * whose number it has then, and the losses before it.  Returns whether records are missing.
 */
bool log_queue_resume(struct log_queue *queue);

/*
 * thread.c: a ring for the calling thread as its log has them, errors as there; and: it has @ring,
 * which is closed, no longer.  -ESHUTDOWN then; -EBUSY: it is just being let go, or another one
 * made.
 */
int log_thread_attach(unsigned int lane);
int log_thread_leave(unsigned int lane, const struct hft_log_ring *ring);

/* ring.c: the CPU that the calling thread is bound to alone, or -1 */
int32_t log_bound_cpu(void);

/* drainer.c: there is something to do, if it sleeps */
void log_drainer_wake(void);

#endif /* HFT_LOG_RING_INTERNAL_H */
