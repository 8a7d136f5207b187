/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is told of anomalies: a watch, who reads the monitor ring, and the worker itself. */
#ifndef SELFTESTS_LIBHFT_CONFORMANCE_TOLD_H
#define SELFTESTS_LIBHFT_CONFORMANCE_TOLD_H

#include "conformance_rules.h"

struct told {
	struct test *t;
	atomic_uint anomalies;
	atomic_uint responses;
};

static void count_told(const struct hft_event *notice, void *arg)
{
	struct told *told = arg;

	if (notice->type == HFT_EVENT_ANOMALY)
		atomic_fetch_add(&told->anomalies, 1);
	else
		atomic_fetch_add(&told->responses, 1);
}

/* By a thread of the watch, and a descriptor for who has a loop. */
static void case_anomaly_watch(struct test *t)
{
	HFT_OPTS(hft_anomaly_watch_opts, opts, .fn = count_told,
		 .worker_flags = HFT_WORKER_MAY);
	struct hft_rule rule = make_rule(HFT_ACTION_NOTIFY);
	struct hft_anomaly_watch *watch, *second;
	struct hft_ring *ring = ruled_ring(t, &rule);
	struct told told = { .t = t };
	struct pollfd pollfd = { .events = POLLIN };
	uint64_t count = 0, sum = 0;

	opts.arg = &told;
	if (!EQUAL(0, hft_anomaly_watch(t->h, &opts, &watch)))
		exit(1);
	EQUAL(-ENOSPC, hft_anomaly_watch(t->h, &opts, &second));
	pollfd.fd = hft_anomaly_fd(watch);
	EQUAL(0, poll(&pollfd, 1, 0));
	wait_for_worker(t, ring, SPIKE_NS);
	while (sum < 2 && poll(&pollfd, 1, PATIENCE_NS / NSEC_PER_MSEC) == 1) {
		EQUAL(sizeof(count), read(pollfd.fd, &count, sizeof(count)));
		sum += count;
	}
	EQUAL(2, sum);
	EQUAL(1, atomic_load(&told.anomalies));
	EQUAL(1, atomic_load(&told.responses));
	hft_anomaly_unwatch(watch);
	hft_ring_close(ring);
}

/* By who reads the monitor ring. */
static void case_anomaly_watch_of_ring(struct test *t)
{
	HFT_OPTS(hft_anomaly_watch_opts, opts, .fn = count_told, .ring = t->ring);
	struct hft_rule rule = make_rule(HFT_ACTION_NOTIFY);
	struct hft_ring *monitor = open_monitor(t), *ring;
	struct hft_anomaly_watch *watch, *second;
	struct told told = { .t = t };
	uint64_t count = 0;

	opts.arg = &told;
	EQUAL(-EINVAL, hft_anomaly_watch(t->h, &opts, &watch));
	opts.ring = monitor;
	opts.cpu = 1;
	EQUAL(-EINVAL, hft_anomaly_watch(t->h, &opts, &watch));
	opts.cpu = 0;
	if (!EQUAL(0, hft_anomaly_watch(t->h, &opts, &watch)))
		exit(1);
	EQUAL(-EBUSY, hft_anomaly_watch(t->h, &opts, &second));
	ring = ruled_ring(t, &rule);
	wait_for_worker(t, ring, SPIKE_NS);
	next_notice(t, monitor, HFT_EVENT_ANOMALY);
	CHECK(hft_wait(monitor, patience()) > 0);
	/* Who looks twice is told once. */
	CHECK(hft_ring_peek(monitor) && hft_ring_peek(monitor));
	EQUAL(1, atomic_load(&told.anomalies));
	EQUAL(1, atomic_load(&told.responses));
	EQUAL(sizeof(count), read(hft_anomaly_fd(watch), &count, sizeof(count)));
	EQUAL(2, count);
	EQUAL(-1, read(hft_anomaly_fd(watch), &count, sizeof(count)));
	EQUAL(EAGAIN, errno);
	hft_anomaly_unwatch(watch);
	hft_anomaly_unwatch(NULL);
	hft_ring_close(ring);
	hft_ring_close(monitor);
}

struct replacer {
	struct hft_ring *ring;
	struct hft_rule rule;
	atomic_bool stop;
	atomic_int failed;
};

/* A rule that is replaced is undone, which this thread tells, or its CPU. */
static void *replace_again_and_again(void *arg)
{
	struct replacer *replacer = arg;
	struct hft_rule rule = replacer->rule;

	for (; !atomic_load(&replacer->stop); rule.number = (rule.number + 1) % HFT_RULES)
		atomic_fetch_add(&replacer->failed, hft_rule_set(replacer->ring, &rule) != 0);
	return NULL;
}

