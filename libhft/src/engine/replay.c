// SPDX-License-Identifier: LGPL-2.1-or-later
/* Replay a record: what was asked for, when it was, of a simulated machine. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define REPLAY_LATE_NS		10000000
#define REPLAY_MAX_STEPS	100000000

int hft_replay_malformed(const struct replay *r, size_t index, const char *what)
{
	return hft_fail(EBADMSG, "%s: record %zu: %s", r->recording.path, index, what);
}

static void note_release(const struct hft_sim_record *record, void *arg)
{
	struct replay *r = arg;

	if (record->what == HFT_SIM_RELEASE)
		r->tasks[record->cookie].released = record->time;
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
	hft_record_pause(true);
	err = hft_open(&r->h, &opts);
	hft_record_pause(false);
	if (err)
		return err;
	r->sim = hft_sim_of(r->h);
	r->sim->opts.record = r->what_if ? hft_what_if_note : note_release;
	r->sim->opts.record_arg = r;
	if (r->what_if)
		hft_what_if_wake_ups(r);
	return 0;
}

/* A record that would take for ever is refused. */
int hft_replay_too_long(const struct replay *r)
{
	return hft_fail(E2BIG, "%s: more than %" PRIu64 " steps (max_steps)", r->recording.path,
			r->opts.max_steps);
}

