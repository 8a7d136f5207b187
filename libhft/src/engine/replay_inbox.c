// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: tasks of hft_submit_now(), and what the workers of their rings choose.
 *
 * A task waits from the beginning of its submission on.  Whenever a worker has chosen, the task
 * that it took, or that an event of the ring went before, has to be the best of those that wait
 * by the ring's policy, and has to be on that side of the event.  One that was not there yet when
 * the worker looked, as the call that submits it was not over, is late.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "inbox.h"
#include "replay.h"

static const uint64_t *words_of(const struct replay *r, const struct replay_immediate *immediate)
{
	return r->recording.records[immediate->record].words;
}

static int compare_places(const void *left, const void *right)
{
	const struct replay_immediate *a = left, *b = right;

	if (a->opened != b->opened)
		return a->opened < b->opened ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->record < b->record ? -1 : a->record > b->record;
}

/* A worker sees no task behind one that is not published yet, or not at once. */
static void note_known(struct replay *r)
{
	struct replay_immediate *last = NULL, *immediate;
	size_t i;

	for (i = 0; i < r->nr_immediates; i++) {
		immediate = &r->immediates[i];
		immediate->known = words_of(r, immediate)[1];
		if (last && last->opened == immediate->opened && last->known > immediate->known)
			immediate->known = last->known;
		last = immediate;
	}
}

/* Which tasks there are, by their places.  Returns 0 or -ENOMEM. */
int hft_replay_order_inbox(struct replay *r)
{
	const struct hft_record *records = r->recording.records;
	size_t opened[HFT_MAX_RINGS] = { 0 }, nr = 0, i;

	for (i = 0; i < r->recording.nr; i++)
		nr += records[i].kind == HFT_RECORD_SUBMIT_NOW;
	if (!nr)
		return 0;
	r->immediates = calloc(nr, sizeof(*r->immediates));
	if (!r->immediates)
		return hft_fail(ENOMEM, "%zu tasks of inboxes", nr);
	for (i = 0; i < r->recording.nr; i++) {
		const uint64_t *words = records[i].words;

		if (records[i].kind == HFT_RECORD_RING && words[1] < HFT_MAX_RINGS)
			opened[words[1]] = i;
		if (records[i].kind == HFT_RECORD_SUBMIT_NOW && words[2] < HFT_MAX_RINGS)
			r->immediates[r->nr_immediates++] = (struct replay_immediate){
				.record = i, .opened = opened[words[2]], .place = words[3],
			};
	}
	qsort(r->immediates, r->nr_immediates, sizeof(*r->immediates), compare_places);
	note_known(r);
	return 0;
}

