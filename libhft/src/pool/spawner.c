// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads that spawn: each has memory for its tasks, that others give back.  A thread
 * that ends leaves its memory to the next one that comes.
 */
#include <stdlib.h>

#include "../lock.h"
#include "internal.h"

void hft_spawner_init(struct hft_spawner *self, struct hft_pool *pool,
		      struct hft_pool_worker *worker)
{
	uint32_t home;

	__atomic_store_n(&self->pool, pool, __ATOMIC_RELAXED);
	self->worker = worker;
	hft_slab_init(&self->plain, HFT_WORK_PLAIN_SIZE);
	hft_slab_init(&self->works, sizeof(struct hft_work));
	hft_slab_init(&self->args, HFT_SPAWN_ARGS_MAX);
	hft_slab_init(&self->extras, sizeof(struct hft_work_extra));
	hft_slab_init(&self->posts, HFT_POST_SIZE);
	home = worker ? worker->home : 0;
	self->plain.home = self->works.home = self->args.home = self->extras.home = home;
	self->posts.home = home;
}

void hft_spawner_exit(struct hft_spawner *self)
{
	hft_slab_exit(&self->plain);
	hft_slab_exit(&self->works);
	hft_slab_exit(&self->args);
	hft_slab_exit(&self->extras);
	hft_slab_exit(&self->posts);
}

/* Of all spawners that are no workers: their pools may be gone while their threads are not. */
static struct hft_lock spawners_lock;
static struct hft_spawner *spawners;

/* The keys of pools that are closed are no more: this one tells that a thread ends. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t end_key;
static int key_error;

static void thread_ends(void *arg)
{
	struct hft_spawner *self;

	hft_lock(&spawners_lock);
	for (self = spawners; self; self = self->next) {
		if (self->thread == arg)
			self->thread = NULL;
	}
	hft_unlock(&spawners_lock);
	hft_self.spawner = NULL;
}

static void make_key(void)
{
	key_error = pthread_key_create(&end_key, thread_ends);
}

/* Without a thread, of @pool or of none that there is; or the caller's, of one that was. */
static bool is_free(const struct hft_spawner *self, const struct hft_pool *pool)
{
	return self->pool ? self->pool == pool && !self->thread :
			    !self->thread || self->thread == &hft_self;
}

static struct hft_spawner *make_spawner(void)
{
	struct hft_spawner *self = aligned_alloc(64, sizeof(*self));

	if (!self)
		return NULL;
	*self = (struct hft_spawner){ .next = spawners };
	spawners = self;
	return self;
}

/* With the memory of the one that has it, or a new one. */
static struct hft_spawner *adopt(struct hft_pool *pool)
{
	struct hft_spawner *self;

	for (self = spawners; self && !is_free(self, pool); self = self->next)
		;
	if (!self)
		self = make_spawner();
	if (!self)
		return NULL;
	self->thread = &hft_self;
	if (!self->pool)
		hft_spawner_init(self, pool, NULL);
	return self;
}

/* The pool is closed; threads that have spawned into it may not know. */
void hft_spawners_retire(struct hft_pool *pool)
{
	struct hft_spawner *self;

	hft_lock(&spawners_lock);
	for (self = spawners; self; self = self->next) {
		if (self->pool != pool)
			continue;
		hft_spawner_exit(self);
		atomic_store_explicit(&self->spawned, 0, memory_order_relaxed);
		__atomic_store_n(&self->pool, NULL, __ATOMIC_RELAXED);
	}
	hft_unlock(&spawners_lock);
}

/* Tasks that were spawned by who is no worker. */
uint64_t hft_spawners_count(struct hft_pool *pool)
{
	const struct hft_spawner *self;
	uint64_t spawned = 0;

	hft_lock(&spawners_lock);
	for (self = spawners; self; self = self->next) {
		if (self->pool == pool)
			spawned += atomic_load_explicit(&self->spawned, memory_order_relaxed);
	}
	hft_unlock(&spawners_lock);
	return spawned;
}

unsigned int hft_pool_forks;

static void before_fork(void)
{
	hft_lock(&spawners_lock);
}

static void in_parent(void)
{
	hft_unlock(&spawners_lock);
}

/* The workers of all pools that there are were left behind. */
static void in_child(void)
{
	atomic_store_explicit(&spawners_lock.word, 0, memory_order_relaxed);
	hft_pool_forks++;
	hft_self.spawner = NULL;
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

/* Before there is a pool. */
void hft_pool_watch_forks(void)
{
	static pthread_once_t watched = PTHREAD_ONCE_INIT;

	pthread_once(&watched, watch_forks);
}

static void disown(struct hft_spawner *self)
{
	hft_lock(&spawners_lock);
	self->thread = NULL;
	hft_unlock(&spawners_lock);
}

/* Of the calling thread, which has none of @pool, or NULL. */
static struct hft_spawner *find_new(struct hft_pool *pool)
{
	struct hft_spawner *self;

	pthread_once(&once, make_key);
	if (key_error || pthread_setspecific(end_key, &hft_self))
		return NULL;
	hft_lock(&spawners_lock);
	self = adopt(pool);
	hft_unlock(&spawners_lock);
	if (self && pthread_setspecific(pool->key, self)) {
		disown(self);
		return NULL;
	}
	return self;
}

/* Of the calling thread, which spawned into another pool, or is no worker, or NULL. */
struct hft_spawner *hft_spawner_find(struct hft_pool *pool)
{
	struct hft_spawner *self;

	if (hft_pool_is_inherited(pool))
		return NULL;
	self = pthread_getspecific(pool->key);
	if (!self)
		self = find_new(pool);
	/* A worker stays one of its own pool's. */
	if (self && (!hft_self.spawner || !hft_self.spawner->worker))
		hft_self.spawner = self;
	return self;
}
