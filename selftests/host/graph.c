// SPDX-License-Identifier: GPL-2.0-only
/* Task graphs: ranks, paths and schedules against what is found by looking at all ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hft/graph.h>
#include <hft/hft.h>

#include "random.h"

#define NODES		60
#define GRAPHS		100
#define CHANGES		200

struct fixture {
	struct hft_graph *graph;
	uint32_t nr;
	uint64_t cost[NODES];
	int64_t weight[NODES][NODES];	/* -1: there is no edge */
	uint64_t random;
};

static void add(struct hft_graph *graph, const char *name, uint64_t cost)
{
	HFT_OPTS(hft_node_opts, opts, .name = name, .cost_ns = cost);

	assert_true(hft_graph_add_node(graph, &opts) >= 0);
}

/* Edges go from any to any behind it in a random order, so that no order is the graph's. */
static void make_random(struct fixture *f)
{
	uint32_t order[NODES];
	uint32_t i, j, t, density;

	f->nr = 2 + random_below(&f->random, NODES - 2);
	density = 1 + random_below(&f->random, 30);
	memset(f->weight, 0xff, sizeof(f->weight));
	assert_int_equal(hft_graph_open(&f->graph, NULL), 0);
	for (i = 0; i < f->nr; i++) {
		f->cost[i] = random_below(&f->random, 20);
		add(f->graph, NULL, f->cost[i]);
		order[i] = i;
	}
	for (i = f->nr - 1; i; i--) {
		j = random_below(&f->random, i + 1);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	for (i = 0; i < f->nr; i++) {
		for (j = i + 1; j < f->nr; j++) {
			if (random_below(&f->random, 100) >= density)
				continue;
			t = random_below(&f->random, 3) * 5;
			f->weight[order[i]][order[j]] = t;
			assert_int_equal(hft_graph_add_edge(f->graph, order[i], order[j], t), 0);
		}
	}
	assert_int_equal(hft_graph_seal(f->graph), 0);
}

/* Bellman's equation until nothing changes: of no order, and of no graph of the library. */
static void longest(const struct fixture *f, uint64_t *rank, uint64_t *earliest)
{
	uint32_t i, j;
	bool again = true;

	for (i = 0; i < f->nr; i++) {
		rank[i] = f->cost[i];
		earliest[i] = 0;
	}
	while (again) {
		again = false;
		for (i = 0; i < f->nr; i++) {
			for (j = 0; j < f->nr; j++) {
				if (f->weight[i][j] < 0)
					continue;
				if (rank[i] < f->cost[i] + f->weight[i][j] + rank[j]) {
					rank[i] = f->cost[i] + f->weight[i][j] + rank[j];
					again = true;
				}
				if (earliest[j] < earliest[i] + f->cost[i] + f->weight[i][j]) {
					earliest[j] = earliest[i] + f->cost[i] + f->weight[i][j];
					again = true;
				}
			}
		}
	}
}

static void check_path(const struct fixture *f, uint64_t length)
{
	uint32_t path[NODES];
	uint64_t total;
	int i, nr;

	nr = hft_graph_path(f->graph, path, NODES);
	assert_in_range(nr, 1, f->nr);
	total = f->cost[path[0]];
	for (i = 1; i < nr; i++) {
		assert_true(f->weight[path[i - 1]][path[i]] >= 0);
		total += f->weight[path[i - 1]][path[i]] + f->cost[path[i]];
	}
	assert_int_equal(total, length);
}

static void check_ranks(const struct fixture *f)
{
	uint64_t rank[NODES], earliest[NODES], length = 0;
	struct hft_node_info info = { .sz = sizeof(info) };
	uint32_t i;

	longest(f, rank, earliest);
	for (i = 0; i < f->nr; i++)
		length = rank[i] > length ? rank[i] : length;
	assert_int_equal(hft_graph_length(f->graph), length);
	for (i = 0; i < f->nr; i++) {
		assert_int_equal(hft_graph_node_info(f->graph, i, &info), 0);
		assert_int_equal(info.cost_ns, f->cost[i]);
		assert_int_equal(info.rank_ns, rank[i]);
		assert_int_equal(info.earliest_ns, earliest[i]);
		assert_int_equal(info.slack_ns, length - earliest[i] - rank[i]);
	}
	check_path(f, length);
}

static void change(struct fixture *f)
{
	uint32_t i = random_below(&f->random, f->nr), j = random_below(&f->random, f->nr);

	f->cost[i] = random_below(&f->random, 30);
	assert_int_equal(hft_graph_set_cost(f->graph, i, f->cost[i]), 0);
	if (f->weight[i][j] < 0) {
		assert_int_equal(hft_graph_set_weight(f->graph, i, j, 1), -ENOENT);
		return;
	}
	f->weight[i][j] = random_below(&f->random, 30);
	assert_int_equal(hft_graph_set_weight(f->graph, i, j, (uint64_t)f->weight[i][j]), 0);
}

static void ranks_follow_what_changes(void **state)
{
	struct fixture f = { .random = 1 };
	uint32_t i, n;

	(void)state;
	for (n = 0; n < GRAPHS; n++) {
		make_random(&f);
		check_ranks(&f);
		for (i = 0; i < CHANGES; i++) {
			change(&f);
			if (i % 16 == 0)
				check_ranks(&f);
		}
		check_ranks(&f);
		hft_graph_close(f.graph);
	}
}

#define KEPT		8

/* What the log says is what hft_graph_path() says before and after. */
static void check_change(const struct fixture *f, const uint32_t *was, int nr_was,
			 uint64_t length_was, const struct hft_graph_change *change)
{
	uint32_t is[NODES], differs;
	int i, nr = hft_graph_path(f->graph, is, NODES);

	for (i = 0; i < nr && i < nr_was && is[i] == was[i]; i++)
		;
	differs = i < nr ? is[i] : HFT_CHANGE_NOWHERE;
	if (differs == HFT_CHANGE_NOWHERE && length_was == hft_graph_length(f->graph)) {
		assert_null(change);
		return;
	}
	assert_non_null(change);
	assert_int_equal(change->old_length_ns, length_was);
	assert_int_equal(change->new_length_ns, hft_graph_length(f->graph));
	assert_int_equal(change->nodes, nr);
	assert_int_equal(change->differs, differs);
	assert_true(change->when_ns && change->when_ns <= hft_now());
}

static void change_one(struct fixture *f, uint32_t *node, uint32_t *cause)
{
	uint32_t i, j;

	for (;;) {
		i = random_below(&f->random, f->nr);
		j = random_below(&f->random, f->nr);
		if (random_below(&f->random, 2)) {
			f->cost[i] = random_below(&f->random, 30);
			assert_int_equal(hft_graph_set_cost(f->graph, i, f->cost[i]), 0);
			*cause = HFT_CAUSE_COST;
			break;
		}
		if (f->weight[i][j] < 0)
			continue;
		f->weight[i][j] = random_below(&f->random, 30);
		assert_int_equal(hft_graph_set_weight(f->graph, i, j,
						      (uint64_t)f->weight[i][j]), 0);
		*cause = HFT_CAUSE_WEIGHT;
		break;
	}
	*node = i;
}

static void changes_of_the_path_are_logged(void **state)
{
	struct hft_graph_change change[2];
	struct fixture f = { .random = 3 };
	uint32_t was[NODES], n, i, node, cause;
	uint64_t length, seq, lost;
	int nr_was, nr;

	(void)state;
	for (n = 0; n < GRAPHS / 4; n++) {
		make_random(&f);
		for (i = 0, seq = 0; i < CHANGES; i++) {
			nr_was = hft_graph_path(f.graph, was, NODES);
			length = hft_graph_length(f.graph);
			change_one(&f, &node, &cause);
			nr = hft_graph_changes(f.graph, seq, change, 2, &lost);
			assert_in_range(nr, 0, 1);
			assert_int_equal(lost, 0);
			check_change(&f, was, nr_was, length, nr ? change : NULL);
			if (!nr)
				continue;
			assert_int_equal(change[0].seq, ++seq);
			assert_int_equal(change[0].node, node);
			assert_int_equal(change[0].cause, cause);
		}
		hft_graph_close(f.graph);
	}
}

static void the_log_is_bounded(void **state)
{
	HFT_OPTS(hft_graph_opts, opts, .changes = KEPT);
	HFT_OPTS(hft_graph_opts, many, .changes = (1U << 20) + 1);
	struct hft_graph_change change[2 * KEPT];
	struct hft_graph *graph;
	uint64_t lost = 1;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &many), -EINVAL);
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	add(graph, NULL, 1);
	assert_int_equal(hft_graph_changes(graph, 0, change, KEPT, &lost), -EBUSY);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_changes(graph, 0, change, KEPT, &lost), 0);
	assert_int_equal(lost, 0);
	for (i = 0; i < 3 * KEPT; i++)
		assert_int_equal(hft_graph_set_cost(graph, 0, 2 + i), 0);
	assert_int_equal(hft_graph_changes(graph, KEPT, change, 2 * KEPT, &lost), KEPT);
	assert_int_equal(lost, KEPT);
	assert_int_equal(change[0].seq, 2 * KEPT + 1);
	assert_int_equal(change[KEPT - 1].seq, 3 * KEPT);
	assert_int_equal(change[KEPT - 1].differs, HFT_CHANGE_NOWHERE);
	assert_int_equal(hft_graph_changes(graph, 3 * KEPT - 2, change, 1, &lost), 1);
	assert_int_equal(change[0].seq, 3 * KEPT - 1);
	assert_int_equal(lost, 0);
	assert_int_equal(hft_graph_changes(graph, UINT64_MAX, change, 1, &lost), 0);
	assert_int_equal(lost, 0);
	hft_graph_close(graph);
}

