// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A thread runs from the sched_switch to it until the one from it.  An interrupt is between two
 * events of one name, which end in _entry and _exit: those of irq and irq_vectors.
 *
 * Exits may not be in the log, as where only entries were asked for.  A hard interrupt is
 * interrupted by none, a softirq's tasklet by hard ones, and a softirq by both: none of these is
 * in one of its own kind.  A hard one is on its CPU to the end; a softirq's thread may be preempted
 * with PREEMPT_RT.  One that can not be any more has no other end than the last event of
 * interrupts before.
 */
#include <stdio.h>
#include <string.h>

#include "schedule_kernel.h"

#define ENTRY	"_entry"
#define EXIT	"_exit"

enum { SOFTIRQ, TASKLET, HARD };	/* of a run: its level */

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), end = strlen(with);

	return length > end && !strcmp(text + length - end, with);
}

enum schedule_kind schedule_kernel_kind(const struct hft_log_view *view)
{
	const char *name = view->site->name;

	if (view->stream->cpu < 0)
		return SCHEDULE_THREAD;
	if (!strcmp(name, "sched:sched_switch"))
		return SCHEDULE_CPU;
	if ((begins(name, "irq:") || begins(name, "irq_vectors:")) &&
	    (ends(name, ENTRY) || ends(name, EXIT)))
		return SCHEDULE_IRQ;
	return SCHEDULE_EVENTS;
}

static const char *text_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;
	const union hft_log_view_value *value = hft_log_view_find(view, name, &type);

	return value && type == HFT_LOG_STRING ? value->s : "";
}

/* What runs in @lane and is of @kind, or may only be within that, is over. */
static int cut_interrupts(struct schedule *schedule, struct schedule_lane *lane, unsigned int kind)
{
	int err = 0;

	while (!err && lane->depth && lane->runs[lane->depth - 1].level >= kind)
		err = schedule_pop(schedule, lane, lane->last, false);
	return err;
}

/* The last that is known of a CPU. */
static uint64_t last_of(const struct schedule *schedule, const struct hft_log_view_stream *stream)
{
	uint64_t last = 0;
	uint32_t i;

	for (i = 0; i < schedule->nr_lanes; i++) {
		const struct schedule_lane *lane = schedule->lanes[i];

		if (lane->stream == stream && lane->last > last)
			last = lane->last;
	}
	return last;
}

uint64_t schedule_kernel_last(const struct schedule *schedule, const struct schedule_lane *of)
{
	uint64_t last = of->last;
	uint32_t i;

	for (i = 0; i < schedule->nr_lanes; i++) {
		const struct schedule_lane *lane = schedule->lanes[i];

		if (of->kind != SCHEDULE_IRQ && lane->stream->log == of->stream->log &&
		    schedule_is_kernel(lane) && lane->last > last)
			last = lane->last;
	}
	return last;
}

int schedule_kernel_cut(struct schedule *schedule, const struct hft_log_view_stream *stream)
{
	uint64_t last = last_of(schedule, stream);
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < schedule->nr_lanes; i++) {
		struct schedule_lane *lane = schedule->lanes[i];

		if (lane->stream == stream)
			err = schedule_cut(schedule, lane,
					   lane->kind == SCHEDULE_IRQ ? lane->last : last);
	}
	return err;
}

/* The thread that they have interrupted has left the CPU. */
static int cut_hard(struct schedule *schedule, const struct hft_log_view_stream *stream)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < schedule->nr_lanes; i++) {
		struct schedule_lane *lane = schedule->lanes[i];

		if (lane->stream == stream && lane->kind == SCHEDULE_IRQ)
			err = cut_interrupts(schedule, lane, HARD);
	}
	return err;
}

bool schedule_kernel_is_lost(const struct schedule *schedule, const struct hft_log_view *view)
{
	uint32_t i;

	if (strcmp(view->site->subsystem, "hft") || strcmp(view->site->name, "lost"))
		return false;
	for (i = 0; i < schedule->nr_lanes; i++) {
		const struct schedule_lane *lane = schedule->lanes[i];

		if (lane->stream == view->stream && schedule_is_kernel(lane))
			return true;
	}
	return false;
}

/* Where it is not what ran here, what was between is not in the log. */
static int take_switch(struct schedule *schedule, struct schedule_lane *lane, uint64_t at,
		       const struct hft_log_view *view)
{
	struct schedule_run next = {
		.from = at, .task = schedule_number(view, "next_pid"),
		.level = schedule_number(view, "next_prio"),
	};
	const struct schedule_run from = { .task = schedule_number(view, "prev_pid") };
	int err = cut_hard(schedule, view->stream);

	if (err)
		return err;
	if (lane->depth && lane->runs[0].task == from.task) {
		lane->runs[0].state = schedule_number(view, "prev_state");
		err = schedule_finish(schedule, lane, &from, at, true);
	} else if (lane->depth) {
		err = schedule_kernel_cut(schedule, view->stream);
	}
	if (err || !next.task)		/* the idle thread */
		return err;
	snprintf(next.name, sizeof(next.name), "%s", text_of(view, "next_comm"));
	schedule_begin(schedule, lane, &next);
	return 0;
}

static unsigned int kind_of(const char *base)
{
	return begins(base, "softirq_") ? SOFTIRQ : begins(base, "tasklet_") ? TASKLET : HARD;
}

/* As "irq 24 eth0", "softirq TIMER", "local_timer". */
static void name_irq(struct schedule_run *run, const struct hft_log_view *view, const char *base,
		     int length)
{
	static const char *const softirqs[] = { "HI", "TIMER", "NET_TX", "NET_RX", "BLOCK",
						"IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU" };

	if (begins(base, "irq_handler_"))
		snprintf(run->name, sizeof(run->name), "irq %u %s", (unsigned int)run->task,
			 text_of(view, "name"));
	else if (begins(base, "softirq_") && run->task < sizeof(softirqs) / sizeof(softirqs[0]))
		snprintf(run->name, sizeof(run->name), "softirq %s", softirqs[run->task]);
	else
		snprintf(run->name, sizeof(run->name), "%.*s", length, base);
}

static int take_irq(struct schedule *schedule, struct schedule_lane *lane, uint64_t at,
		    const struct hft_log_view *view)
{
	static const char *const numbers[] = { "irq", "vec", "vector", "tasklet" };
	const char *base = strchr(view->site->name, ':') + 1;
	bool is_entry = ends(base, ENTRY);
	int length = (int)(strlen(base) - strlen(is_entry ? ENTRY : EXIT));
	struct schedule_run run = { .from = at, .level = kind_of(base) };
	size_t i;
	int err;

	for (i = 0; !run.task && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		run.task = schedule_number(view, numbers[i]);
	/* Which of them it is: no two begin alike and have the same number. */
	memcpy(&run.fn, base, length < (int)sizeof(run.fn) ? (size_t)length : sizeof(run.fn));
	err = cut_interrupts(schedule, lane, (unsigned int)run.level + !is_entry);
	if (err)
		return err;
	if (!is_entry)
		return schedule_finish(schedule, lane, &run, at, true);
	name_irq(&run, view, base, length);
	schedule_begin(schedule, lane, &run);
	return 0;
}

int schedule_kernel_take(struct schedule *schedule, struct schedule_lane *lane, uint64_t at,
			 const struct hft_log_view *view)
{
	if (lane->kind == SCHEDULE_CPU)
		return take_switch(schedule, lane, at, view);
	if (lane->kind == SCHEDULE_IRQ)
		return take_irq(schedule, lane, at, view);
	return schedule->mark(schedule, lane, at, view);
}
