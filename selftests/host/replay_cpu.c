// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Which CPU has a task is replayed, where CPUs go offline. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <hft/sim.h>

#include "record_write.h"
#include "replay_machine.h"

#define LOADS		12
#define STEPS		300

static uint32_t below(struct machine *m, uint32_t limit)
{
	return (uint32_t)random_below(&m->random, limit);
}

/* Every other task is of @home, as its cookie says. */
static void machine_submit(struct machine *m)
{
	static const uint32_t flags[] = { 0, HFT_TASK_TRACK, HFT_TASK_PERIODIC, HFT_TASK_SPORADIC };
	struct hft_task task = {
		.cookie = m->cookie++, .release = hft_now() + below(m, 40) * USEC,
		.level = (uint8_t)(HFT_LEVEL_LOW + below(m, 3)),
		.flags = flags[below(m, 4)],
	};
	uint64_t *ids = m->ids[task.cookie % 2], id;
	int err;

	task.ring = hft_ring_number(task.cookie % 2 ? m->alone : m->home);
	if (task.flags & (HFT_TASK_PERIODIC | HFT_TASK_SPORADIC))
		task.period = (20 + below(m, 50)) * USEC;
	if (!below(m, 4))
		task.after = ids[below(m, IDS)];
	err = hft_submit(m->h, &task, &id);
	assert_true(!err || err == -ENODEV || err == -ENOBUFS || err == -ENOENT || err == -EINVAL ||
		    err == -EXDEV);
	m->refused += err == -ENODEV;
	if (!err)
		ids[below(m, IDS)] = id;
}

static void machine_consume(struct machine *m, struct hft_ring *ring)
{
	const struct hft_event *event;

	hft_wait(ring, hft_now());
	event = hft_ring_peek(ring);
	if (!event)
		return;
	m->moved += ring == m->spare;
	m->ended += event->result == -ENODEV;
	hft_ring_begin(ring, event, hft_now());
	hft_spin_until(hft_now() + below(m, 3) * USEC);
	hft_ring_advance(ring);
}

/* At a time of its own, as in a machine it is. */
static void machine_turn(struct machine *m)
{
	hft_spin_until(hft_now() + 10);
	hft_wait(m->spare, hft_now());
	assert_int_equal(hft_sim_set_online(hft_sim_of(m->h), HOME_CPU + below(m, 2), below(m, 2)),
			 0);
	hft_wait(m->spare, hft_now());
	hft_spin_until(hft_now() + 10);
}

static void machine_step(struct machine *m)
{
	struct hft_ring *const rings[] = { m->home, m->spare, m->alone };
	uint32_t kind = below(m, 100);

	if (kind < 40)
		machine_submit(m);
	else if (kind < 80)
		machine_consume(m, rings[below(m, 3)]);
	else if (kind < 84)
		hft_cancel(m->h, m->ids[below(m, 2)][below(m, IDS)]);
	else if (kind < 90)
		hft_arrive(m->h, m->ids[below(m, 2)][below(m, IDS)], 0);
	else if (kind < 94)
		hft_spin_until(hft_now() + below(m, 30) * USEC);
	else
		machine_turn(m);
}

static void machine_record(struct machine *m, const char *path, uint64_t seed, bool monitored)
{
	uint32_t i;

	memset(m, 0, sizeof(*m));
	m->random = seed;
	machine_open(m, path, monitored);
	for (i = 0; i < STEPS; i++)
		machine_step(m);
	machine_close(m);
}

/* Whether anybody has read the machine's notices or not. */
static void test_offline(void **state)
{
	uint32_t moved = 0, ended = 0, refused = 0;
	HFT_OPTS(hft_replay_result, result);
	struct machine m;
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= LOADS; seed++) {
		machine_record(&m, path_of("offline"), seed, seed % 2);
		moved += m.moved;
		ended += m.ended;
		refused += m.refused;
		expect_same(path_of("offline"), &result);
		assert_true(result.events > 0);
	}
	assert_true(moved > LOADS && ended > LOADS && refused > LOADS);
}

