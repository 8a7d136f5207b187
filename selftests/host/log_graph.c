// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Nodes of graphs in the log: each that has run, with its times and result. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include "tree.h"

#define NODES		5
#define RUNS		20
#define NODE_NS		2000

static char ticks[RUNS];

static int node_fails_at_last(void *arg, const struct hft_node_call *call)
{
	(void)arg;
	hft_spin_until(hft_now() + NODE_NS);
	return call->node == NODES - 1 ? -EIO : 0;
}

/* A chain, whose last node fails. */
static struct hft_graph *make_chain(void)
{
	HFT_OPTS(hft_node_opts, node, .fn = node_fails_at_last);
	struct hft_graph *graph;
	int i;

	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	for (i = 0; i < NODES; i++) {
		assert_int_equal(hft_graph_add_node(graph, &node), i);
		if (!i)
			continue;
		assert_true(hft_graph_add_edge(graph, (uint32_t)i - 1, (uint32_t)i, 0) >= 0);
	}
	assert_int_equal(hft_graph_seal(graph), 0);
	return graph;
}

static uint64_t u_of(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value = hft_log_view_find(view, name, NULL);

	assert_non_null(value);
	return value->u;
}

/* Each run has each node, one after the other. */
static void check_node(const struct hft_log_view *view, const struct hft_graph *graph, uint32_t nr,
		       uint64_t *last)
{
	bool is_last = nr % NODES == NODES - 1;

	assert_string_equal(view->site->name, "node");
	assert_true(u_of(view, "graph") == (uintptr_t)graph);
	assert_int_equal(u_of(view, "node"), nr % NODES);
	assert_true(u_of(view, "tick") == (uintptr_t)&ticks[nr / NODES]);
	assert_int_equal((int64_t)u_of(view, "result"), is_last ? -EIO : 0);
	assert_true(u_of(view, "start") >= *last);
	assert_true(u_of(view, "at") >= u_of(view, "start") + NODE_NS);
	*last = u_of(view, "at");
}

/* The first half of the runs is not wanted. */
static void nodes_are_logged(void **state)
{
	HFT_OPTS(hft_log_reader_opts, reading, .subsystems = "graph");
	struct hft_graph *graph = make_chain();
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	char dir[PATH_MAX];
	const char *path = dir;
	struct hft_log *log;
	uint64_t last = 0;
	uint32_t i, nr;

	(void)state;
	tree_make(dir, NULL, 0);
	assert_int_equal(hft_log_open(&log, dir, NULL), 0);
	for (i = 0; i < RUNS; i++) {
		HFT_OPTS(hft_run_opts, opts, .tick = &ticks[i]);

		if (i == RUNS / 2)
			assert_int_equal(hft_log_set_level(log, "graph", HFT_LOG_DEBUG), 0);
		assert_int_equal(hft_graph_run(graph, &opts, NULL), -EIO);
	}
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &reading), 0);
	for (nr = NODES * RUNS / 2; hft_log_reader_next(reader, &view) == 1; nr++)
		check_node(view, graph, nr, &last);
	assert_int_equal(nr, NODES * RUNS);
	hft_log_reader_close(reader);
	hft_graph_close(graph);
	tree_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
