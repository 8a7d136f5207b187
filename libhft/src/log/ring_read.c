// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading rings.
 *
 * A ring that does not overwrite is read in place.  Of one that does, records are copied,
 * and then what was overwritten meanwhile is told by @reserved: that was moved before.
 * Where nothing is left to go on from, there is a mark; numbers tell how many are missing.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../futex.h"
#include "ring.h"
#include "../options.h"

#define COPY_BYTES	(1u << 20)	/* at a time: more than a record has */

_Static_assert(COPY_BYTES > HFT_LOG_RECORD_MAX, "a record fits");

static bool overwrites(const struct log_queue *queue)
{
	return queue->policy == HFT_LOG_OVERWRITE;
}

static const struct hft_log_record *record_at(const void *records, size_t offset)
{
	return (const void *)((const char *)records + offset);
}

static const void *queue_place(const struct log_queue *queue, uint64_t position)
{
	return (const char *)queue->ring + HFT_LOG_RING_HEAD + (position & (queue->bytes - 1));
}

/* What is shown of it is less than all positions, of which there are enough. */
uint64_t log_queue_head(const struct log_queue *queue)
{
	uint32_t head = (uint32_t)__atomic_load_n(&queue->ring->head, __ATOMIC_ACQUIRE);

	return queue->position + 8 * (uint64_t)(uint32_t)(head - (uint32_t)(queue->position >> 3));
}

static int bad_ring(const struct log_queue *queue)
{
	return hft_fail(EBADMSG, "there is no record at %llu of %s",
			(unsigned long long)queue->position, queue->name);
}

/* Losses that are told nowhere, when the writer has ended. */
static uint64_t left_untold(const struct log_queue *queue)
{
	const struct hft_log_ring *ring = queue->ring;

	if (queue->telling || !__atomic_load_n(&ring->done, __ATOMIC_ACQUIRE))
		return 0;
	return queue->position == log_queue_head(queue) ? ring->untold : 0;
}

static int64_t tell_for(struct log_queue *queue, const void **records)
{
	const struct hft_log_ring *ring = queue->ring;

	queue->loss = (struct log_loss){
		.head.id = HFT_LOG_ID_LOST,
		.head.words = LOG_LOST_WORDS,
		.head.sequence = log_ring_number(ring) - 1,
		.head.stamp = ring->last,
		.lost = ring->untold,
		.first = ring->first,
		.last = ring->last,
	};
	*records = &queue->loss;
	return sizeof(queue->loss);
}

static int64_t read_in_place(struct log_queue *queue, const void **records)
{
	uint64_t bytes = log_queue_head(queue) - queue->position;

	if (bytes > queue->bytes)
		return bad_ring(queue);
	*records = queue_place(queue, queue->position);
	return (int64_t)bytes;
}

/* From where on records are as they were written. */
static uint64_t first_kept(const struct log_queue *queue, uint64_t head)
{
	uint64_t reserved = __atomic_load_n(&queue->ring->reserved, __ATOMIC_RELAXED), end;

	end = head + 8 * (uint64_t)(uint32_t)((uint32_t)reserved - (uint32_t)(head >> 3));
	return end < queue->bytes ? 0 : end - queue->bytes;
}

/* The oldest record that is likely to stay for a moment, or where the next will be. */
static uint64_t find_mark(const struct log_queue *queue, uint64_t head)
{
	uint64_t kept = first_kept(queue, head) + queue->bytes / HFT_LOG_RING_MARKS, mark;
	uint64_t best = head;
	unsigned int i;

	for (i = 0; i < HFT_LOG_RING_MARKS; i++) {
		mark = __atomic_load_n(&queue->ring->marks[i], __ATOMIC_RELAXED);
		if (mark >= kept && mark < best && !(mark % 8))
			best = mark;
	}
	return best;
}

/* Racing with the writer, for what it does word by word. */
static void copy_words(char *to, const void *from, size_t bytes)
{
#ifdef __SANITIZE_THREAD__
	const char *at = from;

	while (bytes--)
		*to++ = __atomic_load_n(at++, __ATOMIC_RELAXED);
#else
	memcpy(to, from, bytes);
#endif
}

