// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl replay */
#include <stdio.h>
#include <hft/hft.h>
#include <hft/replay.h>

#include "hftctl.h"

static void add_event(uint32_t ring, const struct hft_event *recorded,
		      const struct hft_event *replayed, void *arg)
{
	json_array_append_new(arg, json_pack(
		"{s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:i}",
		"time_ns", (json_int_t)recorded->published,
		"ring", (int)ring,
		"event", (json_int_t)replayed->sequence,
		"task", (json_int_t)recorded->task,
		"cookie", (json_int_t)recorded->cookie,
		"release_ns", (json_int_t)replayed->release,
		"deadline_ns", (json_int_t)replayed->deadline,
		"level", (int)replayed->level,
		"result", (int)replayed->result));
}

static json_t *summary(const struct hft_replay_result *result)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}",
			 "backend", result->backend,
			 "records", (json_int_t)result->records,
			 "events", (json_int_t)result->events,
			 "late", (json_int_t)result->late,
			 "latest_ns", (json_int_t)result->latest_ns);
}

int replay_file(const char *path, const struct replay_args *args, json_t **value)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = args->late_ns);
	struct hft_replay_result result;
	json_t *events = json_array();
	int err;

	if (args->events) {
		opts.fn = add_event;
		opts.arg = events;
	}
	err = hft_replay(path, &opts, &result);
	if (err) {
		fail_hft(err, "replay");
		json_decref(events);
		return err;
	}
	*value = args->events ? events : summary(&result);
	if (!args->events)
		json_decref(events);
	return 0;
}
