// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logs of one machine since it was booted: their stamps are of the same counter, and each chunk
 * has its own line from that to the time, as it was measured when the chunk was opened.  By two
 * lines records of two logs would be set against each other by what the measurements are off,
 * some microseconds, and what came of an event would be shown before it.  So where there are
 * many logs the lines are those of all of them, and each stamp goes by the same one whatever
 * log it is of: by the last that was measured before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "read.h"

#define HFT_NS_PER_S	1000000000ll
#define HFT_SAME_NS	50000		/* lines of two logs not further apart say the same */
#define HFT_LINE_MAX	65536u		/* bytes of what a chunk says first */

/* A line from stamps to times, from a stamp on */
struct hft_read_line {
	uint64_t since;
	uint64_t freq;
	__int128 offset;
	int64_t monotonic;
	const struct hft_read_folder *folder;
};

/* @name: which boot of which machine, and the clock */
struct hft_read_boot {
	struct hft_read_boot *next;
	char name[64];
	struct hft_read_line *lines;	/* by @since */
	uint32_t nr_lines;
};

/* False: it does not say. */
static bool hft_boot_name(const json_t *log, char name[64])
{
	const char *boot = json_string_value(json_object_get(log, "boot"));
	const char *clock = json_string_value(json_object_get(json_object_get(log, "clock"),
							      "name"));

	return boot && *boot && clock && snprintf(name, 64, "%s %s", boot, clock) < 64;
}

/* NULL: there is none. */
struct hft_read_boot *hft_read_boot_find(struct hft_log_reader *reader, const json_t *log)
{
	struct hft_read_boot *boot;
	char name[64];

	if (!hft_boot_name(log, name))
		return NULL;
	for (boot = reader->boots; boot; boot = boot->next) {
		if (!strcmp(boot->name, name))
			return boot;
	}
	return NULL;
}

static struct hft_read_boot *hft_get_boot(struct hft_log_reader *reader, const json_t *log)
{
	struct hft_read_boot *boot = hft_read_boot_find(reader, log);

	if (boot)
		return boot;
	boot = calloc(1, sizeof(*boot));
	if (!boot)
		return NULL;
	hft_boot_name(log, boot->name);
	boot->next = reader->boots;
	reader->boots = boot;
	return boot;
}

/* How many of them begin at @stamp or before. */
static uint32_t hft_lines_until(const struct hft_read_boot *boot, uint64_t stamp)
{
	uint32_t low = 0, high = boot->nr_lines, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (boot->lines[middle].since <= stamp)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static __int128 hft_line_time(const struct hft_read_line *line, uint64_t stamp)
{
	return (line->offset + stamp) * HFT_NS_PER_S / (__int128)line->freq;
}

/* A log that measures anew says that it was off; another one's measurement may not. */
static bool hft_is_needed(const struct hft_read_boot *boot, const struct hft_read_line *line)
{
	uint32_t place = hft_lines_until(boot, line->since);
	const struct hft_read_line *now;
	__int128 off;

	if (!boot->nr_lines)
		return true;
	now = &boot->lines[place ? place - 1 : 0];
	if (now->folder == line->folder)
		return now->offset != line->offset || now->freq != line->freq;
	off = hft_line_time(now, line->since) - hft_line_time(line, line->since);
	return off > HFT_SAME_NS || off < -HFT_SAME_NS;
}

static int hft_add_line(struct hft_read_boot *boot, const struct hft_read_line *line)
{
	struct hft_read_line *lines;
	uint32_t place;

	if (!hft_is_needed(boot, line))
		return 0;
	lines = reallocarray(boot->lines, boot->nr_lines + 1, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	boot->lines = lines;
	place = hft_lines_until(boot, line->since);
	memmove(lines + place + 1, lines + place, (boot->nr_lines - place) * sizeof(*lines));
	lines[place] = *line;
	boot->nr_lines++;
	return 0;
}

static int hft_add_log(struct hft_log_reader *reader, const struct hft_read_folder *folder,
		       const json_t *log)
{
	const json_t *clock = json_object_get(log, "clock");
	const struct hft_read_line line = {
		.since = (uint64_t)json_integer_value(json_object_get(log, "since")),
		.freq = (uint64_t)json_integer_value(json_object_get(clock, "freq")),
		.monotonic = json_integer_value(json_object_get(clock, "monotonic_at_0")),
		.folder = folder,
	};
	struct hft_read_clock read;
	struct hft_read_line its = line;
	struct hft_read_boot *boot;
	char name[64];

	if (!hft_boot_name(log, name) ||
	    hft_read_clock_set(&read, line.freq,
			       json_integer_value(json_object_get(clock, "offset_s")),
			       json_integer_value(json_object_get(clock, "offset")),
			       line.monotonic))
		return 0;
	its.offset = read.offset;
	boot = hft_get_boot(reader, log);
	return boot ? hft_add_line(boot, &its) : -ENOMEM;
}

/* The first line of a chunk's sites; what is wrong with it is told when it is read. */
static int hft_add_chunk(struct hft_log_reader *reader, const struct hft_read_folder *folder,
			 struct hft_read_chunk *chunk, char *text)
{
	int fd = hft_read_open_below(chunk->path, "hft/sites"), err = 0;
	ssize_t got = fd < 0 ? -1 : pread(fd, text, HFT_LINE_MAX, 0);
	const char *end = got > 0 ? memchr(text, '\n', (size_t)got) : NULL;
	json_t *object;

	if (fd >= 0)
		close(fd);
	object = end ? json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL) : NULL;
	chunk->has_line = object;
	if (object)
		err = hft_add_log(reader, folder, json_object_get(object, "log"));
	json_decref(object);
	return err;
}

/* Lines of all chunks that are new since the last time; of one folder none are needed. */
int hft_read_boots_scan(struct hft_log_reader *reader)
{
	char *text = reader->nr_folders > 1 ? malloc(HFT_LINE_MAX) : NULL;
	struct hft_read_folder *folder;
	unsigned int i;
	uint32_t j;
	int err = 0;

	if (reader->nr_folders < 2)
		return 0;
	if (!text)
		return -ENOMEM;
	for (i = 0; !err && i < reader->nr_folders; i++) {
		folder = &reader->folders[i];
		for (j = 0; !err && j < folder->nr_chunks; j++) {
			if (!folder->chunks[j]->has_line)
				err = hft_add_chunk(reader, folder, folder->chunks[j], text);
		}
	}
	free(text);
	return err;
}

/* Go by the line of @stamp, until *@until; from *@from on that is. */
void hft_read_boot_line(const struct hft_read_boot *boot, struct hft_read_clock *clock,
			uint64_t stamp, uint64_t *from, uint64_t *until)
{
	uint32_t place = hft_lines_until(boot, stamp);
	const struct hft_read_line *line;

	*from = place > 1 ? boot->lines[place - 1].since : 0;
	place = place ? place : 1;
	line = &boot->lines[place - 1];
	*until = place < boot->nr_lines ? boot->lines[place].since : UINT64_MAX;
	clock->freq = line->freq;
	clock->offset = line->offset;
	clock->monotonic = line->monotonic;
}

void hft_read_boots_free(struct hft_log_reader *reader)
{
	struct hft_read_boot *boot;

	while ((boot = reader->boots)) {
		reader->boots = boot->next;
		free(boot->lines);
		free(boot);
	}
}
