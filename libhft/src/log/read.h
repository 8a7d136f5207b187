/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader of logs: folders have chunks, chunks have files of streams, and an input goes through
 * the files of one stream, chunk by chunk.  The inputs stand in a heap by the time of their next
 * record.  An input has a file open from its first record on until its last.
 *
 * What a chunk knows of sites and streams is interned in the reader, and stays; the rest of a
 * chunk goes when no input is in it.
 */
#ifndef HFT_LOG_READ_INTERNAL_H
#define HFT_LOG_READ_INTERNAL_H

#include <hft/hft.h>
#include <hft/log_read.h>
#include <hft/log_store.h>

struct json_t;

#define HFT_READ_PACKET_LEAST	(sizeof(struct hft_log_packet) + sizeof(struct hft_log_seal))

/* A piece of a message: text, or an argument with how to print it.  read_format.c makes it. */
struct hft_read_piece {
	const char *text;		/* before it, in the format */
	uint32_t length;		/* of @text; %% is two pieces */
	int32_t argument;		/* -1: none */
	int32_t width_argument;		/* of a '*'; -1: @width */
	int32_t precision_argument;	/* -1: @precision */
	uint16_t width;
	int16_t precision;		/* -1: none given */
	uint8_t flags;
	uint8_t size;			/* bytes of the integer that printf() would take; 0: all */
	uint8_t quick;			/* enum hft_read_quick */
	char conversion;
};

enum { HFT_LEFT = 1, HFT_PLUS = 2, HFT_SPACE = 4, HFT_ALTERNATE = 8, HFT_ZERO = 16 };

/* Conversions without width, precision and flags, of arguments of their type. */
enum hft_read_quick {
	HFT_QUICK_NONE,
	HFT_QUICK_TEXT,			/* no conversion */
	HFT_QUICK_SIGNED,
	HFT_QUICK_UNSIGNED,
	HFT_QUICK_FIXED,		/* %f, with a precision that hft_text_fixed() takes */
	HFT_QUICK_STRING,
};

/* Behind the texts of a site, so that short ones may be copied by more than they have. */
#define HFT_READ_PADDING	16u

#define HFT_WIDTH_MAX		1024
#define HFT_PRECISION_MAX	340

struct hft_read_site {
	struct hft_log_view_site view;
	struct hft_read_site *next;	/* of the same hash */
	struct hft_read_piece *pieces;
	uint32_t nr_pieces;
	const char *title;		/* " INFO   feed ", of a line */
	uint32_t title_length;
	bool wanted;			/* by level, subsystem and kinds of fields */
	bool plain;			/* the arguments are as a record has them: no texts */
	bool clean;			/* no argument can bring a control character into a line */
};

struct hft_read_stream {
	struct hft_log_view_stream view;
	struct hft_read_stream *next;
	const char *title;		/* "thread[tid] ", of a line */
	uint32_t title_length;
	bool clean;
};

struct hft_read_log {
	struct hft_log_view_log view;
	struct hft_read_log *next;
};

/* The clock of a chunk. */
struct hft_read_clock {
	uint64_t freq;
	__int128 offset;		/* stamps from the epoch to stamp 0 */
	int64_t monotonic;		/* ns, at stamp 0 */
	const struct hft_read_boot *boot;	/* whose lines it goes by; NULL: its own */
	/* The second that was last asked for. */
	uint64_t from, span;		/* stamps of it, as far as this line is good for them */
	uint64_t second_stamp;		/* its first stamp */
	uint64_t second_time;		/* UTC, ns */
	uint64_t to_monotonic;		/* from UTC, ns, modulo 2^64 */
};

/* A stream of a chunk; its number there is another one than that of @stream if it was merged. */
struct hft_read_listed {
	uint64_t id;
	struct hft_read_stream *stream;
};

struct hft_read_chunk {
	char *path;
	uint32_t number;
	unsigned int users;
	bool sealed;
	bool known;			/* the first line of sites was read */
	bool has_line;			/* its clock's line is with those of the boot */
	bool told;			/* that its sites can not be read */
	bool by_metadata;		/* that was read for sites, too */
	uint64_t sites_read;		/* bytes of sites */
	uint64_t sites_judged;		/* of these it was told which lines are none */
	uint64_t bad_lines;		/* of these, told one by one or still to be told */
	uint8_t uuid[16];
	struct hft_read_log *log;
	struct hft_read_clock clock;
	struct hft_read_site **sites;	/* by id */
	uint32_t nr_sites;
	struct hft_read_listed *streams;
	uint32_t nr_streams;
	struct hft_log_index *index;
	size_t nr_index;
};

/*
 * Each of many streams may leave the chunk that it is in for a later one, before the next stream
 * is there: these two are wanted in turn, and some more where streams have gaps.
 */
#define HFT_READ_HELD		4u

/* Folder of a log, or of a chunk alone. */
struct hft_read_folder {
	char *path;
	bool is_chunk;
	bool one_stream;		/* only @stream was asked for */
	uint64_t stream;
	struct hft_read_chunk **chunks;	/* by number */
	uint32_t nr_chunks;
	struct hft_read_chunk *held[HFT_READ_HELD];	/* used once more, not to be read again */
};

