// SPDX-License-Identifier: GPL-2.0-only
/*
 * 5,000 packets of a real burst, each a task at its own arrival time, through libhft:
 * each is dispatched exactly once, none early, those of a ring in the order of their
 * releases.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <hft/feed.h>
#include <hft/hft.h>

#include "kselftest_harness.h"

#define PACKETS		5000
#define MAX_RINGS	2
#define SPEED		100
#define DEADLINE_NS	50000
#define START_NS	100000000ULL
#define GRACE_S		20

struct run {
	uint64_t cookie;
	uint64_t release;
	uint64_t start;
	int32_t result;
};

struct lane {
	struct hft_ring *ring;
	struct hft_worker *worker;
	atomic_uint nr;			/* events; beyond PACKETS they are only counted */
	struct run runs[PACKETS];
};

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct lane *lane = arg;
	unsigned int n = atomic_load_explicit(&lane->nr, memory_order_relaxed);

	if (n < PACKETS)
		lane->runs[n] = (struct run) {
			event->cookie, event->release, start, event->result
		};
	atomic_store_explicit(&lane->nr, n + 1, memory_order_release);
}

FIXTURE(arrivals) {
	uint64_t release[PACKETS];
	struct hft *h;
	struct lane *lanes;
	unsigned int rings;
};

FIXTURE_VARIANT(arrivals) {
	unsigned int rings;
	uint32_t policy;
	uint32_t window;
	uint64_t lead_ns;
};

FIXTURE_VARIANT_ADD(arrivals, fifo) {
	.rings = 1, .policy = HFT_POLICY_FIFO, .window = 64, .lead_ns = 0
};

FIXTURE_VARIANT_ADD(arrivals, edf_window_1) {
	.rings = 1, .policy = HFT_POLICY_EDF, .window = 1, .lead_ns = 0
};

FIXTURE_VARIANT_ADD(arrivals, edf_lead_two_rings) {
	.rings = 2, .policy = HFT_POLICY_EDF, .window = 64, .lead_ns = 20000
};

/* Returns how many arrivals there are, or -1 when there is no data. */
static int read_arrivals(uint64_t *arrival)
{
	const char *folder = getenv("HFT_TEST_DATA");
	struct hft_packet packet;
	struct hft_feed *feed;
	char path[PATH_MAX];
	int n = 0;

	snprintf(path, sizeof(path), "%s/feed/cme_mdp3_ab_timeline.csv.gz", folder ? folder : "");
	if (!folder || hft_feed_open(&feed, path))
		return -1;
	while (hft_feed_next(feed, &packet) > 0) {
		if (n < PACKETS)
			arrival[n] = packet.arrival;
		n++;
	}
	hft_feed_close(feed);
	return n;
}

static int start_lane(struct hft *h, struct lane *lane, uint32_t cpu,
		      const FIXTURE_VARIANT(arrivals) *variant)
{
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = cpu, .entries = 64, .window = variant->window,
		 .policy = variant->policy, .lead_ns = variant->lead_ns);
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = body, .arg = lane);
	int err = hft_ring_open(h, &ring_opts, &lane->ring);

	return err ? err : hft_worker_start(lane->ring, &worker_opts, &lane->worker);
}

FIXTURE_SETUP(arrivals)
{
	HFT_OPTS(hft_opts, opts, .tasks = PACKETS);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int nr = read_arrivals(self->release);
	unsigned int i;

	self->h = NULL;
	self->lanes = NULL;
	self->rings = variant->rings;
	/* The harness runs the test even after a SKIP() here: the test skips itself. */
	if (nr < 0)
		return;
	ASSERT_EQ(nr, PACKETS);
	self->lanes = calloc(MAX_RINGS, sizeof(*self->lanes));
	ASSERT_NE(self->lanes, NULL);
	ASSERT_EQ(hft_open(&self->h, &opts), 0);
	for (i = 0; i < self->rings; i++)
		ASSERT_EQ(start_lane(self->h, &self->lanes[i], (uint32_t)((i + 1) % cpus),
				     variant), 0);
}

FIXTURE_TEARDOWN(arrivals)
{
	unsigned int i;

	for (i = 0; self->h && i < self->rings; i++) {
		EXPECT_EQ(hft_worker_stop(self->lanes[i].worker), 0);
		hft_ring_close(self->lanes[i].ring);
	}
	hft_close(self->h);
	free(self->lanes);
}

static unsigned int count_runs(const struct lane *lanes, unsigned int rings)
{
	unsigned int i, nr = 0;

	for (i = 0; i < rings; i++)
		nr += atomic_load_explicit(&lanes[i].nr, memory_order_acquire);
	return nr;
}

TEST_F(arrivals, replay)
{
	uint64_t first = self->release[0], start = hft_now() + START_NS;
	static struct hft_task tasks[PACKETS];
	static int64_t results[PACKETS];
	static unsigned int seen[PACKETS];
	unsigned int i, n, tries;
	struct hft_query query;

	if (!self->lanes)
		SKIP(return, "HFT_TEST_DATA has no feed/cme_mdp3_ab_timeline.csv.gz");
	for (i = 0; i < PACKETS; i++) {
		self->release[i] = start + (self->release[i] - first) / SPEED;
		tasks[i] = (struct hft_task) {
			.cookie = i,
			.release = self->release[i],
			.deadline = self->release[i] + DEADLINE_NS,
			.ring = hft_ring_number(self->lanes[i % self->rings].ring),
			.level = HFT_LEVEL_HIGH,
		};
	}
	ASSERT_EQ(hft_query(self->h, &query), 0);
	for (i = 0; i < PACKETS; i += n) {
		n = PACKETS - i < query.max_batch ? PACKETS - i : query.max_batch;
		ASSERT_EQ(hft_submit_batch(self->h, tasks + i, n, results + i), (int)n);
	}

	for (tries = 0; tries < GRACE_S * 10; tries++) {
		if (count_runs(self->lanes, self->rings) >= PACKETS &&
		    hft_now() > self->release[PACKETS - 1])
			break;
		usleep(100000);
	}
	ASSERT_EQ(count_runs(self->lanes, self->rings), PACKETS);

	for (i = 0; i < self->rings; i++) {
		const struct lane *lane = &self->lanes[i];
		uint64_t last = 0;

		for (n = 0; n < lane->nr; n++) {
			const struct run *run = &lane->runs[n];

			ASSERT_EQ(run->result, 0);
			ASSERT_LT(run->cookie, PACKETS);
			ASSERT_EQ(run->release, self->release[run->cookie]);
			ASSERT_EQ(run->cookie % self->rings, i);
			ASSERT_GE(run->start, run->release);
			ASSERT_GE(run->release, last);
			last = run->release;
			seen[run->cookie]++;
		}
	}
	for (i = 0; i < PACKETS; i++)
		ASSERT_EQ(seen[i], 1);
}

TEST_HARNESS_MAIN
