// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log export: the schedule and all else as a trace of the "Trace Event Format" (Google,
 * 2016), as JSON, which ui.perfetto.dev and chrome://tracing open.
 *
 * Processes are logs, threads are lanes.  Numbers of 64 bits are hexadecimal text: readers of
 * JSON have doubles.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/output.h>
#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "schedule.h"

#define NS_PER_S	1000000000ull
#define SLACK_NS	1000000ull
#define TEXT_BYTES	4096
#define KERNEL_PLACE	1000000	/* those of the kernel are last, in the order of CPUs */

enum { EXPORT_PERFETTO = FILTER_END };

static const struct option options[] = {
	FILTER_OPTIONS,
	{ "perfetto", no_argument, NULL, EXPORT_PERFETTO },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/**
 * struct trace - a file that is being written
 * @out: it
 * @some: there is an event in it
 * @base: what its times count from, by schedule_lane.simulated
 * @has_base: there is one
 */
struct trace {
	FILE *out;
	bool some;
	uint64_t base[2];
	bool has_base[2];
};

static void usage(void)
{
	fputs("Usage: hft-log export --perfetto --output FILE [OPTION]... LOG...\n"
	      "Write LOGs as a trace that ui.perfetto.dev opens: a process for each log, in it a\n"
	      "thread for each worker with what it ran, and one for each thread that logged other\n"
	      "records.  The kernel's events are threads of CPUs: what a CPU ran, its interrupts,\n"
	      "and all else.\n"
	      "\n"
	      "  --perfetto          as JSON of the Trace Event Format\n"
	      "  -o, --output FILE   - is standard output\n"
	      FILTER_HELP
	      "\n"
	      "The schedule is logged at level debug: `hftctl log` turns on sched and pool.  Times\n"
	      "in the trace are us since otherData.base_ns, ns since 1970, UTC.  What a simulated\n"
	      "machine has logged is a process of its own, since otherData.simulated_base_ns of\n"
	      "that machine's CLOCK_MONOTONIC.\n"
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

/* Before the first event, which others that are told later may be before by a little. */
static uint64_t since_base(struct trace *trace, bool simulated, uint64_t ns)
{
	uint64_t base = ns > SLACK_NS ? ns - SLACK_NS : 0;

	if (!trace->has_base[simulated])
		trace->base[simulated] = base - base % NS_PER_S;
	trace->has_base[simulated] = true;
	return ns > trace->base[simulated] ? ns - trace->base[simulated] : 0;
}

/* Takes @event, a whole but for its @times: "name":us, with a comma. */
static int put(struct trace *trace, json_t *event, const char *times)
{
	char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
	int ret = -1;

	json_decref(event);
	if (!text)
		return fail(ENOMEM, "an event");
	ret = fprintf(trace->out, "%s\n{%s%s", trace->some ? "," : "", times, text + 1);
	trace->some = true;
	free(text);
	return ret < 0 ? -EIO : 0;	/* output_close() tells why */
}

static void put_time(char *text, size_t size, const char *name, uint64_t ns)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "\"%s\":%" PRIu64 ".%03u,", name, ns / 1000,
		 (unsigned int)(ns % 1000));
}

static int pid_of(const struct schedule_lane *lane)
{
	return (int)(2 * lane->stream->log->number + lane->simulated) + 1;
}

static int tid_of(const struct schedule_lane *lane)
{
	return (int)lane->number + 1;
}

static json_int_t place_of(const struct schedule_lane *lane)
{
	if (schedule_is_kernel(lane))
		return KERNEL_PLACE + 3 * (json_int_t)lane->cpu + (lane->kind - SCHEDULE_CPU);
	return lane->number;
}

/* What a reader takes, whatever a file has. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	union hft_log_view_value value = { .s = text };
	char shown[TEXT_BYTES];

	if (string)
		return string;
	hft_log_view_value_text(HFT_LOG_STRING, &value, shown, sizeof(shown));
	string = json_string(shown);
	return string ? string : json_string("(not UTF-8)");
}

static json_t *hex(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	return json_string(text);
}

static json_t *number(uint64_t value)
{
	return value < 1ull << 53 ? json_integer((json_int_t)value) : hex(value);
}

static json_t *value_of(uint8_t type, const union hft_log_view_value *value)
{
	json_t *real;

	switch (type) {
	case HFT_LOG_STRING:
	case HFT_LOG_SYMBOL:
		return text_of(value->s);
	case HFT_LOG_DOUBLE:
		real = json_real(value->d);
		return real ? real : json_string("not finite");
	case HFT_LOG_I64:
		if (value->i < 0)
			return json_integer(value->i);
		return number(value->u);
	case HFT_LOG_TASK:
	case HFT_LOG_POINTER:
		return hex(value->u);
	default:
		return number(value->u);
	}
}

static json_t *args_of(const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	json_t *args = json_pack("{s:s, s:o, s:i}", "level",
				 hft_log_level_name((int)site->level), "file",
				 text_of(site->file), "line", (int)site->line);
	char text[TEXT_BYTES];
	uint32_t i;

	for (i = 0; args && i < site->nr_fields; i++) {
		snprintf(text, sizeof(text), "field.%s", site->fields[i].name);
		json_object_set_new(args, text, value_of(site->fields[i].type, &view->values[i]));
	}
	if (!args || site->name[0])
		return args;
	hft_log_view_message(view, text, sizeof(text));
	json_object_set_new(args, "message", text_of(text));
	return args;
}

/* Takes @value, of @key. */
static int put_about(struct trace *trace, const struct schedule_lane *lane, const char *what,
		     const char *key, json_t *value)
{
	return put(trace, json_pack("{s:s, s:s, s:i, s:i, s:{s:o}}", "ph", "M", "name", what,
				    "pid", pid_of(lane), "tid", tid_of(lane), "args", key, value),
		   "");
}

static int take_lane(struct schedule *schedule, const struct schedule_lane *lane)
{
	const struct hft_log_view_log *log = lane->stream->log;
	char name[TEXT_BYTES];
	int err;

	snprintf(name, sizeof(name), "%s%s %s[%u]", lane->simulated ? "simulated, by " : "",
		 log->host, log->program, log->pid);
	err = put_about(schedule->context, lane, "process_name", "name", text_of(name));
	if (err)
		return err;
	schedule_lane_name(lane, name, sizeof(name));
	err = put_about(schedule->context, lane, "thread_name", "name", text_of(name));
	if (err)
		return err;
	return put_about(schedule->context, lane, "thread_sort_index", "sort_index",
			 json_integer(place_of(lane)));
}

static json_t *run_args(const struct schedule_run *run, uint64_t to, bool ended)
{
	json_t *args = json_pack("{s:o, s:o, s:o, s:b}", "task", hex(run->task), "cookie",
				 number(run->cookie), "level", number(run->level), "ended", ended);

	if (run->release && run->release <= run->from)
		json_object_set_new(args, "waited_ns", number(run->from - run->release));
	if (run->deadline && ended)
		json_object_set_new(args, "late_ns",
				    number(to > run->deadline ? to - run->deadline : 0));
	return args;
}

/* As tools for the kernel's traces show it: R+ was preempted. */
static void state_text(char *text, uint64_t state)
{
	static const char letters[] = "SDTtXZPI";
	size_t i;

	for (i = 0; i < sizeof(letters) - 1; i++) {
		if (state & 1u << i)
			*text++ = letters[i];
	}
	strcpy(text, state & 0x100 ? "R+" : state ? "" : "R");
}

static json_t *kernel_args(const struct schedule_lane *lane, const struct schedule_run *run,
			   bool ended)
{
	char state[16];
	json_t *args;

	if (lane->kind == SCHEDULE_IRQ)
		return json_pack("{s:o, s:b}", "number", number(run->task), "ended", ended);
	args = json_pack("{s:o, s:o, s:b}", "pid", number(run->task), "prio", number(run->level),
			 "ended", ended);
	if (ended) {
		state_text(state, run->state);
		json_object_set_new(args, "state", json_string(state));
	}
	return args;
}

/* Its name, category and arguments. */
static json_t *span_of(const struct schedule_lane *lane, const struct schedule_run *run,
		       uint64_t to, bool ended, char *name, size_t size, const char **category)
{
	if (schedule_is_kernel(lane)) {
		*category = "kernel";
		snprintf(name, size, "%s", run->name);
		return kernel_args(lane, run, ended);
	}
	if (lane->kind == SCHEDULE_POOL) {
		*category = "pool";
		snprintf(name, size, "fn 0x%" PRIx64, run->fn);
		return json_pack("{s:o, s:b}", "fn", hex(run->fn), "ended", ended);
	}
	*category = "sched";
	snprintf(name, size, "task of cookie %" PRIu64, run->cookie);
	return run_args(run, to, ended);
}

static int take_span(struct schedule *schedule, const struct schedule_lane *lane,
		     const struct schedule_run *run, uint64_t to, bool ended)
{
	struct trace *trace = schedule->context;
	uint64_t from = since_base(trace, lane->simulated, run->from);
	char times[128] = "", name[64];
	const char *category;
	json_t *args;

	put_time(times, sizeof(times), "ts", from);
	put_time(times, sizeof(times), "dur", to > run->from ? to - run->from : 0);
	args = span_of(lane, run, to, ended, name, sizeof(name), &category);
	return put(trace, json_pack("{s:s, s:o, s:s, s:i, s:i, s:o}", "ph", "X", "name",
				    text_of(name), "cat", category, "pid", pid_of(lane), "tid",
				    tid_of(lane), "args", args), times);
}

static int take_mark(struct schedule *schedule, const struct schedule_lane *lane, uint64_t at,
		     const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	struct trace *trace = schedule->context;
	char times[64] = "";

	put_time(times, sizeof(times), "ts", since_base(trace, lane->simulated, at));
	return put(trace, json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:o}", "ph", "i", "s", "t",
				    "name", text_of(site->name[0] ? site->name : site->format),
				    "cat", text_of(site->subsystem), "pid", pid_of(lane), "tid",
				    tid_of(lane), "args", args_of(view)), times);
}

