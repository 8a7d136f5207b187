/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it costs that all is measured and judged: tasks one at a time through a ring with
 * histograms of all kinds and a detector, through one with histograms, and through one with
 * neither, of a handle of its own: of which submissions are not measured.  All have reports.
 */
#ifndef HFT_BENCH_MONITOR_WORK_H
#define HFT_BENCH_MONITOR_WORK_H

#include <errno.h>
#include <hft/hft.h>
#include <hft/rule.h>
#include <hft/stats.h>

#define MONITOR_TURNS		1024		/* of a round */
#define MONITOR_PERIOD_NS	10000.0		/* 100,000 tasks a second */

enum monitor_rings {
	MONITOR_OFF,
	MONITOR_HIST,
	MONITOR_ALL,
	MONITOR_RINGS
};

/**
 * struct monitor - rings of two handles
 * @h: handle of each
 * @ring: one of each
 */
struct monitor {
	struct hft *h[MONITOR_RINGS];
	struct hft_ring *ring[MONITOR_RINGS];
};

static inline int monitor_open(struct monitor *m, const struct hft_opts *handle,
			       unsigned int cpu)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = cpu, .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_meter_opts, all, .flags = HFT_METER_HIST);
	struct hft_rule rule = { .action = HFT_ACTION_NOTIFY, .count = 1 };
	int i, err = 0;

	for (i = 0; i < MONITOR_RINGS && !err; i++) {
		if (i <= MONITOR_HIST)
			err = hft_open(&m->h[i], handle);
		else
			m->h[i] = m->h[MONITOR_HIST];
		if (!err)
			err = hft_ring_open(m->h[i], &opts, &m->ring[i]);
		if (!err && i >= MONITOR_HIST)
			err = hft_ring_meter(m->ring[i], &all);
	}
	return err ? err : hft_rule_set(m->ring[MONITOR_ALL], &rule);
}

static inline void monitor_close(struct monitor *m)
{
	int i;

	for (i = 0; i < MONITOR_RINGS; i++)
		hft_ring_close(m->ring[i]);
	for (i = 0; i <= MONITOR_HIST; i++)
		hft_close(m->h[i]);
}

/* A task is submitted, is due, and runs. */
static inline int monitor_turn(struct hft *h, struct hft_ring *ring)
{
	struct hft_task task = {
		.ring = hft_ring_number(ring), .level = HFT_LEVEL_NORMAL, .release = hft_now(),
	};
	const struct hft_event *event;
	int ret;

	task.deadline = task.release + 1000000;
	ret = hft_submit(h, &task, NULL);
	if (ret)
		return ret;
	ret = hft_wait(ring, HFT_WAIT_FOREVER);
	if (ret < 0)
		return ret;
	event = hft_ring_peek(ring);
	if (!event)
		return -EPROTO;
	hft_ring_begin(ring, event, hft_now());
	hft_ring_advance(ring);
	return 0;
}

/* @ns: out: of a task, in a round through each of the rings.  Returns 0 or -errno. */
static inline int monitor_round(struct monitor *m, double ns[MONITOR_RINGS])
{
	int ring, i, err = 0;
	uint64_t start;

	for (ring = 0; ring < MONITOR_RINGS; ring++) {
		start = hft_now();
		for (i = 0; i < MONITOR_TURNS && !err; i++)
			err = monitor_turn(m->h[ring], m->ring[ring]);
		ns[ring] = (double)(hft_now() - start) / MONITOR_TURNS;
	}
	return err;
}

/* What the difference of two of these is of a CPU, per cent. */
static inline double monitor_percent(double on, double off)
{
	return (on - off) * 100 / MONITOR_PERIOD_NS;
}

#endif /* HFT_BENCH_MONITOR_WORK_H */
