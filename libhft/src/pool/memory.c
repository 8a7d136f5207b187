// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a task touches that others have touched before: the worker that was the last has
 * it in its caches.
 */
#include "internal.h"

/* Tasks of one worker alone: @cost more, or less, ns that they are expected to run. */
void hft_worker_expect(struct hft_pool_worker *worker, uint64_t cost)
{
	atomic_fetch_add_explicit(&worker->expected, cost, memory_order_relaxed);
}

/**
 * hft_memory_home() - where a task had best run that touches some memory
 * @pool: its pool
 * @memory: what it touches
 *
 * Nowhere if it would wait there for longer than it takes to fetch that.
 *
 * Return: 1 + the worker, or 0: anywhere.
 */
uint32_t hft_memory_home(const struct hft_pool *pool, const struct hft_memory *memory)
{
	uint32_t last = __atomic_load_n(&memory->last, __ATOMIC_RELAXED);
	const struct hft_pool_worker *worker;
	uint32_t miss_ns;

	if (!last || last > atomic_load_explicit(&pool->nr_workers, memory_order_acquire))
		return 0;
	worker = hft_pool_worker_at(pool, last - 1);
	if (worker->reserved || atomic_load(&worker->life) != HFT_WORKER_RUNS)
		return 0;
	/* The application's, which may measure it again and again. */
	miss_ns = __atomic_load_n(&memory->miss_ns, __ATOMIC_RELAXED);
	if (atomic_load_explicit(&worker->expected, memory_order_relaxed) > miss_ns)
		return 0;
	return last;
}

/* @worker touches it from now on. */
void hft_memory_touch(struct hft_memory *memory, const struct hft_pool_worker *worker)
{
	uint32_t number = worker->number + 1;

	if (__atomic_load_n(&memory->last, __ATOMIC_RELAXED) != number)
		__atomic_store_n(&memory->last, number, __ATOMIC_RELAXED);
}

/*
 * @worker leaves.  Returns whether others have the task now: it was that one's only for
 * its memory.
 */
bool hft_memory_leave(struct hft_pool_worker *worker, struct hft_work *work)
{
	struct hft_pool *pool = worker->pool;

	if (!(work->group & HFT_WORK_MORE) || !work->extra || !work->extra->home)
		return false;
	work->fixed = work->extra->home = false;
	hft_worker_expect(worker, -work->extra->cost);
	if (work->deadline && !hft_queue_push(pool, work))
		return true;
	if (hft_inbox_push(&pool->inbox, work))
		return false;
	hft_pool_notify(pool, worker);
	return true;
}
