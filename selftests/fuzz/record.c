// SPDX-License-Identifier: GPL-2.0-only
/* What a record is replayed from: the bytes are kinds and words of records, in a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hft/hft.h>
#include <hft/log_store.h>
#include <hft/replay.h>

#include "engine/record.h"
#include "fuzz.h"

#define CHUNK		"record/chunk-00000001"
#define STREAM		CHUNK "/stream-7"
#define PACKET		(256u << 10)
#define TEXT_BYTES	16

static const uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static uint8_t packet[PACKET];

/* A byte of its kind, its words, and the name of a backend if it has one; what is not there is 0 */
static size_t add(size_t at, uint32_t number, const uint8_t **data, size_t *size)
{
	uint8_t taken[1 + 64 * 8 + TEXT_BYTES] = { 0 };
	uint32_t kind = **data % HFT_RECORD_KINDS;
	size_t words = 8 * (size_t)hft_record_words(kind), text = kind == HFT_RECORD_OPEN ?
		       TEXT_BYTES : 0;
	size_t had = 1 + words + text < *size ? 1 + words + text : *size;
	struct hft_log_record record = {
		.id = (uint16_t)(HFT_LOG_SITE_FIRST + kind),
		.words = (uint16_t)((sizeof(record) + 16 + words + text) / 8),
		.sequence = number,
		.stamp = number,
	};
	uint64_t prefix[2] = { 1, number };

	memcpy(taken, *data, had);
	*data += had;
	*size -= had;
	if (text)
		taken[1 + words + text - 1] = '\0';
	memcpy(packet + at, &record, sizeof(record));
	memcpy(packet + at + sizeof(record), prefix, sizeof(prefix));
	memcpy(packet + at + sizeof(record) + sizeof(prefix), taken + 1, words + text);
	return at + 8u * record.words;
}

static void write_stream(const uint8_t *data, size_t size)
{
	struct hft_log_packet head = {
		.magic = HFT_LOG_PACKET_MAGIC, .stream = 7, .packet_bits = 8 * PACKET,
	};
	struct hft_log_seal seal = { .magic = HFT_LOG_SEAL_MAGIC };
	size_t at = sizeof(head);

	memset(packet, 0, sizeof(packet));
	while (size && at < PACKET - 1024) {
		at = add(at, (uint32_t)seal.records, &data, &size);
		seal.records++;
	}
	memcpy(head.uuid, uuid, sizeof(uuid));
	head.content_bits = 8 * at;
	head.end = seal.records;
	memcpy(packet, &head, sizeof(head));
	memcpy(packet + PACKET - sizeof(seal), &seal, sizeof(seal));
	fuzz_file(STREAM, packet, PACKET);
}

static void add_sites(FILE *sites)
{
	uint32_t kind;

	for (kind = 0; kind < HFT_RECORD_KINDS; kind++) {
		const struct hft_log_site *site = &hft_record_sites[kind];
		const char *name = site->fields;
		size_t i;

		fprintf(sites, "{\"site\":{\"id\":%u,\"name\":\"%s\",\"subsystem\":\"%s\","
			"\"level\":\"notice\",\"fields\":[", HFT_LOG_SITE_FIRST + kind, site->name,
			site->subsystem);
		for (i = 0; site->types[i]; i++, name += strcspn(name, ",") + 1)
			fprintf(sites, "%s{\"name\":\"%.*s\",\"type\":\"%c\"}", i ? "," : "",
				(int)strcspn(name, ","), name, site->types[i]);
		fputs("]}}\n", sites);
	}
}

static const char *folder(void)
{
	static char path[128];
	char *text;
	size_t size;
	FILE *sites;

	if (*path)
		return path;
	snprintf(path, sizeof(path), "%s/record", fuzz_folder());
	fuzz_make_folder("record");
	fuzz_make_folder(CHUNK);
	fuzz_make_folder(CHUNK "/hft");
	sites = open_memstream(&text, &size);
	fputs("{\"log\":{\"version\":1,\"uuid\":\"0102030405060708090a0b0c0d0e0f10\",\"clock\":"
	      "{\"name\":\"monotonic\",\"freq\":1000000000,\"offset_s\":1700000000}}}\n", sites);
	add_sites(sites);
	fclose(sites);
	fuzz_file(CHUNK "/hft/sites", (uint8_t *)text, size);
	free(text);
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hft_replay_opts opts = { .sz = sizeof(opts), .max_steps = 10000 };
	HFT_OPTS(hft_replay_result, result);
	const char *path = folder();

	write_stream(data, size);
	hft_replay(path, &opts, &result);
	return 0;
}
