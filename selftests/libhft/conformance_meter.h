/* SPDX-License-Identifier: GPL-2.0-only */
/* What is measured of tasks: counts against what was run, whoever measures it. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_METER_H
#define SELFTESTS_LIBHFT_CONFORMANCE_METER_H

#include <hft/stats.h>

#include "conformance_reports.h"

#define KIND(name)	(1U << HFT_KIND_##name)

static void meter(struct test *t, struct hft_ring *ring, uint32_t classes, uint32_t kinds)
{
	HFT_OPTS(hft_meter_opts, opts, .flags = HFT_METER_HIST, .classes = classes,
		 .kinds = kinds);

	EQUAL(0, hft_ring_meter(ring, &opts));
}

static struct hft_hist_summary hist_in_time(struct test *t, uint32_t number, uint32_t class,
					    enum hft_kind kind, uint64_t *in_time)
{
	HFT_OPTS(hft_hist_opts, which, .ring = number, .task_class = class, .kind = kind);
	HFT_OPTS(hft_hist_summary, summary);
	HFT_OPTS(hft_hist_answer, answer);
	struct hft_histogram *histogram;

	if (!EQUAL(0, hft_histogram_open(&histogram)))
		exit(1);
	EQUAL(0, hft_hist_read(t->h, &which, histogram, &answer));
	if (in_time)
		*in_time = answer.in_time;
	CHECK(answer.since_ns <= hft_now());
	EQUAL(0, hft_histogram_summary(histogram, &summary));
	hft_histogram_close(histogram);
	return summary;
}

static struct hft_hist_summary hist_of(struct test *t, struct hft_ring *ring, uint32_t class,
				       enum hft_kind kind)
{
	return hist_in_time(t, hft_ring_number(ring), class, kind, NULL);
}

/* With reports each class has its own, and their sum is the estimates'. */
static void case_meter_reports(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	struct hft_hist_summary run_times;
	uint32_t kind;

	submit_class(t, ring, 3, 0, DUE);	/* before: not measured */
	run(t, ring, 3, 1000, 0);
	meter(t, ring, 0, 0);
	submit_class(t, ring, 3, 0, DUE);
	submit_class(t, ring, 3, 0, DUE);
	submit_class(t, ring, 15, 0, DUE);
	run(t, ring, 3, 100000, 0);
	run(t, ring, 3, 300000, -EIO);
	run(t, ring, 15, 50000, 0);
	for (kind = HFT_KIND_DISPATCH; kind <= HFT_KIND_RESPONSE; kind++) {
		EQUAL(2, hist_of(t, ring, 3, kind).count);
		EQUAL(1, hist_of(t, ring, 15, kind).count);
		EQUAL(3, hist_of(t, ring, HFT_CLASS_ALL, kind).count);
		EQUAL(0, hist_of(t, ring, 0, kind).count);
	}
	EQUAL(0, hist_of(t, ring, HFT_CLASS_ALL, HFT_KIND_LATENESS).count);
	run_times = hist_of(t, ring, 15, HFT_KIND_RUN);
	EQUAL(class_of(t, ring, 15).busy, run_times.sum_ns);
	EQUAL(run_times.sum_ns, run_times.min_ns);
	EQUAL(run_times.sum_ns, run_times.p50_ns);
	CHECK(hist_of(t, ring, 3, HFT_KIND_RUN).min_ns >= 100000);
	CHECK(hist_of(t, ring, 3, HFT_KIND_RUN).max_ns >= 300000);
	CHECK(hist_of(t, ring, 3, HFT_KIND_RESPONSE).max_ns >= 400000);
	hft_ring_close(ring);
}

static void case_meter_lateness(struct test *t)
{
	struct hft_ring *ring = open_reporting(t, 16, HFT_POLICY_FIFO, 0);
	struct hft_task task = make_task(ring, 1, DUE);
	struct hft_hist_summary late;
	uint64_t in_time = 0;

	meter(t, ring, 1, 0);
	task.deadline = hft_now() + 1000 * NSEC_PER_SEC;
	submit(t, &task);
	run(t, ring, 1, 0, 0);
	task.deadline = DUE + 1;
	submit(t, &task);
	run(t, ring, 1, 0, 0);
	task.deadline = 0;
	submit(t, &task);
	run(t, ring, 1, 0, 0);
	late = hist_in_time(t, hft_ring_number(ring), 0, HFT_KIND_LATENESS, &in_time);
	EQUAL(1, late.count);
	EQUAL(1, in_time);
	hft_ring_close(ring);
}

