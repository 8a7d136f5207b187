// SPDX-License-Identifier: LGPL-2.1-or-later
/* Spawning a task with options. */
#include <errno.h>
#include <string.h>

#include "../resource/task.h"
#include "../topology/affinity.h"
#include "internal.h"

static int check(const struct hft_pool *pool, hft_spawn_fn fn, const void *args, size_t size,
		 const struct hft_spawn_opts *opts)
{
	if (!fn || (size && !args) || opts->level > HFT_LEVELS)
		return -EINVAL;
	if (opts->group && opts->group->pool != pool)
		return -EINVAL;
	if (hft_task_check(opts))
		return -EINVAL;
	if (opts->affinity && hft_affinity_check(opts->affinity))
		return -EINVAL;
	if (size > HFT_SPAWN_ARGS_MAX)
		return -E2BIG;
	if (opts->worker > atomic_load_explicit(&pool->nr_workers, memory_order_acquire))
		return -ENODEV;
	if (opts->release && !pool->hft)
		return hft_fail(EINVAL, "a release: the pool is on no handle (hft_pool_opts.hft)");
	if (opts->release && opts->deadline && opts->deadline < opts->release)
		return hft_fail(EINVAL, "a deadline before the release");
	return 0;
}

/* Without a worker of its own, to the one that has what it touches. */
static void send_home(const struct hft_pool *pool, struct hft_work *work)
{
	uint32_t home = hft_memory_home(pool, work->extra->memory);

	if (work->fixed || !home)
		return;
	work->fixed = work->extra->home = true;
	work->worker = (uint8_t)(home - 1);
}

static int fill_extra(struct hft_spawner *self, struct hft_work *work,
		      const struct hft_spawn_opts *opts)
{
	work->extra = NULL;
	if (!opts->token && !opts->expires && !opts->memory && !opts->cost_ns && !opts->release &&
	    !opts->nr_resources && !opts->affinity)
		return 0;
	work->extra = hft_slab_take(&self->extras);
	if (!work->extra)
		return -ENOMEM;
	*work->extra = (struct hft_work_extra){
		.token = opts->token,
		.expires = opts->expires,
		.memory = opts->memory,
		.cost = opts->release ? 0 : opts->cost_ns,
		.release = opts->release,
	};
	if (opts->nr_resources) {
		work->extra->owner = hft_task_make(self, work, opts);
		return work->extra->owner ? 0 : -ENOMEM;
	}
	if (opts->memory && !opts->release)
		send_home(self->pool, work);
	return 0;
}

/* The second line, and what is behind it. */
static int work_fill(struct hft_spawner *self, struct hft_work *work, const void *args, size_t size,
		     const struct hft_spawn_opts *opts)
{
	work->group = (uintptr_t)opts->group | HFT_WORK_MORE;
	work->level = opts->level ? (uint8_t)(opts->level - 1) : HFT_LEVEL_NORMAL;
	work->deadline = opts->deadline;
	work->fixed = opts->worker;
	work->worker = work->fixed ? (uint8_t)(opts->worker - 1) : 0;
	work->queued = false;
	work->promised = false;
	work->big = NULL;
	atomic_store_explicit(&work->state, 0, memory_order_relaxed);
	if (fill_extra(self, work, opts))
		return -ENOMEM;
	if (opts->affinity && !opts->worker && hft_affinity_send(self, work, opts->affinity))
		return -ENODEV;
	if (size <= HFT_WORK_INLINE) {
		hft_copy_args(work->args, args, size);
		return 0;
	}
	work->big = hft_slab_take(&self->args);
	if (!work->big)
		return -ENOMEM;
	memcpy(work->big, args, size);
	return 0;
}

static void work_unmake(struct hft_spawner *self, struct hft_work *work)
{
	if (work->big)
		hft_slab_give(&self->args, work->big);
	if (work->extra && work->extra->owner)
		hft_slab_give(&self->args, work->extra->owner);
	if (work->extra)
		hft_slab_give(&self->extras, work->extra);
	hft_slab_give(&self->works, work);
}

/* Let one worker have a task. */
static int push_to(struct hft_spawner *self, struct hft_work *work)
{
	struct hft_pool_worker *to = hft_pool_worker_at(self->pool, work->worker);
	int err;

	if (to == self->worker) {
		hft_worker_fix(to, work);
	} else {
		err = hft_inbox_push(&to->inbox, work);
		if (err)
			return err;
		/* The task before the look: pairs with the fence in hft_worker_park(). */
		atomic_thread_fence(memory_order_seq_cst);
		hft_worker_wake(to);
	}
	return 0;
}

/* With what it costs, before anybody can run it. */
static int push_fixed(struct hft_spawner *self, struct hft_work *work)
{
	struct hft_pool_worker *to = hft_pool_worker_at(self->pool, work->worker);
	uint64_t cost = work->extra ? work->extra->cost : 0;
	int err;

	if (cost)
		hft_worker_expect(to, cost);
	err = work->deadline ? hft_queue_push(self->pool, work) : push_to(self, work);
	if (err && cost)
		hft_worker_expect(to, -cost);
	return err == -ESHUTDOWN ? -ENODEV : err;
}

/* Let workers have a task at its release. */
static int push_at(struct hft_spawner *self, struct hft_work *work)
{
	int err = hft_queue_promise(self->pool, work);

	if (err)
		goto out;
	err = hft_release_submit(self->pool, work);
	if (err)
		hft_queue_forgo(self->pool, work);
	else
		hft_count(&self->spawned, 1);
out:
	return err == -ESHUTDOWN && work->fixed ? -ENODEV : err;
}