/* No worker is at two nodes at a time, and none begins before what it needs has come. */
static void check_schedule(const struct fixture *f, const struct hft_node_slot *slots,
			   const struct hft_schedule_opts *opts, uint64_t makespan)
{
	uint64_t last = 0, at;
	uint32_t i, j;

	for (i = 0; i < f->nr; i++) {
		assert_true(slots[i].worker < opts->workers);
		assert_int_equal(slots[i].end_ns - slots[i].start_ns, f->cost[i]);
		last = slots[i].end_ns > last ? slots[i].end_ns : last;
		for (j = 0; j < f->nr; j++) {
			if (f->weight[j][i] >= 0) {
				at = slots[j].end_ns + (uint64_t)f->weight[j][i] *
				     opts->hop_percent[slots[j].worker * opts->workers +
						       slots[i].worker] / 100;
				assert_true(slots[i].start_ns >= at);
			}
			if (i != j && f->cost[i] && f->cost[j] &&
			    slots[i].worker == slots[j].worker)
				assert_true(slots[i].start_ns >= slots[j].end_ns ||
					    slots[j].start_ns >= slots[i].end_ns);
		}
	}
	assert_int_equal(makespan, last);
}

static void schedules_are_possible(void **state)
{
	struct hft_node_slot slots[NODES];
	struct fixture f = { .random = 2 };
	uint32_t n, i, hops[7 * 7];
	uint64_t makespan;

	(void)state;
	for (n = 0; n < 5 * GRAPHS; n++) {
		HFT_OPTS(hft_schedule_opts, opts, .workers = 1 + n % 7,
			 .order = n % HFT_ORDERS, .hop_percent = hops);

		make_random(&f);
		hft_graph_hops(f.graph, opts.workers, hops);
		for (i = 0; n % 3 && i < opts.workers * opts.workers; i++)
			hops[i] = i % (opts.workers + 1) ? random_below(&f.random, 300) : 0;
		assert_int_equal(hft_graph_schedule(f.graph, &opts, slots, &makespan), 0);
		check_schedule(&f, slots, &opts, makespan);
		assert_int_equal(hft_graph_place(f.graph, &opts, slots, &makespan), 0);
		check_schedule(&f, slots, &opts, makespan);
		hft_graph_close(f.graph);
	}
}

