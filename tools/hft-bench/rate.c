// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Deadlines missed at 10,000 tasks a second, each to be finished by the next one's
 * release, with the CPU loaded to 95 % by others.  The kernel counts them.
 */
#include <stdio.h>

#include "bench.h"

#define TASKS	100000
#define PERIOD	(100 * NSEC_PER_USEC)
#define BUSY	95

static int run_jobs(struct session *s)
{
	const struct hft_event *event;
	unsigned int done = 0;
	int ret;

	while (done < TASKS) {
		ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
		if (ret < 0)
			return ret;
		while ((event = hft_ring_peek(s->ring))) {
			hft_spin_until(event->release);
			/* Those that an overrun has skipped. */
			done += 1 + (unsigned int)event->result;
			hft_ring_advance(s->ring);
		}
	}
	return 0;
}

static int measure(struct session *s)
{
	struct hft_task task = {
		.ring = hft_ring_number(s->ring),
		.level = HFT_LEVEL_CRITICAL,
		.flags = HFT_TASK_WATCH,
		.deadline = PERIOD,
	};
	struct hft_stats stats;
	uint64_t id, misses;
	int ret;

	ret = hft_submit_periodic(s->hft, &task, hft_now() + 10 * NSEC_PER_MSEC, PERIOD, &id);
	if (ret < 0)
		return ret;
	ret = run_jobs(s);
	if (ret < 0)
		return ret;
	hft_cancel(s->hft, id);
	ret = hft_stats(s->hft, hft_ring_number(s->ring), &stats);
	if (ret < 0)
		return ret;
	misses = stats.deadline_misses + stats.overruns;
	print_figure("miss_rate_ppm", (double)misses * 1e6 / TASKS);
	print_note("miss_rate_ppm: %llu deadlines missed and %llu releases skipped of %d",
		   (unsigned long long)stats.deadline_misses, (unsigned long long)stats.overruns,
		   TASKS);
	return 0;
}

int bench_rate(void)
{
	const struct session_opts opts = { .tasks = 1, .lead_ns = HFT_LEAD_AUTO };
	struct session s;
	int pid, ret;

	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	pid = busy_cpu_start(BUSY);
	ret = pid < 0 ? pid : measure(&s);
	if (pid > 0)
		busy_cpu_stop(pid);
	session_close(&s);
	return ret;
}
