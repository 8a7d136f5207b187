// SPDX-License-Identifier: LGPL-2.1-or-later
/* The store as the drainer sees it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../gettime.h"
#include "../options.h"
#include "store_internal.h"

#define RETRY_LEAST_NS	(20 * NSEC_PER_MSEC)
#define RETRY_MOST_NS	NSEC_PER_SEC
#define LOOK_NS		NSEC_PER_SEC		/* whether the files are still there */
#define BUSY_NS		(200 * 1000ull)		/* until the next look at what runs */
#define WAIT_NS		(5 * NSEC_PER_MSEC)

uint64_t hft_store_monotonic(void)
{
	return hft_gettime(CLOCK_MONOTONIC);
}

/* The disk does not take it: it is tried again, after longer and longer times. */
void hft_store_failed(struct hft_log_store *store, int err, const char *what)
{
	if (!store->retry) {
		store->retry_ns = store->retry_ns ? 2 * store->retry_ns : RETRY_LEAST_NS;
		if (store->retry_ns > RETRY_MOST_NS)
			store->retry_ns = RETRY_MOST_NS;
		store->retry = store->now + store->retry_ns;
	}
	hft_store_trouble(store, err, what);
}

/*
 * Nothing new is written while what was can not be made certain: the disk loses it, and a
 * chunk would be begun for each sync that fails.
 */
bool hft_store_is_held(const struct hft_log_store *store)
{
	return store->doubts || store->keeper_fails ||
		(store->chunk && store->chunk->changes_retry);
}

static int state_err(struct hft_log_store *store)
{
	int err;

	pthread_mutex_lock(&store->lock);
	err = store->state.err;
	pthread_mutex_unlock(&store->lock);
	return err;
}

/* Write a packet if nothing stands in its way; else it stays, and hft_store_poll() does. */
void hft_store_write(struct hft_log_store *store, struct log_packet *packet)
{
	int err;

	if (store->retry || packet->file->chunk->gone)
		return;
	err = hft_store_chunk_write_texts(packet->file->chunk);
	if (err)
		hft_store_failed(store, -err, "writing metadata");
	else
		hft_store_io_write(store, packet);
}

/* Those that have their seals. */
static void write_sealed(struct hft_log_store *store)
{
	struct log_packet *packet = hft_store_hasher_take(store), *next;

	for (; packet; packet = next) {
		next = packet->next_sealed;
		packet->state = LOG_PACKET_READY;
		hft_store_write(store, packet);
	}
}

/* The files of the open chunk: what it has goes to the next one. */
static bool has_gone(const struct hft_log_store *store)
{
	return store->chunk && store->chunk->gone;
}

/* Close what a stream fills.  Returns 0 or an error, which is told. */
static int finish_packet(struct hft_log_store *store, struct log_stream *stream)
{
	int err;

	if (store->retry || has_gone(store) || hft_store_is_held(store))
		return -EAGAIN;
	err = hft_store_packet_close(store, stream->filling);
	if (err) {
		hft_store_failed(store, -err, "making a chunk");
		return err;
	}
	write_sealed(store);
	if (store->chunk->bytes >= store->opts.chunk_bytes)
		store->rotate = true;
	return 0;
}

static void rotate(struct hft_log_store *store)
{
	int err;

	if (store->retry || has_gone(store) ||
	    (hft_store_is_held(store) && store->chunk && !store->chunk->doubtful))
		return;
	err = hft_store_chunk_rotate(store);
	if (err && err != -EAGAIN)
		hft_store_failed(store, -err, "closing a chunk");
}

/* Is there a whole record, which did not fit? */
static bool has_record(const uint8_t *at, size_t bytes)
{
	const struct hft_log_record *record = (const void *)at;

	return bytes >= sizeof(*record) && 8u * record->words >= sizeof(*record) &&
		8u * record->words <= bytes;
}

static struct log_packet *filling(struct hft_log_store *store, struct log_stream *stream)
{
	if (!stream->filling && !store->free) {
		write_sealed(store);
		hft_store_io_reap(store, false, 0);
	}
	if (!stream->filling)
		stream->filling = hft_store_packet_take(store, stream);
	return stream->filling;
}

static int64_t refuse(struct hft_log_store *store, int err)
{
	if (!err)
		err = state_err(store);
	if (!err)
		return -EAGAIN;
	return hft_fail(err, "the log's disk takes nothing");
}

