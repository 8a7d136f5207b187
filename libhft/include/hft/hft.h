/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libhft: submit tasks to the hft kernel module and run them at their release.  Where
 * there is no module, the process does what it would (hft_opts.backend).
 *
 * Errors: a function that can fail returns a negative errno; hft_strerror()
 * tells the reason of the calling thread's last one.  Nothing prints, nothing
 * exits, nothing installs a signal handler.
 *
 * Threads: a &struct hft may be used by any number of threads at a time.  A
 * &struct hft_ring has one consumer: hft_ring_peek(), hft_ring_advance(),
 * hft_ring_arm(), hft_wait() and hft_ring_run() are for one thread at a time.
 *
 * Fork: a child may submit to its parent's handle, which goes by ioctl, cancel, and
 * close the handle and its rings.  It has neither the rings' mappings nor the workers:
 * calls on these other than hft_ring_close() are the parent's.  A handle of a backend
 * other than kernel is in its parent's memory: all but closing is -EOWNERDEAD.
 *
 * Time: nanoseconds of CLOCK_MONOTONIC, absolute, unless a name says otherwise.
 *
 * Growth: every options struct begins with its size; set it by HFT_OPTS() or
 * by hand.  Bytes that the library knows and the caller does not are zero, and
 * zero is the default of every option.
 */
#ifndef HFT_HFT_H
#define HFT_HFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hft;
struct hft_ring;
struct hft_worker;