enum { FIRST, BEST, SENT, LEFT, BACK, NR };

/* Returns the cookie of the event that is next. */
static uint64_t take(struct hft_ring *ring, int result)
{
	const struct hft_event *event;
	uint64_t cookie;

	assert_true(hft_wait(ring, hft_now()) > 0);
	event = hft_ring_peek(ring);
	assert_int_equal(event->result, result);
	cookie = event->cookie;
	hft_ring_begin(ring, event, hft_now());
	hft_ring_advance(ring);
	hft_spin_until(hft_now() + LATE_NS);
	return cookie;
}

static void submit(struct machine *m, struct hft_ring *ring, uint64_t cookie, uint64_t release)
{
	machine_send(m, ring, cookie, cookie == BEST ? HFT_LEVEL_HIGH : HFT_LEVEL_NORMAL, release);
}

/* One that waits moves, one that comes then is sent; where there is no fallback one ends. */
static void record_turns(const char *path)
{
	struct machine m = { 0 };
	struct hft_sim *sim;

	machine_open(&m, path, true);
	sim = hft_sim_of(m.h);
	submit(&m, m.home, FIRST, hft_now());
	submit(&m, m.home, BEST, hft_now() + 100 * LATE_NS);
	submit(&m, m.alone, LEFT, hft_now() + 100 * LATE_NS);
	assert_int_equal(take(m.home, 0), FIRST);
	assert_int_equal(hft_sim_set_online(sim, HOME_CPU, false), 0);
	assert_int_equal(hft_sim_set_online(sim, ALONE_CPU, false), 0);
	hft_spin_until(hft_now() + LATE_NS);
	assert_int_equal(take(m.alone, -ENODEV), LEFT);
	submit(&m, m.home, SENT, hft_now() + 100 * LATE_NS);
	hft_spin_until(hft_now() + 200 * LATE_NS);
	assert_int_equal(take(m.spare, 0), BEST);
	assert_int_equal(take(m.spare, 0), SENT);
	assert_int_equal(hft_sim_set_online(sim, HOME_CPU, true), 0);
	hft_spin_until(hft_now() + LATE_NS);
	submit(&m, m.home, BACK, hft_now());
	assert_int_equal(take(m.home, 0), BACK);
	machine_close(&m);
}

static bool is_turn(const struct hft_record *record)
{
	return record->kind == HFT_RECORD_NOTICE &&
	       (record->words[9] == HFT_EVENT_CPU_OFFLINE ||
		record->words[9] == HFT_EVENT_CPU_ONLINE);
}

/* What of it is known: notices, looks that come somewhat before and after it, or nothing. */
static void know(struct hft_recording *recording, bool notices, bool looks)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct hft_record *record = &recording->records[i];

		if (is_turn(record) && !notices)
			record->words[9] = HFT_EVENT_CLOCK;
		if (record->kind != HFT_RECORD_CPU)
			continue;
		record->words[0] -= LATE_NS / 2;
		record->words[1] += LATE_NS / 2;
		if (!looks)
			record->words[3] = 0;
	}
}

static void test_who_knows(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	int known, err;

	(void)state;
	record_turns(path_of("turns"));
	for (known = 0; known < 4; known++) {
		assert_int_equal(hft_recording_read(path_of("turns"), 1, &recording), 0);
		know(&recording, known & 1, known & 2);
		err = hft_replay_recording(&recording, &opts, &result, NULL);
		if (known && err)
			fail_msg("%d: %s", known, hft_strerror(EPROTO));
		if (known)
			assert_int_equal(result.events, NR);
		else
			assert_int_equal(err, -EPROTO);
		hft_recording_free(&recording);
	}
}