/* Let time go by. */
int hft_replay_run_to(struct replay *r, uint64_t time)
{
	while (hft_sim_advance(r->sim, time)) {
		if (++r->steps > r->opts.max_steps)
			return hft_replay_too_long(r);
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

/* On the same CPU as the ring, of fewer than there were, it is none. */
static int find_fallback(struct replay *r, const uint64_t *words, size_t index,
			 struct hft_ring_opts *opts)
{
	const struct replay_ring *fallback = hft_replay_ring_at(r, words[10]);
	const struct hft_sim_ring *made = fallback ? fallback->ring->state : NULL;

	if (!(opts->flags & HFT_RING_FALLBACK))
		return 0;
	if (!made)
		return hft_replay_malformed(r, index, "no such ring is open");
	opts->fallback = made->ready.number;
	if (r->what_if && made->cpu->number == opts->cpu)
		opts->flags &= ~HFT_RING_FALLBACK;
	return 0;
}

static int do_ring(struct replay *r, const uint64_t *words, size_t index)
{
	const uint32_t leave_out = HFT_RING_SINK | (r->what_if ? HFT_RING_LEAD : 0);
	HFT_OPTS(hft_ring_opts, opts, .cpu = (uint32_t)words[2], .entries = (uint32_t)words[3],
		 .window = (uint32_t)words[4], .level_mask = (uint32_t)words[5],
		 .policy = (uint32_t)words[6], .lead_ns = words[8],
		 .flags = (uint32_t)words[7] & ~leave_out,
		 .quantum_ns = (uint32_t)words[9]);
	struct replay_ring *ring = &r->rings[words[1] % HFT_MAX_RINGS];
	struct hft_sim_ring *made;
	int err;

	if (words[1] >= HFT_MAX_RINGS || ring->ring)
		return hft_replay_malformed(r, index, "a ring of a number that there can not be");
	if (words[8] == HFT_LEAD_AUTO)
		return hft_replay_malformed(r, index, "a ring without a lead");
	if (r->what_if)
		hft_what_if_change(r, &opts);
	err = find_fallback(r, words, index, &opts);
	if (err)
		return err;
	/* It was there to be had. */
	hft_sim_set_online(r->sim, opts.cpu, true);
	err = hft_ring_open(r->h, &opts, &ring->ring);
	if (err)
		return err;
	if (r->what_if)
		return hft_what_if_work(r, ring->ring);
	ring->opened = index;
	ring->dropped = ring->at = 0;
	ring->waiting = NULL;
	made = ring->ring->state;
	/* As in the backend that was recorded. */
	if (made->ready.learner)
		made->ready.learner->own_timer = !strcmp(r->recording.backend, "soft");
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

/* Fill in what was submitted by a record.  The task's cookie is its place in the table. */
static int read_task(struct replay *r, size_t index, struct hft_task *task)
{
	const uint64_t *words = r->recording.records[index].words;
	struct replay_task *replayed = hft_replay_find_task(r, words[2]), *after;
	struct replay_ring *ring = hft_replay_ring_at(r, words[6]);

	*task = (struct hft_task){
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
		task->after = after ? after->sim_id : words[14];
	task->cookie = (uint64_t)(replayed - r->tasks);
	task->ring = hft_ring_number(ring->ring);
	return 0;
}

/*
 * A task was taken, and here there is no more what it comes after: its consumer was done, but
 * the scheduler looks for that only now and then, and had not yet.  Now it has.
 */
static int64_t submit_after_end(struct replay *r, const struct hft_task *task)
{
	struct hft_task alone = *task;
	int64_t result = -ENOENT;

	if (!task->after)
		return result;
	alone.after = 0;
	hft_submit_batch(r->h, &alone, 1, &result);
	r->result.late++;
	return result;
}

/* All of one call, when it is the turn of the first. */
static int do_submit(struct replay *r, const uint64_t *words, size_t index)
{
	const struct replay_task *task = hft_replay_find_task(r, words[2]);
	uint64_t nr = words[15] + 1, i;
	int err = 0;

	if (task && task->sim_id && task->record == index)
		return 0;
	if (!nr || nr > HFT_MAX_BATCH || nr > r->recording.nr - index)
		return hft_replay_malformed(r, index, "more tasks than a call can have");
	for (i = 0; i < nr && !err; i++) {
		if (r->recording.records[index + i].kind != HFT_RECORD_SUBMIT)
			return hft_replay_malformed(r, index + i, "tasks of the call are missing");
		err = read_task(r, index + i, &r->batch[i]);
	}
	if (err)
		return err;
	err = hft_submit_batch(r->h, r->batch, (unsigned int)nr, r->results);
	if (err < 0 && !r->what_if)
		return err;
	for (i = 0; i < nr; i++) {
		if (!r->what_if && r->results[i] == -ENOBUFS)
			r->results[i] = hft_replay_submit_shed(r, &r->batch[i]);
		if (!r->what_if && r->results[i] == -ENODEV)
			r->results[i] = hft_replay_submit_offline(r, &r->batch[i]);
		if (!r->what_if && r->results[i] == -ENOENT)
			r->results[i] = submit_after_end(r, &r->batch[i]);
		if (r->what_if && (err < 0 || r->results[i] < 0)) {
			hft_what_if_refused(r, index + i);
			continue;
		}
		if (r->results[i] < 0)
			return hft_fail((int)-r->results[i], "%s: record %zu: it is not taken",
					r->recording.path, (size_t)(index + i));
		r->tasks[r->batch[i].cookie].sim_id = (uint64_t)r->results[i];
		if (r->what_if)
			continue;
		hft_replay_place(r, &r->tasks[r->batch[i].cookie]);
		hft_replay_set_level(r, &r->tasks[r->batch[i].cookie]);
	}
	return 0;
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
		if (modify.fields & HFT_MODIFY_RELEASE)
			task->asked = modify.release;
	}
	hft_modify(r->h, &modify);
	return 0;
}

static int do_arrive(struct replay *r, const uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);
	uint64_t release;

	if (task) {
		task->touched = words[1];
		release = hft_replay_release_of_arrival(r, task, words);
		hft_arrive(r->h, task->sim_id, release);
	}
	return 0;
}

static int do_cancel(struct replay *r, const uint64_t *words)
{
	struct replay_task *task = hft_replay_find_task(r, words[2]);

	if (task)
		hft_cancel(r->h, task->sim_id);
	return 0;
}

int hft_replay_advance(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);
	struct hft_ring *made;
	uint64_t task;
	uint32_t at;

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (!ring->window)
		return 0;
	made = ring->ring;
	if (!hft_ring_available(made))
		return hft_replay_malformed(r, index, "the consumer advances over nothing");
	at = made->head & made->mask;
	task = made->events[at].cookie;
	if (task < r->nr_tasks)
		r->tasks[task].touched = words[1];
	hft_ring_advance(made);
	/* The machine forgets the job before its place in the ring is another one's. */
	hft_sim_use(r->sim);
	if (made->reports)
		made->reports[at] = (struct hft_report){
			.start = words[3], .end = words[4], .result = (int32_t)words[5],
			.woke = (uint32_t)words[6],
		};
	return 0;
}

/* The order is the new one from some time of the call on. */
static int do_policy(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[2]);

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (words[3] >= HFT_POLICIES)
		return hft_replay_malformed(r, index, "a policy that there is not");
	ring->ordered = words[1];
	if (r->what_if && hft_what_if_has_policy(r))
		return 0;
	return hft_ring_set_policy(ring->ring, (uint32_t)words[3]);
}

