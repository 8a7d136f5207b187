// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A chunk whose hft/sites is not there, by its metadata, as every reader of CTF has it: what
 * metadata.c writes, a line for each thing, becomes lines of hft/sites.  It has no streams, no
 * CLOCK_MONOTONIC, and not what fields are for; a message has its format as a name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "read.h"

enum hft_block { HFT_NO_BLOCK, HFT_TRACE, HFT_ENV, HFT_CLOCK, HFT_EVENT };

struct hft_metadata {
	struct hft_log_reader *reader;
	struct hft_read_folder *folder;
	struct hft_read_chunk *chunk;
	enum hft_block block;
	json_t *log, *clock, *site;
};

static bool hft_is_octal(const char *text)
{
	return strspn(text, "01234567") >= 3;
}

/* What stands in quotes at @text, in its place; NULL: there are none. */
static char *hft_unquote(char *text)
{
	char *from = text + 1, *to = text;

	if (*text != '"')
		return NULL;
	for (; *from && *from != '"'; from++) {
		if (*from == '\\' && hft_is_octal(from + 1)) {
			*to++ = (char)((from[1] & 3) << 6 | (from[2] & 7) << 3 | (from[3] & 7));
			from += 3;
			continue;
		}
		from += *from == '\\' && from[1];
		*to++ = *from;
	}
	*to = '\0';
	return text;
}

/* As the writer of hft/sites has it: what is no UTF-8 has question marks. */
static json_t *hft_utf8(char *text)
{
	json_t *value = json_string(text);
	char *at;

	for (at = text; !value && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return value ? value : json_string(text);
}

static void hft_put_text(json_t *object, const char *key, char *value)
{
	char *text = hft_unquote(value);

	if (text)
		json_object_set_new(object, key, hft_utf8(text));
}

static void hft_put_number(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_integer(strtoll(value, NULL, 10)));
}

/* "subsystem:name" */
static void hft_put_name(json_t *site, char *value)
{
	char *text = hft_unquote(value), *colon = text ? strchr(text, ':') : NULL;

	if (!colon)
		return;
	*colon = '\0';
	json_object_set_new(site, "subsystem", hft_utf8(text));
	json_object_set_new(site, "name", hft_utf8(colon + 1));
}

/* "file:line" */
static void hft_put_place(json_t *site, char *value)
{
	char *text = hft_unquote(value), *colon = text ? strrchr(text, ':') : NULL;

	if (!colon)
		return;
	*colon = '\0';
	json_object_set_new(site, "file", hft_utf8(text));
	hft_put_number(site, "line", colon + 1);
}

/* Of lttng-ust: see metadata.c.  What is below debug is not told from it. */
static void hft_put_level(json_t *site, const char *value)
{
	static const char *const names[] = { "error", "warn", "notice", "info" };
	long number = strtol(value, NULL, 10) - 3;

	json_object_set_new(site, "level", json_string(number >= 0 && number < 4 ?
						       names[number] : "debug"));
}

static void hft_put_field(json_t *site, char *line)
{
	static const struct {
		const char *text, *type;
	} types[] = {
		{ "uint64_t _", "u" }, { "int64_t _", "i" }, { "double _", "d" },
		{ "pointer_t _", "p" }, { "string { encoding = UTF8; } _", "s" },
	};
	json_t *fields = json_object_get(site, "fields");
	size_t i, length;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		length = strlen(types[i].text);
		if (strncmp(line, types[i].text, length))
			continue;
		line[length + strcspn(line + length, ";")] = '\0';
		json_array_append_new(fields, json_pack("{s:o,s:s}", "name",
							hft_utf8(line + length), "type",
							types[i].type));
	}
}

static void hft_event_line(json_t *site, char *line)
{
	char *value = strstr(line, " = ");

	if (line[0] == '\t' && line[1] == '\t') {
		hft_put_field(site, line + 2);
	} else if (value) {
		value += 3;
		if (!strncmp(line, "\tname ", 6))
			hft_put_name(site, value);
		else if (!strncmp(line, "\tid ", 4))
			hft_put_number(site, "id", value);
		else if (!strncmp(line, "\tloglevel ", 10))
			hft_put_level(site, value);
		else if (!strncmp(line, "\tmodel.emf.uri ", 15))
			hft_put_place(site, value);
	}
}