/* A CPU that was gone and back between two looks has told those that it has ended. */
static void test_unseen(void **state)
{
	HFT_OPTS(hft_replay_result, result);
	struct machine m = { 0 };

	(void)state;
	machine_open(&m, path_of("unseen"), false);
	submit(&m, m.alone, FIRST, hft_now() + 100 * LATE_NS);
	assert_int_equal(hft_sim_set_online(hft_sim_of(m.h), ALONE_CPU, false), 0);
	assert_int_equal(hft_sim_set_online(hft_sim_of(m.h), ALONE_CPU, true), 0);
	assert_int_equal(take(m.alone, -ENODEV), FIRST);
	submit(&m, m.alone, BEST, hft_now());
	assert_int_equal(take(m.alone, 0), BEST);
	machine_close(&m);
	expect_same(path_of("unseen"), &result);
	assert_int_equal(result.events, 2);
	assert_int_equal(result.late, 1);
}

/* BEST, of @alone, waits for FIRST, of @spare, and would go before LEFT. */
static void submit_chain(struct machine *m)
{
	struct hft_task task = {
		.cookie = FIRST, .release = hft_now(), .ring = hft_ring_number(m->spare),
		.level = HFT_LEVEL_NORMAL, .flags = HFT_TASK_TRACK,
	};
	uint64_t id;

	assert_int_equal(hft_submit(m->h, &task, &id), 0);
	task.cookie = BEST;
	task.ring = hft_ring_number(m->alone);
	task.level = HFT_LEVEL_HIGH;
	task.release = hft_now() + 10 * LATE_NS;
	task.deadline = hft_now() + 100 * LATE_NS;
	task.flags = HFT_TASK_WATCH;
	task.after = id;
	assert_int_equal(hft_submit(m->h, &task, NULL), 0);
	hft_spin_until(hft_now() + 2 * LATE_NS);
}

/* FIRST is consumed just after the CPU of @alone has gone offline, or @before it was back. */
static void record_chain(const char *path, bool back, uint64_t before)
{
	struct machine m = { 0 };
	struct hft_sim *sim;

	machine_open(&m, path, true);
	sim = hft_sim_of(m.h);
	submit_chain(&m);
	assert_int_equal(hft_sim_set_online(sim, ALONE_CPU, false), 0);
	hft_wait(m.home, hft_now());
	hft_spin_until(hft_now() + (back ? 2 * LATE_NS : USEC));
	if (back) {
		assert_int_equal(hft_sim_set_online(sim, ALONE_CPU, true), 0);
		hft_wait(m.home, hft_now());
		hft_spin_until(hft_now() + before);
	}
	hft_ring_advance(m.spare);
	/* It is looked at. */
	hft_wait(m.spare, hft_now());
	hft_spin_until(hft_now() + LATE_NS);
	if (back) {
		submit(&m, m.alone, LEFT, hft_now() + LATE_NS);
		hft_spin_until(hft_now() + LATE_NS);
		assert_int_equal(take(m.alone, 0), LEFT);
		hft_spin_until(hft_now() + 10 * LATE_NS);
	}
	assert_int_equal(take(m.alone, back ? 0 : -ECANCELED), BEST);
	machine_close(&m);
}

/* Nobody has told, and who has looked was late by so much.  Returns how many turns there were. */
static uint32_t delay_turns(struct hft_recording *recording, uint64_t begin, uint64_t end)
{
	uint32_t turns = 0;
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct hft_record *record = &recording->records[i];

		if (is_turn(record))
			record->words[9] = HFT_EVENT_CLOCK;
		if (record->kind != HFT_RECORD_CPU)
			continue;
		turns++;
		record->words[0] += begin;
		record->words[1] += end;
	}
	return turns;
}

/* What waits for a task of another CPU ends with that, if its own CPU is offline just then. */
static void test_chain(void **state)
{
	static const uint64_t begins[] = { LATE_NS / 2, 0, LATE_NS / 2 };
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		bool back = i == 2;

		record_chain(path_of("chain"), back, USEC);
		assert_int_equal(hft_recording_read(path_of("chain"), 1, &recording), 0);
		assert_int_equal(delay_turns(&recording, begins[i], LATE_NS / 2), 1 + back);
		if (hft_replay_recording(&recording, &opts, &result, NULL))
			fail_msg("%d: %s", i, hft_strerror(EPROTO));
		assert_int_equal(result.events, 2 + back);
		assert_int_equal(result.late > 0, begins[i] > 0);
		hft_recording_free(&recording);
	}
}

