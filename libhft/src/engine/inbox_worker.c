// SPDX-License-Identifier: LGPL-2.1-or-later
/* The worker's side of its inbox.  See inbox.h. */
#include "core/class.h"
#include "inbox.h"

/* How long a worker sleeps at most while a place is claimed and not published. */
#define HFT_INBOX_CLAIM_NS	100000ULL

/* Likewise while tasks are halted: another process may resume them. */
#define HFT_INBOX_HALTED_NS	10000000ULL

/* Slots behind the head in which a glance looks for what is published. */
#define HFT_INBOX_GLANCE	8

/* Of its entries, the part that room is told of at a time. */
#define HFT_INBOX_TOLD		8

/* Slots that the worker fetches ahead of the one that it takes over. */
#define HFT_INBOX_READ_AHEAD	16

void hft_inbox_view(struct hft_ring *ring)
{
	static const _Atomic uint64_t held;
	struct hft_inbox *inbox = ring->inbox;

	ring->view.held = inbox->heaps[0].nr + inbox->heaps[1].nr + inbox->run_nr +
			  ring->view.taken;
	ring->view.turn = ring->view.held ? &held : &hft_inbox_slot(inbox, inbox->head)->turn;
	ring->view.next = ring->view.held ? 0 : inbox->head + 1;
}

/* Is there something that the worker has not taken over? */
bool hft_inbox_has_news(const struct hft_ring *ring)
{
	const struct hft_inbox *inbox = ring->inbox;

	return inbox && atomic_load_explicit(&hft_inbox_slot(inbox, inbox->head)->turn,
					     memory_order_relaxed) == inbox->head + 1;
}

uint64_t hft_inbox_key(uint32_t policy, const struct hft_inbox_task *task, uint64_t order)
{
	/* An immediate task has no class, which could have been demoted. */
	return hft_policy_key(policy, task->level, order, task->deadline,
			      policy == HFT_POLICY_FAIR ?
				      task->release >> HFT_FAIR_EPOCH_SHIFT : task->window,
			      task->wcet);
}

