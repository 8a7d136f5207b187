// SPDX-License-Identifier: LGPL-2.1-or-later
/* A store is opened and closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <hft/log_ring.h>

#include "../options.h"
#include "locked.h"
#include "store_internal.h"

#define LEAST_PACKET	(16u << 10)
#define MOST_PACKET	(64u << 20)

_Static_assert(HFT_LOG_FRAME_BYTES + HFT_LOG_SHORT <= LEAST_PACKET,
	       "what is logged with few arguments fits");

#define MOST_BUFFERS	1024u
#define MOST_MEMORY	(1ull << 32)

static void set_defaults(struct hft_log_store_opts *opts)
{
	if (opts->sync == HFT_LOG_SYNC_DEFAULT)
		opts->sync = HFT_LOG_SYNC_INTERVAL;
	if (opts->audit_sync == HFT_LOG_SYNC_DEFAULT)
		opts->audit_sync = HFT_LOG_SYNC_PACKET;
	if (!opts->packet_bytes)
		opts->packet_bytes = 1u << 20;
	if (!opts->buffers)
		opts->buffers = 32;
	if (!opts->flush_ns)
		opts->flush_ns = 20 * NSEC_PER_MSEC;
	if (!opts->sync_ns)
		opts->sync_ns = NSEC_PER_SEC;
	if (!opts->chunk_bytes)
		opts->chunk_bytes = 1ull << 30;
	if (!opts->chunk_ns)
		opts->chunk_ns = 3600 * NSEC_PER_SEC;
	if (!opts->pack_level)
		opts->pack_level = 3;
	if (!opts->slow_ns)
		opts->slow_ns = NSEC_PER_SEC;
}

static int check_opts(const struct hft_log_store_opts *opts)
{
	if (opts->flags & ~(HFT_LOG_STORE_BUFFERED | HFT_LOG_STORE_NO_URING |
			    HFT_LOG_STORE_NO_PACK | HFT_LOG_STORE_PACK_ALL))
		return hft_fail(EINVAL, "unknown flags 0x%x of a log's store", opts->flags);
	if (opts->sync > HFT_LOG_SYNC_PACKET || opts->audit_sync > HFT_LOG_SYNC_PACKET)
		return hft_fail(EINVAL, "no such way to synchronise a log");
	if (opts->packet_bytes % HFT_LOG_PACKET_ALIGN || opts->packet_bytes < LEAST_PACKET ||
	    opts->packet_bytes > MOST_PACKET)
		return hft_fail(EINVAL, "packets of %u bytes: they have 16 KiB to 64 MiB, in 4 KiB",
				opts->packet_bytes);
	if (opts->buffers < 4 || opts->buffers > MOST_BUFFERS ||
	    (uint64_t)opts->buffers * opts->packet_bytes > MOST_MEMORY)
		return hft_fail(EINVAL, "%u buffers: a log has 4 to 1024, of 4 GiB in all",
				opts->buffers);
	if (opts->pack_level > 19)
		return hft_fail(EINVAL, "zstd level %u: it is 1 to 19", opts->pack_level);
	return 0;
}

static bool is_clock(const struct hft_log_store_clock *clock)
{
	return clock->freq && clock->offset < clock->freq &&
		(!strcmp(clock->name, "tsc") || !strcmp(clock->name, "monotonic"));
}

static int set_origin(struct hft_log_store *store, const struct hft_log_store_origin *origin)
{
	if (!is_clock(&origin->clock))
		return hft_fail(EINVAL, "the clock of a log");
	store->origin = *origin;
	if (origin->host)
		snprintf(store->host, sizeof(store->host), "%s", origin->host);
	else if (gethostname(store->host, sizeof(store->host) - 1))
		return hft_fail(errno, "gethostname");
	snprintf(store->program, sizeof(store->program), "%s",
		 origin->program ? origin->program : program_invocation_short_name);
	store->origin.host = store->host;
	store->origin.program = store->program;
	return 0;
}

static int open_folder(struct hft_log_store *store, const char *dir)
{
	store->dir = strdup(dir);
	if (!store->dir)
		return hft_fail(ENOMEM, "a store");
	if (mkdir(dir, 0750) && errno != EEXIST)
		return hft_fail(errno, "making %s", dir);
	store->dir_fd = log_locked_open(dir, 0);
	if (store->dir_fd == -EBUSY)
		return hft_fail(EBUSY, "%s: another process writes there", dir);
	return store->dir_fd < 0 ? hft_fail(-store->dir_fd, "opening %s", dir) : 0;
}

static int open_key(struct hft_log_store *store)
{
	int err;

	if (!store->opts.key_file)
		return 0;
	err = hft_log_key_open(&store->key, store->opts.key_file);
	store->has_key = !err;
	return err;
}

/* The log's own, which every reader knows by its id. */
static int add_own_sites(struct hft_log_store *store)
{
	static const struct hft_log_store_field lost[] = {
		{ "lost", HFT_LOG_U64 }, { "first", HFT_LOG_U64 }, { "last", HFT_LOG_U64 },
	};
	const struct hft_log_store_site site = {
		.id = HFT_LOG_ID_LOST, .level = 1, .line = __LINE__, .nr_fields = 3,
		.name = "lost", .subsystem = "hft", .file = "store_open.c", .fields = lost,
	};

	return hft_log_store_site_add(store, &site);
}

