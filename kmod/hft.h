/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hft: internal interfaces.
 *
 * Objects
 *
 *   hft_context  an open file of /dev/hft: slots for its tasks, its rings
 *   hft_ring     a file of its own: the pages shared with the worker, a heap of
 *                the tasks that are released and wait for room
 *   hft_queue    one per CPU: a release queue and its timers, for all contexts
 *   hft_slot     a task, from hft_slot_alloc() to its event or its cancellation
 *
 *   What they do with tasks is in core/, which the library's backends run too;
 *   here are the files, the locks, the timers and the waiting.
 *
 * Locks, outer before inner
 *
 *   hft_contexts_lock   the list of all contexts (file.c)
 *   hft_context.mutex   set-up of a context: slots, rings
 *   hft_pmu_lock        performance counters; the CPU hotplug lock inside it (pmu.c)
 *   hft_queue.mutex     the queue's list of rings; held over a CPU's offlining,
 *                       with the CPU hotplug lock outside it: nothing is
 *                       allocated under it
 *   hft_users_lock      the table of users (user.c)
 *   hft_queue.lock      raw, interrupts off: heaps, timers, the rings' kernel
 *                       side and the queued slots of one CPU.  Two queues' locks
 *                       are never held together.  The scheduler's and hrtimer's
 *                       locks nest inside
 *
 *   The hot path (submit, timer, wait) takes hft_queue.lock alone.  Free slots
 *   are a lock-free stack; hft_context.rings is read under RCU.
 *
 * Contexts of execution
 *
 *   hft_queue.timer[].hrtimer is started and re-armed by its own CPU only, with
 *   interrupts off, because HRTIMER_MODE_PINNED means "the CPU that calls".
 *   Another CPU inserts under the lock and sends hft_queue.csd, whose handler
 *   arms what it finds.  -EBUSY from sending is harmless: the csd is free again
 *   before the handler takes the lock, so the handler finds the insertion.
 *
 *   A ring is written by whoever holds the lock of its queue: the timer, a
 *   submitter of a task that is due, the worker itself in HFT_IOC_WAIT, or
 *   hft_ring.inbound for chained tasks that waited for another CPU's (remote.c) and
 *   for those that go to a fallback ring (fallback.c).
 *
 *   What a ring's rules have found is told by hft_ring.telling when that lock was let go: off
 *   the hot path, under one queue's lock after the other (rule.c).
 *
 * Barriers shared with user space, beside those of core/sched.h
 *
 *   tail, smp_mb(), load of consumer.need_wakeup
 *	pairs with need_wakeup, full barrier, load of tail in the worker
 *
 * Death
 *
 *   A ring is marked dead under its queue's lock, its tasks are removed, and it
 *   is freed one RCU grace period later: a timer or a submitter that saw it runs
 *   with interrupts off or under rcu_read_lock().  A context lives until its own
 *   file and those of its rings are closed.
 */
#ifndef HFT_H
#define HFT_H

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/rcuwait.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/hft.h>

#include "core/sched.h"
#include "core/task.h"

/* Of the module's parameters: what an allocation of slots can be asked for. */
#define HFT_MOST_TASKS		(16 * 1024 * 1024)

/* A timer re-arms itself so far ahead at least: no backlog livelocks a CPU. */
#define HFT_MIN_GAP		(1 * NSEC_PER_USEC)

struct hft_context;
struct hft_queue;
struct hft_ring;
struct hft_sink;
struct hft_user;

/* Counters that are chosen by HFT_IOC_PMU; compared as bytes. */
struct hft_pmu_choice {
	u32 nr;			/* 0: none */
	u32 type[HFT_METRICS];
	u32 reserved;
	u64 config[HFT_METRICS];
};

struct hft_context {
	struct kref ref;
	struct hft_user *user;
	struct list_head link;	/* in the list of all, as is @clock_faults under its lock */
	u64 clock_faults;
	struct mutex mutex;	/* setting up: @slots, @rings, @monitor, @pmu */
	struct hft_pmu_choice pmu;

	/* Written under @mutex, read under RCU. */
	struct hft_ring __rcu *rings[HFT_MAX_RINGS];
	struct hft_ring __rcu *monitor;
	u32 halt;		/* &enum hft_halt_mode */
	atomic_t rule_halts[HFT_HALT_ALL + 1];	/* rings whose rules hold it to each */
	struct work_struct rule_work;	/* lets it go */
	struct fasync_struct *fasync;
	struct irq_work signal;	/* to @fasync, where that is legal */

