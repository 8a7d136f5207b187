// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read a record.  Nothing in the file is believed before it is checked. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "internal.h"
#include "replay.h"

struct hft_record_source {
	const char *path;
	FILE *file;
	uint64_t offset;		/* of what is read next */
};

static uint32_t get32(const unsigned char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const unsigned char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return le64toh(value);
}

static int bad(const struct hft_record_source *source, const char *what)
{
	return hft_fail(EBADMSG, "%s: %s at offset %llu", source->path, what,
			(unsigned long long)source->offset);
}

/* Returns 0, or -EBADMSG when there are not so many bytes, or why they can not be read. */
static int read_bytes(struct hft_record_source *source, void *to, size_t size)
{
	errno = 0;
	if (fread(to, 1, size, source->file) == size)
		return 0;
	if (ferror(source->file))
		return hft_fail(errno ? errno : EIO, "read %s", source->path);
	return bad(source, "the record is torn: it ends in what begins");
}

static int read_head(struct hft_record_source *source)
{
	unsigned char head[HFT_RECORD_HEAD_BYTES];
	int err = read_bytes(source, head, sizeof(head));

	if (err)
		return err;
	if (memcmp(head, HFT_RECORD_MAGIC, HFT_RECORD_MAGIC_BYTES))
		return bad(source, "this is no record of a handle:");
	source->offset = HFT_RECORD_MAGIC_BYTES;
	if (get32(head + HFT_RECORD_MAGIC_BYTES) != HFT_RECORD_VERSION)
		return bad(source, "the record is of another version of the library:");
	if (get32(head + HFT_RECORD_MAGIC_BYTES + 4))
		return bad(source, "not zero, and reserved:");
	source->offset = HFT_RECORD_HEAD_BYTES;
	return 0;
}

static int read_record(struct hft_record_source *source, struct hft_record *record)
{
	unsigned char bytes[HFT_RECORD_FRAME_BYTES + HFT_RECORD_WORDS * sizeof(uint64_t)];
	size_t size;
	uint32_t i;
	int err = read_bytes(source, bytes, HFT_RECORD_FRAME_BYTES);

	if (err)
		return err;
	*record = (struct hft_record){ .kind = get32(bytes + 4) >> 16 };
	record->nr = get32(bytes + 4) & 0xffff;
	if (!record->nr || record->nr != hft_record_words(record->kind))
		return bad(source, "no kind of record that is known:");
	size = record->nr * sizeof(uint64_t);
	err = read_bytes(source, bytes + HFT_RECORD_FRAME_BYTES, size);
	if (err)
		return err;
	size += HFT_RECORD_FRAME_BYTES;
	if (get32(bytes) != crc32(0, bytes + 4, (uInt)size - 4))
		return bad(source, "the checksum is wrong of the record");
	for (i = 0; i < record->nr; i++)
		record->words[i] = get64(bytes + HFT_RECORD_FRAME_BYTES + i * sizeof(uint64_t));
	if (record->words[0] > HFT_TIME_MAX)
		return bad(source, "a time is out of range in the record");
	source->offset += size;
	return 0;
}

static struct hft_record *add_record(struct hft_recording *recording, size_t *capacity)
{
	size_t wanted = *capacity ? 2 * *capacity : 1024;
	struct hft_record *records;

	if (recording->nr == *capacity) {
		records = reallocarray(recording->records, wanted, sizeof(*records));
		if (!records)
			return NULL;
		recording->records = records;
		*capacity = wanted;
	}
	return &recording->records[recording->nr++];
}

static int read_records(struct hft_record_source *source, struct hft_recording *recording)
{
	struct hft_record *record;
	size_t capacity = 0;
	int err;

	do {
		record = add_record(recording, &capacity);
		if (!record)
			return hft_fail(ENOMEM, "%zu records", recording->nr);
		err = read_record(source, record);
		if (err)
			return err;
		if ((record->kind == HFT_RECORD_OPEN) != (recording->nr == 1))
			return bad(source, "the first record, and no other, is of opening: before");
	} while (record->kind != HFT_RECORD_CLOSE);
	if (fgetc(source->file) != EOF)
		return bad(source, "there is something behind the last record,");
	return 0;
}

/* Returns 0, -EBADMSG when the file is torn or foreign, or why it can not be read. */
int hft_recording_read(const char *path, struct hft_recording *recording)
{
	struct hft_record_source source = { .path = path };
	int err;

	*recording = (struct hft_recording){ .path = path };
	source.file = fopen(path, "re");
	if (!source.file)
		return hft_fail(errno, "open %s", path);
	err = read_head(&source);
	if (!err)
		err = read_records(&source, recording);
	fclose(source.file);
	if (err)
		hft_recording_free(recording);
	return err;
}

void hft_recording_free(struct hft_recording *recording)
{
	free(recording->records);
	recording->records = NULL;
}
