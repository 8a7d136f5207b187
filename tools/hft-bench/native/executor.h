/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool and its peers: the same work for each; and what has no peer. */
#ifndef HFT_BENCH_EXECUTOR_H
#define HFT_BENCH_EXECUTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EXECUTOR_FIB		27
#define EXECUTOR_FIB_SPAWNS	317810	/* of fib(27), that are spawned and not called */

/**
 * struct executor_side - an executor of two threads, or of one worker beside the caller
 * @name: of it
 * @create: it; NULL: it can not be had
 * @destroy: end it
 * @spawn_worker: spawn @nr empty tasks from a task, and wait for them: ns of the spawning
 *	in @spawn_ns, of all in @total_ns
 * @spawn_outside: spawn @nr empty tasks from a thread that is no worker: ns
 * @fib: fib(%EXECUTOR_FIB), a task for each of the first of two calls: ns
 * @graph: run a graph of one node, eight, and one, all empty, @nr times: ns of each
 */
struct executor_side {
	const char *name;
	void *(*create)(void);
	void (*destroy)(void *side);
	void (*spawn_worker)(void *side, unsigned int nr, double *spawn_ns, double *total_ns);
	double (*spawn_outside)(void *side, unsigned int nr);
	double (*fib)(void *side);
	void (*graph)(void *side, unsigned int nr, double *ns);
};

extern const struct executor_side executor_hft;
extern const struct executor_side executor_tbb;

typedef void (*executor_fn)(void *arg);

/**
 * struct executor_queue - a queue, of functions to call
 * @name: of it
 * @package: that it is in
 * @create: it, with room for %EXECUTOR_QUEUE at least; NULL: it can not be had
 * @destroy: end it
 * @put: add a call; false: there is no room
 * @run: take the oldest, and call it; false: there is none
 *
 * Any number of threads do both at a time.
 */
struct executor_queue {
	const char *name;
	const char *package;
	void *(*create)(void);
	void (*destroy)(void *queue);
	bool (*put)(void *queue, executor_fn fn, void *arg);
	bool (*run)(void *queue);
};

#define EXECUTOR_QUEUE		8192

extern const struct executor_queue executor_moodycamel;
extern const struct executor_queue executor_ck;
extern const struct executor_queue executor_dpdk;

/* executor_queue.c: ns to put @nr calls, which another thread makes, and to put and run them */
double executor_queue_outside(const struct executor_queue *queue, void *it, unsigned int nr);
double executor_queue_total(const struct executor_queue *queue, void *it, unsigned int nr);

/* executor.c */
void executor_check(int err);

/* executor_own.c */
void executor_one_worker(void);
void executor_ranks(void);

/* executor_steal.c */
void executor_steals(void);

/* executor_memory.c */
void executor_memory(void);

#ifdef __cplusplus
}
#endif

#endif /* HFT_BENCH_EXECUTOR_H */
