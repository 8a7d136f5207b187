// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every field of every command: each reserved bit, one at a time, and values out of range.
 */
#include <stddef.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	16

/* That there are; a bit that this has not is for another to use. */
#define FEATURES	(HFT_FEATURE_URING | HFT_FEATURE_MONITOR | HFT_FEATURE_CLOCK |		\
			 HFT_FEATURE_RT | HFT_FEATURE_METER | HFT_FEATURE_LEAD |		\
			 HFT_FEATURE_RULE | HFT_FEATURE_PMU | HFT_FEATURE_SINK)

union argument {
	struct hft_setup setup;
	struct hft_ring_add ring_add;
	struct hft_stats stats;
	struct hft_submit submit;
	struct hft_submit_batch batch;
	struct hft_cancel cancel;
	struct hft_wait wait;
	struct hft_pmu pmu;
	unsigned char bytes[256];
};

FIXTURE(fields) {
	int context;
	struct hft_test_ring ring;
	struct hft_task tasks[2];
	int64_t results[2];
};

FIXTURE_SETUP(fields)
{
	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
	self->tasks[0] = hft_test_task(0, 0, hft_test_now() + 1000 * NSEC_PER_SEC);
	self->tasks[1] = self->tasks[0];
}

FIXTURE_TEARDOWN(fields)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static uint32_t tasks_free(int context)
{
	struct hft_stats stats;

	return hft_test_stats(context, HFT_STATS_CONTEXT, &stats) ? UINT32_MAX : stats.tasks_free;
}

static void flip(union argument *argument, size_t bit)
{
	argument->bytes[bit / 8] ^= 1 << bit % 8;
}

#define FIELD(type, member)						\
	{ #member, offsetof(struct type, member), sizeof(((struct type *)0)->member) }

struct field {
	const char *name;
	size_t offset;
	size_t size;
};

/* The first bit of @field that is not refused with @err, or -1. */
static int first_taken(int fd, unsigned int cmd, const union argument *valid,
		       const struct field *field, int err)
{
	size_t bit;

	for (bit = field->offset * 8; bit < (field->offset + field->size) * 8; bit++) {
		union argument argument = *valid;

		flip(&argument, bit);
		if (hft_test_ioctl(fd, cmd, &argument) != err)
			return bit;
	}
	return -1;
}

#define EXPECT_REFUSED(fd, cmd, valid, fields, err) do {				\
	size_t f_;									\
											\
	for (f_ = 0; f_ < ARRAY_LEN(fields); f_++) {					\
		EXPECT_EQ(-1, first_taken(fd, cmd, valid, &(fields)[f_], err)) {	\
			TH_LOG("%s: a bit is not refused", (fields)[f_].name);		\
		}									\
	}										\
} while (0)

TEST_F(fields, setup_bits_and_ranges)
{
	static const struct field reserved[] = { FIELD(hft_setup, flags) };
	union argument valid = { .setup = { .tasks = 8 } }, argument;
	struct hft_query query = {};
	int context = hft_test_open(), bit;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ioctl(context, HFT_IOC_QUERY, &query));
	EXPECT_REFUSED(context, HFT_IOC_SETUP, &valid, reserved, -EINVAL);
	for (bit = 0; bit < 64; bit++) {
		argument = valid;
		argument.setup.features = 1ULL << bit;
		if (!(query.features & 1ULL << bit))
			EXPECT_EQ(-EOPNOTSUPP, hft_test_ioctl(context, HFT_IOC_SETUP, &argument));
	}
	argument = valid;
	argument.setup.tasks = 0;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(context, HFT_IOC_SETUP, &argument));
	argument.setup.tasks = query.max_tasks + 1;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(context, HFT_IOC_SETUP, &argument));
	argument.setup.tasks = UINT32_MAX;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(context, HFT_IOC_SETUP, &argument));

	/* All of that left the context as it was. */
	argument.setup.tasks = query.max_tasks;
	argument.setup.features = query.features;
	EXPECT_EQ(0, hft_test_ioctl(context, HFT_IOC_SETUP, &argument));
	EXPECT_EQ(-EALREADY, hft_test_ioctl(context, HFT_IOC_SETUP, &valid));
	EXPECT_EQ(query.max_tasks, tasks_free(context));
	close(context);
}

