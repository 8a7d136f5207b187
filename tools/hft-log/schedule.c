// SPDX-License-Identifier: LGPL-2.1-or-later
/* The schedule that a log has. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "schedule.h"

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

static uint64_t number_of(const struct hft_log_view *view, const char *name)
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
		at = number_of(view, "at");
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
		like.worker = number_of(view, "ring");
	if (like.kind == SCHEDULE_POOL)
		like.worker = number_of(view, "worker");
	if (like.kind == SCHEDULE_RING)
		like.cpu = number_of(view, "cpu");
	return find_lane(schedule, &like, &event->lane);
}

static uint64_t time_of(const struct event *event, const char *name)
{
	uint64_t ns = number_of(event->view, name);

	return ns ? ns + event->offset : 0;
}

static int begin(struct schedule *schedule, const struct event *event)
{
	struct schedule_lane *lane = event->lane;
	struct schedule_run *run = &lane->runs[lane->depth];

	if (lane->depth == SCHEDULE_DEPTH) {
		schedule->unmatched++;
		return 0;
	}
	lane->depth++;
	*run = (struct schedule_run){
		.from = event->at,
		.release = is(event, "start") ? time_of(event, "release") : 0,
		.deadline = time_of(event, "deadline"),
		.task = number_of(event->view, "task"),
		.cookie = number_of(event->view, "cookie"),
		.level = number_of(event->view, "level"),
		.fn = number_of(event->view, "fn"),
	};
	return 0;
}

static bool is_run(const struct schedule_run *run, const struct event *event)
{
	return run->task == number_of(event->view, "task") &&
	       run->cookie == number_of(event->view, "cookie") &&
	       run->fn == number_of(event->view, "fn");
}

/* What is above it in the lane has been lost: that ends, too. */
static int finish(struct schedule *schedule, const struct event *event, bool ended)
{
	struct schedule_lane *lane = event->lane;
	uint32_t depth = lane->depth;
	int err = 0;

	while (depth && !is_run(&lane->runs[depth - 1], event))
		depth--;
	if (!depth) {
		schedule->unmatched++;
		return 0;
	}
	while (lane->depth >= depth && !err) {
		lane->depth--;
		err = schedule->span(schedule, lane, &lane->runs[lane->depth], event->at,
				     ended && lane->depth + 1 == depth);
	}
	return err;
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

	if (err)
		return err;
	if (event.lane->kind == SCHEDULE_THREAD)
		return schedule->mark(schedule, event.lane, event.at, view);
	if (is(&event, "start") || is(&event, "resume"))
		return begin(schedule, &event);
	if (is(&event, "end"))
		return finish(schedule, &event, true);
	if (is(&event, "preempt") || is(&event, "block"))
		return finish(schedule, &event, false);
	return schedule->mark(schedule, event.lane, event.at, view);
}

int schedule_end(struct schedule *schedule)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < schedule->nr_lanes; i++) {
		struct schedule_lane *lane = schedule->lanes[i];

		while (lane->depth && !err) {
			lane->depth--;
			err = schedule->span(schedule, lane, &lane->runs[lane->depth],
					     schedule->last[lane->simulated], false);
		}
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
	else
		snprintf(text, size, "%s[%u]", stream->thread, stream->tid);
}
