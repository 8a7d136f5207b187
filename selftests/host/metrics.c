// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * Counters of a thread in each of the ways that there are, by what the kernel counts itself
 * where the machine has nothing; and what a worker makes of them.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/perf_event.h>
#include <hft/hft.h>
#include <hft/metrics.h>

#define PAGE		4096
#define PAGES		50
#define NO_SUCH_TYPE	0xfffe
#define TASKS		100
#define PATIENCE	(60 * 1000000000ULL)

/* Page faults, a type that there is none of, and time on a CPU. */
static const struct hft_pmc_opts some = {
	.sz = sizeof(some),
	.nr = 3,
	.type = { PERF_TYPE_SOFTWARE, NO_SUCH_TYPE, PERF_TYPE_SOFTWARE },
	.config = { PERF_COUNT_SW_PAGE_FAULTS, 0, PERF_COUNT_SW_TASK_CLOCK },
};

#define SOME_VALID	(1 << 0 | 1 << 2)

static struct hft_pmc *must_open(const struct hft_pmc_opts *opts)
{
	struct hft_pmc *pmc = NULL;

	assert_int_equal(0, hft_pmc_open(opts, &pmc));
	assert_non_null(pmc);
	return pmc;
}

/* Those of @opts, of which the kernel has @valid itself; or skip. */
static struct hft_pmc *open_software(const struct hft_pmc_opts *opts, uint32_t valid)
{
	struct hft_pmc *pmc = must_open(opts);

	if (hft_pmc_way(pmc) == HFT_PMC_ABSENT) {
		print_message("perf_event_open() is not allowed here (perf_event_paranoid)\n");
		hft_pmc_close(pmc);
		skip();
	}
	assert_int_equal(valid, hft_pmc_valid(pmc));
	return pmc;
}

/* Touch @n pages that are not there. */
static void fault(int n)
{
	char *pages = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	assert_ptr_not_equal(MAP_FAILED, pages);
	madvise(pages, (size_t)n * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < n; i++)
		*(volatile char *)&pages[(size_t)i * PAGE] = 1;
	munmap(pages, (size_t)n * PAGE);
}

static struct hft_pmc_sum sum_of(const struct hft_pmc *pmc, uint32_t task_class)
{
	struct hft_pmc_sum sum = { .sz = sizeof(sum) };

	assert_int_equal(0, hft_pmc_sum(pmc, task_class, &sum));
	return sum;
}

static void test_options(void **state)
{
	struct hft_pmc_opts opts = some;
	struct hft_pmc_sum sum = { .sz = 0 };
	struct {
		struct hft_pmc_opts opts;
		uint64_t more;
	} newer = { .opts = { .sz = sizeof(newer) }, .more = 1 };
	struct hft_pmc *pmc;

	(void)state;
	opts.nr = HFT_METRICS + 1;
	assert_int_equal(-EINVAL, hft_pmc_open(&opts, &pmc));
	opts = some;
	opts.flags = 1U << 31;
	assert_int_equal(-EINVAL, hft_pmc_open(&opts, &pmc));
	opts = some;
	opts.sz = 1;
	assert_int_equal(-EINVAL, hft_pmc_open(&opts, &pmc));
	assert_int_equal(-E2BIG, hft_pmc_open(&newer.opts, &pmc));
	pmc = must_open(NULL);
	assert_int_equal(-EINVAL, hft_pmc_sum(pmc, 0, &sum));
	sum.sz = sizeof(sum);
	assert_int_equal(-EINVAL, hft_pmc_sum(pmc, HFT_CLASSES, &sum));
	hft_pmc_close(pmc);
	hft_pmc_close(NULL);
}

static void test_absent(void **state)
{
	struct hft_pmc_opts opts = some;
	uint64_t counts[HFT_METRICS] = { 1, 2, 3, 4 };
	struct hft_pmc_sum sum;
	struct hft_pmc *pmc;
	int i;

	(void)state;
	opts.flags = HFT_PMC_NONE;
	pmc = must_open(&opts);
	assert_int_equal(HFT_PMC_ABSENT, hft_pmc_way(pmc));
	assert_int_equal(0, hft_pmc_valid(pmc));
	assert_int_equal(0, hft_pmc_read(pmc, counts));
	for (i = 0; i < HFT_METRICS; i++)
		assert_int_equal(0, counts[i]);
	hft_pmc_begin(pmc);
	hft_pmc_end(pmc, 3);
	sum = sum_of(pmc, 3);
	assert_int_equal(0, sum.runs);
	assert_int_equal(1, sum.unread);
	assert_int_equal(0, sum.valid);
	hft_pmc_close(pmc);

	/* Of a type that there is none of. */
	opts = (struct hft_pmc_opts){ .sz = sizeof(opts), .nr = 1, .type = { NO_SUCH_TYPE } };
	pmc = must_open(&opts);
	assert_int_equal(HFT_PMC_ABSENT, hft_pmc_way(pmc));
	hft_pmc_close(pmc);
}

