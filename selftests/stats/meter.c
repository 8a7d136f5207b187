// SPDX-License-Identifier: GPL-2.0-only
/* Histograms of a ring: each against the events and reports themselves, bucket by bucket. */
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS		64
#define ENTRIES		64
#define BUCKETS		3584
#define CLASSES		3

struct model {
	uint64_t bucket[BUCKETS];
	uint64_t count, sum, min, max;
};

struct answer {
	struct hft_hist_info info;
	uint64_t bucket[BUCKETS];
};

FIXTURE(meter) {
	int context;
	struct hft_test_ring ring;
	struct hft_report *reports;
	struct model model[CLASSES][HFT_KINDS];
	uint64_t in_time[CLASSES];
	struct answer answer;
};

FIXTURE_SETUP(meter)
{
	struct hft_ring_add add = hft_test_ring_default();

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	add.entries = ENTRIES;
	add.window = ENTRIES;
	add.flags = HFT_RING_REPORT;
	add.lead = 20000;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->ring));
	self->reports = (void *)((char *)self->ring.consumer + HFT_TEST_PAGE);
}

FIXTURE_TEARDOWN(meter)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int meter(int context, uint32_t ring, uint32_t flags, uint32_t classes, uint32_t kinds)
{
	struct hft_meter_set set = {
		.ring = ring, .flags = flags, .classes = classes, .kinds = kinds,
	};

	return hft_test_ioctl(context, HFT_IOC_METER, &set);
}

static int read_hist(int context, uint32_t ring, uint32_t flags, uint32_t class, uint32_t kind,
		     struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->info = (struct hft_hist_info) {
		.ring = ring, .flags = flags, .task_class = class, .kind = kind,
		.buckets = (uintptr_t)answer->bucket, .nr_buckets = BUCKETS,
	};
	return hft_test_ioctl(context, HFT_IOC_HIST, &answer->info);
}

/* As uapi/linux/hft.h has it. */
static unsigned int bucket_of(uint64_t value)
{
	unsigned int i = value < 128 ? value : 128;

	while (value >= 128 && i < BUCKETS - 1 &&
	       value >= (uint64_t)(i % 128 + 129) << (i / 128 - 1))
		i++;
	return i;
}

static void count(struct model *model, uint64_t value)
{
	model->bucket[bucket_of(value)]++;
	if (!model->count || value < model->min)
		model->min = value;
	if (value > model->max)
		model->max = value;
	model->count++;
	model->sum += value;
}

static bool is_as(const struct answer *answer, const struct model *model)
{
	return answer->info.count == model->count && answer->info.sum == model->sum &&
	       answer->info.min == model->min && answer->info.max == model->max &&
	       answer->info.nr_buckets == BUCKETS &&
	       !memcmp(answer->bucket, model->bucket, sizeof(model->bucket));
}

