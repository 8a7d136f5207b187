// SPDX-License-Identifier: GPL-2.0-only
/*
 * A million tasks over four rings, more than there is room for: each is dispatched exactly
 * once, to its own ring, and none before its release less the ring's lead.
 */
#include <pthread.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define RINGS		4
#define TASKS		1000000
#define SLOTS		8192	/* of the context: submitters run into -EDQUOT */
#define BATCH		256
#define LEAD		20000	/* ns */
#define HORIZON		400000	/* releases are up to this far ahead, ns */

struct lane {
	pthread_t thread;
	struct hft_test_ring ring;
	int context;
	int cpu;
	struct lane *target;	/* whose ring this lane submits to */
	uint64_t tasks;		/* of this lane's ring */
	uint64_t *release;	/* as submitted, by cookie */
	unsigned char *seen;
	uint64_t random;
	uint64_t sent;
	uint64_t dispatched;
	uint64_t refused;
	uint64_t early;
	uint64_t wrong;
	int err;
};

static void consume(struct lane *lane)
{
	struct hft_event event;

	while (hft_test_next(&lane->ring, &event)) {
		uint64_t n = event.cookie;

		if (n >= lane->tasks || event.release != lane->release[n] || event.result ||
		    event.sequence != lane->dispatched || event.published < event.irq_entry) {
			lane->wrong++;
			return;
		}
		lane->early += event.published + LEAD < event.release;
		lane->early += event.irq_entry + LEAD < event.release;
		lane->seen[n]++;
		lane->dispatched++;
	}
}

/* Submit up to a batch to the target; what is refused for want of a slot is for later. */
static int produce(struct lane *lane)
{
	struct lane *target = lane->target;
	struct hft_task tasks[BATCH];
	int64_t results[BATCH];
	uint64_t now = hft_test_now();
	int i, taken, nr;

	nr = target->tasks - lane->sent < BATCH ? target->tasks - lane->sent : BATCH;
	for (i = 0; i < nr; i++) {
		uint64_t n = lane->sent + i;

		target->release[n] = now + hft_test_random(&lane->random) % HORIZON;
		tasks[i] = hft_test_task(target->ring.add.ring, n, target->release[n]);
		tasks[i].deadline = tasks[i].release + hft_test_random(&lane->random) % HORIZON;
	}
	taken = hft_test_submit_batch(lane->context, tasks, results, nr);
	if (taken < 0)
		return taken;

	/*
	 * Slots come free meanwhile, so a task may be taken after one that was refused: send
	 * those again one by one.
	 */
	for (i = 0; i < nr; i++) {
		int err = results[i] > 0 ? 0 : results[i];

		while (err == -EDQUOT) {
			lane->refused++;
			consume(lane);
			hft_test_wait(&lane->ring, NSEC_PER_MSEC);
			err = hft_test_submit(lane->context, &tasks[i], NULL);
		}
		if (err)
			return err;
	}
	lane->sent += nr;
	return 0;
}

static void *run(void *arg)
{
	struct lane *lane = arg;
	uint64_t end = hft_test_now() + 100 * NSEC_PER_SEC;

	hft_test_pin(lane->cpu);
	while (!lane->err && !lane->wrong &&
	       (lane->sent < lane->target->tasks || lane->dispatched < lane->tasks)) {
		if (hft_test_now() > end)
			lane->err = -ETIMEDOUT;
		if (lane->sent < lane->target->tasks)
			lane->err = produce(lane);
		else
			hft_test_wait(&lane->ring, 10 * NSEC_PER_MSEC);
		consume(lane);
	}
	return NULL;
}

static int lane_init(struct lane *lane, int context, int cpu, uint64_t tasks)
{
	struct hft_ring_add add = hft_test_ring_default();

	lane->context = context;
	lane->cpu = cpu;
	lane->tasks = tasks;
	lane->random = 0x68667435 + cpu;
	lane->release = calloc(tasks, sizeof(*lane->release));
	lane->seen = calloc(tasks, 1);
	if (!lane->release || !lane->seen)
		return -ENOMEM;
	add.cpu = cpu;
	add.entries = 512;
	add.window = 256;
	add.lead = LEAD;
	add.policy = cpu & 1 ? HFT_POLICY_EDF : HFT_POLICY_FIFO;
	return hft_test_ring_make(context, &add, &lane->ring);
}

static uint64_t count_not_once(const struct lane *lane)
{
	uint64_t i, n = 0;

	for (i = 0; i < lane->tasks; i++)
		n += lane->seen[i] != 1;
	return n;
}

FIXTURE(exact) {
	int context;
	struct lane lanes[RINGS];
};

FIXTURE_SETUP(exact)
{
	uint64_t tasks = hft_test_scaled(hft_test_slow_kernel() ? TASKS / 20 : TASKS) / RINGS;
	int i;

	self->context = hft_test_context(SLOTS);
	ASSERT_LT(0, self->context);
	for (i = 0; i < RINGS; i++) {
		ASSERT_EQ(0, lane_init(&self->lanes[i], self->context, i % hft_test_cpus(), tasks));
		self->lanes[i].target = &self->lanes[(i + 1) % RINGS];
	}
}

FIXTURE_TEARDOWN(exact)
{
	int i;

	for (i = 0; i < RINGS; i++) {
		hft_test_ring_close(&self->lanes[i].ring);
		free(self->lanes[i].release);
		free(self->lanes[i].seen);
	}
	close(self->context);
}

TEST_F(exact, each_once_and_none_early)
{
	uint64_t submitted = 0, refused = 0;
	struct hft_stats stats;
	int i;

	for (i = 0; i < RINGS; i++)
		ASSERT_EQ(0, pthread_create(&self->lanes[i].thread, NULL, run, &self->lanes[i]));
	for (i = 0; i < RINGS; i++)
		pthread_join(self->lanes[i].thread, NULL);

	for (i = 0; i < RINGS; i++) {
		struct lane *lane = &self->lanes[i];

		EXPECT_EQ(0, lane->err);
		EXPECT_EQ(0, lane->wrong);
		EXPECT_EQ(0, lane->early);
		EXPECT_EQ(0, count_not_once(lane));
		EXPECT_EQ(lane->tasks, lane->dispatched);
		EXPECT_EQ(-ETIMEDOUT, hft_test_wait(&lane->ring, 0));
		submitted += lane->tasks;
		refused += lane->refused;
	}
	ASSERT_EQ(0, hft_test_stats(self->context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(submitted, stats.submitted);
	EXPECT_EQ(submitted, stats.dispatched);
	EXPECT_EQ(0, stats.cancelled + stats.ended + stats.bad_head);
	EXPECT_EQ(0, stats.waiting + stats.ready + stats.in_flight);
	EXPECT_EQ(SLOTS, stats.tasks_free);
	/* Without these there was no pressure, and the test has shown nothing of it. */
	EXPECT_LT(0, stats.full);
	TH_LOG("%llu tasks, %llu refused for want of a slot, %llu times no room in a ring",
	       (unsigned long long)submitted, (unsigned long long)refused,
	       (unsigned long long)stats.full);
}

TEST_HARNESS_MAIN
