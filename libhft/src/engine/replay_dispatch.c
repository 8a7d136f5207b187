// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: dispatches.
 *
 * Where and when the kernel wrote an event is in the record; what the simulated rings are
 * kept from is to write at any other time: their windows are closed but for those moments.
 * Which task it is, out of those that are ready, is the scheduler's choice as ever, and
 * has to be the recorded one.  What would have been better then may not have been there
 * yet: its timer was late, or the thread that submitted it had not got as far.  That is
 * allowed up to a bound, and counted.
 */
#include <errno.h>
#include <inttypes.h>

#include "replay.h"

#define REPLAY_ASIDE		64

/* That a record of a dispatch or a notice is of */
struct hft_event hft_replay_event(const uint64_t *words)
{
	return (struct hft_event){
		.published = words[0],
		.task = words[2],
		.cookie = words[3],
		.release = words[4],
		.deadline = words[5],
		.irq_entry = words[6],
		.sequence = words[7],
		.result = (int32_t)words[8],
		.type = (uint16_t)words[9],
		.clock = (uint8_t)words[10],
		.level = (uint8_t)words[11],
	};
}

/* The first event that is another one: number @index of the record. */
static int differs(struct replay *r, size_t index, const struct hft_event *event,
		   const char *what)
{
	uint64_t ring = r->recording.records[index].words[1];
	struct hft_replay_difference *difference = &r->result.difference;

	difference->record = index;
	difference->time = event->published;
	difference->ring = (uint32_t)ring;
	if (difference->better.task)
		return hft_fail(EPROTO, "%s: record %zu: ring %" PRIu64 ", event %" PRIu64 " at %"
				PRIu64 " ns (task 0x%" PRIx64 ", cookie %" PRIu64
				"): task 0x%" PRIx64 " goes before it", r->recording.path, index,
				ring, (uint64_t)event->sequence, (uint64_t)event->published,
				(uint64_t)event->task, (uint64_t)event->cookie,
				difference->better.task);
	return hft_fail(EPROTO, "%s: record %zu: ring %" PRIu64 ", event %" PRIu64 " at %" PRIu64
			" ns (task 0x%" PRIx64 ", cookie %" PRIu64 "): %s", r->recording.path,
			index, ring, (uint64_t)event->sequence, (uint64_t)event->published,
			(uint64_t)event->task, (uint64_t)event->cookie, what);
}

static uint64_t key_of(const struct hft_heap *heap, const struct hft_slot *slot)
{
	uint32_t offset = slot->item.pos - (uint32_t)(uintptr_t)heap->node;

	return heap->node[offset / sizeof(*heap->node)].key;
}

/* When a task that waits for its release fires, by the lead that it was queued with. */
static uint64_t fire_of(const struct hft_slot *slot)
{
	const struct hft_release_queue *queue = slot->ready->release;

	return hft_release_to_monotonic(queue, slot->clock,
					key_of(&queue->timers[slot->clock].heap, slot));
}

/* For how long the scheduler could have known of a task that is ready. */
static uint64_t known_for(struct replay *r, const struct hft_slot *slot)
{
	const struct replay_task *task = &r->tasks[slot->cookie];
	uint64_t since = hft_replay_later(task->released, task->touched);

	since = hft_replay_later(since, hft_replay_later(r->resumed, hft_replay_rules_changed(r)));
	since = hft_replay_later(since, r->rings[slot->ready->number].ordered);
	since = hft_replay_later(since, hft_replay_moved(r, slot, task));
	return r->sim->now > since ? r->sim->now - since : 0;
}

/*
 * If there was no room, or the job before was at work, the consumer was done.  The kernel has
 * looked what is consumed just after what it took for the time of writing.
 */
static bool advance_early(struct replay *r, const struct hft_sim_ring *made)
{
	size_t i;

	for (i = r->at + 1; i < r->nr_actions; i++) {
		const struct hft_record *record = &r->recording.records[r->actions[i].index];
		struct replay_ring *ring;

		if (hft_replay_distance(r->actions[i].time, r->sim->now) > r->opts.late_ns &&
		    record->words[0] > r->sim->now)
			return false;
		if (record->kind != HFT_RECORD_ADVANCE || !r->actions[i].index)
			continue;
		ring = hft_replay_ring_at(r, record->words[2]);
		if (!ring || ring->ring->state != made)
			continue;
		r->result.late += record->words[0] > r->sim->now;
		if (!hft_replay_advance(r, record->words, r->actions[i].index))
			r->actions[i].index = 0;
		return true;
	}
	return false;
}

