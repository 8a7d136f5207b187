/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Clock evidence: records of the log's own stream that show what its times are worth.
 *
 * At the beginning of each chunk, as the store asks for it, at an interval, and when something
 * has changed, the state of the clocks goes into a record hft:clock; when times may be off by
 * more than a bound, were stepped, or are not synchronised any more, and when that is over,
 * hft:clock_warning tells.
 *
 * The drainer calls: hft_log_evidence_open() and hft_log_store_site_add() and
 * hft_log_store_stream_add() with what is below; hft_log_evidence_poll() now and then, and
 * hft_log_evidence_taken() when the store took what it gave.  One thread at a time.
 */
#ifndef HFT_LOG_EVIDENCE_H
#define HFT_LOG_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

struct log_own;

#define HFT_LOG_EVIDENCE_STREAM	0
#define HFT_LOG_EVIDENCE_SITES	2

extern const struct hft_log_store_stream hft_log_evidence_stream;
extern const struct hft_log_store_site hft_log_evidence_sites[HFT_LOG_EVIDENCE_SITES];

/**
 * struct hft_log_clocks - the clocks of the machine at one instant
 * @stamp: of the log's clock
 * @monotonic: CLOCK_MONOTONIC, ns
 * @realtime: CLOCK_REALTIME, ns
 * @tai: CLOCK_TAI, ns; that of the kernel, which knows the leap seconds if it was told
 * @width_ns: from before the first to behind the last of them: they are as far apart at most
 * @source: the kernel's clocksource
 * @state: of adjtimex(2): TIME_OK ... TIME_ERROR, or -errno
 * @status: STA_ flags
 * @offset_ns: what is left of the offset that is being slewed
 * @max_error_ns: the kernel's bound of its error, which who disciplines it sets
 * @est_error_ns: what that one expects
 * @freq_ppb: by which the clock's rate is corrected
 * @tai_offset_s: TAI - UTC, s
 * @ptp: a PTP clock of the machine, "ptp0"; "" if there is none that can be read
 * @ptp_offset_ns: that clock, less CLOCK_REALTIME or CLOCK_TAI, whichever it is nearer to
 * @ptp_width_ns: that it took to read it
 */
struct hft_log_clocks {
	uint64_t stamp;
	uint64_t monotonic;
	uint64_t realtime;
	uint64_t tai;
	uint64_t width_ns;
	char source[32];
	int32_t state;
	uint32_t status;
	int64_t offset_ns;
	uint64_t max_error_ns;
	uint64_t est_error_ns;
	int64_t freq_ppb;
	int64_t tai_offset_s;
	char ptp[32];
	int64_t ptp_offset_ns;
	uint64_t ptp_width_ns;
};

struct hft_log_clock_reader {
	int ptp_fd;			/* -1: none */
	char ptp[32];
};

/* @ptp: a PTP clock's device; NULL: the first that may be read.  0, or what opening @ptp said. */
int hft_log_clock_reader_open(struct hft_log_clock_reader *reader, const char *ptp);
void hft_log_clock_reader_close(struct hft_log_clock_reader *reader);

/* All clocks now, stamps by the TSC or by CLOCK_MONOTONIC. */
void hft_log_clocks_read(struct hft_log_clock_reader *reader, bool by_tsc,
			 struct hft_log_clocks *clocks);

/**
 * struct hft_log_evidence_opts - how; zero is the default of each
 * @interval_ns: of records; 10 s
 * @look_ns: of looks, for what has changed; 1 s
 * @bound_ns: times that may be off by more are told of; 100 us
 * @ptp: as hft_log_clock_reader_open() has it
 * @recovery: the records of the log are of a process that has ended: the clocks are as they are
 *	now
 * @read: reads the clocks; NULL: hft_log_clocks_read()
 * @arg: for @read
 */
struct hft_log_evidence_opts {
	uint64_t interval_ns;
	uint64_t look_ns;
	uint64_t bound_ns;
	const char *ptp;
	bool recovery;
	void (*read)(void *arg, bool by_tsc, struct hft_log_clocks *clocks);
	void *arg;
};

struct hft_log_evidence;

/* 0, -ENOMEM, or as hft_log_clock_reader_open() */
int hft_log_evidence_open(struct hft_log_evidence **evidence,
			  const struct hft_log_evidence_opts *opts);
void hft_log_evidence_close(struct hft_log_evidence *evidence);

/**
 * hft_log_evidence_poll() - look at the clocks if that is due
 * @evidence: whose
 * @now: CLOCK_MONOTONIC, ns
 * @line: what the log takes its stamps for
 * @chunk: number of the chunk that the next record goes to; 0: of none
 * @records: answered: what is to be appended to stream %HFT_LOG_EVIDENCE_STREAM
 *
 * Does not block, but for the time that a PTP clock takes to be read; costs a comparison
 * when nothing is due.
 *
 * Return: bytes of whole records that wait to be taken, 0 for none.  They stay where they are
 * until hft_log_evidence_taken() or the next call.
 */
size_t hft_log_evidence_poll(struct hft_log_evidence *evidence, uint64_t now,
			     const struct hft_log_store_clock *line, uint32_t chunk,
			     const void **records);

/*
 * A chunk begins: a record for it, if there is none that no chunk had; all else as there.
 */
size_t hft_log_evidence_chunk(struct hft_log_evidence *evidence, uint64_t now,
			      const struct hft_log_store_clock *line, uint32_t chunk,
			      const void **records);

/* The first @bytes of them, which are whole records, are in the store. */
void hft_log_evidence_taken(struct hft_log_evidence *evidence, size_t bytes);

/* Where other records of that stream go. */
struct log_own *hft_log_evidence_own(struct hft_log_evidence *evidence);

#endif /* HFT_LOG_EVIDENCE_H */
