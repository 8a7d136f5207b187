// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Formats and pages are read by libtraceevent.  Numbers stay what they are; arrays become text:
 * of characters as it is, of others in hex, with a comma between two elements.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <traceevent/event-parse.h>
#include <traceevent/kbuffer.h>

#include <common/tool.h>
#include <hft/log.h>

#include "kernel_event.h"

/* The commit of a page: its bytes, as libtraceevent takes them, and a number is behind them. */
#define COMMIT_MASK	((1u << 27) - 1)
#define MISSED_STORED	(1u << 30)
#define PAGE_HEAD	16u		/* the time and the commit */

/* An event: a site, and its fields in the order of the site's. */
struct kernel_event {
	struct hft_log_site site;
	struct tep_format_field **fields;
	uint32_t nr_fields;
};

/**
 * struct kernel_events - those that are known
 * @tep: who reads formats
 * @pages: who reads pages
 * @by_id: events by the number that records begin with
 * @nr_ids: how many there is room for
 * @record: the arguments of the record that is being made, behind room for its head
 * @room: bytes of it
 */
struct kernel_events {
	struct tep_handle *tep;
	struct kbuffer *pages;
	struct kernel_event **by_id;
	uint32_t nr_ids;
	char *record;
	size_t room;
};

/* Fields of the module's events that are what the log has a type for. */
static const struct {
	const char *name;
	const char *shown;
	char type;
} known_fields[] = {
	{ "id", "task", HFT_LOG_TASK },
	{ "task_class", "class", HFT_LOG_CLASS },
};

struct kernel_events *kernel_events_new(void)
{
	struct kernel_events *events = calloc(1, sizeof(*events));

	if (events) {
		events->tep = tep_alloc();
		events->pages = kbuffer_alloc(KBUFFER_LSIZE_SAME_AS_HOST,
					      KBUFFER_ENDIAN_SAME_AS_HOST);
	}
	if (!events || !events->tep || !events->pages) {
		fail(ENOMEM, "the kernel's events");
		kernel_events_free(events);
		return NULL;
	}
	tep_set_loglevel(TEP_LOG_NONE);
	return events;
}

static void free_event(struct kernel_event *event)
{
	if (!event)
		return;
	free((char *)event->site.name);
	free((char *)event->site.fields);
	free((char *)event->site.types);
	free((char *)event->site.file);
	free(event->fields);
	free(event);
}

void kernel_events_free(struct kernel_events *events)
{
	uint32_t i;

	if (!events)
		return;
	for (i = 0; i < events->nr_ids; i++)
		free_event(events->by_id[i]);
	free(events->by_id);
	free(events->record);
	kbuffer_free(events->pages);
	tep_free(events->tep);
	free(events);
}

static bool is_number(const struct tep_format_field *field)
{
	return !(field->flags & (TEP_FIELD_IS_ARRAY | TEP_FIELD_IS_DYNAMIC)) &&
	       (field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8);
}

static char type_of(const struct tep_format_field *field)
{
	if (!is_number(field))
		return HFT_LOG_STRING;
	if (field->flags & TEP_FIELD_IS_POINTER)
		return HFT_LOG_POINTER;
	return field->flags & TEP_FIELD_IS_SIGNED ? HFT_LOG_I64 : HFT_LOG_U64;
}

/* Answers its name in the log. */
static const char *name_field(const struct tep_format_field *field, bool is_ours, char *type)
{
	size_t i;

	*type = type_of(field);
	for (i = 0; is_ours && i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
		if (strcmp(field->name, known_fields[i].name) || !is_number(field))
			continue;
		*type = known_fields[i].type;
		return known_fields[i].shown;
	}
	return field->name;
}

/* The event's own, and who ran then. */
static int take_fields(struct kernel_event *event, struct tep_event *tep)
{
	struct tep_format_field *field;
	uint32_t nr = (uint32_t)tep->format.nr_fields;

	event->fields = calloc(nr + 1u, sizeof(*event->fields));
	if (!event->fields)
		return -ENOMEM;
	for (field = tep->format.fields; field && event->nr_fields < nr; field = field->next)
		event->fields[event->nr_fields++] = field;
	field = tep_find_common_field(tep, "common_pid");
	if (field)
		event->fields[event->nr_fields++] = field;
	return 0;
}

