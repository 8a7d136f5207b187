// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a chunk says of itself: its clock, streams and sites, in lines of JSON that may grow
 * while it is read, and the index of its packets.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "read.h"

#define HFT_SITES_LINE_MAX	(1u << 20)
#define HFT_INDEX_MAX		(64u << 20)

static const char *hft_json_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* An integer from @least to @most, or @missing. */
static int64_t hft_json_number(const json_t *object, const char *key, int64_t least,
			       int64_t most, int64_t missing)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number = json_integer_value(value);

	return json_is_integer(value) && number >= least && number <= most ? number : missing;
}

static int hft_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Hex digits, with dashes wherever they are. */
static bool hft_read_uuid(uint8_t uuid[16], const char *text)
{
	unsigned int digits = 0;
	uint8_t byte = 0;

	for (; *text; text++) {
		int digit = hft_hex_digit(*text);

		if (*text == '-')
			continue;
		if (digit < 0 || digits == 32)
			return false;
		byte = (uint8_t)(byte << 4 | digit);
		if (digits++ & 1)
			uuid[digits / 2 - 1] = byte;
	}
	return digits == 32;
}

static int hft_read_log_line(struct hft_log_reader *reader, struct hft_read_folder *folder,
			     struct hft_read_chunk *chunk, const json_t *line)
{
	const json_t *clock = json_object_get(line, "clock");
	struct hft_log_view_log log = {
		.path = folder->path,
		.uuid = hft_json_text(line, "uuid"),
		.host = hft_json_text(line, "host"),
		.program = hft_json_text(line, "program"),
		.pid = (uint32_t)hft_json_number(line, "pid", 0, UINT32_MAX, 0),
	};

	if (hft_json_number(line, "version", 1, INT64_MAX, 0) != 1 ||
	    !hft_read_uuid(chunk->uuid, log.uuid))
		return -EBADMSG;
	if (hft_read_clock_set(&chunk->clock,
			       (uint64_t)hft_json_number(clock, "freq", 1, INT64_MAX, 0),
			       hft_json_number(clock, "offset_s", INT64_MIN, INT64_MAX, 0),
			       hft_json_number(clock, "offset", INT64_MIN, INT64_MAX, 0),
			       hft_json_number(clock, "monotonic_at_0", INT64_MIN, INT64_MAX, 0)))
		return -EBADMSG;
	chunk->clock.boot = hft_read_boot_find(reader, line);
	hft_read_clock_second(&chunk->clock, 0);
	chunk->log = hft_read_log_get(reader, &log);
	if (!chunk->log)
		return -ENOMEM;
	chunk->known = true;
	return 0;
}

static struct hft_read_listed *hft_find_listed(const struct hft_read_chunk *chunk, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < chunk->nr_streams; i++)
		if (chunk->streams[i].id == id)
			return &chunk->streams[i];
	return NULL;
}

static int hft_add_stream(struct hft_read_chunk *chunk, uint64_t id,
			  struct hft_read_stream *stream)
{
	struct hft_read_listed *streams = hft_find_listed(chunk, id);

	if (streams) {
		streams->stream = stream;
		return 0;
	}
	streams = reallocarray(chunk->streams, chunk->nr_streams + 1, sizeof(*streams));
	if (!streams)
		return -ENOMEM;
	chunk->streams = streams;
	streams[chunk->nr_streams++] = (struct hft_read_listed){ id, stream };
	return 0;
}

/* Of a stream that was merged: where it is from. */
static int hft_read_source(struct hft_log_reader *reader, struct hft_log_view_stream *view,
			   const json_t *from)
{
	struct hft_log_view_log log = {
		.path = view->log->path,
		.uuid = hft_json_text(from, "uuid"),
		.host = hft_json_text(from, "host"),
		.program = hft_json_text(from, "program"),
		.pid = (uint32_t)hft_json_number(from, "pid", 0, UINT32_MAX, 0),
		.merged = true,
	};
	int64_t id = hft_json_number(from, "stream", 0, INT64_MAX, -1);
	struct hft_read_log *known;
	uint8_t uuid[16];

	if (id < 0 || !hft_read_uuid(uuid, log.uuid))
		return -EBADMSG;
	known = hft_read_log_get(reader, &log);
	if (!known)
		return -ENOMEM;
	view->log = &known->view;
	view->id = (uint64_t)id;
	return 0;
}

