// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The packets of a stream against those that the seal of their chunk lists.
 *
 * A packet is known by its hash.  The longest run of packets in the order of the seal is
 * what stayed in place (Fredman, "On computing the length of longest increasing
 * subsequences", 1975); what is not of it was moved or copied, what no one knows was put in
 * the place of those that are not there.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"
#include "verify.h"

#define HASH	HFT_LOG_HASH_BYTES
#define NONE	(-1)

/* A piece of the file */
struct hft_log_found {
	uint64_t offset;
	uint64_t begin;
	uint64_t end;
	int64_t index;		/* in the seal; NONE: it does not have it */
	int64_t before;		/* of the pieces in place; NONE: the first */
	bool is_whole;
	bool in_place;
};

enum hft_log_seen {
	HFT_LOG_NOWHERE,
	HFT_LOG_SOMEWHERE,
	HFT_LOG_TOLD,
	HFT_LOG_IN_PLACE,
};

struct hft_log_compare {
	struct hft_log_verifier *verifier;
	uint8_t (*hashes)[HASH];	/* of the seal */
	int64_t nr;
	int64_t *sorted;		/* by hash; NULL: not needed yet */
	uint8_t *seen;			/* enum hft_log_seen, of each packet of the seal */
	struct hft_log_found *found;
	size_t nr_found, room;
	bool is_same;
	bool is_shorter;		/* the file, than the seal says */
	bool is_foreign;		/* a packet has another uuid than the seal */
	uint8_t uuid[16];		/* of the seal */
};

static int hft_log_by_hash(const void *a, const void *b, void *hashes)
{
	const uint8_t (*of)[HASH] = hashes;

	return memcmp(of[*(const int64_t *)a], of[*(const int64_t *)b], HASH);
}

static int hft_log_sort(struct hft_log_compare *compare)
{
	int64_t i;

	compare->sorted = calloc((size_t)compare->nr + 1, sizeof(*compare->sorted));
	if (!compare->sorted)
		return hft_fail(ENOMEM, "hashes of packets");
	for (i = 0; i < compare->nr; i++)
		compare->sorted[i] = i;
	qsort_r(compare->sorted, (size_t)compare->nr, sizeof(*compare->sorted), hft_log_by_hash,
		compare->hashes);
	return 0;
}

static int64_t hft_log_look_up(const struct hft_log_compare *compare, const uint8_t *hash)
{
	int64_t low = 0, high = compare->nr;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		int order = memcmp(compare->hashes[compare->sorted[middle]], hash, HASH);

		if (!order)
			return compare->sorted[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NONE;
}

static int hft_log_grow(struct hft_log_compare *compare)
{
	size_t room = compare->room ? 2 * compare->room : 256;
	void *found = realloc(compare->found, room * sizeof(*compare->found));

	if (!found)
		return hft_fail(ENOMEM, "%zu packets", room);
	compare->found = found;
	compare->room = room;
	return 0;
}

static int hft_log_add_found(struct hft_log_compare *compare, const struct hft_log_piece *piece)
{
	int64_t next = (int64_t)compare->nr_found;
	struct hft_log_found *found;
	int err = 0;

	if (compare->nr_found == compare->room)
		err = hft_log_grow(compare);
	if (err)
		return err;
	found = &compare->found[compare->nr_found++];
	*found = (struct hft_log_found){
		.offset = piece->offset,
		.begin = piece->begin,
		.end = piece->end,
		.index = NONE,
		.before = NONE,
		.is_whole = piece->is_whole,
	};
	if (compare->is_same && piece->is_whole && next < compare->nr &&
	    !memcmp(compare->hashes[next], piece->hash, HASH)) {
		found->index = next;
		return 0;
	}
	compare->is_same = false;
	if (!piece->is_whole)
		return 0;
	if (!compare->sorted)
		err = hft_log_sort(compare);
	if (!err)
		found->index = hft_log_look_up(compare, piece->hash);
	return err;
}

/* The piece in whose place this one comes, among the last of runs of 1, 2, ... pieces */
static size_t hft_log_run(const struct hft_log_compare *compare, const int64_t *last, size_t nr,
			  int64_t index)
{
	size_t low = 0, high = nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare->found[last[middle]].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int hft_log_mark_in_place(struct hft_log_compare *compare)
{
	int64_t *last = calloc(compare->nr_found + 1, sizeof(*last)), at;
	size_t i, run, nr = 0;

	if (!last)
		return hft_fail(ENOMEM, "the order of packets");
	for (i = 0; i < compare->nr_found; i++) {
		if (compare->found[i].index == NONE)
			continue;
		compare->seen[compare->found[i].index] = HFT_LOG_SOMEWHERE;
		run = hft_log_run(compare, last, nr, compare->found[i].index);
		compare->found[i].before = run ? last[run - 1] : NONE;
		last[run] = (int64_t)i;
		if (run == nr)
			nr++;
	}
	for (at = nr ? last[nr - 1] : NONE; at != NONE; at = compare->found[at].before) {
		compare->found[at].in_place = true;
		compare->seen[compare->found[at].index] = HFT_LOG_IN_PLACE;
	}
	free(last);
	return 0;
}

/* Pieces between two that are in place */
struct hft_log_gap {
	int64_t from;			/* packets of the seal: from this */
	int64_t to;			/* to before this one */
	const struct hft_log_found *unknown;	/* the first that the seal has not; or NULL */
	bool has_whole;			/* one of these is a packet */
	uint64_t offset;
	uint64_t begin;			/* between which times; 0: not known */
	uint64_t end;
};

static void hft_log_tell_missing(struct hft_log_compare *compare, const struct hft_log_gap *gap,
				 int64_t from, int64_t to)
{
	bool is_tail = gap->to == compare->nr;
	struct hft_log_place place = {
		.packet = (uint64_t)from,
		.packets = (uint64_t)(to - from),
		.offset = gap->unknown ? gap->unknown->offset : gap->offset,
		.begin = gap->begin,
		.end = gap->end,
	};

	if (is_tail && !gap->has_whole && compare->is_shorter)
		hft_log_find(compare->verifier, HFT_LOG_TRUNCATED, HFT_LOG_IS_TAMPERED, &place,
			     "the end is cut off: %" PRIu64 " packets are not there",
			     place.packets);
	else if (gap->unknown)
		hft_log_find(compare->verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
			     "there are other bytes than were written%s",
			     gap->has_whole ? ", with a hash made for them" : "");
	else
		hft_log_find(compare->verifier, HFT_LOG_DROPPED, HFT_LOG_IS_TAMPERED, &place,
			     "%" PRIu64 " packets are not there", place.packets);
}

static void hft_log_tell_gap(struct hft_log_compare *compare, const struct hft_log_gap *gap)
{
	struct hft_log_place place = { .packet = HFT_LOG_NO_PACKET, .begin = gap->begin,
				       .end = gap->end };
	int64_t from = gap->from, to;
	bool is_told = false;

	while (from < gap->to) {
		for (to = from; to < gap->to && compare->seen[to] == HFT_LOG_NOWHERE; to++)
			;
		if (to > from) {
			hft_log_tell_missing(compare, gap, from, to);
			is_told = true;
		}
		from = to + 1;
	}
	if (!gap->unknown || is_told)
		return;
	place.offset = gap->unknown->offset;
	hft_log_find(compare->verifier, HFT_LOG_ADDED, HFT_LOG_IS_TAMPERED, &place,
		     "there are bytes that the log has not written");
}

static void hft_log_tell_moved(struct hft_log_compare *compare, const struct hft_log_found *found)
{
	uint8_t *seen = &compare->seen[found->index];
	struct hft_log_place place = {
		.packet = (uint64_t)found->index,
		.packets = 1,
		.offset = found->offset,
		.begin = found->begin,
		.end = found->end,
	};

	if (*seen == HFT_LOG_SOMEWHERE)
		hft_log_find(compare->verifier, HFT_LOG_REORDERED, HFT_LOG_IS_TAMPERED, &place,
			     "the packet is in another place than it was written to");
	else
		hft_log_find(compare->verifier, HFT_LOG_ADDED, HFT_LOG_IS_TAMPERED, &place,
			     "a copy of the packet is here, too");
	if (*seen == HFT_LOG_SOMEWHERE)
		*seen = HFT_LOG_TOLD;
}

static int hft_log_tell_differences(struct hft_log_compare *compare, uint64_t bytes)
{
	struct hft_log_gap gap = { 0 };
	int err = hft_log_mark_in_place(compare);
	size_t i;

	for (i = 0; i < compare->nr_found && !err; i++) {
		const struct hft_log_found *found = &compare->found[i];

		if (found->in_place) {
			gap.to = found->index;
			gap.end = found->begin;
			gap.offset = found->offset;
			hft_log_tell_gap(compare, &gap);
			gap = (struct hft_log_gap){ .from = found->index + 1,
						    .begin = found->end };
		} else if (found->index != NONE) {
			hft_log_tell_moved(compare, found);
		} else {
			gap.unknown = gap.unknown ?: found;
			gap.has_whole |= found->is_whole;
		}
	}
	gap.to = compare->nr;
	gap.offset = bytes;
	if (!err)
		hft_log_tell_gap(compare, &gap);
	return err;
}

struct hft_log_sums {
	uint64_t bytes;
	uint64_t records;
	uint64_t lost;
};

static void hft_log_check_sums(struct hft_log_verifier *verifier, const json_t *sealed,
			       const struct hft_log_sums *sums)
{
	if (sums->bytes == hft_log_number(sealed, "bytes") &&
	    sums->records == hft_log_number(sealed, "records") &&
	    sums->lost == hft_log_number(sealed, "lost"))
		return;
	hft_log_find(verifier, HFT_LOG_SEAL_CHANGED, HFT_LOG_IS_TAMPERED, NULL,
		     "the seal says other sums than those of the packets");
}

static int hft_log_compare_all(struct hft_log_compare *compare, struct hft_log_source *source,
			       const json_t *sealed)
{
	struct hft_log_verifier *verifier = compare->verifier;
	struct hft_log_sums sums = { 0 };
	struct hft_log_piece piece;
	int ret;

	while ((ret = hft_log_packets_next(&verifier->packets, &piece)) > 0) {
		ret = hft_log_add_found(compare, &piece);
		if (ret)
			return ret;
		sums.bytes += piece.bytes;
		if (piece.is_whole) {
			sums.records += piece.records;
			sums.lost = piece.lost;
			verifier->result.packets++;
			compare->is_foreign |= memcmp(piece.uuid, compare->uuid, 16) != 0;
		}
		hft_log_verify_progress(verifier, piece.bytes);
	}
	if (ret < 0)
		return ret;
	verifier->result.records += sums.records;
	verifier->result.lost += sums.lost;
	compare->is_shorter = source->bytes < hft_log_number(sealed, "bytes");
	if (!compare->is_same || (int64_t)compare->nr_found != compare->nr)
		return hft_log_tell_differences(compare, source->bytes);
	hft_log_check_sums(verifier, sealed, &sums);
	if (compare->is_foreign)
		hft_log_find(verifier, HFT_LOG_CHUNK_FOREIGN, HFT_LOG_IS_TAMPERED, NULL,
			     "the packets are of another log than the seal");
	return 0;
}

static int hft_log_compare_read(struct hft_log_compare *compare, const json_t *sealed)
{
	const char *text = json_string_value(json_object_get(sealed, "hashes"));
	size_t nr = hft_log_number(sealed, "packets");

	compare->nr = (int64_t)nr;
	compare->is_same = true;
	compare->hashes = calloc(nr + 1, HASH);
	compare->seen = calloc(nr + 1, 1);
	if (!compare->hashes || !compare->seen)
		return hft_fail(ENOMEM, "hashes of packets");
	hft_log_hex_read(text, compare->hashes[0], nr * HASH);
	hft_log_uuid_read(compare->verifier->chunk->uuid, compare->uuid);
	return 0;
}

static int hft_log_check_root(struct hft_log_compare *compare, const json_t *sealed)
{
	uint8_t root[HASH], said[HASH];
	int err = hft_log_root_of((const uint8_t (*)[HASH])compare->hashes,
				  (uint64_t)compare->nr, root);

	if (err)
		return err;
	hft_log_hex_read(json_string_value(json_object_get(sealed, "root")), said, HASH);
	if (memcmp(root, said, HASH))
		hft_log_find(compare->verifier, HFT_LOG_SEAL_CHANGED, HFT_LOG_IS_TAMPERED, NULL,
			     "the root of the stream is not that of its hashes");
	return 0;
}

int hft_log_verify_sealed(struct hft_log_verifier *verifier, struct hft_log_source *source,
			  const struct json_t *sealed)
{
	struct hft_log_compare compare = { .verifier = verifier };
	int err;

	err = hft_log_compare_read(&compare, sealed);
	if (!err)
		err = hft_log_check_root(&compare, sealed);
	if (!err)
		err = hft_log_compare_all(&compare, source, sealed);
	free(compare.found);
	free(compare.sorted);
	free(compare.seen);
	free(compare.hashes);
	return err;
}
