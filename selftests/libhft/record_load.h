/* SPDX-License-Identifier: GPL-2.0-only */
/* A load on a handle that is recorded, and what its replay says. */
#ifndef SELFTESTS_LIBHFT_RECORD_LOAD_H
#define SELFTESTS_LIBHFT_RECORD_LOAD_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/replay.h>

#include "../../libhft/src/random.h"

#define LOAD_RINGS	3
#define LOAD_IDS	64
#define LOAD_TASKS	256
#define NSEC_PER_USEC	1000ULL

/* Machines under load have timers that are late. */
#define LOAD_LATE_NS	20000000000ULL

struct load {
	struct hft *h;
	struct hft_ring *rings[LOAD_RINGS];
	uint64_t random;
	uint64_t ids[LOAD_IDS];
	uint64_t cookie;
	uint64_t events;
};

static inline uint32_t load_below(struct load *l, uint32_t limit)
{
	return random_below(&l->random, limit);
}

static inline int load_open(struct load *l, const char *backend)
{
	static const struct { uint32_t policy, window, entries; } rows[LOAD_RINGS] = {
		{ HFT_POLICY_EDF, 1, 4 }, { HFT_POLICY_FP, 2, 8 }, { HFT_POLICY_RM, 16, 16 },
	};
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = LOAD_TASKS);
	int i, err = hft_open(&l->h, &opts);

	for (i = 0; i < LOAD_RINGS && !err; i++) {
		HFT_OPTS(hft_ring_opts, ring, .policy = rows[i].policy, .window = rows[i].window,
			 .entries = rows[i].entries, .lead_ns = (uint64_t)i * 1000);

		err = hft_ring_open(l->h, &ring, &l->rings[i]);
	}
	return err;
}

static inline void load_close(struct load *l)
{
	int i;

	for (i = 0; i < LOAD_RINGS; i++)
		hft_ring_close(l->rings[i]);
	hft_close(l->h);
}

static inline struct hft_task load_task(struct load *l)
{
	struct hft_task task = {
		.cookie = l->cookie++,
		.ring = hft_ring_number(l->rings[load_below(l, LOAD_RINGS)]),
		.level = (uint8_t)load_below(l, HFT_LEVELS),
		.release = load_below(l, 4) ? hft_now() + load_below(l, 300) * NSEC_PER_USEC : 1,
	};

	if (load_below(l, 2))
		task.deadline = task.release + load_below(l, 1000) * NSEC_PER_USEC;
	if (!load_below(l, 3))
		task.flags |= HFT_TASK_TRACK;
	if (!load_below(l, 8))
		task.flags |= HFT_TASK_REDUCE;
	if (!load_below(l, 12)) {
		task.flags |= HFT_TASK_PERIODIC | (load_below(l, 2) ? HFT_TASK_CATCH_UP : 0);
		task.period = (1 + load_below(l, 8)) * 500 * NSEC_PER_USEC;
		task.release = hft_now();
		task.deadline = 0;
	}
	return task;
}

static inline void load_submit(struct load *l)
{
	struct hft_task tasks[6];
	int64_t results[6] = { 0 };
	uint32_t nr = load_below(l, 4) ? 1 : 2 + load_below(l, 5), i;

	for (i = 0; i < nr; i++)
		tasks[i] = load_task(l);
	if (nr > 1)
		hft_submit_batch(l->h, tasks, nr, results);
	else
		hft_submit(l->h, tasks, (uint64_t *)results);
	l->ids[load_below(l, LOAD_IDS)] = results[0] > 0 ? (uint64_t)results[0] : 0;
}

static inline void load_modify(struct load *l)
{
	struct hft_modify modify = {
		.task = l->ids[load_below(l, LOAD_IDS)],
		.fields = load_below(l, 2) ? HFT_MODIFY_LEVEL :
			  HFT_MODIFY_RELEASE | HFT_MODIFY_DEADLINE,
		.level = load_below(l, HFT_LEVELS),
		.release = hft_now() + load_below(l, 200) * NSEC_PER_USEC,
	};

	hft_modify(l->h, &modify);
}

static inline void load_consume(struct load *l)
{
	struct hft_ring *ring = l->rings[load_below(l, LOAD_RINGS)];
	uint32_t n = 1 + load_below(l, 6);

	while (n--) {
		if (!hft_ring_peek(ring) &&
		    hft_wait(ring, load_below(l, 2) ? 0 : hft_now() + 50 * NSEC_PER_USEC) <= 0)
			return;
		if (!hft_ring_peek(ring))
			return;
		hft_ring_advance(ring);
		l->events++;
	}
}

static inline void load_step(struct load *l)
{
	uint32_t kind = load_below(l, 100);

	if (kind < 40) {
		load_submit(l);
	} else if (kind < 82) {
		load_consume(l);
	} else if (kind < 90) {
		hft_cancel(l->h, l->ids[load_below(l, LOAD_IDS)]);
	} else if (kind < 95) {
		load_modify(l);
	} else if (kind < 98) {
		hft_spin_until(hft_now() + load_below(l, 200) * NSEC_PER_USEC);
	} else {
		hft_halt(l->h, 1 + load_below(l, HFT_HALT_CANCEL), 0, NULL);
		load_submit(l);
		load_consume(l);
		hft_resume(l->h, 0);
	}
}

/* Returns how many events there were, or a negative errno. */
static inline int64_t load_record(const char *backend, const char *path, uint64_t seed,
				  uint32_t steps)
{
	struct load *l = calloc(1, sizeof(*l));
	int64_t ret;

	l->random = seed;
	setenv("HFT_RECORD", path, 1);
	ret = load_open(l, backend);
	unsetenv("HFT_RECORD");
	while (!ret && steps--)
		load_step(l);
	load_close(l);
	if (!ret)
		ret = (int64_t)l->events;
	free(l);
	return ret;
}

/* Returns whether a replay has at least @events, and they are the same. */
static inline bool load_replays(const char *path, int64_t events)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LOAD_LATE_NS);
	struct hft_replay_result result;
	int err = hft_replay(path, &opts, &result);

	printf("# %s: %" PRIu64 " records, %" PRIu64 " events, %" PRIu64 " late, by up to %" PRIu64
	       " ns%s%s\n", result.backend, result.records, result.events, result.late,
	       result.latest_ns, err ? ": " : "", err ? hft_strerror(err) : "");
	return !err && events >= 0 && result.events >= (uint64_t)events;
}

#endif /* SELFTESTS_LIBHFT_RECORD_LOAD_H */
