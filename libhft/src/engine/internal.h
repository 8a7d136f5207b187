/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the engine share.
 *
 * Barriers between a worker and the kernel (uapi/linux/hft.h has the other half):
 * the tail is loaded with acquire before the events are read; the head is stored
 * with release after the task has run; a worker that is about to sleep in poll
 * stores need_wakeup, executes a full barrier and looks at the tail again.
 */
#ifndef HFT_ENGINE_INTERNAL_H
#define HFT_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <liburing.h>
#include <hft/hft.h>

#include "../api.h"
#include "../memory/internal.h"
#include "../options.h"
#include "sim_thread.h"

struct hft_inbox_receipt;

/**
 * struct hft_backend - who holds tasks until their release and writes the rings
 * @name: of hft_opts.backend
 * @unprivileged: its workers do without the rights that they lack
 * @open: make h->state of the options, whose device and tasks are never 0, and fill
 *	in h->query and, where it is not to be measured, h->lead_ns; what it warns of goes
 *	to hft_warn()
 * @close: undo it; rings that are open see %HFT_RING_DEAD
 * @command: do what HFT_IOC_ @op does with @arg: STATS, CANCEL, MODIFY, RELEASE, TASK,
 *	HALT, RING_SET, CLASS, LEAD, METER, RULE, RULE_INFO; HIST of a
 *	&struct hft_hist_read; or %HFT_OP_SIGNAL, with a &struct hft_signal
 * @ring_open: make ring->state of @add and fill in its out fields, the ring's fd and
 *	its shared pages
 * @ring_close: undo it; the handle may have been closed before
 * @submit: as hft_submit()
 * @submit_now: as hft_submit_now(); the receipt, which may be NULL, is for what is taken.
 *	NULL: hft_inbox_submit()
 * @submit_batch: of at most h->query.max_batch tasks: as %HFT_IOC_SUBMIT_BATCH
 * @wait: as hft_wait(), for who has found no event
 * @wake: end a wait as %HFT_IOC_WAKE does; for signal handlers too
 * @poll: look for what is due, without sleeping; @arm: the consumer is about to sleep
 *	on the ring's fd, and may if this returns true.  NULL: others see to that
 * @work: run the ring's tasks by @opts, or, if that is NULL, no more.  NULL: that takes a
 *	thread
 *
 * All return 0, or what their description says, or a negative errno of uapi/linux/hft.h.
 * @open and @ring_open explain theirs by hft_fail(); of the others the caller does.
 */
struct hft_backend {
	const char *name;
	bool unprivileged;
	int (*open)(struct hft *h, const struct hft_opts *opts);
	void (*close)(struct hft *h);
	int (*command)(struct hft *h, unsigned int op, void *arg);
	int (*ring_open)(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add);
	void (*ring_close)(struct hft_ring *ring);
	int (*submit)(struct hft *h, const struct hft_task *task, uint64_t *id);
	int (*submit_now)(struct hft_ring *ring, const struct hft_task *task,
			  struct hft_inbox_receipt *receipt);
	int (*submit_batch)(struct hft *h, const struct hft_submit_batch *batch);
	int (*wait)(struct hft_ring *ring, uint64_t timeout);
	void (*wake)(struct hft_ring *ring);
	bool (*poll)(struct hft_ring *ring, bool arm);
	int (*work)(struct hft_ring *ring, const struct hft_worker_opts *opts);
};

/* No number of an ioctl: hft_signal() */
#define HFT_OP_SIGNAL	0U

struct hft_signal {
	int number;			/* 0: none */
	pid_t tid;			/* 0: the process */
};

extern const struct hft_backend hft_kernel_backend;
extern const struct hft_backend hft_soft_backend;
extern const struct hft_backend hft_sim_backend;

struct hft_recorder;
struct hft_sim;

/**
 * struct hft_halter - who halts or resumes
 * @lock: that one has it, and takes that of the handle's rings in it
 * @level: what to, &enum hft_halt_mode up to %HFT_HALT_ALL; what it is without the lock is a hint
 */
struct hft_halter {
	pthread_mutex_t lock;
	_Atomic uint32_t level;
};

