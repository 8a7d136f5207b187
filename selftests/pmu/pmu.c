// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the counters of a CPU have counted for the events of a ring, to the last one: by a
 * PMU whose counters stand where the test sets them.
 */
#include <grp.h>

#include "kselftest_harness.h"
#include "pmu.h"

#define TASKS	64
#define BY	1000ULL

FIXTURE(pmu) {
	uint32_t cpu;
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(pmu)
{
	self->cpu = hft_test_cpus() - 1;
	ASSERT_EQ(0, hft_test_pin(self->cpu));
	ASSERT_EQ(0, pmu_load());
	ASSERT_EQ(0, pmu_set_fail(0));
	ASSERT_EQ(0, pmu_set(0));
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, pmu_choose(self->context, self->cpu));
	ASSERT_EQ(0, pmu_ring(self->context, self->cpu, 16, HFT_RING_REPORT, &self->ring));
}

FIXTURE_TEARDOWN(pmu)
{
	pmu_set_fail(0);
	hft_test_ring_close(&self->ring);
	close(self->context);
	EXPECT_EQ(0, pmu_await_events(0));
	EXPECT_EQ(0, pmu_unload());
}

#define EXPECT_COUNTS(cpu, by, counts) do {						\
	uint32_t n_;									\
											\
	for (n_ = 0; n_ < HFT_METRICS; n_++)						\
		EXPECT_EQ(pmu_expected(cpu, n_, by), (counts)[n_]);			\
} while (0)

static struct hft_class_info class_info(int context, uint32_t ring, uint32_t task_class)
{
	struct hft_class_info info;

	memset(&info, 0xff, sizeof(info));
	info.ring = ring;
	info.task_class = task_class;
	info.reserved = 0;
	if (hft_test_ioctl(context, HFT_IOC_CLASS, &info))
		info.runs = UINT64_MAX;
	return info;
}

TEST_F(pmu, one_event_exactly)
{
	struct hft_metrics metrics = {};
	struct hft_class_info info;
	struct hft_event event;
	struct hft_stats stats;
	struct hft_pmu pmu;

	ASSERT_EQ(0, pmu_submit(self->context, &self->ring, 5));
	ASSERT_FALSE(pmu_metrics(&self->ring, 0, &metrics));
	ASSERT_EQ(0, pmu_set(BY));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_FALSE(pmu_metrics(&self->ring, 0, &metrics));
	pmu_look(&self->ring);
	ASSERT_TRUE(pmu_metrics(&self->ring, 0, &metrics));
	EXPECT_EQ(0xf, metrics.valid);
	EXPECT_EQ(1, metrics.events);
	EXPECT_COUNTS(self->cpu, BY, metrics.counts);
	EXPECT_EQ(0, metrics.reserved[0] | metrics.reserved[1]);

	/* While the ring is empty nothing is counted. */
	ASSERT_EQ(0, pmu_set(5 * BY));
	ASSERT_EQ(0, pmu_submit(self->context, &self->ring, 5));
	ASSERT_EQ(0, pmu_set(7 * BY));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	pmu_look(&self->ring);
	ASSERT_TRUE(pmu_metrics(&self->ring, 1, &metrics));
	EXPECT_COUNTS(self->cpu, 2 * BY, metrics.counts);
	ASSERT_TRUE(pmu_metrics(&self->ring, 0, &metrics));
	EXPECT_COUNTS(self->cpu, BY, metrics.counts);

	ASSERT_EQ(0, hft_test_stats(self->context, self->ring.add.ring, &stats));
	EXPECT_EQ(0xf, stats.metrics_valid);
	EXPECT_EQ(2, stats.metrics.runs);
	EXPECT_EQ(0, stats.metrics.unread);
	EXPECT_COUNTS(self->cpu, 3 * BY, stats.metrics.counts);
	info = class_info(self->context, self->ring.add.ring, 5);
	EXPECT_EQ(0xf, info.metrics_valid);
	EXPECT_EQ(2, info.metrics.runs);
	EXPECT_COUNTS(self->cpu, 3 * BY, info.metrics.counts);
	info = class_info(self->context, self->ring.add.ring, 4);
	EXPECT_EQ(0, info.metrics_valid);
	EXPECT_EQ(0, info.metrics.runs);
	ASSERT_EQ(0, pmu_read(self->context, self->cpu, &pmu));
	EXPECT_EQ(0xf, pmu.valid);
	EXPECT_EQ(HFT_METRICS, pmu.nr);
	EXPECT_EQ(3, pmu.config[3]);
	EXPECT_EQ(0xf, pmu.metrics_valid);
	EXPECT_EQ(2, pmu.metrics.runs);
	EXPECT_COUNTS(self->cpu, 3 * BY, pmu.metrics.counts);
	if (self->cpu) {
		ASSERT_EQ(0, pmu_read(self->context, 0, &pmu));
		EXPECT_EQ(0, pmu.valid | pmu.metrics_valid | pmu.metrics.runs);
	}
}

