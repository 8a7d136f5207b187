/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the simulated machine share.
 *
 *   sim.c		what it is made of: CPUs, rings, workers, mutexes
 *   sim_submit.c	tasks and calls that are asked for
 *   sim_task.c		and after the submission
 *   sim_backend.c	a machine behind a handle
 *   sim_run.c		the event list, timers, the way of a task to its ring
 *   sim_cpu.c		who has the CPU, bodies and mutexes
 *   sim_record.c	records and counters
 *   sim_rule.c		what is done about anomalies
 *   sim_fallback.c	CPUs that go offline, and who has their tasks then
 *   sim_thread.c	threads that are more than a worker's bodies
 *
 * Nothing is allocated while time goes by: there are at most as many jobs as tasks
 * and entries of rings, and whoever adds something reserves room for it in each heap
 * that it may get into.
 */
#ifndef HFT_ENGINE_SIM_H
#define HFT_ENGINE_SIM_H

#include <hft/sim.h>

#include "core/admission.h"
#include "core/sched.h"
#include "core/task.h"
#include "internal.h"

#define HFT_SIM_MAX_CPUS	1024
#define HFT_SIM_MAX_TASKS	(16 * 1024 * 1024)

/*
 * The order of what happens at the same time: what ends makes room first, and what is
 * asked for is there when the timers look.
 */
enum hft_sim_rank {
	HFT_SIM_RANK_STEP,
	HFT_SIM_RANK_CALL,
	HFT_SIM_RANK_NOISE,
	HFT_SIM_RANK_TIMER,
	HFT_SIM_RANK_WAKE,
};

#define HFT_SIM_RANK_SHIFT	56

struct hft_sim_event {
	struct hft_heap_item item;
	void (*fire)(struct hft_sim *sim, struct hft_sim_event *event);
};

struct hft_sim_call {
	struct hft_sim_event event;
	hft_sim_call_fn fn;
	void *arg;
	struct hft_sim_call *next;
	struct hft_sim_call *next_free;
};

struct hft_sim_timer {
	struct hft_sim_event event;
	struct hft_sim_cpu *cpu;
	enum hft_clock clock;
};

/* Something that a cache knows: a worker, or a task where tasks preempt each other. */
struct hft_sim_place {
	u64 id;
	u64 ran;			/* hft_sim_cpu.ran when it left */
};

/**
 * struct hft_sim_job - a job of a task, from its release to its end
 * @run: in the run queue of its CPU
 * @watch: in hft_sim.watch, by its deadline
 * @ring: its ring
 * @event: what its body is called with
 * @seq: of the task in its release queue
 * @window: as hft_policy_key() has it, as is @wcet
 * @key: its place in the run queue; @base without what it has inherited
 * @left: of the step it is at, ns
 * @step: what follows
 * @nr_steps: how many
 * @woken: its worker had waited for it
 * @looked: when its worker had woken for it
 * @blocked: mutex that it waits for
 * @next_waiter: for the same mutex
 * @place: for caches
 * @next: free
 */
struct hft_sim_job {
	struct hft_heap_item run;
	struct hft_heap_item watch;
	struct hft_sim_ring *ring;
	struct hft_event event;
	u64 seq;
	u64 window;
	u64 wcet;
	bool started;
	bool missed;
	bool woken;
	u64 base;
	u64 key;
	u64 left;
	const struct hft_sim_step *step;
	u32 nr_steps;
	u64 looked;
	struct hft_sim_mutex *blocked;
	struct hft_sim_job *next_waiter;
	struct hft_sim_place place;
	struct hft_sim_job *next;
};

struct hft_sim_chunk {
	struct hft_sim_job *jobs;
	u32 nr;
	u32 used;
};

struct hft_sim_mutex {
	bool inherit;
	struct hft_sim_job *owner;
	struct hft_sim_job *waiters;
};

/**
 * struct hft_sim_ring - a ring and its worker
 * @ready: the scheduler's part
 * @sim: the machine
 * @cpu: of the ring
 * @memory: of @ready's heap and of the pages
 * @jobs: of the events in the ring; NULL: it has ended
 * @live: jobs of the ring that have not ended
 * @seen: events that are in @jobs
 * @head: events that the consumer is done with, as far as it is known
 * @worker: fn, cost, steps, ...; sz is 0 without one
 * @wake: when the worker has woken
 * @order: of the worker among those of its level
 * @awake: the worker has a task, or is about to
 * @held: &enum hft_halt_mode, by others than the machine's handle and rules
 * @fallback: ring that has the tasks that this one has not; NULL: none
 * @place: of the worker
 * @stats: counters
 */