TEST_F(fields, query_says_what_there_is)
{
	struct hft_query query;

	memset(&query, 0xff, sizeof(query));
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_QUERY, &query));
	EXPECT_TRUE(query.features & HFT_FEATURE_URING);
	EXPECT_TRUE(query.features & HFT_FEATURE_MONITOR);
	EXPECT_TRUE(query.features & HFT_FEATURE_CLOCK);
	EXPECT_EQ(0, query.features & ~FEATURES);
	EXPECT_EQ(!access("/sys/kernel/realtime", F_OK), !!(query.features & HFT_FEATURE_RT));
	EXPECT_LT(0, query.max_tasks);
	EXPECT_LE(64, query.max_rings);
	EXPECT_LE(1024, query.max_entries);
	EXPECT_LE(64, query.max_batch);
	EXPECT_LT(0, query.max_lead);
	EXPECT_EQ(HFT_LEVELS, query.levels);
	EXPECT_EQ(HFT_POLICIES, query.policies);
	EXPECT_EQ(HFT_CLOCKS, query.clocks);
	EXPECT_LE((uint32_t)hft_test_cpus(), query.nr_cpus);
}

static int ring_add(int context, const struct hft_ring_add *add)
{
	struct hft_ring_add copy = *add;
	int fd = hft_test_ioctl(context, HFT_IOC_RING_ADD, &copy);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

TEST_F(fields, ring_add_reserved_bits)
{
	static const struct field reserved[] = {
		FIELD(hft_ring_add, ring), FIELD(hft_ring_add, events_off),
		FIELD(hft_ring_add, pages_off), FIELD(hft_ring_add, pages_size),
		FIELD(hft_ring_add, consumer_size), FIELD(hft_ring_add, metrics_off),
		/* Not without HFT_RING_REPORT, nor without HFT_RING_FALLBACK. */
		FIELD(hft_ring_add, quantum), FIELD(hft_ring_add, fallback),
		FIELD(hft_ring_add, sink), FIELD(hft_ring_add, reserved),
	};
	union argument valid = { .ring_add = hft_test_ring_default() };
	struct hft_ring_add add = valid.ring_add;
	int bit;

	ASSERT_EQ(0, ring_add(self->context, &add));
	EXPECT_REFUSED(self->context, HFT_IOC_RING_ADD, &valid, reserved, -EINVAL);

	for (bit = 0; bit < 32; bit++) {
		add = valid.ring_add;
		add.level_mask = 1U << bit;
		EXPECT_EQ(bit < HFT_LEVELS ? 0 : -EINVAL, ring_add(self->context, &add));
		add.level_mask |= 1;
		EXPECT_EQ(bit < HFT_LEVELS ? 0 : -EINVAL, ring_add(self->context, &add));
		add = valid.ring_add;
		add.policy = 1U << bit;
		EXPECT_EQ(1U << bit < HFT_POLICIES ? 0 : -EINVAL, ring_add(self->context, &add));
		/* HFT_RING_MONITOR does not go with a level mask. */
		add = valid.ring_add;
		add.flags = 1U << bit;
		/* Ring 0 is on the same CPU. */
		EXPECT_EQ(add.flags == HFT_RING_REPORT ? 0 :
			  add.flags == HFT_RING_FALLBACK ? -ENOENT :
			  add.flags == HFT_RING_SINK ? -ENXIO : -EINVAL,
			  ring_add(self->context, &add));
	}
	add = valid.ring_add;
	add.policy = HFT_POLICY_FAIR;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.flags = HFT_RING_REPORT;
	add.quantum = UINT32_MAX;
	EXPECT_EQ(0, ring_add(self->context, &add));
}

TEST_F(fields, ring_add_ranges)
{
	static const uint32_t not_entries[] = { 0, 3, 5, 6, 7, 9, 100, 65535, UINT32_MAX };
	const struct hft_ring_add valid = hft_test_ring_default();
	struct hft_ring_add add = valid;
	struct hft_query query = {};
	size_t i;

	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_QUERY, &query));
	for (i = 0; i < ARRAY_LEN(not_entries); i++) {
		add.entries = not_entries[i];
		add.window = 1;
		EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	}
	add.entries = query.max_entries * 2;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.entries = 1U << 31;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.entries = 1;
	EXPECT_EQ(0, ring_add(self->context, &add));

	add = valid;
	add.window = 0;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.window = add.entries + 1;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.window = UINT32_MAX;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));

	add = valid;
	add.cpu = query.nr_cpus;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.cpu = UINT32_MAX;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));

	add = valid;
	add.lead = query.max_lead;
	EXPECT_EQ(0, ring_add(self->context, &add));
	add.lead = query.max_lead + 1;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add.lead = UINT64_MAX;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));

	add = valid;
	add.level_mask = 0;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
}

