// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl log: the rings of a process's log, and which of its calls are wanted. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>

#include <common/left.h>
#include <log/site.h>
#include <log/store.h>

#include "hftctl.h"

/* SUBSYSTEM=LEVEL or FILE:LINE=LEVEL, split. */
struct rule {
	char *pattern;
	int level;
};

struct log_args {
	struct rule rules[LOG_RULES];
	unsigned int nr_rules;
	bool reset;
	bool list;
	bool json;
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl log [OPTION]... DIR\n"
	      "Look at the log of a process, whose folder is DIR, and say which of its calls are\n"
	      "wanted. The process follows within some milliseconds, and until it opens the log\n"
	      "again; without any rule, all up to info are. Those for audit rings always are.\n"
	      "\n"
	      "  -l, --level PATTERN=LEVEL  calls of a subsystem, with * and ? as in file names, or\n"
	      "                             of a place, FILE:LINE, up to error, warn, notice, info,\n"
	      "                             debug or trace, or off: none; may be given many times,\n"
	      "                             the last that fits is the one; default: the rule for\n"
	      "                             this very PATTERN is taken away\n"
	      "  -r, --reset                take all rules away, before those of --level are set\n"
	      "  -L, --list                 the places that log, instead of the rings\n"
	      "  -j, --json                 print JSON instead of a table\n"
	      "  -h, --help                 this text\n"
	      "\n"
	      "A log has 64 rules at most. One that matches no place of the process is told of on\n"
	      "standard error, and kept: what it loads later may have one.\n"
	      "\n"
	      "Of each ring: its number, the thread's id and name, what a full one does, its room\n"
	      "and what of it is not in files (bytes), the records that were logged, those of them\n"
	      "that were lost, and the calls that waited too long. A disk that does not take what\n"
	      "is written, or is slow, is told of on standard error.\n"
	      "\n"
	      "Of a process that was killed its rings are shown, and what to do.\n"
	      "\n"
	      "Exit status: 0, 1 when there is no such log, it is closed or its process is dead, 2 for\n"
	      "wrong usage.\n",
	      out);
}

static int parse_level(const char *name, int *level)
{
	if (!strcmp(name, "off"))
		*level = HFT_LOG_OFF;
	else if (!strcmp(name, "default"))
		*level = HFT_LOG_UNSET;
	else
		*level = hft_log_level_parse(name);
	return *level == -EINVAL ? wrong_usage("there is no level %s", name) : 0;
}

static int add_rule(struct log_args *args, char *text)
{
	char *equals = strrchr(text, '=');
	struct rule *rule = &args->rules[args->nr_rules];

	if (!equals || equals == text)
		return wrong_usage("--level takes PATTERN=LEVEL");
	if (args->nr_rules == LOG_RULES)
		return wrong_usage("--level may be given %d times", LOG_RULES);
	*equals = '\0';
	rule->pattern = text;
	args->nr_rules++;
	return parse_level(equals + 1, &rule->level);
}

static int add_ring(void *arg, const struct hft_log_ring_info *ring)
{
	json_t *row = json_pack("{s:s,s:s,s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:I}",
				"thread", ring->thread,
				"policy", log_policy_name(ring->lane, ring->policy),
				"ring", (json_int_t)ring->stream, "tid", (json_int_t)ring->tid,
				"cpu", ring->cpu, "bytes", (json_int_t)ring->bytes,
				"used", (json_int_t)ring->used_bytes,
				"records", (json_int_t)ring->records,
				"lost", (json_int_t)ring->lost,
				"timeouts", (json_int_t)ring->timeouts);

	return row && !json_array_append_new(arg, row) ? 0 : -ENOMEM;
}

static int add_site(void *arg, const struct hft_log_site_info *site)
{
	json_t *row, *place;

	place = json_sprintf("%s:%u", site->file, site->line);
	row = json_pack("{s:s,s:s,s:s,s:i,s:o,s:s}", "subsystem", site->subsystem,
			"level", hft_log_level_name((int)site->level),
			"wanted", site->lane == HFT_LOG_AUDIT ? "always" :
				  site->enabled ? "yes" : "no", "id", (int)site->id,
			"place", place,
			"event", site->name && *site->name ? site->name :
				 site->format ? site->format : "");
	return row && !json_array_append_new(arg, row) ? 0 : -ENOMEM;
}

