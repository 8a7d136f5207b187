/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replay: what a handle did while HFT_RECORD named a log, again, on a simulated machine.
 *
 * The record has what was asked for and when, when each event was written to its ring and
 * when the consumer was done with it.  The simulated machine is told the same at the same
 * time, and has to choose the same event whenever one was written.
 */
#ifndef HFT_REPLAY_H
#define HFT_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <hft/hft.h>
#include <hft/stats.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * typedef hft_replay_fn - called for each dispatch, in the order of time, and for each task of
 *	hft_submit_now() that a worker takes, whose event has task 0
 * @ring: number of the ring
 * @recorded: the event as it was
 * @replayed: as the simulated machine has it; ids and times of writing are its own
 * @arg: of &struct hft_replay_opts
 */
typedef void (*hft_replay_fn)(uint32_t ring, const struct hft_event *recorded,
			      const struct hft_event *replayed, void *arg);

struct hft_replay_opts {
	size_t sz;
	uint64_t late_ns;		/* 10 ms: so late may a timer have been */
	uint64_t max_steps;		/* 10^8 of the simulation, some 100 ns each */
	hft_replay_fn fn;
	void *arg;
	uint32_t handle;		/* 1: of those that the log has, from 1 on */
	uint32_t reserved;
	const char *output;		/* a new log of what is decided; NULL: none */
};

/**
 * struct hft_replay_rival - a task that competes for its ring; times are CLOCK_MONOTONIC
 * @task: its id, as it was recorded
 * @cookie: likewise
 * @release: of its job
 * @deadline: of its job, or 0
 * @laxity_ns: what is left until the deadline less the WCET; 0 without a deadline
 * @key: by the ring's policy and the level: the least goes first
 * @submitted: its place in the order of submission to its CPU: the first of equal keys
 * @known_ns: for how long it could have been dispatched
 * @level: &enum hft_level, raised or not
 * @reserved: zero
 */
struct hft_replay_rival {
	uint64_t task;
	uint64_t cookie;
	uint64_t release;
	uint64_t deadline;
	int64_t laxity_ns;
	uint64_t key;
	uint64_t submitted;
	uint64_t known_ns;
	uint32_t level;
	uint32_t reserved;
};

/**
 * struct hft_replay_difference - the first dispatch that is another one
 * @record: its number in the record
 * @time: when it was recorded
 * @ring: of the event
 * @policy: &enum hft_policy of the ring then
 * @went: the task that was dispatched, if @better is there
 * @better: the task that goes before it; its id is 0: something else differs
 */
struct hft_replay_difference {
	uint64_t record;
	uint64_t time;
	uint32_t ring;
	uint32_t policy;
	struct hft_replay_rival went;
	struct hft_replay_rival better;
};

/**
 * struct hft_replay_result - what came of it
 * @sz: of the struct
 * @records: of the handle
 * @events: dispatches that are the same, up to the first that is not
 * @late: of these, how many others should have been before, and had timers that were
 *	late, or threads that submitted at the same time
 * @latest_ns: by how much, at most
 * @backend: what was recorded
 * @handles: that the log has records of
 * @complete: the handle was closed; 0: its process was killed, or recorded it no more, and
 *	what it did until then is replayed
 * @difference: after -EPROTO by a dispatch, or a worker's choice; its time is 0: there is none
 * @immediate: tasks of hft_submit_now() that workers have taken, and take again, as @events
 */
struct hft_replay_result {
	size_t sz;
	uint64_t records;
	uint64_t events;
	uint64_t late;
	uint64_t latest_ns;
	char backend[16];
	uint32_t handles;
	uint32_t complete;
	struct hft_replay_difference difference;
	uint64_t immediate;
};

int hft_replay(const char *path, const struct hft_replay_opts *opts,
	       struct hft_replay_result *result);

/* hft_what_if.fields */
#define HFT_WHAT_IF_POLICY	(1U << 0)
#define HFT_WHAT_IF_LEAD	(1U << 1)
#define HFT_WHAT_IF_CPUS	(1U << 2)
#define HFT_WHAT_IF_COST	(1U << 3)

#define HFT_WHAT_IF_MOST_PPM	1000000000ULL

/**
 * struct hft_what_if - what is to be other
 * @sz: of the struct
 * @fields: HFT_WHAT_IF_* bits: which of these
 * @policy: &enum hft_policy, of all rings, always
 * @cpus: the machine has so many: a ring of CPU n is on n modulo that
 * @reserved: zero
 * @lead_ns: of all rings: 1 ms at most
 * @cost_ppm: what tasks take, parts per million of what they did, up to
 *	%HFT_WHAT_IF_MOST_PPM
 */
struct hft_what_if {
	size_t sz;
	uint32_t fields;
	uint32_t policy;
	uint32_t cpus;
	uint32_t reserved;
	uint64_t lead_ns;
	uint64_t cost_ppm;
};

/**
 * struct hft_what_if_side - how tasks have fared, before or after the change
 * @jobs: that were released
 * @ended: of these
 * @missed: deadlines that came before the end
 * @dropped: that did not run: it was too late, or their ring was closed
 * @refused: tasks that were not taken
 * @response: from the release to the end, ns
 * @start: from the release to the start: by how much the dispatch was off, ns
 */
struct hft_what_if_side {
	uint64_t jobs;
	uint64_t ended;
	uint64_t missed;
	uint64_t dropped;
	uint64_t refused;
	struct hft_hist_summary response;
	struct hft_hist_summary start;
};

/**
 * struct hft_what_if_row - of the tasks of a ring and class
 * @ring: its number
 * @task_class: &hft_task.task_class
 * @before: as the model has it without a change
 * @after: and with it
 * @recorded_missed: deadlines that came before the end when it was recorded
 */
struct hft_what_if_row {
	uint32_t ring;
	uint32_t task_class;
	struct hft_what_if_side before;
	struct hft_what_if_side after;
	uint64_t recorded_missed;
};

typedef void (*hft_what_if_fn)(const struct hft_what_if_row *row, void *arg);

int hft_replay_what_if(const char *path, const struct hft_replay_opts *opts,
		       const struct hft_what_if *change, hft_what_if_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* HFT_REPLAY_H */
