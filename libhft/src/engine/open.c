// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A handle, and which backend it has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
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

/* May it be answered?  @user begins with its size, which its caller has set. */
int hft_check_answer(const void *user)
{
	size_t user_size = 0;

	if (user)
		memcpy(&user_size, user, sizeof(user_size));
	if (user_size < sizeof(user_size) || user_size > HFT_MAX_OPTS)
		return hft_fail(EINVAL, "an answer of %zu bytes: is its size set?", user_size);
	return 0;
}

/*
 * Answer with what both know, after hft_check_answer().  What the caller is too old for is
 * left out, what it is too new for is zero.
 */
void hft_answer(void *user, const void *answer, size_t size)
{
	const unsigned char *from = answer;
	unsigned char *to = user;
	size_t user_size, both;

	memcpy(&user_size, user, sizeof(user_size));
	both = user_size < size ? user_size : size;
	memcpy(to + sizeof(user_size), from + sizeof(user_size), both - sizeof(user_size));
	memset(to + both, 0, user_size - both);
}

/* How many forks there are between the process and the one that it began as. */
unsigned int hft_forks;

static void hft_forked(void)
{
	hft_forks++;
	hft_uring_forked();
}

static void hft_register_fork(void)
{
	pthread_atfork(NULL, NULL, hft_forked);
}

static void hft_watch_forks(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, hft_register_fork);
}

/* What a backend offers that has the core in the process. */
void hft_offer(struct hft *h, uint32_t max_tasks, uint32_t nr_cpus)
{
	h->query = (struct hft_query){
		.features = HFT_FEATURE_MONITOR | HFT_FEATURE_LEAD,
		.max_tasks = max_tasks,
		.max_rings = HFT_MAX_RINGS,
		.max_entries = HFT_MAX_ENTRIES,
		.max_batch = HFT_MAX_BATCH,
		.max_lead = HFT_MAX_LEAD,
		.levels = HFT_LEVELS,
		.policies = HFT_POLICIES,
		.clocks = HFT_CLOCKS,
		.nr_cpus = nr_cpus,
	};
}

static const struct hft_backend *const hft_backends[] = {
	&hft_kernel_backend,
	&hft_soft_backend,
	&hft_sim_backend,
};

static int hft_try_backend(struct hft *h, const struct hft_backend *backend,
			   const struct hft_opts *opts)
{
	h->backend = backend;
	return backend->open(h, opts);
}

static int hft_open_named(struct hft *h, const char *name, const struct hft_opts *opts)
{
	size_t i;

	for (i = 0; i < sizeof(hft_backends) / sizeof(hft_backends[0]); i++) {
		if (!strcmp(hft_backends[i]->name, name))
			return hft_try_backend(h, hft_backends[i], opts);
	}
	return hft_fail(EINVAL, "no backend is called \"%s\" (hft_opts.backend, HFT_BACKEND)", name);
}

/* Without a device that anybody has named, the process itself will do. */
static int hft_open_any(struct hft *h, const struct hft_opts *opts, bool named)
{
	int err = hft_try_backend(h, &hft_kernel_backend, opts);

	if (named || (err != -ENOENT && err != -ENODEV && err != -ENXIO))
		return err;
	hft_warn(h, "%s is not there: this process starts its tasks itself (backend soft), less exactly; modprobe hft",
		 opts->device);
	return hft_try_backend(h, &hft_soft_backend, opts);
}

/* By name, or what this machine has. */
static int hft_open_backend(struct hft *h, struct hft_opts *opts)
{
	const char *name = opts->backend ? opts->backend : secure_getenv("HFT_BACKEND");
	bool named = opts->device;

	if (!opts->tasks)
		opts->tasks = HFT_DEFAULT_TASKS;
	if (!opts->device)
		opts->device = HFT_DEFAULT_DEVICE;
	if (name && *name)
		return hft_open_named(h, name, opts);
	return hft_open_any(h, opts, named);
}

/**
 * hft_open() - open the device and prepare to submit
 * @out: the handle
 * @user_opts: options, or NULL for the defaults
 *
 * Allocates, blocks (it calibrates the clock, 20 ms for the first handle of a
 * process) and enters the kernel.  Any thread.
 *
 * Without the module, and unless a device or a backend was named, the handle is of
 * the backend soft, which hft_opts.warn is told.
 *
 * Return: 0, or -ENOENT without the device or, where kernel was named, the module,
 * -EACCES without permission, -EINVAL for options out of range or a backend that is
 * none, -E2BIG for options of a newer library, -EDQUOT when the user's quota of tasks
 * is used up, -ENOMEM, or why the file of HFT_RECORD can not be made.  io_uring being
 * unavailable is no error: ioctls take its place, and hft_opts.warn says so.
 */
HFT_API int hft_open(struct hft **out, const struct hft_opts *user_opts)
{
	struct hft_opts opts;
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
	h->fd = -1;
	h->lead_ns = HFT_LEAD_AUTO;
	hft_watch_forks();
	h->forks = hft_forks;
	err = hft_halters_init(h);
	if (err) {
		free(h);
		return hft_fail(-err, "a handle's locks");
	}
	pthread_mutex_init(&h->lock, NULL);

	err = hft_open_backend(h, &opts);
	h->tasks = opts.tasks;
	if (err) {
		pthread_mutex_destroy(&h->lock);
		hft_halters_free(h);
		free(h);
		return err;
	}
	/* What a machine that is not real has to do with this one: nothing. */
	if (h->backend != &hft_sim_backend)
		hft_examine(h);
	err = hft_record_start(h, opts.tasks);
	if (err) {
		hft_close(h);
		return err;
	}
	*out = h;
	return 0;
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
	h->backend->close(h);
	if (!hft_is_inherited(h->forks)) {
		hft_ring_unlist_all(h);
		pthread_mutex_destroy(&h->lock);
		hft_halters_free(h);
	}
	hft_submits_free(h);
	free(h);
}

/**
 * hft_backend() - which backend a handle has
 * @h: handle
 *
 * Return: its name, "kernel" or "soft" or "sim", which outlives the handle.  Any
 * thread; wait-free, no system call.
 */
HFT_API const char *hft_backend(const struct hft *h)
{
	return h->backend->name;
}

/**
 * hft_query() - what the backend offers
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
 * @stats: the answer; hft_stats.tsc is hft_clock_is_tsc()
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
	err = h->backend->command(h, HFT_IOC_STATS, stats);
	stats->tsc = hft_clock_is_tsc();
	return err ? hft_fail(-err, "statistics of ring %u", ring) : 0;
}
