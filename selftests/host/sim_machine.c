// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The simulated machine: its model, step by step, and that it repeats to the byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/sim.h>

#include "random.h"

#define US		1000ULL
#define MAX_RECORDS	256

struct log {
	struct hft_sim_record record[MAX_RECORDS];
	unsigned int nr;
};

static void keep(const struct hft_sim_record *record, void *arg)
{
	struct log *log = arg;

	assert_true(log->nr < MAX_RECORDS);
	log->record[log->nr++] = *record;
}

static struct hft_sim *open_sim(struct log *log, struct hft_sim_opts opts)
{
	struct hft_sim *sim;

	opts.sz = sizeof(opts);
	opts.record = log ? keep : NULL;
	opts.record_arg = log;
	if (log)
		log->nr = 0;
	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	return sim;
}

static void add_ring(struct hft_sim *sim, struct hft_ring_opts opts, uint32_t flags)
{
	struct hft_sim_worker_opts worker = { .sz = sizeof(worker), .flags = flags };
	int ring;

	opts.sz = sizeof(opts);
	ring = hft_sim_ring_add(sim, &opts);
	assert_true(ring >= 0);
	assert_int_equal(hft_sim_worker_add(sim, ring, &worker), 0);
}

static void submit(struct hft_sim *sim, struct hft_task task)
{
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
}

/* The n-th record of @what, of the task with @cookie. */
static const struct hft_sim_record *find(const struct log *log, uint32_t what, uint64_t cookie)
{
	unsigned int i;

	for (i = 0; i < log->nr; i++) {
		if (log->record[i].what == what && log->record[i].cookie == cookie)
			return &log->record[i];
	}
	return NULL;
}

static uint64_t time_of(const struct log *log, uint32_t what, uint64_t cookie)
{
	const struct hft_sim_record *record = find(log, what, cookie);

	assert_non_null(record);
	return record->time;
}

/* One task: exactly at its release, for exactly its wcet. */
static void test_exact(void **state)
{
	static const uint32_t expected[] = {
		HFT_SIM_RELEASE, HFT_SIM_DISPATCH, HFT_SIM_START, HFT_SIM_END
	};
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){ .start_ns = 7 });
	struct hft_sim_stats stats;
	unsigned int i;

	(void)state;
	add_ring(sim, (struct hft_ring_opts){ 0 }, 0);
	submit(sim, (struct hft_task){ .cookie = 5, .release = 100, .deadline = 130, .wcet = 30 });
	assert_int_equal(hft_sim_now(sim), 7);
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(hft_sim_now(sim), 130);

	assert_int_equal(log.nr, 4);
	for (i = 0; i < log.nr; i++) {
		assert_int_equal(log.record[i].what, expected[i]);
		assert_int_equal(log.record[i].time, i == 3 ? 130 : 100);
		assert_int_equal(log.record[i].cookie, 5);
	}
	assert_int_equal(hft_sim_stats(sim, 0, &stats), 0);
	assert_int_equal(stats.ended, 1);
	assert_int_equal(stats.missed, 0);
	assert_int_equal(stats.pending, 0);
	assert_int_equal(hft_sim_stats(sim, HFT_STATS_CONTEXT, &stats), 0);
	assert_int_equal(stats.interrupts, 1);
	assert_int_equal(stats.busy_ns, 30);
	assert_int_equal(hft_sim_stats(sim, 1, &stats), -ENOENT);
	hft_sim_close(sim);
}

/* A body that runs to its end delays what its own worker has, but not a higher worker. */
static void test_workers(void **state)
{
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){ 0 });

	(void)state;
	add_ring(sim, (struct hft_ring_opts){ .level_mask = 1U << HFT_LEVEL_NORMAL }, 0);
	add_ring(sim, (struct hft_ring_opts){ .level_mask = 1U << HFT_LEVEL_HIGH }, 0);
	submit(sim, (struct hft_task){ .cookie = 1, .level = HFT_LEVEL_NORMAL, .release = 0,
				       .wcet = 100 });
	submit(sim, (struct hft_task){ .cookie = 2, .level = HFT_LEVEL_NORMAL, .release = 10,
				       .wcet = 10 });
	submit(sim, (struct hft_task){ .cookie = 3, .level = HFT_LEVEL_HIGH, .release = 20,
				       .wcet = 50, .ring = 1 });
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(time_of(&log, HFT_SIM_START, 1), 0);
	assert_int_equal(time_of(&log, HFT_SIM_PREEMPT, 1), 20);
	assert_int_equal(time_of(&log, HFT_SIM_START, 3), 20);
	assert_int_equal(time_of(&log, HFT_SIM_END, 3), 70);
	assert_int_equal(time_of(&log, HFT_SIM_RESUME, 1), 70);
	assert_int_equal(time_of(&log, HFT_SIM_END, 1), 150);
	assert_int_equal(time_of(&log, HFT_SIM_START, 2), 150);
	hft_sim_close(sim);
}

