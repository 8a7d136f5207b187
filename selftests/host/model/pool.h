/* SPDX-License-Identifier: GPL-2.0-only */
/* A pool in the model, and tasks that count how often each of them ran. */
#ifndef HFT_MODEL_POOL_H
#define HFT_MODEL_POOL_H

#include <string.h>
#include <hft/hft.h>
#include <hft/pool.h>

#include "futex.h"
#include "model.h"

static struct hft_pool *pool;
static struct hft_group group;
static unsigned int ran[8];		/* not atomic: who waits must have acquired them */
static _Atomic uint32_t flag;

static void open_pool_of(const struct hft_pool_opts *opts)
{
	memset(ran, 0, sizeof(ran));
	model_check(!hft_pool_open(&pool, opts));
	hft_group_init(&group, pool);
}

static inline int64_t task(void *args)
{
	ran[*(uint64_t *)args]++;
	return 0;
}

static inline int64_t set_flag(void *args)
{
	atomic_store(&flag, 1);
	hft_futex_wake(&flag, 8);
	return task(args);
}

/* Each of the tasks below @nr has run once. */
static inline void finish(unsigned int nr)
{
	unsigned int i;

	model_check(!hft_group_wait(&group, UINT64_MAX));
	for (i = 0; i < nr; i++)
		model_check(ran[i] == 1);
	hft_pool_close(pool);
}

/* The second one leaves. */
static inline void *remove_second(void *arg)
{
	model_check(!hft_pool_remove_worker(pool, 1));
	return arg;
}

#endif /* HFT_MODEL_POOL_H */
