// SPDX-License-Identifier: LGPL-2.1-or-later
/* Histograms of a process: of those rings of its handles that are measured. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <hft/export.h>
#include <hft/hft.h>
#include <hft/stats.h>

#include "core/task.h"
#include "../options.h"
#include "../stats/histogram.h"
#include "histograms.h"

#define NS_HISTOGRAM(name, help) \
	{ "hft_process_ring_" name "_seconds", help, "seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS }

static const struct hft_metric kinds[HFT_KINDS] = {
	[HFT_KIND_DISPATCH] = NS_HISTOGRAM("dispatch_error",
		"From when a task was to be written to the ring until it was."),
	[HFT_KIND_WAKE] = NS_HISTOGRAM("task_wakeup",
		"From when a task could have begun until it did."),
	[HFT_KIND_RUN] = NS_HISTOGRAM("task_run", "How long tasks ran."),
	[HFT_KIND_RESPONSE] = NS_HISTOGRAM("task_response",
		"From the release of a task until it had ended."),
	[HFT_KIND_LATENESS] = NS_HISTOGRAM("task_lateness",
		"By how much those tasks ended after their deadlines that did."),
	[HFT_KIND_SUBMIT] = NS_HISTOGRAM("task_submit", "What submitting a task took."),
};

/* Returns 0, -ENOENT: nothing is measured there, or another error. */
static int read_ring(struct hft *h, uint32_t ring, uint32_t kind, struct hft_histogram *to)
{
	HFT_OPTS(hft_hist_opts, which, .ring = ring, .task_class = HFT_CLASS_ALL, .kind = kind);
	int err = hft_hist_read(h, &which, to, NULL);

	if (err == -EOPNOTSUPP)		/* the module is too old */
		return -ENOENT;
	return err ? err : hft_hist_count(&to->hist) ? 0 : -ENOENT;
}

static int put_handle(struct hft_text *text, const char *process,
		      const struct hft_metrics_source *source, uint32_t kind,
		      struct hft_histogram *space)
{
	char number[12];
	const struct hft_label labels[] = {
		{ "process", process }, { "handle", source->name }, { "ring", number },
	};
	uint32_t ring;
	int err;

	for (ring = 0; ring < HFT_MAX_RINGS; ring++) {
		err = read_ring((void *)source->object, ring, kind, space);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		if (text->metric != &kinds[kind])
			hft_text_begin(text, &kinds[kind]);
		snprintf(number, sizeof(number), "%u", ring);
		hft_text_histogram(text, labels, 3, &space->hist);
	}
	return 0;
}

/* Returns 0 or the error of a handle. */
int hft_metrics_put_histograms(struct hft_text *text, const char *process,
			       const struct hft_metrics_source *sources, uint32_t nr)
{
	struct hft_histogram *space = NULL;
	uint32_t kind, i;
	int err;

	err = hft_histogram_open(&space);
	for (kind = 0; !err && kind < HFT_KINDS; kind++)
		for (i = 0; !err && i < nr; i++)
			if (sources[i].kind == HFT_METRICS_HANDLE)
				err = put_handle(text, process, &sources[i], kind, space);
	if (space)
		hft_histogram_close(space);
	return err;
}
