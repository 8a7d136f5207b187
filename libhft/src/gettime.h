/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_GETTIME_H
#define HFT_GETTIME_H

#include <stdint.h>
#include <time.h>

/* A clock of the kernel, ns; 0: it can not be read. */
static inline uint64_t hft_gettime(clockid_t clock)
{
	struct timespec now = {};

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif /* HFT_GETTIME_H */
