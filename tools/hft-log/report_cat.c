// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report cat: order events of the Consolidated Audit Trail, as JSON or CSV. */
#include <errno.h>
#include <string.h>

#include <common/tool.h>
#include "report_cat.h"

#define RECORD	(CAT_RECORD_MAX + 2)

static void fill(struct cat_record *record)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		const struct cat_field *field = record->event->slots[i].field;
		uint64_t begun = record->report->problems;
		struct text to;

		text_begin(&to, record->values[i], REPORT_VALUE);
		if (field->fill)
			field->fill(record, field, &to);
		if (to.full)
			report_problem(record->report, record->view, field->name, "is too long");
		record->told[i] = record->report->problems != begun;
	}
}

/* What a program may not say of itself: how CAT names and finds the record. */
static bool is_ours(const struct cat_field *field)
{
	static const char *const names[] = { "actionType", "errorROEID", "firmROEID", "type",
		"CATReporterIMID", "eventTimestamp", "orderID", "tradeID" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], field->name))
			return true;
	}
	return false;
}

static int slot_of(const struct cat_record *record, const char *name)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		const struct cat_field *field = record->event->slots[i].field;

		if (!strcmp(field->name, name))
			return is_ours(field) || !strcmp(name, "retiredFieldPosition") ||
			       !strcmp(name, "reservedForFutureUse") ? -1 : (int)i;
	}
	return -1;
}

/* The event's "more": name=value, with a semicolon between them. */
static void fill_more(struct cat_record *record)
{
	const char *more = event_text(record->view, "more");
	char text[REPORT_VALUE], *rest = text, *pair, *value;
	int slot;

	if (!more)
		return;
	if (strlen(more) >= REPORT_VALUE - 1) {
		report_problem(record->report, record->view, "more", "was too long for the log");
		return;
	}
	strcpy(text, more);
	while ((pair = strsep(&rest, ";"))) {
		value = strchr(pair, '=');
		if (value)
			*value++ = '\0';
		slot = value ? slot_of(record, pair) : -1;
		if (slot < 0 || !*value)
			report_problem(record->report, record->view, "more",
				       "has \"%.80s\", which is no field to be given to %s", pair,
				       record->event->type);
		else
			snprintf(record->values[slot], REPORT_VALUE, "%s", value);
	}
}

static void check(struct cat_record *record)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		const struct cat_slot *slot = &record->event->slots[i];
		const char *value = record->values[i], *reason = NULL;

		if (record->told[i])
			continue;
		if (!*value && slot->required)
			reason = "is missing";
		else if (*value)
			reason = cat_check(slot->field, value);
		if (reason)
			report_problem(record->report, record->view, slot->field->name,
				       *value ? "is \"%2$.80s\": %1$s" : "%1$s", reason, value);
	}
}

/* A name alone is true. */
static void json_pair(struct text *to, const char *pair, size_t length)
{
	const char *value = memchr(pair, '=', length);
	char text[REPORT_VALUE];

	if (!value) {
		text_add(to, "\"%.*s\":true", (int)length, pair);
		return;
	}
	text_add(to, "\"%.*s\":", (int)(value - pair), pair);
	snprintf(text, sizeof(text), "%.*s", (int)(length - (size_t)(value + 1 - pair)), value + 1);
	if (cat_pair_is_number(pair, (size_t)(value - pair)))
		text_add(to, "%s", text);
	else
		text_json(to, text);
}

static void json_pairs(struct text *to, const char *text)
{
	const char *comma = "";

	text_add(to, "{");
	while (*text) {
		size_t length = strcspn(text, "|");

		text_add(to, "%s", comma);
		json_pair(to, text, length);
		text += length + (text[length] == '|');
		comma = ",";
	}
	text_add(to, "}");
}

static void json_list(struct text *to, const char *text)
{
	const char *comma = "";
	char word[REPORT_VALUE];

	text_add(to, "[");
	while (*text) {
		size_t length = strcspn(text, "|");

		snprintf(word, sizeof(word), "%.*s", (int)length, text);
		text_add(to, "%s", comma);
		text_json(to, word);
		text += length + (text[length] == '|');
		comma = ",";
	}
	text_add(to, "]");
}

static void json_value(struct text *to, const struct cat_field *field, const char *text);

