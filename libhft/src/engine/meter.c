// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Histograms of a ring's tasks: those of the ready queue, by commands; what the worker
 * measures itself, and what submissions take, here.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <core/task.h>

#include "../stats/histogram.h"
#include "meter.h"

/**
 * enum hft_tally_state - what its worker does with a tally
 * @HFT_TALLY_OFF: nothing
 * @HFT_TALLY_ANEW: it forgets what there is, and counts
 * @HFT_TALLY_ON: it counts
 */
enum hft_tally_state {
	HFT_TALLY_OFF,
	HFT_TALLY_ANEW,
	HFT_TALLY_ON,
};

/**
 * struct hft_tally - runs that a worker has measured itself
 * @state: &enum hft_tally_state; ON is the worker's to set
 * @kinds: that were asked for; under the lock of the handle's rings, as since when @meter is
 * @began: when the task that it is at began to run
 * @meter: what it has counted, of class 0: an event does not tell its task's
 */
struct hft_tally {
	_Atomic uint32_t state;
	uint32_t kinds;
	uint64_t began;
	struct hft_meter *meter;
};

/* What submissions to a ring took, by class.  Any thread counts. */
struct hft_submit_tally {
	_Atomic uint32_t classes;	/* that are counted */
	uint64_t since;			/* under the lock of the handle's rings; 0: none is */
	struct hft_hist hist[HFT_CLASSES];
};

/* Those of a handle, by the number of the ring.  Each stays until the handle is closed. */
struct hft_submits {
	struct hft_submit_tally *_Atomic tally[HFT_MAX_RINGS];
};

/* NULL: of those nothing was measured yet. */
static struct hft_submit_tally *submit_tally(struct hft *h, uint32_t number)
{
	struct hft_submits *submits = atomic_load_explicit(&h->submits, memory_order_acquire);

	return submits ? atomic_load_explicit(&submits->tally[number], memory_order_acquire) : NULL;
}

/**
 * hft_meter_new() - make a meter for a ready queue
 * @ready: its
 * @set: valid
 * @now: CLOCK_MONOTONIC
 * @meter: out: it, or NULL where nothing is asked for that there can be
 *
 * Return: 0 or -ENOMEM.
 */
int hft_meter_new(const struct hft_ready_queue *ready, const struct hft_meter_set *set,
		  uint64_t now, struct hft_meter **meter)
{
	struct hft_meter_set want = *set;
	void *memory;

	*meter = NULL;
	hft_meter_restrict(&want, hft_ready_kinds(ready));
	if (!want.flags)
		return 0;
	memory = calloc(1, hft_meter_bytes(&want));
	if (!memory)
		return -ENOMEM;
	*meter = hft_meter_init(memory, &want, now);
	return 0;
}

/* The task of @event begins to run. */
void hft_tally_begin(struct hft_ring *ring, uint64_t start)
{
	struct hft_tally *tally = atomic_load_explicit(&ring->tally, memory_order_acquire);

	if (tally)
		tally->began = start;
}

/* It has run.  The ring's worker, for whom a run with reports is the ready queue's. */
void hft_tally_end(struct hft_ring *ring, const struct hft_event *event, uint64_t end)
{
	struct hft_tally *tally = atomic_load_explicit(&ring->tally, memory_order_acquire);
	uint32_t state = HFT_TALLY_ANEW;
	uint32_t kind;

	if (!tally)
		return;
	if (atomic_load_explicit(&tally->state, memory_order_relaxed) == HFT_TALLY_OFF)
		return;
	/* Of what was there before nobody reads until it is said to be on. */
	if (atomic_load_explicit(&tally->state, memory_order_relaxed) == HFT_TALLY_ANEW) {
		for (kind = 0; kind < HFT_KINDS; kind++) {
			if (tally->meter->hist[0][kind])
				hft_hist_reset(tally->meter->hist[0][kind]);
		}
		hft_store_relaxed(&tally->meter->in_time[0], 0);
		atomic_compare_exchange_strong_explicit(&tally->state, &state, HFT_TALLY_ON,
							memory_order_release,
							memory_order_relaxed);
	}
	if (event->result >= 0 && event->type == HFT_EVENT_TASK && tally->began >= event->published)
		hft_meter_completed(tally->meter, 0, event, tally->began, end);
	tally->began = 0;
}

