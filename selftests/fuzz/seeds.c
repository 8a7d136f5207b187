// SPDX-License-Identifier: GPL-2.0-only
/* Write the files of a log that fuzzers begin with below a folder: make -C selftests/fuzz seeds */
#include <stdio.h>
#include <stdlib.h>

#include <hft/log_store.h>

#include "../libhft/record_load.h"
#include "engine/replay.h"
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

/* A short record of a simulated machine, as record.c takes it. */
static int write_record(const char *corpus)
{
	char path[600], log[512], text[16] = "";
	struct hft_recording recording;
	FILE *f;
	size_t i;

	snprintf(log, sizeof(log), "%s/recorded", fuzz_folder());
	snprintf(path, sizeof(path), "%s/record/sim", corpus);
	f = fopen(path, "w");
	if (!f || load_record("sim", log, 1, 40) <= 0 || hft_recording_read(log, 1, &recording))
		return 1;
	memcpy(text, recording.backend, sizeof(recording.backend));
	for (i = 0; i < recording.nr; i++) {
		const struct hft_record *record = &recording.records[i];

		fputc((int)record->kind, f);
		fwrite(record->words, 8, record->nr, f);
		if (record->kind == HFT_RECORD_OPEN)
			fwrite(text, 1, sizeof(text), f);
	}
	hft_recording_free(&recording);
	return fclose(f);
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
	return write_record(argv[1]);
}
