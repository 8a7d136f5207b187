// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a chunk has, written once more after a sync of it failed. */
#include <errno.h>
#include <unistd.h>

#include "../options.h"
#include "again.h"
#include "store_internal.h"

/* The index has the packets of a stream in their order. */
static int packets_again(struct hft_log_again *again, const struct log_file *file,
			 const struct log_text *text, bool *lost)
{
	const struct hft_log_index *index = (const void *)text->at;
	size_t nr = text->bytes / sizeof(*index), i;
	uint64_t packet = 0;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		if (index[i].stream != file->stream->is.id)
			continue;
		if (packet >= file->synced)
			err = hft_log_again_packet(again, index[i].offset, index[i].bytes,
						   file->chain.hashes[packet]);
		*lost |= err == -EBADMSG;
		err = err == -EBADMSG ? 0 : err;
		packet++;
	}
	return err;
}

static int file_again(struct hft_log_again *again, const struct log_chunk *chunk,
		      const struct log_file *file, bool *lost)
{
	int err = hft_log_again_begin(again, chunk->fd, file->name);

	if (err)
		return err;
	err = packets_again(again, file, &chunk->texts[LOG_INDEX], lost);
	return hft_log_again_end(again, file->name, err);
}

static int texts_again(struct log_chunk *chunk)
{
	int i, err;

	for (i = 0; i < LOG_TEXTS; i++)
		chunk->texts[i].written = 0;
	err = hft_store_chunk_write_texts(chunk);
	for (i = 0; i < LOG_TEXTS && !err; i++)
		if (fsync(chunk->texts[i].fd))
			err = hft_fail(errno, "synchronising a log's metadata");
	return err;
}

/*
 * Of a chunk that is closed and all written.  Returns 0: all of it is on the disk; -EBADMSG:
 * all but packets that can not be read any more as they were; or an error: not yet.
 */
int hft_store_chunk_again(struct log_chunk *chunk)
{
	struct hft_log_again again;
	struct log_file *file;
	bool lost = false;
	int err = hft_log_again_open(&again);

	if (err)
		return err;
	for (file = chunk->files; file && !err; file = file->next)
		err = file_again(&again, chunk, file, &lost);
	if (!err)
		err = texts_again(chunk);
	hft_log_again_close(&again);
	if (!err && lost)
		err = hft_fail(EBADMSG, "packets are not what was written");
	return err;
}
