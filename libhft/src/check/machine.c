// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is below the kernel: siblings, firmware, hypervisor. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define GAP_BAD_NS	100000

static void check_smt(struct hft_check *c)
{
	cpu_set_t siblings, shared;
	char list[HFT_CPULIST_SIZE];
	int cpu;

	CPU_ZERO(&shared);
	hft_for_each_cpu(cpu, &c->workers) {
		if (hft_read_cpus(c->root, &siblings, SYS_CPU "cpu%d/topology/thread_siblings_list", cpu))
			continue;
		CPU_AND(&siblings, &siblings, &c->online);
		CPU_CLR(cpu, &siblings);
		CPU_OR(&shared, &shared, &siblings);
	}
	if (!CPU_COUNT(&shared)) {
		say(c, HFT_CHECK_OK, "CPUs %s share their cores with none", c->list);
		return;
	}
	hft_cpulist_print(&shared, list, sizeof(list));
	say(c, HFT_CHECK_WARN, "CPUs %s share their cores with CPUs %s", c->list, list);
	if (c->measured.have & MEASURE_GAPS)
		say_measured(c, 0, "in %llu ms the others of a worker's core were busy for %llu ticks of 10 ms, in which it is slower",
			     (unsigned long long)c->measured.spun_ns / 1000000,
			     (unsigned long long)c->measured.sibling_ticks);
	else
		say_cost(c, "Intel Optimization Reference Manual, Hyper-Threading",
			 "two busy threads share the caches and units of a core");
	say_fix(c, "echo off > " SYS_CPU "smt/control");
	say_lasting(c, "boot with nosmt, or take the siblings offline, or the firmware's setting");
}

static void check_gaps(struct hft_check *c)
{
	const struct hft_measured *m = &c->measured;
	unsigned long long ppm;

	if (!(m->have & MEASURE_GAPS)) {
		say(c, HFT_CHECK_OK, "what stops a busy thread was not measured");
		return;
	}
	ppm = m->spun_ns ? m->lost_ns * 1000000ULL / m->spun_ns : 0;
	say(c, m->longest_ns > GAP_BAD_NS ? HFT_CHECK_WARN : HFT_CHECK_OK,
	    "in %llu ms a thread of no priority was stopped %llu times for more than 1 us",
	    (unsigned long long)m->spun_ns / 1000000, (unsigned long long)m->gaps);
	say_measured(c, m->longest_ns, "the longest took %llu ns; all together %llu ppm of the time",
		     (unsigned long long)m->longest_ns, ppm);
	if (c->finding.severity != HFT_CHECK_WARN)
		return;
	say_fix(c, "hft-tune --cpus %s -- COMMAND", c->named);
	say_lasting(c, "isolate the CPUs, see isolcpus");
}

static void check_smi(struct hft_check *c)
{
	const struct hft_measured *m = &c->measured;

	if (!(m->have & MEASURE_GAPS) || m->smi < 0) {
		say(c, HFT_CHECK_OK, "SMIs were not counted: that takes root, modprobe msr and an Intel CPU");
		return;
	}
	if (!m->smi) {
		say(c, HFT_CHECK_OK, "no SMI came in %llu ms",
		    (unsigned long long)m->spun_ns / 1000000);
		return;
	}
	say(c, HFT_CHECK_WARN, "%lld SMIs came in %llu ms", m->smi,
	    (unsigned long long)m->spun_ns / 1000000);
	say_measured(c, m->longest_ns, "the firmware stops the CPU, unseen by the kernel; the longest gap meanwhile was %llu ns",
		     (unsigned long long)m->longest_ns);
	say_lasting(c, "the firmware's settings: legacy USB, power capping, memory patrol; the tracer hwlat shows each");
}

static void check_hypervisor(struct hft_check *c)
{
	const struct hft_measured *m = &c->measured;

	if (!cpu_flag(c, "hypervisor")) {
		say(c, HFT_CHECK_OK, "there is no hypervisor below");
		return;
	}
	say(c, HFT_CHECK_WARN, "this is a virtual machine");
	if (m->have & MEASURE_GAPS)
		say_measured(c, m->longest_ns, "in %llu ms the hypervisor took %llu ticks of 10 ms; the longest gap was %llu ns",
			     (unsigned long long)m->spun_ns / 1000000,
			     (unsigned long long)m->steal_ticks,
			     (unsigned long long)m->longest_ns);
	else
		say_cost(c, "Documentation/filesystems/proc.rst, steal",
			 "it takes a CPU away for up to its time slice, and each timer and wake-up is an exit to it");
	say_lasting(c, "a machine of one's own, or virtual CPUs that are pinned and reserved");
}

static void check_microcode(struct hft_check *c)
{
	char line[256];
	int err = hft_read_line(c->root, line, sizeof(line), SYS_CPU "vulnerabilities/old_microcode");

	if (err || strncmp(line, "Vulnerable", 10)) {
		say(c, HFT_CHECK_OK, err ? "whether the microcode is old is not known to this kernel" :
		    "the microcode is not known to be old");
		return;
	}
	say(c, HFT_CHECK_NOTE, "the microcode is old");
	say_cost(c, "Documentation/admin-guide/hw-vuln/old_microcode.rst",
		 "errata, of the TSC and of the counters among them");
	say_lasting(c, "apt install intel-microcode or amd64-microcode, then boot");
}

const struct hft_check_entry hft_checks_machine[] = {
	{ "smt", check_smt, MEASURE_GAPS },
	{ "gaps", check_gaps, MEASURE_GAPS },
	{ "smi", check_smi, MEASURE_GAPS },
	{ "hypervisor", check_hypervisor, MEASURE_GAPS },
	{ "microcode", check_microcode, 0 },
	{ NULL, NULL, 0 }
};
