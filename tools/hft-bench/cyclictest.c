// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The way to wait that everyone measures by: cyclictest of the rt-tests, as it is.
 *
 * Its thread has our priority and its wake-ups lie between ticks as ours do.  Its main thread,
 * an ordinary one, needs the CPU before the first of them and after the last.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include "bench.h"

/* It begins at the next full second, or at the one after that less than 100 ms before it. */
#define START_AHEAD	(800 * NSEC_PER_MSEC)
#define HISTOGRAM_NS	50000

struct schedule cyclictest_schedule(unsigned int rate_hz, unsigned int nr)
{
	struct schedule s = { .period = NSEC_PER_SEC / rate_hz, .nr = nr };

	s.first = (hft_now() / NSEC_PER_SEC + 2) * NSEC_PER_SEC + s.period / 2;
	return s;
}

/* Lines "003501 000017"; what lay beyond the histogram counts as its end. */
static void read_histogram(FILE *in, struct samples *error)
{
	unsigned int value, times;
	char line[256];

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "# Histogram Overflows: %u", &times) == 1)
			value = HISTOGRAM_NS;
		else if (sscanf(line, "%u %u", &value, &times) != 2)
			continue;
		while (times--)
			samples_add(error, value);
	}
}

/* Its threads get our CPU, and not our priority. */
static FILE *start_cyclictest(const char *command)
{
	int ret = bench_set_priority(0);
	FILE *in = ret < 0 ? NULL : popen(command, "re");

	if (in && bench_set_priority(BENCH_PRIORITY) < 0) {
		pclose(in);
		return NULL;
	}
	return in;
}

static int run_cyclictest(const struct schedule *s, struct samples *error)
{
	const uint64_t end = schedule_release(s, s->nr);
	const size_t wanted = error->nr + s->nr;
	char command[160];
	int status;
	FILE *in;

	snprintf(command, sizeof(command),
		 "exec cyclictest -q -N -m -p %u -i %llu --secaligned %llu -l %u -h %u",
		 BENCH_PRIORITY, (unsigned long long)(s->period / NSEC_PER_USEC),
		 (unsigned long long)(s->period / 2 / NSEC_PER_USEC), s->nr, HISTOGRAM_NS);
	if (!error->nr)
		print_note("peer: %s", command);
	sleep_until(s->first - START_AHEAD);
	in = start_cyclictest(command);
	if (!in)
		return -errno;
	read_histogram(in, error);
	status = pclose(in);
	if (!status && error->nr == wanted && hft_now() < end + NSEC_PER_SEC)
		return 0;
	fprintf(stderr, "hft-bench: cyclictest (package rt-tests): exit status %d, %zu of %zu samples, %lld ns after the load's end\n",
		WEXITSTATUS(status), error->nr, wanted, (long long)(hft_now() - end));
	return -EPROTO;
}

const struct peer peer_cyclictest = { "cyclictest", run_cyclictest, false };