/* Each gets what was counted since the one before it was found to be consumed. */
TEST_F(pmu, one_behind_the_other)
{
	struct hft_metrics metrics = {};
	struct hft_event event;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pmu_submit(self->context, &self->ring, 0));
		ASSERT_EQ(0, pmu_set((i + 1) * BY));
	}
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pmu_set((10 + i) * BY));
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		pmu_look(&self->ring);
		ASSERT_TRUE(pmu_metrics(&self->ring, i, &metrics));
		EXPECT_EQ(1, metrics.events);
		EXPECT_COUNTS(self->cpu, i ? BY : 10 * BY, metrics.counts);
	}
}

/* Those that are found together share what was counted, and no class has it if they are of two. */
TEST_F(pmu, several_at_once)
{
	struct hft_metrics metrics = {};
	struct hft_stats stats;
	int i, n, of_two;
	uint64_t runs = 0;

	for (of_two = 0; of_two < 2; of_two++) {
		for (n = 1; n <= 16; n++) {
			ASSERT_EQ(0, pmu_set(0));
			for (i = 0; i < n; i++)
				ASSERT_EQ(0, pmu_submit(self->context, &self->ring,
							of_two ? 1 + (i & 1) : 9));
			ASSERT_EQ(0, pmu_set(BY));
			hft_test_advance(&self->ring, n);
			pmu_look(&self->ring);
			for (i = 0; i < n - 1; i++) {
				ASSERT_TRUE(pmu_metrics(&self->ring, runs + i, &metrics));
				ASSERT_EQ(0, metrics.events);
				ASSERT_EQ(0, metrics.valid);
				ASSERT_EQ(0, metrics.counts[0]);
			}
			ASSERT_TRUE(pmu_metrics(&self->ring, runs + i, &metrics));
			ASSERT_EQ(n, (int)metrics.events);
			EXPECT_COUNTS(self->cpu, BY, metrics.counts);
			runs += n;
		}
	}
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(runs, stats.metrics.runs);
	EXPECT_COUNTS(self->cpu, 32 * BY, stats.metrics.counts);
	EXPECT_EQ(runs / 2, class_info(self->context, 0, 9).metrics.runs);
	EXPECT_COUNTS(self->cpu, 16 * BY, class_info(self->context, 0, 9).metrics.counts);
	/* The batch of one. */
	EXPECT_EQ(1, class_info(self->context, 0, 1).metrics.runs);
	EXPECT_EQ(0, class_info(self->context, 0, 2).metrics.runs);
}

/* A ring that goes round many times; by the timer too. */
TEST_F(pmu, many)
{
	uint64_t sum = 0, value = 0;
	struct hft_metrics metrics;
	struct hft_event event;
	struct hft_stats stats;
	uint64_t i;

	for (i = 0; i < 200; i++) {
		struct hft_task task = hft_test_task(self->ring.add.ring, 0,
						     i & 1 ? hft_test_now() + 2000000 : 0);

		ASSERT_EQ(0, pmu_set(value += 17));
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		while (!hft_test_pending(&self->ring))
			;
		ASSERT_EQ(0, pmu_set(value += i));
		sum += i;
		ASSERT_TRUE(hft_test_next(&self->ring, &event));
		pmu_look(&self->ring);
		ASSERT_TRUE(pmu_metrics(&self->ring, i, &metrics));
		ASSERT_EQ(pmu_expected(self->cpu, 0, i), metrics.counts[0]);
	}
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(200, stats.metrics.runs);
	EXPECT_COUNTS(self->cpu, sum, stats.metrics.counts);
}

