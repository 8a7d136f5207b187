// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From record to record of a packet.  A record says how long it is; one that says what can not
 * be ends its packet, one whose arguments do not fit in is passed by.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

static int hft_bad_record(struct hft_read_input *input, const char *text)
{
	hft_read_packet_damaged(input, input->packet, input->number - 1, 1, text);
	return 0;
}

static int hft_room_for_values(struct hft_read_input *input, uint32_t count)
{
	union hft_log_view_value *values;

	if (count <= input->room_values)
		return 0;
	values = reallocarray(input->values, count, sizeof(*values));
	if (!values)
		return -ENOMEM;
	input->values = values;
	input->room_values = count;
	return 0;
}

static inline size_t hft_align(size_t offset)
{
	return (offset + 7) & ~(size_t)7;
}

/* Take the arguments out of a record of @bytes; false: they are not all there. */
static bool hft_copy_values(union hft_log_view_value *values,
			    const struct hft_log_view_site *site,
			    const unsigned char *record, size_t bytes)
{
	size_t at = sizeof(struct hft_log_record);
	const unsigned char *nul;
	uint32_t i;

	for (i = 0; i < site->nr_fields; i++) {
		if (hft_read_is_text(site->fields[i].type)) {
			nul = memchr(record + at, 0, bytes - at);
			if (!nul)
				return false;
			values[i].s = (const char *)record + at;
			at = (size_t)(nul + 1 - record);
			continue;
		}
		at = hft_align(at);
		if (at + 8 > bytes)
			return false;
		memcpy(&values[i], record + at, 8);
		at += 8;
	}
	return true;
}

static struct hft_read_site *hft_find_site(const struct hft_read_chunk *chunk, uint16_t id)
{
	return id < chunk->nr_sites ? chunk->sites[id] : NULL;
}

/* The chunk may list it by now; if not it is told of once, and shown as metadata has it. */
static struct hft_read_site *hft_late_site(struct hft_read_input *input, uint16_t id, int *err)
{
	static struct hft_read_site unknown;
	struct hft_read_chunk *chunk = input->chunk;

	*err = hft_read_chunk_more(input->reader, input->folder, chunk);
	if (*err == -ENOMEM || hft_find_site(chunk, id))
		return *err == -ENOMEM ? NULL : hft_find_site(chunk, id);
	hft_read_packet_unknown(input, "a record of a call site that the chunk does not list");
	*err = chunk->by_metadata ? 0 : hft_read_metadata(input->reader, input->folder, chunk);
	chunk->by_metadata = true;
	if (*err == -ENOMEM)
		return NULL;
	*err = 0;
	if (!hft_find_site(chunk, id))
		*err = hft_read_chunk_set_site(chunk, id, &unknown);
	return hft_find_site(chunk, id);
}

/* The arguments of a record of @bytes, in @input->view; 1, 0: some are missing, or -ENOMEM. */
static int hft_take_values(struct hft_read_input *input, const struct hft_read_site *site,
			   const struct hft_log_record *record, size_t bytes)
{
	uint32_t count = site->view.nr_fields;

	if (site->plain) {
		input->view.values = (const void *)(record + 1);
		return bytes >= sizeof(*record) + sizeof(*input->values) * count;
	}
	if (hft_room_for_values(input, count))
		return -ENOMEM;
	input->view.values = input->values;
	return hft_copy_values(input->values, &site->view, (const void *)record, bytes);
}

/* 1: wanted, and in @input->view; 0: not, or -errno. */
static int hft_take_record(struct hft_read_input *input, const struct hft_log_record *record,
			   size_t bytes)
{
	struct hft_read_site *site = hft_find_site(input->chunk, record->id);
	struct hft_log_reader *reader = input->reader;
	struct hft_log_view *view = &input->view;
	int ret;

	if (__builtin_expect(!site, 0)) {
		site = hft_late_site(input, record->id, &ret);
		if (!site)
			return ret;
	}
	if (!site->wanted)
		return 0;
	view->stamp = record->stamp;
	view->time = hft_read_time(&input->chunk->clock, record->stamp);
	if (view->time < reader->opts.from || (reader->opts.to && view->time >= reader->opts.to))
		return 0;
	ret = hft_take_values(input, site, record, bytes);
	if (ret <= 0)
		return ret ? ret : hft_bad_record(input, "arguments of a record reach beyond it");
	view->monotonic = view->time + input->chunk->clock.to_monotonic;
	view->site = &site->view;
	view->stream = &input->stream->view;
	view->sequence = record->sequence;
	view->bytes = (uint32_t)bytes;
	return hft_read_filter_view(reader, view);
}

/*
 * 1: @input->view is the next record that is wanted, 0: no more in the packet, or -errno: it is
 * the next still.
 */
int hft_read_record(struct hft_read_input *input)
{
	const struct hft_log_record *record;
	size_t left, bytes;
	int ret = 0;

	while (!ret && input->record != input->end) {
		record = (const void *)input->record;
		left = (size_t)(input->end - input->record);
		bytes = left < sizeof(*record) ? 0 : 8u * record->words;
		if (bytes < sizeof(*record) || bytes > left) {
			input->record = input->end;
			return hft_bad_record(input, "a record of a length that none has");
		}
		ret = hft_take_record(input, record, bytes);
		if (ret >= 0)
			input->record += bytes;
	}
	return ret;
}
