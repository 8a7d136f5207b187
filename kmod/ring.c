// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring: pages shared with its worker, in a file of their own.
 *
 *	page 0		struct hft_ring_consumer, the worker's
 *	page 1...	struct hft_report[entries], likewise, with HFT_RING_REPORT
 *	then a page	struct hft_ring_producer, read-only to user space
 *	then pages	struct hft_event[entries], likewise
 *	then pages	struct hft_metrics[entries], likewise, with HFT_RING_METRICS
 */
#include <linux/anon_inodes.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hft.h"

/* Wait queues are not for hard interrupts on PREEMPT_RT: this runs where they are. */
static void hft_ring_wake_pollers(struct irq_work *work)
{
	struct hft_ring *ring = container_of(work, struct hft_ring, work);

	wake_up_interruptible_poll(&ring->pollers, EPOLLIN | EPOLLRDNORM);
}

static size_t hft_ring_classes_size(const struct hft_ring *ring)
{
	return ring->flags & HFT_RING_REPORT ? HFT_CLASSES * sizeof(struct hft_class) : 0;
}

/* Of the heap; a monitor ring has no tasks. */
static size_t hft_ring_heap_size(const struct hft_ring *ring)
{
	if (ring->flags & HFT_RING_MONITOR)
		return 0;
	return PAGE_ALIGN(hft_heap_bytes(ring->context->pool.nr));
}

/* Of the first of the ring's metrics from the producer's page. */
size_t hft_ring_metrics_off(const struct hft_ring *ring)
{
	return PAGE_SIZE + PAGE_ALIGN((ring->ready.mask + 1) * sizeof(struct hft_event));
}

/* What a worker maps. */
static size_t hft_ring_shared_size(const struct hft_ring *ring)
{
	size_t size = ring->nr_consumer_pages * PAGE_SIZE + hft_ring_metrics_off(ring);

	if (ring->flags & HFT_RING_METRICS)
		size += PAGE_ALIGN((ring->ready.mask + 1) * sizeof(struct hft_metrics));
	return size;
}

static int hft_ring_alloc_shared(struct hft_ring *ring, size_t size)
{
	int err = hft_area_alloc(&ring->shared, size, cpu_to_node(ring->queue->cpu),
				 GFP_KERNEL_ACCOUNT | __GFP_ZERO, VM_USERMAP);

	if (err)
		return err;
	ring->ready.consumer = ring->shared.start;
	if (ring->flags & HFT_RING_REPORT)
		ring->ready.reports = ring->shared.start + PAGE_SIZE;
	ring->ready.producer = ring->shared.start + ring->nr_consumer_pages * PAGE_SIZE;
	ring->ready.events = (void *)ring->ready.producer + PAGE_SIZE;
	return 0;
}

static size_t hft_ring_learner_size(const struct hft_ring *ring)
{
	return ring->flags & HFT_RING_LEAD ? sizeof(struct hft_lead) : 0;
}

static int hft_ring_alloc_learner(struct hft_ring *ring)
{
	struct hft_lead *learner;

	ring->ready.producer->lead = ring->ready.lead;
	if (!hft_ring_learner_size(ring))
		return 0;
	learner = kzalloc_node(sizeof(*learner), GFP_KERNEL_ACCOUNT, cpu_to_node(ring->queue->cpu));
	if (!learner)
		return -ENOMEM;
	learner->budget_ppm = HFT_LEAD_BUDGET_PPM;
	ring->ready.learner = learner;
	return 0;
}

/* What the scheduler has for the ring alone. */
static int hft_ring_alloc_private(struct hft_ring *ring)
{
	int node = cpu_to_node(ring->queue->cpu);
	size_t heap = hft_ring_heap_size(ring), classes = hft_ring_classes_size(ring);
	int err;

	if (heap) {
		err = hft_area_alloc(&ring->heap, heap, node, GFP_KERNEL_ACCOUNT, 0);
		if (err)
			return err;
		hft_heap_init(&ring->ready.heap, ring->heap.start, ring->context->pool.nr);
	}
	if (classes) {
		ring->ready.classes = kvzalloc_node(classes, GFP_KERNEL_ACCOUNT, node);
		if (!ring->ready.classes)
			return -ENOMEM;
	}
	return hft_ring_alloc_learner(ring) ?: hft_pmu_attach(ring);
}

