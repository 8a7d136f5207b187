// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A CRITICAL task starts while a NORMAL one runs on the same CPU, each in a worker of its
 * level; beside a thread of the same priority in clock_nanosleep(), which is how
 * cyclictest waits, over the same NORMAL task.
 */
#include <stdio.h>

#include "bench.h"

#define TASKS	2000
#define RATE_HZ	1000

static uint8_t stop;

/* The lower task: it runs until it is told to end. */
static void run_on(const struct hft_event *event, uint64_t start, void *arg)
{
	uint64_t *turns = arg;

	(void)event;
	(void)start;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		++*turns;
}

static int measure(struct session *s)
{
	struct schedule schedule = schedule_make(RATE_HZ, TASKS);
	struct samples error, peer;
	int ret;

	ret = samples_init(&error, TASKS);
	if (ret < 0)
		return ret;
	ret = samples_init(&peer, TASKS);
	if (ret < 0)
		goto free_error;
	ret = session_run_singly(s, &schedule, &error);
	if (ret < 0)
		goto free_peer;
	schedule = schedule_make(RATE_HZ, TASKS);
	ret = peer_nanosleep->run(&schedule, &peer);
	if (ret < 0)
		goto free_peer;
	print_figure("preempt_p999_ns", (double)samples_percentile(&error, PPM_P999));
	print_peer("preempt_p999_ns", (double)samples_percentile(&peer, PPM_P999),
		   peer_nanosleep->name);
	print_note("preempt_p999_ns: p50 %lld ns, %s %lld ns",
		   (long long)samples_percentile(&error, PPM_P50), peer_nanosleep->name,
		   (long long)samples_percentile(&peer, PPM_P50));
free_peer:
	samples_free(&peer);
free_error:
	samples_free(&error);
	return ret;
}

int bench_preempt(void)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = bench_cpu,
		 .level_mask = 1U << HFT_LEVEL_NORMAL);
	const struct session_opts opts = { .tasks = TASKS };
	uint64_t turns = 0;
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run_on, .arg = &turns);
	struct hft_worker *worker;
	struct hft_ring *ring;
	struct hft_task task;
	struct session s;
	int ret;

	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	ret = hft_ring_open(s.hft, &ring_opts, &ring);
	if (ret < 0)
		goto close;
	ret = hft_worker_start(ring, &worker_opts, &worker);
	if (ret < 0)
		goto close_ring;
	task = (struct hft_task){ .ring = hft_ring_number(ring), .level = HFT_LEVEL_NORMAL };
	ret = hft_submit(s.hft, &task, NULL);
	if (!ret)
		ret = measure(&s);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	hft_worker_stop(worker);
	if (!ret && !turns)
		fprintf(stderr, "hft-bench: preempt: the NORMAL task did not run\n");
close_ring:
	hft_ring_close(ring);
close:
	session_close(&s);
	return ret;
}
