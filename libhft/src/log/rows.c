// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A record as a line of JSON (RFC 8259) or of CSV (RFC 4180).
 */
#include <math.h>

#include "../api.h"
#include "text.h"

static void hft_put_json(struct hft_text *text, const char *string)
{
	hft_text_put(text, "\"", 1);
	hft_text_encode(text, HFT_JSON, string, strlen(string));
	hft_text_put(text, "\"", 1);
}

static void hft_json_key(struct hft_text *text, const char *key, size_t length)
{
	hft_text_put(text, key, length);
}

/* @key has its quotes, and the comma before it. */
#define hft_json_member(text, key)	hft_json_key(text, key, sizeof(key) - 1)

static void hft_put_json_value(struct hft_text *text, uint8_t type,
			       const union hft_log_view_value *value)
{
	if (type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL)
		hft_put_json(text, value->s);
	else if (type == HFT_LOG_POINTER)
		hft_text_number(text, value->u);
	else if (type == HFT_LOG_DOUBLE && !isfinite(value->d))
		hft_text_put(text, "null", 4);
	else
		hft_text_value(text, type, value);
}

static void hft_put_json_fields(struct hft_text *text, const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	uint32_t i;

	hft_json_member(text, ",\"fields\":{");
	for (i = 0; i < site->nr_fields; i++) {
		if (i)
			hft_text_put(text, ",", 1);
		hft_put_json(text, site->fields[i].name);
		hft_text_put(text, ":", 1);
		hft_put_json_value(text, site->fields[i].type, &view->values[i]);
	}
	hft_text_put(text, "}", 1);
}

static void hft_put_signed_number(struct hft_text *text, int64_t number)
{
	union hft_log_view_value value = { .i = number };

	hft_text_value(text, HFT_LOG_I64, &value);
}

static void hft_put_json_who(struct hft_text *text, const struct hft_log_view_stream *stream)
{
	hft_json_member(text, ",\"host\":");
	hft_put_json(text, stream->log->host);
	hft_json_member(text, ",\"program\":");
	hft_put_json(text, stream->log->program);
	hft_json_member(text, ",\"pid\":");
	hft_text_number(text, stream->log->pid);
	hft_json_member(text, ",\"thread\":");
	hft_put_json(text, stream->thread);
	hft_json_member(text, ",\"tid\":");
	hft_text_number(text, stream->tid);
	hft_json_member(text, ",\"cpu\":");
	hft_put_signed_number(text, stream->cpu);
	hft_json_member(text, ",\"stream\":");
	hft_text_number(text, stream->id);
}

static void hft_put_json_site(struct hft_text *text, const struct hft_log_view_site *site)
{
	hft_json_member(text, ",\"level\":");
	hft_put_json(text, hft_log_level_name((int)site->level));
	hft_json_member(text, ",\"subsystem\":");
	hft_put_json(text, site->subsystem);
	if (*site->name) {
		hft_json_member(text, ",\"name\":");
		hft_put_json(text, site->name);
	}
	hft_json_member(text, ",\"file\":");
	hft_put_json(text, site->file);
	hft_json_member(text, ",\"line\":");
	hft_text_number(text, site->line);
}

static void hft_put_message(struct hft_text *text, enum hft_encoding encoding,
			    const struct hft_log_view *view)
{
	size_t lost;
	char *start;

	hft_text_put(text, "\"", 1);
	lost = text->lost;
	start = text->at;
	hft_text_message(text, view);
	if (text->lost == lost && text->at > start && text->at[-1] == '\n')
		text->at--;
	hft_text_encode_back(text, encoding, lost, start);
	hft_text_put(text, "\"", 1);
}

/**
 * hft_log_view_json() - a record as an object of JSON in one line, without the newline
 * @view: a record of a reader
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * Members are time (UTC, text), time_ns, monotonic_ns, host, program, pid, thread, tid, cpu,
 * stream, sequence, level, subsystem, name (of a typed event), file, line, message (of a
 * message), and fields, an object of the arguments by their names.  Integers may need 64 bits;
 * a double that is no number is null, and a newline
 * at the end of a message is left out.
 *
 * Any thread, for as long as the view is valid.
 *
 * Return: the length of the object without the NUL, if that is less than @size; else a size
 * that is enough, less one.
 */
