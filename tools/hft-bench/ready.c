// SPDX-License-Identifier: LGPL-2.1-or-later
/* Instructions of a policy's key, a push and a pop at a full ready queue. */
#include "bench.h"
#include "ready_work.h"

#define TURNS	65536

int bench_ready(void)
{
	static struct ready ready;
	static u64 later[TURNS];
	uint64_t start, loop;
	volatile u64 sink;
	u64 sum = 0;
	u32 i;

	ready_fill(&ready);
	for (i = 0; i < TURNS; i++)
		later[i] = ready_random(&ready) % READY_SPREAD;
	start = hft_now();
	for (i = 0; i < TURNS; i++)
		sum += later[i];
	loop = hft_now() - start;
	sink = sum;
	(void)sink;
	start = hft_now();
	for (i = 0; i < TURNS; i++)
		ready_turn(&ready, later[i]);
	print_figure("ready_push_pop_insn", (double)(hft_now() - start) / TURNS);
	print_note("ready_push_pop_insn: EDF, %d tasks ready; a loop without them takes %.1f",
		   READY_TASKS, (double)loop / TURNS);
	return 0;
}
