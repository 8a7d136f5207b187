/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the recorder share.
 *
 *   record.c		the calls that a recorded handle makes
 *   record_look.c	what no call tells: events, how far their consumer is, halts, clocks
 *   record_inbox.c	tasks of hft_submit_now(), and what their workers choose
 *   record_log.c	where it goes
 */
#ifndef HFT_ENGINE_RECORDER_H
#define HFT_ENGINE_RECORDER_H

#include <pthread.h>

#include "core/task.h"
#include "clock.h"
#include "inbox.h"
#include "internal.h"
#include "record.h"

/**
 * struct hft_recorder - of a handle and its rings
 * @table: the handle's backend, as it is called now
 * @real: as it is
 * @refs: the handle and its rings
 * @forks: hft_forks when it was opened
 * @warn: of the handle, which the rings may outlive
 * @warn_arg: for @warn
 * @lock: of what follows; records are in the order of their numbers
 * @log: where they go
 * @failed: no more do
 * @offset: from CLOCK_MONOTONIC to the other clocks, as it was recorded last
 * @offset_time: when they were looked at last
 * @halt: &enum hft_halt_mode that the handle has asked for last
 * @rings: by number
 */
struct hft_recorder {
	struct hft_backend table;
	const struct hft_backend *real;
	atomic_uint refs;
	unsigned int forks;
	hft_warn_fn warn;
	void *warn_arg;

	pthread_mutex_t lock;
	struct hft_record_log log;
	bool failed;
	uint64_t offset[HFT_CLOCKS];
	uint64_t offset_time;
	uint32_t halt;
	struct hft_ring *rings[HFT_MAX_RINGS];
};

/* record.c */
void hft_record_append(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words,
		       const char *text);
void hft_record_add(struct hft_recorder *recorder, uint32_t kind, const uint64_t *words);

#define RECORD(recorder, kind, ...) \
	hft_record_add(recorder, kind, (const uint64_t[HFT_RECORD_WORDS]){ __VA_ARGS__ })

/* record_look.c */
void hft_record_offsets(struct hft_recorder *recorder, const struct hft_sim *sim);
void hft_record_page(struct hft_ring *ring);
void hft_record_last_look(struct hft_ring *ring);
void hft_record_pages(struct hft_recorder *recorder);
void hft_record_halted(struct hft_recorder *recorder, const struct hft_halt *halt);
void hft_record_before(struct hft_recorder *recorder, const struct hft_task *tasks, uint32_t nr);
void hft_record_events(struct hft_ring *ring, uint32_t at);
void hft_record_rest(struct hft_ring *ring);
void hft_record_look(struct hft_recorder *recorder);
void hft_record_looked(struct hft_recorder *recorder, uint32_t number, uint64_t time);

/* record_inbox.c */
int hft_record_submit_now(struct hft_ring *ring, const struct hft_task *task,
			  struct hft_inbox_receipt *receipt);

/* By the clock that the events have: hft_now() may be some ns off that of the kernel. */
static inline uint64_t hft_record_now(const struct hft_recorder *recorder)
{
	return recorder->real == &hft_kernel_backend ? hft_kernel_now() : hft_now();
}

#endif /* HFT_ENGINE_RECORDER_H */
