// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sleeping when there are no tasks, without missing one: internal.h has the barriers.
 */
#include <errno.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* hft_pool_worker.parked, besides 0 */
#define PARKED		1U
#define IS_WOKEN	2U	/* somebody is about to count it, and to wake it */

/* May the process have the kernel execute a fence in all its threads? */
bool hft_membarrier_begin(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static void fence_all(const struct hft_pool *pool)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (pool->membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

/* Nobody relies on one that is reserved. */
static void count_idle(const struct hft_pool_worker *worker, uint64_t change)
{
	if (!worker->reserved)
		atomic_fetch_add(&worker->pool->idle, change);
}

/*
 * It searches from here on: before it is counted as one who does it does not go on, or it
 * could search no more before it was.  Returns whether it slept, or was about to.
 */
static bool unpark(struct hft_pool_worker *worker)
{
	uint32_t parked = PARKED;

	if (atomic_load_explicit(&worker->parked, memory_order_relaxed) != PARKED ||
	    !atomic_compare_exchange_strong(&worker->parked, &parked, IS_WOKEN))
		return false;
	count_idle(worker, HFT_POOL_SEARCHING - HFT_POOL_PARKED);
	atomic_store_explicit(&worker->parked, 0, memory_order_release);
	return true;
}

/* Wake a certain worker, if it sleeps. */
void hft_worker_wake(struct hft_pool_worker *worker)
{
	hft_pool_use(worker->pool);
	if (unpark(worker))
		hft_futex_wake(&worker->parked, 1);
}

static bool wake_at(struct hft_pool *pool, const struct hft_pool_worker *from,
		    enum hft_distance distance)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct hft_pool_worker *worker = hft_pool_worker_at(pool, i);

		if (from && hft_worker_distance(from, i) != distance)
			continue;
		if (!worker->reserved && unpark(worker)) {
			hft_futex_wake(&worker->parked, 1);
			return true;
		}
	}
	return false;
}

/* There are tasks: wake one that sleeps, the nearest, unless somebody searches. */
void hft_pool_wake(struct hft_pool *pool, const struct hft_pool_worker *from)
{
	enum hft_distance distance;
	uint64_t idle;

	hft_pool_use(pool);
	/* The task before the look: pairs with that in hft_worker_found(). */
	atomic_thread_fence(memory_order_seq_cst);
	idle = atomic_load_explicit(&pool->idle, memory_order_relaxed);
	if (idle < HFT_POOL_PARKED || (uint32_t)idle)
		return;
	for (distance = 0; distance < HFT_DISTANCES; distance++) {
		if (wake_at(pool, from, distance))
			return;
	}
}

/*
 * What is waited for at its word is over; @pool: or NULL.  It may be other memory by now: it
 * is not read.
 */
void hft_wait_wake(struct hft_pool *pool, const struct hft_wait_for *wait)
{
	uint32_t i, nr = pool ? atomic_load_explicit(&pool->nr_workers, memory_order_acquire) : 0;

	hft_futex_wake(wait->word, INT_MAX);
	for (i = 0; i < nr; i++) {
		struct hft_pool_worker *worker = hft_pool_worker_at(pool, i);

		if (atomic_load(&worker->waits_for) == (uintptr_t)wait->word)
			hft_worker_wake(worker);
	}
}

static bool has_tasks(const struct hft_pool_worker *worker)
{
	uint32_t level;

	if (!atomic_load_explicit(&worker->levels, memory_order_relaxed))
		return false;
	for (level = 0; level < HFT_LEVELS; level++) {
		if (hft_deque_count(&worker->deques[level]))
			return true;
	}
	return false;
}

static bool is_open(const _Atomic(struct hft_work *) *inbox)
{
	struct hft_work *first = atomic_load_explicit(inbox, memory_order_relaxed);

	return first && first != HFT_INBOX_CLOSED;
}

