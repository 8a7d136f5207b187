// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages as printf() would have made them, of formats that read_format.c has taken apart; as
 * these come from a file, nothing of them is given to printf().  An argument is shown as what
 * it is where that is not what the conversion takes.
 */
#include <stdio.h>
#include <string.h>

#include "../api.h"
#include "read.h"
#include "text.h"

#define HFT_REAL_MAX		(HFT_WIDTH_MAX + HFT_PRECISION_MAX)

/* As wide as asked: @prefix is a sign or 0x, and goes before zeroes. */
static void hft_put_padded(struct hft_text *text, const struct hft_read_piece *piece,
			   const char *prefix, size_t prefix_size, const char *bytes, size_t size)
{
	size_t length = prefix_size + size;
	size_t pad = piece->width > length ? piece->width - length : 0;

	if (!(piece->flags & (HFT_LEFT | HFT_ZERO)))
		hft_text_fill(text, ' ', pad);
	hft_text_put(text, prefix, prefix_size);
	if ((piece->flags & (HFT_LEFT | HFT_ZERO)) == HFT_ZERO)
		hft_text_fill(text, '0', pad);
	hft_text_put(text, bytes, size);
	if (piece->flags & HFT_LEFT)
		hft_text_fill(text, ' ', pad);
}

/* All put digits before @end and return where they begin. */
static char *hft_digits_back(char *end, uint64_t number, unsigned int shift, const char *digits)
{
	do {
		*--end = digits[number & ((1u << shift) - 1)];
		number >>= shift;
	} while (number);
	return end;
}

static char *hft_decimal_back(char *end, uint64_t number)
{
	char digits[HFT_TEXT_DIGITS];
	unsigned int size = hft_text_decimal(digits, number);

	return memcpy(end - size, digits, size);
}

static char *hft_number_back(char *end, uint64_t number, char conversion)
{
	switch (conversion) {
	case 'x':
	case 'p':
		return hft_digits_back(end, number, 4, "0123456789abcdef");
	case 'X':
		return hft_digits_back(end, number, 4, "0123456789ABCDEF");
	case 'o':
		return hft_digits_back(end, number, 3, "01234567");
	default:
		return hft_decimal_back(end, number);
	}
}

static void hft_put_number(struct hft_text *text, const struct hft_read_piece *piece,
			   uint64_t number, const char *prefix, size_t prefix_size)
{
	char digits[HFT_PRECISION_MAX + HFT_TEXT_OCTAL + 2];
	char *end = digits + sizeof(digits), *at = end;
	struct hft_read_piece padded = *piece;

	if (number || piece->precision)
		at = hft_number_back(end, number, piece->conversion);
	while (end - at < piece->precision)
		*--at = '0';
	if (piece->conversion == 'o' && piece->flags & HFT_ALTERNATE && (at == end || *at != '0'))
		*--at = '0';
	if (piece->precision >= 0)
		padded.flags &= (uint8_t)~HFT_ZERO;
	hft_put_padded(text, &padded, prefix, prefix_size, at, (size_t)(end - at));
}

static const char *hft_sign_of(const struct hft_read_piece *piece, bool negative)
{
	if (negative)
		return "-";
	if (piece->flags & HFT_PLUS)
		return "+";
	return piece->flags & HFT_SPACE ? " " : "";
}

/* What the type that the conversion takes would have kept of it. */
static int64_t hft_cut_signed(uint64_t number, uint8_t size)
{
	switch (size) {
	case 1:
		return (int8_t)number;
	case 2:
		return (int16_t)number;
	case 4:
		return (int32_t)number;
	default:
		return (int64_t)number;
	}
}

static void hft_put_signed(struct hft_text *text, const struct hft_read_piece *piece,
			   uint64_t value)
{
	int64_t number = hft_cut_signed(value, piece->size);
	uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number;
	const char *sign = hft_sign_of(piece, number < 0);

	hft_put_number(text, piece, size, sign, strlen(sign));
}

static void hft_put_unsigned(struct hft_text *text, const struct hft_read_piece *piece,
			     uint64_t number)
{
	const char *prefix = "";

	if (piece->size < 8)
		number &= (1ull << 8 * piece->size) - 1;
	if (number && piece->flags & HFT_ALTERNATE && piece->conversion == 'x')
		prefix = "0x";
	else if (number && piece->flags & HFT_ALTERNATE && piece->conversion == 'X')
		prefix = "0X";
	hft_put_number(text, piece, number, prefix, strlen(prefix));
}

static void hft_put_pointer(struct hft_text *text, const struct hft_read_piece *piece,
			    uint64_t number)
{
	if (number)
		hft_put_number(text, piece, number, "0x", 2);
	else
		hft_put_padded(text, piece, "", 0, "(nil)", 5);
}

static void hft_put_char(struct hft_text *text, const struct hft_read_piece *piece, uint64_t c)
{
	char byte = (char)c;

	hft_put_padded(text, piece, "", 0, &byte, 1);
}

