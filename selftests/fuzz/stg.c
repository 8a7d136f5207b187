// SPDX-License-Identifier: GPL-2.0-only
/* Graphs of the Standard Task Graph Set. */
#include <string.h>

#include <hftctl/stg.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stg stg;

	memset(&stg, 0, sizeof(stg));
	if (!stg_read(fuzz_file("graph", data, size), &stg))
		stg_free(&stg);
	return 0;
}
