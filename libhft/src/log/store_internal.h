/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of the store.
 *
 * A packet is filled with records of a stream, closed, which binds it to a file of the open
 * chunk and gives it its place, sealed by the hasher, a thread, and written.  It stays in the
 * queue of its stream, and its buffer is not used again, until it and all before it are in
 * the file.
 *
 * A chunk is open, then closing: no more packets are bound to it, its root is known and the
 * next chunk goes on from that, but not all of it is written.  Then it goes to the keeper, a
 * thread that puts all of it on the disk and writes its seal, removes old chunks, and hands
 * it to the packer, a thread that compresses it.  The drainer frees it when it is sealed.
 *
 * A sync that failed makes a chunk doubtful: it is closed, the keeper writes all of it again
 * before the seal, and nothing new is written meanwhile.
 *
 * The lock of the store is for what those threads and the drainer share: the lists and the
 * state.  Nobody does any input or output under it.
 */
#ifndef HFT_LOG_STORE_PARTS_H
#define HFT_LOG_STORE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <liburing.h>

#include "seal.h"
#include "store.h"

#define NSEC_PER_SEC	1000000000ull
#define NSEC_PER_MSEC	1000000ull

#define HFT_LOG_HEAD_BYTES	sizeof(struct hft_log_packet)
#define HFT_LOG_FRAME_BYTES	(HFT_LOG_HEAD_BYTES + sizeof(struct hft_log_seal))
#define HFT_LOG_NAME_BYTES	32		/* of a file in a chunk */

struct log_chunk;
struct log_file;
struct log_stream;

/* A file that only grows, or what of it could not be written yet. */
struct log_text {
	int fd;
	char *at;
	size_t bytes;
	size_t room;
	size_t written;
};

enum log_packet_state {
	LOG_PACKET_FILLING,
	LOG_PACKET_SEALING,		/* the hasher has it */
	LOG_PACKET_READY,		/* to be written, or again after an error */
	LOG_PACKET_WRITING,
	LOG_PACKET_WRITTEN,
};

struct log_packet {
	struct log_packet *next;	/* of the stream, or of those that are free */
	struct log_packet *next_sealed;	/* of those that the hasher has or had */
	struct log_stream *stream;
	struct log_file *file;
	uint8_t *at;
	uint32_t slot;			/* number of the buffer */
	enum log_packet_state state;
	bool failed;			/* the disk did not take it: counted in @failing */
	size_t fill;
	size_t last;			/* where the last record is */
	size_t bytes;
	size_t done;
	uint64_t born;
	uint64_t given;			/* to the disk, when */
	uint64_t from;			/* bytes of records of the stream before this one's */
	uint64_t taken;			/* this one's included */
	uint64_t lost;
	uint64_t synced;		/* packets of the file, when it got its place */
	struct hft_log_index index;
};

/* A stream in a chunk. */
struct log_file {
	struct log_file *next;		/* of the chunk */
	struct log_file *next_due;
	bool is_due;			/* of those that were written since their last sync */
	struct log_chunk *chunk;
	struct log_stream *stream;
	char name[HFT_LOG_NAME_BYTES];
	int fd;				/* -1: its stream was forgotten, and no sync of it runs */
	bool direct;
	bool syncing;
	bool doubtful;			/* a sync failed: what was written may be lost */
	uint64_t written;		/* packets, without a gap */
	uint64_t synced;
	uint64_t sync_to;		/* what @synced is when the sync that runs has ended */
	uint64_t written_bytes;
	uint64_t written_to;		/* &log_stream.written of @written */
	uint64_t sync_written_to;
	uint64_t sync_due;
	uint64_t from;			/* bytes of records of the stream in files before it */
	uint64_t synced_to;		/* &log_stream.synced, when all before it are, too */
	uint64_t bound;			/* packets that have a place in it */
	uint64_t bound_bytes;
	struct hft_log_chain chain;	/* the hasher's, until it has sealed those */
};

/* When: by itself, or when a flush asks for it */
enum { LOG_DUE_ALWAYS, LOG_DUE_ASKED, LOG_DUES };

enum log_text_kind { LOG_METADATA, LOG_SITES, LOG_INDEX, LOG_TEXTS };

