// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report: the fields of an event, and what is wrong with one. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <common/tool.h>
#include "report.h"

/* What a program has logged does not move the cursor of who reads of it. */
static void print_plain(const char *text)
{
	for (; *text; text++)
		putc(*text >= ' ' && *text <= '~' ? *text : '?', stderr);
}

/* @field: NULL: of the event as a whole */
void report_problem(struct report *r, const struct hft_log_view *e, const char *field,
		    const char *format, ...)
{
	char time[40], text[512];
	va_list args;

	if (++r->problems > REPORT_PROBLEMS)
		return;
	utc(e->time, time, sizeof(time));
	fprintf(stderr, "%s: %s, stream %" PRIu64 ", record %" PRIu32 ", %s: ",
		program_invocation_short_name, e->stream->log->path, e->stream->id, e->sequence,
		time);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_plain(e->site->subsystem);
	putc(':', stderr);
	print_plain(e->site->name);
	fprintf(stderr, ": %s%s", field ? field : "", field ? " " : "");
	print_plain(text);
	putc('\n', stderr);
}

bool event_is(const struct hft_log_view *e, const char *subsystem, const char *name)
{
	return !strcmp(e->site->name, name) && !strcmp(e->site->subsystem, subsystem);
}

/* NULL: it has no such field, or that is empty. */
const char *event_text(const struct hft_log_view *e, const char *name)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(e, name, &type);
	if (!value || (type != HFT_LOG_STRING && type != HFT_LOG_SYMBOL))
		return NULL;
	return *value->s ? value->s : NULL;
}

/* 0: it has no such field, or that is 0. */
uint64_t event_number(const struct hft_log_view *e, const char *name)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(e, name, &type);
	return value && type == HFT_LOG_U64 ? value->u : 0;
}

/* False: it has no such field, or it was not given. */
bool event_decimal(const struct hft_log_view *e, const char *name, unsigned int places,
		   char *text, size_t size)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(e, name, &type);
	if (!value || type != HFT_LOG_I64 || value->i == HFT_TRADE_NOT_GIVEN)
		return false;
	return decimal(value->i, places, text, size);
}

/* When it was done, UTC: as it says, or when it was logged. */
uint64_t event_time(const struct hft_log_view *e)
{
	uint64_t ns = event_number(e, "event_ns");

	return ns ? ns : e->time;
}
