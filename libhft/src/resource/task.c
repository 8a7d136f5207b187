// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks that declare what they need: who waits for it is no worker.
 *
 * A task has all that it has declared at once, or nothing: so it is in no circle while it
 * waits.  What it has it has before a worker comes for it.  It is given that only while
 * its pool has a worker that waits for no resource; the last that would is refused, or
 * runs the task itself.
 */
#include <errno.h>
#include <stddef.h>

#include "../pool/internal.h"
#include "internal.h"
#include "task.h"

struct hft_owner *hft_waiting_tasks;
bool hft_tasks_ending;

/* Those that their pools did not take any more. */
static struct hft_work *failed;

#define OWNER_SIZE	(sizeof(struct hft_owner) +				\
			 HFT_SPAWN_RESOURCES_MAX *				\
			 (sizeof(struct hft_resource *) + sizeof(struct hft_want)))

_Static_assert(OWNER_SIZE <= HFT_SPAWN_ARGS_MAX, "a task as owner has its slab");

static bool is_twice(const struct hft_required *required, uint32_t i)
{
	uint32_t n;

	for (n = 0; n < i; n++) {
		if (required[n].resource == required[i].resource)
			return true;
	}
	return false;
}

/* Returns 0 or -EINVAL. */
int hft_task_check(const struct hft_spawn_opts *opts)
{
	uint32_t i;

	if (opts->nr_resources > HFT_SPAWN_RESOURCES_MAX ||
	    (opts->nr_resources && !opts->resources))
		return -EINVAL;
	for (i = 0; i < opts->nr_resources; i++) {
		if (!opts->resources[i].resource || is_twice(opts->resources, i))
			return -EINVAL;
	}
	return 0;
}

/* Returns NULL for want of memory. */
struct hft_owner *hft_task_make(struct hft_spawner *self, struct hft_work *work,
				const struct hft_spawn_opts *opts)
{
	struct hft_owner *task = hft_slab_take(&self->args);
	uint32_t i, nr = opts->nr_resources;

	if (!task)
		return NULL;
	*task = (struct hft_owner){
		.max_held = nr,
		.level = work->level,
		.base = work->level,
		.wants = (struct hft_want *)(void *)&task->held[nr],
		.pool = self->pool,
		.work = work,
	};
	for (i = 0; i < nr; i++) {
		task->wants[i] = (struct hft_want){
			.owner = task,
			.resource = opts->resources[i].resource,
			.shared = opts->resources[i].shared ||
				  opts->resources[i].resource->units > 1,
		};
	}
	return task;
}

/* Is it among the tasks that @worker takes, or NULL? */
bool hft_task_is_for(const struct hft_owner *task, const struct hft_pool_worker *worker)
{
	if (!worker || worker->pool != task->pool)
		return false;
	return task->work->fixed ? worker->number == task->work->worker : !worker->reserved;
}

/* Those that there are now. */
uint32_t hft_task_workers(const struct hft_owner *task)
{
	const struct hft_pool *pool = task->pool;
	uint32_t i, nr = atomic_load_explicit(&pool->nr_workers, memory_order_acquire), live = 0;

	for (i = 0; i < nr; i++) {
		const struct hft_pool_worker *worker = hft_pool_worker_at(pool, i);

		live += hft_task_is_for(task, worker) &&
			atomic_load_explicit(&worker->life, memory_order_relaxed) ==
			HFT_WORKER_RUNS;
	}
	return live;
}

/* Is there a worker for it that waits for no resource?  If there is none at all one may come. */
static bool has_worker(const struct hft_owner *task)
{
	const struct hft_owner *owner;
	uint32_t waiting = 0, live;

	for (owner = hft_owners; owner; owner = owner->next)
		waiting += owner->nr_wants && hft_task_is_for(task, owner->worker);
	live = waiting ? hft_task_workers(task) : 0;
	return !live || waiting < live;
}

/* Can it have all that it wants?  The lock is held. */
bool hft_task_fits(const struct hft_owner *task)
{
	uint32_t i;

	for (i = 0; i < task->nr_wants; i++) {
		const struct hft_want *want = &task->wants[i];

		if (!hft_word_with(want->resource, atomic_load(&want->resource->word), task,
				   want->shared))
			return false;
	}
	return has_worker(task);
}

static void take_all(struct hft_owner *task)
{
	uint32_t i;

	for (i = 0; i < task->nr_wants; i++) {
		struct hft_resource *resource = task->wants[i].resource;

		hft_owner_add(task, resource);
		atomic_store_explicit(&resource->word,
				      hft_word_with(resource, hft_resource_contend(resource), task,
						    task->wants[i].shared),
				      memory_order_relaxed);
	}
}

/* It has all that it wants, and waits for a worker; the lock is held. */
void hft_task_grant(struct hft_owner *task)
{
	struct hft_work *work = task->work;

	take_all(task);
	hft_want_end(task);
	hft_owner_unlink(&hft_waiting_tasks, task);
	hft_owner_link(&hft_owners, task);
	hft_owner_update(task);
	task->queued = true;
	if (hft_queue_push(task->pool, work)) {
		work->next = failed;
		failed = work;
	} else if (atomic_load(&task->level) != work->level) {
		hft_queue_rekey(task->pool, work, atomic_load(&task->level));
	}
}

/* All that is to be ended when the lock is let go, by their next. */
struct hft_work *hft_task_failed(void)
{
	struct hft_work *first = failed;

	failed = NULL;
	return first;
}

static void reconsider(const struct hft_owner *task)
{
	if (task->nr_wants)
		hft_resource_changed(task->wants[0].resource);
}

