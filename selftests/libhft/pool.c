// SPDX-License-Identifier: GPL-2.0-only
/* A pool on a handle of the module: its tasks with a release. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "kselftest_harness.h"

#define US		1000ULL
#define NSEC_PER_MSEC	1000000ULL
#define NSEC_PER_SEC	1000000000ULL
#define HOUR		(3600 * NSEC_PER_SEC)
#define TASKS		1000

FIXTURE(pool) {
	struct hft *h;
	struct hft_pool *pool;
	struct hft_group group;
};

FIXTURE_VARIANT(pool) {
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(pool, uring) { .flags = 0 };
FIXTURE_VARIANT_ADD(pool, ioctl) { .flags = HFT_OPEN_IOCTL };

FIXTURE_SETUP(pool)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .flags = variant->flags);
	HFT_OPTS(hft_pool_opts, pool_opts);

	ASSERT_EQ(0, hft_open(&self->h, &opts));
	pool_opts.hft = self->h;
	ASSERT_EQ(0, hft_pool_open(&self->pool, &pool_opts));
	hft_group_init(&self->group, self->pool);
}

FIXTURE_TEARDOWN(pool)
{
	hft_pool_close(self->pool);
	hft_close(self->h);
}

static struct {
	atomic_uint nr;
	uint64_t late[TASKS];
	atomic_uint early;
} seen;

static int64_t see(void *args)
{
	uint64_t now = hft_now(), release = *(uint64_t *)args;

	if (now < release)
		atomic_fetch_add(&seen.early, 1);
	else
		seen.late[atomic_fetch_add(&seen.nr, 1)] = now - release;
	return 0;
}

static int spawn(FIXTURE_DATA(pool) *self, struct hft_group *group, uint64_t release,
		 uint32_t worker)
{
	HFT_OPTS(hft_spawn_opts, opts, .group = group, .release = release, .worker = worker,
		 .level = 1 + HFT_LEVEL_CRITICAL);

	return hft_spawn_opts(self->pool, see, &release, sizeof(release), &opts, NULL);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

TEST_F(pool, none_is_early)
{
	unsigned int i;

	atomic_store(&seen.nr, 0);
	for (i = 0; i < TASKS; i++) {
		uint64_t release = hft_now() + 20 * NSEC_PER_MSEC + i * 200 * US;

		ASSERT_EQ(0, spawn(self, &self->group, release, i % 3 == 1));
	}
	ASSERT_EQ(0, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
	EXPECT_EQ(0, seen.early);
	ASSERT_EQ(TASKS, seen.nr);
	qsort(seen.late, TASKS, sizeof(*seen.late), compare);
	TH_LOG("after their release: median %llu ns, 99 %% %llu ns",
	       (unsigned long long)seen.late[TASKS / 2],
	       (unsigned long long)seen.late[TASKS * 99 / 100]);
}

TEST_F(pool, a_halt_cancels)
{
	unsigned int i;

	atomic_store(&seen.nr, 0);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, spawn(self, &self->group, hft_now() + HOUR, 0));
	ASSERT_EQ(0, hft_halt(self->h, HFT_HALT_CANCEL, 0, NULL));
	EXPECT_EQ(-ECANCELED, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
	ASSERT_EQ(0, hft_resume(self->h, 0));
	ASSERT_EQ(0, spawn(self, &self->group, hft_now(), 0));
	EXPECT_EQ(0, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
	EXPECT_EQ(1, seen.nr);
}

/* The worker's ring goes with it, and what is in it to another. */
TEST_F(pool, a_worker_leaves)
{
	HFT_OPTS(hft_pool_stats, stats);
	unsigned int i, workers = 0;

	atomic_store(&seen.nr, 0);
	while (!hft_pool_stats(self->pool, workers, &stats))
		workers++;
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, spawn(self, &self->group, hft_now() + 50 * NSEC_PER_MSEC, 0));
	for (i = 0; i < workers; i++)
		ASSERT_EQ(0, hft_pool_remove_worker(self->pool, i));
	ASSERT_LE(0, hft_pool_add_worker(self->pool, 0));
	EXPECT_EQ(0, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
	EXPECT_EQ(100, seen.nr);
	EXPECT_EQ(0, seen.early);
}

/* By another handle: noticed by who takes a worker away, or halts this one. */
TEST_F(pool, a_halt_of_all_cancels)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel");
	struct hft_group fixed;
	struct hft *other;
	unsigned int i;

	hft_group_init(&fixed, self->pool);
	ASSERT_EQ(0, hft_open(&other, &opts));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, spawn(self, &self->group, hft_now() + HOUR, 0));
		ASSERT_EQ(0, spawn(self, &fixed, hft_now() + HOUR, 1));
	}
	ASSERT_EQ(0, hft_halt(other, HFT_HALT_CANCEL, HFT_HALT_GLOBAL, NULL));
	ASSERT_EQ(0, hft_resume(other, HFT_HALT_GLOBAL));
	EXPECT_EQ(-ETIMEDOUT, hft_group_wait(&fixed, 0));
	ASSERT_EQ(0, hft_pool_remove_worker(self->pool, 0));
	ASSERT_EQ(0, hft_halt(self->h, HFT_HALT_CANCEL, 0, NULL));
	EXPECT_EQ(-ECANCELED, hft_group_wait(&fixed, 0));
	EXPECT_EQ(-ECANCELED, hft_group_wait(&self->group, 0));
	hft_close(other);
}

static int set_online(int cpu, bool online)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs(online ? "1" : "0", f);
	return fclose(f) ? -errno : 0;
}

/* The worker's own end; the others go elsewhere, at once or from the start. */
TEST_F(pool, a_cpu_that_goes)
{
	struct hft_group any;
	HFT_OPTS(hft_pool_stats, stats);
	unsigned int i;
	int err;

	if (hft_pool_stats(self->pool, 1, &stats))
		SKIP(return, "one CPU can not go offline");
	hft_group_init(&any, self->pool);
	atomic_store(&seen.nr, 0);
	ASSERT_EQ(0, spawn(self, &self->group, hft_now() + HOUR, 2));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, spawn(self, &any, hft_now() + 200 * NSEC_PER_MSEC, 0));
	ASSERT_EQ(0, set_online((int)stats.cpu, false));
	EXPECT_EQ(-ENODEV, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
	EXPECT_EQ(-ENODEV, spawn(self, &self->group, hft_now(), 2));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, spawn(self, &any, hft_now() + NSEC_PER_MSEC, 0));
	EXPECT_EQ(0, hft_group_wait(&any, hft_now() + 60 * NSEC_PER_SEC));
	EXPECT_EQ(20, seen.nr);
	EXPECT_EQ(0, seen.early);
	err = set_online((int)stats.cpu, true);
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, spawn(self, &self->group, hft_now(), 2));
	EXPECT_EQ(0, hft_group_wait(&self->group, hft_now() + 60 * NSEC_PER_SEC));
}

TEST_F(pool, closed_with_tasks_that_wait)
{
	unsigned int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, spawn(self, &self->group, hft_now() + HOUR, i % 2));
	hft_pool_close(self->pool);
	self->pool = NULL;
	EXPECT_EQ(-ECANCELED, hft_group_wait(&self->group, 0));
}

TEST_HARNESS_MAIN
