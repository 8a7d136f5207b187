// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Running task graphs on a simulated machine: what runs when is exact. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hft/graph.h>
#include <hft/hft.h>
#include <hft/pool.h>

#define US	1000ULL
#define NODES	16

/**
 * struct done - what a run has done
 * @order: nodes as they began
 * @nr: how many have
 * @start: of each, ns from that of the machine
 * @end: likewise
 * @worker: of each
 * @deadline: that each was told
 */
struct done {
	uint32_t order[NODES];
	uint32_t nr;
	uint64_t start[NODES];
	uint64_t end[NODES];
	int worker[NODES];
	uint64_t deadline[NODES];
};

struct machine {
	struct hft *h;
	struct hft_pool *pool;
	struct hft_graph *graph;
	uint64_t start;
};

static void open_machine(struct machine *m, const struct hft_pool_opts *pool_opts,
			 const struct hft_graph_opts *graph_opts)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=8,seed=1");
	struct hft_pool_opts pool = *pool_opts;
	struct hft_graph_opts graph = *graph_opts;

	assert_int_equal(hft_open(&m->h, &opts), 0);
	pool.hft = m->h;
	assert_int_equal(hft_pool_open(&m->pool, &pool), 0);
	graph.pool = m->pool;
	graph.hop_ns = 1;
	assert_int_equal(hft_graph_open(&m->graph, &graph), 0);
	m->start = hft_now();
}

static void close_machine(struct machine *m)
{
	hft_graph_close(m->graph);
	hft_pool_close(m->pool);
	hft_close(m->h);
}

/* A node that takes as long as @arg says, ns. */
static int take(void *arg, const struct hft_node_call *call)
{
	struct done *done = call->tick;

	done->order[done->nr++] = call->node;
	done->start[call->node] = hft_now();
	done->worker[call->node] = hft_pool_worker();
	done->deadline[call->node] = call->deadline;
	hft_spin_until(hft_now() + (uintptr_t)arg);
	done->end[call->node] = hft_now();
	return 0;
}

static uint32_t add(struct machine *m, uint64_t ns)
{
	HFT_OPTS(hft_node_opts, opts, .cost_ns = ns, .fn = take, .arg = (void *)(uintptr_t)ns);
	int node = hft_graph_add_node(m->graph, &opts);

	assert_in_range(node, 0, NODES - 1);
	return (uint32_t)node;
}

static void edge(struct machine *m, uint32_t from, uint32_t to)
{
	assert_int_equal(hft_graph_add_edge(m->graph, from, to, 0), 0);
}

struct run {
	struct hft_graph *graph;
	const struct hft_run_opts *opts;
	struct hft_run_result *result;
};

static int64_t run_graph(void *args)
{
	const struct run *run = args;

	return hft_graph_run(run->graph, run->opts, run->result);
}

