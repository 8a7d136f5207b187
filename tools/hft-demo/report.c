// SPDX-License-Identifier: LGPL-2.1-or-later
/* What happened, as text and as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <jansson.h>

#include "hft-demo.h"

#define BAR_WIDTH	50

static const struct {
	const char *label;
	const char *key;
	uint32_t ppm;
} percentiles[] = {
	{ "p50", "p50", 500000 },
	{ "p90", "p90", 900000 },
	{ "p99", "p99", 990000 },
	{ "p99.9", "p999", 999000 },
};

#define PERCENTILES	(sizeof(percentiles) / sizeof(percentiles[0]))

uint64_t count_lost(const struct tally *tally)
{
	return tally->tasks - tally->dispatched;
}

void add_up(const struct outcome *outcome, struct tally *sum)
{
	unsigned int i, type;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < outcome->rings; i++) {
		const struct tally *tally = outcome->tally[i];

		sum->tasks += tally->tasks;
		sum->dispatched += tally->dispatched;
		sum->duplicated += tally->duplicated;
		sum->early += tally->early;
		sum->unordered += tally->unordered;
		sum->failed += tally->failed;
		sum->deadline_missed += tally->deadline_missed;
		sum->refused += tally->refused;
		for (type = 0; type < 256; type++)
			sum->types[type] += tally->types[type];
		hft_hist_merge(&sum->error, &tally->error);
		hft_hist_merge(&sum->body, &tally->body);
	}
}

static const char *describe_kernel(char *text, size_t size)
{
	struct utsname name = { 0 };

	uname(&name);
	snprintf(text, size, "%s %s %s", name.release, name.version, name.machine);
	return text;
}

static bool is_icount(const struct config *config)
{
	return !strcmp(config->instrument, "icount");
}

static void print_head(const struct config *config, const struct outcome *outcome,
		       const struct tally *sum)
{
	char kernel[256];

	printf("kernel           %s\n", describe_kernel(kernel, sizeof(kernel)));
	printf("instrument       %s\n", config->instrument);
	if (is_icount(config))
		puts("                 one instruction is one virtual ns, a run repeats exactly; plain TCG is noise");
	printf("packets          %" PRIu64 " in %.3f s%s\n", outcome->packets,
	       (double)outcome->span_ns / (double)NSEC_PER_SEC,
	       outcome->interrupted ? ", interrupted" : "");
	printf("tasks            %" PRIu64 ", deadline %" PRIu64 " us after the release, policy %s\n",
	       sum->tasks, config->deadline_ns / NSEC_PER_USEC,
	       config->policy == HFT_POLICY_EDF ? "edf" : "fifo");
	printf("dispatched       %" PRIu64 "\n", sum->dispatched);
	printf("deadline missed  %" PRIu64 "\n\n", sum->deadline_missed);
}

static void print_verification(const struct tally *sum)
{
	bool good = !count_lost(sum) && !sum->duplicated && !sum->early && !sum->unordered;

	printf("verification     %s: %" PRIu64 " lost, %" PRIu64 " duplicated, %" PRIu64
	       " early, %" PRIu64 " out of order\n\n", good ? "good" : "FAILED", count_lost(sum),
	       sum->duplicated, sum->early, sum->unordered);
}

static void print_figures(const char *name, const struct hft_hist *hist)
{
	size_t i;

	printf("%-16s %8" PRIu64, name, hft_hist_min(hist));
	for (i = 0; i < PERCENTILES; i++)
		printf(" %8" PRIu64, hft_hist_percentile(hist, percentiles[i].ppm));
	printf(" %8" PRIu64 "\n", hft_hist_max(hist));
}

static void print_percentiles(const struct tally *sum)
{
	size_t i;

	printf("%-16s %8s", "ns", "min");
	for (i = 0; i < PERCENTILES; i++)
		printf(" %8s", percentiles[i].label);
	printf(" %8s\n", "max");
	print_figures("dispatch error", &sum->error);
	print_figures("body", &sum->body);
	putchar('\n');
}

/* Rows of the printed histogram: 0, 1, 2 to 3, 4 to 7, ... */
static unsigned int row_of(uint64_t ns)
{
	return ns ? 64 - (unsigned int)__builtin_clzll(ns) : 0;
}

static void print_row(unsigned int row, uint64_t count, uint64_t total, uint64_t most)
{
	uint64_t low = row ? 1ULL << (row - 1) : 0;
	uint64_t high = row ? 2 * low - 1 : 0;
	int bar = (int)(count * BAR_WIDTH / most);

	printf("%9" PRIu64 " to %9" PRIu64 " %9" PRIu64 " %6.2f %% %.*s\n", low, high, count,
	       100.0 * (double)count / (double)total, count && !bar ? 1 : bar,
	       "##################################################");
}

static void print_histogram(const struct hft_hist *hist)
{
	uint64_t rows[65] = { 0 };
	unsigned int row, first = 64, last = 0;
	uint64_t most = 0;
	uint32_t i;

	for (i = 0; i < HFT_HIST_BUCKETS; i++) {
		if (!hist->bucket[i])
			continue;
		row = row_of(hft_hist_low(i));
		rows[row] += hist->bucket[i];
		first = row < first ? row : first;
		last = row;
		most = rows[row] > most ? rows[row] : most;
	}
	printf("%-22s %9s   share\n", "dispatch error, ns", "tasks");
	for (row = first; row <= last; row++)
		print_row(row, rows[row], hist->count, most);
	putchar('\n');
}

