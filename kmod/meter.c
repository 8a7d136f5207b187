// SPDX-License-Identifier: GPL-2.0-only
/*
 * Meters: memory and locks for core/meter.c.
 *
 * A ring's meter is changed with its context's mutex and its queue's mutex, under its
 * queue's lock: so with either mutex it stays, and is read while it is written.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hft.h"

/**
 * hft_meter_gone() - count what a meter has counted to what is gone
 * @queue: of its ring's CPU, with its mutex
 * @meter: it is not written any more; or NULL
 */
void hft_meter_gone(struct hft_queue *queue, const struct hft_meter *meter)
{
	struct hft_hist_info info = { .task_class = HFT_CLASS_ALL };

	lockdep_assert_held(&queue->mutex);

	if (!meter)
		return;
	for (info.kind = 0; info.kind < HFT_KINDS; info.kind++) {
		hft_hist_info_begin(&info);
		hft_meter_merge(&queue->gone->hist[info.kind], &info, meter);
		cond_resched();
	}
	queue->gone->in_time += info.in_time;
}

/* A queue has that from its first meter on. */
static int hft_meter_alloc_gone(struct hft_queue *queue)
{
	struct hft_gone *gone;

	if (READ_ONCE(queue->gone))
		return 0;
	gone = kvzalloc_node(sizeof(*gone), GFP_KERNEL, cpu_to_node(queue->cpu));
	if (!gone)
		return -ENOMEM;
	gone->since = ktime_get_ns();
	mutex_lock(&queue->mutex);
	if (!queue->gone) {
		WRITE_ONCE(queue->gone, gone);
		gone = NULL;
	}
	mutex_unlock(&queue->mutex);
	kvfree(gone);
	return 0;
}

/* Have @ring measured by what is in @area, which is what is to be freed then. */
static void hft_meter_replace(struct hft_ring *ring, struct hft_area *area)
{
	struct hft_queue *queue = ring->queue;
	struct hft_meter *old;

	mutex_lock(&queue->mutex);
	raw_spin_lock_irq(&queue->lock);
	hft_job_look(&ring->ready);
	old = hft_ready_set_meter(&ring->ready, area->start);
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
	hft_meter_gone(queue, old);
	mutex_unlock(&queue->mutex);
	swap(ring->meter, *area);
}

static u64 hft_area_bytes(const struct hft_area *area)
{
	return (u64)area->nr_pages * PAGE_SIZE;
}

static int hft_meter_alloc(struct hft_ring *ring, const struct hft_meter_set *set,
			   struct hft_area *area)
{
	size_t bytes = PAGE_ALIGN(hft_meter_bytes(set));
	int err;

	err = hft_meter_alloc_gone(ring->queue) ?:
	      hft_user_charge(ring->context->user, HFT_CHARGE_BYTES, bytes);
	if (err)
		return err;
	err = hft_area_alloc(area, bytes, cpu_to_node(ring->queue->cpu),
			     GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);
	if (err) {
		hft_user_uncharge(ring->context->user, HFT_CHARGE_BYTES, bytes);
		return err;
	}
	hft_meter_init(area->start, set, ktime_get_ns());
	return 0;
}

/* Under the context's mutex. */
static int hft_ring_meter(struct hft_ring *ring, struct hft_meter_set set)
{
	struct hft_area area = {};
	u64 more, less;
	int err = 0;

	if (ring->flags & HFT_RING_MONITOR)
		return -EINVAL;
	hft_meter_restrict(&set, hft_ready_kinds(&ring->ready));
	if (set.flags)
		err = hft_meter_alloc(ring, &set, &area);
	if (err)
		return err;
	more = hft_area_bytes(&area);
	hft_meter_replace(ring, &area);
	less = hft_area_bytes(&area);
	hft_area_free(&area);
	hft_user_uncharge(ring->context->user, HFT_CHARGE_BYTES, less);
	ring->charged += more - less;
	return 0;
}

