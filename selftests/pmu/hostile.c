// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters for who may not have them, choices that make no sense, and rings with counters that
 * come and go with their CPU, their worker's whims and kill -9.
 */
#include <grp.h>
#include <pthread.h>

#include "kselftest_harness.h"
#include "pmu.h"

#define TASKS	256
#define TRADER	1000
#define GROUP	900
#define CYCLES	8

static int choose(int context, const struct hft_pmu *pmu)
{
	struct hft_pmu copy = *pmu;

	return hft_test_ioctl(context, HFT_IOC_PMU, &copy);
}

TEST(choices_that_make_no_sense)
{
	const struct hft_pmu valid = { .nr = 1, .type = { PERF_TYPE_SOFTWARE } };
	static const uint32_t not_types[] = { PERF_TYPE_TRACEPOINT, PERF_TYPE_BREAKPOINT };
	struct hft_ring_add add = hft_test_ring_default();
	int context = hft_test_context(TASKS), bit, i;
	struct hft_pmu pmu;

	/* None are chosen yet. */
	pmu = (struct hft_pmu){ .flags = HFT_PMU_READ };
	EXPECT_EQ(-EINVAL, choose(context, &pmu));
	add.flags = HFT_RING_METRICS;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(context, HFT_IOC_RING_ADD, &add));

	for (bit = 0; bit < 32; bit++) {
		pmu = valid;
		pmu.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
		pmu.flags |= HFT_PMU_READ;
		EXPECT_EQ(pmu.flags == (HFT_PMU_READ | HFT_PMU_GLOBAL) ? -ENOENT : -EINVAL,
			  choose(context, &pmu));
		pmu = valid;
		pmu.index = 1U << bit;
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
		pmu.flags = HFT_PMU_READ;
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
		pmu.flags |= HFT_PMU_GLOBAL;
		EXPECT_EQ(-ENOENT, choose(context, &pmu));
		for (i = 1; i < HFT_METRICS; i++) {
			pmu = valid;
			pmu.type[i] = 1U << bit;
			EXPECT_EQ(-EINVAL, choose(context, &pmu));
			pmu = valid;
			pmu.config[i] = 1ULL << (2 * bit);
			EXPECT_EQ(-EINVAL, choose(context, &pmu));
			pmu.config[i] <<= 1;
			EXPECT_EQ(-EINVAL, choose(context, &pmu));
		}
	}
	pmu = valid;
	for (pmu.nr = HFT_METRICS + 1; pmu.nr; pmu.nr <<= 1)
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
	pmu = valid;
	for (pmu.cpu = 1 << 16; pmu.cpu; pmu.cpu <<= 1)
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
	pmu.cpu = UINT32_MAX;
	EXPECT_EQ(-EINVAL, choose(context, &pmu));
	for (i = 0; i < (int)ARRAY_LEN(not_types); i++) {
		pmu = valid;
		pmu.type[0] = not_types[i];
		EXPECT_EQ(-EINVAL, choose(context, &pmu));
	}

	/* All of that left the context as it was. */
	EXPECT_EQ(0, choose(context, &valid));
	EXPECT_EQ(-EALREADY, choose(context, &valid));
	pmu = (struct hft_pmu){ .flags = HFT_PMU_READ, .cpu = UINT32_MAX };
	EXPECT_EQ(-EINVAL, choose(context, &pmu));
	close(context);
}

/* Types and configs of all kinds: some count, some do not, some are not for interrupts. */
TEST(counters_that_there_are_not)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	int i, n;

	for (i = 0; i < 60; i++) {
		int context = hft_test_context(TASKS);
		struct hft_pmu pmu = { .nr = HFT_METRICS };
		struct hft_test_ring ring;
		int err;

		for (n = 0; n < HFT_METRICS; n++) {
			pmu.type[n] = i & 1 ? hft_test_random(&random) :
					      hft_test_random(&random) % 16;
			if (pmu.type[n] == PERF_TYPE_TRACEPOINT ||
			    pmu.type[n] == PERF_TYPE_BREAKPOINT)
				pmu.type[n] = PERF_TYPE_RAW;
			pmu.config[n] = i & 2 ? hft_test_random(&random) :
						hft_test_random(&random) % 16;
		}
		err = hft_test_ioctl(context, HFT_IOC_PMU, &pmu);
		if (err == -EOPNOTSUPP) {
			close(context);
			continue;
		}
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, pmu_ring(context, 0, 16, 0, &ring));
		ASSERT_EQ(0, pmu_submit(context, &ring, 0));
		hft_test_advance(&ring, 1);
		pmu_look(&ring);
		hft_test_ring_close(&ring);
		close(context);
	}
}

