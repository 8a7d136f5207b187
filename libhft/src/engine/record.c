// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HFT_RECORD=DIR: what a handle is told, and what it dispatches, in a log for hft_replay().
 *
 * A handle that is recorded has a backend table of its own, which calls the real one: the
 * others pay nothing.  The consumer's advances are in no table: hft_ring_advance() looks.
 *
 * An event is recorded when its consumer advances over it, and says itself when it was
 * written.  In a simulation that does not say what was before what: many things happen at
 * one time.  There an event is recorded as soon as the call is over that it came in.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/task.h"
#include "../gettime.h"
#include "internal.h"
#include "record.h"

/* Readings of two clocks, of which the closest count. */
#define HFT_RECORD_TRIES	20

/* A clock that was set by less than that is recorded as if it was not. */
#define HFT_RECORD_STEP_NS	1000000

/**
 * struct hft_recorder - of a handle and its rings
 * @table: the handle's backend, as it is called now
 * @real: as it is
 * @refs: the handle and its rings
 * @forks: hft_forks when it was opened
 * @warn: of the handle, which the rings may outlive
 * @warn_arg: for @warn
 * @lock: of what follows; records are in the order of their numbers
 * @log: where they go
 * @failed: no more do
 * @offset: from CLOCK_MONOTONIC to the other clocks, as it was recorded last
 * @rings: by number
 */
struct hft_recorder {
	struct hft_backend table;
	const struct hft_backend *real;
	atomic_uint refs;
	unsigned int forks;
	hft_warn_fn warn;
	void *warn_arg;

	pthread_mutex_t lock;
	struct hft_record_log log;
	bool failed;
	uint64_t offset[HFT_CLOCKS];
	struct hft_ring *rings[HFT_MAX_RINGS];
};

static void hft_record_warn(const struct hft_recorder *recorder, const char *what,
			    const char *detail)
{
	char text[PATH_MAX + 128];

	snprintf(text, sizeof(text), "HFT_RECORD: %s%s", what, detail);
	if (recorder->warn)
		recorder->warn(recorder->warn_arg, text);
}

/* By the clock that the events have: hft_now() may be some ns off that of the kernel. */
static uint64_t hft_record_now(const struct hft_recorder *recorder)
{
	return recorder->real == &hft_kernel_backend ? hft_gettime(CLOCK_MONOTONIC) :
	       hft_now();
}

/* Add a record, with the lock. */
static void hft_record_append(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words,
			      const char *text)
{
	int err = recorder->failed ? 0 : hft_record_log_add(&recorder->log, kind, words, text);

	if (!err)
		return;
	recorder->failed = true;
	hft_record_warn(recorder, "this handle is recorded no more: ",
			err == -ECANCELED ? "levels of the log leave it out" : strerror(-err));
}

/* In a forked child, what is left of the parent's stays the parent's. */
static void hft_record_add(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words)
{
	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	hft_record_append(recorder, kind, words, NULL);
	pthread_mutex_unlock(&recorder->lock);
}

#define RECORD(recorder, kind, ...) \
	hft_record_add(recorder, kind, (const uint64_t[HFT_RECORD_WORDS]){ __VA_ARGS__ })

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

static uint64_t hft_record_offset(clockid_t id)
{
	uint64_t best = UINT64_MAX, offset = 0;
	int i;

	for (i = 0; i < HFT_RECORD_TRIES; i++) {
		uint64_t before = hft_gettime(CLOCK_MONOTONIC);
		uint64_t time = hft_gettime(id);
		uint64_t width = hft_gettime(CLOCK_MONOTONIC) - before;

		if (width >= best)
			continue;
		best = width;
		offset = time - before;
	}
	return offset;
}

/* Those of a simulated machine stay what they are. */
static void hft_record_offsets(struct hft_recorder *recorder, const struct hft_sim *sim)
{
	recorder->offset[HFT_CLOCK_REALTIME] = sim ? hft_sim_offset(sim, HFT_CLOCK_REALTIME) :
					       hft_record_offset(CLOCK_REALTIME);
	recorder->offset[HFT_CLOCK_TAI] = sim ? hft_sim_offset(sim, HFT_CLOCK_TAI) :
					  hft_record_offset(CLOCK_TAI);
}

static bool hft_record_was_set(const struct hft_recorder *recorder, enum hft_clock clock,
			       clockid_t id)
{
	int64_t by = (int64_t)(hft_gettime(id) - hft_gettime(CLOCK_MONOTONIC) -
			       recorder->offset[clock]);

	return by > HFT_RECORD_STEP_NS || by < -HFT_RECORD_STEP_NS;
}

/*
 * Something happens at @time by clocks that may be set: if one was, record what it is by now.
 * A notice of that is for who has a monitor ring, and the module.
 */
