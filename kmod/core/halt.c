// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * What a ring may be given: what its context and all are halted to, and else what rules hold
 * it to, which lets hard tasks run.
 */
#include "sched.h"

/**
 * hft_sched_hold() - say what a ring may be given
 * @ready: the ring's
 * @rank: hft_sched_rank()
 *
 * When the lock is let go, nothing else is written any more.  For less than there was make
 * the keys of all ready tasks by hft_ready_update() before.
 */
void hft_sched_hold(struct hft_ready_queue *ready, u32 rank)
{
	u32 flags = ready->producer->flags & ~(HFT_RING_REDUCE | HFT_RING_HALTED);
	bool by_rules = rank && rank <= HFT_HALT_ALL;
	u32 mode = by_rules ? rank : rank ? rank - HFT_HALT_ALL : HFT_HALT_NONE;

	if (mode)
		flags |= mode == HFT_HALT_REDUCE ? HFT_RING_REDUCE : HFT_RING_HALTED;
	ready->halt_keep = mode == HFT_HALT_REDUCE ? HFT_TASK_REDUCE : 0;
	if (by_rules)
		ready->halt_keep |= HFT_TASK_WATCH | HFT_SLOT_ADMITTED;
	WRITE_ONCE(ready->halt_rank, rank);
	WRITE_ONCE(ready->halt, by_rules ? HFT_HALT_REDUCE : mode);
	WRITE_ONCE(ready->producer->flags, flags);
	hft_ready_set_more(ready);
}

/**
 * hft_sched_halt() - as hft_sched_hold(), without rules
 * @ready: the ring's
 * @mode: &enum hft_halt_mode
 */
void hft_sched_halt(struct hft_ready_queue *ready, enum hft_halt_mode mode)
{
	hft_sched_hold(ready, hft_sched_rank(mode, HFT_HALT_NONE));
}
