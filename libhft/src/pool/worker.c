// SPDX-License-Identifier: LGPL-2.1-or-later
/* Workers: where a task comes from, and what to do when there is none. */
#include <errno.h>
#include <stdio.h>

#include "../log/sched.h"
#include "../random.h"
#include "../resource/task.h"
#include "../spin.h"
#include "internal.h"

/* Looks for a task before the first look at the clock, and from one to the next. */
#ifndef SPINS
#define SPINS		64
#endif

/*
 * A task that takes less than it costs its owner that it is stolen had better be left to
 * that: from one such to the next there is a pause, ns, each twice as long.
 */
#define STEAL_WORTH		500
#define STEAL_PAUSE_MOST	4000

/* Bytes of stack for hft_worker_lost(). */
#define LOST_ROOM	32768

/* Tell who waits what has ended. */
void hft_worker_tell(struct hft_pool_worker *worker)
{
	uint32_t ended = worker->ended;

	worker->ended = 0;
	if (ended)
		hft_group_end(worker->ended_group, worker->pool, ended);
}

/* Let the worker, which is the caller, alone have a task: the oldest first. */
void hft_worker_fix(struct hft_pool_worker *worker, struct hft_work *work)
{
	struct hft_work_list *list = &worker->fixed[work->level];

	work->next = NULL;
	if (worker->fixed_levels & 1U << work->level)
		*list->last = work;
	else
		list->first = work;
	list->last = &work->next;
	worker->fixed_levels |= 1U << work->level;
}

struct hft_work *hft_worker_take_fixed(struct hft_pool_worker *worker, uint32_t level)
{
	struct hft_work_list *list = &worker->fixed[level];
	struct hft_work *work = list->first;

	list->first = work->next;
	if (!list->first)
		worker->fixed_levels &= ~(1U << level);
	return work;
}

/* The oldest first, out of an inbox. */
static struct hft_work *reverse(struct hft_work *work)
{
	struct hft_work *oldest = NULL, *next;

	for (; work; work = next) {
		next = work->next;
		work->next = oldest;
		oldest = work;
	}
	return oldest;
}

/* The newest goes in first: so the oldest is taken first. */
static void take_inbox(struct hft_pool_worker *worker)
{
	struct hft_work *work = hft_inbox_take(&worker->pool->inbox, NULL);
	/* Who was at no search may have better to do first. */
	bool for_others = work && (work->next || !atomic_load_explicit(&worker->searching,
								       memory_order_relaxed));
	struct hft_work *next;
	uint32_t levels;

	levels = atomic_load_explicit(&worker->levels, memory_order_relaxed);
	for (; work; work = next) {
		uint32_t level = work->level;

		next = work->next;
		/* For want of memory it is not to be stolen; else it may be gone. */
		if (hft_deque_push(&worker->deques[level], work))
			hft_worker_fix(worker, work);
		else
			levels |= 1U << level;
	}
	atomic_store_explicit(&worker->levels, levels, memory_order_relaxed);
	if (for_others)
		hft_pool_notify(worker->pool, worker);
}

static void take_own_inbox(struct hft_pool_worker *worker)
{
	struct hft_work *work = reverse(hft_inbox_take(&worker->inbox, NULL));
	struct hft_work *next;

	for (; work; work = next) {
		next = work->next;
		hft_worker_fix(worker, work);
	}
}

/* 1 + the highest level of what waits for the caller alone, without a deadline; 0: nothing. */
uint32_t hft_worker_fixed_level(struct hft_pool_worker *worker)
{
	if (atomic_load_explicit(&worker->inbox, memory_order_relaxed))
		take_own_inbox(worker);
	return worker->fixed_levels ? 32 - (uint32_t)__builtin_clz(worker->fixed_levels) : 0;
}

/* The newest, or in its turn the oldest: one that spawns itself again is not all there is. */
static inline struct hft_work *take(struct hft_pool_worker *worker, uint32_t level)
{
	struct hft_work *work;

	if (__builtin_expect(worker->yields, 0)) {
		worker->yields = false;
		work = hft_deque_steal(&worker->deques[level]);
		if (work && work != HFT_DEQUE_LOST)
			return work;
	}
	return hft_deque_take(&worker->deques[level]);
}