static int name_fields(struct kernel_event *event, bool is_ours)
{
	char *types = calloc(event->nr_fields + 1u, 1), *names = NULL;
	size_t size;
	FILE *to = open_memstream(&names, &size);
	uint32_t i;

	event->site.types = types;
	for (i = 0; types && to && i < event->nr_fields; i++)
		fprintf(to, "%s,", name_field(event->fields[i], is_ours, &types[i]));
	if (to && fclose(to)) {
		free(names);
		names = NULL;
	}
	event->site.fields = names;
	return types && names ? 0 : -ENOMEM;
}

static int make_event(struct kernel_event *event, struct tep_event *tep)
{
	char *name, *file;

	if (asprintf(&name, "%s:%s", tep->system, tep->name) < 0)
		return -ENOMEM;
	event->site.name = name;
	if (asprintf(&file, "events/%s/%s", tep->system, tep->name) < 0)
		return -ENOMEM;
	event->site.file = file;
	event->site.subsystem = "kernel";
	event->site.level = HFT_LOG_DEBUG;
	return take_fields(event, tep) || name_fields(event, !strcmp(tep->system, "hft")) ?
		-ENOMEM : 0;
}

/* A text has %HFT_LOG_TEXT_MAX bytes, its NUL and what aligns the number behind it. */
static int make_room(struct kernel_events *events, const struct kernel_event *event, uint32_t id)
{
	size_t room = sizeof(struct hft_log_record) + event->nr_fields * (HFT_LOG_TEXT_MAX + 9u);
	struct kernel_event **by_id;
	char *record;

	if (room > events->room) {
		record = realloc(events->record, room);
		if (!record)
			return -ENOMEM;
		events->record = record;
		events->room = room;
	}
	if (id < events->nr_ids)
		return 0;
	by_id = reallocarray(events->by_id, id + 1u, sizeof(*by_id));
	if (!by_id)
		return -ENOMEM;
	memset(by_id + events->nr_ids, 0, (id + 1u - events->nr_ids) * sizeof(*by_id));
	events->by_id = by_id;
	events->nr_ids = id + 1u;
	return 0;
}

static int add_event(struct kernel_events *events, struct tep_event *tep,
		     struct hft_log_site **site)
{
	struct kernel_event *event = aligned_alloc(_Alignof(struct kernel_event), sizeof(*event));
	int err = -ENOMEM;

	if (event) {
		memset(event, 0, sizeof(*event));
		err = make_event(event, tep);
	}
	if (!err)
		err = make_room(events, event, (uint32_t)tep->id);
	if (err) {
		free_event(event);
		return fail(ENOMEM, "the kernel's event %s:%s", tep->system, tep->name);
	}
	events->by_id[tep->id] = event;
	*site = &event->site;
	return 0;
}

int kernel_events_add(struct kernel_events *events, const char *system, const char *name,
		      const char *format, size_t size, struct hft_log_site **site)
{
	struct tep_event *tep;

	/* That it can not be printed as the kernel would is no matter here. */
	tep_parse_event(events->tep, format, size, system);
	tep = tep_find_event_by_name(events->tep, system, name);
	if (!tep || tep->id < 0 || tep->id > UINT16_MAX)
		return fail(EBADMSG, "the format of the kernel's event %s:%s", system, name);
	if ((uint32_t)tep->id < events->nr_ids && events->by_id[tep->id]) {
		*site = &events->by_id[tep->id]->site;
		return 0;
	}
	return add_event(events, tep, site);
}

const struct hft_log_site *
kernel_events_find(const struct kernel_events *events,
		   bool (*is_it)(void *arg, const struct hft_log_site *site), void *arg)
{
	uint32_t i;

	for (i = 0; i < events->nr_ids; i++) {
		if (events->by_id[i] && is_it(arg, &events->by_id[i]->site))
			return &events->by_id[i]->site;
	}
	return NULL;
}

/* An event's bytes. */
struct kernel_data {
	const char *at;
	size_t size;
};

static struct kernel_data part(const struct kernel_data *data, size_t offset, size_t size)
{
	struct kernel_data none = { "", 0 }, it = { data->at + offset, size };

	return offset <= data->size && size <= data->size - offset ? it : none;
}

static struct kernel_data field_data(const struct kernel_data *data,
				     const struct tep_format_field *field)
{
	struct kernel_data it = part(data, (size_t)field->offset, (size_t)field->size);
	size_t offset = 0;
	uint32_t where;

	if (!(field->flags & TEP_FIELD_IS_DYNAMIC) || it.size < sizeof(where))
		return it;
	memcpy(&where, it.at, sizeof(where));
	if (field->flags & TEP_FIELD_IS_RELATIVE)
		offset = (size_t)field->offset + (size_t)field->size;
	return part(data, offset + (where & 0xffff), where >> 16);
}

