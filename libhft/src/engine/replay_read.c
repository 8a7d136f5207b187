// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read the record of a handle out of a log.  Nothing in it is believed before it is checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/log_read.h>

#include "internal.h"
#include "replay.h"

/**
 * struct source - a log that is read
 * @recording: what comes of it
 * @capacity: of its records
 * @handles: names of those that there are, in the order of their first records
 * @nr_handles: how many
 * @wanted: the one, from 1 on
 * @damage: the first that the reader has told of, or ""
 */
struct source {
	struct hft_recording *recording;
	size_t capacity;
	uint64_t *handles;
	uint32_t nr_handles;
	uint32_t wanted;
	char damage[512];
};

/*
 * What the words of a record can be, by kind, or it is none of ours: t a time, u of 64 bits,
 * 4 2 1 of so many bytes, s of 4 with a sign.
 */
static const char *const ranges[HFT_RECORD_KINDS] = {
	[HFT_RECORD_OPEN]	= "ttt4u",
	[HFT_RECORD_RING]	= "t4444444u44",
	[HFT_RECORD_RING_CLOSE]	= "t4",
	[HFT_RECORD_SUBMIT]	= "ttuuuu441114uuu4",
	[HFT_RECORD_CANCEL]	= "ttu",
	[HFT_RECORD_MODIFY]	= "ttu44uuu",
	[HFT_RECORD_HALT]	= "tt44",
	[HFT_RECORD_DISPATCH]	= "t4uuuuuus211",
	[HFT_RECORD_NOTICE]	= "t4uuuuuus211",
	[HFT_RECORD_ADVANCE]	= "tt4uus4",
	[HFT_RECORD_CLOSE]	= "t",
	[HFT_RECORD_ARRIVE]	= "ttuu",
	[HFT_RECORD_POLICY]	= "tt44",
	[HFT_RECORD_LOOK]	= "t4",
	[HFT_RECORD_LEAD]	= "tt44u4",
	[HFT_RECORD_RULE]	= "tt444444444444uuuuu4",
	[HFT_RECORD_CLOCK]	= "tttt",
	[HFT_RECORD_HOLD]	= "tt44",
	[HFT_RECORD_CPU]	= "tt44",
	[HFT_RECORD_SUBMIT_NOW]	= "tt4uutu411uu",
	[HFT_RECORD_DROP]	= "t4u",
	[HFT_RECORD_IMMEDIATE]	= "tt4uutu1u",
	[HFT_RECORD_AHEAD]	= "tt4uutu1u",
	[HFT_RECORD_DONE]	= "t4u",
};

static bool is_in_range(uint64_t word, char range)
{
	switch (range) {
	case 't':
		return word <= HFT_TIME_MAX;
	case '4':
		return word <= UINT32_MAX;
	case '2':
		return word <= UINT16_MAX;
	case '1':
		return word <= UINT8_MAX;
	case 's':
		return (int64_t)word >= INT32_MIN && (int64_t)word <= INT32_MAX;
	default:
		return true;
	}
}

/* The name of the first word that can not be, or NULL. */
static const char *find_out_of_range(const struct hft_record *record)
{
	const char *range = ranges[record->kind];
	const char *name = hft_record_sites[record->kind].fields;
	uint32_t i;

	for (i = 0; i < HFT_RECORD_PREFIX; i++)
		name = strchr(name, ',') + 1;
	for (i = 0; i < record->nr && range[i]; i++) {
		if (!is_in_range(record->words[i], range[i]))
			return name;
		name = strchr(name, ',') + 1;
	}
	return NULL;
}

static int bad(const struct hft_recording *recording, uint64_t order, const char *what)
{
	return hft_fail(EBADMSG, "%s: record %llu: %s", recording->path,
			(unsigned long long)order, what);
}

/* What is torn was never said to be there. */
static void take_notice(void *context, const struct hft_log_notice *notice)
{
	struct source *source = context;

	if (notice->kind == HFT_LOG_NOTICE_TORN || *source->damage)
		return;
	snprintf(source->damage, sizeof(source->damage), "%s: %s at offset %llu",
		 notice->path ? notice->path : source->recording->path, notice->text,
		 (unsigned long long)notice->offset);
}

/* Of those that were added since the oldest version that is read. */
static uint32_t fields_added(uint32_t kind)
{
	return kind == HFT_RECORD_RING ? 1 : 0;
}

/* Does a place of the log have the fields that it has here, or had? */
static bool has_shape(const struct hft_log_view_site *site, uint32_t kind)
{
	const struct hft_log_site *ours = &hft_record_sites[kind];
	size_t nr = strlen(ours->types);
	const char *name = ours->fields;
	uint32_t i;

	if (site->nr_fields != nr && site->nr_fields != nr - fields_added(kind))
		return false;
	for (i = 0; i < site->nr_fields; i++) {
		size_t length = strcspn(name, ",");

		if (site->fields[i].type != (uint8_t)ours->types[i] ||
		    strlen(site->fields[i].name) != length ||
		    memcmp(site->fields[i].name, name, length))
			return false;
		name += length + 1;
	}
	return true;
}

/* The kind of a record; HFT_RECORD_KINDS: it is none. */
static uint32_t kind_of(const struct hft_log_view_site *site)
{
	uint32_t kind;

	for (kind = 0; kind < HFT_RECORD_KINDS; kind++) {
		const struct hft_log_site *ours = &hft_record_sites[kind];

		if (!strcmp(site->name, ours->name) && !strcmp(site->subsystem, ours->subsystem))
			return kind;
	}
	return kind;
}

