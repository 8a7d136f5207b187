// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Hashes of packets, chains of them, and Merkle trees: see seal.h.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "seal.h"

#define HASH	HFT_LOG_HASH_BYTES

int hft_log_digest_open(struct hft_log_digest *digest)
{
	digest->context = EVP_MD_CTX_new();
	if (!digest->context)
		return hft_fail(ENOMEM, "SHA-256");
	/* The first look-up is slow, and those that follow without a name are not. */
	if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
		hft_log_digest_close(digest);
		return hft_fail(EOPNOTSUPP, "SHA-256 of OpenSSL");
	}
	return 0;
}

void hft_log_digest_close(struct hft_log_digest *digest)
{
	EVP_MD_CTX_free(digest->context);
	digest->context = NULL;
}

int hft_log_digest_begin(struct hft_log_digest *digest)
{
	if (EVP_DigestInit_ex(digest->context, NULL, NULL) != 1)
		return hft_fail(ENOMEM, "SHA-256");
	return 0;
}

int hft_log_digest_add(struct hft_log_digest *digest, const void *bytes, size_t size)
{
	if (EVP_DigestUpdate(digest->context, bytes, size) != 1)
		return hft_fail(EIO, "SHA-256");
	return 0;
}

int hft_log_digest_end(struct hft_log_digest *digest, uint8_t hash[HASH])
{
	if (EVP_DigestFinal_ex(digest->context, hash, NULL) != 1)
		return hft_fail(EIO, "SHA-256");
	return 0;
}

struct piece {
	const void *bytes;
	size_t size;
};

static int hft_log_hash(struct hft_log_digest *digest, const struct piece *pieces, int nr,
			uint8_t hash[HASH])
{
	int err, i;

	err = hft_log_digest_begin(digest);
	for (i = 0; i < nr && !err; i++)
		err = hft_log_digest_add(digest, pieces[i].bytes, pieces[i].size);
	return err ? err : hft_log_digest_end(digest, hash);
}

int hft_log_packet_hash(struct hft_log_digest *digest, const void *packet, size_t bytes,
			uint8_t hash[HASH])
{
	static const uint8_t zeroes[HASH];
	const struct piece pieces[] = {
		{ packet, bytes - HASH },
		{ zeroes, HASH },
	};

	_Static_assert(offsetof(struct hft_log_seal, hash) + HASH == sizeof(struct hft_log_seal),
		       "the hash is at the end");
	return hft_log_hash(digest, pieces, 2, hash);
}

int hft_log_hash_fd(int fd, uint64_t most, uint64_t *bytes, uint8_t hash[HASH])
{
	struct hft_log_digest digest;
	uint8_t buffer[16384];
	ssize_t got = 0;
	int err;

	err = hft_log_digest_open(&digest);
	if (err)
		return err;
	*bytes = 0;
	err = hft_log_digest_begin(&digest);
	while (!err && *bytes < most) {
		uint64_t left = most - *bytes;

		got = read(fd, buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer));
		if (got <= 0)
			break;
		err = hft_log_digest_add(&digest, buffer, (size_t)got);
		*bytes += (uint64_t)got;
	}
	if (!err && got < 0)
		err = hft_fail(errno, "read");
	if (!err)
		err = hft_log_digest_end(&digest, hash);
	hft_log_digest_close(&digest);
	return err;
}

int hft_log_tree_open(struct hft_log_tree *tree)
{
	tree->leaves = 0;
	return hft_log_digest_open(&tree->digest);
}

void hft_log_tree_close(struct hft_log_tree *tree)
{
	hft_log_digest_close(&tree->digest);
}

static int hft_log_tree_join(struct hft_log_tree *tree, const uint8_t *left, const uint8_t *right,
			     uint8_t node[HASH])
{
	static const uint8_t prefix = 1;
	const struct piece pieces[] = {
		{ &prefix, 1 },
		{ left, HASH },
		{ right, HASH },
	};

	return hft_log_hash(&tree->digest, pieces, 3, node);
}

/* A bit of the number of leaves is a full tree, the lowest one the rightmost. */
int hft_log_tree_add(struct hft_log_tree *tree, const void *leaf, size_t size)
{
	static const uint8_t prefix;
	const struct piece pieces[] = {
		{ &prefix, 1 },
		{ leaf, size },
	};
	uint8_t node[HASH];
	int err, level;

	err = hft_log_hash(&tree->digest, pieces, 2, node);
	for (level = 0; !err && tree->leaves >> level & 1; level++)
		err = hft_log_tree_join(tree, tree->nodes[level], node, node);
	if (err)
		return err;
	memcpy(tree->nodes[level], node, HASH);
	tree->leaves++;
	return 0;
}

/* Of a tree without leaves it is the hash of nothing. */
int hft_log_tree_root(struct hft_log_tree *tree, uint8_t root[HASH])
{
	int err = 0, level = 0;

	if (!tree->leaves)
		return hft_log_hash(&tree->digest, NULL, 0, root);
	level = __builtin_ctzll(tree->leaves);
	memcpy(root, tree->nodes[level], HASH);
	while (++level < 64 && !err) {
		if (tree->leaves >> level & 1)
			err = hft_log_tree_join(tree, tree->nodes[level], root, root);
	}
	return err;
}

int hft_log_chain_begin(struct hft_log_chain *chain, const uint8_t *previous)
{
	memset(chain, 0, sizeof(*chain));
	if (previous)
		memcpy(chain->last, previous, HASH);
	return hft_log_digest_open(&chain->digest);
}

void hft_log_chain_end(struct hft_log_chain *chain)
{
	hft_log_digest_close(&chain->digest);
	free(chain->hashes);
	chain->hashes = NULL;
}

static int hft_log_chain_grow(struct hft_log_chain *chain)
{
	uint64_t room = chain->room ? 2 * chain->room : 64;
	void *hashes = realloc(chain->hashes, room * HASH);

	if (!hashes)
		return hft_fail(ENOMEM, "the hashes of %llu packets", (unsigned long long)room);
	chain->hashes = hashes;
	chain->room = room;
	return 0;
}

/* A packet with this hash is in the stream, whatever it goes on from. */
int hft_log_chain_count(struct hft_log_chain *chain, const uint8_t hash[HASH], size_t bytes,
			uint64_t records, uint64_t lost)
{
	if (chain->packets == chain->room) {
		int err = hft_log_chain_grow(chain);

		if (err)
			return err;
	}
	memcpy(chain->last, hash, HASH);
	memcpy(chain->hashes[chain->packets++], hash, HASH);
	chain->bytes += bytes;
	chain->records += records;
	chain->lost = lost;
	return 0;
}

int hft_log_chain_add(struct hft_log_chain *chain, void *packet, size_t bytes, uint64_t records,
		      uint64_t synced)
{
	const struct hft_log_packet *head = packet;
	struct hft_log_seal *seal;
	int err;

	if (bytes < sizeof(*head) + sizeof(*seal) || bytes % HFT_LOG_PACKET_ALIGN)
		return hft_fail(EINVAL, "a packet of %zu bytes", bytes);
	seal = (struct hft_log_seal *)((uint8_t *)packet + bytes) - 1;
	*seal = (struct hft_log_seal){
		.magic = HFT_LOG_SEAL_MAGIC,
		.records = records,
		.synced = synced,
	};
	memcpy(seal->chain, chain->last, HASH);
	err = hft_log_packet_hash(&chain->digest, packet, bytes, seal->hash);
	return err ? err : hft_log_chain_count(chain, seal->hash, bytes, records, head->lost);
}
