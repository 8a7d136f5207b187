// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: which CPU has a task.
 *
 * A CPU that goes offline, or comes back, is one of the machine that does.  What was queued on it
 * the machine moves or ends itself, and so it sends away what a rule says; a task that was
 * submitted, moved, ended or let go by what it came after a moment before or after that is where
 * it was, and as it was.
 */
#include <errno.h>

#include "replay.h"

static bool is_turn(const uint64_t *notice)
{
	return notice[9] == HFT_EVENT_CPU_OFFLINE || notice[9] == HFT_EVENT_CPU_ONLINE;
}

/* When a CPU did what a notice tells; of another notice, when it was written. */
uint64_t hft_replay_cpu_time(const uint64_t *words)
{
	return is_turn(words) && words[4] < words[0] ? words[4] : words[0];
}

/* With another number of CPUs it is others that share one: all stay. */
static void turn(struct replay *r, const struct replay_ring *ring, bool online)
{
	const struct hft_sim_ring *made = ring->ring->state;

	if (!r->what_if || !hft_what_if_has_cpus(r))
		hft_sim_set_online(r->sim, made->cpu->number, online);
}

int hft_replay_cpu(struct replay *r, const uint64_t *words, size_t index)
{
	const struct replay_ring *ring = hft_replay_ring_at(r, words[2]);

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (words[3] > 1)
		return hft_replay_malformed(r, index, "neither offline nor online");
	if (r->turned_until < words[1])
		r->turned_until = words[1];
	turn(r, ring, !words[3]);
	return 0;
}

/* There is one for each ring of the CPU, which may be closed by now. */
void hft_replay_cpu_notice(struct replay *r, const uint64_t *words)
{
	const struct replay_ring *ring = hft_replay_ring_at(r, words[3]);

	if (ring)
		turn(r, ring, words[9] == HFT_EVENT_CPU_ONLINE);
}

static bool is_of(struct replay *r, uint64_t number, const struct hft_sim_ring *made)
{
	const struct replay_ring *ring = hft_replay_ring_at(r, number);

	return ring && ring->ring->state == made;
}

/* Does the CPU of a ring do something by a record? */
static bool turns(struct replay *r, const struct hft_record *record,
		  const struct hft_sim_ring *made)
{
	const struct hft_sim_ring *other;
	const struct replay_ring *ring;

	if (record->kind != HFT_RECORD_CPU &&
	    (record->kind != HFT_RECORD_NOTICE || !is_turn(record->words)))
		return false;
	ring = hft_replay_ring_at(r, record->words[record->kind == HFT_RECORD_CPU ? 2 : 3]);
	other = ring ? ring->ring->state : NULL;
	return other && other->cpu == made->cpu;
}

/* Does a rule of the ring send tasks away from there on, or no more? */
static bool responds(struct replay *r, const struct hft_record *record,
		     const struct hft_sim_ring *made)
{
	return record->kind == HFT_RECORD_NOTICE && record->words[9] == HFT_EVENT_RESPONSE &&
	       record->words[10] == HFT_ACTION_SPARE &&
	       is_of(r, record->words[2] & UINT32_MAX, made);
}

/* Is there such a record of a ring, of what is still to come up to @time? */
static bool will(struct replay *r, const struct hft_sim_ring *made, uint64_t time,
		 bool (*does)(struct replay *r, const struct hft_record *record,
			      const struct hft_sim_ring *made))
{
	size_t i;

	for (i = r->at + 1; i < r->nr_actions && r->actions[i].time <= time; i++) {
		if (does(r, &r->recording.records[r->actions[i].index], made))
			return true;
	}
	return false;
}

/* Did it since a time, or a moment before? */
static bool has_turned_since(const struct replay *r, const struct hft_sim_ring *made, uint64_t time)
{
	uint64_t turned = made->cpu->turned;

	return turned && (time <= r->turned_until || time <= turned + r->opts.late_ns);
}

static bool has_turned(const struct replay *r, const struct hft_sim_ring *made)
{
	return has_turned_since(r, made, r->sim->now);
}

static bool turns_since(struct replay *r, const struct hft_sim_ring *made, uint64_t time)
{
	return has_turned_since(r, made, time) ||
	       will(r, made, r->sim->now + r->opts.late_ns, turns);
}

static bool is_turning(struct replay *r, const struct hft_sim_ring *made)
{
	return turns_since(r, made, r->sim->now);
}

/* Do rules of the ring send tasks away from about now on, or no more? */
static bool rules_turn(struct replay *r, const struct hft_sim_ring *made)
{
	uint64_t responded = r->rings[made->ready.number].responded;

	if (responded && hft_replay_distance(responded, r->sim->now) <= r->opts.late_ns)
		return true;
	return hft_replay_rules_turn(r, &made->ready) ||
	       will(r, made, r->sim->now + r->opts.late_ns, responds);
}

/* Do tasks of one ring go to the other? */
static bool leads_to(const struct hft_sim_ring *ring, const struct hft_sim_ring *to)
{
	while (ring && ring != to)
		ring = ring->fallback;
	return ring;
}

/* Since when a task may be in another ring than it was submitted to: one after the other moves. */
uint64_t hft_replay_moved(struct replay *r, const struct hft_slot *slot,
			  const struct replay_task *task)
{
	const uint64_t *words = r->recording.records[task->record].words;
	const struct replay_ring *ring = hft_replay_ring_at(r, words[6]);
	const struct hft_sim_ring *home = ring ? ring->ring->state : NULL;

	return home && slot->ready != &home->ready ? home->cpu->turned : 0;
}