struct hft_sim_ring {
	struct hft_ready_queue ready;
	struct hft_sim *sim;
	struct hft_sim_cpu *cpu;
	void *memory;
	struct hft_sim_job **jobs;
	u64 live;
	u64 seen;
	u64 head;
	struct hft_sim_worker_opts worker;
	struct hft_sim_event wake;
	u64 order;
	bool awake;
	u32 held;
	struct hft_sim_ring *fallback;
	struct hft_sim_place place;
	struct hft_sim_stats stats;
};

/**
 * struct hft_sim_cpu - a CPU
 * @release: the scheduler's part
 * @timers: that fire for it
 * @watch: that fires for deadlines that the scheduler watches
 * @step: when @current has done its step, or may start
 * @noise: the next interrupt of something else
 * @run: jobs that could run
 * @current: the one that does
 * @from: from when on it does, or up to where it is accounted
 * @busy: until then in interrupts
 * @ran: execution so far, ns
 * @last: the place that ran last
 * @resched: it is in hft_sim.resched
 * @turned: when it went offline or came back; 0: never
 */
struct hft_sim_cpu {
	struct hft_release_queue release;
	struct hft_sim *sim;
	u32 number;
	struct hft_sim_timer timers[HFT_CLOCKS];
	struct hft_sim_event watch;
	struct hft_sim_event step;
	struct hft_sim_event noise;
	struct hft_heap run;
	struct hft_sim_job *current;
	u64 from;
	u64 busy;
	u64 ran;
	u64 last;
	bool resched;
	struct hft_sim_cpu *next_resched;
	u64 turned;
};

struct hft_sim {
	struct hft_sim_opts opts;
	u64 now;
	/* How long the worker of a ring takes to wake for an event; NULL: opts.wakeup_ns */
	u64 (*wakeup)(const struct hft_event *event, u64 now, void *arg);
	void *wakeup_arg;
	u64 random;
	u64 order;			/* counts tasks and wake-ups */
	u64 places;
	u64 calls;
	bool running;
	bool stop;
	bool body;			/* one is being called */
	u64 spun;			/* by it, ns */
	struct hft_sim_thread *thread;	/* that runs */
	struct hft_sim_thread *sleepers;
	u32 nr_threads;
	u32 nr_noise;			/* events in the list that nobody waits for */
	struct hft_heap events;
	u32 nr_events;			/* that have room in it */
	struct hft_heap watch;
	struct hft_sim_cpu *cpus;
	struct hft_sim_cpu *resched;
	struct hft_sim_ring *rings[HFT_MAX_RINGS];
	struct hft_sim_mutex **mutexes;
	u32 nr_mutexes;
	struct hft_slots pool;
	struct hft_sim_ring *monitor;
	u64 inbound;			/* bit n: ring n has tasks to receive */
	bool receiving;
	u32 halt;			/* enum hft_halt_mode */
	u64 telling;			/* bit n: something of ring n is to be told */
	bool told;			/* that is being done */
	u32 handles;			/* of the backend: the handle, its rings and pools */
	struct hft_sim_job **job_of;	/* of each slot that is released and not dispatched */
	struct hft_sim_job *free_jobs;
	struct hft_sim_chunk *chunks;
	u32 nr_chunks;
	u32 chunk;			/* the first that may have room */
	u32 nr_jobs;
	struct hft_sim_call *all_calls;
	struct hft_sim_call *free_calls;
	u64 interrupts;
	u64 noise;
	u64 overhead;
};

/* sim.c */
void hft_sim_ring_destroy(struct hft_sim_ring *ring);
u64 hft_sim_lead(const struct hft_sim *sim);
int hft_sim_ring_create(struct hft_sim *sim, const struct hft_ring_add *add);
int hft_sim_reserve_events(struct hft_sim *sim, u32 more);
struct hft_sim_job *hft_sim_job_take(struct hft_sim *sim, const struct hft_slot *slot);
void hft_sim_job_free(struct hft_sim *sim, struct hft_sim_job *job);

/* sim_submit.c */
int hft_sim_submit_task(struct hft_sim *sim, const struct hft_task *task, uint64_t *id);
int hft_sim_submit_tasks(struct hft_sim *sim, const struct hft_task *tasks, int64_t *results,
			 u32 nr);
int hft_sim_cancel_task(struct hft_sim *sim, uint64_t id);
struct hft_slot *hft_sim_find(struct hft_sim *sim, uint64_t id);

