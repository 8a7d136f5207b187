// SPDX-License-Identifier: GPL-2.0-only
/* Resources: what would never end is refused. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include <hft/pool.h>

#include "random.h"
#include "resource_actor.h"

#define ACTORS		6
#define RESOURCES	5

#ifdef __SANITIZE_THREAD__
#define STEPS		3000
#else
#define STEPS		10000
#endif

static void a_circle_is_refused_and_named(void **state)
{
	struct hft_resource *r[3] = { make("quotes", 1), make("orders", 1), make("limits", 1) };
	struct actor a[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		start(&a[i], HFT_LEVEL_NORMAL);
		assert_int_equal(ask(&a[i], ACQUIRE, r[i]), 0);
	}
	for (i = 0; i < 2; i++) {
		tell(&a[i], ACQUIRE, r[i + 1]);
		wait_for_waiters(r[i + 1], 1);
	}
	assert_int_equal(ask(&a[2], ACQUIRE, r[0]), -EDEADLK);
	for (i = 0; i < 3; i++)
		assert_non_null(strstr(a[2].reason, stats_of(r[i]).sz ?
				       (const char *[]){ "quotes", "orders", "limits" }[i] : ""));
	assert_int_equal(ask(&a[2], RELEASE, r[2]), 0);
	for (i = 1; i >= 0; i--) {
		assert_int_equal(answer(&a[i]), 0);
		assert_int_equal(ask(&a[i], RELEASE, r[i + 1]), 0);
		assert_int_equal(ask(&a[i], RELEASE, r[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		quit(&a[i]);
		assert_int_equal(hft_resource_close(r[i]), 0);
	}
}

struct timed {
	struct hft_resource *x;
	struct hft_resource *y;
	sem_t has_x;
	sem_t go_on;
	int result;
};

/* Has x, and waits for y for a while. */
static void *wait_for_a_while(void *arg)
{
	struct timed *t = arg;

	t->result = hft_resource_acquire(t->x);
	sem_post(&t->has_x);
	while (sem_wait(&t->go_on))
		;
	t->result = t->result ?: hft_resource_timed(t->y, hft_now() + 1000 * MSEC);
	hft_resource_release(t->x);
	return NULL;
}

/* Its wait ends by itself: who has y may wait for x meanwhile. */
static void who_waits_with_a_timeout_goes_on(void **state)
{
	struct timed t = { .x = make("x", 1), .y = make("y", 1) };
	pthread_t thread;

	(void)state;
	sem_init(&t.has_x, 0, 0);
	sem_init(&t.go_on, 0, 0);
	assert_int_equal(hft_resource_acquire(t.y), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_a_while, &t), 0);
	while (sem_wait(&t.has_x))
		;
	sem_post(&t.go_on);
	wait_for_waiters(t.y, 1);
	assert_int_equal(hft_resource_acquire(t.x), 0);
	pthread_join(thread, NULL);
	assert_int_equal(t.result, -ETIMEDOUT);
	assert_int_equal(hft_resource_release(t.x), 0);
	assert_int_equal(hft_resource_release(t.y), 0);
	assert_int_equal(hft_resource_close(t.x), 0);
	assert_int_equal(hft_resource_close(t.y), 0);
}

/* It neither keeps to one nor makes one; what is waited for behind it does. */
static void a_try_has_no_order(void **state)
{
	struct hft_resource *r[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		HFT_OPTS(hft_resource_opts, opts, .flags = HFT_RESOURCE_ORDERED);

		assert_int_equal(hft_resource_open(&r[i], &opts), 0);
	}
	assert_int_equal(hft_resource_acquire(r[0]), 0);
	assert_int_equal(hft_resource_acquire(r[1]), 0);
	assert_int_equal(hft_resource_release(r[0]), 0);
	assert_int_equal(hft_resource_acquire(r[0]), -EDEADLK);
	assert_int_equal(hft_resource_timed(r[0], hft_now() + MSEC), -EDEADLK);
	assert_int_equal(hft_resource_try(r[0]), 0);
	assert_int_equal(hft_resource_try(r[2]), 0);
	assert_int_equal(hft_resource_release(r[0]), 0);
	assert_int_equal(hft_resource_release(r[1]), 0);
	assert_int_equal(hft_resource_acquire(r[1]), 0);
	assert_int_equal(hft_resource_release(r[1]), 0);
	assert_int_equal(hft_resource_acquire(r[0]), 0);
	for (i = 2; i >= 0; i -= 2)
		assert_int_equal(hft_resource_release(r[i]), 0);
	for (i = 0; i < 3; i++)
		assert_int_equal(hft_resource_close(r[i]), 0);
}

