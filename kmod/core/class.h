/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * What a ring knows of a class of its tasks from the reports of its worker, and
 * what place HFT_POLICY_FAIR gives it.
 *
 * FAIR is a multi-level feedback queue: F. J. Corbato et al., "An Experimental
 * Time-Sharing System", AFIPS 1962; the rules as in R. and A. Arpaci-Dusseau,
 * "Operating Systems: Three Easy Pieces", chapter 8.  A class begins on the top
 * step, and goes one down when it has used up the quantum of its step, which
 * doubles with each.  Each epoch all classes begin anew.
 *
 * The boost of what waits needs neither a timer nor new keys: the place of a task is
 * the epoch of its release plus its class's step.  So a task that waits on step n
 * is level with those that come n epochs later to the top, and before all later
 * ones: it waits for HFT_FAIR_STEPS epochs at most.
 */
#ifndef HFT_CORE_CLASS_H
#define HFT_CORE_CLASS_H

#include <linux/hft.h>

#include "types.h"
#include "wcet.h"

#define HFT_FAIR_STEPS		8
#define HFT_FAIR_EPOCH_SHIFT	24		/* 2^24 ns, 16.8 ms */
#define HFT_FAIR_QUANTUM	100000U		/* ns on the top step, by default */

/**
 * struct hft_class - a class of tasks of a ring
 * @wcet: estimate of the execution time
 * @busy: execution time in all, ns
 * @failed: runs that ended with an error
 * @over_budget: runs that took longer than their task's WCET
 * @epoch: in which @used and @step are
 * @used: execution time on @step
 * @step: 0 is the top
 */
struct hft_class {
	struct hft_wcet wcet;
	u64 busy;
	u64 failed;
	u64 over_budget;
	u64 epoch;
	u64 used;
	u32 step;
};

/**
 * hft_fair_step() - the step that a class is on
 * @c: class
 * @now: CLOCK_MONOTONIC
 */
static inline u32 hft_fair_step(const struct hft_class *c, u64 now)
{
	return now >> HFT_FAIR_EPOCH_SHIFT == c->epoch ? c->step : 0;
}

/**
 * hft_fair_place() - a task's place among others of its level; the smallest goes first
 * @c: its class
 * @release: CLOCK_MONOTONIC
 */
static inline u64 hft_fair_place(const struct hft_class *c, u64 release)
{
	return (release >> HFT_FAIR_EPOCH_SHIFT) + hft_fair_step(c, release);
}

/**
 * hft_fair_use() - a task of a class has run
 * @c: class
 * @quantum: of the top step, ns, at least 1
 * @now: CLOCK_MONOTONIC, of the run
 * @ran: ns
 */
static inline void hft_fair_use(struct hft_class *c, u32 quantum, u64 now, u64 ran)
{
	u64 epoch = now >> HFT_FAIR_EPOCH_SHIFT;

	if (epoch != c->epoch) {
		c->epoch = epoch;
		c->used = 0;
		c->step = 0;
	}
	c->used += ran;
	while (c->step < HFT_FAIR_STEPS - 1 && c->used >= (u64)quantum << c->step) {
		c->used -= (u64)quantum << c->step;
		c->step++;
	}
}

#endif /* HFT_CORE_CLASS_H */
