// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Memory on a node: what was had of it, what was not and why, as the kernel tells. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/memory.h>

#define MIB	(1UL << 20)

/* The sanitizers' mlock() does nothing, and says that it did. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKS	0
#else
#define LOCKS	1
#endif

static size_t page;

static struct hft_region alloc_on(size_t bytes, uint32_t node, uint32_t flags)
{
	HFT_OPTS(hft_alloc_opts, opts, .node = node, .flags = flags);
	HFT_OPTS(hft_region, region);

	assert_int_equal(hft_alloc_on(&region, bytes, &opts), 0);
	assert_non_null(region.memory);
	assert_int_equal((uintptr_t)region.memory % page, 0);
	assert_int_equal(region.bytes, bytes);
	return region;
}

static struct hft_region_report check(const struct hft_region *region)
{
	HFT_OPTS(hft_region_report, report);

	assert_int_equal(hft_region_check(region, &report), 0);
	assert_int_equal(report.pages, (region->bytes + page - 1) / page);
	assert_int_equal(report.on_node + report.elsewhere + report.absent + report.unknown,
			 report.pages);
	return report;
}

static void all_of_it_is_usable(const struct hft_region *region)
{
	unsigned char *bytes = region->memory;
	size_t i;

	for (i = 0; i < region->bytes; i++)
		assert_int_equal(bytes[i], 0);
	memset(bytes, 0xa5, region->bytes);
}

static void it_is_in_place_and_locked(void **state)
{
	static const size_t sizes[] = { 1, 4096, 4097, 100000, 2 * MIB, 5 * MIB + 1 };
	struct hft_region_report report;
	struct hft_region region;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		region = alloc_on(sizes[i], 0, 0);
		report = check(&region);
		assert_int_equal(report.absent, 0);
		assert_true(region.has & HFT_REGION_PREFAULTED);
		if (region.has & HFT_REGION_LOCKED)
			assert_int_equal(report.locked_bytes, LOCKS ? sizes[i] : 0);
		else
			assert_int_not_equal(region.lock_error, 0);
		if (region.has & HFT_REGION_BOUND)
			assert_int_equal(report.on_node, report.pages);
		all_of_it_is_usable(&region);
		hft_free_on(&region);
		assert_null(region.memory);
		hft_free_on(&region);
	}
	hft_free_on(NULL);
}

static void or_not(void **state)
{
	struct hft_region_report report;
	struct hft_region region;

	(void)state;
	region = alloc_on(8 * page, 0, HFT_ALLOC_NO_PREFAULT | HFT_ALLOC_NO_LOCK);
	report = check(&region);
	assert_int_equal(report.absent, 8);
	assert_int_equal(report.locked_bytes, 0);
	assert_int_equal(region.has & (HFT_REGION_PREFAULTED | HFT_REGION_LOCKED), 0);
	((char *)region.memory)[3 * page] = 1;
	assert_int_equal(check(&region).absent, 7);
	assert_non_null(strstr(report.text, "8 absent"));
	hft_free_on(&region);
}

static void a_node_that_is_not_there_is_told(void **state)
{
	HFT_OPTS(hft_alloc_opts, opts, .node = 1 + 1000, .flags = HFT_ALLOC_STRICT);
	HFT_OPTS(hft_region, none);
	struct hft_region region = alloc_on(page, 1 + 1000, 0);
	struct hft_region_report report = check(&region);

	(void)state;
	assert_int_equal(region.node, 1000);
	assert_true(region.bind_error < 0);
	assert_false(region.has & HFT_REGION_BOUND);
	assert_int_equal(report.elsewhere, 1);
	assert_non_null(strstr(report.text, "0 of 1 pages on node 1000"));
	assert_non_null(strstr(report.text, "; mbind: "));
	hft_free_on(&region);
	assert_int_equal(hft_alloc_on(&none, page, &opts), region.bind_error);
	assert_null(none.memory);
	opts.node = 1 + 5000;
	assert_int_equal(hft_alloc_on(&none, page, &opts), -EINVAL);
}

static void the_caller_s_node_is_known(void **state)
{
	int node = hft_cpu_node((uint32_t)sched_getcpu());
	HFT_OPTS(hft_alloc_opts, opts, .cpu = 1 + (uint32_t)sched_getcpu());
	HFT_OPTS(hft_region, region);

	(void)state;
	assert_int_equal(hft_cpu_node(999999), -ENOENT);
	assert_int_equal(hft_alloc_on(&region, page, &opts), 0);
	assert_int_equal(region.node, node < 0 ? (int)HFT_NONE : node);
	hft_free_on(&region);
}

/* Either huge pages of the pool, or transparent ones, or a reason for neither. */
static void huge_pages_where_there_are_any(void **state)
{
	struct hft_region region = alloc_on(8 * MIB, 0, 0);
	struct hft_region_report report = check(&region);

	(void)state;
	if (region.has & HFT_REGION_HUGETLB) {
		assert_int_equal(report.huge_bytes, 8 * MIB);
	} else {
		assert_int_not_equal(region.hugetlb_error, 0);
		assert_true(region.has & HFT_REGION_THP || region.thp_error);
		assert_non_null(strstr(report.text, "; huge pages of the pool: "));
	}
	assert_true(report.huge_bytes <= 8 * MIB);
	hft_free_on(&region);

	region = alloc_on(8 * MIB, 0, HFT_ALLOC_NO_HUGE);
	assert_int_equal(region.has & (HFT_REGION_HUGETLB | HFT_REGION_THP), 0);
	assert_int_equal(region.hugetlb_error | region.thp_error, 0);
	assert_int_equal(check(&region).huge_bytes, 0);
	hft_free_on(&region);
}

