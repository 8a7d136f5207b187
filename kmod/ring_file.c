// SPDX-License-Identifier: GPL-2.0-only
/* The file of a ring: how its worker maps it, and waits for what comes. */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "hft.h"

static int hft_ring_release(struct inode *inode, struct file *file)
{
	hft_ring_destroy(file->private_data);
	return 0;
}

/* Fill the ring's window from its ready tasks.  Returns what is in flight then. */
static int hft_ring_pull(struct hft_ring *ring)
{
	struct hft_queue *queue = ring->queue;

	if (READ_ONCE(ring->ready.producer->flags) & HFT_RING_MORE ||
	    READ_ONCE(ring->ready.nr_tracked)) {
		raw_spin_lock_irq(&queue->lock);
		/* With nothing ready too: what was may have been cancelled since. */
		hft_dispatch_fill(ring);
		hft_queue_commit(queue);
		raw_spin_unlock_irq(&queue->lock);
	}
	return hft_ready_in_flight(&ring->ready);
}

static __poll_t hft_ring_poll(struct file *file, poll_table *wait)
{
	struct hft_ring *ring = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &ring->pollers, wait);
	if (hft_ring_pull(ring))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(ring->ready.dead))
		mask |= EPOLLHUP;
	return mask;
}

/* Sleep until @timeout or a wake-up. */
static int hft_ring_sleep(u64 timeout)
{
	ktime_t expires = ns_to_ktime(timeout);

	if (signal_pending(current))
		return -ERESTARTSYS;
	if (timeout > KTIME_MAX) {
		schedule();
		return 0;
	}
	if (schedule_hrtimeout_range(&expires, 0, HRTIMER_MODE_ABS))
		return 0;
	return -ETIMEDOUT;
}

/* Why a wait without an event ends; 0: it does not. */
static int hft_ring_wait_end(struct hft_ring *ring, int err)
{
	if (READ_ONCE(ring->ready.dead))
		return -ESHUTDOWN;
	if (test_bit(HFT_RING_CANCEL, &ring->waiting) &&
	    test_and_clear_bit(HFT_RING_CANCEL, &ring->waiting))
		return -ECANCELED;
	return err;
}

/* Wait for an event.  The state is set before looking: a wake-up in between is not lost. */
static int hft_ring_wait_event(struct hft_ring *ring, u64 timeout)
{
	int ret, err = timeout ? 0 : -ETIMEDOUT;

	/* Before there is a waiter: it would be woken for what it pulls itself. */
	ret = hft_ring_pull(ring);
	if (ret)
		return ret;

	prepare_to_rcuwait(&ring->waiter);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		ret = hft_ring_pull(ring);
		if (ret)
			break;
		ret = hft_ring_wait_end(ring, err);
		if (ret)
			break;
		err = hft_ring_sleep(timeout);
	}
	finish_rcuwait(&ring->waiter);
	return ret;
}

static int hft_ring_wait(struct hft_ring *ring, const struct hft_wait *wait)
{
	int ret;

	if (wait->flags || wait->reserved)
		return -EINVAL;
	if (test_and_set_bit_lock(HFT_RING_BUSY, &ring->waiting))
		return -EBUSY;
	ret = hft_ring_wait_event(ring, wait->timeout);
	clear_bit_unlock(HFT_RING_BUSY, &ring->waiting);
	return ret;
}

/* The bit before looking for the waiter, who is there before it looks at the bit. */
static int hft_ring_cancel_wait(struct hft_ring *ring)
{
	set_bit(HFT_RING_CANCEL, &ring->waiting);
	rcuwait_wake_up(&ring->waiter);
	return 0;
}

/* The size that we know without the general copy: this is every worker's every sleep. */
static int hft_read_wait(struct hft_wait *wait, const struct hft_wait __user *from)
{
	if (!user_read_access_begin(from, sizeof(*from)))
		return -EFAULT;
	unsafe_get_user(wait->timeout, &from->timeout, fault);
	unsafe_get_user(wait->flags, &from->flags, fault);
	unsafe_get_user(wait->reserved, &from->reserved, fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

static long hft_ring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hft_wait wait;
	int err;

	if (cmd == HFT_IOC_WAKE)
		return hft_ring_cancel_wait(file->private_data);
	if (cmd == HFT_IOC_WAIT)
		err = hft_read_wait(&wait, (void __user *)arg);
	else if ((cmd & ~IOCSIZE_MASK) == (HFT_IOC_WAIT & ~IOCSIZE_MASK))
		err = copy_struct_from_user(&wait, sizeof(wait), (void __user *)arg,
					    _IOC_SIZE(cmd));
	else
		err = -ENOTTY;
	return err ?: hft_ring_wait(file->private_data, &wait);
}

static int hft_ring_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct hft_ring *ring = file->private_data;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!vma->vm_pgoff) {
		if (vma->vm_end - vma->vm_start != ring->nr_consumer_pages * PAGE_SIZE)
			return -EINVAL;
		vm_flags_mod(vma, VM_DONTCOPY, 0);
	} else {
		/* The worker's part is mapped as a whole, or not. */
		if (vma->vm_pgoff < ring->nr_consumer_pages)
			return -EINVAL;
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		/* Nor by mprotect() later. */
		vm_flags_mod(vma, VM_DONTCOPY, VM_MAYWRITE);
	}
	return remap_vmalloc_range(vma, ring->shared.start, vma->vm_pgoff);
}

const struct file_operations hft_ring_fops = {
	.owner = THIS_MODULE,
	.release = hft_ring_release,
	.mmap = hft_ring_mmap,
	.poll = hft_ring_poll,
	.unlocked_ioctl = hft_ring_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = hft_ring_show_fdinfo,
	.llseek = noop_llseek,
};
