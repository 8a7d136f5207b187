// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The inbox of a ring's worker.  See inbox.h.  Slots are handed out as in D. Vyukov's
 * bounded MPMC queue; that the turn of a place differs from lap to lap is his, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/task.h"
#include "inbox.h"

#define HFT_DEFAULT_INBOX	256

/* Slots that are fetched ahead of the tail; in the one at it the worker spins. */
#define HFT_INBOX_AHEAD		2

#define HFT_INBOX_SPINS		1000
#define HFT_INBOX_SLEEP_US	20

static size_t hft_inbox_lines(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* One piece of memory: the inbox, its slots, nodes, heaps, run and spare indices. */
static void hft_inbox_lay_out(struct hft_inbox *inbox, uint32_t entries)
{
	char *memory = (char *)inbox + hft_inbox_lines(sizeof(*inbox));
	uint32_t i;

	inbox->mask = entries - 1;
	atomic_init(&inbox->limit, entries);
	inbox->slots = (struct hft_inbox_slot *)memory;
	memory += entries * sizeof(*inbox->slots);
	inbox->nodes = (struct hft_inbox_node *)memory;
	memory += entries * sizeof(*inbox->nodes);
	for (i = 0; i < 2; i++) {
		hft_heap_init(&inbox->heaps[i], memory, entries);
		memory += hft_heap_bytes(entries);
	}
	inbox->run = (struct hft_heap_node *)memory;
	memory += hft_heap_bytes(entries);
	inbox->spare = (uint32_t *)memory;
	for (i = 0; i < entries; i++)
		inbox->spare[inbox->nr_spare++] = i;
}

static size_t hft_inbox_bytes(uint32_t entries)
{
	return hft_inbox_lines(sizeof(struct hft_inbox)) +
	       entries * (sizeof(struct hft_inbox_slot) + sizeof(struct hft_inbox_node)) +
	       3 * hft_heap_bytes(entries) + hft_inbox_lines(entries * sizeof(uint32_t));
}

/* @entries: 0 for as many as is usual */
int hft_inbox_open(struct hft_ring *ring, uint32_t entries)
{
	static const _Atomic uint64_t no_turn;
	struct hft_inbox *inbox;

	ring->view.turn = &no_turn;
	ring->view.next = 1;
	if (!ring->level_mask)
		return 0;		/* a monitor ring: no tasks */
	if (!entries)
		entries = HFT_DEFAULT_INBOX;
	if (entries & (entries - 1) || entries > HFT_MAX_ENTRIES)
		return hft_fail(EINVAL, "an inbox of %u: a power of two, at most %u", entries,
				HFT_MAX_ENTRIES);
	inbox = hft_region_make(&ring->inbox_memory, hft_inbox_bytes(entries),
				hft_node_of(ring->cpu));
	if (!inbox)
		return hft_fail(ENOMEM, "an inbox of %u", entries);
	hft_inbox_lay_out(inbox, entries);
	ring->inbox = inbox;
	hft_inbox_view(ring);
	return 0;
}

void hft_inbox_close(struct hft_ring *ring)
{
	hft_free_on(&ring->inbox_memory);
}

/*
 * Submitters.  What each of them does is a part of hft_inbox_submit(), whoever else has the same
 * to do.
 */
#define HFT_INBOX_PART	static inline __attribute__((always_inline))

HFT_INBOX_PART int hft_inbox_check(const struct hft_ring *ring, const struct hft_task *task)
{
	uint32_t flags;

	/* Before anything of the ring's pages: a child has no mapping of them. */
	if (hft_is_inherited(ring->forks))
		return -EOWNERDEAD;
	flags = hft_ring_flags(ring);
	if (flags & (HFT_RING_DEAD | HFT_RING_OFFLINE))
		return flags & HFT_RING_DEAD ? -ENOENT : -ENODEV;
	if (task->level >= HFT_LEVELS || !(ring->level_mask >> task->level & 1))
		return -EINVAL;
	if (task->reserved1 | task->reserved2 | task->after |
	    (task->flags & ~HFT_TASK_REDUCE))
		return -EINVAL;
	if (task->deadline > HFT_TIME_MAX || task->period > HFT_TIME_MAX ||
	    task->wcet > HFT_TIME_MAX)
		return -EINVAL;
	return 0;
}

/* Any thread; lock-free: a turn of the loop that fails is one of another that has not. */
HFT_INBOX_PART bool hft_inbox_claim(struct hft_inbox *inbox, uint64_t *place)
{
	uint64_t tail = atomic_load_explicit(&inbox->tail, memory_order_relaxed);

	do {
		if (tail >= atomic_load_explicit(&inbox->known, memory_order_acquire)) {
			uint64_t limit = atomic_load_explicit(&inbox->limit, memory_order_acquire);

			if (tail >= limit)
				return false;
			atomic_store_explicit(&inbox->known, limit, memory_order_release);
		}
	} while (!atomic_compare_exchange_weak_explicit(&inbox->tail, &tail, tail + 1,
							memory_order_seq_cst,
							memory_order_relaxed));
	*place = tail;
	return true;
}

/* Have a line that the worker has read, some time ago, to write to. */
static inline void hft_inbox_fetch(struct hft_inbox_slot *slot)
{
#ifdef __x86_64__
	/* The compiler's own is this one only for CPUs that it is told of. */
	__asm__("prefetchw %0" : : "m" (*slot));
#else
	__builtin_prefetch(slot, 1);
#endif
}

static inline void hft_inbox_publish(struct hft_inbox *inbox, uint64_t place)
{
	atomic_store_explicit(&hft_inbox_slot(inbox, place)->turn, place + 1,
			      memory_order_release);
	hft_inbox_fetch(hft_inbox_slot(inbox, place + HFT_INBOX_AHEAD));
}

/* Of those who find a worker asleep like that one has to wake it. */
static bool hft_inbox_take_sleeper(struct hft_inbox *inbox, uint32_t how)
{
	if (!atomic_compare_exchange_strong(&inbox->asleep, &how, HFT_INBOX_AWAKE))
		return false;
	atomic_fetch_add_explicit(&inbox->wakeups, 1, memory_order_relaxed);
	return true;
}

/* Have the worker see what was published, if it sleeps in hft_wait(). */
void hft_inbox_rouse(struct hft_ring *ring)
{
	if (ring->inbox && atomic_load(&ring->inbox->asleep) == HFT_INBOX_WAITS &&
	    hft_inbox_take_sleeper(ring->inbox, HFT_INBOX_WAITS))
		ring->backend->wake(ring);
}

/*
 * A worker that sleeps on the ring's descriptor is woken by an event of the ring alone:
 * so it gets this task as one, and nothing where it was claimed.
 */
static int hft_inbox_pass_on(struct hft_ring *ring, uint64_t place)
{
	struct hft_inbox_task *task = &hft_inbox_slot(ring->inbox, place)->task;
	struct hft_task event = {
		.cookie = task->cookie,
		.release = task->release,
		.deadline = task->deadline,
		.ring = ring->number,
		.flags = task->flags,
		.level = task->level,
		.period = task->window,
		.wcet = task->wcet,
	};
	int err;

	task->level = HFT_LEVELS;
	hft_inbox_publish(ring->inbox, place);
	err = ring->backend->submit(ring->h, &event, NULL);
	if (err)	/* It still sleeps, and the next submitter has to try. */
		atomic_store(&ring->inbox->asleep, HFT_INBOX_POLLS);
	return err;
}

static int hft_inbox_deliver(struct hft_ring *ring, uint64_t place,
			     struct hft_inbox_receipt *receipt)
{
	if (hft_inbox_take_sleeper(ring->inbox, HFT_INBOX_POLLS)) {
		if (receipt)
			receipt->passed_on = true;
		return hft_inbox_pass_on(ring, place);
	}
	hft_inbox_publish(ring->inbox, place);
	hft_inbox_rouse(ring);
	return 0;
}

/* Who has no receipt for it does not pay for one. */
HFT_INBOX_PART int hft_inbox_put(struct hft_ring *ring, const struct hft_task *task,
				 struct hft_inbox_receipt *receipt)
{
	struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_task *to;
	uint64_t place, now;
	int err;

	err = hft_inbox_check(ring, task);
	if (__builtin_expect(err, 0))
		return err;
	now = hft_now();
	if (__builtin_expect(!hft_inbox_claim(inbox, &place), 0)) {
		atomic_fetch_add_explicit(&inbox->refused, 1, memory_order_relaxed);
		return -EAGAIN;
	}
	to = &hft_inbox_slot(inbox, place)->task;
	to->cookie = task->cookie;
	to->release = now;
	to->deadline = task->deadline ? now + task->deadline : 0;
	to->window = hft_inbox_window(task);
	to->wcet = task->wcet;
	to->flags = task->flags;
	to->level = task->level;
	if (receipt)
		*receipt = (struct hft_inbox_receipt){ .place = place, .release = now };
	/* After the claim: see inbox.h. */
	if (__builtin_expect(atomic_load(&inbox->asleep), 0))
		return hft_inbox_deliver(ring, place, receipt);
	hft_inbox_publish(inbox, place);
	return 0;
}

int hft_inbox_submit(struct hft_ring *ring, const struct hft_task *task)
{
	return hft_inbox_put(ring, task, NULL);
}

/* @receipt: where it has gone to, if it is taken; or NULL */
int hft_inbox_submit_for(struct hft_ring *ring, const struct hft_task *task,
			 struct hft_inbox_receipt *receipt)
{
	return hft_inbox_put(ring, task, receipt);
}

/* The kill switch */

/* How many tasks there are that neither the worker nor a cancellation has taken out. */
static uint64_t hft_inbox_waiting(const struct hft_inbox *inbox)
{
	uint64_t from = atomic_load_explicit(&inbox->removed, memory_order_acquire);
	uint64_t cut = atomic_load_explicit(&inbox->cut, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&inbox->tail, memory_order_relaxed);

	/* The worker has not looked since: nothing behind the cut is out. */
	if (cut != atomic_load_explicit(&inbox->seen_cut, memory_order_acquire))
		from = cut;
	return tail > from ? tail - from : 0;
}

/*
 * Wait until the worker has begun with what it chose before it could see a halt.  Returns
 * how many tasks that stops.
 */
uint64_t hft_inbox_settle(const struct hft_ring *ring)
{
	unsigned int i;

	/* The halt before busy: pairs with hft_inbox_choose(). */
	atomic_thread_fence(memory_order_seq_cst);
	for (i = 1; atomic_load_explicit(&ring->inbox->busy, memory_order_acquire); i++) {
		/* It was interrupted: let it go on, on this CPU too. */
		if (i >= HFT_INBOX_SPINS)
			usleep(HFT_INBOX_SLEEP_US);
	}
	return hft_inbox_waiting(ring->inbox);
}

/* Cancel all that is in the inbox.  The worker, which it is halted for, will see to it. */
void hft_inbox_cancel(struct hft_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->inbox->tail, memory_order_relaxed);

	atomic_store_explicit(&ring->inbox->cut, tail, memory_order_release);
	if (ring->recorder)
		hft_record_drop(ring, tail);
}

