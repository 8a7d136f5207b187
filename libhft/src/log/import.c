// SPDX-License-Identifier: LGPL-2.1-or-later
/* Logs of what others have recorded: a store, whose streams are numbered and counted here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/log_import.h>

#include "../api.h"
#include "../options.h"
#include "fields.h"
#include "log.h"

/**
 * struct import_stream - a stream
 * @id: its number
 * @lost: records of it that were lost
 * @sequence: of its next record, those counted that were lost
 */
struct import_stream {
	uint64_t id;
	uint64_t lost;
	uint32_t sequence;
};

/**
 * struct hft_log_import - a log that is written
 * @store: where to
 * @evidence: of what its times are worth
 * @clock: that its stamps are of
 * @look: when to look at that clock again
 * @streams: those that were added
 * @nr_streams: how many
 * @sites: that have an id
 * @record: the one that is being made
 */
struct hft_log_import {
	struct hft_log_store *store;
	struct hft_log_evidence *evidence;
	struct hft_log_store_clock clock;
	uint64_t look;
	struct import_stream *streams;
	uint32_t nr_streams;
	uint32_t sites;
	uint8_t record[HFT_LOG_RECORD_MAX] __attribute__((aligned(8)));
};

static int import_start(struct hft_log_import *import, const char *dir,
			const struct hft_log_import_opts *opts)
{
	struct hft_log_store_origin origin = {
		.pid = (uint32_t)getpid(),
		.program = opts->program,
	};
	int err = log_make_uuid(origin.uuid);

	if (!err)
		err = log_clock_measure(&import->clock, hft_clock_is_tsc());
	if (err)
		return err;
	log_boot(origin.boot);
	origin.clock = import->clock;
	err = hft_log_evidence_open(&import->evidence, NULL);
	if (!err)
		err = hft_log_store_open(&import->store, dir, &origin, opts->store);
	if (err)
		return err;
	err = log_evidence_start(import->store, import->evidence);
	if (err)
		hft_log_store_close(import->store, LOG_CLOSE_NS);
	return err;
}

/**
 * hft_log_import_open() - begin a log of what others have recorded
 * @import: answered
 * @dir: its folder, which is made if there is none; what it has stays
 * @opts: NULL for the defaults
 *
 * Return: 0; -EBUSY: another one writes there; -EINVAL, -E2BIG: bad options; -EKEYREJECTED: the
 * seals of what is there are signed, and there is no &hft_log_store_opts.key_file; -ENOMEM,
 * -EACCES and what else files say.  Takes 20 ms and more.
 */
HFT_API int hft_log_import_open(struct hft_log_import **import, const char *dir,
				const struct hft_log_import_opts *opts)
{
	struct hft_log_import_opts own = {};
	struct hft_log_import *it;
	int err = hft_read_opts(&own, sizeof(own), opts);

	if (err)
		return err;
	if (!import || !dir || !*dir || own.flags)
		return hft_fail(EINVAL, own.flags ? "unknown flags" : "a log has a folder");
	it = calloc(1, sizeof(*it));
	if (!it)
		return hft_fail(ENOMEM, "a log");
	err = hft_clock_open(NULL);
	if (err)
		goto bad;
	err = import_start(it, dir, &own);
	if (!err) {
		*import = it;
		return 0;
	}
	hft_clock_close();
bad:
	hft_log_evidence_close(it->evidence);
	free(it);
	return err;
}

/**
 * hft_log_import_is_tsc() - what do its stamps have to be of?
 * @import: the log
 *
 * Return: 1: the TSC, 0: CLOCK_MONOTONIC, ns.
 */
HFT_API int hft_log_import_is_tsc(const struct hft_log_import *import)
{
	return !strcmp(import->clock.name, "tsc");
}

static struct import_stream *find_stream(const struct hft_log_import *import, uint64_t id)
{
	uint32_t i;

	for (i = 0; i < import->nr_streams; i++) {
		if (import->streams[i].id == id)
			return &import->streams[i];
	}
	return NULL;
}

static int no_stream(uint64_t id)
{
	return hft_fail(ENOENT, "stream %llu of a log", (unsigned long long)id);
}

/**
 * hft_log_import_stream() - add a stream
 * @import: the log
 * @stream: what there is to tell of it
 *
 * Return: 0, -EEXIST: there is one of this number, -EINVAL, -E2BIG, -ENOMEM.
 */
HFT_API int hft_log_import_stream(struct hft_log_import *import,
				  const struct hft_log_import_stream *stream)
{
	struct hft_log_import_stream own = {};
	struct hft_log_store_stream its = { .policy = "drop" };
	struct import_stream *streams;
	int err = hft_read_opts(&own, sizeof(own), stream);

	if (err)
		return err;
	if (!own.id || own.cpu < -1)
		return hft_fail(EINVAL, "a stream of a log has a number, and a CPU from -1 on");
	if (find_stream(import, own.id))
		return hft_fail(EEXIST, "stream %llu of a log", (unsigned long long)own.id);
	streams = reallocarray(import->streams, import->nr_streams + 1, sizeof(*streams));
	if (!streams)
		return hft_fail(ENOMEM, "a stream of a log");
	import->streams = streams;
	its.id = own.id;
	its.thread = own.thread;
	its.tid = own.tid;
	its.cpu = own.cpu;
	err = hft_log_store_stream_add(import->store, &its);
	if (!err)
		streams[import->nr_streams++] = (struct import_stream){ .id = own.id };
	return err;
}

/**
 * hft_log_import_site() - add what records may be of
 * @import: the log
 * @site: what there is to tell, all of which is copied; its id is answered
 *
 * Return: 0, -EINVAL: it lacks something, or is known, -EOVERFLOW: there are too many,
 * -ENOMEM.
 */
