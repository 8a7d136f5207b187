// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <hft/feed.h>

#include "writer.h"

#define NSEC_PER_SEC	1000000000ULL
#define PCAP_MAGIC_NS	0xa1b23c4dU
#define LINK_ETHERNET	1
#define SNAP_LENGTH	65535
#define PORT		26400

#define ETHERNET_HEADER	14
#define IP_HEADER	20
#define UDP_HEADER	8

struct writer {
	gzFile file;
	const char *path;
	enum format format;
	int err;			/* the first */
	uint64_t sequence;
};

const char *const format_names[FORMATS] = {
	[FORMAT_PCAP]	= "pcap",
	[FORMAT_MOLD]	= "mold",
	[FORMAT_ITCH]	= "itch",
};

/* Addresses that are for documentation: RFC 5737, RFC 5771, and a MAC of nobody. */
static const unsigned char ethernet_header[ETHERNET_HEADER] = {
	0x01, 0x00, 0x5e, 0x7c, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00
};

static const unsigned char source_address[4] = { 192, 0, 2, 1 };
static const unsigned char group_address[4] = { 233, 252, 0, 1 };
static const char session[10] = "HFT0000001";

static void put_be(unsigned char *to, uint64_t value, unsigned int size)
{
	while (size--) {
		to[size] = (unsigned char)value;
		value >>= 8;
	}
}

static void write_bytes(struct writer *writer, const void *bytes, size_t size)
{
	if (!writer->err && gzwrite(writer->file, bytes, (unsigned int)size) != (int)size)
		writer->err = errno ? -errno : -EIO;
}

static void write_u32(struct writer *writer, uint32_t value)
{
	write_bytes(writer, &value, sizeof(value));
}

static uint16_t ip_checksum(const unsigned char *header)
{
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < IP_HEADER; i += 2)
		sum += (uint32_t)hft_be(header + i, 2);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void make_ip_header(unsigned char *ip, size_t payload)
{
	memset(ip, 0, IP_HEADER);
	ip[0] = 0x45;
	put_be(ip + 2, IP_HEADER + UDP_HEADER + payload, 2);
	put_be(ip + 6, 0x4000, 2);		/* do not fragment */
	ip[8] = 16;				/* time to live */
	ip[9] = 17;				/* UDP */
	memcpy(ip + 12, source_address, 4);
	memcpy(ip + 16, group_address, 4);
	put_be(ip + 10, ip_checksum(ip), 2);
}

static void write_record(struct writer *writer, uint64_t arrival, size_t payload)
{
	uint32_t size = (uint32_t)(ETHERNET_HEADER + IP_HEADER + UDP_HEADER + payload);

	write_u32(writer, (uint32_t)(arrival / NSEC_PER_SEC));
	write_u32(writer, (uint32_t)(arrival % NSEC_PER_SEC));
	write_u32(writer, size);
	write_u32(writer, size);
}

static void write_frame(struct writer *writer, size_t payload)
{
	unsigned char frame[ETHERNET_HEADER + IP_HEADER + UDP_HEADER];
	unsigned char *ip = frame + ETHERNET_HEADER;
	unsigned char *udp = ip + IP_HEADER;

	memcpy(frame, ethernet_header, ETHERNET_HEADER);
	make_ip_header(ip, payload);
	put_be(udp, PORT, 2);
	put_be(udp + 2, PORT, 2);
	put_be(udp + 4, UDP_HEADER + payload, 2);
	put_be(udp + 6, 0, 2);			/* no checksum */
	write_bytes(writer, frame, sizeof(frame));
}

static void write_mold(struct writer *writer, const struct batch *batch)
{
	unsigned char mold[HFT_MOLD_HEADER];

	memcpy(mold, session, sizeof(session));
	put_be(mold + 10, writer->sequence, 8);
	put_be(mold + 18, batch->count, 2);
	write_bytes(writer, mold, sizeof(mold));
}

static void write_file_header(struct writer *writer)
{
	write_u32(writer, PCAP_MAGIC_NS);
	write_u32(writer, 4 << 16 | 2);		/* version 2.4, as two half words */
	write_u32(writer, 0);
	write_u32(writer, 0);
	write_u32(writer, SNAP_LENGTH);
	write_u32(writer, LINK_ETHERNET);
}

int writer_packet(struct writer *writer, uint64_t arrival, const struct batch *batch)
{
	size_t payload = HFT_MOLD_HEADER + batch->size;

	if (writer->format == FORMAT_PCAP) {
		write_record(writer, arrival, payload);
		write_frame(writer, payload);
	}
	if (writer->format != FORMAT_ITCH)
		write_mold(writer, batch);
	write_bytes(writer, batch->bytes, batch->size);
	writer->sequence += batch->count;
	return writer->err;
}

int writer_open(struct writer **out, const char *path, enum format format)
{
	size_t length = strlen(path);
	bool zip = length > 3 && !strcmp(path + length - 3, ".gz");
	struct writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	errno = 0;
	writer->file = gzopen(path, zip ? "wbe" : "wbeT");
	if (!writer->file) {
		int err = errno ? -errno : -ENOMEM;

		free(writer);
		return err;
	}
	writer->path = path;
	writer->format = format;
	writer->sequence = 1;
	if (format == FORMAT_PCAP)
		write_file_header(writer);
	*out = writer;
	return 0;
}

/* Not if it is a device. */
static void remove_file(const char *path)
{
	struct stat stat;

	if (!lstat(path, &stat) && S_ISREG(stat.st_mode))
		unlink(path);
}

int writer_close(struct writer *writer)
{
	int err;

	errno = 0;
	if (gzclose(writer->file) && !writer->err)
		writer->err = errno ? -errno : -EIO;
	err = writer->err;
	if (err)
		remove_file(writer->path);
	free(writer);
	return err;
}