struct hft {
	const struct hft_backend *backend;
	void *state;			/* the backend's */
	struct hft_recorder *recorder;	/* NULL: nothing is recorded */
	struct hft_query query;
	uint64_t lead_ns;		/* what HFT_LEAD_AUTO is; that itself: it is measured */
	uint32_t tasks;			/* most that are queued at a time */
	hft_warn_fn warn;
	void *warn_arg;
	unsigned int forks;		/* hft_forks when it was opened */
	pthread_mutex_t lock;		/* of @rings */
	struct hft_ring *rings;
	struct hft_halter halters[2];	/* [1]: of all handles of the machine */
	struct hft_submits *_Atomic submits;	/* see meter.c; NULL: none was measured */

	/* The kernel backend's.  Whoever sets @busy has the submission queue, others use ioctls. */
	int fd;
	atomic_flag busy;
	bool have_uring;
	bool sqpoll;
	bool registered;		/* the io_uring's descriptor, in @owner */
	uint64_t owner;			/* the thread that may use it, or HFT_NOBODY */
	struct io_uring uring;
	struct io_uring plain;		/* without the registration, to close it */
};

/**
 * struct hft_inbox_view - what a worker looks at again and again
 * @turn: of the slot at the head; while something is held, a word that is @next
 * @next: what it is when that is published
 * @held: tasks that are taken over, also one that the worker is at
 * @empty: times hft_ring_peek() found nothing
 * @taken: the worker is at one of them
 */
struct hft_inbox_view {
	const _Atomic uint64_t *turn;
	uint64_t next;
	uint32_t held;
	uint32_t empty;
	bool taken;
};

/* May there be something?  One load but for the worker's own. */
static inline bool hft_inbox_look(const struct hft_inbox_view *view)
{
	return atomic_load_explicit(view->turn, memory_order_relaxed) == view->next;
}

struct hft_ring {
	struct hft_ring_consumer *consumer;
	const struct hft_ring_producer *producer;
	const struct hft_event *events;
	struct hft_report *reports;	/* NULL without HFT_RING_REPORT */
	const struct hft_metrics *metrics;	/* NULL: there are none */
	uint32_t mask;
	const struct hft_backend *backend;
	struct hft_recorder *recorder;	/* NULL: nothing is recorded */
	uint32_t recorded;		/* events before that one are */
	_Atomic uint32_t looked;	/* head that the backend has seen, as far as recorded */
	uint32_t held;			/* enum hft_halt_mode, by others; as it is recorded */
	bool offline;			/* its CPU is, as the page has said then */
	bool cpu_offline;		/* likewise, as it is recorded */
	uint64_t cpu_time;		/* when it was recorded, or seen last by a closed ring */
	uint64_t held_time;		/* when these were looked at last */
	void *state;			/* the backend's */
	struct hft_sim *machine;	/* whose time it has; NULL: this one's */
	uint64_t spin_ns;
	atomic_bool stop;
	uint32_t policy;
	struct hft_inbox *inbox;	/* NULL of a monitor ring */
	struct hft_region inbox_memory;
	atomic_bool measured;		/* when runs begin and end is to be noticed */
	struct hft_tally *_Atomic tally;	/* see meter.c */
	struct hft_anomaly_watch *watch;	/* of one; NULL: nobody */
	struct hft_guard *guard;	/* the worker's; NULL: none */

	struct hft *h;
	struct hft *listed;		/* in whose rings it is */
	void (*on_cancel)(void *arg);	/* hft_halt() has cancelled tasks; or NULL */
	void *on_cancel_arg;
	struct hft_ring *next;		/* there */
	int fd;
	uint32_t number;
	uint32_t cpu;
	uint32_t level_mask;
	unsigned int forks;		/* hft_forks when it was opened */
	bool learns;			/* HFT_RING_LEAD */
	uint64_t own_lead;		/* of a module that does not tell it; else 0 */
	uint64_t gap_ns;
	uint64_t noticed;		/* of a monitor ring: notices before are evidence.c's */
	struct hft_event anomaly;	/* the last, of one */
	uint64_t passed_by;		/* 1 + place in the inbox of what @passing goes before; */
	uint32_t passing;		/* as it is recorded */
	size_t consumer_size;
	size_t pages_size;
	void *pages;

	/* The worker writes these all the time, and those who submit read the others. */
	uint32_t head __attribute__((aligned(64)));	/* the shared one is for the backend */
	struct hft_inbox_view view;
	/* Of a ring that learns: when a wait has found something, and overslept by how much. */
	uint64_t woke;
	uint64_t overslept;
	struct hft_gap_stats gaps;
};

