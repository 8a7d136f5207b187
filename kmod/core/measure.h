/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What is done with each task of a ring that is measured or judged, which is little: its
 * values are made once, each is counted in its histogram, and compared with the band of its
 * baseline.  What is not in the band is for detect.c.
 */
#ifndef HFT_CORE_MEASURE_H
#define HFT_CORE_MEASURE_H

#include "sched.h"

/**
 * struct hft_run - a run of a task, by kind, ns
 * @wake: %HFT_KIND_WAKE, as the next ones
 * @ran: run
 * @response: response
 * @late: lateness; 0: it was in time
 * @has_deadline: it had to be
 */
struct hft_run {
	u64 wake;
	u64 ran;
	u64 response;
	u64 late;
	bool has_deadline;
};

/* Of times up to %HFT_TIME_MAX. */
static inline u64 hft_meter_since(u64 from, u64 to)
{
	s64 since = (s64)(to - from);

	return since > 0 ? (u64)since : 0;
}

static inline struct hft_run hft_run_of(const struct hft_event *event, u64 start, u64 end)
{
	u64 could = event->release > event->published ? event->release : event->published;
	u64 release = event->release > 1 ? event->release : event->irq_entry;

	return (struct hft_run){
		.wake = hft_meter_since(could, start),
		.ran = end - start,
		.response = hft_meter_since(release, end),
		.late = event->deadline ? hft_meter_since(event->deadline, end) : 0,
		.has_deadline = event->deadline,
	};
}

/* How late a task was written to its ring, ns; one for at once: since it was seen. */
static inline u64 hft_meter_late(const struct hft_ready_queue *ready,
				 const struct hft_event *event)
{
	if (event->release <= 1)
		return hft_meter_since(event->irq_entry, event->published);
	return hft_meter_since(event->release, event->published + ready->lead);
}

/* One value of a kind; of a class and kind that is not asked for there is no histogram. */
static inline void hft_meter_add(struct hft_hist *hist, u64 ns)
{
	if (hist)
		hft_hist_tally(hist, ns);
}

static inline void hft_meter_run(struct hft_meter *meter, u32 class, const struct hft_run *run)
{
	struct hft_hist *const *hist = meter->hist[class];

	hft_meter_add(hist[HFT_KIND_WAKE], run->wake);
	hft_meter_add(hist[HFT_KIND_RUN], run->ran);
	hft_meter_add(hist[HFT_KIND_RESPONSE], run->response);
	if (unlikely(run->late))
		hft_meter_add(hist[HFT_KIND_LATENESS], run->late);
	else if (run->has_deadline)
		hft_add_relaxed(&meter->in_time[class], 1);
}

static inline struct hft_baseline *hft_detect_streams(const struct hft_detect *d, u32 class)
{
	return &d->season[class * HFT_DETECT_STREAMS];
}

/* One value of a kind, if that is asked for: @streams of the class. */
static inline bool hft_detect_is_usual(struct hft_baseline *streams, u32 kinds, u32 kind,
				       u64 value)
{
	return !(kinds & 1U << kind) || hft_baseline_is_usual(&streams[kind], value);
}

/* One more of a class has come.  Before the first, and where time goes back, it is in no band. */
static inline void hft_detect_judge_pace(struct hft_ready_queue *ready, struct hft_detect *d,
					 u32 class, u64 time)
{
	struct hft_baseline *b = &hft_detect_streams(d, class)[HFT_DETECT_PACE];
	struct hft_pace *pace = &d->pace[class];

	if (likely(!pace->told) && hft_baseline_is_usual(b, time - pace->last))
		pace->last = time;
	else
		hft_detect_pace_of(ready, class, time);
	if (unlikely(d->look == U64_MAX))
		hft_detect_await(ready, class, time);
}

static inline void hft_detect_dispatch(struct hft_ready_queue *ready, struct hft_detect *d,
				       u32 class, u64 late, u64 time)
{
	u32 kinds = d->kinds[class];

	d->now = time;
	if (unlikely(time >= d->until))
		hft_detect_next_season(d, time);
	if (kinds & 1U << HFT_DETECT_PACE)
		hft_detect_judge_pace(ready, d, class, time);
	if (!hft_detect_is_usual(hft_detect_streams(d, class), kinds, HFT_KIND_DISPATCH, late))
		hft_detect_value_of(ready, class, HFT_KIND_DISPATCH, late, time);
}

static inline void hft_detect_run(struct hft_ready_queue *ready, struct hft_detect *d, u32 class,
				  const struct hft_run *run, u64 end)
{
	struct hft_baseline *streams = hft_detect_streams(d, class);
	u32 kinds = d->kinds[class];

	if (!hft_detect_is_usual(streams, kinds, HFT_KIND_WAKE, run->wake))
		hft_detect_value_of(ready, class, HFT_KIND_WAKE, run->wake, end);
	if (!hft_detect_is_usual(streams, kinds, HFT_KIND_RUN, run->ran))
		hft_detect_value_of(ready, class, HFT_KIND_RUN, run->ran, end);
	if (!hft_detect_is_usual(streams, kinds, HFT_KIND_RESPONSE, run->response))
		hft_detect_value_of(ready, class, HFT_KIND_RESPONSE, run->response, end);
	if (unlikely(run->late) &&
	    !hft_detect_is_usual(streams, kinds, HFT_KIND_LATENESS, run->late))
		hft_detect_value_of(ready, class, HFT_KIND_LATENESS, run->late, end);
}

#endif /* HFT_CORE_MEASURE_H */
