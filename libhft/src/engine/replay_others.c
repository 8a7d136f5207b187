// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: the kill switch, which the handle has, its rules and deadlines, and
 * whoever halts all handles.
 *
 * Of the others is known what each ring is held to, as the page of the ring says; what of that
 * the machine does itself, it does when it is to.
 */
#include "replay.h"

/* What is held back stays so by the records of each ring; what is cancelled is not in them. */
static int halt_all(struct replay *r, enum hft_halt_mode mode)
{
	enum hft_halt_mode own = (enum hft_halt_mode)r->sim->halt;
	int err;

	if (mode != HFT_HALT_CANCEL)
		return 0;
	err = hft_halt(r->h, mode, 0, NULL);
	return err ? err : hft_halt(r->h, own, 0, NULL);
}

int hft_replay_halt(struct replay *r, const uint64_t *words, size_t index)
{
	enum hft_halt_mode mode = (enum hft_halt_mode)words[2];

	if (words[2] > HFT_HALT_CANCEL || words[3] & ~(uint64_t)HFT_HALT_GLOBAL)
		return hft_replay_malformed(r, index, "a halt of a mode that there is not");
	r->resumed = words[1];
	return words[3] & HFT_HALT_GLOBAL ? halt_all(r, mode) : hft_halt(r->h, mode, 0, NULL);
}

/* Does a record say that a task is there after the one of number @index? */
static bool is_there(const struct replay *r, const struct replay_task *task, size_t index)
{
	return task->named > index ||
	       (task->events && r->recording.records[task->last].words[0] >= r->sim->now);
}

/* Is there a task of a ring that is not dispatched yet, later on? */
static bool goes_on(struct replay *r, const struct hft_sim_ring *made, size_t index)
{
	const struct replay_task *task;
	const struct hft_slot *slot;

	for (task = r->tasks; task < r->tasks + r->nr_tasks; task++) {
		if (!is_there(r, task, index))
			continue;
		slot = hft_sim_find(r->sim, task->sim_id);
		if (slot && slot->ready == &made->ready && slot->state != HFT_SLOT_DISPATCHED)
			return true;
	}
	return false;
}

/* Does the machine hold a ring to as much itself, or may a rule of it be about to? */
static bool is_own(const struct replay *r, const struct hft_sim_ring *made, uint64_t mode)
{
	uint32_t flags = made->ready.producer->flags;
	bool halted = flags & HFT_RING_HALTED;

	return halted || (flags & HFT_RING_REDUCE && mode == HFT_HALT_REDUCE) ||
	       hft_replay_halt_nears(r);
}

/*
 * A task was dispatched that others hold back: between two looks its ring was let go and held
 * again.  Returns what it is to be held to afterwards.
 */
enum hft_halt_mode hft_replay_let_go(struct replay *r, struct hft_sim_ring *made,
				     const struct hft_slot *slot)
{
	enum hft_halt_mode mode = (enum hft_halt_mode)made->held;

	if (mode == HFT_HALT_NONE ||
	    (mode == HFT_HALT_REDUCE && slot->flags & HFT_TASK_REDUCE))
		return HFT_HALT_NONE;
	r->result.late++;
	r->resumed = r->sim->now;
	hft_sim_hold_ring(made, HFT_HALT_NONE);
	return mode;
}

/* Nobody tells that tasks were cancelled: if none of them goes on, they may have been. */
int hft_replay_hold(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	struct hft_sim_ring *made;

	if (words[3] > HFT_HALT_ALL)
		return hft_replay_malformed(r, index, "a halt of a mode that there is not");
	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	made = ring->ring->state;
	if (words[3] < made->held && r->resumed < words[1])
		r->resumed = words[1];
	hft_sim_hold_ring(made, HFT_HALT_NONE);
	if (!words[3] || is_own(r, made, words[3]))
		return 0;
	hft_sim_hold_ring(made, (enum hft_halt_mode)words[3]);
	if (words[3] == HFT_HALT_ALL && !goes_on(r, made, index))
		hft_sim_cancel_tasks(made);
	return 0;
}
