/* SPDX-License-Identifier: GPL-2.0-only */
/* A log of log_make.h in a folder, with keys, and what hft_log_verify() finds there. */
#ifndef HOST_LOG_TAMPER_H
#define HOST_LOG_TAMPER_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hft/hft.h>
#include <hft/log_verify.h>

#include "log_make.h"

static char root_dir[] = "/dev/shm/hft-log-tamper-XXXXXX";
static char log_dir[80], public_pem[80], private_pem[80];
static struct hft_log_key own_key, other_key;

/* What should be found */
struct wanted {
	enum hft_log_finding_kind kind;
	enum hft_log_finding_kind or_kind;
	unsigned int chunk;
	const char *file;		/* NULL: any */
	uint64_t packet;		/* HFT_LOG_NO_PACKET: any */
	bool is_torn;			/* a crash looks the same */
	bool may_be_whole;		/* the same text in other letters */
	bool is_seen;
	char text[4096];
};

static inline void hear(void *arg, const struct hft_log_finding *finding)
{
	struct wanted *wanted = arg;
	size_t length = strlen(wanted->text);

	snprintf(wanted->text + length, sizeof(wanted->text) - length,
		 "  %s (%d): chunk %u %s packet %lld+%u at %llu: %s\n",
		 hft_log_finding_name(finding->kind), finding->verdict,
		 (unsigned int)finding->chunk, finding->file, (long long)finding->packet,
		 (unsigned int)finding->packets, (unsigned long long)finding->offset,
		 finding->text);
	if ((finding->kind != wanted->kind && finding->kind != wanted->or_kind) ||
	    finding->chunk != wanted->chunk ||
	    (wanted->file && strcmp(finding->file, wanted->file)))
		return;
	if (wanted->packet != HFT_LOG_NO_PACKET &&
	    (finding->packet > wanted->packet ||
	     finding->packet + finding->packets <= wanted->packet))
		return;
	wanted->is_seen = true;
}

static inline void verify(struct wanted *wanted, struct hft_log_verify_result *result)
{
	const char *const keys[] = { public_pem };
	const struct hft_log_verify_opts opts = { .sz = sizeof(opts), .nr_keys = 1, .keys = keys };
	int err;

	result->sz = sizeof(*result);
	*wanted->text = '\0';
	err = hft_log_verify(log_dir, &opts, hear, wanted, result);
	if (err)
		fail_msg("%s", hft_strerror(err));
}

static inline void make_key(struct hft_log_key *key)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	FILE *f = fopen(private_pem, "w");

	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	f = fopen(public_pem, "w");
	assert_int_equal(PEM_write_PUBKEY(f, pkey), 1);
	fclose(f);
	EVP_PKEY_free(pkey);
	assert_int_equal(hft_log_key_open(key, private_pem), 0);
}

static inline int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root_dir));
	snprintf(log_dir, sizeof(log_dir), "%s/log", root_dir);
	snprintf(public_pem, sizeof(public_pem), "%s/public.pem", root_dir);
	snprintf(private_pem, sizeof(private_pem), "%s/private.pem", root_dir);
	make_key(&other_key);
	make_key(&own_key);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	hft_log_key_close(&own_key);
	hft_log_key_close(&other_key);
	make_remove(root_dir);
	return 0;
}

static inline void write_log(const struct make_log *log)
{
	mkdir(log_dir, 0755);
	make_write(log, log_dir);
}

static inline const char *name_of(const struct make_file *file)
{
	return strchr(file->path, '/') + 1;
}

static inline struct make_file *find_file(struct make_log *log, unsigned int chunk,
					  const char *name)
{
	unsigned int i;

	for (i = 0; i < log->nr; i++) {
		if (log->files[i].chunk == chunk && !strcmp(name_of(&log->files[i]), name))
			return &log->files[i];
	}
	abort();
}

static inline void resize(struct make_file *file, size_t at, size_t was, const uint8_t *bytes,
			  size_t is)
{
	size_t behind = file->size - at - was;
	uint8_t *room = malloc(file->size - was + is + 1);

	memcpy(room, file->bytes, at);
	if (is)
		memcpy(room + at, bytes, is);
	memcpy(room + at + is, file->bytes + at + was, behind);
	free(file->bytes);
	file->bytes = room;
	file->size = at + is + behind;
}

static inline void want(struct wanted *wanted, const struct make_file *file,
		 enum hft_log_finding_kind kind, uint64_t packet)
{
	wanted->kind = kind;
	wanted->or_kind = kind;
	wanted->chunk = file->chunk;
	wanted->file = name_of(file);
	wanted->packet = packet;
}

#endif /* HOST_LOG_TAMPER_H */