struct log_chunk {
	struct log_chunk *next;
	uint32_t number;
	int fd;
	int hft_fd;
	struct log_text texts[LOG_TEXTS];
	struct log_file *files;
	struct log_file *due[LOG_DUES];	/* those with packets that are not synchronised */
	uint64_t opened;
	uint64_t bytes;
	uint32_t packets;		/* bound to it, not yet written */
	uint32_t syncs;			/* of it and of its files, that run */
	uint64_t changes;		/* of its folder and texts: each needs a sync */
	uint64_t changes_synced;
	uint64_t changes_sync_to;
	uint32_t changes_left;		/* calls of that sync that run */
	bool changes_failed;
	uint64_t changes_retry;
	bool gone;			/* files of it were removed */
	bool doubtful;			/* a file of it is: all is written again before the seal */
	bool lost;			/* what was written is neither on the disk nor readable */
	bool audit;
	bool begun;			/* it has what each has to have */
	bool sealed;			/* all of it is on the disk */
	uint8_t previous[HFT_LOG_HASH_BYTES];
	bool has_previous;
	uint32_t first;			/* the oldest to be kept */
	struct hft_log_sealing seal;
};

#define LOG_STREAM_BUCKETS	256

struct log_stream {
	struct log_stream *next;
	struct log_stream **link;		/* that points to it */
	struct log_stream *same;		/* of those whose id has the same bucket */
	struct hft_log_store_stream is;
	struct hft_log_store_source source;	/* if @is has one; texts are behind the struct */
	uint64_t users;				/* the store, and files */
	uint32_t packet_bytes;
	char thread[64];
	char policy[16];
	struct log_packet *filling;
	struct log_packet *first, *last;	/* closed, not yet all written, in their order */
	struct log_file *file;			/* in the open chunk */
	uint64_t taken;				/* bytes of records */
	uint64_t closed;			/* of these in packets that are closed */
	uint64_t written;
	uint64_t synced;
	uint64_t lost;
	bool ended;
	bool forgotten;
};

/* What a site's records have for the index. */
struct log_site {
	struct hft_log_store_site is;
	uint32_t tagged;		/* fields up to the last that the index has; 0: none */
	char *types;
};

/* A chunk that is closed. */
struct log_kept {
	uint32_t number;
	bool audit;
	bool sealed;
	uint64_t bytes;
	uint64_t closed;		/* CLOCK_REALTIME, ns */
};

struct log_packets {
	struct log_packet *first, *last;
};

struct log_hasher {
	pthread_t thread;
	bool runs;
	bool stop;
	int err;			/* of the last attempt */
	pthread_cond_t wake, idle;
	struct log_packets given;	/* in the order in which they got their places */
	struct log_packets sealed;	/* to be written by the drainer */
};

struct log_keeper {
	pthread_t thread;
	bool runs;
	bool stop;			/* when there is nothing left to do */
	bool now;			/* not even what there is */
	pthread_cond_t wake, idle;
	struct log_chunk *first, *last;	/* to be sealed */
	struct log_chunk *done, *done_last;	/* to be freed by the drainer, in their order */
	struct log_chunk *busy;		/* that it works on */
	bool failing;			/* a sync of the chunk that it has failed */
	bool gave_up;			/* its own: a chunk could not be sealed in time */
};

struct log_packer {
	pthread_t thread;
	bool runs;
	bool stop;
	_Atomic bool now;
	pthread_cond_t wake;
	uint32_t *numbers;		/* of chunks to compress */
	uint32_t nr;
	uint32_t room;
	uint32_t busy;			/* number of that it works on */
};

#define LOG_PLAIN_SITE	0x07		/* mask: level */
#define LOG_KNOWN_SITE	0x08
#define LOG_TAGGED_SITE	0x10

struct hft_log_store {
	struct hft_log_store_opts opts;
	char *dir;
	char *key_file;
	int dir_fd;
	struct hft_log_store_origin origin;
	char host[256];
	char program[64];
	uint64_t now;

	uint8_t kinds[UINT16_MAX + 1];	/* of sites by id: LOG_..._SITE */
	struct log_site *sites[UINT16_MAX + 1];
	uint32_t nr_sites;
	uint16_t *site_order;
	uint32_t sites_room;
	struct log_stream *streams, **streams_end;
	struct log_stream *by_id[LOG_STREAM_BUCKETS];

	uint8_t *buffers;
	size_t buffers_bytes;
	struct log_packet *packets;
	struct log_packet *free;
	uint32_t nr_free;

