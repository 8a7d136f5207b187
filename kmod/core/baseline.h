/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What is usual of a stream of durations, and which of them are not.
 *
 * Three quantiles are followed: the median, the median distance from it, and the 99th
 * percentile of the distance above it.  Each goes a step up or down with a value, by on
 * which side of it that is and not by how far (S. Ma, S. Muthukrishnan and M. Sandler,
 * "Frugal Streaming for Estimating Quantiles", 2013; here the steps are in proportion to
 * the spread, and longer upwards for a percentile).  So a value that is far off moves the
 * baseline no more than any other, and what stays there is followed.
 *
 *   spike	further above the median than 5/2 of it, and than three times the percentile: of
 *		tails between those of a normal and an exponential distribution that are a
 *		few in a million
 *   shift	values are on one side: a cumulative sum (E. S. Page, "Continuous Inspection
 *		Schemes", Biometrika 41, 1954) of whether one is beyond the spread and an
 *		eighth of the median there; then all is learned again
 *   drift	the median has gone a quarter, and four spreads, from where it was
 *
 * Integers only, a few dozen instructions a value.  Zero is a baseline of nothing.  The
 * caller has the lock.
 */
#ifndef HFT_CORE_BASELINE_H
#define HFT_CORE_BASELINE_H

#include "types.h"

#define HFT_BASELINE_FRACTION	8		/* bits of the fixed point */
#define HFT_BASELINE_MAX	((1ULL << 44) - 1)	/* 4.8 hours in ns: more counts as that */

/* Values before the first verdict, until the steps are short, and from look to look. */
#define HFT_BASELINE_LEARN	256
#define HFT_BASELINE_SETTLE	2048
#define HFT_BASELINE_LOOK	32

#define HFT_BASELINE_BEYOND	3		/* of the cumulative sum: up by, */
#define HFT_BASELINE_WITHIN	2		/* down by, */
#define HFT_BASELINE_SHIFT	60		/* and how much is a shift */

enum hft_baseline_verdict {
	HFT_BASELINE_USUAL,
	HFT_BASELINE_SPIKE,
	HFT_BASELINE_UP,
	HFT_BASELINE_DOWN,
	HFT_BASELINE_DRIFT,
};

/**
 * struct hft_baseline - a baseline; what is of its values is in fixed point
 * @median: of the values
 * @spread: median distance from that
 * @tail: 99th percentile of the distance above it
 * @edge: a distance that is beyond the spread
 * @limit: a distance that is a spike; all ones while it learns, 0: there was no value
 *	but 0
 * @reference: a median, from which it drifts
 * @samples: values since it has begun to learn; it wraps to %HFT_BASELINE_SETTLE
 * @lean: cumulative sum of values beyond the edge, above less below
 * @step: the length of steps, as a shift of @spread
 * @rare: likewise, of @tail
 */
struct hft_baseline {
	u64 median;
	u64 spread;
	u64 tail;
	u64 edge;
	u64 limit;
	u64 reference;
	u32 samples;
	s32 lean;
	u8 step;
	u8 rare;
};

static inline bool hft_baseline_knows(const struct hft_baseline *b)
{
	return b->samples >= HFT_BASELINE_LEARN;
}

static inline void hft_baseline_begin(struct hft_baseline *b, u64 x)
{
	*b = (struct hft_baseline){
		.median = x,
		.spread = x / 8,
		.tail = x,
		.edge = x / 4 + (2 << HFT_BASELINE_FRACTION),
		.limit = U64_MAX,
		.step = 2,
		.rare = 8,
	};
}

static inline bool hft_baseline_drifts(struct hft_baseline *b)
{
	u64 gone = b->median > b->reference ? b->median - b->reference : b->reference - b->median;

	if (gone <= b->reference / 4 || gone <= 4 * b->spread)
		return false;
	b->reference = b->median;
	return true;
}

/* Every so many values: what need not be done with each. */
static inline enum hft_baseline_verdict hft_baseline_look(struct hft_baseline *b)
{
	u64 least, most;

	if (!b->samples)
		b->samples = HFT_BASELINE_SETTLE;
	b->edge = b->spread + b->median / 8 + (2 << HFT_BASELINE_FRACTION);
	/* The steps down of all values since. */
	b->tail -= HFT_BASELINE_LOOK * (b->tail >> b->rare);
	b->step = b->samples < HFT_BASELINE_LEARN ? 4 : 6;
	if (!hft_baseline_knows(b))
		return HFT_BASELINE_USUAL;
	b->rare = b->samples < HFT_BASELINE_SETTLE ? 10 : 12;
	least = b->median * 5 / 2;
	most = 3 * b->tail;
	b->limit = (least > most ? least : most) + (2 << HFT_BASELINE_FRACTION);
	if (b->samples == HFT_BASELINE_LEARN)
		b->reference = b->median;
	return hft_baseline_drifts(b) ? HFT_BASELINE_DRIFT : HFT_BASELINE_USUAL;
}

/* A baseline that knew something has found that values are elsewhere. */
static inline enum hft_baseline_verdict hft_baseline_shift(struct hft_baseline *b, u64 x)
{
	bool up = b->lean > 0, knew = hft_baseline_knows(b);

	hft_baseline_begin(b, x);
	if (!knew)
		return HFT_BASELINE_USUAL;
	return up ? HFT_BASELINE_UP : HFT_BASELINE_DOWN;
}

/* The next sum: a step out, or one back to zero. */
static inline s32 hft_baseline_lean(s32 lean, bool is_above, bool beyond)
{
	s32 out = is_above ? HFT_BASELINE_BEYOND : -HFT_BASELINE_BEYOND;
	s32 back = lean > HFT_BASELINE_WITHIN ? HFT_BASELINE_WITHIN : lean;

	back = back < -HFT_BASELINE_WITHIN ? -HFT_BASELINE_WITHIN : back;
	return lean + (beyond ? out : -back);
}

/*
 * Up a step, or down one that is no longer than what there is: without a branch, which
 * nobody could foretell.  @below: all ones if the value is below the median.
 */
static inline void hft_baseline_follow(struct hft_baseline *b, u64 below, u64 distance)
{
	u64 step = b->spread >> b->step;
	u64 down = step < b->median ? step : b->median;

	b->median += (~below & (step + 1 + down)) - down;
	b->spread += (-(u64)(distance > b->spread) & (step + 1 + step)) - step;
}

/**
 * hft_baseline_add() - take a value into account
 * @b: baseline
 * @value: ns
 *
 * Return: what it is.
 */
static inline enum hft_baseline_verdict hft_baseline_add(struct hft_baseline *b, u64 value)
{
	s64 above, sign;
	u64 x, distance;

	if (unlikely(value > HFT_BASELINE_MAX))
		value = HFT_BASELINE_MAX;
	x = value << HFT_BASELINE_FRACTION;
	above = (s64)(x - b->median);
	sign = above >> 63;
	distance = (u64)((above ^ sign) - sign);
	if (distance > b->edge || b->lean) {
		b->lean = hft_baseline_lean(b->lean, above > 0, distance > b->edge);
		if (unlikely(b->lean >= HFT_BASELINE_SHIFT || b->lean <= -HFT_BASELINE_SHIFT))
			return hft_baseline_shift(b, x);
	}
	if (unlikely(distance > b->tail)) {
		if (!b->limit) {
			hft_baseline_begin(b, x);
			return HFT_BASELINE_USUAL;
		}
		if (distance > b->limit)
			return HFT_BASELINE_SPIKE;
		if (above > 0)
			b->tail += 100 * ((b->tail >> b->rare) + 1);
	}
	hft_baseline_follow(b, (u64)sign, distance);
	if (likely(++b->samples % HFT_BASELINE_LOOK))
		return HFT_BASELINE_USUAL;
	return hft_baseline_look(b);
}

#endif /* HFT_CORE_BASELINE_H */
