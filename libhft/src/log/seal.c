// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The seal of a chunk: hft/seal.  See seal.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "seal.h"

#define HASH		HFT_LOG_HASH_BYTES
#define SEAL		"hft/seal"
#define SEAL_NEW	"hft/.seal"
#define SEAL_PENDING	"hft/.repaired"
#define SEAL_MOST	(1LL << 30)	/* bytes: more is no seal */
#define CANONICAL	(JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY)

void hft_log_hex_print(const uint8_t *bytes, size_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";

	while (size--) {
		*text++ = digits[*bytes >> 4];
		*text++ = digits[*bytes++ & 15];
	}
	*text = '\0';
}

static int hft_log_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is @text such digits for just @size bytes? */
bool hft_log_hex_read(const char *text, uint8_t *bytes, size_t size)
{
	while (size--) {
		int high = hft_log_digit(*text);
		int low = high < 0 ? -1 : hft_log_digit(text[1]);

		if (low < 0)
			return false;
		*bytes++ = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return !*text;
}

static json_t *hft_log_json_hex(const uint8_t *bytes, size_t size)
{
	char *text = malloc(2 * size + 1);
	json_t *json;

	if (!text)
		return NULL;
	hft_log_hex_print(bytes, size, text);
	json = json_string(text);
	free(text);
	return json;
}

void hft_log_uuid_print(const uint8_t u[16], char text[37])
{
	snprintf(text, 37,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		 u[13], u[14], u[15]);
}

bool hft_log_uuid_read(const char *text, uint8_t uuid[16])
{
	char digits[33];
	size_t nr = 0;

	for (; *text && nr < 32; text++) {
		if (*text != '-')
			digits[nr++] = *text;
	}
	digits[nr] = '\0';
	return !*text && hft_log_hex_read(digits, uuid, 16);
}

int hft_log_seal_begin(struct hft_log_sealing *seal, const struct hft_log_seal_opts *opts)
{
	static const uint8_t zeroes[HASH];
	char uuid[37];

	hft_log_uuid_print(opts->uuid, uuid);
	seal->json = json_pack("{s:i, s:s, s:I, s:I, s:o, s:I, s:b, s:[]}",
			       "version", HFT_LOG_SEAL_VERSION,
			       "uuid", uuid,
			       "chunk", (json_int_t)opts->chunk, "first", (json_int_t)opts->first,
			       "previous", hft_log_json_hex(opts->previous ?: zeroes, HASH),
			       "closed", (json_int_t)opts->closed, "final", opts->final, "files");
	return seal->json ? 0 : hft_fail(ENOMEM, "a seal");
}

void hft_log_seal_close(struct hft_log_sealing *seal)
{
	json_decref(seal->json);
	seal->json = NULL;
}

static int hft_log_seal_append(struct hft_log_sealing *seal, json_t *file)
{
	if (json_array_append_new(json_object_get(seal->json, "files"), file))
		return hft_fail(ENOMEM, "a file in the seal");
	return 0;
}

int hft_log_root_of(const uint8_t (*hashes)[HASH], uint64_t nr, uint8_t root[HASH])
{
	struct hft_log_tree tree;
	uint64_t i;
	int err;

	err = hft_log_tree_open(&tree);
	if (err)
		return err;
	for (i = 0; i < nr && !err; i++)
		err = hft_log_tree_add(&tree, hashes[i], HASH);
	if (!err)
		err = hft_log_tree_root(&tree, root);
	hft_log_tree_close(&tree);
	return err;
}

int hft_log_seal_stream(struct hft_log_sealing *seal, const char *name,
			const struct hft_log_chain *chain)
{
	uint8_t root[HASH];
	int err;

	err = hft_log_root_of(chain->hashes, chain->packets, root);
	if (err)
		return err;
	return hft_log_seal_append(seal, json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "name", name,
		"bytes", (json_int_t)chain->bytes, "packets", (json_int_t)chain->packets,
		"records", (json_int_t)chain->records, "lost", (json_int_t)chain->lost,
		"root", hft_log_json_hex(root, HASH),
		"hashes", hft_log_json_hex((const uint8_t *)chain->hashes, chain->packets * HASH)));
}

int hft_log_seal_hash(struct hft_log_sealing *seal, const char *name, uint64_t bytes,
		      const uint8_t hash[HASH])
{
	return hft_log_seal_append(seal, json_pack("{s:s, s:I, s:o}", "name", name,
						   "bytes", (json_int_t)bytes, "sha256",
						   hft_log_json_hex(hash, HASH)));
}

