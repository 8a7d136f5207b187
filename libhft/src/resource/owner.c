// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads that have resources. */
#include <stdlib.h>
#include <unistd.h>

#include "../pool/internal.h"
#include "internal.h"
#include "task.h"

struct hft_owner *hft_owners;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

void hft_owner_link(struct hft_owner **list, struct hft_owner *owner)
{
	owner->prev = NULL;
	owner->next = *list;
	if (*list)
		(*list)->prev = owner;
	*list = owner;
}

void hft_owner_unlink(struct hft_owner **list, struct hft_owner *owner)
{
	if (owner->next)
		owner->next->prev = owner->prev;
	if (owner->prev)
		owner->prev->next = owner->next;
	else
		*list = owner->next;
}

/* A thread of a machine may never have come to the end of what it was at. */
static void break_off(struct hft_owner *owner)
{
	while (owner->tasks)
		hft_task_end(owner->tasks);
	if (!owner->nr_wants)
		return;
	hft_lock(&hft_resource_lock);
	hft_want_end(owner);
	hft_resources_settle();
	hft_resources_unlock();
}

/* What the caller has is others'. */
void hft_owner_exit(struct hft_owner *owner)
{
	uint32_t nr;

	break_off(owner);
	while ((nr = atomic_load_explicit(&owner->nr_held, memory_order_relaxed)))
		hft_resource_release(atomic_load_explicit(&owner->held[nr - 1],
							  memory_order_relaxed));
	hft_self.owner = NULL;
	hft_lock(&hft_resource_lock);
	hft_owner_unlink(&hft_owners, owner);
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

/* The calling thread has nothing, and is lent nothing, any more. */
void hft_owner_leave(void)
{
	if (!hft_self.owner)
		return;
	if (!hft_sim_in_thread())
		pthread_setspecific(key, NULL);
	hft_owner_exit(hft_self.owner);
}

static struct hft_owner *make_owner(void)
{
	size_t size = sizeof(struct hft_owner) +
		      HFT_RESOURCES_HELD_MAX * sizeof(((struct hft_owner *)NULL)->held[0]);
	struct hft_owner *self = aligned_alloc(64, (size + 63) & ~(size_t)63);
	struct hft_spawner *spawner = hft_self.spawner;

	if (!self)
		return NULL;
	*self = (struct hft_owner){
		.max_held = HFT_RESOURCES_HELD_MAX,
		.level = HFT_LEVEL_NORMAL,
		.base = HFT_LEVEL_NORMAL,
		.tid = (pid_t)hft_tid(),
		.worker = spawner ? spawner->worker : NULL,
	};
	if (self->worker && self->worker->pool->inherit)
		self->flags = HFT_OWNER_LENT;
	return self;
}

/* The calling thread as an owner, or NULL. */
struct hft_owner *hft_owner_make(void)
{
	struct hft_owner *self = make_owner();

	pthread_once(&once, make_key);
	if (!self)
		return NULL;
	if (!hft_sim_in_thread() && pthread_setspecific(key, self)) {
		free(self);
		return NULL;
	}
	hft_lock(&hft_resource_lock);
	hft_owner_link(&hft_owners, self);
	hft_unlock(&hft_resource_lock);
	hft_self.owner = self;
	return self;
}

/*
 * A worker has the level of the task that it runs: of those that it runs one inside the
 * other, while it has something, the highest.
 */
static uint32_t base_at(const struct hft_owner *self, uint32_t level)
{
	bool has = atomic_load_explicit(&self->nr_held, memory_order_relaxed) || self->tasks;

	if (!self->worker || self->own_level)
		return self->base;
	if (!has || level >= self->base)
		return level;
	level = hft_task_outer_level(self->worker, level);
	return level < self->base ? level : self->base;
}

/* It is at a task of @level.  The lock is held. */
void hft_owner_set_base(struct hft_owner *self, uint32_t level)
{
	self->base = base_at(self, level);
}

void hft_owner_rebase(struct hft_owner *self, uint32_t level)
{
	uint32_t base = base_at(self, level);

	if (__builtin_expect(base == self->base, 1))
		return;
	hft_lock(&hft_resource_lock);
	self->base = base;
	hft_owner_update(self);
	/* The same level may be its own now, or be lent. */
	hft_owner_apply(self);
	hft_unlock(&hft_resource_lock);
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

/**
 * hft_resource_thread() - say what level the calling thread has
 * @level: its own
 * @flags: %HFT_RESOURCE_SCHED: have hft_level_sched() of the level that it has, or is lent,
 *	as far as it may
 *
 * A thread that has not called this is NORMAL, or if it is a worker of a pool has the level
 * of its task, and keeps its scheduling.  Without the flag it has that again which it had
 * before it was set.
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
	self->own_level = true;
	self->base = level;
	self->flags = flags;
	hft_owner_update(self);
	hft_owner_apply(self);
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
	struct hft_spawner *spawner = hft_self.spawner;
	struct hft_owner *self = hft_self.owner;

	if (!self)
		return spawner && spawner->worker ? hft_task_level(spawner->worker) :
						    HFT_LEVEL_NORMAL;
	if (self->worker)
		hft_owner_rebase(self, hft_task_level(self->worker));
	return atomic_load(&self->level);
}
