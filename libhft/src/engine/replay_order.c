// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay a record: in which order.
 *
 * A call had its effect between its beginning and its end, and so had an advance.  One that
 * makes dispatches possible is early, one that prevents them late, unless the task's own
 * events tell more.
 */
#include <errno.h>
#include <stdlib.h>

#include "replay.h"

static uint32_t hash_of(const struct replay *r, uint64_t id)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15) >> 32) & r->hash_mask;
}

struct replay_task *hft_replay_find_task(struct replay *r, uint64_t id)
{
	uint32_t i;

	for (i = r->hash[hash_of(r, id)]; i; i = r->tasks[i - 1].next) {
		if (r->tasks[i - 1].id == id)
			return &r->tasks[i - 1];
	}
	return NULL;
}

static void add_task(struct replay *r, const struct hft_record *record, size_t index)
{
	uint32_t *first = &r->hash[hash_of(r, record->words[2])];

	r->tasks[r->nr_tasks] = (struct replay_task){
		.id = record->words[2],
		.record = index,
		.touched = record->words[1],
		.next = *first,
	};
	*first = ++r->nr_tasks;
}

static void add_event(struct replay *r, const struct hft_record *record, size_t index)
{
	struct replay_task *task = hft_replay_find_task(r, record->words[2]);

	if (!task)
		return;
	if (task->events)
		r->next_event[task->last] = (uint32_t)index;
	else
		task->events = task->changed = (uint32_t)index;
	task->last = (uint32_t)index;
}

/* What was asked of a task, or after it, was taken: it was there. */
static void note_named(struct replay *r, const struct hft_record *record, size_t index)
{
	bool submitted = record->kind == HFT_RECORD_SUBMIT;
	struct replay_task *task = hft_replay_find_task(r, record->words[submitted ? 14 : 2]);

	if (!task)
		return;
	task->named = index;
	if (record->kind == HFT_RECORD_MODIFY && record->words[3] & HFT_MODIFY_LEVEL)
		task->modified_level = true;
}

static const uint64_t *words_of(const struct replay *r, size_t index)
{
	return r->recording.records[index].words;
}

/*
 * What the clock said when a task arrived is in the event of that job, and that it arrives
 * when the job before is dispatched.  Returns when.
 */
static uint64_t time_of_arrival(struct replay *r, uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);
	uint64_t time = words[0], before;
	uint32_t event;

	if (!task)
		return time;
	before = task->arrivals ? task->arrived : 0;
	event = task->arrivals++ ? r->next_event[task->arrived] : task->events;
	if (before && words_of(r, before)[0] > time)
		time = words_of(r, before)[0] + 1;
	if (!event)
		return time;
	task->arrived = event;
	words[3] = words_of(r, event)[4];
	words[REPLAY_ARRIVED] = true;
	return time;
}

/* Does an event have what a change asked for?  Of a cancelled task there is none. */
static bool is_changed(const uint64_t *event, const struct hft_record *record)
{
	const uint64_t *change = record->words;

	if (record->kind == HFT_RECORD_CANCEL)
		return false;
	if (change[3] & HFT_MODIFY_LEVEL && event[11] != change[4])
		return false;
	if (change[3] & HFT_MODIFY_DEADLINE && event[10] == HFT_CLOCK_MONOTONIC)
		return event[5] == change[6];
	return true;
}

/* After the jobs that were written in the call and do not have what it changed. */
static uint64_t time_of_change(struct replay *r, const struct hft_record *record)
{
	const uint64_t *words = record->words;
	struct replay_task *task = hft_replay_find_task(r, words[2]);
	uint64_t time = words[0];
	uint32_t event;

	if (!task)
		return time;
	while (task->changed && words_of(r, task->changed)[0] < words[0])
		task->changed = r->next_event[task->changed];
	for (event = task->changed; event; event = r->next_event[event]) {
		const uint64_t *of = words_of(r, event);

		if (of[0] >= words[1] || is_changed(of, record))
			break;
		time = of[0] + 1;
	}
	return time;
}

