// SPDX-License-Identifier: LGPL-2.1-or-later
/* A packet in planes, see pack.h: what is got is not trusted. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <hft/log_format.h>

#include "../options.h"
#include "pack.h"

#define HEAD_BYTES	sizeof(struct hft_log_packet)
#define SEAL_BYTES	sizeof(struct hft_log_seal)
#define RECORD_BYTES	sizeof(struct hft_log_record)
#define RECORD_WORDS	(RECORD_BYTES / 8)
#define NONE		UINT32_MAX

/*
 * @first, @last: by id: the first record of that call site, and the last
 * @used: the ids that are in use there, in the order of their first records
 * @at: of each record: where it is
 * @next: of each record: the next of its call site
 */
struct hft_log_planes {
	uint32_t first[UINT16_MAX + 1];
	uint32_t last[UINT16_MAX + 1];
	uint16_t used[UINT16_MAX + 1];
	uint32_t nr_used;
	uint32_t nr;
	uint32_t room;
	uint32_t *at;
	uint32_t *next;
};

int hft_log_planes_open(struct hft_log_planes **out)
{
	struct hft_log_planes *planes = calloc(1, sizeof(*planes));

	if (!planes)
		return hft_fail(ENOMEM, "packing a log");
	memset(planes->first, 0xff, sizeof(planes->first));
	*out = planes;
	return 0;
}

void hft_log_planes_close(struct hft_log_planes *planes)
{
	if (!planes)
		return;
	free(planes->at);
	free(planes->next);
	free(planes);
}

/* A byte for each word of the longest record of each call site */
size_t hft_log_planes_room(size_t bytes)
{
	return sizeof(struct hft_log_pack_head) + bytes + bytes / 8;
}

static void clear(struct hft_log_planes *planes)
{
	while (planes->nr_used)
		planes->first[planes->used[--planes->nr_used]] = NONE;
	planes->nr = 0;
}

static int make_room(struct hft_log_planes *planes, uint32_t records)
{
	uint32_t *at, *next;

	if (records <= planes->room)
		return 0;
	at = realloc(planes->at, records * sizeof(*at));
	if (at)
		planes->at = at;
	next = realloc(planes->next, records * sizeof(*next));
	if (next)
		planes->next = next;
	if (!at || !next)
		return hft_fail(ENOMEM, "packing a log");
	planes->room = records;
	return 0;
}

static void add_record(struct hft_log_planes *planes, uint32_t at, uint16_t id)
{
	uint32_t n = planes->nr++;

	planes->at[n] = at;
	planes->next[n] = NONE;
	if (planes->first[id] == NONE) {
		planes->first[id] = n;
		planes->used[planes->nr_used++] = id;
	} else {
		planes->next[planes->last[id]] = n;
	}
	planes->last[id] = n;
}

static const struct hft_log_record *record(const struct hft_log_planes *planes,
					   const uint8_t *packet, uint32_t n)
{
	return (const void *)(packet + planes->at[n]);
}

static bool is_zero(const uint8_t *at, const uint8_t *end)
{
	while (at < end)
		if (*at++)
			return false;
	return true;
}

/* Finds the records.  Returns 1, 0: it can not be put in planes, or -ENOMEM. */
static int split(struct hft_log_planes *planes, const uint8_t *packet, size_t bytes)
{
	const struct hft_log_packet *head = (const void *)packet;
	const struct hft_log_record *at;
	size_t content, end = bytes - SEAL_BYTES, here;
	int err;

	clear(planes);
	if (bytes < HEAD_BYTES + SEAL_BYTES || bytes > HFT_LOG_PACKET_MOST)
		return 0;
	content = (size_t)hft_log_content_bytes(head);
	if (content < HEAD_BYTES || content > end ||
	    !is_zero(packet + content, packet + end))
		return 0;
	err = make_room(planes, (uint32_t)(content / RECORD_BYTES + 1));
	if (err)
		return err;
	for (here = HEAD_BYTES; here < content; here += 8u * at->words) {
		at = (const void *)(packet + here);
		if (content - here < RECORD_BYTES || at->words < RECORD_WORDS ||
		    8u * at->words > content - here)
			return 0;
		add_record(planes, (uint32_t)here, at->id);
	}
	return 1;
}

/* The lowest @bytes of each number, each to its plane */
static void put_number(uint8_t *to, uint32_t nr, uint32_t n, uint64_t number, int bytes)
{
	int i;

	for (i = 0; i < bytes; i++)
		to[(size_t)i * nr + n] = (uint8_t)(number >> (8 * i));
}