/* error.c */
struct hft_error {
	int err;			/* positive */
	char text[256];
};

void hft_save_error(struct hft_error *error);
int hft_take_error(const struct hft_error *error);

/* open.c */
extern unsigned int hft_forks;

void hft_offer(struct hft *h, uint32_t max_tasks, uint32_t nr_cpus);

/* Is what was opened at @forks from a process that this one was forked from? */
static inline bool hft_is_inherited(unsigned int forks)
{
	return forks != hft_forks;
}

/* kernel.c */
int hft_context_ioctl(struct hft *h, unsigned long op, void *arg);
int hft_context_signal(struct hft *h, const struct hft_signal *to);

/* ring.c */
int hft_ring_add_error(int err, const struct hft_ring_add *add);
int hft_ring_spin(struct hft_ring *ring, uint64_t timeout);
void hft_ring_gap(struct hft_ring *ring, uint64_t from, uint64_t to);
void hft_ring_unlist_all(struct hft *h);
void hft_ring_pull(struct hft_ring *ring);
void hft_ring_clock_fault(const struct hft_ring *ring, const struct hft_event *event);
bool hft_ring_take_stop(struct hft_ring *ring);

/* rule.c */
void hft_ring_notice(struct hft_ring *ring, const struct hft_event *event);

/* guard.c */
void hft_guard_begin(struct hft_guard *guard, uint64_t start);
void hft_guard_end(struct hft_guard *guard, const struct hft_event *event, uint64_t end);
void hft_guard_free(struct hft_ring *ring);

/* report.c */
void hft_ring_end(struct hft_ring *ring);
void hft_ring_log_end(struct hft_ring *ring) __attribute__((cold));

/* meter.c */
void hft_tally_begin(struct hft_ring *ring, uint64_t start);
void hft_tally_end(struct hft_ring *ring, const struct hft_event *event, uint64_t end);
struct hft_hist *hft_tally_submits(struct hft *h, const struct hft_task *task);
void hft_tally_submit(struct hft_hist *hist, uint64_t ns);
void hft_tally_forget(struct hft *h, uint32_t number);
void hft_tally_free(struct hft_ring *ring);
void hft_submits_free(struct hft *h);

/* Is it to be noticed when runs of the ring begin and end? */
static inline bool hft_ring_is_measured(const struct hft_ring *ring)
{
	return __builtin_expect(atomic_load_explicit(&ring->measured, memory_order_relaxed), 0);
}

/* A spinning worker has looked at the clock, and looks again.  Two clocks may differ a little. */
static inline void hft_ring_turn(struct hft_ring *ring, uint64_t from, uint64_t to)
{
	if (__builtin_expect((int64_t)(to - from) >= (int64_t)ring->gap_ns, 0))
		hft_ring_gap(ring, from, to);
}

/* Was hft_ring_stop() called?  Says so once. */
static inline bool hft_ring_stopped(struct hft_ring *ring)
{
	return atomic_load_explicit(&ring->stop, memory_order_acquire) && hft_ring_take_stop(ring);
}

static inline uint32_t hft_ring_available(const struct hft_ring *ring)
{
	return __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE) - ring->head;
}

/* Be done with the event at the head. */
static inline void hft_ring_next(struct hft_ring *ring)
{
	__atomic_store_n(&ring->consumer->head, ++ring->head, __ATOMIC_RELEASE);
}

static inline uint32_t hft_ring_flags(const struct hft_ring *ring)
{
	return __atomic_load_n(&ring->producer->flags, __ATOMIC_RELAXED);
}

/* inbox.c */
int hft_inbox_open(struct hft_ring *ring, uint32_t entries);
void hft_inbox_close(struct hft_ring *ring);
int hft_inbox_submit(struct hft_ring *ring, const struct hft_task *task);
int hft_inbox_submit_for(struct hft_ring *ring, const struct hft_task *task,
			 struct hft_inbox_receipt *receipt);

uint64_t hft_inbox_settle(const struct hft_ring *ring);
void hft_inbox_cancel(struct hft_ring *ring);
void hft_inbox_rouse(struct hft_ring *ring);

/* inbox_worker.c */
/*
 * Turns of a spin, and events of a ring, between two glances behind a place of the inbox
 * that may be claimed, and between two looks at all that are: those are seldom, for the
 * next to claim has to fetch the line back.
 */
