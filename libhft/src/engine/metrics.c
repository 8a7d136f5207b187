// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the kernel has counted for a ring's events. */
#include <errno.h>
#include <hft/metrics.h>

#include "internal.h"

/**
 * hft_pmu() - choose the counters of rings with %HFT_RING_METRICS, or read a CPU's sums
 * @h: handle
 * @pmu: as %HFT_IOC_PMU has it; the answer
 *
 * Once for a handle, before its first such ring.  Where hft_backend() is not "kernel" there
 * are no counters: the answer is that none is valid.  Enters the kernel.  Any thread.
 *
 * Return: 0, or -EPERM without CAP_PERFMON, -EALREADY they are chosen, -EINVAL a field is out
 * of range or nothing to read was chosen, -EOPNOTSUPP one is not the CPU's own, -ENOMEM.
 */
HFT_API int hft_pmu(struct hft *h, struct hft_pmu *pmu)
{
	int err = h->backend->command(h, HFT_IOC_PMU, pmu);

	if (err == -ENOTTY) {
		pmu->valid = 0;
		pmu->metrics_valid = 0;
		pmu->metrics = (struct hft_metrics_sum){ 0 };
		return 0;
	}
	if (err == -EPERM)
		return hft_fail(EPERM, "counters of a CPU need CAP_PERFMON");
	return err ? hft_fail(-err, "%u counters of CPU %u", pmu->nr, pmu->cpu) : 0;
}

/**
 * hft_ring_metrics() - what the CPU has counted for an event
 * @ring: ring with %HFT_RING_METRICS
 * @sequence: of the event
 * @metrics: the answer
 *
 * They are there when the event has been consumed and the kernel has seen it, as it does at
 * the next hft_wait(), until so many more events were that they are the ring's entries.
 * Wait-free; does not enter the kernel.  Any thread.
 *
 * Return: 0, or -EAGAIN they are not there yet, or no more; -EOPNOTSUPP the ring has none.
 */
HFT_API int hft_ring_metrics(const struct hft_ring *ring, uint64_t sequence,
			     struct hft_metrics *metrics)
{
	const struct hft_metrics *from;
	uint32_t i;

	if (!ring->metrics)
		return -EOPNOTSUPP;
	from = &ring->metrics[sequence & ring->mask];
	/* Pairs with the kernel's release: it is written before. */
	metrics->sequence = __atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE);
	metrics->valid = __atomic_load_n(&from->valid, __ATOMIC_RELAXED);
	metrics->events = __atomic_load_n(&from->events, __ATOMIC_RELAXED);
	for (i = 0; i < HFT_METRICS; i++)
		metrics->counts[i] = __atomic_load_n(&from->counts[i], __ATOMIC_RELAXED);
	metrics->reserved[0] = 0;
	metrics->reserved[1] = 0;
	/* The rest before that: pairs with the kernel's write barrier. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (metrics->sequence != sequence + 1 ||
	    __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) != sequence + 1)
		return -EAGAIN;
	return 0;
}
