/* SPDX-License-Identifier: GPL-2.0-only */
/* A ring of the calling thread without a log, and what is read of it. */
#ifndef SELFTESTS_LOG_RING_H
#define SELFTESTS_LOG_RING_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log/ring.h"

struct test_ring {
	char dir[64];
	int dir_fd;
	struct log_queue *queue;
};

static inline void test_ring_open(struct test_ring *it, enum hft_log_policy policy,
				  enum hft_log_lane lane, uint64_t bytes, uint64_t block_ns)
{
	static const uint8_t uuid[16] = { 1 };
	struct log_ring_spec spec = {
		.stream = 1, .uuid = uuid, .lane = lane, .policy = policy, .bytes = bytes,
		.packet_bytes = bytes, .block_ns = block_ns,
#ifdef __x86_64__
		.tsc = true,
#endif
	};

	strcpy(it->dir, "/dev/shm/hft-test-XXXXXX");
	assert_non_null(mkdtemp(it->dir));
	it->dir_fd = open(it->dir, O_RDONLY | O_DIRECTORY);
	assert_true(it->dir_fd >= 0);
	spec.dir_fd = it->dir_fd;
	assert_int_equal(log_queue_make(&it->queue, &spec), 0);
	hft_log_self[lane] = it->queue->ring;
}

static inline void test_ring_close(struct test_ring *it)
{
	hft_log_self[it->queue->ring->lane] = NULL;
	unlinkat(it->dir_fd, it->queue->name, 0);
	log_queue_put(it->queue);
	close(it->dir_fd);
	rmdir(it->dir);
}

static inline const struct hft_log_record *test_record(const void *records, size_t offset)
{
	return (const void *)((const char *)records + offset);
}

#endif /* SELFTESTS_LOG_RING_H */
