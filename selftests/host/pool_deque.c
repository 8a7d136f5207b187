// SPDX-License-Identifier: GPL-2.0-only
/* The deque: each item comes out once, in order, whoever takes it and however it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "pool/deque.h"
#include "random.h"

#define THIEVES		3
#ifdef __SANITIZE_THREAD__
#define OPERATIONS	300000
#else
#define OPERATIONS	20000000
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

struct race {
	struct hft_deque *deque;
	unsigned char *seen;
	atomic_uintptr_t stolen;
	atomic_bool done;
};

static void see(struct race *race, const void *item)
{
	__atomic_add_fetch(&race->seen[number_of(item)], 1, __ATOMIC_RELAXED);
}

static void *thief(void *arg)
{
	struct race *race = arg;
	uintptr_t last = 0, stolen = 0;
	void *item;

	while (!atomic_load_explicit(&race->done, memory_order_acquire)) {
		item = hft_deque_steal(race->deque);
		if (!item || item == HFT_DEQUE_LOST)
			continue;
		/* The oldest first: what one thief gets only grows. */
		if (stolen && number_of(item) <= last)
			return NULL;
		last = number_of(item);
		stolen++;
		see(race, item);
	}
	atomic_fetch_add(&race->stolen, stolen);
	return race;
}

static void each_item_comes_out_once(void **state)
{
	struct race race = { .deque = *state };
	uint64_t random = 1;
	pthread_t threads[THIEVES];
	uintptr_t i, pushed = 0, taken = 0;
	void *item, *ok;

	race.seen = calloc(OPERATIONS, 1);
	assert_non_null(race.seen);
	for (i = 0; i < THIEVES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thief, &race), 0);
	for (i = 0; i < OPERATIONS; i++) {
		if (random_below(&random, 16) < 9) {
			assert_int_equal(hft_deque_push(race.deque, item_of(pushed)), 0);
			pushed++;
		} else if ((item = hft_deque_take(race.deque))) {
			see(&race, item);
			taken++;
		}
	}
	while ((item = hft_deque_take(race.deque))) {
		see(&race, item);
		taken++;
	}
	atomic_store_explicit(&race.done, true, memory_order_release);
	for (i = 0; i < THIEVES; i++) {
		pthread_join(threads[i], &ok);
		assert_non_null(ok);
	}
	assert_int_equal(taken + atomic_load(&race.stolen), pushed);
	for (i = 0; i < pushed; i++)
		assert_int_equal(race.seen[i], 1);
	print_message("%zu pushed, %zu taken, %zu stolen\n", (size_t)pushed, (size_t)taken,
		      (size_t)atomic_load(&race.stolen));
	free(race.seen);
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
