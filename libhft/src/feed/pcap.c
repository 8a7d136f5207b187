// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * MoldUDP64 packets in captures of a network.
 *
 * Sources: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng for the containers,
 * IEEE 802.1Q, RFC 791, RFC 8200 and RFC 768 for what is in them.
 */
#include <errno.h>
#include <string.h>

#include "reader.h"

#define NSEC_PER_SEC		1000000000ULL

#define PCAP_MAGIC_US		0xa1b2c3d4U
#define PCAP_MAGIC_NS		0xa1b23c4dU
#define PCAPNG_SECTION		0x0a0d0d0aU
#define PCAPNG_BYTE_ORDER	0x1a2b3c4dU
#define PCAPNG_INTERFACE	1U
#define PCAPNG_PACKET		6U
#define PCAPNG_TSRESOL		9

#define LINK_ETHERNET		1
#define LINK_RAW		101
#define LINK_LINUX_SLL		113
#define LINK_LINUX_SLL2		276

#define ETHERTYPE_IPV4		0x0800
#define ETHERTYPE_IPV6		0x86dd
#define ETHERTYPE_VLAN		0x8100
#define ETHERTYPE_QINQ		0x88a8
#define PROTOCOL_UDP		17

static uint32_t hft_pcap_u32(const struct hft_feed *feed, const unsigned char *b)
{
	uint32_t value;

	memcpy(&value, b, sizeof(value));
	return feed->swapped ? __builtin_bswap32(value) : value;
}

static uint16_t hft_pcap_u16(const struct hft_feed *feed, const unsigned char *b)
{
	uint16_t value;

	memcpy(&value, b, sizeof(value));
	return feed->swapped ? __builtin_bswap16(value) : value;
}

/* The length of a link's header, and where in it the type of what follows is. */
static bool hft_link_header(uint16_t link, size_t *header, size_t *type_at)
{
	switch (link) {
	case LINK_ETHERNET:
		*header = 14;
		*type_at = 12;
		return true;
	case LINK_LINUX_SLL:
		*header = 16;
		*type_at = 14;
		return true;
	case LINK_LINUX_SLL2:
		*header = 20;
		*type_at = 0;
		return true;
	default:
		return false;
	}
}

/* The length of the header of an IP packet with UDP in it; 0 if it is none. */
static size_t hft_ip_header(unsigned int type, const unsigned char *b, size_t left)
{
	switch (type) {
	case ETHERTYPE_IPV4:
		if (left < 20 || b[9] != PROTOCOL_UDP)
			return 0;
		/* A fragment is no packet: more fragments, or not the first. */
		if (hft_be(b + 6, 2) & 0x3fff)
			return 0;
		return (b[0] & 15u) * 4u;
	case ETHERTYPE_IPV6:
		return left < 40 || b[6] != PROTOCOL_UDP ? 0 : 40;
	default:
		return 0;
	}
}

/* Cut @bytes down to the payload of a UDP packet.  Returns false if it is none. */
static bool hft_udp_payload(const unsigned char **bytes, size_t *size, uint16_t link)
{
	const unsigned char *b = *bytes;
	size_t left = *size, header, type_at, length;
	unsigned int type;

	if (link == LINK_RAW) {
		type = left && b[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	} else {
		if (!hft_link_header(link, &header, &type_at) || left < header)
			return false;
		type = (unsigned int)hft_be(b + type_at, 2);
		b += header;
		left -= header;
	}
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		if (left < 4)
			return false;
		type = (unsigned int)hft_be(b + 2, 2);
		b += 4;
		left -= 4;
	}

	header = hft_ip_header(type, b, left);
	if (header < 20 || left < header + 8)
		return false;
	b += header;
	left -= header;

	length = hft_be(b + 4, 2);
	if (length < 8 || length > left)
		return false;
	*bytes = b + 8;
	*size = length - 8;
	return true;
}

