/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-demo: replay a burst of market data, each packet at its own arrival time.
 *
 * The main thread reads packets into slots and submits their tasks ahead of time; each
 * ring has a worker, and each worker the books of the instruments that are its ring's.
 * A packet with messages for several rings is a task of each of them, at the same time.
 *
 * A slot is the main thread's until its tasks are submitted, then the workers' until
 * the last of its tasks is done, which they tell by @left (release, acquire).
 */
#ifndef HFT_DEMO_H
#define HFT_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <common/tool.h>
#include <core/hist.h>
#include <hft/book.h>
#include <hft/feed.h>
#include <hft/hft.h>

#define NSEC_PER_USEC	UINT64_C(1000)
#define NSEC_PER_MSEC	UINT64_C(1000000)
#define NSEC_PER_SEC	UINT64_C(1000000000)

#define MAX_RINGS	32

struct config {
	const char *feed;
	const char *json;
	const char *log;		/* folder of a log of the schedule; NULL: none */
	const char *instrument;
	double speed;
	uint64_t deadline_ns;
	uint64_t lead_ns;
	uint64_t limit;			/* packets; 0: all */
	unsigned int rings;		/* 0: as many as there are CPUs to spare */
	uint32_t policy;
	bool quiet;
};

/* What a ring's worker counts; its own while it runs. */
struct tally {
	uint64_t tasks;			/* submitted; the main thread's */
	uint64_t dispatched;
	uint64_t duplicated;
	uint64_t early;
	uint64_t unordered;
	uint64_t failed;		/* ended by the kernel with an error */
	uint64_t deadline_missed;
	uint64_t refused;		/* messages that made no sense to the book */
	uint64_t types[256];
	uint64_t last_release;
	uint64_t busy_ns;		/* CPU time of the worker, from its first task on */
	struct hft_hist error;		/* dispatch error, ns */
	struct hft_hist body;		/* time in the body, ns */
};

struct outcome {
	uint64_t packets;
	uint64_t span_ns;		/* from the first release to the last */
	uint64_t late;			/* submitted after their release: the input was too slow */
	uint64_t odd_lengths;
	uint64_t skipped;
	bool interrupted;
	unsigned int rings;
	unsigned int cpu[MAX_RINGS];
	uint64_t lead_ns[MAX_RINGS];
	struct tally *tally[MAX_RINGS];
};

/* Each returns 0, or -errno after it said why. */
int play(const struct config *config, struct outcome *outcome);
int report_text(const struct config *config, const struct outcome *outcome);
int report_json(const struct config *config, const struct outcome *outcome);

/* The sum over the rings. */
void add_up(const struct outcome *outcome, struct tally *sum);
uint64_t count_lost(const struct tally *tally);

#endif /* HFT_DEMO_H */
