// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From packet to packet of a stream's file.  The index and the packets' heads say which have
 * nothing that was asked for.
 */
#include <string.h>

#include "read.h"

#define HFT_READ_AHEAD	(256u << 10)

enum { HFT_PACKET_PASSED, HFT_PACKET_HERE, HFT_PACKET_NO_MORE };

/* How far the file was read, in bytes on the disk. */
static void hft_count_bytes(struct hft_read_input *input)
{
	uint64_t at = (uint64_t)((unsigned __int128)input->offset * input->file.disk_size /
				 input->file.size);

	input->reader->progress.bytes += at - input->counted;
	input->counted = at;
}

static void hft_pass(struct hft_read_input *input, uint64_t bytes)
{
	input->offset += bytes;
	input->reader->progress.skipped++;
	hft_count_bytes(input);
}

static void hft_packet_notice(struct hft_read_input *input, uint32_t kind, const char *text)
{
	hft_read_notice(input->reader, kind, input->file.path, input->offset, input->stream, text);
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

static const struct hft_log_packet *hft_head_at(struct hft_read_input *input, int *err)
{
	/* With filters the content may not be needed at all. */
	size_t ahead = input->reader->filters ? HFT_LOG_PACKET_ALIGN : HFT_READ_AHEAD;

	return hft_read_file_bytes(&input->file, input->offset, sizeof(struct hft_log_packet),
				   ahead, err);
}

/* Go to the next place where a packet may begin and one does, or to the file's end. */
static int hft_find_packet(struct hft_read_input *input, const char *wrong)
{
	const struct hft_log_packet *head;
	int err;

	hft_packet_notice(input, HFT_LOG_NOTICE_DAMAGED, wrong);
	do {
		input->offset += HFT_LOG_PACKET_ALIGN;
		head = hft_head_at(input, &err);
	} while (head && hft_check_head(input, head));
	return err;
}

/*
 * The file ends amid a packet, or the packet's seal is not there: it was torn if it was being
 * written, and may not be there yet if it is.
 */
static int hft_end_amid(struct hft_read_input *input)
{
	if (hft_read_chunk_sealed(input->chunk))
		hft_packet_notice(input, HFT_LOG_NOTICE_DAMAGED, "the file was cut off here");
	else if (!(input->reader->opts.flags & HFT_LOG_READ_FOLLOW))
		hft_packet_notice(input, HFT_LOG_NOTICE_TORN,
				  "the last packet was not written in whole");
	return HFT_PACKET_NO_MORE;
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

static bool hft_has_seal(const void *packet, uint64_t bytes)
{
	const struct hft_log_seal *seal =
		(const void *)((const char *)packet + bytes - sizeof(*seal));

	return seal->magic == HFT_LOG_SEAL_MAGIC;
}

/* HFT_PACKET_HERE, HFT_PACKET_PASSED: it has no seal, or -errno. */
static int hft_load_packet(struct hft_read_input *input, uint64_t bytes)
{
	const struct hft_log_packet *head;
	int err;

	head = hft_read_file_bytes(&input->file, input->offset, (size_t)bytes,
				   input->reader->filters ? 0 : HFT_READ_AHEAD, &err);
	if (!head)
		return err;
	if (!hft_has_seal(head, bytes))
		return HFT_PACKET_PASSED;
	hft_note_lost(input, head->lost);
	input->record = (const unsigned char *)(head + 1);
	input->end = (const unsigned char *)head + hft_log_content_bytes(head);
	input->offset += bytes;
	input->reader->progress.packets++;
	hft_count_bytes(input);
	return HFT_PACKET_HERE;
}

static bool hft_is_last(const struct hft_read_input *input, uint64_t bytes)
{
	return input->file.size - input->offset < bytes + sizeof(struct hft_log_packet);
}

static int hft_try_packet(struct hft_read_input *input)
{
	const struct hft_log_packet *head;
	const char *wrong;
	uint64_t bytes;
	int ret;

	head = hft_head_at(input, &ret);
	if (!head && (ret || input->offset >= input->file.size))
		return ret ? ret : HFT_PACKET_NO_MORE;
	if (!head)
		return hft_end_amid(input);
	if (!head->magic && !hft_read_chunk_sealed(input->chunk))
		return HFT_PACKET_NO_MORE;
	wrong = hft_check_head(input, head);
	if (wrong)
		return hft_find_packet(input, wrong);
	bytes = head->packet_bits / 8;
	if (bytes > input->file.size - input->offset)
		return hft_end_amid(input);
	if (!hft_read_filter_times(input->reader, &input->chunk->clock, head->begin, head->end)) {
		hft_pass(input, bytes);
		return HFT_PACKET_PASSED;
	}
	ret = hft_load_packet(input, bytes);
	if (ret)
		return ret;
	if (hft_is_last(input, bytes))
		return hft_end_amid(input);
	return hft_find_packet(input, "a packet has no seal");
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
	return ret == HFT_PACKET_NO_MORE ? 0 : ret;
}
