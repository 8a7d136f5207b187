// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "read.h"

/*
 * Does the whole of @text match the first @length bytes of @pattern, where * stands for any
 * text and ? for a byte?  A star that does not fit takes one byte more; the one before it need
 * not be tried again, so the time is at most the product of the lengths.
 */
bool hft_glob(const char *pattern, size_t length, const char *text)
{
	const char *end = pattern + length, *star = NULL, *retry = NULL;

	while (*text) {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (pattern < end && (*pattern == '?' || *pattern == *text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}
