/* SPDX-License-Identifier: GPL-2.0-only */
/* A load on a handle that is recorded, and what its replay says. */
#ifndef SELFTESTS_LIBHFT_RECORD_LOAD_H
#define SELFTESTS_LIBHFT_RECORD_LOAD_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/replay.h>

#include "../../libhft/src/random.h"

#define LOAD_RINGS	4
#define LOAD_IDS	64
#define LOAD_TASKS	256
#define NSEC_PER_USEC	1000ULL

/* Of a simulated machine: from CLOCK_MONOTONIC. */
#define LOAD_SIM_REALTIME	1700000000000000000ULL
#define LOAD_SIM_TAI		1700000037000000000ULL
#define LOAD_SIM_DEVICE		"realtime_ns=1700000000000000000,tai_ns=1700000037000000000"

/* Machines under load have timers that are late. */
#define LOAD_LATE_NS	20000000000ULL

struct load {
	struct hft *h;
	struct hft_ring *rings[LOAD_RINGS];
	uint64_t random;
	uint64_t ids[LOAD_IDS];
	uint64_t sporadic;
	bool simulated;			/* it has other wall clocks */
	uint32_t now;			/* hft_submit_now() is one of so many steps; 0: of none */
	uint64_t cookie;
	uint64_t events;
};

static inline uint32_t load_below(struct load *l, uint32_t limit)
{
	return random_below(&l->random, limit);
}

static inline int load_open(struct load *l, const char *backend)
{
	static const struct { uint32_t policy, window, entries, flags; } rows[LOAD_RINGS] = {
		{ HFT_POLICY_EDF, 1, 4, 0 }, { HFT_POLICY_FP, 2, 8, HFT_RING_REPORT },
		{ HFT_POLICY_RM, 16, 16, 0 },
		{ HFT_POLICY_FAIR, 1, 4, HFT_RING_REPORT | HFT_RING_LEAD },
	};
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = LOAD_TASKS,
		 .device = l->simulated ? LOAD_SIM_DEVICE : NULL);
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) < 2;
	int i, err = hft_open(&l->h, &opts);

	for (i = 0; i < LOAD_RINGS && !err; i++) {
		HFT_OPTS(hft_ring_opts, ring, .policy = rows[i].policy, .window = rows[i].window,
			 .entries = rows[i].entries, .lead_ns = (uint64_t)i * 1000,
			 .flags = rows[i].flags, .cpu = alone ? 0 : i % 2);

		if (rows[i].flags)
			ring.quantum_ns = 20 * NSEC_PER_USEC;
		/* The tasks of the first on the second CPU go there if it goes offline. */
		if (i == 1 && !alone) {
			ring.flags |= HFT_RING_FALLBACK;
			ring.fallback = hft_ring_number(l->rings[0]);
		}
		err = hft_ring_open(l->h, &ring, &l->rings[i]);
	}
	return err;
}

static inline void load_close(struct load *l)
{
	int i;

	for (i = 0; i < LOAD_RINGS; i++)
		hft_ring_close(l->rings[i]);
	hft_close(l->h);
}

