// SPDX-License-Identifier: LGPL-2.1-or-later
/* The memory of slabs. */
#include <stdlib.h>
#include <string.h>

#include "../memory/internal.h"
#include "slab.h"

/**
 * hft_slab_init() - make an empty slab
 * @slab: slab
 * @size: of an object, a multiple of 64, at most half a chunk
 */
void hft_slab_init(struct hft_slab *slab, size_t size)
{
	*slab = (struct hft_slab){ .size = size };
}

/* No object of it is used any more. */
void hft_slab_exit(struct hft_slab *slab)
{
	struct hft_slab_chunk *chunk = slab->chunks;
	struct hft_slab_chunk *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	slab->chunks = NULL;
}

static int add_chunk(struct hft_slab *slab)
{
	struct hft_slab_chunk *chunk = hft_memory_at(HFT_SLAB_CHUNK, HFT_SLAB_CHUNK, slab->home);
	size_t objects = (HFT_SLAB_CHUNK - sizeof(*chunk)) / slab->size;

	if (!chunk)
		return -1;
	/* Also has the memory in place. */
	memset(chunk, 0, HFT_SLAB_CHUNK);
	chunk->slab = slab;
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	slab->fresh = (char *)(chunk + 1);
	slab->end = slab->fresh + objects * slab->size;
	atomic_fetch_add_explicit(&slab->objects, objects, memory_order_relaxed);
	return 0;
}

/* An object when the list is empty: one that came back, or a new one, or NULL. */
void *hft_slab_refill(struct hft_slab *slab)
{
	void *object = NULL;

	if (atomic_load_explicit(&slab->returned, memory_order_relaxed))
		/* Pairs with the release in hft_slab_return(): what its last user wrote. */
		object = atomic_exchange_explicit(&slab->returned, NULL, memory_order_acquire);
	if (object) {
		slab->free = *(void **)object;
		return object;
	}
	if (slab->fresh == slab->end && add_chunk(slab))
		return NULL;
	object = slab->fresh;
	slab->fresh += slab->size;
	return object;
}

/* As who is not the owner. */
void hft_slab_return(struct hft_slab *slab, void *object)
{
	void *first = atomic_load_explicit(&slab->returned, memory_order_relaxed);

	do {
		*(void **)object = first;
	} while (!atomic_compare_exchange_weak_explicit(&slab->returned, &first, object,
							memory_order_release,
							memory_order_relaxed));
}
