/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the priority queues of the heap bench have in common.  Each is a file of
 * its own that defines "struct queue", "struct entry", queue_init(), queue_push()
 * and queue_pop() and then includes heap_work.h, so that the compiler sees the
 * queue and the work on it as one.
 */
#ifndef HFT_BENCH_HEAP_BENCH_H
#define HFT_BENCH_HEAP_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CACHE_LINE	64

/**
 * struct contender - one kind of priority queue
 * @name: what it is
 * @create: make one with room for @nr entries
 * @fill: push all entries
 * @hold: @ops times pop the first and push it again by @ahead[] later
 * @drain: pop all entries and look at each; returns a sum over their order
 */
struct contender {
	const char *name;
	void *(*create)(size_t nr);
	void (*fill)(void *bench, const uint64_t *key);
	void (*hold)(void *bench, const uint64_t *ahead, size_t ops);
	uint64_t (*drain)(void *bench);
};

extern const struct contender contender_hft;
extern const struct contender contender_std;
extern const struct contender contender_rbtree;

#ifdef __cplusplus
}
#endif

#endif /* HFT_BENCH_HEAP_BENCH_H */
