// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A handle: a context of the kernel module, and a way to submit to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define HFT_DEFAULT_DEVICE	"/dev/hft"
#define HFT_DEFAULT_TASKS	4096

/* No options are as long: it is a size that nobody set. */
#define HFT_MAX_OPTS		4096

/*
 * Read options that begin with their size.  What an older caller does not know is
 * zero; what a newer one knows and we do not must be zero.
 */
int hft_read_opts(void *opts, size_t size, const void *user)
{
	const unsigned char *bytes = user;
	size_t i, user_size;

	memset(opts, 0, size);
	if (!user)
		return 0;

	memcpy(&user_size, user, sizeof(user_size));
	if (user_size < sizeof(user_size))
		return hft_fail(EINVAL, "the options do not begin with their size");
	if (user_size > HFT_MAX_OPTS)
		return hft_fail(E2BIG, "options of %zu bytes: is their size set?", user_size);
	for (i = size; i < user_size; i++) {
		if (bytes[i])
			return hft_fail(E2BIG, "the options ask for more than this libhft knows");
	}
	memcpy(opts, user, user_size < size ? user_size : size);
	return 0;
}

int hft_context_ioctl(struct hft *h, unsigned long op, void *arg)
{
	int ret = ioctl(h->fd, op, arg);

	return ret < 0 ? -errno : ret;
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
	struct hft_setup setup = { .tasks = tasks ? tasks : HFT_DEFAULT_TASKS };
	int err;

	err = hft_context_ioctl(h, HFT_IOC_QUERY, &h->query);
	if (err)
		return hft_fail(-err, "this device does not speak hft (HFT_IOC_QUERY)");
	if (setup.tasks > h->query.max_tasks)
		return hft_fail(EINVAL, "%u tasks asked for, the module's max_tasks is %u",
				setup.tasks, h->query.max_tasks);
	err = hft_context_ioctl(h, HFT_IOC_SETUP, &setup);
	if (err == -EDQUOT)
		return hft_fail(EDQUOT, "%u tasks: the user's quota (hft.user_tasks)", setup.tasks);
	if (err)
		return hft_fail(-err, "set up %u tasks (HFT_IOC_SETUP)", setup.tasks);
	return 0;
}

/**
 * hft_open() - open the device and prepare to submit
 * @out: the handle
 * @user_opts: options, or NULL for the defaults
 *
 * Allocates, blocks (it calibrates the clock, 20 ms for the first handle of a
 * process) and enters the kernel.  Any thread.
 *
 * Return: 0, or -ENOENT without the module, -EACCES without permission, -EINVAL
 * for options out of range, -E2BIG for options of a newer library, -EDQUOT when
 * the user's quota of tasks is used up, -ENOMEM.  io_uring being unavailable is
 * no error: ioctls take its place, and hft_opts.warn says so.
 */
HFT_API int hft_open(struct hft **out, const struct hft_opts *user_opts)
{
	struct hft_opts opts;
	const char *device;
	struct hft *h;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.flags & ~(HFT_OPEN_IOCTL | HFT_OPEN_SQPOLL))
		return hft_fail(EINVAL, "unknown flags 0x%x", opts.flags);

	h = calloc(1, sizeof(*h));
	if (!h)
		return hft_fail(ENOMEM, "a handle");
	h->warn = opts.warn;
	h->warn_arg = opts.warn_arg;
	h->owner = HFT_NOBODY;
	h->forks = hft_forks;
	atomic_flag_clear(&h->busy);
	hft_watch_forks();

	device = opts.device ? opts.device : HFT_DEFAULT_DEVICE;
	err = hft_open_device(h, device);
	if (err)
		goto free;
	err = hft_setup_context(h, opts.tasks);
	if (err)
		goto close;
	err = hft_clock_open(device);
	if (err)
		goto close;
	err = hft_uring_open(h, &opts);
	if (err)
		goto close_clock;

	hft_examine(h);
	*out = h;
	return 0;

close_clock:
	hft_clock_close();
close:
	close(h->fd);
free:
	free(h);
	return err;
}

/**
 * hft_close() - give a handle back; its queued tasks are dropped
 * @h: the handle, or NULL; its rings and workers are closed before
 *
 * Enters the kernel.  No other thread may be using @h.  In a forked child, the
 * parent's handle stays what it is.
 */
HFT_API void hft_close(struct hft *h)
{
	if (!h)
		return;
	hft_uring_close(h);
	hft_clock_close();
	close(h->fd);
	free(h);
}

/**
 * hft_query() - what the kernel module offers
 * @h: handle
 * @query: the answer
 *
 * As read by hft_open(): does not enter the kernel.  Any thread.
 *
 * Return: 0.
 */
HFT_API int hft_query(struct hft *h, struct hft_query *query)
{
	*query = h->query;
	return 0;
}

/**
 * hft_stats() - read the counters of a ring or of all
 * @h: handle
 * @ring: number of a ring, or %HFT_STATS_CONTEXT
 * @stats: the answer
 *
 * Enters the kernel, which may block.  Any thread.
 *
 * Return: 0, or -ENOENT for no such ring.
 */
HFT_API int hft_stats(struct hft *h, uint32_t ring, struct hft_stats *stats)
{
	int err;

	memset(stats, 0, sizeof(*stats));
	stats->ring = ring;
	err = hft_context_ioctl(h, HFT_IOC_STATS, stats);
	return err ? hft_fail(-err, "statistics of ring %u", ring) : 0;
}
