// SPDX-License-Identifier: GPL-2.0-only
/* kmod/core/hist.h against sorted values, and read while it is written. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/hist.h"
#include "random.h"

#define SAMPLES		20000
#define SHARED_SAMPLES	3000000

static int setup(void **state)
{
	*state = calloc(2, sizeof(struct hft_hist));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* As many small values as large ones. */
static u64 random_value(uint64_t *random)
{
	u64 value = random_u64(random);

	return value >> random_below(random, 64);
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(HFT_HIST_BUCKETS, 28 * 128);
	assert_int_equal(sizeof(struct hft_hist), 28720);
}

static void test_buckets_cover_u64(void **state)
{
	u64 next = 0;
	u32 i;

	(void)state;
	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		assert_int_equal(hft_hist_low(i), next);
		assert_int_equal(hft_hist_index(hft_hist_low(i)), i);
		assert_int_equal(hft_hist_index(hft_hist_high(i)), i);
		assert_true(i == HFT_HIST_BUCKETS - 1 ||
			    hft_hist_high(i) - hft_hist_low(i) <= hft_hist_low(i) / HFT_HIST_SUB);
		next = hft_hist_high(i) + 1;
	}
	assert_int_equal(next, 0);
}

static void test_empty(void **state)
{
	const struct hft_hist *h = *state;

	assert_int_equal(hft_hist_count(h), 0);
	assert_int_equal(hft_hist_min(h), 0);
	assert_int_equal(hft_hist_max(h), 0);
	assert_int_equal(hft_hist_percentile(h, 500000), 0);
}

static void test_one_value(void **state)
{
	static const u64 values[] = { 0, 1, 127, 128, 12345678, 1ULL << 63, U64_MAX };
	struct hft_hist *h = *state;
	u32 i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		hft_hist_reset(h);
		hft_hist_record(h, values[i]);
		assert_int_equal(hft_hist_count(h), 1);
		assert_int_equal(hft_hist_min(h), values[i]);
		assert_int_equal(hft_hist_max(h), values[i]);
		assert_int_equal(hft_hist_percentile(h, 0), values[i]);
		assert_int_equal(hft_hist_percentile(h, HFT_HIST_PPM), values[i]);
	}
}

static void test_small_values_are_exact(void **state)
{
	struct hft_hist *h = *state;
	u32 i;

	for (i = 1; i <= 100; i++)
		hft_hist_record(h, i);
	for (i = 1; i <= 100; i++) {
		assert_int_equal(hft_hist_percentile(h, i * 10000), i);
		assert_int_equal(hft_hist_percentile(h, i * 10000 - 9999), i);
	}
}

static void check_percentile(const struct hft_hist *h, const u64 *sorted, u32 nr, u32 ppm)
{
	u64 rank = ((u64)nr * ppm + HFT_HIST_PPM - 1) / HFT_HIST_PPM;
	u64 exact = sorted[rank ? rank - 1 : 0];
	u64 value = hft_hist_percentile(h, ppm);

	assert_true(value >= exact);
	if (exact < hft_hist_low(HFT_HIST_BUCKETS - 1))
		assert_true(value - exact <= exact / HFT_HIST_SUB);
	else
		assert_int_equal(value, hft_hist_max(h));
}

static void check_sorted(const struct hft_hist *h, const u64 *sorted, u32 nr)
{
	static const u32 ppm[] = { 0, 1, 10000, 500000, 900000, 990000, 999000, 999999,
				   HFT_HIST_PPM };
	u32 i;

	assert_int_equal(hft_hist_count(h), nr);
	assert_int_equal(hft_hist_min(h), sorted[0]);
	assert_int_equal(hft_hist_max(h), sorted[nr - 1]);
	for (i = 0; i < sizeof(ppm) / sizeof(ppm[0]); i++)
		check_percentile(h, sorted, nr, ppm[i]);
}

