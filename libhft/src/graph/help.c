// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who runs the nodes of a run, and who else is asked to. */
#include <errno.h>
#include <hft/hft.h>

#include "../pool/internal.h"
#include "run.h"

#define NONE		UINT32_MAX

/**
 * enum who - who runs nodes
 * @HELPER: a task of the pool
 * @CALLER: who waits for the run
 * @GUARD: a task of the reserved worker
 */
enum who {
	HELPER,
	CALLER,
	GUARD
};

/**
 * struct helper - arguments of a task that helps
 * @run: of which
 * @first: node that it begins with, which is in no heap, or NONE
 * @who: HELPER or GUARD
 */
struct helper {
	struct hft_run *run;
	uint32_t first;
	enum who who;
};

/**
 * struct turn - what to do next
 * @node: to run that, or NONE
 * @yields: to leave it to a helper in its turn: another task of the pool goes before it
 * @level: of the node
 * @deadline: likewise, or 0
 */
struct turn {
	uint32_t node;
	bool yields;
	uint32_t level;
	uint64_t deadline;
};

/**
 * struct released - nodes that were let go
 * @who: by whom
 * @nr: of those that are not the guard's the ones that cost more than to have another
 *	worker run them
 * @others: of those that are not the guard's
 * @level: the highest of @nr
 * @deadline: the earliest, or 0
 * @ask: how many helpers to ask
 * @ask_guard: and the guard
 */
struct released {
	enum who who;
	uint32_t nr;
	uint32_t others;
	uint32_t level;
	uint64_t deadline;
	uint32_t ask;
	bool ask_guard;
};

/**
 * struct node_call - a node that is run
 * @call: it
 * @run: of which
 * @node: which
 * @who: by whom
 * @worker: that it is, if what its nodes cost is counted, or NULL
 * @cost: of the node, ns
 */
struct node_call {
	struct hft_call call;
	struct hft_run *run;
	uint32_t node;
	enum who who;
	struct hft_pool_worker *worker;
	uint64_t cost;
};

static int64_t run_helper(void *args);

static uint32_t level_of(const struct hft_run *run)
{
	return run->opts.level ? run->opts.level - 1 : HFT_LEVEL_NORMAL;
}

static bool is_critical(const struct hft_run *run, uint32_t node)
{
	return run->opts.order == HFT_ORDER_RANK &&
	       hft_node_is_critical(&run->graph->nodes[node]);
}

/* A node of the critical path is one level above the others. */
static uint32_t level_of_node(const struct hft_run *run, uint32_t node)
{
	uint32_t level = level_of(run);

	return level < HFT_LEVEL_REALTIME && is_critical(run, node) ? level + 1 : level;
}

static void push(struct hft_run *run, struct hft_heap *heap, uint32_t node)
{
	struct hft_heap_item *item = &run->items[node];
	uint64_t key = 0;

	if (run->opts.order == HFT_ORDER_RANK)
		key = ~hft_node_rank(&run->graph->nodes[node]);
	item->seq = run->seq++;
	hft_heap_push(heap, item, key);
}

static uint32_t node_of(const struct hft_run *run, const struct hft_heap_item *item)
{
	return (uint32_t)(item - run->items);
}

/* More helpers, or less. */
static void count_helpers(struct hft_run *run, int change)
{
	hft_lock(&run->lock);
	run->helpers += (uint32_t)change;
	hft_unlock(&run->lock);
}

/* Have a worker come.  Returns 0, or an error: the others do it all. */
static int ask(struct hft_run *run, uint32_t first, enum who who, struct hft_spawn_opts *opts)
{
	struct helper helper = { .run = run, .first = first, .who = who };
	int err;

	opts->group = &run->graph->helpers;
	atomic_fetch_add_explicit(&run->refs, 1, memory_order_relaxed);
	err = hft_spawn_opts(run->graph->pool, run_helper, &helper, sizeof(helper), opts, NULL);
	if (err)
		hft_run_put(run);
	return err;
}

/* A helper, which counts already. */
static int ask_helper(struct hft_run *run, uint32_t level, uint64_t deadline)
{
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + level, .deadline = deadline);
	int err = ask(run, NONE, HELPER, &opts);

	if (err)
		count_helpers(run, -1);
	return err;
}

