// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a log call does when the way that is inlined ends: there is no ring, or no room up
 * to its limit.
 *
 * One call of a thread at a time is in here: @busy.  It takes the limit away first, so that
 * signal handlers come here, too, and are refused: numbers of records, and the losses among
 * them, are this call's alone.  What it has refused is counted as lost by the next one.
 */
#include <errno.h>

#include "../api.h"
#include "../futex.h"
#include "../gettime.h"
#include "ring.h"

#define LOG_LOOK_NS	10000000ull	/* who waits for room looks by itself */

/**
 * hft_log_monotonic() - read the clock, for the inlined call where the TSC is not to be trusted
 *
 * Return: CLOCK_MONOTONIC, ns.  Any thread, and signal handlers.
 */
HFT_API uint64_t hft_log_monotonic(void)
{
	return hft_gettime(CLOCK_MONOTONIC);
}

static inline uint64_t ring_reserved(const struct hft_log_ring *ring)
{
	return __atomic_load_n(&ring->reserved, __ATOMIC_RELAXED);
}

/* Position of the next record, in bytes. */
static uint64_t ring_position(struct hft_log_ring *ring)
{
	ring->position += 8 * (uint64_t)(uint32_t)((uint32_t)ring_reserved(ring) -
						   (uint32_t)(ring->position >> 3));
	return ring->position;
}

/* The inlined call may not go beyond where positions wrap, or has no clock. */
static void set_limit(struct hft_log_ring *ring, uint32_t limit)
{
	uint32_t at = (uint32_t)ring_reserved(ring);

	__atomic_store_n(&ring->room, limit, __ATOMIC_RELAXED);
	if (!ring->tsc)
		limit = at - 1;
	else if ((int32_t)(limit - at) >= 0 && limit < at)
		limit = UINT32_MAX;
	__atomic_store_n(&ring->limit, limit, __ATOMIC_RELAXED);
}

static void take_limit_away(struct hft_log_ring *ring)
{
	set_limit(ring, (uint32_t)ring_reserved(ring) - 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* With the fence in log_ring_close(): either that one has the last word, or this. */
static void give_limit(struct hft_log_ring *ring, uint32_t limit)
{
	set_limit(ring, limit);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ring->closed, __ATOMIC_RELAXED))
		take_limit_away(ring);
}

/* Without a record: nothing is to be completed, if nothing was. */
static void move_reserved(struct hft_log_ring *ring, uint64_t to)
{
	bool complete = __atomic_load_n(&ring->head, __ATOMIC_RELAXED) == ring_reserved(ring);

	__atomic_store_n(&ring->reserved, to, __ATOMIC_RELAXED);
	if (complete)
		__atomic_store_n(&ring->head, to, __ATOMIC_RELEASE);
}

/* What @reserved is behind a record; its halves do not know of each other. */
static uint64_t behind(uint64_t reserved, uint32_t words, uint32_t records)
{
	uint64_t number = (reserved >> 32) + records;

	return number << 32 | (uint32_t)((uint32_t)reserved + words);
}

static void lose(struct hft_log_ring *ring, uint64_t nr, uint64_t stamp)
{
	if (!ring->untold)
		ring->first = stamp;
	ring->last = stamp;
	ring->untold += nr;
	__atomic_store_n(&ring->lost, ring->lost + nr, __ATOMIC_RELAXED);
	move_reserved(ring, ring_reserved(ring) + (nr << 32));
}

/* @stamp: of now, where it is 0 */
static void lose_refused(struct hft_log_ring *ring, uint64_t stamp)
{
	uint64_t nr = __atomic_exchange_n(&ring->refused, 0, __ATOMIC_RELAXED);

	if (nr)
		lose(ring, nr, stamp ? stamp : hft_log_stamp(ring->tsc));
}

