/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of memory share, and what others of the library take of it. */
#ifndef HFT_MEMORY_INTERNAL_H
#define HFT_MEMORY_INTERNAL_H

#include <hft/hft.h>
#include <hft/memory.h>

#include "../api.h"
#include "../options.h"

/*
 * For the library's own: on @node, or anywhere with %HFT_NONE; in place, but not locked, as
 * it is the application's to say what may be.  NULL for want of memory.
 */
void *hft_region_make(struct hft_region *region, size_t bytes, uint32_t node);

/*
 * As aligned_alloc(), to be freed by free(); with @home, 1 + a node, in pages of its own
 * there, as far as that has any.
 */
void *hft_memory_at(size_t align, size_t bytes, uint32_t home);

/* hft_region_check() of several, each on the same node. */
int hft_regions_check(const struct hft_region *const *regions, size_t nr,
		      struct hft_region_report *user_report);

/* The node of a CPU, or %HFT_NONE on a machine with one node: it is all the same there. */
uint32_t hft_node_of(uint32_t cpu);

#endif /* HFT_MEMORY_INTERNAL_H */
