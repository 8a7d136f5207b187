// SPDX-License-Identifier: LGPL-2.1-or-later
/* Time a policy's key, a push and a pop at a full ready queue: the median of rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../ready_work.h"
#include "quantile.h"

#define ROUNDS	501
#define TURNS	4096	/* of a round: short enough that most are not interrupted */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

int main(void)
{
	static struct ready ready;
	static double ns[ROUNDS];
	static u64 later[TURNS];
	int i, round;

	ready_fill(&ready);
	for (round = 0; round < ROUNDS; round++) {
		double start;

		for (i = 0; i < TURNS; i++)
			later[i] = ready_random(&ready) % READY_SPREAD;
		start = now_ns();
		for (i = 0; i < TURNS; i++)
			ready_turn(&ready, later[i]);
		ns[round] = (now_ns() - start) / TURNS;
	}
	printf("figure ready_push_pop_ns %.1f\n", median(ns, ROUNDS));
	printf("note ready_push_pop_ns: EDF, %d tasks ready; fastest round %.1f ns\n", READY_TASKS,
	       ns[0]);
	return 0;
}
