/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inbox of a ring's worker: immediate tasks of this process, which the kernel never
 * sees.
 *
 * Submitters claim places one after the other, write the slot of theirs, and publish
 * it by its turn.  The worker takes over what is published into heaps of its own, in
 * its policy's order, and runs the better of that and of its ring.  A place is claimed
 * only when the task before it in the slot is out of it and fewer than @mask + 1 tasks
 * wait: so there is room for all that is published, and the order is the policy's
 * up to the last of them.
 *
 * A submitter that stops between its claim and its turn holds up nobody: the worker
 * looks behind its place now and then, and takes over what is there.
 *
 * Barriers:
 *
 *   the task, then store-release of slot.turn
 *	pairs with the worker's load-acquire of it
 *   the task copied, then store-release of limit
 *	pairs with the load-acquire in the next claim of the slot
 *   asleep, then load of tail, both sequentially consistent, of a worker
 *	pairs with the claim in tail, then load of asleep, of a submitter: either that
 *	wakes the worker, or the worker knows of the claim and sleeps for moments only
 *   busy, then load of producer.flags, both sequentially consistent, of a worker
 *	pairs with the halt in the flags, then load of busy, of hft_halt(): either the
 *	worker sees that it is halted, or hft_halt() waits until its task has begun
 *   load of producer.flags, then of cut, of a worker
 *	pairs with the cut, then the end of the halt: who sees that end has nothing that
 *	the halt has cancelled
 */
#ifndef HFT_ENGINE_INBOX_H
#define HFT_ENGINE_INBOX_H

#include <stdatomic.h>

#include "core/heap.h"
#include "core/policy.h"
#include "internal.h"

/* hft_inbox_slot.turn of a place that was taken over before one in front of it */
#define HFT_INBOX_PASSED	(1ULL << 63)

enum hft_inbox_sleep {
	HFT_INBOX_AWAKE,
	HFT_INBOX_WAITS,	/* in hft_wait() */
	HFT_INBOX_POLLS,	/* on the ring's descriptor */
};

/**
 * struct hft_inbox_task - an immediate task
 * @cookie: from the descriptor, as are the next ones
 * @release: when it was submitted
 * @deadline: absolute; 0: none
 * @window: as hft_policy_key() has it
 * @wcet: likewise
 * @flags: of the descriptor
 * @level: of the descriptor; %HFT_LEVELS: there is no task here
 */
struct hft_inbox_task {
	uint64_t cookie;
	uint64_t release;
	uint64_t deadline;
	uint64_t window;
	uint64_t wcet;
	uint32_t flags;
	uint8_t level;
};

struct hft_inbox_slot {
	_Atomic uint64_t turn;		/* its place + 1: published */
	struct hft_inbox_task task;
} __attribute__((aligned(64)));

/**
 * struct hft_inbox_receipt - where a task has gone to
 * @place: in the inbox
 * @release: of the task
 * @passed_on: it is not there: it went to the ring, by hft_submit()
 */
struct hft_inbox_receipt {
	uint64_t place;
	uint64_t release;
	bool passed_on;
};

struct hft_inbox_node {
	struct hft_heap_item item;	/* its seq is the task's place */
	struct hft_inbox_task task;
} __attribute__((aligned(64)));

/**
 * struct hft_inbox - the inbox of a ring
 * @slots: what is being submitted
 * @mask: entries - 1
 * @asleep: &enum hft_inbox_sleep of the worker
 * @cut: tasks before that place are cancelled
 * @tail: places claimed so far
 * @known: a @limit that was seen
 * @refused: tasks that found no room
 * @wakeups: times a sleeping worker was woken
 * @limit: the first place that may not be claimed; it moves in strides, since who finds
 *	no room looks at it all the time
 * @busy: the worker chooses, or has chosen and has not begun
 * @seen_cut: the @cut that the worker has heeded
 * @removed: tasks that are in the inbox no more
 * @cancelled: of those the ones that were cancelled
 * @passed_on: of those the ones that went to the ring after all
 * @head: places in front of it are taken over, as are some behind
 * @heaps: what is taken over: [1] tasks with %HFT_TASK_REDUCE, [0] others
 * @run: of the others, those that came in their order: most do, and need no heap.  A
 *	ring, @run_nr from @run_head on
 * @policy: that the keys of what is in these are of
 * @nodes: memory of what is in these
 * @spare: indices of free nodes, @nr_spare of them
 * @event: the task that the worker is at
 *
 * From @limit on only the worker writes, from @head on only it reads.
 */
struct hft_inbox {
	struct hft_inbox_slot *slots;
	uint64_t mask;
	_Atomic uint32_t asleep;
	_Atomic uint64_t cut;

	_Atomic uint64_t tail __attribute__((aligned(64)));
	_Atomic uint64_t known;
	_Atomic uint64_t refused;
	_Atomic uint64_t wakeups;

	_Atomic uint64_t limit __attribute__((aligned(64)));

	_Atomic uint32_t busy __attribute__((aligned(64)));
	_Atomic uint64_t seen_cut;
	_Atomic uint64_t removed;
	_Atomic uint64_t cancelled;
	_Atomic uint64_t passed_on;

	uint64_t head;
	struct hft_heap heaps[2];
	struct hft_heap_node *run;
	uint64_t run_head;
	uint32_t run_nr;
	uint32_t policy;
	struct hft_inbox_node *nodes;
	uint32_t *spare;
	uint32_t nr_spare;
	struct hft_event event __attribute__((aligned(64)));
};

static inline struct hft_inbox_slot *hft_inbox_slot(const struct hft_inbox *inbox, uint64_t place)
{
	return &inbox->slots[place & inbox->mask];
}

/* Of a task as it is submitted, with a deadline that is counted from then. */
static inline uint64_t hft_inbox_window(const struct hft_task *task)
{
	if (!task->deadline || (task->period && task->period < task->deadline))
		return task->period;
	return task->deadline;
}

/* As an event of its ring, which was released and dispatched when it was submitted. */
static inline void hft_inbox_event(const struct hft_inbox_task *task, uint64_t place,
				   struct hft_event *event)
{
	*event = (struct hft_event){
		.cookie = task->cookie,
		.release = task->release,
		.deadline = task->deadline,
		.irq_entry = task->release,
		.published = task->release,
		.sequence = place,
		.type = HFT_EVENT_TASK,
		.clock = HFT_CLOCK_MONOTONIC,
		.level = task->level,
	};
}

/* What may run now, by the ring's flags: none, [1] or both of the heaps. */
static inline bool hft_inbox_allows(uint32_t flags, int i)
{
	if (flags & (HFT_RING_HALTED | HFT_RING_DEAD))
		return false;
	return i || !(flags & HFT_RING_REDUCE);
}

/* inbox_worker.c */
void hft_inbox_view(struct hft_ring *ring);
uint64_t hft_inbox_key(uint32_t policy, const struct hft_inbox_task *task, uint64_t order);
bool hft_inbox_before(uint32_t policy, const struct hft_inbox_task *task,
		      const struct hft_event *event);

/* record_inbox.c */
uint64_t hft_record_time(const struct hft_ring *ring) __attribute__((cold));
void hft_record_choice(struct hft_ring *ring, const struct hft_inbox_node *best,
		       const struct hft_event *event, uint64_t begin) __attribute__((cold));

#endif /* HFT_ENGINE_INBOX_H */
