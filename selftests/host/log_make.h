/* SPDX-License-Identifier: GPL-2.0-only */
/* A log made in memory, from a seed, as the store writes it: to be changed and then verified. */
#ifndef HOST_LOG_MAKE_H
#define HOST_LOG_MAKE_H

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/remove_tree.h"
#include "log/seal.h"
#include "random.h"

#define MAKE_CHUNKS	4
#define MAKE_STREAMS	3
#define MAKE_FILES	8		/* of a chunk at most */
#define MAKE_PACKETS	12		/* of a stream at most */
#define MAKE_NS		1000		/* between records; the clock begins with 2023-11-14 */

struct make_packet {
	size_t offset, bytes;
	uint64_t synced;
};

struct make_file {
	char path[64];			/* below the log; "": it is gone */
	uint8_t *bytes;
	size_t size;
	unsigned int chunk;		/* from 1 */
	uint64_t stream;
	unsigned int nr;		/* packets; 0: no stream */
	struct make_packet packets[MAKE_PACKETS];
};

struct make_log {
	struct make_file files[(MAKE_CHUNKS + 1) * MAKE_FILES];
	unsigned int nr;
};

/* What is made differently: the record of a packet, and whose key signs from there on. */
struct make_opts {
	uint64_t seed;
	const struct hft_log_key *key;		/* NULL: unsigned */
	unsigned int changed_chunk;		/* from 1; 0: none */
	unsigned int changed_stream;
	const struct hft_log_key *changed_key;	/* signs from @changed_chunk on */
	const uint8_t *changed_uuid;		/* of the seal of @changed_chunk; NULL: its own */
	unsigned int open_chunks;		/* so many of the last are not sealed */
};

static inline struct make_file *make_add(struct make_log *log, unsigned int chunk,
					 const char *name)
{
	struct make_file *file = &log->files[log->nr++];

	memset(file, 0, sizeof(*file));
	snprintf(file->path, sizeof(file->path), "chunk-%08u/%s", chunk, name);
	file->chunk = chunk;
	return file;
}

static inline void make_text(struct make_file *file, const void *text, size_t size)
{
	file->bytes = realloc(file->bytes, file->size + size);
	memcpy(file->bytes + file->size, text, size);
	file->size += size;
}

static inline size_t make_one(uint8_t *packet, const uint8_t uuid[16], uint64_t stream,
			      uint64_t number, uint64_t stamp, uint64_t *random)
{
	size_t bytes = 4096 * (1 + random_u64(random) % 2), records, i;
	struct hft_log_packet *head = (void *)packet;
	struct hft_log_record *record = (void *)(head + 1);

	memset(packet, 0, bytes);
	records = 1 + random_u64(random) % ((bytes - sizeof(*head) - sizeof(struct hft_log_seal)) /
					    32);
	*head = (struct hft_log_packet){
		.magic = HFT_LOG_PACKET_MAGIC,
		.stream = stream,
		.packet_bits = 8 * bytes,
		.content_bits = 8 * (sizeof(*head) + 32 * records),
		.begin = stamp,
		.end = stamp + (records - 1) * MAKE_NS,
		.number = number,
	};
	memcpy(head->uuid, uuid, 16);
	for (i = 0; i < records; i++) {
		uint64_t *words = (uint64_t *)(record + 1);

		*record = (struct hft_log_record){ .id = 16, .words = 4, .sequence = (uint32_t)i,
						   .stamp = stamp + i * MAKE_NS };
		words[0] = random_u64(random);
		words[1] = i;
		record += 2;
	}
	return bytes;
}

static inline void make_stream(struct make_log *log, unsigned int chunk, uint64_t stream,
			       const uint8_t uuid[16], const uint8_t *previous, bool is_changed,
			       uint64_t *random, struct hft_log_chain *chain,
			       struct make_file *index)
{
	static uint8_t packet[2 * 4096];
	struct make_file *file;
	unsigned int i;
	char name[32];

	snprintf(name, sizeof(name), "stream-%u", (unsigned int)stream);
	file = make_add(log, chunk, name);
	file->stream = stream;
	file->nr = 4 + random_u64(random) % (MAKE_PACKETS - 4);
	if (hft_log_chain_begin(chain, previous))
		abort();
	for (i = 0; i < file->nr; i++) {
		uint64_t stamp = 1000000000ull * chunk + 10000000ull * i + stream;
		size_t bytes = make_one(packet, uuid, stream, i, stamp, random);
		const struct hft_log_packet *head = (void *)packet;
		uint64_t records = (head->content_bits / 8 - sizeof(*head)) / 32;
		struct hft_log_index entry = {
			.stream = stream, .offset = file->size, .bytes = bytes,
			.begin = head->begin, .end = head->end, .records = records, .levels = 8,
		};

		if (is_changed && i == file->nr / 2)
			packet[sizeof(*head) + sizeof(struct hft_log_record)] ^= 1;
		file->packets[i] = (struct make_packet){ file->size, bytes, i / 2 };
		if (hft_log_chain_add(chain, packet, bytes, records, i / 2))
			abort();
		make_text(file, packet, bytes);
		make_text(index, &entry, sizeof(entry));
	}
}

static inline void make_hash(struct hft_log_sealing *seal, const struct make_file *file)
{
	struct hft_log_digest digest;
	uint8_t hash[HFT_LOG_HASH_BYTES];

	if (hft_log_digest_open(&digest) || hft_log_digest_begin(&digest) ||
	    hft_log_digest_add(&digest, file->bytes, file->size) ||
	    hft_log_digest_end(&digest, hash))
		abort();
	hft_log_digest_close(&digest);
	if (hft_log_seal_hash(seal, strchr(file->path, '/') + 1, file->size, hash))
		abort();
}