/* In the order of the looks that have seen them, and so of time */
static void add_change(struct replay *r, struct hft_record *record)
{
	struct replay_changes *changes;
	struct replay_ring *ring;

	if (record->words[2] >= HFT_MAX_RINGS)
		return;
	ring = &r->rings[record->words[2]];
	changes = record->kind == HFT_RECORD_HOLD ? &ring->holds : &ring->turns;
	record->words[REPLAY_NEXT] = SIZE_MAX;
	if (changes->next == SIZE_MAX)
		changes->next = r->nr_actions;
	else
		r->recording.records[changes->last].words[REPLAY_NEXT] = r->nr_actions;
	changes->last = r->nr_actions + 1;
}

/* The one that may have come before @time, and not long before, or NULL. */
static struct replay_action *change_at(const struct replay *r, struct replay_changes *changes,
				       uint64_t time)
{
	const uint64_t *words;

	for (; changes->next != SIZE_MAX; changes->next = words[REPLAY_NEXT]) {
		struct replay_action *action = &r->actions[changes->next];

		words = words_of(r, action->index);
		if (time <= words[1])
			return time >= action->time ? action : NULL;
	}
	return NULL;
}

static bool is_held(const struct replay *r, const struct replay_task *task, uint64_t mode)
{
	bool reduces = words_of(r, task->record)[7] & HFT_TASK_REDUCE;

	return mode == HFT_HALT_REDUCE ? !reduces : mode;
}

/* Was a CPU online, by a task's result?  One that was not let go by another tells nothing. */
static bool is_of_online(int32_t result)
{
	return result != -ENODEV && result != -ECANCELED;
}

/*
 * A ring is held to something since some time between two looks, and so its CPU is offline:
 * early, but after all that was dispatched meanwhile and would not have been.
 */
static void note_dispatch(struct replay *r, const uint64_t *words)
{
	const struct replay_task *task = hft_replay_find_task(r, words[2]);
	struct replay_action *action;
	struct replay_ring *ring;

	if (words[1] >= HFT_MAX_RINGS || !task)
		return;
	ring = &r->rings[words[1]];
	action = change_at(r, &ring->holds, words[0]);
	if (action && is_held(r, task, words_of(r, action->index)[3]))
		action->time = words[0] + 1;
	action = change_at(r, &ring->turns, words[0]);
	/* When it was is known if it was at one time. */
	if (action && words_of(r, action->index)[3] && is_of_online((int32_t)words[8]) &&
	    action->time < words_of(r, action->index)[1])
		action->time = words[0] + 1;
}

/* A notice tells when it was. */
static void note_turn(struct replay *r, const uint64_t *words, struct replay_changes *turns)
{
	bool offline = words[9] == HFT_EVENT_CPU_OFFLINE;
	uint64_t time = hft_replay_cpu_time(words);
	struct replay_action *action;

	if (!offline && words[9] != HFT_EVENT_CPU_ONLINE)
		return;
	if (words[3] >= HFT_MAX_RINGS)
		return;
	action = change_at(r, &turns[words[3]], time);
	if (!action || words_of(r, action->index)[3] != offline)
		return;
	action->time = time;
	r->recording.records[action->index].words[1] = time;
}

/* One is not before the one before it. */
static void order_changes(struct replay *r, uint32_t kind)
{
	uint64_t last[HFT_MAX_RINGS] = { 0 };
	size_t i;

	for (i = 0; i < r->nr_actions; i++) {
		const struct hft_record *record = &r->recording.records[r->actions[i].index];
		uint64_t ring = record->words[2];

		if (record->kind != kind || ring >= HFT_MAX_RINGS)
			continue;
		if (r->actions[i].time < last[ring])
			r->actions[i].time = last[ring];
		last[ring] = r->actions[i].time;
	}
}

