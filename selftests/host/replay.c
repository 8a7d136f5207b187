// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* What decisions depend on besides tasks is replayed: rules, leads, clocks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hft/rule.h>

#include "engine/replay.h"
#include "record_folder.h"
#include "record_write.h"

#define STEPS		700
#define LEARNED		400		/* steps in which nothing is unusual */
#define USUAL_NS	5000
#define SPIKE_NS	400000

/* A load whose rule has much to do. */
struct ruled {
	struct hft *h;
	struct hft_ring *ring;
	struct hft_ring *other;
	struct hft_ring *monitor;
	uint64_t random;
	uint32_t raised;		/* events of a level that nobody has asked for */
	uint32_t refused;
	uint32_t responses;
};

static void ruled_open(struct ruled *ruled, const char *backend, const char *path,
		       const struct hft_rule *rule)
{
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = 256);
	HFT_OPTS(hft_ring_opts, ring, .entries = 8, .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_ring_opts, monitor, .entries = 256, .flags = HFT_RING_MONITOR);

	memset(ruled, 0, sizeof(*ruled));
	ruled->random = rule->action;
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&ruled->h, &opts), 0);
	unsetenv("HFT_RECORD");
	ring.policy = HFT_POLICY_FP;
	ring.lead_ns = 1000;
	assert_int_equal(hft_ring_open(ruled->h, &ring, &ruled->ring), 0);
	assert_int_equal(hft_ring_open(ruled->h, &ring, &ruled->other), 0);
	assert_int_equal(hft_ring_open(ruled->h, &monitor, &ruled->monitor), 0);
	assert_int_equal(hft_rule_set(ruled->ring, rule), 0);
}

static void ruled_close(struct ruled *ruled)
{
	hft_ring_close(ruled->ring);
	hft_ring_close(ruled->other);
	hft_ring_close(ruled->monitor);
	hft_close(ruled->h);
}

/* Of the class that is judged, and of another. */
static void ruled_submit(struct ruled *ruled)
{
	uint32_t i, nr = 1 + random_below(&ruled->random, 4);
	uint64_t now = hft_now();

	for (i = 0; i < nr; i++) {
		struct hft_task task = {
			.cookie = random_below(&ruled->random, 2),
			.ring = hft_ring_number(random_below(&ruled->random, 4) ? ruled->ring :
						ruled->other),
			.release = now + random_below(&ruled->random, 10) * 1000,
			.flags = random_below(&ruled->random, 2) ? HFT_TASK_REDUCE : 0,
			.task_class = (uint8_t)random_below(&ruled->random, 2),
		};
		int err;

		/* The cookie says the level, which a rule may raise. */
		task.level = task.cookie ? HFT_LEVEL_HIGH : HFT_LEVEL_LOW;
		err = hft_submit(ruled->h, &task, NULL);
		assert_true(!err || err == -ENOBUFS || err == -EDQUOT);
		ruled->refused += err == -ENOBUFS;
	}
}

static void ruled_run(struct ruled *ruled, struct hft_ring *ring, uint32_t step)
{
	const struct hft_event *event = hft_ring_peek(ring);
	bool spike = step > LEARNED && !random_below(&ruled->random, 12);

	if (!event && hft_wait(ring, hft_now() + 20000) <= 0)
		return;
	event = hft_ring_peek(ring);
	if (!event)
		return;
	ruled->raised += event->level != (event->cookie ? HFT_LEVEL_HIGH : HFT_LEVEL_LOW);
	hft_ring_begin(ring, event, hft_now());
	hft_spin_until(hft_now() + (spike ? SPIKE_NS : USUAL_NS));
	hft_ring_advance(ring);
}

static void ruled_read_notices(struct ruled *ruled)
{
	const struct hft_event *notice;

	while ((notice = hft_ring_peek(ruled->monitor))) {
		ruled->responses += notice->type == HFT_EVENT_RESPONSE;
		hft_ring_advance(ruled->monitor);
	}
}

