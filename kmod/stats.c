// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: of a context by ioctl, of a file by fdinfo, of the module by sysfs.
 */
#include <linux/device.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>

#include "hft.h"

void hft_counters_add(struct hft_counters *sum, const struct hft_counters *counters)
{
	int i;

	sum->submitted += counters->submitted;
	sum->dispatched += counters->dispatched;
	sum->cancelled += counters->cancelled;
	sum->ended += counters->ended;
	sum->wakeups += counters->wakeups;
	sum->full += counters->full;
	sum->bad_head += counters->bad_head;
	sum->overruns += counters->overruns;
	sum->deadline_misses += counters->deadline_misses;
	sum->lead_changes += counters->lead_changes;
	for (i = 0; i < HFT_ANOMALIES; i++)
		sum->anomalies[i] += counters->anomalies[i];
	for (i = 0; i < HFT_RESPONSES; i++)
		sum->responses[i] += counters->responses[i];
}

static void hft_stats_add_ring(struct hft_stats *stats, struct hft_ring *ring)
{
	raw_spin_lock_irq(&ring->queue->lock);
	hft_ready_stats(&ring->ready, stats);
	raw_spin_unlock_irq(&ring->queue->lock);
}

int hft_stats_read(struct hft_context *context, struct hft_stats *stats)
{
	u32 number = stats->ring;
	struct hft_ring *ring;
	int i, err = 0;

	if (stats->flags)
		return -EINVAL;
	if (number != HFT_STATS_CONTEXT && number >= HFT_MAX_RINGS)
		return -ENOENT;

	memset(stats, 0, sizeof(*stats));
	stats->ring = number;
	stats->tasks = context->pool.nr;
	stats->tasks_free = hft_slots_count_free(context);
	stats->clock_faults = READ_ONCE(context->clock_faults);
	stats->tsc = hft_clock_is_tsc();

	mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		ring = hft_context_ring(context, i);
		if (ring && (number == HFT_STATS_CONTEXT || number == i))
			hft_stats_add_ring(stats, ring);
		else if (!ring && number == i)
			err = -ENOENT;
	}
	mutex_unlock(&context->mutex);
	return err;
}

int hft_class_info(struct hft_context *context, struct hft_class_info *info)
{
	struct hft_ring *ring;
	int err = -ENOENT;

	if (!hft_class_info_valid(info))
		return -EINVAL;
	mutex_lock(&context->mutex);
	ring = hft_context_ring(context, info->ring);
	if (ring) {
		raw_spin_lock_irq(&ring->queue->lock);
		err = hft_ready_class_info(&ring->ready, info, hft_queue_now(ring->queue));
		hft_queue_commit(ring->queue);
		raw_spin_unlock_irq(&ring->queue->lock);
	}
	mutex_unlock(&context->mutex);
	return err;
}

void hft_context_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct hft_context *context = file->private_data;

	seq_printf(m, "hft-tasks:\t%u\n", READ_ONCE(context->pool.nr));
	seq_printf(m, "hft-tasks-free:\t%u\n", hft_slots_count_free(context));
}

void hft_ring_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct hft_ring *ring = file->private_data;
	struct hft_stats stats = {};

	hft_stats_add_ring(&stats, ring);
	seq_printf(m, "hft-ring:\t%u\n", ring->ready.number);
	seq_printf(m, "hft-cpu:\t%d\n", ring->queue->cpu);
	seq_printf(m, "hft-entries:\t%u\n", ring->ready.mask + 1);
	seq_printf(m, "hft-window:\t%u\n", ring->ready.window);
	seq_printf(m, "hft-policy:\t%u\n", ring->ready.policy);
	seq_printf(m, "hft-lead-ns:\t%llu\n", ring->ready.lead);
	seq_printf(m, "hft-flags:\t%u\n", READ_ONCE(ring->ready.producer->flags));
	seq_printf(m, "hft-head:\t%u\n", READ_ONCE(ring->ready.consumer->head));
	seq_printf(m, "hft-tail:\t%u\n", READ_ONCE(ring->ready.producer->tail));
	seq_printf(m, "hft-waiting:\t%llu\n", stats.waiting);
	seq_printf(m, "hft-ready:\t%llu\n", stats.ready);
	seq_printf(m, "hft-submitted:\t%llu\n", stats.submitted);
	seq_printf(m, "hft-dispatched:\t%llu\n", stats.dispatched);
	seq_printf(m, "hft-cancelled:\t%llu\n", stats.cancelled);
}

