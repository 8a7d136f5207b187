/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Log-linear histogram of durations, ns.
 *
 * Values below 2^7 have a bucket each; above, every power of two is split into
 * 2^7 buckets, so that a bucket's bounds differ by less than 1/128 (0.78 %) of
 * the value.  The last one has all that is beyond its lower bound, 17.1 s.
 *
 * One writer at a time records, merges into or resets a histogram; any number
 * of readers may look at it meanwhile.  A reader gets no torn word, but the
 * figures it reads may be those of different moments.  A histogram of zero
 * bytes is an empty one.
 */
#ifndef HFT_CORE_HIST_H
#define HFT_CORE_HIST_H

#include "types.h"

#define HFT_HIST_BITS		34
#define HFT_HIST_SUB_BITS	7
#define HFT_HIST_SUB		(1U << HFT_HIST_SUB_BITS)
#define HFT_HIST_BUCKETS	((HFT_HIST_BITS - HFT_HIST_SUB_BITS + 1) * HFT_HIST_SUB)
#define HFT_HIST_PPM		1000000U

/**
 * struct hft_hist - a histogram
 * @low: its writer's: the smallest value that is neither less than any nor more than all
 * @size: likewise: how many there are; 0: that is to be found
 * @count: values recorded
 * @min_inverted: bitwise complement of the smallest: zero when there is none
 * @max: the largest
 * @sum: of all, modulo 2^64
 * @bucket: values in each bucket
 */
struct hft_hist {
	u64 low;
	u64 size;
	u64 count;
	u64 min_inverted;
	u64 max;
	u64 sum;
	u64 bucket[HFT_HIST_BUCKETS];
};

/**
 * hft_log_linear_index() - the bucket of a value
 * @value: any
 * @bits: values below 2^@bits have one each, as has each 2^@bits'th of a power of two
 */
static inline u32 hft_log_linear_index(u64 value, u32 bits)
{
	u32 shift = (u32)(63 ^ __builtin_clzll(value | 1ULL << bits)) - bits;

	return (shift << bits) + (u32)(value >> shift);
}

/**
 * hft_log_linear_low() - the smallest value of a bucket
 * @index: of hft_log_linear_index()
 * @bits: likewise
 */
static inline u64 hft_log_linear_low(u32 index, u32 bits)
{
	u32 sub = 1U << bits;

	if (index < sub)
		return index;
	return (u64)(index % sub + sub) << (index / sub - 1);
}

/**
 * hft_log_linear_high() - the largest value of a bucket
 * @index: of hft_log_linear_index()
 * @bits: likewise
 */
static inline u64 hft_log_linear_high(u32 index, u32 bits)
{
	u32 sub = 1U << bits;

	if (index < sub)
		return index;
	return hft_log_linear_low(index, bits) + ((1ULL << (index / sub - 1)) - 1);
}

/**
 * hft_hist_index() - the bucket of a value
 * @value: any
 */
static inline u32 hft_hist_index(u64 value)
{
	u32 index = hft_log_linear_index(value, HFT_HIST_SUB_BITS);

	return index < HFT_HIST_BUCKETS ? index : HFT_HIST_BUCKETS - 1;
}

/**
 * hft_hist_low() - the smallest value of a bucket
 * @index: below %HFT_HIST_BUCKETS
 */
static inline u64 hft_hist_low(u32 index)
{
	return hft_log_linear_low(index, HFT_HIST_SUB_BITS);
}

/**
 * hft_hist_high() - the largest value of a bucket
 * @index: below %HFT_HIST_BUCKETS
 */
static inline u64 hft_hist_high(u32 index)
{
	if (index >= HFT_HIST_BUCKETS - 1)
		return U64_MAX;
	return hft_log_linear_high(index, HFT_HIST_SUB_BITS);
}

/**
 * hft_hist_count() - how many values were recorded
 * @h: histogram
 */
static inline u64 hft_hist_count(const struct hft_hist *h)
{
	return hft_load_relaxed(&h->count);
}

/**
 * hft_hist_min() - the smallest value recorded, exactly; 0 when there is none
 * @h: histogram
 */
static inline u64 hft_hist_min(const struct hft_hist *h)
{
	return hft_hist_count(h) ? ~hft_load_relaxed(&h->min_inverted) : 0;
}

/**
 * hft_hist_max() - the largest value recorded, exactly; 0 when there is none
 * @h: histogram
 */
static inline u64 hft_hist_max(const struct hft_hist *h)
{
	return hft_load_relaxed(&h->max);
}

/**
 * hft_hist_sum() - the sum of all values recorded, modulo 2^64
 * @h: histogram
 */
