// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The reader and logs that are not whole: what can be read is read, what not is told of. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <hft/hft.h>
#include <hft/log_read.h>

#include "log_reader.h"

#define TOLD_MOST	8

/* Bytes that were read of files (see the Makefile) */
static uint64_t bytes_read;

ssize_t __real_pread(int fd, void *to, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset);

ssize_t __wrap_pread(int fd, void *to, size_t size, off_t offset)
{
	ssize_t got = __real_pread(fd, to, size, offset);

	bytes_read += got > 0 ? (size_t)got : 0;
	return got;
}

static uint64_t records_before(const char *path, off_t end)
{
	struct hft_log_packet head;
	struct hft_log_seal seal;
	int fd = open(path, O_RDONLY);
	uint64_t sum = 0;
	off_t at = 0;

	while (pread(fd, &head, sizeof(head), at) == sizeof(head)) {
		at += (off_t)(head.packet_bits / 8);
		if (at > end || pread(fd, &seal, sizeof(seal), at - (off_t)sizeof(seal)) !=
		    sizeof(seal))
			break;
		sum += seal.records;
	}
	close(fd);
	return sum;
}

/* An open chunk whose stream was cut off anywhere has each whole packet; the rest is told of. */
static void test_torn(void **unused)
{
	char path[128], seal[128];
	struct told told;
	struct stat stat_;
	struct load load;
	off_t size;

	(void)unused;
	open_store(&load, "torn", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	snprintf(path, sizeof(path), "%s/chunk-00000001/stream-1", dir);
	snprintf(seal, sizeof(seal), "%s/chunk-00000001/hft/seal", dir);
	assert_int_equal(count_stream(path, &told), 3000);
	assert_int_equal(stat(path, &stat_), 0);
	for (size = stat_.st_size - 1; size > 0; size = size * 9 / 10) {
		uint64_t whole = records_before(path, size);

		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(count_stream(path, &told), whole);
		assert_int_equal(told.kinds[HFT_LOG_NOTICE_DAMAGED],
				 records_before(path, size) == 3000 ? 0 : 1);
	}
	assert_int_equal(unlink(seal), 0);
	assert_int_equal(truncate(path, 1), 0);
	assert_int_equal(count_stream(path, &told), 0);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_TORN], 1);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_DAMAGED], 0);
}

/* Packets that are no more in the midst of a stream are told of by number, those behind read. */
static void check_gone(const uint8_t *bytes, size_t size, unsigned int from, unsigned int nr,
		       const char *text)
{
	uint8_t *changed = malloc(size);
	uint64_t gone = 0;
	struct told told;
	unsigned int i;

	for (i = from; i < from + nr; i++)
		gone += records_of(bytes, i);
	memcpy(changed, bytes, size);
	memset(changed + packet_at(bytes, from), 0, packet_at(bytes, from + nr) -
	       packet_at(bytes, from));
	put("chunk-00000001/stream-1", changed, size);
	assert_int_equal(count_stream(dir, &told), 3000 - gone);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_DAMAGED], 1);
	assert_int_equal(wrong(&told), 1);
	assert_string_equal(told.text, text);
	free(changed);
}

/* As a crash, or a write behind one that is late, leaves it; or someone who changes a log. */
static void test_hole(void **unused)
{
	struct load load;
	struct told told;
	uint8_t *bytes;
	size_t size;

	(void)unused;
	open_store(&load, "hole", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp("chunk-00000001/stream-1", &size);
	assert_true(packet_at(bytes, 6) < size);
	check_gone(bytes, size, 2, 1, "packet 2: nothing but zeroes");
	drop("chunk-00000001/hft/seal");
	check_gone(bytes, size, 0, 1, "packet 0: nothing but zeroes");
	check_gone(bytes, size, 3, 2, "packets 3 to 4: nothing but zeroes");
	/* At the end of an open chunk it is what a crash may leave. */
	memset(bytes + packet_at(bytes, 5), 0, size - packet_at(bytes, 5));
	put("chunk-00000001/stream-1", bytes, size);
	assert_true(count_stream(dir, &told) > 0);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_TORN], 1);
	assert_int_equal(wrong(&told), 1);
	free(bytes);
}

