/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * The lead of a ring, learned from how long its worker takes to wake up.
 *
 * With a lead of L, a worker that takes w to wake up spins for L - w, or starts w - L
 * late.  A longer lead has fewer late starts and costs more of the CPU: what it spins
 * per dispatch times the rate of dispatches.  So of all leads that keep to a budget the
 * one with the fewest late starts is taken, and of equal ones the shortest.  It need only
 * be looked for among the wake-ups that there were: between two of them no start less is
 * late.
 *
 * The wake-ups are in a log-linear histogram, as core/hist.h has it, whose counts are
 * halved each HFT_LEAD_WINDOW of them, and the rate is that of the last few looks, so
 * both follow what is now.  A wake-up counts as the shortest of its bucket where that
 * costs, and as the longest where that is late: within 1/32 either way.
 *
 * The caller has the lock.
 */
#ifndef HFT_CORE_LEAD_H
#define HFT_CORE_LEAD_H

#include <linux/hft.h>

#include "hist.h"
#include "types.h"

#define HFT_MAX_LEAD		1000000		/* ns */

#define HFT_LEAD_SUB_BITS	5
#define HFT_LEAD_BITS		20		/* 1 ms: longer ones are late with any lead */
#define HFT_LEAD_BUCKETS	((HFT_LEAD_BITS - HFT_LEAD_SUB_BITS + 1) << HFT_LEAD_SUB_BITS)
#define HFT_LEAD_WINDOW		4096		/* wake-ups */
#define HFT_LEAD_BUDGET_PPM	10000U		/* of the CPU, by default */
#define HFT_LEAD_PPM		1000000U

/* Between two looks at the lead: as much time, and as many wake-ups. */
#define HFT_LEAD_LOOK_NS	(128ULL << 20)
#define HFT_LEAD_LOOK		32U

/* Beyond these, what is spun is counted with the same arithmetic as nearly that. */
#define HFT_LEAD_MOST_US	(16ULL << 30)
#define HFT_LEAD_MOST		(16U << 20)

/**
 * struct hft_lead - what is known of the wake-ups of a ring's worker
 * @wakeups: recorded
 * @changes: times the lead was changed
 * @looked: CLOCK_MONOTONIC of the last look; 0: there was no dispatch yet
 * @span_us: time of @dispatches; each look adds to both, and halves them
 * @dispatches: for which the worker may spin
 * @recent: those since the last look
 * @budget_ppm: what it may spin in all, parts per million of its CPU
 * @fresh: wake-ups since the last look
 * @weight: sum of @bucket
 * @left: wake-ups until the counts are halved
 * @own_timer: the worker sleeps until a task is due, and reports by how much it overslept
 * @bucket: weight of the wake-ups of each length
 */
struct hft_lead {
	u64 wakeups;
	u64 changes;
	u64 looked;
	u64 span_us;
	u32 dispatches;
	u32 budget_ppm;
	u32 fresh;
	u32 weight;
	u32 left;
	u32 recent;
	u32 own_timer;
	u16 bucket[HFT_LEAD_BUCKETS];
};

static inline u64 hft_lead_low(u32 index)
{
	return hft_log_linear_low(index, HFT_LEAD_SUB_BITS);
}

static inline u64 hft_lead_high(u32 index)
{
	return hft_log_linear_high(index, HFT_LEAD_SUB_BITS);
}

static inline void hft_lead_decay(struct hft_lead *l)
{
	u32 i;

	l->weight = 0;
	for (i = 0; i < HFT_LEAD_BUCKETS; i++) {
		l->bucket[i] /= 2;
		l->weight += l->bucket[i];
	}
	l->left = HFT_LEAD_WINDOW;
}

/**
 * hft_lead_wakeup() - take a wake-up into account
 * @l: what is known
 * @ns: from when the worker was to be woken until it looked
 */
static inline void hft_lead_wakeup(struct hft_lead *l, u64 ns)
{
	if (ns >= 1ULL << HFT_LEAD_BITS)
		ns = (1ULL << HFT_LEAD_BITS) - 1;
	if (!l->left)
		hft_lead_decay(l);
	l->left--;
	l->wakeups++;
	l->fresh++;
	l->weight++;
	l->bucket[hft_log_linear_index(ns, HFT_LEAD_SUB_BITS)]++;
}

/**
 * hft_lead_dispatch() - a task was dispatched, and its worker may have spun for it
 * @l: what is known
 * @now: CLOCK_MONOTONIC, of the dispatch
 */
static inline void hft_lead_dispatch(struct hft_lead *l, u64 now)
{
	if (!l->looked)
		l->looked = now;
	else if (l->recent < HFT_LEAD_MOST)
		l->recent++;
}

/* What all the wake-ups in the histogram together may be short of the lead, ns. */
static inline u64 hft_lead_allowance(const struct hft_lead *l)
{
	const u64 most = (u64)HFT_MAX_LEAD << 8;
	u64 each = most;

	/* Of a dispatch, in 1/256 ns: below 2^62 before the division. */
	if (l->dispatches)
		each = (l->span_us * l->budget_ppm << 8) / 1000 / l->dispatches;
	return ((each < most ? each : most) * l->weight) >> 8;
}

/**
 * hft_lead_choose() - the lead with the fewest late starts that keeps to the budget
 * @l: what is known, with a wake-up
 *
 * Return: ns, at most %HFT_MAX_LEAD.
 */