static uint64_t get_number(const uint8_t *from, uint32_t nr, uint32_t n, int bytes)
{
	uint64_t number = 0;
	int i;

	for (i = 0; i < bytes; i++)
		number |= (uint64_t)from[(size_t)i * nr + n] << (8 * i);
	return number;
}

static uint8_t *put_heads(const struct hft_log_planes *planes, const uint8_t *packet, uint8_t *to)
{
	uint32_t n, nr = planes->nr, sequence = UINT32_MAX;
	const struct hft_log_record *is;
	uint64_t stamp = 0;

	for (n = 0; n < nr; n++) {
		is = record(planes, packet, n);
		put_number(to, nr, n, is->id, 2);
		put_number(to + 2 * (size_t)nr, nr, n, is->words, 2);
		put_number(to + 4 * (size_t)nr, nr, n, is->sequence - sequence - 1, 4);
		put_number(to + 8 * (size_t)nr, nr, n, is->stamp - stamp, 8);
		sequence = is->sequence;
		stamp = is->stamp;
	}
	return to + RECORD_BYTES * nr;
}

static uint64_t word_at(const uint8_t *packet, uint32_t at, uint32_t word)
{
	uint64_t value;

	memcpy(&value, packet + at + 8 * word, sizeof(value));
	return value;
}

/*
 * Those of a call site that have more than @words: the list that begins with @first loses
 * the others, for good.  Returns how many are left.
 */
static uint32_t keep_longer(struct hft_log_planes *planes, const uint8_t *packet,
			    uint32_t *first, uint32_t words)
{
	uint32_t *at = first, nr = 0;

	while (*at != NONE) {
		if (record(planes, packet, *at)->words > words) {
			at = &planes->next[*at];
			nr++;
		} else {
			*at = planes->next[*at];
		}
	}
	return nr;
}

/* Numbers that never fall, such as ids in their order, are near each other. */
static bool grows(const struct hft_log_planes *planes, const uint8_t *packet, uint32_t first,
		  uint32_t word)
{
	uint64_t before = 0, value;
	uint32_t n;

	for (n = first; n != NONE; n = planes->next[n]) {
		value = word_at(packet, planes->at[n], word);
		if (value < before)
			return false;
		before = value;
	}
	return true;
}

static uint8_t *put_words(const struct hft_log_planes *planes, const uint8_t *packet,
			  uint32_t first, uint32_t nr, uint32_t word, uint8_t *to)
{
	bool differences = grows(planes, packet, first, word);
	uint64_t before = 0, value;
	uint32_t n, i = 0;

	*to++ = differences ? HFT_LOG_PACK_DIFFERENCES : HFT_LOG_PACK_WORDS;
	for (n = first; n != NONE; n = planes->next[n]) {
		value = word_at(packet, planes->at[n], word);
		put_number(to, nr, i++, value - before, 8);
		before = differences ? value : 0;
	}
	return to + 8 * (size_t)nr;
}

int64_t hft_log_planes_put(struct hft_log_planes *planes, const void *packet, size_t bytes,
			   uint8_t *to)
{
	struct hft_log_pack_head head = { .kind = HFT_LOG_PACK_PLAIN, .bytes = (uint32_t)bytes };
	uint8_t *at = to + sizeof(head);
	uint32_t i, first, nr, word;
	int got = split(planes, packet, bytes);

	if (got < 0)
		return got;
	if (!got) {
		memcpy(to, &head, sizeof(head));
		memcpy(at, packet, bytes);
		return (int64_t)(sizeof(head) + bytes);
	}
	head.kind = HFT_LOG_PACK_PLANES;
	head.records = planes->nr;
	memcpy(to, &head, sizeof(head));
	memcpy(at, packet, HEAD_BYTES);
	memcpy(at + HEAD_BYTES, (const uint8_t *)packet + bytes - SEAL_BYTES, SEAL_BYTES);
	at = put_heads(planes, packet, at + HEAD_BYTES + SEAL_BYTES);
	for (i = 0; i < planes->nr_used; i++) {
		first = planes->first[planes->used[i]];
		for (word = RECORD_WORDS; (nr = keep_longer(planes, packet, &first, word)); word++)
			at = put_words(planes, packet, first, nr, word, at);
	}
	return at - to;
}

struct source {
	const uint8_t *at;
	const uint8_t *end;
};

/* The next @bytes, or NULL: there are not so many. */
static const uint8_t *take(struct source *from, size_t bytes)
{
	const uint8_t *at = from->at;

	if ((size_t)(from->end - at) < bytes)
		return NULL;
	from->at += bytes;
	return at;
}

