/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on two backends, and what each says of them: a list of named values.  The
 * oracle is a simulated machine that has the clocks of this one.
 */
#ifndef SELFTESTS_LIBHFT_DIFFER_RUN_H
#define SELFTESTS_LIBHFT_DIFFER_RUN_H

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <hft/sim.h>

#include "../../libhft/src/engine/internal.h"
#include "differ.h"

/* A machine under load is late; who looks for a shorter sequence does not wait for that. */
#define PATIENCE_NS	(20 * NSEC_PER_SEC)
#define HASTE_NS	NSEC_PER_SEC

/* In what is translated from one clock to another; all times are further apart. */
#define LOOSE_NS	NSEC_PER_SEC

#define NOTICES		256
#define VALUES		16384

struct value {
	const char *name;
	uint64_t value;
	bool loose;
};

struct side {
	const char *name;
	struct hft *h;
	struct hft_sim *sim;		/* NULL: it is a real one */
	struct hft_ring *rings[RINGS];
	struct hft_ring_opts opts[RINGS];
	struct hft_ring *monitor;
	uint64_t ids[NUMBERS + 1];
	uint8_t clocks[NUMBERS + 1];
	bool tracked[NUMBERS + 1];
	uint64_t consumed[RINGS];	/* the last tracked task of each, or 0 */
	struct hft_event notices[NOTICES];
	uint32_t nr_notices;
	struct value values[VALUES];
	uint32_t nr;
};

static inline void say_time(struct side *s, const char *name, uint64_t value, bool loose)
{
	if (s->nr < VALUES)
		s->values[s->nr++] = (struct value){ name, value, loose };
}

static inline void say(struct side *s, const char *name, uint64_t value)
{
	say_time(s, name, value, false);
}

static inline uint64_t real_time(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* What lies between a clock and CLOCK_MONOTONIC, by the shortest of some readings. */
static inline uint64_t clock_offset(clockid_t id)
{
	uint64_t best = UINT64_MAX, offset = 0;
	int i;

	for (i = 0; i < 20; i++) {
		uint64_t before = real_time(CLOCK_MONOTONIC);
		uint64_t time = real_time(id);
		uint64_t width = real_time(CLOCK_MONOTONIC) - before;

		if (width >= best)
			continue;
		best = width;
		offset = time - before;
	}
	return offset;
}

static inline int side_open(struct side *s, const char *backend)
{
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = TASKS);
	char device[256];
	int err;

	snprintf(device, sizeof(device), "cpus=%ld,start_ns=%" PRIu64 ",realtime_ns=%" PRIu64
		 ",tai_ns=%" PRIu64, sysconf(_SC_NPROCESSORS_CONF), real_time(CLOCK_MONOTONIC),
		 clock_offset(CLOCK_REALTIME), clock_offset(CLOCK_TAI));
	s->name = backend;
	if (!strcmp(backend, "sim"))
		opts.device = device;
	err = hft_open(&s->h, &opts);
	if (!err)
		s->sim = hft_sim_of(s->h);
	return err;
}

static inline struct hft_ring *side_open_ring(struct side *s, const struct hft_ring_opts *opts)
{
	struct hft_ring *ring = NULL;
	int err = hft_ring_open(s->h, opts, &ring);

	if (err) {
		printf("Bail out! %s: %s\n", s->name, hft_strerror(err));
		exit(1);
	}
	return ring;
}

/* Rings that depend on @seed alone.  FAIR is by how long tasks have run: not comparable. */
static inline void side_open_rings(struct side *s, uint64_t seed)
{
	static const uint32_t windows[] = { 1, 1, 1, 2, 3, 8 };
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR, .entries = NOTICES);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t i;

	for (i = 0; i < RINGS; i++) {
		HFT_OPTS(hft_ring_opts, opts, .cpu = i % (uint32_t)cpus);

		opts.policy = random_below(&seed, HFT_POLICY_FAIR);
		opts.window = windows[random_below(&seed, 6)];
		opts.entries = 1U << random_below(&seed, 5);
		while (opts.entries < opts.window)
			opts.entries *= 2;
		if (!random_below(&seed, 4))
			opts.level_mask = 1 + random_below(&seed, HFT_LEVEL_MASK_ALL);
		opts.lead_ns = random_below(&seed, 3) * 1000;
		s->rings[i] = side_open_ring(s, &opts);
		s->opts[i] = opts;
		say(s, "number", hft_ring_number(s->rings[i]));
	}
	s->monitor = side_open_ring(s, &monitor);
}

