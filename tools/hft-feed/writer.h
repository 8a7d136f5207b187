/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_FEED_WRITER_H
#define HFT_FEED_WRITER_H

#include <stdint.h>

#include "market.h"

struct writer;

enum format {
	FORMAT_PCAP,			/* ns time stamps, a MoldUDP64 packet in each frame */
	FORMAT_MOLD,			/* the packets alone */
	FORMAT_ITCH,			/* messages behind their lengths */
	FORMATS
};

extern const char *const format_names[FORMATS];

/* Gzipped if @path ends in .gz.  Each function returns 0 or -errno. */
int writer_open(struct writer **writer, const char *path, enum format format);
int writer_packet(struct writer *writer, uint64_t arrival, const struct batch *batch);
/* Also after an error: the file is removed unless all of it was written. */
int writer_close(struct writer *writer);

#endif /* HFT_FEED_WRITER_H */
