// SPDX-License-Identifier: LGPL-2.1-or-later
/* The memory of a deque: it doubles, and what it was before lives as long as the deque. */
#include "../memory/internal.h"
#include "deque.h"

static struct hft_deque_array *make_array(const struct hft_deque *deque, int64_t capacity,
					  struct hft_deque_array *previous)
{
	size_t bytes = sizeof(struct hft_deque_array) + (size_t)capacity * sizeof(void *);
	struct hft_deque_array *array = hft_memory_at(sizeof(void *), bytes, deque->home);

	if (!array)
		return NULL;
	array->previous = previous;
	array->mask = capacity - 1;
	return array;
}

/**
 * hft_deque_init() - make an empty deque
 * @deque: of zeroes, but for @home
 * @capacity: items that it has room for before it grows, a power of two
 *
 * Return: 0 or -ENOMEM.
 */
int hft_deque_init(struct hft_deque *deque, size_t capacity)
{
	struct hft_deque_array *array = make_array(deque, (int64_t)capacity, NULL);

	if (!array)
		return -ENOMEM;
	atomic_init(&deque->array, array);
	return 0;
}

/* Nobody uses it any more; what is in it is lost. */
void hft_deque_exit(struct hft_deque *deque)
{
	struct hft_deque_array *array = atomic_load_explicit(&deque->array, memory_order_relaxed);
	struct hft_deque_array *previous;

	for (; array; array = previous) {
		previous = array->previous;
		free(array);
	}
	atomic_store_explicit(&deque->array, NULL, memory_order_relaxed);
}

/* Make room for one more item, by what thieves have taken or by memory. */
int hft_deque_grow(struct hft_deque *deque)
{
	struct hft_deque_array *old = atomic_load_explicit(&deque->array, memory_order_relaxed);
	int64_t bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
	struct hft_deque_array *array;
	int64_t i;

	deque->seen_top = atomic_load_explicit(&deque->top, memory_order_acquire);
	if (bottom - deque->seen_top <= old->mask)
		return 0;

	array = make_array(deque, 2 * (old->mask + 1), old);
	if (!array)
		return -ENOMEM;
	for (i = deque->seen_top; i < bottom; i++)
		atomic_init(&array->items[i & array->mask],
			    atomic_load_explicit(&old->items[i & old->mask], memory_order_relaxed));
	atomic_store_explicit(&deque->array, array, memory_order_release);
	return 0;
}
