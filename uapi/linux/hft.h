/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * hft: start pieces of work at an exact nanosecond, on a chosen CPU.
 *
 * Objects
 *
 *   Each open file of /dev/hft is a *context*: it owns tasks and rings, and sees
 *   no other context's.  %HFT_IOC_SETUP allocates its tasks, once.
 *   %HFT_IOC_RING_ADD binds a *ring* to a CPU and returns a file descriptor for
 *   it, which is mapped, polled, passed over a socket and closed by itself.  A
 *   *task* is submitted to a ring; at its release the kernel writes an *event*
 *   to the ring, and the ring's consumer, the *worker*, runs it.
 *
 * Commands
 *
 *   %HFT_IOC_SUBMIT, _SUBMIT_BATCH, _CANCEL, _MODIFY and _RELEASE are both ioctls
 *   and io_uring commands (IORING_OP_URING_CMD, the same number in sqe->cmd_op,
 *   the struct in sqe->cmd) on the context's descriptor, with the same results.
 *   An io_uring needs IORING_SETUP_SQE128: in a 64-byte entry only 16 bytes are
 *   left for a command, no descriptor fits, and the command is -EINVAL.  Every
 *   command completes inline.
 *
 * Growth
 *
 *   The size of a struct is part of its command's number, and the kernel takes
 *   any size: bytes that a caller knows and this kernel does not must be zero
 *   (-E2BIG), bytes that the caller does not know are taken as zero and are not
 *   written.  A reserved field or flag that is not zero is -EINVAL.
 *
 * Time
 *
 *   All times are in nanoseconds and, unless a field says otherwise, absolute.
 */
#ifndef _UAPI_LINUX_HFT_H
#define _UAPI_LINUX_HFT_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * enum hft_level - how urgent a task is; a higher level always goes first
 * @HFT_LEVEL_IDLE: when nothing else is ready
 * @HFT_LEVEL_BACKGROUND: housekeeping
 * @HFT_LEVEL_LOW: deferrable work
 * @HFT_LEVEL_NORMAL: ordinary work
 * @HFT_LEVEL_HIGH: market data
 * @HFT_LEVEL_CRITICAL: orders
 * @HFT_LEVEL_REALTIME: risk and kill switches
 * @HFT_LEVELS: how many levels there are
 */
enum hft_level {
	HFT_LEVEL_IDLE,
	HFT_LEVEL_BACKGROUND,
	HFT_LEVEL_LOW,
	HFT_LEVEL_NORMAL,
	HFT_LEVEL_HIGH,
	HFT_LEVEL_CRITICAL,
	HFT_LEVEL_REALTIME,
	HFT_LEVELS
};

#define HFT_LEVEL_MASK_ALL	((1U << HFT_LEVELS) - 1)

/**
 * enum hft_policy - the order of a ring's released tasks within a level
 * @HFT_POLICY_FIFO: in the order they were submitted
 * @HFT_POLICY_EDF: the earliest deadline first; a task without one goes last
 * @HFT_POLICY_FP: fixed priority: the level says it all, so as HFT_POLICY_FIFO
 * @HFT_POLICY_RM: rate monotonic: the shortest period first, or the shortest time
 *	from release to deadline where that is shorter (deadline monotonic); a task
 *	with neither goes last
 * @HFT_POLICY_LLF: the least laxity first, which is what is left until the deadline
 *	beyond the WCET.  Tasks that wait lose it at the same rate, so their order
 *	does not change; a task without a deadline goes last
 * @HFT_POLICY_FAIR: a multi-level feedback queue: the class of tasks that has run less
 *	in this 2^24 ns first; for rings with %HFT_RING_REPORT
 * @HFT_POLICIES: how many policies there are
 *
 * Tasks that are equal by the policy keep the order they were submitted in.
 */
enum hft_policy {
	HFT_POLICY_FIFO,
	HFT_POLICY_EDF,
	HFT_POLICY_FP,
	HFT_POLICY_RM,
	HFT_POLICY_LLF,
	HFT_POLICY_FAIR,
	HFT_POLICIES
};

/**
 * enum hft_clock - the clock that a task's release and deadline are on
 * @HFT_CLOCK_MONOTONIC: CLOCK_MONOTONIC
 * @HFT_CLOCK_REALTIME: CLOCK_REALTIME; a release follows a step of that clock
 * @HFT_CLOCK_TAI: CLOCK_TAI
 * @HFT_CLOCKS: how many clocks there are
 */
enum hft_clock {
	HFT_CLOCK_MONOTONIC,
	HFT_CLOCK_REALTIME,
	HFT_CLOCK_TAI,
	HFT_CLOCKS
};

/* Bits of hft_query.features */
#define HFT_FEATURE_URING	(1ULL << 0)	/* io_uring commands */
#define HFT_FEATURE_MONITOR	(1ULL << 1)	/* monitor rings */
#define HFT_FEATURE_CLOCK	(1ULL << 2)	/* HFT_IOC_CLOCK */
#define HFT_FEATURE_RT		(1ULL << 3)	/* the kernel is PREEMPT_RT */
#define HFT_FEATURE_METER	(1ULL << 4)	/* HFT_IOC_METER, HFT_IOC_HIST */
#define HFT_FEATURE_SINK	(1ULL << 6)	/* HFT_RING_FALLBACK, HFT_RING_SINK, HFT_IOC_SINK */
#define HFT_FEATURE_LEAD	(1ULL << 8)	/* HFT_RING_LEAD, HFT_IOC_LEAD */
#define HFT_FEATURE_RULE	(1ULL << 7)	/* HFT_IOC_RULE, HFT_IOC_RULE_INFO */
#define HFT_FEATURE_PMU		(1ULL << 5)	/* a CPU has counters (HFT_IOC_PMU) */

/**
 * struct hft_query - what this kernel offers (%HFT_IOC_QUERY)
 * @features: out: HFT_FEATURE_* bits
 * @max_tasks: out: most tasks of a context
 * @max_rings: out: most rings of a context
 * @max_entries: out: most entries of a ring
 * @max_batch: out: most tasks of an %HFT_IOC_SUBMIT_BATCH
 * @max_lead: out: longest lead of a ring, ns
 * @levels: out: %HFT_LEVELS of the kernel
 * @policies: out: %HFT_POLICIES of the kernel
 * @clocks: out: %HFT_CLOCKS of the kernel
 * @nr_cpus: out: CPU numbers are below this
 */
struct hft_query {
	__u64 features;
	__u32 max_tasks;
	__u32 max_rings;
	__u32 max_entries;
	__u32 max_batch;
	__u64 max_lead;
	__u32 levels;
	__u32 policies;
	__u32 clocks;
	__u32 nr_cpus;
};

/**
 * struct hft_setup - allocate a context's tasks (%HFT_IOC_SETUP), once
 * @features: HFT_FEATURE_* bits that the caller cannot do without; -EOPNOTSUPP
 *	when one is missing
 * @tasks: how many tasks the context can have queued at a time: 1 to
 *	hft_query.max_tasks
 * @flags: zero
 *
 * Submitting allocates nothing after that but with the context's first task on
 * %HFT_CLOCK_REALTIME, and on %HFT_CLOCK_TAI, what the CPUs of its rings need for tasks of
 * that clock, once for all contexts.
 *
 * Errors: -EALREADY the context is set up; -EINVAL @tasks is zero or too
 * large, or @flags is not zero; -EOPNOTSUPP; -EDQUOT the user's quota;
 * -ENOMEM.
 */
struct hft_setup {
	__u64 features;
	__u32 tasks;
	__u32 flags;
};

/* hft_ring_add.flags */
#define HFT_RING_MONITOR	(1U << 0)	/* carries notices of the context, no tasks */
#define HFT_RING_REPORT		(1U << 1)	/* its worker reports its runs */
#define HFT_RING_FALLBACK	(1U << 3)	/* another ring has its tasks if its CPU goes */
#define HFT_RING_SINK		(1U << 4)	/* a device has its tasks: @sink */
#define HFT_RING_LEAD		(1U << 5)	/* its lead is learned: with HFT_RING_REPORT */
#define HFT_RING_METRICS	(1U << 2)	/* counters of its CPU are read for its events */

