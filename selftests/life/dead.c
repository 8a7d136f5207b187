// SPDX-License-Identifier: GPL-2.0-only
/*
 * A context is closed while a worker pulls its tracked tasks: what is being cancelled is
 * not written any more, and the ring, which outlives it, has no slot of it.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	2048
#define TURNS	60

FIXTURE(dead) {
	int context;
	struct hft_test_ring ring;
	uint32_t taken[TASKS];
	uint32_t strange;
	int err;
};

FIXTURE_SETUP(dead)
{
}

FIXTURE_TEARDOWN(dead)
{
	EXPECT_EQ(0, hft_test_await_unused());
}

/* Until the ring says that it is dead, and some more. */
static void *pull(void *arg)
{
	FIXTURE_DATA(dead) *self = arg;
	struct hft_event event;
	int i, left = 100;

	while (left) {
		self->err = hft_test_wait(&self->ring, 0);
		left -= self->err == -ESHUTDOWN;
		for (i = 0; i < 3 && hft_test_next(&self->ring, &event); i++) {
			if (event.type != HFT_EVENT_TASK || event.cookie >= TASKS)
				self->strange++;
			else
				self->taken[event.cookie]++;
		}
	}
	return NULL;
}

static void submit_all(struct __test_metadata *_metadata, FIXTURE_DATA(dead) *self)
{
	struct hft_task task = hft_test_task(0, 0, 1);
	int i;

	for (i = 0; i < TASKS; i++) {
		task.cookie = i;
		/* A few recur, so that a job waits while one is in flight. */
		task.flags = i % 16 ? HFT_TASK_TRACK : HFT_TASK_PERIODIC | HFT_TASK_CATCH_UP;
		task.period = i % 16 ? 0 : 20 * NSEC_PER_MSEC;
		task.release = i % 16 ? 1 : hft_test_now();
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	}
}

static void turn(struct __test_metadata *_metadata, FIXTURE_DATA(dead) *self, uint32_t cpu)
{
	pthread_t thread;
	int i;

	memset(self->taken, 0, sizeof(self->taken));
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, cpu, 64, 8, HFT_POLICY_FIFO, &self->ring));
	submit_all(_metadata, self);
	ASSERT_EQ(0, pthread_create(&thread, NULL, pull, self));
	hft_test_sleep(cpu * NSEC_PER_MSEC / 4);
	close(self->context);
	pthread_join(thread, NULL);

	EXPECT_EQ(-ESHUTDOWN, self->err);
	EXPECT_TRUE(hft_test_flags(&self->ring) & HFT_RING_DEAD);
	EXPECT_EQ(0, self->strange);
	for (i = 0; i < TASKS; i++) {
		if (i % 16)
			EXPECT_GE(1, self->taken[i]);
	}
	hft_test_ring_close(&self->ring);
}

TEST_F(dead, closed_while_a_worker_pulls)
{
	int i, turns = (int)hft_test_scaled(TURNS);

	for (i = 0; i < turns; i++)
		turn(_metadata, self, i % hft_test_cpus());
}

TEST_HARNESS_MAIN
