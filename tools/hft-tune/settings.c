// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is changed, and to what; the names are those of hft-check's findings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <check/wanted.h>
#include <cpulist.h>
#include <irq.h>
#include <sysfs.h>

#include "hft-tune.h"

/* @set without the workers; what would have none that is online goes to all others. */
static void leave_workers(const struct plan *plan, cpu_set_t *set)
{
	cpu_set_t left = *set, online;

	hft_cpus_without(&left, &plan->workers);
	CPU_AND(&online, &left, &plan->others);
	*set = CPU_COUNT(&online) ? left : plan->others;
}

static bool has_workers(const struct plan *plan, const cpu_set_t *set)
{
	cpu_set_t both;

	CPU_AND(&both, set, &plan->workers);
	return CPU_COUNT(&both);
}

static bool plan_irq(void *arg, unsigned int irq, const char *handler)
{
	struct plan *plan = arg;
	char value[VALUE_SIZE];
	cpu_set_t cpus;

	(void)handler;
	if (hft_read_cpus(plan->root, &cpus, "/proc/irq/%u/smp_affinity_list", irq) ||
	    !has_workers(plan, &cpus))
		return true;
	leave_workers(plan, &cpus);
	hft_cpulist_print(&cpus, value, sizeof(value));
	plan_add(plan, "irq_affinity", value, "/proc/irq/%u/smp_affinity_list", irq);
	return true;
}

static void plan_irqs(struct plan *plan)
{
	hft_for_each_irq(plan->root, plan_irq, plan);
}

static void plan_mask(struct plan *plan, const char *name, const char *path)
{
	char line[VALUE_SIZE], value[VALUE_SIZE];
	cpu_set_t cpus;

	if (hft_read_line(plan->root, line, sizeof(line), "%s", path) ||
	    !hft_cpumask_parse(line, &cpus) || !has_workers(plan, &cpus))
		return;
	leave_workers(plan, &cpus);
	hft_cpumask_print(&cpus, value, sizeof(value));
	plan_add(plan, name, value, "%s", path);
}

static void plan_irq_default(struct plan *plan)
{
	plan_mask(plan, "irq_default", IRQ_DEFAULT);
}

static bool plan_one_workqueue(void *arg, const char *entry)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), SYS_WORKQUEUE "%s/cpumask", entry) < (int)sizeof(path))
		plan_mask(arg, "workqueue", path);
	return true;
}

static void plan_workqueue(struct plan *plan)
{
	plan_mask(plan, "workqueue", SYS_WORKQUEUE "cpumask");
	hft_for_each_entry(plan->root, SYS_WORKQUEUE, plan_one_workqueue, plan);
}

static void plan_cstates(struct plan *plan)
{
	long long latency;
	int cpu, i;

	hft_for_each_cpu(cpu, &plan->workers) {
		for (i = 0; i < IDLE_STATES; i++) {
			if (hft_read_number(plan->root, &latency,
					    SYS_CPU "cpu%d/cpuidle/state%d/latency", cpu, i))
				break;
			if (latency > IDLE_LIMIT_US)
				plan_add(plan, "cstates", "1",
					 SYS_CPU "cpu%d/cpuidle/state%d/disable", cpu, i);
		}
	}
}

static void plan_governor(struct plan *plan)
{
	int cpu;

	hft_for_each_cpu(cpu, &plan->workers)
		plan_add(plan, "governor", "performance",
			 SYS_CPU "cpu%d/cpufreq/scaling_governor", cpu);
}

static void plan_rt_throttling(struct plan *plan)
{
	plan_add(plan, "rt_throttling", "-1", SYSCTL_KERNEL "sched_rt_runtime_us");
}

static void plan_fair_server(struct plan *plan)
{
	int cpu;

	hft_for_each_cpu(cpu, &plan->workers)
		plan_add(plan, "fair_server", "0", SYS_FAIR_SERVER "cpu%d/runtime", cpu);
}

static void plan_timer_migration(struct plan *plan)
{
	plan_add(plan, "timer_migration", "0", SYSCTL_KERNEL "timer_migration");
}