/* 1 + the highest level of the tasks in the worker's lists and deques; 0: there is none. */
static uint32_t own_level(const struct hft_pool_worker *worker)
{
	uint32_t levels = atomic_load_explicit(&worker->levels, memory_order_relaxed);
	uint32_t level;

	for (level = HFT_LEVELS; level; level--) {
		if (worker->fixed_levels & 1U << (level - 1))
			return level;
		if (levels & 1U << (level - 1) && hft_deque_count(&worker->deques[level - 1]))
			return level;
	}
	return 0;
}

/* A task that is in order, if it has at least the level of the worker's others, or NULL. */
static struct hft_work *next_queued(struct hft_pool_worker *worker)
{
	struct hft_queue *queue = &worker->pool->queue;
	uint32_t level = own_level(worker);
	struct hft_work *work;

	if (worker->reserved)
		return hft_queue_take(&worker->queue, level);
	if (hft_queue_urgency(&worker->queue) < hft_queue_urgency(queue)) {
		work = hft_queue_take(queue, level);
		if (work)
			return work;
	}
	work = hft_queue_take(&worker->queue, level);
	return work ? work : hft_queue_take(queue, level);
}

/* Has anything come in, or is anything in order? */
static inline bool has_news(const struct hft_pool_worker *worker)
{
	const struct hft_pool *pool = worker->pool;

	return (uintptr_t)atomic_load_explicit(&pool->inbox, memory_order_relaxed) |
	       (uintptr_t)atomic_load_explicit(&worker->inbox, memory_order_relaxed) |
	       hft_queue_urgency(&pool->queue) | hft_queue_urgency(&worker->queue);
}

/* See to that: a task that goes before those in the worker's lists and deques, or NULL. */
static __attribute__((noinline)) struct hft_work *take_news(struct hft_pool_worker *worker)
{
	if (!worker->reserved)
		take_inbox(worker);
	take_own_inbox(worker);
	if (!hft_queue_urgency(&worker->pool->queue) && !hft_queue_urgency(&worker->queue))
		return NULL;
	return next_queued(worker);
}

/* The best task that nobody has to be asked for, or NULL. */
static inline struct hft_work *next_own(struct hft_pool_worker *worker)
{
	struct hft_work *work;
	uint32_t levels;

	if (__builtin_expect(has_news(worker), 0)) {
		work = take_news(worker);
		if (work)
			return work;
	}

	levels = atomic_load_explicit(&worker->levels, memory_order_relaxed);
	while (levels | worker->fixed_levels) {
		uint32_t level = 31 - (uint32_t)__builtin_clz(levels | worker->fixed_levels);

		if (worker->fixed_levels & 1U << level)
			return hft_worker_take_fixed(worker, level);
		work = take(worker, level);
		if (work)
			return work;
		levels &= ~(1U << level);
		atomic_store_explicit(&worker->levels, levels, memory_order_relaxed);
	}
	return NULL;
}

/* A task of @level of @victim, or NULL. */
static struct hft_work *steal_from(struct hft_pool_worker *worker, struct hft_pool_worker *victim,
				   uint32_t level)
{
	struct hft_work *work;

	if (!(atomic_load_explicit(&victim->levels, memory_order_relaxed) & 1U << level))
		return NULL;
	do {
		work = hft_deque_steal(&victim->deques[level]);
		if (work && work != HFT_DEQUE_LOST) {
			hft_count(&worker->stolen, 1);
			if (hft_log_sched_wants(HFT_SCHED_POOL_STEAL))
				hft_log_sched_steal(worker->number, victim->number, level,
						    hft_now());
			return work;
		}
		hft_count(&worker->failed_steals, 1);
	} while (work);
	return NULL;
}

