// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Work for the TCG plugin to count: first tasks one at a time, each the only one
 * that waits, then as many submitted at once.  callback.sh knows how many.
 */
#include "bench.h"

#define ALONE	100
#define QUEUED	200

static int run(struct session *s, unsigned int nr)
{
	struct schedule schedule = schedule_make(1000, nr);
	unsigned int done = 0;
	int ret;

	ret = session_submit(s, &schedule);
	while (done < nr && ret >= 0) {
		ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
		while (hft_ring_peek(s->ring)) {
			hft_ring_advance(s->ring);
			done++;
		}
	}
	return ret < 0 ? ret : 0;
}

int bench_callback(void)
{
	const struct session_opts opts = { .tasks = QUEUED };
	struct session s;
	unsigned int i;
	int ret;

	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	for (i = 0; i < ALONE && !ret; i++)
		ret = run(&s, 1);
	if (!ret)
		ret = run(&s, QUEUED);
	session_close(&s);
	return ret;
}
