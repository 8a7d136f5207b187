// SPDX-License-Identifier: LGPL-2.1-or-later
/* std::priority_queue in the heap bench, with the same order among equal keys. */
#include <new>
#include <queue>
#include <vector>

#include "heap_bench.h"

namespace {

struct entry {
	uint64_t seq;
} __attribute__((aligned(CACHE_LINE)));

struct element {
	uint64_t key;
	struct entry *entry;
};

struct after {
	bool operator()(const element &a, const element &b) const
	{
		if (__builtin_expect(a.key == b.key, 0))
			return a.entry->seq > b.entry->seq;
		return a.key > b.key;
	}
};

struct reserved : std::priority_queue<element, std::vector<element>, after> {
	void reserve(size_t nr)
	{
		c.reserve(nr);
	}
};

struct queue {
	reserved *q;
};

int queue_init(struct queue *q, size_t nr)
{
	q->q = new (std::nothrow) reserved;
	if (!q->q)
		return -1;
	q->q->reserve(nr);
	return 0;
}

inline void queue_push(struct queue *q, struct entry *entry, uint64_t key)
{
	q->q->push({ key, entry });
}

inline struct entry *queue_pop(struct queue *q, uint64_t *key)
{
	element top = q->q->top();

	q->q->pop();
	*key = top.key;
	return top.entry;
}


#include "heap_work.h"

} /* namespace */

const struct contender contender_std = { "std::priority_queue", create, fill, hold, drain };
