// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the clocks: one that was set, another clocksource, a TSC that the kernel
 * trusts no more, a timer that fires late.
 *
 * The timekeeper calls at each of its updates, inside of the sequence lock that every
 * reader of a clock waits for: there is only compared and counted, and no clock is
 * read.  A context is told by a work item, since there may be any number of them;
 * an irq_work is what both the timekeeper and a timer may ask for that.
 */
#include <linux/clocksource.h>
#include <linux/irq_work.h>
#include <linux/moduleparam.h>
#include <linux/pvclock_gtod.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/timekeeper_internal.h>
#include <linux/workqueue.h>

#ifdef CONFIG_X86_TSC
#include <asm/tsc.h>
#endif

#include "hft.h"
#include "trace.h"

u64 hft_late_ns __read_mostly = NSEC_PER_MSEC;
module_param_named(late_ns, hft_late_ns, ullong, 0644);
MODULE_PARM_DESC(late_ns, "A timer is late from so many ns on (1000000); 0: never");

static struct {
	/* The notifier's, which the timekeeper never calls twice at a time. */
	const struct clocksource *source;
	ktime_t offset[HFT_CLOCKS];
	bool unstable;

	u64 set[HFT_CLOCKS];	/* when each was set the last time, CLOCK_MONOTONIC */
	bool tsc;		/* the clocksource is the TSC */

	raw_spinlock_t lock;	/* of @pending; nobody reads a clock under it */
	struct hft_fault pending[HFT_FAULTS][HFT_CLOCKS];

	u64 counts[HFT_FAULTS];
	struct irq_work irq_work;
	struct work_struct work;
	struct workqueue_struct *workqueue;
} hft_clock;

static bool hft_tsc_unstable(void)
{
#ifdef CONFIG_X86_TSC
	return check_tsc_unstable();
#else
	return false;
#endif
}

/* Does CLOCK_MONOTONIC run on the TSC? */
bool hft_clock_is_tsc(void)
{
	return READ_ONCE(hft_clock.tsc);
}

u64 hft_clock_faults(enum hft_clock_fault kind)
{
	return READ_ONCE(hft_clock.counts[kind]);
}

static void hft_fault_add(struct hft_fault *fault, s64 by, u64 when)
{
	fault->nr++;
	fault->by += by;
	fault->when = when;
}

static void hft_clock_raise(enum hft_clock_fault kind, enum hft_clock clock, s64 by, u64 when)
{
	raw_spin_lock(&hft_clock.lock);
	hft_fault_add(&hft_clock.pending[kind][clock], by, when);
	raw_spin_unlock(&hft_clock.lock);
	irq_work_queue(&hft_clock.irq_work);
}

static void hft_clock_compare(enum hft_clock clock, ktime_t offset, u64 when)
{
	s64 by = ktime_to_ns(ktime_sub(offset, hft_clock.offset[clock]));

	if (!by)
		return;
	hft_clock.offset[clock] = offset;
	WRITE_ONCE(hft_clock.set[clock], when);
	if (hft_clock.source)
		hft_clock_raise(HFT_FAULT_STEP, clock, by, when);
}

/* Under the timekeeper's locks, interrupts off. */
static int hft_clock_updated(struct notifier_block *nb, unsigned long was_set, void *data)
{
	const struct timekeeper *tk = data;
	const struct clocksource *source = tk->tkr_mono.clock;
	bool unstable = hft_tsc_unstable();
	u64 when;

	if (likely(source == hft_clock.source && unstable == hft_clock.unstable && !was_set))
		return NOTIFY_DONE;

	when = ktime_to_ns(tk->tkr_mono.base) + (tk->tkr_mono.xtime_nsec >> tk->tkr_mono.shift);
	hft_clock_compare(HFT_CLOCK_REALTIME, tk->offs_real, when);
	hft_clock_compare(HFT_CLOCK_TAI, tk->offs_tai, when);
	if (unstable && !hft_clock.unstable && hft_clock.source)
		hft_clock_raise(HFT_FAULT_TSC, HFT_CLOCK_MONOTONIC, 0, when);
	if (source != hft_clock.source && hft_clock.source)
		hft_clock_raise(HFT_FAULT_CLOCKSOURCE, HFT_CLOCK_MONOTONIC, 0, when);

	hft_clock.unstable = unstable;
	hft_clock.source = source;
	WRITE_ONCE(hft_clock.tsc, !unstable && !strcmp(source->name, "tsc"));
	return NOTIFY_OK;
}