static inline void make_chunk(struct make_log *log, unsigned int chunk, const uint8_t uuid[16],
			      uint8_t root[HFT_LOG_HASH_BYTES], const struct make_opts *opts,
			      uint64_t *random)
{
	bool is_final = chunk == MAKE_CHUNKS;
	struct hft_log_seal_opts seal_opts = {
		.chunk = chunk, .closed = 5, .final = is_final, .previous = chunk > 1 ? root : NULL,
	};
	bool has_other_uuid = opts->changed_uuid && chunk == opts->changed_chunk;
	const struct hft_log_key *key = opts->key;
	struct make_file *metadata = make_add(log, chunk, "metadata");
	struct make_file *sites = make_add(log, chunk, "hft/sites");
	struct make_file *index = make_add(log, chunk, "hft/index");
	struct hft_log_sealing seal;
	struct hft_log_chain chain;
	char text[512], *json;
	uint64_t stream;

	snprintf(text, sizeof(text), "/* CTF 1.8 */\ntrace {\n\tmajor = 1;\n};\n"
		 "event {\n\tname = \"a:%u\";\n};\n", chunk);
	make_text(metadata, text, strlen(text));
	snprintf(text, sizeof(text), "{\"log\":{\"version\":1,\"clock\":{\"name\":\"tsc\","
		 "\"freq\":1000000000,\"offset_s\":1700000000,\"offset\":0,"
		 "\"monotonic_at_0\":0}}}\n{\"site\":{\"id\":16,\"chunk\":%u}}\n", chunk);
	make_text(sites, text, strlen(text));
	memcpy(seal_opts.uuid, has_other_uuid ? opts->changed_uuid : uuid, sizeof(seal_opts.uuid));
	if (hft_log_seal_begin(&seal, &seal_opts))
		abort();
	for (stream = 0; stream < MAKE_STREAMS; stream++) {
		make_stream(log, chunk, stream, uuid, seal_opts.previous,
			    chunk == opts->changed_chunk && stream == opts->changed_stream, random,
			    &chain, index);
		snprintf(text, sizeof(text), "stream-%u", (unsigned int)stream);
		if (hft_log_seal_stream(&seal, text, &chain))
			abort();
		hft_log_chain_end(&chain);
	}
	make_hash(&seal, metadata);
	make_hash(&seal, sites);
	make_hash(&seal, index);
	if (opts->changed_chunk && chunk >= opts->changed_chunk)
		key = opts->changed_key;
	if (hft_log_seal_end(&seal, key))
		abort();
	json = json_dumps(seal.json, JSON_INDENT(1));
	if (chunk + opts->open_chunks <= MAKE_CHUNKS)
		make_text(make_add(log, chunk, "hft/seal"), json, strlen(json));
	free(json);
	memcpy(root, seal.root, HFT_LOG_HASH_BYTES);
	hft_log_seal_close(&seal);
}

static inline void make_log(struct make_log *log, const struct make_opts *opts)
{
	uint8_t uuid[16], root[HFT_LOG_HASH_BYTES];
	uint64_t random = opts->seed;
	unsigned int i;

	memset(log, 0, sizeof(*log));
	for (i = 0; i < 16; i++)
		uuid[i] = (uint8_t)random_u64(&random);
	for (i = 1; i <= MAKE_CHUNKS; i++)
		make_chunk(log, i, uuid, root, opts, &random);
}

static inline void make_copy(struct make_log *to, const struct make_log *from)
{
	unsigned int i;

	*to = *from;
	for (i = 0; i < to->nr; i++) {
		to->files[i].bytes = NULL;
		to->files[i].size = 0;
		make_text(&to->files[i], from->files[i].bytes, from->files[i].size);
	}
}

static inline void make_free(struct make_log *log)
{
	while (log->nr)
		free(log->files[--log->nr].bytes);
}

static inline void make_write_file(const struct make_file *file, const char *dir)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%.14s", dir, file->path);
	mkdir(path, 0755);
	strcat(path, "/hft");
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s", dir, file->path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, file->bytes, file->size) != (ssize_t)file->size)
		abort();
	close(fd);
}

static inline void make_remove_file(const struct make_file *file, const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%.14s/hft", dir, file->path);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/%.14s", dir, file->path);
	rmdir(path);
}

/* What is in the folder is @from, and then @to: files have the same places in both. */
static inline void make_change(const char *dir, const struct make_log *from,
			       const struct make_log *to)
{
	static const struct make_file none;
	unsigned int i;

	for (i = 0; i < from->nr || i < to->nr; i++) {
		const struct make_file *was = i < from->nr ? &from->files[i] : &none;
		const struct make_file *is = i < to->nr ? &to->files[i] : &none;

		if (*was->path && !*is->path)
			make_remove_file(was, dir);
		else if (*is->path && (!*was->path || was->size != is->size ||
				       memcmp(was->bytes, is->bytes, is->size)))
			make_write_file(is, dir);
	}
}

static inline void make_write(const struct make_log *log, const char *dir)
{
	static const struct make_log nothing;

	make_change(dir, &nothing, log);
}

static inline void make_remove(const char *dir)
{
	remove_tree(dir);
}

#endif /* HOST_LOG_MAKE_H */