/* Ranks go by the mean of all pairs of workers. */
static void results_cost_by_distance(void **state)
{
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 3, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_graph_opts, opts, .hop_percent = { [HFT_DISTANCE_CORE] = 250 });
	static const uint32_t near[] = { 0, 250, 250, 100, 250, 0, 250, 100,
					 250, 250, 0, 100, 100, 100, 100, 0 };
	struct hft_node_info info = { .sz = sizeof(info) };
	struct hft_graph *graph;
	uint32_t hops[4 * 4];

	(void)state;
	assert_int_equal(hft_pool_open(&opts.pool, &pool_opts), 0);
	assert_int_equal(hft_pool_workers(opts.pool), 3);
	assert_int_equal(hft_pool_distance(opts.pool, 0, 2), HFT_DISTANCE_CORE);
	assert_int_equal(hft_pool_distance(opts.pool, 0, 3), -ENOENT);
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	add(graph, NULL, 10);
	add(graph, NULL, 10);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 100), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_length(graph), 270);
	assert_int_equal(hft_graph_node_info(graph, 1, &info), 0);
	assert_int_equal(info.earliest_ns, 260);
	assert_int_equal(hft_graph_set_weight(graph, 0, 1, 40), 0);
	assert_int_equal(hft_graph_length(graph), 120);
	hft_graph_hops(graph, 4, hops);
	assert_memory_equal(hops, near, sizeof(near));
	hft_graph_close(graph);

	opts.hop_percent[HFT_DISTANCE_REMOTE] = 1001;
	assert_int_equal(hft_graph_open(&graph, &opts), -EINVAL);
	hft_pool_close(opts.pool);
}

