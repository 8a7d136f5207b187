// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How early must a worker be woken?  Measured where it will sleep: on the ring's
 * CPU, at its priority, with a ring of its own that has no lead.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "internal.h"

#define HFT_LEAD_SAMPLES	256
#define HFT_LEAD_PERIOD_NS	1000000

/*
 * The lead is the median wake-up and 3/10: here the task is alone, while a queue
 * of thousands takes a tenth longer to dispatch from, and the rest is for what
 * happens now and then.  Where wake-ups differ more than that, it covers all but one
 * in 32 of them; to cover the slowest would be to spin as long every time.
 */
#define HFT_LEAD_MARGIN(median)	((median) * 3 / 10)
#define HFT_LEAD_RANK		(HFT_LEAD_SAMPLES * 31 / 32)

struct hft_lead {
	struct hft *h;
	const struct hft_ring_opts *opts;
	uint64_t samples[HFT_LEAD_SAMPLES];
	struct hft_error error;
};

static int hft_compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int hft_lead_sample(struct hft_lead *lead, struct hft_ring *ring, uint64_t *sample)
{
	struct hft_task task = {
		.release = hft_now() + HFT_LEAD_PERIOD_NS,
		.ring = hft_ring_number(ring),
		.level = (uint8_t)hft_top_level(ring->level_mask),
	};
	int ret = hft_submit(lead->h, &task, NULL);

	if (ret)
		return ret;
	do {
		ret = hft_wait(ring, UINT64_MAX);
	} while (ret == -EINTR);
	if (ret < 0)
		return ret;
	*sample = hft_now() - task.release;
	hft_ring_advance(ring);
	return 0;
}

/* Memory is the caller's to lock: by then each page has been touched. */
static int hft_lead_become_worker(const struct hft_ring *ring)
{
	int err = hft_become_worker(ring->cpu, hft_top_level(ring->level_mask), HFT_WORKER_NO_LOCK);

	/* Without the right to a priority the worker will have none either. */
	if (err == -EPERM)
		err = hft_become_worker(ring->cpu, 0, HFT_WORKER_NO_RT | HFT_WORKER_NO_LOCK);
	return err;
}

static int hft_lead_sample_all(struct hft_lead *lead)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = lead->opts->cpu, .entries = 1,
		 .level_mask = lead->opts->level_mask);
	struct hft_ring *ring;
	int i, err;

	err = hft_ring_open(lead->h, &opts, &ring);
	if (err)
		return err;
	err = hft_lead_become_worker(ring);
	for (i = 0; i < HFT_LEAD_SAMPLES && !err; i++) {
		hft_clock_maintain();
		err = hft_lead_sample(lead, ring, &lead->samples[i]);
	}
	hft_ring_close(ring);
	return err;
}

static void *hft_lead_main(void *arg)
{
	struct hft_lead *lead = arg;

	hft_uring_pass_by();
	if (hft_lead_sample_all(lead))
		hft_save_error(&lead->error);
	return NULL;
}

static uint64_t hft_lead_from(const uint64_t *sorted)
{
	uint64_t median = sorted[HFT_LEAD_SAMPLES / 2];
	uint64_t lead = median + HFT_LEAD_MARGIN(median);

	return lead > sorted[HFT_LEAD_RANK] ? lead : sorted[HFT_LEAD_RANK];
}

/* Return 0 with the lead for a ring with @opts, or an error of hft_ring_open(). */
int hft_measure_lead(struct hft *h, const struct hft_ring_opts *opts, uint64_t *lead_ns)
{
	struct hft_lead *lead;
	pthread_t thread;
	uint64_t ns;
	int err;

	if (h->lead_ns != HFT_LEAD_AUTO) {
		*lead_ns = h->lead_ns;
		return 0;
	}
	lead = calloc(1, sizeof(*lead));
	if (!lead)
		return hft_fail(ENOMEM, "samples of the lead");
	lead->h = h;
	lead->opts = opts;

	err = pthread_create(&thread, NULL, hft_lead_main, lead);
	if (err) {
		free(lead);
		return hft_fail(err, "a thread to measure the lead");
	}
	pthread_join(thread, NULL);
	if (lead->error.err) {
		err = hft_take_error(&lead->error);
	} else {
		qsort(lead->samples, HFT_LEAD_SAMPLES, sizeof(*lead->samples), hft_compare_ns);
		ns = hft_lead_from(lead->samples);
		*lead_ns = ns < h->query.max_lead ? ns : h->query.max_lead;
	}
	free(lead);
	return err;
}
