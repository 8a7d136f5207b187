// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a worker tells of its runs, what is made of it, and when it is to make way. */
#include <errno.h>

#include "../log/sched.h"
#include "internal.h"

static struct hft_report *hft_ring_report(struct hft_ring *ring, const struct hft_event *event)
{
	return &ring->reports[event->sequence & ring->mask];
}

/* Of the event that the wait was for: what came before the worker waited is older. */
static void hft_report_woke(struct hft_ring *ring, const struct hft_event *event,
			    struct hft_report *report)
{
	uint64_t ns = ring->woke - event->irq_entry + ring->overslept;

	if (!ring->woke || ring->woke < event->irq_entry)
		report->woke = 0;
	else
		report->woke = ns < UINT32_MAX ? (uint32_t)ns + !ns : UINT32_MAX;
	ring->woke = 0;
}

/**
 * hft_ring_begin() - the task of an event begins to run
 * @ring: ring
 * @event: of hft_ring_peek()
 * @start: when, CLOCK_MONOTONIC
 *
 * For who calls hft_ring_peek() rather than hft_ring_run(), which does it.  Without
 * %HFT_RING_REPORT, and for a task of hft_submit_now(), it is for hft_ring_meter(),
 * hft_ring_guard() and a log that wants the schedule (hft/log.h) alone.
 * The ring's consumer only; wait-free; does not enter the kernel.
 */
HFT_API void hft_ring_begin(struct hft_ring *ring, const struct hft_event *event, uint64_t start)
{
	struct hft_report *report;

	if (hft_log_sched_wants(HFT_SCHED_START))
		hft_log_sched_job(HFT_SCHED_START, event, ring->number, ring->cpu, start);
	if (!hft_ring_is_measured(ring))
		return;
	if (ring->guard)
		hft_guard_begin(ring->guard, start);
	if (!ring->reports || ring->view.taken) {
		hft_tally_begin(ring, start);
		return;
	}
	report = hft_ring_report(ring, event);
	report->result = 0;
	if (__builtin_expect(ring->learns, 0))
		hft_report_woke(ring, event, report);
	__atomic_store_n(&report->start, start, __ATOMIC_RELAXED);
}

/**
 * hft_ring_fail() - the task of an event has failed
 * @ring: ring
 * @event: what the body was called with
 * @err: negative errno
 *
 * From the body.  It is counted in struct hft_class_info, and a task that was to be
 * released after this one ends with -ECANCELED.  Without %HFT_RING_REPORT it does
 * nothing.  The ring's consumer only; wait-free; does not enter the kernel.
 */
HFT_API void hft_ring_fail(struct hft_ring *ring, const struct hft_event *event, int err)
{
	if (ring->reports && !ring->view.taken)
		hft_ring_report(ring, event)->result = err;
}

/**
 * hft_should_yield() - does a better task wait for this one?
 * @ring: ring
 * @event: what the body was called with
 *
 * For a body that can be interrupted, now and then: if so, submit what is left of the
 * work and return.  Better is by the ring's level and policy; of tasks that are released
 * while this one runs and find the ring's window full, so with a window of 1 of all.
 * The ring's consumer only; one load; does not enter the kernel.
 *
 * Return: true or false.
 */
HFT_API bool hft_should_yield(const struct hft_ring *ring, const struct hft_event *event)
{
	return __atomic_load_n(&ring->producer->preempt, __ATOMIC_RELAXED) == event->sequence + 1;
}

/* As hft_ring_end(), for a log.  A simulated machine knows itself what misses its deadline. */
void hft_ring_log_end(struct hft_ring *ring)
{
	const struct hft_event *event = &ring->events[ring->head & ring->mask];
	uint64_t now = hft_now();

	if (ring->view.taken)
		event = hft_inbox_choose(ring, NULL);
	if (event->type != HFT_EVENT_TASK)
		return;
	if (hft_log_sched_wants(HFT_SCHED_END))
		hft_log_sched_job(HFT_SCHED_END, event, ring->number, ring->cpu, now);
	if (hft_log_sched_wants(HFT_SCHED_MISS) && event->deadline && now > event->deadline &&
	    !ring->machine)
		hft_log_sched_job(HFT_SCHED_MISS, event, ring->number, ring->cpu, now);
}

/* The consumer is about to advance over the event at the ring's head, or of the inbox. */
void hft_ring_end(struct hft_ring *ring)
{
	uint64_t now = hft_now();
	uint32_t at = ring->head & ring->mask;
	const struct hft_event *event = &ring->events[at];

	if (ring->view.taken)
		event = hft_inbox_choose(ring, NULL);
	if (ring->reports && !ring->view.taken)
		__atomic_store_n(&ring->reports[at].end, now, __ATOMIC_RELAXED);
	else
		hft_tally_end(ring, event, now);
	if (ring->guard)
		hft_guard_end(ring->guard, event, now);
}

/**
 * hft_class() - what is known of a class of tasks
 * @h: handle
 * @ring: number of a ring with %HFT_RING_REPORT
 * @task_class: below %HFT_CLASSES
 * @info: the answer
 *
 * Enters the kernel.  Any thread.
 *
 * Return: 0, or -ENOENT no such ring, -EOPNOTSUPP it has no reports, -EINVAL.
 */
HFT_API int hft_class(struct hft *h, uint32_t ring, uint32_t task_class,
		      struct hft_class_info *info)
{
	int err;

	*info = (struct hft_class_info){ .ring = ring, .task_class = task_class };
	err = h->backend->command(h, HFT_IOC_CLASS, info);
	return err ? hft_fail(-err, "class %u of ring %u", task_class, ring) : 0;
}

/**
 * hft_sink() - a sink that there is, for hft_ring_opts.sink
 * @h: handle
 * @from: the first with this number or a later one; 0: of all
 * @info: the answer
 *
 * Enters the kernel.  Any thread.
 *
 * Return: 0, or -ENOENT there is no other; the backends without the module have none.
 */
HFT_API int hft_sink(struct hft *h, uint32_t from, struct hft_sink_info *info)
{
	int err;

	*info = (struct hft_sink_info){ .sink = from };
	err = h->backend->command(h, HFT_IOC_SINK, info);
	return err ? hft_fail(-err, "sinks from number %u on", from) : 0;
}

/**
 * hft_ring_set_policy() - change the order of a ring's tasks, those that wait too
 * @ring: ring
 * @policy: &enum hft_policy
 *
 * Enters the kernel; takes time by the number of the handle's tasks, in which the ring
 * is given none.  The worker sorts what hft_submit_now() has brought when it looks again.
 * Any thread.
 *
 * Return: 0, or -EINVAL out of range or without the reports that %HFT_POLICY_FAIR needs,
 * -EBUSY too many admitted tasks for %HFT_POLICY_RM.
 */
HFT_API int hft_ring_set_policy(struct hft_ring *ring, uint32_t policy)
{
	struct hft_ring_set set = { .ring = ring->number, .policy = policy };
	int err = ring->backend->command(ring->h, HFT_IOC_RING_SET, &set);

	if (err)
		return hft_fail(-err, "policy %u for ring %u", policy, ring->number);
	__atomic_store_n(&ring->policy, policy, __ATOMIC_RELAXED);
	return 0;
}
