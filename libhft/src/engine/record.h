/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A record of what a handle was told, and of what it dispatched, in a log: events of the
 * subsystems "record" and "decision".  Here is how both sides of it hold one in memory.
 */
#ifndef HFT_ENGINE_RECORD_H
#define HFT_ENGINE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/log_ring.h>

#define HFT_RECORD_VERSION	7	/* 6: without tasks of hft_submit_now() */
#define HFT_RECORD_OLDEST	5	/* that is read: rings are without their fallback, too */
#define HFT_RECORD_WORDS	20

/* Each event begins with the name of the handle in the log, and its number in the record. */
#define HFT_RECORD_PREFIX	2

/* Their words are named in record_log.c; all times are CLOCK_MONOTONIC, ns. */
enum hft_record_kind {
	HFT_RECORD_OPEN,
	HFT_RECORD_RING,
	HFT_RECORD_RING_CLOSE,
	HFT_RECORD_SUBMIT,
	HFT_RECORD_CANCEL,
	HFT_RECORD_MODIFY,
	HFT_RECORD_HALT,
	HFT_RECORD_DISPATCH,
	HFT_RECORD_NOTICE,
	HFT_RECORD_ADVANCE,
	HFT_RECORD_CLOSE,
	HFT_RECORD_ARRIVE,
	HFT_RECORD_POLICY,
	HFT_RECORD_LOOK,
	HFT_RECORD_LEAD,
	HFT_RECORD_RULE,
	HFT_RECORD_CLOCK,
	HFT_RECORD_HOLD,
	HFT_RECORD_CPU,
	HFT_RECORD_SUBMIT_NOW,
	HFT_RECORD_DROP,
	HFT_RECORD_IMMEDIATE,
	HFT_RECORD_AHEAD,
	HFT_RECORD_DONE,
	HFT_RECORD_KINDS
};

struct hft_record {
	uint32_t kind;
	uint32_t nr;
	uint64_t order;			/* its number in the record, from 0 */
	uint64_t words[HFT_RECORD_WORDS];
};

/**
 * struct hft_record_log - where a handle is recorded
 * @handle: its name in the log: when it was opened, ns since the epoch
 * @order: of the next record
 */
struct hft_record_log {
	uint64_t handle;
	uint64_t order;
};

/* A packet of market data, for every handle of the process. */
struct hft_record_packet {
	uint64_t feed;
	uint64_t position;		/* behind it, bytes of the file, uncompressed */
	uint64_t sequence;
	uint64_t messages;
	uint64_t arrival;
};

/* By kind */
extern struct hft_log_site hft_record_sites[HFT_RECORD_KINDS];

unsigned int hft_record_log_generation(void);
uint64_t hft_record_feed(const char *path);
void hft_record_packet(const struct hft_record_packet *packet);
uint32_t hft_record_words(uint32_t kind);
int hft_record_log_open(struct hft_record_log *log, const char *dir, char *other, size_t size);
int hft_record_log_close(void);
int hft_record_log_add(struct hft_record_log *log, uint32_t kind, const uint64_t *words,
		       const char *text);

#endif /* HFT_ENGINE_RECORD_H */
