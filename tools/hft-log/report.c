// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report: a regulator's views of trading decisions. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <common/tool.h>
#include <hft/hft.h>
#include <hft/log_verify.h>
#include "filter.h"
#include "gettime.h"
#include "hft-log.h"
#include "report.h"

/* Eastern Time as it has been since 2007, whatever zones this machine knows. */
#define EASTERN		"EST5EDT,M3.2.0,M11.1.0"

struct args {
	const char *config;
	const char *firm;
	const char *key;		/* a public key; NULL: none */
	bool verify;
	bool fields;
};

static const struct report_view *const views[] = { &report_cat, &report_rts24, &report_control };

static void usage(FILE *out)
{
	fputs("Usage: hft-log report cat|rts24|control [OPTION]... LOG...\n"
	      "Make a regulator's view of the trading decisions in logs (hft/log_trade.h).\n"
	      "\n"
	      "  cat      order events of the Consolidated Audit Trail: MENO, MEOR, MEMR, MECR, MEOM,\n"
	      "           MEOC and MEOT, one a line; times are Eastern, with nine digits\n"
	      "  rts24    what a firm knows of the fields of order records under RTS 24, table 2, and\n"
	      "           RTS 6, annex II; not a venue's report\n"
	      "  control  each reject, throttle, halt and re-arm: rule, limit, value, time, who\n"
	      "\n"
	      "A value that is missing or wrong is an error that names the event and the field: then\n"
	      "there is no output at all. So it is when the log has lost audit records.\n"
	      "\n"
	      "  -c, --config FILE     JSON: the firm's ids, accounts, venues, instruments; cat and\n"
	      "                        rts24 need it\n"
	      "  -F, --firm ID         which firm of FILE; needed where it has more than one\n"
	      "  -d, --date YYYYMMDD   events of that day only, Eastern with cat, else UTC\n"
	      "  -o, --output DIR      write files there (standard output); none is replaced\n"
	      "  -f, --format json|csv json: an object a line; csv: of cat without a header (json)\n"
	      "      --file-date YYYYMMDD\n"
	      "                        the date in the files' names (today)\n"
	      "      --number N        the number of the first file, 1 to 999999 (1)\n"
	      "      --records N       most records of a file (1000000)\n"
	      "      --all             control: also the verdicts that let an order pass\n"
	      "      --fields          print the fields, in their order, and end\n"
	      "      --verify          the logs have to be whole, as hft-log verify has it: sealed, and\n"
	      "                        not changed since\n"
	      "  -k, --key FILE        likewise, and signed with this key, of a PEM file\n"
	      "  -h, --help            this text\n"
	      "\n"
	      "Exit status: 0, 1 when the report could not be made, 2 for wrong usage.\n",
	      out);
}

/* What is lost or unreadable of a ring that blocks might have been a trading decision. */
static void notice(void *context, const struct hft_log_notice *n)
{
	struct report *r = context;
	const char *policy = n->stream ? n->stream->policy : "";

	if (n->kind == HFT_LOG_NOTICE_LOST && (!strcmp(policy, "drop") ||
					       !strcmp(policy, "overwrite")))
		return;
	if (++r->problems > REPORT_PROBLEMS)
		return;
	if (n->kind == HFT_LOG_NOTICE_LOST)
		fail(0, "%s: %" PRIu64 " records were lost", n->path, n->lost);
	else
		fail(0, "%s: at %" PRIu64 ": %s", n->path, n->offset, n->text);
}

/* A ring that may lose records is no place for evidence. */
static void check_ring(struct report *r, const struct hft_log_view *e)
{
	const char *policy = e->stream->policy;

	if (!strcmp(policy, "drop") || !strcmp(policy, "overwrite"))
		report_problem(r, e, NULL, "came by a ring that may lose records");
}

static int visit(struct report *r, char *const *paths, int nr_paths,
		 int (*each)(struct report *r, const struct hft_log_view *e))
{
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct filter filter;
	int err;

	filter_begin(&filter);
	filter.opts.subsystems = r->make->subsystems;
	filter.opts.notice = notice;
	filter.opts.context = r;
	if (filter_open(&filter, &reader, paths, nr_paths)) {
		filter_end(&filter);
		return -EIO;
	}
	while ((err = hft_log_reader_next(reader, &view)) > 0) {
		err = each(r, view);
		if (err)
			break;
	}
	if (filter_status(&filter, err) && !err)
		err = -EIO;
	hft_log_reader_close(reader);
	filter_end(&filter);
	return err;
}

static int learn(struct report *r, const struct hft_log_view *e)
{
	int err = index_add(r->index, e);

	check_ring(r, e);
	return err ? fail(-err, "report") : 0;
}

/* Orders are the last of their id at that time, so they are learned again on the way. */
static int make(struct report *r, const struct hft_log_view *e)
{
	int err = index_add(r->index, e);

	return err ? fail(-err, "report") : r->make->add(r, e);
}

static int make_all(struct report *r, char *const *paths, int nr_paths)
{
	int err;

	r->index = index_new();
	if (!r->index)
		return fail(ENOMEM, "report");
	err = visit(r, paths, nr_paths, learn);
	if (err || r->problems)
		return err;
	index_again(r->index);
	err = visit(r, paths, nr_paths, make);
	if (err || r->problems)
		return err;
	return file_finish(r);
}

static void found(void *arg, const struct hft_log_finding *finding)
{
	struct report *r = arg;

	if (finding->verdict == HFT_LOG_WHOLE || ++r->problems > REPORT_PROBLEMS)
		return;
	fail(0, "chunk %" PRIu64 "%s%s: %s", finding->chunk, *finding->file ? ", " : "",
	     finding->file, finding->text);
}

