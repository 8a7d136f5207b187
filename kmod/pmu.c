// SPDX-License-Identifier: GPL-2.0-only
/*
 * Performance counters for rings with HFT_RING_METRICS: a set of them for each CPU and
 * choice, for all rings there that want it.
 *
 * perf's own functions to create and release a counter sleep, and may take the CPU hotplug
 * lock: hft_pmu_lock is never taken with that held.  A CPU that goes offline takes its
 * counters with it, and when it is back a work item makes new ones.
 *
 * perf has no function for modules that reads a counter in an interrupt: hft_pmu_read()
 * is what perf_event_read_local() does.  What is read is under the queue's lock, so
 * interrupts are off and the counters stay.
 */
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "hft.h"

/* The counters of a choice on a CPU. */
struct hft_pmu_set {
	struct list_head link;		/* in hft_pmu_sets; as is @refs under its lock */
	u32 refs;
	struct hft_queue *queue;	/* of the CPU */
	struct hft_pmu_choice choice;

	/* Protected by the queue's lock. */
	struct hft_metrics_reader source;
	struct perf_event *events[HFT_METRICS];	/* NULL: there is none */
	u64 base[HFT_METRICS];		/* what those before had counted when last read */
	u64 last[HFT_METRICS];
};

static DEFINE_MUTEX(hft_pmu_lock);
static LIST_HEAD(hft_pmu_sets);
static struct cpumask hft_pmu_returned;	/* CPUs that were offline */
static bool hft_pmu_present __ro_after_init;

static const struct hft_pmu_choice hft_pmu_defaults = {
	.nr = HFT_METRICS,
	.type = { PERF_TYPE_HARDWARE, PERF_TYPE_HARDWARE, PERF_TYPE_HARDWARE,
		  PERF_TYPE_HARDWARE },
	.config = { PERF_COUNT_HW_CACHE_REFERENCES, PERF_COUNT_HW_CACHE_MISSES,
		    PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS },
};

/* Does @event count on the CPU of @set? */
static bool hft_pmu_counts(const struct hft_pmu_set *set, const struct perf_event *event)
{
	return event && READ_ONCE(event->oncpu) == set->queue->cpu;
}

/* Those that can be read are on this CPU. */
static void hft_pmu_read(struct hft_metrics_reader *source, struct hft_metrics_sample *sample)
{
	struct hft_pmu_set *set = container_of(source, struct hft_pmu_set, source);
	u32 i;

	lockdep_assert_held(&set->queue->lock);

	sample->valid = 0;
	if (set->queue->cpu != smp_processor_id())
		return;
	for (i = 0; i < set->choice.nr; i++) {
		struct perf_event *event = set->events[i];

		if (!hft_pmu_counts(set, event))
			continue;
		event->pmu->read(event);
		set->last[i] = set->base[i] + local64_read(&event->count);
		sample->counts[i] = set->last[i];
		sample->valid |= BIT(i);
	}
}

/*
 * A PMU that counts tasks is read at each context switch: a few registers.  One that does
 * not is a device of its own, beside the CPUs, and what it takes to ask that is not known.
 */
static bool hft_pmu_is_quick(const struct perf_event *event)
{
	return event->pmu->task_ctx_nr != perf_invalid_context;
}

/* Some count for several CPUs on one of them, and of one that found no counter nothing comes. */
static bool hft_pmu_usable(const struct perf_event *event, int cpu)
{
	return event->cpu == cpu && READ_ONCE(event->state) != PERF_EVENT_STATE_ERROR;
}

/* Returns NULL where there is none to be had, and -EOPNOTSUPP if it must not be read here. */
static struct perf_event *hft_pmu_create_event(u32 type, u64 config, int cpu)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.pinned = 1,
	};
	struct perf_event *event = perf_event_create_kernel_counter(&attr, cpu, NULL, NULL, NULL);
	bool quick;

	if (IS_ERR(event))
		return NULL;
	quick = hft_pmu_is_quick(event);
	if (quick && hft_pmu_usable(event, cpu))
		return event;
	perf_event_release_kernel(event);
	return quick ? NULL : ERR_PTR(-EOPNOTSUPP);
}

