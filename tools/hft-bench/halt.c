// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kill switch: from the call to its return, after which nothing is dispatched.  There
 * is a ring on each CPU, with tasks that wait and tasks that are ready.
 */
#include <errno.h>
#include <unistd.h>

#include "bench.h"

#define TRIALS	1000
#define MAX_CPUS	64
#define TASKS_A_RING	16

static int open_rings(struct hft *h, struct hft_ring **rings, unsigned int nr)
{
	unsigned int cpu, i;
	int ret;

	for (cpu = 0; cpu < nr; cpu++) {
		HFT_OPTS(hft_ring_opts, opts, .cpu = cpu, .window = 1);

		ret = hft_ring_open(h, &opts, &rings[cpu]);
		if (ret < 0)
			return ret;
		for (i = 0; i < TASKS_A_RING; i++) {
			struct hft_task task = {
				.ring = hft_ring_number(rings[cpu]),
				.level = HFT_LEVEL_NORMAL,
				.release = i & 1 ? 0 : hft_now() + 3600 * NSEC_PER_SEC,
			};

			ret = hft_submit(h, &task, NULL);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int measure(struct hft *h, unsigned int nr)
{
	struct samples taken;
	struct hft_halt result;
	uint64_t start;
	int i, ret;

	ret = samples_init(&taken, TRIALS);
	if (ret < 0)
		return ret;
	for (i = 0; i < TRIALS && ret >= 0; i++) {
		start = hft_now();
		ret = hft_halt(h, HFT_HALT_ALL, 0, &result);
		samples_add(&taken, (int64_t)(hft_now() - start));
		if (!ret && result.rings != nr)
			ret = -EPROTO;
		if (!ret)
			ret = hft_resume(h, 0);
	}
	if (ret >= 0) {
		print_figure("halt_insn", (double)samples_percentile(&taken, PPM_P99));
		print_note("halt_insn: %u CPUs, p50 %lld, most %lld", nr,
			   (long long)samples_percentile(&taken, PPM_P50),
			   (long long)samples_percentile(&taken, 1000000));
	}
	samples_free(&taken);
	return ret;
}

int bench_halt(void)
{
	unsigned int nr = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), cpu;
	HFT_OPTS(hft_opts, opts, .tasks = MAX_CPUS * TASKS_A_RING);
	struct hft_ring *rings[MAX_CPUS] = { NULL };
	struct hft *h;
	int ret;

	if (nr > MAX_CPUS)
		nr = MAX_CPUS;
	ret = hft_open(&h, &opts);
	if (ret < 0)
		return ret;
	ret = open_rings(h, rings, nr);
	if (ret >= 0)
		ret = measure(h, nr);
	for (cpu = 0; cpu < nr; cpu++)
		hft_ring_close(rings[cpu]);
	hft_close(h);
	return ret;
}
