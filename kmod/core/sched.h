/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-or-later */
/*
 * From a submission to an event, without a clock, a lock or a timer of its own.
 *
 *   hft_release_queue  of a CPU: tasks that wait for their release, a heap a clock
 *   hft_ready_queue    of a ring: released tasks that wait for room in it
 *
 * A backend holds the lock of a release queue for every call here, which also
 * covers the ready queues of its rings and their slots from insertion on, and
 * says what time it is.  A hold of the lock goes
 *
 *   hft_sched_insert()	for each task, or
 *   hft_sched_expire()	when a timer has fired
 *   hft_sched_touched()	until there is none: hft_ready_fill_touched(), wake its worker
 *   hft_release_next()	what to arm the timers for
 *
 * Barriers shared with the consumer of a ring: uapi/linux/hft.h's fields, and
 *
 *   events, then store-release of producer.tail
 *	pairs with the consumer's load-acquire of it
 *   the consumer's store-release of consumer.head after the run
 *	pairs with the load-acquire in hft_ready_room(): an event is written over
 *	only when the consumer is done with it
 *   HFT_RING_MORE, smp_mb(), load of consumer.head
 *	pairs with head, full barrier, load of flags in a consumer that is about
 *	to sleep where nobody looks again
 */
#ifndef HFT_CORE_SCHED_H
#define HFT_CORE_SCHED_H

#include <linux/hft.h>

#include "admission.h"
#include "class.h"
#include "heap.h"
#include "lead.h"
#include "meter.h"
#include "metrics.h"
#include "policy.h"
#include "rule.h"
#include "slot.h"
#include "types.h"

/* Tasks that wait for the end of one, at most: they are released in one hold of the lock. */
#define HFT_MAX_SUCCESSORS	4

/* Tasks handled in one hold of the lock. */
#define HFT_BATCH		64

/*
 * Events of tracked tasks that a ring has in flight at most, and ends of tasks that are
 * noticed in one hold of the lock, of all rings.  A power of two.
 */
#define HFT_MAX_TRACKED		256

struct hft_counters {
	u64 submitted;
	u64 dispatched;
	u64 cancelled;
	u64 ended;
	u64 overruns;
	u64 deadline_misses;
	u64 wakeups;
	u64 full;
	u64 bad_head;
	u64 lead_changes;
	u64 anomalies[HFT_ANOMALIES];
	u64 responses[HFT_RESPONSES];
};

/**
 * struct hft_release_timer - the tasks of one clock
 * @heap: them, by release - lead
 * @armed: what the backend's timer fires for, on that clock; U64_MAX: nothing
 */
struct hft_release_timer {
	struct hft_heap heap;
	u64 armed;
};

/**
 * struct hft_notice - for the monitor ring of a task's context
 * @pool: of the context
 * @flags: the task's: what else is to be done
 * @event: what hft_ready_notice() takes
 */
struct hft_notice {
	struct hft_slots *pool;
	u32 flags;
	struct hft_event event;
};

/**
 * struct hft_release_queue - the tasks of a CPU that wait for their release
 * @timers: one a clock
 * @watch: when to look at what is watched of tasks, CLOCK_MONOTONIC
 * @admission: what periodic tasks ask for
 * @cap: hft_admission_cap() of it
 * @offset: of each clock from CLOCK_MONOTONIC, set by the backend before it
 *	handles tasks of that clock
 * @sequence: tasks inserted so far
 * @ended: tasks inserted before that one end with -ENODEV
 * @online: takes tasks
 * @rearm: a timer is to fire earlier than it is armed for
 * @retire_left: ends of tasks that this hold of the lock may still notice.  The others
 *	are left to those after it: a consumer that is about to wait looks at its own
 *	ring first
 * @touched: ready queues that got tasks under this hold of the lock
 * @judged: the first of the ready queues that have a detector
 * @look: place in the heap of @watch when one of those is to be looked at
 * @look_at: when
 * @look_set: it is there
 * @tell: have hft_detect_take() called for a ready queue of this one, and the halt of its
 *	rules looked at, when the lock is let go
 * @kick: have hft_chain_receive() called for a ready queue of this one, soon; called
 *	under another queue's lock
 */
struct hft_release_queue {
	struct hft_release_timer timers[HFT_CLOCKS];
	struct hft_release_timer watch;
	struct hft_admission admission;
	u32 cap;
	u64 offset[HFT_CLOCKS];
	u64 sequence;
	u64 ended;
	bool online;
	bool rearm;
	u32 retire_left;
	struct hft_ready_queue *touched;
	struct hft_ready_queue *judged;
	struct hft_heap_item look;
	u64 look_at;
	bool look_set;
	void (*tell)(struct hft_ready_queue *ready);
	void (*kick)(struct hft_ready_queue *ready);
};

