// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults for the tests to find, each at a time that is known.  A line written to
 * /sys/module/hft_test_fault/parameters/inject is one of
 *
 *   off CPU NS                     the CPU runs nothing with interrupts off, once
 *   storm CPU PERIOD BUSY TIMES    an interrupt each PERIOD ns that takes BUSY ns
 *
 * and returns when it has begun; of "off", when it has ended.  The parameter onset says when
 * it began, CLOCK_MONOTONIC.
 */
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#define HFT_FAULT_MOST_NS	(100 * NSEC_PER_MSEC)
#define HFT_FAULT_MOST_TIMES	1000000
#define HFT_FAULT_LEAST_NS	1000

static DEFINE_MUTEX(hft_fault_lock);

static u64 hft_fault_onset;
module_param_named(onset, hft_fault_onset, ullong, 0444);
MODULE_PARM_DESC(onset, "When the last fault began, CLOCK_MONOTONIC");

static struct {
	struct hrtimer timer;
	u64 period;
	u64 busy;
	u64 left;
} hft_storm;

static void hft_fault_spin(u64 begin, u64 ns)
{
	while (ktime_get_ns() - begin < ns)
		cpu_relax();
}

/* Hard interrupt, on the CPU that is to have it. */
static void hft_fault_off(void *arg)
{
	u64 begin = ktime_get_ns();

	WRITE_ONCE(hft_fault_onset, begin);
	hft_fault_spin(begin, *(const u64 *)arg);
}

static enum hrtimer_restart hft_storm_fired(struct hrtimer *timer)
{
	u64 begin = ktime_get_ns();

	hft_fault_spin(begin, hft_storm.busy);
	if (!--hft_storm.left)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(timer, ns_to_ktime(begin + hft_storm.period));
	return HRTIMER_RESTART;
}

static void hft_storm_start(void *arg)
{
	WRITE_ONCE(hft_fault_onset, ktime_get_ns());
	hrtimer_start(&hft_storm.timer, ns_to_ktime(hft_storm.period),
		      HRTIMER_MODE_REL_PINNED_HARD);
}

static int hft_fault_inject(const char *text, const struct kernel_param *kp)
{
	u64 ns, busy, times;
	int cpu, err = -EINVAL;

	/* A parameter of insmod comes before the timer. */
	if (!hft_storm.timer.base)
		return -ENODEV;
	mutex_lock(&hft_fault_lock);
	hrtimer_cancel(&hft_storm.timer);
	if (sscanf(text, "off %d %llu", &cpu, &ns) == 2) {
		if (cpu >= 0 && ns <= HFT_FAULT_MOST_NS)
			err = smp_call_function_single(cpu, hft_fault_off, &ns, true);
	} else if (sscanf(text, "storm %d %llu %llu %llu", &cpu, &ns, &busy, &times) == 4) {
		/* The CPU gets on in between. */
		if (cpu >= 0 && busy <= HFT_FAULT_MOST_NS && ns >= busy + HFT_FAULT_LEAST_NS &&
		    times && times <= HFT_FAULT_MOST_TIMES) {
			hft_storm.period = ns;
			hft_storm.busy = busy;
			hft_storm.left = times;
			err = smp_call_function_single(cpu, hft_storm_start, NULL, true);
		}
	}
	mutex_unlock(&hft_fault_lock);
	return err;
}

static const struct kernel_param_ops hft_fault_inject_ops = {
	.set = hft_fault_inject,
};
module_param_cb(inject, &hft_fault_inject_ops, NULL, 0200);
MODULE_PARM_DESC(inject, "A fault, as above");

static int __init hft_test_fault_init(void)
{
	hrtimer_setup(&hft_storm.timer, hft_storm_fired, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

static void __exit hft_test_fault_exit(void)
{
	hrtimer_cancel(&hft_storm.timer);
}

module_init(hft_test_fault_init);
module_exit(hft_test_fault_exit);

MODULE_DESCRIPTION("Faults that tests inject");
MODULE_AUTHOR("The hft authors");
MODULE_LICENSE("GPL");
