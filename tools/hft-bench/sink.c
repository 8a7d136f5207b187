// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A task that a device has, from the interrupt to the doorbell: QEMU's edu, by the sample
 * driver hft_edu, which tells of the last one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define TASKS	1000

static int read_attribute(const char *name, const char *attribute, int64_t *ns)
{
	char path[128], text[32];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, attribute);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	*ns = fgets(text, sizeof(text), file) ? atoll(text) : -1;
	fclose(file);
	return *ns < 0 ? -EPROTO : 0;
}

static int run_one(struct session *s, uint64_t release)
{
	struct hft_task task = {
		.ring = hft_ring_number(s->ring),
		.level = HFT_LEVEL_REALTIME,
		.release = release,
	};
	int ret = hft_submit(s->hft, &task, NULL);

	if (ret < 0)
		return ret;
	ret = hft_wait(s->ring, HFT_WAIT_FOREVER);
	if (ret < 0)
		return ret;
	if (hft_ring_peek(s->ring)->type != HFT_EVENT_SINK)
		return -EPROTO;
	hft_ring_advance(s->ring);
	return 0;
}

static int measure(struct session *s, const char *name, struct samples *doorbell)
{
	int64_t ns = 0;
	int i, ret = 0;

	for (i = 0; i < TASKS && ret >= 0; i++) {
		ret = run_one(s, hft_now() + NSEC_PER_MSEC);
		if (ret >= 0)
			ret = read_attribute(name, "doorbell_ns", &ns);
		if (ret >= 0)
			samples_add(doorbell, ns);
	}
	return ret;
}

static int open_session(struct session *s, struct hft_sink_info *info)
{
	HFT_OPTS(hft_opts, hft_opts, .tasks = 64);
	HFT_OPTS(hft_ring_opts, opts, .cpu = bench_cpu, .flags = HFT_RING_SINK);
	int ret = hft_open(&s->hft, &hft_opts);

	if (ret < 0)
		return ret;
	ret = hft_sink(s->hft, 0, info);
	opts.sink = info->sink;
	if (!ret)
		ret = hft_ring_open(s->hft, &opts, &s->ring);
	if (ret < 0) {
		fprintf(stderr, "hft-bench: sink: %s\n", hft_strerror(ret));
		hft_close(s->hft);
	}
	return ret;
}

int bench_sink(void)
{
	struct hft_sink_info info;
	struct samples doorbell;
	struct session s;
	int64_t clock = 0;
	int ret = samples_init(&doorbell, TASKS);

	if (ret < 0)
		return ret;
	ret = open_session(&s, &info);
	if (ret < 0)
		goto out;
	ret = measure(&s, info.name, &doorbell);
	if (ret >= 0)
		ret = read_attribute(info.name, "clock_ns", &clock);
	session_close(&s);
	if (ret < 0)
		goto out;
	print_figure("sink_doorbell_insn",
		     (double)(samples_percentile(&doorbell, PPM_P99) - clock));
	print_note("sink_doorbell_insn: from irq_entry of the dispatch to the doorbell, without the %lld that the clock then took; "
		   "p50 %lld, of %d tasks", (long long)clock,
		   (long long)(samples_percentile(&doorbell, PPM_P50) - clock), TASKS);
out:
	samples_free(&doorbell);
	return ret;
}