	struct hft_slots pool;	/* set once by HFT_IOC_SETUP */
};

/**
 * enum hft_ring_waiting - bits of hft_ring.waiting
 * @HFT_RING_BUSY: a thread is in HFT_IOC_WAIT
 * @HFT_RING_CANCEL: its wait, or else the next one, is to end
 */
enum hft_ring_waiting {
	HFT_RING_BUSY,
	HFT_RING_CANCEL,
};

/**
 * struct hft_area - memory of whole pages
 * @start: where they are mapped
 * @pages: them
 * @nr_pages: how many
 */
struct hft_area {
	void *start;
	struct page **pages;
	u32 nr_pages;
};

/* A ring, and the released tasks that wait for room in it. */
struct hft_ring {
	struct hft_queue *queue;		/* of its CPU */
	struct hft_context *context;		/* holds a reference */
	struct hft_ring *fallback;		/* of the same context, see fallback.c */
	struct hft_sink *sink;			/* see sink.c */
	struct list_head sink_link;		/* in its rings */
	struct hft_area shared;			/* with the worker */
	struct hft_area heap;			/* of @ready */
	struct hft_area meter;			/* of @ready, under the context's mutex */
	u32 nr_consumer_pages;			/* the first of @shared */
	u32 flags;
	u64 charged;
	struct irq_work work;			/* wakes @pollers where that is legal */
	struct irq_work inbound;		/* releases tasks that waited for another CPU's */
	bool kicked;				/* it was queued */
	struct irq_work telling;		/* tells what was found of its tasks */
	struct hft_area detect;			/* of @ready, under the context's mutex */
	wait_queue_head_t pollers;
	struct list_head link;			/* in the queue's rings */
	unsigned long waiting;			/* bits of &enum hft_ring_waiting */

	/* Protected by the queue's lock. */
	struct hft_ready_queue ready ____cacheline_aligned_in_smp;
	struct rcuwait waiter;			/* the thread in HFT_IOC_WAIT */
	u32 rule_halt;				/* counted in hft_context.rule_halts */
	bool has_teller;			/* a CPU writes notices that it has taken */
};

static inline struct hft_ring *hft_ring_of(struct hft_ready_queue *ready)
{
	return container_of(ready, struct hft_ring, ready);
}

/**
 * struct hft_fault - faults of a clock that are not told yet
 * @nr: how many
 * @by: sum of them, ns; of late timers the most
 * @when: the last of them was, CLOCK_MONOTONIC; of late timers when that one was due
 */
struct hft_fault {
	u64 nr;
	s64 by;
	u64 when;
};

/* Deadlines that an interrupt tells of. */
#define HFT_NOTICES		4

struct hft_timer {
	struct hrtimer hrtimer;
	struct hft_queue *queue;
	struct hft_area heap;	/* memory of the clock's */
	enum hft_clock clock;
};

struct hft_queue {
	raw_spinlock_t lock;
	int cpu;
	u64 now;		/* CLOCK_MONOTONIC, once this hold of the lock asked; else 0 */
	struct hft_release_queue release;

	struct hft_timer timers[HFT_CLOCKS];
	struct hft_timer watch;		/* of deadlines */
	struct hft_notice notices[HFT_NOTICES];	/* its callback's alone */
	call_single_data_t csd;
	u64 interrupts;
	u64 kicks;
	struct hft_fault late;
	enum hft_clock late_clock;

	/* Protected by @mutex. */
	struct mutex mutex;
	struct list_head rings;
	u32 room;			/* of the heaps, that no context has claimed */
	struct hft_counters closed;	/* of rings that are gone */
	struct hft_gone *gone;		/* likewise; NULL: nothing was measured yet */
};

/**
 * struct hft_gone - what meters have counted that are gone
 * @since: when there was the first, CLOCK_MONOTONIC
 * @in_time: see &struct hft_meter
 * @hist: of all classes
 */
struct hft_gone {
	u64 since;
	u64 in_time;
	struct hft_hist hist[HFT_KINDS];
};

DECLARE_PER_CPU_ALIGNED(struct hft_queue, hft_queues);

/* main.c */
extern unsigned int hft_max_tasks;

/* queue.c */
extern unsigned int hft_queue_tasks;

/* file.c */
extern const struct file_operations hft_context_fops;
void hft_context_put(struct hft_context *context);
void hft_context_signal(struct hft_context *context);
void hft_contexts_each(void (*fn)(struct hft_context *context, void *arg), void *arg);

