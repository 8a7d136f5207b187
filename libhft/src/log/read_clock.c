// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From stamps to times.  Within a second the product of the rest and 10^9 fits 64 bits, so
 * that most records need no more than that; nothing is rounded but down to a ns.
 */
#include <errno.h>

#include "read.h"

#define HFT_READ_FREQ_MAX	10000000000ull
#define HFT_NS_PER_S		1000000000ull

int hft_read_clock_set(struct hft_read_clock *clock, uint64_t freq, int64_t offset_s,
		       int64_t offset, int64_t monotonic)
{
	if (!freq || freq > HFT_READ_FREQ_MAX)
		return -EBADMSG;
	clock->freq = freq;
	clock->offset = (__int128)offset_s * (int64_t)freq + offset;
	clock->monotonic = monotonic;
	clock->boot = NULL;
	hft_read_clock_second(clock, 0);
	return 0;
}

/* Not beyond where another line begins. */
static void hft_limit_second(struct hft_read_clock *clock, uint64_t stamp, uint64_t begin,
			     uint64_t end)
{
	clock->from = clock->second_stamp;
	/* It may have begun before the stamps did. */
	if (clock->from > stamp || clock->from < begin)
		clock->from = begin;
	clock->span = clock->freq - (clock->from - clock->second_stamp);
	if (end - clock->from < clock->span)
		clock->span = end - clock->from;
}

/*
 * Begin the second of @stamp: whole seconds since the epoch, but for what is before it or
 * beyond what 64 bits of ns hold, which no clock of a log shows: their times wrap.
 */
void hft_read_clock_second(struct hft_read_clock *clock, uint64_t stamp)
{
	uint64_t begin = 0, end = UINT64_MAX;
	unsigned __int128 freq;
	__int128 since, first;

	if (clock->boot)
		hft_read_boot_line(clock->boot, clock, stamp, &begin, &end);
	freq = clock->freq;
	since = clock->offset + stamp;
	first = since - since % (__int128)freq;
	if (first > since)
		first -= (__int128)freq;
	clock->second_stamp = (uint64_t)(first - clock->offset);
	clock->second_time = (uint64_t)(first / (__int128)freq) * HFT_NS_PER_S;
	clock->to_monotonic = (uint64_t)clock->monotonic +
		(uint64_t)((unsigned __int128)stamp * HFT_NS_PER_S / freq) -
		(clock->second_time + (stamp - clock->second_stamp) * HFT_NS_PER_S / clock->freq);
	hft_limit_second(clock, stamp, begin, end);
}