static int hft_read_stream_line(struct hft_log_reader *reader, struct hft_read_chunk *chunk,
				const json_t *line)
{
	struct hft_log_view_stream view = {
		.log = &chunk->log->view,
		.id = (uint64_t)hft_json_number(line, "id", 0, INT64_MAX, INT64_MAX),
		.tid = (uint32_t)hft_json_number(line, "tid", 0, UINT32_MAX, 0),
		.cpu = (int32_t)hft_json_number(line, "cpu", -1, INT32_MAX, -1),
		.thread = hft_json_text(line, "thread"),
		.policy = hft_json_text(line, "policy"),
	};
	const json_t *from = json_object_get(line, "from");
	uint64_t id = view.id;
	struct hft_read_stream *stream;
	int err = from ? hft_read_source(reader, &view, from) : 0;

	if (err)
		return err;
	stream = hft_read_stream_get(reader, &view);
	return stream ? hft_add_stream(chunk, id, stream) : -ENOMEM;
}

static bool hft_known_type(const char *type)
{
	return strlen(type) == 1 && strchr("uidpstcyn", *type);
}

static int hft_read_fields(const json_t *list, struct hft_log_view_site *site)
{
	struct hft_log_view_field *fields;
	const json_t *item;
	size_t i;

	site->nr_fields = (uint32_t)json_array_size(list);
	if (site->nr_fields > HFT_LOG_RECORD_MAX)
		return -EBADMSG;
	fields = calloc(site->nr_fields + 1u, sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	site->fields = fields;
	json_array_foreach(list, i, item) {
		const char *type = hft_json_text(item, "type");

		if (!hft_known_type(type))
			return -EBADMSG;
		fields[i].name = hft_json_text(item, "name");
		fields[i].type = (uint8_t)*type;
	}
	return 0;
}

int hft_read_chunk_set_site(struct hft_read_chunk *chunk, uint32_t id,
			    struct hft_read_site *site)
{
	uint32_t room = chunk->nr_sites ? chunk->nr_sites : 32;
	struct hft_read_site **sites;

	while (room <= id)
		room *= 2;
	if (room > chunk->nr_sites) {
		sites = reallocarray(chunk->sites, room, sizeof(*sites));
		if (!sites)
			return -ENOMEM;
		memset(sites + chunk->nr_sites, 0, (room - chunk->nr_sites) * sizeof(*sites));
		chunk->sites = sites;
		chunk->nr_sites = room;
	}
	chunk->sites[id] = site;
	return 0;
}

static int hft_read_site_line(struct hft_log_reader *reader, struct hft_read_chunk *chunk,
			      const json_t *line)
{
	int64_t id = hft_json_number(line, "id", 0, UINT16_MAX, -1);
	int level = hft_log_level_parse(hft_json_text(line, "level"));
	struct hft_log_view_site site = {
		.subsystem = hft_json_text(line, "subsystem"),
		.name = hft_json_text(line, "name"),
		.format = hft_json_text(line, "format"),
		.file = hft_json_text(line, "file"),
		.line = (uint32_t)hft_json_number(line, "line", 0, UINT32_MAX, 0),
		.level = (uint32_t)level,
		.id = (uint32_t)id,
	};
	struct hft_read_site *known;
	int err;

	if (id < 0 || level < 0)
		return -EBADMSG;
	err = hft_read_fields(json_object_get(line, "fields"), &site);
	if (!err) {
		known = hft_read_site_get(reader, &site);
		err = known ? hft_read_chunk_set_site(chunk, (uint32_t)id, known) : -ENOMEM;
	}
	free((void *)site.fields);
	return err;
}

/* 0, -ENOMEM, or -EBADMSG: it is no line of hft/sites */
int hft_read_chunk_object(struct hft_log_reader *reader, struct hft_read_folder *folder,
			  struct hft_read_chunk *chunk, const json_t *object)
{
	const json_t *line = json_object_get(object, "log");

	if (line)
		return hft_read_log_line(reader, folder, chunk, line);
	if (!chunk->known)
		return -EBADMSG;
	line = json_object_get(object, "stream");
	if (line)
		return hft_read_stream_line(reader, chunk, line);
	line = json_object_get(object, "site");
	return line ? hft_read_site_line(reader, chunk, line) : 0;
}

/* A chunk may be read again for each of its streams, and each line be none. */
static void hft_note_line(struct hft_log_reader *reader, struct hft_read_chunk *chunk,
			  const char *text)
{
	if (chunk->sites_read < chunk->sites_judged)
		return;
	chunk->sites_judged = chunk->sites_read + 1;
	if (chunk->bad_lines++ < HFT_READ_TOLD)
		hft_read_notice(reader, HFT_LOG_NOTICE_DAMAGED, chunk->path, chunk->sites_read,
				NULL, text);
}

static void hft_note_more_lines(struct hft_log_reader *reader, struct hft_read_chunk *chunk)
{
	char text[64];

	if (chunk->bad_lines <= HFT_READ_TOLD)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " more lines of hft/sites are none",
		 chunk->bad_lines - HFT_READ_TOLD);
	hft_read_notice(reader, HFT_LOG_NOTICE_DAMAGED, chunk->path, chunk->sites_read, NULL, text);
	chunk->bad_lines = HFT_READ_TOLD;
}