/* The same tasks, whose deadlines make the order. */
static void test_preemptive(void **state)
{
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){ 0 });

	(void)state;
	add_ring(sim, (struct hft_ring_opts){ .policy = HFT_POLICY_EDF },
		 HFT_SIM_PREEMPTIVE);
	submit(sim, (struct hft_task){ .cookie = 1, .release = 0, .deadline = 200, .wcet = 100 });
	submit(sim, (struct hft_task){ .cookie = 2, .release = 10, .deadline = 19, .wcet = 10 });
	submit(sim, (struct hft_task){ .cookie = 3, .release = 15, .deadline = 200, .wcet = 5 });
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(time_of(&log, HFT_SIM_PREEMPT, 1), 10);
	assert_int_equal(find(&log, HFT_SIM_PREEMPT, 1)->value, 90);
	assert_int_equal(time_of(&log, HFT_SIM_MISS, 2), 19);
	assert_int_equal(time_of(&log, HFT_SIM_END, 2), 20);
	assert_int_equal(time_of(&log, HFT_SIM_END, 1), 110);
	assert_int_equal(time_of(&log, HFT_SIM_START, 3), 110);
	assert_null(find(&log, HFT_SIM_MISS, 1));
	hft_sim_close(sim);
}

/* What takes time, each by itself. */
static void test_model(void **state)
{
	struct log log;
	struct hft_sim_stats stats;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){
		.interrupt_ns = 3, .wakeup_ns = 20, .switch_ns = 100, .cache_reload_ns = 1000,
	});

	(void)state;
	add_ring(sim, (struct hft_ring_opts){ .level_mask = 1U << HFT_LEVEL_NORMAL }, 0);
	add_ring(sim, (struct hft_ring_opts){ .level_mask = 1U << HFT_LEVEL_HIGH }, 0);
	submit(sim, (struct hft_task){ .cookie = 1, .level = HFT_LEVEL_NORMAL, .release = 1000,
				       .wcet = 5000 });
	submit(sim, (struct hft_task){ .cookie = 2, .level = HFT_LEVEL_HIGH, .release = 2000,
				       .wcet = 400, .ring = 1 });
	assert_int_equal(hft_sim_run(sim), 0);
	/* Woken while the interrupt ends, then a switch; nothing has used the cache. */
	assert_int_equal(time_of(&log, HFT_SIM_START, 1), 1000 + 20 + 100);
	/* The other has executed for 900 - 3 of the interrupt: so much is to be reloaded. */
	assert_int_equal(time_of(&log, HFT_SIM_PREEMPT, 1), 2020);
	assert_int_equal(time_of(&log, HFT_SIM_START, 2), 2020 + 100 + 897);
	assert_int_equal(time_of(&log, HFT_SIM_END, 2), 2020 + 100 + 897 + 400);
	/* Resumed after a switch and what 897 + 400 of the other have used. */
	assert_int_equal(time_of(&log, HFT_SIM_END, 1),
			 2020 + 100 + 897 + 400 + 100 + 400 + 5000 - 897);
	assert_int_equal(hft_sim_stats(sim, HFT_STATS_CONTEXT, &stats), 0);
	assert_int_equal(stats.busy_ns, 5400);
	assert_int_equal(stats.overhead_ns, 2 * 3 + 3 * 100 + 897 + 400);
	hft_sim_close(sim);
}

/* With a lead the worker is there before the release, and waits for it. */
static void test_lead(void **state)
{
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){
		.interrupt_ns = 300, .wakeup_ns = 1000, .switch_ns = 500, .jitter_ns = 200,
	});
	struct hft_ring_opts opts = { .lead_ns = HFT_LEAD_AUTO };

	(void)state;
	add_ring(sim, opts, 0);
	submit(sim, (struct hft_task){ .cookie = 1, .release = 10000, .wcet = 50 });
	assert_int_equal(hft_sim_run(sim), 0);
	assert_true(time_of(&log, HFT_SIM_RELEASE, 1) >= 8000);
	assert_true(time_of(&log, HFT_SIM_RELEASE, 1) <= 8200);
	assert_int_equal(time_of(&log, HFT_SIM_START, 1), 10000);
	assert_int_equal(time_of(&log, HFT_SIM_END, 1), 10050);
	hft_sim_close(sim);
}

