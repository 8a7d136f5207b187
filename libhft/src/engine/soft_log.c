// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Releases of the backend soft in the log.  A call may wait for room, or make the thread's
 * ring: nobody else who needs the queue waits for that, too.
 */
#include "../log/sched.h"
#include "soft.h"

/* Under the lock.  A release that found the job before at work may have none of its own. */
void soft_log_release(struct soft_hold *hold, const struct hft_slot *slot)
{
	uint32_t nr = hold->nr_releases;

	if (slot->state != HFT_SLOT_READY && slot->state != HFT_SLOT_HELD)
		return;
	hold->nr_releases++;
	if (nr >= SOFT_RELEASES)
		return;
	hold->releases[nr] = (struct soft_release){
		.stamp = hft_log_sched_stamp(),
		.task = hft_slot_id(slot->ready->pool, slot),
		.cookie = slot->cookie,
		.release = slot->release,
		.deadline = slot->deadline,
		.level = slot->level,
		.ring = slot->ready->number,
	};
}

/* After it. */
void soft_log_releases(const struct soft_hold *hold)
{
	uint32_t i;

	for (i = 0; i < hold->nr_releases && i < SOFT_RELEASES; i++) {
		const struct soft_release *it = &hold->releases[i];
		const struct hft_event event = {
			.task = it->task,
			.cookie = it->cookie,
			.release = it->release,
			.deadline = it->deadline,
			.level = (uint8_t)it->level,
		};

		hft_log_sched_release(&event, it->ring, hold->queue->cpu, hold->now, it->stamp);
	}
	hft_log_sched_lose(hold->nr_releases - i);
}
