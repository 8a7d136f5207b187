// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Levels: priority inheritance (L. Sha, R. Rajkumar and J. P. Lehoczky, "Priority
 * Inheritance Protocols: An Approach to Real-Time Synchronization", IEEE Transactions on
 * Computers 39 (9), 1990, section III) and, where a resource has a ceiling, that of its
 * immediate variant.
 */
#include <sched.h>
#include <stddef.h>

#include "../log/sched.h"
#include "../pool/internal.h"
#include "internal.h"

/* Of a change of levels: who has its number is counted in it. */
static uint64_t change;

static uint32_t highest(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Who has @resource alone, of which somebody waits; NULL if nobody does. */
struct hft_owner *hft_sole_holder(const struct hft_resource *resource)
{
	uint64_t word = atomic_load(&resource->word) & ~HFT_CONTENDED;

	return word & HFT_SHARED ? NULL : (struct hft_owner *)(uintptr_t)word;
}

/* Of who is counted, the level that it is about to have. */
static uint32_t level_of(const struct hft_owner *owner)
{
	return owner->counted == change ? owner->due : atomic_load(&owner->level);
}

/* What who has @resource is lent by it. */
static uint32_t lent_by(const struct hft_resource *resource)
{
	uint32_t level = resource->ceiling ? resource->ceiling - 1 : 0;
	const struct hft_want *want;

	if (resource->flags & HFT_RESOURCE_NO_LENDING)
		return level;
	for (want = resource->wants; want; want = want->next)
		level = highest(level, level_of(want->owner));
	return level;
}

/* Its own, that of a task that it runs, or the highest that it is lent. */
static uint32_t level_due(const struct hft_owner *owner)
{
	uint32_t i = atomic_load_explicit(&owner->nr_held, memory_order_acquire);
	uint32_t level = owner->base;
	const struct hft_owner *task;

	for (task = owner->tasks; task; task = task->outer)
		level = highest(level, level_of(task));
	while (i--) {
		const struct hft_resource *resource =
			atomic_load_explicit(&owner->held[i], memory_order_acquire);
		const struct hft_owner *sole = hft_sole_holder(resource);

		/* It has released it, or has not come by it yet. */
		if (!sole || sole == owner)
			level = highest(level, lent_by(resource));
	}
	return level;
}

static struct hft_owner *count(struct hft_owner *owner, struct hft_owner *last)
{
	if (owner->counted == change)
		return last;
	owner->counted = change;
	owner->due = owner->base;
	owner->next_due = NULL;
	if (last)
		last->next_due = owner;
	return owner;
}

static struct hft_owner *count_holders(struct hft_resource *resource, struct hft_owner *last)
{
	struct hft_owner *owner = hft_sole_holder(resource);

	if (owner)
		return count(owner, last);
	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			last = count(owner, last);
	}
	return last;
}

/* All whose levels may follow that of @first, which is one of them, itself the first. */
static void count_from(struct hft_owner *first)
{
	struct hft_owner *owner, *last;
	uint32_t i;

	change++;
	last = count(first, NULL);
	for (owner = first; owner; owner = owner->next_due) {
		for (i = 0; i < owner->nr_wants; i++)
			last = count_holders(owner->wants[i].resource, last);
		if (owner->thread)
			last = count(owner->thread, last);
	}
}

/*
 * From their own levels up, until there is nothing more to lend: those who lend to each
 * other in a circle, as by units of a resource, do not keep up what somebody has lent to
 * one of them and does no more.
 */
static void compute(struct hft_owner *first)
{
	struct hft_owner *owner;
	bool again = true;

	while (again) {
		again = false;
		for (owner = first; owner; owner = owner->next_due) {
			uint32_t due = level_due(owner);

			again |= due != owner->due;
			owner->due = due;
		}
	}
}

