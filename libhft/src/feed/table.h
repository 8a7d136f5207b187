/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A fixed number of nodes, found by a 64-bit key: a pool with a hash table of
 * indices (linear probing, at most half full, removal by shifting back, so no
 * tombstones).  Index 0 is nobody.
 */
#ifndef HFT_FEED_TABLE_H
#define HFT_FEED_TABLE_H

#include <stdint.h>

#include "../memory/internal.h"

/* What every node begins with. */
struct hft_node {
	uint64_t key;
	uint32_t next_free;
};

struct hft_table {
	uint32_t *slots;
	unsigned int shift;		/* 64 - log2(slots) */
	uint32_t mask;
	char *nodes;
	uint32_t node_size;
	uint32_t free;
	uint32_t used;
	struct hft_region region;	/* of all that */
};

#define HFT_TABLE_MAX	(1U << 30)

/* @nodes: 1 to HFT_TABLE_MAX.  @node: NUMA node or HFT_NONE.  Returns 0 or -ENOMEM. */
int hft_table_open(struct hft_table *table, uint32_t nodes, uint32_t node_size, uint32_t node);
void hft_table_close(struct hft_table *table);

/* Returns 0 if there is none. */
uint32_t hft_table_find(const struct hft_table *table, uint64_t key);

/* For a key that is not there.  Returns 0 if the table is full. */
uint32_t hft_table_add(struct hft_table *table, uint64_t key);

void hft_table_remove(struct hft_table *table, uint32_t index);

static inline void *hft_table_node(const struct hft_table *table, uint32_t index)
{
	return table->nodes + (uint64_t)index * table->node_size;
}

#endif /* HFT_FEED_TABLE_H */