static uint64_t since(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* Take the next event, report a run of it, and count what is to be found. */
static void run_one(FIXTURE_DATA(meter) *self, uint64_t late, uint64_t ran)
{
	uint32_t head = self->ring.consumer->head;
	struct hft_event event = self->ring.events[head & (ENTRIES - 1)];
	struct model *model = self->model[event.cookie];
	uint64_t begin = event.release > event.published ? event.release : event.published;
	uint64_t start = begin + late, end = start + ran;

	self->reports[head & (ENTRIES - 1)] = (struct hft_report) { .start = start, .end = end };
	hft_test_advance(&self->ring, 1);
	count(&model[HFT_KIND_DISPATCH], since(event.release - self->ring.add.lead,
					       event.published));
	count(&model[HFT_KIND_WAKE], late);
	count(&model[HFT_KIND_RUN], ran);
	count(&model[HFT_KIND_RESPONSE], end - event.release);
	if (end > event.deadline)
		count(&model[HFT_KIND_LATENESS], end - event.deadline);
	else
		self->in_time[event.cookie]++;
}

TEST_F(meter, counts_are_exact)
{
	uint32_t kind, class;
	uint64_t random = 1;
	int i;

	ASSERT_EQ(0, meter(self->context, 0, HFT_METER_HIST, 0x7, 0));
	for (i = 0; i < 300; i++) {
		struct hft_task task = hft_test_task(0, i % CLASSES, hft_test_now() + 200000);

		task.deadline = task.release + 100000;
		task.task_class = i % CLASSES;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(1, hft_test_wait(&self->ring, 60 * NSEC_PER_SEC));
		run_one(self, hft_test_random(&random) >> (44 + random % 16),
			hft_test_random(&random) >> (26 + random % 32));
	}
	for (class = 0; class < CLASSES; class++) {
		for (kind = 0; kind < HFT_KINDS; kind++) {
			ASSERT_EQ(0, read_hist(self->context, 0, 0, class, kind, &self->answer));
			EXPECT_TRUE(is_as(&self->answer, &self->model[class][kind])) {
				TH_LOG("class %u, kind %u: %llu values, not %lu", class, kind,
				       self->answer.info.count, self->model[class][kind].count);
			}
			EXPECT_EQ(self->in_time[class], self->answer.info.in_time);
		}
	}
	/* Both are to be seen. */
	EXPECT_LT(0, self->in_time[0]);
	EXPECT_LT(0, self->model[0][HFT_KIND_LATENESS].count);
	ASSERT_EQ(0, read_hist(self->context, HFT_STATS_CONTEXT, 0, HFT_CLASS_ALL, HFT_KIND_RUN,
			       &self->answer));
	EXPECT_EQ(300, self->answer.info.count);
	EXPECT_EQ(self->in_time[0] + self->in_time[1] + self->in_time[2],
		  self->answer.info.in_time);
}

static int run_plain(int context, struct hft_test_ring *ring, int nr, uint8_t class,
		     struct model *model)
{
	struct hft_event event;
	int i, err = 0;

	for (i = 0; i < nr && !err; i++) {
		struct hft_task task = hft_test_task(ring->add.ring, i, hft_test_now());

		task.release += i % 2 * 100000;
		task.task_class = class;
		err = hft_test_submit(context, &task, NULL) ?:
		      hft_test_take(ring, &event, 60 * NSEC_PER_SEC);
		if (!err)
			count(model, since(event.release, event.published));
	}
	return err;
}

TEST_F(meter, ring_without_reports)
{
	struct hft_test_ring ring;
	static struct model model;

	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &ring));
	/* Of what is measured none is counted before or after. */
	ASSERT_EQ(0, run_plain(self->context, &ring, 10, 0, &self->model[0][0]));
	ASSERT_EQ(0, meter(self->context, 1, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, run_plain(self->context, &ring, 100, 0, &model));
	ASSERT_EQ(0, read_hist(self->context, 1, 0, 0, HFT_KIND_DISPATCH, &self->answer));
	EXPECT_TRUE(is_as(&self->answer, &model));
	ASSERT_EQ(0, read_hist(self->context, 1, 0, HFT_CLASS_ALL, HFT_KIND_RUN, &self->answer));
	EXPECT_EQ(0, self->answer.info.count);

	ASSERT_EQ(0, meter(self->context, 1, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, read_hist(self->context, 1, 0, 0, HFT_KIND_DISPATCH, &self->answer));
	EXPECT_EQ(0, self->answer.info.count);
	ASSERT_EQ(0, meter(self->context, 1, 0, 0, 0));
	ASSERT_EQ(0, run_plain(self->context, &ring, 10, 0, &model));
	ASSERT_EQ(0, read_hist(self->context, 1, 0, HFT_CLASS_ALL, HFT_KIND_DISPATCH,
			       &self->answer));
	EXPECT_EQ(0, self->answer.info.count);
	hft_test_ring_close(&ring);
}

TEST_F(meter, queued_before_it_was_switched_on)
{
	struct hft_task task = hft_test_task(1, 0, hft_test_now() + 50 * NSEC_PER_MSEC);
	struct hft_test_ring ring;
	struct hft_event event;

	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 16, 16, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, meter(self->context, 1, HFT_METER_HIST, 1, 1 << HFT_KIND_DISPATCH));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, hft_test_take(&ring, &event, 60 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_test_take(&ring, &event, 60 * NSEC_PER_SEC));
	ASSERT_EQ(0, read_hist(self->context, 1, 0, 0, HFT_KIND_DISPATCH, &self->answer));
	EXPECT_EQ(1, self->answer.info.count);
	/* Switched off between the two. */
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, meter(self->context, 1, 0, 0, 0));
	ASSERT_EQ(0, hft_test_take(&ring, &event, 60 * NSEC_PER_SEC));
	hft_test_ring_close(&ring);
}