TEST_F(fields, monitor_ring)
{
	struct hft_ring_add valid = {
		.entries = 16, .window = 16, .flags = HFT_RING_MONITOR,
	}, add = valid;
	struct hft_test_ring monitor;
	struct hft_task task;

	add.level_mask = 1;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add = valid;
	add.policy = HFT_POLICY_EDF;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add = valid;
	add.lead = 1;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));
	add = valid;
	add.flags |= HFT_RING_REPORT;
	EXPECT_EQ(-EINVAL, ring_add(self->context, &add));

	ASSERT_EQ(0, hft_test_ring_make(self->context, &valid, &monitor));
	EXPECT_EQ(-ENOSPC, ring_add(self->context, &valid));
	task = hft_test_task(monitor.add.ring, 0, 0);
	EXPECT_EQ(-EINVAL, hft_test_submit(self->context, &task, NULL));
	hft_test_ring_close(&monitor);
	EXPECT_EQ(0, ring_add(self->context, &valid));
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(fields, before_setup)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_task task = hft_test_task(0, 0, 0);
	int context = hft_test_open();
	struct hft_stats stats;

	ASSERT_LT(0, context);
	EXPECT_EQ(-EINVAL, ring_add(context, &add));
	EXPECT_EQ(-EINVAL, hft_test_submit(context, &task, NULL));
	ASSERT_EQ(0, hft_test_stats(context, HFT_STATS_CONTEXT, &stats));
	EXPECT_EQ(0, stats.tasks);
	EXPECT_EQ(-ENOENT, hft_test_stats(context, 0, &stats));
	close(context);
}

/* The upper bytes of the flags; selftests/task has the known ones. */
static const struct field task_reserved[] = {
	{ "hft_task.flags", offsetof(struct hft_task, flags) + 1, 3 },
	FIELD(hft_task, reserved1), FIELD(hft_task, reserved2),
};

TEST_F(fields, submit_reserved_bits)
{
	static const struct field reserved[] = { FIELD(hft_submit, reserved) };
	union argument valid = { .submit = { .task = self->tasks[0] } };

	/* The task is the first member: its fields are where they are in it. */
	EXPECT_REFUSED(self->context, HFT_IOC_SUBMIT, &valid, task_reserved, -EINVAL);
	EXPECT_REFUSED(self->context, HFT_IOC_SUBMIT, &valid, reserved, -EINVAL);
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

/* Each is applied to a valid task. */
struct range {
	const char *name;
	struct field field;
	uint64_t value;
	int err;
};

static const struct range task_ranges[] = {
	{ "clock", FIELD(hft_task, clock), HFT_CLOCKS, -EINVAL },
	{ "clock 128", FIELD(hft_task, clock), 128, -EINVAL },
	{ "clock 255", FIELD(hft_task, clock), 255, -EINVAL },
	{ "level", FIELD(hft_task, level), HFT_LEVELS, -EINVAL },
	{ "level 128", FIELD(hft_task, level), 128, -EINVAL },
	{ "level 255", FIELD(hft_task, level), 255, -EINVAL },
	{ "release", FIELD(hft_task, release), HFT_TIME_MAX + 1, -EINVAL },
	{ "release 2^63", FIELD(hft_task, release), 1ULL << 63, -EINVAL },
	{ "release 2^64-1", FIELD(hft_task, release), UINT64_MAX, -EINVAL },
	{ "deadline", FIELD(hft_task, deadline), HFT_TIME_MAX + 1, -EINVAL },
	{ "deadline 2^64-1", FIELD(hft_task, deadline), UINT64_MAX, -EINVAL },
	{ "deadline before release", FIELD(hft_task, deadline), 1, -EINVAL },
	{ "ring that is not there", FIELD(hft_task, ring), 1, -ENOENT },
	{ "last ring", FIELD(hft_task, ring), 63, -ENOENT },
	{ "ring 64", FIELD(hft_task, ring), 64, -ENOENT },
	{ "ring 2^31", FIELD(hft_task, ring), 1U << 31, -ENOENT },
	{ "ring 2^32-1", FIELD(hft_task, ring), UINT32_MAX, -ENOENT },
};

static struct hft_task with(const struct hft_task *valid, const struct range *range)
{
	struct hft_task task = *valid;

	memcpy((char *)&task + range->field.offset, &range->value, range->field.size);
	return task;
}

TEST_F(fields, submit_ranges)
{
	int64_t id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(task_ranges); i++) {
		struct hft_task task = with(&self->tasks[0], &task_ranges[i]);

		EXPECT_EQ(task_ranges[i].err, hft_test_submit(self->context, &task, NULL)) {
			TH_LOG("%s", task_ranges[i].name);
		}
	}
	EXPECT_EQ(TASKS, tasks_free(self->context));

	self->tasks[0].release = HFT_TIME_MAX;
	self->tasks[0].deadline = HFT_TIME_MAX;
	EXPECT_EQ(0, hft_test_submit(self->context, &self->tasks[0], &id));
	EXPECT_EQ(0, hft_test_cancel(self->context, id));
}