/*
 * FAIR goes by the runs that are known of when a task is released: of one that was late to
 * be, more than there are here.  Returns whether that makes its place another one.
 */
static bool demote(struct hft_slot *best)
{
	const struct hft_heap *heap = &best->ready->heap;
	uint64_t key = hft_heap_min_key(heap);

	if (best->ready->policy != HFT_POLICY_FAIR)
		return false;
	hft_ready_update(best);
	return hft_heap_min(heap) != &best->item || hft_heap_min_key(heap) != key;
}

/* What a ready task competes with, in terms of who has recorded it. */
static struct hft_replay_rival rival_of(struct replay *r, const struct hft_slot *slot)
{
	const uint64_t *words = r->recording.records[r->tasks[slot->cookie].record].words;
	uint64_t wcet = slot->flags & HFT_SLOT_MORE ? slot->wcet : 0;
	struct hft_replay_rival rival = {
		.task = words[2],
		.cookie = words[3],
		.release = slot->release,
		.deadline = slot->deadline,
		.key = key_of(&slot->ready->heap, slot),
		.submitted = slot->item.seq,
		.known_ns = known_for(r, slot),
		.level = slot->level,
	};

	if (slot->deadline)
		rival.laxity_ns = (int64_t)(slot->deadline - wcet - r->sim->now);
	return rival;
}

static void note_rivals(struct replay *r, const struct hft_slot *slot,
			const struct hft_slot *better)
{
	r->result.difference.policy = slot->ready->policy;
	r->result.difference.went = rival_of(r, slot);
	r->result.difference.better = rival_of(r, better);
}

/*
 * Have @slot be the best of its ring: what is better is set aside, if it may have been
 * late.  Returns how many there are, or -1.
 */
static int set_aside(struct replay *r, const struct hft_slot *slot, struct hft_slot **aside,
		     uint64_t *keys)
{
	struct hft_ready_queue *ready = slot->ready;
	int nr = 0;

	for (;;) {
		struct hft_slot *best = container_of(hft_heap_min(&ready->heap), struct hft_slot,
						     item);
		bool halted = ready->halt && !(best->flags & HFT_TASK_REDUCE);
		uint64_t known = halted ? 0 : known_for(r, best);

		if (best == slot)
			return nr;
		if (!halted && hft_replay_restore(r, best))
			continue;
		if (!halted && demote(best)) {
			r->result.late++;
			continue;
		}
		if (known > r->opts.late_ns || nr == REPLAY_ASIDE) {
			note_rivals(r, slot, best);
			while (nr--)
				hft_heap_push(&ready->heap, &aside[nr]->item, keys[nr]);
			return -1;
		}
		r->result.late += !halted;
		if (known > r->result.latest_ns)
			r->result.latest_ns = known;
		keys[nr] = hft_heap_min_key(&ready->heap);
		aside[nr++] = best;
		hft_heap_remove(&ready->heap, &best->item);
	}
}

/* Does the task that is the best of its ring run?  If not, a rule may have let go just then. */
static bool write_best(struct replay *r, struct hft_sim_ring *made, const uint64_t *words)
{
	uint64_t sequence = made->ready.sequence;
	uint32_t halts[HFT_MAX_RINGS] = { 0 };

	hft_sim_fill_at(made, words[6], words[0]);
	if (made->ready.sequence != sequence || r->sim->halt || !hft_replay_halt_turns(r))
		return made->ready.sequence != sequence;
	r->result.late++;
	hft_replay_swap_halts(r, halts);
	hft_sim_fill_at(made, words[6], words[0]);
	hft_replay_swap_halts(r, halts);
	return made->ready.sequence != sequence;
}

