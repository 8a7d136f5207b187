// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of rings: memory and locks for core/rule.c, and what a rule does beyond its ring.
 *
 * A ring's detector is there from its first rule until the ring is destroyed.  What the core
 * has found is told by an irq_work, in which no lock is held: the monitor ring and the
 * context's other rings may be on any CPU.  It may run on two CPUs at a time.  Each counts at
 * once what the ring is held to; but one alone takes notices and writes them, or what is undone
 * could be told before what it undoes.  The other leaves them to it, and neither waits.
 *
 * A context is held to what the strictest of its rings' rules asks for, which
 * hft_context.rule_halts count; to let it go takes a work item, since the keys of its tasks are
 * made again.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "hft.h"

/* &enum hft_halt_mode that rules hold @context to. */
u32 hft_context_rule_halt(const struct hft_context *context)
{
	if (atomic_read(&context->rule_halts[HFT_HALT_ALL]))
		return HFT_HALT_ALL;
	return atomic_read(&context->rule_halts[HFT_HALT_REDUCE]) ? HFT_HALT_REDUCE :
								    HFT_HALT_NONE;
}

/* Count what the rules of @ring ask for.  Under its queue's lock.  Returns whether it is less. */
static bool hft_rule_count_halt(struct hft_ring *ring, u32 halt)
{
	u32 before = ring->rule_halt;

	lockdep_assert_held(&ring->queue->lock);

	ring->rule_halt = halt;
	if (halt)
		atomic_inc(&ring->context->rule_halts[halt]);
	if (before)
		atomic_dec(&ring->context->rule_halts[before]);
	return halt < before;
}

/* Let a context have what is allowed by now. */
static void hft_rule_work(struct work_struct *work)
{
	hft_halt_resume(container_of(work, struct hft_context, rule_work));
}

void hft_rule_init_context(struct hft_context *context)
{
	INIT_WORK(&context->rule_work, hft_rule_work);
}

void hft_rule_exit_context(struct hft_context *context)
{
	cancel_work_sync(&context->rule_work);
}

static void hft_rule_tell(struct hft_ready_queue *ready)
{
	hft_remote_queue(&hft_ring_of(ready)->telling);
}

/* Take the notices of a ring, unless another CPU still writes some.  Under its queue's lock. */
static u32 hft_rule_take(struct hft_ring *ring, struct hft_event *events)
{
	u32 nr;

	lockdep_assert_held(&ring->queue->lock);

	if (ring->has_teller)
		return 0;
	nr = hft_detect_take(&ring->ready, events);
	ring->has_teller = nr;
	return nr;
}

/* Write what was taken.  What was left to this gets an interrupt of its own: each is short. */
static void hft_rule_write(struct hft_ring *ring, const struct hft_event *events, u32 nr, u64 now)
{
	struct hft_queue *queue = ring->queue;
	u32 i;

	if (!nr)
		return;
	for (i = 0; i < nr; i++)
		hft_dispatch_notice(ring->context, &events[i], now);
	raw_spin_lock(&queue->lock);
	ring->has_teller = false;
	if (ring->ready.detect && ring->ready.detect->nr_pending)
		hft_rule_tell(&ring->ready);
	raw_spin_unlock(&queue->lock);
}

/* Hard interrupt, no lock is held: tell what was found, and do what concerns other rings. */
static void hft_rule_told(struct irq_work *work)
{
	struct hft_ring *ring = container_of(work, struct hft_ring, telling);
	struct hft_event events[HFT_DETECT_PENDING];
	struct hft_queue *queue = ring->queue;
	bool changed = false, less = false;
	u64 now = ktime_get_ns();
	u32 nr;

	raw_spin_lock(&queue->lock);
	nr = hft_rule_take(ring, events);
	if (ring->ready.detect && ring->ready.detect->halt != ring->rule_halt) {
		changed = true;
		less = hft_rule_count_halt(ring, ring->ready.detect->halt);
	}
	/* It may have been undone before this came to count it. */
	less |= hft_ring_may_resume(ring);
	raw_spin_unlock(&queue->lock);

	/* The words before looking for rings: pairs with that in hft_context_add_ring(). */
	smp_mb();
	if (changed && !less)
		hft_halt_tighten(ring->context);
	if (less)
		queue_work(system_unbound_wq, &ring->context->rule_work);
	hft_rule_write(ring, events, nr, now);
	hft_remote_died();
}

