// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "own.h"

void log_own_begin(struct log_own_record *record)
{
	memset(record, 0, sizeof(*record));
	record->used = sizeof(struct hft_log_record);
}

void log_own_put(struct log_own_record *record, uint64_t number)
{
	record->used = (record->used + 7) & ~(size_t)7;
	memcpy(record->bytes + record->used, &number, sizeof(number));
	record->used += sizeof(number);
}

void log_own_put_text(struct log_own_record *record, const char *text)
{
	size_t size = strnlen(text, LOG_OWN_TEXT - 1);

	memcpy(record->bytes + record->used, text, size);
	record->used += size;
	record->bytes[record->used++] = '\0';
}

bool log_own_add(struct log_own *own, struct log_own_record *record, uint16_t id, uint64_t stamp)
{
	size_t bytes = (record->used + 7) & ~(size_t)7;
	struct hft_log_record head = {
		.id = id,
		.words = (uint16_t)(bytes / 8),
		.sequence = own->sequence,
		.stamp = stamp > own->stamp ? stamp : own->stamp,
	};

	if (bytes > LOG_OWN_ROOM - own->used) {
		own->missed++;
		return false;
	}
	own->sequence++;
	own->stamp = head.stamp;
	memcpy(record->bytes, &head, sizeof(head));
	memcpy(own->room + own->used, record->bytes, bytes);
	own->used += bytes;
	return true;
}

void log_own_taken(struct log_own *own, size_t bytes)
{
	own->used -= bytes;
	memmove(own->room, own->room + bytes, own->used);
}