static void hft_ring_free_memory(struct hft_ring *ring)
{
	hft_pmu_detach(ring);
	hft_area_free(&ring->shared);
	hft_area_free(&ring->heap);
	hft_area_free(&ring->meter);
	hft_area_free(&ring->detect);
	kvfree(ring->ready.classes);
	kfree(ring->ready.learner);
}

static int hft_ring_charge(struct hft_ring *ring, size_t shared)
{
	struct hft_user *user = ring->context->user;
	int err;

	ring->charged = shared + hft_ring_heap_size(ring) + hft_ring_classes_size(ring) +
			hft_ring_learner_size(ring) + hft_pmu_size(ring);

	err = hft_user_charge(user, HFT_CHARGE_RINGS, 1);
	if (err)
		return err;
	err = hft_user_charge(user, HFT_CHARGE_BYTES, ring->charged);
	if (err)
		hft_user_uncharge(user, HFT_CHARGE_RINGS, 1);
	return err;
}

static void hft_ring_uncharge(struct hft_ring *ring)
{
	hft_user_uncharge(ring->context->user, HFT_CHARGE_BYTES, ring->charged);
	hft_user_uncharge(ring->context->user, HFT_CHARGE_RINGS, 1);
}

static void hft_ring_free(struct hft_ring *ring)
{
	hft_sink_put(ring);
	hft_ring_uncharge(ring);
	hft_ring_free_memory(ring);
	hft_context_put(ring->context);
	kfree(ring);
}

static struct hft_ring *hft_ring_alloc(struct hft_context *context,
				       const struct hft_ring_add *add)
{
	struct hft_queue *queue = per_cpu_ptr(&hft_queues, add->cpu);
	struct hft_ring *ring;
	size_t shared;
	int err;

	ring = kzalloc_node(sizeof(*ring), GFP_KERNEL_ACCOUNT, cpu_to_node(add->cpu));
	if (!ring)
		return ERR_PTR(-ENOMEM);

	ring->queue = queue;
	ring->context = context;
	ring->flags = add->flags;
	ring->nr_consumer_pages = 1;
	if (add->flags & HFT_RING_REPORT)
		ring->nr_consumer_pages += PFN_UP((size_t)add->entries * sizeof(struct hft_report));
	ring->ready.release = &queue->release;
	ring->ready.pool = &context->pool;
	hft_ready_init(&ring->ready, add);
	shared = hft_ring_shared_size(ring);
	init_irq_work(&ring->work, hft_ring_wake_pollers);
	ring->inbound = IRQ_WORK_INIT_HARD(hft_remote_receive);
	hft_rule_init_ring(ring);
	init_waitqueue_head(&ring->pollers);
	rcuwait_init(&ring->waiter);

	err = hft_ring_charge(ring, shared);
	if (err)
		goto free_ring;
	err = hft_ring_alloc_shared(ring, shared) ?: hft_ring_alloc_private(ring);
	if (err)
		goto free_memory;
	kref_get(&context->ref);
	return ring;

free_memory:
	hft_ring_free_memory(ring);
	hft_ring_uncharge(ring);
free_ring:
	kfree(ring);
	return ERR_PTR(err);
}

/* The ring of a number, or NULL.  Called with the context's mutex. */
struct hft_ring *hft_context_ring(struct hft_context *context, u32 number)
{
	if (number >= HFT_MAX_RINGS)
		return NULL;
	number = array_index_nospec(number, HFT_MAX_RINGS);
	return rcu_dereference_protected(context->rings[number],
					 lockdep_is_held(&context->mutex));
}

/**
 * hft_context_add_clock() - have a context's CPUs take tasks of a clock
 * @context: the context
 * @clock: of which it has the first task; of one that is none nothing is done
 *
 * It sleeps for memory, as io_uring itself does where it calls a submission: parked
 * there, the task would be behind those that are submitted after it.
 *
 * Return: 0 or -ENOMEM.
 */
int hft_context_add_clock(struct hft_context *context, u32 clock)
{
	struct hft_ring *ring;
	int i, err = 0;

	if (clock >= HFT_CLOCKS)
		return 0;

	mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS && !err; i++) {
		ring = hft_context_ring(context, i);
		if (ring && !(ring->flags & HFT_RING_MONITOR))
			err = hft_queue_add_clock(ring->queue, clock);
	}
	if (!err) {
		/* Pairs with the acquire in hft_slots_has_clock(): after the heaps. */
		smp_store_release(&context->pool.unused_clocks,
				  context->pool.unused_clocks & ~BIT(clock));
	}
	mutex_unlock(&context->mutex);
	return err;
}