static void hft_put_string(struct hft_text *text, const struct hft_read_piece *piece,
			   const char *string)
{
	struct hft_read_piece padded = *piece;

	padded.flags &= HFT_LEFT;
	hft_put_padded(text, &padded, "", 0, string,
		       piece->precision < 0 ? strlen(string) :
					      strnlen(string, (size_t)piece->precision));
}

/* What hft_text_fixed() does not do: by printf(), with a format of our own making. */
static void hft_put_odd_real(struct hft_text *text, const struct hft_read_piece *piece,
			     double number)
{
	char format[16], bytes[HFT_REAL_MAX], *at = format;

	*at++ = '%';
	if (piece->flags & HFT_LEFT)
		*at++ = '-';
	if (piece->flags & HFT_PLUS)
		*at++ = '+';
	if (piece->flags & HFT_SPACE)
		*at++ = ' ';
	if (piece->flags & HFT_ALTERNATE)
		*at++ = '#';
	if (piece->flags & HFT_ZERO)
		*at++ = '0';
	memcpy(at, "*.*", 3);
	at[3] = piece->conversion;
	at[4] = '\0';
	hft_text_put(text, bytes, (size_t)snprintf(bytes, sizeof(bytes), format,
						   (int)piece->width, (int)piece->precision,
						   number));
}

static void hft_put_real(struct hft_text *text, const struct hft_read_piece *piece,
			 double number)
{
	unsigned int precision = piece->precision < 0 ? 6 : (unsigned int)piece->precision;
	bool fixed = piece->conversion == 'f' || piece->conversion == 'F';
	char digits[HFT_TEXT_REAL];
	const char *sign;
	bool negative;
	size_t size;

	if (!fixed || piece->flags & HFT_ALTERNATE || !hft_text_fits_fixed(number, precision)) {
		hft_put_odd_real(text, piece, number);
		return;
	}
	size = hft_text_fixed(digits, number, precision);
	negative = digits[0] == '-';
	sign = hft_sign_of(piece, negative);
	hft_put_padded(text, piece, sign, strlen(sign), digits + negative, size - negative);
}

/* An argument as what it is. */
void hft_text_value(struct hft_text *text, uint8_t type,
			  const union hft_log_view_value *value)
{
	struct hft_read_piece plain = { .precision = -1, .size = 8 };
	char bytes[HFT_TEXT_REAL];

	switch (type) {
	case HFT_LOG_STRING:
	case HFT_LOG_SYMBOL:
		hft_text_put(text, value->s, strlen(value->s));
		break;
	case HFT_LOG_DOUBLE:
		hft_text_put(text, bytes, hft_text_real(bytes, value->d));
		break;
	case HFT_LOG_I64:
		hft_put_signed(text, &plain, value->u);
		break;
	case HFT_LOG_POINTER:
		plain.conversion = 'p';
		hft_put_number(text, &plain, value->u, "0x", 2);
		break;
	default:
		hft_text_put(text, bytes, hft_text_decimal(bytes, value->u));
	}
}

static bool hft_takes(char conversion, uint8_t type)
{
	if (type == HFT_LOG_DOUBLE)
		return strchr("fFeEgGaA", conversion);
	if (!hft_read_is_integer(type))
		return conversion == 's';
	return strchr("diouxXcp", conversion);
}

static void hft_put_argument(struct hft_text *text, const struct hft_read_piece *piece,
			     uint8_t type, const union hft_log_view_value *value)
{
	if (piece->conversion == 'n')
		return;
	if (!hft_takes(piece->conversion, type)) {
		hft_text_value(text, type, value);
		return;
	}
	switch (piece->conversion) {
	case 'd':
	case 'i':
		hft_put_signed(text, piece, value->u);
		break;
	case 'c':
		hft_put_char(text, piece, value->u);
		break;
	case 'p':
		hft_put_pointer(text, piece, value->u);
		break;
	case 's':
		hft_put_string(text, piece, value->s);
		break;
	case 'o':
	case 'u':
	case 'x':
	case 'X':
		hft_put_unsigned(text, piece, value->u);
		break;
	default:
		hft_put_real(text, piece, value->d);
	}
}

/* Widths and precisions that are arguments: negative ones mean what they do to printf(). */
static void hft_take_stars(struct hft_read_piece *piece, const struct hft_log_view *view)
{
	const struct hft_log_view_field *fields = view->site->fields;
	int64_t number;

	if (piece->width_argument >= 0 && hft_read_is_integer(fields[piece->width_argument].type)) {
		number = (int32_t)view->values[piece->width_argument].u;
		piece->flags |= number < 0 ? HFT_LEFT : 0;
		number = number < 0 ? -number : number;
		piece->width = (uint16_t)(number < HFT_WIDTH_MAX ? number : HFT_WIDTH_MAX);
	}
	if (piece->precision_argument >= 0 &&
	    hft_read_is_integer(fields[piece->precision_argument].type)) {
		number = (int32_t)view->values[piece->precision_argument].u;
		number = number < 0 ? -1 : number;
		piece->precision = (int16_t)(number < HFT_PRECISION_MAX ? number :
					     HFT_PRECISION_MAX);
	}
}