static int start(struct hft_log_store *store)
{
	int err = open_key(store);

	if (!err)
		err = hft_store_io_open(store);
	if (!err)
		err = add_own_sites(store);
	if (!err)
		err = hft_store_kept_scan(store);
	if (!err)
		err = hft_store_hasher_open(store);
	if (!err)
		err = hft_store_keeper_open(store);
	if (!err)
		err = hft_store_packer_open(store);
	return err;
}

static void free_chunks(struct hft_log_store *store)
{
	struct log_chunk *chunk;

	hft_store_chunk_reap(store);
	while ((chunk = store->closing)) {
		store->closing = chunk->next;
		hft_store_chunk_free(chunk);
	}
	if (store->chunk)
		hft_store_chunk_free(store->chunk);
}

static void close_store(struct hft_log_store *store, bool now)
{
	hft_store_keeper_close(store, now);
	hft_store_packer_close(store);
	hft_store_hasher_close(store);
	hft_store_io_close(store);
	free_chunks(store);
	hft_store_streams_free(store);
	hft_store_sites_free(store);
	free(store->kept);
	if (store->has_key)
		hft_log_key_close(&store->key);
	if (store->dir_fd >= 0)
		log_locked_close(store->dir_fd);
	pthread_mutex_destroy(&store->lock);
	free(store->dir);
	free(store);
}

int hft_log_store_open(struct hft_log_store **out, const char *dir,
		       const struct hft_log_store_origin *origin,
		       const struct hft_log_store_opts *user_opts)
{
	struct hft_log_store_opts opts;
	struct hft_log_store *store;
	int err = hft_read_opts(&opts, sizeof(opts), user_opts);

	if (err)
		return err;
	set_defaults(&opts);
	err = check_opts(&opts);
	if (err)
		return err;
	store = calloc(1, sizeof(*store));
	if (!store)
		return hft_fail(ENOMEM, "a store");
	store->opts = opts;
	store->dir_fd = -1;
	store->next_number = 1;
	store->streams_end = &store->streams;
	store->now = hft_store_monotonic();
	pthread_mutex_init(&store->lock, NULL);
	err = set_origin(store, origin);
	if (!err)
		err = open_folder(store, dir);
	if (!err)
		err = start(store);
	if (err) {
		close_store(store, true);
		return err;
	}
	store->state.uring = store->uring;
	*out = store;
	return 0;
}

int hft_log_store_close(struct hft_log_store *store, uint64_t timeout_ns)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = hft_store_monotonic();
	int err = hft_log_store_flush(store, false, timeout_ns);

	end = timeout_ns > UINT64_MAX - end ? UINT64_MAX : end + timeout_ns;
	store->final = !err;
	if (store->final)
		store->rotate = true;
	while (!err && (store->chunk || store->closing)) {
		if (hft_store_monotonic() >= end)
			err = hft_fail(ETIMEDOUT, "the last chunk of %s", store->dir);
		hft_log_store_poll(store, hft_store_monotonic());
		nanosleep(&pause, NULL);
	}
	if (hft_store_keeper_wait(store, end) && !err)
		err = hft_fail(ETIMEDOUT, "sealing the last chunk of %s", store->dir);
	hft_store_chunk_reap(store);
	if (!err && store->lost)
		err = hft_fail(EIO, "%s: records that were written are lost", store->dir);
	if (!err && (store->opts.flags & HFT_LOG_STORE_PACK_ALL))
		hft_store_packer_wait(store, end);
	close_store(store, err);
	return err;
}
