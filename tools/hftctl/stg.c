// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include <common/tool.h>

#include "stg.h"

struct reader {
	const char *name;
	FILE *f;
	char *text;			/* the line */
	size_t size;
	unsigned int line;
	char *at;			/* in the line */
};

static int bad_line(const struct reader *r, const char *reason)
{
	fail(0, "%s:%u: %s", r->name, r->line, reason);
	return -EINVAL;
}

/* The next line that is no comment and not blank.  Returns 1, 0 at the end, or -errno. */
static int next_line(struct reader *r)
{
	ssize_t length;

	do {
		errno = 0;
		length = getline(&r->text, &r->size, r->f);
		if (length < 0)
			return errno || ferror(r->f) ? fail(errno, "%s", r->name) : 0;
		r->line++;
		if (strlen(r->text) != (size_t)length)
			return bad_line(r, "a NUL byte: not a text file");
		r->text[strcspn(r->text, "#\r\n")] = '\0';
		r->at = r->text + strspn(r->text, " \t");
	} while (!*r->at);
	return 1;
}

static int read_number(struct reader *r, const char *what, uint64_t most, uint64_t *number)
{
	size_t length = strcspn(r->at, " \t");
	char *end = r->at + length;
	bool last = !*end;
	char reason[128];

	*end = '\0';
	if (!length || !parse_number(r->at, 10, 0, most, number)) {
		snprintf(reason, sizeof(reason), "%s is no number from 0 to %" PRIu64, what, most);
		return bad_line(r, reason);
	}
	r->at = last ? end : end + 1;
	r->at += strspn(r->at, " \t");
	return 0;
}

static int library_error(const struct reader *r, int err)
{
	bad_line(r, hft_strerror(err));
	return err;
}

static int keep_edge(struct stg *stg, uint32_t from, uint32_t to)
{
	struct stg_edge *more;

	if (stg->nr_edges == stg->room) {
		stg->room = stg->room ? 2 * stg->room : 64;
		more = reallocarray(stg->edges, stg->room, sizeof(*more));
		if (!more)
			return fail(ENOMEM, "the edges of a graph");
		stg->edges = more;
	}
	stg->edges[stg->nr_edges++] = (struct stg_edge){ .from = from, .to = to };
	return 0;
}

static int read_edge(struct reader *r, struct stg *stg, uint32_t node)
{
	uint64_t before;
	int err;

	err = read_number(r, "what it comes after", hft_graph_nodes(stg->graph) - 1, &before);
	if (err)
		return err;
	err = hft_graph_add_edge(stg->graph, (uint32_t)before, node, 0);
	if (err)
		return library_error(r, err);
	return keep_edge(stg, (uint32_t)before, node);
}

static int read_node(struct reader *r, struct stg *stg, uint32_t node)
{
	struct hft_graph *graph = stg->graph;
	uint64_t number, cost, nr = 0;
	int err;

	err = read_number(r, "the task (1st)", hft_graph_nodes(graph) - 1, &number);
	if (!err && number != node)
		err = bad_line(r, "tasks are numbered from 0 on");
	if (!err)
		err = read_number(r, "the time (2nd)", HFT_GRAPH_COST_MAX, &cost);
	if (!err)
		err = read_number(r, "how many it comes after (3rd)", hft_graph_nodes(graph), &nr);
	if (err)
		return err;
	err = hft_graph_set_cost(graph, node, cost);
	if (err)
		return library_error(r, err);
	while (nr--) {
		err = read_edge(r, stg, node);
		if (err)
			return err;
	}
	return *r->at ? bad_line(r, "more numbers than it says") : 0;
}

static int read_nodes(struct reader *r, struct stg *stg)
{
	uint32_t node;
	int ret;

	for (node = 0; node < hft_graph_nodes(stg->graph); node++) {
		ret = next_line(r);
		if (!ret)
			ret = bad_line(r, "the file ends before its last task");
		if (ret > 0)
			ret = read_node(r, stg, node);
		if (ret)
			return ret;
	}
	ret = next_line(r);
	return ret > 0 ? bad_line(r, "more tasks than it says") : ret;
}

/* All nodes first: one may come after another that is further on. */
static int add_nodes(struct reader *r, struct hft_graph *graph)
{
	uint64_t nr;
	int ret;

	ret = next_line(r);
	if (!ret)
		ret = bad_line(r, "an empty file");
	if (ret > 0)
		ret = read_number(r, "how many tasks there are", HFT_GRAPH_NODES_MAX - 2, &nr);
	if (ret < 0)
		return ret;
	if (*r->at)
		return bad_line(r, "more than how many tasks there are");
	for (nr += 2; nr; nr--) {
		ret = hft_graph_add_node(graph, NULL);
		if (ret < 0)
			return library_error(r, ret);
	}
	return 0;
}

static int read_graph(struct reader *r, struct stg *stg)
{
	int err;

	err = add_nodes(r, stg->graph);
	if (!err)
		err = read_nodes(r, stg);
	if (err)
		return err;
	err = hft_graph_seal(stg->graph);
	if (err)
		fail_hft(err, r->name);
	return err;
}

void stg_free(struct stg *stg)
{
	hft_graph_close(stg->graph);
	free(stg->edges);
	*stg = (struct stg){};
}

int stg_read(const char *path, struct stg *stg)
{
	HFT_OPTS(hft_graph_opts, opts, .nodes = HFT_GRAPH_NODES_MAX);
	bool is_stdin = !strcmp(path, "-");
	struct reader r = { .name = is_stdin ? "standard input" : path };
	int err;

	*stg = (struct stg){};
	r.f = is_stdin ? stdin : fopen(path, "re");
	if (!r.f)
		return fail(errno, "%s", path);
	err = hft_graph_open(&stg->graph, &opts);
	if (err)
		fail(-err, "%s", r.name);
	else
		err = read_graph(&r, stg);
	if (err)
		stg_free(stg);
	free(r.text);
	if (!is_stdin)
		fclose(r.f);
	return err;
}

static int copy_nodes(const struct stg *stg, hft_node_fn fn, void *arg, struct hft_graph *graph)
{
	struct hft_node_info info = { .sz = sizeof(info) };
	uint32_t i;
	int ret = 0;

	for (i = 0; i < hft_graph_nodes(stg->graph) && ret >= 0; i++) {
		HFT_OPTS(hft_node_opts, opts, .fn = fn, .arg = arg);

		hft_graph_node_info(stg->graph, i, &info);
		opts.cost_ns = info.cost_ns;
		ret = hft_graph_add_node(graph, &opts);
	}
	return ret < 0 ? ret : 0;
}

int stg_copy(const struct stg *stg, const struct hft_graph_opts *opts, hft_node_fn fn, void *arg,
	     struct hft_graph **graph)
{
	uint32_t i;
	int err;

	err = hft_graph_open(graph, opts);
	if (err)
		return err;
	err = copy_nodes(stg, fn, arg, *graph);
	for (i = 0; i < stg->nr_edges && !err; i++)
		err = hft_graph_add_edge(*graph, stg->edges[i].from, stg->edges[i].to, 0);
	if (!err)
		err = hft_graph_seal(*graph);
	if (err)
		hft_graph_close(*graph);
	return err;
}
