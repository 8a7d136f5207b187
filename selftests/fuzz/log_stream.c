// SPDX-License-Identifier: GPL-2.0-only
/* A stream of a log, for the reader and the verifier. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_log();
	fuzz_file(FUZZ_CHUNK "/stream-7", data, size);
	fuzz_read_log();
	fuzz_verify_log();
	return 0;
}
