// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's events: the format of one, up to a NUL, and a page behind it.  Where there is no
 * format, which takes long, the page may have the events of log_kernel.h.
 *
 * Formats are the running kernel's own, and libtraceevent, which reads them, believes them: only
 * lines as the kernel writes them are given to it.  What they say of a page may be wrong.
 */
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hft-log/kernel_event.h>
#include <hft/log.h>

#include "../host/log_kernel.h"
#include "fuzz.h"

const char *__lsan_default_suppressions(void);

/* What it has of a format that it refuses is lost: that is a fault of the library's. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libtraceevent\n";
}

/* A record is as long as its fields say, and its texts end in it. */
static int take(void *arg, const struct hft_log_site *site, uint64_t stamp, const void *arguments,
		size_t bytes)
{
	const char *at = arguments, *type, *end;
	size_t offset = 0;

	(void)arg;
	(void)stamp;
	for (type = site->types; *type; type++) {
		if (*type != HFT_LOG_STRING) {
			offset = (offset + 7) / 8 * 8 + 8;
			continue;
		}
		end = offset < bytes ? memchr(at + offset, '\0', bytes - offset) : NULL;
		if (!end || end - (at + offset) > HFT_LOG_TEXT_MAX)
			abort();
		offset = (size_t)(end - at) + 1;
	}
	if (offset > bytes || bytes - offset >= 8)
		abort();
	return 0;
}

static int take_loss(void *arg, int64_t records, uint64_t stamp)
{
	(void)arg;
	(void)stamp;
	if (!records)
		abort();
	return 0;
}

static struct kernel_events *known_events(void)
{
	static struct kernel_events *events;
	struct hft_log_site *site;
	size_t i;

	if (events)
		return events;
	events = kernel_events_new();
	for (i = 0; events && i < sizeof(kernel_formats) / sizeof(kernel_formats[0]); i++) {
		const struct kernel_format *it = &kernel_formats[i];

		if (kernel_events_add(events, it->system, it->name, it->format,
				      strlen(it->format), &site))
			abort();
	}
	return events;
}

#define IS_ARRAY	"(\\[[0-9]{0,4}\\])?"

static bool is_kernels(const char *line)
{
	static const char kernels[] =
		"^(name: fuzz|ID: [0-9]{1,5}|format:|"
		"\tfield:[a-z_0-9 *]*[a-z*]" IS_ARRAY " [a-z_]+" IS_ARRAY
		";\toffset:[0-9]{1,5};\tsize:[0-9]{1,5};\tsigned:[01];|)$";
	static regex_t regex;
	static bool is_there;

	if (!is_there && regcomp(&regex, kernels, REG_EXTENDED | REG_NOSUB))
		abort();
	is_there = true;
	return !regexec(&regex, line, 0, NULL, 0);
}

static char *kernels_lines(char *from)
{
	static const char print[] = "\nprint fmt: \"\"\n";
	char *to = calloc(1, strlen(from) + sizeof(print) + 1), *at = to, *line;

	while (to && (line = strsep(&from, "\n"))) {
		if (is_kernels(line))
			at += sprintf(at, "%s\n", line);
	}
	return to ? strcat(to, print) : NULL;
}

static struct kernel_events *events_of(const uint8_t *data, size_t size)
{
	struct kernel_events *events = kernel_events_new();
	char *text = strndup((const char *)data, size);
	char *format = text ? kernels_lines(text) : NULL;
	struct hft_log_site *site;

	if (!events || !format)
		abort();
	kernel_events_add(events, "hft", "fuzz", format, strlen(format), &site);
	free(format);
	free(text);
	return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t format = strnlen((const char *)data, size);
	size_t bytes = format < size ? size - format - 1 : 0;
	struct kernel_events *events = format ? events_of(data, format) : known_events();
	const struct kernel_sink sink = { take, take_loss, NULL };
	void *page = malloc(bytes);	/* of its size alone, for the sanitizer */

	if (!events || !page)
		abort();
	if (bytes)
		memcpy(page, data + format + 1, bytes);
	kernel_events_page(events, page, bytes, &sink);
	if (format)
		kernel_events_free(events);
	free(page);
	return 0;
}
