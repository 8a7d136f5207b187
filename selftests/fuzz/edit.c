// SPDX-License-Identifier: GPL-2.0-only
/* Files that have to belong together: a fuzzer changes one, by edits, and not all of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define EDIT_BYTES	4		/* what, a count, where */
#define BLOCK		64

enum { EDIT_CUT, EDIT_ZERO, EDIT_ADD, EDIT_PUT, EDITS };

void fuzz_base_read(struct fuzz_base *base)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), base->name);
	f = fopen(path, "r");
	if (!f || fseek(f, 0, SEEK_END)) {
		perror(path);
		exit(2);
	}
	base->size = (size_t)ftell(f);
	rewind(f);
	base->bytes = malloc(base->size + 1);
	if (fread(base->bytes, 1, base->size, f) != base->size) {
		perror(path);
		exit(2);
	}
	fclose(f);
}

/* Returns how many bytes of @data it took. */
static size_t edit(uint8_t *bytes, size_t *size, const uint8_t *data, size_t left)
{
	size_t at = (size_t)(data[2] | data[3] << 8) % *size, count = data[1];
	size_t room = *size - at, put = count % 16;
	uint64_t number;

	switch (data[0] % EDITS) {
	case EDIT_CUT:
		*size = at ? at : 1;
		return EDIT_BYTES;
	case EDIT_ZERO:
		memset(bytes + at, 0, count * BLOCK < room ? count * BLOCK : room);
		return EDIT_BYTES;
	case EDIT_ADD:
		if (room < sizeof(number))
			return EDIT_BYTES;
		memcpy(&number, bytes + at, sizeof(number));
		number += (uint64_t)(int8_t)count;
		memcpy(bytes + at, &number, sizeof(number));
		return EDIT_BYTES;
	default:
		put = put < room ? put : room;
		put = put < left - EDIT_BYTES ? put : left - EDIT_BYTES;
		memcpy(bytes + at, data + EDIT_BYTES, put);
		return EDIT_BYTES + put;
	}
}

void fuzz_base_write(const struct fuzz_base *base, const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(base->size + 1);
	size_t length = base->size, took;

	memcpy(bytes, base->bytes, length);
	for (; size >= EDIT_BYTES && length; data += took, size -= took)
		took = edit(bytes, &length, data, size);
	fuzz_file(base->name, bytes, length);
	free(bytes);
}
