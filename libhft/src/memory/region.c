// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Memory on a node.  The system calls are made directly: a static program has no use for
 * libnuma, which looks at the machine before main().
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/mempolicy.h>

#include "internal.h"

/* Since Linux 5.14, and not in every libc's headers. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

/* Of a mask for mbind(2). */
#define NODES_MOST	1024
#define WORD_BITS	(8 * sizeof(unsigned long))

/* No huge page is smaller. */
#define LARGE		(1UL << 20)

#define ALLOC_FLAGS	(HFT_ALLOC_NO_HUGE | HFT_ALLOC_NO_PREFAULT | HFT_ALLOC_NO_LOCK | \
			 HFT_ALLOC_STRICT)

static size_t round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) / to * to;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* What MAP_HUGETLB takes by default; 0: the kernel has none. */
static size_t huge_size(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file) && sscanf(line, "Hugepagesize: %lu kB", &kib) != 1)
		;
	fclose(file);
	return kib << 10;
}

static void *map(size_t bytes, int flags)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
		    0);
}

static int bind_pages(void *memory, size_t bytes, uint32_t node, int policy, unsigned int flags)
{
	unsigned long mask[NODES_MOST / WORD_BITS] = {};

	if (node >= NODES_MOST)
		return -EINVAL;
	mask[node / WORD_BITS] |= 1UL << node % WORD_BITS;
	if (syscall(SYS_mbind, memory, bytes, policy, mask, NODES_MOST + 1UL, flags))
		return -errno;
	return 0;
}

static int bind(const struct hft_region *region, bool strict)
{
	if (region->node == HFT_NONE)
		return strict ? -ENODEV : 0;
	return bind_pages(region->base, region->mapped, region->node,
			  strict ? MPOL_BIND : MPOL_PREFERRED, 0);
}

/* A page at a time where the kernel is older. */
static int touch(const struct hft_region *region)
{
	size_t page = page_size(), at;

	for (at = 0; at < region->bytes; at += page)
		((volatile char *)region->memory)[at] = 0;
	return 0;
}

static int prefault(const struct hft_region *region)
{
	size_t bytes = round_up(region->bytes, page_size());

	if (!madvise(region->memory, bytes, MADV_POPULATE_WRITE))
		return 0;
	return errno == EINVAL ? touch(region) : -errno;
}

static void unmap(struct hft_region *region)
{
	munmap(region->base, region->mapped);
	region->base = region->memory = NULL;
	region->mapped = 0;
	region->has = 0;
}

static void set_bound(struct hft_region *region, bool strict)
{
	region->bind_error = bind(region, strict);
	if (!region->bind_error && region->node != HFT_NONE)
		region->has |= HFT_REGION_BOUND;
}

/*
 * Huge pages of the pool.  They are in place at once: one that is not there, of a pool that
 * has too few on the node, would be a SIGBUS.
 */
static int map_hugetlb(struct hft_region *region, size_t bytes, size_t huge, bool strict)
{
	int err;

	region->mapped = round_up(bytes, huge);
	region->base = map(region->mapped, MAP_HUGETLB);
	if (region->base == MAP_FAILED)
		return -errno;
	region->memory = region->base;
	set_bound(region, strict);
	err = madvise(region->memory, region->mapped, MADV_POPULATE_WRITE) ? -errno : 0;
	if (err) {
		unmap(region);
		return err;
	}
	region->has |= HFT_REGION_HUGETLB | HFT_REGION_PREFAULTED;
	return 0;
}

/* @align: a multiple of the page size.  What is before and behind is not touched. */
static int map_plain(struct hft_region *region, size_t bytes, size_t align, bool strict)
{
	size_t spare = align > page_size() ? align : 0;

	region->mapped = round_up(bytes, align) + spare;
	region->base = map(region->mapped, MAP_NORESERVE);
	if (region->base == MAP_FAILED) {
		region->base = NULL;
		return -ENOMEM;
	}
	region->memory = (void *)round_up((uintptr_t)region->base, align);
	set_bound(region, strict);
	return 0;
}

/* Where the system makes huge pages of all memory, too. */
static int map_small(struct hft_region *region, bool strict)
{
	int err = map_plain(region, region->bytes, page_size(), strict);

	if (!err && region->bytes >= LARGE)
		madvise(region->base, region->mapped, MADV_NOHUGEPAGE);
	return err;
}

static int map_region(struct hft_region *region, const struct hft_alloc_opts *opts)
{
	bool large = region->bytes >= LARGE && !(opts->flags & HFT_ALLOC_NO_HUGE);
	size_t huge = large ? huge_size() : 0;
	bool strict = opts->flags & HFT_ALLOC_STRICT;
	int err;

	if (!huge || region->bytes < huge)
		return large ? map_plain(region, region->bytes, page_size(), strict) :
			       map_small(region, strict);
	region->hugetlb_error = opts->flags & HFT_ALLOC_NO_PREFAULT ? -EOPNOTSUPP :
				map_hugetlb(region, region->bytes, huge, strict);
	if (!region->hugetlb_error)
		return 0;
	err = map_plain(region, region->bytes, huge, strict);
	if (err)
		return err;
	region->thp_error = madvise(region->memory, round_up(region->bytes, huge),
				    MADV_HUGEPAGE) ? -errno : 0;
	if (!region->thp_error)
		region->has |= HFT_REGION_THP;
	return 0;
}

