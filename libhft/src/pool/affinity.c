// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which worker a task goes to that may not go to any. */
#include "internal.h"
#include "../topology/affinity.h"

static bool takes_others(const struct hft_pool_worker *worker)
{
	return !worker->reserved && atomic_load(&worker->life) == HFT_WORKER_RUNS;
}

static uint32_t node_of(const struct hft_pool_worker *worker)
{
	return atomic_load_explicit(&worker->node, memory_order_relaxed);
}

static bool allows(const struct hft_affinity *affinity, const struct hft_pool_worker *worker)
{
	uint32_t cpu = atomic_load_explicit(&worker->cpu, memory_order_relaxed);

	return takes_others(worker) && hft_affinity_allows(affinity, cpu, node_of(worker));
}

/* What goes first: it has the task's data, has the least to do, sleeps. */
static bool is_better(const struct hft_affinity *affinity, const struct hft_pool_worker *a,
		      const struct hft_pool_worker *b)
{
	bool near_a = hft_affinity_prefers(affinity, node_of(a));
	bool near_b = hft_affinity_prefers(affinity, node_of(b));
	uint64_t costs_a, costs_b;

	if (near_a != near_b)
		return near_a;
	costs_a = atomic_load_explicit(&a->expected, memory_order_relaxed);
	costs_b = atomic_load_explicit(&b->expected, memory_order_relaxed);
	if (costs_a != costs_b)
		return costs_a < costs_b;
	return atomic_load_explicit(&a->parked, memory_order_relaxed) >
	       atomic_load_explicit(&b->parked, memory_order_relaxed);
}

/* Equal ones in turns. */
static struct hft_pool_worker *choose(struct hft_spawner *self, const struct hft_affinity *affinity)
{
	struct hft_pool *pool = self->pool;
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	struct hft_pool_worker *worker, *best = NULL;
	uint32_t i, turn = self->turn++;

	for (i = 0; i < nr; i++) {
		worker = hft_pool_worker_at(pool, (turn + i) % nr);
		if (allows(affinity, worker) && (!best || is_better(affinity, worker, best)))
			best = worker;
	}
	return best;
}

/* Is any worker as good as another?  Then it may be stolen. */
static bool is_indifferent(const struct hft_pool *pool, const struct hft_affinity *affinity,
			   bool prefers)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	const struct hft_pool_worker *worker;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		worker = hft_pool_worker_at(pool, i);
		if (takes_others(worker) &&
		    hft_affinity_prefers(affinity, node_of(worker)) != prefers)
			return false;
	}
	return true;
}

/**
 * hft_affinity_send() - choose the worker of a task with an affinity
 * @self: who spawns it
 * @work: the task; where it has a worker for its memory, that one if it may
 * @affinity: its affinity
 *
 * Return: 0, or -ENODEV: there is no worker that it may run on.
 */
int hft_affinity_send(struct hft_spawner *self, struct hft_work *work,
		      const struct hft_affinity *affinity)
{
	bool strict = hft_affinity_is_strict(affinity);
	struct hft_pool_worker *worker;

	if (work->fixed && allows(affinity, hft_pool_worker_at(self->pool, work->worker))) {
		work->extra->home = !strict;
		return 0;
	}
	worker = choose(self, affinity);
	if (!worker)
		return strict ? -ENODEV : 0;
	if (!strict && is_indifferent(self->pool, affinity,
				      hft_affinity_prefers(affinity, node_of(worker))))
		return 0;
	work->fixed = true;
	work->worker = (uint8_t)worker->number;
	work->extra->home = !strict;
	return 0;
}

/**
 * hft_affinity_resend() - choose another worker, as that of hft_affinity_send() has left
 * @pool: the pool
 * @work: the task, for a worker that does not take it
 * @affinity: its affinity
 * @first: the worker that was chosen first
 * @tried: how many after that were looked at: 0 at first
 *
 * Return: false: there is none that was not tried.
 */
bool hft_affinity_resend(const struct hft_pool *pool, struct hft_work *work,
			 const struct hft_affinity *affinity, uint32_t first, uint32_t *tried)
{
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	const struct hft_pool_worker *worker;

	if (!hft_affinity_is_strict(affinity)) {
		work->fixed = work->extra->home = false;
		return true;
	}
	while (++*tried < nr) {
		worker = hft_pool_worker_at(pool, (first + *tried) % nr);
		if (allows(affinity, worker)) {
			work->worker = (uint8_t)worker->number;
			return true;
		}
	}
	return false;
}