/* Without, the worker measures its runs itself, as those of its inbox. */
static void case_meter_plain(struct test *t)
{
	uint32_t ring = hft_ring_number(t->ring);
	struct hft_task task = make_task(t->ring, 7, DUE);
	uint32_t kind;
	int i;

	submit_at(t, t->ring, 1, DUE);
	run(t, t->ring, 1, 0, 0);
	meter(t, t->ring, 0, 0);
	for (i = 0; i < 5; i++) {
		submit_at(t, t->ring, i, DUE);
		run(t, t->ring, i, 20000, 0);
	}
	EQUAL(5, hist_of(t, t->ring, 0, HFT_KIND_DISPATCH).count);
	for (kind = HFT_KIND_WAKE; kind <= HFT_KIND_RESPONSE; kind++)
		EQUAL(5, hist_of(t, t->ring, 0, kind).count);
	CHECK(hist_of(t, t->ring, 0, HFT_KIND_RUN).min_ns >= 20000);

	EQUAL(0, hft_submit_now(t->ring, &task));
	run(t, t->ring, 7, 40000, 0);
	EQUAL(5, hist_of(t, t->ring, 0, HFT_KIND_DISPATCH).count);
	EQUAL(6, hist_of(t, t->ring, 0, HFT_KIND_RUN).count);
	EQUAL(6, hist_in_time(t, HFT_STATS_CONTEXT, HFT_CLASS_ALL, HFT_KIND_RUN, NULL).count);
	EQUAL(0, hist_in_time(t, ring, 1, HFT_KIND_RUN, NULL).count);
	/* Who says no begin has no run. */
	submit_at(t, t->ring, 1, DUE);
	take(t, t->ring, 1);
	EQUAL(6, hist_of(t, t->ring, 0, HFT_KIND_RUN).count);
	EQUAL(6, hist_of(t, t->ring, 0, HFT_KIND_DISPATCH).count);
}

static void case_meter_submit(struct test *t)
{
	struct hft_task tasks[4];
	int64_t results[4];
	int i;

	for (i = 0; i < 4; i++) {
		tasks[i] = make_task(t->ring, i, hft_now() + 1000 * NSEC_PER_SEC);
		tasks[i].task_class = i;
	}
	tasks[3].ring = 63;
	meter(t, t->ring, 0x7, KIND(SUBMIT));
	EQUAL(3, hft_submit_batch(t->h, tasks, 4, results));
	EQUAL(0, hft_submit(t->h, &tasks[1], NULL));
	EQUAL(-ENOENT, hft_submit(t->h, &tasks[3], NULL));
	EQUAL(1, hist_of(t, t->ring, 0, HFT_KIND_SUBMIT).count);
	EQUAL(2, hist_of(t, t->ring, 1, HFT_KIND_SUBMIT).count);
	EQUAL(4, hist_of(t, t->ring, HFT_CLASS_ALL, HFT_KIND_SUBMIT).count);
	EQUAL(4, hist_in_time(t, HFT_STATS_CONTEXT, HFT_CLASS_ALL, HFT_KIND_SUBMIT, NULL).count);
	EQUAL(0, hist_of(t, t->ring, HFT_CLASS_ALL, HFT_KIND_DISPATCH).count);
	meter(t, t->ring, 0x4, KIND(SUBMIT));
	EQUAL(0, hft_submit(t->h, &tasks[1], NULL));
	EQUAL(0, hft_submit(t->h, &tasks[2], NULL));
	EQUAL(1, hist_of(t, t->ring, HFT_CLASS_ALL, HFT_KIND_SUBMIT).count);
	EQUAL(0, hft_ring_meter(t->ring, NULL));
	EQUAL(0, hft_submit(t->h, &tasks[2], NULL));
	EQUAL(0, hist_of(t, t->ring, HFT_CLASS_ALL, HFT_KIND_SUBMIT).count);
}