/* Puts the heads of the records to where they belong.  Returns false: they are none. */
static bool get_heads(struct hft_log_planes *planes, struct source *from, uint32_t nr,
		      uint8_t *packet, size_t content)
{
	const uint8_t *at = take(from, RECORD_BYTES * (size_t)nr);
	uint32_t n, sequence = UINT32_MAX;
	struct hft_log_record *is;
	size_t here = HEAD_BYTES;
	uint64_t stamp = 0, words;

	for (n = 0; at && n < nr; n++) {
		words = get_number(at + 2 * (size_t)nr, nr, n, 2);
		if (content - here < RECORD_BYTES || words < RECORD_WORDS ||
		    8 * words > content - here)
			return false;
		is = (void *)(packet + here);
		is->id = (uint16_t)get_number(at, nr, n, 2);
		is->words = (uint16_t)words;
		sequence += (uint32_t)get_number(at + 4 * (size_t)nr, nr, n, 4) + 1;
		stamp += get_number(at + 8 * (size_t)nr, nr, n, 8);
		is->sequence = sequence;
		is->stamp = stamp;
		add_record(planes, (uint32_t)here, is->id);
		here += 8 * words;
	}
	return at && here == content;
}

static bool get_words(const struct hft_log_planes *planes, struct source *from, uint32_t first,
		      uint32_t nr, uint32_t word, uint8_t *packet)
{
	const uint8_t *kind = take(from, 1), *at = take(from, 8 * (size_t)nr);
	uint64_t before = 0, value;
	uint32_t n, i = 0;

	if (!kind || !at || *kind > HFT_LOG_PACK_DIFFERENCES)
		return false;
	for (n = first; n != NONE; n = planes->next[n]) {
		value = before + get_number(at, nr, i++, 8);
		memcpy(packet + planes->at[n] + 8 * word, &value, sizeof(value));
		before = *kind == HFT_LOG_PACK_DIFFERENCES ? value : 0;
	}
	return true;
}

static int get_planes(struct hft_log_planes *planes, struct source *from, uint32_t nr,
		      uint8_t *packet, size_t bytes)
{
	const struct hft_log_packet *head = (const void *)packet;
	const uint8_t *at = take(from, HEAD_BYTES + SEAL_BYTES);
	size_t content, end = bytes - SEAL_BYTES;
	uint32_t i, first, left, word;

	if (!at || bytes < HEAD_BYTES + SEAL_BYTES)
		return -EBADMSG;
	memcpy(packet, at, HEAD_BYTES);
	memcpy(packet + end, at + HEAD_BYTES, SEAL_BYTES);
	content = (size_t)hft_log_content_bytes(head);
	if (content < HEAD_BYTES || content > end ||
	    nr > (content - HEAD_BYTES) / RECORD_BYTES)
		return -EBADMSG;
	clear(planes);
	if (make_room(planes, nr + 1))
		return -ENOMEM;
	memset(packet + content, 0, end - content);
	if (!get_heads(planes, from, nr, packet, content))
		return -EBADMSG;
	for (i = 0; i < planes->nr_used; i++) {
		first = planes->first[planes->used[i]];
		for (word = RECORD_WORDS; (left = keep_longer(planes, packet, &first, word));
		     word++)
			if (!get_words(planes, from, first, left, word, packet))
				return -EBADMSG;
	}
	return from->at == from->end ? 0 : -EBADMSG;
}

int hft_log_planes_get(struct hft_log_planes *planes, const uint8_t *bytes_from,
		       size_t from_bytes, void *packet, size_t bytes)
{
	struct source from = { bytes_from, bytes_from + from_bytes };
	struct hft_log_pack_head head;
	const uint8_t *at = take(&from, sizeof(head));
	int err = -EBADMSG;

	if (!at)
		return hft_fail(EBADMSG, "a packed packet of %zu bytes", from_bytes);
	memcpy(&head, at, sizeof(head));
	if (head.bytes != bytes || head.reserved)
		return hft_fail(EBADMSG, "a packed packet");
	if (head.kind == HFT_LOG_PACK_PLANES) {
		err = get_planes(planes, &from, head.records, packet, bytes);
	} else if (head.kind == HFT_LOG_PACK_PLAIN && (size_t)(from.end - from.at) == bytes) {
		memcpy(packet, from.at, bytes);
		err = 0;
	}
	return err ? hft_fail(-err, "a packed packet") : 0;
}
