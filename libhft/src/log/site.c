// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sites: those of an object come when it is loaded, by a constructor that hft/log_call.h
 * has in each of its files, and those of C++ when they are reached.  What is told of a site
 * is copied: records of it are read when its object may be gone.  A site that comes again,
 * with its object, has the number that it had.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/log.h>

#include "../api.h"
#include "../gettime.h"
#include "../options.h"
#include "fields.h"
#include "journal.h"
#include "site.h"

/**
 * struct known - a site
 * @site: it; NULL: its object is gone
 * @object: that it is in
 * @info: a copy of what there is to tell
 */
struct known {
	struct hft_log_site *site;
	void *object;
	struct hft_log_store_site info;
};

/* Under the lock, but for the count. */
static pthread_mutex_t sites_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *sites;
static unsigned int sites_room;
static atomic_uint sites_count;
static struct log_rule rules[LOG_RULES_ROOM];
static unsigned int nr_rules;
static struct log_rule_change changes[LOG_CHANGES];
static unsigned int nr_changes;
static uint64_t changes_missed;
static int journal_fd = -1;

void log_sites_lock(void)
{
	pthread_mutex_lock(&sites_lock);
}

void log_sites_unlock(void)
{
	pthread_mutex_unlock(&sites_lock);
}

int log_sites_open_journal(int dir_fd)
{
	unsigned int i;
	int err = 0;

	log_sites_lock();
	journal_fd = openat(dir_fd, LOG_JOURNAL,
			    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (journal_fd < 0)
		err = hft_fail(errno, "make a file for sites");
	for (i = 0; i < sites_count && !err; i++)
		err = log_journal_add(journal_fd, &sites[i].info);
	log_sites_unlock();
	return err;
}

/* In a child of the process, too, which has the lock then. */
void log_sites_forget_journal(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

void log_sites_close_journal(int dir_fd)
{
	log_sites_lock();
	log_sites_forget_journal();
	unlinkat(dir_fd, LOG_JOURNAL, 0);
	log_sites_unlock();
}

static bool is_file(const char *file, const char *name, size_t length)
{
	size_t all = strlen(file);

	if (all < length || memcmp(file + all - length, name, length))
		return false;
	return all == length || file[all - length - 1] == '/';
}

bool log_rule_fits(const char *pattern, const char *subsystem, const char *file, uint32_t line)
{
	const char *colon = strrchr(pattern, ':');
	unsigned long wanted;
	char *end;

	if (colon && colon[1] >= '0' && colon[1] <= '9') {
		wanted = strtoul(colon + 1, &end, 10);
		if (!*end)
			return wanted == line && is_file(file, pattern, (size_t)(colon - pattern));
	}
	return !fnmatch(pattern, subsystem, 0);
}

int log_rules_level(const struct log_rule *its, unsigned int nr, const char *subsystem,
		    const char *file, uint32_t line)
{
	int level = HFT_LOG_INFO;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (its[i].level != HFT_LOG_UNSET &&
		    log_rule_fits(its[i].pattern, subsystem, file, line))
			level = its[i].level;
	}
	return level;
}

bool log_site_is_wanted(uint8_t lane, uint8_t level, int upto)
{
	return lane == HFT_LOG_AUDIT || level <= upto;
}

static void apply_rules(struct hft_log_site *site)
{
	int level = log_rules_level(rules, nr_rules, site->subsystem, site->file, site->line);

	__atomic_store_n(&site->enabled, log_site_is_wanted(site->lane, site->level, level),
			 __ATOMIC_RELAXED);
}

static void note(const struct log_rule *rule)
{
	if (nr_changes == LOG_CHANGES) {
		changes_missed++;
		return;
	}
	changes[nr_changes++] = (struct log_rule_change){
		.rule = *rule, .at = hft_gettime(CLOCK_REALTIME),
	};
}

static bool is_same_rule(const struct log_rule *a, const struct log_rule *b)
{
	return !strcmp(a->pattern, b->pattern) && a->level == b->level && a->pid == b->pid &&
	       a->uid == b->uid;
}

static bool has_pattern(const struct log_rule *its, unsigned int nr, const char *pattern)
{
	while (nr && strcmp(its[nr - 1].pattern, pattern))
		nr--;
	return nr;
}

/* Who did that is not known. */
static void note_gone(const struct log_rule *rule)
{
	struct log_rule unset = *rule;

	unset.level = HFT_LOG_UNSET;
	unset.pid = 0;
	unset.uid = 0;
	note(&unset);
}

/* Their order counts: one that is set again is behind those that there are. */
static void note_changes(const struct log_rule *new_rules, unsigned int nr)
{
	unsigned int i, next, from = 0;

	for (i = 0; i < nr; i++) {
		next = from;
		while (next < nr_rules && !is_same_rule(&rules[next], &new_rules[i]))
			next++;
		if (next < nr_rules)
			from = next + 1;
		else
			note(&new_rules[i]);
	}
	for (i = 0; i < nr_rules; i++) {
		if (rules[i].level != HFT_LOG_UNSET &&
		    !has_pattern(new_rules, nr, rules[i].pattern))
			note_gone(&rules[i]);
	}
}

bool log_sites_take_change(struct log_rule_change *change, uint64_t *missed)
{
	bool has;

	log_sites_lock();
	has = nr_changes;
	*missed = changes_missed;
	if (has) {
		*change = changes[0];
		memmove(changes, changes + 1, --nr_changes * sizeof(*changes));
	}
	log_sites_unlock();
	return has;
}

void log_sites_set_rules(const struct log_rule *new_rules, unsigned int nr)
{
	unsigned int i;

	log_sites_lock();
	nr = nr < LOG_RULES_ROOM ? nr : LOG_RULES_ROOM;
	note_changes(new_rules, nr);
	nr_rules = nr;
	memcpy(rules, new_rules, nr_rules * sizeof(*rules));
	for (i = 0; i < sites_count; i++) {
		if (sites[i].site)
			apply_rules(sites[i].site);
	}
	log_sites_unlock();
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool is_same_types(const struct hft_log_store_site *info, const char *types)
{
	unsigned int i;

	for (i = 0; i < info->nr_fields; i++) {
		if (types[i] != (char)info->fields[i].type)
			return false;
	}
	return !types[i];
}

/* Is this the site of an object that was gone? */
static bool is_back(const struct known *known, const struct hft_log_site *site)
{
	const struct hft_log_store_site *info = &known->info;

	return !known->site && site->types &&
	       info->line == site->line && info->level == site->level &&
	       info->lane == site->lane &&
	       is_same_text(info->file, site->file) && is_same_text(info->format, site->format) &&
	       is_same_text(info->name, site->name) &&
	       is_same_text(info->subsystem, site->subsystem) && is_same_types(info, site->types);
}

static struct known *find_gone(const struct hft_log_site *site)
{
	unsigned int i;

	for (i = 0; i < sites_count; i++) {
		if (is_back(&sites[i], site))
			return &sites[i];
	}
	return NULL;
}

static char *copy_text(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

static void forget_info(struct hft_log_store_site *info)
{
	free((void *)info->name);
	free((void *)info->subsystem);
	free((void *)info->format);
	free((void *)info->file);
	log_fields_free((struct hft_log_store_field *)info->fields, info->nr_fields);
}

static int copy_info(struct hft_log_store_site *info, const struct hft_log_site *site)
{
	struct hft_log_store_field *fields;
	bool failed = false;
	int nr, err;

	if (!site->types)
		return -EINVAL;
	nr = log_fields_make(&fields, site->format, site->fields, site->types);
	if (nr < 0)
		return nr;
	*info = (struct hft_log_store_site){
		.level = site->level,
		.lane = site->lane,
		.line = site->line,
		.nr_fields = (uint32_t)nr,
		.name = copy_text(site->name, &failed),
		.subsystem = copy_text(site->subsystem, &failed),
		.format = copy_text(site->format, &failed),
		.file = copy_text(site->file, &failed),
		.fields = fields,
	};
	err = failed ? -ENOMEM : hft_store_site_check(info);
	if (err)
		forget_info(info);
	return err;
}

static struct known *find_place(void)
{
	struct known *more;
	unsigned int room;

	if (sites_count == UINT16_MAX - HFT_LOG_SITE_FIRST + 1)
		return NULL;
	if (sites_count < sites_room)
		return &sites[sites_count];
	room = sites_room ? 2 * sites_room : 64;
	more = realloc(sites, room * sizeof(*more));
	if (!more)
		return NULL;
	sites = more;
	sites_room = room;
	return &sites[sites_count];
}

/* Under the lock.  The id is seen by who sees that it is enabled, or the count. */
static int add_site(struct hft_log_site *site, void *object)
{
	struct known *known = find_gone(site);
	int err;

	if (!known) {
		known = find_place();
		if (!known)
			return sites_count < sites_room ? -EOVERFLOW : -ENOMEM;
		err = copy_info(&known->info, site);
		if (err)
			return err;
		known->info.id = (uint16_t)(HFT_LOG_SITE_FIRST + sites_count);
		err = journal_fd < 0 ? 0 : log_journal_add(journal_fd, &known->info);
		if (err) {
			forget_info(&known->info);
			return err;
		}
		sites_count++;
	}
	known->site = site;
	known->object = object;
	apply_rules(site);
	__atomic_store_n(&site->id, known->info.id, __ATOMIC_RELEASE);
	return 0;
}

/**
 * hft_log_site_add() - make a site known, for calls from C++
 * @site: of the call
 * @object: that it is in: an address of its own
 *
 * Return: 0, -ENOMEM, -EINVAL: it says what no site does, -EOVERFLOW: there are too many.
 * Any thread.
 */
HFT_API int hft_log_site_add(struct hft_log_site *site, void *object)
{
	int saved = errno, err = 0;

	log_sites_lock();
	if (!site->id)
		err = add_site(site, object);
	log_sites_unlock();
	if (!err)
		log_sites_changed();
	errno = saved;
	return err;
}

/**
 * hft_log_object_add() - make the sites of an object known, for its constructors
 * @object: an address of its own
 * @begin: its sites
 * @end: of them
 *
 * A site that can not be known, as there are too many, there is no memory or it says what no
 * site does, is disabled; a call for an audit ring tries again, and answers why.
 *
 * Any thread.
 */
HFT_API void hft_log_object_add(void *object, struct hft_log_site *begin, struct hft_log_site *end)
{
	struct hft_log_site *site;

	log_sites_lock();
	for (site = begin; site < end; site++) {
		if (!site->id && add_site(site, object))
			__atomic_store_n(&site->enabled, 0, __ATOMIC_RELAXED);
	}
	log_sites_unlock();
	log_sites_changed();
}

/**
 * hft_log_object_remove() - an object is about to go, for its destructors
 * @object: as it was added
 *
 * What was logged by its calls is still read, and what they log from here on: destructors
 * that come later, which do not follow the levels any more.  Any thread.
 */
HFT_API void hft_log_object_remove(void *object)
{
	unsigned int i;

	log_sites_lock();
	for (i = 0; i < sites_count; i++) {
		if (sites[i].object != object || !sites[i].site)
			continue;
		sites[i].site = NULL;
	}
	log_sites_unlock();
}

unsigned int log_sites_count(void)
{
	return atomic_load_explicit(&sites_count, memory_order_acquire);
}

int log_sites_visit(unsigned int from, int (*fn)(void *arg, const struct hft_log_store_site *site),
		    void *arg)
{
	unsigned int i;
	int err = 0;

	log_sites_lock();
	for (i = from; i < sites_count && err >= 0; i++)
		err = fn(arg, &sites[i].info);
	if (err >= 0)
		err = (int)sites_count;
	log_sites_unlock();
	return err;
}
