/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * An estimate of an execution time from the runs so far: the longest of the last
 * few thousand, and a percentile of them.
 *
 * A log-linear histogram whose counts are halved each HFT_WCET_WINDOW runs, so that
 * a run weighs half as much after as many more: what was, decays, and a change of
 * the work is seen after some thousand runs.  A bucket is 1/8 of a power of two wide.
 *
 * Zero is an estimate without a run.  The caller has the lock.
 */
#ifndef HFT_CORE_WCET_H
#define HFT_CORE_WCET_H

#include "hist.h"
#include "types.h"

#define HFT_WCET_SUB_BITS	3
#define HFT_WCET_BITS		40		/* 18 minutes: longer ones count as that */
#define HFT_WCET_BUCKETS	((HFT_WCET_BITS - HFT_WCET_SUB_BITS + 1) << HFT_WCET_SUB_BITS)
#define HFT_WCET_WINDOW		2048		/* runs */

/**
 * struct hft_wcet - an estimate
 * @runs: recorded
 * @max: the longest run of this window, and of the one before
 * @weight: sum of @bucket
 * @left: runs until the counts are halved
 * @bucket: weight of the runs of each length
 */
struct hft_wcet {
	u64 runs;
	u64 max[2];
	u32 weight;
	u32 left;
	u16 bucket[HFT_WCET_BUCKETS];
};

static inline void hft_wcet_decay(struct hft_wcet *w)
{
	u32 i;

	w->max[1] = w->max[0];
	w->max[0] = 0;
	w->weight = 0;
	for (i = 0; i < HFT_WCET_BUCKETS; i++) {
		w->bucket[i] /= 2;
		w->weight += w->bucket[i];
	}
	w->left = HFT_WCET_WINDOW;
}

/**
 * hft_wcet_record() - take a run into account
 * @w: estimate
 * @ns: how long it took
 */
static inline void hft_wcet_record(struct hft_wcet *w, u64 ns)
{
	if (ns >= 1ULL << HFT_WCET_BITS)
		ns = (1ULL << HFT_WCET_BITS) - 1;
	if (!w->left)
		hft_wcet_decay(w);
	w->left--;
	w->runs++;
	w->weight++;
	w->bucket[hft_log_linear_index(ns, HFT_WCET_SUB_BITS)]++;
	if (ns > w->max[0])
		w->max[0] = ns;
}

/**
 * hft_wcet_max() - the longest of the last 2048 to 4096 runs, ns; 0 without a run
 * @w: estimate
 */
static inline u64 hft_wcet_max(const struct hft_wcet *w)
{
	return w->max[0] > w->max[1] ? w->max[0] : w->max[1];
}

/**
 * hft_wcet_above() - what but a part of the runs are no longer than
 * @w: estimate
 * @per: one in so many may be longer: 1000 for the p99.9
 *
 * Return: ns, too large by 1/8 at most; 0 without a run.
 */
static inline u64 hft_wcet_above(const struct hft_wcet *w, u32 per)
{
	u32 longer = w->weight / per, i = HFT_WCET_BUCKETS;
	u64 max = hft_wcet_max(w), bound;

	if (!w->weight)
		return max;
	while (w->bucket[--i] <= longer)
		longer -= w->bucket[i];
	bound = hft_log_linear_high(i, HFT_WCET_SUB_BITS);
	return bound < max ? bound : max;
}

#endif /* HFT_CORE_WCET_H */
