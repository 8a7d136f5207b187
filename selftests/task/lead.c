// SPDX-License-Identifier: GPL-2.0-only
/* The lead of a ring: set, learned from what its worker reports, and what that changes. */
#include <hft/hft.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define TASKS	128
#define MS	NSEC_PER_MSEC
#define WOKE	200000			/* ns; a VM may be much slower, and is not asked */
#define LOOKS	40			/* wake-ups and ms between two, for a look */

FIXTURE(lead) {
	int context;
	struct hft_test_ring ring;
	struct hft_report *reports;
};

static struct hft_ring_add learning(void)
{
	struct hft_ring_add add = hft_test_ring_default();

	add.flags = HFT_RING_REPORT | HFT_RING_LEAD;
	return add;
}

FIXTURE_SETUP(lead)
{
	struct hft_ring_add add = learning();

	self->context = hft_test_context(TASKS);
	ASSERT_LT(0, self->context);
	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &self->ring));
	self->reports = (void *)((char *)self->ring.consumer + HFT_TEST_PAGE);
}

FIXTURE_TEARDOWN(lead)
{
	hft_test_ring_close(&self->ring);
	close(self->context);
}

static int lead_info(int context, struct hft_lead_info *info)
{
	return hft_test_ioctl(context, HFT_IOC_LEAD, info);
}

/* Take the next event as one that its worker has woken for in @woke. */
static int work(struct hft_test_ring *ring, struct hft_report *reports, uint32_t woke,
		struct hft_event *event)
{
	uint32_t head = ring->consumer->head;
	struct hft_report *report = &reports[head & (ring->add.entries - 1)];
	int ret = hft_test_wait(ring, 10 * NSEC_PER_SEC);

	if (ret < 0)
		return ret;
	*event = ring->events[head & (ring->add.entries - 1)];
	report->start = hft_test_now();
	report->woke = woke;
	report->end = report->start;
	hft_test_advance(ring, 1);
	return 0;
}

/* Enough for a look, all alike. */
static int work_many(int context, struct hft_test_ring *ring, struct hft_report *reports,
		     uint32_t woke)
{
	struct hft_event event;
	struct hft_task task;
	int i, err = 0;

	for (i = 0; i < LOOKS && !err; i++) {
		task = hft_test_task(ring->add.ring, i, 0);
		err = hft_test_submit(context, &task, NULL);
		if (!err)
			err = work(ring, reports, woke, &event);
		hft_test_sleep(8 * MS);
	}
	return err;
}

TEST_F(lead, is_learned_from_wakeups)
{
	struct hft_lead_info info = { .ring = self->ring.add.ring };
	char text[2048];

	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(0, info.lead);
	EXPECT_EQ(10000, info.budget_ppm);
	EXPECT_EQ(0, info.wakeups);

	ASSERT_EQ(0, work_many(self->context, &self->ring, self->reports, WOKE));
	/* All alike, they cost no more than their bucket is wide: nearly nothing. */
	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_LE(LOOKS - 1, info.wakeups);
	EXPECT_LE(1, info.changes);
	EXPECT_LE(WOKE * 31 / 32, info.lead);
	EXPECT_GE(WOKE * 33 / 32, info.lead);
	EXPECT_EQ(info.lead, self->ring.producer->lead);
	EXPECT_EQ(0, info.late_ppm);
	EXPECT_GE(info.budget_ppm, info.cpu_ppm);
	ASSERT_EQ(0, hft_test_read_file("/sys/class/misc/hft/events", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "\nlead_changes "));
	EXPECT_EQ(NULL, strstr(text, "\nlead_changes 0\n"));
}

TEST_F(lead, does_not_learn_from_what_was_not_waited_for)
{
	struct hft_lead_info info = { .ring = self->ring.add.ring };

	ASSERT_EQ(0, work_many(self->context, &self->ring, self->reports, 0));
	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(0, info.lead);
}

/* Any word that a worker writes is only about its own ring, and within bounds. */
TEST_F(lead, hostile_reports)
{
	static const uint64_t starts[] = { 0, 1, 1ULL << 63, UINT64_MAX };
	struct hft_lead_info info = { .ring = self->ring.add.ring };
	struct hft_event event;
	struct hft_task task;
	uint64_t random = 7;
	int i;

	for (i = 0; i < 1000; i++) {
		struct hft_report *report = &self->reports[i % self->ring.add.entries];

		task = hft_test_task(self->ring.add.ring, i, 0);
		ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
		report->start = i % 5 ? starts[i % 5 - 1] : hft_test_now();
		report->end = i % 7 ? UINT64_MAX : report->start;
		report->woke = i % 3 ? hft_test_random(&random) : UINT32_MAX;
		report->result = hft_test_random(&random);
		ASSERT_EQ(0, hft_test_take(&self->ring, &event, NSEC_PER_SEC));
		ASSERT_EQ(0, lead_info(self->context, &info));
		ASSERT_GE(1000000, info.lead);
	}
}

