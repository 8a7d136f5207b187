// SPDX-License-Identifier: LGPL-2.1-or-later
/* Run a function one millisecond from now, to the nanosecond, on CPU 0. */
#include <stdio.h>
#include <hft/hft.h>

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	printf("started %lld ns after its release\n", (long long)(start - event->release));
	hft_ring_stop(arg);
}

int main(void)
{
	HFT_OPTS(hft_opts, opts, .warn = hft_warn_stderr);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 0, .lead_ns = HFT_LEAD_AUTO);
	struct hft_task task = { .level = HFT_LEVEL_HIGH };
	struct hft_ring *ring = NULL;
	struct hft *h = NULL;
	int err;

	err = hft_open(&h, &opts);
	if (!err)
		err = hft_ring_open(h, &ring_opts, &ring);
	if (!err) {
		task.ring = hft_ring_number(ring);
		task.release = hft_now() + 1000000;
		err = hft_submit(h, &task, NULL);
	}
	if (!err)
		err = hft_ring_run(ring, body, ring);
	if (err)
		fprintf(stderr, "hello: %s\n", hft_strerror(err));
	hft_ring_close(ring);
	hft_close(h);
	return err ? 1 : 0;
}
