// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whether the workers' CPUs are theirs alone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define PER_CPU_THREADS	"Documentation/admin-guide/kernel-per-CPU-kthreads.rst"

/* Those of the workers that are not in @set, as text; false: all are. */
static bool missing(const struct hft_check *c, const cpu_set_t *set, char *text, size_t size)
{
	cpu_set_t left = c->workers;

	hft_cpus_without(&left, set);
	hft_cpulist_print(&left, text, size);
	return CPU_COUNT(&left);
}

static void check_online(struct hft_check *c)
{
	char text[HFT_CPULIST_SIZE];

	if (missing(c, &c->online, text, sizeof(text))) {
		say(c, HFT_CHECK_FAIL, "CPUs %s are offline, or there are none of these", text);
		say_fix(c, "chcpu --enable %s", text);
		return;
	}
	say(c, HFT_CHECK_OK, "CPUs %s are online", c->list);
}

static void check_cpuset(struct hft_check *c)
{
	char status[4096], line[HFT_CPULIST_SIZE], text[HFT_CPULIST_SIZE];
	cpu_set_t allowed;
	int length = hft_read_text(c->root, status, sizeof(status), "/proc/self/status");

	if (length < 0 || !line_value(status, "Cpus_allowed_list", line, sizeof(line)) ||
	    !hft_cpulist_parse(line, false, &allowed)) {
		say_unread(c, length < 0 ? length : -EINVAL, "the affinity of this process",
			   "the affinity of this process is not known");
		return;
	}
	/* Isolated CPUs are not in the first process's affinity, and a thread may still go there. */
	if (missing(c, &allowed, text, sizeof(text)))
		say(c, HFT_CHECK_NOTE, "the affinity of this process, %s, leaves out CPUs %s",
		    line, text);
	else
		say(c, HFT_CHECK_OK, "this process may run on CPUs %s", c->list);
}

static void check_housekeeping(struct hft_check *c)
{
	if (c->chosen && !CPU_COUNT(&c->others)) {
		say(c, HFT_CHECK_FAIL, "each CPU is a worker's: none is left for all else");
		say_cost(c, PER_CPU_THREADS,
			 "interrupts, kernel threads and the shell run on a worker's CPU, or never");
		say_lasting(c, "workers on fewer CPUs: leave CPU 0 out");
		return;
	}
	if (c->chosen && CPU_ISSET(0, &c->workers)) {
		say(c, HFT_CHECK_NOTE, "CPU 0 is a worker's");
		say_cost(c, "Documentation/timers/no_hz.rst",
			 "the kernel keeps time and places its own work there");
		say_lasting(c, "workers on other CPUs");
		return;
	}
	say(c, HFT_CHECK_OK, "CPUs %s are left for all else", c->chosen ? c->other_list : c->list);
}

static void check_isolcpus(struct hft_check *c)
{
	char text[HFT_CPULIST_SIZE];
	cpu_set_t isolated;
	int err = hft_read_cpus(c->root, &isolated, "/sys/devices/system/cpu/isolated");

	if (err) {
		say_unread(c, err, "the isolated CPUs", "this kernel isolates no CPUs");
		return;
	}
	if (!missing(c, &isolated, text, sizeof(text))) {
		say(c, HFT_CHECK_OK, "CPUs %s are isolated", c->list);
		return;
	}
	if (CPU_COUNT(&isolated))
		say(c, HFT_CHECK_WARN, "CPUs %s are not isolated", text);
	else
		say(c, HFT_CHECK_WARN, "no CPU is isolated");
	say_cost(c, "Documentation/admin-guide/kernel-parameters.txt, isolcpus=",
		 "the scheduler puts other threads there: up to a time slice, some ms");
	say_fix(c, "cd /sys/fs/cgroup && echo +cpuset > cgroup.subtree_control && mkdir -p hft && echo %s > hft/cpuset.cpus && echo isolated > hft/cpuset.cpus.partition",
		c->named);
	say_lasting(c, "boot with isolcpus=managed_irq,domain,%s", c->named);
}

static void check_nohz_full(struct hft_check *c)
{
	char text[HFT_CPULIST_SIZE];
	cpu_set_t tickless;
	int err = hft_read_cpus(c->root, &tickless, "/sys/devices/system/cpu/nohz_full");

	if (err == -ENOENT) {
		say(c, HFT_CHECK_NOTE, "this kernel has no nohz_full: each CPU has its tick");
	} else if (err) {
		say_unread(c, err, "the CPUs without a tick", "");
		return;
	} else if (!missing(c, &tickless, text, sizeof(text))) {
		say(c, HFT_CHECK_OK, "CPUs %s have no tick while one thread runs", c->list);
		return;
	} else {
		say(c, HFT_CHECK_WARN, "CPUs %s have their tick", text);
	}
	say_cost(c, "Documentation/timers/no_hz.rst",
		 "an interrupt of some us, 100 to 1000 times a second (CONFIG_HZ), in a busy worker");
	say_lasting(c, "boot with nohz_full=%s", c->named);
}

/* Nothing but the command line says so; nohz_full= means it too. */
static void check_rcu_nocbs(struct hft_check *c)
{
	char value[HFT_CPULIST_SIZE], text[HFT_CPULIST_SIZE];
	cpu_set_t offloaded, tickless;

	CPU_ZERO(&offloaded);
	if (boot_option(c, "rcu_nocbs", value, sizeof(value)))
		hft_cpulist_parse(value, false, &offloaded);
	if (!hft_read_cpus(c->root, &tickless, "/sys/devices/system/cpu/nohz_full"))
		CPU_OR(&offloaded, &offloaded, &tickless);
	if (!missing(c, &offloaded, text, sizeof(text))) {
		say(c, HFT_CHECK_OK, "other CPUs do the RCU callbacks of CPUs %s", c->list);
		return;
	}
	say(c, HFT_CHECK_WARN, "CPUs %s do their RCU callbacks themselves", text);
	say_cost(c, PER_CPU_THREADS, "softirqs of up to some ms, whenever the kernel frees memory");
	say_lasting(c, "boot with rcu_nocbs=%s", c->named);
}

const struct hft_check_entry hft_checks_isolation[] = {
	{ "online", check_online, 0 },
	{ "cpuset", check_cpuset, 0 },
	{ "housekeeping", check_housekeeping, 0 },
	{ "isolcpus", check_isolcpus, 0 },
	{ "nohz_full", check_nohz_full, 0 },
	{ "rcu_nocbs", check_rcu_nocbs, 0 },
	{ NULL, NULL, 0 }
};
