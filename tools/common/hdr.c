// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A histogram is encoded as version 2 of HdrHistogram: a header, then its counts as ZigZag
 * LEB128, a run of zeroes as one negative number; all that by zlib, and in Base64.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "hdr.h"

/* Of version 2, with counts of variable length; and compressed. */
#define COOKIE			0x1c849313
#define COOKIE_COMPRESSED	0x1c849314

#define DIGITS			2
#define LEAST_HIGHEST		(10ULL * 1000000000)	/* ns */
#define HEADER_BYTES		40
#define COUNT_BYTES		9
#define MOST_BYTES		(HEADER_BYTES + COUNT_BYTES * HFT_HIST_BUCKETS)
#define NS_PER_MS		1000000.0

/**
 * struct bytes - what is encoded
 * @at: bytes
 * @nr: how many
 */
struct bytes {
	unsigned char at[MOST_BYTES];
	size_t nr;
};

static void put_32(struct bytes *bytes, uint32_t value)
{
	value = htobe32(value);
	memcpy(&bytes->at[bytes->nr], &value, sizeof(value));
	bytes->nr += sizeof(value);
}

static void put_64(struct bytes *bytes, uint64_t value)
{
	value = htobe64(value);
	memcpy(&bytes->at[bytes->nr], &value, sizeof(value));
	bytes->nr += sizeof(value);
}

/* Seven bits a byte; the ninth has eight. */
static void put_count(struct bytes *bytes, int64_t count)
{
	uint64_t rest = (uint64_t)count << 1 ^ (uint64_t)(count >> 63);
	int i;

	for (i = 1; i < COUNT_BYTES && rest >> 7; i++, rest >>= 7)
		bytes->at[bytes->nr++] = (unsigned char)(rest | 0x80);
	bytes->at[bytes->nr++] = (unsigned char)rest;
}

static void put_counts(struct bytes *bytes, const struct hft_hist *hist)
{
	uint32_t i, zeroes, end = HFT_HIST_BUCKETS;

	while (end && !hist->bucket[end - 1])
		end--;
	for (i = 0; i < end; i += zeroes ? zeroes : 1) {
		for (zeroes = 0; !hist->bucket[i + zeroes]; zeroes++)
			;
		put_count(bytes, zeroes > 1 ? -(int64_t)zeroes : (int64_t)hist->bucket[i]);
	}
}

static void encode(struct bytes *bytes, const struct hft_hist *hist)
{
	uint64_t most = hft_hist_max(hist);
	double ratio = 1;
	uint64_t bits;

	bytes->nr = 0;
	put_32(bytes, COOKIE);
	put_32(bytes, 0);
	put_32(bytes, 0);
	put_32(bytes, DIGITS);
	put_64(bytes, 1);
	put_64(bytes, most > LEAST_HIGHEST ? most : LEAST_HIGHEST);
	memcpy(&bits, &ratio, sizeof(bits));
	put_64(bytes, bits);
	put_counts(bytes, hist);
	bits = bytes->nr;
	bytes->nr = 4;
	put_32(bytes, (uint32_t)bits - HEADER_BYTES);
	bytes->nr = bits;
}

static void print_base64(FILE *f, const unsigned char *at, size_t nr)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, n;

	for (i = 0; i < nr; i += 3) {
		uint32_t word = (uint32_t)at[i] << 16;

		word |= i + 1 < nr ? (uint32_t)at[i + 1] << 8 : 0;
		word |= i + 2 < nr ? at[i + 2] : 0;
		for (n = 0; n < 4; n++)
			putc(i + n > nr ? '=' : digits[word >> (18 - 6 * n) & 63], f);
	}
}

/* The lines at the begin of a log; @start_s: CLOCK_REALTIME. */
void hdr_begin(FILE *f, double start_s)
{
	fprintf(f, "#[Histogram log format version 1.3]\n"
		"#[StartTime: %.3f (seconds since epoch)]\n"
		"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
		"\"Interval_Compressed_Histogram\"\n", start_s);
}

/**
 * hdr_line() - add a histogram to a log
 * @f: the log
 * @tag: without commas and blanks
 * @hist: of ns
 * @start_s: CLOCK_REALTIME of its begin, s
 * @length_s: from there to its end
 *
 * Return: 0 or -ENOMEM; whether it could be written ferror() tells.
 */
int hdr_line(FILE *f, const char *tag, const struct hft_hist *hist, double start_s,
	     double length_s)
{
	struct bytes *plain = malloc(sizeof(*plain)), *out = malloc(sizeof(*out));
	uLongf size = sizeof(out->at) - 2 * sizeof(uint32_t);
	int err = -ENOMEM;

	if (!plain || !out)
		goto free;
	encode(plain, hist);
	if (compress(&out->at[2 * sizeof(uint32_t)], &size, plain->at, plain->nr) != Z_OK)
		goto free;
	out->nr = 0;
	put_32(out, COOKIE_COMPRESSED);
	put_32(out, (uint32_t)size);
	fprintf(f, "Tag=%s,%.3f,%.3f,%.3f,", tag, start_s, length_s,
		(double)hft_hist_max(hist) / NS_PER_MS);
	print_base64(f, out->at, out->nr + size);
	putc('\n', f);
	err = 0;
free:
	free(plain);
	free(out);
	return err;
}
