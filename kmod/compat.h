/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one home of kernel versions: hft is written to the newest kernel, and this
 * header, included before everything else, gives its names to older ones.
 * Newest first; a block goes when its kernel does.
 */
#ifndef HFT_COMPAT_H
#define HFT_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "hft needs Linux 6.1 or later"
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(8, 0, 0)
#error "hft does not know this kernel: check compat.h against it"
#endif

#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/timekeeping.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

/* The clocksource's counter and CLOCK_REALTIME at one instant. */
static inline ktime_t hft_snapshot_real(struct system_time_snapshot *snapshot)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
	ktime_get_snapshot_id(CLOCK_REALTIME, snapshot);
	return snapshot->systime;
#else
	ktime_get_snapshot(snapshot);
	return snapshot->real;
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hft_compat_hrtimer_setup(struct hrtimer *timer,
					    enum hrtimer_restart (*function)(struct hrtimer *),
					    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#define hrtimer_setup hft_compat_hrtimer_setup
#endif /* < 6.13 */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif /* < 6.3 */

/* The 80 bytes of a command in a 128-byte SQE: three kernels, three ways to get at them. */
struct hft_uring_payload {
	u8 bytes[80];
};

static inline const void *hft_uring_payload(const struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return cmd->cmd;
#elif !defined(io_uring_sqe128_cmd)
	return cmd->sqe->cmd;
#else
	return io_uring_sqe128_cmd(cmd->sqe, struct hft_uring_payload);
#endif
}

/*
 * What ->uring_cmd() returns for a command that ended with @ret.  Older kernels
 * take a positive one for no completion: a worker thread never completes the
 * request, and a link breaks.
 */
static inline int hft_uring_result(struct io_uring_cmd *cmd, int ret, unsigned int issue_flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	if (ret > 0) {
		io_uring_cmd_done(cmd, ret, 0, issue_flags);
		return -EIOCBQUEUED;
	}
#endif
	return ret;
}

#endif /* HFT_COMPAT_H */
