// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Hashes of packets, their tree, and the seal of a chunk. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "log/seal.h"

static void is_hash(const uint8_t *hash, const char *wanted)
{
	char text[HFT_LOG_HEX_BYTES];

	hft_log_hex_print(hash, HFT_LOG_HASH_BYTES, text);
	assert_string_equal(text, wanted);
}

/* The leaves and roots that the tests of Certificate Transparency have. */
static void test_tree(void **state)
{
	static const struct {
		const char *leaf, *root;
	} steps[] = {
		{ "", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
		{ "00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
		{ "10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
		{ "2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
		{ "3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
		{ "40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
		{ "5051525354555657",
		  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
		{ "606162636465666768696a6b6c6d6e6f",
		  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
	};
	struct hft_log_tree tree;
	uint8_t leaf[32], root[HFT_LOG_HASH_BYTES];
	size_t i;

	(void)state;
	assert_int_equal(hft_log_tree_open(&tree), 0);
	assert_int_equal(hft_log_tree_root(&tree, root), 0);
	is_hash(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		size_t size = strlen(steps[i].leaf) / 2;

		assert_true(hft_log_hex_read(steps[i].leaf, leaf, size));
		assert_int_equal(hft_log_tree_add(&tree, leaf, size), 0);
		assert_int_equal(hft_log_tree_root(&tree, root), 0);
		is_hash(root, steps[i].root);
	}
	hft_log_tree_close(&tree);
}

#define PACKET	8192

static void make_packet(uint8_t *bytes, uint64_t number)
{
	struct hft_log_packet *head = (void *)bytes;

	memset(bytes, (int)number + 1, PACKET);
	head->lost = 3 * number;
	head->number = number;
}

static void test_chain(void **state)
{
	uint8_t packet[PACKET], hash[HFT_LOG_HASH_BYTES], last[HFT_LOG_HASH_BYTES];
	const struct hft_log_seal *seal = (void *)(packet + PACKET - sizeof(*seal));
	struct hft_log_chain chain;
	uint64_t i;

	(void)state;
	memset(last, 7, sizeof(last));
	assert_int_equal(hft_log_chain_begin(&chain, last), 0);
	assert_int_equal(hft_log_chain_add(&chain, packet, 4095, 0, 0), -EINVAL);
	for (i = 0; i < 100; i++) {
		make_packet(packet, i);
		assert_int_equal(hft_log_chain_add(&chain, packet, PACKET, 10 + i, i / 2), 0);
		assert_true(seal->magic == HFT_LOG_SEAL_MAGIC && seal->records == 10 + i);
		assert_true(seal->synced == i / 2 && !seal->reserved);
		assert_memory_equal(seal->chain, last, sizeof(last));
		assert_int_equal(hft_log_packet_hash(&chain.digest, packet, PACKET, hash), 0);
		assert_memory_equal(seal->hash, hash, sizeof(hash));
		assert_memory_equal(chain.hashes[i], hash, sizeof(hash));
		memcpy(last, hash, sizeof(last));
	}
	assert_true(chain.packets == 100 && chain.bytes == 100 * PACKET);
	assert_true(chain.records == 1000 + 99 * 50 && chain.lost == 297);
	hft_log_chain_end(&chain);
}

struct place {
	char path[64];
	int fd;
};

static int make_chunk(void **state)
{
	static struct place place;
	int fd;

	strcpy(place.path, "/tmp/hft-log-seal-XXXXXX");
	assert_non_null(mkdtemp(place.path));
	place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place.fd >= 0 && !mkdirat(place.fd, "hft", 0755));
	fd = openat(place.fd, "metadata", O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "abc", 3), 3);
	close(fd);
	close(openat(place.fd, "stream-3.zst", O_WRONLY | O_CREAT, 0644));
	*state = &place;
	return 0;
}

static int drop_chunk(void **state)
{
	static const char *const names[] = {
		"hft/seal", "metadata", "stream-3.zst", "pair.pem", "public.pem"
	};
	struct place *place = *state;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(place->fd, names[i], 0);
	assert_int_equal(unlinkat(place->fd, "hft", AT_REMOVEDIR), 0);
	close(place->fd);
	return rmdir(place->path);
}

static void make_key(const struct place *place, struct hft_log_key *key)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint8_t public[HFT_LOG_KEY_BYTES];
	char path[2][96];
	FILE *f;

	snprintf(path[0], sizeof(path[0]), "%s/pair.pem", place->path);
	snprintf(path[1], sizeof(path[1]), "%s/public.pem", place->path);
	f = fopen(path[0], "w");
	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	f = fopen(path[1], "w");
	assert_int_equal(PEM_write_PUBKEY(f, pkey), 1);
	fclose(f);
	EVP_PKEY_free(pkey);
	assert_int_equal(hft_log_key_open(key, path[0]), 0);
	assert_int_equal(hft_log_key_read(path[1], public), 0);
	assert_memory_equal(public, key->public, sizeof(public));
	assert_int_equal(hft_log_key_read(path[0], public), 0);
	assert_memory_equal(public, key->public, sizeof(public));
}

static void seal_chunk(const struct place *place, const struct hft_log_key *key,
		       struct hft_log_sealing *seal)
{
	const struct hft_log_seal_opts opts = { .uuid = { 1, 2, 255 }, .chunk = 4, .closed = 99 };
	struct hft_log_chain chain;
	uint8_t packet[PACKET];

	assert_int_equal(hft_log_seal_begin(seal, &opts), 0);
	assert_int_equal(hft_log_chain_begin(&chain, NULL), 0);
	make_packet(packet, 0);
	assert_int_equal(hft_log_chain_add(&chain, packet, PACKET, 1, 0), 0);
	assert_int_equal(hft_log_seal_stream(seal, "stream-3", &chain), 0);
	hft_log_chain_end(&chain);
	assert_int_equal(hft_log_seal_file(seal, place->fd, "sites", "sites", 1), -ENOENT);
	assert_int_equal(hft_log_seal_file(seal, place->fd, "metadata", "metadata", UINT64_MAX), 0);
	assert_int_equal(hft_log_seal_end(seal, key), 0);
	assert_int_equal(hft_log_seal_write(seal, place->fd), 0);
}

static void test_seal(void **state)
{
	uint8_t public[HFT_LOG_KEY_BYTES];
	struct hft_log_sealing seal, again;
	struct hft_log_key key;

	make_key(*state, &key);
	assert_int_equal(hft_log_seal_read(&again, ((struct place *)*state)->fd), -ENOENT);
	seal_chunk(*state, NULL, &seal);
	assert_int_equal(hft_log_seal_read(&again, ((struct place *)*state)->fd), 0);
	assert_memory_equal(seal.root, again.root, sizeof(seal.root));
	assert_int_equal(hft_log_seal_check_signature(&again, public), 0);
	hft_log_seal_close(&again);
	hft_log_seal_close(&seal);

	seal_chunk(*state, &key, &seal);
	assert_int_equal(hft_log_seal_read(&again, ((struct place *)*state)->fd), 0);
	assert_int_equal(hft_log_seal_check_signature(&again, public), 1);
	assert_memory_equal(public, key.public, sizeof(public));
	assert_string_equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
			    json_string_value(json_object_get(json_array_get(
				json_object_get(again.json, "files"), 1), "sha256")));
	again.root[5] ^= 1;
	assert_int_equal(hft_log_seal_check_signature(&again, public), -EBADMSG);
	hft_log_seal_close(&again);
	hft_log_seal_close(&seal);
	hft_log_key_close(&key);
}

static void write_seal(const struct place *place, const char *text, size_t size)
{
	int fd = openat(place->fd, "hft/seal", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

/* Whatever is changed in a seal, its root is another one: but in white space. */
static void test_changed(void **state)
{
	struct place *place = *state;
	struct hft_log_sealing seal, again;
	char text[16384], was;
	ssize_t i, size;
	int fd;

	seal_chunk(place, NULL, &seal);
	fd = openat(place->fd, "hft/seal", O_RDONLY);
	size = read(fd, text, sizeof(text));
	close(fd);
	assert_true(size > 0 && size < (ssize_t)sizeof(text));
	for (i = 0; i < size; i++) {
		was = text[i];
		text[i] ^= 1 << i % 7;
		write_seal(place, text, (size_t)size);
		if (hft_log_seal_read(&again, place->fd) == 0) {
			assert_memory_equal(seal.root, again.root, sizeof(seal.root));
			assert_true(json_equal(seal.json, again.json));
			hft_log_seal_close(&again);
		}
		text[i] = was;
	}
	for (i = 0; i < size - 2; i += 7) {
		write_seal(place, text, (size_t)i);
		assert_int_equal(hft_log_seal_read(&again, place->fd), -EBADMSG);
	}
	hft_log_seal_close(&seal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_chain),
		cmocka_unit_test_setup_teardown(test_seal, make_chunk, drop_chunk),
		cmocka_unit_test_setup_teardown(test_changed, make_chunk, drop_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