static struct notifier_block hft_clock_nb = {
	.notifier_call = hft_clock_updated,
};

/**
 * hft_clock_late() - a timer fired, and more than hft_late_ns after its time
 * @queue: its queue, locked
 * @clock: of the timer
 * @late: by how much, ns
 *
 * One whose clock was set has been due no longer than since then.
 */
void hft_clock_late(struct hft_queue *queue, enum hft_clock clock, u64 late)
{
	u64 entry = hft_queue_now(queue);

	lockdep_assert_held(&queue->lock);

	/* Its clock was set back as it fired. */
	if ((s64)late < 0)
		return;
	if (clock != HFT_CLOCK_MONOTONIC) {
		late = min(late, entry - READ_ONCE(hft_clock.set[clock]));
		if (late < READ_ONCE(hft_late_ns))
			return;
	}
	queue->late.nr++;
	if ((s64)late > queue->late.by) {
		queue->late.by = late;
		queue->late.when = entry - late;
		queue->late_clock = clock;
	}
	irq_work_queue(&hft_clock.irq_work);
}

/* Has @context a ring that @queue dispatches to? */
static bool hft_context_uses(struct hft_context *context, const struct hft_queue *queue)
{
	struct hft_ring *ring;
	bool uses = false;
	int i;

	rcu_read_lock();
	for (i = 0; i < HFT_MAX_RINGS && !uses; i++) {
		ring = rcu_dereference(context->rings[i]);
		uses = ring && ring->queue == queue && !(ring->flags & HFT_RING_MONITOR);
	}
	rcu_read_unlock();
	return uses;
}

/*
 * Let the rules of a context's rings know of an anomaly, of those on @queue or of all.  They
 * tell of it.  Returns whether there are any.
 */
static bool hft_context_judge(struct hft_context *context, const struct hft_queue *queue,
			      enum hft_anomaly anomaly, u64 value, u64 now)
{
	struct hft_ring *ring;
	bool judged = false;
	int i;

	rcu_read_lock();
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		ring = rcu_dereference(context->rings[i]);
		if (!ring || (queue && ring->queue != queue) || !READ_ONCE(ring->ready.detect))
			continue;
		raw_spin_lock_irq(&ring->queue->lock);
		hft_detect_event(&ring->ready, anomaly, value, now);
		hft_queue_commit(ring->queue);
		raw_spin_unlock_irq(&ring->queue->lock);
		judged = true;
	}
	rcu_read_unlock();
	return judged;
}

/* What a notice is to rules: of a step the amount, forth or back. */
static bool hft_notice_judge(struct hft_context *context, const struct hft_queue *queue,
			     const struct hft_event *notice, u64 now)
{
	bool clock = notice->type == HFT_EVENT_CLOCK;
	u64 value = clock ? abs((s64)notice->cookie) : notice->cookie;

	return hft_context_judge(context, queue,
				 clock ? HFT_ANOMALY_CLOCK : notice->result, value, now);
}

struct hft_telling {
	struct hft_event notice;
	u64 now;
	const struct hft_queue *queue;	/* whose contexts are told; NULL: all */
};

static void hft_context_tell(struct hft_context *context, void *arg)
{
	const struct hft_telling *telling = arg;
	bool judged;

	if (telling->queue && !hft_context_uses(context, telling->queue))
		return;
	judged = hft_notice_judge(context, telling->queue, &telling->notice, telling->now);
	if (telling->notice.type == HFT_EVENT_CLOCK)
		WRITE_ONCE(context->clock_faults, context->clock_faults + telling->notice.task);
	else if (judged)
		return;
	hft_dispatch_notice(context, &telling->notice, telling->now);
}