/* A task was submitted: if its ring has begun or ceased to send tasks away, where was it? */
void hft_replay_place(struct replay *r, const struct replay_task *task)
{
	const struct hft_record *records = r->recording.records;
	const struct replay_ring *ring = hft_replay_ring_at(r, records[task->record].words[6]);
	const struct replay_ring *found = task->events ?
		hft_replay_ring_at(r, records[task->events].words[1]) : NULL;
	struct hft_slot *slot = hft_sim_find(r->sim, task->sim_id);
	struct hft_sim_ring *home, *made;

	if (!slot || !ring || !found)
		return;
	home = ring->ring->state;
	made = found->ring->state;
	if (slot->ready == &made->ready || !leads_to(home, made))
		return;
	if (!rules_turn(r, home) && !has_turned(r, home))
		return;
	/* It moves there when it was. */
	if (will(r, home, records[task->events].words[0], turns))
		return;
	r->result.late += hft_sim_move(made, slot);
}

/* A task was taken, and its CPU is offline here: that came later, and it ends by it. */
int64_t hft_replay_submit_offline(struct replay *r, const struct hft_task *task)
{
	struct hft_sim_ring *made = r->sim->rings[task->ring];
	int64_t result = -ENODEV;

	if (made->cpu->release.online || !is_turning(r, made))
		return result;
	hft_sim_set_online(r->sim, made->cpu->number, true);
	hft_submit_batch(r->h, task, 1, &result);
	hft_sim_set_online(r->sim, made->cpu->number, false);
	r->result.late++;
	return result;
}

/*
 * A task that is ready was dispatched from ring @made.  Returns it, if it is that ring's, or has
 * moved there, or from there, a moment before or after; or NULL.
 */
struct hft_slot *hft_replay_fetch(struct replay *r, struct hft_sim_ring *made,
				  struct hft_slot *slot)
{
	const struct hft_sim_ring *from = hft_sim_ring_of(slot->ready);

	if (from == made)
		return slot;
	if (!leads_to(from, made) && !leads_to(made, from))
		return NULL;
	if (!is_turning(r, from) && !is_turning(r, made) && !rules_turn(r, from) &&
	    !rules_turn(r, made))
		return NULL;
	if (!hft_sim_move(made, slot))
		return NULL;
	r->result.late++;
	return slot->state == HFT_SLOT_READY ? slot : NULL;
}

/*
 * What a task came after has ended since its CPU turned, or a moment before that: who has seen
 * the end, and when, is in no record.
 */
static bool turns_at_end(struct replay *r, const struct hft_slot *slot)
{
	const uint64_t *words = r->recording.records[r->tasks[slot->cookie].record].words;
	const struct replay_task *before = words[14] ? hft_replay_find_task(r, words[14]) : NULL;
	const struct replay_ring *home = hft_replay_ring_at(r, words[6]);
	uint64_t since = words[0];

	if (!before)
		return false;
	if (before->touched > since)
		since = before->touched;
	return turns_since(r, hft_sim_ring_of(slot->ready), since) ||
	       (home && turns_since(r, home->ring->state, since));
}

/* A task was let go just before its CPU went offline, or as it had come back: it waits again. */
static void restore(struct replay *r, struct hft_slot *slot)
{
	const uint64_t *words = r->recording.records[r->tasks[slot->cookie].record].words;
	struct hft_ready_queue *ready = slot->ready;
	uint64_t offset = ready->release->offset[slot->clock];

	hft_heap_remove(&ready->heap, &slot->item);
	slot->flags &= ~HFT_SLOT_ABORTED;
	slot->flags |= words[7] & HFT_TASK_WATCH;
	slot->release += offset;
	slot->deadline += slot->deadline ? offset : 0;
	hft_release_add(ready, slot);
	hft_sim_commit(hft_sim_ring_of(ready)->cpu);
	r->result.late++;
}

/*
 * A task that is ready was aborted here, as its CPU was offline, and was not there, as far as its
 * first event tells: then it is not.  Returns whether that was so.
 */
bool hft_replay_restore(struct replay *r, struct hft_slot *slot)
{
	uint32_t event = r->tasks[slot->cookie].events;

	if (!(slot->flags & HFT_SLOT_ABORTED) || slot->state != HFT_SLOT_READY)
		return false;
	if (event && (int32_t)r->recording.records[event].words[8] == -ECANCELED)
		return false;
	if (!turns_at_end(r, slot))
		return false;
	restore(r, slot);
	return true;
}

/* A task that was aborted there is here, if its CPU may have been offline: as hft_chain_abort(). */
static void abort_task(struct replay *r, struct hft_slot *slot)
{
	bool queued = slot->state == HFT_SLOT_WAITING || slot->state == HFT_SLOT_READY;

	if (slot->flags & HFT_SLOT_ABORTED || !queued || !turns_at_end(r, slot))
		return;
	slot->flags |= HFT_SLOT_ABORTED;
	slot->flags &= ~HFT_TASK_WATCH;
	hft_watch_stop(slot);
	hft_sim_end_task(slot);
	r->result.late++;
}

/*
 * A task ended with its CPU, or did not.  Of one that was gone and back between two looks nobody
 * has told but those that it has ended.
 */
void hft_replay_end(struct replay *r, struct hft_slot *slot, const struct hft_event *recorded)
{
	struct hft_release_queue *queue = slot->ready->release;
	bool ended = slot->item.seq < queue->ended;

	if (recorded->result == -ECANCELED)
		abort_task(r, slot);
	if (slot->flags & HFT_SLOT_ABORTED || ended == (recorded->result == -ENODEV))
		return;
	if (!ended) {
		hft_sim_end_task(slot);
	} else {
		if (!is_turning(r, hft_sim_ring_of(slot->ready)))
			return;
		slot->item.seq = queue->sequence++;
		if (slot->state == HFT_SLOT_READY)
			hft_ready_update(slot);
	}
	r->result.late++;
}
