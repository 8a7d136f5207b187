// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads that have resources, and their levels: priority inheritance (L. Sha,
 * R. Rajkumar and J. P. Lehoczky, "Priority Inheritance Protocols: An Approach to
 * Real-Time Synchronization", IEEE Transactions on Computers 39 (9), 1990, section III)
 * and, where a resource has a ceiling, that of its immediate variant.
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

struct hft_owner *hft_owners;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* What it has is others'. */
void hft_owner_exit(struct hft_owner *owner)
{
	struct hft_owner **link;
	uint32_t nr;

	while ((nr = atomic_load_explicit(&owner->nr_held, memory_order_relaxed)))
		hft_resource_release(atomic_load_explicit(&owner->held[nr - 1],
							  memory_order_relaxed));
	hft_self.owner = NULL;
	hft_lock(&hft_resource_lock);
	for (link = &hft_owners; *link != owner; link = &(*link)->next)
		;
	*link = owner->next;
	hft_unlock(&hft_resource_lock);
	free(owner);
}

static void thread_ended(void *owner)
{
	hft_owner_exit(owner);
}

static void make_key(void)
{
	if (pthread_key_create(&key, thread_ended))
		abort();
}

/* The calling thread as an owner, or NULL. */
struct hft_owner *hft_owner_make(void)
{
	struct hft_owner *self = aligned_alloc(64, sizeof(*self));

	pthread_once(&once, make_key);
	if (!self)
		return NULL;
	*self = (struct hft_owner){
		.level = HFT_LEVEL_NORMAL,
		.base = HFT_LEVEL_NORMAL,
		.tid = (pid_t)syscall(SYS_gettid),
	};
	if (!hft_sim_in_thread() && pthread_setspecific(key, self)) {
		free(self);
		return NULL;
	}
	hft_lock(&hft_resource_lock);
	self->next = hft_owners;
	hft_owners = self;
	hft_unlock(&hft_resource_lock);
	hft_self.owner = self;
	return self;
}

/*
 * From the last place to the first: what it has goes to a lower one at times, and never to
 * a higher, so it is found while others come and go.
 */
bool hft_owner_holds(const struct hft_owner *owner, const struct hft_resource *resource)
{
	uint32_t i = atomic_load_explicit(&owner->nr_held, memory_order_acquire);

	while (i--) {
		if (atomic_load_explicit(&owner->held[i], memory_order_acquire) == resource)
			return true;
	}
	return false;
}

/*
 * It has @resource no more, once.  The last takes its place before there is one less: who
 * looks meanwhile sees that twice, and none not at all.
 */
void hft_owner_drop(struct hft_owner *owner, struct hft_resource *resource)
{
	uint32_t nr = atomic_load_explicit(&owner->nr_held, memory_order_relaxed), i = nr;

	while (atomic_load_explicit(&owner->held[--i], memory_order_relaxed) != resource)
		;
	atomic_store_explicit(&owner->held[i],
			      atomic_load_explicit(&owner->held[nr - 1], memory_order_relaxed),
			      memory_order_release);
	atomic_store_explicit(&owner->nr_held, nr - 1, memory_order_release);
}

static uint32_t highest(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Who has @resource alone, of which somebody waits; NULL if nobody does. */
static struct hft_owner *sole_holder(const struct hft_resource *resource)
{
	uint64_t word = atomic_load(&resource->word) & ~HFT_CONTENDED;

	return word & HFT_SHARED ? NULL : (struct hft_owner *)(uintptr_t)word;
}

/* Its own, or the highest that it is lent. */
static uint32_t level_due(const struct hft_owner *owner)
{
	uint32_t i = atomic_load_explicit(&owner->nr_held, memory_order_acquire);
	uint32_t level = owner->base;

	while (i--) {
		const struct hft_resource *resource =
			atomic_load_explicit(&owner->held[i], memory_order_acquire);
		const struct hft_owner *sole = sole_holder(resource);

		/* It has released it, or has not come by it yet. */
		if (sole && sole != owner)
			continue;
		if (resource->ceiling)
			level = highest(level, resource->ceiling - 1);
		if (resource->waiters)
			level = highest(level, atomic_load(&resource->waiters->level));
	}
	return level;
}

/* What the thread may not do it goes without: the order of those who wait is as it is. */
static void apply(const struct hft_owner *owner, uint32_t level)
{
	struct hft_level_sched sched;
	struct sched_param param;

	if (!(owner->flags & HFT_RESOURCE_SCHED) || hft_level_sched(level, &sched))
		return;
	param.sched_priority = sched.priority;
	sched_setscheduler(owner->tid, sched.policy, &param);
}

/* Put @owner in its place among those who wait, behind those of its level. */
static void resort(struct hft_owner *owner)
{
	struct hft_resource *resource = owner->waits_for;
	uint32_t level = atomic_load(&owner->level);
	struct hft_owner **link;

	for (link = &resource->waiters; *link != owner; link = &(*link)->next_waiter)
		;
	*link = owner->next_waiter;
	for (link = &resource->waiters; *link && atomic_load(&(*link)->level) >= level;
	     link = &(*link)->next_waiter)
		;
	owner->next_waiter = *link;
	*link = owner;
}

/**
 * hft_owner_update() - give a thread the level that is due to it
 * @owner: the thread; the lock is held
 *
 * And those whose resources it waits for, and so on: as nobody waits in a circle, it ends.
 */
void hft_owner_update(struct hft_owner *owner)
{
	uint32_t level = level_due(owner), again;

	if (level == atomic_load(&owner->level))
		return;
	atomic_store(&owner->level, level);
	/* The level before the places: pairs with that in give_back(). */
	atomic_thread_fence(memory_order_seq_cst);
	again = level_due(owner);
	if (again < level) {
		level = again;
		atomic_store(&owner->level, level);
	}
	apply(owner, level);
	if (!owner->waits_for)
		return;
	resort(owner);
	hft_resource_lend(owner->waits_for);
}

/* Who waits for @resource has changed: so may what is lent to who has it. */
void hft_resource_lend(struct hft_resource *resource)
{
	struct hft_owner *owner = sole_holder(resource);

	if (owner) {
		hft_owner_update(owner);
		return;
	}
	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			hft_owner_update(owner);
	}
}

/**
 * hft_resource_thread() - say what level the calling thread has
 * @level: its own
 * @flags: %HFT_RESOURCE_SCHED: have hft_level_sched() of the level that it has, or is lent,
 *	as far as it may
 *
 * A thread that has not called this is NORMAL, and keeps its scheduling.
 *
 * Return: 0, -EINVAL no such level or flag, -ENOMEM.
 */
HFT_API int hft_resource_thread(enum hft_level level, uint32_t flags)
{
	struct hft_owner *self = hft_owner();

	if ((uint32_t)level >= HFT_LEVELS || flags & ~HFT_RESOURCE_SCHED)
		return -EINVAL;
	if (!self)
		return -ENOMEM;
	hft_lock(&hft_resource_lock);
	self->base = level;
	self->flags = flags;
	hft_owner_update(self);
	apply(self, atomic_load(&self->level));
	hft_unlock(&hft_resource_lock);
	return 0;
}

/**
 * hft_resource_level() - what level the calling thread has, or is lent
 *
 * Return: &enum hft_level.
 */
HFT_API enum hft_level hft_resource_level(void)
{
	struct hft_owner *self = hft_self.owner;

	return self ? atomic_load(&self->level) : HFT_LEVEL_NORMAL;
}
