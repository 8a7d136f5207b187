// SPDX-License-Identifier: LGPL-2.1-or-later
/* Runs of a graph: several may be in flight. */
#include <errno.h>
#include <stdlib.h>
#include <hft/hft.h>

#include "../pool/wait.h"
#include "run.h"

/*
 * The first runs are measured, then, of graphs that are over before they could be, one in
 * so many: fewer than what a p99 tells.
 */
#define MEASURE_FIRST	8
#define MEASURE_EACH	128

/* Is it more than it costs to have another worker run half of it? */
static bool is_long(const struct hft_graph *graph)
{
	return atomic_load_explicit(&graph->work, memory_order_relaxed) > 2 * graph->hop;
}

static bool is_measured(struct hft_graph *graph)
{
	uint64_t runs;

	if (!graph->learns)
		return false;
	runs = atomic_fetch_add_explicit(&graph->runs, 1, memory_order_relaxed);
	return runs < MEASURE_FIRST || runs % MEASURE_EACH == 0 || is_long(graph);
}

static void free_heap(struct hft_heap *heap)
{
	if (heap->node)
		free(heap->node - HFT_HEAP_PAD);
}

/* Returns 0 or -ENOMEM. */
static int make_heap(struct hft_heap *heap, uint32_t capacity)
{
	void *memory = aligned_alloc(HFT_HEAP_ALIGN, hft_heap_bytes(capacity));

	if (!memory)
		return -ENOMEM;
	hft_heap_init(heap, memory, capacity);
	return 0;
}

static void run_free(struct hft_run *run)
{
	free_heap(&run->ready);
	free_heap(&run->path);
	free(run->items);
	free((void *)run->waits);
	free(run);
}

static int run_alloc(struct hft_run *run, const struct hft_graph *graph)
{
	uint32_t nr = graph->nr_nodes;

	run->items = calloc(nr, sizeof(*run->items));
	run->waits = calloc(nr, sizeof(*run->waits));
	if (!run->items || !run->waits || make_heap(&run->ready, nr))
		return -ENOMEM;
	return graph->reserved ? make_heap(&run->path, nr) : 0;
}

static struct hft_run *run_make(struct hft_graph *graph)
{
	struct hft_run *run = calloc(1, sizeof(*run));
	uint32_t i;

	if (!run)
		return NULL;
	if (run_alloc(run, graph)) {
		run_free(run);
		return NULL;
	}
	for (i = 0; i < graph->nr_nodes; i++)
		hft_heap_item_init(&run->items[i]);
	run->graph = graph;
	pthread_mutex_lock(&graph->lock);
	run->next_of_all = graph->all;
	graph->all = run;
	pthread_mutex_unlock(&graph->lock);
	return run;
}

/* A run that is not used, or NULL. */
static struct hft_run *run_take(struct hft_graph *graph)
{
	struct hft_run *run;

	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	run = graph->idle;
	if (run)
		graph->idle = run->next;
	pthread_mutex_unlock(&graph->lock);
	return run ? run : run_make(graph);
}

/* What is done before a node is part of its deadline. */
static void find_deadlines(struct hft_graph *graph, const struct hft_run_opts *opts)
{
	if (!opts->deadline || opts->split != HFT_SPLIT_SHARED)
		return;
	pthread_mutex_lock(&graph->lock);
	hft_graph_time(graph);
	pthread_mutex_unlock(&graph->lock);
}

