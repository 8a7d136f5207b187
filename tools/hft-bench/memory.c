// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kernel memory of a queued task: what is free before a context with as many tasks as a
 * CPU's queue has room for, and with it and its ring.  Only the first ring of a CPU since
 * the module was loaded allocates the queue's heaps: this group must come first.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define QUEUE_TASKS	"/sys/module/hft/parameters/queue_tasks"

static int read_number(const char *path, const char *format, unsigned long long *number)
{
	FILE *f = fopen(path, "re");
	char line[128];
	int ret = -ENOENT;

	if (!f)
		return -errno;
	while (ret && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, number) == 1)
			ret = 0;
	}
	fclose(f);
	return ret;
}

/* Bytes; per-CPU lists of free pages are counted as free only after a while. */
static int read_free(unsigned long long *bytes)
{
	int ret;

	usleep(200000);
	ret = read_number("/proc/meminfo", "MemFree: %llu kB", bytes);
	*bytes *= 1024;
	return ret;
}

int bench_memory(void)
{
	unsigned long long tasks, before, after;
	struct session_opts opts = { 0 };
	struct session s;
	int ret;

	ret = read_number(QUEUE_TASKS, "%llu", &tasks);
	if (!ret)
		ret = read_free(&before);
	if (ret)
		return ret;
	opts.tasks = (uint32_t)tasks;
	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	ret = read_free(&after);
	if (!ret)
		print_figure("task_bytes", (double)(before - after) / (double)tasks);
	print_note("task_bytes: of %llu tasks in one ring on one CPU", tasks);
	session_close(&s);
	return ret;
}
