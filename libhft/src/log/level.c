// SPDX-License-Identifier: LGPL-2.1-or-later
/* Levels by their names. */
#include <errno.h>
#include <string.h>

#include <hft/log_read.h>

#include "../api.h"

static const char *const hft_levels[] = {
	"error", "warn", "notice", "info", "debug", "trace"
};

#define HFT_LEVELS	((int)(sizeof(hft_levels) / sizeof(hft_levels[0])))

/**
 * hft_log_level_name() - what a level is called
 * @level: enum hft_log_level
 *
 * Any thread; does not block.
 *
 * Return: the name in small letters, "?" for what is no level.
 */
HFT_API const char *hft_log_level_name(int level)
{
	return level >= 0 && level < HFT_LEVELS ? hft_levels[level] : "?";
}

/**
 * hft_log_level_parse() - the level of a name
 * @name: as hft_log_level_name() has it
 *
 * Any thread; does not block.
 *
 * Return: enum hft_log_level, or -EINVAL.
 */
HFT_API int hft_log_level_parse(const char *name)
{
	int level;

	for (level = 0; level < HFT_LEVELS; level++)
		if (!strcmp(name, hft_levels[level]))
			return level;
	return -EINVAL;
}
