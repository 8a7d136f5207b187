// SPDX-License-Identifier: LGPL-2.1-or-later
/* What was measured, as text and as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <jansson.h>
#include <common/counter.h>
#include <common/hdr.h>

#include "hft-latency.h"

const struct percentile percentiles[] = {
	{ "p50", 500000 },
	{ "p90", 900000 },
	{ "p99", 990000 },
	{ "p999", 999000 },
};

const unsigned int nr_percentiles = sizeof(percentiles) / sizeof(percentiles[0]);

const char *const latency_names[LATENCIES] = {
	[LATENCY_INTERRUPT]	= "interrupt",
	[LATENCY_PUBLISH]	= "publish",
	[LATENCY_WAKEUP]	= "wakeup",
	[LATENCY_ERROR]		= "dispatch_error",
};

static void print_row(const char *name, const struct hft_hist *hist)
{
	unsigned int i;

	printf("%-16s %9" PRIu64, name, hft_hist_min(hist));
	for (i = 0; i < nr_percentiles; i++)
		printf(" %9" PRIu64, hft_hist_percentile(hist, percentiles[i].ppm));
	printf(" %9" PRIu64 "\n", hft_hist_max(hist));
}

static void print_table(const struct result *result)
{
	unsigned int i;

	printf("%-16s %9s", "ns", "min");
	for (i = 0; i < nr_percentiles; i++)
		printf(" %9s", percentiles[i].ppm == 999000 ? "p99.9" : percentiles[i].name);
	printf(" %9s\n", "max");
	for (i = 0; i < LATENCIES; i++)
		print_row(latency_names[i], &result->hist[i]);
}

static bool any_in_bucket(const struct result *result, uint32_t bucket)
{
	int i;

	for (i = 0; i < LATENCIES; i++)
		if (result->hist[i].bucket[bucket])
			return true;
	return false;
}

static void print_histogram(const struct result *result)
{
	uint32_t bucket;
	int i;

	printf("\n# tasks by latency: the least ns of a bucket, then how many of each kind\n#%11s",
	       "ns");
	for (i = 0; i < LATENCIES; i++)
		printf(" %14s", latency_names[i]);
	putchar('\n');
	for (bucket = 0; bucket < HFT_HIST_BUCKETS; bucket++) {
		if (!any_in_bucket(result, bucket))
			continue;
		printf("%12" PRIu64, (uint64_t)hft_hist_low(bucket));
		for (i = 0; i < LATENCIES; i++)
			printf(" %14" PRIu64, (uint64_t)result->hist[i].bucket[bucket]);
		putchar('\n');
	}
}

#define TABLE_ROWS	24

/* Of a great many, some: the shortest and the longest, and those about the present one. */
static void print_leads(const struct result *result)
{
	unsigned int i, step = (result->nr_rows + TABLE_ROWS - 1) / TABLE_ROWS;
	bool present = false;

	printf("\n%12s %12s %12s  of %" PRIu64 " wake-ups; budget %u\n", "lead ns", "late ppm",
	       "CPU ppm", result->lead.wakeups, result->lead.budget_ppm);
	for (i = 0; i < result->nr_rows; i++) {
		const struct hft_lead_row *row = &result->rows[i];
		bool first = !present && row->lead >= result->lead_ns;

		present |= first;
		if (!first && i % step && i != result->nr_rows - 1)
			continue;
		printf("%12llu %12u %12u%s\n", (unsigned long long)row->lead, row->late_ppm,
		       row->cpu_ppm, first ? "  <- now" : "");
	}
}

static bool was_counted(const struct result *result, uint32_t i)
{
	return result->counted_valid & 1U << i;
}

static const char *name_of(const struct config *config, uint32_t i, char name[COUNTER_NAME])
{
	return counter_name(config->pmu.type[i], config->pmu.config[i], name);
}

static void print_counters(const struct config *config, const struct result *result)
{
	const struct hft_metrics_sum *sum = &result->counted;
	char name[COUNTER_NAME];
	uint32_t i;

	printf("\n%-24s %16s %12s  of %llu tasks, %llu unread\n", "counter", "count", "per task",
	       (unsigned long long)sum->runs, (unsigned long long)sum->unread);
	for (i = 0; i < config->pmu.nr; i++) {
		printf("%-24s ", name_of(config, i, name));
		if (was_counted(result, i))
			printf("%16llu %12.1f\n", (unsigned long long)sum->counts[i],
			       (double)sum->counts[i] / (double)sum->runs);
		else
			printf("%16s\n", "absent");
	}
}

static int flush(void)
{
	return fflush(stdout) || ferror(stdout) ? fail(errno, "standard output") : 0;
}