TEST_F(meter, classes_that_were_not_asked_for)
{
	ASSERT_EQ(0, meter(self->context, 0, HFT_METER_HIST, 0x2, 1 << HFT_KIND_RUN));
	for (int i = 0; i < 6; i++) {
		struct hft_task task = hft_test_task(0, i % CLASSES, hft_test_now());

		task.task_class = i % CLASSES;
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		ASSERT_EQ(1, hft_test_wait(&self->ring, 60 * NSEC_PER_SEC));
		run_one(self, 1, 1);
	}
	ASSERT_EQ(0, read_hist(self->context, 0, 0, HFT_CLASS_ALL, HFT_KIND_RUN, &self->answer));
	EXPECT_EQ(2, self->answer.info.count);
	ASSERT_EQ(0, read_hist(self->context, 0, 0, 0, HFT_KIND_RUN, &self->answer));
	EXPECT_EQ(0, self->answer.info.count);
	ASSERT_EQ(0, read_hist(self->context, 0, 0, 1, HFT_KIND_DISPATCH, &self->answer));
	EXPECT_EQ(0, self->answer.info.count);
}

TEST_F(meter, arguments)
{
	struct hft_ring_add add = hft_test_ring_default();
	struct hft_test_ring monitor;
	struct hft_meter_set set;
	struct hft_hist_info info;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		if (1U << bit != HFT_METER_HIST)
			EXPECT_EQ(-EINVAL, meter(self->context, 0, 1U << bit, 1, 1));
		EXPECT_EQ(bit < HFT_CLASSES ? 0 : -EINVAL,
			  meter(self->context, 0, HFT_METER_HIST, 1U << bit, 1));
		EXPECT_EQ(bit < HFT_KINDS ? 0 : -EINVAL,
			  meter(self->context, 0, HFT_METER_HIST, 1, 1U << bit));
	}
	for (bit = 0; bit < 64; bit++) {
		set = (struct hft_meter_set) { .reserved = 1ULL << bit };
		EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_METER, &set));
	}
	for (bit = 0; bit < 32; bit++) {
		info = (struct hft_hist_info) { .reserved = 1U << bit };
		EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
		info = (struct hft_hist_info) { .flags = 1U << bit };
		if (1U << bit != HFT_HIST_GLOBAL)
			EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	}
	EXPECT_EQ(-ENOENT, meter(self->context, 1, HFT_METER_HIST, 0, 0));
	EXPECT_EQ(-ENOENT, meter(self->context, ~0U, HFT_METER_HIST, 0, 0));
	EXPECT_EQ(-ENOENT, read_hist(self->context, 1, 0, 0, 0, &self->answer));
	EXPECT_EQ(-ENOENT, read_hist(self->context, 64, 0, 0, 0, &self->answer));
	EXPECT_EQ(-EINVAL, read_hist(self->context, 0, 0, HFT_CLASSES, 0, &self->answer));
	EXPECT_EQ(-EINVAL, read_hist(self->context, 0, 0, 0, HFT_KINDS, &self->answer));
	EXPECT_EQ(-EINVAL, read_hist(self->context, 0, HFT_HIST_GLOBAL, 0, 0, &self->answer));
	EXPECT_EQ(-ENOENT, read_hist(self->context, 1 << 20, HFT_HIST_GLOBAL, HFT_CLASS_ALL, 0,
				     &self->answer));

	add.flags = HFT_RING_MONITOR;
	add.level_mask = 0;
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &monitor));
	EXPECT_EQ(-EINVAL, meter(self->context, 1, HFT_METER_HIST, 0, 0));
	hft_test_ring_close(&monitor);
}

