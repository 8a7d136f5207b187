// SPDX-License-Identifier: GPL-2.0-only
/* Keys that seals are signed with, and looked at with, in PEM. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "log/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("key.pem", data, size);
	uint8_t public[HFT_LOG_KEY_BYTES];
	struct hft_log_key key;

	if (!hft_log_key_open(&key, path)) {
		if (hft_log_key_read(path, public) || memcmp(public, key.public, sizeof(public)))
			abort();
		hft_log_key_close(&key);
	} else {
		hft_log_key_read(path, public);
	}
	return 0;
}
