// SPDX-License-Identifier: GPL-2.0-only
/* The library's clock beside the kernel's, where no device calibrates it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include <engine/internal.h>

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

#define TOLERANCE_NS	1000	/* what a pair read outside of the kernel leaves in doubt */
#define THREADS		4

static uint64_t kernel_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* How far hft_now() is outside of two readings of the kernel's clock around it. */
static uint64_t error_now(void)
{
	uint64_t before = kernel_now();
	uint64_t now = hft_now();
	uint64_t after = kernel_now();

	if (now < before)
		return before - now;
	return now > after ? now - after : 0;
}

static void test_agrees_with_the_kernel(void **state)
{
	uint64_t end = kernel_now() + 400 * NSEC_PER_MSEC;

	/* From the first reading, through the calibration and some renewals. */
	(void)state;
	while (kernel_now() < end)
		assert_in_range(error_now(), 0, TOLERANCE_NS);
}

static void test_agrees_after_a_rest(void **state)
{
	const struct timespec rest = { .tv_nsec = 300 * NSEC_PER_MSEC };
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		nanosleep(&rest, NULL);
		assert_in_range(error_now(), 0, TOLERANCE_NS);
	}
}

static void *read_clock(void *arg)
{
	uint64_t last = hft_now(), end = last + 400 * NSEC_PER_MSEC;
	uint64_t *backwards = arg;

	while (last < end) {
		uint64_t now = hft_now();

		*backwards += now < last;
		last = now;
	}
	return NULL;
}

static void test_never_backwards(void **state)
{
	uint64_t backwards[THREADS] = { 0 };
	pthread_t thread[THREADS];
	int i;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_clock, &backwards[i]), 0);
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(backwards[i], 0);
	}
}

static void test_spin_is_never_early(void **state)
{
	uint64_t when, end;
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		when = kernel_now() + (uint64_t)(i % 100) * 50;
		end = hft_spin_until(when);
		assert_true(end >= when);
		assert_true(kernel_now() + TOLERANCE_NS >= when);
	}
}

static void test_spin_over_renewals(void **state)
{
	uint64_t when = kernel_now() + 350 * NSEC_PER_MSEC;
	uint64_t end = hft_spin_until(when);

	(void)state;
	assert_true(end >= when);
	assert_true(kernel_now() + TOLERANCE_NS >= when);
}

static void test_spin_for_the_past(void **state)
{
	uint64_t before = hft_now();

	(void)state;
	assert_true(hft_spin_until(0) >= before);
	assert_true(hft_spin_until(before) >= before);
	assert_true(hft_spin_until(before - NSEC_PER_SEC) >= before);
}

static void test_without_a_device(void **state)
{
	(void)state;
	assert_true(hft_clock_open("/nonexistent/hft") < 0);
	assert_in_range(error_now(), 0, TOLERANCE_NS);
}

/* A device that has no HFT_IOC_CLOCK: the kernel's clock stays. */
static void test_with_another_device(void **state)
{
	(void)state;
	assert_int_equal(hft_clock_open("/dev/null"), 0);
	assert_int_equal(hft_clock_open("/dev/null"), 0);
	assert_false(hft_clock_is_tsc());
	assert_in_range(error_now(), 0, 0);
	assert_true(hft_spin_until(kernel_now() + 1000) <= kernel_now());
	hft_clock_close();
	hft_clock_close();
	assert_in_range(error_now(), 0, TOLERANCE_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_the_kernel),
		cmocka_unit_test(test_agrees_after_a_rest),
		cmocka_unit_test(test_never_backwards),
		cmocka_unit_test(test_spin_is_never_early),
		cmocka_unit_test(test_spin_over_renewals),
		cmocka_unit_test(test_spin_for_the_past),
		cmocka_unit_test(test_without_a_device),
		cmocka_unit_test(test_with_another_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
