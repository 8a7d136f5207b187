/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records on standard output, or in a file. */
#ifndef HFT_LOG_PRINT_H
#define HFT_LOG_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hft/log_read.h>

#define PRINT_OPTIONS \
	{ "json", no_argument, NULL, PRINT_JSON }, \
	{ "csv", no_argument, NULL, PRINT_CSV }, \
	{ "fields", required_argument, NULL, PRINT_FIELDS }, \
	{ "monotonic", no_argument, NULL, PRINT_MONOTONIC }, \
	{ "host", no_argument, NULL, PRINT_HOST }

#define PRINT_HELP \
	"  --json              an object of JSON a line\n" \
	"  --csv               a line of CSV each, with titles\n" \
	"  --fields NAMES      with --csv: columns of these fields, too\n" \
	"  --monotonic         text with times of CLOCK_MONOTONIC, s\n" \
	"  --host              text with the host and the process of each record\n"

enum {
	PRINT_JSON = 0x200,
	PRINT_CSV,
	PRINT_FIELDS,
	PRINT_MONOTONIC,
	PRINT_HOST,
	PRINT_END,
};

enum print_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

/* Rows that are to be written. */
struct print_text {
	char *bytes;
	size_t room, used;
};

struct pages;

struct print {
	enum print_format format;
	uint32_t flags;
	char *field_text;
	const char **fields;
	uint32_t nr_fields;
	struct print_text text;
	struct pages *pages;		/* NULL: one thread does it all */
	int fd;
};

void print_begin(struct print *print, int fd);
void print_end(struct print *print);

/* 0, or the exit status of what was told; a number that is no option of these is -1. */
int print_option(struct print *print, int option, const char *argument);

/* When all options are known: 0, or the exit status of what was told. */
int print_check(const struct print *print);

/* Then: so many threads make rows.  0, or -ENOMEM, which was told. */
int print_threads(struct print *print, unsigned int threads);

/* 0, or -errno, which was told. */
int print_head(struct print *print);
int print_view(struct print *print, const struct hft_log_view *view);
int print_flush(struct print *print);

/* For any thread: 0, or -errno.  The row of a record, or of titles: NULL, behind others. */
int print_row(const struct print *print, struct print_text *text,
	      const struct hft_log_view *view);
int print_write(const struct print *print, const struct print_text *text);

#endif /* HFT_LOG_PRINT_H */
