// SPDX-License-Identifier: GPL-2.0-only
/* Rows of hftctl detect. */
#include <hftctl/hftctl.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	detect_file(fuzz_file("rows", data, size), 1000);
	return 0;
}
