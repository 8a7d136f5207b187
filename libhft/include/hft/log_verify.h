/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Was a log changed since it was written?  And what is left of one that was torn by a crash.
 *
 * The packets of a chunk are compared with its seal, and each seal with that of the chunk
 * before; see Documentation/log.rst for what binds what.  A chunk that is not sealed yet
 * has nothing but the chain of its packets: the end of it may be torn by a loss of power,
 * and what is broken before what was known to be on the disk was changed.
 *
 * What can not be seen from the log alone: the last chunks and the seal before them removed,
 * which looks as a crash does, and, without signatures, all seals made anew.  Who keeps the
 * root of a chunk elsewhere (hft_log_verify_opts.root) or has the log signed sees both.
 */
#ifndef HFT_LOG_VERIFY_H
#define HFT_LOG_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum hft_log_finding_kind - what is wrong
 * @HFT_LOG_CHANGED: bytes of packets are others
 * @HFT_LOG_DROPPED: packets are not there
 * @HFT_LOG_REORDERED: a packet is in another place
 * @HFT_LOG_TRUNCATED: packets at the end of a stream are not there
 * @HFT_LOG_ADDED: bytes, packets or files that were not written by the log
 * @HFT_LOG_FILE_CHANGED: the metadata or a file of hft/ is another one
 * @HFT_LOG_FILE_MISSING: a file is not there
 * @HFT_LOG_SEAL_MISSING: a chunk has no seal, and had one
 * @HFT_LOG_SEAL_CHANGED: a seal is damaged, or is not that which the next chunk knows
 * @HFT_LOG_SIGNATURE: a seal is not signed, as the others are, or with another root
 * @HFT_LOG_KEY: a seal is signed with a key that is not trusted
 * @HFT_LOG_CHUNK_MISSING: chunks are not there
 * @HFT_LOG_CHUNK_FOREIGN: a chunk is of another log, or of another place in this one
 * @HFT_LOG_ROOT: no chunk has the root that is asked for
 * @HFT_LOG_UNREADABLE: a file can not be read, by the file system or for its permissions
 * @HFT_LOG_TORN: the end of an unsealed stream is broken, as by a crash: no tampering
 * @HFT_LOG_UNSEALED: a chunk has no seal yet: it is being written, or was by who died
 * @HFT_LOG_REPAIRED: a seal says that it was made by a repair, and what was cut
 * @HFT_LOG_RINGS: its process has ended, and what it has left in rings is not in the log: see
 *	hft_log_recover()
 * @HFT_LOG_FINDINGS: how many kinds there are
 */
enum hft_log_finding_kind {
	HFT_LOG_CHANGED,
	HFT_LOG_DROPPED,
	HFT_LOG_REORDERED,
	HFT_LOG_TRUNCATED,
	HFT_LOG_ADDED,
	HFT_LOG_FILE_CHANGED,
	HFT_LOG_FILE_MISSING,
	HFT_LOG_SEAL_MISSING,
	HFT_LOG_SEAL_CHANGED,
	HFT_LOG_SIGNATURE,
	HFT_LOG_KEY,
	HFT_LOG_CHUNK_MISSING,
	HFT_LOG_CHUNK_FOREIGN,
	HFT_LOG_ROOT,
	HFT_LOG_UNREADABLE,
	HFT_LOG_TORN,
	HFT_LOG_UNSEALED,
	HFT_LOG_REPAIRED,
	HFT_LOG_RINGS,
	HFT_LOG_FINDINGS
};

/**
 * enum hft_log_verdict - what a finding means
 * @HFT_LOG_WHOLE: nothing: it is said for information
 * @HFT_LOG_IS_TORN: a crash may have done it
 * @HFT_LOG_IS_TAMPERED: the log was changed, or its disk is broken
 */
enum hft_log_verdict {
	HFT_LOG_WHOLE,
	HFT_LOG_IS_TORN,
	HFT_LOG_IS_TAMPERED,
};

#define HFT_LOG_NO_PACKET	(~0ull)