/* A CPU has not the counters of another. */
TEST_F(pmu, from_another_cpu)
{
	struct hft_metrics metrics = {};
	struct hft_event event;
	struct hft_stats stats;

	if (!self->cpu)
		SKIP(return, "there is but one CPU");
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, pmu_submit(self->context, &self->ring, 3));
	ASSERT_EQ(0, hft_test_pin(self->cpu));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	pmu_look(&self->ring);
	ASSERT_TRUE(pmu_metrics(&self->ring, 0, &metrics));
	EXPECT_EQ(0, metrics.valid);
	EXPECT_EQ(1, metrics.events);
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(0, stats.metrics_valid);
	EXPECT_EQ(0, stats.metrics.runs);
	EXPECT_EQ(1, stats.metrics.unread);

	/* The next one is well. */
	ASSERT_EQ(0, pmu_submit(self->context, &self->ring, 3));
	ASSERT_EQ(0, pmu_set(BY));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	pmu_look(&self->ring);
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(0xf, stats.metrics_valid);
	EXPECT_EQ(1, stats.metrics.runs);
	EXPECT_EQ(1, stats.metrics.unread);
	EXPECT_COUNTS(self->cpu, BY, stats.metrics.counts);
}

/* Run one event with the counters going up by BY.  Returns what is valid of it, or -1. */
static int run(int context, struct hft_test_ring *ring)
{
	uint64_t sequence = hft_test_tail(ring);
	struct hft_metrics metrics;
	struct hft_event event;
	uint32_t i;

	if (pmu_set(0) || pmu_submit(context, ring, 0) || pmu_set(BY) ||
	    !hft_test_next(ring, &event))
		return -1;
	pmu_look(ring);
	if (!pmu_metrics(ring, sequence, &metrics))
		return -1;
	for (i = 0; i < HFT_METRICS; i++) {
		uint64_t expected = metrics.valid & 1U << i ?
				    pmu_expected(ring->add.cpu, i, BY) : 0;

		if (metrics.counts[i] != expected)
			return -1;
	}
	return metrics.valid;
}

/* One that does not fit, from the start. */
TEST_F(pmu, a_counter_is_not_to_be_had)
{
	int context = hft_test_context(TASKS);
	struct hft_pmu pmu = pmu_choice(self->cpu);
	struct hft_test_ring ring;
	struct hft_stats stats;

	hft_test_ring_close(&self->ring);
	ASSERT_EQ(0, pmu_set_fail(1 << 2));
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	EXPECT_EQ(0xb, pmu.valid);
	ASSERT_EQ(0, pmu_ring(context, self->cpu, 16, 0, &ring));
	EXPECT_EQ(0xb, run(context, &ring));
	ASSERT_EQ(0, hft_test_stats(context, 0, &stats));
	EXPECT_EQ(0xb, stats.metrics_valid);
	EXPECT_EQ(1, stats.metrics.runs);
	hft_test_ring_close(&ring);
	close(context);
}

