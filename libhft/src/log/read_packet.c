// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From packet to packet of a stream's file.  The index and the packets' heads say which have
 * nothing that was asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pack.h"
#include "read.h"

#define HFT_READ_AHEAD	(256u << 10)

enum { HFT_PACKET_PASSED, HFT_PACKET_HERE, HFT_PACKET_NO_MORE };

/* How far the file was read, in bytes on the disk. */
static void hft_count_bytes(struct hft_read_input *input)
{
	struct hft_log_reader *reader = input->reader;
	uint64_t at = (uint64_t)((unsigned __int128)input->offset * input->file.disk_size /
				 input->file.size);

	reader->progress.bytes += at - input->counted;
	input->counted = at;
	if (reader->opts.progress)
		reader->opts.progress(reader->opts.context, &reader->progress);
}

static void hft_pass(struct hft_read_input *input, uint64_t bytes)
{
	input->offset += bytes;
	input->number++;
	input->reader->progress.skipped++;
	hft_count_bytes(input);
}

/* Of @nr packets from @number on, at @offset */
static void hft_packet_notice(struct hft_read_input *input, uint32_t kind, uint64_t offset,
			      uint64_t number, uint64_t nr, const char *text)
{
	char told[160];

	if (nr > 1)
		snprintf(told, sizeof(told), "packets %" PRIu64 " to %" PRIu64 ": %s", number,
			 number + nr - 1, text);
	else
		snprintf(told, sizeof(told), "packet %" PRIu64 ": %s", number, text);
	hft_read_notice(input->reader, kind, input->file.path, offset, input->stream, told);
}

/* A file may have as many as it has room for packets, or records. */
void hft_read_packet_damaged(struct hft_read_input *input, uint64_t offset, uint64_t number,
			     uint64_t nr, const char *text)
{
	if (input->damaged++ < HFT_READ_TOLD)
		hft_packet_notice(input, HFT_LOG_NOTICE_DAMAGED, offset, number, nr, text);
}

/* Of the record that is being read. */
void hft_read_packet_unknown(struct hft_read_input *input, const char *text)
{
	if (input->unknown++ < HFT_READ_TOLD)
		hft_packet_notice(input, HFT_LOG_NOTICE_UNKNOWN, input->packet,
				  input->number - 1, 1, text);
}

static void hft_note_more(struct hft_read_input *input, uint32_t kind, uint64_t nr,
			  const char *what)
{
	char text[64];

	if (nr <= HFT_READ_TOLD)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " more %s", nr - HFT_READ_TOLD, what);
	hft_read_notice(input->reader, kind, input->file.path, input->offset, input->stream, text);
}

void hft_read_packet_end(struct hft_read_input *input)
{
	hft_note_more(input, HFT_LOG_NOTICE_DAMAGED, input->damaged, "places are damaged");
	hft_note_more(input, HFT_LOG_NOTICE_UNKNOWN, input->unknown, "call sites are not listed");
}

/* NULL: a head of a packet of this stream; else what is wrong with it. */
static const char *hft_check_head(const struct hft_read_input *input,
				  const struct hft_log_packet *head)
{
	uint64_t bytes = head->packet_bits / 8, content = hft_log_content_bytes(head);

	if (head->magic != HFT_LOG_PACKET_MAGIC || head->stream_class)
		return "no packet begins here";
	if (memcmp(head->uuid, input->chunk->uuid, sizeof(head->uuid)))
		return "a packet of another log";
	if (head->stream != input->id)
		return "a packet of another stream";
	if (head->packet_bits % 8 || !bytes || bytes % HFT_LOG_PACKET_ALIGN ||
	    bytes > HFT_LOG_READ_PACKET_MAX)
		return "a packet of a size that none has";
	if (head->content_bits % 8 || content < sizeof(*head) ||
	    content > bytes - sizeof(struct hft_log_seal))
		return "a packet's content is larger than it";
	return NULL;
}

/* As much as may be read with what is asked for: without a need, nothing of an open file. */
static size_t hft_ahead(const struct hft_read_input *input, size_t most)
{
	return input->closed ? most : 0;
}

static const struct hft_log_packet *hft_head_at(struct hft_read_input *input, size_t ahead,
						int *err)
{
	return hft_read_file_bytes(&input->file, input->offset, sizeof(struct hft_log_packet),
				   hft_ahead(input, ahead), err);
}

static bool hft_is_zero(const void *bytes, size_t size)
{
	const char *at = bytes;

	return !*at && !memcmp(at, at + 1, size - 1);
}

