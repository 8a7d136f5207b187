// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report: text into a buffer that does not grow. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

void text_begin(struct text *t, char *buffer, size_t size)
{
	t->at = buffer;
	t->end = buffer + size;
	t->full = false;
	*buffer = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
	size_t room = (size_t)(t->end - t->at);
	va_list args;
	int nr;

	va_start(args, format);
	nr = vsnprintf(t->at, room, format, args);
	va_end(args);
	if (nr < 0 || (size_t)nr >= room)
		t->full = true;
	else
		t->at += nr;
}

/* As a string of JSON. */
void text_json(struct text *t, const char *string)
{
	json_t *value = json_string(string);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	text_add(t, "%s", text ? text : "null");
	t->full |= !text;
	free(text);
	json_decref(value);
}

/* As RFC 4180 has it: in quotation marks where it has to be. */
void text_csv(struct text *t, const char *string)
{
	if (!string[strcspn(string, ",\"\r\n")]) {
		text_add(t, "%s", string);
		return;
	}
	text_add(t, "\"");
	for (; *string; string++)
		text_add(t, "%s%c", *string == '"' ? "\"" : "", *string);
	text_add(t, "\"");
}