/**
 * struct hft_fallback_order - places in the order of submission that a queue keeps for
 *	the tasks of another
 * @to: the queue that does
 * @from: place of the first such task in its own queue
 * @nr: how many places
 * @first: the first of them
 */
struct hft_fallback_order {
	const struct hft_release_queue *to;
	u64 from;
	u64 nr;
	u64 first;
};

/* hft_ready_queue.away: new tasks go to the fallback ring because */
#define HFT_AWAY_OFFLINE	BIT(0)	/* the CPU goes or is offline: the others do, too */
#define HFT_AWAY_RULE		BIT(1)	/* of a rule */

/* Of hft_sched_insert(): the fallback ring has the task. */
#define HFT_SCHED_AWAY		2

/**
 * struct hft_tracked - an event of a tracked task
 * @sequence: lower half of the event's
 * @index: of the task in its pool
 */
struct hft_tracked {
	u32 sequence;
	u32 index;
};

/**
 * struct hft_ready_queue - the released tasks of a ring
 * @heap: them, by policy
 * @pool: that the ring's tasks are from
 * @consumer: page that the consumer writes; nothing in it is believed
 * @producer: page that the consumer reads
 * @events: the ring
 * @mask: entries - 1
 * @window: most events in flight
 * @level_mask: levels that it takes
 * @plain_levels: those of which a task goes to the release queue as it is
 * @policy: &enum hft_policy
 * @halt: &enum hft_halt_mode; %HFT_HALT_REDUCE by rules, too
 * @halt_rank: hft_sched_rank() of what it is halted to
 * @halt_keep: with %HFT_HALT_REDUCE, tasks with one of these flags run
 * @first_tracked: place of the first of @tracked
 * @nr_tracked: how many there are
 * @nr_held: tasks that go on when an event is consumed
 * @reports: with %HFT_RING_REPORT, what the consumer writes, entries of them; nothing
 *	in it is believed
 * @classes: likewise, %HFT_CLASSES of them
 * @meter: what is measured of its tasks; NULL: nothing, see hft_ready_hook()
 * @quantum: of FAIR's first step, ns
 * @metrics: with %HFT_RING_METRICS, where there are counters; or NULL
 * @number: of the ring
 * @waiting: tasks of the ring before their release
 * @nr_blocked: tasks that wait for what releases them, in no heap
 * @dead: takes no tasks
 * @touched: tasks that got ready under this hold of the lock: it is in
 *	hft_release_queue.touched
 * @next_touched: the next one there
 * @detect: what is judged of its tasks, and its rules; NULL: nothing
 * @lead: how long before a release its timer fires, ns
 * @sequence: events written; producer.tail is its lower half
 * @release: the queue of its CPU
 * @counters: of the ring
 * @inbound: place of the last chained task that was sent home from another queue; not
 *	under the lock
 * @taken: of the last of those that were taken from there, and not turned round
 * @received: of the first of those that were
 * @lead_base: @lead, but for @lead_floor
 * @lead_floor: what @lead is not below; 0: it may be anything
 * @learner: with %HFT_RING_LEAD, what @lead_base is made of
 * @boost_reach: up to that level it takes no hard tasks, since rules may raise others to
 *	it; -1: any
 * @spare_reach: likewise, since rules of another ring may send others here
 * @hand: of a ring with a sink: have that start a task, which is in no heap.  Returns 0,
 *	or -EBUSY, or why it will not.  NULL: there is none
 * @gone: there was a sink
 * @nr_sunk: tasks that the sink has, and in @done
 * @done: place of the first task that it is done with, whose event wants room
 * @last_done: with @done, of the last of those, which are in the order that they were done in
 * @away: HFT_AWAY_* bits: tasks go to the fallback ring
 * @left: place of the first task that is to be moved there, and is in no heap
 * @order: of the tasks that move: see hft_fallback_reserve()
 * @tracked: events of tracked tasks that were not found to be consumed, in order
 */
