/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the replay share.
 *
 *   replay_read.c	reads a record
 *   replay_order.c	finds out when what was asked for had its effect
 *   replay.c		does what was asked for, in the order of time
 *   replay_dispatch.c	has the scheduler choose what was dispatched
 *   replay_input.c	what it depends on besides: rules, leads, clocks
 *   replay_others.c	what others do to it: halts
 *   replay_inbox.c	tasks of hft_submit_now(), and what workers choose
 *   replay_cpu.c	which CPU has a task: those that go offline, rules that send tasks away
 *   replay_write.c	writes a log of what it has chosen
 *   replay_what_if.c	lets the machine go its own way, with something changed
 */
#ifndef HFT_ENGINE_REPLAY_H
#define HFT_ENGINE_REPLAY_H

#include <hft/replay.h>

#include "record.h"
#include "sim.h"

/**
 * struct hft_recording - the record of a handle
 * @path: of the log
 * @records: they
 * @nr: how many; the first is OPEN, the last CLOSE
 * @handles: that the log has records of
 * @complete: the handle was closed
 * @handle: its name in the log
 * @backend: its name
 */
struct hft_recording {
	const char *path;
	struct hft_record *records;
	size_t nr;
	uint32_t handles;
	bool complete;
	uint64_t handle;
	char backend[16];
};

struct replay_action {
	uint64_t time;
	size_t index;			/* of the record; 0: done before */
};

/**
 * struct replay_task - a submission
 * @id: as it was recorded
 * @sim_id: now; 0: not submitted yet
 * @record: of the submission
 * @touched: when it was last changed, or a job of it was consumed
 * @released: when the simulated machine released its present job
 * @modified: it was
 * @modified_level: it is at some time, by who has submitted it
 * @asked: the release of the last change that had one
 * @named: index of the last record that says that it is there
 * @next: with the same hash; 1 + index
 * @events: index of the record of its first event, or 0
 * @last: of its last one so far
 * @changed: of the first one that a change of it may have come after
 * @arrived: of the one that its next arrival is for; none: 0, and @arrivals is not
 * @arrivals: how many there were
 */
struct replay_task {
	uint64_t id;
	uint64_t sim_id;
	size_t record;
	uint64_t touched;
	uint64_t released;
	bool modified;
	bool modified_level;
	uint64_t asked;
	size_t named;
	uint32_t next;
	uint32_t events;
	uint32_t last;
	uint32_t changed;
	uint32_t arrived;
	uint32_t arrivals;
};

/**
 * struct replay_immediate - a task of hft_submit_now()
 * @record: of the submission
 * @opened: index of the record that opened its ring
 * @place: in the inbox
 * @known: since then it, and all before it in the inbox, were to be seen by the worker
 * @waits: in @next of its ring
 * @next: that waits there
 */
struct replay_immediate {
	size_t record;
	size_t opened;
	uint64_t place;
	uint64_t known;
	bool waits;
	struct replay_immediate *next;
};

/**
 * struct replay_changes - actions of a ring that each came some time between two looks
 * @next: number of the next one; none: SIZE_MAX
 * @last: index of the record of the last
 */
struct replay_changes {
	size_t next;
	size_t last;
};

/**
 * struct replay_ring - a ring
 * @ring: of the simulated machine; NULL: there is none of this number
 * @window: as it was recorded; 0 of a monitor ring, whose events are not replayed
 * @ordered: when its policy was last changed
 * @responded: when a rule of it last did something, as its notice says
 * @holds: that say what it is held to
 * @turns: that say whether its CPU is offline
 * @opened: index of the record
 * @dropped: what is before that place in the inbox is cancelled
 * @at: 1 + place of the task of the inbox that the worker is at; 0: at none
 * @waiting: tasks of the inbox
 */
struct replay_ring {
	struct hft_ring *ring;
	uint32_t window;
	uint64_t ordered;
	uint64_t responded;
	struct replay_changes holds;
	struct replay_changes turns;
	size_t opened;
	uint64_t dropped;
	uint64_t at;
	struct replay_immediate *waiting;
};

/* Word of an arrival, behind those that are recorded: its release is by CLOCK_MONOTONIC. */
#define REPLAY_ARRIVED		4

/* Likewise of &struct replay_changes: number of the next such action of the ring, or SIZE_MAX. */
#define REPLAY_NEXT		4

struct what_if;

