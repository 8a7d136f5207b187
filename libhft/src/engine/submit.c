// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Commands to the kernel: through an io_uring, or its ioctl twin.
 *
 * The handle has one io_uring.  It belongs to the thread that submits first, since
 * its descriptor is registered, and registered descriptors are a thread's; with a
 * polling thread, which is not entered, it is whose turn it is.  Nobody waits for
 * it: the ioctl of the same command does the same work.
 *
 * A child that was forked shares the io_uring's memory, but not what its parent knows
 * of it: it goes by ioctls.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

#define HFT_URING_ENTRIES	4
#define HFT_SQPOLL_IDLE_MS	1000

_Static_assert(sizeof(struct hft_submit) == 80, "a submission fills the command of an SQE");

/* How many forks there are between the process and the one that it began as. */
unsigned int hft_forks;

/*
 * The calling thread's number; 0: it owns nothing.  A pthread_t would not do: it is
 * another thread's when its own has ended.
 */
static _Thread_local uint64_t hft_thread __attribute__((tls_model("initial-exec")));

static void hft_forked(void)
{
	hft_forks++;
	hft_thread = 0;
}

static void hft_register_fork(void)
{
	pthread_atfork(NULL, NULL, hft_forked);
}

void hft_watch_forks(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, hft_register_fork);
}

/*
 * Open the submission queue.  Without one the handle works by ioctls; that is an
 * error only for a caller who asked for a polling thread.
 */
int hft_uring_open(struct hft *h, const struct hft_opts *opts)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQE128 };
	int err;

	if (opts->flags & HFT_OPEN_IOCTL)
		return 0;
	if (opts->flags & HFT_OPEN_SQPOLL) {
		params.flags |= IORING_SETUP_SQPOLL;
		params.sq_thread_idle = opts->sqpoll_idle_ms ? opts->sqpoll_idle_ms :
				HFT_SQPOLL_IDLE_MS;
		if (opts->sqpoll_cpu) {
			params.flags |= IORING_SETUP_SQ_AFF;
			params.sq_thread_cpu = opts->sqpoll_cpu - 1;
		}
	}

	err = io_uring_queue_init_params(HFT_URING_ENTRIES, &h->uring, &params);
	if (!err) {
		err = io_uring_register_files(&h->uring, &h->fd, 1);
		if (err)
			io_uring_queue_exit(&h->uring);
	}
	if (!err) {
		h->have_uring = true;
		h->sqpoll = opts->flags & HFT_OPEN_SQPOLL;
		h->plain = h->uring;
		return 0;
	}
	if (opts->flags & HFT_OPEN_SQPOLL)
		return hft_fail(-err, "an io_uring with a polling thread");
	hft_warn(h, "io_uring is not available (%s): submitting by ioctl; see sysctl kernel.io_uring_disabled",
		 strerror(-err));
	return 0;
}

/*
 * The kernel tears an io_uring down after its descriptor is closed; the context is
 * given back here already, so that its tasks and the module are free on return.
 * Only its owner can undo the registration; another's lasts until that thread ends.
 */
void hft_uring_close(struct hft *h)
{
	if (!h->have_uring)
		return;
	if (h->registered && h->owner == hft_thread)
		io_uring_unregister_ring_fd(&h->uring);
	if (!hft_is_inherited(h->forks))
		io_uring_unregister_files(&h->plain);
	io_uring_queue_exit(&h->plain);
}

/* With @busy held.  Returns whether the calling thread may use the io_uring. */
static bool __attribute__((noinline)) hft_uring_claim(struct hft *h)
{
	static _Atomic uint64_t threads;

	if (hft_is_inherited(h->forks))
		return false;
	if (h->sqpoll)
		return true;
	if (h->owner != HFT_NOBODY)
		return false;
	if (!hft_thread)
		hft_thread = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
	h->owner = hft_thread;
	/* Older kernels can not: it is some instructions more then. */
	h->registered = io_uring_register_ring_fd(&h->uring) == 1;
	return true;
}

/*
 * Take the io_uring and an entry of it for command @op, which the caller fills in
 * place; NULL: use the ioctl.  The entries were zero at first, and only these
 * fields and the command are ever written.
 */
static inline struct io_uring_sqe *hft_uring_begin(struct hft *h, unsigned int op)
{
	struct io_uring_sqe *sqe;

	if (!h->have_uring || atomic_flag_test_and_set_explicit(&h->busy, memory_order_acquire))
		return NULL;
	if (h->owner != hft_thread && !hft_uring_claim(h)) {
		atomic_flag_clear_explicit(&h->busy, memory_order_release);
		return NULL;
	}
	sqe = io_uring_get_sqe(&h->uring);
	if (!sqe)
		return NULL;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = 0;
	sqe->cmd_op = op;
	return sqe;
}

/*
 * Run the command and give the io_uring back.  -EBUSY, which the module never
 * says to a command: the io_uring itself failed, and stays taken for ever.
 */
static inline int hft_uring_end(struct hft *h)
{
	struct io_uring_cqe *cqe;
	int ret;

	if (io_uring_submit(&h->uring) < 0)
		return -EBUSY;
	do {
		ret = io_uring_wait_cqe(&h->uring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		return -EBUSY;
	ret = cqe->res;
	io_uring_cqe_seen(&h->uring, cqe);
	atomic_flag_clear_explicit(&h->busy, memory_order_release);
	return ret;
}

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
	default:
		return hft_fail(-err, "submit");
	}
}

static inline void hft_fill_submit(struct hft_submit *submit, const struct hft_task *task,
				   uint64_t *id)
{
	submit->task = *task;
	submit->result = (uintptr_t)id;
	submit->reserved = 0;
}

/**
 * hft_submit() - submit a task
 * @h: handle
 * @task: what to run, where and when
 * @id: its id for hft_cancel(), or NULL
 *
 * Enters the kernel (not with %HFT_OPEN_SQPOLL while its thread is awake); does
 * not sleep or allocate.  Any thread; lock-free: no thread waits for another.
 *
 * Return: 0, or -EINVAL a field is out of range, -ENOENT no such ring, -ENODEV its
 * CPU is offline, -EDQUOT all tasks of the handle are queued, -EFAULT.
 */
HFT_API int hft_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
{
	struct io_uring_sqe *sqe = hft_uring_begin(h, HFT_IOC_SUBMIT);
	struct hft_submit submit;
	int err = -EBUSY;

	if (sqe) {
		hft_fill_submit((struct hft_submit *)sqe->cmd, task, id);
		err = hft_uring_end(h);
	}
	if (err == -EBUSY) {
		hft_fill_submit(&submit, task, id);
		err = hft_context_ioctl(h, HFT_IOC_SUBMIT, &submit);
	}
	return __builtin_expect(!err, 1) ? 0 : hft_submit_error(err);
}

static int hft_command(struct hft *h, unsigned int op, void *command, size_t size)
{
	struct io_uring_sqe *sqe = hft_uring_begin(h, op);
	int ret = -EBUSY;

	if (sqe) {
		memcpy(sqe->cmd, command, size);
		ret = hft_uring_end(h);
	}
	return ret == -EBUSY ? hft_context_ioctl(h, op, command) : ret;
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
		int ret = hft_command(h, HFT_IOC_SUBMIT_BATCH, &batch, sizeof(batch));

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
	int err = hft_command(h, HFT_IOC_CANCEL, &cancel, sizeof(cancel));

	return err ? hft_fail(-err, "cancel: task 0x%llx is not queued",
			      (unsigned long long)id) : 0;
}
