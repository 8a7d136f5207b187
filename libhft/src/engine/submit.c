// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is done to tasks, by the handle's backend.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <hft/sim.h>

#include "../log/sched.h"
#include "evidence.h"
#include "internal.h"

static int hft_submit_error(int err)
{
	switch (err) {
	case -EDQUOT:
		return hft_fail(EDQUOT, "submit: all tasks of the handle are queued (hft_opts.tasks)");
	case -ENODEV:
		return hft_fail(ENODEV, "submit: the ring's CPU is offline");
	case -ENOENT:
		return hft_fail(ENOENT, "submit: no such ring, or no such task to run after");
	case -EINVAL:
		return hft_fail(EINVAL, "submit: a field is out of range, or the ring does not take the level");
	case -ENOBUFS:
		return hft_fail(ENOBUFS, "submit: a rule of the ring refuses the level");
	case -EMLINK:
		return hft_fail(EMLINK, "submit: the task to run after has its most successors");
	case -EOWNERDEAD:
		return hft_fail(EOWNERDEAD, "submit: the handle is of the process that this one was forked from");
	default:
		return hft_fail(-err, "submit");
	}
}

static int __attribute__((cold)) hft_submit_refused(struct hft *h, const struct hft_task *task,
						    int err)
{
	hft_evidence_refused(h, task, err);
	return hft_submit_error(err);
}

static inline bool hft_measures_submits(const struct hft *h)
{
	return __builtin_expect(!!atomic_load_explicit(&h->submits, memory_order_relaxed), 0);
}

/* The time of the handle. */
uint64_t hft_time_of(const struct hft *h)
{
	const struct hft_sim *sim = hft_sim_of(h);

	return sim ? hft_sim_now(sim) : hft_now();
}

static int hft_submit_plain(struct hft *h, const struct hft_task *task, uint64_t *id);

/* The log has the id, and the time before the task could be released. */
static int __attribute__((noinline, cold))
hft_submit_logged(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	uint64_t own, at = hft_time_of(h);
	int err = hft_submit_plain(h, task, id ? id : &own);

	if (!err)
		hft_log_sched_submit(task, id ? *id : own, at);
	return err;
}

static void __attribute__((cold)) hft_log_batch(struct hft *h,
						const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	const int64_t *results = (const void *)(uintptr_t)batch->results;
	uint64_t at = hft_time_of(h);
	uint32_t i;

	for (i = 0; i < batch->nr; i++) {
		if (results[i] > 0)
			hft_log_sched_submit(&tasks[i], (uint64_t)results[i], at);
	}
}

static int __attribute__((noinline)) hft_submit_measured(struct hft *h,
							const struct hft_task *task,
							uint64_t *id)
{
	struct hft_hist *hist = hft_tally_submits(h, task);
	struct hft_mark begin;
	int err;

	if (!hist)
		return h->backend->submit(h, task, id);
	begin = hft_mark_now();
	err = h->backend->submit(h, task, id);
	if (!err)
		hft_tally_submit(hist, hft_mark_ns(begin));
	return err;
}

static inline int hft_submit_plain(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	return hft_measures_submits(h) ? hft_submit_measured(h, task, id) :
					 h->backend->submit(h, task, id);
}

/* Each task has taken its part of the batch's time. */
static int hft_submit_batch_measured(struct hft *h, const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	const int64_t *results = (const void *)(uintptr_t)batch->results;
	struct hft_mark begin = hft_mark_now();
	int taken = h->backend->submit_batch(h, batch);
	struct hft_hist *hist;
	uint64_t each;
	uint32_t i;

	if (taken <= 0)
		return taken;
	each = hft_mark_ns(begin) / batch->nr;
	for (i = 0; i < batch->nr; i++) {
		hist = results[i] > 0 ? hft_tally_submits(h, &tasks[i]) : NULL;
		if (hist)
			hft_tally_submit(hist, each);
	}
	return taken;
}

static void __attribute__((cold)) hft_batch_refused(struct hft *h,
						    const struct hft_submit_batch *batch)
{
	const struct hft_task *tasks = (const void *)(uintptr_t)batch->tasks;
	const int64_t *results = (const void *)(uintptr_t)batch->results;
	uint32_t i;

	for (i = 0; i < batch->nr; i++) {
		if (results[i] < 0)
			hft_evidence_refused(h, &tasks[i], (int)results[i]);
	}
}

