// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logs, streams and sites that a reader met.  Each is one piece of memory with its texts at
 * the end, and stays until the reader is closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

#define HFT_CACHE_LINE	64u

/*
 * Others may show records while the reader goes on: nothing that it writes is in a cache line of
 * what they read.
 */
void *hft_read_alloc_shared(size_t size)
{
	void *memory;

	size = (size + HFT_CACHE_LINE - 1) / HFT_CACHE_LINE * HFT_CACHE_LINE;
	memory = aligned_alloc(HFT_CACHE_LINE, size);
	return memory ? memset(memory, 0, size) : NULL;
}

static char *hft_put_text(char **at, const char *text)
{
	char *copy = *at;
	size_t size = strlen(text) + 1;

	memcpy(copy, text, size);
	*at += size;
	return copy;
}

struct hft_read_log *hft_read_log_get(struct hft_log_reader *reader,
				      const struct hft_log_view_log *view)
{
	struct hft_read_log *log;
	char *text;

	for (log = reader->logs; log; log = log->next)
		if (log->view.pid == view->pid && log->view.merged == view->merged &&
		    !strcmp(log->view.path, view->path) &&
		    !strcmp(log->view.uuid, view->uuid) && !strcmp(log->view.host, view->host) &&
		    !strcmp(log->view.program, view->program))
			return log;
	log = hft_read_alloc_shared(sizeof(*log) + strlen(view->path) + strlen(view->uuid) +
				    strlen(view->host) + strlen(view->program) + 4);
	if (!log)
		return NULL;
	text = (char *)(log + 1);
	log->view = *view;
	log->view.path = hft_put_text(&text, view->path);
	log->view.uuid = hft_put_text(&text, view->uuid);
	log->view.host = hft_put_text(&text, view->host);
	log->view.program = hft_put_text(&text, view->program);
	log->view.number = reader->nr_logs++;
	log->next = reader->logs;
	reader->logs = log;
	return log;
}

static bool hft_stream_is(const struct hft_log_view_stream *a,
			  const struct hft_log_view_stream *b)
{
	return a->log == b->log && a->id == b->id && a->tid == b->tid && a->cpu == b->cpu &&
	       !strcmp(a->thread, b->thread) && !strcmp(a->policy, b->policy);
}

struct hft_read_stream *hft_read_stream_get(struct hft_log_reader *reader,
					    const struct hft_log_view_stream *view)
{
	struct hft_read_stream **bucket = &reader->streams[view->id % HFT_READ_BUCKETS];
	struct hft_read_stream *stream;
	char *text;

	for (stream = *bucket; stream; stream = stream->next)
		if (hft_stream_is(&stream->view, view))
			return stream;
	stream = hft_read_alloc_shared(sizeof(*stream) + strlen(view->thread) +
				       strlen(view->policy) + 2 +
				       hft_read_stream_title(view, NULL) + HFT_READ_PADDING);
	if (!stream)
		return NULL;
	text = (char *)(stream + 1);
	stream->view = *view;
	stream->view.thread = hft_put_text(&text, view->thread);
	stream->view.policy = hft_put_text(&text, view->policy);
	stream->title = text;
	stream->title_length = (uint32_t)hft_read_stream_title(view, text);
	stream->clean = hft_read_is_clean(stream->title, stream->title_length);
	stream->view.number = reader->nr_streams++;
	stream->next = *bucket;
	*bucket = stream;
	return stream;
}

struct hft_read_source *hft_read_source_get(struct hft_log_reader *reader,
					    const struct hft_log_view_stream *stream)
{
	struct hft_read_source **bucket = &reader->sources[stream->id % HFT_READ_BUCKETS];
	struct hft_read_source *source;

	for (source = *bucket; source; source = source->next)
		if (source->id == stream->id && !strcmp(source->uuid, stream->log->uuid))
			return source;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->uuid = stream->log->uuid;
	source->id = stream->id;
	source->next = *bucket;
	*bucket = source;
	return source;
}

