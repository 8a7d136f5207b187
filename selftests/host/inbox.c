// SPDX-License-Identifier: GPL-2.0-only
/* Submitters that stop half-way: what is in nobody's hands but a scheduler's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "engine/inbox.h"

#define ENTRIES		8
#define MSEC		1000000ULL
#define PATIENCE	(20000 * MSEC)

struct fixture {
	struct hft *h;
	struct hft_ring *ring;
};

static int set_up(void **state)
{
	static struct fixture f;
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .inbox = ENTRIES);

	if (hft_open(&f.h, &opts) || hft_ring_open(f.h, &ring_opts, &f.ring))
		return -1;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	hft_ring_close(f->ring);
	hft_close(f->h);
	return 0;
}

/* As hft_inbox_submit() in two halves */
static uint64_t claim(struct hft_ring *ring)
{
	return atomic_fetch_add(&ring->inbox->tail, 1);
}

static void publish(struct hft_ring *ring, uint64_t place, uint64_t cookie)
{
	struct hft_inbox_slot *slot = hft_inbox_slot(ring->inbox, place);

	slot->task = (struct hft_inbox_task){
		.cookie = cookie,
		.release = hft_now(),
		.level = HFT_LEVEL_NORMAL,
	};
	atomic_store_explicit(&slot->turn, place + 1, memory_order_release);
}

static int submit(struct hft_ring *ring, uint64_t cookie)
{
	struct hft_task task = { .cookie = cookie, .level = HFT_LEVEL_NORMAL };

	return hft_submit_now(ring, &task);
}

/* By looking again and again, as a worker that spins on its own */
static void take(struct hft_ring *ring, uint64_t cookie)
{
	uint64_t end = hft_now() + PATIENCE;
	const struct hft_event *event;

	while (!(event = hft_ring_peek(ring)))
		assert_true(hft_now() < end);
	assert_int_equal(event->cookie, cookie);
	hft_ring_advance(ring);
}

static void expect_nothing(struct hft_ring *ring)
{
	assert_null(hft_ring_peek(ring));
	assert_int_equal(hft_wait(ring, 0), -ETIMEDOUT);
}

/* Others' tasks go past one that is not there yet, on each lap. */
static void test_stalled(void **state)
{
	struct hft_ring *ring = ((struct fixture *)*state)->ring;
	uint64_t lap, place;

	for (lap = 0; lap < 5 * ENTRIES; lap++) {
		assert_int_equal(submit(ring, 1), 0);
		place = claim(ring);
		assert_int_equal(submit(ring, 2), 0);
		assert_int_equal(submit(ring, 3), 0);
		take(ring, 1);
		take(ring, 2);
		take(ring, 3);
		assert_int_equal(submit(ring, 4), 0);
		take(ring, 4);
		publish(ring, place, 5);
		take(ring, 5);
		expect_nothing(ring);
	}
}

/* Its slot is not given to another, and all are there again afterwards. */
static void test_stalled_while_full(void **state)
{
	struct hft_ring *ring = ((struct fixture *)*state)->ring;
	uint64_t place = claim(ring), i, lap;

	for (lap = 0; lap < 3; lap++) {
		for (i = 1; i < ENTRIES; i++) {
			if (submit(ring, i))
				break;
		}
		assert_int_equal(i, lap ? 1 : ENTRIES);
		assert_int_equal(submit(ring, 0), -EAGAIN);
		for (i = 1; i < ENTRIES && !lap; i++)
			take(ring, i);
	}
	publish(ring, place, 9);
	take(ring, 9);
	for (i = 0; i < ENTRIES; i++)
		assert_int_equal(submit(ring, i), 0);
	assert_int_equal(submit(ring, 0), -EAGAIN);
	for (i = 0; i < ENTRIES; i++)
		take(ring, i);
	expect_nothing(ring);
}

struct late {
	struct hft_ring *ring;
	uint64_t place;
};

static void *publish_late(void *arg)
{
	struct late *late = arg;

	usleep(20000);
	/* It saw that the worker was awake, and wakes nobody. */
	publish(late->ring, late->place, 7);
	return NULL;
}

/* A worker that goes to sleep meanwhile needs nobody to wake it. */
static void test_sleeper(void **state)
{
	struct hft_ring *ring = ((struct fixture *)*state)->ring;
	struct late late = { .ring = ring, .place = claim(ring) };
	pthread_t thread;

	assert_int_equal(hft_wait(ring, hft_now() + 3 * MSEC), -ETIMEDOUT);
	assert_int_equal(pthread_create(&thread, NULL, publish_late, &late), 0);
	assert_int_equal(hft_wait(ring, hft_now() + PATIENCE), 1);
	pthread_join(thread, NULL);
	take(ring, 7);
	expect_nothing(ring);
}

static void test_poller(void **state)
{
	struct hft_ring *ring = ((struct fixture *)*state)->ring;
	uint64_t place = claim(ring);

	/* There may be something at any moment: it does not sleep. */
	assert_true(hft_ring_arm(ring));
	publish(ring, place, 1);
	assert_true(hft_ring_arm(ring));
	take(ring, 1);
	assert_false(hft_ring_arm(ring));
}

/* What is cancelled stays so when it is published afterwards. */
static void test_cancelled(void **state)
{
	struct fixture *f = *state;
	HFT_OPTS(hft_inbox_stats, stats);
	struct hft_halt halt;
	uint64_t place;

	place = claim(f->ring);
	assert_int_equal(submit(f->ring, 1), 0);
	assert_int_equal(hft_halt(f->h, HFT_HALT_CANCEL, 0, &halt), 0);
	assert_int_equal(halt.stopped, 2);
	assert_int_equal(submit(f->ring, 2), 0);
	assert_int_equal(hft_resume(f->h, 0), 0);
	take(f->ring, 2);
	publish(f->ring, place, 3);
	expect_nothing(f->ring);
	assert_int_equal(submit(f->ring, 4), 0);
	take(f->ring, 4);
	assert_int_equal(hft_inbox_stats(f->ring, &stats), 0);
	assert_int_equal(stats.cancelled, 2);
	assert_int_equal(stats.taken, 2);
	assert_int_equal(stats.waiting, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stalled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stalled_while_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sleeper, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_poller, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
