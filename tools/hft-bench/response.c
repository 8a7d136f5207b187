// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An anomaly in what a worker reports: how long until the rule of its ring has answered.
 *
 * The figure is of the code that the module shares with the library, called here: from a
 * sample to its verdict and to an action that is in force, and the notices that wait to be
 * told.  A note has the whole of the worker's system call that shows the run to the kernel,
 * from its entry until both are told in the monitor ring and it has returned.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <hft/rule.h>

#include "bench.h"
#include "core/sched.h"

#define TASKS		16
#define LEARNED		3000
#define TRIALS		200
#define USUAL		20		/* from one anomaly to the next */
#define USUAL_NS	2000
#define SPIKE_NS	40000
#define LEAVE_NS	200000

/* A task waits so long for its worker.  Returns how long it took to tell, or an error. */
static int64_t run_task(struct session *s, struct hft_ring *ring, uint64_t wait_ns)
{
	struct hft_task task = {
		.ring = hft_ring_number(ring),
		.level = HFT_LEVEL_NORMAL,
		.release = 1,
	};
	const struct hft_event *event;
	uint64_t before;
	int err;

	err = hft_submit(s->hft, &task, NULL);
	if (err)
		return err;
	err = hft_wait(ring, HFT_WAIT_FOREVER);
	if (err < 0)
		return err;
	event = hft_ring_peek(ring);
	hft_spin_until(event->published + wait_ns);
	hft_ring_begin(ring, event, event->published + wait_ns);
	hft_ring_advance(ring);
	before = hft_now();
	err = hft_wait(ring, 0);
	if (err != -ETIMEDOUT)
		return err < 0 ? err : -EPROTO;
	return (int64_t)(hft_now() - before);
}

static int run_usual(struct session *s, struct hft_ring *ring, unsigned int nr,
		     struct samples *usual)
{
	int64_t took;

	while (nr--) {
		took = run_task(s, ring, USUAL_NS);
		if (took < 0)
			return (int)took;
		if (usual)
			samples_add(usual, took);
	}
	return 0;
}

static int drain(struct hft_ring *monitor)
{
	int nr = 0;

	for (; hft_ring_peek(monitor); nr++)
		hft_ring_advance(monitor);
	return nr;
}

static int measure(struct session *s, struct hft_ring *ring, struct hft_ring *monitor,
		   struct samples *anomaly, struct samples *usual)
{
	struct hft_rule_info info;
	int err = run_usual(s, ring, LEARNED, NULL);
	unsigned int i;
	int64_t took;

	for (i = 0; i < TRIALS && !err; i++) {
		drain(monitor);
		took = run_task(s, ring, SPIKE_NS);
		if (took < 0)
			return (int)took;
		err = hft_rule_info(ring, 0, &info);
		/* What was measured is what it says: in force, and both told. */
		if (!err && (!info.in_force || drain(monitor) != 2))
			return -EPROTO;
		samples_add(anomaly, took);
		/* Undone by then; and one in a millisecond is told. */
		hft_spin_until(hft_now() + 2 * NSEC_PER_MSEC);
		if (!err)
			err = run_usual(s, ring, USUAL, usual);
	}
	return err;
}

static int run(struct session *s, struct hft_ring *ring, struct hft_ring *monitor)
{
	const struct hft_rule rule = {
		.action = HFT_ACTION_SHED,
		.anomalies = 1U << HFT_ANOMALY_SPIKE,
		.kinds = 1U << HFT_KIND_WAKE,
		.count = 1,
		.level = HFT_LEVEL_NORMAL,
		.leave = LEAVE_NS,
	};
	struct samples anomaly, usual;
	int err = samples_init(&anomaly, TRIALS);

	if (err < 0)
		return err;
	err = samples_init(&usual, TRIALS * USUAL);
	if (err < 0)
		goto free;
	err = hft_rule_set(ring, &rule);
	if (!err)
		err = measure(s, ring, monitor, &anomaly, &usual);
	if (!err)
		print_note("anomaly_response_ns: the worker's system call with it, until it is told: p50 %lld ns, without an anomaly %lld",
			   (long long)samples_percentile(&anomaly, PPM_P50),
			   (long long)samples_percentile(&usual, PPM_P50));
	samples_free(&usual);
free:
	samples_free(&anomaly);
	return err;
}

static void tell_nobody(struct hft_ready_queue *ready)
{
	(void)ready;
}

/* A ring that is judged, with one rule. */
struct judged {
	struct hft_release_queue queue;
	struct hft_ready_queue ready;
	struct hft_ring_consumer consumer;
	struct hft_ring_producer producer;
	struct hft_event event;
	u64 time;
};

