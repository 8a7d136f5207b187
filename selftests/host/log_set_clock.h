/* SPDX-License-Identifier: GPL-2.0-only */
/* A clock from the next record on; where the host is busy, what is before that is hashed later. */
#ifndef HOST_LOG_SET_CLOCK_H
#define HOST_LOG_SET_CLOCK_H

#include <errno.h>
#include <unistd.h>

#include "log/store.h"

static inline void set_clock(struct hft_log_store *store, const struct hft_log_store_clock *clock)
{
	unsigned int tries = 60000;
	int err;

	while ((err = hft_log_store_clock(store, clock)) == -EAGAIN && tries--)
		usleep(1000);
	assert_int_equal(err, 0);
}

#endif /* HOST_LOG_SET_CLOCK_H */
