// SPDX-License-Identifier: LGPL-2.1-or-later
/* Replay a record: what was asked for, when it was, of a simulated machine. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define REPLAY_LATE_NS		10000000
#define REPLAY_MAX_STEPS	100000000

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

/*
 * When a call had its effect is between its beginning and its end: one that makes
 * dispatches possible is early, one that prevents them late.
 */
static void add_action(struct replay *r, size_t index, uint64_t *mode)
{
	const struct hft_record *record = &r->recording.records[index];
	bool late = record->kind == HFT_RECORD_CANCEL;

	if (record->kind == HFT_RECORD_HALT) {
		late = record->words[2] >= *mode;
		*mode = record->words[2];
	}
	r->actions[r->nr_actions++] = (struct replay_action){ record->words[late], index };
}

static int compare_actions(const void *left, const void *right)
{
	const struct replay_action *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static int prepare(struct replay *r)
{
	size_t nr = r->recording.nr, i;
	uint64_t mode = 0;

	if (nr > UINT32_MAX / 4)
		return hft_fail(E2BIG, "%s: %zu records", r->recording.path, nr);
	r->hash_mask = 1023;
	while (r->hash_mask < nr)
		r->hash_mask = 2 * r->hash_mask + 1;
	r->actions = calloc(nr, sizeof(*r->actions));
	r->tasks = calloc(nr, sizeof(*r->tasks));
	r->hash = calloc((size_t)r->hash_mask + 1, sizeof(*r->hash));
	if (!r->actions || !r->tasks || !r->hash)
		return hft_fail(ENOMEM, "%s: %zu records", r->recording.path, nr);
	for (i = 1; i + 1 < nr; i++) {
		if (r->recording.records[i].kind == HFT_RECORD_SUBMIT)
			add_task(r, &r->recording.records[i], i);
	}
	for (i = 1; i + 1 < nr; i++)
		add_action(r, i, &mode);
	qsort(r->actions, r->nr_actions, sizeof(*r->actions), compare_actions);
	return 0;
}

int hft_replay_malformed(const struct replay *r, size_t index, const char *what)
{
	return hft_fail(EBADMSG, "%s: record %zu: %s", r->recording.path, index, what);
}

/* As many CPUs as the rings need, and the clocks that there were. */
static int open_machine(struct replay *r)
{
	const struct hft_record *opened = &r->recording.records[0];
	HFT_OPTS(hft_opts, opts, .backend = "sim");
	uint64_t cpus = 1;
	char device[160];
	size_t i;
	int err;

	for (i = 0; i < r->recording.nr; i++) {
		const struct hft_record *record = &r->recording.records[i];

		if (record->kind == HFT_RECORD_RING && record->words[2] >= cpus)
			cpus = record->words[2] < UINT32_MAX ? record->words[2] + 1 : UINT32_MAX;
	}
	opts.tasks = r->nr_tasks < 65536 ? r->nr_tasks + 1 : 65536;
	snprintf(device, sizeof(device), "cpus=%" PRIu64 ",start_ns=%" PRIu64 ",realtime_ns=%"
		 PRIu64 ",tai_ns=%" PRIu64, cpus, opened->words[0], opened->words[1],
		 opened->words[2]);
	opts.device = device;
	memcpy(r->result.backend, &(uint64_t){ htole64(opened->words[4]) }, sizeof(uint64_t));
	hft_record_pause(true);
	err = hft_open(&r->h, &opts);
	hft_record_pause(false);
	if (!err)
		r->sim = hft_sim_of(r->h);
	return err;
}

/* Let time go by.  A record that would take for ever is refused. */
int hft_replay_run_to(struct replay *r, uint64_t time)
{
	while (hft_sim_advance(r->sim, time)) {
		if (++r->steps > r->opts.max_steps)
			return hft_fail(E2BIG, "%s: more than %" PRIu64 " steps (max_steps)",
					r->recording.path, r->opts.max_steps);
	}
	if (r->sim->now < time)
		r->sim->now = time;
	return 0;
}

struct replay_ring *hft_replay_ring_at(struct replay *r, uint64_t number)
{
	if (number >= HFT_MAX_RINGS || !r->rings[number].ring)
		return NULL;
	return &r->rings[number];
}

static int do_ring(struct replay *r, const uint64_t *words, size_t index)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = (uint32_t)words[2], .entries = (uint32_t)words[3],
		 .window = (uint32_t)words[4], .level_mask = (uint32_t)words[5],
		 .policy = (uint32_t)words[6], .flags = (uint32_t)words[7], .lead_ns = words[8]);
	struct replay_ring *ring = &r->rings[words[1] % HFT_MAX_RINGS];
	struct hft_sim_ring *made;
	int err;

	if (words[1] >= HFT_MAX_RINGS || ring->ring)
		return hft_replay_malformed(r, index, "a ring of a number that there can not be");
	if (words[8] == HFT_LEAD_AUTO)
		return hft_replay_malformed(r, index, "a ring without a lead");
	err = hft_ring_open(r->h, &opts, &ring->ring);
	if (err)
		return err;
	made = ring->ring->state;
	ring->window = opts.flags & HFT_RING_MONITOR ? 0 : made->ready.window;
	if (ring->window)
		made->ready.window = 0;
	return 0;
}

static int do_ring_close(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	hft_ring_close(ring->ring);
	ring->ring = NULL;
	return 0;
}