/* Is there a task that @worker could have? */
static bool finds_tasks(const struct hft_pool_worker *worker)
{
	const struct hft_pool *pool = worker->pool;
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	uint32_t i;

	if (is_open(&worker->inbox) || worker->fixed_levels || hft_queue_waiting(&worker->queue))
		return true;
	if (worker->reserved)
		return has_tasks(worker);
	if (is_open(&pool->inbox) || hft_queue_waiting(&pool->queue))
		return true;
	for (i = 0; i < nr; i++) {
		if (has_tasks(hft_pool_worker_at(pool, i)))
			return true;
	}
	return false;
}

/* From here on nobody is woken for new tasks. */
void hft_worker_search(struct hft_pool_worker *worker)
{
	if (atomic_load_explicit(&worker->searching, memory_order_relaxed))
		return;
	atomic_store_explicit(&worker->searching, true, memory_order_relaxed);
	count_idle(worker, HFT_POOL_SEARCHING);
}

/* It searches no more: what it was relied on to find is another's. */
void hft_worker_found(struct hft_pool_worker *worker)
{
	struct hft_pool *pool = worker->pool;
	uint64_t idle;

	if (!atomic_load_explicit(&worker->searching, memory_order_relaxed))
		return;
	atomic_store_explicit(&worker->searching, false, memory_order_relaxed);
	if (worker->reserved)
		return;
	idle = atomic_fetch_sub(&pool->idle, HFT_POOL_SEARCHING) - HFT_POOL_SEARCHING;
	if (idle < HFT_POOL_PARKED || (uint32_t)idle)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (finds_tasks(worker))
		hft_pool_wake(pool, worker);
}

/* Is there no need to go on searching?  A worker at a task does not leave. */
static bool has_ended(const struct hft_pool_worker *worker, const struct hft_wait_for *wait)
{
	return wait ? hft_wait_is_over(wait) : atomic_load(&worker->life) != HFT_WORKER_RUNS;
}

static void sleep_parked(struct hft_pool_worker *worker, uint64_t timeout)
{
	uint64_t start = hft_now();

	hft_futex_wait(&worker->parked, PARKED, timeout);
	hft_count(&worker->parks, 1);
	hft_count(&worker->parked_ns, hft_now() - start);
}

/**
 * hft_worker_park() - sleep until there are tasks
 * @worker: the caller, who searches, before and after
 * @wait: what it waits for, or NULL
 * @timeout: CLOCK_MONOTONIC, or UINT64_MAX
 */
void hft_worker_park(struct hft_pool_worker *worker, const struct hft_wait_for *wait,
		     uint64_t timeout)
{
	struct hft_pool *pool = worker->pool;

	atomic_store(&worker->parked, PARKED);
	if (wait) {
		atomic_store(&worker->waits_for, (uintptr_t)wait->word);
		/* Who ends it sees this bit, and with it the two before. */
		atomic_fetch_or(wait->word, wait->awaited);
	}
	count_idle(worker, HFT_POOL_PARKED - HFT_POOL_SEARCHING);
	fence_all(pool);
	if (!finds_tasks(worker) && !has_ended(worker, wait))
		sleep_parked(worker, timeout);
	if (!unpark(worker)) {
		while (atomic_load_explicit(&worker->parked, memory_order_acquire) == IS_WOKEN)
			hft_futex_wait(&worker->parked, IS_WOKEN, UINT64_MAX);
	}
	atomic_store_explicit(&worker->waits_for, 0, memory_order_relaxed);
}

/**
 * hft_thread_wait() - sleep until something is over, as who is no worker
 * @wait: what
 * @timeout: CLOCK_MONOTONIC, or UINT64_MAX
 *
 * Return: 0, -ETIMEDOUT, or an error of hft_sim_futex_wait().
 */
int hft_thread_wait(const struct hft_wait_for *wait, uint64_t timeout)
{
	uint32_t value;
	int err;

	for (;;) {
		if (hft_wait_is_over(wait))
			return 0;
		value = atomic_fetch_or(wait->word, wait->awaited) | wait->awaited;
		if (hft_wait_is_over_at(wait, value))
			continue;
		err = hft_futex_wait(wait->word, value, timeout);
		if (err && err != EAGAIN && err != EINTR)
			return hft_wait_is_over(wait) ? 0 : -err;
	}
}
