/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schedule that a log has, made of the events of subsystems sched, pool and kernel: who ran
 * what, from when to when.
 *
 * A lane is what runs one thing at a time: the worker of a ring, a worker of a pool, a CPU, and
 * its interrupts, which nest; all else that a thread has logged, or the kernel on a CPU, is in a
 * lane of its own.  Times are UTC, ns, of when an event was, which is before its record.  A
 * simulated machine has its own time: an event that is more than a second away from its record is
 * of one.
 */
#ifndef HFT_LOG_TOOL_SCHEDULE_H
#define HFT_LOG_TOOL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <hft/log_read.h>

enum schedule_kind {
	SCHEDULE_THREAD,
	SCHEDULE_RING,
	SCHEDULE_POOL,
	SCHEDULE_CPU,		/* these by the kernel: threads */
	SCHEDULE_IRQ,		/* interrupts, of both kinds */
	SCHEDULE_EVENTS,	/* all else */
};

#define SCHEDULE_DEPTH	64		/* tasks of a pool that wait in each other */
#define SCHEDULE_NAME	32

/**
 * struct schedule_run - something that runs
 * @from: since when
 * @release: from when it could have run; 0: not known, or it has run before
 * @deadline: in the same time, or 0
 * @task: its id; of a CPU's the thread's, of an interrupt its number
 * @cookie: its
 * @level: &enum hft_level; of a CPU's the thread's priority; of an interrupt, see schedule_kernel.c
 * @fn: of a pool's; of an interrupt, how its event's name begins
 * @state: of a CPU's that has ended: why it runs no longer, as sched_switch has it
 * @name: of a CPU's thread, or of an interrupt; "": it has none
 */
struct schedule_run {
	uint64_t from;
	uint64_t release;
	uint64_t deadline;
	uint64_t task;
	uint64_t cookie;
	uint64_t level;
	uint64_t fn;
	uint64_t state;
	char name[SCHEDULE_NAME];
};

/**
 * struct schedule_lane - what runs one thing at a time
 * @stream: the thread, or one of them
 * @kind: &enum schedule_kind
 * @simulated: its time is a machine's
 * @cpu: of a ring's and of the kernel's
 * @worker: number of the ring, or of the worker
 * @number: from 0, in the order in which they are seen
 * @last: time of its last event
 * @depth: how much runs
 * @runs: that
 */
struct schedule_lane {
	const struct hft_log_view_stream *stream;
	enum schedule_kind kind;
	bool simulated;
	uint64_t cpu;
	uint64_t worker;
	uint32_t number;
	uint64_t last;
	uint32_t depth;
	struct schedule_run runs[SCHEDULE_DEPTH];
};

/**
 * struct schedule - what is told, each 0 or a negative errno that ends it
 * @lane: there is one more
 * @span: @run has run until @to; @ended: it is over, and not only preempted, or cut off
 * @mark: something else has happened @at
 * @context: of the caller
 */
struct schedule {
	int (*lane)(struct schedule *schedule, const struct schedule_lane *lane);
	int (*span)(struct schedule *schedule, const struct schedule_lane *lane,
		    const struct schedule_run *run, uint64_t to, bool ended);
	int (*mark)(struct schedule *schedule, const struct schedule_lane *lane, uint64_t at,
		    const struct hft_log_view *view);
	void *context;

	struct schedule_lane **lanes;
	uint32_t nr_lanes;
	uint64_t last[2];		/* time of the last event, by schedule_lane.simulated */
	uint64_t unmatched;		/* ends of what has not begun here */
};

/* 0 or a negative errno, which was told unless it is a callback's. */
int schedule_take(struct schedule *schedule, const struct hft_log_view *view);

/* For who makes lanes of other events: @run begins, and the one of its task and @fn is over. */
uint64_t schedule_number(const struct hft_log_view *view, const char *name);
void schedule_begin(struct schedule *schedule, struct schedule_lane *lane,
		    const struct schedule_run *run);
int schedule_finish(struct schedule *schedule, struct schedule_lane *lane,
		    const struct schedule_run *like, uint64_t at, bool ended);

/* The last that has begun is over. */
int schedule_pop(struct schedule *schedule, struct schedule_lane *lane, uint64_t at, bool ended);

/* Nothing is known of what runs in @lane after @at. */
int schedule_cut(struct schedule *schedule, struct schedule_lane *lane, uint64_t at);
bool schedule_is_kernel(const struct schedule_lane *lane);

/*
 * What runs yet runs until the last event, the kernel's threads until the last of its log; of
 * interrupts nothing says so.
 */
int schedule_end(struct schedule *schedule);
void schedule_free(struct schedule *schedule);

/* As "CPU 3 ring 0 hft/3.0[4711]". */
void schedule_lane_name(const struct schedule_lane *lane, char *text, size_t size);

#endif /* HFT_LOG_TOOL_SCHEDULE_H */