static void ruled_load(struct ruled *ruled)
{
	uint32_t step, i;

	for (step = 0; step < STEPS; step++) {
		ruled_submit(ruled);
		for (i = 0; i < 3; i++)
			ruled_run(ruled, ruled->ring, step);
		ruled_run(ruled, ruled->other, 0);
		if (!(step % 8))
			ruled_read_notices(ruled);
	}
	ruled_read_notices(ruled);
}

static const struct hft_rule rules[] = {
	{ .action = HFT_ACTION_NOTIFY },
	{ .action = HFT_ACTION_LEAD, .amount = 2000, .most = 20000 },
	{ .action = HFT_ACTION_BOOST, .amount = 2, .level = HFT_LEVEL_CRITICAL },
	{ .action = HFT_ACTION_SHED, .level = HFT_LEVEL_NORMAL },
	{ .action = HFT_ACTION_REDUCE, .hold = 300000 },
	{ .action = HFT_ACTION_HALT, .hold = 300000 },
};

#define NR_RULES	(sizeof(rules) / sizeof(*rules))

/* Returns how it is replayed, with the result. */
static void replay_rule(const char *backend, uint32_t n, uint64_t late_ns,
			struct hft_replay_result *result)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = late_ns);
	struct hft_rule rule = rules[n];
	struct ruled ruled;

	rule.kinds = 1 << HFT_KIND_RUN;
	rule.anomalies = 1 << HFT_ANOMALY_SPIKE;
	rule.count = 2;
	rule.among = 100;
	rule.leave = 300000;
	rule.classes = 1;
	ruled_open(&ruled, backend, path_of("ruled"), &rule);
	ruled_load(&ruled);
	ruled_close(&ruled);
	assert_true(ruled.responses > 1);
	if (rule.action == HFT_ACTION_BOOST)
		assert_true(ruled.raised);
	if (rule.action == HFT_ACTION_SHED)
		assert_true(ruled.refused);
	if (hft_replay(path_of("ruled"), &opts, result))
		fail_msg("rule %u: %s", n, hft_strerror(EPROTO));
	load_remove(path_of("ruled"));
}

static void test_rules_sim(void **state)
{
	HFT_OPTS(hft_replay_result, result);
	uint32_t n;

	(void)state;
	for (n = 0; n < NR_RULES; n++) {
		replay_rule("sim", n, 1, &result);
		assert_int_equal(result.latest_ns, 0);
	}
}

static void test_rules_soft(void **state)
{
	HFT_OPTS(hft_replay_result, result);
	uint32_t n;

	(void)state;
	for (n = 0; n < NR_RULES; n++)
		replay_rule("soft", n, LOAD_LATE_NS, &result);
}

#define LONG_NS		1000000
#define WCET_NS		5000

/* A task that runs, and two that wait meanwhile.  They are sent as @ids. */
static void record_three(const char *path, uint64_t cookie, uint64_t ids[3])
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1");
	HFT_OPTS(hft_ring_opts, ring_opts, .entries = 4, .window = 1, .policy = HFT_POLICY_LLF);
	uint64_t deadline = 2 * LONG_NS;
	struct hft_ring *ring;
	struct hft *h;
	uint32_t i;

	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	for (i = 0; i < 3; i++) {
		struct hft_task task = {
			.cookie = cookie + i, .release = hft_now(), .level = HFT_LEVEL_NORMAL,
			.deadline = hft_now() + deadline, .wcet = WCET_NS,
		};

		assert_int_equal(hft_submit(h, &task, &ids[i]), 0);
		deadline += LONG_NS;
	}
	for (i = 0; i < 3; i++) {
		assert_true(hft_wait(ring, hft_now()) > 0);
		hft_spin_until(hft_now() + LONG_NS);
		hft_ring_advance(ring);
	}
	hft_ring_close(ring);
	hft_close(h);
}

