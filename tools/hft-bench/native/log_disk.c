// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the log takes to the disk: records per second of one thread, none lost, in turns with
 * the disk's own bandwidth, and what a record takes there when it is compressed.
 *
 * HFT_BENCH_DIR is the folder, on the disk to be measured; default /var/tmp.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <liburing.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HFT_LOG_SUBSYSTEM "bench"
#include <hft/log.h>

#include "quantile.h"

#define ROUNDS		5
#define RECORDS		10000000ull
#define RECORD_BYTES	40		/* of u64, u32 and double */
#define BLOCK		(1u << 20)
#define DEPTH		32
#define DISK_BYTES	(RECORDS * RECORD_BYTES)
#define WANTED		20e6		/* records/s: enough, however fast the disk is */
#define WAIT_NS		60000000000ull
#define FLOW		500000u		/* records of the order flow */
#define SYMBOLS		200u

static char dir[256];

HFT_LOG_EVENT(log_new, "trade", "new", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, order),
	      (symbol, symbol), (u64, side), (double, price), (u64, quantity))
HFT_LOG_EVENT(log_cancel, "trade", "cancel", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, order),
	      (symbol, symbol), (u64, reason))
HFT_LOG_EVENT(log_fill, "trade", "fill", HFT_LOG_INFO, HFT_LOG_PLAIN, (u64, order),
	      (symbol, symbol), (double, price), (u64, quantity))