TEST_F(fields, submit_to_a_ring_without_the_level)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_test_ring ring;
	int level;

	add.level_mask = 1 << HFT_LEVEL_HIGH | 1 << HFT_LEVEL_REALTIME;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &ring));
	for (level = 0; level < HFT_LEVELS; level++) {
		struct hft_task task = hft_test_task(ring.add.ring, 0, 0);

		task.level = level;
		EXPECT_EQ(add.level_mask & 1 << level ? 0 : -EINVAL,
			  hft_test_submit(self->context, &task, NULL));
	}
	hft_test_ring_close(&ring);
}

TEST_F(fields, closed_ring_is_gone)
{
	hft_test_ring_close(&self->ring);
	EXPECT_EQ(-ENOENT, hft_test_submit(self->context, &self->tasks[0], NULL));
	EXPECT_EQ(TASKS, tasks_free(self->context));
	/* Its number is free again. */
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &self->ring));
	EXPECT_EQ(0, self->ring.add.ring);
	EXPECT_EQ(0, hft_test_submit(self->context, &self->tasks[0], NULL));
}

static void *unmapped(void)
{
	void *area = mmap(NULL, HFT_TEST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return area == MAP_FAILED ? NULL : area;
}

TEST_F(fields, submit_result_address)
{
	const uint64_t bad[] = {
		(uintptr_t)unmapped(), 1, 1ULL << 63, UINT64_MAX, UINT64_MAX - 6,
		0xffffffff81000000, (uintptr_t)self->ring.producer,
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct hft_submit submit = { .task = self->tasks[0], .result = bad[i] };

		EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_SUBMIT, &submit));
	}
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(fields, batch_fields)
{
	static const struct field reserved[] = { FIELD(hft_submit_batch, reserved) };
	union argument valid = { .batch = {
		.tasks = (uintptr_t)self->tasks, .results = (uintptr_t)self->results, .nr = 2,
		.task_size = sizeof(struct hft_task),
	} }, argument;
	struct hft_query query = {};
	uint64_t bad[] = { 0, (uintptr_t)unmapped(), 1ULL << 63, UINT64_MAX, 0xffffffff81000000 };
	size_t i;

	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_QUERY, &query));
	EXPECT_REFUSED(self->context, HFT_IOC_SUBMIT_BATCH, &valid, reserved, -EINVAL);

	argument = valid;
	argument.batch.nr = 0;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
	argument.batch.nr = query.max_batch + 1;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
	argument.batch.nr = UINT32_MAX;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
	argument = valid;
	argument.batch.task_size = 0;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
	argument.batch.task_size = UINT32_MAX;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		argument = valid;
		argument.batch.tasks = bad[i];
		EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
		argument = valid;
		argument.batch.results = bad[i];
		EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_SUBMIT_BATCH, &argument));
	}
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

