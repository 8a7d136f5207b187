/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the counters share: kmod/samples/hft_test_pmu.c, and rings that read it. */
#ifndef HFT_TEST_PMU_H
#define HFT_TEST_PMU_H

#include <linux/perf_event.h>

#include "hft_test.h"

#define PMU_KO		"/samples/hft_test_pmu.ko"
#define PMU_SYS		"/sys/module/hft_test_pmu/"
#define PMU_READS	4	/* the event that counts how often it is read */

static inline int pmu_load(void)
{
	int err = hft_test_insmod(PMU_KO, "");

	return err == -EEXIST ? 0 : err;
}

static inline int pmu_unload(void)
{
	return hft_test_rmmod("hft_test_pmu");
}

/* How many events of it there are. */
static inline int pmu_events(void)
{
	char text[16];
	int err = hft_test_read_file(PMU_SYS "refcnt", text, sizeof(text));

	return err ? err : atoi(text);
}

/* perf frees an event after a grace period. */
static inline int pmu_await_events(int nr)
{
	uint64_t end = hft_test_now() + 30 * NSEC_PER_SEC;

	while (pmu_events() != nr && hft_test_now() < end)
		hft_test_sleep(NSEC_PER_MSEC);
	return pmu_events();
}

/* Let counter n stand at @value times n plus one, on CPU 0. */
static inline int pmu_set(uint64_t value)
{
	char text[128];

	snprintf(text, sizeof(text), "%llu,%llu,%llu,%llu", (unsigned long long)value,
		 (unsigned long long)value * 2, (unsigned long long)value * 3,
		 (unsigned long long)value * 4);
	return hft_test_write_file(PMU_SYS "parameters/values", text);
}

/* What counter @n of @cpu counts when pmu_set() goes up by @by. */
static inline uint64_t pmu_expected(uint32_t cpu, uint32_t n, uint64_t by)
{
	return by * (n + 1) * (cpu + 1);
}

/* The events of @mask find no counter. */
static inline int pmu_set_fail(uint32_t mask)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", mask);
	return hft_test_write_file(PMU_SYS "parameters/fail", text);
}

static inline int pmu_type_of(const char *name)
{
	char path[96], text[16];
	int err;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", name);
	err = hft_test_read_file(path, text, sizeof(text));
	return err ? err : atoi(text);
}

static inline int pmu_type(void)
{
	return pmu_type_of("hft_test");
}

/* All four counters of the test's PMU. */
static inline struct hft_pmu pmu_choice(uint32_t cpu)
{
	struct hft_pmu pmu = { .cpu = cpu, .nr = HFT_METRICS };
	uint32_t i;

	for (i = 0; i < HFT_METRICS; i++) {
		pmu.type[i] = pmu_type();
		pmu.config[i] = i;
	}
	return pmu;
}

static inline int pmu_choose(int context, uint32_t cpu)
{
	struct hft_pmu pmu = pmu_choice(cpu);

	return hft_test_ioctl(context, HFT_IOC_PMU, &pmu);
}

static inline int pmu_read(int context, uint32_t cpu, struct hft_pmu *pmu)
{
	*pmu = (struct hft_pmu){ .flags = HFT_PMU_READ, .cpu = cpu };
	return hft_test_ioctl(context, HFT_IOC_PMU, pmu);
}

/* A ring with metrics, and reports where @flags has that. */
static inline int pmu_ring(int context, uint32_t cpu, uint32_t entries, uint32_t flags,
			   struct hft_test_ring *ring)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.cpu = cpu;
	add.entries = entries;
	add.window = entries;
	add.flags = HFT_RING_METRICS | flags;
	return hft_test_ring_make(context, &add, ring);
}

/* What is told of event @sequence, if it is. */
static inline bool pmu_metrics(const struct hft_test_ring *ring, uint64_t sequence,
			       struct hft_metrics *metrics)
{
	const struct hft_metrics *from = (const void *)((const char *)ring->producer +
							ring->add.metrics_off);

	from += sequence & (ring->add.entries - 1);
	if (__atomic_load_n(&from->sequence, __ATOMIC_ACQUIRE) != sequence + 1)
		return false;
	*metrics = *(const volatile struct hft_metrics *)from;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&from->sequence, __ATOMIC_RELAXED) == sequence + 1;
}

static inline int pmu_submit(int context, const struct hft_test_ring *ring, uint8_t task_class)
{
	struct hft_task task = hft_test_task(ring->add.ring, 0, 0);

	task.task_class = task_class;
	return hft_test_submit(context, &task, NULL);
}

/* Have the kernel look at what was consumed. */
static inline void pmu_look(const struct hft_test_ring *ring)
{
	hft_test_wait(ring, 0);
}

#endif /* HFT_TEST_PMU_H */
