// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of a CPU: tasks that wait for their release, in a heap per clock,
 * and the hrtimers that fire for the earliest of each.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "hft.h"
#include "trace.h"

DEFINE_PER_CPU_ALIGNED(struct hft_queue, hft_queues);

unsigned int hft_queue_tasks __read_mostly = 65536;
module_param_named(queue_tasks, hft_queue_tasks, uint, 0444);
MODULE_PARM_DESC(queue_tasks, "Tasks that the contexts with a ring on a CPU can have in all (65536)");

static const clockid_t hft_clock_ids[HFT_CLOCKS] = {
	[HFT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
	[HFT_CLOCK_REALTIME] = CLOCK_REALTIME,
	[HFT_CLOCK_TAI] = CLOCK_TAI,
};

/* When @slot's timer is due, on its clock. */
static u64 hft_slot_fire(const struct hft_ring *ring, const struct hft_slot *slot)
{
	return slot->release > ring->lead ? slot->release - ring->lead : 0;
}

/**
 * hft_queue_insert() - queue a task until its release
 * @queue: of @ring, locked
 * @ring: that the task is for
 * @slot: the task
 *
 * A task that is due goes to the ring's ready heap.  One that fires no earlier
 * than its timer is armed for is the timer's business, due or not, and spares
 * the reading of the clock; so is one that fires after another that waits, which
 * may be due too and must not be overtaken.  End a series of insertions with
 * hft_queue_commit().
 *
 * Return: 0, -ENOENT if the ring is dead, -ENODEV if its CPU is offline, -EINVAL
 * if it does not take the task's level.
 */
int hft_queue_insert(struct hft_queue *queue, struct hft_ring *ring, struct hft_slot *slot)
{
	struct hft_timer *timer = &queue->timers[slot->clock];
	u64 fire = hft_slot_fire(ring, slot);

	lockdep_assert_held(&queue->lock);

	if (unlikely(ring->dead))
		return -ENOENT;
	if (unlikely(!queue->online))
		return -ENODEV;
	if (unlikely(!(ring->level_mask & BIT(slot->level))))
		return -EINVAL;

	slot->item.seq = queue->sequence++;
	WRITE_ONCE(slot->ring, ring);
	ring->counters.submitted++;
	trace_submit(slot);

	if (fire < timer->armed && fire < hft_heap_min_key(&timer->heap)) {
		if (fire <= hft_clock_from_monotonic(slot->clock, hft_queue_now(queue))) {
			hft_dispatch_ready(ring, slot);
			return 0;
		}
		queue->rearm = true;
	}
	hft_heap_push(&timer->heap, &slot->item, fire);
	WRITE_ONCE(slot->state, HFT_SLOT_WAITING);
	ring->waiting_tasks++;
	return 0;
}

/* Take a queued task out of its heap.  A timer that is armed for it fires in vain. */
void hft_queue_remove(struct hft_queue *queue, struct hft_slot *slot)
{
	struct hft_ring *ring = slot->ring;

	lockdep_assert_held(&queue->lock);

	if (slot->state == HFT_SLOT_WAITING) {
		hft_heap_remove(&queue->timers[slot->clock].heap, &slot->item);
		ring->waiting_tasks--;
	} else {
		hft_heap_remove(&ring->ready, &slot->item);
	}
}

/*
 * Have every timer fire no later than its earliest task.  The timers are their
 * CPU's to start (hft.h): from elsewhere, ask it to.
 */
static void hft_queue_arm(struct hft_queue *queue)
{
	bool kick = false;
	int clock;

	lockdep_assert_held(&queue->lock);

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		struct hft_timer *timer = &queue->timers[clock];
		u64 next = hft_heap_min_key(&timer->heap);

		if (next >= timer->armed)
			continue;
		if (queue->cpu != smp_processor_id()) {
			kick = true;
			continue;
		}
		timer->armed = next;
		hrtimer_start(&timer->hrtimer, ns_to_ktime(next), HRTIMER_MODE_ABS_PINNED_HARD);
	}

	if (kick) {
		queue->kicks++;
		smp_call_function_single_async(queue->cpu, &queue->csd);
	}
}

/* After insertions, before unlocking: dispatch what was due, arm for the rest. */
void hft_queue_commit(struct hft_queue *queue)
{
	if (queue->touched)
		hft_dispatch_touched(queue);
	if (queue->rearm)
		hft_queue_arm(queue);
	queue->rearm = false;
	queue->now = 0;
}

static void hft_queue_kicked(void *data)
{
	struct hft_queue *queue = data;

	raw_spin_lock(&queue->lock);
	/* An offline queue is emptied by hotplug.c, which also stops the timers. */
	if (queue->online)
		hft_queue_arm(queue);
	raw_spin_unlock(&queue->lock);
}

