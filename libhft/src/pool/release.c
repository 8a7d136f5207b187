// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks with a release: each is a task of a ring of the pool's handle, on the CPU of a
 * worker, until shortly before its time.  Who takes it out of the ring pushes it to the
 * queue that it is for, where it has room by then, and the worker that runs it waits for
 * the moment itself.
 *
 * Locks: hft_pool.lock, of rings that come and go; hft_release.lock, of the tasks of one,
 * is held while one is submitted: so each that is in the list is in the ring, or was taken
 * back by others, or its event is.  Neither is held while a worker of a ring is stopped.
 */
#include <errno.h>
#include <stdlib.h>

#include "../engine/cancelled.h"
#include "../resource/task.h"
#include "internal.h"

/*
 * How long before its release a task is pushed, ns: in it the thread of the ring is woken,
 * and a worker that sleeps; one that does not is kept from other tasks for so long.
 */
#define RELEASE_AHEAD	50000

/**
 * struct hft_release - tasks that wait for their time
 * @lock: of @closed and @first
 * @closed: it takes no tasks; read without the lock by who asks again with it
 * @first: those tasks
 * @waiting: how many there are
 * @users: workers on its CPU
 * @takers: those of them that are not reserved
 * @cpu: that
 * @ring: where they are
 * @worker: of that
 * @pool: theirs
 * @next: of all that the pool has ever had
 *
 * The memory stays until the pool is closed.
 */
struct hft_release {
	struct hft_lock lock;
	atomic_bool closed;
	struct hft_work_extra *first;
	_Atomic uint32_t waiting;
	uint32_t users;
	_Atomic uint32_t takers;
	uint32_t cpu;
	struct hft_ring *ring;
	struct hft_worker *worker;
	struct hft_pool *pool;
	struct hft_release *next;
};

/* The lock is held. */
static void add(struct hft_release *release, struct hft_work_extra *extra)
{
	extra->next = release->first;
	extra->link = &release->first;
	if (extra->next)
		extra->next->link = &extra->next;
	release->first = extra;
	atomic_fetch_add_explicit(&release->waiting, 1, memory_order_relaxed);
}

/* The lock is held. */
static void take_out(struct hft_release *release, struct hft_work_extra *extra)
{
	*extra->link = extra->next;
	if (extra->next)
		extra->next->link = extra->link;
	atomic_fetch_sub_explicit(&release->waiting, 1, memory_order_relaxed);
}

static bool is_closed(const struct hft_release *release)
{
	return atomic_load_explicit(&release->closed, memory_order_relaxed);
}

/* It waits for its resources, or for a worker. */
static void let_go(struct hft_pool *pool, struct hft_work *work)
{
	if (work->extra->owner)
		hft_task_claim(work->extra->owner);
	else
		hft_queue_keep(pool, work);
}

/* Was a task, which has not come out of its ring, taken back by others? */
static bool was_cancelled(struct hft *h, const struct hft_work_extra *extra)
{
	struct hft_task_info info;

	return hft_task_state(h, extra->id, &info) || info.state == HFT_STATE_CANCELLED;
}

typedef bool (*hft_goes_fn)(struct hft *h, const struct hft_work_extra *extra, const void *arg);

/* End those tasks of a ring that go. */
static void drop(struct hft_release *release, hft_goes_fn goes, const void *arg, int err)
{
	struct hft_work_extra *extra, *next, *gone = NULL;

	hft_lock(&release->lock);
	for (extra = release->first; extra; extra = next) {
		next = extra->next;
		if (!goes(release->pool->hft, extra, arg))
			continue;
		take_out(release, extra);
		extra->next = gone;
		gone = extra;
	}
	hft_unlock(&release->lock);
	for (extra = gone; extra; extra = next) {
		next = extra->next;
		hft_queue_drop(release->pool, extra->work, err);
	}
}

static bool goes_cancelled(struct hft *h, const struct hft_work_extra *extra, const void *arg)
{
	(void)arg;
	return was_cancelled(h, extra);
}

/* hft_halt() has cancelled tasks. */
static void on_cancel(void *arg)
{
	drop(arg, goes_cancelled, NULL, -ECANCELED);
}

/* How bad a place it is: by the tasks there, and worst if its CPU is for others. */
static uint64_t badness(const struct hft_release *release)
{
	uint64_t reserved = !atomic_load_explicit(&release->takers, memory_order_relaxed);

	return reserved << 32 | atomic_load_explicit(&release->waiting, memory_order_relaxed);
}

/* Where the fewest wait, or that of the worker that the task is for. */
static struct hft_release *choose(struct hft_pool *pool, const struct hft_work *work)
{
	struct hft_release *release, *best = NULL;
	uint64_t bad, least = UINT64_MAX;