static int do_look(struct replay *r, const uint64_t *words, size_t index)
{
	struct replay_ring *ring = hft_replay_ring_at(r, words[1]);

	if (!ring)
		return hft_replay_malformed(r, index, "no such ring is open");
	if (ring->window)
		hft_sim_pull(ring->ring->state);
	return 0;
}

/* Of what somebody else has decided, and when.  Workers of the machine have no inbox. */
static bool is_outcome(uint32_t kind)
{
	switch (kind) {
	case HFT_RECORD_DISPATCH:
	case HFT_RECORD_ADVANCE:
	case HFT_RECORD_LOOK:
	case HFT_RECORD_SUBMIT_NOW:
	case HFT_RECORD_DROP:
	case HFT_RECORD_IMMEDIATE:
	case HFT_RECORD_AHEAD:
	case HFT_RECORD_DONE:
		return true;
	default:
		return false;
	}
}

/* What was admitted when it was asked for is, whatever else there is by now. */
static void admit_all(struct hft_sim *sim)
{
	uint32_t i;

	for (i = 0; i < sim->opts.cpus; i++) {
		sim->cpus[i].release.admission = (struct hft_admission){ 0 };
		sim->cpus[i].release.cap = UINT32_MAX;
	}
}

static int do_record(struct replay *r, size_t index)
{
	const struct hft_record *record = &r->recording.records[index];

	if (r->what_if && is_outcome(record->kind))
		return 0;
	admit_all(r->sim);
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
		return hft_replay_halt(r, record->words, index);
	case HFT_RECORD_HOLD:
		return hft_replay_hold(r, record->words, index);
	case HFT_RECORD_CPU:
		return hft_replay_cpu(r, record->words, index);
	case HFT_RECORD_LEAD:
		return hft_replay_lead(r, record->words, index);
	case HFT_RECORD_NOTICE:
		return hft_replay_notice(r, record->words, index);
	case HFT_RECORD_RULE:
		return hft_replay_rule(r, record->words, index);
	case HFT_RECORD_CLOCK:
		return hft_replay_clock(r, record->words);
	case HFT_RECORD_DISPATCH:
		return hft_replay_dispatch(r, record->words, index);
	case HFT_RECORD_ADVANCE:
		return hft_replay_advance(r, record->words, index);
	case HFT_RECORD_ARRIVE:
		return do_arrive(r, record->words);
	case HFT_RECORD_POLICY:
		return do_policy(r, record->words, index);
	case HFT_RECORD_LOOK:
		return do_look(r, record->words, index);
	case HFT_RECORD_SUBMIT_NOW:
		return hft_replay_submit_now(r, record->words, index);
	case HFT_RECORD_DROP:
		return hft_replay_drop(r, record->words, index);
	case HFT_RECORD_IMMEDIATE:
	case HFT_RECORD_AHEAD:
		return hft_replay_choice(r, record->words, index);
	case HFT_RECORD_DONE:
		return hft_replay_done(r, record->words, index);
	default:
		return hft_replay_malformed(r, index, "opened twice");
	}
}

