// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Tasks that declare resources, and workers whose tasks have some. */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include <hft/pool.h>

#include "resource_actor.h"

#define ALL		8	/* most tasks of an order */


static struct hft_pool *make_pool(uint32_t workers, uint32_t flags)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = HFT_POOL_UNPINNED | flags);
	struct hft_pool *pool;

	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	return pool;
}

/* Keeps a worker until it is opened. */
struct gate {
	sem_t entered;
	sem_t open;
	struct hft_handle handle;
};

static int64_t pass(void *args)
{
	struct gate *gate = *(struct gate **)args;

	sem_post(&gate->entered);
	while (sem_wait(&gate->open))
		;
	return 0;
}

static void shut(struct gate *gate, struct hft_pool *pool)
{
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->open, 0, 0);
	assert_int_equal(hft_spawn_opts(pool, pass, &gate, sizeof(gate), NULL, &gate->handle), 0);
	while (sem_wait(&gate->entered))
		;
}

static void open_gate(struct gate *gate)
{
	sem_post(&gate->open);
	assert_int_equal(hft_join(&gate->handle, hft_now() + PATIENCE, NULL), 0);
}

/* What tasks write down of themselves. */
struct log {
	atomic_uint nr;
	uint32_t number[ALL];
	enum hft_level level[ALL];
};

struct entry {
	struct log *log;
	uint32_t number;
	int64_t result;
	bool exits;
};

static int64_t note(void *args)
{
	struct entry entry = *(struct entry *)args;
	unsigned int at = atomic_fetch_add(&entry.log->nr, 1);

	entry.log->number[at] = entry.number;
	entry.log->level[at] = hft_resource_level();
	if (entry.exits)
		pthread_exit(NULL);
	return entry.result;
}

static void spawn(struct hft_pool *pool, struct entry entry, const struct hft_spawn_opts *opts,
		  struct hft_handle *handle)
{
	assert_int_equal(hft_spawn_opts(pool, note, &entry, sizeof(entry), opts, handle), 0);
}

static int64_t result_of(struct hft_handle *handle)
{
	int64_t result;

	assert_int_equal(hft_join(handle, hft_now() + PATIENCE, &result), 0);
	return result;
}

static void it_begins_with_all_that_it_needs(void **state)
{
	struct hft_resource *x = make("x", 1), *y = make("y", 1);
	const struct hft_required both[] = { { .resource = x }, { .resource = y } };
	HFT_OPTS(hft_spawn_opts, opts, .resources = both, .nr_resources = 2);
	struct hft_pool *pool = make_pool(1, 0);
	struct hft_handle waits, other;
	struct log log = {};

	(void)state;
	assert_int_equal(hft_resource_acquire(x), 0);
	spawn(pool, (struct entry){ .log = &log, .number = 1 }, &opts, &waits);
	/* The worker is free for others, and so is what it could have by itself. */
	spawn(pool, (struct entry){ .log = &log, .number = 2 }, NULL, &other);
	assert_int_equal(result_of(&other), 0);
	assert_int_equal(stats_of(y).waiters, 1);
	assert_int_equal(hft_resource_try(y), 0);
	assert_int_equal(hft_resource_release(x), 0);
	assert_int_equal(stats_of(x).holders, 0);
	assert_int_equal(log.nr, 1);
	assert_int_equal(hft_resource_release(y), 0);
	assert_int_equal(result_of(&waits), 0);
	assert_int_equal(log.number[1], 1);
	assert_int_equal(stats_of(x).holders + stats_of(y).holders, 0);
	hft_pool_close(pool);
	assert_int_equal(hft_resource_close(x), 0);
	assert_int_equal(hft_resource_close(y), 0);
}

