/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backend soft: what the module does, in the process, on the module's own
 * scheduler (kmod/core).
 *
 * Objects
 *
 *   soft_context  a handle: its tasks, its rings.  It lives until the handle and
 *                 its rings are closed
 *   soft_queue    of a CPU that a ring of the handle is on; lives as long as that
 *   soft_ring     a place for a ring, never freed either: who finds one by its
 *                 number needs no more than to look again under the queue's lock
 *
 * Who drives a queue
 *
 *   There is no interrupt: what is due is dispatched by whoever looks first.  That
 *   is who submits, cancels, reads statistics, or looks for an event in vain.  Of
 *   those who sleep in hft_wait() for rings of a CPU, one, the queue's driver, sleeps
 *   no longer than until the earliest release; when it leaves it wakes the next.
 *   Who sleeps in poll drives nothing: hft_ring_arm() starts a thread that is the
 *   queue's driver from then on.  With a monitor ring there is one, too, for the
 *   deadlines of tasks that run too long.
 *
 *   A consumer that runs a task drives nothing meanwhile.  What was due during it is
 *   dispatched at its end, best first.
 *
 * Locks, outer before inner
 *
 *   soft_context.mutex  opening and closing of rings
 *   soft_queue.lock     heaps, the producer's side of the rings, slots from their
 *                       insertion on; two queues' locks are never held together.
 *                       It inherits priorities
 *
 *   Nobody is woken under a queue's lock but for a poller: see struct soft_hold.
 */
#ifndef HFT_ENGINE_SOFT_H
#define HFT_ENGINE_SOFT_H

#include <core/sched.h>
#include <core/task.h>

#include "../memory/internal.h"
#include "internal.h"

struct hft_hist_read;
struct soft_context;

/**
 * struct soft_sleeper - a thread that may be asleep
 * @futex: counts wake-ups
 * @seen: how many there were before it looked whether to sleep
 * @asleep: it waits for one; under the queue's lock
 * @late: by how much later than it wanted to wake it did, ns; 0: it was woken
 */
struct soft_sleeper {
	_Atomic uint32_t futex;
	uint32_t seen;
	bool asleep;
	uint64_t late;
};

/**
 * struct soft_queue - the tasks of a CPU
 * @lock: of what follows
 * @release: in the core
 * @memory: of its heaps
 * @next: when something is due, CLOCK_MONOTONIC; read without the lock, too
 * @driver: who sees to that, or NULL
 * @until: when it wakes at the latest
 * @asleep: how many sleep
 * @has_timer: there is a thread that sees to deadlines and, if @polled, to releases
 * @polled: somebody sleeps in poll
 * @watch_until: when the thread wakes at the latest
 * @timer: the thread
 */
struct soft_queue {
	pthread_mutex_t lock;
	struct hft_release_queue release;
	struct hft_region memory;	/* of the clocks' heaps and the watch */
	_Atomic uint64_t next;
	struct soft_sleeper *driver;
	uint64_t until;
	unsigned int asleep;

	struct soft_context *context;
	uint32_t cpu;
	bool has_timer;
	atomic_bool polled;
	uint64_t watch_until;
	bool stop;
	pthread_t thread;
	struct soft_sleeper timer;
};

/**
 * struct soft_ring - a ring
 * @queue: of its CPU; NULL: there is no ring here
 * @ready: in the core; under the queue's lock
 * @waiter: the thread in hft_wait()
 * @busy: there is one
 * @fd: eventfd of pollers
 * @area: its pages, and the memory of the ready heap behind them
 * @classes: of the ready queue, or NULL
 * @learner: likewise
 * @meter: likewise; under the context's mutex
 * @detect: likewise; under the context's mutex
 * @rule_halt: counted in soft_context.rule_halts
 * @tellers: threads with notices of it, of which the first writes those of all
 */
struct soft_ring {
	struct soft_queue *_Atomic queue;
	struct hft_ready_queue ready;
	struct soft_sleeper waiter;
	atomic_flag busy;
	bool used;
	int fd;
	struct hft_region area;
	struct hft_class *classes;
	struct hft_lead *learner;
	struct hft_meter *meter;
	struct hft_detect *detect;
	uint32_t rule_halt;
	atomic_uint tellers;
};

struct soft_context {
	atomic_uint refs;
	pthread_mutex_t mutex;
	struct hft_slots pool;
	uint32_t nr_cpus;
	struct soft_ring *_Atomic monitor;
	_Atomic uint32_t halt;		/* enum hft_halt_mode */
	atomic_uint rule_halts[HFT_HALT_ALL + 1];	/* rings whose rules hold it to each */
	atomic_bool loosen;		/* it is held to less by now */
	_Atomic uint64_t telling;	/* bit n: something of ring n is to be told */
	_Atomic uint64_t inbound;	/* bit n: ring n may have tasks to receive */
	_Atomic uint64_t signal;	/* the thread or 0 << 32 | the signal, or 0 */
	struct soft_queue **queues;	/* by CPU */
	struct soft_ring rings[HFT_MAX_RINGS];
};

