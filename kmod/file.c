// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hft: each open file is a context.
 */
#include <linux/cpumask.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hft.h"

static DEFINE_MUTEX(hft_contexts_lock);
static LIST_HEAD(hft_contexts);

/* Call @fn for each context there is. */
void hft_contexts_each(void (*fn)(struct hft_context *context, void *arg), void *arg)
{
	struct hft_context *context;

	mutex_lock(&hft_contexts_lock);
	list_for_each_entry(context, &hft_contexts, link)
		fn(context, arg);
	mutex_unlock(&hft_contexts_lock);
}

static void hft_context_free(struct kref *ref)
{
	struct hft_context *context = container_of(ref, struct hft_context, ref);

	mutex_lock(&hft_contexts_lock);
	list_del(&context->link);
	mutex_unlock(&hft_contexts_lock);
	irq_work_sync(&context->signal);
	hft_rule_exit_context(context);
	hft_slots_free(context);
	hft_user_put(context->user);
	mutex_destroy(&context->mutex);
	kfree(context);
}

void hft_context_put(struct hft_context *context)
{
	kref_put(&context->ref, hft_context_free);
}

/* Signals take locks that sleep on PREEMPT_RT: this runs where that is no matter. */
static void hft_context_send_signal(struct irq_work *work)
{
	struct hft_context *context = container_of(work, struct hft_context, signal);

	kill_fasync(&context->fasync, SIGIO, POLL_PRI);
}

/* In any context of execution. */
void hft_context_signal(struct hft_context *context)
{
	if (READ_ONCE(context->fasync))
		irq_work_queue(&context->signal);
}

/* The last release of the file has taken it off before hft_context_release(). */
static int hft_context_fasync(int fd, struct file *file, int on)
{
	struct hft_context *context = file->private_data;

	return fasync_helper(fd, file, on, &context->fasync);
}

static int hft_context_open(struct inode *inode, struct file *file)
{
	struct hft_context *context;

	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;

	context->user = hft_user_get(current_uid());
	if (!context->user) {
		kfree(context);
		return -ENOMEM;
	}
	kref_init(&context->ref);
	mutex_init(&context->mutex);
	init_irq_work(&context->signal, hft_context_send_signal);
	hft_rule_init_context(context);
	file->private_data = context;

	mutex_lock(&hft_contexts_lock);
	list_add_tail(&context->link, &hft_contexts);
	mutex_unlock(&hft_contexts_lock);
	return nonseekable_open(inode, file);
}

/* The files of the rings may stay open; they see a dead ring. */
static int hft_context_release(struct inode *inode, struct file *file)
{
	struct hft_context *context = file->private_data;
	struct hft_ring *ring;
	int i;

	mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		ring = rcu_dereference_protected(context->rings[i],
						 lockdep_is_held(&context->mutex));
		if (ring)
			hft_ring_kill(ring);
	}
	mutex_unlock(&context->mutex);
	hft_context_put(context);
	return 0;
}

/* Copy an answer out: what the caller does not know of it, it does not get. */
static int hft_copy_out(unsigned long arg, size_t usize, const void *from, size_t ksize)
{
	void __user *to = (void __user *)arg;

	if (copy_to_user(to, from, min(usize, ksize)))
		return -EFAULT;
	if (usize > ksize && clear_user(to + ksize, usize - ksize))
		return -EFAULT;
	return 0;
}

#define HFT_FEATURES							\
	(HFT_FEATURE_MONITOR | HFT_FEATURE_CLOCK | HFT_FEATURE_METER |	\
	 HFT_FEATURE_LEAD | HFT_FEATURE_RULE | HFT_FEATURE_SINK |	\
	 (hft_pmu_is_present() ? HFT_FEATURE_PMU : 0) |			\
	 (IS_ENABLED(CONFIG_IO_URING) ? HFT_FEATURE_URING : 0) |	\
	 (IS_ENABLED(CONFIG_PREEMPT_RT) ? HFT_FEATURE_RT : 0))

static long hft_ioc_query(unsigned long arg, size_t size)
{
	struct hft_query query = {
		.features = HFT_FEATURES,
		.max_tasks = hft_max_tasks,
		.max_rings = HFT_MAX_RINGS,
		.max_entries = HFT_MAX_ENTRIES,
		.max_batch = HFT_MAX_BATCH,
		.max_lead = HFT_MAX_LEAD,
		.levels = HFT_LEVELS,
		.policies = HFT_POLICIES,
		.clocks = HFT_CLOCKS,
		.nr_cpus = nr_cpu_ids,
	};

	return hft_copy_out(arg, size, &query, sizeof(query));
}

