/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random task sets, repeatable. */
#ifndef HFT_TASKSET_H
#define HFT_TASKSET_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <hft/analyze.h>

#include "random.h"

/* In [0, 1) */
static inline double random_unit(uint64_t *state)
{
	return (double)(random_u64(state) >> 11) / (double)(1ULL << 53);
}

/*
 * UUniFast: @nr utilisations that are uniformly distributed over all whose sum is @sum.
 * E. Bini and G. Buttazzo, "Measuring the Performance of Schedulability Tests",
 * Real-Time Systems 30, 2005, section 3.
 */
static inline void random_utilisations(uint64_t *state, uint32_t nr, double sum, double *u)
{
	double rest;
	uint32_t i;

	for (i = 0; i + 1 < nr; i++) {
		rest = sum * pow(random_unit(state), 1.0 / (nr - i - 1));
		u[i] = sum - rest;
		sum = rest;
	}
	u[nr - 1] = sum;
}

#define TASKSET_MOST		64		/* tasks of a set */
#define TASKSET_HYPERPERIOD	3600000		/* ns: all periods are parts of it */

/*
 * A set of @nr tasks with the sum @sum of utilisations, or as little less as whole
 * nanoseconds make it.  Deadlines are the periods, or, @constrained, anywhere from the
 * wcet to the period.
 */
static inline void random_taskset(uint64_t *state, struct hft_analyze_task *task, uint32_t nr,
				  double sum, bool constrained)
{
	static const uint32_t parts[] = { 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 18, 20, 24, 30, 36 };
	double u[TASKSET_MOST];
	uint32_t i, part;

	random_utilisations(state, nr, sum, u);
	for (i = 0; i < nr; i++) {
		part = parts[random_below(state, sizeof(parts) / sizeof(parts[0]))];
		task[i].period = TASKSET_HYPERPERIOD / part;
		task[i].wcet = (uint64_t)(u[i] * (double)task[i].period);
		if (!task[i].wcet)
			task[i].wcet = 1;
		if (task[i].wcet > task[i].period)
			task[i].wcet = task[i].period;
		task[i].deadline = task[i].period;
		if (constrained)
			task[i].deadline -= (uint64_t)(random_unit(state) *
						       (double)(task[i].period - task[i].wcet));
	}
}

#endif /* HFT_TASKSET_H */