/* Returns whether the frame is a packet of the feed. */
static bool hft_frame_packet(struct hft_feed *feed, struct hft_packet *packet,
			     const unsigned char *frame, size_t size, uint16_t link)
{
	if (hft_udp_payload(&frame, &size, link) && !hft_mold_parse(packet, frame, size))
		return true;
	feed->skipped++;
	return false;
}

static int hft_next_pcap(struct hft_feed *feed, struct hft_packet *packet)
{
	const struct hft_pcap_interface *interface = &feed->interfaces[0];
	unsigned char header[16];
	uint32_t size;
	int ret;

	do {
		ret = hft_feed_read(feed, header, sizeof(header));
		if (ret <= 0)
			return ret;
		size = hft_pcap_u32(feed, header + 8);
		if (size > HFT_FEED_BUFFER)
			return -EBADMSG;
		if (size) {
			ret = hft_feed_read(feed, feed->buffer, size);
			if (ret <= 0)
				return ret ? ret : -ENODATA;
		}
		memset(packet, 0, sizeof(*packet));
		packet->arrival = hft_pcap_u32(feed, header) * NSEC_PER_SEC +
				  hft_pcap_u32(feed, header + 4) *
				  (NSEC_PER_SEC / interface->units);
	} while (!hft_frame_packet(feed, packet, feed->buffer, size, interface->link));
	return 1;
}

static int hft_pcap_header(struct hft_feed *feed)
{
	unsigned char rest[20];
	int ret = hft_feed_read(feed, rest, sizeof(rest));

	if (ret <= 0)
		return -EBADMSG;
	feed->interfaces[0].link = (uint16_t)hft_pcap_u32(feed, rest + 16);
	feed->next = hft_next_pcap;
	return 0;
}

/* Time stamps a second, by option if_tsresol: 10^-n, or 2^-n with the top bit set. */
static uint64_t hft_pcapng_units(const struct hft_feed *feed, const unsigned char *options,
				 size_t size)
{
	uint64_t units = 1;
	unsigned int n;

	while (size >= 4) {
		unsigned int code = hft_pcap_u16(feed, options);
		size_t length = hft_pcap_u16(feed, options + 2);
		size_t padded = (length + 3) & ~3UL;

		if (!code || padded > size - 4)
			break;
		if (code == PCAPNG_TSRESOL && length == 1) {
			n = options[4] & 0x7f;
			if (options[4] & 0x80)
				return n < 63 ? 1ULL << n : 0;
			for (; n && units <= NSEC_PER_SEC * NSEC_PER_SEC; n--)
				units *= 10;
			return n ? 0 : units;
		}
		options += 4 + padded;
		size -= 4 + padded;
	}
	return 1000000;
}

static int hft_pcapng_interface(struct hft_feed *feed, const unsigned char *b, size_t size)
{
	struct hft_pcap_interface *interface;

	if (size < 8 || feed->nr_interfaces == HFT_PCAP_INTERFACES)
		return -EBADMSG;
	interface = &feed->interfaces[feed->nr_interfaces++];
	interface->link = hft_pcap_u16(feed, b);
	interface->units = hft_pcapng_units(feed, b + 8, size - 8);
	return interface->units ? 0 : -EBADMSG;
}

/* Returns 1 for a packet, 0 for none, -EBADMSG. */
static int hft_pcapng_packet(struct hft_feed *feed, struct hft_packet *packet,
			     const unsigned char *b, size_t size)
{
	const struct hft_pcap_interface *interface;
	uint64_t stamp;
	uint32_t id, length;

	if (size < 20)
		return -EBADMSG;
	id = hft_pcap_u32(feed, b);
	length = hft_pcap_u32(feed, b + 12);
	if (id >= feed->nr_interfaces || length > size - 20)
		return -EBADMSG;
	interface = &feed->interfaces[id];
	stamp = (uint64_t)hft_pcap_u32(feed, b + 4) << 32 | hft_pcap_u32(feed, b + 8);

	memset(packet, 0, sizeof(*packet));
	packet->arrival = (uint64_t)((unsigned __int128)stamp * NSEC_PER_SEC / interface->units);
	return hft_frame_packet(feed, packet, b + 20, length, interface->link);
}

