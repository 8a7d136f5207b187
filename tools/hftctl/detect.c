// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl detect: what the library's detector thinks of the values of a file. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <hft/detect.h>
#include <hft/hft.h>

#include "hftctl.h"

#define NS_PER_S	1000000000ULL
#define PER_UNIT	1000000		/* of a time with a decimal point */
#define TIME_MOST	1e13		/* such a time, in its unit */

/**
 * struct rows - a file of "timestamp,value"
 * @name: its
 * @f: it
 * @text: a line, its value cut off
 * @size: of the memory of @text
 * @line: its number
 * @time: of the row
 * @value: as text
 * @number: likewise, as number
 */
struct rows {
	const char *name;
	FILE *f;
	char *text;
	size_t size;
	unsigned int line;
	uint64_t time;
	char *value;
	double number;
};

static int bad_row(const struct rows *rows, const char *reason)
{
	fail(0, "%s:%u: %s", rows->name, rows->line, reason);
	return -EINVAL;
}

/* A fraction of a second, or nothing, and a Z or nothing. */
static bool read_fraction(const char *text, uint64_t *ns)
{
	uint64_t unit = NS_PER_S;

	*ns = 0;
	if (*text == '.') {
		while (*++text >= '0' && *text <= '9') {
			unit /= 10;
			*ns += unit * (uint64_t)(*text - '0');
		}
	}
	return !*text || !strcmp(text, "Z");
}

/* A date and time of UTC, as ISO 8601 has it, or with a blank between the two. */
static bool read_date(const char *text, uint64_t *time)
{
	struct tm tm = {};
	uint64_t ns;
	char *end;
	time_t s;

	end = strptime(text, "%Y-%m-%d", &tm);
	if (!end || (*end != ' ' && *end != 'T'))
		return false;
	end = strptime(end + 1, "%H:%M:%S", &tm);
	if (!end || !read_fraction(end, &ns))
		return false;
	s = timegm(&tm);
	*time = (uint64_t)s * NS_PER_S + ns;
	return s >= 0;
}

static bool read_time(const char *text, uint64_t *time)
{
	double real;

	if (parse_number(text, 10, 0, UINT64_MAX, time) || read_date(text, time))
		return true;
	if (!parse_real(text, 0, TIME_MOST, &real))
		return false;
	*time = (uint64_t)llround(real * PER_UNIT);
	return true;
}

/* Returns 1, 0 at the end of the file, or -errno. */
static int read_line(struct rows *rows)
{
	ssize_t length;
	char *comma;

	errno = 0;
	length = getline(&rows->text, &rows->size, rows->f);
	if (length < 0)
		return errno ? fail(errno, "%s", rows->name) : 0;
	rows->line++;
	if (strlen(rows->text) != (size_t)length)
		return bad_row(rows, "a NUL byte: not a text file");
	rows->text[strcspn(rows->text, "\r\n")] = '\0';
	comma = strrchr(rows->text, ',');
	if (!comma)
		return bad_row(rows, "no comma: a row is \"timestamp,value\"");
	*comma = '\0';
	rows->value = comma + 1;
	return 1;
}

/* A first line that is no row is a header.  Returns as read_line(). */
static int read_row(struct rows *rows)
{
	int ret = read_line(rows);

	if (ret == 1 && rows->line == 1 &&
	    !parse_real(rows->value, -HUGE_VAL, HUGE_VAL, &rows->number))
		ret = read_line(rows);
	if (ret <= 0)
		return ret;
	if (!parse_real(rows->value, 0, HUGE_VAL, &rows->number))
		return bad_row(rows, "the value is no number from 0 on");
	if (!read_time(rows->text, &rows->time))
		return bad_row(rows, "the timestamp is neither a number nor a date and time");
	return 1;
}

static int detect_row(const struct rows *rows, struct hft_detector *detector, double scale)
{
	struct hft_finding finding = { .sz = sizeof(finding) };
	double value = fmin(round(rows->number * scale), 0x1p62);
	int anomaly = hft_detect(detector, rows->time, (uint64_t)value, &finding);

	if (anomaly < 0)
		return bad_row(rows, "the time is before that of the row before");
	printf("%s,%s,%.3f,%s\n", rows->text, rows->value, (double)finding.score / 1000,
	       hft_anomaly_name((enum hft_anomaly)anomaly));
	return 0;
}

static int detect_rows(struct rows *rows, double scale)
{
	struct hft_detector *detector;
	int ret, err = hft_detector_open(&detector);

	if (err)
		return fail_hft(err, NULL);
	puts("timestamp,value,score,kind");
	while ((ret = read_row(rows)) > 0) {
		err = detect_row(rows, detector, scale);
		if (err)
			break;
	}
	hft_detector_close(detector);
	if (fflush(stdout) || ferror(stdout))
		return fail(errno, "standard output");
	return ret < 0 ? ret : err;
}

int detect_file(const char *path, double scale)
{
	bool is_stdin = !strcmp(path, "-");
	struct rows rows = { .name = is_stdin ? "standard input" : path };
	int err;

	rows.f = is_stdin ? stdin : fopen(path, "r");
	if (!rows.f)
		return fail(errno, "%s", path);
	err = detect_rows(&rows, scale);
	free(rows.text);
	if (!is_stdin)
		fclose(rows.f);
	return err;
}