static void a_worker_takes_what_was_there_first(void **state)
{
	HFT_OPTS(hft_schedule_opts, rank, .workers = 1, .order = HFT_ORDER_RANK);
	HFT_OPTS(hft_schedule_opts, submission, .workers = 1, .order = HFT_ORDER_SUBMISSION);
	struct hft_node_slot slots[3];
	struct hft_graph *graph;
	uint64_t makespan;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	add(graph, "short", 1);
	add(graph, "long", 5);
	add(graph, "longer", 6);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_schedule(graph, &submission, slots, &makespan), 0);
	assert_int_equal(slots[1].start_ns, 1);
	assert_int_equal(slots[2].start_ns, 6);
	assert_int_equal(hft_graph_schedule(graph, &rank, slots, NULL), 0);
	assert_int_equal(slots[2].start_ns, 0);
	assert_int_equal(slots[1].start_ns, 6);
	assert_int_equal(slots[0].start_ns, 11);
	hft_graph_close(graph);
}

static void bad_graphs(void **state)
{
	HFT_OPTS(hft_graph_opts, two, .nodes = 2);
	HFT_OPTS(hft_graph_opts, many, .nodes = HFT_GRAPH_NODES_MAX + 1);
	HFT_OPTS(hft_node_opts, dear, .cost_ns = HFT_GRAPH_COST_MAX + 1);
	struct hft_node_info info = { .sz = sizeof(info) };
	struct hft_graph *graph = NULL;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, &many), -EINVAL);
	assert_int_equal(hft_graph_open(&graph, &two), 0);
	assert_int_equal(hft_graph_seal(graph), -EINVAL);
	assert_int_equal(hft_graph_add_node(graph, &dear), -EINVAL);
	assert_int_equal(hft_graph_path(graph, NULL, 0), -EBUSY);
	assert_int_equal(hft_graph_length(graph), 0);
	add(graph, "a", 1);
	add(graph, "b", 2);
	assert_int_equal(hft_graph_add_node(graph, NULL), -ENOSPC);
	assert_int_equal(hft_graph_add_edge(graph, 0, 2, 0), -ENOENT);
	assert_int_equal(hft_graph_add_edge(graph, 1, 1, 0), -ELOOP);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, HFT_GRAPH_COST_MAX + 1), -EINVAL);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), 0);
	assert_int_equal(hft_graph_node_info(graph, 0, &info), -EBUSY);
	assert_int_equal(hft_graph_set_weight(graph, 0, 1, 0), -EBUSY);
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_seal(graph), -EBUSY);
	assert_int_equal(hft_graph_add_node(graph, NULL), -EBUSY);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), -EBUSY);
	assert_int_equal(hft_graph_set_cost(graph, 2, 0), -ENOENT);
	assert_int_equal(hft_graph_set_cost(graph, 0, HFT_GRAPH_COST_MAX + 1), -EINVAL);
	assert_int_equal(hft_graph_set_weight(graph, 1, 0, 1), -ENOENT);
	assert_int_equal(hft_graph_set_weight(graph, 0, 1, HFT_GRAPH_COST_MAX + 1), -EINVAL);
	assert_int_equal(hft_graph_node_info(graph, 2, &info), -ENOENT);
	info.sz = 1;
	assert_int_equal(hft_graph_node_info(graph, 0, &info), -EINVAL);
	assert_string_equal(hft_graph_name(graph, 1), "b");
	assert_null(hft_graph_name(graph, 2));
	hft_graph_close(graph);
	hft_graph_close(NULL);
}

