// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What counters of the CPUs have counted for rings with HFT_RING_METRICS.  Rings of a CPU that
 * chose differently may have a counter in common: its sums are added up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/hft.h>
#include <linux/perf_event.h>

#include <common/counter.h>

#include "hft-exporter.h"

#define NAMED	4

static const struct {
	uint64_t config;
	struct hft_metric metric;
} named[NAMED] = {
	{ PERF_COUNT_HW_CACHE_REFERENCES, {
		"hft_cpu_cache_references", "References to the last-level cache while rings that "
		"have it counted had something to run.", .type = HFT_METRIC_COUNTER } },
	{ PERF_COUNT_HW_CACHE_MISSES, {
		"hft_cpu_cache_misses", "Misses of the last-level cache, likewise.",
		.type = HFT_METRIC_COUNTER } },
	{ PERF_COUNT_HW_CPU_CYCLES, {
		"hft_cpu_cycles", "Cycles of the CPU, likewise.", .type = HFT_METRIC_COUNTER } },
	{ PERF_COUNT_HW_INSTRUCTIONS, {
		"hft_cpu_instructions", "Instructions, likewise.", .type = HFT_METRIC_COUNTER } },
};

static const struct hft_metric others = {
	"hft_cpu_counts", "What other counters have counted, likewise.",
	.type = HFT_METRIC_COUNTER
};

static const struct hft_metric counted = {
	"hft_cpu_tasks_counted", "Tasks that the counters were read for.",
	.type = HFT_METRIC_COUNTER
};

static const struct hft_metric uncounted = {
	"hft_cpu_tasks_uncounted", "Tasks of rings with counters that none was read for.",
	.type = HFT_METRIC_COUNTER
};

/* A counter of a CPU. */
struct count {
	uint32_t cpu;
	uint32_t type;
	uint64_t config;
	uint64_t value;
};

/* The tasks of a CPU. */
struct tasks {
	uint32_t cpu;
	uint64_t counted;
	uint64_t uncounted;
};

struct counts {
	struct count *at;
	size_t nr;
	struct tasks *cpus;
	size_t nr_cpus;
};

static bool add_count(struct counts *counts, const struct count *count)
{
	struct count *at;
	size_t i;

	for (i = 0; i < counts->nr; i++) {
		at = &counts->at[i];
		if (at->cpu == count->cpu && at->type == count->type &&
		    at->config == count->config) {
			at->value += count->value;
			return true;
		}
	}
	at = realloc(counts->at, (counts->nr + 1) * sizeof(*at));
	if (!at)
		return false;
	counts->at = at;
	at[counts->nr++] = *count;
	return true;
}

/* They come one CPU after the other. */
static bool add_tasks(struct counts *counts, const struct hft_pmu *pmu)
{
	struct tasks *last = counts->nr_cpus ? &counts->cpus[counts->nr_cpus - 1] : NULL;

	if (!last || last->cpu != pmu->cpu) {
		last = realloc(counts->cpus, (counts->nr_cpus + 1) * sizeof(*last));
		if (!last)
			return false;
		counts->cpus = last;
		last += counts->nr_cpus++;
		*last = (struct tasks){ .cpu = pmu->cpu };
	}
	last->counted += pmu->metrics.runs;
	last->uncounted += pmu->metrics.unread;
	return true;
}

/* What was not read for all is left out: it would be too small. */
static bool add(struct counts *counts, const struct hft_pmu *pmu)
{
	uint32_t i;

	for (i = 0; i < pmu->nr && i < HFT_METRICS; i++) {
		const struct count count = {
			.cpu = pmu->cpu, .type = pmu->type[i], .config = pmu->config[i],
			.value = pmu->metrics.counts[i],
		};

		if (pmu->metrics_valid & 1U << i && !add_count(counts, &count))
			return false;
	}
	return add_tasks(counts, pmu);
}

/* Returns 0 when the CPU has no more, or a positive errno. */
static int read_cpu(struct counts *counts, int fd, uint32_t cpu)
{
	struct hft_pmu pmu;
	uint32_t index;

	for (index = 0;; index++) {
		pmu = (struct hft_pmu){
			.flags = HFT_PMU_READ | HFT_PMU_GLOBAL, .cpu = cpu, .index = index,
		};
		if (ioctl(fd, HFT_IOC_PMU, &pmu))
			return errno == ENOENT || errno == EINVAL ? 0 : errno;
		if (!add(counts, &pmu))
			return ENOMEM;
	}
}

static void put_count(struct hft_text *text, const struct count *count, const char *name)
{
	char cpu[16];
	const struct hft_label labels[] = { { "cpu", cpu }, { "counter", name } };

	snprintf(cpu, sizeof(cpu), "%u", count->cpu);
	hft_text_sample(text, labels, 2, count->value);
}

static bool is_named(const struct count *count, size_t i)
{
	return count->type == PERF_TYPE_HARDWARE && count->config == named[i].config;
}

static void put_named(struct hft_text *text, const struct counts *counts, size_t i)
{
	size_t n;

	hft_text_begin(text, &named[i].metric);
	for (n = 0; n < counts->nr; n++)
		if (is_named(&counts->at[n], i))
			put_count(text, &counts->at[n], NULL);
}

static void put_others(struct hft_text *text, const struct counts *counts)
{
	const struct count *count;
	char name[COUNTER_NAME];
	size_t n, i;

	hft_text_begin(text, &others);
	for (n = 0; n < counts->nr; n++) {
		count = &counts->at[n];
		for (i = 0; i < NAMED && !is_named(count, i); i++)
			;
		if (i == NAMED)
			put_count(text, count, counter_name(count->type, count->config, name));
	}
}

static void put_tasks(struct hft_text *text, const struct counts *counts,
		      const struct hft_metric *metric)
{
	struct count sample;
	size_t i;

	hft_text_begin(text, metric);
	for (i = 0; i < counts->nr_cpus; i++) {
		sample.cpu = counts->cpus[i].cpu;
		sample.value = metric == &counted ? counts->cpus[i].counted :
						    counts->cpus[i].uncounted;
		put_count(text, &sample, NULL);
	}
}

/* An older module has nothing of that. */
void counters_collect(struct exporter *exporter, struct hft_text *text, int fd, uint32_t nr_cpus)
{
	struct counts counts = {};
	uint32_t cpu;
	size_t i;
	int err = 0;

	for (cpu = 0; cpu < nr_cpus && !err; cpu++)
		err = read_cpu(&counts, fd, cpu);
	if (err == ENOMEM)
		text->failed = true;
	else if (err && err != ENOTTY)
		exporter->errors++;
	for (i = 0; i < NAMED && !err; i++)
		put_named(text, &counts, i);
	if (!err) {
		put_others(text, &counts);
		put_tasks(text, &counts, &counted);
		put_tasks(text, &counts, &uncounted);
	}
	free(counts.at);
	free(counts.cpus);
}

void counters_list(struct hft_text *text)
{
	size_t i;

	for (i = 0; i < NAMED; i++)
		hft_text_begin(text, &named[i].metric);
	hft_text_begin(text, &others);
	hft_text_begin(text, &counted);
	hft_text_begin(text, &uncounted);
}
