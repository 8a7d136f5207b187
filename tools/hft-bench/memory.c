// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Kernel memory of a queued task: what is free before a context with as many tasks as a
 * CPU's queue has room for, and with it and its ring.  Only the first use since the module
 * was loaded allocates a queue's heaps: this group must come first.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"
#include "core/slot.h"

#define QUEUE_TASKS	"/sys/module/hft/parameters/queue_tasks"

static int read_tasks(unsigned long long *tasks)
{
	FILE *f = fopen(QUEUE_TASKS, "re");
	int nr;

	if (!f)
		return -errno;
	nr = fscanf(f, "%llu", tasks);
	fclose(f);
	return nr == 1 ? 0 : -EPROTO;
}

/* Bytes, with the pages that each CPU keeps at hand: they are not counted as free. */
static int read_free(unsigned long long *bytes)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	unsigned long long pages = 0, nr;
	char line[128];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nr_free_pages %llu", &nr) == 1 ||
		    sscanf(line, " count: %llu", &nr) == 1)
			pages += nr;
	}
	fclose(f);
	*bytes = pages * (unsigned long long)sysconf(_SC_PAGESIZE);
	return pages ? 0 : -EPROTO;
}

/* The first task of a clock, released after this has ended. */
static int use_clock(struct session *s, uint8_t clock)
{
	struct hft_task task = {
		.ring = hft_ring_number(s->ring),
		.clock = clock,
		.release = HFT_TIME_MAX,
	};

	return hft_submit(s->hft, &task, NULL);
}

/* Bytes of each of @tasks since @before, with tasks of one clock, of two, of three. */
static int measure(struct session *s, unsigned long long tasks, unsigned long long before,
		   double bytes[HFT_CLOCKS])
{
	unsigned long long after;
	uint8_t clock;
	int ret = 0;

	for (clock = 0; clock < HFT_CLOCKS && ret >= 0; clock++) {
		ret = use_clock(s, clock);
		if (ret >= 0)
			ret = read_free(&after);
		bytes[clock] = ((double)before - (double)after) / (double)tasks;
	}
	return ret;
}

int bench_memory(void)
{
	const size_t slot = sizeof(struct hft_slot), place = sizeof(struct hft_heap_node);
	unsigned long long tasks, before;
	struct session_opts opts = { 0 };
	double bytes[HFT_CLOCKS];
	struct session s;
	int ret;

	ret = read_tasks(&tasks);
	if (!ret)
		ret = read_free(&before);
	if (ret)
		return ret;
	opts.tasks = (uint32_t)tasks;
	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	ret = measure(&s, tasks, before, bytes);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: memory: %s\n", hft_strerror(ret));
	} else {
		print_figure("task_bytes", bytes[HFT_CLOCK_MONOTONIC]);
		print_note("task_bytes: of %llu tasks, CLOCK_MONOTONIC, in one ring; by the sizes %zu: "
			   "a slot of %zu, %zu in each heap of the ring, the watch and the clock; "
			   "with tasks of CLOCK_REALTIME too %.0f, of CLOCK_TAI too %.0f",
			   tasks, slot + 3 * place, slot, place, bytes[HFT_CLOCK_REALTIME],
			   bytes[HFT_CLOCK_TAI]);
	}
	session_close(&s);
	return ret;
}
