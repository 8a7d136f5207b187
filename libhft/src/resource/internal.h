/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the resources share.
 *
 * One lock covers who waits for what, and all levels.  Without it a resource is had and
 * released by its word alone, as long as nobody waits: from then on, by %HFT_CONTENDED,
 * the word changes under the lock only.
 *
 * A resource is a thread's, or a task's that has declared it: that waits for all that it
 * has declared at once, and has nothing meanwhile; then it has all of it, waits in the
 * ordered queue of its pool, and runs.  A thread that runs it goes by its level.
 *
 * The lock is taken before that of a queue.
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
#include "../self.h"

/* hft_resource.word: the owner, or with HFT_SHARED how many have it, above two bits */
#define HFT_CONTENDED		1ULL	/* somebody waits */
#define HFT_SHARED		2ULL
#define HFT_SHARE		4ULL	/* one who has it */

#define HFT_ORDER_WORDS		(HFT_RESOURCES_MAX / 64)

/* hft_owner.flags, besides HFT_RESOURCE_SCHED */
#define HFT_OWNER_LENT		(1U << 31)	/* a level that is lent is a priority, too */

/**
 * struct hft_want - one who waits for a resource
 * @owner: who
 * @resource: for which
 * @next: of @resource: of its level, or a lower one
 * @shared: a share of it will do
 */
struct hft_want {
	struct hft_owner *owner;
	struct hft_resource *resource;
	struct hft_want *next;
	bool shared;
};

/**
 * struct hft_owner - a thread, or a task, that has, or waits for, resources
 * @nr_held: how many it has
 * @max_held: how many it can
 * @level: that others have lent it, or its own
 * @base: its own
 * @worker: that the thread is, whose tasks' levels are its own; or NULL
 * @own_level: no: it has said what its level is
 * @flags: HFT_RESOURCE_SCHED and HFT_OWNER_*
 * @tid: the thread
 * @want: of a thread, what it waits for
 * @wants: what it waits for
 * @nr_wants: how many
 * @timed: it does not wait for ever
 * @since: CLOCK_MONOTONIC
 * @granted: it has it, or waits @again; futex
 * @again: there are fewer workers: what it waits for may be its own to run
 * @tasks: of a thread, those that it runs, the innermost first
 * @outer: the one before, of the same thread
 * @pool: of a task
 * @work: the task
 * @queued: it has all that it wants, and has not begun
 * @thread: that runs it, or NULL
 * @seen: number of the last search for a deadlock that came by
 * @goes_on: in that it was found that it does
 * @next_found: the next who was found in that
 * @counted: number of the last change of levels that came by
 * @due: its level by that
 * @was: its level before that
 * @next_due: the next who was found in that
 * @next: of all that may have something, or of the tasks that wait
 * @prev: likewise
 * @saved: its scheduling is not what it was
 * @policy: that it had
 * @priority: likewise
 * @held: what it has; one that it has shared several times is there as often
 */
struct hft_owner {
	_Atomic uint32_t nr_held;
	uint32_t max_held;
	_Atomic uint32_t level;
	uint32_t base;
	struct hft_pool_worker *worker;
	bool own_level;
	uint32_t flags;
	pid_t tid;
	struct hft_want want;
	struct hft_want *wants;
	uint32_t nr_wants;
	bool timed;
	uint64_t since;
	_Atomic uint32_t granted;
	bool again;

	struct hft_owner *tasks;
	struct hft_owner *outer;
	struct hft_pool *pool;
	struct hft_work *work;
	bool queued;
	struct hft_owner *thread;

	uint64_t seen;
	bool goes_on;
	struct hft_owner *next_found;
	uint64_t counted;
	uint32_t due;
	uint32_t was;
	struct hft_owner *next_due;
	struct hft_owner *next;
	struct hft_owner *prev;

	bool saved;
	int policy;
	int priority;
	_Atomic(struct hft_resource *) held[];
} __attribute__((aligned(64)));

