// SPDX-License-Identifier: LGPL-2.1-or-later
/* kmod/core/heap.h in the heap bench. */
#include "core/heap.h"
#include "heap_bench.h"

struct entry {
	union {
		struct hft_heap_item item;
		uint64_t seq;	/* item.seq, by the name that the others give it */
	};
} __attribute__((aligned(CACHE_LINE)));

struct queue {
	struct hft_heap heap;
};

static int queue_init(struct queue *q, size_t nr)
{
	void *mem = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes((u32)nr));

	if (!mem)
		return -1;
	hft_heap_init(&q->heap, mem, (u32)nr);
	return 0;
}

static inline void queue_push(struct queue *q, struct entry *entry, uint64_t key)
{
	hft_heap_push(&q->heap, &entry->item, key);
}

static inline struct entry *queue_pop(struct queue *q, uint64_t *key)
{
	*key = hft_heap_min_key(&q->heap);
	return (struct entry *)hft_heap_pop(&q->heap);
}

#include "heap_work.h"

const struct contender contender_hft = { "hft_heap", create, fill, hold, drain };
