// SPDX-License-Identifier: LGPL-2.1-or-later
/* Resources: who has them, and who is next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../pool/internal.h"
#include "internal.h"

struct hft_lock hft_resource_lock;
struct hft_resource *hft_resources[HFT_RESOURCES_MAX];

/* Have it by its word alone.  Nobody is passed who waits. */
static bool take_fast(struct hft_resource *resource, const struct hft_owner *self, bool shared)
{
	uint64_t word = 0, with;

	if (!shared)
		return atomic_compare_exchange_strong_explicit(&resource->word, &word,
							       (uintptr_t)self,
							       memory_order_acq_rel,
							       memory_order_relaxed);
	word = atomic_load_explicit(&resource->word, memory_order_relaxed);
	do {
		with = word & HFT_CONTENDED ? 0 : hft_word_with(resource, word, self, true);
		if (!with)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&resource->word, &word, with,
							memory_order_acq_rel,
							memory_order_relaxed));
	return true;
}

static bool give_fast(struct hft_resource *resource)
{
	uint64_t word = atomic_load_explicit(&resource->word, memory_order_relaxed);

	do {
		if (word & HFT_CONTENDED)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&resource->word, &word,
							hft_word_without(word),
							memory_order_release,
							memory_order_relaxed));
	return true;
}

/* Is somebody to have it before @self, who could have it as well now? */
static bool is_behind(const struct hft_resource *resource, const struct hft_owner *self)
{
	uint64_t word = atomic_load(&resource->word);
	uint32_t level = atomic_load(&self->level);
	const struct hft_want *want;

	for (want = resource->wants; want; want = want->next) {
		if (atomic_load(&want->owner->level) < level)
			break;
		/* It could have this, but not all that it waits for. */
		if (want->owner->work && hft_word_with(resource, word, want->owner, want->shared))
			continue;
		return true;
	}
	return false;
}

/* The thread has a share, or a task that it runs does. */
static bool has_share(const struct hft_owner *self, const struct hft_resource *resource)
{
	const struct hft_owner *task;

	for (task = self->tasks; task; task = task->outer) {
		if (hft_owner_holds(task, resource))
			return true;
	}
	return hft_owner_holds(self, resource);
}

/* Have it at once, if nobody who waits is to be passed. */
static bool take_slow(struct hft_resource *resource, struct hft_owner *self, bool shared)
{
	uint64_t word = hft_word_with(resource, hft_resource_contend(resource), self, shared);

	/* Who has a share has another before others: they wait for it. */
	if (is_behind(resource, self) && !(shared && has_share(self, resource)))
		word = 0;
	if (!word || hft_owner_add(self, resource))
		return false;
	atomic_store_explicit(&resource->word, word, memory_order_relaxed);
	hft_owner_update(self);
	return true;
}

static void wait_for(struct hft_resource *resource, struct hft_owner *self, bool shared,
		     uint64_t timeout)
{
	self->want = (struct hft_want){ .owner = self, .resource = resource, .shared = shared };
	self->wants = &self->want;
	self->nr_wants = 1;
	self->timed = timeout != UINT64_MAX;
	atomic_store(&self->granted, 0);
	hft_want_begin(self, hft_now());
}

/*
 * Returns 0 with the resource, 1 when it is to be waited for, or an error.  @work: out: a
 * task that is to be run first, as who waits for it is the worker that it waits for.
 */
static int try_wait(struct hft_resource *resource, struct hft_owner *self, bool shared,
		    uint64_t timeout, struct hft_work **work)
{
	bool stuck;

	if (take_slow(resource, self, shared))
		return 0;
	if (!timeout)
		return -EBUSY;
	stuck = hft_deadlock_find(self, resource);
	*work = hft_deadlock_help(self);
	if (*work)
		return 0;
	if (stuck)
		return hft_deadlock_fail(self, resource);
	wait_for(resource, self, shared, timeout);
	return 1;
}

