/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* futex(2), of words of this process, and in the time of a simulated machine. */
#ifndef HFT_FUTEX_H
#define HFT_FUTEX_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/sim_thread.h"

static inline bool hft_futex_is_simulated(void)
{
	return hft_sim_current && hft_sim_has_threads(hft_sim_current);
}

/*
 * Sleep until @until, CLOCK_MONOTONIC ns, or for ever if that is more than the kernel's
 * clocks can show.  Returns 0, which need not mean anything, or a positive errno.
 */
static inline int hft_futex_sleep(_Atomic uint32_t *word, uint32_t value, uint64_t until)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(until / 1000000000),
		.tv_nsec = (long)(until % 1000000000),
	};
	bool forever = until > INT64_MAX;

	return syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, forever ? NULL : &ts,
		       NULL, FUTEX_BITSET_MATCH_ANY) ? errno : 0;
}

/* As hft_futex_sleep(), in the caller's time. */
static inline int hft_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t until)
{
	if (hft_futex_is_simulated())
		return hft_sim_futex_wait(hft_sim_current, word, value, until);
	return hft_futex_sleep(word, value, until);
}

/* Whoever sleeps: who uses a machine may wake threads that do not. */
static inline void hft_futex_wake(_Atomic uint32_t *word, int nr)
{
	if (hft_futex_is_simulated())
		nr -= hft_sim_futex_wake(hft_sim_current, word, nr);
	if (nr)
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

#endif /* HFT_FUTEX_H */
