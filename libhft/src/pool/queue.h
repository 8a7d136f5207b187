/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tasks in order: the highest level first, of a level the earliest deadline, of a
 * deadline who came first (EDF: C. L. Liu and J. W. Layland, "Scheduling Algorithms for
 * Multiprogramming in a Hard-Real-Time Environment", J. ACM 20(1), 1973, section 7).
 *
 * A pool has one for all of its workers, and each worker one for what is its own.  All is
 * under the queue's lock but a look at what is first.  Barriers:
 *
 *   a task in the heap and urgency, then the look at idle or parked, of who pushes
 *	as of the deques: pool/internal.h
 */
#ifndef HFT_POOL_QUEUE_H
#define HFT_POOL_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/hft.h>

#include "core/heap.h"

#include "../lock.h"

struct hft_pool;
struct hft_work;

/* Of a key: above it the level, below it the deadline. */
#define HFT_QUEUE_LEVEL_SHIFT	61

/**
 * struct hft_queue - tasks in order
 * @urgency: the complement of the first task's key; 0: there is none
 * @waiting: how many there are
 * @lock: of all below
 * @closed: it takes no tasks
 * @promised: tasks that there is room for, and that are still to come
 * @heap: the tasks, by their key
 * @memory: of @heap
 * @seq: of the next task
 */
struct hft_queue {
	_Atomic uint64_t urgency;
	_Atomic uint32_t waiting;
	struct hft_lock lock;
	bool closed;
	uint32_t promised;
	struct hft_heap heap;
	void *memory;
	uint64_t seq;
};

/* Of a task without a deadline it is above those of all others of its level. */
#define HFT_QUEUE_DEADLINE_MAX	((1ULL << HFT_QUEUE_LEVEL_SHIFT) - 1)

static inline uint64_t hft_queue_key(uint32_t level, uint64_t deadline)
{
	if (!deadline || deadline > HFT_QUEUE_DEADLINE_MAX)
		deadline = HFT_QUEUE_DEADLINE_MAX;
	return (uint64_t)(HFT_LEVELS - 1 - level) << HFT_QUEUE_LEVEL_SHIFT | deadline;
}

static inline uint64_t hft_queue_urgency(const struct hft_queue *queue)
{
	return atomic_load_explicit(&queue->urgency, memory_order_relaxed);
}

/* 1 + the level of the first task; 0: there is none. */
static inline uint32_t hft_queue_level(const struct hft_queue *queue)
{
	return (uint32_t)(hft_queue_urgency(queue) >> HFT_QUEUE_LEVEL_SHIFT);
}

static inline uint32_t hft_queue_waiting(const struct hft_queue *queue)
{
	return atomic_load_explicit(&queue->waiting, memory_order_relaxed);
}

void hft_queue_init(struct hft_queue *queue);
void hft_queue_exit(struct hft_queue *queue);
void hft_queue_open(struct hft_queue *queue);
void hft_queue_close(struct hft_queue *queue);
struct hft_work *hft_queue_take(struct hft_queue *queue, uint32_t level);

int hft_queue_push(struct hft_pool *pool, struct hft_work *work);
bool hft_queue_rekey(struct hft_pool *pool, struct hft_work *work, uint32_t level);
bool hft_queue_remove(struct hft_pool *pool, struct hft_work *work);
int hft_queue_promise(struct hft_pool *pool, struct hft_work *work);
void hft_queue_keep(struct hft_pool *pool, struct hft_work *work);
void hft_queue_drop(struct hft_pool *pool, struct hft_work *work, int err);
void hft_queue_forgo(struct hft_pool *pool, struct hft_work *work);

#endif /* HFT_POOL_QUEUE_H */