/**
 * hft_submit() - submit a task
 * @h: handle
 * @task: what to run, where and when
 * @id: its id for hft_cancel(), or NULL
 *
 * Enters the kernel (not with %HFT_OPEN_SQPOLL while its thread is awake); does
 * not sleep or allocate.  Any thread; lock-free: no thread waits for another.
 * Backend soft: takes the lock of the CPU's queue, and enters the kernel only to
 * wake a worker or for a lock that another thread has.  Where a log is open (hft/log.h),
 * -EDQUOT, -EBUSY and -ENOBUFS are logged as evidence: as hft_trade_log_control() then.
 *
 * Return: 0, or -EINVAL a field is out of range, -ENOENT no such ring, -ENODEV its
 * CPU is offline, -EDQUOT all tasks of the handle are queued, -EBUSY it is not admitted,
 * -ENOBUFS a rule of the ring refuses its level (hft_rule_set()), -EFAULT, -EOWNERDEAD in a
 * forked child by backends other than kernel.
 */
HFT_API int hft_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	int err;

	if (hft_log_sched_wants(HFT_SCHED_SUBMIT))
		err = hft_submit_logged(h, task, id);
	else
		err = hft_submit_plain(h, task, id);
	return __builtin_expect(!err, 1) ? 0 : hft_submit_refused(h, task, err);
}

/**
 * hft_submit_batch() - submit several tasks at once
 * @h: handle
 * @tasks: the tasks
 * @nr: how many; more than the kernel's batch are sent in several
 * @results: for each its id, which is greater than zero, or its error as of
 *	hft_submit()
 *
 * As hft_submit() otherwise.  Tasks are taken or refused one by one.
 *
 * Return: how many were taken, or -EINVAL, -EFAULT when none was looked at.
 */
HFT_API int hft_submit_batch(struct hft *h, const struct hft_task *tasks, unsigned int nr,
			     int64_t *results)
{
	unsigned int done = 0;
	int taken = 0;

	while (done < nr) {
		struct hft_submit_batch batch = {
			.tasks = (uintptr_t)(tasks + done),
			.results = (uintptr_t)(results + done),
			.nr = nr - done < h->query.max_batch ? nr - done : h->query.max_batch,
			.task_size = sizeof(*tasks),
		};
		int ret = hft_measures_submits(h) ? hft_submit_batch_measured(h, &batch) :
						    h->backend->submit_batch(h, &batch);

		if (ret < 0)
			return done ? taken : hft_submit_error(ret);
		if (__builtin_expect(ret < (int)batch.nr, 0))
			hft_batch_refused(h, &batch);
		if (hft_log_sched_wants(HFT_SCHED_SUBMIT))
			hft_log_batch(h, &batch);
		taken += ret;
		done += batch.nr;
	}
	return taken;
}

/**
 * hft_cancel() - take back a task that has not been dispatched
 * @h: handle
 * @id: of the task
 *
 * After success the task has no event.  As hft_submit() otherwise.
 *
 * Return: 0, or -ENOENT when it has been dispatched, was cancelled or never was.
 */
HFT_API int hft_cancel(struct hft *h, uint64_t id)
{
	struct hft_cancel cancel = { .task = id };
	int err = h->backend->command(h, HFT_IOC_CANCEL, &cancel);

	/* A simulated machine tells of it itself. */
	if (!err && hft_log_sched_wants(HFT_SCHED_CANCEL) && !hft_sim_of(h))
		hft_log_sched_cancel(id, hft_now());
	return err ? hft_fail(-err, "cancel: task 0x%llx is not queued",
			      (unsigned long long)id) : 0;
}

/* A time that is out of range stays out of range. */
static uint64_t hft_add_ns(uint64_t time, uint64_t ns)
{
	return time > UINT64_MAX - ns ? UINT64_MAX : time + ns;
}

static int hft_submit_released(struct hft *h, const struct hft_task *task, uint64_t release,
			       uint32_t flags, uint64_t period_ns, uint64_t *id)
{
	struct hft_task copy = *task;

	copy.release = release;
	if (task->deadline)
		copy.deadline = hft_add_ns(release, task->deadline);
	if (period_ns) {
		copy.period = period_ns;
		copy.flags |= flags;
	}
	return hft_submit(h, &copy, id);
}

/**
 * hft_submit_at() - submit a task for a time
 * @h: handle
 * @task: what to run and where; its deadline is counted from the release here
 * @release: when, on the task's clock
 * @id: its id, or NULL
 *
 * As hft_submit() otherwise.
 *
 * Return: as hft_submit().
 */
HFT_API int hft_submit_at(struct hft *h, const struct hft_task *task, uint64_t release,
			  uint64_t *id)
{
	return hft_submit_released(h, task, release, 0, 0, id);
}