/* Lines of a block whose keys are those of hft/sites, but for two */
static void hft_plain_line(json_t *object, char *line)
{
	char *value = strstr(line, " = ");

	if (!value || *line != '\t')
		return;
	*value = '\0';
	value += 3;
	if (!strcmp(line, "\thostname"))
		hft_put_text(object, "host", value);
	else if (!strcmp(line, "\tprocname"))
		hft_put_text(object, "program", value);
	else if (!strcmp(line, "\tvpid"))
		hft_put_number(object, "pid", value);
	else if (*value == '"')
		hft_put_text(object, line + 1, value);
	else
		hft_put_number(object, line + 1, value);
}

static void hft_begin_block(struct hft_metadata *metadata, const char *line)
{
	if (!strcmp(line, "trace {"))
		metadata->block = HFT_TRACE;
	else if (!strcmp(line, "env {"))
		metadata->block = HFT_ENV;
	else if (!strcmp(line, "clock {"))
		metadata->block = HFT_CLOCK;
	else if (!strcmp(line, "event {"))
		metadata->block = HFT_EVENT;
	if (metadata->block == HFT_EVENT) {
		json_decref(metadata->site);
		metadata->site = json_pack("{s:[]}", "fields");
	}
}

/* The clock is the last of what there is of the log. */
static int hft_end_block(struct hft_metadata *metadata)
{
	struct hft_read_chunk *chunk = metadata->chunk;
	json_int_t id = json_integer_value(json_object_get(metadata->site, "id"));
	enum hft_block block = metadata->block;
	json_t *line = NULL;
	int err = 0;

	metadata->block = HFT_NO_BLOCK;
	if (block == HFT_CLOCK && !chunk->known)
		line = json_pack("{s:O}", "log", metadata->log);
	else if (block == HFT_EVENT && !(id >= 0 && id < chunk->nr_sites && chunk->sites[id]))
		line = json_pack("{s:O}", "site", metadata->site);
	if (line)
		err = hft_read_chunk_object(metadata->reader, metadata->folder, chunk, line);
	json_decref(line);
	return err == -ENOMEM ? err : 0;
}

static int hft_metadata_line(struct hft_metadata *metadata, char *line)
{
	if (!strcmp(line, "};"))
		return hft_end_block(metadata);
	switch (metadata->block) {
	case HFT_NO_BLOCK:
		hft_begin_block(metadata, line);
		break;
	case HFT_TRACE:
	case HFT_ENV:
		hft_plain_line(metadata->log, line);
		break;
	case HFT_CLOCK:
		hft_plain_line(metadata->clock, line);
		break;
	case HFT_EVENT:
		hft_event_line(metadata->site, line);
	}
	return 0;
}

static FILE *hft_open_metadata(const struct hft_read_chunk *chunk)
{
	int fd = hft_read_open_below(chunk->path, "metadata");
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* What @chunk does not know yet.  -ENODATA: not even its clock is there. */
int hft_read_metadata(struct hft_log_reader *reader, struct hft_read_folder *folder,
		      struct hft_read_chunk *chunk)
{
	struct hft_metadata metadata = { reader, folder, chunk, .block = HFT_NO_BLOCK };
	FILE *file = hft_open_metadata(chunk);
	size_t room = 0;
	char *line = NULL;
	ssize_t length;
	int err = 0;

	if (!file)
		return -ENODATA;
	metadata.clock = json_object();
	metadata.log = json_pack("{s:i,s:O}", "version", 1, "clock", metadata.clock);
	while (!err && (length = getline(&line, &room, file)) > 0) {
		line[length - (line[length - 1] == '\n')] = '\0';
		err = hft_metadata_line(&metadata, line);
	}
	json_decref(metadata.site);
	json_decref(metadata.clock);
	json_decref(metadata.log);
	free(line);
	fclose(file);
	return !err && !chunk->known ? -ENODATA : err;
}