/**
 * hft_meter_set() - HFT_IOC_METER
 * @context: whose file it is
 * @set: the request
 *
 * Return: 0, or an error of &struct hft_meter_set.
 */
int hft_meter_set(struct hft_context *context, const struct hft_meter_set *set)
{
	struct hft_ring *ring;
	int err = -ENOENT;

	if (!hft_meter_set_valid(set))
		return -EINVAL;
	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, set->ring);
	if (ring)
		err = hft_ring_meter(ring, *set);
	mutex_unlock(&context->mutex);
	return err;
}

/* What has been consumed counts, too. */
static void hft_ring_look(struct hft_ring *ring)
{
	struct hft_queue *queue = ring->queue;

	raw_spin_lock_irq(&queue->lock);
	hft_job_look(&ring->ready);
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
}

static void hft_hist_add_ring(struct hft_hist *hist, struct hft_hist_info *info,
			      struct hft_ring *ring)
{
	if (!ring->ready.meter)
		return;
	hft_ring_look(ring);
	hft_meter_merge(hist, info, ring->ready.meter);
	cond_resched();
}

static int hft_hist_read_context(struct hft_context *context, struct hft_hist_info *info,
				 struct hft_hist *hist)
{
	bool all = info->ring == HFT_STATS_CONTEXT;
	struct hft_ring *ring;
	int i, err = all ? 0 : -ENOENT;

	mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		ring = hft_context_ring(context, i);
		if (!ring || !(all || info->ring == i))
			continue;
		hft_hist_add_ring(hist, info, ring);
		err = 0;
	}
	mutex_unlock(&context->mutex);
	return err;
}

static void hft_hist_read_queue(struct hft_queue *queue, struct hft_hist_info *info,
				struct hft_hist *hist)
{
	struct hft_ring *ring;

	mutex_lock(&queue->mutex);
	list_for_each_entry(ring, &queue->rings, link)
		hft_hist_add_ring(hist, info, ring);
	if (queue->gone) {
		hft_hist_merge(hist, &queue->gone->hist[info->kind]);
		info->in_time += queue->gone->in_time;
		hft_hist_info_since(info, queue->gone->since);
	}
	mutex_unlock(&queue->mutex);
}

static int hft_hist_read_global(struct hft_hist_info *info, struct hft_hist *hist)
{
	bool all = info->ring == HFT_STATS_CONTEXT;
	int cpu, err = all ? 0 : -ENOENT;

	if (!perfmon_capable())
		return -EPERM;
	for_each_possible_cpu(cpu) {
		if (!all && info->ring != cpu)
			continue;
		hft_hist_read_queue(per_cpu_ptr(&hft_queues, cpu), info, hist);
		err = 0;
	}
	return err;
}

/**
 * hft_hist_read() - HFT_IOC_HIST
 * @context: whose file it is
 * @info: the request, which becomes the answer
 *
 * Return: 0, or an error of &struct hft_hist_info.
 */
int hft_hist_read(struct hft_context *context, struct hft_hist_info *info)
{
	u32 nr = min_t(u32, info->nr_buckets, HFT_HIST_BUCKETS);
	struct hft_hist *hist;
	int err;

	if (!hft_hist_info_valid(info))
		return -EINVAL;
	hist = kvzalloc(sizeof(*hist), GFP_KERNEL_ACCOUNT);
	if (!hist)
		return -ENOMEM;
	hft_hist_info_begin(info);
	if (info->flags & HFT_HIST_GLOBAL)
		err = hft_hist_read_global(info, hist);
	else
		err = hft_hist_read_context(context, info, hist);
	if (!err && info->buckets && copy_to_user(u64_to_user_ptr(info->buckets), hist->bucket,
						  nr * sizeof(hist->bucket[0])))
		err = -EFAULT;
	if (!err)
		hft_hist_info_end(info, hist);
	kvfree(hist);
	return err;
}
