// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whether cache misses and cycles can be counted, and who else counts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define DEVICES	"/sys/bus/event_source/devices/"

static bool has_pmu(const struct hft_check *c)
{
	return hft_path_exists(c->root, DEVICES "cpu") || hft_path_exists(c->root, DEVICES "cpu_core");
}

static void check_pmu(struct hft_check *c)
{
	if (has_pmu(c)) {
		say(c, HFT_CHECK_OK, "the CPUs have counters");
		return;
	}
	say(c, HFT_CHECK_NOTE, "the CPUs have no counters: cache misses can not be seen");
	say_cost(c, "perf_event_open(2)", "nothing; metrics of tasks are marked as not valid");
	say_lasting(c, "have the hypervisor pass the PMU on, as QEMU's -cpu host,pmu=on");
}

static void check_rdpmc(struct hft_check *c)
{
	long long mode = 0;

	if (hft_read_number(c->root, &mode, DEVICES "cpu/rdpmc") &&
	    hft_read_number(c->root, &mode, DEVICES "cpu_core/rdpmc")) {
		say(c, HFT_CHECK_OK, "there is nothing to read by rdpmc");
		return;
	}
	if (mode) {
		say(c, HFT_CHECK_OK, "threads may read their counters by rdpmc");
		return;
	}
	say(c, HFT_CHECK_NOTE, "threads may not read their counters by rdpmc");
	say_cost(c, "perf_event_open(2), rdpmc", "a system call for each reading");
	say_fix(c, "echo 1 > " DEVICES "cpu/rdpmc");
	say_lasting(c, "a udev rule that writes it: it is 1 unless somebody has changed it");
}

static void check_perf_paranoid(struct hft_check *c)
{
	long long level;
	int err = hft_read_number(c->root, &level, "/proc/sys/kernel/perf_event_paranoid");

	if (err) {
		say_unread(c, err, "kernel.perf_event_paranoid", "this kernel has no perf events");
		return;
	}
	if (level <= 2) {
		say(c, HFT_CHECK_OK, "a process may count its own events");
		return;
	}
	say(c, HFT_CHECK_NOTE, "without CAP_PERFMON a process may not count its own events: paranoid %lld",
	    level);
	say_cost(c, "perf_event_open(2)", "nothing; metrics of tasks are marked as not valid");
	say_fix(c, "sysctl kernel.perf_event_paranoid=2");
	say_lasting(c, "echo kernel.perf_event_paranoid=2 >> /etc/sysctl.d/60-hft.conf");
}

static void check_nmi_watchdog(struct hft_check *c)
{
	long long on;

	if (!has_pmu(c) || hft_read_number(c->root, &on, "/proc/sys/kernel/nmi_watchdog") || !on) {
		say(c, HFT_CHECK_OK, "the NMI watchdog is off");
		return;
	}
	say(c, HFT_CHECK_WARN, "the NMI watchdog is on");
	say_cost(c, "Documentation/admin-guide/lockup-watchdogs.rst",
		 "a counter of each CPU, and an NMI each 10 s, which stops even a timer's interrupt");
	say_fix(c, "sysctl kernel.nmi_watchdog=0");
	say_lasting(c, "boot with nmi_watchdog=0");
}

const struct hft_check_entry hft_checks_pmu[] = {
	{ "pmu", check_pmu, 0 },
	{ "rdpmc", check_rdpmc, 0 },
	{ "perf_paranoid", check_perf_paranoid, 0 },
	{ "nmi_watchdog", check_nmi_watchdog, 0 },
	{ NULL, NULL, 0 }
};
