/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A ring, its worker and what they work on. */
#ifndef HFT_DEMO_RING_H
#define HFT_DEMO_RING_H

#include "slots.h"

struct ring {
	struct hft_ring *ring;
	struct hft_worker *worker;
	struct hft_book *book;
	struct slots *slots;
	unsigned int index;
	unsigned int rings;
	struct tally *tally;
	bool began;			/* it has run a task: */
	clockid_t clock;		/* of its thread's CPU time, */
	uint64_t began_ns;		/* which was so much then */
};

/* Each returns 0, or -errno after it said why. */
int ring_start(struct ring *ring, struct hft *h, const struct config *config, unsigned int cpu);
int ring_stop(struct ring *ring);

#endif /* HFT_DEMO_RING_H */
