// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Immediate tasks from one thread to another, through the inbox of a spinning worker and
 * through oneTBB, in turns: what a submission costs, how long until the first instruction
 * of the task, and how many a second.
 *
 * Both have the second CPU for their worker, at a real-time priority where that is
 * allowed: what else the machine does would be measured otherwise.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <hft/hft.h>

#include "inproc.h"
#include "pin.h"
#include "quantile.h"

#define ROUNDS		11
#define BURSTS		200		/* of a round */
#define BURST		32		/* submissions that are timed together */
#define STARTS		200		/* of a round, at 1 kHz */
#define TASKS		1000000		/* of a round */
#define PEER_TASKS	100000
#define PERIOD_NS	1000000
#define SETTLE_NS	20000000	/* for a worker to come up, or to park */

struct side {
	const char *name;
	void (*submit)(struct side *side);
	struct hft_ring *ring;
	struct hft_worker *worker;
	void *peer;
	_Alignas(64) _Atomic uint64_t started;
	_Alignas(64) _Atomic uint64_t done;
	double cost[ROUNDS * BURSTS];
	double start[ROUNDS * STARTS];
	double rate[ROUNDS];
};

static void count(void *arg)
{
	struct side *side = arg;

	atomic_store_explicit(&side->done,
			      atomic_load_explicit(&side->done, memory_order_relaxed) + 1,
			      memory_order_release);
}

static void stamp(void *arg)
{
	struct side *side = arg;

	atomic_store_explicit(&side->started, hft_now(), memory_order_relaxed);
	count(arg);
}

/* The cookie is the function to call, as in the peer. */
static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	(void)start;
	((inproc_fn)(uintptr_t)event->cookie)(arg);
}

static void pause_cpu(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static void submit(struct side *side, inproc_fn fn)
{
	struct hft_task task = { .cookie = (uintptr_t)fn, .level = HFT_LEVEL_NORMAL };

	if (side->peer) {
		inproc_tbb.submit(side->peer, fn, side);
		return;
	}
	while (hft_submit_now(side->ring, &task) == -EAGAIN)
		pause_cpu();
}

static void wait_done(struct side *side, uint64_t nr)
{
	while (atomic_load_explicit(&side->done, memory_order_acquire) != nr)
		pause_cpu();
}

static void time_cost(struct side *side, unsigned int round)
{
	uint64_t start, nr = 0;
	unsigned int i, k;

	for (i = 0; i < BURSTS; i++) {
		start = hft_now();
		for (k = 0; k < BURST; k++)
			submit(side, count);
		side->cost[round * BURSTS + i] = (double)(hft_now() - start) / BURST;
		nr += BURST;
		wait_done(side, nr);
	}
	atomic_store(&side->done, 0);
}

static void time_start(struct side *side, unsigned int round)
{
	uint64_t next = hft_now(), start;
	unsigned int i;

	for (i = 0; i < STARTS; i++) {
		next += PERIOD_NS;
		hft_spin_until(next);
		start = hft_now();
		submit(side, stamp);
		wait_done(side, i + 1);
		side->start[round * STARTS + i] = (double)(atomic_load(&side->started) - start);
	}
	atomic_store(&side->done, 0);
}

static void time_rate(struct side *side, unsigned int round)
{
	unsigned int i, nr = side->peer ? PEER_TASKS : TASKS;
	uint64_t start = hft_now();

	for (i = 0; i < nr; i++)
		submit(side, count);
	wait_done(side, nr);
	side->rate[round] = nr * 1e9 / (double)(hft_now() - start);
	atomic_store(&side->done, 0);
}

static void time_side(struct side *side, unsigned int round)
{
	hft_spin_until(hft_now() + SETTLE_NS);
	time_start(side, round);
	time_cost(side, round);
	time_rate(side, round);
}

static void run_hft(struct side *side, unsigned int round)
{
	HFT_OPTS(hft_worker_opts, opts, .fn = body, .arg = side,
		 .level = HFT_LEVEL_NORMAL, .flags = HFT_WORKER_NO_LOCK);
	int err = hft_worker_start(side->ring, &opts, &side->worker);

	if (err) {
		fprintf(stderr, "inproc: %s\n", hft_strerror(err));
		exit(1);
	}
	time_side(side, round);
	hft_worker_stop(side->worker);
}

static void print(struct side *side, const char *kind, const char *end)
{
	double cost = median(side->cost, ROUNDS * BURSTS);
	double start = median(side->start, ROUNDS * STARTS);
	double rate = median(side->rate, ROUNDS);

	printf("%s submit_inproc_ns %.1f%s\n", kind, cost, end);
	printf("%s inproc_start_ns %.0f%s\n", kind, start, end);
	printf("%s inproc_tasks_per_s %.0f%s\n", kind, rate, end);
	printf("note inproc: %s: submission p10 %.1f p50 %.1f p90 %.1f ns, start p10 %.0f p50 %.0f p90 %.0f ns\n",
	       side->name, quantile(side->cost, ROUNDS * BURSTS, 0.1), cost,
	       quantile(side->cost, ROUNDS * BURSTS, 0.9),
	       quantile(side->start, ROUNDS * STARTS, 0.1), start,
	       quantile(side->start, ROUNDS * STARTS, 0.9));
}

/* Its worker thread inherits the CPU of whoever has it made. */
static void make_peer(struct side *peer)
{
	peer->peer = inproc_tbb.create ? inproc_tbb.create() : NULL;
	if (!peer->peer)
		return;
	pin(1);
	submit(peer, count);
	while (atomic_load(&peer->done) != 1)
		sched_yield();
	atomic_store(&peer->done, 0);
}

static int skip(const char *why)
{
	printf("skip submit_inproc_ns %s\nskip inproc_start_ns %s\nskip inproc_tasks_per_s %s\n", why,
	       why, why);
	return 0;
}

int main(int argc, char **argv)
{
	static struct side hft = { .name = "hft_submit_now" }, peer;
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 1, .spin_ns = HFT_SPIN_FOREVER);
	char end[64];
	struct hft *h;
	unsigned int i;
	int err;

	if (argc > 1) {
		printf("Usage: %s\nTime immediate tasks to a thread on CPU 1, through hft_submit_now() and %s.\n",
		       argv[0], inproc_tbb.name);
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	if (!inproc_tbb.create)
		return skip("there is no oneTBB to set it against (libtbb-dev)");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return skip("it takes two CPUs");
	raise_priority("inproc");
	peer.name = inproc_tbb.name;
	make_peer(&peer);
	if (!peer.peer)
		return skip("oneTBB does not start");
	pin(0);

	err = hft_open(&h, &opts);
	if (!err)
		err = hft_ring_open(h, &ring_opts, &hft.ring);
	if (err) {
		fprintf(stderr, "inproc: %s\n", hft_strerror(err));
		return 1;
	}
	for (i = 0; i < ROUNDS; i++) {
		run_hft(&hft, i);
		time_side(&peer, i);
	}
	print(&hft, "figure", "");
	snprintf(end, sizeof(end), " %s", peer.name);
	print(&peer, "peer", end);
	hft_ring_close(hft.ring);
	hft_close(h);
	inproc_tbb.destroy(peer.peer);
	return 0;
}
