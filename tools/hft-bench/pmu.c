// SPDX-License-Identifier: LGPL-2.1-or-later
/* Instructions that a reading of a CPU's counters takes, by the PMU of the tests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <hft/metrics.h>

#include "bench.h"

#define MODULE		"/samples/hft_test_pmu.ko"
#define TYPE		"/sys/bus/event_source/devices/hft_test/type"
#define COUNTERS	2
#define ROUNDS		200

/**
 * struct cost - of a task, ns
 * @submit: its submission, which dispatches it: one reading
 * @whole: that, and that the kernel sees it consumed: another one, and the sums
 */
struct cost {
	uint64_t submit;
	uint64_t whole;
};

static int load_module(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST ? -errno : 0;
	close(fd);
	return err;
}

static int choose_counters(struct hft *h)
{
	struct hft_pmu pmu = { .cpu = bench_cpu, .nr = COUNTERS };
	FILE *file = fopen(TYPE, "re");
	int i, err;

	if (!file)
		return -errno;
	err = fscanf(file, "%u", &pmu.type[0]) == 1 ? 0 : -EPROTO;
	fclose(file);
	for (i = 0; i < COUNTERS; i++) {
		pmu.type[i] = pmu.type[0];
		pmu.config[i] = (uint64_t)i;
	}
	if (!err)
		err = hft_pmu(h, &pmu);
	if (!err && pmu.valid != (1U << COUNTERS) - 1)
		err = -ENODEV;
	return err;
}

/* Submit a task that is due, take it, and have the kernel look. */
static int run_task(struct hft *h, struct hft_ring *ring, struct cost *cost)
{
	const struct hft_task task = {
		.ring = hft_ring_number(ring),
		.level = HFT_LEVEL_NORMAL,
		.flags = HFT_TASK_TRACK,
	};
	uint64_t start = hft_now();
	int ret = hft_submit(h, &task, NULL);

	cost->submit = hft_now() - start;
	if (ret < 0)
		return ret;
	if (!hft_ring_peek(ring))
		return -EPROTO;
	hft_ring_advance(ring);
	ret = hft_wait(ring, 0);
	cost->whole = hft_now() - start;
	return ret == -ETIMEDOUT ? 0 : ret;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The least of some rounds: those are the same but for what interrupts them. */
static int measure(struct hft *h, struct hft_ring *ring, struct cost *least)
{
	struct cost cost = { 0 };
	int i, err = 0;

	*least = (struct cost){ UINT64_MAX, UINT64_MAX };
	for (i = 0; i < ROUNDS && !err; i++) {
		err = run_task(h, ring, &cost);
		least->submit = smaller(least->submit, cost.submit);
		least->whole = smaller(least->whole, cost.whole);
	}
	return err;
}

static int check_counted(struct hft *h, struct hft_ring *ring)
{
	struct hft_stats stats;
	int err = hft_stats(h, hft_ring_number(ring), &stats);

	if (err)
		return err;
	return stats.metrics.runs == ROUNDS && !stats.metrics.unread ? 0 : -EPROTO;
}

static int compare(struct hft *h, struct hft_ring *off, struct hft_ring *on)
{
	struct cost without, with;
	int err = measure(h, off, &without);

	if (!err)
		err = measure(h, on, &with);
	if (!err)
		err = check_counted(h, on);
	if (err)
		return err;
	print_figure("pmu_snapshot_insn", (double)(with.submit - without.submit));
	print_note("pmu_snapshot_insn: what a reading of %d counters adds to a dispatch; a tracked task "
		   "takes %llu instructions with metrics, %llu without, submission and wait included",
		   COUNTERS, (unsigned long long)with.whole, (unsigned long long)without.whole);
	return 0;
}

int bench_pmu(void)
{
	HFT_OPTS(hft_ring_opts, off_opts, .cpu = bench_cpu);
	HFT_OPTS(hft_ring_opts, on_opts, .cpu = bench_cpu, .flags = HFT_RING_METRICS);
	HFT_OPTS(hft_opts, opts, .tasks = 64);
	struct hft_ring *off = NULL, *on = NULL;
	struct hft *h;
	int err = load_module();

	if (err) {
		fprintf(stderr, "hft-bench: pmu: %s: errno %d\n", MODULE, -err);
		return err;
	}
	err = hft_open(&h, &opts);
	if (err)
		return err;
	err = choose_counters(h);
	if (!err)
		err = hft_ring_open(h, &off_opts, &off);
	if (!err)
		err = hft_ring_open(h, &on_opts, &on);
	if (!err)
		err = compare(h, off, on);
	if (on)
		hft_ring_close(on);
	if (off)
		hft_ring_close(off);
	hft_close(h);
	return err;
}
