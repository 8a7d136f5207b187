// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faults on a simulated machine, at 0.1 % of the tasks of an hour of its time: how many the
 * detector finds, how soon, and what it takes for one.  A run repeats exactly.
 *
 * A worker's task each millisecond tells the detector how long after its release it began.
 * The machine's timers, interrupts and caches take their time, which differs.  A fault is a
 * worker of a higher level that keeps the CPU for as long as would be five times what is
 * usual.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hft/detect.h>
#include <hft/sim.h>

#include "../../common/noise.h"
#include "quantile.h"

#define US		1000ULL
#define MS		1000000ULL
#define S		1000000000ULL
#define PERIOD		MS
#define HOUR		(3600 * S)
#define LEARN		S
#define FAULT_EACH	1000			/* tasks */
#define FAULT_NS	(25 * US)
#define FAULT_BEFORE	(2 * US)		/* a release */
#define MOST		8192

struct machine {
	struct hft_sim *sim;
	struct hft_detector *detector;
	struct noise random;
	struct hft_task task;
	struct hft_task fault;
	uint64_t onset;			/* of the last fault; 0: it is over */
	uint64_t samples;
	uint64_t faults;
	uint64_t found;
	uint64_t wrong;
	double delay[MOST];
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "sim_fault: %s: %s\n", what, hft_strerror(err));
	exit(1);
}

/* A task of the worker begins. */
static void run_task(const struct hft_event *event, uint64_t start, void *arg)
{
	struct machine *m = arg;
	int anomaly = hft_detect(m->detector, start, start - event->release, NULL);

	m->samples++;
	if (!m->onset || event->release < m->onset) {
		m->wrong += anomaly != HFT_ANOMALY_NONE;
		return;
	}
	if (anomaly != HFT_ANOMALY_NONE && m->found < MOST)
		m->delay[m->found++] = (double)(start - m->onset);
	m->onset = 0;
}

static void submit(struct hft_sim *sim, const struct hft_task *task)
{
	int err = hft_sim_submit(sim, task, NULL);

	if (err)
		fail("a task", err);
}

/* Each period the next task, which may be about to have a fault. */
static void period_begins(struct hft_sim *sim, uint64_t now, void *arg)
{
	struct machine *m = arg;

	m->task.release = now + PERIOD;
	submit(sim, &m->task);
	if (now > LEARN && noise_uniform(&m->random) < 1.0 / FAULT_EACH) {
		m->fault.release = m->task.release - FAULT_BEFORE;
		m->onset = m->fault.release;
		m->faults++;
		submit(sim, &m->fault);
	}
	if (hft_sim_call_at(sim, now + PERIOD, period_begins, m))
		fail("the next period", -12);
}

static int add_ring(struct hft_sim *sim, uint32_t level, hft_task_fn fn, void *arg)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .level_mask = 1U << level);
	HFT_OPTS(hft_sim_worker_opts, worker_opts, .fn = fn, .arg = arg);
	int ring = hft_sim_ring_add(sim, &ring_opts), err = ring;

	if (ring >= 0)
		err = hft_sim_worker_add(sim, (uint32_t)ring, &worker_opts);
	if (err < 0)
		fail("a ring", err);
	return ring;
}

static void open_machine(struct machine *m)
{
	HFT_OPTS(hft_sim_opts, opts, .seed = 1, .interrupt_ns = 500, .jitter_ns = 500,
		 .wakeup_ns = 3 * US, .switch_ns = 500, .cache_reload_ns = US,
		 .noise_ns = 2 * US, .noise_period_ns = 250 * US);
	int err = hft_sim_open(&m->sim, &opts);

	if (!err)
		err = hft_detector_open(&m->detector);
	if (err)
		fail("a machine", err);
	m->task = (struct hft_task){ .wcet = 20 * US, .level = HFT_LEVEL_HIGH };
	m->task.ring = (uint32_t)add_ring(m->sim, HFT_LEVEL_HIGH, run_task, m);
	m->fault = (struct hft_task){ .wcet = FAULT_NS, .level = HFT_LEVEL_REALTIME };
	m->fault.ring = (uint32_t)add_ring(m->sim, HFT_LEVEL_REALTIME, NULL, NULL);
}

int main(void)
{
	static struct machine m = { .random = { .random = 2 } };

	open_machine(&m);
	if (hft_sim_call_at(m.sim, MS, period_begins, &m))
		fail("the first period", -12);
	hft_sim_run_until(m.sim, HOUR);
	if (!m.faults || !m.found) {
		fprintf(stderr, "sim_fault: of %llu faults none was found\n",
			(unsigned long long)m.faults);
		return 1;
	}
	printf("figure fault_recall_pct %.2f\n", 100.0 * (double)m.found / (double)m.faults);
	printf("figure false_alarms_per_hour %.1f\n", (double)m.wrong);
	printf("figure detect_delay_sim_ns %.0f\n", median(m.delay, m.found));
	printf("note fault_recall_pct: %llu of %llu faults, among %llu tasks of an hour\n",
	       (unsigned long long)m.found, (unsigned long long)m.faults,
	       (unsigned long long)m.samples);
	hft_detector_close(m.detector);
	hft_sim_close(m.sim);
	return 0;
}