static void hft_inbox_add(_Atomic uint64_t *counter, uint64_t n)
{
	/* The worker's alone: others only read it. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* After a task has left: tell submitters of the room, or if there is enough of it. */
static void hft_inbox_make_room(struct hft_inbox *inbox)
{
	uint64_t removed = atomic_load_explicit(&inbox->removed, memory_order_relaxed);
	uint64_t free = removed < inbox->head ? removed : inbox->head;
	uint64_t told = atomic_load_explicit(&inbox->limit, memory_order_relaxed);
	uint64_t room = free + inbox->mask + 1;

	if (room - told > inbox->mask / HFT_INBOX_TOLD || free == inbox->head)
		atomic_store_explicit(&inbox->limit, room, memory_order_release);
}

static struct hft_heap_node *hft_inbox_run(const struct hft_inbox *inbox, uint32_t n)
{
	return &inbox->run[(inbox->run_head + n) & inbox->mask];
}

/* Put a task where it is in its order. */
static void hft_inbox_sort(struct hft_inbox *inbox, struct hft_inbox_node *node, uint64_t key)
{
	struct hft_heap_node what = { .key = key, .item = &node->item };

	if (node->task.flags & HFT_TASK_REDUCE)
		hft_heap_push(&inbox->heaps[1], &node->item, key);
	else if (inbox->run_nr && hft_heap_before(&what, hft_inbox_run(inbox, inbox->run_nr - 1)))
		hft_heap_push(&inbox->heaps[0], &node->item, key);
	else
		*hft_inbox_run(inbox, inbox->run_nr++) = what;
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
	hft_inbox_sort(inbox, node, hft_inbox_key(inbox->policy, task, place));
}

static void hft_inbox_drain(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	uint64_t turn;

	for (;; inbox->head++) {
		turn = atomic_load_explicit(&inbox->slots[inbox->head & inbox->mask].turn,
					    memory_order_acquire);
		if (turn == inbox->head + 1) {
			__builtin_prefetch(hft_inbox_slot(inbox,
							  inbox->head + HFT_INBOX_READ_AHEAD));
			hft_inbox_take_over(ring, inbox->head);
		} else if (turn != (HFT_INBOX_PASSED | (inbox->head + 1)))
			break;
	}
	hft_inbox_make_room(inbox);
	hft_inbox_view(ring);
}

/* Behind a place that is claimed and not published there may be others that are. */
static void hft_inbox_look_behind(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	struct hft_inbox_slot *slot;
	uint64_t place, tail;

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

/* Likewise as far as it can be seen by the next slots, unless @thoroughly. */
void hft_inbox_glance(struct hft_ring *ring, bool thoroughly)
{
	const struct hft_inbox *inbox = ring->inbox;
	uint64_t place;

	if (!inbox)
		return;
	for (place = inbox->head + 1; !thoroughly; place++) {
		if (place > inbox->head + HFT_INBOX_GLANCE)
			return;
		thoroughly = atomic_load_explicit(&hft_inbox_slot(inbox, place)->turn,
						  memory_order_relaxed) == place + 1;
	}
	hft_inbox_look_behind(ring);
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

static void hft_inbox_cancel_run(struct hft_inbox *inbox, uint64_t cut)
{
	struct hft_inbox_node *node;
	uint32_t i, nr = inbox->run_nr;

	inbox->run_nr = 0;
	for (i = 0; i < nr; i++) {
		struct hft_heap_node what = *hft_inbox_run(inbox, i);

		node = container_of(what.item, struct hft_inbox_node, item);
		if (node->item.seq >= cut) {
			*hft_inbox_run(inbox, inbox->run_nr++) = what;
			continue;
		}
		hft_inbox_free(inbox, node);
		hft_inbox_add(&inbox->cancelled, 1);
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
	hft_inbox_cancel_run(inbox, cut);
	/* A claim in front of it that is not published yet is looked for again. */
	if (inbox->head >= cut)
		atomic_store_explicit(&inbox->seen_cut, cut, memory_order_release);
	hft_inbox_make_room(inbox);
	hft_inbox_view(ring);
}

/* Make the keys of a heap, and of the run, again; by way of the run, which has room for all. */
static void hft_inbox_rekey(struct hft_inbox *inbox, struct hft_heap *heap)
{
	struct hft_inbox_node *node;

	while (heap->nr) {
		*hft_inbox_run(inbox, inbox->run_nr++) = heap->node[heap->nr - 1];
		hft_heap_remove(heap, heap->node[heap->nr - 1].item);
	}
	for (; inbox->run_nr; inbox->run_nr--) {
		node = container_of(hft_inbox_run(inbox, inbox->run_nr - 1)->item,
				    struct hft_inbox_node, item);
		hft_heap_push(heap, &node->item,
			      hft_inbox_key(inbox->policy, &node->task, node->item.seq));
	}
}

static void hft_inbox_set_policy(struct hft_inbox *inbox, uint32_t policy)
{
	int i;

	inbox->policy = policy;
	for (i = 0; i < 2; i++)
		hft_inbox_rekey(inbox, &inbox->heaps[i]);
}

static void hft_inbox_update(struct hft_ring *ring)
{
	struct hft_inbox *inbox = ring->inbox;
	uint64_t cut = atomic_load_explicit(&inbox->cut, memory_order_acquire);
	uint32_t policy = __atomic_load_n(&ring->policy, __ATOMIC_RELAXED);

	if (__builtin_expect(policy != inbox->policy, 0))
		hft_inbox_set_policy(inbox, policy);
	hft_inbox_drain(ring);
	if (__builtin_expect(cut != atomic_load_explicit(&inbox->seen_cut, memory_order_relaxed),
			     0))
		hft_inbox_heed_cut(ring, cut);
}

/* What may run now, by the ring's flags, and is the best.  Its item is NULL: nothing. */
static struct hft_heap_node hft_inbox_best(const struct hft_inbox *inbox, uint32_t flags)
{
	struct hft_heap_node best = { .key = U64_MAX };
	int i;

	if (inbox->run_nr && hft_inbox_allows(flags, 0))
		best = *hft_inbox_run(inbox, 0);
	for (i = 0; i < 2; i++) {
		const struct hft_heap *heap = &inbox->heaps[i];

		if (heap->nr && hft_inbox_allows(flags, i) &&
		    (!best.item || hft_heap_before(&heap->node[0], &best)))
			best = heap->node[0];
	}
	return best;
}

/*
 * Does an immediate task go before an event of the ring?  Where their keys are equal, and
 * by FIFO, the one does that was submitted, or dispatched, first.
 */
bool hft_inbox_before(uint32_t policy, const struct hft_inbox_task *task,
		      const struct hft_event *event)
{
	struct hft_inbox_task other = {
		.release = event->release,
		.deadline = event->deadline,
		.window = event->deadline ? event->deadline - event->release : 0,
		.level = event->level,
	};
	uint64_t key = hft_inbox_key(policy, task, task->release);
	uint64_t other_key = hft_inbox_key(policy, &other, event->published);

	return key != other_key ? key < other_key : task->release < event->published;
}

static void hft_inbox_take(struct hft_ring *ring, struct hft_inbox_node *node)
{
	struct hft_inbox *inbox = ring->inbox;
	const struct hft_inbox_task *task = &node->task;

	hft_inbox_event(task, node->item.seq, &inbox->event);
	if (inbox->run_nr && hft_inbox_run(inbox, 0)->item == &node->item) {
		inbox->run_head++;
		inbox->run_nr--;
	} else {
		hft_heap_pop(&inbox->heaps[!!(task->flags & HFT_TASK_REDUCE)]);
	}
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
	struct hft_heap_node best;
	bool recorded = __builtin_expect(!!ring->recorder, 0);
	uint64_t begin = 0;
	uint32_t flags;

	if (ring->view.taken)
		return &inbox->event;
	if (recorded)
		begin = hft_record_time(ring);
	atomic_store(&inbox->busy, 1);
	flags = __atomic_load_n(&ring->producer->flags, __ATOMIC_SEQ_CST);
	hft_inbox_update(ring);
	best = hft_inbox_best(inbox, flags);
	node = container_of(best.item, struct hft_inbox_node, item);
	if (!best.item || (event && !hft_inbox_before(inbox->policy, &node->task, event))) {
		if (recorded && best.item)
			hft_record_choice(ring, node, event, begin);
		hft_inbox_begin(ring);
		return event;
	}
	hft_inbox_take(ring, node);
	/* The node is spare, and nobody's before the worker looks again. */
	if (recorded)
		hft_record_choice(ring, node, event, begin);
	return &inbox->event;
}

/* The worker has begun with a task. */
void hft_inbox_begin(struct hft_ring *ring)
{
	atomic_store_explicit(&ring->inbox->busy, 0, memory_order_release);
}

/* The worker is done with a task. */
void hft_inbox_end(struct hft_ring *ring)
{
	if (__builtin_expect(!!ring->recorder, 0))
		hft_record_ended(ring);
	ring->view.taken = false;
	hft_inbox_view(ring);
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
	if (hft_inbox_allows(flags, 0))
		count += inbox->run_nr;
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
