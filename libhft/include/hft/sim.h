/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated machine: the scheduler of the kernel module (kmod/core) on CPUs, a
 * clock, interrupts and caches that are a model.
 *
 * Time is virtual: it goes from one thing that happens to the next.  All happens in
 * the thread that calls hft_sim_run(); a machine is for one thread at a time.  What
 * happens depends on the calls and the seed alone: the same give the same records.
 *
 * A CPU runs the workers of its rings.  A worker of a higher level preempts one of a
 * lower; the bodies of one worker run to their end, one after the other, as those of
 * a thread do.  With HFT_SIM_PREEMPTIVE the tasks of a ring preempt each other too, by
 * the key of the ring's policy: what analysis has in mind.  Levels are compared on
 * the CPU, so a ring for each level and one ring for all are then the same.  The
 * ring's window counts from the oldest task that has not ended, as ever: give such a
 * ring the entries for all that are released while the longest is preempted.
 *
 * A body runs at its start, at once; how long the task executes is what the model
 * says (struct hft_sim_worker_opts).
 */
#ifndef HFT_SIM_H
#define HFT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft_sim;

/**
 * enum hft_sim_what - what happened to a task
 * @HFT_SIM_RELEASE: its timer fired: it competes for its ring
 * @HFT_SIM_DISPATCH: it was written to its ring
 * @HFT_SIM_START: its body began; value: ns since the release
 * @HFT_SIM_PREEMPT: a better one took its CPU; value: ns it has left in this step
 * @HFT_SIM_RESUME: it has its CPU back
 * @HFT_SIM_LOCK: it has locked mutex value
 * @HFT_SIM_BLOCK: it waits for mutex value
 * @HFT_SIM_UNLOCK: it has unlocked mutex value
 * @HFT_SIM_END: it has ended; value: ns since the release
 * @HFT_SIM_MISS: its deadline has come before its end; value: the deadline
 * @HFT_SIM_DROP: it will not run: its deadline came before its start, or its ring is
 *	closed; value: the deadline
 * @HFT_SIM_CANCEL: it was taken back
 * @HFT_SIM_SKIP: value releases of it have no job of their own: the one before has not
 *	ended
 * @HFT_SIM_SIGNAL: its miss would send a signal (%HFT_TASK_SIGNAL)
 * @HFT_SIM_HALT: its miss has halted all rings (%HFT_TASK_HALT); value: released tasks
 *	that this stops
 * @HFT_SIM_WHATS: how many these are
 */
enum hft_sim_what {
	HFT_SIM_RELEASE,
	HFT_SIM_DISPATCH,
	HFT_SIM_START,
	HFT_SIM_PREEMPT,
	HFT_SIM_RESUME,
	HFT_SIM_LOCK,
	HFT_SIM_BLOCK,
	HFT_SIM_UNLOCK,
	HFT_SIM_END,
	HFT_SIM_MISS,
	HFT_SIM_DROP,
	HFT_SIM_CANCEL,
	HFT_SIM_SKIP,
	HFT_SIM_SIGNAL,
	HFT_SIM_HALT,
	HFT_SIM_WHATS
};

struct hft_sim_record {
	uint64_t time;
	uint64_t task;			/* id */
	uint64_t cookie;
	uint64_t value;
	uint32_t what;			/* enum hft_sim_what */
	uint32_t cpu;
	uint32_t ring;
	uint32_t level;
};

typedef void (*hft_sim_record_fn)(const struct hft_sim_record *record, void *arg);

/* Times in ns; 0 is none, unless said otherwise. */
struct hft_sim_opts {
	size_t sz;
	uint64_t seed;
	uint32_t cpus;			/* 1 */
	uint32_t tasks;			/* 4096: most tasks queued at a time */
	uint64_t start_ns;		/* CLOCK_MONOTONIC at first */
	uint64_t realtime_ns;		/* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t tai_ns;		/* CLOCK_TAI - CLOCK_MONOTONIC */
	uint64_t interrupt_ns;		/* what a timer interrupt takes from its CPU */
	uint64_t jitter_ns;		/* most that a timer is late */
	uint64_t wakeup_ns;		/* from an event to its sleeping worker's being ready */
	uint64_t switch_ns;		/* from one worker or task to another */
	uint64_t cache_reload_ns;	/* most that a task loses to a cache others have used */
	uint64_t noise_ns;		/* what another interrupt takes */
	uint64_t noise_period_ns;	/* mean time between these, on each CPU */
	uint32_t vary_ppm;		/* by how much less than its wcet a task runs, at most */
	uint32_t reserved;
	hft_sim_record_fn record;
	void *record_arg;
};

