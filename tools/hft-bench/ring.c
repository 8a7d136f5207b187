// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks a second through one ring, submission to completion on one CPU: batches
 * are submitted for a moment ahead, the timer dispatches them meanwhile.
 */
#include <errno.h>

#include "bench.h"

#define BATCH		64
#define TASKS		(BATCH * 1000)
#define ENTRIES		1024
#define MAX_QUEUED	512	/* below ENTRIES: the ring is never full */
#define AHEAD		(20 * NSEC_PER_USEC)

static int submit(struct session *s)
{
	struct hft_task task[BATCH] = { 0 };
	int64_t result[BATCH];
	uint64_t release = hft_now() + AHEAD;
	unsigned int i;
	int ret;

	for (i = 0; i < BATCH; i++) {
		task[i].release = release;
		task[i].ring = hft_ring_number(s->ring);
		task[i].level = HFT_LEVEL_REALTIME;
	}
	ret = hft_submit_batch(s->hft, task, BATCH, result);
	return ret == BATCH ? 0 : ret < 0 ? ret : -EDQUOT;
}

static unsigned int consume(struct session *s)
{
	unsigned int done = 0;

	while (hft_ring_peek(s->ring)) {
		hft_ring_advance(s->ring);
		done++;
	}
	return done;
}

static int stream(struct session *s)
{
	unsigned int submitted = 0, done = 0;
	int ret = 0;

	while (done < TASKS && ret >= 0) {
		ret = 0;
		if (submitted < TASKS && submitted - done <= MAX_QUEUED - BATCH) {
			ret = submit(s);
			submitted += BATCH;
		} else if (!hft_ring_peek(s->ring)) {
			ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
		}
		done += consume(s);
	}
	return ret < 0 ? ret : 0;
}

int bench_ring(void)
{
	const struct session_opts opts = { .tasks = 2 * MAX_QUEUED, .entries = ENTRIES };
	struct session s;
	uint64_t start;
	int ret;

	ret = session_open(&s, &opts);
	if (ret < 0)
		return ret;
	start = hft_now();
	ret = stream(&s);
	if (!ret)
		print_figure("ring_tasks_per_s",
			     (double)TASKS * NSEC_PER_SEC / (double)(hft_now() - start));
	session_close(&s);
	return ret;
}
