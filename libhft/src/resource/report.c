// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who has what, who waits for it, and who has waited for too long. */
#include <stdio.h>

#include "internal.h"

static void count_holders(const struct hft_resource *resource, struct hft_resource_stats *stats)
{
	struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (!hft_owner_holds(owner, resource))
			continue;
		stats->holders++;
		stats->holder = owner->tid;
	}
}

static uint64_t longest_wait(const struct hft_resource *resource)
{
	uint64_t now = hft_now(), longest = 0;
	const struct hft_owner *waiter;

	for (waiter = resource->waiters; waiter; waiter = waiter->next_waiter) {
		if (now - waiter->since > longest)
			longest = now - waiter->since;
	}
	return longest;
}

/**
 * hft_resource_stats() - what is going on about a resource
 * @resource: the resource
 * @user: sz is set; the rest is filled in, as far as the caller knows it
 *
 * Return: 0, or -EINVAL: sz is none.
 */
HFT_API int hft_resource_stats(struct hft_resource *resource, struct hft_resource_stats *user)
{
	struct hft_resource_stats stats = {};
	int err = hft_check_answer(user);

	if (err)
		return err;
	hft_lock(&hft_resource_lock);
	stats.contended = resource->contended;
	stats.longest_ns = resource->longest;
	stats.waiting_ns = longest_wait(resource);
	stats.waiters = resource->nr_waiters;
	if (resource->waiters)
		stats.highest = atomic_load(&resource->waiters->level);
	count_holders(resource, &stats);
	hft_unlock(&hft_resource_lock);
	hft_answer(user, &stats, sizeof(stats));
	return 0;
}

/* Does the kernel say that the thread sleeps? */
static bool is_asleep(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state == 'S' || state == 'D';
}

static const struct hft_owner *any_holder(const struct hft_resource *resource)
{
	const struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (hft_owner_holds(owner, resource))
			return owner;
	}
	return NULL;
}

/**
 * hft_resource_stalls() - find who has waited for long
 * @longer_ns: for longer than that
 * @fn: called for each, with all resources at a standstill: it may not use them
 * @arg: for @fn
 *
 * What waits for each other by resources is refused before it does.  A circle that goes by
 * way of another lock is not seen by that: it shows in holders that sleep.
 *
 * Return: how many there were.
 */
HFT_API int hft_resource_stalls(uint64_t longer_ns, hft_resource_stall_fn fn, void *arg)
{
	const struct hft_owner *owner, *holder;
	uint64_t now;
	int nr = 0;

	hft_lock(&hft_resource_lock);
	now = hft_now();
	for (owner = hft_owners; owner; owner = owner->next) {
		struct hft_resource_stall stall = { .waiter = owner->tid };

		if (!owner->waits_for || now - owner->since <= longer_ns)
			continue;
		holder = any_holder(owner->waits_for);
		stall.resource = owner->waits_for->name;
		stall.holder = holder ? holder->tid : 0;
		stall.waiting_ns = now - owner->since;
		stall.foreign = holder && !holder->waits_for && is_asleep(holder->tid);
		fn(&stall, arg);
		nr++;
	}
	hft_unlock(&hft_resource_lock);
	return nr;
}
