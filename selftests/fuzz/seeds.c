// SPDX-License-Identifier: GPL-2.0-only
/* Write the files of a log that fuzzers begin with below a folder: make -C selftests/fuzz seeds */
#include <stdio.h>
#include <stdlib.h>

#include <hft/log_store.h>

#include "fuzz.h"

static const struct {
	const char *file;
	const char *fuzzer;
	uint32_t flags;
} seeds[] = {
	{ "stream-7", "log_stream", HFT_LOG_STORE_NO_PACK },
	{ "hft/sites", "log_sites", HFT_LOG_STORE_NO_PACK },
	{ "hft/index", "log_index", HFT_LOG_STORE_NO_PACK },
	{ "hft/seal", "log_seal", HFT_LOG_STORE_NO_PACK },
	{ "stream-7.zst", "log_packed", HFT_LOG_STORE_PACK_ALL },
};

static int copy(const char *log, const char *file, const char *corpus, const char *fuzzer)
{
	char command[1024];

	snprintf(command, sizeof(command), "mkdir -p '%s/%s' && cp '%s/chunk-00000001/%s' '%s/%s/seed'",
		 corpus, fuzzer, log, file, corpus, fuzzer);
	return system(command);
}

int main(int argc, char **argv)
{
	char log[512];
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s CORPUS\n", argv[0]);
		return 2;
	}
	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		snprintf(log, sizeof(log), "%s/log-%zu", fuzz_folder(), i);
		fuzz_write_log(log, seeds[i].flags | HFT_LOG_STORE_BUFFERED |
			       HFT_LOG_STORE_NO_URING);
		if (copy(log, seeds[i].file, argv[1], seeds[i].fuzzer))
			return 1;
	}
	return 0;
}
