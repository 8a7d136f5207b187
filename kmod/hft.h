/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hft: internal interfaces.
 *
 * Objects
 *
 *   hft_context  an open file of /dev/hft: slots for its tasks, its rings
 *   hft_ring     a file of its own: the pages shared with the worker, a heap of
 *                the tasks that are released and wait for room
 *   hft_queue    one per CPU: a heap and a timer per clock, for all contexts
 *   hft_slot     a task, from hft_slot_alloc() to its event or its cancellation
 *
 * Locks, outer before inner
 *
 *   hft_context.mutex   set-up of a context: slots, rings
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
 *   submitter of a task that is due, the worker itself in HFT_IOC_WAIT.
 *
 * Barriers shared with user space
 *
 *   events, then store-release of producer.tail
 *	pairs with the worker's load-acquire of it
 *   the worker's store-release of consumer.head after the run
 *	pairs with smp_load_acquire() in hft_ring_room(): an event is written
 *	over only when the worker is done with it
 *   tail, smp_mb(), load of consumer.need_wakeup
 *	pairs with need_wakeup, full barrier, load of tail in the worker
 *   HFT_RING_MORE, smp_mb(), load of consumer.head
 *	pairs with head, full barrier, load of flags in a worker that is about
 *	to sleep anywhere but in HFT_IOC_WAIT or poll, which look again
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
#include <linux/hft.h>

#include "core/heap.h"
#include "core/policy.h"

#define HFT_MAX_RINGS		64
#define HFT_MAX_ENTRIES		65536
#define HFT_MAX_BATCH		4096
#define HFT_MAX_LEAD		(1000 * NSEC_PER_USEC)

/* Of the module's parameters: what an allocation of slots can be asked for. */
#define HFT_MOST_TASKS		(16 * 1024 * 1024)

/* Tasks handled with interrupts off in one go. */
#define HFT_BATCH		64

/* A timer re-arms itself so far ahead at least: no backlog livelocks a CPU. */
#define HFT_MIN_GAP		(1 * NSEC_PER_USEC)

struct hft_context;
struct hft_queue;
struct hft_ring;
struct hft_user;

struct hft_counters {
	u64 submitted;
	u64 dispatched;
	u64 cancelled;
	u64 ended;
	u64 wakeups;
	u64 full;
	u64 bad_head;
};

enum hft_slot_state {
	HFT_SLOT_FREE,
	HFT_SLOT_TAKEN,		/* allocated, not queued: its submitter's alone */
	HFT_SLOT_WAITING,	/* in the heap of a timer */
	HFT_SLOT_READY,		/* in the heap of its ring */
};

/**
 * struct hft_slot - a task of a context
 * @item: place in a heap
 * @cookie: from the descriptor, as are the next ones
 * @release: when to start, on @clock
 * @deadline: when to be finished, on @clock, or 0
 * @ring: where it is queued; protected, as is @state, by the lock of the ring's
 *	queue from insertion to removal
 * @generation: upper half of the id; counts up when the slot is freed
 * @next: index of the next free slot
 * @ring_number: from the descriptor
 * @clock: from the descriptor
 * @level: from the descriptor
 * @state: &enum hft_slot_state
 */
struct hft_slot {
	struct hft_heap_item item;
	u64 cookie;
	u64 release;
	u64 deadline;
	struct hft_ring *ring;
	u32 generation;
	u32 next;
	u16 ring_number;
	u8 clock;
	u8 level;
	u8 state;
} ____cacheline_aligned;

struct hft_context {
	struct kref ref;
	struct hft_user *user;
	struct mutex mutex;	/* setting up: @slots, @rings, @monitor */

	/* Set once by HFT_IOC_SETUP, @slots last. */
	u32 tasks;
	struct hft_slot *slots;

	/* Written under @mutex, read under RCU. */
	struct hft_ring __rcu *rings[HFT_MAX_RINGS];
	struct hft_ring __rcu *monitor;
	bool dead;

	atomic64_t free ____cacheline_aligned_in_smp;	/* tag << 32 | index + 1 */
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

/* A ring, and the released tasks that wait for room in it. */
struct hft_ring {
	struct hft_queue *queue;		/* of its CPU */
	struct hft_context *context;		/* holds a reference */
	u32 number;				/* in the context */
	u32 nr_pages;
	u32 flags;
	u64 charged;
	struct page **pages;			/* shared with the worker */
	void *area;				/* @pages, mapped */
	void *memory;				/* of @ready */
	struct irq_work work;			/* wakes @pollers where that is legal */
	wait_queue_head_t pollers;
	struct list_head link;			/* in the queue's rings */
	unsigned long waiting;			/* bits of &enum hft_ring_waiting */

