// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What stamps mean: a line from the counter to the time, as CTF has it.  Its slope is that
 * of the library's own clock, and it is drawn anew when it is off.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "../engine/clock.h"
#include "../gettime.h"
#include "log.h"
#include "../options.h"
#include "../sysfs.h"

#define OFF_NS		20000		/* a line that is further off is drawn anew */
#define TRIES		8

struct moment {
	uint64_t stamp;
	uint64_t monotonic;
	uint64_t realtime;
};

/* The narrowest of some tries: an interrupt may be between. */
static struct moment take_moment(bool tsc)
{
	struct moment best = {}, it;
	uint64_t width, narrow = UINT64_MAX, end;
	int i;

	for (i = 0; i < TRIES; i++) {
		it.stamp = hft_log_stamp(tsc);
		it.monotonic = hft_gettime(CLOCK_MONOTONIC);
		it.realtime = hft_gettime(CLOCK_REALTIME);
		end = hft_log_stamp(tsc);
		width = end - it.stamp;
		if (width >= narrow)
			continue;
		narrow = width;
		it.stamp += width / 2;
		best = it;
	}
	return best;
}

static uint64_t to_ns(uint64_t stamp, uint64_t freq)
{
	return (uint64_t)((unsigned __int128)stamp * LOG_NS_PER_S / freq);
}

static uint64_t to_cycles(uint64_t ns, uint64_t freq)
{
	return (uint64_t)((unsigned __int128)ns * freq / LOG_NS_PER_S);
}

static uint64_t tsc_freq(void)
{
	struct hft_base_copy base = hft_base_read();

	return (uint64_t)(((unsigned __int128)base.cycles_per_ns * LOG_NS_PER_S) >> HFT_SHIFT);
}

void log_boot(char boot[40])
{
	if (hft_read_line("", boot, 40, "/proc/sys/kernel/random/boot_id"))
		boot[0] = '\0';
}

int log_clock_measure(struct hft_log_store_clock *clock, bool tsc)
{
	uint64_t freq = tsc ? tsc_freq() : LOG_NS_PER_S, cycles;
	struct moment now;

	if (!freq)
		return hft_fail(EAGAIN, "the TSC's frequency is not known");
	now = take_moment(tsc);
	memset(clock, 0, sizeof(*clock));
	strcpy(clock->name, tsc ? "tsc" : "monotonic");
	clock->freq = freq;
	clock->monotonic_at_0 = (int64_t)(now.monotonic - to_ns(now.stamp, freq));
	/* When the stamp was 0, in whole seconds and the rest of one. */
	clock->offset_s = (int64_t)(now.realtime / LOG_NS_PER_S);
	cycles = to_cycles(now.realtime % LOG_NS_PER_S, freq);
	clock->offset_s -= (int64_t)(now.stamp / freq);
	if (cycles < now.stamp % freq) {
		clock->offset_s--;
		cycles += freq;
	}
	clock->offset = cycles - now.stamp % freq;
	return 0;
}

static bool is_off(uint64_t a, uint64_t b)
{
	return a > b ? a - b > OFF_NS : b - a > OFF_NS;
}

/* Is what it says wrong by more than some microseconds?  Then it is measured anew. */
static bool log_clock_renew(struct hft_log_store_clock *clock)
{
	bool tsc = !strcmp(clock->name, "tsc");
	struct moment now = take_moment(tsc);
	uint64_t realtime;

	realtime = (uint64_t)clock->offset_s * LOG_NS_PER_S +
		   to_ns(clock->offset + now.stamp % clock->freq, clock->freq) +
		   now.stamp / clock->freq * LOG_NS_PER_S;
	if (!is_off(realtime, now.realtime) &&
	    !is_off((uint64_t)clock->monotonic_at_0 + to_ns(now.stamp, clock->freq),
		    now.monotonic))
		return false;
	return !log_clock_measure(clock, tsc);
}

/* What was taken has the old meaning: records of this time may be wrong by what it was off. */
bool log_clock_look(struct hft_log_store *store, struct hft_log_store_clock *clock, uint64_t *look,
		    uint64_t now)
{
	struct hft_log_store_clock renewed = *clock;

	if (now < *look)
		return false;
	*look = now + LOG_NS_PER_S;
	if (!log_clock_renew(&renewed) || hft_log_store_clock(store, &renewed))
		return false;
	*clock = renewed;
	return true;
}

/* The chunk has it when all that waits was taken: the last is its own. */
static bool begin_chunk(void *arg, struct hft_log_store *store, uint32_t chunk,
			const struct hft_log_store_clock *clock)
{
	struct hft_log_evidence *evidence = arg;
	const void *records;
	int64_t took;
	size_t bytes;

	bytes = hft_log_evidence_chunk(evidence, hft_log_monotonic(), clock, chunk, &records);
	if (!bytes)
		return true;
	took = hft_log_store_put(store, HFT_LOG_EVIDENCE_STREAM, records, bytes);
	if (took > 0)
		hft_log_evidence_taken(evidence, (size_t)took);
	return took == (int64_t)bytes;
}

int log_evidence_start(struct hft_log_store *store, struct hft_log_evidence *evidence)
{
	int err = hft_log_store_stream_add(store, &hft_log_evidence_stream);
	unsigned int i;

	for (i = 0; i < HFT_LOG_EVIDENCE_SITES && !err; i++)
		err = hft_log_store_site_add(store, &hft_log_evidence_sites[i]);
	if (!err)
		err = hft_log_store_site_add(store, &log_trouble_site);
	if (!err)
		err = hft_log_store_site_add(store, &log_rules_site);
	hft_log_store_each_chunk(store, begin_chunk, evidence);
	return err;
}

/* What the store does not take now is tried again. */
void log_evidence_look(struct hft_log_store *store, struct hft_log_evidence *evidence,
		       const struct hft_log_store_clock *clock, uint64_t now)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };
	const void *records;
	int64_t took;
	size_t bytes;

	hft_log_store_state(store, &state);
	bytes = hft_log_evidence_poll(evidence, now, clock, state.chunk, &records);
	if (!bytes)
		return;
	took = hft_log_store_append(store, HFT_LOG_EVIDENCE_STREAM, records, bytes, 0);
	if (took > 0)
		hft_log_evidence_taken(evidence, (size_t)took);
}