HFT_API int hft_log_import_site(struct hft_log_import *import, struct hft_log_site *site)
{
	struct hft_log_store_site its = {
		.id = (uint16_t)(HFT_LOG_SITE_FIRST + import->sites),
		.level = site->level,
		.line = site->line,
		.name = site->name,
		.subsystem = site->subsystem,
		.format = site->format,
		.file = site->file,
	};
	struct hft_log_store_field *fields;
	int nr, err;

	if (!site->types || !site->subsystem || !site->file || !site->name == !site->format ||
	    site->level >= HFT_LOG_LEVELS || site->id)
		return hft_fail(EINVAL, "what records of a log are of is not told in whole");
	if (import->sites > UINT16_MAX - HFT_LOG_SITE_FIRST)
		return hft_fail(EOVERFLOW, "a log has records of too many kinds");
	nr = log_fields_make(&fields, site->format, site->fields, site->types);
	if (nr < 0)
		return hft_fail(-nr, "fields of a log's records");
	its.nr_fields = (uint32_t)nr;
	its.fields = fields;
	err = hft_log_store_site_add(import->store, &its);
	log_fields_free(fields, (unsigned int)nr);
	if (err)
		return err;
	import->sites++;
	site->id = its.id;
	return 0;
}

/**
 * hft_log_import_write() - give a record to the log
 * @import: the log
 * @stream: number of its stream
 * @site: that was added
 * @stamp: when it was: see hft_log_import_is_tsc().  Readers take the records of a stream to
 *	be in the order of time
 * @arguments: those of @site, as hft/log_format.h has them: they are not looked at
 * @bytes: of these
 *
 * Return: 0.  It was not taken: -EAGAIN: the disk is slow; -ENOSPC, -EIO and others: it is in
 * trouble, and so it says until it is not: it may be tried again, after hft_log_import_poll().
 * -ENOENT: no such stream; -EMSGSIZE: it is longer than a record may be; -EBADMSG: @site
 * was not added.  Enters the kernel now and then; waits for the disk only
 * with %HFT_LOG_STORE_NO_URING.
 */
HFT_API int hft_log_import_write(struct hft_log_import *import, uint64_t stream,
				 const struct hft_log_site *site, uint64_t stamp,
				 const void *arguments, size_t bytes)
{
	struct import_stream *it = find_stream(import, stream);
	struct hft_log_record head = { .id = site->id, .stamp = stamp };
	size_t whole = (sizeof(head) + bytes + 7) / 8 * 8;
	int64_t took;

	if (!it)
		return no_stream(stream);
	if (bytes > HFT_LOG_RECORD_MAX - sizeof(head))
		return hft_fail(EMSGSIZE, "a record of %zu bytes of arguments", bytes);
	head.words = (uint16_t)(whole / 8);
	head.sequence = it->sequence;
	memset(import->record + whole - 8, 0, 8);	/* padding */
	memcpy(import->record, &head, sizeof(head));
	if (bytes)
		memcpy(import->record + sizeof(head), arguments, bytes);
	took = hft_log_store_append(import->store, stream, import->record, whole, it->lost);
	if (took < 0)
		return (int)took;
	it->sequence++;
	return 0;
}

/**
 * hft_log_import_lost() - tell the log that records of a stream were lost here
 * @import: the log
 * @stream: number of the stream
 * @records: so many
 * @first: stamp from which on that was
 * @last: up to which
 *
 * Return: as hft_log_import_write(); -EINVAL: they are none.
 */
HFT_API int hft_log_import_lost(struct hft_log_import *import, uint64_t stream, uint64_t records,
				uint64_t first, uint64_t last)
{
	struct import_stream *it = find_stream(import, stream);
	struct log_loss loss = {
		.head = { .id = HFT_LOG_ID_LOST, .words = LOG_LOST_WORDS, .stamp = last },
		.lost = records,
		.first = first,
		.last = last,
	};
	int64_t took;

	if (!it)
		return no_stream(stream);
	if (!records)
		return hft_fail(EINVAL, "a loss of no records");
	/* It has the number of the last one that was lost. */
	loss.head.sequence = it->sequence + (uint32_t)records - 1;
	took = hft_log_store_append(import->store, stream, &loss, sizeof(loss),
				    it->lost + records);
	if (took < 0)
		return (int)took;
	it->lost += records;
	it->sequence += (uint32_t)records;
	return 0;
}

/**
 * hft_log_import_poll() - do what is due: finish and begin writes, look at the clocks
 * @import: the log
 *
 * Return: when to call it again at the latest: CLOCK_MONOTONIC, ns.  Does not wait for the
 * disk.
 */
HFT_API uint64_t hft_log_import_poll(struct hft_log_import *import)
{
	uint64_t now = hft_log_monotonic();
	uint64_t next = hft_log_store_poll(import->store, now);

	log_clock_look(import->store, &import->clock, &import->look, now);
	log_evidence_look(import->store, import->evidence, &import->clock, now);
	return next;
}

/**
 * hft_log_import_close() - close it: all that was taken is in files, and the last chunk sealed
 * @import: is gone afterwards, whatever is returned; NULL: nothing happens
 *
 * Return: 0, -ETIMEDOUT, -ENOSPC, -EIO, ...: the disk did not take all of it for 10 s.
 */
HFT_API int hft_log_import_close(struct hft_log_import *import)
{
	int err;

	if (!import)
		return 0;
	err = hft_log_store_close(import->store, LOG_CLOSE_NS);
	hft_log_evidence_close(import->evidence);
	hft_clock_close();
	free(import->streams);
	free(import);
	return err;
}
