// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The formats of messages are taken apart, once, for read_message.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"
#include "text.h"

/* A number at @*at, at most @most. */
static int hft_parse_count(const char **at, int most)
{
	int count = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		count = count > most ? count : count * 10 + (**at - '0');
	return count < most ? count : most;
}

static void hft_parse_flags(const char **at, struct hft_read_piece *piece)
{
	static const char flags[] = "-+ #0";
	const char *flag;

	for (; **at && (strchr(flags, **at) || **at == '\''); (*at)++) {
		flag = strchr(flags, **at);
		if (flag)
			piece->flags |= (uint8_t)(1 << (flag - flags));
	}
}

static void hft_parse_length(const char **at, struct hft_read_piece *piece)
{
	piece->size = 4;
	for (; **at && strchr("hljztLq", **at); (*at)++)
		piece->size = **at == 'h' ? piece->size / 2 : 8;
	if (!piece->size)
		piece->size = 1;
}

/* "N$" names an argument; @*at stays where there is none. */
static int32_t hft_parse_position(const char **at, uint32_t nr_fields)
{
	const char *from = *at;
	int number = hft_parse_count(at, INT16_MAX);

	if (**at == '$' && *at > from && number > 0 && (uint32_t)number <= nr_fields) {
		(*at)++;
		return number - 1;
	}
	*at = from;
	return -1;
}

static int32_t hft_parse_star(const char **at, uint32_t nr_fields, uint32_t *next)
{
	int32_t argument;

	(*at)++;
	argument = hft_parse_position(at, nr_fields);
	return argument >= 0 ? argument : (int32_t)(*next)++;
}

/* What follows a %, up to the conversion. */
static void hft_parse_piece(const char **at, struct hft_read_piece *piece,
			    uint32_t nr_fields, uint32_t *next)
{
	piece->argument = hft_parse_position(at, nr_fields);
	hft_parse_flags(at, piece);
	if (**at == '*')
		piece->width_argument = hft_parse_star(at, nr_fields, next);
	else
		piece->width = (uint16_t)hft_parse_count(at, HFT_WIDTH_MAX);
	if (**at == '.') {
		(*at)++;
		if (**at == '*')
			piece->precision_argument = hft_parse_star(at, nr_fields, next);
		else
			piece->precision = (int16_t)hft_parse_count(at, HFT_PRECISION_MAX);
	}
	hft_parse_length(at, piece);
	piece->conversion = **at;
	if (**at)
		(*at)++;
	if (piece->argument < 0)
		piece->argument = (int32_t)(*next)++;
}

static bool hft_has_arguments(const struct hft_read_piece *piece, uint32_t nr_fields)
{
	return (uint32_t)piece->argument < nr_fields &&
	       (piece->width_argument < 0 || (uint32_t)piece->width_argument < nr_fields) &&
	       (piece->precision_argument < 0 || (uint32_t)piece->precision_argument < nr_fields);
}

/*
 * The piece that begins at @*at: text, and the argument behind it.  What is no conversion, or
 * has no argument, is text: with its %.
 */
static void hft_parse_next(const char **at, struct hft_read_piece *piece, uint32_t nr_fields,
			   uint32_t *next)
{
	const char *percent = strchrnul(*at, '%'), *from = percent;
	uint32_t before = *next;

	memset(piece, 0, sizeof(*piece));
	piece->width_argument = -1;
	piece->precision_argument = -1;
	piece->precision = -1;
	piece->text = *at;
	piece->length = (uint32_t)(percent - *at);
	piece->argument = -1;
	*at = percent;
	if (!*percent)
		return;
	(*at)++;
	if (**at == '%') {
		piece->length++;
		(*at)++;
		return;
	}
	hft_parse_piece(at, piece, nr_fields, next);
	if (piece->conversion && strchr("diouxXcspfFeEgGaAn", piece->conversion) &&
	    hft_has_arguments(piece, nr_fields))
		return;
	piece->length += (uint32_t)(*at - from);
	piece->argument = -1;
	*next = before;
}

bool hft_read_is_integer(uint8_t type)
{
	return !hft_read_is_text(type) && type != HFT_LOG_DOUBLE;
}

static uint8_t hft_quick_kind(const struct hft_read_piece *piece, uint8_t type)
{
	bool plain = !piece->flags && !piece->width && piece->width_argument < 0 &&
		     piece->precision_argument < 0;

	if (!plain)
		return HFT_QUICK_NONE;
	if (type == HFT_LOG_DOUBLE)
		return (piece->conversion == 'f' || piece->conversion == 'F') &&
		       piece->precision <= (int)HFT_TEXT_FIXED_MAX ? HFT_QUICK_FIXED :
								     HFT_QUICK_NONE;
	if (piece->precision >= 0)
		return HFT_QUICK_NONE;
	if (!hft_read_is_integer(type))
		return piece->conversion == 's' ? HFT_QUICK_STRING : HFT_QUICK_NONE;
	if (piece->conversion == 'd' || piece->conversion == 'i')
		return HFT_QUICK_SIGNED;
	return piece->conversion == 'u' ? HFT_QUICK_UNSIGNED : HFT_QUICK_NONE;
}

static bool hft_is_plain(const struct hft_log_view_site *site)
{
	uint32_t i;

	for (i = 0; i < site->nr_fields; i++)
		if (hft_read_is_text(site->fields[i].type))
			return false;
	return true;
}

/* Texts of arguments may have anything in them; of the format's, a newline at its end goes. */
static bool hft_line_is_clean(const struct hft_read_site *site)
{
	const char *format = site->view.format;
	size_t length = strlen(format);
	uint32_t i;

	if (length && format[length - 1] == '\n')
		length--;
	if (!site->plain || !hft_read_is_clean(format, length) ||
	    !hft_read_is_clean(site->title, site->title_length) ||
	    !hft_read_is_clean(site->view.name, strlen(site->view.name)))
		return false;
	for (i = 0; i < site->view.nr_fields && !*format; i++)
		if (!hft_read_is_clean(site->view.fields[i].name,
				       strlen(site->view.fields[i].name)))
			return false;
	for (i = 0; i < site->nr_pieces; i++)
		if (site->pieces[i].argument >= 0 && site->pieces[i].conversion == 'c')
			return false;
	return true;
}

int hft_read_format(struct hft_read_site *site)
{
	struct hft_read_piece *piece;
	const char *at = site->view.format;
	uint32_t next = 0, room = 1;

	while ((at = strchr(at, '%'))) {
		room++;
		at++;
	}
	site->pieces = hft_read_alloc_shared(room * sizeof(*site->pieces));
	if (!site->pieces)
		return -ENOMEM;
	for (at = site->view.format; *at; site->nr_pieces++) {
		piece = &site->pieces[site->nr_pieces];
		hft_parse_next(&at, piece, site->view.nr_fields, &next);
		piece->quick = piece->argument < 0 ? HFT_QUICK_TEXT :
			hft_quick_kind(piece, site->view.fields[piece->argument].type);
	}
	site->plain = hft_is_plain(&site->view);
	site->clean = hft_line_is_clean(site);
	return 0;
}
