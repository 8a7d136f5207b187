// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many logs to one: what a reader gives, as a log whose stamps are ns of UTC.  Ids of sites and
 * streams are given anew; sequences and losses stay those of their stream, whose line says which
 * one of which log it is.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../api.h"
#include "../engine/internal.h"
#include "../gettime.h"
#include "../options.h"
#include "read.h"
#include "remove.h"
#include "store.h"

#define HFT_NS_PER_S	1000000000ull
#define HFT_CLOSE_NS	(60 * HFT_NS_PER_S)
#define HFT_LOOK_NS	(HFT_NS_PER_S / 10)
#define HFT_NAP_MS	1

struct hft_merge {
	struct hft_log_reader *reader;
	struct hft_log_store *store;
	uint32_t *ids;				/* of sites, and 1, by number; 0: not known yet */
	bool own[HFT_LOG_SITE_FIRST];		/* ids below that one that are taken */
	uint8_t *known_streams;			/* by number */
	uint64_t *lost;				/* by number of the stream */
	uint32_t room_sites, room_streams;
	uint8_t *record;
	uint64_t records;
	int err;				/* of a notice */
	void (*notice)(void *context, const struct hft_log_notice *notice);
	void *context;
};

static int hft_merge_grow(void **array, uint32_t from, uint32_t to, size_t size)
{
	char *grown = reallocarray(*array, to, size);

	if (!grown)
		return -ENOMEM;
	memset(grown + from * size, 0, (to - from) * size);
	*array = grown;
	return 0;
}

static int hft_merge_room_streams(struct hft_merge *merge, uint32_t number)
{
	uint32_t room = merge->room_streams ? merge->room_streams : 64;
	int err;

	if (number < merge->room_streams)
		return 0;
	while (room <= number)
		room *= 2;
	err = hft_merge_grow((void **)&merge->known_streams, merge->room_streams, room, 1);
	if (!err)
		err = hft_merge_grow((void **)&merge->lost, merge->room_streams, room,
				     sizeof(*merge->lost));
	if (!err)
		merge->room_streams = room;
	return err;
}

static void hft_merge_notice(void *context, const struct hft_log_notice *notice)
{
	struct hft_merge *merge = context;

	if (notice->kind == HFT_LOG_NOTICE_LOST) {
		if (hft_merge_room_streams(merge, notice->stream->number))
			merge->err = -ENOMEM;
		else
			merge->lost[notice->stream->number] += notice->lost;
	}
	if (merge->notice)
		merge->notice(merge->context, notice);
}

static bool hft_merge_is_lost(const struct hft_log_view_site *site)
{
	static const char *const names[] = { "lost", "first", "last" };
	uint32_t i;

	if (site->id != HFT_LOG_ID_LOST || site->nr_fields != 3 || strcmp(site->name, "lost"))
		return false;
	for (i = 0; i < 3; i++)
		if (site->fields[i].type != HFT_LOG_U64 || strcmp(site->fields[i].name, names[i]))
			return false;
	return true;
}

/* What another version of the library has of a log's own events is under another such id. */
static int hft_merge_own_id(struct hft_merge *merge, uint32_t id)
{
	uint32_t own = HFT_LOG_SITE_FIRST - 1;

	if (!merge->own[id])
		own = id;
	while (merge->own[own])
		if (!own--)
			return hft_fail(E2BIG, "the logs' own events are of too many versions");
	merge->own[own] = true;
	return (int)own;
}

static int hft_merge_id(struct hft_merge *merge, const struct hft_log_view_site *site)
{
	if (site->id < HFT_LOG_SITE_FIRST)
		return hft_merge_own_id(merge, site->id);
	if (site->number > UINT16_MAX - HFT_LOG_SITE_FIRST)
		return hft_fail(E2BIG, "one log has %u call sites at most",
				UINT16_MAX - HFT_LOG_SITE_FIRST + 1);
	return (int)(HFT_LOG_SITE_FIRST + site->number);
}

static int hft_merge_add_site(struct hft_merge *merge, const struct hft_log_view_site *view,
			      uint16_t id)
{
	struct hft_log_store_field *fields = calloc(view->nr_fields + 1u, sizeof(*fields));
	struct hft_log_store_site site = {
		.id = id,
		.level = (uint8_t)view->level,
		.line = view->line,
		.nr_fields = view->nr_fields,
		.name = *view->format ? NULL : view->name,
		.subsystem = view->subsystem,
		.format = *view->format ? view->format : NULL,
		.file = view->file,
		.fields = fields,
	};
	uint32_t i;
	int err;

	if (!fields)
		return -ENOMEM;
	for (i = 0; i < view->nr_fields; i++) {
		fields[i].name = view->fields[i].name;
		fields[i].type = (enum hft_log_type)view->fields[i].type;
	}
	err = hft_log_store_site_add(merge->store, &site);
	free(fields);
	return err;
}

