// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HFT_RECORD=DIR: what a handle is told, and what it dispatches, in a log for hft_replay().
 *
 * A handle that is recorded has a backend table of its own, which calls the real one: the
 * others pay nothing.  The consumer's advances are in no table: hft_ring_advance() looks.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder.h"

static void hft_record_warn(const struct hft_recorder *recorder, const char *what,
			    const char *detail)
{
	char text[PATH_MAX + 128];

	snprintf(text, sizeof(text), "HFT_RECORD: %s%s", what, detail);
	if (recorder->warn)
		recorder->warn(recorder->warn_arg, text);
}

/* Add a record, with the lock. */
void hft_record_append(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words,
		       const char *text)
{
	int err = recorder->failed ? 0 : hft_record_log_add(&recorder->log, kind, words, text);

	if (!err)
		return;
	recorder->failed = true;
	hft_record_warn(recorder, "this handle is recorded no more: ",
			strerror(-err));
}

/* In a forked child, what is left of the parent's stays the parent's. */
void hft_record_add(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words)
{
	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	hft_record_append(recorder, kind, words, NULL);
	pthread_mutex_unlock(&recorder->lock);
}

static void hft_record_put(struct hft_recorder *recorder)
{
	int err;

	if (atomic_fetch_sub(&recorder->refs, 1) != 1)
		return;
	if (!hft_is_inherited(recorder->forks)) {
		RECORD(recorder, HFT_RECORD_CLOSE, hft_record_now(recorder));
		err = hft_record_log_close();
		if (err)
			hft_record_warn(recorder, "the record is not complete: ",
					hft_strerror(err));
		pthread_mutex_destroy(&recorder->lock);
	}
	free(recorder);
}

static int hft_record_wait(struct hft_ring *ring, uint64_t timeout)
{
	struct hft_recorder *recorder = ring->recorder;
	int ret;

	hft_record_look(recorder);
	hft_record_page(ring);
	hft_record_looked(recorder, ring->number, hft_record_now(recorder));
	ret = recorder->real->wait(ring, timeout);
	hft_record_look(recorder);
	return ret;
}

/* Those that were taken of one call: nothing else comes in between. */
static void hft_record_tasks(struct hft_recorder *recorder, const struct hft_task *tasks,
			     const int64_t *ids, uint32_t nr, uint64_t begin)
{
	uint64_t end = hft_record_now(recorder);
	uint32_t i, more = 0;

	if (hft_is_inherited(recorder->forks))
		return;
	for (i = 0; i < nr; i++)
		more += ids[i] > 0;
	pthread_mutex_lock(&recorder->lock);
	for (i = 0; i < nr; i++) {
		const struct hft_task *task = &tasks[i];
		const uint64_t words[] = {
			begin, end, (uint64_t)ids[i], task->cookie, task->release, task->deadline,
			task->ring, task->flags, task->clock, task->level, task->task_class,
			task->reserved2, task->period, task->wcet, task->after, more - 1,
		};

		if (ids[i] <= 0)
			continue;
		hft_record_append(recorder, HFT_RECORD_SUBMIT, words, NULL);
		more--;
	}
	pthread_mutex_unlock(&recorder->lock);
}

static int hft_record_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	uint64_t begin, own;
	int err;

	hft_record_look(h->recorder);
	hft_record_before(h->recorder, task, 1);
	begin = hft_record_now(h->recorder);
	err = h->recorder->real->submit(h, task, &own);
	if (!err)
		hft_record_tasks(h->recorder, task, (const int64_t *)&own, 1, begin);
	hft_record_look(h->recorder);
	if (id && (!err || err == -EBUSY))
		*id = own;
	return err;
}

static int hft_record_submit_batch(struct hft *h, const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	const int64_t *results = (const void *)(uintptr_t)batch->results;
	uint64_t begin;
	int ret;

	hft_record_look(h->recorder);
	if (tasks)
		hft_record_before(h->recorder, tasks, batch->nr);
	begin = hft_record_now(h->recorder);
	ret = h->recorder->real->submit_batch(h, batch);
	if (ret > 0)
		hft_record_tasks(h->recorder, tasks, results, batch->nr, begin);
	hft_record_look(h->recorder);
	return ret;
}

