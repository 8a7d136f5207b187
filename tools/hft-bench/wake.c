// SPDX-License-Identifier: LGPL-2.1-or-later
/* Wake-up: release to the first instruction of the task, without lead. */
#include <stdio.h>

#include "bench.h"

#define SLEEPING_TASKS	2000
#define SPINNING_TASKS	1000

static int measure(const char *name, unsigned int hz, unsigned int nr, uint64_t spin_ns)
{
	const struct session_opts opts = { .tasks = nr, .spin_ns = spin_ns };
	struct samples single, queued;
	struct schedule schedule;
	struct session s;
	int ret;

	ret = samples_init(&single, nr);
	if (ret < 0)
		return ret;
	ret = samples_init(&queued, nr);
	if (ret < 0)
		goto free_single;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto free_queued;
	schedule = schedule_make(hz, nr);
	ret = session_run_singly(&s, &schedule, &single);
	if (ret < 0)
		goto close;
	schedule = schedule_make(hz, nr);
	ret = session_run(&s, &schedule, &queued);
	if (ret < 0)
		goto close;
	print_figure(name, (double)samples_percentile(&single, PPM_P99));
	print_note("%s: p50 %lld ns; with %u tasks queued p50 %lld ns, p99 %lld ns", name,
		   (long long)samples_percentile(&single, PPM_P50), nr,
		   (long long)samples_percentile(&queued, PPM_P50),
		   (long long)samples_percentile(&queued, PPM_P99));
close:
	session_close(&s);
free_queued:
	samples_free(&queued);
free_single:
	samples_free(&single);
	return ret;
}

static int measure_peer(const char *name)
{
	struct schedule schedule;
	struct samples error;
	int ret;

	ret = samples_init(&error, SLEEPING_TASKS);
	if (ret < 0)
		return ret;
	schedule = schedule_make(1000, SLEEPING_TASKS);
	ret = peer_nanosleep->run(&schedule, &error);
	if (!ret)
		print_peer(name, (double)samples_percentile(&error, PPM_P99), peer_nanosleep->name);
	samples_free(&error);
	return ret;
}

int bench_wake(void)
{
	int ret;

	ret = measure("wake_sleeping_ns", 1000, SLEEPING_TASKS, 0);
	if (ret < 0)
		return ret;
	ret = measure_peer("wake_sleeping_ns");
	if (ret < 0)
		return ret;
	return measure("wake_spinning_ns", 10000, SPINNING_TASKS, HFT_SPIN_FOREVER);
}
