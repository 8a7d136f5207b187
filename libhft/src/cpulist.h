/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists and masks of CPUs, as the kernel reads and writes them. */
#ifndef HFT_CPULIST_H
#define HFT_CPULIST_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#define HFT_CPULIST_SIZE	1024	/* bytes of text that most machines get by with */

/*
 * A list such as "2-5,7", "0-7:2/4" (two of each four), "all", "N" (the last CPU); words
 * before a comma that are none, as in "managed_irq,2-3", are left out where @words.  False:
 * that is none, or a CPU is not below CPU_SETSIZE.
 */
bool hft_cpulist_parse(const char *text, bool words, cpu_set_t *set);

/* "2-5,7"; what does not fit ends with "...". */
void hft_cpulist_print(const cpu_set_t *set, char *text, size_t size);

/* A mask of 32 bits in hex and so on, as "3,ffffffff". */
void hft_cpumask_print(const cpu_set_t *set, char *text, size_t size);
bool hft_cpumask_parse(const char *text, cpu_set_t *set);

/* @set without @others */
void hft_cpus_without(cpu_set_t *set, const cpu_set_t *others);

#define hft_for_each_cpu(cpu, set)					\
	for ((cpu) = 0; (cpu) < CPU_SETSIZE; (cpu)++)			\
		if (CPU_ISSET(cpu, set))

#endif /* HFT_CPULIST_H */
