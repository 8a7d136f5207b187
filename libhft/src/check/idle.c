// SPDX-License-Identifier: LGPL-2.1-or-later
/* How deep the workers' CPUs sleep, and how fast they go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define IDLE_EXIT_BAD_NS	20000

/* The slowest idle state that a CPU may enter; false: none slower than the limit. */
static bool deepest_state(const struct hft_check *c, int cpu, char *name, size_t size,
			  long long *latency_us)
{
	long long latency, disabled;
	bool found = false;
	int i;

	*latency_us = IDLE_LIMIT_US;
	for (i = 0; i < IDLE_STATES; i++) {
		if (hft_read_number(c->root, &latency, SYS_CPU "cpu%d/cpuidle/state%d/latency", cpu, i))
			break;
		if (hft_read_number(c->root, &disabled, SYS_CPU "cpu%d/cpuidle/state%d/disable", cpu, i))
			disabled = 0;
		if (disabled || latency <= *latency_us)
			continue;
		*latency_us = latency;
		found = !hft_read_line(c->root, name, size, SYS_CPU "cpu%d/cpuidle/state%d/name", cpu, i);
	}
	return found;
}

/* What somebody asks for by /dev/cpu_dma_latency, us: reading it is a request of no effect. */
static long requested_latency(const struct hft_check *c)
{
	int fd = c->live ? open("/dev/cpu_dma_latency", O_RDONLY | O_CLOEXEC) : -1;
	int us = -1;

	if (fd < 0)
		return -1;
	if (read(fd, &us, sizeof(us)) != (ssize_t)sizeof(us))
		us = -1;
	close(fd);
	return us;
}

static void idle_cost(struct hft_check *c, long long latency_us)
{
	uint64_t idle = c->measured.idle_wake_ns, busy = c->measured.busy_wake_ns;

	if (!(c->measured.have & MEASURE_WAKE))
		say_cost(c, "its latency in sysfs, Documentation/admin-guide/pm/cpuidle.rst",
			 "a wake-up of an idle CPU takes up to %lld us longer", latency_us);
	else if (idle > busy)
		say_measured(c, idle - busy, "a thread is woken %llu ns later by an idle CPU than by a busy one, here at most %lld us",
			     (unsigned long long)(idle - busy), latency_us);
	else
		say_measured(c, 0, "a thread is woken by an idle CPU as fast as by a busy one: %llu ns",
			     (unsigned long long)idle);
}

static void check_cstates(struct hft_check *c)
{
	long long latency_us, worst_us = 0;
	char name[32], worst[32] = "";
	long requested = requested_latency(c);
	cpu_set_t deep;
	char list[HFT_CPULIST_SIZE];
	int cpu;

	CPU_ZERO(&deep);
	hft_for_each_cpu(cpu, &c->workers) {
		if (!deepest_state(c, cpu, name, sizeof(name), &latency_us))
			continue;
		CPU_SET(cpu, &deep);
		if (latency_us > worst_us) {
			worst_us = latency_us;
			memcpy(worst, name, sizeof(worst));
		}
	}
	hft_cpulist_print(&deep, list, sizeof(list));
	if (!worst_us || (requested >= 0 && requested <= IDLE_LIMIT_US)) {
		say(c, HFT_CHECK_OK, worst_us ? "a process keeps CPUs %s out of deep idle states" :
		    "CPUs %s have no idle state that takes long to leave", worst_us ? list : c->list);
		return;
	}
	say(c, HFT_CHECK_WARN, "idle CPUs %s may go to %s, which takes %lld us to leave", list,
	    worst, worst_us);
	idle_cost(c, worst_us);
	say_fix(c, "hft-tune --only cstates --cpus %s --apply", c->chosen ? list : c->named);
	say_lasting(c, "boot with intel_idle.max_cstate=1 processor.max_cstate=1, or idle=poll, or a worker that spins forever");
}

/* In a virtual machine the hypervisor's idle state is not in the list. */
static void check_idle_exit(struct hft_check *c)
{
	uint64_t idle = c->measured.idle_wake_ns, busy = c->measured.busy_wake_ns;

	if (!(c->measured.have & MEASURE_WAKE)) {
		say(c, HFT_CHECK_OK, "leaving idle was not measured");
		return;
	}
	say(c, idle > busy + IDLE_EXIT_BAD_NS ? HFT_CHECK_WARN : HFT_CHECK_OK,
	    "from a timer to its thread: %llu ns on an idle CPU, %llu ns on a busy one",
	    (unsigned long long)idle, (unsigned long long)busy);
	say_measured(c, idle > busy ? idle - busy : 0, "leaving idle takes %llu ns",
		     (unsigned long long)(idle > busy ? idle - busy : 0));
	if (c->finding.severity != HFT_CHECK_WARN)
		return;
	say_lasting(c, "workers that spin (hft_ring_opts.spin_ns), or that are woken earlier (lead_ns), or boot with idle=poll");
}

static void check_governor(struct hft_check *c)
{
	char line[32], list[HFT_CPULIST_SIZE], other[32] = "";
	cpu_set_t governed;
	int cpu;

	CPU_ZERO(&governed);
	hft_for_each_cpu(cpu, &c->workers) {
		if (hft_read_line(c->root, line, sizeof(line), SYS_CPU "cpu%d/cpufreq/scaling_governor",
				  cpu) || !strcmp(line, "performance"))
			continue;
		CPU_SET(cpu, &governed);
		memcpy(other, line, sizeof(other));
	}
	if (!CPU_COUNT(&governed)) {
		say(c, HFT_CHECK_OK, "no governor slows CPUs %s down", c->list);
		return;
	}
	hft_cpulist_print(&governed, list, sizeof(list));
	say(c, HFT_CHECK_WARN, "the frequency of CPUs %s is governed by %s", list, other);
	say_cost(c, "Documentation/admin-guide/pm/cpufreq.rst",
		 "the first work after idle runs at a low frequency: up to several times as long");
	say_fix(c, "hft-tune --only governor --cpus %s --apply", c->chosen ? list : c->named);
	say_lasting(c, "boot with cpufreq.default_governor=performance");
}

static void check_turbo(struct hft_check *c)
{
	long long off = 0, boost = 0;
	bool intel = !hft_read_number(c->root, &off, SYS_CPU "intel_pstate/no_turbo");

	if (intel ? off : hft_read_number(c->root, &boost, SYS_CPU "cpufreq/boost") || !boost) {
		say(c, HFT_CHECK_OK, "the frequency is not boosted, or the kernel does not say");
		return;
	}
	say(c, HFT_CHECK_NOTE, "CPUs boost their frequency by load, temperature and instructions");
	say_cost(c, "Documentation/admin-guide/pm/intel_pstate.rst, no_turbo",
		 "the same work takes a varying time; work is shorter on the whole");
	say_fix(c, intel ? "echo 1 > " SYS_CPU "intel_pstate/no_turbo" :
		"echo 0 > " SYS_CPU "cpufreq/boost");
	say_lasting(c, "the firmware's setting, if even times matter more than short ones");
}

const struct hft_check_entry hft_checks_idle[] = {
	{ "cstates", check_cstates, MEASURE_WAKE },
	{ "idle_exit", check_idle_exit, MEASURE_WAKE },
	{ "governor", check_governor, 0 },
	{ "turbo", check_turbo, 0 },
	{ NULL, NULL, 0 }
};
