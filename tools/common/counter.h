/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters of perf by their names, those that perf list has. */
#ifndef TOOLS_COMMON_COUNTER_H
#define TOOLS_COMMON_COUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/hft.h>

#define COUNTER_NAME	32

/* The name of a counter, or TYPE:CONFIG in hex, as a struct perf_event_attr has them. */
const char *counter_name(uint32_t type, uint64_t config, char name[static COUNTER_NAME]);

/* Names and TYPE:CONFIG between commas.  False: one makes no sense, or there are too many. */
bool counters_parse(const char *list, struct hft_pmu *pmu);

#endif /* TOOLS_COMMON_COUNTER_H */