struct replay {
	struct hft_replay_opts opts;
	struct hft_replay_result result;
	struct hft_recording recording;
	struct replay_action *actions;
	size_t nr_actions;
	uint32_t *next_event;		/* of the same task, by index of the record; 0: none */
	size_t at;			/* action */
	bool ended;			/* the rest is missing */
	struct replay_task *tasks;
	uint32_t nr_tasks;
	struct replay_immediate *immediates;	/* by ring, as it was opened, and place */
	size_t nr_immediates;
	struct hft_task *batch;		/* that is submitted, and its results */
	int64_t *results;
	uint32_t *hash;
	uint32_t hash_mask;
	struct replay_ring rings[HFT_MAX_RINGS];
	struct hft *h;
	struct hft_sim *sim;
	uint64_t resumed;		/* when the kill switch was last changed */
	uint64_t turned_until;		/* by then a CPU that has was seen to go or come back */
	uint64_t clocks_known;		/* by then, steps of clocks are in the offsets */
	uint64_t steps;
	struct hft_event *decisions;	/* by index of the record; NULL: nobody asks */
	struct what_if *what_if;	/* NULL: it is to be as it was */
};

/* replay_read.c */
int hft_recording_read(const char *path, uint32_t handle, struct hft_recording *recording);
void hft_recording_free(struct hft_recording *recording);

/* replay.c */
int hft_replay_recording(const struct hft_recording *recording,
			 const struct hft_replay_opts *opts, struct hft_replay_result *result,
			 struct what_if *what_if);
struct replay_task *hft_replay_find_task(struct replay *r, uint64_t id);
struct replay_ring *hft_replay_ring_at(struct replay *r, uint64_t number);
int hft_replay_too_long(const struct replay *r);
int hft_replay_run_to(struct replay *r, uint64_t time);
int hft_replay_advance(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_malformed(const struct replay *r, size_t index, const char *what);

int hft_replay_read_opts(struct hft_replay_opts *opts, const struct hft_replay_opts *user_opts);
int hft_replay_actions(struct replay *r);

/* replay_write.c */
int hft_replay_write(const struct replay *r);

/* replay_what_if.c */
bool hft_what_if_has_lead(const struct replay *r);
bool hft_what_if_has_policy(const struct replay *r);
bool hft_what_if_has_cpus(const struct replay *r);
void hft_what_if_change(const struct replay *r, struct hft_ring_opts *opts);
void hft_what_if_wake_ups(struct replay *r);
int hft_what_if_run(struct replay *r);
int hft_what_if_work(struct replay *r, struct hft_ring *ring);
void hft_what_if_note(const struct hft_sim_record *record, void *arg);
void hft_what_if_refused(struct replay *r, size_t index);

static inline uint64_t hft_replay_distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static inline uint64_t hft_replay_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* replay_input.c */
int hft_replay_rule(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_lead(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_notice(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_clock(struct replay *r, const uint64_t *words);
bool hft_replay_clock_early(struct replay *r);
uint64_t hft_replay_release_of_arrival(const struct replay *r, const struct replay_task *task,
				       const uint64_t *words);
bool hft_replay_rules_turn(const struct replay *r, const struct hft_ready_queue *ready);
uint64_t hft_replay_rules_changed(const struct replay *r);
bool hft_replay_halt_turns(const struct replay *r);
bool hft_replay_halt_nears(const struct replay *r);
void hft_replay_swap_halts(struct replay *r, uint32_t halts[HFT_MAX_RINGS]);
int64_t hft_replay_submit_shed(struct replay *r, const struct hft_task *task);
void hft_replay_set_level(struct replay *r, const struct replay_task *task);

/* replay_others.c */
int hft_replay_halt(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_hold(struct replay *r, const uint64_t *words, size_t index);
enum hft_halt_mode hft_replay_let_go(struct replay *r, struct hft_sim_ring *made,
				     const struct hft_slot *slot);

/* replay_inbox.c */
int hft_replay_order_inbox(struct replay *r);
int hft_replay_submit_now(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_drop(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_choice(struct replay *r, const uint64_t *words, size_t index);
int hft_replay_done(struct replay *r, const uint64_t *words, size_t index);

/* replay_cpu.c */
int hft_replay_cpu(struct replay *r, const uint64_t *words, size_t index);
void hft_replay_cpu_notice(struct replay *r, const uint64_t *words);
uint64_t hft_replay_cpu_time(const uint64_t *words);
uint64_t hft_replay_moved(struct replay *r, const struct hft_slot *slot,
			  const struct replay_task *task);
void hft_replay_place(struct replay *r, const struct replay_task *task);
struct hft_slot *hft_replay_fetch(struct replay *r, struct hft_sim_ring *made,
				  struct hft_slot *slot);
int64_t hft_replay_submit_offline(struct replay *r, const struct hft_task *task);
bool hft_replay_restore(struct replay *r, struct hft_slot *slot);
void hft_replay_end(struct replay *r, struct hft_slot *slot, const struct hft_event *recorded);

/* replay_order.c */
int hft_replay_order(struct replay *r);

/* replay_dispatch.c */
struct hft_event hft_replay_event(const uint64_t *words);
int hft_replay_dispatch(struct replay *r, const uint64_t *words, size_t index);

#endif /* HFT_ENGINE_REPLAY_H */