/* Called with the context's mutex. */
static int hft_context_add_ring(struct hft_context *context, struct hft_ring *ring)
{
	bool monitor = ring->flags & HFT_RING_MONITOR;
	u32 number;
	int err;

	lockdep_assert_held(&context->mutex);

	if (monitor && rcu_access_pointer(context->monitor))
		return -ENOSPC;
	for (number = 0; number < HFT_MAX_RINGS; number++) {
		if (!rcu_access_pointer(context->rings[number]))
			break;
	}
	if (number == HFT_MAX_RINGS)
		return -ENOSPC;

	ring->ready.number = number;
	err = hft_queue_add_ring(ring->queue, ring);
	if (err)
		return err;

	rcu_assign_pointer(context->rings[number], ring);
	/* The ring before looking whether all is halted: pairs with that in hft_halt(). */
	smp_mb();
	hft_ring_halt(ring);
	if (monitor)
		rcu_assign_pointer(context->monitor, ring);
	return 0;
}

/* Take a task back that may be the ring's.  Returns as hft_sched_cancel(). */
static int hft_ring_cancel_task(struct hft_ring *ring, struct hft_slot *slot, u64 *after)
{
	if (!hft_fallback_is_here(&ring->ready, slot))
		return -ENOENT;
	*after = hft_chain_after(slot);
	return hft_sched_cancel(slot);
}

/* Take the ring's tasks back: in small bites, interrupts are off in each. */
u64 hft_ring_cancel_tasks(struct hft_ring *ring)
{
	struct hft_context *context = ring->context;
	struct hft_slot *slots = context->pool.slots;
	struct hft_queue *queue = ring->queue;
	u64 cancelled = 0, after;
	u32 i = 0;

	while (i < context->pool.nr) {
		u32 end = min(i + HFT_BATCH, context->pool.nr);
		int ret = 0;

		raw_spin_lock_irq(&queue->lock);
		while (i < end && ret != HFT_CHAIN_REMOTE) {
			ret = hft_ring_cancel_task(ring, &slots[i++], &after);
			cancelled += ret >= 0;
		}
		hft_queue_commit(queue);
		raw_spin_unlock_irq(&queue->lock);
		if (ret == HFT_CHAIN_REMOTE)
			hft_remote_fetch(context, &slots[i - 1], after);
		cond_resched();
	}
	return cancelled;
}

/**
 * hft_ring_set() - HFT_IOC_RING_SET
 * @context: whose file it is
 * @set: the request
 *
 * Return: 0, or an error of &struct hft_ring_set.
 */
int hft_ring_set(struct hft_context *context, const struct hft_ring_set *set)
{
	struct hft_ring *ring;
	int err = -ENOENT;

	if (!hft_ring_set_valid(set))
		return -EINVAL;
	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, set->ring);
	if (ring)
		err = ring->flags & HFT_RING_MONITOR ? -EINVAL :
		      hft_ring_set_policy(ring, set->policy);
	mutex_unlock(&context->mutex);
	return err;
}

static int hft_ring_lead(struct hft_context *context, struct hft_lead_info *info,
			 struct hft_lead *learned)
{
	struct hft_ring *ring;
	int err = -ENOENT;

	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, info->ring);
	if (ring && ring->flags & HFT_RING_MONITOR) {
		err = -EINVAL;
	} else if (ring) {
		raw_spin_lock_irq(&ring->queue->lock);
		err = hft_ready_lead_info(&ring->ready, info, learned);
		raw_spin_unlock_irq(&ring->queue->lock);
	}
	mutex_unlock(&context->mutex);
	return err;
}

/**
 * hft_lead_info() - HFT_IOC_LEAD
 * @context: whose file it is
 * @info: the request, and the answer but for the rows, which are copied out
 *
 * Return: 0, or an error of &struct hft_lead_info.
 */