int64_t hft_log_store_append(struct hft_log_store *store, uint64_t id, const void *records,
			     size_t bytes, uint64_t lost)
{
	struct log_stream *stream = hft_store_stream_find(store, id);
	const uint8_t *from = records;
	struct log_packet *packet;
	int64_t got = 0;
	size_t at = 0;
	int err = 0;

	if (!stream || stream->ended)
		return hft_fail(ENOENT, "stream %llu", (unsigned long long)id);
	while (at < bytes && !err) {
		packet = filling(store, stream);
		if (!packet)
			break;
		got = hft_store_packet_fill(store, packet, from + at, bytes - at);
		if (got < 0)
			break;
		at += (size_t)got;
		stream->taken += (uint64_t)got;
		if (!has_record(from + at, bytes - at))
			break;
		if (!packet->index.records)
			return hft_fail(EMSGSIZE, "a record that is larger than a packet");
		err = finish_packet(store, stream);
		if (store->rotate && !err)
			rotate(store);
	}
	stream->lost = lost > stream->lost ? lost : stream->lost;
	hft_store_io_submit(store);
	if (at || !bytes)
		return (int64_t)at;
	return got < 0 ? got : refuse(store, err == -EAGAIN ? 0 : -err);
}

void hft_log_store_each_chunk(struct hft_log_store *store, hft_log_store_begin_fn fn, void *arg)
{
	store->begin = fn;
	store->begin_arg = arg;
}

int64_t hft_log_store_put(struct hft_log_store *store, uint64_t id, const void *records,
			  size_t bytes)
{
	struct log_stream *stream = hft_store_stream_find(store, id);
	int64_t got;

	if (!stream || stream->ended)
		return hft_fail(ENOENT, "stream %llu", (unsigned long long)id);
	if (!stream->filling)
		stream->filling = hft_store_packet_take(store, stream);
	if (!stream->filling)
		return -EAGAIN;
	got = hft_store_packet_fill(store, stream->filling, records, bytes);
	if (got > 0)
		stream->taken += (uint64_t)got;
	return got;
}

uint64_t hft_log_store_packet_room(const struct hft_log_store *store)
{
	return store->opts.packet_bytes - HFT_LOG_FRAME_BYTES;
}

uint64_t hft_log_store_written(struct hft_log_store *store, uint64_t id)
{
	struct log_stream *stream = hft_store_stream_find(store, id);

	return stream ? stream->written : 0;
}

uint64_t hft_log_store_synced(struct hft_log_store *store, uint64_t id)
{
	struct log_stream *stream = hft_store_stream_find(store, id);

	return stream ? stream->synced : 0;
}

int hft_log_store_clock(struct hft_log_store *store, const struct hft_log_store_clock *clock)
{
	const struct hft_log_store_clock old = store->origin.clock;
	const struct log_chunk *open;
	int err;

	if (!clock->freq || clock->offset >= clock->freq)
		return hft_fail(EINVAL, "a clock of %llu Hz", (unsigned long long)clock->freq);
	store->now = hft_store_monotonic();
	/* There may be packets without a place, which come before those that are filled. */
	if (store->retry || has_gone(store))
		return -EAGAIN;
	err = hft_store_packets_close(store);	/* which may open the first chunk */
	open = store->chunk;
	store->origin.clock = *clock;		/* of the next chunk */
	if (!err)
		err = hft_store_chunk_rotate(store);
	if (!err || store->chunk != open)
		return 0;
	store->origin.clock = old;
	if (err != -EAGAIN)
		hft_store_failed(store, -err, "closing a chunk");
	return err;
}

/* What has no place in a chunk, as it lost that or never had one. */
static int bind_packet(struct hft_log_store *store, struct log_packet *packet)
{
	int err = store->chunk ? 0 : hft_store_chunk_open(store);

	if (!err)
		err = hft_store_packet_bind(store, packet);
	store->blocked = err;
	if (err)
		hft_store_failed(store, -err, "making a chunk");
	return err;
}

static struct log_packet *first_ready(const struct log_stream *stream)
{
	struct log_packet *packet = stream->first;

	while (packet && packet->file && packet->state != LOG_PACKET_READY)
		packet = packet->next;
	return packet;
}

