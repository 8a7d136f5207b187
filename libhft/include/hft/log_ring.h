/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring of a thread, and what a log call does to it, inlined: for hft/log.h only.
 *
 * One thread writes, with its signal handlers, and the drainer reads.
 *
 *	@reserved	place and number of the next record: the writer alone moves it, by a
 *			compare-and-swap that is atomic to signals only.  A handler that
 *			comes between the load and the swap makes it fail; one that comes
 *			later writes behind the record that it has interrupted
 *	@head		@reserved when all before it was complete: a release store of the
 *			outermost call, the reader's acquire load
 *	@limit		how far the writer may go without a look at @tail.  Less than there
 *			is room for: the slow path has something to do
 *	@tail		what is before it is in files: the reader's release store, the
 *			writer's acquire load before it overwrites
 *
 * A ring that overwrites: @reserved is moved before what it covers is overwritten.  The
 * reader copies, and then looks at @reserved for what of the copy is worth nothing: a
 * seqlock (H.-J. Boehm, "Can Seqlocks Get Along With Programming Language Memory Models?",
 * MSPC 2012), whose fences pair below and in src/log/ring_read.c.
 */
#ifndef HFT_LOG_RING_H
#define HFT_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <hft/log_format.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HFT_LOG_RING_MAGIC	0x676e6972746668ull
#define HFT_LOG_RING_VERSION	2u
#define HFT_LOG_RING_HEAD	4096u		/* bytes before the records */
#define HFT_LOG_RING_MARKS	16u

#define HFT_LOG_AHEAD		1024u		/* bytes: as many as are on their way at once */
#define HFT_LOG_TEXT_MAX	1023u		/* bytes of a string */

/* Arguments with which a record fits every ring and packet; bytes of the longest of those */
#define HFT_LOG_FEW		15u
#define HFT_LOG_SHORT		(sizeof(struct hft_log_record) + \
				 HFT_LOG_FEW * (HFT_LOG_TEXT_MAX + 1))

#define hft_log_likely(condition)	__builtin_expect(!!(condition), 1)
#define hft_log_unlikely(condition)	__builtin_expect(!!(condition), 0)
#define HFT_LOG_INLINE			static inline __attribute__((always_inline))

/* Which of its rings a thread writes to. */
enum hft_log_lane {
	HFT_LOG_PLAIN,		/* its policy may lose records */
	HFT_LOG_AUDIT,		/* none is lost without its call's answer saying so */
	HFT_LOG_LANES
};

/**
 * struct hft_log_ring - the first page of a ring's file; records follow, mapped twice
 * @magic: %HFT_LOG_RING_MAGIC
 * @version: %HFT_LOG_RING_VERSION
 * @bytes: of the records' room, a power of two
 * @stream: the number of the ring in its log
 * @uuid: of the log
 * @pid: of the process
 * @tid: of the thread
 * @policy: &enum hft_log_policy
 * @lane: &enum hft_log_lane
 * @cpu: that the thread was bound to, or -1
 * @thread: its name
 * @block_ns: how long a call waits for room
 * @sync: &enum hft_log_sync of its stream
 * @reserved: number of the next record in the upper half, its position / 8 in the lower
 * @head: the same, up to which records are complete
 * @limit: position / 8 up to which there is room for the inlined call: not beyond where it
 *	wraps, and none where stamps are not of the TSC
 * @room: the same for the slow path
 * @mask: of positions / 8
 * @tsc: stamps are of the TSC; 0: CLOCK_MONOTONIC, ns
 * @closed: its log has been closed: no more calls; 2: and none can reserve any more
 * @done: its thread has ended
 * @busy: the writer is in its slow path
 * @refused: records that had no place, as those of signal handlers that came in there
 * @lost: records of calls that were not written
 * @untold: of these, no loss record says so yet
 * @first: stamp of the first of those
 * @last: of the last
 * @timeouts: calls that waited too long
 * @position: of the next record at the last call of the slow path, in bytes
 * @longest: bytes of a record at most: %HFT_LOG_SHORT or more
 * @poison: what @reserved is to be when the ring is sealed, with a number that no record has
 * @refused_at: stamp of the last of @refused
 * @tail: position, in bytes, up to which records are in files
 * @drained: position up to which they were read
 * @overwritten: records that the reader has not seen
 * @space: a futex: changes when @tail does
 * @waiters: somebody waits for it
 * @marks: where a record begins: the first in each 1/%HFT_LOG_RING_MARKS of the room
 */
struct hft_log_ring {
	uint64_t magic;
	uint32_t version;
	uint32_t policy;
	uint64_t bytes;
	uint64_t stream;
	uint8_t uuid[16];
	uint32_t pid;
	uint32_t tid;
	int32_t cpu;
	uint32_t lane;
	char thread[16];
	uint64_t block_ns;
	uint32_t sync;

