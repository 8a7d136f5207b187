// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
#include "metrics.h"
#include "sched.h"

/* What was counted since @before is @delta. */
static void hft_metrics_since(const struct hft_metrics_sample *before,
			      const struct hft_metrics_sample *now,
			      struct hft_metrics_sample *delta)
{
	int i;

	delta->valid = before->valid & now->valid;
	for (i = 0; i < HFT_METRICS; i++)
		delta->counts[i] = delta->valid & BIT(i) ? now->counts[i] - before->counts[i] : 0;
}

static void hft_metrics_add(struct hft_metrics_total *total,
			    const struct hft_metrics_sample *delta, u32 events)
{
	int i;

	if (!delta->valid) {
		total->sum.unread += events;
		return;
	}
	total->valid = total->sum.runs ? total->valid & delta->valid : delta->valid;
	total->sum.runs += events;
	for (i = 0; i < HFT_METRICS; i++)
		total->sum.counts[i] += delta->counts[i];
}

/**
 * hft_metrics_merge() - add a sum to another
 * @sum: the other; of zeroes at first
 * @total: the sum
 */
void hft_metrics_merge(struct hft_metrics_total *sum, const struct hft_metrics_total *total)
{
	int i;

	sum->sum.unread += total->sum.unread;
	if (!total->sum.runs)
		return;
	sum->valid = sum->sum.runs ? sum->valid & total->valid : total->valid;
	sum->sum.runs += total->sum.runs;
	for (i = 0; i < HFT_METRICS; i++)
		sum->sum.counts[i] += total->sum.counts[i];
}

/* Tell the consumer of an event.  It may be reading what was there before. */
static void hft_metrics_publish(struct hft_metrics *event, u64 sequence, u32 events,
				const struct hft_metrics_sample *delta)
{
	int i;

	WRITE_ONCE(event->sequence, 0);
	/* Pairs with the consumer's acquire before it looks at the sequence again. */
	smp_wmb();
	WRITE_ONCE(event->valid, events ? delta->valid : 0);
	WRITE_ONCE(event->events, events);
	for (i = 0; i < HFT_METRICS; i++)
		WRITE_ONCE(event->counts[i], events ? delta->counts[i] : 0);
	/* Pairs with the consumer's acquire of it. */
	smp_store_release(&event->sequence, sequence + 1);
}

static void hft_metrics_publish_span(struct hft_ready_queue *ready,
				     const struct hft_metrics_span *span,
				     const struct hft_metrics_sample *delta)
{
	u64 sequence = ready->sequence - (u32)(lower_32_bits(ready->sequence) - span->sequence);
	u32 i;

	for (i = 0; i < span->events; i++)
		hft_metrics_publish(&ready->metrics->events[(sequence + i) & ready->mask],
				    sequence + i, i + 1 == span->events ? span->events : 0, delta);
}

/**
 * hft_metrics_begin() - the ring was empty, and gets an event
 * @metrics: the ring's
 */
void hft_metrics_begin(struct hft_ready_metrics *metrics)
{
	metrics->source->read(metrics->source, &metrics->last);
}

/**
 * hft_metrics_end() - events were found to be consumed
 * @ready: the ring's, with metrics
 * @span: the events
 */
void hft_metrics_end(struct hft_ready_queue *ready, const struct hft_metrics_span *span)
{
	struct hft_ready_metrics *metrics = ready->metrics;
	struct hft_metrics_reader *source = metrics->source;
	struct hft_metrics_sample now, delta;

	source->read(source, &now);
	hft_metrics_since(&metrics->last, &now, &delta);
	metrics->last = now;
	hft_metrics_add(&source->total, &delta, span->events);
	hft_metrics_add(&metrics->total, &delta, span->events);
	if (span->task_class < HFT_CLASSES)
		hft_metrics_add(&metrics->classes[span->task_class], &delta, span->events);
	hft_metrics_publish_span(ready, span, &delta);
}