/* Whoever measures it: nothing but what was asked for, and since when. */
static void case_meter_kinds(struct test *t)
{
	HFT_OPTS(hft_hist_opts, which, .ring = hft_ring_number(t->ring), .kind = HFT_KIND_RUN);
	HFT_OPTS(hft_hist_answer, answer);
	struct hft_histogram *histogram;
	uint64_t before = hft_now();
	uint32_t kind;

	if (!EQUAL(0, hft_histogram_open(&histogram)))
		return;
	meter(t, t->ring, 0, KIND(RUN));
	submit_at(t, t->ring, 1, DUE);
	run(t, t->ring, 1, 0, 0);
	for (kind = 0; kind < HFT_KINDS; kind++)
		EQUAL(kind == HFT_KIND_RUN, hist_of(t, t->ring, HFT_CLASS_ALL, kind).count);
	EQUAL(0, hft_hist_read(t->h, &which, histogram, &answer));
	CHECK(answer.since_ns >= before);
	EQUAL(0, hft_ring_meter(t->ring, NULL));
	EQUAL(0, hft_hist_read(t->h, &which, histogram, &answer));
	EQUAL(0, answer.since_ns);
	hft_histogram_close(histogram);
}

/* The next of its number is another ring. */
static void case_meter_of_closed_ring(struct test *t)
{
	struct hft_ring *ring = open_ring(t, 16, 0, HFT_POLICY_FIFO);
	uint32_t kind, number = hft_ring_number(ring);

	meter(t, ring, 0, 0);
	submit_at(t, ring, 1, DUE);
	run(t, ring, 1, 0, 0);
	EQUAL(1, hist_of(t, ring, HFT_CLASS_ALL, HFT_KIND_SUBMIT).count);
	hft_ring_close(ring);
	ring = open_ring(t, 16, 0, HFT_POLICY_FIFO);
	EQUAL(number, hft_ring_number(ring));
	submit_at(t, ring, 1, DUE);
	run(t, ring, 1, 0, 0);
	for (kind = 0; kind < HFT_KINDS; kind++)
		EQUAL(0, hist_of(t, ring, HFT_CLASS_ALL, kind).count);
	hft_ring_close(ring);
}

static void case_meter_anew(struct test *t)
{
	uint32_t kind;
	int i;

	for (i = 1; i <= 3; i++) {
		meter(t, t->ring, 0, 0);
		for (kind = 0; kind < HFT_KINDS; kind++)
			EQUAL(0, hist_of(t, t->ring, HFT_CLASS_ALL, kind).count);
		submit_at(t, t->ring, 1, DUE);
		run(t, t->ring, 1, 0, 0);
		for (kind = HFT_KIND_DISPATCH; kind <= HFT_KIND_RESPONSE; kind++)
			EQUAL(1, hist_of(t, t->ring, HFT_CLASS_ALL, kind).count);
	}
	EQUAL(0, hft_ring_meter(t->ring, NULL));
	submit_at(t, t->ring, 1, DUE);
	run(t, t->ring, 1, 0, 0);
	for (kind = 0; kind < HFT_KINDS; kind++)
		EQUAL(0, hist_of(t, t->ring, HFT_CLASS_ALL, kind).count);
}

static void case_meter_errors(struct test *t)
{
	HFT_OPTS(hft_ring_opts, monitor, .flags = HFT_RING_MONITOR);
	HFT_OPTS(hft_meter_opts, opts, .flags = HFT_METER_HIST);
	HFT_OPTS(hft_hist_opts, which);
	struct hft_histogram *histogram;
	struct hft_ring *ring;

	if (!EQUAL(0, hft_histogram_open(&histogram)))
		return;
	opts.flags = 1U << 31;
	EQUAL(-EINVAL, hft_ring_meter(t->ring, &opts));
	opts.flags = HFT_METER_HIST;
	opts.classes = 1U << HFT_CLASSES;
	EQUAL(-EINVAL, hft_ring_meter(t->ring, &opts));
	opts.classes = 0;
	opts.kinds = 1U << HFT_KINDS;
	EQUAL(-EINVAL, hft_ring_meter(t->ring, &opts));
	opts.kinds = 0;
	opts.reserved = 1;
	EQUAL(-EINVAL, hft_ring_meter(t->ring, &opts));
	opts.reserved = 0;
	opts.sz = 0;
	EQUAL(-EINVAL, hft_ring_meter(t->ring, &opts));
	HFT_OPTS(hft_meter_opts, fine, .flags = HFT_METER_HIST);
	EQUAL(0, hft_ring_open(t->h, &monitor, &ring));
	EQUAL(-EINVAL, hft_ring_meter(ring, &fine));
	hft_ring_close(ring);

	EQUAL(0, hft_hist_read(t->h, NULL, histogram, NULL));
	which.kind = HFT_KINDS;
	EQUAL(-EINVAL, hft_hist_read(t->h, &which, histogram, NULL));
	which.kind = 0;
	which.task_class = HFT_CLASSES;
	EQUAL(-EINVAL, hft_hist_read(t->h, &which, histogram, NULL));
	which.task_class = 0;
	which.flags = 1U << 31;
	EQUAL(-EINVAL, hft_hist_read(t->h, &which, histogram, NULL));
	which.flags = 0;
	which.ring = 63;
	EQUAL(-ENOENT, hft_hist_read(t->h, &which, histogram, NULL));
	which.ring = 64;
	EQUAL(-ENOENT, hft_hist_read(t->h, &which, histogram, NULL));
	hft_histogram_close(histogram);
}