#define HFT_GLANCE_TURNS	1024
#define HFT_BEHIND_TURNS	(1024 * HFT_GLANCE_TURNS)

const struct hft_event *hft_inbox_choose(struct hft_ring *ring, const struct hft_event *event);
void hft_inbox_begin(struct hft_ring *ring);
void hft_inbox_end(struct hft_ring *ring);
uint32_t hft_inbox_count(struct hft_ring *ring);
bool hft_inbox_has_news(const struct hft_ring *ring);
void hft_inbox_glance(struct hft_ring *ring, bool thoroughly);
uint64_t hft_inbox_arm(struct hft_ring *ring, uint64_t timeout);
void hft_inbox_disarm(struct hft_ring *ring);
bool hft_inbox_arm_poll(struct hft_ring *ring);

/*
 * As hft_ring_peek(), but for a task of the inbox the worker has yet to say
 * hft_inbox_begin().
 */
static inline const struct hft_event *hft_ring_look(struct hft_ring *ring)
{
	uint32_t available = hft_ring_available(ring);
	const struct hft_event *event = NULL;

	if (!available && __builtin_expect(ring->backend->poll != NULL, 0)) {
		ring->backend->poll(ring, false);
		available = hft_ring_available(ring);
	}
	if (available) {
		event = &ring->events[ring->head & ring->mask];
		if (__builtin_expect(event->type != HFT_EVENT_TASK, 0))
			hft_ring_notice(ring, event);
	}
	if (__builtin_expect(hft_inbox_look(&ring->view), 0))
		return hft_inbox_choose(ring, event);
	if (!event && ++ring->view.empty % HFT_GLANCE_TURNS == 0)
		hft_inbox_glance(ring, ring->view.empty % HFT_BEHIND_TURNS == 0);
	return event;
}

/* How many events and tasks of the inbox there are. */
static inline int hft_ring_ready(struct hft_ring *ring)
{
	uint32_t ready = hft_ring_available(ring);

	if (hft_inbox_look(&ring->view))
		ready += hft_inbox_count(ring);
	return (int)ready;
}

/* uring.c */
#define HFT_NOBODY	UINT64_MAX

void hft_uring_forked(void);
void hft_uring_pass_by(void);
int hft_uring_open(struct hft *h, const struct hft_opts *opts);
void hft_uring_close(struct hft *h);
int hft_kernel_submit(struct hft *h, const struct hft_task *task, uint64_t *id);
int hft_kernel_submit_batch(struct hft *h, const struct hft_submit_batch *batch);
int hft_kernel_command(struct hft *h, unsigned int op, void *arg);

/* A moment: of the TSC, or if that is not the clock, in ns. */
struct hft_mark {
	uint64_t cycles;
	uint64_t ns;
};

/* submit.c */
uint64_t hft_time_of(const struct hft *h);

/* halt.c */
int hft_halters_init(struct hft *h);
void hft_halters_free(struct hft *h);

/* clock.c */
uint64_t hft_now_in_haste(void);
struct hft_mark hft_mark_now(void);
uint64_t hft_mark_ns(struct hft_mark mark);

/* clock_calibrate.c */
int hft_clock_open(const char *device);
void hft_clock_close(void);
void hft_clock_maintain(void);
void hft_clock_fault(const struct hft_event *notice);

/* sim_backend.c */
uint64_t hft_sim_virtual_now(const struct hft_sim *sim);
uint64_t hft_sim_virtual_spin(struct hft_sim *sim, uint64_t when);
uint64_t hft_sim_offset(const struct hft_sim *sim, enum hft_clock clock);

/* doctor.c */
void hft_warn(struct hft *h, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void hft_examine(struct hft *h);

/* worker.c */
int hft_become_worker(uint32_t cpu, uint32_t level, uint32_t flags);
uint32_t hft_top_level(uint32_t level_mask);

/* record.c */
int hft_record_start(struct hft *h, uint32_t tasks);
void hft_record_advance(struct hft_ring *ring);
void hft_record_pause(bool pause);

/* record_inbox.c */
void hft_record_drop(struct hft_ring *ring, uint64_t place);
void hft_record_ended(struct hft_ring *ring);

/* lead.c */
int hft_measure_lead(struct hft *h, const struct hft_ring_opts *opts, uint64_t *lead_ns);

#endif /* HFT_ENGINE_INTERNAL_H */
