// SPDX-License-Identifier: LGPL-2.1-or-later
/* The kernel's rbtree, used as hrtimer does: first node cached, node embedded. */
#include <stdbool.h>
#include <linux/rbtree.h>

#include "heap_bench.h"

struct entry {
	struct rb_node node;
	uint64_t key;
	uint64_t seq;
} __attribute__((aligned(CACHE_LINE)));

struct queue {
	struct rb_root_cached root;
};

static int queue_init(struct queue *q, size_t nr)
{
	(void)nr;
	q->root = RB_ROOT_CACHED;
	return 0;
}

static inline bool entry_before(struct rb_node *a, const struct rb_node *b)
{
	const struct entry *x = rb_entry(a, struct entry, node);
	const struct entry *y = rb_entry(b, struct entry, node);

	if (__builtin_expect(x->key == y->key, 0))
		return x->seq < y->seq;
	return x->key < y->key;
}

static inline void queue_push(struct queue *q, struct entry *entry, uint64_t key)
{
	entry->key = key;
	rb_add_cached(&entry->node, &q->root, entry_before);
}

static inline struct entry *queue_pop(struct queue *q, uint64_t *key)
{
	struct entry *entry = rb_entry(rb_first_cached(&q->root), struct entry, node);

	rb_erase_cached(&entry->node, &q->root);
	*key = entry->key;
	return entry;
}

#include "heap_work.h"

const struct contender contender_rbtree = { "rbtree", create, fill, hold, drain };
