// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain */
/*
 * Many records through rotation, compression and the index: none is missing, none is there
 * twice.  HFT_TEST_SCALE times 500,000: 2000 is 10^9, which takes 12 GB and some minutes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>

#include <cmocka.h>

#include "log_load.h"

#define BATCH		8192
#define UNIT		500000ull
#define TASKS		1000
#define MOST_UNPACKED	(24ull << 30)		/* on the disk: compressing is slower */

/* A record of SITE_TASK */
struct task_record {
	struct hft_log_record head;
	uint64_t task;
	uint64_t number;
};

static const struct hft_log_store_field task_fields[] = {
	{ "task", HFT_LOG_TASK }, { "number", HFT_LOG_U64 },
};

static const struct hft_log_store_site task_site = {
	HFT_LOG_SITE_FIRST, 3, 1, 2, "ran", "test", NULL, "a.c", task_fields, 0,
};

static uint64_t scale(void)
{
	const char *text = getenv("HFT_TEST_SCALE");
	long long scale = text ? atoll(text) : 1;

	return scale > 0 ? (uint64_t)scale : 1;
}

static void open_scaled(struct hft_log_store **store)
{
	struct hft_log_store_opts opts = {
		.sz = sizeof(opts),
		.flags = HFT_LOG_STORE_PACK_ALL,
		.sync = HFT_LOG_SYNC_NONE,
		.chunk_bytes = scale() < 100 ? 4 << 20 : 512 << 20,
		.pack_level = 1,
	};
	const struct hft_log_store_stream stream = {
		.id = 1, .tid = 1, .cpu = -1, .thread = "one", .policy = "block",
	};

	assert_int_equal(hft_log_store_open(store, dir, &origin, &opts), 0);
	assert_int_equal(hft_log_store_site_add(*store, &task_site), 0);
	assert_int_equal(hft_log_store_stream_add(*store, &stream), 0);
}

static void make_batch(struct task_record *batch, uint64_t from, uint64_t nr)
{
	uint64_t i;

	for (i = 0; i < nr; i++)
		batch[i] = (struct task_record){
			.head = {
				.id = HFT_LOG_SITE_FIRST,
				.words = sizeof(*batch) / 8,
				.sequence = (uint32_t)(from + i),
				.stamp = 50 * (from + i) + (from + i) % 7,
			},
			.task = (from + i) / 50000 % TASKS,
			.number = from + i,
		};
}

static void wait_for_packer(struct hft_log_store *store)
{
	struct hft_log_store_state state = { .sz = sizeof(state) };

	do {
		hft_log_store_poll(store, now_ns());
		assert_int_equal(hft_log_store_state(store, &state), 0);
		assert_int_equal(state.err, 0);
		if (state.bytes - state.packed_bytes > MOST_UNPACKED)
			usleep(10000);
	} while (state.bytes - state.packed_bytes > MOST_UNPACKED);
}

static void append_batch(struct hft_log_store *store, const struct task_record *batch, uint64_t nr)
{
	const uint8_t *from = (const void *)batch;
	size_t at = 0, bytes = nr * sizeof(*batch);
	int64_t took;

	while (at < bytes) {
		took = hft_log_store_append(store, 1, from + at, bytes - at, 0);
		assert_true(took > 0 || took == -EAGAIN);
		at += took > 0 ? (size_t)took : 0;
		hft_log_store_poll(store, now_ns());
		if (took == -EAGAIN)
			usleep(100);
	}
}

/*
 * @expected: number of the next record
 * @index: entries of hft/index that are left of this chunk
 */
struct reading {
	uint64_t expected;
	uint64_t packets;
	uint64_t may_have;		/* packets that may have records of task 1 */
	uint64_t have;			/* those that do */
	FILE *index;
};

