// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that goes offline ends the tasks queued on it, but for those that a fallback ring
 * takes (fallback.c): each gets its event, with -ENODEV, through its ring like any other,
 * so that none is lost however full the ring is.  The rings stay, and take tasks again
 * when the CPU is back.
 */
#include <linux/cpuhotplug.h>

#include "hft.h"

static int hft_hotplug_state;

static void hft_ring_set_offline(struct hft_ring *ring, bool offline)
{
	u32 flags = ring->ready.producer->flags & ~HFT_RING_OFFLINE;

	WRITE_ONCE(ring->ready.producer->flags, flags | (offline ? HFT_RING_OFFLINE : 0));
}

/* Move up to HFT_BATCH waiting tasks to their rings.  Returns whether some are left. */
static bool hft_queue_drain(struct hft_queue *queue)
{
	unsigned int budget = HFT_BATCH;
	bool left = false;
	int clock;

	raw_spin_lock_irq(&queue->lock);
	/* Those too that were modified since, or skipped a release. */
	queue->release.ended = queue->release.sequence;
	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		hft_queue_clock(queue, clock);
		budget -= hft_sched_expire(&queue->release, clock, HFT_TIME_MAX, budget);
		left |= hft_release_next(&queue->release, clock) != U64_MAX;
	}
	hft_dispatch_touched(queue);
	hft_queue_end(queue);
	raw_spin_unlock_irq(&queue->lock);
	return left;
}

static void hft_queue_notify(struct hft_queue *queue, bool online)
{
	struct hft_event notice = {
		.type = online ? HFT_EVENT_CPU_ONLINE : HFT_EVENT_CPU_OFFLINE,
		.release = ktime_get_ns(),
	};
	struct hft_ring *ring;

	list_for_each_entry(ring, &queue->rings, link) {
		raw_spin_lock_irq(&queue->lock);
		hft_ring_set_offline(ring, !online);
		notice.cookie = ring->ready.number;
		notice.task = online ? 0 : ring->ready.waiting + ring->ready.heap.nr;
		raw_spin_unlock_irq(&queue->lock);

		if (!(ring->flags & HFT_RING_MONITOR))
			hft_dispatch_notice(ring->context, &notice, notice.release);
	}
}

static int hft_cpu_online(unsigned int cpu)
{
	struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);
	struct hft_ring *ring;

	mutex_lock(&queue->mutex);
	raw_spin_lock_irq(&queue->lock);
	queue->release.online = true;
	queue->release.rearm = true;
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
	list_for_each_entry(ring, &queue->rings, link)
		hft_fallback_online(ring);
	hft_queue_notify(queue, true);
	mutex_unlock(&queue->mutex);
	hft_interference_cpu(cpu, true);
	hft_pmu_cpu_online(cpu);
	return 0;
}

static int hft_cpu_offline(unsigned int cpu)
{
	struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);
	struct hft_ring *ring;
	int clock;

	hft_interference_cpu(cpu, false);
	mutex_lock(&queue->mutex);
	list_for_each_entry(ring, &queue->rings, link)
		hft_fallback_offline(ring);
	raw_spin_lock_irq(&queue->lock);
	queue->release.online = false;
	queue->release.ended = queue->release.sequence;
	raw_spin_unlock_irq(&queue->lock);

	hft_queue_notify(queue, false);
	while (hft_queue_drain(queue))
		;

	/* The heaps are empty and stay so: what fires now does not start again. */
	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		hrtimer_cancel(&queue->timers[clock].hrtimer);
		queue->release.timers[clock].armed = U64_MAX;
	}
	/* The deadlines of what is in flight are watched again when the CPU is back. */
	hrtimer_cancel(&queue->watch.hrtimer);
	queue->release.watch.armed = U64_MAX;
	mutex_unlock(&queue->mutex);
	return 0;
}

int hft_hotplug_init(void)
{
	int state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hft:online", hft_cpu_online,
				      hft_cpu_offline);

	if (state < 0)
		return state;
	hft_hotplug_state = state;
	return 0;
}

void hft_hotplug_exit(void)
{
	cpuhp_remove_state(hft_hotplug_state);
}
