/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading logs: the records of all threads, of one log or of many, in the order of time.
 *
 * A reader is given folders of logs, chunks or files of streams.  It reads a packet of each
 * stream at a time, so that what it needs of memory grows with the streams that were written
 * to at the same time and not with the log.  Nothing in a file is trusted: what makes no sense
 * is told to opts.notice and passed by.
 *
 * Times are ns: UTC since the epoch, or CLOCK_MONOTONIC of the machine that wrote the log.
 *
 * A reader is for one thread at a time.  What a view points to is valid until the next call on
 * the reader, but for sites, streams and logs, which stay as they are until it is closed: a copy
 * of a view, of its values and of their texts may be shown meanwhile, by any thread.
 */
#ifndef HFT_LOG_READ_H
#define HFT_LOG_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hft/log_format.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A damaged file must not make a reader take all memory. */
#define HFT_LOG_READ_PACKET_MAX	(64u << 20)

/**
 * struct hft_log_view_log - who wrote; of a stream that was merged into another log, what it was
 *	before
 * @path: folder of the log that is read, as it was given to the reader
 * @uuid: of the log, in hex
 * @host: name of the machine; "" if not known
 * @program: name of the program; "" if not known
 * @pid: of the process
 * @number: from 0, in the order in which the reader came to know logs
 * @merged: the log at @path is not this one, but one that it was merged into
 */
struct hft_log_view_log {
	const char *path;
	const char *uuid;
	const char *host;
	const char *program;
	uint32_t pid;
	uint32_t number;
	bool merged;
};

/**
 * struct hft_log_view_stream - which ring it came from
 * @log: of it
 * @id: number of the ring
 * @tid: of the thread; 0 if not known
 * @cpu: where the thread was when its ring was made, or -1
 * @thread: name of the thread; "" if not known
 * @policy: of a full ring: "block", "overwrite", "drop", "audit": that of an audit ring, which
 *	blocks; "" if not known
 * @number: from 0, in the order in which the reader came to know streams
 */
struct hft_log_view_stream {
	const struct hft_log_view_log *log;
	uint64_t id;
	uint32_t tid;
	int32_t cpu;
	const char *thread;
	const char *policy;
	uint32_t number;
};

/**
 * struct hft_log_view_field - an argument of a call site
 * @name: of it
 * @type: enum hft_log_type
 */
struct hft_log_view_field {
	const char *name;
	uint8_t type;
};

/**
 * struct hft_log_view_site - a call site
 * @subsystem: it belongs to
 * @name: of a typed event; "" of a message
 * @format: of a message, as for printf(); "" of a typed event
 * @file: source
 * @line: there
 * @level: enum hft_log_level
 * @id: in the log
 * @nr_fields: number of @fields
 * @fields: types and names of arguments
 * @number: from 0, in the order in which the reader came to know sites; the same site of many
 *	chunks or processes is one
 */
struct hft_log_view_site {
	const char *subsystem;
	const char *name;
	const char *format;
	const char *file;
	uint32_t line;
	uint32_t level;
	uint32_t id;
	uint32_t nr_fields;
	const struct hft_log_view_field *fields;
	uint32_t number;
};

/**
 * union hft_log_view_value - an argument; which member counts is its field's type
 * @u: %HFT_LOG_U64, %HFT_LOG_POINTER, %HFT_LOG_TASK, %HFT_LOG_CLASS, %HFT_LOG_STAMP
 * @i: %HFT_LOG_I64
 * @d: %HFT_LOG_DOUBLE
 * @s: %HFT_LOG_STRING, %HFT_LOG_SYMBOL: ends with a NUL, and may be no valid UTF-8
 */
union hft_log_view_value {
	uint64_t u;
	int64_t i;
	double d;
	const char *s;
};

/**
 * struct hft_log_view - a record
 * @time: UTC, ns since the epoch
 * @monotonic: CLOCK_MONOTONIC, ns
 * @stamp: of the log's clock, as it was taken
 * @site: where it was logged
 * @stream: who logged it
 * @values: arguments, as many as @site has fields
 * @sequence: number of the record in its ring, those counted that were lost; it wraps
 * @bytes: of the record
 */
struct hft_log_view {
	uint64_t time;
	uint64_t monotonic;
	uint64_t stamp;
	const struct hft_log_view_site *site;
	const struct hft_log_view_stream *stream;
	const union hft_log_view_value *values;
	uint32_t sequence;
	uint32_t bytes;
};

/**
 * enum hft_log_notice_kind - what a reader tells beside records
 * @HFT_LOG_NOTICE_TORN: an open stream ends amid a packet: the machine or the process died
 * @HFT_LOG_NOTICE_DAMAGED: bytes that are no packet or no record, or a hole: the rest of the
 *	packet is passed by, and the next one is read; or lines that say nothing of a chunk.  The
 *	first 8 of a file are told, and at its end how many more there were
 * @HFT_LOG_NOTICE_UNKNOWN: a record of a call site that the chunk does not list; likewise
 * @HFT_LOG_NOTICE_UNREADABLE: a file that can not be opened or read
 * @HFT_LOG_NOTICE_LOST: a ring was full; @lost of the notice says how many records
 */