/* What comes before it ends with the number before this: a loss record has that of its last. */
static uint32_t first_number(const struct hft_log_record *record)
{
	const struct log_loss *loss = (const void *)record;

	if (record->id != HFT_LOG_ID_LOST || record->words != LOG_LOST_WORDS)
		return record->sequence;
	return record->sequence - (uint32_t)loss->lost + 1;
}

/*
 * Whole records at the start of @bytes, in order of number.  A number that is not the next
 * is a gap before its record: then it ends there, or begins with it.
 */
static size_t check_copy(struct log_queue *queue, const char *copy, size_t bytes)
{
	uint32_t number = queue->number;
	size_t offset = 0, size;

	while (bytes - offset >= sizeof(struct hft_log_record)) {
		const struct hft_log_record *record = record_at(copy, offset);

		size = 8 * (size_t)record->words;
		if (size < sizeof(*record) || size > bytes - offset)
			break;
		if (first_number(record) != number) {
			if (!offset) {
				queue->gap = first_number(record) - number;
				queue->gap_end = record->stamp;
			}
			break;
		}
		number = record->sequence + 1;
		offset += size;
	}
	return offset;
}

/* A loss record for what was overwritten is made in the copy; the rest comes later. */
static int64_t make_loss(struct log_queue *queue, const void **records)
{
	struct log_loss loss = {
		.head.id = HFT_LOG_ID_LOST,
		.head.words = LOG_LOST_WORDS,
		.head.sequence = queue->number + (uint32_t)queue->gap - 1,
		.head.stamp = queue->gap_end,
		.lost = queue->gap,
		.first = queue->stamp,
		.last = queue->gap_end,
	};

	memcpy(queue->copy, &loss, sizeof(loss));
	*records = queue->copy;
	return sizeof(loss);
}

static int64_t read_copy(struct log_queue *queue, const void **records)
{
	uint64_t head, bytes, kept;
	unsigned int tries;

	for (tries = 0; tries < 8; tries++) {
		head = log_queue_head(queue);
		if (queue->position < first_kept(queue, head))
			queue->position = find_mark(queue, head);
		bytes = head - queue->position;
		if (!bytes)
			return 0;
		if (bytes > COPY_BYTES)
			bytes = COPY_BYTES;
		copy_words(queue->copy, queue_place(queue, queue->position), bytes);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		kept = first_kept(queue, head);
		if (queue->position < kept)
			continue;
		bytes = check_copy(queue, queue->copy, bytes);
		if (queue->gap)
			return make_loss(queue, records);
		*records = queue->copy;
		return bytes ? (int64_t)bytes : bad_ring(queue);
	}
	return 0;
}

static int64_t read_overwriting(struct log_queue *queue, const void **records)
{
	if (!queue->copy) {
		queue->copy = mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (queue->copy == MAP_FAILED) {
			queue->copy = NULL;
			return hft_fail(ENOMEM, "a copy of records");
		}
		queue->copied = COPY_BYTES;
	}
	return queue->gap ? make_loss(queue, records) : read_copy(queue, records);
}

int64_t log_queue_read(struct log_queue *queue, const void **records)
{
	if (left_untold(queue))
		return tell_for(queue, records);
	return overwrites(queue) ? read_overwriting(queue, records) :
				   read_in_place(queue, records);
}

/* As many as there are in whole records. */
static uint64_t count_losses(const void *records, size_t bytes)
{
	const struct log_loss *loss;
	uint64_t lost = 0;
	size_t offset = 0, size;

	while (bytes - offset >= sizeof(struct hft_log_record)) {
		loss = (const void *)record_at(records, offset);
		size = 8 * (size_t)loss->head.words;
		if (size < sizeof(struct hft_log_record) || size > bytes - offset)
			break;
		if (loss->head.id == HFT_LOG_ID_LOST && size == sizeof(*loss))
			lost += loss->lost;
		offset += size;
	}
	return lost;
}