static int begin_wait(struct hft_resource *resource, struct hft_owner *self, bool shared,
		      uint64_t timeout, struct hft_work **work)
{
	int ret;

	*work = NULL;
	hft_lock(&hft_resource_lock);
	/* For a moment it may have counted as a holder, and was lent to. */
	hft_owner_update(self);
	ret = try_wait(resource, self, shared, timeout, work);
	/* Without a waiter it is by its word alone again. */
	hft_resource_changed(resource);
	hft_resources_settle();
	hft_resources_unlock();
	return ret;
}

/* Wait until it is granted: 0; is to be waited for again: 1; or an error of hft_thread_wait(). */
static int finish_wait(struct hft_owner *self, uint64_t timeout)
{
	struct hft_wait_for wait = hft_wait_for_done(&self->granted);
	int err = hft_thread_wait(&wait, timeout);

	hft_lock(&hft_resource_lock);
	if (hft_wait_is_over(&wait)) {
		err = self->again;
		self->again = false;
	} else {
		hft_want_end(self);
		hft_resources_settle();
	}
	hft_resources_unlock();
	return err;
}

static int acquire_slow(struct hft_resource *resource, struct hft_owner *self, bool shared,
			uint64_t timeout)
{
	struct hft_work *work;
	int ret;

	do {
		ret = begin_wait(resource, self, shared, timeout, &work);
		if (work)
			hft_worker_run_inside(self->worker, work);
		else if (ret > 0)
			ret = finish_wait(self, timeout);
	} while (work || ret > 0);
	return ret;
}

/* What takes no more than the word.  Whether it has it; if not, nothing has changed. */
static inline bool acquire_plain(struct hft_resource *resource)
{
	struct hft_owner *self = hft_self.owner;

	if (__builtin_expect(!self || !resource->plain || self->worker, 0))
		return false;
	if (__builtin_expect(hft_owner_add(self, resource), 0))
		return false;
	if (__builtin_expect(take_fast(resource, self, false), 1))
		return true;
	hft_owner_drop(self, resource);
	return false;
}

/* Likewise, of what was acquired last. */
static inline bool release_plain(struct hft_resource *resource)
{
	struct hft_owner *self = hft_self.owner;
	uint64_t word = (uintptr_t)self;
	uint32_t nr;

	if (__builtin_expect(!self, 0))
		return false;
	nr = atomic_load_explicit(&self->nr_held, memory_order_relaxed);
	if (__builtin_expect(!nr || !resource->plain ||
			     atomic_load_explicit(&self->held[nr - 1], memory_order_relaxed) !=
			     resource, 0))
		return false;
	if (__builtin_expect(!atomic_compare_exchange_strong_explicit(&resource->word, &word, 0,
								      memory_order_release,
								      memory_order_relaxed), 0))
		return false;
	atomic_store_explicit(&self->nr_held, nr - 1, memory_order_release);
	return true;
}

static int acquire(struct hft_resource *resource, bool shared, uint64_t timeout)
{
	struct hft_owner *self = hft_owner();
	int err;

	if (__builtin_expect(!self, 0))
		return hft_fail(ENOMEM, "a thread that has resources");
	if (self->worker)
		hft_owner_rebase(self, hft_task_level(self->worker));
	/* A try waits for nothing, in whatever order. */
	if (resource->flags & HFT_RESOURCE_ORDERED && timeout) {
		err = hft_order_check(self, resource);
		if (err)
			return err;
	}
	err = hft_owner_add(self, resource);
	if (__builtin_expect(err, 0))
		return hft_fail(EMFILE, "a thread can have %d resources at a time",
				HFT_RESOURCES_HELD_MAX);
	if (__builtin_expect(!resource->ceiling && take_fast(resource, self, shared), 1))
		return 0;
	hft_owner_drop(self, resource);
	return acquire_slow(resource, self, shared, timeout);
}