static int do_action(struct replay *r, const struct replay_action *action)
{
	int err = 0;

	if (!action->index)
		return 0;
	/* What is due since the action before may not have been when this one came. */
	if (r->sim->now < action->time)
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

/* Those that are the same are written before the error is told. */
static int write_decisions(const struct replay *r, int err)
{
	struct hft_error error;
	int ret;

	hft_save_error(&error);
	ret = hft_replay_write(r);
	return err ? hft_take_error(&error) : ret;
}

int hft_replay_actions(struct replay *r)
{
	int err = 0;

	for (; r->at < r->nr_actions && !err && !r->ended; r->at++)
		err = do_action(r, &r->actions[r->at]);
	return err;
}

static int replay(struct replay *r)
{
	struct hft_sim *current = hft_sim_current;
	int err = hft_replay_order(r);

	if (!err && r->opts.output) {
		r->decisions = calloc(r->recording.nr, sizeof(*r->decisions));
		if (!r->decisions)
			err = hft_fail(ENOMEM, "%zu decisions", r->recording.nr);
	}
	if (!err)
		err = open_machine(r);
	if (!err)
		err = r->what_if ? hft_what_if_run(r) : hft_replay_actions(r);
	close_machine(r);
	hft_sim_current = current;
	if ((!err || err == -EPROTO) && r->decisions)
		err = write_decisions(r, err);
	free(r->decisions);
	free(r->actions);
	free(r->tasks);
	free(r->immediates);
	free(r->hash);
	free(r->next_event);
	free(r->batch);
	free(r->results);
	return err;
}

static void read_result(struct replay *r)
{
	const struct hft_recording *recording = &r->recording;

	r->result.records = recording->nr - !recording->complete;
	r->result.handles = recording->handles;
	r->result.complete = recording->complete;
	memcpy(r->result.backend, recording->backend, sizeof(r->result.backend));
}

int hft_replay_read_opts(struct hft_replay_opts *opts, const struct hft_replay_opts *user_opts)
{
	int err = hft_read_opts(opts, sizeof(*opts), user_opts);

	if (!opts->late_ns)
		opts->late_ns = REPLAY_LATE_NS;
	/* As a time it can be added to any other. */
	if (opts->late_ns > HFT_TIME_MAX)
		opts->late_ns = HFT_TIME_MAX;
	if (!opts->max_steps)
		opts->max_steps = REPLAY_MAX_STEPS;
	if (!opts->handle)
		opts->handle = 1;
	if (!err && opts->reserved)
		err = hft_fail(EINVAL, "not zero, and reserved");
	return err;
}

/* The records are not what they were afterwards.  Returns as hft_replay(). */
int hft_replay_recording(const struct hft_recording *recording,
			 const struct hft_replay_opts *opts, struct hft_replay_result *result,
			 struct what_if *what_if)
{
	struct replay *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return hft_fail(ENOMEM, "a replay");
	r->recording = *recording;
	r->what_if = what_if;
	err = hft_replay_read_opts(&r->opts, opts);
	if (!err) {
		read_result(r);
		err = replay(r);
	}
	if (result)
		*result = r->result;
	free(r);
	return err;
}

/**
 * hft_replay() - do again what was recorded, on a simulated machine
 * @path: folder of the log that HFT_RECORD named
 * @user_opts: options, or NULL for the defaults
 * @user_result: what came of it, also after -EPROTO; or NULL
 *
 * Allocates some 300 bytes a record, and blocks for as long as it takes to read the log
 * and to simulate what it has.  Any thread, in which hft_now() is the machine's meanwhile.
 *
 * Return: 0 the dispatches are the same; -EPROTO they are not, and hft_strerror() tells the
 * first that differs; -EBADMSG the log is damaged, or the record makes no sense; -ENOENT there
 * is no log, or no such handle in it; -E2BIG it takes more steps than allowed, or options of
 * a newer library; -EINVAL what it asks for is out of range, or @user_result has no size;
 * -EEXIST there is something at the place of the output; -ENOMEM; or why the log can not be
 * read, or the output be written.
 */
HFT_API int hft_replay(const char *path, const struct hft_replay_opts *user_opts,
		       struct hft_replay_result *user_result)
{
	struct hft_replay_result result = {};
	struct hft_recording recording;
	struct hft_replay_opts opts;
	int err = user_result ? hft_check_answer(user_result) : 0;

	if (err)
		return err;
	err = hft_replay_read_opts(&opts, user_opts);
	if (!err && opts.output && !access(opts.output, F_OK))
		err = hft_fail(EEXIST, "%s is there: what is decided goes to a log of its own",
			       opts.output);
	if (!err)
		err = hft_recording_read(path, opts.handle, &recording);
	if (!err) {
		opts.sz = sizeof(opts);
		err = hft_replay_recording(&recording, &opts, &result, NULL);
		hft_recording_free(&recording);
	}
	if (user_result)
		hft_answer(user_result, &result, sizeof(result));
	return err;
}
