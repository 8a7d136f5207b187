// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include <hft/hft.h>
#define HFT_LOG_SUBSYSTEM "bench"
#include <hft/log.h>

#include "log.h"

static struct hft_log *hft_log_of_bench;

static int bench_open(const char *dir)
{
	HFT_OPTS(hft_log_opts, opts, .cpus = "1");
	int err = hft_log_open(&hft_log_of_bench, dir, &opts);

	if (!err)
		err = hft_log_thread(hft_log_of_bench, NULL);
	if (err)
		fprintf(stderr, "log: %s\n", hft_strerror(err));
	return err;
}

static void bench_numbers(unsigned int nr)
{
	while (nr--)
		hft_log(HFT_LOG_INFO, "number=%lu quantity=%u price=%f", log_number++,
			log_quantity, log_price);
}

static void bench_text(unsigned int nr, const char *text)
{
	while (nr--)
		hft_log(HFT_LOG_INFO, "text=%s", text);
}

/* The compiler does not know whether others write to the site. */
void log_hft_off(unsigned int nr)
{
	while (nr--) {
		hft_log(HFT_LOG_DEBUG, "number=%lu quantity=%u price=%f", log_number,
			log_quantity, log_price);
		__asm__ volatile("" : : : "memory");
	}
}

static void bench_close(void)
{
	HFT_OPTS(hft_log_stats, stats);

	if (!hft_log_flush(hft_log_of_bench, 0, UINT64_MAX) &&
	    !hft_log_stats(hft_log_of_bench, &stats))
		printf("note log: %llu bytes of records, %llu lost\n",
		       (unsigned long long)stats.bytes, (unsigned long long)stats.lost);
	hft_log_close(hft_log_of_bench);
}

const struct log_peer log_peer_hft = {
	.name = "hft",
	.open = bench_open,
	.numbers = bench_numbers,
	.text = bench_text,
	.close = bench_close,
};
