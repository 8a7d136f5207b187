// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where threads of the log run: on the CPUs that the process had when it began, without those
 * that are for work alone, and those that a thread of it is bound to.  What the thread that opens
 * the log is bound to says nothing of the process: it may be the trading thread.
 */
#include <errno.h>
#include <unistd.h>

#include "../cpulist.h"
#include "../options.h"
#include "../sysfs.h"
#include "log.h"
#include "store_internal.h"

static cpu_set_t at_start;
static int start_err;

static __attribute__((constructor)) void read_start(void)
{
	start_err = sched_getaffinity(0, sizeof(at_start), &at_start) ? errno : 0;
}

/* Returns false: none would be left, and they stay. */
static bool leave_out(cpu_set_t *cpus, const cpu_set_t *others)
{
	cpu_set_t left = *cpus;

	hft_cpus_without(&left, others);
	if (!CPU_COUNT(&left))
		return false;
	*cpus = left;
	return true;
}

static void read_reserved(cpu_set_t *cpus)
{
	cpu_set_t some;

	CPU_ZERO(cpus);
	if (hft_read_cpus("", &some, "/sys/devices/system/cpu/isolated") >= 0)
		CPU_OR(cpus, cpus, &some);
	if (hft_read_cpus("", &some, "/sys/devices/system/cpu/nohz_full") >= 0)
		CPU_OR(cpus, cpus, &some);
}

/* Where there is no other, a thread of the program that is bound shares its CPU. */
static void choose(struct hft_log *log, const cpu_set_t *bound)
{
	cpu_set_t reserved;

	read_reserved(&reserved);
	log->cpus = at_start;
	log->crowded = !leave_out(&log->cpus, &reserved);
	log->crowded |= !leave_out(&log->cpus, bound);
}

static void add_cpu(cpu_set_t *cpus, int32_t cpu)
{
	if (cpu >= 0 && cpu < CPU_SETSIZE)
		CPU_SET(cpu, cpus);
}

int log_cpus_choose(struct hft_log *log)
{
	cpu_set_t bound;

	if (log->opts.cpus) {
		if (!hft_cpulist_parse(log->opts.cpus, false, &log->cpus) ||
		    !CPU_COUNT(&log->cpus))
			return hft_fail(EINVAL, "no list of CPUs: %s", log->opts.cpus);
		log->cpus_given = true;
		return 0;
	}
	if (start_err)
		return hft_fail(start_err, "the CPUs of this process");
	log->opener_cpu = log_bound_cpu();
	CPU_ZERO(&bound);
	add_cpu(&bound, log->opener_cpu);
	choose(log, &bound);
	return 0;
}

void log_cpus_tell(struct hft_log *log)
{
	char list[64];

	if (!log->crowded)
		return;
	hft_cpulist_print(&log->cpus, list, sizeof(list));
	hft_store_tell(log->store, HFT_LOG_STORE_CPUS, 0, "%s: no CPU is left for threads of the "
		       "log but those that are isolated, or that threads of the program are bound "
		       "to: they run on %s", log->dir, list);
}

/* A thread that is bound to a CPU has a ring now. */
void log_cpus_join(struct hft_log *log, int32_t cpu)
{
	const struct log_queue *queue;
	bool was_crowded = log->crowded;
	cpu_set_t bound, was = log->cpus;

	if (log->cpus_given || cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &was))
		return;
	CPU_ZERO(&bound);
	add_cpu(&bound, log->opener_cpu);
	for (queue = log->queues; queue; queue = queue->next)
		add_cpu(&bound, queue->ring->cpu);
	choose(log, &bound);
	if (!CPU_EQUAL(&was, &log->cpus)) {
		sched_setaffinity(0, sizeof(log->cpus), &log->cpus);
		hft_log_store_run_on(log->store, &log->cpus);
	}
	if (!was_crowded)
		log_cpus_tell(log);
}
