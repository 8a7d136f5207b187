// SPDX-License-Identifier: LGPL-2.1-or-later
/* The workers of a pool come and go. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "../memory/internal.h"
#include "../resource/task.h"
#include "internal.h"

/* Tasks that a deque has room for before it grows. */
#define DEQUE_CAPACITY	256

void hft_member_free(struct hft_pool_worker *worker)
{
	uint32_t level;

	for (level = 0; level < HFT_LEVELS; level++)
		hft_deque_exit(&worker->deques[level]);
	hft_queue_exit(&worker->queue);
	hft_spawner_exit(&worker->self);
	hft_pool_free_threads(worker);
	free(worker);
}

/* Where the worker of a CPU has its memory: 1 + the node, or 0: anywhere. */
static uint32_t home_of(const struct hft_pool *pool, uint32_t cpu)
{
	uint32_t node = pool->pinned ? hft_node_of(cpu) : HFT_NONE;

	return node == HFT_NONE ? 0 : 1 + node;
}

static struct hft_pool_worker *worker_make(struct hft_pool *pool, uint32_t number, uint32_t home)
{
	struct hft_pool_worker *worker = hft_memory_at(64, sizeof(*worker), home);
	uint32_t level;

	if (!worker)
		return NULL;
	memset(worker, 0, sizeof(*worker));
	worker->pool = pool;
	worker->number = number;
	worker->home = home;
	worker->reserved = number - pool->first_reserved < pool->nr_reserved;
	atomic_init(&worker->inbox, HFT_INBOX_CLOSED);
	hft_queue_init(&worker->queue);
	worker->random = pool->sim ? hft_sim_random(pool->sim) : number + 1;
	hft_spawner_init(&worker->self, pool, worker);
	for (level = 0; level < HFT_LEVELS; level++) {
		worker->deques[level].home = home;
		if (hft_deque_init(&worker->deques[level], DEQUE_CAPACITY)) {
			hft_member_free(worker);
			return NULL;
		}
	}
	return worker;
}

/* How far it is from the other workers, and they from it; pool->lock is held. */
static void measure(struct hft_pool *pool, struct hft_pool_worker *worker)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_relaxed);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct hft_pool_worker *other = hft_pool_worker_at(pool, i);
		enum hft_distance distance = HFT_DISTANCE_CORE;

		if (pool->pinned || pool->topology)
			distance = hft_topology_distance(pool->topology, worker->cpu, other->cpu);
		atomic_store_explicit(&worker->distance[i], (uint8_t)distance,
				      memory_order_relaxed);
		atomic_store_explicit(&other->distance[worker->number], (uint8_t)distance,
				      memory_order_relaxed);
	}
}

/* A worker without a thread: one that has left, or a new one; pool->lock is held. */
static struct hft_pool_worker *worker_find(struct hft_pool *pool, uint32_t cpu)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_relaxed);
	struct hft_pool_worker *worker;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		worker = hft_pool_worker_at(pool, i);
		if (atomic_load(&worker->life) == HFT_WORKER_NONE)
			return worker;
	}
	if (nr == HFT_POOL_WORKERS_MAX) {
		hft_fail(ENOSPC, "a pool has at most %u workers", HFT_POOL_WORKERS_MAX);
		return NULL;
	}
	worker = worker_make(pool, nr, home_of(pool, cpu));
	if (!worker) {
		hft_fail(ENOMEM, "a worker");
		return NULL;
	}
	atomic_store_explicit(&pool->workers[nr], worker, memory_order_release);
	return worker;
}

/* That tasks may ask for. */
static uint32_t node_of(const struct hft_pool *pool, uint32_t cpu)
{
	HFT_OPTS(hft_cpu_info, info);
	int node;

	if (pool->topology)
		return hft_topology_cpu(pool->topology, cpu, &info) ? HFT_NONE : info.node;
	node = pool->pinned ? hft_cpu_node(cpu) : -1;
	return node < 0 ? HFT_NONE : (uint32_t)node;
}

static int worker_add(struct hft_pool *pool, uint32_t cpu)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_relaxed);
	struct hft_pool_worker *worker = worker_find(pool, cpu);
	int err;

	if (!worker)
		return nr == HFT_POOL_WORKERS_MAX ? -ENOSPC : -ENOMEM;
	atomic_store_explicit(&worker->cpu, cpu, memory_order_relaxed);
	atomic_store_explicit(&worker->node, node_of(pool, cpu), memory_order_relaxed);
	pthread_sigmask(SIG_SETMASK, NULL, &worker->blocked);
	if (worker->number == nr)
		atomic_store_explicit(&pool->nr_workers, nr + 1, memory_order_release);
	measure(pool, worker);
	err = pool->hft ? hft_release_join(worker) : 0;
	if (err)
		return err;
	atomic_store(&worker->inbox, NULL);
	hft_queue_open(&worker->queue);
	atomic_store(&worker->life, HFT_WORKER_RUNS);
	err = hft_pool_start_worker(worker);
	if (!err)
		return (int)worker->number;
	hft_worker_close_inbox(worker);
	hft_release_leave(worker);
	atomic_store(&worker->life, HFT_WORKER_NONE);
	return hft_fail(err, "a thread on CPU %u", cpu);
}

/*
 * Have a worker leave, and wait until it has.  Without a lock: the task that it is at may
 * need it.  Returns 0, -ENOENT: it has left, or another thread has seen to that, or an
 * error of hft_futex_wait(): it leaves later.
 */
