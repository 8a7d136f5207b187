/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool and its peers: the same work for each. */
#ifndef HFT_BENCH_EXECUTOR_H
#define HFT_BENCH_EXECUTOR_H

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

#ifdef __cplusplus
}
#endif

#endif /* HFT_BENCH_EXECUTOR_H */
