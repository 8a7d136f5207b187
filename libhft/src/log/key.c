// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Ed25519 keys (RFC 8032) in PEM files, for the seals of a log.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "../options.h"
#include "seal.h"

/* No terminal is asked for the words that a key may be encrypted with. */
static int hft_log_no_password(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int hft_log_key_public(EVP_PKEY *pkey, const char *path, uint8_t public[HFT_LOG_KEY_BYTES])
{
	size_t size = HFT_LOG_KEY_BYTES;

	if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519)
		return hft_fail(EINVAL, "%s: a key for something other than Ed25519", path);
	if (EVP_PKEY_get_raw_public_key(pkey, public, &size) != 1 || size != HFT_LOG_KEY_BYTES)
		return hft_fail(EINVAL, "%s: the public key", path);
	return 0;
}

int hft_log_key_open(struct hft_log_key *key, const char *path)
{
	FILE *f = fopen(path, "re");
	int err;

	if (!f)
		return hft_fail(errno, "open the key %s", path);
	key->pkey = PEM_read_PrivateKey(f, NULL, hft_log_no_password, NULL);
	fclose(f);
	if (!key->pkey)
		return hft_fail(EINVAL, "%s: no private key in PEM that is not encrypted", path);
	err = hft_log_key_public(key->pkey, path, key->public);
	if (err)
		hft_log_key_close(key);
	return err;
}

int hft_log_fail_key(void)
{
	return hft_fail(EKEYREJECTED, "the seals of this log are signed, and no key to sign more "
			"with was given (--key of hft-log)");
}

void hft_log_key_close(struct hft_log_key *key)
{
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}

int hft_log_key_read(const char *path, uint8_t public[HFT_LOG_KEY_BYTES])
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *pkey;
	int err;

	if (!f)
		return hft_fail(errno, "open the key %s", path);
	pkey = PEM_read_PUBKEY(f, NULL, hft_log_no_password, NULL);
	if (!pkey) {
		rewind(f);
		pkey = PEM_read_PrivateKey(f, NULL, hft_log_no_password, NULL);
	}
	fclose(f);
	if (!pkey)
		return hft_fail(EINVAL, "%s: no key in PEM", path);
	err = hft_log_key_public(pkey, path, public);
	EVP_PKEY_free(pkey);
	return err;
}