static void test_read(void **state)
{
	struct hft_pmc *pmc = open_software(&some, SOME_VALID);
	uint64_t before[HFT_METRICS], after[HFT_METRICS];
	int i;

	(void)state;
	assert_int_equal(HFT_PMC_READ, hft_pmc_way(pmc));
	for (i = 0; i < 10; i++) {
		assert_int_equal(SOME_VALID, hft_pmc_read(pmc, before));
		fault(PAGES);
		assert_int_equal(SOME_VALID, hft_pmc_read(pmc, after));
		assert_true(after[0] - before[0] >= PAGES);
		assert_int_equal(0, after[1] | before[1] | after[3] | before[3]);
		assert_true(after[2] > before[2]);
	}
	/* None of them is a page fault: it counts what it is told to. */
	assert_true(after[0] < after[2]);
	hft_pmc_close(pmc);
}

static void test_sums(void **state)
{
	struct hft_pmc *pmc = open_software(&some, SOME_VALID);
	struct hft_pmc_sum sum;
	uint32_t i;

	(void)state;
	for (i = 0; i < 3 * HFT_CLASSES; i++) {
		hft_pmc_begin(pmc);
		if (i % HFT_CLASSES == 5)
			fault(PAGES);
		hft_pmc_end(pmc, i % HFT_CLASSES);
		fault(1);
	}
	hft_pmc_begin(pmc);
	hft_pmc_end(pmc, HFT_CLASSES);
	hft_pmc_end(pmc, UINT32_MAX);
	for (i = 0; i < HFT_CLASSES; i++) {
		sum = sum_of(pmc, i);
		assert_int_equal(3, sum.runs);
		assert_int_equal(0, sum.unread);
		assert_int_equal(SOME_VALID, sum.valid);
		assert_int_equal(0, sum.counts[1] | sum.counts[3]);
	}
	assert_true(sum_of(pmc, 5).counts[0] >= 3 * PAGES);
	assert_true(sum_of(pmc, 6).counts[0] < 3 * PAGES);
	hft_pmc_close(pmc);
}

struct reader {
	struct hft_pmc *pmc;
	atomic_bool stop;
	uint64_t looks;
};

/* Each run is of a page at least, and no sum goes back. */
static void *look(void *arg)
{
	struct hft_pmc_sum last = { .sz = sizeof(last) }, sum = last;
	struct reader *reader = arg;

	while (!atomic_load(&reader->stop)) {
		if (hft_pmc_sum(reader->pmc, 1, &sum))
			return "no answer";
		if (sum.runs < last.runs || sum.counts[0] < last.counts[0])
			return "it went back";
		if (sum.counts[0] < sum.runs || (sum.runs && sum.valid != SOME_VALID))
			return "torn";
		last = sum;
		reader->looks++;
	}
	return NULL;
}

static void test_sums_are_read_meanwhile(void **state)
{
	struct reader reader = { .pmc = open_software(&some, SOME_VALID) };
	uint64_t runs = 0;
	pthread_t thread;
	void *fault_found;

	(void)state;
	assert_int_equal(0, pthread_create(&thread, NULL, look, &reader));
	for (runs = 0; runs < 3000; runs++) {
		hft_pmc_begin(reader.pmc);
		fault(1);
		hft_pmc_end(reader.pmc, 1);
	}
	atomic_store(&reader.stop, true);
	pthread_join(thread, &fault_found);
	if (fault_found)
		fail_msg("%s", (const char *)fault_found);
	assert_int_equal(runs, sum_of(reader.pmc, 1).runs);
	hft_pmc_close(reader.pmc);
}

/* By an instruction: what read(2) says too, and what the loop must have taken. */
static void test_rdpmc(void **state)
{
	const struct hft_pmc_opts opts = {
		.sz = sizeof(opts), .nr = 1, .type = { PERF_TYPE_HARDWARE },
		.config = { PERF_COUNT_HW_INSTRUCTIONS },
	};
	struct hft_pmc *pmc = must_open(&opts);
	uint64_t counts[HFT_METRICS], last = 0;
	volatile int spin;
	int i;

	(void)state;
	if (hft_pmc_way(pmc) != HFT_PMC_RDPMC) {
		print_message("%s\n", hft_pmc_way(pmc) == HFT_PMC_ABSENT ?
			      "this machine has no counter of instructions (a VM without a PMU?)" :
			      "rdpmc is not allowed here (/sys/devices/cpu/rdpmc)");
		hft_pmc_close(pmc);
		skip();
	}
	for (i = 0; i < 1000; i++) {
		assert_int_equal(1, hft_pmc_read(pmc, counts));
		assert_true(counts[0] > last || !i);
		last = counts[0];
		for (spin = 0; spin < 1000; spin++)
			;
		assert_int_equal(1, hft_pmc_read(pmc, counts));
		assert_true(counts[0] >= last + 1000);
		last = counts[0];
	}
	hft_pmc_close(pmc);
}

struct work {
	atomic_int done;
	int pages;
};

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct work *work = arg;

	(void)start;
	(void)event;
	fault(work->pages);
	atomic_fetch_add(&work->done, 1);
}

static uint32_t class_of(const struct hft_event *event, void *arg)
{
	(void)arg;
	return (uint32_t)event->cookie;
}

