// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* What the CPU offers, and that all builds of a body say the same. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/cpu.h>
#include <hft/hft.h>
#include <hft/stats.h>

#include "core/hist.h"
#include "cpu/cpu.h"

#define COUNTS	1000U

static uint64_t counts[COUNTS];

static uint64_t flags(void)
{
	HFT_OPTS(hft_cpu_features, features);

	assert_int_equal(hft_cpu_features(&features), 0);
	assert_string_equal(features.body, hft_body_choose(features.flags)->name);
	return features.flags;
}

/* In a virtual machine the kernel may hide more than the CPU does; it names no more. */
static void the_kernel_says_so_too(void **state)
{
	static const struct {
		enum hft_cpu_feature feature;
		const char *name;
	} known[] = {
		{ HFT_FEATURE_AVX2, " avx2 " },
		{ HFT_FEATURE_AVX512, " avx512bw " },
		{ HFT_FEATURE_BMI2, " bmi2 " },
		{ HFT_FEATURE_POPCNT, " popcnt " },
		{ HFT_FEATURE_RDTSCP, " rdtscp " },
		{ HFT_FEATURE_INVARIANT_TSC, " constant_tsc " },
		{ HFT_FEATURE_PREFETCHW, " 3dnowprefetch " },
		{ HFT_FEATURE_HYPERVISOR, " hypervisor " },
	};
	FILE *file = fopen("/proc/cpuinfo", "re");
	uint64_t have = flags();
	char *line = NULL;
	size_t size = 0, i;

	(void)state;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0 && strncmp(line, "flags", 5))
		;
	fclose(file);
	if (line)
		line[strcspn(line, "\n")] = ' ';
	for (i = 0; line && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strstr(line, known[i].name))
			assert_true(have >> known[i].feature & 1);
	}
	free(line);
}

static void what_is_hidden_is_not_there(void **state)
{
	char all[256] = "";
	uint64_t have;
	int i;

	(void)state;
	for (i = 0; i < HFT_CPU_FEATURES; i++) {
		assert_non_null(hft_cpu_feature_name((enum hft_cpu_feature)i));
		strcat(strcat(all, ","), hft_cpu_feature_name((enum hft_cpu_feature)i));
	}
	assert_null(hft_cpu_feature_name(HFT_CPU_FEATURES));
	have = flags();
	setenv("HFT_CPU_HIDE", "avx512,nonsense,", 1);
	assert_int_equal(flags(), have & ~(1ULL << HFT_FEATURE_AVX512));
	setenv("HFT_CPU_HIDE", "avx", 1);
	assert_int_equal(flags(), have);
	setenv("HFT_CPU_HIDE", all, 1);
	assert_int_equal(flags(), 0);
	assert_string_equal(hft_body_choose(0)->name, "generic");
	unsetenv("HFT_CPU_HIDE");
}

static void nonsense_is_refused(void **state)
{
	struct hft_cpu_features features = {};

	(void)state;
	assert_int_equal(hft_cpu_features(&features), -EINVAL);
}

/* Those that this CPU can run. */
static const struct hft_body *next_body(const struct hft_body *body)
{
	uint64_t have = hft_cpu_flags();

	for (body = body ? body + 1 : hft_bodies; body < hft_bodies + hft_nr_bodies; body++) {
		if ((have & body->needs) == body->needs)
			return body;
	}
	return NULL;
}

static void fill(uint32_t shape)
{
	uint32_t i;

	for (i = 0; i < COUNTS; i++) {
		counts[i] = (uint64_t)rand() % (shape % 4 ? 3 : 1000000);
		if (shape % 3 == 1 && rand() % 50)
			counts[i] = 0;
		if (shape % 5 == 4)
			counts[i] <<= 30;
	}
}

