// SPDX-License-Identifier: LGPL-2.1-or-later
/* Findings as text, and as JSON. */
#include <errno.h>
#include <stdio.h>
#include <jansson.h>

#include <common/tool.h>

#include "hft-check.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static bool add_json(json_t *list, const struct hft_check_finding *finding)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}",
				   "name", finding->name, "topic", finding->topic,
				   "severity", hft_severity_name(finding->severity),
				   "what", finding->what,
				   "cost", text_or_null(finding->cost),
				   "cost_source", text_or_null(finding->source),
				   "cost_ns", finding->cost_ns ?
				   json_integer((json_int_t)finding->cost_ns) : json_null(),
				   "fix", text_or_null(finding->fix),
				   "lasting", text_or_null(finding->lasting));

	return object && !json_array_append_new(list, object);
}

static void print_line(const char *title, const char *text)
{
	if (text)
		printf("      %-8s %s\n", title, text);
}

static void print_finding(const struct hft_check_finding *finding)
{
	printf("%-4s  %s: %s\n", hft_severity_name(finding->severity), finding->name,
	       finding->what);
	if (finding->cost)
		printf("      %-8s %s (%s)\n", "cost", finding->cost, finding->source);
	print_line("fix", finding->fix);
	print_line("for good", finding->lasting);
}

void report_add(void *arg, const struct hft_check_finding *finding)
{
	struct report *report = arg;

	report->counts[finding->severity]++;
	if (report->json)
		report->failed |= !add_json(report->json, finding);
	else if (finding->severity >= report->least)
		print_finding(finding);
}

static int print_json(struct report *report, int worst)
{
	json_t *top = json_pack("{s:s, s:O}", "severity", hft_severity_name((uint32_t)worst),
				"findings", report->json);
	int ret = -ENOMEM;

	if (top && !report->failed)
		ret = json_dumpf(top, stdout, JSON_INDENT(2)) ? -EIO : 0;
	putchar('\n');
	json_decref(top);
	return ret;
}

int report_end(struct report *report, int worst)
{
	int ret = 0;

	if (report->json)
		ret = print_json(report, worst);
	else
		printf("%u ok, %u note, %u warn, %u fail\n", report->counts[HFT_CHECK_OK],
		       report->counts[HFT_CHECK_NOTE], report->counts[HFT_CHECK_WARN],
		       report->counts[HFT_CHECK_FAIL]);
	if (fflush(stdout))
		ret = -errno;
	return ret ? fail(-ret, "the report") : 0;
}