/* By the workers alone: one of them is the caller.  Returns how long it took. */
static uint64_t run(struct machine *m, struct done *done, const struct hft_run_opts *user_opts)
{
	struct hft_run_opts opts = user_opts ? *user_opts : (struct hft_run_opts){
		.sz = sizeof(opts),
	};
	struct hft_run_result result = { .sz = sizeof(result) };
	struct run args = { .graph = m->graph, .opts = &opts, .result = &result };
	struct hft_group group;

	*done = (struct done){};
	opts.tick = done;
	hft_group_init(&group, m->pool);
	assert_int_equal(hft_group_spawn(&group, run_graph, &args, sizeof(args)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(result.executed, hft_graph_nodes(m->graph));
	return result.end_ns - result.start_ns;
}

/* One worker: the order is all there is. */
static void by_rank_or_by_submission(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 1);
	HFT_OPTS(hft_graph_opts, graph);
	HFT_OPTS(hft_run_opts, submission, .order = HFT_ORDER_SUBMISSION);
	static const uint32_t by_rank[] = { 2, 4, 1, 0, 3 }, by_submission[] = { 0, 1, 2, 3, 4 };
	struct machine m;
	struct done done;

	(void)state;
	open_machine(&m, &pool, &graph);
	add(&m, 1 * US);
	add(&m, 5 * US);
	add(&m, 2 * US);
	add(&m, 1 * US);
	add(&m, 9 * US);
	edge(&m, 0, 3);
	edge(&m, 2, 4);
	assert_int_equal(hft_graph_seal(m.graph), 0);
	assert_int_equal(run(&m, &done, NULL), 18 * US);
	assert_memory_equal(done.order, by_rank, sizeof(by_rank));
	assert_int_equal(run(&m, &done, &submission), 18 * US);
	assert_memory_equal(done.order, by_submission, sizeof(by_submission));
	close_machine(&m);
}

/* All that a run has learned is one change of the path. */
static void a_run_is_learned_at_its_end(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 2);
	HFT_OPTS(hft_graph_opts, graph);
	struct hft_graph_change change[2];
	uint32_t path[NODES], i;
	struct machine m;
	struct done done;

	(void)state;
	open_machine(&m, &pool, &graph);
	for (i = 0; i < 6; i++) {
		add(&m, 8 * US);
		if (i && i != 3)
			edge(&m, i - 1, i);
	}
	assert_int_equal(hft_graph_seal(m.graph), 0);
	for (i = 0; i < 6; i++)
		assert_int_equal(hft_graph_set_cost(m.graph, i, i < 3 ? 10 * US : i * US), 0);
	assert_int_equal(hft_graph_length(m.graph), 30 * US);
	assert_int_equal(hft_graph_changes(m.graph, 0, change, 2, NULL), 2);
	i = 0;
	while (hft_graph_changes(m.graph, i, change, 1, NULL))
		i++;
	run(&m, &done, NULL);
	assert_int_equal(hft_graph_changes(m.graph, i, change, 2, NULL), 1);
	assert_int_equal(change[0].cause, HFT_CAUSE_LEARNED);
	assert_int_equal(change[0].node, 3);
	assert_int_equal(change[0].new_length_ns, 24 * US);
	assert_int_equal(hft_graph_path(m.graph, path, NODES), 3);
	close_machine(&m);
}

/* A source, a line of three of 10 us, and beside each two of 4 us. */
static void make_line_with_others(struct machine *m)
{
	uint32_t i, k, last = add(m, 1 * US);

	for (i = 0; i < 3; i++) {
		uint32_t next = add(m, 10 * US);

		edge(m, last, next);
		for (k = 0; k < 2; k++)
			edge(m, last, add(m, 4 * US));
		last = next;
	}
	assert_int_equal(hft_graph_seal(m->graph), 0);
}

static const uint32_t line[] = { 1, 4, 7 };

static bool is_of_line(uint32_t node)
{
	return node == line[0] || node == line[1] || node == line[2];
}

/* The path's nodes are there as soon as they can be, and no other is. */
static void a_reserved_worker_runs_the_path(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 3, .reserved = 1);
	HFT_OPTS(hft_graph_opts, graph, .reserved = 1 + 2);
	struct machine m;
	struct done done;
	uint32_t i, n;

	(void)state;
	open_machine(&m, &pool, &graph);
	make_line_with_others(&m);
	for (n = 0; n < 10; n++) {
		assert_int_equal(run(&m, &done, NULL), 31 * US);
		for (i = 1; i < 10; i++)
			assert_int_equal(done.worker[i] == 2, is_of_line(i));
	}
	close_machine(&m);
}

/* With it gone, and with nobody else to run them: nothing waits in vain. */
static void without_it_others_run_the_path(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 3, .reserved = 1);
	HFT_OPTS(hft_graph_opts, graph, .reserved = 1 + 2);
	struct machine m;
	struct done done;

	(void)state;
	open_machine(&m, &pool, &graph);
	make_line_with_others(&m);
	assert_int_equal(hft_pool_remove_worker(m.pool, 2), 0);
	assert_true(run(&m, &done, NULL) <= 39 * US);
	assert_int_equal(hft_pool_remove_worker(m.pool, 0), 0);
	assert_int_equal(run(&m, &done, NULL), 55 * US);
	close_machine(&m);
}