static void settle(struct hft_region *region, const struct hft_alloc_opts *opts)
{
	if (!(opts->flags & HFT_ALLOC_NO_PREFAULT) && !(region->has & HFT_REGION_PREFAULTED)) {
		region->prefault_error = prefault(region);
		if (!region->prefault_error)
			region->has |= HFT_REGION_PREFAULTED;
	}
	if (opts->flags & HFT_ALLOC_NO_LOCK)
		return;
	region->lock_error = mlock(region->memory, region->bytes) ? -errno : 0;
	if (!region->lock_error)
		region->has |= HFT_REGION_LOCKED;
}

static uint32_t choose_node(const struct hft_alloc_opts *opts)
{
	int cpu = opts->cpu ? (int)opts->cpu - 1 : sched_getcpu();
	int node;

	if (opts->node)
		return opts->node - 1;
	node = cpu < 0 ? -1 : hft_cpu_node((uint32_t)cpu);
	return node < 0 ? HFT_NONE : (uint32_t)node;
}

static int alloc_region(struct hft_region *region, const struct hft_alloc_opts *opts)
{
	bool strict = opts->flags & HFT_ALLOC_STRICT;
	int err;

	err = map_region(region, opts);
	if (err)
		return hft_fail(ENOMEM, "a region of %zu bytes", region->bytes);
	if (strict && region->bind_error) {
		err = region->bind_error;
		unmap(region);
		return hft_fail(-err, "a region on node %u", region->node);
	}
	settle(region, opts);
	if (region->prefault_error && (strict || region->prefault_error == -ENOMEM)) {
		err = region->prefault_error;
		unmap(region);
		return hft_fail(-err, "a region of %zu bytes on node %u", region->bytes,
				region->node);
	}
	return 0;
}

/**
 * hft_alloc_on() - memory on a node
 * @user_region: sz is set; the rest is filled in, as far as the caller knows it
 * @bytes: how many, at least 1
 * @user_opts: options, or NULL: on the node of the CPU that the caller runs on
 *
 * The kernel is told of the node (mbind(2)), which it keeps to with %HFT_ALLOC_STRICT and
 * prefers without.  What has a huge page's size is taken of their pool, else of transparent
 * ones, else of plain ones.  It is written to, so that it is in place, and locked.
 *
 * Return: 0, -EINVAL no bytes, sz is none or the node can not be, -E2BIG options of a newer
 * library, -ENOMEM, and with %HFT_ALLOC_STRICT -ENODEV the machine tells of no node, or why
 * the kernel refuses.
 */
HFT_API int hft_alloc_on(struct hft_region *user_region, size_t bytes,
			 const struct hft_alloc_opts *user_opts)
{
	struct hft_region region = { .bytes = bytes };
	struct hft_alloc_opts opts;
	int err = hft_check_answer(user_region);

	if (!err)
		err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (user_region->sz < sizeof(region))
		return hft_fail(EINVAL, "a region of %zu bytes has no room for itself",
				user_region->sz);
	if (!bytes || bytes > SIZE_MAX / 2)
		return hft_fail(EINVAL, "a region of %zu bytes", bytes);
	if (opts.flags & ~ALLOC_FLAGS)
		return hft_fail(EINVAL, "unknown flags 0x%x of a region", opts.flags);
	if (opts.reserved)
		return hft_fail(EINVAL, "a region's reserved option is not zero");
	region.node = choose_node(&opts);
	err = alloc_region(&region, &opts);
	hft_answer(user_region, &region, sizeof(region));
	return err;
}

/**
 * hft_free_on() - give a region back
 * @region: of hft_alloc_on(); without memory, or NULL, nothing happens
 */
HFT_API void hft_free_on(struct hft_region *region)
{
	if (region && region->base)
		unmap(region);
}

void *hft_region_make(struct hft_region *region, size_t bytes, uint32_t node)
{
	HFT_OPTS(hft_alloc_opts, opts, .flags = HFT_ALLOC_NO_LOCK);

	*region = (struct hft_region){ .bytes = bytes, .node = node };
	region->sz = sizeof(*region);
	return alloc_region(region, &opts) ? NULL : region->memory;
}

void *hft_memory_at(size_t align, size_t bytes, uint32_t home)
{
	void *memory;

	if (home) {
		align = align < page_size() ? page_size() : align;
		bytes = round_up(bytes, align);
	}
	memory = aligned_alloc(align, round_up(bytes, align));
	/* What was another's may be on another node: it moves.  A hint: it works without. */
	if (memory && home)
		bind_pages(memory, bytes, home - 1, MPOL_PREFERRED, MPOL_MF_MOVE);
	return memory;
}
