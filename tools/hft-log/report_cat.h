/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-log report cat: fields of the Consolidated Audit Trail's order events, as "CAT Reporting
 * Technical Specifications for Industry Members" 4.1.0 r15 has them.
 */
#ifndef HFT_LOG_REPORT_CAT_H
#define HFT_LOG_REPORT_CAT_H

#include "report.h"

#define CAT_SLOTS	64u
#define CAT_RECORD_MAX	8190u		/* bytes of a record */

enum cat_type {
	CAT_TEXT,
	CAT_ALNUM,
	CAT_CHOICE,
	CAT_BOOL,
	CAT_PRICE,			/* 10 digits before the point, 8 behind */
	CAT_QUANTITY,			/* 12 and 6 */
	CAT_WHOLE,			/* 12 and none */
	CAT_UNSIGNED,
	CAT_TIME,
	CAT_MEMBER,			/* CRD:IMID */
	CAT_TIF,			/* a name, or name=value */
	CAT_PAIRS,			/* of those, with a bar between them */
	CAT_LIST,			/* words, with a bar between them */
	CAT_GROUPS,			/* values with @ between them, with a bar between groups */
};

struct cat_record;

/**
 * struct cat_field - a field, in whichever event it is
 * @name: of it
 * @type: &enum cat_type
 * @most: characters, 0 where the type says
 * @words: that are allowed, of %CAT_CHOICE; parts of %CAT_GROUPS
 * @fill: writes its value; NULL: it comes by the event's field "more" alone
 * @key: for @fill
 * @number: for @fill
 */
struct cat_field {
	const char *name;
	enum cat_type type;
	size_t most;
	const char *words;
	void (*fill)(struct cat_record *record, const struct cat_field *field, struct text *to);
	const char *key;
	uint64_t number;
};

/**
 * struct cat_slot - the place of a field in an event
 * @field: NULL: the place is retired and stays empty
 * @required: in each such event
 */
struct cat_slot {
	const struct cat_field *field;
	bool required;
};

/**
 * struct cat_event - a type of event
 * @type: as CAT calls it
 * @name: of ours, of subsystem "trade"
 * @slots: in the order of CSV
 * @nr_slots: how many
 */
struct cat_event {
	const char *type;
	const char *name;
	struct cat_slot slots[CAT_SLOTS];
	unsigned int nr_slots;
};

/**
 * struct cat_record - what becomes a record
 * @report: that it is for
 * @view: the event
 * @event: its type
 * @values: of its slots, as CSV has them; "": none
 * @told: what is wrong with the value was told when it was made
 */
struct cat_record {
	struct report *report;
	const struct hft_log_view *view;
	const struct cat_event *event;
	char values[CAT_SLOTS][REPORT_VALUE];
	bool told[CAT_SLOTS];
};

/* report_cat_fields.c */
const struct cat_event *cat_event_find(const struct hft_log_view *view);
const struct cat_event *cat_event_number(unsigned int number);
const struct cat_field *cat_field_find(const char *name);
const char *cat_check(const struct cat_field *field, const char *text);
bool cat_pair_is_number(const char *name, size_t length);

/* report_cat_fill.c: bound to fields in report_cat_fields.c */
#define CAT_FILL(name) \
	void name(struct cat_record *record, const struct cat_field *field, struct text *to)

CAT_FILL(cat_constant);
CAT_FILL(cat_type_name);
CAT_FILL(cat_roeid);
CAT_FILL(cat_firm);
CAT_FILL(cat_account);
CAT_FILL(cat_venue);
CAT_FILL(cat_session);
CAT_FILL(cat_affiliate);
CAT_FILL(cat_symbol);
CAT_FILL(cat_string);
CAT_FILL(cat_limit);
CAT_FILL(cat_decimal);
CAT_FILL(cat_flag);
CAT_FILL(cat_name);
CAT_FILL(cat_event_time);
CAT_FILL(cat_entered);
CAT_FILL(cat_stamp);
CAT_FILL(cat_order_key);
CAT_FILL(cat_prior_key);
CAT_FILL(cat_trade_key);
CAT_FILL(cat_tif);
CAT_FILL(cat_handling);
CAT_FILL(cat_iso);
CAT_FILL(cat_rejected);
CAT_FILL(cat_sides);
CAT_FILL(cat_details);

/* report_cat_rules.c: what values of a record have to do with each other */
void cat_rules(struct cat_record *record);
const char *cat_value(const struct cat_record *record, const char *name);

#endif /* HFT_LOG_REPORT_CAT_H */