/*
 * A rule acts, then that is undone: @last are the places of its last response in that order.
 * What there was no room for is missing.  Returns how many there were.
 */
static int drain_in_order(struct test *t, struct hft_ring *monitor, uint64_t last[HFT_RULES])
{
	const struct hft_event *notice;
	uint64_t rule, place;
	int nr = 0;

	for (; (notice = hft_ring_peek(monitor)); hft_ring_advance(monitor)) {
		if (notice->type != HFT_EVENT_RESPONSE)
			continue;
		rule = (notice->task >> 32) % HFT_RULES;
		place = notice->release * 2 + (notice->result == HFT_RESPONSE_UNDONE);
		CHECK(place > last[rule]);
		last[rule] = place;
		nr++;
	}
	return nr;
}

/* Of a ring for which two threads tell, what came first is told first. */
static void case_rule_tells_in_order(struct test *t)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = sysconf(_SC_NPROCESSORS_ONLN) > 1, .entries = 64,
		 .flags = HFT_RING_MONITOR);
	struct replacer replacer = { .rule = make_rule(HFT_ACTION_NOTIFY) };
	uint64_t last[HFT_RULES] = { 0 };
	struct hft_ring *monitor;
	pthread_t thread;
	int i, nr = 0;

	/* On another CPU, so that the two wait for its queue while nothing else does. */
	if (!EQUAL(0, hft_ring_open(t->h, &opts, &monitor)))
		exit(1);
	replacer.ring = ruled_ring(t, &replacer.rule);
	EQUAL(0, pthread_create(&thread, NULL, replace_again_and_again, &replacer));
	for (i = 0; i < 10000 && !t->failed; i++) {
		/* Seldom: what is not is soon usual. */
		wait_for_worker(t, replacer.ring, i % 16 ? USUAL_NS : SPIKE_NS);
		nr += drain_in_order(t, monitor, last);
	}
	atomic_store(&replacer.stop, true);
	pthread_join(thread, NULL);
	EQUAL(0, atomic_load(&replacer.failed));
	CHECK(nr);
	drain_in_order(t, monitor, last);
	hft_ring_close(replacer.ring);
	hft_ring_close(monitor);
}

/* One more run of a ring without reports. */
static void run_guarded(struct test *t, struct hft_ring *ring, uint64_t ns)
{
	submit_at(t, ring, 1, DUE);
	run_late(t, ring, ns);
}

/* The worker itself: told before it takes the next, whoever writes the ring. */
static void case_guard(struct test *t)
{
	struct hft_rule rule = make_rule(HFT_ACTION_NOTIFY);
	HFT_OPTS(hft_guard_opts, opts, .rules = &rule, .nr_rules = 1);
	struct told told = { .t = t };
	int i;

	rule.classes = 1;
	rule.count = 2;
	opts.arg = &told;
	EQUAL(-EINVAL, hft_ring_guard(t->ring, &opts));
	opts.fn = count_told;
	opts.nr_rules = HFT_RULES + 1;
	EQUAL(-EINVAL, hft_ring_guard(t->ring, &opts));
	opts.nr_rules = 1;
	rule.action = HFT_ACTION_HALT;
	EQUAL(-EINVAL, hft_ring_guard(t->ring, &opts));
	rule.action = HFT_ACTION_NOTIFY;
	EQUAL(0, hft_ring_guard(t->ring, &opts));
	for (i = 0; i < LEARNED; i++)
		run_guarded(t, t->ring, USUAL_NS);
	EQUAL(0, atomic_load(&told.anomalies));
	run_guarded(t, t->ring, SPIKE_NS);
	EQUAL(1, atomic_load(&told.anomalies));
	EQUAL(0, atomic_load(&told.responses));
	/* So that it is told, too: of each sort one in a millisecond is. */
	hft_spin_until(hft_now() + 2 * SOON_NS);
	run_guarded(t, t->ring, SPIKE_NS);
	EQUAL(2, atomic_load(&told.anomalies));
	EQUAL(1, atomic_load(&told.responses));
	EQUAL(0, hft_ring_guard(t->ring, NULL));
	run_guarded(t, t->ring, SPIKE_NS);
	EQUAL(2, atomic_load(&told.anomalies));
	EQUAL(0, hft_ring_guard(t->ring, &opts));
}

#endif /* SELFTESTS_LIBHFT_CONFORMANCE_TOLD_H */
