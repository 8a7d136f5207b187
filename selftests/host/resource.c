// SPDX-License-Identifier: GPL-2.0-only
/* Resources: who has them, and who is lent what. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "random.h"
#include "resource_actor.h"

#define CHAIN		40

#ifdef __SANITIZE_THREAD__
#define TURNS		5000
#else
#define TURNS		50000
#endif

static void it_is_ones_own_or_shared(void **state)
{
	struct hft_resource *r = make("book", 1);
	struct actor a;

	(void)state;
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_acquire(r), 0);
	assert_int_equal(hft_resource_try(r), -EBUSY);
	assert_int_equal(hft_resource_timed(r, hft_now() + PATIENCE), -EDEADLK);
	assert_int_equal(hft_resource_close(r), -EBUSY);
	assert_int_equal(stats_of(r).holders, 1);
	assert_int_equal(stats_of(r).holder, getpid());
	assert_int_equal(ask(&a, RELEASE, r), -EPERM);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_release(r), -EPERM);

	assert_int_equal(ask(&a, SHARE, r), 0);
	assert_int_equal(hft_resource_share(r), 0);
	assert_int_equal(hft_resource_share(r), 0);
	assert_int_equal(stats_of(r).holders, 2);
	assert_int_equal(hft_resource_try(r), -EBUSY);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_try(r), -EBUSY);
	assert_int_equal(hft_resource_timed(r, hft_now() + MSEC), -ETIMEDOUT);
	assert_int_equal(ask(&a, RELEASE, r), 0);
	assert_int_equal(hft_resource_try(r), 0);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_close(r), 0);
	quit(&a);
}

static void as_many_as_there_are_units(void **state)
{
	struct hft_resource *r = make("line", 2);
	struct actor a;

	(void)state;
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_acquire(r), 0);
	assert_int_equal(ask(&a, ACQUIRE, r), 0);
	assert_int_equal(hft_resource_try(r), -EBUSY);
	assert_int_equal(ask(&a, RELEASE, r), 0);
	assert_int_equal(hft_resource_acquire(r), 0);
	/* Both are its own: nobody could ever release one. */
	assert_int_equal(hft_resource_acquire(r), -EDEADLK);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_close(r), 0);
	quit(&a);
}

/* By level, then by who came first. */
static void the_highest_is_next(void **state)
{
	static const enum hft_level levels[] = {
		HFT_LEVEL_LOW, HFT_LEVEL_HIGH, HFT_LEVEL_NORMAL, HFT_LEVEL_HIGH,
	};
	static const int order[] = { 1, 3, 2, 0 };
	struct hft_resource *r = make(NULL, 1);
	struct actor a[4];
	int i;

	(void)state;
	assert_int_equal(hft_resource_acquire(r), 0);
	for (i = 0; i < 4; i++) {
		start(&a[i], levels[i]);
		tell(&a[i], ACQUIRE, r);
		wait_for_waiters(r, (uint32_t)i + 1);
	}
	assert_int_equal(stats_of(r).highest, HFT_LEVEL_HIGH);
	assert_int_equal(hft_resource_release(r), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(answer(&a[order[i]]), 0);
		assert_int_equal(stats_of(r).waiters, 3 - i);
		assert_int_equal(ask(&a[order[i]], RELEASE, r), 0);
	}
	assert_int_equal(stats_of(r).contended, 4);
	assert_true(stats_of(r).longest_ns);
	for (i = 0; i < 4; i++)
		quit(&a[i]);
	assert_int_equal(hft_resource_close(r), 0);
}

/* Each has one and waits for the next one's: the level of the last goes all the way. */
static void a_chain_lends_and_takes_back(void **state)
{
	struct hft_resource *r[CHAIN];
	struct actor a[CHAIN], top;
	int i;

	(void)state;
	start(&top, HFT_LEVEL_CRITICAL);
	for (i = 0; i < CHAIN; i++) {
		r[i] = make(NULL, 1);
		start(&a[i], HFT_LEVEL_LOW);
		assert_int_equal(ask(&a[i], ACQUIRE, r[i]), 0);
	}
	for (i = CHAIN - 1; i; i--) {
		tell(&a[i], ACQUIRE, r[i - 1]);
		wait_for_waiters(r[i - 1], 1);
	}
	assert_int_equal(stats_of(r[0]).highest, HFT_LEVEL_LOW);
	tell(&top, ACQUIRE, r[CHAIN - 1]);
	wait_for_waiters(r[CHAIN - 1], 1);
	for (i = 0; i < CHAIN - 1; i++)
		assert_int_equal(stats_of(r[i]).highest, HFT_LEVEL_CRITICAL);

	/* Of the first the level was lent, and is its own again with the release. */
	for (i = 0; i < CHAIN; i++) {
		if (i)
			assert_int_equal(answer(&a[i]), 0);
		assert_int_equal(ask(&a[i], SHARE, r[i]), -EDEADLK);
		assert_int_equal(a[i].seen, HFT_LEVEL_CRITICAL);
		assert_int_equal(ask(&a[i], RELEASE, r[i]), 0);
		assert_int_equal(a[i].seen, HFT_LEVEL_LOW);
		if (i)
			assert_int_equal(ask(&a[i], RELEASE, r[i - 1]), 0);
	}
	assert_int_equal(answer(&top), 0);
	assert_int_equal(ask(&top, RELEASE, r[CHAIN - 1]), 0);
	for (i = 0; i < CHAIN; i++) {
		quit(&a[i]);
		assert_int_equal(hft_resource_close(r[i]), 0);
	}
	quit(&top);
}

