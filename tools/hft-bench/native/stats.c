// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms: what a record takes, and what it costs that all is measured and judged. */
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_HDR
#include <hdr/hdr_histogram.h>
#endif

#include <core/hist.h>

#include "../../common/noise.h"
#include "../monitor_work.h"
#include "quantile.h"

#define ROUNDS	501
#define VALUES	4096	/* of a round: most are not interrupted */

static uint64_t values[VALUES];
static double ns[ROUNDS], times[MONITOR_RINGS][ROUNDS];

static void time_record(void)
{
	struct noise noise = { .random = 1, .shape = NOISE_TAILED, .level = 2500 };
	static struct hft_hist hist;
	/* Which is one of many. */
	struct hft_hist *volatile where = &hist, *h = where;
	uint64_t start;
	int i, round;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < VALUES; i++)
			values[i] = noise_value(&noise, i % 1000 == 999);
		start = hft_now();
		for (i = 0; i < VALUES; i++)
			hft_hist_record(h, values[i]);
		ns[round] = (double)(hft_now() - start) / VALUES;
	}
	printf("figure hist_record_ns %.2f\n", median(ns, ROUNDS));
	printf("note hist_record_ns: of %llu tailed values; fastest round %.2f ns\n",
	       (unsigned long long)hft_hist_count(&hist), ns[0]);
}

#ifdef HAVE_HDR
static void time_peer(void)
{
	struct hdr_histogram *hdr;
	uint64_t start;
	int i, round;

	if (hdr_init(1, 1LL << HFT_HIST_BITS, 2, &hdr))
		return;
	for (round = 0; round < ROUNDS; round++) {
		start = hft_now();
		for (i = 0; i < VALUES; i++)
			hdr_record_value(hdr, (int64_t)values[i]);
		ns[round] = (double)(hft_now() - start) / VALUES;
	}
	printf("peer hist_record_ns %.2f HdrHistogram_c\n", median(ns, ROUNDS));
	hdr_close(hdr);
}
#else
static void time_peer(void)
{
	puts("note hist_record_ns: no HdrHistogram_c here (libhdr-histogram-dev)");
}
#endif

static int time_monitor(struct monitor *m)
{
	double round[MONITOR_RINGS];
	int i, ring, err = 0;

	for (i = 0; i < ROUNDS && !err; i++) {
		err = monitor_round(m, round);
		for (ring = 0; ring < MONITOR_RINGS; ring++)
			times[ring][i] = round[ring];
	}
	if (err)
		return err;
	for (ring = 0; ring < MONITOR_RINGS; ring++)
		round[ring] = median(times[ring], ROUNDS);
	printf("figure monitor_overhead_native_pct %.2f\n",
	       monitor_percent(round[MONITOR_ALL], round[MONITOR_OFF]));
	printf("note monitor_overhead_native_pct: backend soft; a task takes %.0f ns with all on, "
	       "%.0f with histograms, %.0f with neither\n", round[MONITOR_ALL],
	       round[MONITOR_HIST], round[MONITOR_OFF]);
	return 0;
}

static int run_monitor(void)
{
	HFT_OPTS(hft_opts, opts, .tasks = 64, .backend = "soft");
	struct monitor m = { 0 };
	int err = monitor_open(&m, &opts, 0);

	if (!err)
		err = time_monitor(&m);
	monitor_close(&m);
	return err;
}

int main(void)
{
	int err = run_monitor();

	/* From now on the clock is the TSC, where it may be. */
	time_record();
	time_peer();
	if (err)
		fprintf(stderr, "stats: %s\n", hft_strerror(err));
	return err ? 1 : 0;
}