HFT_API size_t hft_log_view_json(const struct hft_log_view *view, char *text, size_t size)
{
	struct hft_text out = hft_text_begin(text, size);

	hft_json_member(&out, "{\"time\":\"");
	hft_text_time(&out, view->time);
	hft_json_member(&out, "\",\"time_ns\":");
	hft_text_number(&out, view->time);
	hft_json_member(&out, ",\"monotonic_ns\":");
	hft_text_number(&out, view->monotonic);
	hft_put_json_who(&out, view->stream);
	hft_json_member(&out, ",\"sequence\":");
	hft_text_number(&out, view->sequence);
	hft_put_json_site(&out, view->site);
	if (*view->site->format) {
		hft_json_member(&out, ",\"message\":");
		hft_put_message(&out, HFT_JSON, view);
	}
	hft_put_json_fields(&out, view);
	hft_text_put(&out, "}", 1);
	return hft_text_end(&out, text, size);
}

static void hft_put_csv(struct hft_text *text, const char *string)
{
	hft_text_put(text, "\"", 1);
	hft_text_encode(text, HFT_CSV, string, strlen(string));
	hft_text_put(text, "\"", 1);
}

static void hft_csv_text(struct hft_text *text, const char *string)
{
	hft_text_put(text, ",", 1);
	hft_put_csv(text, string);
}

static void hft_csv_number(struct hft_text *text, uint64_t number)
{
	hft_text_put(text, ",", 1);
	hft_text_number(text, number);
}

static void hft_csv_field(struct hft_text *text, const struct hft_log_view *view,
			  const char *name)
{
	const union hft_log_view_value *value;
	uint8_t type;

	value = hft_log_view_find(view, name, &type);
	if (value && (type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL)) {
		hft_csv_text(text, value->s);
		return;
	}
	hft_text_put(text, ",", 1);
	if (value)
		hft_text_value(text, type, value);
}

/**
 * hft_log_view_csv_head() - the titles of hft_log_view_csv()'s columns, without the line's end
 * @fields: as for that
 * @nr_fields: number of @fields
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * Any thread; does not block.
 *
 * Return: as hft_log_view_message().
 */
HFT_API size_t hft_log_view_csv_head(const char *const *fields, uint32_t nr_fields, char *text,
				     size_t size)
{
	struct hft_text out = hft_text_begin(text, size);
	uint32_t i;

	hft_text_string(&out, "time,time_ns,monotonic_ns,host,program,pid,thread,tid,cpu,stream,"
			"sequence,level,subsystem,name,file,line,message");
	for (i = 0; i < nr_fields; i++)
		hft_csv_text(&out, fields[i]);
	return hft_text_end(&out, text, size);
}

/**
 * hft_log_view_csv() - a record as a line of CSV, without the line's end
 * @view: a record of a reader
 * @fields: names of fields that have a column each, empty where a record has no such field
 * @nr_fields: number of @fields
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * The columns are those of hft_log_view_csv_head(); texts are in double quotes, which are
 * doubled within.  Control characters but tabs and ends of lines, and bytes that are no UTF-8,
 * are shown as \\xHH.
 *
 * Any thread, for as long as the view is valid.
 *
 * Return: as hft_log_view_json().
 */
HFT_API size_t hft_log_view_csv(const struct hft_log_view *view, const char *const *fields,
				uint32_t nr_fields, char *text, size_t size)
{
	const struct hft_log_view_stream *stream = view->stream;
	struct hft_text out = hft_text_begin(text, size);
	uint32_t i;

	hft_text_time(&out, view->time);
	hft_csv_number(&out, view->time);
	hft_csv_number(&out, view->monotonic);
	hft_csv_text(&out, stream->log->host);
	hft_csv_text(&out, stream->log->program);
	hft_csv_number(&out, stream->log->pid);
	hft_csv_text(&out, stream->thread);
	hft_csv_number(&out, stream->tid);
	hft_text_put(&out, ",", 1);
	hft_put_signed_number(&out, stream->cpu);
	hft_csv_number(&out, stream->id);
	hft_csv_number(&out, view->sequence);
	hft_csv_text(&out, hft_log_level_name((int)view->site->level));
	hft_csv_text(&out, view->site->subsystem);
	hft_csv_text(&out, view->site->name);
	hft_csv_text(&out, view->site->file);
	hft_csv_number(&out, view->site->line);
	hft_text_put(&out, ",", 1);
	hft_put_message(&out, HFT_CSV, view);
	for (i = 0; i < nr_fields; i++)
		hft_csv_field(&out, view, fields[i]);
	return hft_text_end(&out, text, size);
}