struct meter_race {
	struct test *t;
	atomic_bool stop;
};

static void count_run(const struct hft_event *event, uint64_t start, void *arg)
{
	(void)event;
	(void)start;
	atomic_fetch_add((_Atomic uint32_t *)arg, 1);
}

/* What is read never goes back while it is written. */
static void *read_again(void *arg)
{
	struct meter_race *race = arg;
	struct test *t = race->t;
	uint64_t before[HFT_KINDS] = { 0 }, count;
	uint32_t kind;

	do {
		for (kind = 0; kind < HFT_KINDS; kind++) {
			count = hist_of(t, t->ring, HFT_CLASS_ALL, kind).count;
			CHECK(count >= before[kind]);
			before[kind] = count;
		}
	} while (!atomic_load(&race->stop));
	return NULL;
}

static void case_meter_while_running(struct test *t)
{
	struct meter_race race = { .t = t };
	_Atomic uint32_t ran = 0;
	HFT_OPTS(hft_worker_opts, opts, .fn = count_run, .arg = &ran,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	struct hft_task task = make_task(t->ring, 0, DUE);
	struct hft_worker *worker;
	uint32_t kind, sent = 0;
	pthread_t reader;

	meter(t, t->ring, 0, 0);
	if (!EQUAL(0, hft_worker_start(t->ring, &opts, &worker)) ||
	    !EQUAL(0, pthread_create(&reader, NULL, read_again, &race)))
		exit(1);
	while (sent < 3000) {
		if (!hft_submit(t->h, &task, NULL))
			sent++;
		else
			sched_yield();
	}
	while (atomic_load(&ran) < sent)
		sched_yield();
	EQUAL(0, hft_worker_stop(worker));
	atomic_store(&race.stop, true);
	pthread_join(reader, NULL);
	for (kind = 0; kind < HFT_KINDS; kind++) {
		if (kind != HFT_KIND_LATENESS)
			EQUAL(sent, hist_of(t, t->ring, HFT_CLASS_ALL, kind).count);
	}
}

/* Switched on, off and on again under way; what is counted in the end was run since. */
static void case_meter_toggled(struct test *t)
{
	_Atomic uint32_t ran = 0;
	HFT_OPTS(hft_worker_opts, opts, .fn = count_run, .arg = &ran,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	struct hft_task task = make_task(t->ring, 0, DUE);
	struct hft_worker *worker;
	uint32_t i, sent = 0;

	if (!EQUAL(0, hft_worker_start(t->ring, &opts, &worker)))
		exit(1);
	for (i = 0; i < 50; i++) {
		if (i % 2)
			EQUAL(0, hft_ring_meter(t->ring, NULL));
		else
			meter(t, t->ring, 1, 0);
		for (; sent < 40 * (i + 1); sent += !hft_submit(t->h, &task, NULL))
			;
	}
	while (atomic_load(&ran) < sent)
		sched_yield();
	meter(t, t->ring, 0, 0);
	EQUAL(0, hft_submit(t->h, &task, NULL));
	while (atomic_load(&ran) < sent + 1)
		sched_yield();
	EQUAL(0, hft_worker_stop(worker));
	EQUAL(1, hist_of(t, t->ring, 0, HFT_KIND_DISPATCH).count);
	EQUAL(1, hist_of(t, t->ring, 0, HFT_KIND_RUN).count);
	EQUAL(1, hist_of(t, t->ring, 0, HFT_KIND_SUBMIT).count);
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_METER_H */
