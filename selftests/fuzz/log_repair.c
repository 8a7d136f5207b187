// SPDX-License-Identifier: GPL-2.0-only
/* A chunk that a crash left open: what reads it, and its repair. */
#include <hft/log_verify.h>

#include "fuzz.h"

static struct fuzz_base bases[] = {
	{ .name = FUZZ_CHUNK "/stream-7" }, { .name = FUZZ_CHUNK "/hft/sites" },
	{ .name = FUZZ_CHUNK "/hft/index" }, { .name = FUZZ_CHUNK "/metadata" },
};

#define BASES	(sizeof(bases) / sizeof(bases[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hft_log_repair_result result = { .sz = sizeof(result) };
	const char *log = fuzz_log();
	size_t i;

	for (i = 0; i < BASES && !bases[i].bytes; i++)
		fuzz_base_read(&bases[i]);
	fuzz_no_file(FUZZ_CHUNK "/hft/seal");
	for (i = 0; i < BASES; i++)
		fuzz_base_write(&bases[i], NULL, 0);
	if (size)
		fuzz_base_write(&bases[data[0] % BASES], data + 1, size - 1);
	fuzz_read_log();
	fuzz_verify_log();
	hft_log_repair(log, NULL, &result);
	fuzz_read_log();
	fuzz_verify_log();
	return 0;
}
