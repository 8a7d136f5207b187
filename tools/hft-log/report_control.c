// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report control: each reject, throttle, halt and re-arm, and by what it came about. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <common/tool.h>
#include "report.h"

static const char *const events[] = { "reject", "risk", "throttle", "halt", "rearm" };
static const char *const refused[] = {
	[HFT_TRADE_REFUSED_ORDER] = "order", [HFT_TRADE_REFUSED_MODIFY] = "modification",
	[HFT_TRADE_REFUSED_CANCEL] = "cancellation", [HFT_TRADE_REFUSED_ROUTE] = "route",
	[HFT_TRADE_REFUSED_ROUTE_MODIFY] = "modification of a route",
	[HFT_TRADE_REFUSED_ROUTE_CANCEL] = "cancellation of a route",
	[HFT_TRADE_REFUSED_TASK] = "task",
};

enum column {
	TIME, EVENT, RULE, LIMIT, VALUE, UNIT, WHO, SCOPE, REASON, REFUSED, BY_VENUE, ORDER,
	ROUTE, SYMBOL, ACCOUNT, HOST, PROGRAM, PID, LOG, STREAM, SEQUENCE, COLUMNS
};

static const char *const names[COLUMNS] = {
	"time", "event", "rule", "limit", "value", "unit", "who", "scope", "reason", "refused",
	"byVenue", "order", "route", "symbol", "account", "host", "program", "pid", "log", "stream",
	"sequence",
};

struct row {
	char cells[COLUMNS][REPORT_VALUE];
};

static bool is_number(unsigned int column)
{
	return column == LIMIT || column == VALUE || column == PID || column == STREAM ||
	       column == SEQUENCE || column == BY_VENUE;
}

static const char *event_of(const struct hft_log_view *e)
{
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (event_is(e, "control", events[i]))
			return events[i];
	}
	return NULL;
}

static void cell(struct row *row, unsigned int column, const char *text)
{
	snprintf(row->cells[column], REPORT_VALUE, "%s", text ? text : "");
}

static void cell_number(struct row *row, unsigned int column, uint64_t number)
{
	snprintf(row->cells[column], REPORT_VALUE, "%" PRIu64, number);
}

static void fill(struct row *row, const struct hft_log_view *e)
{
	static const unsigned char texts[] = { RULE, UNIT, WHO, SCOPE, REASON, ORDER, ROUTE, SYMBOL,
		ACCOUNT };
	uint64_t kind = event_number(e, "refused");
	char text[40];
	size_t i;

	memset(row, 0, sizeof(*row));
	for (i = 0; i < sizeof(texts); i++)
		cell(row, texts[i], event_text(e, names[texts[i]]));
	if (event_decimal(e, "limit", 0, text, sizeof(text)))
		cell(row, LIMIT, text);
	if (event_decimal(e, "value", 0, text, sizeof(text)))
		cell(row, VALUE, text);
	utc(event_time(e), text, sizeof(text));
	cell(row, TIME, text);
	cell(row, EVENT, event_of(e));
	cell(row, REFUSED, kind < sizeof(refused) / sizeof(refused[0]) ? refused[kind] : NULL);
	cell(row, BY_VENUE, event_number(e, "flags") & HFT_TRADE_BY_VENUE ? "true" : "false");
	cell(row, HOST, e->stream->log->host);
	cell(row, PROGRAM, e->stream->log->program);
	cell_number(row, PID, e->stream->log->pid);
	cell(row, LOG, e->stream->log->uuid);
	cell_number(row, STREAM, e->stream->id);
	cell_number(row, SEQUENCE, e->sequence);
}

static void need(struct report *r, const struct hft_log_view *e, const struct row *row,
		 unsigned int column, const char *why)
{
	if (!*row->cells[column])
		report_problem(r, e, names[column], "is missing%s", why);
}

/*
 * Who halts on a decision, and a venue that rejects, tell no limit; whatever else acts has compared
 * a value with one.
 */
