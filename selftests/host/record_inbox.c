// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Records of hft_submit_now(), and their replay: what workers have taken, and in which order. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>
#include <hft/log_read.h>

#include "engine/replay.h"
#include "record_folder.h"

#define LOADS		4
#define STEPS		600
#define THREADS		2
#define TASKS		300		/* of a thread */

/* What the inboxes of a load have counted. */
struct counts {
	uint64_t submitted;
	uint64_t taken;
	uint64_t events;
};

static void count_inbox(const struct hft_ring *ring, struct counts *counts)
{
	HFT_OPTS(hft_inbox_stats, stats);

	assert_int_equal(hft_inbox_stats(ring, &stats), 0);
	counts->submitted += stats.submitted - stats.passed_on;
	counts->taken += stats.taken;
}

static struct counts record(const char *backend, const char *path, uint64_t seed)
{
	struct load *l = calloc(1, sizeof(*l));
	struct counts counts = { 0 };
	int i;

	load_remove(path);
	l->random = seed;
	l->now = 3;
	l->simulated = !strcmp(backend, "sim");
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(load_open(l, backend), 0);
	unsetenv("HFT_RECORD");
	for (i = 0; i < STEPS; i++)
		load_step(l);
	for (i = 0; i < LOAD_RINGS; i++)
		count_inbox(l->rings[i], &counts);
	counts.events = l->events;
	load_close(l);
	free(l);
	return counts;
}

/* How many records of a name there are. */
static uint64_t count_records(const char *path, const char *name)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "record,decision");
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint64_t nr = 0;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	while (hft_log_reader_next(reader, &view) > 0)
		nr += !strcmp(view->site->name, name);
	hft_log_reader_close(reader);
	return nr;
}

/* All count the same: the inboxes, the log, its replay, and the log of that. */
static void expect_counts(const char *path, const char *output, const struct counts *counts,
			  const struct hft_replay_result *result)
{
	assert_true(counts->taken > 0 && counts->submitted > counts->taken);
	assert_int_equal(count_records(path, "submit_now"), counts->submitted);
	assert_int_equal(count_records(path, "immediate"), counts->taken);
	assert_int_equal(count_records(output, "immediate"), counts->taken);
	assert_int_equal(count_records(output, "ahead"), count_records(path, "ahead"));
	assert_int_equal(count_records(output, "dispatch"), result->events);
	assert_int_equal(result->immediate, counts->taken);
	assert_true(result->events + result->immediate >= counts->events);
}

static void replay(const char *backend, uint64_t late_ns)
{
	const char *path = path_of("load");
	char output[160];
	HFT_OPTS(hft_replay_opts, opts, .late_ns = late_ns, .output = output);
	HFT_OPTS(hft_replay_result, result);
	uint64_t seed;

	snprintf(output, sizeof(output), "%s.again", path);
	for (seed = 1; seed <= LOADS; seed++) {
		struct counts counts = record(backend, path, seed);
		int err = hft_replay(path, &opts, &result);

		if (err)
			fail_msg("seed %llu: %s", (unsigned long long)seed, hft_strerror(err));
		assert_true(result.complete);
		assert_true(result.latest_ns < late_ns);
		expect_counts(path, output, &counts, &result);
		load_remove(output);
	}
}

static void test_sim(void **state)
{
	(void)state;
	replay("sim", 1);
}

static void test_soft(void **state)
{
	(void)state;
	replay("soft", LOAD_LATE_NS);
}

/*
 * Threads that submit while a worker takes, and one of them halts all.  That one alone submits to
 * the ring: of what another thread submits there while a halt cancels, the record does not say
 * which came first.
 */
struct crowd {
	struct hft *h;
	struct hft_ring *ring;
	_Atomic uint64_t run;
	_Atomic uint32_t threads;
};

static void run(const struct hft_event *event, uint64_t start, void *arg)
{
	struct crowd *crowd = arg;

	(void)event;
	(void)start;
	atomic_fetch_add(&crowd->run, 1);
}

static void *submit_all(void *arg)
{
	struct crowd *crowd = arg;
	uint32_t thread = atomic_fetch_add(&crowd->threads, 1);
	uint64_t random = thread + 1;
	int i;

	for (i = 0; i < TASKS; i++) {
		struct hft_task task = {
			.cookie = (uint64_t)i,
			.ring = hft_ring_number(crowd->ring),
			.level = (uint8_t)random_below(&random, HFT_LEVELS),
			.deadline = random_below(&random, 1000) * NSEC_PER_USEC,
		};

		if (thread || random_below(&random, 4)) {
			hft_submit_now(crowd->ring, &task);
		} else {
			task.release = hft_now();
			task.deadline = 0;
			hft_submit(crowd->h, &task, NULL);
		}
		if (!thread && !random_below(&random, 20)) {
			hft_halt(crowd->h, 1 + random_below(&random, HFT_HALT_CANCEL), 0, NULL);
			hft_resume(crowd->h, 0);
		}
	}
	return NULL;
}

