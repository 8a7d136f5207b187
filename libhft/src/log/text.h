/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers to text, where printf() would take most of the time: bytes are put as long as there
 * is room, and counted all the same.
 */
#ifndef HFT_LOG_TEXT_H
#define HFT_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <hft/log_read.h>

struct hft_text {
	char *at;
	char *end;
	size_t lost;		/* bytes that there was no room for */
};

/* Most digits of 64 bits, in decimal and in octal. */
#define HFT_TEXT_DIGITS		20u
#define HFT_TEXT_OCTAL		22u

/* Most digits behind the point that hft_text_fixed() takes. */
#define HFT_TEXT_FIXED_MAX	9u

/* What hft_text_fixed() and hft_text_real() may put at most. */
#define HFT_TEXT_REAL		40u

/* There is no room for all of it. */
static inline void hft_text_cut(struct hft_text *text, const char *bytes, size_t size)
{
	size_t room = (size_t)(text->end - text->at);

	text->lost += size - room;
	if (room)
		text->at = (char *)memcpy(text->at, bytes, room) + room;
}

/* Of a @size that the compiler knows, a few moves. */
static inline void hft_text_put(struct hft_text *text, const char *bytes, size_t size)
{
	size_t room = (size_t)(text->end - text->at);

	if (__builtin_expect(size > room, 0)) {
		hft_text_cut(text, bytes, size);
		return;
	}
	if (!size)
		return;
	memcpy(text->at, bytes, size);
	text->at += size;
}

/* @bytes may be read, but not all put, up to HFT_READ_PADDING. */
static inline void hft_text_short(struct hft_text *text, const char *bytes, size_t size)
{
	if (size > 16 || text->end - text->at < 16) {
		hft_text_put(text, bytes, size);
		return;
	}
	memcpy(text->at, bytes, 16);
	text->at += size;
}

static inline void hft_text_string(struct hft_text *text, const char *string)
{
	hft_text_put(text, string, strlen(string));
}

static inline struct hft_text hft_text_begin(char *text, size_t size)
{
	return (struct hft_text){ .at = text, .end = size ? text + size - 1 : text };
}

/* Put the NUL; returns the length that the whole has. */
static inline size_t hft_text_end(struct hft_text *out, char *text, size_t size)
{
	if (size)
		*out->at = '\0';
	return (size_t)(out->at - text) + out->lost;
}

static inline void hft_text_fill(struct hft_text *text, char c, size_t size)
{
	size_t room = (size_t)(text->end - text->at);

	if (size > room) {
		text->lost += size - room;
		size = room;
	}
	if (!size)
		return;
	memset(text->at, c, size);
	text->at += size;
}

/*
 * Both return how many bytes they put at @to, without a NUL; behind these they may write to the
 * rest of HFT_TEXT_DIGITS and of HFT_TEXT_REAL.
 */
unsigned int hft_text_decimal(char *to, uint64_t number);
unsigned int hft_text_fixed(char *to, double number, unsigned int digits);

/* The shortest of some texts that strtod() makes @number of again. */
unsigned int hft_text_real(char *to, double number);

/* Does hft_text_fixed() take it? */
static inline bool hft_text_fits_fixed(double number, unsigned int digits)
{
	return digits <= HFT_TEXT_FIXED_MAX && number < 9007199254740992.0 &&
	       number > -9007199254740992.0;
}

/* Nine digits, with leading zeroes, of a number that has no more. */
void hft_text_nine(char *to, uint32_t number);

static inline void hft_text_number(struct hft_text *text, uint64_t number)
{
	char digits[HFT_TEXT_DIGITS];

	if (text->end - text->at >= (ptrdiff_t)HFT_TEXT_DIGITS) {
		text->at += hft_text_decimal(text->at, number);
		return;
	}
	hft_text_put(text, digits, hft_text_decimal(digits, number));
}

/* encode.c */
enum hft_encoding { HFT_JSON, HFT_CSV, HFT_LINE };

/* Bytes of the UTF-8 character at @at (RFC 3629), of @left; 0: it is none. */
unsigned int hft_utf8(const unsigned char *at, size_t left);

void hft_text_encode(struct hft_text *text, enum hft_encoding encoding, const char *bytes,
		     size_t size);
void hft_text_encode_back(struct hft_text *text, enum hft_encoding encoding, size_t start_lost,
			  char *start);

/* read_message.c */
void hft_text_value(struct hft_text *text, uint8_t type, const union hft_log_view_value *value);
void hft_text_message(struct hft_text *text, const struct hft_log_view *view);

/* line.c: 2026-11-22T03:15:01.123456789Z */
void hft_text_time(struct hft_text *text, uint64_t time);

#endif /* HFT_LOG_TEXT_H */
