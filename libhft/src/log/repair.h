/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chunks that a crash left without a seal: what is whole in them is kept and sealed.
 *
 * A stream loses the bytes that are no packets (repair_stream.c), the metadata and the call
 * sites an end that was not written whole, the index what it has of packets that are not
 * there (repair_files.c).  What is cut is kept in a hidden file beside, unless it is zeroes.
 * The seal says all of that, and what was seen before: tampering does not go away by it.
 *
 * The process that wrote a chunk may have ended because the disk did not take it.  Then what is
 * read of the chunk is in the page cache only, which the next sync does not say: what no packet
 * says was on the disk is written again before there is a seal (again.h).
 *
 * A repair may be killed at any point and is made again then, or ended (repair_end.c): what
 * is to be is written beside first, then the seal as hft/.repaired, and only then do the
 * files of the chunk change to what that seal says.
 */
#ifndef HFT_LOG_REPAIR_H
#define HFT_LOG_REPAIR_H

#include <hft/log_verify.h>

#include "seal.h"
#include "verify.h"

/* A packet that is kept */
struct hft_log_kept {
	uint64_t stream;
	uint64_t from;		/* offset before */
	uint64_t offset;	/* now */
	uint64_t bytes;
	uint64_t begin;
	uint64_t end;
	uint64_t records;
	uint64_t number;
};

struct hft_log_repairer {
	int dir_fd;
	int chunk_fd;
	uint64_t number;
	uint32_t how;			/* HFT_LOG_REPAIR_... */
	struct hft_log_sealing seal;
	struct json_t *cuts;		/* what the seal says of them */
	struct hft_log_verifier verifier;
	struct hft_log_kept *kept;
	size_t nr_kept, room;
	char uuid[40];
	bool has_uuid;			/* that of a packet of the chunk */
	uint64_t synced;		/* packets of the stream that were on the disk */
	struct hft_log_repair_result result;
};

enum {
	HFT_LOG_REPAIR_IN_PLACE = 1 << 0,	/* what is cut is kept beside */
	/* What had a seal and has none, or a damaged one, stays as it is and is no error. */
	HFT_LOG_REPAIR_REST = 1 << 1,
};

/*
 * Seal the chunks of a log that have no seal; the caller has the lock of the folder.
 * @key: to sign with, or NULL
 */
int hft_log_repair_folder(int dir_fd, const struct hft_log_key *key, uint32_t how,
			  struct hft_log_repair_result *result);

int hft_log_repair_stream(struct hft_log_repairer *repairer, const char *file);
void hft_log_repair_uuid(struct hft_log_repairer *repairer);
int hft_log_repair_texts(struct hft_log_repairer *repairer);
int hft_log_repair_index(struct hft_log_repairer *repairer);
int hft_log_say_cut(struct hft_log_repairer *repairer, const char *file, uint64_t bytes);

/* Make the files of a chunk what hft/.repaired says; that is its seal then. */
int hft_log_repair_end(struct hft_log_repairer *repairer);

/* A hidden file of the chunk: anew, and with all that was written on the disk */
int hft_log_create(struct hft_log_repairer *repairer, const char *name, int *fd);
int hft_log_finish(int fd, int err);

/* Who may read @file may read what comes in its place. */
int hft_log_take_mode(const struct hft_log_repairer *repairer, const char *file, int fd);

int hft_log_keep_bytes(int fd, const void *bytes, size_t size);

/* Copy the chunks of a log to a new folder, @to_fd. */
int hft_log_copy_chunks(int dir_fd, const struct hft_log_chunks *chunks, int to_fd);

#endif /* HFT_LOG_REPAIR_H */
