// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The packets of a stream whose chunk has no seal: by their numbers and their chain.
 *
 * Each packet says how many were on the disk when it was written.  A crash may have broken
 * those behind, so what is broken before was changed.  Packets that are whole and do not
 * follow each other are not what a crash leaves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"
#include "verify.h"

#define HASH	HFT_LOG_HASH_BYTES

/* Bytes that are no packet, in the place of these packets */
struct hft_log_break {
	uint64_t offset;
	uint64_t bytes;
	uint64_t packet;
	uint64_t packets;	/* 0: not known, for it is the end */
	uint64_t begin;
	uint64_t end;
	bool is_zero;
};

struct hft_log_walk {
	struct hft_log_verifier *verifier;
	uint64_t next;			/* number of the packet that should come */
	uint64_t end;			/* stamp of the last record before it */
	uint64_t synced;		/* so many packets were known to be on the disk */
	uint64_t records;
	uint64_t lost;
	uint8_t chain[HASH];		/* that it should go on from */
	bool has_chain;
	bool is_broken;			/* the last piece was a break */
	struct hft_log_break *breaks;
	size_t nr, room;
};

static int hft_log_add_break(struct hft_log_walk *walk, const struct hft_log_piece *piece)
{
	if (walk->nr == walk->room) {
		size_t room = walk->room ? 2 * walk->room : 16;
		void *breaks = realloc(walk->breaks, room * sizeof(*walk->breaks));

		if (!breaks)
			return hft_fail(ENOMEM, "%zu damaged places", room);
		walk->breaks = breaks;
		walk->room = room;
	}
	walk->breaks[walk->nr++] = (struct hft_log_break){
		.offset = piece->offset,
		.bytes = piece->bytes,
		.packet = walk->next,
		.begin = walk->end,
		.is_zero = piece->is_zero,
	};
	walk->is_broken = true;
	return 0;
}

static void hft_log_tell_order(struct hft_log_walk *walk, const struct hft_log_piece *piece)
{
	struct hft_log_place place = { .packet = walk->next, .offset = piece->offset,
				       .begin = walk->end, .end = piece->begin };

	if (piece->number > walk->next) {
		place.packets = piece->number - walk->next;
		hft_log_find(walk->verifier, HFT_LOG_DROPPED, HFT_LOG_IS_TAMPERED, &place,
			     "%" PRIu64 " packets are not there", place.packets);
		return;
	}
	place.packets = 1;
	if (!walk->next) {
		hft_log_find(walk->verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
			     "the first packet does not go on from the chunk before");
		return;
	}
	place.packet--;
	hft_log_find(walk->verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
		     "the packet is not the one that the next goes on from");
}

/* One that is whole, but was there before or belongs before what was there */
static void hft_log_tell_early(struct hft_log_walk *walk, const struct hft_log_piece *piece)
{
	struct hft_log_place place = { .packet = piece->number, .packets = 1,
				       .offset = piece->offset, .begin = piece->begin,
				       .end = piece->end };

	hft_log_find(walk->verifier, HFT_LOG_REORDERED, HFT_LOG_IS_TAMPERED, &place,
		     "the packet is behind the one that comes after it");
}

static void hft_log_walk_on(struct hft_log_walk *walk, const struct hft_log_piece *piece)
{
	struct hft_log_break *last = walk->is_broken ? &walk->breaks[walk->nr - 1] : NULL;

	if (piece->number < walk->next) {
		hft_log_tell_early(walk, piece);
		return;
	}
	if (last) {
		last->packets = piece->number - last->packet;
		last->end = piece->begin;
	} else if (piece->number > walk->next ||
		   (walk->has_chain && memcmp(walk->chain, piece->chain, HASH))) {
		hft_log_tell_order(walk, piece);
	}
	walk->is_broken = false;
	walk->has_chain = true;
	memcpy(walk->chain, piece->hash, HASH);
	walk->next = piece->number + 1;
	walk->end = piece->end;
	walk->records += piece->records;
	walk->lost = piece->lost;
	if (piece->synced > walk->synced)
		walk->synced = piece->synced;
	walk->verifier->result.packets++;
}

static void hft_log_tell_break(struct hft_log_walk *walk, const struct hft_log_break *at)
{
	bool is_end = !at->packets && at == &walk->breaks[walk->nr - 1] && walk->is_broken;
	struct hft_log_place place = { .packet = at->packet, .packets = at->packets,
				       .offset = at->offset, .begin = at->begin,
				       .end = at->end };

	if (is_end && at->is_zero && at->packet >= walk->synced)
		return;			/* room that was made for what comes */
	if (!is_end && !at->packets)
		hft_log_find(walk->verifier, HFT_LOG_ADDED, HFT_LOG_IS_TAMPERED, &place,
			     "there are bytes between packets that follow each other");
	else if (walk->verifier->was_sealed)
		hft_log_find(walk->verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
			     "it is broken here, and the chunk was sealed");
	else if (at->packet < walk->synced)
		hft_log_find(walk->verifier, HFT_LOG_CHANGED, HFT_LOG_IS_TAMPERED, &place,
			     "it is broken here, and was on the disk: a later packet says so");
	else
		hft_log_find(walk->verifier, HFT_LOG_TORN, HFT_LOG_IS_TORN, &place,
			     "torn: %" PRIu64 " bytes are no packets, none of which was known to "
			     "be on the disk", at->bytes);
}

int hft_log_verify_open(struct hft_log_verifier *verifier)
{
	struct hft_log_walk walk = { .verifier = verifier };
	struct hft_log_piece piece;
	int ret, err = 0;
	size_t i;

	if (verifier->previous) {
		walk.has_chain = true;
		memcpy(walk.chain, verifier->previous, HASH);
	}
	while (!err && (ret = hft_log_packets_next(&verifier->packets, &piece)) > 0) {
		if (piece.is_whole)
			hft_log_walk_on(&walk, &piece);
		else
			err = hft_log_add_break(&walk, &piece);
		hft_log_verify_progress(verifier, piece.bytes);
	}
	if (!err && ret < 0)
		err = ret;
	for (i = 0; i < walk.nr && !err; i++)
		hft_log_tell_break(&walk, &walk.breaks[i]);
	verifier->result.records += walk.records;
	verifier->result.lost += walk.lost;
	free(walk.breaks);
	return err;
}