/* However it ends, what it had is others'. */
static void its_end_releases_all(void **state)
{
	struct hft_resource *x = make("x", 1);
	const struct hft_required required = { .resource = x };
	struct hft_token token = { .cancelled = 1 };
	HFT_OPTS(hft_spawn_opts, plain, .resources = &required, .nr_resources = 1);
	HFT_OPTS(hft_spawn_opts, cancelled, .resources = &required, .nr_resources = 1,
		 .token = &token);
	HFT_OPTS(hft_spawn_opts, expired, .resources = &required, .nr_resources = 1, .expires = 1);
	HFT_OPTS(hft_spawn_opts, fixed, .resources = &required, .nr_resources = 1, .worker = 1,
		 .cost_ns = 1000);
	struct hft_pool *pool = make_pool(1, 0);
	struct hft_handle handle[5];
	struct log log = {};

	(void)state;
	spawn(pool, (struct entry){ .log = &log, .number = 0, .result = -EIO }, &plain, &handle[0]);
	spawn(pool, (struct entry){ .log = &log, .number = 1 }, &cancelled, &handle[1]);
	spawn(pool, (struct entry){ .log = &log, .number = 2 }, &expired, &handle[2]);
	spawn(pool, (struct entry){ .log = &log, .number = 3, .exits = true }, &plain, &handle[3]);
	spawn(pool, (struct entry){ .log = &log, .number = 4 }, &fixed, &handle[4]);
	assert_int_equal(result_of(&handle[0]), -EIO);
	assert_int_equal(result_of(&handle[1]), -ECANCELED);
	assert_int_equal(result_of(&handle[2]), -ETIME);
	assert_int_equal(result_of(&handle[3]), -EOWNERDEAD);
	assert_int_equal(result_of(&handle[4]), 0);
	assert_int_equal(stats_of(x).holders, 0);
	assert_int_equal(log.nr, 3);
	hft_pool_close(pool);
	assert_int_equal(hft_resource_close(x), 0);
}

static void with_its_pool_it_is_cancelled(void **state)
{
	struct hft_resource *x = make("x", 1);
	const struct hft_required required = { .resource = x };
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct hft_pool *pool = make_pool(1, 0);
	struct log log = {};
	int i;

	(void)state;
	assert_int_equal(hft_resource_acquire(x), 0);
	for (i = 0; i < 4; i++)
		spawn(pool, (struct entry){ .log = &log, .number = 1 }, &opts, NULL);
	assert_int_equal(stats_of(x).waiters, 4);
	hft_pool_close(pool);
	assert_int_equal(stats_of(x).waiters, 0);
	assert_int_equal(log.nr, 0);
	assert_int_equal(hft_resource_release(x), 0);
	assert_int_equal(hft_resource_close(x), 0);
}

/*
 * Behind the gate: a task of a low level that has x, and one of a normal level.  A third
 * of a high level waits for x.
 */
static void run_behind_a_gate(struct hft_resource *x, struct log *log)
{
	const struct hft_required required = { .resource = x };
	HFT_OPTS(hft_spawn_opts, low, .resources = &required, .nr_resources = 1,
		 .level = 1 + HFT_LEVEL_LOW);
	HFT_OPTS(hft_spawn_opts, normal, .deadline = hft_now());
	HFT_OPTS(hft_spawn_opts, high, .resources = &required, .nr_resources = 1,
		 .level = 1 + HFT_LEVEL_HIGH);
	struct hft_pool *pool = make_pool(1, 0);
	struct hft_handle handle[3];
	struct gate gate;
	int i;

	*log = (struct log){};
	shut(&gate, pool);
	spawn(pool, (struct entry){ .log = log, .number = 0 }, &low, &handle[0]);
	spawn(pool, (struct entry){ .log = log, .number = 1 }, &normal, &handle[1]);
	spawn(pool, (struct entry){ .log = log, .number = 2 }, &high, &handle[2]);
	assert_int_equal(stats_of(x).waiters, 1);
	assert_int_equal(stats_of(x).holders, 1);
	open_gate(&gate);
	for (i = 0; i < 3; i++)
		assert_int_equal(result_of(&handle[i]), 0);
	hft_pool_close(pool);
}

static void a_queued_task_is_lent_a_level(void **state)
{
	HFT_OPTS(hft_resource_opts, plain, .flags = HFT_RESOURCE_NO_LENDING);
	struct hft_resource *x = make("x", 1);
	struct log log;

	(void)state;
	run_behind_a_gate(x, &log);
	assert_memory_equal(log.number, ((uint32_t[]){ 0, 2, 1 }), 3 * sizeof(uint32_t));
	assert_int_equal(log.level[0], HFT_LEVEL_HIGH);
	assert_int_equal(log.level[1], HFT_LEVEL_HIGH);
	assert_int_equal(log.level[2], HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_close(x), 0);

	assert_int_equal(hft_resource_open(&x, &plain), 0);
	run_behind_a_gate(x, &log);
	assert_memory_equal(log.number, ((uint32_t[]){ 1, 0, 2 }), 3 * sizeof(uint32_t));
	assert_int_equal(log.level[1], HFT_LEVEL_LOW);
	assert_int_equal(hft_resource_close(x), 0);
}

static void *give_up(void *arg)
{
	if (hft_resource_thread(HFT_LEVEL_HIGH, 0))
		return NULL;
	return hft_resource_timed(arg, hft_now() + 20 * MSEC) == -ETIMEDOUT ? arg : NULL;
}