	if (work->fixed)
		return atomic_load_explicit(&hft_pool_worker_at(pool, work->worker)->release,
					    memory_order_acquire);
	release = atomic_load_explicit(&pool->releases, memory_order_acquire);
	for (; release; release = release->next) {
		bad = badness(release);
		if (bad >= least || is_closed(release))
			continue;
		best = release;
		least = bad;
	}
	return best;
}

/* The lock is held. */
static int submit(struct hft_release *release, struct hft_work *work)
{
	uint64_t ahead = release->pool->sim ? 0 : RELEASE_AHEAD;
	struct hft_work_extra *extra = work->extra;
	struct hft_task task = {
		.cookie = (uintptr_t)work,
		.release = extra->release > ahead ? extra->release - ahead : 0,
		.deadline = work->deadline,
		.ring = hft_ring_number(release->ring),
		.flags = HFT_TASK_TRACK,
		.level = work->level,
	};
	int err = hft_submit(release->pool->hft, &task, &extra->id);

	if (err)
		return err;
	extra->work = work;
	add(release, extra);
	return 0;
}

/* Is there nobody for it?  The lock is held: pairs with that in drop(). */
static bool has_left(const struct hft_release *release, const struct hft_work *work)
{
	const struct hft_pool_worker *worker = hft_pool_worker_at(release->pool, work->worker);

	return work->fixed &&
	       atomic_load_explicit(&worker->release, memory_order_relaxed) != release;
}

static int submit_to(struct hft_release *release, struct hft_work *work)
{
	int err = -ESHUTDOWN;

	hft_lock(&release->lock);
	if (!is_closed(release) && !has_left(release, work))
		err = submit(release, work);
	hft_unlock(&release->lock);
	return err;
}

/* The CPU of the best ring is offline. */
static int submit_elsewhere(struct hft_pool *pool, struct hft_work *work)
{
	struct hft_release *release = atomic_load_explicit(&pool->releases, memory_order_acquire);
	int err = -ENODEV;

	for (; release && (err == -ENODEV || err == -ESHUTDOWN); release = release->next)
		err = submit_to(release, work);
	return err;
}

/**
 * hft_release_submit() - have a task come at its release
 * @pool: its pool, on a handle
 * @work: the task, which is promised to its queue
 *
 * Return: 0, -ESHUTDOWN the pool is being closed or the worker has left, or an error of
 * hft_submit(): the task is the caller's.
 */
int hft_release_submit(struct hft_pool *pool, struct hft_work *work)
{
	struct hft_release *release;
	int err;

	do {
		release = choose(pool, work);
		if (!release)
			return -ESHUTDOWN;
		err = submit_to(release, work);
		/* Of those for any worker there may be another. */
	} while (err == -ESHUTDOWN && !work->fixed);
	return err == -ENODEV && !work->fixed ? submit_elsewhere(pool, work) : err;
}

/* The body of a ring's worker. */
static void released(const struct hft_event *event, uint64_t start, void *arg)
{
	struct hft_work *work = (struct hft_work *)(uintptr_t)event->cookie;
	struct hft_release *release = arg;
	int err = event->result < 0 ? event->result : 0;

	(void)start;
	hft_lock(&release->lock);
	take_out(release, work->extra);
	hft_unlock(&release->lock);
	if (!err)
		let_go(release->pool, work);
	/* Its CPU has gone. */
	else if (err != -ENODEV || work->fixed || hft_release_submit(release->pool, work))
		hft_queue_drop(release->pool, work, err);
}

static int start(struct hft_release *release)
{
	HFT_OPTS(hft_ring_opts, ring, .cpu = release->cpu, .policy = HFT_POLICY_EDF);
	HFT_OPTS(hft_worker_opts, worker, .fn = released, .arg = release,
		 .flags = HFT_WORKER_MAY | HFT_WORKER_NO_LOCK);
	int err = hft_ring_open(release->pool->hft, &ring, &release->ring);

	if (err)
		return err;
	err = hft_worker_start(release->ring, &worker, &release->worker);
	if (err) {
		hft_ring_close(release->ring);
		return err;
	}
	hft_ring_on_cancel(release->ring, on_cancel, release);
	return 0;
}

/* hft_pool.lock is held. */
static struct hft_release *find(const struct hft_pool *pool, uint32_t cpu)
{
	struct hft_release *release = atomic_load_explicit(&pool->releases, memory_order_relaxed);

	while (release && (release->cpu != cpu || is_closed(release)))
		release = release->next;
	return release;
}

/* hft_pool.lock is held. */
static int make(struct hft_pool *pool, uint32_t cpu, struct hft_release **out)
{
	struct hft_release *release = calloc(1, sizeof(*release));
	int err;

	if (!release)
		return hft_fail(ENOMEM, "releases on CPU %u", cpu);
	release->pool = pool;
	release->cpu = cpu;
	err = start(release);
	if (err) {
		free(release);
		return err;
	}
	release->next = atomic_load_explicit(&pool->releases, memory_order_relaxed);
	atomic_store_explicit(&pool->releases, release, memory_order_release);
	*out = release;
	return 0;
}

