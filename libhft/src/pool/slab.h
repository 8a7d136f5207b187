/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects of one size for one thread, its owner, which other threads give back.
 *
 * The owner takes from and gives to a list of its own; the others push what they give
 * back on a stack, which the owner takes whole when its list is empty.  An object knows
 * its slab by its address.  Memory is given to the system by hft_slab_exit() alone: so a
 * stale pointer to an object still points to an object.
 *
 * Taking and giving are wait-free for the owner but for new memory, and lock-free for
 * others.
 */
#ifndef HFT_POOL_SLAB_H
#define HFT_POOL_SLAB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HFT_SLAB_CHUNK	65536

struct hft_slab_chunk {
	struct hft_slab *slab;
	struct hft_slab_chunk *next;
} __attribute__((aligned(64)));

/**
 * struct hft_slab - objects
 * @free: the owner's list; an object that is free begins with the next one
 * @fresh: the first object of the newest chunk that was never taken
 * @end: of that chunk
 * @size: of an object, a multiple of 64
 * @home: 1 + the NUMA node of its memory, or 0: anywhere
 * @chunks: all memory
 * @objects: how many there are in @chunks
 * @returned: what others have given back
 */
struct hft_slab {
	void *free;
	char *fresh;
	char *end;
	size_t size;
	uint32_t home;
	struct hft_slab_chunk *chunks;
	_Atomic size_t objects;
	_Atomic(void *) returned __attribute__((aligned(64)));
};

void hft_slab_init(struct hft_slab *slab, size_t size);
void hft_slab_exit(struct hft_slab *slab);
void *hft_slab_refill(struct hft_slab *slab);
void hft_slab_return(struct hft_slab *slab, void *object);

static inline void *hft_slab_take(struct hft_slab *slab)
{
	void *object = slab->free;

	if (__builtin_expect(!object, 0))
		return hft_slab_refill(slab);
	slab->free = *(void **)object;
	return object;
}

static inline struct hft_slab *hft_slab_of(const void *object)
{
	uintptr_t chunk = (uintptr_t)object & ~((uintptr_t)HFT_SLAB_CHUNK - 1);

	return ((const struct hft_slab_chunk *)chunk)->slab;
}

/* Give an object back, as who owns @own, or NULL. */
static inline void hft_slab_give(struct hft_slab *own, void *object)
{
	struct hft_slab *slab = hft_slab_of(object);

	if (__builtin_expect(slab == own, 1)) {
		*(void **)object = slab->free;
		slab->free = object;
	} else {
		hft_slab_return(slab, object);
	}
}

#endif /* HFT_POOL_SLAB_H */