static void test_crowd(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .policy = HFT_POLICY_EDF);
	HFT_OPTS(hft_replay_opts, replaying, .late_ns = LOAD_LATE_NS);
	struct crowd crowd = { 0 };
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run, .arg = &crowd);
	HFT_OPTS(hft_replay_result, result);
	struct hft_worker *worker;
	struct counts counts = { 0 };
	pthread_t threads[THREADS];
	int i, err;

	(void)state;
	setenv("HFT_RECORD", path_of("crowd"), 1);
	assert_int_equal(hft_open(&crowd.h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(crowd.h, &ring_opts, &crowd.ring), 0);
	assert_int_equal(hft_worker_start(crowd.ring, &worker_opts, &worker), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &crowd), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(hft_worker_stop(worker), 0);
	count_inbox(crowd.ring, &counts);
	hft_ring_close(crowd.ring);
	hft_close(crowd.h);
	err = hft_replay(path_of("crowd"), &replaying, &result);
	if (err)
		fail_msg("%s", hft_strerror(err));
	assert_int_equal(result.immediate, counts.taken);
	assert_int_equal(count_records(path_of("crowd"), "submit_now"), counts.submitted);
	assert_true(result.events + result.immediate >= atomic_load(&crowd.run));
}

/* One after the other is submitted: of the ring, with cookie 1, and 2 and 3 to its inbox. */
static void record_three(const char *path)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim");
	struct hft_task task = { .cookie = 1, .level = HFT_LEVEL_HIGH };
	struct hft_ring *ring;
	struct hft *h;
	int i;

	load_remove(path);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, NULL, &ring), 0);
	task.ring = hft_ring_number(ring);
	task.release = hft_now();
	assert_int_equal(hft_submit(h, &task, NULL), 0);
	assert_true(hft_wait(ring, hft_now() + 1000 * NSEC_PER_USEC) > 0);
	hft_spin_until(hft_now() + NSEC_PER_USEC);
	task.deadline = HFT_TIME_MAX;
	for (i = 2; i < 4; i++) {
		task.cookie = i;
		assert_int_equal(hft_submit_now(ring, &task), 0);
		hft_spin_until(hft_now() + NSEC_PER_USEC);
		task.level = HFT_LEVEL_CRITICAL;
	}
	for (i = 0; i < 3; i++) {
		assert_int_equal(hft_ring_peek(ring)->cookie, i ? i : 3);
		hft_spin_until(hft_now() + NSEC_PER_USEC);
		hft_ring_advance(ring);
	}
	hft_ring_close(ring);
	hft_close(h);
}

static struct hft_record *find(const struct hft_recording *recording, uint32_t kind, uint32_t n)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		if (recording->records[i].kind == kind && !n--)
			return &recording->records[i];
	}
	fail_msg("no record %u of kind %u", n, kind);
	return NULL;
}

/* A ring of one place: what a worker saw there is gone when the next is dispatched. */
static void record_narrow(const char *path)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim");
	HFT_OPTS(hft_ring_opts, narrow, .entries = 1);
	struct hft_task task = { .cookie = 1, .level = HFT_LEVEL_LOW };
	struct hft_ring *ring;
	struct hft *h;

	load_remove(path);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &narrow, &ring), 0);
	assert_int_equal(hft_submit_now(ring, &task), 0);
	task.ring = hft_ring_number(ring);
	task.level = HFT_LEVEL_HIGH;
	for (task.cookie = 2; task.cookie < 4; task.cookie++) {
		task.release = hft_now();
		assert_int_equal(hft_submit(h, &task, NULL), 0);
		hft_spin_until(hft_now() + 100 * NSEC_PER_USEC);
		assert_int_equal(hft_ring_peek(ring)->cookie, task.cookie);
		hft_ring_advance(ring);
	}
	assert_int_equal(hft_ring_peek(ring)->cookie, 1);
	hft_ring_advance(ring);
	hft_ring_close(ring);
	hft_close(h);
}

/* With a word of a record another one, the replay finds that to be wrong. */
static void expect_of(const char *path, uint32_t kind, uint32_t n, uint32_t word, uint64_t value,
		      int err, const char *text)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	struct hft_recording recording;
	HFT_OPTS(hft_replay_result, result);

	assert_int_equal(hft_recording_read(path, 1, &recording), 0);
	find(&recording, kind, n)->words[word] = value;
	assert_int_equal(hft_replay_recording(&recording, &opts, &result, NULL), err);
	if (err && !strstr(hft_strerror(err), text))
		fail_msg("%s, not: %s", hft_strerror(err), text);
	if (err == -EPROTO)
		assert_true(result.difference.time > 0);
	hft_recording_free(&recording);
}

static void expect(uint32_t kind, uint32_t n, uint32_t word, uint64_t value, int err,
		   const char *text)
{
	expect_of(path_of("three"), kind, n, word, value, err, text);
}