/* The body of a section header: byte order first.  A section has interfaces of its own. */
static int hft_pcapng_section(struct hft_feed *feed, const unsigned char *b, size_t size)
{
	uint32_t magic;

	if (size < 16)
		return -EBADMSG;
	memcpy(&magic, b, sizeof(magic));
	if (magic != PCAPNG_BYTE_ORDER && __builtin_bswap32(magic) != PCAPNG_BYTE_ORDER)
		return -EBADMSG;
	feed->swapped = magic != PCAPNG_BYTE_ORDER;
	feed->nr_interfaces = 0;
	return 0;
}

/*
 * Read the rest of a block of @type into the buffer: body and the second length.
 * The length of a section header is in the byte order that its body tells.
 */
static int hft_pcapng_body(struct hft_feed *feed, uint32_t type, size_t *size)
{
	unsigned char *b = feed->buffer;
	size_t got = 0;
	uint32_t length;
	int ret;

	ret = hft_feed_read(feed, b, 4);
	if (ret <= 0)
		return ret ? ret : -ENODATA;
	length = hft_pcap_u32(feed, b);
	if (type == PCAPNG_SECTION) {
		ret = hft_feed_read(feed, b + 4, 4);
		if (ret <= 0)
			return ret ? ret : -ENODATA;
		got = 4;
		feed->swapped = !memcmp(b + 4, "\x1a\x2b\x3c\x4d", 4);
		length = hft_pcap_u32(feed, b);
		memmove(b, b + 4, 4);
	}
	if (length < 12 + got || length % 4 || length > HFT_FEED_BUFFER)
		return -EBADMSG;
	ret = hft_feed_read(feed, b + got, length - 8 - got);
	if (ret <= 0)
		return ret ? ret : -ENODATA;
	*size = length - 12;
	return 0;
}

static int hft_pcapng_block(struct hft_feed *feed, struct hft_packet *packet, uint32_t type)
{
	size_t size;
	int err = hft_pcapng_body(feed, type, &size);

	if (err)
		return err;
	switch (type) {
	case PCAPNG_SECTION:
		return hft_pcapng_section(feed, feed->buffer, size);
	case PCAPNG_INTERFACE:
		return hft_pcapng_interface(feed, feed->buffer, size);
	case PCAPNG_PACKET:
		return hft_pcapng_packet(feed, packet, feed->buffer, size);
	default:
		return 0;
	}
}

static int hft_next_pcapng(struct hft_feed *feed, struct hft_packet *packet)
{
	unsigned char type[4];
	int ret;

	do {
		ret = hft_feed_read(feed, type, sizeof(type));
		if (ret <= 0)
			return ret;
		ret = hft_pcapng_block(feed, packet, hft_pcap_u32(feed, type));
	} while (!ret);
	return ret;
}

int hft_pcap_open(struct hft_feed *feed)
{
	uint32_t magic;

	memcpy(&magic, feed->buffer, sizeof(magic));
	if (magic == PCAPNG_SECTION) {
		struct hft_packet none;

		feed->next = hft_next_pcapng;
		return hft_pcapng_block(feed, &none, PCAPNG_SECTION);
	}
	feed->swapped = __builtin_bswap32(magic) == PCAP_MAGIC_US ||
			__builtin_bswap32(magic) == PCAP_MAGIC_NS;
	if (feed->swapped)
		magic = __builtin_bswap32(magic);
	if (magic != PCAP_MAGIC_US && magic != PCAP_MAGIC_NS)
		return -EBADMSG;
	feed->interfaces[0].units = magic == PCAP_MAGIC_NS ? NSEC_PER_SEC : 1000000;
	return hft_pcap_header(feed);
}