static void hft_record_modify(struct hft_recorder *recorder, const struct hft_modify *modify,
			      uint64_t begin, uint64_t end)
{
	RECORD(recorder, HFT_RECORD_MODIFY, begin, end, modify->task, modify->fields,
	       modify->level, modify->release, modify->deadline, modify->period);
}

static void hft_record_lead(struct hft_recorder *recorder, const struct hft_lead_info *info,
			    uint64_t begin, uint64_t end)
{
	if (info->fields)
		RECORD(recorder, HFT_RECORD_LEAD, begin, end, info->ring, info->fields, info->lead,
		       info->budget_ppm);
}

static void hft_record_rule(struct hft_recorder *recorder, const struct hft_rule *rule,
			    uint64_t begin, uint64_t end)
{
	RECORD(recorder, HFT_RECORD_RULE, begin, end, rule->ring, rule->number, rule->action,
	       rule->flags, rule->anomalies, rule->kinds, rule->classes, rule->count, rule->among,
	       rule->level, rule->targets, rule->budget_ppm, rule->amount, rule->most, rule->leave,
	       rule->interval, rule->hold, rule->seasons);
}

static void hft_record_done(struct hft_recorder *recorder, unsigned int op, const void *arg,
			    uint64_t begin)
{
	const struct hft_arrival *arrival = arg;
	const struct hft_ring_set *set = arg;
	const struct hft_cancel *cancel = arg;
	const struct hft_halt *halt = arg;
	const struct hft_hist_info *hist = arg;
	uint64_t end = hft_record_now(recorder);
	uint32_t i;

	switch (op) {
	case HFT_IOC_CANCEL:
		RECORD(recorder, HFT_RECORD_CANCEL, begin, end, cancel->task);
		break;
	case HFT_IOC_MODIFY:
		hft_record_modify(recorder, arg, begin, end);
		break;
	case HFT_IOC_HALT:
		RECORD(recorder, HFT_RECORD_HALT, begin, end, halt->mode, halt->flags);
		hft_record_halted(recorder, halt);
		break;
	case HFT_IOC_RELEASE:
		RECORD(recorder, HFT_RECORD_ARRIVE, begin, end, arrival->task, arrival->release);
		break;
	case HFT_IOC_RING_SET:
		RECORD(recorder, HFT_RECORD_POLICY, begin, end, set->ring, set->policy);
		break;
	case HFT_IOC_LEAD:
		hft_record_lead(recorder, arg, begin, end);
		break;
	case HFT_IOC_RULE:
		hft_record_rule(recorder, arg, begin, end);
		break;
	case HFT_IOC_TASK:
		hft_record_looked(recorder, ((const struct hft_task_info *)arg)->ring, begin);
		break;
	case HFT_IOC_CLASS:
		hft_record_looked(recorder, ((const struct hft_class_info *)arg)->ring, begin);
		break;
	case HFT_IOC_METER:
		hft_record_looked(recorder, ((const struct hft_meter_set *)arg)->ring, begin);
		break;
	case HFT_IOC_HIST:
		for (i = 0; i < HFT_MAX_RINGS; i++) {
			if (hist->ring == HFT_STATS_CONTEXT || hist->ring == i)
				hft_record_looked(recorder, i, begin);
		}
		break;
	}
}

static int hft_record_command(struct hft *h, unsigned int op, void *arg)
{
	struct hft_recorder *recorder = h->recorder;
	uint64_t begin = hft_record_now(recorder);
	int err;

	hft_record_look(recorder);
	/* What is found after it is of it. */
	if (op == HFT_IOC_HALT)
		hft_record_pages(recorder);
	err = recorder->real->command(h, op, arg);
	if (!err)
		hft_record_done(recorder, op, arg, begin);
	hft_record_look(recorder);
	return err;
}

static void hft_record_know(struct hft_recorder *recorder, uint32_t number, struct hft_ring *ring)
{
	pthread_mutex_lock(&recorder->lock);
	recorder->rings[number] = ring;
	pthread_mutex_unlock(&recorder->lock);
}