/**
 * hft_resource_acquire() - have a resource, alone or a unit of it
 * @resource: the resource
 *
 * Waits as long as it takes, behind who waits at a level that is as high.  Any thread; a
 * worker of a pool runs no other tasks meanwhile, but those that have declared what it
 * waits for and that no worker has begun yet.  It is the thread's: of the tasks that a
 * worker runs one inside the other, the inner one can not wait for what an outer one has.
 *
 * Return: 0, -EDEADLK nobody would ever have released it, or with %HFT_RESOURCE_ORDERED
 * that could happen, -EMFILE the thread has %HFT_RESOURCES_HELD_MAX, -ENOMEM.
 */
HFT_API int hft_resource_acquire(struct hft_resource *resource)
{
	if (__builtin_expect(acquire_plain(resource), 1))
		return 0;
	return acquire(resource, resource->units > 1, UINT64_MAX);
}

/**
 * hft_resource_try() - have a resource if it can be had at once
 * @resource: the resource
 *
 * Does not wait, and so asks for no order; what is waited for while it is held does.
 *
 * Return: 0, -EBUSY, also if the thread itself has it, -EMFILE, -ENOMEM.
 */
HFT_API int hft_resource_try(struct hft_resource *resource)
{
	return acquire(resource, resource->units > 1, 0);
}

/**
 * hft_resource_timed() - have a resource within a time
 * @resource: the resource
 * @timeout: CLOCK_MONOTONIC, ns; 0: as hft_resource_try()
 *
 * Return: as hft_resource_acquire(), or -ETIMEDOUT.  It is -EDEADLK at once if all others
 * wait for the caller without an end; those who wait with a timeout do not.
 */
HFT_API int hft_resource_timed(struct hft_resource *resource, uint64_t timeout)
{
	return acquire(resource, resource->units > 1, timeout);
}

/**
 * hft_resource_share() - have a resource with others who share it
 * @resource: the resource, of one unit
 *
 * Who has a share may have another, whoever waits.
 *
 * Return: as hft_resource_acquire().
 */
HFT_API int hft_resource_share(struct hft_resource *resource)
{
	return acquire(resource, true, UINT64_MAX);
}

/**
 * hft_resource_try_share() - share a resource if that can be had at once
 * @resource: the resource, of one unit
 *
 * Return: as hft_resource_try().
 */
HFT_API int hft_resource_try_share(struct hft_resource *resource)
{
	return acquire(resource, true, 0);
}

/**
 * hft_resource_timed_share() - share a resource within a time
 * @resource: the resource, of one unit
 * @timeout: CLOCK_MONOTONIC, ns; 0: as hft_resource_try_share()
 *
 * Return: as hft_resource_timed().
 */
HFT_API int hft_resource_timed_share(struct hft_resource *resource, uint64_t timeout)
{
	return acquire(resource, true, timeout);
}

/* Its own level last: with a lower one it may not run before those who are next do. */
static void release_slow(struct hft_resource *resource, struct hft_owner *self)
{
	hft_lock(&hft_resource_lock);
	atomic_store(&resource->word, hft_word_without(hft_resource_contend(resource)));
	hft_owner_drop(self, resource);
	hft_resource_changed(resource);
	hft_resources_settle();
	hft_owner_update(self);
	hft_resources_unlock();
}

/*
 * What was shared has no one holder, and who looks for them may have found this thread
 * just before it was none, and lent to it just after.
 */
static void give_back(struct hft_owner *self)
{
	/* The place before the level: pairs with that in hft_owner_update(). */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&self->level, memory_order_relaxed) == self->base)
		return;
	hft_lock(&hft_resource_lock);
	hft_owner_update(self);
	hft_unlock(&hft_resource_lock);
}

/**
 * hft_resource_release() - have a resource no more
 * @resource: that the calling thread has
 *
 * Who waits at the highest level has it then.  Any order of releases is as good.
 *
 * Return: 0, or -EPERM: the thread does not have it; what a task has declared is released
 * with its end.
 */