/* Have a worker help; without one, who waits tries again, or helps. */
void hft_run_ask(struct hft_run *run)
{
	count_helpers(run, 1);
	if (ask_helper(run, level_of(run), run->opts.deadline))
		atomic_store_explicit(&run->unattended, true, memory_order_relaxed);
}

/* It has left, or has lost its thread: then the nodes of the path are as others. */
static void go_unguarded(struct hft_run *run)
{
	struct hft_heap_item *item;

	hft_lock(&run->lock);
	run->guarded = false;
	run->unguarded = true;
	while ((item = hft_heap_pop(&run->path)))
		push(run, &run->ready, node_of(run, item));
	hft_unlock(&run->lock);
}

/* Of the reserved worker. */
static void ask_guard(struct hft_run *run, uint64_t deadline)
{
	uint32_t level = level_of(run);
	HFT_OPTS(hft_spawn_opts, opts, .worker = run->graph->reserved, .deadline = deadline);

	opts.level = 1 + (level < HFT_LEVEL_REALTIME ? level + 1 : level);
	if (ask(run, NONE, GUARD, &opts))
		go_unguarded(run);
}

static struct hft_pool_worker *worker_of(const struct hft_run *run)
{
	struct hft_spawner *self = hft_spawner_of(run->graph->pool);

	return self ? self->worker : NULL;
}

/*
 * A node that another worker has the memory of is that one's, if it costs more to fetch
 * that than to have it run there.  Returns whether it is.
 */
static bool send_home(struct hft_run *run, uint32_t number)
{
	const struct hft_graph_node *node = &run->graph->nodes[number];
	const struct hft_pool_worker *self = worker_of(run);
	uint32_t home;

	if (!node->memory || node->memory->miss_ns < run->graph->hop)
		return false;
	home = hft_memory_home(run->graph->pool, node->memory);
	if (!home || (self && home == self->number + 1))
		return false;

	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + level_of_node(run, number),
		 .deadline = hft_run_deadline(run, number), .memory = node->memory,
		 .cost_ns = hft_node_cost(node));
	count_helpers(run, 1);
	if (!ask(run, number, HELPER, &opts))
		return true;
	count_helpers(run, -1);
	return false;
}

/*
 * Does a task that waits go before the node of @turn?  It does so before the helper that
 * is asked in the place of this one, too, or both would make way for ever.
 */
static bool is_outranked(const struct hft_run *run, enum who who, struct turn *turn)
{
	struct hft_pool_worker *worker = worker_of(run);
	uint64_t urgency, others;
	uint32_t fixed;

	if (!worker)
		return false;
	urgency = hft_queue_urgency(&worker->queue);
	fixed = hft_worker_fixed_level(worker);
	if (!worker->reserved) {
		others = hft_queue_urgency(&run->graph->pool->queue);
		urgency = others > urgency ? others : urgency;
	}
	if (__builtin_expect(!urgency && !fixed, 1))
		return false;
	turn->level = level_of_node(run, turn->node);
	turn->deadline = hft_run_deadline(run, turn->node);
	if (urgency > ~hft_queue_key(turn->level, turn->deadline))
		return true;
	/* Without a deadline a helper comes behind those, and a guard to the end of them. */
	if (!turn->deadline && who == HELPER)
		return fixed > turn->level;
	return fixed > turn->level + 1;
}

/* Nodes of the path are for the guard, and for others who have no other. */
static struct turn take(struct hft_run *run, enum who who, bool yields)
{
	struct turn turn = { .node = NONE };
	struct hft_heap *heap = &run->ready;

	hft_lock(&run->lock);
	if (who == GUARD || hft_heap_empty(heap))
		heap = &run->path;
	if (!hft_heap_empty(heap)) {
		turn.node = node_of(run, hft_heap_min(heap));
		turn.yields = yields && is_outranked(run, who, &turn);
		if (!turn.yields)
			hft_heap_pop(heap);
	} else if (who == GUARD) {
		run->guarded = false;
	} else {
		run->helpers--;
	}
	hft_unlock(&run->lock);
	return turn;
}