static int as_trader(void)
{
	gid_t group = GROUP;
	struct hft_pmu pmu = { 0 }, all = { .flags = HFT_PMU_READ | HFT_PMU_GLOBAL };
	int context, err;

	if (setgroups(1, &group) || setgid(TRADER) || setuid(TRADER))
		return -errno;
	context = hft_test_context(TASKS);
	if (context < 0)
		return context;
	err = hft_test_ioctl(context, HFT_IOC_PMU, &pmu);
	if (err == -EPERM)
		err = hft_test_ioctl(context, HFT_IOC_PMU, &all);
	close(context);
	return err;
}

TEST(needs_the_right)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-as_trader());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EPERM, WEXITSTATUS(status));
}

/* The worker can not write what it is told. */
TEST(metrics_are_read_only)
{
	int context = hft_test_context(TASKS);
	struct hft_pmu pmu = { 0 };
	struct hft_test_ring ring;
	size_t at;

	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	ASSERT_EQ(0, pmu_ring(context, 0, 256, HFT_RING_REPORT, &ring));
	ASSERT_EQ(ring.add.pages_size,
		  ring.add.metrics_off + 256 * sizeof(struct hft_metrics));
	ASSERT_EQ(ring.add.metrics_off, ring.add.events_off + 256 * sizeof(struct hft_event));
	for (at = 0; at < ring.add.pages_size; at += HFT_TEST_PAGE)
		EXPECT_EQ(-1, mprotect((char *)ring.producer + at, HFT_TEST_PAGE,
				       PROT_READ | PROT_WRITE));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HFT_TEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd,
				   ring.add.pages_off + ring.add.metrics_off));
	hft_test_ring_close(&ring);
	close(context);
}

static int set_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return hft_test_write_file(path, online ? "1" : "0");
}

/* Counters that a CPU has taken with it come back with it, and sums go on. */
TEST(cpu_goes_and_comes_back)
{
	int cpu = hft_test_cpus() - 1, context = hft_test_context(TASKS), i;
	struct hft_test_ring ring;
	struct hft_metrics metrics = {};
	struct hft_stats stats;
	struct hft_pmu pmu;
	uint64_t end;

	if (!cpu)
		SKIP(return, "one CPU can not go offline");
	ASSERT_EQ(0, pmu_load());
	ASSERT_EQ(0, pmu_set(0));
	ASSERT_EQ(0, pmu_choose(context, cpu));
	ASSERT_EQ(0, pmu_ring(context, cpu, 16, 0, &ring));
	for (i = 0; i < CYCLES; i++) {
		ASSERT_EQ(0, hft_test_pin(0));
		ASSERT_EQ(0, set_online(cpu, false));
		ASSERT_EQ(0, pmu_read(context, cpu, &pmu));
		EXPECT_EQ(0, pmu.valid);
		ASSERT_EQ(0, set_online(cpu, true));
		end = hft_test_now() + 20 * NSEC_PER_SEC;
		do {
			ASSERT_EQ(0, pmu_read(context, cpu, &pmu));
		} while (pmu.valid != 0xf && hft_test_now() < end);
		ASSERT_EQ(0xf, pmu.valid);

		ASSERT_EQ(0, hft_test_pin(cpu));
		ASSERT_EQ(0, pmu_set(0));
		ASSERT_EQ(0, pmu_submit(context, &ring, 0));
		ASSERT_EQ(0, pmu_set(10));
		hft_test_advance(&ring, 1);
		pmu_look(&ring);
		ASSERT_TRUE(pmu_metrics(&ring, i, &metrics));
		ASSERT_EQ(0xf, metrics.valid);
		ASSERT_EQ(pmu_expected(cpu, 2, 10), metrics.counts[2]);
	}
	ASSERT_EQ(0, hft_test_stats(context, 0, &stats));
	EXPECT_EQ(CYCLES, (int)stats.metrics.runs);
	EXPECT_EQ(pmu_expected(cpu, 3, 10 * CYCLES), stats.metrics.counts[3]);

	/* Chosen while it is away, they are there when it is back. */
	hft_test_ring_close(&ring);
	close(context);
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, set_online(cpu, false));
	context = hft_test_context(TASKS);
	pmu = pmu_choice(cpu);
	EXPECT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	EXPECT_EQ(0, pmu.valid);
	ASSERT_EQ(0, set_online(cpu, true));
	close(context);
	EXPECT_EQ(0, pmu_await_events(0));
	EXPECT_EQ(0, pmu_unload());
}

