// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sinks: drivers of devices that are given tasks at their dispatch (linux/hft_sink.h).
 *
 * What a sink has of which ring is in its requests, slots of a pool of its own: a driver
 * names one by its id, so that what it says twice, or too late, is found out.  A request
 * belongs to its ring, under the lock of that one's queue, until the sink is done or the
 * ring goes; then it is an orphan until the sink is done with that.
 *
 * hft_sinks_lock is inside of hft_context.mutex and of no other, and outside of the queues'
 * locks.  A sink lives until its driver and its rings have let go of it.
 */
#include <linux/capability.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/hft_sink.h>

#include "hft.h"

#define HFT_SINK_MAX_DEPTH	4096

/* hft_slot.state of a request whose ring is gone. */
#define HFT_SINK_ORPHAN		HFT_SLOT_DISPATCHED

/**
 * struct hft_sink - a sink
 * @ref: of its driver and its rings
 * @ops: the driver's
 * @data: likewise
 * @name: likewise
 * @id: of this one alone, ever
 * @gone: it has no driver any more
 * @starved: a ring has found no request free, or the driver -EBUSY
 * @link: in the list of all
 * @rings: that have it, written under hft_sinks_lock, read under RCU
 * @requests: hft_slot.cookie is the place of the task in its pool
 * @handed: tasks that the driver took
 * @completed: of them, those that it was done with
 * @kick: asks the rings that have starved
 */
struct hft_sink {
	struct kref ref;
	const struct hft_sink_ops *ops;
	void *data;
	char name[HFT_SINK_NAME];
	u32 id;
	bool gone;
	bool starved;
	struct list_head link;
	struct list_head rings;
	struct hft_slots requests;
	atomic64_t handed;
	atomic64_t completed;
	struct irq_work kick;
};

static DEFINE_MUTEX(hft_sinks_lock);
static LIST_HEAD(hft_sinks);
static u32 hft_sinks_last;

static void hft_sink_free(struct kref *ref)
{
	struct hft_sink *sink = container_of(ref, struct hft_sink, ref);

	irq_work_sync(&sink->kick);
	kvfree(sink->requests.slots);
	kfree(sink);
}

/* A free request; if there is none, a completion that comes from here on sees @starved. */
static struct hft_slot *hft_sink_request(struct hft_sink *sink)
{
	struct hft_slot *request = hft_slot_alloc(&sink->requests);

	if (likely(request))
		return request;
	WRITE_ONCE(sink->starved, true);
	/* That before looking again: pairs with that in hft_sink_freed(). */
	smp_mb();
	return hft_slot_alloc(&sink->requests);
}

/* A request is free, or the driver is not busy any more. */
static void hft_sink_freed(struct hft_sink *sink)
{
	/* The request before the flag: pairs with that in hft_sink_request(). */
	smp_mb();
	if (unlikely(READ_ONCE(sink->starved)))
		irq_work_queue(&sink->kick);
}

/* If the driver is busy, a completion that comes from here on sees @starved. */
static int hft_sink_dispatch(struct hft_sink *sink, const struct hft_sink_event *event)
{
	int err = sink->ops->dispatch(sink, sink->data, event);

	if (likely(err != -EBUSY))
		return err;
	WRITE_ONCE(sink->starved, true);
	/* That before asking again: pairs with that in hft_sink_freed(). */
	smp_mb();
	return sink->ops->dispatch(sink, sink->data, event);
}

/* Of hft_ready_queue: have the driver start a task.  Its queue is locked. */
static int hft_sink_hand_over(struct hft_slot *slot, u64 entry)
{
	struct hft_ring *ring = hft_ring_of(slot->ready);
	struct hft_sink *sink = ring->sink;
	struct hft_slot *request = hft_sink_request(sink);
	struct hft_sink_event event;
	int err;

	if (unlikely(!request))
		return -EBUSY;
	request->cookie = slot - ring->context->pool.slots;
	WRITE_ONCE(request->ready, &ring->ready);

	event.token = hft_slot_id(&sink->requests, request);
	event.cookie = slot->cookie;
	event.task = hft_slot_id(&ring->context->pool, slot);
	event.release = slot->release;
	event.deadline = slot->deadline;
	event.irq_entry = entry;
	event.level = slot->level;
	event.task_class = hft_slot_class(slot);
	err = hft_sink_dispatch(sink, &event);
	if (likely(!err)) {
		atomic64_inc(&sink->handed);
		return 0;
	}
	hft_slot_free(&sink->requests, request);
	return err;
}