/* FNV-1a, 32 bits. */
static uint32_t hft_hash_text(uint32_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	while (*text++);
	return hash;
}

static uint32_t hft_hash_site(const struct hft_log_view_site *site)
{
	uint32_t hash = hft_hash_text(2166136261u + site->id, site->subsystem);

	hash = hft_hash_text(hash, site->name);
	hash = hft_hash_text(hash, site->format);
	return hft_hash_text(hash + site->line, site->file) % HFT_READ_BUCKETS;
}

static bool hft_site_is(const struct hft_log_view_site *a, const struct hft_log_view_site *b)
{
	uint32_t i;

	if (a->id != b->id || a->line != b->line || a->level != b->level ||
	    a->nr_fields != b->nr_fields || strcmp(a->subsystem, b->subsystem) ||
	    strcmp(a->name, b->name) || strcmp(a->format, b->format) || strcmp(a->file, b->file))
		return false;
	for (i = 0; i < a->nr_fields; i++)
		if (a->fields[i].type != b->fields[i].type ||
		    strcmp(a->fields[i].name, b->fields[i].name))
			return false;
	return true;
}

static size_t hft_site_size(const struct hft_log_view_site *site)
{
	size_t size = sizeof(struct hft_read_site) + strlen(site->subsystem) +
		      strlen(site->name) + strlen(site->format) + strlen(site->file) + 4 +
		      hft_read_site_title(site, NULL) + HFT_READ_PADDING;
	uint32_t i;

	for (i = 0; i < site->nr_fields; i++)
		size += sizeof(site->fields[0]) + strlen(site->fields[i].name) + 1;
	return size;
}

static void hft_copy_site(struct hft_read_site *site, const struct hft_log_view_site *view)
{
	struct hft_log_view_field *fields = (struct hft_log_view_field *)(site + 1);
	char *text = (char *)(fields + view->nr_fields);
	uint32_t i;

	site->view = *view;
	site->view.subsystem = hft_put_text(&text, view->subsystem);
	site->view.name = hft_put_text(&text, view->name);
	site->view.format = hft_put_text(&text, view->format);
	site->view.file = hft_put_text(&text, view->file);
	site->view.fields = fields;
	for (i = 0; i < view->nr_fields; i++) {
		fields[i].type = view->fields[i].type;
		fields[i].name = hft_put_text(&text, view->fields[i].name);
	}
	site->title = text;
	site->title_length = (uint32_t)hft_read_site_title(view, text);
}

struct hft_read_site *hft_read_site_get(struct hft_log_reader *reader,
					const struct hft_log_view_site *view)
{
	struct hft_read_site **bucket = &reader->sites[hft_hash_site(view)];
	struct hft_read_site *site;

	for (site = *bucket; site; site = site->next)
		if (hft_site_is(&site->view, view))
			return site;
	site = hft_read_alloc_shared(hft_site_size(view));
	if (!site)
		return NULL;
	hft_copy_site(site, view);
	if (hft_read_format(site)) {
		free(site);
		return NULL;
	}
	hft_read_filter_site(reader, site);
	site->view.number = reader->nr_sites++;
	site->next = *bucket;
	*bucket = site;
	return site;
}

void hft_read_names_free(struct hft_log_reader *reader)
{
	struct hft_read_stream *stream;
	struct hft_read_source *source;
	struct hft_read_site *site;
	struct hft_read_log *log;
	unsigned int i;

	for (i = 0; i < HFT_READ_BUCKETS; i++) {
		while ((site = reader->sites[i])) {
			reader->sites[i] = site->next;
			free(site->pieces);
			free(site);
		}
		while ((stream = reader->streams[i])) {
			reader->streams[i] = stream->next;
			free(stream);
		}
		while ((source = reader->sources[i])) {
			reader->sources[i] = source->next;
			free(source);
		}
	}
	while ((log = reader->logs)) {
		reader->logs = log->next;
		free(log);
	}
}
