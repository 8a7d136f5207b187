/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * The order of released tasks.  A policy is a function to a key and nothing
 * more: the ready heap sorts by the key, and by submission where keys are equal.
 */
#ifndef HFT_CORE_POLICY_H
#define HFT_CORE_POLICY_H

#include <linux/hft.h>

#include "types.h"

/* The level is above the policy's own key: 3 bits and 61. */
#define HFT_POLICY_KEY_BITS	61
#define HFT_POLICY_KEY_MAX	((1ULL << HFT_POLICY_KEY_BITS) - 1)

/* Behind every level: of tasks that may not be dispatched now. */
#define HFT_POLICY_HALTED	((u64)HFT_LEVELS << HFT_POLICY_KEY_BITS)

/* A time as a key, the last if there is none: 0, which wraps around. */
static inline u64 hft_policy_time(u64 time)
{
	return time - 1 < HFT_POLICY_KEY_MAX ? time : HFT_POLICY_KEY_MAX;
}

/**
 * hft_policy_key() - the key of a released task; the smallest goes first
 * @policy: &enum hft_policy of the ring
 * @level: &enum hft_level of the task
 * @seq: the task's place in the order of submission
 * @deadline: the task's deadline, ns; 0: none
 * @window: with RM, from its release to its deadline or next release, ns; 0: unbounded;
 *	with FAIR, hft_fair_place()
 * @wcet: its worst-case execution time, ns
 *
 * Times and sequence numbers saturate at 61 bits, which is 73 years of
 * nanoseconds.  U64_MAX is no task's key.
 *
 * RM by the window rather than the period is deadline monotonic where deadlines
 * are early (Leung and Whitehead 1982), which the hyperbolic bound of admission.h
 * relies on.  LLF by a key that does not move: Mok 1983, and laxity at a common
 * instant differs by just deadline - wcet.
 */
static inline u64 hft_policy_key(u32 policy, u32 level, u64 seq, u64 deadline, u64 window,
				 u64 wcet)
{
	u64 key = seq;

	switch (policy) {
	case HFT_POLICY_EDF:
		key = hft_policy_time(deadline);
		break;
	case HFT_POLICY_RM:
		key = hft_policy_time(window);
		break;
	case HFT_POLICY_FAIR:
		key = window;
		break;
	case HFT_POLICY_LLF:
		key = HFT_POLICY_KEY_MAX;
		if (deadline)
			key = deadline > wcet ? deadline - wcet : 0;
		break;
	}
	if (key > HFT_POLICY_KEY_MAX)
		key = HFT_POLICY_KEY_MAX;
	return (u64)(HFT_LEVEL_REALTIME - level) << HFT_POLICY_KEY_BITS | key;
}

#endif /* HFT_CORE_POLICY_H */
