// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Deadlocks: by who waits for whom, reduced (R. C. Holt, "Some Deadlock Properties of
 * Computer Systems", Computing Surveys 4 (3), 1972), and by the orders that were seen.
 */
#include <stdio.h>
#include <string.h>

#include "../pool/internal.h"
#include "internal.h"

/* Of a search: who has its number was found in it. */
static uint64_t epoch;

/*
 * Units of @resource that those have of whom it is not known that they go on.  Who has
 * come by one since the search began waits for nothing.
 */
static uint32_t kept_units(const struct hft_resource *resource)
{
	const struct hft_owner *owner;
	uint32_t i, units = 0;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (owner->seen != epoch || owner->goes_on)
			continue;
		for (i = atomic_load_explicit(&owner->nr_held, memory_order_acquire); i--;)
			units += atomic_load_explicit(&owner->held[i], memory_order_acquire) ==
				 resource;
	}
	return units;
}

/* Who waits for a share is behind one who waits to have it alone. */
static bool is_had_in_time(const struct hft_resource *resource)
{
	return kept_units(resource) < resource->units;
}

/* Add one to who is to be looked at, of whom @last is the last. */
static struct hft_owner *find(struct hft_owner *owner, struct hft_owner *last)
{
	if (owner->seen == epoch)
		return last;
	owner->seen = epoch;
	owner->goes_on = false;
	owner->next_found = NULL;
	last->next_found = owner;
	return owner;
}

static struct hft_owner *find_holders(const struct hft_resource *resource, struct hft_owner *last)
{
	struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			last = find(owner, last);
	}
	return last;
}

/* Whom it waits for: a task that has not begun for workers. */
static struct hft_owner *find_next(struct hft_owner *owner, struct hft_owner *last)
{
	struct hft_owner *other;

	if (owner->thread)
		return find(owner->thread, last);
	if (!owner->queued)
		return owner->nr_wants ? find_holders(owner->wants[0].resource, last) : last;
	for (other = hft_owners; other; other = other->next) {
		if (other->nr_wants && hft_task_is_for(owner, other->worker))
			last = find(other, last);
	}
	return last;
}

/* Is there a worker for it that goes on?  If there is none at all one may come. */
static bool has_worker(const struct hft_owner *task, const struct hft_owner *found)
{
	uint32_t stuck = 0, live = hft_task_workers(task);

	for (; found; found = found->next_found)
		stuck += !found->goes_on && hft_task_is_for(task, found->worker);
	return !live || stuck < live;
}

/* A wait that has an end ends by itself. */
static bool goes_on(const struct hft_owner *owner, const struct hft_owner *found)
{
	if (owner->thread)
		return owner->thread->goes_on;
	if (owner->queued)
		return has_worker(owner, found);
	return !owner->nr_wants || owner->timed || is_had_in_time(owner->wants[0].resource);
}

/**
 * hft_deadlock_find() - would a thread wait for ever?
 * @self: the thread
 * @resource: for which; the lock is held
 *
 * Of all whom it would wait for, by way of others, too, take those away who go on to their
 * end, and those who then do, until there are none.  Is @resource not had by then?
 */
bool hft_deadlock_find(struct hft_owner *self, struct hft_resource *resource)
{
	struct hft_owner *owner, *last = self;
	bool again = true;

	epoch++;
	self->seen = epoch;
	self->goes_on = false;
	self->next_found = NULL;
	last = find_holders(resource, last);
	for (owner = self->next_found; owner; owner = owner->next_found)
		last = find_next(owner, last);
	while (again) {
		again = false;
		for (owner = self->next_found; owner; owner = owner->next_found) {
			if (owner->goes_on || !goes_on(owner, self))
				continue;
			owner->goes_on = again = true;
		}
	}
	return !is_had_in_time(resource);
}

/*
 * After that: a task that @self waits for, and that no worker has begun: @self is one, and
 * can do it.
 */
struct hft_work *hft_deadlock_help(const struct hft_owner *self)
{
	const struct hft_owner *owner;

	for (owner = self->next_found; self->worker && owner; owner = owner->next_found) {
		if (owner->queued && owner->pool == self->worker->pool &&
		    (!owner->work->fixed || hft_task_is_for(owner, self->worker)) &&
		    hft_queue_remove(owner->pool, owner->work))
			return owner->work;
	}
	return NULL;
}

