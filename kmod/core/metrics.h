/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What the counters of a CPU have counted while a ring had something to run.
 *
 * A ring with %HFT_RING_METRICS is busy from the dispatch of an event to an empty ring
 * until the last event is found to be consumed.  The counters are read when it gets
 * busy and each time that events are found to be consumed: what lies between two
 * readings is of the events that were found by the second one.  So nothing is counted
 * twice, and nothing while the ring is empty; but whatever else ran on the CPU between
 * the readings is counted too.
 *
 * The caller has the lock of the ring's release queue.
 */
#ifndef HFT_CORE_METRICS_H
#define HFT_CORE_METRICS_H

#include <linux/hft.h>

#include "types.h"

struct hft_ready_queue;

/**
 * struct hft_metrics_sample - a reading of counters
 * @counts: them
 * @valid: bit n: @counts[n] was read
 */
struct hft_metrics_sample {
	u64 counts[HFT_METRICS];
	u32 valid;
};

/**
 * struct hft_metrics_total - a sum
 * @sum: as user space is told
 * @valid: bit n: counter n was read for each of @sum.runs
 */
struct hft_metrics_total {
	struct hft_metrics_sum sum;
	u32 valid;
};

/**
 * struct hft_metrics_reader - counters of a CPU
 * @read: of the backend: reads those that it can from where it is called
 * @total: of all rings that have it
 */
struct hft_metrics_reader {
	void (*read)(struct hft_metrics_reader *source, struct hft_metrics_sample *sample);
	struct hft_metrics_total total;
};

/**
 * struct hft_ready_metrics - of a ring
 * @source: counters of its CPU
 * @events: what the consumer is told, parallel to the ring's events
 * @last: the reading before
 * @total: of the ring
 * @classes: of it, what was of one class
 */
struct hft_ready_metrics {
	struct hft_metrics_reader *source;
	struct hft_metrics *events;
	struct hft_metrics_sample last;
	struct hft_metrics_total total;
	struct hft_metrics_total classes[HFT_CLASSES];
};

/**
 * struct hft_metrics_span - events that were found to be consumed at once
 * @sequence: lower half of that of the first
 * @events: how many
 * @task_class: of all of them; %HFT_CLASSES: they are of several
 */
struct hft_metrics_span {
	u32 sequence;
	u32 events;
	u32 task_class;
};

/* An event is consumed: the next of @span. */
static inline void hft_metrics_span_add(struct hft_metrics_span *span, u32 sequence,
					u32 task_class)
{
	if (!span->events++) {
		span->sequence = sequence;
		span->task_class = task_class;
	} else if (span->task_class != task_class) {
		span->task_class = HFT_CLASSES;
	}
}

void hft_metrics_begin(struct hft_ready_metrics *metrics);
void hft_metrics_end(struct hft_ready_queue *ready, const struct hft_metrics_span *span);
void hft_metrics_merge(struct hft_metrics_total *sum, const struct hft_metrics_total *total);

#endif /* HFT_CORE_METRICS_H */