/* Ask all rings whether they have tasks for the sink. */
static void hft_sink_ask(struct irq_work *work)
{
	struct hft_sink *sink = container_of(work, struct hft_sink, kick);
	struct hft_ring *ring;
	unsigned long irq_flags;

	WRITE_ONCE(sink->starved, false);
	rcu_read_lock();
	list_for_each_entry_rcu(ring, &sink->rings, sink_link) {
		raw_spin_lock_irqsave(&ring->queue->lock, irq_flags);
		hft_dispatch_fill(ring);
		hft_queue_commit(ring->queue);
		raw_spin_unlock_irqrestore(&ring->queue->lock, irq_flags);
	}
	rcu_read_unlock();
}

/* The ring's queue is locked. */
static void hft_sink_complete_locked(struct hft_ring *ring, u32 index, s32 result, u64 when)
{
	u64 now = hft_queue_now(ring->queue);

	if (ring->ready.dead)
		return;
	hft_sink_done(&ring->context->pool.slots[index], result);
	if (!when || when > now)
		when = now;
	hft_dispatch_fill_at(ring, when);
	hft_queue_commit(ring->queue);
}

/* Give back the request @token of @ready.  Returns whether it was that, still. */
static bool hft_sink_finish(struct hft_sink *sink, struct hft_slot *request, u64 token,
			    struct hft_ready_queue *ready, s32 result, u64 when)
{
	struct hft_ring *ring = hft_ring_of(ready);
	bool found = false;
	u32 index;

	raw_spin_lock(&ring->queue->lock);
	if (READ_ONCE(request->generation) == upper_32_bits(token) &&
	    READ_ONCE(request->ready) == ready) {
		index = request->cookie;
		hft_slot_free(&sink->requests, request);
		hft_sink_complete_locked(ring, index, result, when);
		found = true;
	}
	raw_spin_unlock(&ring->queue->lock);
	return found;
}

/* Likewise of an orphan. */
static bool hft_sink_finish_orphan(struct hft_sink *sink, struct hft_slot *request)
{
	if (cmpxchg(&request->state, HFT_SINK_ORPHAN, HFT_SLOT_TAKEN) != HFT_SINK_ORPHAN)
		return false;
	hft_slot_free(&sink->requests, request);
	return true;
}

/**
 * hft_sink_complete() - a sink is done with a task
 * @sink: the sink
 * @token: hft_sink_event.token
 * @result: for hft_event.result: 0 or more, or a negative errno: the task has failed
 * @when: CLOCK_MONOTONIC when that was, ns, for hft_event.published; 0: now
 *
 * Writes the event, and hands over what has waited for that.  In any context of execution,
 * but with no lock held that ->dispatch() takes, nor from within it.  Not after
 * hft_unregister_sink() has returned.
 *
 * Return: 0, or -ENOENT: it has said so before, or never had it.
 */
int hft_sink_complete(struct hft_sink *sink, u64 token, s32 result, u64 when)
{
	struct hft_slot *request = hft_slot_find(&sink->requests, token);
	struct hft_ready_queue *ready;
	unsigned long irq_flags;
	bool found = false;

	if (!request)
		return -ENOENT;
	/* Which holds off the freeing of the ring. */
	local_irq_save(irq_flags);
	ready = READ_ONCE(request->ready);
	if (ready)
		found = hft_sink_finish(sink, request, token, ready, result, when);
	if (!found)
		found = hft_sink_finish_orphan(sink, request);
	local_irq_restore(irq_flags);
	if (!found)
		return -ENOENT;
	atomic64_inc(&sink->completed);
	hft_sink_freed(sink);
	return 0;
}
EXPORT_SYMBOL_GPL(hft_sink_complete);

/**
 * hft_sink_kick() - ask the rings of a sink for tasks that they have kept
 * @sink: the sink, which said -EBUSY
 *
 * Soon, in another interrupt.  In any context of execution.
 */
void hft_sink_kick(struct hft_sink *sink)
{
	irq_work_queue(&sink->kick);
}
EXPORT_SYMBOL_GPL(hft_sink_kick);

