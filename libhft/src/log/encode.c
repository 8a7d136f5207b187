// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Text within quotes, of JSON (RFC 8259) and of CSV (RFC 4180), or in a line: in none of them is
 * anything that a terminal obeys but, in CSV, tabs and ends of lines, or bytes that are no UTF-8.
 */
#include "text.h"

unsigned int hft_utf8(const unsigned char *at, size_t left)
{
	unsigned int size, i;

	if (*at < 0x80)
		return 1;
	if (*at < 0xc2 || *at > 0xf4)
		return 0;
	size = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	if (left < size)
		return 0;
	for (i = 1; i < size; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong, surrogates, beyond U+10FFFF */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return size;
}

static char hft_hex(unsigned int digit)
{
	return "0123456789abcdef"[digit & 15];
}

/* The control character at @at, as ISO 6429 has it: C0, DEL, and C1, of two bytes; or -1 */
static int hft_control(const unsigned char *at, unsigned int size)
{
	if (size == 2)
		return *at == 0xc2 && at[1] < 0xa0 ? at[1] : -1;
	return *at < ' ' || *at == 0x7f ? *at : -1;
}

/* What stands for the character at @at; it takes @taken bytes there. */
static unsigned int hft_encode_json(const unsigned char *at, size_t left, char *to,
				    unsigned int *taken)
{
	unsigned int size = hft_utf8(at, left);
	int control = hft_control(at, size);

	*taken = size ? size : 1;
	if (!size) {
		memcpy(to, "\\ufffd", 6);
		return 6;
	}
	if (control < 0 && *at != '"' && *at != '\\') {
		memcpy(to, at, size);
		return size;
	}
	to[0] = '\\';
	to[1] = control == '\n' ? 'n' : (char)*at;
	if (control < 0 || control == '\n')
		return 2;
	memcpy(to + 1, "u00", 3);
	to[4] = hft_hex((unsigned int)control >> 4);
	to[5] = hft_hex((unsigned int)control);
	return 6;
}

/* "\xHH" is a control character, or a byte that is no UTF-8. */
static unsigned int hft_encode_line(const unsigned char *at, size_t left, char *to,
				    unsigned int *taken)
{
	unsigned int size = hft_utf8(at, left);
	int hidden = size ? hft_control(at, size) : *at;

	*taken = size ? size : 1;
	if (hidden < 0) {
		memcpy(to, at, size);
		return size;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = hft_hex((unsigned int)hidden >> 4);
	to[3] = hft_hex((unsigned int)hidden);
	return 4;
}

/* Within quotes a line may end. */
static unsigned int hft_encode_csv(const unsigned char *at, size_t left, char *to,
				   unsigned int *taken)
{
	if (*at != '"' && *at != '\n' && *at != '\r' && *at != '\t')
		return hft_encode_line(at, left, to, taken);
	*taken = 1;
	to[0] = to[1] = (char)*at;
	return *at == '"' ? 2 : 1;
}

static unsigned int hft_encode(enum hft_encoding encoding, const unsigned char *at, size_t left,
			       char *to, unsigned int *taken)
{
	switch (encoding) {
	case HFT_JSON:
		return hft_encode_json(at, left, to, taken);
	case HFT_CSV:
		return hft_encode_csv(at, left, to, taken);
	default:
		return hft_encode_line(at, left, to, taken);
	}
}

#define HFT_ENCODED_MAX	6u

/* How many of the first bytes stand for themselves, whatever the encoding: mostly all do. */
static size_t hft_count_plain(const char *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (bytes[i] < ' ' || bytes[i] > '~' || bytes[i] == '"' || bytes[i] == '\\')
			break;
	return i;
}

void hft_text_encode(struct hft_text *text, enum hft_encoding encoding, const char *bytes,
		     size_t size)
{
	char to[HFT_ENCODED_MAX];
	unsigned int taken, made;
	size_t plain;

	for (;;) {
		plain = hft_count_plain(bytes, size);
		hft_text_put(text, bytes, plain);
		bytes += plain;
		size -= plain;
		if (!size)
			return;
		made = hft_encode(encoding, (const unsigned char *)bytes, size, to, &taken);
		hft_text_put(text, to, made);
		bytes += taken;
		size -= taken;
	}
}

/*
 * The same with what was put since @start: behind what stands for itself it goes to the end of
 * the room first, and comes back as long as it is not overtaken.  What is missing then is
 * counted by the most that it may be.
 */
void hft_text_encode_back(struct hft_text *text, enum hft_encoding encoding, size_t start_lost,
			  char *start)
{
	size_t plain = hft_count_plain(start, (size_t)(text->at - start));
	size_t size = (size_t)(text->at - start) - plain, lost = text->lost - start_lost;
	char *from = text->end - size, to[HFT_ENCODED_MAX];
	unsigned int taken, made;

	if (!size && !lost)
		return;
	start += plain;
	if (size)
		memmove(from, start, size);
	text->at = start;
	for (; size && !lost; size -= taken, from += taken) {
		made = hft_encode(encoding, (const unsigned char *)from, size, to, &taken);
		if (made > (size_t)(from + taken - text->at))
			break;
		memcpy(text->at, to, made);
		text->at += made;
	}
	text->lost = start_lost + HFT_ENCODED_MAX * (size + lost);
}
