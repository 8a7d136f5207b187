// SPDX-License-Identifier: GPL-2.0-only
/* What hft-log report is told of a firm: all that is taken of it can be asked for. */
#include <stdlib.h>
#include <string.h>

#include <hft-log/report.h>

#include "fuzz.h"

static void ask(const struct report *report, const char *group, const char *item)
{
	json_t *values = group ? json_object_get(json_object_get(report->firm, group), item) :
				 report->firm;
	const char *key;
	json_t *value;

	json_object_foreach(values, key, value) {
		if (!json_is_object(value) && !firm_text(report, group, item, key))
			abort();	/* it was checked to be text, or true or false */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const groups[] = { "accounts", "algos", "venues", "instruments" };
	struct report report = { .firm = NULL };
	const char *item;
	json_t *value;
	size_t i;

	if (!firm_load(&report, fuzz_file("firms.json", data, size), NULL)) {
		ask(&report, NULL, NULL);
		for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
			json_object_foreach(json_object_get(report.firm, groups[i]), item, value)
				ask(&report, groups[i], item);
	}
	json_decref(report.config);
	return 0;
}