	struct log_chunk *chunk;		/* open */
	struct log_chunk *closing, *closing_last;
	hft_log_store_begin_fn begin;		/* NULL: chunks need not have anything */
	void *begin_arg;
	uint32_t next_number;
	uint8_t previous[HFT_LOG_HASH_BYTES];
	bool has_previous;
	bool rotate;
	bool final;

	struct io_uring ring;
	bool uring;
	bool registered;
	uint32_t running;			/* requests in the ring */
	uint64_t answered;			/* when the last one was, or there was none */
	uint32_t queued;			/* of these not submitted yet */
	uint32_t failing;			/* packets that the disk did not take */
	uint32_t doubts;			/* chunks that are doubtful */
	bool sealing;				/* the hasher has packets, when it was looked at */
	bool keeper_fails;			/* &log_keeper.failing, the same */
	bool lost;				/* what a chunk had: no more sync is a success */
	bool blocked;				/* there is no chunk for a packet */
	uint64_t retry;				/* when; 0: nothing is to be tried again */
	uint64_t retry_ns;
	uint64_t looked;			/* when, whether the files are there */

	struct hft_log_key key;
	bool has_key;

	pthread_mutex_t lock;
	struct hft_log_store_state state;	/* under the lock */
	struct hft_log_trouble trouble;		/* of it, what @state does not have */
	uint64_t said_at;			/* and lines on standard error, since then */
	unsigned int said;
	struct log_kept *kept;			/* under the lock, by number */
	uint32_t nr_kept;
	uint32_t kept_room;
	struct log_hasher hasher;
	struct log_keeper keeper;
	struct log_packer packer;
};

/* store_tell.c */
void hft_store_tell(struct hft_log_store *store, enum hft_log_store_event event, int err,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
void hft_store_tell_lost(struct hft_log_store *store, const struct log_chunk *chunk);
void hft_store_trouble(struct hft_log_store *store, int err, const char *what);
void hft_store_well(struct hft_log_store *store);
void hft_store_slow(struct hft_log_store *store);
void hft_store_look_slow(struct hft_log_store *store);

/* store.c */
bool hft_store_is_held(const struct hft_log_store *store);
void hft_store_failed(struct hft_log_store *store, int err, const char *what);
void hft_store_write(struct hft_log_store *store, struct log_packet *packet);
uint64_t hft_store_monotonic(void);

/* store_again.c */
int hft_store_chunk_again(struct log_chunk *chunk);

/* store_gone.c */
bool hft_store_has_gone(const struct hft_log_store *store);
bool hft_store_chunks_gone(struct hft_log_store *store);

/* store_site.c */
void hft_store_sites_free(struct hft_log_store *store);

/* store_stream.c */
struct log_stream *hft_store_stream_find(struct hft_log_store *store, uint64_t id);
void hft_store_stream_put(struct log_stream *stream);
void hft_store_file_rest(const struct hft_log_store *store, struct log_file *file);
uint32_t hft_store_sync_policy(const struct hft_log_store *store, const struct log_stream *stream);
void hft_store_streams_free(struct hft_log_store *store);

/* store_packet.c */
struct log_packet *hft_store_packet_take(struct hft_log_store *store, struct log_stream *stream);
void hft_store_packet_give(struct hft_log_store *store, struct log_packet *packet);
int64_t hft_store_packet_fill(struct hft_log_store *store, struct log_packet *packet,
			const void *records, size_t bytes);
uint32_t hft_store_packet_bytes(const struct hft_log_store *store, uint64_t ring_bytes);
int hft_store_packet_close(struct hft_log_store *store, struct log_packet *packet);
int hft_store_packets_close(struct hft_log_store *store);
void hft_store_packet_written(struct hft_log_store *store, struct log_packet *packet);
int hft_store_packet_bind(struct hft_log_store *store, struct log_packet *packet);

/* store_io.c */
int hft_store_io_open(struct hft_log_store *store);
void hft_store_io_close(struct hft_log_store *store);
void hft_store_io_write(struct hft_log_store *store, struct log_packet *packet);
void hft_store_io_sync_file(struct hft_log_store *store, struct log_file *file);
void hft_store_io_sync_chunk(struct hft_log_store *store, struct log_chunk *chunk);
void hft_store_io_submit(struct hft_log_store *store);
void hft_store_io_reap(struct hft_log_store *store, bool wait, uint64_t timeout_ns);

/* store_chunk.c */
int hft_store_chunk_open(struct hft_log_store *store);
bool hft_store_chunk_begin(struct hft_log_store *store);
int hft_store_chunk_rotate(struct hft_log_store *store);
bool hft_store_chunk_is_there(const struct log_chunk *chunk, const struct log_file *file);
void hft_store_chunk_changed(struct log_chunk *chunk);
void hft_store_chunk_doubt(struct hft_log_store *store, struct log_chunk *chunk);
void hft_store_file_due(const struct hft_log_store *store, struct log_file *file);
void hft_store_file_synced(struct log_file *file, uint64_t to);
void hft_store_chunk_forget(struct hft_log_store *store, struct log_chunk *chunk);
void hft_store_chunk_reap(struct hft_log_store *store);
int hft_store_chunk_site(struct log_chunk *chunk, const struct hft_log_store_site *site);
void hft_store_folder_remove(int dir_fd, const char *name);
void hft_store_chunk_hand_over(struct hft_log_store *store);
void hft_store_chunk_free(struct log_chunk *chunk);
int hft_store_chunk_file(struct hft_log_store *store, struct log_stream *stream);
int hft_store_chunk_write_texts(struct log_chunk *chunk);

/* store_text.c */
int hft_store_text_open(struct log_text *text, int dir_fd, const char *name);
int hft_store_text_add(struct log_text *text, const void *bytes, size_t size);
int hft_store_text_write(struct log_text *text);
void hft_store_text_close(struct log_text *text);

/* metadata.c: TSDL and the lines of hft/sites */
int hft_store_metadata_begin(struct log_text *to, const struct hft_log_store_origin *origin);
int hft_store_metadata_site(struct log_text *to, const struct hft_log_store_site *site);
/* @key: that the chunk's seal will be signed with; NULL: none */
int hft_store_sites_begin(struct log_text *to, const struct hft_log_store_origin *origin,
			  const struct hft_log_key *key);
int hft_store_sites_stream(struct log_text *to, const struct hft_log_store_stream *stream);
int hft_store_sites_site(struct log_text *to, const struct hft_log_store_site *site);

/* index.c */
void hft_store_bloom_task(uint64_t *filter, uint64_t task);
void hft_store_bloom_symbol(uint64_t *filter, const char *symbol, size_t bytes);
size_t hft_store_record_bytes(const struct log_site *site, const struct hft_log_record *record);
void hft_store_index_record(struct hft_log_index *index, const struct log_site *site,
		      const struct hft_log_record *record);

/* store_thread.c */
int hft_store_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg, const char *name);
void hft_store_cond_init(pthread_cond_t *cond);
int hft_store_wait(struct hft_log_store *store, pthread_cond_t *cond, uint64_t end);