/* Make the counters of a set, new ones if there were some: 0, or -EOPNOTSUPP. */
static int hft_pmu_renew(struct hft_pmu_set *set)
{
	struct perf_event *events[HFT_METRICS] = {};
	int err = 0;
	u32 i;

	lockdep_assert_held(&hft_pmu_lock);

	for (i = 0; i < set->choice.nr; i++) {
		events[i] = hft_pmu_create_event(set->choice.type[i], set->choice.config[i],
						 set->queue->cpu);
		if (IS_ERR(events[i])) {
			err = PTR_ERR(events[i]);
			events[i] = NULL;
		}
	}
	raw_spin_lock_irq(&set->queue->lock);
	for (i = 0; i < HFT_METRICS; i++) {
		set->base[i] = set->last[i];
		swap(set->events[i], events[i]);
	}
	raw_spin_unlock_irq(&set->queue->lock);
	for (i = 0; i < HFT_METRICS; i++) {
		if (events[i])
			perf_event_release_kernel(events[i]);
	}
	return err;
}

static void hft_pmu_renew_returned(struct work_struct *work)
{
	struct hft_pmu_set *set;
	int cpu;

	mutex_lock(&hft_pmu_lock);
	for_each_possible_cpu(cpu) {
		if (!cpumask_test_and_clear_cpu(cpu, &hft_pmu_returned))
			continue;
		list_for_each_entry(set, &hft_pmu_sets, link) {
			if (set->queue->cpu == cpu)
				hft_pmu_renew(set);
		}
	}
	mutex_unlock(&hft_pmu_lock);
}

static DECLARE_WORK(hft_pmu_work, hft_pmu_renew_returned);

/* With the CPU hotplug lock held. */
void hft_pmu_cpu_online(int cpu)
{
	cpumask_set_cpu(cpu, &hft_pmu_returned);
	schedule_work(&hft_pmu_work);
}

static struct hft_pmu_set *hft_pmu_find(const struct hft_queue *queue,
					const struct hft_pmu_choice *choice)
{
	struct hft_pmu_set *set;

	lockdep_assert_held(&hft_pmu_lock);

	list_for_each_entry(set, &hft_pmu_sets, link) {
		if (set->queue == queue && !memcmp(&set->choice, choice, sizeof(*choice)))
			return set;
	}
	return NULL;
}

static void hft_pmu_destroy(struct hft_pmu_set *set)
{
	u32 i;

	list_del(&set->link);
	for (i = 0; i < HFT_METRICS; i++) {
		if (set->events[i])
			perf_event_release_kernel(set->events[i]);
	}
	kfree(set);
}

static struct hft_pmu_set *hft_pmu_create(struct hft_queue *queue,
					  const struct hft_pmu_choice *choice)
{
	struct hft_pmu_set *set = kzalloc_node(sizeof(*set), GFP_KERNEL_ACCOUNT,
					       cpu_to_node(queue->cpu));
	int err;

	if (!set)
		return ERR_PTR(-ENOMEM);
	set->queue = queue;
	set->choice = *choice;
	set->source.read = hft_pmu_read;
	list_add_tail(&set->link, &hft_pmu_sets);
	err = hft_pmu_renew(set);
	if (!err)
		return set;
	hft_pmu_destroy(set);
	return ERR_PTR(err);
}

/*
 * Counters of a CPU; those that are not to be had are never valid.  -ENOMEM, or -EOPNOTSUPP:
 * there is one that must not be read in an interrupt.
 */