static void check(struct report *r, const struct hft_log_view *e, const struct row *row)
{
	bool by_hand = !check_word(row->cells[RULE], "manual program") &&
		       !check_word(row->cells[EVENT], "halt rearm");
	bool by_venue = event_number(e, "flags") & HFT_TRADE_BY_VENUE;
	bool given = *row->cells[LIMIT] || *row->cells[VALUE] || *row->cells[UNIT];
	unsigned int i;

	need(r, e, row, RULE, "");
	need(r, e, row, WHO, "");
	if (!strcmp(row->cells[EVENT], "reject"))
		need(r, e, row, REFUSED, "");
	if (strcmp(row->cells[EVENT], "reject"))
		need(r, e, row, SCOPE, "");
	if (given || (!by_hand && !by_venue)) {
		need(r, e, row, LIMIT, "");
		need(r, e, row, VALUE, "");
		need(r, e, row, UNIT, "");
	}
	for (i = 0; i < COLUMNS; i++) {
		if (row->cells[i][strspn(row->cells[i], " !\"#$%&'()*+,-./0123456789:;<=>?@"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
					 "abcdefghijklmnopqrstuvwxyz{|}~")])
			report_problem(r, e, names[i], "has a character that is not printable ASCII");
	}
}

static void write_json(const struct row *row, struct text *to)
{
	unsigned int i;

	for (i = 0; i < COLUMNS; i++) {
		text_add(to, "%s\"%s\":", i ? "," : "{", names[i]);
		if (!*row->cells[i])
			text_add(to, "null");
		else if (is_number(i))
			text_add(to, "%s", row->cells[i]);
		else
			text_json(to, row->cells[i]);
	}
	text_add(to, "}");
}

static void write_csv(const struct row *row, struct text *to)
{
	unsigned int i;

	for (i = 0; i < COLUMNS; i++) {
		text_add(to, "%s", i ? "," : "");
		text_csv(to, row->cells[i]);
	}
}

static int control_add(struct report *r, const struct hft_log_view *e)
{
	static char buffer[COLUMNS * REPORT_VALUE * 2];
	static struct row row;
	uint64_t begun = r->problems;
	struct text to;

	if (!event_of(e) || (r->date && r->date != utc_date(event_time(e))))
		return 0;
	if (!r->all && event_is(e, "control", "risk"))
		return 0;
	fill(&row, e);
	check(r, e, &row);
	if (r->problems != begun)
		return 0;
	text_begin(&to, buffer, sizeof(buffer));
	if (r->csv)
		write_csv(&row, &to);
	else
		write_json(&row, &to);
	if (to.full)
		report_problem(r, e, NULL, "the record is too long");
	r->records++;
	return file_put(r, buffer, (size_t)(to.at - buffer));
}

static int control_header(struct report *r)
{
	char buffer[512];
	struct text to;
	unsigned int i;

	text_begin(&to, buffer, sizeof(buffer));
	for (i = 0; i < COLUMNS; i++)
		text_add(&to, "%s%s", i ? "," : "", names[i]);
	text_add(&to, "\n");
	return file_write(r, buffer, (size_t)(to.at - buffer));
}

static int control_fields(void)
{
	unsigned int i;

	for (i = 0; i < COLUMNS; i++)
		printf("%s\n", names[i]);
	return 0;
}

/* [FIRM_]DATE_Controls_NUMBER.FORMAT */
static int control_file(const struct report *r, uint32_t number, char *name, size_t size)
{
	snprintf(name, size, "%.64s%s%08u_Controls_%06u.%s", r->firm_id ? r->firm_id : "",
		 r->firm_id ? "_" : "", r->file_date, number, r->csv ? "csv" : "json");
	return 0;
}

const struct report_view report_control = {
	.name = "control",
	.subsystems = "control",
	.file = control_file,
	.header = control_header,
	.fields = control_fields,
	.add = control_add,
};