/* After that: one who has @resource and does not go on. */
static const struct hft_owner *stuck_holder(const struct hft_resource *resource)
{
	const struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (owner->seen == epoch && !owner->goes_on && hft_owner_holds(owner, resource))
			return owner;
	}
	return NULL;
}

/* Says who has @resource.  Returns the thread that is to go on for it to be released. */
static const struct hft_owner *tell_holder(const struct hft_resource *resource, char *text,
					   size_t size)
{
	const struct hft_owner *holder = stuck_holder(resource);

	if (!holder)
		return NULL;
	if (holder->queued) {
		snprintf(text, size, "%.24s is held by a task that waits for a worker",
			 resource->name);
		return NULL;
	}
	if (holder->thread)
		holder = holder->thread;
	snprintf(text, size, "%.24s is held by thread %d", resource->name, holder->tid);
	return holder;
}

/* After hft_deadlock_find() has found one.  Returns -EDEADLK. */
int hft_deadlock_fail(struct hft_owner *self, struct hft_resource *resource)
{
	char text[200] = "";
	size_t length = 0;

	while (length < sizeof(text) - 96) {
		const struct hft_owner *holder;

		holder = tell_holder(resource, text + length, sizeof(text) - length);
		length = strlen(text);
		if (!holder || holder == self || !holder->nr_wants)
			break;
		resource = holder->wants[0].resource;
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   " who waits for %.24s, ", resource->name);
	}
	return hft_fail(EDEADLK, "%s", text);
}

static bool is_after(const struct hft_resource *resource, uint32_t number)
{
	return atomic_load_explicit(&resource->after[number / 64], memory_order_relaxed) >>
	       number % 64 & 1;
}

/* Does an order lead from @number to @to?  @via: of each that was reached, from where */
static bool find_order(uint32_t number, uint32_t to, uint16_t *via)
{
	uint16_t queue[HFT_RESOURCES_MAX];
	uint32_t head = 0, tail = 0, next;

	memset(via, 0xff, HFT_RESOURCES_MAX * sizeof(*via));
	queue[tail++] = (uint16_t)number;
	via[number] = (uint16_t)number;
	while (head < tail) {
		const struct hft_resource *at = hft_resources[queue[head++]];

		for (next = 0; next < HFT_RESOURCES_MAX; next++) {
			if (via[next] != UINT16_MAX || !hft_resources[next] ||
			    !is_after(at, next))
				continue;
			via[next] = (uint16_t)at->number;
			if (next == to)
				return true;
			queue[tail++] = (uint16_t)next;
		}
	}
	return false;
}

static int fail_order(const struct hft_resource *held, const struct hft_resource *resource,
		      const uint16_t *via)
{
	char text[200];
	size_t length;
	uint32_t at = held->number;

	length = (size_t)snprintf(text, sizeof(text), "%.24s after %.24s, but seen before was ",
				  resource->name, held->name);
	while (at != resource->number && length < sizeof(text) - 64) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%.24s after ",
					   hft_resources[at]->name);
		at = via[at];
	}
	snprintf(text + length, sizeof(text) - length, "%.24s", resource->name);
	return hft_fail(EDEADLK, "%s", text);
}

static int add_order(struct hft_resource *held, struct hft_resource *resource)
{
	uint16_t via[HFT_RESOURCES_MAX];
	int err = 0;

	hft_lock(&hft_resource_lock);
	if (find_order(resource->number, held->number, via))
		err = fail_order(held, resource, via);
	else
		atomic_fetch_or(&held->after[resource->number / 64],
				1ULL << resource->number % 64);
	hft_unlock(&hft_resource_lock);
	return err;
}

/**
 * hft_order_check() - could threads wait for each other for ever, by the order of this one?
 * @self: the thread, which has resources
 * @resource: with %HFT_RESOURCE_ORDERED, that it is about to have
 *
 * As the kernel's lockdep does: each order is looked at once, whoever comes by it first.
 *
 * Return: 0 or -EDEADLK.
 */
int hft_order_check(struct hft_owner *self, struct hft_resource *resource)
{
	uint32_t i, nr = atomic_load_explicit(&self->nr_held, memory_order_relaxed);
	int err;

	for (i = 0; i < nr; i++) {
		struct hft_resource *held = atomic_load_explicit(&self->held[i],
								 memory_order_relaxed);

		if (held == resource || !(held->flags & HFT_RESOURCE_ORDERED) ||
		    is_after(held, resource->number))
			continue;
		err = add_order(held, resource);
		if (err)
			return err;
	}
	return 0;
}