static struct hft_work *steal_at(struct hft_pool_worker *worker, uint32_t level,
				 enum hft_distance distance, uint32_t nr)
{
	uint32_t start = random_below(&worker->random, nr);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		uint32_t number = start + i < nr ? start + i : start + i - nr;
		struct hft_pool_worker *victim = hft_pool_worker_at(worker->pool, number);
		struct hft_work *work;

		if (victim == worker || hft_worker_distance(worker, number) != distance)
			continue;
		work = steal_from(worker, victim, level);
		if (work)
			return work;
	}
	return NULL;
}

static bool steal_pauses(struct hft_pool_worker *worker)
{
	if (__builtin_expect(!worker->steal_after, 1))
		return false;
	if (hft_now() < worker->steal_after)
		return true;
	worker->steal_after = 0;
	return false;
}

/* Is the task that was just stolen to be timed?  One in four, while they are worth it. */
static bool judges_steal(const struct hft_pool_worker *worker)
{
	if (worker->pool->sim)
		return false;
	return worker->steal_pause ||
	       !(atomic_load_explicit(&worker->stolen, memory_order_relaxed) % 4);
}

/* A task that was stolen has ended. */
static void judge_steal(struct hft_pool_worker *worker)
{
	uint64_t now = hft_now(), took = now - worker->stolen_at;

	worker->stolen_at = 0;
	if (took >= STEAL_WORTH) {
		worker->steal_pause = 0;
		return;
	}
	worker->steal_pause = worker->steal_pause ? 2 * worker->steal_pause : STEAL_WORTH;
	if (worker->steal_pause > STEAL_PAUSE_MOST)
		worker->steal_pause = STEAL_PAUSE_MOST;
	worker->steal_after = now + worker->steal_pause;
}

/* The highest level that a worker has, from the nearest, or NULL. */
static struct hft_work *steal(struct hft_pool_worker *worker)
{
	const struct hft_pool *pool = worker->pool;
	uint32_t nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire);
	enum hft_distance distance;
	struct hft_work *work;
	uint32_t i, levels = 0;

	if (worker->reserved || steal_pauses(worker))
		return NULL;
	for (i = 0; i < nr; i++)
		levels |= atomic_load_explicit(&hft_pool_worker_at(pool, i)->levels,
					       memory_order_relaxed);
	while (levels) {
		uint32_t level = 31 - (uint32_t)__builtin_clz(levels);

		for (distance = 0; distance < HFT_DISTANCES; distance++) {
			work = steal_at(worker, level, distance, nr);
			if (work) {
				/* On a machine time stands still until it sleeps. */
				worker->stolen_at = judges_steal(worker) ? hft_now() : 0;
				return work;
			}
		}
		levels &= ~(1U << level);
	}
	return NULL;
}

static bool is_leaving(const struct hft_pool_worker *worker)
{
	return atomic_load_explicit(&worker->life, memory_order_relaxed) != HFT_WORKER_RUNS;
}

/*
 * Look for a task until there is one, what is waited for is over, or the worker is to
 * leave: NULL.
 */
static struct hft_work *search(struct hft_pool_worker *worker, const struct hft_wait_for *wait,
			       uint64_t timeout)
{
	uint64_t spin_ns = worker->pool->spin_ns, start = 0, now;
	struct hft_work *work;
	uint32_t spins;

	/* Whatever machine its tasks have used. */
	hft_pool_enter(worker->pool);
	hft_worker_search(worker);
	for (spins = 1;; spins++) {
		work = next_own(worker);
		if (!work)
			work = steal(worker);
		if (work || (wait && hft_wait_is_over(wait)) || (!wait && is_leaving(worker)))
			break;
		hft_pause();
		if (spins % SPINS)
			continue;
		now = hft_now();
		if (now >= timeout)
			break;
		if (!start) {
			start = now;
		} else if (now - start >= spin_ns) {
			hft_worker_park(worker, wait, timeout);
			start = 0;
		}
	}
	hft_worker_found(worker);
	return work;
}

