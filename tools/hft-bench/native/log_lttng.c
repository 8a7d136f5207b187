// SPDX-License-Identifier: LGPL-2.1-or-later
/* lttng-ust, whose session log.sh has made: without it, tracepoints are off. */
#include <stdlib.h>

#include "log.h"

#define TRACEPOINT_CREATE_PROBES
#define TRACEPOINT_DEFINE
#include "log_lttng_events.h"

static int lttng_open(const char *dir)
{
	(void)dir;
	return getenv("HFT_BENCH_LTTNG") ? 0 : -1;
}

static void lttng_numbers(unsigned int nr)
{
	while (nr--)
		tracepoint(hft_bench, numbers, log_number++, log_quantity, log_price);
}

static void lttng_text(unsigned int nr, const char *text)
{
	while (nr--)
		tracepoint(hft_bench, text, text);
}

static void lttng_close(void)
{
}

const struct log_peer log_peer_lttng = {
	.name = "lttng-ust",
	.open = lttng_open,
	.numbers = lttng_numbers,
	.text = lttng_text,
	.close = lttng_close,
};