/* Under the lock of the handle's rings. */
static int set_tally(struct hft_ring *ring, const struct hft_meter_set *set, uint64_t now)
{
	struct hft_meter_set own = { .flags = HFT_METER_HIST, .classes = 1,
				     .kinds = HFT_KINDS_RUN };
	struct hft_tally *tally = atomic_load_explicit(&ring->tally, memory_order_relaxed);
	bool on = set->flags && set->kinds & HFT_KINDS_RUN;

	if (!tally && on) {
		tally = calloc(1, sizeof(*tally));
		if (!tally)
			return -ENOMEM;
		tally->meter = calloc(1, hft_meter_bytes(&own));
		if (!tally->meter) {
			free(tally);
			return -ENOMEM;
		}
		hft_meter_init(tally->meter, &own, 0);
		/* Pairs with the acquires: all of it before it is found. */
		atomic_store_explicit(&ring->tally, tally, memory_order_release);
	}
	if (tally) {
		tally->kinds = set->kinds;
		tally->meter->since = on ? now : 0;
		atomic_store_explicit(&tally->state, on ? HFT_TALLY_ANEW : HFT_TALLY_OFF,
				      memory_order_release);
	}
	atomic_store_explicit(&ring->measured, on || ring->reports || ring->guard,
			      memory_order_relaxed);
	return 0;
}

/* The ring is closed. */
void hft_tally_free(struct hft_ring *ring)
{
	struct hft_tally *tally = atomic_load_explicit(&ring->tally, memory_order_relaxed);

	if (tally)
		free(tally->meter);
	free(tally);
}

/* Under the lock of the handle's rings.  It can be found when all of it is there. */
static struct hft_submit_tally *add_submit_tally(struct hft *h, uint32_t number)
{
	struct hft_submits *submits = atomic_load_explicit(&h->submits, memory_order_relaxed);
	struct hft_submit_tally *tally;

	if (!submits) {
		submits = calloc(1, sizeof(*submits));
		if (!submits)
			return NULL;
		atomic_store_explicit(&h->submits, submits, memory_order_release);
	}
	tally = calloc(1, sizeof(*tally));
	if (tally)
		atomic_store_explicit(&submits->tally[number], tally, memory_order_release);
	return tally;
}

/* Likewise: anew. */
static void begin_submit_tally(struct hft_submit_tally *tally, uint32_t classes, uint64_t since)
{
	uint32_t i;

	atomic_store_explicit(&tally->classes, 0, memory_order_relaxed);
	for (i = 0; i < HFT_CLASSES; i++)
		hft_hist_reset(&tally->hist[i]);
	tally->since = since;
	atomic_store_explicit(&tally->classes, classes, memory_order_relaxed);
}

/* Likewise. */
static int set_submit_tally(struct hft *h, const struct hft_meter_set *set, uint64_t now)
{
	struct hft_submit_tally *tally = submit_tally(h, set->ring);
	bool on = set->flags && set->kinds & BIT(HFT_KIND_SUBMIT);

	if (!tally && !on)
		return 0;
	if (!tally)
		tally = add_submit_tally(h, set->ring);
	if (!tally)
		return -ENOMEM;
	begin_submit_tally(tally, on ? set->classes : 0, on ? now : 0);
	return 0;
}

/* The ring is closed, and another may get its number.  Likewise. */
void hft_tally_forget(struct hft *h, uint32_t number)
{
	struct hft_submit_tally *tally = submit_tally(h, number);

	if (tally)
		begin_submit_tally(tally, 0, 0);
}

/* The handle is closed. */
void hft_submits_free(struct hft *h)
{
	struct hft_submits *submits = atomic_load_explicit(&h->submits, memory_order_relaxed);
	uint32_t i;

	for (i = 0; submits && i < HFT_MAX_RINGS; i++)
		free(atomic_load_explicit(&submits->tally[i], memory_order_relaxed));
	free(submits);
}

/* Where it is counted what it takes to submit @task; NULL: nowhere. */
struct hft_hist *hft_tally_submits(struct hft *h, const struct hft_task *task)
{
	struct hft_submit_tally *tally;

	if (task->ring >= HFT_MAX_RINGS || task->task_class >= HFT_CLASSES)
		return NULL;
	tally = submit_tally(h, task->ring);
	if (!tally || !(atomic_load_explicit(&tally->classes, memory_order_relaxed) &
			BIT(task->task_class)))
		return NULL;
	return &tally->hist[task->task_class];
}