static long hft_ioc_setup(struct hft_context *context, const struct hft_setup *setup)
{
	int err;

	if (setup->features & ~HFT_FEATURES)
		return -EOPNOTSUPP;
	if (setup->flags || !setup->tasks || setup->tasks > hft_max_tasks)
		return -EINVAL;

	mutex_lock(&context->mutex);
	err = context->pool.slots ? -EALREADY : hft_slots_alloc(context, setup->tasks);
	mutex_unlock(&context->mutex);
	return err;
}

static long hft_ioc_ring_add(struct hft_context *context, struct hft_ring_add *add,
			     unsigned long arg, size_t size)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;

	file = hft_ring_create(context, add);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	if (hft_copy_out(arg, size, add, sizeof(*add))) {
		put_unused_fd(fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(fd, file);
	return fd;
}

static long hft_ioc_stats(struct hft_context *context, struct hft_stats *stats, unsigned long arg,
			  size_t size)
{
	int err = hft_stats_read(context, stats);

	return err ?: hft_copy_out(arg, size, stats, sizeof(*stats));
}

/*
 * The timekeeper gives the counter with CLOCK_REALTIME; what lies between that
 * and CLOCK_MONOTONIC is read around it, until it is the same before and after.
 */
static long hft_ioc_clock(unsigned long arg, size_t size)
{
	struct system_time_snapshot snapshot;
	struct hft_clock_pair pair = {};
	u64 offset;

	do {
		offset = hft_clock_from_monotonic(HFT_CLOCK_REALTIME, 0);
		pair.realtime = ktime_to_ns(hft_snapshot_real(&snapshot));
	} while (offset != hft_clock_from_monotonic(HFT_CLOCK_REALTIME, 0));

	pair.cycles = snapshot.cycles;
	pair.monotonic = pair.realtime - offset;
	pair.was_set = snapshot.clock_was_set_seq;
	return hft_copy_out(arg, size, &pair, sizeof(pair));
}

union hft_ioc_arg {
	struct hft_setup setup;
	struct hft_ring_add ring_add;
	struct hft_stats stats;
	struct hft_submit submit;
	struct hft_submit_batch batch;
	struct hft_cancel cancel;
	struct hft_modify modify;
	struct hft_arrival arrival;
	struct hft_task_info task_info;
	struct hft_halt halt;
	struct hft_ring_set ring_set;
	struct hft_class_info class_info;
	struct hft_sink_info sink_info;
	struct hft_meter_set meter_set;
	struct hft_hist_info hist_info;
	struct hft_lead_info lead_info;
	struct hft_rule rule;
	struct hft_rule_info rule_info;
	struct hft_pmu pmu;
};

/* How much of a command's argument this kernel reads; 0: none of it. */
static size_t hft_ioc_arg_size(unsigned int op)
{
	switch (op) {
	case HFT_IOC_SETUP & ~IOCSIZE_MASK:
		return sizeof(struct hft_setup);
	case HFT_IOC_RING_ADD & ~IOCSIZE_MASK:
		return sizeof(struct hft_ring_add);
	case HFT_IOC_STATS & ~IOCSIZE_MASK:
		return sizeof(struct hft_stats);
	case HFT_IOC_SUBMIT & ~IOCSIZE_MASK:
		return sizeof(struct hft_submit);
	case HFT_IOC_SUBMIT_BATCH & ~IOCSIZE_MASK:
		return sizeof(struct hft_submit_batch);
	case HFT_IOC_CANCEL & ~IOCSIZE_MASK:
		return sizeof(struct hft_cancel);
	case HFT_IOC_MODIFY & ~IOCSIZE_MASK:
		return sizeof(struct hft_modify);
	case HFT_IOC_RELEASE & ~IOCSIZE_MASK:
		return sizeof(struct hft_arrival);
	case HFT_IOC_TASK & ~IOCSIZE_MASK:
		return sizeof(struct hft_task_info);
	case HFT_IOC_HALT & ~IOCSIZE_MASK:
		return sizeof(struct hft_halt);
	case HFT_IOC_RING_SET & ~IOCSIZE_MASK:
		return sizeof(struct hft_ring_set);
	case HFT_IOC_CLASS & ~IOCSIZE_MASK:
		return sizeof(struct hft_class_info);
	case HFT_IOC_SINK & ~IOCSIZE_MASK:
		return sizeof(struct hft_sink_info);
	case HFT_IOC_METER & ~IOCSIZE_MASK:
		return sizeof(struct hft_meter_set);
	case HFT_IOC_HIST & ~IOCSIZE_MASK:
		return sizeof(struct hft_hist_info);
	case HFT_IOC_LEAD & ~IOCSIZE_MASK:
		return sizeof(struct hft_lead_info);
	case HFT_IOC_RULE & ~IOCSIZE_MASK:
		return sizeof(struct hft_rule);
	case HFT_IOC_RULE_INFO & ~IOCSIZE_MASK:
		return sizeof(struct hft_rule_info);
	case HFT_IOC_PMU & ~IOCSIZE_MASK:
		return sizeof(struct hft_pmu);
	default:
		return 0;
	}
}

static long hft_context_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hft_context *context = file->private_data;
	unsigned int op = cmd & ~IOCSIZE_MASK;
	size_t usize = _IOC_SIZE(cmd);
	size_t ksize = hft_ioc_arg_size(op);
	union hft_ioc_arg u;
	int err;

	if (ksize) {
		err = copy_struct_from_user(&u, ksize, (void __user *)arg, usize);
		if (err)
			return err;
	}

	switch (op) {
	case HFT_IOC_QUERY & ~IOCSIZE_MASK:
		return hft_ioc_query(arg, usize);
	case HFT_IOC_CLOCK & ~IOCSIZE_MASK:
		return hft_ioc_clock(arg, usize);
	case HFT_IOC_SETUP & ~IOCSIZE_MASK:
		return hft_ioc_setup(context, &u.setup);
	case HFT_IOC_RING_ADD & ~IOCSIZE_MASK:
		return hft_ioc_ring_add(context, &u.ring_add, arg, usize);
	case HFT_IOC_STATS & ~IOCSIZE_MASK:
		return hft_ioc_stats(context, &u.stats, arg, usize);
	case HFT_IOC_SUBMIT & ~IOCSIZE_MASK:
		return hft_submit(context, &u.submit);
	case HFT_IOC_SUBMIT_BATCH & ~IOCSIZE_MASK:
		return hft_submit_batch(context, &u.batch);
	case HFT_IOC_CANCEL & ~IOCSIZE_MASK:
		return hft_cancel(context, &u.cancel);
	case HFT_IOC_MODIFY & ~IOCSIZE_MASK:
		return hft_modify(context, &u.modify);
	case HFT_IOC_RELEASE & ~IOCSIZE_MASK:
		return hft_arrive(context, &u.arrival);
	case HFT_IOC_TASK & ~IOCSIZE_MASK:
		err = hft_task_info(context, &u.task_info);
		return err ?: hft_copy_out(arg, usize, &u.task_info, sizeof(u.task_info));
	case HFT_IOC_HALT & ~IOCSIZE_MASK:
		err = hft_halt(context, &u.halt);
		return err ?: hft_copy_out(arg, usize, &u.halt, sizeof(u.halt));
	case HFT_IOC_RING_SET & ~IOCSIZE_MASK:
		return hft_ring_set(context, &u.ring_set);
	case HFT_IOC_CLASS & ~IOCSIZE_MASK:
		err = hft_class_info(context, &u.class_info);
		return err ?: hft_copy_out(arg, usize, &u.class_info, sizeof(u.class_info));
	case HFT_IOC_SINK & ~IOCSIZE_MASK:
		err = hft_sink_info(&u.sink_info);
		return err ?: hft_copy_out(arg, usize, &u.sink_info, sizeof(u.sink_info));
	case HFT_IOC_METER & ~IOCSIZE_MASK:
		return hft_meter_set(context, &u.meter_set);
	case HFT_IOC_HIST & ~IOCSIZE_MASK:
		err = hft_hist_read(context, &u.hist_info);
		return err ?: hft_copy_out(arg, usize, &u.hist_info, sizeof(u.hist_info));
	case HFT_IOC_LEAD & ~IOCSIZE_MASK:
		err = hft_lead_info(context, &u.lead_info);
		return err ?: hft_copy_out(arg, usize, &u.lead_info, sizeof(u.lead_info));
	case HFT_IOC_RULE & ~IOCSIZE_MASK:
		return hft_rule_set(context, &u.rule);
	case HFT_IOC_RULE_INFO & ~IOCSIZE_MASK:
		err = hft_rule_info(context, &u.rule_info);
		return err ?: hft_copy_out(arg, usize, &u.rule_info, sizeof(u.rule_info));
	case HFT_IOC_PMU & ~IOCSIZE_MASK:
		err = hft_pmu(context, &u.pmu);
		return err ?: hft_copy_out(arg, usize, &u.pmu, sizeof(u.pmu));
	default:
		return -ENOTTY;
	}
}

const struct file_operations hft_context_fops = {
	.owner = THIS_MODULE,
	.open = hft_context_open,
	.release = hft_context_release,
	.unlocked_ioctl = hft_context_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = hft_uring_cmd,
	.fasync = hft_context_fasync,
	.show_fdinfo = hft_context_show_fdinfo,
	.llseek = noop_llseek,
};
