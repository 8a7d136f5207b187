// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who has what, who waits for it, and who has waited for too long. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

/* The thread that has it, or runs the task that does; 0: no worker has begun that. */
static int32_t thread_of(const struct hft_owner *owner)
{
	if (owner->work)
		owner = owner->thread;
	return owner ? owner->tid : 0;
}

static void count_holders(const struct hft_resource *resource, struct hft_resource_stats *stats)
{
	struct hft_owner *owner;

	for (owner = hft_owners; owner; owner = owner->next) {
		if (!hft_owner_holds(owner, resource))
			continue;
		stats->holders++;
		if (!stats->holder)
			stats->holder = thread_of(owner);
	}
}

static uint64_t longest_wait(const struct hft_resource *resource)
{
	uint64_t now = hft_now(), longest = 0;
	const struct hft_want *want;

	for (want = resource->wants; want; want = want->next) {
		if (now - want->owner->since > longest)
			longest = now - want->owner->since;
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
	if (resource->wants)
		stats.highest = atomic_load(&resource->wants->owner->level);
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
 * struct stall - one that was found
 * @stall: what is told of it; its resource is @name
 * @holder_waits: for a resource
 * @name: of the resource, or its beginning
 */
struct stall {
	struct hft_resource_stall stall;
	bool holder_waits;
	char name[64];
};

struct stalls {
	struct stall *found;
	size_t nr;
	size_t most;
};

/* Of all that it waits for the first that it could not have, if it is that alone. */
static const struct hft_resource *missing(const struct hft_owner *owner)
{
	uint32_t i;

	for (i = 0; i < owner->nr_wants; i++) {
		const struct hft_want *want = &owner->wants[i];

		if (!hft_word_with(want->resource, atomic_load(&want->resource->word), owner,
				   want->shared))
			return want->resource;
	}
	return owner->wants[0].resource;
}

static void note(struct stalls *stalls, const struct hft_owner *owner, uint64_t waited)
{
	const struct hft_resource *resource = missing(owner);
	const struct hft_owner *holder = any_holder(resource);
	struct stall *stall;

	if (stalls->nr++ >= stalls->most)
		return;
	stall = &stalls->found[stalls->nr - 1];
	*stall = (struct stall){
		.stall.waiter = thread_of(owner),
		.stall.holder = holder ? thread_of(holder) : 0,
		.stall.waiting_ns = waited,
		.holder_waits = holder && holder->nr_wants,
	};
	snprintf(stall->name, sizeof(stall->name), "%s", resource->name);
}

/* Looks at all of a list.  The lock is held. */
static void look(struct stalls *stalls, const struct hft_owner *owner, uint64_t longer_ns)
{
	uint64_t now = hft_now();

	for (; owner; owner = owner->next) {
		if (owner->nr_wants && now - owner->since > longer_ns)
			note(stalls, owner, now - owner->since);
	}
}

/* Until there is room for all.  Returns 0 or -ENOMEM. */
static int find_stalls(struct stalls *stalls, uint64_t longer_ns)
{
	do {
		stalls->most = stalls->nr + 16;
		free(stalls->found);
		stalls->nr = 0;
		stalls->found = calloc(stalls->most, sizeof(*stalls->found));
		if (!stalls->found)
			return hft_fail(ENOMEM, "a report of %zu stalls", stalls->most);
		hft_lock(&hft_resource_lock);
		look(stalls, hft_owners, longer_ns);
		look(stalls, hft_waiting_tasks, longer_ns);
		hft_unlock(&hft_resource_lock);
	} while (stalls->nr > stalls->most);
	return 0;
}

/**
 * hft_resource_stalls() - find who has waited for long
 * @longer_ns: for longer than that
 * @fn: called for each; the name of the resource is valid as long as that takes, and may be
 *	cut after 63 bytes
 * @arg: for @fn
 *
 * What waits for each other by resources is refused before it does.  A circle that goes by
 * way of another lock is not seen by that: it shows in holders that sleep.  A task that
 * waits, or has not begun, has no thread: 0.
 *
 * Return: how many there were, or -ENOMEM.
 */
HFT_API int hft_resource_stalls(uint64_t longer_ns, hft_resource_stall_fn fn, void *arg)
{
	struct stalls stalls = {};
	int err = find_stalls(&stalls, longer_ns);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < stalls.nr; i++) {
		struct hft_resource_stall *stall = &stalls.found[i].stall;

		stall->resource = stalls.found[i].name;
		stall->foreign = stall->holder && !stalls.found[i].holder_waits &&
				 is_asleep(stall->holder);
		fn(stall, arg);
	}
	free(stalls.found);
	return (int)stalls.nr;
}
