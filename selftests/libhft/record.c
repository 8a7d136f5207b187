// SPDX-License-Identifier: GPL-2.0-only
/* What is recorded of a handle of the kernel is replayed on a simulated machine. */
#include <pthread.h>
#include <stdatomic.h>

#include "record_load.h"

#define LOG_NAME	"/tmp/hft-record"
#define LOADS		20
#define HALTED_LOADS	6
#define STEPS		600

/* Another handle, which halts all, and lets them go: it may be that nobody looks meanwhile. */
struct other {
	struct hft *h;
	atomic_bool stop;
	uint32_t halts;
};

static void *halt_all(void *arg)
{
	struct other *other = arg;

	while (!atomic_load(&other->stop)) {
		usleep(4000);
		if (hft_halt(other->h, HFT_HALT_REDUCE + other->halts++ % 2, HFT_HALT_GLOBAL, NULL))
			return "hft_halt()";
		usleep(1000);
		if (hft_resume(other->h, HFT_HALT_GLOBAL))
			return "hft_resume()";
	}
	return NULL;
}

static bool record_and_replay(uint64_t seed)
{
	int64_t events = load_record("kernel", LOG_NAME, seed, STEPS);
	bool same = load_replays(LOG_NAME, events);

	load_remove(LOG_NAME);
	return same;
}

/* The load goes on for as long: what is halted is not consumed meanwhile. */
static bool record_halted(uint64_t seed)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .tasks = 16);
	struct other other = { 0 };
	pthread_t thread;
	void *failed;
	bool same;

	if (hft_open(&other.h, &opts) || pthread_create(&thread, NULL, halt_all, &other))
		return false;
	same = record_and_replay(seed);
	atomic_store(&other.stop, true);
	pthread_join(thread, &failed);
	hft_close(other.h);
	printf("# %u halts of all handles%s%s\n", other.halts, failed ? ": " : "",
	       failed ? (const char *)failed : "");
	return same && !failed && other.halts;
}

int main(void)
{
	int seed, failures = 0;
	bool same;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", LOADS + HALTED_LOADS);
	for (seed = 1; seed <= LOADS + HALTED_LOADS; seed++) {
		bool halted = seed > LOADS;

		same = halted ? record_halted((uint64_t)seed) : record_and_replay((uint64_t)seed);
		failures += !same;
		printf("%sok %d seed %d is dispatched as it was%s\n", same ? "" : "not ", seed,
		       seed, halted ? ", with halts by another" : "");
	}
	return failures ? 1 : 0;
}
