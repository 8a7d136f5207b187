// SPDX-License-Identifier: GPL-2.0-only
/* What is recorded of a handle of the kernel is replayed on a simulated machine. */
#include <pthread.h>
#include <stdatomic.h>

#include "record_load.h"

#define LOG_NAME	"/tmp/hft-record"
#define LOADS		20
#define NOW_LOADS	6
#define HALTED_LOADS	6
#define OFFLINE_LOADS	4
#define OFFLINE_TRIES	3		/* of each */
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"
#define STEPS		600
#define TRIES		1000

/* Another handle, which halts all, and lets them go: it may be that nobody looks meanwhile. */
struct other {
	struct hft *h;
	atomic_bool stop;
	uint32_t halts;			/* or how often a CPU was offline */
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

static bool record_now(uint64_t seed)
{
	int64_t events = load_record_now("kernel", LOG_NAME, seed, STEPS, 3);
	bool same = load_replays(LOG_NAME, events);

	load_remove(LOG_NAME);
	return same;
}

static bool record_and_replay(uint64_t seed)
{
	int64_t events;
	int tries = 0;
	bool same;

	/* No ring is made on a CPU that is offline just then. */
	do {
		load_remove(LOG_NAME);
		events = load_record("kernel", LOG_NAME, seed, STEPS);
	} while (events == -ENODEV && ++tries < TRIES);
	same = load_replays(LOG_NAME, events);
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

static bool set_online(const char *online)
{
	FILE *f = fopen(ONLINE, "w");
	bool written = f && fputs(online, f) >= 0;

	return f && !fclose(f) && written;
}

/* A CPU that goes and comes back, which takes longer than most of what the load does. */
static void *turn_cpu(void *arg)
{
	struct other *other = arg;

	while (!atomic_load(&other->stop)) {
		if (!set_online("0"))
			return "CPU 1 stays online";
		other->halts++;
		usleep(2000);
		if (!set_online("1"))
			return "CPU 1 stays offline";
		usleep(2000);
	}
	return NULL;
}

/* Where a task is when its CPU turns is not always known: one load of many is not replayed. */
static bool record_offline(uint64_t seed)
{
	struct other other = { 0 };
	pthread_t thread;
	bool same = false;
	void *failed;
	int tries;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return true;
	if (pthread_create(&thread, NULL, turn_cpu, &other))
		return false;
	for (tries = 0; tries < OFFLINE_TRIES && !same; tries++)
		same = record_and_replay(seed);
	atomic_store(&other.stop, true);
	pthread_join(thread, &failed);
	printf("# CPU 1 was offline %u times%s%s\n", other.halts, failed ? ": " : "",
	       failed ? (const char *)failed : "");
	return same && !failed && other.halts;
}

static const struct {
	const char *what;
	bool (*record)(uint64_t seed);
	int loads;
} kinds[] = {
	{ "", record_and_replay, LOADS },
	{ ", with tasks of hft_submit_now()", record_now, NOW_LOADS },
	{ ", with halts by another", record_halted, HALTED_LOADS },
	{ ", with a CPU that goes and comes back", record_offline, OFFLINE_LOADS },
};

int main(void)
{
	int seed = 0, failures = 0, i;
	size_t kind;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", LOADS + NOW_LOADS + HALTED_LOADS + OFFLINE_LOADS);
	for (kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		for (i = 0; i < kinds[kind].loads; i++) {
			bool same = kinds[kind].record((uint64_t)++seed);

			failures += !same;
			printf("%sok %d seed %d is dispatched as it was%s\n", same ? "" : "not ",
			       seed, seed, kinds[kind].what);
		}
	}
	return failures ? 1 : 0;
}
