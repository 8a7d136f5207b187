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
#define HFT_INBOX_AHEAD		4

/* How long a worker sleeps at most while a place is claimed and not published. */
#define HFT_INBOX_CLAIM_NS	100000ULL

/* Likewise while tasks are halted: another process may resume them. */
#define HFT_INBOX_HALTED_NS	10000000ULL

#define HFT_INBOX_SPINS		1000
#define HFT_INBOX_SLEEP_US	20

static size_t hft_inbox_lines(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static void hft_inbox_view(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;

	ring->view.turn = &inbox->slots[inbox->head & inbox->mask].turn;
	ring->view.next = inbox->head + 1;
	ring->view.held = inbox->heaps[0].nr + inbox->heaps[1].nr + ring->view.taken;
}

/* One piece of memory: the inbox, its slots, nodes, heaps and spare indices. */
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
	inbox->spare = (uint32_t *)memory;
	for (i = 0; i < entries; i++)
		inbox->spare[inbox->nr_spare++] = i;
}

static size_t hft_inbox_bytes(uint32_t entries)
{
	return hft_inbox_lines(sizeof(struct hft_inbox)) +
	       entries * (sizeof(struct hft_inbox_slot) + sizeof(struct hft_inbox_node)) +
	       2 * hft_heap_bytes(entries) + hft_inbox_lines(entries * sizeof(uint32_t));
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
	inbox = aligned_alloc(64, hft_inbox_bytes(entries));
	if (!inbox)
		return hft_fail(ENOMEM, "an inbox of %u", entries);
	memset(inbox, 0, hft_inbox_bytes(entries));
	hft_inbox_lay_out(inbox, entries);
	ring->inbox = inbox;
	hft_inbox_view(ring);
	return 0;
}

void hft_inbox_close(struct hft_ring *ring)
{
	free(ring->inbox);
}

/* Submitters */

static int hft_inbox_check(const struct hft_ring *ring, const struct hft_task *task)
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
	if (task->reserved1 | task->reserved2 | task->reserved3 |
	    (task->flags & ~HFT_TASK_REDUCE))
		return -EINVAL;
	if (task->deadline > HFT_TIME_MAX || task->period > HFT_TIME_MAX ||
	    task->wcet > HFT_TIME_MAX)
		return -EINVAL;
	return 0;
}

/* Any thread; lock-free: a turn of the loop that fails is one of another that has not. */
static bool hft_inbox_claim(struct hft_inbox *inbox, uint64_t *place)
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

