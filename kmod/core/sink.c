// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later
/*
 * Rings whose tasks are handed to a sink, a device's driver, at their dispatch, and whose
 * events are written when the sink is done with them.
 *
 * All tasks of such a ring are tracked.  A task that the sink has is in no heap: its place
 * in the ring is kept, so that its event can be written at once.  If the consumer's head
 * makes no sense by then the task is in a list until it does.
 */
#include "sched.h"
#include "trace.h"

/* It is not for the sink: it ends, or is too late to start. */
static bool hft_sink_passes(const struct hft_ready_queue *ready, const struct hft_slot *slot,
			    u64 now)
{
	if (slot->flags & HFT_SLOT_ABORTED)
		return true;
	/* Held as its CPU went offline.  As the sink did, it ends with that. */
	if (slot->flags & HFT_SLOT_ENDED)
		return !ready->gone;
	if (slot->item.seq < ready->release->ended)
		return true;
	return slot->flags & HFT_TASK_DROP && slot->deadline && now > slot->deadline;
}

/* Write the event of a task that the sink has had, or will not have. */
static void hft_sink_write(struct hft_slot *slot, enum hft_event_type type, s32 result, u64 entry,
			   u64 published)
{
	struct hft_ready_queue *ready = slot->ready;
	struct hft_event *event = &ready->events[ready->sequence & ready->mask];

	/* Of a sink that is gone there is no next job. */
	if (result == -ENODEV)
		slot->flags |= HFT_SLOT_ABORTED;
	hft_ready_write(ready, slot, entry, published);
	ready->counters.ended += (result < 0) - (event->result < 0);
	event->type = type;
	event->result = result;
	if (result < 0)
		hft_slot_set_outcome(slot, HFT_STATE_FAILED);
}

/* Write up to @room events of tasks that are done.  Returns how many. */
static u32 hft_sink_write_done(struct hft_ready_queue *ready, u32 room, u64 published)
{
	u32 n;

	for (n = 0; n < room && ready->done; n++) {
		struct hft_slot *slot = &ready->pool->slots[ready->done - 1];
		u64 entry = slot->item.seq;

		ready->done = slot->next;
		ready->nr_sunk--;
		/* Not before hft_release_queue.ended: it was started. */
		slot->item.seq = ready->release->sequence++;
		hft_sink_write(slot, HFT_EVENT_SINK, (s32)slot->watch.link, entry, published);
	}
	return n;
}

/* Returns 0 when the sink has the task, 1 when its event was written, or -EBUSY. */
static int hft_sink_start(struct hft_slot *slot, u64 entry, u64 published)
{
	struct hft_ready_queue *ready = slot->ready;
	int err;

	if (hft_sink_passes(ready, slot, published)) {
		hft_ready_write(ready, slot, entry, published);
		return 1;
	}
	err = ready->gone ? -ENODEV : ready->hand(slot, entry);
	if (err == -EBUSY)
		return err;
	if (err) {
		hft_sink_write(slot, HFT_EVENT_TASK, err, entry, published);
		return 1;
	}
	slot->item.seq = entry;
	WRITE_ONCE(slot->state, HFT_SLOT_SUNK);
	ready->nr_sunk++;
	return 0;
}

/* Hand over what the ring has places for.  Returns how many events were written. */
static u32 hft_sink_hand(struct hft_ready_queue *ready, u32 budget, u32 room, u64 entry,
			 u64 published)
{
	struct hft_slot *slot;
	u32 n = 0;
	int ret;

	while (budget-- && room - n > ready->nr_sunk && (slot = hft_ready_take(ready))) {
		ret = hft_sink_start(slot, entry, published);
		if (ret < 0) {
			hft_ready_give_back(slot);
			break;
		}
		n += ret;
	}
	return n;
}

/* The consumer is to pull also if what is done has found no room. */
static void hft_sink_set_more(struct hft_ready_queue *ready)
{
	hft_ready_set_more(ready);
	if (ready->done)
		WRITE_ONCE(ready->producer->flags, ready->producer->flags | HFT_RING_MORE);
}

/**
 * hft_sink_fill() - as hft_ready_fill(), of a ring with a sink
 * @ready: the ring's
 * @budget: most tasks to hand over or to write, at least 1
 * @entry: CLOCK_MONOTONIC when the dispatch began
 * @published: CLOCK_MONOTONIC now
 *
 * Return: how many events were written.
 */
u32 hft_sink_fill(struct hft_ready_queue *ready, u32 budget, u64 entry, u64 published)
{
	u32 room = hft_ready_room_tracked(ready), n = 0;

	do {
		u32 written = hft_sink_write_done(ready, room, published);

		room -= written;
		if (room > ready->nr_sunk)
			written += hft_sink_hand(ready, budget, room, entry, published);
		if (written)
			hft_ready_publish(ready);
		n += written;
		hft_sink_set_more(ready);

		/* MORE before the head: a consumer that missed the one has moved the other. */
		smp_mb();
		room = hft_ready_room_tracked(ready);
	} while (ready->done && room && n < budget);
	return n;
}

/**
 * hft_sink_done() - the sink is done with a task
 * @slot: the task; its queue is locked
 * @result: of its event
 *
 * hft_sink_fill() next.
 */
void hft_sink_done(struct hft_slot *slot, s32 result)
{
	struct hft_ready_queue *ready = slot->ready;
	struct hft_slot *slots = ready->pool->slots;
	u32 place = slot - slots + 1;

	slot->watch.link = (u32)result;
	WRITE_ONCE(slot->next, 0);
	if (ready->done)
		WRITE_ONCE(slots[ready->last_done - 1].next, place);
	else
		ready->done = place;
	ready->last_done = place;
}
