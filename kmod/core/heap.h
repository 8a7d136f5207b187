/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Implicit 4-ary min-heap with the keys in the array.
 *
 * The root is the last of the first four nodes, so the four children of a node
 * fill exactly one cache line, and the half as many levels as of a binary heap
 * cost one line each.  An item knows its place, so it can be removed in
 * O(log n).  Equal keys leave in the order of their items' sequence numbers,
 * which are looked at only then.
 *
 * The caller gives the memory and the lock, and pushes no more than there is
 * room for.
 */
#ifndef HFT_CORE_HEAP_H
#define HFT_CORE_HEAP_H

#include "types.h"

#define HFT_HEAP_ALIGN		64
#define HFT_HEAP_ARITY		4
#define HFT_HEAP_NONE		U32_MAX

/* Nodes before the root, which bring its children to the start of a line. */
#define HFT_HEAP_PAD		(HFT_HEAP_ARITY - 1)

/**
 * struct hft_heap_item - embedded in what is in a heap
 * @seq: order among equal keys, set by the caller; unique in a heap
 * @pos: index of the item's node, %HFT_HEAP_NONE outside a heap
 * @link: the owner's, who would have padding here
 */
struct hft_heap_item {
	u64 seq;
	u32 pos;
	u32 link;
};

/**
 * struct hft_heap_node - an element of the heap's array
 * @key: the smallest is at the root
 * @item: what has the key
 */
struct hft_heap_node {
	u64 key;
	struct hft_heap_item *item;
};

/**
 * struct hft_heap - a heap
 * @node: the root's node
 * @nr: items in the heap
 * @capacity: most items the memory has room for
 */
struct hft_heap {
	struct hft_heap_node *node;
	u32 nr;
	u32 capacity;
};

/**
 * hft_heap_bytes() - how much memory a heap needs
 * @capacity: most items at a time
 */
static inline size_t hft_heap_bytes(u32 capacity)
{
	size_t bytes = ((size_t)capacity + HFT_HEAP_PAD) * sizeof(struct hft_heap_node);

	return (bytes + HFT_HEAP_ALIGN - 1) / HFT_HEAP_ALIGN * HFT_HEAP_ALIGN;
}

/**
 * hft_heap_init() - make an empty heap
 * @h: heap
 * @mem: hft_heap_bytes() bytes, aligned to %HFT_HEAP_ALIGN
 * @capacity: most items at a time
 */
static inline void hft_heap_init(struct hft_heap *h, void *mem, u32 capacity)
{
	h->node = (struct hft_heap_node *)mem + HFT_HEAP_PAD;
	h->nr = 0;
	h->capacity = capacity;
}

/**
 * hft_heap_item_init() - mark an item as in no heap
 * @item: item
 */
static inline void hft_heap_item_init(struct hft_heap_item *item)
{
	item->pos = HFT_HEAP_NONE;
}

/**
 * hft_heap_contains() - is an item in a heap?
 * @item: item
 */
static inline bool hft_heap_contains(const struct hft_heap_item *item)
{
	return item->pos != HFT_HEAP_NONE;
}

/**
 * hft_heap_empty() - is nothing in a heap?
 * @h: heap
 */
static inline bool hft_heap_empty(const struct hft_heap *h)
{
	return !h->nr;
}

/**
 * hft_heap_min_key() - the smallest key; U64_MAX when the heap is empty
 * @h: heap
 */
static inline u64 hft_heap_min_key(const struct hft_heap *h)
{
	return h->nr ? h->node[0].key : U64_MAX;
}

/**
 * hft_heap_min() - the item that pop would take; NULL when the heap is empty
 * @h: heap
 */
static inline struct hft_heap_item *hft_heap_min(const struct hft_heap *h)
{
	return h->nr ? h->node[0].item : NULL;
}

static inline bool hft_heap_before(const struct hft_heap_node *a, const struct hft_heap_node *b)
{
	if (unlikely(a->key == b->key))
		return a->item->seq < b->item->seq;
	return a->key < b->key;
}

static inline void hft_heap_place(struct hft_heap_node *node, u32 pos, struct hft_heap_node what)
{
	node[pos] = what;
	what.item->pos = pos;
}

static inline u32 hft_heap_parent(u32 pos)
{
	return (pos - 1) / HFT_HEAP_ARITY;
}

/* 64 bits wide: the children of a node near the end of a full heap */
static inline u64 hft_heap_child(u64 pos)
{
	return pos * HFT_HEAP_ARITY + 1;
}