/* Two nodes of 10 us, each of a book, and where these were. */
static uint64_t run_books(uint32_t miss_ns, uint32_t first, uint32_t second, struct done *done)
{
	struct hft_memory book[2] = {
		{ .last = 1 + first, .miss_ns = miss_ns },
		{ .last = 1 + second, .miss_ns = miss_ns },
	};
	HFT_OPTS(hft_pool_opts, pool, .workers = 2);
	HFT_OPTS(hft_graph_opts, graph);
	struct machine m;
	uint64_t took;
	uint32_t i;

	open_machine(&m, &pool, &graph);
	add(&m, 1 * US);
	for (i = 0; i < 2; i++) {
		HFT_OPTS(hft_node_opts, opts, .cost_ns = 10 * US, .fn = take,
			 .arg = (void *)(uintptr_t)(10 * US), .memory = &book[i]);

		assert_int_equal(hft_graph_add_node(m.graph, &opts), 1 + i);
		edge(&m, 0, 1 + i);
	}
	assert_int_equal(hft_graph_seal(m.graph), 0);
	took = run(&m, done, NULL);
	for (i = 0; i < 2; i++)
		assert_int_equal(book[i].last, 1 + done->worker[1 + i]);
	close_machine(&m);
	return took;
}

static void nodes_go_where_their_memory_is(void **state)
{
	struct done done;

	(void)state;
	assert_int_equal(run_books(5 * US, 0, 1, &done), 11 * US);
	assert_true(done.worker[1] == 0 && done.worker[2] == 1);
	assert_int_equal(run_books(5 * US, 1, 0, &done), 11 * US);
	assert_true(done.worker[1] == 1 && done.worker[2] == 0);
}

/* The second would wait there for 10 us. */
static void unless_it_costs_more_to_wait(void **state)
{
	struct done done;
	uint32_t home;

	(void)state;
	for (home = 0; home < 2; home++) {
		assert_int_equal(run_books(9 * US, home, home, &done), 11 * US);
		assert_int_not_equal(done.worker[1], done.worker[2]);
		assert_int_equal(run_books(10 * US, home, home, &done), 21 * US);
		assert_int_equal(done.worker[1], home);
		assert_int_equal(done.worker[2], home);
	}
}

/*
 * Ten nodes of 4 us, and after one of 2 us one of 5 us, of a book.  That is at home after
 * the node that its worker is at, though there are others that came before it.
 */
static void what_is_sent_home_goes_first(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 2);
	HFT_OPTS(hft_graph_opts, graph);
	struct hft_memory book = { .miss_ns = 8 * US };
	HFT_OPTS(hft_node_opts, opts, .cost_ns = 5 * US, .fn = take,
		 .arg = (void *)(uintptr_t)(5 * US), .memory = &book);
	struct machine m;
	struct done done;
	uint32_t i, home;

	(void)state;
	for (home = 0; home < 2; home++) {
		open_machine(&m, &pool, &graph);
		for (i = 0; i < 10; i++)
			add(&m, 4 * US);
		add(&m, 2 * US);
		assert_int_equal(hft_graph_add_node(m.graph, &opts), 11);
		edge(&m, 10, 11);
		assert_int_equal(hft_graph_seal(m.graph), 0);
		book.last = 1 + home;
		run(&m, &done, NULL);
		assert_int_equal(done.worker[11], home);
		assert_int_equal(done.start[11] - m.start,
				 (uint32_t)done.worker[10] == home ? 2 * US : 4 * US);
		close_machine(&m);
	}
}