/* Of several at one place, which there can not be, any. */
static struct replay_immediate *find(const struct replay *r, const struct replay_ring *ring,
				     uint64_t place)
{
	size_t begin = 0, end = r->nr_immediates, middle;

	while (begin < end) {
		struct replay_immediate *at = &r->immediates[middle = begin + (end - begin) / 2];

		if (at->opened == ring->opened && at->place == place)
			return at;
		if (at->opened < ring->opened || (at->opened == ring->opened && at->place < place))
			begin = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

static struct hft_inbox_task task_of(const struct replay *r,
				     const struct replay_immediate *immediate)
{
	const uint64_t *words = words_of(r, immediate);
	const struct hft_task task = {
		.deadline = words[6] ? words[6] - words[5] : 0,
		.period = words[10],
	};

	return (struct hft_inbox_task){
		.cookie = words[4],
		.release = words[5],
		.deadline = words[6],
		.flags = (uint32_t)words[7],
		.level = (uint8_t)words[8],
		.window = hft_inbox_window(&task),
		.wcet = words[11],
	};
}

int hft_replay_submit_now(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	struct replay_immediate *immediate = ring ? find(r, ring, words[3]) : NULL;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (!immediate || immediate->record != index)
		return hft_replay_malformed(r, index, "two tasks at one place of an inbox");
	if (words[8] >= HFT_LEVELS)
		return hft_replay_malformed(r, index, "a task of a level that there is not");
	if (words[3] < ring->dropped)
		return 0;
	immediate->waits = true;
	immediate->next = ring->waiting;
	ring->waiting = immediate;
	return 0;
}

int hft_replay_drop(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);
	struct replay_immediate **link;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (ring->dropped >= words[2])
		return 0;
	ring->dropped = words[2];
	for (link = &ring->waiting; *link; r->steps++) {
		(*link)->waits = (*link)->place >= ring->dropped;
		if ((*link)->waits)
			link = &(*link)->next;
		else
			*link = (*link)->next;
	}
	return r->steps > r->opts.max_steps ? hft_replay_too_long(r) : 0;
}

static int differs(struct replay *r, size_t index, const char *what)
{
	const uint64_t *words = r->recording.records[index].words;
	struct hft_replay_difference *difference = &r->result.difference;

	difference->record = index;
	difference->time = words[1];
	difference->ring = (uint32_t)words[2];
	return hft_fail(EPROTO, "%s: record %zu: ring %" PRIu64 ", place %" PRIu64
			" of its inbox at %" PRIu64 " ns (cookie %" PRIu64 "): %s",
			r->recording.path, index, words[2], words[3], words[1], words[4], what);
}

/*
 * A choice that is another one because of something that is that old, or not so old, when the
 * worker begins to look: what comes while it does may be seen or not.
 */
static bool is_late(struct replay *r, uint64_t begin, uint64_t since)
{
	uint64_t known = begin > since ? begin - since : 0;

	if (known > r->opts.late_ns)
		return false;
	r->result.late++;
	if (known > r->result.latest_ns)
		r->result.latest_ns = known;
	return true;
}

/* Since when the order of what waits, and what of it may run, is what it is. */
static uint64_t order_known(const struct replay *r, const struct replay_ring *ring)
{
	uint64_t let_go = hft_replay_later(r->resumed, hft_replay_rules_changed(r));

	return hft_replay_later(ring->ordered, let_go);
}

/*
 * May it run now?  The worker has looked some time in its choice, in which a halt may have come;
 * others let a ring go between two looks at it.
 */
static bool is_let_go(struct replay *r, const struct replay_ring *ring, uint64_t begin)
{
	const struct hft_sim_ring *made = ring->ring->state;

	if (!made->held && begin > r->resumed && !hft_replay_halt_turns(r))
		return false;
	r->result.late++;
	return true;
}

/* Is there another one that goes before it, and should have been seen? */
static const char *compare_waiting(struct replay *r, const struct replay_ring *ring,
				   const struct replay_immediate *best,
				   const struct hft_inbox_task *task, uint64_t begin)
{
	uint64_t key = hft_inbox_key(ring->ring->policy, task, best->place);
	uint32_t flags = hft_ring_flags(ring->ring);
	const struct replay_immediate *other;

	for (other = ring->waiting; other; other = other->next) {
		struct hft_inbox_task its = task_of(r, other);
		uint64_t its_key = hft_inbox_key(ring->ring->policy, &its, other->place);

		r->steps++;
		if (its_key > key || (its_key == key && other->place >= best->place))
			continue;
		if (!hft_inbox_allows(flags, !!(its.flags & HFT_TASK_REDUCE)))
			continue;
		if (!is_late(r, begin, hft_replay_later(other->known, order_known(r, ring))))
			return "another task of the inbox goes before it";
	}
	return NULL;
}

/* Event @number of the ring, which may have written others to its place since. */
static bool was_there(struct replay *r, const struct replay_ring *ring, uint64_t number,
		      size_t index, struct hft_event *event)
{
	const struct hft_ring *made = ring->ring;
	const struct hft_event *last = &made->events[(made->head - 1) & made->mask];
	const struct hft_record *record;

	if (!last->published || last->sequence + 1 < number)
		return false;
	while (index-- > ring->opened) {
		record = &r->recording.records[index];
		r->steps++;
		if ((record->kind != HFT_RECORD_DISPATCH && record->kind != HFT_RECORD_NOTICE) ||
		    record->words[1] != made->number || record->words[7] + 1 != number)
			continue;
		*event = hft_replay_event(record->words);
		r->result.late++;
		return true;
	}
	return false;
}

/*
 * The event that the worker saw, by its number.  It may be consumed here, as the kernel looked
 * what is just after what it took for the time of the next one.
 */
static bool find_seen(struct replay *r, const struct replay_ring *ring, uint64_t number,
		      size_t index, struct hft_event *event)
{
	const struct hft_ring *made = ring->ring;
	uint32_t at = made->head, i;

	for (i = !hft_ring_available(made); i <= made->mask; i++) {
		*event = made->events[(at - i) & made->mask];
		if (!event->published || event->sequence + 1 != number)
			continue;
		r->result.late += !!i;
		return true;
	}
	return was_there(r, ring, number, index, event);
}

/* Is it on the side of the next event of the ring that it was? */
static const char *compare_event(struct replay *r, const struct replay_ring *ring,
				 const struct hft_inbox_task *task, size_t index)
{
	const struct hft_record *record = &r->recording.records[index];
	struct hft_ring *made = ring->ring;
	struct hft_event event;
	bool first;

	if (!record->words[8] && !hft_ring_available(made))
		return NULL;
	if (!record->words[8])
		event = made->events[made->head & made->mask];
	else if (!find_seen(r, ring, record->words[8], index, &event))
		return "the next event of its ring is another";
	first = hft_inbox_before(made->policy, task, &event);
	if (first == (record->kind == HFT_RECORD_IMMEDIATE))
		return NULL;
	/* The worker had not seen the event, or not that the policy was changed. */
	if (is_late(r, record->words[0],
		    hft_replay_later(ring->ordered, record->words[8] ? 0 : event.published)))
		return NULL;
	return first ? "it goes before the event of its ring" :
		       "an event of its ring goes before it";
}

static const char *compare_task(const struct hft_inbox_task *task, const uint64_t *words)
{
	if (task->cookie != words[4])
		return "it is another task that is there";
	if (task->release != words[5])
		return "its release is another";
	if (task->deadline != words[6])
		return "its deadline is another";
	return task->level == words[7] ? NULL : "its level is another";
}

static void take(struct replay *r, struct replay_ring *ring, struct replay_immediate *immediate,
		 const struct hft_inbox_task *task)
{
	struct replay_immediate **link = &ring->waiting;
	struct hft_event event;

	hft_inbox_event(task, immediate->place, &event);
	while (*link != immediate)
		link = &(*link)->next;
	*link = immediate->next;
	immediate->waits = false;
	ring->at = immediate->place + 1;
	r->result.immediate++;
	if (r->opts.fn)
		r->opts.fn(ring->ring->number, &event, &event, r->opts.arg);
}

/* The worker has taken the best of its inbox, or an event went before it. */
int hft_replay_choice(struct replay *r, const uint64_t *words, size_t index)
{
	bool taken = r->recording.records[index].kind == HFT_RECORD_IMMEDIATE;
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	struct replay_immediate *immediate = ring ? find(r, ring, words[3]) : NULL;
	struct hft_inbox_task task;
	const char *what;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	/* As a dispatch without its submission. */
	r->ended = !immediate && !r->recording.complete;
	if (r->ended)
		return 0;
	if (!immediate || !immediate->waits)
		return differs(r, index, immediate ? "it does not wait there" :
			       "its submission is not in the record");
	if (ring->at)
		return hft_replay_malformed(r, index, "its worker is at another task");
	task = task_of(r, immediate);
	what = compare_task(&task, words);
	if (!what && !hft_inbox_allows(hft_ring_flags(ring->ring),
				       !!(task.flags & HFT_TASK_REDUCE)) &&
	    !is_let_go(r, ring, words[0]))
		what = "it may not run: a halt?";
	if (!what)
		what = compare_waiting(r, ring, immediate, &task, words[0]);
	if (r->steps > r->opts.max_steps)
		return hft_replay_too_long(r);
	if (!what)
		what = compare_event(r, ring, &task, index);
	if (what)
		return differs(r, index, what);
	if (r->decisions)
		hft_inbox_event(&task, immediate->place, &r->decisions[index]);
	if (taken)
		take(r, ring, immediate, &task);
	return 0;
}

int hft_replay_done(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (!ring->at || ring->at != words[2] + 1)
		return hft_replay_malformed(r, index, "its worker is not at that task");
	ring->at = 0;
	return 0;
}
