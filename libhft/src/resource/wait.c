// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who waits for a resource, and who has it next. */
#include <stddef.h>
#include <time.h>

#include "../pool/internal.h"
#include "internal.h"

/* How many may have a share of a resource of one unit. */
#define SHARES_MOST	(1U << 30)

#define NAP_NS		20000

/* Those of which it is to be seen who has them next. */
static struct hft_resource *changed;

static uint64_t most_shares(const struct hft_resource *resource)
{
	return resource->units > 1 ? resource->units : SHARES_MOST;
}

/* What the word is when @owner has it, too, or 0: there is no room. */
uint64_t hft_word_with(const struct hft_resource *resource, uint64_t word,
		       const struct hft_owner *owner, bool shared)
{
	uint64_t contended = word & HFT_CONTENDED;

	word &= ~HFT_CONTENDED;
	if (!shared)
		return word ? 0 : (uintptr_t)owner | contended;
	if (!word)
		return HFT_SHARE | HFT_SHARED | contended;
	if (!(word & HFT_SHARED) || word / HFT_SHARE == most_shares(resource))
		return 0;
	return (word + HFT_SHARE) | contended;
}

/* What the word is when one who has it has not. */
uint64_t hft_word_without(uint64_t word)
{
	uint64_t contended = word & HFT_CONTENDED;

	word &= ~HFT_CONTENDED;
	if (!(word & HFT_SHARED) || word == (HFT_SHARE | HFT_SHARED))
		return contended;
	return (word - HFT_SHARE) | contended;
}

/* From here on the word changes under the lock only, which is held. */
uint64_t hft_resource_contend(struct hft_resource *resource)
{
	return atomic_fetch_or(&resource->word, HFT_CONTENDED) | HFT_CONTENDED;
}

/* Whether anybody waits or not is in the word. */
static void tidy(struct hft_resource *resource)
{
	if (!resource->wants)
		atomic_fetch_and(&resource->word, ~HFT_CONTENDED);
}

static void enqueue(struct hft_want *want)
{
	struct hft_resource *resource = want->resource;
	uint32_t level = atomic_load(&want->owner->level);
	struct hft_want **link = &resource->wants;

	while (*link && atomic_load(&(*link)->owner->level) >= level)
		link = &(*link)->next;
	want->next = *link;
	*link = want;
	resource->nr_waiters++;
	resource->contended++;
	hft_resource_contend(resource);
}

static void dequeue(struct hft_want *want, uint64_t waited)
{
	struct hft_resource *resource = want->resource;
	struct hft_want **link;

	for (link = &resource->wants; *link != want; link = &(*link)->next)
		;
	*link = want->next;
	resource->nr_waiters--;
	if (waited > resource->longest)
		resource->longest = waited;
	tidy(resource);
}

/* @owner waits for all of its wants; the lock is held. */
void hft_want_begin(struct hft_owner *owner, uint64_t now)
{
	uint32_t i;

	owner->since = now;
	for (i = 0; i < owner->nr_wants; i++)
		enqueue(&owner->wants[i]);
	for (i = 0; i < owner->nr_wants; i++)
		hft_resource_lend(owner->wants[i].resource);
}

/* It does so no more.  Those behind it may have room, and those who have it less to be lent. */
void hft_want_end(struct hft_owner *owner)
{
	uint64_t waited = hft_now() - owner->since;
	uint32_t i, nr = owner->nr_wants;

	owner->nr_wants = 0;
	for (i = 0; i < nr; i++) {
		dequeue(&owner->wants[i], waited);
		hft_resource_changed(owner->wants[i].resource);
	}
	if (owner->worker && hft_waiting_tasks)
		hft_tasks_reconsider(owner->worker->pool);
}

/* It is to be seen who has it next; the lock is held. */
void hft_resource_changed(struct hft_resource *resource)
{
	if (resource->changed)
		return;
	resource->changed = true;
	resource->next_changed = changed;
	changed = resource;
}

/* A thread has it that has waited. */
static void grant_thread(struct hft_resource *resource, struct hft_owner *owner, uint64_t word)
{
	atomic_store_explicit(&resource->word, word, memory_order_relaxed);
	hft_want_end(owner);
	hft_owner_update(owner);
	/* With the lock held: it can not have ended before it is woken. */
	hft_wait_done(NULL, &owner->granted);
}

/*
 * Let those have it, the first first, for whom there is room.  A task that waits for
 * something else, too, is passed: it has all at once or nothing.
 */
static void grant(struct hft_resource *resource)
{
	struct hft_want **link = &resource->wants;
	struct hft_want *want;
	uint64_t word;

	while ((want = *link)) {
		struct hft_owner *owner = want->owner;

		word = hft_word_with(resource, atomic_load(&resource->word), owner, want->shared);
		if (!word)
			break;
		if (!owner->work) {
			if (hft_owner_add(owner, resource))
				break;
			grant_thread(resource, owner, word);
		} else if (hft_task_fits(owner)) {
			hft_task_grant(owner);
		} else {
			link = &want->next;
			continue;
		}
		link = &resource->wants;
	}
	tidy(resource);
}

/* Let those go on who can, until nothing changes any more; the lock is held. */
void hft_resources_settle(void)
{
	struct hft_resource *resource;

	while ((resource = changed)) {
		changed = resource->next_changed;
		resource->changed = false;
		grant(resource);
		hft_resource_lend(resource);
	}
}

static void cancel_all(struct hft_work *work)
{
	struct hft_work *next;

	for (; work; work = next) {
		struct hft_pool *pool = work->extra->owner->pool;
		struct hft_spawner nobody = { .pool = pool };
		struct hft_spawner *self = hft_spawner_of(pool);

		next = work->next;
		hft_work_cancel(self ? self : &nobody, work, work->fixed ? -ENODEV : -ECANCELED);
	}
}

/*
 * Let the lock go, and end the tasks whose pools have closed meanwhile.  Who ends one comes
 * here again, with those who can have then what it had: all are ended by the first.
 */
void hft_resources_unlock(void)
{
	struct hft_work *work;

	if (!hft_tasks_ending) {
		while ((work = hft_task_failed())) {
			hft_tasks_ending = true;
			hft_unlock(&hft_resource_lock);
			cancel_all(work);
			hft_lock(&hft_resource_lock);
		}
		hft_tasks_ending = false;
	}
	hft_unlock(&hft_resource_lock);
}

/*
 * Let the lock go for a moment: who has the next step may have a lower priority than the
 * caller, and its CPU.
 */
void hft_resources_nap(void)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	hft_unlock(&hft_resource_lock);
	nanosleep(&nap, NULL);
	hft_lock(&hft_resource_lock);
}