static uint64_t ten_each(const struct hft_event *event, void *arg)
{
	(void)event;
	(void)arg;
	return 10;
}

/* A worker that may not start late tells what it drops. */
static void test_drop(void **state)
{
	struct hft_sim_worker_opts worker = {
		.sz = sizeof(worker), .flags = HFT_SIM_DROP_LATE, .cost = ten_each,
	};
	struct hft_sim_stats stats;
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){ 0 });
	uint64_t i;

	(void)state;
	assert_int_equal(hft_sim_ring_add(sim, NULL), 0);
	assert_int_equal(hft_sim_worker_add(sim, 0, &worker), 0);
	assert_int_equal(hft_sim_worker_add(sim, 0, &worker), -EBUSY);
	for (i = 0; i < 6; i++)
		submit(sim, (struct hft_task){ .cookie = i, .release = 100, .deadline = 125 });
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(hft_sim_stats(sim, 0, &stats), 0);
	assert_int_equal(stats.ended, 3);
	assert_int_equal(stats.late, 1);
	assert_int_equal(stats.missed, 4);
	assert_int_equal(stats.dropped, 3);
	assert_int_equal(stats.pending, 0);
	assert_int_equal(time_of(&log, HFT_SIM_DROP, 5), 130);
	hft_sim_close(sim);
}

static void test_cancel(void **state)
{
	struct hft_task task = { .release = 100, .wcet = 10 };
	struct hft_sim_stats stats;
	struct hft_sim *sim = open_sim(NULL, (struct hft_sim_opts){ .tasks = 2 });
	uint64_t id[2];

	(void)state;
	assert_int_equal(hft_sim_submit(sim, &task, id), -ENOENT);
	add_ring(sim, (struct hft_ring_opts){ 0 }, 0);
	assert_int_equal(hft_sim_submit(sim, &task, &id[0]), 0);
	assert_int_equal(hft_sim_submit(sim, &task, &id[1]), 0);
	assert_int_equal(hft_sim_submit(sim, &task, NULL), -EDQUOT);
	assert_int_equal(hft_sim_cancel(sim, id[0]), 0);
	assert_int_equal(hft_sim_cancel(sim, id[0]), -ENOENT);
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(hft_sim_cancel(sim, id[1]), -ENOENT);
	assert_int_equal(hft_sim_stats(sim, 0, &stats), 0);
	assert_int_equal(stats.submitted, 2);
	assert_int_equal(stats.cancelled, 1);
	assert_int_equal(stats.ended, 1);
	hft_sim_close(sim);
}

static void test_clocks(void **state)
{
	struct log log;
	struct hft_sim *sim = open_sim(&log, (struct hft_sim_opts){
		.start_ns = 1000, .realtime_ns = 500000, .tai_ns = 537000,
	});

	(void)state;
	add_ring(sim, (struct hft_ring_opts){ 0 }, 0);
	submit(sim, (struct hft_task){ .cookie = 1, .clock = HFT_CLOCK_REALTIME,
				       .release = 502000, .deadline = 502009, .wcet = 10 });
	submit(sim, (struct hft_task){ .cookie = 2, .clock = HFT_CLOCK_TAI, .release = 538500 });
	submit(sim, (struct hft_task){ .cookie = 3, .clock = HFT_CLOCK_TAI, .release = 3 });
	assert_int_equal(hft_sim_run_until(sim, 1700), 0);
	assert_int_equal(hft_sim_now(sim), 1700);
	assert_int_equal(time_of(&log, HFT_SIM_START, 3), 1000);
	assert_int_equal(time_of(&log, HFT_SIM_START, 2), 1500);
	assert_null(find(&log, HFT_SIM_START, 1));
	assert_int_equal(hft_sim_run(sim), 0);
	assert_int_equal(time_of(&log, HFT_SIM_START, 1), 2000);
	assert_int_equal(time_of(&log, HFT_SIM_MISS, 1), 2009);
	hft_sim_close(sim);
}

static void nested(struct hft_sim *sim, uint64_t now, void *arg)
{
	assert_int_equal(hft_sim_run(sim), -EBUSY);
	*(uint64_t *)arg = now;
	hft_sim_stop(sim);
}