/* All that comes now is this call's: the limit was taken away. */
static void reserve(struct hft_log_slot *slot, uint32_t words, uint32_t records)
{
	slot->stamp = hft_log_stamp(slot->ring->tsc);
	slot->reserved = ring_reserved(slot->ring);
	slot->next = behind(slot->reserved, words, records);
	__atomic_store_n(&slot->ring->reserved, slot->next, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/* There is room.  The record has the number of the last one that was lost. */
static void tell_losses(struct hft_log_ring *ring)
{
	struct hft_log_slot slot = { .ring = ring };
	uint64_t number;
	char *at;

	reserve(&slot, LOG_LOST_WORDS, 0);
	at = hft_log_place(ring, slot.reserved);
	number = (slot.reserved >> 32) - 1;
	hft_log_put_word(at, number << 32 | (uint64_t)LOG_LOST_WORDS << 16 | HFT_LOG_ID_LOST);
	hft_log_put_word(at + 8, slot.stamp);
	hft_log_put_word(at + 16, ring->untold);
	hft_log_put_word(at + 24, ring->first);
	hft_log_put_word(at + 32, ring->last);
	hft_log_end(&slot);
	ring->untold = 0;
}

/* Words that are taken; @tail is answered. */
static uint32_t ring_used(const struct hft_log_ring *ring, uint64_t *tail)
{
	*tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	return (uint32_t)ring_reserved(ring) - (uint32_t)(*tail >> 3);
}

/* @space is changed behind @tail, and this looks at @tail behind @space. */
static void wait_for_space(struct hft_log_ring *ring, uint32_t used, uint64_t until)
{
	_Atomic uint32_t *space = (_Atomic uint32_t *)&ring->space;
	uint64_t tail;
	uint32_t value;

	__atomic_store_n(&ring->waiters, 1, __ATOMIC_SEQ_CST);
	value = atomic_load(space);
	if (ring_used(ring, &tail) == used)
		hft_futex_sleep(space, value, until);
}

static int wait_for_room(struct hft_log_ring *ring, uint32_t words, uint64_t *tail)
{
	uint32_t room = ring->mask + 1, used;
	uint64_t end = 0, now;

	for (;;) {
		used = ring_used(ring, tail);
		if (room - used >= words + (ring->untold ? LOG_LOST_WORDS : 0))
			return 0;
		log_drainer_wake();
		if (ring->policy != HFT_LOG_BLOCK)
			return -ENOBUFS;
		now = hft_log_monotonic();
		if (!end)
			end = now + ring->block_ns < now ? UINT64_MAX : now + ring->block_ns;
		if (now >= end)
			return -ETIMEDOUT;
		if (__atomic_load_n(&ring->closed, __ATOMIC_RELAXED))
			return -ESHUTDOWN;
		wait_for_space(ring, used, end - now < LOG_LOOK_NS ? end : now + LOG_LOOK_NS);
	}
}

/* The reader is told when half of the room is taken, and the writer stops there for that. */
static int find_room(struct hft_log_slot *slot, uint32_t words)
{
	struct hft_log_ring *ring = slot->ring;
	uint32_t room = ring->mask + 1;
	uint64_t tail;
	int err;

	err = wait_for_room(ring, words, &tail);
	if (err == -ENOBUFS || err == -ETIMEDOUT)
		lose(ring, 1, hft_log_stamp(ring->tsc));
	if (err == -ETIMEDOUT)
		__atomic_store_n(&ring->timeouts, ring->timeouts + 1, __ATOMIC_RELAXED);
	if (err)
		return err;
	if (ring->untold)
		tell_losses(ring);
	reserve(slot, words, 1);
	if (2 * ring_used(ring, &tail) >= room) {
		log_drainer_wake();
		give_limit(ring, (uint32_t)(tail >> 3) + room);
	} else {
		give_limit(ring, (uint32_t)(tail >> 3) + room / 2);
	}
	return 0;
}

/* Where a record begins, for a reader who has lost his place. */
static void mark(struct hft_log_ring *ring, uint64_t from, uint64_t to, uint64_t step)
{
	uint64_t at;

	for (at = (from + step - 1) / step * step; at <= to; at += step)
		__atomic_store_n(&ring->marks[at / step % HFT_LOG_RING_MARKS],
				 at == from ? from : to, __ATOMIC_RELAXED);
}

/* The writer stops where there is a mark to be made. */
static int overwrite(struct hft_log_slot *slot, uint32_t words)
{
	struct hft_log_ring *ring = slot->ring;
	uint64_t step = 8 * (uint64_t)(ring->mask + 1) / HFT_LOG_RING_MARKS;
	uint64_t from = ring_position(ring), to = from + 8 * (uint64_t)words;

	if (ring->untold) {
		to += sizeof(struct log_loss);
		mark(ring, from, from + sizeof(struct log_loss), step);
		from += sizeof(struct log_loss);
		tell_losses(ring);
	}
	mark(ring, from, to, step);
	reserve(slot, words, 1);
	if (to - __atomic_load_n(&ring->drained, __ATOMIC_RELAXED) > 8 * (uint64_t)ring->mask / 2)
		log_drainer_wake();
	give_limit(ring, (uint32_t)((to / step + 1) * step >> 3));
	return 0;
}

/* As the inlined call, of any clock and at any position. */
static bool reserve_in_room(struct hft_log_slot *slot, uint32_t words)
{
	struct hft_log_ring *ring = slot->ring;
	uint32_t room;

	slot->reserved = ring_reserved(ring);
	slot->next = behind(slot->reserved, words, 1);
	slot->stamp = hft_log_stamp(ring->tsc);
	room = __atomic_load_n(&ring->room, __ATOMIC_RELAXED);
	return (int32_t)(room - (uint32_t)slot->reserved) >= (int32_t)words &&
	       hft_log_swap(&ring->reserved, slot->reserved, slot->next);
}

static int find_room_alone(struct hft_log_slot *slot, uint32_t words)
{
	struct hft_log_ring *ring = slot->ring;
	int err;

	__atomic_store_n(&ring->busy, 1, __ATOMIC_SEQ_CST);
	take_limit_away(ring);
	if (__atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST)) {
		err = -ESHUTDOWN;
	} else {
		lose_refused(ring, 0);
		err = ring->policy == HFT_LOG_OVERWRITE ? overwrite(slot, words) :
							  find_room(slot, words);
	}
	__atomic_store_n(&ring->busy, 0, __ATOMIC_RELEASE);
	return err;
}

/* Their stamp first: the process may be killed in between. */
void log_ring_refuse(struct hft_log_ring *ring, uint64_t nr)
{
	__atomic_store_n(&ring->refused_at, hft_log_stamp(ring->tsc), __ATOMIC_RELAXED);
	__atomic_fetch_add(&ring->refused, nr, __ATOMIC_RELEASE);
}

static int ring_make_room(struct hft_log_slot *slot, uint32_t words)
{
	struct hft_log_ring *ring = slot->ring;

	if (8 * (uint64_t)words > ring->longest)
		return -EMSGSIZE;
	if (reserve_in_room(slot, words))
		return 0;
	if (__atomic_load_n(&ring->busy, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(&ring->closed, __ATOMIC_RELAXED))
			return -ENOTCONN;
		log_ring_refuse(ring, 1);
		return -EBUSY;
	}
	return find_room_alone(slot, words);
}

/* Is no call between its reservation and its end? */
static bool is_complete(const struct hft_log_ring *ring)
{
	return (uint32_t)__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) ==
	       (uint32_t)ring_reserved(ring);
}