#define HFT_OPTS(type, name, ...) \
	struct type name = { .sz = sizeof(struct type), ##__VA_ARGS__ }

/* hft_opts.flags */
#define HFT_OPEN_IOCTL		(1U << 0)	/* do not use io_uring */
#define HFT_OPEN_SQPOLL		(1U << 1)	/* submit through a kernel polling thread */

typedef void (*hft_warn_fn)(void *arg, const char *text);

struct hft_opts {
	size_t sz;
	const char *device;		/* "/dev/hft" */
	uint32_t tasks;			/* 4096: most tasks queued at a time */
	uint32_t flags;			/* HFT_OPEN_* */
	uint32_t sqpoll_cpu;		/* with HFT_OPEN_SQPOLL: 1 + its CPU; 0: any */
	uint32_t sqpoll_idle_ms;	/* with HFT_OPEN_SQPOLL: 1000 */
	hft_warn_fn warn;		/* called for each thing that spoils latency here */
	void *warn_arg;
	const char *backend;		/* "kernel", "soft" or "sim"; NULL: by HFT_BACKEND, or */
					/* kernel, and soft where there is no device */
};

int hft_open(struct hft **h, const struct hft_opts *opts);
void hft_close(struct hft *h);
const char *hft_backend(const struct hft *h);
const char *hft_strerror(int err);
void hft_warn_stderr(void *arg, const char *text);

int hft_query(struct hft *h, struct hft_query *query);
int hft_stats(struct hft *h, uint32_t ring, struct hft_stats *stats);

int hft_submit(struct hft *h, const struct hft_task *task, uint64_t *id);
int hft_submit_batch(struct hft *h, const struct hft_task *tasks, unsigned int nr,
		     int64_t *results);
int hft_cancel(struct hft *h, uint64_t id);

int hft_submit_at(struct hft *h, const struct hft_task *task, uint64_t release, uint64_t *id);
int hft_submit_after(struct hft *h, const struct hft_task *task, uint64_t delay_ns, uint64_t *id);
int hft_submit_periodic(struct hft *h, const struct hft_task *task, uint64_t first,
			uint64_t period_ns, uint64_t *id);
int hft_submit_sporadic(struct hft *h, const struct hft_task *task, uint64_t interval_ns,
			uint64_t *id);
int hft_arrive(struct hft *h, uint64_t id, uint64_t release);

int hft_submit_now(struct hft_ring *ring, const struct hft_task *task);

struct hft_inbox_stats {
	size_t sz;
	uint64_t entries;		/* most tasks that wait at a time */
	uint64_t submitted;
	uint64_t waiting;
	uint64_t taken;			/* by the worker */
	uint64_t cancelled;		/* by %HFT_HALT_CANCEL */
	uint64_t passed_on;		/* that woke a worker in poll: they went to the ring */
	uint64_t refused;		/* for want of room; not in @submitted */
	uint64_t wakeups;		/* of a worker that slept */
};

int hft_inbox_stats(const struct hft_ring *ring, struct hft_inbox_stats *stats);

int hft_modify(struct hft *h, const struct hft_modify *modify);
int hft_task_state(struct hft *h, uint64_t id, struct hft_task_info *info);

int hft_signal(struct hft *h, int number, pid_t tid);
int hft_halt(struct hft *h, enum hft_halt_mode mode, uint32_t flags, struct hft_halt *result);
int hft_resume(struct hft *h, uint32_t flags);

uint64_t hft_now(void);
uint64_t hft_spin_until(uint64_t when);
bool hft_clock_is_tsc(void);

struct hft_ring_opts {
	size_t sz;
	uint32_t cpu;
	uint32_t entries;		/* 256: a power of two */
	uint32_t window;		/* the entries: most events in the ring at a time */
	uint32_t level_mask;		/* HFT_LEVEL_MASK_ALL */
	uint32_t policy;		/* HFT_POLICY_FIFO */
	uint32_t flags;			/* HFT_RING_MONITOR, _REPORT, _METRICS, _LEAD, */
					/* _FALLBACK, _SINK */
	uint64_t lead_ns;		/* 0: none; HFT_LEAD_AUTO: measured at start; */
					/* HFT_LEAD_LEARNED: measured, then learned */
	uint64_t spin_ns;		/* how long hft_wait() spins before it sleeps */
	uint32_t inbox;			/* 256: a power of two: most tasks of hft_submit_now() */
	uint32_t quantum_ns;		/* 100000: with HFT_POLICY_FAIR, of the first step */
	uint32_t lead_budget_ppm;	/* 10000: with HFT_RING_LEAD, of the CPU, for spinning */
	uint32_t fallback;		/* with HFT_RING_FALLBACK: the number of a ring */
	uint32_t gap_ns;		/* 10000: see hft_ring_gaps() */
	uint32_t reserved;		/* 0 */
	uint32_t sink;			/* with HFT_RING_SINK: hft_sink_info.sink */
	uint32_t reserved2;		/* 0 */
};

#define HFT_LEAD_AUTO		(~0ULL)
#define HFT_LEAD_LEARNED	(~0ULL - 1)
#define HFT_SPIN_FOREVER	(~0ULL)

int hft_ring_open(struct hft *h, const struct hft_ring_opts *opts, struct hft_ring **ring);
void hft_ring_close(struct hft_ring *ring);
uint32_t hft_ring_number(const struct hft_ring *ring);
uint64_t hft_ring_lead(const struct hft_ring *ring);

/**
 * struct hft_lead_state - the lead of a ring
 * @sz: of the struct
 * @lead_ns: what tasks are queued with now
 * @budget_ppm: what its worker may spin, parts per million of its CPU; 0: it learns none
 * @late_ppm: wake-ups that took longer, so that the task started after its release, parts
 *	per million
 * @cpu_ppm: what the worker spins at the present rate of dispatches
 * @reserved: zero
 * @wakeups: from how many it was learned
 * @changes: times that it was changed by what was learned
 */
struct hft_lead_state {
	size_t sz;
	uint64_t lead_ns;
	uint32_t budget_ppm;
	uint32_t late_ppm;
	uint32_t cpu_ppm;
	uint32_t reserved;
	uint64_t wakeups;
	uint64_t changes;
};

int hft_lead_state(struct hft_ring *ring, struct hft_lead_state *state);
int hft_lead_table(struct hft_ring *ring, struct hft_lead_row *rows, unsigned int nr);
int hft_lead_set(struct hft_ring *ring, uint64_t lead_ns);
int hft_lead_budget(struct hft_ring *ring, uint32_t budget_ppm);

/**
 * struct hft_gap_stats - what was taken from a worker while it spun
 * @sz: of the struct
 * @gaps: times that it did not get on for hft_ring_opts.gap_ns or more
 * @gap_ns: the sum of these
 * @longest_ns: the longest
 * @last: CLOCK_MONOTONIC at the end of the last
 */
struct hft_gap_stats {
	size_t sz;
	uint64_t gaps;
	uint64_t gap_ns;
	uint64_t longest_ns;
	uint64_t last;
};

int hft_ring_gaps(const struct hft_ring *ring, struct hft_gap_stats *stats);
int hft_ring_fd(const struct hft_ring *ring);

const struct hft_event *hft_ring_peek(struct hft_ring *ring);
void hft_ring_advance(struct hft_ring *ring);
bool hft_ring_arm(struct hft_ring *ring);
void hft_ring_begin(struct hft_ring *ring, const struct hft_event *event, uint64_t start);
void hft_ring_fail(struct hft_ring *ring, const struct hft_event *event, int err);
bool hft_should_yield(const struct hft_ring *ring, const struct hft_event *event);
int hft_ring_set_policy(struct hft_ring *ring, uint32_t policy);
int hft_class(struct hft *h, uint32_t ring, uint32_t task_class, struct hft_class_info *info);
int hft_sink(struct hft *h, uint32_t from, struct hft_sink_info *info);
int hft_wait(struct hft_ring *ring, uint64_t timeout);

/**
 * typedef hft_task_fn - the body of a task
 * @event: what was released; valid until the body returns
 * @start: when the body was entered
 * @arg: the worker's
 */
typedef void (*hft_task_fn)(const struct hft_event *event, uint64_t start, void *arg);

int hft_ring_run(struct hft_ring *ring, hft_task_fn fn, void *arg);
void hft_ring_stop(struct hft_ring *ring);

/* hft_worker_opts.flags */
#define HFT_WORKER_NO_RT	(1U << 0)	/* stay SCHED_OTHER */
#define HFT_WORKER_NO_LOCK	(1U << 1)	/* do not mlockall() */
#define HFT_WORKER_MAY		(1U << 2)	/* do both if it may, neither if not */

struct hft_pmc_opts;

struct hft_worker_opts {
	size_t sz;
	hft_task_fn fn;
	void *arg;
	uint32_t level;			/* the thread's; 0: the highest the ring takes */
	uint32_t flags;
	const struct hft_pmc_opts *metrics;	/* hft/metrics.h: what to count; NULL: nothing */
	/* Of which of HFT_CLASSES sums an event is, called with @arg; NULL: its level's */
	uint32_t (*metrics_class)(const struct hft_event *event, void *arg);
};

/**
 * struct hft_level_sched - of a level, for sched_setscheduler()
 * @policy: SCHED_IDLE, SCHED_BATCH, SCHED_OTHER or SCHED_FIFO
 * @priority: 1 to 99 with SCHED_FIFO, else 0
 */
struct hft_level_sched {
	int policy;
	int priority;
};

int hft_level_sched(uint32_t level, struct hft_level_sched *sched);
int hft_worker_start(struct hft_ring *ring, const struct hft_worker_opts *opts,
		     struct hft_worker **worker);
int hft_worker_stop(struct hft_worker *worker);

#ifdef __cplusplus
}
#endif

#endif /* HFT_HFT_H */
