// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The backend kernel: a handle is a context of the module, a ring one of its files.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

int hft_context_ioctl(struct hft *h, unsigned long op, void *arg)
{
	int ret = ioctl(h->fd, op, arg);

	return ret < 0 ? -errno : ret;
}

int hft_context_signal(struct hft *h, const struct hft_signal *to)
{
	struct f_owner_ex owner = {
		.type = to->tid ? F_OWNER_TID : F_OWNER_PID,
		.pid = to->tid ? to->tid : getpid(),
	};
	int flags = fcntl(h->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!to->number)
		return fcntl(h->fd, F_SETFL, flags & ~O_ASYNC) ? -errno : 0;
	if (fcntl(h->fd, F_SETOWN_EX, &owner) || fcntl(h->fd, F_SETSIG, to->number) ||
	    fcntl(h->fd, F_SETFL, flags | O_ASYNC))
		return -errno;
	return 0;
}

static int hft_open_device(struct hft *h, const char *device)
{
	h->fd = open(device, O_RDWR | O_CLOEXEC);
	if (h->fd >= 0)
		return 0;
	if (errno == ENOENT)
		return hft_fail(ENOENT, "open %s (is hft.ko loaded? modprobe hft)", device);
	if (errno == EACCES)
		return hft_fail(EACCES, "open %s (are you in its group? usermod -aG hft)", device);
	return hft_fail(errno, "open %s", device);
}

static int hft_setup_context(struct hft *h, uint32_t tasks)
{
	struct hft_setup setup = { .tasks = tasks };
	int err;

	err = hft_context_ioctl(h, HFT_IOC_QUERY, &h->query);
	if (err)
		return hft_fail(-err, "this device does not speak hft (HFT_IOC_QUERY)");
	if (tasks > h->query.max_tasks)
		return hft_fail(EINVAL, "%u tasks asked for, the module's max_tasks is %u", tasks,
				h->query.max_tasks);
	err = hft_context_ioctl(h, HFT_IOC_SETUP, &setup);
	if (err == -EDQUOT)
		return hft_fail(EDQUOT, "%u tasks: the user's quota (hft.user_tasks)", tasks);
	if (err)
		return hft_fail(-err, "set up %u tasks (HFT_IOC_SETUP)", tasks);
	return 0;
}

static int hft_kernel_open(struct hft *h, const struct hft_opts *opts)
{
	int err;

	h->owner = HFT_NOBODY;
	atomic_flag_clear(&h->busy);

	err = hft_open_device(h, opts->device);
	if (err)
		return err;
	err = hft_setup_context(h, opts->tasks);
	if (err)
		goto close;
	err = hft_clock_open(opts->device);
	if (err)
		goto close;
	err = hft_uring_open(h, opts);
	if (err)
		goto close_clock;
	return 0;

close_clock:
	hft_clock_close();
close:
	close(h->fd);
	return err;
}

static void hft_kernel_close(struct hft *h)
{
	hft_uring_close(h);
	hft_clock_close();
	close(h->fd);
}

static int hft_ring_map(struct hft_ring *ring, const struct hft_ring_add *add)
{
	ring->consumer_size = add->consumer_size;
	ring->pages_size = add->pages_size;

	ring->consumer = mmap(NULL, ring->consumer_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      ring->fd, HFT_RING_OFF_CONSUMER);
	if (ring->consumer == MAP_FAILED)
		return hft_fail(errno, "map the consumer page of a ring");
	ring->pages = mmap(NULL, ring->pages_size, PROT_READ, MAP_SHARED | MAP_POPULATE, ring->fd,
			   (off_t)add->pages_off);
	if (ring->pages == MAP_FAILED) {
		munmap(ring->consumer, ring->consumer_size);
		return hft_fail(errno, "map the pages of a ring");
	}
	if (add->flags & HFT_RING_REPORT)
		ring->reports = (void *)((char *)ring->consumer + sysconf(_SC_PAGESIZE));
	ring->producer = ring->pages;
	ring->events = (const struct hft_event *)((const char *)ring->pages + add->events_off);
	if (add->flags & HFT_RING_METRICS)
		ring->metrics = (const void *)((const char *)ring->pages + add->metrics_off);
	return 0;
}

static int hft_kernel_ring_open(struct hft *h, struct hft_ring *ring, struct hft_ring_add *add)
{
	int err;

	ring->fd = hft_context_ioctl(h, HFT_IOC_RING_ADD, add);
	if (ring->fd < 0)
		return hft_ring_add_error(ring->fd, add);
	err = hft_ring_map(ring, add);
	if (err)
		close(ring->fd);
	return err;
}

static void hft_kernel_ring_close(struct hft_ring *ring)
{
	/* Mappings are not inherited: something else may be there by now. */
	if (!hft_is_inherited(ring->forks)) {
		munmap(ring->pages, ring->pages_size);
		munmap(ring->consumer, ring->consumer_size);
	}
	close(ring->fd);
}

/* Whether to sleep on: it was not for @err, of a sleep until @until, that it ended. */
static bool hft_kernel_sleeps_on(struct hft_ring *ring, int err, uint64_t until, uint64_t timeout)
{
	/* By a task of the inbox, or one that is gone; or by a stop that was noticed before. */
	if (err == -ECANCELED)
		return !hft_ring_stopped(ring);
	return err == -ETIMEDOUT && until < timeout;
}

/* Let the kernel fill the window, and sleep until @timeout for an event. */
static int hft_kernel_sleep(struct hft_ring *ring, uint64_t timeout)
{
	struct hft_wait wait = { 0 };
	int ret;

	do {
		wait.timeout = hft_inbox_arm(ring, timeout);
		ret = ioctl(ring->fd, HFT_IOC_WAIT, &wait);
		if (ret < 0)
			ret = -errno;
		if (ret == -EBUSY)
			return ret;	/* another thread has armed it, and sleeps */
		hft_inbox_disarm(ring);
		if (__builtin_expect(hft_inbox_look(&ring->view), 0))
			ret = hft_ring_ready(ring) ?: ret;
	} while (ret < 0 && hft_kernel_sleeps_on(ring, ret, wait.timeout, timeout));
	return ret;
}

static int hft_kernel_wait(struct hft_ring *ring, uint64_t timeout)
{
	int ret = 0;

	if (ring->spin_ns && timeout)
		ret = hft_ring_spin(ring, timeout);
	return ret ? ret : hft_kernel_sleep(ring, timeout);
}

static void hft_kernel_wake(struct hft_ring *ring)
{
	ioctl(ring->fd, HFT_IOC_WAKE);
}

const struct hft_backend hft_kernel_backend = {
	.name = "kernel",
	.open = hft_kernel_open,
	.close = hft_kernel_close,
	.command = hft_kernel_command,
	.ring_open = hft_kernel_ring_open,
	.ring_close = hft_kernel_ring_close,
	.submit = hft_kernel_submit,
	.submit_batch = hft_kernel_submit_batch,
	.wait = hft_kernel_wait,
	.wake = hft_kernel_wake,
};