int hft_log_seal_file(struct hft_log_sealing *seal, int chunk_fd, const char *file,
		      const char *name, uint64_t most)
{
	int fd = openat(chunk_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t hash[HASH];
	uint64_t bytes;
	int err;

	if (fd < 0)
		return hft_fail(errno, "open %s to seal it", file);
	err = hft_log_hash_fd(fd, most, &bytes, hash);
	close(fd);
	return err ? err : hft_log_seal_hash(seal, name, bytes, hash);
}

int hft_log_seal_repaired(struct hft_log_sealing *seal, struct json_t *cuts)
{
	if (json_object_set_new(seal->json, "repaired", cuts))
		return hft_fail(ENOMEM, "what was cut");
	return 0;
}

static int hft_log_tree_add_json(struct hft_log_tree *tree, const json_t *json)
{
	char *text = json_dumps(json, CANONICAL);
	int err;

	if (!text)
		return hft_fail(ENOMEM, "the text of a seal");
	err = hft_log_tree_add(tree, text, strlen(text));
	free(text);
	return err;
}

/* What is of the root, and not of what the root is of */
static json_t *hft_log_seal_head(const json_t *json)
{
	json_t *head = json_copy((json_t *)json);

	json_object_del(head, "files");
	json_object_del(head, "root");
	json_object_del(head, "signature");
	json_object_del(head, "key");
	return head;
}

static int hft_log_seal_root(const json_t *json, uint8_t root[HASH])
{
	json_t *head = hft_log_seal_head(json), *file;
	struct hft_log_tree tree;
	size_t i;
	int err;

	err = head ? hft_log_tree_open(&tree) : hft_fail(ENOMEM, "the head of a seal");
	if (err) {
		json_decref(head);
		return err;
	}
	err = hft_log_tree_add_json(&tree, head);
	json_array_foreach(json_object_get(json, "files"), i, file) {
		if (!err)
			err = hft_log_tree_add_json(&tree, file);
	}
	if (!err)
		err = hft_log_tree_root(&tree, root);
	hft_log_tree_close(&tree);
	json_decref(head);
	return err;
}

static int hft_log_seal_sign(struct hft_log_sealing *seal, const struct hft_log_key *key)
{
	uint8_t signature[HFT_LOG_SIGNATURE_BYTES];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_signed;

	is_signed = context &&
		EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		EVP_DigestSign(context, signature, &size, seal->root, HASH) == 1;
	EVP_MD_CTX_free(context);
	if (!is_signed)
		return hft_fail(EIO, "sign with Ed25519");
	if (json_object_set_new(seal->json, "signature", hft_log_json_hex(signature, size)) ||
	    json_object_set_new(seal->json, "key",
				hft_log_json_hex(key->public, HFT_LOG_KEY_BYTES)))
		return hft_fail(ENOMEM, "a signature");
	return 0;
}

int hft_log_seal_end(struct hft_log_sealing *seal, const struct hft_log_key *key)
{
	int err = hft_log_seal_root(seal->json, seal->root);

	if (err)
		return err;
	if (json_object_set_new(seal->json, "root", hft_log_json_hex(seal->root, HASH)))
		return hft_fail(ENOMEM, "the root of a seal");
	return key ? hft_log_seal_sign(seal, key) : 0;
}

/* An error of an earlier write may be told here, and only once. */
static int hft_log_sync(int chunk_fd, const char *name, int flags)
{
	int fd = openat(chunk_fd, name, flags | O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = 0;

	if (fd < 0)
		return hft_fail(errno, "open %s to sync it", name);
	if (fsync(fd))
		err = hft_fail(errno, "sync %s", name);
	close(fd);
	return err;
}

static int hft_log_sync_file(int chunk_fd, const char *name)
{
	char compressed[256];

	if (!faccessat(chunk_fd, name, F_OK, 0) || errno != ENOENT)
		return hft_log_sync(chunk_fd, name, 0);
	snprintf(compressed, sizeof(compressed), "%s.zst", name);
	return hft_log_sync(chunk_fd, compressed, 0);
}

/* Jansson writes and reads descriptors in bytes: by stdio. */
static int hft_log_seal_print(const json_t *json, int fd)
{
	FILE *f = fdopen(fd, "w");
	int err = 0;

	if (!f) {
		close(fd);
		return hft_fail(ENOMEM, "write %s", SEAL_NEW);
	}
	errno = EIO;
	if (json_dumpf(json, f, JSON_INDENT(1)) || putc('\n', f) == EOF || fflush(f) ||
	    fsync(fileno(f)))
		err = hft_fail(errno, "write %s", SEAL_NEW);
	fclose(f);
	return err;
}

static int hft_log_seal_put(const json_t *json, int chunk_fd, const char *name)
{
	int fd = openat(chunk_fd, SEAL_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int err = 0;

	if (fd < 0)
		return hft_fail(errno, "create %s", SEAL_NEW);
	err = hft_log_seal_print(json, fd);
	if (!err && renameat(chunk_fd, SEAL_NEW, chunk_fd, name))
		err = hft_fail(errno, "rename %s", SEAL_NEW);
	if (err)
		unlinkat(chunk_fd, SEAL_NEW, 0);
	return err ? err : hft_log_sync(chunk_fd, "hft", O_DIRECTORY);
}

int hft_log_seal_sync(const struct hft_log_sealing *seal, int chunk_fd)
{
	json_t *file;
	size_t i;
	int err;

	json_array_foreach(json_object_get(seal->json, "files"), i, file) {
		err = hft_log_sync_file(chunk_fd, json_string_value(json_object_get(file, "name")));
		if (err)
			return err;
	}
	err = hft_log_sync(chunk_fd, ".", O_DIRECTORY);
	return err ? err : hft_log_sync(chunk_fd, "..", O_DIRECTORY);
}

int hft_log_seal_save(const struct hft_log_sealing *seal, int chunk_fd)
{
	return hft_log_seal_put(seal->json, chunk_fd, SEAL);
}

int hft_log_seal_write(const struct hft_log_sealing *seal, int chunk_fd)
{
	int err = hft_log_seal_sync(seal, chunk_fd);

	return err ? err : hft_log_seal_save(seal, chunk_fd);
}

int hft_log_seal_write_pending(const struct hft_log_sealing *seal, int chunk_fd)
{
	int err = hft_log_sync(chunk_fd, ".", O_DIRECTORY);

	/* A new index must not be missing once this seal is there: the old one would be cut. */
	if (!err)
		err = hft_log_sync(chunk_fd, "hft", O_DIRECTORY);
	return err ? err : hft_log_seal_put(seal->json, chunk_fd, SEAL_PENDING);
}

int hft_log_seal_end_pending(const struct hft_log_sealing *seal, int chunk_fd)
{
	int err = hft_log_seal_sync(seal, chunk_fd);

	if (!err)
		err = hft_log_sync(chunk_fd, "hft", O_DIRECTORY);
	if (!err && renameat(chunk_fd, SEAL_PENDING, chunk_fd, SEAL))
		err = hft_fail(errno, "rename %s", SEAL_PENDING);
	return err ? err : hft_log_sync(chunk_fd, "hft", O_DIRECTORY);
}

static bool hft_log_is_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool hft_log_is_hex(const json_t *object, const char *key, size_t size)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	return text && json_string_length(value) == 2 * size &&
	       strspn(text, "0123456789abcdef") == 2 * size;
}

/* A name of a file of the chunk: no other place. */
static bool hft_log_is_name(const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || !*text || strlen(text) > 200)
		return false;
	return *text != '/' && *text != '.' && !strstr(text, "/.") && !strstr(text, "//");
}

static bool hft_log_is_stream(const json_t *file)
{
	json_int_t packets = json_integer_value(json_object_get(file, "packets"));

	return hft_log_is_number(file, "packets") && packets < SEAL_MOST / HASH &&
	       hft_log_is_number(file, "records") && hft_log_is_number(file, "lost") &&
	       hft_log_is_hex(file, "root", HASH) &&
	       hft_log_is_hex(file, "hashes", (size_t)packets * HASH);
}

static bool hft_log_is_file(const json_t *file)
{
	if (!hft_log_is_name(json_object_get(file, "name")) || !hft_log_is_number(file, "bytes"))
		return false;
	return json_object_get(file, "sha256") ? hft_log_is_hex(file, "sha256", HASH) :
						 hft_log_is_stream(file);
}

static bool hft_log_is_seal(const json_t *json)
{
	const json_t *files = json_object_get(json, "files"), *file;
	const char *uuid = json_string_value(json_object_get(json, "uuid"));
	uint8_t bytes[16];
	size_t i;

	if (json_integer_value(json_object_get(json, "version")) != HFT_LOG_SEAL_VERSION ||
	    !json_is_array(files) || !uuid || strlen(uuid) != 36 || !hft_log_uuid_read(uuid, bytes))
		return false;
	json_array_foreach((json_t *)files, i, file) {
		if (!hft_log_is_file(file))
			return false;
	}
	return hft_log_is_number(json, "chunk") && hft_log_is_number(json, "first") &&
	       hft_log_is_number(json, "closed") &&
	       json_is_boolean(json_object_get(json, "final")) &&
	       hft_log_is_hex(json, "previous", HASH) && hft_log_is_hex(json, "root", HASH);
}

static bool hft_log_is_loadable(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= SEAL_MOST;
}

static json_t *hft_log_seal_load(int chunk_fd, const char *name)
{
	int fd = openat(chunk_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = EBADMSG;
	json_error_t error;
	json_t *json;
	FILE *f;

	if (fd < 0) {
		hft_fail(errno, "open %s", name);
		return NULL;
	}
	f = hft_log_is_loadable(fd) ? fdopen(fd, "r") : NULL;
	if (!f) {
		close(fd);
		hft_fail(err, "%s is no seal", name);
		errno = err;
		return NULL;
	}
	json = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
	fclose(f);
	if (!json) {
		if (json_error_code(&error) == json_error_out_of_memory)
			err = ENOMEM;
		hft_fail(err, "%s, line %d: %s", name, error.line, error.text);
		errno = err;
	}
	return json;
}

static int hft_log_seal_read_name(struct hft_log_sealing *seal, int chunk_fd, const char *name)
{
	uint8_t said[HASH];
	int err;

	seal->json = hft_log_seal_load(chunk_fd, name);
	if (!seal->json)
		return -errno;
	if (!hft_log_is_seal(seal->json)) {
		hft_log_seal_close(seal);
		return hft_fail(EBADMSG, "%s is no seal of version %d", name, HFT_LOG_SEAL_VERSION);
	}
	err = hft_log_seal_root(seal->json, seal->root);
	hft_log_hex_read(json_string_value(json_object_get(seal->json, "root")), said, HASH);
	if (!err && memcmp(said, seal->root, HASH))
		err = hft_fail(EBADMSG, "%s is not what its root is of", name);
	if (err)
		hft_log_seal_close(seal);
	return err;
}

int hft_log_seal_read(struct hft_log_sealing *seal, int chunk_fd)
{
	return hft_log_seal_read_name(seal, chunk_fd, SEAL);
}

int hft_log_seal_read_pending(struct hft_log_sealing *seal, int chunk_fd)
{
	return hft_log_seal_read_name(seal, chunk_fd, SEAL_PENDING);
}

int hft_log_seal_check_signature(const struct hft_log_sealing *seal,
				 uint8_t public[HFT_LOG_KEY_BYTES])
{
	const json_t *signature = json_object_get(seal->json, "signature");
	const json_t *key = json_object_get(seal->json, "key");
	uint8_t bytes[HFT_LOG_SIGNATURE_BYTES];
	EVP_MD_CTX *context;
	EVP_PKEY *pkey;
	bool is_right;

	if (!signature && !key)
		return 0;
	if (!hft_log_is_hex(seal->json, "signature", sizeof(bytes)) ||
	    !hft_log_is_hex(seal->json, "key", HFT_LOG_KEY_BYTES))
		return hft_fail(EBADMSG, "%s: the signature is none", SEAL);
	hft_log_hex_read(json_string_value(signature), bytes, sizeof(bytes));
	hft_log_hex_read(json_string_value(key), public, HFT_LOG_KEY_BYTES);
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, HFT_LOG_KEY_BYTES);
	context = EVP_MD_CTX_new();
	is_right = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
		EVP_DigestVerify(context, bytes, sizeof(bytes), seal->root, HASH) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	return is_right ? 1 : hft_fail(EBADMSG, "%s: the signature is wrong", SEAL);
}

void hft_log_seal_previous(const struct hft_log_sealing *seal, uint8_t previous[HASH])
{
	const json_t *value = json_object_get(seal->json, "previous");

	hft_log_hex_read(json_string_value(value), previous, HASH);
}
