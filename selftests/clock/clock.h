/* SPDX-License-Identifier: GPL-2.0-only */
/* A wall clock that is stepped, and put back. */
#ifndef CLOCK_H
#define CLOCK_H

#include "hft_test.h"

/* Move CLOCK_REALTIME, and CLOCK_TAI with it; @stepped sums up by how much. */
static inline int step(int64_t *stepped, int64_t by)
{
	uint64_t to = hft_test_now_on(CLOCK_REALTIME) + by;
	struct timespec ts = { to / NSEC_PER_SEC, to % NSEC_PER_SEC };

	if (clock_settime(CLOCK_REALTIME, &ts))
		return -errno;
	*stepped += by;
	return 0;
}

#endif /* CLOCK_H */
