// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loss of power, at many moments of a log that is written, sealed and compressed: what was
 * said to be on the disk is there, what is not there is told from what was changed, and the
 * log goes on.
 *
 * It needs modules of the kernel, in /modules as tools/vm/fetch-modules gets them.
 * HFT_TEST_SCALE=10 looks at ten times as many moments.
 */
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/log_read.h>
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
#define LOGGED		12000u		/* by hft_log_open(), to each of two rings */
#define LOGGED_MORE	300u		/* after a loss of power */
#define FLUSHED		400u
#define BOOT_ID		"/proc/sys/kernel/random/boot_id"

HFT_LOG_EVENT(log_audit, "test", "audit", HFT_LOG_INFO, HFT_LOG_AUDIT, (u64, number))
HFT_LOG_EVENT(log_plain, "test", "plain", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, number))

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
	static const struct hft_log_store_stream stream = {
		.id = 1, .tid = 1, .cpu = -1, .thread = "one", .policy = "audit", .audit = true,
	};
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

static struct hft_log *open_log(void)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_PACK_ALL,
		 .packet_bytes = 16 << 10, .chunk_bytes = 128 << 10);
	HFT_OPTS(hft_log_opts, opts, .policy = HFT_LOG_BLOCK, .block_ns = WAIT_NS,
		 .ring_bytes = 64 << 10, .audit_bytes = 64 << 10, .store = &store);
	struct hft_log *log;
	int err = hft_log_open(&log, LOG_DIR, &opts);

	if (!err)
		return log;
	fprintf(stderr, "open: %s\n", hft_strerror(err));
	return NULL;
}

static bool log_numbers(uint64_t from, uint64_t nr)
{
	for (; nr--; from++)
		if (log_audit(from) || log_plain(from))
			return false;
	return true;
}

/* Says in the disk's log how many of each ring were flushed. */
static bool log_flushed(void)
{
	struct hft_log *log = open_log();
	uint64_t from;

	for (from = 0; log && from < LOGGED; from += FLUSHED)
		if (!log_numbers(from, FLUSHED) ||
		    hft_log_flush(log, HFT_LOG_FLUSH_SYNC, WAIT_NS) || disk_mark(from + FLUSHED))
			return false;
	return log && !hft_log_close(log);
}

static void print_finding(void *arg, const struct hft_log_finding *finding)
{
	if (finding->verdict == HFT_LOG_IS_TAMPERED)
		fprintf(stderr, "write %llu: chunk %llu %s: %s\n", *(unsigned long long *)arg,
			(unsigned long long)finding->chunk, finding->file, finding->text);
}

/* The disk after the power came back. */
static bool mount_image(const uint8_t *image)
{
	int fd = open("/dev/ram2", O_WRONLY);
	bool written = fd >= 0 && pwrite(fd, image, BYTES, 0) == BYTES && !fsync(fd);

	if (fd >= 0)
		close(fd);
	return written && !mount("/dev/ram2", MOUNTED, "ext4", 0, NULL);
}

/* What is there.  Returns the records, or -1: no log is. */
static int64_t look(const uint8_t *image, uint64_t writes, uint64_t *tampered)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	int err;

	if (!mount_image(image))
		return -2;
	err = hft_log_verify(LOG_DIR, NULL, print_finding, &writes, &result);
	umount(MOUNTED);
	*tampered = result.tampered;
	return err ? -1 : (int64_t)result.records;
}

/* Of a ring: @next: behind the last number that was read; @more: of those after the loss */
struct seen {
	uint64_t next;
	uint64_t more;
};

/* What was flushed is without a gap, nothing is there twice, and what was logged since is. */
static bool see(struct seen *seen, uint64_t number, uint64_t flushed)
{
	if (number >= LOGGED)
		return number == LOGGED + seen->more++;
	if (seen->more || number < seen->next || (number > seen->next && seen->next < flushed))
		return false;
	seen->next = number + 1;
	return true;
}

static bool read_numbers(struct seen seen[2], uint64_t flushed)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "test");
	const char *path = LOG_DIR;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int ret;

	if (hft_log_reader_open(&reader, &path, 1, &opts))
		return false;
	while ((ret = hft_log_reader_next(reader, &view)) > 0)
		if (!see(&seen[!strcmp(view->site->name, "plain")], view->values[0].u, flushed)) {
			fprintf(stderr, "%s %llu of %llu is not in its place\n", view->site->name,
				(unsigned long long)view->values[0].u,
				(unsigned long long)flushed);
			break;
		}
	hft_log_reader_close(reader);
	return !ret;
}