/*
 * A ring that was closed is let go, but by a handler that has interrupted another call: that
 * one goes on in it.
 */
static int leave(unsigned int lane, const struct hft_log_ring *ring)
{
	return is_complete(ring) ? log_thread_leave(lane, ring) : -ENOTCONN;
}

/**
 * hft_log_make_room() - find a place for a record, for the inlined call
 * @lane: &enum hft_log_lane
 * @words: of the record
 * @slot: answered: the place
 *
 * Return: as a log call.
 */
HFT_API int hft_log_make_room(unsigned int lane, uint32_t words, struct hft_log_slot *slot)
{
	int saved = errno, err;

	do {
		slot->ring = hft_log_self[lane];
		if (!slot->ring)
			err = log_thread_attach(lane);
		else
			err = ring_make_room(slot, words);
		if (err == -ESHUTDOWN)
			err = leave(lane, slot->ring);
	} while (err == -ESHUTDOWN || (!err && !slot->ring));
	errno = saved;
	return err;
}

/**
 * hft_log_text_length() - how much of a text that is too long is kept, for the inlined call
 * @text: longer than %HFT_LOG_TEXT_MAX
 *
 * Return: its bytes up to the end of a character of UTF-8, and 3 for "...".  Any thread.
 */
HFT_API size_t hft_log_text_length(const char *text)
{
	size_t kept = HFT_LOG_TEXT_MAX - 3;

	while (kept && ((unsigned char)text[kept] & 0xc0) == 0x80)
		kept--;
	return kept + 3;
}

/* Of @lane: levels are for plain rings. */
static bool is_wanted(struct hft_log_site *site, enum hft_log_lane lane, int *err)
{
	bool known = hft_log_site_known(site, &hft_log_self, err);

	if (lane == HFT_LOG_AUDIT)
		return !*err;
	return known && __atomic_load_n(&site->enabled, __ATOMIC_RELAXED);
}

/**
 * hft_log_write() - log what has been laid out already
 * @site: of it; added if it is not known
 * @lane: &enum hft_log_lane, that of @site
 * @stamp: of the log's clock, see &struct hft_log_record; 0: now
 * @arguments: as hft/log_format.h has them
 * @bytes: of these
 *
 * For what was not seen here, or not now: readers take the records of a thread to be in the
 * order of time.
 *
 * Return: as hft_log(); -EINVAL.
 */