/* The scenarios of the environment, if it has them: each pair is had and released. */
static int run_pairs(json_t *seq, struct hft_resource **named)
{
	json_t *pair;
	size_t i;

	json_array_foreach(seq, i, pair) {
		const char *first = json_string_value(json_array_get(pair, 0));
		const char *second = json_string_value(json_array_get(pair, 1));
		int err;

		if (hft_resource_acquire(named[(unsigned char)*first]))
			return -EPROTO;
		err = hft_resource_acquire(named[(unsigned char)*second]);
		if (!err && hft_resource_release(named[(unsigned char)*second]))
			return -EPROTO;
		if (hft_resource_release(named[(unsigned char)*first]))
			return -EPROTO;
		if (err)
			return i + 1 == json_array_size(seq) ? err : -EPROTO;
	}
	return 0;
}

/* Of what has no order: something is released twice, or freed while somebody has it. */
static void run_misuse(const char *name)
{
	struct hft_resource *r = make("X", 1);
	bool twice = !strcmp(name, "double_unlock");

	assert_true(twice || !strcmp(name, "init_held"));
	assert_int_equal(hft_resource_acquire(r), 0);
	if (!twice)
		assert_int_equal(hft_resource_close(r), -EBUSY);
	assert_int_equal(hft_resource_release(r), 0);
	if (twice)
		assert_int_equal(hft_resource_release(r), -EPERM);
	assert_int_equal(hft_resource_close(r), 0);
}

static int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

/* Each pair is what a task declares: they have all or nothing, in whatever order. */
static int declare_pairs(json_t *seq, struct hft_resource **named, struct hft_pool *pool)
{
	struct hft_group group;
	json_t *pair;
	size_t i;
	int err = 0;

	hft_group_init(&group, pool);
	json_array_foreach(seq, i, pair) {
		struct hft_required required[2];
		HFT_OPTS(hft_spawn_opts, opts, .group = &group, .resources = required,
			 .nr_resources = 2);
		size_t n;

		for (n = 0; n < 2; n++) {
			const char *name = json_string_value(json_array_get(pair, n));

			required[n] = (struct hft_required){ .resource = named[(int)*name] };
		}
		err = err ?: hft_spawn_opts(pool, nothing, NULL, 0, &opts, NULL);
	}
	assert_int_equal(hft_group_wait(&group, hft_now() + PATIENCE), 0);
	return err;
}

static void run_scenario(json_t *scenario, struct hft_pool *pool)
{
	json_t *seq = json_object_get(scenario, "seq");
	const char *expect = json_string_value(json_object_get(scenario, "expect"));
	bool bad = !strncmp(expect, "deadlock", 8);
	struct hft_resource *named[128] = {};
	char name[2] = "";
	int c;

	for (c = 'A'; c <= 'Z'; c++) {
		HFT_OPTS(hft_resource_opts, opts, .name = name, .flags = HFT_RESOURCE_ORDERED);

		*name = (char)c;
		assert_int_equal(hft_resource_open(&named[c], &opts), 0);
	}
	assert_int_equal(run_pairs(seq, named), bad ? -EDEADLK : 0);
	assert_int_equal(declare_pairs(seq, named, pool),
			 json_array_size(seq) == 1 ? -EINVAL : 0);
	for (c = 'A'; c <= 'Z'; c++)
		assert_int_equal(hft_resource_close(named[c]), 0);
}

static void orders_that_were_published(void **state)
{
	const char *data = getenv("HFT_TEST_DATA");
	HFT_OPTS(hft_pool_opts, pool_opts, .workers = 2);
	struct hft_pool *pool;
	json_t *file, *scenario;
	size_t i, pairs = 0, misuses = 0;
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/sched/deadlock_and_inversion.json", data ? data : "");
	file = data ? json_load_file(path, 0, NULL) : NULL;
	if (!file) {
		print_message("HFT_TEST_DATA has no sched/deadlock_and_inversion.json\n");
		skip();
	}
	assert_int_equal(hft_pool_open(&pool, &pool_opts), 0);
	json_array_foreach(json_object_get(file, "scenarios"), i, scenario) {
		if (json_object_get(scenario, "seq")) {
			run_scenario(scenario, pool);
			pairs++;
		} else {
			run_misuse(json_string_value(json_object_get(scenario, "name")));
			misuses++;
		}
	}
	assert_int_equal(pairs, 8);
	assert_int_equal(misuses, 2);
	hft_pool_close(pool);
	json_decref(file);
}

/* What the actors have and wait for, as it should be. */
struct model {
	uint32_t units[RESOURCES];
	uint32_t has[ACTORS][RESOURCES];	/* shares, or units */
	bool alone[ACTORS][RESOURCES];
	int waits[ACTORS];			/* -1: for nothing */
	bool shares[ACTORS];
	uint32_t turn[ACTORS];
	uint32_t turns;
};

static bool model_fits(const struct model *m, int actor, int r, bool shared, const bool *gone)
{
	uint32_t used = 0;
	bool alone = false;
	int i;

	for (i = 0; i < ACTORS; i++) {
		if (gone && gone[i] && i != actor)
			continue;
		used += m->has[i][r];
		alone |= m->alone[i][r];
	}
	if (m->units[r] > 1)
		return used < m->units[r];
	return shared ? !alone : !used;
}