static int hft_record_ring_open(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add)
{
	struct hft_recorder *recorder = h->recorder;
	struct hft_ring_add asked = *add;
	int err = recorder->real->ring_open(h, ring, add);

	if (err)
		return err;
	ring->recorder = recorder;
	ring->number = add->ring;
	ring->mask = add->entries - 1;
	atomic_fetch_add(&recorder->refs, 1);
	/* Its CPU is there, whatever was seen of other rings of it. */
	hft_record_pages(recorder);
	ring->held_time = hft_record_now(recorder);
	RECORD(recorder, HFT_RECORD_RING, ring->held_time, add->ring, asked.cpu, asked.entries,
	       asked.window, asked.level_mask, asked.policy, asked.flags, asked.lead,
	       asked.quantum, asked.fallback);
	hft_record_know(recorder, add->ring, ring);
	hft_record_page(ring);
	return 0;
}

/* What was dispatched and not consumed is in the record too. */
static void hft_record_ring_close(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;

	if (!hft_is_inherited(recorder->forks)) {
		hft_record_look(recorder);
		hft_record_rest(ring);
		hft_record_last_look(ring);
		RECORD(recorder, HFT_RECORD_RING_CLOSE, hft_record_now(recorder), ring->number);
		hft_record_know(recorder, ring->number, NULL);
	}
	recorder->real->ring_close(ring);
	hft_record_put(recorder);
}

static void hft_record_close(struct hft *h)
{
	struct hft_recorder *recorder = h->recorder;

	hft_record_look(recorder);
	recorder->real->close(h);
	hft_record_put(recorder);
}

static void hft_record_begin(struct hft_recorder *recorder, const struct hft *h, uint32_t tasks)
{
	uint64_t words[HFT_RECORD_WORDS] = {
		hft_record_now(recorder), 0, 0, tasks, HFT_RECORD_VERSION,
	};

	hft_record_offsets(recorder, hft_sim_of(h));
	words[1] = recorder->offset[HFT_CLOCK_REALTIME];
	words[2] = recorder->offset[HFT_CLOCK_TAI];
	recorder->offset_time = words[0];
	pthread_mutex_lock(&recorder->lock);
	hft_record_append(recorder, HFT_RECORD_OPEN, words, recorder->real->name);
	pthread_mutex_unlock(&recorder->lock);
}

static void hft_record_wrap(struct hft_recorder *recorder)
{
	recorder->table = *recorder->real;
	recorder->table.close = hft_record_close;
	recorder->table.command = hft_record_command;
	recorder->table.ring_open = hft_record_ring_open;
	recorder->table.ring_close = hft_record_ring_close;
	recorder->table.submit = hft_record_submit;
	recorder->table.submit_now = hft_record_submit_now;
	recorder->table.submit_batch = hft_record_submit_batch;
	recorder->table.wait = hft_record_wait;
}

/* What the calling thread opens is not recorded: it replays a record. */
static _Thread_local bool hft_record_paused __attribute__((tls_model("initial-exec")));

void hft_record_pause(bool pause)
{
	hft_record_paused = pause;
}

/* Record a handle that was just opened, if the environment asks for that. */
int hft_record_start(struct hft *h, uint32_t tasks)
{
	const char *dir = secure_getenv("HFT_RECORD");
	struct hft_recorder *recorder;
	char other[PATH_MAX];
	int err;

	if (!dir || !*dir || hft_record_paused)
		return 0;
	recorder = calloc(1, sizeof(*recorder));
	if (!recorder)
		return hft_fail(ENOMEM, "HFT_RECORD");
	err = hft_record_log_open(&recorder->log, dir, other, sizeof(other));
	if (err) {
		free(recorder);
		return err;
	}
	recorder->real = h->backend;
	recorder->forks = h->forks;
	recorder->warn = h->warn;
	recorder->warn_arg = h->warn_arg;
	if (*other)
		hft_record_warn(recorder, "this handle is recorded in ", other);
	atomic_init(&recorder->refs, 1);
	pthread_mutex_init(&recorder->lock, NULL);
	hft_record_begin(recorder, h, tasks);
	hft_record_wrap(recorder);
	h->recorder = recorder;
	h->backend = &recorder->table;
	return 0;
}
