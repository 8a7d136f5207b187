// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads that spawn: each has memory for its tasks, that others give back.  A thread
 * that ends leaves its memory to the next one that comes.
 */
#include <stdlib.h>

#include "internal.h"

__thread struct hft_spawner *hft_spawner_self __attribute__((tls_model("initial-exec")));

void hft_spawner_init(struct hft_spawner *self, struct hft_pool *pool,
		      struct hft_pool_worker *worker)
{
	self->pool = pool;
	self->worker = worker;
	hft_slab_init(&self->plain, HFT_WORK_PLAIN_SIZE);
	hft_slab_init(&self->works, sizeof(struct hft_work));
	hft_slab_init(&self->args, HFT_SPAWN_ARGS_MAX);
	hft_slab_init(&self->posts, HFT_POST_SIZE);
}

void hft_spawner_exit(struct hft_spawner *self)
{
	hft_slab_exit(&self->plain);
	hft_slab_exit(&self->works);
	hft_slab_exit(&self->args);
	hft_slab_exit(&self->posts);
}

/* As destructor of hft_pool.key: the thread ends, and the pool is open. */
void hft_spawner_orphan(void *arg)
{
	struct hft_spawner *self = arg;

	pthread_mutex_lock(&self->pool->lock);
	self->orphan = true;
	pthread_mutex_unlock(&self->pool->lock);
	if (hft_spawner_self == self)
		hft_spawner_self = NULL;
}

static struct hft_spawner *adopt(struct hft_pool *pool)
{
	struct hft_spawner *self;

	for (self = pool->spawners; self; self = self->next) {
		if (self->orphan) {
			self->orphan = false;
			return self;
		}
	}
	return NULL;
}

static struct hft_spawner *make_spawner(struct hft_pool *pool)
{
	struct hft_spawner *self = aligned_alloc(64, sizeof(*self));

	if (!self)
		return NULL;
	*self = (struct hft_spawner){};
	hft_spawner_init(self, pool, NULL);
	self->next = pool->spawners;
	pool->spawners = self;
	return self;
}

/* Of the calling thread, which spawned into another pool, or is no worker, or NULL. */
struct hft_spawner *hft_spawner_find(struct hft_pool *pool)
{
	struct hft_spawner *self = pthread_getspecific(pool->key);

	if (!self) {
		pthread_mutex_lock(&pool->lock);
		self = adopt(pool);
		if (!self)
			self = make_spawner(pool);
		pthread_mutex_unlock(&pool->lock);
		if (!self)
			return NULL;
		if (pthread_setspecific(pool->key, self)) {
			hft_spawner_orphan(self);
			return NULL;
		}
	}
	/* A worker stays one of its own pool's. */
	if (!hft_spawner_self || !hft_spawner_self->worker)
		hft_spawner_self = self;
	return self;
}
