// SPDX-License-Identifier: GPL-2.0-only
/* An expression over fields, and what it says of a record. */
#include <stdlib.h>
#include <string.h>

#include <hft/log_read.h>

#include "fuzz.h"

static void test_views(struct hft_log_where *where)
{
	static const struct hft_log_view_field fields[] = {
		{ "a", HFT_LOG_U64 }, { "b", HFT_LOG_I64 }, { "c", HFT_LOG_DOUBLE },
		{ "symbol", HFT_LOG_SYMBOL },
	};
	static const struct hft_log_view_site site = {
		.subsystem = "s", .name = "n", .format = "", .file = "f", .nr_fields = 4,
		.fields = fields,
	};
	static const struct hft_log_view_log log = {
		.path = "p", .uuid = "u", .host = "h", .program = "g", .pid = 1,
	};
	static const struct hft_log_view_stream stream = { &log, 1, 2, -1, "t", "drop", 0 };
	union hft_log_view_value values[] = {
		{ .u = 100 }, { .i = -5 }, { .d = 1.5 }, { .s = "ABC" }
	};
	struct hft_log_view view = { .site = &site, .stream = &stream, .values = values };

	hft_log_where_test(where, &view);
	values[2].d = 0.0 / 0.0;
	hft_log_where_test(where, &view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hft_log_where_error error;
	struct hft_log_where *where;
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (!hft_log_where_parse(&where, text, &error)) {
		test_views(where);
		hft_log_where_free(where);
	} else if (error.position > strlen(text) || !error.text) {
		abort();
	}
	free(text);
	return 0;
}