	uint64_t reserved __attribute__((aligned(128)));
	uint64_t head;
	uint32_t limit;
	uint32_t mask;
	uint32_t room;
	uint32_t tsc;
	uint32_t closed;
	uint32_t done;
	uint32_t busy;
	uint64_t refused;
	uint64_t lost;
	uint64_t untold;
	uint64_t first;
	uint64_t last;
	uint64_t timeouts;
	uint64_t position;
	uint32_t longest;
	uint64_t poison;
	uint64_t refused_at;

	uint64_t tail __attribute__((aligned(128)));
	uint64_t drained;
	uint64_t overwritten;
	uint32_t space;
	uint32_t waiters;

	uint64_t marks[HFT_LOG_RING_MARKS] __attribute__((aligned(128)));
};

/**
 * struct hft_log_site - a place in a program that logs
 * @format: as of printf(), or NULL
 * @name: of a typed event, or NULL
 * @fields: names of a typed event's arguments, each before a comma
 * @types: &enum hft_log_type of each argument
 * @subsystem: of the program
 * @file: of the source
 * @line: in it
 * @id: in its records; 0: it is not known yet
 * @level: &enum hft_log_level
 * @enabled: records of it are written to plain rings
 * @lane: &enum hft_log_lane that it writes to
 * @reserved: 0
 */
struct hft_log_site {
	const char *format;
	const char *name;
	const char *fields;
	const char *types;
	const char *subsystem;
	const char *file;
	uint32_t line;
	uint16_t id;
	uint8_t level;
	uint8_t enabled;
	uint8_t lane;
	uint8_t reserved[7];
} __attribute__((aligned(64)));

/* An argument: a number, or text and its length without the NUL. */
struct hft_log_arg {
	uint64_t number;
	const char *text;
	size_t length;
};

/* Where a record is being written. */
struct hft_log_slot {
	struct hft_log_ring *ring;
	uint64_t reserved;
	uint64_t next;
	uint64_t stamp;
	char *at;
};

extern __thread struct hft_log_ring *hft_log_self[HFT_LOG_LANES]
	__attribute__((tls_model("initial-exec")));

int hft_log_make_room(unsigned int lane, uint32_t words, struct hft_log_slot *slot)
	__attribute__((cold));
uint64_t hft_log_monotonic(void);
size_t hft_log_text_length(const char *text) __attribute__((cold));
int hft_log_site_add(struct hft_log_site *site, void *object) __attribute__((cold));
void hft_log_object_add(void *object, struct hft_log_site *begin, struct hft_log_site *end);
void hft_log_object_remove(void *object);

/* Where a place is reached for the first time, it is added; is it known, and wanted? */
HFT_LOG_INLINE bool hft_log_site_known(struct hft_log_site *site, void *object, int *error)
{
	if (hft_log_likely(__atomic_load_n(&site->id, __ATOMIC_ACQUIRE)))
		return true;
	*error = hft_log_site_add(site, object);
	return !*error && __atomic_load_n(&site->enabled, __ATOMIC_RELAXED);
}

/* Atomic to the signal handlers of this thread, not to other threads. */
HFT_LOG_INLINE bool hft_log_swap(uint64_t *word, uint64_t from, uint64_t to)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
	bool done;

	__asm__ volatile("cmpxchgq %3, %1" : "=@ccz"(done), "+m"(*word), "+a"(from)
			 : "r"(to) : "memory");
	return done;
#else
	bool done = __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	return done;
#endif
}

HFT_LOG_INLINE uint64_t hft_log_stamp(uint32_t tsc)
{
#ifdef __x86_64__
	if (hft_log_likely(tsc))
		return __builtin_ia32_rdtsc();
#endif
	(void)tsc;
	return hft_log_monotonic();
}

HFT_LOG_INLINE char *hft_log_place(struct hft_log_ring *ring, uint64_t reserved)
{
	return (char *)ring + HFT_LOG_RING_HEAD + 8 * (size_t)((uint32_t)reserved & ring->mask);
}

/* For writing: the drainer, on another CPU, has read it a while ago. */
HFT_LOG_INLINE void hft_log_prefetch(const char *at)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/* As many lines as a record has, of what comes some records later. */
HFT_LOG_INLINE void hft_log_prefetch_ahead(const char *at, uint32_t words)
{
	at += HFT_LOG_AHEAD;
	hft_log_prefetch(at);
	if (words > 8)
		hft_log_prefetch(at + 64);
	if (words > 16)
		hft_log_prefetch(at + 128);
	if (words > 24)
		hft_log_prefetch(at + 192);
}

/* TSan knows of the words of a ring that overwrites, which are read while they change. */
HFT_LOG_INLINE void hft_log_put_word(char *at, uint64_t word)
{
	__atomic_store_n((uint64_t *)(void *)at, word, __ATOMIC_RELAXED);
}