static void json_group(struct text *to, const char *names, const char *group, size_t length)
{
	const char *end = group + length, *comma = "";
	char name[64], value[REPORT_VALUE];

	text_add(to, "{");
	while (*names && group <= end) {
		size_t size = strcspn(names, " "), part = strcspn(group, "@|");
		bool required = names[size - 1] == '!';

		snprintf(name, sizeof(name), "%.*s", (int)(size - required), names);
		snprintf(value, sizeof(value), "%.*s", (int)part, group);
		if (*value) {
			text_add(to, "%s\"%s\":", comma, name);
			json_value(to, cat_field_find(name), value);
			comma = ",";
		}
		names += size + (names[size] == ' ');
		group += part + 1;
	}
	text_add(to, "}");
}

static void json_groups(struct text *to, const char *names, const char *text)
{
	const char *comma = "";

	text_add(to, "[");
	while (*text) {
		size_t length = strcspn(text, "|");

		text_add(to, "%s", comma);
		json_group(to, names, text, length);
		text += length + (text[length] == '|');
		comma = ",";
	}
	text_add(to, "]");
}

static void json_value(struct text *to, const struct cat_field *field, const char *text)
{
	switch (field->type) {
	case CAT_BOOL:
	case CAT_PRICE:
	case CAT_QUANTITY:
	case CAT_WHOLE:
	case CAT_UNSIGNED:
		text_add(to, "%s", text);
		break;
	case CAT_TIF:
	case CAT_PAIRS:
		json_pairs(to, text);
		break;
	case CAT_LIST:
		json_list(to, text);
		break;
	case CAT_GROUPS:
		json_groups(to, field->words, text);
		break;
	default:
		text_json(to, text);
	}
}

static void write_json(const struct cat_record *record, struct text *to)
{
	const char *comma = "{";
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++) {
		const struct cat_field *field = record->event->slots[i].field;

		if (!*record->values[i])
			continue;
		text_add(to, "%s\"%s\":", comma, field->name);
		json_value(to, field, record->values[i]);
		comma = ",";
	}
	text_add(to, "}");
}

/* No value has a comma or a quotation mark: check() has seen to that. */
static void write_csv(const struct cat_record *record, struct text *to)
{
	unsigned int i;

	for (i = 0; i < record->event->nr_slots; i++)
		text_add(to, "%s%s", i ? "," : "", record->values[i]);
}

static int cat_add(struct report *r, const struct hft_log_view *e)
{
	static struct cat_record record;
	uint64_t begun = r->problems;
	char buffer[RECORD];
	struct text to;

	record.event = cat_event_find(e);
	if (!record.event || (r->date && r->date != eastern_date(event_time(e))))
		return 0;
	record.report = r;
	record.view = e;
	fill(&record);
	fill_more(&record);
	check(&record);
	if (r->problems == begun)
		cat_rules(&record);
	if (r->problems != begun)
		return 0;
	text_begin(&to, buffer, sizeof(buffer));
	if (r->csv)
		write_csv(&record, &to);
	else
		write_json(&record, &to);
	if (to.full || to.at - buffer > (ptrdiff_t)CAT_RECORD_MAX) {
		report_problem(r, e, NULL, "the record is longer than %u bytes", CAT_RECORD_MAX);
		return 0;
	}
	r->records++;
	return file_put(r, buffer, (size_t)(to.at - buffer));
}

/* SUBMITTER_IMID_DATE[_GROUP]_OrderEvents_NUMBER.FORMAT */
static int cat_file(const struct report *r, uint32_t number, char *name, size_t size)
{
	const char *group = firm_text(r, NULL, NULL, "group");
	int nr;

	if (number > 999999)
		return fail(EFBIG, "more than 999999 files of a day: raise --records");
	nr = snprintf(name, size, "%s_%s_%08u%s%s_OrderEvents_%06u.%s",
		      firm_text(r, NULL, NULL, "submitterID"),
		      firm_text(r, NULL, NULL, "CATReporterIMID"), r->file_date,
		      group ? "_" : "", group ? group : "", number, r->csv ? "csv" : "json");
	return nr < 0 || (size_t)nr >= size ? fail(ENAMETOOLONG, "the name of a file") : 0;
}

/* A line for each event: its type, and its fields in the order of CSV. */
static int cat_fields(void)
{
	const struct cat_event *event;
	unsigned int i, number;

	for (number = 0; (event = cat_event_number(number)); number++) {
		printf("%s", event->type);
		for (i = 0; i < event->nr_slots; i++)
			printf(" %s", event->slots[i].field->name);
		putchar('\n');
	}
	return 0;
}

const struct report_view report_cat = {
	.name = "cat",
	.subsystems = "trade,control",
	.needs = "submitterID CATReporterIMID",
	.file = cat_file,
	.fields = cat_fields,
	.add = cat_add,
};
