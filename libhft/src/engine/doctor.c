// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a handle warns of, and what on this machine will spoil its latency. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <hft/check.h>

#include "internal.h"

#define HFT_WARNING	2048	/* bytes */

void hft_warn(struct hft *h, const char *format, ...)
{
	char text[HFT_WARNING];
	va_list args;

	if (!h->warn)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	h->warn(h->warn_arg, text);
}

/* Of the device hft_open() itself says what is wrong. */
static void hft_warn_finding(void *arg, const struct hft_check_finding *finding)
{
	const char *cure = finding->fix ? finding->fix : finding->lasting;

	if (finding->severity < HFT_CHECK_WARN || !strcmp(finding->topic, "device"))
		return;
	hft_warn(arg, "%s%s%s%s%s", finding->what, finding->cost ? "; " : "",
		 finding->cost ? finding->cost : "", cure ? ": " : "", cure ? cure : "");
}

/* Said once in a process. */
void hft_examine(struct hft *h)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	HFT_OPTS(hft_check_opts, opts, .flags = HFT_CHECK_NO_MEASURE);

	if (!h->warn || atomic_flag_test_and_set(&said))
		return;
	hft_check_run(&opts, hft_warn_finding, h);
}
