// SPDX-License-Identifier: GPL-2.0-only
/* What is recorded of a handle of the kernel is replayed on a simulated machine. */
#include "record_load.h"

#define LOG_NAME	"/tmp/hft-record"
#define LOADS		20
#define STEPS		600

static bool record_and_replay(uint64_t seed)
{
	int64_t events = load_record("kernel", LOG_NAME, seed, STEPS);
	bool same = load_replays(LOG_NAME, events);

	load_remove(LOG_NAME);
	return same;
}

int main(void)
{
	int seed, failures = 0;
	bool same;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", LOADS);
	for (seed = 1; seed <= LOADS; seed++) {
		same = record_and_replay((uint64_t)seed);
		failures += !same;
		printf("%sok %d seed %d is dispatched as it was\n", same ? "" : "not ", seed,
		       seed);
	}
	return failures ? 1 : 0;
}
