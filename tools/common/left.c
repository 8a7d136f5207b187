// SPDX-License-Identifier: LGPL-2.1-or-later
#include <hft/hft.h>
#include <hft/log.h>
#include <log/left.h>

#include <common/left.h>
#include <common/tool.h>

static bool find_left(const char *log, char *text, size_t size)
{
	HFT_OPTS(hft_log_info, info);

	return !hft_log_look(log, &info) && log_left_text(log, &info, text, size);
}

bool has_left(const char *log)
{
	char text[1024];

	return find_left(log, text, sizeof(text));
}

bool tell_left(const char *log)
{
	char text[1024];

	if (!find_left(log, text, sizeof(text)))
		return false;
	fail(0, "%s: %s", log, text);
	return true;
}