static void hft_put_odd_piece(struct hft_text *text, const struct hft_read_piece *piece,
			      const struct hft_log_view *view)
{
	struct hft_read_piece own;

	if (piece->width_argument >= 0 || piece->precision_argument >= 0) {
		own = *piece;
		hft_take_stars(&own, view);
		piece = &own;
	}
	hft_put_argument(text, piece, view->site->fields[piece->argument].type,
			 &view->values[piece->argument]);
}

static inline void hft_put_quick_signed(struct hft_text *text, int64_t number)
{
	if (number < 0)
		hft_text_put(text, "-", 1);
	hft_text_number(text, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

static inline bool hft_put_quick_fixed(struct hft_text *text, const struct hft_read_piece *piece,
				       double number)
{
	unsigned int digits = piece->precision < 0 ? 6 : (unsigned int)piece->precision;

	if (!hft_text_fits_fixed(number, digits) ||
	    text->end - text->at < (ptrdiff_t)HFT_TEXT_REAL)
		return false;
	text->at += hft_text_fixed(text->at, number, digits);
	return true;
}

/* Most conversions are of these kinds; false: this one is not. */
static inline bool hft_put_quick(struct hft_text *text, const struct hft_read_piece *piece,
				 const union hft_log_view_value *value)
{
	switch (piece->quick) {
	case HFT_QUICK_SIGNED:
		hft_put_quick_signed(text, hft_cut_signed(value->u, piece->size));
		return true;
	case HFT_QUICK_UNSIGNED:
		hft_text_number(text, piece->size < 8 ?
				value->u & ((1ull << 8 * piece->size) - 1) : value->u);
		return true;
	case HFT_QUICK_STRING:
		hft_text_string(text, value->s);
		return true;
	case HFT_QUICK_FIXED:
		return hft_put_quick_fixed(text, piece, value->d);
	default:
		return false;
	}
}

/* NAME FIELD=VALUE FIELD=VALUE ... */
static void hft_put_event(struct hft_text *text, const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	uint32_t i;

	hft_text_put(text, site->name, strlen(site->name));
	for (i = 0; i < site->nr_fields; i++) {
		hft_text_put(text, " ", 1);
		hft_text_string(text, site->fields[i].name);
		hft_text_put(text, "=", 1);
		hft_text_value(text, site->fields[i].type, &view->values[i]);
	}
}

void hft_text_message(struct hft_text *text, const struct hft_log_view *view)
{
	const struct hft_read_site *site = (const struct hft_read_site *)view->site;
	const struct hft_read_piece *piece = site->pieces, *end = piece + site->nr_pieces;
	struct hft_text out;

	if (!*site->view.format)
		hft_put_event(text, view);
	out = *text;	/* in registers, as nobody else has it */
	for (; piece < end; piece++) {
		hft_text_short(&out, piece->text, piece->length);
		if (piece->quick == HFT_QUICK_TEXT ||
		    hft_put_quick(&out, piece, &view->values[piece->argument]))
			continue;
		*text = out;
		hft_put_odd_piece(text, piece, view);
		out = *text;
	}
	*text = out;
}

/**
 * hft_log_view_message() - a record as the program would have printed it
 * @view: a record of a reader
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * A typed event is its name and its fields as NAME=VALUE.  The text has whatever bytes the
 * program logged; widths are 1024 and precisions 340 at most, %n is nothing, and an argument
 * that is not of the type that its conversion takes is shown as what it is.
 *
 * Any thread, for as long as the view is valid.
 *
 * Return: the length of the whole text without the NUL; it was cut if that is not less than
 * @size.
 */
HFT_API size_t hft_log_view_message(const struct hft_log_view *view, char *text, size_t size)
{
	struct hft_text out = hft_text_begin(text, size);

	hft_text_message(&out, view);
	return hft_text_end(&out, text, size);
}

/**
 * hft_log_view_value_text() - an argument as text
 * @type: enum hft_log_type
 * @value: the argument
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * Numbers are in decimal, pointers in hex, doubles with as many digits as it takes to read the
 * same again.  Any thread.
 *
 * Return: as hft_log_view_message().
 */
HFT_API size_t hft_log_view_value_text(uint8_t type, const union hft_log_view_value *value,
				       char *text, size_t size)
{
	struct hft_text out = hft_text_begin(text, size);

	hft_text_value(&out, type, value);
	return hft_text_end(&out, text, size);
}

/**
 * hft_log_view_find() - an argument by its name
 * @view: a record of a reader
 * @name: of the field
 * @type: answered with enum hft_log_type; NULL: not needed
 *
 * Any thread, for as long as the view is valid.
 *
 * Return: the first argument of that name, NULL: there is none.
 */
HFT_API const union hft_log_view_value *hft_log_view_find(const struct hft_log_view *view,
							  const char *name, uint8_t *type)
{
	const struct hft_log_view_site *site = view->site;
	uint32_t i;

	for (i = 0; i < site->nr_fields; i++) {
		if (strcmp(site->fields[i].name, name))
			continue;
		if (type)
			*type = site->fields[i].type;
		return &view->values[i];
	}
	return NULL;
}