/* Is it for who is there for the path? */
static bool is_guards(const struct hft_run *run, uint32_t node)
{
	return run->graph->reserved && !run->unguarded && is_critical(run, node);
}

/* The lock is held. */
static void release(struct hft_run *run, uint32_t node, struct released *released)
{
	bool dear = hft_node_cost(&run->graph->nodes[node]) >= run->graph->hop;
	uint64_t deadline = dear ? hft_run_deadline(run, node) : 0;
	uint32_t level;

	if (deadline && (!released->deadline || deadline < released->deadline))
		released->deadline = deadline;
	if (is_guards(run, node) && (dear || released->who == GUARD)) {
		push(run, &run->path, node);
		return;
	}
	push(run, &run->ready, node);
	released->others++;
	if (!dear)
		return;
	level = level_of_node(run, node);
	if (level > released->level)
		released->level = level;
	released->nr++;
}

/*
 * Whom to ask: helpers for all but the one that the caller runs; the guard if the caller
 * has another.  A guard runs none of the others.  The lock is held.
 */
static void plan(struct hft_run *run, struct released *released)
{
	uint32_t stays = released->who != GUARD;

	released->ask = released->nr > stays ? released->nr - stays : 0;
	if (released->who == GUARD && released->others && !released->ask && !run->helpers)
		released->ask = 1;
	run->helpers += released->ask;
	released->ask_guard = !run->guarded && !hft_heap_empty(&run->path) &&
			      !hft_heap_empty(&run->ready);
	run->guarded |= released->ask_guard;
}

static void share(struct hft_run *run, const struct released *released)
{
	uint32_t i;

	if (released->ask_guard)
		ask_guard(run, released->deadline);
	for (i = 0; i < released->ask; i++)
		ask_helper(run, released->level, released->deadline);
}

/* @node has ended: release those that waited for it alone, whether they run or not. */
static void release_next(struct hft_run *run, uint32_t node, int ret, enum who who)
{
	const struct hft_graph *graph = run->graph;
	struct released released = { .who = who, .level = level_of(run) };
	bool locked = false;
	uint32_t i;

	for (i = graph->nodes[node].first_out; i < graph->nodes[node + 1].first_out; i++) {
		const struct hft_graph_edge *edge = &graph->edges[i];
		uint64_t change = hft_run_follows(edge, ret) ? HFT_RUN_FOLLOWED - 1 : -1ULL;
		uint64_t waits;

		/* What the node has done, before what comes after it begins. */
		waits = atomic_fetch_add_explicit(&run->waits[edge->to], change,
						  memory_order_acq_rel) + change;
		if (HFT_RUN_WAITS(waits))
			continue;
		if (!locked)
			hft_lock(&run->lock);
		locked = true;
		release(run, edge->to, &released);
	}
	if (!locked)
		return;
	plan(run, &released);
	hft_unlock(&run->lock);
	share(run, &released);
}

/* The last node to end ends the run. */
static void end_node(struct hft_run *run, uint32_t node, int ret, enum who who)
{
	release_next(run, node, ret, who);
	if (atomic_fetch_sub_explicit(&run->left, 1, memory_order_acq_rel) == 1)
		hft_run_end(run);
}

/* It has ended its thread, which is no helper any more, and so keeps the run for ever. */
static void abandon_node(struct hft_call *call)
{
	struct node_call *of = (struct node_call *)call;

	if (of->worker)
		hft_worker_expect(of->worker, -of->cost);
	if (of->who == GUARD)
		go_unguarded(of->run);
	else
		count_helpers(of->run, -1);
	hft_run_fail(of->run, of->node, -EOWNERDEAD);
	end_node(of->run, of->node, -EOWNERDEAD, HELPER);
	hft_run_ask(of->run);
}

/* What the node touches is the worker's, and others know how long it is at it. */
static void touch(struct node_call *call)
{
	const struct hft_graph_node *node = &call->run->graph->nodes[call->node];

	call->worker = worker_of(call->run);
	if (!call->worker)
		return;
	if (node->memory)
		hft_memory_touch(node->memory, call->worker);
	call->cost = hft_node_cost(node);
	hft_worker_expect(call->worker, call->cost);
}

