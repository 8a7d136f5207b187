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
#define HFT_HEAP_NONE		U32_MAX		/* no node is there: they are aligned */

/* Nodes before the root, which bring its children to the start of a line. */
#define HFT_HEAP_PAD		(HFT_HEAP_ARITY - 1)

/**
 * struct hft_heap_item - embedded in what is in a heap
 * @seq: order among equal keys, set by the caller; unique in a heap
 * @pos: lower half of the address of the item's node, %HFT_HEAP_NONE outside a heap
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

static inline void hft_heap_place(struct hft_heap_node *node, struct hft_heap_node what)
{
	*node = what;
	what.item->pos = lower_32_bits((uintptr_t)node);
}

/* Where @item is: a heap is smaller than what half an address can tell. */
static inline struct hft_heap_node *hft_heap_where(const struct hft_heap *h,
						   const struct hft_heap_item *item)
{
	u32 offset = item->pos - lower_32_bits((uintptr_t)h->node);

	return (struct hft_heap_node *)((uintptr_t)h->node + offset);
}

static inline struct hft_heap_node *hft_heap_parent(struct hft_heap_node *root,
						    struct hft_heap_node *node)
{
	uintptr_t offset = (uintptr_t)(node - 1) - (uintptr_t)root;

	return (struct hft_heap_node *)((uintptr_t)root +
					(offset / HFT_HEAP_ARITY & -sizeof(*root)));
}

/* The first of a node's children: of those near the end of a heap it is beyond that. */
static inline struct hft_heap_node *hft_heap_child(struct hft_heap_node *root,
						   struct hft_heap_node *node)
{
	/* root + (node - root) * 4 + 1, of which all but the node stays the same on a way down */
	return (struct hft_heap_node *)((uintptr_t)node * HFT_HEAP_ARITY -
					((uintptr_t)root * (HFT_HEAP_ARITY - 1) - sizeof(*root)));
}

/* Move @hole towards the root, as far as @what has to go. */
static inline void hft_heap_up(struct hft_heap *h, struct hft_heap_node *hole,
			       struct hft_heap_node what)
{
	struct hft_heap_node *root = h->node, *parent;

	while (hole != root) {
		parent = hft_heap_parent(root, hole);
		if (what.key > parent->key)
			break;
		if (unlikely(what.key == parent->key) && what.item->seq > parent->item->seq)
			break;
		hft_heap_place(hole, *parent);
		hole = parent;
	}
	hft_heap_place(hole, what);
}

/* Of the children from @child to @end, the one that goes first. */
static inline struct hft_heap_node *hft_heap_first(struct hft_heap_node *child,
						   struct hft_heap_node *end)
{
	struct hft_heap_node *first = child;

	while (++child < end)
		if (hft_heap_before(child, first))
			first = child;
	return first;
}

/*
 * Likewise of four.  No branch depends on which it is: that is a coin's toss, and a
 * wrong guess a level would cost more than the rest.  Two keys are asked whether they
 * are equal and which is less in that order, so that one comparison answers both.
 */
static inline struct hft_heap_node *hft_heap_first_of_4(struct hft_heap_node *child)
{
	struct hft_heap_node *a, *b;

	if (unlikely(child[1].key == child[0].key))
		goto equal;
	a = child[1].key < child[0].key ? child + 1 : child;
	if (unlikely(child[3].key == child[2].key))
		goto equal;
	b = child[3].key < child[2].key ? child + 3 : child + 2;
	/* Or the compiler makes a branch of it to have the keys at hand. */
	OPTIMIZER_HIDE_VAR(b);
	if (unlikely(b->key == a->key))
		goto equal;
	a = b->key < a->key ? b : a;
	OPTIMIZER_HIDE_VAR(a);
	return a;
equal:
	return hft_heap_first(child, child + HFT_HEAP_ARITY);
}

/* Move @hole to a leaf: the way down rarely ends before one. */
static inline struct hft_heap_node *hft_heap_sink(struct hft_heap *h, struct hft_heap_node *hole)
{
	struct hft_heap_node *root = h->node, *end = root + h->nr;
	struct hft_heap_node *child = hft_heap_child(root, hole), *first;

	while (child <= end - HFT_HEAP_ARITY) {
		first = hft_heap_first_of_4(child);
		hft_heap_place(hole, *first);
		hole = first;
		child = hft_heap_child(root, hole);
	}
	if (child < end) {
		first = hft_heap_first(child, end);
		hft_heap_place(hole, *first);
		hole = first;
	}
	return hole;
}

/* Close @hole with the last node, another one, which @h->nr no longer counts. */
static inline void hft_heap_close(struct hft_heap *h, struct hft_heap_node *hole)
{
	hft_heap_up(h, hft_heap_sink(h, hole), h->node[h->nr]);
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

	hft_heap_up(h, h->node + h->nr++, node);
}

/**
 * hft_heap_remove() - take an item out of the heap it is in
 * @h: heap
 * @item: item
 */
static inline void hft_heap_remove(struct hft_heap *h, struct hft_heap_item *item)
{
	struct hft_heap_node *hole = hft_heap_where(h, item);

	item->pos = HFT_HEAP_NONE;
	h->nr--;
	if (hole != &h->node[h->nr])
		hft_heap_close(h, hole);
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
	if (--h->nr)
		hft_heap_close(h, h->node);
	return item;
}

/**
 * hft_heap_move() - give a heap other memory
 * @h: heap
 * @mem: hft_heap_bytes() bytes, aligned to %HFT_HEAP_ALIGN
 * @capacity: most items at a time, at least those there are
 *
 * What it had before is the caller's to free.
 */
static inline void hft_heap_move(struct hft_heap *h, void *mem, u32 capacity)
{
	struct hft_heap from = *h;

	hft_heap_init(h, mem, capacity);
	for (; h->nr < from.nr; h->nr++)
		hft_heap_place(&h->node[h->nr], from.node[h->nr]);
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

	hft_heap_up(h, hft_heap_sink(h, hft_heap_where(h, item)), node);
}

#endif /* HFT_CORE_HEAP_H */
