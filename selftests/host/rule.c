// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The machine of a rule: each of its transitions, and that it goes by nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/sched.h"
#include "random.h"

#define MS	1000000ULL
#define USUAL	1000
#define LATER	50000

static struct hft_rule_state make_rule(enum hft_action action)
{
	return (struct hft_rule_state){
		.rule = {
			.action = action,
			.count = 1,
			.leave = 10 * MS,
		},
	};
}

static enum hft_rule_step note(struct hft_rule_state *s, uint64_t sequence, uint64_t now)
{
	return hft_rule_note(s, HFT_ANOMALY_SPIKE, NULL, sequence, now);
}

static void it_acts_and_is_undone(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_SHED);

	(void)state;
	assert_int_equal(hft_rule_look(&s, 5 * MS), HFT_RULE_STAY);
	assert_true(hft_rule_next_look(&s, 5 * MS) == U64_MAX);
	assert_int_equal(note(&s, 1, 100 * MS), HFT_RULE_ACT);
	assert_true(s.in_force && s.since == 100 * MS && s.applied == 1);
	assert_int_equal(hft_rule_next_look(&s, 100 * MS), 110 * MS);
	/* In force it has nothing more to do, but goes on for longer. */
	assert_int_equal(note(&s, 2, 105 * MS), HFT_RULE_STAY);
	assert_int_equal(hft_rule_look(&s, 110 * MS), HFT_RULE_STAY);
	assert_int_equal(hft_rule_next_look(&s, 110 * MS), 115 * MS);
	assert_int_equal(hft_rule_look(&s, 115 * MS), HFT_RULE_UNDO);
	assert_true(!s.in_force && s.undone == 1 && s.changed == 115 * MS);
	assert_int_equal(hft_rule_look(&s, 200 * MS), HFT_RULE_STAY);
	assert_int_equal(note(&s, 3, 201 * MS), HFT_RULE_ACT);
	assert_int_equal(s.anomalies, 3);
}

static void a_lead_goes_in_steps(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_LEAD);

	(void)state;
	s.rule.count = 2;
	assert_int_equal(note(&s, 1, 1 * MS), HFT_RULE_STAY);
	assert_int_equal(note(&s, 2, 2 * MS), HFT_RULE_ACT);
	/* The count begins anew. */
	assert_int_equal(note(&s, 3, 3 * MS), HFT_RULE_STAY);
	assert_int_equal(note(&s, 4, 4 * MS), HFT_RULE_ACT);
	assert_true(s.since == 2 * MS && s.changed == 4 * MS && s.applied == 2);
}

static void an_interval_is_kept(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_LEAD);

	(void)state;
	s.rule.interval = 20 * MS;
	assert_int_equal(note(&s, 1, 1 * MS), HFT_RULE_ACT);
	assert_int_equal(note(&s, 2, 20 * MS), HFT_RULE_STAY);
	assert_int_equal(s.limited, 1);
	assert_int_equal(note(&s, 3, 21 * MS), HFT_RULE_ACT);
	assert_int_equal(hft_rule_look(&s, 31 * MS), HFT_RULE_UNDO);
	/* From the undoing, too. */
	assert_int_equal(note(&s, 4, 50 * MS), HFT_RULE_STAY);
	assert_int_equal(note(&s, 5, 51 * MS), HFT_RULE_ACT);
}

static void a_latch_stays(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_HALT);

	(void)state;
	s.rule.flags = HFT_RULE_LATCH;
	s.rule.hold = MS;
	assert_int_equal(note(&s, 1, 1 * MS), HFT_RULE_ACT);
	assert_true(hft_rule_next_look(&s, MS) == U64_MAX);
	assert_int_equal(hft_rule_look(&s, U64_MAX), HFT_RULE_STAY);
}

static void it_is_held_for_so_long(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_SHED);
	uint64_t now;

	(void)state;
	s.rule.hold = 25 * MS;
	assert_int_equal(note(&s, 1, 1 * MS), HFT_RULE_ACT);
	for (now = 2 * MS; now < 26 * MS; now += MS) {
		note(&s, now, now);
		assert_int_equal(hft_rule_look(&s, now), HFT_RULE_STAY);
		assert_true(hft_rule_next_look(&s, now) <= 26 * MS);
	}
	assert_int_equal(hft_rule_look(&s, now), HFT_RULE_UNDO);
}

