// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pools: opened on the CPUs of their workers, and closed. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "../mutex.h"
#include "../resource/task.h"
#include "internal.h"

/* One after the other, by @i. */
static int allowed_cpu(const cpu_set_t *cpus, uint32_t i, uint32_t *cpu)
{
	uint32_t nr = (uint32_t)CPU_COUNT(cpus);
	uint32_t n;

	if (!nr)
		return -EINVAL;
	i %= nr;
	for (n = 0; n < CPU_SETSIZE; n++) {
		if (CPU_ISSET(n, cpus) && !i--) {
			*cpu = n;
			return 0;
		}
	}
	return -EINVAL;
}

/* Those that the caller may run on, or those of the machine. */
static int pool_cpus(const struct hft_pool *pool, cpu_set_t *cpus)
{
	uint32_t i;

	if (!pool->sim) {
		if (sched_getaffinity(0, sizeof(*cpus), cpus))
			return hft_fail(errno, "the CPUs that this thread may run on");
		return 0;
	}
	CPU_ZERO(cpus);
	for (i = 0; i < hft_sim_cpus(pool->sim) && i < CPU_SETSIZE; i++)
		CPU_SET(i, cpus);
	return 0;
}

static int place_workers(const struct hft_place_opts *place, uint32_t nr, uint32_t *cpus)
{
	struct hft_placed *placed = calloc(nr ? nr : 1, sizeof(*placed));
	uint32_t i;
	int err;

	if (!placed)
		return hft_fail(ENOMEM, "a placement of %u workers", nr);
	err = hft_place(place, placed, nr);
	for (i = 0; i < nr && !err; i++)
		cpus[i] = placed[i].cpu;
	free(placed);
	return err;
}

/* The CPU of each worker.  Returns how many there are, or an error. */
static int choose_cpus(const struct hft_pool *pool, const struct hft_pool_opts *opts,
		       uint32_t *cpus)
{
	uint32_t i, nr = opts->workers;
	cpu_set_t set;
	int ret;

	ret = opts->place && !nr ? hft_place_count(opts->place) : pool_cpus(pool, &set);
	if (ret < 0)
		return ret;
	if (!nr)
		nr = opts->place ? (uint32_t)ret : (uint32_t)CPU_COUNT(&set);
	if (nr > HFT_POOL_WORKERS_MAX)
		nr = HFT_POOL_WORKERS_MAX;
	if (opts->place) {
		ret = nr ? place_workers(opts->place, nr, cpus) :
			   hft_fail(ENOSPC, "the placement leaves no CPU");
		return ret ? ret : (int)nr;
	}
	for (i = 0; i < nr; i++) {
		if (opts->cpus)
			cpus[i] = opts->cpus[i];
		else if (allowed_cpu(&set, i, &cpus[i]))
			return hft_fail(EINVAL, "no CPU to run on");
	}
	return (int)nr;
}

