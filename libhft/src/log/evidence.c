// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Clock evidence: see evidence.h.
 *
 * By how much the time of a record may differ from UTC is the sum of: what the line from
 * stamps to times is off the kernel's clock; half the width of the reading; what is left to
 * slew; and the kernel's bound of its own error, or the distance to a PTP clock, if that is
 * more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "../options.h"
#include "evidence.h"
#include "own.h"

#define NS_PER_S	1000000000ull
#define INTERVAL_NS	(10 * NS_PER_S)
#define LOOK_NS		NS_PER_S
#define BOUND_NS	100000ull
#define LEVEL_WARN	1
#define LEVEL_INFO	3
#define SLEW_PPM	1000		/* more than a clock is slewed by is a step */

static const struct hft_log_store_field clock_fields[] = {
	{ "reason", HFT_LOG_STRING },		/* open, chunk, interval, change, recovery */
	{ "source", HFT_LOG_STRING },
	{ "point", HFT_LOG_STRING },
	{ "ptp", HFT_LOG_STRING },
	{ "leap", HFT_LOG_STRING },
	{ "sync", HFT_LOG_U64 },
	{ "divergence_ns", HFT_LOG_U64 },
	{ "bound_ns", HFT_LOG_U64 },
	{ "line_error_ns", HFT_LOG_I64 },
	{ "offset_ns", HFT_LOG_I64 },
	{ "max_error_ns", HFT_LOG_U64 },
	{ "est_error_ns", HFT_LOG_U64 },
	{ "freq_ppb", HFT_LOG_I64 },
	{ "state", HFT_LOG_I64 },
	{ "status", HFT_LOG_POINTER },
	{ "tai_offset_s", HFT_LOG_I64 },
	{ "stamp", HFT_LOG_U64 },
	{ "stamp_hz", HFT_LOG_U64 },
	{ "monotonic", HFT_LOG_STAMP },
	{ "realtime", HFT_LOG_U64 },
	{ "tai", HFT_LOG_U64 },
	{ "width_ns", HFT_LOG_U64 },
	{ "ptp_offset_ns", HFT_LOG_I64 },
	{ "ptp_width_ns", HFT_LOG_U64 },
	{ "missed", HFT_LOG_U64 },		/* records for which there was no room */
};

static const struct hft_log_store_field warning_fields[] = {
	{ "what", HFT_LOG_STRING },		/* see enum hft_log_warning */
	{ "divergence_ns", HFT_LOG_U64 },
	{ "bound_ns", HFT_LOG_U64 },
	{ "step_ns", HFT_LOG_I64 },
	{ "sync", HFT_LOG_U64 },
};

#define FIELDS(of)	.nr_fields = sizeof(of) / sizeof((of)[0]), .fields = (of)

const struct hft_log_store_site hft_log_evidence_sites[HFT_LOG_EVIDENCE_SITES] = {
	{
		.id = HFT_LOG_ID_CLOCK, .level = LEVEL_INFO, .line = __LINE__, .name = "clock",
		.subsystem = "hft", .file = "evidence.c", FIELDS(clock_fields),
	}, {
		.id = HFT_LOG_ID_CLOCK_WARNING, .level = LEVEL_WARN, .line = __LINE__,
		.name = "clock_warning", .subsystem = "hft", .file = "evidence.c",
		FIELDS(warning_fields),
	},
};

const struct hft_log_store_stream hft_log_evidence_stream = {
	.id = HFT_LOG_EVIDENCE_STREAM, .cpu = -1, .thread = "hft-log", .policy = "audit",
	.audit = true,
};

enum hft_log_warning {
	HFT_LOG_EXCURSION,
	HFT_LOG_EXCURSION_OVER,
	HFT_LOG_UNSYNCHRONISED,
	HFT_LOG_SYNCHRONISED,
	HFT_LOG_STEP,
	HFT_LOG_SOURCE,
};

static const char *const warnings[] = {
	[HFT_LOG_EXCURSION] = "excursion",
	[HFT_LOG_EXCURSION_OVER] = "excursion over",
	[HFT_LOG_UNSYNCHRONISED] = "unsynchronised",
	[HFT_LOG_SYNCHRONISED] = "synchronised",
	[HFT_LOG_STEP] = "step",
	[HFT_LOG_SOURCE] = "clocksource changed",
};

/* What is concluded from a reading */
struct hft_log_judgement {
	int64_t line_error_ns;
	uint64_t divergence_ns;
	bool sync;
	bool is_within;
};

struct hft_log_evidence {
	struct hft_log_evidence_opts opts;
	struct hft_log_clock_reader reader;
	struct hft_log_clocks last;
	struct hft_log_judgement judged;
	bool has_last;
	uint64_t next_look;
	uint64_t next_record;
	uint32_t chunk;
	struct log_own own;
};

static void hft_log_read_them(void *arg, bool by_tsc, struct hft_log_clocks *clocks)
{
	hft_log_clocks_read(arg, by_tsc, clocks);
}