static inline uint64_t load_clock(const struct load *l, uint8_t clock)
{
	struct timespec ts;

	if (clock == HFT_CLOCK_MONOTONIC)
		return hft_now();
	if (l->simulated)
		return hft_now() + (clock == HFT_CLOCK_TAI ? LOAD_SIM_TAI : LOAD_SIM_REALTIME);
	clock_gettime(clock == HFT_CLOCK_TAI ? CLOCK_TAI : CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* It comes again and again, or after another one. */
static inline void load_repeat(struct load *l, struct hft_task *task)
{
	static const uint32_t overruns[] = { 0, HFT_TASK_CATCH_UP, HFT_TASK_COALESCE };

	switch (load_below(l, 16)) {
	case 0:
	case 1:
		task->flags |= HFT_TASK_PERIODIC | overruns[load_below(l, 3)];
		task->period = (1 + load_below(l, 8)) * 500 * NSEC_PER_USEC;
		task->release = load_clock(l, task->clock);
		task->deadline = 0;
		task->flags &= ~(HFT_TASK_WATCH | HFT_TASK_DROP);
		break;
	case 2:
		task->flags |= HFT_TASK_SPORADIC;
		task->period = (1 + load_below(l, 20)) * 10 * NSEC_PER_USEC;
		break;
	case 3:
	case 4:
	case 5:
		task->after = l->ids[load_below(l, LOAD_IDS)];
		break;
	}
}

static inline struct hft_task load_task(struct load *l)
{
	struct hft_task task = {
		.cookie = l->cookie++,
		.ring = hft_ring_number(l->rings[load_below(l, LOAD_RINGS)]),
		.level = (uint8_t)(load_below(l, 2) ? load_below(l, HFT_LEVELS) : HFT_LEVEL_NORMAL),
		.task_class = (uint8_t)load_below(l, 4),
		.wcet = load_below(l, 100) * NSEC_PER_USEC,
		.release = 1,
	};

	if (!load_below(l, 8))
		task.clock = (uint8_t)load_below(l, HFT_CLOCKS);
	if (load_below(l, 4))
		task.release = load_clock(l, task.clock) + load_below(l, 300) * NSEC_PER_USEC;
	if (load_below(l, 2))
		task.deadline = task.release + load_below(l, 1000) * NSEC_PER_USEC;
	if (task.deadline && !load_below(l, 4))
		task.flags |= HFT_TASK_WATCH | (load_below(l, 2) ? HFT_TASK_DROP : 0);
	if (!load_below(l, 2))
		task.flags |= HFT_TASK_TRACK;
	if (!load_below(l, 8))
		task.flags |= HFT_TASK_REDUCE;
	load_repeat(l, &task);
	return task;
}

static inline void load_submit(struct load *l)
{
	struct hft_task tasks[6];
	int64_t results[6] = { 0 };
	uint32_t nr = load_below(l, 4) ? 1 : 2 + load_below(l, 5), i;

	for (i = 0; i < nr; i++)
		tasks[i] = load_task(l);
	/* A call is for one CPU: how those of several are interleaved is not recorded. */
	for (i = 1; i < nr; i++)
		tasks[i].ring ^= (tasks[i].ring ^ tasks[0].ring) & 1;
	if (nr > 1)
		hft_submit_batch(l->h, tasks, nr, results);
	else
		hft_submit(l->h, tasks, (uint64_t *)results);
	l->ids[load_below(l, LOAD_IDS)] = results[0] > 0 ? (uint64_t)results[0] : 0;
	if (results[0] > 0 && tasks[0].flags & HFT_TASK_SPORADIC)
		l->sporadic = (uint64_t)results[0];
}

static inline void load_submit_now(struct load *l)
{
	struct hft_ring *ring = l->rings[load_below(l, LOAD_RINGS)];
	const struct hft_task task = {
		.cookie = l->cookie++,
		.level = (uint8_t)load_below(l, HFT_LEVELS),
		.deadline = load_below(l, 2) ? 0 : load_below(l, 1000) * NSEC_PER_USEC,
		.period = load_below(l, 2) ? 0 : load_below(l, 1000) * NSEC_PER_USEC,
		.wcet = load_below(l, 100) * NSEC_PER_USEC,
		.flags = load_below(l, 4) ? 0 : HFT_TASK_REDUCE,
	};

	hft_submit_now(ring, &task);
}

static inline void load_modify(struct load *l)
{
	struct hft_modify modify = {
		.task = l->ids[load_below(l, LOAD_IDS)],
		.fields = load_below(l, 2) ? HFT_MODIFY_LEVEL :
			  HFT_MODIFY_RELEASE | HFT_MODIFY_DEADLINE,
		.level = load_below(l, HFT_LEVELS),
		.release = hft_now() + load_below(l, 200) * NSEC_PER_USEC,
	};

	hft_modify(l->h, &modify);
}

static inline void load_arrive(struct load *l)
{
	hft_arrive(l->h, l->sporadic,
		   load_below(l, 2) ? hft_now() + load_below(l, 100) * NSEC_PER_USEC : 0);
}

static inline void load_order(struct load *l)
{
	struct hft_ring *ring = l->rings[load_below(l, LOAD_RINGS)];

	if (load_below(l, 2))
		hft_ring_set_policy(ring, load_below(l, HFT_POLICIES));
	else
		hft_lead_set(ring, load_below(l, 4) * NSEC_PER_USEC);
}

static inline void load_ask(struct load *l)
{
	struct hft_class_info class;
	struct hft_task_info task;

	hft_task_state(l->h, l->ids[load_below(l, LOAD_IDS)], &task);
	hft_class(l->h, hft_ring_number(l->rings[1 + 2 * load_below(l, 2)]), load_below(l, 4),
		  &class);
}

/* What the worker says of it is not always true. */
static inline void load_run(struct load *l, struct hft_ring *ring, const struct hft_event *event)
{
	uint32_t kind = load_below(l, 8);

	if (!kind)
		return;
	hft_ring_begin(ring, event, hft_now());
	if (kind < 3)
		hft_spin_until(hft_now() + load_below(l, 40) * NSEC_PER_USEC);
	if (kind == 3)
		hft_ring_fail(ring, event, -EIO);
}

static inline void load_consume(struct load *l)
{
	struct hft_ring *ring = l->rings[load_below(l, LOAD_RINGS)];
	uint32_t n = 1 + load_below(l, 6);

	while (n--) {
		const struct hft_event *event;

		if (!hft_ring_peek(ring) &&
		    hft_wait(ring, load_below(l, 2) ? 0 : hft_now() + 50 * NSEC_PER_USEC) <= 0)
			return;
		event = hft_ring_peek(ring);
		if (!event)
			return;
		load_run(l, ring, event);
		hft_ring_advance(ring);
		l->events++;
	}
}

static inline void load_step(struct load *l)
{
	uint32_t kind;

	if (l->now && !load_below(l, l->now)) {
		load_submit_now(l);
		return;
	}
	kind = load_below(l, 100);
	if (kind < 35) {
		load_submit(l);
	} else if (kind < 76) {
		load_consume(l);
	} else if (kind < 81) {
		hft_cancel(l->h, l->ids[load_below(l, LOAD_IDS)]);
	} else if (kind < 85) {
		load_modify(l);
	} else if (kind < 91) {
		load_arrive(l);
	} else if (kind < 93) {
		load_order(l);
	} else if (kind < 95) {
		load_ask(l);
	} else if (kind < 98) {
		hft_spin_until(hft_now() + load_below(l, 200) * NSEC_PER_USEC);
	} else {
		hft_halt(l->h, 1 + load_below(l, HFT_HALT_CANCEL), 0, NULL);
		load_submit(l);
		load_consume(l);
		hft_resume(l->h, 0);
	}
}

/*
 * @now: as &struct load has it.  Returns how many events and tasks of inboxes there were, or a
 * negative errno.
 */
static inline int64_t load_record_now(const char *backend, const char *path, uint64_t seed,
				      uint32_t steps, uint32_t now)
{
	struct load *l = calloc(1, sizeof(*l));
	int64_t ret;

	l->random = seed;
	l->now = now;
	l->simulated = !strcmp(backend, "sim");
	setenv("HFT_RECORD", path, 1);
	ret = load_open(l, backend);
	unsetenv("HFT_RECORD");
	while (!ret && steps--)
		load_step(l);
	load_close(l);
	if (!ret)
		ret = (int64_t)l->events;
	free(l);
	return ret;
}

static inline int64_t load_record(const char *backend, const char *path, uint64_t seed,
				  uint32_t steps)
{
	return load_record_now(backend, path, seed, steps, 0);
}

/* A log: not a name from outside. */
static inline void load_remove(const char *path)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (system(command))
		abort();
}

/* Returns whether a replay has at least @events, of inboxes or not, and they are the same. */
static inline bool load_replays(const char *path, int64_t events)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LOAD_LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	int err = hft_replay(path, &opts, &result);

	printf("# %s: %" PRIu64 " records, %" PRIu64 " events, %" PRIu64 " immediate, %" PRIu64
	       " late, by up to %" PRIu64 " ns%s%s\n", result.backend, result.records,
	       result.events, result.immediate, result.late, result.latest_ns, err ? ": " : "",
	       err ? hft_strerror(err) : "");
	return !err && result.complete && events >= 0 &&
	       result.events + result.immediate >= (uint64_t)events;
}

#endif /* SELFTESTS_LIBHFT_RECORD_LOAD_H */