/* What a later version of this library may write is passed by; what is no JSON is told. */
static int hft_read_line(struct hft_log_reader *reader, struct hft_read_folder *folder,
			 struct hft_read_chunk *chunk, const char *text, size_t size)
{
	json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	int err = -EBADMSG;

	if (object)
		err = hft_read_chunk_object(reader, folder, chunk, object);
	json_decref(object);
	if (err != -EBADMSG)
		return err;
	hft_note_line(reader, chunk, "a line of hft/sites is none");
	return 0;
}

/* Lines that are there in whole; returns the bytes that they have, or -errno. */
static int64_t hft_read_lines(struct hft_log_reader *reader, struct hft_read_folder *folder,
			      struct hft_read_chunk *chunk, const char *text, size_t size)
{
	const char *at = text, *end;
	int err;

	while ((end = memchr(at, '\n', size - (size_t)(at - text)))) {
		err = hft_read_line(reader, folder, chunk, at, (size_t)(end - at));
		if (err)
			return err;
		chunk->sites_read += (uint64_t)(end + 1 - at);
		at = end + 1;
	}
	if (at == text && size >= HFT_SITES_LINE_MAX) {
		hft_note_line(reader, chunk, "a line of hft/sites does not end");
		chunk->sites_read += size;
		return (int64_t)size;
	}
	return at - text;
}