static int verify(struct report *r, const struct args *args, char *const *paths, int nr_paths)
{
	HFT_OPTS(hft_log_verify_opts, opts, .nr_keys = !!args->key, .keys = &args->key);
	int i, err;

	for (i = 0; i < nr_paths; i++) {
		struct hft_log_verify_result result = { .sz = sizeof(result) };

		err = hft_log_verify(paths[i], &opts, found, r, &result);
		if (err < 0)
			return fail_hft(err, paths[i]);
	}
	return 0;
}

static int check_needs(const struct report *r, const char *path)
{
	char needs[128], *rest = needs, *key;

	snprintf(needs, sizeof(needs), "%s", r->make->needs);
	while ((key = strsep(&rest, " "))) {
		if (!firm_text(r, NULL, NULL, key))
			return fail(0, "%s: firms.%s.%s is missing: report %s needs it", path,
				    r->firm_id, key, r->make->name);
	}
	return 0;
}

static int report(struct report *r, const struct args *args, char *const *paths, int nr_paths)
{
	int err = 0;

	if (args->config)
		err = firm_load(r, args->config, args->firm);
	if (!err && r->make->needs)
		err = check_needs(r, args->config);
	if (!err && args->verify)
		err = verify(r, args, paths, nr_paths);
	if (!err && !r->problems)
		err = file_open(r);
	if (!err && !r->problems)
		err = make_all(r, paths, nr_paths);
	if (r->problems)
		err = fail(0, "report %s: no output; errors: %" PRIu64 "%s", r->make->name,
			   r->problems, r->problems > REPORT_PROBLEMS ? ", not all of them printed" : "");
	else if (!err && r->output)
		fprintf(stderr, "hft-log: report %s: %" PRIu64 " records\n", r->make->name,
			r->records);
	file_drop(r);
	index_free(r->index);
	json_decref(r->config);
	return err ? 1 : 0;
}

static bool parse_date(const char *text, uint32_t *date)
{
	if (check_date(text))
		return false;
	*date = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

static const struct report_view *find_view(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (!strcmp(views[i]->name, name))
			return views[i];
	}
	return NULL;
}

enum { OPT_FILE_DATE = 256, OPT_NUMBER, OPT_RECORDS, OPT_ALL, OPT_FIELDS, OPT_VERIFY };

/* Returns 0, or the status to exit with. */
static int parse_option(int c, struct report *r, struct args *args)
{
	uint64_t number;

	switch (c) {
	case 'c':
		args->config = optarg;
		return 0;
	case 'F':
		args->firm = optarg;
		return 0;
	case 'k':
		args->key = optarg;
		args->verify = true;
		return 0;
	case OPT_VERIFY:
		args->verify = true;
		return 0;
	case 'o':
		r->output = optarg;
		return 0;
	case 'd':
		return parse_date(optarg, &r->date) ? 0 : wrong_usage("--date takes YYYYMMDD");
	case OPT_FILE_DATE:
		return parse_date(optarg, &r->file_date) ? 0 :
		       wrong_usage("--file-date takes YYYYMMDD");
	case 'f':
		r->csv = !strcmp(optarg, "csv");
		return r->csv || !strcmp(optarg, "json") ? 0 :
		       wrong_usage("--format is json or csv");
	case OPT_NUMBER:
		if (!parse_number(optarg, 10, 1, 999999, &number))
			return wrong_usage("--number takes a number from 1 to 999999");
		r->file_number = (uint32_t)number;
		return 0;
	case OPT_RECORDS:
		return parse_number(optarg, 10, 1, UINT64_MAX, &r->per_file) ? 0 :
		       wrong_usage("--records takes a number above 0");
	case OPT_ALL:
		r->all = true;
		return 0;
	default:
		args->fields = true;
		return 0;
	}
}

static int check_args(const struct report *r, const struct args *args, int operands)
{
	if (r->all && r->make != &report_control)
		return wrong_usage("--all is for control");
	if (!args->config && args->firm)
		return wrong_usage("--firm needs --config");
	if (!args->config && r->make->needs)
		return wrong_usage("report %s needs --config", r->make->name);
	if (operands < 1)
		return wrong_usage("which log?");
	return 0;
}

static void set_now(struct report *r)
{
	setenv("TZ", EASTERN, 1);
	tzset();
	r->now = hft_gettime(CLOCK_REALTIME);
	if (!r->file_date)
		r->file_date = r->make == &report_cat ? eastern_date(r->now) : utc_date(r->now);
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "firm", required_argument, NULL, 'F' },
		{ "date", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "format", required_argument, NULL, 'f' },
		{ "file-date", required_argument, NULL, OPT_FILE_DATE },
		{ "number", required_argument, NULL, OPT_NUMBER },
		{ "records", required_argument, NULL, OPT_RECORDS },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "fields", no_argument, NULL, OPT_FIELDS },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "key", required_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct report r = { .file_number = 1, .per_file = 1000000 };
	struct args args = { 0 };
	int c, ret;

	tool_help = "hft-log report --help";
	while ((c = getopt_long(argc, argv, "c:F:d:o:f:k:h", options, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
		ret = parse_option(c, &r, &args);
		if (ret)
			return ret;
	}
	if (optind == argc)
		return wrong_usage("which report: cat, rts24 or control?");
	r.make = find_view(argv[optind++]);
	if (!r.make)
		return wrong_usage("there is no report %s", argv[optind - 1]);
	if (args.fields)
		return r.make->fields();
	ret = check_args(&r, &args, argc - optind);
	if (ret)
		return ret;
	set_now(&r);
	return report(&r, &args, &argv[optind], argc - optind);
}
