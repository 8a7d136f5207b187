/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places of the process that log, and which of them are enabled. */
#ifndef HFT_LOG_SITE_INTERNAL_H
#define HFT_LOG_SITE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

#define LOG_RULES	64
#define LOG_RULES_ROOM	(2 * LOG_RULES)		/* with those that were taken away */
#define LOG_PATTERN	108
#define LOG_CHANGES	(2 * LOG_RULES)

/*
 * The last rule whose pattern fits a site is its, if its level is not %HFT_LOG_UNSET; @pid and @uid
 * are of who has set it.
 */
struct log_rule {
	char pattern[LOG_PATTERN];
	int32_t level;
	uint32_t pid;
	uint32_t uid;
};

/**
 * struct log_rule_change - a rule that is followed since then, or no more
 * @rule: it; %HFT_LOG_UNSET: no more
 * @at: CLOCK_REALTIME, ns
 */
struct log_rule_change {
	struct log_rule rule;
	uint64_t at;
};

/*
 * @pattern: a subsystem, as of fnmatch(3), or FILE:LINE, of which the file may be without
 * the folders that it is in.
 */
bool log_rule_fits(const char *pattern, const char *subsystem, const char *file, uint32_t line);

/* Up to which level is it wanted? */
int log_rules_level(const struct log_rule *rules, unsigned int nr, const char *subsystem,
		    const char *file, uint32_t line);

/* Of a place, where all up to a level is: an audit ring has no levels. */
bool log_site_is_wanted(uint8_t lane, uint8_t level, int upto);

/* The oldest change that was not taken; @missed: before it.  Returns false: there is none. */
bool log_sites_take_change(struct log_rule_change *change, uint64_t *missed);

/* Instead of the rules that there are; -E2BIG: too many. */
void log_sites_set_rules(const struct log_rule *rules, unsigned int nr);

/*
 * Call @fn for each site from the @from-th on, those of objects that are gone, too.  Returns
 * how many there are, or what @fn has returned if it was negative.
 */
int log_sites_visit(unsigned int from, int (*fn)(void *arg, const struct hft_log_store_site *site),
		    void *arg);

/* How many; without a lock, and what is before them can be seen. */
unsigned int log_sites_count(void);

/* Keep the sites in a file of that folder, those that come, too; and no longer. */
int log_sites_open_journal(int dir_fd);
void log_sites_close_journal(int dir_fd);
void log_sites_forget_journal(void);

/* drainer.c: there are more of them, or others */
void log_sites_changed(void);

/* Around a fork: a child finds the sites whole. */
void log_sites_lock(void);
void log_sites_unlock(void);

#endif /* HFT_LOG_SITE_INTERNAL_H */