/* Of the offset of a mapping of a ring: which of its two parts it is. */
#define HFT_RING_OFF_CONSUMER	0ULL

/**
 * struct hft_ring_add - add a ring to a context (%HFT_IOC_RING_ADD)
 * @cpu: the CPU that dispatches the ring's tasks and where its memory is
 * @entries: size of the ring, a power of two, 1 to hft_query.max_entries
 * @window: how many events may be in the ring at a time, 1 to @entries; with 1,
 *	tasks run in strict policy order, a larger one amortises the hand-over
 * @level_mask: bit n: the ring takes tasks of level n; zero for a monitor ring
 * @policy: &enum hft_policy; zero for a monitor ring
 * @flags: HFT_RING_* bits: %HFT_RING_MONITOR with none of the others, %HFT_RING_LEAD
 *	with %HFT_RING_REPORT
 * @lead: how long before its release a task is written to the ring, at most
 *	hft_query.max_lead; the worker must wait for the release itself.  With
 *	%HFT_RING_LEAD it is what the ring begins with
 * @ring: out: the ring's number in its context, for hft_task.ring
 * @pages_off: out: mmap offset of the read-only part: a page with a
 *	&struct hft_ring_producer, followed by @entries of &struct hft_event on
 *	pages of their own
 * @events_off: out: offset of the first &struct hft_event from @pages_off
 * @pages_size: out: bytes of the read-only part
 * @quantum: of %HFT_POLICY_FAIR: how long a class may run before it goes down the first
 *	step, ns; 0: 100000.  Only with %HFT_RING_REPORT
 * @consumer_size: out: bytes of the consumer's part: a page with a
 *	&struct hft_ring_consumer and, with %HFT_RING_REPORT, on pages of their own
 *	@entries of &struct hft_report
 * @fallback: with %HFT_RING_FALLBACK, the number of a ring of the context on another CPU
 * @metrics_off: out: with %HFT_RING_METRICS, offset of the first of @entries of
 *	&struct hft_metrics from @pages_off, on pages of their own
 * @sink: with %HFT_RING_SINK, hft_sink_info.sink of a sink
 * @reserved: zero
 *
 * Returns the ring's file descriptor (close-on-exec).  The consumer's part is mapped
 * by itself, shared, at offset %HFT_RING_OFF_CONSUMER with its own size; the rest can
 * not be mapped for writing (-EPERM).
 *
 * With %HFT_RING_REPORT or %HFT_RING_METRICS all of the ring's tasks are tracked.
 *
 * With %HFT_RING_FALLBACK, when the ring's CPU goes offline those of its tasks that are not
 * dispatched go to ring @fallback, as they are: their ids, times and the order in which
 * they were submitted, after those that were submitted there before.  One whose job is in
 * flight follows when that is consumed; a release of a periodic one that has passed by then
 * is an overrun.  What ring @fallback does not take (its level, its demand, a budget without
 * reports, one that is not to be late where rules may bring others to its level) ends as it
 * would without.  They do not come back.  Until the CPU does, tasks that
 * are submitted to the ring are taken by ring @fallback, or refused as that does; with
 * that one's CPU offline or the ring closed they go to its own fallback ring or are refused
 * with -ENODEV.
 *
 * With %HFT_RING_SINK a task is started by a sink, a device's driver in the kernel, where
 * its event would be written, and there is an %HFT_EVENT_SINK when the sink is done with it.
 * All of the ring's tasks are tracked; @window is how many the sink and the ring may have at
 * a time.  Of a periodic or sporadic task the sink has one job at a time, and its run ends
 * when the worker has advanced over the event.  When the sink goes away its tasks, queued or
 * not, end with -ENODEV, as does each that is submitted from then on.
 *
 * Errors: -EINVAL a field is out of range, the context is not set up, or has no
 * %HFT_IOC_PMU before %HFT_RING_METRICS; -ENOENT there is no ring @fallback that has
 * tasks, on another CPU; -ENXIO there is no such sink; -EPERM the sink is not for the
 * caller; -ENODEV the CPU is offline; -EOPNOTSUPP a counter was chosen that is not the CPU's
 * own (&struct hft_pmu); -ENOSPC the context has its most rings, one monitor
 * ring already, or the CPU has no room for its tasks; -EDQUOT the user's quota; -EMFILE,
 * -ENFILE, -ENOMEM.
 */
struct hft_ring_add {
	__u32 cpu;
	__u32 entries;
	__u32 window;
	__u32 level_mask;
	__u32 policy;
	__u32 flags;
	__u64 lead;
	__u32 ring;
	__u32 events_off;
	__u64 pages_off;
	__u64 pages_size;
	__u32 quantum;
	__u32 consumer_size;
	__u32 fallback;
	__u32 metrics_off;
	__u32 sink;
	__u32 reserved;
};

/**
 * struct hft_ring_set - change a ring (%HFT_IOC_RING_SET)
 * @ring: number of the ring
 * @policy: &enum hft_policy
 * @reserved: zero
 *
 * Tasks that wait in the ring get their place by the new policy; meanwhile none of
 * them is dispatched.  It takes time by the number of the context's tasks.
 *
 * Errors: -ENOENT no such ring; -EINVAL a field is out of range, it is a monitor ring,
 * or the policy needs %HFT_RING_REPORT; -EBUSY not all periodic tasks that are admitted
 * to the CPU could meet their deadlines by %HFT_POLICY_RM.
 */
struct hft_ring_set {
	__u32 ring;
	__u32 policy;
	__u64 reserved;
};

/**
 * struct hft_report - what a worker reports of a run, with %HFT_RING_REPORT
 * @start: CLOCK_MONOTONIC when the task of the event began to run; stored when it did
 * @end: when it had run; stored, as is @result, before the head is advanced over it
 * @result: 0, or a negative errno: the task has failed
 * @woke: with %HFT_RING_LEAD, by how much later than hft_event.irq_entry a worker that
 *	had waited for the event looked at it, ns, 1 at least; 0: it had not waited.
 *	Stored before the head is advanced over it
 * @reserved: zero
 *
 * The report of event n is at index n modulo the ring's entries.  A @start before the
 * event was published is none.  The kernel believes it in no other matter than the
 * estimates and the places of the ring's own tasks.
 */
struct hft_report {
	__u64 start;
	__u64 end;
	__s32 result;
	__u32 woke;
	__u32 reserved[2];
};

#define HFT_METRICS	4		/* counters, at most */

/**
 * struct hft_metrics - what counters of the CPU have counted, with %HFT_RING_METRICS
 * @sequence: 1 + hft_event.sequence of the event that it is of.  Load with acquire
 *	semantics before and, after an acquire barrier, again after the rest: the same, or
 *	it was written meanwhile
 * @valid: bit n: @counts[n] was counted
 * @events: how many events it is for, of which this is the last; 0: the counts of this
 *	one are with a later one
 * @counts: of the counters of %HFT_IOC_PMU
 * @reserved: zero
 *
 * That of event n is at index n modulo the ring's entries, and is written when the kernel
 * finds that the event is consumed: at a later dispatch to the ring, wait or question.
 * What it says is what the CPU has counted, whatever it ran, between two readings by the
 * kernel: from the one when the event was dispatched, or if others were before it in the
 * ring, when those were found to be consumed, to that when the event itself was.  A reading
 * on another CPU than the ring's has no counters.
 */
struct hft_metrics {
	__u64 sequence;
	__u32 valid;
	__u32 events;
	__u64 counts[HFT_METRICS];
	__u64 reserved[2];
};

/**
 * struct hft_metrics_sum - sum of &struct hft_metrics
 * @runs: events of which at least one counter is in @counts
 * @unread: events of which none is
 * @counts: of the counters of %HFT_IOC_PMU
 */