static int put_all(struct filter *filter, struct hft_log_reader *reader, struct trace *trace)
{
	struct schedule schedule = {
		.lane = take_lane, .span = take_span, .mark = take_mark, .context = trace,
	};
	const struct hft_log_view *view;
	int ret = 0, err = 0;

	fputs("{\"traceEvents\":[", trace->out);
	while (!err && (ret = hft_log_reader_next(reader, &view)) > 0)
		err = interrupted ? fail(EINTR, "export") : schedule_take(&schedule, view);
	if (!err)
		err = schedule_end(&schedule);
	fprintf(trace->out, "],\n\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"base_ns\":\"%" PRIu64
		"\",\"simulated_base_ns\":\"%" PRIu64 "\"}}\n", trace->base[0], trace->base[1]);
	schedule_free(&schedule);
	return err ? STATUS_USAGE : filter_status(filter, ret);
}

static int write_file(struct filter *filter, struct hft_log_reader *reader, const char *path)
{
	struct output output;
	struct trace trace = { .base = { 0 } };
	int status;

	if (output_open(&output, path))
		return STATUS_USAGE;
	trace.out = output.stream;
	filter->progress.prints = output.stream == stdout;
	catch_signals();
	status = put_all(filter, reader, &trace);
	return output_close(&output, status != STATUS_USAGE) ? STATUS_USAGE : status;
}

static int parse(int argc, char **argv, struct filter *filter, const char **path)
{
	bool perfetto = false;
	int option, ret = 0;

	while (!ret && (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return -1;
		}
		if (option == 'o')
			*path = optarg;
		else if (option == EXPORT_PERFETTO)
			perfetto = true;
		else
			ret = filter_option(filter, option, optarg);
	}
	if (!ret && !perfetto)
		ret = wrong_usage("as what? --perfetto");
	if (!ret && !*path)
		ret = wrong_usage("to which --output?");
	return ret;
}

int cmd_export(int argc, char **argv)
{
	struct hft_log_reader *reader;
	const char *path = NULL;
	struct filter filter;
	int status;

	tool_help = "hft-log export --help";
	filter_begin(&filter);
	status = parse(argc, argv, &filter, &path);
	if (!status)
		status = filter_open(&filter, &reader, argv + optind, argc - optind);
	if (!status) {
		status = write_file(&filter, reader, path);
		hft_log_reader_close(reader);
	}
	filter_end(&filter);
	return status < 0 ? STATUS_OK : status;
}
