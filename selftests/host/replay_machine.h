/* SPDX-License-Identifier: GPL-2.0-only */
/* A simulated machine whose CPUs take tasks from each other, as it is recorded. */
#ifndef SELFTESTS_HOST_REPLAY_MACHINE_H
#define SELFTESTS_HOST_REPLAY_MACHINE_H

#include "engine/replay.h"
#include "record_folder.h"

#define IDS		8
#define HOME_CPU	1
#define ALONE_CPU	2
#define USEC		1000
#define LATE_NS		(50 * USEC)

/* Tasks of @home go to @spare when its CPU is offline, those of @alone end. */
struct machine {
	struct hft *h;
	struct hft_ring *home;
	struct hft_ring *spare;
	struct hft_ring *alone;
	struct hft_ring *monitor;
	uint64_t random;
	uint64_t cookie;
	uint64_t ids[2][IDS];		/* of each of the two, as a chain is of one CPU */
	uint32_t moved;			/* events of tasks of @home that came by @spare */
	uint32_t ended;
	uint32_t refused;
};

static inline void machine_open(struct machine *m, const char *path, bool monitored)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=3", .tasks = 256);
	HFT_OPTS(hft_ring_opts, ring, .entries = 8, .policy = HFT_POLICY_FP,
		 .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_ring_opts, monitor, .entries = 256, .flags = HFT_RING_MONITOR);

	load_remove(path);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&m->h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(m->h, &ring, &m->spare), 0);
	ring.cpu = ALONE_CPU;
	assert_int_equal(hft_ring_open(m->h, &ring, &m->alone), 0);
	ring.cpu = HOME_CPU;
	ring.flags |= HFT_RING_FALLBACK;
	ring.fallback = hft_ring_number(m->spare);
	assert_int_equal(hft_ring_open(m->h, &ring, &m->home), 0);
	if (monitored)
		assert_int_equal(hft_ring_open(m->h, &monitor, &m->monitor), 0);
}

static inline void machine_close(struct machine *m)
{
	hft_ring_close(m->home);
	hft_ring_close(m->spare);
	hft_ring_close(m->alone);
	hft_ring_close(m->monitor);
	hft_close(m->h);
}

static inline void machine_send(struct machine *m, struct hft_ring *ring, uint64_t cookie,
				uint8_t level, uint64_t release)
{
	const struct hft_task task = {
		.cookie = cookie, .release = release, .ring = hft_ring_number(ring),
		.level = level,
	};

	assert_int_equal(hft_submit(m->h, &task, NULL), 0);
	hft_spin_until(hft_now() + LATE_NS);
}

static inline void expect_same(const char *path, struct hft_replay_result *result)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	int err = hft_replay(path, &opts, result);

	if (err)
		fail_msg("%s", hft_strerror(-err));
}

#endif /* SELFTESTS_HOST_REPLAY_MACHINE_H */