struct hft_metrics_sum {
	__u64 runs;
	__u64 unread;
	__u64 counts[HFT_METRICS];
};

/**
 * struct hft_ring_consumer - the page of a ring that its consumer writes
 * @head: events consumed so far, modulo 2^32.  Stored with release semantics
 *	after the task of an event has run
 * @need_wakeup: not zero: wake the pollers of the ring's descriptor at the next
 *	event.  Set it, execute a full barrier and look at the tail again before
 *	sleeping in poll; %HFT_IOC_WAIT does not need it
 *
 * The rest of the page is reserved: leave it zero.
 *
 * The kernel believes nothing here: a wrong value delays or repeats the
 * events of this ring and nothing else.
 */
struct hft_ring_consumer {
	__u32 head;
	__u32 need_wakeup;
};

/* hft_ring_producer.flags */
#define HFT_RING_MORE		(1U << 0)	/* released tasks wait: HFT_IOC_WAIT pulls them */
#define HFT_RING_OFFLINE	(1U << 1)	/* the ring's CPU is offline */
#define HFT_RING_DEAD		(1U << 2)	/* the context is closed: nothing will come */
#define HFT_RING_REDUCE		(1U << 3)	/* only tasks with HFT_TASK_REDUCE may run */
#define HFT_RING_HALTED		(1U << 4)	/* no task may run */

/**
 * struct hft_ring_producer - the page of a ring that the kernel writes
 * @tail: events written so far, modulo 2^32.  Load with acquire semantics;
 *	event n is at index n modulo the ring's entries
 * @flags: HFT_RING_MORE, _OFFLINE, _DEAD, _REDUCE, _HALTED
 * @dropped: notices that a full monitor ring lost; always zero for others
 * @preempt: 1 + hft_event.sequence of the event whose task should make way: by the
 *	ring's policy a better one waits for room, and this is the next to be advanced over.
 *	A task that can be interrupted looks here, submits what is left of it and returns
 * @lead: the ring's lead, ns: tasks that are queued from here on are written so long
 *	before their release
 * @reserved: zero
 */
struct hft_ring_producer {
	__u32 tail;
	__u32 flags;
	__u64 dropped;
	__u64 preempt;
	__u64 lead;
	__u64 reserved[4];
};

/**
 * enum hft_event_type - what an event says
 * @HFT_EVENT_TASK: a task: run it unless @result is negative
 * @HFT_EVENT_CPU_OFFLINE: notice: the CPU of ring @cookie went offline and
 *	@task of its tasks end with -ENODEV; those that go to its fallback ring do not
 * @HFT_EVENT_CPU_ONLINE: notice: the CPU of ring @cookie is back
 * @HFT_EVENT_MISS: notice: the deadline of task @task has passed at @irq_entry, and
 *	@result is its &enum hft_task_state
 * @HFT_EVENT_BUDGET: notice: task @task has run for longer than its WCET at @irq_entry,
 *	and still runs (%HFT_TASK_BUDGET)
 * @HFT_EVENT_CLOCK: notice: a clock is not what it was, and @result is the
 *	&enum hft_clock_fault.  It stands for @task of them, the last at @release; they
 *	come to @cookie ns in all, as a __s64
 * @HFT_EVENT_HALT: notice, after an %HFT_EVENT_MISS: it has halted the context to
 *	&enum hft_halt_mode @result (%HFT_TASK_HALT), which stops @cookie tasks that were
 *	released
 * @HFT_EVENT_ANOMALY: notice: @result is the &enum hft_anomaly of a value of @cookie ns, of
 *	&enum hft_kind @clock and class @level, where @release ns were expected, and more than
 *	@deadline are a spike (0: too little is known).  The lower half of @task is the ring,
 *	the upper half how many of that kind were not told since the one before.  Of
 *	%HFT_ANOMALY_STALL and _BURST @cookie and @release are times from one dispatch to the
 *	next.  %HFT_ANOMALY_INTERFERENCE, where a context has no rules of a ring on the CPU, has
 *	that for the ring, and 0 for @release, @clock and @level
 * @HFT_EVENT_RESPONSE: notice: a rule has acted: @result is the &enum hft_response,
 *	@clock the &enum hft_action, @level the &enum hft_anomaly that it is for; the lower
 *	half of @task is the ring, the upper half the number of the rule.  @cookie is what
 *	the action has set (a lead in ns, levels, a level, an &enum hft_halt_mode) and
 *	@deadline what that was before; it is in force since @release
 * @HFT_EVENT_SINK: a task that the ring's sink is done with: @result is what it says, or its
 *	error, or -ENODEV if it has gone meanwhile; @irq_entry is when the dispatch to it
 *	began, @published when it was done, or if there was no room when there was
 */
enum hft_event_type {
	HFT_EVENT_TASK = 1,
	HFT_EVENT_CPU_OFFLINE,
	HFT_EVENT_CPU_ONLINE,
	HFT_EVENT_MISS,
	HFT_EVENT_BUDGET,
	HFT_EVENT_CLOCK,
	HFT_EVENT_HALT,
	HFT_EVENT_ANOMALY,
	HFT_EVENT_RESPONSE,
	HFT_EVENT_SINK
};

/**
 * enum hft_clock_fault - what has happened to a clock
 * @HFT_FAULT_STEP: clock @clock was set; one notice for each clock that this moved
 * @HFT_FAULT_CLOCKSOURCE: all clocks run on another counter
 * @HFT_FAULT_TSC: the kernel trusts the TSC no more
 * @HFT_FAULT_LATE: a timer of clock @clock on CPU @deadline fired later than the
 *	module's late_ns allows: @cookie is by how much the latest was, and it was due at
 *	@release.  For contexts with a ring on that CPU
 * @HFT_FAULTS: more than each of these
 *
 * @clock and the like are of &struct hft_event.
 */
enum hft_clock_fault {
	HFT_FAULT_STEP = 1,
	HFT_FAULT_CLOCKSOURCE,
	HFT_FAULT_TSC,
	HFT_FAULT_LATE,
	HFT_FAULTS
};

/**
 * enum hft_anomaly - what is not usual of a stream of values, or of its time
 * @HFT_ANOMALY_NONE: nothing
 * @HFT_ANOMALY_SPIKE: a value is far above what is usual
 * @HFT_ANOMALY_SHIFT: values are at another level now
 * @HFT_ANOMALY_DRIFT: their level has slowly gone somewhere else
 * @HFT_ANOMALY_STALL: nothing came for far longer than usual
 * @HFT_ANOMALY_BURST: values come in much faster than usual
 * @HFT_ANOMALY_INTERFERENCE: time went by in which the CPU ran nothing of ours
 * @HFT_ANOMALY_CLOCK: a clock is not what it was
 * @HFT_ANOMALIES: more than each of these
 */
enum hft_anomaly {
	HFT_ANOMALY_NONE,
	HFT_ANOMALY_SPIKE,
	HFT_ANOMALY_SHIFT,
	HFT_ANOMALY_DRIFT,
	HFT_ANOMALY_STALL,
	HFT_ANOMALY_BURST,
	HFT_ANOMALY_INTERFERENCE,
	HFT_ANOMALY_CLOCK,
	HFT_ANOMALIES
};

/**
 * enum hft_action - what a rule does about anomalies
 * @HFT_ACTION_NONE: there is no such rule; to set it takes a rule away
 * @HFT_ACTION_NOTIFY: tells of them: all rules do
 * @HFT_ACTION_LEAD: raises the lead of the ring, a step each time
 * @HFT_ACTION_BOOST: raises the level of new tasks of some classes
 * @HFT_ACTION_SHED: refuses new tasks below a level (-ENOBUFS)
 * @HFT_ACTION_SPARE: new tasks of the ring go to its fallback ring
 * @HFT_ACTION_REDUCE: holds the context to tasks with %HFT_TASK_REDUCE, and hard ones
 * @HFT_ACTION_HALT: holds the context to hard tasks
 * @HFT_ACTIONS: more than each of these
 *
 * A task is *hard* that is watched or admitted.  None is refused, delayed, moved or stopped
 * by a rule.
 */