static inline u64 hft_lead_choose(const struct hft_lead *l)
{
	u64 allowed = hft_lead_allowance(l), sum = 0, lead = 0, high, low;
	u32 i, nr = 0;

	for (i = 0; i < HFT_LEAD_BUCKETS; i++) {
		if (!l->bucket[i])
			continue;
		low = hft_lead_low(i);
		high = hft_lead_high(i);
		/* Shorter than every wake-up it costs nothing. */
		if (!nr)
			lead = low < HFT_MAX_LEAD ? low : HFT_MAX_LEAD;
		nr += l->bucket[i];
		sum += l->bucket[i] * low;
		if (high > HFT_MAX_LEAD || high * nr - sum > allowed)
			break;
		lead = high;
	}
	return lead;
}

/**
 * hft_lead_at() - what a lead would have cost and gained
 * @l: what is known
 * @lead: ns, at most %HFT_MAX_LEAD
 * @row: the answer; 0 both ways without a wake-up
 */
static inline void hft_lead_at(const struct hft_lead *l, u64 lead, struct hft_lead_row *row)
{
	u64 spun = 0, ppm, low;
	u32 i, late = 0;

	for (i = 0; i < HFT_LEAD_BUCKETS; i++) {
		low = hft_lead_low(i);
		if (low < lead)
			spun += l->bucket[i] * (lead - low);
		if (hft_lead_high(i) > lead)
			late += l->bucket[i];
	}
	*row = (struct hft_lead_row){ .lead = lead };
	if (!l->weight)
		return;
	row->late_ppm = (u32)((u64)late * HFT_LEAD_PPM / l->weight);
	if (!l->span_us)
		return;
	/* ns of a dispatch, in 1/256, times dispatches: below 2^52 */
	ppm = ((spun << 8) / l->weight) * l->dispatches;
	ppm = (ppm / l->span_us * 1000 + ppm % l->span_us * 1000 / l->span_us) >> 8;
	row->cpu_ppm = ppm < U32_MAX ? (u32)ppm : U32_MAX;
}

/**
 * hft_lead_within() - the longest lead that keeps to the budget
 * @l: what is known
 * @lead: no longer than this, ns
 *
 * Return: ns; @lead itself as long as there was no wake-up.
 */
static inline u64 hft_lead_within(const struct hft_lead *l, u64 lead)
{
	u64 allowed = hft_lead_allowance(l), sum = 0, most;
	u32 i, nr = 0;

	for (i = 0; i < HFT_LEAD_BUCKETS && hft_lead_low(i) < lead; i++) {
		/* With those so far, up to where the next begin to cost. */
		if (nr && hft_lead_low(i) * nr - sum > allowed)
			break;
		nr += l->bucket[i];
		sum += l->bucket[i] * hft_lead_low(i);
	}
	if (!nr)
		return lead;
	most = (allowed + sum) / nr;
	return lead < most ? lead : most;
}

/**
 * hft_lead_rows() - the trade: what each lead that differs would cost and gain
 * @l: what is known
 * @rows: the answer, from the shortest lead up
 * @nr: room for so many
 *
 * Return: how many there are.
 */
static inline u32 hft_lead_rows(const struct hft_lead *l, struct hft_lead_row *rows, u32 nr)
{
	u32 i, n = 0;

	for (i = 0; i < HFT_LEAD_BUCKETS && n < nr; i++) {
		if (l->bucket[i] && hft_lead_high(i) <= HFT_MAX_LEAD)
			hft_lead_at(l, hft_lead_high(i), &rows[n++]);
	}
	return n;
}

/* Is @wanted another lead than @lead, and not just about the same? */
static inline bool hft_lead_differs(const struct hft_lead *l, u64 lead, u64 wanted)
{
	struct hft_lead_row row;

	if (wanted > lead)
		return wanted - lead > lead / 8;
	if (lead - wanted > lead / 4)
		return true;
	hft_lead_at(l, lead, &row);
	return lead != wanted && row.cpu_ppm > l->budget_ppm;
}

/**
 * hft_lead_look() - is it time for another lead?
 * @l: what is known
 * @lead: that the ring has, ns
 * @now: CLOCK_MONOTONIC, of a dispatch
 *
 * It is when the one that would be chosen is longer by an eighth or shorter by a quarter,
 * or when the present one costs more than the budget.
 *
 * Return: the lead that it is to have.
 */
static inline u64 hft_lead_look(struct hft_lead *l, u64 lead, u64 now)
{
	u64 span = now - l->looked, wanted;

	if (l->fresh < HFT_LEAD_LOOK || (s64)span < (s64)HFT_LEAD_LOOK_NS)
		return lead;
	span = l->span_us + span / 1000;
	l->span_us = span < HFT_LEAD_MOST_US ? span : HFT_LEAD_MOST_US;
	l->dispatches += l->recent;
	wanted = hft_lead_choose(l);
	if (hft_lead_differs(l, lead, wanted)) {
		lead = wanted;
		l->changes++;
	}
	l->looked = now;
	l->fresh = 0;
	l->recent = 0;
	l->span_us /= 2;
	l->dispatches /= 2;
	return lead;
}

#endif /* HFT_CORE_LEAD_H */