/**
 * hft_inbox_stats() - read the counters of hft_submit_now()
 * @ring: ring
 * @stats: the answer; its sz is set
 *
 * Each is right for itself; together they are while nobody submits.  Any thread;
 * wait-free, no system call.
 *
 * Return: 0, or -EINVAL sz is not set, or the ring is for notices.
 */
HFT_API int hft_inbox_stats(const struct hft_ring *ring, struct hft_inbox_stats *stats)
{
	const struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_stats all = { 0 };
	int err = hft_check_answer(stats);

	if (err)
		return err;
	if (!inbox)
		return hft_fail(EINVAL, "ring %u is for notices", ring->number);
	all.entries = inbox->mask + 1;
	all.submitted = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
	all.waiting = hft_inbox_waiting(inbox);
	all.cancelled = atomic_load_explicit(&inbox->cancelled, memory_order_relaxed);
	all.passed_on = atomic_load_explicit(&inbox->passed_on, memory_order_relaxed);
	all.taken = atomic_load_explicit(&inbox->removed, memory_order_relaxed) - all.cancelled -
		    all.passed_on;
	all.refused = atomic_load_explicit(&inbox->refused, memory_order_relaxed);
	all.wakeups = atomic_load_explicit(&inbox->wakeups, memory_order_relaxed);
	hft_answer(stats, &all, sizeof(all));
	return 0;
}
