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
 * What is within a band about the median is none of that, which one comparison tells.  Once the
 * steps are short the median goes with %HFT_BASELINE_STRIDE values at a time, by how many were
 * above it, and the spread by the last of them, which is a sample of the same.
 *
 * Integers only: eight instructions for a value in the band, else a few dozen.  Zero is a
 * baseline of nothing.  The caller has the lock.
 */
#ifndef HFT_CORE_BASELINE_H
#define HFT_CORE_BASELINE_H

#include "types.h"

#define HFT_BASELINE_FRACTION	8		/* bits of the fixed point */
#define HFT_BASELINE_MAX	((1ULL << 44) - 1)	/* 4.8 hours in ns: more counts as that */

/* Values before the first verdict, until there is a band, and from look to look before it. */
#define HFT_BASELINE_LEARN	256
#define HFT_BASELINE_SETTLE	2048
#define HFT_BASELINE_LOOK	32

/* With a band, to the next that is followed, and from look to look.  Powers of two. */
#define HFT_BASELINE_STRIDE	16
#define HFT_BASELINE_PERIOD	128

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
 * @low: the least value of the band, ns
 * @size: how many ns it is wide; 0: there is none
 * @half: the least that is not below the median, ns
 * @above: values that were not, since the last that was followed
 * @left: values before the next that is followed
 * @median: of the values
 * @spread: median distance from that
 * @tail: 99th percentile of the distance above it
 * @edge: a distance that is beyond the spread
 * @limit: a distance that is a spike; all ones while it learns, 0: there was no value
 *	but 0
 * @reference: a median, from which it drifts
 * @samples: values since it has begun to learn, to the last that was followed; it wraps to
 *	%HFT_BASELINE_SETTLE
 * @lean: cumulative sum of values beyond the edge, above less below
 * @skip: of how many values in a row, but one, none is followed
 * @every: values from look to look, less one
 * @step: the length of steps, as a shift of @spread
 * @rare: likewise, of @tail
 */