enum hft_action {
	HFT_ACTION_NONE,
	HFT_ACTION_NOTIFY,
	HFT_ACTION_LEAD,
	HFT_ACTION_BOOST,
	HFT_ACTION_SHED,
	HFT_ACTION_SPARE,
	HFT_ACTION_REDUCE,
	HFT_ACTION_HALT,
	HFT_ACTIONS
};

/**
 * enum hft_response - what a rule has done
 * @HFT_RESPONSE_APPLIED: its action is in force, or a step more of it
 * @HFT_RESPONSE_UNDONE: it is not any more
 * @HFT_RESPONSE_DRY_APPLIED: it would be, but for %HFT_RULE_DRY_RUN
 * @HFT_RESPONSE_DRY_UNDONE: likewise
 * @HFT_RESPONSE_WITHHELD: there was reason to, but it could change nothing: a lead is at its
 *	most or its budget, or there is no fallback ring
 * @HFT_RESPONSES: more than each of these
 */
enum hft_response {
	HFT_RESPONSE_APPLIED = 1,
	HFT_RESPONSE_UNDONE,
	HFT_RESPONSE_DRY_APPLIED,
	HFT_RESPONSE_DRY_UNDONE,
	HFT_RESPONSE_WITHHELD,
	HFT_RESPONSES
};

/**
 * struct hft_event - an entry of a ring
 * @cookie: the task's
 * @task: the task's id
 * @release: the task's release, translated to CLOCK_MONOTONIC at the dispatch
 * @deadline: likewise; 0 if it has none
 * @irq_entry: CLOCK_MONOTONIC when the kernel began the dispatch
 * @published: CLOCK_MONOTONIC when the event was written
 * @sequence: events of this ring before this one
 * @result: 0: run it; more: run it, so many jobs before it were not; or -ENODEV when
 *	it ended because its CPU went offline, -ETIME when it was dropped, -ECANCELED
 *	when what it was to run after did not run well
 * @type: &enum hft_event_type
 * @clock: the task's &enum hft_clock
 * @level: the task's &enum hft_level
 */
struct hft_event {
	__u64 cookie;
	__u64 task;
	__u64 release;
	__u64 deadline;
	__u64 irq_entry;
	__u64 published;
	__u64 sequence;
	__s32 result;
	__u16 type;
	__u8 clock;
	__u8 level;
};

/* hft_task.flags */
#define HFT_TASK_TRACK		(1U << 0)	/* lives until its event is consumed */
#define HFT_TASK_PERIODIC	(1U << 1)	/* is released each period, until cancelled */
#define HFT_TASK_CATCH_UP	(1U << 2)	/* periodic: missed releases run late */
#define HFT_TASK_COALESCE	(1U << 3)	/* periodic: those run late as one */
#define HFT_TASK_WATCH		(1U << 4)	/* its deadline is watched */
#define HFT_TASK_DROP		(1U << 5)	/* watched: once missed, it does not start */
#define HFT_TASK_REDUCE		(1U << 6)	/* runs while all others are halted */
#define HFT_TASK_NO_ADMIT	(1U << 7)	/* periodic, sporadic: not admitted, but let in */
#define HFT_TASK_SIGNAL		(1U << 8)	/* watched: once missed, a signal is sent */
#define HFT_TASK_HALT		(1U << 9)	/* watched: once missed, the context is halted */
#define HFT_TASK_SPORADIC	(1U << 10)	/* is released at each arrival, until cancelled */
#define HFT_TASK_BUDGET		(1U << 11)	/* its execution time is watched */

/**
 * struct hft_task - the descriptor of a task
 * @cookie: the caller's, returned in the event
 * @release: when to start
 * @deadline: when to be finished, at or after @release; 0: none
 * @ring: number of the ring
 * @flags: HFT_TASK_* bits
 * @clock: &enum hft_clock of @release and @deadline
 * @level: &enum hft_level
 * @task_class: the kind of work it is, below %HFT_CLASSES: for the estimates and
 *	%HFT_POLICY_FAIR of rings with %HFT_RING_REPORT
 * @reserved1: zero
 * @reserved2: zero
 * @period: ns from one release to the next, at least %HFT_PERIOD_MIN with
 *	%HFT_TASK_PERIODIC or %HFT_TASK_SPORADIC; without for %HFT_POLICY_RM alone;
 *	0: none
 * @wcet: worst-case execution time, ns, for %HFT_POLICY_LLF, admission and
 *	%HFT_TASK_BUDGET; 0: unknown
 * @after: id of a task of the same context to run after, or 0
 *
 * Times are below 2^61 ns.  A @release that has passed is due at once.
 *
 * A plain task ends with its dispatch, and its id with it.  With any flag it is
 * *tracked*: it takes its place in the context until the ring's worker has
 * advanced over its event, and %HFT_IOC_TASK tells where it is.
 *
 * A periodic task has a *job* at each @release + k * @period, without drift, and
 * each job its event; @deadline is the first job's.  A job that is released while
 * the one before is not finished is an overrun: it is skipped, unless
 * %HFT_TASK_CATCH_UP has each run when the one before is finished, or
 * %HFT_TASK_COALESCE one for all of them.  How many were skipped or coalesced since
 * the last job is in hft_event.result.
 *
 * A sporadic task has a job for each *arrival*, which %HFT_IOC_RELEASE tells of, none
 * released before @release and at least @period apart; it waits for one as
 * %HFT_STATE_BLOCKED.  A deadline is as long after the release of its job as @deadline
 * is after @release.  A job that is released while the one before is not finished is
 * held until that is.
 *
 * A task with @after is *chained*: it is %HFT_STATE_BLOCKED until that task has ended,
 * and released then, or at @release if that is later.  If that task was cancelled, ended
 * with an error or was reported to have failed, the event of this one says -ECANCELED.
 * The other one is tracked, neither periodic nor sporadic, for a ring on any CPU, and has
 * four that run after it at most.
 *
 * When the deadline of a watched task passes before it is finished (of a periodic or
 * sporadic one it is after the release) there is an
 * %HFT_EVENT_MISS in the context's monitor ring.  With %HFT_TASK_DROP it is not
 * started any more: its own event says -ETIME.  With %HFT_TASK_SIGNAL the owner of the
 * context's file gets a signal, as fcntl() with F_SETOWN or F_SETOWN_EX, F_SETSIG and
 * O_ASYNC have it; its si_band is POLLPRI | POLLRDBAND, and misses in quick succession
 * may share one.  With %HFT_TASK_HALT the context is halted to %HFT_HALT_REDUCE, unless
 * it is halted already, as if by %HFT_IOC_HALT, which alone re-arms it.
 *
 * With %HFT_TASK_BUDGET, in a ring with %HFT_RING_REPORT, there is an %HFT_EVENT_BUDGET
 * in the monitor ring when the task has run for longer than @wcet, while it runs: 10 us
 * too late at most, or by @wcet where that is longer and the start was reported late.
 *
 * A periodic or sporadic task with a @wcet is *admitted* to its CPU: -EBUSY if all that are
 * admitted there could not meet their deadlines with it, by the sum of the
 * densities (@wcet to the shorter of @period and relative deadline), which is at
 * most the module's admission_ppm, and in a ring with %HFT_POLICY_RM by the
 * hyperbolic bound too.  It counts until its last job is consumed.  With
 * %HFT_TASK_NO_ADMIT, which needs CAP_SYS_NICE when the context is set up (-EPERM),
 * it is neither tested nor counted.
 */
struct hft_task {
	__u64 cookie;
	__u64 release;
	__u64 deadline;
	__u32 ring;
	__u32 flags;
	__u8 clock;
	__u8 level;
	__u8 task_class;
	__u8 reserved1;
	__u32 reserved2;
	__u64 period;
	__u64 wcet;
	__u64 after;
};

