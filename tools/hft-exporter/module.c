// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the module says of itself in sysfs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>

#include "hft-exporter.h"

#define EVENTS		"/sys/class/misc/hft/events"
#define MODULE		"/sys/module/hft"
#define MOST_EVENTS	128
#define NAME_SIZE	64
#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* A line "NAME value" of the events file. */
struct event {
	char name[NAME_SIZE];
	uint64_t value;
	bool is_known;
};

struct events {
	struct event at[MOST_EVENTS];
	size_t nr;
};

/* One more of a family of counters. */
#define MORE(event, family, label, value) \
	{ event, { label, value }, { family, NULL, .type = HFT_METRIC_COUNTER } }

/**
 * struct known - an event that there is a metric for
 * @event: its name
 * @label: of the sample: several events in a row share a family
 */
static const struct known {
	const char *event;
	struct hft_label label;
	struct hft_metric metric;
} known[] = {
	{ "rings", {}, { "hft_rings", "Rings that there are now.", .type = HFT_METRIC_GAUGE } },
	{ "submitted", {}, { "hft_tasks_submitted", "Tasks taken.", .type = HFT_METRIC_COUNTER } },
	{ "dispatched", {}, { "hft_tasks_dispatched", "Tasks written to a ring.",
			      .type = HFT_METRIC_COUNTER } },
	{ "cancelled", {}, { "hft_tasks_cancelled", "Tasks taken back.",
			     .type = HFT_METRIC_COUNTER } },
	{ "ended", {}, { "hft_tasks_failed", "Tasks dispatched that ended with an error.",
			 .type = HFT_METRIC_COUNTER } },
	{ "overruns", {}, { "hft_tasks_overrun",
			    "Releases of periodic tasks that had no job of their own.",
			    .type = HFT_METRIC_COUNTER } },
	{ "deadline_misses", {}, { "hft_deadline_misses", "Watched deadlines that passed.",
				   .type = HFT_METRIC_COUNTER } },
	{ "wakeups", {}, { "hft_worker_wakeups", "Times a sleeping worker was woken.",
			   .type = HFT_METRIC_COUNTER } },
	{ "full", {}, { "hft_ring_full", "Times a dispatch found no room in a ring.",
			.type = HFT_METRIC_COUNTER } },
	{ "bad_head", {}, { "hft_ring_bad_heads", "Times a consumer's head made no sense.",
			    .type = HFT_METRIC_COUNTER } },
	{ "interrupts", {}, { "hft_timer_interrupts", "Interrupts of the queues' timers.",
			      .type = HFT_METRIC_COUNTER } },
	{ "kicks", {}, { "hft_timer_kicks", "Interrupts sent to arm another CPU's timer.",
			 .type = HFT_METRIC_COUNTER } },
	{ "late_timers", {}, { "hft_late_timers",
			       "Timers of queues that fired later than the module's late_ns.",
			       .type = HFT_METRIC_COUNTER } },
	{ "clock_steps", { "fault", "step" },
	  { "hft_clock_faults", "Times a clock was set (step), the clocksource changed "
	    "(clocksource) and the kernel ceased to trust the TSC (tsc).",
	    .type = HFT_METRIC_COUNTER } },
	MORE("clocksource_changes", "hft_clock_faults", "fault", "clocksource"),
	MORE("tsc_unstable", "hft_clock_faults", "fault", "tsc"),
	{ "lead_changes", {}, { "hft_lead_changes", "Times a learned lead was changed.",
				.type = HFT_METRIC_COUNTER } },
	{ "interference", {}, { "hft_interference_gaps",
				"Gaps in time with interrupts off: firmware or a hypervisor.",
				.type = HFT_METRIC_COUNTER } },
	{ "interference_ns", {}, { "hft_interference_seconds", "Their sum.", "seconds",
				   HFT_METRIC_COUNTER, HFT_TEXT_NS } },
	{ "anomaly_spikes", { "anomaly", "spike" },
	  { "hft_anomalies", "Anomalies that rings with rules had, by what they were.",
	    .type = HFT_METRIC_COUNTER } },
	MORE("anomaly_shifts", "hft_anomalies", "anomaly", "shift"),
	MORE("anomaly_drifts", "hft_anomalies", "anomaly", "drift"),
	MORE("anomaly_stalls", "hft_anomalies", "anomaly", "stall"),
	MORE("anomaly_bursts", "hft_anomalies", "anomaly", "burst"),
	MORE("anomaly_interference", "hft_anomalies", "anomaly", "interference"),
	MORE("anomaly_clocks", "hft_anomalies", "anomaly", "clock"),
	{ "responses_applied", { "response", "applied" },
	  { "hft_responses", "What rules did about anomalies: dry: it was not done, only told; "
	    "withheld: it would have changed nothing.", .type = HFT_METRIC_COUNTER } },
	MORE("responses_undone", "hft_responses", "response", "undone"),
	MORE("responses_dry_applied", "hft_responses", "response", "dry_applied"),
	MORE("responses_dry_undone", "hft_responses", "response", "dry_undone"),
	MORE("responses_withheld", "hft_responses", "response", "withheld"),
};