/* Who has come or gone while the levels were told to all?  What is lent may be less. */
static bool is_outdated(struct hft_owner *first)
{
	struct hft_owner *owner;

	for (owner = first; owner; owner = owner->next_due)
		atomic_store(&owner->level, owner->due);
	/* The level before the places: pairs with that in give_back(). */
	atomic_thread_fence(memory_order_seq_cst);
	for (owner = first; owner; owner = owner->next_due) {
		if (level_due(owner) < owner->due)
			return true;
	}
	return false;
}

static void set_sched(const struct hft_owner *owner, int policy, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	sched_setscheduler(owner->tid, policy, &param);
}

static void save_sched(struct hft_owner *owner)
{
	struct sched_param param;

	owner->policy = sched_getscheduler(owner->tid);
	owner->saved = owner->policy >= 0 && !sched_getparam(owner->tid, &param);
	if (owner->saved)
		owner->priority = param.sched_priority;
}

/*
 * Have the scheduler go by its level, or by what it went by before.  What the thread may
 * not do it goes without: the order of those who wait is as it is.
 */
void hft_owner_apply(struct hft_owner *owner)
{
	uint32_t level = atomic_load(&owner->level);
	bool lent = owner->flags & HFT_OWNER_LENT && level > owner->base;
	struct hft_level_sched sched;

	if (owner->work || hft_futex_is_simulated())
		return;
	if (!lent && !(owner->flags & HFT_RESOURCE_SCHED)) {
		if (owner->saved)
			set_sched(owner, owner->policy, owner->priority);
		owner->saved = false;
		return;
	}
	if (!owner->saved)
		save_sched(owner);
	if (hft_level_sched(level, &sched))
		return;
	if (!(owner->flags & HFT_RESOURCE_SCHED) && sched.priority < owner->priority)
		set_sched(owner, owner->policy, owner->priority);
	else
		set_sched(owner, sched.policy, sched.priority);
}

/* Put it in its place among those who wait, behind those of its level. */
static void resort(struct hft_want *want)
{
	struct hft_resource *resource = want->resource;
	uint32_t level = atomic_load(&want->owner->level);
	struct hft_want **link;

	for (link = &resource->wants; *link != want; link = &(*link)->next)
		;
	*link = want->next;
	for (link = &resource->wants; *link && atomic_load(&(*link)->owner->level) >= level;
	     link = &(*link)->next)
		;
	want->next = *link;
	*link = want;
}

static void log_boost(const struct hft_owner *owner)
{
	bool is_task = owner->work;

	hft_log_sched_boost(is_task ? (uintptr_t)owner : (uint64_t)owner->tid, is_task, owner->was,
			owner->due, hft_now());
}

/* Have all go by its level who did by the one that it had. */
static void tell(struct hft_owner *owner)
{
	uint32_t i;

	if (hft_log_sched_wants(HFT_SCHED_BOOST))
		log_boost(owner);
	hft_owner_apply(owner);
	for (i = 0; i < owner->nr_wants; i++)
		resort(&owner->wants[i]);
	if (owner->queued)
		hft_queue_rekey(owner->pool, owner->work, owner->due);
}

/**
 * hft_owner_update() - give a thread or a task the level that is due to it
 * @owner: it; the lock is held
 *
 * And those whose resources it waits for, and so on.
 */
void hft_owner_update(struct hft_owner *owner)
{
	struct hft_owner *at;

	count_from(owner);
	for (at = owner; at; at = at->next_due)
		at->was = atomic_load(&at->level);
	do {
		for (at = owner; at; at = at->next_due)
			at->due = at->base;
		compute(owner);
	} while (is_outdated(owner));
	for (at = owner; at; at = at->next_due) {
		if (at->due != at->was)
			tell(at);
	}
}

/* Who waits for @resource has changed: so may what is lent to who has it. */
void hft_resource_lend(struct hft_resource *resource)
{
	struct hft_owner *owner = hft_sole_holder(resource);

	if (owner) {
		hft_owner_update(owner);
		return;
	}
	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			hft_owner_update(owner);
	}
}