/* A link or a pipe in the folder of a chunk is none of its files. */
int hft_read_open_below(const char *path, const char *name)
{
	struct stat stat;
	char *file;
	int fd;

	if (asprintf(&file, "%s/%s", path, name) < 0)
		return -ENOMEM;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		fd = -errno;
	free(file);
	if (fd < 0 || (!fstat(fd, &stat) && S_ISREG(stat.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

/* Read what was added to the chunk's sites. */
int hft_read_chunk_more(struct hft_log_reader *reader, struct hft_read_folder *folder,
			struct hft_read_chunk *chunk)
{
	int fd = hft_read_open_below(chunk->path, "hft/sites");
	int64_t done = 1;
	char *text;

	if (fd < 0)
		return fd;
	text = malloc(HFT_SITES_LINE_MAX);	/* untouched where there is less */
	while (text && done > 0) {
		done = pread(fd, text, HFT_SITES_LINE_MAX, (off_t)chunk->sites_read);
		if (done < 0)
			done = -errno;
		if (done > 0)
			done = hft_read_lines(reader, folder, chunk, text, (size_t)done);
	}
	close(fd);
	free(text);
	hft_note_more_lines(reader, chunk);
	return text ? (int)done : -ENOMEM;
}

/* An index that is not there, or only in part, makes reading slower and nothing else. */
static void hft_read_index(struct hft_read_chunk *chunk)
{
	int fd = hft_read_open_below(chunk->path, "hft/index");
	struct stat stat;
	ssize_t got = -1;
	size_t size = 0;

	if (fd < 0)
		return;
	if (!fstat(fd, &stat) && stat.st_size > 0)
		size = stat.st_size < HFT_INDEX_MAX ? (size_t)stat.st_size : HFT_INDEX_MAX;
	if (size)
		chunk->index = malloc(size);
	if (chunk->index)
		got = pread(fd, chunk->index, size, 0);
	if (got > 0)
		chunk->nr_index = (size_t)got / sizeof(*chunk->index);
	close(fd);
}

bool hft_read_chunk_sealed(struct hft_read_chunk *chunk)
{
	int fd;

	if (chunk->sealed)
		return true;
	fd = hft_read_open_below(chunk->path, "hft/seal");
	chunk->sealed = fd >= 0;
	if (fd >= 0)
		close(fd);
	return chunk->sealed;
}

static void hft_read_chunk_drop(struct hft_read_chunk *chunk)
{
	free(chunk->sites);
	free(chunk->streams);
	free(chunk->index);
	chunk->sites = NULL;
	chunk->streams = NULL;
	chunk->index = NULL;
	chunk->nr_sites = 0;
	chunk->nr_streams = 0;
	chunk->nr_index = 0;
	chunk->sites_read = 0;
	chunk->known = false;
}

/* hft/sites is not there, or has no clock: what metadata has is better than nothing. */
static int hft_use_metadata(struct hft_log_reader *reader, struct hft_read_folder *folder,
			    struct hft_read_chunk *chunk)
{
	int err;

	if (access(chunk->path, F_OK))
		return -ENOENT;			/* it was removed */
	err = hft_read_metadata(reader, folder, chunk);
	if (err != -ENOMEM && !chunk->told)
		hft_read_notice(reader, HFT_LOG_NOTICE_UNREADABLE, chunk->path, 0, NULL, err ?
				"neither hft/sites nor metadata say what is in the chunk" :
				"hft/sites can not be read: records are as metadata has them");
	chunk->told = true;
	return err;
}

/*
 * Have the chunk's clock, sites and streams there until it is put.  -ENOENT: the chunk is not
 * there, -ENODATA: it says nothing of itself, which was told.
 */
int hft_read_chunk_use(struct hft_log_reader *reader, struct hft_read_folder *folder,
		       struct hft_read_chunk *chunk)
{
	int err;

	if (chunk->users++)
		return 0;
	err = hft_read_chunk_more(reader, folder, chunk);
	if (err != -ENOMEM && !chunk->known)
		err = hft_use_metadata(reader, folder, chunk);
	if (!err && reader->filters && hft_read_chunk_sealed(chunk))
		hft_read_index(chunk);
	if (err)
		hft_read_chunk_put(chunk);
	return err;
}

void hft_read_chunk_put(struct hft_read_chunk *chunk)
{
	if (!--chunk->users)
		hft_read_chunk_drop(chunk);
}

static struct hft_read_stream *hft_find_stream(const struct hft_read_chunk *chunk, uint64_t id)
{
	const struct hft_read_listed *listed = hft_find_listed(chunk, id);

	return listed ? listed->stream : NULL;
}

/* Who wrote stream @id, which an open chunk may come to list later; NULL: no memory. */
struct hft_read_stream *hft_read_chunk_stream(struct hft_log_reader *reader,
					      struct hft_read_folder *folder,
					      struct hft_read_chunk *chunk, uint64_t id,
					      bool *listed)
{
	struct hft_log_view_stream view = {
		.log = &chunk->log->view, .id = id, .cpu = -1, .thread = "", .policy = ""
	};
	struct hft_read_stream *stream = hft_find_stream(chunk, id);

	if (!stream && hft_read_chunk_more(reader, folder, chunk) != -ENOMEM)
		stream = hft_find_stream(chunk, id);
	*listed = stream;
	return stream ? stream : hft_read_stream_get(reader, &view);
}
