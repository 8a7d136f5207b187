// SPDX-License-Identifier: LGPL-2.1-or-later
/* The schedule that a log has. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "schedule.h"
#include "schedule_kernel.h"

#define SIMULATED_NS	1000000000ull

/**
 * struct event - a record, as far as it is of the schedule
 * @lane: where it was
 * @view: it
 * @at: when
 * @offset: from the machine's monotonic clock to the time of @at
 */
struct event {
	struct schedule_lane *lane;
	const struct hft_log_view *view;
	uint64_t at;
	uint64_t offset;
};

uint64_t schedule_number(const struct hft_log_view *view, const char *name)
{
	uint8_t type;
	const union hft_log_view_value *value = hft_log_view_find(view, name, &type);

	if (!value || type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL || type == HFT_LOG_DOUBLE)
		return 0;
	return value->u;
}

static bool is_of(const struct hft_log_view *view, const char *subsystem)
{
	return !strcmp(view->site->subsystem, subsystem) && view->site->name[0];
}

static bool is(const struct event *event, const char *name)
{
	return !strcmp(event->view->site->name, name);
}

static struct schedule_lane *add_lane(struct schedule *schedule, const struct schedule_lane *like)
{
	uint32_t nr = schedule->nr_lanes;
	struct schedule_lane **lanes, *lane;

	lanes = reallocarray(schedule->lanes, nr + 1, sizeof(lanes[0]));
	if (!lanes)
		return NULL;
	schedule->lanes = lanes;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	*lane = *like;
	lane->number = nr;
	lanes[nr] = lane;
	schedule->nr_lanes++;
	return lane;
}

static bool is_lane(const struct schedule_lane *lane, const struct schedule_lane *like)
{
	return lane->stream == like->stream && lane->kind == like->kind &&
	       lane->simulated == like->simulated && lane->cpu == like->cpu &&
	       lane->worker == like->worker;
}

static int find_lane(struct schedule *schedule, const struct schedule_lane *like,
		     struct schedule_lane **found)
{
	uint32_t i;

	for (i = 0; i < schedule->nr_lanes; i++) {
		*found = schedule->lanes[i];
		if (is_lane(*found, like))
			return 0;
	}
	*found = add_lane(schedule, like);
	if (!*found)
		return fail(ENOMEM, "the schedule");
	return schedule->lane(schedule, *found);
}

/* Does the event begin or end a run of a lane, or is it of what a lane is to run? */
static enum schedule_kind kind_of(const struct hft_log_view *view)
{
	static const char *const jobs[] = { "start", "end", "preempt", "resume", "block", "miss",
					    "dispatch", "release", "drop", "skip" };
	size_t i;

	if (is_of(view, "kernel"))
		return schedule_kernel_kind(view);
	if (is_of(view, "pool"))
		return SCHEDULE_POOL;
	for (i = 0; is_of(view, "sched") && i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (!strcmp(view->site->name, jobs[i]))
			return SCHEDULE_RING;
	}
	return SCHEDULE_THREAD;
}

/* When it was; whether that is the time of a simulated machine. */
static bool when(struct event *event)
{
	const struct hft_log_view *view = event->view;
	uint64_t at = view->monotonic;

	if (is_of(view, "sched") || is_of(view, "pool"))
		at = schedule_number(view, "at");
	event->at = at;
	event->offset = 0;
	if (at > view->monotonic + SIMULATED_NS || at + SIMULATED_NS < view->monotonic)
		return true;
	event->offset = view->time - view->monotonic;
	event->at += event->offset;
	return false;
}

static int locate(struct schedule *schedule, const struct hft_log_view *view, struct event *event)
{
	struct schedule_lane like = { .stream = view->stream, .kind = kind_of(view) };

	event->view = view;
	like.simulated = when(event);
	if (event->at > schedule->last[like.simulated])
		schedule->last[like.simulated] = event->at;
	if (like.kind == SCHEDULE_RING)
		like.worker = schedule_number(view, "ring");
	if (like.kind == SCHEDULE_POOL)
		like.worker = schedule_number(view, "worker");
	if (like.kind == SCHEDULE_RING)
		like.cpu = schedule_number(view, "cpu");
	if (schedule_kernel_is_lost(schedule, view))
		like.kind = SCHEDULE_EVENTS;
	if (schedule_is_kernel(&like))
		like.cpu = (uint64_t)view->stream->cpu;
	return find_lane(schedule, &like, &event->lane);
}

static uint64_t time_of(const struct event *event, const char *name)
{
	uint64_t ns = schedule_number(event->view, name);

	return ns ? ns + event->offset : 0;
}

void schedule_begin(struct schedule *schedule, struct schedule_lane *lane,
		    const struct schedule_run *run)
{
	if (lane->depth == SCHEDULE_DEPTH)
		schedule->unmatched += !schedule_is_kernel(lane);
	else
		lane->runs[lane->depth++] = *run;
}

