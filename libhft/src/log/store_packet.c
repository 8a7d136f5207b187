// SPDX-License-Identifier: LGPL-2.1-or-later
/* Packets: filled with whole records, closed, bound to a file, given back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"
#include "store_internal.h"

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + HFT_LOG_PACKET_ALIGN - 1) & ~(uint64_t)(HFT_LOG_PACKET_ALIGN - 1);
}

/* The longest record of a ring has a quarter of its room. */
uint32_t hft_store_packet_bytes(const struct hft_log_store *store, uint64_t ring_bytes)
{
	uint64_t most = round_up(ring_bytes / 4 + HFT_LOG_FRAME_BYTES);

	if (!ring_bytes || most > store->opts.packet_bytes)
		return store->opts.packet_bytes;
	return (uint32_t)most;
}

/* An empty packet for a stream, or NULL: the disk has them all. */
struct log_packet *hft_store_packet_take(struct hft_log_store *store, struct log_stream *stream)
{
	struct log_packet *packet = store->free;

	if (!packet)
		return NULL;
	store->free = packet->next;
	store->nr_free--;
	packet->next = NULL;
	packet->stream = stream;
	packet->file = NULL;
	packet->state = LOG_PACKET_FILLING;
	packet->fill = HFT_LOG_HEAD_BYTES;
	packet->bytes = 0;
	packet->done = 0;
	packet->failed = false;
	packet->born = store->now;
	memset(&packet->index, 0, sizeof(packet->index));
	return packet;
}

void hft_store_packet_give(struct hft_log_store *store, struct log_packet *packet)
{
	packet->next = store->free;
	store->free = packet;
	store->nr_free++;
}

/* How far whole records of known sites go that fit; 0 and @bad: the first is none. */
static size_t scan(struct hft_log_store *store, struct log_packet *packet,
		   const uint8_t *from, size_t bytes, bool *bad)
{
	struct hft_log_index *index = &packet->index;
	const struct hft_log_record *record;
	size_t at = 0, size;
	uint8_t kind;

	while (bytes - at >= sizeof(*record)) {
		record = (const void *)(from + at);
		size = 8u * record->words;
		kind = store->kinds[record->id];
		*bad = size < sizeof(*record) || !kind;
		if (*bad || size > bytes - at)
			break;
		if (!index->records++)
			index->begin = record->stamp;
		index->end = record->stamp;
		index->levels |= 1ull << (kind & LOG_PLAIN_SITE);
		if (kind & LOG_TAGGED_SITE)
			hft_store_index_record(index, store->sites[record->id], record);
		packet->last = packet->fill + at;
		at += size;
	}
	return at;
}

/* Returns how many bytes of records fit: 0: none; or -EBADMSG. */
int64_t hft_store_packet_fill(struct hft_log_store *store, struct log_packet *packet,
			const void *records, size_t bytes)
{
	size_t room = packet->stream->packet_bytes - sizeof(struct hft_log_seal) - packet->fill;
	bool bad = false;
	size_t whole = scan(store, packet, records, bytes < room ? bytes : room, &bad);

	if (bad && !whole)
		return hft_fail(EBADMSG, "what is to be logged is no record of a known call site");
	memcpy(packet->at + packet->fill, records, whole);
	packet->fill += whole;
	return (int64_t)whole;
}

/* Without the padding behind a text, in which a reader of CTF would look for an event. */
static size_t content_bytes(struct hft_log_store *store, const struct log_packet *packet)
{
	const struct hft_log_record *last = (const void *)(packet->at + packet->last);

	return packet->last + hft_store_record_bytes(store->sites[last->id], last);
}

static void put_head(struct hft_log_store *store, struct log_packet *packet)
{
	struct hft_log_packet head = {
		.magic = HFT_LOG_PACKET_MAGIC,
		.stream = packet->stream->is.id,
		.packet_bits = 8 * packet->bytes,
		.content_bits = 8 * content_bytes(store, packet),
		.begin = packet->index.begin,
		.end = packet->index.end,
		.lost = packet->lost,
		.number = packet->file->bound,
	};

	memcpy(head.uuid, store->origin.uuid, sizeof(head.uuid));
	memcpy(packet->at, &head, sizeof(head));
}

