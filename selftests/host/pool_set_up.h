/* SPDX-License-Identifier: GPL-2.0-only */
/* A pool for each test, and tasks that count. */
#ifndef POOL_SET_UP_H
#define POOL_SET_UP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/pool.h>

#include "gate.h"
#include "random.h"

#define MSEC		1000000ULL
#define PATIENCE	(60000 * MSEC)
#define WORKERS		3

static struct hft_pool *pool;

static inline uint64_t soon(void)
{
	return hft_now() + PATIENCE;
}

static inline int open_pool(uint32_t workers, uint32_t flags, uint64_t spin_ns)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = workers, .flags = flags, .spin_ns = spin_ns);

	return hft_pool_open(&pool, &opts);
}

/* More workers than CPUs, which sleep at once: what could get lost does. */
static inline int set_up(void **state)
{
	(void)state;
	return open_pool(WORKERS, HFT_POOL_UNPINNED, 0);
}

static inline int set_up_one(void **state)
{
	(void)state;
	return open_pool(1, HFT_POOL_UNPINNED, 0);
}

static inline int set_up_quiet(void **state)
{
	(void)state;
	return open_pool(WORKERS, HFT_POOL_UNPINNED | HFT_POOL_QUIET, 0);
}

static inline int tear_down(void **state)
{
	(void)state;
	hft_pool_close(pool);
	return 0;
}

static inline void wait_for(struct hft_group *group)
{
	assert_int_equal(hft_group_wait(group, soon()), 0);
}

static inline int64_t count(void *args)
{
	atomic_fetch_add(*(atomic_uint **)args, 1);
	return 0;
}

static inline int64_t nothing(void *args)
{
	(void)args;
	return 0;
}

struct spawn_many {
	struct hft_group *group;
	atomic_uint *times;
	unsigned int nr;
};

#define with(pool, test)	cmocka_unit_test_setup_teardown(test, set_up##pool, tear_down)

#endif /* POOL_SET_UP_H */
