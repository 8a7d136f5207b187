// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the index says of the records of a packet.  A Bloom filter has three bits of each
 * thing, by double hashing (Kirsch and Mitzenmacher, Less Hashing, Same Performance, 2006).
 */
#include <stdbool.h>
#include <string.h>

#include "../api.h"
#include "store_internal.h"

#define BLOOM_BITS	(64 * HFT_LOG_BLOOM_WORDS)
#define BLOOM_HASHES	3

/* The finaliser of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* FNV-1a (Fowler, Noll and Vo), mixed. */
static uint64_t hash_text(const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	size_t i;

	for (i = 0; i < bytes; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return mix(hash);
}

static void add(uint64_t *filter, uint64_t hash)
{
	uint32_t step = (uint32_t)(hash >> 32) | 1, at = (uint32_t)hash;
	int i;

	for (i = 0; i < BLOOM_HASHES; i++, at += step)
		filter[at % BLOOM_BITS / 64] |= 1ull << (at % 64);
}

static bool has(const uint64_t *filter, uint64_t hash)
{
	uint32_t step = (uint32_t)(hash >> 32) | 1, at = (uint32_t)hash;
	int i;

	for (i = 0; i < BLOOM_HASHES; i++, at += step)
		if (!(filter[at % BLOOM_BITS / 64] & (1ull << (at % 64))))
			return false;
	return true;
}

void hft_store_bloom_task(uint64_t *filter, uint64_t task)
{
	add(filter, mix(task));
}

void hft_store_bloom_symbol(uint64_t *filter, const char *symbol, size_t bytes)
{
	add(filter, hash_text(symbol, bytes));
}

/**
 * hft_log_bloom_task() - may a packet have records of a task?
 * @filter: &struct hft_log_index.tasks
 * @task: its id
 *
 * Any thread; does not block or enter the kernel.
 *
 * Return: 0: it has none, 1: it is likely to.
 */
HFT_API int hft_log_bloom_task(const uint64_t *filter, uint64_t task)
{
	return has(filter, mix(task));
}

/**
 * hft_log_bloom_symbol() - may a packet have records of an instrument?
 * @filter: &struct hft_log_index.symbols
 * @symbol: of the instrument
 * @bytes: of @symbol, without a NUL
 *
 * Any thread; does not block or enter the kernel.
 *
 * Return: 0: it has none, 1: it is likely to.
 */
HFT_API int hft_log_bloom_symbol(const uint64_t *filter, const char *symbol, size_t bytes)
{
	return has(filter, hash_text(symbol, bytes));
}

static bool is_text(char type)
{
	return type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL;
}

static void add_number(struct hft_log_index *index, char type, uint64_t number)
{
	if (type == HFT_LOG_TASK)
		hft_store_bloom_task(index->tasks, number);
	else if (type == HFT_LOG_CLASS)
		index->classes |= 1ull << (number < 63 ? number : 63);
}

/*
 * Steps over a field; NULL: the record ends before it does.  Text that is cut off ends with
 * the record.
 */
static const char *next_field(const char *at, const char *end, char type)
{
	if (is_text(type))
		return at + strnlen(at, (size_t)(end - at)) + 1;
	at = (const char *)(((uintptr_t)at + 7) & ~(uintptr_t)7);
	return end - at < 8 ? NULL : at + 8;
}

static void index_field(struct hft_log_index *index, char type, const char *at, const char *next)
{
	uint64_t number;

	if (type == HFT_LOG_SYMBOL) {
		hft_store_bloom_symbol(index->symbols, at, (size_t)(next - at) - 1);
	} else if (!is_text(type)) {
		memcpy(&number, next - 8, sizeof(number));
		add_number(index, type, number);
	}
}

/* The fields of a record up to the last that is tagged. */
void hft_store_index_record(struct hft_log_index *index, const struct log_site *site,
		      const struct hft_log_record *record)
{
	const char *at = (const char *)(record + 1);
	const char *end = (const char *)record + 8u * record->words, *next;
	uint32_t i;

	for (i = 0; i < site->tagged && at <= end; i++, at = next) {
		next = next_field(at, end, site->types[i]);
		if (!next)
			return;
		index_field(index, site->types[i], at, next);
	}
}

/* What a record has, without the padding at its end. */
size_t hft_store_record_bytes(const struct log_site *site, const struct hft_log_record *record)
{
	const char *at = (const char *)(record + 1);
	const char *end = (const char *)record + 8u * record->words;
	uint32_t i, nr = site->is.nr_fields;

	if (!nr || !is_text(site->types[nr - 1]))
		return 8u * record->words;
	for (i = 0; at && at <= end && i < nr; i++)
		at = next_field(at, end, site->types[i]);
	return at && at <= end ? (size_t)(at - (const char *)record) : 8u * record->words;
}
