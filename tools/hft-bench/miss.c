// SPDX-License-Identifier: LGPL-2.1-or-later
/* A watched deadline that passes: how long until the monitor ring says so. */
#include <errno.h>
#include <stdio.h>

#include "bench.h"

#define TASKS	1000

static int submit(struct session *s, uint64_t deadline)
{
	struct hft_task task = {
		.ring = hft_ring_number(s->ring),
		.level = HFT_LEVEL_NORMAL,
		.flags = HFT_TASK_WATCH,
		.release = deadline - 100 * NSEC_PER_USEC,
		.deadline = deadline,
	};

	return hft_submit(s->hft, &task, NULL);
}

/* Nobody consumes the task before its deadline: this thread waits for the notice. */
static int measure(struct session *s, struct hft_ring *monitor, struct samples *delay)
{
	struct schedule schedule = schedule_make(1000, TASKS);
	const struct hft_event *event;
	unsigned int i;
	int ret;

	for (i = 0; i < schedule.nr; i++) {
		ret = submit(s, schedule_release(&schedule, i));
		if (ret < 0)
			return ret;
		ret = hft_wait(monitor, HFT_WAIT_FOREVER);
		if (ret < 0)
			return ret;
		event = hft_ring_peek(monitor);
		if (event->type != HFT_EVENT_MISS)
			return -EPROTO;
		samples_add(delay, (int64_t)(event->published - event->deadline));
		hft_ring_advance(monitor);
		ret = hft_wait(s->ring, 0);
		if (ret < 0)
			return ret;
		hft_ring_advance(s->ring);
	}
	return 0;
}

int bench_miss(void)
{
	HFT_OPTS(hft_ring_opts, monitor_opts, .cpu = bench_cpu, .flags = HFT_RING_MONITOR);
	const struct session_opts opts = { .tasks = TASKS };
	struct hft_ring *monitor;
	struct samples delay;
	struct session s;
	int ret;

	ret = samples_init(&delay, TASKS);
	if (ret < 0)
		return ret;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	ret = hft_ring_open(s.hft, &monitor_opts, &monitor);
	if (ret < 0)
		goto close;
	ret = measure(&s, monitor, &delay);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: miss: %s\n", hft_strerror(ret));
	} else {
		print_figure("miss_to_event_ns", (double)samples_percentile(&delay, PPM_P99));
		print_note("miss_to_event_ns: p50 %lld ns",
			   (long long)samples_percentile(&delay, PPM_P50));
	}
	hft_ring_close(monitor);
close:
	session_close(&s);
out:
	samples_free(&delay);
	return ret;
}