static void test_differences(void **state)
{
	const uint32_t now = HFT_RECORD_SUBMIT_NOW, taken = HFT_RECORD_IMMEDIATE;
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	HFT_OPTS(hft_replay_result, result);

	(void)state;
	record_three(path_of("three"));
	assert_int_equal(hft_replay(path_of("three"), &opts, &result), 0);
	assert_int_equal(result.immediate, 2);
	assert_int_equal(result.events, 1);
	assert_int_equal(result.late, 0);
	assert_int_equal(count_records(path_of("three"), "ahead"), 1);
	expect(now, 0, 4, 7, -EPROTO, "it is another task that is there");
	expect(now, 0, 8, HFT_LEVEL_REALTIME, -EPROTO, "another task of the inbox goes before it");
	expect(now, 0, 8, HFT_LEVELS, -EBADMSG, "a level that there is not");
	expect(now, 1, 3, 0, -EBADMSG, "two tasks at one place");
	expect(now, 1, 2, 1, -EBADMSG, "no such ring");
	expect(taken, 0, 8, 0, 0, NULL);
	expect(taken, 0, 8, 2, -EPROTO, "the next event of its ring is another");
	/* That one is consumed by then. */
	expect(taken, 1, 8, 1, -EPROTO, "an event of its ring goes before it");
	expect(taken, 1, 3, 1, -EPROTO, "it does not wait there");
	expect(taken, 1, 3, 9, -EPROTO, "its submission is not in the record");
	expect(HFT_RECORD_SUBMIT, 0, 9, HFT_LEVEL_REALTIME, -EPROTO, "its level is another");
	expect(HFT_RECORD_DONE, 0, 2, 0, -EBADMSG, "its worker is not at that task");
}

/* A choice is set against the event that the worker saw, where others are at its place, too. */
static void test_overwritten(void **state)
{
	const uint32_t taken = HFT_RECORD_IMMEDIATE;
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	const char *path = path_of("narrow");

	(void)state;
	record_narrow(path);
	assert_int_equal(hft_replay(path, &opts, NULL), 0);
	expect_of(path, taken, 0, 8, 1, -EPROTO, "an event of its ring goes before it");
	expect_of(path, taken, 0, 8, 2, -EPROTO, "an event of its ring goes before it");
	expect_of(path, taken, 0, 8, 3, -EPROTO, "the next event of its ring is another");
}

/* What went first is as it has to be, or not, by the levels of both. */
static void test_before_event(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	struct hft_recording recording;

	(void)state;
	record_three(path_of("three"));
	assert_int_equal(hft_recording_read(path_of("three"), 1, &recording), 0);
	find(&recording, HFT_RECORD_SUBMIT_NOW, 1)->words[8] = HFT_LEVEL_LOW;
	find(&recording, HFT_RECORD_IMMEDIATE, 0)->words[7] = HFT_LEVEL_LOW;
	assert_int_equal(hft_replay_recording(&recording, &opts, NULL, NULL), -EPROTO);
	assert_non_null(strstr(hft_strerror(EPROTO), "goes before it"));
	hft_recording_free(&recording);
	/* And the other one goes before it, but that came first then. */
	assert_int_equal(hft_recording_read(path_of("three"), 1, &recording), 0);
	find(&recording, HFT_RECORD_SUBMIT_NOW, 0)->words[8] = HFT_LEVEL_CRITICAL;
	find(&recording, HFT_RECORD_AHEAD, 0)->words[7] = HFT_LEVEL_CRITICAL;
	find(&recording, HFT_RECORD_SUBMIT_NOW, 0)->words[0] =
		find(&recording, HFT_RECORD_IMMEDIATE, 0)->words[1] + 1;
	assert_int_equal(hft_replay_recording(&recording, &opts, NULL, NULL), -EPROTO);
	assert_non_null(strstr(hft_strerror(EPROTO), "it goes before the event of its ring"));
	hft_recording_free(&recording);
}

/* Records that make no sense, as nothing but their words can say. */
static void test_hostile(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .max_steps = 100000);
	struct hft_recording sample, copy;
	uint64_t random = 1;
	int trial, i;

	(void)state;
	record("sim", path_of("load"), 9);
	assert_int_equal(hft_recording_read(path_of("load"), 1, &sample), 0);
	copy = sample;
	copy.records = malloc(sample.nr * sizeof(*copy.records));
	for (trial = 0; trial < 400; trial++) {
		memcpy(copy.records, sample.records, sample.nr * sizeof(*copy.records));
		for (i = 0; i < 4; i++) {
			struct hft_record *record = &copy.records[1 + random_below(&random,
							(uint32_t)copy.nr - 2)];

			record->words[random_below(&random, record->nr)] ^=
				1ull << random_below(&random, 64);
			record->words[0] %= HFT_TIME_MAX + 1;
		}
		assert_true(hft_replay_recording(&copy, &opts, NULL, NULL) <= 0);
	}
	free(copy.records);
	hft_recording_free(&sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_soft),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_before_event),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
