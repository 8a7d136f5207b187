// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log clock: what the times of a log are worth, by the evidence in it. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "when.h"

#define NS_PER_S	1000000000ull
#define GAP_NS		(25 * NS_PER_S)	/* more between two records: it is not known */

static const struct option options[] = {
	{ "from", required_argument, NULL, FILTER_FROM },
	{ "to", required_argument, NULL, FILTER_TO },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* What times of records may differ from UTC by, and how fine they have to be */
static const struct limit {
	const char *rule;
	uint64_t divergence_ns;
	uint64_t granularity_ns;	/* 0: not said in such terms */
} limits[] = {
	{ "RTS 25, member or participant, high-frequency algorithmic trading", 100000, 1000 },
	{ "RTS 25, member or participant, other electronic trading", 1000000, 1000000 },
	{ "FINRA 4590, CAT industry member, business clocks", 50000000, 0 },
};

#define LIMITS	(sizeof(limits) / sizeof(limits[0]))

struct state {
	uint64_t time;
	uint64_t divergence_ns;
	bool sync;
};

/* Of one machine's clock, by however many programs */
struct evidence {
	struct evidence *next;
	char *host;
	uint64_t records;
	uint64_t first;
	uint64_t last;
	struct state now;
	uint64_t covered_ns;
	uint64_t sync_ns;
	uint64_t within_ns[LIMITS];
	uint64_t max_divergence_ns;
	uint64_t max_divergence_at;
	uint64_t max_line_error_ns;
	uint64_t max_width_ns;
	uint64_t max_granularity_ns;
	uint64_t missed;
	uint64_t steps;
	uint64_t excursions;
	uint64_t losses;
	int64_t tai_offset_s;
	json_t *sources;		/* sets: objects */
	json_t *points;
	json_t *ptps;
	json_t *leaps;
	json_t *warnings;
};

static void usage(void)
{
	fputs("Usage: hft-log clock [OPTION]... LOG...\n"
	      "Show what the times of a log are worth, by the clock evidence in it: what RTS 25\n"
	      "(Regulation (EU) 2017/574) and FINRA rule 4590 ask a firm to be able to show.\n"
	      "\n"
	      "  --from TIME       nothing before: 2026-11-22T03:15:01.5Z, UTC, or ns since 1970\n"
	      "  --to TIME         nothing at this time or later\n"
	      "  -j, --json        print JSON\n"
	      "  -h, --help        this text\n"
	      "\n"
	      "The divergence of a record's time from UTC is at most the sum of: what the kernel\n"
	      "says of its clock's error, or the distance to a PTP clock if that is more; what is\n"
	      "left to slew; the error of the line from stamps to times; half the width of the\n"
	      "reading.  That is true if who disciplines the kernel's clock sets its error truly,\n"
	      "and of no time at which it was not synchronised.  A time is within a limit if the\n"
	      "evidence before and behind it is, and no more than 25 s apart.\n"
	      "\n"
	      "It is evidence of machines' clocks, of each by itself.  That the source of its time is\n"
	      "traceable to UTC, and that all this is reviewed, is for the firm to show.\n"
	      "\n"
	      "Exit status: as hft-log --help tells; 1 also if there is none of a machine whose\n"
	      "records are in a LOG.\n", stdout);
}

static uint64_t number(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(view, name, &type);
	return value && type != HFT_LOG_STRING && type != HFT_LOG_SYMBOL ? value->u : 0;
}

static const char *text(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(view, name, &type);
	return value && type == HFT_LOG_STRING ? value->s : "";
}

static void note(json_t *set, const char *name)
{
	if (*name)
		json_object_set_new(set, name, json_true());
}

static void most(uint64_t *to, uint64_t value)
{
	if (value > *to)
		*to = value;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* From one record to the next, what both are */
static void pass(struct evidence *evidence, const struct state *to)
{
	const struct state *from = &evidence->now;
	uint64_t passed = to->time - from->time, divergence;
	size_t i;

	if (to->time < from->time || passed > GAP_NS)
		return;
	evidence->covered_ns += passed;
	if (!from->sync || !to->sync)
		return;
	evidence->sync_ns += passed;
	divergence = to->divergence_ns > from->divergence_ns ? to->divergence_ns :
							       from->divergence_ns;
	for (i = 0; i < LIMITS; i++) {
		if (divergence <= limits[i].divergence_ns)
			evidence->within_ns[i] += passed;
	}
}

static void take_clock(struct evidence *evidence, const struct hft_log_view *view)
{
	const struct state state = {
		.time = view->time,
		.divergence_ns = number(view, "divergence_ns"),
		.sync = number(view, "sync"),
	};
	uint64_t hz = number(view, "stamp_hz");

	if (evidence->records++)
		pass(evidence, &state);
	else
		evidence->first = view->time;
	evidence->last = view->time;
	evidence->now = state;
	if (state.divergence_ns >= evidence->max_divergence_ns)
		evidence->max_divergence_at = view->time;
	most(&evidence->max_divergence_ns, state.divergence_ns);
	most(&evidence->max_line_error_ns, magnitude((int64_t)number(view, "line_error_ns")));
	most(&evidence->max_width_ns, number(view, "width_ns"));
	most(&evidence->max_granularity_ns, hz ? (NS_PER_S + hz - 1) / hz : 0);
	most(&evidence->missed, number(view, "missed"));
	evidence->tai_offset_s = (int64_t)number(view, "tai_offset_s");
	note(evidence->sources, text(view, "source"));
	note(evidence->points, text(view, "point"));
	note(evidence->ptps, text(view, "ptp"));
	note(evidence->leaps, text(view, "leap"));
}

static void take_warning(struct evidence *evidence, const struct hft_log_view *view)
{
	const char *what = text(view, "what");
	char time[WHEN_BYTES];
	json_t *json;

	evidence->steps += !strcmp(what, "step");
	evidence->excursions += !strcmp(what, "excursion");
	evidence->losses += !strcmp(what, "unsynchronised");
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b}", "time", when(view->time, time),
			 "what", what, "divergence_ns", (json_int_t)number(view, "divergence_ns"),
			 "bound_ns", (json_int_t)number(view, "bound_ns"),
			 "step_ns", (json_int_t)number(view, "step_ns"),
			 "sync", (int)number(view, "sync"));
	json_array_append_new(evidence->warnings, json);
}