/**
 * hft_register_sink() - offer a device to the rings of hft
 * @name: shown to users, below %HFT_SINK_NAME characters
 * @ops: what it does; stays until hft_unregister_sink() has returned
 * @depth: tasks that it has at a time, 1 to 4096
 * @data: for @ops
 *
 * Sleeps.  From here on ->dispatch() may be called.
 *
 * Return: the sink, or -EINVAL, -EEXIST there is one of that name, -ENOMEM as ERR_PTR().
 */
struct hft_sink *hft_register_sink(const char *name, const struct hft_sink_ops *ops, u32 depth,
				   void *data)
{
	struct hft_sink *sink, *other;
	struct hft_slot *slots;

	if (!ops->dispatch || !depth || depth > HFT_SINK_MAX_DEPTH)
		return ERR_PTR(-EINVAL);
	sink = kzalloc(sizeof(*sink), GFP_KERNEL);
	slots = kvcalloc(depth, sizeof(*slots), GFP_KERNEL);
	if (!sink || !slots) {
		kvfree(slots);
		kfree(sink);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&sink->ref);
	INIT_LIST_HEAD(&sink->rings);
	sink->kick = IRQ_WORK_INIT_HARD(hft_sink_ask);
	sink->ops = ops;
	sink->data = data;
	hft_slots_init(&sink->requests, slots, depth);
	if (strscpy(sink->name, name, sizeof(sink->name)) <= 0) {
		kref_put(&sink->ref, hft_sink_free);
		return ERR_PTR(-EINVAL);
	}

	mutex_lock(&hft_sinks_lock);
	list_for_each_entry(other, &hft_sinks, link) {
		if (!strcmp(other->name, sink->name)) {
			mutex_unlock(&hft_sinks_lock);
			kref_put(&sink->ref, hft_sink_free);
			return ERR_PTR(-EEXIST);
		}
	}
	sink->id = ++hft_sinks_last;
	list_add_tail(&sink->link, &hft_sinks);
	mutex_unlock(&hft_sinks_lock);
	return sink;
}
EXPORT_SYMBOL_GPL(hft_register_sink);

/* No task of the ring is handed over from here on. */
static void hft_sink_set_gone(struct hft_ring *ring)
{
	raw_spin_lock_irq(&ring->queue->lock);
	ring->ready.gone = true;
	raw_spin_unlock_irq(&ring->queue->lock);
}

/* End what the driver has not said to be done. */
static void hft_sink_end_requests(struct hft_sink *sink)
{
	struct hft_slots *requests = &sink->requests;
	u32 i;

	for (i = 0; i < requests->nr; i++) {
		hft_sink_complete(sink, hft_slot_id(requests, &requests->slots[i]), -ENODEV, 0);
		cond_resched();
	}
}

/* All that waits in the ring is due, and ends. */
static void hft_sink_drain(struct hft_ring *ring)
{
	struct hft_slots *pool = &ring->context->pool;
	struct hft_queue *queue = ring->queue;
	u32 i, end;

	for (i = 0; i < pool->nr; cond_resched()) {
		raw_spin_lock_irq(&queue->lock);
		for (end = min(i + HFT_BATCH, pool->nr); i < end; i++) {
			struct hft_slot *slot = &pool->slots[i];

			if (!hft_fallback_is_here(&ring->ready, slot) ||
			    slot->state != HFT_SLOT_WAITING || ring->ready.dead)
				continue;
			hft_queue_clock(queue, slot->clock);
			hft_sched_expire_now(slot);
		}
		hft_dispatch_fill(ring);
		hft_queue_commit(queue);
		raw_spin_unlock_irq(&queue->lock);
	}
}

/**
 * hft_unregister_sink() - a device is there no more
 * @sink: the sink; not to be used any more
 *
 * The driver's interrupts that call hft_sink_complete() are over before.  ->dispatch() is
 * not called, and does not run, when it returns.  What the device had, and what its rings
 * have queued, ends with -ENODEV, as what is submitted to them does.  Sleeps.
 */
