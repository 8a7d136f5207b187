// SPDX-License-Identifier: LGPL-2.1-or-later
/* Call sites: copied, as the object that has them may be unloaded before the log is closed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"
#include "store_internal.h"

int hft_store_site_check(const struct hft_log_store_site *is)
{
	uint32_t i;

	if (is->level > 5 || !is->subsystem || !is->file || (!is->name && !is->format) ||
	    (is->nr_fields && !is->fields))
		return hft_fail(EINVAL, "call site %u is not described", is->id);
	for (i = 0; i < is->nr_fields; i++)
		if (!is->fields[i].name || !is->fields[i].type ||
		    !strchr("uidpstcyn", (char)is->fields[i].type))
			return hft_fail(EINVAL, "field %u of call site %u", i, is->id);
	return 0;
}

static char *copy(const char *text, char **at)
{
	char *to = *at;

	if (!text)
		return NULL;
	*at = stpcpy(to, text) + 1;
	return to;
}

static size_t length(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* One piece of memory: the site, its fields, their types, all texts. */
static struct log_site *copy_site(const struct hft_log_store_site *is)
{
	size_t bytes = sizeof(struct log_site) + is->nr_fields * sizeof(*is->fields);
	size_t texts = is->nr_fields + length(is->name) + length(is->subsystem) +
		length(is->format) + length(is->file);
	struct hft_log_store_field *fields;
	struct log_site *site;
	char *at;
	uint32_t i;

	for (i = 0; i < is->nr_fields; i++)
		texts += length(is->fields[i].name);
	site = calloc(1, bytes + texts);
	if (!site)
		return NULL;
	site->is = *is;
	fields = (struct hft_log_store_field *)(site + 1);
	site->is.fields = fields;
	site->types = (char *)(fields + is->nr_fields);
	at = site->types + is->nr_fields;
	for (i = 0; i < is->nr_fields; i++) {
		fields[i].type = is->fields[i].type;
		fields[i].name = copy(is->fields[i].name, &at);
		site->types[i] = (char)fields[i].type;
		if (strchr("tcy", site->types[i]))
			site->tagged = i + 1;
	}
	site->is.name = copy(is->name, &at);
	site->is.subsystem = copy(is->subsystem, &at);
	site->is.format = copy(is->format, &at);
	site->is.file = copy(is->file, &at);
	return site;
}

static int make_room(struct hft_log_store *store)
{
	uint32_t room = store->sites_room ? 2 * store->sites_room : 64;
	uint16_t *more;

	if (store->nr_sites < store->sites_room)
		return 0;
	more = realloc(store->site_order, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	store->site_order = more;
	store->sites_room = room;
	return 0;
}

/* The open chunk describes it from now on, and so will all that follow. */
int hft_log_store_site_add(struct hft_log_store *store, const struct hft_log_store_site *is)
{
	struct log_site *site;
	int err = hft_store_site_check(is);

	if (err)
		return err;
	if (store->kinds[is->id])
		return hft_fail(EEXIST, "call site %u", is->id);
	site = make_room(store) ? NULL : copy_site(is);
	if (!site)
		return hft_fail(ENOMEM, "call site %u", is->id);
	err = store->chunk ? hft_store_chunk_site(store->chunk, &site->is) : 0;
	if (err) {
		free(site);
		return err;
	}
	store->site_order[store->nr_sites++] = is->id;
	store->sites[is->id] = site;
	store->kinds[is->id] = (uint8_t)(is->level | LOG_KNOWN_SITE |
					 (site->tagged ? LOG_TAGGED_SITE : 0));
	return 0;
}

void hft_store_sites_free(struct hft_log_store *store)
{
	uint32_t i;

	for (i = 0; i < store->nr_sites; i++)
		free(store->sites[store->site_order[i]]);
	free(store->site_order);
}
