// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files of market data, packet by packet, gzipped or not.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/record.h"
#include "../api.h"
#include "reader.h"

/* To tell a plain file by: so many messages in so many bytes. */
#define HFT_DETECT_MESSAGES	16
#define HFT_DETECT_BYTES	(HFT_DETECT_MESSAGES * (2 + HFT_ITCH_MAX_LENGTH))

/* Why there is nothing more to read: 0 at the end, -ENODATA if gzip's end is missing. */
static int hft_feed_end(struct hft_feed *feed)
{
	int error;

	gzerror(feed->file, &error);
	switch (error) {
	case Z_OK:
	case Z_STREAM_END:
		return 0;
	case Z_BUF_ERROR:
		return -ENODATA;
	case Z_ERRNO:
		return errno ? -errno : -EIO;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int hft_feed_read(struct hft_feed *feed, void *to, size_t size)
{
	int ret = gzread(feed->file, to, (unsigned int)size);

	if (ret <= 0)
		return hft_feed_end(feed);
	return (size_t)ret < size ? -ENODATA : ret;
}

/*
 * A plain file: a length of two bytes before each message.  Files are about where
 * it is zero or wrong, so the type's own length counts.
 */
static int hft_next_itch(struct hft_feed *feed, struct hft_packet *packet)
{
	unsigned char *b = feed->buffer;
	const struct hft_itch_type *type;
	int ret;

	ret = hft_feed_read(feed, b, 3);
	if (ret <= 0)
		return ret;
	type = hft_itch_type(b[2]);
	if (!type)
		return -EBADMSG;
	feed->odd_lengths += hft_be(b, 2) != type->length;
	ret = hft_feed_read(feed, b + 3, type->length - 1u);
	if (ret <= 0)
		return ret ? ret : -ENODATA;

	b[0] = 0;
	b[1] = type->length;
	memset(packet, 0, sizeof(*packet));
	packet->arrival = hft_itch_timestamp(b + 2);
	packet->messages = b;
	packet->size = type->length + 2u;
	packet->count = 1;
	return 1;
}

/* Read the messages behind a header that is in the buffer; returns 1 or -errno. */
static int hft_read_mold(struct hft_feed *feed, size_t *size)
{
	unsigned char *b = feed->buffer;
	unsigned int count = (unsigned int)hft_be(b + HFT_MOLD_HEADER - 2, 2);
	size_t length;
	int ret;

	*size = HFT_MOLD_HEADER;
	for (count = count == HFT_MOLD_END ? 0 : count; count; count--) {
		if (HFT_FEED_BUFFER - *size < 2 + HFT_ITCH_MAX_LENGTH)
			return -EBADMSG;
		ret = hft_feed_read(feed, b + *size, 2);
		if (ret <= 0)
			return ret ? ret : -ENODATA;
		length = hft_be(b + *size, 2);
		if (!length || length > HFT_ITCH_MAX_LENGTH)
			return -EBADMSG;
		ret = hft_feed_read(feed, b + *size + 2, length);
		if (ret <= 0)
			return ret ? ret : -ENODATA;
		*size += 2 + length;
	}
	return 1;
}

/* A packet says itself how long it is. */
static int hft_next_mold(struct hft_feed *feed, struct hft_packet *packet)
{
	size_t size;
	int ret = hft_feed_read(feed, feed->buffer, HFT_MOLD_HEADER);

	if (ret <= 0)
		return ret;
	ret = hft_read_mold(feed, &size);
	if (ret < 0)
		return ret;
	memset(packet, 0, sizeof(*packet));
	ret = hft_mold_parse(packet, feed->buffer, size);
	if (ret)
		return ret;
	if (packet->count)
		feed->last_arrival = hft_itch_timestamp(packet->messages + 2);
	packet->arrival = feed->last_arrival;
	return 1;
}

/* seq,a_ns,b_ns,...: the packet arrived when the first of its two copies did. */
static int hft_next_arrival(struct hft_feed *feed, struct hft_packet *packet)
{
	long long sequence, a, b;
	char *line = (char *)feed->buffer;

	do {
		if (!gzgets(feed->file, line, HFT_FEED_BUFFER))
			return hft_feed_end(feed);
		/* The last line may have no end, but it may be cut off, too. */
		if (!strchr(line, '\n') && hft_feed_end(feed))
			return hft_feed_end(feed);
	} while (line[0] == '#' || line[0] == '\n' || !strncmp(line, "seq,", 4));

	if (sscanf(line, "%lld,%lld,%lld", &sequence, &a, &b) != 3 || a < 0 || b < 0)
		return -EBADMSG;
	memset(packet, 0, sizeof(*packet));
	packet->sequence = (uint64_t)sequence;
	packet->arrival = (uint64_t)(a < b ? a : b);
	return 1;
}

/* Many a text begins with a comment: the first line that is none has to be an arrival. */
static bool hft_looks_like_csv(struct hft_feed *feed)
{
	const unsigned char *b = feed->buffer;
	struct hft_packet packet;

	if (hft_feed_read(feed, feed->buffer, 4) <= 0 || (b[0] != '#' && memcmp(b, "seq,", 4)) ||
	    gzrewind(feed->file))
		return false;
	return hft_next_arrival(feed, &packet) != -EBADMSG;
}

/*
 * A session is printable, and what follows makes a packet of it.  Heartbeats have no
 * message that could tell.
 */
static bool hft_looks_like_mold(struct hft_feed *feed)
{
	struct hft_packet packet;
	unsigned int i;
	int ret;

	do {
		ret = hft_next_mold(feed, &packet);
		for (i = 0; ret > 0 && i < 10; i++)
			if (packet.session[i] < ' ' || packet.session[i] > '~')
				ret = -EBADMSG;
	} while (ret > 0 && !packet.count);
	feed->last_arrival = 0;
	return ret > 0;
}

/*
 * Lengths may be wrong, so what tells is that a message follows where the one before it
 * ends.  A text passes that test a few times at most, and has no length that makes sense.
 */
static bool hft_looks_like_itch(struct hft_feed *feed)
{
	const unsigned char *b = feed->buffer;
	int size = gzread(feed->file, feed->buffer, HFT_DETECT_BYTES);
	unsigned int messages = 0, good = 0;
	const struct hft_itch_type *type;
	uint64_t length;

	while (size >= 3) {
		type = hft_itch_type(b[2]);
		if (!type)
			return false;
		length = hft_be(b, 2);
		good += !length || length == type->length;
		messages++;
		b += 2 + type->length;
		size -= 2 + type->length;
	}
	return messages >= HFT_DETECT_MESSAGES || good;
}

/* The first bytes tell: a magic number, a title, or messages. */
static int hft_feed_detect(struct hft_feed *feed)
{
	int ret = hft_feed_read(feed, feed->buffer, 4);

	if (ret <= 0)
		return ret && ret != -ENODATA ? ret : -EBADMSG;
	if (!hft_pcap_open(feed)) {
		feed->kind = HFT_FEED_PCAP;
		return 0;
	}
	if (!gzrewind(feed->file) && hft_looks_like_csv(feed)) {
		feed->kind = HFT_FEED_ARRIVALS;
		feed->next = hft_next_arrival;
	} else if (!gzrewind(feed->file) && hft_looks_like_mold(feed)) {
		feed->kind = HFT_FEED_MOLD;
		feed->next = hft_next_mold;
	} else if (!gzrewind(feed->file) && hft_looks_like_itch(feed)) {
		feed->kind = HFT_FEED_ITCH;
		feed->next = hft_next_itch;
	} else {
		return -EBADMSG;
	}
	return gzrewind(feed->file) ? -EIO : 0;
}

/**
 * hft_feed_open() - open a file of market data
 * @out: the feed
 * @path: ITCH 5.0 (plain, or in MoldUDP64 packets, or these in a pcap or pcapng
 *	file) or a CSV of arrivals (columns seq, a_ns, b_ns); each may be gzipped
 *
 * Return: 0, -EBADMSG for a file of none of these kinds, -ENOMEM, or the error of
 * opening or reading it.
 */
HFT_API int hft_feed_open(struct hft_feed **out, const char *path)
{
	struct hft_feed *feed;
	int err;

	feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	feed->path = strdup(path);
	if (!feed->path) {
		err = -ENOMEM;
		goto free;
	}
	errno = 0;
	feed->file = gzopen(path, "rbe");
	if (!feed->file) {
		err = errno ? -errno : -ENOMEM;
		goto free;
	}
	err = hft_feed_detect(feed);
	if (err)
		goto close;
	*out = feed;
	return 0;
close:
	gzclose(feed->file);
free:
	free(feed->path);
	free(feed);
	return err;
}

/**
 * hft_feed_close() - close a feed
 * @feed: feed, or NULL
 */
HFT_API void hft_feed_close(struct hft_feed *feed)
{
	if (!feed)
		return;
	gzclose(feed->file);
	free(feed->path);
	free(feed);
}

/* What is recorded is what a strategy knew when. */
static void hft_feed_record(struct hft_feed *feed, const struct hft_packet *packet,
			    unsigned int generation)
{
	struct hft_record_packet record = {
		.position = (uint64_t)gztell(feed->file),
		.sequence = packet->sequence,
		.messages = packet->count,
		.arrival = packet->arrival,
	};

	if (feed->generation != generation) {
		feed->number = hft_record_feed(feed->path);
		feed->generation = generation;
	}
	record.feed = feed->number;
	hft_record_packet(&record);
}

/**
 * hft_feed_next() - read the next packet
 * @feed: feed
 * @packet: the packet, valid until the next call
 *
 * While a handle is recorded (HFT_RECORD), so is where in which file the packet ends.
 *
 * Return: 1, 0 at the end, -EBADMSG for bytes that are no packet, -ENODATA for a
 * file that is cut off, -EIO for gzip that is damaged, or the error of reading.
 */
HFT_API int hft_feed_next(struct hft_feed *feed, struct hft_packet *packet)
{
	unsigned int generation = hft_record_log_generation();
	int ret = feed->next(feed, packet);

	if (ret == 1 && __builtin_expect(generation, 0))
		hft_feed_record(feed, packet, generation);
	return ret;
}

/**
 * hft_feed_kind() - what kind of file it is
 * @feed: feed
 */
HFT_API enum hft_feed_kind hft_feed_kind(const struct hft_feed *feed)
{
	return feed->kind;
}

/**
 * hft_feed_odd_lengths() - messages whose length prefix was not their type's length
 * @feed: feed
 */
HFT_API uint64_t hft_feed_odd_lengths(const struct hft_feed *feed)
{
	return feed->odd_lengths;
}

/**
 * hft_feed_skipped() - packets of a capture that are not MoldUDP64
 * @feed: feed
 */
HFT_API uint64_t hft_feed_skipped(const struct hft_feed *feed)
{
	return feed->skipped;
}

/**
 * hft_mold_parse() - take a MoldUDP64 packet apart
 * @packet: the result; its arrival is left alone
 * @bytes: payload of a UDP packet
 * @size: of it
 *
 * A heartbeat and the end of a session are packets without messages.
 *
 * Return: 0, -EBADMSG if that is no MoldUDP64 packet of ITCH 5.0 messages.
 */
HFT_API int hft_mold_parse(struct hft_packet *packet, const void *bytes, size_t size)
{
	const unsigned char *b = bytes;
	size_t offset = HFT_MOLD_HEADER;
	unsigned int i, count;

	if (size < HFT_MOLD_HEADER)
		return -EBADMSG;
	count = (unsigned int)hft_be(b + 18, 2);
	if (count == HFT_MOLD_END)
		count = 0;
	for (i = 0; i < count; i++) {
		size_t length;

		if (size - offset < 2)
			return -EBADMSG;
		length = hft_be(b + offset, 2);
		offset += 2;
		if (size - offset < length || hft_itch_check(b + offset, length) != (int)length)
			return -EBADMSG;
		offset += length;
	}

	memcpy(packet->session, b, 10);
	packet->session[10] = '\0';
	packet->sequence = hft_be(b + 10, 8);
	packet->count = count;
	packet->messages = b + HFT_MOLD_HEADER;
	packet->size = offset - HFT_MOLD_HEADER;
	return 0;
}

/**
 * hft_packet_message() - step through the messages of a packet
 * @packet: packet of a feed
 * @offset: where to go on; 0 at first
 * @size: the message's length
 *
 * Return: a message that hft_itch_check() found good, NULL after the last.
 */
HFT_API const void *hft_packet_message(const struct hft_packet *packet, size_t *offset,
				       size_t *size)
{
	const unsigned char *message;

	if (packet->size - *offset < 2)
		return NULL;
	*size = hft_be(packet->messages + *offset, 2);
	message = packet->messages + *offset + 2;
	*offset += *size + 2;
	return message;
}
