// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl stats, hftctl top: counters and histograms, once or again and again. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <hft/hft.h>

#include "counters.h"
#include "hftctl.h"
#include "latency.h"

#define INTERVAL_S	1.0
#define RINGS		64
#define CLEAR		"\033[H\033[J"

struct look {
	bool top;
	bool json;
	pid_t pid;
	const char *hdr;
	double interval_s;		/* 0: none said */
	uint64_t batch;			/* 0: none said */
	int measure;			/* -1: as it is; else on or off */
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl stats [OPTION]...\n"
	      "       hftctl top [OPTION]...\n"
	      "Counters of the hft module and of what uses it, and histograms of what their tasks\n"
	      "took: stats since it was begun to count, top from one look to the next.\n"
	      "\n"
	      "  -p, --pid PID       of the contexts of a process, by ring and class; needs the right\n"
	      "                      to ptrace it. Else of all contexts, by CPU, of those too that\n"
	      "                      are gone; histograms then need CAP_PERFMON\n"
	      "  -m, --measure on|off\n"
	      "                      stats: first have all rings of the process measured from here\n"
	      "                      on, or not any more; needs --pid\n"
	      "  -j, --json          print JSON instead of text\n"
	      "      --hdr FILE      stats: also write the histograms to FILE, in the log format of\n"
	      "                      HdrHistogram, each under a tag\n"
	      "  -i, --interval S    top: seconds from one look to the next (1)\n"
	      "  -b, --batch N       top: end after N times, and do not clear the screen\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "A row is of a kind: dispatch (error, from when a task was to be handed to its\n"
	      "worker until it was), wake (from then, or its release, until it began), run,\n"
	      "response (from its release until it ended), lateness (of those that ended after\n"
	      "their deadline). The last four are of rings with reports. Times are in ns;\n"
	      "jitter_ns is the standard deviation, behind_p999 how many values are not below the\n"
	      "p99.9, per_s how many there were in a second, miss_ppm the part that has missed its\n"
	      "deadline, busy_ppm that of the time in which tasks have run, parts per million.\n"
	      "\n"
	      "Where rings have HFT_RING_METRICS, stats also prints what counters of their CPUs have\n"
	      "counted for so many runs, of all by CPU (with CAP_PERFMON), or by ring and class (a\n"
	      "dash: all of the ring). A counter that was not read for all of them is absent; unread\n"
	      "is for how many runs none was.\n"
	      "\n"
	      "Exit status: 0, 1 when the command failed, 2 for wrong usage.\n",
	      out);
}

static int add_context(int fd, int number, void *arg)
{
	return latency_add_context(fd, number, arg);
}

/* An older module knows no histograms. */
static int read_latency(const struct look *look, struct latency *latency)
{
	int err = look->pid ? process_visit_contexts(look->pid, add_context, latency) :
			      latency_add_all(latency);

	if (err == -ENOTTY)
		return 0;
	if (err && !look->pid)
		fail(-err, "histograms of all processes%s",
		     err == -EPERM ? " need CAP_PERFMON" : "");
	return err;
}

static int add_counters(int fd, int number, void *arg)
{
	return counters_add_context(fd, number, arg);
}

/* Who may not see what all have counted has the rest all the same. */
static int read_counters(const struct look *look, json_t *rows)
{
	int err;

	if (look->pid)
		return process_visit_contexts(look->pid, add_counters, rows);
	err = counters_add_all(rows);
	return err == -EPERM || err == -EACCES ? 0 : err ? fail(-err, "counters of the CPUs") : 0;
}

static int measure_context(int fd, int number, void *arg)
{
	struct hft_meter_set set = { .flags = *(int *)arg ? HFT_METER_HIST : 0 };

	(void)number;
	for (set.ring = 0; set.ring < RINGS; set.ring++) {
		/* No such ring, or the monitor ring. */
		if (ioctl(fd, HFT_IOC_METER, &set) && errno != ENOENT && errno != EINVAL)
			return -errno;
	}
	return 0;
}

static json_t *counters_of(const json_t *pmu, int fd)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(pmu, i, row)
		if (json_integer_value(json_object_get(row, "fd")) == fd)
			json_array_append(rows, row);
	return rows;
}

static void add_to_contexts(json_t *contexts, const struct latency *latency, const json_t *pmu)
{
	json_t *context;
	size_t i;

	json_array_foreach(contexts, i, context) {
		int fd = (int)json_integer_value(json_object_get(context, "fd"));

		json_object_set_new(context, "histograms", latency_json(latency, fd));
		json_object_set_new(context, "pmu", counters_of(pmu, fd));
	}
}

static int write_hdr(const char *path, const struct latency *latency)
{
	FILE *f = fopen(path, "we");
	int err, failed;

	if (!f)
		return fail(errno, "%s", path);
	err = latency_hdr(f, latency);
	failed = ferror(f);
	if (fclose(f) || failed)
		return fail(errno ? errno : EIO, "%s", path);
	return err ? fail(-err, "%s", path) : 0;
}