HFT_API int hft_log_write(struct hft_log_site *site, enum hft_log_lane lane, uint64_t stamp,
			  const void *arguments, size_t bytes)
{
	uint32_t words = (uint32_t)((sizeof(struct hft_log_record) + bytes + 7) / 8);
	struct hft_log_slot slot;
	int err = 0;
	char *at;

	if (bytes > HFT_LOG_RECORD_MAX - sizeof(struct hft_log_record) || lane >= HFT_LOG_LANES)
		return -EINVAL;
	if (!is_wanted(site, lane, &err))
		return err;
	err = hft_log_begin(lane, site, words, 8 * (size_t)words <= HFT_LOG_SHORT, &slot);
	if (err)
		return err;
	at = slot.at;
	if (stamp)
		hft_log_put_word(at + 8, stamp);
	if (bytes)
		hft_log_put_word(at + 8 * (size_t)words - 8, 0);
	hft_log_put_bytes(at + sizeof(struct hft_log_record), arguments, bytes);
	hft_log_end(&slot);
	return 0;
}

void log_ring_close(struct hft_log_ring *ring)
{
	__atomic_store_n(&ring->closed, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	take_limit_away(ring);
}

static bool is_poisoned(const struct hft_log_ring *ring)
{
	return ring->poison && ring->poison == ring_reserved(ring);
}

/*
 * A call that has looked at the limit before it was taken away reserves when its thread runs
 * again, however late: its swap has to find another value then.  Not where a call is in the
 * slow path, which looks at @closed and else does not swap.
 *
 * Poison that is still there stays: one that came into the slow path behind it has seen
 * @closed, and each takes a number, of which log_ring_number() knows one.
 */
void log_ring_poison(struct hft_log_ring *ring)
{
	uint64_t reserved = ring_reserved(ring), poison = reserved + (1ull << 32);

	if (is_poisoned(ring))
		return;
	ring->poison = 0;
	if (__atomic_load_n(&ring->busy, __ATOMIC_SEQ_CST))
		return;
	/* First: a process that is killed in between leaves no number that is not told of. */
	__atomic_store_n(&ring->poison, poison, __ATOMIC_RELEASE);
	if (!__atomic_compare_exchange_n(&ring->reserved, &reserved, poison, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		ring->poison = 0;
}

/*
 * A swap is atomic to signals only: one that was under way has written over the poison, or
 * comes after the barrier and fails.  Returns false: to be poisoned again.
 */
bool log_ring_seal(struct hft_log_ring *ring)
{
	if (!is_poisoned(ring) || __atomic_load_n(&ring->busy, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&ring->closed, LOG_RING_SEALED, __ATOMIC_SEQ_CST);
	return true;
}

/* Of a ring that is sealed: is all in it that will be? */
bool log_ring_is_quiet(const struct hft_log_ring *ring)
{
	return __atomic_load_n(&ring->closed, __ATOMIC_RELAXED) == LOG_RING_SEALED &&
	       !__atomic_load_n(&ring->busy, __ATOMIC_ACQUIRE) && is_complete(ring);
}

/* Of one that is quiet: what it has refused is told with what else it could not tell. */
void log_ring_finish(struct hft_log_ring *ring)
{
	lose_refused(ring, 0);
	__atomic_store_n(&ring->done, 1, __ATOMIC_RELEASE);
}

/* What was refused is told with the stamp of then, but not before what comes before it. */
void log_ring_recover(struct hft_log_ring *ring, uint64_t stamp)
{
	if (is_poisoned(ring))
		ring->closed = LOG_RING_SEALED;
	if (stamp < ring->refused_at)
		stamp = ring->refused_at;
	if (ring->untold && stamp < ring->last)
		stamp = ring->last;
	lose_refused(ring, stamp);
	ring->done = 1;
}

/*
 * Its thread makes no more calls: tell of what it has lost, if there is room.  Of one that
 * is closed, the reader does: it is not done before log_ring_finish(), as the reader lets go
 * of what is done and empty, and would not tell what was refused.
 */
void log_ring_end(struct hft_log_ring *ring)
{
	bool closed;
	uint64_t tail;

	__atomic_store_n(&ring->busy, 1, __ATOMIC_SEQ_CST);
	take_limit_away(ring);
	closed = __atomic_load_n(&ring->closed, __ATOMIC_SEQ_CST);
	if (!closed) {
		lose_refused(ring, 0);
		if (ring->untold && (ring->policy == HFT_LOG_OVERWRITE ||
				     ring->mask + 1 - ring_used(ring, &tail) >= LOG_LOST_WORDS))
			tell_losses(ring);
	}
	__atomic_store_n(&ring->busy, 0, __ATOMIC_RELEASE);
	if (!closed)
		__atomic_store_n(&ring->done, 1, __ATOMIC_RELEASE);
}
