// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of a CPU: tasks that wait for their release, in a heap per clock,
 * and the hrtimers that fire for the earliest of each.
 */
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "hft.h"

DEFINE_PER_CPU_ALIGNED(struct hft_queue, hft_queues);

unsigned int hft_queue_tasks __read_mostly = 65536;
module_param_named(queue_tasks, hft_queue_tasks, uint, 0444);
MODULE_PARM_DESC(queue_tasks, "Tasks that the contexts with a ring on a CPU can have in all (65536)");

static const clockid_t hft_clock_ids[HFT_CLOCKS] = {
	[HFT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
	[HFT_CLOCK_REALTIME] = CLOCK_REALTIME,
	[HFT_CLOCK_TAI] = CLOCK_TAI,
};

/*
 * Have every timer fire for its earliest task; for one that is due and was more
 * than a batch, after the gap.  The timers are their CPU's to start (hft.h): from
 * elsewhere, ask it to.
 */
static void hft_queue_arm(struct hft_queue *queue)
{
	bool kick = false;
	int clock;

	lockdep_assert_held(&queue->lock);

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		struct hft_release_timer *timer = &queue->release.timers[clock];
		u64 next = hft_release_next(&queue->release, clock);
		u64 now;

		if (next >= timer->armed)
			continue;
		if (queue->cpu != smp_processor_id()) {
			kick = true;
			continue;
		}
		timer->armed = next;
		now = hft_queue_clock(queue, clock);
		if (next <= now)
			next = now + HFT_MIN_GAP;
		hrtimer_start(&queue->timers[clock].hrtimer, ns_to_ktime(next),
			      HRTIMER_MODE_ABS_PINNED_HARD);
	}

	if (kick) {
		queue->kicks++;
		smp_call_function_single_async(queue->cpu, &queue->csd);
	}
}

/**
 * hft_queue_commit() - dispatch what is due, arm for the rest
 * @queue: about to be unlocked, after insertions
 */
void hft_queue_commit(struct hft_queue *queue)
{
	int clock;

	if (queue->release.rearm) {
		queue->release.rearm = false;
		for (clock = 0; clock < HFT_CLOCKS; clock++) {
			if (hft_release_next(&queue->release, clock) <
			    queue->release.timers[clock].armed)
				hft_dispatch_due(queue, clock, hft_queue_clock(queue, clock));
		}
		hft_queue_arm(queue);
	}
	queue->now = 0;
}

static void hft_queue_kicked(void *data)
{
	struct hft_queue *queue = data;

	raw_spin_lock(&queue->lock);
	/* An offline queue is emptied by hotplug.c, which also stops the timers. */
	queue->release.rearm = queue->release.online;
	hft_queue_commit(queue);
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
			hft_heap_init(&queue->release.timers[clock].heap, memory[clock],
				      hft_queue_tasks);
			swap(queue->timers[clock].memory, memory[clock]);
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
	return ring->context->pool.nr;
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
	if (!READ_ONCE(queue->release.online))
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
	hft_counters_add(&queue->closed, &ring->ready.counters);
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
		hft_release_init(&queue->release);

		for (clock = 0; clock < HFT_CLOCKS; clock++) {
			struct hft_timer *timer = &queue->timers[clock];

			timer->queue = queue;
			timer->clock = clock;
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