/* The last who uses it makes it be used again. */
void hft_run_put(struct hft_run *run)
{
	struct hft_graph *graph = run->graph;

	if (atomic_fetch_sub_explicit(&run->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&graph->lock);
	hft_graph_settle(graph);
	run->next = graph->idle;
	graph->idle = run;
	pthread_mutex_unlock(&graph->lock);
}

/* What helpers have not yet found out is over. */
void hft_graph_free_runs(struct hft_graph *graph)
{
	struct hft_run *run;

	hft_group_wait(&graph->helpers, UINT64_MAX);
	while ((run = graph->all)) {
		graph->all = run->next_of_all;
		run_free(run);
	}
}

static void run_reset(struct hft_run *run, const struct hft_run_opts *opts)
{
	find_deadlines(run->graph, opts);
	run->opts = *opts;
	run->start = hft_now();
	run->measured = is_measured(run->graph);
	atomic_store_explicit(&run->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&run->left, run->graph->nr_nodes, memory_order_relaxed);
	atomic_store_explicit(&run->state, 0, memory_order_relaxed);
	atomic_store_explicit(&run->error, 0, memory_order_relaxed);
	atomic_store_explicit(&run->failed, 0, memory_order_relaxed);
	atomic_store_explicit(&run->unattended, false, memory_order_relaxed);
	atomic_store_explicit(&run->executed, 0, memory_order_relaxed);
	atomic_store_explicit(&run->skipped, 0, memory_order_relaxed);
	atomic_store_explicit(&run->late, 0, memory_order_relaxed);
}

/* All nodes have ended. */
void hft_run_end(struct hft_run *run)
{
	run->end = hft_now();
	hft_wait_done(run->graph->pool, &run->state);
}

static int read_opts(const struct hft_graph *graph, const struct hft_run_opts *user,
		     struct hft_run_opts *opts)
{
	int err = hft_read_opts(opts, sizeof(*opts), user);

	if (err)
		return err;
	if (!graph->sealed)
		return hft_fail(EBUSY, "the graph is not sealed");
	if (opts->level > HFT_LEVELS)
		return hft_fail(EINVAL, "there is no level %u", opts->level - 1);
	if (opts->order >= HFT_ORDERS)
		return hft_fail(EINVAL, "there is no order %u", opts->order);
	if (opts->split >= HFT_SPLITS)
		return hft_fail(EINVAL, "there is no split %u", opts->split);
	return 0;
}

/* Returns the error of the run. */
static int read_result(const struct hft_run *run, struct hft_run_result *user)
{
	struct hft_run_result result = {
		.start_ns = run->start,
		.end_ns = run->end,
		.executed = atomic_load_explicit(&run->executed, memory_order_relaxed),
		.skipped = atomic_load_explicit(&run->skipped, memory_order_relaxed),
		.late = atomic_load_explicit(&run->late, memory_order_relaxed),
		.failed = atomic_load_explicit(&run->failed, memory_order_relaxed),
	};

	if (user)
		hft_answer(user, &result, sizeof(result));
	return atomic_load_explicit(&run->error, memory_order_relaxed);
}

/* By the calling thread alone: no run is taken, unless there are branches. */
static int run_alone(struct hft_graph *graph, const struct hft_run_opts *opts,
		     struct hft_run_result *result)
{
	struct hft_run *taken = NULL, run = {};
	int err;

	if (graph->branches) {
		taken = run_take(graph);
		if (!taken)
			return hft_fail(ENOMEM, "a run");
		run.waits = taken->waits;
	}
	run.graph = graph;
	run.opts = *opts;
	run.measured = is_measured(graph);
	find_deadlines(graph, opts);
	if (result || opts->deadline)
		run.start = hft_now();
	hft_run_alone(&run);
	if (result)
		run.end = hft_now();
	err = read_result(&run, result);
	if (taken) {
		atomic_store_explicit(&taken->refs, 1, memory_order_relaxed);
		hft_run_put(taken);
	} else if (run.measured) {
		pthread_mutex_lock(&graph->lock);
		hft_graph_settle(graph);
		pthread_mutex_unlock(&graph->lock);
	}
	return err;
}

/**
 * hft_graph_start() - begin a run of a graph
 * @graph: sealed, with a pool
 * @user_opts: options or NULL
 * @out: out: to wait for it by
 *
 * Any number of runs may be in flight.  Does not block.
 *
 * Return: 0, -EBUSY the graph is not sealed, -EINVAL an option is out of range or the
 * graph has no pool, -E2BIG the options are of a newer library, -ENOMEM, -ESHUTDOWN the
 * pool is being closed.  After an error no node has begun.
 */
HFT_API int hft_graph_start(struct hft_graph *graph, const struct hft_run_opts *user_opts,
			    struct hft_run **out)
{
	struct hft_run_opts opts;
	struct hft_run *run;
	int err = read_opts(graph, user_opts, &opts);

	if (err)
		return err;
	if (!graph->pool)
		return hft_fail(EINVAL, "a graph without a pool: hft_graph_run() runs it");
	run = run_take(graph);
	if (!run)
		return hft_fail(ENOMEM, "a run");
	run_reset(run, &opts);
	err = hft_run_begin(run, false);
	if (err) {
		hft_run_put(run);
		return hft_fail(-err, "no worker to run the graph");
	}
	*out = run;
	return 0;
}

/**
 * hft_run_wait() - wait for the end of a run
 * @run: of hft_graph_start(); with other than -ETIMEDOUT it is of no use any more
 * @timeout: CLOCK_MONOTONIC, ns; 0: do not wait; UINT64_MAX: for ever
 * @result: sz is set; the rest is filled in, as far as the caller knows it; or NULL
 *
 * Unless the timeout is 0 the caller runs nodes of it, if there are any that could run.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED the token was cancelled before all nodes had begun,
 * or what a node returned by which the run has failed.  -EINVAL with the size of @result
 * not set: the run can still be waited for.
 */
HFT_API int hft_run_wait(struct hft_run *run, uint64_t timeout, struct hft_run_result *result)
{
	struct hft_wait_for wait = hft_wait_for_done(&run->state);
	int err = result ? hft_check_answer(result) : 0;

	if (err)
		return err;
	if (timeout)
		hft_run_help(run);
	else if (atomic_exchange_explicit(&run->unattended, false, memory_order_relaxed))
		hft_run_ask(run);
	err = hft_wait_until(run->graph->pool, &wait, timeout);
	if (err)
		return err;
	err = read_result(run, result);
	hft_run_put(run);
	return err;
}

/**
 * hft_graph_run() - run a graph
 * @graph: sealed
 * @user_opts: options or NULL
 * @result: sz is set; the rest is filled in, as far as the caller knows it; or NULL
 *
 * The caller runs nodes, too; all of them if there is no pool, or if they cost less than
 * to have others help.
 *
 * Return: 0, or an error of hft_graph_start() or hft_run_wait().
 */
HFT_API int hft_graph_run(struct hft_graph *graph, const struct hft_run_opts *user_opts,
			  struct hft_run_result *result)
{
	struct hft_run_opts opts;
	struct hft_run *run;
	int err = read_opts(graph, user_opts, &opts);

	if (!err && result)
		err = hft_check_answer(result);
	if (err)
		return err;
	if (!graph->pool || !is_long(graph))
		return run_alone(graph, &opts, result);
	run = run_take(graph);
	if (!run)
		return hft_fail(ENOMEM, "a run");
	run_reset(run, &opts);
	hft_run_begin(run, true);
	return hft_run_wait(run, UINT64_MAX, result);
}
