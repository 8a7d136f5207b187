/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A check is a function of one of the tables below; it says one finding by say_*(), its
 * cost and what mends it.  Measurements that it asks for in its entry are made before,
 * once for all, and only if anything may be measured: ->have says which were.
 */
#ifndef HFT_CHECK_INTERNAL_H
#define HFT_CHECK_INTERNAL_H

#include <limits.h>
#include <hft/check.h>

#include "../cpulist.h"
#include "../sysfs.h"
#include "wanted.h"

#define MEASURE_CLOCK		(1U << 0)	/* reading it */
#define MEASURE_SYSCALL		(1U << 1)
#define MEASURE_WAKE		(1U << 2)	/* of a thread that a timer wakes; idle, slack */
#define MEASURE_GAPS		(1U << 3)	/* of a thread that does nothing but look */

/**
 * struct hft_measured - what was measured on a CPU of the workers; ns
 * @tried: MEASURE_* of what was begun
 * @have: MEASURE_* of what is valid
 * @clock_ns: a reading of CLOCK_MONOTONIC
 * @syscall_ns: the shortest system call
 * @busy_wake_ns: median, from a timer to the thread, the CPU busy with less important work
 * @idle_wake_ns: the same, the CPU idle
 * @slack_wake_ns: the same, with the timer slack that the process has
 * @spun_ns: how long the thread looked
 * @lost_ns: of that in gaps
 * @longest_ns: the longest gap
 * @gaps: longer than %MEASURE_GAP_NS
 * @steal_ticks: USER_HZ ticks that the hypervisor took from all CPUs meanwhile
 * @sibling_ticks: such that the others of its core were busy
 * @smi: SMIs meanwhile; -1: the counter can not be read
 */
struct hft_measured {
	unsigned int tried;
	unsigned int have;
	uint64_t clock_ns;
	uint64_t syscall_ns;
	uint64_t busy_wake_ns;
	uint64_t idle_wake_ns;
	uint64_t slack_wake_ns;
	uint64_t spun_ns;
	uint64_t lost_ns;
	uint64_t longest_ns;
	uint64_t gaps;
	uint64_t steal_ticks;
	uint64_t sibling_ticks;
	long long smi;
};

#define MEASURE_GAP_NS		1000
#define CHECK_TEXT		512

/**
 * struct hft_check - the state of a run
 * @root: prefix of each path
 * @live: is it this machine?
 * @measure: may it take time?
 * @chosen: are @workers those of the caller, or isolated?  Otherwise all that are online.
 * @workers: CPUs
 * @online: CPUs
 * @others: those online that are no worker's
 * @list: @workers as text
 * @named: @list, or, if nobody chose them, "LIST": for commands
 * @other_list: @others as text; "OTHERS" if there are none
 * @cmdline: the kernel's
 * @flags: of the first CPU, between blanks
 * @release: of the kernel
 * @measured: so far
 * @finding: of the check that runs; its texts are those below
 */
struct hft_check {
	const char *root;
	bool live;
	bool measure;
	bool chosen;
	cpu_set_t workers;
	cpu_set_t online;
	cpu_set_t others;
	char list[HFT_CPULIST_SIZE];
	const char *named;
	char other_list[HFT_CPULIST_SIZE];
	char cmdline[4096];
	char flags[4096];
	char release[128];
	struct hft_measured measured;
	struct hft_check_finding finding;
	char what[CHECK_TEXT + HFT_CPULIST_SIZE];
	char cost[CHECK_TEXT];
	char fix[CHECK_TEXT + HFT_CPULIST_SIZE];
	char lasting[CHECK_TEXT + HFT_CPULIST_SIZE];
};

struct hft_check_entry {
	const char *name;
	void (*check)(struct hft_check *c);
	unsigned int needs;		/* MEASURE_* */
};

struct hft_check_topic {
	const char *name;
	const struct hft_check_entry *entries;	/* the last has no name */
};

extern const struct hft_check_entry hft_checks_clock[];
extern const struct hft_check_entry hft_checks_isolation[];
extern const struct hft_check_entry hft_checks_interrupts[];
extern const struct hft_check_entry hft_checks_idle[];
extern const struct hft_check_entry hft_checks_scheduler[];
extern const struct hft_check_entry hft_checks_memory[];
extern const struct hft_check_entry hft_checks_limits[];
extern const struct hft_check_entry hft_checks_pmu[];
extern const struct hft_check_entry hft_checks_kernel[];
extern const struct hft_check_entry hft_checks_machine[];
extern const struct hft_check_entry hft_checks_device[];

/* check.c */
#define CHECK_FORMAT(at)	__attribute__((format(printf, at, (at) + 1)))
void say(struct hft_check *c, enum hft_severity severity, const char *format, ...)
	CHECK_FORMAT(3);
void say_cost(struct hft_check *c, const char *source, const char *format, ...) CHECK_FORMAT(3);
void say_measured(struct hft_check *c, uint64_t ns, const char *format, ...) CHECK_FORMAT(3);
void say_fix(struct hft_check *c, const char *format, ...) CHECK_FORMAT(2);
void say_lasting(struct hft_check *c, const char *format, ...) CHECK_FORMAT(2);

/* "@what could not be read: why", a note; what is not there is @absent, and ok. */
void say_unread(struct hft_check *c, int err, const char *what, const char *absent);

/* The value of an option of the kernel's command line, the last one, or NULL. */
const char *boot_option(struct hft_check *c, const char *name, char *value, size_t size);
bool has_boot_option(struct hft_check *c, const char *name);
bool cpu_flag(const struct hft_check *c, const char *name);
bool runs_kernel(const struct hft_check *c, unsigned int major, unsigned int minor);

/* The value of a line "name: value" of text; false if there is none. */
bool line_value(const char *text, const char *name, char *value, size_t size);

/* measure.c */
void hft_measure(struct hft_check *c, unsigned int needs);

#endif /* HFT_CHECK_INTERNAL_H */
