/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * Admission of tasks to a CPU, in fixed point with 20 bits of fraction, as in
 * the kernel's own deadline class.
 *
 * EDF meets every deadline while the sum of the densities is at most 1 (Liu and
 * Layland 1973, section 7; for deadlines before the period Liu 2000, theorem
 * 6.2).  Rate-monotonic priorities do while the product of all (U_i + 1) is at
 * most 2 (Bini, Buttazzo and Buttazzo 2003), where U_i is the density
 * too and priorities are in the order of hft_admission_window(): a task counts as
 * one whose period is its window, so the bound does not hold for an order by
 * period where a deadline is before the period.  Both are sufficient for
 * preemptive tasks and refuse some sets that an exact analysis takes.
 *
 * The product is kept as the sum of the logarithms, so that both figures of a CPU
 * are sums of integers: a task takes out to the last bit what it put in, in any
 * order, and nothing drifts.  A running product would have to be divided, which
 * rounds, or be made anew from all tasks.
 *
 * Whatever is rounded is rounded against the task.  One counts by less than 2^-20
 * too much, or as 2^-20 if it is smaller.
 *
 * The caller has the lock.  Tasks are at most 2^32 at a time.
 */
#ifndef HFT_CORE_ADMISSION_H
#define HFT_CORE_ADMISSION_H

#include "types.h"

#define HFT_ADMISSION_SHIFT	20
#define HFT_ADMISSION_ONE	(1U << HFT_ADMISSION_SHIFT)
#define HFT_ADMISSION_PPM	1000000U
#define HFT_ADMISSION_CAP_PPM	950000U		/* default */

/* Base-2 logarithms have 24 bits of fraction: finer than what they are made of. */
#define HFT_ADMISSION_LOG_SHIFT	24
#define HFT_ADMISSION_LOG_ONE	(1U << HFT_ADMISSION_LOG_SHIFT)

/* No task with this fits anywhere: more than the whole CPU. */
#define HFT_ADMISSION_NEVER	U32_MAX

/**
 * struct hft_admission_demand - what a task asks for; kept with the task
 * @density: wcet / window, 20 bits of fraction, rounded up
 * @log: log2(1 + density), 24 bits of fraction, rounded up
 */
struct hft_admission_demand {
	u32 density;
	u32 log;
};

/**
 * struct hft_admission - what the tasks of a CPU ask for; zero is none
 * @density: sum of the tasks'
 * @log: sum of the tasks'
 *
 * Never below zero but in a replay, which takes all that was recorded and sets this to zero before
 * each record: tasks that are not in it may end then, and what comes in their place fits.
 */
struct hft_admission {
	s64 density;
	s64 log;
};

/**
 * hft_admission_cap() - the cap in fixed point
 * @ppm: parts per million of the CPU; above 1000000 is as 1000000
 *
 * Rounded up, so that a task of just that much fits.
 */
static inline u32 hft_admission_cap(u32 ppm)
{
	if (ppm > HFT_ADMISSION_PPM)
		ppm = HFT_ADMISSION_PPM;
	return (u32)((((u64)ppm << HFT_ADMISSION_SHIFT) + HFT_ADMISSION_PPM - 1) /
		     HFT_ADMISSION_PPM);
}

/**
 * hft_admission_to_ppm() - parts per million of a sum of densities
 * @density: 20 bits of fraction
 *
 * Rounded up, to be told to the user.  Saturates at U32_MAX.
 */
static inline u32 hft_admission_to_ppm(u64 density)
{
	u64 ppm;

	if (density > U32_MAX)
		return U32_MAX;
	ppm = (density * HFT_ADMISSION_PPM + HFT_ADMISSION_ONE - 1) >> HFT_ADMISSION_SHIFT;
	return ppm < U32_MAX ? (u32)ppm : U32_MAX;
}

/**
 * hft_admission_window() - the time in which a job's work has to be done
 * @deadline: after the release, ns; 0: none
 * @period: least time between releases, ns; 0: none
 *
 * The smaller; 0 when there is none: such a task is promised nothing.
 */
static inline u64 hft_admission_window(u64 deadline, u64 period)
{
	if (!deadline || (period && period < deadline))
		return period;
	return deadline;
}

