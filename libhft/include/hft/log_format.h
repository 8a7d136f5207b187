/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a log is made of, in memory and on disk: records in rings, packets in streams,
 * streams in chunks.  All is little-endian and aligned to 8 bytes.
 *
 * A thread writes its records to a ring, a file that both it and the drainer have mapped.
 * The drainer puts whole records, as they are, behind a head and before a seal: a packet.
 * Packets follow each other in a stream, one file for each ring.  The streams of a time are
 * a chunk, a folder that is a trace of CTF 1.8 (diamon.org/ctf, version 1.8.3) with what
 * only we read in a folder below:
 *
 *	DIR/chunk-00000001/metadata		TSDL: the clock and an event of each call site
 *	DIR/chunk-00000001/stream-3		packets of the third ring
 *	DIR/chunk-00000001/hft/sites		JSON, a line each: log, streams, call sites
 *	DIR/chunk-00000001/hft/index		struct hft_log_index of each packet
 *	DIR/chunk-00000001/hft/seal		JSON, when the chunk is closed
 *
 * What CTF has no name for lies where its readers do not look: in the padding behind a
 * record's id, and in that of a packet behind its content.
 */
#ifndef HFT_LOG_FORMAT_H
#define HFT_LOG_FORMAT_H

#include <stdint.h>

#define HFT_LOG_PACKET_MAGIC	0xc1fc1fc1u	/* CTF's */
#define HFT_LOG_SEAL_MAGIC	0x6c61657374666800ull
#define HFT_LOG_HASH_BYTES	32		/* SHA-256 */
#define HFT_LOG_PACKET_ALIGN	4096u		/* sizes of packets: O_DIRECT */
#define HFT_LOG_RECORD_MAX	(8u * UINT16_MAX)

/* Call sites have the ids from %HFT_LOG_SITE_FIRST; those below are the log's own. */
enum hft_log_own_id {
	HFT_LOG_ID_LOST,	/* lost, first, last: so many records, stamps of when */
	HFT_LOG_ID_CLOCK,	/* clock evidence */
	HFT_LOG_ID_CLOCK_WARNING,	/* times may be off by more than a bound, or not any more */
	HFT_LOG_ID_STORE,	/* the disk does not take what is written, or does again */
	HFT_LOG_ID_LEVEL,	/* a rule says that other calls are wanted */
	HFT_LOG_SITE_FIRST = 16,
};

/**
 * struct hft_log_record - before the arguments of a record
 * @id: of the call site
 * @words: length of the record in 8 bytes, this head and the padding at its end included
 * @sequence: number of the record in its ring, those counted that were lost; it wraps
 * @stamp: of the log's clock: the TSC, or CLOCK_MONOTONIC where there is none to trust
 *
 * Arguments follow as struct hft_log_field has them: numbers of 8 bytes, aligned to 8,
 * and text with its NUL, aligned to nothing.  For CTF, @words and @sequence are padding.
 */
struct hft_log_record {
	uint16_t id;
	uint16_t words;
	uint32_t sequence;
	uint64_t stamp;
};

/* How an argument is laid out: the letter is what the sites file has, too. */
enum hft_log_type {
	HFT_LOG_U64 = 'u',	/* unsigned, and bool */
	HFT_LOG_I64 = 'i',	/* signed */
	HFT_LOG_DOUBLE = 'd',
	HFT_LOG_POINTER = 'p',	/* unsigned, to be shown in hex */
	HFT_LOG_STRING = 's',	/* UTF-8 */
	HFT_LOG_TASK = 't',	/* unsigned: the id of a task, which the index has */
	HFT_LOG_CLASS = 'c',	/* unsigned: the class of a task, which the index has */
	HFT_LOG_SYMBOL = 'y',	/* as a string: the symbol of an instrument, which the index has */
	HFT_LOG_STAMP = 'n',	/* unsigned: CLOCK_MONOTONIC, ns */
};

/**
 * struct hft_log_packet - head of a packet; the fields and their order are CTF's
 * @magic: %HFT_LOG_PACKET_MAGIC
 * @stream_class: 0
 * @uuid: of the log
 * @stream: number of the ring
 * @packet_bits: size of the packet, a multiple of %HFT_LOG_PACKET_ALIGN bytes
 * @content_bits: size of this head and the records, without what pads the last of them
 * @begin: stamp of the first record
 * @end: stamp of the last
 * @lost: records of this stream that were lost, up to the end of this packet
 * @number: of the packet in its stream and chunk, from 0
 */
struct hft_log_packet {
	uint32_t magic;
	uint32_t stream_class;
	uint8_t uuid[16];
	uint64_t stream;
	uint64_t packet_bits;
	uint64_t content_bits;
	uint64_t begin;
	uint64_t end;
	uint64_t lost;
	uint64_t number;
};

/* The head and the records, with what pads the last of them */
static inline uint64_t hft_log_content_bytes(const struct hft_log_packet *head)
{
	return (head->content_bits / 64 + !!(head->content_bits % 64)) * 8;
}

/**
 * struct hft_log_seal - the last bytes of a packet
 * @magic: %HFT_LOG_SEAL_MAGIC
 * @records: in this packet
 * @synced: so many packets of this stream were known to be on the disk when this one was
 *	written.  What is broken before that was changed; what is broken behind it may be
 *	torn by a loss of power
 * @reserved: 0
 * @chain: hash of the packet before; in the first, root of the chunk before, or zeroes
 * @hash: SHA-256 of the packet with zeroes here
 */
struct hft_log_seal {
	uint64_t magic;
	uint64_t records;
	uint64_t synced;
	uint64_t reserved;
	uint8_t chain[HFT_LOG_HASH_BYTES];
	uint8_t hash[HFT_LOG_HASH_BYTES];
};

#define HFT_LOG_BLOOM_WORDS	4u

/**
 * struct hft_log_index - what a packet has, so that a reader may pass it by
 * @stream: number of the ring
 * @offset: of the packet in its file, uncompressed
 * @bytes: of the packet
 * @begin: stamp of the first record
 * @end: stamp of the last
 * @records: in the packet
 * @levels: bit n: there are records of level n
 * @classes: bit n: of tasks of class n
 * @tasks: Bloom filter of the ids of tasks
 * @symbols: Bloom filter of symbols
 */
struct hft_log_index {
	uint64_t stream;
	uint64_t offset;
	uint64_t bytes;
	uint64_t begin;
	uint64_t end;
	uint64_t records;
	uint64_t levels;
	uint64_t classes;
	uint64_t tasks[HFT_LOG_BLOOM_WORDS];
	uint64_t symbols[HFT_LOG_BLOOM_WORDS];
};

#endif /* HFT_LOG_FORMAT_H */