/* Of the last anomalies, in any order of events, against all of them. */
static void it_counts_right(void **state)
{
	uint64_t random = 1, sequence, seen[2000];
	uint32_t n, i, nr, first;

	(void)state;
	for (n = 0; n < 200; n++) {
		struct hft_rule_state s = make_rule(HFT_ACTION_SHED);
		bool due;

		s.rule.count = 1 + (uint32_t)random_below(&random, HFT_RULE_MOST);
		s.rule.among = (uint32_t)random_below(&random, 4 * s.rule.count);
		first = 0;
		sequence = random_u64(&random);
		for (nr = 0; nr < 2000; nr++) {
			sequence += 1 + random_below(&random, 8);
			seen[nr] = sequence;
			i = nr + 1 - first;
			due = i >= s.rule.count &&
			      (!s.rule.among ||
			       sequence - seen[nr + 1 - s.rule.count] < s.rule.among);
			assert_int_equal(note(&s, sequence, nr),
					 due ? HFT_RULE_ACT : HFT_RULE_STAY);
			if (!due)
				continue;
			s.in_force = false;
			first = nr + 1;
		}
	}
}

static void feed(struct hft_baseline *b, uint64_t value, uint32_t nr)
{
	while (nr--)
		hft_baseline_add(b, value);
}

/* A level that has shifted is learned, and the rule stays until it is back. */
static void it_waits_for_the_baseline(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_SHED);
	struct hft_detected found = {};
	enum hft_anomaly anomaly = HFT_ANOMALY_NONE;
	struct hft_baseline b = {};
	uint64_t now = MS;

	(void)state;
	feed(&b, USUAL, 3000);
	while (!anomaly || anomaly == HFT_ANOMALY_SPIKE)
		anomaly = hft_detect_value(&b, 2 * USUAL, &found);
	assert_int_equal(anomaly, HFT_ANOMALY_SHIFT);
	assert_in_range(found.expected, USUAL * 9 / 10, USUAL * 11 / 10);
	assert_int_equal(hft_rule_note(&s, anomaly, &found, 1, now), HFT_RULE_ACT);
	for (; now < 10000 * MS; now += 100 * MS) {
		feed(&b, 2 * USUAL, 500);
		assert_int_equal(hft_rule_look(&s, now), HFT_RULE_STAY);
		assert_true(hft_rule_next_look(&s, now) > now);
	}
	feed(&b, USUAL, 1000);
	assert_int_equal(hft_rule_look(&s, now), HFT_RULE_UNDO);
}

/* Where nothing comes, nothing says that it is not back: what sheds its load would stay. */
static void silence_undoes_it(void **state)
{
	struct hft_rule_state s = make_rule(HFT_ACTION_SHED);
	struct hft_baseline b = {};
	struct hft_detected found = { .expected = USUAL, .baseline = &b };

	(void)state;
	feed(&b, LATER, 3000);
	assert_int_equal(hft_rule_note(&s, HFT_ANOMALY_SHIFT, &found, 1, MS), HFT_RULE_ACT);
	feed(&b, LATER, 10);
	assert_int_equal(hft_rule_look(&s, 20 * MS), HFT_RULE_STAY);
	assert_int_equal(hft_rule_look(&s, 40 * MS), HFT_RULE_UNDO);
}

/* No look is nearer than the least, whatever the times. */
static void looks_are_apart(void **state)
{
	uint64_t random = 1;
	uint32_t i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		struct hft_rule_state s = make_rule(HFT_ACTION_SHED);
		uint64_t now = 1 + (random_u64(&random) >> 24), look;

		s.rule.leave = HFT_RULE_LEAVE_MIN + random_below(&random, 1ULL << 30);
		s.rule.hold = random_below(&random, 1ULL << 30);
		s.in_force = true;
		s.since = random_u64(&random) % now;
		s.last = s.since + (random_u64(&random) >> 32);
		look = hft_rule_next_look(&s, now);
		assert_true(look >= now + HFT_RULE_LEAVE_MIN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_acts_and_is_undone),
		cmocka_unit_test(a_lead_goes_in_steps),
		cmocka_unit_test(an_interval_is_kept),
		cmocka_unit_test(a_latch_stays),
		cmocka_unit_test(it_is_held_for_so_long),
		cmocka_unit_test(it_counts_right),
		cmocka_unit_test(it_waits_for_the_baseline),
		cmocka_unit_test(silence_undoes_it),
		cmocka_unit_test(looks_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