static inline u64 hft_hist_sum(const struct hft_hist *h)
{
	return hft_load_relaxed(&h->sum);
}

static inline void hft_hist_widen(struct hft_hist *h, u64 min_inverted, u64 max)
{
	if (min_inverted > h->min_inverted)
		hft_store_relaxed(&h->min_inverted, min_inverted);
	if (max > h->max)
		hft_store_relaxed(&h->max, max);
}

/* A value is the smallest or the largest, or there may be no bucket of its own. */
static __hft_slow_path void hft_hist_tally_extreme(struct hft_hist *h, u64 value)
{
	u64 most = (1ULL << HFT_HIST_BITS) - 1;

	hft_hist_widen(h, ~value, value);
	h->low = ~h->min_inverted;
	if (most > h->max)
		most = h->max;
	h->size = most < h->low ? 0 : most - h->low + 1;
	hft_add_relaxed(&h->bucket[hft_hist_index(value)], 1);
	hft_add_relaxed(&h->sum, value);
}

/**
 * hft_hist_tally() - count a value of which only hft_hist_merge() is to know
 * @h: histogram, whose count is not kept
 * @value: the value
 */
static inline void hft_hist_tally(struct hft_hist *h, u64 value)
{
	/* One comparison for both ends, and for that of the buckets. */
	if (unlikely(value - h->low >= h->size)) {
		hft_hist_tally_extreme(h, value);
		return;
	}
	hft_add_relaxed(&h->bucket[hft_log_linear_index(value, HFT_HIST_SUB_BITS)], 1);
	hft_store_relaxed(&h->sum, h->sum + value);
}

/**
 * hft_hist_record() - count a value
 * @h: histogram
 * @value: the value
 */
static inline void hft_hist_record(struct hft_hist *h, u64 value)
{
	hft_hist_tally(h, value);
	hft_store_relaxed(&h->count, h->count + 1);
}

/**
 * hft_hist_merge() - add all values of a histogram to another
 * @to: the one that the caller may write
 * @from: the one to read; its writer may be at work
 *
 * @to is consistent afterwards: its count is the sum of its buckets.
 */
static inline void hft_hist_merge(struct hft_hist *to, const struct hft_hist *from)
{
	u64 total = 0;
	u64 nr;
	u32 i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		nr = hft_load_relaxed(&from->bucket[i]);
		if (!nr)
			continue;
		hft_add_relaxed(&to->bucket[i], nr);
		total += nr;
	}
	/* The first value may have come since. */
	if (!total)
		return;
	hft_hist_widen(to, hft_load_relaxed(&from->min_inverted), hft_load_relaxed(&from->max));
	hft_add_relaxed(&to->sum, hft_hist_sum(from));
	hft_add_relaxed(&to->count, total);
}

/**
 * hft_hist_reset() - forget all values
 * @h: histogram
 */
static inline void hft_hist_reset(struct hft_hist *h)
{
	u32 i;

	h->size = 0;
	hft_store_relaxed(&h->count, 0);
	hft_store_relaxed(&h->min_inverted, 0);
	hft_store_relaxed(&h->max, 0);
	hft_store_relaxed(&h->sum, 0);
	for (i = 0; i < HFT_HIST_BUCKETS; i++)
		hft_store_relaxed(&h->bucket[i], 0);
}

/* ceil(count * ppm / 10^6), at least 1, without leaving 64 bits */
static inline u64 hft_hist_rank(u64 count, u32 ppm)
{
	u64 rank = count / HFT_HIST_PPM * ppm;

	rank += (count % HFT_HIST_PPM * ppm + HFT_HIST_PPM - 1) / HFT_HIST_PPM;
	return rank ? rank : 1;
}

/* The largest value that bucket @i may have, of those recorded. */
static inline u64 hft_hist_bound(const struct hft_hist *h, u32 i)
{
	u64 max = hft_hist_max(h);
	u64 high = i < HFT_HIST_BUCKETS ? hft_hist_high(i) : max;

	return high < max ? high : max;
}

/**
 * hft_hist_percentile() - the value that a share of all values do not exceed
 * @h: histogram
 * @ppm: the share in parts per million: 999000 is p99.9; at most %HFT_HIST_PPM
 *
 * Returns the upper bound of the bucket the percentile is in, and no more than
 * the largest value recorded; 0 when there is none.
 */
static inline u64 hft_hist_percentile(const struct hft_hist *h, u32 ppm)
{
	u64 rank = hft_hist_rank(hft_hist_count(h), ppm);
	u64 below = 0;
	u32 i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		below += hft_load_relaxed(&h->bucket[i]);
		if (below >= rank)
			break;
	}
	return hft_hist_bound(h, i);
}

#endif /* HFT_CORE_HIST_H */