static int events_show_rules(const struct hft_counters *sum, char *buf, int at)
{
	return sysfs_emit_at(buf, at,
			     "anomaly_spikes %llu\nanomaly_shifts %llu\nanomaly_drifts %llu\n"
			     "anomaly_stalls %llu\nanomaly_bursts %llu\n"
			     "anomaly_interference %llu\nanomaly_clocks %llu\n"
			     "responses_applied %llu\nresponses_undone %llu\n"
			     "responses_dry_applied %llu\nresponses_dry_undone %llu\n"
			     "responses_withheld %llu\n",
			     sum->anomalies[HFT_ANOMALY_SPIKE], sum->anomalies[HFT_ANOMALY_SHIFT],
			     sum->anomalies[HFT_ANOMALY_DRIFT], sum->anomalies[HFT_ANOMALY_STALL],
			     sum->anomalies[HFT_ANOMALY_BURST],
			     sum->anomalies[HFT_ANOMALY_INTERFERENCE],
			     sum->anomalies[HFT_ANOMALY_CLOCK],
			     sum->responses[HFT_RESPONSE_APPLIED],
			     sum->responses[HFT_RESPONSE_UNDONE],
			     sum->responses[HFT_RESPONSE_DRY_APPLIED],
			     sum->responses[HFT_RESPONSE_DRY_UNDONE],
			     sum->responses[HFT_RESPONSE_WITHHELD]);
}

/* One NAME value a line, summed over the CPUs; rings that are gone count on. */
static ssize_t events_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hft_counters sum = {};
	u64 interrupts = 0, kicks = 0, rings = 0;
	struct hft_ring *ring;
	int cpu, len;

	for_each_possible_cpu(cpu) {
		struct hft_queue *queue = per_cpu_ptr(&hft_queues, cpu);

		mutex_lock(&queue->mutex);
		hft_counters_add(&sum, &queue->closed);
		list_for_each_entry(ring, &queue->rings, link) {
			raw_spin_lock_irq(&queue->lock);
			hft_counters_add(&sum, &ring->ready.counters);
			raw_spin_unlock_irq(&queue->lock);
			rings++;
		}
		interrupts += READ_ONCE(queue->interrupts);
		kicks += READ_ONCE(queue->kicks);
		mutex_unlock(&queue->mutex);
	}

	len = sysfs_emit(buf,
			 "rings %llu\nsubmitted %llu\ndispatched %llu\ncancelled %llu\n"
			 "ended %llu\nwakeups %llu\nfull %llu\nbad_head %llu\n"
			 "overruns %llu\ndeadline_misses %llu\ninterrupts %llu\nkicks %llu\n"
			 "clock_steps %llu\nclocksource_changes %llu\ntsc_unstable %llu\n"
			 "late_timers %llu\nlead_changes %llu\n"
			 "interference %llu\ninterference_ns %llu\n",
			 rings, sum.submitted, sum.dispatched, sum.cancelled, sum.ended,
			 sum.wakeups, sum.full, sum.bad_head, sum.overruns,
			 sum.deadline_misses, interrupts, kicks,
			 hft_clock_faults(HFT_FAULT_STEP),
			 hft_clock_faults(HFT_FAULT_CLOCKSOURCE),
			 hft_clock_faults(HFT_FAULT_TSC), hft_clock_faults(HFT_FAULT_LATE),
			 sum.lead_changes, hft_interference_count(), hft_interference_ns());
	return len + events_show_rules(&sum, buf, len);
}
static DEVICE_ATTR_RO(events);

static struct attribute *hft_attrs[] = {
	&dev_attr_events.attr,
	NULL
};

static const struct attribute_group hft_group = {
	.attrs = hft_attrs,
};

const struct attribute_group *hft_groups[] = {
	&hft_group,
	NULL
};