/* sim_task.c */
int hft_sim_command(struct hft_sim *sim, unsigned int op, void *arg);
void hft_sim_hold_rings(struct hft_sim *sim);
void hft_sim_hold_ring(struct hft_sim_ring *ring, enum hft_halt_mode mode);
u64 hft_sim_cancel_tasks(struct hft_sim_ring *ring);
void hft_sim_ring_kill(struct hft_sim_ring *ring);
bool hft_sim_halt_missed(struct hft_sim *sim, u64 *stopped);

/* sim_rule.c */
u32 hft_sim_halt_rank(const struct hft_sim *sim);
void hft_sim_tell_later(struct hft_ready_queue *ready);
void hft_sim_rule_tell(struct hft_sim *sim);
int hft_sim_set_rule(struct hft_sim *sim, const struct hft_rule *rule);
int hft_sim_rule_info(struct hft_sim *sim, struct hft_rule_info *info);
void hft_sim_rule_forget(struct hft_sim_ring *ring);

/* sim_fallback.c */
int hft_sim_redirect(struct hft_sim_ring *ring, struct hft_slot *slot);
bool hft_sim_move(struct hft_sim_ring *to, struct hft_slot *slot);
void hft_sim_fallback_receive(struct hft_sim_ring *ring);
bool hft_sim_has_fallback(const struct hft_sim *sim, const struct hft_ring_add *add);
void hft_sim_fallback_forget(struct hft_sim_ring *ring);

/* sim_run.c */
void hft_sim_tell(struct hft_sim *sim, const struct hft_event *notice);
bool hft_sim_advance(struct hft_sim *sim, u64 until);
void hft_sim_run_due(struct hft_sim *sim);
void hft_sim_fill(struct hft_sim_ring *ring);
void hft_sim_fill_at(struct hft_sim_ring *ring, u64 entry, u64 published);
void hft_sim_event_init(struct hft_sim_event *event, enum hft_sim_rank rank, u64 number,
			void (*fire)(struct hft_sim *sim, struct hft_sim_event *event));
void hft_sim_schedule(struct hft_sim *sim, struct hft_sim_event *event, u64 time);
void hft_sim_unschedule(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_timer_fired(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_watch_fired(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_noise_fired(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_noise_arm(struct hft_sim *sim, struct hft_sim_cpu *cpu);
void hft_sim_commit(struct hft_sim_cpu *cpu);
void hft_sim_drain(struct hft_sim_cpu *cpu);
void hft_sim_end_task(struct hft_slot *slot);
void hft_sim_kick(struct hft_ready_queue *ready);
void hft_sim_pull(struct hft_sim_ring *ring);
u64 hft_sim_clock(const struct hft_sim_cpu *cpu, enum hft_clock clock);

/* sim_cpu.c */
void hft_sim_drop_jobs(struct hft_sim_ring *ring);
void hft_sim_interrupt(struct hft_sim_cpu *cpu, u64 ns);
void hft_sim_resched(struct hft_sim_cpu *cpu);
void hft_sim_settle(struct hft_sim *sim);
void hft_sim_stepped(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_worker_woken(struct hft_sim *sim, struct hft_sim_event *event);
void hft_sim_runnable(struct hft_sim_job *job, u64 key, u64 order);
void hft_sim_worker_next(struct hft_sim_ring *ring);

/* sim_record.c */
void hft_sim_note(const struct hft_sim_job *job, enum hft_sim_what what, u64 value);
void hft_sim_note_slot(const struct hft_slot *slot, enum hft_sim_what what, u64 value);

static inline struct hft_sim_ring *hft_sim_ring_of(const struct hft_ready_queue *ready)
{
	return container_of(ready, struct hft_sim_ring, ready);
}

static inline struct hft_sim_ring *hft_sim_ring_at(struct hft_sim *sim, u32 number)
{
	return number < HFT_MAX_RINGS ? sim->rings[number] : NULL;
}

/* Has a task had a release, before the one that it waits for? */
static inline bool hft_sim_has_begun(const struct hft_slot *slot)
{
	return slot->flags & HFT_SLOT_TRACKED && (slot->jobs || slot->missed);
}

static inline bool hft_sim_preempts(const struct hft_sim_ring *ring)
{
	return ring->worker.flags & HFT_SIM_PREEMPTIVE;
}

static inline u64 hft_sim_worker_key(const struct hft_sim_ring *ring)
{
	return (u64)(HFT_LEVEL_REALTIME - ring->worker.level) << HFT_POLICY_KEY_BITS;
}

#endif /* HFT_ENGINE_SIM_H */