/* Two lend: with one release the lower is left, and with a wait given up none. */
static void what_is_left_is_lent(void **state)
{
	struct hft_resource *x = make("x", 1), *y = make("y", 1);
	struct actor high, critical;

	(void)state;
	start(&high, HFT_LEVEL_HIGH);
	start(&critical, HFT_LEVEL_CRITICAL);
	assert_int_equal(hft_resource_acquire(x), 0);
	assert_int_equal(hft_resource_acquire(y), 0);
	tell(&high, ACQUIRE, x);
	wait_for_waiters(x, 1);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_HIGH);
	tell(&critical, ACQUIRE, y);
	wait_for_waiters(y, 1);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_CRITICAL);
	assert_int_equal(hft_resource_release(y), 0);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_HIGH);
	assert_int_equal(hft_resource_release(x), 0);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_NORMAL);
	assert_int_equal(answer(&high), 0);
	assert_int_equal(answer(&critical), 0);
	quit(&high);
	quit(&critical);		/* who has ended has nothing any more */
	assert_int_equal(hft_resource_try(x), 0);
	assert_int_equal(hft_resource_try(y), 0);
	assert_int_equal(hft_resource_release(x), 0);
	assert_int_equal(hft_resource_release(y), 0);
	assert_int_equal(hft_resource_close(x), 0);
	assert_int_equal(hft_resource_close(y), 0);
}

static void *give_up(void *arg)
{
	if (hft_resource_thread(HFT_LEVEL_REALTIME, 0))
		return NULL;
	return hft_resource_timed(arg, hft_now() + 50 * MSEC) == -ETIMEDOUT ? arg : NULL;
}

static void who_gives_up_lends_no_more(void **state)
{
	struct hft_resource *r = make("x", 1);
	pthread_t thread;
	void *ok;

	(void)state;
	assert_int_equal(hft_resource_acquire(r), 0);
	assert_int_equal(pthread_create(&thread, NULL, give_up, r), 0);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_NORMAL);
	assert_int_equal(stats_of(r).waiters, 0);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_close(r), 0);
}

static void a_ceiling(void **state)
{
	HFT_OPTS(hft_resource_opts, opts, .ceiling = 1 + HFT_LEVEL_HIGH);
	struct hft_resource *r;

	(void)state;
	assert_int_equal(hft_resource_open(&r, &opts), 0);
	assert_int_equal(hft_resource_acquire(r), 0);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_HIGH);
	assert_int_equal(hft_resource_release(r), 0);
	assert_int_equal(hft_resource_level(), HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_close(r), 0);
}

struct crowd {
	struct hft_resource *lock;
	struct hft_resource *line;
	uint64_t counter;
	atomic_int inside;
	atomic_bool wrong;
	uint64_t seed;
};

static void *work(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t random = atomic_fetch_add((_Atomic uint64_t *)&crowd->seed, 1);
	uint64_t seen;
	int i;

	for (i = 0; i < TURNS; i++) {
		if (random_below(&random, 4) == 0) {
			if (hft_resource_share(crowd->lock))
				return NULL;
			seen = crowd->counter;
			if (crowd->counter != seen)
				atomic_store(&crowd->wrong, true);
		} else {
			if (hft_resource_acquire(crowd->lock))
				return NULL;
			crowd->counter++;
		}
		if (hft_resource_release(crowd->lock) || hft_resource_acquire(crowd->line))
			return NULL;
		if (atomic_fetch_add(&crowd->inside, 1) >= 2)
			atomic_store(&crowd->wrong, true);
		atomic_fetch_sub(&crowd->inside, 1);
		if (hft_resource_release(crowd->line))
			return NULL;
	}
	return crowd;
}