static struct hft_metrics_reader *hft_pmu_get(struct hft_queue *queue,
					      const struct hft_pmu_choice *choice)
{
	struct hft_pmu_set *set;

	mutex_lock(&hft_pmu_lock);
	set = hft_pmu_find(queue, choice) ?: hft_pmu_create(queue, choice);
	if (!IS_ERR(set))
		set->refs++;
	mutex_unlock(&hft_pmu_lock);
	return IS_ERR(set) ? ERR_CAST(set) : &set->source;
}

/* Nobody reads @source any more. */
static void hft_pmu_put(struct hft_metrics_reader *source)
{
	struct hft_pmu_set *set = container_of(source, struct hft_pmu_set, source);

	mutex_lock(&hft_pmu_lock);
	if (!--set->refs)
		hft_pmu_destroy(set);
	mutex_unlock(&hft_pmu_lock);
}

/* What hft_pmu_attach() allocates for a ring. */
size_t hft_pmu_size(const struct hft_ring *ring)
{
	return ring->flags & HFT_RING_METRICS ? sizeof(struct hft_ready_metrics) : 0;
}

/**
 * hft_pmu_attach() - let a ring have the counters of its context on its CPU
 * @ring: nobody else knows it yet; it has its shared pages
 *
 * Without %HFT_RING_METRICS it does nothing.
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP: the CPU was offline when they were chosen, and has one
 * that is not for interrupts.  With an error hft_pmu_detach() too.
 */
int hft_pmu_attach(struct hft_ring *ring)
{
	struct hft_metrics_reader *source;
	struct hft_ready_metrics *metrics;

	if (!hft_pmu_size(ring))
		return 0;
	metrics = kvzalloc_node(hft_pmu_size(ring), GFP_KERNEL_ACCOUNT,
				cpu_to_node(ring->queue->cpu));
	if (!metrics)
		return -ENOMEM;
	ring->ready.metrics = metrics;
	metrics->events = (void *)ring->ready.producer + hft_ring_metrics_off(ring);
	hft_ready_hook(&ring->ready);
	source = hft_pmu_get(ring->queue, &ring->context->pmu);
	if (IS_ERR(source))
		return PTR_ERR(source);
	metrics->source = source;
	return 0;
}

/* Nobody else knows @ring any more. */
void hft_pmu_detach(struct hft_ring *ring)
{
	struct hft_ready_metrics *metrics = ring->ready.metrics;

	if (metrics && metrics->source)
		hft_pmu_put(metrics->source);
	kvfree(metrics);
}

static void hft_pmu_begin(struct hft_pmu *pmu, const struct hft_pmu_choice *choice)
{
	*pmu = (struct hft_pmu){
		.flags = pmu->flags, .cpu = pmu->cpu, .index = pmu->index, .nr = choice->nr,
	};
	memcpy(pmu->type, choice->type, sizeof(pmu->type));
	memcpy(pmu->config, choice->config, sizeof(pmu->config));
}

static void hft_pmu_fill(struct hft_pmu *pmu, const struct hft_pmu_set *set)
{
	u32 i;

	lockdep_assert_held(&hft_pmu_lock);

	raw_spin_lock_irq(&set->queue->lock);
	for (i = 0; i < set->choice.nr; i++)
		pmu->valid |= hft_pmu_counts(set, set->events[i]) ? BIT(i) : 0;
	pmu->metrics = set->source.total.sum;
	pmu->metrics_valid = set->source.total.valid;
	raw_spin_unlock_irq(&set->queue->lock);
}

/* Fill in what there is on a CPU: zeroes, where no ring has these counters. */
static void hft_pmu_tell(struct hft_queue *queue, struct hft_pmu *pmu,
			 const struct hft_pmu_choice *choice)
{
	struct hft_pmu_set *set;

	hft_pmu_begin(pmu, choice);
	mutex_lock(&hft_pmu_lock);
	set = hft_pmu_find(queue, choice);
	if (set)
		hft_pmu_fill(pmu, set);
	mutex_unlock(&hft_pmu_lock);
}