struct hft_ready_queue {
	struct hft_heap heap;
	struct hft_slots *pool;
	struct hft_ring_consumer *consumer;
	struct hft_ring_producer *producer;
	struct hft_event *events;
	u32 mask;
	u32 window;
	u32 level_mask;
	u32 plain_levels;
	u32 policy;
	u32 halt;
	u32 halt_rank;
	u32 halt_keep;
	u32 first_tracked;
	u32 nr_tracked;
	u32 nr_held;
	u32 nr_blocked;
	u32 quantum;
	u32 number;
	u32 waiting;
	u32 touched;
	bool dead;
	struct hft_ready_queue *next_touched;
	u64 lead;
	u64 sequence;
	struct hft_release_queue *release;
	struct hft_report *reports;
	struct hft_class *classes;
	struct hft_meter *meter;
	struct hft_detect *detect;
	struct hft_ready_metrics *metrics;
	struct hft_counters counters;
	atomic64_t inbound;
	u32 taken;
	u32 received;
	u64 lead_base;
	u64 lead_floor;
	struct hft_lead *learner;
	s32 boost_reach;
	s32 spare_reach;
	int (*hand)(struct hft_slot *slot, u64 entry);
	bool gone;
	u32 nr_sunk;
	u32 done;
	u32 last_done;
	u32 away;
	u32 left;
	struct hft_fallback_order order;
	struct hft_tracked tracked[HFT_MAX_TRACKED];
};

