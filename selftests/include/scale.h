/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCALE_H
#define SCALE_H

#include <stdint.h>
#include <stdlib.h>

/* How much of a stress test to do: @n, times HFT_TEST_SCALE. */
static inline uint64_t hft_test_scaled(uint64_t n)
{
	const char *scale = getenv("HFT_TEST_SCALE");
	double value = (double)n * (scale ? strtod(scale, NULL) : 1.0);

	return value >= 1 ? (uint64_t)value : 1;
}

#endif /* SCALE_H */