/* Write the best task of a ring, and no other. */
static const char *write_one(struct replay *r, struct hft_sim_ring *made, struct hft_slot *slot,
			     uint32_t window, const uint64_t *words)
{
	struct hft_slot *aside[REPLAY_ASIDE];
	uint64_t keys[REPLAY_ASIDE];
	int in_flight = hft_ready_in_flight(&made->ready);
	bool written;
	int nr;

	if (in_flight > 0 && (uint32_t)in_flight >= window) {
		advance_early(r, made);
		in_flight = hft_ready_in_flight(&made->ready);
	}
	if (in_flight < 0 || (uint32_t)in_flight >= window)
		return "its ring has no room for it";
	/* Jobs that were held back by what is consumed compete, too. */
	hft_job_retire(&made->ready, (u32)in_flight);
	nr = set_aside(r, slot, aside, keys);
	if (nr < 0)
		return "another task goes before it";
	made->ready.window = (uint32_t)in_flight + 1;
	written = write_best(r, made, words);
	made->ready.window = 0;
	while (nr--)
		hft_heap_push(&made->ready.heap, &aside[nr]->item, keys[nr]);
	return written ? NULL : "it may not be dispatched: a halt?";
}

static bool times_are_equal(const struct replay *r, uint64_t a, uint64_t b, uint8_t clock)
{
	if (clock == HFT_CLOCK_MONOTONIC)
		return a == b;
	return hft_replay_distance(a, b) <= r->opts.late_ns;
}

static const char *compare_events(const struct replay *r, const struct replay_task *task,
				  const struct hft_event *a, const struct hft_event *b)
{
	if (a->sequence != b->sequence)
		return "its number is another";
	if (b->cookie != (uint64_t)(task - r->tasks))
		return "it is another task that is dispatched";
	if (!times_are_equal(r, a->release, b->release, a->clock))
		return "its release is another";
	if (!times_are_equal(r, a->deadline, b->deadline, a->clock))
		return "its deadline is another";
	if (a->result != b->result)
		return "its result is another";
	return a->level == b->level ? NULL : "its level is another";
}

/* The job of a slot has the times of the recorded one. */
static void take_times(struct hft_slot *slot, const struct hft_event *recorded)
{
	struct hft_ready_queue *ready = slot->ready;
	bool waits = slot->state == HFT_SLOT_WAITING;
	uint64_t offset = waits ? ready->release->offset[slot->clock] : 0;

	slot->release = recorded->release + offset;
	slot->deadline = recorded->deadline ? recorded->deadline + offset : 0;
	if (slot->flags & HFT_SLOT_MORE) {
		slot->base = recorded->release + ready->release->offset[slot->clock];
		slot->skipped = recorded->result > 0 ? (u32)recorded->result : 0;
	}
	if (!waits) {
		hft_ready_update(slot);
		return;
	}
	hft_heap_remove(&ready->release->timers[slot->clock].heap, &slot->item);
	ready->waiting--;
	hft_release_add(ready, slot);
	hft_sim_commit(hft_sim_ring_of(ready)->cpu);
}

/* Has a job the release that was asked for at first, or at last?  It may have come too late. */
static bool is_as_asked(const struct replay *r, const struct replay_task *task,
			const struct hft_slot *slot, const struct hft_event *recorded)
{
	const struct hft_release_queue *queue = slot->ready->release;
	uint64_t first = r->recording.records[task->record].words[4];

	first = hft_release_to_monotonic(queue, slot->clock, first);
	return task->modified &&
	       (times_are_equal(r, first, recorded->release, slot->clock) ||
		times_are_equal(r, hft_release_to_monotonic(queue, slot->clock, task->asked),
				recorded->release, slot->clock));
}

/*
 * Which releases of a periodic task found the job before at work, and whether a change came
 * before the release, depends on how late a timer was and who consumes: it is as the record
 * has it, if nobody was later than allowed, and by whole periods.
 */
static void correct_job(struct replay *r, const struct replay_task *task, struct hft_slot *slot,
			const struct hft_event *recorded)
{
	bool waits = slot->state == HFT_SLOT_WAITING;
	uint64_t offset = waits ? slot->ready->release->offset[slot->clock] : 0;
	uint64_t distance = hft_replay_distance(slot->release - offset, recorded->release), rest;
	bool is_skipped;

	if (!waits && slot->state != HFT_SLOT_READY)
		return;
	if (distance > r->opts.late_ns && !is_as_asked(r, task, slot, recorded))
		return;
	is_skipped = slot->flags & HFT_TASK_PERIODIC && (int32_t)slot->skipped != recorded->result;
	if (slot->release - offset == recorded->release && !is_skipped)
		return;
	if (!task->modified && !(slot->flags & HFT_TASK_SPORADIC) &&
	    slot->clock == HFT_CLOCK_MONOTONIC) {
		if (!(slot->flags & HFT_TASK_PERIODIC))
			return;
		rest = distance % slot->period;
		if (rest && !times_are_equal(r, rest, slot->period, slot->clock))
			return;
	}
	/* What another clock said is in the event alone. */
	r->result.late += !times_are_equal(r, slot->release - offset, recorded->release,
					   slot->clock) || is_skipped;
	take_times(slot, recorded);
}