static void test_random(void **state)
{
	u64 *values = calloc(SAMPLES, sizeof(*values));
	struct hft_hist *h = *state;
	uint64_t random = 1;
	u32 i;

	assert_non_null(values);
	for (i = 0; i < SAMPLES; i++) {
		values[i] = random_value(&random);
		hft_hist_record(h, values[i]);
	}
	qsort(values, SAMPLES, sizeof(*values), compare);
	check_sorted(h, values, SAMPLES);
	free(values);
}

static void test_merge(void **state)
{
	u64 *values = calloc(SAMPLES, sizeof(*values));
	struct hft_hist *h = *state;
	uint64_t random = 2;
	u32 i;

	assert_non_null(values);
	for (i = 0; i < SAMPLES; i++) {
		values[i] = random_value(&random);
		hft_hist_record(&h[i & 1], values[i]);
	}
	qsort(values, SAMPLES, sizeof(*values), compare);
	hft_hist_merge(&h[0], &h[1]);
	check_sorted(&h[0], values, SAMPLES);
	hft_hist_reset(&h[1]);
	hft_hist_merge(&h[0], &h[1]);
	check_sorted(&h[0], values, SAMPLES);
	hft_hist_merge(&h[1], &h[0]);
	check_sorted(&h[1], values, SAMPLES);
	free(values);
}

/* The first value is being recorded: its bucket comes after the extremes. */
static void test_merge_of_a_first_value(void **state)
{
	struct hft_hist *h = *state;

	h[1].max = 5;
	h[1].min_inverted = ~5ULL;
	hft_hist_merge(&h[0], &h[1]);
	assert_int_equal(hft_hist_count(&h[0]), 0);
	assert_int_equal(hft_hist_max(&h[0]), 0);
}

/* Counts whose product with a share leaves 64 bits. */
static void test_large_counts(void **state)
{
	struct hft_hist *h = *state;

	h->count = 1ULL << 63;
	h->bucket[10] = h->count - h->count / 1000;
	h->bucket[20] = h->count / 1000;
	h->min_inverted = ~10ULL;
	h->max = 20;
	assert_int_equal(hft_hist_percentile(h, 500000), 10);
	assert_int_equal(hft_hist_percentile(h, 998999), 10);
	assert_int_equal(hft_hist_percentile(h, 999001), 20);
	assert_int_equal(hft_hist_percentile(h, HFT_HIST_PPM), 20);
}

/* The count may be ahead of the buckets for a reader. */
static void test_count_ahead(void **state)
{
	struct hft_hist *h = *state;

	hft_hist_record(h, 5);
	h->count = 2;
	assert_int_equal(hft_hist_percentile(h, HFT_HIST_PPM), 5);
}

static void *write_all(void *arg)
{
	struct hft_hist *h = arg;
	uint64_t random = 3;
	u32 i;

	for (i = 0; i < SHARED_SAMPLES; i++)
		hft_hist_record(h, 1000 + random_below(&random, 1000));
	return NULL;
}

/* A reader sees sane figures at any moment; TSan sees that no access is plain. */
static void test_read_while_written(void **state)
{
	struct hft_hist *h = *state;
	pthread_t writer;
	u64 before = 0, count;
	u64 p50;

	assert_int_equal(pthread_create(&writer, NULL, write_all, &h[0]), 0);
	do {
		count = hft_hist_count(&h[0]);
		p50 = hft_hist_percentile(&h[0], 500000);
		assert_true(count >= before);
		assert_true(!p50 || (p50 >= 1000 && p50 < 2000));
		assert_true(hft_hist_min(&h[0]) == 0 || hft_hist_min(&h[0]) >= 1000);
		assert_true(hft_hist_max(&h[0]) < 2000);
		hft_hist_reset(&h[1]);
		hft_hist_merge(&h[1], &h[0]);
		before = count;
	} while (count < SHARED_SAMPLES);
	assert_int_equal(pthread_join(writer, NULL), 0);
	hft_hist_reset(&h[1]);
	hft_hist_merge(&h[1], &h[0]);
	assert_int_equal(hft_hist_count(&h[1]), SHARED_SAMPLES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_buckets_cover_u64),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_values_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merge_of_a_first_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_count_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_while_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
