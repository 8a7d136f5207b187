// SPDX-License-Identifier: LGPL-2.1-or-later
/* The way to wait that is measured: a task for each release, run as it comes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BATCH		64
#define START_AHEAD	(20 * NSEC_PER_MSEC)

/*
 * Releases lie halfway between multiples of the period, as the tick lies on
 * them: what a tick costs is the same for every way to wait, and is not what
 * is compared.
 */
struct schedule schedule_make(unsigned int rate_hz, unsigned int nr)
{
	struct schedule s = { .period = NSEC_PER_SEC / rate_hz, .nr = nr };
	uint64_t start = hft_now() + START_AHEAD;

	s.first = start - start % NSEC_PER_MSEC + NSEC_PER_MSEC + s.period / 2;
	return s;
}

int session_open(struct session *s, const struct session_opts *opts)
{
	HFT_OPTS(hft_opts, hft_opts, .tasks = opts->tasks);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = bench_cpu, .entries = opts->entries,
		 .lead_ns = opts->lead_ns, .spin_ns = opts->spin_ns);
	int ret;

	ret = hft_open(&s->hft, &hft_opts);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: %s\n", hft_strerror(ret));
		return ret;
	}
	ret = hft_ring_open(s->hft, &ring_opts, &s->ring);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: %s\n", hft_strerror(ret));
		hft_close(s->hft);
	}
	return ret;
}

void session_close(struct session *s)
{
	hft_ring_close(s->ring);
	hft_close(s->hft);
}

static int submit_some(struct session *s, const struct schedule *schedule, unsigned int from,
		       unsigned int nr)
{
	struct hft_task task[BATCH] = { 0 };
	int64_t result[BATCH];
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		task[i].cookie = from + i;
		task[i].release = schedule_release(schedule, from + i);
		task[i].ring = hft_ring_number(s->ring);
		task[i].level = HFT_LEVEL_REALTIME;
	}
	ret = hft_submit_batch(s->hft, task, nr, result);
	if (ret < 0)
		return ret;
	return (unsigned int)ret == nr ? 0 : -EDQUOT;
}

int session_submit(struct session *s, const struct schedule *schedule)
{
	unsigned int i, nr;
	int ret;

	for (i = 0; i < schedule->nr; i += nr) {
		nr = schedule->nr - i < BATCH ? schedule->nr - i : BATCH;
		ret = submit_some(s, schedule, i, nr);
		if (ret < 0) {
			fprintf(stderr, "hft-bench: submit: %s\n", hft_strerror(ret));
			return ret;
		}
	}
	if (hft_now() > schedule->first) {
		fprintf(stderr, "hft-bench: the schedule began before it was submitted\n");
		return -ETIME;
	}
	return 0;
}

struct run {
	struct session *session;
	const struct schedule *schedule;
	struct samples *error;
	unsigned int submitted;
	unsigned int started;
	int err;
};

static void run_task(const struct hft_event *event, uint64_t start, void *arg)
{
	struct run *r = arg;

	samples_add(r->error, (int64_t)(start - event->release));
	if (r->submitted < r->schedule->nr)
		r->err = submit_some(r->session, r->schedule, r->submitted++, 1);
	if (r->err || ++r->started == r->schedule->nr)
		hft_ring_stop(r->session->ring);
}

static int run(struct run *r)
{
	int ret = hft_ring_run(r->session->ring, run_task, r);

	if (!ret)
		ret = r->err;
	if (ret < 0)
		fprintf(stderr, "hft-bench: run: %s\n", hft_strerror(ret));
	return ret;
}

int session_run(struct session *s, const struct schedule *schedule, struct samples *error)
{
	struct run r = { s, schedule, error, .submitted = schedule->nr };
	int ret = session_submit(s, schedule);

	return ret < 0 ? ret : run(&r);
}

int session_run_singly(struct session *s, const struct schedule *schedule, struct samples *error)
{
	struct run r = { s, schedule, error, .submitted = 1 };
	int ret = submit_some(s, schedule, 0, 1);

	return ret < 0 ? ret : run(&r);
}

static void keep_busy(unsigned int percent)
{
	const uint64_t period = 10 * NSEC_PER_MSEC;
	struct timespec rest = { .tv_nsec = (long)(period / 100 * (100 - percent)) };
	struct timespec now;
	uint64_t end;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		end = (uint64_t)now.tv_nsec + period / 100 * percent;
		end += (uint64_t)now.tv_sec * NSEC_PER_SEC;
		do
			clock_gettime(CLOCK_MONOTONIC, &now);
		while ((uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec < end);
		nanosleep(&rest, NULL);
	}
}

/* A process of ordinary priority on our CPU.  Returns its pid. */
int busy_cpu_start(unsigned int percent)
{
	int pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bench_set_priority(0) < 0)
		_exit(1);
	keep_busy(percent);
	return 0;
}

void busy_cpu_stop(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