/* Of whatever context: 0, or -EPERM or -ENOENT. */
static int hft_pmu_tell_any(struct hft_queue *queue, struct hft_pmu *pmu)
{
	u32 before = pmu->index;
	struct hft_pmu_set *set;
	int err = -ENOENT;

	if (!perfmon_capable())
		return -EPERM;
	mutex_lock(&hft_pmu_lock);
	list_for_each_entry(set, &hft_pmu_sets, link) {
		if (set->queue != queue || before--)
			continue;
		hft_pmu_begin(pmu, &set->choice);
		hft_pmu_fill(pmu, set);
		err = 0;
		break;
	}
	mutex_unlock(&hft_pmu_lock);
	return err;
}

/* What it is to count is a task's, a page's or an address's, and no CPU's. */
static bool hft_pmu_is_counter(u32 type)
{
	return type != PERF_TYPE_TRACEPOINT && type != PERF_TYPE_BREAKPOINT;
}

static int hft_pmu_read_choice(const struct hft_pmu *pmu, struct hft_pmu_choice *choice)
{
	u32 i;

	if (!pmu->nr) {
		*choice = hft_pmu_defaults;
		return 0;
	}
	memset(choice, 0, sizeof(*choice));
	choice->nr = pmu->nr;
	for (i = 0; i < pmu->nr; i++) {
		if (!hft_pmu_is_counter(pmu->type[i]))
			return -EINVAL;
		choice->type[i] = pmu->type[i];
		choice->config[i] = pmu->config[i];
	}
	return 0;
}

/* Choose the counters, and try them out on @queue's CPU. */
static int hft_pmu_choose(struct hft_context *context, struct hft_pmu *pmu,
			  struct hft_queue *queue)
{
	struct hft_metrics_reader *source;
	struct hft_pmu_choice choice;
	int err = hft_pmu_read_choice(pmu, &choice);

	if (err)
		return err;
	if (!perfmon_capable())
		return -EPERM;
	if (context->pmu.nr)
		return -EALREADY;
	source = hft_pmu_get(queue, &choice);
	if (IS_ERR(source))
		return PTR_ERR(source);
	context->pmu = choice;
	hft_pmu_tell(queue, pmu, &choice);
	hft_pmu_put(source);
	return 0;
}

/**
 * hft_pmu() - HFT_IOC_PMU
 * @context: whose file it is
 * @pmu: the request, and its answer
 *
 * Return: 0, or an error of &struct hft_pmu.
 */
int hft_pmu(struct hft_context *context, struct hft_pmu *pmu)
{
	struct hft_queue *queue;
	int err = 0;

	if (!hft_pmu_valid(pmu) || pmu->cpu >= nr_cpu_ids || !cpu_possible(pmu->cpu))
		return -EINVAL;
	queue = per_cpu_ptr(&hft_queues, array_index_nospec(pmu->cpu, nr_cpu_ids));
	if (pmu->flags & HFT_PMU_GLOBAL)
		return hft_pmu_tell_any(queue, pmu);

	mutex_lock(&context->mutex);
	if (!(pmu->flags & HFT_PMU_READ))
		err = hft_pmu_choose(context, pmu, queue);
	else if (context->pmu.nr)
		hft_pmu_tell(queue, pmu, &context->pmu);
	else
		err = -EINVAL;
	mutex_unlock(&context->mutex);
	return err;
}

/* Does the machine have counters?  One that is in use is there too. */
bool hft_pmu_is_present(void)
{
	return hft_pmu_present;
}

void __init hft_pmu_init(void)
{
	struct perf_event *event = hft_pmu_create_event(PERF_TYPE_HARDWARE,
							PERF_COUNT_HW_CPU_CYCLES,
							cpumask_first(cpu_online_mask));

	hft_pmu_present = !IS_ERR_OR_NULL(event);
	if (hft_pmu_present)
		perf_event_release_kernel(event);
}

/* All sets are gone, and no CPU comes back any more. */
void hft_pmu_exit(void)
{
	cancel_work_sync(&hft_pmu_work);
}
