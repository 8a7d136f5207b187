// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A worker judges its own runs, as the module judges those of a ring with rules, at their
 * very end: what the module finds out when it looks at the ring again.
 */
#include <errno.h>
#include <stdlib.h>
#include <hft/rule.h>

#include <core/task.h>

#include "internal.h"

/**
 * struct hft_guard - what a worker knows of its runs, and its rules
 * @queue: of @ready alone
 * @ready: with no tasks
 * @consumer: of @ready
 * @producer: likewise
 * @fn: what is called
 * @arg: for @fn
 * @began: when the task began that is run; 0: none
 * @heap: of @queue's watch
 */
struct hft_guard {
	struct hft_release_queue queue;
	struct hft_ready_queue ready;
	struct hft_ring_consumer consumer;
	struct hft_ring_producer producer;
	hft_anomaly_fn fn;
	void *arg;
	uint64_t began;
	void *heap;
};

/* What is found is told at the end of the same run. */
static void tell_soon(struct hft_ready_queue *ready)
{
	(void)ready;
}

void hft_guard_free(struct hft_ring *ring)
{
	struct hft_guard *guard = ring->guard;

	if (!guard)
		return;
	free(guard->ready.detect);
	free(guard->heap);
	free(guard);
	ring->guard = NULL;
}

static void lay_out(struct hft_guard *guard, const struct hft_ring *ring, struct hft_detect *detect)
{
	const struct hft_ring_add add = {
		.entries = 1,
		.window = 1,
		.level_mask = HFT_LEVEL_MASK_ALL,
		.lead = hft_ring_lead(ring) < HFT_MAX_LEAD ? hft_ring_lead(ring) : 0,
	};

	hft_release_init(&guard->queue);
	guard->queue.tell = tell_soon;
	hft_heap_init(&guard->queue.watch.heap, guard->heap, 1);
	guard->ready.release = &guard->queue;
	guard->ready.consumer = &guard->consumer;
	guard->ready.producer = &guard->producer;
	guard->ready.number = ring->number;
	hft_ready_init(&guard->ready, &add);
	hft_ready_set_detect(&guard->ready, hft_detect_init(detect, 1, 0));
}

static int check_rules(const struct hft_ring *ring, const struct hft_guard_opts *opts)
{
	uint32_t i;

	if (!opts->fn || !opts->rules || !opts->nr_rules || opts->nr_rules > HFT_RULES ||
	    opts->reserved || !ring->inbox)
		return hft_fail(EINVAL, "a guard of ring %u: it needs a function and 1 to %d rules, and the ring tasks",
				ring->number, HFT_RULES);
	for (i = 0; i < opts->nr_rules; i++) {
		const struct hft_rule *rule = &opts->rules[i];

		if (rule->number >= HFT_RULES || rule->action != HFT_ACTION_NOTIFY ||
		    rule->seasons > 1 || !hft_rule_valid(rule))
			return hft_fail(EINVAL, "rule %u of a guard of ring %u: it is out of range, or does more than tell",
					i, ring->number);
	}
	return 0;
}

static int set_up(struct hft_ring *ring, const struct hft_guard_opts *opts)
{
	struct hft_detect *detect = calloc(1, hft_detect_bytes(1));
	struct hft_guard *guard = calloc(1, sizeof(*guard));
	uint64_t now = hft_now();
	uint32_t i;

	if (guard)
		guard->heap = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(1));
	if (!guard || !guard->heap || !detect) {
		if (guard)
			free(guard->heap);
		free(guard);
		free(detect);
		return hft_fail(ENOMEM, "a guard");
	}
	guard->fn = opts->fn;
	guard->arg = opts->arg;
	lay_out(guard, ring, detect);
	for (i = 0; i < opts->nr_rules; i++)
		hft_rule_end(&guard->ready, &opts->rules[i], 0, now);
	ring->guard = guard;
	return 0;
}

/**
 * hft_ring_guard() - have a worker judge its own runs, and answer at once
 * @ring: ring; nobody takes from it meanwhile
 * @user_opts: its rules, and who answers; or NULL: it judges none any more
 *
 * At the end of each run, of hft_submit_now() too, wake-up, run time, response and lateness
 * are judged against what is usual of the ring, as its tasks' classes are not told to it:
 * they are of class 0.  hft_guard_opts.fn is called by the worker before it takes the next,
 * for each anomaly and each time that a rule acts or is undone, and may submit, halt or
 * whatever else a body may.  That a rule is undone is noticed with the first run after.
 *
 * Allocates; does not enter the kernel, nor does the worker by it.
 *
 * Return: 0, or -EINVAL no function, no rule or one that does more than
 * %HFT_ACTION_NOTIFY, or a ring for notices, -E2BIG options of a newer library, -ENOMEM.
 */
HFT_API int hft_ring_guard(struct hft_ring *ring, const struct hft_guard_opts *user_opts)
{
	struct hft_guard_opts opts;
	int err = hft_read_opts(&opts, sizeof(opts), user_opts);

	if (!err && user_opts)
		err = check_rules(ring, &opts);
	if (err)
		return err;
	hft_guard_free(ring);
	if (user_opts)
		err = set_up(ring, &opts);
	if (ring->guard)
		atomic_store_explicit(&ring->measured, true, memory_order_relaxed);
	return err;
}

void hft_guard_begin(struct hft_guard *guard, uint64_t start)
{
	guard->began = start;
}

static void guard_tell(struct hft_guard *guard, uint64_t now)
{
	struct hft_event events[HFT_DETECT_PENDING];
	uint32_t i, nr = hft_detect_take(&guard->ready, events);

	for (i = 0; i < nr; i++) {
		events[i].irq_entry = now;
		events[i].published = now;
		guard->fn(&events[i], guard->arg);
	}
}

/* The task of @event has run. */
void hft_guard_end(struct hft_guard *guard, const struct hft_event *event, uint64_t end)
{
	uint64_t began = guard->began;

	guard->began = 0;
	if (event->type != HFT_EVENT_TASK || event->result < 0 || began < event->published ||
	    end < began)
		return;
	guard->ready.sequence++;
	hft_detect_dispatched(&guard->ready, 0, event);
	hft_detect_completed(&guard->ready, 0, event, began, end);
	if (guard->queue.look_set && guard->queue.look_at <= end) {
		hft_heap_pop(&guard->queue.watch.heap);
		hft_detect_look(&guard->queue, end);
	}
	if (__builtin_expect(guard->ready.detect->nr_pending, 0))
		guard_tell(guard, end);
}