/* A reader's files beyond these are open only while they are read. */
#define HFT_READ_OPEN		256u

/* Bytes of a stream's file, compressed or not.  read_file.c */
struct hft_read_file {
	int fd;				/* -1: none now */
	char *path;			/* NULL: there is no file */
	unsigned int *nr_kept;		/* of the reader: its descriptors that stay open */
	bool kept;			/* @fd is one */
	uint64_t size;			/* uncompressed */
	uint64_t disk_size;
	bool is_packed;			/* @path is that of a compressed file */
	struct hft_log_packed *packed;	/* it; NULL: not compressed, or not open yet */
	bool salvaged;			/* the compressed file's table is damaged */
	unsigned char *window;
	size_t room, length;
	uint64_t at;			/* offset of @window */
};

/*
 * A stream as its log numbers it, where many folders are read: these may be copies, a log and its
 * chunk, or a log and one that it was merged into.  A record that two of them have is an error.
 */
struct hft_read_source {
	struct hft_read_source *next;
	const char *uuid;
	uint64_t id;
	const struct hft_read_folder *first;	/* that has it */
	uint64_t begin;				/* of its first packet there; 0: not known */
	bool shared;				/* another one has it, too */
	const struct hft_read_folder *last;	/* that gave a record of it since, and which */
	uint32_t sequence;
};

struct hft_read_input {
	struct hft_log_reader *reader;
	struct hft_read_folder *folder;
	struct hft_read_stream *stream;
	struct hft_read_source *source;	/* of @stream; NULL: only one folder is read */
	struct hft_read_chunk *chunk;	/* where it is; NULL: at no chunk */
	struct hft_read_file file;
	uint64_t id;
	uint32_t next_chunk;		/* to look at, in the folder */
	bool promised;			/* that has the stream, or had */
	bool started;			/* else @view.time is that of its first packet */
	bool waiting;			/* at its end, in no heap */
	bool closed;			/* nothing more will come to @file */
	bool listed;			/* the chunk has @stream */
	bool base_known;		/* @lost */
	uint64_t packet;		/* offset of the one that it is in */
	uint64_t offset;		/* of the packet behind this one */
	uint64_t number;		/* of that, in the stream's file */
	uint64_t unread;		/* offset of one whose losses were not looked at, or none */
	uint64_t counted;		/* bytes, for progress */
	uint64_t lost;
	uint64_t damaged;		/* places of the file */
	uint64_t unknown;		/* sites of its records */
	size_t index;			/* in the chunk's: not before */
	const unsigned char *record, *end;
	union hft_log_view_value *values;
	uint32_t room_values;
	struct hft_log_view view;
};

#define HFT_READ_TOLD		8u	/* of what is damaged in a file, one by one */
#define HFT_READ_BUCKETS	1024u
#define HFT_READ_NONE		UINT64_MAX

struct hft_log_reader {
	struct hft_log_reader_opts opts;
	struct hft_read_folder *folders;
	unsigned int nr_folders;
	struct hft_read_input **inputs;
	uint32_t nr_inputs;
	unsigned int nr_kept;		/* descriptors of @inputs' files */
	struct hft_read_input **heap;
	uint32_t nr_heap;
	struct hft_read_input *last;	/* whose record was given */
	bool filters;			/* a packet's head or index may say that it has nothing */
	uint32_t asked;			/* bits of fields of kinds that are asked for */
	struct hft_read_site *sites[HFT_READ_BUCKETS];
	struct hft_read_stream *streams[HFT_READ_BUCKETS];	/* by id */
	struct hft_read_source *sources[HFT_READ_BUCKETS];	/* likewise */
	struct hft_read_log *logs;
	struct hft_read_boot *boots;
	uint32_t nr_sites, nr_streams, nr_logs;
	struct hft_log_reader_progress progress;
};

/* read_names.c: the same each time for the same contents; NULL: no memory. */
struct hft_read_log *hft_read_log_get(struct hft_log_reader *reader,
				      const struct hft_log_view_log *log);
struct hft_read_stream *hft_read_stream_get(struct hft_log_reader *reader,
					    const struct hft_log_view_stream *stream);
struct hft_read_site *hft_read_site_get(struct hft_log_reader *reader,
					const struct hft_log_view_site *site);
struct hft_read_source *hft_read_source_get(struct hft_log_reader *reader,
					    const struct hft_log_view_stream *stream);
void *hft_read_alloc_shared(size_t size);	/* zeroed; NULL: no memory */
void hft_read_names_free(struct hft_log_reader *reader);

/* read_metadata.c */
int hft_read_metadata(struct hft_log_reader *reader, struct hft_read_folder *folder,
		      struct hft_read_chunk *chunk);

/* read_chunk.c; a file of the chunk @path, or -errno */
int hft_read_open_below(const char *path, const char *name);
int hft_read_chunk_object(struct hft_log_reader *reader, struct hft_read_folder *folder,
			  struct hft_read_chunk *chunk, const struct json_t *object);
int hft_read_chunk_use(struct hft_log_reader *reader, struct hft_read_folder *folder,
		       struct hft_read_chunk *chunk);
