// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A stream of a log, through all chunks that have it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

struct hft_read_input *hft_read_input_add(struct hft_log_reader *reader,
					  struct hft_read_folder *folder, uint64_t id,
					  uint32_t chunk)
{
	struct hft_read_input *input, **inputs, **heap;

	inputs = reallocarray(reader->inputs, reader->nr_inputs + 1, sizeof(*inputs));
	if (!inputs)
		return NULL;
	reader->inputs = inputs;
	heap = reallocarray(reader->heap, reader->nr_inputs + 1, sizeof(*heap));
	if (!heap)
		return NULL;
	reader->heap = heap;
	input = calloc(1, sizeof(*input));
	if (!input)
		return NULL;
	input->reader = reader;
	input->folder = folder;
	input->id = id;
	input->next_chunk = chunk;
	input->file.fd = -1;
	input->file.nr_kept = &reader->nr_kept;
	input->base_known = !folder->is_chunk && folder->chunks[0]->number == 1;
	input->waiting = true;
	inputs[reader->nr_inputs++] = input;
	return input;
}

static void hft_leave_chunk(struct hft_read_input *input)
{
	hft_read_file_close(&input->file);
	if (input->chunk)
		hft_read_chunk_put(input->chunk);
	input->chunk = NULL;
	input->record = NULL;
	input->end = NULL;
}

void hft_read_input_free(struct hft_read_input *input)
{
	hft_leave_chunk(input);
	free(input->values);
	free(input);
}

static void hft_cannot_read(struct hft_read_input *input, const struct hft_read_chunk *chunk,
			    int err)
{
	hft_read_notice(input->reader, HFT_LOG_NOTICE_UNREADABLE,
			input->file.path ? input->file.path : chunk->path, 0, NULL,
			hft_strerror(err));
}

static int hft_meet_source(struct hft_read_input *input)
{
	struct hft_read_source *source;

	if (input->reader->nr_folders < 2)
		return 0;
	source = hft_read_source_get(input->reader, &input->stream->view);
	if (!source)
		return -ENOMEM;
	if (!source->first)
		source->first = input->folder;
	source->shared |= source->first != input->folder;
	input->source = source;
	return 0;
}

/* Whose stream it is, which the chunk that it is in may have come to list by now. */
int hft_read_input_name(struct hft_read_input *input)
{
	struct hft_read_stream *stream;

	stream = hft_read_chunk_stream(input->reader, input->folder, input->chunk, input->id,
				       &input->listed);
	if (!stream)
		return -ENOMEM;
	/* Another process counts what it loses from 0. */
	if (input->stream && input->stream->view.log != stream->view.log)
		input->lost = 0;
	input->stream = stream;
	return hft_meet_source(input);
}

static int hft_begin_stream(struct hft_read_input *input, struct hft_read_chunk *chunk)
{
	int err;

	input->chunk = chunk;
	err = hft_read_input_name(input);
	if (err) {
		input->chunk = NULL;
		return err;
	}
	input->closed = !(input->reader->opts.flags & HFT_LOG_READ_FOLLOW);
	input->offset = 0;
	input->number = 0;
	input->unread = HFT_READ_NONE;
	input->index = 0;
	input->counted = 0;
	input->damaged = 0;
	input->unknown = 0;
	return 0;
}

/*
 * -ENOENT: the chunk has no such stream, or is gone; else what is wrong was told.  What the
 * chunk says of itself is not read for a stream that it has not.
 */
static int hft_try_chunk(struct hft_read_input *input, struct hft_read_chunk *chunk)
{
	int err = hft_read_file_open(&input->file, chunk->path, input->id);

	if (err && err != -ENOENT && err != -ENOMEM)
		hft_cannot_read(input, chunk, err);
	if (!err)
		err = hft_read_chunk_use(input->reader, input->folder, chunk);
	if (!err) {
		err = hft_begin_stream(input, chunk);
		if (err)
			hft_read_chunk_put(chunk);
	}
	if (err)
		hft_read_file_close(&input->file);
	return err;
}

/* It was there when the reader was opened, which only looked at when it begins. */
static void hft_note_removed(struct hft_read_input *input, const struct hft_read_chunk *chunk)
{
	if (input->promised)
		hft_read_notice(input->reader, HFT_LOG_NOTICE_UNREADABLE, chunk->path, 0,
				input->stream, "a stream was removed before it was read");
	input->promised = false;
}

