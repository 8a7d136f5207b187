/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory where it is used: on a NUMA node, in huge pages where there are any, in place and
 * locked; and what became of that.
 *
 * What can not be had is done without, and why is told: a region is there unless there is
 * no memory at all, or %HFT_ALLOC_STRICT says otherwise.
 *
 * Any thread, each region one at a time.  All calls enter the kernel, and none is for the
 * hot path.
 */
#ifndef HFT_MEMORY_H
#define HFT_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <hft/topology.h>

#ifdef __cplusplus
extern "C" {
#endif

/* hft_alloc_opts.flags */
#define HFT_ALLOC_NO_HUGE	(1U << 0)	/* plain pages */
#define HFT_ALLOC_NO_PREFAULT	(1U << 1)	/* a page is in place once it is touched */
#define HFT_ALLOC_NO_LOCK	(1U << 2)	/* it may be swapped out */
#define HFT_ALLOC_STRICT	(1U << 3)	/* nowhere but on its node */

struct hft_alloc_opts {
	size_t sz;
	uint32_t node;			/* 1 + the node; 0: of @cpu */
	uint32_t cpu;			/* 1 + a CPU; 0: that the caller runs on */
	uint32_t flags;			/* HFT_ALLOC_* */
	uint32_t reserved;		/* 0 */
};

/* hft_region.has */
#define HFT_REGION_BOUND	(1U << 0)	/* the kernel knows its node */
#define HFT_REGION_HUGETLB	(1U << 1)	/* of the pool of huge pages */
#define HFT_REGION_THP		(1U << 2)	/* the kernel makes huge pages of it if it can */
#define HFT_REGION_PREFAULTED	(1U << 3)
#define HFT_REGION_LOCKED	(1U << 4)

/**
 * struct hft_region - memory
 * @sz: the size of this
 * @memory: it, of zeroes, from the beginning of a page on; NULL: none
 * @bytes: that were asked for
 * @node: that was asked for, or %HFT_NONE: the machine tells of no nodes
 * @has: HFT_REGION_*
 * @bind_error: 0, or a negative errno: why it is not bound
 * @hugetlb_error: why it is not of the pool of huge pages
 * @thp_error: why the kernel does not make huge pages of it
 * @prefault_error: why not all of it is in place
 * @lock_error: why it is not locked
 * @base: of the mapping
 * @mapped: bytes of that
 */
struct hft_region {
	size_t sz;
	void *memory;
	size_t bytes;
	uint32_t node;
	uint32_t has;
	int bind_error;
	int hugetlb_error;
	int thp_error;
	int prefault_error;
	int lock_error;
	void *base;
	size_t mapped;
};

int hft_alloc_on(struct hft_region *region, size_t bytes, const struct hft_alloc_opts *opts);
void hft_free_on(struct hft_region *region);

/**
 * struct hft_region_report - where memory is, as the kernel tells
 * @sz: the size of this
 * @pages: of the system's size
 * @on_node: of those on the region's node
 * @elsewhere: on others
 * @absent: not in place
 * @unknown: the kernel does not tell
 * @huge_bytes: in huge pages
 * @locked_bytes: that can not be swapped out
 * @text: all that as text, with the reason for each thing that could not be had
 */
struct hft_region_report {
	size_t sz;
	uint64_t pages;
	uint64_t on_node;
	uint64_t elsewhere;
	uint64_t absent;
	uint64_t unknown;
	uint64_t huge_bytes;
	uint64_t locked_bytes;
	char text[320];
};

int hft_region_check(const struct hft_region *region, struct hft_region_report *report);
int hft_cpu_node(uint32_t cpu);

#ifdef __cplusplus
}
#endif

#endif /* HFT_MEMORY_H */