HFT_API int hft_resource_release(struct hft_resource *resource)
{
	struct hft_owner *self = hft_self.owner;
	bool shared;

	if (__builtin_expect(release_plain(resource), 1))
		return 0;
	if (__builtin_expect(!self || !hft_owner_holds(self, resource), 0))
		return hft_fail(EPERM, "%s is not this thread's", resource->name);
	shared = atomic_load_explicit(&resource->word, memory_order_relaxed) & HFT_SHARED;
	if (__builtin_expect(resource->ceiling || !give_fast(resource), 0)) {
		release_slow(resource, self);
		return 0;
	}
	hft_owner_drop(self, resource);
	if (shared)
		give_back(self);
	return 0;
}

static int find_number(uint32_t *number)
{
	for (*number = 0; *number < HFT_RESOURCES_MAX; ++*number) {
		if (!hft_resources[*number])
			return 0;
	}
	return hft_fail(ENOSPC, "more than %d resources", HFT_RESOURCES_MAX);
}

static int add(struct hft_resource *resource, const char *name)
{
	char number[24];
	int err;

	err = find_number(&resource->number);
	if (err)
		return err;
	snprintf(number, sizeof(number), "resource %u", resource->number);
	resource->name = strdup(name ? name : number);
	if (!resource->name)
		return hft_fail(ENOMEM, "the name of a resource");
	hft_resources[resource->number] = resource;
	return 0;
}

/**
 * hft_resource_open() - make a resource
 * @out: the resource
 * @user_opts: options or NULL
 *
 * Return: 0, -EINVAL an option is out of range, -ENOSPC the process has
 * %HFT_RESOURCES_MAX, -E2BIG the options are of a newer library, -ENOMEM.
 */
HFT_API int hft_resource_open(struct hft_resource **out, const struct hft_resource_opts *user_opts)
{
	struct hft_resource_opts opts;
	struct hft_resource *resource;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.flags & ~(HFT_RESOURCE_ORDERED | HFT_RESOURCE_NO_LENDING))
		return hft_fail(EINVAL, "unknown flags 0x%x", opts.flags);
	if (opts.units > HFT_RESOURCE_UNITS_MAX || opts.ceiling > HFT_LEVELS)
		return hft_fail(EINVAL, "%u units, or a ceiling of %u", opts.units, opts.ceiling);
	resource = calloc(1, sizeof(*resource));
	if (!resource)
		return hft_fail(ENOMEM, "a resource");
	resource->units = opts.units ? opts.units : 1;
	resource->ceiling = opts.ceiling;
	resource->flags = opts.flags;
	resource->plain = resource->units == 1 && !opts.ceiling &&
			  !(opts.flags & HFT_RESOURCE_ORDERED);

	hft_lock(&hft_resource_lock);
	err = add(resource, opts.name);
	hft_unlock(&hft_resource_lock);
	if (err)
		free(resource);
	else
		*out = resource;
	return err;
}

/* Its number is the next one's, whose orders are others. */
static void forget_orders(const struct hft_resource *resource)
{
	uint32_t i;

	for (i = 0; i < HFT_RESOURCES_MAX; i++) {
		if (hft_resources[i])
			atomic_fetch_and(&hft_resources[i]->after[resource->number / 64],
					 ~(1ULL << resource->number % 64));
	}
}

static bool is_listed(const struct hft_resource *resource)
{
	const struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			return true;
	}
	return false;
}

/**
 * hft_resource_close() - free a resource
 * @resource: that nobody has or waits for, or NULL
 *
 * Return: 0, or -EBUSY: somebody has it.
 */
HFT_API int hft_resource_close(struct hft_resource *resource)
{
	if (!resource)
		return 0;
	hft_lock(&hft_resource_lock);
	/* Who has just released it still looks as if it had it. */
	while (!atomic_load(&resource->word) && is_listed(resource))
		hft_resources_nap();
	if (atomic_load(&resource->word)) {
		hft_unlock(&hft_resource_lock);
		return hft_fail(EBUSY, "%s is somebody's", resource->name);
	}
	hft_resources[resource->number] = NULL;
	forget_orders(resource);
	hft_unlock(&hft_resource_lock);
	free(resource->name);
	free(resource);
	return 0;
}