struct hft_baseline {
	u64 low;
	u64 size;
	u64 half;
	u32 above;
	s32 left;
	u64 median;
	u64 spread;
	u64 tail;
	u64 edge;
	u64 limit;
	u64 reference;
	u32 samples;
	s32 lean;
	u8 skip;
	u8 every;
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
		.half = x >> HFT_BASELINE_FRACTION,
		.median = x,
		.spread = x / 8,
		.tail = x,
		.edge = x / 4 + (2 << HFT_BASELINE_FRACTION),
		.limit = U64_MAX,
		.every = HFT_BASELINE_LOOK - 1,
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

/* Changes with each value but a spike. */
static inline u32 hft_baseline_values(const struct hft_baseline *b)
{
	return b->samples + b->skip - (u32)b->left;
}

/* Values that move nothing but what every so many of them do: no sum, no tail. */
static inline void hft_baseline_set_band(struct hft_baseline *b)
{
	const u64 up = (1 << HFT_BASELINE_FRACTION) - 1;
	u64 above = b->edge < b->tail ? b->edge : b->tail;
	u64 below = b->edge < b->median ? b->edge : b->median;

	b->size = 0;
	if (b->lean || b->samples < HFT_BASELINE_SETTLE)
		return;
	b->low = (b->median - below + up) >> HFT_BASELINE_FRACTION;
	b->size = ((b->median + above) >> HFT_BASELINE_FRACTION) + 1 - b->low;
}

/* Every so many values: what need not be done with each. */
static inline enum hft_baseline_verdict hft_baseline_look(struct hft_baseline *b)
{
	u64 least, most;

	if (!b->samples)
		b->samples = HFT_BASELINE_SETTLE;
	b->edge = b->spread + b->median / 8 + (2 << HFT_BASELINE_FRACTION);
	/* The steps down of all values since. */
	b->tail -= (b->every + 1) * (b->tail >> b->rare);
	b->step = b->samples < HFT_BASELINE_LEARN ? 4 : 6;
	b->every = HFT_BASELINE_LOOK - 1;
	if (!hft_baseline_knows(b))
		return HFT_BASELINE_USUAL;
	b->rare = 10;
	if (b->samples >= HFT_BASELINE_SETTLE) {
		b->skip = HFT_BASELINE_STRIDE - 1;
		b->every = HFT_BASELINE_PERIOD - 1;
		b->rare = 12;
	}
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
 * Up a step, or down one, with each value, without a branch, which nobody could foretell: the
 * median with all of them, the spread with the last.
 */
static inline void hft_baseline_follow(struct hft_baseline *b, u64 distance)
{
	u64 step = b->spread >> b->step;
	u64 down = (b->skip + 1 - b->above) * step;

	b->median += b->above * (step + 1);
	b->median -= down < b->median ? down : b->median;
	b->spread += (-(u64)(distance > b->spread) & (step + 1 + step)) - step;
	b->half = (b->median + (1 << HFT_BASELINE_FRACTION) - 1) >> HFT_BASELINE_FRACTION;
	b->above = 0;
}

/* A value is followed, and maybe looked at what all those since the last look come to. */
static inline enum hft_baseline_verdict hft_baseline_next(struct hft_baseline *b, u64 distance)
{
	enum hft_baseline_verdict verdict = HFT_BASELINE_USUAL;

	hft_baseline_follow(b, distance);
	b->samples += b->skip + 1;
	if (!(b->samples & b->every)) {
		verdict = hft_baseline_look(b);
		hft_baseline_set_band(b);
	}
	b->left = b->skip;
	return verdict;
}

/* A value of the band has its turn. */
static inline enum hft_baseline_verdict hft_baseline_turn(struct hft_baseline *b, u64 value)
{
	s64 above = (s64)((value << HFT_BASELINE_FRACTION) - b->median), sign = above >> 63;

	return hft_baseline_next(b, (u64)((above ^ sign) - sign));
}

/* A value is beyond the edge, or was not long ago: while there is a sum there is no band. */
static inline bool hft_baseline_sum(struct hft_baseline *b, bool is_above, bool beyond)
{
	s32 before = b->lean;

	b->lean = hft_baseline_lean(before, is_above, beyond);
	if (!before || !b->lean)
		hft_baseline_set_band(b);
	return b->lean >= HFT_BASELINE_SHIFT || b->lean <= -HFT_BASELINE_SHIFT;
}

/* A value is not in the band, or there is none. */
static inline enum hft_baseline_verdict hft_baseline_outside(struct hft_baseline *b, u64 value)
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
		if (unlikely(hft_baseline_sum(b, above > 0, distance > b->edge)))
			return hft_baseline_shift(b, x);
	}
	if (unlikely(distance > b->tail)) {
		if (!b->limit) {
			hft_baseline_begin(b, x);
			return HFT_BASELINE_USUAL;
		}
		if (distance > b->limit) {
			b->above--;
			b->left++;
			return HFT_BASELINE_SPIKE;
		}
		if (above > 0)
			b->tail += 100 * ((b->tail >> b->rare) + 1);
	}
	if (b->left >= 0)
		return HFT_BASELINE_USUAL;
	return hft_baseline_next(b, distance);
}

static inline bool hft_baseline_has(const struct hft_baseline *b, u64 value)
{
	return likely(value - b->low < b->size);
}

/**
 * hft_baseline_is_usual() - is a value in the band, and not one that is followed?
 * @b: baseline
 * @value: ns
 *
 * If so it is taken into account; else hft_baseline_judge() it.
 */
static inline bool hft_baseline_is_usual(struct hft_baseline *b, u64 value)
{
	b->above += value >= b->half;
	return likely(--b->left >= 0) && hft_baseline_has(b, value);
}

/**
 * hft_baseline_judge() - what a value is that hft_baseline_is_usual() does not know
 * @b: baseline
 * @value: ns
 *
 * Return: what it is.
 */
static inline enum hft_baseline_verdict hft_baseline_judge(struct hft_baseline *b, u64 value)
{
	return hft_baseline_has(b, value) ? hft_baseline_turn(b, value) :
					    hft_baseline_outside(b, value);
}

/* Does no more than follow a value, if that is all that hft_baseline_judge() would do. */
static inline bool hft_baseline_only_follows(struct hft_baseline *b, u64 value)
{
	if (!hft_baseline_has(b, value) || unlikely(!((b->samples + b->skip + 1) & b->every)))
		return false;
	hft_baseline_turn(b, value);
	return true;
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
	if (hft_baseline_is_usual(b, value))
		return HFT_BASELINE_USUAL;
	return hft_baseline_judge(b, value);
}

#endif /* HFT_CORE_BASELINE_H */