enum hft_log_notice_kind {
	HFT_LOG_NOTICE_TORN,
	HFT_LOG_NOTICE_DAMAGED,
	HFT_LOG_NOTICE_UNKNOWN,
	HFT_LOG_NOTICE_UNREADABLE,
	HFT_LOG_NOTICE_LOST,
};

/**
 * struct hft_log_notice - what a reader tells beside records
 * @kind: enum hft_log_notice_kind
 * @path: of the file
 * @offset: where in it, bytes
 * @lost: records, of %HFT_LOG_NOTICE_LOST
 * @stream: the one, NULL if it is none's
 * @text: the reason, and which packets of the stream's file, from 0, it is of; valid in the call
 */
struct hft_log_notice {
	uint32_t kind;
	const char *path;
	uint64_t offset;
	uint64_t lost;
	const struct hft_log_view_stream *stream;
	const char *text;
};

/**
 * struct hft_log_reader_progress - how far a reader is
 * @sz: sizeof(struct hft_log_reader_progress), by the caller
 * @bytes: that were read or passed by
 * @total: bytes of all files that the reader knows
 * @packets: that were read
 * @skipped: packets that the index said have nothing that was asked for
 */
struct hft_log_reader_progress {
	size_t sz;
	uint64_t bytes;
	uint64_t total;
	uint64_t packets;
	uint64_t skipped;
};

struct hft_log_where;

/* The log is being written: what is at the end of a stream in part will be there in whole. */
#define HFT_LOG_READ_FOLLOW	(1u << 0)

/**
 * struct hft_log_reader_opts - what to read
 * @sz: sizeof(struct hft_log_reader_opts)
 * @from: UTC, ns since the epoch: nothing before
 * @to: nothing at this time or later; 0: no end
 * @levels: bit n: records of level n; 0: all
 * @classes: bit n: records with a field of %HFT_LOG_CLASS that is n; 0: all
 * @tasks: records with a field of %HFT_LOG_TASK that is one of these
 * @nr_tasks: number of @tasks; 0: all
 * @nr_symbols: number of @symbols; 0: all
 * @symbols: records with a field of %HFT_LOG_SYMBOL that is one of these
 * @subsystems: patterns with * and ?, separated by commas; NULL: all
 * @where: records that are so; NULL: all.  It has to live as long as the reader and is for
 *	one reader at a time
 * @notice: called with what is beside records; NULL: none
 * @context: for @notice and @progress
 * @flags: %HFT_LOG_READ_FOLLOW
 * @progress: called with how far it is, for each packet that is read or passed by; NULL: none
 */
struct hft_log_reader_opts {
	size_t sz;
	uint64_t from;
	uint64_t to;
	uint64_t levels;
	uint64_t classes;
	const uint64_t *tasks;
	const char *const *symbols;
	uint32_t nr_tasks;
	uint32_t nr_symbols;
	const char *subsystems;
	struct hft_log_where *where;
	void (*notice)(void *context, const struct hft_log_notice *notice);
	void *context;
	uint32_t flags;
	void (*progress)(void *context, const struct hft_log_reader_progress *progress);
};

struct hft_log_reader;

int hft_log_reader_open(struct hft_log_reader **reader, const char *const *paths,
			unsigned int nr_paths, const struct hft_log_reader_opts *opts);
void hft_log_reader_close(struct hft_log_reader *reader);
int hft_log_reader_next(struct hft_log_reader *reader, const struct hft_log_view **view);
int hft_log_reader_refresh(struct hft_log_reader *reader);
int hft_log_reader_progress(const struct hft_log_reader *reader,
			    struct hft_log_reader_progress *progress);

struct hft_log_store_opts;

int hft_log_merge(struct hft_log_reader *reader, const char *dir,
		  const struct hft_log_store_opts *opts, uint64_t *records);

/**
 * struct hft_log_where_error - what is wrong with an expression
 * @position: in the text, from 0
 * @text: the reason
 */
struct hft_log_where_error {
	size_t position;
	const char *text;
};

int hft_log_where_parse(struct hft_log_where **where, const char *text,
			struct hft_log_where_error *error);
void hft_log_where_free(struct hft_log_where *where);
bool hft_log_where_test(struct hft_log_where *where, const struct hft_log_view *view);

/* Here, too, for those who have no need of hft/log.h. */
const char *hft_log_level_name(int level);
int hft_log_level_parse(const char *name);

const union hft_log_view_value *hft_log_view_find(const struct hft_log_view *view,
						  const char *name, uint8_t *type);
size_t hft_log_view_message(const struct hft_log_view *view, char *text, size_t size);
/* How a record is shown. */
#define HFT_LOG_VIEW_MONOTONIC	(1u << 0)	/* CLOCK_MONOTONIC instead of UTC */
#define HFT_LOG_VIEW_HOST	(1u << 1)	/* the host and the process, too */

size_t hft_log_view_line(const struct hft_log_view *view, uint32_t flags, char *text, size_t size);
size_t hft_log_view_json(const struct hft_log_view *view, char *text, size_t size);
size_t hft_log_view_csv(const struct hft_log_view *view, const char *const *fields,
			uint32_t nr_fields, char *text, size_t size);
size_t hft_log_view_csv_head(const char *const *fields, uint32_t nr_fields, char *text,
			     size_t size);
size_t hft_log_view_value_text(uint8_t type, const union hft_log_view_value *value, char *text,
			       size_t size);

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_READ_H */
