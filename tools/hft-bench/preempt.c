// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A CRITICAL task starts while a NORMAL one runs on the same CPU, each in a worker of its
 * level; in turns with cyclictest at the same priority, over the same NORMAL task.
 */
#include <errno.h>
#include <stdio.h>

#include "bench.h"

#define ROUNDS	2
#define TASKS	1000	/* a round */
#define RATE_HZ	1000

#define MARGIN_NS	(5 * NSEC_PER_MSEC)

/* The lower task: it runs until the moment that is its cookie. */
static void run_on(const struct hft_event *event, uint64_t start, void *arg)
{
	uint64_t *tasks = arg;

	(void)start;
	while (hft_now() < event->cookie)
		;
	++*tasks;
}

/* From before the first release until after the last. */
static int submit_load(struct session *s, const struct hft_ring *ring,
		       const struct schedule *schedule)
{
	const struct hft_task task = {
		.ring = hft_ring_number(ring),
		.level = HFT_LEVEL_NORMAL,
		.release = schedule->first - MARGIN_NS,
		.cookie = schedule_release(schedule, schedule->nr) + MARGIN_NS,
	};

	return hft_submit(s->hft, &task, NULL);
}

static int measure_round(struct session *s, const struct hft_ring *ring, struct samples *error,
			 struct samples *peer)
{
	struct schedule schedule = schedule_make(RATE_HZ, TASKS);
	int ret;

	ret = submit_load(s, ring, &schedule);
	if (!ret)
		ret = session_run_singly(s, &schedule, error);
	if (ret < 0)
		return ret;
	schedule = cyclictest_schedule(RATE_HZ, TASKS);
	ret = submit_load(s, ring, &schedule);
	return ret < 0 ? ret : peer_cyclictest.run(&schedule, peer);
}

static int measure(struct session *s, const struct hft_ring *ring)
{
	struct samples error, peer;
	unsigned int i;
	int ret;

	ret = samples_init(&error, ROUNDS * TASKS);
	if (ret < 0)
		return ret;
	ret = samples_init(&peer, ROUNDS * TASKS);
	if (ret < 0)
		goto free_error;
	for (i = 0; i < ROUNDS && !ret; i++)
		ret = measure_round(s, ring, &error, &peer);
	if (ret < 0)
		goto free_peer;
	print_figure("preempt_p999_ns", (double)samples_percentile(&error, PPM_P999));
	print_peer("preempt_p999_ns", (double)samples_percentile(&peer, PPM_P999),
		   peer_cyclictest.name);
	print_note("preempt_p999_ns: p50 %lld ns, %s %lld ns",
		   (long long)samples_percentile(&error, PPM_P50), peer_cyclictest.name,
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
	uint64_t tasks = 0;
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run_on, .arg = &tasks);
	struct hft_worker *worker;
	struct hft_ring *ring;
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
	ret = measure(&s, ring);
	hft_worker_stop(worker);
	if (!ret && tasks != 2 * ROUNDS) {
		fprintf(stderr, "hft-bench: preempt: the NORMAL task did not always run\n");
		ret = -EPROTO;
	}
close_ring:
	hft_ring_close(ring);
close:
	session_close(&s);
	return ret;
}
