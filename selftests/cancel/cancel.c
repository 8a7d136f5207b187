// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cancelling a task at each stage of its life, by ids of all kinds, and while it is being
 * dispatched: it is cancelled or has an event, never both and never neither.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	64

FIXTURE(cancel) {
	int context;
	struct hft_test_ring ring;
};

/* In a window of 1 tasks wait for room, in one of 64 they do not. */
FIXTURE_VARIANT(cancel) {
	uint32_t window;
};

FIXTURE_VARIANT_ADD(cancel, window_1) { .window = 1 };
FIXTURE_VARIANT_ADD(cancel, window_64) { .window = 64 };

FIXTURE_SETUP(cancel)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 64, variant->window,
				       HFT_POLICY_FIFO, &self->ring));
}

FIXTURE_TEARDOWN(cancel)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int submit_at(int context, uint64_t cookie, uint64_t release, int64_t *id)
{
	struct hft_task task = hft_test_task(0, cookie, release);

	return hft_test_submit(context, &task, id);
}

static uint32_t tasks_free(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT32_MAX : stats.tasks_free;
}

TEST_F(cancel, waiting_task)
{
	uint64_t release = hft_test_now() + 300 * NSEC_PER_MSEC;
	struct hft_stats stats;
	int64_t id = 0;

	ASSERT_EQ(0, submit_at(self->context, 1, release, &id));
	ASSERT_LT(0, id);
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, id));
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait_until(&self->ring, release + 100 * NSEC_PER_MSEC));
	ASSERT_EQ(0, hft_test_pending(&self->ring));

	ASSERT_EQ(0, hft_test_stats(self->context, 0, &stats));
	ASSERT_EQ(1, stats.submitted);
	ASSERT_EQ(1, stats.cancelled);
	ASSERT_EQ(0, stats.dispatched);
	ASSERT_EQ(TASKS, stats.tasks_free);
}

TEST_F(cancel, dispatched_task)
{
	struct hft_event event;
	int64_t id;

	ASSERT_EQ(0, submit_at(self->context, 1, 0, &id));
	ASSERT_EQ(1, hft_test_pending(&self->ring));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, id));
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(id, (int64_t)event.task);
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, id));
}

/* The slot is used again at once: an old id must not hit the new task. */
TEST_F(cancel, stale_ids)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	int64_t old[200], now;
	int i, j;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, submit_at(self->context, i, far, &old[i]));
		for (j = 0; j < i; j++)
			ASSERT_NE(old[j], old[i]);
		ASSERT_EQ(0, hft_test_cancel(self->context, old[i]));
	}
	ASSERT_EQ(0, submit_at(self->context, 1, far, &now));
	for (i = 0; i < 200; i++)
		ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, old[i]));
	ASSERT_EQ(0, hft_test_cancel(self->context, now));
}

TEST_F(cancel, ids_that_never_were)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC, random = 0x68667433;
	int64_t id;
	int i;

	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, 0));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, UINT64_MAX));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, 1ULL << 63));
	/* Free slots have a generation too. */
	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, 1ULL << 32 | i));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, 1ULL << 32 | TASKS));
	ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, 1ULL << 32 | UINT32_MAX));

	ASSERT_EQ(0, submit_at(self->context, 1, far, &id));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, id ^ 1ULL << i));
	for (i = 0; i < 10000; i++) {
		uint64_t other = hft_test_random(&random);

		if ((int64_t)other != id)
			ASSERT_EQ(-ENOENT, hft_test_cancel(self->context, other));
	}
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
}

TEST_F(cancel, task_of_another_context)
{
	uint64_t far = hft_test_now() + 1000 * NSEC_PER_SEC;
	int other = hft_test_context(TASKS);
	int64_t id;

	ASSERT_LT(0, other);
	ASSERT_EQ(0, submit_at(self->context, 1, far, &id));
	ASSERT_EQ(-ENOENT, hft_test_cancel(other, id));
	ASSERT_EQ(0, hft_test_cancel(self->context, id));
	close(other);
}

TEST(context_that_is_not_set_up)
{
	int context = hft_test_open();

	ASSERT_LT(0, context);
	ASSERT_EQ(-ENOENT, hft_test_cancel(context, 1ULL << 32));
	close(context);
}

TEST(ready_task)
{
	int context = hft_test_context(TASKS);
	struct hft_test_ring ring;
	struct hft_event event;
	int64_t id[3];
	int i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 64, 1, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, submit_at(context, i, 0, &id[i]));
	ASSERT_EQ(0, hft_test_cancel(context, id[1]));
	ASSERT_EQ(-ENOENT, hft_test_cancel(context, id[1]));

	ASSERT_EQ(0, hft_test_take(&ring, &event, NSEC_PER_SEC));
	ASSERT_EQ(0, event.cookie);
	ASSERT_EQ(0, hft_test_take(&ring, &event, NSEC_PER_SEC));
	ASSERT_EQ(2, event.cookie);
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&ring, 0));
	ASSERT_EQ(TASKS, tasks_free(context));
	hft_test_ring_close(&ring);
	close(context);
}