static void print_rings(const struct outcome *outcome)
{
	unsigned int i;

	printf("ring  cpu  lead ns      tasks  dispatched  missed  p99 ns  max ns\n");
	for (i = 0; i < outcome->rings; i++) {
		const struct tally *tally = outcome->tally[i];

		printf("%4u %4u %8" PRIu64 " %10" PRIu64 " %11" PRIu64 " %7" PRIu64 " %7" PRIu64
		       " %7" PRIu64 "\n", i, outcome->cpu[i], outcome->lead_ns[i], tally->tasks,
		       tally->dispatched, tally->deadline_missed,
		       hft_hist_percentile(&tally->error, 990000), hft_hist_max(&tally->error));
	}
	putchar('\n');
}

static void print_types(const struct tally *sum)
{
	unsigned int type;
	bool any = false;

	for (type = 0; type < 256; type++) {
		if (!sum->types[type])
			continue;
		if (!any)
			puts("messages");
		any = true;
		printf("   %c  %9" PRIu64 "  %s\n", type, sum->types[type],
		       hft_itch_type((uint8_t)type)->name);
	}
	if (!any)
		puts("messages         none: the file has arrivals only");
}

static void print_oddities(const struct outcome *outcome, const struct tally *sum)
{
	if (outcome->odd_lengths)
		printf("note: the length before %" PRIu64 " messages is not their type's: stepped by the type's\n",
		       outcome->odd_lengths);
	if (outcome->skipped)
		printf("note: %" PRIu64 " packets are not MoldUDP64: skipped\n", outcome->skipped);
	if (sum->refused)
		printf("note: %" PRIu64 " messages are of orders that the file never added\n",
		       sum->refused);
	if (outcome->late)
		printf("note: %" PRIu64 " packets were read after their release: the dispatch error has that, too\n",
		       outcome->late);
	if (sum->failed)
		printf("note: %" PRIu64 " tasks ended because their CPU went offline\n", sum->failed);
}

int report_text(const struct config *config, const struct outcome *outcome)
{
	static struct tally sum;

	add_up(outcome, &sum);
	print_head(config, outcome, &sum);
	if (sum.dispatched) {
		print_percentiles(&sum);
		print_histogram(&sum.error);
	}
	print_rings(outcome);
	print_types(&sum);
	putchar('\n');
	print_oddities(outcome, &sum);
	print_verification(&sum);
	return fflush(stdout) || ferror(stdout) ? fail(errno, "standard output") : 0;
}

/* JSON */

static json_t *json_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *json_error(const struct hft_hist *hist)
{
	json_t *error = json_object();
	size_t i;

	json_object_set_new(error, "min", json_number(hft_hist_min(hist)));
	for (i = 0; i < PERCENTILES; i++)
		json_object_set_new(error, percentiles[i].key,
				    json_number(hft_hist_percentile(hist, percentiles[i].ppm)));
	json_object_set_new(error, "max", json_number(hft_hist_max(hist)));
	return error;
}

static json_t *json_rings(const struct outcome *outcome)
{
	json_t *rings = json_array();
	unsigned int i;

	for (i = 0; i < outcome->rings; i++) {
		const struct tally *tally = outcome->tally[i];

		json_array_append_new(rings, json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o}",
			"ring", (int)i, "cpu", (int)outcome->cpu[i],
			"lead_ns", json_number(outcome->lead_ns[i]),
			"tasks", json_number(tally->tasks),
			"dispatched", json_number(tally->dispatched),
			"busy_ns", json_number(tally->busy_ns),
			"deadline_missed", json_number(tally->deadline_missed)));
	}
	return rings;
}

static json_t *json_types(const struct tally *sum)
{
	json_t *types = json_object();
	char name[2] = "";
	unsigned int type;

	for (type = 0; type < 256; type++) {
		name[0] = (char)type;
		if (sum->types[type])
			json_object_set_new(types, name, json_number(sum->types[type]));
	}
	return types;
}

int report_json(const struct config *config, const struct outcome *outcome)
{
	static struct tally sum;
	char kernel[256];
	json_t *report;
	int ret;

	add_up(outcome, &sum);
	report = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}",
			   "packets", json_number(outcome->packets),
			   "span_ns", json_number(outcome->span_ns),
			   "tasks", json_number(sum.tasks),
			   "dispatched", json_number(sum.dispatched),
			   "lost", json_number(count_lost(&sum)),
			   "duplicated", json_number(sum.duplicated),
			   "early", json_number(sum.early),
			   "deadline_missed", json_number(sum.deadline_missed),
			   "dispatch_error_ns", json_error(&sum.error),
			   "per_ring", json_rings(outcome),
			   "per_type", json_types(&sum),
			   "kernel", describe_kernel(kernel, sizeof(kernel)),
			   "instrument", config->instrument);
	if (!report)
		return fail(ENOMEM, "the report");
	ret = json_dump_file(report, config->json, JSON_INDENT(2));
	json_decref(report);
	return ret ? fail(errno, "%s", config->json) : 0;
}