static struct evidence *evidence_add(struct evidence **list, const char *host)
{
	struct evidence *evidence = calloc(1, sizeof(*evidence));

	if (evidence)
		evidence->host = strdup(host);
	if (!evidence || !evidence->host) {
		fail(ENOMEM, "clock evidence");
		free(evidence);
		return NULL;
	}
	while (*list)
		list = &(*list)->next;
	*list = evidence;
	evidence->sources = json_object();
	evidence->points = json_object();
	evidence->ptps = json_object();
	evidence->leaps = json_object();
	evidence->warnings = json_array();
	return evidence;
}

static struct evidence *evidence_of(struct evidence **list, const struct hft_log_view *view)
{
	const char *host = view->stream->log->host;
	struct evidence *evidence;

	for (evidence = *list; evidence; evidence = evidence->next) {
		if (!strcmp(evidence->host, host))
			return evidence;
	}
	return evidence_add(list, host);
}

static void evidence_free(struct evidence *evidence)
{
	struct evidence *next;

	for (; evidence; evidence = next) {
		next = evidence->next;
		json_decref(evidence->sources);
		json_decref(evidence->points);
		json_decref(evidence->ptps);
		json_decref(evidence->leaps);
		json_decref(evidence->warnings);
		free(evidence->host);
		free(evidence);
	}
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* Of what is known, and nothing of nothing */
static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

static void print_set(const char *name, json_t *set)
{
	const char *key;
	json_t *value;

	printf("%-24s", name);
	if (!json_object_size(set))
		printf("-");
	json_object_foreach(set, key, value) {
		print_clean(stdout, key);
		if (json_object_iter_next(set, json_object_key_to_iter(key)))
			fputs(", ", stdout);
	}
	putchar('\n');
}

static void print_warnings(const struct evidence *evidence)
{
	json_t *json;
	size_t i;

	json_array_foreach(evidence->warnings, i, json) {
		printf("  %s  ", json_string_value(json_object_get(json, "time")));
		print_clean(stdout, json_string_value(json_object_get(json, "what")));
		printf(", divergence %" JSON_INTEGER_FORMAT " ns",
		       json_integer_value(json_object_get(json, "divergence_ns")));
		if (json_integer_value(json_object_get(json, "step_ns")))
			printf(", step %" JSON_INTEGER_FORMAT " ns",
			       json_integer_value(json_object_get(json, "step_ns")));
		putchar('\n');
	}
}

static void print_text(const struct evidence *evidence)
{
	char from[WHEN_BYTES], to[WHEN_BYTES], at[WHEN_BYTES];
	size_t i;

	printf("%-24s", "host");
	print_clean(stdout, *evidence->host ? evidence->host : "-");
	if (!evidence->records) {
		printf("\n%-24snone\n", "evidence");
		print_warnings(evidence);
		return;
	}
	printf("\n%-24s%s to %s, %" PRIu64 " records\n", "evidence", when(evidence->first, from),
	       when(evidence->last, to), evidence->records);
	print_set("clocksource", evidence->sources);
	print_set("stamps are taken", evidence->points);
	print_set("PTP clock", evidence->ptps);
	print_set("leap second", evidence->leaps);
	printf("%-24s%" PRId64 " s\n", "TAI - UTC (kernel)", evidence->tai_offset_s);
	printf("%-24s%.3f s, of that synchronised %.3f s (%.4f %%)\n", "covered",
	       seconds(evidence->covered_ns), seconds(evidence->sync_ns),
	       100 * share(evidence->sync_ns, evidence->covered_ns));
	printf("%-24s%" PRIu64 " ns, at %s\n", "maximum divergence", evidence->max_divergence_ns,
	       when(evidence->max_divergence_at, at));
	printf("%-24s%" PRIu64 " ns; reading the clocks took %" PRIu64 " ns at most\n",
	       "of that the log's line", evidence->max_line_error_ns, evidence->max_width_ns);
	printf("%-24s%" PRIu64 " ns\n", "granularity", evidence->max_granularity_ns);
	printf("%-24s%" PRIu64 " excursions, %" PRIu64 " steps, %" PRIu64
	       " losses of synchronisation, %" PRIu64 " records missed\n", "warnings",
	       evidence->excursions, evidence->steps, evidence->losses, evidence->missed);
	print_warnings(evidence);
	for (i = 0; i < LIMITS; i++)
		printf("within %9" PRIu64 " ns     %8.4f %% of the time covered: %s\n",
		       limits[i].divergence_ns,
		       100 * share(evidence->within_ns[i], evidence->covered_ns), limits[i].rule);
}

static json_t *list_of(json_t *set)
{
	json_t *list = json_array(), *value;
	const char *key;

	json_object_foreach(set, key, value)
		json_array_append_new(list, json_string(key));
	return list;
}

static json_t *limits_of(const struct evidence *evidence)
{
	json_t *list = json_array(), *json;
	size_t i;

	for (i = 0; i < LIMITS; i++) {
		json = json_pack("{s:s, s:I, s:f, s:f}", "rule", limits[i].rule,
				 "limit_ns", (json_int_t)limits[i].divergence_ns,
				 "within_s", seconds(evidence->within_ns[i]), "within_share",
				 share(evidence->within_ns[i], evidence->covered_ns));
		if (limits[i].granularity_ns)
			json_object_set_new(json, "granularity_is_met",
					    json_boolean(evidence->max_granularity_ns <=
							 limits[i].granularity_ns));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *json_of(const struct evidence *evidence)
{
	char from[WHEN_BYTES], to[WHEN_BYTES], at[WHEN_BYTES];
	json_t *json;

	if (!evidence->records)
		return json_pack("{s:s, s:i, s:O}", "host", evidence->host, "records", 0,
				 "warnings", evidence->warnings);
	json = json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "host", evidence->host,
			 "from", when(evidence->first, from), "to", when(evidence->last, to),
			 "records", (json_int_t)evidence->records,
			 "covered_s", seconds(evidence->covered_ns),
			 "synchronised_s", seconds(evidence->sync_ns),
			 "max_divergence_ns", (json_int_t)evidence->max_divergence_ns,
			 "max_divergence_at", when(evidence->max_divergence_at, at),
			 "max_line_error_ns", (json_int_t)evidence->max_line_error_ns,
			 "max_reading_width_ns", (json_int_t)evidence->max_width_ns,
			 "granularity_ns", (json_int_t)evidence->max_granularity_ns,
			 "tai_offset_s", (json_int_t)evidence->tai_offset_s,
			 "excursions", (json_int_t)evidence->excursions,
			 "steps", (json_int_t)evidence->steps,
			 "synchronisation_losses", (json_int_t)evidence->losses,
			 "records_missed", (json_int_t)evidence->missed);
	json_object_set_new(json, "clocksources", list_of(evidence->sources));
	json_object_set_new(json, "points", list_of(evidence->points));
	json_object_set_new(json, "ptp_clocks", list_of(evidence->ptps));
	json_object_set_new(json, "leap_seconds", list_of(evidence->leaps));
	json_object_set_new(json, "limits", limits_of(evidence));
	json_object_set(json, "warnings", evidence->warnings);
	return json;
}

static void print_json(const struct evidence *evidence)
{
	json_t *hosts = json_array(), *json = json_pack("{s:o}", "hosts", hosts);

	for (; evidence; evidence = evidence->next)
		json_array_append_new(hosts, json_of(evidence));
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(json);
}

/* Only the library gives such ids.  In a log that was merged it may be that of another version. */
static bool is_own(const struct hft_log_view *view, const char *name)
{
	return view->site->id < HFT_LOG_SITE_FIRST && !strcmp(view->site->name, name);
}

static int read_all(struct evidence **list, struct filter *filter,
		    struct hft_log_reader *reader)
{
	const struct hft_log_view *view;
	struct evidence *evidence;
	int ret;

	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		bool is_clock = is_own(view, "clock");

		if (!is_clock && !is_own(view, "clock_warning"))
			continue;
		evidence = evidence_of(list, view);
		if (!evidence)
			return STATUS_USAGE;
		if (is_clock)
			take_clock(evidence, view);
		else
			take_warning(evidence, view);
	}
	return filter_status(filter, ret);
}

/*
 * Whose log this is, if it has a record of the time that was asked for: of one that was merged,
 * each record may be of another host.  0, or the exit status.
 */
static int add_host(struct evidence **list, const struct filter *filter, const char *path)
{
	const struct hft_log_reader_opts opts = {
		.sz = sizeof(opts), .from = filter->opts.from, .to = filter->opts.to,
	};
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int status = 0;

	/* What can not be read of it was told when all were. */
	if (hft_log_reader_open(&reader, &path, 1, &opts))
		return 0;
	while (!status && hft_log_reader_next(reader, &view) > 0) {
		if (!evidence_of(list, view))
			status = STATUS_USAGE;
		if (!view->stream->log->merged)
			break;
	}
	hft_log_reader_close(reader);
	return status;
}

static int count_hosts(const struct evidence *evidence, bool has_records)
{
	int nr = 0;

	for (; evidence; evidence = evidence->next)
		nr += !!evidence->records == has_records;
	return nr;
}

static int show(struct filter *filter, struct hft_log_reader *reader, char *const *paths,
		int nr_paths, bool json)
{
	struct evidence *list = NULL, *evidence;
	int status = read_all(&list, filter, reader), i, err = 0;

	for (i = 0; i < nr_paths && !err; i++)
		err = add_host(&list, filter, paths[i]);
	if (err || (!status && count_hosts(list, false)))
		status = err ? err : STATUS_DAMAGED;
	if (!count_hosts(list, true) && status != STATUS_USAGE) {
		fail(0, "there is no clock evidence");
		status = STATUS_DAMAGED;
	} else if (json && status != STATUS_USAGE) {
		print_json(list);
	} else if (status != STATUS_USAGE) {
		for (evidence = list; evidence; evidence = evidence->next) {
			print_text(evidence);
			if (evidence->next)
				putchar('\n');
		}
	}
	evidence_free(list);
	return status;
}

/* 0, or the exit status; -1: help was asked for */
static int parse(int argc, char **argv, struct filter *filter, bool *json)
{
	int option, ret;

	while ((option = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return -1;
		}
		*json |= option == 'j';
		ret = option == 'j' ? 0 : filter_option(filter, option, optarg);
		if (ret)
			return ret;
	}
	return 0;
}

int cmd_clock(int argc, char **argv)
{
	struct hft_log_reader *reader;
	struct filter filter;
	bool json = false;
	int status;

	tool_help = "hft-log clock --help";
	filter_begin(&filter);
	status = parse(argc, argv, &filter, &json);
	filter.opts.subsystems = "hft";
	if (!status)
		status = filter_open(&filter, &reader, argv + optind, argc - optind);
	if (!status) {
		status = show(&filter, reader, argv + optind, argc - optind, json);
		hft_log_reader_close(reader);
	}
	filter_end(&filter);
	return status < 0 ? STATUS_OK : status;
}
