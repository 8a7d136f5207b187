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

/*
 * The calling thread's number; 0: it owns nothing.  A pthread_t would not do: it is
 * another thread's when its own has ended.
 */
static _Thread_local uint64_t hft_thread __attribute__((tls_model("initial-exec")));

/* The calling thread submits now and then: the io_uring is for another. */
static _Thread_local bool hft_passes_by;

void hft_uring_pass_by(void)
{
	hft_passes_by = true;
}

/* In the child */
void hft_uring_forked(void)
{
	hft_thread = 0;
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
	if (h->owner != HFT_NOBODY || hft_passes_by)
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

static inline void hft_fill_submit(struct hft_submit *submit, const struct hft_task *task,
				   uint64_t *id)
{
	submit->task = *task;
	submit->result = (uintptr_t)id;
	submit->reserved = 0;
}

int hft_kernel_submit(struct hft *h, const struct hft_task *task, uint64_t *id)
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
	return err;
}

static int hft_command(struct hft *h, unsigned int op, const void *command, size_t size)
{
	struct io_uring_sqe *sqe = hft_uring_begin(h, op);
	int ret = -EBUSY;

	if (sqe) {
		memcpy(sqe->cmd, command, size);
		ret = hft_uring_end(h);
	}
	return ret == -EBUSY ? hft_context_ioctl(h, op, (void *)command) : ret;
}

int hft_kernel_submit_batch(struct hft *h, const struct hft_submit_batch *batch)
{
	return hft_command(h, HFT_IOC_SUBMIT_BATCH, batch, sizeof(*batch));
}

int hft_kernel_command(struct hft *h, unsigned int op, void *arg)
{
	switch (op) {
	case HFT_IOC_CANCEL:
	case HFT_IOC_MODIFY:
	case HFT_IOC_RELEASE:
		return hft_command(h, op, arg, _IOC_SIZE(op));
	case HFT_OP_SIGNAL:
		return hft_context_signal(h, arg);
	default:
		return hft_context_ioctl(h, op, arg);
	}
}