static int hft_merge_site(struct hft_merge *merge, const struct hft_log_view_site *site)
{
	uint32_t room = merge->room_sites ? merge->room_sites : 256;
	int err, id = HFT_LOG_ID_LOST;

	if (site->number >= merge->room_sites) {
		while (room <= site->number)
			room *= 2;
		err = hft_merge_grow((void **)&merge->ids, merge->room_sites, room,
				     sizeof(*merge->ids));
		if (err)
			return err;
		merge->room_sites = room;
	}
	if (merge->ids[site->number])
		return 0;
	if (!hft_merge_is_lost(site)) {		/* every store has that one */
		id = hft_merge_id(merge, site);
		err = id < 0 ? id : hft_merge_add_site(merge, site, (uint16_t)id);
		if (err)
			return err;
	}
	merge->ids[site->number] = (uint32_t)id + 1;
	return 0;
}

static int hft_merge_stream(struct hft_merge *merge, const struct hft_log_view_stream *view)
{
	const struct hft_log_store_source source = {
		.uuid = view->log->uuid, .host = view->log->host, .program = view->log->program,
		.pid = view->log->pid, .stream = view->id,
	};
	const struct hft_log_store_stream stream = {
		.id = view->number, .tid = view->tid, .cpu = view->cpu, .policy = view->policy,
		.thread = view->thread, .source = &source,
	};
	int err = hft_merge_room_streams(merge, view->number);

	if (err || merge->known_streams[view->number])
		return err;
	merge->known_streams[view->number] = 1;
	return hft_log_store_stream_add(merge->store, &stream);
}

static bool hft_merge_is_text(uint8_t type)
{
	return type == HFT_LOG_STRING || type == HFT_LOG_SYMBOL;
}

/* From when to when they were lost are stamps: of the log that is read, and here of this one. */
static void hft_merge_lost(const struct hft_merge *merge, struct hft_log_record *record)
{
	struct hft_read_clock *clock = &merge->reader->last->chunk->clock;
	uint64_t *values = (uint64_t *)(record + 1);

	values[1] = hft_read_time(clock, values[1]);
	values[2] = hft_read_time(clock, values[2]);
}

/* As it was: the arguments are no more than they were, so they fit. */
static size_t hft_merge_record(struct hft_merge *merge, const struct hft_log_view *view)
{
	struct hft_log_record *head = (struct hft_log_record *)merge->record;
	size_t at = sizeof(*head), size;
	uint32_t i;

	for (i = 0; i < view->site->nr_fields; i++) {
		if (hft_merge_is_text(view->site->fields[i].type)) {
			size = strlen(view->values[i].s) + 1;
			memcpy(merge->record + at, view->values[i].s, size);
			at += size;
			continue;
		}
		for (; at % 8; at++)
			merge->record[at] = 0;
		memcpy(merge->record + at, &view->values[i], 8);
		at += 8;
	}
	for (; at % 8; at++)
		merge->record[at] = 0;
	head->id = (uint16_t)(merge->ids[view->site->number] - 1);
	head->words = (uint16_t)(at / 8);
	head->sequence = view->sequence;
	head->stamp = view->time;
	if (head->id == HFT_LOG_ID_LOST)
		hft_merge_lost(merge, head);
	return at;
}

/* Until it is taken: a disk that is slow is waited for, one that is full is not. */
static int hft_merge_append(struct hft_merge *merge, const struct hft_log_view *view)
{
	uint32_t stream = view->stream->number;
	size_t bytes = hft_merge_record(merge, view);
	int64_t took;

	for (;;) {
		took = hft_log_store_append(merge->store, stream, merge->record, bytes,
					    merge->lost[stream]);
		if (took != -EAGAIN)
			break;
		hft_log_store_poll(merge->store, hft_gettime(CLOCK_MONOTONIC));
		poll(NULL, 0, HFT_NAP_MS);
	}
	if (took < 0)
		return (int)took;
	if (++merge->records % 1024 == 0)
		hft_log_store_poll(merge->store, hft_gettime(CLOCK_MONOTONIC));
	return 0;
}

static int hft_merge_view(struct hft_merge *merge, const struct hft_log_view *view)
{
	int err = merge->err;

	if (!err)
		err = hft_merge_site(merge, view->site);
	if (!err)
		err = hft_merge_stream(merge, view->stream);
	return err ? err : hft_merge_append(merge, view);
}

