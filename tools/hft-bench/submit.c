// SPDX-License-Identifier: LGPL-2.1-or-later
/* Submission, whole path: library, system call, module, and back. */
#include <errno.h>
#include <stdlib.h>
#include <liburing.h>

#include "bench.h"

#define BATCH		64
#define ROUNDS		100
#define AHEAD		NSEC_PER_SEC

static uint64_t random_state = 1;

/* In the order of nothing: a heap's best and worst cases are orders. */
static struct hft_task random_task(struct session *s, uint64_t now)
{
	struct hft_task task = { .ring = hft_ring_number(s->ring), .level = HFT_LEVEL_REALTIME };

	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	task.release = now + AHEAD + (random_state >> 32) % AHEAD;
	return task;
}

static uint64_t clock_cost(void)
{
	uint64_t start = hft_now();

	return hft_now() - start;
}

static int submit_one(struct session *s, struct samples *cost)
{
	struct hft_task task = random_task(s, hft_now());
	uint64_t start, id;
	int ret;

	start = hft_now();
	ret = hft_submit(s->hft, &task, &id);
	samples_add(cost, (int64_t)(hft_now() - start - clock_cost()));
	return ret;
}

static int submit_batch(struct session *s, struct samples *cost)
{
	struct hft_task task[BATCH];
	int64_t result[BATCH];
	uint64_t start = hft_now();
	unsigned int i;
	int ret;

	for (i = 0; i < BATCH; i++)
		task[i] = random_task(s, start);
	start = hft_now();
	ret = hft_submit_batch(s->hft, task, BATCH, result);
	samples_add(cost, (int64_t)(hft_now() - start - clock_cost()));
	if (ret < 0)
		return ret;
	return ret == BATCH ? 0 : -EDQUOT;
}

static int measure(const char *name, int (*submit)(struct session *s, struct samples *cost),
		   unsigned int tasks_each)
{
	const struct session_opts opts = { .tasks = ROUNDS * tasks_each };
	struct samples cost;
	struct session s;
	unsigned int i;
	int ret;

	ret = samples_init(&cost, ROUNDS);
	if (ret < 0)
		return ret;
	ret = session_open(&s, &opts);
	if (ret < 0)
		goto out;
	for (i = 0; i < ROUNDS && !ret; i++)
		ret = submit(&s, &cost);
	if (!ret)
		print_figure(name, (double)samples_percentile(&cost, PPM_P50) / tasks_each);
	session_close(&s);
out:
	samples_free(&cost);
	return ret;
}

static int nop_one(struct io_uring *ring, struct samples *cost)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	uint64_t start = hft_now();
	int ret;

	sqe = io_uring_get_sqe(ring);
	if (!sqe)
		return -EBUSY;
	io_uring_prep_nop(sqe);
	ret = io_uring_submit_and_wait(ring, 1);
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret < 0)
		return ret;
	io_uring_cqe_seen(ring, cqe);
	samples_add(cost, (int64_t)(hft_now() - start - clock_cost()));
	return 0;
}

static int measure_nop(const char *name)
{
	struct io_uring ring;
	struct samples cost;
	unsigned int i;
	int ret;

	ret = samples_init(&cost, ROUNDS);
	if (ret < 0)
		return ret;
	ret = io_uring_queue_init(4, &ring, 0);
	if (ret < 0)
		goto out;
	for (i = 0; i < ROUNDS && !ret; i++)
		ret = nop_one(&ring, &cost);
	if (!ret)
		print_peer(name, (double)samples_percentile(&cost, PPM_P50), "io_uring NOP");
	io_uring_queue_exit(&ring);
out:
	samples_free(&cost);
	return ret;
}

int bench_submit(void)
{
	int ret;

	ret = measure("submit_batch64_insn", submit_batch, BATCH);
	if (ret < 0)
		return ret;
	ret = measure("submit_single_insn", submit_one, 1);
	if (ret < 0)
		return ret;
	return measure_nop("submit_single_insn");
}