/* The number of a handle, from 1 on, or -ENOMEM. */
static int find_handle(struct source *source, uint64_t handle)
{
	uint64_t *more;
	uint32_t i;

	for (i = source->nr_handles; i; i--) {
		if (source->handles[i - 1] == handle)
			return (int)i;
	}
	more = reallocarray(source->handles, source->nr_handles + 1, sizeof(*more));
	if (!more)
		return hft_fail(ENOMEM, "%u handles", source->nr_handles);
	source->handles = more;
	more[source->nr_handles++] = handle;
	return (int)source->nr_handles;
}

static struct hft_record *add_record(struct source *source)
{
	struct hft_recording *recording = source->recording;
	size_t wanted = source->capacity ? 2 * source->capacity : 1024;
	struct hft_record *records;

	if (recording->nr == source->capacity) {
		records = reallocarray(recording->records, wanted, sizeof(*records));
		if (!records)
			return NULL;
		recording->records = records;
		source->capacity = wanted;
	}
	return &recording->records[recording->nr++];
}

static int take_record(struct source *source, const struct hft_log_view *view, uint32_t kind)
{
	struct hft_recording *recording = source->recording;
	struct hft_record *record = add_record(source);
	const char *name;
	uint32_t i;

	if (!record)
		return hft_fail(ENOMEM, "%zu records", recording->nr);
	*record = (struct hft_record){ .kind = kind, .nr = hft_record_words(kind),
				       .order = view->values[1].u };
	for (i = 0; i < record->nr && HFT_RECORD_PREFIX + i < view->site->nr_fields; i++)
		record->words[i] = view->values[HFT_RECORD_PREFIX + i].u;
	/* Which ring the fallback is was not recorded. */
	if (kind == HFT_RECORD_RING && i < record->nr)
		record->words[7] &= ~(uint64_t)HFT_RING_FALLBACK;
	recording->handle = view->values[0].u;
	if (kind == HFT_RECORD_OPEN)
		snprintf(recording->backend, sizeof(recording->backend), "%s",
			 view->values[HFT_RECORD_PREFIX + record->nr].s);
	name = find_out_of_range(record);
	return name ? hft_fail(EBADMSG, "%s: record %llu: %.*s is out of range", recording->path,
			       (unsigned long long)record->order, (int)strcspn(name, ","), name) :
		      0;
}

static int take_view(struct source *source, const struct hft_log_view *view)
{
	uint32_t kind = kind_of(view->site);
	int handle;

	if (kind == HFT_RECORD_KINDS)
		return 0;
	if (!has_shape(view->site, kind))
		return hft_fail(EBADMSG, "%s: %s:%s is of another version of the library",
				source->recording->path, view->site->subsystem, view->site->name);
	handle = find_handle(source, view->values[0].u);
	if (handle < 0)
		return handle;
	return (uint32_t)handle == source->wanted ? take_record(source, view, kind) : 0;
}

static int read_views(struct source *source)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "record,decision",
		 .notice = take_notice, .context = source);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret = hft_log_reader_open(&reader, &source->recording->path, 1, &opts);

	if (ret)
		return ret;
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		ret = take_view(source, view);
		if (ret)
			break;
	}
	hft_log_reader_close(reader);
	if (!ret && *source->damage)
		ret = hft_fail(EBADMSG, "%s", source->damage);
	return ret;
}

static int compare_orders(const void *left, const void *right)
{
	const struct hft_record *a = left, *b = right;

	return a->order < b->order ? -1 : a->order > b->order;
}

/*
 * Threads write each to a ring of their own: of a process that was killed, what one of them
 * has recorded may be missing, and is the end of what can be replayed.
 */
static int check_order(struct source *source)
{
	struct hft_recording *recording = source->recording;
	struct hft_record *records = recording->records;
	struct hft_record *last;
	size_t i;

	qsort(records, recording->nr, sizeof(*records), compare_orders);
	if (records[0].order || records[0].kind != HFT_RECORD_OPEN)
		return bad(recording, 0, "the first is missing, of opening");
	if (records[0].words[4] < HFT_RECORD_OLDEST || records[0].words[4] > HFT_RECORD_VERSION)
		return bad(recording, 0, "it is of another version of the library");
	for (i = 1; i < recording->nr && records[i].order == i; i++) {
		if (records[i].kind == HFT_RECORD_OPEN)
			return bad(recording, i, "opened twice");
		if (records[i - 1].kind == HFT_RECORD_CLOSE)
			return bad(recording, i, "something is behind the last");
	}
	recording->complete = records[recording->nr - 1].kind == HFT_RECORD_CLOSE;
	if (i < recording->nr && (recording->complete || records[i].order < i))
		return bad(recording, i, records[i].order < i ? "it is there twice" :
			   "it is missing: lost, or in a chunk that was removed");
	recording->nr = i;
	if (recording->complete)
		return 0;
	last = add_record(source);
	if (!last)
		return hft_fail(ENOMEM, "%zu records", recording->nr);
	*last = (struct hft_record){ .kind = HFT_RECORD_CLOSE, .order = i };
	return 0;
}

/*
 * Read the record of the handle number @handle, from 1 on.  Returns 0, -EBADMSG when it is
 * damaged or makes no sense, -ENOENT: there is none, or why it can not be read.
 */
int hft_recording_read(const char *path, uint32_t handle, struct hft_recording *recording)
{
	struct source source = { .recording = recording, .wanted = handle };
	int err;

	*recording = (struct hft_recording){ .path = path };
	err = read_views(&source);
	recording->handles = source.nr_handles;
	if (!err && !recording->nr)
		err = hft_fail(ENOENT, "%s has the records of %u handles, and not number %u", path,
			       source.nr_handles, handle);
	if (!err)
		err = check_order(&source);
	free(source.handles);
	if (err)
		hft_recording_free(recording);
	return err;
}

void hft_recording_free(struct hft_recording *recording)
{
	free(recording->records);
	recording->records = NULL;
}
