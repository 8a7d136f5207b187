// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* hft/stats.h: histograms of the library against the values themselves. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/stats.h>

#include "random.h"

#define VALUES	5000

struct pair {
	struct hft_histogram *a, *b;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	*state = pair;
	return !pair || hft_histogram_open(&pair->a) || hft_histogram_open(&pair->b) ? -1 : 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	hft_histogram_close(pair->a);
	hft_histogram_close(pair->b);
	hft_histogram_close(NULL);
	free(pair);
	return 0;
}

static struct hft_hist_summary summary_of(const struct hft_histogram *histogram)
{
	HFT_OPTS(hft_hist_summary, summary);

	assert_int_equal(hft_histogram_summary(histogram, &summary), 0);
	return summary;
}

static void test_empty(void **state)
{
	struct pair *pair = *state;
	struct hft_hist_summary summary = summary_of(pair->a);
	uint64_t behind = 1;

	assert_int_equal(summary.count, 0);
	assert_int_equal(summary.jitter_ns, 0);
	assert_int_equal(summary.p9999_ns, 0);
	assert_int_equal(hft_histogram_percentile(pair->a, 500000, &behind), 0);
	assert_int_equal(behind, 0);
	assert_int_equal(hft_histogram_diff(pair->a, pair->b), 0);
}

/* Values of which each has a bucket: all that is said is exact. */
static void test_summary(void **state)
{
	struct pair *pair = *state;
	struct hft_hist_summary summary;
	uint64_t behind;
	int i;

	for (i = 1; i <= 100; i++)
		hft_histogram_record(pair->a, i);
	summary = summary_of(pair->a);
	assert_int_equal(summary.count, 100);
	assert_int_equal(summary.sum_ns, 5050);
	assert_int_equal(summary.min_ns, 1);
	assert_int_equal(summary.max_ns, 100);
	assert_int_equal(summary.mean_ns, 50);
	assert_int_equal(summary.p50_ns, 50);
	assert_int_equal(summary.p90_ns, 90);
	assert_int_equal(summary.p99_ns, 99);
	assert_int_equal(summary.p999_ns, 100);
	/* sqrt((100^2 - 1) / 12) = 28.87 */
	assert_int_equal(summary.jitter_ns, 29);
	assert_int_equal(hft_histogram_percentile(pair->a, 990000, &behind), 99);
	assert_int_equal(behind, 2);
	assert_int_equal(hft_histogram_percentile(pair->a, 1000000, &behind), 100);
	assert_int_equal(behind, 1);
	assert_int_equal(hft_histogram_percentile(pair->a, UINT32_MAX, NULL), 100);
}

static void test_summary_sizes(void **state)
{
	struct pair *pair = *state;
	struct hft_hist_summary summary = { .sz = 0 };
	struct {
		struct hft_hist_summary known;
		uint64_t newer;
	} larger = { .known = { .sz = sizeof(larger) }, .newer = 7 };

	assert_int_equal(hft_histogram_summary(pair->a, &summary), -EINVAL);
	summary.sz = offsetof(struct hft_hist_summary, sum_ns);
	summary.sum_ns = 42;
	hft_histogram_record(pair->a, 5);
	assert_int_equal(hft_histogram_summary(pair->a, &summary), 0);
	assert_int_equal(summary.count, 1);
	assert_int_equal(summary.sum_ns, 42);
	assert_int_equal(hft_histogram_summary(pair->a, &larger.known), 0);
	assert_int_equal(larger.newer, 0);
}

