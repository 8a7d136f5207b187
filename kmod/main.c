// SPDX-License-Identifier: GPL-2.0-only
/*
 * hft: start pieces of work at an exact nanosecond, on a chosen CPU.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "hft.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

unsigned int hft_max_tasks __read_mostly = 65536;
module_param_named(max_tasks, hft_max_tasks, uint, 0444);
MODULE_PARM_DESC(max_tasks, "Tasks that a context can have (65536)");

static struct miscdevice hft_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hft",
	.fops = &hft_context_fops,
	.groups = hft_groups,
	.mode = 0660,
};

static int __init hft_init(void)
{
	int err;

	if (!hft_max_tasks || hft_max_tasks > HFT_MOST_TASKS)
		return -EINVAL;
	err = hft_clock_init();
	if (err)
		return err;
	err = hft_queues_init();
	if (err)
		goto exit_clock;
	hft_pmu_init();
	err = hft_hotplug_init();
	if (err)
		goto exit_queues;
	err = misc_register(&hft_device);
	if (err)
		goto exit_hotplug;
	return 0;

exit_hotplug:
	hft_hotplug_exit();
	hft_pmu_exit();
exit_queues:
	hft_queues_exit();
exit_clock:
	hft_clock_exit();
	return err;
}

static void __exit hft_exit(void)
{
	misc_deregister(&hft_device);
	hft_hotplug_exit();
	hft_pmu_exit();
	hft_queues_exit();
	hft_clock_exit();
}

module_init(hft_init);
module_exit(hft_exit);

MODULE_DESCRIPTION("Start pieces of work at an exact nanosecond on a chosen CPU");
MODULE_AUTHOR("The hft authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1");
