/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The layout of the ABI, for 64- and 32-bit callers, in C and in C++.  i386 aligns a 64-bit
 * member to 4 bytes: where each is at a multiple of 8 and so is the size, both get the same
 * layout.  Needs no library, so that a compiler without a 32-bit one can check it with -m32.
 */
#ifndef HFT_LAYOUT_H
#define HFT_LAYOUT_H

#include <stddef.h>

#include <linux/hft.h>

#ifndef __cplusplus
#undef static_assert
#define static_assert _Static_assert
#endif

#define AT(type, member, offset)					\
	static_assert(offsetof(struct type, member) == (offset), #type "." #member)
#define AT64(type, member, offset)					\
	AT(type, member, offset);					\
	static_assert((offset) % 8 == 0, #type "." #member " is not aligned for 32 bit")
#define SIZE(type, size)						\
	static_assert(sizeof(struct type) == (size), "struct " #type);	\
	static_assert((size) % 8 == 0, "struct " #type " has another size for 32 bit")

AT64(hft_query, features, 0);
AT(hft_query, max_tasks, 8);
AT(hft_query, max_rings, 12);
AT(hft_query, max_entries, 16);
AT(hft_query, max_batch, 20);
AT64(hft_query, max_lead, 24);
AT(hft_query, levels, 32);
AT(hft_query, policies, 36);
AT(hft_query, clocks, 40);
AT(hft_query, nr_cpus, 44);
SIZE(hft_query, 48);

AT64(hft_setup, features, 0);
AT(hft_setup, tasks, 8);
AT(hft_setup, flags, 12);
SIZE(hft_setup, 16);

AT(hft_ring_add, cpu, 0);
AT(hft_ring_add, entries, 4);
AT(hft_ring_add, window, 8);
AT(hft_ring_add, level_mask, 12);
AT(hft_ring_add, policy, 16);
AT(hft_ring_add, flags, 20);
AT64(hft_ring_add, lead, 24);
AT(hft_ring_add, ring, 32);
AT(hft_ring_add, events_off, 36);
AT64(hft_ring_add, pages_off, 40);
AT64(hft_ring_add, pages_size, 48);
AT(hft_ring_add, quantum, 56);
AT(hft_ring_add, consumer_size, 60);
AT(hft_ring_add, fallback, 64);
AT(hft_ring_add, metrics_off, 68);
AT(hft_ring_add, sink, 72);
AT(hft_ring_add, reserved, 76);
SIZE(hft_ring_add, 80);

AT64(hft_metrics, sequence, 0);
AT(hft_metrics, valid, 8);
AT(hft_metrics, events, 12);
AT64(hft_metrics, counts, 16);
AT64(hft_metrics, reserved, 48);
SIZE(hft_metrics, 64);

AT64(hft_metrics_sum, runs, 0);
AT64(hft_metrics_sum, unread, 8);
AT64(hft_metrics_sum, counts, 16);
SIZE(hft_metrics_sum, 48);

AT(hft_pmu, flags, 0);
AT(hft_pmu, cpu, 4);
AT(hft_pmu, nr, 8);
AT(hft_pmu, valid, 12);
AT(hft_pmu, type, 16);
AT64(hft_pmu, config, 32);
AT(hft_pmu, metrics_valid, 64);
AT(hft_pmu, index, 68);
AT64(hft_pmu, metrics, 72);
SIZE(hft_pmu, 120);

AT(hft_rule, ring, 0);
AT(hft_rule, number, 4);
AT(hft_rule, action, 8);
AT(hft_rule, flags, 12);
AT(hft_rule, anomalies, 16);
AT(hft_rule, kinds, 20);
AT(hft_rule, classes, 24);
AT(hft_rule, count, 28);
AT(hft_rule, among, 32);
AT(hft_rule, level, 36);
AT(hft_rule, targets, 40);
AT(hft_rule, budget_ppm, 44);
AT64(hft_rule, amount, 48);
AT64(hft_rule, most, 56);
AT64(hft_rule, leave, 64);
AT64(hft_rule, interval, 72);
AT64(hft_rule, hold, 80);
AT(hft_rule, seasons, 88);
AT(hft_rule, reserved, 92);
SIZE(hft_rule, 96);

AT(hft_rule_info, ring, 0);
AT(hft_rule_info, number, 4);
AT(hft_rule_info, action, 8);
AT(hft_rule_info, flags, 12);
AT(hft_rule_info, in_force, 16);
AT(hft_rule_info, anomaly, 20);
AT64(hft_rule_info, anomalies, 24);
AT64(hft_rule_info, applied, 32);
AT64(hft_rule_info, undone, 40);
AT64(hft_rule_info, limited, 48);
AT64(hft_rule_info, withheld, 56);
AT64(hft_rule_info, value, 64);
AT64(hft_rule_info, since, 72);
AT64(hft_rule_info, last, 80);
AT64(hft_rule_info, reserved, 88);
SIZE(hft_rule_info, 96);

AT(hft_ring_consumer, head, 0);
AT(hft_ring_consumer, need_wakeup, 4);
SIZE(hft_ring_consumer, 8);

AT(hft_ring_producer, tail, 0);
AT(hft_ring_producer, flags, 4);
AT64(hft_ring_producer, dropped, 8);
AT64(hft_ring_producer, preempt, 16);
AT64(hft_ring_producer, lead, 24);
AT64(hft_ring_producer, reserved, 32);
SIZE(hft_ring_producer, 64);

AT64(hft_event, cookie, 0);
AT64(hft_event, task, 8);
AT64(hft_event, release, 16);
AT64(hft_event, deadline, 24);
AT64(hft_event, irq_entry, 32);
AT64(hft_event, published, 40);
AT64(hft_event, sequence, 48);
AT(hft_event, result, 56);
AT(hft_event, type, 60);
AT(hft_event, clock, 62);
AT(hft_event, level, 63);
SIZE(hft_event, 64);

AT64(hft_task, cookie, 0);
AT64(hft_task, release, 8);
AT64(hft_task, deadline, 16);
AT(hft_task, ring, 24);
AT(hft_task, flags, 28);
AT(hft_task, clock, 32);
AT(hft_task, level, 33);
AT(hft_task, task_class, 34);
AT(hft_task, reserved1, 35);
AT(hft_task, reserved2, 36);
AT64(hft_task, period, 40);
AT64(hft_task, wcet, 48);
AT64(hft_task, after, 56);
SIZE(hft_task, 64);

AT64(hft_task_info, task, 0);
AT(hft_task_info, state, 8);
AT(hft_task_info, ring, 12);
AT64(hft_task_info, release, 16);
AT64(hft_task_info, jobs, 24);
AT64(hft_task_info, missed, 32);
AT64(hft_task_info, deadlines_missed, 40);
AT64(hft_task_info, reserved, 48);
SIZE(hft_task_info, 56);

AT(hft_ring_set, ring, 0);
AT(hft_ring_set, policy, 4);
AT64(hft_ring_set, reserved, 8);
SIZE(hft_ring_set, 16);

AT64(hft_report, start, 0);
AT64(hft_report, end, 8);
AT(hft_report, result, 16);
AT(hft_report, woke, 20);
AT(hft_report, reserved, 24);
SIZE(hft_report, 32);

AT(hft_class_info, ring, 0);
AT(hft_class_info, task_class, 4);
AT64(hft_class_info, runs, 8);
AT64(hft_class_info, failed, 16);
AT64(hft_class_info, over_budget, 24);
AT64(hft_class_info, busy, 32);
AT64(hft_class_info, max, 40);
AT64(hft_class_info, p999, 48);
AT(hft_class_info, step, 56);
AT(hft_class_info, reserved, 60);
AT(hft_class_info, metrics_valid, 64);
AT(hft_class_info, reserved1, 68);
AT64(hft_class_info, metrics, 72);
SIZE(hft_class_info, 120);

AT(hft_meter_set, ring, 0);
AT(hft_meter_set, flags, 4);
AT(hft_meter_set, classes, 8);
AT(hft_meter_set, kinds, 12);
AT64(hft_meter_set, reserved, 16);
SIZE(hft_meter_set, 24);

AT(hft_hist_info, ring, 0);
AT(hft_hist_info, flags, 4);
AT(hft_hist_info, task_class, 8);
AT(hft_hist_info, kind, 12);
AT64(hft_hist_info, buckets, 16);
AT(hft_hist_info, nr_buckets, 24);
AT(hft_hist_info, reserved, 28);
AT64(hft_hist_info, count, 32);
AT64(hft_hist_info, sum, 40);
AT64(hft_hist_info, min, 48);
AT64(hft_hist_info, max, 56);
AT64(hft_hist_info, in_time, 64);
AT64(hft_hist_info, since, 72);
SIZE(hft_hist_info, 80);
AT64(hft_lead_row, lead, 0);
AT(hft_lead_row, late_ppm, 8);
AT(hft_lead_row, cpu_ppm, 12);
SIZE(hft_lead_row, 16);

AT(hft_lead_info, ring, 0);
AT(hft_lead_info, fields, 4);
AT64(hft_lead_info, lead, 8);
AT(hft_lead_info, budget_ppm, 16);
AT(hft_lead_info, nr_rows, 20);
AT64(hft_lead_info, rows, 24);
AT(hft_lead_info, late_ppm, 32);
AT(hft_lead_info, cpu_ppm, 36);
AT64(hft_lead_info, wakeups, 40);
AT64(hft_lead_info, changes, 48);
AT64(hft_lead_info, reserved, 56);
SIZE(hft_lead_info, 64);

AT64(hft_modify, task, 0);
AT(hft_modify, fields, 8);
AT(hft_modify, level, 12);
AT64(hft_modify, release, 16);
AT64(hft_modify, deadline, 24);
AT64(hft_modify, period, 32);
AT64(hft_modify, reserved, 40);
SIZE(hft_modify, 48);

AT64(hft_arrival, task, 0);
AT64(hft_arrival, release, 8);
AT64(hft_arrival, reserved, 16);
SIZE(hft_arrival, 24);

AT(hft_halt, mode, 0);
AT(hft_halt, flags, 4);
AT64(hft_halt, stopped, 8);
AT(hft_halt, rings, 16);
AT(hft_halt, reserved, 20);
SIZE(hft_halt, 24);

AT(hft_submit, task, 0);
AT64(hft_submit, result, 64);
AT64(hft_submit, reserved, 72);
SIZE(hft_submit, 80);

AT64(hft_submit_batch, tasks, 0);
AT64(hft_submit_batch, results, 8);
AT(hft_submit_batch, nr, 16);
AT(hft_submit_batch, task_size, 20);
AT64(hft_submit_batch, reserved, 24);
SIZE(hft_submit_batch, 32);

AT64(hft_cancel, task, 0);
AT64(hft_cancel, reserved, 8);
SIZE(hft_cancel, 16);

AT64(hft_wait, timeout, 0);
AT(hft_wait, flags, 8);
AT(hft_wait, reserved, 12);
SIZE(hft_wait, 16);

AT(hft_stats, ring, 0);
AT(hft_stats, flags, 4);
AT(hft_stats, tasks, 8);
AT(hft_stats, tasks_free, 12);
AT64(hft_stats, submitted, 16);
AT64(hft_stats, dispatched, 24);
AT64(hft_stats, cancelled, 32);
AT64(hft_stats, ended, 40);
AT64(hft_stats, waiting, 48);
AT64(hft_stats, ready, 56);
AT64(hft_stats, in_flight, 64);
AT64(hft_stats, wakeups, 72);
AT64(hft_stats, full, 80);
AT64(hft_stats, bad_head, 88);
AT64(hft_stats, overruns, 96);
AT64(hft_stats, deadline_misses, 104);
AT64(hft_stats, clock_faults, 112);
AT(hft_stats, tsc, 120);
AT(hft_stats, metrics_valid, 124);
AT64(hft_stats, metrics, 128);
SIZE(hft_stats, 176);

AT64(hft_clock_pair, cycles, 0);
AT64(hft_clock_pair, monotonic, 8);
AT64(hft_clock_pair, realtime, 16);
AT(hft_clock_pair, was_set, 24);
AT(hft_clock_pair, reserved, 28);
SIZE(hft_clock_pair, 32);

/* Numbers of commands are ABI too. */
static_assert(HFT_IOC_QUERY == 0x80306800, "HFT_IOC_QUERY");
static_assert(HFT_IOC_SETUP == 0x40106801, "HFT_IOC_SETUP");
static_assert(HFT_IOC_RING_ADD == 0xc0506802, "HFT_IOC_RING_ADD");
static_assert(HFT_IOC_STATS == 0xc0b06803, "HFT_IOC_STATS");
static_assert(HFT_IOC_CLOCK == 0x80206804, "HFT_IOC_CLOCK");
static_assert(HFT_IOC_SUBMIT == 0xc0506810, "HFT_IOC_SUBMIT");
static_assert(HFT_IOC_SUBMIT_BATCH == 0xc0206811, "HFT_IOC_SUBMIT_BATCH");
static_assert(HFT_IOC_CANCEL == 0xc0106812, "HFT_IOC_CANCEL");
static_assert(HFT_IOC_MODIFY == 0xc0306813, "HFT_IOC_MODIFY");
static_assert(HFT_IOC_TASK == 0xc0386814, "HFT_IOC_TASK");
static_assert(HFT_IOC_HALT == 0xc0186815, "HFT_IOC_HALT");
static_assert(HFT_IOC_RELEASE == 0xc0186817, "HFT_IOC_RELEASE");
static_assert(HFT_IOC_METER == 0x40186819, "HFT_IOC_METER");
static_assert(HFT_IOC_HIST == 0xc050681a, "HFT_IOC_HIST");
static_assert(HFT_IOC_CLASS == 0xc0786818, "HFT_IOC_CLASS");
static_assert(HFT_IOC_PMU == 0xc078681d, "HFT_IOC_PMU");
static_assert(HFT_IOC_WAIT == 0x40106820, "HFT_IOC_WAIT");
static_assert(HFT_IOC_WAKE == 0x6821, "HFT_IOC_WAKE");

#endif /* HFT_LAYOUT_H */
