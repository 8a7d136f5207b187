/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What shows that a log was changed.  Three things bind its bytes:
 *
 *	a packet has the SHA-256 of itself (with zeroes there) and that of the one before
 *	it in the stream; the first has the root of the chunk before
 *	a stream has the root of a Merkle tree (RFC 6962, 2.1) over its packets' hashes
 *	a chunk has the root of a Merkle tree whose leaves are what its seal says: of the
 *	chunk (the uuid, the number, the root of the chunk before, ...), then of each file
 *
 * The root of a chunk is signed with Ed25519 if there is a key.  See Documentation/log.rst
 * for hft/seal and for what a reader may conclude.
 *
 * A writer: hft_log_chain_begin() for each stream of a chunk, hft_log_chain_add() for each
 * packet before it is written, then hft_log_seal_begin(), _stream() and _file() for each
 * file, _end(), which tells the root that the next chunk goes on from, and _write().
 * The seal of a chunk is on the disk before that of the next one is written: the verifier
 * takes a chunk that has none, before one that has, for tampered with.
 *
 * One thread at a time for each struct.  Errors are as hft_fail() has them.
 */
#ifndef HFT_LOG_SEAL_H
#define HFT_LOG_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/log_format.h>

#define HFT_LOG_SEAL_VERSION	1
#define HFT_LOG_KEY_BYTES	32	/* Ed25519, public */
#define HFT_LOG_SIGNATURE_BYTES	64
#define HFT_LOG_HEX_BYTES	(2 * HFT_LOG_HASH_BYTES + 1)

struct evp_md_ctx_st;
struct evp_pkey_st;
struct json_t;

/* SHA-256, of pieces */
struct hft_log_digest {
	struct evp_md_ctx_st *context;
};

int hft_log_digest_open(struct hft_log_digest *digest);
void hft_log_digest_close(struct hft_log_digest *digest);
int hft_log_digest_begin(struct hft_log_digest *digest);
int hft_log_digest_add(struct hft_log_digest *digest, const void *bytes, size_t size);
int hft_log_digest_end(struct hft_log_digest *digest, uint8_t hash[HFT_LOG_HASH_BYTES]);

/* Of what is left to read of a file, but no more than @most, and how many bytes that were */
int hft_log_hash_fd(int fd, uint64_t most, uint64_t *bytes, uint8_t hash[HFT_LOG_HASH_BYTES]);

/* Of a whole packet of @bytes, which are at least a head and a seal. */
int hft_log_packet_hash(struct hft_log_digest *digest, const void *packet, size_t bytes,
			uint8_t hash[HFT_LOG_HASH_BYTES]);

/* A Merkle tree that grows at its end: the roots of the full trees that it is made of */
struct hft_log_tree {
	struct hft_log_digest digest;
	uint64_t leaves;
	uint8_t nodes[64][HFT_LOG_HASH_BYTES];
};

int hft_log_tree_open(struct hft_log_tree *tree);
void hft_log_tree_close(struct hft_log_tree *tree);
int hft_log_tree_add(struct hft_log_tree *tree, const void *leaf, size_t size);
int hft_log_tree_root(struct hft_log_tree *tree, uint8_t root[HFT_LOG_HASH_BYTES]);

/* Of a tree with these leaves */
int hft_log_root_of(const uint8_t (*hashes)[HFT_LOG_HASH_BYTES], uint64_t nr,
		    uint8_t root[HFT_LOG_HASH_BYTES]);

/* A stream of a chunk */
struct hft_log_chain {
	struct hft_log_digest digest;
	uint64_t packets;
	uint64_t bytes;
	uint64_t records;
	uint64_t lost;
	uint64_t room;				/* packets that there is memory for */
	uint8_t (*hashes)[HFT_LOG_HASH_BYTES];	/* of the packets */
	uint8_t last[HFT_LOG_HASH_BYTES];	/* what the next packet goes on from */
};

/* @previous: the root of the chunk before; NULL: there is none */
int hft_log_chain_begin(struct hft_log_chain *chain, const uint8_t *previous);
void hft_log_chain_end(struct hft_log_chain *chain);

/*
 * Make the seal of a packet of @bytes whose head and records are complete, and count it.
 * When that fails, it is not counted.
 */
int hft_log_chain_add(struct hft_log_chain *chain, void *packet, size_t bytes, uint64_t records,
		      uint64_t synced);
int hft_log_chain_count(struct hft_log_chain *chain, const uint8_t hash[HFT_LOG_HASH_BYTES],
			size_t bytes, uint64_t records, uint64_t lost);

/* Private key, from a PEM file as `openssl genpkey -algorithm ed25519` makes it */
struct hft_log_key {
	struct evp_pkey_st *pkey;
	uint8_t public[HFT_LOG_KEY_BYTES];
};