/* A table by itself, if there is something in it. */
static int print_rows(json_t *rows)
{
	if (!json_array_size(rows))
		return 0;
	putchar('\n');
	return print(rows, false);
}

static int print_stats(const struct look *look, json_t *counters, const struct latency *latency,
		       json_t *pmu)
{
	json_t *rows = latency_json(latency, -1);
	int ret;

	if (look->json && look->pid) {
		add_to_contexts(counters, latency, pmu);
	} else if (look->json) {
		json_object_set(counters, "histograms", rows);
		json_object_set(counters, "pmu", pmu);
	}
	ret = print(counters, look->json);
	if (!look->json)
		ret = ret ?: print_rows(rows) ?: print_rows(pmu);
	json_decref(rows);
	return ret;
}

static int stats_once(const struct look *look)
{
	struct latency latency = { 0 };
	int err, measure = look->measure;
	json_t *counters, *pmu;

	if (measure >= 0 && process_visit_contexts(look->pid, measure_context, &measure))
		return 1;
	err = look->pid ? stats_read_process(look->pid, &counters) :
			  stats_read_module(&counters);
	if (err)
		return 1;
	/* Who may not see the histograms of all has the counters all the same. */
	err = read_latency(look, &latency);
	if (err && (look->pid || look->hdr)) {
		json_decref(counters);
		latency_free(&latency);
		return 1;
	}
	pmu = json_array();
	err = read_counters(look, pmu) ? 1 : print_stats(look, counters, &latency, pmu);
	json_decref(pmu);
	if (!err && look->hdr)
		err = write_hdr(look->hdr, &latency) ? 1 : 0;
	json_decref(counters);
	latency_free(&latency);
	return err;
}

static void pause_s(double seconds)
{
	struct timespec ts = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static int print_top(const struct look *look, const struct latency *latency)
{
	json_t *rows = latency_json(latency, -1);
	char text[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int ret;

	if (!look->json) {
		strftime(text, sizeof(text), "%F %T", localtime_r(&now, &tm));
		printf("%s%s, %zu histograms\n", !look->batch && isatty(1) ? CLEAR : "", text,
		       latency->nr);
	}
	ret = print(rows, look->json);
	json_decref(rows);
	return ret;
}

static int top_next(const struct look *look, struct latency *before)
{
	struct latency now = { 0 }, since = { 0 };
	int err = read_latency(look, &now);

	if (!err)
		err = latency_since(&now, before, &since);
	if (!err)
		err = print_top(look, &since);
	latency_free(&since);
	latency_free(before);
	*before = now;
	return err;
}

static int top(const struct look *look)
{
	double interval = look->interval_s > 0 ? look->interval_s : INTERVAL_S;
	struct latency before = { 0 };
	int err = read_latency(look, &before);
	uint64_t n;

	for (n = 0; !err && (!look->batch || n < look->batch); n++) {
		pause_s(interval);
		err = top_next(look, &before);
	}
	latency_free(&before);
	return err ? 1 : 0;
}

static int check(const struct look *look)
{
	if (look->top && (look->hdr || look->measure >= 0))
		return wrong_usage("--hdr and --measure are for stats");
	if (!look->top && (look->interval_s > 0 || look->batch))
		return wrong_usage("--interval and --batch are for top");
	if (look->measure >= 0 && !look->pid)
		return wrong_usage("--measure needs --pid");
	return 0;
}

/* Returns 0, or the status to exit with. */
static int parse_option(int c, const char *text, struct look *look)
{
	uint64_t number;

	switch (c) {
	case 'j':
		look->json = true;
		return 0;
	case 'p':
		if (!parse_number(text, 0, 1, INT32_MAX, &number))
			return wrong_usage("--pid takes the number of a process");
		look->pid = (pid_t)number;
		return 0;
	case 'm':
		look->measure = !strcmp(text, "on") ? 1 : !strcmp(text, "off") ? 0 : -2;
		return look->measure == -2 ? wrong_usage("--measure is on or off") : 0;
	case 'H':
		look->hdr = text;
		return 0;
	case 'i':
		return parse_real(text, 0.01, 1e6, &look->interval_s) ? 0 :
		       wrong_usage("--interval takes seconds, from 0.01 on");
	case 'b':
		return parse_number(text, 0, 1, UINT64_MAX, &look->batch) ? 0 :
		       wrong_usage("--batch takes a number greater than zero");
	default:
		usage(stderr);
		return 2;
	}
}

int stats_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "measure", required_argument, NULL, 'm' },
		{ "hdr", required_argument, NULL, 'H' },
		{ "interval", required_argument, NULL, 'i' },
		{ "batch", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct look look = { .measure = -1 };
	int c, ret;

	tool_help = "hftctl stats --help";
	while ((c = getopt_long(argc, argv, "jp:m:i:b:h", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		ret = parse_option(c, optarg, &look);
		if (ret)
			return ret;
	}
	if (optind + 1 != argc)
		return wrong_usage("too many arguments");
	look.top = !strcmp(argv[optind], "top");
	ret = check(&look);
	if (ret)
		return ret;
	return look.top ? top(&look) : stats_once(&look);
}