#define HFT_TIME_MAX	((1ULL << 61) - 1)
#define HFT_CLASSES	16
#define HFT_PERIOD_MIN	10000ULL		/* ns: no user livelocks a CPU */

/**
 * struct hft_submit - submit a task (%HFT_IOC_SUBMIT)
 * @task: the task
 * @result: address of a __s64 that takes the task's id, or 0.  It is written
 *	before the task can be dispatched.  With -EBUSY it takes what the task would
 *	bring its CPU to, parts per million
 * @reserved: zero
 *
 * Fills the command part of a 128-byte SQE.  Returns 0.
 *
 * Errors: -EINVAL a field is out of range, or the ring does not take the
 * level; -ENOENT no such ring, or it is closed; -ENODEV its CPU is offline;
 * -EDQUOT the context has no task left; -EBUSY it is not admitted; -ENOBUFS a rule of the
 * ring refuses its level (&struct hft_rule); -EPERM; -EFAULT;
 * -ENOMEM it is the context's first on %HFT_CLOCK_REALTIME or %HFT_CLOCK_TAI;
 * with hft_task.after: -ENOENT that task has ended or never was, -EINVAL it is not
 * tracked, or is periodic or sporadic, -EMLINK it has four that run after it.
 */
struct hft_submit {
	struct hft_task task;
	__u64 result;
	__u64 reserved;
};

/**
 * struct hft_submit_batch - submit several tasks (%HFT_IOC_SUBMIT_BATCH)
 * @tasks: address of an array of @nr &struct hft_task
 * @results: address of an array of @nr __s64: for each task its id, which is
 *	greater than zero, or its error as for %HFT_IOC_SUBMIT
 * @nr: number of tasks, 1 to hft_query.max_batch
 * @task_size: sizeof(struct hft_task)
 * @reserved: zero
 *
 * Each task is taken or refused by itself.  Returns how many were taken.
 *
 * Errors: -EINVAL a field is out of range; -E2BIG @task_size is larger than
 * this kernel's and there is something in the rest; -EFAULT an array can not be
 * read or written and no task was taken.  Where it is found out later, the
 * count of those taken up to there is returned.
 */
struct hft_submit_batch {
	__u64 tasks;
	__u64 results;
	__u32 nr;
	__u32 task_size;
	__u64 reserved;
};

/**
 * enum hft_task_state - where a task is
 * @HFT_STATE_PENDING: waits for its release
 * @HFT_STATE_READY: is released and waits for room in its ring
 * @HFT_STATE_DISPATCHED: is in its ring
 * @HFT_STATE_RUNNING: is the next that its worker advances over
 * @HFT_STATE_BLOCKED: waits for an arrival, or for the end of another task
 * @HFT_STATE_COMPLETED: has ended: its worker has run it
 * @HFT_STATE_FAILED: has ended: its worker said so, or its CPU went offline
 * @HFT_STATE_CANCELLED: has ended: it was taken back, or its ring was closed
 * @HFT_STATE_DEADLINE_MISSED: has ended: it was watched, and was dropped or too late
 *
 * Of a periodic or sporadic task, the last four are said of its last job.
 */
enum hft_task_state {
	HFT_STATE_PENDING = 1,
	HFT_STATE_READY,
	HFT_STATE_DISPATCHED,
	HFT_STATE_RUNNING,
	HFT_STATE_BLOCKED,
	HFT_STATE_COMPLETED,
	HFT_STATE_FAILED,
	HFT_STATE_CANCELLED,
	HFT_STATE_DEADLINE_MISSED
};

/**
 * struct hft_task_info - where a task is (%HFT_IOC_TASK)
 * @task: in: the task's id
 * @state: out: &enum hft_task_state; of a periodic task that of the job which is
 *	released, else %HFT_STATE_PENDING
 * @ring: out: number of its ring
 * @release: out: of its next job, or the present one; on the task's clock while it
 *	is pending, then on CLOCK_MONOTONIC; of a blocked one the earliest that its
 *	next job can have
 * @jobs: out: how many of its jobs were dispatched
 * @missed: out: how many releases it has missed
 * @deadlines_missed: out: how many deadlines it has missed
 * @reserved: in: zero
 *
 * What has become of a tracked task is kept until its place in the context is taken
 * again, which may be at once: then, or if it was not tracked, it is -ENOENT.  So is
 * one for a moment that is cancelled when what it waited for on another CPU has just
 * ended.
 *
 * Errors: -ENOENT the task has ended and is forgotten, or there never was one; -EINVAL.
 */
struct hft_task_info {
	__u64 task;
	__u32 state;
	__u32 ring;
	__u64 release;
	__u64 jobs;
	__u64 missed;
	__u64 deadlines_missed;
	__u64 reserved;
};

/**
 * struct hft_class_info - what is known of a class of tasks (%HFT_IOC_CLASS)
 * @ring: in: number of a ring with %HFT_RING_REPORT or %HFT_RING_METRICS; what is of the
 *	other one is zero
 * @task_class: in: the class
 * @runs: out: runs that were reported
 * @failed: out: of them, those that ended with an error
 * @over_budget: out: of them, those that took longer than their task's WCET
 * @busy: out: how long they took in all, ns
 * @max: out: the longest of the last 2048 to 4096 runs, ns
 * @p999: out: what 99.9 % of the runs were no longer than, ns: too large by an eighth at
 *	most.  A run weighs half as much after 2048 others
 * @step: out: that %HFT_POLICY_FAIR has the class on now; 0 goes first
 * @reserved: in: zero
 * @metrics_valid: out: bit n: @metrics.counts[n] is of all @metrics.runs
 * @reserved1: out: zero
 * @metrics: out: with %HFT_RING_METRICS, of events that were not found to be consumed at
 *	once with those of other classes
 *
 * Runs are counted when the kernel looks at the ring: at a dispatch or a wait.
 *
 * Errors: -ENOENT no such ring; -EINVAL; -EOPNOTSUPP the ring has neither.
 */
struct hft_class_info {
	__u32 ring;
	__u32 task_class;
	__u64 runs;
	__u64 failed;
	__u64 over_budget;
	__u64 busy;
	__u64 max;
	__u64 p999;
	__u32 step;
	__u32 reserved;
	__u32 metrics_valid;
	__u32 reserved1;
	struct hft_metrics_sum metrics;
};

/**
 * enum hft_kind - what is measured of tasks, ns
 * @HFT_KIND_DISPATCH: dispatch error: from when a task was to be written to its ring, which
 *	is its release less the ring's lead, until it was.  Of a task with release 0 from when
 *	it was found to be due
 * @HFT_KIND_WAKE: from when it could have begun, at its release or when it was written,
 *	until it did.  This and the next three are of rings with %HFT_RING_REPORT
 * @HFT_KIND_RUN: from when it began until it ended
 * @HFT_KIND_RESPONSE: from its release until it ended
 * @HFT_KIND_LATENESS: by how much those ended too late that did
 * @HFT_KIND_SUBMIT: what its submission took, as its submitter has seen it.  The kernel
 *	does not measure that, and knows none
 * @HFT_KINDS: how many kinds there are
 */
enum hft_kind {
	HFT_KIND_DISPATCH,
	HFT_KIND_WAKE,
	HFT_KIND_RUN,
	HFT_KIND_RESPONSE,
	HFT_KIND_LATENESS,
	HFT_KIND_SUBMIT,
	HFT_KINDS
};

/* hft_meter_set.flags */
#define HFT_METER_HIST		(1U << 0)	/* histograms: HFT_IOC_HIST */