	/* Protected by the queue's lock. */
	struct hft_heap ready ____cacheline_aligned_in_smp;
	struct hft_ring_consumer *consumer;
	struct hft_ring_producer *producer;
	struct hft_event *events;
	u32 tail;
	u32 mask;
	u32 window;
	u32 level_mask;
	u32 policy;
	u32 waiting_tasks;
	u32 touched;				/* tasks that got ready under this hold */
	bool dead;
	u64 lead;
	u64 sequence;
	struct hft_ring *next_touched;
	struct rcuwait waiter;			/* the thread in HFT_IOC_WAIT */
	struct hft_counters counters;
};

struct hft_timer {
	struct hrtimer hrtimer;
	struct hft_heap heap;
	struct hft_queue *queue;
	void *memory;		/* of @heap */
	u64 armed;		/* what @hrtimer fires for, by HFT_MIN_GAP late; U64_MAX: nothing */
	enum hft_clock clock;
};

struct hft_queue {
	raw_spinlock_t lock;
	int cpu;
	bool online;
	u64 sequence;

	/* Of the hold of the lock: all zero when it is free. */
	u64 now;			/* CLOCK_MONOTONIC, once someone asked */
	struct hft_ring *touched;	/* rings that got tasks */
	bool rearm;			/* a timer is to fire earlier than it is armed for */

	struct hft_timer timers[HFT_CLOCKS];
	call_single_data_t csd;
	u64 interrupts;
	u64 kicks;
	u64 offline_sequence;		/* tasks submitted before it end with -ENODEV */

	/* Protected by @mutex. */
	struct mutex mutex;
	struct list_head rings;
	u32 room;			/* of the heaps, that no context has claimed */
	struct hft_counters closed;	/* of rings that are gone */
};

DECLARE_PER_CPU_ALIGNED(struct hft_queue, hft_queues);

/* main.c */
extern unsigned int hft_max_tasks;

/* queue.c */
extern unsigned int hft_queue_tasks;

/* file.c */
extern const struct file_operations hft_context_fops;
void hft_context_put(struct hft_context *context);

/* slot.c; the rest is in slot.h */
int hft_slots_alloc(struct hft_context *context, u32 tasks);
void hft_slots_free(struct hft_context *context);
u32 hft_slots_count_free(struct hft_context *context);

/* uring.c: the commands, as io_uring sends them and for their ioctl twins */
int hft_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);
int hft_submit(struct hft_context *context, const struct hft_submit *submit);
int hft_submit_batch(struct hft_context *context, const struct hft_submit_batch *batch);
int hft_cancel(struct hft_context *context, const struct hft_cancel *cancel);

/* queue.c */
int hft_queues_init(void);
void hft_queues_exit(void);
int hft_queue_add_ring(struct hft_queue *queue, struct hft_ring *ring);
void hft_queue_del_ring(struct hft_queue *queue, struct hft_ring *ring);
int hft_queue_insert(struct hft_queue *queue, struct hft_ring *ring, struct hft_slot *slot);
void hft_queue_remove(struct hft_queue *queue, struct hft_slot *slot);
void hft_queue_commit(struct hft_queue *queue);

/* dispatch.c */
enum hrtimer_restart hft_dispatch_timer(struct hrtimer *hrtimer);
void hft_dispatch_ready(struct hft_ring *ring, struct hft_slot *slot);
void hft_dispatch_touched(struct hft_queue *queue);
u32 hft_dispatch_fill(struct hft_ring *ring, u32 budget);
void hft_dispatch_notice(struct hft_context *context, enum hft_event_type type, u64 cookie,
			 u64 count);

/* ring.c */
extern const struct file_operations hft_ring_fops;
struct file *hft_ring_create(struct hft_context *context, struct hft_ring_add *add);
void hft_ring_kill(struct hft_ring *ring);
int hft_ring_in_flight(const struct hft_ring *ring);

/* stats.c */
extern const struct attribute_group *hft_groups[];
int hft_stats_read(struct hft_context *context, struct hft_stats *stats);
void hft_ring_show_fdinfo(struct seq_file *m, struct file *file);
void hft_context_show_fdinfo(struct seq_file *m, struct file *file);
void hft_counters_add(struct hft_counters *sum, const struct hft_counters *counters);

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

static inline u64 hft_clock_from_monotonic(enum hft_clock clock, u64 monotonic)
{
	if (likely(clock == HFT_CLOCK_MONOTONIC))
		return monotonic;
	if (clock == HFT_CLOCK_REALTIME)
		return ktime_to_ns(ktime_mono_to_any(monotonic, TK_OFFS_REAL));
	return ktime_to_ns(ktime_mono_to_any(monotonic, TK_OFFS_TAI));
}

/* A time before this boot becomes 1: a deadline of 0 is none. */
static inline u64 hft_clock_to_monotonic(enum hft_clock clock, u64 time)
{
	u64 offset;

	if (likely(clock == HFT_CLOCK_MONOTONIC))
		return time;
	offset = hft_clock_from_monotonic(clock, 0);
	return time > offset ? time - offset : 1;
}

#endif /* HFT_H */