/**
 * struct hft_resource - a resource
 * @word: who has it
 * @units: how many may
 * @flags: HFT_RESOURCE_*
 * @ceiling: 1 + the level that who has it has at least, or 0
 * @plain: of one unit, without an order or a ceiling
 * @number: of all resources
 * @name: its
 * @wants: of who waits for it: the highest level first, then who came first
 * @nr_waiters: how many
 * @contended: times that one waited
 * @longest: that one did, ns
 * @changed: who is next is to be looked at
 * @next_changed: another such
 * @after: a bit for each resource that was taken while this one was held
 */
struct hft_resource {
	_Atomic uint64_t word;
	uint32_t units;
	uint32_t flags;
	uint32_t ceiling;
	bool plain;
	uint32_t number;
	char *name;
	struct hft_want *wants;
	uint32_t nr_waiters;
	uint64_t contended;
	uint64_t longest;
	bool changed;
	struct hft_resource *next_changed;
	_Atomic uint64_t after[HFT_ORDER_WORDS];
};

/* resource.c */
extern struct hft_lock hft_resource_lock;
extern struct hft_resource *hft_resources[HFT_RESOURCES_MAX];

/* owner.c */
extern struct hft_owner *hft_owners;
extern struct hft_owner *hft_waiting_tasks;

struct hft_owner *hft_owner_make(void);
void hft_owner_rebase(struct hft_owner *self, uint32_t level);
void hft_owner_set_base(struct hft_owner *self, uint32_t level);
bool hft_owner_holds(const struct hft_owner *owner, const struct hft_resource *resource);
void hft_owner_drop(struct hft_owner *owner, struct hft_resource *resource);
void hft_owner_link(struct hft_owner **list, struct hft_owner *owner);
void hft_owner_unlink(struct hft_owner **list, struct hft_owner *owner);

/* level.c */
struct hft_owner *hft_sole_holder(const struct hft_resource *resource);
void hft_owner_apply(struct hft_owner *owner);
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

	if (__builtin_expect(nr == self->max_held, 0))
		return -EMFILE;
	atomic_store_explicit(&self->held[nr], resource, memory_order_relaxed);
	atomic_store_explicit(&self->nr_held, nr + 1, memory_order_release);
	return 0;
}

/* wait.c */
uint64_t hft_word_with(const struct hft_resource *resource, uint64_t word,
		       const struct hft_owner *owner, bool shared);
uint64_t hft_word_without(uint64_t word);
uint64_t hft_resource_contend(struct hft_resource *resource);
void hft_want_begin(struct hft_owner *owner, uint64_t now);
void hft_want_end(struct hft_owner *owner);
void hft_resource_changed(struct hft_resource *resource);
void hft_resources_settle(void);
void hft_resources_unlock(void);
void hft_resources_nap(void);

/* task.c */
extern bool hft_tasks_ending;	/* somebody ends those that their pools did not take */

bool hft_task_fits(const struct hft_owner *task);
void hft_task_grant(struct hft_owner *task);
struct hft_work *hft_task_failed(void);
uint32_t hft_task_level(const struct hft_pool_worker *worker);
uint32_t hft_task_outer_level(const struct hft_pool_worker *worker, uint32_t level);
bool hft_task_is_for(const struct hft_owner *task, const struct hft_pool_worker *worker);
uint32_t hft_task_workers(const struct hft_owner *task);
void hft_tasks_reconsider(const struct hft_pool *pool);

/* deadlock.c */
bool hft_deadlock_find(struct hft_owner *self, struct hft_resource *resource);
int hft_deadlock_fail(struct hft_owner *self, struct hft_resource *resource);
struct hft_work *hft_deadlock_help(const struct hft_owner *self);
int hft_order_check(struct hft_owner *self, struct hft_resource *resource);

#endif /* HFT_RESOURCE_INTERNAL_H */
