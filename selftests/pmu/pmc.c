// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library's counters of a thread, read by read(2), to the last count: by a PMU whose
 * counters stand where the test sets them, and which no instruction reads.
 */
#include <hft/hft.h>
#include <hft/metrics.h>

#include "kselftest_harness.h"
#include "pmu.h"

#define BY	1000ULL
#define TASKS	32

FIXTURE(pmc) {
	uint32_t cpu;
	struct hft_pmc_opts opts;
	struct hft_pmc *pmc;
	uint64_t value;
};

FIXTURE_SETUP(pmc)
{
	uint32_t i;

	self->cpu = hft_test_cpus() - 1;
	ASSERT_EQ(0, hft_test_pin(self->cpu));
	ASSERT_EQ(0, pmu_load());
	ASSERT_EQ(0, pmu_set_fail(0));
	ASSERT_EQ(0, pmu_set(0));
	self->opts = (struct hft_pmc_opts){ .sz = sizeof(self->opts), .nr = HFT_METRICS };
	for (i = 0; i < HFT_METRICS; i++) {
		self->opts.type[i] = pmu_type();
		self->opts.config[i] = i;
	}
}

FIXTURE_TEARDOWN(pmc)
{
	hft_pmc_close(self->pmc);
	pmu_set_fail(0);
	EXPECT_EQ(0, pmu_await_events(0));
	EXPECT_EQ(0, pmu_unload());
}

#define EXPECT_COUNTS(mask, by, counts) do {						\
	uint32_t n_;									\
											\
	for (n_ = 0; n_ < HFT_METRICS; n_++)						\
		EXPECT_EQ((mask) & 1U << n_ ? pmu_expected(self->cpu, n_, by) : 0,	\
			  (counts)[n_]);						\
} while (0)

static struct hft_pmc_sum sum_of(const struct hft_pmc *pmc, uint32_t task_class)
{
	struct hft_pmc_sum sum = { .sz = sizeof(sum) };

	if (hft_pmc_sum(pmc, task_class, &sum))
		sum.runs = UINT64_MAX;
	return sum;
}

/* The page that would say how to read it without a system call says that none can. */
TEST_F(pmc, no_instruction_reads_it)
{
	uint64_t before[HFT_METRICS], after[HFT_METRICS];
	uint32_t i;

	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	EXPECT_EQ(HFT_PMC_READ, hft_pmc_way(self->pmc));
	EXPECT_EQ(0xf, hft_pmc_valid(self->pmc));
	EXPECT_EQ(0xf, hft_pmc_read(self->pmc, before));
	ASSERT_EQ(0, pmu_set(BY));
	EXPECT_EQ(0xf, hft_pmc_read(self->pmc, after));
	for (i = 0; i < HFT_METRICS; i++)
		EXPECT_EQ(pmu_expected(self->cpu, i, BY), after[i] - before[i]);

	/* Nor is one wanted. */
	hft_pmc_close(self->pmc);
	self->opts.flags = HFT_PMC_NO_RDPMC;
	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	EXPECT_EQ(HFT_PMC_READ, hft_pmc_way(self->pmc));
	EXPECT_EQ(0xf, hft_pmc_valid(self->pmc));
}

/* What is counted outside of tasks is of none; each class has its own. */
TEST_F(pmc, tasks_exactly)
{
	struct hft_pmc_sum sum;
	uint64_t value = 0;
	uint32_t i, n;

	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	for (n = 1; n <= 3; n++) {
		for (i = 0; i < n; i++) {
			ASSERT_EQ(0, pmu_set(value += 7));
			hft_pmc_begin(self->pmc);
			ASSERT_EQ(0, pmu_set(value += n * BY));
			hft_pmc_end(self->pmc, n);
		}
	}
	for (n = 1; n <= 3; n++) {
		sum = sum_of(self->pmc, n);
		EXPECT_EQ(n, sum.runs);
		EXPECT_EQ(0, sum.unread);
		EXPECT_EQ(0xf, sum.valid);
		EXPECT_COUNTS(0xf, n * n * BY, sum.counts);
	}
	EXPECT_EQ(0, sum_of(self->pmc, 0).runs);
}

