// SPDX-License-Identifier: LGPL-2.1-or-later
/* Instructions of the detector's verdict on a value, as the dispatch path would have it. */
#include "bench.h"
#include "common/noise.h"
#include "core/baseline.h"

#define VALUES	65536

int bench_detect(void)
{
	static uint64_t values[VALUES];
	struct noise noise = { .random = 1, .shape = NOISE_TAILED, .level = 2500 };
	static struct hft_baseline baseline;
	/* Which is in memory, as where there are many of them. */
	struct hft_baseline *volatile where = &baseline, *b = where;
	uint64_t start, unusual = 0;
	volatile uint64_t sink;
	unsigned int i, round;

	for (i = 0; i < VALUES; i++)
		values[i] = noise_value(&noise, i % 1000 == 999);
	/* The first round learns. */
	for (round = 0; round < 2; round++) {
		start = hft_now();
		for (i = 0; i < VALUES; i++)
			unusual += hft_baseline_add(b, values[i]);
	}
	print_figure("detect_insn", (double)(hft_now() - start) / VALUES);
	sink = unusual;
	(void)sink;
	return 0;
}
