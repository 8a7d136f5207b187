// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Deadlocks: by who waits for whom, reduced (R. C. Holt, "Some Deadlock Properties of
 * Computer Systems", Computing Surveys 4 (3), 1972), and by the orders that were seen.
 */
#include <stdio.h>
#include <string.h>

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

/* Add those who have @resource to who is to be looked at, of whom @last is the last. */
static struct hft_owner *find_holders(const struct hft_resource *resource, struct hft_owner *last)
{
	struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (owner->seen == epoch || !hft_owner_holds(owner, resource))
			continue;
		owner->seen = epoch;
		owner->goes_on = false;
		owner->next_found = NULL;
		last->next_found = owner;
		last = owner;
	}
	return last;
}

/*
 * Of all whom @self would wait for, by way of others, too, take those away who go on to
 * their end, and those who then do, until there are none.  Does @self not get @resource?
 */
static bool is_stuck(struct hft_owner *self, const struct hft_resource *resource)
{
	struct hft_owner *owner, *last = self;
	bool again = true;

	epoch++;
	self->seen = epoch;
	self->goes_on = false;
	self->next_found = NULL;
	last = find_holders(resource, last);
	for (owner = self->next_found; owner; owner = owner->next_found) {
		if (owner->waits_for)
			last = find_holders(owner->waits_for, last);
	}
	while (again) {
		again = false;
		for (owner = self->next_found; owner; owner = owner->next_found) {
			if (owner->goes_on ||
			    (owner->waits_for && !is_had_in_time(owner->waits_for)))
				continue;
			owner->goes_on = again = true;
		}
	}
	return !is_had_in_time(resource);
}

/* After is_stuck(): one who has @resource and does not go on. */
static const struct hft_owner *stuck_holder(const struct hft_resource *resource)
{
	const struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (owner->seen == epoch && !owner->goes_on && hft_owner_holds(owner, resource))
			return owner;
	}
	return NULL;
}

static int fail_cycle(const struct hft_resource *resource, const struct hft_owner *self)
{
	char text[200] = "";
	size_t length = 0;
	const struct hft_owner *holder;

	while (length < sizeof(text) - 96) {
		holder = stuck_holder(resource);
		if (!holder)
			break;
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "%s%.24s is held by thread %d", length ? ", " : "",
					   resource->name, holder->tid);
		if (holder == self)
			break;
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   " who waits for %.24s", holder->waits_for->name);
		resource = holder->waits_for;
	}
	return hft_fail(EDEADLK, "%s", text);
}

/**
 * hft_deadlock_check() - would a thread wait for ever?
 * @self: the thread
 * @resource: for which; the lock is held
 *
 * Return: 0, or -EDEADLK.
 */
int hft_deadlock_check(struct hft_owner *self, struct hft_resource *resource)
{
	return is_stuck(self, resource) ? fail_cycle(resource, self) : 0;
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