static int open_event(uint32_t type, uint64_t config, int cpu)
{
	struct perf_event_attr attr = {
		.type = type, .size = sizeof(attr), .config = config, .pinned = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, cpu < 0 ? 0 : -1, cpu, -1,
			 PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * One is lost: perf puts the counters of a CPU together anew for one more, and it is left
 * out; with it, on some kernels, those behind it.
 */
TEST_F(pmu, a_counter_is_lost)
{
	struct hft_stats stats;
	struct hft_pmu pmu;
	int fd;

	ASSERT_EQ(0xf, run(self->context, &self->ring));
	ASSERT_EQ(0, pmu_set_fail(1 << 3));
	fd = open_event(pmu_type(), 1, self->cpu);
	ASSERT_LT(0, fd);
	EXPECT_EQ(0x7, run(self->context, &self->ring));
	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(0x7, stats.metrics_valid);
	EXPECT_EQ(2, stats.metrics.runs);
	EXPECT_EQ(pmu_expected(self->cpu, 1, 2 * BY), stats.metrics.counts[1]);
	ASSERT_EQ(0, pmu_read(self->context, self->cpu, &pmu));
	EXPECT_EQ(0x7, pmu.valid);
	close(fd);
}

/* Contexts that choose the same have the same counters. */
TEST_F(pmu, shared)
{
	struct hft_test_ring rings[3];
	struct hft_pmu pmu, other = pmu_choice(self->cpu);
	int context = hft_test_context(TASKS), i;

	ASSERT_EQ(HFT_METRICS, pmu_await_events(HFT_METRICS));
	ASSERT_EQ(0, pmu_choose(context, self->cpu));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pmu_ring(context, self->cpu, 16, 0, &rings[i]));
	ASSERT_EQ(HFT_METRICS, pmu_events());
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0xf, run(context, &rings[i]));
	ASSERT_EQ(0xf, run(self->context, &self->ring));
	ASSERT_EQ(0, pmu_read(context, self->cpu, &pmu));
	EXPECT_EQ(4, pmu.metrics.runs);
	EXPECT_COUNTS(self->cpu, 4 * BY, pmu.metrics.counts);

	/* The sums of a CPU outlast a ring. */
	for (i = 0; i < 3; i++)
		hft_test_ring_close(&rings[i]);
	close(context);
	ASSERT_EQ(0, pmu_read(self->context, self->cpu, &pmu));
	EXPECT_EQ(4, pmu.metrics.runs);

	/* Another choice is another set. */
	context = hft_test_context(TASKS);
	other.nr = 2;
	other.type[2] = 0;
	other.type[3] = 0;
	other.config[0] = 3;
	other.config[2] = 0;
	other.config[3] = 0;
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &other));
	EXPECT_EQ(3, other.valid);
	ASSERT_EQ(0, pmu_ring(context, self->cpu, 16, 0, &rings[0]));
	EXPECT_EQ(HFT_METRICS + 2, pmu_await_events(HFT_METRICS + 2));

	/* Who may sees both from a context that has neither. */
	i = hft_test_context(TASKS);
	pmu = (struct hft_pmu){ .flags = HFT_PMU_READ | HFT_PMU_GLOBAL, .cpu = self->cpu };
	ASSERT_EQ(0, hft_test_ioctl(i, HFT_IOC_PMU, &pmu));
	EXPECT_EQ(HFT_METRICS, pmu.nr);
	EXPECT_EQ(0xf, pmu.valid);
	EXPECT_EQ(4, pmu.metrics.runs);
	EXPECT_COUNTS(self->cpu, 4 * BY, pmu.metrics.counts);
	pmu = (struct hft_pmu){ .flags = HFT_PMU_READ | HFT_PMU_GLOBAL, .cpu = self->cpu,
				.index = 1 };
	ASSERT_EQ(0, hft_test_ioctl(i, HFT_IOC_PMU, &pmu));
	EXPECT_EQ(1, pmu.index);
	EXPECT_EQ(2, pmu.nr);
	EXPECT_EQ(3, pmu.config[0]);
	EXPECT_EQ(0, pmu.metrics.runs);
	pmu.index = 2;
	EXPECT_EQ(-ENOENT, hft_test_ioctl(i, HFT_IOC_PMU, &pmu));
	close(i);
	hft_test_ring_close(&rings[0]);
	close(context);
}

/* How often the counters are read: once when the ring gets busy, once when that is over. */
TEST_F(pmu, is_read_no_more_than_it_must)
{
	struct hft_pmu pmu = { .cpu = self->cpu, .nr = 1 };
	int context = hft_test_context(TASKS), i, n;
	struct hft_metrics metrics = {};
	struct hft_test_ring ring;
	uint64_t sequence = 0;

	pmu.type[0] = pmu_type();
	pmu.config[0] = PMU_READS;
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	ASSERT_EQ(0, pmu_ring(context, self->cpu, 16, 0, &ring));
	for (n = 1; n <= 16; n++) {
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, pmu_submit(context, &ring, 0));
		hft_test_advance(&ring, n);
		pmu_look(&ring);
		sequence += n;
		ASSERT_TRUE(pmu_metrics(&ring, sequence - 1, &metrics));
		EXPECT_EQ(1, metrics.valid);
		EXPECT_EQ(1, metrics.counts[0]);
	}
	hft_test_ring_close(&ring);
	close(context);
}

TEST_F(pmu, module_of_the_counters_stays)
{
	ASSERT_EQ(-EWOULDBLOCK, pmu_unload());
	close(self->context);
	self->context = -1;
	ASSERT_EQ(-EWOULDBLOCK, pmu_unload());
	hft_test_ring_close(&self->ring);
	ASSERT_EQ(0, pmu_await_events(0));
	ASSERT_EQ(0, pmu_unload());
	ASSERT_EQ(0, pmu_load());
}

/*
 * One beside the CPUs is not read in interrupts, whichever of the four it is, though perf
 * has it; and leaves nothing behind.
 */
