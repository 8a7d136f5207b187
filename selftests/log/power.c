// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loss of power, at many moments of a log that is written, sealed and compressed: what was
 * said to be on the disk is there, and what is not there is told from what was changed.
 *
 * It needs modules of the kernel, in /modules as tools/vm/fetch-modules gets them.
 * HFT_TEST_SCALE=10 looks at ten times as many moments.
 */
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>

#include <hft/hft.h>
#include <hft/log_verify.h>

#include "kselftest_harness.h"
#include "hft_test.h"
#include "../../libhft/src/log/store.h"
#include "disk.h"

#define BYTES		(32u << 20)
#define RECORDS		60000u
#define BATCH		500u
#define MOUNTED		"/tmp/power"
#define LOG_DIR		MOUNTED "/log"
#define WAIT_NS		100000000000ull
#define CUTS		40

/* A record of the log */
struct power_record {
	struct hft_log_record head;
	uint64_t number;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static struct hft_log_store *open_store(void)
{
	static const struct hft_log_store_field field = { "number", HFT_LOG_U64 };
	static const struct hft_log_store_site site = {
		HFT_LOG_SITE_FIRST, 3, 1, 1, "count", "test", NULL, "power.c", &field, 0,
	};
	static const struct hft_log_store_stream stream = { 1, 1, -1, "one", "audit", true, 0, 0 };
	static const struct hft_log_store_origin origin = {
		.uuid = { 1 }, .pid = 1, .clock = { "tsc", 1000000000, 0, 0, 0 },
	};
	struct hft_log_store_opts opts = {
		.sz = sizeof(opts), .flags = HFT_LOG_STORE_PACK_ALL, .packet_bytes = 16 << 10,
		.chunk_bytes = 256 << 10,
	};
	struct hft_log_store *store;

	if (hft_log_store_open(&store, LOG_DIR, &origin, &opts))
		return NULL;
	if (hft_log_store_site_add(store, &site) || hft_log_store_stream_add(store, &stream))
		return NULL;
	return store;
}

static void make_batch(struct power_record *batch, uint64_t from)
{
	uint64_t i;

	for (i = 0; i < BATCH; i++)
		batch[i] = (struct power_record){
			.head = { HFT_LOG_SITE_FIRST, sizeof(*batch) / 8, (uint32_t)(from + i),
				  1000 * (from + i) },
			.number = from + i,
		};
}

/* Says in the disk's log how many records were said to be certain. */
static bool note(struct hft_log_store *store, uint64_t *noted)
{
	uint64_t certain = hft_log_store_synced(store, 1) / sizeof(struct power_record);

	if (certain == *noted)
		return true;
	*noted = certain;
	return !disk_mark(certain);
}

static bool append(struct hft_log_store *store, const struct power_record *batch, uint64_t *noted)
{
	size_t at = 0;
	int64_t took;

	while (at < BATCH * sizeof(*batch)) {
		took = hft_log_store_append(store, 1, (const uint8_t *)batch + at,
					    BATCH * sizeof(*batch) - at, 0);
		if (took < 0 && took != -EAGAIN)
			return false;
		at += took > 0 ? (size_t)took : 0;
		hft_log_store_poll(store, now_ns());
		if (!note(store, noted))
			return false;
	}
	return true;
}

static bool write_log(void)
{
	static struct power_record batch[BATCH];
	struct hft_log_store *store = open_store();
	uint64_t from, noted = 0;

	for (from = 0; store && from < RECORDS; from += BATCH) {
		make_batch(batch, from);
		if (!append(store, batch, &noted))
			return false;
	}
	return store && !hft_log_store_flush(store, true, WAIT_NS) && note(store, &noted) &&
		noted == RECORDS && !hft_log_store_close(store, WAIT_NS);
}

static void print_finding(void *arg, const struct hft_log_finding *finding)
{
	if (finding->verdict == HFT_LOG_IS_TAMPERED)
		fprintf(stderr, "write %llu: chunk %llu %s: %s\n", *(unsigned long long *)arg,
			(unsigned long long)finding->chunk, finding->file, finding->text);
}

/* What is there after the power came back.  Returns the records, or -1: no log is. */
static int64_t look(const uint8_t *image, uint64_t writes, uint64_t *tampered)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	int fd = open("/dev/ram2", O_WRONLY), err;
	bool written = fd >= 0 && pwrite(fd, image, BYTES, 0) == BYTES && !fsync(fd);

