// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Rules in the backend soft: as the module does it, by whoever has let go of a queue's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../gettime.h"
#include "soft.h"

/* enum hft_halt_mode that rules hold the handle to. */
uint32_t soft_rule_halt(const struct soft_context *context)
{
	if (atomic_load(&context->rule_halts[HFT_HALT_ALL]))
		return HFT_HALT_ALL;
	return atomic_load(&context->rule_halts[HFT_HALT_REDUCE]) ? HFT_HALT_REDUCE :
								    HFT_HALT_NONE;
}

/* Count what the rules of a ring ask for.  Under its queue's lock.  Is it less? */
static bool soft_count_halt(struct soft_context *context, struct soft_ring *soft, uint32_t halt)
{
	uint32_t before = soft->rule_halt;

	soft->rule_halt = halt;
	if (halt)
		atomic_fetch_add(&context->rule_halts[halt], 1);
	if (before)
		atomic_fetch_sub(&context->rule_halts[before], 1);
	return halt < before;
}

/* Under a queue's lock, whose holder tells when it has let go of that. */
void soft_tell_later(struct hft_ready_queue *ready)
{
	struct soft_queue *queue = container_of(ready->release, struct soft_queue, release);

	atomic_fetch_or(&queue->context->telling, 1ULL << ready->number);
}

/*
 * Let the rings have what is allowed by now.  Who has the mutex, perhaps this thread, does it
 * when it gives that back: soft_context_unlock().
 */
static void soft_rule_resume(struct soft_context *context)
{
	while (atomic_load(&context->loosen)) {
		if (pthread_mutex_trylock(&context->mutex))
			return;
		if (atomic_exchange(&context->loosen, false))
			soft_resume_rings(context);
		pthread_mutex_unlock(&context->mutex);
	}
}

/* Give the context's mutex back. */
void soft_context_unlock(struct soft_context *context)
{
	pthread_mutex_unlock(&context->mutex);
	soft_rule_resume(context);
}

/* Count what a ring's rules ask for, and hold the others to that. */
static void soft_ring_tell_halt(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_acquire);
	bool changed = false, less = false;
	uint32_t rings = 0, halt;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	if (atomic_load_explicit(&soft->queue, memory_order_relaxed) == queue &&
	    soft->ready.detect) {
		halt = soft->ready.detect->halt;
		changed = halt != soft->rule_halt;
		less = changed && soft_count_halt(context, soft, halt);
		/* What was undone before it was told of has held the ring all the same. */
		less |= soft_ring_may_resume(context, soft);
	}
	pthread_mutex_unlock(&queue->lock);

	if (less)
		atomic_store(&context->loosen, true);
	else if (changed)
		soft_halt_rings(context, &rings);
}

static void soft_ring_write(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_acquire);
	struct hft_event events[HFT_DETECT_PENDING];
	uint64_t now = hft_now();
	uint32_t i, nr = 0;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->lock);
	if (atomic_load_explicit(&soft->queue, memory_order_relaxed) == queue)
		nr = hft_detect_take(&soft->ready, events);
	pthread_mutex_unlock(&queue->lock);
	for (i = 0; i < nr; i++)
		soft_notify(context, &events[i], now);
}

/*
 * One thread at a time takes notices of a ring and writes them, or what is undone could be
 * told before what it undoes.  Nobody waits for that: another's are left to it, who looks again.
 */
static void soft_ring_tell(struct soft_context *context, struct soft_ring *soft)
{
	unsigned int tellers;

	soft_ring_tell_halt(context, soft);
	if (atomic_fetch_add(&soft->tellers, 1))
		return;
	do {
		tellers = atomic_load(&soft->tellers);
		soft_ring_write(context, soft);
	} while (!atomic_compare_exchange_strong(&soft->tellers, &tellers, 0));
}

/* What was found under a lock that is let go by now. */
void soft_rule_tell(struct soft_context *context)
{
	uint64_t rings;

	while (atomic_load_explicit(&context->telling, memory_order_relaxed)) {
		rings = atomic_exchange(&context->telling, 0);
		for (; rings; rings &= rings - 1)
			soft_ring_tell(context, &context->rings[__builtin_ctzll(rings)]);
	}
	soft_rule_resume(context);
}