int report_text(const struct config *config, const struct result *result)
{
	struct utsname kernel = { 0 };

	uname(&kernel);
	printf("kernel    %s %s %s\n", kernel.release, kernel.version, kernel.machine);
	printf("backend   %s\n", result->backend);
	printf("clock     %s, steps of %" PRIu64 " ns, %" PRIu64 " ns to read it\n",
	       result->tsc ? "TSC" : "clock_gettime", result->clock_step_ns,
	       result->clock_cost_ns);
	printf("tasks     %" PRIu64 " of %" PRIu64 ", every %" PRIu64 " ns, on CPU %u\n",
	       result->tasks, config->loops, config->interval_ns, config->cpu);
	printf("worker    %s %d, woken %" PRIu64 " ns before a release%s\n",
	       config->priority ? "SCHED_FIFO" : "SCHED_OTHER", config->priority, result->lead_ns,
	       config->lead_ns == HFT_LEAD_AUTO ? " (measured)" :
	       config->lead_ns == HFT_LEAD_LEARNED ? " (learned)" : "");
	printf("early     %" PRIu64 "\n\n", result->early);
	print_table(result);
	if (config->lead_table)
		print_leads(result);
	if (config->counters)
		print_counters(config, result);
	if (config->histogram)
		print_histogram(result);
	return flush();
}

static json_t *json_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *json_buckets(const struct hft_hist *hist)
{
	json_t *buckets = json_array();
	uint32_t i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++)
		if (hist->bucket[i])
			json_array_append_new(buckets, json_pack("[o, o, o]",
							json_number(hft_hist_low(i)),
							json_number(hft_hist_high(i)),
							json_number(hist->bucket[i])));
	return buckets;
}

static json_t *json_latency(const struct hft_hist *hist, bool histogram)
{
	json_t *latency = json_object();
	unsigned int i;

	json_object_set_new(latency, "count", json_number(hft_hist_count(hist)));
	json_object_set_new(latency, "min", json_number(hft_hist_min(hist)));
	for (i = 0; i < nr_percentiles; i++)
		json_object_set_new(latency, percentiles[i].name,
				    json_number(hft_hist_percentile(hist, percentiles[i].ppm)));
	json_object_set_new(latency, "max", json_number(hft_hist_max(hist)));
	if (histogram)
		json_object_set_new(latency, "buckets", json_buckets(hist));
	return latency;
}

static json_t *json_leads(const struct result *result)
{
	json_t *rows = json_array();
	unsigned int i;

	for (i = 0; i < result->nr_rows; i++)
		json_array_append_new(rows, json_pack("[o, o, o]",
						      json_number(result->rows[i].lead),
						      json_number(result->rows[i].late_ppm),
						      json_number(result->rows[i].cpu_ppm)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}",
			 "budget_ppm", json_number(result->lead.budget_ppm),
			 "late_ppm", json_number(result->lead.late_ppm),
			 "cpu_ppm", json_number(result->lead.cpu_ppm),
			 "wakeups", json_number(result->lead.wakeups),
			 "changes", json_number(result->lead.changes), "leads", rows);
}

/* null: absent */
static json_t *json_counters(const struct config *config, const struct result *result)
{
	json_t *counters = json_object();
	char name[COUNTER_NAME];
	uint32_t i;

	json_object_set_new(counters, "tasks", json_number(result->counted.runs));
	json_object_set_new(counters, "unread", json_number(result->counted.unread));
	for (i = 0; i < config->pmu.nr; i++)
		json_object_set_new(counters, name_of(config, i, name), was_counted(result, i) ?
				    json_number(result->counted.counts[i]) : json_null());
	return counters;
}

int report_json(const struct config *config, const struct result *result)
{
	struct utsname kernel = { 0 };
	json_t *report;
	char key[32];
	int i, ret;

	uname(&kernel);
	report = json_pack("{s:s, s:s, s:s, s:{s:s, s:o, s:o}, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}",
			   "kernel", kernel.release, "kernel_version", kernel.version,
			   "backend", result->backend,
			   "clock", "source", result->tsc ? "TSC" : "clock_gettime",
			   "step_ns", json_number(result->clock_step_ns),
			   "cost_ns", json_number(result->clock_cost_ns),
			   "cpu", (int)config->cpu, "priority", config->priority,
			   "interval_ns", json_number(config->interval_ns),
			   "lead_ns", json_number(result->lead_ns),
			   "spin_ns", config->spin_ns == HFT_SPIN_FOREVER ? json_null() :
				      json_number(config->spin_ns),
			   "loops", json_number(config->loops),
			   "tasks", json_number(result->tasks),
			   "early", json_number(result->early));
	if (!report)
		return fail(ENOMEM, "report");
	if (config->lead_ns == HFT_LEAD_LEARNED)
		json_object_set_new(report, "lead", json_leads(result));
	if (config->counters)
		json_object_set_new(report, "counters", json_counters(config, result));
	for (i = 0; i < LATENCIES; i++) {
		snprintf(key, sizeof(key), "%s_ns", latency_names[i]);
		json_object_set_new(report, key,
				    json_latency(&result->hist[i], config->histogram));
	}
	json_dumpf(report, stdout, JSON_INDENT(2));
	putchar('\n');
	ret = flush();
	json_decref(report);
	return ret;
}

int report_hdr(const struct config *config, const struct result *result)
{
	FILE *f = fopen(config->hdr, "w");
	int i, err = 0;

	if (!f)
		return fail(errno, "%s", config->hdr);
	hdr_begin(f, result->start_s);
	for (i = 0; i < LATENCIES && !err; i++)
		err = hdr_line(f, latency_names[i], &result->hist[i], result->start_s,
			       result->length_s);
	if (err)
		fail(-err, "%s", config->hdr);
	else if (fflush(f) || ferror(f))
		err = fail(errno, "%s", config->hdr);
	fclose(f);
	return err;
}
