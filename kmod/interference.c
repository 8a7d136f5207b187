// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gaps in time with interrupts off: nothing that the kernel can see ran on the CPU, so it
 * was the firmware (system management interrupts) or a hypervisor, as the hwlat tracer
 * looks for them (kernel/trace/trace_hwlat.c; Documentation/trace/hwlat_detector.rst).
 *
 * A thread on each CPU that is asked for reads the clock with interrupts off, for a small
 * part of the time.  It sees the gaps that fall into that part: of a thing that happens n
 * times a second it finds n times the part.  It keeps clear of timers that are to fire; a
 * task that another CPU submits meanwhile, and that is due, is as late as the rest of the
 * look.
 *
 * A CPU's thread is made and stopped with the CPU hotplug lock, which comes before
 * hft_gaps_lock.  It takes hft_contexts_lock, under which neither is taken.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "hft.h"
#include "trace.h"

#define HFT_GAPS_LEAST_US	10U
#define HFT_GAPS_MOST_US	1000U
#define HFT_GAPS_PART		10	/* of the time at most: one in so many */

static u64 hft_gap_ns = 10 * NSEC_PER_USEC;
module_param_named(interference_ns, hft_gap_ns, ullong, 0644);
MODULE_PARM_DESC(interference_ns, "A gap is told of from so many ns on (10000)");

static unsigned int hft_gaps_width_us = 50;
module_param_named(interference_width_us, hft_gaps_width_us, uint, 0644);
MODULE_PARM_DESC(interference_width_us, "Interrupts are off for a look, us, 10 to 1000 (50)");

static unsigned int hft_gaps_window_us = 5000;
module_param_named(interference_window_us, hft_gaps_window_us, uint, 0644);
MODULE_PARM_DESC(interference_window_us, "From one look to the next, us, 10 widths at least (5000)");

/**
 * struct hft_gaps - of a CPU
 * @thread: looks for gaps; NULL: none does
 * @online: it may
 * @cpu: it
 * @count: gaps that were told of
 * @ns: sum of them
 */
struct hft_gaps {
	struct task_struct *thread;
	bool online;
	int cpu;
	u64 count;
	u64 ns;
};

static DEFINE_PER_CPU(struct hft_gaps, hft_gaps);
static DEFINE_MUTEX(hft_gaps_lock);	/* of @thread, @online and the mask */
static struct cpumask hft_gaps_cpus;

u64 hft_interference_count(void)
{
	u64 count = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		count += READ_ONCE(per_cpu(hft_gaps, cpu).count);
	return count;
}

u64 hft_interference_ns(void)
{
	u64 ns = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		ns += READ_ONCE(per_cpu(hft_gaps, cpu).ns);
	return ns;
}

/* When a timer of @queue is armed for, CLOCK_MONOTONIC; it may change while this looks. */
static u64 hft_gaps_next_timer(const struct hft_queue *queue)
{
	u64 next = READ_ONCE(queue->release.watch.armed), armed;
	int clock;

	for (clock = 0; clock < HFT_CLOCKS; clock++) {
		armed = READ_ONCE(queue->release.timers[clock].armed);
		if (armed != U64_MAX)
			next = min(next, armed - READ_ONCE(queue->release.offset[clock]));
	}
	return next;
}

/* Look for @width ns.  Returns the longest gap, and when it ended. */
static noinline u64 hft_gaps_look(const struct hft_queue *queue, u64 width, u64 *when)
{
	u64 longest = 0, last, now, end;

	local_irq_disable();
	last = ktime_get_mono_fast_ns();
	end = min(last + width, hft_gaps_next_timer(queue));
	while ((s64)(end - last) > 0) {
		now = ktime_get_mono_fast_ns();
		/* It may go back by a little at an update of the timekeeper. */
		if ((s64)(now - last) > (s64)longest) {
			longest = now - last;
			*when = now;
		}
		last = now;
	}
	local_irq_enable();
	return longest;
}