/* Each task of a batch is refused by itself, and the others go through. */
TEST_F(fields, batch_of_good_and_bad)
{
	struct hft_task tasks[2 * ARRAY_LEN(task_ranges) + 1];
	int64_t results[ARRAY_LEN(tasks)];
	struct hft_test_ring ring;
	struct hft_event event;
	int context = hft_test_context(64);
	size_t i;

	ASSERT_LT(0, context);
	ASSERT_EQ(0, hft_test_ring_add(context, 0, 64, 64, HFT_POLICY_FIFO, &ring));
	for (i = 0; i < ARRAY_LEN(tasks); i++) {
		struct hft_task good = hft_test_task(0, i, 2);

		tasks[i] = i & 1 ? with(&good, &task_ranges[i / 2]) : good;
	}
	ASSERT_EQ(ARRAY_LEN(task_ranges) + 1,
		  hft_test_submit_batch(context, tasks, results, ARRAY_LEN(tasks)));
	for (i = 0; i < ARRAY_LEN(tasks); i++) {
		if (i & 1) {
			EXPECT_EQ(task_ranges[i / 2].err, results[i]) {
				TH_LOG("%s", task_ranges[i / 2].name);
			}
			continue;
		}
		EXPECT_LT(0, results[i]);
		ASSERT_TRUE(hft_test_next(&ring, &event));
		EXPECT_EQ(i, event.cookie);
		EXPECT_EQ(results[i], (int64_t)event.task);
	}
	EXPECT_EQ(64, tasks_free(context));
	hft_test_ring_close(&ring);
	close(context);
}

/* Reserved bits of the tasks of a batch, each by itself. */
TEST_F(fields, batch_reserved_bits)
{
	size_t f, bit;

	for (f = 0; f < ARRAY_LEN(task_reserved); f++) {
		const struct field *field = &task_reserved[f];

		for (bit = field->offset * 8; bit < (field->offset + field->size) * 8; bit++) {
			struct hft_task task = self->tasks[0];
			int64_t result = 0;

			((unsigned char *)&task)[bit / 8] ^= 1 << bit % 8;
			EXPECT_EQ(0, hft_test_submit_batch(self->context, &task, &result, 1));
			EXPECT_EQ(-EINVAL, result);
		}
	}
	EXPECT_EQ(TASKS, tasks_free(self->context));
}

TEST_F(fields, cancel)
{
	static const struct field reserved[] = { FIELD(hft_cancel, reserved) };
	union argument valid = {};
	int64_t id;

	ASSERT_EQ(0, hft_test_submit(self->context, &self->tasks[0], &id));
	valid.cancel.task = id;
	EXPECT_REFUSED(self->context, HFT_IOC_CANCEL, &valid, reserved, -EINVAL);
	EXPECT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_CANCEL, &valid));
}

TEST_F(fields, wait)
{
	static const struct field reserved[] = {
		FIELD(hft_wait, flags), FIELD(hft_wait, reserved),
	};
	union argument valid = {};

	EXPECT_REFUSED(self->ring.fd, HFT_IOC_WAIT, &valid, reserved, -EINVAL);
	EXPECT_EQ(-ETIMEDOUT, hft_test_ioctl(self->ring.fd, HFT_IOC_WAIT, &valid));
}

TEST_F(fields, stats)
{
	static const struct field reserved[] = { FIELD(hft_stats, flags) };
	union argument valid = {};
	struct hft_stats stats;
	uint32_t number;

	EXPECT_REFUSED(self->context, HFT_IOC_STATS, &valid, reserved, -EINVAL);
	EXPECT_EQ(0, hft_test_stats(self->context, 0, &stats));
	EXPECT_EQ(0, stats.ring);
	for (number = 1; number < 200; number++)
		EXPECT_EQ(-ENOENT, hft_test_stats(self->context, number, &stats));
	EXPECT_EQ(-ENOENT, hft_test_stats(self->context, HFT_STATS_CONTEXT - 1, &stats));
}

TEST_HARNESS_MAIN
