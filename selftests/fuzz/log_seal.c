// SPDX-License-Identifier: GPL-2.0-only
/* The seal of a chunk. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_log();
	fuzz_file(FUZZ_CHUNK "/hft/seal", data, size);
	fuzz_verify_log();
	return 0;
}