int hft_sim_open(struct hft_sim **sim, const struct hft_sim_opts *opts);
void hft_sim_close(struct hft_sim *sim);
struct hft_sim *hft_sim_of(const struct hft *h);

int hft_sim_ring_add(struct hft_sim *sim, const struct hft_ring_opts *opts);

/* A step of a task's body. */
enum hft_sim_op {
	HFT_SIM_EXECUTE,		/* for ns */
	HFT_SIM_MUTEX_LOCK,		/* mutex */
	HFT_SIM_MUTEX_UNLOCK,
};

struct hft_sim_step {
	uint64_t ns;
	uint32_t op;			/* enum hft_sim_op */
	uint32_t mutex;			/* of hft_sim_mutex_add() */
};

/* hft_sim_worker_opts.flags */
#define HFT_SIM_PREEMPTIVE	(1U << 0)	/* its tasks preempt each other, by policy */
#define HFT_SIM_DROP_LATE	(1U << 1)	/* no start after the deadline */

/*
 * A task executes for the steps of @steps, or as long as @cost says, or else for its
 * wcet, less hft_sim_opts.vary_ppm; and before that for as long as @fn, if there is
 * one, spins (hft_spin_until() on a handle of the machine).
 */
struct hft_sim_worker_opts {
	size_t sz;
	uint32_t level;			/* its priority; 0: the highest the ring takes */
	uint32_t flags;			/* HFT_SIM_* */
	hft_task_fn fn;
	uint64_t (*cost)(const struct hft_event *event, void *arg);
	/* They stay what they are until the task has ended. */
	const struct hft_sim_step *(*steps)(const struct hft_event *event, uint32_t *nr,
					    void *arg);
	void *arg;
};

int hft_sim_worker_add(struct hft_sim *sim, uint32_t ring,
		       const struct hft_sim_worker_opts *opts);

#define HFT_SIM_INHERIT		(1U << 0)	/* the owner gets the priority of who waits */

int hft_sim_mutex_add(struct hft_sim *sim, uint32_t flags);

int hft_sim_submit(struct hft_sim *sim, const struct hft_task *task, uint64_t *id);
int hft_sim_cancel(struct hft_sim *sim, uint64_t id);
int hft_sim_set_online(struct hft_sim *sim, uint32_t cpu, bool online);

typedef void (*hft_sim_call_fn)(struct hft_sim *sim, uint64_t now, void *arg);

int hft_sim_call_at(struct hft_sim *sim, uint64_t when, hft_sim_call_fn fn, void *arg);

uint64_t hft_sim_now(const struct hft_sim *sim);
uint64_t hft_sim_random(struct hft_sim *sim);
int hft_sim_run_until(struct hft_sim *sim, uint64_t when);
int hft_sim_run(struct hft_sim *sim);
void hft_sim_stop(struct hft_sim *sim);

/**
 * struct hft_sim_stats - counters of a ring or of all
 * @submitted: tasks taken; a periodic one counts again for each job after the first,
 *	once that is released
 * @cancelled: of these, taken back
 * @dropped: of these, not run: too late (%HFT_SIM_DROP_LATE, %HFT_TASK_DROP), or their
 *	ring is closed
 * @ended: of these, run to the end
 * @pending: of these, none of that yet
 * @dispatched: written to a ring
 * @started: bodies begun
 * @late: of @ended, after their deadlines
 * @missed: deadlines that came before the end, of @ended, @dropped and @pending
 * @preempted: times that a task lost its CPU
 * @skipped: releases of periodic tasks that have no job of their own
 * @signals: that missed deadlines would send
 * @interrupts: of timers; of all rings only, as are the next ones
 * @noise: other interrupts
 * @busy_ns: execution, of all CPUs
 * @overhead_ns: switches, caches and interrupts
 */
struct hft_sim_stats {
	uint64_t submitted;
	uint64_t cancelled;
	uint64_t dropped;
	uint64_t ended;
	uint64_t pending;
	uint64_t dispatched;
	uint64_t started;
	uint64_t late;
	uint64_t missed;
	uint64_t preempted;
	uint64_t skipped;
	uint64_t signals;
	uint64_t interrupts;
	uint64_t noise;
	uint64_t busy_ns;
	uint64_t overhead_ns;
};

int hft_sim_stats(const struct hft_sim *sim, uint32_t ring, struct hft_sim_stats *stats);

#define HFT_SIM_LINE_BYTES	192		/* longer than any line */

int hft_sim_format(const struct hft_sim_record *record, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* HFT_SIM_H */