/* What came between two looks, in every bucket. */
static void test_diff(void **state)
{
	struct pair *pair = *state;
	struct hft_histogram *since;
	uint64_t random = 3, value, low, high;
	struct hft_hist_summary left;
	uint32_t i;

	assert_int_equal(hft_histogram_open(&since), 0);
	for (i = 0; i < VALUES; i++)
		hft_histogram_record(pair->a, random_u64(&random) >> (30 + i % 34));
	hft_histogram_merge(pair->b, pair->a);
	for (i = 0; i < VALUES; i++) {
		value = 1000 + random_u64(&random) % 100000;
		hft_histogram_record(pair->a, value);
		hft_histogram_record(since, value);
	}
	assert_int_equal(hft_histogram_diff(pair->a, pair->b), 0);
	for (i = 0; hft_histogram_bucket(since, i, NULL, NULL) != UINT64_MAX; i++)
		assert_int_equal(hft_histogram_bucket(pair->a, i, &low, &high),
				 hft_histogram_bucket(since, i, NULL, NULL));
	left = summary_of(pair->a);
	assert_int_equal(left.count, VALUES);
	assert_int_equal(left.sum_ns, summary_of(since).sum_ns);
	assert_true(left.min_ns <= summary_of(since).min_ns);
	assert_true(left.min_ns >= 1000 * 127 / 128);
	assert_true(left.max_ns >= summary_of(since).max_ns);
	assert_true(left.max_ns <= 101000ULL * 129 / 128);

	/* The other way round it is none, and nothing is changed. */
	assert_int_equal(hft_histogram_diff(pair->b, pair->a), -EINVAL);
	assert_int_equal(summary_of(pair->b).count, VALUES);
	hft_histogram_close(since);
}

static void test_diff_to_nothing(void **state)
{
	struct pair *pair = *state;
	struct hft_hist_summary left;

	hft_histogram_record(pair->a, 77);
	hft_histogram_merge(pair->b, pair->a);
	assert_int_equal(hft_histogram_diff(pair->a, pair->b), 0);
	left = summary_of(pair->a);
	assert_int_equal(left.count | left.sum_ns | left.min_ns | left.max_ns, 0);
	hft_histogram_record(pair->a, 99);
	assert_int_equal(summary_of(pair->a).min_ns, 99);
	hft_histogram_reset(pair->a);
	assert_int_equal(summary_of(pair->a).count, 0);
}

static void test_csv(void **state)
{
	static const char expected[] = "low_ns,high_ns,count,cumulated\n5,5,2,2\n"
				       "1000,1003,1,3\n17112760320,20000000000,1,4\n";
	struct pair *pair = *state;
	char text[256] = "";
	FILE *file = tmpfile();

	assert_non_null(file);
	hft_histogram_record(pair->a, 5);
	hft_histogram_record(pair->a, 5);
	hft_histogram_record(pair->a, 1003);
	hft_histogram_record(pair->a, 20000000000ULL);
	assert_int_equal(hft_histogram_csv(pair->a, fileno(file)), 0);
	rewind(file);
	assert_int_equal(fread(text, 1, sizeof(text) - 1, file), sizeof(expected) - 1);
	assert_string_equal(text, expected);
	fclose(file);
	assert_int_equal(hft_histogram_csv(pair->a, -1), -EBADF);
}

static void test_names(void **state)
{
	uint32_t kind, other;

	(void)state;
	for (kind = 0; kind < HFT_KINDS; kind++) {
		assert_non_null(hft_kind_name(kind));
		for (other = 0; other < kind; other++)
			assert_string_not_equal(hft_kind_name(kind), hft_kind_name(other));
	}
	assert_null(hft_kind_name(HFT_KINDS));
	assert_null(hft_kind_name((enum hft_kind)-1));
}

static void *record_all(void *arg)
{
	uint64_t random = 9;
	int i;

	for (i = 0; i < 200000; i++)
		hft_histogram_record(arg, random_u64(&random) % 1000000);
	return NULL;
}

/* Snapshots of what is recorded to meanwhile: each has all of the one before. */
static void test_diff_while_recording(void **state)
{
	struct pair *pair = *state;
	struct hft_histogram *now;
	uint64_t count = 0, before;
	pthread_t writer;

	assert_int_equal(hft_histogram_open(&now), 0);
	assert_int_equal(pthread_create(&writer, NULL, record_all, pair->a), 0);
	while (count < 200000) {
		before = count;
		hft_histogram_reset(now);
		hft_histogram_merge(now, pair->a);
		count = summary_of(now).count;
		assert_int_equal(hft_histogram_diff(now, pair->b), 0);
		assert_int_equal(summary_of(now).count, count - before);
		hft_histogram_merge(pair->b, now);
	}
	pthread_join(writer, NULL);
	assert_int_equal(summary_of(pair->b).count, 200000);
	hft_histogram_close(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_summary_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_diff, setup, teardown),
		cmocka_unit_test_setup_teardown(test_diff_to_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_csv, setup, teardown),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_diff_while_recording, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