static inline void side_close_rings(struct side *s)
{
	uint32_t i;

	for (i = 0; i < RINGS; i++)
		hft_ring_close(s->rings[i]);
	hft_ring_close(s->monitor);
}

/* The next calls are of the real machine, and so is its time. */
static inline void side_leave(void)
{
	hft_sim_current = NULL;
}

static inline void say_stats(struct side *s, uint32_t ring)
{
	struct hft_stats stats;

	say(s, "stats", (uint64_t)hft_stats(s->h, ring, &stats));
	say(s, "tasks", stats.tasks);
	say(s, "tasks_free", stats.tasks_free);
	say(s, "submitted", stats.submitted);
	say(s, "dispatched", stats.dispatched);
	say(s, "cancelled", stats.cancelled);
	say(s, "ended", stats.ended);
	say(s, "waiting", stats.waiting);
	say(s, "ready", stats.ready);
	/* Of all rings: what is told of this machine counts, too. */
	if (ring != HFT_STATS_CONTEXT)
		say(s, "in_flight", stats.in_flight);
	say(s, "full", stats.full);
	say(s, "bad_head", stats.bad_head);
	say(s, "overruns", stats.overruns);
	say(s, "deadline_misses", stats.deadline_misses);
}

static inline void say_event(struct side *s, const struct hft_event *event)
{
	uint64_t number = event->cookie < NUMBERS ? event->cookie : NUMBERS;
	bool loose = s->clocks[number] != HFT_CLOCK_MONOTONIC;

	say(s, "event.cookie", event->cookie);
	say(s, "event.task is that of the cookie", event->task == s->ids[number]);
	say_time(s, "event.release", event->release, loose);
	say_time(s, "event.deadline", event->deadline, loose);
	say(s, "event.result", (uint64_t)event->result);
	say(s, "event.type", event->type);
	say(s, "event.clock", event->clock);
	say(s, "event.level", event->level);
	say(s, "event.published is not before irq_entry", event->published >= event->irq_entry);
}

/* The next event, or what a look for one says.  Returns whether there is to be another. */
static inline bool consume(struct side *s, uint32_t number)
{
	struct hft_ring *ring = s->rings[number];
	const struct hft_event *event = hft_ring_peek(ring);
	int ret;

	say(s, "event", !!event);
	if (!event) {
		ret = hft_wait(ring, 0);
		say(s, "wait", (uint64_t)ret);
		return ret > 0;
	}
	say_event(s, event);
	say(s, "event.sequence", event->sequence);
	if (event->cookie < NUMBERS && s->tracked[event->cookie])
		s->consumed[number] = event->task;
	hft_ring_advance(ring);
	return true;
}

/* What has been consumed is noticed. */
static inline void look(struct side *s)
{
	struct hft_task_info info;
	uint32_t i;

	for (i = 0; i < RINGS; i++) {
		if (s->consumed[i])
			hft_task_state(s->h, s->consumed[i], &info);
		s->consumed[i] = 0;
	}
}

static inline void take_id(struct side *s, const struct hft_task *task, uint64_t id)
{
	s->ids[task->cookie] = id;
	s->clocks[task->cookie] = task->clock;
	s->tracked[task->cookie] = task->flags || task->after;
}

/* A task of the sequence, as this side has it: 0 was no task's number, or is none's now. */
static inline struct hft_task task_of(const struct side *s, const struct hft_task *from)
{
	struct hft_task task = *from;

	if (task.after)
		task.after = s->ids[task.after];
	return task;
}

static inline void run_submit(struct side *s, const struct op *op)
{
	struct hft_task task = task_of(s, &op->tasks[0]);
	uint64_t id = 0;
	int err = hft_submit(s->h, &task, &id);

	say(s, "result", (uint64_t)err);
	if (err == -EBUSY)
		say(s, "utilisation, ppm", id);
	take_id(s, &op->tasks[0], err ? 0 : id);
}