/*
 * Give it a place in the open chunk, and to the hasher: a closed packet, in the order of its
 * stream.
 */
int hft_store_packet_bind(struct hft_log_store *store, struct log_packet *packet)
{
	struct log_stream *stream = packet->stream;
	struct log_chunk *chunk = store->chunk;
	struct log_file *file;
	int err = 0;

	if (!stream->file) {
		err = hft_store_chunk_file(store, stream);
		if (err)
			return err;
		stream->file->from = packet->from;
	}
	file = stream->file;
	packet->index.stream = stream->is.id;
	packet->index.offset = file->bound_bytes;
	packet->index.bytes = packet->bytes;
	err = hft_store_text_add(&chunk->texts[LOG_INDEX], &packet->index, sizeof(packet->index));
	if (err)
		return err;
	packet->file = file;
	packet->synced = file->synced;
	put_head(store, packet);
	if (packet->failed)
		store->failing--;
	packet->failed = false;
	packet->done = 0;
	file->bound++;
	file->bound_bytes += packet->bytes;
	chunk->packets++;
	chunk->bytes += packet->bytes;
	hft_store_hasher_give(store, packet);
	return 0;
}

/*
 * No more records for it: it gets its place, and is written when it has its seal.
 * Nothing has changed when there is an error.
 */
int hft_store_packet_close(struct hft_log_store *store, struct log_packet *packet)
{
	struct log_stream *stream = packet->stream;
	size_t end;
	int err;

	/* First: what a chunk has to have may be put into this packet. */
	err = store->chunk ? 0 : hft_store_chunk_open(store);
	store->blocked = err;
	if (err)
		return err;
	packet->bytes = round_up(packet->fill + sizeof(struct hft_log_seal));
	end = packet->bytes - sizeof(struct hft_log_seal);
	memset(packet->at + packet->fill, 0, end - packet->fill);
	packet->from = stream->closed;
	packet->taken = stream->taken;
	packet->lost = stream->lost;
	err = hft_store_packet_bind(store, packet);
	store->blocked = err;
	if (err)
		return err;
	stream->filling = NULL;
	stream->closed = packet->taken;
	packet->next = NULL;
	if (stream->last)
		stream->last->next = packet;
	else
		stream->first = packet;
	stream->last = packet;
	return 0;
}

/* Of all streams. */
int hft_store_packets_close(struct hft_log_store *store)
{
	struct log_stream *stream;
	int err = 0;

	for (stream = store->streams; !err && stream; stream = stream->next)
		if (stream->filling && stream->filling->index.records)
			err = hft_store_packet_close(store, stream->filling);
	return err;
}

static void free_packet(struct hft_log_store *store, struct log_packet *packet)
{
	struct log_file *file = packet->file;
	struct log_stream *stream = packet->stream;

	stream->written = packet->taken;
	hft_store_file_due(store, file);
	file->written++;
	file->written_bytes = packet->index.offset + packet->bytes;
	file->written_to = packet->taken;
	file->chunk->packets--;
	pthread_mutex_lock(&store->lock);
	store->state.packets++;
	store->state.records += packet->index.records;
	store->state.bytes += packet->bytes;
	pthread_mutex_unlock(&store->lock);
	hft_store_packet_give(store, packet);
}

/* It is in its file: those that are without a gap before them are done with. */
void hft_store_packet_written(struct hft_log_store *store, struct log_packet *packet)
{
	struct log_stream *stream = packet->stream;

	packet->state = LOG_PACKET_WRITTEN;
	while ((packet = stream->first) && packet->state == LOG_PACKET_WRITTEN) {
		stream->first = packet->next;
		if (!stream->first)
			stream->last = NULL;
		free_packet(store, packet);
	}
}
