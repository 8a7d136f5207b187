/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A full ready queue as it is used: the best task leaves, another comes.  Each makes a
 * key by the policy, pushes and pops; the queue stays at READY_TASKS.
 */
#ifndef HFT_BENCH_READY_WORK_H
#define HFT_BENCH_READY_WORK_H

#include "core/heap.h"
#include "core/policy.h"

#define READY_TASKS	4096
#define READY_SPREAD	(1U << 30)	/* ns: deadlines are up to so much later */

struct ready_task {
	struct hft_heap_item item;
	u64 deadline;
	u8 level;
} __attribute__((aligned(64)));

struct ready {
	struct hft_heap heap;
	struct ready_task task[READY_TASKS];
	struct hft_heap_node memory[READY_TASKS + HFT_HEAP_PAD + 1] __attribute__((aligned(64)));
	u32 policy;
	u64 sequence;
	u64 random;
};

static inline u64 ready_random(struct ready *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

static inline void ready_push(struct ready *r, struct ready_task *task)
{
	task->item.seq = r->sequence++;
	hft_heap_push(&r->heap, &task->item,
		      hft_policy_key(r->policy, task->level, task->item.seq, task->deadline, 0, 0));
}

static inline void ready_fill(struct ready *r)
{
	u32 i;

	r->policy = HFT_POLICY_EDF;
	r->random = 0x68667438;
	hft_heap_init(&r->heap, r->memory, READY_TASKS);
	for (i = 0; i < READY_TASKS; i++) {
		r->task[i].deadline = 1 + ready_random(r) % READY_SPREAD;
		r->task[i].level = HFT_LEVEL_NORMAL;
		ready_push(r, &r->task[i]);
	}
}

/* Without the random numbers, which @later has. */
static inline void ready_turn(struct ready *r, u64 later)
{
	struct ready_task *task = container_of(hft_heap_pop(&r->heap), struct ready_task, item);

	task->deadline += later;
	ready_push(r, task);
}

#endif /* HFT_BENCH_READY_WORK_H */
