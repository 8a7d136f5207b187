// SPDX-License-Identifier: LGPL-2.1-or-later
/* Levels and policies by their names. */
#include <errno.h>
#include <string.h>

#include <hft/log.h>
#include <hft/log_read.h>

#include "../api.h"
#include "store.h"

static const char *const hft_levels[] = {
	"error", "warn", "notice", "info", "debug", "trace"
};

static const char *const hft_policies[HFT_LOG_POLICIES] = {
	[HFT_LOG_DROP] = "drop", [HFT_LOG_OVERWRITE] = "overwrite", [HFT_LOG_BLOCK] = "block",
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

const char *log_policy_name(uint32_t lane, uint32_t policy)
{
	if (lane == HFT_LOG_AUDIT)
		return "audit";
	return policy && policy < HFT_LOG_POLICIES ? hft_policies[policy] : "?";
}