/* In a child, as a user who may lock nothing. */
static void what_may_not_be_locked_is_told(void **state)
{
	const struct rlimit none = {};
	struct hft_region_report report = { .sz = sizeof(report) };
	HFT_OPTS(hft_region, region);
	bool good;
	int status;
	pid_t pid;

	(void)state;
	if (!LOCKS)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		good = !setrlimit(RLIMIT_MEMLOCK, &none) && (getuid() || !setuid(65534));
		good = good && !hft_alloc_on(&region, page, NULL);
		good = good && region.memory && region.lock_error == -EPERM;
		good = good && !(region.has & HFT_REGION_LOCKED);
		good = good && !hft_region_check(&region, &report) && !report.locked_bytes;
		good = good && strstr(report.text, "; mlock: ");
		hft_free_on(&region);
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_was_moved_is_seen(void **state)
{
	struct hft_region region = alloc_on(4 * page, 0, HFT_ALLOC_NO_LOCK);

	(void)state;
	assert_int_equal(check(&region).absent, 0);
	assert_int_equal(madvise((char *)region.memory + page, page, MADV_DONTNEED), 0);
	assert_int_equal(check(&region).absent, 1);
	hft_free_on(&region);
}

static void nonsense_is_refused(void **state)
{
	HFT_OPTS(hft_alloc_opts, opts, .flags = 1U << 31);
	HFT_OPTS(hft_region_report, report);
	HFT_OPTS(hft_region, region);

	(void)state;
	assert_int_equal(hft_alloc_on(&region, page, &opts), -EINVAL);
	opts.flags = 0;
	opts.reserved = 1;
	assert_int_equal(hft_alloc_on(&region, page, &opts), -EINVAL);
	assert_int_equal(hft_alloc_on(&region, 0, NULL), -EINVAL);
	assert_int_equal(hft_alloc_on(&region, SIZE_MAX, NULL), -EINVAL);
	assert_int_equal(hft_alloc_on(&region, 1UL << 60, NULL), -ENOMEM);
	assert_int_equal(hft_region_check(&region, &report), -EINVAL);
	region.sz = 8;
	assert_int_equal(hft_alloc_on(&region, page, NULL), -EINVAL);
	region.sz = 0;
	assert_int_equal(hft_alloc_on(&region, page, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_in_place_and_locked),
		cmocka_unit_test(or_not),
		cmocka_unit_test(a_node_that_is_not_there_is_told),
		cmocka_unit_test(the_caller_s_node_is_known),
		cmocka_unit_test(huge_pages_where_there_are_any),
		cmocka_unit_test(what_may_not_be_locked_is_told),
		cmocka_unit_test(what_was_moved_is_seen),
		cmocka_unit_test(nonsense_is_refused),
	};

	page = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
