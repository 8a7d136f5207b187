// SPDX-License-Identifier: LGPL-2.1-or-later
/* What tells the time, and at what price. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define CLOCKSOURCE	"/sys/devices/system/clocksource/clocksource0/"

static void clock_cost(struct hft_check *c, const char *otherwise)
{
	if (c->measured.have & MEASURE_CLOCK)
		say_measured(c, c->measured.clock_ns, "each reading of the clock takes %llu ns",
			     (unsigned long long)c->measured.clock_ns);
	else
		say_cost(c, "Documentation/admin-guide/kernel-parameters.txt, clocksource=",
			 "%s", otherwise);
}

static bool is_counter(const char *name)
{
	return !strcmp(name, "tsc") || !strcmp(name, "arch_sys_counter");
}

/* Of the others only these are read without a system call. */
static bool in_vdso(const char *name)
{
	return !strcmp(name, "kvm-clock") || !strncmp(name, "hyperv_clocksource", 18);
}

static void check_clocksource(struct hft_check *c)
{
	char name[64];
	int err = hft_read_line(c->root, name, sizeof(name), CLOCKSOURCE "current_clocksource");

	if (err) {
		say_unread(c, err, "the clocksource", "the kernel names no clocksource");
		return;
	}
	if (is_counter(name)) {
		say(c, HFT_CHECK_OK, "the clocksource is %s", name);
		clock_cost(c, "a reading is an instruction");
		return;
	}
	say(c, in_vdso(name) ? HFT_CHECK_WARN : HFT_CHECK_FAIL,
	    "the clocksource is %s, not the TSC", name);
	clock_cost(c, in_vdso(name) ? "workers read the clock by the vDSO, not by rdtsc" :
		   "each reading of the clock is a system call and a read of a device");
	say_fix(c, "echo tsc > " CLOCKSOURCE "current_clocksource");
	say_lasting(c, "boot with clocksource=tsc tsc=reliable");
}

/* The kernel takes a TSC that it found unstable off its list. */
static void check_tsc(struct hft_check *c)
{
	char names[256];

	if (!cpu_flag(c, "tsc")) {
		say(c, HFT_CHECK_OK, "this CPU has no TSC");
		return;
	}
	if (!cpu_flag(c, "constant_tsc") || !cpu_flag(c, "nonstop_tsc")) {
		say(c, HFT_CHECK_WARN, "the TSC is not invariant: %s is missing",
		    cpu_flag(c, "constant_tsc") ? "nonstop_tsc" : "constant_tsc");
		say_cost(c, "Intel SDM volume 3, Invariant TSC",
			 "it changes speed or stops with the CPU, and the kernel may give it up");
		say_lasting(c, "a CPU, or a virtual machine, whose TSC is invariant");
		return;
	}
	if (!hft_read_line(c->root, names, sizeof(names), CLOCKSOURCE "available_clocksource") &&
	    !strstr(names, "tsc")) {
		say(c, HFT_CHECK_FAIL, "the kernel has found the TSC unstable: it has only %s", names);
		clock_cost(c, "the clock is one that is slower");
		say_lasting(c, "dmesg | grep -i tsc says why: the firmware, or, if it is the watchdog that errs, boot with tsc=reliable");
		return;
	}
	say(c, HFT_CHECK_OK, "the TSC is invariant");
}

static void check_tsc_watchdog(struct hft_check *c)
{
	char value[64] = "";

	boot_option(c, "tsc", value, sizeof(value));
	if (!cpu_flag(c, "tsc") || !strcmp(value, "reliable") || !strcmp(value, "nowatchdog") ||
	    cpu_flag(c, "tsc_reliable")) {
		say(c, HFT_CHECK_OK, "no watchdog compares the TSC");
		return;
	}
	say(c, HFT_CHECK_NOTE,
	    "a watchdog may compare the TSC with another clock, on each CPU in turn, and give it up");
	say_cost(c, "Documentation/admin-guide/kernel-parameters.txt, tsc=",
		 "a timer on one CPU each 0.5 s, and a clocksource that changes under load");
	say_lasting(c, "boot with tsc=reliable");
}

static void check_highres(struct hft_check *c)
{
	struct timespec resolution = { .tv_nsec = 1 };
	char value[16];

	if (c->live)
		clock_getres(CLOCK_MONOTONIC, &resolution);
	if ((boot_option(c, "highres", value, sizeof(value)) && !strcmp(value, "off")) ||
	    resolution.tv_sec || resolution.tv_nsec > 1) {
		say(c, HFT_CHECK_FAIL, "timers have no high resolution");
		say_cost(c, "Documentation/timers/highres.rst",
			 "a timer fires with the next tick, 1 to 10 ms late");
		say_lasting(c, "boot without highres=off");
		return;
	}
	say(c, HFT_CHECK_OK, "timers have high resolution");
}

const struct hft_check_entry hft_checks_clock[] = {
	{ "clocksource", check_clocksource, MEASURE_CLOCK },
	{ "tsc", check_tsc, MEASURE_CLOCK },
	{ "tsc_watchdog", check_tsc_watchdog, 0 },
	{ "highres", check_highres, 0 },
	{ NULL, NULL, 0 }
};
