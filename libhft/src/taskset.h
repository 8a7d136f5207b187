/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random task sets, repeatable. */
#ifndef HFT_TASKSET_H
#define HFT_TASKSET_H

#include <math.h>
#include <stdint.h>

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

#endif /* HFT_TASKSET_H */
