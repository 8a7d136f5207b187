/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may not be on the disk although it can be read, written once more.
 *
 * The kernel tells an error of writing once, and takes the pages for clean then: the next sync
 * succeeds and means nothing.  So what the file has now is read, compared with its hash, as it
 * may be what was there before, and written, which makes the pages dirty.
 */
#ifndef HFT_LOG_AGAIN_H
#define HFT_LOG_AGAIN_H

#include "verify.h"

struct hft_log_again {
	struct hft_log_source source;
	struct hft_log_digest digest;
	uint8_t *buffer;
	size_t room;
};

int hft_log_again_open(struct hft_log_again *again);
void hft_log_again_close(struct hft_log_again *again);

/* A file of packets: by a descriptor of its own, which reads, too, and is not O_DIRECT. */
int hft_log_again_begin(struct hft_log_again *again, int chunk_fd, const char *file);

/* Return: 0; -EBADMSG: it can not be read any more as it was; or another error. */
int hft_log_again_packet(struct hft_log_again *again, uint64_t offset, uint64_t bytes,
			 const uint8_t hash[HFT_LOG_HASH_BYTES]);

/* Unless there is an @err already: waits until it is on the disk.  Return: @err, or its own. */
int hft_log_again_end(struct hft_log_again *again, const char *file, int err);

/* A file that has at least @bytes, and they are these. */
int hft_log_again_text(int chunk_fd, const char *file, const char *text, size_t bytes);

#endif /* HFT_LOG_AGAIN_H */
