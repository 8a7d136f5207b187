// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the scheduler and the kernel's watches take from a busy worker. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static void check_rt_throttling(struct hft_check *c)
{
	long long runtime, period = 1000000;
	int err = hft_read_number(c->root, &runtime, SYSCTL_KERNEL "sched_rt_runtime_us");

	if (err) {
		say_unread(c, err, "kernel.sched_rt_runtime_us", "this kernel throttles nobody");
		return;
	}
	hft_read_number(c->root, &period, SYSCTL_KERNEL "sched_rt_period_us");
	if (runtime < 0 || runtime >= period) {
		say(c, HFT_CHECK_OK, "a busy SCHED_FIFO worker is not throttled");
		return;
	}
	say(c, HFT_CHECK_WARN, "a busy SCHED_FIFO worker is throttled to %lld us of each %lld us",
	    runtime, period);
	say_cost(c, "Documentation/scheduler/sched-rt-group.rst",
		 "a worker that spins stands still for %lld us of each %lld us", period - runtime,
		 period);
	say_fix(c, "sysctl kernel.sched_rt_runtime_us=-1");
	say_lasting(c, "echo kernel.sched_rt_runtime_us=-1 >> /etc/sysctl.d/60-hft.conf");
}

/* Since 6.12 a server gives SCHED_OTHER its share of a CPU that SCHED_FIFO keeps busy. */
static void check_fair_server(struct hft_check *c)
{
	long long runtime = 0, most = 0, period = 1000000000;
	int cpu, err = 0;

	hft_for_each_cpu(cpu, &c->workers) {
		err = hft_read_number(c->root, &runtime, SYS_FAIR_SERVER "cpu%d/runtime", cpu);
		if (err)
			break;
		if (runtime <= most)
			continue;
		most = runtime;
		hft_read_number(c->root, &period, SYS_FAIR_SERVER "cpu%d/period", cpu);
	}
	if (err && runs_kernel(c, 6, 12)) {
		say(c, HFT_CHECK_NOTE, "the fair server's runtime could not be read (%s): it needs root and debugfs",
		    strerror(-err));
		say_cost(c, "Documentation/scheduler/sched-deadline.rst",
			 "it takes 50 ms of each second from a busy SCHED_FIFO worker, where others wait");
	} else if (err || !most) {
		say(c, HFT_CHECK_OK, "no fair server takes time from CPUs %s", c->list);
		return;
	} else {
		say(c, HFT_CHECK_WARN, "the fair server takes %lld ns of each %lld ns from a busy SCHED_FIFO worker",
		    most, period);
		say_cost(c, SYS_FAIR_SERVER "cpuN/runtime",
			 "a worker that spins stands still for %lld ns of each %lld ns, where others wait",
			 most, period);
	}
	say_fix(c, "hft-tune --only fair_server --cpus %s --apply", c->named);
	say_lasting(c, "write it at each boot; with isolcpus= nobody waits there");
}

static void say_wake(struct hft_check *c)
{
	if (c->measured.have & MEASURE_WAKE)
		say_measured(c, c->measured.busy_wake_ns,
			     "from a timer to a thread of no priority on a busy CPU: %llu ns, the median",
			     (unsigned long long)c->measured.busy_wake_ns);
	else
		say_cost(c, "kernel/Kconfig.preempt",
			 "a system call of another thread delays a worker until it ends or offers to");
}

static void check_preemption(struct hft_check *c)
{
	char line[256], version[512];
	long long realtime = 0;

	if (hft_read_text(c->root, version, sizeof(version), "/proc/version") < 0)
		version[0] = '\0';
	hft_read_number(c->root, &realtime, "/sys/kernel/realtime");
	if (realtime || strstr(version, "PREEMPT_RT")) {
		say(c, HFT_CHECK_OK, "the kernel is PREEMPT_RT");
		say_wake(c);
		return;
	}
	if (hft_read_line(c->root, line, sizeof(line), "/sys/kernel/debug/sched/preempt"))
		snprintf(line, sizeof(line), "%s", strstr(version, "PREEMPT_DYNAMIC") ?
			 "dynamic (which needs root to see)" :
			 strstr(version, "PREEMPT") ? "full" : "voluntary or none");
	if (strchr(line, '('))
		hft_chosen_word(line);
	if (!strncmp(line, "full", 4) || strstr(line, "(full)")) {
		say(c, HFT_CHECK_OK, "the kernel is preemptible");
	} else {
		say(c, strstr(line, "dynamic") ? HFT_CHECK_NOTE : HFT_CHECK_WARN,
		    "the kernel's preemption is %s", line);
		say_fix(c, "echo full > /sys/kernel/debug/sched/preempt");
		say_lasting(c, "boot with preempt=full, or a PREEMPT_RT kernel");
	}
	say_wake(c);
}