static void compare(const struct hft_body *body, uint32_t from, uint32_t nr, uint64_t rank)
{
	const struct hft_body *generic = &hft_bodies[hft_nr_bodies - 1];
	uint64_t below, wanted_below;

	assert_int_equal(body->find_rank(counts + from, nr, rank, &below),
			 generic->find_rank(counts + from, nr, rank, &wanted_below));
	assert_int_equal(below, wanted_below);
	assert_int_equal(body->sum(counts + from, nr), generic->sum(counts + from, nr));
}

static void all_builds_say_the_same(void **state)
{
	const struct hft_body *body = NULL;
	uint32_t shape, i, from, nr;
	uint64_t sum;

	(void)state;
	srand(7);
	for (shape = 0; shape < 60; shape++) {
		fill(shape);
		from = (uint32_t)rand() % 100;
		nr = (uint32_t)rand() % (COUNTS - from + 1);
		sum = hft_bodies[hft_nr_bodies - 1].sum(counts + from, nr);
		while ((body = next_body(body))) {
			for (i = 0; i < 40; i++)
				compare(body, from, nr, sum ? 1 + (uint64_t)rand() % sum : 1);
			compare(body, from, nr, 0);
			compare(body, from, nr, 1);
			compare(body, from, nr, sum);
			compare(body, from, nr, sum + 1);
			compare(body, from, nr, UINT64_MAX);
		}
	}
}

/* By a walk from the first on. */
static void the_generic_one_is_right(void **state)
{
	const struct hft_body *generic = &hft_bodies[hft_nr_bodies - 1];
	static const uint64_t few[] = { 2, 0, 3, 0 };
	uint64_t below;

	(void)state;
	assert_string_equal(generic->name, "generic");
	assert_int_equal(generic->sum(few, 4), 5);
	assert_int_equal(generic->find_rank(few, 4, 2, &below), 0);
	assert_int_equal(below, 0);
	assert_int_equal(generic->find_rank(few, 4, 3, &below), 2);
	assert_int_equal(below, 2);
	assert_int_equal(generic->find_rank(few, 4, 6, &below), 4);
	assert_int_equal(below, 5);
}

static void percentiles_are_the_core_s(void **state)
{
	struct hft_histogram *histogram;
	static struct hft_hist hist;
	uint64_t value;
	uint32_t i;

	(void)state;
	srand(8);
	assert_int_equal(hft_histogram_open(&histogram), 0);
	assert_int_equal(hft_histogram_percentile(histogram, 500000, NULL), 0);
	for (i = 0; i < 20000; i++) {
		value = (uint64_t)rand() >> rand() % 31;
		hft_histogram_record(histogram, value);
		hft_hist_record(&hist, value);
	}
	for (i = 0; i <= HFT_HIST_PPM; i += 997)
		assert_int_equal(hft_histogram_percentile(histogram, i, NULL),
				 hft_hist_percentile(&hist, i));
	hft_histogram_close(histogram);
}

static atomic_bool done;

static void *record(void *histogram)
{
	uint64_t value = 1;

	while (!atomic_load(&done)) {
		hft_histogram_record(histogram, value % 100000);
		value = value * 6364136223846793005ULL + 1442695040888963407ULL;
		value >>= 20;
	}
	return NULL;
}

/* Somebody records meanwhile: no percentile is beyond what there was or can be. */
static void a_writer_does_not_matter(void **state)
{
	struct hft_histogram *histogram;
	pthread_t thread;
	uint64_t value;
	int i;

	(void)state;
	assert_int_equal(hft_histogram_open(&histogram), 0);
	hft_histogram_record(histogram, 1000);
	assert_int_equal(pthread_create(&thread, NULL, record, histogram), 0);
	for (i = 0; i < 5000; i++) {
		value = hft_histogram_percentile(histogram, (uint32_t)i * 200, NULL);
		assert_in_range(value, 0, 100000);
	}
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	hft_histogram_close(histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_says_so_too),
		cmocka_unit_test(what_is_hidden_is_not_there),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_generic_one_is_right),
		cmocka_unit_test(all_builds_say_the_same),
		cmocka_unit_test(percentiles_are_the_core_s),
		cmocka_unit_test(a_writer_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