/* Returns how long it took until what was found is judged, and answered. */
static uint64_t judge(struct judged *j, u64 wait_ns)
{
	uint64_t before;

	j->time += 100 * NSEC_PER_USEC;
	j->event.published = j->time;
	j->event.release = j->time;
	before = hft_now();
	hft_detect_completed(&j->ready, 0, &j->event, j->time + wait_ns,
			     j->time + wait_ns + USUAL_NS);
	return hft_now() - before;
}

static struct judged *judged_make(const struct hft_rule *rule, void *heap)
{
	const struct hft_ring_add add = { .entries = 64, .window = 64,
					  .level_mask = HFT_LEVEL_MASK_ALL };
	struct judged *j = calloc(1, sizeof(*j));
	void *detect = calloc(1, hft_detect_bytes(1));

	if (!j || !detect) {
		free(detect);
		free(j);
		return NULL;
	}
	hft_release_init(&j->queue);
	j->queue.tell = tell_nobody;
	hft_heap_init(&j->queue.watch.heap, heap, 1);
	j->ready.release = &j->queue;
	j->ready.consumer = &j->consumer;
	j->ready.producer = &j->producer;
	hft_ready_init(&j->ready, &add);
	hft_ready_set_detect(&j->ready, hft_detect_init(detect, 1, 0));
	hft_rule_end(&j->ready, rule, hft_rule_begin(&j->ready, rule), 1);
	j->time = NSEC_PER_SEC;
	return j;
}

/* The slowest answer of an action; 0: it did not. */
static uint64_t slowest(enum hft_action action)
{
	const struct hft_rule rule = {
		.action = action,
		/* One sample: of the same run others would be anomalies, too. */
		.kinds = 1U << HFT_KIND_WAKE,
		.count = 1,
		.level = action == HFT_ACTION_SHED || action == HFT_ACTION_BOOST ?
			 HFT_LEVEL_HIGH : 0,
		.amount = action == HFT_ACTION_LEAD ? 10000 : action == HFT_ACTION_BOOST,
		.most = action == HFT_ACTION_LEAD ? 100000 : 0,
		.leave = NSEC_PER_MSEC,
	};
	void *heap = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(1));
	struct judged *j = heap ? judged_make(&rule, heap) : NULL;
	uint64_t most = 0, took;
	unsigned int i, n;

	for (i = 0; j && i < TRIALS; i++) {
		for (n = 0; n < (i ? USUAL : LEARNED); n++)
			judge(j, USUAL_NS);
		took = judge(j, SPIKE_NS);
		most = took > most ? took : most;
		j->time += 10 * NSEC_PER_MSEC;
		hft_heap_pop(&j->queue.watch.heap);
		hft_detect_look(&j->queue, j->time);
		j->ready.detect->nr_pending = 0;
	}
	if (j && j->ready.detect->rules[0].applied < TRIALS)
		most = 0;
	if (j)
		free(j->ready.detect);
	free(j);
	free(heap);
	return most;
}

static int figure(void)
{
	uint64_t most = 0, took;
	uint32_t action;

	for (action = HFT_ACTION_NOTIFY; action < HFT_ACTIONS; action++) {
		if (action == HFT_ACTION_SPARE)
			continue;	/* is of two rings */
		took = slowest(action);
		if (!took)
			return -EPROTO;
		print_note("anomaly_response_ns: %s %llu ns", hft_action_name(action),
			   (unsigned long long)took);
		most = took > most ? took : most;
	}
	print_figure("anomaly_response_ns", (double)most);
	return 0;
}

int bench_response(void)
{
	HFT_OPTS(hft_ring_opts, monitor_opts, .cpu = bench_cpu, .flags = HFT_RING_MONITOR);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = bench_cpu, .flags = HFT_RING_REPORT);
	const struct session_opts opts = { .tasks = TASKS };
	struct hft_ring *monitor, *ring;
	struct session s;
	int err;

	err = figure();
	if (!err)
		err = session_open(&s, &opts);
	if (err < 0)
		return err;
	err = hft_ring_open(s.hft, &monitor_opts, &monitor);
	if (err < 0)
		goto close;
	err = hft_ring_open(s.hft, &ring_opts, &ring);
	if (err < 0)
		goto close_monitor;
	err = run(&s, ring, monitor);
	if (err < 0)
		fprintf(stderr, "hft-bench: response: %s\n", hft_strerror(err));
	hft_ring_close(ring);
close_monitor:
	hft_ring_close(monitor);
close:
	session_close(&s);
	return err;
}