static void a_crowd(void **state)
{
	struct crowd crowd = { .lock = make("lock", 1), .line = make("line", 2) };
	pthread_t threads[4];
	void *ok;
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &crowd), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &ok);
		assert_non_null(ok);
	}
	assert_false(crowd.wrong);
	assert_int_equal(hft_resource_close(crowd.lock), 0);
	assert_int_equal(hft_resource_close(crowd.line), 0);
}

static void note_stall(const struct hft_resource_stall *stall, void *arg)
{
	assert_string_equal(stall->resource, "book");
	*(struct hft_resource_stall *)arg = *stall;
}

struct foreign {
	pthread_mutex_t mutex;
	struct hft_resource *resource;
	atomic_bool has;
};

static void *take_foreign(void *arg)
{
	struct foreign *foreign = arg;

	if (hft_resource_acquire(foreign->resource))
		return NULL;
	atomic_store(&foreign->has, true);
	pthread_mutex_lock(&foreign->mutex);
	pthread_mutex_unlock(&foreign->mutex);
	return hft_resource_release(foreign->resource) ? NULL : arg;
}

/* A circle by way of a mutex that is none of ours is told of. */
static void a_foreign_lock_shows(void **state)
{
	struct foreign foreign = { .mutex = PTHREAD_MUTEX_INITIALIZER };
	struct hft_resource_stall stall = {};
	pthread_t thread;
	struct actor a;
	void *ok;

	(void)state;
	foreign.resource = make("book", 1);
	pthread_mutex_lock(&foreign.mutex);
	assert_int_equal(pthread_create(&thread, NULL, take_foreign, &foreign), 0);
	while (!atomic_load(&foreign.has))
		usleep(100);
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_stalls(0, note_stall, &stall), 0);
	tell(&a, ACQUIRE, foreign.resource);
	wait_for_waiters(foreign.resource, 1);
	while (!stall.foreign) {
		usleep(1000);
		hft_resource_stalls(MSEC, note_stall, &stall);
	}
	assert_true(stall.waiting_ns > MSEC);
	assert_true(stall.holder && stall.waiter && stall.holder != stall.waiter);
	pthread_mutex_unlock(&foreign.mutex);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	assert_int_equal(answer(&a), 0);
	quit(&a);
	assert_int_equal(hft_resource_close(foreign.resource), 0);
}

static void bad_calls(void **state)
{
	HFT_OPTS(hft_resource_opts, flags, .flags = 1U << 31);
	HFT_OPTS(hft_resource_opts, units, .units = HFT_RESOURCE_UNITS_MAX + 1);
	HFT_OPTS(hft_resource_opts, ceiling, .ceiling = 1 + HFT_LEVELS);
	struct hft_resource *r[HFT_RESOURCES_HELD_MAX + 1];
	struct hft_resource_stats stats = { .sz = 1 };
	struct hft_resource *none = NULL;
	int i;

	(void)state;
	assert_int_equal(hft_resource_open(&none, &flags), -EINVAL);
	assert_int_equal(hft_resource_open(&none, &units), -EINVAL);
	assert_int_equal(hft_resource_open(&none, &ceiling), -EINVAL);
	assert_null(none);
	assert_int_equal(hft_resource_thread(HFT_LEVELS, 0), -EINVAL);
	assert_int_equal(hft_resource_thread(HFT_LEVEL_NORMAL, 1U << 31), -EINVAL);
	assert_int_equal(hft_resource_close(NULL), 0);
	for (i = 0; i <= HFT_RESOURCES_HELD_MAX; i++)
		r[i] = make(NULL, 1);
	for (i = 0; i < HFT_RESOURCES_HELD_MAX; i++)
		assert_int_equal(hft_resource_acquire(r[i]), 0);
	assert_int_equal(hft_resource_acquire(r[i]), -EMFILE);
	assert_int_equal(hft_resource_stats(r[i], &stats), -EINVAL);
	for (i = 0; i < HFT_RESOURCES_HELD_MAX; i++)
		assert_int_equal(hft_resource_release(r[i]), 0);
	for (i = 0; i <= HFT_RESOURCES_HELD_MAX; i++)
		assert_int_equal(hft_resource_close(r[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_ones_own_or_shared),
		cmocka_unit_test(as_many_as_there_are_units),
		cmocka_unit_test(the_highest_is_next),
		cmocka_unit_test(a_chain_lends_and_takes_back),
		cmocka_unit_test(what_is_left_is_lent),
		cmocka_unit_test(who_gives_up_lends_no_more),
		cmocka_unit_test(a_ceiling),
		cmocka_unit_test(a_crowd),
		cmocka_unit_test(a_foreign_lock_shows),
		cmocka_unit_test(bad_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