/* A size that is another does not lose what is behind the packet. */
static void test_size(void **unused)
{
	struct hft_log_packet *head;
	struct load load;
	struct told told;
	uint8_t *bytes;
	size_t size;

	(void)unused;
	open_store(&load, "size", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp("chunk-00000001/stream-1", &size);
	head = (void *)(bytes + packet_at(bytes, 1));
	head->packet_bits += 8 * (32u << 20);
	put("chunk-00000001/stream-1", bytes, size);
	head->packet_bits -= 8 * (32u << 20);
	assert_int_equal(count_stream(dir, &told), 3000 - records_of(bytes, 1));
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_DAMAGED], 1);
	assert_string_equal(told.text, "packet 1: the file was cut off here");
	free(bytes);
}

/*
 * Wherever a packet may begin a head says that half of the file is its packet: all is read once,
 * and not each of them is told.
 */
static void test_heads(void **unused)
{
	const size_t size = 4 << 20;
	struct hft_log_packet head;
	struct load load;
	struct told told;
	uint8_t *bytes;
	char text[64];
	size_t at;

	(void)unused;
	open_store(&load, "heads", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp("chunk-00000001/stream-1", &at);
	memcpy(&head, bytes, sizeof(head));
	free(bytes);
	head.packet_bits = 8 * (size / 2);
	bytes = calloc(1, size);
	assert_non_null(bytes);
	for (at = 0; at < size; at += HFT_LOG_PACKET_ALIGN)
		memcpy(bytes + at, &head, sizeof(head));
	drop("chunk-00000001/hft/seal");
	put("chunk-00000001/stream-1", bytes, size);
	bytes_read = 0;
	assert_int_equal(count_stream(dir, &told), 0);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_TORN], 1);
	assert_int_equal(wrong(&told), TOLD_MOST + 1 + 1);
	snprintf(text, sizeof(text), "%zu more places are damaged",
		 size / HFT_LOG_PACKET_ALIGN - 1 - TOLD_MOST);
	assert_string_equal(told.text, text);
	assert_in_range(bytes_read, size, 2 * size);
	free(bytes);
}

/* A head that is none loses its packet, and nothing behind it. */
static void test_damaged(void **unused)
{
	uint64_t junk = 0x1122334455667788ull, all;
	struct hft_log_packet head;
	struct hft_log_seal seal;
	struct told told;
	struct load load;
	char path[128];
	off_t at = 0, end;
	int fd, i;

	(void)unused;
	open_store(&load, "damaged", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	append(&load, 0, 100, 70);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	snprintf(path, sizeof(path), "%s/chunk-00000001/stream-1", dir);
	fd = open(path, O_RDWR);
	for (i = 0; i < 3; i++) {
		assert_int_equal(pread(fd, &head, sizeof(head), at), sizeof(head));
		end = at + (off_t)(head.packet_bits / 8);
		if (i < 2)
			at = end;
	}
	assert_int_equal(pread(fd, &seal, sizeof(seal), end - (off_t)sizeof(seal)), sizeof(seal));
	assert_int_equal(pwrite(fd, &junk, sizeof(junk), at), sizeof(junk));
	all = count_stream(path, &told);
	assert_int_equal(all, 3100 - seal.records);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_DAMAGED], 1);
	/* The chunk alone says nothing of what was lost before; the log does. */
	count_stream(dir, &told);
	assert_int_equal(told.lost, 70);
	close(fd);
}

/* A stream's counter of losses begins with it, also if that is in a later chunk. */
static void test_late_loss(void **unused)
{
	struct told told;
	struct load load;
	char path[128];

	(void)unused;
	open_store(&load, "late", HFT_LOG_STORE_NO_PACK, 64 << 10);
	append(&load, 0, 10000, 0);
	append(&load, 1, 100, 30);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	snprintf(path, sizeof(path), "%s/chunk-00000001/stream-2", dir);
	assert_int_not_equal(access(path, F_OK), 0);
	count_stream(dir, &told);
	assert_int_equal(told.lost, 30);
}