static void die(const char *what, int err)
{
	fprintf(stderr, "log_disk: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t disk_bytes;

static int add_file(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	disk_bytes += type == FTW_F ? (uint64_t)stat->st_size : 0;
	return 0;
}

static int remove_file(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(const char *path)
{
	nftw(path, remove_file, 16, FTW_DEPTH | FTW_PHYS);
}

static void leave(void)
{
	remove_all(dir);
}

static void write_block(struct io_uring *ring, int fd, const void *block, uint64_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		die("a request", ENOMEM);
	io_uring_prep_write_fixed(sqe, fd, block, BLOCK, offset, 0);
	io_uring_submit(ring);
}

static void wait_block(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int err = io_uring_wait_cqe(ring, &cqe);

	if (err)
		die("waiting for the disk", err);
	if (cqe->res != BLOCK)
		die("writing to the disk", cqe->res < 0 ? cqe->res : EIO);
	io_uring_cqe_seen(ring, cqe);
}

/* Bytes per second of the disk alone: as the log writes, past the page cache, 32 at a time */
static double time_disk(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600);
	void *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec vector = { block, BLOCK };
	struct io_uring ring;
	uint64_t at = 0, done = 0;
	double begin, took;

	if (fd < 0)
		die("a file past the page cache", errno);
	if (io_uring_queue_init(DEPTH, &ring, 0) || io_uring_register_buffers(&ring, &vector, 1))
		die("io_uring", ENOSYS);
	memset(block, 0xa5, BLOCK);
	begin = seconds();
	while (done < DISK_BYTES) {
		for (; at < DISK_BYTES && at - done < DEPTH * (uint64_t)BLOCK; at += BLOCK)
			write_block(&ring, fd, block, at);
		wait_block(&ring);
		done += BLOCK;
	}
	took = seconds() - begin;
	io_uring_queue_exit(&ring);
	munmap(block, BLOCK);
	close(fd);
	unlink(path);
	return (double)DISK_BYTES / took;
}

static struct hft_log *open_log(const char *path, uint32_t flags)
{
	struct hft_log_store_opts store = {
		.sz = sizeof(store), .flags = flags, .sync = HFT_LOG_SYNC_NONE,
	};
	struct hft_log_opts opts = {
		.sz = sizeof(opts), .policy = HFT_LOG_BLOCK, .ring_bytes = 16 << 20,
		.block_ns = WAIT_NS, .store = &store,
	};
	struct hft_log *log;
	int err = hft_log_open(&log, path, &opts);

	if (err)
		die("opening a log", err);
	return log;
}

static void close_log(struct hft_log *log)
{
	struct hft_log_stats stats = { .sz = sizeof(stats) };
	int err = hft_log_stats(log, &stats);

	if (err || stats.lost)
		die("records were lost", err ? err : ENOBUFS);
	err = hft_log_close(log);
	if (err)
		die("closing a log", err);
}

/* Records per second, from the first call until the last is in its file */
static double time_log(const char *path)
{
	struct hft_log *log = open_log(path, HFT_LOG_STORE_NO_PACK);
	double begin = seconds(), took;
	uint64_t i;
	int err = 0;

	for (i = 0; !err && i < RECORDS; i++)
		err = hft_log(HFT_LOG_INFO, "order %lu of %u at %f", (unsigned long)i,
			      (unsigned int)i % 1000, (double)i * 0.01);
	if (!err)
		err = hft_log_flush(log, 0, WAIT_NS);
	if (err)
		die("logging", err);
	took = seconds() - begin;
	close_log(log);
	remove_all(path);
	return (double)RECORDS / took;
}

static uint64_t random_bits(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static double random_real(void)
{
	return (double)(random_bits() >> 11) * 0x1p-53;
}

/*
 * @popular: sums of how often each symbol is traded: the n-th by 1/n of the first
 * @order: of the last orders: its id and its symbol
 */
static struct flow {
	char symbol[SYMBOLS][8];
	int64_t ticks[SYMBOLS];
	double popular[SYMBOLS];
	uint64_t order[4096];
	uint32_t of[4096];
	uint32_t live;
	uint64_t last;
} flow;

static void init_flow(void)
{
	double sum = 0;
	uint32_t i, k;

	for (i = 0; i < SYMBOLS; i++) {
		for (k = 0; k < 2 + random_bits() % 3; k++)
			flow.symbol[i][k] = (char)('A' + random_bits() % 26);
		flow.ticks[i] = 1000 + (int64_t)(random_bits() % 40000);
		sum += 1.0 / (i + 1);
		flow.popular[i] = sum;
	}
}

static uint32_t pick_symbol(void)
{
	double at = random_real() * flow.popular[SYMBOLS - 1];
	uint32_t i = 0;

	while (i < SYMBOLS - 1 && flow.popular[i] < at)
		i++;
	return i;
}

static uint64_t round_lots(void)
{
	return 100 * (random_bits() % 8 ? 1 : 1 + random_bits() % 20);
}

static int new_order(void)
{
	uint32_t i = pick_symbol();

	flow.ticks[i] += (int64_t)(random_bits() % 5) - 2;
	flow.order[flow.live] = ++flow.last;
	flow.of[flow.live++] = i;
	return log_new(flow.last, flow.symbol[i], random_bits() & 1, (double)flow.ticks[i] * 0.01,
		       round_lots());
}

/* An order is cancelled, or a sixth of the time filled. */
static int end_order(void)
{
	uint32_t n = (uint32_t)(random_bits() % flow.live), i = flow.of[n];
	uint64_t order = flow.order[n];

	flow.order[n] = flow.order[--flow.live];
	flow.of[n] = flow.of[flow.live];
	if (random_bits() % 6)
		return log_cancel(order, flow.symbol[i], 0);
	return log_fill(order, flow.symbol[i], (double)flow.ticks[i] * 0.01, round_lots());
}

/* The stamps are the real ones: the flow takes its time, 3 us on average. */
static void pause_flow(void)
{
	double until = seconds() - log(1 - random_real()) * 3e-6;

	while (seconds() < until)
		;
}

/* Bytes of all files of a log of orders, for each of its records */
static double measure_bytes(const char *path)
{
	struct hft_log *log = open_log(path, HFT_LOG_STORE_PACK_ALL);
	uint32_t i;
	int err = 0;

	init_flow();
	for (i = 0; !err && i < FLOW; i++) {
		pause_flow();
		err = flow.live < 100 || (flow.live < 4096 && random_bits() & 1) ? new_order() :
			end_order();
	}
	if (err)
		die("logging", err);
	close_log(log);
	disk_bytes = 0;
	nftw(path, add_file, 16, FTW_PHYS);
	remove_all(path);
	return (double)disk_bytes / FLOW;
}

int main(void)
{
	const char *base = getenv("HFT_BENCH_DIR");
	double disk[ROUNDS], rate[ROUNDS], disk_records, own;
	char path[300];
	int i;

	snprintf(dir, sizeof(dir), "%.200s/hft-log-disk-XXXXXX", base ? base : "/var/tmp");
	if (!mkdtemp(dir))
		die(dir, errno);
	atexit(leave);
	snprintf(path, sizeof(path), "%s/log", dir);
	for (i = 0; i < ROUNDS; i++) {
		disk[i] = time_disk(path);
		rate[i] = time_log(path);
	}
	own = median(disk, ROUNDS);
	disk_records = own / RECORD_BYTES;
	printf("figure log_records_per_s %.0f\n", median(rate, ROUNDS));
	printf("peer log_records_per_s %.0f 20 M/s, or the disk's own bandwidth\n",
	       fmin(disk_records, WANTED));
	printf("note log_records_per_s: records of %u bytes, io_uring and O_DIRECT where there are; "
	       "the disk alone in the same run: %.0f MB/s\n", RECORD_BYTES, own * 1e-6);
	printf("figure log_bytes %.2f\n", measure_bytes(path));
	printf("note log_bytes: %u orders, cancels and fills of %u symbols, 48 bytes each before, "
	       "with the log's metadata, index and seal\n", FLOW, SYMBOLS);
	return 0;
}