/* The task's cookie is its place in the table. */
static int do_submit(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_task *replayed = hft_replay_find_task(r, words[2]), *after;
	struct replay_ring *ring = hft_replay_ring_at(r, words[6]);
	struct hft_task task = {
		.release = words[4],
		.deadline = words[5],
		.flags = (uint32_t)words[7],
		.clock = (uint8_t)words[8],
		.level = (uint8_t)words[9],
		.task_class = (uint8_t)words[10],
		.reserved2 = (uint32_t)words[11],
		.period = words[12],
		.wcet = words[13],
	};

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (!replayed || replayed->record != index)
		return hft_replay_malformed(r, index, "two tasks of one id");
	after = words[14] ? hft_replay_find_task(r, words[14]) : NULL;
	if (words[14])
		task.after = after ? after->sim_id : words[14];
	task.cookie = (uint64_t)(replayed - r->tasks);
	task.ring = hft_ring_number(ring->ring);
	/* It was admitted when that was asked. */
	if (task.flags & HFT_TASK_PERIODIC)
		task.flags |= HFT_TASK_NO_ADMIT;
	return hft_submit(r->h, &task, &replayed->sim_id);
}

static int do_modify(struct replay *r, const uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);
	struct hft_modify modify = {
		.task = task ? task->sim_id : 0,
		.fields = (uint32_t)words[3],
		.level = (uint32_t)words[4],
		.release = words[5],
		.deadline = words[6],
		.period = words[7],
	};

	if (task) {
		task->touched = words[1];
		task->modified = true;
	}
	hft_modify(r->h, &modify);
	return 0;
}

static int do_cancel(struct replay *r, const uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);

	if (task)
		hft_cancel(r->h, task->sim_id);
	return 0;
}

static int do_halt(struct replay *r, const uint64_t *words, size_t index)
{
	if (words[2] > HFT_HALT_CANCEL)
		return hft_replay_malformed(r, index, "a halt of a mode that there is not");
	r->resumed = words[1];
	return hft_halt(r->h, (enum hft_halt_mode)words[2], 0, NULL);
}

int hft_replay_advance(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);
	uint64_t task;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (!ring->window)
		return 0;
	if (!hft_ring_available(ring->ring))
		return hft_replay_malformed(r, index, "the consumer advances over nothing");
	task = ring->ring->events[ring->ring->head & ring->ring->mask].cookie;
	if (task < r->nr_tasks)
		r->tasks[task].touched = words[0];
	hft_ring_advance(ring->ring);
	return 0;
}

static int do_record(struct replay *r, size_t index)
{
	const struct hft_record *record = &r->recording.records[index];

	switch (record->kind) {
	case HFT_RECORD_RING:
		return do_ring(r, record->words, index);
	case HFT_RECORD_RING_CLOSE:
		return do_ring_close(r, record->words, index);
	case HFT_RECORD_SUBMIT:
		return do_submit(r, record->words, index);
	case HFT_RECORD_CANCEL:
		return do_cancel(r, record->words);
	case HFT_RECORD_MODIFY:
		return do_modify(r, record->words);
	case HFT_RECORD_HALT:
		return do_halt(r, record->words, index);
	case HFT_RECORD_EVENT:
		return hft_replay_dispatch(r, record->words, index);
	case HFT_RECORD_ADVANCE:
		return hft_replay_advance(r, record->words, index);
	default:
		return hft_replay_malformed(r, index, "opened twice");
	}
}

static int do_action(struct replay *r, const struct replay_action *action)
{
	int err;

	if (!action->index)
		return 0;
	err = hft_replay_run_to(r, action->time);
	return err ? err : do_record(r, action->index);
}

static void close_machine(struct replay *r)
{
	uint32_t i;

	for (i = 0; i < HFT_MAX_RINGS; i++)
		hft_ring_close(r->rings[i].ring);
	hft_close(r->h);
}

static int replay(struct replay *r)
{
	struct hft_sim *current = hft_sim_current;
	int err = prepare(r);

	if (!err)
		err = open_machine(r);
	for (; r->at < r->nr_actions && !err; r->at++)
		err = do_action(r, &r->actions[r->at]);
	close_machine(r);
	hft_sim_current = current;
	free(r->actions);
	free(r->tasks);
	free(r->hash);
	return err;
}

/**
 * hft_replay() - do again what was recorded, on a simulated machine
 * @path: file that HFT_RECORD named
 * @user_opts: options, or NULL for the defaults
 * @result: what came of it, also after -EPROTO; or NULL
 *
 * Allocates some 300 bytes a record, and blocks for as long as it takes to read the file
 * and to simulate what it has.  Any thread, in which hft_now() is the machine's meanwhile.
 *
 * Return: 0 the dispatches are the same; -EPROTO they are not, and hft_strerror() tells the
 * first that differs; -EBADMSG the file is torn, foreign or makes no sense; -E2BIG it takes
 * more steps than allowed, or options of a newer library; -EINVAL what it asks for is out
 * of range; -ENOMEM; or why the file can not be read.
 */
HFT_API int hft_replay(const char *path, const struct hft_replay_opts *user_opts,
		       struct hft_replay_result *result)
{
	struct replay *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return hft_fail(ENOMEM, "a replay");
	err = hft_read_opts(&r->opts, sizeof(r->opts), user_opts);
	if (!r->opts.late_ns)
		r->opts.late_ns = REPLAY_LATE_NS;
	if (!r->opts.max_steps)
		r->opts.max_steps = REPLAY_MAX_STEPS;
	if (!err)
		err = hft_recording_read(path, &r->recording);
	if (!err) {
		r->result.records = r->recording.nr;
		err = replay(r);
		hft_recording_free(&r->recording);
	}
	if (result)
		*result = r->result;
	free(r);
	return err;
}
