// SPDX-License-Identifier: LGPL-2.1-or-later
/* Instructions that all statistics and detection cost a task, as a part of a CPU's time. */
#include "bench.h"
#include "monitor_work.h"

#define ROUNDS	9

/* Under icount the rounds are all the same but for what interrupts them. */
static int measure(struct monitor *m, double least[MONITOR_RINGS])
{
	double ns[MONITOR_RINGS];
	int i, ring, err;

	/* The first learns. */
	err = monitor_round(m, least);
	for (i = 0; i < ROUNDS && !err; i++) {
		err = monitor_round(m, ns);
		for (ring = 0; ring < MONITOR_RINGS; ring++)
			least[ring] = !i || ns[ring] < least[ring] ? ns[ring] : least[ring];
	}
	return err;
}

static void print_costs(const double ns[MONITOR_RINGS])
{
	print_figure("monitor_overhead_pct", monitor_percent(ns[MONITOR_ALL], ns[MONITOR_OFF]));
	print_note("monitor_overhead_pct: %.2f without the detector; a task takes %.0f instructions "
		   "with all on, %.0f with histograms, %.0f with neither, submission and wait included",
		   monitor_percent(ns[MONITOR_HIST], ns[MONITOR_OFF]), ns[MONITOR_ALL],
		   ns[MONITOR_HIST], ns[MONITOR_OFF]);
}

int bench_monitor(void)
{
	HFT_OPTS(hft_opts, opts, .tasks = 64);
	double ns[MONITOR_RINGS] = { 0 };
	struct monitor m = { 0 };
	int err;

	err = monitor_open(&m, &opts, bench_cpu);
	if (!err)
		err = measure(&m, ns);
	if (!err)
		print_costs(ns);
	monitor_close(&m);
	return err;
}