/* 1: in the next chunk that has the stream, 0: there is none yet, or -ENOMEM. */
static int hft_enter_chunk(struct hft_read_input *input)
{
	struct hft_read_folder *folder = input->folder;
	struct hft_read_chunk *chunk;
	int err;

	while (input->next_chunk < folder->nr_chunks) {
		chunk = folder->chunks[input->next_chunk];
		err = hft_try_chunk(input, chunk);
		if (err == -ENOENT)
			hft_note_removed(input, chunk);
		/* What is not there yet may come to the newest chunk. */
		if (err == -ENOENT && input->next_chunk + 1 == folder->nr_chunks)
			return 0;
		if (err == -ENOMEM)
			return err;
		input->promised = false;
		input->next_chunk++;
		if (!err) {
			/* The next of many short streams is likely to be there, too. */
			hft_read_folder_hold(folder, chunk);
			return 1;
		}
	}
	return 0;
}

/* Another process has begun the next chunk, so the one that wrote this chunk has ended. */
static bool hft_next_is_anothers(struct hft_read_input *input)
{
	struct hft_read_folder *folder = input->folder;
	struct hft_read_chunk *next;
	bool anothers;

	if (input->next_chunk >= folder->nr_chunks)
		return false;
	next = folder->chunks[input->next_chunk];
	if (hft_read_chunk_use(input->reader, folder, next))
		return false;
	anothers = next->log != input->chunk->log;
	hft_read_chunk_put(next);
	return anothers;
}

/*
 * Will the chunk that it is in not grow any more?  The folder of the next is there before the
 * last packets of this one are, and even more may be begun before these are written; the seal
 * is behind all of them.  Seals are written in their order: one of a later chunk says that
 * this one, if it has none, was left by a crash.
 */
static bool hft_chunk_is_closed(struct hft_read_input *input)
{
	uint32_t i;

	for (i = input->next_chunk - 1; i < input->folder->nr_chunks; i++)
		if (hft_read_chunk_sealed(input->folder->chunks[i]))
			return true;
	return hft_next_is_anothers(input);
}

/* A file that fails is told of, and left. */
static int hft_next_packet(struct hft_read_input *input)
{
	int ret = hft_read_packet(input);

	if (ret >= 0 || ret == -ENOMEM)
		return ret;
	hft_cannot_read(input, input->chunk, ret);
	input->offset = input->file.size;
	return 0;
}

/*
 * 1: the next packet is there, 0: there is none, or -ENOMEM.  What was read before the chunk
 * was closed may have been read before it was written, even amid the file: so it is read again.
 */
static int hft_next_in_chunks(struct hft_read_input *input)
{
	int ret;

	for (;;) {
		if (!input->chunk) {
			ret = hft_enter_chunk(input);
			if (ret <= 0)
				return ret;
		}
		ret = hft_next_packet(input);
		if (ret)
			return ret;
		if (input->closed) {
			hft_read_packet_end(input);
			hft_leave_chunk(input);
			continue;
		}
		if (!hft_chunk_is_closed(input))
			return 0;
		input->closed = true;
		ret = hft_read_file_resize(&input->file);
		if (ret)
			hft_cannot_read(input, input->chunk, ret);
	}
}

/* 1: @input->view is the stream's next record, 0: there is none now, or -ENOMEM. */
int hft_read_input_next(struct hft_read_input *input)
{
	int ret;

	for (;;) {
		ret = hft_read_record(input);
		if (ret)
			return ret;
		if (input->record == input->end) {
			ret = hft_next_in_chunks(input);
			if (ret <= 0)
				return ret;
		}
	}
}

/*
 * When the stream's first packet that may be asked for begins, in @input->view.time; no file
 * is open afterwards.  1, 0: there is none now, or -ENOMEM.
 */
int hft_read_input_first(struct hft_read_input *input)
{
	int ret = input->chunk ? 1 : hft_enter_chunk(input);
	const struct hft_log_packet *head;
	int err;

	if (ret <= 0)
		return ret;
	head = hft_read_file_bytes(&input->file, 0, sizeof(*head), 0, &err);
	input->view.time = head ? hft_read_time(&input->chunk->clock, head->begin) : 0;
	input->next_chunk--;
	input->promised = true;
	hft_leave_chunk(input);
	return err == -ENOMEM ? err : 1;
}
