// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

#define NS_PER_S	1000000000ull

/* Read for each packet: a coarse one costs no entry to the kernel. */
static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t all)
{
	uint64_t time = now();

	if (!progress->begun)
		progress->begun = time;
	if (time - progress->begun < NS_PER_S || !all || !isatty(STDERR_FILENO) ||
	    (progress->prints && isatty(STDOUT_FILENO)))
		return;
	progress->begun = time;
	progress->is_shown = true;
	fprintf(stderr, "\r%5.1f %% of %.1f MB", 100.0 * (double)done / (double)all,
		(double)all / 1e6);
}

void progress_clear(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}