/* Take away, again and again, all who could go on to their end: is @actor among them? */
static bool model_deadlock(const struct model *m, int actor)
{
	bool gone[ACTORS] = {}, again = true;
	int i;

	while (again) {
		again = false;
		for (i = 0; i < ACTORS; i++) {
			/* Who waits for a share is behind one who waits to have it alone. */
			if (gone[i] || (m->waits[i] >= 0 &&
					!model_fits(m, i, m->waits[i], false, gone)))
				continue;
			gone[i] = again = true;
		}
	}
	return !gone[actor];
}

static bool model_has_waiters(const struct model *m, int r)
{
	int i;

	for (i = 0; i < ACTORS; i++) {
		if (m->waits[i] == r)
			return true;
	}
	return false;
}

static void model_take(struct model *m, int actor, int r, bool shared)
{
	m->has[actor][r]++;
	m->alone[actor][r] = m->units[r] == 1 && !shared;
	m->waits[actor] = -1;
}

/* All have the same level: who came first. */
static int model_next(const struct model *m, int r)
{
	int i, first = -1;

	for (i = 0; i < ACTORS; i++) {
		if (m->waits[i] == r && (first < 0 || m->turn[i] < m->turn[first]))
			first = i;
	}
	return first;
}

static void step_acquire(struct model *m, struct actor *actors, struct hft_resource **r, int a,
			 int n, bool shared)
{
	bool again = shared && m->has[a][n];
	uint32_t waiters = stats_of(r[n]).waiters;

	if (model_fits(m, a, n, shared, NULL) && (again || !model_has_waiters(m, n))) {
		assert_int_equal(ask(&actors[a], shared ? SHARE : ACQUIRE, r[n]), 0);
		model_take(m, a, n, shared);
		return;
	}
	m->waits[a] = n;
	m->shares[a] = shared;
	m->turn[a] = m->turns++;
	if (model_deadlock(m, a)) {
		m->waits[a] = -1;
		assert_int_equal(ask(&actors[a], shared ? SHARE : ACQUIRE, r[n]), -EDEADLK);
		return;
	}
	tell(&actors[a], shared ? SHARE : ACQUIRE, r[n]);
	wait_for_waiters(r[n], waiters + 1);
}

static void step_release(struct model *m, struct actor *actors, struct hft_resource **r, int a,
			 int n)
{
	int next;

	assert_int_equal(ask(&actors[a], RELEASE, r[n]), m->has[a][n] ? 0 : -EPERM);
	if (!m->has[a][n])
		return;
	m->has[a][n]--;
	m->alone[a][n] = false;
	while ((next = model_next(m, n)) >= 0 &&
	       model_fits(m, next, n, m->shares[next], NULL)) {
		assert_int_equal(answer(&actors[next]), 0);
		model_take(m, next, n, m->shares[next]);
	}
}

static void random_orders_against_an_oracle(void **state)
{
	struct hft_resource *r[RESOURCES];
	struct actor actors[ACTORS];
	struct model m = {};
	uint64_t random = 1;
	int i, n, step, refused = 0, waited = 0;

	(void)state;
	for (n = 0; n < RESOURCES; n++) {
		m.units[n] = n < 3 ? 1 : (uint32_t)n - 1;
		r[n] = make(NULL, m.units[n]);
	}
	for (i = 0; i < ACTORS; i++) {
		m.waits[i] = -1;
		start(&actors[i], HFT_LEVEL_NORMAL);
	}
	for (step = 0; step < STEPS; step++) {
		i = (int)random_below(&random, ACTORS);
		n = (int)random_below(&random, RESOURCES);
		if (m.waits[i] >= 0)
			continue;
		if (random_below(&random, 100) < 55) {
			step_acquire(&m, actors, r, i, n,
				     m.units[n] > 1 || random_below(&random, 3) == 0);
			refused += actors[i].result == -EDEADLK;
			waited += m.waits[i] >= 0;
		} else {
			step_release(&m, actors, r, i, n);
		}
	}
	/* Those who wait for nothing let go until all do. */
	for (step = 0; step < ACTORS * RESOURCES * 64; step++) {
		i = step % ACTORS;
		n = step / ACTORS % RESOURCES;
		if (m.waits[i] < 0 && m.has[i][n])
			step_release(&m, actors, r, i, n);
	}
	print_message("%d waited, %d were refused\n", waited, refused);
	assert_true(waited > 50 && refused > 50);
	for (i = 0; i < ACTORS; i++)
		quit(&actors[i]);
	for (n = 0; n < RESOURCES; n++)
		assert_int_equal(hft_resource_close(r[n]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_circle_is_refused_and_named),
		cmocka_unit_test(who_waits_with_a_timeout_goes_on),
		cmocka_unit_test(a_try_has_no_order),
		cmocka_unit_test(orders_that_were_published),
		cmocka_unit_test(random_orders_against_an_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
