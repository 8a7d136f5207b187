// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PMU for the tests, where the machine has none: counters that stand where they are
 * told to, so that every difference is known.
 *
 * Event n of HFT_TEST_EVENTS counts to values[n], a module parameter, times the number
 * of the CPU plus one: on another CPU it is another count.  Event HFT_TEST_EVENTS counts
 * how often it is read.  An event of the mask in @fail can not be scheduled.
 *
 * hft_test_beside has the same events, but is none that tasks are counted by, as the PMUs
 * beside the CPUs are.
 */
#include <linux/module.h>
#include <linux/perf_event.h>

#define HFT_TEST_EVENTS	4

static ulong hft_test_values[HFT_TEST_EVENTS];
module_param_array_named(values, hft_test_values, ulong, NULL, 0644);
MODULE_PARM_DESC(values, "What each event has counted on CPU 0");

static uint hft_test_fail;
module_param_named(fail, hft_test_fail, uint, 0644);
MODULE_PARM_DESC(fail, "Mask of the events that find no counter");

static u64 hft_test_count(const struct perf_event *event)
{
	return READ_ONCE(hft_test_values[event->attr.config]) * (smp_processor_id() + 1);
}

static int hft_test_event_init(struct perf_event *event)
{
	if (event->attr.type != event->pmu->type)
		return -ENOENT;
	if (event->attr.config > HFT_TEST_EVENTS)
		return -EINVAL;
	return is_sampling_event(event) ? -EINVAL : 0;
}

/* On the CPU that the event counts on, as are those below. */
static void hft_test_read(struct perf_event *event)
{
	u64 now;

	if (event->attr.config == HFT_TEST_EVENTS) {
		local64_inc(&event->count);
		return;
	}
	now = hft_test_count(event);
	local64_add(now - local64_xchg(&event->hw.prev_count, now), &event->count);
}

static void hft_test_start(struct perf_event *event, int flags)
{
	if (event->attr.config < HFT_TEST_EVENTS)
		local64_set(&event->hw.prev_count, hft_test_count(event));
	event->hw.state = 0;
}

static void hft_test_stop(struct perf_event *event, int flags)
{
	if (!(event->hw.state & PERF_HES_STOPPED) && event->attr.config < HFT_TEST_EVENTS)
		hft_test_read(event);
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

static int hft_test_add(struct perf_event *event, int flags)
{
	if (READ_ONCE(hft_test_fail) & BIT(event->attr.config))
		return -EAGAIN;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		hft_test_start(event, flags);
	return 0;
}

static void hft_test_del(struct perf_event *event, int flags)
{
	hft_test_stop(event, flags);
}

/* An event holds the module, so nothing counts any more when it goes. */
static struct pmu hft_test_pmu = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_sw_context,
	.event_init = hft_test_event_init,
	.add = hft_test_add,
	.del = hft_test_del,
	.start = hft_test_start,
	.stop = hft_test_stop,
	.read = hft_test_read,
	.capabilities = PERF_PMU_CAP_NO_INTERRUPT,
};

static struct pmu hft_test_beside = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_invalid_context,
	.event_init = hft_test_event_init,
	.add = hft_test_add,
	.del = hft_test_del,
	.start = hft_test_start,
	.stop = hft_test_stop,
	.read = hft_test_read,
	.capabilities = PERF_PMU_CAP_NO_INTERRUPT,
};

static int __init hft_test_pmu_init(void)
{
	int err = perf_pmu_register(&hft_test_pmu, "hft_test", -1);

	if (err)
		return err;
	err = perf_pmu_register(&hft_test_beside, "hft_test_beside", -1);
	if (err)
		perf_pmu_unregister(&hft_test_pmu);
	return err;
}

static void __exit hft_test_pmu_exit(void)
{
	perf_pmu_unregister(&hft_test_beside);
	perf_pmu_unregister(&hft_test_pmu);
}

module_init(hft_test_pmu_init);
module_exit(hft_test_pmu_exit);

MODULE_DESCRIPTION("Performance counters that tests set");
MODULE_AUTHOR("The hft authors");
MODULE_LICENSE("GPL");
