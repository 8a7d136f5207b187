// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log report: data types of the reports' values, and how numbers and times are written. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "report.h"

/* Since 2007 the rule of Eastern Time has been that of the tool's TZ (report.c). */
#define EASTERN_SINCE	1173596400ull	/* 2007-03-11 02:00 EST, s */

/* Locales have other letters, which are no letters in a report. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z');
}

const char *check_text(const char *text, size_t most)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return "has a character that is not printable ASCII";
		if (strchr(",|\"@", text[i]))
			return "has a comma, a bar, a quotation mark or an at sign";
	}
	return i > most ? "is too long" : NULL;
}

const char *check_alnum(const char *text, size_t least, size_t most)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (!is_alnum(text[i]))
			return "has a character that is neither letter nor digit";
	}
	if (i < least)
		return "is too short";
	return i > most ? "is too long" : NULL;
}

/* JSON has none of those, and a number of CSV is the same as in JSON. */
static bool has_leading_zero(const char *digits, size_t nr)
{
	return nr > 1 && *digits == '0';
}

const char *check_digits(const char *text, size_t most)
{
	size_t nr = strspn(text, "0123456789");

	if (!nr || text[nr])
		return "is no number without sign";
	if (has_leading_zero(text, nr))
		return "begins with a zero";
	return nr > most ? "has too many digits" : NULL;
}

const char *check_decimal(const char *text, size_t before, size_t behind)
{
	const char *at = text + (*text == '-');
	size_t nr = strspn(at, "0123456789");

	if (!nr)
		return "is no number";
	if (has_leading_zero(at, nr))
		return "begins with a zero";
	if (nr > before)
		return "has too many digits before the point";
	at += nr;
	if (!*at)
		return NULL;
	nr = strspn(at + 1, "0123456789");
	if (*at != '.' || !nr || at[1 + nr])
		return "is no number";
	return nr > behind ? "has too many digits behind the point" : NULL;
}

/* @words: separated by spaces */
const char *check_word(const char *text, const char *words)
{
	size_t length = strlen(text);

	while (length && *words) {
		size_t nr = strcspn(words, " ");

		if (nr == length && !memcmp(words, text, nr))
			return NULL;
		words += nr + (words[nr] == ' ');
	}
	return "is none of the values that are allowed";
}

static unsigned int two(const char *digits)
{
	return (unsigned int)(digits[0] - '0') * 10 + (unsigned int)(digits[1] - '0');
}

static unsigned int days_of(unsigned int year, unsigned int month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (!(year % 4) && year % 100) || !(year % 400);

	return days[month - 1] + (month == 2 && leap);
}

