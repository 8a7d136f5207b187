// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Streams: added, ended, forgotten.  Threads come and go while a chunk is open, which has a
 * file of each: a stream that is forgotten is there for its files alone, which are not kept
 * open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "store_internal.h"

static struct log_stream **bucket(struct hft_log_store *store, uint64_t id)
{
	return &store->by_id[id % LOG_STREAM_BUCKETS];
}

struct log_stream *hft_store_stream_find(struct hft_log_store *store, uint64_t id)
{
	struct log_stream *stream = *bucket(store, id);

	while (stream && stream->is.id != id)
		stream = stream->same;
	return stream;
}

static size_t source_bytes(const struct hft_log_store_source *source)
{
	if (!source)
		return 0;
	return strlen(source->uuid) + strlen(source->host) + strlen(source->program) + 3;
}

static void copy_source(struct log_stream *stream, const struct hft_log_store_source *source)
{
	char *at = (char *)(stream + 1);

	stream->source = *source;
	stream->source.uuid = at;
	at = stpcpy(at, source->uuid) + 1;
	stream->source.host = at;
	at = stpcpy(at, source->host) + 1;
	stream->source.program = at;
	strcpy(at, source->program);
	stream->is.source = &stream->source;
}

int hft_log_store_stream_add(struct hft_log_store *store, const struct hft_log_store_stream *is)
{
	struct log_stream *stream, **at = bucket(store, is->id);

	if (is->sync > HFT_LOG_SYNC_PACKET)
		return hft_fail(EINVAL, "no such sync of a stream, %u", is->sync);
	if (hft_store_stream_find(store, is->id))
		return hft_fail(EEXIST, "stream %llu", (unsigned long long)is->id);
	stream = calloc(1, sizeof(*stream) + source_bytes(is->source));
	if (!stream)
		return hft_fail(ENOMEM, "a stream");
	stream->is = *is;
	snprintf(stream->thread, sizeof(stream->thread), "%s", is->thread ? is->thread : "");
	snprintf(stream->policy, sizeof(stream->policy), "%s", is->policy ? is->policy : "");
	stream->is.thread = stream->thread;
	stream->is.policy = stream->policy;
	if (is->source)
		copy_source(stream, is->source);
	stream->users = 1;
	stream->packet_bytes = hft_store_packet_bytes(store, is->ring_bytes);
	stream->same = *at;
	*at = stream;
	stream->link = store->streams_end;
	*stream->link = stream;
	store->streams_end = &stream->next;
	return 0;
}

int hft_log_store_stream_end(struct hft_log_store *store, uint64_t id)
{
	struct log_stream *stream = hft_store_stream_find(store, id);

	if (!stream)
		return hft_fail(ENOENT, "stream %llu", (unsigned long long)id);
	stream->ended = true;
	return 0;
}

void hft_store_stream_put(struct log_stream *stream)
{
	if (!--stream->users)
		free(stream);
}

/* From all lists; its files may still have it. */
static void unlink_stream(struct hft_log_store *store, struct log_stream *stream)
{
	struct log_stream **at = bucket(store, stream->is.id);

	while (*at != stream)
		at = &(*at)->same;
	*at = stream->same;
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	else
		store->streams_end = stream->link;
	hft_store_stream_put(stream);
}

uint32_t hft_store_sync_policy(const struct hft_log_store *store, const struct log_stream *stream)
{
	if (stream->is.sync)
		return stream->is.sync;
	return stream->is.audit ? store->opts.audit_sync : store->opts.sync;
}

/* What the page cache could not write is only certain to be told to who has it open. */
static bool wants_sync(const struct hft_log_store *store, const struct log_file *file)
{
	return !file->direct && file->synced != file->written &&
	       hft_store_sync_policy(store, file->stream) != HFT_LOG_SYNC_NONE;
}

/* Nobody writes to it any more. */
void hft_store_file_rest(const struct hft_log_store *store, struct log_file *file)
{
	if (!file->stream->forgotten || file->syncing || file->fd < 0 || wants_sync(store, file))
		return;
	close(file->fd);
	file->fd = -1;
}

int hft_log_store_stream_forget(struct hft_log_store *store, uint64_t id)
{
	struct log_stream *stream = hft_store_stream_find(store, id);
	struct log_file *file;

	if (!stream)
		return hft_fail(ENOENT, "stream %llu", (unsigned long long)id);
	if (!stream->ended || stream->first ||
	    (stream->filling && stream->filling->index.records))
		return hft_fail(EBUSY, "stream %llu", (unsigned long long)id);
	if (stream->filling)
		hft_store_packet_give(store, stream->filling);
	stream->forgotten = true;
	file = stream->file;
	if (file) {
		file->sync_due = store->now;
		hft_store_file_rest(store, file);
	}
	unlink_stream(store, stream);
	return 0;
}

void hft_store_streams_free(struct hft_log_store *store)
{
	while (store->streams)
		unlink_stream(store, store->streams);
}
