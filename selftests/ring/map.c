// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping a ring: what may be mapped, how, and for how long it lives.
 */
#include "kselftest_harness.h"
#include "hft_test.h"

FIXTURE(map) {
	int context;
	struct hft_test_ring ring;
};

FIXTURE_SETUP(map)
{
	self->context = hft_test_context(16);
	ASSERT_LT(0, self->context);
	/* 256 events are 4 pages, the producer's page comes on top. */
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 256, 16, HFT_POLICY_FIFO, &self->ring));
	ASSERT_EQ(5 * HFT_TEST_PAGE, self->ring.add.pages_size);
}

FIXTURE_TEARDOWN(map)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int try_map(int fd, size_t size, int prot, int flags, uint64_t offset)
{
	void *area = mmap(NULL, size, prot, flags, fd, offset);

	if (area == MAP_FAILED)
		return -errno;
	munmap(area, size);
	return 0;
}

TEST_F(map, read_only_part_is_not_mapped_for_writing)
{
	const struct hft_ring_add *add = &self->ring.add;
	int fd = self->ring.fd;
	uint64_t offset;

	for (offset = add->pages_off; offset < add->pages_off + add->pages_size;
	     offset += HFT_TEST_PAGE) {
		EXPECT_EQ(-EPERM, try_map(fd, HFT_TEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
					  offset));
		EXPECT_EQ(-EPERM, try_map(fd, HFT_TEST_PAGE, PROT_WRITE, MAP_SHARED, offset));
		EXPECT_EQ(0, try_map(fd, HFT_TEST_PAGE, PROT_READ, MAP_SHARED, offset));
	}
	EXPECT_EQ(-EPERM, try_map(fd, add->pages_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				  add->pages_off));
}

TEST_F(map, mprotect_does_not_make_it_writable)
{
	void *pages = (void *)self->ring.producer;
	size_t i;

	for (i = 0; i < self->ring.add.pages_size; i += HFT_TEST_PAGE) {
		EXPECT_EQ(-1, mprotect((char *)pages + i, HFT_TEST_PAGE, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
	}
	EXPECT_EQ(-1, mprotect(pages, self->ring.add.pages_size, PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, mprotect(pages, self->ring.add.pages_size, PROT_READ));
}

/* Nor does the way round it: writing by the kernel, for a debugger. */
TEST_F(map, proc_mem_does_not_write_it)
{
	uint32_t tail = hft_test_tail(&self->ring), value = 7;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, &value, sizeof(value), (uintptr_t)self->ring.producer));
	EXPECT_EQ(tail, hft_test_tail(&self->ring));
	close(fd);
}

TEST_F_SIGNAL(map, writing_to_the_producers_page_faults, SIGSEGV)
{
	*(volatile uint32_t *)&self->ring.producer->tail = 1;
}

TEST_F(map, private_mappings_are_refused)
{
	const struct hft_ring_add *add = &self->ring.add;

	EXPECT_EQ(-EINVAL, try_map(self->ring.fd, HFT_TEST_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, HFT_RING_OFF_CONSUMER));
	EXPECT_EQ(-EINVAL, try_map(self->ring.fd, HFT_TEST_PAGE, PROT_READ, MAP_PRIVATE,
				   HFT_RING_OFF_CONSUMER));
	EXPECT_EQ(-EINVAL, try_map(self->ring.fd, add->pages_size, PROT_READ, MAP_PRIVATE,
				   add->pages_off));
	EXPECT_EQ(-EINVAL, try_map(self->ring.fd, add->pages_size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, add->pages_off));
}

TEST_F(map, offsets_and_sizes_out_of_range)
{
	static const uint64_t far[] = {
		1ULL << 20, 1ULL << 32, 1ULL << 43, 1ULL << 62, ~0ULL << 12,
	};
	const struct hft_ring_add *add = &self->ring.add;
	int fd = self->ring.fd;
	size_t i;

	/* The consumer's page goes by itself. */
	EXPECT_EQ(-EINVAL, try_map(fd, 2 * HFT_TEST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_map(fd, 2 * HFT_TEST_PAGE, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, try_map(fd, add->pages_size + HFT_TEST_PAGE, PROT_READ, MAP_SHARED, 0));

	EXPECT_EQ(-EINVAL, try_map(fd, add->pages_size + HFT_TEST_PAGE, PROT_READ, MAP_SHARED,
				   add->pages_off));
	EXPECT_EQ(-EINVAL, try_map(fd, HFT_TEST_PAGE, PROT_READ, MAP_SHARED,
				   add->pages_off + add->pages_size));
	EXPECT_EQ(-EINVAL, try_map(fd, add->pages_size, PROT_READ, MAP_SHARED,
				   add->pages_off + HFT_TEST_PAGE));
	for (i = 0; i < ARRAY_LEN(far); i++) {
		int err = try_map(fd, HFT_TEST_PAGE, PROT_READ, MAP_SHARED, far[i]);

		EXPECT_TRUE(err == -EINVAL || err == -EOVERFLOW) {
			TH_LOG("offset %#llx: %d", (unsigned long long)far[i], err);
		}
	}
}

TEST_F(map, mremap_does_not_grow_it)
{
	void *grown = mremap(self->ring.consumer, HFT_TEST_PAGE, 4 * HFT_TEST_PAGE, MREMAP_MAYMOVE);

	EXPECT_EQ(MAP_FAILED, grown);
	grown = mremap((void *)self->ring.producer, self->ring.add.pages_size,
		       2 * self->ring.add.pages_size, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, grown);
}

TEST_F(map, context_has_nothing_to_map)
{
	EXPECT_EQ(-ENODEV, try_map(self->context, HFT_TEST_PAGE, PROT_READ, MAP_SHARED, 0));
}

/* Events of the biggest ring are where pages_off and events_off say they are. */
TEST_F(map, largest_ring)
{
	struct hft_query query = {};
	struct hft_test_ring ring;
	struct hft_event event;
	struct hft_task task;
	uint32_t i;

	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_QUERY, &query));
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, query.max_entries, query.max_entries,
				       HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(query.max_entries * sizeof(struct hft_event) + HFT_TEST_PAGE,
		  ring.add.pages_size);
	for (i = 0; i < query.max_entries + 16; i++) {
		task = hft_test_task(ring.add.ring, i, 0);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_TRUE(hft_test_next(&ring, &event));
		ASSERT_EQ(i, event.cookie);
	}
	hft_test_ring_close(&ring);
}

/* A mapping alone keeps the ring, and closing what it belongs to leaves it readable. */
TEST_F(map, outlives_the_descriptors)
{
	struct hft_task task = hft_test_task(0, 42, 0);
	struct hft_event event;

	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	close(self->ring.fd);
	self->ring.fd = -1;
	task.cookie = 43;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	close(self->context);
	self->context = -1;

	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(42, event.cookie);
	ASSERT_TRUE(hft_test_next(&self->ring, &event));
	ASSERT_EQ(43, event.cookie);
	ASSERT_TRUE(hft_test_flags(&self->ring) & HFT_RING_DEAD);
	ASSERT_EQ(-EWOULDBLOCK, hft_test_module_unload());
	hft_test_ring_unmap(&self->ring);
}

TEST_HARNESS_MAIN