HFT_LOG_INLINE void hft_log_put_bytes(char *at, const char *from, size_t length)
{
#ifdef __SANITIZE_THREAD__
	while (length--)
		__atomic_store_n(at++, *from++, __ATOMIC_RELAXED);
#else
	memcpy(at, from, length);
#endif
}

/*
 * The stamp is taken between the load and the swap, so that those of a ring do not go back
 * where a handler comes between.  Below the limit no position wraps.
 */
HFT_LOG_INLINE bool hft_log_reserve(uint32_t words, struct hft_log_slot *slot)
{
	struct hft_log_ring *ring = slot->ring;
	uint32_t limit;

	slot->reserved = __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
	slot->next = slot->reserved + (1ull << 32 | words);
	slot->stamp = hft_log_stamp(true);
	limit = __atomic_load_n(&ring->limit, __ATOMIC_RELAXED);
	return hft_log_likely((int32_t)(limit - (uint32_t)slot->reserved) >= (int32_t)words) &&
	       hft_log_swap(&ring->reserved, slot->reserved, slot->next);
}

/* Begin a record: room for it and its head.  What may not be short is for the slow path. */
HFT_LOG_INLINE int hft_log_begin(unsigned int lane, const struct hft_log_site *site,
				 uint32_t words, bool is_short, struct hft_log_slot *slot)
{
	struct hft_log_slot slow;
	char *at;
	int err;

	slot->ring = hft_log_self[lane];
	if (hft_log_likely(slot->ring) && hft_log_likely(is_short) &&
	    hft_log_likely(hft_log_reserve(words, slot)))
		goto write;
	err = hft_log_make_room(lane, words, &slow);
	if (err)
		return err;
	*slot = slow;
write:
	at = hft_log_place(slot->ring, slot->reserved);
	slot->at = at;
	__atomic_store_n((uint32_t *)(void *)at, words << 16 | site->id, __ATOMIC_RELAXED);
	__atomic_store_n((uint32_t *)(void *)(at + 4), (uint32_t)(slot->reserved >> 32),
			 __ATOMIC_RELAXED);
	hft_log_put_word(at + 8, slot->stamp);
	hft_log_prefetch_ahead(at, words);
	return 0;
}

/* Complete it.  Who has interrupted another call leaves it to that one to show both. */
HFT_LOG_INLINE void hft_log_end(const struct hft_log_slot *slot)
{
	struct hft_log_ring *ring = slot->ring;
	uint64_t next = slot->next, now;

	if (hft_log_unlikely(__atomic_load_n(&ring->head, __ATOMIC_RELAXED) != slot->reserved))
		return;
	for (;;) {
		__atomic_store_n(&ring->head, next, __ATOMIC_RELEASE);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		now = __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
		if (hft_log_likely(now == next))
			return;
		next = now;
	}
}

HFT_LOG_INLINE size_t hft_log_space(size_t bytes, struct hft_log_arg arg)
{
	return arg.text ? bytes + arg.length + 1 : ((bytes + 7) & ~(size_t)7) + 8;
}

/*
 * Put an argument of the record at @at behind its first @bytes; returns how many it has
 * then.  The word in which a text ends is cleared first: all padding is written.
 */
HFT_LOG_INLINE size_t hft_log_put(char *at, size_t bytes, struct hft_log_arg arg)
{
	size_t end;

	if (!arg.text) {
		bytes = (bytes + 7) & ~(size_t)7;
		hft_log_put_word(at + bytes, arg.number);
		return bytes + 8;
	}
	end = (bytes + arg.length) & ~(size_t)7;
	if (end >= bytes)
		hft_log_put_word(at + end, 0);
	hft_log_put_bytes(at + bytes, arg.text, arg.length);
	if (hft_log_unlikely(arg.number))
		hft_log_put_bytes(at + bytes + arg.length - 3, "...", 3);
	return bytes + arg.length + 1;
}

HFT_LOG_INLINE struct hft_log_arg hft_log_of_u64(uint64_t value)
{
	struct hft_log_arg arg = { value, NULL, 0 };

	return arg;
}

HFT_LOG_INLINE struct hft_log_arg hft_log_of_i64(int64_t value)
{
	return hft_log_of_u64((uint64_t)value);
}

HFT_LOG_INLINE struct hft_log_arg hft_log_of_double(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return hft_log_of_u64(bits);
}

HFT_LOG_INLINE struct hft_log_arg hft_log_of_pointer(const void *value)
{
	return hft_log_of_u64((uintptr_t)value);
}

/* Cut where it is longer than a string may be: then @number is set. */
HFT_LOG_INLINE struct hft_log_arg hft_log_of_string(const char *text)
{
	struct hft_log_arg arg = { 0, text ? text : "(null)", 0 };

	arg.length = strlen(arg.text);
	if (hft_log_unlikely(arg.length > HFT_LOG_TEXT_MAX)) {
		arg.length = hft_log_text_length(arg.text);
		arg.number = 1;
	}
	return arg;
}

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_RING_H */