/* Missed deadlines that a hold tells of. */
#define SOFT_NOTICES	8

/* Releases that a hold logs, where they are wanted: more are counted as lost. */
#define SOFT_RELEASES	HFT_BATCH

/**
 * struct soft_release - a release for the log
 * @stamp: of it, of the log's clock
 * @task: as &struct hft_event has it; so do others
 * @ring: number
 */
struct soft_release {
	uint64_t stamp;
	uint64_t task;
	uint64_t cookie;
	uint64_t release;
	uint64_t deadline;
	uint32_t level;
	uint32_t ring;
};

/**
 * struct soft_hold - a hold of a queue's lock
 * @queue: locked
 * @now: when it began
 * @waiters: bit n: the waiter of ring n is to be woken after it
 * @driver: likewise, or NULL
 * @notices: for the monitor ring, whose queue is locked after this one
 * @nr_notices: how many there are
 * @halted: 1 + which of them has halted the handle, or 0
 * @nr_releases: of tasks, for the log
 * @releases: the first of them
 */
struct soft_hold {
	struct soft_queue *queue;
	uint64_t now;
	uint64_t waiters;
	struct soft_sleeper *driver;
	uint16_t nr_notices;
	uint16_t halted;
	uint32_t nr_releases;
	struct hft_notice notices[SOFT_NOTICES];
	struct soft_release releases[SOFT_RELEASES];
};

/* soft_queue.c */
struct soft_queue *soft_queue_get(struct soft_context *context, uint32_t cpu);
void soft_queue_free(struct soft_queue *queue, bool ours);
void soft_lock(struct soft_hold *hold, struct soft_queue *queue);
void soft_unlock(struct soft_hold *hold);
void soft_receive(struct soft_context *context);
void soft_ring_receive(struct soft_ring *soft);
uint64_t soft_translate(struct soft_hold *hold, enum hft_clock clock);
void soft_commit(struct soft_hold *hold);
void soft_fill(struct soft_hold *hold, struct soft_ring *ring);
void soft_rouse(struct soft_hold *hold, struct soft_sleeper *sleeper);
void soft_before_sleep(struct soft_sleeper *sleeper);
int soft_sleep(struct soft_hold *hold, struct soft_sleeper *sleeper, uint64_t timeout);
void soft_leave(struct soft_hold *hold, struct soft_sleeper *sleeper);
void soft_wake(struct soft_sleeper *sleeper);
int soft_queue_start_timer(struct soft_queue *queue);
void soft_notify(struct soft_context *context, const struct hft_event *notice, uint64_t now);

/* soft_log.c: releases, collected under the lock and logged after it */
void soft_log_release(struct soft_hold *hold, const struct hft_slot *slot);
void soft_log_releases(const struct soft_hold *hold) __attribute__((cold));

/* soft_ring.c */
int soft_ring_open(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add);
void soft_ring_close(struct hft_ring *ring);
void soft_ring_kill(struct soft_context *context, struct soft_ring *ring);
uint64_t soft_ring_cancel_tasks(struct soft_context *context, struct soft_ring *ring);
int soft_ring_wait(struct hft_ring *ring, uint64_t timeout);
void soft_ring_wake(struct hft_ring *ring);
bool soft_ring_poll(struct hft_ring *ring, bool arm);

/* soft_task.c */
int soft_join(struct soft_context *context, struct soft_ring *soft, struct soft_queue *queue,
	      struct hft_slot *slot);
void soft_fetch(struct soft_context *context, struct hft_slot *slot, uint64_t after);
int soft_command(struct hft *h, unsigned int op, void *arg);
uint64_t soft_ring_halt(struct soft_context *context, struct soft_ring *ring);
bool soft_ring_may_resume(struct soft_context *context, const struct soft_ring *soft);
uint64_t soft_halt_rings(struct soft_context *context, uint32_t *rings);
void soft_resume_rings(struct soft_context *context);
void soft_signal(struct soft_context *context);

/* soft_meter.c */
int soft_meter_set(struct soft_context *context, const struct hft_meter_set *set);
int soft_hist_read(struct soft_context *context, struct hft_hist_read *read);

/* soft_rule.c */
uint32_t soft_rule_halt(const struct soft_context *context);
void soft_tell_later(struct hft_ready_queue *ready);
void soft_rule_tell(struct soft_context *context);
void soft_context_unlock(struct soft_context *context);
void soft_rule_remove(struct soft_context *context, struct soft_ring *soft);
int soft_rule_set(struct soft_context *context, const struct hft_rule *rule);
int soft_rule_info(struct soft_context *context, struct hft_rule_info *info);

/* soft.c */
void soft_context_put(struct soft_context *context, bool ours);

#endif /* HFT_ENGINE_SOFT_H */