/* store_hash.c */
int hft_store_hasher_open(struct hft_log_store *store);
void hft_store_hasher_give(struct hft_log_store *store, struct log_packet *packet);
struct log_packet *hft_store_hasher_take(struct hft_log_store *store);
int hft_store_hasher_wait(struct hft_log_store *store, uint64_t end);
void hft_store_hasher_close(struct hft_log_store *store);

/* store_keep.c */
int hft_store_keeper_open(struct hft_log_store *store);
void hft_store_keeper_give(struct hft_log_store *store, struct log_chunk *chunk);
uint32_t hft_store_oldest_closed(struct hft_log_store *store);
int hft_store_keeper_wait(struct hft_log_store *store, uint64_t end);
void hft_store_keeper_close(struct hft_log_store *store, bool now);

/* store_retain.c: the first and hft_store_kept_add() under the lock */
uint32_t hft_store_retain_first(struct hft_log_store *store, uint32_t number, uint64_t bytes,
			  uint64_t now);
void hft_store_retain(struct hft_log_store *store, uint32_t first);
int hft_store_kept_add(struct hft_log_store *store, const struct log_kept *kept);
int hft_store_kept_scan(struct hft_log_store *store);
void hft_store_kept_sealed(struct hft_log_store *store, uint32_t number, uint64_t bytes);
void hft_store_kept_drop(struct hft_log_store *store, uint32_t number);
void hft_store_kept_packed(struct hft_log_store *store, uint32_t number, uint64_t bytes);
uint64_t hft_store_folder_bytes(int fd);

/* store_pack.c */
int hft_store_packer_open(struct hft_log_store *store);
int hft_store_packer_give(struct hft_log_store *store, uint32_t number);
void hft_store_packer_wait(struct hft_log_store *store, uint64_t end);
void hft_store_packer_close(struct hft_log_store *store);

#endif /* HFT_LOG_STORE_PARTS_H */
