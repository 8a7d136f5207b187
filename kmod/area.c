// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory on a node, of whole pages and no more: kvmalloc() rounds up what is not small,
 * to a power of two or to huge pages.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "hft.h"

/**
 * hft_area_free() - free memory
 * @area: where it is; of zeroes from here on, as which it may be freed again
 */
void hft_area_free(struct hft_area *area)
{
	u32 i;

	vunmap(area->start);
	for (i = 0; i < area->nr_pages && area->pages[i]; i++)
		__free_page(area->pages[i]);
	kvfree(area->pages);
	*area = (struct hft_area){};
}

/**
 * hft_area_alloc() - allocate memory
 * @area: what it is put in
 * @bytes: how much, at least 1
 * @node: where, %NUMA_NO_NODE: anywhere
 * @gfp: of the pages
 * @flags: of the mapping, beside %VM_MAP
 *
 * Return: 0, or -ENOMEM and @area is of zeroes.
 */
int hft_area_alloc(struct hft_area *area, size_t bytes, int node, gfp_t gfp, unsigned long flags)
{
	u32 i, nr_pages = PFN_UP(bytes);

	*area = (struct hft_area){};
	area->pages = kvcalloc(nr_pages, sizeof(*area->pages), gfp & ~__GFP_ZERO);
	if (!area->pages)
		return -ENOMEM;
	area->nr_pages = nr_pages;

	for (i = 0; i < area->nr_pages; i++) {
		area->pages[i] = alloc_pages_node(node, gfp, 0);
		if (!area->pages[i])
			goto free;
	}
	area->start = vmap(area->pages, area->nr_pages, VM_MAP | flags, PAGE_KERNEL);
	if (area->start)
		return 0;
free:
	hft_area_free(area);
	return -ENOMEM;
}
