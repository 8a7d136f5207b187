// SPDX-License-Identifier: LGPL-2.1-or-later
/* Rules of a ring, and who is told of anomalies. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <hft/rule.h>

#include "evidence.h"
#include "internal.h"

/**
 * struct hft_anomaly_watch - somebody who is told
 * @fn: or NULL
 * @arg: for it
 * @ring: whose notices they are
 * @worker: that reads it; NULL: the caller does
 * @next: events of the ring before that one were told
 * @fd: eventfd
 */
struct hft_anomaly_watch {
	hft_anomaly_fn fn;
	void *arg;
	struct hft_ring *ring;
	struct hft_worker *worker;
	uint64_t next;
	int fd;
};

static int hft_rule_error(int err, const struct hft_ring *ring, const struct hft_rule *rule)
{
	switch (err) {
	case -EBUSY:
		return hft_fail(EBUSY, "rule %u of ring %u: its budget is not admitted to the CPU, or there are hard tasks up to level %u",
				rule->number, ring->number, rule->level);
	case -ENODEV:
		return hft_fail(ENODEV, "rule %u of ring %u: the ring has no fallback ring",
				rule->number, ring->number);
	case -ENOTTY:
		return hft_fail(EOPNOTSUPP, "rule %u of ring %u: this hft.ko has no rules",
				rule->number, ring->number);
	default:
		return hft_fail(-err, "rule %u of ring %u: action %u, count %u, flags 0x%x",
				rule->number, ring->number, rule->action, rule->count,
				rule->flags);
	}
}

/**
 * hft_rule_set() - say what is to be done about anomalies of a ring
 * @ring: ring
 * @rule: the rule; its field ring is not looked at.  With %HFT_ACTION_NONE there is none of
 *	its number any more
 *
 * See &struct hft_rule.  The rule of that number before it is undone.  Takes time by the
 * number of the handle's tasks.  Enters the kernel; allocates with the ring's first rule.
 * Any thread.
 *
 * Return: 0, or -EINVAL a field is out of range or the ring is for notices, -EBUSY its budget
 * is not admitted or there are hard tasks up to its level, -ENODEV it is for a fallback ring
 * that there is not, -EDQUOT the user's quota, -ENOMEM, -EOPNOTSUPP the module is too old,
 * -EOWNERDEAD in a forked child by backends other than kernel.
 */
HFT_API int hft_rule_set(struct hft_ring *ring, const struct hft_rule *rule)
{
	struct hft_rule copy = *rule;
	int err;

	copy.ring = ring->number;
	err = ring->backend->command(ring->h, HFT_IOC_RULE, &copy);
	return err ? hft_rule_error(err, ring, &copy) : 0;
}

/**
 * hft_rule_info() - what has become of a rule
 * @ring: ring
 * @number: of the rule, below %HFT_RULES
 * @info: the answer
 *
 * Enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL no such number, -EOPNOTSUPP the module is too old, -EOWNERDEAD in a
 * forked child by backends other than kernel.
 */
HFT_API int hft_rule_info(struct hft_ring *ring, uint32_t number, struct hft_rule_info *info)
{
	int err;

	*info = (struct hft_rule_info){ .ring = ring->number, .number = number };
	err = ring->backend->command(ring->h, HFT_IOC_RULE_INFO, info);
	if (err == -ENOTTY)
		err = -EOPNOTSUPP;
	return err ? hft_fail(-err, "rule %u of ring %u", number, ring->number) : 0;
}

/**
 * hft_action_name() - what an action is called
 * @action: it
 *
 * Return: a word, or NULL: there is no such action.
 */
HFT_API const char *hft_action_name(enum hft_action action)
{
	static const char *const names[] = {
		[HFT_ACTION_NONE] = "none",
		[HFT_ACTION_NOTIFY] = "notify",
		[HFT_ACTION_LEAD] = "lead",
		[HFT_ACTION_BOOST] = "boost",
		[HFT_ACTION_SHED] = "shed",
		[HFT_ACTION_SPARE] = "spare",
		[HFT_ACTION_REDUCE] = "reduce",
		[HFT_ACTION_HALT] = "halt",
	};

	return (uint32_t)action < HFT_ACTIONS ? names[action] : NULL;
}

static void hft_anomaly_tell(struct hft_anomaly_watch *watch, const struct hft_event *notice)
{
	const uint64_t one = 1;

	/* Whoever looks again sees it again. */
	if (notice->sequence < watch->next)
		return;
	watch->next = notice->sequence + 1;
	if (watch->fn)
		watch->fn(notice, watch->arg);
	if (write(watch->fd, &one, sizeof(one)) < 0)
		return;		/* 2^64 - 2 of them: it is readable */
}