TEST_F(meter, room_for_the_buckets)
{
	struct hft_hist_info info = { .task_class = HFT_CLASS_ALL, .kind = HFT_KIND_RUN };
	uint64_t *page = mmap(NULL, HFT_TEST_PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct hft_task task = hft_test_task(0, 0, hft_test_now());

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, meter(self->context, 0, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(1, hft_test_wait(&self->ring, 60 * NSEC_PER_SEC));
	run_one(self, 0, 3);

	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	EXPECT_EQ(BUCKETS, info.nr_buckets);
	EXPECT_EQ(1, info.count);
	/* No more than there is room for, at the end of what is mapped; and none of it. */
	info = (struct hft_hist_info) {
		.task_class = HFT_CLASS_ALL, .kind = HFT_KIND_RUN, .nr_buckets = 4,
		.buckets = (uintptr_t)(page + HFT_TEST_PAGE / 8 - 4),
	};
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	EXPECT_EQ(1, page[HFT_TEST_PAGE / 8 - 1]);
	EXPECT_EQ(0, page[HFT_TEST_PAGE / 8 - 5]);
	info.nr_buckets = 8;
	ASSERT_EQ(0, munmap(page, HFT_TEST_PAGE));
	EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	info.nr_buckets = ~0U;
	info.buckets = 1;
	EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	info.buckets = 0xffffffff81000000;
	EXPECT_EQ(-EFAULT, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	/* More than there are is no harm. */
	info.buckets = (uintptr_t)self->answer.bucket;
	ASSERT_EQ(0, hft_test_ioctl(self->context, HFT_IOC_HIST, &info));
	EXPECT_EQ(1, self->answer.bucket[3]);
}

/* What all contexts have done on a CPU, also those that are gone. */
TEST_F(meter, of_all_contexts)
{
	int other = hft_test_context(TASKS);
	struct hft_test_ring ring;
	static struct model model;
	uint64_t before, all;

	ASSERT_LT(0, other);
	ASSERT_EQ(0, hft_test_ring_add(other, 0, 16, 16, HFT_POLICY_FIFO, &ring));
	ASSERT_EQ(0, read_hist(self->context, 0, HFT_HIST_GLOBAL, HFT_CLASS_ALL,
			       HFT_KIND_DISPATCH, &self->answer));
	before = self->answer.info.count;
	ASSERT_EQ(0, meter(other, 0, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, run_plain(other, &ring, 20, 3, &model));
	ASSERT_EQ(0, read_hist(self->context, 0, HFT_HIST_GLOBAL, HFT_CLASS_ALL,
			       HFT_KIND_DISPATCH, &self->answer));
	EXPECT_EQ(before + 20, self->answer.info.count);
	/* Begun anew, then off, then closed: none is lost. */
	ASSERT_EQ(0, meter(other, 0, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, run_plain(other, &ring, 20, 5, &model));
	ASSERT_EQ(0, meter(other, 0, 0, 0, 0));
	ASSERT_EQ(0, meter(other, 0, HFT_METER_HIST, 0, 0));
	ASSERT_EQ(0, run_plain(other, &ring, 20, 0, &model));
	hft_test_ring_close(&ring);
	close(other);
	ASSERT_EQ(0, read_hist(self->context, 0, HFT_HIST_GLOBAL, HFT_CLASS_ALL,
			       HFT_KIND_DISPATCH, &self->answer));
	EXPECT_EQ(before + 60, self->answer.info.count);
	ASSERT_EQ(0, read_hist(self->context, HFT_STATS_CONTEXT, HFT_HIST_GLOBAL, HFT_CLASS_ALL,
			       HFT_KIND_DISPATCH, &self->answer));
	all = self->answer.info.count;
	EXPECT_LE(before + 60, all);
}

static int as_nobody(int context)
{
	struct answer *answer = malloc(sizeof(*answer));
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (!answer || setresuid(65534, 65534, 65534))
			_exit(1);
		if (read_hist(context, 0, HFT_HIST_GLOBAL, HFT_CLASS_ALL, 0, answer) != -EPERM)
			_exit(2);
		_exit(read_hist(context, 0, 0, HFT_CLASS_ALL, 0, answer) ? 3 : 0);
	}
	free(answer);
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(meter, all_contexts_need_a_capability)
{
	ASSERT_EQ(0, as_nobody(self->context));
}

TEST_HARNESS_MAIN