TEST_F(pmu, a_pmu_beside_the_cpus)
{
	int context = hft_test_context(TASKS), type = pmu_type_of("hft_test_beside"), fd;
	struct hft_ring_add add = hft_test_ring_default();
	uint32_t i;

	ASSERT_LT(0, type);
	fd = open_event(type, 0, self->cpu);
	ASSERT_LT(0, fd);
	close(fd);
	for (i = 0; i < HFT_METRICS; i++) {
		struct hft_pmu pmu = pmu_choice(self->cpu);

		pmu.type[i] = type;
		EXPECT_EQ(-EOPNOTSUPP, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	}
	add.cpu = self->cpu;
	add.flags = HFT_RING_METRICS;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(context, HFT_IOC_RING_ADD, &add));
	EXPECT_EQ(HFT_METRICS, pmu_await_events(HFT_METRICS));
	ASSERT_EQ(0, pmu_choose(context, self->cpu));
	close(context);
	EXPECT_EQ(0xf, run(self->context, &self->ring));
}

/* What is not there is not valid, and no error. */
TEST(absent)
{
	struct hft_pmu pmu = {}, gone;
	struct hft_query query = {};
	struct hft_test_ring ring;
	struct hft_stats stats;
	int context = hft_test_context(TASKS), fd;

	ASSERT_EQ(0, hft_test_pin(0));
	fd = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, 0);
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_QUERY, &query));
	EXPECT_EQ(fd >= 0, !!(query.features & HFT_FEATURE_PMU));
	if (fd >= 0) {
		close(fd);
		SKIP(return, "this machine has counters");
	}
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	EXPECT_EQ(0, pmu.valid);
	EXPECT_EQ(HFT_METRICS, pmu.nr);
	EXPECT_EQ(PERF_COUNT_HW_CACHE_REFERENCES, pmu.config[0]);
	EXPECT_EQ(PERF_COUNT_HW_CACHE_MISSES, pmu.config[1]);
	EXPECT_EQ(PERF_COUNT_HW_CPU_CYCLES, pmu.config[2]);
	EXPECT_EQ(PERF_COUNT_HW_INSTRUCTIONS, pmu.config[3]);
	ASSERT_EQ(0, pmu_ring(context, 0, 16, 0, &ring));
	EXPECT_EQ(-1, run(context, &ring));	/* there is no PMU to set */
	ASSERT_EQ(0, pmu_submit(context, &ring, 0));
	hft_test_advance(&ring, 1);
	pmu_look(&ring);
	ASSERT_EQ(0, hft_test_stats(context, 0, &stats));
	EXPECT_EQ(0, stats.metrics_valid);
	EXPECT_EQ(0, stats.metrics.runs);
	EXPECT_EQ(1, stats.metrics.unread);
	ASSERT_EQ(0, pmu_read(context, 0, &gone));
	EXPECT_EQ(0, gone.valid | gone.metrics_valid);
	hft_test_ring_close(&ring);
	close(context);
}

/* The kernel's own counters: time goes by. */
TEST(of_the_kernel)
{
	struct hft_pmu pmu = { .nr = 2, .type = { PERF_TYPE_SOFTWARE, PERF_TYPE_SOFTWARE },
			       .config = { PERF_COUNT_SW_CPU_CLOCK, PERF_COUNT_SW_PAGE_FAULTS } };
	int context = hft_test_context(TASKS);
	struct hft_metrics metrics = {};
	struct hft_test_ring ring;
	uint64_t end;

	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	ASSERT_EQ(3, pmu.valid);
	ASSERT_EQ(0, pmu_ring(context, 0, 16, 0, &ring));
	ASSERT_EQ(0, pmu_submit(context, &ring, 0));
	end = hft_test_now() + 5 * NSEC_PER_MSEC;
	while (hft_test_now() < end)
		;
	/* A page that was not there. */
	munmap(memset(mmap(NULL, HFT_TEST_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 1), HFT_TEST_PAGE);
	hft_test_advance(&ring, 1);
	pmu_look(&ring);
	ASSERT_TRUE(pmu_metrics(&ring, 0, &metrics));
	EXPECT_EQ(3, metrics.valid);
	EXPECT_LE(5 * NSEC_PER_MSEC, metrics.counts[0]);
	EXPECT_LE(1, metrics.counts[1]);
	hft_test_ring_close(&ring);
	close(context);
}

TEST_HARNESS_MAIN
