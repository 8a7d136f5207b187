// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>

#include "text.h"

static const char hft_pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
	"4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
	"888990919293949596979899";

static const uint64_t hft_powers[] = {
	1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull,
	100000000ull, 1000000000ull, 10000000000ull, 100000000000ull, 1000000000000ull,
	10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull,
	100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull,
};

static unsigned int hft_count_digits(uint64_t number)
{
	/* log10(2) is 1233 / 4096, as near as it has to be. */
	unsigned int bits = 64u - (unsigned int)__builtin_clzll(number | 1);
	unsigned int digits = bits * 1233 >> 12;

	return digits + (number >= hft_powers[digits] || !digits);
}

void hft_text_digits(char *to, uint64_t number, unsigned int digits)
{
	for (; digits >= 2; digits -= 2, number /= 100)
		memcpy(to + digits - 2, hft_pairs + 2 * (number % 100), 2);
	if (digits)
		*to = (char)('0' + number % 10);
}

unsigned int hft_text_decimal(char *to, uint64_t number)
{
	unsigned int digits = hft_count_digits(number);

	hft_text_digits(to, number, digits);
	return digits;
}

/*
 * As printf() does it: the exact value, rounded to even where it is half way.  A double below
 * 2^53 is an integer of 53 bits shifted to the right; what is behind the point, times 10^9,
 * has 83.
 */
unsigned int hft_text_fixed(char *to, double number, unsigned int digits)
{
	unsigned __int128 part, rest, half;
	uint64_t bits, whole, mantissa;
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
	part = mantissa - (shift < 64 ? whole << shift : 0);
	part *= hft_powers[digits];
	if (shift > 127) {
		part = 0;
	} else {
		half = (unsigned __int128)1 << shift >> 1;
		rest = part & (((unsigned __int128)1 << shift) - 1);
		part >>= shift;
		part += rest > half || (rest == half && half && (digits ? part : whole) & 1);
	}
	if (part == hft_powers[digits]) {
		part = 0;
		whole++;
	}
	at += hft_text_decimal(at, whole);
	if (digits) {
		*at++ = '.';
		hft_text_digits(at, (uint64_t)part, digits);
		at += digits;
	}
	return (unsigned int)(at - to);
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
