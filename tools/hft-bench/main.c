// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-bench: the figures that need the module.  bench.sh runs it in a VM under icount. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <common/tool.h>

#include "bench.h"

unsigned int bench_cpu;

struct group {
	const char *name;
	const char *what;
	int (*run)(void);
};

static const struct group groups[] = {
	{ "dispatch", "dispatch error at 1 and 10 kHz, beside five other ways", bench_dispatch },
	{ "load", "dispatch error at 10 kHz with the CPU loaded to 95 %", bench_load },
	{ "wake", "release to the task's first instruction without lead", bench_wake },
	{ "sched", "instructions that a task costs, and its spin", bench_sched },
	{ "submit", "instructions of a submission", bench_submit },
	{ "ring", "tasks a second through one ring", bench_ring },
	{ "miss", "a missed deadline to its notice", bench_miss },
	{ "response", "an anomaly to what its rule does", bench_response },
	{ "memory", "kernel memory of a queued task; first of all groups", bench_memory },
	{ "ready", "instructions of a key, a push and a pop at 4,096 ready tasks", bench_ready },
	{ "detect", "instructions of the detector's verdict on a value", bench_detect },
	{ "monitor", "what all statistics and detection cost", bench_monitor },
	{ "pmu", "instructions of a reading of counters; needs samples/hft_test_pmu.ko", bench_pmu },
	{ "preempt", "CRITICAL starts while NORMAL runs, beside cyclictest", bench_preempt },
	{ "rate", "deadlines missed at 10 kHz with the CPU loaded to 95 %", bench_rate },
	{ "halt", "instructions of the kill switch, a ring on each CPU", bench_halt },
	{ "fault", "faults to their detection; needs samples/hft_test_fault.ko and two CPUs",
	  bench_fault },
	{ "pause", "the machine stands still, by tools/vm/run --control, to its detection",
	  bench_pause },
	{ "sink", "a task's dispatch to the doorbell of QEMU's edu device (hft_edu)", bench_sink },
	{ "callback", "tasks one at a time, for the TCG plugin to count", bench_callback },
};

#define NR_GROUPS	(sizeof(groups) / sizeof(groups[0]))

static int usage(int status)
{
	FILE *out = status ? stderr : stdout;
	size_t i;

	fprintf(out,
		"Usage: hft-bench [-c CPU] GROUP...\n"
		"Measure hft on one CPU (-c, --cpu; default 0) with the module loaded, as root.\n"
		"Under QEMU's icount a ns is an instruction and a run repeats exactly; elsewhere\n"
		"figures are that machine's ns.  Prints lines \"figure NAME VALUE\", \"peer NAME\n"
		"VALUE PEER\" and \"note TEXT\".  make bench makes the table.\n"
		"Groups:\n");
	for (i = 0; i < NR_GROUPS; i++)
		fprintf(out, "  %-9s %s\n", groups[i].name, groups[i].what);
	fputs("Exit status: 0, 1 when one could not be measured, 2 for wrong usage.\n", out);
	return status;
}

int bench_set_priority(unsigned int priority)
{
	const struct sched_param param = { .sched_priority = (int)priority };

	return sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &param) ? -errno : 0;
}

static int become_realtime(void)
{
	cpu_set_t cpus;
	int ret;

	CPU_ZERO(&cpus);
	CPU_SET(bench_cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	ret = bench_set_priority(BENCH_PRIORITY);
	if (ret < 0)
		return ret;
	return mlockall(MCL_CURRENT | MCL_FUTURE) ? -errno : 0;
}

/* The clock of the figures is calibrated by the first hft_open(). */
static int prepare(void)
{
	HFT_OPTS(hft_opts, opts, .warn = hft_warn_stderr);
	struct hft *hft;
	int ret;

	ret = hft_open(&hft, &opts);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: %s\n", hft_strerror(ret));
		return ret;
	}
	hft_close(hft);
	ret = become_realtime();
	if (ret < 0)
		fprintf(stderr, "hft-bench: no real-time thread on CPU %u: %s\n", bench_cpu,
			strerror(-ret));
	return ret;
}

static const struct group *find(const char *name)
{
	size_t i;

	for (i = 0; i < NR_GROUPS; i++)
		if (!strcmp(name, groups[i].name))
			return &groups[i];
	return NULL;
}

static int run(const char *name)
{
	int ret = find(name)->run();

	if (ret < 0)
		fprintf(stderr, "hft-bench: %s: %s\n", name, strerror(-ret));
	return ret;
}

static bool parse_cpu(const char *text)
{
	uint64_t cpu;

	if (!parse_number(text, 10, 0, CPU_SETSIZE - 1, &cpu))
		return false;
	bench_cpu = (unsigned int)cpu;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpu", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c, i, failed = 0;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (c == 'h')
			return usage(0);
		if (c != 'c')
			return usage(2);
		if (!parse_cpu(optarg)) {
			fprintf(stderr, "hft-bench: %s is no CPU's number: see --help\n", optarg);
			return 2;
		}
	}
	for (i = optind; i < argc; i++)
		if (!find(argv[i]))
			return usage(2);
	if (optind == argc)
		return usage(2);
	if (prepare() < 0)
		return 1;
	for (i = optind; i < argc; i++)
		failed |= run(argv[i]) < 0;
	return failed;
}
