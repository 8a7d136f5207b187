// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan */
/*
 * The deque: each item comes out once, in order, whoever takes it and however it grows.
 *
 * HFT_TEST_SCALE=10 has 10^9 operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "../include/scale.h"
#include "pool/deque.h"
#include "random.h"
#include "spin.h"

#define THIEVES		3
#define BURST		64
#if defined(__SANITIZE_THREAD__)
#define OPERATIONS	1000000ULL
#elif defined(__SANITIZE_ADDRESS__)
#define OPERATIONS	20000000ULL
#else
#define OPERATIONS	100000000ULL
#endif

static void *item_of(uintptr_t n)
{
	return (void *)((n + 1) << 4);
}

static uintptr_t number_of(const void *item)
{
	return ((uintptr_t)item >> 4) - 1;
}

static int set_up(void **state)
{
	struct hft_deque *deque = aligned_alloc(64, sizeof(*deque));

	memset(deque, 0, sizeof(*deque));
	*state = deque;
	return hft_deque_init(deque, 2);
}

static int tear_down(void **state)
{
	hft_deque_exit(*state);
	free(*state);
	return 0;
}

static void owner_and_thief_have_their_ends(void **state)
{
	struct hft_deque *deque = *state;
	uintptr_t i;

	assert_null(hft_deque_take(deque));
	assert_null(hft_deque_steal(deque));
	for (i = 0; i < 100; i++)
		assert_int_equal(hft_deque_push(deque, item_of(i)), 0);
	assert_int_equal(hft_deque_count(deque), 100);
	for (i = 0; i < 50; i++) {
		assert_int_equal(number_of(hft_deque_take(deque)), 99 - i);
		assert_int_equal(number_of(hft_deque_steal(deque)), i);
	}
	assert_null(hft_deque_take(deque));
	assert_null(hft_deque_steal(deque));
	assert_int_equal(hft_deque_count(deque), 0);
}

/* What thieves have left is used again before there is more memory. */
static void it_grows_for_what_is_in_it_alone(void **state)
{
	struct hft_deque *deque = *state;
	uintptr_t i;

	for (i = 0; i < 1000; i++) {
		assert_int_equal(hft_deque_push(deque, item_of(2 * i)), 0);
		assert_int_equal(hft_deque_push(deque, item_of(2 * i + 1)), 0);
		assert_int_equal(number_of(hft_deque_steal(deque)), 2 * i);
		assert_int_equal(number_of(hft_deque_steal(deque)), 2 * i + 1);
	}
	assert_int_equal(atomic_load(&deque->array)->mask, 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(hft_deque_push(deque, item_of(i)), 0);
	assert_int_equal(atomic_load(&deque->array)->mask, 3);
}

/* What has gone in or come out: the same numbers, each as often. */
struct sum {
	uint64_t nr;
	uint64_t of_hashes;
};

struct thief {
	struct hft_deque *deque;
	const atomic_bool *done;
	struct sum sum;
	bool wrong;
};

static void add(struct sum *sum, uintptr_t number)
{
	uint64_t hash = number;

	sum->nr++;
	sum->of_hashes += random_u64(&hash);
}

static void *steal_until_done(void *arg)
{
	struct thief *thief = arg;
	uintptr_t last = 0;
	void *item;

	do {
		item = hft_deque_steal(thief->deque);
		if (!item)
			hft_pause();
		if (!item || item == HFT_DEQUE_LOST)
			continue;
		/* The oldest first: what one thief gets only grows. */
		if (thief->sum.nr && number_of(item) <= last)
			thief->wrong = true;
		last = number_of(item);
		add(&thief->sum, last);
	} while (!atomic_load_explicit(thief->done, memory_order_acquire));
	return NULL;
}

static void push_some(struct hft_deque *deque, uint32_t nr, struct sum *pushed)
{
	while (nr--) {
		uintptr_t number = pushed->nr;

		assert_int_equal(hft_deque_push(deque, item_of(number)), 0);
		add(pushed, number);
	}
}

static void take_some(struct hft_deque *deque, uint32_t nr, struct sum *taken)
{
	void *item;

	while (nr-- && (item = hft_deque_take(deque)))
		add(taken, number_of(item));
}

/* Each item is pushed once, and taken or stolen once: that makes two operations. */
static void each_item_comes_out_once(void **state)
{
	struct sum pushed = {}, taken = {}, stolen = {};
	struct thief thieves[THIEVES];
	pthread_t threads[THIEVES];
	atomic_bool done = false;
	uint64_t operations = hft_test_scaled(OPERATIONS), random = 1, told = 0;
	uint32_t i;

	for (i = 0; i < THIEVES; i++) {
		thieves[i] = (struct thief){ .deque = *state, .done = &done };
		assert_int_equal(pthread_create(&threads[i], NULL, steal_until_done, &thieves[i]),
				 0);
	}
	while (pushed.nr < operations / 2) {
		push_some(*state, 1 + random_below(&random, BURST), &pushed);
		take_some(*state, random_below(&random, BURST), &taken);
		if (pushed.nr * 20 / operations == told)
			continue;
		told = pushed.nr * 20 / operations;
		print_message("%llu0 %% of %llu operations\n", (unsigned long long)told,
			      (unsigned long long)operations);
	}
	take_some(*state, UINT32_MAX, &taken);
	atomic_store_explicit(&done, true, memory_order_release);
	for (i = 0; i < THIEVES; i++) {
		pthread_join(threads[i], NULL);
		assert_false(thieves[i].wrong);
		stolen.nr += thieves[i].sum.nr;
		stolen.of_hashes += thieves[i].sum.of_hashes;
	}
	print_message("%llu pushed, %llu taken, %llu stolen\n", (unsigned long long)pushed.nr,
		      (unsigned long long)taken.nr, (unsigned long long)stolen.nr);
	assert_int_equal(taken.nr + stolen.nr, pushed.nr);
	assert_true(taken.of_hashes + stolen.of_hashes == pushed.of_hashes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owner_and_thief_have_their_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_grows_for_what_is_in_it_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(each_item_comes_out_once, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
