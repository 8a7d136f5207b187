/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_FEED_READER_H
#define HFT_FEED_READER_H

#include <zlib.h>
#include <hft/feed.h>

/* No packet of a network, and no block of a capture of one, is larger. */
#define HFT_FEED_BUFFER	(256 * 1024)

#define HFT_PCAP_INTERFACES	16

struct hft_pcap_interface {
	uint16_t link;
	uint64_t units;			/* time stamps a second */
};

struct hft_feed {
	gzFile file;
	enum hft_feed_kind kind;
	uint64_t odd_lengths;
	uint64_t skipped;
	uint64_t last_arrival;
	char *path;
	uint64_t number;		/* in records; see hft_feed_record() */
	unsigned int generation;	/* of the record that knows of it */
	int (*next)(struct hft_feed *feed, struct hft_packet *packet);

	/* pcap, pcapng */
	bool swapped;
	unsigned int nr_interfaces;
	struct hft_pcap_interface interfaces[HFT_PCAP_INTERFACES];

	unsigned char buffer[HFT_FEED_BUFFER];
};

/* Returns @size, 0 at the end of the file, -ENODATA if it ends in between, or -errno. */
int hft_feed_read(struct hft_feed *feed, void *to, size_t size);

/* pcap.c: take over a file whose first four bytes were read into the buffer; -EBADMSG. */
int hft_pcap_open(struct hft_feed *feed);

#endif /* HFT_FEED_READER_H */
