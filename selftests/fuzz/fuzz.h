/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A fuzzer is a function that is given bytes and must come back.  libFuzzer calls it, or main.c
 * with each file of a folder.
 */
#ifndef HFT_FUZZ_H
#define HFT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Path of a folder of this process's in memory, which goes when it ends. */
const char *fuzz_folder(void);

/* @data in a file of that name there; the path is valid until the next call. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
void fuzz_no_file(const char *name);
void fuzz_make_folder(const char *name);
void fuzz_no_folder(const char *name);

/* edit.c: a file there as it was when it was whole, to be written anew with edits. */
struct fuzz_base {
	const char *name;
	uint8_t *bytes;
	size_t size;
};

void fuzz_base_read(struct fuzz_base *base);
void fuzz_base_write(const struct fuzz_base *base, const uint8_t *data, size_t size);

/* log.c: a log with a chunk of one stream there, "log", all of whose files are whole. */
#define FUZZ_CHUNK	"log/chunk-00000001"

const char *fuzz_log(void);
void fuzz_write_log(const char *dir, uint32_t flags);	/* enum hft_log_store_flags */

/* Read it in all ways. */
void fuzz_read_log(void);
void fuzz_verify_log(void);

#endif /* HFT_FUZZ_H */