static const struct parameter {
	const char *name;
	struct hft_metric metric;
} parameters[] = {
	{ "max_tasks", { "hft_limit_context_tasks",
			 "Most tasks that a context can have queued.", .type = HFT_METRIC_GAUGE } },
	{ "queue_tasks", { "hft_limit_queue_tasks",
			   "Most tasks that the contexts with a ring on one CPU can have.",
			   .type = HFT_METRIC_GAUGE } },
	{ "admission_ppm", { "hft_limit_admission_ratio",
			     "What the periodic tasks of a CPU may ask for of its time.", "ratio",
			     HFT_METRIC_GAUGE, HFT_TEXT_PPM } },
	{ "user_tasks", { "hft_limit_user_tasks",
			  "Most tasks that the contexts of a user can have.",
			  .type = HFT_METRIC_GAUGE } },
	{ "user_rings", { "hft_limit_user_rings",
			  "Most rings that the contexts of a user can have.",
			  .type = HFT_METRIC_GAUGE } },
	{ "user_bytes", { "hft_limit_user_bytes",
			  "Most memory that the rings of a user can have.", "bytes",
			  HFT_METRIC_GAUGE, 0 } },
	{ "interference_ns", { "hft_limit_interference_seconds",
			       "The shortest gap in time that is told of.", "seconds",
			       HFT_METRIC_GAUGE, HFT_TEXT_NS } },
	{ "late_ns", { "hft_limit_timer_late_seconds",
		       "So late must a timer fire to be counted as late; 0: none is.", "seconds",
		       HFT_METRIC_GAUGE, HFT_TEXT_NS } },
};

static const struct hft_metric up = {
	"hft_up", "1: the hft module is loaded and could be asked.", .type = HFT_METRIC_GAUGE
};

static const struct hft_metric module_info = {
	"hft_module", "Version of the hft module.", .type = HFT_METRIC_INFO
};

static const struct hft_metric unknown_events = {
	"hft_module_events", "Lines of the module's events file that this exporter does not know.",
	.type = HFT_METRIC_UNKNOWN
};

static FILE *open_file(const struct exporter *exporter, const char *path)
{
	int fd = root_open(exporter, path, O_RDONLY);

	return fd < 0 ? NULL : fdopen(fd, "r");
}