/* The next process goes on with what the loss has left.  Answers what of that is in each ring. */
static bool go_on(uint64_t flushed, uint64_t writes, struct seen seen[2])
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	struct hft_log *log = open_log();

	memset(seen, 0, 2 * sizeof(*seen));
	if (!log || !log_numbers(LOGGED, LOGGED_MORE) || hft_log_close(log))
		return false;
	if (hft_log_verify(LOG_DIR, NULL, print_finding, &writes, &result) || result.tampered)
		return false;
	return read_numbers(seen, flushed) && result.sealed == result.chunks;
}

/* The kernel of the VM did not lose its power: what tells that it was another is changed. */
static bool boot_another(void)
{
	FILE *f = fopen("/tmp/boot_id", "w");

	if (!f)
		return false;
	fputs("01234567-89ab-4cde-8f01-23456789abcd\n", f);
	return !fclose(f) && !mount("/tmp/boot_id", BOOT_ID, NULL, MS_BIND, NULL);
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

/* What is done to the disk by @write, from the beginning.  Answers how many writes there are. */
static bool record_disk(bool (*write)(void), uint8_t *image, uint64_t *writes)
{
	uint8_t *scratch = calloc(1, BYTES);
	struct disk_replay replay;
	bool done;

	mkdir(MOUNTED, 0700);
	if (!scratch || !make_disk(image) || mount(DISK_DEVICE, MOUNTED, "ext4", 0, NULL))
		return false;
	done = write();
	if (umount(MOUNTED) || disk_close() || !done || !disk_replay_open(&replay, "/dev/ram1"))
		return false;
	while (disk_replay_next(&replay, scratch, BYTES))
		;
	*writes = replay.writes;
	close(replay.log);
	free(scratch);
	return !replay.left;
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
	uint8_t *image = calloc(1, BYTES);
	uint64_t cuts = hft_test_scaled(CUTS), writes, step, next, tampered, looked = 0, torn = 0;
	struct disk_replay replay;
	int64_t records;

	if (access("/modules/mke2fs", X_OK))
		SKIP(return, "no modules of the kernel in /modules");
	ASSERT_TRUE(disk_load_all() && image);
	ASSERT_TRUE(record_disk(write_log, image, &writes));
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

TEST_F_TIMEOUT(power, goes_on, 1200)
{
	uint64_t cuts = hft_test_scaled(CUTS / 3), writes, step, next, looked = 0, beyond = 0;
	uint8_t *image = calloc(1, BYTES);
	struct disk_replay replay;
	struct seen seen[2];
	int i;

	if (access("/modules/mke2fs", X_OK))
		SKIP(return, "no modules of the kernel in /modules");
	ASSERT_TRUE(disk_load_all() && image);
	ASSERT_TRUE(record_disk(log_flushed, image, &writes));
	step = writes / cuts ? writes / cuts : 1;

	ASSERT_TRUE(boot_another());
	ASSERT_TRUE(disk_replay_open(&replay, "/dev/ram1"));
	for (next = step; disk_replay_next(&replay, image, BYTES); ) {
		if (replay.writes < next)
			continue;
		next = replay.writes + step;
		ASSERT_TRUE(mount_image(image));
		EXPECT_TRUE(go_on(replay.mark, replay.writes, seen))
			TH_LOG("write %llu", (unsigned long long)replay.writes);
		EXPECT_EQ(umount(MOUNTED), 0);
		for (i = 0; i < 2; i++) {
			EXPECT_GE(seen[i].next, replay.mark);
			EXPECT_EQ(seen[i].more, LOGGED_MORE);
			beyond += seen[i].next > replay.mark;
		}
		looked++;
	}
	EXPECT_EQ(umount(BOOT_ID), 0);
	EXPECT_EQ(replay.left, 0);
	EXPECT_EQ(replay.mark, LOGGED);
	EXPECT_GE(looked, cuts < writes ? cuts / 2 : writes / 2);
	printf("# %llu writes, %llu cuts, %llu rings with records that were not flushed\n",
	       (unsigned long long)writes, (unsigned long long)looked,
	       (unsigned long long)beyond);
	close(replay.log);
	free(image);
}

TEST_HARNESS_MAIN
