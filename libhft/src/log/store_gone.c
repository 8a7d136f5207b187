// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Chunks whose files were removed while they were written: what had not been said to be in
 * them goes to the open chunk, or to the next.
 */
#include <unistd.h>

#include "store_internal.h"

bool hft_store_has_gone(const struct hft_log_store *store)
{
	const struct log_chunk *chunk;

	for (chunk = store->closing; chunk; chunk = chunk->next)
		if (chunk->gone)
			return true;
	return store->chunk && store->chunk->gone;
}

static bool is_worked_on(const struct hft_log_store *store)
{
	const struct log_stream *stream;
	const struct log_packet *packet;

	for (stream = store->streams; stream; stream = stream->next)
		for (packet = stream->first; packet; packet = packet->next)
			if (packet->state == LOG_PACKET_SEALING ||
			    packet->state == LOG_PACKET_WRITING)
				return true;
	return false;
}

/*
 * A stream's packets stay in their order: where one has a place behind another that has lost
 * its own, that chunk is given up, too.  Returns false: there is none, any more.
 */
static bool give_up_next(struct hft_log_store *store)
{
	struct log_stream *stream;
	struct log_packet *packet;
	bool behind;

	for (stream = store->streams; stream; stream = stream->next) {
		behind = false;
		for (packet = stream->first; packet; packet = packet->next) {
			if (!packet->file || packet->file->chunk->gone) {
				behind = true;
			} else if (behind) {
				packet->file->chunk->gone = true;
				return true;
			}
		}
	}
	return false;
}

static void unbind(struct hft_log_store *store)
{
	struct log_stream *stream;
	struct log_packet *packet;

	for (stream = store->streams; stream; stream = stream->next) {
		if (stream->file && stream->file->chunk->gone)
			stream->file = NULL;
		for (packet = stream->first; packet; packet = packet->next)
			if (packet->file && packet->file->chunk->gone)
				packet->file = NULL;
	}
}

/* What is in a file behind what was said is in the next chunk, too. */
static void abandon(struct hft_log_store *store, struct log_chunk *chunk)
{
	struct log_file *file;

	for (file = chunk->files; file; file = file->next)
		if (file->fd >= 0 && hft_store_chunk_is_there(chunk, file) &&
		    (ftruncate(file->fd, (off_t)file->written_bytes) || fsync(file->fd) ||
		     file->doubtful))
			chunk->lost = true;
	if (chunk->lost)
		hft_store_tell_lost(store, chunk);
	hft_store_chunk_forget(store, chunk);
}

static void abandon_closing(struct hft_log_store *store)
{
	struct log_chunk *chunk, **at = &store->closing;

	store->closing_last = NULL;
	while ((chunk = *at)) {
		if (!chunk->gone) {
			store->closing_last = chunk;
			at = &chunk->next;
			continue;
		}
		*at = chunk->next;
		hft_store_kept_drop(store, chunk->number);
		abandon(store, chunk);
	}
}

/*
 * Waits for what runs, as a request has a file's descriptor.  Returns false: not yet.
 */
bool hft_store_chunks_gone(struct hft_log_store *store)
{
	if (is_worked_on(store) || store->running)
		return false;
	while (give_up_next(store))
		;
	unbind(store);
	abandon_closing(store);
	if (store->chunk && store->chunk->gone) {
		abandon(store, store->chunk);
		store->chunk = NULL;
		store->rotate = false;
	}
	return true;
}
