// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Messages are what printf() makes of them; times are exact; expressions mean what they say. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/read.h"
#include "log/text.h"

#define TURNS	50000

static uint64_t state = 88172645463325252ull;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Numbers of all sizes, and those at the edges. */
static uint64_t draw_number(void)
{
	static const uint64_t edges[] = { 0, 1, 9, 10, 99, 100, INT32_MAX, UINT32_MAX, INT64_MAX,
					  1ull << 63, UINT64_MAX, UINT64_MAX - 1 };

	if (draw() % 4 == 0)
		return edges[draw() % (sizeof(edges) / sizeof(edges[0]))];
	return draw() >> draw() % 64;
}

static double draw_real(void)
{
	static const double edges[] = { 0, -0.0, 0.5, 1.5, 2.5, 0.125, 1e15, 9007199254740992.0,
					9007199254740991.0, 1e300, -1e-300, INFINITY, NAN, 5e-324 };
	double number;
	uint64_t bits;

	switch (draw() % 4) {
	case 0:
		return edges[draw() % (sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return (double)(int64_t)(draw() % 2000000) / 1000 - 1000;
	case 2:
		return ldexp((double)(int64_t)draw(), -(int)(draw() % 80));
	default:
		bits = draw();
		memcpy(&number, &bits, sizeof(number));
		return number;
	}
}

/* A conversion of flags, width and precision, and perhaps a star for one of these. */
static void draw_conversion(char *format, const char *length, char conversion, int *stars)
{
	static const char flags[] = "-+ #0";
	char *at = stpcpy(format, "<%");
	int i;

	*stars = 0;
	for (i = 0; i < 5; i++)
		if (draw() % 5 == 0)
			*at++ = flags[i];
	if (draw() % 5 == 0) {
		*at++ = '*';
		*stars = 1;
	} else if (draw() % 3 == 0) {
		at += sprintf(at, "%d", (int)(draw() % 30));
	}
	if (!*stars && draw() % 8 == 0) {
		at = stpcpy(at, ".*");
		*stars = 1;
	} else if (draw() % 3 == 0) {
		at += sprintf(at, ".%d", (int)(draw() % 12));
	}
	sprintf(at, "%s%c%%>", length, conversion);
}

static void check_message(const char *format, const struct hft_log_view_field *fields,
			  uint32_t nr_fields, const union hft_log_view_value *values,
			  const char *expected)
{
	struct hft_read_site site = { .view = {
		.subsystem = "s", .name = "", .format = format, .file = "",
		.fields = fields, .nr_fields = nr_fields,
	}, .title = "" };
	struct hft_log_view view = { .site = &site.view, .values = values };
	char text[2048], cut[8], *copy = calloc(1, strlen(format) + 1 + HFT_READ_PADDING);
	size_t length;

	site.view.format = strcpy(copy, format);
	assert_int_equal(hft_read_format(&site), 0);
	length = hft_log_view_message(&view, text, sizeof(text));
	if (strcmp(text, expected))
		print_error("format %s\n", format);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	assert_int_equal(hft_log_view_message(&view, cut, sizeof(cut)), length);
	assert_memory_equal(cut, text, length < 7 ? length + 1 : 7);
	assert_int_equal(hft_log_view_message(&view, NULL, 0), length);
	free(site.pieces);
	free(copy);
}

static void check_integer(const char *length, char conversion, int bytes)
{
	struct hft_log_view_field fields[2] = { { "w", HFT_LOG_I64 }, { "n", HFT_LOG_I64 } };
	union hft_log_view_value values[2] = { { .i = (int)(draw() % 20) - 10 } };
	uint64_t number = draw_number();
	char format[64], expected[2048];
	int stars;

	draw_conversion(format, length, conversion, &stars);
	values[stars].u = number;
	/* As HFT_LOG_I64 or HFT_LOG_U64 it is as wide as its type was. */
	if (bytes < 8)
		number &= (1ull << 8 * bytes) - 1;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (stars && bytes == 8)
		snprintf(expected, sizeof(expected), format, (int)values[0].i, number);
	else if (stars)
		snprintf(expected, sizeof(expected), format, (int)values[0].i, (int)number);
	else if (bytes == 8)
		snprintf(expected, sizeof(expected), format, number);
	else
		snprintf(expected, sizeof(expected), format, (int)number);
#pragma GCC diagnostic pop
	check_message(format, fields, 1 + (uint32_t)stars, values, expected);
}

static void test_integers(void **unused)
{
	static const struct {
		const char *length;
		int bytes;
	} lengths[] = { { "", 4 }, { "l", 8 }, { "ll", 8 }, { "h", 2 }, { "hh", 1 }, { "z", 8 } };
	static const char conversions[] = "diuxXo";
	int turn;

	(void)unused;
	for (turn = 0; turn < TURNS; turn++) {
		int i = (int)(draw() % 6);

		check_integer(lengths[i].length, conversions[draw() % 6], lengths[i].bytes);
	}
}

static void test_reals(void **unused)
{
	struct hft_log_view_field fields[2] = { { "w", HFT_LOG_I64 }, { "d", HFT_LOG_DOUBLE } };
	char format[64], expected[2048];
	union hft_log_view_value values[2];
	int turn, stars;

	(void)unused;
	for (turn = 0; turn < TURNS; turn++) {
		draw_conversion(format, "", "fFeEgGaA"[draw() % 8], &stars);
		fields[!stars].type = stars ? HFT_LOG_I64 : HFT_LOG_DOUBLE;
		fields[0].type = stars ? HFT_LOG_I64 : HFT_LOG_DOUBLE;
		fields[1].type = HFT_LOG_DOUBLE;
		values[0].i = (int)(draw() % 20) - 10;
		values[stars].d = draw_real();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (stars)
			snprintf(expected, sizeof(expected), format, (int)values[0].i, values[1].d);
		else
			snprintf(expected, sizeof(expected), format, values[0].d);
#pragma GCC diagnostic pop
		check_message(format, fields, 1 + (uint32_t)stars, values, expected);
	}
}

static void test_odd_formats(void **unused)
{
	static const struct hft_log_view_field fields[] = {
		{ "a", HFT_LOG_U64 }, { "b", HFT_LOG_STRING }, { "c", HFT_LOG_DOUBLE },
	};
	static const union hft_log_view_value values[] = {
		{ .u = 65 }, { .s = "text" }, { .d = 1.25 }
	};
	static const struct {
		const char *format;
		const char *expected;
	} cases[] = {
		{ "none", "none" },
		{ "100%", "100%" },
		{ "%%%c%%", "%A%" },
		{ "%lu %s %g", "65 text 1.25" },
		{ "%lu %s %g %d", "65 text 1.25 %d" },
		{ "%p|%6s|%-6.2f|", "0x41|  text|1.25  |" },
		{ "%lu|%.2s|", "65|te|" },
		{ "%n|%s", "|text" },
		{ "%s %d %d", "65 text 1.25" },		/* by what they are */
		{ "%2$s %1$lu", "text 65" },
		{ "%9$s %1$lu", "%9$s 65" },
		{ "%*s", "%*s" },			/* the width is a text */
		{ "%y %lu", "%y 65" },
		{ "%5", "%5" },
		{ "%99999999999lu", NULL },
	};
	char wide[1100];
	size_t i;

	(void)unused;
	snprintf(wide, sizeof(wide), "%1024s", "65");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* There the star takes the 65, and the text is as wide. */
		if (!strcmp(cases[i].format, "%*s")) {
			char expected[80];

			snprintf(expected, sizeof(expected), "%65s", "text");
			check_message("%*s", fields, 3, values, expected);
			continue;
		}
		check_message(cases[i].format, fields, 3, values,
			      cases[i].expected ? cases[i].expected : wide);
	}
}

/* Where numbers come to have a digit more. */
static void test_digits(void **unused)
{
	char text[HFT_TEXT_DIGITS + 1], expected[HFT_TEXT_DIGITS + 1];
	uint64_t power, number;

	(void)unused;
	for (power = 1; power; power = power > UINT64_MAX / 10 ? 0 : power * 10) {
		for (number = power - 1; number <= power + 1; number++) {
			text[hft_text_decimal(text, number)] = '\0';
			sprintf(expected, "%" PRIu64, number);
			assert_string_equal(text, expected);
			if (number > 999999999)
				continue;
			text[9] = '\0';
			hft_text_nine(text, (uint32_t)number);
			sprintf(expected, "%09" PRIu64, number);
			assert_string_equal(text, expected);
		}
	}
}

static void test_real_text(void **unused)
{
	char text[HFT_TEXT_REAL + 1];
	int turn;

	(void)unused;
	for (turn = 0; turn < TURNS; turn++) {
		double number = draw_real(), read;

		text[hft_text_real(text, number)] = '\0';
		read = strtod(text, NULL);
		assert_true(isnan(number) ? isnan(read) : read == number);
	}
}

static void test_clock(void **unused)
{
	static const uint64_t freqs[] = { 1, 999, 1000000000, 2999999999, 3000000000, 10000000000 };
	struct hft_read_clock clock;
	int turn;

	(void)unused;
	for (turn = 0; turn < TURNS; turn++) {
		uint64_t freq = freqs[draw() % 6], stamp = draw() >> (draw() % 40 + 1);
		int64_t offset_s = (int64_t)(draw() % 4000000000);
		int64_t offset = (int64_t)(draw() % freq);
		unsigned __int128 ticks, time;

		if (turn % 10 == 0)
			assert_int_equal(hft_read_clock_set(&clock, freq, offset_s, offset, -7), 0);
		else
			freq = clock.freq;
		ticks = (unsigned __int128)clock.offset + stamp;
		time = ticks / freq * 1000000000 + ticks % freq * 1000000000 / freq;
		assert_int_equal(hft_read_time(&clock, stamp), (uint64_t)time);
	}
	assert_int_equal(hft_read_clock_set(&clock, 0, 0, 0, 0), -EBADMSG);
	assert_int_equal(hft_read_clock_set(&clock, UINT64_MAX, 0, 0, 0), -EBADMSG);
}

static const struct hft_log_view_field where_fields[] = {
	{ "price", HFT_LOG_DOUBLE }, { "n", HFT_LOG_U64 }, { "i", HFT_LOG_I64 },
	{ "symbol", HFT_LOG_SYMBOL }, { "empty", HFT_LOG_STRING }, { "nan", HFT_LOG_DOUBLE },
};

static const struct hft_log_view_site where_site = {
	.subsystem = "feed", .name = "order", .format = "", .file = "a.c", .line = 7,
	.level = 1, .fields = where_fields, .nr_fields = 6,
};

static bool is_so(const char *text)
{
	static const struct hft_log_view_log log = { .host = "h", .program = "p", .pid = 3 };
	static const struct hft_log_view_stream stream = {
		.log = &log, .thread = "t", .tid = 5, .cpu = -1, .id = 9
	};
	const union hft_log_view_value values[] = {
		{ .d = 100.5 }, { .u = UINT64_MAX }, { .i = -3 }, { .s = "ABC" }, { .s = "" },
		{ .d = NAN },
	};
	struct hft_log_view view = { .time = 1700000000000000000ull, .site = &where_site,
				     .stream = &stream, .values = values, .sequence = 77 };
	struct hft_log_where_error error;
	struct hft_log_where *where;
	bool so;

	if (hft_log_where_parse(&where, text, &error)) {
		print_error("%s: %zu: %s\n", text, error.position, error.text);
		fail();
	}
	so = hft_log_where_test(where, &view);
	assert_int_equal(hft_log_where_test(where, &view), so);
	hft_log_where_free(where);
	return so;
}

static void test_where(void **unused)
{
	static const char *const yes[] = {
		"price > 100", "price>100&&symbol==\"ABC\"", "price == 100.5", "n > 5", "i < 0",
		"i < n", "n > i", "i >= -3", "symbol ~ \"A*\"", "symbol ~ \"?B?\"", "!(n < 5)",
		"missing == 1 || n", "!missing", "!empty", "symbol", "n == 0xffffffffffffffff",
		"n == 18446744073709551615", "@level == \"warn\"", "@level <= \"notice\"",
		"\"error\" < @level", "@subsystem ~ \"f*\" && @line == 7", "@time > 1.6e18",
		"@cpu == -1 && @tid == 5 && @pid == 3 && @stream == 9 && @sequence == 77",
		"@thread == \"t\" && @host == \"h\" && @program == \"p\" && @name == \"order\"",
		"price > 1 && price < 2 || n", "(((n)))", "symbol < \"B\"", "!(nan == nan)",
		"!(nan != nan)", "i == -3.0", "price > n || price < n", "! ! n",
	};
	static const char *const no[] = {
		"price > 101", "missing == 1", "missing != 1", "symbol == 1", "symbol != 1",
		"n < i", "empty", "symbol ~ \"A\"", "@level == \"info\"", "nan < 1", "nan > 1",
		"n && (price > 1 && price < 2)", "@file ~ \"*.h\"", "\"x\" ~ \"y\"",
	};
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!is_so(yes[i]))
			print_error("%s\n", yes[i]);
		assert_true(is_so(yes[i]));
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (is_so(no[i]))
			print_error("%s\n", no[i]);
		assert_false(is_so(no[i]));
	}
}

