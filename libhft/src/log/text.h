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

static inline void hft_text_put(struct hft_text *text, const char *bytes, size_t size)
{
	size_t room = (size_t)(text->end - text->at);

	if (__builtin_expect(size > room, 0)) {
		text->lost += size - room;
		size = room;
	}
	if (!size)
		return;
	memcpy(text->at, bytes, size);
	text->at += size;
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

/* Both return how many bytes they put at @to, without a NUL. */
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

#endif /* HFT_LOG_TEXT_H */
