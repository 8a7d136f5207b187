// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Resources of workers: whose tasks run one inside the other, that come, and that go. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <hft/pool.h>

#include "resource_actor.h"

#define CLOSES		50	/* of a pool whose tasks are let go meanwhile */
#define CROWD		3000	/* tasks that end one by the other: no stack is as deep */
#define SMALL_STACK	(256UL << 10)

struct scene {
	struct hft_pool *pool;
	struct hft_resource *x;
	struct hft_resource *y;
	sem_t has;
	sem_t goes_on;
	enum hft_level level[3];
	int stays;
};

static void wait_for_post(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

static struct hft_pool *make_pool(uint32_t workers)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED);
	struct hft_pool *pool;

	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	return pool;
}

static void set(struct scene *s, uint32_t workers)
{
	*s = (struct scene){ .pool = make_pool(workers), .x = make("x", 1), .y = make("y", 1) };
	sem_init(&s->has, 0, 0);
	sem_init(&s->goes_on, 0, 0);
}

static void strike(struct scene *s)
{
	hft_pool_close(s->pool);
	assert_int_equal(hft_resource_close(s->x), 0);
	assert_int_equal(hft_resource_close(s->y), 0);
}

static int64_t result_of(struct hft_handle *handle)
{
	int64_t result;

	assert_int_equal(hft_join(handle, hft_now() + PATIENCE, &result), 0);
	return result;
}

static struct hft_handle spawn(struct scene *s, hft_spawn_fn fn, const struct hft_spawn_opts *opts)
{
	struct hft_handle handle;

	assert_int_equal(hft_spawn_opts(s->pool, fn, &s, sizeof(s), opts, &handle), 0);
	return handle;
}

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

static int64_t have_y(void *args)
{
	struct scene *s = *(struct scene **)args;

	assert_int_equal(hft_resource_acquire(s->y), 0);
	s->level[0] = hft_resource_level();
	return hft_resource_release(s->y);
}

static int64_t have_x_and_exit(void *args)
{
	struct scene *s = *(struct scene **)args;

	assert_int_equal(hft_resource_acquire(s->x), 0);
	sem_post(&s->has);
	wait_for_post(&s->goes_on);
	s->level[0] = hft_resource_level();
	pthread_exit(NULL);
}

static int64_t scheduling(void *args)
{
	(void)args;
	return sched_getscheduler(0);
}

/* A thread begins with what the one that makes it has: that must be the worker's own. */
static void a_priority_ends_with_its_thread(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 1, .flags = HFT_POOL_UNPINNED | HFT_POOL_INHERIT);
	struct hft_handle handle;
	struct scene s;
	struct actor a;

	(void)state;
	set(&s, 1);
	hft_pool_close(s.pool);
	assert_int_equal(hft_pool_open(&s.pool, &opts), 0);
	start(&a, HFT_LEVEL_CRITICAL);
	handle = spawn(&s, have_x_and_exit, NULL);
	wait_for_post(&s.has);
	tell(&a, ACQUIRE, s.x);
	wait_for_waiters(s.x, 1);
	sem_post(&s.goes_on);
	assert_int_equal(result_of(&handle), -EOWNERDEAD);
	assert_int_equal(s.level[0], HFT_LEVEL_CRITICAL);
	assert_int_equal(answer(&a), 0);
	handle = spawn(&s, scheduling, NULL);
	assert_int_equal(result_of(&handle), SCHED_OTHER);
	assert_int_equal(ask(&a, RELEASE, s.x), 0);
	quit(&a);
	strike(&s);
}

static int64_t have_x_and_wait(void *args)
{
	struct scene *s = *(struct scene **)args;
	const struct hft_required required = { .resource = s->y };
	HFT_OPTS(hft_spawn_opts, high, .level = 1 + HFT_LEVEL_HIGH);
	HFT_OPTS(hft_spawn_opts, declared, .level = 1 + HFT_LEVEL_HIGH, .resources = &required,
		 .nr_resources = 1);
	struct hft_handle handle;

	assert_int_equal(hft_resource_acquire(s->x), 0);
	handle = spawn(s, have_y, &high);
	assert_int_equal(result_of(&handle), 0);
	s->level[1] = hft_resource_level();
	handle = spawn(s, nothing, &declared);
	assert_int_equal(result_of(&handle), 0);
	s->level[2] = hft_resource_level();
	sem_post(&s->has);
	wait_for_post(&s->goes_on);
	return hft_resource_release(s->x);
}