TEST_F(lead, holds_for_tasks_that_are_queued_after_it)
{
	struct hft_lead_info info = {
		.ring = self->ring.add.ring, .fields = HFT_LEAD_LEAD, .lead = MS,
	};
	uint64_t release = hft_test_now() + 300 * MS;
	struct hft_task before = hft_test_task(self->ring.add.ring, 1, release);
	struct hft_task after = hft_test_task(self->ring.add.ring, 2, release + 100 * MS);
	struct hft_event event;

	ASSERT_EQ(0, hft_test_submit(self->context, &before, NULL));
	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(MS, info.lead);
	ASSERT_EQ(0, hft_test_submit(self->context, &after, NULL));

	ASSERT_EQ(0, work(&self->ring, self->reports, 0, &event));
	EXPECT_EQ(1, event.cookie);
	EXPECT_LE(event.release, event.irq_entry);
	ASSERT_EQ(0, work(&self->ring, self->reports, 0, &event));
	EXPECT_EQ(2, event.cookie);
	EXPECT_LE(event.release - MS, event.irq_entry);
}

TEST_F(lead, next_jobs_have_it)
{
	struct hft_lead_info info = {
		.ring = self->ring.add.ring, .fields = HFT_LEAD_LEAD, .lead = MS,
	};
	struct hft_task task = hft_test_task(self->ring.add.ring, 1, hft_test_now() + 50 * MS);
	struct hft_event event;
	int i, early = 0;

	task.flags = HFT_TASK_PERIODIC;
	task.period = 20 * MS;
	ASSERT_EQ(0, hft_test_submit(self->context, &task, NULL));
	ASSERT_EQ(0, lead_info(self->context, &info));
	ASSERT_EQ(0, work(&self->ring, self->reports, 0, &event));
	EXPECT_LE(event.release, event.irq_entry);
	/* Where timers are not a whole millisecond late. */
	for (i = 0; i < 100 && !early; i++) {
		ASSERT_EQ(0, work(&self->ring, self->reports, 0, &event));
		early = event.irq_entry < event.release;
	}
	EXPECT_EQ(1, early);
}

TEST_F(lead, table)
{
	struct hft_lead_row rows[HFT_LEAD_ROWS + 1] = {};
	struct hft_lead_info info = {
		.ring = self->ring.add.ring, .rows = (uintptr_t)rows, .nr_rows = HFT_LEAD_ROWS,
	};

	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(0, info.nr_rows);
	ASSERT_EQ(0, work_many(self->context, &self->ring, self->reports, WOKE));
	ASSERT_EQ(0, work_many(self->context, &self->ring, self->reports, 3 * WOKE));
	info.nr_rows = HFT_LEAD_ROWS;
	ASSERT_EQ(0, lead_info(self->context, &info));
	/* By how late the timers were, a few more than two. */
	ASSERT_LE(2, info.nr_rows);
	EXPECT_LE(WOKE, rows[0].lead);
	EXPECT_LT(0, rows[0].late_ppm);
	EXPECT_EQ(0, rows[info.nr_rows - 1].late_ppm);
	EXPECT_LT(rows[0].cpu_ppm, rows[info.nr_rows - 1].cpu_ppm);
	EXPECT_EQ(0, rows[info.nr_rows].lead);

	rows[1].lead = 77;
	info.nr_rows = 1;
	ASSERT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(1, info.nr_rows);
	EXPECT_EQ(77, rows[1].lead);
}