/* area.c */
int hft_area_alloc(struct hft_area *area, size_t bytes, int node, gfp_t gfp, unsigned long flags);
void hft_area_free(struct hft_area *area);

/* slot.c; the rest is in core/slot.h */
int hft_slots_alloc(struct hft_context *context, u32 tasks);
void hft_slots_free(struct hft_context *context);
u32 hft_slots_count_free(struct hft_context *context);

/* uring.c: the commands, as io_uring sends them and for their ioctl twins */
int hft_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);
int hft_submit(struct hft_context *context, const struct hft_submit *submit);
int hft_submit_batch(struct hft_context *context, const struct hft_submit_batch *batch);
int hft_cancel(struct hft_context *context, const struct hft_cancel *cancel);
int hft_modify(struct hft_context *context, const struct hft_modify *modify);
int hft_arrive(struct hft_context *context, const struct hft_arrival *arrival);
int hft_task_info(struct hft_context *context, struct hft_task_info *info);

/* queue.c */
int hft_queues_init(void);
void hft_queues_exit(void);
int hft_queue_add_clock(struct hft_queue *queue, enum hft_clock clock);
int hft_queue_add_ring(struct hft_queue *queue, struct hft_ring *ring);
void hft_queue_del_ring(struct hft_queue *queue, struct hft_ring *ring);
void hft_queue_arm(struct hft_queue *queue);
void hft_queue_commit(struct hft_queue *queue);

/* dispatch.c */
enum hrtimer_restart hft_dispatch_timer(struct hrtimer *hrtimer);
enum hrtimer_restart hft_watch_timer(struct hrtimer *hrtimer);
void hft_dispatch_due(struct hft_queue *queue, enum hft_clock clock, u64 now);
void hft_dispatch_touched(struct hft_queue *queue);
void hft_dispatch_fill(struct hft_ring *ring);
void hft_dispatch_fill_at(struct hft_ring *ring, u64 published);
void hft_dispatch_notice(struct hft_context *context, const struct hft_event *notice, u64 now);

/* halt.c */
int hft_halt(struct hft_context *context, struct hft_halt *halt);
u64 hft_ring_halt(struct hft_ring *ring);
bool hft_ring_may_resume(const struct hft_ring *ring);
bool hft_halt_missed(struct hft_context *context, struct hft_halt *halt);
int hft_ring_set_policy(struct hft_ring *ring, u32 policy);
void hft_halt_tighten(struct hft_context *context);
void hft_halt_resume(struct hft_context *context);

/* rule.c */
u32 hft_context_rule_halt(const struct hft_context *context);
void hft_rule_init_context(struct hft_context *context);
void hft_rule_exit_context(struct hft_context *context);
void hft_rule_init_queue(struct hft_queue *queue);
void hft_rule_init_ring(struct hft_ring *ring);
void hft_rule_exit_ring(struct hft_ring *ring);
void hft_rule_forget_ring(struct hft_ring *ring);
int hft_rule_set(struct hft_context *context, const struct hft_rule *rule);
int hft_rule_info(struct hft_context *context, struct hft_rule_info *info);

/* remote.c */
int hft_remote_join(struct hft_ring *ring, struct hft_slot *slot);
void hft_remote_fetch(struct hft_context *context, struct hft_slot *slot, u64 after);
void hft_remote_receive(struct irq_work *work);
void hft_remote_end(struct hft_ring *ring);
void hft_remote_kick(struct hft_ready_queue *ready);
void hft_remote_queue(struct irq_work *work);
void hft_remote_died(void);

/* sink.c; the rest is in linux/hft_sink.h */
int hft_sink_bind(struct hft_ring *ring, const struct hft_ring_add *add);
void hft_sink_unbind(struct hft_ring *ring);
void hft_sink_put(struct hft_ring *ring);
int hft_sink_info(struct hft_sink_info *info);

/* fallback.c */
struct hft_ring *hft_ring_fallback(struct hft_ring *ring);
int hft_fallback_redirect(struct hft_ring *ring, struct hft_slot *slot);
void hft_fallback_offline(struct hft_ring *ring);
void hft_fallback_online(struct hft_ring *ring);
bool hft_fallback_receive(struct hft_ring *ring);
int hft_fallback_bind(struct hft_ring *ring, const struct hft_ring_add *add);
void hft_fallback_forget(struct hft_ring *ring);