void hft_rule_init_queue(struct hft_queue *queue)
{
	queue->release.tell = hft_rule_tell;
}

void hft_rule_init_ring(struct hft_ring *ring)
{
	ring->telling = IRQ_WORK_INIT_HARD(hft_rule_told);
}

/**
 * hft_rule_exit_ring() - a ring is judged no more
 * @ring: dead
 *
 * Waits until nobody is told of it any more.
 */
void hft_rule_exit_ring(struct hft_ring *ring)
{
	struct hft_queue *queue = ring->queue;
	bool less;

	if (!ring->detect.nr_pages)
		return;
	raw_spin_lock_irq(&queue->lock);
	hft_detect_remove(&ring->ready);
	less = hft_rule_count_halt(ring, HFT_HALT_NONE);
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
	/* As in hft_remote_end(). */
	irq_work_sync(&ring->telling);
	synchronize_rcu();
	if (less)
		hft_halt_resume(ring->context);
}

/* When a day began, by UTC. */
static u64 hft_rule_midnight(void)
{
	u64 of_day = hft_clock_from_monotonic(HFT_CLOCK_REALTIME, 0) % HFT_DAY_NS;

	return HFT_DAY_NS - of_day;
}

/* Have @ring judged.  Under its context's mutex. */
static int hft_ring_judge(struct hft_ring *ring, u32 seasons)
{
	struct hft_user *user = ring->context->user;
	struct hft_queue *queue = ring->queue;
	size_t bytes = PAGE_ALIGN(hft_detect_bytes(seasons));
	int err;

	if (ring->detect.nr_pages)
		return 0;
	err = hft_user_charge(user, HFT_CHARGE_BYTES, bytes);
	if (err)
		return err;
	err = hft_area_alloc(&ring->detect, bytes, cpu_to_node(queue->cpu),
			     GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);
	if (err) {
		hft_user_uncharge(user, HFT_CHARGE_BYTES, bytes);
		return err;
	}
	ring->charged += bytes;
	hft_detect_init(ring->detect.start, seasons, hft_rule_midnight());
	raw_spin_lock_irq(&queue->lock);
	hft_job_look(&ring->ready);
	hft_ready_set_detect(&ring->ready, ring->detect.start);
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
	return 0;
}

/* All of the context's tasks, bit by bit: interrupts are off in each. */
static int hft_rule_visit_all(struct hft_ring *ring)
{
	struct hft_slots *pool = &ring->context->pool;
	struct hft_queue *queue = ring->queue;
	int err = 0;
	u32 i;

	for (i = 0; i < pool->nr && !err; ) {
		u32 end = min(i + HFT_BATCH, pool->nr);

		raw_spin_lock_irq(&queue->lock);
		for (; i < end && !err; i++)
			err = hft_rule_visit(&ring->ready, &pool->slots[i]);
		hft_queue_commit(queue);
		raw_spin_unlock_irq(&queue->lock);
		cond_resched();
	}
	return err;
}

/* Up to which level rules may send tasks to @to.  The context's mutex keeps them as they are. */
static s32 hft_spare_reach(struct hft_ring *to)
{
	s32 reach = -1;
	u32 i, n;

	for (i = 0; i < HFT_MAX_RINGS; i++) {
		struct hft_ring *ring = hft_context_ring(to->context, i);

		if (!ring || ring->fallback != to || !ring->ready.detect)
			continue;
		for (n = 0; n < HFT_RULES; n++) {
			const struct hft_rule *rule = &ring->ready.detect->rules[n].rule;

			if (rule->action == HFT_ACTION_SPARE)
				reach = max_t(s32, reach, rule->level);
		}
	}
	return reach;
}

