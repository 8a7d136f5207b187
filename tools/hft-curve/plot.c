// SPDX-License-Identifier: LGPL-2.1-or-later
/* The curves as a picture, by gnuplot. */
#include <errno.h>
#include <stdio.h>

#include <common/gnuplot.h>

#include "hft-curve.h"

static void write_script(FILE *f, const struct config *config, const struct point *points,
			 uint32_t nr)
{
	const char *comma = "";
	enum judge j;
	uint32_t i;

	fprintf(f, "$curves << end\n");
	for (i = 0; i < nr; i++) {
		fprintf(f, "%.4f", points[i].utilisation);
		for (j = 0; j < JUDGES; j++)
			fprintf(f, " %.6f", (double)points[i].schedulable[j] / config->sets);
		putc('\n', f);
	}
	fprintf(f, "end\nset terminal png size 1000,600\nset output ");
	gnuplot_quote(f, config->plot);
	fprintf(f, "\nset title '%u sets of %u tasks each, %s deadlines, seed %llu'\n",
		config->sets, config->tasks, config->constrained ? "constrained" : "implicit",
		(unsigned long long)config->seed);
	fprintf(f, "set xlabel 'utilisation'\nset ylabel 'fraction of schedulable sets'\n"
		   "set yrange [-0.02:1.02]\nset grid\nset key left bottom noenhanced\nplot ");
	for (j = 0; j < JUDGES; j++) {
		if (!is_asked(config, j))
			continue;
		fprintf(f, "%s$curves using 1:%u with linespoints title '%s'", comma, 2U + j,
			judge_names[j]);
		comma = ", ";
	}
	putc('\n', f);
}

int plot_points(const struct config *config, const struct point *points, uint32_t nr)
{
	FILE *f = gnuplot_open();

	if (!f)
		return -errno;
	write_script(f, config, points, nr);
	return gnuplot_close(f, config->plot);
}