/* A frame that is damaged is one packet, a file that was cut off has those before. */
static void test_packed(void **unused)
{
	const char *file = "chunk-00000001/stream-1.zst";
	uint8_t *plain, *packed, byte;
	uint64_t before = 0, count;
	unsigned int packet = 0, i;
	struct load load;
	struct told told;
	size_t size;

	(void)unused;
	open_store(&load, "plain", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	plain = slurp("chunk-00000001/stream-1", &size);
	open_store(&load, "packed", HFT_LOG_STORE_PACK_ALL, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	packed = slurp(file, &size);
	byte = packed[size / 2];
	packed[size / 2] ^= 0x55;
	put(file, packed, size);
	count = count_stream(dir, &told);
	assert_int_equal(sscanf(told.text, "packet %u: what is compressed is damaged", &packet), 1);
	assert_true(packet > 0);
	assert_int_equal(count, 3000 - records_of(plain, packet));
	assert_int_equal(wrong(&told), 1);
	packed[size / 2] = byte;
	put(file, packed, size / 2);
	count = count_stream(dir, &told);
	assert_int_equal(sscanf(told.text, "packet %u: the compressed file is cut off", &packet),
			 1);
	for (i = 0; i < packet; i++)
		before += records_of(plain, i);
	assert_true(packet > 0);
	assert_int_equal(count, before);
	assert_int_equal(wrong(&told), 1);
	put(file, packed, 100);
	assert_int_equal(count_stream(dir, &told), 0);
	assert_int_equal(told.kinds[HFT_LOG_NOTICE_UNREADABLE], 1);
	free(packed);
	free(plain);
}

/* A file of frames that have nothing, and no table, is read some times, and not for each frame. */
static void test_frames(void **unused)
{
	/* Magic number; one segment of 0 bytes; the last block, which is empty (RFC 8878) */
	static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0 };
	const char *file = "chunk-00000001/stream-1.zst";
	const size_t nr = 5000;
	struct load load;
	struct told told;
	uint8_t *bytes;
	size_t i;

	(void)unused;
	open_store(&load, "frames", HFT_LOG_STORE_PACK_ALL, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = malloc(nr * sizeof(frame));
	assert_non_null(bytes);
	for (i = 0; i < nr; i++)
		memcpy(bytes + i * sizeof(frame), frame, sizeof(frame));
	put(file, bytes, nr * sizeof(frame));
	bytes_read = 0;
	assert_int_equal(count_stream(dir, &told), 0);
	/* The end of the file, which has no table, is one more. */
	assert_int_equal(wrong(&told), TOLD_MOST + 1 + 1);
	assert_string_equal(told.text, "4992 more places are damaged");
	assert_in_range(bytes_read, nr * sizeof(frame), 16 * nr * sizeof(frame));
	free(bytes);
}

/* Each record of @from, of a stream's file, is said to be of @to; 0: of a site of its own. */
static unsigned int change_sites(uint8_t *bytes, size_t size, uint16_t from, uint16_t to)
{
	const struct hft_log_packet *head;
	struct hft_log_record *record;
	unsigned int nr = 0;
	size_t at, next;

	for (at = 0; at < size; at += head->packet_bits / 8) {
		head = (const void *)(bytes + at);
		for (next = sizeof(*head); next < head->content_bits / 8;
		     next += 8 * (size_t)record->words) {
			record = (void *)(bytes + at + next);
			if (record->id != from)
				continue;
			record->id = to ? to : (uint16_t)(SITES_END + nr);
			nr++;
		}
	}
	return nr;
}

static void check_told(unsigned int kind, uint64_t records, unsigned int nr, const char *what)
{
	struct told told;
	char text[64];

	snprintf(text, sizeof(text), "%u more %s", nr - TOLD_MOST, what);
	assert_int_equal(count_stream(dir, &told), records);
	assert_int_equal(told.kinds[kind], TOLD_MOST + 1);
	assert_int_equal(wrong(&told), TOLD_MOST + 1);
	assert_string_equal(told.text, text);
}

/* Of records that are none, that no site is known of, and of lines, a file may be full. */
static void test_many(void **unused)
{
	const char *file = "chunk-00000001/stream-1";
	const unsigned int nr_lines = 5000;
	struct load load;
	uint8_t *bytes;
	unsigned int nr;
	size_t size;

	(void)unused;
	open_store(&load, "many", HFT_LOG_STORE_NO_PACK, 0);
	append(&load, 0, 3000, 0);
	append(&load, 1, 100, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	bytes = slurp(file, &size);
	nr = change_sites(bytes, size, SITE_EMPTY, SITE_ORDER);
	put(file, bytes, size);
	check_told(HFT_LOG_NOTICE_DAMAGED, 3100 - nr, nr, "places are damaged");
	free(bytes);
	bytes = slurp(file, &size);
	nr = change_sites(bytes, size, SITE_TEXT, 0);
	change_sites(bytes, size, SITE_ORDER, SITE_EMPTY);
	put(file, bytes, size);
	check_told(HFT_LOG_NOTICE_UNKNOWN, 3100 - nr, nr, "call sites are not listed");
	free(bytes);
	drop(file);
	bytes = slurp("chunk-00000001/hft/sites", &size);
	bytes = realloc(bytes, size + nr_lines);
	assert_non_null(bytes);
	memset(bytes + size, '\n', nr_lines);
	put("chunk-00000001/hft/sites", bytes, size + nr_lines);
	check_told(HFT_LOG_NOTICE_DAMAGED, 100, nr_lines, "lines of hft/sites are none");
	free(bytes);
}

static void check_metadata(uint64_t records, const char *text)
{
	struct told told;

	assert_int_equal(count_stream(dir, &told), records);
	assert_string_equal(told.text, text);
	assert_int_equal(wrong(&told), 1);
}

static void first_order(char *line, size_t size)
{
	struct hft_log_reader_opts opts = { .subsystems = "trade" };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct told told;

	reader = open_reader(&opts, &told, dir);
	assert_int_equal(hft_log_reader_next(reader, &view), 1);
	hft_log_view_line(view, 0, line, size);
	assert_string_equal(view->site->file, "b.c");
	assert_int_equal(view->site->line, 12);
	hft_log_reader_close(reader);
}

/* Without hft/sites, metadata has names and types. */
static void test_sites(void **unused)
{
	const char *file = "chunk-00000001/hft/sites", *first_site = "{\"site\":{\"id\":16";
	char by_sites[256], by_metadata[256];
	uint8_t *sites, *first;
	struct load load;
	size_t size;

	(void)unused;
	open_store(&load, "sites", 0, 0);
	append(&load, 0, 3000, 0);
	assert_int_equal(hft_log_store_close(load.store, LONG_NS), 0);
	first_order(by_sites, sizeof(by_sites));
	sites = slurp(file, &size);
	first = memmem(sites, size, first_site, strlen(first_site));
	assert_non_null(first);
	put(file, sites, (size_t)(first - sites));
	check_metadata(3000, "packet 0: a record of a call site that the chunk does not list");
	put(file, sites, 0);
	check_metadata(3000, "hft/sites can not be read: records are as metadata has them");
	drop(file);
	check_metadata(3000, "hft/sites can not be read: records are as metadata has them");
	first_order(by_metadata, sizeof(by_metadata));
	assert_string_equal(strstr(by_metadata, " order task="), strstr(by_sites, " order task="));
	drop("chunk-00000001/metadata");
	check_metadata(0, "neither hft/sites nor metadata say what is in the chunk");
	free(sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_late_loss),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sites),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