static void test_stop(void **state)
{
	struct hft_sim *sim = open_sim(NULL, (struct hft_sim_opts){ .noise_ns = 1,
								    .noise_period_ns = 50 });
	uint64_t called = 0;

	(void)state;
	assert_int_equal(hft_sim_call_at(sim, 400, nested, &called), 0);
	assert_int_equal(hft_sim_run(sim), -ECANCELED);
	assert_int_equal(called, 400);
	/* What is left are interrupts for ever, which nobody waits for. */
	assert_int_equal(hft_sim_run(sim), 0);
	hft_sim_close(sim);
}

static void test_options(void **state)
{
	struct hft_sim_opts opts = { .sz = sizeof(opts), .vary_ppm = 1000001 };
	struct hft_sim *sim;

	(void)state;
	assert_int_equal(hft_sim_open(&sim, &opts), -EINVAL);
	opts = (struct hft_sim_opts){ .sz = sizeof(opts), .cpus = 1025 };
	assert_int_equal(hft_sim_open(&sim, &opts), -EINVAL);
	opts = (struct hft_sim_opts){ .sz = sizeof(opts), .noise_ns = 10 };
	assert_int_equal(hft_sim_open(&sim, &opts), -EINVAL);
	opts = (struct hft_sim_opts){ .sz = 2 * sizeof(opts) };
	assert_int_equal(hft_sim_open(&sim, NULL), 0);
	assert_int_equal(hft_sim_ring_add(sim, &(struct hft_ring_opts){
		.sz = sizeof(struct hft_ring_opts), .cpu = 1 }), -EINVAL);
	assert_int_equal(hft_sim_mutex_add(sim, 2), -EINVAL);
	hft_sim_close(sim);
	hft_sim_close(NULL);
}

static void print_line(const struct hft_sim_record *record, void *arg)
{
	char line[HFT_SIM_LINE_BYTES];

	assert_true(hft_sim_format(record, line, sizeof(line)) > 0);
	fprintf(arg, "%s\n", line);
}

/* Two CPUs, six rings, all that takes time: 5,000 tasks of random kinds, as text. */
static char *carry_out(uint64_t seed, uint64_t tasks_seed, size_t *size)
{
	struct hft_sim_opts opts = {
		.sz = sizeof(opts), .seed = seed, .cpus = 2, .tasks = 8192, .interrupt_ns = 300,
		.jitter_ns = 100, .wakeup_ns = 1500, .switch_ns = 700, .cache_reload_ns = 2000,
		.noise_ns = 400, .noise_period_ns = 50 * US, .vary_ppm = 300000,
		.record = print_line,
	};
	uint64_t random = tasks_seed;
	struct hft_sim *sim;
	char *text = NULL;
	uint32_t i;

	opts.record_arg = open_memstream(&text, size);
	assert_non_null(opts.record_arg);
	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	for (i = 0; i < 6; i++)
		add_ring(sim, (struct hft_ring_opts){ .cpu = i % 2, .policy = i % HFT_POLICY_FAIR,
						      .window = 1 + i, .entries = 8,
						      .lead_ns = i * 500 },
			 i > 3 ? HFT_SIM_PREEMPTIVE : HFT_SIM_DROP_LATE);
	for (i = 0; i < 5000; i++) {
		uint64_t release = random_below(&random, 40000 * US);

		submit(sim, (struct hft_task){
			.cookie = i, .release = release, .ring = random_below(&random, 6),
			.deadline = release + random_below(&random, 100 * US),
			.level = random_below(&random, HFT_LEVELS),
			.wcet = random_below(&random, 20 * US) });
	}
	assert_int_equal(hft_sim_run(sim), 0);
	hft_sim_close(sim);
	fclose(opts.record_arg);
	return text;
}

static void test_repeats(void **state)
{
	size_t size[4];
	char *text[4];
	int i;

	(void)state;
	text[0] = carry_out(1, 1, &size[0]);
	text[1] = carry_out(1, 1, &size[1]);
	text[2] = carry_out(2, 1, &size[2]);
	text[3] = carry_out(1, 2, &size[3]);
	print_message("# %zu bytes\n", size[0]);
	assert_true(size[0] > 1000000);
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(text[0], text[1], size[0]);
	for (i = 2; i < 4; i++)
		assert_true(size[i] != size[0] || memcmp(text[0], text[i], size[0]));
	for (i = 0; i < 4; i++)
		free(text[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_preemptive),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_lead),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_repeats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
