// SPDX-License-Identifier: LGPL-2.1-or-later
/* The counters of hftctl stats; hftctl cancel */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <linux/hft.h>

#include "hftctl.h"

#define EVENTS	"/sys/class/misc/hft/events"

int stats_read_module(json_t **value)
{
	unsigned long long count;
	char name[64];
	FILE *f;

	f = fopen(EVENTS, "re");
	if (!f)
		return fail(errno, errno == ENOENT ? "%s: is hft.ko loaded?" : "%s", EVENTS);
	*value = json_object();
	while (fscanf(f, "%63s %llu", name, &count) == 2)
		json_object_set_new(*value, name, json_integer((json_int_t)count));
	fclose(f);
	return 0;
}

static int add_context(int fd, int number, void *arg)
{
	struct hft_stats stats = { .ring = HFT_STATS_CONTEXT };

	if (ioctl(fd, HFT_IOC_STATS, &stats))
		return -errno;
	json_array_append_new(arg, json_pack(
		"{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
		"fd", number,
		"tasks", (json_int_t)stats.tasks,
		"tasks_free", (json_int_t)stats.tasks_free,
		"submitted", (json_int_t)stats.submitted,
		"dispatched", (json_int_t)stats.dispatched,
		"cancelled", (json_int_t)stats.cancelled,
		"ended", (json_int_t)stats.ended,
		"waiting", (json_int_t)stats.waiting,
		"ready", (json_int_t)stats.ready,
		"in_flight", (json_int_t)stats.in_flight,
		"wakeups", (json_int_t)stats.wakeups,
		"full", (json_int_t)stats.full,
		"bad_head", (json_int_t)stats.bad_head,
		"overruns", (json_int_t)stats.overruns,
		"deadline_misses", (json_int_t)stats.deadline_misses,
		"clock_faults", (json_int_t)stats.clock_faults,
		"tsc", (int)stats.tsc));
	return 0;
}

int stats_read_process(pid_t pid, json_t **value)
{
	int ret;

	*value = json_array();
	ret = process_visit_contexts(pid, add_context, *value);
	if (ret < 0)
		json_decref(*value);
	return ret;
}

/* Ids of two contexts may be the same: the first context that has it loses it. */
static int cancel_in_context(int fd, int number, void *arg)
{
	struct hft_cancel cancel = { .task = *(uint64_t *)arg };

	(void)number;
	if (!ioctl(fd, HFT_IOC_CANCEL, &cancel))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int cancel_task(pid_t pid, uint64_t task)
{
	int ret = process_visit_contexts(pid, cancel_in_context, &task);

	if (!ret)
		return fail(ENOENT, "process %d has no task %#llx queued", (int)pid,
			    (unsigned long long)task);
	return ret < 0 ? ret : 0;
}
