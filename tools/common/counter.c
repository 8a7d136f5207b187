// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/perf_event.h>

#include "counter.h"
#include "tool.h"

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
} counters[] = {
	{ "cache-references", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
	{ "cache-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	{ "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ "branches", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS },
	{ "branch-misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES },
	{ "bus-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES },
	{ "ref-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES },
	{ "cpu-clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK },
	{ "page-faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	{ "context-switches", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
	{ "cpu-migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS },
};

#define NR_COUNTERS	(sizeof(counters) / sizeof(counters[0]))

const char *counter_name(uint32_t type, uint64_t config, char name[static COUNTER_NAME])
{
	size_t i;

	for (i = 0; i < NR_COUNTERS; i++)
		if (counters[i].type == type && counters[i].config == config)
			return counters[i].name;
	snprintf(name, COUNTER_NAME, "0x%" PRIx32 ":0x%" PRIx64, type, config);
	return name;
}

static bool parse_one(char *text, uint32_t *type, __u64 *config)
{
	char *colon = strchr(text, ':');
	uint64_t number, what;
	size_t i;

	for (i = 0; i < NR_COUNTERS; i++) {
		if (strcmp(counters[i].name, text))
			continue;
		*type = counters[i].type;
		*config = counters[i].config;
		return true;
	}
	if (!colon)
		return false;
	*colon = '\0';
	if (!parse_number(text, 0, 0, UINT32_MAX, &number) ||
	    !parse_number(colon + 1, 0, 0, UINT64_MAX, &what))
		return false;
	*type = (uint32_t)number;
	*config = what;
	return true;
}

bool counters_parse(const char *list, struct hft_pmu *pmu)
{
	char copy[HFT_METRICS * 2 * COUNTER_NAME], *next = copy, *text;

	pmu->nr = 0;
	if (snprintf(copy, sizeof(copy), "%s", list) >= (int)sizeof(copy))
		return false;
	while ((text = strsep(&next, ","))) {
		if (pmu->nr == HFT_METRICS ||
		    !parse_one(text, &pmu->type[pmu->nr], &pmu->config[pmu->nr]))
			return false;
		pmu->nr++;
	}
	return true;
}