/* Not if its CPU was online by then, and long before. */
static void test_chain_differs(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	size_t i;

	(void)state;
	record_chain(path_of("differs"), true, 2 * LATE_NS);
	assert_int_equal(hft_recording_read(path_of("differs"), 1, &recording), 0);
	for (i = recording.nr; recording.records[i - 1].kind != HFT_RECORD_DISPATCH; i--)
		;
	recording.records[i - 1].words[8] = (uint64_t)-ECANCELED;
	assert_int_equal(hft_replay_recording(&recording, &opts, &result, NULL), -EPROTO);
	assert_non_null(strstr(hft_strerror(EPROTO), "its result is another"));
	assert_int_equal(result.events, 2);
	hft_recording_free(&recording);
}

/* The fallback ring's CPU went first: what ends where it was has moved there by the replay. */
static void test_fallback_first(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	struct machine m = { 0 };
	int cpu;

	(void)state;
	machine_open(&m, path_of("first"), true);
	submit(&m, m.home, FIRST, hft_now() + 100 * LATE_NS);
	for (cpu = 0; cpu <= HOME_CPU; cpu++) {
		assert_int_equal(hft_sim_set_online(hft_sim_of(m.h), (uint32_t)cpu, false), 0);
		hft_wait(m.alone, hft_now());
		hft_spin_until(hft_now() + USEC);
	}
	assert_int_equal(take(m.home, -ENODEV), FIRST);
	machine_close(&m);
	assert_int_equal(hft_recording_read(path_of("first"), 1, &recording), 0);
	assert_int_equal(delay_turns(&recording, 0, 0), 2);
	for (cpu = 0; recording.records[cpu].kind != HFT_RECORD_CPU; cpu++)
		;
	recording.records[cpu].words[0] += LATE_NS / 2;
	recording.records[cpu].words[1] += LATE_NS / 2;
	if (hft_replay_recording(&recording, &opts, &result, NULL))
		fail_msg("%s", hft_strerror(EPROTO));
	assert_int_equal(result.events, 1);
	hft_recording_free(&recording);
}

/* A record of the version before, in which rings are without their fallback. */
static void test_version(void **state)
{
	HFT_OPTS(hft_replay_result, result);
	struct hft_recording recording;
	struct machine m = { 0 };
	char command[256];

	(void)state;
	machine_open(&m, path_of("new"), false);
	submit(&m, m.home, FIRST, hft_now());
	assert_int_equal(take(m.home, 0), FIRST);
	machine_close(&m);
	assert_int_equal(hft_recording_read(path_of("new"), 1, &recording), 0);
	assert_int_equal(recording.records[0].words[4], HFT_RECORD_VERSION);
	recording.records[0].words[4] = HFT_RECORD_OLDEST;
	write_log(path_of("old"), &recording, SIZE_MAX);
	hft_recording_free(&recording);
	snprintf(command, sizeof(command), "sed -i 's/,{\"name\":\"fallback\",[^}]*}//' "
		 "'%s/chunk-00000001/hft/sites'", path_of("old"));
	assert_int_equal(system(command), 0);
	expect_same(path_of("old"), &result);
	assert_int_equal(result.events, 1);
	assert_int_equal(hft_recording_read(path_of("old"), 1, &recording), 0);
	assert_int_equal(recording.records[0].words[4], HFT_RECORD_OLDEST);
	assert_int_equal(recording.records[3].kind, HFT_RECORD_RING);
	assert_int_equal(recording.records[3].words[7], HFT_RING_REPORT);
	hft_recording_free(&recording);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_who_knows),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_chain_differs),
		cmocka_unit_test(test_fallback_first),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
