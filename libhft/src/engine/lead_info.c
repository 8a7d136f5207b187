// SPDX-License-Identifier: LGPL-2.1-or-later
/* The lead of a ring that is open: what it is, what another would cost, another. */
#include <errno.h>

#include "internal.h"

static int hft_lead_command(struct hft_ring *ring, struct hft_lead_info *info, const char *what)
{
	int err;

	info->ring = ring->number;
	err = ring->backend->command(ring->h, HFT_IOC_LEAD, info);
	return err ? hft_fail(-err, "%s of ring %u", what, ring->number) : 0;
}

/**
 * hft_lead_state() - what the lead of a ring is, and what is known of it
 * @ring: ring
 * @user: the answer; its sz is set
 *
 * Of a ring with %HFT_RING_LEAD, the backend learns from how long the worker takes from
 * the dispatch of a task that it has waited for until it looks, and keeps the shortest
 * lead with which, within hft_ring_opts.lead_budget_ppm, the fewest tasks start late:
 * kmod/core/lead.h.  A worker that is the caller's own takes part if it waits by
 * hft_wait() and calls hft_ring_begin().
 *
 * Enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL without a size or of a monitor ring, -E2BIG, -EOWNERDEAD.
 */
HFT_API int hft_lead_state(struct hft_ring *ring, struct hft_lead_state *user)
{
	struct hft_lead_info info = { 0 };
	struct hft_lead_state state;
	int err = hft_check_answer(user);

	if (!err)
		err = hft_lead_command(ring, &info, "the lead");
	if (err)
		return err;
	state = (struct hft_lead_state){
		.lead_ns = info.lead,
		.budget_ppm = info.budget_ppm,
		.late_ppm = info.late_ppm,
		.cpu_ppm = info.cpu_ppm,
		.wakeups = info.wakeups,
		.changes = info.changes,
	};
	hft_answer(user, &state, sizeof(state));
	return 0;
}

/**
 * hft_lead_table() - the trade: what each lead would cost and gain
 * @ring: ring with %HFT_RING_LEAD
 * @rows: the answer, from the shortest lead up: those that differ in how many starts
 *	are late
 * @nr: room for so many; of %HFT_LEAD_ROWS none is left out
 *
 * Of the wake-ups of the last minutes, at the present rate of dispatches.  Enters the
 * kernel.  Any thread.
 *
 * Return: how many there are, 0 before the first wake-up, or -EOPNOTSUPP the ring does not
 * learn its lead, -EINVAL of a monitor ring, -ENOMEM, -EOWNERDEAD.
 */
HFT_API int hft_lead_table(struct hft_ring *ring, struct hft_lead_row *rows, unsigned int nr)
{
	struct hft_lead_info info = {
		.rows = (uintptr_t)rows,
		.nr_rows = nr < HFT_LEAD_ROWS ? nr : HFT_LEAD_ROWS,
	};
	int err = hft_lead_command(ring, &info, "the leads");

	return err ? err : (int)info.nr_rows;
}

/**
 * hft_lead_set() - let tasks be queued with another lead
 * @ring: ring
 * @lead_ns: at most hft_query.max_lead
 *
 * For tasks that are submitted from now on, and the next jobs of periodic ones: what is
 * queued keeps the time at which it is dispatched.  A ring with %HFT_RING_LEAD goes on
 * learning from there.  Enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL out of range or of a monitor ring, -EOWNERDEAD.
 */
HFT_API int hft_lead_set(struct hft_ring *ring, uint64_t lead_ns)
{
	struct hft_lead_info info = { .fields = HFT_LEAD_LEAD, .lead = lead_ns };

	return hft_lead_command(ring, &info, "another lead");
}

/**
 * hft_lead_budget() - what a ring's worker may spin
 * @ring: ring with %HFT_RING_LEAD
 * @budget_ppm: 1 to 1000000 parts per million of its CPU
 *
 * The lead follows at the next look, after 134 ms and 32 wake-ups.  Enters the kernel.
 * Any thread.
 *
 * Return: 0, or -EINVAL out of range or of a monitor ring, -EOPNOTSUPP the ring does not
 * learn its lead, -EOWNERDEAD.
 */
HFT_API int hft_lead_budget(struct hft_ring *ring, uint32_t budget_ppm)
{
	struct hft_lead_info info = { .fields = HFT_LEAD_BUDGET, .budget_ppm = budget_ppm };

	return hft_lead_command(ring, &info, "the budget");
}