static struct hft_record *submission_of(struct hft_recording *recording, uint64_t id)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct hft_record *record = &recording->records[i];

		if (record->kind == HFT_RECORD_SUBMIT && record->words[2] == id)
			return record;
	}
	fail();
	return NULL;
}

/* Of the second and the third the third is more urgent, in a record that says otherwise. */
static void test_difference(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LONG_NS / 2);
	const struct hft_replay_difference *difference;
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	struct hft_record *last;
	uint64_t ids[3];

	(void)state;
	record_three(path_of("three"), 100, ids);
	assert_int_equal(hft_replay(path_of("three"), &opts, &result), 0);
	assert_int_equal(result.events, 3);
	assert_int_equal(result.difference.time, 0);
	assert_int_equal(hft_recording_read(path_of("three"), 1, &recording), 0);
	last = submission_of(&recording, ids[2]);
	last->words[5] -= 3 * LONG_NS;
	last->words[9] = HFT_LEVEL_NORMAL;
	assert_int_equal(hft_replay_recording(&recording, &opts, &result, NULL), -EPROTO);
	difference = &result.difference;
	assert_int_equal(result.events, 1);
	assert_int_equal(recording.records[difference->record].kind, HFT_RECORD_DISPATCH);
	assert_int_equal(recording.records[difference->record].words[2], ids[1]);
	assert_int_equal(recording.records[difference->record].words[0], difference->time);
	assert_int_equal(difference->policy, HFT_POLICY_LLF);
	assert_int_equal(difference->went.task, ids[1]);
	assert_int_equal(difference->went.cookie, 101);
	assert_int_equal(difference->better.task, ids[2]);
	assert_int_equal(difference->better.cookie, 102);
	assert_int_equal(difference->better.known_ns, LONG_NS);
	assert_int_equal(difference->better.laxity_ns, -WCET_NS);
	assert_int_equal(difference->went.laxity_ns, 2 * LONG_NS - WCET_NS);
	assert_int_equal(difference->went.key - difference->better.key, 2 * LONG_NS);
	assert_non_null(strstr(hft_strerror(EPROTO), "goes before it"));
	hft_recording_free(&recording);
}

/* Of what a log says nothing is taken for another number that fits. */
static void check_range(const struct hft_recording *recording, size_t index, uint32_t word)
{
	static const uint64_t beyond[] = { 1ull << 32, 1ull << 63, HFT_TIME_MAX + 1 };
	static unsigned int turn;
	uint64_t *words = recording->records[index].words, was = words[word];

	words[word] = beyond[turn++ % (sizeof(beyond) / sizeof(*beyond))];
	write_log(path_of("beyond"), recording, SIZE_MAX);
	assert_int_equal(hft_replay(path_of("beyond"), NULL, NULL), -EBADMSG);
	assert_non_null(strstr(hft_strerror(EBADMSG), "is out of range"));
	words[word] = was;
}

static void test_range(void **state)
{
	static const struct { uint32_t kind, word; } narrow[] = {
		{ HFT_RECORD_RING, 1 }, { HFT_RECORD_RING, 3 }, { HFT_RECORD_SUBMIT, 6 },
		{ HFT_RECORD_SUBMIT, 9 }, { HFT_RECORD_SUBMIT, 15 }, { HFT_RECORD_DISPATCH, 1 },
		{ HFT_RECORD_DISPATCH, 8 }, { HFT_RECORD_DISPATCH, 11 }, { HFT_RECORD_ADVANCE, 2 },
		{ HFT_RECORD_ADVANCE, 5 }, { HFT_RECORD_RING_CLOSE, 1 },
	};
	struct hft_recording recording;
	uint64_t ids[3];
	uint32_t i;
	size_t at;

	(void)state;
	load_remove(path_of("three"));
	record_three(path_of("three"), 100, ids);
	assert_int_equal(hft_recording_read(path_of("three"), 1, &recording), 0);
	for (i = 0; i < sizeof(narrow) / sizeof(*narrow); i++) {
		for (at = 0; recording.records[at].kind != narrow[i].kind; at++)
			assert_true(at < recording.nr);
		check_range(&recording, at, narrow[i].word);
	}
	write_log(path_of("beyond"), &recording, SIZE_MAX);
	assert_int_equal(hft_replay(path_of("beyond"), NULL, NULL), 0);
	hft_recording_free(&recording);
}

