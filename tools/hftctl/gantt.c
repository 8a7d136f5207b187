// SPDX-License-Identifier: LGPL-2.1-or-later
/* A schedule as a picture: a row for each worker, a box for each node. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <common/gnuplot.h>

#include "graph.h"

#define ROW	24		/* pixels */

/* Of a data block, in which a quotation mark can not be quoted. */
static void write_name(FILE *f, const char *name)
{
	putc('"', f);
	for (; *name; name++)
		putc(*name == '"' || *name == '\n' ? ' ' : *name, f);
	fputs("\"\n", f);
}

static void write_script(FILE *f, const char *picture, const char *title,
			 const struct hft_graph *graph, const struct hft_node_slot *slots,
			 uint32_t workers)
{
	uint32_t i, nr = hft_graph_nodes(graph);

	fprintf(f, "$boxes << end\n");
	for (i = 0; i < nr; i++) {
		const char *name = hft_graph_name(graph, i);
		char number[16];

		if (slots[i].start_ns == slots[i].end_ns)
			continue;
		snprintf(number, sizeof(number), "%u", i);
		fprintf(f, "%" PRIu64 " %" PRIu64 " %u ", slots[i].start_ns, slots[i].end_ns,
			slots[i].worker);
		write_name(f, name ? name : number);
	}
	fprintf(f, "end\nset terminal png size 1400,%u\nset output ", 120 + ROW * workers);
	gnuplot_quote(f, picture);
	fprintf(f, "\nset title ");
	gnuplot_quote(f, title);
	fprintf(f, " noenhanced\nset xlabel 'ns'\nset ylabel 'worker'\nset yrange [-0.6:%u.6]\n"
		   "set ytics 1\nset key off\nset style fill solid 0.4 border\n"
		   "plot $boxes using (($1 + $2) / 2):3:1:2:($3 - 0.4):($3 + 0.4) with boxxyerror, "
		   "$boxes using (($1 + $2) / 2):3:4 with labels font ',8' noenhanced\n",
		workers - 1);
}

int gantt_plot(const char *picture, const char *title, const struct hft_graph *graph,
	       const struct hft_node_slot *slots, uint32_t workers)
{
	FILE *f = gnuplot_open();

	if (!f)
		return -errno;
	write_script(f, picture, title, graph, slots, workers);
	return gnuplot_close(f, picture);
}