void hft_release_init(struct hft_release_queue *queue);
void hft_ready_mark(const struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_ready_set_lead(struct hft_ready_queue *ready, u64 lead);
u64 hft_ready_raise_lead(struct hft_ready_queue *ready, u64 floor);
void hft_ready_learn(struct hft_ready_queue *ready, const struct hft_event *event, u32 woke);
int hft_ready_lead_info(struct hft_ready_queue *ready, struct hft_lead_info *info,
			struct hft_lead *learned);

int hft_sched_insert(struct hft_release_queue *queue, struct hft_ready_queue *ready,
		     struct hft_slot *slot);
int hft_sched_cancel(struct hft_slot *slot);
unsigned int hft_sched_expire(struct hft_release_queue *queue, enum hft_clock clock, u64 now,
			      unsigned int budget);
struct hft_slot *hft_sched_pop_alone(struct hft_release_queue *queue, enum hft_clock clock,
				     u64 now);

/* halt.c */
void hft_sched_halt(struct hft_ready_queue *ready, enum hft_halt_mode mode);
void hft_sched_hold(struct hft_ready_queue *ready, u32 rank);

u64 hft_slot_window(const struct hft_slot *slot);
void hft_release_update(struct hft_slot *slot);
void hft_release_add(struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_ready_add(struct hft_slot *slot);
void hft_ready_update(struct hft_slot *slot);
void hft_ready_write(struct hft_ready_queue *ready, struct hft_slot *slot, u64 entry,
		     u64 published);
u32 hft_ready_fill(struct hft_ready_queue *ready, u32 budget, u64 entry, u64 published);
u32 hft_ready_room_tracked(struct hft_ready_queue *ready);
struct hft_slot *hft_ready_take(struct hft_ready_queue *ready);
void hft_ready_give_back(struct hft_slot *slot);
void hft_sched_expire_now(struct hft_slot *slot);
u32 hft_ready_fill_touched(struct hft_ready_queue *ready, u32 *spare, u64 entry, u64 published);
struct hft_event *hft_ready_notice(struct hft_ready_queue *ready, const struct hft_event *notice,
				   u64 now);
void hft_ready_set_more(struct hft_ready_queue *ready);

/* ready.c: what a ready queue is, and what is told of it */
void hft_ready_init(struct hft_ready_queue *ready, const struct hft_ring_add *add);
void hft_ready_hook(struct hft_ready_queue *ready);
struct hft_meter *hft_ready_set_meter(struct hft_ready_queue *ready, struct hft_meter *meter);
bool hft_ready_kill(struct hft_ready_queue *ready);
int hft_sched_set_policy(struct hft_ready_queue *ready, u32 policy);
void hft_ready_stats(const struct hft_ready_queue *ready, struct hft_stats *stats);
int hft_ready_class_info(struct hft_ready_queue *ready, struct hft_class_info *info, u64 now);

/* sink.c: tasks that a device's driver starts */
u32 hft_sink_fill(struct hft_ready_queue *ready, u32 budget, u64 entry, u64 published);
void hft_sink_done(struct hft_slot *slot, s32 result);

/* fallback.c: tasks that go to another ring */
struct hft_moving {
	u64 seq;
	u32 flags;
	u8 state;
};

void hft_ready_redirect(struct hft_ready_queue *ready, u32 why, bool on);
int hft_fallback_keep(struct hft_ready_queue *ready, struct hft_slot *slot);
u64 hft_fallback_first(const struct hft_ready_queue *ready, u64 first, u32 from, u32 to);
void hft_fallback_reserve(struct hft_release_queue *queue, struct hft_fallback_order *order);
bool hft_fallback_begin(struct hft_ready_queue *ready, const struct hft_fallback_order *order);
bool hft_fallback_take(struct hft_slot *slot, struct hft_moving *moving);
struct hft_slot *hft_fallback_next(const struct hft_ready_queue *ready);
int hft_fallback_put(struct hft_ready_queue *ready, struct hft_slot *slot,
		     const struct hft_moving *moving, u64 now);
int hft_fallback_return(struct hft_slot *slot, const struct hft_moving *moving, u64 now);
void hft_fallback_left(struct hft_slot *slot);
void hft_fallback_unlink(struct hft_slot *slot);

/* job.c: tracked tasks */
void hft_job_init(struct hft_slot *slot, u32 flags, u64 period, u64 wcet);
int hft_job_admit(struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_job_discharge(struct hft_slot *slot);
int hft_job_insert(struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_job_late(struct hft_slot *slot, u64 now);
int hft_job_arrive(struct hft_slot *slot, u64 release, u64 now);
void hft_job_track(struct hft_slot *slot);
bool hft_job_overrun(struct hft_slot *slot, u64 now);
void hft_job_write(struct hft_slot *slot, struct hft_event *event);
void hft_job_retire(struct hft_ready_queue *ready, u32 in_flight);
void hft_job_ready(struct hft_slot *slot);
void hft_job_look(struct hft_ready_queue *ready);
bool hft_job_consumed(const struct hft_slot *slot);
void hft_job_pull(struct hft_ready_queue *ready);
bool hft_job_cancel(struct hft_slot *slot);
enum hft_task_state hft_job_state(const struct hft_slot *slot);
struct hft_admission_demand hft_job_demand(const struct hft_slot *slot);
bool hft_job_fits(const struct hft_ready_queue *ready, const struct hft_admission_demand *demand);
void hft_job_advance(struct hft_slot *slot, u64 n);
int hft_job_info(const struct hft_slot *slot, struct hft_task_info *info);

/* modify.c */
int hft_job_modify(struct hft_slot *slot, const struct hft_modify *modify);

/* watch.c: deadlines and budgets */
void hft_watch_deadline(struct hft_slot *slot);
void hft_watch_set(struct hft_slot *slot, u64 when);
void hft_watch_budget(struct hft_slot *slot, const struct hft_event *event);
void hft_watch_stop(struct hft_slot *slot);
unsigned int hft_watch_late(struct hft_release_queue *queue, u64 now, struct hft_notice *notices,
			    unsigned int max);

/*
 * chain.c: tasks that wait for others.  %HFT_CHAIN_REMOTE is of hft_sched_insert(): the
 * task is blocked, hft_chain_join() next; and of hft_sched_cancel(): hft_chain_fetch() it,
 * then hft_chain_receive() for its ring; each when this lock is let go.
 */
#define HFT_CHAIN_REMOTE	1

int hft_chain_add(struct hft_ready_queue *ready, struct hft_slot *slot);
void hft_chain_await(struct hft_slots *pool, u64 id);
int hft_chain_join(struct hft_ready_queue *of, struct hft_slot *slot);
int hft_chain_refuse(struct hft_slots *pool, struct hft_ready_queue *ready, struct hft_slot *slot,
		     int err);
void hft_chain_remove(struct hft_slot *slot);
void hft_chain_fetch(struct hft_ready_queue *of, u64 id, struct hft_slot *slot);
void hft_chain_release(struct hft_slot *slot, bool failed);
bool hft_chain_receive(struct hft_ready_queue *ready, unsigned int budget);

/* Is @slot @ready's, whose queue is locked?  If it is and does not move it stays so. */
static inline bool hft_fallback_is_here(const struct hft_ready_queue *ready,
					struct hft_slot *slot)
{
	/* Pairs with the barriers in hft_fallback_place(): the state before the queue. */
	u8 state = smp_load_acquire(&slot->state);

	return READ_ONCE(slot->ready) == ready && state != HFT_SLOT_MOVING;
}

/* Is @slot, which was @of's, another ring's by now, or will be soon? */
static inline bool hft_fallback_has_moved(const struct hft_ready_queue *of,
					  struct hft_slot *slot)
{
	return !hft_fallback_is_here(of, slot) && READ_ONCE(slot->ready);
}

/* The id of the task that @slot waits for; 0: none. */
static inline u64 hft_chain_after(const struct hft_slot *slot)
{
	return slot->flags & HFT_SLOT_AFTER ? slot->base : 0;
}

/* The ready queue of the task of an id; NULL: there is no such task. */
static inline struct hft_ready_queue *hft_chain_of(struct hft_slots *pool, u64 id)
{
	const struct hft_slot *slot = hft_slot_find(pool, id);
	struct hft_ready_queue *of = slot ? READ_ONCE(slot->ready) : NULL;

	/* That it has ended before what it has sent: pairs with that in hft_chain_send(). */
	smp_mb();
	return of;
}

/* A hold of the lock begins, or is as long as one is to be. */
static inline void hft_sched_begin(struct hft_release_queue *queue)
{
	queue->retire_left = HFT_MAX_TRACKED;
}

/* The earliest key of a clock's heap, U64_MAX if it is empty. */
static inline u64 hft_release_next(const struct hft_release_queue *queue, enum hft_clock clock)
{
	return hft_heap_min_key(&queue->timers[clock].heap);
}

/* A ready queue that got tasks under this hold of the lock, or NULL when all were had. */
static inline struct hft_ready_queue *hft_sched_touched(struct hft_release_queue *queue)
{
	struct hft_ready_queue *ready = queue->touched;

	if (ready)
		queue->touched = ready->next_touched;
	return ready;
}

/* What can be measured of a ring's tasks. */
static inline u32 hft_ready_kinds(const struct hft_ready_queue *ready)
{
	return BIT(HFT_KIND_DISPATCH) | (ready->reports ? HFT_KINDS_RUN : 0);
}

/* Show the consumer what was written. */
static inline void hft_ready_publish(struct hft_ready_queue *ready)
{
	/* Pairs with the consumer's acquire: the events before the tail. */
	smp_store_release(&ready->producer->tail, lower_32_bits(ready->sequence));
}

/* Events that the consumer has not advanced over, -EINVAL if its head makes no sense. */
static inline int hft_ready_in_flight(const struct hft_ready_queue *ready)
{
	u32 in_flight = READ_ONCE(ready->producer->tail) - READ_ONCE(ready->consumer->head);

	return in_flight <= ready->mask + 1 ? (int)in_flight : -EINVAL;
}

/* Of the job that is in flight, whose times @slot has no more if it is periodic, or NULL. */
static inline const struct hft_event *hft_job_event(const struct hft_slot *slot)
{
	const struct hft_ready_queue *ready = slot->ready;

	if (!(slot->flags & HFT_SLOT_IN_FLIGHT))
		return NULL;
	return &ready->events[slot->watch.link & ready->mask];
}

static inline u64 hft_release_to_monotonic(const struct hft_release_queue *queue,
					   enum hft_clock clock, u64 time)
{
	/* Before this boot; and a deadline of 0 would be none. */
	return time > queue->offset[clock] ? time - queue->offset[clock] : 1;
}

/* From the task's clock to CLOCK_MONOTONIC, as its release is. */
static inline void hft_slot_translate(struct hft_slot *slot)
{
	const struct hft_release_queue *queue = slot->ready->release;

	slot->release = hft_release_to_monotonic(queue, slot->clock, slot->release);
	if (slot->deadline)
		slot->deadline = hft_release_to_monotonic(queue, slot->clock, slot->deadline);
}

/* How strict a halt is: that of the context and of all, and if there is none that of rules. */
static inline u32 hft_sched_rank(u32 mode, u32 rules)
{
	return mode ? HFT_HALT_ALL + mode : rules;
}

/* Is a task one whose times are promised?  Also before it is admitted. */
static inline bool hft_slot_is_hard(const struct hft_slot *slot)
{
	const u32 recurring = HFT_TASK_PERIODIC | HFT_TASK_SPORADIC;

	if (slot->flags & (HFT_TASK_WATCH | HFT_SLOT_ADMITTED))
		return true;
	return slot->flags & recurring && !(slot->flags & HFT_TASK_NO_ADMIT) && slot->wcet;
}

/* May rules bring others to @level, so that a hard task would have to wait for them? */
static inline bool hft_ready_is_soft(const struct hft_ready_queue *ready, u32 level)
{
	return (s32)level <= ready->boost_reach || (s32)level <= ready->spare_reach;
}

#endif /* HFT_CORE_SCHED_H */