/*
 * Gives what is READY to the disk.  A packet that it takes at once is free afterwards, and so
 * are those behind it that were written before.
 */
static void write_waiting(struct hft_log_store *store)
{
	struct log_stream *stream;
	struct log_packet *packet;

	for (stream = store->streams; stream; stream = stream->next)
		while ((packet = first_ready(stream))) {
			if (store->retry || (!packet->file && bind_packet(store, packet)))
				return;
			if (packet->state != LOG_PACKET_READY)
				continue;
			hft_store_write(store, packet);
			if (packet->state == LOG_PACKET_READY)
				break;
		}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Packets that wait for more records, but not for ever. */
static uint64_t flush_due(struct hft_log_store *store, bool all)
{
	struct log_stream *stream;
	struct log_packet *packet;
	uint64_t next = UINT64_MAX;

	for (stream = store->streams; stream; stream = stream->next) {
		packet = stream->filling;
		if (!packet)
			continue;
		if (packet->index.records &&
		    (all || stream->ended || packet->born + store->opts.flush_ns <= store->now))
			finish_packet(store, stream);
		else if (packet->index.records)
			next = earlier(next, packet->born + store->opts.flush_ns);
		else
			packet->born = store->now;
	}
	return next;
}

/* A sync that failed may have dropped what was written: that comes first. */
static void sync_changes(struct hft_log_store *store, struct log_chunk *chunk)
{
	int err;

	if (store->retry || chunk->changes_retry > store->now)
		return;
	err = hft_store_chunk_write_texts(chunk);
	if (err)
		hft_store_failed(store, -err, "writing metadata");
	else
		hft_store_io_sync_chunk(store, chunk);
}

/* Nothing is written until that sync has succeeded, whatever policy the streams have. */
static uint64_t retry_changes(struct hft_log_store *store)
{
	struct log_chunk *chunk = store->chunk;

	if (!chunk || !chunk->changes_retry || chunk->changes_left)
		return UINT64_MAX;
	sync_changes(store, chunk);
	return chunk->changes_retry > store->now ? chunk->changes_retry : store->now + BUSY_NS;
}

/* Returns when it is due; makes the request if it is. */
static uint64_t sync_due(struct hft_log_store *store, struct log_file *file, bool now)
{
	struct log_chunk *chunk = file->chunk;
	uint32_t policy = hft_store_sync_policy(store, file->stream);

	if (file->syncing || file->doubtful)
		return UINT64_MAX;
	if (policy == HFT_LOG_SYNC_NONE && !now)
		return UINT64_MAX;
	if (!file->sync_due)
		file->sync_due = store->now + store->opts.sync_ns;
	if (policy != HFT_LOG_SYNC_PACKET && !now && file->sync_due > store->now)
		return file->sync_due;
	if (chunk->changes_left)
		return store->now + BUSY_NS;
	if (chunk->changes_synced != chunk->changes) {
		sync_changes(store, chunk);
		return store->now + BUSY_NS;
	}
	file->sync_due = 0;
	hft_store_io_sync_file(store, file);
	return store->now + BUSY_NS;
}

/* Those that are synchronised leave the list: a chunk has a file of each thread that there was. */
static uint64_t sync_files(struct hft_log_store *store, struct log_file **at, bool now)
{
	struct log_file *file;
	uint64_t next = UINT64_MAX;

	while ((file = *at)) {
		if (file->synced == file->written) {
			*at = file->next_due;
			file->is_due = false;
			continue;
		}
		next = earlier(next, sync_due(store, file, now));
		at = &file->next_due;
	}
	return next;
}

static uint64_t sync_all(struct hft_log_store *store, bool now)
{
	struct log_chunk *chunk = store->chunk;
	uint64_t next;

	if (!chunk)
		return UINT64_MAX;
	next = sync_files(store, &chunk->due[LOG_DUE_ALWAYS], now);
	if (now)
		next = earlier(next, sync_files(store, &chunk->due[LOG_DUE_ASKED], now));
	return next;
}

static void look_for_files(struct hft_log_store *store)
{
	if (store->chunk && store->now - store->looked >= LOOK_NS) {
		store->looked = store->now;
		store->chunk->gone |= !hft_store_chunk_is_there(store->chunk, NULL);
	}
	if (!hft_store_has_gone(store) || !hft_store_chunks_gone(store))
		return;
	store->retry = 0;
	hft_store_tell(store, HFT_LOG_STORE_GONE, ENOENT,
		       "%s: files of a chunk that is written were removed", store->dir);
}

static bool is_old(const struct hft_log_store *store)
{
	return store->chunk && store->chunk->files &&
		store->now - store->chunk->opened >= store->opts.chunk_ns;
}

static uint64_t poll_store(struct hft_log_store *store, bool all, bool sync)
{
	uint64_t next;

	hft_store_io_reap(store, false, 0);
	hft_store_look_slow(store);
	if (store->retry && store->retry <= store->now)
		store->retry = 0;
	write_sealed(store);
	look_for_files(store);
	write_waiting(store);
	hft_store_chunk_begin(store);
	next = flush_due(store, all);
	if (store->rotate || is_old(store))
		rotate(store);
	next = earlier(next, retry_changes(store));
	next = earlier(next, sync_all(store, sync));
	hft_store_chunk_hand_over(store);
	hft_store_chunk_reap(store);
	hft_store_io_submit(store);
	pthread_mutex_lock(&store->lock);
	store->state.waiting_bytes = (uint64_t)(store->opts.buffers - store->nr_free) *
		store->opts.packet_bytes;
	pthread_mutex_unlock(&store->lock);
	if (store->running || store->sealing)
		next = earlier(next, store->now + BUSY_NS);
	if (store->retry)
		next = earlier(next, store->retry);
	if (store->chunk)
		next = earlier(next, store->now + LOOK_NS);
	return next;
}

uint64_t hft_log_store_poll(struct hft_log_store *store, uint64_t now)
{
	store->now = now;
	return poll_store(store, false, false);
}

static bool is_written(const struct hft_log_store *store)
{
	const struct log_stream *stream;

	for (stream = store->streams; stream; stream = stream->next)
		if (stream->first || (stream->filling && stream->filling->index.records))
			return false;
	return true;
}

static bool forgotten_synced(const struct log_file *file)
{
	for (; file; file = file->next_due)
		if (file->stream->forgotten && file->synced != file->written)
			return false;
	return true;
}

uint32_t hft_log_store_chunk(const struct hft_log_store *store)
{
	return store->next_number - 1;
}

bool hft_log_store_forgotten_synced(struct hft_log_store *store, uint32_t chunk)
{
	const struct log_chunk *open = store->chunk;

	if (store->lost || hft_store_oldest_closed(store) <= chunk)
		return false;
	return !open || (forgotten_synced(open->due[LOG_DUE_ALWAYS]) &&
			 forgotten_synced(open->due[LOG_DUE_ASKED]));
}

static bool is_synced(struct hft_log_store *store)
{
	const struct log_stream *stream;

	for (stream = store->streams; stream; stream = stream->next)
		if (stream->synced != stream->written)
			return false;
	return hft_log_store_forgotten_synced(store, UINT32_MAX - 1);
}

int hft_log_store_flush(struct hft_log_store *store, bool sync, uint64_t timeout_ns)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = hft_store_monotonic();
	int err;

	end = timeout_ns > UINT64_MAX - end ? UINT64_MAX : end + timeout_ns;
	for (;;) {
		store->now = hft_store_monotonic();
		poll_store(store, true, sync);
		if (sync && store->lost)
			return hft_fail(EIO, "%s: records that were written are lost", store->dir);
		if (is_written(store) && (!sync || is_synced(store)))
			return 0;
		if (store->now >= end)
			break;
		if (store->sealing && !hft_store_hasher_wait(store, end))
			continue;
		if (store->running)
			hft_store_io_reap(store, true, WAIT_NS);
		else
			nanosleep(&pause, NULL);
	}
	err = state_err(store);
	return hft_fail(err ? err : ETIMEDOUT, "a log that is not written");
}

int hft_log_store_state(struct hft_log_store *store, struct hft_log_store_state *to)
{
	struct hft_log_store_state state;
	int err = hft_check_answer(to);

	if (err)
		return err;
	pthread_mutex_lock(&store->lock);
	state = store->state;
	pthread_mutex_unlock(&store->lock);
	hft_answer(to, &state, sizeof(state));
	return 0;
}
