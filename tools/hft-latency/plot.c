// SPDX-License-Identifier: LGPL-2.1-or-later
/* The histogram as a picture, by gnuplot. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <common/gnuplot.h>

#include "hft-latency.h"

static void write_data(FILE *f, const char *name, const struct hft_hist *hist)
{
	uint32_t i;

	fprintf(f, "$%s << end\n", name);
	for (i = 0; i < HFT_HIST_BUCKETS; i++)
		if (hist->bucket[i])
			fprintf(f, "%" PRIu64 " %" PRIu64 "\n", (uint64_t)hft_hist_high(i),
				(uint64_t)hist->bucket[i]);
	fprintf(f, "end\n");
}

static void write_script(FILE *f, const struct config *config, const struct result *result)
{
	struct utsname kernel = { 0 };
	int i;

	uname(&kernel);
	for (i = 0; i < LATENCIES; i++)
		write_data(f, latency_names[i], &result->hist[i]);
	fprintf(f, "set terminal png size 1000,600\nset output ");
	gnuplot_quote(f, config->plot);
	fprintf(f, "\nset title 'hft-latency: Linux %s, CPU %u, %" PRIu64 " tasks every %" PRIu64
		" ns, lead %" PRIu64 " ns' noenhanced\n", kernel.release, config->cpu,
		result->tasks, config->interval_ns, result->lead_ns);
	fprintf(f, "set xlabel 'latency, ns'\nset ylabel 'tasks'\nset grid\n"
		   "set format xy '%%.0s%%c'\nset logscale xy\nset yrange [0.5:*]\nset key noenhanced\nplot ");
	for (i = 0; i < LATENCIES; i++)
		fprintf(f, "%s$%s using ($1 + 1):2 with points pt %d title '%s'", i ? ", " : "",
			latency_names[i], i + 5, latency_names[i]);
	putc('\n', f);
}

int report_plot(const struct config *config, const struct result *result)
{
	FILE *f = gnuplot_open();

	if (!f)
		return -errno;
	write_script(f, config, result);
	return gnuplot_close(f, config->plot);
}