/* @sent: as a task that counts what it costs already. */
static void run_node(struct hft_run *run, uint32_t node, enum who who, bool sent)
{
	uint64_t waits = atomic_load_explicit(&run->waits[node], memory_order_relaxed);
	struct node_call call = {
		.call.abandon = abandon_node,
		.run = run,
		.node = node,
		.who = who,
	};
	int ret;

	if (run->graph->memories && !sent)
		touch(&call);
	hft_call_begin(&call.call);
	ret = hft_run_try(run, node, waits >= HFT_RUN_FOLLOWED);
	hft_call_end(&call.call);
	if (call.worker)
		hft_worker_expect(call.worker, -call.cost);
	end_node(run, node, ret, who);
}

/* Nobody came for what the guard has let go: then it is a helper. */
static enum who still_guard(struct hft_run *run)
{
	enum who who = GUARD;

	hft_lock(&run->lock);
	if (!run->helpers && !hft_heap_empty(&run->ready)) {
		run->guarded = false;
		run->helpers++;
		who = HELPER;
	}
	hft_unlock(&run->lock);
	return who;
}

/*
 * The guard makes way, and may leave before it comes again: who else is there runs the nodes
 * of the path then, if anybody is.
 */
static bool is_last(struct hft_run *run)
{
	bool last;

	hft_lock(&run->lock);
	last = !run->helpers;
	run->helpers += last;
	hft_unlock(&run->lock);
	return last;
}

/* Have another come in the place of the caller, in its turn. */
static int ask_again(struct hft_run *run, enum who who, const struct turn *turn)
{
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + turn->level, .deadline = turn->deadline,
		 .worker = who == GUARD ? run->graph->reserved : 0);
	int err = 0;

	if (who == GUARD && is_last(run))
		err = ask_helper(run, turn->level, turn->deadline);
	return err ? err : ask(run, NONE, who, &opts);
}

/* Run the best node until there is none that could run. */
static void help(struct hft_run *run, enum who who)
{
	bool yields = who != CALLER;
	struct turn turn;

	while ((turn = take(run, who, yields)).node != NONE) {
		if (turn.yields) {
			if (!ask_again(run, who, &turn))
				return;
			yields = false;
			continue;
		}
		if (who != GUARD && send_home(run, turn.node))
			continue;
		run_node(run, turn.node, who, false);
		if (who == GUARD)
			who = still_guard(run);
	}
}

/* One that was sent home does not keep what else was. */
static int64_t run_helper(void *args)
{
	struct helper helper = *(struct helper *)args;
	struct hft_run *run = helper.run;
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + level_of(run), .deadline = run->opts.deadline);

	if (helper.first != NONE)
		run_node(run, helper.first, helper.who, true);
	if (helper.first == NONE || ask(run, NONE, HELPER, &opts))
		help(run, helper.who);
	hft_run_put(run);
	return 0;
}

/* As who waits for the run. */
void hft_run_help(struct hft_run *run)
{
	count_helpers(run, 1);
	help(run, CALLER);
}

static void discard(struct hft_run *run)
{
	while (hft_heap_pop(&run->ready) || hft_heap_pop(&run->path))
		;
}

/*
 * Make ready what waits for nothing, and ask for help with it, all if nobody else helps:
 * returns an error if nobody comes then, and no node has begun.
 */
int hft_run_begin(struct hft_run *run, bool caller_helps)
{
	const struct hft_graph *graph = run->graph;
	struct released released = { .who = CALLER, .level = level_of(run) };
	uint32_t i;
	int err;

	hft_run_reset_waits(run);
	hft_lock(&run->lock);
	run->guarded = run->unguarded = false;
	run->helpers = !caller_helps;
	for (i = 0; i < graph->nr_nodes; i++) {
		if (graph->nodes[i].first_in == graph->nodes[i + 1].first_in)
			release(run, i, &released);
	}
	plan(run, &released);
	hft_unlock(&run->lock);
	if (!caller_helps) {
		err = ask_helper(run, released.level, released.deadline);
		if (err) {
			discard(run);
			return err;
		}
	}
	share(run, &released);
	return 0;
}
