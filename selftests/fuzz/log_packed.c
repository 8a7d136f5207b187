// SPDX-License-Identifier: GPL-2.0-only
/* A compressed stream. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_log();
	fuzz_no_file(FUZZ_CHUNK "/stream-7");
	fuzz_file(FUZZ_CHUNK "/stream-7.zst", data, size);
	fuzz_read_log();
	fuzz_verify_log();
	return 0;
}
