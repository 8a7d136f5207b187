/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repeatable random numbers (splitmix64): a failed test fails again. */
#ifndef HFT_RANDOM_H
#define HFT_RANDOM_H

#include <stdint.h>

static inline uint64_t random_u64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_u64(state) >> 32) * limit >> 32);
}

#endif /* HFT_RANDOM_H */
