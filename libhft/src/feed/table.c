// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>

#include "table.h"

/* 2^64 divided by the golden ratio: keys that count up spread evenly. */
#define HFT_TABLE_MULTIPLIER	0x9e3779b97f4a7c15ULL

static uint64_t hft_table_key(const struct hft_table *table, uint32_t index)
{
	return ((const struct hft_node *)hft_table_node(table, index))->key;
}

static uint32_t hft_table_home(const struct hft_table *table, uint64_t key)
{
	return (uint32_t)(key * HFT_TABLE_MULTIPLIER >> table->shift);
}

int hft_table_open(struct hft_table *table, uint32_t nodes, uint32_t node_size, uint32_t node)
{
	unsigned int bits = 1;
	size_t size;
	uint32_t i;

	while ((1ULL << bits) < 2ULL * nodes)
		bits++;
	table->shift = 64 - bits;
	table->mask = (uint32_t)((1ULL << bits) - 1);
	table->node_size = node_size;
	size = sizeof(*table->slots) << bits;
	table->slots = hft_region_make(&table->region, size + (nodes + 1ULL) * node_size, node);
	if (!table->slots)
		return -ENOMEM;
	table->nodes = (char *)table->slots + size;
	for (i = 1; i < nodes; i++)
		((struct hft_node *)hft_table_node(table, i))->next_free = i + 1;
	table->free = 1;
	table->used = 0;
	return 0;
}

void hft_table_close(struct hft_table *table)
{
	hft_free_on(&table->region);
	table->slots = NULL;
	table->nodes = NULL;
}

uint32_t hft_table_find(const struct hft_table *table, uint64_t key)
{
	uint32_t slot = hft_table_home(table, key);
	uint32_t index;

	while ((index = table->slots[slot])) {
		if (hft_table_key(table, index) == key)
			return index;
		slot = (slot + 1) & table->mask;
	}
	return 0;
}

uint32_t hft_table_add(struct hft_table *table, uint64_t key)
{
	uint32_t slot = hft_table_home(table, key);
	uint32_t index = table->free;
	struct hft_node *node;

	if (!index)
		return 0;
	node = hft_table_node(table, index);
	table->free = node->next_free;
	node->key = key;
	while (table->slots[slot])
		slot = (slot + 1) & table->mask;
	table->slots[slot] = index;
	table->used++;
	return index;
}

/* Close the gap at @hole with what would no longer be found behind it. */
static void hft_table_shift_back(struct hft_table *table, uint32_t hole)
{
	uint32_t slot = hole;
	uint32_t index, home;

	for (;;) {
		slot = (slot + 1) & table->mask;
		index = table->slots[slot];
		if (!index)
			break;
		home = hft_table_home(table, hft_table_key(table, index));
		if (((slot - home) & table->mask) < ((slot - hole) & table->mask))
			continue;
		table->slots[hole] = index;
		hole = slot;
	}
	table->slots[hole] = 0;
}

void hft_table_remove(struct hft_table *table, uint32_t index)
{
	struct hft_node *node = hft_table_node(table, index);
	uint32_t slot = hft_table_home(table, node->key);

	while (table->slots[slot] != index)
		slot = (slot + 1) & table->mask;
	hft_table_shift_back(table, slot);
	node->next_free = table->free;
	table->free = index;
	table->used--;
}