struct load {
	int cpu;
	uint64_t end;
	uint64_t rings;
	uint64_t events;
};

/* Rings that come and go; the answers of an ioctl to a CPU that goes are not this test's. */
static void *churn(void *arg)
{
	struct load *load = arg;

	hft_test_pin(0);
	do {
		int context = hft_test_context(TASKS), i;
		struct hft_test_ring ring;
		struct hft_pmu pmu;

		pmu_choose(context, load->cpu);
		if (!pmu_ring(context, load->cpu, 16, load->rings & 1 ? HFT_RING_REPORT : 0,
			      &ring)) {
			for (i = 0; i < 20; i++) {
				pmu_submit(context, &ring, i % HFT_CLASSES);
				if (hft_test_pending(&ring))
					hft_test_advance(&ring, 1);
				pmu_look(&ring);
				pmu_read(context, load->cpu, &pmu);
				load->events++;
			}
			load->rings++;
			hft_test_ring_close(&ring);
		}
		close(context);
	} while (hft_test_now() < load->end);
	return NULL;
}

TEST(rings_come_and_go_with_their_cpu)
{
	struct load loads[3];
	pthread_t threads[3];
	int cpu = hft_test_cpus() - 1, cycles = 0, i;
	uint64_t end = hft_test_now() + hft_test_scaled(4) * NSEC_PER_SEC;

	if (!cpu)
		SKIP(return, "one CPU can not go offline");
	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, pmu_load());
	for (i = 0; i < 3; i++) {
		loads[i] = (struct load){ .cpu = i ? cpu : 0, .end = end };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn, &loads[i]));
	}
	while (hft_test_now() < end) {
		ASSERT_EQ(0, set_online(cpu, false));
		hft_test_sleep(5 * NSEC_PER_MSEC);
		ASSERT_EQ(0, set_online(cpu, true));
		hft_test_sleep(5 * NSEC_PER_MSEC);
		cycles++;
	}
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	TH_LOG("%d cycles; %llu, %llu and %llu rings", cycles, (unsigned long long)loads[0].rings,
	       (unsigned long long)loads[1].rings, (unsigned long long)loads[2].rings);
	/* Its CPU stays. */
	EXPECT_LT(0, (int)loads[0].rings);
	EXPECT_EQ(0, pmu_await_events(0));
	EXPECT_EQ(0, pmu_unload());
}

/* Killed at random moments, with counters: none of them is left. */
TEST(killed)
{
	uint64_t random = 88172645463325252ULL;
	int kills = hft_test_scaled(hft_test_slow_kernel() ? 5 : 20), i, status;

	ASSERT_EQ(0, pmu_load());
	for (i = 0; i < kills; i++) {
		struct load load = { .cpu = i % hft_test_cpus(), .end = UINT64_MAX };
		pid_t pid = fork();

		if (!pid) {
			churn(&load);
			_exit(0);
		}
		hft_test_sleep(hft_test_random(&random) % (30 * NSEC_PER_MSEC));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
	}
	EXPECT_EQ(0, hft_test_await_unused());
	EXPECT_EQ(0, pmu_await_events(0));
	EXPECT_EQ(0, pmu_unload());
}

/* A head that makes no sense, or goes back: the counts of this ring and nothing else. */
TEST(scribbled_head)
{
	uint64_t random = 0x2545f4914f6cdd1dULL;
	int context = hft_test_context(TASKS), i;
	struct hft_pmu pmu = { .nr = 1, .type = { PERF_TYPE_SOFTWARE } };
	struct hft_test_ring ring, other;
	struct hft_stats stats;

	ASSERT_EQ(0, hft_test_pin(0));
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_PMU, &pmu));
	ASSERT_EQ(0, pmu_ring(context, 0, 16, 0, &ring));
	ASSERT_EQ(0, pmu_ring(context, 0, 16, 0, &other));
	for (i = 0; i < 2000; i++) {
		pmu_submit(context, &ring, 0);
		*(volatile uint32_t *)&ring.consumer->head =
			i & 1 ? hft_test_tail(&ring) - hft_test_random(&random) % 20 :
				hft_test_random(&random);
		pmu_look(&ring);
	}
	ASSERT_EQ(0, pmu_submit(context, &other, 0));
	hft_test_advance(&other, 1);
	pmu_look(&other);
	ASSERT_EQ(0, hft_test_stats(context, other.add.ring, &stats));
	EXPECT_EQ(1, stats.metrics.runs);
	hft_test_ring_close(&ring);
	hft_test_ring_close(&other);
	close(context);
}

TEST_HARNESS_MAIN
