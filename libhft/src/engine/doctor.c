// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What on this machine will spoil latency, and what to do about it.  Said once in
 * a process, to hft_opts.warn.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "internal.h"

#define HFT_MEMLOCK_BYTES	(64UL << 20)
#define HFT_RTPRIO		90
#define HFT_IDLE_US		10

void hft_warn(struct hft *h, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!h->warn)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	h->warn(h->warn_arg, text);
}

/* The first line of a file of the kernel's; false if there is none. */
static bool hft_read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(line, size, file);
	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

static void hft_examine_throttling(struct hft *h)
{
	char line[32];

	if (hft_read_line("/proc/sys/kernel/sched_rt_runtime_us", line, sizeof(line)) &&
	    strcmp(line, "-1"))
		hft_warn(h, "a busy SCHED_FIFO worker is throttled to %s us of each period: sysctl kernel.sched_rt_runtime_us=-1",
			 line);
}

/* Since 6.12 a server gives SCHED_OTHER its share of a CPU that SCHED_FIFO keeps busy. */
static void hft_examine_fair_server(struct hft *h)
{
	char line[32];

	if (hft_read_line("/sys/kernel/debug/sched/fair_server/cpu0/runtime", line, sizeof(line)) &&
	    strcmp(line, "0"))
		hft_warn(h, "the fair server takes %s ns of each period from a busy SCHED_FIFO worker: write 0 to /sys/kernel/debug/sched/fair_server/cpu*/runtime",
			 line);
}

static void hft_examine_governor(struct hft *h)
{
	char line[32];

	if (hft_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line,
			  sizeof(line)) && strcmp(line, "performance"))
		hft_warn(h, "the CPUs' frequency is governed by %s: cpupower frequency-set -g performance",
			 line);
}

/* Waking from a deep idle state takes longer than a wake-up. */
static void hft_examine_idle(struct hft *h)
{
	char name[32], line[32] = "0";
	unsigned long latency;

	if (!hft_read_line("/sys/devices/system/cpu/cpu0/cpuidle/state2/name", name, sizeof(name)) ||
	    !hft_read_line("/sys/devices/system/cpu/cpu0/cpuidle/state2/latency", line,
			   sizeof(line)))
		return;
	latency = strtoul(line, NULL, 10);
	if (latency > HFT_IDLE_US)
		hft_warn(h, "idle CPUs may go to %s, which takes %lu us to wake from: cpupower idle-set -D %u",
			 name, latency, HFT_IDLE_US);
}

static void hft_examine_isolation(struct hft *h)
{
	char line[256] = "";

	if (!hft_read_line("/sys/devices/system/cpu/isolated", line, sizeof(line)) || !line[0])
		hft_warn(h, "no CPU is isolated: boot with isolcpus=, nohz_full= and rcu_nocbs= for the workers' CPUs");
}

static void hft_examine_clock(struct hft *h)
{
	char line[32] = "unknown";

	if (hft_clock_is_tsc())
		return;
	hft_read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line,
		      sizeof(line));
	hft_warn(h, "the clocksource is %s, not the TSC, and each reading of the clock is slower: boot with tsc=reliable clocksource=tsc",
		 line);
}

static void hft_examine_limit(struct hft *h, int resource, rlim_t wanted, const char *what)
{
	struct rlimit limit;

	if (!geteuid() || getrlimit(resource, &limit) || limit.rlim_cur >= wanted)
		return;
	hft_warn(h, "%s is %llu, workers want %llu: raise it in /etc/security/limits.conf", what,
		 (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
}

void hft_examine(struct hft *h)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!h->warn || atomic_flag_test_and_set(&said))
		return;
	hft_examine_throttling(h);
	hft_examine_fair_server(h);
	hft_examine_isolation(h);
	hft_examine_governor(h);
	hft_examine_idle(h);
	hft_examine_clock(h);
	hft_examine_limit(h, RLIMIT_MEMLOCK, HFT_MEMLOCK_BYTES, "RLIMIT_MEMLOCK");
	hft_examine_limit(h, RLIMIT_RTPRIO, HFT_RTPRIO, "RLIMIT_RTPRIO");
}
