// SPDX-License-Identifier: LGPL-2.1-or-later
/* The curves as a picture, by gnuplot. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "hft-curve.h"

/* In gnuplot's single quotes only the quote itself is special: it is doubled. */
static void write_quoted(FILE *f, const char *text)
{
	putc('\'', f);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', f);
		putc(*text, f);
	}
	putc('\'', f);
}

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
	write_quoted(f, config->plot);
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
	FILE *f;
	int ret;

	/* A gnuplot that is not there is an exit status, not our end. */
	signal(SIGPIPE, SIG_IGN);
	f = popen("gnuplot", "we");
	if (!f)
		return fail(errno, "gnuplot");
	write_script(f, config, points, nr);
	ret = pclose(f);
	if (ret < 0)
		return fail(errno, "gnuplot");
	if (ret)
		return fail(EIO, "%s: gnuplot failed (is gnuplot-nox installed?)", config->plot);
	return 0;
}