/* Move the hole at @pos towards the root, as far as @what has to go. */
static inline void hft_heap_up(struct hft_heap *h, u32 pos, struct hft_heap_node what)
{
	struct hft_heap_node *node = h->node;
	u32 parent;

	while (pos) {
		parent = hft_heap_parent(pos);
		if (!hft_heap_before(&what, &node[parent]))
			break;
		hft_heap_place(node, pos, node[parent]);
		pos = parent;
	}
	hft_heap_place(node, pos, what);
}

/* Of @nr children from @child on, the one that goes first. */
static inline u32 hft_heap_first(const struct hft_heap_node *node, u32 child, u32 nr)
{
	u32 first = child;
	u32 i;

	for (i = child + 1; i < child + nr; i++)
		if (hft_heap_before(&node[i], &node[first]))
			first = i;
	return first;
}

/*
 * Likewise of four.  No branch depends on which it is: that is a coin's toss, and
 * a wrong guess a level would cost more than the rest.
 */
static inline u32 hft_heap_first_of_4(const struct hft_heap_node *node, u32 child)
{
	const struct hft_heap_node *n = &node[child];
	u64 k0 = n[0].key, k1 = n[1].key, k2 = n[2].key, k3 = n[3].key;
	u64 k01 = k1 < k0 ? k1 : k0;
	u64 k23 = k3 < k2 ? k3 : k2;
	u32 i01 = k1 < k0;
	u32 i23 = 2 + (k3 < k2);

	if (unlikely((k0 == k1) | (k2 == k3) | (k01 == k23)))
		return hft_heap_first(node, child, HFT_HEAP_ARITY);
	return child + (i01 ^ ((i01 ^ i23) & -(u32)(k23 < k01)));
}

/* Move the hole at @pos to a leaf: the way down rarely ends before one. */
static inline u32 hft_heap_sink(struct hft_heap *h, u32 pos)
{
	struct hft_heap_node *node = h->node;
	const u32 nr = h->nr;
	u64 child = hft_heap_child(pos);
	u32 first;

	while (child + HFT_HEAP_ARITY <= nr) {
		first = hft_heap_first_of_4(node, (u32)child);
		hft_heap_place(node, pos, node[first]);
		pos = first;
		child = hft_heap_child(pos);
	}
	if (child < nr) {
		first = hft_heap_first(node, (u32)child, nr - (u32)child);
		hft_heap_place(node, pos, node[first]);
		pos = first;
	}
	return pos;
}

/* Close the hole at @pos with the last node, which @h->nr no longer counts. */
static inline void hft_heap_close(struct hft_heap *h, u32 pos)
{
	if (pos != h->nr)
		hft_heap_up(h, hft_heap_sink(h, pos), h->node[h->nr]);
}

/**
 * hft_heap_push() - add an item
 * @h: heap with room for it
 * @item: in no heap, with its seq set
 * @key: its key
 */
static inline void hft_heap_push(struct hft_heap *h, struct hft_heap_item *item, u64 key)
{
	struct hft_heap_node node = { .key = key, .item = item };

	hft_heap_up(h, h->nr++, node);
}

/**
 * hft_heap_remove() - take an item out of the heap it is in
 * @h: heap
 * @item: item
 */
static inline void hft_heap_remove(struct hft_heap *h, struct hft_heap_item *item)
{
	u32 pos = item->pos;

	item->pos = HFT_HEAP_NONE;
	h->nr--;
	hft_heap_close(h, pos);
}

/**
 * hft_heap_pop() - take the item with the smallest key
 * @h: heap
 *
 * Returns the item, NULL when the heap is empty.
 */
static inline struct hft_heap_item *hft_heap_pop(struct hft_heap *h)
{
	struct hft_heap_item *item = hft_heap_min(h);

	if (!item)
		return NULL;
	/* Not hft_heap_remove(): nothing here waits for the item's cache line. */
	item->pos = HFT_HEAP_NONE;
	h->nr--;
	hft_heap_close(h, 0);
	return item;
}

/**
 * hft_heap_update() - change the key of an item
 * @h: heap
 * @item: in the heap
 * @key: its new key
 */
static inline void hft_heap_update(struct hft_heap *h, struct hft_heap_item *item, u64 key)
{
	struct hft_heap_node node = { .key = key, .item = item };

	hft_heap_up(h, hft_heap_sink(h, item->pos), node);
}

#endif /* HFT_CORE_HEAP_H */
