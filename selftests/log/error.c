// SPDX-License-Identifier: GPL-2.0-only
/*
 * A log whose disk answers with errors for a while: each write and each flush of it, by the
 * kernel's own paths.  Audit records wait and say so, plain ones are counted, no flush
 * succeeds; when the disk is well again, all that was taken is there.  And one whose disk is
 * slow: a flush is of what was logged before it, however much is logged meanwhile.
 *
 * The journal is on a disk of its own, which is well: a file system without its journal does
 * not come back.  It needs modules of the kernel, as power.c does.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <hft/log.h>
#include <hft/log_read.h>
#include <hft/log_verify.h>

#include "kselftest_harness.h"
#include "hft_test.h"
#include "disk.h"

#define BYTES		(64u << 20)
#define MOUNTED		"/tmp/error"
#define LOG_DIR		MOUNTED "/log"
#define WAIT_NS		100000000000ull
#define FEW		2000u
#define MANY		1000000u
#define FLUSHES		5u
#define FLUSH_NS	(20 * NSEC_PER_SEC)
#define HOLD_US		30000		/* longer than a step of a flush */

HFT_LOG_EVENT(log_kept, "test", "kept", HFT_LOG_INFO, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_plain, "test", "plain", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, number))

static atomic_uint heard[HFT_LOG_STORE_EVENTS];

static void hear(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	(void)arg;
	(void)err;
	(void)text;
	atomic_fetch_add(&heard[event], 1);
}

static bool make_journal(void)
{
	static const char *const command[] = {
		"/modules/mke2fs", "-q", "-F", "-b", "4096", "-O", "journal_dev", "/dev/ram1",
		"16384k", NULL,
	};

	return !disk_run(command);
}

/* @journal: "device=..." or "size=...", of mke2fs -J */
static bool make_disk(const char *journal)
{
	const char *const command[] = {
		"/modules/mke2fs", "-q", "-F", "-b", "4096", "-t", "ext4", "-J", journal,
		"/dev/ram0", "65536k", NULL,
	};

	mkdir(MOUNTED, 0700);
	return !disk_run(command) && !disk_open_as("linear", "/dev/ram0 0", BYTES) &&
		!mount(DISK_DEVICE, MOUNTED, "ext4", 0, NULL);
}

static int open_log(struct hft_log **log, uint32_t flags)
{
	struct hft_log_store_opts store = {
		.sz = sizeof(store), .flags = flags | HFT_LOG_STORE_NO_PACK,
		.packet_bytes = 16 << 10, .buffers = 8, .notify = hear,
	};
	struct hft_log_opts opts = {
		.sz = sizeof(opts), .ring_bytes = 64 << 10, .audit_bytes = 64 << 10,
		.block_ns = 20 * NSEC_PER_MSEC, .store = &store,
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(heard); i++)
		heard[i] = 0;
	return hft_log_open(log, LOG_DIR, &opts);
}

/* How many of both kinds there are in files. */
static int count_read(uint64_t *kept, uint64_t *plain)
{
	struct hft_log_reader_opts opts = { .sz = sizeof(opts) };
	const char *path = LOG_DIR;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret = hft_log_reader_open(&reader, &path, 1, &opts);

	if (ret)
		return ret;
	*kept = 0;
	*plain = 0;
	while ((ret = hft_log_reader_next(reader, &view)) > 0) {
		if (!view->site->name || strcmp(view->site->subsystem, "test"))
			continue;
		*kept += !strcmp(view->site->name, "kept");
		*plain += !strcmp(view->site->name, "plain");
	}
	hft_log_reader_close(reader);
	return ret;
}

FIXTURE(error) {
	struct hft_log *log;
	uint64_t kept;
	uint64_t plain;
};

FIXTURE_VARIANT(error) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(error, direct) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(error, buffered) {
	.flags = HFT_LOG_STORE_BUFFERED,
};

FIXTURE_VARIANT_ADD(error, pwrite) {
	.flags = HFT_LOG_STORE_BUFFERED | HFT_LOG_STORE_NO_URING,
};

FIXTURE_SETUP(error)
{
	if (access("/modules/mke2fs", X_OK))
		SKIP(return, "no modules of the kernel in /modules");
	self->kept = 0;
	self->plain = 0;
	ASSERT_TRUE(disk_load_all());
	ASSERT_TRUE(make_journal());
	ASSERT_TRUE(make_disk("device=/dev/ram1"));
	ASSERT_EQ(open_log(&self->log, variant->flags), 0);
}

FIXTURE_TEARDOWN(error)
{
}

