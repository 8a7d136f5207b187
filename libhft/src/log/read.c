// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The reader: inputs in a binary heap by the time of their next record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../api.h"
#include "../options.h"
#include "read.h"

void hft_read_notice(struct hft_log_reader *reader, uint32_t kind, const char *path,
		     uint64_t offset, const struct hft_read_stream *stream, const char *text)
{
	struct hft_log_notice notice = {
		.kind = kind,
		.path = path,
		.offset = offset,
		.stream = stream ? &stream->view : NULL,
		.text = text,
	};

	if (reader->opts.notice)
		reader->opts.notice(reader->opts.context, &notice);
}

/* Records of one time are in the order of their streams, so that it is the same each time. */
static inline bool hft_before(const struct hft_read_input *a, const struct hft_read_input *b)
{
	if (a->view.time != b->view.time)
		return a->view.time < b->view.time;
	if (a->folder != b->folder)
		return a->folder < b->folder;
	return a->id < b->id;
}

static void hft_sift_down(struct hft_log_reader *reader, uint32_t place)
{
	struct hft_read_input **heap = reader->heap, *input = heap[place];
	uint32_t child;

	while ((child = 2 * place + 1) < reader->nr_heap) {
		if (child + 1 < reader->nr_heap && hft_before(heap[child + 1], heap[child]))
			child++;
		if (!hft_before(heap[child], input))
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = input;
}

static void hft_push(struct hft_log_reader *reader, struct hft_read_input *input)
{
	struct hft_read_input **heap = reader->heap;
	uint32_t place = reader->nr_heap++, parent;

	for (; place; place = parent) {
		parent = (place - 1) / 2;
		if (!hft_before(input, heap[parent]))
			break;
		heap[place] = heap[parent];
	}
	heap[place] = input;
	input->waiting = false;
}

static void hft_pop(struct hft_log_reader *reader)
{
	reader->heap[0]->waiting = true;
	reader->heap[0] = reader->heap[--reader->nr_heap];
	if (reader->nr_heap)
		hft_sift_down(reader, 0);
}

/*
 * Go on to the next record of the input at the top, which then need not be there.  Without
 * memory it stays, for another try.
 */
static int hft_advance(struct hft_log_reader *reader)
{
	int ret = hft_read_input_next(reader->heap[0]);

	if (ret < 0)
		return ret;
	if (ret > 0)
		hft_sift_down(reader, 0);
	else
		hft_pop(reader);
	return 0;
}

/* Streams that ended, or are new, may have records now. */
static int hft_look_again(struct hft_log_reader *reader)
{
	struct hft_read_input *input;
	uint32_t i;
	int ret;

	for (i = 0; i < reader->nr_inputs; i++) {
		input = reader->inputs[i];
		if (!input->waiting)
			continue;
		if (input->started && input->chunk)
			hft_read_file_resize(&input->file);
		ret = input->started ? hft_read_input_next(input) : hft_read_input_first(input);
		if (ret < 0)
			return ret;
		if (ret)
			hft_push(reader, input);
	}
	return 0;
}

/*
 * Has another folder given the record at the top, or one behind it?  A stream's records are in
 * the order of their numbers, also where many folders have some of them each: parts of one log.
 */
static bool hft_is_again(const struct hft_read_input *top)
{
	struct hft_read_source *source = top->source;

	if (source->last && source->last != top->folder &&
	    (int32_t)(top->view.sequence - source->sequence) <= 0)
		return true;
	source->last = top->folder;
	source->sequence = top->view.sequence;
	return false;
}

static int hft_fail_again(const struct hft_read_input *top)
{
	const struct hft_read_source *source = top->source;

	return hft_fail(EEXIST, "%s and %s both have record %u of stream %llu of the log %s",
			source->last->path, top->folder->path, top->view.sequence,
			(unsigned long long)source->id, source->uuid);
}

/* A copy, or a whole log that was merged, is refused before there is any output. */
static int hft_check_begins(struct hft_log_reader *reader)
{
	const struct hft_read_input *input;
	struct hft_read_source *source;
	uint32_t i;

	for (i = 0; i < reader->nr_inputs; i++) {
		input = reader->inputs[i];
		source = input->source;
		if (!source || !source->shared)
			continue;
		if (input->folder == source->first)
			source->begin = input->view.time;
		else if (source->begin && source->begin == input->view.time)
			return hft_fail(EEXIST, "%s and %s both begin with the same of stream %llu of the log %s",
					source->first->path, input->folder->path,
					(unsigned long long)source->id, source->uuid);
	}
	return 0;
}

static int hft_open_folders(struct hft_log_reader *reader, const char *const *paths)
{
	unsigned int i;
	int err;

	for (i = 0; i < reader->nr_folders; i++) {
		err = hft_read_folder_open(reader, &reader->folders[i], paths[i]);
		if (err)
			return err;
	}
	err = hft_read_boots_scan(reader);
	if (!err)
		err = hft_look_again(reader);
	return err ? err : hft_check_begins(reader);
}

/**
 * hft_log_reader_open() - read logs
 * @reader: answered
 * @paths: folders of logs, of chunks, or files of streams within chunks
 * @nr_paths: number of @paths, 1 at least
 * @opts: what to read, or NULL for all; what it points to has to stay until the reader is
 *	closed
 *
 * With %HFT_LOG_READ_FOLLOW a log may have no chunk yet.
 *
 * Return: 0, -EINVAL for options out of range, -E2BIG for options of a newer library, -ENOENT
 * for a path that is not there or a folder that has no chunk, -EBADMSG for a file that is no
 * stream, -EEXIST for paths that begin with the same records of the same log, -ENOMEM, or why a
 * folder can not be read.
 */
HFT_API int hft_log_reader_open(struct hft_log_reader **reader, const char *const *paths,
				unsigned int nr_paths, const struct hft_log_reader_opts *opts)
{
	struct hft_log_reader *new;
	int err;

	if (!nr_paths)
		return hft_fail(EINVAL, "there is no log to read");
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	err = hft_read_opts(&new->opts, sizeof(new->opts), opts);
	if (!err && new->opts.flags & ~HFT_LOG_READ_FOLLOW)
		err = hft_fail(EINVAL, "unknown flags 0x%x", new->opts.flags);
	if (!err) {
		new->folders = calloc(nr_paths, sizeof(*new->folders));
		err = new->folders ? 0 : -ENOMEM;
	}
	if (!err) {
		new->nr_folders = nr_paths;
		hft_read_filter_begin(new);
		err = hft_open_folders(new, paths);
	}
	if (err)
		hft_log_reader_close(new);
	else
		*reader = new;
	return err;
}

/**
 * hft_log_reader_close() - free a reader
 * @reader: the one; NULL: nothing happens
 */
HFT_API void hft_log_reader_close(struct hft_log_reader *reader)
{
	unsigned int i;

	if (!reader)
		return;
	for (i = 0; i < reader->nr_inputs; i++)
		hft_read_input_free(reader->inputs[i]);
	for (i = 0; i < reader->nr_folders; i++)
		hft_read_folder_close(&reader->folders[i]);
	hft_read_names_free(reader);
	hft_read_boots_free(reader);
	free(reader->inputs);
	free(reader->heap);
	free(reader->folders);
	free(reader);
}

/**
 * hft_log_reader_next() - the next record, in the order of time
 * @reader: the one
 * @view: answered; valid until the next call on the reader
 *
 * A stream whose stamps go back is in its own order, and the merge of it with others as near
 * to that of time as it can be.
 *
 * Return: 1, 0 if there is none, which may change after hft_log_reader_refresh(), -ENOMEM:
 * another call goes on where this one had to stop, or -EEXIST: another path of the reader has
 * had the same record of the same stream of the same log, as a copy, a chunk of it or what it was
 * merged into has; there is no going on.
 */
HFT_API int hft_log_reader_next(struct hft_log_reader *reader, const struct hft_log_view **view)
{
	struct hft_read_input *top;
	int err;

	while (reader->nr_heap) {
		top = reader->heap[0];
		if (top->started && top != reader->last) {
			if (top->source && top->source->shared && hft_is_again(top))
				return hft_fail_again(top);
			reader->last = top;
			*view = &top->view;
			return 1;
		}
		err = hft_advance(reader);
		if (err)
			return err;
		top->started = true;
		reader->last = NULL;
	}
	return 0;
}

/**
 * hft_log_reader_refresh() - see what was written since
 * @reader: one with %HFT_LOG_READ_FOLLOW, whose hft_log_reader_next() returned 0
 *
 * It looks for new chunks and streams, and for what streams grew by.  Does not wait.  A record
 * that comes now may be older than one that was read before.
 *
 * Return: 0, -EINVAL for a reader that does not follow, -EBUSY while there are records to be
 * read, -ENOMEM, or why a folder can not be read.
 */
HFT_API int hft_log_reader_refresh(struct hft_log_reader *reader)
{
	unsigned int i;
	int err = 0;

	if (!(reader->opts.flags & HFT_LOG_READ_FOLLOW))
		return hft_fail(EINVAL, "the reader does not follow");
	if (reader->nr_heap)
		return hft_fail(EBUSY, "there are records to be read");
	for (i = 0; !err && i < reader->nr_folders; i++) {
		err = hft_read_folder_scan(reader, &reader->folders[i]);
		hft_read_folder_let_go(&reader->folders[i]);
	}
	if (!err)
		err = hft_read_boots_scan(reader);
	return err ? err : hft_look_again(reader);
}

/**
 * hft_log_reader_progress() - how far a reader is
 * @reader: the one
 * @progress: answered, as far as its sz, which the caller sets
 *
 * Return: 0, or -EINVAL for a size that is none.
 */
HFT_API int hft_log_reader_progress(const struct hft_log_reader *reader,
				    struct hft_log_reader_progress *progress)
{
	int err = hft_check_answer(progress);

	if (!err)
		hft_answer(progress, &reader->progress, sizeof(reader->progress));
	return err;
}