int hft_log_evidence_open(struct hft_log_evidence **to, const struct hft_log_evidence_opts *opts)
{
	struct hft_log_evidence *evidence = calloc(1, sizeof(*evidence));
	int err = 0;

	if (!evidence)
		return hft_fail(ENOMEM, "clock evidence");
	if (opts)
		evidence->opts = *opts;
	evidence->opts.interval_ns = evidence->opts.interval_ns ?: INTERVAL_NS;
	evidence->opts.look_ns = evidence->opts.look_ns ?: LOOK_NS;
	if (evidence->opts.look_ns > evidence->opts.interval_ns)
		evidence->opts.look_ns = evidence->opts.interval_ns;
	evidence->opts.bound_ns = evidence->opts.bound_ns ?: BOUND_NS;
	evidence->reader.ptp_fd = -1;
	if (!evidence->opts.read) {
		err = hft_log_clock_reader_open(&evidence->reader, evidence->opts.ptp);
		evidence->opts.read = hft_log_read_them;
		evidence->opts.arg = &evidence->reader;
	}
	if (err) {
		free(evidence);
		return err;
	}
	*to = evidence;
	return 0;
}

void hft_log_evidence_close(struct hft_log_evidence *evidence)
{
	if (!evidence)
		return;
	hft_log_clock_reader_close(&evidence->reader);
	free(evidence);
}

static const char *hft_log_leap(const struct hft_log_clocks *clocks)
{
	switch (clocks->state) {
	case TIME_INS:
		return "insert at the end of the day";
	case TIME_DEL:
		return "delete at the end of the day";
	case TIME_OOP:
		return "now";
	case TIME_WAIT:
		return "has been";
	default:
		return "none";
	}
}

static void hft_log_record_clock(struct hft_log_evidence *evidence, const char *reason,
				 const struct hft_log_store_clock *line)
{
	const struct hft_log_clocks *clocks = &evidence->last;
	bool by_tsc = !strcmp(line->name, "tsc");
	struct log_own_record to;

	log_own_begin(&to);
	log_own_put_text(&to, reason);
	log_own_put_text(&to, clocks->source);
	log_own_put_text(&to, by_tsc ? "user space, in the call: rdtsc" :
				       "user space, in the call: CLOCK_MONOTONIC");
	log_own_put_text(&to, clocks->ptp);
	log_own_put_text(&to, hft_log_leap(clocks));
	log_own_put(&to, evidence->judged.sync);
	log_own_put(&to, evidence->judged.divergence_ns);
	log_own_put(&to, evidence->opts.bound_ns);
	log_own_put(&to, (uint64_t)evidence->judged.line_error_ns);
	log_own_put(&to, (uint64_t)clocks->offset_ns);
	log_own_put(&to, clocks->max_error_ns);
	log_own_put(&to, clocks->est_error_ns);
	log_own_put(&to, (uint64_t)clocks->freq_ppb);
	log_own_put(&to, (uint64_t)(int64_t)clocks->state);
	log_own_put(&to, clocks->status);
	log_own_put(&to, (uint64_t)clocks->tai_offset_s);
	log_own_put(&to, clocks->stamp);
	log_own_put(&to, line->freq);
	log_own_put(&to, clocks->monotonic);
	log_own_put(&to, clocks->realtime);
	log_own_put(&to, clocks->tai);
	log_own_put(&to, clocks->width_ns);
	log_own_put(&to, (uint64_t)clocks->ptp_offset_ns);
	log_own_put(&to, clocks->ptp_width_ns);
	log_own_put(&to, evidence->own.missed);
	log_own_add(&evidence->own, &to, HFT_LOG_ID_CLOCK, evidence->last.stamp);
}

static void hft_log_record_warning(struct hft_log_evidence *evidence, enum hft_log_warning what,
				   int64_t step_ns)
{
	struct log_own_record to;

	log_own_begin(&to);
	log_own_put_text(&to, warnings[what]);
	log_own_put(&to, evidence->judged.divergence_ns);
	log_own_put(&to, evidence->opts.bound_ns);
	log_own_put(&to, (uint64_t)step_ns);
	log_own_put(&to, evidence->judged.sync);
	log_own_add(&evidence->own, &to, HFT_LOG_ID_CLOCK_WARNING, evidence->last.stamp);
}

static uint64_t hft_log_magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* What the log takes a stamp for, ns since 1970 */
static uint64_t hft_log_time_of(const struct hft_log_store_clock *line, uint64_t stamp)
{
	__int128 cycles = (__int128)line->offset + stamp;

	return (uint64_t)((__int128)line->offset_s * NS_PER_S +
			  cycles / line->freq * NS_PER_S +
			  cycles % line->freq * NS_PER_S / line->freq);
}