static void hft_inbox_publish(struct hft_inbox *inbox, uint64_t place,
			      const struct hft_inbox_task *task)
{
	struct hft_inbox_slot *slot = &inbox->slots[place & inbox->mask];

	slot->task = *task;
	atomic_store_explicit(&slot->turn, place + 1, memory_order_release);
	__builtin_prefetch(&inbox->slots[(place + HFT_INBOX_AHEAD) & inbox->mask], 1);
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
static int hft_inbox_pass_on(struct hft_ring *ring, uint64_t place, struct hft_inbox_task *task)
{
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
	struct hft_inbox_task nothing = { .level = HFT_LEVELS };
	int err;

	hft_inbox_publish(ring->inbox, place, &nothing);
	err = ring->backend->submit(ring->h, &event, NULL);
	if (err)	/* It still sleeps, and the next submitter has to try. */
		atomic_store(&ring->inbox->asleep, HFT_INBOX_POLLS);
	return err;
}

static int hft_inbox_deliver(struct hft_ring *ring, uint64_t place, struct hft_inbox_task *task)
{
	if (hft_inbox_take_sleeper(ring->inbox, HFT_INBOX_POLLS))
		return hft_inbox_pass_on(ring, place, task);
	hft_inbox_publish(ring->inbox, place, task);
	hft_inbox_rouse(ring);
	return 0;
}

static uint64_t hft_inbox_window(const struct hft_task *task)
{
	if (!task->deadline || (task->period && task->period < task->deadline))
		return task->period;
	return task->deadline;
}

int hft_inbox_submit(struct hft_ring *ring, const struct hft_task *task)
{
	struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_task copy;
	uint64_t place;
	int err;

	err = hft_inbox_check(ring, task);
	if (__builtin_expect(err, 0))
		return err;
	copy.cookie = task->cookie;
	copy.release = hft_now();
	copy.deadline = task->deadline ? copy.release + task->deadline : 0;
	copy.window = hft_inbox_window(task);
	copy.wcet = task->wcet;
	copy.flags = task->flags;
	copy.level = task->level;
	if (__builtin_expect(!hft_inbox_claim(inbox, &place), 0)) {
		atomic_fetch_add_explicit(&inbox->refused, 1, memory_order_relaxed);
		return -EAGAIN;
	}
	if (__builtin_expect(atomic_load(&inbox->asleep), 0))
		return hft_inbox_deliver(ring, place, &copy);
	hft_inbox_publish(inbox, place, &copy);
	return 0;
}

/* The worker */

static uint64_t hft_inbox_key(const struct hft_ring *ring, const struct hft_inbox_task *task,
			      uint64_t order)
{
	return hft_policy_key(ring->policy, task->level, order, task->deadline, task->window,
			      task->wcet);
}

static void hft_inbox_add(_Atomic uint64_t *counter, uint64_t n)
{
	/* The worker's alone: others only read it. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Room for another: after a task has left. */
static void hft_inbox_make_room(struct hft_inbox *inbox)
{
	uint64_t removed = atomic_load_explicit(&inbox->removed, memory_order_relaxed);
	uint64_t free = removed < inbox->head ? removed : inbox->head;

	atomic_store_explicit(&inbox->limit, free + inbox->mask + 1, memory_order_release);
}

/* Take over what is published at @place. */
static void hft_inbox_take_over(struct hft_ring *ring, uint64_t place)
{
	struct hft_inbox *inbox = ring->inbox;
	const struct hft_inbox_task *task = &inbox->slots[place & inbox->mask].task;
	struct hft_inbox_node *node;

	if (__builtin_expect(task->level == HFT_LEVELS, 0)) {
		hft_inbox_add(&inbox->passed_on, 1);
		hft_inbox_add(&inbox->removed, 1);
		return;
	}
	node = &inbox->nodes[inbox->spare[--inbox->nr_spare]];
	node->task = *task;
	node->item.seq = place;
	hft_heap_push(&inbox->heaps[!!(task->flags & HFT_TASK_REDUCE)], &node->item,
		      hft_inbox_key(ring, task, place));
}

static void hft_inbox_drain(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	uint64_t turn;

	for (;; inbox->head++) {
		turn = atomic_load_explicit(&inbox->slots[inbox->head & inbox->mask].turn,
					    memory_order_acquire);
		if (turn == inbox->head + 1)
			hft_inbox_take_over(ring, inbox->head);
		else if (turn != (HFT_INBOX_PASSED | (inbox->head + 1)))
			break;
	}
	hft_inbox_make_room(inbox);
	hft_inbox_view(ring);
}

/* Behind a place that is claimed and not published there may be others that are. */
void hft_inbox_look_behind(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_slot *slot;
	uint64_t place, tail;

	if (!inbox)
		return;
	tail = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
	for (place = inbox->head + 1; place < tail; place++) {
		slot = &inbox->slots[place & inbox->mask];
		if (atomic_load_explicit(&slot->turn, memory_order_acquire) != place + 1)
			continue;
		hft_inbox_take_over(ring, place);
		/* Nobody claims it again before the head is past it. */
		atomic_store_explicit(&slot->turn, HFT_INBOX_PASSED | (place + 1),
				      memory_order_relaxed);
	}
	hft_inbox_drain(ring);
}

static void hft_inbox_free(struct hft_inbox *inbox, struct hft_inbox_node *node)
{
	inbox->spare[inbox->nr_spare++] = (uint32_t)(node - inbox->nodes);
	hft_inbox_add(&inbox->removed, 1);
}

static void hft_inbox_cancel_heap(struct hft_inbox *inbox, struct hft_heap *heap, uint64_t cut)
{
	struct hft_inbox_node *node;
	uint32_t i = 0;

	while (i < heap->nr) {
		node = container_of(heap->node[i].item, struct hft_inbox_node, item);
		if (node->item.seq >= cut) {
			i++;
			continue;
		}
		hft_heap_remove(heap, &node->item);
		hft_inbox_free(inbox, node);
		hft_inbox_add(&inbox->cancelled, 1);
		i = 0;		/* the heap is another one */
	}
}

/* Drop what was cancelled: all that was claimed in front of the cut. */
static void hft_inbox_heed_cut(struct hft_ring *ring, uint64_t cut)
{
	struct hft_inbox *inbox = ring->inbox;
	int i;

	hft_inbox_look_behind(ring);
	for (i = 0; i < 2; i++)
		hft_inbox_cancel_heap(inbox, &inbox->heaps[i], cut);
	/* A claim in front of it that is not published yet is looked for again. */
	if (inbox->head >= cut)
		atomic_store_explicit(&inbox->seen_cut, cut, memory_order_release);
	hft_inbox_make_room(inbox);
	hft_inbox_view(ring);
}

static void hft_inbox_update(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	uint64_t cut = atomic_load_explicit(&inbox->cut, memory_order_acquire);

	hft_inbox_drain(ring);
	if (__builtin_expect(cut != atomic_load_explicit(&inbox->seen_cut, memory_order_relaxed),
			     0))
		hft_inbox_heed_cut(ring, cut);
}

/* What may run now, by the ring's flags: none, [1] or both of the heaps. */
static bool hft_inbox_allows(uint32_t flags, int i)
{
	if (flags & (HFT_RING_HALTED | HFT_RING_DEAD))
		return false;
	return i || !(flags & HFT_RING_REDUCE);
}

/* The best task that may run, or NULL. */
static struct hft_inbox_node *hft_inbox_best(const struct hft_inbox *inbox, uint32_t flags)
{
	const struct hft_heap *plain = &inbox->heaps[0], *reduce = &inbox->heaps[1];
	const struct hft_heap *heap = plain;

	if (!hft_inbox_allows(flags, 1))
		return NULL;
	if (!hft_inbox_allows(flags, 0) || !plain->nr ||
	    (reduce->nr && hft_heap_before(&reduce->node[0], &plain->node[0])))
		heap = reduce;
	return heap->nr ? container_of(heap->node[0].item, struct hft_inbox_node, item) : NULL;
}

/*
 * Does an immediate task go before an event of the ring?  Where their keys are equal, and
 * by FIFO, the one does that was submitted, or dispatched, first.
 */
static bool hft_inbox_before(const struct hft_ring *ring, const struct hft_inbox_task *task,
			     const struct hft_event *event)
{
	struct hft_inbox_task other = {
		.deadline = event->deadline,
		.window = event->deadline ? event->deadline - event->release : 0,
		.level = event->level,
	};
	uint64_t key = hft_inbox_key(ring, task, task->release);
	uint64_t other_key = hft_inbox_key(ring, &other, event->published);

	return key != other_key ? key < other_key : task->release < event->published;
}

static void hft_inbox_take(struct hft_ring *ring, struct hft_inbox_node *node)
{
	struct hft_inbox *inbox = ring->inbox;
	const struct hft_inbox_task *task = &node->task;

	inbox->event = (struct hft_event){
		.cookie = task->cookie,
		.release = task->release,
		.deadline = task->deadline,
		.irq_entry = task->release,
		.published = task->release,
		.sequence = node->item.seq,
		.type = HFT_EVENT_TASK,
		.clock = HFT_CLOCK_MONOTONIC,
		.level = task->level,
	};
	hft_heap_pop(&inbox->heaps[!!(task->flags & HFT_TASK_REDUCE)]);
	hft_inbox_free(inbox, node);
	hft_inbox_make_room(inbox);
	/* It is still held. */
	ring->view.taken = true;
}

/*
 * The better of @event, of the ring or NULL, and the inbox.  If that is a task of the
 * inbox hft_halt() waits for hft_inbox_begin().
 */
const struct hft_event *hft_inbox_choose(struct hft_ring *ring, const struct hft_event *event)
{
	struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_node *node;

	if (ring->view.taken)
		return &inbox->event;
	hft_inbox_update(ring);
	atomic_store(&inbox->busy, 1);
	node = hft_inbox_best(inbox, __atomic_load_n(&ring->producer->flags, __ATOMIC_SEQ_CST));
	if (!node || (event && !hft_inbox_before(ring, &node->task, event))) {
		hft_inbox_begin(ring);
		return event;
	}
	hft_inbox_take(ring, node);
	return &inbox->event;
}

/* The worker has begun with a task. */
void hft_inbox_begin(struct hft_ring *ring)
{
	atomic_store_explicit(&ring->inbox->busy, 0, memory_order_release);
}

/* How many tasks may run now, or do. */
uint32_t hft_inbox_count(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	uint32_t flags = hft_ring_flags(ring);
	uint32_t count = ring->view.taken;
	int i;

	if (!inbox)
		return 0;
	hft_inbox_update(ring);
	for (i = 0; i < 2; i++) {
		if (hft_inbox_allows(flags, i))
			count += inbox->heaps[i].nr;
	}
	return count;
}

/* The worker is about to sleep until @timeout.  Returns until when it may: 0: not at all. */
uint64_t hft_inbox_arm(struct hft_ring *ring, uint64_t timeout)
{
	struct hft_inbox *inbox = ring->inbox;
	uint64_t until;

	if (!inbox || !timeout)
		return timeout;
	atomic_store(&inbox->asleep, HFT_INBOX_WAITS);
	if (atomic_load(&inbox->tail) == inbox->head && !ring->view.held)
		return timeout;

	hft_inbox_look_behind(ring);
	if (hft_inbox_count(ring))
		return 0;
	until = hft_now();
	if (atomic_load(&inbox->tail) != inbox->head)
		until += HFT_INBOX_CLAIM_NS;
	else
		until += HFT_INBOX_HALTED_NS;
	return until < timeout ? until : timeout;
}

/* The worker has slept. */
void hft_inbox_disarm(struct hft_ring *ring)
{
	if (ring->inbox)
		atomic_store_explicit(&ring->inbox->asleep, HFT_INBOX_AWAKE, memory_order_relaxed);
}

/* The worker is about to sleep on the ring's descriptor.  Returns whether it may. */
bool hft_inbox_arm_poll(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;

	if (!inbox)
		return true;
	atomic_store(&inbox->asleep, HFT_INBOX_POLLS);
	if (atomic_load(&inbox->tail) == inbox->head && !ring->view.held)
		return true;
	hft_inbox_look_behind(ring);
	/* A claim without a task is moments old: look again. */
	if (!hft_inbox_count(ring) && atomic_load(&inbox->tail) == inbox->head)
		return true;
	hft_inbox_disarm(ring);
	return false;
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
	size_t size = stats->sz;

	if (!inbox || size < sizeof(size))
		return hft_fail(EINVAL, "inbox of ring %u: it is for notices, or sz is not set",
				ring->number);
	all.entries = inbox->mask + 1;
	all.submitted = atomic_load_explicit(&inbox->tail, memory_order_relaxed);
	all.waiting = hft_inbox_waiting(inbox);
	all.cancelled = atomic_load_explicit(&inbox->cancelled, memory_order_relaxed);
	all.passed_on = atomic_load_explicit(&inbox->passed_on, memory_order_relaxed);
	all.taken = atomic_load_explicit(&inbox->removed, memory_order_relaxed) - all.cancelled -
		    all.passed_on;
	all.refused = atomic_load_explicit(&inbox->refused, memory_order_relaxed);
	all.wakeups = atomic_load_explicit(&inbox->wakeups, memory_order_relaxed);
	all.sz = size;
	memset(stats, 0, size);
	memcpy(stats, &all, size < sizeof(all) ? size : sizeof(all));
	return 0;
}