static void hft_spare_set(struct hft_ring *to, s32 reach)
{
	raw_spin_lock_irq(&to->queue->lock);
	to->ready.spare_reach = reach;
	raw_spin_unlock_irq(&to->queue->lock);
}

/* Have the fallback ring of @ring take no hard tasks that would wait for those of @rule. */
static int hft_spare_begin(struct hft_ring *ring, const struct hft_rule *rule)
{
	struct hft_ring *to = ring->fallback;

	if (!to)
		return -ENODEV;
	if (!(to->ready.level_mask & BIT(rule->level)))
		return -EINVAL;
	hft_spare_set(to, max_t(s32, hft_spare_reach(to), rule->level));
	return hft_rule_visit_all(to);
}

/* @ring is none of its context's any more.  Under that's mutex. */
void hft_rule_forget_ring(struct hft_ring *ring)
{
	if (ring->fallback)
		hft_spare_set(ring->fallback, hft_spare_reach(ring->fallback));
}

static int hft_ring_set_rule(struct hft_ring *ring, const struct hft_rule *rule)
{
	struct hft_queue *queue = ring->queue;
	int err;

	if (ring->flags & HFT_RING_MONITOR)
		return -EINVAL;
	if (rule->action == HFT_ACTION_NONE && !ring->detect.nr_pages)
		return 0;
	err = hft_ring_judge(ring, rule->seasons ?: 1);
	if (err)
		return err;

	raw_spin_lock_irq(&queue->lock);
	err = hft_rule_begin(&ring->ready, rule);
	raw_spin_unlock_irq(&queue->lock);
	if (!err && rule->action == HFT_ACTION_SPARE)
		err = hft_spare_begin(ring, rule);
	if (!err && (rule->action == HFT_ACTION_LEAD || rule->action == HFT_ACTION_BOOST))
		err = hft_rule_visit_all(ring);
	raw_spin_lock_irq(&queue->lock);
	hft_rule_end(&ring->ready, rule, err, hft_queue_now(queue));
	hft_queue_commit(queue);
	raw_spin_unlock_irq(&queue->lock);
	if (ring->fallback)
		hft_spare_set(ring->fallback, hft_spare_reach(ring->fallback));
	return err;
}

/**
 * hft_rule_set() - HFT_IOC_RULE
 * @context: whose file it is
 * @rule: the rule
 *
 * Return: 0, or an error of &struct hft_rule.
 */
int hft_rule_set(struct hft_context *context, const struct hft_rule *rule)
{
	struct hft_ring *ring;
	int err = -ENOENT;

	if (!hft_rule_valid(rule))
		return -EINVAL;
	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, rule->ring);
	if (ring)
		err = hft_ring_set_rule(ring, rule);
	mutex_unlock(&context->mutex);
	return err;
}

/**
 * hft_rule_info() - HFT_IOC_RULE_INFO
 * @context: whose file it is
 * @info: the request; its out fields are filled in
 *
 * Return: 0, -ENOENT or -EINVAL.
 */
int hft_rule_info(struct hft_context *context, struct hft_rule_info *info)
{
	u32 ring_number = info->ring, number = info->number;
	struct hft_ring *ring;

	if (number >= HFT_RULES || info->reserved)
		return -EINVAL;
	*info = (struct hft_rule_info){
		.ring = ring_number,
		.number = array_index_nospec(number, HFT_RULES),
	};
	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, ring_number);
	if (ring) {
		raw_spin_lock_irq(&ring->queue->lock);
		hft_job_look(&ring->ready);
		hft_rule_info_fill(&ring->ready, info);
		hft_queue_commit(ring->queue);
		raw_spin_unlock_irq(&ring->queue->lock);
	}
	mutex_unlock(&context->mutex);
	return ring ? 0 : -ENOENT;
}