static void the_slack_is_shared_out(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 2);
	HFT_OPTS(hft_graph_opts, graph);
	HFT_OPTS(hft_run_opts, opts);
	struct machine m;
	struct done done;
	uint32_t i;

	(void)state;
	open_machine(&m, &pool, &graph);
	for (i = 0; i < 3; i++)
		add(&m, (1 + i) * US);
	add(&m, 2 * US);
	edge(&m, 0, 1);
	edge(&m, 1, 2);
	edge(&m, 0, 3);
	assert_int_equal(hft_graph_seal(m.graph), 0);
	opts.deadline = hft_now() + 60 * US;
	assert_int_equal(run(&m, &done, &opts), 6 * US);
	assert_int_equal(done.deadline[0], m.start + 10 * US);
	assert_int_equal(done.deadline[1], m.start + 30 * US);
	assert_int_equal(done.deadline[2], m.start + 60 * US);
	assert_int_equal(done.deadline[3], m.start + 60 * US);

	m.start = hft_now();
	opts.deadline = m.start + 60 * US;
	opts.split = HFT_SPLIT_LATEST;
	assert_int_equal(run(&m, &done, &opts), 6 * US);
	assert_int_equal(done.deadline[0], m.start + 55 * US);
	assert_int_equal(done.deadline[1], m.start + 57 * US);
	assert_int_equal(done.deadline[2], m.start + 60 * US);
	assert_int_equal(done.deadline[3], m.start + 60 * US);
	close_machine(&m);
}

static struct hft_run *start(struct machine *m, struct done *done, uint64_t deadline)
{
	HFT_OPTS(hft_run_opts, opts, .tick = done, .deadline = deadline);
	struct hft_run *run;

	*done = (struct done){};
	assert_int_equal(hft_graph_start(m->graph, &opts, &run), 0);
	return run;
}

/* On one worker, of two runs: by their deadlines, also that of one that came later. */
static void the_more_urgent_run_goes_first(void **state)
{
	HFT_OPTS(hft_pool_opts, pool, .workers = 1);
	HFT_OPTS(hft_graph_opts, graph);
	struct hft_run *late, *soon;
	struct done late_done, soon_done;
	struct machine m;
	uint32_t i;

	(void)state;
	open_machine(&m, &pool, &graph);
	for (i = 0; i < 3; i++) {
		add(&m, 10 * US);
		if (i)
			edge(&m, i - 1, i);
	}
	assert_int_equal(hft_graph_seal(m.graph), 0);
	late = start(&m, &late_done, m.start + 10000 * US);
	soon = start(&m, &soon_done, m.start + 500 * US);
	hft_spin_until(m.start + 100 * US);
	assert_int_equal(hft_run_wait(late, 0, NULL), 0);
	assert_int_equal(hft_run_wait(soon, 0, NULL), 0);
	assert_int_equal(soon_done.start[0], m.start);
	assert_int_equal(late_done.start[0], soon_done.end[2]);

	m.start = hft_now();
	late = start(&m, &late_done, m.start + 10000 * US);
	hft_spin_until(m.start + 15 * US);
	soon = start(&m, &soon_done, m.start + 500 * US);
	hft_spin_until(m.start + 100 * US);
	assert_int_equal(hft_run_wait(late, 0, NULL), 0);
	assert_int_equal(hft_run_wait(soon, 0, NULL), 0);
	assert_int_equal(late_done.start[1], m.start + 10 * US);
	assert_int_equal(soon_done.start[0], m.start + 20 * US);
	assert_int_equal(late_done.start[2], m.start + 50 * US);
	close_machine(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_rank_or_by_submission),
		cmocka_unit_test(a_run_is_learned_at_its_end),
		cmocka_unit_test(a_reserved_worker_runs_the_path),
		cmocka_unit_test(without_it_others_run_the_path),
		cmocka_unit_test(nodes_go_where_their_memory_is),
		cmocka_unit_test(unless_it_costs_more_to_wait),
		cmocka_unit_test(what_is_sent_home_goes_first),
		cmocka_unit_test(the_slack_is_shared_out),
		cmocka_unit_test(the_more_urgent_run_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
