// SPDX-License-Identifier: LGPL-2.1-or-later
/* Dispatch error: actual start - release, with lead, beside other ways to wait. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define TASKS		5000
#define SPIN_SAMPLES	500	/* of a peer that spins all the time */

struct rate {
	unsigned int hz;
	const char *p99;
	const char *p999;
};

static const struct rate rates[] = {
	{ 1000, "dispatch_error_p99_1khz", "dispatch_error_p999_1khz" },
	{ 10000, "dispatch_error_p99_10khz", "dispatch_error_p999_10khz" },
};

static int measure(unsigned int hz, struct samples *error)
{
	const struct session_opts opts = { .tasks = TASKS, .lead_ns = HFT_LEAD_AUTO };
	struct schedule schedule;
	struct session s;
	int ret;

	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	schedule = schedule_make(hz, TASKS);
	ret = session_run(&s, &schedule, error);
	if (!ret)
		print_note("dispatch at %u Hz: lead %llu ns, error min %lld p50 %lld max %lld ns", hz,
			   (unsigned long long)hft_ring_lead(s.ring),
			   (long long)samples_percentile(error, 0),
			   (long long)samples_percentile(error, PPM_P50),
			   (long long)samples_percentile(error, 1000000));
	session_close(&s);
	return ret;
}

static int measure_hft(const struct rate *rate)
{
	struct samples error;
	int ret = samples_init(&error, TASKS);

	if (ret < 0)
		return ret;
	ret = measure(rate->hz, &error);
	if (!ret) {
		print_figure(rate->p99, (double)samples_percentile(&error, PPM_P99));
		print_figure(rate->p999, (double)samples_percentile(&error, PPM_P999));
	}
	samples_free(&error);
	return ret;
}

static int measure_peer(const struct rate *rate, const struct peer *peer)
{
	struct schedule schedule;
	struct samples error;
	int ret = samples_init(&error, TASKS);

	if (ret < 0)
		return ret;
	schedule = schedule_make(rate->hz, peer->spins ? SPIN_SAMPLES : TASKS);
	ret = peer->run(&schedule, &error);
	if (!ret) {
		print_peer(rate->p99, (double)samples_percentile(&error, PPM_P99), peer->name);
		print_peer(rate->p999, (double)samples_percentile(&error, PPM_P999), peer->name);
	} else {
		fprintf(stderr, "hft-bench: %s: %s\n", peer->name, strerror(-ret));
	}
	samples_free(&error);
	return ret;
}

int bench_dispatch(void)
{
	unsigned int i, j;
	int ret;

	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		ret = measure_hft(&rates[i]);
		for (j = 0; j < nr_peers && !ret; j++)
			ret = measure_peer(&rates[i], &peers[j]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int measure_p999(double *p999)
{
	struct samples error;
	int ret = samples_init(&error, TASKS);

	if (ret < 0)
		return ret;
	ret = measure(10000, &error);
	*p999 = (double)samples_percentile(&error, PPM_P999);
	samples_free(&error);
	return ret;
}

int bench_load(void)
{
	double loaded, unloaded;
	int pid, ret;

	ret = measure_p999(&unloaded);
	if (ret < 0)
		return ret;
	pid = busy_cpu_start(95);
	if (pid < 0)
		return pid;
	ret = measure_p999(&loaded);
	busy_cpu_stop(pid);
	if (ret < 0)
		return ret;
	print_figure("dispatch_error_p999_load95", loaded);
	print_peer("dispatch_error_p999_load95", unloaded, "the same without load");
	return 0;
}
