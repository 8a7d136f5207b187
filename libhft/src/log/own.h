/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records that the log makes itself, of its stream 0: made, and kept here until the store takes
 * them.  One thread at a time.
 */
#ifndef HFT_LOG_OWN_H
#define HFT_LOG_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hft/log_format.h>

#define LOG_OWN_ROOM	16384
#define LOG_OWN_RECORD	1024
#define LOG_OWN_TEXT	160		/* bytes of a text at most */

/* A record whose fields are put one behind the other: numbers are aligned, texts are not. */
struct log_own_record {
	uint8_t bytes[LOG_OWN_RECORD];
	size_t used;
};

/**
 * struct log_own - what waits
 * @sequence: of the next record
 * @stamp: of the last one
 * @missed: records for which there was no room
 * @used: bytes of @room
 * @room: whole records
 */
struct log_own {
	uint32_t sequence;
	uint64_t stamp;
	uint64_t missed;
	size_t used;
	uint8_t room[LOG_OWN_ROOM];
};

void log_own_begin(struct log_own_record *record);
void log_own_put(struct log_own_record *record, uint64_t number);
void log_own_put_text(struct log_own_record *record, const char *text);

/* Returns false, and counts it: there is no room.  Stamps do not go back. */
bool log_own_add(struct log_own *own, struct log_own_record *record, uint16_t id, uint64_t stamp);

/* The first @bytes of what waits are in the store. */
void log_own_taken(struct log_own *own, size_t bytes);

#endif /* HFT_LOG_OWN_H */
