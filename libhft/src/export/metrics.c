// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Metrics of a process.  Their names begin with hft_process: those of the module, which
 * hft-exporter has, are of all processes, and nobody should add up both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hft/detect.h>
#include <hft/export.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/resource.h>
#include <hft/rule.h>

#include "core/task.h"
#include "../api.h"
#include "../gettime.h"
#include "../options.h"
#include "histograms.h"
#include "text.h"

#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

/* What rows are of: a source is of one or two of these. */
enum table {
	TABLE_CONTEXT,
	TABLE_RING,
	TABLE_INBOX,
	TABLE_POOL,
	TABLE_WORKER,
	TABLE_RESOURCE,
	TABLE_DETECTOR,
	TABLE_RULE,
	TABLES
};

/**
 * struct row - the numbers of one thing
 * @table: that it is of, which says what the last of these is
 * @name: of its source
 * @part: which part of that it is: a second label; NULL: @number is
 * @number: that, or empty: none
 * @context: of a handle or a ring
 * @inbox: of an inbox
 * @pool: of a pool or a worker
 * @resource: of a resource
 * @anomalies: of a detector: how many of one kind
 * @rule: of a rule
 */
struct row {
	enum table table;
	const char *name;
	const char *part;
	char number[12];
	union {
		struct hft_stats context;
		struct hft_inbox_stats inbox;
		struct hft_pool_stats pool;
		struct hft_resource_stats resource;
		uint64_t anomalies;
		struct hft_rule_info rule;
	};
};

struct rows {
	struct row *at;
	size_t nr;
	size_t size;
};

/**
 * struct column - a number of the rows of a table
 * @metric: what it is
 * @offset: of the number in &struct row
 * @is_32: it is a u32, not a u64
 */
struct column {
	struct hft_metric metric;
	size_t offset;
	bool is_32;
};