/* A frame can not be unpacked, which is to be passed by. */
static bool hft_is_bad_frame(const struct hft_read_input *input, int err)
{
	return err == -EBADMSG && input->file.packed;
}

static uint64_t hft_next_frame(const struct hft_read_input *input)
{
	return hft_log_packed_next(input->file.packed, input->offset);
}

/* A frame has a packet. */
static int hft_pass_frame(struct hft_read_input *input)
{
	hft_read_packet_damaged(input, input->offset, input->number, 1,
				"what is compressed is damaged");
	input->offset = hft_next_frame(input);
	input->number++;
	return HFT_PACKET_PASSED;
}

/* Go to the next place where a packet may begin and one does: NULL: the file ends before. */
static const struct hft_log_packet *hft_next_head(struct hft_read_input *input, int *err)
{
	const struct hft_log_packet *head;

	for (;;) {
		input->offset += HFT_LOG_PACKET_ALIGN;
		head = hft_head_at(input, HFT_READ_AHEAD, err);
		if (!head && hft_is_bad_frame(input, *err))
			input->offset = hft_next_frame(input) - HFT_LOG_PACKET_ALIGN;
		else if (!head || !hft_check_head(input, head))
			return head;
	}
}

/*
 * There is no whole packet here, and nothing more is written here: go on with the next.  If
 * there is none, the file was torn if its chunk was being written, and else cut off.
 */
static int hft_pass_damage(struct hft_read_input *input, const char *wrong)
{
	uint64_t offset = input->offset;
	const struct hft_log_packet *head;
	int err;

	head = hft_next_head(input, &err);
	if (err)
		return err;
	if (head) {
		hft_read_packet_damaged(input, offset, input->number, head->number > input->number ?
					head->number - input->number : 1, wrong);
		input->number = head->number;
		return HFT_PACKET_PASSED;
	}
	input->offset = input->file.size;
	if (hft_read_chunk_sealed(input->chunk))
		hft_read_packet_damaged(input, offset, input->number, 1, wrong);
	else
		hft_packet_notice(input, HFT_LOG_NOTICE_TORN, offset, input->number, 1,
				  "the last packet was not written in whole");
	return HFT_PACKET_NO_MORE;
}

/* What is being written may come to be a packet yet, also amid the file. */
static int hft_no_packet(struct hft_read_input *input, const char *wrong)
{
	return input->closed ? hft_pass_damage(input, wrong) : HFT_PACKET_NO_MORE;
}

/* The index's entry of the packet that is next, NULL: it has none. */
static const struct hft_log_index *hft_index_at(struct hft_read_input *input)
{
	const struct hft_read_chunk *chunk = input->chunk;
	const struct hft_log_index *entry;

	for (; input->index < chunk->nr_index; input->index++) {
		entry = &chunk->index[input->index];
		if (entry->stream == input->id && entry->offset >= input->offset)
			return entry->offset == input->offset ? entry : NULL;
	}
	return NULL;
}

static bool hft_skip_by_index(struct hft_read_input *input)
{
	const struct hft_log_index *entry = hft_index_at(input);
	uint64_t left = input->file.size - input->offset;

	if (!entry || entry->bytes < HFT_READ_PACKET_LEAST || entry->bytes > left ||
	    entry->bytes % HFT_LOG_PACKET_ALIGN ||
	    hft_read_filter_index(input->reader, &input->chunk->clock, entry))
		return false;
	input->unread = input->offset;
	hft_pass(input, entry->bytes);
	return true;
}

/* The count goes on from chunk to chunk, but begins anew with another process. */
static void hft_note_lost(struct hft_read_input *input, uint64_t lost)
{
	struct hft_log_notice notice = {
		.kind = HFT_LOG_NOTICE_LOST,
		.path = input->file.path,
		.offset = input->offset,
		.stream = &input->stream->view,
		.lost = lost >= input->lost ? lost - input->lost : lost,
		.text = "a ring was full",
	};
	const struct hft_log_reader_opts *opts = &input->reader->opts;

	if (notice.lost && input->base_known && opts->notice)
		opts->notice(opts->context, &notice);
	input->lost = lost;
	input->base_known = true;
}

/* The last packet was passed by, by the index alone: its losses are of the stream, too. */
static void hft_note_unread(struct hft_read_input *input)
{
	const struct hft_log_packet *head;
	int err;

	if (input->unread == HFT_READ_NONE)
		return;
	head = hft_read_file_bytes(&input->file, input->unread, sizeof(*head), 0, &err);
	if (head && !hft_check_head(input, head))
		hft_note_lost(input, head->lost);
	input->unread = HFT_READ_NONE;
}