/* It keeps what is its own, and lends nothing else to those whom it waits for. */
static void an_inner_task_leaves_no_level(void **state)
{
	struct hft_handle handle;
	struct scene s;

	(void)state;
	set(&s, 1);
	handle = spawn(&s, have_x_and_wait, NULL);
	wait_for_post(&s.has);
	sem_post(&s.goes_on);
	assert_int_equal(result_of(&handle), 0);
	assert_int_equal(s.level[0], HFT_LEVEL_HIGH);
	assert_int_equal(s.level[1], HFT_LEVEL_NORMAL);
	assert_int_equal(s.level[2], HFT_LEVEL_NORMAL);
	strike(&s);
}

static int64_t wait_for_x(void *args)
{
	struct scene *s = *(struct scene **)args;
	int err = hft_resource_acquire(s->x);

	return err ? err : hft_resource_release(s->x);
}

/* The one that there is waits for what is released only when the task has run. */
static void a_worker_that_comes_runs_what_waits(void **state)
{
	struct hft_handle waits, declared;
	struct hft_required required = {};
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct scene s;
	int64_t result;

	(void)state;
	set(&s, 1);
	required.resource = s.y;
	assert_int_equal(hft_resource_acquire(s.x), 0);
	waits = spawn(&s, wait_for_x, NULL);
	wait_for_waiters(s.x, 1);
	declared = spawn(&s, nothing, &opts);
	assert_int_equal(stats_of(s.y).waiters, 1);
	assert_int_equal(hft_pool_add_worker(s.pool, 0), 1);
	assert_int_equal(hft_join(&declared, hft_now() + PATIENCE / 10, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(hft_resource_release(s.x), 0);
	assert_int_equal(result_of(&waits), 0);
	strike(&s);
}

static int64_t stay(void *args)
{
	struct scene *s = *(struct scene **)args;

	s->stays = hft_pool_worker();
	sem_post(&s->has);
	wait_for_post(&s->goes_on);
	return 0;
}

static void *remove_it(void *arg)
{
	struct scene *s = arg;

	return hft_pool_remove_worker(s->pool, (uint32_t)s->stays) ? NULL : arg;
}

/* Who runs then what y is to be had by, and x after it, is the one that waits for x. */
static void a_worker_that_leaves_leaves_nobody_behind(void **state)
{
	struct hft_handle stays, waits, declared;
	struct hft_required required = {};
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	pthread_t thread;
	struct actor a;
	struct scene s;
	void *ok;

	(void)state;
	set(&s, 2);
	required.resource = s.y;
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(ask(&a, ACQUIRE, s.x), 0);
	stays = spawn(&s, stay, NULL);
	wait_for_post(&s.has);
	waits = spawn(&s, wait_for_x, NULL);
	wait_for_waiters(s.x, 1);
	declared = spawn(&s, nothing, &opts);
	assert_int_equal(stats_of(s.y).holders, 1);
	tell(&a, ACQUIRE, s.y);
	wait_for_waiters(s.y, 1);
	assert_int_equal(pthread_create(&thread, NULL, remove_it, &s), 0);
	usleep(20000);
	sem_post(&s.goes_on);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	assert_int_equal(result_of(&stays), 0);
	assert_int_equal(result_of(&declared), 0);
	assert_int_equal(answer(&a), 0);
	assert_int_equal(ask(&a, RELEASE, s.y), 0);
	assert_int_equal(ask(&a, RELEASE, s.x), 0);
	assert_int_equal(result_of(&waits), 0);
	quit(&a);
	strike(&s);
}

struct stalls {
	int nr;
	int32_t holder;
	char name[16];
};

static void see(const struct hft_resource_stall *stall, void *arg)
{
	struct stalls *stalls = arg;

	stalls->nr++;
	stalls->holder = stall->holder;
	strncpy(stalls->name, stall->resource, sizeof(stalls->name) - 1);
}

/* Of all that it has declared it waits for what another has. */
static void a_stall_names_what_is_not_to_be_had(void **state)
{
	struct stalls stalls = {};
	struct hft_handle handle;
	struct actor a;
	struct scene s;

	(void)state;
	set(&s, 1);
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(ask(&a, ACQUIRE, s.y), 0);

	const struct hft_required both[] = { { .resource = s.x }, { .resource = s.y } };
	HFT_OPTS(hft_spawn_opts, opts, .resources = both, .nr_resources = 2);

	handle = spawn(&s, nothing, &opts);
	assert_int_equal(hft_resource_stalls(0, see, &stalls), 1);
	assert_string_equal(stalls.name, "y");
	assert_int_not_equal(stalls.holder, 0);
	assert_int_equal(ask(&a, RELEASE, s.y), 0);
	assert_int_equal(result_of(&handle), 0);
	quit(&a);
	strike(&s);
}

static void *release_soon(void *arg)
{
	struct scene *s = arg;
	uint32_t i;

	assert_int_equal(hft_resource_acquire(s->x), 0);
	sem_post(&s->has);
	wait_for_post(&s->goes_on);
	for (i = 0; i < 200; i++)
		hft_resource_level();
	assert_int_equal(hft_resource_release(s->x), 0);
	return NULL;
}

/* Who releases it is none of the pool's: they know nothing of each other. */
static void its_pool_closes_as_it_is_let_go(void **state)
{
	struct hft_group group;
	struct scene s;
	pthread_t thread;
	int i, n;

	(void)state;
	set(&s, 1);
	hft_pool_close(s.pool);
	for (i = 0; i < CLOSES; i++) {
		const struct hft_required required = { .resource = s.x, .shared = true };
		HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1,
			 .group = &group);

		s.pool = make_pool(1);
		hft_group_init(&group, s.pool);
		assert_int_equal(pthread_create(&thread, NULL, release_soon, &s), 0);
		wait_for_post(&s.has);
		for (n = 0; n < 100; n++)
			assert_int_equal(hft_spawn_opts(s.pool, nothing, NULL, 0, &opts, NULL), 0);
		sem_post(&s.goes_on);
		hft_pool_close(s.pool);
		pthread_join(thread, NULL);
	}
	assert_int_equal(stats_of(s.x).holders + stats_of(s.x).waiters, 0);
	s.pool = NULL;
	strike(&s);
}

static void *close_pool(void *pool)
{
	hft_pool_close(pool);
	return NULL;
}

/* Each has x when the one before it has ended, and then none is to run. */
static void a_crowd_is_cancelled(void **state)
{
	struct hft_resource *x = make("x", 1);
	const struct hft_required required = { .resource = x };
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct hft_pool *pool = make_pool(1);
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	(void)state;
	assert_int_equal(hft_pool_remove_worker(pool, 0), 0);
	for (i = 0; i < CROWD; i++)
		assert_int_equal(hft_spawn_opts(pool, nothing, NULL, 0, &opts, NULL), 0);
	assert_int_equal(stats_of(x).holders, 1);
	assert_int_equal(stats_of(x).waiters, CROWD - 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, SMALL_STACK);
	assert_int_equal(pthread_create(&thread, &attr, close_pool, pool), 0);
	pthread_attr_destroy(&attr);
	pthread_join(thread, NULL);
	assert_int_equal(stats_of(x).holders + stats_of(x).waiters, 0);
	assert_int_equal(hft_resource_close(x), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_inner_task_leaves_no_level),
		cmocka_unit_test(a_priority_ends_with_its_thread),
		cmocka_unit_test(a_worker_that_comes_runs_what_waits),
		cmocka_unit_test(a_worker_that_leaves_leaves_nobody_behind),
		cmocka_unit_test(a_stall_names_what_is_not_to_be_had),
		cmocka_unit_test(its_pool_closes_as_it_is_let_go),
		cmocka_unit_test(a_crowd_is_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