/* An open one, or NULL; hft_pool.lock is held. */
static struct hft_release *find_any(const struct hft_pool *pool)
{
	struct hft_release *release = atomic_load_explicit(&pool->releases, memory_order_relaxed);

	while (release && is_closed(release))
		release = release->next;
	return release;
}

/**
 * hft_release_join() - a worker comes: its CPU has a ring from here on, if there is one
 * @worker: the worker, of a pool on a handle; hft_pool.lock is held
 *
 * Return: 0, or an error of hft_ring_open() or hft_worker_start(); none for want of rings
 * while there are others.
 */
int hft_release_join(struct hft_pool_worker *worker)
{
	struct hft_release *release = find(worker->pool, worker->cpu);
	int err;

	if (!release) {
		err = make(worker->pool, worker->cpu, &release);
		/* A handle has fewer rings than a pool may have workers. */
		if (err == -ENOSPC)
			release = find_any(worker->pool);
		if (!release)
			return err;
	}
	release->users++;
	atomic_fetch_add_explicit(&release->takers, !worker->reserved, memory_order_relaxed);
	atomic_store_explicit(&worker->release, release, memory_order_release);
	return 0;
}

/* The ring is about to be closed, and its worker is stopped. */
static void settle(struct hft_pool *pool, struct hft_work *work, bool closing)
{
	int err;

	if (closing) {
		hft_queue_drop(pool, work, -ECANCELED);
		return;
	}
	if (hft_cancel(pool->hft, work->extra->id)) {
		if (was_cancelled(pool->hft, work->extra))
			hft_queue_drop(pool, work, -ECANCELED);
		else
			let_go(pool, work);
		return;
	}
	err = hft_release_submit(pool, work);
	if (err)
		hft_queue_drop(pool, work, work->fixed ? -ENODEV : err);
}

/* It is closed: nobody adds to it. */
static void stop(struct hft_release *release, bool closing)
{
	struct hft_work_extra *extra, *next;

	hft_ring_on_cancel(release->ring, NULL, NULL);
	hft_worker_stop(release->worker);
	for (extra = release->first; extra; extra = next) {
		next = extra->next;
		settle(release->pool, extra->work, closing);
	}
	release->first = NULL;
	atomic_store_explicit(&release->waiting, 0, memory_order_relaxed);
	hft_ring_close(release->ring);
}

/* Returns whether it was open. */
static bool close_release(struct hft_release *release)
{
	bool closed;

	hft_lock(&release->lock);
	closed = atomic_exchange_explicit(&release->closed, true, memory_order_relaxed);
	hft_unlock(&release->lock);
	return !closed;
}

/* One that no worker needs any more, while others do one; it is closed. */
static struct hft_release *find_unused(struct hft_pool *pool)
{
	struct hft_release *release, *unused = NULL;
	bool used = false;

	pthread_mutex_lock(&pool->lock);
	release = atomic_load_explicit(&pool->releases, memory_order_relaxed);
	for (; release; release = release->next) {
		if (release->users)
			used = true;
		else if (!is_closed(release))
			unused = release;
	}
	if (!used || !unused || !close_release(unused))
		unused = NULL;
	pthread_mutex_unlock(&pool->lock);
	return unused;
}

/**
 * hft_releases_reap() - close rings that are on no worker's CPU
 * @pool: pool, whose lock is not held
 *
 * Their tasks go to others; the last ring stays, for workers that come.
 */
void hft_releases_reap(struct hft_pool *pool)
{
	struct hft_release *release;

	while ((release = find_unused(pool)))
		stop(release, false);
}

/* It is @arg's alone, and has not just come out of the ring: then it ends by itself. */
static bool goes_with(struct hft *h, const struct hft_work_extra *extra, const void *arg)
{
	const struct hft_pool_worker *worker = arg;

	return extra->work->fixed && extra->work->worker == worker->number &&
	       !hft_cancel(h, extra->id);
}

/* A worker has left; hft_pool.lock is held. */
void hft_release_leave(struct hft_pool_worker *worker)
{
	struct hft_release *release;

	release = atomic_exchange_explicit(&worker->release, NULL, memory_order_relaxed);
	if (!release)
		return;
	release->users--;
	atomic_fetch_sub_explicit(&release->takers, !worker->reserved, memory_order_relaxed);
	drop(release, goes_with, worker, -ENODEV);
}

/* The pool is closed: what waits for its time ends. */
void hft_releases_close(struct hft_pool *pool)
{
	struct hft_release *release = atomic_load_explicit(&pool->releases, memory_order_relaxed);

	for (; release; release = release->next) {
		if (close_release(release))
			stop(release, true);
	}
}

/* No worker is left. */
void hft_releases_free(struct hft_pool *pool)
{
	struct hft_release *release = atomic_load_explicit(&pool->releases, memory_order_relaxed);
	struct hft_release *next;

	for (; release; release = next) {
		next = release->next;
		free(release);
	}
}