static inline void run_batch(struct side *s, const struct op *op)
{
	struct hft_task tasks[BATCH];
	int64_t results[BATCH];
	uint32_t i;

	for (i = 0; i < op->nr; i++)
		tasks[i] = task_of(s, &op->tasks[i]);
	say(s, "taken", (uint64_t)hft_submit_batch(s->h, tasks, op->nr, results));
	for (i = 0; i < op->nr; i++) {
		say(s, "result of a task", results[i] > 0 ? 1 : (uint64_t)results[i]);
		take_id(s, &op->tasks[i], results[i] > 0 ? (uint64_t)results[i] : 0);
	}
}

static inline void run_info(struct side *s, const struct op *op)
{
	struct hft_task_info info;
	int err = hft_task_state(s->h, s->ids[op->number], &info);

	say(s, "result", (uint64_t)err);
	if (err)
		return;
	say(s, "state", info.state);
	say(s, "ring", info.ring);
	say_time(s, "release", info.release, s->clocks[op->number] != HFT_CLOCK_MONOTONIC);
	say(s, "jobs", info.jobs);
	say(s, "missed", info.missed);
	say(s, "deadlines_missed", info.deadlines_missed);
}

static inline void run_halt(struct side *s, enum hft_halt_mode mode)
{
	struct hft_halt halt = { 0 };

	say(s, "result", (uint64_t)hft_halt(s->h, mode, 0, &halt));
	say(s, "stopped", halt.stopped);
	say(s, "rings", halt.rings);
}

static inline void run_op(struct side *s, const struct op *op)
{
	struct hft_modify modify = op->modify;

	switch (op->kind) {
	case SUBMIT:
		run_submit(s, op);
		break;
	case BATCHED:
		run_batch(s, op);
		break;
	case CANCEL:
		say(s, "result", (uint64_t)hft_cancel(s->h, s->ids[op->number]));
		break;
	case MODIFY:
		modify.task = s->ids[op->number];
		say(s, "result", (uint64_t)hft_modify(s->h, &modify));
		break;
	case INFO:
		run_info(s, op);
		break;
	case CONSUME:
		consume(s, op->ring);
		break;
	case WAIT:
		say(s, "wait", (uint64_t)hft_wait(s->rings[op->ring], 0));
		break;
	case HALT:
		run_halt(s, op->mode);
		break;
	default:
		say_stats(s, op->ring);
	}
}

static inline int compare_notices(const void *left, const void *right)
{
	const struct hft_event *a = left, *b = right;

	if (a->cookie != b->cookie)
		return a->cookie < b->cookie ? -1 : 1;
	return a->deadline < b->deadline ? -1 : a->deadline > b->deadline;
}

/*
 * Take the misses that there are, and @nr if they come; CPUs tell of them in any order.
 * What else is told is about this machine.
 */
static inline void take_notices(struct side *s, uint32_t nr, uint64_t patience)
{
	uint64_t end = real_time(CLOCK_MONOTONIC) + patience;
	const struct hft_event *event;

	s->nr_notices = 0;
	while (s->nr_notices < NOTICES) {
		event = hft_ring_peek(s->monitor);
		if (!event && s->nr_notices < nr && hft_wait(s->monitor, end) > 0)
			continue;
		if (!event)
			break;
		if (event->type == HFT_EVENT_MISS)
			s->notices[s->nr_notices++] = *event;
		hft_ring_advance(s->monitor);
	}
	qsort(s->notices, s->nr_notices, sizeof(s->notices[0]), compare_notices);
}

static inline bool stats_are_equal(const struct hft_stats *a, const struct hft_stats *b)
{
	return a->waiting == b->waiting && a->ready == b->ready &&
	       a->dispatched == b->dispatched && a->overruns == b->overruns &&
	       a->deadline_misses == b->deadline_misses;
}

struct pair {
	struct side subject;
	struct side oracle;
	uint64_t patience;
	char difference[256];
};