#define WAKEUPS		80
#define ROUND_NS	5000000
#define FIRST_LEAD_NS	20000

/* Of two tasks the second is better, and released later by less than the first lead. */
static void learn_round(struct hft *h, struct hft_ring *ring)
{
	struct hft_task task = { .release = hft_now() + ROUND_NS, .level = HFT_LEVEL_LOW };
	const struct hft_event *event;
	int i;

	assert_int_equal(hft_submit(h, &task, NULL), 0);
	task.release += FIRST_LEAD_NS / 2;
	task.level = HFT_LEVEL_HIGH;
	assert_int_equal(hft_submit(h, &task, NULL), 0);
	for (i = 0; i < 2; i++) {
		assert_true(hft_wait(ring, HFT_WAIT_FOREVER) > 0);
		event = hft_ring_peek(ring);
		hft_ring_begin(ring, event, hft_spin_until(event->release));
		hft_ring_advance(ring);
	}
}

/* A lead that is learned is the same again, and so is what was dispatched with it. */
static void test_learned(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1");
	HFT_OPTS(hft_ring_opts, ring_opts, .entries = 4, .policy = HFT_POLICY_FP,
		 .lead_ns = FIRST_LEAD_NS, .lead_budget_ppm = 50000,
		 .flags = HFT_RING_REPORT | HFT_RING_LEAD);
	HFT_OPTS(hft_replay_opts, replay, .late_ns = 1);
	HFT_OPTS(hft_lead_state, lead);
	HFT_OPTS(hft_replay_result, result);
	struct hft_ring *ring;
	struct hft *h;
	int i;

	(void)state;
	setenv("HFT_RECORD", path_of("learned"), 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	for (i = 0; i < WAKEUPS; i++)
		learn_round(h, ring);
	assert_int_equal(hft_lead_state(ring, &lead), 0);
	assert_true(lead.changes && lead.lead_ns < FIRST_LEAD_NS / 2);
	hft_ring_close(ring);
	hft_close(h);
	assert_int_equal(hft_replay(path_of("learned"), &replay, &result), 0);
	assert_int_equal(result.events, 2 * WAKEUPS);
	assert_int_equal(result.late, 0);
}

#define STEP_NS		(3600 * 1000000000ull)
#define SOON_NS		10000000
#define LONG_LOOK_NS	(10 * SOON_NS)

/* A task by the wall clock, before which nothing happens but that the machine is resumed, twice. */
static void record_wall_clock(const char *path)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1");
	struct hft_task task = { .clock = HFT_CLOCK_REALTIME, .level = HFT_LEVEL_NORMAL };
	struct hft_ring *ring;
	struct hft *h;

	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, NULL, &ring), 0);
	task.release = hft_now() + hft_sim_offset(hft_sim_of(h), HFT_CLOCK_REALTIME) + SOON_NS;
	assert_int_equal(hft_submit(h, &task, NULL), 0);
	hft_spin_until(hft_now() + SOON_NS / 4);
	assert_int_equal(hft_resume(h, 0), 0);
	hft_spin_until(hft_now() + SOON_NS / 4);
	assert_int_equal(hft_resume(h, 0), 0);
	assert_true(hft_wait(ring, HFT_WAIT_FOREVER) > 0);
	hft_ring_advance(ring);
	hft_ring_close(ring);
	hft_close(h);
}