static void hft_record_clocks(struct hft_recorder *recorder, uint64_t time)
{
	uint64_t words[HFT_RECORD_WORDS];

	if (recorder->real == &hft_sim_backend || hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	if (hft_record_was_set(recorder, HFT_CLOCK_REALTIME, CLOCK_REALTIME) ||
	    hft_record_was_set(recorder, HFT_CLOCK_TAI, CLOCK_TAI)) {
		hft_record_offsets(recorder, NULL);
		words[0] = time;
		words[1] = recorder->offset[HFT_CLOCK_REALTIME];
		words[2] = recorder->offset[HFT_CLOCK_TAI];
		hft_record_append(recorder, HFT_RECORD_CLOCK, words, NULL);
	}
	pthread_mutex_unlock(&recorder->lock);
}

/* Of event number @at, and of those before it that are not recorded yet. */
static void hft_record_events(struct hft_ring *ring, uint32_t at)
{
	const struct hft_event *event;

	while ((int32_t)(at - ring->recorded) >= 0) {
		event = &ring->events[ring->recorded++ & ring->mask];
		if (event->type == HFT_EVENT_TASK && event->clock != HFT_CLOCK_MONOTONIC)
			hft_record_clocks(ring->recorder, event->published);
		RECORD(ring->recorder, event->type == HFT_EVENT_TASK ? HFT_RECORD_DISPATCH :
		       HFT_RECORD_NOTICE, event->published, ring->number,
		       event->task, event->cookie, event->release, event->deadline,
		       event->irq_entry, event->sequence, (uint64_t)(int64_t)event->result,
		       event->type, event->clock, event->level);
	}
}

/* All that there is: it can not be more than the ring has room for. */
static void hft_record_rest(struct hft_ring *ring)
{
	uint32_t available = hft_ring_available(ring);

	if (available && available <= ring->mask + 1)
		hft_record_events(ring, ring->head + available - 1);
}

/* What a simulation has written before a call, or in it. */
static void hft_record_look(struct hft_recorder *recorder)
{
	uint32_t i;

	for (i = 0; recorder->real == &hft_sim_backend && i < HFT_MAX_RINGS; i++) {
		if (recorder->rings[i])
			hft_record_rest(recorder->rings[i]);
	}
}

/*
 * Advance.  When the backend sees it is not before the one time, nor long after the other.
 * Without an event the consumer has lost its way, as ever.
 */
void hft_record_advance(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;
	bool any = hft_ring_available(ring);
	struct hft_report report = { 0 };
	uint64_t begin;

	if (any) {
		hft_record_look(recorder);
		hft_record_events(ring, ring->head);
		if (ring->reports)
			report = ring->reports[ring->head & ring->mask];
	}
	begin = hft_record_now(recorder);
	hft_ring_next(ring);
	if (any)
		RECORD(recorder, HFT_RECORD_ADVANCE, begin, hft_record_now(recorder), ring->number,
		       report.start, report.end, (uint64_t)(int64_t)report.result, report.woke);
}

/*
 * The backend looks what a ring's consumer is done with: what depends on it happens then.
 * That is recorded if there is something.
 */
static void hft_record_looked(struct hft_recorder *recorder, uint32_t number, uint64_t time)
{
	struct hft_ring *ring;
	bool news = false;
	uint32_t head;

	if (hft_is_inherited(recorder->forks))
		return;
	pthread_mutex_lock(&recorder->lock);
	ring = number < HFT_MAX_RINGS ? recorder->rings[number] : NULL;
	if (ring) {
		head = __atomic_load_n(&ring->consumer->head, __ATOMIC_RELAXED);
		news = atomic_exchange_explicit(&ring->looked, head, memory_order_relaxed) != head;
	}
	pthread_mutex_unlock(&recorder->lock);
	if (news)
		RECORD(recorder, HFT_RECORD_LOOK, time, number);
}

static int hft_record_wait(struct hft_ring *ring, uint64_t timeout)
{
	struct hft_recorder *recorder = ring->recorder;
	int ret;

	hft_record_look(recorder);
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
	bool set = false;

	if (hft_is_inherited(recorder->forks))
		return;
	for (i = 0; i < nr; i++) {
		more += ids[i] > 0;
		set |= tasks[i].clock != HFT_CLOCK_MONOTONIC;
	}
	if (set)
		hft_record_clocks(recorder, begin);
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
	uint64_t begin = hft_record_now(h->recorder), own;
	int err;

	hft_record_look(h->recorder);
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
	uint64_t begin = hft_record_now(h->recorder);
	int ret;

	hft_record_look(h->recorder);
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
		RECORD(recorder, HFT_RECORD_HALT, begin, end, halt->mode);
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
	hft_record_know(recorder, add->ring, ring);
	RECORD(recorder, HFT_RECORD_RING, hft_record_now(recorder), add->ring, asked.cpu,
	       asked.entries, asked.window, asked.level_mask, asked.policy, asked.flags,
	       asked.lead, asked.quantum);
	return 0;
}

/* What was dispatched and not consumed is in the record too. */
static void hft_record_ring_close(struct hft_ring *ring)
{
	struct hft_recorder *recorder = ring->recorder;

	if (!hft_is_inherited(recorder->forks)) {
		hft_record_look(recorder);
		hft_record_rest(ring);
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