/* Most of the time there are none, and no record is looked at. */
uint64_t log_queue_lost(const struct log_queue *queue, const void *records, size_t bytes)
{
	const struct hft_log_ring *ring = queue->ring;
	uint64_t known = queue->lost;

	if (!queue->gap && known - ring->overwritten == __atomic_load_n(&ring->lost,
									__ATOMIC_RELAXED))
		return known;
	return known + count_losses(records, bytes);
}

static void take_copied(struct log_queue *queue, size_t bytes)
{
	const struct hft_log_record *record = NULL;
	size_t offset;

	for (offset = 0; offset < bytes; offset += 8 * (size_t)record->words)
		record = record_at(queue->copy, offset);
	if (!record)
		return;
	queue->number = record->sequence + 1;
	queue->stamp = record->stamp;
	if (queue->gap) {
		__atomic_store_n(&queue->ring->overwritten,
				 queue->ring->overwritten + queue->gap, __ATOMIC_RELAXED);
		queue->gap = 0;
		return;
	}
	queue->position += bytes;
}

void log_queue_take(struct log_queue *queue, size_t bytes)
{
	uint64_t before = queue->given, position = queue->position;

	if (left_untold(queue)) {
		queue->telling = true;
		queue->lost += queue->loss.lost;
		queue->given += bytes;
		return;
	}
	queue->lost = log_queue_lost(queue, overwrites(queue) ? queue->copy :
				     queue_place(queue, position), bytes);
	queue->given += bytes;
	if (overwrites(queue))
		take_copied(queue, bytes);
	else
		queue->position += bytes;
	/* A record that is not in the ring, or a leap in it: positions are from here on. */
	if (queue->position != position + bytes || before - queue->level_given !=
	    position - queue->level_position) {
		queue->level_given = queue->given;
		queue->level_position = queue->position;
	}
	__atomic_store_n(&queue->ring->drained, queue->position, __ATOMIC_RELAXED);
}

void log_queue_free(struct log_queue *queue, uint64_t bytes)
{
	_Atomic uint32_t *space = (_Atomic uint32_t *)&queue->ring->space;
	uint64_t tail;

	if (bytes < queue->level_given)
		return;
	tail = queue->level_position + (bytes - queue->level_given);
	if (tail > queue->position)
		tail = queue->position;	/* of a loss record that is not in the ring */
	if (tail == __atomic_load_n(&queue->ring->tail, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&queue->ring->tail, tail, __ATOMIC_RELEASE);
	atomic_fetch_add(space, 1);
	if (__atomic_exchange_n(&queue->ring->waiters, 0, __ATOMIC_SEQ_CST))
		hft_futex_wake(space, INT32_MAX);
}

/* Is the record at the position as it was written? */
static bool is_kept(const struct log_queue *queue, uint64_t head)
{
	return queue->position < head &&
	       (!overwrites(queue) || queue->position >= first_kept(queue, head));
}

bool log_queue_first_stamp(const struct log_queue *queue, uint64_t *stamp)
{
	uint64_t head = log_queue_head(queue), position = queue->position;

	if (position < head && !is_kept(queue, head))
		position = find_mark(queue, head);
	if (position >= head)
		return false;
	*stamp = ((const struct hft_log_record *)queue_place(queue, position))->stamp;
	return true;
}

/* Of what the writer has lost, all but what is still to be told. */
static uint64_t told_before(const struct log_queue *queue, uint64_t head)
{
	uint64_t left = queue->ring->untold +
			count_losses(queue_place(queue, queue->position), head - queue->position);

	return queue->ring->lost > left ? queue->ring->lost - left : 0;
}

bool log_queue_resume(struct log_queue *queue)
{
	uint64_t head = log_queue_head(queue);
	bool skips = queue->position < head && !is_kept(queue, head);

	if (skips)
		queue->position = find_mark(queue, head);
	if (queue->position < head)
		queue->number = first_number(queue_place(queue, queue->position));
	if (!overwrites(queue))
		queue->lost = told_before(queue, head);
	return skips;
}

bool log_queue_is_empty(const struct log_queue *queue)
{
	return !queue->gap && queue->position == log_queue_head(queue) && !left_untold(queue);
}