static void check_packet(struct reading *reading, const uint8_t *packet, uint64_t offset)
{
	const struct hft_log_packet *head = (const void *)packet;
	const struct task_record *record = (const void *)(head + 1);
	uint64_t nr = (head->content_bits / 8 - sizeof(*head)) / sizeof(*record), i;
	struct hft_log_index index;
	bool may_have, have = false;

	assert_int_equal(fread(&index, sizeof(index), 1, reading->index), 1);
	assert_int_equal(index.offset, offset);
	assert_int_equal(index.records, nr);
	assert_int_equal(index.begin, record[0].head.stamp);
	assert_int_equal(index.end, record[nr - 1].head.stamp);
	assert_int_equal(index.levels, 1 << 3);
	for (i = 0; i < nr; i++) {
		if (record[i].number != reading->expected + i)
			fail_msg("record %llu is %llu", (unsigned long long)reading->expected + i,
				 (unsigned long long)record[i].number);
		have |= record[i].task == 1;
	}
	may_have = hft_log_bloom_task(index.tasks, 1);
	assert_true(may_have || !have);
	reading->may_have += may_have;
	reading->have += have;
	reading->expected += nr;
	reading->packets++;
}

static void check_stream(struct reading *reading, struct hft_log_packed *packed)
{
	static uint8_t packet[1 << 20] __attribute__((aligned(8)));
	const struct hft_log_packet *head = (const void *)packet;
	uint64_t at = 0, bytes;

	while (at < hft_log_packed_size(packed)) {
		assert_int_equal(hft_log_packed_read(packed, at, packet, sizeof(*head)),
				 sizeof(*head));
		bytes = head->packet_bits / 8;
		assert_in_range(bytes, 4096, sizeof(packet));
		assert_int_equal(hft_log_packed_read(packed, at, packet, bytes), bytes);
		check_packet(reading, packet, at);
		at += bytes;
	}
}

static void check_chunk(struct reading *reading, const char *name)
{
	struct hft_log_packed *packed;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/hft/index", dir, name);
	reading->index = fopen(path, "r");
	assert_non_null(reading->index);
	snprintf(path, sizeof(path), "%s/%s/stream-1.zst", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)			/* a chunk that was closed before it had a record */
		assert_int_equal(getc(reading->index), EOF);
	if (fd >= 0) {
		assert_int_equal(hft_log_packed_open(&packed, fd), 0);
		check_stream(reading, packed);
		hft_log_packed_close(packed);
		close(fd);
	}
	assert_int_equal(getc(reading->index), EOF);
	fclose(reading->index);
}

static void check_all(uint64_t records)
{
	struct reading reading = { .expected = 0 };
	struct dirent **names;
	int n = scandir(dir, &names, only_chunks, alphasort), i;

	for (i = 0; i < n; i++) {
		check_chunk(&reading, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	assert_int_equal(reading.expected, records);
	assert_true(n > 2);
	print_message("%d chunks, %llu packets, %llu with task 1, %llu by the index\n", n,
		      (unsigned long long)reading.packets, (unsigned long long)reading.have,
		      (unsigned long long)reading.may_have);
	assert_true(reading.may_have >= reading.have);
	assert_true(reading.may_have < reading.packets / 2);
}

static void test_count(void **unused)
{
	static struct task_record batch[BATCH];
	struct hft_log_store_state state = { .sz = sizeof(state) };
	struct hft_log_store *store;
	uint64_t records = scale() * UNIT, from, nr, began = now_ns();

	(void)unused;
	new_folder("scale");
	open_scaled(&store);
	for (from = 0; from < records; from += nr) {
		nr = records - from < BATCH ? records - from : BATCH;
		make_batch(batch, from, nr);
		append_batch(store, batch, nr);
		wait_for_packer(store);
	}
	assert_int_equal(hft_log_store_flush(store, false, LONG_NS), 0);
	assert_int_equal(hft_log_store_state(store, &state), 0);
	assert_int_equal(state.records, records);
	print_message("%llu records, %llu bytes in %llu ms\n", (unsigned long long)records,
		      (unsigned long long)state.bytes,
		      (unsigned long long)(now_ns() - began) / 1000000);
	assert_int_equal(hft_log_store_close(store, 6 * LONG_NS), 0);
	print_message("closed and compressed after %llu ms\n",
		      (unsigned long long)(now_ns() - began) / 1000000);
	check_all(records);
	print_message("read after %llu ms\n", (unsigned long long)(now_ns() - began) / 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_count) };

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