void hft_read_chunk_put(struct hft_read_chunk *chunk);
int hft_read_chunk_more(struct hft_log_reader *reader, struct hft_read_folder *folder,
			struct hft_read_chunk *chunk);
int hft_read_chunk_set_site(struct hft_read_chunk *chunk, uint32_t id,
			    struct hft_read_site *site);
bool hft_read_chunk_sealed(struct hft_read_chunk *chunk);
struct hft_read_stream *hft_read_chunk_stream(struct hft_log_reader *reader,
					      struct hft_read_folder *folder,
					      struct hft_read_chunk *chunk, uint64_t id,
					      bool *listed);

/* read_clock.c */
int hft_read_clock_set(struct hft_read_clock *clock, uint64_t freq, int64_t offset_s,
		       int64_t offset, int64_t monotonic);
void hft_read_clock_second(struct hft_read_clock *clock, uint64_t stamp);

static inline uint64_t hft_read_time(struct hft_read_clock *clock, uint64_t stamp)
{
	if (stamp - clock->from >= clock->span)
		hft_read_clock_second(clock, stamp);
	return clock->second_time + (stamp - clock->second_stamp) * 1000000000 / clock->freq;
}

/* read_boot.c */
struct hft_read_boot *hft_read_boot_find(struct hft_log_reader *reader, const struct json_t *log);
int hft_read_boots_scan(struct hft_log_reader *reader);
void hft_read_boot_line(const struct hft_read_boot *boot, struct hft_read_clock *clock,
			uint64_t stamp, uint64_t *from, uint64_t *until);
void hft_read_boots_free(struct hft_log_reader *reader);

/* read_file.c */
int hft_read_file_open(struct hft_read_file *file, const char *chunk, uint64_t stream);
void hft_read_file_close(struct hft_read_file *file);
int hft_read_file_resize(struct hft_read_file *file);
int hft_read_file_peek(struct hft_read_file *file, uint64_t offset, void *to, size_t size);
const void *hft_read_file_bytes(struct hft_read_file *file, uint64_t offset, size_t size,
				size_t ahead, int *err);

/* read_packet.c: 1: there are records, 0: no more in the chunk, or -errno */
int hft_read_packet(struct hft_read_input *input);
void hft_read_packet_damaged(struct hft_read_input *input, uint64_t offset, uint64_t number,
			     uint64_t nr, const char *text);
void hft_read_packet_unknown(struct hft_read_input *input, const char *text);
void hft_read_packet_end(struct hft_read_input *input);	/* of the file */

/* read_record.c: 1: @input->view is the next record, 0: no more in the packet, or -errno */
int hft_read_record(struct hft_read_input *input);

/* read_filter.c */
void hft_read_filter_begin(struct hft_log_reader *reader);
void hft_read_filter_site(struct hft_log_reader *reader, struct hft_read_site *site);
bool hft_read_filter_values(struct hft_log_reader *reader, const struct hft_log_view *view);
bool hft_read_filter_index(struct hft_log_reader *reader, struct hft_read_clock *clock,
			   const struct hft_log_index *index);
bool hft_read_filter_times(struct hft_log_reader *reader, struct hft_read_clock *clock,
			   uint64_t begin, uint64_t end);

static inline bool hft_read_filter_view(struct hft_log_reader *reader,
					const struct hft_log_view *view)
{
	return (!reader->asked && !reader->opts.where) || hft_read_filter_values(reader, view);
}

/* read_input.c */
struct hft_read_input *hft_read_input_add(struct hft_log_reader *reader,
					  struct hft_read_folder *folder, uint64_t id,
					  uint32_t chunk);
int hft_read_input_name(struct hft_read_input *input);
int hft_read_input_next(struct hft_read_input *input);
int hft_read_input_first(struct hft_read_input *input);
void hft_read_input_free(struct hft_read_input *input);

/* read_folder.c */
int hft_read_folder_open(struct hft_log_reader *reader, struct hft_read_folder *folder,
			 const char *path);
int hft_read_folder_scan(struct hft_log_reader *reader, struct hft_read_folder *folder);
void hft_read_folder_hold(struct hft_read_folder *folder, struct hft_read_chunk *chunk);
void hft_read_folder_let_go(struct hft_read_folder *folder);
void hft_read_folder_close(struct hft_read_folder *folder);

/* read_format.c */
static inline bool hft_read_is_text(uint8_t type)
{
	return type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL;
}

bool hft_read_is_integer(uint8_t type);
int hft_read_format(struct hft_read_site *site);

/* line.c: @to has room for what is counted when it is NULL */
size_t hft_read_site_title(const struct hft_log_view_site *site, char *to);
size_t hft_read_stream_title(const struct hft_log_view_stream *stream, char *to);
bool hft_read_is_clean(const char *text, size_t length);

/* glob.c */
bool hft_glob(const char *pattern, size_t length, const char *text);

/* read.c */
void hft_read_notice(struct hft_log_reader *reader, uint32_t kind, const char *path,
		     uint64_t offset, const struct hft_read_stream *stream, const char *text);

#endif /* HFT_LOG_READ_INTERNAL_H */