static void an_edge_twice(void **state)
{
	struct hft_graph *graph;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	add(graph, NULL, 1);
	add(graph, NULL, 1);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 0), 0);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 5), 0);
	assert_int_equal(hft_graph_seal(graph), -EEXIST);
	assert_non_null(strstr(hft_strerror(EEXIST), "from node 0 to 1 is there twice"));
	hft_graph_close(graph);
}

static void a_circle_is_named(void **state)
{
	static const char *const names[] = { "quote", "risk", "order", "fill", "book" };
	struct hft_graph *graph;
	uint32_t i;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	for (i = 0; i < 5; i++)
		add(graph, names[i], 1);
	hft_graph_add_edge(graph, 4, 0, 0);
	hft_graph_add_edge(graph, 0, 1, 0);
	hft_graph_add_edge(graph, 1, 2, 0);
	hft_graph_add_edge(graph, 2, 0, 0);
	hft_graph_add_edge(graph, 2, 3, 0);
	assert_int_equal(hft_graph_seal(graph), -ELOOP);
	assert_non_null(strstr(hft_strerror(ELOOP), "quote <- order <- risk <- quote"));
	assert_null(strstr(hft_strerror(ELOOP), "fill"));
	assert_null(strstr(hft_strerror(ELOOP), "book"));
	hft_graph_close(graph);
}

#define HEFT_NODES	10
#define HEFT_WORKERS	3
#define SCALE		3000	/* the mean of three costs is a whole number */

static uint32_t number(const json_t *array, size_t i)
{
	return (uint32_t)json_integer_value(json_array_get(array, i));
}