static void begin(struct schedule *schedule, const struct event *event)
{
	const struct schedule_run run = {
		.from = event->at,
		.release = is(event, "start") ? time_of(event, "release") : 0,
		.deadline = time_of(event, "deadline"),
		.task = schedule_number(event->view, "task"),
		.cookie = schedule_number(event->view, "cookie"),
		.level = schedule_number(event->view, "level"),
		.fn = schedule_number(event->view, "fn"),
	};

	schedule_begin(schedule, event->lane, &run);
}

static bool is_run(const struct schedule_run *run, const struct schedule_run *like)
{
	return run->task == like->task && run->cookie == like->cookie && run->fn == like->fn;
}

int schedule_pop(struct schedule *schedule, struct schedule_lane *lane, uint64_t at, bool ended)
{
	lane->depth--;
	return schedule->span(schedule, lane, &lane->runs[lane->depth], at, ended);
}

/* What is above it in the lane has been lost: that ends, too. */
int schedule_finish(struct schedule *schedule, struct schedule_lane *lane,
		    const struct schedule_run *like, uint64_t at, bool ended)
{
	uint32_t depth = lane->depth;
	int err = 0;

	while (depth && !is_run(&lane->runs[depth - 1], like))
		depth--;
	if (!depth) {
		/* The kernel's events begin amid what it does. */
		schedule->unmatched += !schedule_is_kernel(lane);
		return 0;
	}
	while (lane->depth >= depth && !err)
		err = schedule_pop(schedule, lane, at, ended && lane->depth == depth);
	return err;
}

static int finish(struct schedule *schedule, const struct event *event, bool ended)
{
	const struct schedule_run like = {
		.task = schedule_number(event->view, "task"),
		.cookie = schedule_number(event->view, "cookie"),
		.fn = schedule_number(event->view, "fn"),
	};

	return schedule_finish(schedule, event->lane, &like, event->at, ended);
}

int schedule_cut(struct schedule *schedule, struct schedule_lane *lane, uint64_t at)
{
	int err = 0;

	while (lane->depth && !err)
		err = schedule_pop(schedule, lane, at, false);
	return err;
}

bool schedule_is_kernel(const struct schedule_lane *lane)
{
	return lane->kind >= SCHEDULE_CPU;
}

static int take(struct schedule *schedule, const struct event *event)
{
	if (is(event, "start") || is(event, "resume")) {
		begin(schedule, event);
		return 0;
	}
	if (is(event, "end"))
		return finish(schedule, event, true);
	if (is(event, "preempt") || is(event, "block"))
		return finish(schedule, event, false);
	return schedule->mark(schedule, event->lane, event->at, event->view);
}

/**
 * schedule_take() - the next record
 * @schedule: it
 * @view: of a reader of all subsystems that are wanted
 *
 * Return: 0 or a negative errno.
 */
int schedule_take(struct schedule *schedule, const struct hft_log_view *view)
{
	struct event event;
	int err = locate(schedule, view, &event);

	if (!err && schedule_kernel_is_lost(schedule, view))
		err = schedule_kernel_cut(schedule, view->stream);
	if (err)
		return err;
	if (event.lane->kind == SCHEDULE_THREAD)
		err = schedule->mark(schedule, event.lane, event.at, view);
	else if (schedule_is_kernel(event.lane))
		err = schedule_kernel_take(schedule, event.lane, event.at, view);
	else
		err = take(schedule, &event);
	event.lane->last = event.at;
	return err;
}

int schedule_end(struct schedule *schedule)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < schedule->nr_lanes; i++) {
		struct schedule_lane *lane = schedule->lanes[i];

		err = schedule_cut(schedule, lane, schedule_is_kernel(lane) ?
				   schedule_kernel_last(schedule, lane) :
				   schedule->last[lane->simulated]);
	}
	if (schedule->unmatched)
		fprintf(stderr, "hft-log: %" PRIu64 " runs end here that do not begin here\n",
			schedule->unmatched);
	return err;
}

void schedule_free(struct schedule *schedule)
{
	uint32_t i;

	for (i = 0; i < schedule->nr_lanes; i++)
		free(schedule->lanes[i]);
	free(schedule->lanes);
}

void schedule_lane_name(const struct schedule_lane *lane, char *text, size_t size)
{
	const struct hft_log_view_stream *stream = lane->stream;

	if (lane->kind == SCHEDULE_RING)
		snprintf(text, size, "CPU %" PRIu64 " ring %" PRIu64 " %s[%u]", lane->cpu,
			 lane->worker, stream->thread, stream->tid);
	else if (lane->kind == SCHEDULE_POOL)
		snprintf(text, size, "pool worker %" PRIu64 " %s[%u]", lane->worker,
			 stream->thread, stream->tid);
	else if (schedule_is_kernel(lane))
		snprintf(text, size, "CPU %" PRIu64 "%s", lane->cpu,
			 lane->kind == SCHEDULE_IRQ ? " irq" :
			 lane->kind == SCHEDULE_EVENTS ? " events" : "");
	else
		snprintf(text, size, "%s[%u]", stream->thread, stream->tid);
}