	if (fd >= 0)
		close(fd);
	if (!written || mount("/dev/ram2", MOUNTED, "ext4", 0, NULL))
		return -2;
	err = hft_log_verify(LOG_DIR, NULL, print_finding, &writes, &result);
	umount(MOUNTED);
	*tampered = result.tampered;
	return err ? -1 : (int64_t)result.records;
}

static bool make_disk(uint8_t *image)
{
	static const char *const command[] = {
		"/modules/mke2fs", "-q", "-F", "-t", "ext4", "-J", "size=4", "/dev/ram0", "32768k",
		NULL,
	};
	int fd;
	bool done;

	if (disk_run(command))
		return false;
	fd = open("/dev/ram0", O_RDONLY);
	done = fd >= 0 && pread(fd, image, BYTES, 0) == BYTES;
	close(fd);
	return done && !disk_open("/dev/ram0", "/dev/ram1", BYTES);
}

FIXTURE(power) {
};

FIXTURE_SETUP(power)
{
}

FIXTURE_TEARDOWN(power)
{
}

TEST_F_TIMEOUT(power, is_lost, 1200)
{
	uint8_t *image = calloc(1, BYTES), *scratch = calloc(1, BYTES);
	uint64_t cuts = hft_test_scaled(CUTS), writes, step, next, tampered, looked = 0, torn = 0;
	struct disk_replay replay;
	int64_t records;

	if (access("/modules/mke2fs", X_OK))
		SKIP(return, "no modules of the kernel in /modules");
	ASSERT_TRUE(disk_load_all());
	ASSERT_TRUE(image && scratch);
	mkdir(MOUNTED, 0700);
	ASSERT_TRUE(make_disk(image));
	ASSERT_EQ(mount(DISK_DEVICE, MOUNTED, "ext4", 0, NULL), 0);
	ASSERT_TRUE(write_log());
	ASSERT_EQ(umount(MOUNTED), 0);
	ASSERT_EQ(disk_close(), 0);

	/* How many writes there are, then all of it again from the beginning. */
	ASSERT_TRUE(disk_replay_open(&replay, "/dev/ram1"));
	while (disk_replay_next(&replay, scratch, BYTES))
		;
	ASSERT_EQ(replay.left, 0);
	writes = replay.writes;
	close(replay.log);
	free(scratch);
	step = writes / cuts ? writes / cuts : 1;

	ASSERT_TRUE(disk_replay_open(&replay, "/dev/ram1"));
	for (next = step; disk_replay_next(&replay, image, BYTES); ) {
		if (replay.writes < next)
			continue;
		next = replay.writes + step;
		tampered = 0;
		records = look(image, replay.writes, &tampered);
		ASSERT_NE(records, -2);
		EXPECT_EQ(tampered, 0);
		EXPECT_GE(records < 0 ? 0 : records, (int64_t)replay.mark);
		torn += records > (int64_t)replay.mark || records < 0;
		looked++;
	}
	EXPECT_EQ(replay.left, 0);
	EXPECT_EQ(replay.mark, RECORDS);
	EXPECT_GE(looked, cuts < writes ? cuts / 2 : writes / 2);
	printf("# %llu writes, %llu cuts, %llu with records that were not said to be there\n",
	       (unsigned long long)writes, (unsigned long long)looked, (unsigned long long)torn);
	close(replay.log);
	free(image);
}

TEST_HARNESS_MAIN
