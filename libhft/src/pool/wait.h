/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for something without keeping a worker from its tasks. */
#ifndef HFT_POOL_WAIT_H
#define HFT_POOL_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <hft/pool.h>

/* Of a word that says that something is done. */
#define HFT_WAIT_DONE		1U
#define HFT_WAIT_AWAITED	2U

/* hft_group.ended, and what its sums count by */
#define HFT_GROUP_AWAITED	1U
#define HFT_GROUP_TASK		2U

/**
 * struct hft_wait_for - what somebody waits for
 * @word: futex
 * @mask: it is over when these bits of it are
 * @over: that; not of a group
 * @awaited: the bit that says that somebody waits
 * @group: it is over when all of its tasks have ended; or NULL
 */
struct hft_wait_for {
	_Atomic uint32_t *word;
	uint32_t mask;
	uint32_t over;
	uint32_t awaited;
	const struct hft_group *group;
};

/* Twice the tasks of a group. */
static inline uint32_t hft_group_spawned(const struct hft_group *group)
{
	return __atomic_load_n(&group->own, __ATOMIC_RELAXED) +
	       __atomic_load_n(&group->other, __ATOMIC_RELAXED);
}

static inline struct hft_wait_for hft_wait_for_done(_Atomic uint32_t *word)
{
	return (struct hft_wait_for){
		.word = word,
		.mask = HFT_WAIT_DONE,
		.over = HFT_WAIT_DONE,
		.awaited = HFT_WAIT_AWAITED,
	};
}

/*
 * Is it over, if its word has @value?  That was loaded with acquire semantics: so what
 * tasks that have ended have spawned before is in the sum.
 */
static inline bool hft_wait_is_over_at(const struct hft_wait_for *wait, uint32_t value)
{
	return (value & wait->mask) == (wait->group ? hft_group_spawned(wait->group) : wait->over);
}

static inline bool hft_wait_is_over(const struct hft_wait_for *wait)
{
	return hft_wait_is_over_at(wait, atomic_load_explicit(wait->word, memory_order_acquire));
}

/* work.c */
int hft_wait_until(const struct hft_pool *pool, const struct hft_wait_for *wait, uint64_t timeout);

/* park.c */
int hft_thread_wait(const struct hft_wait_for *wait, uint64_t timeout);
void hft_wait_wake(struct hft_pool *pool, const struct hft_wait_for *wait);

/* It is done: tell threads, and workers of @pool.  Returns the bits that were set before. */
static inline uint32_t hft_wait_done(struct hft_pool *pool, _Atomic uint32_t *word)
{
	struct hft_wait_for wait = hft_wait_for_done(word);
	uint32_t bits = atomic_fetch_or_explicit(word, HFT_WAIT_DONE, memory_order_acq_rel);

	if (bits & HFT_WAIT_AWAITED)
		hft_wait_wake(pool, &wait);
	return bits;
}

#endif /* HFT_POOL_WAIT_H */
