// SPDX-License-Identifier: GPL-2.0-only
/* Resources: who has them, who is lent what, and what would never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/resource.h>

#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define ACTORS		6
#define RESOURCES	5
#define CHAIN		40

#ifdef __SANITIZE_THREAD__
#define STEPS		3000
#define TURNS		5000
#else
#define STEPS		10000
#define TURNS		50000
#endif

/* A thread that does as it is told. */
enum command { ACQUIRE, SHARE, RELEASE, QUIT };

struct actor {
	pthread_t thread;
	sem_t told;
	sem_t done;
	enum command command;
	struct hft_resource *resource;
	enum hft_level level;
	int result;
	enum hft_level seen;		/* its level then */
	char reason[256];
};

static void *act(void *arg)
{
	struct actor *a = arg;

	if (hft_resource_thread(a->level, 0))
		abort();
	for (;;) {
		while (sem_wait(&a->told))
			;
		if (a->command == QUIT)
			return NULL;
		if (a->command == ACQUIRE)
			a->result = hft_resource_acquire(a->resource);
		else if (a->command == SHARE)
			a->result = hft_resource_share(a->resource);
		else
			a->result = hft_resource_release(a->resource);
		a->seen = hft_resource_level();
		snprintf(a->reason, sizeof(a->reason), "%s", hft_strerror(a->result));
		sem_post(&a->done);
	}
}

static void start(struct actor *a, enum hft_level level)
{
	*a = (struct actor){ .level = level };
	sem_init(&a->told, 0, 0);
	sem_init(&a->done, 0, 0);
	assert_int_equal(pthread_create(&a->thread, NULL, act, a), 0);
}

static void tell(struct actor *a, enum command command, struct hft_resource *resource)
{
	a->command = command;
	a->resource = resource;
	sem_post(&a->told);
}

static int answer(struct actor *a)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += PATIENCE / 1000000000;
	assert_int_equal(sem_timedwait(&a->done, &limit), 0);
	return a->result;
}

static int ask(struct actor *a, enum command command, struct hft_resource *resource)
{
	tell(a, command, resource);
	return answer(a);
}

static void quit(struct actor *a)
{
	tell(a, QUIT, NULL);
	pthread_join(a->thread, NULL);
}

static struct hft_resource *make(const char *name, uint32_t units)
{
	HFT_OPTS(hft_resource_opts, opts, .name = name, .units = units);
	struct hft_resource *resource;

	assert_int_equal(hft_resource_open(&resource, &opts), 0);
	return resource;
}

static struct hft_resource_stats stats_of(struct hft_resource *resource)
{
	struct hft_resource_stats stats = { .sz = sizeof(stats) };

	assert_int_equal(hft_resource_stats(resource, &stats), 0);
	return stats;
}

static void wait_for_waiters(struct hft_resource *resource, uint32_t nr)
{
	uint64_t end = hft_now() + PATIENCE;

	while (stats_of(resource).waiters != nr) {
		assert_true(hft_now() < end);
		usleep(50);
	}
}

static void it_is_ones_own_or_shared(void **state)
{
	struct hft_resource *r = make("book", 1);
	struct actor a;

	(void)state;
	start(&a, HFT_LEVEL_NORMAL);
	assert_int_equal(hft_resource_acquire(r), 0);
	assert_int_equal(hft_resource_try(r), -EDEADLK);
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
	assert_int_equal(hft_resource_try(r), -EDEADLK);
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

static void orders_that_were_published(void **state)
{
	const char *data = getenv("HFT_TEST_DATA");
	struct hft_resource *named[256] = {};
	json_t *file, *scenario;
	char path[4096], name[2] = "";
	size_t i, pairs = 0;
	int c;

	(void)state;
	snprintf(path, sizeof(path), "%s/sched/deadlock_and_inversion.json", data ? data : "");
	file = data ? json_load_file(path, 0, NULL) : NULL;
	if (!file) {
		print_message("HFT_TEST_DATA has no sched/deadlock_and_inversion.json\n");
		skip();
	}
	json_array_foreach(json_object_get(file, "scenarios"), i, scenario) {
		json_t *seq = json_object_get(scenario, "seq");
		const char *expect = json_string_value(json_object_get(scenario, "expect"));
		bool bad = !strncmp(expect, "deadlock", 8);

		if (!seq)
			continue;	/* a release, or a close, of what is held: see above */
		pairs++;
		for (c = 'A'; c <= 'Z'; c++) {
			HFT_OPTS(hft_resource_opts, opts, .name = name,
				 .flags = HFT_RESOURCE_ORDERED);

			*name = (char)c;
			assert_int_equal(hft_resource_open(&named[c], &opts), 0);
		}
		assert_int_equal(run_pairs(seq, named), bad ? -EDEADLK : 0);
		for (c = 'A'; c <= 'Z'; c++)
			assert_int_equal(hft_resource_close(named[c]), 0);
	}
	assert_true(pairs >= 8);
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
	assert_string_equal(stall.resource, "book");
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
		cmocka_unit_test(a_circle_is_refused_and_named),
		cmocka_unit_test(orders_that_were_published),
		cmocka_unit_test(random_orders_against_an_oracle),
		cmocka_unit_test(a_crowd),
		cmocka_unit_test(a_foreign_lock_shows),
		cmocka_unit_test(bad_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