/**
 * hft_admission_ratio() - wcet / window, rounded up
 * @wcet: ns
 * @window: ns, not 0
 *
 * Returns the ratio with 20 bits of fraction, %HFT_ADMISSION_NEVER when it is
 * more than 1.
 */
static inline u32 hft_admission_ratio(u64 wcet, u64 window)
{
	const u32 spare = HFT_ADMISSION_SHIFT + 1;

	if (unlikely(wcet > window))
		return HFT_ADMISSION_NEVER;
	/* Five hours and more: 23 significant bits are left, so it is still below 2^-20. */
	if (unlikely(wcet >> (64 - HFT_ADMISSION_SHIFT))) {
		wcet = (wcet >> spare) + 1;
		window >>= spare;
		if (wcet > window)
			return HFT_ADMISSION_ONE;
	}
	wcet <<= HFT_ADMISSION_SHIFT;
	return (u32)(wcet / window) + !!(wcet % window);
}

/**
 * hft_admission_log() - log2(1 + ratio), rounded up
 * @ratio: 20 bits of fraction
 *
 * Bit by bit: squaring doubles the logarithm, and the next bit says whether the
 * square has reached 2.  Returns %HFT_ADMISSION_NEVER for a ratio above 1.
 */
static inline u32 hft_admission_log(u32 ratio)
{
	const u64 one = 1ULL << 31;
	u64 x = (u64)(HFT_ADMISSION_ONE + (u64)ratio) << (31 - HFT_ADMISSION_SHIFT);
	u32 log = 0;
	u32 i;

	if (!ratio)
		return 0;
	if (ratio >= HFT_ADMISSION_ONE)
		return ratio == HFT_ADMISSION_ONE ? HFT_ADMISSION_LOG_ONE : HFT_ADMISSION_NEVER;
	for (i = 0; i < HFT_ADMISSION_LOG_SHIFT; i++) {
		x = (x * x + one - 1) >> 31;
		log <<= 1;
		if (x >= 2 * one) {
			x = (x + 1) >> 1;
			log++;
		}
	}
	return log + 1;
}

/**
 * hft_admission_demand() - what a task asks for
 * @wcet: ns; 0: not declared, which asks for nothing
 * @deadline: after the release, ns; 0: none
 * @period: least time between releases, ns; 0: none
 */
static inline struct hft_admission_demand hft_admission_demand(u64 wcet, u64 deadline, u64 period)
{
	struct hft_admission_demand demand = { 0 };
	u64 window = hft_admission_window(deadline, period);

	if (!wcet || !window)
		return demand;
	demand.density = hft_admission_ratio(wcet, window);
	demand.log = hft_admission_log(demand.density);
	return demand;
}

/**
 * hft_admission_fits_edf() - does EDF meet all deadlines with one task more?
 * @a: what the CPU has
 * @demand: the task's
 * @cap: hft_admission_cap()
 */
static inline bool hft_admission_fits_edf(const struct hft_admission *a,
					  const struct hft_admission_demand *demand, u32 cap)
{
	return a->density + demand->density <= cap;
}

/**
 * hft_admission_fits_rm() - do rate-monotonic priorities with one task more?
 * @a: what the CPU has
 * @demand: the task's
 * @cap: hft_admission_cap(); of the sum of the densities
 */
static inline bool hft_admission_fits_rm(const struct hft_admission *a,
					 const struct hft_admission_demand *demand, u32 cap)
{
	return hft_admission_fits_edf(a, demand, cap) &&
	       a->log + demand->log <= HFT_ADMISSION_LOG_ONE;
}

/**
 * hft_admission_add() - a task is admitted
 * @a: the CPU's
 * @demand: the task's; with hft_admission_remove() later the same
 */
static inline void hft_admission_add(struct hft_admission *a,
				     const struct hft_admission_demand *demand)
{
	a->density += demand->density;
	a->log += demand->log;
}

/**
 * hft_admission_remove() - a task has ended
 * @a: the CPU's
 * @demand: what was added for it
 *
 * The bounds hold when that is not before the deadline of the task's last job:
 * the time it has used up by then is not there for another task's.
 */
static inline void hft_admission_remove(struct hft_admission *a,
					const struct hft_admission_demand *demand)
{
	a->density -= demand->density;
	a->log -= demand->log;
}

#endif /* HFT_CORE_ADMISSION_H */
