// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "when.h"

const char *when(uint64_t ns, char text[static WHEN_BYTES])
{
	time_t seconds = (time_t)(ns / 1000000000);
	size_t length;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	length = strftime(text, WHEN_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + length, WHEN_BYTES - length, ".%09" PRIu64 "Z", ns % 1000000000);
	return text;
}