static void hft_gaps_tell(struct hft_gaps *gaps, struct hft_queue *queue, u64 gap, u64 limit,
			  u64 when)
{
	const struct hft_event notice = {
		.cookie = gap,
		.task = queue->cpu,
		.deadline = limit,
		.irq_entry = when,
		.result = HFT_ANOMALY_INTERFERENCE,
		.type = HFT_EVENT_ANOMALY,
	};

	WRITE_ONCE(gaps->count, gaps->count + 1);
	WRITE_ONCE(gaps->ns, gaps->ns + gap);
	trace_interference(queue->cpu, gap, when);
	hft_contexts_tell(queue, &notice, when);
}

static void hft_gaps_sleep(u64 ns)
{
	ktime_t timeout = ns_to_ktime(ns);

	set_current_state(TASK_INTERRUPTIBLE);
	if (!kthread_should_stop())
		schedule_hrtimeout_range(&timeout, ns / 8, HRTIMER_MODE_REL);
	__set_current_state(TASK_RUNNING);
}

static int hft_gaps_main(void *arg)
{
	struct hft_gaps *gaps = arg;
	struct hft_queue *queue = per_cpu_ptr(&hft_queues, gaps->cpu);

	while (!kthread_should_stop()) {
		u64 width = clamp(READ_ONCE(hft_gaps_width_us), HFT_GAPS_LEAST_US,
				  HFT_GAPS_MOST_US);
		u64 window = max_t(u64, READ_ONCE(hft_gaps_window_us), width * HFT_GAPS_PART);
		u64 limit = max_t(u64, READ_ONCE(hft_gap_ns), 1), gap, when = 0;

		gap = hft_gaps_look(queue, width * NSEC_PER_USEC, &when);
		if (gap >= limit)
			hft_gaps_tell(gaps, queue, gap, limit, when);
		hft_gaps_sleep((window - width) * NSEC_PER_USEC);
	}
	return 0;
}

/* Have a CPU's thread be there or not, as it is to be.  Returns 0 or why it is not. */
static int hft_gaps_update(int cpu)
{
	struct hft_gaps *gaps = per_cpu_ptr(&hft_gaps, cpu);
	bool wanted = gaps->online && cpumask_test_cpu(cpu, &hft_gaps_cpus);
	struct task_struct *thread;

	lockdep_assert_held(&hft_gaps_lock);

	if (wanted == !!gaps->thread)
		return 0;
	if (!wanted) {
		kthread_stop(gaps->thread);
		gaps->thread = NULL;
		return 0;
	}
	gaps->cpu = cpu;
	thread = kthread_create_on_cpu(hft_gaps_main, gaps, cpu, "hft_gaps/%u");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	gaps->thread = thread;
	wake_up_process(thread);
	return 0;
}

/**
 * hft_interference_cpu() - a CPU comes or goes
 * @cpu: it; with the CPU hotplug lock
 * @online: it is there, and stays until this is called again
 */
void hft_interference_cpu(unsigned int cpu, bool online)
{
	int err;

	mutex_lock(&hft_gaps_lock);
	per_cpu(hft_gaps, cpu).online = online;
	err = hft_gaps_update(cpu);
	mutex_unlock(&hft_gaps_lock);
	if (err)
		pr_warn("hft: no thread looks for interference on CPU %u: error %d\n", cpu, err);
}

static int hft_gaps_set_cpus(const char *text, const struct kernel_param *kp)
{
	cpumask_var_t mask;
	int cpu, err;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	err = cpulist_parse(text, mask);
	if (!err && !cpumask_subset(mask, cpu_possible_mask))
		err = -EINVAL;
	if (err)
		goto out;

	cpus_read_lock();
	mutex_lock(&hft_gaps_lock);
	cpumask_copy(&hft_gaps_cpus, mask);
	for_each_possible_cpu(cpu) {
		err = hft_gaps_update(cpu);
		if (err)
			break;
	}
	mutex_unlock(&hft_gaps_lock);
	cpus_read_unlock();
out:
	free_cpumask_var(mask);
	return err;
}

static int hft_gaps_get_cpus(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%*pbl\n", cpumask_pr_args(&hft_gaps_cpus));
}

static const struct kernel_param_ops hft_gaps_cpus_ops = {
	.set = hft_gaps_set_cpus,
	.get = hft_gaps_get_cpus,
};
module_param_cb(interference_cpus, &hft_gaps_cpus_ops, NULL, 0644);
MODULE_PARM_DESC(interference_cpus, "CPUs, as a list, on which to look for gaps in time (none)");
