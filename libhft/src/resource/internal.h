/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the resources share.
 *
 * One lock covers who waits for what, and all levels.  Without it a resource is had and
 * released by its word alone, as long as nobody waits: from then on, by %HFT_CONTENDED,
 * the word changes under the lock only.
 *
 * Barriers:
 *
 *   a place of hft_owner.held filled, then the word changed, by who has a resource
 *	pairs with the word read, then the places, under the lock, by who waits for it:
 *	who is counted in the word is found among the holders.  One found who is not
 *	counted waits for nothing, and gets a level for a moment
 *   what was done with a resource, then the word released
 *	pairs with the acquisition of it
 */
#ifndef HFT_RESOURCE_INTERNAL_H
#define HFT_RESOURCE_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <hft/hft.h>
#include <hft/resource.h>

#include "../api.h"
#include "../lock.h"
#include "../options.h"
#include "../engine/sim_thread.h"
#include "../self.h"

/* hft_resource.word: the owner, or with HFT_SHARED how many have it, above two bits */
#define HFT_CONTENDED		1ULL	/* somebody waits */
#define HFT_SHARED		2ULL
#define HFT_SHARE		4ULL	/* one who has it */

#define HFT_ORDER_WORDS		(HFT_RESOURCES_MAX / 64)

/**
 * struct hft_owner - a thread that has, or waits for, resources
 * @held: what it has; one that it has shared several times is there as often
 * @nr_held: how many
 * @level: that others have lent it, or its own
 * @base: its own
 * @flags: HFT_RESOURCE_SCHED
 * @tid: it
 * @waits_for: or NULL
 * @shared: it waits for a share
 * @since: CLOCK_MONOTONIC
 * @granted: it has it; futex
 * @next_waiter: of @waits_for, of its level or a lower one
 * @seen: number of the last search for a deadlock that came by
 * @goes_on: in that it was found that it does
 * @next_found: the next who was found in that
 * @next: of all
 */
struct hft_owner {
	_Atomic(struct hft_resource *) held[HFT_RESOURCES_HELD_MAX];
	_Atomic uint32_t nr_held;
	_Atomic uint32_t level;
	uint32_t base;
	uint32_t flags;
	pid_t tid;
	struct hft_resource *waits_for;
	bool shared;
	uint64_t since;
	_Atomic uint32_t granted;
	struct hft_owner *next_waiter;
	uint64_t seen;
	bool goes_on;
	struct hft_owner *next_found;
	struct hft_owner *next;
} __attribute__((aligned(64)));

/**
 * struct hft_resource - a resource
 * @word: who has it
 * @units: how many may
 * @flags: HFT_RESOURCE_*
 * @ceiling: 1 + the level that who has it has at least, or 0
 * @number: of all resources
 * @name: its
 * @waiters: the highest level first, then who came first
 * @nr_waiters: how many
 * @contended: times that one waited
 * @longest: that one did, ns
 * @after: a bit for each resource that was taken while this one was held
 */
struct hft_resource {
	_Atomic uint64_t word;
	uint32_t units;
	uint32_t flags;
	uint32_t ceiling;
	uint32_t number;
	char *name;
	struct hft_owner *waiters;
	uint32_t nr_waiters;
	uint64_t contended;
	uint64_t longest;
	_Atomic uint64_t after[HFT_ORDER_WORDS];
};

/* resource.c */
extern struct hft_lock hft_resource_lock;
extern struct hft_resource *hft_resources[HFT_RESOURCES_MAX];

/* owner.c */
extern struct hft_owner *hft_owners;

struct hft_owner *hft_owner_make(void);
bool hft_owner_holds(const struct hft_owner *owner, const struct hft_resource *resource);
void hft_owner_drop(struct hft_owner *owner, struct hft_resource *resource);
void hft_owner_update(struct hft_owner *owner);
void hft_resource_lend(struct hft_resource *resource);

static inline struct hft_owner *hft_owner(void)
{
	struct hft_owner *self = hft_self.owner;

	return __builtin_expect(!!self, 1) ? self : hft_owner_make();
}

/* Its place is filled before its word is: a holder is always found. */
static inline int hft_owner_add(struct hft_owner *self, struct hft_resource *resource)
{
	uint32_t nr = atomic_load_explicit(&self->nr_held, memory_order_relaxed);

	if (__builtin_expect(nr == HFT_RESOURCES_HELD_MAX, 0))
		return -EMFILE;
	atomic_store_explicit(&self->held[nr], resource, memory_order_relaxed);
	atomic_store_explicit(&self->nr_held, nr + 1, memory_order_release);
	return 0;
}

/* deadlock.c */
int hft_deadlock_check(struct hft_owner *self, struct hft_resource *resource);
int hft_order_check(struct hft_owner *self, struct hft_resource *resource);

#endif /* HFT_RESOURCE_INTERNAL_H */
