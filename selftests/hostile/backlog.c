// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user with tasks that wait for room in many rings, who makes room in all of them at once:
 * what an interrupt writes then does not grow with the number of rings.
 */
#include "kselftest_harness.h"
#include "hft_test.h"

#define RINGS		64
#define WINDOW		64
#define MOST		128	/* those that are due, and as many that waited */

static struct hft_test_ring rings[RINGS];
static uint64_t entries[RINGS * (WINDOW + 1)];

static int submit(int context, int ring, int n, uint64_t release)
{
	struct hft_task task = hft_test_task(rings[ring].add.ring, n, release);

	return hft_test_submit(context, &task, NULL);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The interrupts that wrote what is in the rings, one entry an event. */
static int collect(void)
{
	int i, nr = 0;

	for (i = 0; i < RINGS; i++) {
		struct hft_event event;

		while (hft_test_next(&rings[i], &event))
			entries[nr++] = event.irq_entry;
	}
	qsort(entries, nr, sizeof(entries[0]), compare);
	return nr;
}

static int longest_run(int nr)
{
	int i, run = 0, longest = 0;

	for (i = 0; i < nr; i++) {
		run = i && entries[i] == entries[i - 1] ? run + 1 : 1;
		if (run > longest)
			longest = run;
	}
	return longest;
}

TEST(interrupt_is_bounded)
{
	int context = hft_test_context(RINGS * (WINDOW + 1));
	uint64_t release;
	int i, n, nr;

	ASSERT_LT(0, context);
	for (i = 0; i < RINGS; i++) {
		ASSERT_EQ(0, hft_test_ring_add(context, 0, WINDOW, WINDOW, HFT_POLICY_FIFO,
					       &rings[i]));
		for (n = 0; n < 2 * WINDOW; n++)
			ASSERT_EQ(0, submit(context, i, n, 0));
		ASSERT_EQ(HFT_RING_MORE, hft_test_flags(&rings[i]));
	}
	collect();

	release = hft_test_now() + 100 * NSEC_PER_MSEC;
	for (i = 0; i < RINGS; i++)
		ASSERT_EQ(0, submit(context, i, n, release));
	ASSERT_GT(release, hft_test_now());
	hft_test_sleep(200 * NSEC_PER_MSEC);
	nr = collect();
	EXPECT_LE(RINGS, nr);
	EXPECT_GE(MOST, longest_run(nr));

	/* Each ring got something, and gives the rest to who asks. */
	for (; nr < RINGS * (WINDOW + 1); nr += n) {
		for (i = 0; i < RINGS; i++) {
			int ret = hft_test_wait(&rings[i], 0);

			ASSERT_TRUE(ret > 0 || ret == -ETIMEDOUT);
		}
		n = collect();
		ASSERT_LT(0, n);
	}
	for (i = 0; i < RINGS; i++)
		hft_test_ring_close(&rings[i]);
	close(context);
}

TEST_HARNESS_MAIN
