/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A record of what a handle was told, and of what it dispatched.  Documentation/library.rst
 * has the format; here is how both sides of it hold a record in memory.
 */
#ifndef HFT_ENGINE_RECORD_H
#define HFT_ENGINE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define HFT_RECORD_MAGIC	"hft-rec\n"
#define HFT_RECORD_MAGIC_BYTES	8
#define HFT_RECORD_VERSION	2
#define HFT_RECORD_HEAD_BYTES	16	/* of the file */
#define HFT_RECORD_FRAME_BYTES	8	/* of each record, before its words */
#define HFT_RECORD_WORDS	20

/* The words of each kind are named in its comment; all times are CLOCK_MONOTONIC, ns. */
enum hft_record_kind {
	HFT_RECORD_OPEN = 1,	/* time, realtime, tai (offsets), tasks, backend (a name) */
	HFT_RECORD_RING,	/* time, ring, cpu, entries, window, level_mask, policy, flags, */
				/* lead, quantum */
	HFT_RECORD_RING_CLOSE,	/* time, ring */
	HFT_RECORD_SUBMIT,	/* begin, end, id, the task's fields in their order, and how many */
				/* more of the same call follow */
	HFT_RECORD_CANCEL,	/* begin, end, id */
	HFT_RECORD_MODIFY,	/* begin, end, id, fields, level, release, deadline, period */
	HFT_RECORD_HALT,	/* begin, end, mode */
	HFT_RECORD_EVENT,	/* published, ring, id, cookie, release, deadline, irq_entry, */
				/* sequence, result, type, clock, level */
	HFT_RECORD_ADVANCE,	/* begin, end, ring, then the report's start, end, result */
	HFT_RECORD_CLOSE,	/* time */
	HFT_RECORD_ARRIVE,	/* begin, end, id, release */
	HFT_RECORD_POLICY,	/* begin, end, ring, policy */
	HFT_RECORD_LOOK,	/* time, ring */
	HFT_RECORD_KINDS
};

struct hft_record {
	uint32_t kind;
	uint32_t nr;
	uint64_t words[HFT_RECORD_WORDS];
};

/* How many words a record of a kind has; 0: there is none of that kind. */
static inline uint32_t hft_record_words(uint32_t kind)
{
	static const uint8_t words[HFT_RECORD_KINDS] = {
		[HFT_RECORD_OPEN] = 5, [HFT_RECORD_RING] = 10, [HFT_RECORD_RING_CLOSE] = 2,
		[HFT_RECORD_SUBMIT] = 16, [HFT_RECORD_CANCEL] = 3, [HFT_RECORD_MODIFY] = 8,
		[HFT_RECORD_HALT] = 3, [HFT_RECORD_EVENT] = 12, [HFT_RECORD_ADVANCE] = 6,
		[HFT_RECORD_CLOSE] = 1, [HFT_RECORD_ARRIVE] = 4, [HFT_RECORD_POLICY] = 4,
		[HFT_RECORD_LOOK] = 2,
	};

	return kind < HFT_RECORD_KINDS ? words[kind] : 0;
}

#endif /* HFT_ENGINE_RECORD_H */