/**
 * struct hft_meter_set - say what is measured of a ring's tasks (%HFT_IOC_METER)
 * @ring: number of the ring
 * @flags: %HFT_METER_HIST, or zero: nothing any more
 * @classes: bit n: of tasks of class n; 0: of all
 * @kinds: bit n: of kind n of &enum hft_kind; 0: of all
 * @reserved: zero
 *
 * It begins anew with each call, and is of tasks that are submitted from then on.  A
 * histogram takes 28.7 kB, of each class and each kind; kinds that need reports take none in
 * a ring without.
 *
 * Errors: -ENOENT no such ring; -EINVAL a field is out of range, or it is a monitor ring;
 * -EDQUOT the user's quota; -ENOMEM.  With one of the last two all is as it was.
 */
struct hft_meter_set {
	__u32 ring;
	__u32 flags;
	__u32 classes;
	__u32 kinds;
	__u64 reserved;
};

#define HFT_CLASS_ALL		(~0U)

/* hft_hist_info.flags */
#define HFT_HIST_GLOBAL		(1U << 0)	/* all contexts: needs CAP_PERFMON */

/**
 * struct hft_hist_info - read a histogram (%HFT_IOC_HIST)
 * @ring: in: number of a ring, or %HFT_STATS_CONTEXT for the sum of all rings that the
 *	context has now; with %HFT_HIST_GLOBAL of a CPU, or %HFT_STATS_CONTEXT: of all
 * @flags: in: %HFT_HIST_GLOBAL or zero
 * @task_class: in: the class, or %HFT_CLASS_ALL, as it must be with %HFT_HIST_GLOBAL
 * @kind: in: &enum hft_kind
 * @buckets: in: address of an array of __u64, or 0
 * @nr_buckets: in: how many it has room for; out: how many there are
 * @reserved: in: zero
 * @count: out: values, which is the sum of the buckets
 * @sum: out: of the values, ns, modulo 2^64
 * @min: out: the smallest, 0 if there is none
 * @max: out: the largest
 * @in_time: out: runs that have kept their deadline.  Those that have not are the values of
 *	%HFT_KIND_LATENESS
 * @since: out: CLOCK_MONOTONIC when it was begun to measure the first of these rings; 0:
 *	none is
 *
 * Bucket i below 128 has the value i.  Else, with e = i / 128 - 1 and m = i % 128 + 128,
 * those from m * 2^e to (m + 1) * 2^e - 1; the last has all that are greater as well.
 *
 * Those that are measured are counted on meanwhile.  Of a ring that nothing is measured of
 * all is 0.  With %HFT_HIST_GLOBAL rings that are gone, or are measured anew, count on.
 *
 * Errors: -ENOENT no such ring, no such CPU; -EINVAL; -EPERM; -EFAULT; -ENOMEM.
 */
struct hft_hist_info {
	__u32 ring;
	__u32 flags;
	__u32 task_class;
	__u32 kind;
	__u64 buckets;
	__u32 nr_buckets;
	__u32 reserved;
	__u64 count;
	__u64 sum;
	__u64 min;
	__u64 max;
	__u64 in_time;
	__u64 since;
};

/* hft_lead_info.fields */
#define HFT_LEAD_LEAD		(1U << 0)
#define HFT_LEAD_BUDGET		(1U << 1)

/* More rows than there are leads that differ. */
#define HFT_LEAD_ROWS		512

/**
 * struct hft_lead_row - what a lead costs and gains
 * @lead: ns
 * @late_ppm: wake-ups that take longer, so that their task starts after its release,
 *	parts per million
 * @cpu_ppm: what the worker spins with it at the present rate of dispatches, parts per
 *	million of its CPU
 */
struct hft_lead_row {
	__u64 lead;
	__u32 late_ppm;
	__u32 cpu_ppm;
};

/**
 * struct hft_lead_info - the lead of a ring (%HFT_IOC_LEAD)
 * @ring: in: number of the ring
 * @fields: in: HFT_LEAD_* bits: which of @lead and @budget_ppm to set first
 * @lead: in: of a ring with %HFT_RING_LEAD, what to go on from.  Out: what it is
 * @budget_ppm: in: what the worker may spin, 1 to 1000000 parts per million of its CPU;
 *	only with %HFT_RING_LEAD.  Out: what it may; 10000 at first
 * @nr_rows: in: room in @rows, %HFT_LEAD_ROWS at most.  Out: how many were written
 * @rows: in: address of an array of &struct hft_lead_row, which takes the trade: all
 *	leads that differ in how many starts are late, the shortest first
 * @late_ppm: out: as in &struct hft_lead_row, with @lead
 * @cpu_ppm: out: likewise
 * @wakeups: out: from how many it was learned
 * @changes: out: times that it was changed by what was learned
 * @reserved: in: zero
 *
 * With %HFT_RING_LEAD the kernel takes wake-ups from hft_report.woke, and keeps the lead
 * at the shortest with which, within the budget, the fewest tasks start late.  It looks
 * each 134 ms, after 32 wake-ups at least; a wake-up weighs half as much after 4096 others.
 *
 * A lead is that of tasks which are queued after it was set, and of the next jobs of
 * periodic ones: a task that is queued keeps the time at which it is written to its ring.
 *
 * Errors: -ENOENT no such ring; -EINVAL a field is out of range, or it is a monitor ring;
 * -EOPNOTSUPP the ring has no %HFT_RING_LEAD, and @budget_ppm was to be set or there is
 * room for rows; -EFAULT; -ENOMEM.
 */
struct hft_lead_info {
	__u32 ring;
	__u32 fields;
	__u64 lead;
	__u32 budget_ppm;
	__u32 nr_rows;
	__u64 rows;
	__u32 late_ppm;
	__u32 cpu_ppm;
	__u64 wakeups;
	__u64 changes;
	__u64 reserved;
};

#define HFT_RULES		8	/* of a ring */
#define HFT_RULE_MOST		16	/* anomalies that one waits for */

/* hft_rule.flags */
#define HFT_RULE_DRY_RUN	(1U << 0)	/* says what it would do, and does not */
#define HFT_RULE_LATCH		(1U << 1)	/* is not undone but by HFT_IOC_RULE */

/**
 * struct hft_rule - what to do about anomalies of a ring (%HFT_IOC_RULE)
 * @ring: number of the ring
 * @number: of the rule, below %HFT_RULES; it replaces the one before, which is undone
 * @action: &enum hft_action; with %HFT_ACTION_NONE only @ring and @number are looked at
 * @flags: %HFT_RULE_DRY_RUN, %HFT_RULE_LATCH or zero
 * @anomalies: bit n: of n of &enum hft_anomaly; 0: all
 * @kinds: bit n: in values of n of &enum hft_kind; 0: all.  Says nothing of stalls,
 *	bursts, interference and clocks
 * @classes: bit n: of tasks of class n; 0: all
 * @count: it acts after so many anomalies, 1 to %HFT_RULE_MOST, ...
 * @among: ... while the ring was given no more than so many events; 0: any number
 * @level: BOOST: the highest level that a task is raised to; SHED: levels below it are
 *	refused; SPARE: the highest level of a task that is sent to the fallback ring
 * @targets: BOOST: bit n: tasks of class n are raised; 0: those of @classes
 * @budget_ppm: LEAD: what the raise may cost of the CPU, parts per million; 0: 10000
 * @amount: LEAD: ns of a step; BOOST: levels
 * @most: LEAD: the highest lead, ns
 * @leave: it is undone when there was no such anomaly for so long, ns, and the baseline is
 *	where it was before; at least %HFT_RULE_LEAVE_MIN, 0: 10^9
 * @interval: from one time that it acts, or is undone, until it acts again, ns
 * @hold: it is undone after so long in any case, ns; 0: not
 * @seasons: of the ring's first rule: slots that a day is divided into, by UTC when it is
 *	set, each with what is usual then; up to 96, 0: one
 * @reserved: zero
 *
 * The first rule has the ring's tasks judged: those that are submitted from then on, against
 * what is usual of their class.  The first 256 of each are learned.
 *
 * With LEAD, @budget_ppm is admitted to the ring's CPU as a task would be, and hard tasks of
 * the ring are dispatched by a lead of @most from now on: none waits for another that a
 * raised lead has brought to the ring before.  With BOOST the ring takes no hard tasks
 * up to @level (-EBUSY), with SPARE its fallback ring.  So a rule makes no hard task late.
 *
 * Errors: -ENOENT no such ring; -EINVAL a field is out of range, it is a monitor ring, or
 * a level is not the ring's; -EBUSY the budget is not admitted, or there are hard tasks up
 * to @level; -ENODEV SPARE, and the ring has no fallback; -EDQUOT, -ENOMEM.
 */
