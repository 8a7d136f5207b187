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

static unsigned int hft_admission_ppm __read_mostly = HFT_ADMISSION_CAP_PPM;
module_param_named(admission_ppm, hft_admission_ppm, uint, 0444);
MODULE_PARM_DESC(admission_ppm, "What periodic tasks may ask of a CPU, parts per million (950000)");

static const clockid_t hft_clock_ids[HFT_CLOCKS] = {
	[HFT_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
	[HFT_CLOCK_REALTIME] = CLOCK_REALTIME,
	[HFT_CLOCK_TAI] = CLOCK_TAI,
};

/*
 * Have @timer fire for its earliest task; if that is due and was more than a batch,
 * after the gap.  Returns whether the queue's CPU has to do it.
 */
static bool hft_timer_arm(struct hft_timer *timer, struct hft_release_timer *release)
{
	struct hft_queue *queue = timer->queue;
	u64 next = hft_heap_min_key(&release->heap);
	u64 now;

	if (next >= release->armed)
		return false;
	if (queue->cpu != smp_processor_id())
		return true;
	release->armed = next;
	now = hft_queue_clock(queue, timer->clock);
	if (next <= now)
		next = now + HFT_MIN_GAP;
	hrtimer_start(&timer->hrtimer, ns_to_ktime(next), HRTIMER_MODE_ABS_PINNED_HARD);
	return false;
}

/* The timers are their CPU's to start (hft.h): from elsewhere, ask it to. */
void hft_queue_arm(struct hft_queue *queue)
{
	bool kick;
	int clock;

	lockdep_assert_held(&queue->lock);

	queue->release.rearm = false;
	kick = hft_timer_arm(&queue->watch, &queue->release.watch);
	for (clock = 0; clock < HFT_CLOCKS; clock++)
		kick |= hft_timer_arm(&queue->timers[clock], &queue->release.timers[clock]);
	if (kick) {
		queue->kicks++;
		smp_call_function_single_async(queue->cpu, &queue->csd);
	}
}

/* Is something to fire before the timer of @clock? */
static inline bool hft_queue_is_early(const struct hft_queue *queue, enum hft_clock clock)
{
	return hft_release_next(&queue->release, clock) < queue->release.timers[clock].armed;
}

/* What is due on several clocks competes before any of it is written. */
static noinline void hft_queue_dispatch_all(struct hft_queue *queue)
{
	unsigned int budget = HFT_BATCH;
	int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++)
		budget -= hft_sched_expire(&queue->release, clock, hft_queue_clock(queue, clock),
					   budget);
	hft_dispatch_touched(queue);
}

/* Dispatch what is due before its timer fires. */
static inline void hft_queue_dispatch(struct hft_queue *queue)
{
	if (unlikely(hft_queue_is_early(queue, HFT_CLOCK_REALTIME) ||
		     hft_queue_is_early(queue, HFT_CLOCK_TAI)))
		hft_queue_dispatch_all(queue);
	else if (hft_queue_is_early(queue, HFT_CLOCK_MONOTONIC))
		hft_dispatch_due(queue, HFT_CLOCK_MONOTONIC,
				 hft_queue_clock(queue, HFT_CLOCK_MONOTONIC));
}

/**
 * hft_queue_commit() - dispatch what is due, arm for the rest
 * @queue: about to be unlocked
 */
void hft_queue_commit(struct hft_queue *queue)
{
	if (queue->release.touched)
		hft_dispatch_touched(queue);
	if (queue->release.rearm) {
		hft_queue_dispatch(queue);
		hft_queue_arm(queue);
	}
	hft_queue_end(queue);
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
 * A heap of a queue has its final size from its first use on: growing it would copy it
 * with interrupts off.  All contexts share it, so none is charged.
 */
static int hft_queue_alloc_heap(struct hft_timer *timer, struct hft_heap *heap)
{
	struct hft_queue *queue = timer->queue;
	struct hft_area area;
	int err;

	if (READ_ONCE(timer->heap.start))
		return 0;
	err = hft_area_alloc(&area, hft_heap_bytes(hft_queue_tasks + 1), cpu_to_node(queue->cpu),
			     GFP_KERNEL, 0);
	if (err)
		return err;

	raw_spin_lock_irq(&queue->lock);
	if (!timer->heap.start) {
		hft_heap_init(heap, area.start, hft_queue_tasks + 1);
		swap(timer->heap, area);
	}
	raw_spin_unlock_irq(&queue->lock);
	hft_area_free(&area);
	return 0;
}

/**
 * hft_queue_add_clock() - let a queue take tasks of a clock
 * @queue: the queue
 * @clock: the clock
 *
 * Return: 0 or -ENOMEM.
 */
int hft_queue_add_clock(struct hft_queue *queue, enum hft_clock clock)
{
	return hft_queue_alloc_heap(&queue->timers[clock], &queue->release.timers[clock].heap);
}

/* All that @ring's tasks may need; before the mutex, which is also taken with the hotplug lock. */
static int hft_queue_alloc_heaps(struct hft_queue *queue, const struct hft_ring *ring)
{
	int clock, err;

	if (ring->flags & HFT_RING_MONITOR)
		return 0;
	err = hft_queue_alloc_heap(&queue->watch, &queue->release.watch.heap);
	for (clock = 0; clock < HFT_CLOCKS && !err; clock++) {
		if (!(ring->context->pool.unused_clocks & BIT(clock)))
			err = hft_queue_add_clock(queue, clock);
	}
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

	err = hft_queue_alloc_heaps(queue, ring);
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
	hft_meter_gone(queue, ring->ready.meter);
	mutex_unlock(&queue->mutex);
}

static void hft_timer_init(struct hft_timer *timer, struct hft_queue *queue, enum hft_clock clock,
			   enum hrtimer_restart (*function)(struct hrtimer *))
{
	timer->queue = queue;
	timer->clock = clock;
	hrtimer_setup(&timer->hrtimer, function, hft_clock_ids[clock],
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

static void hft_timer_exit(struct hft_timer *timer)
{
	hrtimer_cancel(&timer->hrtimer);
	hft_area_free(&timer->heap);
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
		queue->release.cap = hft_admission_cap(hft_admission_ppm);
		queue->release.kick = hft_remote_kick;
		hft_rule_init_queue(queue);

		for (clock = 0; clock < HFT_CLOCKS; clock++)
			hft_timer_init(&queue->timers[clock], queue, clock, hft_dispatch_timer);
		hft_timer_init(&queue->watch, queue, HFT_CLOCK_MONOTONIC, hft_watch_timer);
	}
	return 0;
}

/* All rings are gone; a timer may still be armed in vain. */
void hft_queues_exit(void)
{
	int cpu, clock;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		for (clock = 0; clock < HFT_CLOCKS; clock++)
			hft_timer_exit(&queue->timers[clock]);
		hft_timer_exit(&queue->watch);
		kvfree(queue->gone);
		mutex_destroy(&queue->mutex);
	}
}