#define COLUMN_64(field, kind, name, help) \
	{ { name, help, .type = HFT_METRIC_##kind }, offsetof(struct row, field), false }
#define COLUMN_32(field, kind, name, help) \
	{ { name, help, .type = HFT_METRIC_##kind }, offsetof(struct row, field), true }
#define COLUMN_NS(field, kind, name, help) \
	{ { name, help, "seconds", HFT_METRIC_##kind, HFT_TEXT_NS }, \
	  offsetof(struct row, field), false }

static const struct column context_columns[] = {
	COLUMN_32(context.tasks, GAUGE, "hft_process_tasks",
		  "Tasks that the handle can have queued."),
	COLUMN_32(context.tasks_free, GAUGE, "hft_process_tasks_free", "Those not in use."),
	COLUMN_64(context.clock_faults, COUNTER, "hft_process_clock_faults",
		  "Faults of clocks since the handle was opened."),
	COLUMN_32(context.tsc, GAUGE, "hft_process_clock_is_tsc",
		  "1: the process reads the TSC itself."),
};

static const struct column ring_columns[] = {
	COLUMN_64(context.submitted, COUNTER, "hft_process_ring_tasks_submitted", "Tasks taken."),
	COLUMN_64(context.dispatched, COUNTER, "hft_process_ring_tasks_dispatched",
		  "Tasks written to the ring."),
	COLUMN_64(context.cancelled, COUNTER, "hft_process_ring_tasks_cancelled",
		  "Tasks taken back."),
	COLUMN_64(context.ended, COUNTER, "hft_process_ring_tasks_failed",
		  "Tasks dispatched that ended with an error."),
	COLUMN_64(context.overruns, COUNTER, "hft_process_ring_tasks_overrun",
		  "Releases of periodic tasks that had no job of their own."),
	COLUMN_64(context.waiting, GAUGE, "hft_process_ring_tasks_waiting",
		  "Tasks before their release or arrival."),
	COLUMN_64(context.ready, GAUGE, "hft_process_ring_tasks_ready",
		  "Tasks past it that wait for room in the ring."),
	COLUMN_64(context.in_flight, GAUGE, "hft_process_ring_tasks_in_flight",
		  "Events that the worker has not advanced over."),
	COLUMN_64(context.deadline_misses, COUNTER, "hft_process_ring_deadline_misses",
		  "Watched deadlines that passed."),
	COLUMN_64(context.wakeups, COUNTER, "hft_process_ring_worker_wakeups",
		  "Times the sleeping worker was woken."),
	COLUMN_64(context.full, COUNTER, "hft_process_ring_full",
		  "Times a dispatch found no room."),
	COLUMN_64(context.bad_head, COUNTER, "hft_process_ring_bad_heads",
		  "Times the consumer's head made no sense."),
};

static const struct column inbox_columns[] = {
	COLUMN_64(inbox.entries, GAUGE, "hft_process_inbox_limit_tasks",
		  "Most tasks that wait at a time."),
	COLUMN_64(inbox.waiting, GAUGE, "hft_process_inbox_tasks_waiting", "Tasks that wait."),
	COLUMN_64(inbox.submitted, COUNTER, "hft_process_inbox_tasks_submitted", "Tasks taken."),
	COLUMN_64(inbox.taken, COUNTER, "hft_process_inbox_tasks_run",
		  "Tasks taken out by the worker."),
	COLUMN_64(inbox.cancelled, COUNTER, "hft_process_inbox_tasks_cancelled",
		  "Tasks cancelled by a halt."),
	COLUMN_64(inbox.passed_on, COUNTER, "hft_process_inbox_tasks_passed_on",
		  "Tasks that went to the ring, to wake a worker in poll."),
	COLUMN_64(inbox.refused, COUNTER, "hft_process_inbox_tasks_refused",
		  "Tasks refused for want of room."),
	COLUMN_64(inbox.wakeups, COUNTER, "hft_process_inbox_worker_wakeups",
		  "Times the sleeping worker was woken."),
};

static const struct column pool_columns[] = {
	COLUMN_64(pool.spawned, COUNTER, "hft_process_pool_tasks_spawned",
		  "Tasks spawned, by workers and by other threads."),
	COLUMN_64(pool.cancelled, COUNTER, "hft_process_pool_tasks_cancelled",
		  "Tasks that ended without being begun, or by their thread's end."),
	COLUMN_64(pool.depth, GAUGE, "hft_process_pool_tasks_waiting",
		  "Tasks that wait, but for a time to come."),
};

static const struct column worker_columns[] = {
	COLUMN_64(pool.executed, COUNTER, "hft_process_pool_tasks_executed", "Tasks run."),
	COLUMN_64(pool.failed, COUNTER, "hft_process_pool_tasks_failed", "Of those, failed."),
	COLUMN_64(pool.late, COUNTER, "hft_process_pool_tasks_late",
		  "Tasks that ended after their deadline."),
	COLUMN_64(pool.stolen, COUNTER, "hft_process_pool_tasks_stolen",
		  "Tasks stolen from other workers."),
	COLUMN_64(pool.failed_steals, COUNTER, "hft_process_pool_steals_failed",
		  "Steals that found no task, or lost a race for one."),
	COLUMN_64(pool.parked, COUNTER, "hft_process_pool_worker_parks",
		  "Times that the worker slept."),
	COLUMN_NS(pool.parked_ns, COUNTER, "hft_process_pool_worker_parked_seconds",
		  "How long it slept in all."),
	COLUMN_32(pool.running, GAUGE, "hft_process_pool_worker_running", "1: it is at a task."),
};

static const struct column resource_columns[] = {
	COLUMN_64(resource.contended, COUNTER, "hft_process_resource_contended",
		  "Times that a thread, or a task, had to wait."),
	COLUMN_NS(resource.longest_ns, GAUGE, "hft_process_resource_longest_wait_seconds",
		  "The longest that one has waited."),
	COLUMN_NS(resource.waiting_ns, GAUGE, "hft_process_resource_waiting_seconds",
		  "How long the first of those who wait has waited."),
	COLUMN_32(resource.waiters, GAUGE, "hft_process_resource_waiters", "Who wait."),
	COLUMN_32(resource.holders, GAUGE, "hft_process_resource_holders", "Who have it."),
};

static const struct column detector_columns[] = {
	COLUMN_64(anomalies, COUNTER, "hft_process_detector_values",
		  "Values that a detector has judged, by what they are."),
};

static const struct column rule_columns[] = {
	COLUMN_32(rule.in_force, GAUGE, "hft_process_rule_in_force",
		  "1: the rule's action is in force, or would be."),
	COLUMN_64(rule.anomalies, COUNTER, "hft_process_rule_anomalies",
		  "Anomalies that the rule has counted."),
	COLUMN_64(rule.applied, COUNTER, "hft_process_rule_applied",
		  "Times that it acted, or would have."),
	COLUMN_64(rule.undone, COUNTER, "hft_process_rule_undone", "Times that it was undone."),
	COLUMN_64(rule.limited, COUNTER, "hft_process_rule_limited",
		  "Times that it had acted too short a time before."),
	COLUMN_64(rule.withheld, COUNTER, "hft_process_rule_withheld",
		  "Times that it could change nothing."),
};

/* A table's labels besides that of the process: of a row's name and of its part. */
static const struct {
	const char *name;
	const char *part;
	const struct column *columns;
	size_t nr;
} tables[TABLES] = {
	[TABLE_CONTEXT] = { "handle", NULL, context_columns, LENGTH(context_columns) },
	[TABLE_RING] = { "handle", "ring", ring_columns, LENGTH(ring_columns) },
	[TABLE_INBOX] = { "inbox", NULL, inbox_columns, LENGTH(inbox_columns) },
	[TABLE_POOL] = { "pool", NULL, pool_columns, LENGTH(pool_columns) },
	[TABLE_WORKER] = { "pool", "worker", worker_columns, LENGTH(worker_columns) },
	[TABLE_RESOURCE] = { "resource", NULL, resource_columns, LENGTH(resource_columns) },
	[TABLE_DETECTOR] = { "detector", "anomaly", detector_columns, LENGTH(detector_columns) },
	[TABLE_RULE] = { "rules", "rule", rule_columns, LENGTH(rule_columns) },
};

static const struct hft_metric written = {
	"hft_process_metrics_written_timestamp_seconds",
	"When these metrics were written, Unix time.", "seconds", HFT_METRIC_GAUGE, HFT_TEXT_NS
};

/* A row of zeroes at the end; NULL: no memory. */
static struct row *add_row(struct rows *rows, enum table table, const char *name)
{
	size_t size = rows->size ? 2 * rows->size : 16;
	struct row *row;

	if (rows->nr == rows->size) {
		row = realloc(rows->at, size * sizeof(*row));
		if (!row)
			return NULL;
		rows->at = row;
		rows->size = size;
	}
	row = &rows->at[rows->nr++];
	memset(row, 0, sizeof(*row));
	row->table = table;
	row->name = name;
	return row;
}

static int no_row(void)
{
	return hft_fail(ENOMEM, "metrics");
}

/* Its part is a number. */
static void set_number(struct row *row, uint32_t number)
{
	snprintf(row->number, sizeof(row->number), "%u", number);
}

static int add_handle(struct rows *rows, const char *name, struct hft *h)
{
	struct hft_stats stats;
	struct row *row;
	uint32_t i;
	int err;

	err = hft_stats(h, HFT_STATS_CONTEXT, &stats);
	if (err)
		return err;
	row = add_row(rows, TABLE_CONTEXT, name);
	if (!row)
		return no_row();
	row->context = stats;
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		err = hft_stats(h, i, &stats);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		row = add_row(rows, TABLE_RING, name);
		if (!row)
			return no_row();
		row->context = stats;
		set_number(row, i);
	}
	return 0;
}

static int add_inbox(struct rows *rows, const char *name, const struct hft_ring *ring)
{
	struct row *row = add_row(rows, TABLE_INBOX, name);

	if (!row)
		return no_row();
	row->inbox.sz = sizeof(row->inbox);
	return hft_inbox_stats(ring, &row->inbox);
}

static int add_pool_row(struct rows *rows, const char *name, enum table table,
			struct hft_pool *pool, uint32_t worker)
{
	struct hft_pool_stats stats = { .sz = sizeof(stats) };
	int err = hft_pool_stats(pool, worker, &stats);
	struct row *row;

	if (err)
		return err;
	row = add_row(rows, table, name);
	if (!row)
		return no_row();
	row->pool = stats;
	if (worker != HFT_POOL_ALL)
		set_number(row, worker);
	return 0;
}

/* Also workers that have left: what they have done counts on. */
static int add_pool(struct rows *rows, const char *name, struct hft_pool *pool)
{
	int err = add_pool_row(rows, name, TABLE_POOL, pool, HFT_POOL_ALL);
	uint32_t i;

	for (i = 0; !err && i < HFT_POOL_WORKERS_MAX; i++)
		err = add_pool_row(rows, name, TABLE_WORKER, pool, i);
	return err == -ENOENT ? 0 : err;
}

static int add_resource(struct rows *rows, const char *name, struct hft_resource *resource)
{
	struct row *row = add_row(rows, TABLE_RESOURCE, name);

	if (!row)
		return no_row();
	row->resource.sz = sizeof(row->resource);
	return hft_resource_stats(resource, &row->resource);
}

static int add_detector(struct rows *rows, const char *name, const struct hft_detector *detector)
{
	struct hft_detector_stats stats = { .sz = sizeof(stats) };
	int err = hft_detector_stats(detector, &stats);
	struct row *row;
	uint32_t i;

	for (i = 0; !err && i < HFT_ANOMALIES; i++) {
		row = add_row(rows, TABLE_DETECTOR, name);
		if (!row)
			return no_row();
		row->part = hft_anomaly_name(i);
		row->anomalies = stats.values[i];
	}
	return err;
}

static int add_rules(struct rows *rows, const char *name, struct hft_ring *ring)
{
	struct hft_rule_info info;
	struct row *row;
	uint32_t i;
	int err;

	for (i = 0; i < HFT_RULES; i++) {
		err = hft_rule_info(ring, i, &info);
		if (err)
			return err;
		if (info.action == HFT_ACTION_NONE)
			continue;
		row = add_row(rows, TABLE_RULE, name);
		if (!row)
			return no_row();
		row->rule = info;
		set_number(row, i);
	}
	return 0;
}

static int add_source(struct rows *rows, const struct hft_metrics_source *source)
{
	void *object = (void *)source->object;

	switch (source->kind) {
	case HFT_METRICS_HANDLE:
		return add_handle(rows, source->name, object);
	case HFT_METRICS_INBOX:
		return add_inbox(rows, source->name, object);
	case HFT_METRICS_POOL:
		return add_pool(rows, source->name, object);
	case HFT_METRICS_RESOURCE:
		return add_resource(rows, source->name, object);
	case HFT_METRICS_DETECTOR:
		return add_detector(rows, source->name, object);
	default:
		return add_rules(rows, source->name, object);
	}
}

static uint64_t value_of(const struct row *row, const struct column *column)
{
	const char *at = (const char *)row + column->offset;
	uint64_t value;
	uint32_t value_32;

	if (column->is_32) {
		memcpy(&value_32, at, sizeof(value_32));
		return value_32;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

static void put_column(struct hft_text *text, const struct rows *rows, enum table table,
		       const struct column *column, const char *process)
{
	struct hft_label labels[] = {
		{ "process", process }, { tables[table].name, NULL }, { tables[table].part, NULL },
		{ "action", NULL },
	};
	const struct row *row;
	bool begun = false;

	for (row = rows->at; row < rows->at + rows->nr; row++) {
		if (row->table != table)
			continue;
		if (!begun)
			hft_text_begin(text, &column->metric);
		begun = true;
		labels[1].value = row->name;
		labels[2].value = row->part ? row->part : row->number;
		if (table == TABLE_RULE)
			labels[3].value = hft_action_name(row->rule.action);
		hft_text_sample(text, labels, LENGTH(labels), value_of(row, column));
	}
}

static void put_written(struct hft_text *text, const char *process)
{
	struct hft_label label = { "process", process };

	hft_text_begin(text, &written);
	hft_text_sample(text, &label, 1, hft_gettime(CLOCK_REALTIME));
}

static void put_rows(struct hft_text *text, const struct rows *rows, const char *process)
{
	uint32_t table;
	size_t i;

	put_written(text, process);
	for (table = 0; table < TABLES; table++)
		for (i = 0; i < tables[table].nr; i++)
			put_column(text, rows, table, &tables[table].columns[i], process);
}

static int check_sources(const struct hft_metrics_source *sources, uint32_t nr)
{
	uint32_t i, j;

	if (nr > HFT_METRICS_SOURCES_MAX)
		return hft_fail(E2BIG, "%u sources", nr);
	for (i = 0; i < nr; i++) {
		if (!sources[i].kind || sources[i].kind >= HFT_METRICS_KINDS || sources[i].reserved)
			return hft_fail(EINVAL, "source %u is of no kind", i);
		if (!sources[i].object || !sources[i].name)
			return hft_fail(EINVAL, "source %u has no name or is none", i);
		for (j = 0; j < i; j++)
			if (sources[i].kind == sources[j].kind &&
			    !strcmp(sources[i].name, sources[j].name))
				return hft_fail(EINVAL, "sources %u and %u have one name", j, i);
	}
	return 0;
}

/* @sources: @rows are theirs */
static int write_all(const char *path, const struct rows *rows,
		     const struct hft_metrics_source *sources, uint32_t nr, const char *process)
{
	struct hft_text text = { .openmetrics = false };
	int err;

	put_rows(&text, rows, process);
	err = hft_metrics_put_histograms(&text, process, sources, nr);
	hft_text_end(&text);
	if (!err) {
		err = hft_text_save(&text, path);
		err = err ? hft_fail(-err, "%s", path) : 0;
	}
	hft_text_free(&text);
	return err;
}

/**
 * hft_metrics_write() - replace a file by the numbers of pools, rings and the like
 * @path: the file; for node_exporter's collector its name ends in .prom.  Beside it another
 *	one is made, and takes its place: who reads it sees the old one or the new one
 * @sources: what there is to tell of
 * @nr: how many, up to %HFT_METRICS_SOURCES_MAX
 * @user_opts: options, or NULL
 *
 * In Prometheus' text format 0.0.4; Documentation/exporter.rst has the names.  Counters are
 * since the object was opened.  Nobody is stopped for it, but it enters the kernel, seven
 * times for each possible ring of a handle, allocates, and may block: not for a thread that
 * runs tasks.
 * Any thread; of a handle of the backend sim that which uses the machine.
 *
 * Return: 0, -EINVAL a source is wrong, -E2BIG too many, -ENOMEM, an error of opening, writing
 * or renaming a file (-EACCES, -ENOENT, -ENOSPC, -EROFS, ...), or that of asking a source, as
 * -EOWNERDEAD of a parent's handle.  The file is as it was then.
 */
HFT_API int hft_metrics_write(const char *path, const struct hft_metrics_source *sources,
			      uint32_t nr, const struct hft_metrics_opts *user_opts)
{
	struct hft_metrics_opts opts;
	struct rows rows = {};
	uint32_t i;
	int err;

	err = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (!err)
		err = check_sources(sources, nr);
	for (i = 0; !err && i < nr; i++)
		err = add_source(&rows, &sources[i]);
	if (!err)
		err = write_all(path, &rows, sources, nr,
				opts.process ? opts.process : program_invocation_short_name);
	free(rows.at);
	return err;
}