static void check_timer_slack(struct hft_check *c)
{
	const struct hft_measured *m = &c->measured;
	long long slack;
	int err = hft_read_number(c->root, &slack, "/proc/self/timerslack_ns");

	if (err) {
		say_unread(c, err, "the timer slack", "this kernel has no timer slack");
		return;
	}
	if (slack <= 1000) {
		say(c, HFT_CHECK_OK, "the timer slack is %lld ns", slack);
		return;
	}
	say(c, HFT_CHECK_NOTE, "the timer slack of threads without a real-time priority is %lld ns",
	    slack);
	if (m->have & MEASURE_WAKE)
		say_measured(c, m->slack_wake_ns > m->idle_wake_ns ?
			     m->slack_wake_ns - m->idle_wake_ns : 0,
			     "a sleep ends %llu ns late with it, %llu ns without",
			     (unsigned long long)m->slack_wake_ns,
			     (unsigned long long)m->idle_wake_ns);
	else
		say_cost(c, "prctl(2), PR_SET_TIMERSLACK", "a sleep ends up to %lld ns late", slack);
	say_lasting(c, "prctl(PR_SET_TIMERSLACK, 1) in threads that sleep; workers of libhft do");
}

static void check_timer_migration(struct hft_check *c)
{
	long long on;
	int err = hft_read_number(c->root, &on, SYSCTL_KERNEL "timer_migration");

	if (err || !on || !c->chosen) {
		say(c, HFT_CHECK_OK, err || !on ? "timers stay on their CPU" :
		    "timers of idle CPUs may move to others");
		return;
	}
	say(c, HFT_CHECK_NOTE, "timers of idle CPUs may move to CPUs %s", c->list);
	say_cost(c, "Documentation/admin-guide/sysctl/kernel.rst",
		 "a busy CPU serves the timers of those that sleep; those with nohz_full do not");
	say_fix(c, "sysctl kernel.timer_migration=0");
	say_lasting(c, "echo kernel.timer_migration=0 >> /etc/sysctl.d/60-hft.conf, or nohz_full=%s",
		    c->list);
}

static void check_watchdog(struct hft_check *c)
{
	char line[HFT_CPULIST_SIZE];
	cpu_set_t cpus;
	long long on;

	if (hft_read_number(c->root, &on, SYSCTL_KERNEL "watchdog") || !on) {
		say(c, HFT_CHECK_OK, "no watchdog looks for lockups");
		return;
	}
	if (!hft_read_line(c->root, line, sizeof(line), SYSCTL_KERNEL "watchdog_cpumask") &&
	    hft_cpulist_parse(line, false, &cpus)) {
		CPU_AND(&cpus, &cpus, &c->workers);
		if (!CPU_COUNT(&cpus)) {
			say(c, HFT_CHECK_OK, "the lockup watchdog leaves out CPUs %s", c->list);
			return;
		}
	}
	say(c, c->chosen ? HFT_CHECK_WARN : HFT_CHECK_NOTE,
	    "the lockup watchdog runs on CPUs %s", c->list);
	say_cost(c, "Documentation/admin-guide/lockup-watchdogs.rst",
		 "a timer each 4 s that stops the worker for a thread of the highest priority, some us");
	say_fix(c, "sysctl kernel.watchdog_cpumask=%s", c->other_list);
	say_lasting(c, "boot with nowatchdog, or nohz_full=%s, which it leaves out", c->named);
}

static void check_psi(struct hft_check *c)
{
	if (!hft_path_exists(c->root, "/proc/pressure/cpu")) {
		say(c, HFT_CHECK_OK, "pressure stall information is off");
		return;
	}
	say(c, HFT_CHECK_NOTE, "pressure stall information is on");
	say_cost(c, "README.md, Figures", "10 %% of the instructions of a switch to a thread and back");
	say_lasting(c, "boot with psi=0");
}

static void check_tracing(struct hft_check *c)
{
	char tracer[64];
	int err = hft_read_line(c->root, tracer, sizeof(tracer), "/sys/kernel/tracing/current_tracer");

	if (err) {
		say_unread(c, err, "the current tracer", "this kernel has no tracer");
		return;
	}
	if (!strcmp(tracer, "nop")) {
		say(c, HFT_CHECK_OK, "no tracer is on");
		return;
	}
	say(c, HFT_CHECK_WARN, "the tracer %s is on", tracer);
	say_cost(c, "Documentation/trace/ftrace.rst",
		 "the function tracer records each function of the kernel: it takes several times as long");
	say_fix(c, "echo nop > /sys/kernel/tracing/current_tracer");
}

const struct hft_check_entry hft_checks_scheduler[] = {
	{ "rt_throttling", check_rt_throttling, 0 },
	{ "fair_server", check_fair_server, 0 },
	{ "preemption", check_preemption, MEASURE_WAKE },
	{ "timer_slack", check_timer_slack, MEASURE_WAKE },
	{ "timer_migration", check_timer_migration, 0 },
	{ "watchdog", check_watchdog, 0 },
	{ "psi", check_psi, 0 },
	{ "tracing", check_tracing, 0 },
	{ NULL, NULL, 0 }
};
