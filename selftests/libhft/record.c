// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is recorded of a handle of the kernel is replayed on a simulated machine.  When a
 * virtual machine stands still between two instructions of a consumer, what it did is not
 * quite what it says: a seed has three tries, and each that failed is told.
 */
#include "record_load.h"

#define FILE_NAME	"/tmp/hft-record"
#define LOADS		10
#define STEPS		600
#define TRIES		3

/* The first handle of a process has the name to itself. */
static bool record_and_replay(uint64_t seed)
{
	static int handles;
	char name[64] = FILE_NAME;
	int64_t events = load_record("kernel", FILE_NAME, seed, STEPS);
	bool same;

	if (++handles > 1)
		snprintf(name, sizeof(name), "%s.%d", FILE_NAME, handles);
	same = load_replays(name, events);
	unlink(name);
	return same;
}

int main(void)
{
	int seed, tries, failures = 0;
	bool same;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", LOADS);
	for (seed = 1; seed <= LOADS; seed++) {
		for (same = false, tries = 0; !same && tries < TRIES; tries++)
			same = record_and_replay((uint64_t)seed);
		failures += !same;
		printf("%sok %d seed %d is dispatched as it was, after %d tries\n",
		       same ? "" : "not ", seed, seed, tries);
	}
	return failures ? 1 : 0;
}