/* A ring closes.  Under the context's mutex and the queue's lock. */
void soft_rule_remove(struct soft_context *context, struct soft_ring *soft)
{
	hft_detect_remove(&soft->ready);
	if (soft_count_halt(context, soft, HFT_HALT_NONE))
		atomic_store(&context->loosen, true);
}

/* When a day began, by UTC, on the clock of hft_now(). */
static uint64_t soft_midnight(void)
{
	uint64_t now = hft_now();

	return now + HFT_DAY_NS - hft_gettime(CLOCK_REALTIME) % HFT_DAY_NS;
}

/* Have a ring judged. */
static int soft_ring_judge(struct soft_ring *soft, uint32_t seasons)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;

	if (soft->detect)
		return 0;
	soft->detect = calloc(1, hft_detect_bytes(seasons));
	if (!soft->detect)
		return -ENOMEM;
	hft_detect_init(soft->detect, seasons, soft_midnight());
	soft_lock(&hold, queue);
	hft_job_look(&soft->ready);
	hft_ready_set_detect(&soft->ready, soft->detect);
	soft_commit(&hold);
	soft_unlock(&hold);
	/* For what is to be noticed while nobody calls. */
	return soft_queue_start_timer(queue);
}

/* All of the handle's tasks, bit by bit. */
static int soft_rule_visit_all(struct soft_context *context, struct soft_ring *soft)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;
	uint32_t i, end;
	int err = 0;

	for (i = 0; i < context->pool.nr && !err; ) {
		end = context->pool.nr - i < HFT_BATCH ? context->pool.nr : i + HFT_BATCH;
		soft_lock(&hold, queue);
		for (; i < end && !err; i++)
			err = hft_rule_visit(&soft->ready, &context->pool.slots[i]);
		soft_commit(&hold);
		soft_unlock(&hold);
	}
	return err;
}

static int soft_ring_set_rule(struct soft_context *context, struct soft_ring *soft,
			      const struct hft_rule *rule)
{
	struct soft_queue *queue = atomic_load_explicit(&soft->queue, memory_order_relaxed);
	struct soft_hold hold;
	int err;

	if (soft == atomic_load(&context->monitor))
		return -EINVAL;
	if (rule->action == HFT_ACTION_SPARE)
		return -ENODEV;
	if (rule->action == HFT_ACTION_NONE && !soft->detect)
		return 0;
	err = soft_ring_judge(soft, rule->seasons ? rule->seasons : 1);
	if (err)
		return err;
	soft_lock(&hold, queue);
	err = hft_rule_begin(&soft->ready, rule);
	soft_unlock(&hold);
	if (!err && (rule->action == HFT_ACTION_LEAD || rule->action == HFT_ACTION_BOOST))
		err = soft_rule_visit_all(context, soft);
	soft_lock(&hold, queue);
	hft_rule_end(&soft->ready, rule, err, hold.now);
	soft_commit(&hold);
	soft_unlock(&hold);
	return err;
}

int soft_rule_set(struct soft_context *context, const struct hft_rule *rule)
{
	struct soft_ring *soft = &context->rings[rule->ring % HFT_MAX_RINGS];
	int err = -ENOENT;

	if (!hft_rule_valid(rule))
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (rule->ring < HFT_MAX_RINGS && soft->used)
		err = soft_ring_set_rule(context, soft, rule);
	soft_context_unlock(context);
	return err;
}

int soft_rule_info(struct soft_context *context, struct hft_rule_info *info)
{
	struct soft_ring *soft = &context->rings[info->ring % HFT_MAX_RINGS];
	struct soft_hold hold;
	int err = -ENOENT;

	if (info->number >= HFT_RULES || info->reserved)
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (info->ring < HFT_MAX_RINGS && soft->used) {
		soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
		hft_job_look(&soft->ready);
		hft_rule_info_fill(&soft->ready, info);
		soft_commit(&hold);
		soft_unlock(&hold);
		err = 0;
	}
	soft_context_unlock(context);
	return err;
}
