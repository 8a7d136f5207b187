/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run of a graph.
 *
 * By one thread, in the topological order, if all of it costs less than to have others
 * help; else by whoever is there: nodes that could run are in a heap by rank, and each
 * helper, a task of the pool, runs the best until there is none.  Who runs a node finds
 * which others could run then, and asks for a helper for each but one.
 *
 * With a worker that is reserved the nodes of the critical path have a heap of their own.
 * The helper there takes these alone; the others do so when they have no other.  What it
 * lets go of others it never runs: it sees that there is another helper, or is one itself.
 * So nobody leaves a node behind that nobody would come for.
 */
#ifndef HFT_GRAPH_RUN_H
#define HFT_GRAPH_RUN_H

#include "../lock.h"
#include "internal.h"
#include "internal.h"

/* Of hft_run.waits: a node of which an edge was followed, and one that is waited for. */
#define HFT_RUN_FOLLOWED	(1ULL << 32)
#define HFT_RUN_WAITS(w)	((uint32_t)(w))

/**
 * struct hft_run - a run
 * @graph: of which
 * @opts: how
 * @call: what its nodes are told
 * @start: CLOCK_MONOTONIC
 * @end: likewise
 * @measured: nodes are timed
 * @refs: who uses it: who waits for it, and helpers
 * @left: nodes that have not ended
 * @state: futex
 * @error: of the node that failed first, or 0
 * @failed: 1 + that
 * @unattended: a worker is to be asked for help
 * @executed: nodes
 * @skipped: nodes
 * @late: nodes
 * @waits: of each node how many it waits for, and how many edges to it were followed
 * @lock: of @ready to @unguarded
 * @ready: nodes that could run, by rank; its items are @items
 * @path: likewise, those of the critical path, if a worker is reserved
 * @helpers: who takes from both, or was asked to
 * @guarded: a helper takes from @path alone, or was asked to
 * @unguarded: none comes: @path is empty
 * @seq: how many there were
 * @next: of hft_graph.idle
 * @next_of_all: of hft_graph.all
 */
struct hft_run {
	struct hft_graph *graph;
	struct hft_run_opts opts;
	uint64_t start;
	uint64_t end;
	bool measured;
	_Atomic uint32_t refs;
	_Atomic uint32_t left;
	_Atomic uint32_t state;
	_Atomic int error;
	_Atomic uint32_t failed;
	_Atomic bool unattended;
	_Atomic uint32_t executed;
	_Atomic uint32_t skipped;
	_Atomic uint32_t late;
	_Atomic uint64_t *waits;
	struct hft_lock lock;
	struct hft_heap ready;
	struct hft_heap path;
	uint32_t helpers;
	bool guarded;
	bool unguarded;
	struct hft_heap_item *items;
	uint64_t seq;
	struct hft_run *next;
	struct hft_run *next_of_all;
};

/* execute.c */
uint64_t hft_run_deadline(const struct hft_run *run, uint32_t number);
void hft_run_fail(struct hft_run *run, uint32_t node, int err);
int hft_run_try(struct hft_run *run, uint32_t number, bool followed);
bool hft_run_follows(const struct hft_graph_edge *edge, int ret);
void hft_run_reset_waits(struct hft_run *run);
void hft_run_alone(struct hft_run *run);

/* help.c */
int hft_run_begin(struct hft_run *run, bool caller_helps);
void hft_run_ask(struct hft_run *run);
void hft_run_help(struct hft_run *run);

/* run.c */
void hft_run_put(struct hft_run *run);
void hft_run_end(struct hft_run *run);

#endif /* HFT_GRAPH_RUN_H */
