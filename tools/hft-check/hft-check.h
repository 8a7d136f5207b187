/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_CHECK_TOOL_H
#define HFT_CHECK_TOOL_H

#include <stdbool.h>
#include <stdio.h>
#include <hft/check.h>

/**
 * struct report - where findings go
 * @json: an array of them, or NULL: as text, to stdout
 * @least: severity of what is printed as text
 * @counts: of all, by severity
 * @failed: memory for the array was short
 */
struct report {
	struct json_t *json;
	uint32_t least;
	unsigned int counts[HFT_CHECK_FAIL + 1];
	bool failed;
};

/* Take one; as hft_check_fn, with a struct report. */
void report_add(void *arg, const struct hft_check_finding *finding);

/* Print the end.  Returns 0 or -errno. */
int report_end(struct report *report, int worst);

#endif /* HFT_CHECK_TOOL_H */
