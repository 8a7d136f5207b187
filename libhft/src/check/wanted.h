/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the kernel keeps what hft_check_run() looks at and hft-tune changes, and limits. */
#ifndef HFT_CHECK_WANTED_H
#define HFT_CHECK_WANTED_H

#define SYS_CPU		"/sys/devices/system/cpu/"
#define SYS_WORKQUEUE	"/sys/devices/virtual/workqueue/"
#define SYS_FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/"
#define SYS_THP		"/sys/kernel/mm/transparent_hugepage/"
#define SYS_KSM		"/sys/kernel/mm/ksm/"
#define SYSCTL_KERNEL	"/proc/sys/kernel/"
#define SYSCTL_VM	"/proc/sys/vm/"
#define IRQ_DEFAULT	"/proc/irq/default_smp_affinity"

#define IDLE_LIMIT_US	10	/* most that leaving an idle state takes: a wake-up is some us */
#define IDLE_STATES	16	/* most that a CPU has */
#define VMSTAT_S	120	/* between looks of each CPU at its statistics of memory */

#endif /* HFT_CHECK_WANTED_H */
