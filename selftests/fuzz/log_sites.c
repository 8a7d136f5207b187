// SPDX-License-Identifier: GPL-2.0-only
/* What a chunk says of its clock, streams and call sites: formats, too. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_log();
	fuzz_file(FUZZ_CHUNK "/hft/sites", data, size);
	fuzz_read_log();
	return 0;
}
