// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define NAME_MOST	64

struct name {
	const char *at;
	size_t length;
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The word before the '=' that is before a conversion. */
static struct name name_before(const char *format, const char *percent)
{
	struct name name = { percent, 0 };

	if (percent == format || percent[-1] != '=')
		return name;
	for (name.at--; name.at > format && is_word(name.at[-1]); name.at--)
		name.length++;
	if (name.length && *name.at >= '0' && *name.at <= '9')
		name.length = 0;
	return name;
}

/* Behind a conversion; a '*' in it takes an argument of its own. */
static const char *skip_conversion(const char *at, unsigned int *stars)
{
	*stars = 0;
	for (at++; *at && strchr("#0- +'I123456789.*", *at); at++)
		*stars += *at == '*';
	while (*at && strchr("hlLqjzt", *at))
		at++;
	return *at ? at + 1 : at;
}

/* Names of as many arguments as there are, of a format; those that have none are empty. */
static void names_of_format(const char *format, struct name *names, unsigned int nr)
{
	const char *percent = format;
	unsigned int i = 0, stars;
	struct name name;

	while (i < nr && (percent = strchr(percent, '%'))) {
		name = name_before(format, percent);
		if (percent[1] == '%') {
			percent += 2;
			continue;
		}
		percent = skip_conversion(percent, &stars);
		i += stars;
		if (i < nr)
			names[i++] = name;
	}
}

static void names_of_list(const char *list, struct name *names, unsigned int nr)
{
	const char *comma;
	unsigned int i;

	for (i = 0; i < nr && (comma = strchr(list, ',')); i++) {
		names[i] = (struct name){ list, (size_t)(comma - list) };
		for (list = comma + 1; *list == ' '; list++)
			;
	}
}

static bool has_name(const struct hft_log_store_field *fields, unsigned int nr, const char *name)
{
	while (nr--) {
		if (!strcmp(fields[nr].name, name))
			return true;
	}
	return false;
}

static char *make_name(const struct hft_log_store_field *fields, unsigned int nr,
		       const struct name *name)
{
	char text[NAME_MOST + 16];
	int length = name->length < NAME_MOST ? (int)name->length : NAME_MOST;
	unsigned int again = 2;

	if (length)
		snprintf(text, sizeof(text), "%.*s", length, name->at);
	else
		length = snprintf(text, sizeof(text), "arg%u", nr);
	while (has_name(fields, nr, text))
		snprintf(text + length, sizeof(text) - (size_t)length, "_%u", again++);
	return strdup(text);
}

void log_fields_free(struct hft_log_store_field *fields, unsigned int nr)
{
	while (nr--)
		free((void *)fields[nr].name);
	free(fields);
}

int log_fields_make(struct hft_log_store_field **fields, const char *format, const char *names,
		    const char *types)
{
	unsigned int nr = (unsigned int)strlen(types), i;
	struct hft_log_store_field *made = calloc(nr + 1, sizeof(*made));
	struct name *found = calloc(nr + 1, sizeof(*found));

	if (made && found && names)
		names_of_list(names, found, nr);
	else if (made && found && format)
		names_of_format(format, found, nr);
	for (i = 0; made && found && i < nr; i++) {
		made[i].type = (enum hft_log_type)types[i];
		made[i].name = make_name(made, i, &found[i]);
		if (!made[i].name)
			break;
	}
	free(found);
	if (made && found && i == nr) {
		*fields = made;
		return (int)nr;
	}
	if (made)
		log_fields_free(made, nr);
	return -ENOMEM;
}