/* The consumer of a ring looks at a notice. */
void hft_ring_notice(struct hft_ring *ring, const struct hft_event *event)
{
	struct hft_anomaly_watch *watch;

	if (event->type == HFT_EVENT_CLOCK)
		hft_ring_clock_fault(ring, event);
	else
		hft_evidence_notice(ring, event);
	if (event->type != HFT_EVENT_ANOMALY && event->type != HFT_EVENT_RESPONSE)
		return;
	watch = __atomic_load_n(&ring->watch, __ATOMIC_ACQUIRE);
	if (watch)
		hft_anomaly_tell(watch, event);
}

static void hft_anomaly_read(const struct hft_event *notice, uint64_t start, void *arg)
{
	/* hft_ring_notice() has told of it. */
	(void)notice;
	(void)start;
	(void)arg;
}

/* A ring of our own, and who reads it. */
static int hft_anomaly_start(struct hft *h, struct hft_anomaly_watch *watch,
			     const struct hft_anomaly_watch_opts *opts)
{
	HFT_OPTS(hft_ring_opts, ring, .cpu = opts->cpu, .flags = HFT_RING_MONITOR);
	HFT_OPTS(hft_worker_opts, worker, .fn = hft_anomaly_read, .flags = opts->worker_flags);
	int err = hft_ring_open(h, &ring, &watch->ring);

	if (err)
		return err;
	__atomic_store_n(&watch->ring->watch, watch, __ATOMIC_RELEASE);
	err = hft_worker_start(watch->ring, &worker, &watch->worker);
	if (err)
		hft_ring_close(watch->ring);
	return err;
}

/**
 * hft_anomaly_watch() - be told of anomalies of the handle's rings, and of what rules do
 * @h: handle, which must outlive it
 * @user_opts: options, or NULL
 * @out: the watch
 *
 * Without hft_anomaly_watch_opts.ring it opens the handle's monitor ring and starts a thread
 * that reads it: other notices of the handle are lost then.  Who reads the monitor ring
 * itself gives it, before it reads: hft_anomaly_watch_opts.fn is called from its
 * hft_ring_peek(), hft_wait() does not, or hft_ring_run().
 *
 * Allocates, and enters the kernel.  Any thread.
 *
 * Return: 0, or -EINVAL the ring is of another handle or not for notices, or a flag is
 * unknown, -EBUSY somebody watches the ring, -ENOSPC there is a monitor ring, which is to be
 * given, -EPERM and others of hft_ring_open() and hft_worker_start(), -E2BIG options of a
 * newer library, -EMFILE, -ENOMEM.
 */
HFT_API int hft_anomaly_watch(struct hft *h, const struct hft_anomaly_watch_opts *user_opts,
			      struct hft_anomaly_watch **out)
{
	struct hft_anomaly_watch_opts opts;
	struct hft_anomaly_watch *watch, *none = NULL;
	int err = hft_read_opts(&opts, sizeof(opts), user_opts);

	if (err)
		return err;
	if (opts.ring && (opts.ring->h != h || opts.ring->inbox || opts.cpu || opts.worker_flags))
		return hft_fail(EINVAL, "a watch for anomalies: ring %u is of another handle or not for notices, or is given with a CPU or flags",
				opts.ring->number);
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return hft_fail(ENOMEM, "a watch for anomalies");
	watch->fn = opts.fn;
	watch->arg = opts.arg;
	watch->ring = opts.ring;
	watch->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->fd < 0)
		err = hft_fail(errno, "the descriptor of a watch for anomalies");
	else if (!opts.ring)
		err = hft_anomaly_start(h, watch, &opts);
	else if (!__atomic_compare_exchange_n(&opts.ring->watch, &none, watch, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		err = hft_fail(EBUSY, "ring %u is watched for anomalies", opts.ring->number);
	if (err) {
		if (watch->fd >= 0)
			close(watch->fd);
		free(watch);
		return err;
	}
	*out = watch;
	return 0;
}

/**
 * hft_anomaly_fd() - a descriptor that is readable when something was told
 * @watch: the watch, which keeps the descriptor
 *
 * An eventfd, which does not block: a read returns how many notices there were since the
 * last.  For poll, epoll or IORING_OP_POLL_ADD.
 *
 * Return: the descriptor.  Any thread; wait-free, no system call.
 */
HFT_API int hft_anomaly_fd(const struct hft_anomaly_watch *watch)
{
	return watch->fd;
}

/**
 * hft_anomaly_unwatch() - be told no more
 * @watch: the watch, or NULL.  Of a ring of the caller nobody reads meanwhile
 *
 * Blocks until its thread has ended, if it has one.  No hft_anomaly_fn of it.
 */
HFT_API void hft_anomaly_unwatch(struct hft_anomaly_watch *watch)
{
	if (!watch)
		return;
	if (watch->worker) {
		hft_worker_stop(watch->worker);
		hft_ring_close(watch->ring);
	} else {
		__atomic_store_n(&watch->ring->watch, NULL, __ATOMIC_RELEASE);
	}
	close(watch->fd);
	free(watch);
}