static int print_log(const char *dir, const struct log_args *args)
{
	json_t *rows = json_array();
	int err;

	if (!rows)
		return -fail(ENOMEM, "%s", dir);
	err = args->list ? hft_log_sites(dir, add_site, rows) : hft_log_rings(dir, add_ring, rows);
	if (err)
		fail_hft(err, dir);
	else
		err = print(rows, args->json);
	json_decref(rows);
	return err ? 1 : 0;
}

static int set_level(const char *dir, const struct rule *rule)
{
	int err = hft_log_control(dir, rule->pattern, rule->level);

	if (err == -E2BIG)
		fail(0, "%s: there are %d rules, which is the most, and no room for %s: --level "
		     "PATTERN=default takes one away, --reset all", dir, LOG_RULES, rule->pattern);
	else if (err)
		fail_hft(err, dir);
	return err;
}

static int find_place(void *pattern, const struct hft_log_site_info *site)
{
	return log_rule_fits(pattern, site->subsystem, site->file, site->line);
}

/* The rule is set: that its places can not be read takes nothing of that back. */
static void check_match(const char *dir, const struct rule *rule)
{
	int found = hft_log_sites(dir, find_place, rule->pattern);

	if (found < 0) {
		fail_hft(found, dir);
		fail(0, "%s: the rule for %s is set; whether a place matches it is not known",
		     dir, rule->pattern);
	} else if (!found) {
		fail(0, "%s: nothing matches %s yet; it is kept for places that are loaded later",
		     dir, rule->pattern);
	}
}

static int set_levels(const char *dir, const struct log_args *args)
{
	const struct rule all = { .level = HFT_LOG_UNSET };
	int err = args->reset ? set_level(dir, &all) : 0;
	unsigned int i;

	for (i = 0; i < args->nr_rules && !err; i++) {
		err = set_level(dir, &args->rules[i]);
		if (!err && args->rules[i].level != HFT_LOG_UNSET)
			check_match(dir, &args->rules[i]);
	}
	return err ? 1 : 0;
}

/* On standard error, as what is on the other is a table, or JSON. */
static void tell_trouble(const char *dir, const struct hft_log_trouble *trouble)
{
	char since[32];
	time_t time = (time_t)(trouble->since / 1000000000u);
	struct tm tm;

	if (!trouble->times)
		return;
	strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
	if (trouble->err)
		fail(0, "%s: the disk is in trouble since %s: %s; %llu errors, %llu bytes wait",
		     dir, since, trouble->text, (unsigned long long)trouble->errors,
		     (unsigned long long)trouble->waiting_bytes);
	else
		fail(0, "%s: the disk was in trouble %llu times, the last began at %s: %s; "
		     "%llu errors", dir, (unsigned long long)trouble->times, since, trouble->text,
		     (unsigned long long)trouble->errors);
}

/* A log that nobody has open hears of no level. */
static int check_open(const char *dir)
{
	HFT_OPTS(hft_log_info, info);
	int err = hft_log_look(dir, &info);

	if (err) {
		fail_hft(err, dir);
		return 1;
	}
	tell_trouble(dir, &info.trouble);
	if (info.state == HFT_LOG_LIVES)
		return 0;
	if (info.state == HFT_LOG_GONE)
		fail(0, "%s: the machine was switched off while process %u had the log", dir,
		     info.pid);
	else if (!tell_left(dir))
		fail(0, "%s: the log is closed", dir);
	return 1;
}

/* Of a process that is dead its rings are shown, if they are there. */
static int look(const char *dir, const struct log_args *args, int ret)
{
	if (ret && !has_left(dir))
		return ret;
	return print_log(dir, args) ? 1 : ret;
}

static int run(const char *dir, const struct log_args *args)
{
	int ret = check_open(dir);

	if (!ret)
		ret = set_levels(dir, args);
	return args->list || !(args->nr_rules || args->reset) ? look(dir, args, ret) : ret;
}

int log_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "level", required_argument, NULL, 'l' },
		{ "reset", no_argument, NULL, 'r' },
		{ "list", no_argument, NULL, 'L' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct log_args args = {};
	int c, ret = 0;

	tool_help = "hftctl log --help";
	while (!ret && (c = getopt_long(argc, argv, "l:rLjh", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			ret = add_rule(&args, optarg);
			break;
		case 'r':
			args.reset = true;
			break;
		case 'L':
			args.list = true;
			break;
		case 'j':
			args.json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (ret)
		return ret;
	/* The name of the command may be behind options. */
	if (optind < argc && !strcmp(argv[optind], "log"))
		optind++;
	if (optind + 1 != argc)
		return wrong_usage("log needs the folder of one log");
	return run(argv[optind], &args);
}