static int push_any(struct hft_spawner *self, struct hft_work *work)
{
	int err;

	if (!work->deadline)
		return hft_work_push(self, work);
	err = hft_queue_push(self->pool, work);
	if (!err)
		hft_count(&self->spawned, 1);
	return err;
}

/* When it has what it has declared it is pushed, by whoever has released the last of that. */
static int claim(struct hft_spawner *self, struct hft_work *work)
{
	uint64_t cost = work->fixed ? work->extra->cost : 0;
	int err = hft_queue_promise(self->pool, work);

	if (err)
		return err == -ESHUTDOWN && work->fixed ? -ENODEV : err;
	if (cost)
		hft_worker_expect(hft_pool_worker_at(self->pool, work->worker), cost);
	hft_count(&self->spawned, 1);
	hft_task_claim(work->extra->owner);
	return 0;
}

/* Let workers have a task that is as its options say. */
static int push(struct hft_spawner *self, struct hft_work *work)
{
	int err;

	if (work->extra && work->extra->release)
		return push_at(self, work);
	if (work->extra && work->extra->owner)
		return claim(self, work);
	if (!work->fixed)
		return push_any(self, work);
	err = push_fixed(self, work);
	if (!err)
		hft_count(&self->spawned, 1);
	if (err != -ENODEV || !work->extra || !work->extra->home)
		return err;
	/* It has just left. */
	work->fixed = work->extra->home = false;
	return push_any(self, work);
}

/* The worker of its affinity may have just left, or its CPU be offline: each other one, once. */
static int push_affine(struct hft_spawner *self, struct hft_work *work,
		       const struct hft_spawn_opts *opts)
{
	uint32_t first = work->worker, tried = 0;
	int err = push(self, work);

	while (err == -ENODEV && opts->affinity && !opts->worker && work->fixed &&
	       hft_affinity_resend(self->pool, work, opts->affinity, first, &tried))
		err = push(self, work);
	return err;
}

/**
 * hft_spawn_opts() - as hft_spawn(), with options
 * @pool: the pool
 * @fn: the function
 * @args: its arguments
 * @size: bytes of them
 * @user_opts: options or NULL
 * @handle: to wait for it by, or NULL
 *
 * A task with a deadline goes before the others of its level, the earliest first: with a
 * worker of its own among that one's, else among those of the pool.  Who spawns or takes
 * one holds a lock for as long as it takes to find its place, by the logarithm of their
 * number.
 *
 * A task that touches memory which another worker has in its caches, and for which none
 * was chosen, goes to that if what waits there, of those that are its alone, runs for no
 * longer than the miss would cost: by the cost_ns that each was spawned with.
 *
 * A task with an affinity goes to one of the workers that it allows, without those that are
 * reserved: to the one that has its memory, else on the node of its region, with the least to
 * run by the cost_ns of what waits there; equal ones have one in turns.  If it names CPUs or
 * a node and its worker leaves before it begins, it ends with -ENODEV; if it has a region
 * alone, it goes elsewhere.
 *
 * A task with a release begins then, and not before, on a pool that is on a handle: it is a
 * task of the handle until some 50 us before, when it goes among those with a deadline, and
 * who takes it waits for the moment; its memory and its cost count for nothing there.
 * hft_halt() holds for it as for tasks of the handle: it waits, or it is cancelled and ends
 * with -ECANCELED.  When another process cancels what all have, that is noticed with the
 * next halt that cancels, or when a worker leaves or the pool is closed.  This is a
 * submission: hft_submit() says what it takes.  If its CPU goes offline it ends with -ENODEV
 * if it is for one worker, else it waits on another.
 *
 * A task that declares resources does not begin before it has them all, which it gets at
 * once: it waits for that without a worker, and is passed by others who can have some of
 * them.  What it has it can not release before its end.  Whether it was cancelled, or has
 * expired, is seen when it has them all and a worker takes it: until then it waits.
 *
 * Return: as hft_spawn(), -EINVAL there is no such level, the group is of another pool,
 * there is a release and no handle, or a deadline before it, or it declares a resource
 * twice, or more than %HFT_SPAWN_RESOURCES_MAX, -ENODEV there is no such worker, or none
 * that the affinity allows, and with a release as hft_submit(): -EDQUOT all tasks of the
 * handle are queued.
 */
HFT_API int hft_spawn_opts(struct hft_pool *pool, hft_spawn_fn fn, const void *args, size_t size,
			   const struct hft_spawn_opts *user_opts, struct hft_handle *handle)
{
	struct hft_spawner *self = hft_spawner(pool);
	struct hft_spawn_opts opts;
	struct hft_work *work;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!err)
		err = check(pool, fn, args, size, &opts);
	if (err)
		return err;
	if (!self)
		return hft_spawner_error(pool);
	work = hft_slab_take(&self->works);
	if (!work)
		return -ENOMEM;
	work->fn = fn;
	work->handle = handle;
	err = work_fill(self, work, args, size, &opts);
	if (err)
		goto unmake;
	if (opts.group)
		hft_group_begin(opts.group, self);
	if (handle) {
		handle->work = work;
		handle->generation = atomic_load_explicit(&work->generation, memory_order_relaxed);
	}
	err = push_affine(self, work, &opts);
	if (!err)
		return 0;
	if (opts.group)
		hft_group_end(opts.group, pool, 1);
unmake:
	if (handle)
		*handle = (struct hft_handle){};
	work_unmake(self, work);
	return err;
}