struct hft_rule {
	__u32 ring;
	__u32 number;
	__u32 action;
	__u32 flags;
	__u32 anomalies;
	__u32 kinds;
	__u32 classes;
	__u32 count;
	__u32 among;
	__u32 level;
	__u32 targets;
	__u32 budget_ppm;
	__u64 amount;
	__u64 most;
	__u64 leave;
	__u64 interval;
	__u64 hold;
	__u32 seasons;
	__u32 reserved;
};

#define HFT_RULE_LEAVE_MIN	100000ULL	/* ns: no user livelocks a CPU */

/**
 * struct hft_rule_info - what has become of a rule (%HFT_IOC_RULE_INFO)
 * @ring: in: number of the ring
 * @number: in: of the rule
 * @action: out: &enum hft_action; %HFT_ACTION_NONE: there is no such rule
 * @flags: out: as they were set
 * @in_force: out: 1: its action is in force, or would be
 * @anomaly: out: &enum hft_anomaly of the last that it has counted
 * @anomalies: out: how many it has counted
 * @applied: out: how often it has acted, or would have
 * @undone: out: how often that was undone
 * @limited: out: how often it was kept from it by hft_rule.interval
 * @withheld: out: how often it could change nothing
 * @value: out: as hft_event.cookie of the last %HFT_EVENT_RESPONSE
 * @since: out: in force since, CLOCK_MONOTONIC; 0: it is not
 * @last: out: when it acted or was undone the last time, CLOCK_MONOTONIC
 * @reserved: in: zero
 *
 * Errors: -ENOENT no such ring; -EINVAL.
 */
struct hft_rule_info {
	__u32 ring;
	__u32 number;
	__u32 action;
	__u32 flags;
	__u32 in_force;
	__u32 anomaly;
	__u64 anomalies;
	__u64 applied;
	__u64 undone;
	__u64 limited;
	__u64 withheld;
	__u64 value;
	__u64 since;
	__u64 last;
	__u64 reserved;
};

/* hft_modify.fields */
#define HFT_MODIFY_RELEASE	(1U << 0)
#define HFT_MODIFY_DEADLINE	(1U << 1)
#define HFT_MODIFY_PERIOD	(1U << 2)
#define HFT_MODIFY_LEVEL	(1U << 3)

/**
 * struct hft_modify - change a task that is not dispatched (%HFT_IOC_MODIFY)
 * @task: the task's id
 * @fields: HFT_MODIFY_* bits: which of the following to change
 * @level: &enum hft_level
 * @release: as in &struct hft_task; no effect on a task that is released
 * @deadline: likewise, of the job that @release or the present one belongs to
 * @period: likewise, of a periodic task, from its next job on
 * @reserved: zero
 *
 * Returns 0.
 *
 * Of a sporadic task that is blocked, @deadline belongs to hft_task_info.release, and
 * @period counts from its last job on.
 *
 * Errors: -ENOENT the task has been dispatched or cancelled, or there never was
 * one; -EINVAL a field is out of range, also together with those that stay, the
 * task has no period, or @release of a sporadic one; -EBUSY it is not admitted as it
 * would be, and stays as it is.
 */
struct hft_modify {
	__u64 task;
	__u32 fields;
	__u32 level;
	__u64 release;
	__u64 deadline;
	__u64 period;
	__u64 reserved;
};

/**
 * struct hft_arrival - a sporadic task arrives (%HFT_IOC_RELEASE)
 * @task: the task's id
 * @release: when its next job is to be released, on its clock.  It is not before now,
 *	nor before hft_task.period has passed since the one before: later then.  0: now
 * @reserved: zero
 *
 * Returns 0.
 *
 * Errors: -EBUSY an arrival waits for its release, or to be dispatched: one at a time;
 * -ENODEV the CPU is offline, or the task is about to go to the fallback ring; -ENOENT the
 * task has been cancelled or has ended, or there never was one; -EINVAL a field is out of
 * range, or the task is not sporadic.
 */
struct hft_arrival {
	__u64 task;
	__u64 release;
	__u64 reserved;
};

/**
 * enum hft_halt_mode - what may still be dispatched
 * @HFT_HALT_NONE: everything
 * @HFT_HALT_REDUCE: tasks with %HFT_TASK_REDUCE
 * @HFT_HALT_ALL: nothing
 * @HFT_HALT_CANCEL: nothing, and all that is queued is cancelled
 */
enum hft_halt_mode {
	HFT_HALT_NONE,
	HFT_HALT_REDUCE,
	HFT_HALT_ALL,
	HFT_HALT_CANCEL
};

#define HFT_HALT_GLOBAL		(1U << 0)	/* all contexts: needs CAP_SYS_ADMIN */

/**
 * struct hft_halt - the kill switch (%HFT_IOC_HALT)
 * @mode: &enum hft_halt_mode; %HFT_HALT_NONE re-arms
 * @flags: %HFT_HALT_GLOBAL or zero
 * @stopped: out: tasks that were released and may not be dispatched, or that were
 *	cancelled
 * @rings: out: rings that were told
 * @reserved: zero
 *
 * When it returns, nothing that @mode does not allow is dispatched on any CPU.  It
 * allocates nothing and can not fail but by its arguments.  Tasks wait meanwhile;
 * with %HFT_HALT_NONE those that are due are dispatched.  A context is as halted as
 * itself and all of them are.
 *
 * Errors: -EINVAL; -EPERM.
 */
struct hft_halt {
	__u32 mode;
	__u32 flags;
	__u64 stopped;
	__u32 rings;
	__u32 reserved;
};

/**
 * struct hft_cancel - take back a task that is not dispatched (%HFT_IOC_CANCEL)
 * @task: the task's id
 * @reserved: zero
 *
 * Returns 0: the task will have no event.
 *
 * Errors: -ENOENT the task has been dispatched or cancelled, or there never was
 * one; -EINVAL.
 */
struct hft_cancel {
	__u64 task;
	__u64 reserved;
};

#define HFT_WAIT_FOREVER	(~0ULL)

/**
 * struct hft_wait - pull released tasks and wait (%HFT_IOC_WAIT, on a ring)
 * @timeout: CLOCK_MONOTONIC time to give up at; 0 does not sleep,
 *	%HFT_WAIT_FOREVER never gives up
 * @flags: zero
 * @reserved: zero
 *
 * Fills the ring's window from the tasks that wait for room and returns how many
 * events are in the ring, after sleeping until there is one.  One thread at a
 * time.
 *
 * Polling the descriptor pulls in the same way.
 *
 * Errors: -ETIMEDOUT; -EINTR; -ECANCELED by %HFT_IOC_WAKE; -EBUSY another thread
 * waits; -EINVAL a field is out of range, or the consumer's head makes no sense;
 * -ESHUTDOWN the ring is empty and dead.
 */
struct hft_wait {
	__u64 timeout;
	__u32 flags;
	__u32 reserved;
};

#define HFT_STATS_CONTEXT	(~0U)