/* A worker of @pool waits no more; the lock is held. */
void hft_tasks_reconsider(const struct hft_pool *pool)
{
	const struct hft_owner *task;

	for (task = hft_waiting_tasks; task; task = task->next) {
		if (task->pool == pool)
			reconsider(task);
	}
}

/* @pool has one more worker: what waited for one that waits for nothing may go on. */
void hft_tasks_have_worker(struct hft_pool *pool)
{
	hft_lock(&hft_resource_lock);
	hft_tasks_reconsider(pool);
	hft_resources_settle();
	hft_resources_unlock();
}

/*
 * A worker of @pool has left, which may have been the only one that waited for nothing: the
 * others look again for what they could run.
 */
void hft_tasks_lose_worker(struct hft_pool *pool)
{
	struct hft_owner *owner;

	hft_lock(&hft_resource_lock);
	for (owner = hft_owners; owner; owner = owner->next) {
		if (!owner->nr_wants || !owner->worker || owner->worker->pool != pool)
			continue;
		hft_want_end(owner);
		owner->again = true;
		/* As one who has it: it can not have ended before it is woken. */
		hft_wait_done(NULL, &owner->granted);
	}
	hft_resources_settle();
	hft_resources_unlock();
}

/**
 * hft_task_claim() - have a task wait for what it has declared, then for a worker
 * @task: of a task that its pool was promised; it may have ended with the return
 */
void hft_task_claim(struct hft_owner *task)
{
	uint32_t nr = task->max_held;

	hft_lock(&hft_resource_lock);
	hft_owner_link(&hft_waiting_tasks, task);
	task->nr_wants = nr;
	hft_want_begin(task, hft_now());
	reconsider(task);
	hft_resources_settle();
	hft_resources_unlock();
}

/* The caller runs it. */
void hft_task_begin(struct hft_owner *task)
{
	struct hft_owner *self = hft_owner();

	hft_lock(&hft_resource_lock);
	task->queued = false;
	task->thread = self;
	/* For want of memory the thread is not lent what the task is. */
	if (self) {
		hft_owner_set_base(self, task->work->level);
		task->outer = self->tasks;
		self->tasks = task;
		hft_owner_update(task);
		hft_owner_update(self);
	}
	hft_unlock(&hft_resource_lock);
}

static void leave_thread(struct hft_owner *task)
{
	struct hft_owner **link = &task->thread->tasks;

	while (*link != task)
		link = &(*link)->outer;
	*link = task->outer;
}

/* All that it has is others'. */
static void release_all(struct hft_owner *task)
{
	uint32_t i = atomic_load_explicit(&task->nr_held, memory_order_relaxed);

	while (i--) {
		struct hft_resource *resource = atomic_load_explicit(&task->held[i],
								     memory_order_relaxed);

		atomic_store(&resource->word, hft_word_without(hft_resource_contend(resource)));
		hft_owner_drop(task, resource);
		hft_resource_changed(resource);
	}
}

/**
 * hft_task_end() - a task has ended, whether it has run or not
 * @task: its memory is the caller's
 */
void hft_task_end(struct hft_owner *task)
{
	struct hft_owner *thread = task->thread;

	hft_lock(&hft_resource_lock);
	if (task->nr_wants) {
		hft_want_end(task);
		hft_owner_unlink(&hft_waiting_tasks, task);
	} else if (atomic_load_explicit(&task->nr_held, memory_order_relaxed)) {
		hft_owner_unlink(&hft_owners, task);
	}
	if (thread)
		leave_thread(task);
	release_all(task);
	hft_resources_settle();
	if (thread)
		hft_owner_update(thread);
	hft_resources_unlock();
}

/* What another thread ends is of a pool that is not freed before. */
static void wait_for_others(void)
{
	hft_lock(&hft_resource_lock);
	while (hft_tasks_ending)
		hft_resources_nap();
	hft_unlock(&hft_resource_lock);
}

/* The workers of @pool are gone: what waits does not run. */
void hft_tasks_cancel(struct hft_pool *pool)
{
	struct hft_spawner nobody = { .pool = pool };
	struct hft_spawner *self = hft_spawner_of(pool);
	struct hft_owner *task;

	for (;;) {
		hft_lock(&hft_resource_lock);
		for (task = hft_waiting_tasks; task && task->pool != pool; task = task->next)
			;
		if (task) {
			hft_want_end(task);
			hft_owner_unlink(&hft_waiting_tasks, task);
		}
		hft_resources_settle();
		hft_resources_unlock();
		if (!task)
			break;
		hft_queue_forgo(pool, task->work);
		hft_work_cancel(self ? self : &nobody, task->work, -ECANCELED);
	}
	wait_for_others();
}

static uint32_t level_of(const struct hft_work *work)
{
	return work && work->group & HFT_WORK_MORE ? work->level : HFT_LEVEL_NORMAL;
}

/* Of what a worker is at. */
uint32_t hft_task_level(const struct hft_pool_worker *worker)
{
	return level_of(worker->current);
}

/* The highest of the tasks that wait for that in it, and of @level. */
uint32_t hft_task_outer_level(const struct hft_pool_worker *worker, uint32_t level)
{
	const struct hft_work *work;

	for (work = worker->outer; work; work = work->outer) {
		if (level_of(work) > level)
			level = level_of(work);
	}
	return level;
}

/* The task that @worker is at goes on: those that it ran inside had levels of their own. */
void hft_task_resume(struct hft_pool_worker *worker)
{
	hft_owner_rebase(hft_self.owner, hft_task_level(worker));
}
