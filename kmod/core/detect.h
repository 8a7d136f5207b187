/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * From a verdict of a baseline to an anomaly: of values, and of the time from one to the
 * next.  The module, the library's backends and its detectors share it.
 *
 * Where the load has its times of the day a baseline is kept for each of a number of slots
 * of it: what is usual at the opening is told from what is usual at noon, and one slot's
 * baseline goes on where it was a day before.
 *
 * The caller has the lock.
 */
#ifndef HFT_CORE_DETECT_H
#define HFT_CORE_DETECT_H

#include <linux/hft.h>

#include "baseline.h"
#include "types.h"

#define HFT_DAY_NS		86400000000000ULL
#define HFT_MAX_SEASONS		96

/**
 * struct hft_detected - what was found of a value that is not usual
 * @value: it, ns
 * @expected: the median before it, ns
 * @limit: above it is a spike, ns; 0: too little was known
 * @baseline: that has found it
 */
struct hft_detected {
	u64 value;
	u64 expected;
	u64 limit;
	const struct hft_baseline *baseline;
};

/**
 * struct hft_pace - how often something comes
 * @last: when it came last
 * @begun: it has
 * @told: that it has not come since was found already
 */
struct hft_pace {
	u64 last;
	bool begun;
	bool told;
};

static inline enum hft_anomaly hft_detect_of_value(enum hft_baseline_verdict verdict)
{
	switch (verdict) {
	case HFT_BASELINE_SPIKE:
		return HFT_ANOMALY_SPIKE;
	case HFT_BASELINE_UP:
	case HFT_BASELINE_DOWN:
		return HFT_ANOMALY_SHIFT;
	case HFT_BASELINE_DRIFT:
		return HFT_ANOMALY_DRIFT;
	default:
		return HFT_ANOMALY_NONE;
	}
}

static inline enum hft_anomaly hft_detect_of_interval(enum hft_baseline_verdict verdict)
{
	switch (verdict) {
	case HFT_BASELINE_SPIKE:
		return HFT_ANOMALY_STALL;
	case HFT_BASELINE_DOWN:
		return HFT_ANOMALY_BURST;
	default:
		return HFT_ANOMALY_NONE;
	}
}

/* Above it is a spike; U64_MAX while too little is known. */
static inline u64 hft_detect_limit(const struct hft_baseline *b)
{
	if (!hft_baseline_knows(b) || b->limit == U64_MAX)
		return U64_MAX;
	return (b->median + b->limit) >> HFT_BASELINE_FRACTION;
}

/* What is told of @value, before which the baseline had @median and @limit. */
static inline struct hft_detected hft_detect_told(const struct hft_baseline *b, u64 value,
						  u64 median, u64 limit)
{
	return (struct hft_detected){
		.value = value,
		.expected = median >> HFT_BASELINE_FRACTION,
		.limit = limit == U64_MAX ? 0 : (median + limit) >> HFT_BASELINE_FRACTION,
		.baseline = b,
	};
}

/**
 * hft_detect_judged() - hft_baseline_judge(), and keep what was thought of the value
 * @b: baseline
 * @value: ns
 * @found: filled in if it is not usual
 *
 * Return: &enum hft_baseline_verdict.
 */
static inline enum hft_baseline_verdict hft_detect_judged(struct hft_baseline *b, u64 value,
							  struct hft_detected *found)
{
	u64 median = b->median, limit = b->limit;
	enum hft_baseline_verdict verdict = hft_baseline_judge(b, value);

	if (unlikely(verdict))
		*found = hft_detect_told(b, value, median, limit);
	return verdict;
}

/* As hft_baseline_add(), likewise. */
static inline enum hft_baseline_verdict hft_detect_add(struct hft_baseline *b, u64 value,
						       struct hft_detected *found)
{
	if (hft_baseline_is_usual(b, value))
		return HFT_BASELINE_USUAL;
	return hft_detect_judged(b, value, found);
}

/**
 * hft_detect_value() - what a value is
 * @b: baseline of the values
 * @value: ns
 * @found: filled in if it is an anomaly
 */
static inline enum hft_anomaly hft_detect_value(struct hft_baseline *b, u64 value,
						struct hft_detected *found)
{
	return hft_detect_of_value(hft_detect_add(b, value, found));
}

/**
 * hft_detect_pace() - one more has come
 * @p: of them
 * @b: baseline of the time from one to the next
 * @time: when, not before the last
 * @found: filled in if it is an anomaly
 *
 * Return: what the time since the last is: a stall, a burst, or none.
 */
static inline enum hft_anomaly hft_detect_pace(struct hft_pace *p, struct hft_baseline *b,
					       u64 time, struct hft_detected *found)
{
	enum hft_anomaly anomaly = HFT_ANOMALY_NONE;

	if (likely(p->begun))
		anomaly = hft_detect_of_interval(hft_detect_add(b, time - p->last, found));
	p->last = time;
	p->begun = true;
	p->told = false;
	return anomaly;
}

/**
 * hft_detect_due_at() - from when on it is a stall that nothing comes
 * @p: of what comes
 * @b: baseline of the time from one to the next
 *
 * Return: a time, U64_MAX: never, too little is known.
 */
static inline u64 hft_detect_due_at(const struct hft_pace *p, const struct hft_baseline *b)
{
	u64 limit = hft_detect_limit(b);

	return p->begun && limit < U64_MAX - p->last ? p->last + limit : U64_MAX;
}

/**
 * hft_season() - the slot of the day that a time is in
 * @time: ns
 * @midnight: a time when a day began, on the same clock; of any day
 * @seasons: slots of a day, 1 to %HFT_MAX_SEASONS
 */
static inline u32 hft_season(u64 time, u64 midnight, u32 seasons)
{
	u64 phase = midnight % HFT_DAY_NS;
	u64 of_day = (time % HFT_DAY_NS + HFT_DAY_NS - phase) % HFT_DAY_NS;

	return (u32)(of_day / (HFT_DAY_NS / seasons)) % seasons;
}

/* When the slot that @time is in ends, or a moment before. */
static inline u64 hft_season_end(u64 time, u64 midnight, u32 seasons)
{
	u64 phase = midnight % HFT_DAY_NS, length = HFT_DAY_NS / seasons;
	u64 of_day = (time % HFT_DAY_NS + HFT_DAY_NS - phase) % HFT_DAY_NS;

	return time + length - of_day % length;
}

#endif /* HFT_CORE_DETECT_H */