/**
 * struct hft_stats - counters (%HFT_IOC_STATS)
 * @ring: in: number of a ring, or %HFT_STATS_CONTEXT for the sum of all rings
 *	that the context has now
 * @flags: in: zero
 * @tasks: out: the context's tasks
 * @tasks_free: out: those of them not in use
 * @submitted: out: tasks taken
 * @dispatched: out: tasks written to a ring
 * @cancelled: out: tasks taken back
 * @ended: out: of @dispatched, those that ended with an error
 * @waiting: out: tasks before their release or arrival
 * @ready: out: tasks past it that wait for room in a ring
 * @in_flight: out: events that the worker has not advanced over
 * @wakeups: out: times a sleeping worker was woken
 * @full: out: times a dispatch found no room
 * @bad_head: out: times the consumer's head made no sense
 * @overruns: out: releases of periodic tasks that had no job of their own
 * @deadline_misses: out: watched deadlines that passed
 * @clock_faults: out: %HFT_EVENT_CLOCK faults since the context was opened, also those
 *	that no monitor ring was there for
 * @tsc: out: 1: the clocks run on the TSC; by hft_stats() of the library: hft_now()
 *	reads the TSC
 * @metrics_valid: out: bit n: @metrics.counts[n] is of all @metrics.runs
 * @metrics: out: of rings with %HFT_RING_METRICS
 *
 * Errors: -ENOENT no such ring; -EINVAL.
 */
struct hft_stats {
	__u32 ring;
	__u32 flags;
	__u32 tasks;
	__u32 tasks_free;
	__u64 submitted;
	__u64 dispatched;
	__u64 cancelled;
	__u64 ended;
	__u64 waiting;
	__u64 ready;
	__u64 in_flight;
	__u64 wakeups;
	__u64 full;
	__u64 bad_head;
	__u64 overruns;
	__u64 deadline_misses;
	__u64 clock_faults;
	__u32 tsc;
	__u32 metrics_valid;
	struct hft_metrics_sum metrics;
};

/**
 * struct hft_clock_pair - read the clocks at one instant (%HFT_IOC_CLOCK)
 * @cycles: out: the clocksource's counter: the TSC where the clocksource is "tsc"
 * @monotonic: out: CLOCK_MONOTONIC at @cycles
 * @realtime: out: CLOCK_REALTIME at @cycles
 * @was_set: out: changes when CLOCK_REALTIME was set
 * @reserved: zero
 *
 * Exact, unlike two reads in user space one after the other.
 */
struct hft_clock_pair {
	__u64 cycles;
	__u64 monotonic;
	__u64 realtime;
	__u32 was_set;
	__u32 reserved;
};

#define HFT_PMU_READ		(1U << 0)	/* tell what a CPU has counted */
#define HFT_PMU_GLOBAL		(1U << 1)	/* of all contexts: needs CAP_PERFMON */

/**
 * struct hft_pmu - the counters that rings with %HFT_RING_METRICS read (%HFT_IOC_PMU)
 * @flags: %HFT_PMU_READ, with %HFT_PMU_GLOBAL or without; or zero: choose them, once,
 *	before the first such ring
 * @cpu: of which CPU @valid and the sums are
 * @nr: how many counters, 1 to %HFT_METRICS; 0: references to the last-level cache, misses
 *	of it, cycles and instructions.  With %HFT_PMU_READ out, as are @type and @config
 * @valid: out: bit n: the CPU has counter n, and counts
 * @type: of each as of struct perf_event_attr: PERF_TYPE_*, or that of a PMU in
 *	/sys/bus/event_source/devices; zero beyond @nr
 * @config: likewise, what to count; zero beyond @nr
 * @metrics_valid: out: bit n: @metrics.counts[n] is of all @metrics.runs
 * @index: with %HFT_PMU_GLOBAL: of those choices that rings of @cpu have, the one with so
 *	many others before it; else zero
 * @metrics: out: with %HFT_PMU_READ, what all rings of @cpu that have these counters, of
 *	whatever context, have come to since the first of those that there are now
 *
 * The counters count all that the CPU runs, from the first ring that has them to the last:
 * kernel, user and all processes.  Which is why choosing needs CAP_PERFMON.  They are
 * pinned: each has a counter of the hardware to itself, or none and is not valid.  A
 * counter that the machine does not have, or not free, is no error.
 *
 * They are read in hard interrupts.  So a PMU must be one that counts tasks too, which is
 * read at each context switch: the CPU's own, or the kernel's.  One beside the CPUs (of a
 * memory controller, a bus, a package's energy) is not.
 *
 * Errors: -EPERM; -EALREADY they are chosen; -EINVAL a field is out of range, a type
 * is PERF_TYPE_TRACEPOINT or PERF_TYPE_BREAKPOINT, or there is nothing to read: none are
 * chosen; -ENOENT with %HFT_PMU_GLOBAL: rings of @cpu have no more; -EOPNOTSUPP a type is of
 * a PMU beside the CPUs; -ENOMEM.
 */
struct hft_pmu {
	__u32 flags;
	__u32 cpu;
	__u32 nr;
	__u32 valid;
	__u32 type[HFT_METRICS];
	__u64 config[HFT_METRICS];
	__u32 metrics_valid;
	__u32 index;
	struct hft_metrics_sum metrics;
};

#define HFT_SINK_NAME	32

/**
 * struct hft_sink_info - a sink that there is (%HFT_IOC_SINK)
 * @sink: in: 0 or more; out: the number of the first sink from there on, for
 *	hft_ring_add.sink.  A sink that goes and comes has another
 * @depth: out: tasks that it has at a time
 * @rings: out: rings that have it, of all contexts
 * @reserved: zero
 * @handed: out: tasks that it was given
 * @completed: out: of them, those that it was done with, or that ended as it went
 * @name: out: ends with a 0
 *
 * Errors: -ENOENT there is no other; -EINVAL.
 */
struct hft_sink_info {
	__u32 sink;
	__u32 depth;
	__u32 rings;
	__u32 reserved;
	__u64 handed;
	__u64 completed;
	char name[HFT_SINK_NAME];
};

/* On a context */
#define HFT_IOC_QUERY		_IOR('h', 0x00, struct hft_query)
#define HFT_IOC_SETUP		_IOW('h', 0x01, struct hft_setup)
#define HFT_IOC_RING_ADD	_IOWR('h', 0x02, struct hft_ring_add)
#define HFT_IOC_STATS		_IOWR('h', 0x03, struct hft_stats)
#define HFT_IOC_CLOCK		_IOR('h', 0x04, struct hft_clock_pair)
#define HFT_IOC_SUBMIT		_IOWR('h', 0x10, struct hft_submit)
#define HFT_IOC_SUBMIT_BATCH	_IOWR('h', 0x11, struct hft_submit_batch)
#define HFT_IOC_CANCEL		_IOWR('h', 0x12, struct hft_cancel)
#define HFT_IOC_MODIFY		_IOWR('h', 0x13, struct hft_modify)
#define HFT_IOC_TASK		_IOWR('h', 0x14, struct hft_task_info)
#define HFT_IOC_HALT		_IOWR('h', 0x15, struct hft_halt)
#define HFT_IOC_RING_SET	_IOW('h', 0x16, struct hft_ring_set)
#define HFT_IOC_RELEASE		_IOWR('h', 0x17, struct hft_arrival)
#define HFT_IOC_CLASS		_IOWR('h', 0x18, struct hft_class_info)
#define HFT_IOC_METER		_IOW('h', 0x19, struct hft_meter_set)
#define HFT_IOC_HIST		_IOWR('h', 0x1a, struct hft_hist_info)
#define HFT_IOC_LEAD		_IOWR('h', 0x22, struct hft_lead_info)
#define HFT_IOC_RULE		_IOW('h', 0x1b, struct hft_rule)
#define HFT_IOC_RULE_INFO	_IOWR('h', 0x1c, struct hft_rule_info)
#define HFT_IOC_PMU		_IOWR('h', 0x1d, struct hft_pmu)
#define HFT_IOC_SINK		_IOWR('h', 0x1e, struct hft_sink_info)

/* On a ring */
#define HFT_IOC_WAIT		_IOW('h', 0x20, struct hft_wait)
/* End the wait of the thread in HFT_IOC_WAIT, or else the next that finds no event. */
#define HFT_IOC_WAKE		_IO('h', 0x21)

#endif /* _UAPI_LINUX_HFT_H */