int hft_member_stop(struct hft_pool_worker *worker, uint64_t timeout)
{
	uint32_t life = HFT_WORKER_RUNS;
	int err;

	if (!atomic_compare_exchange_strong(&worker->life, &life, HFT_WORKER_LEAVES) &&
	    life != HFT_WORKER_LEAVES && life != HFT_WORKER_GONE)
		return -ENOENT;
	/* That before the look whether it sleeps: pairs with the fence in hft_worker_park(). */
	atomic_thread_fence(memory_order_seq_cst);
	hft_worker_wake(worker);
	while ((life = atomic_load(&worker->life)) == HFT_WORKER_LEAVES) {
		err = hft_futex_wait(&worker->life, life, timeout);
		if (err && err != EAGAIN && err != EINTR)
			return -err;
	}
	life = HFT_WORKER_GONE;
	/* Of two who have found one that a task has left without a thread. */
	if (!atomic_compare_exchange_strong(&worker->life, &life, HFT_WORKER_JOINED))
		return -ENOENT;
	hft_pool_join_worker(worker);
	pthread_mutex_lock(&worker->pool->lock);
	hft_release_leave(worker);
	atomic_store(&worker->life, HFT_WORKER_NONE);
	pthread_mutex_unlock(&worker->pool->lock);
	return 0;
}

/**
 * hft_pool_add_worker() - let a pool have one more worker
 * @pool: the pool
 * @cpu: that it is pinned to
 *
 * Any thread, also while tasks run.  May block.
 *
 * Return: its number, -ENOSPC the pool has %HFT_POOL_WORKERS_MAX, -EINVAL it may not run
 * on that CPU, -ENOMEM, -EAGAIN no more threads; of a pool on a handle also as
 * hft_ring_open().
 */
HFT_API int hft_pool_add_worker(struct hft_pool *pool, uint32_t cpu)
{
	int ret;

	if (hft_pool_is_inherited(pool))
		return -EOWNERDEAD;
	if (pool->pinned && cpu >= CPU_SETSIZE)
		return hft_fail(EINVAL, "CPU %u", cpu);
	if (pool->sim && cpu >= hft_sim_cpus(pool->sim))
		return hft_fail(EINVAL, "the machine has no CPU %u", cpu);
	hft_pool_use(pool);
	pthread_mutex_lock(&pool->lock);
	ret = worker_add(pool, cpu);
	pthread_mutex_unlock(&pool->lock);
	if (ret >= 0)
		hft_tasks_have_worker(pool);
	hft_releases_reap(pool);
	return ret;
}

/**
 * hft_pool_remove_worker() - let a worker leave
 * @pool: its pool
 * @worker: its number, which the next one that is added gets
 *
 * It ends the task that it is at.  The others that it has become other workers', but
 * for those that it alone could run: they end with -ENODEV.  With the last worker gone,
 * tasks wait for one to be added.
 *
 * Any thread but a worker of the pool.  Blocks until it has left.
 *
 * Return: 0, -ENOENT there is no such worker, -EDEADLK the caller is one; on a machine
 * also -EDEADLK its task waits for what will not happen, -EBUSY the machine calls.
 */
HFT_API int hft_pool_remove_worker(struct hft_pool *pool, uint32_t worker)
{
	return hft_pool_remove_worker_timed(pool, worker, UINT64_MAX);
}

/**
 * hft_pool_remove_worker_timed() - as hft_pool_remove_worker(), and wait for some time only
 * @pool: its pool
 * @worker: its number
 * @timeout: CLOCK_MONOTONIC, ns; UINT64_MAX: for ever
 *
 * Any thread but a worker of the pool.  Blocks until the worker has left, or @timeout.
 *
 * Return: as hft_pool_remove_worker(), or -ETIMEDOUT: it is still at a task.  It begins no
 * other, and leaves when that has ended; its number is the next one's once another call
 * has returned 0.
 */
HFT_API int hft_pool_remove_worker_timed(struct hft_pool *pool, uint32_t worker,
					 uint64_t timeout)
{
	struct hft_spawner *self = hft_spawner_of(pool);
	struct hft_sim *before;
	int err;

	if (hft_pool_is_inherited(pool))
		return -EOWNERDEAD;
	if (self && self->worker)
		return -EDEADLK;
	if (worker >= atomic_load(&pool->nr_workers))
		return -ENOENT;
	before = hft_pool_enter(pool);
	err = hft_member_stop(hft_pool_worker_at(pool, worker), timeout);
	hft_releases_reap(pool);
	hft_pool_leave(pool, before);
	return err;
}

/**
 * hft_pool_worker() - which worker the caller is
 *
 * Return: its number in its pool, or -ENOENT: it is none.
 */
HFT_API int hft_pool_worker(void)
{
	struct hft_spawner *self = hft_self.spawner;

	return self && self->worker ? (int)self->worker->number : -ENOENT;
}

/**
 * hft_pool_workers() - the numbers of workers
 * @pool: the pool
 *
 * Return: workers have had numbers below this; one that was removed still counts.
 */
HFT_API uint32_t hft_pool_workers(struct hft_pool *pool)
{
	return atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
}

/**
 * hft_pool_distance() - how far it is from a worker to another
 * @pool: theirs
 * @from: number of a worker
 * @to: likewise
 *
 * Of workers that are not pinned all are near.  Any thread; lock-free.
 *
 * Return: &enum hft_distance, or -ENOENT there is no such worker.
 */
HFT_API int hft_pool_distance(struct hft_pool *pool, uint32_t from, uint32_t to)
{
	uint32_t nr = hft_pool_workers(pool);

	if (from >= nr || to >= nr)
		return -ENOENT;
	return (int)hft_worker_distance(hft_pool_worker_at(pool, from), to);
}
