// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Submission and cancellation, by the handle's backend.
 */
#include <errno.h>

#include "internal.h"

static int hft_submit_error(int err)
{
	switch (err) {
	case -EDQUOT:
		return hft_fail(EDQUOT, "submit: all tasks of the handle are queued (hft_opts.tasks)");
	case -ENODEV:
		return hft_fail(ENODEV, "submit: the ring's CPU is offline");
	case -ENOENT:
		return hft_fail(ENOENT, "submit: no such ring");
	case -EINVAL:
		return hft_fail(EINVAL, "submit: a field is out of range, or the ring does not take the level");
	case -EOWNERDEAD:
		return hft_fail(EOWNERDEAD, "submit: the handle is of the process that this one was forked from");
	default:
		return hft_fail(-err, "submit");
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
 * wake a worker or for a lock that another thread has.
 *
 * Return: 0, or -EINVAL a field is out of range, -ENOENT no such ring, -ENODEV its
 * CPU is offline, -EDQUOT all tasks of the handle are queued, -EFAULT, -EOWNERDEAD
 * in a forked child by backends other than kernel.
 */
HFT_API int hft_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	int err = h->backend->submit(h, task, id);

	return __builtin_expect(!err, 1) ? 0 : hft_submit_error(err);
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
		int ret = h->backend->submit_batch(h, &batch);

		if (ret < 0)
			return done ? taken : hft_submit_error(ret);
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

	return err ? hft_fail(-err, "cancel: task 0x%llx is not queued",
			      (unsigned long long)id) : 0;
}
