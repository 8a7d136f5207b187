// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A record as a line of text.  What would move the cursor of a terminal, or make two lines of
 * one, is shown as an escape.
 */
#include <time.h>

#include "../api.h"
#include "read.h"
#include "text.h"

#define HFT_NS_PER_S	1000000000ull
#define HFT_DATE	20u		/* "2026-11-22T03:15:01." */

/* Records come by the thousands a second. */
static _Thread_local struct {
	uint64_t second;
	char date[HFT_DATE + 1];
} hft_last_date;

/* What has a year of four digits; the rest is as good as none. */
static void hft_make_date(uint64_t second)
{
	time_t seconds = (time_t)second;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(hft_last_date.date, sizeof(hft_last_date.date), "%Y-%m-%dT%H:%M:%S.", &tm);
	hft_last_date.second = second;
}

static void hft_put_time(char *to, uint64_t time)
{
	uint64_t second = time / HFT_NS_PER_S;

	if (second != hft_last_date.second || !hft_last_date.date[0])
		hft_make_date(second);
	memcpy(to, hft_last_date.date, HFT_DATE);
	hft_text_nine(to + HFT_DATE, (uint32_t)(time - second * HFT_NS_PER_S));
	to[HFT_DATE + 9] = 'Z';
}

void hft_text_time(struct hft_text *text, uint64_t time)
{
	char bytes[HFT_DATE + 10];

	if (text->end - text->at >= (ptrdiff_t)sizeof(bytes)) {
		hft_put_time(text->at, time);
		text->at += sizeof(bytes);
		return;
	}
	hft_put_time(bytes, time);
	hft_text_put(text, bytes, sizeof(bytes));
}

static void hft_put_monotonic(struct hft_text *text, uint64_t time)
{
	char digits[9];

	hft_text_number(text, time / HFT_NS_PER_S);
	hft_text_nine(digits, (uint32_t)(time % HFT_NS_PER_S));
	hft_text_put(text, ".", 1);
	hft_text_put(text, digits, 9);
}

size_t hft_read_site_title(const struct hft_log_view_site *site, char *to)
{
	static const char names[][8] = {
		" ERROR ", " WARN  ", " NOTICE", " INFO  ", " DEBUG ", " TRACE "
	};
	size_t length = strlen(site->subsystem);

	if (to) {
		memcpy(to, names[site->level], 7);
		to[7] = ' ';
		memcpy(to + 8, site->subsystem, length);
		to[8 + length] = ' ';
	}
	return length + 9;
}

size_t hft_read_stream_title(const struct hft_log_view_stream *stream, char *to)
{
	size_t length = strlen(stream->thread);
	char tid[HFT_TEXT_DIGITS];
	unsigned int digits = hft_text_decimal(tid, stream->tid);

	if (to) {
		memcpy(to, stream->thread, length);
		to[length] = '[';
		memcpy(to + length + 1, tid, digits);
		memcpy(to + length + 1 + digits, "] ", 2);
	}
	return length + digits + 3;
}

static void hft_put_process(struct hft_text *text, const struct hft_log_view_log *log)
{
	hft_text_string(text, log->host);
	hft_text_put(text, " ", 1);
	hft_text_string(text, log->program);
	hft_text_put(text, "[", 1);
	hft_text_number(text, log->pid);
	hft_text_put(text, "] ", 2);
}

/* Is one of 8 bytes below ' ' or above 126?  (Bit Twiddling Hacks: hasless, haszero.) */
static inline uint64_t hft_is_odd(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x80 * ones;
	uint64_t del = word ^ 0x7f * ones;

	return ((word - ' ' * ones) | (del - ones) | word) & tops;
}

/* Is it of ASCII alone, and no control character? */
bool hft_read_is_clean(const char *at, size_t length)
{
	const char *end = at + length;
	uint64_t word;

	for (; end - at >= 8; at += 8) {
		memcpy(&word, at, 8);
		if (hft_is_odd(word))
			return false;
	}
	for (; at < end; at++)
		if (*at < ' ' || *at > '~')
			return false;
	return true;
}

/**
 * hft_log_view_line() - a record as a line of text, without the newline
 * @view: a record of a reader
 * @flags: %HFT_LOG_VIEW_MONOTONIC, %HFT_LOG_VIEW_HOST
 * @text: answered, with a NUL at its end; NULL if @size is 0
 * @size: of @text
 *
 * The time, the level, the subsystem, the thread and its tid, and the message; of a log that was
 * merged with the host and the process of each.  Control
 * characters, C1 among them, and bytes that are no UTF-8 are shown as \\xHH; a newline at the
 * end of the message is left out.
 *
 * Any thread, for as long as the view is valid.
 *
 * Return: as hft_log_view_json().
 */
HFT_API size_t hft_log_view_line(const struct hft_log_view *view, uint32_t flags, char *text,
				 size_t size)
{
	const struct hft_read_stream *stream = (const struct hft_read_stream *)view->stream;
	const struct hft_read_site *site = (const struct hft_read_site *)view->site;
	const bool host = flags & HFT_LOG_VIEW_HOST || stream->view.log->merged;
	struct hft_text out = hft_text_begin(text, size);

	if (flags & HFT_LOG_VIEW_MONOTONIC)
		hft_put_monotonic(&out, view->monotonic);
	else
		hft_text_time(&out, view->time);
	hft_text_short(&out, site->title, site->title_length);
	if (host)
		hft_put_process(&out, stream->view.log);
	hft_text_short(&out, stream->title, stream->title_length);
	hft_text_message(&out, view);
	if (!out.lost && out.at > text && out.at[-1] == '\n')
		out.at--;
	if ((!site->clean || !stream->clean || host) &&
	    !hft_read_is_clean(text, (size_t)(out.at - text)))
		hft_text_encode_back(&out, HFT_LINE, 0, text);
	return hft_text_end(&out, text, size);
}
