// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/*
 * What if something had been other: against figures that were made of the submissions alone, by
 * what the documentation says, without the simulation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "record_folder.h"

#define JOBS		120
#define RINGS		3
#define DAY_NS		(JOBS * 100 * NSEC_PER_USEC)
#define SLOT_NS		(400 * NSEC_PER_USEC)	/* more than a job takes */
#define SLOT_STRIDE	37			/* no divisor of JOBS */
#define NEVER		UINT64_MAX

struct job {
	uint64_t release;
	uint64_t deadline;
	uint64_t run;
	uint32_t ring;
	bool done;
};

/* Of a ring, whose jobs are a class */
struct figures {
	uint64_t jobs;
	uint64_t missed;
	uint64_t response_sum;
	uint64_t response_max;
	uint64_t start_sum;
};

struct how {
	uint32_t policy;
	uint32_t cpus;
	uint64_t lead;
	uint64_t scale;			/* of what jobs take */
};

static void make_jobs(struct job *jobs, uint32_t rings, uint64_t seed)
{
	uint64_t from = 2000 * NSEC_PER_USEC;
	int i;

	for (i = 0; i < JOBS; i++) {
		struct job *job = &jobs[i];

		*job = (struct job){
			.release = from + random_below(&seed, DAY_NS),
			.run = (10 + random_below(&seed, 100 * rings)) * NSEC_PER_USEC,
			.ring = (uint32_t)random_below(&seed, rings),
		};
		job->deadline = job->release + job->run +
				random_below(&seed, 600) * NSEC_PER_USEC;
	}
}

/* Each after the other has ended, as one thread is the worker of all rings that are recorded. */
static void set_apart(struct job *jobs, uint64_t scale)
{
	uint32_t i;

	for (i = 0; i < JOBS; i++) {
		uint64_t slack = jobs[i].deadline - jobs[i].release - jobs[i].run;

		jobs[i].release = (5 + i * SLOT_STRIDE % JOBS) * SLOT_NS;
		jobs[i].deadline = jobs[i].release + scale * jobs[i].run + slack;
	}
}

/* When the first job that a ring has left can be dispatched. */
static uint64_t next_of(const struct job *jobs, uint32_t ring, uint64_t lead)
{
	uint64_t next = NEVER;
	int i;

	for (i = 0; i < JOBS; i++) {
		if (!jobs[i].done && jobs[i].ring == ring && jobs[i].release - lead < next)
			next = jobs[i].release - lead;
	}
	return next;
}

/* Of those that can be dispatched: the first by deadline, or that was submitted. */
static struct job *best_of(struct job *jobs, uint32_t ring, const struct how *how, uint64_t now)
{
	struct job *best = NULL;
	int i;

	for (i = 0; i < JOBS; i++) {
		struct job *job = &jobs[i];

		if (job->done || job->ring != ring || job->release - how->lead > now)
			continue;
		if (!best || (how->policy == HFT_POLICY_EDF && job->deadline < best->deadline))
			best = job;
	}
	return best;
}

/* The ring of a CPU whose worker is, or will be, awake first. */
static uint32_t first_ring(const struct job *jobs, uint32_t cpu, const struct how *how,
			   uint64_t *when)
{
	uint32_t ring, first = RINGS;

	*when = NEVER;
	for (ring = cpu; ring < RINGS; ring += how->cpus) {
		uint64_t next = next_of(jobs, ring, how->lead);

		if (next < *when) {
			*when = next;
			first = ring;
		}
	}
	return first;
}

static void run_job(struct job *job, const struct how *how, uint64_t *now, struct figures *figures)
{
	uint64_t start = *now > job->release ? *now : job->release;

	*now = start + how->scale * job->run;
	job->done = true;
	figures->jobs++;
	figures->missed += *now > job->deadline;
	figures->start_sum += start - job->release;
	figures->response_sum += *now - job->release;
	if (*now - job->release > figures->response_max)
		figures->response_max = *now - job->release;
}

/*
 * A worker that is awake runs one job after the other, each to its end, until its ring is empty;
 * then it is the turn of the one of its CPU that has been awake for longest.  That has the job
 * that has woken it, as a ring has one at a time: the others compete when that is done.
 */
static void compute(const struct job *asked, const struct how *how, struct figures *figures)
{
	struct job jobs[JOBS], *job;
	uint32_t cpu, ring;
	uint64_t now, when;

	memcpy(jobs, asked, sizeof(jobs));
	memset(figures, 0, RINGS * sizeof(*figures));
	for (cpu = 0; cpu < how->cpus; cpu++) {
		now = 0;
		while ((ring = first_ring(jobs, cpu, how, &when)) < RINGS) {
			job = best_of(jobs, ring, how, when);
			now = when > now ? when : now;
			for (; job; job = best_of(jobs, ring, how, now))
				run_job(job, how, &now, &figures[ring]);
		}
	}
}

static void consume(struct hft_ring *ring, const struct job *jobs)
{
	const struct hft_event *event = hft_ring_peek(ring);

	hft_ring_begin(ring, event, hft_spin_until(event->release));
	hft_spin_until(hft_now() + jobs[event->cookie].run);
	hft_ring_advance(ring);
}

