// SPDX-License-Identifier: GPL-2.0-only
/* What a record is replayed from. */
#include <hft/hft.h>
#include <hft/replay.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hft_replay_opts opts = { .sz = sizeof(opts), .max_steps = 10000 };
	struct hft_replay_result result;

	hft_replay(fuzz_file("record", data, size), &opts, &result);
	return 0;
}