/*
 * The heaps of a queue have their final size from its first ring on: growing one
 * would copy it with interrupts off.  All contexts share them, so none is charged.
 */
static int hft_queue_alloc_heaps(struct hft_queue *queue)
{
	void *memory[HFT_CLOCKS] = {};
	int clock, err = 0;

	if (READ_ONCE(queue->timers[0].memory))
		return 0;

	/* Before taking the mutex, which is also taken with the CPU hotplug lock held. */
	for (clock = 0; clock < HFT_CLOCKS && !err; clock++) {
		memory[clock] = kvmalloc_node(hft_heap_bytes(hft_queue_tasks), GFP_KERNEL,
					      cpu_to_node(queue->cpu));
		err = memory[clock] ? 0 : -ENOMEM;
	}

	mutex_lock(&queue->mutex);
	if (!err && !queue->timers[0].memory) {
		raw_spin_lock_irq(&queue->lock);
		for (clock = 0; clock < HFT_CLOCKS; clock++) {
			struct hft_timer *timer = &queue->timers[clock];

			hft_heap_init(&timer->heap, memory[clock], hft_queue_tasks);
			swap(timer->memory, memory[clock]);
		}
		raw_spin_unlock_irq(&queue->lock);
	}
	mutex_unlock(&queue->mutex);

	for (clock = 0; clock < HFT_CLOCKS; clock++)
		kvfree(memory[clock]);
	return err;
}

/* The room that @ring, which is not listed, needs: none if another has claimed it. */
static u32 hft_queue_claim(const struct hft_queue *queue, const struct hft_ring *ring)
{
	const struct hft_ring *other;

	if (ring->flags & HFT_RING_MONITOR)
		return 0;
	list_for_each_entry(other, &queue->rings, link) {
		if (other->context == ring->context && !(other->flags & HFT_RING_MONITOR))
			return 0;
	}
	return ring->context->tasks;
}

/**
 * hft_queue_add_ring() - let a ring use a queue
 * @queue: of the ring's CPU
 * @ring: the ring
 *
 * Claims room for all tasks of the ring's context, once however many rings of
 * it there are, so that an insertion always finds room.
 *
 * Return: 0, -ENODEV if the CPU is offline, -ENOSPC if there is no room, -ENOMEM.
 */
int hft_queue_add_ring(struct hft_queue *queue, struct hft_ring *ring)
{
	u32 claim;
	int err;

	err = hft_queue_alloc_heaps(queue);
	if (err)
		return err;

	mutex_lock(&queue->mutex);
	err = -ENODEV;
	if (!READ_ONCE(queue->online))
		goto unlock;

	err = -ENOSPC;
	claim = hft_queue_claim(queue, ring);
	if (claim > queue->room)
		goto unlock;

	queue->room -= claim;
	list_add_tail(&ring->link, &queue->rings);
	err = 0;
unlock:
	mutex_unlock(&queue->mutex);
	return err;
}

/* The ring is dead: nothing is queued for it any more. */
void hft_queue_del_ring(struct hft_queue *queue, struct hft_ring *ring)
{
	mutex_lock(&queue->mutex);
	list_del(&ring->link);
	queue->room += hft_queue_claim(queue, ring);
	hft_counters_add(&queue->closed, &ring->counters);
	mutex_unlock(&queue->mutex);
}

int hft_queues_init(void)
{
	int cpu, clock;

	if (!hft_queue_tasks || hft_queue_tasks > HFT_MOST_TASKS)
		return -EINVAL;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		raw_spin_lock_init(&queue->lock);
		mutex_init(&queue->mutex);
		INIT_LIST_HEAD(&queue->rings);
		INIT_CSD(&queue->csd, hft_queue_kicked, queue);
		queue->cpu = cpu;
		queue->room = hft_queue_tasks;

		for (clock = 0; clock < HFT_CLOCKS; clock++) {
			struct hft_timer *timer = &queue->timers[clock];

			timer->queue = queue;
			timer->clock = clock;
			timer->armed = U64_MAX;
			hrtimer_setup(&timer->hrtimer, hft_dispatch_timer, hft_clock_ids[clock],
				      HRTIMER_MODE_ABS_PINNED_HARD);
		}
	}
	return 0;
}

/* All rings are gone; a timer may still be armed in vain. */
void hft_queues_exit(void)
{
	int cpu, clock;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		for (clock = 0; clock < HFT_CLOCKS; clock++) {
			hrtimer_cancel(&queue->timers[clock].hrtimer);
			kvfree(queue->timers[clock].memory);
		}
		mutex_destroy(&queue->mutex);
	}
}