static uint64_t number_of(const struct kernel_data *data, bool is_signed)
{
	uint64_t number = 0;
	unsigned int rest = 64 - 8 * (unsigned int)data->size;

	if (!data->size)
		return 0;
	memcpy(&number, data->at, data->size);
	return is_signed ? (uint64_t)((int64_t)(number << rest) >> rest) : number;
}

/* As hft_log_of_string(): what is longer than a string may be is cut, and ends in "...". */
static struct hft_log_arg text_of(const struct kernel_data *data, char *text)
{
	struct hft_log_arg arg = { .text = text, .length = strnlen(data->at, data->size) };

	if (arg.length > HFT_LOG_TEXT_MAX) {
		arg.length = HFT_LOG_TEXT_MAX;
		arg.number = 1;
	}
	memcpy(text, data->at, arg.length);
	return arg;
}

static struct hft_log_arg hex_of(const struct kernel_data *data, size_t element, char *text)
{
	struct hft_log_arg arg = { .text = text };
	struct kernel_data it;
	size_t at;

	if (element != 2 && element != 4 && element != 8)
		element = 1;
	for (at = 0; at + element <= data->size && arg.length + 22 <= HFT_LOG_TEXT_MAX;
	     at += element) {
		it = part(data, at, element);
		arg.length += (size_t)sprintf(text + arg.length, "%s0x%llx", at ? "," : "",
					      (unsigned long long)number_of(&it, false));
	}
	if (at + element <= data->size)
		arg.length += (size_t)sprintf(text + arg.length, "...");
	return arg;
}

static size_t put_field(char *record, size_t bytes, const struct kernel_data *data,
			const struct tep_format_field *field)
{
	struct kernel_data it = field_data(data, field);
	char text[HFT_LOG_TEXT_MAX + 1];
	struct hft_log_arg arg;

	if (is_number(field))
		arg = hft_log_of_u64(number_of(&it, field->flags & TEP_FIELD_IS_SIGNED));
	else if (field->flags & TEP_FIELD_IS_STRING && strstr(field->type, "char"))
		arg = text_of(&it, text);
	else
		arg = hex_of(&it, field->elementsize, text);
	return hft_log_put(record, bytes, arg);
}

/* Of an event that nobody has asked for there is nothing. */
static int take_event(struct kernel_events *events, const struct kernel_data *data, uint64_t stamp,
		      const struct kernel_sink *sink)
{
	size_t bytes = sizeof(struct hft_log_record);
	struct kernel_event *event = NULL;
	uint16_t id;
	uint32_t i;

	if (data->size < sizeof(id))
		return 0;
	memcpy(&id, data->at, sizeof(id));	/* common_type */
	if (id < events->nr_ids)
		event = events->by_id[id];
	if (!event)
		return 0;
	for (i = 0; i < event->nr_fields; i++)
		bytes = put_field(events->record, bytes, data, event->fields[i]);
	return sink->record(sink->arg, &event->site, stamp,
			    events->record + sizeof(struct hft_log_record),
			    bytes - sizeof(struct hft_log_record));
}

/* Answers where its events end; NULL: it is none. */
static const char *end_of_page(const char *page, size_t size)
{
	uint64_t commit, bytes, missed;

	if (size < PAGE_HEAD)
		return NULL;
	memcpy(&commit, page + 8, sizeof(commit));
	bytes = commit & COMMIT_MASK;
	missed = commit & MISSED_STORED ? sizeof(uint64_t) : 0;
	return bytes + missed <= size - PAGE_HEAD ? page + PAGE_HEAD + bytes : NULL;
}

int kernel_events_page(struct kernel_events *events, void *page, size_t size,
		       const struct kernel_sink *sink)
{
	unsigned long long stamp;
	const char *end = end_of_page(page, size);
	struct kernel_data data;
	int err = 0, missed;

	if (!end || kbuffer_load_subbuffer(events->pages, page))
		return fail(EBADMSG, "a page of the kernel's events");
	missed = kbuffer_missed_events(events->pages);
	data.at = kbuffer_read_event(events->pages, &stamp);
	if (missed && data.at)
		err = sink->lost(sink->arg, missed, stamp);
	while (!err && data.at) {
		data.size = (size_t)kbuffer_event_size(events->pages);
		if (data.at > end || data.size > (size_t)(end - data.at))
			return fail(EBADMSG, "a page of the kernel's events that ends within one");
		err = take_event(events, &data, stamp, sink);
		data.at = kbuffer_next_event(events->pages, &stamp);
	}
	return err;
}