/* The earliest task goes: the timer must not fire for it, and must for the next. */
TEST_F(cancel, earliest_of_many)
{
	uint64_t base = hft_test_now() + 200 * NSEC_PER_MSEC;
	struct hft_event event;
	int64_t id[32];
	int i;

	for (i = 0; i < 32; i++)
		ASSERT_EQ(0, submit_at(self->context, i, base + i * NSEC_PER_MSEC, &id[i]));
	for (i = 0; i < 32; i += 2)
		ASSERT_EQ(0, hft_test_cancel(self->context, id[i]));
	for (i = 1; i < 32; i += 2) {
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, 10 * NSEC_PER_SEC));
		ASSERT_EQ(i, (int)event.cookie);
	}
	ASSERT_EQ(-ETIMEDOUT, hft_test_wait(&self->ring, 0));
	ASSERT_EQ(TASKS, tasks_free(self->context));
}

/*
 * Two threads cancel whatever id they see, from the moment that the kernel writes it, while
 * the tasks are queued, released and dispatched.
 */
#define ROUNDS	500

struct race {
	int context;
	pthread_barrier_t barrier;
	bool stop;
	atomic_bool over;
	_Atomic(int64_t) id[TASKS];
	atomic_int cancelled[TASKS];
};

static void cancel_all(struct race *race)
{
	int i;

	for (i = 0; i < TASKS; i++) {
		int64_t id = atomic_load(&race->id[i]);

		if (id > 0 && !hft_test_cancel(race->context, id))
			atomic_fetch_add(&race->cancelled[i], 1);
	}
}

static void *canceller(void *arg)
{
	struct race *race = arg;

	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (race->stop)
			return NULL;
		while (!atomic_load(&race->over))
			cancel_all(race);
		pthread_barrier_wait(&race->barrier);
	}
}

static int count_cancelled(struct race *race)
{
	int i, n = 0;

	for (i = 0; i < TASKS; i++)
		n += atomic_load(&race->cancelled[i]);
	return n;
}

static int submit_round(struct race *race, uint64_t *random, int *seen)
{
	/* Submitting takes time too, and what is due by then is dispatched at once. */
	uint64_t spread = hft_test_slow_kernel() ? 5 * NSEC_PER_MSEC : 300000;
	struct hft_task tasks[TASKS];
	uint64_t now = hft_test_now();
	int i;

	for (i = 0; i < TASKS; i++) {
		tasks[i] = hft_test_task(0, i, now + hft_test_random(random) % spread);
		atomic_store(&race->id[i], 0);
		atomic_store(&race->cancelled[i], 0);
		seen[i] = 0;
	}
	atomic_store(&race->over, false);
	pthread_barrier_wait(&race->barrier);
	return hft_test_submit_batch(race->context, tasks, (int64_t *)race->id, TASKS);
}

/* Collect events until all tasks are accounted for.  Returns how many events there were. */
static int finish_round(struct race *race, struct hft_test_ring *ring, int *seen)
{
	uint64_t end = hft_test_now() + 10 * NSEC_PER_SEC;
	struct hft_event event;
	int events = 0;

	while (events + count_cancelled(race) < TASKS && hft_test_now() < end) {
		hft_test_wait(ring, NSEC_PER_MSEC);
		while (hft_test_next(ring, &event)) {
			seen[event.cookie]++;
			events++;
		}
	}
	atomic_store(&race->over, true);
	pthread_barrier_wait(&race->barrier);
	return events;
}

/* The first task that was not cancelled once or dispatched once; -1: there is none. */
static int first_wrong(struct race *race, const int *seen)
{
	int i;

	for (i = 0; i < TASKS; i++) {
		if (seen[i] + atomic_load(&race->cancelled[i]) != 1)
			return i;
	}
	return -1;
}

TEST_F(cancel, racing_with_dispatch)
{
	int rounds = hft_test_scaled(hft_test_slow_kernel() ? ROUNDS / 10 : ROUNDS);
	uint64_t random = 0x68667434, events = 0, cancelled = 0;
	static struct race race;
	struct hft_stats stats;
	pthread_t thread[2];
	int round, i, n, seen[TASKS];

	race.context = self->context;
	ASSERT_EQ(0, pthread_barrier_init(&race.barrier, NULL, 3));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, canceller, &race));

	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(TASKS, submit_round(&race, &random, seen));
		n = finish_round(&race, &self->ring, seen);
		ASSERT_EQ(-1, first_wrong(&race, seen));
		events += n;
		cancelled += TASKS - n;
	}
	race.stop = true;
	pthread_barrier_wait(&race.barrier);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);

	TH_LOG("%llu events, %llu cancelled", (unsigned long long)events,
	       (unsigned long long)cancelled);
	ASSERT_LT(0, events);
	ASSERT_LT(0, cancelled);
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	ASSERT_EQ((uint64_t)rounds * TASKS, stats.submitted);
	ASSERT_EQ(events, stats.dispatched);
	ASSERT_EQ(cancelled, stats.cancelled);
	ASSERT_EQ(TASKS, stats.tasks_free);
}

TEST_HARNESS_MAIN