/* CLOCK_MONOTONIC is that of the first record's machine. */
static int hft_merge_open(struct hft_merge *merge, const char *dir,
			  const struct hft_log_store_opts *opts, const struct hft_log_view *first)
{
	struct hft_log_store_origin origin = {
		.pid = (uint32_t)getpid(),
		.clock = {
			.name = "monotonic",	/* in ns */
			.freq = HFT_NS_PER_S,
			.monotonic_at_0 = (int64_t)(first->monotonic - first->time),
		},
	};

	if (getrandom(origin.uuid, sizeof(origin.uuid), 0) != sizeof(origin.uuid))
		return hft_fail(errno, "random numbers");
	return hft_log_store_open(&merge->store, dir, &origin, opts);
}

static int hft_merge_rest(struct hft_merge *merge, const struct hft_log_view *view)
{
	int ret = 1, err = 0;

	while (ret > 0 && !err) {
		err = hft_merge_view(merge, view);
		if (!err)
			ret = hft_log_reader_next(merge->reader, &view);
	}
	return err ? err : ret;
}

/*
 * -ETIMEDOUT is a disk that is slow.  Any other error ends the merge, even one that might pass:
 * unlike a process that logs, it has nothing that would be lost, as what it reads stays, and a
 * disk that is full has the room again that it took.
 */
static int hft_merge_flush(struct hft_merge *merge)
{
	uint64_t end = hft_gettime(CLOCK_MONOTONIC) + HFT_CLOSE_NS;
	int err;

	do {
		err = hft_log_store_flush(merge->store, false, HFT_LOOK_NS);
	} while (err == -ETIMEDOUT && hft_gettime(CLOCK_MONOTONIC) < end);
	return err;
}

static int hft_merge_close(struct hft_merge *merge, int err)
{
	struct hft_error why;

	if (!err)
		err = hft_merge_flush(merge);
	if (!err)
		return hft_log_store_close(merge->store, HFT_CLOSE_NS);
	hft_save_error(&why);
	hft_log_store_close(merge->store, 0);
	hft_take_error(&why);
	return err;
}

/* The folder is this call's own: a log that is not whole does not stay in the way. */
static int hft_merge_to(struct hft_merge *merge, const char *dir,
			const struct hft_log_store_opts *opts, const struct hft_log_view *first)
{
	int err;

	if (mkdir(dir, 0750))
		return hft_fail(errno, "make the folder %s", dir);
	err = hft_merge_open(merge, dir, opts, first);
	if (!err)
		err = hft_merge_close(merge, hft_merge_rest(merge, first));
	if (err)
		hft_log_remove_folder(dir);
	return err;
}

static int hft_merge_all(struct hft_merge *merge, const char *dir,
			 const struct hft_log_store_opts *opts)
{
	const struct hft_log_view *view;
	int ret = hft_log_reader_next(merge->reader, &view);

	if (!ret)
		return hft_fail(ENODATA, "there is no record to write to %s", dir);
	return ret < 0 ? ret : hft_merge_to(merge, dir, opts, view);
}

/**
 * hft_log_merge() - write what a reader has left to a log of its own
 * @reader: of one log or of many, with its filters
 * @dir: folder of the new log, which must not be there
 * @opts: how it is kept, or NULL
 * @records: answered with how many were written; NULL: not needed
 *
 * The log's stamps are ns of UTC.  Its streams say which stream of which log they were, and
 * readers show them as that one: host, program, process, thread, the log's id, and with it the
 * stream's number and those of its records.  The log's own records, of its clocks and of losses,
 * are kept like others.  What the reader tells beside records goes to its notice, as ever.
 *
 * Blocks for the disk.  One thread, that of the reader.
 *
 * Return: 0, -EEXIST for a folder that is there, -ENODATA when there is no record, -E2BIG for
 * more call sites than one log can have, -ENOMEM, -ENOSPC and others for what the disk says, the
 * first time it does: then there is no folder, as one that was begun is removed.
 */
HFT_API int hft_log_merge(struct hft_log_reader *reader, const char *dir,
			  const struct hft_log_store_opts *opts, uint64_t *records)
{
	struct hft_merge merge = {
		.own[HFT_LOG_ID_LOST] = true,
		.reader = reader,
		.notice = reader->opts.notice,
		.context = reader->opts.context,
	};
	int err;

	if (!access(dir, F_OK))
		return hft_fail(EEXIST, "%s", dir);
	merge.record = malloc(HFT_LOG_RECORD_MAX);
	if (!merge.record)
		return hft_fail(ENOMEM, "a record");
	reader->opts.notice = hft_merge_notice;
	reader->opts.context = &merge;
	err = hft_merge_all(&merge, dir, opts);
	reader->opts.notice = merge.notice;
	reader->opts.context = merge.context;
	free(merge.ids);
	free(merge.known_streams);
	free(merge.lost);
	free(merge.record);
	if (records)
		*records = merge.records;
	return err;
}