/* What is due happens: at once in the simulation, some time later in an interrupt. */
static inline void settle(struct pair *p, struct side *s)
{
	uint64_t end = real_time(CLOCK_MONOTONIC) + p->patience;
	struct hft_stats expected, stats;

	if (s->sim) {
		hft_sim_run_until(s->sim, hft_sim_now(s->sim) + 1000);
		take_notices(s, 0, 0);
		return;
	}
	hft_stats(p->oracle.h, HFT_STATS_CONTEXT, &expected);
	side_leave();
	do
		hft_stats(s->h, HFT_STATS_CONTEXT, &stats);
	while (!stats_are_equal(&expected, &stats) && real_time(CLOCK_MONOTONIC) < end);
	take_notices(s, p->oracle.nr_notices, p->patience);
}

static inline void say_notices(struct side *s)
{
	uint32_t i;

	say(s, "notices", s->nr_notices);
	for (i = 0; i < s->nr_notices; i++)
		say_event(s, &s->notices[i]);
}

/* All that is queued ends, in the order that it would. */
static inline void run_end(struct side *s)
{
	uint32_t i, n;

	run_halt(s, HFT_HALT_CANCEL);
	run_halt(s, HFT_HALT_NONE);
	for (i = 0; i < RINGS; i++) {
		for (n = 0; n < 4 * TASKS && consume(s, i); n++)
			;
		say_stats(s, i);
	}
}

static inline bool values_are_equal(const struct value *a, const struct value *b)
{
	uint64_t distance = a->value > b->value ? a->value - b->value : b->value - a->value;

	return !distance || (a->loose && distance < LOOSE_NS);
}

/* Returns whether both have said the same, and forgets it. */
static inline bool pair_agrees(struct pair *p, const char *what, uint32_t index)
{
	const struct side *a = &p->subject, *b = &p->oracle;
	uint32_t i;

	for (i = 0; i < a->nr && i < b->nr; i++) {
		if (strcmp(a->values[i].name, b->values[i].name) ||
		    !values_are_equal(&a->values[i], &b->values[i]))
			break;
	}
	if (i < a->nr || i < b->nr)
		snprintf(p->difference, sizeof(p->difference),
			 "%s (operation %u): %s is %" PRId64 " with %s, %s is %" PRId64 " with %s",
			 what, index, i < a->nr ? a->values[i].name : "nothing",
			 i < a->nr ? (int64_t)a->values[i].value : 0, a->name,
			 i < b->nr ? b->values[i].name : "nothing",
			 i < b->nr ? (int64_t)b->values[i].value : 0, b->name);
	p->subject.nr = 0;
	p->oracle.nr = 0;
	return !p->difference[0];
}

static inline void do_look(struct side *s, const struct op *op)
{
	(void)op;
	look(s);
}

static inline void do_op(struct side *s, const struct op *op)
{
	if (op)
		run_op(s, op);
	else
		run_end(s);
}

/* The oracle goes first: it knows how many notices there will be. */
static inline void pair_each(struct pair *p, void (*fn)(struct side *s, const struct op *op),
			     const struct op *op)
{
	struct side *sides[] = { &p->oracle, &p->subject };
	int i;

	for (i = 0; i < 2; i++) {
		struct side *s = sides[i];

		fn(s, op);
		settle(p, s);
		say_notices(s);
		say_stats(s, HFT_STATS_CONTEXT);
		side_leave();
	}
}

/* A batch is to find no end of a task, which may release others: see draw_tasks(). */
static inline bool pair_do(struct pair *p, const struct op *op, uint32_t index)
{
	if (op && op->kind == BATCHED)
		pair_each(p, do_look, op);
	pair_each(p, do_op, op);
	return pair_agrees(p, op ? kind_names[op->kind] : "end", index);
}

/* Returns whether both backends did the same. */
static inline bool pair_run(struct pair *p, const struct op *ops, uint32_t nr)
{
	uint32_t i;

	p->difference[0] = '\0';
	memset(p->subject.ids, 0, sizeof(p->subject.ids));
	memset(p->oracle.ids, 0, sizeof(p->oracle.ids));
	for (i = 0; i < nr; i++) {
		if (!pair_do(p, &ops[i], i))
			return false;
	}
	return pair_do(p, NULL, nr);
}

#endif /* SELFTESTS_LIBHFT_DIFFER_RUN_H */