static bool hft_is_seal(const struct hft_log_seal *seal)
{
	return seal->magic == HFT_LOG_SEAL_MAGIC;
}

/*
 * Has the packet that may be here its seal?  1: it has, or -errno.  It is looked for before the
 * packet is read: in an open file it is written last, and in a damaged one each head may say that
 * much is behind it, which would be read again for each.
 */
static int hft_is_written(struct hft_read_input *input, uint64_t bytes)
{
	struct hft_log_seal seal;
	int ret;

	/* A frame has a packet. */
	if (input->file.packed && hft_next_frame(input) - input->offset < bytes)
		return 0;
	ret = hft_read_file_peek(&input->file, input->offset + bytes - sizeof(seal), &seal,
				 sizeof(seal));
	return ret > 0 ? hft_is_seal(&seal) : ret;
}

/* HFT_PACKET_HERE, HFT_PACKET_PASSED: it has no seal, or -errno. */
static int hft_load_packet(struct hft_read_input *input, uint64_t bytes)
{
	size_t ahead = input->reader->filters ? 0 : HFT_READ_AHEAD;
	const struct hft_log_packet *head;
	int err = hft_is_written(input, bytes);

	if (err <= 0)
		return err ? err : HFT_PACKET_PASSED;
	head = hft_read_file_bytes(&input->file, input->offset, (size_t)bytes,
				   hft_ahead(input, ahead), &err);
	if (!head)
		return err;
	if (!hft_is_seal((const void *)((const char *)head + bytes - sizeof(struct hft_log_seal))))
		return HFT_PACKET_PASSED;
	/* The file may be there before the chunk lists its stream. */
	err = input->listed ? 0 : hft_read_input_name(input);
	if (err)
		return err;
	hft_note_lost(input, head->lost);
	input->unread = HFT_READ_NONE;
	input->record = (const unsigned char *)(head + 1);
	input->end = (const unsigned char *)head + hft_log_content_bytes(head);
	input->packet = input->offset;
	input->number = head->number + 1;
	input->offset += bytes;
	input->reader->progress.packets++;
	hft_count_bytes(input);
	return HFT_PACKET_HERE;
}

static int hft_try_packet(struct hft_read_input *input)
{
	/* With filters the content may not be needed at all. */
	size_t ahead = input->reader->filters ? HFT_LOG_PACKET_ALIGN : HFT_READ_AHEAD;
	const struct hft_log_packet *head;
	const char *wrong;
	uint64_t bytes;
	int ret;

	head = hft_head_at(input, ahead, &ret);
	if (!head && hft_is_bad_frame(input, ret))
		return hft_pass_frame(input);
	if (!head && (ret || input->offset >= input->file.size))
		return ret ? ret : HFT_PACKET_NO_MORE;
	if (!head)
		return hft_no_packet(input, "the file was cut off here");
	wrong = hft_check_head(input, head);
	if (wrong)
		return hft_no_packet(input, hft_is_zero(head, sizeof(*head)) ?
				     "nothing but zeroes" : wrong);
	bytes = head->packet_bits / 8;
	if (bytes > input->file.size - input->offset)
		return hft_no_packet(input, "the file was cut off here");
	if (!hft_read_filter_times(input->reader, &input->chunk->clock, head->begin, head->end)) {
		hft_note_lost(input, head->lost);
		hft_pass(input, bytes);
		return HFT_PACKET_PASSED;
	}
	ret = hft_load_packet(input, bytes);
	if (hft_is_bad_frame(input, ret))
		return hft_pass_frame(input);
	return ret ? ret : hft_no_packet(input, "it has no seal");
}

/* 1: @input->record is the first of a packet, 0: no more in this file, or -errno. */
int hft_read_packet(struct hft_read_input *input)
{
	int ret;

	do {
		if (input->offset < input->file.size && input->chunk->nr_index &&
		    hft_skip_by_index(input))
			ret = HFT_PACKET_PASSED;
		else
			ret = hft_try_packet(input);
	} while (ret == HFT_PACKET_PASSED);
	if (ret != HFT_PACKET_NO_MORE)
		return ret;
	hft_note_unread(input);
	if (input->file.salvaged && input->closed)
		hft_packet_notice(input, HFT_LOG_NOTICE_DAMAGED, input->offset, input->number, 1,
				  "the compressed file is cut off here, or its end damaged");
	return 0;
}