static void run(struct hft *h, struct hft_ring *ring, struct work *work)
{
	uint64_t end = hft_now() + PATIENCE;
	int i, before = atomic_load(&work->done);

	for (i = 0; i < TASKS; i++) {
		struct hft_task task = {
			.ring = hft_ring_number(ring), .cookie = (uint64_t)(i % 4),
			.level = i & 1 ? HFT_LEVEL_HIGH : HFT_LEVEL_NORMAL,
		};

		assert_int_equal(0, hft_submit(h, &task, NULL));
	}
	while (atomic_load(&work->done) < before + TASKS && hft_now() < end)
		usleep(1000);
	assert_int_equal(before + TASKS, atomic_load(&work->done));
}

/* The count of a task is there after its body: the last one's a moment later. */
static struct hft_pmc_sum worker_sum(const struct hft_worker *worker, uint32_t task_class,
				     uint64_t runs)
{
	struct hft_pmc_sum sum = { .sz = sizeof(sum) };
	uint64_t end = hft_now() + PATIENCE;

	do {
		assert_int_equal(0, hft_worker_metrics(worker, task_class, &sum));
	} while (sum.runs + sum.unread < runs && hft_now() < end);
	assert_int_equal(runs, sum.runs + sum.unread);
	return sum;
}

static void test_worker(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .entries = 256);
	struct work work = { .pages = PAGES };
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = body, .arg = &work, .metrics = &some,
		 .flags = HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	struct hft_pmc *probe = must_open(&some);
	bool counts = hft_pmc_valid(probe);
	struct hft_pmc_opts wrong = some;
	struct hft_worker *worker;
	struct hft_pmc_sum sum;
	struct hft_ring *ring;
	struct hft *h;
	uint32_t i;

	(void)state;
	hft_pmc_close(probe);
	assert_int_equal(0, hft_open(&h, &opts));
	assert_int_equal(0, hft_ring_open(h, &ring_opts, &ring));

	assert_int_equal(0, hft_worker_start(ring, &worker_opts, &worker));
	run(h, ring, &work);
	sum = worker_sum(worker, HFT_LEVEL_HIGH, TASKS / 2);
	assert_int_equal(counts ? SOME_VALID : 0, sum.valid);
	assert_true(!counts || sum.counts[0] >= TASKS / 2 * PAGES);
	worker_sum(worker, HFT_LEVEL_NORMAL, TASKS / 2);
	worker_sum(worker, HFT_LEVEL_LOW, 0);
	assert_int_equal(-EINVAL, hft_worker_metrics(worker, HFT_CLASSES, &sum));
	assert_int_equal(0, hft_worker_stop(worker));

	worker_opts.metrics_class = class_of;
	assert_int_equal(0, hft_worker_start(ring, &worker_opts, &worker));
	run(h, ring, &work);
	for (i = 0; i < 4; i++)
		worker_sum(worker, i, TASKS / 4);
	assert_int_equal(0, hft_worker_stop(worker));

	wrong.flags = 1U << 30;
	worker_opts.metrics = &wrong;
	assert_int_equal(-EINVAL, hft_worker_start(ring, &worker_opts, &worker));
	worker_opts.metrics = NULL;
	assert_int_equal(0, hft_worker_start(ring, &worker_opts, &worker));
	run(h, ring, &work);
	assert_int_equal(-EOPNOTSUPP, hft_worker_metrics(worker, 0, &sum));
	assert_int_equal(0, hft_worker_stop(worker));
	hft_ring_close(ring);
	hft_close(h);
}

/* What the kernel would count: nothing where there is no kernel, and no error. */
static void test_no_kernel(void **state)
{
	static const char * const backends[] = { "soft", "sim" };
	struct hft_metrics metrics;
	struct hft_stats stats;
	struct hft_ring *ring;
	struct hft *h;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		HFT_OPTS(hft_opts, opts, .backend = backends[i]);
		HFT_OPTS(hft_ring_opts, ring_opts, .flags = HFT_RING_METRICS);
		struct hft_pmu pmu = { .valid = 1, .metrics_valid = 1 };
		struct hft_task task = { .level = HFT_LEVEL_NORMAL };

		assert_int_equal(0, hft_open(&h, &opts));
		assert_int_equal(0, hft_pmu(h, &pmu));
		assert_int_equal(0, pmu.valid | pmu.metrics_valid);
		assert_int_equal(0, hft_ring_open(h, &ring_opts, &ring));
		task.ring = hft_ring_number(ring);
		assert_int_equal(0, hft_submit(h, &task, NULL));
		assert_int_equal(1, hft_wait(ring, HFT_WAIT_FOREVER));
		assert_non_null(hft_ring_peek(ring));
		hft_ring_advance(ring);
		assert_int_equal(-EOPNOTSUPP, hft_ring_metrics(ring, 0, &metrics));
		assert_int_equal(0, hft_stats(h, task.ring, &stats));
		assert_int_equal(0, stats.metrics_valid);
		hft_ring_close(ring);
		hft_close(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_sums_are_read_meanwhile),
		cmocka_unit_test(test_rdpmc),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_no_kernel),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
