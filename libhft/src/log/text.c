// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "text.h"

#define HFT_EIGHT	100000000u	/* the first number of more digits */
#define HFT_ZEROES	0x3030303030303030ull

static const uint64_t hft_powers[] = {
	1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull,
	100000000ull, 1000000000ull, 10000000000ull, 100000000000ull, 1000000000000ull,
	10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull,
	100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull,
};

static inline unsigned int hft_count_digits(uint64_t number)
{
	/* log10(2) is 1233 / 4096, as near as it has to be. */
	unsigned int bits = 64u - (unsigned int)__builtin_clzll(number | 1);
	unsigned int digits = bits * 1233 >> 12;

	return digits + (number >= hft_powers[digits] || !digits);
}

/*
 * Digits, a byte each, the first one lowest: two fours become four pairs, which become eight
 * digits, all at once.  Of a number n, q = n / 100 is to go below n - 100 * q, and
 * q + ((n - 100 * q) << 16) is (n << 16) - q * ((100 << 16) - 1).  5243 >> 19 is 1 / 100 for
 * four digits, and 103 >> 10 is 1 / 10 for two.
 */
static inline uint64_t hft_digits_of_fours(uint64_t fours)
{
	uint64_t hundreds = fours * 5243 >> 19 & 0x0000007f0000007full;
	uint64_t pairs = (fours << 16) - hundreds * ((100 << 16) - 1);
	uint64_t tens = pairs * 103 >> 10 & 0x000f000f000f000full;

	return ((pairs << 8) - tens * ((10 << 8) - 1)) | HFT_ZEROES;
}

/* Of a number below 10^8. */
static inline uint64_t hft_eight_digits(uint32_t number)
{
	return hft_digits_of_fours(((uint64_t)number << 32) -
				   number / 10000 * ((10000ull << 32) - 1));
}

static inline void hft_put_eight(char *to, uint64_t digits)
{
	memcpy(to, &digits, sizeof(digits));
}

/* The last @count; all 8 bytes are written. */
static inline void hft_put_last(char *to, uint64_t digits, unsigned int count)
{
	hft_put_eight(to, digits >> (64 - 8 * count));
}

/* They are counted before they are made, so that what is put next need not wait for them. */
unsigned int hft_text_decimal(char *to, uint64_t number)
{
	unsigned int count = hft_count_digits(number);
	uint64_t high = number / HFT_EIGHT;

	if (count <= 4) {
		hft_put_last(to, hft_digits_of_fours(number) << 32, count);
		return count;
	}
	if (count <= 8) {
		hft_put_last(to, hft_eight_digits((uint32_t)number), count);
		return count;
	}
	if (count <= 16) {
		hft_put_last(to, hft_eight_digits((uint32_t)high), count - 8);
	} else {
		hft_put_last(to, hft_eight_digits((uint32_t)(high / HFT_EIGHT)), count - 16);
		hft_put_eight(to + count - 16, hft_eight_digits((uint32_t)(high % HFT_EIGHT)));
	}
	hft_put_eight(to + count - 8, hft_eight_digits((uint32_t)(number % HFT_EIGHT)));
	return count;
}

void hft_text_nine(char *to, uint32_t number)
{
	*to = (char)('0' + number / HFT_EIGHT);
	hft_put_eight(to + 1, hft_eight_digits(number % HFT_EIGHT));
}

/*
 * What is behind the point of @mantissa / 2^@shift, times @power, with 64 bits behind the
 * point; the last one also says that there is more.
 */
static unsigned __int128 hft_scale_part(uint64_t mantissa, unsigned int shift, uint64_t power)
{
	unsigned __int128 part = (unsigned __int128)mantissa * power;

	if (!shift)
		return 0;
	if (shift <= 64)
		return (unsigned __int128)(mantissa << (64 - shift)) * power;
	/* Of 83 bits. */
	shift = shift < 64 + 127 ? shift - 64 : 127;
	return part >> shift | !!(part & (((unsigned __int128)1 << shift) - 1));
}

/*
 * As printf() does it: the exact value, rounded to even where it is half way.  A double below
 * 2^53 is an integer of 53 bits shifted to the right.
 */
unsigned int hft_text_fixed(char *to, double number, unsigned int digits)
{
	const uint64_t half = 1ull << 63;
	unsigned __int128 scaled;
	uint64_t bits, whole, part, rest, mantissa;
	unsigned int shift;
	char *at = to;

	memcpy(&bits, &number, sizeof(bits));
	if (bits >> 63)
		*at++ = '-';
	mantissa = bits & ((1ull << 52) - 1);
	shift = (unsigned int)(bits >> 52 & 0x7ff);
	mantissa |= (uint64_t)(shift > 0) << 52;
	shift = 1075 - shift - !shift;
	whole = shift < 64 ? mantissa >> shift : 0;
	scaled = hft_scale_part(mantissa, shift, hft_powers[digits]);
	part = (uint64_t)(scaled >> 64);
	rest = (uint64_t)scaled;
	part += rest > half || (rest == half && (digits ? part : whole) & 1);
	if (part == hft_powers[digits]) {
		part = 0;
		whole++;
	}
	at += hft_text_decimal(at, whole);
	if (!digits)
		return (unsigned int)(at - to);
	*at++ = '.';
	hft_text_nine(at, (uint32_t)(part * hft_powers[HFT_TEXT_FIXED_MAX - digits]));
	return (unsigned int)(at - to) + digits;
}

/* Prices and quantities have few digits behind the point: r / 10^n is exact where r is. */
unsigned int hft_text_real(char *to, double number)
{
	double scaled, power;
	unsigned int digits;

	for (digits = 0; digits <= 6 && number < 1e9 && number > -1e9; digits++) {
		power = (double)hft_powers[digits];
		scaled = (double)(int64_t)(number * power + (number < 0 ? -0.5 : 0.5));
		if (scaled / power == number)
			return hft_text_fixed(to, number, digits);
	}
	return (unsigned int)snprintf(to, HFT_TEXT_REAL, "%.17g", number);
}