TEST_F(lead, refusals)
{
	struct hft_ring_add add = { .entries = 4, .window = 4, .flags = HFT_RING_MONITOR };
	const struct hft_lead_info valid = { .ring = self->ring.add.ring };
	struct hft_test_ring monitor, plain;
	struct hft_lead_info info;
	int bit;

	ASSERT_EQ(0, hft_test_ring_make(self->context, &add, &monitor));
	ASSERT_EQ(0, hft_test_ring_add(self->context, 0, 4, 4, HFT_POLICY_FIFO, &plain));
	add = hft_test_ring_default();
	add.flags = HFT_RING_LEAD;
	EXPECT_EQ(-EINVAL, hft_test_ioctl(self->context, HFT_IOC_RING_ADD, &add));

	for (bit = 0; bit < 64; bit++) {
		info = valid;
		info.reserved = 1ULL << bit;
		EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	}
	for (bit = 2; bit < 32; bit++) {
		info = valid;
		info.fields = 1U << bit;
		EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	}
	info = valid;
	info.fields = HFT_LEAD_LEAD;
	info.lead = 1000001;
	EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	info.fields = HFT_LEAD_BUDGET;
	EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	info.budget_ppm = 1000001;
	EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	info.budget_ppm = 1000000;
	EXPECT_EQ(0, lead_info(self->context, &info));
	info = valid;
	info.nr_rows = HFT_LEAD_ROWS + 1;
	EXPECT_EQ(-EINVAL, lead_info(self->context, &info));
	info = valid;
	info.ring = 63;
	EXPECT_EQ(-ENOENT, lead_info(self->context, &info));
	info.ring = UINT32_MAX;
	EXPECT_EQ(-ENOENT, lead_info(self->context, &info));
	info = (struct hft_lead_info){ .ring = monitor.add.ring };
	EXPECT_EQ(-EINVAL, lead_info(self->context, &info));

	info = (struct hft_lead_info){ .ring = plain.add.ring };
	EXPECT_EQ(0, lead_info(self->context, &info));
	info.fields = HFT_LEAD_LEAD;
	info.lead = 1000;
	EXPECT_EQ(0, lead_info(self->context, &info));
	EXPECT_EQ(1000, plain.producer->lead);
	info.fields = HFT_LEAD_BUDGET;
	info.budget_ppm = 1;
	EXPECT_EQ(-EOPNOTSUPP, lead_info(self->context, &info));
	info.fields = 0;
	info.nr_rows = 1;
	EXPECT_EQ(-EOPNOTSUPP, lead_info(self->context, &info));

	ASSERT_EQ(0, work_many(self->context, &self->ring, self->reports, WOKE));
	info = valid;
	info.nr_rows = HFT_LEAD_ROWS;
	info.rows = 1UL << 63;
	EXPECT_EQ(-EFAULT, lead_info(self->context, &info));
	hft_test_ring_close(&plain);
	hft_test_ring_close(&monitor);
}

static void count(const struct hft_event *event, uint64_t start, void *arg)
{
	uint32_t *late = arg;

	late[0]++;
	late[1] += start > event->release + 1000;
}

/* The library's worker, at its real wake-ups. */
TEST(worker_learns_its_lead)
{
	HFT_OPTS(hft_ring_opts, opts, .cpu = 1, .lead_ns = HFT_LEAD_LEARNED,
		 .lead_budget_ppm = 50000);
	uint32_t late[2] = { 0 };
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = count, .arg = late);
	struct hft_lead_state state = { .sz = sizeof(state) };
	struct hft_task task = { .level = HFT_LEVEL_HIGH };
	struct hft_lead_row rows[HFT_LEAD_ROWS];
	uint64_t end = hft_test_now() + 60 * NSEC_PER_SEC;
	struct hft_worker *worker;
	struct hft_ring *ring;
	struct hft *h;
	uint64_t id;
	int nr;

	ASSERT_EQ(0, hft_open(&h, NULL));
	ASSERT_EQ(0, hft_ring_open(h, &opts, &ring));
	ASSERT_EQ(0, hft_worker_start(ring, &worker_opts, &worker));
	task.ring = hft_ring_number(ring);
	ASSERT_EQ(0, hft_submit_periodic(h, &task, hft_now() + 10 * MS, 2 * MS, &id));
	do {
		hft_test_sleep(100 * MS);
		ASSERT_EQ(0, hft_lead_state(ring, &state));
	} while (state.wakeups < 500 && hft_test_now() < end);
	nr = hft_lead_table(ring, rows, HFT_LEAD_ROWS);
	printf("# lead %llu ns after %llu wake-ups and %llu changes: %u ppm late, %u ppm spun, %u of %u late; %d rows\n",
	       (unsigned long long)state.lead_ns, (unsigned long long)state.wakeups,
	       (unsigned long long)state.changes, state.late_ppm, state.cpu_ppm, late[1], late[0],
	       nr);
	EXPECT_LE(500, state.wakeups);
	EXPECT_LT(0, hft_ring_lead(ring));
	EXPECT_GE(1000000, hft_ring_lead(ring));
	EXPECT_EQ(50000, state.budget_ppm);
	EXPECT_LT(0, nr);
	EXPECT_EQ(0, hft_cancel(h, id));
	EXPECT_EQ(0, hft_worker_stop(worker));
	hft_ring_close(ring);
	hft_close(h);
}

TEST_HARNESS_MAIN
