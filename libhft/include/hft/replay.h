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

#ifdef __cplusplus
extern "C" {
#endif

/**
 * typedef hft_replay_fn - called for each dispatch, in the order of time
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
};

/**
 * struct hft_replay_result - what came of it
 * @records: of the handle
 * @events: that are the same, up to the first that is not
 * @late: of these, how many others should have been before, and had timers that were
 *	late, or threads that submitted at the same time
 * @latest_ns: by how much, at most
 * @backend: what was recorded
 * @handles: that the log has records of
 * @complete: the handle was closed; 0: its process was killed, or recorded it no more, and
 *	what it did until then is replayed
 */
struct hft_replay_result {
	uint64_t records;
	uint64_t events;
	uint64_t late;
	uint64_t latest_ns;
	char backend[16];
	uint32_t handles;
	uint32_t complete;
};

int hft_replay(const char *path, const struct hft_replay_opts *opts,
	       struct hft_replay_result *result);

#ifdef __cplusplus
}
#endif

#endif /* HFT_REPLAY_H */
