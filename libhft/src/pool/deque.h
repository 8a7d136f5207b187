/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A work-stealing deque that grows: D. Chase and Y. Lev, "Dynamic Circular Work-Stealing
 * Deque", SPAA 2005, with the C11 orderings of N. M. Lê, A. Pop, A. Cohen and F. Zappa
 * Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models", PPoPP 2013,
 * figure 1.
 *
 * One thread, the owner, pushes and takes at the bottom, last in, first out; any number
 * of thieves steal at the top, first in, first out.  Push and take are wait-free but for
 * growing, a steal is lock-free: who loses the race for an item is told so.
 *
 * Barriers:
 *
 *   the item, then store-release of bottom
 *	pairs with the load-acquire of it in a steal: the paper has a release fence and a
 *	relaxed store, which is as much for what the item points to, and is more than the
 *	thread sanitizer understands.  A steal may read the relaxed bottom of a take since:
 *	that is of C11's release sequence of the push, as it is the same thread's
 *   the new bottom, then load of top, both of a take, a full fence between them
 *	pairs with load of top, full fence, load of bottom of a steal: of an owner and a
 *	thief after the last item at least one sees the other, and top decides
 *   a copy of the items, then store-release of array
 *	pairs with the load of it in a steal, which depends on it
 *
 * Indices are signed and only grow: bottom is top - 1 for a moment of a take.
 */
#ifndef HFT_POOL_DEQUE_H
#define HFT_POOL_DEQUE_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../fence.h"

struct hft_deque_array {
	struct hft_deque_array *previous;	/* a thief may be reading it */
	int64_t mask;
	_Atomic(void *) items[];
};

/**
 * struct hft_deque - a deque of pointers
 * @top: of the oldest item; thieves move it
 * @bottom: behind the newest item; the owner's
 * @array: the items, and the arrays before it
 * @seen_top: a top that the owner has seen: there is room for what it says
 * @home: 1 + the NUMA node of its memory, or 0: anywhere; before hft_deque_init()
 */
struct hft_deque {
	_Atomic int64_t top __attribute__((aligned(64)));
	_Atomic int64_t bottom __attribute__((aligned(64)));
	_Atomic(struct hft_deque_array *) array;
	int64_t seen_top;
	uint32_t home;
};

/* Another thief, or the owner, has had the item: there may be more. */
#define HFT_DEQUE_LOST	((void *)1)

int hft_deque_init(struct hft_deque *deque, size_t capacity);
void hft_deque_exit(struct hft_deque *deque);
int hft_deque_grow(struct hft_deque *deque);

/* Items that a thread that is not the owner may find. */
static inline int64_t hft_deque_count(const struct hft_deque *deque)
{
	int64_t top = atomic_load_explicit(&deque->top, memory_order_relaxed);
	int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);

	return bottom > top ? bottom - top : 0;
}

/**
 * hft_deque_push() - add an item at the bottom
 * @deque: the caller's
 * @item: neither NULL nor %HFT_DEQUE_LOST
 *
 * Return: 0, or -ENOMEM: the item is not in the deque.
 */
static inline int hft_deque_push(struct hft_deque *deque, void *item)
{
	int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
	struct hft_deque_array *array = atomic_load_explicit(&deque->array, memory_order_relaxed);

	if (__builtin_expect(bottom - deque->seen_top > array->mask, 0)) {
		int err = hft_deque_grow(deque);

		if (err)
			return err;
		array = atomic_load_explicit(&deque->array, memory_order_relaxed);
	}
	atomic_store_explicit(&array->items[bottom & array->mask], item, memory_order_relaxed);
	atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_release);
	return 0;
}

/**
 * hft_deque_take() - take the newest item
 * @deque: the caller's
 *
 * Return: the item, or NULL if there is none.
 */
static inline void *hft_deque_take(struct hft_deque *deque)
{
	int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed) - 1;
	struct hft_deque_array *array = atomic_load_explicit(&deque->array, memory_order_relaxed);
	int64_t top;
	void *item;

	atomic_store_explicit(&deque->bottom, bottom, memory_order_relaxed);
	hft_fence();
	top = atomic_load_explicit(&deque->top, memory_order_relaxed);
	if (top > bottom) {
		atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_relaxed);
		return NULL;
	}
	item = atomic_load_explicit(&array->items[bottom & array->mask], memory_order_relaxed);
	if (top < bottom)
		return item;

	if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1,
						     memory_order_seq_cst, memory_order_relaxed))
		item = NULL;
	atomic_store_explicit(&deque->bottom, bottom + 1, memory_order_relaxed);
	return item;
}

/**
 * hft_deque_steal() - take the oldest item
 * @deque: anybody's
 *
 * Return: the item, NULL if there is none, or %HFT_DEQUE_LOST.
 */
static inline void *hft_deque_steal(struct hft_deque *deque)
{
	int64_t top = atomic_load_explicit(&deque->top, memory_order_acquire);
	struct hft_deque_array *array;
	int64_t bottom;
	void *item;

	hft_fence();
	bottom = atomic_load_explicit(&deque->bottom, memory_order_acquire);
	if (top >= bottom)
		return NULL;

	array = atomic_load_explicit(&deque->array, memory_order_acquire);
	item = atomic_load_explicit(&array->items[top & array->mask], memory_order_relaxed);
	if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1,
						     memory_order_seq_cst, memory_order_relaxed))
		return HFT_DEQUE_LOST;
	return item;
}

#endif /* HFT_POOL_DEQUE_H */
