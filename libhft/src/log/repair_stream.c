// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file of a stream without the bytes that are no packets.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../options.h"
#include "../write_all.h"
#include "again.h"
#include "repair.h"

int hft_log_keep_bytes(int fd, const void *bytes, size_t size)
{
	int err = hft_write_all(fd, bytes, size);

	return err ? hft_fail(-err, "write what is kept") : 0;
}

int hft_log_copy(int from_fd, uint64_t offset, uint64_t bytes, int to_fd)
{
	uint8_t buffer[16384];
	int err = 0;

	while (bytes && !err) {
		size_t want = bytes < sizeof(buffer) ? (size_t)bytes : sizeof(buffer);
		ssize_t got = pread(from_fd, buffer, want, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return hft_fail(got ? errno : EIO, "read what is to be kept");
		err = hft_log_keep_bytes(to_fd, buffer, (size_t)got);
		offset += (uint64_t)got;
		bytes -= (uint64_t)got;
	}
	return err;
}

/* What was found in the stream goes into the seal, as it was found. */
static void hft_log_note_finding(void *arg, const struct hft_log_finding *finding)
{
	struct hft_log_repairer *repairer = arg;
	json_t *json;

	json = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I}", "name", finding->file,
			 "kind", hft_log_finding_name(finding->kind),
			 "tampered", finding->verdict == HFT_LOG_IS_TAMPERED,
			 "packet", (json_int_t)finding->packet,
			 "packets", (json_int_t)finding->packets,
			 "offset", (json_int_t)finding->offset);
	json_array_append_new(repairer->cuts, json);
}

int hft_log_say_cut(struct hft_log_repairer *repairer, const char *file, uint64_t bytes)
{
	if (json_array_append_new(repairer->cuts, json_pack("{s:s, s:I}", "name", file,
							    "cut_bytes", (json_int_t)bytes)))
		return hft_fail(ENOMEM, "what was cut");
	return 0;
}

static int hft_log_keep(struct hft_log_repairer *repairer, uint64_t stream,
			const struct hft_log_piece *piece, uint64_t offset)
{
	if (repairer->nr_kept == repairer->room) {
		size_t room = repairer->room ? 2 * repairer->room : 64;
		void *kept = realloc(repairer->kept, room * sizeof(*repairer->kept));

		if (!kept)
			return hft_fail(ENOMEM, "%zu packets", room);
		repairer->kept = kept;
		repairer->room = room;
	}
	repairer->kept[repairer->nr_kept++] = (struct hft_log_kept){
		.stream = stream,
		.from = piece->offset,
		.offset = offset,
		.bytes = piece->bytes,
		.begin = piece->begin,
		.end = piece->end,
		.records = piece->records,
		.number = piece->number,
	};
	return 0;
}

/* Which packets stay, and where: 0 or -errno; @cut: bytes that do not, zeroes not counted */
static int hft_log_choose(struct hft_log_repairer *repairer, struct hft_log_source *source,
			  uint64_t stream, struct hft_log_chain *chain, uint64_t *cut)
{
	struct hft_log_packets *packets = &repairer->verifier.packets;
	struct hft_log_piece piece;
	int err = 0, ret = 0;

	*cut = 0;
	repairer->synced = 0;
	hft_log_packets_begin(packets, source, stream);
	while (!err && (ret = hft_log_packets_next(packets, &piece)) > 0) {
		if (!piece.is_whole) {
			*cut += piece.is_zero ? 0 : piece.bytes;
			continue;
		}
		if (!repairer->has_uuid)
			hft_log_uuid_print(piece.uuid, repairer->uuid);
		repairer->has_uuid = true;
		if (piece.synced > repairer->synced)
			repairer->synced = piece.synced;
		err = hft_log_keep(repairer, stream, &piece, chain->bytes);
		if (!err)
			err = hft_log_chain_count(chain, piece.hash, piece.bytes, piece.records,
						  piece.lost);
	}
	return err ? err : ret < 0 ? ret : 0;
}

