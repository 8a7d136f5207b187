// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/tool.h>

#include "hft-log.h"
#include "print.h"

#define BUFFER	(256u << 10)

int print_begin(struct print *print, int fd)
{
	memset(print, 0, sizeof(*print));
	print->fd = fd;
	print->room = BUFFER;
	print->buffer = malloc(BUFFER);
	return print->buffer ? 0 : fail(ENOMEM, "output");
}

void print_end(struct print *print)
{
	free(print->buffer);
	free(print->fields);
	free(print->field_text);
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
	for (rest = print->field_text; rest; )
		print->fields[print->nr_fields++] = strsep(&rest, ",");
	return 0;
}

int print_option(struct print *print, int option, const char *argument)
{
	switch (option) {
	case PRINT_JSON:
		print->format = FORMAT_JSON;
		return 0;
	case PRINT_CSV:
		print->format = FORMAT_CSV;
		return 0;
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

int print_flush(struct print *print)
{
	size_t done = 0;
	ssize_t ret;

	while (done < print->used) {
		ret = write(print->fd, print->buffer + done, print->used - done);
		if (ret < 0 && errno != EINTR) {
			print->used = 0;
			return fail(errno, "output");
		}
		done += ret > 0 ? (size_t)ret : 0;
	}
	print->used = 0;
	return 0;
}

static size_t make_row(struct print *print, const struct hft_log_view *view, char *text,
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

static int grow(struct print *print, size_t room)
{
	char *buffer = realloc(print->buffer, room);

	if (!buffer)
		return fail(ENOMEM, "a record of %zu bytes", room);
	print->buffer = buffer;
	print->room = room;
	return 0;
}

/* NULL: the titles. */
static int print_row(struct print *print, const struct hft_log_view *view)
{
	size_t left, size;
	int err;

	for (;;) {
		left = print->room - print->used;
		size = make_row(print, view, print->buffer + print->used, left);
		if (size < left)
			break;
		err = print->used ? print_flush(print) : grow(print, size + 1);
		if (err)
			return err;
	}
	print->used += size;
	/* The NUL had room there. */
	print->buffer[print->used++] = '\n';
	return 0;
}

int print_head(struct print *print)
{
	return print->format == FORMAT_CSV ? print_row(print, NULL) : 0;
}

int print_view(struct print *print, const struct hft_log_view *view)
{
	return print_row(print, view);
}
