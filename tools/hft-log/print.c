// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/tool.h>

#include "hft-log.h"
#include "pages.h"
#include "print.h"

#define WRITE_BYTES	(256u << 10)
#define ROOM_LEAST	4096u

void print_begin(struct print *print, int fd)
{
	memset(print, 0, sizeof(*print));
	print->fd = fd;
}

void print_end(struct print *print)
{
	pages_free(print->pages);
	free(print->text.bytes);
	free(print->fields);
	free(print->field_text);
}

int print_threads(struct print *print, unsigned int threads)
{
	if (threads < 2)
		return 0;
	print->pages = pages_new(print, threads);
	return print->pages ? 0 : fail(ENOMEM, "output");
}

static int set_fields(struct print *print, const char *names)
{
	size_t count = 1;
	char *rest;

	free(print->field_text);
	free(print->fields);
	print->fields = NULL;
	print->nr_fields = 0;
	print->field_text = strdup(names);
	for (; *names; names++)
		count += *names == ',';
	if (print->field_text)
		print->fields = calloc(count, sizeof(*print->fields));
	if (!print->fields) {
		fail(ENOMEM, "options");
		return STATUS_USAGE;
	}
	for (rest = trim_list(print->field_text); rest; )
		print->fields[print->nr_fields++] = strsep(&rest, ",");
	return 0;
}

static int set_format(struct print *print, enum print_format format)
{
	if (print->format != FORMAT_TEXT && print->format != format)
		return wrong_usage("--json or --csv?");
	print->format = format;
	return 0;
}

int print_check(const struct print *print)
{
	if (print->nr_fields && print->format != FORMAT_CSV)
		return wrong_usage("--fields is for --csv");
	return 0;
}

int print_option(struct print *print, int option, const char *argument)
{
	switch (option) {
	case PRINT_JSON:
		return set_format(print, FORMAT_JSON);
	case PRINT_CSV:
		return set_format(print, FORMAT_CSV);
	case PRINT_FIELDS:
		return set_fields(print, argument);
	case PRINT_MONOTONIC:
		print->flags |= HFT_LOG_VIEW_MONOTONIC;
		return 0;
	case PRINT_HOST:
		print->flags |= HFT_LOG_VIEW_HOST;
		return 0;
	default:
		return -1;
	}
}

int print_write(const struct print *print, const struct print_text *text)
{
	size_t done = 0;
	ssize_t ret;

	while (done < text->used) {
		ret = write(print->fd, text->bytes + done, text->used - done);
		if (ret < 0 && errno != EINTR)
			return -errno;
		done += ret > 0 ? (size_t)ret : 0;
	}
	return 0;
}

static size_t make_row(const struct print *print, const struct hft_log_view *view, char *text,
		       size_t size)
{
	switch (print->format) {
	case FORMAT_JSON:
		return hft_log_view_json(view, text, size);
	case FORMAT_CSV:
		return view ? hft_log_view_csv(view, print->fields, print->nr_fields, text, size) :
			      hft_log_view_csv_head(print->fields, print->nr_fields, text, size);
	default:
		return hft_log_view_line(view, print->flags, text, size);
	}
}

static int grow(struct print_text *text, size_t room)
{
	char *bytes;

	if (room < 2 * text->room)
		room = 2 * text->room;
	if (room < ROOM_LEAST)
		room = ROOM_LEAST;
	bytes = realloc(text->bytes, room);
	if (!bytes)
		return -ENOMEM;
	text->bytes = bytes;
	text->room = room;
	return 0;
}

int print_row(const struct print *print, struct print_text *text,
	      const struct hft_log_view *view)
{
	size_t left, size;
	int err;

	for (;;) {
		left = text->room - text->used;
		size = make_row(print, view, left ? text->bytes + text->used : NULL, left);
		if (size < left)
			break;
		err = grow(text, text->used + size + 1);
		if (err)
			return err;
	}
	text->used += size;
	/* The NUL had room there. */
	text->bytes[text->used++] = '\n';
	return 0;
}

static int tell(int err)
{
	return err ? fail(-err, "output") : 0;
}

static int write_text(struct print *print)
{
	int err = print_write(print, &print->text);

	print->text.used = 0;
	return err;
}

/* Nothing else is written before the titles. */
int print_head(struct print *print)
{
	int err = 0;

	if (print->format == FORMAT_CSV)
		err = print_row(print, &print->text, NULL);
	if (!err && print->pages)
		err = write_text(print);
	return tell(err);
}

int print_view(struct print *print, const struct hft_log_view *view)
{
	int err;

	if (print->pages)
		return tell(pages_add(print->pages, view));
	err = print_row(print, &print->text, view);
	if (!err && print->text.used >= WRITE_BYTES)
		err = write_text(print);
	return tell(err);
}

int print_flush(struct print *print)
{
	return tell(print->pages ? pages_flush(print->pages) : write_text(print));
}