int hft_log_create(struct hft_log_repairer *repairer, const char *name, int *fd)
{
	*fd = openat(repairer->chunk_fd, name,
		     O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? hft_fail(errno, "create %s", name) : 0;
}

/* Where there is none, that of the metadata: each chunk has it. */
int hft_log_take_mode(const struct hft_log_repairer *repairer, const char *file, int fd)
{
	struct stat st;

	if (fstatat(repairer->chunk_fd, file, &st, AT_SYMLINK_NOFOLLOW) &&
	    fstatat(repairer->chunk_fd, "metadata", &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (!S_ISREG(st.st_mode) || !fchmod(fd, st.st_mode & 0666))
		return 0;
	return hft_fail(errno, "the mode of %s", file);
}

int hft_log_finish(int fd, int err)
{
	if (!err && fsync(fd))
		err = hft_fail(errno, "sync what is kept");
	close(fd);
	return err;
}

/* The pieces between the packets that stay: of those, the bytes that are not zero */
static int hft_log_save_cut(struct hft_log_repairer *repairer, const char *file, int fd,
			    size_t first, uint64_t size)
{
	uint64_t at = 0, until;
	char name[256];
	int to_fd, err;
	size_t i;

	snprintf(name, sizeof(name), ".cut-%s", file);
	err = hft_log_create(repairer, name, &to_fd);
	if (err)
		return err;
	for (i = first; i <= repairer->nr_kept && !err; i++) {
		until = i < repairer->nr_kept ? repairer->kept[i].from : size;
		err = hft_log_copy(fd, at, until - at, to_fd);
		if (i < repairer->nr_kept)
			at = until + repairer->kept[i].bytes;
	}
	return hft_log_finish(to_fd, err);
}

/* The file anew, where packets move: else its end is cut off when the repair ends. */
static int hft_log_rewrite(struct hft_log_repairer *repairer, const char *file, int fd,
			   size_t first)
{
	char name[256];
	int to_fd, err;
	size_t i;

	hft_log_new_name(file, name);
	err = hft_log_create(repairer, name, &to_fd);
	if (err)
		return err;
	for (i = first; i < repairer->nr_kept && !err; i++)
		err = hft_log_copy(fd, repairer->kept[i].from, repairer->kept[i].bytes, to_fd);
	if (!err)
		err = hft_log_take_mode(repairer, file, to_fd);
	err = hft_log_finish(to_fd, err);
	if (err)
		unlinkat(repairer->chunk_fd, name, 0);
	return err;
}

static int hft_log_cut(struct hft_log_repairer *repairer, const char *file, size_t first,
		       uint64_t cut)
{
	int fd = openat(repairer->chunk_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool moves = false;
	struct stat st;
	int err = 0;
	size_t i;

	if (fd < 0 || fstat(fd, &st)) {
		err = hft_fail(errno, "open %s to cut it", file);
		if (fd >= 0)
			close(fd);
		return err;
	}
	for (i = first; i < repairer->nr_kept; i++)
		moves |= repairer->kept[i].from != repairer->kept[i].offset;
	if (cut && (repairer->how & HFT_LOG_REPAIR_IN_PLACE))
		err = hft_log_save_cut(repairer, file, fd, first, (uint64_t)st.st_size);
	if (!err && moves)
		err = hft_log_rewrite(repairer, file, fd, first);
	close(fd);
	return err;
}

/* What was read of it may not be on the disk: see repair.h. */
static int hft_log_write_again(struct hft_log_repairer *repairer, const char *file, size_t first,
			       const struct hft_log_chain *chain)
{
	struct hft_log_again again;
	size_t i;
	int err;

	err = hft_log_again_open(&again);
	if (err)
		return err;
	err = hft_log_again_begin(&again, repairer->chunk_fd, file);
	if (!err) {
		for (i = first; i < repairer->nr_kept && !err; i++) {
			const struct hft_log_kept *kept = &repairer->kept[i];

			if (kept->number >= repairer->synced)
				err = hft_log_again_packet(&again, kept->from, kept->bytes,
							   chain->hashes[i - first]);
		}
		err = hft_log_again_end(&again, file, err);
	}
	hft_log_again_close(&again);
	return err == -EBADMSG ? hft_fail(EIO, "%s changes while it is read", file) : err;
}

static int hft_log_look(struct hft_log_repairer *repairer, struct hft_log_source *source,
			const char *file, uint64_t stream)
{
	struct hft_log_verifier *verifier = &repairer->verifier;

	verifier->fn = hft_log_note_finding;
	verifier->arg = repairer;
	verifier->file = file;
	hft_log_packets_begin(&verifier->packets, source, stream);
	return hft_log_verify_open(verifier);
}

int hft_log_repair_stream(struct hft_log_repairer *repairer, const char *file)
{
	struct hft_log_source source;
	struct hft_log_chain chain;
	size_t first = repairer->nr_kept;
	uint64_t stream, cut = 0, size;
	char name[256];
	int err;

	if (!hft_log_stream_number(file, &stream))
		return 0;
	/* That of a repair which did not come to its end */
	hft_log_new_name(file, name);
	if (unlinkat(repairer->chunk_fd, name, 0) && errno != ENOENT)
		return hft_fail(errno, "remove %s", name);
	err = hft_log_source_open(&source, repairer->chunk_fd, file);
	if (err)
		return err;
	size = source.bytes;
	err = hft_log_chain_begin(&chain, NULL);
	if (!err)
		err = hft_log_look(repairer, &source, file, stream);
	if (!err)
		err = hft_log_choose(repairer, &source, stream, &chain, &cut);
	hft_log_source_close(&source);
	if (!err && (repairer->how & HFT_LOG_REPAIR_IN_PLACE))
		err = hft_log_write_again(repairer, file, first, &chain);
	if (!err && chain.bytes != size)
		err = hft_log_cut(repairer, file, first, cut);
	if (!err && cut)
		err = hft_log_say_cut(repairer, file, cut);
	if (!err)
		err = hft_log_seal_stream(&repairer->seal, file, &chain);
	hft_log_chain_end(&chain);
	return err;
}