/* A task, or NULL as search(). */
static inline struct hft_work *next(struct hft_pool_worker *worker,
				    const struct hft_wait_for *wait, uint64_t timeout)
{
	struct hft_work *work = next_own(worker);

	if (__builtin_expect(!!work, 1))
		return work;
	hft_worker_tell(worker);
	if (wait && hft_wait_is_over(wait))
		return NULL;
	work = steal(worker);
	return work ? work : search(worker, wait, timeout);
}

static inline void run(struct hft_pool_worker *worker, struct hft_work *work)
{
	bool stolen = worker->stolen_at;

	hft_work_run(worker, work);
	if (__builtin_expect(stolen, 0))
		judge_steal(worker);
}

/* Is it over, with the tasks that have ended and that it has told nobody of? */
static inline bool is_over_to(const struct hft_pool_worker *worker,
			      const struct hft_wait_for *wait)
{
	uint32_t value = atomic_load_explicit(wait->word, memory_order_acquire);

	if (wait->group && wait->group == worker->ended_group)
		value += worker->ended * HFT_GROUP_TASK;
	return hft_wait_is_over_at(wait, value);
}

/* The task that the worker is at waits for others, which are run inside of it. */
static struct hft_work *begin_inside(struct hft_pool_worker *worker)
{
	struct hft_work *waits = worker->current;

	waits->outer = worker->outer;
	worker->outer = waits;
	worker->current = NULL;
	return waits;
}

static void end_inside(struct hft_pool_worker *worker, struct hft_work *waits)
{
	hft_worker_tell(worker);
	worker->outer = waits->outer;
	worker->current = waits;
	if (__builtin_expect(!!hft_self.owner, 0))
		hft_task_resume(worker);
}

/* Run a task, in no list, that the one waits for that the worker is at. */
void hft_worker_run_inside(struct hft_pool_worker *worker, struct hft_work *work)
{
	struct hft_work *waits = begin_inside(worker);

	hft_work_run(worker, work);
	end_inside(worker, waits);
}

/**
 * hft_worker_help() - run tasks until something is over
 * @worker: the caller, at a task
 * @wait: what
 * @timeout: CLOCK_MONOTONIC; UINT64_MAX: none
 *
 * Return: 0 or -ETIMEDOUT.
 */
int hft_worker_help(struct hft_pool_worker *worker, const struct hft_wait_for *wait,
		    uint64_t timeout)
{
	struct hft_work *waits = begin_inside(worker);
	struct hft_work *work;
	int err = 0;

	while (!is_over_to(worker, wait)) {
		if (timeout != UINT64_MAX && hft_now() >= timeout) {
			err = -ETIMEDOUT;
			break;
		}
		work = next(worker, wait, timeout);
		if (work)
			run(worker, work);
	}
	end_inside(worker, waits);
	return err;
}

/*
 * Run tasks until the worker is to leave.  When a task ends the thread, hft_worker_lost() is
 * called from the frame above this one: below that are @room for it, and the frames of tasks,
 * with groups that it still looks at.
 */
static __attribute__((noinline)) void work(struct hft_pool_worker *worker)
{
	volatile char room[LOST_ROOM];
	struct hft_work *task;

	room[0] = 0;
	while (!is_leaving(worker)) {
		task = next(worker, NULL, UINT64_MAX);
		if (task)
			run(worker, task);
	}
	(void)room;
}

/* The thread of a worker. */
void *hft_worker_main(void *arg)
{
	struct hft_pool_worker *worker = arg;
	char name[16];

	snprintf(name, sizeof(name), "hft-pool/%u", worker->number);
	pthread_setname_np(pthread_self(), name);
	hft_self.spawner = &worker->self;
	hft_log_sched_thread();
	pthread_cleanup_push(hft_worker_lost, worker);
	work(worker);
	pthread_cleanup_pop(0);
	hft_worker_leave(worker);
	return NULL;
}

/* That of a simulated machine: a task that ends it ends who runs the machine. */
void hft_worker_simulate(void *arg)
{
	struct hft_pool_worker *worker = arg;

	hft_self.spawner = &worker->self;
	work(worker);
	hft_worker_leave(worker);
}
