// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What describes the records of a chunk: TSDL (CTF 1.8.3, section 7 and appendix C) for
 * every reader of CTF, and lines of JSON for ours.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <hft/log_ring.h>

#include "../options.h"
#include "store_internal.h"

static const char *const level_names[] = {
	"error", "warn", "notice", "info", "debug", "trace",
};

/* Of lttng-ust: TRACE_ERR, _WARNING, _NOTICE, _INFO, _DEBUG and what is below it */
static const int level_numbers[] = { 3, 4, 5, 6, 14, 14 };

static const char uuid_format[] =
	"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x";

static void print_uuid(const uint8_t *u, char *text, size_t size)
{
	snprintf(text, size, uuid_format, u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8],
		 u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int put(struct log_text *to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int put(struct log_text *to, const char *format, ...)
{
	char *text;
	va_list args;
	int length, err;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return hft_fail(ENOMEM, "a log's metadata");
	err = hft_store_text_add(to, text, (size_t)length);
	free(text);
	return err;
}

/* A literal of TSDL: that of C, all but ASCII as it is, which is to be UTF-8. */
static int put_quoted(struct log_text *to, const char *text)
{
	int err = put(to, "\"");

	for (; !err && *text; text++) {
		if (*text == '"' || *text == '\\')
			err = put(to, "\\%c", *text);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			err = put(to, "\\%03o", (unsigned char)*text);
		else
			err = hft_store_text_add(to, text, 1);
	}
	return err ? err : put(to, "\"");
}

static const char preamble[] =
	"/* CTF 1.8 */\n"
	"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
	"typealias integer { size = 16; align = 16; signed = false; } := uint16_t;\n"
	"typealias integer { size = 32; align = 32; signed = false; } := uint32_t;\n"
	"typealias integer { size = 64; align = 64; signed = false; } := uint64_t;\n"
	"typealias integer { size = 64; align = 64; signed = true; } := int64_t;\n"
	"typealias integer { size = 64; align = 64; signed = false; base = 16; } := pointer_t;\n"
	"typealias floating_point { exp_dig = 11; mant_dig = 53; align = 64; } := double;\n";

static const char layout[] =
	"stream {\n"
	"\tid = 0;\n"
	"\tevent.header := struct {\n"
	"\t\tuint16_t id;\n"
	"\t\tstamp_t timestamp;\n"
	"\t} align(64);\n"
	"\tpacket.context := struct {\n"
	"\t\tuint64_t packet_size;\n"
	"\t\tuint64_t content_size;\n"
	"\t\tstamp_t timestamp_begin;\n"
	"\t\tstamp_t timestamp_end;\n"
	"\t\tuint64_t events_discarded;\n"
	"\t\tuint64_t packet_seq_num;\n"
	"\t};\n"
	"};\n";

static int put_trace(struct log_text *to, const uint8_t *bytes)
{
	char uuid[37];

	print_uuid(bytes, uuid, sizeof(uuid));
	return put(to, "trace {\n\tmajor = 1;\n\tminor = 8;\n\tuuid = \"%s\";\n"
		   "\tbyte_order = le;\n\tpacket.header := struct {\n\t\tuint32_t magic;\n"
		   "\t\tuint32_t stream_id;\n\t\tuint8_t uuid[16];\n"
		   "\t\tuint64_t stream_instance_id;\n\t} align(64);\n};\n", uuid);
}

static int put_env(struct log_text *to, const struct hft_log_store_origin *origin)
{
	int err = put(to, "env {\n\tdomain = \"ust\";\n\ttracer_name = \"hft\";\n"
		      "\ttracer_major = 0;\n\ttracer_minor = 1;\n\tvpid = %u;\n\thostname = ",
		      origin->pid);

	if (!err)
		err = put_quoted(to, origin->host);
	if (!err)
		err = put(to, ";\n\tprocname = ");
	if (!err)
		err = put_quoted(to, origin->program);
	return err ? err : put(to, ";\n};\n");
}

static int put_clock(struct log_text *to, const struct hft_log_store_clock *clock)
{
	return put(to, "clock {\n\tname = \"%s\";\n\tfreq = %llu;\n\toffset_s = %lld;\n"
		   "\toffset = %llu;\n\tabsolute = true;\n};\n"
		   "typealias integer { size = 64; align = 64; signed = false;\n"
		   "\tmap = clock.%s.value; } := stamp_t;\n",
		   clock->name, (unsigned long long)clock->freq, (long long)clock->offset_s,
		   (unsigned long long)clock->offset, clock->name);
}

int hft_store_metadata_begin(struct log_text *to, const struct hft_log_store_origin *origin)
{
	int err = hft_store_text_add(to, preamble, sizeof(preamble) - 1);

	if (!err)
		err = put_trace(to, origin->uuid);
	if (!err)
		err = put_env(to, origin);
	if (!err)
		err = put_clock(to, &origin->clock);
	return err ? err : hft_store_text_add(to, layout, sizeof(layout) - 1);
}

static const char *type_of(enum hft_log_type type)
{
	switch (type) {
	case HFT_LOG_I64:
		return "int64_t";
	case HFT_LOG_DOUBLE:
		return "double";
	case HFT_LOG_POINTER:
		return "pointer_t";
	case HFT_LOG_STRING:
	case HFT_LOG_SYMBOL:
		return "string { encoding = UTF8; }";
	default:
		return "uint64_t";
	}
}

/* Is there a field of that name before the n-th? */
static bool is_taken(const struct hft_log_store_site *site, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(site->fields[i].name, site->fields[n].name))
			return true;
	return false;
}

/* With '_' before it no name is a keyword; readers take that away again. */
static int put_field(struct log_text *to, const struct hft_log_store_site *site, uint32_t n)
{
	const char *name = site->fields[n].name;
	int err = put(to, "\t\t%s _", type_of(site->fields[n].type));

	for (; !err && *name; name++)
		err = put(to, "%c", isalnum((unsigned char)*name) ? *name : '_');
	if (!err && is_taken(site, n))
		err = put(to, "_%u", n);
	return err ? err : put(to, ";\n");
}

static int put_name(struct log_text *to, const struct hft_log_store_site *site)
{
	const char *name = site->name && *site->name ? site->name : site->format;
	char *text;
	int err;

	if (asprintf(&text, "%s:%s", site->subsystem, name) < 0)
		return hft_fail(ENOMEM, "a log's metadata");
	err = put_quoted(to, text);
	free(text);
	return err;
}

static int put_place(struct log_text *to, const struct hft_log_store_site *site)
{
	char *text;
	int err;

	if (asprintf(&text, "%s:%u", site->file, site->line) < 0)
		return hft_fail(ENOMEM, "a log's metadata");
	err = put_quoted(to, text);
	free(text);
	return err;
}

int hft_store_metadata_site(struct log_text *to, const struct hft_log_store_site *site)
{
	uint32_t i;
	int err = put(to, "event {\n\tname = ");

	if (!err)
		err = put_name(to, site);
	if (!err)
		err = put(to, ";\n\tid = %u;\n\tstream_id = 0;\n\tloglevel = %d;\n"
			  "\tmodel.emf.uri = ", site->id, level_numbers[site->level]);
	if (!err)
		err = put_place(to, site);
	if (!err)
		err = put(to, ";\n\tfields := struct {\n");
	for (i = 0; !err && i < site->nr_fields; i++)
		err = put_field(to, site, i);
	return err ? err : put(to, "\t};\n};\n");
}

/* Takes the reference to @line. */
static int put_line(struct log_text *to, const char *key, json_t *line)
{
	json_t *object = line ? json_pack("{s:o}", key, line) : NULL;
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int err = text ? put(to, "%s\n", text) : hft_fail(ENOMEM, "a line of hft/sites");

	free(text);
	json_decref(object);
	return err;
}

/* A string of JSON is UTF-8: what is not is put as '?'. */
static json_t *string(const char *text)
{
	json_t *value = json_string(text ? text : "");
	char *copy, *at;

	if (value)
		return value;
	copy = strdup(text);
	for (at = copy; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	value = copy ? json_string(copy) : NULL;
	free(copy);
	return value;
}

/* What sets the log against others of the same boot: the stamp from which on its clock is so. */
static json_t *boot_of(const struct hft_log_store_origin *origin)
{
	const struct hft_log_store_clock *clock = &origin->clock;
	uint64_t passed = hft_store_monotonic() - (uint64_t)clock->monotonic_at_0;

	if (!*origin->boot)
		return json_object();
	return json_pack("{s:s,s:I}", "boot", origin->boot, "since",
		(json_int_t)((unsigned __int128)passed * clock->freq / NSEC_PER_SEC));
}

/* Who repairs the chunk knows by this that it wants a key. */
static json_t *key_of(const struct hft_log_key *key)
{
	char text[2 * HFT_LOG_KEY_BYTES + 1];

	if (!key)
		return json_object();
	hft_log_hex_print(key->public, HFT_LOG_KEY_BYTES, text);
	return json_pack("{s:s}", "key", text);
}

int hft_store_sites_begin(struct log_text *to, const struct hft_log_store_origin *origin,
			  const struct hft_log_key *key)
{
	const struct hft_log_store_clock *clock = &origin->clock;
	json_t *line, *boot = boot_of(origin), *signer = key_of(key);
	char uuid[37];

	print_uuid(origin->uuid, uuid, sizeof(uuid));
	line = json_pack("{s:i,s:s,s:o,s:I,s:o,s:{s:s,s:I,s:I,s:I,s:I}}",
		"version", 1, "uuid", uuid, "host", string(origin->host),
		"pid", (json_int_t)origin->pid, "program", string(origin->program), "clock",
		"name", clock->name, "freq", (json_int_t)clock->freq,
		"offset_s", (json_int_t)clock->offset_s, "offset", (json_int_t)clock->offset,
		"monotonic_at_0", (json_int_t)clock->monotonic_at_0);
	if (!boot || !signer || (line && (json_object_update(line, boot) ||
					  json_object_update(line, signer)))) {
		json_decref(line);
		line = NULL;
	}
	json_decref(boot);
	json_decref(signer);
	return put_line(to, "log", line);
}

static json_t *source_of(const struct hft_log_store_source *source)
{
	return json_pack("{s:o,s:o,s:I,s:o,s:I}", "uuid", string(source->uuid),
		"host", string(source->host), "pid", (json_int_t)source->pid,
		"program", string(source->program), "stream", (json_int_t)source->stream);
}

int hft_store_sites_stream(struct log_text *to, const struct hft_log_store_stream *stream)
{
	json_t *line = json_pack("{s:I,s:I,s:o,s:I,s:s}",
		"id", (json_int_t)stream->id, "tid", (json_int_t)stream->tid,
		"thread", string(stream->thread), "cpu", (json_int_t)stream->cpu,
		"policy", stream->policy);

	if (stream->source && json_object_set_new(line, "from", source_of(stream->source))) {
		json_decref(line);
		line = NULL;
	}
	return put_line(to, "stream", line);
}

int hft_store_sites_site(struct log_text *to, const struct hft_log_store_site *site)
{
	json_t *fields = json_array(), *line;
	char type[2] = "";
	uint32_t i;

	for (i = 0; i < site->nr_fields; i++) {
		type[0] = (char)site->fields[i].type;
		json_array_append_new(fields, json_pack("{s:o,s:s}", "name",
			string(site->fields[i].name), "type", type));
	}
	line = json_pack("{s:i,s:o,s:o,s:s,s:b,s:o,s:o,s:I,s:o}", "id", site->id,
			 "name", string(site->name), "subsystem", string(site->subsystem),
			 "level", level_names[site->level],
			 "audit", site->lane == HFT_LOG_AUDIT, "format", string(site->format),
			 "file", string(site->file), "line", (json_int_t)site->line,
			 "fields", fields);
	return put_line(to, "site", line);
}