/* The ring that holds what a task has to wait for the end of, or NULL. */
static struct hft_sim_ring *held_by(struct replay *r, const struct replay_task *task)
{
	const struct hft_slot *slot = hft_sim_find(r->sim, task->sim_id);

	if (slot && slot->state == HFT_SLOT_BLOCKED && slot->flags & HFT_SLOT_AFTER)
		slot = hft_slot_find(&r->sim->pool, slot->base);
	return slot && slot->flags & HFT_SLOT_IN_FLIGHT ? hft_sim_ring_of(slot->ready) : NULL;
}

/* A task that is to be dispatched now waits for no end any more. */
static void await_consumer(struct replay *r, const struct replay_task *task)
{
	struct hft_sim_ring *ring;

	while ((ring = held_by(r, task))) {
		hft_sim_pull(ring);
		if (held_by(r, task) == ring && !advance_early(r, ring))
			return;
	}
}

/* A task that is to be dispatched now is ready, or at least nearly. */
static int await_ready(struct replay *r, const struct replay_task *task,
		       const struct hft_event *recorded, struct hft_slot **found)
{
	struct hft_slot *slot;
	uint64_t fire;
	int err = 0;

	await_consumer(r, task);
	slot = hft_sim_find(r->sim, task->sim_id);
	if (slot)
		hft_replay_restore(r, slot);
	if (slot)
		correct_job(r, task, slot, recorded);
	if (slot)
		hft_replay_end(r, slot, recorded);
	fire = slot && slot->state == HFT_SLOT_WAITING ? fire_of(slot) : UINT64_MAX;
	if (fire > r->sim->now + r->opts.late_ns && fire != UINT64_MAX &&
	    slot->clock != HFT_CLOCK_MONOTONIC && hft_replay_clock_early(r)) {
		correct_job(r, task, slot, recorded);
		fire = slot->state == HFT_SLOT_WAITING ? fire_of(slot) : UINT64_MAX;
	}
	if (fire <= r->sim->now + r->opts.late_ns)
		err = hft_replay_run_to(r, hft_replay_later(fire, r->sim->now));
	if (err)
		return err;
	slot = hft_sim_find(r->sim, task->sim_id);
	*found = slot && slot->state == HFT_SLOT_READY ? slot : NULL;
	return 0;
}

int hft_replay_dispatch(struct replay *r, const uint64_t *words, size_t index)
{
	struct hft_event recorded = hft_replay_event(words);
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);
	struct replay_task *task = hft_replay_find_task(r, words[2]);
	const struct hft_event *replayed;
	struct hft_sim_ring *made;
	enum hft_halt_mode held;
	struct hft_slot *slot;
	const char *what;
	int err;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	/* The thread that has submitted it was killed before it could say so. */
	r->ended = !task && !r->recording.complete;
	if (r->ended)
		return 0;
	if (!task)
		return differs(r, index, &recorded, "its submission is not in the record");
	err = await_ready(r, task, &recorded, &slot);
	if (err)
		return err;
	made = ring->ring->state;
	if (slot)
		slot = hft_replay_fetch(r, made, slot);
	/* It may have moved, to a queue in which it has not ended. */
	if (slot)
		hft_replay_end(r, slot, &recorded);
	if (!slot)
		return differs(r, index, &recorded, "it is not ready there");
	held = hft_replay_let_go(r, made, slot);
	what = write_one(r, made, slot, ring->window, words);
	if (held)
		hft_sim_hold_ring(made, held);
	if (what)
		return differs(r, index, &recorded, what);
	replayed = &made->ready.events[(made->ready.sequence - 1) & made->ready.mask];
	what = compare_events(r, task, &recorded, replayed);
	if (what)
		return differs(r, index, &recorded, what);
	r->result.events++;
	if (r->decisions)
		r->decisions[index] = *replayed;
	if (r->opts.fn)
		r->opts.fn((uint32_t)words[1], &recorded, replayed, r->opts.arg);
	return 0;
}