/* "NAME value" and no more; names are words, so that they can be labels. */
static bool parse_event(char *line, struct event *event)
{
	char *value = strchr(line, ' ');
	size_t nr;

	if (!value)
		return false;
	*value++ = '\0';
	nr = strlen(line);
	value[strcspn(value, "\n")] = '\0';
	if (!nr || nr >= NAME_SIZE ||
	    strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_") != nr)
		return false;
	strcpy(event->name, line);
	event->is_known = false;
	return parse_number(value, 10, 0, UINT64_MAX, &event->value);
}

static struct event *find_event(struct events *events, const char *name)
{
	size_t i;

	for (i = 0; i < events->nr; i++)
		if (!strcmp(events->at[i].name, name))
			return &events->at[i];
	return NULL;
}

/* Returns 0 or -errno; what is no line of that kind is an error, and is left out. */
static int read_events(struct exporter *exporter, struct events *events)
{
	FILE *f = open_file(exporter, EVENTS);
	char line[256];
	int err;

	events->nr = 0;
	if (!f)
		return -errno;
	while (events->nr < MOST_EVENTS && fgets(line, sizeof(line), f)) {
		if (parse_event(line, &events->at[events->nr]) &&
		    !find_event(events, events->at[events->nr].name))
			events->nr++;
		else
			exporter->errors++;
	}
	err = ferror(f) ? -EIO : 0;
	fclose(f);
	if (err)
		events->nr = 0;
	return err ? err : events->nr ? 0 : -ENODATA;
}

/* The first of a family has its help, whether the module counts that event or not. */
static void put_known(struct hft_text *text, struct events *events)
{
	const struct hft_metric *family = NULL;
	struct event *event;
	bool begun = false;
	size_t i;

	for (i = 0; i < LENGTH(known); i++) {
		if (known[i].metric.help) {
			family = &known[i].metric;
			begun = false;
		}
		event = find_event(events, known[i].event);
		if (!event)
			continue;
		event->is_known = true;
		if (!begun)
			hft_text_begin(text, family);
		begun = true;
		hft_text_sample(text, &known[i].label, 1, event->value);
	}
}

/* Those of a module that is newer than this. */
static void put_unknown(struct hft_text *text, struct events *events)
{
	struct hft_label label = { "event", NULL };
	bool begun = false;
	size_t i;

	for (i = 0; i < events->nr; i++) {
		if (events->at[i].is_known)
			continue;
		if (!begun)
			hft_text_begin(text, &unknown_events);
		begun = true;
		label.value = events->at[i].name;
		hft_text_sample(text, &label, 1, events->at[i].value);
	}
}

/* The first line of a file of the module's; an empty string if there is none. */
static void read_line(const struct exporter *exporter, const char *path, char *line, int size)
{
	FILE *f = open_file(exporter, path);

	if (!f || !fgets(line, size, f))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (f)
		fclose(f);
}

static void put_info(const struct exporter *exporter, struct hft_text *text)
{
	char version[NAME_SIZE], srcversion[NAME_SIZE];
	const struct hft_label labels[] = {
		{ "version", version }, { "srcversion", srcversion }
	};

	read_line(exporter, MODULE "/version", version, sizeof(version));
	read_line(exporter, MODULE "/srcversion", srcversion, sizeof(srcversion));
	hft_text_begin(text, &module_info);
	hft_text_sample(text, labels, LENGTH(labels), 1);
}

static void put_parameters(struct exporter *exporter, struct hft_text *text)
{
	char path[128], line[NAME_SIZE];
	uint64_t value;
	size_t i;

	for (i = 0; i < LENGTH(parameters); i++) {
		snprintf(path, sizeof(path), MODULE "/parameters/%s", parameters[i].name);
		read_line(exporter, path, line, sizeof(line));
		if (parse_number(line, 10, 0, UINT64_MAX, &value)) {
			hft_text_begin(text, &parameters[i].metric);
			hft_text_sample(text, NULL, 0, value);
		} else if (*line) {
			exporter->errors++;
		}
	}
}

/* A module that is not there, or goes meanwhile, is no error. */
static void look(struct exporter *exporter, struct events *events)
{
	int err = read_events(exporter, events);

	if (err && err != -ENOENT && err != -ENODEV)
		exporter->errors++;
	exporter->up = !err;
}

void module_look(struct exporter *exporter)
{
	struct events events;

	look(exporter, &events);
}

void module_collect(struct exporter *exporter, struct hft_text *text)
{
	struct events events;

	look(exporter, &events);
	hft_text_begin(text, &up);
	hft_text_sample(text, NULL, 0, exporter->up);
	if (!exporter->up)
		return;
	put_info(exporter, text);
	put_known(text, &events);
	put_unknown(text, &events);
	put_parameters(exporter, text);
	device_collect(exporter, text);
}

/* The families that there can be. */
void module_list(struct hft_text *text)
{
	size_t i;

	hft_text_begin(text, &up);
	hft_text_begin(text, &module_info);
	for (i = 0; i < LENGTH(known); i++)
		if (known[i].metric.help)
			hft_text_begin(text, &known[i].metric);
	hft_text_begin(text, &unknown_events);
	for (i = 0; i < LENGTH(parameters); i++)
		hft_text_begin(text, &parameters[i].metric);
	device_list(text);
}
