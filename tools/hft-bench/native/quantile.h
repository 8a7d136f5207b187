/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of samples, which it sorts. */
#ifndef HFT_BENCH_QUANTILE_H
#define HFT_BENCH_QUANTILE_H

#include <stdlib.h>

static inline int compare_samples(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double quantile(double *values, size_t nr, double q)
{
	qsort(values, nr, sizeof(*values), compare_samples);
	return values[(size_t)((double)(nr - 1) * q)];
}

static inline double median(double *values, size_t nr)
{
	return quantile(values, nr, 0.5);
}

#endif /* HFT_BENCH_QUANTILE_H */
