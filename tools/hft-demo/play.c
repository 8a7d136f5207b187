// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read packets, submit their tasks ahead of time, wait for the last of them. */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hft/log.h>

#include "ring.h"

#define BATCH		32			/* tasks a submission */
#define START_MS	500			/* submits the first of them, and set-up settles */
#define GRACE_NS	(10 * NSEC_PER_SEC)	/* for a task, after its release: then it is lost */
#define QUIET_NS	(20 * NSEC_PER_MSEC)	/* a gap to print in: nobody waits for the CPU */
#define REPORTS		10			/* lines of progress for a full set of slots */

struct demo {
	const struct config *config;
	struct outcome *outcome;
	struct hft *h;
	struct hft_feed *feed;
	struct slots *slots;
	struct ring rings[MAX_RINGS];
	unsigned int nr_rings;

	uint64_t read;			/* packets */
	uint64_t submitted;
	uint64_t reported;
	uint64_t first_arrival;
	uint64_t start;			/* release of the first packet */
	bool end;			/* of the feed */

	struct hft_task batch[BATCH];
	unsigned int nr_batch;
};

static void sleep_until(uint64_t when)
{
	struct timespec time = {
		.tv_sec = (time_t)(when / NSEC_PER_SEC),
		.tv_nsec = (long)(when % NSEC_PER_SEC),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void say(const struct demo *demo, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct demo *demo, const char *format, ...)
{
	va_list args;

	if (demo->config->quiet)
		return;
	fputs("hft-demo: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}

/* Reading */

static int feed_failed(const struct demo *demo, int err)
{
	const char *path = demo->config->feed;

	if (err == -EBADMSG && !demo->read)
		return fail(0, "%s: neither ITCH 5.0, nor a capture of it, nor a CSV of arrivals", path);
	if (err == -EBADMSG)
		return fail(0, "%s: no message after packet %llu", path,
			    (unsigned long long)demo->read);
	if (err == -ENODATA)
		return fail(0, "%s: cut off after packet %llu", path,
			    (unsigned long long)demo->read);
	return fail(-err, "%s", path);
}

/* Returns 1, 0 at the end of what is to be played, or -errno. */
static int read_packet(struct demo *demo)
{
	struct slot *slot = slot_of(demo->slots, demo->read);
	struct hft_packet packet;
	int ret = 0;

	if (!demo->config->limit || demo->read < demo->config->limit)
		ret = hft_feed_next(demo->feed, &packet);
	if (ret < 0)
		return feed_failed(demo, ret);
	if (!ret) {
		demo->end = true;
		return 0;
	}
	if (slot_fill(slot, demo->read, &packet, demo->nr_rings))
		return fail(ENOMEM, "packet %llu", (unsigned long long)demo->read);
	if (!demo->read)
		demo->first_arrival = packet.arrival;
	demo->read++;
	return 1;
}

/* Until packet @number is done; one that should have been for long is given up. */
static void wait_for_packet(struct demo *demo, uint64_t number)
{
	struct slot *slot = slot_of(demo->slots, number);

	while (!slot_is_free(slot) && !interrupted && hft_now() < slot->release + GRACE_NS)
		sleep_until((hft_now() > slot->release ? hft_now() : slot->release) +
			    NSEC_PER_MSEC);
}

static int read_ahead(struct demo *demo, uint64_t to)
{
	int ret = 1;

	while (ret > 0 && demo->read < to && !interrupted) {
		wait_for_packet(demo, demo->read);
		ret = read_packet(demo);
	}
	return ret < 0 ? ret : 0;
}

/* Submitting */

static uint64_t release_of(const struct demo *demo, const struct slot *slot)
{
	uint64_t arrival = slot->packet.arrival;
	double offset;

	/* A capture of several interfaces may go back a little. */
	if (arrival <= demo->first_arrival)
		return demo->start;
	offset = (double)(arrival - demo->first_arrival) / demo->config->speed;
	return demo->start + (uint64_t)offset;
}

/*
 * Keep those of a batch that found no room, wherever they are in it: a task may have
 * ended meanwhile.  Returns 0 or -errno.
 */
static int keep_refused(struct demo *demo, const int64_t *results)
{
	unsigned int i, nr = demo->nr_batch;

	demo->nr_batch = 0;
	for (i = 0; i < nr; i++) {
		if (results[i] > 0)
			continue;
		if (results[i] != -EDQUOT)
			return fail(-(int)results[i], "a task was not taken");
		demo->batch[demo->nr_batch++] = demo->batch[i];
	}
	return 0;
}

/* The kernel takes as many as it has room for; for the rest tasks must end. */
static int submit_batch(struct demo *demo)
{
	int64_t results[BATCH];
	int ret;

	while (demo->nr_batch && !interrupted) {
		ret = hft_submit_batch(demo->h, demo->batch, demo->nr_batch, results);
		if (ret < 0)
			return fail_hft(ret, NULL);
		ret = keep_refused(demo, results);
		if (ret)
			return ret;
		if (demo->nr_batch)
			sleep_until(hft_now() + NSEC_PER_MSEC);
	}
	demo->nr_batch = 0;
	return 0;
}

static int submit_task(struct demo *demo, const struct slot *slot, unsigned int ring)
{
	demo->batch[demo->nr_batch++] = (struct hft_task) {
		.cookie = slot->number,
		.release = slot->release,
		.deadline = slot->release + demo->config->deadline_ns,
		.ring = hft_ring_number(demo->rings[ring].ring),
		.level = HFT_LEVEL_HIGH,
	};
	demo->rings[ring].tally->tasks++;
	return demo->nr_batch == BATCH ? submit_batch(demo) : 0;
}

static int submit_packet(struct demo *demo, struct slot *slot)
{
	unsigned int ring;
	int err = 0;

	slot->release = release_of(demo, slot);
	demo->outcome->late += slot->release < hft_now();
	if (slot->release - demo->start > demo->outcome->span_ns)
		demo->outcome->span_ns = slot->release - demo->start;
	for (ring = 0; ring < demo->nr_rings && !err; ring++)
		if (slot->rings >> ring & 1)
			err = submit_task(demo, slot, ring);
	return err;
}

static int submit_ahead(struct demo *demo)
{
	int err = 0;

	for (; demo->submitted < demo->read && !err && !interrupted; demo->submitted++)
		err = submit_packet(demo, slot_of(demo->slots, demo->submitted));
	return err ? err : submit_batch(demo);
}

/* Waiting, and saying how far it is: only in a gap, where printing disturbs no task. */

static void report_progress(struct demo *demo, uint64_t number)
{
	const struct slot *slot = slot_of(demo->slots, number);

	if (number < demo->reported || number + 1 >= demo->submitted ||
	    slot_of(demo->slots, number + 1)->release - slot->release < QUIET_NS)
		return;
	sleep_until(slot->release + QUIET_NS / 4);
	say(demo, "%llu packets, %.1f s played", (unsigned long long)number + 1,
	    (double)(slot->release - demo->start) / (double)NSEC_PER_SEC);
	demo->reported = number + SLOTS / REPORTS;
}

/* The last is waited for first: looking at each when it is due would disturb the rest. */
static void wait_for_packets(struct demo *demo, uint64_t from, uint64_t to)
{
	uint64_t number;

	for (number = from; number < to && !interrupted; number++)
		report_progress(demo, number);
	wait_for_packet(demo, to - 1);
	for (number = from; number < to && !interrupted; number++)
		wait_for_packet(demo, number);
}

static int play_packets(struct demo *demo)
{
	uint64_t done = 0;
	int err = read_ahead(demo, SLOTS);

	if (err || !demo->read)
		return err ? err : fail(0, "%s: no packet in it", demo->config->feed);
	say(demo, "%llu packets read%s, the first is played in %d ms", (unsigned long long)demo->read,
	    demo->end ? "" : " so far", START_MS);
	demo->reported = SLOTS / REPORTS;
	demo->start = hft_now() + START_MS * NSEC_PER_MSEC;
	for (;;) {
		err = submit_ahead(demo);
		if (err || interrupted || demo->end)
			break;
		/* Refill a quarter at a time. */
		wait_for_packets(demo, done, done + SLOTS / 4);
		done += SLOTS / 4;
		err = read_ahead(demo, done + SLOTS);
		if (err)
			break;
	}
	if (!err)
		wait_for_packets(demo, done, demo->submitted);
	return err;
}

/* Setting up */

/*
 * CPUs for @rings, of those that we may run on, the last first; the first is left to
 * the submitting thread where there are others.  Returns how many rings there will be.
 */
static unsigned int choose_cpus(unsigned int rings, unsigned int *cpu)
{
	unsigned int nr = 0, i, usable[MAX_RINGS];
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set))
		CPU_SET(0, &set);
	for (n = CPU_SETSIZE - 1; n >= 0 && nr < MAX_RINGS; n--)
		if (CPU_ISSET(n, &set))
			usable[nr++] = (unsigned int)n;
	if (nr > 1 && nr < MAX_RINGS)
		nr--;
	if (!rings)
		rings = nr;
	for (i = 0; i < rings; i++)
		cpu[i] = usable[i % nr];
	return rings;
}

static int start_rings(struct demo *demo)
{
	struct outcome *outcome = demo->outcome;
	int err = 0;

	demo->nr_rings = choose_cpus(demo->config->rings, outcome->cpu);
	for (; outcome->rings < demo->nr_rings && !err; outcome->rings++) {
		struct ring *ring = &demo->rings[outcome->rings];

		ring->slots = demo->slots;
		ring->index = outcome->rings;
		ring->rings = demo->nr_rings;
		err = ring_start(ring, demo->h, demo->config, outcome->cpu[ring->index]);
		outcome->tally[ring->index] = ring->tally;
		if (!err)
			outcome->lead_ns[ring->index] = hft_ring_lead(ring->ring);
	}
	return err;
}

static int stop_rings(struct demo *demo)
{
	unsigned int i;
	int err = 0, ret;

	for (i = 0; i < demo->outcome->rings; i++) {
		ret = ring_stop(&demo->rings[i]);
		if (!err)
			err = ret;
	}
	return err;
}

static int play_on_handle(struct demo *demo)
{
	int err, stop_err;

	err = start_rings(demo);
	if (!err)
		err = play_packets(demo);
	stop_err = stop_rings(demo);
	demo->outcome->packets = demo->submitted;
	demo->outcome->odd_lengths = hft_feed_odd_lengths(demo->feed);
	demo->outcome->skipped = hft_feed_skipped(demo->feed);
	demo->outcome->interrupted = interrupted;
	return err ? err : stop_err;
}

/* With a log of the schedule, where one is asked for. */
static int play_logged(struct demo *demo)
{
	const char *dir = demo->config->log;
	struct hft_log *log;
	int err, close_err;

	if (!dir)
		return play_on_handle(demo);
	err = hft_log_open(&log, dir, NULL);
	if (err)
		return fail_hft(err, dir);
	err = hft_log_set_level(log, "sched", HFT_LOG_DEBUG);
	err = err ? fail_hft(err, dir) : play_on_handle(demo);
	close_err = hft_log_close(log);
	if (close_err)
		fail_hft(close_err, dir);
	return err ? err : close_err;
}

int play(const struct config *config, struct outcome *outcome)
{
	HFT_OPTS(hft_opts, opts, .tasks = 2 * SLOTS);
	struct demo *demo = calloc(1, sizeof(*demo));
	int err;

	if (!demo)
		return fail(ENOMEM, "the demo");
	demo->config = config;
	demo->outcome = outcome;
	opts.warn = config->quiet ? NULL : hft_warn_stderr;
	catch_signals();

	err = hft_feed_open(&demo->feed, config->feed);
	if (err) {
		err = feed_failed(demo, err);
		goto free;
	}
	demo->slots = calloc(1, sizeof(*demo->slots));
	if (!demo->slots) {
		err = fail(ENOMEM, "slots");
		goto close;
	}
	err = hft_open(&demo->h, &opts);
	if (err) {
		fail_hft(err, NULL);
		goto close;
	}
	err = play_logged(demo);
	hft_close(demo->h);
close:
	slots_free(demo->slots);
	hft_feed_close(demo->feed);
free:
	free(demo);
	return err;
}