/* Of those that were not done: the one that is released first. */
static const struct job *next_job(const struct job *jobs, bool *done)
{
	const struct job *next = NULL;
	int i;

	for (i = 0; i < JOBS; i++) {
		if (!done[i] && (!next || jobs[i].release < next->release))
			next = &jobs[i];
	}
	done[next - jobs] = true;
	return next;
}

static void record(const char *path, const struct job *jobs, uint32_t nr)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=3", .tasks = JOBS);
	struct hft_ring *rings[RINGS], *ring_of_next;
	bool done[JOBS] = { false };
	uint32_t i;
	struct hft *h;

	load_remove(path);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	for (i = 0; i < nr; i++) {
		HFT_OPTS(hft_ring_opts, ring, .policy = HFT_POLICY_FIFO, .entries = 4, .window = 1,
			 .cpu = i, .flags = HFT_RING_REPORT);

		assert_int_equal(hft_ring_open(h, &ring, &rings[i]), 0);
	}
	for (i = 0; i < JOBS; i++) {
		const struct hft_task task = {
			.cookie = i, .ring = hft_ring_number(rings[jobs[i].ring]),
			.release = hft_now() + jobs[i].release, .level = HFT_LEVEL_NORMAL,
			.deadline = hft_now() + jobs[i].deadline,
			.task_class = (uint8_t)jobs[i].ring,
		};

		assert_int_equal(hft_submit(h, &task, NULL), 0);
	}
	for (i = 0; i < JOBS; i++) {
		ring_of_next = rings[next_job(jobs, done)->ring];
		assert_true(hft_wait(ring_of_next, hft_now() + RINGS * DAY_NS) > 0);
		consume(ring_of_next, jobs);
	}
	/* For what takes longer with a change. */
	hft_spin_until(hft_now() + RINGS * DAY_NS);
	for (i = 0; i < nr; i++)
		hft_ring_close(rings[i]);
	hft_close(h);
}

static void keep_row(const struct hft_what_if_row *row, void *arg)
{
	struct hft_what_if_row *rows = arg;

	assert_true(row->task_class < RINGS);
	assert_int_equal(row->ring, row->task_class);
	rows[row->task_class] = *row;
}

static void compare(const struct hft_what_if_side *side, const struct figures *figures)
{
	assert_int_equal(side->jobs, figures->jobs);
	assert_int_equal(side->ended, figures->jobs);
	assert_int_equal(side->missed, figures->missed);
	assert_int_equal(side->dropped + side->refused, 0);
	assert_int_equal(side->response.sum_ns, figures->response_sum);
	assert_int_equal(side->response.max_ns, figures->response_max);
	assert_int_equal(side->start.sum_ns, figures->start_sum);
}

/* Returns by how many misses the change makes a difference, to the better or the worse. */
static uint64_t check(const struct job *jobs, uint32_t rings, const struct hft_what_if *change)
{
	struct how before = { .policy = HFT_POLICY_FIFO, .cpus = RINGS, .scale = 1 };
	struct how after = before;
	struct hft_what_if_row rows[RINGS] = { 0 };
	struct figures figures[2][RINGS];
	uint64_t differs = 0;
	uint32_t i;

	if (change->fields & HFT_WHAT_IF_POLICY)
		after.policy = change->policy;
	if (change->fields & HFT_WHAT_IF_LEAD)
		after.lead = change->lead_ns;
	if (change->fields & HFT_WHAT_IF_CPUS)
		after.cpus = change->cpus;
	if (change->fields & HFT_WHAT_IF_COST)
		after.scale = change->cost_ppm / 1000000;
	compute(jobs, &before, figures[0]);
	compute(jobs, &after, figures[1]);
	assert_int_equal(hft_replay_what_if(path_of("alone"), NULL, change, keep_row, rows), 0);
	for (i = 0; i < rings; i++) {
		compare(&rows[i].before, &figures[0][i]);
		compare(&rows[i].after, &figures[1][i]);
		differs += figures[0][i].missed > figures[1][i].missed ?
			   figures[0][i].missed - figures[1][i].missed :
			   figures[1][i].missed - figures[0][i].missed;
	}
	return differs;
}

static void test_policy_and_lead(void **state)
{
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_POLICY, .policy = HFT_POLICY_EDF);
	struct job jobs[JOBS];

	(void)state;
	make_jobs(jobs, 1, 1);
	record(path_of("alone"), jobs, 1);
	assert_true(check(jobs, 1, &change));
	change.fields = HFT_WHAT_IF_LEAD;
	change.lead_ns = 100 * NSEC_PER_USEC;
	assert_true(check(jobs, 1, &change));
	change.fields |= HFT_WHAT_IF_POLICY;
	assert_true(check(jobs, 1, &change));
}

static void test_cpus(void **state)
{
	HFT_OPTS(hft_what_if, change, .fields = HFT_WHAT_IF_CPUS | HFT_WHAT_IF_COST, .cpus = 1,
		 .cost_ppm = 3000000);
	struct job jobs[JOBS];

	(void)state;
	make_jobs(jobs, RINGS, 2);
	set_apart(jobs, 3);
	record(path_of("alone"), jobs, RINGS);
	assert_true(check(jobs, RINGS, &change));
	change.cpus = 2;
	assert_true(check(jobs, RINGS, &change));
	change.fields |= HFT_WHAT_IF_POLICY;
	change.policy = HFT_POLICY_EDF;
	assert_true(check(jobs, RINGS, &change));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy_and_lead),
		cmocka_unit_test(test_cpus),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