void hft_unregister_sink(struct hft_sink *sink)
{
	struct hft_ring *ring;

	mutex_lock(&hft_sinks_lock);
	list_del(&sink->link);
	sink->gone = true;
	list_for_each_entry(ring, &sink->rings, sink_link)
		hft_sink_set_gone(ring);
	hft_sink_end_requests(sink);
	list_for_each_entry(ring, &sink->rings, sink_link) {
		hft_sink_drain(ring);
		module_put(sink->ops->owner);
	}
	mutex_unlock(&hft_sinks_lock);
	kref_put(&sink->ref, hft_sink_free);
}
EXPORT_SYMBOL_GPL(hft_unregister_sink);

/* The first sink with @id or a later one. */
static struct hft_sink *hft_sink_from(u32 id)
{
	struct hft_sink *sink;

	lockdep_assert_held(&hft_sinks_lock);

	list_for_each_entry(sink, &hft_sinks, link) {
		if (sink->id >= id)
			return sink;
	}
	return NULL;
}

static int hft_sink_allow(const struct hft_sink *sink)
{
	if (sink->ops->allow)
		return sink->ops->allow(sink->data);
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

/**
 * hft_sink_bind() - give a new ring the sink that was asked for
 * @ring: the new one
 * @add: the request
 *
 * Return: 0, -ENXIO, or an error of hft_sink_allow().
 */
int hft_sink_bind(struct hft_ring *ring, const struct hft_ring_add *add)
{
	struct hft_sink *sink;
	int err = -ENXIO;

	if (!(add->flags & HFT_RING_SINK))
		return 0;
	mutex_lock(&hft_sinks_lock);
	sink = hft_sink_from(add->sink);
	if (sink && sink->id == add->sink)
		err = hft_sink_allow(sink);
	if (!err && !try_module_get(sink->ops->owner))
		err = -ENXIO;
	if (!err) {
		kref_get(&sink->ref);
		ring->sink = sink;
		ring->ready.hand = hft_sink_hand_over;
		hft_ready_hook(&ring->ready);
		list_add_tail_rcu(&ring->sink_link, &sink->rings);
	}
	mutex_unlock(&hft_sinks_lock);
	return err;
}

/* What the sink has of a ring is the ring's no more. */
static void hft_sink_orphan(struct hft_sink *sink, struct hft_ring *ring)
{
	struct hft_slot *slots = sink->requests.slots;
	u32 i;

	for (i = 0; i < sink->requests.nr; i++) {
		raw_spin_lock_irq(&ring->queue->lock);
		if (READ_ONCE(slots[i].ready) == &ring->ready) {
			WRITE_ONCE(slots[i].ready, NULL);
			WRITE_ONCE(slots[i].state, HFT_SINK_ORPHAN);
		}
		raw_spin_unlock_irq(&ring->queue->lock);
	}
}

/**
 * hft_sink_unbind() - a ring lets go of its sink
 * @ring: dead, and freed no sooner than an RCU grace period later, or never added
 */
void hft_sink_unbind(struct hft_ring *ring)
{
	struct hft_sink *sink = ring->sink;

	if (!sink)
		return;
	mutex_lock(&hft_sinks_lock);
	list_del_rcu(&ring->sink_link);
	hft_sink_orphan(sink, ring);
	if (!sink->gone)
		module_put(sink->ops->owner);
	mutex_unlock(&hft_sinks_lock);
}

/**
 * hft_sink_put() - the last of hft_sink_unbind(), when nobody looks at the ring any more
 * @ring: the ring
 */
void hft_sink_put(struct hft_ring *ring)
{
	if (ring->sink)
		kref_put(&ring->sink->ref, hft_sink_free);
}

/**
 * hft_sink_info() - HFT_IOC_SINK
 * @info: the request, which is filled in
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
int hft_sink_info(struct hft_sink_info *info)
{
	struct hft_sink *sink;
	struct hft_ring *ring;

	if (info->reserved)
		return -EINVAL;
	mutex_lock(&hft_sinks_lock);
	sink = hft_sink_from(info->sink);
	if (sink) {
		*info = (struct hft_sink_info){ .sink = sink->id, .depth = sink->requests.nr };
		list_for_each_entry(ring, &sink->rings, sink_link)
			info->rings++;
		info->completed = atomic64_read(&sink->completed);
		info->handed = atomic64_read(&sink->handed);
		strscpy(info->name, sink->name, sizeof(info->name));
	}
	mutex_unlock(&hft_sinks_lock);
	return sink ? 0 : -ENOENT;
}