static void add_action(struct replay *r, size_t index, uint64_t mode[2])
{
	struct hft_record *record = &r->recording.records[index];
	uint64_t *words = record->words, time = words[0];
	bool global;

	switch (record->kind) {
	case HFT_RECORD_ADVANCE:
	case HFT_RECORD_CLOCK:
	case HFT_RECORD_IMMEDIATE:
	case HFT_RECORD_AHEAD:
		time = words[1];
		break;
	case HFT_RECORD_HALT:
		global = words[3] & HFT_HALT_GLOBAL;
		time = words[words[2] >= mode[global]];
		mode[global] = words[2];
		break;
	case HFT_RECORD_HOLD:
	case HFT_RECORD_CPU:
		add_change(r, record);
		break;
	case HFT_RECORD_NOTICE:
		time = hft_replay_cpu_time(words);
		break;
	case HFT_RECORD_ARRIVE:
		time = time_of_arrival(r, words);
		break;
	case HFT_RECORD_CANCEL:
	case HFT_RECORD_MODIFY:
		time = time_of_change(r, record);
		break;
	}
	r->actions[r->nr_actions++] = (struct replay_action){ time, index };
}

static int compare_actions(const void *left, const void *right)
{
	const struct replay_action *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int alloc(struct replay *r, size_t nr)
{
	if (nr > UINT32_MAX / 4)
		return hft_fail(E2BIG, "%s: %zu records", r->recording.path, nr);
	r->hash_mask = 1023;
	while (r->hash_mask < nr)
		r->hash_mask = 2 * r->hash_mask + 1;
	r->actions = calloc(nr, sizeof(*r->actions));
	r->tasks = calloc(nr, sizeof(*r->tasks));
	r->hash = calloc((size_t)r->hash_mask + 1, sizeof(*r->hash));
	r->next_event = calloc(nr, sizeof(*r->next_event));
	r->batch = calloc(HFT_MAX_BATCH, sizeof(*r->batch));
	r->results = calloc(HFT_MAX_BATCH, sizeof(*r->results));
	if (!r->actions || !r->tasks || !r->hash || !r->next_event || !r->batch || !r->results)
		return hft_fail(ENOMEM, "%s: %zu records", r->recording.path, nr);
	return 0;
}

/* When what came between two looks came, by what else there is. */
static void note_changes(struct replay *r)
{
	const struct hft_record *records = r->recording.records;
	struct replay_changes turns[HFT_MAX_RINGS];
	size_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++)
		turns[i] = r->rings[i].turns;
	for (i = 1; i + 1 < r->recording.nr; i++) {
		if (records[i].kind == HFT_RECORD_NOTICE)
			note_turn(r, records[i].words, turns);
	}
	for (i = 1; i + 1 < r->recording.nr; i++) {
		if (records[i].kind == HFT_RECORD_DISPATCH)
			note_dispatch(r, records[i].words);
	}
	order_changes(r, HFT_RECORD_HOLD);
	order_changes(r, HFT_RECORD_CPU);
}

/* Make the list of actions.  Returns 0, -E2BIG or -ENOMEM. */
int hft_replay_order(struct replay *r)
{
	const struct hft_record *records = r->recording.records;
	size_t nr = r->recording.nr, i;
	uint64_t mode[2] = { 0 };
	int err = alloc(r, nr);

	if (err)
		return err;
	for (i = 0; i < HFT_MAX_RINGS; i++)
		r->rings[i].holds.next = r->rings[i].turns.next = SIZE_MAX;
	for (i = 1; i + 1 < nr; i++) {
		if (records[i].kind == HFT_RECORD_SUBMIT)
			add_task(r, &records[i], i);
	}
	for (i = 1; i + 1 < nr; i++) {
		switch (records[i].kind) {
		case HFT_RECORD_DISPATCH:
			add_event(r, &records[i], i);
			break;
		case HFT_RECORD_SUBMIT:
		case HFT_RECORD_MODIFY:
		case HFT_RECORD_CANCEL:
		case HFT_RECORD_ARRIVE:
			note_named(r, &records[i], i);
			break;
		}
	}
	for (i = 1; i + 1 < nr; i++)
		add_action(r, i, mode);
	note_changes(r);
	qsort(r->actions, r->nr_actions, sizeof(*r->actions), compare_actions);
	return hft_replay_order_inbox(r);
}
