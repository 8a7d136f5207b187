/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-log report: what its views share.
 *
 * A report reads a log twice.  The first time it learns what a record needs from others:
 * when an order got its id, which routes were rejected.  The second time it makes the records,
 * checks each, and writes them to files that have no name.  They get their names when all is
 * well; if one value is missing or wrong, no file appears.
 *
 * All values are text from the event on, as the files will have them, so that a number is
 * never rounded.
 */
#ifndef HFT_LOG_REPORT_H
#define HFT_LOG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include <hft/log_read.h>
#include <hft/log_trade.h>

#define REPORT_VALUE	1024u		/* most bytes of a value, its NUL included */
#define REPORT_PROBLEMS	100u		/* that are printed */

struct report_file;
struct report_index;

struct report {
	const struct report_view *make;
	json_t *config;			/* NULL: none */
	json_t *firm;			/* in @config; NULL: none */
	const char *firm_id;
	uint32_t date;			/* YYYYMMDD; 0: all */
	uint32_t file_date;
	uint32_t file_number;		/* of the first file */
	uint64_t per_file;		/* records */
	bool csv;
	bool all;			/* of controls: what they let pass, too */
	const char *output;		/* folder; NULL: standard output */
	struct report_index *index;
	struct report_file *file;
	uint64_t records;
	uint64_t problems;
	uint64_t now;			/* UTC, ns: no event is later */
};

/**
 * struct report_view - one of the reports
 * @name: on the command line
 * @subsystems: of the events that it is made of
 * @needs: keys of the firm that it can not do without; NULL: it needs no configuration
 * @file: writes the name of a file
 * @header: writes the first line of CSV; NULL: there is none
 * @fields: prints the fields of its records
 * @add: makes the record of an event, if it is one of the view's
 */
struct report_view {
	const char *name;
	const char *subsystems;
	const char *needs;
	int (*file)(const struct report *r, uint32_t number, char *name, size_t size);
	int (*header)(struct report *r);
	int (*fields)(void);
	int (*add)(struct report *r, const struct hft_log_view *e);
};

extern const struct report_view report_cat, report_rts24, report_control;

/* report_event.c */
void report_problem(struct report *r, const struct hft_log_view *e, const char *field,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
bool event_is(const struct hft_log_view *e, const char *subsystem, const char *name);
const char *event_text(const struct hft_log_view *e, const char *name);
uint64_t event_number(const struct hft_log_view *e, const char *name);
bool event_decimal(const struct hft_log_view *e, const char *name, unsigned int places,
		   char *text, size_t size);
uint64_t event_time(const struct hft_log_view *e);

/* report_index.c */
struct report_index *index_new(void);
void index_again(struct report_index *index);
void index_free(struct report_index *index);
int index_add(struct report_index *index, const struct hft_log_view *e);
bool index_order(const struct report_index *index, const char *symbol, const char *order,
		 uint64_t *key);
bool index_rejected(const struct report_index *index, const struct hft_log_view *e);

/* report_value.c: the reason why @text is none, or NULL */
const char *check_text(const char *text, size_t most);
const char *check_alnum(const char *text, size_t least, size_t most);
const char *check_digits(const char *text, size_t most);
const char *check_decimal(const char *text, size_t before, size_t behind);
const char *check_word(const char *text, const char *words);
const char *check_date(const char *text);
const char *check_eastern(const char *text);
const char *check_isin(const char *text);
const char *check_lei(const char *text);
const char *check_mic(const char *text);
const char *check_currency(const char *text);
const char *check_person(const char *text);
bool decimal(int64_t number, unsigned int places, char *text, size_t size);
bool eastern(uint64_t ns, char *text, size_t size);
uint32_t eastern_date(uint64_t ns);
void utc(uint64_t ns, char *text, size_t size);
uint32_t utc_date(uint64_t ns);

/* report_firm.c */
int firm_load(struct report *r, const char *path, const char *id);
const char *firm_text(const struct report *r, const char *group, const char *item,
		      const char *key);

/* report_file.c: -errno after the reason was printed */
int file_open(struct report *r);
int file_write(struct report *r, const char *text, size_t size);
int file_put(struct report *r, const char *text, size_t size);
int file_finish(struct report *r);
void file_drop(struct report *r);

/* report_text.c: text into a buffer that does not grow */
struct text {
	char *at, *end;
	bool full;
};

void text_begin(struct text *t, char *buffer, size_t size);
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_json(struct text *t, const char *string);
void text_csv(struct text *t, const char *string);

#endif /* HFT_LOG_REPORT_H */
