// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks, from their spawning to their end.
 */
#include <errno.h>
#include <string.h>

#include "../log/sched.h"
#include "../resource/task.h"
#include "internal.h"

#define NO_HANDLE	NULL
#define NO_OWNER	((void *)1)

static _Atomic uint32_t *group_word(struct hft_group *group)
{
	return (_Atomic uint32_t *)&group->ended;
}

static struct hft_wait_for wait_for_group(struct hft_group *group)
{
	return (struct hft_wait_for){
		.word = group_word(group),
		.mask = ~HFT_GROUP_AWAITED,
		.awaited = HFT_GROUP_AWAITED,
		.group = group,
	};
}

static struct hft_group *group_of(const struct hft_work *work)
{
	return (struct hft_group *)(work->group & ~HFT_WORK_FLAGS);
}

/* The first failure is the group's. */
void hft_group_fail(struct hft_group *group, int64_t result)
{
	int32_t none = 0, err = result < -INT32_MAX ? -INT32_MAX : (int32_t)result;

	/* To who waits that would say that there are tasks that have not ended. */
	if (err == -ETIMEDOUT)
		err = -ETIME;
	__atomic_compare_exchange_n(&group->error, &none, err, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

/**
 * hft_group_begin() - one more task of a group
 * @group: the group
 * @self: the caller
 *
 * What the owner spawns it alone counts, which is all that most groups ever have.
 */
void hft_group_begin(struct hft_group *group, const struct hft_spawner *self)
{
	if (__builtin_expect(group->owner == self, 1))
		__atomic_store_n(&group->own, group->own + HFT_GROUP_TASK, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&group->other, HFT_GROUP_TASK, __ATOMIC_RELAXED);
}

/**
 * hft_group_end() - tasks of a group have ended
 * @group: the group; with the last of them it may be no group any more
 * @pool: its pool
 * @nr: how many
 *
 * What was spawned is read before: it may be more by now, and so who waits may be woken in
 * vain, but is by the last to end, which has not counted less than all.
 */
void hft_group_end(struct hft_group *group, struct hft_pool *pool, uint32_t nr)
{
	struct hft_wait_for wait = wait_for_group(group);
	uint32_t spawned = hft_group_spawned(group);
	uint32_t ended = atomic_fetch_add_explicit(wait.word, nr * HFT_GROUP_TASK,
						   memory_order_acq_rel);

	if (__builtin_expect(!(ended & HFT_GROUP_AWAITED), 1))
		return;
	ended += nr * HFT_GROUP_TASK - HFT_GROUP_AWAITED;
	if ((int32_t)(ended - spawned) >= 0)
		hft_wait_wake(pool, &wait);
}

/* Add to an inbox, or -ESHUTDOWN. */
int hft_inbox_push(_Atomic(struct hft_work *) *inbox, struct hft_work *work)
{
	struct hft_work *first = atomic_load_explicit(inbox, memory_order_relaxed);

	do {
		if (first == HFT_INBOX_CLOSED)
			return -ESHUTDOWN;
		work->next = first;
	} while (!atomic_compare_exchange_weak_explicit(inbox, &first, work, memory_order_release,
							memory_order_relaxed));
	return 0;
}

/* All that is in an inbox, newest first; @leave is in it then. */
struct hft_work *hft_inbox_take(_Atomic(struct hft_work *) *inbox, struct hft_work *leave)
{
	struct hft_work *first = atomic_load_explicit(inbox, memory_order_relaxed);

	if (!first && !leave)
		return NULL;
	do {
		if (first == HFT_INBOX_CLOSED)
			return NULL;
	} while (!atomic_compare_exchange_weak_explicit(inbox, &first, leave,
							memory_order_acquire,
							memory_order_relaxed));
	return first;
}

/* All of it is valid.  @self: the caller, or NULL. */
static void work_free(struct hft_spawner *self, struct hft_work *work)
{
	uint32_t generation = atomic_load_explicit(&work->generation, memory_order_relaxed);

	atomic_store_explicit(&work->generation, generation + 1, memory_order_relaxed);
	hft_slab_give(self ? &self->works : NULL, work);
}

static void end_extra(struct hft_spawner *self, struct hft_work *work)
{
	if (work->fixed)
		hft_worker_expect(hft_pool_worker_at(self->pool, work->worker),
				  -work->extra->cost);
	if (work->extra->owner) {
		/* Before who waits for the task is told. */
		hft_task_end(work->extra->owner);
		hft_slab_give(self ? &self->args : NULL, work->extra->owner);
	}
	hft_slab_give(&self->extras, work->extra);
}

/* A task with a second line has ended: keep the result for who has its handle. */
static void work_end(struct hft_spawner *self, struct hft_work *work, int64_t result)
{
	if (work->big)
		hft_slab_give(self ? &self->args : NULL, work->big);
	if (work->extra)
		end_extra(self, work);
	if (!work->handle) {
		work_free(self, work);
		return;
	}
	work->result = result;
	if (hft_wait_done(self->pool, &work->state) & HFT_WORK_DETACHED)
		work_free(self, work);
}

/* A task of @group has ended: who waits is told with the next that is not of it. */
static inline void worker_ended(struct hft_pool_worker *worker, struct hft_group *group,
				int64_t result)
{
	hft_count(&worker->executed, 1);
	if (__builtin_expect(result < 0, 0)) {
		hft_count(&worker->failed, 1);
		if (group)
			hft_group_fail(group, result);
	}
	if (!group)
		return;
	if (worker->ended_group != group) {
		hft_worker_tell(worker);
		worker->ended_group = group;
	}
	worker->ended++;
}

/* Why a task is not begun, or 0. */
static int why_not(const struct hft_work *work)
{
	const struct hft_work_extra *extra = work->extra;

	if (!extra)
		return 0;
	if (extra->token && hft_token_is_cancelled(extra->token))
		return -ECANCELED;
	if (extra->expires && hft_now() >= extra->expires)
		return -ETIME;
	return 0;
}

static void __attribute__((cold)) log_run(const struct hft_pool_worker *worker, hft_spawn_fn fn,
					  enum hft_log_sched_what what)
{
	hft_log_sched_pool(what, (const void *)(uintptr_t)fn, worker->number,
		       atomic_load_explicit(&worker->cpu, memory_order_relaxed), hft_now());
}

/* Both are of the body: what it was is not known when it has run. */
static __attribute__((noinline, cold)) int64_t call_logged(const struct hft_pool_worker *worker,
							   hft_spawn_fn fn, void *args)
{
	int64_t result;

	log_run(worker, fn, HFT_SCHED_POOL_START);
	result = fn(args);
	if (hft_log_sched_wants(HFT_SCHED_POOL_END))
		log_run(worker, fn, HFT_SCHED_POOL_END);
	return result;
}

static inline int64_t call(const struct hft_pool_worker *worker, const struct hft_work *work,
			   void *args)
{
	if (hft_log_sched_wants(HFT_SCHED_POOL_START))
		return call_logged(worker, work->fn, args);
	return work->fn(args);
}

static __attribute__((noinline)) void run_more(struct hft_pool_worker *worker,
					       struct hft_work *work)
{
	struct hft_group *group = group_of(work);
	uint64_t deadline = work->deadline;
	int64_t result;
	int err;

	if (work->extra && work->extra->release)
		hft_spin_until(work->extra->release);
	err = why_not(work);

	if (err) {
		hft_work_cancel(&worker->self, work, err);
		return;
	}
	if (work->extra && work->extra->memory)
		hft_memory_touch(work->extra->memory, worker);
	worker->current = work;
	if (work->extra && work->extra->owner)
		hft_task_begin(work->extra->owner);
	result = call(worker, work, work->big ? work->big : work->args);
	worker->current = NULL;
	if (deadline && hft_now() > deadline)
		hft_count(&worker->late, 1);
	work_end(&worker->self, work, result);
	worker_ended(worker, group, result);
}

/**
 * hft_work_run() - run a task
 * @worker: the caller
 * @work: the task, in no list
 */
void hft_work_run(struct hft_pool_worker *worker, struct hft_work *work)
{
	struct hft_group *group = group_of(work);
	int64_t result;

	if (worker->ended && worker->ended_group != group)
		hft_worker_tell(worker);
	if (__builtin_expect(work->group & HFT_WORK_MORE, 0)) {
		run_more(worker, work);
		return;
	}
	worker->current = work;
	result = call(worker, work, work->args);
	worker->current = NULL;
	hft_slab_give(&worker->self.plain, work);
	worker_ended(worker, group, result);
}

/**
 * hft_work_cancel() - end a task that does not run, or never returns
 * @self: the caller
 * @work: the task, in no list
 * @err: why, a negative errno
 */
void hft_work_cancel(struct hft_spawner *self, struct hft_work *work, int err)
{
	struct hft_group *group = group_of(work);

	if (self->worker)
		hft_count(&self->worker->cancelled, 1);
	else
		atomic_fetch_add_explicit(&self->pool->cancelled, 1, memory_order_relaxed);
	if (work->group & HFT_WORK_MORE)
		work_end(self, work, err);
	else
		hft_slab_give(&self->plain, work);
	if (!group)
		return;
	hft_group_fail(group, err);
	hft_group_end(group, self->pool, 1);
}

/* Let the worker, which is the caller, have a task, or who steals it. */
static inline int push_own(struct hft_pool_worker *worker, struct hft_work *work, uint32_t level)
{
	int err = hft_deque_push(&worker->deques[level], work);
	uint32_t levels = atomic_load_explicit(&worker->levels, memory_order_relaxed);

	if (!(levels & 1U << level))
		atomic_store_explicit(&worker->levels, levels | 1U << level, memory_order_relaxed);
	return err;
}

/* Let the first worker have it that looks for tasks from outside. */
static int push_outside(struct hft_pool *pool, struct hft_work *work, uint32_t level)
{
	work->level = (uint8_t)level;
	work->fixed = false;
	return hft_inbox_push(&pool->inbox, work);
}

/* Let workers have a task.  Returns 0, or a negative errno: nobody has it. */
static inline __attribute__((always_inline)) int
work_push(struct hft_spawner *self, struct hft_pool_worker *worker, struct hft_work *work,
	  uint32_t level)
{
	int err = worker ? push_own(worker, work, level) : push_outside(self->pool, work, level);

	if (__builtin_expect(err, 0))
		return err;
	hft_count(&self->spawned, 1);
	hft_pool_notify(self->pool, worker);
	return 0;
}

/* As work_push(), of a task that has its level; who is reserved has better to do. */
int hft_work_push(struct hft_spawner *self, struct hft_work *work)
{
	struct hft_pool_worker *worker = self->worker;

	return work_push(self, worker && worker->reserved ? NULL : worker, work, work->level);
}

static __attribute__((noinline)) int spawn_failed(struct hft_pool *pool, struct hft_group *group,
						  struct hft_slab *slab, struct hft_work *work,
						  int err)
{
	if (group)
		hft_group_end(group, pool, 1);
	hft_slab_give(slab, work);
	return err;
}

/* As @self, who is @worker, or none. */
static inline __attribute__((always_inline)) int
spawn_as(struct hft_spawner *self, struct hft_pool_worker *worker, struct hft_group *group,
	 hft_spawn_fn fn, const void *args, size_t size)
{
	struct hft_slab *slab = worker ? &self->plain : &self->works;
	struct hft_work *work = hft_slab_take(slab);
	int err;

	if (__builtin_expect(!work, 0))
		return -ENOMEM;
	work->fn = fn;
	hft_copy_args(work->args, args, size);
	work->group = (uintptr_t)group;
	if (group)
		hft_group_begin(group, self);
	err = work_push(self, worker, work, HFT_LEVEL_NORMAL);
	if (__builtin_expect(!err, 1))
		return 0;
	return spawn_failed(self->pool, group, slab, work, err);
}

static __attribute__((noinline)) int spawn_outside(struct hft_pool *pool, struct hft_group *group,
						   hft_spawn_fn fn, const void *args, size_t size)
{
	struct hft_spawner *self = hft_spawner(pool);

	if (__builtin_expect(!self, 0))
		return hft_spawner_error(pool);
	return spawn_as(self, self->worker, group, fn, args, size);
}

static inline __attribute__((always_inline)) int
spawn(struct hft_pool *pool, struct hft_group *group, hft_spawn_fn fn, const void *args,
      size_t size)
{
	struct hft_spawner *self = hft_spawner_of(pool);
	struct hft_pool_worker *worker = self ? self->worker : NULL;

	if (__builtin_expect(!worker, 0))
		return spawn_outside(pool, group, fn, args, size);
	return spawn_as(self, worker, group, fn, args, size);
}

/**
 * hft_spawn() - have a function run by a worker
 * @pool: the pool
 * @fn: the function
 * @args: its arguments; NULL with no @size
 * @size: bytes of them, which are copied; aligned to 8
 *
 * At %HFT_LEVEL_NORMAL.  Any thread; from a worker wait-free, but for new memory and
 * waking who sleeps, from others lock-free.
 *
 * Return: 0, -EINVAL no @fn, or a @size without @args, -E2BIG the arguments are larger
 * than %HFT_SPAWN_ARGS_MAX, -ENOMEM, -ESHUTDOWN the pool is being closed.
 */
HFT_API int hft_spawn(struct hft_pool *pool, hft_spawn_fn fn, const void *args, size_t size)
{
	if (__builtin_expect(size > HFT_WORK_INLINE || !fn || (size && !args), 0))
		return hft_spawn_opts(pool, fn, args, size, NULL, NO_HANDLE);
	return spawn(pool, NULL, fn, args, size);
}

static __attribute__((noinline)) int group_spawn_opts(struct hft_group *group, hft_spawn_fn fn,
						      const void *args, size_t size)
{
	struct hft_spawn_opts opts = { .sz = sizeof(opts), .group = group };

	return hft_spawn_opts(group->pool, fn, args, size, &opts, NO_HANDLE);
}

/**
 * hft_group_spawn() - as hft_spawn(), of a task of a group
 * @group: the group
 * @fn: the function
 * @args: its arguments
 * @size: bytes of them
 *
 * A group may have 2^30 tasks that have not ended.
 *
 * Return: as hft_spawn().
 */
HFT_API int hft_group_spawn(struct hft_group *group, hft_spawn_fn fn, const void *args,
			    size_t size)
{
	if (__builtin_expect(size > HFT_WORK_INLINE || !fn || (size && !args), 0))
		return group_spawn_opts(group, fn, args, size);
	return spawn(group->pool, group, fn, args, size);
}

/**
 * hft_wait_until() - wait until something is over, and run tasks meanwhile as a worker
 * @pool: of which
 * @wait: what
 * @timeout: CLOCK_MONOTONIC, ns; 0: do not wait; UINT64_MAX: for ever
 *
 * Return: 0 or -ETIMEDOUT.
 */
int hft_wait_until(const struct hft_pool *pool, const struct hft_wait_for *wait, uint64_t timeout)
{
	struct hft_spawner *self = hft_spawner_of(pool);
	struct hft_sim *before;
	int err = -ETIMEDOUT;

	if (hft_wait_is_over(wait))
		return 0;
	if (hft_pool_is_inherited(pool))
		return -EOWNERDEAD;
	before = hft_pool_enter(pool);
	if (self && self->worker)
		err = hft_worker_help(self->worker, wait, timeout);
	else if (timeout)
		err = hft_thread_wait(wait, timeout);
	hft_pool_leave(pool, before);
	return err;
}

static const struct hft_pool *pool_of(const struct hft_work *work)
{
	const struct hft_slab *works = hft_slab_of(work);

	return ((const struct hft_spawner *)((const char *)works -
					     offsetof(struct hft_spawner, works)))->pool;
}

/* The task of a handle, or NULL if that was joined or detached before. */
static struct hft_work *handle_take(struct hft_handle *handle)
{
	struct hft_work *work = handle->work;

	if (!work || atomic_load_explicit(&work->generation, memory_order_relaxed) !=
		     handle->generation)
		return NULL;
	return work;
}

/**
 * hft_join() - wait for the end of a task
 * @handle: of it; with 0 it is of no use any more
 * @timeout: CLOCK_MONOTONIC, ns; 0: do not wait; UINT64_MAX: for ever
 * @result: what its function returned, or a negative errno: -ECANCELED, -ETIME or -ENODEV
 *	it did not run, -EOWNERDEAD its thread has ended; or NULL
 *
 * A worker runs other tasks meanwhile.
 *
 * Return: 0, -ETIMEDOUT, or -EINVAL: the handle is none, or of a task that was joined.
 */
HFT_API int hft_join(struct hft_handle *handle, uint64_t timeout, int64_t *result)
{
	struct hft_work *work = handle_take(handle);
	struct hft_wait_for wait;
	int err;

	if (!work)
		return -EINVAL;
	wait = hft_wait_for_done(&work->state);
	err = hft_wait_until(pool_of(work), &wait, timeout);
	if (err)
		return err;
	if (result)
		*result = work->result;
	work_free(hft_self.spawner, work);
	handle->work = NULL;
	return 0;
}

/**
 * hft_detach() - want to know nothing of a task
 * @handle: of it, of no use afterwards
 *
 * The task runs as it would.  Any thread; lock-free.
 */
HFT_API void hft_detach(struct hft_handle *handle)
{
	struct hft_work *work = handle_take(handle);
	uint32_t state;

	if (!work)
		return;
	state = atomic_fetch_or_explicit(&work->state, HFT_WORK_DETACHED, memory_order_acq_rel);
	if (state & HFT_WAIT_DONE)
		work_free(hft_self.spawner, work);
	handle->work = NULL;
}

/**
 * hft_group_init() - make a group without tasks
 * @group: anywhere in memory
 * @pool: of the tasks to come
 */
HFT_API void hft_group_init(struct hft_group *group, struct hft_pool *pool)
{
	struct hft_spawner *self = hft_spawner_of(pool);

	*group = (struct hft_group){
		.pool = pool,
		.owner = self ? self : NO_OWNER,
	};
}

/**
 * hft_group_wait() - wait until all tasks of a group have ended
 * @group: the group, which can be used again then
 * @timeout: CLOCK_MONOTONIC, ns; 0: do not wait; UINT64_MAX: for ever
 *
 * A worker runs other tasks meanwhile.
 *
 * Return: 0, -ETIMEDOUT some have not, or the first failure of one: what its function
 * returned, if that was -ETIMEDOUT -ETIME, or as the result of hft_join().
 */
HFT_API int hft_group_wait(struct hft_group *group, uint64_t timeout)
{
	struct hft_wait_for wait = wait_for_group(group);
	int err = hft_wait_until(group->pool, &wait, timeout);

	if (err)
		return err;
	/* Else the end of the next tasks would look for who waited for these. */
	if (atomic_load_explicit(wait.word, memory_order_relaxed) & HFT_GROUP_AWAITED) {
		atomic_fetch_and(wait.word, ~HFT_GROUP_AWAITED);
		/* Meanwhile another may have spawned, and waits: that was its bit. */
		if (!hft_wait_is_over(&wait))
			hft_wait_wake(group->pool, &wait);
	}
	if (!__atomic_load_n(&group->error, __ATOMIC_RELAXED))
		return 0;
	return __atomic_exchange_n(&group->error, 0, __ATOMIC_RELAXED);
}
