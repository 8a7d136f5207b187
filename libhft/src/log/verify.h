/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a log is verified: the seals of all chunks first (verify.c), then the files of each
 * (verify_chunk.c), the streams packet by packet (packets.c) against what the seal knows
 * of them (verify_sealed.c), or by their chain where there is no seal (verify_open.c).
 * Memory is for one packet, and some bytes for each of one stream.
 */
#ifndef HFT_LOG_VERIFY_INTERNAL_H
#define HFT_LOG_VERIFY_INTERNAL_H

#include <dirent.h>
#include <hft/hft.h>
#include <hft/log_store.h>
#include <hft/log_verify.h>
#include <stdbool.h>

#include "read.h"
#include "seal.h"

#define HFT_LOG_PACKET_MOST	HFT_LOG_READ_PACKET_MAX

/* A chunk as its folder and its seal have it, before anything else is read. */
struct hft_log_chunk {
	uint64_t number;
	int err;		/* of reading the seal: -ENOENT, -EBADMSG, ...; 0: it has one */
	uint64_t sealed_number;	/* what the seal says */
	bool is_final;
	bool is_pending;	/* that is a repair's, which has not ended */
	bool is_repaired;
	int is_signed;		/* 1; 0: no; -EBADMSG: wrongly */
	uint8_t key[HFT_LOG_KEY_BYTES];
	char uuid[40];
	uint8_t root[HFT_LOG_HASH_BYTES];
	uint8_t previous[HFT_LOG_HASH_BYTES];
	char text[128];		/* why @err */
};

struct hft_log_chunks {
	struct hft_log_chunk *chunk;	/* by number */
	size_t nr, room;
	uint64_t bytes;			/* to read, about */
	uint64_t first;			/* that retention keeps, as the seals say */
	uint64_t last_sealed;		/* number of the newest with a seal; 0: none */
};

int hft_log_chunks_read(struct hft_log_chunks *chunks, int dir_fd);
void hft_log_chunks_free(struct hft_log_chunks *chunks);

/* All of a file, with a NUL behind it; NULL: -errno is in @err */
char *hft_log_slurp(int dir_fd, const char *file, size_t *size, int *err);

/* The log that the sites of a chunk are of: they begin with that; @text stays if they do not. */
void hft_log_sites_uuid(int dir_fd, const char *sites, char text[40]);

/* Is it a log whose seals are signed?  -errno: what would tell can not be read */
int hft_log_chunks_want_key(const struct hft_log_chunks *chunks, int dir_fd);

int hft_log_chunk_read(struct hft_log_chunks *chunks, struct hft_log_chunk *chunk, int dir_fd);
int hft_log_chunk_open(int dir_fd, uint64_t number);

/* The root that the first packets of the next chunk have; NULL: not known */
const uint8_t *hft_log_chunk_root(const struct hft_log_chunk *chunk);

/*
 * What a repair has written to be this file: hft/.new-index for hft/index.  Not there, if
 * the file stays or its end is cut off.
 */
void hft_log_new_name(const char *file, char name[256]);
int hft_log_has_new(int chunk_fd, const char *file, char name[256]);

/* A file of a chunk, compressed or not: bytes as they were before. */
struct hft_log_source {
	int fd;
	struct hft_log_packed *packed;
	uint64_t bytes;
};

int hft_log_source_open(struct hft_log_source *source, int chunk_fd, const char *file);
void hft_log_source_close(struct hft_log_source *source);
int64_t hft_log_source_read(struct hft_log_source *source, uint64_t offset, void *to,
			    size_t bytes);

/* A stretch of a stream's file. */
struct hft_log_piece {
	uint64_t offset;
	uint64_t bytes;
	bool is_whole;		/* a packet with its own hash; else bytes that are none */
	bool is_zero;		/* all of them: room made beforehand, or a hole */
	uint64_t number;	/* of a packet, and what follows */
	uint64_t begin;
	uint64_t end;
	uint64_t lost;
	uint64_t records;
	uint64_t synced;
	uint8_t uuid[16];
	uint8_t chain[HFT_LOG_HASH_BYTES];
	uint8_t hash[HFT_LOG_HASH_BYTES];
};

/* Goes through the packets of a file, whatever is in it. */
struct hft_log_packets {
	struct hft_log_source *source;
	struct hft_log_digest digest;
	uint64_t stream;
	uint64_t offset;
	uint64_t budget;		/* bytes that may be hashed in vain */
	uint8_t *buffer;		/* the last whole packet */
	size_t room;
	bool has_next;			/* @next was read on the way */
	struct hft_log_piece next;
};

int hft_log_packets_open(struct hft_log_packets *packets);
void hft_log_packets_close(struct hft_log_packets *packets);
void hft_log_packets_begin(struct hft_log_packets *packets, struct hft_log_source *source,
			   uint64_t stream);

/* 1: @piece is the next, 0: the file ends here, or -errno */
int hft_log_packets_next(struct hft_log_packets *packets, struct hft_log_piece *piece);

struct hft_log_verifier {
	struct hft_log_verify_opts opts;
	hft_log_finding_fn fn;
	void *arg;
	struct hft_log_verify_result result;
	int dir_fd;
	struct hft_log_chunks chunks;
	uint8_t (*keys)[HFT_LOG_KEY_BYTES];
	uint64_t all_bytes;
	struct hft_log_packets packets;

	/* The chunk at hand */
	const struct hft_log_chunk *chunk;
	int chunk_fd;
	bool has_clock;
	struct hft_read_clock clock;
	const uint8_t *previous;	/* root of the chunk before; NULL: not known */
	bool was_sealed;		/* it has no seal, and had one: nothing may be torn */

	/* The file at hand */
	const char *file;
};

/* Where a finding is, and of when: stamps; 0: not known */
struct hft_log_place {
	uint64_t packet;
	uint64_t packets;
	uint64_t offset;
	uint64_t begin;
	uint64_t end;
};

void hft_log_find(struct hft_log_verifier *verifier, enum hft_log_finding_kind kind,
		  enum hft_log_verdict verdict, const struct hft_log_place *place,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));
void hft_log_verify_progress(struct hft_log_verifier *verifier, uint64_t bytes);

/* Those of a chunk return 0 or -errno: what is wrong with the log is no error, but a finding. */
int hft_log_verify_chunk(struct hft_log_verifier *verifier);
int hft_log_verify_sealed(struct hft_log_verifier *verifier, struct hft_log_source *source,
			  const struct json_t *sealed);
int hft_log_verify_open(struct hft_log_verifier *verifier);

/* A number of a seal, whose own are never negative */
uint64_t hft_log_number(const struct json_t *object, const char *key);

/* The number of the stream that a file is of; false: it is no stream's */
bool hft_log_stream_number(const char *file, uint64_t *stream);

#endif /* HFT_LOG_VERIFY_INTERNAL_H */