TEST_F_TIMEOUT(error, is_mended, 300)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	struct hft_log_stats stats = { .sz = sizeof(stats) };
	uint64_t kept, plain, i;
	int err = 0;

	if (!self->log)
		SKIP(return, "no modules of the kernel in /modules");
	for (i = 0; i < FEW; i++)
		self->kept += !log_kept(i);
	ASSERT_EQ(self->kept, FEW);
	ASSERT_EQ(hft_log_flush(self->log, HFT_LOG_FLUSH_SYNC, WAIT_NS), 0);

	ASSERT_EQ(disk_become("error", "", BYTES), 0);
	for (i = 0; i < MANY && err != -ETIMEDOUT; i++) {
		err = log_kept(i);
		self->kept += !err;
	}
	EXPECT_EQ(err, -ETIMEDOUT);
	for (i = 0; i < MANY && err != -ENOBUFS; i++) {
		err = log_plain(i);
		self->plain += !err;
	}
	EXPECT_EQ(err, -ENOBUFS);
	EXPECT_EQ(hft_log_flush(self->log, HFT_LOG_FLUSH_SYNC, 300 * NSEC_PER_MSEC), -EIO);
	EXPECT_GE(heard[HFT_LOG_STORE_TROUBLE], 1);
	EXPECT_EQ(heard[HFT_LOG_STORE_WELL], 0);
	ASSERT_EQ(hft_log_stats(self->log, &stats), 0);
	EXPECT_GE(stats.timeouts, 1);
	EXPECT_GE(stats.lost, 2);

	ASSERT_EQ(disk_become("linear", "/dev/ram0 0", BYTES), 0);
	EXPECT_EQ(hft_log_flush(self->log, HFT_LOG_FLUSH_SYNC, WAIT_NS), 0);
	EXPECT_GE(heard[HFT_LOG_STORE_WELL], 1);
	EXPECT_EQ(heard[HFT_LOG_STORE_LOST], 0);
	for (i = 0; i < FEW; i++)
		self->kept += !log_kept(i);
	EXPECT_EQ(hft_log_close(self->log), 0);

	/* As the disk has it, not as the page cache does. */
	ASSERT_EQ(umount(MOUNTED), 0);
	ASSERT_EQ(disk_close(), 0);
	ASSERT_EQ(mount("/dev/ram0", MOUNTED, "ext4", 0, NULL), 0);
	EXPECT_EQ(hft_log_verify(LOG_DIR, NULL, NULL, NULL, &result), 0);
	EXPECT_EQ(result.tampered, 0);
	EXPECT_EQ(result.torn, 0);
	EXPECT_EQ(count_read(&kept, &plain), 0);
	EXPECT_EQ(kept, self->kept);
	EXPECT_EQ(plain, self->plain);
	EXPECT_EQ(umount(MOUNTED), 0);
}

static atomic_bool ends;

/* A sync is writes of the journal, too, one after the other: it takes some of these. */
static void *slow_down(void *arg)
{
	while (!ends && !disk_hold()) {
		usleep(HOLD_US);
		if (disk_go_on())
			return arg;
	}
	return NULL;
}

static void *log_on(void *arg)
{
	uint64_t *taken = arg, i;

	for (i = 0; !ends; i++) {
		*taken += !log_plain(i);
		usleep(100);
	}
	return NULL;
}

FIXTURE(slow) {
	struct hft_log *log;
	uint64_t plain;
};

FIXTURE_SETUP(slow)
{
	if (access("/modules/mke2fs", X_OK))
		SKIP(return, "no modules of the kernel in /modules");
	self->plain = 0;
	ASSERT_TRUE(disk_load_all());
	ASSERT_TRUE(make_disk("size=4"));
	ASSERT_EQ(open_log(&self->log, 0), 0);
}

FIXTURE_TEARDOWN(slow)
{
}

TEST_F_TIMEOUT(slow, is_flushed, 300)
{
	uint64_t kept, plain;
	pthread_t disk, thread;
	void *failed;
	unsigned int i;

	if (!self->log)
		SKIP(return, "no modules of the kernel in /modules");
	ends = false;
	ASSERT_EQ(pthread_create(&disk, NULL, slow_down, self), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, log_on, &self->plain), 0);
	for (i = 0; i < FLUSHES; i++) {
		EXPECT_EQ(log_kept(i), 0);
		EXPECT_EQ(hft_log_flush(self->log, HFT_LOG_FLUSH_SYNC, FLUSH_NS), 0);
	}
	ends = true;
	pthread_join(thread, NULL);
	pthread_join(disk, &failed);
	EXPECT_EQ(failed, NULL);
	EXPECT_EQ(hft_log_close(self->log), 0);
	EXPECT_EQ(count_read(&kept, &plain), 0);
	EXPECT_EQ(kept, FLUSHES);
	EXPECT_EQ(plain, self->plain);
	ASSERT_EQ(umount(MOUNTED), 0);
	EXPECT_EQ(disk_close(), 0);
}

TEST_HARNESS_MAIN