static uint64_t hft_task_now(const struct hft_task *task)
{
	struct timespec ts;

	if (task->clock == HFT_CLOCK_MONOTONIC)
		return hft_now();
	clock_gettime(task->clock == HFT_CLOCK_TAI ? CLOCK_TAI : CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/**
 * hft_submit_after() - submit a task for some time from now
 * @h: handle
 * @task: what to run and where; its deadline is counted from the release here
 * @delay_ns: how long from now
 * @id: its id, or NULL
 *
 * As hft_submit() otherwise.
 *
 * Return: as hft_submit().
 */
HFT_API int hft_submit_after(struct hft *h, const struct hft_task *task, uint64_t delay_ns,
			     uint64_t *id)
{
	return hft_submit_released(h, task, hft_add_ns(hft_task_now(task), delay_ns), 0, 0, id);
}

/**
 * hft_submit_periodic() - submit a task that is released again and again
 * @h: handle
 * @task: what to run and where; its deadline is counted from each release here, and
 *	%HFT_TASK_CATCH_UP or %HFT_TASK_COALESCE say what becomes of overruns
 * @first: its first release, on the task's clock
 * @period_ns: from one release to the next, at least %HFT_PERIOD_MIN
 * @id: its id, for hft_cancel(), which ends it; or NULL
 *
 * As hft_submit() otherwise.
 *
 * Return: as hft_submit(); -EINVAL also for a period that is too short.
 */
HFT_API int hft_submit_periodic(struct hft *h, const struct hft_task *task, uint64_t first,
				uint64_t period_ns, uint64_t *id)
{
	if (!period_ns)
		return hft_submit_error(-EINVAL);
	return hft_submit_released(h, task, first, HFT_TASK_PERIODIC, period_ns, id);
}

/**
 * hft_submit_sporadic() - submit a task that is released when it arrives
 * @h: handle
 * @task: what to run and where; its deadline is counted from each release here, and none
 *	is before its release
 * @interval_ns: from one release to the next at least, no less than %HFT_PERIOD_MIN
 * @id: its id, for hft_arrive() and hft_cancel(), which ends it
 *
 * As hft_submit() otherwise.
 *
 * Return: as hft_submit(); -EINVAL also for an interval that is too short, -EBUSY when it
 * is not admitted.
 */
HFT_API int hft_submit_sporadic(struct hft *h, const struct hft_task *task, uint64_t interval_ns,
				uint64_t *id)
{
	if (!interval_ns)
		return hft_submit_error(-EINVAL);
	return hft_submit_released(h, task, task->release, HFT_TASK_SPORADIC, interval_ns, id);
}

/**
 * hft_arrive() - a sporadic task arrives
 * @h: handle
 * @id: of the task
 * @release: when its job is to be released, on its clock, or 0 for now; if its interval
 *	has not passed since the one before, it is when it has
 *
 * As hft_submit() otherwise.
 *
 * Return: 0, -EBUSY when the arrival before has not been dispatched, -EINVAL @release is
 * out of range or the task is not sporadic, -ENODEV its CPU is offline, -ENOENT it was
 * cancelled or never was.
 */
HFT_API int hft_arrive(struct hft *h, uint64_t id, uint64_t release)
{
	struct hft_arrival arrival = { .task = id, .release = release };
	int err = h->backend->command(h, HFT_IOC_RELEASE, &arrival);

	return err ? hft_fail(-err, "arrival of task 0x%llx", (unsigned long long)id) : 0;
}

static void __attribute__((cold)) hft_submitted_now(const struct hft_ring *ring,
						    const struct hft_task *task)
{
	struct hft_task copy = *task;

	copy.ring = ring->number;
	hft_log_sched_submit(&copy, 0, ring->machine ? hft_sim_now(ring->machine) : hft_now());
}

static int hft_submit_now_error(const struct hft_ring *ring, int err)
{
	switch (err) {
	case -EAGAIN:
		return err;		/* no failure */
	case -EINVAL:
		return hft_fail(EINVAL, "submit to ring %u now: a field is out of range, or the ring does not take the level",
				ring->number);
	case -ENOENT:
		return hft_fail(ENOENT, "submit to ring %u now: its handle is closed", ring->number);
	default:
		return hft_submit_error(err);
	}
}

/**
 * hft_submit_now() - submit a task to a worker of this process, to start at once
 * @ring: the worker's ring
 * @task: what to run: its deadline is counted from now; flags %HFT_TASK_REDUCE or none;
 *	release, clock and ring are not looked at
 *
 * It goes to the worker's inbox and never to the kernel, so it has no id, is in no
 * counter of hft_stats() but in hft_inbox_stats(), is not in the ring's window, and its
 * deadline and period say where it goes and no more.  Its event has task 0, and
 * the time of this call as its release and dispatch.
 *
 * The worker takes the better of inbox and ring: by level, then by the ring's policy, then
 * in order of submission; an event of the ring counts as submitted when it was dispatched,
 * with a window up to its deadline, without its WCET and its class: it does not tell them.
 * hft_ring_run() and hft_worker_start() take from both, and so do hft_ring_peek() and
 * hft_wait().  hft_halt() holds for the inbox as well.
 *
 * Any thread, a task of the ring too; not a forked child.  Lock-free, does not allocate
 * or block.  Enters the kernel only to wake a worker that sleeps: one in hft_wait() as
 * hft_ring_stop() would; one that sleeps on hft_ring_fd() gets the task as an event of
 * the ring, by hft_submit().  hft_submit() never takes this way.  In the backend sim a
 * worker of hft_worker_start() is part of the machine, and gets it in its ring.  Of a handle
 * that is recorded (HFT_RECORD) the call takes the record's lock, and so do hft_ring_peek(),
 * hft_wait() and hft_ring_run(): each may wait for a thread that writes, ten seconds at most.
 *
 * Return: 0, or -EAGAIN the inbox is full (hft_ring_opts.inbox), -EINVAL a field is out of
 * range, or the ring does not take the level or is for notices, -ENOENT the handle is
 * closed, -ENODEV the ring's CPU is offline, -EOWNERDEAD in a forked child; -EDQUOT where
 * hft_submit() takes part.
 */
HFT_API int hft_submit_now(struct hft_ring *ring, const struct hft_task *task)
{
	int err;

	if (__builtin_expect(ring->backend->submit_now != NULL, 0))
		err = ring->backend->submit_now(ring, task, NULL);
	else
		err = hft_inbox_submit(ring, task);
	if (hft_log_sched_wants(HFT_SCHED_SUBMIT) && !err)
		hft_submitted_now(ring, task);
	return __builtin_expect(!err, 1) ? 0 : hft_submit_now_error(ring, err);
}

/**
 * hft_modify() - change a task that has not been dispatched
 * @h: handle
 * @modify: the task, and what to change of it
 *
 * As hft_submit() otherwise.
 *
 * Return: 0, or -ENOENT when it has been dispatched or cancelled or never was, -EINVAL
 * a field is out of range, also together with those that stay.
 */
HFT_API int hft_modify(struct hft *h, const struct hft_modify *modify)
{
	struct hft_modify copy = *modify;
	int err = h->backend->command(h, HFT_IOC_MODIFY, &copy);

	return err ? hft_fail(-err, "modify task 0x%llx", (unsigned long long)modify->task) : 0;
}

/**
 * hft_task_state() - where is a task?
 * @h: handle
 * @id: of the task
 * @info: the answer; see &struct hft_task_info
 *
 * A plain task ends with its dispatch; one that is tracked when its worker is done
 * with it, and how it has ended is known until another task takes its place, which may
 * be at once.  Enters the kernel.  Any thread.
 *
 * Return: 0, or -ENOENT when it has ended and is forgotten, or never was.
 */
HFT_API int hft_task_state(struct hft *h, uint64_t id, struct hft_task_info *info)
{
	int err;

	*info = (struct hft_task_info){ .task = id };
	err = h->backend->command(h, HFT_IOC_TASK, info);
	return err ? hft_fail(-err, "task 0x%llx has ended or never was",
			      (unsigned long long)id) : 0;
}

/**
 * hft_signal() - who is told of missed deadlines by a signal
 * @h: handle
 * @number: the signal that a task with %HFT_TASK_SIGNAL sends when it misses its
 *	deadline, or 0 for none, as it is at first
 * @tid: the thread of this process that gets it, or 0 for the process
 *
 * As fcntl() with F_SETOWN_EX, F_SETSIG and O_ASYNC have it, which is what it does to
 * the device: si_code is POLL_PRI, si_band POLLPRI | POLLRDBAND, si_fd the handle's
 * descriptor.  Misses in quick succession may share a signal.  Backend soft: the same,
 * but si_code is SI_SIGIO and si_fd -1.  Backend sim: sends none; hft_sim_record.what tells.
 *
 * Enters the kernel; does not allocate, but the kernel may.  Any thread.
 *
 * Return: 0, or -EINVAL no such signal, -ESRCH no such thread, -EOWNERDEAD in a forked
 * child, -ENOMEM.
 */
HFT_API int hft_signal(struct hft *h, int number, pid_t tid)
{
	struct hft_signal to = { number, tid };
	int err = -EINVAL;

	if (hft_is_inherited(h->forks))
		err = -EOWNERDEAD;
	else if (number >= 0 && number <= SIGRTMAX && tid >= 0)
		err = h->backend->command(h, HFT_OP_SIGNAL, &to);
	return err ? hft_fail(-err, "signal %d to thread %d", number, (int)tid) : 0;
}