/* It follows the thread to another CPU, whose counts are others, and sleeps with it. */
TEST_F(pmc, of_the_thread)
{
	struct hft_pmc_sum sum;
	uint32_t i;

	if (!self->cpu)
		SKIP(return, "there is but one CPU");
	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	hft_pmc_begin(self->pmc);
	ASSERT_EQ(0, pmu_set(BY));
	hft_test_sleep(NSEC_PER_MSEC);
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, pmu_set(3 * BY));
	hft_pmc_end(self->pmc, 0);
	sum = sum_of(self->pmc, 0);
	EXPECT_EQ(1, sum.runs);
	for (i = 0; i < HFT_METRICS; i++)
		EXPECT_EQ(pmu_expected(self->cpu, i, BY) + pmu_expected(0, i, 2 * BY),
			  sum.counts[i]);
}

TEST_F(pmc, one_is_not_to_be_had)
{
	struct hft_pmc_sum sum;

	ASSERT_EQ(0, pmu_set_fail(1 << 2));
	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	EXPECT_EQ(HFT_PMC_READ, hft_pmc_way(self->pmc));
	EXPECT_EQ(0xb, hft_pmc_valid(self->pmc));
	hft_pmc_begin(self->pmc);
	ASSERT_EQ(0, pmu_set(BY));
	hft_pmc_end(self->pmc, 1);
	sum = sum_of(self->pmc, 1);
	EXPECT_EQ(1, sum.runs);
	EXPECT_EQ(0xb, sum.valid);
	EXPECT_COUNTS(0xb, BY, sum.counts);
}

/* All find none: absent, and no error. */
TEST_F(pmc, none_is_to_be_had)
{
	uint64_t counts[HFT_METRICS];

	ASSERT_EQ(0, pmu_set_fail(0xf));
	ASSERT_EQ(0, hft_pmc_open(&self->opts, &self->pmc));
	EXPECT_EQ(HFT_PMC_ABSENT, hft_pmc_way(self->pmc));
	EXPECT_EQ(0, hft_pmc_read(self->pmc, counts));
	hft_pmc_begin(self->pmc);
	hft_pmc_end(self->pmc, 1);
	EXPECT_EQ(0, sum_of(self->pmc, 1).runs);
	EXPECT_EQ(1, sum_of(self->pmc, 1).unread);
}

static uint64_t body_value;

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	(void)event;
	(void)start;
	(void)arg;
	pmu_set(body_value += BY);
}

/* What a worker's bodies have counted, read by another thread. */
TEST_F(pmc, of_a_worker)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = self->cpu);
	HFT_OPTS(hft_worker_opts, opts, .fn = body, .metrics = &self->opts,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	struct hft_pmc_sum sum = { .sz = sizeof(sum) };
	uint64_t end = hft_test_now() + 60 * NSEC_PER_SEC;
	struct hft_worker *worker;
	struct hft_ring *ring;
	struct hft *h;
	int i;

	body_value = 0;
	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_ring_open(h, &ring_opts, &ring));
	ASSERT_EQ(0, hft_worker_start(ring, &opts, &worker));
	for (i = 0; i < TASKS; i++) {
		struct hft_task task = {
			.ring = hft_ring_number(ring), .level = HFT_LEVEL_HIGH,
		};

		ASSERT_EQ(0, hft_submit(h, &task, NULL));
	}
	do {
		hft_test_sleep(NSEC_PER_MSEC);
		ASSERT_EQ(0, hft_worker_metrics(worker, HFT_LEVEL_HIGH, &sum));
	} while (sum.runs < TASKS && hft_test_now() < end);
	EXPECT_EQ(TASKS, sum.runs);
	EXPECT_EQ(0, sum.unread);
	EXPECT_EQ(0xf, sum.valid);
	EXPECT_COUNTS(0xf, TASKS * BY, sum.counts);
	EXPECT_EQ(0, hft_worker_stop(worker));
	hft_ring_close(ring);
	hft_close(h);
}

TEST_HARNESS_MAIN