/* HEFT's own example, if the environment has it. */
static void the_example_of_the_paper(void **state)
{
	HFT_OPTS(hft_schedule_opts, opts, .workers = HEFT_WORKERS);
	const char *data = getenv("HFT_TEST_DATA");
	struct hft_node_info info = { .sz = sizeof(info) };
	uint64_t costs[HEFT_NODES][HEFT_WORKERS], makespan;
	struct hft_node_slot slots[HEFT_NODES];
	json_t *file, *row, *edge;
	struct hft_graph *graph;
	char path[4096];
	size_t i, w;

	(void)state;
	snprintf(path, sizeof(path), "%s/dag/heft_topcuoglu2002.json", data ? data : "");
	file = data ? json_load_file(path, 0, NULL) : NULL;
	if (!file) {
		print_message("HFT_TEST_DATA has no dag/heft_topcuoglu2002.json\n");
		skip();
	}
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	json_array_foreach(json_object_get(file, "comp_cost_task_by_proc"), i, row) {
		uint64_t sum = 0;

		assert_true(i < HEFT_NODES && json_array_size(row) == HEFT_WORKERS);
		for (w = 0; w < HEFT_WORKERS; w++) {
			costs[i][w] = SCALE * number(row, w);
			sum += costs[i][w];
		}
		add(graph, NULL, sum / HEFT_WORKERS);
	}
	json_array_foreach(json_object_get(file, "edges_from_to_comm"), i, edge)
		assert_int_equal(hft_graph_add_edge(graph,
			number(edge, 0) - 1, number(edge, 1) - 1, SCALE * number(edge, 2)), 0);
	assert_int_equal(hft_graph_seal(graph), 0);

	json_array_foreach(json_object_get(file, "rank_u"), i, row) {
		assert_int_equal(hft_graph_node_info(graph, (uint32_t)i, &info), 0);
		assert_float_equal((double)info.rank_ns / SCALE, json_number_value(row), 0.001);
	}
	opts.costs_ns = costs[0];
	assert_int_equal(hft_graph_place(graph, &opts, slots, &makespan), 0);
	assert_int_equal(makespan,
			 SCALE * json_integer_value(json_object_get(file, "makespan_heft")));
	json_array_foreach(json_object_get(file, "heft_schedule_task_proc_start_end"), i, row) {
		const struct hft_node_slot *slot = &slots[number(row, 0) - 1];

		assert_int_equal(slot->worker + 1, number(row, 1));
		assert_int_equal(slot->start_ns, SCALE * number(row, 2));
		assert_int_equal(slot->end_ns, SCALE * number(row, 3));
	}
	hft_graph_close(graph);
	json_decref(file);
}

/* Times that would overflow: a node would have no place, and nobody would be told. */
static void bad_schedules(void **state)
{
	const uint64_t costs[] = { 1, UINT64_MAX, 1, 1 };
	const uint32_t hops[] = { 0, 100, UINT32_MAX, 0 };
	HFT_OPTS(hft_schedule_opts, long_node, .workers = 2, .costs_ns = costs);
	HFT_OPTS(hft_schedule_opts, long_hop, .workers = 2, .hop_percent = hops);
	const struct hft_schedule_opts *bad[] = { &long_node, &long_hop };
	struct hft_node_slot slots[2];
	struct hft_graph *graph;
	size_t i;

	(void)state;
	assert_int_equal(hft_graph_open(&graph, NULL), 0);
	add(graph, NULL, 1);
	add(graph, NULL, 1);
	assert_int_equal(hft_graph_add_edge(graph, 0, 1, 1), 0);
	assert_int_equal(hft_graph_seal(graph), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hft_graph_schedule(graph, bad[i], slots, NULL), -EINVAL);
		assert_int_equal(hft_graph_place(graph, bad[i], slots, NULL), -EINVAL);
	}
	hft_graph_close(graph);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_follow_what_changes),
		cmocka_unit_test(changes_of_the_path_are_logged),
		cmocka_unit_test(the_log_is_bounded),
		cmocka_unit_test(schedules_are_possible),
		cmocka_unit_test(results_cost_by_distance),
		cmocka_unit_test(a_worker_takes_what_was_there_first),
		cmocka_unit_test(bad_graphs),
		cmocka_unit_test(an_edge_twice),
		cmocka_unit_test(a_circle_is_named),
		cmocka_unit_test(bad_schedules),
		cmocka_unit_test(the_example_of_the_paper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