static void test_where_errors(void **unused)
{
	static const struct {
		const char *text;
		size_t position;
	} cases[] = {
		{ "", 0 }, { "price >", 7 }, { "(n", 2 }, { "n)", 1 }, { "n && ", 5 },
		{ "@nothing", 0 }, { "symbol == \"A", 10 }, { "n == 99999999999999999999", 5 },
		{ "n == 12x", 7 }, { "@level == \"loud\"", 9 }, { "symbol ~ 5", 8 },
		{ "n = 5", 2 }, { "n & 5", 2 }, { "\x01", 0 }, { "symbol ~ n", 8 },
	};
	struct hft_log_where_error error;
	struct hft_log_where *where;
	char *deep = malloc(200001);
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hft_log_where_parse(&where, cases[i].text, &error), -EINVAL);
		if (error.position != cases[i].position)
			print_error("%s: %s\n", cases[i].text, error.text);
		assert_int_equal(error.position, cases[i].position);
		assert_non_null(error.text);
	}
	assert_int_equal(hft_log_where_parse(&where, "(", NULL), -EINVAL);
	memset(deep, '(', 60000);
	deep[60000] = '\0';
	assert_int_equal(hft_log_where_parse(&where, deep, &error), -EINVAL);
	for (i = 0; i < 20000; i++)
		memcpy(deep + 5 * i, "n || ", 5);
	strcpy(deep + 5 * i, "n");
	assert_int_equal(hft_log_where_parse(&where, deep, &error), -EINVAL);
	free(deep);
}

/* By a recursion that can not be wrong. */
static bool glob_slowly(const char *pattern, const char *text)
{
	if (!*pattern)
		return !*text;
	if (*pattern == '*')
		return glob_slowly(pattern + 1, text) || (*text && glob_slowly(pattern, text + 1));
	return *text && (*pattern == '?' || *pattern == *text) &&
	       glob_slowly(pattern + 1, text + 1);
}

static void test_glob(void **unused)
{
	char pattern[8], text[8];
	int turn, i;

	(void)unused;
	for (turn = 0; turn < TURNS; turn++) {
		for (i = 0; i < (int)(draw() % 8); i++)
			pattern[i] = "ab*?"[draw() % 4];
		pattern[i] = '\0';
		for (i = 0; i < (int)(draw() % 8); i++)
			text[i] = "ab"[draw() % 2];
		text[i] = '\0';
		assert_int_equal(hft_glob(pattern, strlen(pattern), text),
				 glob_slowly(pattern, text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_reals),
		cmocka_unit_test(test_odd_formats),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_real_text),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_where_errors),
		cmocka_unit_test(test_glob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
