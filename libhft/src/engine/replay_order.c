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

static void note_modify(struct replay *r, const uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);

	if (task && words[3] & HFT_MODIFY_LEVEL)
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

static void add_action(struct replay *r, size_t index, uint64_t *mode)
{
	struct hft_record *record = &r->recording.records[index];
	uint64_t *words = record->words, time = words[0];

	switch (record->kind) {
	case HFT_RECORD_ADVANCE:
		time = words[1];
		break;
	case HFT_RECORD_HALT:
		time = words[words[2] >= *mode];
		*mode = words[2];
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

/* Make the list of actions.  Returns 0, -E2BIG or -ENOMEM. */
int hft_replay_order(struct replay *r)
{
	const struct hft_record *records = r->recording.records;
	size_t nr = r->recording.nr, i;
	uint64_t mode = 0;
	int err = alloc(r, nr);

	if (err)
		return err;
	for (i = 1; i + 1 < nr; i++) {
		if (records[i].kind == HFT_RECORD_SUBMIT)
			add_task(r, &records[i], i);
	}
	for (i = 1; i + 1 < nr; i++) {
		if (records[i].kind == HFT_RECORD_DISPATCH)
			add_event(r, &records[i], i);
		else if (records[i].kind == HFT_RECORD_MODIFY)
			note_modify(r, records[i].words);
	}
	for (i = 1; i + 1 < nr; i++)
		add_action(r, i, &mode);
	qsort(r->actions, r->nr_actions, sizeof(*r->actions), compare_actions);
	return 0;
}