int hft_log_key_open(struct hft_log_key *key, const char *path);
void hft_log_key_close(struct hft_log_key *key);

/* What wants a key has none: -EKEYREJECTED */
int hft_log_fail_key(void);

/* The public key of a PEM file: of one, or of a pair */
int hft_log_key_read(const char *path, uint8_t public[HFT_LOG_KEY_BYTES]);

/**
 * struct hft_log_seal_opts - what a seal says of its chunk
 * @uuid: of the log
 * @chunk: its number
 * @first: the lowest number of a chunk that is kept: the others may be removed as soon as
 *	this seal is on the disk, and not before; 0: not said
 * @closed: CLOCK_REALTIME, ns
 * @final: the log was closed with this chunk: there are none behind it
 * @previous: the root of the chunk before; NULL: there is none
 */
struct hft_log_seal_opts {
	uint8_t uuid[16];
	uint64_t chunk;
	uint64_t first;
	uint64_t closed;
	bool final;
	const uint8_t *previous;
};

/* The seal of a chunk, written or read: JSON */
struct hft_log_sealing {
	struct json_t *json;
	uint8_t root[HFT_LOG_HASH_BYTES];
};

int hft_log_seal_begin(struct hft_log_sealing *seal, const struct hft_log_seal_opts *opts);
void hft_log_seal_close(struct hft_log_sealing *seal);

/* A stream; its file may be compressed or not. */
int hft_log_seal_stream(struct hft_log_sealing *seal, const char *name,
			const struct hft_log_chain *chain);

/* Any other file of the chunk, by what it has been hashed to. */
int hft_log_seal_hash(struct hft_log_sealing *seal, const char *name, uint64_t bytes,
		      const uint8_t hash[HFT_LOG_HASH_BYTES]);

/* The same, of the first @most bytes of @file, which is to have that name: reads it. */
int hft_log_seal_file(struct hft_log_sealing *seal, int chunk_fd, const char *file,
		      const char *name, uint64_t most);

/* What was cut from the chunk before it was sealed: takes the reference to @cuts. */
int hft_log_seal_repaired(struct hft_log_sealing *seal, struct json_t *cuts);

/* No more files: @seal->root is the chunk's; signs it with @key, NULL for none. */
int hft_log_seal_end(struct hft_log_sealing *seal, const struct hft_log_key *key);

/*
 * Write it: first the files that it names, and the folder's own name, go to the disk, then
 * hft/seal appears, whole, and goes there, too.  Or the two by themselves: when the first fails,
 * what was written may be lost, and trying it again is not enough.
 */
int hft_log_seal_sync(const struct hft_log_sealing *seal, int chunk_fd);
int hft_log_seal_save(const struct hft_log_sealing *seal, int chunk_fd);
int hft_log_seal_write(const struct hft_log_sealing *seal, int chunk_fd);

/*
 * The same in two steps: hft/.repaired is the seal of a chunk whose files are still to
 * become what it says (see repair_end.c); it has the name hft/seal when they are.
 */
int hft_log_seal_write_pending(const struct hft_log_sealing *seal, int chunk_fd);
int hft_log_seal_end_pending(const struct hft_log_sealing *seal, int chunk_fd);

/*
 * Read hft/seal: -ENOENT if there is none, -EBADMSG if it is no seal, its text is not what
 * its own root is of, or a figure is out of range.  The signature is for
 * hft_log_seal_check_signature().
 */
int hft_log_seal_read(struct hft_log_sealing *seal, int chunk_fd);
int hft_log_seal_read_pending(struct hft_log_sealing *seal, int chunk_fd);

/*
 * Is it signed with the key that it names?  1, and which; 0 if it is not signed; -EBADMSG
 * if the signature is not that of the key.
 */
int hft_log_seal_check_signature(const struct hft_log_sealing *seal,
				 uint8_t public[HFT_LOG_KEY_BYTES]);

/* The root of the chunk before; zeroes: there is none */
void hft_log_seal_previous(const struct hft_log_sealing *seal,
			   uint8_t previous[HFT_LOG_HASH_BYTES]);

bool hft_log_hex_read(const char *text, uint8_t *bytes, size_t size);
void hft_log_hex_print(const uint8_t *bytes, size_t size, char *text);

/* As text, of 36 characters */
bool hft_log_uuid_read(const char *text, uint8_t uuid[16]);
void hft_log_uuid_print(const uint8_t uuid[16], char text[37]);

/* repair_stream.c: write what is at [@offset, +@bytes) of a file behind what is in another. */
int hft_log_copy(int from_fd, uint64_t offset, uint64_t bytes, int to_fd);

#endif /* HFT_LOG_SEAL_H */