/* Its place is what it was before it was lent anything. */
static void who_gives_up_lends_it_no_more(void **state)
{
	struct hft_resource *x = make("x", 1);
	const struct hft_required required = { .resource = x };
	HFT_OPTS(hft_spawn_opts, low, .resources = &required, .nr_resources = 1,
		 .level = 1 + HFT_LEVEL_LOW);
	HFT_OPTS(hft_spawn_opts, normal, .deadline = hft_now());
	struct hft_pool *pool = make_pool(1, 0);
	struct hft_handle handle[2];
	struct log log = {};
	struct gate gate;
	pthread_t thread;
	void *ok;

	(void)state;
	shut(&gate, pool);
	spawn(pool, (struct entry){ .log = &log, .number = 0 }, &low, &handle[0]);
	spawn(pool, (struct entry){ .log = &log, .number = 1 }, &normal, &handle[1]);
	assert_int_equal(pthread_create(&thread, NULL, give_up, x), 0);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	open_gate(&gate);
	assert_int_equal(result_of(&handle[0]), 0);
	assert_int_equal(result_of(&handle[1]), 0);
	assert_int_equal(log.number[0], 1);
	assert_int_equal(log.level[1], HFT_LEVEL_LOW);
	hft_pool_close(pool);
	assert_int_equal(hft_resource_close(x), 0);
}

struct nested {
	struct hft_pool *pool;
	struct hft_resource *x;
	struct hft_resource *y;
	struct log *log;
};

static int64_t acquire_x(void *args)
{
	return hft_resource_acquire((*(struct nested **)args)->x);
}

/* What waits for a worker, and is waited for by it alone, it does itself. */
static int64_t wait_for_a_task(void *args)
{
	struct nested *t = *(struct nested **)args;
	const struct hft_required required = { .resource = t->x };
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct hft_handle handle;

	spawn(t->pool, (struct entry){ .log = t->log, .number = 7 }, &opts, &handle);
	hft_detach(&handle);
	assert_int_equal(stats_of(t->x).holders, 1);
	assert_int_equal(t->log->nr, 0);
	assert_int_equal(hft_resource_try(t->x), -EBUSY);
	assert_int_equal(hft_resource_acquire(t->x), 0);
	assert_int_equal(t->log->nr, 1);
	return hft_resource_release(t->x);
}

static void the_only_worker_waits_for_no_task(void **state)
{
	struct nested t = { .x = make("x", 1), .pool = make_pool(1, 0) }, *arg = &t;
	struct hft_handle handle;
	struct log log = {};

	(void)state;
	t.log = &log;
	assert_int_equal(hft_spawn_opts(t.pool, wait_for_a_task, &arg, sizeof(arg), NULL, &handle),
			 0);
	assert_int_equal(result_of(&handle), 0);
	hft_pool_close(t.pool);
	assert_int_equal(hft_resource_close(t.x), 0);
}

/* The thread has it, and can not go on before the inner one has ended. */
static int64_t wait_with_x(void *args)
{
	struct nested *t = *(struct nested **)args;
	struct hft_handle handle;
	int64_t result;

	assert_int_equal(hft_resource_acquire(t->x), 0);
	assert_int_equal(hft_spawn_opts(t->pool, acquire_x, args, sizeof(t), NULL, &handle), 0);
	assert_int_equal(hft_join(&handle, hft_now() + PATIENCE, &result), 0);
	assert_int_equal(hft_resource_release(t->x), 0);
	return result;
}

static void an_inner_task_is_refused(void **state)
{
	struct nested t = { .x = make("x", 1), .pool = make_pool(1, 0) }, *arg = &t;
	const struct hft_required required = { .resource = t.x };
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct hft_handle handle;

	(void)state;
	assert_int_equal(hft_spawn_opts(t.pool, wait_with_x, &arg, sizeof(arg), NULL, &handle), 0);
	assert_int_equal(result_of(&handle), -EDEADLK);
	/* Likewise with what it has declared itself. */
	assert_int_equal(hft_spawn_opts(t.pool, acquire_x, &arg, sizeof(arg), &opts, &handle), 0);
	assert_int_equal(result_of(&handle), -EDEADLK);
	hft_pool_close(t.pool);
	assert_int_equal(hft_resource_close(t.x), 0);
}

static int64_t take_y_and_release(void *args)
{
	struct nested *t = *(struct nested **)args;
	int err = hft_resource_acquire(t->y);

	return err ? err : hft_resource_release(t->y);
}