static int add_workers(struct hft_pool *pool, const struct hft_pool_opts *opts)
{
	uint32_t cpus[HFT_POOL_WORKERS_MAX];
	uint32_t i, nr;
	int ret = choose_cpus(pool, opts, cpus);

	if (ret < 0)
		return ret;
	nr = (uint32_t)ret;
	if (opts->reserved && opts->reserved >= nr)
		return hft_fail(EINVAL, "%u reserved of %u workers", opts->reserved, nr);
	pool->first_reserved = nr - opts->reserved;
	pool->nr_reserved = opts->reserved;
	for (i = 0; i < nr; i++) {
		ret = hft_pool_add_worker(pool, cpus[i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* A machine's CPUs are of no topology but one that is given. */
static int check_place(const struct hft_pool_opts *opts)
{
	if (!opts->place)
		return 0;
	if (opts->cpus)
		return hft_fail(EINVAL, "both CPUs and a placement");
	if (opts->flags & HFT_POOL_UNPINNED)
		return hft_fail(EINVAL, "a placement of workers that are not pinned");
	if (opts->hft && hft_sim_of(opts->hft) && !opts->place->topology)
		return hft_fail(EINVAL, "a placement in a machine, without a topology");
	return 0;
}

static int pool_init(struct hft_pool *pool, const struct hft_pool_opts *opts)
{
	int err;

	/* In a machine nobody gains by spinning, and there is one thread for all. */
	if (!pool->sim) {
		pool->spin_ns = opts->spin_ns;
		pool->pinned = !(opts->flags & HFT_POOL_UNPINNED);
		pool->membarrier = !(opts->flags & HFT_POOL_QUIET) && hft_membarrier_begin();
	}
	pool->inherit = opts->flags & HFT_POOL_INHERIT;
	hft_pool_watch_forks();
	pool->forks = hft_pool_forks;
	err = pthread_key_create(&pool->key, NULL);
	if (err)
		return hft_fail(err, "a thread-specific key");
	if (pool->sim)
		hft_sim_hold(pool->sim);
	hft_mutex_init(&pool->lock);
	hft_queue_init(&pool->queue);
	hft_queue_open(&pool->queue);
	return 0;
}

/**
 * hft_pool_open() - make a pool and start its workers
 * @out: the pool
 * @user_opts: options, or NULL for one worker for each CPU that the caller may run on
 *
 * On a handle of the backend sim the workers are threads of its machine, one for each of
 * its CPUs unless the options say otherwise.  On any handle it opens a ring for each CPU
 * that it has a worker on, with a thread, for tasks that have a release.
 *
 * Return: 0, -EINVAL an option is out of range or a CPU can not be had, -E2BIG the
 * options are of a newer library, -ENOMEM, -EAGAIN no more threads, with a placement as
 * hft_place(), and on a handle as hft_ring_open().
 */
HFT_API int hft_pool_open(struct hft_pool **out, const struct hft_pool_opts *user_opts)
{
	struct hft_pool_opts opts;
	struct hft_pool *pool;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.flags & ~(HFT_POOL_UNPINNED | HFT_POOL_QUIET | HFT_POOL_INHERIT))
		return hft_fail(EINVAL, "unknown flags 0x%x", opts.flags);
	if (opts.workers > HFT_POOL_WORKERS_MAX)
		return hft_fail(EINVAL, "%u workers: at most %u", opts.workers,
				HFT_POOL_WORKERS_MAX);
	if (opts.cpus && !opts.workers)
		return hft_fail(EINVAL, "CPUs of no workers: how many are there?");
	err = check_place(&opts);
	if (err)
		return err;

	pool = aligned_alloc(64, sizeof(*pool));
	if (!pool)
		return hft_fail(ENOMEM, "a pool");
	memset(pool, 0, sizeof(*pool));
	pool->hft = opts.hft;
	pool->topology = opts.place ? opts.place->topology : NULL;
	pool->sim = opts.hft ? hft_sim_of(opts.hft) : NULL;
	err = pool_init(pool, &opts);
	if (err) {
		free(pool);
		return err;
	}
	err = add_workers(pool, &opts);
	if (err) {
		hft_pool_close(pool);
		return err;
	}
	*out = pool;
	return 0;
}

/* No worker takes what comes from outside any more, nor what is in order. */
static void cancel_shared(struct hft_pool *pool)
{
	struct hft_spawner by = { .pool = pool };
	struct hft_work *work = hft_inbox_take(&pool->inbox, HFT_INBOX_CLOSED);
	struct hft_work *next;

	for (; work; work = next) {
		next = work->next;
		hft_work_cancel(&by, work, -ECANCELED);
	}
	hft_queue_close(&pool->queue);
	while ((work = hft_queue_take(&pool->queue, 0)))
		hft_work_cancel(&by, work, -ECANCELED);
}

/* It has left. */
static void cancel_deques(struct hft_pool_worker *worker)
{
	struct hft_work *work;
	uint32_t level;

	for (level = 0; level < HFT_LEVELS; level++) {
		while ((work = hft_deque_take(&worker->deques[level])))
			hft_work_cancel(&worker->self, work, -ECANCELED);
	}
}

/**
 * hft_pool_close() - stop the workers of a pool and free it
 * @pool: the pool, or NULL
 *
 * Tasks that have begun run to their end; the others end with -ECANCELED.  What is
 * waited for must have been waited for.  Not from a worker of the pool, and not while
 * another thread uses the pool.  In a forked child it does nothing.
 */
HFT_API void hft_pool_close(struct hft_pool *pool)
{
	struct hft_sim *before;
	uint32_t i, nr;

	/* In a child others may have had locks, and whatever they were at stays as it was. */
	if (!pool || hft_pool_is_inherited(pool))
		return;
	before = hft_pool_enter(pool);
	nr = atomic_load(&pool->nr_workers);
	hft_releases_close(pool);
	cancel_shared(pool);
	for (i = 0; i < nr; i++)
		hft_member_stop(hft_pool_worker_at(pool, i), UINT64_MAX);
	for (i = 0; i < nr; i++)
		hft_pool_abandon_worker(hft_pool_worker_at(pool, i));
	hft_tasks_cancel(pool);
	for (i = 0; i < nr; i++)
		cancel_deques(hft_pool_worker_at(pool, i));
	pthread_key_delete(pool->key);
	for (i = 0; i < nr; i++)
		hft_member_free(hft_pool_worker_at(pool, i));
	hft_spawners_retire(pool);
	hft_queue_exit(&pool->queue);
	hft_releases_free(pool);
	pthread_mutex_destroy(&pool->lock);
	hft_pool_leave(pool, before);
	if (pool->sim)
		hft_sim_put(pool->sim);
	free(pool);
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_worker_stats(const struct hft_pool_worker *worker, struct hft_pool_stats *stats)
{
	uint32_t level;

	stats->spawned += read_count(&worker->self.spawned);
	stats->executed += read_count(&worker->executed);
	stats->failed += read_count(&worker->failed);
	stats->cancelled += read_count(&worker->cancelled);
	stats->stolen += read_count(&worker->stolen);
	stats->failed_steals += read_count(&worker->failed_steals);
	stats->late += read_count(&worker->late);
	stats->parked += read_count(&worker->parks);
	stats->parked_ns += read_count(&worker->parked_ns);
	for (level = 0; level < HFT_LEVELS; level++)
		stats->depth += (uint64_t)hft_deque_count(&worker->deques[level]);
	stats->depth += hft_queue_waiting(&worker->queue);
	stats->cpu = atomic_load_explicit(&worker->cpu, memory_order_relaxed);
	stats->running += atomic_load(&worker->life) != HFT_WORKER_NONE &&
			  !atomic_load(&worker->searching);
}

/**
 * hft_pool_stats() - what workers have done
 * @pool: the pool
 * @worker: its number, or %HFT_POOL_ALL
 * @user_stats: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Any thread; stops nobody: what is read is of one moment for each number only.
 *
 * Return: 0, -ENOENT there is no such worker, -EINVAL sz is none.
 */
HFT_API int hft_pool_stats(struct hft_pool *pool, uint32_t worker,
			   struct hft_pool_stats *user_stats)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	struct hft_pool_stats stats = {};
	int err = hft_check_answer(user_stats);
	uint32_t i;

	if (err)
		return err;
	if (worker != HFT_POOL_ALL && worker >= nr)
		return -ENOENT;
	for (i = 0; i < nr; i++) {
		if (worker == HFT_POOL_ALL || worker == i)
			add_worker_stats(hft_pool_worker_at(pool, i), &stats);
	}
	if (worker == HFT_POOL_ALL) {
		stats.spawned += hft_spawners_count(pool);
		stats.cancelled += read_count(&pool->cancelled);
		stats.depth += hft_queue_waiting(&pool->queue);
	}
	hft_answer(user_stats, &stats, sizeof(stats));
	return 0;
}
