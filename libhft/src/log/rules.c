// SPDX-License-Identifier: LGPL-2.1-or-later
/* A record hft:level of each change of the rules that the process follows. */
#include <stdio.h>
#include <string.h>

#include <hft/log_read.h>

#include "log.h"
#include "own.h"

static const struct hft_log_store_field fields[] = {
	{ "pattern", HFT_LOG_STRING },
	{ "level", HFT_LOG_STRING },		/* off; default: the rule was taken away */
	{ "pid", HFT_LOG_U64 },			/* of who did that, as it says; 0: not known */
	{ "uid", HFT_LOG_U64 },
	{ "at", HFT_LOG_U64 },			/* when: CLOCK_REALTIME, ns */
	{ "missed", HFT_LOG_U64 },		/* changes for which there was no room, so far */
};

const struct hft_log_store_site log_rules_site = {
	.id = HFT_LOG_ID_LEVEL, .level = HFT_LOG_NOTICE, .line = __LINE__, .name = "level",
	.subsystem = "hft", .file = "rules.c",
	.nr_fields = sizeof(fields) / sizeof(fields[0]), .fields = fields,
};

static const char *name_level(int level)
{
	if (level == HFT_LOG_UNSET)
		return "default";
	return level == HFT_LOG_OFF ? "off" : hft_log_level_name(level);
}

static void add_record(struct hft_log *log, const struct log_rule_change *change, uint64_t missed)
{
	bool tsc = !strcmp(log->origin.clock.name, "tsc");
	struct log_own_record record;

	log_own_begin(&record);
	log_own_put_text(&record, change->rule.pattern);
	log_own_put_text(&record, name_level(change->rule.level));
	log_own_put(&record, change->rule.pid);
	log_own_put(&record, change->rule.uid);
	log_own_put(&record, change->at);
	log_own_put(&record, missed);
	log_own_add(hft_log_evidence_own(log->evidence), &record, HFT_LOG_ID_LEVEL,
		    hft_log_stamp(tsc));
}

bool log_rules_look(struct hft_log *log)
{
	const struct log_own *own = hft_log_evidence_own(log->evidence);
	struct log_rule_change change;
	uint64_t missed;

	while (LOG_OWN_ROOM - own->used >= LOG_OWN_RECORD) {
		if (!log_sites_take_change(&change, &missed))
			return true;
		add_record(log, &change, missed);
	}
	return false;
}

void log_rules_forget(void)
{
	struct log_rule_change change;
	uint64_t missed;

	while (log_sites_take_change(&change, &missed))
		;
}