/* ring.c */
size_t hft_ring_metrics_off(const struct hft_ring *ring);
u64 hft_ring_cancel_tasks(struct hft_ring *ring);
struct hft_ring *hft_context_ring(struct hft_context *context, u32 number);
int hft_context_add_clock(struct hft_context *context, u32 clock);
int hft_ring_set(struct hft_context *context, const struct hft_ring_set *set);
int hft_lead_info(struct hft_context *context, struct hft_lead_info *info);
struct file *hft_ring_create(struct hft_context *context, struct hft_ring_add *add);
void hft_ring_kill(struct hft_ring *ring);
void hft_ring_destroy(struct hft_ring *ring);

/* ring_file.c */
extern const struct file_operations hft_ring_fops;

/* stats.c */
extern const struct attribute_group *hft_groups[];
int hft_class_info(struct hft_context *context, struct hft_class_info *info);
int hft_stats_read(struct hft_context *context, struct hft_stats *stats);
void hft_ring_show_fdinfo(struct seq_file *m, struct file *file);
void hft_context_show_fdinfo(struct seq_file *m, struct file *file);
void hft_counters_add(struct hft_counters *sum, const struct hft_counters *counters);

/* meter.c */
int hft_meter_set(struct hft_context *context, const struct hft_meter_set *set);
int hft_hist_read(struct hft_context *context, struct hft_hist_info *info);
void hft_meter_gone(struct hft_queue *queue, const struct hft_meter *meter);
/* pmu.c */
void hft_pmu_init(void);
void hft_pmu_exit(void);
bool hft_pmu_is_present(void);
void hft_pmu_cpu_online(int cpu);
int hft_pmu(struct hft_context *context, struct hft_pmu *pmu);
size_t hft_pmu_size(const struct hft_ring *ring);
int hft_pmu_attach(struct hft_ring *ring);
void hft_pmu_detach(struct hft_ring *ring);

/* clock.c */
extern u64 hft_late_ns;
int hft_clock_init(void);
void hft_clock_exit(void);
bool hft_clock_is_tsc(void);
u64 hft_clock_faults(enum hft_clock_fault kind);
void hft_contexts_tell(const struct hft_queue *queue, const struct hft_event *notice, u64 now);
void hft_clock_late(struct hft_queue *queue, enum hft_clock clock, u64 late);

/* interference.c */
void hft_interference_cpu(unsigned int cpu, bool online);
u64 hft_interference_count(void);
u64 hft_interference_ns(void);

/* user.c */
enum hft_charge {
	HFT_CHARGE_TASKS,
	HFT_CHARGE_RINGS,
	HFT_CHARGE_BYTES,
	HFT_CHARGES
};

struct hft_user *hft_user_get(kuid_t uid);
void hft_user_put(struct hft_user *user);
int hft_user_charge(struct hft_user *user, enum hft_charge kind, u64 amount);
void hft_user_uncharge(struct hft_user *user, enum hft_charge kind, u64 amount);

/* hotplug.c */
int hft_hotplug_init(void);
void hft_hotplug_exit(void);

/* When the present hold of a queue's lock first asked for the time, CLOCK_MONOTONIC. */
static inline u64 hft_queue_now(struct hft_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	if (!queue->now)
		queue->now = ktime_get_ns();
	return queue->now;
}

/* A hold of a queue's lock ends, and what is left is for the next. */
static inline void hft_queue_end(struct hft_queue *queue)
{
	queue->now = 0;
	hft_sched_begin(&queue->release);
}

static inline u64 hft_clock_from_monotonic(enum hft_clock clock, u64 monotonic)
{
	if (likely(clock == HFT_CLOCK_MONOTONIC))
		return monotonic;
	if (clock == HFT_CLOCK_REALTIME)
		return ktime_to_ns(ktime_mono_to_any(monotonic, TK_OFFS_REAL));
	return ktime_to_ns(ktime_mono_to_any(monotonic, TK_OFFS_TAI));
}

/* What hft_queue_now() is on @clock.  Tells the release queue, which will translate. */
static inline u64 hft_queue_clock(struct hft_queue *queue, enum hft_clock clock)
{
	u64 monotonic = hft_queue_now(queue);
	u64 now;

	if (likely(clock == HFT_CLOCK_MONOTONIC))
		return monotonic;
	now = hft_clock_from_monotonic(clock, monotonic);
	queue->release.offset[clock] = now - monotonic;
	return now;
}

#endif /* HFT_H */