/* A thread that would wait for a task, for which there is but a worker that waits for it. */
static void a_circle_by_way_of_workers(void **state)
{
	struct nested t = { .x = make("x", 1), .y = make("y", 1), .pool = make_pool(1, 0) };
	struct nested *arg = &t;
	const struct hft_required required = { .resource = t.x };
	HFT_OPTS(hft_spawn_opts, opts, .resources = &required, .nr_resources = 1);
	struct hft_handle first, second;
	struct log log = {};
	struct gate gate;

	(void)state;
	assert_int_equal(hft_resource_acquire(t.y), 0);
	shut(&gate, t.pool);
	assert_int_equal(hft_spawn_opts(t.pool, take_y_and_release, &arg, sizeof(arg), NULL,
					&first), 0);
	spawn(t.pool, (struct entry){ .log = &log, .number = 1 }, &opts, &second);
	open_gate(&gate);
	wait_for_waiters(t.y, 1);
	if (stats_of(t.x).holders) {
		assert_int_equal(hft_resource_acquire(t.x), -EDEADLK);
		assert_non_null(strstr(hft_strerror(-EDEADLK), "waits for a worker"));
	}
	assert_int_equal(hft_resource_release(t.y), 0);
	assert_int_equal(result_of(&first), 0);
	assert_int_equal(result_of(&second), 0);
	hft_pool_close(t.pool);
	assert_int_equal(hft_resource_close(t.x), 0);
	assert_int_equal(hft_resource_close(t.y), 0);
}

/* What a worker's thread is scheduled by while it has x, and afterwards. */
struct running {
	struct hft_resource *x;
	sem_t has;
	sem_t waited_for;
	enum hft_level level[3];
	int policy[3];
	int priority[3];
};

static void look(struct running *t, int at)
{
	struct sched_param param;

	t->level[at] = hft_resource_level();
	t->policy[at] = sched_getscheduler(0);
	sched_getparam(0, &param);
	t->priority[at] = param.sched_priority;
}

static int64_t have_x(void *args)
{
	struct running *t = *(struct running **)args;

	look(t, 0);
	if (hft_resource_acquire(t->x))
		return -EPROTO;
	sem_post(&t->has);
	while (sem_wait(&t->waited_for))
		;
	look(t, 1);
	if (hft_resource_release(t->x))
		return -EPROTO;
	look(t, 2);
	return 0;
}

static bool may_be_real_time(void)
{
	struct sched_param param = { .sched_priority = 60 }, none = {};

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		return false;
	sched_setscheduler(0, SCHED_OTHER, &none);
	return true;
}

static void run_lent(uint32_t flags, enum hft_level level, struct running *t)
{
	HFT_OPTS(hft_spawn_opts, opts, .level = 1 + level);
	struct hft_pool *pool = make_pool(1, flags);
	struct hft_handle handle;
	struct actor a;

	*t = (struct running){ .x = make("x", 1) };
	sem_init(&t->has, 0, 0);
	sem_init(&t->waited_for, 0, 0);
	start(&a, HFT_LEVEL_CRITICAL);
	assert_int_equal(hft_spawn_opts(pool, have_x, &t, sizeof(t), &opts, &handle), 0);
	while (sem_wait(&t->has))
		;
	tell(&a, ACQUIRE, t->x);
	wait_for_waiters(t->x, 1);
	sem_post(&t->waited_for);
	assert_int_equal(result_of(&handle), 0);
	assert_int_equal(answer(&a), 0);
	assert_int_equal(ask(&a, RELEASE, t->x), 0);
	quit(&a);
	hft_pool_close(pool);
	assert_int_equal(hft_resource_close(t->x), 0);
	assert_int_equal(t->level[0], level);
	assert_int_equal(t->level[1], HFT_LEVEL_CRITICAL);
	assert_int_equal(t->level[2], level);
	assert_int_equal(t->policy[2], t->policy[0]);
	assert_int_equal(t->priority[2], t->priority[0]);
}

static void a_running_task_is_lent_a_priority(void **state)
{
	struct hft_level_sched sched;
	struct running t;

	(void)state;
	hft_level_sched(HFT_LEVEL_CRITICAL, &sched);
	run_lent(0, HFT_LEVEL_LOW, &t);
	assert_int_equal(t.policy[1], t.policy[0]);
	run_lent(HFT_POOL_INHERIT, HFT_LEVEL_HIGH, &t);
	assert_int_equal(t.policy[0], SCHED_OTHER);
	if (!may_be_real_time()) {
		print_message("real-time priorities are not this user's to have\n");
		return;
	}
	assert_int_equal(t.policy[1], sched.policy);
	assert_int_equal(t.priority[1], sched.priority);
}

