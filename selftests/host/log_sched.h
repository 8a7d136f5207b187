/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks on a machine, and on one that is simulated, for what the log has of them. */
#ifndef HOST_LOG_SCHED_H
#define HOST_LOG_SCHED_H

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/sim.h>

#include "log_here.h"

#define MS		1000000ull
#define PATIENCE_NS	(60000 * MS)
#define TASKS		50
#define RECORDS		64

static inline void want(const char *subsystem)
{
	assert_int_equal(hft_log_set_level(the_log, subsystem, HFT_LOG_DEBUG), 0);
}

struct worked {
	struct hft *h;
	struct hft_ring *ring;
	struct hft_worker *worker;
	atomic_uint ran;
};

static inline void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct worked *worked = arg;

	(void)event;
	hft_spin_until(start + 20000);
	atomic_fetch_add(&worked->ran, 1);
}

static inline void start(struct worked *worked)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = 2 * TASKS);
	HFT_OPTS(hft_worker_opts, worker, .fn = body, .arg = worked);

	memset(worked, 0, sizeof(*worked));
	assert_int_equal(hft_open(&worked->h, &opts), 0);
	assert_int_equal(hft_ring_open(worked->h, NULL, &worked->ring), 0);
	assert_int_equal(hft_worker_start(worked->ring, &worker, &worked->worker), 0);
}

static inline void wait_for_all(struct worked *worked)
{
	uint64_t end = hft_now() + PATIENCE_NS;

	while (atomic_load(&worked->ran) < TASKS && hft_now() < end)
		usleep(1000);
	assert_int_equal(atomic_load(&worked->ran), TASKS);
}

static inline void stop(struct worked *worked)
{
	wait_for_all(worked);
	assert_int_equal(hft_worker_stop(worked->worker), 0);
	hft_ring_close(worked->ring);
	hft_close(worked->h);
}

/* Half of them by one call; odd ones have a deadline that they can not make. */
static inline void submit(struct worked *worked, uint64_t ids[TASKS])
{
	uint64_t now = hft_now();
	struct hft_task tasks[TASKS];
	uint32_t i;

	for (i = 0; i < TASKS; i++)
		tasks[i] = (struct hft_task){
			.cookie = i, .release = now, .ring = hft_ring_number(worked->ring),
			.level = HFT_LEVEL_NORMAL, .task_class = i % 7,
			.deadline = i % 2 ? now + 1 : 0,
		};
	for (i = 0; i < TASKS / 2; i++)
		assert_int_equal(hft_submit(worked->h, &tasks[i], &ids[i]), 0);
	assert_int_equal(hft_submit_batch(worked->h, tasks + i, TASKS - i,
					  (int64_t *)(ids + i)), TASKS - i);
}

struct recorded {
	struct hft_sim_record records[RECORDS];
	uint32_t nr;
};

static inline void record(const struct hft_sim_record *record, void *arg)
{
	struct recorded *recorded = arg;

	assert_true(recorded->nr < RECORDS);
	recorded->records[recorded->nr++] = *record;
}

/* A long task that a better one preempts, which misses its deadline. */
static inline void run_machine(struct recorded *recorded)
{
	HFT_OPTS(hft_sim_opts, opts, .seed = 1, .start_ns = 5000, .record = record,
		 .record_arg = recorded);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 0);
	HFT_OPTS(hft_sim_worker_opts, worker, .flags = HFT_SIM_PREEMPTIVE);
	struct hft_task task = { .cookie = 1, .release = 10000, .wcet = 50000,
				 .level = HFT_LEVEL_LOW };
	struct hft_sim *sim;
	uint64_t id;
	int ring;

	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	ring = hft_sim_ring_add(sim, &ring_opts);
	assert_true(ring >= 0);
	task.ring = (uint32_t)ring;
	assert_int_equal(hft_sim_worker_add(sim, task.ring, &worker), 0);
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	task.cookie = 2;
	task.release = 20000;
	task.deadline = 21000;
	task.level = HFT_LEVEL_HIGH;
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	task.release = 90000;
	task.deadline = 0;
	assert_int_equal(hft_sim_submit(sim, &task, &id), 0);
	assert_int_equal(hft_sim_cancel(sim, id), 0);
	assert_int_equal(hft_sim_run(sim), 0);
	hft_sim_close(sim);
}

#endif /* HOST_LOG_SCHED_H */