static bool is_date(const char *text)
{
	unsigned int year, month, day;

	if (strspn(text, "0123456789") < 8)
		return false;
	year = two(text) * 100 + two(text + 2);
	month = two(text + 4);
	day = two(text + 6);
	return year && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

const char *check_date(const char *text)
{
	return strlen(text) == 8 && is_date(text) ? NULL : "is no date (YYYYMMDD)";
}

const char *check_eastern(const char *text)
{
	const char *reason = "is no time (YYYYMMDDThhmmss.nnnnnnnnn)";
	size_t nr;

	if (!is_date(text) || text[8] != 'T' || strspn(text + 9, "0123456789") != 6)
		return reason;
	if (two(text + 9) > 23 || two(text + 11) > 59 || two(text + 13) > 59)
		return reason;
	if (!text[15])
		return NULL;
	nr = strspn(text + 16, "0123456789");
	return text[15] == '.' && nr && nr <= 9 && !text[16 + nr] ? NULL : reason;
}

/* The digits of each character, letters from 10 on, as one number. */
static unsigned int fold(const char *text, unsigned int modulus)
{
	unsigned int sum = 0;

	for (; *text; text++)
		sum = is_digit(*text) ? (sum * 10 + (unsigned int)(*text - '0')) % modulus :
					(sum * 100 + (unsigned int)(*text - 'A' + 10)) % modulus;
	return sum;
}

static bool is_upper_alnum(const char *text, size_t length)
{
	size_t i;

	for (i = 0; text[i]; i++) {
		if (!is_digit(text[i]) && !is_upper(text[i]))
			return false;
	}
	return i == length;
}

/* ISO 17442: check digits of ISO 7064, MOD 97-10 */
const char *check_lei(const char *text)
{
	if (!is_upper_alnum(text, 20))
		return "is no LEI: it has 20 capital letters and digits";
	return fold(text, 97) == 1 ? NULL : "is no LEI: its check digits are wrong";
}

/* ISO 6166: each second digit from the right doubled, of letters as two digits */
const char *check_isin(const char *text)
{
	unsigned int sum = 0, nr = 0;
	size_t i;

	if (!is_upper_alnum(text, 12) || !is_upper(text[0]) || !is_upper(text[1]) ||
	    !is_digit(text[11]))
		return "is no ISIN: it has 2 letters, 9 letters or digits, and a digit";
	for (i = 12; i--;) {
		unsigned int value = is_digit(text[i]) ? (unsigned int)(text[i] - '0') :
							 (unsigned int)(text[i] - 'A' + 10);

		do {
			unsigned int digit = value % 10 << (nr++ & 1);

			sum += digit / 10 + digit % 10;
			value /= 10;
		} while (value);
	}
	return sum % 10 ? "is no ISIN: its check digit is wrong" : NULL;
}

/* ISO 10383 */
const char *check_mic(const char *text)
{
	return is_upper_alnum(text, 4) ? NULL : "is no MIC: it has 4 capital letters or digits";
}

/* ISO 4217 */
const char *check_currency(const char *text)
{
	return is_upper_alnum(text, 3) && !strpbrk(text, "0123456789") ? NULL :
	       "is no currency: it has 3 capital letters";
}

/* NATIONAL_ID: the country by ISO 3166-1, and up to 35 characters */
const char *check_person(const char *text)
{
	if (strlen(text) < 3 || !is_upper(text[0]) || !is_upper(text[1]))
		return "is no national id: it begins with a country's 2 letters";
	return check_alnum(text, 3, 35);
}

/* @number divided by ten to the power of @places, without zeroes at the end. */
bool decimal(int64_t number, unsigned int places, char *text, size_t size)
{
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number, unit = 1;
	unsigned int i, length;
	char digits[24] = "";

	for (i = 0; i < places; i++)
		unit *= 10;
	if (rest % unit) {
		length = (unsigned int)snprintf(digits, sizeof(digits), ".%0*" PRIu64, (int)places,
						rest % unit);
		while (digits[length - 1] == '0')
			digits[--length] = '\0';
	}
	return snprintf(text, size, "%s%" PRIu64 "%s", number < 0 ? "-" : "", rest / unit,
			digits) < (int)size;
}

static struct tm eastern_tm(uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	return tm;
}

/* False for a time before the rule of today; see EASTERN_SINCE. */
bool eastern(uint64_t ns, char *text, size_t size)
{
	struct tm tm = eastern_tm(ns);
	size_t length = strftime(text, size, "%Y%m%dT%H%M%S", &tm);

	snprintf(text + length, size - length, ".%09" PRIu64, ns % 1000000000);
	return ns / 1000000000 >= EASTERN_SINCE;
}

static uint32_t date_of(const struct tm *tm)
{
	return (uint32_t)((tm->tm_year + 1900) * 10000 + (tm->tm_mon + 1) * 100 + tm->tm_mday);
}

uint32_t eastern_date(uint64_t ns)
{
	struct tm tm = eastern_tm(ns);

	return date_of(&tm);
}

void utc(uint64_t ns, char *text, size_t size)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + length, size - length, ".%09" PRIu64 "Z", ns % 1000000000);
}

uint32_t utc_date(uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return date_of(&tm);
}