/* With and without the flag, by a thread that is no worker's. */
static void a_thread_gets_its_scheduling_back(void **state)
{
	struct sched_param param;

	(void)state;
	if (!may_be_real_time())
		skip();
	assert_int_equal(hft_resource_thread(HFT_LEVEL_HIGH, HFT_RESOURCE_SCHED), 0);
	assert_int_equal(sched_getscheduler(0), SCHED_FIFO);
	assert_int_equal(hft_resource_thread(HFT_LEVEL_NORMAL, 0), 0);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	sched_getparam(0, &param);
	assert_int_equal(param.sched_priority, 0);
}

/*
 * Each has a unit of r; a waits for b's y, b for another unit.  Who waits for a lends to
 * all three, who lend it to each other; when it gives up nobody has it.
 */
static void a_circle_keeps_no_level_up(void **state)
{
	struct hft_resource *r = make("r", 3), *x = make("x", 1), *y = make("y", 1);
	struct actor a, b, c;
	pthread_t thread;
	void *ok;

	(void)state;
	start(&a, HFT_LEVEL_LOW);
	start(&b, HFT_LEVEL_LOW);
	start(&c, HFT_LEVEL_LOW);
	assert_int_equal(ask(&a, ACQUIRE, r), 0);
	assert_int_equal(ask(&b, ACQUIRE, r), 0);
	assert_int_equal(ask(&c, ACQUIRE, r), 0);
	assert_int_equal(ask(&a, ACQUIRE, x), 0);
	assert_int_equal(ask(&b, ACQUIRE, y), 0);
	tell(&a, ACQUIRE, y);
	wait_for_waiters(y, 1);
	tell(&b, ACQUIRE, r);
	wait_for_waiters(r, 1);
	assert_int_equal(pthread_create(&thread, NULL, give_up, x), 0);
	pthread_join(thread, &ok);
	assert_non_null(ok);
	assert_int_equal(stats_of(y).highest, HFT_LEVEL_LOW);
	assert_int_equal(stats_of(r).highest, HFT_LEVEL_LOW);
	assert_int_equal(ask(&c, RELEASE, r), 0);
	assert_int_equal(c.seen, HFT_LEVEL_LOW);
	assert_int_equal(answer(&b), 0);
	assert_int_equal(ask(&b, RELEASE, y), 0);
	assert_int_equal(answer(&a), 0);
	quit(&a);
	quit(&b);
	quit(&c);
	assert_int_equal(stats_of(r).holders + stats_of(x).holders + stats_of(y).holders, 0);
	assert_int_equal(hft_resource_close(r), 0);
	assert_int_equal(hft_resource_close(x), 0);
	assert_int_equal(hft_resource_close(y), 0);
}

static void bad_declarations(void **state)
{
	struct hft_resource *x = make("x", 1);
	const struct hft_required twice[] = { { .resource = x }, { .resource = x } };
	const struct hft_required none = {};
	HFT_OPTS(hft_spawn_opts, duplicates, .resources = twice, .nr_resources = 2);
	HFT_OPTS(hft_spawn_opts, many, .resources = twice,
		 .nr_resources = HFT_SPAWN_RESOURCES_MAX + 1);
	HFT_OPTS(hft_spawn_opts, nowhere, .nr_resources = 1);
	HFT_OPTS(hft_spawn_opts, empty, .resources = &none, .nr_resources = 1);
	const struct hft_spawn_opts *bad[] = { &duplicates, &many, &nowhere, &empty };
	struct hft_pool *pool = make_pool(1, 0);
	struct entry entry = {};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hft_spawn_opts(pool, note, &entry, sizeof(entry), bad[i], NULL),
				 -EINVAL);
	hft_pool_close(pool);
	assert_int_equal(hft_resource_close(x), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_with_all_that_it_needs),
		cmocka_unit_test(its_end_releases_all),
		cmocka_unit_test(with_its_pool_it_is_cancelled),
		cmocka_unit_test(a_queued_task_is_lent_a_level),
		cmocka_unit_test(who_gives_up_lends_it_no_more),
		cmocka_unit_test(the_only_worker_waits_for_no_task),
		cmocka_unit_test(an_inner_task_is_refused),
		cmocka_unit_test(a_circle_by_way_of_workers),
		cmocka_unit_test(a_running_task_is_lent_a_priority),
		cmocka_unit_test(a_thread_gets_its_scheduling_back),
		cmocka_unit_test(a_circle_keeps_no_level_up),
		cmocka_unit_test(bad_declarations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