/* A list, though it is called a mask. */
static void plan_watchdog(struct plan *plan)
{
	char value[VALUE_SIZE];
	cpu_set_t cpus;

	if (hft_read_cpus(plan->root, &cpus, SYSCTL_KERNEL "watchdog_cpumask") ||
	    !has_workers(plan, &cpus))
		return;
	leave_workers(plan, &cpus);
	hft_cpulist_print(&cpus, value, sizeof(value));
	plan_add(plan, "watchdog", value, SYSCTL_KERNEL "watchdog_cpumask");
}

static void plan_nmi_watchdog(struct plan *plan)
{
	plan_add(plan, "nmi_watchdog", "0", SYSCTL_KERNEL "nmi_watchdog");
}

static void plan_if(struct plan *plan, const char *name, const char *path, const char *is,
		    const char *value)
{
	char now[VALUE_SIZE];

	if (!value_read(plan->root, path, now, sizeof(now)) && !strcmp(now, is))
		plan_add(plan, name, value, "%s", path);
}

static void plan_thp(struct plan *plan)
{
	plan_if(plan, "thp", SYS_THP "enabled", "always", "madvise");
	plan_if(plan, "thp", SYS_THP "defrag", "always", "madvise");
	plan_add(plan, "thp", "0", SYS_THP "khugepaged/defrag");
}

/* Writing 2 would take the merged pages apart, which can not be undone. */
static void plan_ksm(struct plan *plan)
{
	plan_if(plan, "ksm", SYS_KSM "run", "1", "0");
}

static void plan_numa_balancing(struct plan *plan)
{
	plan_add(plan, "numa_balancing", "0", SYSCTL_KERNEL "numa_balancing");
}

static void plan_compaction(struct plan *plan)
{
	plan_add(plan, "compaction", "0", SYSCTL_VM "compaction_proactiveness");
}

static void plan_vmstat(struct plan *plan)
{
	char value[16];

	snprintf(value, sizeof(value), "%d", VMSTAT_S);
	plan_add(plan, "vmstat", value, SYSCTL_VM "stat_interval");
}

static const struct setting {
	const char *name;
	void (*plan)(struct plan *plan);
	const char *text;
} settings[] = {
	{ "irq_affinity", plan_irqs, "interrupts go to other CPUs" },
	{ "irq_default", plan_irq_default, "those of devices to come, too" },
	{ "workqueue", plan_workqueue, "the kernel's unbound work and its writeback, too" },
	{ "cstates", plan_cstates, "no idle state that takes more than 10 us to leave" },
	{ "governor", plan_governor, "the governor \"performance\"" },
	{ "rt_throttling", plan_rt_throttling, "SCHED_FIFO is not throttled" },
	{ "fair_server", plan_fair_server, "nor does the fair server take its share" },
	{ "timer_migration", plan_timer_migration, "timers stay on their CPU" },
	{ "watchdog", plan_watchdog, "the lockup watchdog leaves the workers' CPUs out" },
	{ "nmi_watchdog", plan_nmi_watchdog, "no NMI watchdog" },
	{ "thp", plan_thp, "huge pages only for who asks" },
	{ "ksm", plan_ksm, "ksmd merges no more pages" },
	{ "numa_balancing", plan_numa_balancing, "pages stay on their node" },
	{ "compaction", plan_compaction, "memory is not compacted ahead" },
	{ "vmstat", plan_vmstat, "statistics of memory each 120 s" },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(settings[0]))

bool setting_select(const char *name, unsigned int *only)
{
	size_t i;

	for (i = 0; i < NR_SETTINGS; i++) {
		if (!strcmp(settings[i].name, name)) {
			*only |= 1U << i;
			return true;
		}
	}
	return false;
}

void settings_print(void)
{
	size_t i;

	for (i = 0; i < NR_SETTINGS; i++)
		printf("  %-16s %s\n", settings[i].name, settings[i].text);
}

int plan_make(struct plan *plan)
{
	size_t i;

	for (i = 0; i < NR_SETTINGS; i++) {
		if (!plan->only || plan->only & 1U << i)
			settings[i].plan(plan);
	}
	return plan->err;
}
