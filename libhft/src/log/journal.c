// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <jansson.h>
#include <hft/log_read.h>
#include <hft/log_ring.h>

#include "../options.h"
#include "journal.h"
#include "store_internal.h"

/* Half a line would spoil the next one, whose call is answered 0: it is taken back. */
static int write_line(int fd, const struct log_text *text)
{
	struct stat before;
	ssize_t size;
	int err;

	if (fstat(fd, &before))
		return hft_fail(errno, "the file of sites beside the rings");
	size = write(fd, text->at, text->bytes);
	if (size == (ssize_t)text->bytes)
		return 0;
	err = size < 0 ? errno : ENOSPC;
	if (size > 0 && ftruncate(fd, before.st_size))
		err = errno;
	return hft_fail(err, "write a site beside the rings");
}

int log_journal_add(int fd, const struct hft_log_store_site *site)
{
	struct log_text text = { .fd = -1 };
	int err = hft_store_sites_site(&text, site);

	if (!err)
		err = write_line(fd, &text);
	hft_store_text_close(&text);
	return err;
}

static bool read_fields(const json_t *list, struct hft_log_store_field *fields)
{
	const json_t *item;
	const char *type;
	size_t i;

	json_array_foreach(list, i, item) {
		fields[i].name = json_string_value(json_object_get(item, "name"));
		type = json_string_value(json_object_get(item, "type"));
		if (!fields[i].name || !type)
			return false;
		fields[i].type = (enum hft_log_type)*type;
	}
	return true;
}

/* An empty text stands for none. */
static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text && *text ? text : NULL;
}

struct visit {
	int (*fn)(void *arg, const struct hft_log_store_site *site);
	void *arg;
};

static int visit_site(const struct visit *visit, const json_t *json)
{
	const json_t *list = json_object_get(json, "fields");
	const char *level = text_of(json, "level");
	json_int_t id = json_integer_value(json_object_get(json, "id"));
	struct hft_log_store_site site = {
		.id = (uint16_t)id,
		.level = (uint8_t)(level ? hft_log_level_parse(level) : 0),
		.lane = json_is_true(json_object_get(json, "audit")) ? HFT_LOG_AUDIT : HFT_LOG_PLAIN,
		.line = (uint32_t)json_integer_value(json_object_get(json, "line")),
		.nr_fields = (uint32_t)json_array_size(list),
		.name = text_of(json, "name"),
		.subsystem = json_string_value(json_object_get(json, "subsystem")),
		.format = json_string_value(json_object_get(json, "format")),
		.file = json_string_value(json_object_get(json, "file")),
	};
	struct hft_log_store_field *fields = calloc(site.nr_fields + 1, sizeof(*fields));
	int err = 0;

	if (!fields)
		return hft_fail(ENOMEM, "a site");
	site.fields = fields;
	if (id >= HFT_LOG_SITE_FIRST && id <= UINT16_MAX && read_fields(list, fields) &&
	    site.subsystem && site.format && site.file)
		err = visit->fn(visit->arg, &site);
	free(fields);
	return err;
}

static int visit_line(const struct visit *visit, const char *line)
{
	json_t *json = json_loads(line, 0, NULL);
	int err;

	if (!json)
		return 0;
	err = visit_site(visit, json_object_get(json, "site"));
	json_decref(json);
	return err;
}

int log_journal_read(int dir_fd, int (*fn)(void *arg, const struct hft_log_store_site *site),
		     void *arg)
{
	const struct visit visit = { fn, arg };
	int fd = openat(dir_fd, LOG_JOURNAL, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = 0;
	char *line = NULL;
	size_t room = 0;
	FILE *file;

	if (fd < 0)
		return hft_fail(errno, "the sites of what is in rings");
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return hft_fail(ENOMEM, "the sites of what is in rings");
	}
	while (!err && getline(&line, &room, file) > 0)
		err = visit_line(&visit, line);
	free(line);
	fclose(file);
	return err;
}