/**
 * hft_contexts_tell() - write a notice to the monitor rings of contexts
 * @queue: of those with a ring that it dispatches to; NULL: of all
 * @notice: as hft_dispatch_notice() has it
 * @now: likewise
 *
 * To the rules of rings it is an anomaly, which is told as theirs.  Sleeps.
 */
void hft_contexts_tell(const struct hft_queue *queue, const struct hft_event *notice, u64 now)
{
	struct hft_telling telling = { .notice = *notice, .queue = queue, .now = now };

	hft_contexts_each(hft_context_tell, &telling);
}

static void hft_clock_tell(enum hft_clock_fault kind, enum hft_clock clock,
			   const struct hft_queue *queue, const struct hft_fault *fault)
{
	const struct hft_event notice = {
		.cookie = fault->by,
		.task = fault->nr,
		.release = fault->when,
		.deadline = queue ? queue->cpu : 0,
		.result = kind,
		.type = HFT_EVENT_CLOCK,
		.clock = clock,
	};

	if (!fault->nr)
		return;
	WRITE_ONCE(hft_clock.counts[kind], hft_clock.counts[kind] + fault->nr);
	trace_clock_fault(&notice);
	hft_contexts_tell(queue, &notice, ktime_get_ns());
}

static void hft_clock_tell_pending(enum hft_clock_fault kind, enum hft_clock clock)
{
	struct hft_fault fault;

	raw_spin_lock_irq(&hft_clock.lock);
	fault = hft_clock.pending[kind][clock];
	hft_clock.pending[kind][clock] = (struct hft_fault){};
	raw_spin_unlock_irq(&hft_clock.lock);
	hft_clock_tell(kind, clock, NULL, &fault);
}

static void hft_clock_tell_late(struct hft_queue *queue)
{
	struct hft_fault fault;
	enum hft_clock clock;

	raw_spin_lock_irq(&queue->lock);
	fault = queue->late;
	clock = queue->late_clock;
	queue->late = (struct hft_fault){};
	raw_spin_unlock_irq(&queue->lock);
	hft_clock_tell(HFT_FAULT_LATE, clock, queue, &fault);
}

static void hft_clock_work(struct work_struct *work)
{
	int kind, clock, cpu;

	for (kind = HFT_FAULT_STEP; kind < HFT_FAULT_LATE; kind++) {
		for (clock = 0; clock < HFT_CLOCKS; clock++)
			hft_clock_tell_pending(kind, clock);
	}
	for_each_possible_cpu(cpu)
		hft_clock_tell_late(per_cpu_ptr(&hft_queues, cpu));
}

static void hft_clock_irq_work(struct irq_work *irq_work)
{
	queue_work(hft_clock.workqueue, &hft_clock.work);
}

/* Before the first queue, whose timers may be late. */
int hft_clock_init(void)
{
	int err;

	/* Not bound to a CPU: a worker of ours may keep one for itself. */
	hft_clock.workqueue = alloc_workqueue("hft_clock", WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!hft_clock.workqueue)
		return -ENOMEM;
	raw_spin_lock_init(&hft_clock.lock);
	INIT_WORK(&hft_clock.work, hft_clock_work);
	/* Hard, so that on PREEMPT_RT too no thread of this CPU has to run for it. */
	hft_clock.irq_work = IRQ_WORK_INIT_HARD(hft_clock_irq_work);

	err = pvclock_gtod_register_notifier(&hft_clock_nb);
	if (err)
		destroy_workqueue(hft_clock.workqueue);
	return err;
}

/* After the last queue. */
void hft_clock_exit(void)
{
	pvclock_gtod_unregister_notifier(&hft_clock_nb);
	irq_work_sync(&hft_clock.irq_work);
	destroy_workqueue(hft_clock.workqueue);
}
