// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The pool beside oneTBB and beside queues, in turns: what a spawn costs, how many empty
 * tasks a second, fork and join, and a small graph.  Then what has no peer.
 *
 * Tasks are spawned from a worker TASKS in a row and then waited for, as in the figures of
 * others, and in a note BATCH, which stay in the first cache; from outside SPAWNS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hft/hft.h>

#include "executor.h"
#include "pin.h"
#include "quantile.h"

#define ROUNDS		11
#define BATCH		256
#define BATCHES		100		/* of a round */
#define SPAWNS		4096
#define OUTSIDE		8		/* of a round */
#define TASKS		50000
#define REPEATS		4		/* of a round */
#define GRAPHS		5000		/* of a round */

static const struct executor_queue *const queues[] = {
	&executor_moodycamel, &executor_ck, &executor_dpdk,
};

#define QUEUES	(sizeof(queues) / sizeof(queues[0]))

struct samples {
	double spawn_worker[ROUNDS * REPEATS];
	double spawn_batch[ROUNDS * BATCHES];
	double spawn_outside[ROUNDS * OUTSIDE];
	double rate[ROUNDS * REPEATS];
	double fib[ROUNDS];
	double graph[ROUNDS * GRAPHS];
};

void executor_check(int err)
{
	if (err >= 0)
		return;
	fprintf(stderr, "executor: %s\n", hft_strerror(err));
	exit(1);
}

/* From the first CPU, to a worker or a thread that is on the last. */
static void measure_outside(double (*spawn)(const void *by, void *it, unsigned int nr),
			    const void *by, void *it, double *ns)
{
	cpu_set_t before;
	unsigned int i;

	sched_getaffinity(0, sizeof(before), &before);
	pin(0);
	for (i = 0; i < OUTSIDE; i++)
		ns[i] = spawn(by, it, SPAWNS) / SPAWNS;
	sched_setaffinity(0, sizeof(before), &before);
}

static double spawn_into_side(const void *by, void *it, unsigned int nr)
{
	return ((const struct executor_side *)by)->spawn_outside(it, nr);
}

static double put_into_queue(const void *by, void *it, unsigned int nr)
{
	return executor_queue_outside(by, it, nr);
}

static void measure(const struct executor_side *side, void *it, struct samples *samples,
		    unsigned int round)
{
	double spawn, total;
	unsigned int i;

	for (i = 0; i < BATCHES; i++) {
		side->spawn_worker(it, BATCH, &spawn, &total);
		samples->spawn_batch[round * BATCHES + i] = spawn / BATCH;
	}
	measure_outside(spawn_into_side, side, it, &samples->spawn_outside[round * OUTSIDE]);
	for (i = 0; i < REPEATS; i++) {
		side->spawn_worker(it, TASKS, &spawn, &total);
		samples->spawn_worker[round * REPEATS + i] = spawn / TASKS;
		samples->rate[round * REPEATS + i] = TASKS * 1e9 / total;
	}
	samples->fib[round] = side->fib(it);
	side->graph(it, GRAPHS, &samples->graph[round * GRAPHS]);
}

static void measure_queue(const struct executor_queue *queue, void *it, struct samples *samples,
			  unsigned int round)
{
	unsigned int i;

	measure_outside(put_into_queue, queue, it, &samples->spawn_outside[round * OUTSIDE]);
	for (i = 0; i < REPEATS; i++)
		samples->rate[round * REPEATS + i] =
			TASKS * 1e9 / executor_queue_total(queue, it, TASKS);
}

static void print_outside(const char *name, struct samples *samples, const char *kind)
{
	printf("%s spawn_outside_ns %.1f%s\n", kind,
	       median(samples->spawn_outside, ROUNDS * OUTSIDE), name);
	printf("%s pool_tasks_per_s %.0f%s\n", kind, median(samples->rate, ROUNDS * REPEATS), name);
}

static void print(const char *name, struct samples *samples, const char *kind)
{
	printf("%s spawn_worker_ns %.1f%s\n", kind,
	       median(samples->spawn_worker, ROUNDS * REPEATS), name);
	print_outside(name, samples, kind);
	printf("%s dag10_p50_ns %.0f%s\n", kind,
	       quantile(samples->graph, ROUNDS * GRAPHS, 0.5), name);
	printf("%s dag10_p99_ns %.0f%s\n", kind,
	       quantile(samples->graph, ROUNDS * GRAPHS, 0.99), name);
}

static void print_queue(const struct executor_queue *queue, struct samples *samples)
{
	char name[64];

	snprintf(name, sizeof(name), " %s", queue->name);
	print_outside(name, samples, "peer");
}

static void print_ratios(struct samples *hft, struct samples *tbb, double *ratio)
{
	printf("note spawn_worker_ns: of %d in a row; of %d: %.1f ns, oneTBB %.1f ns\n", TASKS, BATCH,
	       median(hft->spawn_batch, ROUNDS * BATCHES),
	       median(tbb->spawn_batch, ROUNDS * BATCHES));
	printf("figure fib27_ratio %.2f\n", median(ratio, ROUNDS));
	printf("note fib27_ratio: %.1f ns a spawn, oneTBB %.1f ns\n",
	       median(hft->fib, ROUNDS) / EXECUTOR_FIB_SPAWNS,
	       median(tbb->fib, ROUNDS) / EXECUTOR_FIB_SPAWNS);
}

/* Side by side, and each round first warms what it uses. */
static void compare_sides(void)
{
	static struct samples hft, tbb, other[QUEUES];
	static double ratio[ROUNDS];
	void *own = executor_hft.create(), *peer, *queue[QUEUES];
	unsigned int i, k;

	peer = executor_tbb.create ? executor_tbb.create() : NULL;
	for (k = 0; k < QUEUES; k++)
		queue[k] = queues[k]->create ? queues[k]->create() : NULL;
	measure(&executor_hft, own, &hft, 0);
	for (i = 0; i < ROUNDS; i++) {
		measure(&executor_hft, own, &hft, i);
		for (k = 0; k < QUEUES; k++) {
			if (queue[k])
				measure_queue(queues[k], queue[k], &other[k], i);
		}
		if (!peer)
			continue;
		measure(&executor_tbb, peer, &tbb, i);
		ratio[i] = tbb.fib[i] / hft.fib[i];
	}
	print("", &hft, "figure");
	printf("note spawn_outside_ns: p10 %.1f p90 %.1f\n",
	       quantile(hft.spawn_outside, ROUNDS * OUTSIDE, 0.1),
	       quantile(hft.spawn_outside, ROUNDS * OUTSIDE, 0.9));
	executor_hft.destroy(own);
	if (peer) {
		print(" oneTBB", &tbb, "peer");
		print_ratios(&hft, &tbb, ratio);
		executor_tbb.destroy(peer);
	} else {
		puts("skip fib27_ratio there is no oneTBB to set it against (libtbb-dev)");
	}
	for (k = 0; k < QUEUES; k++) {
		if (!queue[k]) {
			printf("note executor: without %s, which is not installed (%s)\n",
			       queues[k]->name, queues[k]->package);
			continue;
		}
		print_queue(queues[k], &other[k]);
		queues[k]->destroy(queue[k]);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		printf("Usage: %s\nTime the pool, graphs and strands, beside oneTBB and queues.\n",
		       argv[0]);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		puts("note executor: on one CPU two workers take turns");
	compare_sides();
	executor_one_worker();
	executor_steals();
	executor_ranks();
	executor_memory();
	return 0;
}