static void widen_shared(struct hft_hist *hist, uint64_t value)
{
	uint64_t old = hft_load_relaxed(&hist->max);

	while (value > old && !__atomic_compare_exchange_n(&hist->max, &old, value, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	old = hft_load_relaxed(&hist->min_inverted);
	while (~value > old && !__atomic_compare_exchange_n(&hist->min_inverted, &old, ~value,
							    true, __ATOMIC_RELAXED,
							    __ATOMIC_RELAXED))
		;
}

/* hft_hist_tally() of hft_tally_submits(), for any number of threads. */
void hft_tally_submit(struct hft_hist *hist, uint64_t ns)
{
	if (__builtin_expect(ns > hft_load_relaxed(&hist->max) ||
			     ~ns > hft_load_relaxed(&hist->min_inverted), 0))
		widen_shared(hist, ns);
	__atomic_fetch_add(&hist->bucket[hft_hist_index(ns)], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&hist->sum, ns, __ATOMIC_RELAXED);
}

/**
 * hft_ring_meter() - say what is measured of a ring's tasks
 * @ring: ring
 * @user_opts: options, or NULL: nothing any more
 *
 * Begins anew, and is of tasks that are submitted from then on.  What the worker measures
 * itself, of a ring without reports and of hft_submit_now(), is counted for class 0.
 *
 * Allocates 28.7 kB for each class and kind, and enters the kernel.  Any thread; the worker
 * goes on meanwhile.
 *
 * Return: 0, or -EINVAL an option is out of range, or it is a monitor ring; -EDQUOT the
 * user's quota, -ENOMEM, -E2BIG options of a newer library; -EOPNOTSUPP the module is older
 * than the library.
 */
HFT_API int hft_ring_meter(struct hft_ring *ring, const struct hft_meter_opts *user_opts)
{
	struct hft_meter_opts opts;
	struct hft_meter_set set;
	uint64_t now = hft_now();
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (err)
		return err;
	if (opts.reserved)
		return hft_fail(EINVAL, "a meter's reserved option is not zero");
	set = (struct hft_meter_set){
		.ring = ring->number, .flags = opts.flags, .classes = opts.classes,
		.kinds = opts.kinds,
	};
	err = ring->backend->command(ring->h, HFT_IOC_METER, &set);
	if (!err) {
		hft_meter_restrict(&set, U32_MAX);
		pthread_mutex_lock(&ring->h->lock);
		err = set_tally(ring, &set, now);
		if (!err)
			err = set_submit_tally(ring->h, &set, now);
		pthread_mutex_unlock(&ring->h->lock);
	}
	if (err == -ENOTTY)
		err = -EOPNOTSUPP;
	return err ? hft_fail(-err, "meter of ring %u: flags 0x%x, classes 0x%x, kinds 0x%x",
			      ring->number, opts.flags, opts.classes, opts.kinds) : 0;
}

static bool has_class(uint32_t task_class, uint32_t i)
{
	return task_class == HFT_CLASS_ALL || task_class == i;
}

static void add_tally(struct hft_hist *to, struct hft_hist_info *info, struct hft_ring *ring)
{
	struct hft_tally *tally = atomic_load_explicit(&ring->tally, memory_order_acquire);

	if (!tally)
		return;
	hft_hist_info_since(info, tally->meter->since);
	/* Pairs with the release: what was forgotten is. */
	if (tally->kinds & BIT(info->kind) &&
	    atomic_load_explicit(&tally->state, memory_order_acquire) == HFT_TALLY_ON)
		hft_meter_merge(to, info, tally->meter);
}

static void add_submits(struct hft_hist *to, struct hft_hist_info *info, struct hft *h,
			uint32_t number)
{
	struct hft_submit_tally *tally = submit_tally(h, number);
	uint32_t i;

	if (tally)
		hft_hist_info_since(info, tally->since);
	for (i = 0; tally && i < HFT_CLASSES; i++) {
		if (has_class(info->task_class, i))
			hft_hist_merge(to, &tally->hist[i]);
	}
}

/* What was measured in this process. */
static void add_own(struct hft_hist *to, struct hft_hist_info *info, struct hft *h)
{
	bool all = info->ring == HFT_STATS_CONTEXT;
	struct hft_ring *ring;
	uint32_t i;

	pthread_mutex_lock(&h->lock);
	for (ring = h->rings; ring; ring = ring->next) {
		if (all || info->ring == ring->number)
			add_tally(to, info, ring);
	}
	for (i = 0; info->kind == HFT_KIND_SUBMIT && i < HFT_MAX_RINGS; i++) {
		if (all || info->ring == i)
			add_submits(to, info, h, i);
	}
	pthread_mutex_unlock(&h->lock);
}

/* What is to be read into @hist, and can @answer be? */
static int ask(struct hft_hist_read *read, const struct hft_hist_opts *user_which,
	       struct hft_hist *hist, const struct hft_hist_answer *answer)
{
	struct hft_hist_opts which;
	int err;

	err = hft_read_opts(&which, sizeof(which), user_which);
	if (!err && answer)
		err = hft_check_answer(answer);
	if (err)
		return err;
	hft_hist_reset(hist);
	*read = (struct hft_hist_read){
		.info = {
			.ring = which.ring, .flags = which.flags,
			.task_class = which.task_class, .kind = which.kind,
			.buckets = (uintptr_t)hist->bucket, .nr_buckets = HFT_HIST_BUCKETS,
		},
		.hist = hist,
	};
	return 0;
}

/* @hist has the buckets. */
static void take(struct hft_hist *hist, const struct hft_hist_info *info)
{
	hft_store_relaxed(&hist->min_inverted, info->count ? ~info->min : 0);
	hft_store_relaxed(&hist->max, info->max);
	hft_store_relaxed(&hist->sum, info->sum);
	hft_store_relaxed(&hist->count, info->count);
}

/* Of @answer sz was checked. */
static void answer_hist(struct hft_hist_answer *answer, const struct hft_hist_info *info)
{
	struct hft_hist_answer known = { .in_time = info->in_time, .since_ns = info->since };

	if (answer)
		hft_answer(answer, &known, sizeof(known));
}

static int hist_error(int err, const struct hft_hist_info *info)
{
	return hft_fail(err, "histogram of ring %u, class %u, kind %u", info->ring,
			info->task_class, info->kind);
}

/**
 * hft_hist_read() - read a histogram of tasks
 * @h: handle
 * @user_which: which it is, or NULL: dispatch errors of class 0 of ring 0
 * @to: what it is, whatever was there before
 * @answer: out: more of it, with its sz set; or NULL
 *
 * The sum of what is measured where the ring is written, by its worker, and by those who
 * submit.  They go on meanwhile.
 *
 * Enters the kernel, which allocates.  Any thread.
 *
 * Return: 0, or -ENOENT no such ring; -EINVAL an option is out of range; -EPERM
 * %HFT_HIST_GLOBAL without CAP_PERFMON, or by a backend other than kernel; -ENOMEM, -E2BIG
 * options of a newer library; -EOPNOTSUPP the module is older than the library.
 */
HFT_API int hft_hist_read(struct hft *h, const struct hft_hist_opts *user_which,
			  struct hft_histogram *to, struct hft_hist_answer *answer)
{
	struct hft_hist_read read;
	int err = ask(&read, user_which, &to->hist, answer);

	if (err)
		return err;
	err = h->backend->command(h, HFT_IOC_HIST, &read);
	if (err)
		return hist_error(err == -ENOTTY ? EOPNOTSUPP : -err, &read.info);
	take(&to->hist, &read.info);
	if (!(read.info.flags & HFT_HIST_GLOBAL))
		add_own(&to->hist, &read.info, h);
	answer_hist(answer, &read.info);
	return 0;
}

/**
 * hft_hist_read_fd() - as hft_hist_read(), of another process
 * @fd: descriptor of /dev/hft: of pidfd_getfd(), or, for %HFT_HIST_GLOBAL, any
 * @user_which: which it is, or NULL: dispatch errors of class 0 of ring 0
 * @to: what the module knows: not what was measured in the process itself
 * @answer: out: more of it, with its sz set; or NULL
 *
 * Return: as hft_hist_read(), or -ENOTTY it is no such descriptor.
 */
HFT_API int hft_hist_read_fd(int fd, const struct hft_hist_opts *user_which,
			     struct hft_histogram *to, struct hft_hist_answer *answer)
{
	struct hft_hist_read read;
	int err = ask(&read, user_which, &to->hist, answer);

	if (err)
		return err;
	if (ioctl(fd, HFT_IOC_HIST, &read.info))
		return hist_error(errno, &read.info);
	take(&to->hist, &read.info);
	answer_hist(answer, &read.info);
	return 0;
}
