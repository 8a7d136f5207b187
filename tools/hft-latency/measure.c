// SPDX-License-Identifier: LGPL-2.1-or-later
/* Periodic tasks, run by this thread as the ring's worker. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include <hft/metrics.h>

#include "hft-latency.h"

#define AHEAD		64		/* tasks queued at a time; those that ran may keep a slot */
#define START_NS	(20 * NSEC_PER_MSEC)
#define CLOCK_READS	1000

static int become_worker(const struct config *config)
{
	const struct sched_param param = { .sched_priority = config->priority };
	cpu_set_t cpus;

	if (config->cpu >= CPU_SETSIZE)
		return fail(EINVAL, "CPU %u", config->cpu);
	CPU_ZERO(&cpus);
	CPU_SET(config->cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return fail(errno, "cannot run on CPU %u", config->cpu);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return fail(errno, "cannot lock memory (RLIMIT_MEMLOCK)");
	if (config->priority && sched_setscheduler(0, SCHED_FIFO, &param))
		return fail(errno, "no SCHED_FIFO priority %d (RLIMIT_RTPRIO, or use -p 0)",
			    config->priority);
	return 0;
}

static void measure_clock(struct result *result)
{
	uint64_t first = hft_now(), last = first, least = UINT64_MAX;
	int i;

	for (i = 0; i < CLOCK_READS; i++) {
		uint64_t now = hft_now();

		if (now > last && now - last < least)
			least = now - last;
		last = now;
	}
	result->tsc = hft_clock_is_tsc();
	result->clock_step_ns = least;
	result->clock_cost_ns = (last - first) / CLOCK_READS;
}

struct session {
	const struct config *config;
	struct result *result;
	struct hft *hft;
	struct hft_ring *ring;
	uint64_t first;			/* release of the first task */
	uint64_t submitted;
	uint64_t lead_ns[2 * AHEAD];	/* of each task that is queued */
};

static int submit_next(struct session *s)
{
	struct hft_task task = {
		.cookie = s->submitted,
		.release = s->first + s->submitted * s->config->interval_ns,
		.ring = hft_ring_number(s->ring),
		.level = HFT_LEVEL_REALTIME,
	};
	int ret;

	if (s->submitted == s->config->loops)
		return 0;
	s->lead_ns[s->submitted % (2 * AHEAD)] = hft_ring_lead(s->ring);
	ret = hft_submit(s->hft, &task, NULL);
	if (ret < 0)
		return fail_hft(ret, NULL);
	s->submitted++;
	return 0;
}

static void record(struct result *result, enum latency latency, uint64_t from, uint64_t to)
{
	/* Clocks of two CPUs, or two ways to read one, may be some ns apart. */
	hft_hist_record(&result->hist[latency], to > from ? to - from : 0);
}

static void run_task(struct session *s, const struct hft_event *event, uint64_t woken)
{
	struct result *result = s->result;
	uint64_t start = hft_spin_until(event->release);

	hft_ring_begin(s->ring, event, start);
	record(result, LATENCY_INTERRUPT,
	       event->release - s->lead_ns[event->cookie % (2 * AHEAD)], event->irq_entry);
	record(result, LATENCY_PUBLISH, event->irq_entry, event->published);
	if (woken)
		record(result, LATENCY_WAKEUP, event->published, woken);
	record(result, LATENCY_ERROR, event->release, start);
	result->early += start < event->release;
	result->tasks++;
}

static int run_tasks(struct session *s)
{
	const struct hft_event *event;
	uint64_t woken;
	int ret;

	while (s->result->tasks < s->config->loops && !interrupted) {
		ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return fail_hft(ret, NULL);
		for (woken = hft_now(); (event = hft_ring_peek(s->ring)); woken = 0) {
			if (event->result)
				return fail(-event->result, "CPU %u went offline", s->config->cpu);
			run_task(s, event, woken);
			hft_ring_advance(s->ring);
			ret = submit_next(s);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int run_session(struct session *s)
{
	unsigned int i;
	int ret;

	s->first = hft_now() + START_NS;
	for (i = 0; i < AHEAD; i++) {
		ret = submit_next(s);
		if (ret < 0)
			return ret;
	}
	return run_tasks(s);
}

static int read_lead(struct session *s)
{
	struct result *result = s->result;
	int nr, err;

	result->lead_ns = hft_ring_lead(s->ring);
	if (s->config->lead_ns != HFT_LEAD_LEARNED)
		return 0;
	result->lead.sz = sizeof(result->lead);
	err = hft_lead_state(s->ring, &result->lead);
	nr = hft_lead_table(s->ring, result->rows, HFT_LEAD_ROWS);
	if (err || nr < 0)
		return fail_hft(err ? err : nr, NULL);
	result->nr_rows = (unsigned int)nr;
	return 0;
}

/* Of a backend that has none all are absent. */
static int choose_counters(struct session *s, struct hft_ring_opts *opts)
{
	struct hft_pmu pmu = s->config->pmu;
	int err;

	if (!s->config->counters || strcmp(s->result->backend, "kernel"))
		return 0;
	pmu.cpu = s->config->cpu;
	opts->flags |= HFT_RING_METRICS;
	err = hft_pmu(s->hft, &pmu);
	return err ? fail_hft(err, NULL) : 0;
}

static int read_counters(struct session *s)
{
	struct hft_stats stats;
	int err;

	if (!s->config->counters)
		return 0;
	/* Have the kernel look at what was run last. */
	hft_wait(s->ring, 0);
	err = hft_stats(s->hft, hft_ring_number(s->ring), &stats);
	if (err)
		return fail_hft(err, NULL);
	s->result->counted = stats.metrics;
	s->result->counted_valid = stats.metrics_valid;
	return 0;
}

int measure(const struct config *config, struct result *result)
{
	HFT_OPTS(hft_opts, opts, .tasks = 4 * AHEAD, .backend = config->backend);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = config->cpu, .entries = 2 * AHEAD,
		 .lead_ns = config->lead_ns, .spin_ns = config->spin_ns,
		 .lead_budget_ppm = config->budget_ppm);
	struct session s = { .config = config, .result = result };
	int ret;

	memset(result, 0, sizeof(*result));
	opts.warn = config->quiet ? NULL : hft_warn_stderr;
	catch_signals();

	ret = hft_open(&s.hft, &opts);
	if (ret < 0)
		return fail_hft(ret, NULL);
	result->backend = hft_backend(s.hft);
	ret = become_worker(config);
	if (ret >= 0)
		ret = choose_counters(&s, &ring_opts);
	if (ret < 0)
		goto close;
	ret = hft_ring_open(s.hft, &ring_opts, &s.ring);
	if (ret < 0) {
		fail_hft(ret, NULL);
		goto close;
	}
	measure_clock(result);
	ret = run_session(&s);
	if (ret >= 0)
		ret = read_lead(&s);
	if (ret >= 0)
		ret = read_counters(&s);
	hft_ring_close(s.ring);
close:
	hft_close(s.hft);
	return ret;
}