/**
 * struct hft_log_finding - one thing
 * @kind: what is wrong
 * @verdict: what that means
 * @chunk: number of the chunk
 * @file: in the chunk; "" if it is the chunk as such
 * @packet: number of the first packet, of those that were written to the stream, or
 *	%HFT_LOG_NO_PACKET: not of one packet
 * @packets: how many
 * @offset: in the file as it is now, uncompressed: bytes
 * @begin_ns: from when the records may be: UTC, ns; 0: not known
 * @end_ns: until when; 0: not known
 * @text: the same for people
 */
struct hft_log_finding {
	enum hft_log_finding_kind kind;
	enum hft_log_verdict verdict;
	uint64_t chunk;
	const char *file;
	uint64_t packet;
	uint64_t packets;
	uint64_t offset;
	uint64_t begin_ns;
	uint64_t end_ns;
	const char *text;
};

typedef void (*hft_log_finding_fn)(void *arg, const struct hft_log_finding *finding);
typedef void (*hft_log_progress_fn)(void *arg, uint64_t done_bytes, uint64_t all_bytes);

/**
 * struct hft_log_verify_opts - how to verify; zero is the default of each
 * @sz: of the struct
 * @nr_keys: of @keys
 * @keys: PEM files of the public keys that are trusted: each seal has to be signed with one
 *	of them.  With none, seals may be signed by any one key, or none of them is
 * @root: of a chunk that has to be there, as hex; NULL: not asked for
 * @progress: called now and then; NULL: not
 * @arg: for @progress
 */
struct hft_log_verify_opts {
	size_t sz;
	size_t nr_keys;
	const char *const *keys;
	const char *root;
	hft_log_progress_fn progress;
	void *arg;
};

/**
 * struct hft_log_verify_result - what was seen
 * @sz: of the struct
 * @tampered: findings that are %HFT_LOG_IS_TAMPERED
 * @torn: those that are %HFT_LOG_IS_TORN
 * @chunks: that are there
 * @first_chunk: the lowest number of these
 * @sealed: chunks with a seal that is whole
 * @signed_chunks: those whose signature is right
 * @packets: that are whole
 * @records: of these
 * @lost: records that were lost before they came to the log, and counted
 * @bytes: read, uncompressed
 * @uuid: of the log, as text
 * @root: of the newest chunk with a seal, as hex; "" if there is none
 * @key: that it is signed with, as hex; "" if it is not
 */
struct hft_log_verify_result {
	size_t sz;
	uint64_t tampered;
	uint64_t torn;
	uint64_t chunks;
	uint64_t first_chunk;
	uint64_t sealed;
	uint64_t signed_chunks;
	uint64_t packets;
	uint64_t records;
	uint64_t lost;
	uint64_t bytes;
	char uuid[40];
	char root[72];
	char key[72];
};

int hft_log_verify(const char *dir, const struct hft_log_verify_opts *opts,
		   hft_log_finding_fn fn, void *arg, struct hft_log_verify_result *result);
const char *hft_log_finding_name(enum hft_log_finding_kind kind);

/**
 * struct hft_log_repair_opts - how to repair; zero is the default of each
 * @sz: of the struct
 * @output: folder of the repaired log, which is not there yet; NULL: in place
 * @key: PEM file of the private key to sign with; NULL: not signed, of a log that is not
 */
struct hft_log_repair_opts {
	size_t sz;
	const char *output;
	const char *key;
};

/**
 * struct hft_log_repair_result - what was done
 * @sz: of the struct
 * @chunks: that were sealed
 * @packets: kept in these
 * @records: kept in these
 * @cut_bytes: that were not kept
 * @cut_streams: of how many streams
 */
struct hft_log_repair_result {
	size_t sz;
	uint64_t chunks;
	uint64_t packets;
	uint64_t records;
	uint64_t cut_bytes;
	uint64_t cut_streams;
};

int hft_log_repair(const char *dir, const struct hft_log_repair_opts *opts,
		   struct hft_log_repair_result *result);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_VERIFY_H */
