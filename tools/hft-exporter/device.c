// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Histograms of all rings that are measured.  The device is open for as long as it is asked:
 * who has it open keeps the module from being unloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/hft.h>

#include "hft-exporter.h"

static const struct hft_metric device_up = {
	"hft_device_up", "1: the module's device could be asked for histograms.",
	.type = HFT_METRIC_GAUGE
};

static const struct hft_metric kinds[HFT_KINDS] = {
	[HFT_KIND_DISPATCH] = {
		"hft_dispatch_error_seconds",
		"From when a task was to be written to its ring until it was.",
		"seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS },
	[HFT_KIND_WAKE] = {
		"hft_task_wakeup_seconds", "From when a task could have begun until it did.",
		"seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS },
	[HFT_KIND_RUN] = {
		"hft_task_run_seconds", "How long tasks ran.",
		"seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS },
	[HFT_KIND_RESPONSE] = {
		"hft_task_response_seconds", "From the release of a task until it had ended.",
		"seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS },
	[HFT_KIND_LATENESS] = {
		"hft_task_lateness_seconds",
		"By how much those tasks ended after their deadlines that did.",
		"seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS },
};

static const struct hft_metric in_time = {
	"hft_task_deadlines_kept", "Tasks that ended by their deadlines.",
	.type = HFT_METRIC_COUNTER
};

static const struct hft_metric busy = {
	"hft_cpu_task_busy_seconds", "How long the tasks of a CPU ran.", "seconds",
	HFT_METRIC_COUNTER, HFT_TEXT_NS
};

static const struct hft_metric clock_is_tsc = {
	"hft_clock_is_tsc", "1: the machine's clocks run on the TSC.", .type = HFT_METRIC_GAUGE
};

/* What is read at a time. */
struct reader {
	struct exporter *exporter;
	struct hft_text *text;
	int fd;
	uint32_t nr_cpus;
	struct hft_hist hist;
	uint64_t in_time;
};

/* @cpu: or HFT_STATS_CONTEXT.  True: there is one. */
static bool read_hist(struct reader *reader, uint32_t cpu, uint32_t kind)
{
	struct hft_hist_info info = {
		.ring = cpu, .flags = HFT_HIST_GLOBAL, .task_class = HFT_CLASS_ALL, .kind = kind,
		.buckets = (uintptr_t)reader->hist.bucket, .nr_buckets = HFT_HIST_BUCKETS,
	};

	if (ioctl(reader->fd, HFT_IOC_HIST, &info)) {
		/* A CPU that can not be. */
		if (errno != ENOENT)
			reader->exporter->errors++;
		return false;
	}
	if (info.nr_buckets != HFT_HIST_BUCKETS) {
		reader->exporter->errors++;
		return false;
	}
	reader->hist.count = info.count;
	reader->hist.sum = info.sum;
	reader->in_time = info.in_time;
	return true;
}

static const char *cpu_name(uint32_t cpu, char name[static 16])
{
	snprintf(name, 16, "%u", cpu);
	return name;
}

/* Only CPUs that something was measured on: there may be thousands that can be. */
static void put_kind_by_cpu(struct reader *reader, uint32_t kind)
{
	struct hft_label label = { "cpu", NULL };
	char name[16];
	uint32_t cpu;

	for (cpu = 0; cpu < reader->nr_cpus; cpu++) {
		if (!read_hist(reader, cpu, kind) || !reader->hist.count)
			continue;
		label.value = cpu_name(cpu, name);
		hft_text_histogram(reader->text, &label, 1, &reader->hist);
	}
}

static void put_kind(struct reader *reader, uint32_t kind)
{
	if (!kinds[kind].name)
		return;
	hft_text_begin(reader->text, &kinds[kind]);
	if (reader->exporter->per_cpu)
		put_kind_by_cpu(reader, kind);
	else if (read_hist(reader, HFT_STATS_CONTEXT, kind))
		hft_text_histogram(reader->text, NULL, 0, &reader->hist);
}

static void put_busy(struct reader *reader)
{
	struct hft_label label = { "cpu", NULL };
	char name[16];
	uint32_t cpu;

	hft_text_begin(reader->text, &busy);
	for (cpu = 0; cpu < reader->nr_cpus; cpu++) {
		if (!read_hist(reader, cpu, HFT_KIND_RUN) || !reader->hist.count)
			continue;
		label.value = cpu_name(cpu, name);
		hft_text_sample(reader->text, &label, 1, reader->hist.sum);
	}
}

static void put_in_time(struct reader *reader)
{
	if (!read_hist(reader, HFT_STATS_CONTEXT, HFT_KIND_LATENESS))
		return;
	hft_text_begin(reader->text, &in_time);
	hft_text_sample(reader->text, NULL, 0, reader->in_time);
}

static void put_tsc(struct reader *reader)
{
	struct hft_stats stats = { .ring = HFT_STATS_CONTEXT };

	if (ioctl(reader->fd, HFT_IOC_STATS, &stats)) {
		reader->exporter->errors++;
		return;
	}
	hft_text_begin(reader->text, &clock_is_tsc);
	hft_text_sample(reader->text, NULL, 0, stats.tsc);
}

/* May we?  A module that has no histograms, and one that does not show them, say no. */
static bool can_read(struct reader *reader)
{
	struct hft_query query = {};
	struct hft_hist_info info = {
		.ring = HFT_STATS_CONTEXT, .flags = HFT_HIST_GLOBAL, .task_class = HFT_CLASS_ALL,
	};

	if (reader->fd < 0 || ioctl(reader->fd, HFT_IOC_QUERY, &query) ||
	    ioctl(reader->fd, HFT_IOC_HIST, &info))
		return false;
	reader->nr_cpus = query.nr_cpus;
	return true;
}

void device_collect(struct exporter *exporter, struct hft_text *text)
{
	struct reader *reader = malloc(sizeof(*reader));
	uint32_t kind;
	bool can;

	if (!reader) {
		text->failed = true;
		return;
	}
	reader->exporter = exporter;
	reader->text = text;
	reader->fd = root_open(exporter, "/dev/hft", O_RDWR);
	can = can_read(reader);
	hft_text_begin(text, &device_up);
	hft_text_sample(text, NULL, 0, can);
	for (kind = 0; can && kind < HFT_KINDS; kind++)
		put_kind(reader, kind);
	if (can) {
		put_in_time(reader);
		put_busy(reader);
		put_tsc(reader);
		counters_collect(exporter, text, reader->fd, reader->nr_cpus);
	}
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}

void device_list(struct hft_text *text)
{
	uint32_t kind;

	hft_text_begin(text, &device_up);
	for (kind = 0; kind < HFT_KINDS; kind++)
		if (kinds[kind].name)
			hft_text_begin(text, &kinds[kind]);
	hft_text_begin(text, &in_time);
	hft_text_begin(text, &busy);
	hft_text_begin(text, &clock_is_tsc);
	counters_list(text);
}