static uint64_t hft_log_sum(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void hft_log_judge(struct hft_log_evidence *evidence,
			  const struct hft_log_store_clock *line)
{
	const struct hft_log_clocks *clocks = &evidence->last;
	struct hft_log_judgement *judged = &evidence->judged;
	uint64_t ptp = 0, sum;

	judged->line_error_ns = (int64_t)(hft_log_time_of(line, clocks->stamp) - clocks->realtime);
	if (*clocks->ptp)
		ptp = hft_log_sum(hft_log_magnitude(clocks->ptp_offset_ns),
				  clocks->ptp_width_ns / 2);
	sum = ptp > clocks->max_error_ns ? ptp : clocks->max_error_ns;
	sum = hft_log_sum(sum, hft_log_magnitude(clocks->offset_ns));
	sum = hft_log_sum(sum, hft_log_magnitude(judged->line_error_ns));
	judged->divergence_ns = hft_log_sum(sum, clocks->width_ns / 2);
	judged->sync = clocks->state >= 0 && clocks->state != TIME_ERROR &&
		       !(clocks->status & STA_UNSYNC);
	judged->is_within = judged->sync && judged->divergence_ns <= evidence->opts.bound_ns;
}

/* By how much the time of day has gone on more than the time that has passed: 0: slewed */
static int64_t hft_log_step(const struct hft_log_clocks *before, const struct hft_log_clocks *now,
			    uint64_t bound_ns)
{
	int64_t passed = (int64_t)(now->monotonic - before->monotonic);
	int64_t went = (int64_t)(now->realtime - before->realtime);
	uint64_t most = bound_ns + now->width_ns + before->width_ns +
		hft_log_magnitude(passed) / (1000000 / SLEW_PPM);

	return hft_log_magnitude(went - passed) > most ? went - passed : 0;
}

/* Returns whether there was something to tell. */
static bool hft_log_warn(struct hft_log_evidence *evidence, const struct hft_log_clocks *before,
			 const struct hft_log_judgement *was)
{
	const struct hft_log_judgement *is = &evidence->judged;
	uint32_t sequence = evidence->own.sequence;
	uint64_t missed = evidence->own.missed;
	int64_t step = 0;

	if (evidence->has_last)
		step = hft_log_step(before, &evidence->last, evidence->opts.bound_ns);
	if (step)
		hft_log_record_warning(evidence, HFT_LOG_STEP, step);
	if (evidence->has_last && strcmp(before->source, evidence->last.source))
		hft_log_record_warning(evidence, HFT_LOG_SOURCE, 0);
	if (!is->sync && (!evidence->has_last || was->sync))
		hft_log_record_warning(evidence, HFT_LOG_UNSYNCHRONISED, 0);
	if (is->sync && evidence->has_last && !was->sync)
		hft_log_record_warning(evidence, HFT_LOG_SYNCHRONISED, 0);
	if (!is->is_within && (!evidence->has_last || was->is_within))
		hft_log_record_warning(evidence, HFT_LOG_EXCURSION, 0);
	if (is->is_within && evidence->has_last && !was->is_within)
		hft_log_record_warning(evidence, HFT_LOG_EXCURSION_OVER, 0);
	return sequence != evidence->own.sequence || missed != evidence->own.missed;
}

/* @reason: of a record that is wanted whatever has happened, or NULL */
static void hft_log_look(struct hft_log_evidence *evidence, uint64_t now,
			 const struct hft_log_store_clock *line, const char *reason)
{
	struct hft_log_judgement was = evidence->judged;
	struct hft_log_clocks before = evidence->last;

	evidence->opts.read(evidence->opts.arg, !strcmp(line->name, "tsc"), &evidence->last);
	hft_log_judge(evidence, line);
	if (hft_log_warn(evidence, &before, &was) && !reason)
		reason = "change";
	if (now >= evidence->next_record && !reason)
		reason = "interval";
	if (!evidence->has_last)
		reason = evidence->opts.recovery ? "recovery" : "open";
	evidence->has_last = true;
	evidence->next_look = now + evidence->opts.look_ns;
	if (!reason)
		return;
	evidence->next_record = now + evidence->opts.interval_ns;
	hft_log_record_clock(evidence, reason, line);
}

size_t hft_log_evidence_poll(struct hft_log_evidence *evidence, uint64_t now,
			     const struct hft_log_store_clock *line, uint32_t chunk,
			     const void **records)
{
	if (chunk && chunk != evidence->chunk)
		return hft_log_evidence_chunk(evidence, now, line, chunk, records);
	if (now >= evidence->next_look)
		hft_log_look(evidence, now, line, NULL);
	*records = evidence->own.room;
	return evidence->own.used;
}

/* The first record of all was made before there was a chunk, and is in the first. */
size_t hft_log_evidence_chunk(struct hft_log_evidence *evidence, uint64_t now,
			      const struct hft_log_store_clock *line, uint32_t chunk,
			      const void **records)
{
	bool has_one = evidence->has_last && !evidence->chunk;

	if (chunk != evidence->chunk && !has_one)
		hft_log_look(evidence, now, line, "chunk");
	evidence->chunk = chunk;
	*records = evidence->own.room;
	return evidence->own.used;
}

void hft_log_evidence_taken(struct hft_log_evidence *evidence, size_t bytes)
{
	log_own_taken(&evidence->own, bytes);
}

struct log_own *hft_log_evidence_own(struct hft_log_evidence *evidence)
{
	return &evidence->own;
}