/* What is recorded of the clock is that it is an hour later, as a look has found. */
static void make_clock(struct hft_record *record, const struct hft_recording *recording,
		       uint64_t begin, uint64_t end)
{
	record->kind = HFT_RECORD_CLOCK;
	record->words[0] = begin;
	record->words[1] = end;
	record->words[2] = recording->records[0].words[1] + STEP_NS;
	record->words[3] = recording->records[0].words[2] + STEP_NS;
}

/* And what a monitor ring was told. */
static void make_step(struct hft_record *record)
{
	const uint64_t words[HFT_RECORD_WORDS] = {
		[0] = record->words[0], [3] = STEP_NS, [8] = HFT_FAULT_STEP,
		[9] = HFT_EVENT_CLOCK, [10] = HFT_CLOCK_REALTIME,
	};

	record->kind = HFT_RECORD_NOTICE;
	memcpy(record->words, words, sizeof(words));
}

/* The records of the two times that it was resumed, which stand for others.  By an hour */
static void read_wall_clock(struct hft_recording *recording, struct hft_record *halts[2],
			    uint64_t by)
{
	uint32_t nr = 0;
	size_t i;

	assert_int_equal(hft_recording_read(path_of("clock"), 1, recording), 0);
	for (i = 0; i < recording->nr; i++) {
		if (recording->records[i].kind == HFT_RECORD_SUBMIT)
			recording->records[i].words[4] += by;
		if (recording->records[i].kind == HFT_RECORD_HALT)
			halts[nr++] = &recording->records[i];
	}
	assert_int_equal(nr, 2);
}

static void expect_replay(struct hft_recording *recording, int err)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	HFT_OPTS(hft_replay_result, result);

	assert_int_equal(hft_replay_recording(recording, &opts, &result, NULL), err);
	if (!err)
		assert_int_equal(result.events, 1);
	hft_recording_free(recording);
}

/*
 * The task is for an hour later by a clock that is set by that meanwhile: it is as it was,
 * whoever tells of that and when it is found.
 */
static void test_clock(void **state)
{
	struct hft_recording recording;
	struct hft_record *halts[2];

	(void)state;
	record_wall_clock(path_of("clock"));
	read_wall_clock(&recording, halts, 0);
	expect_replay(&recording, 0);
	read_wall_clock(&recording, halts, STEP_NS);
	expect_replay(&recording, -EPROTO);
	read_wall_clock(&recording, halts, STEP_NS);
	make_clock(halts[0], &recording, halts[0]->words[0], halts[0]->words[0]);
	expect_replay(&recording, 0);
	read_wall_clock(&recording, halts, STEP_NS);
	make_step(halts[0]);
	expect_replay(&recording, 0);
	/* A look after the task was dispatched; and that the task did not go by. */
	read_wall_clock(&recording, halts, STEP_NS);
	make_clock(halts[0], &recording, halts[0]->words[0], halts[1]->words[0] + LONG_LOOK_NS);
	expect_replay(&recording, 0);
	read_wall_clock(&recording, halts, 0);
	make_clock(halts[0], &recording, halts[0]->words[0], halts[1]->words[0] + LONG_LOOK_NS);
	expect_replay(&recording, 0);
	/* Both tell of it, in the one order and in the other. */
	read_wall_clock(&recording, halts, STEP_NS);
	make_step(halts[0]);
	make_clock(halts[1], &recording, 0, halts[1]->words[0]);
	expect_replay(&recording, 0);
	read_wall_clock(&recording, halts, STEP_NS);
	make_step(halts[1]);
	make_clock(halts[0], &recording, 0, halts[1]->words[0]);
	expect_replay(&recording, 0);
}

/* For hftctl_replay.sh */
static int record_wide(const char *path)
{
	uint64_t ids[3];

	record_three(path, UINT64_MAX - 2, ids);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_sim),
		cmocka_unit_test(test_rules_soft),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_learned),
		cmocka_unit_test(test_clock),
	};

	if (argc == 3 && !strcmp(argv[1], "record"))
		return record_wide(argv[2]);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