int hft_lead_info(struct hft_context *context, struct hft_lead_info *info)
{
	struct hft_lead *learned = NULL;
	struct hft_lead_row *rows = NULL;
	int err = -ENOMEM;

	if (!hft_lead_info_valid(info))
		return -EINVAL;
	if (info->nr_rows) {
		learned = kmalloc(sizeof(*learned), GFP_KERNEL);
		rows = kmalloc_array(info->nr_rows, sizeof(*rows), GFP_KERNEL);
		if (!learned || !rows)
			goto out;
	}
	err = hft_ring_lead(context, info, learned);
	if (err || !info->nr_rows)
		goto out;
	info->nr_rows = hft_lead_rows(learned, rows, info->nr_rows);
	if (copy_to_user(u64_to_user_ptr(info->rows), rows, info->nr_rows * sizeof(*rows)))
		err = -EFAULT;
out:
	kfree(rows);
	kfree(learned);
	return err;
}

/**
 * hft_ring_kill() - take no more tasks, drop those queued, wake the sleepers
 * @ring: under its context's mutex; killing it again does nothing
 */
void hft_ring_kill(struct hft_ring *ring)
{
	bool queued;

	lockdep_assert_held(&ring->context->mutex);

	if (ring->ready.dead)
		return;

	raw_spin_lock_irq(&ring->queue->lock);
	queued = hft_ready_kill(&ring->ready);
	raw_spin_unlock_irq(&ring->queue->lock);

	if (queued)
		hft_ring_cancel_tasks(ring);

	rcuwait_wake_up(&ring->waiter);
	wake_up_interruptible_poll(&ring->pollers, EPOLLIN | EPOLLHUP);
}

/* Its file is released, or could not be made. */
void hft_ring_destroy(struct hft_ring *ring)
{
	struct hft_context *context = ring->context;

	mutex_lock(&context->mutex);
	hft_ring_kill(ring);
	hft_fallback_forget(ring);
	RCU_INIT_POINTER(context->rings[ring->ready.number], NULL);
	if (ring->flags & HFT_RING_MONITOR)
		RCU_INIT_POINTER(context->monitor, NULL);
	hft_rule_forget_ring(ring);
	mutex_unlock(&context->mutex);

	hft_sink_unbind(ring);
	hft_queue_del_ring(ring->queue, ring);
	synchronize_rcu();
	hft_remote_end(ring);
	hft_rule_exit_ring(ring);
	irq_work_sync(&ring->work);
	hft_ring_free(ring);
}

/**
 * hft_ring_create() - make a ring and its file
 * @context: that gets the ring
 * @add: the request; its out fields are filled in
 *
 * Return: the file, whose release undoes it all, or an error of
 * &struct hft_ring_add.
 */
struct file *hft_ring_create(struct hft_context *context, struct hft_ring_add *add)
{
	struct hft_ring *ring;
	struct file *file;
	int err;

	if (!hft_ring_add_valid(add) || add->cpu >= nr_cpu_ids || !cpu_possible(add->cpu))
		return ERR_PTR(-EINVAL);

	mutex_lock(&context->mutex);
	if (!context->pool.slots || (add->flags & HFT_RING_METRICS && !context->pmu.nr)) {
		mutex_unlock(&context->mutex);
		return ERR_PTR(-EINVAL);
	}
	ring = hft_ring_alloc(context, add);
	err = PTR_ERR_OR_ZERO(ring);
	if (!err) {
		err = hft_fallback_bind(ring, add) ?: hft_sink_bind(ring, add) ?:
		      hft_context_add_ring(context, ring);
		if (err) {
			hft_sink_unbind(ring);
			if (ring->sink)
				synchronize_rcu();
			hft_ring_free(ring);
		}
	}
	mutex_unlock(&context->mutex);
	if (err)
		return ERR_PTR(err);

	add->ring = ring->ready.number;
	add->consumer_size = ring->nr_consumer_pages * PAGE_SIZE;
	add->pages_off = add->consumer_size;
	add->events_off = PAGE_SIZE;
	if (add->flags & HFT_RING_METRICS)
		add->metrics_off = hft_ring_metrics_off(ring);
	add->pages_size = (u64)ring->shared.nr_pages * PAGE_SIZE - add->consumer_size;

	file = anon_inode_getfile("[hft-ring]", &hft_ring_fops, ring, O_RDWR);
	if (IS_ERR(file))
		hft_ring_destroy(ring);
	return file;
}
